//! Giving a store that is back what was held for it.
//!
//! In the order in which it was heard, by the thread that commits. What the store does not take is tried again, then
//! put aside: it is not in the way of the others, is not lost, and its source raises an alert that says so. What it took
//! beside that is not given to it again.

use std::collections::{BTreeMap, BTreeSet};

use super::door::Job;
use super::spool::Aside;
use super::{Command, Committer, Delivered};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Most deliveries that were held and are given to the store in one transaction: as many as come in meanwhile at most.
const DRAIN_MAX: usize = 256;
/// How often those that the store does not take are tried again, a little apart, before they are put aside: what it
/// said may have been of the moment.
pub(super) const DRAIN_TRIES: u32 = 3;
/// The key of the alert that a source raises when something of it was put aside.
pub(super) const KEY: &str = "onscene:put-aside";

/// Deliveries at the head of the spool that were given to the store, and of which some are to be tried again.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// How many.
    count: usize,
    /// Which of them the store took. Only a crash makes them be taken twice.
    taken: BTreeSet<usize>,
}

impl Committer {
    /// Whether something waits in the spool for a store that is back.
    pub(super) fn drains(&self) -> bool {
        self.up.load(std::sync::atomic::Ordering::Acquire)
            && self.keeper.as_ref().is_some_and(|keeper| !keeper.spool().is_empty())
    }

    /// Gives the store the next of what was held for it. `false` when it is to be tried again a little later;
    /// `is_last`: what the store does not take this time is put aside.
    pub(super) fn drain(&mut self, is_last: bool) -> bool {
        let Some(keeper) = self.keeper.clone() else { return true };
        let later = |what: &str, error: &dyn std::fmt::Display| {
            tracing::error!(%error, "{what}");
            false
        };
        // Those that are tried again are looked at alone: what came behind them has a first time of its own.
        let most = if self.tried.count == 0 { DRAIN_MAX } else { self.tried.count };
        let next = keeper.spool().next(most);
        let (commands, to) = match next {
            Ok(next) => next,
            Err(error) => return later("what was held cannot be read", &error),
        };
        self.tell_of_what_went_aside();
        self.tried.count = commands.len();
        let left = (0..).zip(commands).filter(|(index, _)| !self.tried.taken.contains(index));
        let (left, commands): (Vec<usize>, Vec<Command>) = left.unzip();
        let (jobs, answers): (Vec<Job>, Vec<_>) = commands.into_iter().map(Job::new).unzip();
        let committed = self.commit(jobs);
        let mut refused = Vec::new();
        for (index, mut answer) in left.into_iter().zip(answers) {
            match answer.try_recv() {
                Ok(Ok(_)) => {
                    self.tried.taken.insert(index);
                }
                _ => refused.push(index),
            }
        }
        if let Err((_, error)) = committed {
            // They stand in the spool still, at its head.
            self.down(Vec::new(), &error);
            return true;
        }
        if !refused.is_empty() && !is_last {
            let count = refused.len();
            tracing::warn!(count, "deliveries that were held were not taken; they are tried again");
            return false;
        }
        let mut told = Vec::new();
        if !refused.is_empty() {
            // They stand where they stood: the commands themselves were used up.
            let again = keeper.spool().next(self.tried.count);
            let again = match again {
                Ok((commands, _)) => commands,
                Err(error) => return later("what was held cannot be read", &error),
            };
            let at_fault = (0..).zip(again).filter(|(index, _)| refused.contains(index));
            let at_fault: Vec<Command> = at_fault.map(|(_, command)| command).collect();
            match keeper.spool().put_aside(&at_fault) {
                Ok(file) => {
                    let file = file.display().to_string();
                    let count = at_fault.len();
                    tracing::error!(count, file, "deliveries that were held cannot be taken");
                    self.metrics.put_aside.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
                    told = at_fault.iter().filter_map(whose).collect();
                }
                Err(error) => return later("deliveries that cannot be taken cannot be kept", &error),
            }
        }
        // Before they are gone from the spool: a crash in between says it twice.
        self.tell(told);
        self.tried = Tried::default();
        let mut spool = keeper.spool();
        if let Err(error) = spool.taken(to) {
            return later("the spool cannot be emptied; trying again", &error);
        }
        let (held, takes) = (spool.held(), spool.has_room());
        let more = !spool.is_empty();
        drop(spool);
        if !more {
            tracing::info!("everything that was held is in the store");
        }
        self.metrics.spool_bytes.set(i64::try_from(held.bytes).unwrap_or(i64::MAX));
        let since = if more { self.away.look().since } else { None };
        self.away.set(|state| {
            state.held = Some(held);
            state.takes = takes;
            state.since = since;
        });
        true
    }

    /// Raises alerts about records that nobody can read.
    pub(super) fn tell_of_what_went_aside(&mut self) {
        let Some(keeper) = self.keeper.clone() else { return };
        let aside = keeper.spool().went_aside();
        if !aside.is_empty() {
            self.metrics.put_aside.inc_by(u64::try_from(aside.len()).unwrap_or(u64::MAX));
            self.tell(aside);
        }
    }

    /// Raises alerts about what was put aside, one a source. What was wrong with it may be wrong with them: the log and
    /// a metric say it too.
    fn tell(&mut self, aside: Vec<Aside>) {
        let sources: BTreeMap<String, Option<String>> = aside
            .into_iter()
            .map(|one| (one.source.unwrap_or_else(|| "onscene".into()), one.service))
            .collect();
        let house = self.house.get();
        for (source, service) in sources {
            let configured = house.sources.get(&source);
            let service = service
                .or_else(|| configured.map(|source| source.service.clone()))
                .or_else(|| house.rules.services.keys().next().cloned());
            let title = format!("alerts of source {source} that were held could not be taken");
            let mut event = Event::new(KEY, Status::Firing, title);
            event.severity = Some(AlertSeverity::Error);
            event.body = "They came while the store was away, and cannot be given to it. They are kept in a file beside \
                          the spool (store.spool) of the node that heard them: read there what they say, and look into \
                          its log for the reason."
                .into();
            let alert = Delivered {
                kind: configured.map_or("generic", |source| source.kind.name).into(),
                source,
                service: service.unwrap_or_default(),
                events: vec![event],
                received_at: self.clock.now(),
                replays: None,
                held: false,
            };
            if let Err(error) = self.at_once(Command::Events(alert)) {
                tracing::error!(%error, "nobody can be woken for what was put aside");
            }
        }
    }
}

/// Whose a delivery is.
fn whose(command: &Command) -> Option<Aside> {
    let (source, service) = match command {
        Command::Events(of) => (&of.source, &of.service),
        Command::Unreadable(unread) => (&unread.rest.source, &unread.rest.service),
        _ => return None,
    };
    Some(Aside { source: Some(source.clone()), service: Some(service.clone()) })
}

#[cfg(test)]
mod tests {
    use super::super::spool::tests::{mend, spoil};
    use super::super::stories::Story;
    use super::super::{EventResult, Reply};
    use super::*;
    use crate::store::{StoreError, alerts};

    /// Holds deliveries, as while the store is away, and finds it again.
    fn holds(story: &mut Story, deliveries: Vec<Command>) {
        story.committer.down(Vec::new(), &StoreError::Away("cut off"));
        let (jobs, answers): (Vec<Job>, Vec<_>) = deliveries.into_iter().map(Job::new).unzip();
        assert!(story.committer.hold(jobs).is_empty());
        for mut answer in answers {
            assert!(matches!(answer.try_recv(), Ok(Ok(Reply::Spooled))));
        }
        story.committer.revive().unwrap();
        assert!(story.committer.drains());
    }

    #[test]
    fn a_spool_that_could_not_be_emptied_is_emptied_later_and_nothing_of_it_is_taken_twice() {
        let mut story = Story::with_spool();
        let one = story.delivery("pingdom", vec![Event::new("one", Status::Firing, "one")]);
        holds(&mut story, vec![one]);
        assert!(story.committer.away.take_deaf());
        let keeper = story.committer.keeper.clone().unwrap();
        let file = spoil(&mut keeper.spool());
        for _ in 0..2 {
            assert!(!story.committer.drain(false) && story.committer.drains());
            assert!(story.committer.away.take_deaf());
        }
        mend(&mut keeper.spool(), file);
        assert!(story.committer.drain(true) && !story.committer.drains());
        assert!(!story.committer.away.take_deaf(), "it hears again");
        let sql = "select count from alert_heard join alert on alert = id where key = 'one'";
        assert_eq!(story.look(|tx| tx.query(sql, &[], |row| row.int(0))), [1]);
        assert_eq!(story.metrics.put_aside.get(), 0);
    }

    #[test]
    fn a_body_that_is_read_again_is_never_held_and_whoever_asks_is_told() {
        let mut story = Story::with_spool();
        story.committer.down(Vec::new(), &StoreError::Away("cut off"));
        let Command::Events(delivered) = story.delivery("pingdom", Vec::new()) else {
            panic!("another command")
        };
        let replay = Command::Events(Delivered { replays: Some(1), ..delivered });
        let (job, mut answer) = Job::new(replay);
        let left = story.committer.hold(vec![job]);
        assert_eq!(left.len(), 1);
        story.committer.down(left, &StoreError::Away("cut off"));
        assert!(matches!(answer.try_recv(), Ok(Err(super::super::DoorError::Store))));
        assert_eq!(story.metrics.spooled.get(), 0);
    }

    #[test]
    fn what_is_tried_again_is_not_given_again_with_what_was_taken_beside_it() {
        let mut story = Story::with_spool();
        assert_eq!(story.hears("pingdom", "one", Status::Firing).1, Some(1));
        let now = story.clock.now();
        let spoils = "update incident set state = '{}' where id = 1";
        story.committer.connection.write(now, |tx| tx.write(spoils, &[])).unwrap();
        let delivery =
            |story: &Story, key: &str, status| story.delivery("pingdom", vec![Event::new(key, status, key)]);
        let keys = [("two", Status::Firing), ("one", Status::Resolved), ("three", Status::Firing)];
        let held = keys.map(|(key, status)| delivery(&story, key, status));
        holds(&mut story, held.into());
        assert!(!story.committer.drain(false));
        let later = [delivery(&story, "four", Status::Firing), delivery(&story, "one", Status::Resolved)];
        holds(&mut story, later.into());
        assert!(!story.committer.drain(false) && !story.committer.drain(false));
        assert!(story.committer.drain(true) && story.committer.drains());
        assert_eq!(story.metrics.put_aside.get(), 1, "what came later has tries of its own");
        assert!(!story.committer.drain(false) && story.committer.drain(true) && !story.committer.drains());
        assert_eq!(story.metrics.put_aside.get(), 2);
        let sql =
            "select key, count from alert join alert_heard on alert = id where key not like 'onscene:%'";
        let counts: BTreeMap<String, i64> =
            story.look(|tx| tx.query(sql, &[], |row| Ok((row.text(0)?, row.int(1)?)))).into_iter().collect();
        let once = ["four", "one", "three", "two"].map(|key| (key.to_owned(), 1));
        assert_eq!(counts, BTreeMap::from(once));
        assert_eq!(
            story.metrics.events.with_label_values(&["pingdom", "repeated"]).get(),
            1,
            "its own alert"
        );
    }

    #[test]
    fn what_the_store_never_takes_is_put_aside_and_its_source_says_so() {
        let mut story = Story::with_spool();
        assert_eq!(story.hears("pingdom", "one", Status::Firing).1, Some(1));
        let now = story.clock.now();
        let spoils = "update incident set state = '{}' where id = 1";
        story.committer.connection.write(now, |tx| tx.write(spoils, &[])).unwrap();
        let delivery = |key: &str, status| story.delivery("pingdom", vec![Event::new(key, status, key)]);
        let held = vec![
            delivery("two", Status::Firing),
            delivery("one", Status::Resolved),
            delivery("three", Status::Firing),
        ];
        holds(&mut story, held);
        // Until it is given up, it is tried again, with what came beside it.
        assert!(!story.committer.drain(false) && story.committer.drains());
        assert!(story.committer.drain(true) && !story.committer.drains());
        let known = |story: &mut Story, key: &str| {
            let now = story.clock.now();
            story.committer.connection.read(now, |tx| alerts::known(tx, "pingdom", key)).unwrap()
        };
        for key in ["two", "three", KEY] {
            assert_eq!(known(&mut story, key).map(|known| known.status), Some(Status::Firing), "{key}");
        }
        let aside = std::fs::read_to_string(story.directory.path().join("spool.refused")).unwrap();
        assert!(aside.lines().count() == 1 && aside.contains("\"one\""), "{aside}");
        assert_eq!(story.metrics.put_aside.get(), 1);
        // A second one joins the first.
        let again = vec![story.delivery("pingdom", vec![Event::new("one", Status::Resolved, "one")])];
        holds(&mut story, again);
        assert!(story.committer.drain(true));
        let told = Event::new(KEY, Status::Resolved, "it was looked at");
        let Reply::Events(_, results) = story.ask(story.delivery("pingdom", vec![told])).unwrap() else {
            panic!("another answer");
        };
        assert_eq!(results, [EventResult { outcome: "resolved", incident: Some(4), reason: None }]);
    }
}
