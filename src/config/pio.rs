//! `[pio]`: what is asked of who speaks for the house, what they may do alone, and how soon one update follows another.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::errors::nearest;
use super::read::{Reading, Table};
use super::{policies, words};
use crate::core::audience::Audience;
use crate::core::incident::Severity;
use crate::core::rules::PioRules;

/// Nobody is followed by the next one sooner than this, and no update is due sooner after another.
const SOONEST: SignedDuration = SignedDuration::from_mins(1);
/// And nothing is waited for longer.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// Reads it; what is not said stays as it is usually.
pub(super) fn pio(root: &mut Table<'_>, reading: &mut Reading) -> PioRules {
    let mut rules = PioRules::usual();
    let Some(mut table) = root.table(reading, "pio") else { return rules };
    for (key, set) in WAITS {
        let Some(length) = table.duration(reading, key) else { continue };
        if length.value.is_zero() || (SOONEST..=LATEST).contains(&length.value) {
            set(&mut rules, length.value);
        } else {
            reading.errors.add(length.span, bounds(key));
        }
    }
    if let Some(alone) = alone(&mut table, reading) {
        rules.alone = alone;
    }
    if let Some(cadence) = table.text(reading, "cadence") {
        match cadence.value.as_str() {
            "usual" => {}
            "off" => {
                rules.first.clear();
                rules.every.clear();
                rules.later.clear();
            }
            other => {
                let near = nearest(other, ["usual", "off"]);
                let what = format!("`cadence` is \"usual\" or \"off\", and not `{other}`{near}");
                reading.errors.add(cadence.span, what);
            }
        }
    }
    for key in ["first", "every"] {
        let Some(mut audiences) = table.table(reading, key) else { continue };
        for audience in Audience::ALL {
            let all = if key == "first" { &mut rules.first } else { &mut rules.every };
            if each(&mut audiences, reading, audience, all) && key == "every" && audience == Audience::Public
            {
                // Who says how often says so for every phase.
                rules.later.clear();
            }
        }
        audiences.end(reading);
    }
    table.end(reading);
    rules
}

type Set = fn(&mut PioRules, SignedDuration);
const WAITS: [(&str, Set); 2] = [
    ("answer_after", |rules, length| rules.answer_after = length),
    ("deputy_after", |rules, length| rules.deputy_after = length),
];

fn bounds(key: &str) -> String {
    format!("`{key}` lies between {SOONEST:#} and {LATEST:#}, or is 0s for never")
}

/// The severities at which the PIO speaks alone: of the house, or of a service (`pio_alone`).
pub(super) fn alone(table: &mut Table<'_>, reading: &mut Reading) -> Option<BTreeSet<Severity>> {
    let key = if table.has("pio_alone") { "pio_alone" } else { "alone" };
    let words = table.texts(reading, key)?;
    Some(words.iter().filter_map(|word| policies::severity(reading, &word.value, &word.span)).collect())
}

/// Whether anything was said of an audience.
fn each(
    table: &mut Table<'_>,
    reading: &mut Reading,
    audience: Audience,
    all: &mut BTreeMap<(Audience, Severity), SignedDuration>,
) -> bool {
    let key = audience.as_str();
    let Some(pairs) = table.pairs(reading, key) else { return false };
    for (word, length) in pairs {
        let severity = policies::severity(reading, &word, &length.span);
        match (severity, words::duration(&length.value)) {
            (_, Err(why)) => reading.errors.add(length.span, format!("`{key}`: {why}")),
            (Some(severity), Ok(wait)) if wait.is_zero() || (SOONEST..=LATEST).contains(&wait) => {
                all.insert((audience, severity), wait);
            }
            (Some(_), Ok(_)) => reading.errors.add(length.span, bounds(key)),
            (None, Ok(_)) => {}
        }
    }
    true
}
