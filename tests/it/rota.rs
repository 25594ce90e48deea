//! Who is on call when, against another implementation of time zones: Python's, on the same data.
//!
//! `rota.py` lists everything that begins or ends and says from that who is on call; here the configuration is read as the daemon
//! reads it. Every span of five years has to be the same to the second, in ten zones: with changes of an hour, of half an hour,
//! of a quarter past the usual hours, back and forth around Ramadan, none at all, and a day that never was.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use onscene::config::{SecretsMode, parse};
use onscene::core::oncall::Roster;
use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, binary, eventually, program};
use super::silenced::page;

const ZONES: [&str; 10] = [
    "Europe/Oslo",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Pacific/Apia",
];
/// Where both take the zones from.
const DATA: &str = "/usr/share/zoneinfo";
const SHIFTS_MAX: usize = 100_000;

/// A layer as it is written, and as the other implementation is told of it.
fn layer(members: &str, hours: u32, first: &str, days: &[u8], spans: &[&str]) -> (String, Value) {
    let (date, hour) = first.split_once(' ').unwrap();
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let named: Vec<&str> = days.iter().map(|day| names[usize::from(*day)]).collect();
    let mut text = format!("members = {members}\nshift = \"{hours}h\"\nstart = \"{date}\"\n");
    // Weeks are handed over on the day of the week on which they begin.
    let day = if hours.is_multiple_of(168) { "Mon " } else { "" };
    text.push_str(&format!("handover = \"{day}{hour}\"\n"));
    if !named.is_empty() {
        text.push_str(&format!("days = {named:?}\n"));
    }
    if !spans.is_empty() {
        text.push_str(&format!("hours = {spans:?}\n"));
    }
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap();
        hours.parse::<u32>().unwrap() * 60 + minutes.parse::<u32>().unwrap()
    };
    let spans: Vec<[u32; 2]> = spans
        .iter()
        .map(|span| span.split_once('-').map(|(from, until)| [minutes(from), minutes(until)]).unwrap())
        .collect();
    let turns: Vec<Value> = serde_json::from_str::<Vec<Value>>(members)
        .unwrap()
        .into_iter()
        .map(|turn| if turn.is_array() { turn } else { json!([turn]) })
        .collect();
    let first = format!("{date}T{hour}:00");
    let told = json!({"members": turns, "shift_hours": hours, "first": first, "days": days, "hours": spans});
    (text, told)
}

/// Rotations of every form, whose first shift begins on this Monday.
fn forms(monday: &str) -> Vec<Vec<(String, Value)>> {
    let on = |hour: &str| format!("{monday} {hour}");
    let work = [0, 1, 2, 3, 4];
    vec![
        vec![layer(r#"["a","b","c"]"#, 168, &on("09:00"), &[], &[])],
        vec![layer(r#"["a","b","c","d","e"]"#, 24, &on("02:15"), &[], &[])],
        vec![layer(r#"["a",["b","c"],"d"]"#, 12, &on("08:00"), &[], &[])],
        vec![layer(r#"["a","b","c","d"]"#, 8, &on("02:30"), &[], &[])],
        vec![layer(r#"["a","b","c"]"#, 12, &on("02:00"), &work, &["08:00-16:00", "22:00-06:00"])],
        vec![
            layer(r#"["a","b"]"#, 168, &on("09:00"), &[], &[]),
            layer(
                r#"["c","d","e"]"#,
                36,
                &on("00:00"),
                &[4, 5, 6, 0],
                &["01:30-02:30", "23:45-00:15", "03:00-03:05"],
            ),
            layer(r#"[["a","f"]]"#, 24, &on("09:00"), &[2], &["00:00-24:00"]),
        ],
    ]
}

/// A configuration with each of these rotations, and what the other implementation says of them.
fn house(zones: &[&str], monday: &str) -> (String, Vec<Value>) {
    let people: String = ["a", "b", "c", "d", "e", "f"]
        .map(|name| format!("[[person]]\nname = \"{name}\"\nemail = \"{name}@example.net\"\n"))
        .concat();
    let (mut text, mut told) = (HOUSE.replacen("[[person]]", &format!("{people}[[person]]"), 1), Vec::new());
    for zone in zones {
        for form in forms(monday) {
            let name = format!("case-{}", told.len());
            text.push_str(&format!("[[rotation]]\nname = \"{name}\"\ntime_zone = \"{zone}\"\n"));
            let mut layers = Vec::new();
            // One layer is written in the rotation itself.
            let several = form.len() > 1;
            for (written, mut layer) in form {
                layer["zone"] = json!(zone);
                layers.push(layer);
                text.push_str(&format!("{}{written}", if several { "[[rotation.layers]]\n" } else { "" }));
            }
            told.push(json!({"layers": layers}));
        }
    }
    (text, told)
}

/// Spans of people, `[second, people]`, as Python has them.
fn python(cases: &[Value], from: Timestamp, until: Timestamp) -> Vec<Vec<(i64, Vec<String>)>> {
    assert!(Path::new(DATA).join("Europe/Oslo").exists(), "this test needs tzdata; tests/run installs it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rota.py");
    let mut child = Command::new(program(&["python3"]))
        .arg(script)
        .env("PYTHONTZPATH", DATA)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| json!({"layers": case["layers"], "from": from.as_second(), "until": until.as_second()}))
        .collect();
    let mut input = child.stdin.take().unwrap();
    input.write_all(json!(cases).to_string().as_bytes()).unwrap();
    drop(input);
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Compares everything; how many spans there were.
fn compare(zones: &[&str], monday: &str, from: &str, until: &str) -> usize {
    assert!(std::env::var_os("TZDIR").is_none(), "the program would take its zones from elsewhere");
    let (text, cases) = house(zones, monday);
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    let text = text.replace("PORT", "8087");
    let config = parse(Path::new("onscene.toml"), &text, &onscene::house::kinds(), SecretsMode::Skip);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let expected = python(&cases, from, until);
    assert_eq!(expected.len(), cases.len());
    let mut count = 0;
    for (number, expected) in expected.iter().enumerate() {
        let rotation = &config.rules.rotations[&format!("case-{number}")];
        let shifts = rotation.shifts("case", &Roster::nothing(), from, until, SHIFTS_MAX);
        let found: Vec<(i64, Vec<String>)> =
            shifts.iter().map(|shift| (shift.from.as_second(), shift.people.clone())).collect();
        let zone = rotation.time_zone.iana_name().unwrap();
        for (mine, other) in found.iter().zip(expected) {
            let at = Timestamp::from_second(mine.0).unwrap();
            assert_eq!(mine, other, "{zone}, form {}, {at}", number % forms(monday).len());
        }
        assert_eq!(found.len(), expected.len(), "{zone}, form {}", number % forms(monday).len());
        // Whole seconds, one after the other, to the end.
        assert!(shifts.iter().all(|shift| shift.from.subsec_nanosecond() == 0));
        assert!(shifts.windows(2).all(|two| two[0].until == two[1].from));
        assert_eq!(shifts.last().unwrap().until, until);
        count += shifts.len();
    }
    count
}

#[test]
fn every_hand_over_of_five_years_in_ten_zones_is_pythons() {
    let count = compare(&ZONES, "2025-12-29", "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z");
    assert!(count > 100_000, "{count}");
}

#[test]
fn every_hand_over_of_the_year_without_a_day_is_pythons() {
    // 2011-12-30 was no day in Samoa; in the same year Morocco and Chatham changed, too, and Newfoundland at a minute past midnight.
    let zones = ["Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "Pacific/Chatham", "Asia/Tehran"];
    let count = compare(&zones, "2010-12-27", "2011-01-01T00:00:00Z", "2012-06-01T00:00:00Z");
    assert!(count > 10_000, "{count}");
}

#[test]
fn the_program_shows_the_hand_overs_of_four_weeks_and_they_are_pythons() {
    let (text, cases) = house(&["Europe/Oslo", "Africa/Casablanca", "Australia/Lord_Howe"], "2025-12-29");
    let daemon = Daemon::prepare(&text);
    let said =
        Command::new(binary()).args(["check", "--json", "--config"]).arg(&daemon.config).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let shown: Value = serde_json::from_slice(&said.stdout).unwrap();
    let instant = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let first = &shown["rotations"]["case-0"];
    let from = instant(&first[0]["from"]);
    let until = instant(&first.as_array().unwrap().last().unwrap()["until"]);
    // The program was asked at some part of a second.
    let expected = python(&cases, Timestamp::from_second(from.as_second()).unwrap(), until);
    for (number, expected) in expected.iter().enumerate() {
        let shifts = shown["rotations"][format!("case-{number}")].as_array().unwrap();
        let found: Vec<(i64, Vec<String>)> = shifts
            .iter()
            .map(|shift| {
                (
                    instant(&shift["from"]).as_second(),
                    serde_json::from_value(shift["people"].clone()).unwrap(),
                )
            })
            .collect();
        assert_eq!(&found, expected, "case-{number}");
    }
}

/// The same house, in which somebody is on call in the hours of the office and nobody else is named.
fn office(house: &str) -> String {
    let hours = "members = [\"maya\"]\ndays = [\"Mon-Fri\"]\nhours = [\"08:00-16:00\"]\n";
    house.replacen("members = [\"maya\"]\n", hours, 1).replacen(
        ", { page = [\"person:tom\"], wait = \"5m\" }",
        "",
        1,
    )
}

#[test]
fn a_gap_is_refused_by_the_check_and_by_a_reload_and_a_start_tells_of_it_and_wakes_who_is_there() {
    let whole = Daemon::start(HOUSE);
    let line = HOUSE.lines().position(|line| line.contains("name = \"default\"")).unwrap();
    let text = std::fs::read_to_string(&whole.config).unwrap();
    std::fs::write(&whole.config, office(&text)).unwrap();
    let check = whole.command(&["check"], None);
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(64), "{said}");
    assert!(
        said.contains(&format!(
            "onscene.toml:{}: an incident of shop (SEV1 to SEV4) would find nobody on call",
            line + 3
        )),
        "{said}"
    );
    whole.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is not taken", || {
        (whole.metric("onscene_config_last_reload_success") == 0.0).then_some(())
    });
    assert!(whole.log().contains("would find nobody on call"), "{}", whole.log());
    let token = whole.token("maya");
    assert!(!page(&whole, &token, "/").contains("An incident of shop"), "the one in use has none");

    let begun = Daemon::start(&office(HOUSE));
    assert!(begun.log().contains("would find nobody on call"), "{}", begun.log());
    let token = begun.token("maya");
    let shown = page(&begun, &token, "/");
    assert!(shown.contains("<li>An incident of shop"), "{shown}");
    // Another line is taken by a reload all the same: the gap was there before.
    let text = std::fs::read_to_string(&begun.config).unwrap();
    std::fs::write(&begun.config, text.replacen("full_name = \"Tom Berg\"", "full_name = \"Tom Berge\"", 1))
        .unwrap();
    begun.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is taken", || {
        begun.log().contains("the configuration was read again").then_some(())
    });
    assert_eq!(begun.metric("onscene_config_last_reload_success"), 1.0);
}
