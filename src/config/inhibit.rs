//! Inhibition and flapping: alerts that wake nobody while others fire, and alerts that come and go.

use jiff::SignedDuration;

use super::read::{At, Reading, Table};
use super::routes::matchers;
use crate::core::alert::LABEL_BYTES_MAX;
use crate::core::flapping::{CHANGES_MAX, Flapping};
use crate::core::inhibit::Rule;

/// Most rules: each is looked at for every alert that changes.
const RULES_MAX: usize = 100;
/// Most labels that have to be equal.
const EQUAL_MAX: usize = 16;
/// An alert that changed twice did no more than fire and recover.
const CHANGES_MIN: u64 = 3;
const WITHIN_MAX: SignedDuration = SignedDuration::from_hours(24);
/// For so long an incident is kept open at most that nobody took and of which nothing fires.
const CALM_MAX: SignedDuration = SignedDuration::from_hours(4);
const TIME_MIN: SignedDuration = SignedDuration::from_mins(1);

/// `[[inhibit]]`
pub(super) fn inhibit(root: &mut Table<'_>, reading: &mut Reading) -> Vec<Rule> {
    let mut found: Vec<Rule> = Vec::new();
    let tables = root.tables(reading, "inhibit");
    if let Some(table) = tables.get(RULES_MAX) {
        reading
            .errors
            .add(table.span.clone(), format!("there are more than {RULES_MAX} rules of inhibition"));
    }
    for mut table in tables {
        let place = table.span.clone();
        let sides = ["source", "target"].map(|key| {
            let side = matchers(&mut table, reading, key);
            if side.as_ref().is_some_and(Vec::is_empty) {
                let what =
                    format!("`{key}` fits everything: give it a matcher, as in 'severity=\"critical\"'");
                reading.errors.add(table.place(key), what);
            }
            side
        });
        let equal = equal(&mut table, reading);
        table.end(reading);
        let [Some(source), Some(target)] = sides else { continue };
        if equal.is_empty() {
            let what =
                "without `equal` one alert that fits `source`, wherever it is, keeps all of `target` quiet";
            reading.warn(&place, what);
        }
        let rule = Rule { source, target, equal };
        if found.contains(&rule) {
            reading.warn(&place, "this rule is there before");
            continue;
        }
        found.push(rule);
    }
    found
}

fn equal(table: &mut Table<'_>, reading: &mut Reading) -> Vec<String> {
    let labels = table.texts(reading, "equal").unwrap_or_default();
    if labels.len() > EQUAL_MAX {
        reading.errors.add(table.place("equal"), format!("at most {EQUAL_MAX} labels have to be equal"));
    }
    let mut found: Vec<String> = Vec::new();
    for At { value, span } in labels {
        if value.is_empty() || value.len() > LABEL_BYTES_MAX {
            reading.errors.add(span, format!("names of labels have from 1 to {LABEL_BYTES_MAX} bytes"));
        } else if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// `flapping_changes`, `flapping_within` and `calm_after`, of the house or of a service.
pub(super) fn flapping(table: &mut Table<'_>, reading: &mut Reading, flapping: &mut Flapping) {
    if let Some(changes) = table.number(reading, "flapping_changes", 0..u64::from(CHANGES_MAX) + 1) {
        if (1..CHANGES_MIN).contains(&changes) {
            let what = format!(
                "`flapping_changes` is at least {CHANGES_MIN}: an alert that fires and recovers has changed twice. 0 is never"
            );
            reading.errors.add(table.place("flapping_changes"), what);
        }
        flapping.changes = u32::try_from(changes).unwrap_or(u32::MAX);
    }
    for (key, longest, slot) in [
        ("flapping_within", WITHIN_MAX, &mut flapping.within),
        ("calm_after", CALM_MAX, &mut flapping.calm_after),
    ] {
        let Some(At { value, span }) = table.duration(reading, key) else { continue };
        if !(TIME_MIN..=longest).contains(&value) {
            reading.errors.add(span, format!("`{key}` lies between {TIME_MIN:#} and {longest:#}"));
        }
        *slot = value;
    }
}
