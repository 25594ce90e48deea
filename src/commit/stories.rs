//! The door told as stories: a real store, the real rules, hours that pass as told.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::core::alert::Status;
use crate::core::correlate::Grouping;
use crate::core::heartbeat::Heartbeat;
use crate::core::rules::{Clocks, Person, Policy, Rules, Service, Step, Target};
use crate::core::timeline::{Actor, Route};
use crate::house::HeartbeatHere;
use crate::house::House;
use crate::render::Renderer;
use crate::store::Tx;
use crate::store::tokens;
use crate::store::{incidents, letters};

pub(super) struct Story {
    pub(super) committer: Committer,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    _door: Door,
    pub(super) directory: tempfile::TempDir,
}

fn rules() -> Rules {
    let person = |name: &str| {
        let email = format!("{name}@example.net");
        (name.to_owned(), Person { email, ..Person::default() })
    };
    let person_target = |name: &str| Target::Person(name.into());
    let step = |name: &str| Step {
        page: vec![person_target(name)],
        wait: SignedDuration::from_mins(5),
        ..Step::default()
    };
    let policy = Policy {
        steps: vec![step("maya"), step("tom")],
        repeat: 1,
        last_resort: vec![],
        ..Policy::default()
    };
    let service = Service {
        policy: "default".into(),
        pio: vec![person_target("kim")],
        grouping: Grouping { window: SignedDuration::ZERO, ..Grouping::default() },
        ..Service::default()
    };
    Rules {
        people: ["maya", "tom", "kim"].map(person).into_iter().collect(),
        policies: [("default".to_owned(), policy)].into_iter().collect(),
        services: [("shop".to_owned(), service)].into_iter().collect(),
        internal_channels: vec!["ops-room".into()],
        fallbacks: [("ops-room".to_owned(), "staff-mail".to_owned())].into_iter().collect(),
        clocks: Clocks::default(),
        ..Rules::default()
    }
}

/// A ping that comes every hour, and may be ten minutes late.
fn backup() -> HeartbeatHere {
    let beat = Heartbeat {
        period: SignedDuration::from_hours(1),
        grace: SignedDuration::from_mins(10),
        service: "shop".into(),
        severity: crate::core::alert::AlertSeverity::Error,
    };
    HeartbeatHere { tokens: Vec::new(), beat }
}

/// Three people, one service, a channel and the one that stands in for it.
pub(super) fn house() -> House {
    let recipients = ["a@example.net".to_owned(), "b@example.net".to_owned()].to_vec();
    House {
        rules: Arc::new(rules()),
        renderer: Renderer::new(None, "http://localhost").unwrap(),
        recipients: BTreeMap::from([("staff-mail".to_owned(), recipients)]),
        heartbeats: BTreeMap::from([("backup".to_owned(), backup())]),
        ..House::default()
    }
}

impl Story {
    pub(super) fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap(), None)
    }

    /// A node that may hold deliveries on its own disk.
    pub(super) fn with_spool() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool::tests::open(directory.path(), 1 << 20);
        Self::with(directory, Some(spool))
    }

    fn with(directory: tempfile::TempDir, spool: Option<Spool>) -> Self {
        let clock = Clock::system();
        let file = Place::Sqlite(directory.path().join("onscene.db"));
        let place = crate::store::postgres::tests::fresh().unwrap_or(file);
        let connection = Connection::writer(&place, &clock).unwrap();
        let metrics = Arc::new(Metrics::new(0.0).unwrap());
        let (door, committer) = door(
            Room { queue_max: 16, spool },
            connection,
            place,
            clock.clone(),
            Arc::new(Current::new(house())),
            metrics.clone(),
            Wakes::default(),
        );
        Self { committer, clock, metrics, _door: door, directory }
    }

    pub(super) fn ask(&mut self, command: Command) -> Result<Reply, DoorError> {
        self.ask_all(vec![command]).remove(0)
    }

    /// Commands that share one transaction.
    pub(super) fn ask_all(&mut self, commands: Vec<Command>) -> Vec<Result<Reply, DoorError>> {
        let (jobs, answers): (Vec<Job>, Vec<_>) = commands.into_iter().map(Job::new).unzip();
        if let Err((jobs, error)) = self.committer.commit(jobs) {
            self.committer.down(jobs, &error);
        }
        answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
    }

    pub(super) fn hears(&mut self, source: &str, key: &str, status: Status) -> (String, Option<i64>) {
        let event = Event::new(key, status, format!("{key} is down"));
        let Reply::Events(_, results) = self.ask(self.delivery(source, vec![event])).unwrap() else {
            panic!("another answer");
        };
        (results[0].outcome.to_owned(), results[0].incident)
    }

    pub(super) fn delivery(&self, source: &str, events: Vec<Event>) -> Command {
        Command::Events(Delivered {
            source: source.into(),
            kind: "generic".into(),
            service: "shop".into(),
            events,
            received_at: self.clock.now(),
            replays: None,
            held: false,
        })
    }

    pub(super) fn act(
        &mut self,
        incident: i64,
        person: &str,
        act: Act,
    ) -> Result<(String, Reason), DoorError> {
        let by = By { actor: Actor::Person(person.into()), route: Route::AnswerLink, occurred_at: None };
        match self.ask(Command::Act { incident, act, by })? {
            Reply::Decided(incident, reason) => Ok((incident.state().to_owned(), reason)),
            _ => panic!("another answer"),
        }
    }

    pub(super) fn tick(&mut self, incident: i64) -> Reason {
        match self.ask(Command::Act { incident, act: Act::TICK, by: By::dispatch() }).unwrap() {
            Reply::Decided(_, reason) => reason,
            _ => panic!("another answer"),
        }
    }

    pub(super) fn claim(&mut self, channel: &str) -> Vec<Claim> {
        let lease = SignedDuration::from_secs(60);
        let wanted = letters::Wanted {
            channel: channel.into(),
            lease,
            limit: 100,
            left: SignedDuration::ZERO,
            held: Vec::new(),
        };
        match self.ask(Command::Claim(wanted)).unwrap() {
            Reply::Claims(claims) => claims,
            _ => panic!("another answer"),
        }
    }

    pub(super) fn settle(&mut self, claim: Claim, settlement: Settlement) {
        self.ask(Command::Settle { claim: Arc::new(claim), settlement, alone: false }).unwrap();
    }

    pub(super) fn passes(&self, minutes: i64) {
        self.clock.forward(SignedDuration::from_mins(minutes));
    }

    pub(super) fn look<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        let now = self.clock.now();
        self.committer.connection.read(now, work).unwrap()
    }

    /// A clock that was far ahead is put right.
    pub(super) fn is_put_back(&self, minutes: i64) {
        self.clock.forward(SignedDuration::from_mins(-minutes));
    }

    pub(super) fn told(claims: &[Claim]) -> Vec<String> {
        claims.iter().map(|claim| format!("{} {}", claim.kind.as_str(), claim.person)).collect()
    }

    /// Every timeline is whole, and every event has its outcome: true at the end of every story.
    pub(super) fn proves_whole(mut self) {
        for id in self.look(|tx| incidents::numbers(tx, 0, 1000)) {
            self.look(|tx| is_whole(tx, id));
        }
        let text = self.metrics.text().unwrap();
        assert!(text.contains("onscene_events_unaccounted 0\n"), "{text}");
    }
}

/// An incident follows from its timeline, and counts the alerts that fire and belong to it.
pub(super) fn is_whole(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    incidents::verify(tx, id)?.unwrap().unwrap_or_else(|broken| panic!("INC-{id}: {broken}"));
    let counted = incidents::load(tx, id)?.unwrap().incident.firing;
    let sql = "select count(*) from alert where incident = ?1 and status = 'firing'";
    let firing = tx.query_one(sql, &[id.into()], |row| row.int(0))?;
    assert_eq!(Some(i64::from(counted)), firing, "INC-{id}: alerts that fire");
    Ok(())
}

#[test]
fn a_repeat_of_an_open_alert_pages_no_one() {
    let mut story = Story::new();
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
    for _ in 0..3 {
        assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("repeated".into(), Some(1)));
    }
    assert!(story.claim("").is_empty());
    story.proves_whole();
}

#[test]
fn the_first_answer_commands_and_the_second_is_told_the_name() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let answer = || Act::Answer { help: false };
    assert_eq!(story.act(1, "tom", answer()).unwrap().1, Reason::TookCommand);
    assert_eq!(story.act(1, "maya", answer()).unwrap().1, Reason::CommandIsTaken);
    // The page to maya has become pointless; kim is called as PIO, and maya is told.
    assert_eq!(Story::told(&story.claim("")), ["notice maya", "pio_page kim"]);
    assert_eq!(story.claim("ops-room").len(), 1);
    story.passes(14);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.proves_whole();
}

#[test]
fn two_sources_that_see_the_same_key_of_a_service_share_an_incident() {
    let mut story = Story::new();
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    assert_eq!(story.hears("prometheus", "db-1", Status::Firing), ("joined".into(), Some(1)));
    assert_eq!(story.hears("pingdom", "db-1", Status::Resolved), ("resolved".into(), Some(1)));
    story.passes(10);
    // It escalates: one of the two still fires.
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    story.hears("prometheus", "db-1", Status::Resolved);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    story.proves_whole();
}

#[test]
fn what_comes_back_within_a_day_opens_its_incident_again_and_later_a_new_one() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.hears("pingdom", "db-1", Status::Resolved);
    story.passes(4);
    story.tick(1);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    story.hears("pingdom", "db-1", Status::Resolved);
    story.passes(4);
    story.tick(1);
    story.passes(25 * 60);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(2)));
    story.proves_whole();
}

#[test]
fn an_alert_that_outlives_a_resolved_incident_wakes_people_again() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.claim("");
    story.passes(1);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("repeated".into(), Some(1)));
    story.passes(10);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    assert!(Story::told(&story.claim("")).contains(&"page maya".to_owned()));
    story.proves_whole();
}

#[test]
fn a_refused_page_escalates_in_the_transaction_that_settles_it() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let claim = story.claim("").remove(0);
    story.settle(claim, Settlement::Refused { why: "550 no such user".into() });
    assert_eq!(Story::told(&story.claim("")), ["page tom"]);
    story.proves_whole();
}

#[test]
fn a_status_that_is_refused_goes_to_the_fallback_to_each_recipient_with_a_note() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    let claim = story.claim("ops-room").remove(0);
    story.settle(claim, Settlement::Refused { why: "channel_not_found".into() });
    let fallback = story.claim("staff-mail");
    let to: Vec<&str> = fallback.iter().map(|claim| claim.address.as_str()).collect();
    assert_eq!(to, ["a@example.net", "b@example.net"]);
    assert!(fallback[0].payload.contains("could not be delivered to ops-room: channel_not_found"));
    story.proves_whole();
}

#[test]
fn status_keeps_its_order_within_an_incident_and_a_lost_worker_gives_its_letters_back() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    let first = story.claim("ops-room");
    assert_eq!(first.len(), 1, "the second waits for the first");
    assert!(story.claim("ops-room").is_empty());
    story.passes(2);
    let again = story.claim("ops-room").remove(0);
    assert_eq!((&again.id, again.attempt), (&first[0].id, 2));
    let stale = first.into_iter().next().unwrap();
    story.settle(stale, Settlement::Accepted { remote_id: Some("lost".into()) });
    story.settle(again, Settlement::Accepted { remote_id: Some("root".into()) });
    let second = story.claim("ops-room").remove(0);
    assert_eq!(second.thread_root.as_deref(), Some("root"));
    assert_eq!(story.look(letters::waiting).len(), 2, "the other channel is the persons'");
    story.proves_whole();
}

#[test]
fn a_thread_that_begins_anew_takes_the_place_of_the_one_before_and_no_other_letter_does() {
    let accepted = |id: &str| Settlement::Accepted { remote_id: Some(id.into()) };
    for (second, root) in [(accepted("two"), "one"), (Settlement::Begun { root: "two".into() }, "two")] {
        let mut story = Story::new();
        story.hears("pingdom", "db-1", Status::Firing);
        story.act(1, "maya", Act::Answer { help: false }).unwrap();
        story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
        for settlement in [accepted("one"), second] {
            let claim = story.claim("ops-room").remove(0);
            story.settle(claim, settlement);
        }
        let known = story.look(|tx| tx.query_one("select root from thread", &[], |row| row.text(0)));
        assert_eq!(known.as_deref(), Some(root));
        story.proves_whole();
    }
}

#[test]
fn the_words_of_a_letter_are_forgotten_when_it_is_settled_because_a_link_stands_in_them() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let claim = story.claim("").remove(0);
    let words: crate::render::Words = serde_json::from_str(&claim.payload).unwrap();
    let token = words.text.split("/r/").nth(1).unwrap()[..22].to_owned();
    let link = story.look(|tx| tokens::link(tx, &token)).unwrap();
    assert_eq!((link.incident, link.person.as_str()), (1, "maya"));
    story.settle(claim, Settlement::Accepted { remote_id: None });
    let kept = story
        .look(|tx| tx.query("select payload from letter where state = 'accepted'", &[], |row| row.text(0)));
    assert_eq!(kept, [""]);
    story.proves_whole();
}

#[test]
fn a_body_that_cannot_be_read_wakes_its_owner_and_is_given_to_the_adapter_again() {
    let mut story = Story::new();
    let kept = unreadable::Kept {
        id: 0,
        source: "pingdom".into(),
        kind: "pingdom".into(),
        method: "POST".into(),
        query: String::new(),
        content_type: None,
        headers: Vec::new(),
        body: b"\xff".to_vec(),
        error: "not UTF-8".into(),
        received_at: story.clock.now(),
    };
    let Command::Events(rest) = story.delivery("pingdom", Vec::new()) else { panic!("another command") };
    let keep = Command::Unreadable(Box::new(Unread { kept, rest, once: None, about: None }));
    let Reply::Kept(id) = story.ask(keep).unwrap() else { panic!("another answer") };
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
    let replay =
        |story: &Story| match story.delivery("pingdom", vec![Event::new("db-1", Status::Firing, "t")]) {
            Command::Events(delivered) => Command::Events(Delivered { replays: Some(id), ..delivered }),
            other => other,
        };
    let command = replay(&story);
    let Reply::Events(_, results) = story.ask(command).unwrap() else { panic!("another answer") };
    assert_eq!(results[0].outcome, "opened");
    // The alert about the source recovers by itself, and a second replay does nothing.
    let about = story.look(|tx| crate::store::alerts::known(tx, "pingdom", unreadable::KEY)).unwrap();
    assert_eq!(about.status, Status::Resolved);
    let command = replay(&story);
    let Reply::Events(_, results) = story.ask(command).unwrap() else { panic!("another answer") };
    assert!(results.is_empty());
    story.proves_whole();
}

#[test]
fn a_refused_command_does_not_hurt_its_neighbours_in_the_same_transaction() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let by = |name: &str| By { actor: Actor::Person(name.into()), route: Route::Api, occurred_at: None };
    let act = |act, name| Command::Act { incident: 1, act, by: by(name) };
    let answers = story.ask_all(vec![
        act(Act::Answer { help: false }, "maya"),
        act(Act::Answer { help: false }, "tom"),
        act(Act::Resolve { term: 1, false_alarm: false }, "tom"),
        act(Act::Answer { help: false }, "stranger"),
        Command::Act { incident: 77, act: Act::TICK, by: By::dispatch() },
    ]);
    let shown: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            Ok(Reply::Decided(_, reason)) => reason.as_str().to_owned(),
            Ok(_) => "other".into(),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "took_command",
            "command_is_taken",
            "maya has command (term 1); this act needs the Commander's current term",
            "stranger is not a person of this house",
            "there is no incident 77",
        ]
    );
    story.proves_whole();
}

#[test]
fn a_changed_timeline_is_found() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let now = story.clock.now();
    let change = |tx: &Tx<'_>| tx.execute("update entry set text = 'nothing happened' where seq = 2", &[]);
    story.committer.connection.write::<_, StoreError>(now, change).unwrap();
    let proof = story.look(|tx| incidents::verify(tx, 1)).unwrap();
    assert!(matches!(proof, Err(incidents::Broken::Hash(2))), "{proof:?}");
}

#[test]
fn every_time_an_alert_is_heard_is_counted_however_many_share_a_transaction() {
    let mut story = Story::new();
    story.hears("hook", "db-1", Status::Firing);
    story.hears("hook", "db-2", Status::Firing);
    let again = |key: &str, title: &str| Event::new(key, Status::Firing, title);
    let deliveries = vec![
        story.delivery("hook", vec![again("db-1", "db-1 is down"), again("db-2", "db-2 is gone")]),
        story.delivery("hook", vec![again("db-1", "db-1 is down")]),
        // Something else happens to it in between.
        story.delivery(
            "hook",
            vec![Event::new("db-1", Status::Resolved, "over"), again("db-1", "db-1 is down")],
        ),
    ];
    assert!(story.ask_all(deliveries).iter().all(Result::is_ok));
    let counts = |tx: &Tx<'_>| {
        let sql = "select count from alert join alert_heard on alert = id order by key";
        tx.query(sql, &[], |row| row.int(0))
    };
    assert_eq!(story.look(counts), [5, 2]);
}

#[test]
fn a_retried_delivery_is_told_by_its_own_id() {
    let mut story = Story::new();
    let with_id =
        |key: &str| Event { delivery_id: Some("d-1".into()), ..Event::new(key, Status::Firing, "t") };
    let both = || vec![with_id("a"), with_id("b")];
    let outcomes = |reply| match reply {
        Ok(Reply::Events(_, results)) => {
            results.iter().map(|one: &EventResult| one.outcome).collect::<Vec<_>>()
        }
        _ => panic!("another answer"),
    };
    let first = story.delivery("hook", both());
    assert_eq!(outcomes(story.ask(first)), ["opened", "opened"]);
    let second = story.delivery("hook", both());
    assert_eq!(outcomes(story.ask(second)), ["repeated", "repeated"]);
    story.proves_whole();
}

#[test]
fn a_clock_that_was_a_day_ahead_and_is_put_right_leaves_nobody_unwoken() {
    let mut story = Story::new();
    story.passes(24 * 60);
    story.hears("pingdom", "db-1", Status::Firing);
    let page = story.claim("").remove(0);
    story.is_put_back(24 * 60);
    // The lease ends in a future that will not be waited for.
    assert_eq!(story.claim("").remove(0).number(), page.number());
    let horizon = crate::core::escalation::Horizon::of(&story.committer.house.get().rules);
    let due = story.look(|tx| incidents::due(tx, &horizon, 10));
    assert_eq!(due.len(), 1, "its step ends a day too late");
    assert_eq!(story.tick(1), Reason::Rescheduled);
    assert_eq!(story.tick(1), Reason::NotDue, "by the right clock from now on");
    story.passes(5);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    // The alert was taken at an hour that is still to come.
    assert_eq!(story.hears("pingdom", "db-1", Status::Resolved), ("resolved".into(), Some(1)));
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing).0, "opened");
    story.proves_whole();
}

#[test]
fn a_letter_in_hand_is_not_given_out_again_while_its_outcome_waits_for_the_store() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let held = story.claim("").remove(0);
    story.passes(3);
    let lease = SignedDuration::from_secs(60);
    let wanted = |held| letters::Wanted {
        channel: String::new(),
        lease,
        limit: 100,
        left: SignedDuration::ZERO,
        held,
    };
    let Reply::Claims(claims) = story.ask(Command::Claim(wanted(vec![held.number()]))).unwrap() else {
        panic!("another answer");
    };
    assert!(claims.is_empty(), "its lease was renewed");
    story.settle(held, Settlement::Accepted { remote_id: None });
    let states =
        story.look(|tx| tx.query("select state from letter where channel = ''", &[], |row| row.text(0)));
    assert_eq!(states, ["accepted"]);
    story.proves_whole();
}

#[test]
fn alerts_whose_incident_is_forgotten_are_forgotten_too_a_little_at_a_time() {
    let mut story = Story::new();
    story.committer.house.swap(House {
        rules: Arc::new(rules()),
        renderer: Renderer::new(None, "http://localhost").unwrap(),
        retention: Some(SignedDuration::from_hours(24)),
        ..House::default()
    });
    let ours = FORGET_MAX + 20;
    for n in 0..ours {
        story.hears("pingdom", &format!("db-{n}"), Status::Firing);
        let incident = i64::from(n) + 1;
        story.act(incident, "maya", Act::Answer { help: false }).unwrap();
        // Half of them still fire when people end their incident.
        if n % 2 == 0 {
            story.hears("pingdom", &format!("db-{n}"), Status::Resolved);
        }
        story.act(incident, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    }
    story.passes(25 * 60);
    let mut rounds = 0;
    while let Reply::Forgotten { more: true } = story.ask(Command::Forget).unwrap() {
        rounds += 1;
        assert!(rounds < 10, "it never ends");
    }
    assert_eq!(rounds, 1);
    for table in ["incident", "alert", "alert_heard", "letter", "entry", "answer_token"] {
        let sql = format!("select count(*) from {table}");
        assert_eq!(story.look(|tx| tx.query(&sql, &[], |row| row.int(0))), [0], "{table}");
    }
    story.proves_whole();
}

#[test]
fn an_incident_that_cannot_be_read_does_not_keep_a_letter_in_hand() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let claim = Arc::new(story.claim("").remove(0));
    let now = story.clock.now();
    let spoilt = story.committer.connection.write(now, |tx| {
        tx.execute("update incident set state = '{' where id = 1", &[])?;
        Ok::<_, StoreError>(())
    });
    spoilt.unwrap();
    let settlement = Settlement::Accepted { remote_id: None };
    let mut settle =
        |alone| story.ask(Command::Settle { claim: claim.clone(), settlement: settlement.clone(), alone });
    assert!(matches!(settle(false), Err(DoorError::Fault)));
    assert!(settle(true).is_ok());
    // Its neighbours do not notice.
    assert_eq!(story.hears("pingdom", "db-2", Status::Firing), ("opened".into(), Some(2)));
    let states = story.look(|tx| {
        tx.query("select state from letter where incident = 1 and channel = ''", &[], |row| row.text(0))
    });
    assert_eq!(states, ["accepted"]);
}

#[test]
fn letters_asked_for_by_one_who_has_gone_are_not_handed_out() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let lease = SignedDuration::from_secs(60);
    let wanted = letters::Wanted {
        channel: String::new(),
        lease,
        limit: 100,
        left: SignedDuration::ZERO,
        held: Vec::new(),
    };
    let (job, answered) = Job::new(Command::Claim(wanted));
    drop(answered);
    story.committer.commit(vec![job]).ok().unwrap();
    assert_eq!(Story::told(&story.claim("")), ["page maya"]);
}

#[test]
fn shorter_waits_count_from_now_on_and_wake_nobody_early() {
    let mut story = Story::new();
    let with_waits = |minutes: i64| {
        let mut rules = rules();
        for step in &mut rules.policies.get_mut("default").unwrap().steps {
            step.wait = SignedDuration::from_mins(minutes);
        }
        House {
            rules: Arc::new(rules),
            renderer: Renderer::new(None, "http://localhost").unwrap(),
            ..House::default()
        }
    };
    story.committer.house.swap(with_waits(120));
    story.hears("pingdom", "db-1", Status::Firing);
    story.passes(5);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.committer.house.swap(with_waits(30));
    assert_eq!(story.tick(1), Reason::Rescheduled);
    story.passes(29);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.passes(1);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    story.proves_whole();
}

#[test]
fn a_node_of_the_version_before_lives_with_a_migration_that_adds_and_not_with_two() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let newest: i64 = story
        .look(|tx| tx.query_one("select max(number) from migration", &[], |row| row.int(0)))
        .expect("there are migrations");
    let now = story.clock.now();
    let added = story.committer.connection.write(now, |tx| {
        tx.execute("alter table incident add column mood text", &[])?;
        tx.execute(
            "insert into migration (number, name, checksum, applied_at) values (?1, 'newer', 'another', 0)",
            &[(newest + 1).into()],
        )
    });
    added.unwrap();
    let opened = Connection::writer(&story.committer.place, &story.clock);
    story.committer.connection = opened.expect("one step newer");
    assert_eq!(story.hears("pingdom", "db-1", Status::Resolved), ("resolved".into(), Some(1)));
    assert_eq!(story.hears("pingdom", "db-2", Status::Firing).0, "opened");
    let newer = story.committer.connection.write(now, |tx| {
        tx.execute(
            "insert into migration (number, name, checksum, applied_at) values (?1, 'newest', 'another', 0)",
            &[(newest + 2).into()],
        )
    });
    newer.unwrap();
    let refused = Connection::writer(&story.committer.place, &story.clock).err().expect("two steps newer");
    assert!(refused.to_string().contains("much newer"), "{refused}");
    story.proves_whole();
}

#[test]
fn what_was_held_does_not_undo_what_others_heard_later() {
    let mut story = Story::new();
    let heard_at = story.clock.now();
    let held = |story: &mut Story, status| {
        let event =
            Event { keeps_start: true, occurred_at: Some(heard_at), ..Event::new("db-1", status, "t") };
        let Command::Events(delivered) = story.delivery("prometheus", vec![event]) else { panic!() };
        let command = Command::Events(Delivered { received_at: heard_at, held: true, ..delivered });
        let Reply::Events(_, results) = story.ask(command).unwrap() else { panic!("another answer") };
        results[0].outcome
    };
    story.passes(1);
    story.hears("prometheus", "db-1", Status::Firing);
    story.hears("prometheus", "db-1", Status::Resolved);
    story.passes(10);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    // A node that was cut off comes back with the firing of then, whose recovery it has not heard.
    assert_eq!(held(&mut story, Status::Firing), "stale");
    assert_eq!(story.look(|tx| incidents::numbers(tx, 0, 10)), [1]);
    story.proves_whole();
}

#[test]
fn what_was_held_of_one_alert_is_taken_in_its_order_and_a_second_time_without_harm() {
    let mut story = Story::new();
    let first = story.clock.now();
    story.passes(5);
    for _ in 0..2 {
        for (minute, status) in [(0, Status::Firing), (1, Status::Resolved), (2, Status::Firing)] {
            let received_at = first + SignedDuration::from_mins(minute);
            let event = Event { occurred_at: Some(received_at), ..Event::new("db-1", status, "t") };
            let Command::Events(delivered) = story.delivery("pingdom", vec![event]) else { panic!() };
            story.ask(Command::Events(Delivered { received_at, held: true, ..delivered })).unwrap();
        }
        let known = story.look(|tx| crate::store::alerts::known(tx, "pingdom", "db-1")).unwrap();
        assert_eq!(known.status, Status::Firing);
        assert_eq!(story.look(|tx| incidents::numbers(tx, 0, 10)), [1]);
    }
    story.proves_whole();
}

#[test]
fn what_was_held_does_not_undo_what_others_heard_repeated_later() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.passes(1);
    let heard = [0, 2].map(|minutes| story.clock.now() + SignedDuration::from_mins(minutes));
    let held = |story: &mut Story, status, received_at| {
        let event = Event { occurred_at: Some(received_at), ..Event::new("db-1", status, "db-1 is down") };
        let Command::Events(delivered) = story.delivery("pingdom", vec![event]) else { panic!() };
        let Reply::Events(_, results) =
            story.ask(Command::Events(Delivered { received_at, held: true, ..delivered })).unwrap()
        else {
            panic!("another answer")
        };
        results[0].outcome
    };
    // One node holds the recovery. Another hears that it fires again, which is a repeat to that one.
    story.passes(1);
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing).0, "repeated");
    story.passes(3);
    assert_eq!(held(&mut story, Status::Resolved, heard[0]), "stale");
    // What was held after that repeat is newer, although what was held before it was taken only now.
    assert_eq!(held(&mut story, Status::Resolved, heard[1]), "resolved");
    story.proves_whole();
}

#[test]
fn what_was_held_is_weighed_as_of_the_hour_it_was_heard() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.claim("");
    story.passes(2);
    let received_at = story.clock.now();
    story.passes(10);
    let event = Event::new("db-1", Status::Firing, "db-1 is down");
    let Command::Events(delivered) = story.delivery("pingdom", vec![event]) else { panic!() };
    let command = Command::Events(Delivered { received_at, held: true, ..delivered });
    let Reply::Events(_, results) = story.ask(command).unwrap() else { panic!("another answer") };
    assert_eq!(results[0].outcome, "repeated", "it was said two minutes after the end, and not twelve");
    let state = |story: &mut Story| story.look(|tx| incidents::load(tx, 1)).unwrap().incident.state();
    assert_eq!(state(&mut story), "resolved");
    assert_eq!(story.hears("pingdom", "db-1", Status::Firing), ("opened".into(), Some(1)));
    assert_eq!(state(&mut story), "triggered");
    story.proves_whole();
}

#[test]
fn an_incident_that_is_opened_again_has_its_alerts_again_in_the_same_transaction() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    let reopen = Command::Act { incident: 1, act: Act::Reopen { why: "it is back".into() }, by };
    let other = story.delivery("prometheus", vec![Event::new("db-1", Status::Firing, "db-1 is down")]);
    let answers = story.ask_all(vec![reopen, other]);
    let Ok(Reply::Events(_, results)) = &answers[1] else { panic!("another answer") };
    assert_eq!((results[0].outcome, results[0].incident), ("joined", Some(1)));
    assert_eq!(story.look(|tx| incidents::numbers(tx, 0, 10)), [1]);
    story.proves_whole();
}
