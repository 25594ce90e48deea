//! Stories of alerts that go from one incident to another.

use jiff::SignedDuration;

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::core::matcher::read_all;
use crate::core::timeline::{Actor, Route};
use crate::store::incidents;

impl Story {
    fn firing(&mut self, incident: i64) -> u32 {
        self.look(|tx| incidents::load(tx, incident)).unwrap().incident.firing
    }

    fn is_ended_by_maya(&mut self, incident: i64) {
        self.act(incident, "maya", Act::Answer { help: false }).unwrap();
        self.act(incident, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    }

    fn is_opened_again(&mut self, incident: i64) {
        let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
        self.ask(Command::Act { incident, act: Act::Reopen { why: "not over".into() }, by }).unwrap();
    }

    fn last_text(&mut self, incident: i64) -> String {
        let sql = "select text from entry where incident = ?1 order by seq desc limit 1";
        self.look(|tx| tx.query_one(sql, &[incident.into()], |row| row.text(0))).unwrap()
    }
}

#[test]
fn an_alert_that_joins_another_open_incident_is_not_counted_where_it_was_before() {
    let mut story = Story::new();
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    story.is_ended_by_maya(1);
    story.passes(1);
    assert_eq!(story.hears("prometheus", "db-1", Status::Firing), ("opened".into(), Some(2)));
    story.passes(6);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("joined".into(), Some(2)));
    assert_eq!((story.firing(1), story.firing(2)), (0, 2));
    assert_eq!(story.last_text(1), "db-1 of pingdom fires on and belongs to INC-2 from now on");
    // Opened again by another alert, and left alone, it clears itself when that one recovers.
    assert_eq!(story.hears("pingdom", "db-1", Status::Resolved), ("resolved".into(), Some(2)));
    assert_eq!(story.hears("prometheus", "db-1", Status::Resolved), ("resolved".into(), Some(2)));
    story.passes(4);
    assert_eq!(story.tick(2), Reason::SelfCleared);
    story.is_opened_again(1);
    assert_eq!(story.firing(1), 0);
    story.proves_whole();
}

#[test]
fn an_incident_whose_alert_has_gone_to_a_new_one_does_not_wait_for_it_when_it_is_opened_again() {
    let mut story = Story::new();
    let both = |story: &Story| {
        let events = ["db-1", "db-2"].map(|key| Event::new(key, Status::Firing, key)).to_vec();
        story.delivery("pingdom", events)
    };
    story.ask_all(vec![both(&story)]);
    assert_eq!((story.firing(1), story.firing(2)), (1, 1));
    story.is_ended_by_maya(1);
    // Too late for its own.
    story.passes(25 * 60);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(3)));
    assert_eq!((story.firing(1), story.firing(3)), (0, 1));
    story.is_opened_again(1);
    assert_eq!(story.firing(1), 0);
    assert_eq!(story.hears("pingdom", "db-1", Status::Resolved), ("resolved".into(), Some(3)));
    story.proves_whole();
}

#[test]
fn an_alert_that_is_silenced_leaves_what_people_ended() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.is_ended_by_maya(1);
    story.passes(1);
    story.hears("prometheus", "db-1", Status::Firing);
    // Nothing of it fires any more, so that whatever joins it would wake people.
    story.hears("prometheus", "db-1", Status::Resolved);
    let now = story.clock.now();
    let silence = Silence {
        id: String::new(),
        source: Some("pingdom".into()),
        matchers: read_all("name=db-1").unwrap(),
        starts_at: now,
        ends_at: now + SignedDuration::from_hours(3),
        created_by: "maya".into(),
        comment: "new disks".into(),
        updated_at: now,
    };
    let fresh = crate::crypto::random_uuid().unwrap();
    story.ask(Command::PutSilence { silence, fresh }).unwrap();
    // The grace of the first is over.
    story.passes(5);
    let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
    event.labels.insert("name".into(), "db-1".into());
    let Reply::Events(_, told) = story.ask(story.delivery("pingdom", vec![event])).unwrap() else {
        panic!("another answer");
    };
    assert_eq!((told[0].outcome, told[0].incident, story.firing(1)), ("suppressed", None, 0));
    assert_eq!(story.last_text(1), "db-1 of pingdom fires on and is silenced");
    story.proves_whole();
}
