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

/// Reads it; what is not said stays as it is usually.
pub(super) fn command(root: &mut Table<'_>, reading: &mut Reading) -> CommandRules {
    let mut rules = CommandRules::usual();
    let Some(mut table) = root.table(reading, "command") else { return rules };
    let none = Pace {
        check_in: SignedDuration::ZERO,
        size_up: SignedDuration::ZERO,
        progress: SignedDuration::ZERO,
    };
    for (severity, length) in each(&mut table, reading, "check_in", ASK_MIN) {
        rules.pace.entry(severity).or_insert(none).check_in = length;
    }
    for (severity, length) in each(&mut table, reading, "size_up", ASK_MIN) {
        rules.pace.entry(severity).or_insert(none).size_up = length;
    }
    for (severity, length) in each(&mut table, reading, "progress", ASK_MIN) {
        rules.pace.entry(severity).or_insert(none).progress = length;
    }
    for (severity, length) in each(&mut table, reading, "watch", SignedDuration::ZERO) {
        rules.watch.insert(severity, length);
    }
    table.end(reading);
    rules.pace.retain(|_, pace| *pace != none);
    if rules.watch.values().all(SignedDuration::is_zero) {
        rules.watch.clear();
    }
    rules
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
                let what = format!("`{key}` lies between {least:#} and {WAIT_MAX:#}, or is 0s for never");
                reading.errors.add(length.span, what);
            }
            (Some(severity), Ok(wait)) => all.push((severity, wait)),
            (None, Ok(_)) => {}
        }
    }
    all
}
