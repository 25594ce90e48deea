//! Stories of what has an hour: alerts that have to be said again, those under a silence, and heartbeats.

use jiff::{SignedDuration, Timestamp};

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::core::matcher::read_all;
use crate::store::{alerts, silences};

impl Story {
    /// A sender says that an alert fires, and that it is over if this is not said again within so many minutes.
    fn pushes(&mut self, key: &str, minutes: i64) -> (&'static str, Option<i64>) {
        let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
        event.expires_at = Some(self.clock.now() + SignedDuration::from_mins(minutes));
        event.labels.insert("name".into(), key.into());
        self.says(event)
    }

    fn says(&mut self, event: Event) -> (&'static str, Option<i64>) {
        let Reply::Events(_, results) = self.ask(self.delivery("prom", vec![event])).unwrap() else {
            panic!("another answer");
        };
        (results[0].outcome, results[0].incident)
    }

    /// What the deadlines do with alerts, from the hour since when senders are heard. How many hours had come.
    fn alerts_are_looked_at(&mut self, heard_since: Timestamp) -> usize {
        let hearing = nodes::Hearing { since: heard_since, until: self.clock.now() };
        self.alerts_are_looked_at_by_one_who_hears(hearing)
    }

    fn alerts_are_looked_at_by_one_who_hears(&mut self, hearing: nodes::Hearing) -> usize {
        let mut due = self.look(move |tx| alerts::expired(tx, hearing, 100));
        due.extend(self.look(|tx| alerts::outlived(tx, 100)));
        let asked = due.iter().map(|(alert, _)| Command::AlertDue { alert: *alert, hearing }).collect();
        let answers = self.ask_all(asked);
        answers.iter().filter(|answer| matches!(answer, Ok(Reply::Looked(true)))).count()
    }

    fn silences(&mut self, matchers: &str, minutes: i64) -> String {
        let now = self.clock.now();
        self.puts_silence(Silence {
            id: String::new(),
            source: Some("prom".into()),
            matchers: read_all(matchers).unwrap(),
            starts_at: now,
            ends_at: now + SignedDuration::from_mins(minutes),
            created_by: "maya".into(),
            comment: "new disks".into(),
            updated_at: now,
        })
        .unwrap()
    }

    fn puts_silence(&mut self, silence: Silence) -> Result<String, DoorError> {
        let fresh = crate::crypto::random_uuid().unwrap();
        match self.ask(Command::PutSilence { silence, fresh })? {
            Reply::Silenced(id) => Ok(id),
            _ => panic!("another answer"),
        }
    }

    fn pings(&mut self) -> (&'static str, Option<i64>) {
        self.pings_at("backup", None)
    }

    /// A ping; one of another hour was held until now.
    fn pings_at(&mut self, name: &str, held: Option<Timestamp>) -> (&'static str, Option<i64>) {
        let events = vec![Event::new(name, Status::Info, "")];
        let Command::Events(delivered) = self.delivery(crate::core::heartbeat::SOURCE, events) else {
            panic!("another command");
        };
        let received_at = held.unwrap_or(delivered.received_at);
        let ping = Delivered { received_at, held: held.is_some(), ..delivered };
        let Reply::Events(_, results) = self.ask(Command::Events(ping)).unwrap() else {
            panic!("another answer")
        };
        (results[0].outcome, results[0].incident)
    }

    fn heartbeat_is_looked_at(&mut self) -> bool {
        self.heartbeat_is_looked_at_by_one_who_hears_since(AGES_AGO)
    }

    fn heartbeat_is_looked_at_by_one_who_hears_since(&mut self, heard_since: Timestamp) -> bool {
        let answer = self.ask(Command::HeartbeatDue { name: "backup".into(), heard_since });
        matches!(answer, Ok(Reply::Looked(true)))
    }

    fn texts(&mut self, incident: i64) -> Vec<String> {
        let sql = "select text from entry where incident = ?1 order by seq";
        self.look(|tx| tx.query(sql, &[incident.into()], |row| row.text(0)))
    }
}

const AGES_AGO: Timestamp = Timestamp::UNIX_EPOCH;

#[test]
fn an_alert_that_is_not_said_again_in_time_counts_as_recovered() {
    let mut story = Story::new();
    assert_eq!(story.pushes("db-1", 4), ("opened", Some(1)));
    story.passes(3);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0);
    assert_eq!(story.pushes("db-1", 4), ("repeated", Some(1)));
    story.passes(3);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0, "it was said again");
    story.passes(2);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0);
    assert!(
        story.texts(1).iter().any(|text| text.contains("has not said again that db-1 is down (db-1) fires"))
    );
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    assert_eq!(story.pushes("db-1", 4), ("opened", Some(1)), "said again after all");
    story.proves_whole();
}

#[test]
fn what_timed_out_fires_again_with_the_start_it_always_had() {
    let mut story = Story::new();
    let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
    event.occurred_at = Some(story.clock.now());
    event.keeps_start = true;
    let push = |story: &mut Story| {
        let expires_at = Some(story.clock.now() + SignedDuration::from_mins(4));
        story.says(Event { expires_at, ..event.clone() })
    };
    push(&mut story);
    story.passes(5);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1);
    assert_eq!(push(&mut story), ("joined", Some(1)), "at once, and not a minute later");
    story.proves_whole();
}

#[test]
fn a_sender_that_could_not_be_heard_gets_its_own_time_once_more() {
    let mut story = Story::new();
    story.pushes("db-1", 4);
    // The daemon was away for an hour, in which nobody could push.
    story.passes(60);
    let heard_since = story.clock.now();
    assert_eq!(story.alerts_are_looked_at(heard_since), 0);
    story.passes(3);
    assert_eq!(story.alerts_are_looked_at(heard_since), 0);
    story.passes(2);
    assert_eq!(story.alerts_are_looked_at(heard_since), 1);
    story.proves_whole();
}

#[test]
fn a_repeat_in_the_same_transaction_keeps_an_alert_alive() {
    let mut story = Story::new();
    story.pushes("db-1", 4);
    story.passes(5);
    let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
    event.expires_at = Some(story.clock.now() + SignedDuration::from_mins(4));
    let delivery = story.delivery("prom", vec![event]);
    let hearing = nodes::Hearing { since: AGES_AGO, until: story.clock.now() };
    let answers = story.ask_all(vec![delivery, Command::AlertDue { alert: 1, hearing }]);
    assert!(matches!(answers[1], Ok(Reply::Looked(false))), "{answers:?}");
    story.proves_whole();
}

#[test]
fn a_recovery_or_a_firing_without_an_end_takes_the_hour_away() {
    let mut story = Story::new();
    story.pushes("db-1", 4);
    story.says(Event::new("db-1", Status::Resolved, "over"));
    story.pushes("db-2", 4);
    story.says(Event::new("db-2", Status::Firing, "db-2 is down"));
    story.passes(10);
    assert_eq!(
        story.look(|tx| alerts::expired(tx, nodes::Hearing { since: AGES_AGO, until: tx.now }, 100)),
        []
    );
    let sql = "select count(*) from alert_heard where expires_at is not null";
    assert_eq!(story.look(|tx| tx.query(sql, &[], |row| row.int(0))), [0]);
    story.proves_whole();
}

#[test]
fn what_fires_under_a_silence_wakes_nobody_and_does_when_it_ends() {
    let mut story = Story::new();
    story.silences("name=~\"db-.*\"", 60);
    assert_eq!(story.pushes("db-1", 120), ("suppressed", None));
    assert_eq!(story.pushes("web-1", 120), ("opened", Some(1)));
    story.claim("");
    assert_eq!(story.pushes("db-1", 120), ("repeated", None));
    story.passes(59);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0);
    assert!(story.claim("").iter().all(|claim| claim.incident == 1));
    story.passes(1);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0);
    let pages = story.claim("");
    assert!(pages.iter().any(|claim| claim.incident == 2 && claim.person == "maya"), "{pages:?}");
    assert_eq!(story.pushes("db-1", 120), ("repeated", Some(2)));
    story.proves_whole();
}

#[test]
fn what_recovers_under_a_silence_is_heard_of_by_nobody() {
    let mut story = Story::new();
    let id = story.silences("name=~\"db-.*\"", 60);
    story.pushes("db-1", 120);
    assert_eq!(story.says(Event::new("db-1", Status::Resolved, "over")), ("resolved", None));
    story.ask(Command::EndSilence { id, source: Some("prom".into()) }).unwrap();
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 0);
    assert!(story.claim("").is_empty());
    story.proves_whole();
}

#[test]
fn another_silence_that_lasts_longer_goes_on_holding() {
    let mut story = Story::new();
    story.silences("name=~\"db-.*\"", 10);
    story.pushes("db-1", 600);
    story.passes(5);
    story.silences("name=\"db-1\"", 60);
    story.passes(10);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1, "it changes hands");
    assert!(story.claim("").is_empty());
    story.passes(60);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1);
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
    story.proves_whole();
}

#[test]
fn a_silence_of_one_source_holds_nothing_of_another_and_its_end_is_its_owners() {
    let mut story = Story::new();
    let id = story.silences("name=~\".+\"", 10);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    let end =
        |source: Option<&str>| Command::EndSilence { id: id.clone(), source: source.map(str::to_owned) };
    assert!(matches!(story.ask(end(Some("pingdom"))), Err(DoorError::NoSilence(_))));
    assert!(matches!(story.ask(end(None)), Err(DoorError::NoSilence(_))));
    assert!(story.ask(end(Some("prom"))).is_ok());
    assert!(story.ask(end(Some("prom"))).is_ok(), "it is over already");
    story.proves_whole();
}

#[test]
fn an_incident_that_is_open_hears_of_its_alert_under_a_silence_too() {
    let mut story = Story::new();
    story.pushes("db-1", 600);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.says(Event::new("db-1", Status::Resolved, "over"));
    story.silences("name=~\"db-.*\"", 60);
    assert_eq!(story.pushes("db-1", 600), ("joined", Some(1)));
    story.proves_whole();
}

#[test]
fn a_silence_is_changed_in_place_or_becomes_another_as_in_alertmanager() {
    let mut story = Story::new();
    let id = story.silences("a=\"b\"", 60);
    let kept = story.look(|tx| silences::get(tx, &id)).unwrap();
    let longer = Silence { ends_at: kept.ends_at + SignedDuration::from_mins(60), ..kept.clone() };
    assert_eq!(story.puts_silence(longer).unwrap(), id);
    let other = Silence { matchers: read_all("a=\"c\"").unwrap(), ..kept.clone() };
    let second = story.puts_silence(other).unwrap();
    assert_ne!(second, id);
    let old = story.look(|tx| silences::get(tx, &id)).unwrap();
    assert!(old.ends_at <= story.clock.now());
    assert!(matches!(
        story.puts_silence(Silence { id: "none".into(), ..kept.clone() }),
        Err(DoorError::NoSilence(_))
    ));
    let past =
        Silence { id: String::new(), ends_at: story.clock.now() - SignedDuration::from_mins(1), ..kept };
    assert!(matches!(story.puts_silence(past), Err(DoorError::BadSilence(_))));
    story.passes(6 * 24 * 60);
    story.ask(Command::Forget).unwrap();
    assert!(story.look(|tx| silences::of_source(tx, "prom", 10)).is_empty());
    story.proves_whole();
}

#[test]
fn a_heartbeat_that_stops_wakes_people_once_and_its_next_ping_ends_that() {
    let mut story = Story::new();
    assert_eq!(story.pings(), ("repeated", None));
    story.passes(69);
    assert!(!story.heartbeat_is_looked_at());
    story.passes(1);
    assert!(story.heartbeat_is_looked_at());
    assert!(!story.heartbeat_is_looked_at(), "once");
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
    assert!(story.texts(1)[0].contains("heartbeat backup is missing"));
    assert_eq!(story.pings(), ("resolved", Some(1)));
    assert_eq!(story.pings(), ("repeated", None));
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    story.passes(66);
    assert!(story.heartbeat_is_looked_at(), "it is waited for again");
    story.proves_whole();
}

#[test]
fn a_heartbeat_that_never_came_is_waited_for_from_the_first_look() {
    let mut story = Story::new();
    assert!(!story.heartbeat_is_looked_at());
    story.passes(69);
    assert!(!story.heartbeat_is_looked_at());
    story.passes(1);
    assert!(story.heartbeat_is_looked_at());
    let body = story.look(|tx| tx.query("select body from alert", &[], |row| row.text(0)));
    assert!(body[0].contains("has never come"), "{body:?}");
    story.proves_whole();
}

#[test]
fn a_ping_under_a_clock_that_was_far_ahead_does_not_keep_a_heartbeat_alive() {
    let mut story = Story::new();
    story.passes(1000 * 60);
    story.pings();
    story.is_put_back(1000 * 60);
    assert!(!story.heartbeat_is_looked_at());
    story.passes(70);
    assert!(story.heartbeat_is_looked_at());
    story.proves_whole();
}

#[test]
fn a_ping_of_a_heartbeat_that_is_not_configured_any_more_changes_nothing() {
    let mut story = Story::new();
    assert_eq!(story.pings_at("gone", None), ("ignored", None));
    let due = Command::HeartbeatDue { name: "gone".into(), heard_since: AGES_AGO };
    assert!(!matches!(story.ask(due), Ok(Reply::Looked(true))));
    story.proves_whole();
}

#[test]
fn who_restarts_every_day_misses_a_daily_ping_all_the_same() {
    let mut story = Story::new();
    story.pings();
    // It began to hear again ten minutes after the ping was due: that may have come meanwhile.
    story.passes(70);
    let heard_since = story.clock.now();
    assert!(!story.heartbeat_is_looked_at_by_one_who_hears_since(heard_since));
    story.passes(69);
    let again = story.clock.now();
    assert!(!story.heartbeat_is_looked_at_by_one_who_hears_since(again));
    story.passes(1);
    let again = story.clock.now();
    assert!(story.heartbeat_is_looked_at_by_one_who_hears_since(again), "once is enough");
    story.proves_whole();
}

#[test]
fn a_gap_in_which_no_ping_was_due_excuses_nothing() {
    let mut story = Story::new();
    story.pings();
    story.passes(30);
    let heard_since = story.clock.now();
    story.passes(40);
    assert!(story.heartbeat_is_looked_at_by_one_who_hears_since(heard_since));
    story.proves_whole();
}

#[test]
fn people_who_end_the_incident_of_a_heartbeat_that_stays_away_are_woken_again() {
    let mut story = Story::new();
    story.pings();
    story.passes(70);
    assert!(story.heartbeat_is_looked_at());
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.claim("");
    story.passes(59);
    assert!(!story.heartbeat_is_looked_at());
    story.passes(1);
    assert!(story.heartbeat_is_looked_at(), "it is said again");
    assert!(Story::told(&story.claim("")).contains(&"page maya".to_owned()));
    story.proves_whole();
}

#[test]
fn a_ping_that_a_node_held_ends_the_alert_that_another_raised_meanwhile() {
    let mut story = Story::new();
    story.pings();
    story.passes(60);
    let came = story.clock.now();
    story.passes(10);
    assert!(story.heartbeat_is_looked_at());
    assert_eq!(story.pings_at("backup", Some(came)), ("resolved", Some(1)));
    assert_eq!(story.pings_at("backup", Some(came - SignedDuration::from_mins(30))), ("stale", None));
    story.passes(59);
    assert!(!story.heartbeat_is_looked_at());
    story.passes(1);
    assert!(story.heartbeat_is_looked_at(), "the next one after it did not come");
    story.proves_whole();
}

#[test]
fn a_silence_holds_what_would_set_the_escalation_of_a_calm_incident_going_again() {
    let mut story = Story::new();
    story.pushes("db-1", 600);
    story.says(Event::new("db-1", Status::Resolved, "over"));
    story.silences("name=~\"db-.*\"", 60);
    assert_eq!(story.pushes("db-1", 600), ("suppressed", None));
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    story.proves_whole();
}

#[test]
fn a_silence_given_back_as_it_was_shown_is_the_same_silence() {
    let mut story = Story::new();
    let id = story.silences("a=\"b\"", 60);
    story.passes(1);
    let kept = story.look(|tx| silences::get(tx, &id)).unwrap();
    let shown: Timestamp = format!("{:.3}", kept.starts_at).parse().unwrap();
    let longer =
        Silence { starts_at: shown, ends_at: kept.ends_at + SignedDuration::from_mins(60), ..kept.clone() };
    assert_eq!(story.puts_silence(longer).unwrap(), id);
    assert_eq!(story.look(|tx| silences::get(tx, &id)).unwrap().starts_at, kept.starts_at);
    story.proves_whole();
}

#[test]
fn what_onscene_says_of_a_source_is_not_silenced() {
    let mut story = Story::new();
    story
        .puts_silence(Silence {
            id: String::new(),
            source: None,
            matchers: read_all("title=~\".+\"").unwrap(),
            starts_at: story.clock.now(),
            ends_at: story.clock.now() + SignedDuration::from_mins(60),
            created_by: "maya".into(),
            comment: "everything".into(),
            updated_at: story.clock.now(),
        })
        .unwrap();
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing).0, "suppressed");
    assert_eq!(story.hears("pingdom", crate::store::unreadable::KEY, Status::Firing).0, "opened");
    story.proves_whole();
}

#[test]
fn a_body_read_again_after_its_alerts_had_their_time_wakes_nobody() {
    let mut story = Story::new();
    let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
    event.expires_at = Some(story.clock.now() + SignedDuration::from_mins(4));
    story.passes(480);
    let kept = crate::store::unreadable::Kept {
        id: 0,
        source: "prom".into(),
        kind: "prometheus".into(),
        method: "POST".into(),
        query: String::new(),
        content_type: None,
        headers: Vec::new(),
        body: b"x".to_vec(),
        error: "once".into(),
        received_at: story.clock.now(),
    };
    let Command::Events(rest) = story.delivery("prom", Vec::new()) else { panic!("another command") };
    story.ask(Command::Unreadable(Box::new(Unread { kept, rest, once: None, about: None }))).unwrap();
    let Command::Events(delivered) = story.delivery("prom", vec![event]) else { panic!("another command") };
    let again = Command::Events(Delivered { replays: Some(1), ..delivered });
    let Reply::Events(_, results) = story.ask(again).unwrap() else { panic!("another answer") };
    assert_eq!(results[0].outcome, "stale");
    story.proves_whole();
}

#[test]
fn what_was_heard_before_an_alert_was_written_whole_takes_nothing_from_it() {
    let mut story = Story::new();
    story.says(Event::new("db-1", Status::Resolved, "over"));
    let over = story.delivery("prom", vec![Event::new("db-1", Status::Resolved, "over")]);
    let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
    event.expires_at = Some(story.clock.now() + SignedDuration::from_mins(4));
    let fires = story.delivery("prom", vec![event]);
    story.ask_all(vec![over, fires]);
    story.passes(5);
    assert_eq!(story.alerts_are_looked_at(AGES_AGO), 1, "its end is remembered");
    story.proves_whole();
}
