//! What is told of the days ahead: who comes next, until when somebody stays, and when nobody is there.

use jiff::{SignedDuration, Timestamp};

use super::stories_roster::rotations;
use crate::core::oncall::ahead::{Gap, Watch};
use crate::core::oncall::roster::LASTS_MAX;
use crate::core::oncall::{Leave, Override, Roster, Rotation};

/// maya, tom and kim by weeks from the fifth of January 2026 on, handed over at midnight.
fn sre() -> Rotation {
    rotations("2026-01-05", "7 days").remove("sre").unwrap()
}

/// tom alone.
fn dba() -> Rotation {
    rotations("2026-01-05", "7 days").remove("dba").unwrap()
}

/// An hour of January 2026.
fn at(day: i64, hour: i64) -> Timestamp {
    let first: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours((day - 1) * 24 + hour)
}

fn stands_in(person: &str, instead_of: Option<&str>, from: Timestamp, until: Timestamp) -> Override {
    Override {
        id: format!("{person}{from}"),
        rotation: "sre".into(),
        person: person.into(),
        instead_of: instead_of.map(str::to_owned),
        from,
        until,
        author: "maya".into(),
        reason: "the dentist".into(),
        created_at: at(1, 0),
        ended_by: None,
    }
}

fn away(person: &str, from: Timestamp, until: Timestamp) -> Leave {
    Leave {
        id: format!("{person}{from}"),
        person: person.into(),
        from,
        until,
        author: "maya".into(),
        reason: "holidays".into(),
        created_at: at(1, 0),
        ended_by: None,
    }
}

fn told(watches: &[Watch]) -> Vec<String> {
    let hour = |at: Timestamp| at.strftime("%-d.%-H").to_string();
    watches
        .iter()
        .map(|one| format!("{} {} {}", hour(one.from), hour(one.until), one.people.join("+")))
        .collect()
}

#[test]
fn the_days_ahead_are_told_without_a_break() {
    let roster = Roster {
        overrides: vec![stands_in("lee", None, at(6, 9), at(6, 17))],
        leaves: vec![away("tom", at(13, 0), at(14, 0))],
        ..Roster::default()
    };
    let watches = sre().watches("sre", &roster, at(5, 9), at(19, 9));
    assert_eq!(
        told(&watches),
        [
            "5.9 6.9 maya",
            "6.9 6.17 lee",
            "6.17 12.0 maya",
            "12.0 13.0 tom",
            "13.0 14.0 kim",
            "14.0 19.0 tom",
            "19.0 19.9 kim"
        ]
    );
    assert!(sre().gaps("sre", &roster, at(5, 9), at(19, 9)).is_empty());
    assert!(sre().watches("sre", &roster, at(5, 9), at(5, 9)).is_empty());
}

#[test]
fn somebody_stays_on_call_until_they_hand_over_whatever_is_said_of_others() {
    let elsewhere = Override { rotation: "dba".into(), ..stands_in("lee", None, at(6, 9), at(6, 17)) };
    let mut roster = Roster {
        overrides: vec![elsewhere],
        leaves: vec![away("kim", at(7, 0), at(14, 0))],
        ..Roster::default()
    };
    assert_eq!(sre().stays_until("sre", &roster, at(5, 9)), at(12, 0));
    roster.leaves.push(away("maya", at(8, 0), at(9, 0)));
    assert_eq!(sre().stays_until("sre", &roster, at(5, 9)), at(8, 0));
    roster.overrides.push(stands_in("lee", None, at(6, 9), at(6, 17)));
    assert_eq!(sre().stays_until("sre", &roster, at(6, 10)), at(6, 17));
    // Of a rotation of one it is the hand-over all the same.
    assert_eq!(dba().stays_until("dba", &Roster::default(), at(5, 9)), at(12, 0));
}

#[test]
fn a_gap_is_told_with_its_hours_and_what_was_said_can_close_it() {
    let gap = |from, until| Gap { rotation: "dba".into(), from, until };
    let mut roster = Roster { leaves: vec![away("tom", at(7, 12), at(8, 12))], ..Roster::default() };
    assert_eq!(dba().gaps("dba", &roster, at(5, 9), at(19, 9)), [gap(at(7, 12), at(8, 12))]);
    let closes = stands_in("kim", None, at(7, 0), at(8, 0));
    roster.overrides.push(Override { rotation: "dba".into(), ..closes });
    assert_eq!(dba().gaps("dba", &roster, at(5, 9), at(19, 9)), [gap(at(8, 0), at(8, 12))]);
    let rest = dba().gaps("dba", &roster, at(8, 6), at(8, 8));
    assert_eq!(rest, [gap(at(8, 6), at(8, 8))], "what is left of it");
    // All of three.
    let all = ["maya", "tom", "kim"].map(|person| away(person, at(6, 0), at(7, 0)));
    let roster = Roster { leaves: all.into(), ..Roster::default() };
    let gaps = sre().gaps("sre", &roster, at(5, 0), at(19, 0));
    assert_eq!(gaps, [Gap { rotation: "sre".into(), from: at(6, 0), until: at(7, 0) }]);
}

#[test]
fn of_several_overrides_the_newest_counts_and_a_place_is_found_by_whose_it_was() {
    let later = |one: Override| Override { created_at: at(1, 0) + SignedDuration::from_secs(1), ..one };
    let all = (at(5, 0), at(6, 0));
    let said = |overrides: Vec<Override>| {
        let roster = Roster { overrides, ..Roster::default() };
        sre().duty("sre", &roster, at(5, 9)).people.join("+")
    };
    let kim = || stands_in("kim", None, all.0, all.1);
    let lee = |whose: Option<&str>| later(stands_in("lee", whose, all.0, all.1));
    assert_eq!(said(vec![]), "maya");
    assert_eq!(said(vec![kim(), lee(None)]), "lee");
    assert_eq!(said(vec![lee(None), kim()]), "lee");
    assert_eq!(said(vec![lee(Some("maya"))]), "lee");
    assert_eq!(said(vec![lee(Some("tom"))]), "maya", "it is not tom's turn");
    // The place of who was put in, and of whose it was before.
    let kim_for_maya = || stands_in("kim", Some("maya"), all.0, all.1);
    assert_eq!(said(vec![kim_for_maya(), lee(Some("kim"))]), "lee");
    assert_eq!(said(vec![kim_for_maya(), lee(Some("maya"))]), "lee");
    let roster = Roster { overrides: vec![kim(), lee(None)], ..Roster::default() };
    let by = |person, hour| roster.puts_in("sre", person, hour).map(|one| one.id.as_str());
    assert_eq!(by("lee", at(5, 9)), Some("lee2026-01-05T00:00:00Z"));
    assert_eq!((by("maya", at(5, 9)), by("lee", at(6, 0))), (None, None));
}

#[test]
fn who_left_the_house_stands_in_for_nobody() {
    let roster = Roster { overrides: vec![stands_in("gone", None, at(5, 0), at(6, 0))], ..Roster::default() };
    assert_eq!(sre().duty("sre", &roster, at(5, 9)).people, ["gone"]);
    let roster = roster.of_people(|person| person != "gone");
    assert_eq!(sre().duty("sre", &roster, at(5, 9)).people, ["maya"]);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let now = at(5, 0);
    let good = stands_in("kim", None, at(5, 0), at(6, 0));
    assert_eq!(good.check(now), Ok(()));
    for (wrong, words) in [
        (Override { until: at(5, 0), ..good.clone() }, "before it begins"),
        (Override { from: at(4, 0), until: at(5, 0), ..good.clone() }, "past"),
        (Override { until: at(96, 0), ..good.clone() }, "90 days"),
        (Override { from: at(371, 0), until: at(372, 1), ..good.clone() }, "a year"),
        (Override { reason: String::new(), ..good.clone() }, "why"),
        (Override { reason: "x".repeat(501), ..good.clone() }, "500 bytes"),
        (Override { instead_of: Some("kim".into()), ..good.clone() }, "cannot stand in"),
    ] {
        let why = wrong.check(now).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    let leave = away("kim", at(5, 0), at(5, 0) + LASTS_MAX);
    assert_eq!(leave.check(now), Ok(()));
    assert!(Leave { reason: String::new(), ..leave }.check(now).is_err());
}
