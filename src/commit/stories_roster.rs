//! Who is on call otherwise than the configuration says: whom the next page wakes, and that somebody is always woken.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::stories::{Story, house};
use super::*;
use crate::config::{self, SecretsMode};
use crate::core::alert::Status;
use crate::core::oncall::{Leave, Override, Roster, Rotation};
use crate::core::rules::Rules;
use crate::core::timeline::{Actor, Route};
use crate::house::House;
use crate::store::silences::Which;
use crate::store::{incidents, roster};

/// maya, tom and kim take turns of a week; maya has been on call since yesterday. lee is woken after whoever is on call.
const HOUSE: &str = r#"
[server]
listen = "127.0.0.1:8087"
external_url = "http://localhost"
[store]
url = "sqlite:onscene.db"
[mail]
from = "onscene <pager@example.net>"
relays = ["file:mail"]
[[person]]
name = "maya"
email = "maya@example.net"
[[person]]
name = "tom"
email = "tom@example.net"
[[person]]
name = "kim"
email = "kim@example.net"
[[person]]
name = "lee"
email = "lee@example.net"
[[rotation]]
name = "sre"
time_zone = "UTC"
members = ["maya", "tom", "kim"]
shift = "7 days"
handover = "00:00"
start = "START"
[[rotation]]
name = "dba"
time_zone = "UTC"
members = ["tom"]
shift = "7 days"
handover = "00:00"
start = "START"
[[escalation]]
name = "default"
steps = [
  { page = ["rotation:sre"], wait = "5m" },
  { page = ["person:lee"], wait = "5m" },
  { page = ["rotation:sre"], wait = "5m" },
]
repeat = 3
[[service]]
name = "shop"
escalation = "default"
pio = ["person:lee", "person:kim"]
window = "0s"
[[source]]
name = "pingdom"
kind = "generic"
token = "test-token-of-pingdom"
service = "shop"
"#;

/// The rotations of that house, that begin on another day and have shifts as long as this.
pub(super) fn rotations(start: &str, shift: &str) -> BTreeMap<String, Rotation> {
    let text = HOUSE.replace("START", start).replace("7 days", shift);
    read(&text).rotations
}

/// The rules of that house, some of whose people may have left.
fn without(person: Option<&str>) -> Rules {
    let yesterday = Clock::system().now() - SignedDuration::from_hours(24);
    let mut text = HOUSE.replace("START", &yesterday.strftime("%Y-%m-%d").to_string());
    if let Some(person) = person {
        text = text
            .replace(&format!(", \"{person}\"]"), "]")
            .replace(&format!("\"person:{person}\""), "\"person:maya\"");
        let theirs = format!("[[person]]\nname = \"{person}\"\nemail = \"{person}@example.net\"\n");
        assert!(text.contains(&theirs));
        text = text.replace(&theirs, "");
    }
    read(&text)
}

fn read(text: &str) -> Rules {
    let kinds = crate::house::kinds();
    let config = config::parse(Path::new("onscene.toml"), text, &kinds, SecretsMode::Skip).unwrap();
    (*config.rules).clone()
}

pub(super) fn rules() -> Rules {
    without(None)
}

pub(super) fn of(rules: Rules) -> House {
    House { rules: Arc::new(rules), ..house() }
}

/// A story of that house.
pub(super) struct Weeks(pub(super) Story);

impl Deref for Weeks {
    type Target = Story;

    fn deref(&self) -> &Story {
        &self.0
    }
}

impl DerefMut for Weeks {
    fn deref_mut(&mut self) -> &mut Story {
        &mut self.0
    }
}

pub(super) fn story() -> Weeks {
    let story = Story::new();
    story.committer.house.swap(of(rules()));
    Weeks(story)
}

/// Another node on the same store.
struct Other {
    committer: Committer,
    _door: Door,
}

impl Other {
    fn of(story: &Story) -> Self {
        let connection = Connection::writer(&story.committer.place, &story.clock).unwrap();
        let (door, committer) = door(
            Room { queue_max: 16, spool: None },
            connection,
            story.committer.place.clone(),
            story.clock.clone(),
            Arc::new(Current::new(of(rules()))),
            story.metrics.clone(),
            Wakes::default(),
        );
        Self { committer, _door: door }
    }
}

impl Weeks {
    pub(super) fn stands_in(&self, person: &str, from: i64, until: i64) -> Override {
        let now = self.clock.now();
        Override {
            id: crate::crypto::random_token().unwrap(),
            rotation: "sre".into(),
            person: person.into(),
            instead_of: None,
            from: now + SignedDuration::from_mins(from),
            until: now + SignedDuration::from_mins(until),
            author: "maya".into(),
            reason: "the dentist".into(),
            created_at: Timestamp::UNIX_EPOCH,
            ended_by: None,
        }
    }

    fn leave(&self, person: &str, from: i64, until: i64) -> Leave {
        let now = self.clock.now();
        Leave {
            id: crate::crypto::random_token().unwrap(),
            person: person.into(),
            from: now + SignedDuration::from_mins(from),
            until: now + SignedDuration::from_mins(until),
            author: person.into(),
            reason: "holidays".into(),
            created_at: Timestamp::UNIX_EPOCH,
            ended_by: None,
        }
    }

    pub(super) fn says(&mut self, one: Override) -> Result<String, DoorError> {
        let id = one.id.clone();
        self.ask(Command::Roster(Change::StandIn(vec![one]))).map(|_| id)
    }

    pub(super) fn is_away(&mut self, person: &str, from: i64, until: i64) -> Result<String, DoorError> {
        let leave = self.leave(person, from, until);
        let id = leave.id.clone();
        self.ask(Command::Roster(Change::Away(leave))).map(|_| id)
    }

    pub(super) fn ends(&mut self, id: &str) -> Result<Reply, DoorError> {
        self.ask(Command::Roster(Change::EndOverride { id: id.into(), who: "tom".into() }))
    }

    /// Something new fires: who is woken at once.
    pub(super) fn strikes(&mut self, key: &str) -> Vec<String> {
        assert_eq!(self.hears("pingdom", key, Status::Firing).0, "opened");
        self.woken()
    }

    /// Who was woken since this was asked last.
    pub(super) fn woken(&mut self) -> Vec<String> {
        let mut claims = self.claim("");
        claims.retain(|claim| claim.kind.wakes());
        let people = claims.iter().map(|claim| claim.person.clone()).collect();
        for claim in claims {
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        people
    }

    /// Time passes to the next step of an incident: who is woken then.
    fn goes_on(&mut self, incident: i64) -> Vec<String> {
        self.passes(5);
        self.tick(incident);
        self.woken()
    }

    fn said(&mut self) -> Roster {
        self.look(roster::open)
    }
}

fn refused(result: Result<String, DoorError>, words: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn who_stands_in_is_woken_from_their_first_moment_to_their_last() {
    let mut story = story();
    let one = story.stands_in("kim", 10, 20);
    story.says(one).unwrap();
    assert_eq!(story.strikes("db-1"), ["maya"], "it has not begun");
    story.passes(10);
    assert_eq!(story.strikes("db-2"), ["kim"]);
    story.passes(10);
    assert_eq!(story.strikes("db-3"), ["maya"], "it is over");
    story.0.proves_whole();
}

#[test]
fn what_is_said_counts_for_what_is_decided_after_it_in_the_same_batch() {
    let mut story = story();
    let one = story.stands_in("kim", 0, 60);
    let id = story.says(one).unwrap();
    assert_eq!(story.strikes("db-1"), ["kim"]);
    assert_eq!(story.goes_on(1), ["lee"]);
    story.passes(5);
    let end = Command::Roster(Change::EndOverride { id, who: "tom".into() });
    let tick = Command::Act { incident: 1, act: Act::TICK, by: By::dispatch() };
    assert!(story.ask_all(vec![end, tick]).iter().all(Result::is_ok));
    assert_eq!(story.woken(), ["maya"]);
    story.0.proves_whole();
}

#[test]
fn nobody_stands_in_whom_no_page_reaches() {
    let mut story = story();
    let mut rules = rules();
    rules.people.get_mut("kim").unwrap().email = String::new();
    let one = story.stands_in("kim", 0, 60);
    // It was said while a page still reached her.
    story.says(one.clone()).unwrap();
    story.committer.house.swap(of(rules));
    assert_eq!(story.strikes("db-1"), ["maya"]);
    refused(story.says(Override { id: "a".repeat(22), ..one }), "kim has no `email`");
    story.0.proves_whole();
}

#[test]
fn what_is_out_stays_as_it_is_and_the_next_step_asks_anew() {
    let mut story = story();
    assert_eq!(story.strikes("db-1"), ["maya"]);
    // It begins between two steps.
    let one = story.stands_in("kim", 3, 60);
    story.says(one).unwrap();
    assert_eq!(story.woken(), Vec::<String>::new(), "nobody is woken because a schedule changes");
    assert_eq!(story.goes_on(1), ["lee"]);
    assert_eq!(story.goes_on(1), ["kim"], "who is on call by now");
    // Who was woken before may answer all the same.
    assert_eq!(story.act(1, "maya", Act::Answer { help: false }).unwrap().1, Reason::TookCommand);
    story.0.proves_whole();
}

#[test]
fn two_people_take_each_others_turns_or_neither_does() {
    let mut story = story();
    let week = 7 * 24 * 60;
    // tom takes an hour of maya's week, maya one of his.
    let first = Override { instead_of: Some("maya".into()), ..story.stands_in("tom", 0, 60) };
    let second = Override { instead_of: Some("tom".into()), ..story.stands_in("maya", week, week + 60) };
    let both = Change::StandIn(vec![first.clone(), second.clone()]);
    story.ask(Command::Roster(both)).unwrap();
    assert_eq!(story.strikes("db-1"), ["tom"]);
    story.passes(60);
    assert_eq!(story.strikes("db-2"), ["maya"]);
    story.passes(week - 60);
    assert_eq!(story.strikes("db-3"), ["maya"]);
    story.passes(60);
    assert_eq!(story.strikes("db-4"), ["tom"]);
    assert!(story.said().overrides.is_empty());
    // The second is refused, and the first is not kept.
    let first = Override { instead_of: Some("tom".into()), ..story.stands_in("maya", 0, 60) };
    let second = Override { instead_of: Some("maya".into()), ..story.stands_in("tom", 0, 60) };
    let both = Change::StandIn(vec![first, second]);
    let error = story.ask(Command::Roster(both)).unwrap_err().to_string();
    assert!(error.contains("maya is not on call in sre"), "{error}");
    assert!(story.said().overrides.is_empty());
    story.0.proves_whole();
}

#[test]
fn the_turns_of_who_is_away_are_the_next_ones_and_without_anybody_the_next_step_comes_at_once() {
    let mut story = story();
    let leave = story.is_away("maya", 0, 60).unwrap();
    assert_eq!(story.strikes("db-1"), ["tom"]);
    story.is_away("tom", 0, 60).unwrap();
    assert_eq!(story.strikes("db-2"), ["kim"]);
    story.is_away("kim", 0, 60).unwrap();
    assert_eq!(story.strikes("db-3"), ["lee"], "somebody is woken, and at once");
    // Home earlier.
    story.ask(Command::Roster(Change::EndLeave { id: leave.clone(), who: "maya".into() })).unwrap();
    assert_eq!(story.strikes("db-4"), ["maya"]);
    let kept = story.look(|tx| roster::leave_of(tx, &leave)).unwrap();
    assert_eq!((kept.ended_by.as_deref(), kept.until <= story.clock.now()), (Some("maya"), true));
    story.passes(61);
    assert_eq!(story.strikes("db-5"), ["maya"]);
    story.0.proves_whole();
}

#[test]
fn one_is_ended_early_by_anybody_and_the_list_says_by_whom() {
    let mut story = story();
    let now = story.stands_in("kim", 0, 60);
    let later = story.stands_in("tom", 60, 120);
    let (now, later) = (story.says(now).unwrap(), story.says(later).unwrap());
    assert_eq!(story.strikes("db-1"), ["kim"]);
    for _ in 0..2 {
        // Twice is once.
        story.ends(&now).unwrap();
        story.ends(&later).unwrap();
        story.passes(1);
    }
    assert_eq!(story.strikes("db-2"), ["maya"]);
    let kept = story.look(|tx| roster::override_of(tx, &now)).unwrap();
    assert_eq!((kept.author.as_str(), kept.ended_by.as_deref()), ("maya", Some("tom")));
    let kept = story.look(|tx| roster::override_of(tx, &later)).unwrap();
    assert_eq!(kept.from, kept.until, "it never held");
    assert_eq!(story.look(|tx| roster::overrides(tx, Which::All, 10)).len(), 2);
    assert!(story.look(|tx| roster::overrides(tx, Which::Open, 10)).is_empty());
    assert!(matches!(story.ends("none"), Err(DoorError::NoTurn("override", _))));
    let leave = Command::Roster(Change::EndLeave { id: "none".into(), who: "tom".into() });
    assert!(matches!(story.ask(leave), Err(DoorError::NoTurn("leave", _))));
    story.0.proves_whole();
}

#[test]
fn of_two_overrides_the_newest_counts_and_the_one_before_when_that_has_ended() {
    let mut story = story();
    let (first, second) = (story.stands_in("kim", 0, 60), story.stands_in("tom", 0, 60));
    let newest = second.id.clone();
    // Also when both are said in one transaction.
    let commands = [first, second].map(|one| Command::Roster(Change::StandIn(vec![one])));
    for answer in story.ask_all(commands.into()) {
        answer.unwrap();
    }
    assert_eq!(story.strikes("db-1"), ["tom"]);
    story.ends(&newest).unwrap();
    assert_eq!(story.strikes("db-2"), ["kim"]);
    // A clock that was ahead does not make what was said then the newest for ever.
    story.passes(50);
    let ahead = story.stands_in("tom", 0, 120);
    story.says(ahead).unwrap();
    story.is_put_back(40);
    let now = story.stands_in("lee", 0, 100);
    story.says(now).unwrap();
    story.passes(45);
    assert_eq!(story.strikes("db-3"), ["lee"]);
    story.0.proves_whole();
}

#[test]
fn what_is_said_counts_for_what_comes_behind_it_in_the_same_transaction() {
    let mut story = story();
    story.strikes("db-1");
    let one = story.stands_in("kim", 0, 60);
    let commands = vec![
        story.delivery("pingdom", vec![Event::new("db-2", Status::Firing, "db-2 is down")]),
        Command::Roster(Change::StandIn(vec![one])),
        story.delivery("pingdom", vec![Event::new("db-3", Status::Firing, "db-3 is down")]),
    ];
    for answer in story.ask_all(commands) {
        answer.unwrap();
    }
    assert_eq!(story.woken(), ["maya", "kim"]);
    story.0.proves_whole();
}

#[test]
fn who_has_left_the_house_stands_in_for_nobody_and_somebody_is_woken_all_the_same() {
    let mut story = story();
    let kim = story.stands_in("kim", 0, 60);
    story.says(kim).unwrap();
    assert_eq!(story.strikes("db-1"), ["kim"]);
    story.committer.house.swap(of(without(Some("kim"))));
    assert_eq!(story.strikes("db-2"), ["maya"]);
    assert_eq!(story.goes_on(2), ["lee"]);
    // It is there still, for when the file is put right.
    assert_eq!(story.said().overrides.len(), 1);
    story.committer.house.swap(of(rules()));
    assert_eq!(story.strikes("db-3"), ["kim"]);
    // A rotation that is not there any more.
    let mut rules = rules();
    rules.rotations.remove("sre");
    story.committer.house.swap(of(rules));
    assert_eq!(story.strikes("db-4"), ["lee"]);
    story.0.proves_whole();
}

#[test]
fn what_one_node_was_told_the_other_knows() {
    let mut story = story();
    let mut other = Other::of(&story);
    let one = story.stands_in("kim", 0, 60);
    let id = one.id.clone();
    other.committer.at_once(Command::Roster(Change::StandIn(vec![one]))).unwrap();
    assert_eq!(story.strikes("db-1"), ["kim"]);
    story.ends(&id).unwrap();
    let again = story.delivery("pingdom", vec![Event::new("db-2", Status::Firing, "db-2 is down")]);
    other.committer.at_once(again).unwrap();
    assert_eq!(story.woken(), ["maya"]);
    drop(other);
    story.0.proves_whole();
}

#[test]
fn what_cannot_be_is_refused_in_words_and_changes_nothing() {
    let mut story = story();
    let good = story.stands_in("kim", 0, 60);
    let wrong = |with: fn(Override) -> Override| with(good.clone());
    let day = 24 * 60;
    for (one, words) in [
        (wrong(|one| Override { rotation: "sree".into(), ..one }), "no rotation sree; did you mean `sre`?"),
        (wrong(|one| Override { person: "kimm".into(), ..one }), "no person kimm; did you mean `kim`?"),
        (wrong(|one| Override { person: "nobody at all".into(), ..one }), "no person nobody at all"),
        (
            wrong(|one| Override { instead_of: Some("may".into()), ..one }),
            "no person may; did you mean `maya`?",
        ),
        (wrong(|one| Override { instead_of: Some("lee".into()), ..one }), "lee is not on call in sre"),
        (wrong(|one| Override { instead_of: Some("kim".into()), ..one }), "cannot stand in"),
        (wrong(|one| Override { reason: String::new(), ..one }), "say why"),
        (wrong(|one| Override { until: one.from, ..one }), "before it begins"),
        (story.stands_in("kim", -60, -1), "before it begins"),
        (story.stands_in("kim", 0, 91 * day), "90 days"),
        (story.stands_in("kim", 360 * day, 367 * day), "a year"),
    ] {
        refused(story.says(one), words);
    }
    refused(story.is_away("kimm", 0, 60), "did you mean `kim`?");
    refused(story.is_away("kim", 0, 91 * day), "90 days");
    assert_eq!(story.said(), Roster::nothing());
    // Nobody stands in who is away.
    let leave = story.is_away("kim", 30, 90).unwrap();
    refused(story.says(good), &leave);
    let before = story.stands_in("kim", 0, 29);
    let before = story.says(before).unwrap();
    // Nor is anybody away who stands in, until that is ended.
    refused(story.is_away("kim", 10, 20), &format!("end override {before} first"));
    story.ends(&before).unwrap();
    story.is_away("kim", 10, 20).unwrap();
    story.0.proves_whole();
}

#[test]
fn there_are_so_many_and_no_more_and_what_is_over_is_kept_for_a_while() {
    let mut story = story();
    let now = story.clock.now();
    let one = story.stands_in("kim", 0, 60);
    let put = |story: &mut Weeks, count: u32, until: Timestamp| {
        let write = |tx: &crate::store::Tx<'_>| {
            (0..count).try_for_each(|number| {
                let id = format!("{number} {until}");
                roster::put_override(tx, &Override { id, until, created_at: now, ..one.clone() })
            })
        };
        story.committer.connection.write(now, write).unwrap();
    };
    put(&mut story, roster::OPEN_MAX - 1, one.until);
    let swap = vec![story.stands_in("kim", 0, 60), story.stands_in("tom", 0, 60)];
    let error = story.ask(Command::Roster(Change::StandIn(swap))).unwrap_err().to_string();
    assert!(error.contains("499 overrides that are not over"), "{error}");
    let last = story.stands_in("kim", 0, 60);
    story.says(last).unwrap();
    let more = story.stands_in("kim", 0, 60);
    refused(story.says(more), "500 overrides");
    story.is_away("tom", 0, 60).unwrap();
    story.passes(61);
    put(&mut story, roster::ENDED_KEPT, now - SignedDuration::from_mins(1));
    let fresh = story.stands_in("tom", 0, 60);
    let fresh = story.says(fresh).unwrap();
    let kept = story.look(|tx| roster::overrides(tx, Which::All, 5000));
    assert_eq!(kept.len(), usize::try_from(roster::ENDED_KEPT).unwrap() + 1);
    assert_eq!(kept.iter().filter(|one| one.until == now - SignedDuration::from_mins(1)).count(), 500);
    // And it goes with the incidents of its time.
    let house = House { retention: Some(SignedDuration::from_hours(24)), ..of(rules()) };
    story.committer.house.swap(house);
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.look(|tx| roster::overrides(tx, Which::All, 5000)).len(), kept.len());
    story.passes(24 * 60);
    story.ask(Command::Forget).unwrap();
    let kept = story.look(|tx| roster::overrides(tx, Which::All, 5000));
    assert_eq!(kept.iter().map(|one| &one.id).collect::<Vec<_>>(), [&fresh]);
    story.0.proves_whole();
}

#[test]
fn an_hour_in_the_past_is_now_and_a_row_that_cannot_be_read_stops_no_page() {
    let mut story = story();
    let one = Override { from: Timestamp::UNIX_EPOCH, ..story.stands_in("kim", 0, 60) };
    let id = story.says(one).unwrap();
    let kept = story.look(|tx| roster::override_of(tx, &id)).unwrap();
    assert!(kept.from > Timestamp::UNIX_EPOCH && kept.created_at >= kept.from);
    let broken = story.stands_in("tom", 0, 60);
    let broken = story.says(broken).unwrap();
    let now = story.clock.now();
    let breaks = |tx: &crate::store::Tx<'_>| {
        let hour = i64::MIN;
        tx.write(
            "update oncall_override set starts_at = ?2 where id = ?1",
            &[broken.as_str().into(), hour.into()],
        )
    };
    story.committer.connection.write(now, breaks).unwrap();
    assert_eq!(story.strikes("db-1"), ["kim"]);
    story.0.proves_whole();
}

#[test]
fn a_policy_whose_rotation_is_empty_for_a_while_wakes_the_last_who_are_left() {
    // Nobody of the rotation is there; the walk goes round by who is.
    let mut story = story();
    for person in ["maya", "tom", "kim"] {
        story.is_away(person, 0, 20).unwrap();
    }
    assert_eq!(story.strikes("db-1"), ["lee"]);
    assert_eq!(story.goes_on(1), ["lee"], "the next round");
    story.passes(16);
    story.tick(1);
    assert_eq!(story.woken(), ["maya"], "they are back");
    let by = By { actor: Actor::Person("lee".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Act { incident: 1, act: Act::Answer { help: false }, by }).unwrap();
    assert!(story.look(|tx| incidents::load(tx, 1)).unwrap().incident.commander().is_some());
    story.0.proves_whole();
}
