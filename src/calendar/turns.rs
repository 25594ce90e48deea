//! A calendar as turns of a rotation: which event is whose.
//!
//! An event names a person by its summary, which is their name, their full name or their address, or by those who take part,
//! by their addresses; where neither names anybody, by who called for it. Several are on call together. Who has declined is
//! not, as long as somebody else of the same event is: nobody takes themselves off call by a calendar and leaves it to nobody.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::read::{self, Says};
use crate::core::oncall::{Turn, normal};
use crate::core::rules::Person;

/// Turns are kept from so long ago, for who looks at the calendar that is made of them.
pub const BEHIND: SignedDuration = SignedDuration::from_hours(32 * 24);
/// And so far ahead.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(95 * 24);
/// No turn ends later: the store keeps hours in microseconds, which end a little before ours do.
const LAST: Timestamp = Timestamp::constant(253_000_000_000, 0);
/// Most turns of a rotation.
pub const TURNS_MAX: usize = 2000;
/// Most events that are told by name, of each sort.
const TOLD_MAX: usize = 3;
/// Most warnings of a calendar, each of so many characters.
const WARNINGS_MAX: usize = 8;
const WARNING_CHARS_MAX: usize = 400;

/// What a calendar says of a rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Who is on call when.
    pub turns: Vec<Turn>,
    /// What should be known. It may hold words of the calendar: for people of the house.
    pub warnings: Vec<String>,
    /// How many times of events name nobody known, or cannot be read.
    pub ignored: usize,
}

/// Reads a calendar as turns around an hour. `own` is the zone of hours that name none, and of whole days.
///
/// # Errors
/// A sentence for people: it cannot be read, or says nothing of anybody. Then it is not to be believed.
pub fn read(
    text: &str,
    own: &TimeZone,
    people: &BTreeMap<String, Person>,
    now: Timestamp,
) -> Result<Read, String> {
    let from = now.saturating_sub(BEHIND).unwrap_or(Timestamp::MIN);
    let until = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    let found = read::events(text, own, (from, until))?;
    if found.any == 0 && found.unread.is_empty() {
        return Err("it has no events".into());
    }
    let known = Known::of(people);
    let mut turns = Vec::new();
    let mut nobody: Vec<(String, String)> = Vec::new();
    for event in &found.events {
        let names = known.named(&event.says);
        if names.is_empty() {
            nobody.push((event.says.summary.clone(), String::new()));
        }
        turns.extend(names.into_iter().map(|name| Turn {
            from: event.open.from,
            until: event.open.until.min(LAST),
            person: name.to_owned(),
        }));
    }
    if turns.is_empty() && !(nobody.is_empty() && found.unread.is_empty()) {
        return Err("none of its events names a person of the configuration".into());
    }
    let mut warnings = Vec::new();
    let ignored = nobody.len() + found.unread.len();
    tell(&mut warnings, &nobody, "names nobody of the configuration", "name nobody of the configuration");
    tell(&mut warnings, &found.unread, "cannot be read", "cannot be read");
    warnings.extend(found.warnings);
    let mut turns = normal(turns);
    if turns.len() > TURNS_MAX {
        // What is over is wanted least, then what is far.
        turns.retain(|turn| turn.until > now);
        turns.truncate(TURNS_MAX);
        let last = turns.iter().map(|turn| turn.from).max().unwrap_or(now);
        warnings.push(format!("it has more than {TURNS_MAX} turns: after {last:.0} they are not known"));
    }
    warnings.truncate(WARNINGS_MAX);
    let short = |text: String| text.chars().take(WARNING_CHARS_MAX).collect();
    Ok(Read { turns, warnings: warnings.into_iter().map(short).collect(), ignored })
}

/// How many events are left out, and the first few of them.
fn tell(warnings: &mut Vec<String>, left_out: &[(String, String)], one: &str, many: &str) {
    let mut told: Vec<String> = Vec::new();
    for (name, why) in left_out {
        let shown: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
        let shown = if why.is_empty() { format!("{shown:?}") } else { format!("{shown:?} {why}") };
        if told.len() < TOLD_MAX && !told.contains(&shown) {
            told.push(shown);
        }
    }
    let what = match left_out.len() {
        0 => return,
        1 => format!("1 time of an event {one}"),
        count => format!("{count} times of events {many}"),
    };
    warnings.push(format!("{what}, and nobody is on call for that: {}", told.join(", ")));
}

/// Persons by what calendars call them, in lower case.
struct Known<'a> {
    by_name: BTreeMap<String, Vec<&'a str>>,
    by_mail: BTreeMap<String, Vec<&'a str>>,
}

impl<'a> Known<'a> {
    fn of(people: &'a BTreeMap<String, Person>) -> Self {
        let mut known = Self { by_name: BTreeMap::new(), by_mail: BTreeMap::new() };
        // Who only looks is not woken, whatever a calendar says.
        for (name, person) in people.iter().filter(|(_, person)| !person.viewer) {
            for called in [name, &person.full_name] {
                let owners = known.by_name.entry(folded(called)).or_default();
                if !owners.contains(&name.as_str()) {
                    owners.push(name);
                }
            }
            known.by_mail.entry(person.email.to_lowercase()).or_default().push(name);
        }
        known.by_name.remove("");
        known.by_mail.remove("");
        known
    }

    /// Whom an event names; each once.
    fn named(&self, says: &Says) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        let mut take = |names: Option<&Vec<&'a str>>| {
            for name in names.into_iter().flatten() {
                if !found.contains(name) {
                    found.push(name);
                }
            }
        };
        let summary = folded(&says.summary);
        take(self.by_name.get(&summary).or_else(|| self.by_mail.get(&summary)));
        says.attendees.iter().for_each(|mail| take(self.by_mail.get(mail)));
        if found.is_empty() {
            let rest = says.declined.iter().map(|mail| self.by_mail.get(mail));
            let rest: Vec<_> = rest.flatten().flatten().copied().collect();
            if rest.is_empty() {
                return says
                    .organizer
                    .as_ref()
                    .and_then(|mail| self.by_mail.get(mail))
                    .cloned()
                    .unwrap_or_default();
            }
            found = rest;
            found.dedup();
        }
        found
    }
}

/// Without what does not tell names apart: case, and blanks at the ends and in a row.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> BTreeMap<String, Person> {
        let person = |name: &str, full_name: &str| {
            let email = format!("{}@Example.net", full_name.split(' ').next().unwrap());
            let person = Person { full_name: full_name.into(), email, ..Person::default() };
            (name.to_owned(), person)
        };
        BTreeMap::from([person("maya", "Maya Lind"), person("tom", "Tom Berg"), person("kim", "Kim Øst")])
    }

    fn calendar(events: &[&str]) -> String {
        let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n".to_owned();
        for (number, event) in events.iter().enumerate() {
            let lines: String = event.split('|').map(|line| format!("{line}\r\n")).collect();
            text.push_str(&format!("BEGIN:VEVENT\r\nUID:{number}\r\n{lines}END:VEVENT\r\n"));
        }
        text + "END:VCALENDAR\r\n"
    }

    fn now() -> Timestamp {
        "2026-03-25T12:00:00Z".parse().unwrap()
    }

    fn parsed(events: &[&str]) -> Result<Read, String> {
        read(&calendar(events), &TimeZone::get("Europe/Oslo").unwrap(), &people(), now())
    }

    fn turns(events: &[&str]) -> Vec<String> {
        let turn = |turn: &Turn| format!("{} {} {}", turn.person, turn.from, turn.until);
        parsed(events).unwrap().turns.iter().map(turn).collect()
    }

    const DAY: &str = "DTSTART:20260326T080000Z|DTEND:20260327T080000Z";

    fn who(more: &str) -> Vec<String> {
        let all = parsed(&[&format!("{DAY}|{more}")]).map(|read| read.turns).unwrap_or_default();
        all.into_iter().map(|turn| turn.person).collect()
    }

    #[test]
    fn an_event_names_people_by_its_summary_or_by_the_addresses_of_who_takes_part() {
        assert_eq!(who("SUMMARY:maya"), ["maya"]);
        assert_eq!(who("SUMMARY: MAYA  lind "), ["maya"]);
        assert_eq!(who("SUMMARY:kim øst"), ["kim"]);
        assert_eq!(who("SUMMARY:tom@example.NET"), ["tom"]);
        assert_eq!(who("SUMMARY:on call|ATTENDEE;CN=T:mailto:TOM@example.net"), ["tom"]);
        assert_eq!(who("SUMMARY:on call|ATTENDEE;EMAIL=tom@example.net:urn:uuid:7"), ["tom"]);
        let both = "SUMMARY:on call|ATTENDEE:mailto:tom@example.net|ATTENDEE:MAILTO:maya@example.net";
        assert_eq!(who(both), ["maya", "tom"]);
        assert_eq!(who("SUMMARY:maya|ATTENDEE:mailto:tom@example.net"), ["maya", "tom"]);
        assert_eq!(who("SUMMARY:maya|ORGANIZER:mailto:tom@example.net"), ["maya"]);
        assert_eq!(who("SUMMARY:on call|ORGANIZER:mailto:tom@example.net"), ["tom"]);
        assert_eq!(who("SUMMARY:maya tom"), Vec::<String>::new());
        assert_eq!(who("SUMMARY:"), Vec::<String>::new());
    }

    #[test]
    fn who_has_declined_is_not_on_call_unless_nobody_else_would_be() {
        let declined = "ATTENDEE;PARTSTAT=DECLINED:mailto:maya@example.net";
        assert_eq!(who(&format!("{declined}|ATTENDEE:mailto:tom@example.net")), ["tom"]);
        assert_eq!(who(&format!("{declined}|ATTENDEE:mailto:lee@elsewhere.net")), ["maya"]);
    }

    #[test]
    fn what_names_nobody_is_counted_and_told_and_the_rest_is_taken() {
        let team =
            "SUMMARY:Team\\nlunch|DTSTART:20260326T100000Z|DTEND:20260326T110000Z|RRULE:FREQ=DAILY;COUNT=4";
        let odd =
            "SUMMARY:maya|DTSTART;TZID=Nowhere/None:20260326T080000|DTEND;TZID=Nowhere/None:20260327T080000";
        let read = parsed(&[&format!("{DAY}|SUMMARY:maya"), team, odd]).unwrap();
        assert_eq!((read.turns.len(), read.ignored), (1, 5));
        assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
        let nobody = "4 times of events name nobody of the configuration, and nobody is on call for that: \"Team lunch\"";
        assert_eq!(read.warnings[0], nobody);
        let unread = "1 time of an event cannot be read, and nobody is on call for that: \"maya\" is in a time zone that \
                      nobody knows: \"Nowhere/None\"";
        assert_eq!(read.warnings[1], unread);
    }

    #[test]
    fn a_calendar_that_says_nothing_of_anybody_is_not_believed() {
        let why = |events: &[&str]| parsed(events).unwrap_err();
        assert_eq!(why(&[]), "it has no events");
        assert_eq!(
            why(&[&format!("{DAY}|SUMMARY:x")]),
            "none of its events names a person of the configuration"
        );
        let whole = calendar(&[&format!("{DAY}|SUMMARY:maya")]);
        let zone = TimeZone::UTC;
        for (text, why) in [
            ("", "this is no iCalendar file"),
            ("<!doctype html><title>Log in</title>", "this is no iCalendar file"),
            (&whole[..whole.len() - 16], "it breaks off before its end"),
            (&whole[..whole.len() / 2], "it breaks off before its end"),
        ] {
            assert_eq!(read(text, &zone, &people(), now()).unwrap_err(), why, "{text}");
        }
        // Events that are all over are believed: they may be what there is.
        let past = "SUMMARY:maya|DTSTART:20250326T080000Z|DTEND:20250327T080000Z";
        assert_eq!(parsed(&[past]).unwrap(), Read::default());
    }

    #[test]
    fn repetitions_exceptions_changes_and_cancellations_are_followed_over_a_change_of_daylight_saving() {
        // 2026-03-29 the clocks of Oslo go forward.
        let daily = "SUMMARY:maya|DTSTART;TZID=Europe/Oslo:20260326T080000|DTEND;TZID=Europe/Oslo:20260326T200000|\
                     RRULE:FREQ=DAILY;UNTIL=20260331T220000Z|EXDATE;TZID=Europe/Oslo:20260327T080000";
        let text = calendar(&[daily]).replace(
            "END:VCALENDAR",
            "BEGIN:VEVENT\r\nUID:0\r\nSUMMARY:Tom Berg\r\nRECURRENCE-ID:20260328T070000Z\r\n\
             DTSTART;TZID=Europe/Oslo:20260328T100000\r\nDTEND;TZID=Europe/Oslo:20260328T120000\r\nEND:VEVENT\r\n\
             BEGIN:VEVENT\r\nUID:0\r\nSTATUS:CANCELLED\r\nRECURRENCE-ID;TZID=W. Europe Standard Time:20260330T080000\r\n\
             DTSTART;TZID=Europe/Oslo:20260330T080000\r\nEND:VEVENT\r\nEND:VCALENDAR",
        );
        let read = read(&text, &TimeZone::UTC, &people(), now()).unwrap();
        let shown: Vec<String> =
            read.turns.iter().map(|turn| format!("{} {} {}", turn.person, turn.from, turn.until)).collect();
        assert_eq!(
            shown,
            [
                "maya 2026-03-26T07:00:00Z 2026-03-26T19:00:00Z",
                "tom 2026-03-28T09:00:00Z 2026-03-28T11:00:00Z",
                "maya 2026-03-29T06:00:00Z 2026-03-29T18:00:00Z",
                "maya 2026-03-31T06:00:00Z 2026-03-31T18:00:00Z",
            ]
        );
    }

    #[test]
    fn what_repeats_for_ever_is_followed_as_far_as_anybody_looks() {
        let ever =
            |start: &str| format!("SUMMARY:maya|DTSTART:{start}T080000Z|DURATION:PT1H|RRULE:FREQ=DAILY");
        let many: Vec<String> = (10..30).map(|day| ever(&format!("201001{day}"))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let read = parsed(&many).unwrap();
        assert!((126..=129).contains(&read.turns.len()), "{}", read.turns.len());
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    }

    #[test]
    fn a_rule_that_never_comes_true_is_given_up() {
        let never = "SUMMARY:maya|DTSTART:20260101T080000Z|DURATION:PT1H|RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=7";
        assert_eq!(parsed(&[never]).map_or(0, |read| read.turns.len()), 0);
    }

    #[test]
    fn whole_days_are_days_of_the_zone_of_the_rotation() {
        let day = "SUMMARY:maya|DTSTART;VALUE=DATE:20260329|DTEND;VALUE=DATE:20260330";
        assert_eq!(turns(&[day]), ["maya 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"]);
    }

    #[test]
    fn there_is_an_end_to_how_many_turns_are_kept() {
        let hourly = "SUMMARY:maya|DTSTART:20260301T080000Z|DURATION:PT30M|RRULE:FREQ=HOURLY";
        let read = parsed(&[hourly]).unwrap();
        assert_eq!(read.turns.len(), TURNS_MAX);
        assert!(read.turns[0].until > now() && read.turns[0].from < now() + SignedDuration::from_hours(1));
        assert!(
            read.warnings[0].starts_with("it has more than 2000 turns: after 2026-06-"),
            "{:?}",
            read.warnings
        );
    }
}
