//! One node of the simulation: a real door and a real spool, with the moments at which it can be cut off, paused
//! or killed.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::*;
use crate::store::Tx;
use crate::store::letters::Claim;
use jiff::{SignedDuration, Timestamp};

/// More than any seed says.
const SPOOL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A letter in hand, and when another node may take it.
pub(super) struct Held {
    pub(super) claim: Claim,
    pub(super) until: Timestamp,
    /// How an attempt ended was told to a store that did not answer: it may be written down, and the letter anybody's.
    pub(super) told: bool,
}

/// What becomes of the next thing a node is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done and answered.
    Well,
    /// The node is killed before it is done.
    KilledBefore,
    /// The node is killed when it is done, and nobody is told.
    KilledAfter,
    /// The way to the store breaks before it is done.
    CutBefore,
    /// The way to the store breaks when it is done, so that the node does not know.
    CutAfter,
}

/// What somebody heard from a node: nothing when it was killed.
pub(super) type Told = Option<Result<Reply, DoorError>>;

pub(super) struct Node {
    committer: Option<Committer>,
    door: Option<Door>,
    pub(super) clock: Clock,
    pub(super) hands: Vec<Held>,
    pub(super) cut: bool,
    /// Takes no step until it is woken.
    pub(super) paused: bool,
    place: Place,
    house: Arc<Current>,
    spool: PathBuf,
}

impl Node {
    pub(super) fn start(place: Place, house: Arc<Current>, clock: Clock, spool: PathBuf) -> Self {
        let mut node = Self {
            committer: None,
            door: None,
            clock,
            hands: Vec::new(),
            cut: false,
            paused: false,
            place,
            house,
            spool,
        };
        node.restarts();
        node
    }

    /// Killed and started again: what it had in memory is gone.
    pub(super) fn restarts(&mut self) {
        self.committer = None;
        self.clock.strays(SignedDuration::ZERO);
        let connection = Connection::writer(&self.place, &self.clock).unwrap();
        let spool = spool::tests::open(&self.spool, SPOOL_BYTES_MAX);
        let (door, committer) = door(
            Room { queue_max: 16, spool: Some(spool) },
            connection,
            self.place.clone(),
            self.clock.clone(),
            self.house.clone(),
            Arc::new(Metrics::new(0.0).unwrap()),
            Wakes::default(),
        );
        (self.door, self.committer) = (Some(door), Some(committer));
        if self.cut {
            self.is_cut_off();
        }
    }

    /// The way to the store breaks while nothing is under way.
    pub(super) fn is_cut_off(&mut self) {
        self.cut = true;
        self.committer().down(Vec::new(), &StoreError::Away("cut off"));
    }

    /// The way to the store is there again: it is found, and what was held is given over. `killed`: in the middle
    /// of that, when the store has it and the spool does not know yet.
    pub(super) fn is_back(&mut self, killed: bool) {
        self.cut = false;
        self.clock.strays(SignedDuration::ZERO);
        self.committer().revive().unwrap();
        let file = self.spool.join("spool");
        let before = std::fs::read(&file).unwrap();
        while self.committer().drains() {
            self.committer().drain(true);
            if killed {
                self.committer = None;
                std::fs::write(&file, &before).unwrap();
                self.restarts();
                return self.is_back(false);
            }
        }
    }

    pub(super) fn holds_something(&mut self) -> bool {
        self.committer().keeper.as_ref().is_some_and(|keeper| !keeper.spool().is_empty())
    }

    /// Asks for things that share a transaction.
    pub(super) fn ask_all(&mut self, commands: Vec<Command>, fate: Fate) -> Vec<Told> {
        assert!(!self.paused);
        let (jobs, answers): (Vec<Job>, Vec<_>) = commands.into_iter().map(Job::new).unzip();
        // The transaction asks the store for the hour.
        if !self.cut {
            self.clock.strays(SignedDuration::ZERO);
        }
        let cut = self.cut;
        let committer = self.committer();
        // Nobody waits for real time here: a node that is cut off stays so until it is told.
        committer.probed = committer.clock.mark();
        match fate {
            Fate::Well => {
                committer.go_on(jobs, PROBE_EVERY);
            }
            Fate::KilledBefore => drop(jobs),
            Fate::KilledAfter if cut => {
                committer.hold(jobs);
                return self.is_killed(answers.len());
            }
            Fate::KilledAfter => {
                let _done = committer.transact(&jobs);
                return self.is_killed(answers.len());
            }
            Fate::CutBefore => committer.down(jobs, &StoreError::Away("cut off")),
            Fate::CutAfter => {
                if !cut {
                    let _done = committer.transact(&jobs);
                }
                committer.down(jobs, &StoreError::Away("cut off"));
            }
        }
        self.cut |= matches!(fate, Fate::CutBefore | Fate::CutAfter);
        if fate == Fate::KilledBefore {
            return self.is_killed(answers.len());
        }
        answers.into_iter().map(|mut answer| Some(answer.try_recv().unwrap())).collect()
    }

    pub(super) fn ask(&mut self, command: Command, fate: Fate) -> Told {
        self.ask_all(vec![command], fate).remove(0)
    }

    fn is_killed(&mut self, asked: usize) -> Vec<Told> {
        self.restarts();
        (0..asked).map(|_| None).collect()
    }

    /// Looks into the store, whatever becomes of this node.
    pub(super) fn look<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        self.clock.strays(SignedDuration::ZERO);
        let now = self.clock.now();
        self.committer().connection.read(now, work).unwrap()
    }

    /// Of this process: what was received has an outcome.
    pub(super) fn is_balanced(&mut self) -> bool {
        let text = self.committer().metrics.text().unwrap();
        text.contains("onscene_events_unaccounted 0\n")
    }

    fn committer(&mut self) -> &mut Committer {
        self.committer.as_mut().expect("it runs")
    }
}
