//! Calendars that rotations follow, told as stories: who is woken when what they say changes, or is not known any more.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::oncall::{Rotation, Turn, Turns};
use crate::core::rules::{Step, Target, When};
use crate::house::House;
use crate::store::calendars::{Kept, Subject};

/// Who is on call in `sre` by a calendar is woken first, then kim.
fn story() -> Story {
    let mut rules = (*house().rules).clone();
    let sre = Rotation { time_zone: TimeZone::UTC, turns: Turns::Calendar, shadows: Vec::new() };
    rules.rotations.insert("sre".into(), sre);
    let step = |target| Step {
        page: vec![target],
        wait: SignedDuration::from_mins(5),
        when: When::default(),
        remind: None,
    };
    rules.policies.get_mut("default").unwrap().steps =
        vec![step(Target::Rotation("sre".into())), step(Target::Person("kim".into()))];
    let story = Story::new();
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

impl Story {
    fn turn(&self, person: &str, from: i64, until: i64) -> Turn {
        let at = |minutes| self.clock.now() + SignedDuration::from_mins(minutes);
        Turn { from: at(from), until: at(until), person: person.into() }
    }

    fn calendar_says(&mut self, turns: Vec<Turn>, warnings: &[&str]) {
        let warnings = warnings.iter().map(|warning| (*warning).to_owned()).collect();
        let asked = CalendarSaid { rotation: "sre".into(), found: Ok((turns, warnings)) };
        assert!(matches!(self.ask(Command::Calendar(Box::new(asked))), Ok(Reply::Done)));
    }

    fn calendar_fails(&mut self, why: &str) {
        let asked = CalendarSaid { rotation: "sre".into(), found: Err(why.into()) };
        assert!(matches!(self.ask(Command::Calendar(Box::new(asked))), Ok(Reply::Done)));
    }

    /// Whom an alert wakes.
    fn wakes(&mut self, key: &str) -> Vec<String> {
        let incident = self.hears("pingdom", key, Status::Firing).1.unwrap();
        let sql = "select person from letter where incident = ?1 and kind = 'page' order by seq";
        self.look(|tx| tx.query(sql, &[incident.into()], |row| row.text(0)))
    }

    fn kept_calendar(&mut self) -> Kept {
        self.look(calendars::all).remove(0)
    }
}

#[test]
fn whom_the_calendar_names_at_this_hour_is_woken_and_in_a_gap_the_next_step() {
    let mut story = story();
    assert_eq!(story.wakes("db-0"), ["kim"], "nobody has read the calendar yet");
    let turns = vec![story.turn("maya", -60, 10), story.turn("tom", 10, 30), story.turn("maya", 20, 30)];
    story.calendar_says(turns, &[]);
    assert_eq!(story.wakes("db-1"), ["maya"]);
    story.passes(10);
    assert_eq!(story.wakes("db-2"), ["tom"]);
    story.passes(10);
    assert_eq!(story.wakes("db-3"), ["tom", "maya"]);
    story.passes(10);
    assert_eq!(story.wakes("db-4"), ["kim"]);
    story.proves_whole();
}

#[test]
fn what_was_read_last_stays_however_often_it_cannot_be_read() {
    let mut story = story();
    let turns = vec![story.turn("maya", -60, 600)];
    story.calendar_says(turns.clone(), &["an event is nobody's"]);
    let read = story.kept_calendar();
    assert_eq!(
        (read.turns.as_slice(), read.fetched_at, &read.error),
        (turns.as_slice(), Some(read.changed_at), &None)
    );
    story.passes(5);
    story.calendar_fails("it is answered with 404");
    story.passes(5);
    story.calendar_fails("no whole answer in 30 s");
    assert_eq!(story.wakes("db-1"), ["maya"]);
    let kept = story.kept_calendar();
    let failed = Kept { error: Some("no whole answer in 30 s".into()), ..read.clone() };
    assert_eq!(kept, failed);
    // The same once more is no change.
    story.calendar_says(turns, &[]);
    let again = story.kept_calendar();
    assert_eq!((again.changed_at, again.error, again.warnings), (read.changed_at, None, Vec::new()));
    assert!(again.fetched_at > read.fetched_at);
    let other = vec![story.turn("tom", -60, 600)];
    story.calendar_says(other, &[]);
    assert!(story.kept_calendar().changed_at > read.changed_at);
    assert_eq!(story.wakes("db-2"), ["tom"]);
}

#[test]
fn a_calendar_that_never_could_be_read_is_nobodys_and_says_why() {
    let mut story = story();
    story.calendar_fails("it is answered with 401");
    let kept = story.kept_calendar();
    assert_eq!(
        (kept.fetched_at, kept.error.as_deref(), kept.turns.len()),
        (None, Some("it is answered with 401"), 0)
    );
    assert_eq!(story.wakes("db-1"), ["kim"]);
}

#[test]
fn a_calendar_that_changes_in_a_transaction_counts_from_then_on() {
    let mut story = story();
    let (first, other) = (vec![story.turn("maya", -60, 60)], vec![story.turn("tom", -60, 60)]);
    let event = |key: &str| vec![Event::new(key, Status::Firing, format!("{key} is down"))];
    let says = |turns| {
        let asked = CalendarSaid { rotation: "sre".into(), found: Ok((turns, Vec::new())) };
        Command::Calendar(Box::new(asked))
    };
    let commands = vec![
        says(first),
        story.delivery("pingdom", event("db-1")),
        says(other),
        story.delivery("pingdom", event("db-2")),
    ];
    assert!(story.ask_all(commands).into_iter().all(|done| done.is_ok()));
    let sql = "select person from letter where kind = 'page' order by seq";
    assert_eq!(story.look(|tx| tx.query(sql, &[], |row| row.text(0))), ["maya", "tom"]);
}

#[test]
fn an_address_shows_its_calendar_until_it_is_revoked() {
    let mut story = story();
    let link = |token: &str, subject: Subject| Command::LinkCalendar {
        token: SecretString::from(token.to_owned()),
        subject,
        by: "maya".into(),
    };
    let (rotation, person) = (Subject::Rotation("sre".into()), Subject::Person("tom".into()));
    let Ok(Reply::Made(id)) = story.ask(link("one", rotation.clone())) else { panic!("not made") };
    assert!(matches!(story.ask(link("two", person.clone())), Ok(Reply::Made(_))));
    let mut shows = |token: &'static str| story.look(|tx| calendars::shown_by(tx, token));
    assert_eq!([shows("one"), shows("two"), shows("three")], [Some(rotation), Some(person), None]);
    assert!(matches!(story.ask(Command::UnlinkCalendar { id: id.clone() }), Ok(Reply::Done)));
    assert!(matches!(story.ask(Command::UnlinkCalendar { id }), Err(DoorError::NoLink(_))));
    assert_eq!(story.look(|tx| calendars::shown_by(tx, "one")), None);
    let links = story.look(calendars::links);
    assert_eq!(links.iter().map(|link| link.revoked_at.is_some()).collect::<Vec<_>>(), [true, false]);
    // What nobody asks for any more is forgotten.
    story.calendar_fails("x");
    story.passes(31 * 24 * 60);
    while let Ok(Reply::Forgotten { more: true }) = story.ask(Command::Forget) {}
    assert!(story.look(calendars::all).is_empty());
    assert_eq!(story.look(calendars::links).len(), 1);
    let _: Timestamp = links[0].created_at;
}
