//! Who is on call when something was said since: who stands in, who is away, and what calendars say.

use std::sync::Arc;

use jiff::civil::{date, time};

use super::stories::{at, layer, rotation, zone};
use super::*;

/// `tom for maya` or `tom for all`, for hours of the fifth of January 2026, said in this order.
fn said(lines: &[(&str, u32, u32)]) -> Roster {
    let mut roster = Roster::nothing();
    for (number, (line, from, until)) in lines.iter().enumerate() {
        let hour = |hour: u32| {
            let midnight = at("2026-01-05T00:00:00Z");
            midnight + jiff::SignedDuration::from_hours(i64::from(hour))
        };
        let words: Vec<&str> = line.split(' ').collect();
        let (author, reason, created_at) = (
            "kim".to_owned(),
            "a story".to_owned(),
            hour(0) + jiff::SignedDuration::from_secs(number as i64),
        );
        let (from, until, id) = (hour(*from), hour(*until), format!("{number}"));
        if words[1] == "away" {
            let person = words[0].to_owned();
            roster.leaves.push(Leave { id, person, from, until, author, reason, created_at, ended_by: None });
        } else {
            let instead_of = (words[2] != "all").then(|| words[2].to_owned());
            let (rotation, person) = ("sre".to_owned(), words[0].to_owned());
            roster.overrides.push(Override {
                id,
                rotation,
                person,
                instead_of,
                from,
                until,
                author,
                reason,
                created_at,
                ended_by: None,
            });
        }
    }
    // What was said is found in no order of its own.
    roster.overrides.reverse();
    roster
}

/// Who is on call on that day: `00 maya+tom 09 kim`.
fn told(rotation: &Rotation, roster: &Roster) -> String {
    let shifts = rotation.shifts("sre", roster, at("2026-01-05T00:00:00Z"), at("2026-01-06T00:00:00Z"), 99);
    for shift in &shifts {
        let duty = rotation.duty("sre", roster, shift.from);
        assert_eq!(duty.people, shift.people);
        assert!(duty.until <= shift.until || shift.until == at("2026-01-06T00:00:00Z"));
    }
    let words = shifts.iter().map(|shift| {
        let people = if shift.people.is_empty() { "-".into() } else { shift.people.join("+") };
        format!("{} {people}", shift.from.to_zoned(zone("UTC")).strftime("%H"))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Days of maya, tom and kim together, lee; handed over at midnight. The fifth is maya's.
fn days() -> Rotation {
    rotation(vec![layer("UTC", "maya tom+kim lee", 24, date(2026, 1, 5), time(0, 0, 0, 0))])
}

fn day_of(members: &str) -> Rotation {
    rotation(vec![layer("UTC", members, 24, date(2026, 1, 5), time(0, 0, 0, 0))])
}

#[test]
fn somebody_stands_in_for_a_while_and_what_was_said_last_counts() {
    assert_eq!(told(&days(), &said(&[("ann for all", 6, 12)])), "00 maya 06 ann 12 maya");
    let twice = said(&[("ann for all", 6, 12), ("bob for all", 8, 10)]);
    assert_eq!(told(&days(), &twice), "00 maya 06 ann 08 bob 10 ann 12 maya");
    let other_way = said(&[("bob for all", 8, 10), ("ann for all", 6, 12)]);
    assert_eq!(told(&days(), &other_way), "00 maya 06 ann 12 maya");
}

#[test]
fn what_was_said_in_the_same_moment_is_told_apart_by_its_id() {
    let mut both = said(&[("ann for all", 6, 12), ("bob for all", 6, 12)]);
    for one in &mut both.overrides {
        one.created_at = Timestamp::UNIX_EPOCH;
    }
    assert_eq!(told(&days(), &both), "00 maya 06 bob 12 maya");
    both.overrides.reverse();
    assert_eq!(told(&days(), &both), "00 maya 06 bob 12 maya");
}

#[test]
fn somebody_stands_in_for_one_of_a_turn_and_only_where_that_one_would_be() {
    assert_eq!(
        told(&day_of("tom+kim"), &said(&[("ann for kim", 6, 12)])),
        "00 tom+kim 06 tom+ann 12 tom+kim"
    );
    assert_eq!(told(&day_of("maya"), &said(&[("ann for kim", 6, 12)])), "00 maya");
    // Both of a turn may be stood in for, by two people or by one.
    let both = said(&[("ann for kim", 6, 12), ("bob for tom", 8, 10)]);
    assert_eq!(told(&day_of("tom+kim"), &both), "00 tom+kim 06 tom+ann 08 bob+ann 10 tom+ann 12 tom+kim");
    let by_one = said(&[("ann for kim", 6, 12), ("ann for tom", 6, 12)]);
    assert_eq!(told(&day_of("tom+kim"), &by_one), "00 tom+kim 06 ann 12 tom+kim");
}

#[test]
fn of_two_who_stand_in_for_the_same_the_later_counts_and_who_stands_in_may_be_stood_in_for() {
    let two = said(&[("ann for tom", 0, 12), ("bob for tom", 6, 9)]);
    assert_eq!(told(&day_of("tom"), &two), "00 ann 06 bob 09 ann 12 tom");
    let chain = said(&[("ann for tom", 0, 12), ("bob for ann", 6, 9)]);
    assert_eq!(told(&day_of("tom"), &chain), "00 ann 06 bob 09 ann 12 tom");
    let back = said(&[("ann for tom", 0, 12), ("tom for ann", 6, 9), ("bob for ann", 6, 9)]);
    assert_eq!(told(&day_of("tom"), &back), "00 ann 06 tom 09 ann 12 tom");
    let all_then_one = said(&[("ann for all", 0, 12), ("bob for ann", 6, 9), ("lee for tom", 6, 9)]);
    assert_eq!(told(&day_of("tom"), &all_then_one), "00 ann 06 bob 09 ann 12 tom");
}

#[test]
fn whoever_is_away_is_followed_by_the_next_turn_of_which_somebody_is_there() {
    assert_eq!(told(&days(), &said(&[("maya away", 6, 12)])), "00 maya 06 tom+kim 12 maya");
    let two = said(&[("maya away", 6, 12), ("tom away", 8, 24)]);
    assert_eq!(told(&days(), &two), "00 maya 06 tom+kim 08 kim 12 maya");
    let three = said(&[("maya away", 6, 12), ("tom away", 8, 24), ("kim away", 10, 11)]);
    assert_eq!(told(&days(), &three), "00 maya 06 tom+kim 08 kim 10 lee 11 kim 12 maya");
    // A turn of two of whom one is there is that one's.
    assert_eq!(told(&day_of("tom+kim maya"), &said(&[("kim away", 6, 12)])), "00 tom+kim 06 tom 12 tom+kim");
}

#[test]
fn where_all_of_a_layer_are_away_the_one_below_is_seen() {
    let two = rotation(vec![
        layer("UTC", "ann", 24, date(2026, 1, 5), time(0, 0, 0, 0)),
        layer("UTC", "tom kim", 24, date(2026, 1, 5), time(0, 0, 0, 0)),
    ]);
    let away = said(&[("tom away", 3, 12), ("kim away", 6, 9)]);
    assert_eq!(told(&two, &away), "00 tom 03 kim 06 ann 09 kim 12 tom");
    let all = said(&[("tom away", 3, 12), ("kim away", 3, 12), ("ann away", 6, 9)]);
    assert_eq!(told(&two, &all), "00 tom 03 ann 06 - 09 ann 12 tom");
}

#[test]
fn who_stands_in_counts_while_they_are_away_and_for_somebody_who_is() {
    let away = said(&[("ann away", 0, 24), ("ann for all", 6, 12)]);
    assert_eq!(told(&days(), &away), "00 maya 06 ann 12 maya");
    // Who is away has asked somebody: the next turn is left alone.
    let asked = said(&[("maya away", 6, 12), ("ann for maya", 6, 9)]);
    assert_eq!(told(&days(), &asked), "00 maya 06 ann 09 tom+kim 12 maya");
    // The next turn's people may be stood in for as well.
    let next = said(&[("maya away", 6, 12), ("ann for tom", 6, 9)]);
    assert_eq!(told(&days(), &next), "00 maya 06 ann+kim 09 tom+kim 12 maya");
}

#[test]
fn somebody_stands_in_where_there_would_be_a_gap() {
    let all = said(&[("maya away", 0, 24), ("ann for all", 6, 12), ("bob for maya", 18, 20)]);
    assert_eq!(told(&day_of("maya"), &all), "00 - 06 ann 12 - 18 bob 20 -");
}

#[test]
fn what_was_said_of_another_rotation_says_nothing_here() {
    let mut other = said(&[("ann for all", 6, 12)]);
    other.overrides[0].rotation = "db".into();
    let days = days();
    assert_eq!(told(&days, &other), "00 maya");
    assert_eq!(days.duty("sre", &other, at("2026-01-05T01:00:00Z")).until, at("2026-01-06T00:00:00Z"));
    // Nor does the leave of somebody who has no turns here.
    let stranger = said(&[("ann away", 6, 12)]);
    assert_eq!(days.duty("sre", &stranger, at("2026-01-05T01:00:00Z")).until, at("2026-01-06T00:00:00Z"));
    // Nor, until they would be on call, that of somebody who has.
    let later = said(&[("lee away", 6, 12)]);
    assert_eq!(days.duty("sre", &later, at("2026-01-05T01:00:00Z")).until, at("2026-01-06T00:00:00Z"));
}

#[test]
fn shadows_are_told_unless_they_are_away_or_on_call_themselves() {
    let shadowed = Rotation { shadows: vec!["lee".into(), "ann".into()], ..days() };
    let roster = said(&[("ann away", 6, 12), ("lee for all", 9, 10)]);
    let hours = |hour: &str| {
        let duty = shadowed.duty("sre", &roster, at(&format!("2026-01-05T{hour}:00:00Z")));
        (duty.shadows.join(" "), duty.until.to_zoned(zone("UTC")).hour())
    };
    assert_eq!(hours("00"), ("lee ann".to_owned(), 6));
    assert_eq!(hours("06"), ("lee".to_owned(), 9));
    assert_eq!(hours("09"), (String::new(), 10));
    assert_eq!(hours("12"), ("lee ann".to_owned(), 0));
}

#[test]
fn a_calendar_is_gone_through_as_turns_are() {
    let turn = |person: &str, from: &str, until: &str| Turn {
        from: at(&format!("2026-01-05T{from}:00:00Z")),
        until: at(&format!("2026-01-05T{until}:00:00Z")),
        person: person.into(),
    };
    let turns = vec![
        turn("kim", "09", "15"),
        turn("maya", "00", "08"),
        turn("tom", "07", "10"),
        turn("tom", "08", "12"),
    ];
    let mut roster = said(&[("ann for tom", 9, 10), ("kim away", 11, 13)]);
    roster.calendars.insert("sre".into(), Arc::new(turns));
    let feed = Rotation { time_zone: TimeZone::UTC, turns: Turns::Calendar, shadows: vec!["lee".into()] };
    assert_eq!(
        told(&feed, &roster),
        "00 maya 07 maya+tom 08 tom 09 ann+kim 10 tom+kim 11 tom 12 - 13 kim 15 -"
    );
    assert_eq!(feed.duty("sre", &roster, at("2026-01-05T15:00:00Z")).until, Timestamp::MAX);
    assert_eq!(feed.duty("sre", &Roster::nothing(), at("2026-01-05T10:00:00Z")).people, Vec::<String>::new());
}
