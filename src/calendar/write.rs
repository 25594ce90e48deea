//! Stints of people on call as a calendar that others follow.
//!
//! The same stints are the same bytes, whenever they are written, so that who asks again can be told that nothing has changed.
//! Hours are in UTC: what a clock on a wall shows is the business of who looks. An event keeps its name (`UID`) as long as the
//! same person begins at the same hour; when something that was said changes it, its `SEQUENCE` grows.

use jiff::Timestamp;

use crate::core::oncall::Stint;
use crate::crypto;

/// Longest line, in bytes, without its end (RFC 5545, 3.1).
const LINE_BYTES_MAX: usize = 75;
/// How soon to ask again.
const REFRESH: &str = "PT15M";
/// `SEQUENCE` counts the seconds from here to what was said last: 2026-01-01.
const BEGINNING: i64 = 1_767_225_600;
/// When an event was written of which nothing was said since.
const WRITTEN: &str = "20260101T000000Z";

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// In which rotation.
    pub rotation: String,
    /// Who, and when.
    pub stint: Stint,
    /// What people call it.
    pub summary: String,
    /// One more line.
    pub description: String,
    /// When something that touches it was said last.
    pub said_at: Option<Timestamp>,
}

/// Writes a calendar.
pub fn calendar(name: &str, events: &[Event]) -> String {
    let mut text = String::with_capacity(512 + events.len() * 400);
    let mut line = |name: &str, value: &str| fold(&mut text, name, value);
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//onscene//on call//EN");
    line("CALSCALE", "GREGORIAN");
    line("METHOD", "PUBLISH");
    line("NAME", &escaped(name));
    line("X-WR-CALNAME", &escaped(name));
    line("REFRESH-INTERVAL;VALUE=DURATION", REFRESH);
    line("X-PUBLISHED-TTL", REFRESH);
    for event in events {
        let Event { rotation, stint, .. } = event;
        let shadow = if stint.shadow { "shadow" } else { "" };
        let own = format!("{rotation}\n{}\n{}\n{shadow}", stint.person, stint.from.as_microsecond());
        let uid = crypto::sha256(own.as_bytes());
        line("BEGIN", "VEVENT");
        line("UID", &format!("{}@onscene", crypto::hex(&uid[..16])));
        line("DTSTAMP", &event.said_at.map_or_else(|| WRITTEN.to_owned(), hour));
        line("DTSTART", &hour(stint.from));
        line("DTEND", &hour(stint.until));
        line("SUMMARY", &escaped(&event.summary));
        line("DESCRIPTION", &escaped(&event.description));
        if let Some(at) = event.said_at {
            line("LAST-MODIFIED", &hour(at));
            line("SEQUENCE", &(at.as_second() - BEGINNING).clamp(1, i64::from(i32::MAX)).to_string());
        }
        // Who is on call is not busy.
        line("TRANSP", "TRANSPARENT");
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    text
}

fn hour(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// As text stands in a value (RFC 5545, 3.3.11).
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => written.extend(['\\', c]),
            '\n' => written.push_str("\\n"),
            c if c.is_control() => written.push(' '),
            c => written.push(c),
        }
    }
    written
}

/// One line, folded between characters.
fn fold(text: &mut String, name: &str, value: &str) {
    let mut length = 0;
    for c in name.chars().chain([':']).chain(value.chars()) {
        if length + c.len_utf8() > LINE_BYTES_MAX {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(c);
        length += c.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZone;

    use super::super::turns;
    use super::*;
    use crate::core::rules::Person;

    fn event(from: &str, until: &str, person: &str, summary: &str) -> Event {
        let (from, until) = (from.parse().unwrap(), until.parse().unwrap());
        Event {
            rotation: "sre".into(),
            stint: Stint { from, until, person: person.into(), shadow: false },
            summary: summary.into(),
            description: "On call: sre".into(),
            said_at: None,
        }
    }

    const FIRST: [&str; 2] = ["2026-03-26T07:00:00Z", "2026-03-29T06:00:00Z"];
    const NEXT: [&str; 2] = ["2026-03-29T06:00:00Z", "2026-04-02T06:00:00Z"];

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let odd = format!("Maya \\ Lind, \"the\"; first: {}", "ø".repeat(100));
        let people = BTreeMap::from([("maya", odd.as_str()), ("tom", "Tom Berg")].map(|(name, full)| {
            let person = Person { full_name: full.to_owned(), ..Person::default() };
            (name.to_owned(), person)
        }));
        let events = [event(FIRST[0], FIRST[1], "maya", &odd), event(NEXT[0], NEXT[1], "tom", "Tom Berg")];
        let text = calendar("On call: sre, and; others", &events);
        for line in text.split("\r\n") {
            assert!(line.len() <= LINE_BYTES_MAX, "{line}");
            assert!(!line.contains('\n'));
        }
        let read = turns::read(&text, &TimeZone::UTC, &people, FIRST[0].parse().unwrap()).unwrap();
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        let back: Vec<(String, Timestamp, Timestamp)> =
            read.turns.into_iter().map(|turn| (turn.person, turn.from, turn.until)).collect();
        let wrote: Vec<_> =
            events.iter().map(|one| (one.stint.person.clone(), one.stint.from, one.stint.until)).collect();
        assert_eq!(back, wrote);
        assert!(text.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
    }

    #[test]
    fn an_event_keeps_its_name_and_says_when_it_was_changed() {
        let value = |text: &str, name: &str| -> Vec<String> {
            let lines = text.split("\r\n").filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            lines.map(str::to_owned).collect()
        };
        let first = event(FIRST[0], FIRST[1], "maya", "Maya");
        let mut cut = event(FIRST[0], "2026-03-28T06:00:00Z", "maya", "Maya");
        cut.said_at = Some("2026-03-25T10:00:00Z".parse().unwrap());
        let (before, after) = (calendar("x", &[first]), calendar("x", &[cut]));
        assert_eq!(value(&before, "UID"), value(&after, "UID"));
        assert_eq!(value(&before, "SEQUENCE"), Vec::<String>::new());
        assert_eq!(value(&after, "SEQUENCE"), ["7207200"]);
        assert_eq!(value(&after, "LAST-MODIFIED"), ["20260325T100000Z"]);
        let other = event(FIRST[0], FIRST[1], "tom", "Tom");
        assert_ne!(value(&calendar("x", &[other]), "UID"), value(&before, "UID"));
    }
}
