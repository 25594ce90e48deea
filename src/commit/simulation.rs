//! Seeded simulation of several nodes on one store: alerts, answers, deadlines, letters with every outcome, in random
//! order over the real door, spool and store. Deliveries come twice, late and out of order; nodes are killed before
//! and after everything they do, cut off, paused beyond their leases; answers are lost; clocks are set, and those of
//! the nodes differ by up to a minute. What must hold is looked at all the way and at the end.
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
use crate::core::escalation::longest_wait;
use crate::core::incident::Phase;
use crate::core::timeline::{Actor, Fact, Route};
use crate::deliver::settle;
use crate::store::Tx;
use crate::store::letters::{Kind, Wanted};
use crate::store::{alerts, incidents, timeline};

mod node;

use node::{Fate, Held, Node, Told};

/// Runs when nobody says how many (`tests/run` does): with a file, and with a server, where each takes far longer.
const SEEDS: u64 = 60;
const SEEDS_ON_A_SERVER: u64 = 12;
const NODES: usize = 3;
const STEPS: u32 = 70;
/// How long everything is given to come to rest: longer than any letter waits.
const REST: SignedDuration = SignedDuration::from_mins(130);
/// Most times something has become due until then. Far more than there are letters.
const REST_STEPS: u32 = 3_000;
const KEYS: i64 = 6;
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

/// What the other side knows of one letter.
#[derive(Default)]
struct Sent {
    accepted: u32,
    /// It may have arrived without our knowing, or another node took it after its lease: a second copy is allowed.
    unsure: bool,
}

/// What was said of one alert.
struct Said {
    at: Timestamp,
    status: Status,
    /// Its sender told when, so that it may be older than what is known.
    dated: bool,
    /// Nobody knows what else came before it and what after it.
    unordered: bool,
}

/// One delivery, as its sender keeps it until it is answered.
#[derive(Clone, Debug)]
struct Posted {
    source: &'static str,
    events: Vec<Event>,
}

struct World {
    nodes: Vec<Node>,
    clock: Clock,
    dice: Dice,
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
        let house = Arc::new(Current::new(house()));
        let node = |number: usize| {
            let spool = directory.path().join(format!("spool-{number}"));
            Node::start(place.clone(), house.clone(), clock.beside(), spool)
        };
        Self {
            nodes: (0..NODES).map(node).collect(),
            clock,
            dice: Dice(seed),
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
            0..32 => self.hears(),
            32..52 => self.somebody_acts(),
            52..62 => self.meets_deadlines(),
            62..72 => self.claims(),
            72..84 => self.an_attempt_ends(),
            84..88 => self.moves(600),
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
        }
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

    /// One delivery, or several that share a transaction; each new, or one that comes again.
    fn hears(&mut self) {
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

    fn posts(&mut self, node: usize, posted: Vec<Posted>) {
        let fate = self.fate();
        let commands = posted.iter().map(|one| delivery(one, &self.nodes[node].clock)).collect();
        let told = self.nodes[node].ask_all(commands, fate);
        for (one, told) in posted.into_iter().zip(told) {
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

    fn was_said(&mut self, posted: &Posted) {
        let at = self.clock.now();
        for event in &posted.events {
            let said = self.said.entry((posted.source.to_owned(), event.key.clone())).or_default();
            let dated = event.occurred_at.is_some();
            said.push(Said { at, status: event.status, dated, unordered: false });
        }
    }

    fn new_delivery(&mut self) -> Posted {
        let source = SOURCES[self.dice.index(SOURCES.len())];
        let mut events = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let key = format!("key-{}", self.dice.below(KEYS));
            let status = if self.dice.below(5) < 3 { Status::Firing } else { Status::Resolved };
            let mut event = Event::new(key, status, "t");
            if self.dice.below(10) < 2 {
                let late = SignedDuration::from_secs(self.dice.below(120));
                event.occurred_at = Some(self.clock.now() - late);
            }
            events.push(event);
        }
        Posted { source, events }
    }

    fn somebody_acts(&mut self) {
        let Some(node) = self.awake() else { return };
        let newest =
            self.look(|tx| tx.query_one("select max(id) from incident", &[], |row| row.int_or_null(0)));
        let Some(newest) = newest.flatten() else { return };
        // The newest ones most of the time: the old ones are over.
        let far = if self.dice.one_in(4) { 20 } else { 3 };
        let id = (newest - self.dice.below(far)).max(1);
        let before = self.look(|tx| incidents::load(tx, id)).expect("numbers have no gaps").incident;
        let commander = before.commander().map(|command| command.person.clone());
        let person = match commander {
            Some(commander) if self.dice.one_in(2) => commander,
            _ => self.dice.pick(PEOPLE).to_owned(),
        };
        let robot = self.dice.one_in(12);
        let term = before.term + u32::from(self.dice.one_in(8));
        let act = match self.dice.below(10) {
            0..3 => Act::Answer { help: self.dice.one_in(3) },
            3 => Act::Decline,
            4 => Act::CheckIn,
            5 => Act::Note { text: "seen".into() },
            6 => Act::Mitigate { term, cause: None },
            7 => Act::Reopen { why: "again".into() },
            _ => Act::Resolve { term, false_alarm: self.dice.one_in(2) },
        };
        let actor = if robot { Actor::Automation(person.clone()) } else { Actor::Person(person.clone()) };
        let by = || By { actor: actor.clone(), route: Route::AnswerLink, occurred_at: None };
        let fate = self.fate();
        // Two people at the same moment, each at a node of their own or at the same.
        let rival =
            (matches!(act, Act::Answer { .. }) && self.dice.one_in(3)).then(|| self.awake()).flatten();
        let told = self.nodes[node].ask(Command::Act { incident: id, act, by: by() }, fate);
        self.was_told(id, &person, robot, told);
        if let Some(other) = rival {
            let person = self.dice.pick(&PEOPLE[..3]).to_owned();
            let by = By { actor: Actor::Person(person.clone()), route: Route::Api, occurred_at: None };
            let act = Act::Answer { help: false };
            let told = self.nodes[other].ask(Command::Act { incident: id, act, by }, Fate::Well);
            self.was_told(id, &person, false, told);
        }
    }

    fn was_told(&mut self, id: i64, person: &str, robot: bool, told: Told) {
        match told {
            Some(Ok(Reply::Decided(incident, Reason::TookCommand))) => {
                assert!(!robot && person != "stranger", "{person} commands INC-{id}");
                let other = self.commanders.insert((id, incident.term), person.to_owned());
                assert_eq!(
                    other, None,
                    "two people were told that they command INC-{id}, term {}",
                    incident.term
                );
            }
            Some(Ok(_) | Err(DoorError::Store)) | None => {}
            Some(Err(DoorError::Refused(refusal))) => {
                assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }

    /// Command is never vacated and never changes hands within a term, whatever happens to an incident.
    fn nobody_lost_command(&mut self) {
        let open = "select id, state, head from incident where phase <> 'resolved'";
        let open = self.look(|tx| tx.query(open, &[], |row| row.int(0)));
        for id in open {
            let incident = self.look(|tx| incidents::load(tx, id)).unwrap().incident;
            let commander = incident.commander().map(|command| command.person.clone());
            assert_eq!(commander.is_none(), incident.state() == "triggered", "INC-{id}");
            let ended = "select count(*) from entry where incident = ?1 and kind = 'resolved'";
            let ended = self.look(|tx| tx.query_one(ended, &[id.into()], |row| row.int(0))).unwrap();
            let now = (incident.term, commander, ended);
            if let Some(before) = self.seen.insert(id, now.clone()) {
                let same_tenure = now.0 == before.0 && now.2 == before.2;
                assert!(now.0 >= before.0, "INC-{id}: {before:?}, then {now:?}");
                assert!(
                    !same_tenure || before.1.is_none() || now.1 == before.1,
                    "INC-{id}: {before:?}, {now:?}"
                );
                assert!(
                    now.2 > before.2 || before.1.is_none() || now.1.is_some(),
                    "INC-{id} was left without one"
                );
            }
        }
    }

    fn meets_deadlines(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].cut) else { return };
        let longest = longest_wait(&house().rules);
        for (incident, _) in self.look(|tx| incidents::due(tx, longest, 128)) {
            let fate = self.fate();
            let tick = Command::Act { incident, act: Act::TICK, by: By::dispatch() };
            let told = self.nodes[node].ask(tick, fate);
            assert!(matches!(told, None | Some(Ok(_) | Err(DoorError::Store))), "{told:?}");
            if fate != Fate::Well {
                return;
            }
        }
    }

    fn claims(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].cut) else { return };
        for channel in self.look(letters::channels_due) {
            let of_channel = self.nodes[node].hands.iter().filter(|held| held.claim.channel == channel);
            let held: Vec<i64> = of_channel.map(|held| held.claim.number()).collect();
            let limit = u32::try_from(1 + self.dice.below(4)).unwrap();
            let wanted = Wanted { channel: channel.clone(), lease: LEASE, limit, held: held.clone() };
            let fate = self.fate();
            let told = self.nodes[node].ask(Command::Claim(wanted), fate);
            let now = self.clock.now();
            let until = now + LEASE;
            match told {
                // Nobody has them in hand: their leases run out, and nothing was sent.
                None => self.forgets(node),
                Some(Err(DoorError::Store)) => {}
                Some(Ok(Reply::Claims(claims))) => {
                    for mine in &mut self.nodes[node].hands {
                        if held.contains(&mine.claim.number()) && mine.until <= now {
                            mine.until = until;
                        }
                    }
                    for claim in claims {
                        self.is_taken(node, &claim, now);
                        self.nodes[node].hands.push(Held { claim, until, told: false });
                    }
                }
                Some(other) => panic!("letters cannot be claimed: {other:?}"),
            }
            if fate != Fate::Well {
                return;
            }
        }
    }

    fn is_taken(&mut self, node: usize, claim: &Claim, now: Timestamp) {
        for (other, one) in self.nodes.iter().enumerate() {
            for held in one.hands.iter().filter(|held| !held.told && held.claim.number() == claim.number()) {
                // Unless another took it in between, and gave it back.
                let next = claim.attempt == held.claim.attempt + 1;
                assert!(other != node || !next, "a letter in hand was given out again");
                let early = next && held.until > now;
                assert!(!early, "a letter was taken out of a hand before its lease was over");
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
            }
        }
        let incident = claim.incident;
        let saved = self.look(|tx| incidents::load(tx, incident)).unwrap();
        let pointless = match claim.kind {
            Kind::Page => saved.incident.state() != "triggered",
            Kind::Help | Kind::Pio => !saved.incident.is_open(),
            _ => false,
        };
        assert!(!pointless, "{} was woken for nothing", claim.person);
    }

    fn an_attempt_ends(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].hands.is_empty()) else { return };
        let which = self.dice.index(self.nodes[node].hands.len());
        let outcome = match self.dice.below(20) {
            0..12 => Outcome::Accepted { remote_id: None },
            12..15 => Outcome::Wait { after: None, why: "busy".into() },
            15 => Outcome::Wait { after: Some(Duration::from_secs(1800)), why: "busy".into() },
            16 => Outcome::Refused { why: "unknown".into(), whole_channel: false },
            17 => Outcome::Refused { why: "no login".into(), whole_channel: true },
            _ => Outcome::Unknown { why: "silence".into() },
        };
        let fate = self.fate();
        self.settles(node, which, &outcome, fate);
    }

    /// The other side has answered, which counts whatever becomes of the node that heard it.
    fn settles(&mut self, node: usize, which: usize, outcome: &Outcome, fate: Fate) {
        let Held { claim, until, .. } = self.nodes[node].hands.remove(which);
        // Another may have taken it after its lease, and may have been killed before anybody knew.
        let attempts = "select attempts from letter where seq = ?1";
        let attempts = self.look(|tx| tx.query_one(attempts, &[claim.number().into()], |row| row.int(0)));
        let sent = self.sent.entry(claim.id.clone()).or_default();
        sent.unsure |= attempts.is_some_and(|attempts| attempts != i64::from(claim.attempt));
        match outcome {
            Outcome::Accepted { .. } => sent.accepted += 1,
            Outcome::Unknown { .. } => sent.unsure = true,
            Outcome::Wait { .. } | Outcome::Refused { .. } => {}
        }
        assert!(
            sent.accepted <= 1 || sent.unsure,
            "{} was sent twice, at last by attempt {}",
            claim.kind.as_str(),
            claim.attempt
        );
        let again = claim.channel != "ops-room";
        let settlement = settle(&claim, outcome, again, self.clock.now(), 0.5);
        let claim = Arc::new(claim);
        let told =
            self.nodes[node].ask(Command::Settle { claim: claim.clone(), settlement, alone: false }, fate);
        match told {
            Some(Ok(_)) => {}
            // It is offered again until it is written down; until then others may send it after its lease.
            Some(Err(DoorError::Store)) => {
                let claim = Arc::into_inner(claim).expect("the door has given it back");
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
                self.nodes[node].hands.push(Held { claim, until, told: true });
            }
            None => {
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
                self.forgets(node);
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }

    /// What a node that was killed had in hand: of each letter it may be that the other side has it.
    fn forgets(&mut self, node: usize) {
        for held in std::mem::take(&mut self.nodes[node].hands) {
            let sent = self.sent.entry(held.claim.id).or_default();
            sent.unsure = true;
            sent.accepted += u32::from(self.dice.one_in(2));
        }
        self.waiting.retain(|(of, _)| *of != node);
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

    /// What was said until now proves nothing any more, but what comes soon may be taken for older than it.
    fn order_is_lost(&mut self) {
        let now = self.clock.now();
        for said in self.said.values_mut() {
            said.retain(|one| one.at.duration_since(now).abs() < TOO_CLOSE);
            for one in said {
                one.unordered = true;
            }
        }
        self.said.retain(|_, said| !said.is_empty());
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

fn delivery(posted: &Posted, clock: &Clock) -> Command {
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

/// At the end everything works again, for longer than any letter waits; then nothing may be left undone.
impl World {
    fn comes_to_rest(&mut self) {
        for node in 0..NODES {
            self.wakes(node);
        }
        for node in 0..NODES {
            if self.nodes[node].cut {
                self.is_back(node);
            }
        }
        // Somebody takes half of what is open; the rest must go on waking people all the time.
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            if self.dice.one_in(2) {
                let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
                let act = Act::Answer { help: false };
                let told = self.nodes[0].ask(Command::Act { incident: id, act, by }, Fate::Well);
                self.was_told(id, "maya", false, told);
            }
        }
        let until = self.clock.now() + REST;
        for _ in 0..REST_STEPS {
            self.does_what_is_due();
            let now = self.clock.now();
            if now >= until {
                return;
            }
            let due = self.look(|tx| Ok([incidents::next_due(tx)?, letters::next_due(tx)?]));
            let next = due.into_iter().flatten().filter(|due| *due > now).min().unwrap_or(until).min(until);
            self.clock.forward(next.duration_since(now));
        }
        panic!("it never comes to rest");
    }

    fn does_what_is_due(&mut self) {
        let longest = longest_wait(&house().rules);
        for (incident, _) in self.look(|tx| incidents::due(tx, longest, 1000)) {
            let tick = Command::Act { incident, act: Act::TICK, by: By::dispatch() };
            self.nodes[0].ask(tick, Fate::Well).unwrap().unwrap();
        }
        for node in 0..NODES {
            while !self.nodes[node].hands.is_empty() {
                self.settles(node, 0, &Outcome::Accepted { remote_id: None }, Fate::Well);
            }
        }
        loop {
            for channel in self.look(letters::channels_due) {
                let wanted = Wanted { channel, lease: LEASE, limit: 100, held: Vec::new() };
                let Some(Ok(Reply::Claims(claims))) = self.nodes[1].ask(Command::Claim(wanted), Fate::Well)
                else {
                    panic!("letters cannot be claimed");
                };
                let now = self.clock.now();
                for claim in claims {
                    self.is_taken(1, &claim, now);
                    self.nodes[1].hands.push(Held { claim, until: now + LEASE, told: false });
                }
            }
            if self.nodes[1].hands.is_empty() {
                return;
            }
            while !self.nodes[1].hands.is_empty() {
                self.settles(1, 0, &Outcome::Accepted { remote_id: None }, Fate::Well);
            }
        }
    }

    fn everybody_was_told(&mut self) {
        let waiting = self.look(letters::waiting);
        assert!(waiting.is_empty(), "letters were never delivered: {waiting:?}");
        let now = self.clock.now();
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            let saved = self.look(|tx| incidents::load(tx, id)).unwrap();
            if let Phase::Triggered { quiet_until, .. } = &saved.incident.phase {
                assert!(quiet_until.is_none(), "INC-{id} never cleared itself");
                let sql = "select max(created_at) from letter where incident = ?1 and kind = 'page'
                             and created_at <= ?2";
                let binds = [id.into(), now.into()];
                let last = self.look(|tx| tx.query_one(sql, &binds, |row| row.time_or_null(0)));
                let last = last.flatten().unwrap_or_else(|| panic!("nobody was paged for INC-{id}"));
                assert!(
                    now.duration_since(last) < SignedDuration::from_mins(7),
                    "INC-{id} waits since {last}"
                );
            }
            self.look(|tx| is_whole(tx, id));
            self.timeline_follows_the_rules(id);
        }
    }

    fn timeline_follows_the_rules(&mut self, id: i64) {
        let kept = self.look(|tx| timeline::list(tx, id, 0, 10_000));
        let count = |is: fn(&Fact) -> bool| kept.iter().filter(|kept| is(&kept.entry.fact)).count();
        let written = |kinds: &str| {
            let sql = format!("select count(*) from letter where incident = ?1 and kind in ({kinds})");
            move |tx: &Tx<'_>| tx.query_one(&sql, &[id.into()], |row| row.int(0))
        };
        let pages = count(|fact| matches!(fact, Fact::Paged { .. }));
        let pio = count(|fact| matches!(fact, Fact::PioCalled { .. }));
        assert_eq!(self.look(written("'page', 'help'")), i64::try_from(pages).ok(), "INC-{id}");
        assert_eq!(self.look(written("'pio_page'")), i64::try_from(pio).ok(), "INC-{id}");
        let (mut term, mut taken) = (0, false);
        for entry in kept.iter().map(|kept| &kept.entry) {
            match &entry.fact {
                Fact::CommandTaken { term: next, person, .. } => {
                    assert_eq!(*next, term + 1, "INC-{id}: a term is left out");
                    assert!(
                        matches!(&entry.actor, Actor::Person(name) if name == person),
                        "INC-{id}: {entry:?}"
                    );
                    (term, taken) = (*next, true);
                }
                // Recovery is evidence: what a human has taken, a human ends.
                Fact::Resolved { .. } => {
                    assert!(!taken || matches!(entry.actor, Actor::Person(_)), "INC-{id}: {entry:?}");
                    taken = false;
                }
                _ => {}
            }
        }
    }

    fn alerts_are_what_was_said_last(&mut self) {
        for ((source, key), said) in std::mem::take(&mut self.said) {
            let known = self.look(|tx| alerts::known(tx, &source, &key));
            let Some(known) = known else { panic!("what was said of {source} {key} is lost") };
            let Some(last) = said.iter().filter(|one| !one.dated && !one.unordered).map(|one| one.at).max()
            else {
                continue;
            };
            let close: BTreeSet<&str> = said
                .iter()
                .filter(|one| last.duration_since(one.at) < TOO_CLOSE)
                .map(|one| one.status.as_str())
                .collect();
            assert!(
                close.contains(known.status.as_str()),
                "{source} {key} is {:?}, not {close:?}",
                known.status
            );
        }
        // People may open an old one again beside a new one.
        let twice = "select alert.key from alert join incident on incident.id = alert.incident
             where alert.status = 'firing' and incident.phase <> 'resolved' and alert.closed_at is null
               and not exists (select 1 from entry where entry.incident = incident.id and kind = 'reopened'
                 and actor like 'person:%')
             group by alert.service, alert.key having count(distinct alert.incident) > 1";
        let twice = self.look(|tx| tx.query(twice, &[], |row| row.text(0)));
        assert!(twice.is_empty(), "one condition, and several open incidents: {twice:?}");
    }

    fn every_event_has_its_outcome(&mut self) {
        for node in &mut self.nodes {
            assert!(node.is_balanced());
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.comes_to_rest();
    world.everybody_was_told();
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
