//! One condition, one incident, one page: whatever the order in which deliveries arrive, and however often.
//!
//! The payloads of every kind of source go through its adapter and the door, in many orders. What must hold: in the end each
//! alert has the same state, the same incidents are open over it, and whoever was paged was paged once for each opening.
//!
//! What an order may be. Statements about an alert that all have hours of their own may arrive in any order, and each of them again
//! at any time. Two kinds of statements keep their order, and each of them comes again only right behind itself:
//! - Where one of two has no hour, it follows arrival. (An hour that lies ahead is not believed, so it is none.)
//! - Two that contradict each other at one and the same hour: nobody can know which was meant last.
//!
//! The order that is kept is that of hours and, without them, of the files' names.
//!
//! Incidents are compared after the quiet time, when those whose alerts are all over have ended by themselves: a recovery that
//! overtakes its alert never opened one.

use std::collections::{BTreeMap, BTreeSet};

use super::simulation::Dice;
use super::stories::Story;
use super::*;
use crate::core::alert::{CLOCK_AHEAD_MAX, Status};
use crate::sources::{KINDS, Kind, tests::readable};
use crate::store::{self, letters};

/// Orders tried of each kind.
const ORDERS: u64 = 12;
/// Most deliveries that share a transaction.
const TOGETHER_MAX: usize = 8;

/// One payload: what it says.
struct Said {
    name: String,
    events: Vec<Event>,
}

impl Said {
    /// What of it says how an alert stands, and when.
    fn states(&self, now: Timestamp) -> Vec<(&str, Status, Option<Timestamp>)> {
        let ahead = now.saturating_add(CLOCK_AHEAD_MAX).unwrap();
        self.events
            .iter()
            .filter(|event| matches!(event.status, Status::Firing | Status::Resolved))
            .map(|event| (event.key.as_str(), event.status, event.occurred_at.filter(|at| *at <= ahead)))
            .collect()
    }

    /// Whether what two payloads say of one alert has no order but that of arrival.
    fn follows(&self, other: &Self, now: Timestamp) -> bool {
        let others = other.states(now);
        self.states(now).iter().any(|(key, status, at)| {
            let contradicts = |said: &Status, hour| at == hour && said != status;
            others.iter().any(|(other, said, hour)| {
                key == other && (at.is_none() || hour.is_none() || contradicts(said, hour))
            })
        })
    }
}

/// Everything a kind's payloads say, in the order of hours.
fn said(kind: &Kind) -> Vec<Said> {
    let payloads = readable(kind).into_iter().map(|(name, events)| Said { name, events });
    let mut all: Vec<Said> = payloads.filter(|said| !said.events.is_empty()).collect();
    all.sort_by_key(|said| said.events.iter().filter_map(|event| event.occurred_at).min());
    all
}

/// The events of a payload as those of one order, which meet no others. An id of a delivery is made its own: each payload is
/// a delivery, though several were written with one id.
fn of_order(said: &Said, number: u64) -> Vec<Event> {
    let own = |event: &Event| Event {
        key: format!("{number} {}", event.key),
        delivery_id: event.delivery_id.as_ref().map(|id| format!("{number} {} {id}", said.name)),
        group: event.group.as_ref().map(|group| format!("{number} {group}")),
        ..event.clone()
    };
    said.events.iter().map(own).collect()
}

/// An order of payloads, by their numbers, in which some come more than once.
fn order(all: &[Said], dice: &mut Dice, now: Timestamp) -> Vec<usize> {
    let follows = |one: usize, two: usize| all[one].follows(&all[two], now);
    let is_free = |one: usize| !(0..all.len()).any(|two| follows(one, two));
    let comes_first = |one: usize, two: usize| one < two && follows(one, two);
    let mut waiting: Vec<usize> = (0..all.len()).collect();
    let mut again = Vec::new();
    let mut order = Vec::new();
    while !waiting.is_empty() || !again.is_empty() {
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|one| !waiting.iter().any(|two| comes_first(*two, *one)))
            .chain(again.iter().copied())
            .collect();
        let next = ready[dice.index(ready.len())];
        order.push(next);
        if let Some(at) = again.iter().position(|one| *one == next) {
            again.swap_remove(at);
            continue;
        }
        waiting.retain(|one| *one != next);
        match dice.one_in(2) {
            true if is_free(next) => again.push(next),
            true => order.push(next),
            false => {}
        }
    }
    order
}

/// How everything stands in the end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    alerts: BTreeMap<String, Status>,
    /// The alerts that still fire, of each incident that is open.
    open: BTreeSet<Vec<String>>,
}

/// Delivers payloads in an order, and says how everything stands in the end.
fn end(story: &mut Story, kind: &Kind, all: &[Said], number: u64, order: &[usize], dice: &mut Dice) -> End {
    let (mut opened, mut paged) = (BTreeMap::<i64, u32>::new(), BTreeMap::<i64, u32>::new());
    let mut rest = order;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(1 + dice.index(TOGETHER_MAX)));
        rest = later;
        let command = |one: &usize| story.delivery(kind.name, of_order(&all[*one], number));
        let commands = now.iter().map(command).collect();
        for reply in story.ask_all(commands) {
            let Reply::Events(_, results) = reply.unwrap() else { panic!("another answer") };
            for result in results.iter().filter(|result| result.outcome == "opened") {
                *opened.entry(result.incident.unwrap()).or_default() += 1;
            }
        }
        for claim in story.claim("") {
            if claim.kind == letters::Kind::Page {
                *paged.entry(claim.incident).or_default() += 1;
            }
            story.settle(claim, Settlement::Accepted { remote_id: None });
        }
    }
    assert_eq!(opened, paged, "{}: who is paged is paged once for each opening", kind.name);
    story.passes(4);
    for incident in opened.keys() {
        story.tick(*incident);
    }
    stands(story, kind, all, number, opened.keys())
}

/// How the alerts of one order stand, and which of its incidents are open.
fn stands<'a>(
    story: &mut Story,
    kind: &Kind,
    all: &[Said],
    number: u64,
    incidents: impl Iterator<Item = &'a i64>,
) -> End {
    let mut alerts = BTreeMap::new();
    for event in all.iter().flat_map(|said| &said.events) {
        let known = story.look(|tx| store::alerts::known(tx, kind.name, &format!("{number} {}", event.key)));
        alerts.extend(known.map(|known| (event.key.clone(), known.status)));
    }
    let mut open = BTreeSet::new();
    for id in incidents {
        let saved = story.look(|tx| store::incidents::load(tx, *id)).unwrap();
        let own = story.look(|tx| store::alerts::of_incident(tx, *id, 1000));
        let firing = own.iter().filter(|alert| alert.status == "firing");
        let mut keys: Vec<String> =
            firing.map(|alert| alert.key.split_once(' ').unwrap().1.to_owned()).collect();
        keys.sort();
        if saved.incident.is_open() {
            open.insert(keys);
        }
    }
    End { alerts, open }
}

#[test]
fn any_order_of_the_payloads_of_every_kind_ends_in_the_same_incidents() {
    for kind in KINDS {
        let all = said(kind);
        let mut story = Story::new();
        let now = story.clock.now();
        let plain: Vec<usize> = (0..all.len()).collect();
        let expected = end(&mut story, kind, &all, 0, &plain, &mut Dice(0));
        assert!(!expected.alerts.is_empty(), "{}: nothing is said of any alert", kind.name);
        for number in 1..=ORDERS {
            let dice = &mut Dice(number);
            let order = order(&all, dice, now);
            let names = || order.iter().map(|one| all[*one].name.as_str()).collect::<Vec<_>>();
            let found = end(&mut story, kind, &all, number, &order, dice);
            assert_eq!(found, expected, "{}, order {number}: {:#?}", kind.name, names());
        }
        story.proves_whole();
    }
}

#[test]
fn a_recovery_that_is_older_than_a_firing_already_heard_changes_nothing() {
    let mut story = Story::new();
    let at = |minutes: i64| Some(story.clock.now() - jiff::SignedDuration::from_mins(60 - minutes));
    let [first, over, again] = [(Status::Firing, at(1)), (Status::Resolved, at(2)), (Status::Firing, at(3))]
        .map(|(status, occurred_at)| Event { occurred_at, ..Event::new("db-1", status, "db-1 is down") });
    for event in [first, again, over] {
        let command = story.delivery("uptime-kuma", vec![event]);
        story.ask(command).unwrap();
    }
    let known = story.look(|tx| store::alerts::known(tx, "uptime-kuma", "db-1"));
    assert_eq!(known.unwrap().status, Status::Firing);
}
