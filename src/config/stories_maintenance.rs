//! Windows of maintenance that are right, and what is said of those that are not; and calendars.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::stories::{GOOD, read};
use super::*;
use crate::calendar::read as calendar;
use crate::core::maintenance::{Window, listed};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The only window of a house with these keys; or what is said of them.
fn window(keys: &str) -> Result<Window, String> {
    let text = format!("{GOOD}\n[[maintenance]]\nname = \"work\"\n{keys}\n");
    read(&text).map(|mut config| Arc::get_mut(&mut config.rules).unwrap().maintenance.remove(0))
}

fn openings(window: &Window, from: &str, until: &str) -> Vec<String> {
    let all = window.between(at(from), at(until), 100);
    all.iter().map(|open| format!("{} {:#}", open.from, open.until.duration_since(open.from))).collect()
}

const OSLO: &str = "service = \"shop\"\ntime_zone = \"Europe/Oslo\"\n";

#[test]
fn windows_are_once_or_every_so_many_days_or_at_an_hour_of_a_week_or_of_a_day() {
    let year = |keys: &str| {
        let window = window(&format!("{OSLO}{keys}")).unwrap();
        openings(&window, "2026-12-01T00:00:00Z", "2026-12-20T00:00:00Z")
    };
    assert_eq!(year("start = \"2026-12-02 02:00\"\nfor = \"2h\""), ["2026-12-02T01:00:00Z 2h"]);
    assert_eq!(
        year("start = \"2026-11-30 02:00\"\nfor = \"90m\"\nevery = \"1 week\""),
        ["2026-12-07T01:00:00Z 1h 30m", "2026-12-14T01:00:00Z 1h 30m"]
    );
    assert_eq!(
        year("start = \"2026-12-08\"\nfor = \"1h\"\nevery = \"Sun 02:00\""),
        ["2026-12-13T01:00:00Z 1h"]
    );
    assert_eq!(year("for = \"1h\"\nevery = \"Sun 02:00\"").len(), 2, "since ever");
    assert_eq!(year("for = \"1h\"\nevery = \"02:00\"\nuntil = \"2026-12-03\"").len(), 2);
}

#[test]
fn what_is_wrong_of_a_window_is_told() {
    let clock = "start = \"2026-12-01 02:00\"\nfor = \"2h\"\n";
    for (keys, words) in [
        (format!("time_zone = \"UTC\"\n{clock}"), "[[maintenance]] needs `service`, or `services`"),
        (
            format!("service = \"shpo\"\ntime_zone = \"UTC\"\n{clock}"),
            "no service is called `shpo`; did you mean `shop`?",
        ),
        (format!("services = [\"shop\", \"x\"]\ntime_zone = \"UTC\"\n{clock}"), "no service is called `x`"),
        (format!("service = \"shop\"\nservices = [\"shop\"]\ntime_zone = \"UTC\"\n{clock}"), "not both"),
        (format!("service = \"shop\"\n{clock}"), "[[maintenance]] needs `time_zone`"),
        (format!("service = \"shop\"\ntime_zone = \"Europe/Olso\"\n{clock}"), "did you mean `Europe/Oslo`?"),
        (format!("{OSLO}for = \"2h\""), "needs `start`"),
        (format!("{OSLO}start = \"2026-12-01 02:00\""), "needs `for`"),
        (format!("{OSLO}start = \"2026-12-01\"\nfor = \"2h\""), "a date and an hour"),
        (format!("{OSLO}start = \"tomorrow\"\nfor = \"2h\""), "a date and an hour"),
        (format!("{OSLO}start = \"2026-12-01 02:00\"\nfor = \"30s\""), "between 1m and 92 days"),
        (format!("{OSLO}{clock}every = \"30h\""), "a number of days or weeks"),
        (format!("{OSLO}{clock}every = \"often\""), "a number of days or weeks"),
        (format!("{OSLO}{clock}every = \"Son 02:00\""), "a number of days or weeks"),
        (format!("{OSLO}{clock}every = \"Sun 02:00\""), "`start` is only a date"),
        (format!("{OSLO}start = \"2026-12-01 02:00\"\nfor = \"1 day\"\nevery = \"1 day\""), "never be over"),
        (format!("{OSLO}{clock}until = \"2027-01-01\""), "goes with `every`"),
        (format!("{OSLO}{clock}every = \"1 week\"\nuntil = \"2026-12-01\""), "before it begins"),
        (format!("{OSLO}{clock}every = \"1 week\"\nuntil = \"never\""), "`until` is a date"),
        (format!("{OSLO}{clock}repeat = \"1 week\""), "has no key `repeat`"),
        (format!("{OSLO}calendar = \"nowhere.ics\""), "it cannot be read"),
        (format!("{OSLO}calendar = \"nowhere.ics\"\nfor = \"2h\""), "`for` is said by the calendar"),
    ] {
        let said = window(&keys).unwrap_err();
        assert!(said.contains(words), "{keys}: {said}");
        assert!(said.contains("onscene.toml:"), "{keys}: {said}");
    }
    let twice = format!("{OSLO}{clock}[[maintenance]]\nname = \"work\"\n{OSLO}{clock}");
    assert!(window(&twice).unwrap_err().contains("two windows called work"));
}

#[test]
fn check_shows_when_windows_are_open() {
    let window =
        window(&format!("{OSLO}start = \"2026-12-06 02:00\"\nfor = \"2h\"\nevery = \"2 weeks\"")).unwrap();
    let (from, until) = (at("2026-12-01T00:00:00Z"), at("2026-12-29T00:00:00Z"));
    assert_eq!(
        preview::maintenance(std::slice::from_ref(&window), from, until),
        "maintenance work, of shop (hours of Europe/Oslo):\n  \
         Sun 2026-12-06 02:00 to Sun 2026-12-06 04:00\n  \
         Sun 2026-12-20 02:00 to Sun 2026-12-20 04:00\n"
    );
    let value = preview::maintenance_as_json(&[window], from, until);
    assert_eq!(value[0]["times"][1]["until"], "2026-12-20T03:00:00Z");
}

/// A calendar of these lines.
fn calendar(lines: &str) -> Result<calendar::Times, String> {
    let lines = lines.trim().lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{lines}\r\nEND:VCALENDAR\r\n");
    calendar::times(&text, &TimeZone::get("Europe/Oslo").unwrap())
}

fn events(lines: &str, from: &str, until: &str) -> Vec<String> {
    let text: Vec<String> = lines
        .split("---")
        .map(|event| format!("BEGIN:VEVENT\nUID:1\nSUMMARY:work\n{}\nEND:VEVENT", event.trim()))
        .collect();
    let found = calendar(&text.join("\n")).unwrap();
    let window = Window {
        name: "work".into(),
        services: std::collections::BTreeSet::default(),
        time_zone: TimeZone::UTC,
        times: listed(found.times),
        announce: None,
        comment: String::new(),
    };
    openings(&window, from, until)
}

#[test]
fn a_calendar_keeps_its_hour_in_both_nights_in_which_the_clocks_change() {
    let weekly =
        "DTSTART;TZID=Europe/Oslo:20260301T023000\nDTEND;TZID=Europe/Oslo:20260301T033000\nRRULE:FREQ=WEEKLY";
    assert_eq!(
        events(weekly, "2026-03-20T00:00:00Z", "2026-04-06T00:00:00Z"),
        // There is no 02:30 on the 29th: the next hour there is.
        ["2026-03-22T01:30:00Z 1h", "2026-03-29T01:30:00Z 1h", "2026-04-05T00:30:00Z 1h"]
    );
    assert_eq!(
        events(weekly, "2026-10-20T00:00:00Z", "2026-11-02T00:00:00Z"),
        // 02:30 comes twice on the 25th: the first of them.
        ["2026-10-25T00:30:00Z 1h", "2026-11-01T01:30:00Z 1h"]
    );
    // Also where there is only one, and where the zone is that of the window.
    let once = "DTSTART:20261025T023000\nDURATION:PT2H";
    assert_eq!(events(once, "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"), ["2026-10-25T00:30:00Z 2h"]);
}

#[test]
fn a_calendar_in_universal_time_does_not_follow_summer() {
    let weekly = "DTSTART:20260301T013000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=8";
    let all = events(weekly, "2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|one| one.contains("T01:30:00Z 1h")), "{all:?}");
}

#[test]
fn the_last_of_a_repetition_belongs_to_it_in_whatever_zone_its_end_is_written() {
    for until in ["20260322T003000Z", "20260322", "20260322T013000"] {
        let weekly = format!(
            "DTSTART;TZID=Europe/Oslo:20260308T013000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL={until}"
        );
        let all = events(&weekly, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z");
        assert_eq!(all.len(), 3, "{until}: {all:?}");
    }
}

#[test]
fn exceptions_additions_and_changes_of_single_ones_are_heard() {
    let series = "SEQUENCE:1
        DTSTART;TZID=Europe/Oslo:20260601T010000
        DTEND;TZID=Europe/Oslo:20260601T020000
        RRULE:FREQ=DAILY;COUNT=6
        EXDATE:20260601T230000Z
        RDATE;TZID=Europe/Oslo:20260610T010000
        ---
        SEQUENCE:3
        RECURRENCE-ID:20260602T230000Z
        DTSTART;TZID=Europe/Oslo:20260603T050000
        DTEND;TZID=America/New_York:20260603T010000
        ---
        RECURRENCE-ID;TZID=Europe/Oslo:20260605T010000
        DTSTART;TZID=Europe/Oslo:20260605T010000
        DTEND;TZID=Europe/Oslo:20260605T020000
        STATUS:CANCELLED";
    assert_eq!(
        events(series, "2026-05-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        [
            "2026-05-31T23:00:00Z 1h",
            // The 2nd is left out, the 3rd is later and longer, the 5th does not take place.
            "2026-06-03T03:00:00Z 2h",
            "2026-06-03T23:00:00Z 1h",
            "2026-06-05T23:00:00Z 1h",
            "2026-06-09T23:00:00Z 1h",
        ]
    );
}

#[test]
fn whole_days_end_with_the_day_and_what_is_cancelled_is_not() {
    let day = "DTSTART;VALUE=DATE:20260329";
    // The day on which the clocks go forward has 23 hours.
    assert_eq!(events(day, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"), ["2026-03-28T23:00:00Z 23h"]);
    let off = "DTSTART;TZID=Europe/Oslo:20260601T010000\nDURATION:PT1H\nRRULE:FREQ=DAILY\nSTATUS:CANCELLED";
    assert!(events(off, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z").is_empty());
}

#[test]
fn zones_of_outlook_are_known() {
    let event = "DTSTART;TZID=W. Europe Standard Time:20260601T010000\nDURATION:PT1H";
    assert_eq!(events(event, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"), ["2026-05-31T23:00:00Z 1h"]);
}

#[test]
fn what_is_wrong_of_a_calendar_is_told_with_the_event() {
    let event = |lines: &str| calendar(&format!("BEGIN:VEVENT\nUID:1\nSUMMARY:disks\n{lines}\nEND:VEVENT"));
    for (lines, words) in [
        ("DTSTART:20260601T010000Z", "\"disks\" does not say how long it lasts"),
        ("DURATION:PT1H", "\"disks\" has no DTSTART"),
        (
            "DTSTART;TZID=Mars/Base:20260601T010000\nDURATION:PT1H",
            "a time zone that nobody knows: \"Mars/Base\"",
        ),
        ("DTSTART:20260601T010000Z\nDURATION:PT1H\nRRULE:FREQ=MINUTELY", "every minute or second"),
        ("DTSTART:20260601T010000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTHDAY=77", "\"disks\""),
        ("DTSTART:20261301T010000Z\nDURATION:PT1H", "\"disks\""),
    ] {
        let said = event(lines).map(|found| found.times.len()).unwrap_err();
        assert!(said.contains(words), "{lines}: {said}");
    }
    for text in ["", "hello", "<html></html>", "BEGIN:VCARD\r\nEND:VCARD\r\n"] {
        let said = calendar::times(text, &TimeZone::UTC).map(|found| found.times.len());
        assert!(said.is_err_and(|said| said.contains("no iCalendar file")), "{text:?}");
    }
}

#[test]
fn work_on_a_calendar_is_bounded() {
    let endless = "BEGIN:VEVENT\nUID:1\nSUMMARY:disks\nDTSTART:20260101T010000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEND:VEVENT";
    let never = "BEGIN:VEVENT\nUID:2\nDTSTART:20260101T010000Z\nDURATION:PT1H\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\nEND:VEVENT";
    let found = calendar(&format!("{endless}\n{never}")).unwrap();
    assert_eq!((found.times.len(), found.warnings.len()), (20_000, 0), "until 2080");
    let found = calendar(&endless.replace("DAILY", "HOURLY").replace("PT1H", "PT1M")).unwrap();
    let words = "\"disks\" is repeated for longer than is read: after 2028-04-";
    assert!(found.warnings[0].contains(words), "{:?}", found.warnings);
    let many = endless.replace("UID:1\n", "");
    let said = calendar(&[many.as_str(); 11].join("\n")).map(|found| found.times.len()).unwrap_err();
    assert!(said.contains("more than 200000 times"), "{said}");
    let said =
        calendar(&["BEGIN:VEVENT\nDTSTART:20260101T010000Z\nDURATION:PT1H\nEND:VEVENT"; 2001].join("\n"));
    assert!(said.map(|found| found.times.len()).unwrap_err().contains("more than 2000 events"));
}
