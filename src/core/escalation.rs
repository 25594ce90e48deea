//! Whom to wake, and when: the walk through an escalation policy.
//!
//! A policy is walked step by step, `repeat` times over, then its last resort again and again; without
//! a last resort the steps loop. A step that names nobody at this hour is skipped at once, so the walk
//! never stalls and never ends.

use jiff::{SignedDuration, Timestamp};

use super::incident::{Escalation, Incident, Phase};
use super::oncall::Roster;
use super::rules::{Policy, Rules, Target};

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

    /// The people a list of targets means at an instant: each once, and only people there are.
    pub fn people(self, targets: &[Target], now: Timestamp) -> Vec<String> {
        let mut people: Vec<String> = Vec::new();
        for target in targets {
            let found = match target {
                Target::Person(name) => vec![name.clone()],
                Target::Rotation(name) => {
                    let rotation = self.rules.rotations.get(name);
                    rotation.map(|rotation| rotation.people_at(name, self.roster, now)).unwrap_or_default()
                }
            };
            for person in found {
                if self.rules.people.contains_key(&person) && !people.contains(&person) {
                    people.push(person);
                }
            }
        }
        people
    }
}

/// How long the last resort has to answer before it is paged again.
pub const LAST_RESORT_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// How soon a policy that names nobody is asked again.
pub const NOBODY_RETRY: SignedDuration = SignedDuration::from_mins(1);
/// A shorter wait in a policy counts as this much: a page needs time to be read.
pub const WAIT_MIN: SignedDuration = SignedDuration::from_secs(15);

/// Clocks of one moment differ by no more.
pub const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(1);

/// Whether the hour of an incident lies further ahead than what is waited for. A clock that has been put right since set it,
/// or rules with longer waits; it will not be waited for.
pub fn is_too_far(incident: &Incident, rules: &Rules, now: Timestamp) -> bool {
    // Who was waited for may have said meanwhile that they cannot: the hour stays.
    let wait = wait_of(incident, rules).max(match &incident.phase {
        Phase::Triggered { escalation: Some(current), .. } => step_wait(policy_of(incident, rules), current),
        _ => SignedDuration::ZERO,
    });
    let latest = now.saturating_add(wait.saturating_add(CLOCKS_DIFFER_MAX));
    incident.due_at().zip(latest.ok()).is_some_and(|(due, latest)| due > latest)
}

/// How long an incident waits for what it waits for now.
pub fn wait_of(incident: &Incident, rules: &Rules) -> SignedDuration {
    match &incident.phase {
        Phase::Triggered { quiet_until: None, escalation: Some(current), .. } => {
            wait(policy_of(incident, rules), current)
        }
        Phase::Triggered { quiet_until: None, held_until: Some(_), .. } if incident.is_quietly_open() => {
            first_wait(policy_of(incident, rules))
        }
        Phase::Triggered { quiet_until: None, held_until: Some(_), .. } => {
            rules.grouping_of(&incident.service).settle
        }
        _ if incident.calm_at.is_none() => rules.clocks.self_clear_after,
        _ => quiet_wait(rules),
    }
}

fn policy_of<'a>(incident: &Incident, rules: &'a Rules) -> Option<&'a Policy> {
    rules.policy_of(incident.leads(), incident.severity).map(|(_, policy)| policy)
}

/// How long the first people of a policy have to answer.
pub fn first_wait(policy: Option<&Policy>) -> SignedDuration {
    let first = policy.and_then(|policy| policy.steps.first());
    first.map_or(LAST_RESORT_WAIT, |first| first.wait.max(WAIT_MIN))
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
    let others = [LAST_RESORT_WAIT, NOBODY_RETRY, WAIT_MIN, quiet_wait(rules)];
    steps.chain(others).max().unwrap_or(LAST_RESORT_WAIT) + CLOCKS_DIFFER_MAX
}

/// How long the step an escalation stands at is waited for.
pub fn wait(policy: Option<&Policy>, current: &Escalation) -> SignedDuration {
    if current.awaiting.is_empty() {
        return NOBODY_RETRY;
    }
    step_wait(policy, current)
}

fn step_wait(policy: Option<&Policy>, current: &Escalation) -> SignedDuration {
    let index = usize::try_from(current.step).unwrap_or(usize::MAX);
    let step = policy.and_then(|policy| policy.steps.get(index));
    step.map_or(LAST_RESORT_WAIT, |step| step.wait.max(WAIT_MIN))
}

/// The next people to wake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// How often the steps have begun anew.
    pub round: u32,
    /// Index of the step; the number of steps for the last resort.
    pub step: u32,
    /// Whether the steps ran out.
    pub last_resort: bool,
    /// Whom to wake; never empty.
    pub people: Vec<String>,
    /// When to go on if nobody answers.
    pub due: Timestamp,
}

/// The next step that names somebody, after `current` (or the first). `None` when the policy names
/// nobody at all at this hour.
pub fn next(policy: &Policy, staff: Staff<'_>, current: Option<&Escalation>, now: Timestamp) -> Option<Move> {
    let steps = u32::try_from(policy.steps.len()).unwrap_or(u32::MAX);
    let mut at = current.map(|current| (current.round, current.step));
    // One whole round and the last resort are enough to meet every target once.
    for _ in 0..steps.saturating_add(2) {
        let (round, step) = after(policy, steps, at);
        at = Some((round, step));
        let last_resort = step >= steps;
        let (targets, wait) = if last_resort {
            (&policy.last_resort, LAST_RESORT_WAIT)
        } else {
            let step = policy.steps.get(usize::try_from(step).ok()?)?;
            (&step.page, step.wait.max(WAIT_MIN))
        };
        let people = staff.people(targets, now);
        if !people.is_empty() {
            let due = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
            return Some(Move { round, step, last_resort, people, due });
        }
    }
    // Nobody is waited for who is not there: rounds that name nobody are over, and a last resort that does is none.
    let round = current.map_or(0, |current| current.round);
    last_resort(policy, staff, round, now).or_else(|| {
        let steps = policy.steps.iter().enumerate();
        steps.map(|(index, step)| (index, step, staff.people(&step.page, now))).find_map(
            |(index, step, people)| {
                let due = now.saturating_add(step.wait.max(WAIT_MIN)).unwrap_or(Timestamp::MAX);
                let (round, step) = (round.saturating_add(1), u32::try_from(index).ok()?);
                (!people.is_empty()).then_some(Move { round, step, last_resort: false, people, due })
            },
        )
    })
}

/// The last resort of a policy, if it names somebody at this hour, out of its turn.
pub fn last_resort(policy: &Policy, staff: Staff<'_>, round: u32, now: Timestamp) -> Option<Move> {
    let people = staff.people(&policy.last_resort, now);
    let step = u32::try_from(policy.steps.len()).unwrap_or(u32::MAX);
    let due = now.saturating_add(LAST_RESORT_WAIT).unwrap_or(Timestamp::MAX);
    (!people.is_empty()).then_some(Move { round, step, last_resort: true, people, due })
}

/// Everybody the steps of a policy name at this hour, in their order.
pub fn everybody(policy: &Policy, staff: Staff<'_>, now: Timestamp) -> Vec<String> {
    let targets: Vec<Target> = policy.steps.iter().flat_map(|step| step.page.iter().cloned()).collect();
    staff.people(&targets, now)
}

fn after(policy: &Policy, steps: u32, at: Option<(u32, u32)>) -> (u32, u32) {
    let Some((round, step)) = at else { return (0, 0) };
    if step.saturating_add(1) < steps {
        return (round, step + 1);
    }
    let ran_out = round >= policy.repeat || step >= steps;
    if ran_out && !policy.last_resort.is_empty() {
        return (round.saturating_add(u32::from(step >= steps)), steps);
    }
    (round.saturating_add(1), 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::rules::{Person, Step};
    use super::*;

    fn rules(names: &[&str]) -> Rules {
        let person = |name: &&str| {
            (
                (*name).to_owned(),
                Person {
                    full_name: String::new(),
                    email: format!("{name}@example.net"),
                    time_zone: jiff::tz::TimeZone::UTC,
                    administrator: false,
                },
            )
        };
        Rules { people: names.iter().map(person).collect::<BTreeMap<_, _>>(), ..Rules::default() }
    }

    fn step(names: &[&str]) -> Step {
        let page = names.iter().map(|name| Target::Person((*name).into())).collect();
        Step { page, wait: SignedDuration::from_mins(5) }
    }

    fn walk(policy: &Policy, rules: &Rules, count: usize) -> Vec<String> {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut current = None;
        let mut seen = Vec::new();
        for _ in 0..count {
            let Some(found) = next(policy, Staff::as_configured(rules), current.as_ref(), now) else {
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
            });
        }
        seen
    }

    #[test]
    fn steps_then_rounds_then_the_last_resort_for_ever() {
        let last_resort = vec![Target::Person("cto".into())];
        let policy =
            Policy { steps: vec![step(&["maya"]), step(&["tom", "maya", "tom"])], repeat: 1, last_resort };
        let seen = walk(&policy, &rules(&["maya", "tom", "cto"]), 7);
        assert_eq!(
            seen,
            ["0/0 maya", "0/1 tom+maya", "1/0 maya", "1/1 tom+maya", "1/2 cto", "2/2 cto", "3/2 cto"]
        );
    }

    #[test]
    fn without_a_last_resort_the_steps_loop() {
        let policy = Policy { steps: vec![step(&["maya"])], repeat: 0, last_resort: vec![] };
        assert_eq!(walk(&policy, &rules(&["maya"]), 3), ["0/0 maya", "1/0 maya", "2/0 maya"]);
    }

    #[test]
    fn an_empty_step_is_skipped_at_once_and_a_person_who_left_is_not_paged() {
        let policy = Policy {
            steps: vec![step(&["gone"]), step(&[]), step(&["tom"])],
            repeat: 0,
            last_resort: vec![],
        };
        assert_eq!(walk(&policy, &rules(&["tom"]), 2), ["0/2 tom", "1/2 tom"]);
    }

    #[test]
    fn rounds_of_nobody_are_not_walked_and_a_last_resort_of_nobody_is_none() {
        let to = |name: &str| vec![Target::Person(name.into())];
        let nobody_but = Policy { steps: vec![step(&["gone"])], repeat: 3, last_resort: to("cto") };
        assert_eq!(walk(&nobody_but, &rules(&["cto"]), 2), ["0/1 cto", "1/1 cto"]);
        let mut steps =
            Policy { steps: vec![step(&["gone"]), step(&["tom"])], repeat: 0, last_resort: to("gone") };
        assert_eq!(walk(&steps, &rules(&["tom"]), 3), ["0/1 tom", "1/1 tom", "2/1 tom"]);
        // It stands at a last resort that has gone since.
        steps.repeat = 5;
        let current =
            Escalation { round: 6, step: 2, awaiting: vec!["gone".into()], due: Timestamp::UNIX_EPOCH };
        let house = rules(&["tom"]);
        let found =
            next(&steps, Staff::as_configured(&house), Some(&current), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((found.people, found.last_resort), (vec!["tom".to_owned()], false));
    }

    #[test]
    fn a_policy_that_names_nobody_says_so() {
        let policy = Policy { steps: vec![step(&["gone"])], repeat: 3, last_resort: vec![] };
        assert_eq!(walk(&policy, &rules(&[]), 2), ["nobody"]);
    }
}
