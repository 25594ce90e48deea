//! Calendars of the field: a CalDAV server keeps them, and a library that others use says when their events are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use onscene::calendar::turns;
use onscene::core::rules::Person;

use super::super::calendar::{house, on_call, reloads};
use super::super::harness::{Daemon, Program, eventually, free_port, request};
use super::{of_project, run};

/// When events are and whom they name, as the library tells it: of the file that is named first, from and until the hours
/// that come next, with whole days in the zone that comes last.
const EXPAND: &str = r#"
import json, sys
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo
import icalendar, recurring_ical_events
text, begin, end, zone = open(sys.argv[1], newline="").read(), float(sys.argv[2]), float(sys.argv[3]), ZoneInfo(sys.argv[4])
calendar = icalendar.Calendar.from_ical(text)
assert not calendar.errors, calendar.errors
at = lambda second: datetime.fromtimestamp(second, timezone.utc)
def second(value):
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=zone)
    return int((value if value.tzinfo else value.replace(tzinfo=zone)).timestamp())
found = []
for event in recurring_ical_events.of(calendar).between(at(begin), at(end)):
    assert not event.errors, event.errors
    if event.get("STATUS") == "CANCELLED":
        continue
    mails = event.get("ATTENDEE", [])
    mails = mails if isinstance(mails, list) else [mails]
    names = [str(event.get("SUMMARY", ""))] + [str(mail).lower().removeprefix("mailto:") for mail in mails]
    found.append([second(event["DTSTART"].dt), second(event["DTEND"].dt), names])
print(json.dumps(found))
"#;

fn python() -> Command {
    let python = of_project("target/validators/python/bin/python");
    assert!(
        python.is_file(),
        "this test needs the libraries of tests/validators.txt; tests/validators installs them"
    );
    Command::new(python)
}

/// Turns as the library tells them: from, until (seconds), who.
fn by_library(file: &Path, (from, until): (Timestamp, Timestamp), zone: &str) -> Vec<(i64, i64, String)> {
    let (from, until) = (from.as_second().to_string(), until.as_second().to_string());
    let said = run(python().args(["-W", "ignore", "-c", EXPAND]).arg(file).args([&from, &until, zone]));
    let said: Vec<(i64, i64, Vec<String>)> = serde_json::from_str(&said).unwrap();
    let known = [
        ("maya", "maya"),
        ("Maya Lind", "maya"),
        ("maya@example.net", "maya"),
        ("Tom Berg", "tom"),
        ("tom@example.net", "tom"),
        ("tom", "tom"),
        ("kim", "kim"),
        ("kim@example.net", "kim"),
    ];
    let known = BTreeMap::from(known);
    let mut found = Vec::new();
    for (from, until, names) in said {
        let names: BTreeSet<&str> =
            names.iter().filter_map(|name| known.get(name.as_str()).copied()).collect();
        found.extend(names.into_iter().map(|name| (from, until, name.to_owned())));
    }
    found
}

fn at(turns: &[(i64, i64, String)], second: i64) -> BTreeSet<String> {
    let on = turns.iter().filter(|(from, until, _)| *from <= second && second < *until);
    on.map(|(_, _, who)| who.clone()).collect()
}

/// Just before, at and after everything that begins or ends, and some hours between.
fn instants(turns: &[(i64, i64, String)], (from, until): (Timestamp, Timestamp)) -> BTreeSet<i64> {
    let edges = turns.iter().flat_map(|(from, until, _)| [*from, *until]);
    let mut found: BTreeSet<i64> = edges.flat_map(|edge| [edge - 1, edge, edge + 1]).collect();
    found.extend((from.as_second()..until.as_second()).step_by(6 * 3600 + 7));
    found.retain(|second| (from.as_second()..until.as_second()).contains(second));
    found
}

struct Radicale {
    address: std::net::SocketAddr,
    _program: Program,
}

const LOGIN: (&str, &str) = ("Authorization", "Basic bWF5YTpoYXJkIHRvIGd1ZXNz");

impl Radicale {
    /// Of one user, maya, whose password is `hard to guess`.
    fn start(directory: &Path) -> Self {
        let port = free_port();
        fs::write(directory.join("users"), "maya:hard to guess\n").unwrap();
        fs::write(directory.join("password"), "hard to guess\n").unwrap();
        let place = directory.display();
        let config = format!(
            "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {place}/users\n\
             htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {place}/collections\n"
        );
        fs::write(directory.join("radicale.conf"), config).unwrap();
        let log = fs::File::create(directory.join("radicale.log")).unwrap();
        let mut command = python();
        command.args(["-m", "radicale", "--config"]).arg(directory.join("radicale.conf"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let radicale =
            Self { address: format!("127.0.0.1:{port}").parse().unwrap(), _program: Program(child) };
        eventually("radicale answers", || request(radicale.address, "GET", "/.web/", &[], b""));
        radicale
    }

    /// Keeps a whole calendar.
    fn put(&self, name: &str, calendar: &str) {
        let headers = [LOGIN, ("Content-Type", "text/calendar; charset=utf-8")];
        let put =
            request(self.address, "PUT", &format!("/maya/{name}/"), &headers, calendar.as_bytes()).unwrap();
        assert!((200..300).contains(&put.status), "{} {}", put.head, put.body);
    }

    fn get(&self, name: &str) -> String {
        let got = request(self.address, "GET", &format!("/maya/{name}/"), &[LOGIN], b"").unwrap();
        assert_eq!(got.status, 200, "{}", got.head);
        got.body
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/maya/{name}/", self.address)
    }
}

/// A calendar as people and programs make them, around an hour.
fn calendar(now: Timestamp) -> String {
    let oslo = now.to_zoned(TimeZone::get("Europe/Oslo").unwrap()).date();
    let back = i64::from(oslo.weekday().since(Weekday::Monday)) + 21;
    let monday = oslo.checked_sub(back.days()).unwrap();
    let day = |days: i64| monday.checked_add(days.days()).unwrap().strftime("%Y%m%d").to_string();
    let zone = "BEGIN:VTIMEZONE|TZID:Europe/Oslo|BEGIN:DAYLIGHT|TZOFFSETFROM:+0100|TZOFFSETTO:+0200|TZNAME:CEST|\
                DTSTART:19700329T020000|RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU|END:DAYLIGHT|BEGIN:STANDARD|\
                TZOFFSETFROM:+0200|TZOFFSETTO:+0100|TZNAME:CET|DTSTART:19701025T030000|\
                RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU|END:STANDARD|END:VTIMEZONE";
    let events = [
        // Every other week, without the third time.
        format!(
            "UID:a|SUMMARY:Maya Lind|DTSTART;TZID=Europe/Oslo:{}T090000|DTEND;TZID=Europe/Oslo:{}T090000|\
             RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=6|EXDATE;TZID=Europe/Oslo:{}T090000",
            day(0),
            day(7),
            day(28)
        ),
        // The weeks between, in a zone by its Windows name; the second is another's and shorter, the third is off.
        format!(
            "UID:b|SUMMARY:tom|DTSTART;TZID=W. Europe Standard Time:{}T090000|\
             DTEND;TZID=W. Europe Standard Time:{}T090000|RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL={}T220000Z",
            day(7),
            day(14),
            day(90)
        ),
        format!(
            "UID:b|SUMMARY:kim|RECURRENCE-ID;TZID=W. Europe Standard Time:{}T090000|\
             DTSTART;TZID=W. Europe Standard Time:{}T120000|DTEND;TZID=W. Europe Standard Time:{}T180000",
            day(21),
            day(22),
            day(24)
        ),
        format!(
            "UID:b|SUMMARY:tom|STATUS:CANCELLED|RECURRENCE-ID;TZID=W. Europe Standard Time:{0}T090000|\
             DTSTART;TZID=W. Europe Standard Time:{0}T090000|DTEND;TZID=W. Europe Standard Time:{1}T090000",
            day(35),
            day(42)
        ),
        // Whole days: the first Saturday of a month.
        format!(
            "UID:c|SUMMARY:on call|ATTENDEE;CN=Kim:mailto:KIM@example.net|DTSTART;VALUE=DATE:{}|DTEND;VALUE=DATE:{}|\
             RRULE:FREQ=MONTHLY;BYDAY=1SA",
            first_saturday(monday, 0),
            first_saturday(monday, 1)
        ),
        // Nights of another continent, two together.
        format!(
            "UID:d|SUMMARY:nights|ATTENDEE:mailto:tom@example.net|ATTENDEE:mailto:maya@example.net|\
             DTSTART;TZID=America/New_York:{}T220000|DTEND;TZID=America/New_York:{}T060000|\
             RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE;WKST=SU",
            day(0),
            day(1)
        ),
        // In UTC, and once more on two other days.
        format!(
            "UID:e|SUMMARY:Tom Berg|DTSTART:{0}T030000Z|DTEND:{0}T040000Z|RDATE:{1}T031500Z,{2}T034500Z",
            day(3),
            day(11),
            day(30)
        ),
        // The last working day of a month.
        format!(
            "UID:f|SUMMARY:kim|DTSTART;TZID=Asia/Kolkata:{}T203000|DTEND;TZID=Asia/Kolkata:{}T210000|\
             RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            last_working_day(monday),
            last_working_day(monday)
        ),
        // Who names nobody.
        format!("UID:g|SUMMARY:Team lunch|DTSTART:{0}T110000Z|DTEND:{0}T120000Z|RRULE:FREQ=WEEKLY", day(2)),
    ];
    let mut text = format!("BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//tests//EN|{zone}|");
    for event in events {
        text.push_str(&format!("BEGIN:VEVENT|DTSTAMP:20260101T000000Z|{event}|END:VEVENT|"));
    }
    text.push_str("END:VCALENDAR|");
    text.replace('|', "\r\n")
}

/// The first Saturday of a month, and so many days more.
fn first_saturday(monday: jiff::civil::Date, more: i64) -> String {
    let first = monday.first_of_month();
    let wait = i64::from(Weekday::Saturday.since(first.weekday())) + more;
    first.checked_add(wait.days()).unwrap().strftime("%Y%m%d").to_string()
}

fn last_working_day(monday: jiff::civil::Date) -> String {
    let mut day = monday.last_of_month();
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = day.yesterday().unwrap();
    }
    day.strftime("%Y%m%d").to_string()
}

#[test]
fn a_calendar_on_a_caldav_server_says_who_is_woken_as_a_library_reads_it_and_comes_back_the_same() {
    let now = Timestamp::now();
    let directory = tempfile::tempdir().unwrap();
    let radicale = Radicale::start(directory.path());
    radicale.put("oncall", &calendar(now));
    let password = directory.path().join("password");
    let login = format!("calendar_user = \"maya\"\ncalendar_password_file = \"{}\"\n", password.display());
    let again = format!(
        "[[person]]\nname = \"kim\"\nemail = \"kim@example.net\"\n[[rotation]]\nname = \"again\"\n\
         time_zone = \"Europe/Oslo\"\ncalendar_url = \"{}\"\nprivate_addresses = \"allow\"\n{login}",
        radicale.url("again")
    );
    let mut daemon = Daemon::start(&format!("{}{again}", house(&radicale.url("oncall"), &login)));
    let token = daemon.token("maya");
    let read = |daemon: &Daemon, rotation: &str| {
        eventually(&format!("{rotation} is read"), || {
            let calendar = on_call(daemon, &token, rotation, None).1;
            (calendar["error"].is_null() && !calendar["fetched_at"].is_null()).then_some(calendar)
        })
    };
    let told = read(&daemon, "sre");
    let warning = told["warnings"][0].as_str().unwrap();
    assert!(warning.contains("names nobody") || warning.contains("name nobody"), "{told}");
    // What the library makes of what the server keeps.
    let kept = directory.path().join("kept.ics");
    fs::write(&kept, radicale.get("oncall")).unwrap();
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    let window = (days(-29), days(88));
    let turns = by_library(&kept, (days(-40), days(100)), "Europe/Oslo");
    assert!(turns.len() > 60, "{}", turns.len());
    let instants = instants(&turns, window);
    let differs = |daemon: &Daemon, rotation: &str| {
        let mut seen = BTreeSet::new();
        for second in &instants {
            let (people, _) =
                on_call(daemon, &token, rotation, Some(Timestamp::from_second(*second).unwrap()));
            let (people, wanted) = (people.into_iter().collect::<BTreeSet<_>>(), at(&turns, *second));
            let hour = Timestamp::from_second(*second).unwrap();
            assert_eq!(people, wanted, "{rotation} at {hour}");
            seen.insert(people);
        }
        seen.len()
    };
    assert!(differs(&daemon, "sre") >= 5, "the calendar tells people apart");
    // Out, by a private address, into the library and back to the server.
    let made = daemon.command(&["oncall", "calendar", "--rotation", "sre"], Some(&token));
    let url = String::from_utf8(made.stdout).unwrap();
    let path = url.trim().strip_prefix(&format!("http://{}", daemon.address)).unwrap();
    let out = directory.path().join("out.ics");
    fs::write(&out, daemon.get(path).unwrap().body).unwrap();
    let back = by_library(&out, (days(-40), days(100)), "UTC");
    for second in &instants {
        assert_eq!(at(&back, *second), at(&turns, *second), "out at {second}");
    }
    radicale.put("again", &fs::read_to_string(&out).unwrap());
    reloads(&daemon);
    read(&daemon, "again");
    differs(&daemon, "again");
    // The server goes, the daemon is killed: who is on call stays.
    drop(radicale);
    daemon.kill();
    daemon.go();
    differs(&daemon, "sre");
    assert!(!daemon.log().contains("hard to guess"));
}

/// People of the house, as calendars know them.
fn people() -> BTreeMap<String, Person> {
    let people = [("maya", "Maya Lind"), ("tom", "Tom Berg"), ("kim", "")];
    BTreeMap::from(people.map(|(name, full_name)| {
        let person =
            Person { full_name: full_name.into(), email: format!("{name}@example.net"), ..Person::default() };
        (name.to_owned(), person)
    }))
}

#[test]
fn in_nights_in_which_clocks_are_set_turns_are_those_of_a_library() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nights.ics");
    let mut compared = 0;
    for zone in [
        "Europe/Oslo",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "America/Santiago",
        "Pacific/Auckland",
        "Asia/Kathmandu",
        "Pacific/Chatham",
        "Europe/London",
    ] {
        let mut text = "BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//tests//EN|".to_owned();
        let mut event = |uid: &str, who: &str, from: &str, until: &str, rule: &str| {
            text.push_str(&format!(
                "BEGIN:VEVENT|UID:{uid}|DTSTAMP:20260101T000000Z|SUMMARY:{who}|DTSTART;TZID={zone}:{from}|\
                 DTEND;TZID={zone}:{until}|RRULE:{rule}|END:VEVENT|"
            ));
        };
        event("w1", "maya", "20260105T090000", "20260112T090000", "FREQ=WEEKLY;INTERVAL=2");
        event("w2", "tom", "20260112T090000", "20260119T090000", "FREQ=WEEKLY;INTERVAL=2");
        // From an hour of spring on it is somebody else's, an hour later and for longer.
        event("t", "kim", "20260106T120000", "20260106T140000", "FREQ=WEEKLY");
        event("n", "kim", "20260105T220000", "20260106T060000", "FREQ=DAILY");
        for (uid, hours) in
            [("h1", ["013000", "023000"]), ("h2", ["021500", "030000"]), ("h3", ["000000", "010000"])]
        {
            let [from, until] = hours.map(|hour| format!("20260103T{hour}"));
            event(uid, "tom", &from, &until, "FREQ=WEEKLY;BYDAY=SU,SA");
        }
        text.push_str(&format!(
            "BEGIN:VEVENT|UID:t|DTSTAMP:20260101T000000Z|SUMMARY:tom|\
             RECURRENCE-ID;RANGE=THISANDFUTURE;TZID={zone}:20260324T120000|DTSTART;TZID={zone}:20260324T130000|\
             DTEND;TZID={zone}:20260324T160000|END:VEVENT|END:VCALENDAR|"
        ));
        let text = text.replace('|', "\r\n");
        fs::write(&file, &text).unwrap();
        // From the middle of each, its turns reach over all changes of a year.
        for now in
            ["2026-02-20T12:00:00Z", "2026-05-01T12:00:00Z", "2026-08-20T12:00:00Z", "2026-11-10T12:00:00Z"]
        {
            let now: Timestamp = now.parse().unwrap();
            let day = |days: i64| now + SignedDuration::from_hours(24 * days);
            let window = (day(-31), day(94));
            let ours = turns::read(&text, &TimeZone::UTC, &people(), now).unwrap();
            assert!(ours.warnings.is_empty(), "{:?}", ours.warnings);
            let ours: Vec<(i64, i64, String)> = ours
                .turns
                .into_iter()
                .map(|turn| (turn.from.as_second(), turn.until.as_second(), turn.person))
                .collect();
            let theirs = by_library(&file, (day(-45), day(110)), zone);
            for second in instants(&theirs, window).into_iter().chain(instants(&ours, window)) {
                assert_eq!(
                    at(&ours, second),
                    at(&theirs, second),
                    "{zone} {}",
                    Timestamp::from_second(second).unwrap()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 40_000, "{compared}");
}
