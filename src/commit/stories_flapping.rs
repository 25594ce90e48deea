//! Alerts that come and go: what they put off, and that nobody is left unwoken by it.

use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::stories_inhibit::{alert, critical, over, warning};
use super::*;
use crate::core::alert::AlertSeverity;
use crate::core::correlate::Storm;
use crate::core::escalation::Horizon;
use crate::core::flapping::Flapping;
use crate::core::incident::Severity;
use crate::core::rules::{Policy, Rules, Step, Target};
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::store::incidents;

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// The house, but for what is changed.
fn story_with(change: impl FnOnce(&mut Rules)) -> Story {
    let story = Story::new();
    let mut rules = (*house().rules).clone();
    change(&mut rules);
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    story
}

/// What is no worse than SEV3 wakes kim, and then tom.
fn two_policies(rules: &mut Rules) {
    let step = |name: &str| Step {
        page: vec![Target::Person(name.into())],
        wait: SignedDuration::from_mins(5),
        ..Step::default()
    };
    let quiet =
        Policy { steps: vec![step("kim"), step("tom")], repeat: 1, last_resort: vec![], ..Policy::default() };
    rules.policies.insert("quiet".into(), quiet);
    rules.services.values_mut().for_each(|service| {
        service.policies = [(Severity::Sev3, "quiet".to_owned())].into();
    });
}

fn grouped(event: Event) -> Event {
    Event { group: Some("g".into()), ..event }
}

impl Story {
    /// It fires and is over, for so long each, for so long; the deadlines are met meanwhile.
    fn flaps(&mut self, event: &Event, fires: i64, rests: i64, until: SignedDuration) {
        let end = self.clock.now() + until;
        while self.clock.now() < end {
            self.comes(event.clone());
            self.waits(fires);
            self.comes(over(event.clone()));
            self.waits(rests);
        }
    }

    /// So many seconds go by, and what falls due in them is done.
    fn waits(&mut self, count: i64) {
        for _ in 0..count / 15 {
            self.clock.forward(seconds(15));
            self.meets();
        }
    }

    fn meets(&mut self) {
        let horizon = Horizon::of(&self.committer.house.get().rules);
        for (incident, _) in self.look(|tx| incidents::due(tx, &horizon, 10)) {
            self.tick(incident);
        }
    }

    /// Who was paged how many minutes after an hour.
    fn pages_since(&mut self, begin: Timestamp) -> Vec<(String, i64)> {
        let sql = "select person, created_at from letter where kind = 'page' order by seq";
        let all = self.look(|tx| tx.query(sql, &[], |row| Ok((row.text(0)?, row.time(1)?))));
        all.into_iter().map(|(person, at)| (person, at.duration_since(begin).as_mins())).collect()
    }

    /// What was told to whom that is no page, in order.
    fn told_since(&mut self, seq: i64) -> Vec<String> {
        let sql = "select kind, person, channel, payload from letter where kind in ('notice', 'status') and seq > ?1 order by seq";
        let all = self.look(|tx| {
            tx.query(sql, &[seq.into()], |row| {
                let payload = row.text(3)?;
                let what = ["cleared itself", "open again", "is over"]
                    .into_iter()
                    .find(|what| payload.contains(*what));
                Ok(format!(
                    "{} {}{}: {}",
                    row.text(0)?,
                    row.text(1)?,
                    row.text(2)?,
                    what.unwrap_or("another")
                ))
            })
        });
        all.into_iter().collect()
    }

    fn newest_letter(&mut self) -> i64 {
        self.look(|tx| tx.query_one("select max(seq) from letter", &[], |row| row.int(0))).unwrap()
    }

    fn count_of_incidents(&mut self) -> i64 {
        self.look(|tx| tx.query_one("select count(*) from incident", &[], |row| row.int(0))).unwrap()
    }

    /// It flaps, somebody took it and says that it is over.
    fn flaps_and_is_ended(&mut self) {
        self.flaps(&critical("db"), 30, 30, SignedDuration::from_mins(4));
        self.act(1, "maya", Act::Answer { help: false }).unwrap();
        self.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    }
}

#[test]
fn one_alert_that_flaps_for_an_hour_and_is_answered_is_one_incident_one_page_and_one_line() {
    let mut story = Story::new();
    story.comes(critical("db"));
    story.waits(45);
    story.comes(over(critical("db")));
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.flaps(&critical("db"), 45, 45, SignedDuration::from_hours(1));
    assert_eq!(story.paged(), ["maya"]);
    assert_eq!(story.entries(1, "alert_flaps"), 1);
    assert_eq!(story.count_of_incidents(), 1);
    story.proves_whole();
}

#[test]
fn one_that_flaps_unanswered_wakes_each_step_at_its_hour_and_rests_between_rounds() {
    let mut story = Story::new();
    let begin = story.clock.now();
    story.flaps(&critical("db"), 45, 45, SignedDuration::from_hours(1));
    let expected = [("maya", 0), ("tom", 5), ("maya", 25), ("tom", 30), ("maya", 51), ("tom", 56)];
    assert_eq!(story.pages_since(begin), expected.map(|(person, minute)| (person.to_owned(), minute)));
    assert_eq!(story.entries(1, "alert_flaps"), 1);
    assert_eq!(story.entries(1, "reopened"), 0);
    assert_eq!(story.count_of_incidents(), 1);
    // Quiet for a quarter of an hour, and not sooner, it clears itself.
    story.waits(14 * 60);
    assert_eq!(story.state_of(1), "triggered");
    story.waits(60);
    assert_eq!(story.state_of(1), "resolved");
    // Calm again, then it fires: a page again.
    assert_eq!(story.comes(critical("db")), "opened");
    assert_eq!(story.paged().len(), 7);
    story.proves_whole();
}

#[test]
fn what_is_down_most_of_the_time_and_unanswered_wakes_everybody_within_the_hours_of_the_policy() {
    let mut story = Story::new();
    let begin = story.clock.now();
    story.flaps(&critical("db"), 240, 60, SignedDuration::from_hours(3));
    let pages = story.pages_since(begin);
    assert_eq!(pages[..2], [("maya".to_owned(), 0), ("tom".to_owned(), 5)]);
    // Never longer than a step and the time after which it would be calm, and a moment in which it did not fire.
    for pair in pages.windows(2) {
        assert!(pair[1].1 - pair[0].1 <= 5 + 15 + 1, "{pages:?}");
    }
    assert!(pages.last().unwrap().1 >= 160, "{pages:?}");
    story.proves_whole();
}

#[test]
fn who_is_next_is_woken_at_once_when_it_fires_again_after_their_hour() {
    let mut story = Story::new();
    story.flaps(&critical("db"), 30, 30, SignedDuration::from_mins(4));
    // At the hour of the next step it does not fire.
    story.waits(120);
    assert_eq!(story.paged(), ["maya"]);
    story.comes(critical("db"));
    story.meets();
    assert_eq!(story.paged(), ["maya", "tom"]);
    story.proves_whole();
}

#[test]
fn what_flapped_and_fires_on_begins_the_next_round_before_the_rest_is_over() {
    let mut story = Story::new();
    let begin = story.clock.now();
    story.flaps(&critical("db"), 45, 45, SignedDuration::from_mins(12));
    assert_eq!(story.paged(), ["maya", "tom"]);
    story.comes(critical("db"));
    story.waits(6 * 60);
    assert_eq!(story.pages_since(begin)[2], ("maya".to_owned(), 17));
    story.proves_whole();
}

#[test]
fn a_hard_failure_that_joins_what_rests_is_waited_for_as_if_nothing_flapped() {
    let mut story = Story::new();
    let begin = story.clock.now();
    let db = grouped(critical("db"));
    story.flaps(&db, 45, 45, SignedDuration::from_mins(9));
    assert_eq!(story.paged(), ["maya", "tom"]);
    story.comes(db);
    story.comes(grouped(critical("cache")));
    story.waits(180);
    // Tom had until then, and nobody longer.
    assert_eq!(story.pages_since(begin)[2], ("maya".to_owned(), 10));
    story.proves_whole();
}

#[test]
fn one_that_flaps_puts_nothing_off_while_another_fires() {
    let mut story = Story::new();
    let begin = story.clock.now();
    story.comes(grouped(critical("cache")));
    story.flaps(&grouped(critical("db")), 45, 45, SignedDuration::from_mins(21));
    let minutes: Vec<i64> = story.pages_since(begin).into_iter().map(|(_, minute)| minute).collect();
    assert_eq!(minutes, [0, 5, 10, 15, 20]);
    story.proves_whole();
}

#[test]
fn what_rests_and_gets_worse_wakes_the_people_of_the_louder_policy_at_once() {
    let mut story = story_with(two_policies);
    story.flaps(&warning("db"), 45, 45, SignedDuration::from_mins(12));
    assert_eq!(story.paged(), ["kim", "tom"]);
    // It fires again, and worse.
    assert_eq!(story.comes(alert("db", AlertSeverity::Critical, "a")), "joined");
    assert_eq!(story.paged(), ["kim", "tom", "maya"]);
    story.waits(5 * 60);
    assert_eq!(story.paged().last().unwrap(), "tom");
    story.proves_whole();
}

#[test]
fn who_ended_an_incident_that_flaps_is_left_alone_for_as_long_as_a_first_page_is_waited_for() {
    let mut story = Story::new();
    story.flaps_and_is_ended();
    let letter = story.newest_letter();
    story.comes(critical("db"));
    assert_eq!(story.state_of(1), "triggered");
    story.waits(60);
    story.comes(over(critical("db")));
    story.waits(60);
    story.comes(critical("db"));
    story.waits(60);
    story.comes(over(critical("db")));
    assert_eq!(story.paged(), ["maya"]);
    // Quiet, it clears itself, and nobody has heard that it was open.
    story.waits(16 * 60);
    assert_eq!(story.state_of(1), "resolved");
    assert_eq!(story.told_since(letter), [""; 0]);
    story.proves_whole();
}

#[test]
fn who_ended_an_incident_that_comes_back_and_stays_is_woken_in_time_also_by_another_process() {
    let mut story = Story::new();
    story.flaps_and_is_ended();
    let (letter, begin) = (story.newest_letter(), story.clock.now());
    story.comes(critical("db"));
    assert_eq!(story.paged(), ["maya"]);
    story.waits(60);
    // Said again, that does not move the hour; nor does that it fires anew.
    assert_eq!(story.comes(critical("db")), "repeated");
    story.comes(over(critical("db")));
    story.waits(30);
    story.comes(critical("db"));
    // Whoever meets the deadlines finds the hour in the store.
    let due = story.look(|tx| tx.query_one("select due_at from incident", &[], |row| row.time(0))).unwrap();
    assert_eq!(due.duration_since(begin).as_mins(), 5);
    story.waits(225);
    assert_eq!(story.pages_since(begin)[1], ("maya".to_owned(), 5));
    assert_eq!(story.told_since(letter), ["status ops-room: open again"]);
    // From then on as ever.
    story.waits(5 * 60);
    assert_eq!(story.paged(), ["maya", "maya", "tom"]);
    story.proves_whole();
}

#[test]
fn what_people_ended_and_goes_on_coming_back_wakes_them_when_it_fires_after_that_hour() {
    let mut story = Story::new();
    story.flaps_and_is_ended();
    let begin = story.clock.now();
    story.flaps(&critical("db"), 120, 240, SignedDuration::from_mins(12));
    assert_eq!(story.pages_since(begin)[1], ("maya".to_owned(), 6));
    story.proves_whole();
}

#[test]
fn what_is_worse_than_what_people_ended_or_does_not_flap_wakes_them_at_once() {
    let mut story = story_with(two_policies);
    let db = grouped(warning("db"));
    story.flaps(&db, 30, 30, SignedDuration::from_mins(4));
    let end = |story: &mut Story, term: u32| {
        story.act(1, "kim", Act::Answer { help: false }).unwrap();
        story.act(1, "kim", Act::Resolve { term, false_alarm: false }).unwrap();
    };
    end(&mut story, 1);
    story.comes(db.clone());
    assert_eq!(story.paged(), ["kim"]);
    // It is said to be worse, so that another policy stands.
    assert_eq!(story.comes(Event { severity: Some(AlertSeverity::Critical), ..db.clone() }), "repeated");
    assert_eq!(story.paged(), ["kim", "maya"]);
    story.comes(over(db.clone()));
    end(&mut story, 2);
    story.comes(db);
    assert_eq!(story.paged().len(), 2);
    // Another that joins is no flapping.
    assert_eq!(story.comes(grouped(warning("cache"))), "joined");
    assert_eq!(story.paged().len(), 3);
    story.proves_whole();
}

#[test]
fn a_page_that_nobody_got_is_not_put_off() {
    let mut story = Story::new();
    story.flaps(&critical("db"), 45, 45, SignedDuration::from_mins(6));
    assert_eq!(story.paged(), ["maya", "tom"]);
    for claim in story.claim("") {
        story.settle(claim, Settlement::Refused { why: "550 no such user".into() });
    }
    story.comes(critical("db"));
    story.waits(5 * 60);
    // A minute, and not a quarter of an hour.
    assert_eq!(story.paged().len(), 3);
    story.proves_whole();
}

#[test]
fn the_third_time_within_minutes_is_no_page_and_the_first_two_are() {
    let mut story = Story::new();
    for _ in 0..3 {
        story.comes(critical("db"));
        story.waits(60);
        story.comes(over(critical("db")));
        story.waits(4 * 60);
    }
    // Each time it had cleared itself, and people were told. From now on it does not.
    assert_eq!(story.paged(), ["maya", "maya", "maya"]);
    assert_eq!(story.entries(1, "alert_flaps"), 1);
    for _ in 0..3 {
        assert_eq!(story.comes(critical("db")), "joined");
        story.waits(60);
        story.comes(over(critical("db")));
        story.waits(4 * 60);
    }
    assert_eq!(story.count_of_incidents(), 1);
    assert_eq!(story.paged()[3..], ["tom"], "who has not heard");
    story.proves_whole();
}

#[test]
fn a_new_alert_and_one_said_again_cost_nothing_more_for_being_counted() {
    let mut story = Story::new();
    story.comes(critical("db"));
    let changes = |story: &mut Story| {
        story.look(|tx| tx.query_one("select changes from alert", &[], |row| row.text(0))).unwrap()
    };
    let before = changes(&mut story);
    assert_eq!(before.split(' ').count(), 1);
    story.passes(1);
    assert_eq!(story.comes(critical("db")), "repeated");
    assert_eq!(changes(&mut story), before);
    story.proves_whole();
}

#[test]
fn a_recovery_of_another_does_not_clear_what_flaps() {
    let mut story = Story::new();
    let grouped = |key: &str| grouped(critical(key));
    for _ in 0..3 {
        story.comes(grouped("db"));
        story.comes(over(grouped("db")));
        story.passes(1);
    }
    assert_eq!(story.entries(1, "alert_flaps"), 1);
    assert_eq!(story.comes(grouped("cache")), "joined");
    story.comes(over(grouped("cache")));
    story.passes(10);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.passes(5);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    story.proves_whole();
}

#[test]
fn what_comes_twice_and_late_is_no_change() {
    let mut story = Story::new();
    let at = |story: &Story, event: Event, ago: i64| {
        let now = story.clock.now();
        Event { occurred_at: Some(now - SignedDuration::from_secs(ago)), ..event }
    };
    for _ in 0..20 {
        let fires = at(&story, critical("db"), 100);
        story.comes(fires);
        let late = at(&story, over(critical("db")), 4000);
        story.comes(late);
    }
    assert_eq!(story.entries(1, "alert_flaps"), 0);
    story.proves_whole();
}

#[test]
fn a_house_that_wants_no_flapping_has_none() {
    let never = Flapping { changes: 0, ..Flapping::default() };
    let mut story = story_with(|rules| {
        rules.services.values_mut().for_each(|service| service.flapping = never);
    });
    for _ in 0..10 {
        story.comes(critical("db"));
        story.comes(over(critical("db")));
        story.passes(4);
        assert_eq!(story.tick(1), Reason::SelfCleared);
    }
    assert_eq!(story.paged().len(), 10);
    story.proves_whole();
}

#[test]
fn what_cleared_itself_and_flaps_when_it_is_back_wakes_people_at_once() {
    let soon = Flapping { changes: 3, ..Flapping::default() };
    let mut story = story_with(|rules| {
        rules.flapping = soon;
        rules.services.values_mut().for_each(|service| service.flapping = soon);
    });
    story.comes(critical("db"));
    story.waits(60);
    story.comes(over(critical("db")));
    story.waits(4 * 60);
    assert_eq!(story.state_of(1), "resolved");
    story.comes(critical("db"));
    assert_eq!(story.entries(1, "alert_flaps"), 1);
    assert_eq!(story.paged(), ["maya", "maya"]);
    story.proves_whole();
}

#[test]
fn a_round_does_not_rest_while_somebody_in_it_has_not_heard() {
    let mut story = story_with(|rules| {
        let page = ["maya", "tom"].map(|name| Target::Person(name.into())).into();
        let step = Step { page, wait: SignedDuration::from_mins(5), ..Step::default() };
        let policy = Policy { steps: vec![step], repeat: 3, last_resort: vec![], ..Policy::default() };
        rules.policies.values_mut().for_each(|known| *known = policy.clone());
    });
    story.comes(critical("db"));
    for claim in story.claim("").into_iter().filter(|claim| claim.person == "maya") {
        story.settle(claim, Settlement::Refused { why: "550 no such user".into() });
    }
    story.comes(over(critical("db")));
    story.flaps(&critical("db"), 45, 45, SignedDuration::from_mins(7));
    assert_eq!(story.paged().len(), 4);
    story.proves_whole();
}

#[test]
fn what_was_quietly_opened_again_is_no_mere_flapping_once_it_is_a_storm_or_takes_in_what_fires() {
    let mut story = story_with(|rules| {
        rules.storm = Some(Storm { incidents: 2, within: SignedDuration::from_mins(5) });
    });
    story.flaps_and_is_ended();
    story.comes(critical("db"));
    assert!(story.incident(1).is_quietly_open());
    for key in ["a", "b", "c"] {
        story.comes(critical(key));
    }
    let storm = story.incident(1);
    assert!(storm.storm && !storm.is_quietly_open());
    story.proves_whole();

    let mut story = Story::new();
    story.flaps_and_is_ended();
    story.comes(critical("db"));
    assert_eq!(story.comes(critical("a")), "opened");
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    // The page of what it took in is enough for maya, and she has as long to answer as ever.
    assert!(!story.incident(1).is_quietly_open());
    assert_eq!(story.paged(), ["maya", "maya"]);
    story.waits(5 * 60);
    assert_eq!(story.paged(), ["maya", "maya", "tom"]);
    story.proves_whole();
}
