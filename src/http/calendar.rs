//! `GET /calendar/{token}.ics`: who is on call, as a calendar that others follow.
//!
//! The token is the whole authority: it shows one rotation, or one person's turns, until it is revoked, and nothing else.
//! What is read is the store, or what was known last while that is away.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};

use super::desk::{Desk, cannot_read};
use super::problem::Problem;
use crate::calendar::write::{Event, calendar};
use crate::core::oncall::{Roster, Stint};
use crate::core::rules::{Person, Rules};
use crate::crypto;
use crate::render::full_name;
use crate::store::calendars::{self, Kept, Subject};
use crate::store::roster;
use crate::store::sight::Seen;

/// A token has 22 characters; anything longer is none.
const TOKEN_BYTES_MAX: usize = 64;
/// Turns of the last days and of the next ones are shown. Whole days, so that an hour later it is the same calendar.
const BEHIND: SignedDuration = SignedDuration::from_hours(30 * 24);
const AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Turns that began so long before are told whole.
const REACH: SignedDuration = SignedDuration::from_hours(62 * 24);
/// Most events of one calendar.
const EVENTS_MAX: usize = 5000;
const DAY_S: i64 = 24 * 3600;

/// `GET /calendar/{token}.ics`
pub(super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let token = file.strip_suffix(".ics").unwrap_or(&file).to_owned();
    if token.len() > TOKEN_BYTES_MAX || token.contains('\0') {
        return Err(unknown());
    }
    let house = desk.house.get();
    let rules = house.rules.clone();
    let read = desk.sight.or_last(move |tx| {
        let Some(subject) = calendars::shown_by(tx, &token)? else { return Ok(None) };
        // Also what is over, and what was ended early: what is told of a turn never is older than before.
        let roster = roster::said(tx, &rules, Timestamp::UNIX_EPOCH)?;
        Ok(Some((subject, (roster, calendars::all(tx)?))))
    });
    let (subject, (roster, kept), as_of) = match read.await.map_err(|error| cannot_read(&error))? {
        Seen { value: Some((subject, said)), as_of } => (subject, said, as_of),
        Seen { value: None, as_of: None } => return Err(unknown()),
        Seen { value: None, .. } => {
            return Err(Problem::unavailable(
                "the store cannot be reached, and this node does not know this address",
                60,
            ));
        }
    };
    let text = written(&house.rules, &roster, &kept, &subject, desk.clock.now());
    let etag = format!("\"{}\"", crypto::hex(&crypto::sha256(text.as_bytes())[..16]));
    let mut answer = match is_known(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], text).into_response(),
    };
    let headers = answer.headers_mut();
    // Whoever asks again asks us: it is private, and may have been revoked.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"oncall.ics\""));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(stale) = desk.stale(as_of) {
        stale.mark(&mut answer);
    }
    Ok(answer)
}

fn unknown() -> Problem {
    Problem::not_found("there is no calendar at this address, or it was revoked")
}

/// Whether who asks has just this already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let bare = |one: &str| one.trim().trim_start_matches("W/").to_owned();
    known.is_some_and(|known| known.split(',').any(|one| bare(one) == etag || one.trim() == "*"))
}

/// The calendar of a rotation or of a person, as it is at an hour.
fn written(rules: &Rules, roster: &Roster, kept: &[Kept], subject: &Subject, now: Timestamp) -> String {
    let today = Timestamp::from_second(now.as_second().div_euclid(DAY_S) * DAY_S).unwrap_or(now);
    let window = (
        today.saturating_sub(BEHIND).unwrap_or(Timestamp::MIN),
        today.saturating_add(AHEAD).unwrap_or(Timestamp::MAX),
    );
    let names = names(&rules.people);
    let mut events: Vec<Event> = Vec::new();
    for (rotation, turns) in &rules.rotations {
        if matches!(subject, Subject::Rotation(wanted) if wanted != rotation) {
            continue;
        }
        let changed_at = kept.iter().find(|one| one.rotation == *rotation).map(|one| one.changed_at);
        let changed_at = changed_at.filter(|_| turns.follows_calendar());
        for stint in turns.stints(rotation, roster, window, REACH) {
            // Somebody who has left the house is woken by nobody.
            let Some(name) = names.get(&stint.person) else { continue };
            let said = turns.said(rotation, roster, (stint.from, stint.until));
            let said_at = said.map(|said| said.at).max(changed_at);
            match subject {
                Subject::Person(person) if *person != stint.person => continue,
                Subject::Person(_) => {
                    let shadow = if stint.shadow { " (shadow)" } else { "" };
                    let summary = format!("On call: {rotation}{shadow}");
                    events.push(event(rotation, stint, summary, name, said_at));
                }
                // Who is only told is not on call, and nobody who reads this calendar is to believe it.
                Subject::Rotation(_) if stint.shadow => {}
                Subject::Rotation(_) => {
                    let summary = name.clone();
                    events.push(event(rotation, stint, summary, name, said_at));
                }
            }
        }
    }
    events.sort_by(|one, other| (&one.stint, &one.rotation).cmp(&(&other.stint, &other.rotation)));
    let mut title = match subject {
        Subject::Rotation(rotation) => format!("On call: {rotation}"),
        Subject::Person(person) => format!("On call: {}", full_name(rules, person)),
    };
    if events.len() > EVENTS_MAX {
        // What is over is wanted least, then what is far.
        events.retain(|event| event.stint.until > today);
        events.truncate(EVENTS_MAX);
        title.push_str(" (not to its end)");
    }
    calendar(&title, &events)
}

fn event(rotation: &str, stint: Stint, summary: String, name: &str, said_at: Option<Timestamp>) -> Event {
    let does = if stint.shadow { "is told and need not answer" } else { "is on call" };
    let description = format!("{name} {does} in the rotation {rotation}");
    Event { rotation: rotation.to_owned(), stint, summary, description, said_at }
}

/// What people are called in a calendar: by their full names, or by the others where two have the same.
fn names(people: &BTreeMap<String, Person>) -> BTreeMap<String, String> {
    let is_alone = |full: &str| people.values().filter(|one| one.full_name == full).count() == 1;
    let of = |name: &String, person: &Person| match person.full_name.as_str() {
        full if !full.is_empty() && is_alone(full) => full.to_owned(),
        _ => name.clone(),
    };
    people.iter().map(|(name, person)| (name.clone(), of(name, person))).collect()
}
