//! Who would be woken when: what `onscene check` prints.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::core::escalation::{self, Staff};
use crate::core::incident::Escalation;
use crate::core::maintenance::Window;
use crate::core::rules::{Policy, Rules, Target};

/// Minutes after an incident opens at which people are named.
const AFTER_MIN: [i64; 3] = [0, 5, 10];
/// Most times of one window that are shown.
const TIMES_MAX: usize = 200;

/// A time in which the same people would be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub from: Timestamp,
    /// Until.
    pub until: Timestamp,
    /// Who is woken at once, after five and after ten minutes.
    pub woken: [Vec<String>; 3],
}

/// Who an incident that opens at any time would wake, if nobody answers. A span ends where a rotation of the policy is
/// handed over; who opens an incident minutes before that wakes the next one with a later step.
pub fn preview(staff: Staff<'_>, policy: &Policy, from: Timestamp, until: Timestamp) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = from;
    while at < until {
        let next = hand_over(staff, policy, at).min(until);
        let woken = woken(staff, policy, at);
        match spans.last_mut() {
            Some(last) if last.woken == woken => last.until = next,
            _ => spans.push(Span { from: at, until: next, woken }),
        }
        at = next;
    }
    spans
}

/// The first hand-over after an instant in any rotation a policy names.
fn hand_over(staff: Staff<'_>, policy: &Policy, at: Timestamp) -> Timestamp {
    let steps = policy.steps.iter().flat_map(|step| &step.page);
    let ends = steps.chain(&policy.last_resort).filter_map(|target| match target {
        Target::Rotation(name) => {
            staff.rules.rotations.get(name).map(|rotation| rotation.duty(name, staff.roster, at).until)
        }
        Target::Person(_) => None,
    });
    ends.filter(|end| *end > at).min().unwrap_or(Timestamp::MAX)
}

fn woken(staff: Staff<'_>, policy: &Policy, opened: Timestamp) -> [Vec<String>; 3] {
    let mut found: [Vec<String>; 3] = Default::default();
    let (mut now, mut current) = (opened, None::<Escalation>);
    let last = opened.saturating_add(SignedDuration::from_mins(AFTER_MIN[2])).unwrap_or(opened);
    while now <= last {
        let Some(step) = escalation::next(policy, staff, current.as_ref(), now) else {
            break;
        };
        let minutes = now.duration_since(opened).as_mins();
        // A step belongs to the last of the three hours that it does not come before.
        if let Some(slot) = AFTER_MIN.iter().rposition(|after| minutes >= *after) {
            for person in &step.people {
                if !found[slot].contains(person) {
                    found[slot].push(person.clone());
                }
            }
        }
        now = step.due;
        current =
            Some(Escalation { round: step.round, step: step.step, awaiting: step.people, due: step.due });
    }
    found
}

/// The same for programs: by service, its policy and the times, each with those who are woken at once, after five
/// and after ten minutes.
pub fn as_json(rules: &Rules, from: Timestamp, until: Timestamp) -> Value {
    let services = rules.services.iter().filter_map(|(name, service)| {
        let policy = rules.policies.get(&service.policy)?;
        let spans: Vec<Value> = preview(Staff::as_configured(rules), policy, from, until)
            .into_iter()
            .map(|span| json!({"from": span.from, "until": span.until, "woken": span.woken}))
            .collect();
        Some((name.clone(), json!({"policy": service.policy, "spans": spans})))
    });
    Value::Object(services.collect())
}

/// The same as a table for people, each service in the time zone of the first rotation its policy names.
pub fn render(rules: &Rules, from: Timestamp, until: Timestamp) -> String {
    let mut text = String::new();
    for (name, service) in &rules.services {
        let Some(policy) = rules.policies.get(&service.policy) else { continue };
        let zone = zone(rules, policy);
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        text.push_str(&format!("service {name}, policy {} (hours of {zone_name}):\n", service.policy));
        let hour = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
        for span in preview(Staff::as_configured(rules), policy, from, until) {
            text.push_str(&format!("  {} to {}:", hour(span.from), hour(span.until)));
            for (after, people) in AFTER_MIN.iter().zip(&span.woken) {
                let people = if people.is_empty() { "-".to_owned() } else { people.join(", ") };
                text.push_str(&format!("  +{after} min {people}"));
            }
            text.push('\n');
        }
    }
    text
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
        let hour =
            |at: Timestamp| at.to_zoned(window.time_zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
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

fn zone(rules: &Rules, policy: &Policy) -> TimeZone {
    let targets = policy.steps.iter().flat_map(|step| &step.page);
    let rotations = targets.filter_map(|target| match target {
        Target::Rotation(name) => rules.rotations.get(name),
        Target::Person(_) => None,
    });
    rotations.map(|rotation| rotation.time_zone.clone()).next().unwrap_or(TimeZone::UTC)
}
