//! Services: what incidents are about.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::inhibit;
use super::meeting::Places;
use super::names::{self, known};
use super::people::targets;
use super::pio;
use super::read::{At, Reading, Table};
use super::statements;
use crate::core::correlate::{Grouping, Needs, Storm};
use crate::core::incident::Severity;
use crate::core::oncall::Rotation;
use crate::core::rules::{Rules, Service, SeverityMap, Target};

/// A longer window would hide what has nothing to do with it.
const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A page does not wait for longer.
const SETTLE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Most labels that alerts are grouped by.
const GROUP_BY_MAX: usize = 8;
/// Who can look at more at once has no storms.
const STORM_INCIDENTS_MAX: u64 = 1000;
const STORM_MIN: SignedDuration = SignedDuration::from_secs(10);
const STORM_MAX: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn services(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules, places: &mut Places) {
    let mut depends: Vec<(String, At<String>)> = Vec::new();
    let faults = reading.errors.count();
    let tables = root.tables(reading, "service");
    if tables.is_empty() && reading.errors.count() == faults {
        reading.errors.add_whole("no [[service]] is configured: incidents are about services");
    }
    for mut table in tables {
        let name = names::name(&mut table, reading);
        let public_name = table.text(reading, "public_name").map(|name| name.value);
        let policy = table.needed(reading, "escalation");
        if let Some(policy) = &policy {
            known(reading, policy, "escalation policy", rules.policies.keys().map(String::as_str));
        }
        let who = name.as_ref().map_or("?", |name| name.value.as_str());
        let pio = who_speaks(&mut table, reading, rules, who);
        let (bridge, meet) = places.of_service(&mut table, reading, &rules.meeting);
        let needs = table.texts(reading, "depends_on").unwrap_or_default();
        let mut grouping = rules.grouping.clone();
        grouping.depends_on = needs.iter().map(|needed| needed.value.clone()).collect();
        groups(&mut table, reading, &mut grouping);
        let mut flapping = rules.flapping;
        inhibit::flapping(&mut table, reading, &mut flapping);
        depends.extend(needs.into_iter().map(|needed| (who.to_owned(), needed)));
        let severities = severities(&mut table, reading);
        let policies = policies(&mut table, reading, rules);
        let pio_alone = table.has("pio_alone").then(|| pio::alone(&mut table, reading)).flatten();
        let holding = statements::holding(&mut table, reading);
        let symptom = table.text(reading, "symptom").map(|text| text.value).unwrap_or_default();
        table.end(reading);
        let (Some(name), Some(policy)) = (name, policy) else { continue };
        let policy = policy.value;
        let service = Service {
            policy,
            policies,
            grouping,
            flapping,
            pio,
            pio_alone,
            holding,
            symptom,
            bridge,
            meet,
            public_name,
            severities,
        };
        if rules.services.insert(name.value.clone(), service).is_some() {
            reading.errors.add(name.span, format!("there are two services called {}", name.value));
        }
    }
    for (_, service) in &depends {
        known(reading, service, "service", rules.services.keys().map(String::as_str));
    }
    circles(reading, &depends);
    rules.needs = Needs::of(&rules.services);
}

/// `window`, `settle` and `group_by`, of the house or of a service.
pub(super) fn groups(table: &mut Table<'_>, reading: &mut Reading, grouping: &mut Grouping) {
    for (key, longest, slot) in
        [("window", WINDOW_MAX, &mut grouping.window), ("settle", SETTLE_MAX, &mut grouping.settle)]
    {
        let Some(At { value, span }) = table.duration(reading, key) else { continue };
        if value > longest {
            reading.errors.add(span, format!("`{key}` is at most {longest:#}"));
        }
        *slot = value;
    }
    let by = table.texts(reading, "group_by").unwrap_or_default();
    if by.len() > GROUP_BY_MAX {
        reading
            .errors
            .add(table.place("group_by"), format!("alerts are grouped by at most {GROUP_BY_MAX} labels"));
    }
    if !by.is_empty() {
        grouping.by = by.into_iter().map(|label| label.value).collect();
    }
}

/// `[storm]`
pub(super) fn storm(root: &mut Table<'_>, reading: &mut Reading) -> Option<Storm> {
    let mut storm = Storm::default();
    let Some(mut table) = root.table(reading, "storm") else { return Some(storm) };
    let off = table.boolean(reading, "off").unwrap_or(false);
    if let Some(incidents) = table.number(reading, "incidents", 2..STORM_INCIDENTS_MAX + 1) {
        storm.incidents = u32::try_from(incidents).unwrap_or(u32::MAX);
    }
    if let Some(At { value, span }) = table.duration(reading, "within") {
        if !(STORM_MIN..=STORM_MAX).contains(&value) {
            reading.errors.add(span, format!("`within` lies between {STORM_MIN:#} and {STORM_MAX:#}"));
        }
        storm.within = value;
    }
    table.end(reading);
    (!off).then_some(storm)
}

/// Other policies, by the severity of incidents.
fn policies(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> BTreeMap<Severity, String> {
    let mut found = BTreeMap::new();
    for (word, policy) in table.pairs(reading, "escalations").unwrap_or_default() {
        known(reading, &policy, "escalation policy", rules.policies.keys().map(String::as_str));
        match Severity::from_word(&word) {
            Some(severity) => {
                found.insert(severity, policy.value);
            }
            None => {
                let what = format!("`{word}` is no severity of an incident; SEV1, SEV2, SEV3 and SEV4 are");
                reading.errors.add(policy.span, what);
            }
        }
    }
    found
}

/// Who informs everybody: somebody, and somebody else when that one sleeps.
fn who_speaks(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, service: &str) -> Vec<Target> {
    let faults = reading.errors.count();
    let pio = targets(table, reading, rules, "pio");
    if reading.errors.count() > faults {
        return pio;
    }
    let place = table.place("pio");
    let people = people(&pio, rules);
    if pio.is_empty() {
        let what = format!(
            "service {service} names no PIO: the Commander has to inform everybody beside everything else"
        );
        reading.warn(&place, what);
    } else if pio.iter().collect::<BTreeSet<_>>().len() < 2 {
        // Who only looks is no alternate.
        if rules.people.values().filter(|person| !person.viewer).count() > 1 {
            let what = "a PIO needs at least one alternate: add a second person or rotation to `pio`";
            reading.errors.add(table.span.clone(), what);
        } else {
            reading.warn(&place, format!("service {service} has a PIO without an alternate"));
        }
    } else if let (1, Some(only)) = (people.len(), people.first()) {
        let what =
            format!("service {service} has a PIO without an alternate: all of `pio` comes down to {only}");
        reading.warn(&place, what);
    }
    pio
}

/// Everybody whom targets may mean.
fn people<'a>(targets: &'a [Target], rules: &'a Rules) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for target in targets {
        match target {
            Target::Person(name) => {
                found.insert(name.as_str());
            }
            Target::Rotation(name) | Target::Everybody(name) => {
                found.extend(rules.rotations.get(name).map(Rotation::everybody).unwrap_or_default());
            }
        }
    }
    found
}

/// Tells each circle of services once: nothing in it could ever be the cause of the rest.
fn circles(reading: &mut Reading, depends: &[(String, At<String>)]) {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (service, needed) in depends {
        needs.entry(service).or_default().push(&needed.value);
    }
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for (service, needed) in depends {
        if told.contains(service.as_str()) {
            continue;
        }
        let Some(path) = path(&needs, &needed.value, service) else { continue };
        let what = match path.as_slice() {
            [_] => format!("{service} depends on itself"),
            _ => format!("{service} depends on itself in a circle: {service} → {}", path.join(" → ")),
        };
        reading.errors.add(needed.span.clone(), what);
        told.extend(path);
    }
}

/// The way from a service to one it needs, both ends with it.
fn path<'a>(needs: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, Option<&'a str>> = BTreeMap::from([(from, None)]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            let mut path = vec![at];
            while let Some(Some(earlier)) = path.last().and_then(|last| before.get(last)) {
                path.push(earlier);
            }
            path.reverse();
            return Some(path);
        }
        for next in needs.get(at).into_iter().flatten() {
            if !before.contains_key(next) {
                before.insert(next, Some(at));
                open.push(next);
            }
        }
    }
    None
}

fn severities(table: &mut Table<'_>, reading: &mut Reading) -> SeverityMap {
    let mut map = SeverityMap::default();
    let Some(mut written) = table.table(reading, "severities") else { return map };
    for (key, slot) in [
        ("critical", &mut map.critical),
        ("error", &mut map.error),
        ("warning", &mut map.warning),
        ("info", &mut map.info),
    ] {
        let Some(word) = written.text(reading, key) else { continue };
        match Severity::from_word(&word.value) {
            Some(severity) => *slot = severity,
            None => reading.errors.add(word.span, "severities of incidents are SEV1, SEV2, SEV3 and SEV4"),
        }
    }
    written.end(reading);
    map
}
