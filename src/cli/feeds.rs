//! What `onscene check` says of calendars that rotations follow: what the store knows of them, where it can be read.

use serde_json::{Value, json};

use super::place::store;
use crate::clock::Clock;
use crate::config::Config;
use crate::core::oncall::Roster;
use crate::feeds::troubles;
use crate::store::calendars::{self, Kept};
use crate::store::{Connection, Place};

/// What is known of the calendars of a configuration; a sentence that says why nothing is.
pub(super) fn known(config: &Config, clock: &Clock) -> Result<Vec<Kept>, String> {
    if config.feeds.is_empty() {
        return Ok(Vec::new());
    }
    let not_yet = "nothing is known of them before the daemon has run";
    match store(config) {
        Ok(Place::Sqlite(path)) if !path.exists() => Err(not_yet.into()),
        Ok(place) => Connection::reader(&place, clock)
            .and_then(|mut connection| connection.read(clock.now(), calendars::all))
            .map_err(|error| format!("the store cannot be read here, or not yet: {error}")),
        Err(error) => Err(error.to_string()),
    }
}

/// For people: warnings first, each a sentence; then how old they are.
pub(super) fn shown(
    config: &Config,
    known: &Result<Vec<Kept>, String>,
    clock: &Clock,
) -> (Vec<String>, String) {
    let now = clock.now();
    let (mut warnings, mut text) = (Vec::new(), String::new());
    let kept = match known {
        Ok(kept) => kept,
        Err(why) => {
            warnings.push(format!("rotations follow calendars: {why}"));
            return (warnings, text);
        }
    };
    for (name, feed) in &config.feeds {
        let own = kept.iter().find(|one| one.rotation == *name);
        warnings.extend(troubles(name, feed, own, now));
        let Some(own) = own else { continue };
        let read = own.fetched_at.map_or("never read".to_owned(), |at| {
            format!("read {at:.0}, {} min ago", now.duration_since(at).as_mins())
        });
        let turns = own.turns.iter().filter(|turn| turn.until > now).count();
        let last = own.turns.iter().map(|turn| turn.until).max();
        let last = last.map_or(String::new(), |at| format!(", the last until {at:.0}"));
        let error = own.error.as_ref().map_or(String::new(), |why| format!("; last try: {why}"));
        text.push_str(&format!("calendar of rotation {name}: {read}; {turns} turns to come{last}{error}\n"));
    }
    (warnings, text)
}

/// Who is on call by them.
pub(super) fn roster(known: &Result<Vec<Kept>, String>) -> Roster {
    let kept = known.as_deref().unwrap_or_default();
    let calendars = kept.iter().map(|one| (one.rotation.clone(), one.turns.clone())).collect();
    Roster { calendars, ..Roster::nothing() }
}

/// For programs.
pub(super) fn as_json(known: &Result<Vec<Kept>, String>) -> Value {
    let of = |kept: &Kept| {
        json!({"rotation": kept.rotation, "fetched_at": kept.fetched_at, "error": kept.error,
            "warnings": kept.warnings, "turns": kept.turns.len()})
    };
    known.as_deref().unwrap_or_default().iter().map(of).collect()
}
