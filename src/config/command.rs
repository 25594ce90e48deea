//! `[command]`: when who commands is asked for what, and how long is watched before an incident is over.

use jiff::SignedDuration;

use super::read::{Reading, Table};
use super::words;
use crate::core::command::Pace;
use crate::core::incident::Severity;
use crate::core::rules::CommandRules;

/// Nobody is asked for anything more often than this.
const ASK_MIN: SignedDuration = SignedDuration::from_mins(2);
/// And whatever is waited for is waited for no longer.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);

type SetPace = fn(&mut Pace, SignedDuration);

/// What is said for each severity.
const PACES: [(&str, SetPace); 6] = [
    ("check_in", |pace, length| pace.check_in = length),
    ("size_up", |pace, length| pace.size_up = length),
    ("progress", |pace, length| pace.progress = length),
    ("relief", |pace, length| pace.relief = length),
    ("relief_late", |pace, length| pace.relief_late = length),
    ("support", |pace, length| pace.support = length),
];

/// Reads it; what is not said stays as it is usually.
pub(super) fn command(root: &mut Table<'_>, reading: &mut Reading) -> CommandRules {
    let mut rules = CommandRules::usual();
    let Some(mut table) = root.table(reading, "command") else { return rules };
    for (key, set) in PACES {
        for (severity, length) in each(&mut table, reading, key, ASK_MIN) {
            set(rules.pace.entry(severity).or_default(), length);
        }
    }
    if let Some(length) = table.duration(reading, "receipts") {
        if length.value > WAIT_MAX || (length.value < ASK_MIN && !length.value.is_zero()) {
            reading.errors.add(length.span, bounds("receipts", ASK_MIN));
        } else {
            for severity in Severity::ALL {
                rules.pace.entry(severity).or_default().receipts = length.value;
            }
        }
    }
    for (severity, length) in each(&mut table, reading, "watch", SignedDuration::ZERO) {
        rules.watch.insert(severity, length);
    }
    for (severity, pace) in &rules.pace {
        let (relief, late) = (pace.relief, pace.relief_late);
        if !late.is_zero() && late <= relief {
            let severity = severity.as_str();
            let what = format!(
                "`relief_late` of {severity} is {late:#}; it comes after `relief`, which is {relief:#}"
            );
            let key = if table.has("relief_late") { "relief_late" } else { "relief" };
            reading.errors.add(table.place(key), what);
        }
    }
    table.end(reading);
    rules.pace.retain(|_, pace| *pace != Pace::default());
    if rules.watch.values().all(SignedDuration::is_zero) {
        rules.watch.clear();
    }
    rules
}

fn bounds(key: &str, least: SignedDuration) -> String {
    format!("`{key}` lies between {least:#} and {WAIT_MAX:#}, or is 0s for never")
}

/// A length for each severity that is named; 0s for never.
fn each(
    table: &mut Table<'_>,
    reading: &mut Reading,
    key: &str,
    least: SignedDuration,
) -> Vec<(Severity, SignedDuration)> {
    let mut all = Vec::new();
    for (word, length) in table.pairs(reading, key).unwrap_or_default() {
        let severity = super::policies::severity(reading, &word, &length.span);
        match (severity, words::duration(&length.value)) {
            (_, Err(why)) => reading.errors.add(length.span, format!("`{key}`: {why}")),
            (_, Ok(wait)) if wait > WAIT_MAX || (wait < least && !wait.is_zero()) => {
                reading.errors.add(length.span, bounds(key, least));
            }
            (Some(severity), Ok(wait)) => all.push((severity, wait)),
            (None, Ok(_)) => {}
        }
    }
    all
}
