//! Order and hours: what comes late, early, twice or in one moment, and senders whose clocks are wrong.

use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::escalation;
use crate::core::incident::Severity;
use crate::core::rules::{Policy, Service, Step, Target};
use crate::house::House;
use crate::store::incidents;

const FIRING: Status = Status::Firing;
const RESOLVED: Status = Status::Resolved;

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

impl Story {
    /// What a sender says whose clock is off by so much.
    fn says_at(&mut self, status: Status, at: Timestamp) -> &'static str {
        let mut event = Event::new("db-1", status, "db-1 is down");
        event.occurred_at = Some(at);
        let Reply::Events(_, results) = self.ask(self.delivery("sender", vec![event])).unwrap() else {
            panic!("another answer");
        };
        results[0].outcome
    }

    /// The same, of this moment on a clock that is off by so much.
    fn says_off(&mut self, status: Status, off: SignedDuration) -> &'static str {
        let at = self.clock.now() + off;
        self.says_at(status, at)
    }

    fn count_of_pages(&mut self) -> i64 {
        let sql = "select count(*) from letter where kind = 'page'";
        self.look(|tx| tx.query_one(sql, &[], |row| row.int(0))).unwrap()
    }

    /// What the deadlines find, and do.
    pub(super) fn deadlines_are_met(&mut self) -> Vec<Reason> {
        let rules = self.committer.house.get().rules.clone();
        let horizon = escalation::Horizon::of(&rules);
        let mut due: Vec<i64> =
            self.look(|tx| incidents::due(tx, &horizon, 10)).into_iter().map(|(id, _)| id).collect();
        let now = self.clock.now();
        let near = escalation::CLOCKS_DIFFER_MAX;
        let ahead = self.look(|tx| incidents::ahead(tx, near, horizon.asks, 10));
        due.extend(
            ahead
                .into_iter()
                .filter(|(incident, _)| escalation::is_too_far(incident, &rules, now))
                .map(|(incident, _)| incident.id),
        );
        due.into_iter().map(|id| self.tick(id)).collect()
    }
}

#[test]
fn what_is_over_before_it_was_said_to_fire_wakes_nobody_and_what_fires_after_that_does() {
    let mut story = Story::new();
    let begin = story.clock.now();
    assert_eq!(story.says_at(RESOLVED, begin - mins(1)), "resolved");
    // The firing that was overtaken.
    assert_eq!(story.says_at(FIRING, begin - mins(2)), "stale");
    assert_eq!(story.count_of_pages(), 0);
    assert_eq!(story.says_at(FIRING, begin), "opened");
    assert_eq!(story.count_of_pages(), 1);
    story.proves_whole();
}

#[test]
fn what_is_older_than_what_is_known_changes_nothing_however_often_it_comes() {
    let mut story = Story::new();
    let begin = story.clock.now();
    assert_eq!(story.says_at(FIRING, begin - mins(30)), "opened");
    assert_eq!(story.says_at(RESOLVED, begin - mins(20)), "resolved");
    story.passes(4);
    story.tick(1);
    for minute in [30, 25, 21] {
        assert_eq!(story.says_at(FIRING, begin - mins(minute)), "stale");
    }
    assert_eq!(story.says_at(RESOLVED, begin - mins(25)), "repeated");
    assert_eq!(story.count_of_pages(), 1);
    story.proves_whole();
}

#[test]
fn of_one_moment_what_comes_later_counts() {
    let mut story = Story::new();
    let at = story.clock.now();
    let said = [FIRING, RESOLVED, FIRING, FIRING, RESOLVED].map(|status| story.says_at(status, at));
    assert_eq!(said, ["opened", "resolved", "joined", "repeated", "resolved"]);
    assert_eq!(story.count_of_pages(), 1);
    story.proves_whole();
}

#[test]
fn a_sender_whose_clock_is_wrong_by_an_hour_either_way_is_heard_as_ever() {
    for off in [mins(-60), mins(60), mins(-600), mins(600)] {
        let mut story = Story::new();
        assert_eq!(story.says_off(FIRING, off), "opened", "{off:#}");
        story.passes(1);
        assert_eq!(story.says_off(FIRING, off), "repeated", "{off:#}");
        story.passes(1);
        assert_eq!(story.says_off(RESOLVED, off), "resolved", "{off:#}");
        story.passes(4);
        assert_eq!(story.tick(1), Reason::SelfCleared, "{off:#}");
        assert_eq!(story.says_off(FIRING, off), "opened", "{off:#}");
        assert_eq!(story.count_of_pages(), 2, "{off:#}");
        story.proves_whole();
    }
}

#[test]
fn an_hour_ahead_that_is_put_right_holds_up_neither_a_recovery_nor_a_firing() {
    // The first is not believed; the second is, until it is known to be wrong.
    for ahead in [mins(60), mins(9)] {
        let mut story = Story::new();
        assert_eq!(story.says_off(FIRING, ahead), "opened");
        story.passes(1);
        assert_eq!(story.says_off(RESOLVED, mins(0)), "resolved", "{ahead:#}");
        story.passes(4);
        assert_eq!(story.tick(1), Reason::SelfCleared);
        assert_eq!(story.says_off(FIRING, ahead), "opened");
        story.passes(1);
        assert_eq!(story.says_off(RESOLVED, ahead), "resolved");
        story.passes(1);
        assert_eq!(story.says_off(FIRING, mins(0)), "joined", "{ahead:#}");
        story.proves_whole();
    }
}

#[test]
fn an_hour_behind_that_is_put_right_is_heard_at_once() {
    let mut story = Story::new();
    assert_eq!(story.says_off(FIRING, mins(-60)), "opened");
    story.passes(1);
    assert_eq!(story.says_off(RESOLVED, mins(0)), "resolved");
    story.passes(1);
    assert_eq!(story.says_off(FIRING, mins(0)), "joined");
    story.proves_whole();
}

#[test]
fn the_people_of_a_prometheus_whose_clock_lags_are_told_once_that_what_fires_there_looks_over() {
    let mut story = Story::new();
    let pushes = |story: &mut Story, status: Status, off: SignedDuration| {
        let at = story.clock.now() + off;
        let event = Event { occurred_at: Some(at), ..Event::new("db-1", status, "db-1 is down") };
        let Command::Events(delivered) = story.delivery("rules", vec![event]) else {
            panic!("another command")
        };
        story.ask(Command::Events(Delivered { kind: "prometheus".into(), ..delivered })).unwrap();
        story.passes(1);
        story.count_of_pages()
    };
    // It pushes what fires once a minute, with an end four minutes ahead of its clock, which is an hour behind.
    let fires = |story: &mut Story| pushes(story, RESOLVED, mins(4 - 60));
    assert_eq!(fires(&mut story), 0);
    assert_eq!([1, 2, 3, 4].map(|_| fires(&mut story)), [0, 1, 1, 1]);
    let title = story.look(|tx| tx.query_one("select title from incident", &[], |row| row.text(0)));
    assert_eq!(title.unwrap(), "the clock of source rules lags: what it says fires looks over");
    story.proves_whole();
}

#[test]
fn what_is_over_and_said_to_be_over_shows_no_clock_that_lags() {
    let mut story = Story::new();
    let pushes = |story: &mut Story, status: Status, at: Timestamp| {
        let event = Event { occurred_at: Some(at), ..Event::new("db-1", status, "db-1 is down") };
        let Command::Events(delivered) = story.delivery("rules", vec![event]) else {
            panic!("another command")
        };
        story.ask(Command::Events(Delivered { kind: "prometheus".into(), ..delivered })).unwrap();
        story.passes(1);
        story.count_of_pages()
    };
    // Over since one hour, as long as that is told.
    let since = story.clock.now() - mins(5);
    assert_eq!([1, 2, 3].map(|_| pushes(&mut story, RESOLVED, since)), [0, 0, 0]);
    // Two of a pair did not see it end in the same moment, and each says again what it saw.
    for _ in 0..3 {
        assert_eq!(
            [30, 75].map(|later| pushes(&mut story, RESOLVED, since + SignedDuration::from_secs(later))),
            [0, 0]
        );
    }
    // A script that says every minute that all is well.
    for _ in 0..3 {
        let now = story.clock.now();
        assert_eq!(pushes(&mut story, RESOLVED, now), 0);
    }
    // One that fired, and was over twice while nobody heard it fire in between.
    let fires = story.clock.now();
    assert_eq!(pushes(&mut story, FIRING, fires), 1);
    story.passes(10);
    for minute in [2, 5] {
        assert_eq!(pushes(&mut story, RESOLVED, fires + mins(minute)), 1);
    }
    story.proves_whole();
}

#[test]
fn what_gets_less_bad_and_worse_again_wakes_nobody_twice() {
    let mut story = Story::new();
    let mut rules = (*house().rules).clone();
    let step =
        |name: &str| Step { page: vec![Target::Person(name.into())], wait: mins(5), ..Step::default() };
    let quiet = Policy { steps: vec![step("kim")], repeat: 1, last_resort: vec![], ..Policy::default() };
    rules.policies.insert("quiet".into(), quiet);
    rules.services.values_mut().for_each(|service| {
        service.policies =
            [(Severity::Sev3, "quiet".to_owned()), (Severity::Sev4, "quiet".to_owned())].into();
    });
    story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
    let mut says = |severity| {
        let mut event = Event::new("db-1", FIRING, "db-1 is down");
        event.severity = Some(severity);
        story.ask(story.delivery("sender", vec![event])).unwrap();
        story.count_of_pages()
    };
    let pages = [
        AlertSeverity::Info,
        AlertSeverity::Warning,
        AlertSeverity::Error,
        AlertSeverity::Info,
        AlertSeverity::Error,
        AlertSeverity::Critical,
    ]
    .map(&mut says);
    // Only from the quiet policy to the loud one.
    assert_eq!(pages, [1, 1, 2, 2, 2, 2]);
    story.proves_whole();
}

#[test]
fn a_first_page_that_waits_for_its_cause_waits_no_longer_when_the_clock_is_set_back() {
    for back in [3, 8, 90, 24 * 60] {
        let mut story = Story::new();
        let mut rules = (*house().rules).clone();
        let network = Service { policy: "default".into(), ..Service::default() };
        rules.services.insert("network".into(), network);
        let shop = rules.services.get_mut("shop").unwrap();
        shop.grouping.depends_on = vec!["network".into()];
        // Waits that are longer than any other must not make this one long.
        shop.flapping.calm_after = SignedDuration::from_hours(4);
        let settle = shop.grouping.settle;
        story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
        story.passes(back);
        assert_eq!(story.hears("pingdom", "db-1", FIRING).0, "opened");
        assert_eq!(story.count_of_pages(), 0);
        story.is_put_back(back);
        assert_eq!(story.deadlines_are_met(), [Reason::Rescheduled], "{back}");
        assert_eq!(story.deadlines_are_met(), [], "{back}");
        story.clock.forward(settle);
        assert_eq!(story.deadlines_are_met(), [Reason::EscalatedOnTime], "{back}");
        assert_eq!(story.count_of_pages(), 1);
        // And the next step is not waited for until the hour that never was.
        assert_eq!(story.deadlines_are_met(), []);
        story.passes(5);
        assert_eq!(story.deadlines_are_met(), [Reason::EscalatedOnTime], "{back}");
        story.proves_whole();
    }
}

#[test]
fn people_of_an_incident_opened_ahead_of_the_hour_wait_for_an_answer_as_long_as_ever() {
    let mut story = Story::new();
    story.passes(8);
    story.hears("pingdom", "db-1", FIRING);
    story.is_put_back(8);
    assert_eq!(story.deadlines_are_met(), [Reason::Rescheduled]);
    story.passes(5);
    assert_eq!(story.deadlines_are_met(), [Reason::EscalatedOnTime]);
    assert_eq!(story.count_of_pages(), 2);
    story.proves_whole();
}
