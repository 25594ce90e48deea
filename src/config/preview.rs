//! Who would be woken when: what `onscene check` prints.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::core::delivery_drill;
use crate::core::escalation::{self, Case, Staff};
use crate::core::incident::{Escalation, Severity};
use crate::core::maintenance::Window;
use crate::core::oncall::Roster;
use crate::core::rules::{Policy, Rules, Service, Target};

/// Minutes after an incident opens at which people are named.
const AFTER_MIN: [i64; 3] = [0, 5, 10];
/// Most times of one window that are shown.
const TIMES_MAX: usize = 200;
/// Most times of a service and a rotation that are shown to people; programs get all.
const SPANS_SHOWN_MAX: usize = 30;
/// Most shifts of a rotation: those of an hour, for longer than anybody looks ahead.
const SHIFTS_MAX: usize = 10_000;

/// A time in which the same people would be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub from: Timestamp,
    /// Until, not included.
    pub until: Timestamp,
    /// Who is woken at once, after five and after ten minutes.
    pub woken: [Vec<String>; 3],
}

/// Who an incident that opens at any time would wake, if nobody answers: spans that follow one another without a hole, with
/// the instants at which any of it changes. Some of them are short: who opens an incident minutes before a hand-over wakes with
/// a later step who is on call then.
pub fn preview(
    staff: Staff<'_>,
    policy: &Policy,
    case: Case<'_>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = from;
    while at < until {
        let (woken, change) = woken(staff, policy, case, at);
        let next = change.min(until);
        match spans.last_mut() {
            Some(last) if last.woken == woken => last.until = next,
            _ => spans.push(Span { from: at, until: next, woken }),
        }
        at = next;
    }
    spans
}

/// The rotations that a policy names, each once.
pub(super) fn rotations(policy: &Policy) -> BTreeSet<&str> {
    policy.targets().filter_map(Target::rotation).collect()
}

/// The first instant after this one at which a policy may name other people.
pub(super) fn next_change(staff: Staff<'_>, policy: &Policy, at: Timestamp) -> Timestamp {
    let ends = rotations(policy).into_iter().filter_map(|name| {
        let rotation = staff.rules.rotations.get(name)?;
        Some(rotation.duty(name, staff.roster, at).until)
    });
    // Who is named and away is skipped, and steps have hours.
    let said = staff.roster.next_change(at);
    ends.chain(said).chain(policy.next_change(at)).min().unwrap_or(Timestamp::MAX)
}

/// Who would be woken, and until when an incident that opens later would wake the same.
fn woken(
    staff: Staff<'_>,
    policy: &Policy,
    case: Case<'_>,
    opened: Timestamp,
) -> ([Vec<String>; 3], Timestamp) {
    let mut found: [Vec<String>; 3] = Default::default();
    let (mut now, mut current) = (opened, None::<Escalation>);
    let mut until = Timestamp::MAX;
    let last = opened.saturating_add(SignedDuration::from_mins(AFTER_MIN[2])).unwrap_or(opened);
    while now <= last {
        // What is asked minutes after the incident has opened is otherwise for one that opens so many minutes before a change.
        let later = now.duration_since(opened);
        let change = next_change(staff, policy, now).checked_sub(later).unwrap_or(Timestamp::MAX);
        until = until.min(change);
        let Some(step) = escalation::planned(policy, staff, case, current.as_ref(), now) else {
            break;
        };
        let minutes = later.as_mins();
        // A step belongs to the last of the three hours that it does not come before.
        if let Some(slot) = AFTER_MIN.iter().rposition(|after| minutes >= *after) {
            for person in &step.people {
                if !found[slot].contains(person) {
                    found[slot].push(person.clone());
                }
            }
        }
        now = step.due;
        let escalation::Move { round, step, people: awaiting, due, reminders, .. } = step;
        current = Some(Escalation { round, step, awaiting, due, reminders });
    }
    (found, until)
}

/// The policies of a service, each with the severities of the incidents it serves.
pub(super) fn policies(service: &Service) -> Vec<(Vec<Severity>, &str)> {
    let mut found: Vec<(Vec<Severity>, &str)> = Vec::new();
    for severity in Severity::ALL {
        let policy = service.policy_at(severity);
        match found.iter_mut().find(|(_, other)| *other == policy) {
            Some((severities, _)) => severities.push(severity),
            None => found.push((vec![severity], policy)),
        }
    }
    found
}

/// Who is woken by a policy of a service, for incidents of these severities.
struct Served<'a> {
    severities: Vec<Severity>,
    name: &'a str,
    policy: &'a Policy,
    spans: Vec<Span>,
}

/// Who is woken for a service. Severities of one policy stand together as long as it wakes the same people for them.
fn served<'a>(
    staff: Staff<'a>,
    service: (&'a str, &'a Service),
    from: Timestamp,
    until: Timestamp,
) -> Vec<Served<'a>> {
    let mut found: Vec<Served<'a>> = Vec::new();
    for (severities, name) in policies(service.1) {
        let Some(policy) = staff.rules.policies.get(name) else { continue };
        let spans = |severity| preview(staff, policy, Case { severity, service: service.0 }, from, until);
        if !policy.minds_severity() {
            let spans = severities.first().copied().map(spans).unwrap_or_default();
            found.push(Served { severities, name, policy, spans });
            continue;
        }
        for severity in severities {
            let spans = spans(severity);
            match found.iter_mut().find(|one| one.name == name && one.spans == spans) {
                Some(one) => one.severities.push(severity),
                None => found.push(Served { severities: vec![severity], name, policy, spans }),
            }
        }
    }
    found
}

/// The same for programs: by service and severity, the policy and the times, each with those who are woken at once, after five
/// and after ten minutes.
pub fn as_json(staff: Staff<'_>, from: Timestamp, until: Timestamp) -> Value {
    let rules = staff.rules;
    let services = rules.services.iter().map(|(name, service)| {
        let served = served(staff, (name, service), from, until).into_iter().map(|one| {
            let severities: Vec<&str> = one.severities.into_iter().map(Severity::as_str).collect();
            let spans = one.spans.into_iter();
            let spans: Vec<Value> = spans
                .map(|span| json!({"from": span.from, "until": span.until, "woken": span.woken}))
                .collect();
            json!({"severities": severities, "policy": one.name, "spans": spans})
        });
        (name.clone(), served.collect())
    });
    Value::Object(services.collect())
}

/// The same as a table for people, each service in the time zone of the first rotation its policy names. What changes for some
/// minutes only, before a hand-over, is left out, and so is what is too much to read.
pub fn render(staff: Staff<'_>, from: Timestamp, until: Timestamp) -> String {
    let rules = staff.rules;
    let mut text = String::new();
    for (name, service) in &rules.services {
        let served = served(staff, (name, service), from, until);
        let several = served.len() > 1;
        for Served { severities, name: policy_name, policy, spans } in served {
            let zone = zone(rules, policy);
            let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
            let which = if several { format!(", {}", words(&severities)) } else { String::new() };
            text.push_str(&format!("service {name}{which}, policy {policy_name} (hours of {zone_name}):\n"));
            let lines = readable(spans).into_iter().map(|span| {
                let mut line = String::new();
                for (after, people) in AFTER_MIN.iter().zip(&span.woken) {
                    let people = if people.is_empty() { "-".to_owned() } else { people.join(", ") };
                    line.push_str(&format!("  +{after} min {people}"));
                }
                (span.from, span.until, line)
            });
            text.push_str(&table(lines.collect(), &zone));
        }
    }
    text
}

/// Who is on call in each rotation, for programs: all of it, a gap being a time without people.
pub fn rotations_as_json(staff: Staff<'_>, from: Timestamp, until: Timestamp) -> Value {
    let each = staff.rules.rotations.iter().map(|(name, rotation)| {
        let shifts = rotation.shifts(name, staff.roster, from, until, SHIFTS_MAX);
        let shifts = shifts
            .into_iter()
            .map(|shift| json!({"from": shift.from, "until": shift.until, "people": shift.people}));
        (name.clone(), shifts.collect())
    });
    Value::Object(each.collect())
}

/// Lines of times, as many as can be read.
fn table(lines: Vec<(Timestamp, Timestamp, String)>, zone: &TimeZone) -> String {
    let mut text = String::new();
    for (from, until, line) in lines.iter().take(SPANS_SHOWN_MAX) {
        text.push_str(&format!("  {} to {}:{line}\n", hour(*from, zone), hour(*until, zone)));
    }
    if let Some((_, until, _)) = lines.last().filter(|_| lines.len() > SPANS_SHOWN_MAX) {
        let more = lines.len() - SPANS_SHOWN_MAX;
        text.push_str(&format!("  and {more} more until {}: --json shows all\n", hour(*until, zone)));
    }
    text
}

fn hour(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// Spans without the minutes before a hand-over, in which the first to be woken are those of before.
fn readable(spans: Vec<Span>) -> Vec<Span> {
    let short = SignedDuration::from_mins(AFTER_MIN[2]);
    let mut shown: Vec<Span> = Vec::new();
    for span in spans {
        let is_short = span.until.duration_since(span.from) <= short;
        match shown.last_mut() {
            Some(last) if last.woken == span.woken || (is_short && last.woken[0] == span.woken[0]) => {
                last.until = span.until;
            }
            _ => shown.push(span),
        }
    }
    shown
}

/// Severities in words: `SEV1 to SEV3`, or `SEV1, SEV4`.
pub(super) fn words(severities: &[Severity]) -> String {
    let at = |severity: &Severity| Severity::ALL.iter().position(|other| other == severity).unwrap_or(0);
    let in_a_row = severities.windows(2).all(|two| at(&two[1]) == at(&two[0]) + 1);
    match severities {
        [first, .., last] if in_a_row && severities.len() > 2 => {
            format!("{} to {}", first.as_str(), last.as_str())
        }
        _ => severities.iter().map(|severity| severity.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// When the windows are open, for programs.
pub fn maintenance_as_json(windows: &[Window], from: Timestamp, until: Timestamp) -> Value {
    let shown = windows.iter().map(|window| {
        let times: Vec<Value> = window
            .between(from, until, TIMES_MAX)
            .into_iter()
            .map(|open| json!({"from": open.from, "until": open.until}))
            .collect();
        json!({"name": window.name, "services": window.services, "comment": window.comment, "times": times})
    });
    shown.collect()
}

/// When the windows are open, for people, each in its own time zone.
pub fn maintenance(windows: &[Window], from: Timestamp, until: Timestamp) -> String {
    let mut text = String::new();
    for window in windows {
        let services: Vec<&str> = window.services.iter().map(String::as_str).collect();
        let zone = window.time_zone.iana_name().unwrap_or("UTC");
        let hour = |at: Timestamp| hour(at, &window.time_zone);
        text.push_str(&format!(
            "maintenance {}, of {} (hours of {zone}):\n",
            window.name,
            services.join(", ")
        ));
        let times = window.between(from, until, TIMES_MAX);
        if times.is_empty() {
            text.push_str("  not in this time\n");
        }
        for open in &times {
            text.push_str(&format!("  {} to {}\n", hour(open.from), hour(open.until)));
        }
        if times.len() == TIMES_MAX {
            text.push_str("  and more\n");
        }
    }
    text
}

/// The next delivery drill and who takes part, for programs; null when there is none.
pub fn drill_as_json(rules: &Rules, roster: &Roster, now: Timestamp) -> Value {
    let Some(plan) = &rules.delivery_drill else { return Value::Null };
    let next = plan.next(rules, roster, &BTreeSet::new(), now);
    json!({
        "next": next.map(|next| next.at),
        "time_zone": plan.time_zone.as_ref().and_then(TimeZone::iana_name),
        "answer_within_s": plan.answer_within.as_secs(),
        "people": delivery_drill::people(plan, rules, roster),
    })
}

/// The next delivery drill and who takes part, for people.
pub fn drill(rules: &Rules, roster: &Roster, now: Timestamp) -> String {
    let Some(plan) = &rules.delivery_drill else { return String::new() };
    let people = delivery_drill::people(plan, rules, roster);
    let Some(next) = plan.next(rules, roster, &BTreeSet::new(), now) else {
        return "delivery drill: nobody takes part\n".to_owned();
    };
    let zone = plan.time_zone.clone().unwrap_or(TimeZone::UTC);
    let whose = match &plan.time_zone {
        Some(zone) => format!("hours of {}", zone.iana_name().unwrap_or("UTC")),
        None => "the first of them; each at that hour of their own clock; hours of UTC".to_owned(),
    };
    let awaited = plan.answer_within;
    format!(
        "delivery drill ({whose}):\n  next {}, answers are awaited for {awaited:#}\n  {}\n",
        hour(next.at, &zone),
        people.join(", ")
    )
}

/// The zone in which people speak of a policy: of the first rotation it names.
pub(super) fn zone(rules: &Rules, policy: &Policy) -> TimeZone {
    let targets = policy.steps.iter().flat_map(|step| &step.page);
    let rotations = targets.filter_map(|target| rules.rotations.get(target.rotation()?));
    rotations.map(|rotation| rotation.time_zone.clone()).next().unwrap_or(TimeZone::UTC)
}
