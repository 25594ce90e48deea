//! Stories of alerts that are kept quiet by others which are kept quiet themselves: as long as that leads to one that people were
//! woken for, and never in a ring.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::simulation::Dice;
use super::stories::Story;
use super::stories_inhibit::{over, rule};
use super::*;
use crate::core::alert::Status;
use crate::core::inhibit::Rule;
use crate::core::matcher::read_all;
use crate::store::{incidents, inhibitors};

/// While one of these kinds fires, those of the others wake nobody.
fn quiets(sources: &str, targets: &str) -> Rule {
    rule(&format!("kind=~\"{sources}\""), &format!("kind=~\"{targets}\""), &[])
}

/// An alert of a kind, which is its key up to a dash.
fn of(key: &str) -> Event {
    let mut event = Event::new(key, Status::Firing, format!("{key} is down"));
    event.labels.insert("kind".into(), key.split('-').next().unwrap_or_default().into());
    event
}

impl Story {
    fn fire(&mut self, keys: &[&str]) -> Vec<&'static str> {
        keys.iter().map(|key| self.comes(of(key))).collect()
    }

    fn recover(&mut self, key: &str) {
        assert_eq!(self.comes(over(of(key))), "resolved", "{key}");
    }

    /// The keys of those that are kept quiet.
    fn quiet(&mut self) -> Vec<String> {
        self.look(|tx| {
            let sql = "select key from alert where suppressed_by is not null order by key";
            tx.query(sql, &[], |row| row.text(0))
        })
    }

    /// The deadlines look until nothing changes any more.
    fn comes_to_rest(&mut self) -> usize {
        for steps in 0..100 {
            if self.looks() == 0 {
                assert_eq!(self.look(|tx| inhibitors::outlived(tx, 100)), [], "they are looked at for ever");
                return steps;
            }
        }
        panic!("it does not come to rest");
    }
}

#[test]
fn two_that_keep_each_other_quiet_wake_people_for_one() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "a"), quiets("d", "a|b")]);
    assert_eq!(story.fire(&["d", "a", "b"]), ["opened", "suppressed", "suppressed"]);
    story.recover("d");
    story.comes_to_rest();
    assert_eq!(story.quiet(), ["b"]);
    assert_eq!(story.paged(), ["maya", "maya"]);
    story.recover("a");
    story.comes_to_rest();
    assert_eq!(story.quiet(), [""; 0]);
    assert_eq!(story.paged().len(), 3);
    story.proves_whole();
}

#[test]
fn three_in_a_ring_wake_people_for_one() {
    let rules = vec![quiets("a", "b"), quiets("b", "c"), quiets("c", "a"), quiets("d", "a|b|c")];
    let mut story = Story::with_rules(rules);
    assert_eq!(story.fire(&["d", "a", "b", "c"]), ["opened", "suppressed", "suppressed", "suppressed"]);
    story.recover("d");
    story.comes_to_rest();
    assert_eq!(story.paged().len(), 2, "{:?}", story.quiet());
    assert_eq!(story.quiet().len(), 2);
    story.proves_whole();
}

#[test]
fn one_that_was_kept_quiet_by_an_alert_that_is_over_now_is_not_kept_so_by_a_ring() {
    // `c` is kept quiet by `d`, and `x` by `c`. When `d` is over, `x` is all that still fires and keeps `c` quiet.
    let mut story = Story::with_rules(vec![quiets("d|x", "c"), quiets("c", "x")]);
    assert_eq!(story.fire(&["d", "c", "x"]), ["opened", "suppressed", "suppressed"]);
    story.recover("d");
    story.comes_to_rest();
    assert_eq!(story.quiet(), ["x"]);
    assert_eq!(story.paged().len(), 2);
    story.proves_whole();
}

#[test]
fn what_is_kept_quiet_keeps_others_quiet_and_wakes_people_for_them_when_its_own_hour_comes() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "c")]);
    story.fire(&["a", "c-old"]);
    assert_eq!(story.fire(&["b", "c-1", "c-2", "c-3"]), ["suppressed"; 4]);
    assert_eq!(story.mark_of("c-1"), story.mark_of("c-3"));
    story.recover("a");
    story.comes_to_rest();
    // `b` wakes people for all of them.
    assert_eq!(story.quiet(), ["c-1", "c-2", "c-3"]);
    assert_eq!(story.paged().len(), 3);
    story.recover("b");
    story.comes_to_rest();
    assert_eq!(story.quiet(), [""; 0]);
    assert_eq!(story.paged().len(), 6);
    story.proves_whole();
}

#[test]
fn a_way_that_has_just_lost_its_first_alert_wakes_people_for_one() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "c")]);
    assert_eq!(story.fire(&["a", "b"]), ["opened", "suppressed"]);
    story.recover("a");
    // Nobody has looked at `b` yet.
    assert_eq!(story.fire(&["c"]), ["suppressed"]);
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (vec!["c".to_owned()], 2));
    story.proves_whole();
}

#[test]
fn what_a_silence_holds_keeps_others_quiet_as_in_alertmanager() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "c"), quiets("c", "b")]);
    let now = story.clock.now();
    let silence = Silence {
        id: String::new(),
        source: None,
        matchers: read_all("kind=\"a\"").unwrap(),
        starts_at: now,
        ends_at: now + SignedDuration::from_mins(10),
        created_by: "maya".into(),
        comment: "new disks".into(),
        updated_at: now,
    };
    let fresh = "00000000-0000-4000-8000-000000000001".to_owned();
    story.ask(Command::PutSilence { silence, fresh }).unwrap();
    assert_eq!(story.fire(&["a", "b", "c"]), ["suppressed"; 3]);
    story.comes_to_rest();
    assert_eq!(story.paged(), [""; 0]);
    story.passes(11);
    story.comes_to_rest();
    assert_eq!(story.quiet(), ["b", "c"]);
    assert_eq!(story.paged(), ["maya"]);
    story.recover("a");
    story.comes_to_rest();
    assert_eq!(story.paged(), ["maya", "maya"], "{:?}", story.quiet());
    story.proves_whole();
}

#[test]
fn more_than_are_looked_at_at_once_do_not_hide_the_one_that_they_wait_for() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "c")]);
    story.fire(&["a"]);
    let many: Vec<Event> = (0..150).map(|number| of(&format!("c-{number}"))).collect();
    // They fire before `b` does, and have lower numbers; then something else keeps them quiet for a while.
    let mut rules = vec![quiets("a", "b|c"), quiets("b", "c")];
    story.reads_rules(rules.clone());
    story.outcomes(many);
    story.fire(&["b"]);
    rules[0] = quiets("a", "b");
    story.reads_rules(rules);
    story.comes_to_rest();
    assert_eq!((story.quiet().len(), story.paged().len()), (151, 1));
    story.recover("a");
    story.comes_to_rest();
    assert_eq!((story.quiet().len(), story.paged().len()), (150, 2));
    story.proves_whole();
}

/// Which alerts fire, and where each that is kept quiet looked.
type Firing = BTreeMap<String, Option<i64>>;

/// Whoever fires is awake, or kept quiet by one from which a way leads to one that is awake.
fn nobody_is_left(story: &mut Story) {
    let (firing, offered): (Firing, Vec<(i64, String)>) = story.look(|tx| {
        let sql = "select key, inhibited from alert where status = 'firing'";
        let firing = tx.query(sql, &[], |row| Ok((row.text(0)?, row.int_or_null(1)?)))?;
        let sql = "select place, key from inhibitor join alert on id = alert where status = 'firing' and closed_at is null";
        let offered = tx.query(sql, &[], |row| Ok((row.int(0)?, row.text(1)?)))?;
        Ok((firing.into_iter().collect(), offered))
    });
    let mut answered: BTreeSet<&String> =
        firing.iter().filter(|(_, held)| held.is_none()).map(|(key, _)| key).collect();
    loop {
        let reached: Vec<&String> = firing
            .iter()
            .filter(|(key, held)| {
                let by = |place: i64| offered.iter().any(|(at, of)| *at == place && answered.contains(of));
                !answered.contains(key) && held.is_some_and(by)
            })
            .map(|(key, _)| key)
            .collect();
        if reached.is_empty() {
            break;
        }
        answered.extend(reached);
    }
    let left: Vec<&String> = firing.keys().filter(|key| !answered.contains(key)).collect();
    assert!(left.is_empty(), "nobody was woken for {left:?}");
}

#[test]
fn whatever_rules_there_are_and_whatever_fires_nobody_is_left_unwoken() {
    for seed in 0..25 {
        let mut dice = Dice(seed);
        let kinds = ["a", "b", "c", "d", "e"];
        let some = |dice: &mut Dice| {
            let mut own: Vec<&str> = kinds.into_iter().filter(|_| dice.one_in(3)).collect();
            own.push(kinds[dice.index(kinds.len())]);
            own.join("|")
        };
        let rules = (0..4).map(|_| quiets(&some(&mut dice), &some(&mut dice))).collect();
        let mut story = Story::with_rules(rules);
        for _ in 0..40 {
            story.clock.forward(SignedDuration::from_secs(1));
            let key = format!("{}-{}", kinds[dice.index(kinds.len())], dice.index(2));
            match dice.one_in(2) {
                true => story.comes(of(&key)),
                false => story.comes(over(of(&key))),
            };
            // What people ended keeps nobody quiet, and they hear of it when it is said again a while later.
            let open = story.look(|tx| {
                let sql = "select id from incident where phase = 'triggered' order by id";
                tx.query(sql, &[], |row| row.int(0))
            });
            if dice.one_in(5) && !open.is_empty() {
                let id = open[dice.index(open.len())];
                story.act(id, "maya", Act::Answer { help: false }).unwrap();
                let term = story.look(|tx| incidents::load(tx, id)).unwrap().incident.term;
                story.act(id, "maya", Act::Resolve { term, false_alarm: false }).unwrap();
            }
            if dice.one_in(8) {
                story.passes(6);
            }
            if dice.one_in(2) {
                story.comes_to_rest();
                nobody_is_left(&mut story);
            }
        }
        story.comes_to_rest();
        nobody_is_left(&mut story);
        story.proves_whole();
    }
}

#[test]
fn what_is_held_is_looked_at_in_steps() {
    let hearing = nodes::Hearing { since: Timestamp::MIN, until: Timestamp::MAX };
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("b", "a"), quiets("d", "a|b")]);
    story.fire(&["d", "a", "b"]);
    story.recover("d");
    // Both in one transaction: what became of the first is known to the second.
    let due = story.look(|tx| inhibitors::outlived(tx, 100));
    assert_eq!(due.len(), 2);
    let asked = due.iter().map(|(alert, _)| Command::AlertDue { alert: *alert, hearing }).collect();
    let told = story.ask_all(asked);
    assert!(matches!(told[0], Ok(Reply::Looked(true))));
    assert_eq!((story.quiet(), story.paged().len()), (vec!["b".to_owned()], 2));
    story.proves_whole();
}

#[test]
fn rules_of_another_node_stay_while_it_runs_with_another_configuration() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("x", "y")]);
    story.fire(&["a", "b"]);
    let beat = |story: &mut Story, name: &str, hash: &str| {
        let node = nodes::Node { name: name.into(), config_hash: hash.into(), version: "1".into() };
        let now = story.clock.now();
        let hearing = nodes::Hearing { since: now, until: now };
        let present = nodes::Present { id: name.into(), node, hearing, place: None, comes: false };
        story.ask(Command::Beat(Box::new(present))).unwrap();
    };
    let own = story.committer.house.get().config_hash.clone();
    beat(&mut story, "web-1", &own);
    beat(&mut story, "web-2", "before");
    // This node has another rule only. What the other keeps quiet by its own stays so.
    story.reads_rules(vec![quiets("x", "y")]);
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (vec!["b".to_owned()], 1));
    // The other has gone, or has read the same.
    beat(&mut story, "web-2", &own);
    story.fills();
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (Vec::new(), 2));
    // Nodes that differ for ever do not keep what no rule says.
    story.reads_rules(vec![quiets("a", "b")]);
    assert_eq!(story.fire(&["b-2"]), ["suppressed"]);
    beat(&mut story, "web-2", "before");
    story.reads_rules(Vec::new());
    story.comes_to_rest();
    assert_eq!(story.quiet(), ["b-2"]);
    let after = <(String, String)>::default();
    story.ask(Command::FillInhibitors { after, patient: false }).unwrap();
    story.comes_to_rest();
    assert_eq!(story.quiet(), [""; 0]);
    story.proves_whole();
}

#[test]
fn what_a_rule_of_another_node_keeps_quiet_stays_so_while_any_of_its_sources_fires() {
    let mut story = Story::with_rules(vec![quiets("a", "b"), quiets("x", "y")]);
    assert_eq!(story.fire(&["a-1", "a-2", "b"]), ["opened", "opened", "suppressed"]);
    let now = story.clock.now();
    let node = nodes::Node { name: "web-2".into(), config_hash: "before".into(), version: "1".into() };
    let hearing = nodes::Hearing { since: now, until: now };
    let present = nodes::Present { id: "web-2".into(), node, hearing, place: None, comes: false };
    story.ask(Command::Beat(Box::new(present))).unwrap();
    // This node knows nothing of the rule. It hears that a source says something else, and that another is over.
    story.reads_rules(vec![quiets("x", "y")]);
    for key in ["a-1", "a-2"] {
        let mut other = of(key);
        other.title = format!("{key} is down, and smokes");
        assert_eq!(story.comes(other), "repeated");
    }
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (vec!["b".to_owned()], 2));
    story.recover("a-1");
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (vec!["b".to_owned()], 2));
    story.recover("a-2");
    story.comes_to_rest();
    assert_eq!((story.quiet(), story.paged().len()), (Vec::new(), 3));
    story.proves_whole();
}
