//! What senders send, and what they are told: deliveries that come twice, late, and several at once.

use super::houses::ABOUT;
use super::*;
use crate::core::alert::AlertSeverity;

/// What was said of one alert.
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) status: Status,
    /// Its sender told when, so that it may be older than what is known.
    pub(super) dated: bool,
    /// Nobody knows what else came before it and what after it.
    pub(super) unordered: bool,
}

/// One delivery, as its sender keeps it until it is answered.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) source: &'static str,
    pub(super) events: Vec<Event>,
}

impl World {
    /// One delivery, or several that share a transaction; each new, or one that comes again.
    pub(super) fn hears(&mut self) {
        let several = if self.dice.one_in(3) { 1 + self.dice.below(4) } else { 1 };
        let posted: Vec<Posted> = (0..several)
            .map(|_| {
                if !self.again.is_empty() && self.dice.one_in(3) {
                    let which = self.dice.index(self.again.len());
                    self.again.swap_remove(which)
                } else {
                    self.new_delivery()
                }
            })
            .collect();
        let node = self.dice.index(NODES);
        if self.nodes[node].paused {
            // It finds them when it wakes; their senders do not wait for so long.
            self.again.extend(posted.iter().cloned());
            self.waiting.extend(posted.into_iter().map(|one| (node, one)));
            return;
        }
        self.posts(node, posted);
    }

    pub(super) fn posts(&mut self, node: usize, posted: Vec<Posted>) {
        let fate = self.fate();
        // What people put together and take apart shares transactions with what is heard.
        let (before, after) = (self.some_moves(), self.some_moves());
        let first = before.len();
        let clock = self.nodes[node].clock.clone();
        let commands = posted.iter().map(|one| delivery(one, &clock));
        let commands = before.into_iter().chain(commands).chain(after).collect();
        let mut told = self.nodes[node].ask_all(commands, fate);
        let after = told.split_off(first + posted.len());
        let heard = told.split_off(first);
        for moved in told.into_iter().chain(after) {
            merging::decided(moved);
        }
        for (one, told) in posted.into_iter().zip(heard) {
            match told {
                Some(Ok(Reply::Events(_, results))) => assert_eq!(results.len(), one.events.len()),
                Some(Ok(Reply::Spooled)) => {}
                None => self.again.push(one.clone()),
                Some(other) => panic!("a delivery was not taken: {other:?}"),
            }
            if fate != Fate::KilledBefore {
                self.was_said(&one);
            }
            if self.nodes[node].holds_something() {
                self.held_since[node].get_or_insert(self.clock.now());
            }
            if self.dice.one_in(12) {
                self.again.push(one);
            }
        }
    }

    pub(super) fn was_said(&mut self, posted: &Posted) {
        let at = self.clock.now();
        for event in &posted.events {
            let said = self.said.entry((posted.source.to_owned(), event.key.clone())).or_default();
            let dated = event.occurred_at.is_some();
            said.push(Said { at, status: event.status, dated, unordered: false });
        }
    }

    pub(super) fn new_delivery(&mut self) -> Posted {
        let source = SOURCES[self.dice.index(SOURCES.len())];
        let mut events = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let number = self.dice.index(ABOUT.len());
            let key = format!("key-{number}");
            let status = if self.dice.below(5) < 3 { Status::Firing } else { Status::Resolved };
            let mut event = Event::new(key.clone(), status, "t");
            event.severity = match self.dice.below(4) {
                0 => Some(AlertSeverity::Critical),
                1 => Some(AlertSeverity::Warning),
                _ => None,
            };
            event.labels = BTreeMap::from([("team".into(), ABOUT[number].into()), ("name".into(), key)]);
            event.group = self.grouped.then(|| ABOUT[number].to_owned()).filter(|_| source == "prometheus");
            if self.dice.below(10) < 2 {
                let late = SignedDuration::from_secs(self.dice.below(120));
                event.occurred_at = Some(self.clock.now() - late);
            }
            events.push(event);
        }
        Posted { source, events }
    }

    /// What was said until now proves nothing any more, but what comes soon may be taken for older than it.
    pub(super) fn order_is_lost(&mut self) {
        let now = self.clock.now();
        for said in self.said.values_mut() {
            said.retain(|one| one.at.duration_since(now).abs() < TOO_CLOSE);
            for one in said {
                one.unordered = true;
            }
        }
        self.said.retain(|_, said| !said.is_empty());
    }
}

pub(super) fn delivery(posted: &Posted, clock: &Clock) -> Command {
    Command::Events(Delivered {
        source: posted.source.into(),
        kind: "generic".into(),
        service: "shop".into(),
        events: posted.events.clone(),
        received_at: clock.now(),
        replays: None,
        held: false,
    })
}
