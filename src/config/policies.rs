//! Escalation policies: whom to wake in what order, who watches, and when somebody is asked once more.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::SignedDuration;

use super::errors::nearest;
use super::names::{self, known};
use super::people::{targets, time_zone};
use super::read::{At, Reading, Table};
use super::{rotations, words};
use crate::core::escalation::{Case, LAST_RESORT_WAIT, REMIND_MIN, REMINDERS_MAX, WAIT_MIN};
use crate::core::incident::Severity;
use crate::core::rules::{Clocks, Policy, Rules, Step, Timetable, Watch, When};

const STEP_WAIT_USUAL: SignedDuration = SignedDuration::from_mins(5);
/// Of these severities those who watch hear when nobody says.
const WATCHED_USUAL: [Severity; 2] = [Severity::Sev1, Severity::Sev2];
/// Who commands is not asked more often, and silence for longer is no sign of anything.
const SILENT_MIN: SignedDuration = SignedDuration::from_mins(5);
const SILENT_MAX: SignedDuration = SignedDuration::from_hours(24);
const ALL: [Severity; 4] = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4];

/// What can only be looked at when the services are known.
pub(super) struct Open {
    /// Services that steps name.
    services: Vec<At<String>>,
    /// Where each policy stands.
    places: Vec<(String, Range<usize>)>,
}

pub(super) fn policies(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules) -> Open {
    let mut open = Open { services: Vec::new(), places: Vec::new() };
    for mut table in root.tables(reading, "escalation") {
        let name = names::name(&mut table, reading);
        let remind = remind(&mut table, reading);
        let mut steps = Vec::new();
        let faults = reading.errors.count();
        for table in table.tables(reading, "steps") {
            steps.push(step(table, reading, rules, remind.as_ref(), &mut open));
        }
        if steps.is_empty() && reading.errors.count() == faults {
            reading.errors.add(table.span.clone(), "[[escalation]] needs `steps`: at least one");
        }
        let repeat = table.number(reading, "repeat", 0..1001).unwrap_or(0);
        let last_resort = targets(&mut table, reading, rules, "last_resort");
        let everybody = severities(&mut table, reading, "everybody").unwrap_or_default();
        let watch = watch(&mut table, reading, rules, steps.len());
        if let Some(remind) = &remind
            && (last_resort.is_empty() || remind.value >= LAST_RESORT_WAIT)
            && steps.iter().all(|step| step.remind.is_none())
        {
            let what = "`remind` is not shorter than any `wait`: nobody would ever be reminded";
            reading.errors.add(remind.span.clone(), what);
        }
        let place = table.span.clone();
        table.end(reading);
        let Some(name) = name else { continue };
        let at = reading.errors.place(name.span.start);
        reading.places.policies.insert(name.value.clone(), at);
        let (repeat, remind) = (u32::try_from(repeat).unwrap_or(0), remind.map(|remind| remind.value));
        let policy = Policy { steps, repeat, last_resort, everybody, remind, watch };
        open.places.push((name.value.clone(), place));
        if rules.policies.insert(name.value.clone(), policy).is_some() {
            reading.errors.add(name.span, format!("there are two escalation policies called {}", name.value));
        }
    }
    open
}

/// One step. `usual`: how often the policy reminds where a step does not say.
fn step(
    mut table: Table<'_>,
    reading: &mut Reading,
    rules: &Rules,
    usual: Option<&At<SignedDuration>>,
    open: &mut Open,
) -> Step {
    let faults = reading.errors.count();
    let page = targets(&mut table, reading, rules, "page");
    if page.is_empty() && reading.errors.count() == faults {
        let what = "a step needs `page`: whom it wakes, such as [\"rotation:sre\"]";
        reading.errors.add(table.span.clone(), what);
    }
    let wait = table.duration(reading, "wait");
    if let Some(wait) = &wait
        && wait.value < WAIT_MIN
    {
        let what = format!("`wait` is at least {} s: a page needs time to be read", WAIT_MIN.as_secs());
        reading.errors.add(wait.span.clone(), what);
    }
    let wait = wait.map_or(STEP_WAIT_USUAL, |wait| wait.value);
    let own = remind(&mut table, reading);
    if let Some(own) = own.as_ref().filter(|own| own.value >= wait) {
        let what = "`remind` is not shorter than `wait`: nobody would ever be reminded";
        reading.errors.add(own.span.clone(), what);
    }
    let remind = own.as_ref().or(usual).map(|remind| remind.value).filter(|remind| *remind < wait);
    let services = table.texts(reading, "services").unwrap_or_default();
    let when = When {
        severities: severities(&mut table, reading, "severities").unwrap_or_default(),
        services: services.iter().map(|service| service.value.clone()).collect(),
        hours: timetable(&mut table, reading),
    };
    open.services.extend(services);
    table.end(reading);
    Step { page, wait, when, remind }
}

fn remind(table: &mut Table<'_>, reading: &mut Reading) -> Option<At<SignedDuration>> {
    let remind = table.duration(reading, "remind")?;
    if remind.value < REMIND_MIN {
        let what = format!("`remind` is at least {REMIND_MIN:#}, and at most {REMINDERS_MAX} times a step");
        reading.errors.add(remind.span, what);
        return None;
    }
    Some(remind)
}

/// `watchers`, `watch_severities` and `watch_after`.
fn watch(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, steps: usize) -> Watch {
    let has = table.has("watchers");
    let who = targets(table, reading, rules, "watchers");
    let own = severities(table, reading, "watch_severities");
    let most = u64::try_from(steps).unwrap_or(u64::MAX).max(1);
    let after = table.number(reading, "watch_after", 0..most.saturating_add(1));
    for key in ["watch_severities", "watch_after"] {
        if table.has(key) && !has {
            reading.errors.add(table.place(key), format!("`{key}` goes with `watchers`: who is told"));
        }
    }
    Watch {
        who,
        severities: own.unwrap_or_else(|| WATCHED_USUAL.into()),
        after: after.and_then(|after| u32::try_from(after).ok()).unwrap_or(0),
    }
}

/// A list of severities of incidents. An empty one says nothing, and is not what was meant.
fn severities(table: &mut Table<'_>, reading: &mut Reading, key: &str) -> Option<BTreeSet<Severity>> {
    let written = table.texts(reading, key)?;
    if written.is_empty() {
        reading.errors.add(table.place(key), format!("`{key}` is empty: leave it out, or name a severity"));
    }
    let each = written.into_iter().filter_map(|word| severity(reading, &word.value, &word.span));
    Some(each.collect())
}

pub(super) fn severity(reading: &mut Reading, word: &str, span: &Range<usize>) -> Option<Severity> {
    let found = Severity::from_word(word);
    if found.is_none() {
        let near = nearest(word, ALL.map(Severity::as_str));
        let what = format!("`{word}` is no severity of an incident; SEV1, SEV2, SEV3 and SEV4 are{near}");
        reading.errors.add(span.clone(), what);
    }
    found
}

/// `days`, `hours` and `time_zone`.
fn timetable(table: &mut Table<'_>, reading: &mut Reading) -> Option<Timetable> {
    let zone = table.text(reading, "time_zone");
    let hours = rotations::hours(table, reading, "step");
    if !table.has("days") && !table.has("hours") {
        if let Some(zone) = zone {
            reading.errors.add(zone.span, "`time_zone` is that of `days` and `hours`: there are none");
        }
        return None;
    }
    if !table.has("time_zone") {
        let place = table.place(if table.has("hours") { "hours" } else { "days" });
        reading.errors.add(place, "`days` and `hours` need `time_zone`: whose clock it is");
    }
    let time_zone = zone.and_then(|zone| time_zone(reading, &zone))?;
    Some(Timetable { hours, time_zone })
}

/// `silent_after` of `[incidents]`: for severities that are not named there it stays as it is when nobody says.
pub(super) fn silent_after(table: &mut Table<'_>, reading: &mut Reading, clocks: &mut Clocks) {
    for (word, after) in table.pairs(reading, "silent_after").unwrap_or_default() {
        let severity = severity(reading, &word, &after.span);
        let length = words::duration(&after.value);
        match (severity, length) {
            (_, Err(why)) => reading.errors.add(after.span, format!("`silent_after`: {why}")),
            (Some(severity), Ok(SignedDuration::ZERO)) => {
                clocks.silent_after.remove(&severity);
            }
            (_, Ok(length)) if !(SILENT_MIN..=SILENT_MAX).contains(&length) => {
                let what = format!(
                    "`silent_after` lies between {SILENT_MIN:#} and {SILENT_MAX:#}, or is 0s for never"
                );
                reading.errors.add(after.span, what);
            }
            (Some(severity), Ok(length)) => {
                clocks.silent_after.insert(severity, length);
            }
            (None, Ok(_)) => {}
        }
    }
}

impl Open {
    /// What is wrong of policies once the services are known.
    pub(super) fn end(self, reading: &mut Reading, rules: &Rules) {
        for service in &self.services {
            known(reading, service, "service", rules.services.keys().map(String::as_str));
        }
        for (name, place) in self.places {
            let Some(policy) = rules.policies.get(&name).filter(|policy| policy.last_resort.is_empty())
            else {
                continue;
            };
            let wakes = |case| policy.steps.iter().any(|step| step.when.is_for(case));
            let gap = rules.services.iter().find_map(|(service, own)| {
                let used = ALL.into_iter().filter(|severity| own.policy_at(*severity) == name);
                let mut cases = used.map(|severity| Case { severity, service });
                cases.find(|case| !wakes(*case))
            });
            if let (Some(Case { severity, service }), false) = (gap, policy.steps.is_empty()) {
                let what = format!(
                    "no step of {name} is there for a {} of {service}, and it has no `last_resort`: nobody would be woken",
                    severity.as_str()
                );
                reading.errors.add(place, what);
            }
        }
    }
}
