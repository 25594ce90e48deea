//! Routes at the door.

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::incident::Severity;
use crate::core::matcher::read_all;
use crate::core::route::{self, Set, To};
use crate::core::rules::{Policy, Service, Step, Target};
use crate::store::{incidents, unreadable};

/// A house with two services: `shop`, that maya is woken for first, and `payments`, that tom is.
fn story(routes: &[(&str, To)]) -> Story {
    let mut house = house();
    let mut rules = (*house.rules).clone();
    let step = Step {
        page: vec![Target::Person("tom".into())],
        wait: jiff::SignedDuration::from_mins(5),
        ..Step::default()
    };
    rules.policies.insert(
        "payments".into(),
        Policy { steps: vec![step], repeat: 0, last_resort: vec![], ..Policy::default() },
    );
    let payments = Service { policy: "payments".into(), ..rules.services["shop"].clone() };
    rules.services.insert("payments".into(), payments);
    rules.routes = routes
        .iter()
        .map(|(matchers, to)| route::Route { matchers: read_all(matchers).unwrap(), to: to.clone() })
        .collect();
    rules.age_out = [("scripts".to_owned(), jiff::SignedDuration::from_mins(30))].into();
    house.rules = Arc::new(rules);
    let story = Story::new();
    story.committer.house.swap(house);
    story
}

fn event(key: &str, status: Status, labels: &[(&str, &str)]) -> Event {
    let mut event = Event::new(key, status, format!("{key} is down"));
    event.labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    event
}

impl Story {
    fn sent(&mut self, source: &str, event: Event) -> EventResult {
        let Reply::Events(_, mut results) = self.ask(self.delivery(source, vec![event])).unwrap() else {
            panic!("another answer");
        };
        results.remove(0)
    }

    fn incident_of(&mut self, result: &EventResult) -> Incident {
        let id = result.incident.unwrap();
        let now = self.clock.now();
        self.committer.connection.write(now, |tx| incidents::load(tx, id)).unwrap().unwrap().incident
    }
}

fn payments() -> To {
    To::Set(Set {
        service: Some("payments".into()),
        severity: Some(AlertSeverity::Critical),
        ..Set::default()
    })
}

#[test]
fn a_route_says_what_an_alert_is_about_and_so_who_is_woken() {
    let mut story = story(&[("team=\"payments\"", payments())]);
    let routed = story.sent("pingdom", event("a", Status::Firing, &[("team", "payments")]));
    let plain = story.sent("pingdom", event("b", Status::Firing, &[]));
    let (routed, plain) = (story.incident_of(&routed), story.incident_of(&plain));
    assert_eq!((routed.service.as_str(), routed.severity), ("payments", Severity::Sev1));
    assert_eq!((plain.service.as_str(), plain.severity), ("shop", Severity::Sev2));
    assert_eq!(routed.responders[0].person, "tom");
    assert_eq!(plain.responders[0].person, "maya");
}

#[test]
fn a_recovery_needs_no_route() {
    let mut story = story(&[("team=\"payments\"", payments())]);
    let fired = story.sent("pingdom", event("a", Status::Firing, &[("team", "payments")]));
    // Many senders say less of what is over.
    let over = story.sent("pingdom", event("a", Status::Resolved, &[]));
    assert_eq!((over.outcome, over.incident), ("resolved", fired.incident));
    assert_eq!(story.incident_of(&over).firing, 0);
}

#[test]
fn what_is_ignored_wakes_nobody_and_says_by_which_route() {
    let mut story = story(&[("team=\"x\"", To::Ignore), ("severity=\"info\"", To::Ignore)]);
    let mut quiet = event("a", Status::Firing, &[]);
    quiet.severity = Some(AlertSeverity::Info);
    let ignored = story.sent("pingdom", quiet);
    assert_eq!((ignored.outcome, ignored.incident), ("ignored", None));
    assert_eq!(ignored.reason.as_deref(), Some("route 2 ignores it"));
    let over = story.sent("pingdom", event("a", Status::Resolved, &[("team", "x")]));
    assert_eq!(over.outcome, "ignored");
}

#[test]
fn an_alert_that_fired_before_it_was_ignored_still_recovers() {
    let mut story = story(&[]);
    let fired = story.sent("pingdom", event("a", Status::Firing, &[]));
    let mut house = house();
    let mut rules = (*house.rules).clone();
    rules.routes = vec![route::Route { matchers: read_all("").unwrap(), to: To::Ignore }];
    house.rules = Arc::new(rules);
    story.committer.house.swap(house);
    assert_eq!(story.sent("pingdom", event("a", Status::Firing, &[])).outcome, "ignored");
    let over = story.sent("pingdom", event("a", Status::Resolved, &[]));
    assert_eq!((over.outcome, over.incident), ("resolved", fired.incident));
}

#[test]
fn what_onscene_says_of_a_source_is_routed_nowhere() {
    let mut story = story(&[("", To::Ignore)]);
    let own = story.sent("pingdom", event(unreadable::KEY, Status::Firing, &[]));
    assert_eq!(own.outcome, "opened");
}

#[test]
fn an_alert_that_fires_while_all_is_well_is_a_ping() {
    let mut story = story(&[("alertname=\"Watchdog\"", To::Heartbeat("backup".into()))]);
    let watchdog = |status| event("w", status, &[("alertname", "Watchdog")]);
    let beat = story.sent("prometheus", watchdog(Status::Firing));
    assert_eq!((beat.outcome, beat.incident), ("repeated", None));
    assert_eq!(beat.reason.as_deref(), Some("heartbeat backup"));
    assert_eq!(story.sent("prometheus", watchdog(Status::Resolved)).outcome, "ignored");
    // It is missed when it does not come for its hour and ten minutes.
    let since = story.clock.now();
    story.clock.forward(jiff::SignedDuration::from_mins(71));
    let due = Command::HeartbeatDue { name: "backup".into(), heard_since: since };
    assert!(matches!(story.ask(due), Ok(Reply::Looked(true))));
    // And comes back.
    let back = story.sent("prometheus", watchdog(Status::Firing));
    assert_eq!(back.outcome, "resolved");
    assert!(back.incident.is_some());
}

#[test]
fn an_alert_of_a_sender_without_recoveries_grows_old() {
    let mut story = story(&[(
        "team=\"slow\"",
        To::Set(Set { age_out: Some(jiff::SignedDuration::from_hours(2)), ..Set::default() }),
    )]);
    let since = story.clock.now();
    let usual = story.sent("scripts", event("a", Status::Firing, &[]));
    let slow = story.sent("scripts", event("b", Status::Firing, &[("team", "slow")]));
    story.clock.forward(jiff::SignedDuration::from_mins(20));
    // Said again: it has half an hour from now on.
    assert_eq!(story.sent("scripts", event("a", Status::Firing, &[])).outcome, "repeated");
    story.clock.forward(jiff::SignedDuration::from_mins(20));
    assert_eq!(story.ages(since), [false, false]);
    story.clock.forward(jiff::SignedDuration::from_mins(11));
    assert_eq!(story.ages(since), [true, false]);
    assert_eq!(story.incident_of(&usual).firing, 0);
    assert_eq!(story.incident_of(&slow).firing, 1);
}

impl Story {
    /// Looks at the first two alerts: whether their hour had come.
    fn ages(&mut self, heard_since: jiff::Timestamp) -> [bool; 2] {
        let hearing = nodes::Hearing { since: heard_since, until: self.clock.now() };
        [1, 2].map(|alert| match self.ask(Command::AlertDue { alert, hearing }) {
            Ok(Reply::Looked(looked)) => looked,
            other => panic!("{other:?}"),
        })
    }
}

#[test]
fn an_alert_that_fired_before_it_was_a_ping_still_recovers() {
    let mut story = story(&[]);
    let fired = story.sent("pingdom", event("w", Status::Firing, &[]));
    let mut house = house();
    let mut rules = (*house.rules).clone();
    rules.routes = vec![route::Route { matchers: read_all("").unwrap(), to: To::Heartbeat("backup".into()) }];
    house.rules = Arc::new(rules);
    story.committer.house.swap(house);
    let over = story.sent("pingdom", event("w", Status::Resolved, &[]));
    assert_eq!((over.outcome, over.incident), ("resolved", fired.incident));
    assert_eq!(story.incident_of(&over).firing, 0);
}

#[test]
fn a_day_is_over_also_in_a_house_that_restarts_daily() {
    let mut story = story(&[(
        "",
        To::Set(Set { age_out: Some(jiff::SignedDuration::from_hours(24)), ..Set::default() }),
    )]);
    story.sent("scripts", event("a", Status::Firing, &[]));
    story.clock.forward(jiff::SignedDuration::from_hours(30));
    let hours_ago = |story: &Story, hours| story.clock.now() - jiff::SignedDuration::from_hours(hours);
    let (lately, long) = (hours_ago(&story, 5), hours_ago(&story, 6));
    assert!(!story.ages(lately)[0]);
    assert!(story.ages(long)[0]);
}
