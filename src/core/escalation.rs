//! Whom to wake, and when: the walk through an escalation policy.
//!
//! A policy is walked step by step, `repeat` times over, then its last resort again and again; without
//! a last resort the steps loop. A step that names nobody at this hour, or is not there for this incident, is skipped at
//! once, so the walk never stalls and never ends. For severities that wake everybody, the steps are one.
//!
//! Somebody who is away is skipped where a step names them, and what a step is not there for is believed, as long as the
//! policy names somebody else. Where it does not, that is worth less than that somebody is woken: so a rotation of which all are
//! away wakes whose turn it would be, and one in which it is nobody's turn wakes all of it.

use jiff::{SignedDuration, Timestamp};

use super::command::OFFER_WAIT;
use super::incident::{Escalation, Incident, Phase, Severity};
use super::oncall::{Duty, Roster};
use super::rules::{Policy, Rules, Step, Target, When};

/// Who can be woken: what the configuration says, and what was said since.
#[derive(Clone, Copy, Debug)]
pub struct Staff<'a> {
    /// The configuration.
    pub rules: &'a Rules,
    /// Overrides, leaves and calendars.
    pub roster: &'a Roster,
}

static NOTHING_SAID: Roster = Roster::nothing();

impl<'a> Staff<'a> {
    /// As the configuration alone says it.
    pub fn as_configured(rules: &'a Rules) -> Self {
        Self { rules, roster: &NOTHING_SAID }
    }

    /// The people a list of targets means at an instant: each once, and only people there are. Those who are named themselves
    /// and are away are left out, and so are those of a whole rotation; who is on call knows a rotation itself.
    pub fn present(self, targets: &[Target], now: Timestamp) -> Vec<String> {
        self.named(targets, |target| match target {
            Target::Person(name) if self.roster.is_away(name, now) => Vec::new(),
            Target::Person(name) => vec![name.clone()],
            Target::Rotation(name) => self.on_call(name, now),
            Target::Everybody(name) => self.all_who_are_there(name, now),
        })
    }

    /// The same, whoever is away: where that leaves a rotation to nobody, it is whose turn it would be, and where it leaves a
    /// whole one to nobody, it is all of it.
    pub fn regardless(self, targets: &[Target], now: Timestamp) -> Vec<String> {
        self.named(targets, |target| match target {
            Target::Person(name) => vec![name.clone()],
            Target::Rotation(name) => {
                let there = self.on_call(name, now);
                if there.is_empty() { self.if_all_were_there(name, now) } else { there }
            }
            Target::Everybody(name) => {
                let there = self.all_who_are_there(name, now);
                if there.is_empty() { self.all(name, now) } else { there }
            }
        })
    }

    /// Everybody a list of targets may ever mean: of a rotation, who is on call, who would be if nobody were away, and all
    /// who take turns.
    fn anybody(self, targets: &[Target], now: Timestamp) -> Vec<String> {
        self.named(targets, |target| match target {
            Target::Person(name) => vec![name.clone()],
            Target::Rotation(name) | Target::Everybody(name) => {
                let mut people = self.on_call(name, now);
                people.extend(self.if_all_were_there(name, now));
                people.extend(self.all(name, now));
                people
            }
        })
    }

    /// Who goes along with the rotations of a list of targets, and never has to answer.
    pub fn shadows(self, targets: &[Target], now: Timestamp) -> Vec<String> {
        self.named(targets, |target| match target {
            Target::Person(_) => Vec::new(),
            Target::Rotation(name) => self.duty(name, now).shadows,
            Target::Everybody(name) => {
                let found = self.rules.rotations.get(name).filter(|_| !self.all(name, now).is_empty());
                let shadows = found.into_iter().flat_map(|found| &found.shadows);
                shadows.filter(|shadow| !self.roster.is_away(shadow, now)).cloned().collect()
            }
        })
    }

    /// Everybody who takes turns in a rotation, whoever is on call in it first: they may stand in and take none.
    fn all(self, rotation: &str, now: Timestamp) -> Vec<String> {
        let mut people = self.on_call(rotation, now);
        let found = self.rules.rotations.get(rotation);
        let members = found.map(|found| found.takes_part(rotation, self.roster)).unwrap_or_default();
        people.extend(members.into_iter().map(str::to_owned));
        people
    }

    /// The same without those who are away. Who stands in is there: they said so themselves.
    fn all_who_are_there(self, rotation: &str, now: Timestamp) -> Vec<String> {
        let on_call = self.on_call(rotation, now);
        let mut people = self.all(rotation, now);
        people.retain(|person| on_call.contains(person) || !self.roster.is_away(person, now));
        people
    }

    fn on_call(self, rotation: &str, now: Timestamp) -> Vec<String> {
        let found = self.rules.rotations.get(rotation);
        found.map(|found| found.people_at(rotation, self.roster, now)).unwrap_or_default()
    }

    fn if_all_were_there(self, rotation: &str, now: Timestamp) -> Vec<String> {
        let roster = self.roster.without_leaves();
        Staff { rules: self.rules, roster: &roster }.on_call(rotation, now)
    }

    fn duty(self, rotation: &str, now: Timestamp) -> Duty {
        let found = self.rules.rotations.get(rotation);
        found.map(|found| found.duty(rotation, self.roster, now)).unwrap_or_default()
    }

    fn named(self, targets: &[Target], of: impl Fn(&Target) -> Vec<String>) -> Vec<String> {
        let mut people: Vec<String> = Vec::new();
        for person in targets.iter().flat_map(of) {
            if self.rules.people.contains_key(&person) && !people.contains(&person) {
                people.push(person);
            }
        }
        people
    }
}

/// What of an incident decides whom to wake for it, beside its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// How bad it is.
    pub severity: Severity,
    /// The service that leads.
    pub service: &'a str,
}

impl<'a> Case<'a> {
    /// As an incident is now.
    pub fn of(incident: &'a Incident) -> Self {
        Self { severity: incident.severity, service: incident.leads() }
    }
}

impl When {
    /// Whether a step is there for an incident at an hour.
    pub fn holds(&self, case: Case<'_>, now: Timestamp) -> bool {
        self.is_for(case) && self.hours.as_ref().is_none_or(|open| open.hours.open_at(&open.time_zone, now))
    }

    /// Whether it is there for an incident at some hour.
    pub fn is_for(&self, case: Case<'_>) -> bool {
        (self.severities.is_empty() || self.severities.contains(&case.severity))
            && (self.services.is_empty() || self.services.contains(case.service))
    }
}

impl Policy {
    /// Whether it wakes others for a severity than for another.
    pub fn minds_severity(&self) -> bool {
        !self.everybody.is_empty() || self.steps.iter().any(|step| !step.when.severities.is_empty())
    }

    /// The first instant after this one at which a step may come or go by its hours.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let hours = self.steps.iter().filter_map(|step| step.when.hours.as_ref());
        hours.filter_map(|open| open.hours.next_change(&open.time_zone, after)).min()
    }
}

/// How long the last resort has to answer before it is paged again.
pub const LAST_RESORT_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// How soon a policy that names nobody is asked again.
pub const NOBODY_RETRY: SignedDuration = SignedDuration::from_mins(1);
/// A shorter wait in a policy counts as this much: a page needs time to be read.
pub const WAIT_MIN: SignedDuration = SignedDuration::from_secs(15);
/// Nobody is reminded more often.
pub const REMIND_MIN: SignedDuration = SignedDuration::from_mins(1);
/// Nor so often for one step.
pub const REMINDERS_MAX: u32 = 5;

/// Clocks of one moment differ by no more.
pub const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(1);

/// Whether the hour of an incident lies further ahead than what is waited for. A clock that has been put right since set it,
/// or rules with longer waits; it will not be waited for.
pub fn is_too_far(incident: &Incident, rules: &Rules, now: Timestamp) -> bool {
    let policy = policy_of(incident, rules);
    let (wait, hour) = match &incident.phase {
        // Who was waited for may have said meanwhile that they cannot: the hour stays. It counts before that of a reminder.
        Phase::Triggered { escalation: Some(current), quiet_until: None, held_until: None } => {
            (step_wait(policy, current), Some(current.due))
        }
        Phase::Triggered { escalation: Some(current), .. } => (step_wait(policy, current), None),
        // Other steps may have been there when it was set.
        _ if incident.is_quietly_open() => (longest_step(policy), None),
        _ => (SignedDuration::ZERO, None),
    };
    let latest =
        now.saturating_add(wait.max(wait_of(incident, rules, now)).saturating_add(CLOCKS_DIFFER_MAX));
    let is_late = |due: Timestamp| latest.as_ref().is_ok_and(|latest| due > *latest);
    hour.or(incident.own_due_at()).is_some_and(is_late)
        || is_of_a_tenure_ahead(incident, now)
        || is_to_be_held_too_long(incident, rules, now)
}

/// Whether what goes out by itself does so later than the house said.
fn is_to_be_held_too_long(incident: &Incident, rules: &Rules, now: Timestamp) -> bool {
    // An hour is set anew where there is one beside this.
    let can_be_set = incident.commander().is_some() || incident.own_due_at().is_some();
    let Some(at) = incident.voice.holding_at.filter(|_| can_be_set) else { return false };
    let holding = rules.services.get(incident.leads()).and_then(|service| service.holding.as_ref());
    let after =
        holding.map_or(SignedDuration::ZERO, |holding| holding.after).max(wait_of(incident, rules, now));
    now.saturating_add(after.saturating_add(CLOCKS_DIFFER_MAX)).is_ok_and(|latest| at > latest)
}

/// Whether relief is counted from an hour that has not come.
fn is_of_a_tenure_ahead(incident: &Incident, now: Timestamp) -> bool {
    let since = incident.offices.tenure.as_ref().filter(|_| incident.relief_due().is_some());
    let latest = now.saturating_add(CLOCKS_DIFFER_MAX).unwrap_or(Timestamp::MAX);
    since.is_some_and(|tenure| tenure.since > latest)
}

/// How long an incident waits for what it waits for now.
pub fn wait_of(incident: &Incident, rules: &Rules, now: Timestamp) -> SignedDuration {
    let first = || first_wait(policy_of(incident, rules), Case::of(incident), now);
    match &incident.phase {
        Phase::Triggered { quiet_until: None, escalation: Some(current), .. } => {
            wait(policy_of(incident, rules), current)
        }
        Phase::Triggered { quiet_until: None, held_until: Some(_), .. } if incident.is_quietly_open() => {
            first()
        }
        Phase::Triggered { quiet_until: None, held_until: Some(_), .. } => {
            rules.grouping_of(&incident.service).settle
        }
        Phase::Acknowledged { .. } | Phase::Mitigated { .. } if incident.voice.pio_due.is_some() => {
            rules.pio.answer_after.max(wait_of_command(incident, rules, first))
        }
        Phase::Acknowledged { .. } | Phase::Mitigated { .. } => wait_of_command(incident, rules, first),
        _ if incident.calm_at.is_none() => rules.clocks.self_clear_after,
        _ => quiet_wait(rules),
    }
}

fn wait_of_command(incident: &Incident, rules: &Rules, first: impl Fn() -> SignedDuration) -> SignedDuration {
    match &incident.phase {
        // Whoever sets one anew that is longer than any wait of today would be asked to at once again.
        Phase::Acknowledged { sign: Some(sign), .. } => {
            sign.after.max(OFFER_WAIT).min(longest_wait(rules)).max(first())
        }
        Phase::Acknowledged { calls: Some(calls), .. } => {
            calls.pace.longest().max(OFFER_WAIT).min(longest_wait(rules)).max(first())
        }
        _ => {
            let pace = rules.command.pace.get(&incident.severity);
            pace.map_or(OFFER_WAIT, |pace| pace.receipts.max(OFFER_WAIT))
        }
    }
}

fn policy_of<'a>(incident: &Incident, rules: &'a Rules) -> Option<&'a Policy> {
    rules.policy_of(incident.leads(), incident.severity).map(|(_, policy)| policy)
}

/// How long the first people of a policy have to answer: those of the first step that is there.
pub fn first_wait(policy: Option<&Policy>, case: Case<'_>, now: Timestamp) -> SignedDuration {
    let steps = || policy.into_iter().flat_map(|policy| &policy.steps);
    let first = steps().find(|step| step.when.holds(case, now)).or_else(|| steps().next());
    first.map_or(LAST_RESORT_WAIT, wait_in)
}

/// How long any step of a policy is waited for at most.
fn longest_step(policy: Option<&Policy>) -> SignedDuration {
    let waits = policy.into_iter().flat_map(|policy| &policy.steps).map(wait_in);
    waits.max().unwrap_or(LAST_RESORT_WAIT)
}

fn wait_in(step: &Step) -> SignedDuration {
    step.wait.max(WAIT_MIN)
}

/// The longest that an incident is quiet before it clears itself.
fn quiet_wait(rules: &Rules) -> SignedDuration {
    let flapping = rules.services.values().map(|service| service.flapping).chain([rules.flapping]);
    let calm = flapping.map(|flapping| flapping.calm_after);
    calm.chain([rules.clocks.self_clear_after]).max().unwrap_or(rules.clocks.self_clear_after)
}

/// The longest that anything is waited for under these rules, and a little more: clocks of one moment differ.
pub fn longest_wait(rules: &Rules) -> SignedDuration {
    let steps = rules.policies.values().flat_map(|policy| policy.steps.iter().map(|step| step.wait));
    let signs = rules.clocks.silent_after.values().copied();
    let paces = rules.command.pace.values().map(|pace| pace.longest());
    let others = [OFFER_WAIT, LAST_RESORT_WAIT, NOBODY_RETRY, WAIT_MIN, quiet_wait(rules)];
    steps.chain(signs).chain(paces).chain(others).max().unwrap_or(LAST_RESORT_WAIT) + CLOCKS_DIFFER_MAX
}

/// How far ahead the hour of an incident lies at most, unless somebody promised something for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Of one that nobody has, and of one whose Commander is looked for: the longest wait there is.
    pub waits: SignedDuration,
    /// Of others: relief may be the next thing that anybody is asked for.
    pub asks: SignedDuration,
    /// The severities at which the Commander is looked for.
    pub looked_for: Vec<Severity>,
}

impl Horizon {
    /// Under these rules.
    pub fn of(rules: &Rules) -> Self {
        let waits = longest_wait(rules);
        let reliefs = rules.command.pace.values().map(|pace| pace.relief.max(pace.relief_late));
        let relief = reliefs.max().unwrap_or_default();
        let asks = waits.max(relief.saturating_add(CLOCKS_DIFFER_MAX));
        Self { waits, asks, looked_for: rules.clocks.silent_after.keys().copied().collect() }
    }
}

/// How long the step an escalation stands at is waited for.
pub fn wait(policy: Option<&Policy>, current: &Escalation) -> SignedDuration {
    if current.awaiting.is_empty() {
        return NOBODY_RETRY;
    }
    step_wait(policy, current)
}

fn step_wait(policy: Option<&Policy>, current: &Escalation) -> SignedDuration {
    step_of(policy, current.step).map_or(LAST_RESORT_WAIT, wait_in)
}

fn step_of(policy: Option<&Policy>, step: u32) -> Option<&Step> {
    let index = usize::try_from(step).unwrap_or(usize::MAX);
    policy.and_then(|policy| policy.steps.get(index))
}

/// The next people to wake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// How often the steps have begun anew.
    pub round: u32,
    /// Index of the step, of the first when several are one; the number of steps for the last resort.
    pub step: u32,
    /// Whether the steps ran out.
    pub last_resort: bool,
    /// Whom to wake; never empty.
    pub people: Vec<String>,
    /// Who goes along with them, and is told without having to answer.
    pub shadows: Vec<String>,
    /// When to go on if nobody answers.
    pub due: Timestamp,
    /// When those who have not answered are reminded before that.
    pub reminders: Vec<Timestamp>,
}

/// How much of what keeps people from being woken is believed.
#[derive(Clone, Copy)]
struct Belief {
    /// What a step is there for.
    conditions: bool,
    /// Who is away.
    leave: bool,
    /// Whose turn it is not.
    turns: bool,
}

/// Less and less, until somebody is named.
const BELIEFS: [Belief; 5] = [
    Belief { conditions: true, leave: true, turns: true },
    Belief { conditions: true, leave: false, turns: true },
    Belief { conditions: false, leave: true, turns: true },
    Belief { conditions: false, leave: false, turns: true },
    Belief { conditions: false, leave: false, turns: false },
];

/// A policy as it stands for an incident at an hour.
struct Walk<'a> {
    policy: &'a Policy,
    staff: Staff<'a>,
    now: Timestamp,
    /// What each step names; nothing when it is not there.
    targets: Vec<Vec<Target>>,
    /// Whom each step wakes.
    steps: Vec<Vec<String>>,
    /// Whom the last resort wakes, whoever is away.
    last: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(policy: &'a Policy, staff: Staff<'a>, case: Case<'_>, belief: Belief, now: Timestamp) -> Self {
        let is_there = |step: &Step| !belief.conditions || step.when.holds(case, now);
        let names = |step: &Step| if is_there(step) { step.page.clone() } else { Vec::new() };
        let mut targets: Vec<Vec<Target>> = policy.steps.iter().map(names).collect();
        let wakes = |targets: &Vec<Target>| match belief {
            Belief { turns: false, .. } => staff.anybody(targets, now),
            Belief { leave: false, .. } => staff.regardless(targets, now),
            Belief { leave: true, .. } => staff.present(targets, now),
        };
        if policy.everybody.contains(&case.severity)
            && let Some(first) = targets.iter().position(|targets| !wakes(targets).is_empty())
        {
            let all: Vec<Target> = targets.iter_mut().flat_map(std::mem::take).collect();
            targets[first] = all;
        }
        let steps = targets.iter().map(wakes).collect();
        let last = match belief.turns {
            true => staff.regardless(&policy.last_resort, now),
            false => staff.anybody(&policy.last_resort, now),
        };
        Self { policy, staff, now, targets, steps, last }
    }

    /// The next step that names somebody. `None`: nothing does.
    fn next(&self, current: Option<&Escalation>) -> Option<Move> {
        let mut at = current.map(|current| (current.round, current.step));
        let all = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        if self.steps.iter().all(Vec::is_empty) {
            // Nobody is found by going through them round after round.
            let round = at.map_or(0, |(round, step)| round.saturating_add(u32::from(step >= all)));
            return self.last_resort(round);
        }
        // One whole round and the last resort are enough to meet every step once.
        for _ in 0..all.saturating_add(2) {
            let (round, step) = self.after(all, at);
            if step >= all {
                return self.last_resort(round);
            }
            let index = usize::try_from(step).ok()?;
            let people = self.steps.get(index)?;
            if !people.is_empty() {
                let (step_of, targets) = (self.policy.steps.get(index)?, self.targets.get(index)?);
                let shadows = self.staff.shadows(targets, self.now);
                let (due, reminders) = self.hours(wait_in(step_of), step_of.remind);
                let people = people.clone();
                return Some(Move { round, step, last_resort: false, people, shadows, due, reminders });
            }
            at = Some((round, step));
        }
        None
    }

    /// What comes after a step, whoever that wakes. The last resort is only come to when it wakes somebody.
    fn after(&self, all: u32, at: Option<(u32, u32)>) -> (u32, u32) {
        let Some((round, step)) = at else { return (0, 0) };
        if step.saturating_add(1) < all {
            return (round, step + 1);
        }
        let ran_out = round >= self.policy.repeat || step >= all;
        if ran_out && !self.last.is_empty() {
            return (round.saturating_add(u32::from(step >= all)), all);
        }
        (round.saturating_add(1), 0)
    }

    fn last_resort(&self, round: u32) -> Option<Move> {
        let shadows = self.staff.shadows(&self.policy.last_resort, self.now);
        let step = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let people = self.last.clone();
        let (due, reminders) = self.hours(LAST_RESORT_WAIT, self.policy.remind);
        (!people.is_empty()).then_some(Move {
            round,
            step,
            last_resort: true,
            people,
            shadows,
            due,
            reminders,
        })
    }

    /// Until when those are waited for who are woken now, and when they are reminded.
    fn hours(&self, wait: SignedDuration, remind: Option<SignedDuration>) -> (Timestamp, Vec<Timestamp>) {
        let due = self.now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let every = remind.map(|every| every.max(REMIND_MIN));
        let next = |at: &Timestamp| at.checked_add(every?).ok();
        let hours = std::iter::successors(next(&self.now), next).take_while(|hour| *hour < due);
        (due, hours.take(usize::try_from(REMINDERS_MAX).unwrap_or(usize::MAX)).collect())
    }
}

/// The next step that names somebody, after `current` (or the first). Where nobody has a turn and nobody else is named, all
/// are woken who take turns. `None` when the policy names nobody at all.
pub fn next(
    policy: &Policy,
    staff: Staff<'_>,
    case: Case<'_>,
    current: Option<&Escalation>,
    now: Timestamp,
) -> Option<Move> {
    BELIEFS.into_iter().find_map(|belief| Walk::new(policy, staff, case, belief, now).next(current))
}

/// The same, but for a time in which nobody has a turn: what is planned, of which it is told that it finds nobody on call.
pub fn planned(
    policy: &Policy,
    staff: Staff<'_>,
    case: Case<'_>,
    current: Option<&Escalation>,
    now: Timestamp,
) -> Option<Move> {
    let mut beliefs = BELIEFS.into_iter().filter(|belief| belief.turns);
    beliefs.find_map(|belief| Walk::new(policy, staff, case, belief, now).next(current))
}

/// The last resort of a policy, if it names somebody at this hour, out of its turn.
pub fn last_resort(
    policy: &Policy,
    staff: Staff<'_>,
    case: Case<'_>,
    round: u32,
    now: Timestamp,
) -> Option<Move> {
    Walk::new(policy, staff, case, BELIEFS[0], now).last_resort(round)
}

/// Everybody the steps of a policy name at this hour, in their order.
pub fn everybody(policy: &Policy, staff: Staff<'_>, case: Case<'_>, now: Timestamp) -> Vec<String> {
    let there = policy.steps.iter().filter(|step| step.when.holds(case, now));
    let targets: Vec<Target> = there.flat_map(|step| step.page.iter().cloned()).collect();
    staff.present(&targets, now)
}

/// Whom each step of a policy that is there wakes at this hour, and then its last resort.
pub fn in_order(policy: &Policy, staff: Staff<'_>, case: Case<'_>, now: Timestamp) -> Vec<Vec<String>> {
    let Walk { mut steps, last, .. } = Walk::new(policy, staff, case, BELIEFS[0], now);
    steps.push(last);
    steps
}

/// Everybody a policy names at all: also who is away, in steps that are not there, and whose turn it is not.
pub fn whoever(policy: &Policy, staff: Staff<'_>, now: Timestamp) -> Vec<String> {
    let targets: Vec<Target> = policy.targets().cloned().collect();
    staff.anybody(&targets, now)
}

/// The step that an escalation stands at, once more, for other people: those of it are out of reach.
pub fn instead(policy: Option<&Policy>, current: &Escalation, people: Vec<String>, now: Timestamp) -> Move {
    let Escalation { round, step, .. } = *current;
    let due = now.saturating_add(step_wait(policy, current)).unwrap_or(Timestamp::MAX);
    let last_resort = step_of(policy, step).is_none();
    Move { round, step, last_resort, people, shadows: Vec::new(), due, reminders: Vec::new() }
}

/// Who is told by a page of an incident and need not answer, once so many steps were not answered.
pub fn watchers(policy: &Policy, staff: Staff<'_>, severity: Severity, now: Timestamp) -> Vec<String> {
    match policy.watch.severities.contains(&severity) {
        true => staff.present(&policy.watch.who, now),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::rules::{Person, Step};
    use super::*;

    const CASE: Case<'_> = Case { severity: Severity::Sev1, service: "shop" };

    fn rules(names: &[&str]) -> Rules {
        let person = |name: &&str| {
            ((*name).to_owned(), Person { email: format!("{name}@example.net"), ..Person::default() })
        };
        Rules { people: names.iter().map(person).collect::<BTreeMap<_, _>>(), ..Rules::default() }
    }

    fn step(names: &[&str]) -> Step {
        let page = names.iter().map(|name| Target::Person((*name).into())).collect();
        Step { page, wait: SignedDuration::from_mins(5), ..Step::default() }
    }

    fn walk(policy: &Policy, rules: &Rules, count: usize) -> Vec<String> {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut current = None;
        let mut seen = Vec::new();
        for _ in 0..count {
            let Some(found) = next(policy, Staff::as_configured(rules), CASE, current.as_ref(), now) else {
                seen.push("nobody".into());
                break;
            };
            seen.push(format!("{}/{} {}", found.round, found.step, found.people.join("+")));
            now = found.due;
            current = Some(Escalation {
                round: found.round,
                step: found.step,
                awaiting: found.people,
                due: found.due,
                reminders: found.reminders,
            });
        }
        seen
    }

    #[test]
    fn steps_then_rounds_then_the_last_resort_for_ever() {
        let last_resort = vec![Target::Person("cto".into())];
        let policy = Policy {
            steps: vec![step(&["maya"]), step(&["tom", "maya", "tom"])],
            repeat: 1,
            last_resort,
            ..Policy::default()
        };
        let seen = walk(&policy, &rules(&["maya", "tom", "cto"]), 7);
        assert_eq!(
            seen,
            ["0/0 maya", "0/1 tom+maya", "1/0 maya", "1/1 tom+maya", "1/2 cto", "2/2 cto", "3/2 cto"]
        );
    }

    #[test]
    fn without_a_last_resort_the_steps_loop() {
        let policy =
            Policy { steps: vec![step(&["maya"])], repeat: 0, last_resort: vec![], ..Policy::default() };
        assert_eq!(walk(&policy, &rules(&["maya"]), 3), ["0/0 maya", "1/0 maya", "2/0 maya"]);
    }

    #[test]
    fn an_empty_step_is_skipped_at_once_and_a_person_who_left_is_not_paged() {
        let policy = Policy {
            steps: vec![step(&["gone"]), step(&[]), step(&["tom"])],
            repeat: 0,
            last_resort: vec![],
            ..Policy::default()
        };
        assert_eq!(walk(&policy, &rules(&["tom"]), 2), ["0/2 tom", "1/2 tom"]);
    }

    #[test]
    fn rounds_of_nobody_are_not_walked_and_a_last_resort_of_nobody_is_none() {
        let to = |name: &str| vec![Target::Person(name.into())];
        let nobody_but =
            Policy { steps: vec![step(&["gone"])], repeat: 3, last_resort: to("cto"), ..Policy::default() };
        assert_eq!(walk(&nobody_but, &rules(&["cto"]), 2), ["0/1 cto", "1/1 cto"]);
        let mut steps = Policy {
            steps: vec![step(&["gone"]), step(&["tom"])],
            repeat: 0,
            last_resort: to("gone"),
            ..Policy::default()
        };
        assert_eq!(walk(&steps, &rules(&["tom"]), 3), ["0/1 tom", "1/1 tom", "2/1 tom"]);
        // It stands at a last resort that has gone since.
        steps.repeat = 5;
        let current = Escalation {
            round: 6,
            step: 2,
            awaiting: vec!["gone".into()],
            due: Timestamp::UNIX_EPOCH,
            reminders: Vec::new(),
        };
        let house = rules(&["tom"]);
        let found =
            next(&steps, Staff::as_configured(&house), CASE, Some(&current), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((found.people, found.last_resort), (vec!["tom".to_owned()], false));
    }

    #[test]
    fn a_policy_that_names_nobody_says_so() {
        let policy =
            Policy { steps: vec![step(&["gone"])], repeat: 3, last_resort: vec![], ..Policy::default() };
        assert_eq!(walk(&policy, &rules(&[]), 2), ["nobody"]);
    }
}
