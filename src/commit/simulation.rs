//! Seeded simulation of several nodes on one store: alerts, answers, deadlines, letters with every outcome, in random
//! order over the real door, spool and store. Deliveries come twice, late and out of order; nodes are killed before
//! and after everything they do, cut off, paused beyond their leases; answers are lost; clocks are set, and those of
//! the nodes differ by up to a minute. What must hold is looked at all the way and at the end.
//!
//! Each seed has a house of its own: services with a window or without, that need one another or not, storms, groups of
//! senders, inhibition, maintenance; people make, change and end silences, put incidents together and take them apart, stand in for each other and go away.
//!
//! The store is a file in memory, or PostgreSQL when the suite runs on it. The seeds are the same in every run, so that
//! a red one means a change and not bad luck; `ONSCENE_SIMULATION_SEED` is the first of others, and
//! `ONSCENE_SIMULATION_SEEDS` says how many. A run that fails prints its seed, which goes the same way again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::stories::{house, is_whole};
use super::*;
use crate::channels::Outcome;
use crate::core::alert::Status;
use crate::core::decide::Refusal;
use crate::core::escalation::Horizon;
use crate::core::incident::{Phase, ResponderStatus};
use crate::core::rules::Rules;
use crate::core::timeline::{Actor, Fact, Route};
use crate::deliver::{Repeats, settle};
use crate::store::Tx;
use crate::store::letters::{Kind, Wanted};
use crate::store::{alerts, held, incidents, inhibitors, silences, timeline};

mod commanding;
mod hears;
mod holds;
mod houses;
mod merging;
mod node;
mod outbox;
mod pages;
mod people;
mod proofs;
mod rest;
mod rosters;

use hears::{Posted, Said};
use holds::Fits;
use node::{Fate, Held, Node, Told};
use outbox::Sent;

/// Runs when nobody says how many (`tests/run` does): with a file, and with a server, where each takes far longer.
const SEEDS: u64 = 240;
const SEEDS_ON_A_SERVER: u64 = 30;
const NODES: usize = 3;
const STEPS: u32 = 70;
/// How long everything is given to come to rest: longer than any letter waits.
const REST: SignedDuration = SignedDuration::from_mins(130);
/// Most times something has become due until then. Far more than there are letters.
const REST_STEPS: u32 = 3_000;
const PEOPLE: &[&str] = &["maya", "tom", "kim", "stranger"];
const SOURCES: &[&str] = &["pingdom", "prometheus"];
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Clocks of nodes differ by no more.
const SKEW_S: i64 = 60;
/// Two things said within this time have no order that anybody could know.
const TOO_CLOSE: SignedDuration = SignedDuration::from_secs(2 * SKEW_S + 5);

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn below(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % sides.unsigned_abs()).unwrap()
    }

    pub(super) fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.below(i64::try_from(of).unwrap())).unwrap()
    }

    pub(super) fn one_in(&mut self, sides: i64) -> bool {
        self.below(sides) == 0
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.index(of.len())]
    }
}

struct World {
    nodes: Vec<Node>,
    clock: Clock,
    dice: Dice,
    rules: Arc<Rules>,
    /// No clock is set, and nothing is killed but in the middle of what it does.
    is_calm: bool,
    /// One of the sources says which alerts belong together.
    grouped: bool,
    /// What each silence that somebody asked for holds, by its id.
    silences: BTreeMap<String, Fits>,
    sent: BTreeMap<String, Sent>,
    said: BTreeMap<(String, String), Vec<Said>>,
    /// Deliveries that come again: nobody answered them, or their sender does not believe the answer.
    again: Vec<Posted>,
    /// What a paused node was asked for, and finds when it wakes.
    waiting: Vec<(usize, Posted)>,
    /// Hours up to here come twice, because the clock was set back: which of two things was said first, nobody knows.
    twice_until: Timestamp,
    /// Since when each node holds something.
    held_since: [Option<Timestamp>; NODES],
    /// Who was told that they have command, by incident and term.
    commanders: BTreeMap<(i64, u32), String>,
    /// The last that was seen of each incident.
    seen: BTreeMap<i64, (u32, Option<String>, i64)>,
    _directory: tempfile::TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        // In memory where there is such a place: what is tried here is not what a disk loses.
        let memory = Path::new("/dev/shm");
        let directory =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let server = crate::store::postgres::tests::fresh();
        let began = Timestamp::from_second(1_767_323_000).unwrap();
        let clock = if server.is_some() { Clock::system() } else { Clock::standing(began) };
        let place = server.unwrap_or_else(|| {
            let file = directory.path().join("onscene.db");
            std::fs::copy(empty_store(), &file).unwrap();
            Place::Sqlite(file)
        });
        let mut dice = Dice(seed);
        let house = houses::by_chance(&mut dice, clock.now());
        let rules = house.rules.clone();
        let house = Arc::new(Current::new(house));
        let node = |number: usize| {
            let spool = directory.path().join(format!("spool-{number}"));
            Node::start(place.clone(), house.clone(), clock.beside(), spool)
        };
        Self {
            nodes: (0..NODES).map(node).collect(),
            clock,
            is_calm: dice.one_in(2),
            grouped: rules.services.len() > 1 && dice.one_in(4),
            dice,
            rules,
            silences: BTreeMap::new(),
            sent: BTreeMap::new(),
            said: BTreeMap::new(),
            again: Vec::new(),
            waiting: Vec::new(),
            twice_until: Timestamp::MIN,
            held_since: [None; NODES],
            commanders: BTreeMap::new(),
            seen: BTreeMap::new(),
            _directory: directory,
        }
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            // Where nothing breaks, more happens within a minute, and every hour is met.
            38..46 if self.is_calm => self.somebody_merges(),
            84..86 if self.is_calm => self.moves(600),
            86..98 if self.is_calm => self.seconds_pass(),
            0..32 => self.hears(),
            32..46 => self.somebody_acts(),
            46..48 => self.somebody_merges(),
            48..50 => self.somebody_splits(),
            50 => self.somebody_silences(),
            51 if self.dice.one_in(2) => self.somebody_silences(),
            51 => self.somebody_changes_the_roster(),
            52..62 => self.meets_deadlines(),
            62..72 => self.claims(),
            72..84 => self.an_attempt_ends(),
            84..86 => self.moves(45),
            86..88 => self.moves(600),
            88 => self.moves(3 * 24 * 3600),
            89 if self.dice.one_in(2) => self.moves(-600),
            89 => self.moves(-2 * 24 * 3600),
            90..93 => self.a_node_is_killed(),
            93..96 => self.a_way_breaks_or_mends(),
            96..98 => self.a_node_sleeps_or_wakes(),
            _ => self.clocks_stray(),
        }
        if self.dice.one_in(3) {
            self.nobody_lost_command();
            self.what_fires_has_a_home();
        }
    }

    fn seconds_pass(&mut self) {
        self.clock.forward(SignedDuration::from_secs(1 + self.dice.below(25)));
        self.meets_deadlines();
    }

    fn moves(&mut self, seconds: i64) {
        let by = self.dice.below(seconds.abs()) * seconds.signum();
        let before = self.clock.now();
        self.clock.forward(SignedDuration::from_secs(by));
        if by < 0 {
            for said in self.said.values_mut().flatten() {
                // What a node holds of that time is weighed by an hour that comes again.
                said.unordered = true;
            }
            self.twice_until = self.twice_until.max(before);
            for held in self.nodes.iter_mut().flat_map(|node| &mut node.hands) {
                // Its lease lies in a future that never was.
                held.until = Timestamp::MIN;
            }
        }
    }

    fn clocks_stray(&mut self) {
        for node in &self.nodes {
            let by = self.dice.below(2 * SKEW_S) - SKEW_S;
            node.clock.strays(SignedDuration::from_secs(by));
        }
    }

    fn awake(&mut self) -> Option<usize> {
        let awake: Vec<usize> = (0..NODES).filter(|node| !self.nodes[*node].paused).collect();
        (!awake.is_empty()).then(|| awake[self.dice.index(awake.len())])
    }

    fn fate(&mut self) -> Fate {
        match self.dice.below(40) {
            0 => Fate::KilledBefore,
            1 => Fate::KilledAfter,
            2 => Fate::CutBefore,
            3 => Fate::CutAfter,
            _ => Fate::Well,
        }
    }

    fn a_node_is_killed(&mut self) {
        let node = self.dice.index(NODES);
        self.nodes[node].paused = false;
        self.nodes[node].restarts();
        self.forgets(node);
    }

    fn a_way_breaks_or_mends(&mut self) {
        let Some(node) = self.awake() else { return };
        if self.nodes[node].cut {
            self.is_back(node);
        } else {
            self.nodes[node].is_cut_off();
        }
    }

    fn is_back(&mut self, node: usize) {
        let killed = self.dice.one_in(3);
        if self.held_since[node].take().is_some_and(|since| since <= self.twice_until) {
            self.order_is_lost();
            // What others hold still may be as old.
            for since in self.held_since.iter_mut().flatten() {
                *since = Timestamp::MIN;
            }
        }
        self.nodes[node].is_back(killed);
        if killed {
            self.forgets(node);
        }
    }

    fn a_node_sleeps_or_wakes(&mut self) {
        let node = self.dice.index(NODES);
        self.nodes[node].paused = !self.nodes[node].paused;
        if !self.nodes[node].paused {
            self.wakes(node);
        }
    }

    fn wakes(&mut self, node: usize) {
        self.nodes[node].paused = false;
        let (ours, others) = std::mem::take(&mut self.waiting).into_iter().partition(|(of, _)| *of == node);
        self.waiting = others;
        let ours: Vec<(usize, Posted)> = ours;
        if !ours.is_empty() {
            self.posts(node, ours.into_iter().map(|(_, one)| one).collect());
        }
    }

    fn look<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        self.nodes[0].look(work)
    }
}

/// An empty store, made once.
fn empty_store() -> PathBuf {
    static MADE: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, file) = MADE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("onscene.db");
        let made = Connection::writer(&Place::Sqlite(file.clone()), &Clock::system()).unwrap();
        drop(made);
        (directory, file)
    });
    file.clone()
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.comes_to_rest();
    world.everybody_was_told();
    world.nobody_is_left_unwoken();
    world.nobody_is_woken_twice();
    world.what_fires_is_said_again();
    world.every_page_is_a_letter();
    world.who_was_on_call_was_woken();
    world.alerts_are_what_was_said_last();
    world.every_event_has_its_outcome();
}

#[allow(clippy::disallowed_methods, reason = "a test's own seed, from the environment")]
fn told_by(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

#[test]
fn whatever_happens_in_whatever_order_nothing_is_lost_and_nobody_is_woken_twice() {
    let given = told_by("ONSCENE_SIMULATION_SEED");
    let usual = if crate::store::postgres::tests::is_there() { SEEDS_ON_A_SERVER } else { SEEDS };
    let count = told_by("ONSCENE_SIMULATION_SEEDS").unwrap_or(if given.is_some() { 1 } else { usual });
    let first = given.unwrap_or(1);
    let next = std::sync::atomic::AtomicU64::new(0);
    let hands = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                loop {
                    let seed = first + next.fetch_add(1, Ordering::AcqRel);
                    if seed >= first + count {
                        return;
                    }
                    if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
                        next.store(count, Ordering::Release);
                        #[allow(clippy::print_stderr, reason = "how to run it again")]
                        {
                            eprintln!("ONSCENE_SIMULATION_SEED={seed}");
                        }
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}
