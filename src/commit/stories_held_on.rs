//! Stories of alerts that are held back and belong to an incident that people ended, or belonged to one, and of what their senders
//! said meanwhile.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::stories::Story;
use super::stories_held::{OSLO, house_with, of_the_house, story, window};
use super::*;
use crate::core::alert::Status;
use crate::core::matcher::read_all;
use crate::core::timeline::{Actor, Route};
use crate::store::{alerts, incidents};

const SHOP: &str = "service=\"shop\"";

fn fires(key: &str) -> Event {
    Event::new(key, Status::Firing, format!("{key} is down"))
}

fn over(key: &str) -> Event {
    Event::new(key, Status::Resolved, "over")
}

impl Story {
    fn hears_that(&mut self, event: Event) -> (&'static str, Option<i64>) {
        let result = self.sends(event);
        (result.outcome, result.incident)
    }

    fn somebody_ends(&mut self, incident: i64) {
        self.act(incident, "maya", Act::Answer { help: false }).unwrap();
        let term = self.look(|tx| incidents::load(tx, incident)).unwrap().incident.term;
        self.act(incident, "maya", Act::Resolve { term, false_alarm: false }).unwrap();
    }

    /// An incident that people ended although its alert fires, and what its sender says of that a while later.
    fn ended_and_said_again(&mut self, minutes: i64) -> String {
        assert_eq!(self.hears_that(fires("db")), ("opened", Some(1)));
        self.somebody_ends(1);
        let id = of_the_house(self, SHOP, minutes);
        self.passes(10);
        assert_eq!(self.hears_that(fires("db")), ("suppressed", Some(1)));
        assert_eq!(self.holds(), [(id.clone(), 1)]);
        self.claim("");
        id
    }

    fn by_hand(&mut self, command: impl FnOnce(By) -> Command) {
        let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
        self.ask(command(by)).unwrap();
    }

    fn somebody_opens_it_again(&mut self) {
        self.by_hand(|by| Command::Act {
            incident: 1,
            act: Act::Reopen { why: "it is not over".into() },
            by,
        });
    }

    fn state(&mut self, incident: i64) -> String {
        self.look(|tx| incidents::load(tx, incident)).unwrap().incident.state().to_owned()
    }

    fn how_many(&mut self) -> i64 {
        self.look(|tx| tx.query_one("select count(*) from incident", &[], |row| row.int(0))).unwrap()
    }

    /// Who was paged so far, in order.
    fn paged_so_far(&mut self) -> Vec<String> {
        self.look(|tx| {
            tx.query("select person from letter where kind = 'page' order by seq", &[], |row| row.text(0))
        })
    }
}

#[test]
fn what_people_ended_and_fires_on_under_a_silence_is_heard_of_when_that_is_over() {
    let mut story = story(Vec::new());
    story.ended_and_said_again(60);
    // Its sender speaks of changes only: it never says so again.
    story.passes(49);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    story.passes(1);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!((story.state(1).as_str(), story.how_many()), ("triggered", 1));
    assert_eq!(story.paged_so_far(), ["maya", "maya"]);
    assert_eq!(story.holds(), []);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    assert_eq!(story.hears_that(fires("db")), ("repeated", Some(1)));
    story.proves_whole();
}

#[test]
fn what_people_ended_long_ago_is_a_new_incident_when_its_silence_is_over() {
    let mut story = story(Vec::new());
    story.ended_and_said_again(3 * 24 * 60);
    story.passes(3 * 24 * 60);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!((story.state(1).as_str(), story.state(2).as_str()), ("resolved", "triggered"));
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    story.proves_whole();
}

#[test]
fn what_people_ended_under_a_window_is_looked_at_after_it_and_not_when_it_recovered() {
    let mut story = story(Vec::new());
    assert_eq!(story.hears_that(fires("db")), ("opened", Some(1)));
    story.somebody_ends(1);
    story.passes(10);
    let begins = story.clock.now().to_zoned(TimeZone::get(OSLO).unwrap()).datetime();
    story.committer.house.swap(house_with(vec![window("disks", "shop", begins, None, 30)]));
    assert_eq!(story.hears_that(fires("db")), ("suppressed", Some(1)));
    assert_eq!(story.holds(), [("maintenance:disks:shop".to_owned(), 1)]);
    story.passes(5);
    assert_eq!(story.hears_that(over("db")), ("resolved", Some(1)));
    assert_eq!(story.holds(), []);
    assert_eq!(story.hears_that(fires("db")), ("suppressed", None));
    story.passes(30);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.how_many(), 2);
    story.proves_whole();
}

#[test]
fn who_opens_it_again_meanwhile_is_not_woken_by_the_end_of_a_silence() {
    let mut story = story(Vec::new());
    let id = story.ended_and_said_again(60);
    story.somebody_opens_it_again();
    assert_eq!(story.holds(), []);
    story.passes(1);
    // Ended once more: the sender may not have seen yet that it is over.
    story.somebody_ends(1);
    story.claim("");
    story.ask(Command::EndSilence { id, source: None }).unwrap();
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    assert_eq!(story.state(1), "resolved");
    assert_eq!(story.paged_so_far(), ["maya"]);
    story.proves_whole();
}

#[test]
fn one_that_is_taken_out_of_what_was_ended_is_held_back_no_more() {
    let mut story = story(Vec::new());
    let grouped = |key: &str| Event { group: Some("g".into()), ..fires(key) };
    assert_eq!(story.hears_that(grouped("db")), ("opened", Some(1)));
    assert_eq!(story.hears_that(grouped("cache")), ("joined", Some(1)));
    story.somebody_ends(1);
    of_the_house(&mut story, SHOP, 60);
    story.passes(10);
    assert_eq!(story.hears_that(grouped("db")), ("suppressed", Some(1)));
    let part = Part::Alerts(vec![("prom".into(), "db".into())]);
    story.by_hand(|by| Command::Split { incident: 1, part, term: None, by });
    assert_eq!(story.holds(), []);
    story.passes(51);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    assert_eq!((story.state(1).as_str(), story.how_many()), ("resolved", 2));
    story.proves_whole();
}

#[test]
fn what_an_older_node_opened_again_is_only_let_go() {
    let mut story = story(Vec::new());
    let id = story.ended_and_said_again(60);
    story.somebody_opens_it_again();
    let write = |tx: &crate::store::Tx<'_>| alerts::suppress(tx, 1, &id);
    let now = story.clock.now();
    story.committer.connection.write(now, write).unwrap();
    story.passes(51);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!((story.holds(), story.paged_so_far().len()), (Vec::new(), 1));
    story.proves_whole();
}

#[test]
fn what_is_held_back_of_an_ended_incident_outlives_the_memory_of_both() {
    let mut story = story(Vec::new());
    story.ended_and_said_again(100 * 24 * 60);
    let mut house = house_with(Vec::new());
    house.retention = Some(SignedDuration::from_hours(24));
    story.committer.house.swap(house);
    story.passes(90 * 24 * 60);
    while let Reply::Forgotten { more: true } = story.ask(Command::Forget).unwrap() {}
    assert_eq!(story.how_many(), 0);
    story.passes(10 * 24 * 60);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    assert_eq!(story.how_many(), 1);
    story.proves_whole();
}

#[test]
fn it_is_held_by_what_it_says_now() {
    let mut story = story(Vec::new());
    story.hears_that(fires("db"));
    story.somebody_ends(1);
    let longer = of_the_house(&mut story, "zone=\"b\"", 60);
    let shorter = of_the_house(&mut story, "zone=\"a\"", 30);
    story.passes(10);
    let of = |zone: &str| {
        let mut event = fires("db");
        event.labels.insert("zone".into(), zone.into());
        event
    };
    assert_eq!(story.hears_that(of("a")), ("suppressed", Some(1)));
    assert_eq!(story.holds(), [(shorter, 1)]);
    assert_eq!(story.hears_that(of("b")), ("suppressed", Some(1)));
    assert_eq!(story.holds(), [(longer, 1)]);
    story.passes(21);
    assert_eq!(story.what_is_held_is_looked_at(), 0);
    assert_eq!(story.hears_that(of("c")), ("opened", Some(1)));
    assert_eq!(story.holds(), []);
    story.proves_whole();
}

#[test]
fn what_was_held_back_remembers_the_newest_hour_that_its_sender_said() {
    let mut story = story(Vec::new());
    let began = story.clock.now();
    let of = |status: Status, minute: i64| {
        let at = began.checked_add(SignedDuration::from_mins(minute)).unwrap();
        Event { status, occurred_at: Some(at), ..fires("db") }
    };
    of_the_house(&mut story, SHOP, 30);
    assert_eq!(story.hears_that(of(Status::Firing, 0)).0, "suppressed");
    story.passes(20);
    assert_eq!(story.hears_that(of(Status::Firing, 20)).0, "repeated");
    story.passes(11);
    assert_eq!(story.what_is_held_is_looked_at(), 1);
    // It was over for a moment, and that comes late: it has been said to fire since.
    assert_eq!(story.hears_that(of(Status::Resolved, 10)).0, "stale");
    assert_eq!(story.state(1), "triggered");
    assert_eq!(story.hears_that(of(Status::Resolved, 25)).0, "resolved");
    story.proves_whole();
}

/// What is remembered of a far store has to be what a store says: the same in one transaction as in many.
#[test]
fn another_source_does_not_join_what_an_alert_has_left_under_a_silence_a_moment_ago() {
    for together in [true, false] {
        let mut story = story(Vec::new());
        assert_eq!(story.hears_that(fires("db")), ("opened", Some(1)));
        assert_eq!(story.hears_that(over("db")), ("resolved", Some(1)));
        of_the_house(&mut story, "source=\"prom\"", 60);
        let commands =
            vec![story.delivery("prom", vec![fires("db")]), story.delivery("pingdom", vec![fires("db")])];
        let told = if together {
            story.ask_all(commands)
        } else {
            commands.into_iter().map(|command| story.ask(command)).collect()
        };
        let told: Vec<_> = told
            .into_iter()
            .map(|answer| match answer.unwrap() {
                Reply::Events(_, results) => (results[0].outcome, results[0].incident),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [("suppressed", None), ("opened", Some(2))], "{together}");
        story.proves_whole();
    }
}

#[test]
fn nobody_joins_a_group_that_has_left_its_incident_a_moment_ago() {
    let mut story = story(Vec::new());
    let grouped = |event: Event| Event { group: Some("g".into()), ..event };
    assert_eq!(story.hears_that(grouped(fires("db"))), ("opened", Some(1)));
    assert_eq!(story.hears_that(grouped(over("db"))), ("resolved", Some(1)));
    let now = story.clock.now();
    let silence = Silence {
        id: String::new(),
        source: None,
        matchers: read_all("key=~\"db|cache\"").unwrap(),
        starts_at: now,
        ends_at: now + SignedDuration::from_mins(60),
        created_by: "maya".into(),
        comment: "new disks".into(),
        updated_at: now,
    };
    let fresh = crate::crypto::random_uuid().unwrap();
    let told = story.ask_all(vec![
        // It asks which incident has the group, and both leave that then.
        story.delivery("prom", vec![grouped(fires("cache"))]),
        story.delivery("prom", vec![grouped(over("cache"))]),
        Command::PutSilence { silence, fresh },
        story.delivery("prom", vec![grouped(fires("db")), grouped(fires("cache"))]),
        story.delivery("prom", vec![grouped(fires("queue"))]),
    ]);
    let last = told.into_iter().next_back().unwrap().unwrap();
    let Reply::Events(_, results) = last else { panic!("another answer") };
    assert_eq!((results[0].outcome, results[0].incident), ("opened", Some(2)));
    story.proves_whole();
}
