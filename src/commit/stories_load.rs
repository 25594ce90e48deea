//! How being on call is shared, told from the store: who was on call, whom incidents woke, and who answered.

use std::collections::BTreeSet;

use jiff::civil::{Weekday, date, time};
use jiff::tz::TimeZone;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::load::{Load, Tally};
use crate::core::oncall::past::{self, Kept};
use crate::core::oncall::{Hours, Layer, Override, Rotation, Turns};
use crate::core::rules::Rules;
use crate::house::House;
use crate::store::{load, roster};

fn weekly(members: &[&str], zone: &str) -> Rotation {
    let time_zone = TimeZone::get(zone).unwrap();
    let layer = Layer {
        time_zone: time_zone.clone(),
        members: members.iter().map(|&name| vec![name.to_owned()]).collect(),
        shift_hours: 7 * 24,
        handover_day: Some(Weekday::Monday),
        handover_time: time(9, 0, 0, 0),
        start: date(2026, 1, 5),
        hours: Hours::always(),
    };
    Rotation { time_zone, turns: Turns::Layers(vec![layer]), shadows: Vec::new() }
}

fn rules_with(rotations: &[(&str, Rotation)]) -> Rules {
    let mut rules = (*house().rules).clone();
    rules.rotations = rotations.iter().map(|(name, one)| ((*name).to_owned(), one.clone())).collect();
    for (name, zone) in [("maya", "Europe/Oslo"), ("tom", "America/New_York")] {
        rules.people.get_mut(name).unwrap().time_zone = TimeZone::get(zone).unwrap();
    }
    rules
}

fn at(text: &str) -> Timestamp {
    format!("2026-{text}:00Z").parse().unwrap()
}

impl Story {
    /// From now on the house is another.
    fn runs_with(&mut self, rules: &Rules) {
        self.committer.house.swap(House { rules: Arc::new(rules.clone()), ..house() });
    }

    /// It is this hour. Time goes on in a story by itself, too: by less than the second to which this is true.
    fn it_is(&self, hour: &str) {
        let now = self.clock.now();
        self.clock.forward(at(hour).duration_since(now));
    }

    /// A worker looks, as it does every few seconds; whether it asks the door.
    fn notes_duty(&mut self, rules: &Rules) -> bool {
        let due = self.look(|tx| {
            Ok(past::is_due(&rules.rotations, &roster::said(tx, rules, tx.now)?, &load::open(tx)?, tx.now))
        });
        if due {
            assert!(matches!(self.ask(Command::NoteDuty), Ok(Reply::Looked(true))));
        }
        // Another node has asked at the same moment.
        assert!(matches!(self.ask(Command::NoteDuty), Ok(Reply::Looked(false))));
        due
    }

    fn kept(&mut self) -> Vec<String> {
        let mut kept = self.look(|tx| load::kept(tx, Timestamp::MIN, Timestamp::MAX));
        kept.sort_by(|one, other| (one.from, &one.rotation).cmp(&(other.from, &other.rotation)));
        let hour = |at: Timestamp| at.round(jiff::Unit::Minute).unwrap().strftime("%m-%dT%H:%M").to_string();
        let row = |row: &Kept| {
            let goes_on = if row.open { " on" } else { "" };
            format!("{} {} {} {}{goes_on}", row.rotation, row.person, hour(row.from), hour(row.until))
        };
        kept.iter().map(row).collect()
    }

    fn load(&mut self, rules: &Rules, since: &str, until: &str) -> (Load, bool) {
        let (since, until) = (at(since), at(until));
        let mut tally = Tally::new(since, until);
        let mut after = 0;
        loop {
            // Piece by piece, however small they are.
            let (page, last) = self.look(|tx| load::page(tx, (Timestamp::MIN, until), after, 2));
            page.iter().for_each(|touches| tally.add(touches));
            let Some(last) = last else { break };
            after = last;
        }
        let kept = self.look(|tx| load::kept(tx, since, until));
        let roster = self.look(|tx| roster::said(tx, rules, since));
        let (mut turns, mut assumed) = (Vec::new(), false);
        for (name, rotation) in &rules.rotations {
            let own: Vec<Kept> = kept.iter().filter(|row| row.rotation == *name).cloned().collect();
            let found = past::turns(name, Some(rotation), &roster, &own, (since, until));
            turns.extend(found.turns);
            assumed |= found.assumed;
        }
        let in_rotations: BTreeSet<String> =
            rules.rotations.values().flat_map(|rotation| rotation.everybody()).map(str::to_owned).collect();
        let zone =
            |name: &str| rules.people.get(name).map_or(TimeZone::UTC, |person| person.time_zone.clone());
        (tally.sum(turns, &in_rotations, zone), assumed)
    }
}

/// Hours on call, pages, at night, on weekends, wakings, answers, and minutes to an answer.
fn figures(load: &Load, person: &str) -> (i64, [u64; 5], Option<i64>) {
    let all = &load.people[person].all;
    let counts = [all.pages, all.night, all.weekend, all.woken, all.answered];
    // What a story takes itself is less than a minute.
    (all.on_call.as_hours(), counts, all.answer().map(|answer| answer.as_mins()))
}

#[test]
fn hours_pages_and_answers_are_counted_over_the_change_of_daylight_saving() {
    let mut story = Story::new();
    let rules = rules_with(&[("sre", weekly(&["maya", "tom"], "Europe/Oslo"))]);
    story.runs_with(&rules);
    // Sunday, an hour before two o'clock becomes three in Oslo; in New York it is Saturday evening, half past eight.
    story.it_is("03-29T00:30");
    story.hears("pingdom", "a", Status::Firing);
    story.passes(6);
    story.tick(1);
    story.passes(4);
    story.act(1, "tom", Act::Answer { help: false }).unwrap();
    // Sunday noon: paged and not answered. Monday, 07:01 in Oslo, which is the middle of the night without the change.
    story.it_is("03-29T10:00");
    story.hears("pingdom", "b", Status::Firing);
    story.it_is("03-30T05:01");
    story.hears("pingdom", "c", Status::Firing);
    story.act(3, "maya", Act::Answer { help: false }).unwrap();
    let (load, assumed) = story.load(&rules, "03-23T08:00", "04-06T07:00");
    // From Monday 9:00 in winter to Monday 9:00 in summer it is 167 hours; the next week has 168.
    assert_eq!(figures(&load, "tom"), (167, [1, 0, 1, 0, 1], Some(4)));
    assert_eq!(figures(&load, "maya"), (168, [3, 1, 1, 1, 1], Some(0)));
    assert!(assumed, "nothing was written down");
    let weeks: Vec<_> =
        load.people["tom"].weeks.iter().map(|(week, of)| (week.to_string(), of.on_call.as_hours())).collect();
    // Tom's Monday begins in New York, where it is four o'clock when he takes over in Oslo, and three when he hands over.
    assert_eq!(weeks, [("2026-03-23".to_owned(), 164), ("2026-03-30".to_owned(), 3)]);
    story.proves_whole();
}

#[test]
fn whoever_stands_in_is_on_call_and_is_written_down_once() {
    let mut story = Story::new();
    let rules = rules_with(&[("sre", weekly(&["maya"], "Europe/Oslo"))]);
    story.runs_with(&rules);
    story.it_is("03-03T12:00");
    assert!(story.notes_duty(&rules));
    let stands_in = |from: &str, until: &str| Override {
        id: crate::crypto::random_token().unwrap(),
        rotation: "sre".into(),
        person: "tom".into(),
        instead_of: None,
        from: at(from),
        until: at(until),
        author: "maya".into(),
        reason: "a concert".into(),
        created_at: at(from),
        ended_by: None,
    };
    let said = Change::StandIn(vec![stands_in("03-03T13:00", "03-03T15:00")]);
    story.ask(Command::Roster(said)).unwrap();
    story.it_is("03-03T13:00");
    assert!(story.notes_duty(&rules));
    story.passes(5);
    assert!(!story.notes_duty(&rules), "nothing is new");
    // No node ran when it ended.
    story.it_is("03-03T18:00");
    assert!(story.notes_duty(&rules));
    let rows = [
        "sre maya 03-03T12:00 03-03T13:00",
        "sre tom 03-03T13:00 03-03T15:00",
        "sre maya 03-03T15:00 03-03T18:00 on",
    ];
    assert_eq!(story.kept(), rows);
    let (load, assumed) = story.load(&rules, "03-03T12:01", "03-03T18:00");
    assert_eq!((figures(&load, "tom").0, figures(&load, "maya").0, assumed), (2, 3, false));
}

#[test]
fn whoever_checks_in_has_answered() {
    let mut story = Story::new();
    let rules = rules_with(&[("sre", weekly(&["maya", "tom"], "Europe/Oslo"))]);
    story.runs_with(&rules);
    story.it_is("03-03T12:00");
    story.hears("pingdom", "a", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "tom", Act::CheckIn).unwrap();
    let (load, _) = story.load(&rules, "03-03T11:00", "03-03T13:00");
    assert_eq!(load.people["tom"].all.answered, 1);
}

#[test]
fn every_hand_over_is_kept_once_whatever_the_number_of_nodes_and_caught_up_with() {
    let mut story = Story::new();
    let rules = rules_with(&[
        ("sre", weekly(&["maya", "tom"], "Europe/Oslo")),
        ("office", weekly(&["kim"], "America/St_Johns")),
    ]);
    story.runs_with(&rules);
    story.it_is("03-27T12:00");
    assert!(story.notes_duty(&rules));
    for minutes in [0, 1, 30] {
        story.passes(minutes);
        assert!(!story.notes_duty(&rules), "nothing is new");
    }
    story.it_is("03-30T07:00");
    assert!(story.notes_duty(&rules));
    assert_eq!(
        story.kept(),
        [
            "office kim 03-27T12:00 03-30T07:00 on",
            "sre tom 03-27T12:00 03-30T07:00",
            "sre maya 03-30T07:00 03-30T07:00 on"
        ]
    );
    // No node ran for two weeks.
    story.it_is("04-14T12:00");
    assert!(story.notes_duty(&rules));
    assert_eq!(
        story.kept()[2..],
        [
            "sre maya 03-30T07:00 04-06T07:00",
            "sre tom 04-06T07:00 04-13T07:00",
            "sre maya 04-13T07:00 04-14T12:00 on"
        ]
    );
    // The rotation is another from now on; what was stays as it was.
    story.passes(20);
    let changed = rules_with(&[("sre", weekly(&["tom"], "Europe/Oslo"))]);
    story.runs_with(&changed);
    assert!(story.notes_duty(&changed));
    assert_eq!(
        story.kept()[3..],
        [
            "sre tom 04-06T07:00 04-13T07:00",
            "sre maya 04-13T07:00 04-14T12:20",
            "sre tom 04-14T12:20 04-14T12:20 on"
        ]
    );
    assert_eq!(story.kept()[0], "office kim 03-27T12:00 04-14T12:20");
    let (load, assumed) = story.load(&changed, "03-30T07:00", "04-14T12:20");
    assert_eq!((figures(&load, "maya").0, figures(&load, "tom").0, assumed), (168 + 29, 168, false));
    // A clock that was a year ahead is put right.
    story.it_is("04-14T12:30");
    story.passes(365 * 24 * 60);
    story.notes_duty(&changed);
    story.is_put_back(365 * 24 * 60 - 10);
    assert!(story.notes_duty(&changed));
    assert_eq!(story.kept()[5..], ["sre tom 04-14T12:20 04-14T12:40 on"]);
    // What is too old is forgotten, and what goes on never.
    story.committer.house.swap(House {
        rules: Arc::new(changed.clone()),
        retention: Some(SignedDuration::from_hours(24)),
        ..house()
    });
    story.passes(3 * 24 * 60);
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.kept(), ["sre tom 04-14T12:20 04-14T12:40 on"]);
    story.proves_whole();
}
