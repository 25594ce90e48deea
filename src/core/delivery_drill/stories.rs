//! When the next drill is, in words: weeks, zones, clocks that change or are wrong, quiet hours.

use jiff::civil::time;

use super::*;
use crate::core::oncall::roster::{Override, Turn as OfCalendar};
use crate::core::oncall::{Hours, Layer, Rotation};
use crate::core::reach::Quiet;
use crate::core::rules::{Policy, Service, Step as OfPolicy, Watch};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// People in zones, all of them named by one policy.
fn house(people: &[(&str, &str)]) -> Rules {
    let person = |(name, at): &(&str, &str)| {
        (
            (*name).to_owned(),
            Person { email: format!("{name}@example.net"), time_zone: zone(at), ..Person::default() },
        )
    };
    let page = people.iter().map(|(name, _)| Target::Person((*name).into())).collect();
    let policy = Policy { steps: vec![OfPolicy { page, ..OfPolicy::default() }], ..Policy::default() };
    Rules {
        people: people.iter().map(person).collect(),
        policies: [("default".to_owned(), policy)].into(),
        ..Rules::default()
    }
}

fn plan(day: Weekday, (hour, minute): (i8, i8), at: Option<&str>) -> Plan {
    Plan { day, time: time(hour, minute, 0, 0), time_zone: at.map(zone), ..Plan::default() }
}

fn next_of(plan: &Plan, rules: &Rules, had: &[&str], now: &str) -> String {
    let had = had.iter().map(|week| (*week).to_owned()).collect();
    match plan.next(rules, &Roster::nothing(), &had, at(now)) {
        Some(next) => format!("{} {} {}", next.week, next.date, next.at),
        None => "none".to_owned(),
    }
}

#[test]
fn the_next_drill_is_the_first_hour_to_come_of_a_week_that_has_had_none() {
    let rules = house(&[("maya", "Europe/Oslo")]);
    let plan = plan(Weekday::Tuesday, (10, 0), Some("Europe/Oslo"));
    for (had, now, next) in [
        (&[][..], "2026-11-30T08:00:00Z", "2026-W49 2026-12-01 2026-12-01T09:00:00Z"),
        (&[], "2026-12-01T08:59:59Z", "2026-W49 2026-12-01 2026-12-01T09:00:00Z"),
        // Its hour has come: what was not written down before is not made up for.
        (&[], "2026-12-01T09:00:00Z", "2026-W50 2026-12-08 2026-12-08T09:00:00Z"),
        (&["2026-W49"], "2026-11-30T08:00:00Z", "2026-W50 2026-12-08 2026-12-08T09:00:00Z"),
        (&["2026-W49", "2026-W50"], "2026-11-30T08:00:00Z", "2026-W51 2026-12-15 2026-12-15T09:00:00Z"),
        // The week of the calendar knows of no year.
        (&["2026-W53"], "2026-12-29T00:00:00Z", "2027-W01 2027-01-05 2027-01-05T09:00:00Z"),
    ] {
        assert_eq!(next_of(&plan, &rules, had, now), next, "{had:?} {now}");
    }
    assert_eq!(next_of(&plan, &Rules::default(), &[], "2026-12-01T08:00:00Z"), "none");
}

#[test]
fn another_day_of_a_week_that_has_had_its_drill_makes_no_second_one() {
    let rules = house(&[("maya", "UTC")]);
    let later = plan(Weekday::Thursday, (10, 0), None);
    let next = next_of(&later, &rules, &["2026-W49"], "2026-12-01T12:00:00Z");
    assert_eq!(next, "2026-W50 2026-12-10 2026-12-10T10:00:00Z");
}

#[test]
fn an_hour_that_is_left_out_moves_as_the_clock_does_and_one_that_comes_twice_is_the_first() {
    for (whose, clock, now, next) in [
        ("Europe/Oslo", (2, 0), "2027-03-22T00:00:00Z", "2027-03-28T01:00:00Z"),
        ("Europe/Oslo", (2, 30), "2027-03-22T00:00:00Z", "2027-03-28T01:30:00Z"),
        ("Europe/Oslo", (3, 0), "2027-03-22T00:00:00Z", "2027-03-28T01:00:00Z"),
        ("Europe/Oslo", (2, 0), "2026-10-19T00:00:00Z", "2026-10-25T00:00:00Z"),
        ("Europe/Oslo", (2, 59), "2026-10-19T00:00:00Z", "2026-10-25T00:59:00Z"),
        // The second of both does not count again.
        ("Europe/Oslo", (2, 30), "2026-10-25T00:30:00Z", "2026-11-01T01:30:00Z"),
        ("Europe/Oslo", (10, 0), "2026-10-19T00:00:00Z", "2026-10-25T09:00:00Z"),
        ("America/New_York", (2, 30), "2027-03-08T12:00:00Z", "2027-03-14T07:30:00Z"),
        ("America/New_York", (1, 30), "2026-10-27T00:00:00Z", "2026-11-01T05:30:00Z"),
        ("Australia/Lord_Howe", (2, 0), "2026-09-28T00:00:00Z", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", (2, 15), "2026-09-28T00:00:00Z", "2026-10-03T15:45:00Z"),
        ("Asia/Kathmandu", (10, 0), "2026-11-24T00:00:00Z", "2026-11-29T04:15:00Z"),
    ] {
        let found = next_of(&plan(Weekday::Sunday, clock, Some(whose)), &house(&[("maya", "UTC")]), &[], now);
        assert!(found.ends_with(&format!(" {next}")), "{whose} {clock:?}: {found}");
    }
}

#[test]
fn over_five_years_there_is_one_in_each_week_in_every_zone() {
    for whose in [
        "Europe/Oslo",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Asia/Tehran",
    ] {
        let (rules, plan) = (house(&[("maya", whose)]), plan(Weekday::Sunday, (2, 30), None));
        let (mut now, mut had) = (at("2026-01-05T12:00:00Z"), BTreeSet::new());
        let mut last: Option<Occasion> = None;
        for _ in 0..261 {
            let next = plan.next(&rules, &Roster::nothing(), &had, now).unwrap();
            let between = last.map_or(168, |last| next.at.duration_since(last.at).as_hours());
            assert!((166..=170).contains(&between), "{whose} {} after {between} hours", next.at);
            let shown = next.at.to_zoned(zone(whose));
            assert!(shown.weekday() == Weekday::Sunday && (2..=3).contains(&shown.hour()), "{shown}");
            assert!(had.insert(next.week.clone()), "{}", next.week);
            now = next.at;
            last = Some(next);
        }
        assert_eq!(had.len(), 261);
    }
}

#[test]
fn without_a_zone_it_begins_with_the_first_and_each_is_asked_at_their_own_hour() {
    let people = [("kim", "America/New_York"), ("maya", "Europe/Oslo"), ("tom", "Asia/Tokyo")];
    let (rules, plan) = (house(&people), plan(Weekday::Tuesday, (10, 0), None));
    assert_eq!(
        next_of(&plan, &rules, &[], "2026-11-30T00:00:00Z"),
        "2026-W49 2026-12-01 2026-12-01T01:00:00Z"
    );
    let begins = at("2026-12-01T01:00:00Z");
    let asked = |name: &str, place, now| {
        plan.asks_at(&rules.people[name], Some("2026-12-01".parse().unwrap()), place, now).to_string()
    };
    assert_eq!(asked("tom", 2, begins), "2026-12-01T01:00:02Z");
    assert_eq!(asked("maya", 1, begins), "2026-12-01T09:00:01Z");
    assert_eq!(asked("kim", 0, begins), "2026-12-01T15:00:00Z");
    // It began late: nobody's hour is in the past.
    assert_eq!(asked("tom", 2, at("2026-12-01T03:00:00Z")), "2026-12-01T03:00:02Z");
    assert_eq!(plan.asks_at(&rules.people["tom"], None, 100_000, begins), at("2026-12-01T02:00:00Z"));
}

#[test]
fn whoever_can_be_woken_takes_part_unless_somebody_is_named() {
    let mut rules = house(&[("a-policy", "UTC")]);
    let names = ["override", "member", "shadow", "calendar", "watcher", "resort", "pio", "nobody", "other"];
    for name in names {
        rules.people.insert(name.into(), Person::default());
    }
    let layer = Layer {
        time_zone: TimeZone::UTC,
        members: vec![vec!["member".into()], vec!["left".into()]],
        shift_hours: 168,
        handover_day: None,
        handover_time: time(0, 0, 0, 0),
        start: "2026-01-05".parse().unwrap(),
        hours: Hours::always(),
    };
    let rotation = |turns| Rotation { time_zone: TimeZone::UTC, turns, shadows: vec!["shadow".into()] };
    rules.rotations.insert("sre".into(), rotation(Turns::Layers(vec![layer])));
    rules.rotations.insert("feed".into(), rotation(Turns::Calendar));
    let policy = rules.policies.get_mut("default").unwrap();
    policy.last_resort = vec![Target::Person("resort".into())];
    policy.watch = Watch { who: vec![Target::Person("watcher".into())], ..Watch::default() };
    let service = Service { pio: vec![Target::Person("pio".into())], ..Service::default() };
    rules.services.insert("shop".into(), service);
    let now = at("2026-12-01T00:00:00Z");
    let turn = OfCalendar { from: now, until: now, person: "calendar".into() };
    let mut roster = Roster::nothing();
    roster.calendars.insert("feed".into(), std::sync::Arc::new(vec![turn]));
    roster.overrides.push(Override {
        id: "1".into(),
        rotation: "sre".into(),
        person: "override".into(),
        instead_of: None,
        from: now,
        until: now,
        author: "tom".into(),
        reason: "x".into(),
        created_at: now,
        ended_by: None,
    });
    let all = people(&Plan::default(), &rules, &roster);
    assert_eq!(all, ["a-policy", "calendar", "member", "override", "pio", "resort", "shadow", "watcher"]);
    let page =
        vec![Target::Rotation("sre".into()), Target::Person("other".into()), Target::Person("left".into())];
    let some = people(&Plan { page, ..Plan::default() }, &rules, &roster);
    assert_eq!(some, ["member", "other", "override", "shadow"]);
}

fn occasion(week: &str, date: &str, hour: &str) -> Occasion {
    Occasion { week: week.into(), date: date.parse().unwrap(), at: at(hour) }
}

#[test]
fn what_was_planned_begins_within_four_hours_and_is_left_out_later() {
    let planned = occasion("2026-W49", "2026-12-01", "2026-12-01T09:00:00Z");
    let next = occasion("2026-W50", "2026-12-08", "2026-12-08T09:00:00Z");
    for (now, under_way, expected) in [
        ("2026-12-01T08:59:59Z", false, Step::Nothing),
        ("2026-12-01T09:00:00Z", false, Step::Begin),
        ("2026-12-01T13:00:00Z", false, Step::Begin),
        ("2026-12-01T13:00:01Z", false, Step::Skip(Why::Late)),
        ("2026-12-20T09:00:00Z", false, Step::Skip(Why::Late)),
        ("2026-12-01T09:00:00Z", true, Step::Skip(Why::UnderWay)),
    ] {
        // Before its hour the configuration says the same.
        let said = if at(now) < planned.at { &planned } else { &next };
        assert_eq!(step(Some(&planned), Some(said), under_way, at(now)), expected, "{now}");
    }
    assert_eq!(step(None, Some(&next), true, at("2026-12-01T09:00:00Z")), Step::Plan(Some(next.clone())));
    assert_eq!(
        step(Some(&planned), None, false, at("2026-12-01T10:00:00Z")),
        Step::Plan(None),
        "switched off"
    );
    assert_eq!(step(None, None, false, at("2026-12-01T10:00:00Z")), Step::Nothing);
}

#[test]
fn another_hour_in_the_configuration_is_planned_and_somebody_who_came_in_takes_it_from_nobody() {
    let planned = occasion("2026-W49", "2026-12-01", "2026-12-01T15:00:00Z");
    let other = occasion("2026-W49", "2026-12-03", "2026-12-03T15:00:00Z");
    let next = occasion("2026-W50", "2026-12-08", "2026-12-08T01:00:00Z");
    let now = at("2026-12-01T12:00:00Z");
    assert_eq!(step(Some(&planned), Some(&other), false, now), Step::Plan(Some(other)));
    assert_eq!(step(Some(&planned), Some(&next), false, now), Step::Nothing, "somebody of Tokyo came in");
    // By a clock that was a year ahead.
    let far = occasion("2027-W49", "2027-12-07", "2027-12-07T15:00:00Z");
    assert_eq!(step(Some(&far), Some(&planned), false, now), Step::Plan(Some(planned)));
    assert!(never_was(far.at, now) && !never_was(at("2026-12-02T11:00:00Z"), now));
}

#[test]
fn nobody_is_asked_in_quiet_hours_nor_on_leave_nor_long_after_their_hour() {
    let mut maya =
        Person { email: "maya@example.net".into(), time_zone: zone("Europe/Oslo"), ..Person::default() };
    let due = at("2026-12-01T09:00:00Z");
    let now = due;
    assert_eq!(turn(State::Waits, Some(&maya), false, due, now), Turn::Ask);
    assert_eq!(turn(State::Waits, None, false, due, now), Turn::Ends(State::Gone));
    assert_eq!(turn(State::Waits, Some(&maya), true, due, now), Turn::Ends(State::Away));
    assert_eq!(turn(State::Asked, Some(&maya), true, due, now), Turn::Ends(State::Away));
    assert_eq!(turn(State::Asked, Some(&maya), false, due, now), Turn::Ends(State::Missed));
    let late = at("2026-12-01T13:00:01Z");
    assert_eq!(turn(State::Waits, Some(&maya), false, due, late), Turn::Ends(State::Late));
    let hours = |spans: &[(i8, i8)]| {
        let all = spans.iter().map(|(from, until)| (time(*from, 0, 0, 0), time(*until, 0, 0, 0))).collect();
        // Whatever they hold back: a test is less than anything.
        Some(Quiet { hours: all, severities: Vec::new() })
    };
    maya.quiet = hours(&[(22, 7)]);
    assert_eq!(turn(State::Waits, Some(&maya), false, due, now), Turn::Ask);
    for (spans, now, asked) in [
        (&[(22, 7)][..], "2026-12-01T02:00:00Z", "2026-12-01T06:00:00Z"),
        (&[(22, 7)], "2026-12-01T22:30:00Z", "2026-12-02T06:00:00Z"),
        (&[(22, 7), (7, 9)], "2026-12-01T02:00:00Z", "2026-12-01T08:00:00Z"),
        // In the nights in which the clocks change.
        (&[(22, 7)], "2027-03-27T23:00:00Z", "2027-03-28T05:00:00Z"),
        (&[(22, 7)], "2026-10-25T00:30:00Z", "2026-10-25T06:00:00Z"),
    ] {
        maya.quiet = hours(spans);
        let now = at(now);
        assert_eq!(
            turn(State::Waits, Some(&maya), false, now, now),
            Turn::Wait(at(asked)),
            "{spans:?} {now}"
        );
        assert_eq!(turn(State::Waits, Some(&maya), false, at(asked), at(asked)), Turn::Ask);
    }
    maya.quiet = hours(&[(0, 12), (12, 0)]);
    assert_eq!(turn(State::Waits, Some(&maya), false, due, due), Turn::Ask, "no hour is better than another");
}
