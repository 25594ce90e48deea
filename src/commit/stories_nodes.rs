//! Stories of nodes that share a store: what each knows of the others.

use jiff::{SignedDuration, Timestamp};

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::store::Tx;
use crate::store::nodes::{Hearing, Node, Others, Present};

impl Story {
    /// A process of a host says that it is there, and has heard everything for so many minutes; for none: it comes.
    fn is_there(&mut self, host: &str, word: &str, minutes: i64) {
        self.is_at(None, host, word, minutes);
    }

    fn is_at(&mut self, place: Option<&str>, host: &str, word: &str, minutes: i64) {
        let now = self.clock.now();
        let comes = minutes == 0;
        let node = Node { name: host.into(), config_hash: word.into(), version: "1".into() };
        let hearing = Hearing { since: now - SignedDuration::from_mins(minutes), until: now };
        let place = place.map(str::to_owned);
        let present = Present { id: format!("{host} {word}"), node, hearing, place, comes };
        assert!(matches!(self.ask(Command::Beat(Box::new(present))), Ok(Reply::Done)));
    }

    fn others(&mut self, id: &str) -> Others {
        self.look(|tx| nodes::others(tx, id))
    }

    fn seen(&mut self) -> Vec<String> {
        let found = self.look(nodes::list);
        found.into_iter().map(|node| format!("{} {}", node.name, node.config_hash)).collect()
    }

    fn rows(&mut self) -> Vec<String> {
        self.look(|tx| tx.query("select name from node order by name", &[], |row| row.text(0)))
    }

    fn minutes_ago(&self, at: Option<Timestamp>) -> Option<i64> {
        at.map(|at| self.clock.now().duration_since(at).as_mins())
    }
}

#[test]
fn two_processes_with_the_same_host_name_and_address_are_two_nodes() {
    let mut story = Story::new();
    story.is_there("web 0.0.0.0:80", "x", 0);
    story.is_there("web 0.0.0.0:80", "y", 0);
    story.is_there("web 0.0.0.0:80", "x", 0);
    assert_eq!(story.seen(), ["web 0.0.0.0:80 x", "web 0.0.0.0:80 y"]);
    assert!(!story.others("web 0.0.0.0:80 y").one_is_cut_off);
    // One cannot reach the store any more, and may hear what the other does not.
    story.passes(2);
    story.is_there("web 0.0.0.0:80", "y", 2);
    assert_eq!(story.seen(), ["web 0.0.0.0:80 y"]);
    assert!(story.others("web 0.0.0.0:80 y").one_is_cut_off);
    story.passes(14);
    story.is_there("web 0.0.0.0:80", "y", 16);
    assert!(!story.others("web 0.0.0.0:80 y").one_is_cut_off, "it is not waited for for ever");
    story.passes(23 * 60);
    story.is_there("web 0.0.0.0:80", "y", 5);
    let forgets = |story: &mut Story| {
        assert!(matches!(story.ask(Command::Forget), Ok(Reply::Forgotten { more: false })));
        story.rows()
    };
    assert_eq!(forgets(&mut story).len(), 2);
    story.passes(60);
    story.is_there("web 0.0.0.0:80", "y", 5);
    assert_eq!(forgets(&mut story), ["web 0.0.0.0:80 y"], "nor remembered for ever");
    // What was seen in a future that never was is forgotten; who is there says so again.
    story.is_put_back(30);
    assert_eq!(forgets(&mut story).len(), 0);
    story.proves_whole();
}

#[test]
fn nodes_that_have_gone_are_forgotten_a_few_at_a_time() {
    let mut story = Story::new();
    for word in 0..=FORGET_MAX {
        story.is_there("web", &word.to_string(), 0);
    }
    story.passes(25 * 60);
    assert!(matches!(story.ask(Command::Forget), Ok(Reply::Forgotten { more: true })));
    assert_eq!(story.rows().len(), 1);
    assert!(matches!(story.ask(Command::Forget), Ok(Reply::Forgotten { more: false })));
    assert_eq!(story.rows().len(), 0);
    story.proves_whole();
}

#[test]
fn one_that_stops_is_not_waited_for_and_what_it_refused_stays_known() {
    let mut story = Story::new();
    story.is_there("web-1", "x", 9);
    story.is_there("web-2", "y", 9);
    story.passes(1);
    story.is_there("web-2", "y", 10);
    // A moment ago it refused something.
    let heard_since = story.clock.now();
    story.ask(Command::Leave { node: "web-1 x".into(), heard_since }).unwrap();
    assert_eq!(story.seen(), ["web-2 y"]);
    story.passes(3);
    story.is_there("web-2", "y", 13);
    let others = story.others("web-2 y");
    assert!(!others.one_is_cut_off);
    assert_eq!((story.minutes_ago(others.heard_since), others.heard_until), (Some(3), None));
    // An older version looks at this alone.
    let seen_at = "select seen_at from node where name = 'web-1 x'";
    assert_eq!(story.look(|tx| tx.query_one(seen_at, &[], |row| row.int(0))), Some(0));
    story.proves_whole();
}

#[test]
fn one_that_starts_again_is_seen_once_and_takes_over_from_the_one_before() {
    let mut story = Story::new();
    story.is_there("web-1", "before", 9);
    story.passes(1);
    story.is_there("web-1", "before", 10);
    story.clock.forward(SignedDuration::from_secs(10));
    // It was killed, and nothing tells which process comes after it: people see one, and it is waited for.
    story.is_there("web-1", "after", 0);
    assert_eq!(story.seen(), ["web-1 after"]);
    assert_eq!(story.rows().len(), 2);
    story.passes(1);
    story.is_there("web-1", "after", 1);
    assert!(story.others("web-1 after").one_is_cut_off);
    // One in the same place has all that the other had there.
    story.passes(15);
    let spool = Some("spool-1");
    story.is_at(spool, "web-1", "first", 0);
    story.is_at(Some("spool-2"), "web-2", "first", 0);
    story.passes(2);
    story.is_at(spool, "web-1", "second", 0);
    story.is_at(Some("spool-2"), "web-2", "first", 2);
    assert_eq!(story.rows(), ["web-1 after", "web-1 before", "web-1 second", "web-2 first"]);
    assert!(!story.others("web-2 first").one_is_cut_off);
    // A machine that was copied has the place of another, which is there all the same.
    story.is_at(spool, "web-3", "copy", 0);
    for _ in 0..2 {
        story.is_at(spool, "web-1", "second", 1);
        story.is_at(spool, "web-3", "copy", 1);
    }
    assert_eq!(story.seen(), ["web-1 second", "web-2 first", "web-3 copy"]);
    story.proves_whole();
}

#[test]
fn nodes_of_the_version_before_are_seen_and_see_the_others() {
    let mut story = Story::new();
    let now = story.clock.now();
    // As that version writes it.
    let beats = "insert into node (name, config_hash, version, seen_at) values ('web-1', 'old', '0', ?1)
         on conflict (name) do update set seen_at = excluded.seen_at";
    story.committer.connection.write(now, |tx| tx.write(beats, &[tx.now.into()])).unwrap();
    story.passes(1);
    story.is_there("web-2", "new", 7);
    let others = story.others("web-2 new");
    assert_eq!((others.heard_since, story.minutes_ago(others.heard_until)), (None, Some(1)));
    story.is_there("web-1", "new", 0);
    assert_eq!(story.seen(), ["web-1 new", "web-2 new"], "it was upgraded");
    // And as it reads.
    let sql = "select count(*) from node where seen_at <= ?1 and seen_at > ?2";
    let cut_off = |tx: &Tx<'_>| {
        let before = |minutes| tx.now - SignedDuration::from_mins(minutes);
        tx.query_one(sql, &[before(1).into(), before(15).into()], |row| row.int(0))
    };
    story.passes(2);
    assert_eq!(story.look(cut_off), Some(3));
    story.proves_whole();
}

#[test]
fn who_holds_what_was_sent_to_it_does_not_vouch_for_it() {
    let mut story = Story::with_spool();
    let delivery = story.delivery("pingdom", vec![Event::new("db-1", Status::Firing, "db-1 is down")]);
    story.committer.down(Vec::new(), &StoreError::Away("cut off"));
    assert!(story.committer.hold(vec![Job::new(delivery).0]).is_empty());
    story.committer.revive().unwrap();
    let now = story.clock.now();
    let node = Node { name: "web-1".into(), config_hash: "x".into(), version: "1".into() };
    let hearing = Hearing { since: now, until: now };
    let present = Present { id: "web-1 x".into(), node, hearing, place: None, comes: true };
    let (job, mut answer) = Job::new(Command::Beat(Box::new(present)));
    story.committer.go_on(vec![job], Duration::from_secs(5));
    assert!(matches!(answer.try_recv(), Ok(Err(DoorError::Store))));
    assert!(!story.committer.drains() && story.rows().is_empty());
    story.proves_whole();
}

#[test]
fn one_that_is_killed_again_and_again_keeps_nobody_from_timing_out_for_long() {
    let mut story = Story::new();
    let clock = story.clock.clone();
    let (mut cut_off, mut unheard, mut began) = (0, 0, clock.now());
    for minute in 0..60 {
        // It lives for five minutes, comes back at once, and nothing tells in which place.
        let mut beats = |number: i64, since| {
            let node = Node { name: "web-1".into(), config_hash: "x".into(), version: "1".into() };
            let hearing = Hearing { since, until: clock.now() };
            let id = format!("web-1 {number}");
            let present = Present { id, node, hearing, place: None, comes: false };
            story.ask(Command::Beat(Box::new(present))).unwrap();
        };
        if minute % 5 == 0 {
            if minute > 0 {
                beats(minute / 5 - 1, began);
            }
            began = clock.now();
        }
        beats(minute / 5, began);
        story.is_there("web-2", "y", minute);
        let others = story.others("web-2 y");
        cut_off += i64::from(others.one_is_cut_off);
        // An alert that is said every minute for five.
        unheard += i64::from(story.minutes_ago(others.heard_since).unwrap() < 5);
        if minute > 20 {
            assert_eq!(story.minutes_ago(others.heard_until), Some(0), "minute {minute}");
        }
        story.passes(1);
    }
    assert!((1..=3).contains(&cut_off), "cut off for {cut_off} minutes");
    assert!((5..=20).contains(&unheard), "not heard for {unheard} minutes");
    story.proves_whole();
}

#[test]
fn one_that_was_away_for_long_before_it_started_has_not_heard_what_was_said_meanwhile() {
    let mut story = Story::new();
    for start in 0..6 {
        let word = start.to_string();
        story.is_there("web-1", &word, 0);
        story.is_there("web-2", "y", 30);
        let since = story.others("web-2 y").heard_since;
        assert_eq!(story.minutes_ago(since), Some(0), "start {start}");
        story.passes(4);
    }
    story.proves_whole();
}

#[test]
fn a_copy_of_a_machine_takes_nothing_over_from_one_that_is_cut_off() {
    let mut story = Story::new();
    let place = Some("spool-1");
    story.is_at(place, "web-1", "first", 0);
    story.passes(2);
    story.is_at(place, "web-2", "copy", 0);
    assert_eq!(story.rows(), ["web-1 first", "web-2 copy"]);
    assert!(story.others("web-2 copy").one_is_cut_off, "it may hold what it heard");
    story.passes(2);
    story.is_at(place, "web-2", "copy", 2);
    assert!(!story.others("web-2 copy").one_is_cut_off, "nor is it waited for for long");
    // The same machine: it has all that was there.
    story.is_at(place, "web-2", "second", 0);
    assert_eq!(story.rows(), ["web-1 first", "web-2 second"]);
    story.proves_whole();
}

#[test]
fn an_hour_a_little_ahead_of_the_clock_that_is_read_is_now() {
    let mut story = Story::new();
    story.is_there("web-1", "x", 0);
    let now = story.clock.now();
    let mut since = |behind| {
        let read_at = now - SignedDuration::from_secs(behind);
        let read = |tx: &Tx<'_>| nodes::others(tx, "web-2 y").map(|others| (tx.now, others.heard_since));
        story.committer.connection.read(read_at, read).unwrap()
    };
    let (hour, told) = since(4);
    assert_eq!(told, Some(hour));
    // But not what was written in a future that never was.
    if since(60).0 < now {
        assert_eq!(since(60).1, None);
    }
}
