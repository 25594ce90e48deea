//! Who is on call by the configuration alone: hand-overs, layers, hours, people together.

use jiff::SignedDuration;
use jiff::civil::{Date, Time, Weekday, date, time};

use super::*;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// Turns, written `maya tom+kim lee`.
pub(super) fn turns(text: &str) -> Vec<Vec<String>> {
    text.split(' ').map(|turn| turn.split('+').map(str::to_owned).collect()).collect()
}

/// A layer that is always open.
pub(super) fn layer(zone_name: &str, members: &str, shift_hours: u32, start: Date, hour: Time) -> Layer {
    Layer {
        time_zone: zone(zone_name),
        members: turns(members),
        shift_hours,
        handover_day: shift_hours.is_multiple_of(168).then_some(Weekday::Monday),
        handover_time: hour,
        start,
        hours: Hours::always(),
    }
}

pub(super) fn rotation(layers: Vec<Layer>) -> Rotation {
    Rotation { time_zone: layers[0].time_zone.clone(), turns: Turns::Layers(layers), shadows: Vec::new() }
}

pub(super) fn weekly(zone_name: &str) -> Rotation {
    rotation(vec![layer(zone_name, "maya tom kim", 168, date(2026, 1, 5), time(9, 0, 0, 0))])
}

pub(super) fn duty(rotation: &Rotation, when: &str) -> Duty {
    rotation.duty("sre", &Roster::nothing(), at(when))
}

pub(super) fn who(rotation: &Rotation, when: &str) -> String {
    duty(rotation, when).people.join("+")
}

/// What people read: `maya 08:00 tom 16:00 -`, hours of the rotation's zone.
fn told(rotation: &Rotation, from: &str, until: &str) -> Vec<String> {
    let shifts = rotation.shifts("sre", &Roster::nothing(), at(from), at(until), 1000);
    let hour = |at: Timestamp| at.to_zoned(rotation.time_zone.clone()).strftime("%a %d %H:%M").to_string();
    shifts
        .iter()
        .map(|shift| {
            let people = if shift.people.is_empty() { "nobody".into() } else { shift.people.join("+") };
            format!("{} {people}", hour(shift.from))
        })
        .collect()
}

#[test]
fn the_hand_over_is_at_nine_on_monday_in_oslo_winter_and_summer() {
    let sre = weekly("Europe/Oslo");
    assert_eq!(who(&sre, "2026-01-05T08:00:00Z"), "maya");
    assert_eq!(who(&sre, "2026-01-12T07:59:59Z"), "maya");
    assert_eq!(who(&sre, "2026-01-12T08:00:00Z"), "tom");
    // 2026-03-29 the clocks go forward: nine o'clock in Oslo is then seven UTC.
    assert_eq!(who(&sre, "2026-03-30T06:59:59Z"), "kim");
    assert_eq!(who(&sre, "2026-03-30T07:00:00Z"), "maya");
}

#[test]
fn a_shift_over_the_change_of_daylight_saving_is_an_hour_shorter() {
    let sre = weekly("Europe/Oslo");
    let shifts =
        sre.shifts("sre", &Roster::nothing(), at("2026-03-01T00:00:00Z"), at("2026-04-20T00:00:00Z"), 9);
    let hours: Vec<i64> =
        shifts[1..6].iter().map(|shift| shift.until.duration_since(shift.from).as_hours()).collect();
    assert_eq!(hours, [168, 168, 168, 167, 168]);
}

#[test]
fn zones_of_half_an_hour_hand_over_at_their_own_nine() {
    let until = duty(&weekly("Australia/Lord_Howe"), "2026-06-03T00:00:00Z").until;
    let local = until.to_zoned(zone("Australia/Lord_Howe"));
    assert_eq!((local.hour(), local.minute(), local.weekday()), (9, 0, Weekday::Monday));
}

#[test]
fn before_the_start_the_first_member_is_on_call() {
    let found = duty(&weekly("UTC"), "2025-06-01T00:00:00Z");
    assert_eq!((found.people, found.until), (vec!["maya".into()], at("2026-01-12T09:00:00Z")));
}

#[test]
fn shifts_of_twelve_hours_keep_eight_and_twenty_over_both_changes() {
    let halves = rotation(vec![layer("Europe/Oslo", "maya tom", 12, date(2026, 1, 5), time(8, 0, 0, 0))]);
    for (from, until, expected) in [
        ("2026-03-28T19:00:00Z", "2026-03-29T19:00:00Z", [11, 12, 1]),
        ("2026-10-24T18:00:00Z", "2026-10-25T20:00:00Z", [13, 12, 1]),
    ] {
        let shifts = halves.shifts("sre", &Roster::nothing(), at(from), at(until), 9);
        let hours: Vec<i64> =
            shifts.iter().map(|shift| shift.until.duration_since(shift.from).as_hours()).collect();
        assert_eq!(hours, expected);
        for shift in &shifts {
            let hour = shift.from.to_zoned(zone("Europe/Oslo")).hour();
            assert!(hour == 8 || hour == 20, "{shift:?}");
        }
    }
}

#[test]
fn of_shifts_in_an_hour_that_is_left_out_the_last_that_has_begun_counts() {
    // Troll goes from 01:00 to 03:00: the shifts of 01:00 and 02:00 would begin at 03:00 and 04:00.
    let hourly = rotation(vec![layer(
        "Antarctica/Troll",
        "h00 h01 h02 h03 h04 h05 h06 h07 h08 h09 h10 h11 h12 h13 h14 h15 h16 h17 h18 h19 h20 h21 h22 h23",
        1,
        date(2026, 1, 1),
        time(0, 0, 0, 0),
    )]);
    let night = told(&hourly, "2026-03-29T00:00:00Z", "2026-03-29T04:00:00Z");
    assert_eq!(night, ["Sun 29 00:00 h00", "Sun 29 03:00 h03", "Sun 29 04:00 h04", "Sun 29 05:00 h05"]);
}

#[test]
fn a_day_that_never_was_has_no_shift() {
    // 2011-12-30 was no day in Samoa.
    let daily =
        rotation(vec![layer("Pacific/Apia", "maya tom kim", 24, date(2011, 12, 26), time(9, 0, 0, 0))]);
    let told = told(&daily, "2011-12-28T20:00:00Z", "2012-01-01T00:00:00Z");
    assert_eq!(told, ["Wed 28 10:00 kim", "Thu 29 09:00 maya", "Sat 31 09:00 kim", "Sun 01 09:00 maya"]);
}

#[test]
fn people_share_a_turn() {
    let pairs = rotation(vec![layer("UTC", "maya tom+kim", 24, date(2026, 1, 5), time(9, 0, 0, 0))]);
    assert_eq!(who(&pairs, "2026-01-05T10:00:00Z"), "maya");
    assert_eq!(duty(&pairs, "2026-01-06T10:00:00Z").people, ["tom", "kim"]);
}

#[test]
fn a_team_that_follows_the_sun_is_three_layers_with_hours_of_their_own() {
    let mut layers: Vec<Layer> =
        [("Asia/Kolkata", "asha"), ("Europe/Oslo", "maya"), ("America/New_York", "ann")]
            .map(|(zone, who)| layer(zone, who, 168, date(2026, 1, 5), time(9, 0, 0, 0)))
            .into();
    for layer in &mut layers[1..] {
        layer.hours = Hours::new(&[], &[(9 * 60, 17 * 60)]);
    }
    let sun = Rotation { time_zone: TimeZone::UTC, ..rotation(layers) };
    // New York and Oslo change their clocks on other days: for three weeks in March they are an hour nearer.
    let day = told(&sun, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
    assert_eq!(day, ["Mon 02 00:00 asha", "Mon 02 08:00 maya", "Mon 02 14:00 ann", "Mon 02 22:00 asha"]);
    let day = told(&sun, "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z");
    assert_eq!(day, ["Tue 10 00:00 asha", "Tue 10 08:00 maya", "Tue 10 13:00 ann", "Tue 10 21:00 asha"]);
}

#[test]
fn where_no_layer_is_open_there_is_a_gap() {
    let mut office = layer("Europe/Oslo", "maya", 168, date(2026, 1, 5), time(9, 0, 0, 0));
    office.hours = Hours::new(
        &[Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday],
        &[(8 * 60, 16 * 60)],
    );
    let office = Rotation { shadows: vec!["lee".into()], ..rotation(vec![office]) };
    let week = told(&office, "2026-01-08T12:00:00Z", "2026-01-12T12:00:00Z");
    assert_eq!(
        week,
        [
            "Thu 08 13:00 maya",
            "Thu 08 16:00 nobody",
            "Fri 09 08:00 maya",
            "Fri 09 16:00 nobody",
            "Mon 12 08:00 maya"
        ]
    );
    assert_eq!(duty(&office, "2026-01-10T12:00:00Z").until, at("2026-01-12T07:00:00Z"));
    // Who is told of what others are woken for is not told of anything then.
    assert!(duty(&office, "2026-01-10T12:00:00Z").shadows.is_empty());
    assert_eq!(duty(&office, "2026-01-09T12:00:00Z").shadows, ["lee"]);
}

#[test]
fn a_layer_above_begins_with_its_first_hand_over_and_the_lowest_always_was() {
    let below = layer("UTC", "maya", 168, date(2027, 1, 4), time(9, 0, 0, 0));
    let above = layer("UTC", "tom", 168, date(2026, 6, 1), time(9, 0, 0, 0));
    let both = rotation(vec![below, above]);
    assert_eq!(duty(&both, "2026-02-01T00:00:00Z").people, ["maya"]);
    assert_eq!(duty(&both, "2026-02-01T00:00:00Z").until, at("2026-06-01T09:00:00Z"));
    assert_eq!(who(&both, "2026-06-01T09:00:00Z"), "tom");
}

#[test]
fn until_is_the_next_hand_over_also_to_the_same_person_and_not_one_that_is_hidden() {
    let alone = rotation(vec![layer("UTC", "maya", 168, date(2026, 1, 5), time(9, 0, 0, 0))]);
    assert_eq!(duty(&alone, "2026-02-03T00:00:00Z").until, at("2026-02-09T09:00:00Z"));
    let hidden = rotation(vec![
        layer("UTC", "tom kim", 1, date(2026, 1, 5), time(0, 0, 0, 0)),
        layer("UTC", "maya", 168, date(2026, 1, 5), time(9, 0, 0, 0)),
    ]);
    assert_eq!(duty(&hidden, "2026-02-03T00:00:00Z").until, at("2026-02-09T09:00:00Z"));
    // Neighbours of the same people are one shift.
    let shifts =
        alone.shifts("sre", &Roster::nothing(), at("2026-02-03T00:00:00Z"), at("2026-05-03T00:00:00Z"), 9);
    assert_eq!(shifts.len(), 1);
    assert_eq!((shifts[0].from, shifts[0].until), (at("2026-02-03T00:00:00Z"), at("2026-05-03T00:00:00Z")));
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    for start in [Date::MIN, Date::MAX, date(1, 1, 1), date(2026, 1, 5)] {
        for shift_hours in [1, 12, 24, 168, u32::MAX] {
            for hours in [Hours::always(), Hours::new(&[Weekday::Sunday], &[(60, 30)])] {
                let odd = Layer {
                    hours,
                    ..layer("Europe/Oslo", "maya tom", shift_hours, start, time(23, 59, 0, 0))
                };
                let odd = rotation(vec![odd.clone(), odd]);
                for now in [Timestamp::MIN, Timestamp::MAX, at("2026-01-05T08:00:00Z")] {
                    let duty = odd.duty("sre", &Roster::nothing(), now);
                    assert!(duty.until > now || now == Timestamp::MAX, "{start} {shift_hours} {now}");
                    let later = now.saturating_add(SignedDuration::from_hours(99)).unwrap();
                    assert!(odd.shifts("sre", &Roster::nothing(), now, later, 200).len() <= 100);
                }
            }
        }
    }
    let nobody =
        rotation(vec![Layer { members: Vec::new(), ..layer("UTC", "a", 1, Date::MIN, time(0, 0, 0, 0)) }]);
    assert_eq!(who(&nobody, "2026-01-05T08:00:00Z"), "");
}
