//! Three nodes on two PostgreSQL servers with streaming replication, under load, while everything fails that fails in
//! the field: nodes and servers are killed, the standby is promoted, a node sleeps longer than its lease, another is
//! cut off. At the end everything that was accepted is there once, everybody was woken, and nobody commands beside
//! somebody else; letters that came twice are counted, and are no more than ARCHITECTURE.md says.
//!
//! It has servers of its own, so it runs once, in the pass on PostgreSQL. Each phase is gone through once;
//! `ONSCENE_FAULTS_MINUTES=10` goes on with them for so long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::harness::{Daemon, Dice, Ender, HOUSE, within};
use super::way::{CUTS, Far, PASSES, STALLS, Way};
use load::{Answers, Book, Field, answers, sends};
use relay::{Mailboxes, Relay};
use servers::Pair;

mod load;
mod proof;
mod relay;
mod servers;

/// How long a node may keep a letter in hand before others send it.
const LEASE: Duration = Duration::from_secs(60);
/// For nodes to see what became of a server.
const PATIENCE: Duration = Duration::from_secs(120);
/// For letters to fill the hands of a node.
const HANDS_PATIENCE: Duration = Duration::from_secs(20);
/// For a letter that one node had in hand to be sent by another, and for all answers to it.
const REST_PATIENCE: Duration = Duration::from_secs(240);
const SENDERS: u64 = 6;
const ANSWERERS: usize = 4;
/// Persons of the first step.
const PEOPLE: usize = 3;
/// The node whose way to the servers can be cut.
const FAR_NODE: usize = 2;
/// Letters in hand when a node is killed, paused or cut off, so that some come twice.
const IN_HAND: usize = 3;

const PHASES: [&str; 6] = [
    "nothing is done to them",
    "kill -9 of a node",
    "kill -9 of PostgreSQL",
    "the standby is promoted",
    "a node sleeps longer than its lease",
    "a node is cut off from its store",
];

/// What was done to nodes, for the bound of letters that come twice.
#[derive(Debug, Default)]
struct Done {
    node_kills: usize,
    server_kills: usize,
    promotions: usize,
    pauses: usize,
    cuts: usize,
    /// Times that the store was away from all nodes for longer than a lease.
    long_outages: usize,
}

struct Trial {
    pair: Pair,
    nodes: [Daemon; 3],
    ways: [Way; 2],
    relays: [Relay; 3],
    mailboxes: Arc<Mutex<Mailboxes>>,
    field: Arc<Field>,
    dice: Dice,
    done: Done,
    /// Asked for more than one round: everything may take its time.
    long: bool,
}

fn config(url: &str, relay: &Relay) -> String {
    let people = "page = [\"person:maya\", \"person:tom\", \"person:ada\"]";
    HOUSE
        .replace("url = \"sqlite:DIR/onscene.db\"", &format!("url = \"{url}\"\nspool = \"DIR/spool\""))
        .replace("file:DIR/mail", &format!("smtp://{}", relay.address))
        .replace("page = [\"rotation:sre\"]", people)
        + "\n[[person]]\nname = \"ada\"\nfull_name = \"Ada Moe\"\nemail = \"ada@example.net\"\n\
           [incidents]\nself_clear_after = \"20h\"\n\
           [emergency]\nafter = \"10s\"\npage = [\"person:maya\"]\n"
}

impl Trial {
    fn start(long: bool) -> Self {
        let pair = Pair::start();
        let mailboxes = Arc::new(Mutex::new(Mailboxes::default()));
        let relays = [0, 1, 2].map(|node| Relay::start(node, PEOPLE, &mailboxes));
        let ways = pair.addresses().map(|address| Way::to(Far::Port(address)));
        let near = Pair::url(pair.addresses());
        let far = Pair::url(ways.each_ref().map(|way| way.address));
        let nodes = [0, 1, 2].map(|node| {
            let url = if node == FAR_NODE { &far } else { &near };
            Daemon::start(&config(url, &relays[node]))
        });
        let field = Arc::new(Field::new(nodes.each_ref().map(|node| node.address)));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let dice = Dice(u64::try_from(now & 0xffff_ffff).unwrap() | 1);
        Self { pair, nodes, ways, relays, mailboxes, field, dice, done: Done::default(), long }
    }

    fn phase(&self, phase: usize) {
        self.field.phase.store(phase, Ordering::Release);
    }

    /// Until so many more posts were counted.
    fn more(&self, counters: &[AtomicU64; 3], posts: u64) {
        let sum = || counters.iter().map(|counter| counter.load(Ordering::Acquire)).sum::<u64>();
        let before = sum();
        within(PATIENCE, "the load goes on", || (sum() >= before + posts).then_some(()));
    }

    fn load_goes_on(&self, posts: u64) {
        self.more(&self.field.accepted, posts);
    }

    fn is_up(&self, node: usize) -> bool {
        self.nodes[node].metric("onscene_store_up") == 1.0
            && self.nodes[node].metric("onscene_spool_bytes") == 0.0
    }

    /// Until the store has everything that was held, and every node knows.
    fn all_are_back(&mut self, away_since: Instant) {
        for node in 0..3 {
            within(PATIENCE, "a node finds the store", || self.is_up(node).then_some(()));
        }
        let away = away_since.elapsed();
        if away > LEASE {
            self.done.long_outages += 1;
        }
        eprintln!(
            "  every node has found the store, and it has what was held, after {:.1} s",
            away.as_secs_f64()
        );
    }

    fn all_are_away(&self) {
        for node in 0..3 {
            let away = || (self.nodes[node].metric("onscene_store_up") == 0.0).then_some(());
            within(PATIENCE, "a node sees that the store is away", away);
        }
    }

    /// Letters of this node are with its relay, which does not say so. How many.
    fn hands_are_full(&self, node: usize) -> usize {
        self.relays[node].is_silent(true);
        within(HANDS_PATIENCE, "letters are in hand", || {
            Some(self.relays[node].in_hand()).filter(|count| *count >= IN_HAND)
        })
    }

    fn kill_nodes(&mut self) {
        self.phase(1);
        for turn in 0..3 {
            let node = usize::try_from(self.dice.throw(0, 3)).unwrap();
            self.load_goes_on(40);
            // With letters in hand, and at any other moment.
            let in_hand = if turn == 0 { self.hands_are_full(node) } else { 0 };
            self.nodes[node].kill();
            self.field.avoided[node].store(true, Ordering::Release);
            self.relays[node].is_silent(false);
            self.done.node_kills += 1;
            self.load_goes_on(20);
            self.nodes[node].go();
            self.field.avoided[node].store(false, Ordering::Release);
            eprintln!("  node {node} was killed with {in_hand} letters that its relay had taken");
        }
        self.load_goes_on(20);
        self.phase(0);
    }

    fn kill_the_server(&mut self) {
        self.phase(2);
        self.load_goes_on(40);
        let began = Instant::now();
        self.pair.kill(self.pair.primary);
        self.done.server_kills += 1;
        self.all_are_away();
        self.more(&self.field.held, 60);
        self.pair.go(self.pair.primary);
        self.pair.is_followed();
        self.all_are_back(began);
        self.load_goes_on(20);
        self.phase(0);
    }

    fn promote_the_standby(&mut self) {
        self.phase(3);
        self.load_goes_on(40);
        let began = Instant::now();
        self.pair.kill(self.pair.primary);
        self.load_goes_on(20);
        self.pair.promote();
        self.done.promotions += 1;
        self.all_are_back(began);
        self.load_goes_on(60);
        self.pair.follow();
        self.load_goes_on(40);
        self.phase(0);
    }

    fn pause_a_node(&mut self) {
        self.phase(4);
        self.load_goes_on(20);
        let node = 0;
        let in_hand = self.hands_are_full(node);
        let program = self.nodes[node].program.take().unwrap();
        program.signal("STOP");
        self.field.avoided[node].store(true, Ordering::Release);
        let began = Instant::now();
        self.relays[node].is_silent(false);
        self.done.pauses += 1;
        while began.elapsed() < LEASE + Duration::from_secs(5) {
            self.load_goes_on(20);
        }
        program.signal("CONT");
        self.nodes[node].program = Some(program);
        self.field.avoided[node].store(false, Ordering::Release);
        within(PATIENCE, "it goes on", || {
            self.nodes[node].get("/readyz").filter(|answer| answer.status == 200)
        });
        self.all_are_back(Instant::now());
        eprintln!(
            "  node {node} slept {:.1} s with {in_hand} letters that its relay had taken",
            began.elapsed().as_secs_f64()
        );
        self.load_goes_on(20);
        self.phase(0);
    }

    fn cut_a_node_off(&mut self) {
        self.phase(5);
        self.load_goes_on(20);
        let node = FAR_NODE;
        let emergencies = || self.mailboxes.lock().unwrap().emergencies[node];
        let before = emergencies();
        let in_hand = self.hands_are_full(node);
        let began = Instant::now();
        let ways = |mode| self.ways.iter().for_each(|way| way.is(mode));
        ways(STALLS);
        self.relays[node].is_silent(false);
        let held = || self.field.held[node].load(Ordering::Acquire);
        let held_before = held();
        within(PATIENCE, "it holds what it hears", || (held() >= held_before + 20).then_some(()));
        within(PATIENCE, "it tells people by itself", || (emergencies() > before).then_some(()));
        while self.long && began.elapsed() < LEASE + Duration::from_secs(5) {
            self.load_goes_on(20);
        }
        let held_before = held();
        ways(CUTS);
        within(PATIENCE, "it holds what it hears", || (held() >= held_before + 20).then_some(()));
        ways(PASSES);
        self.done.cuts += 1;
        within(PATIENCE, "it finds the store", || self.is_up(node).then_some(()));
        eprintln!(
            "  node {node} was cut off for {:.1} s with {in_hand} letters that its relay had taken",
            began.elapsed().as_secs_f64()
        );
        self.load_goes_on(20);
        self.phase(0);
    }
}

#[test]
fn whatever_fails_nothing_accepted_is_lost_or_doubled_and_one_commands() {
    if std::env::var_os("ONSCENE_TEST_POSTGRES").is_none() {
        eprintln!("three nodes on two servers: this runs in the pass on PostgreSQL (tests/postgres)");
        return;
    }
    let minutes = std::env::var("ONSCENE_FAULTS_MINUTES").ok().map(|text| text.parse().unwrap());
    let least = Duration::from_secs(60 * minutes.unwrap_or(0));
    let mut trial = Trial::start(minutes.is_some());
    let told = Mutex::new(Answers::new());
    let (field, mailboxes, end) = (trial.field.clone(), trial.mailboxes.clone(), AtomicBool::new(false));
    let began = Instant::now();
    let books: Vec<Book> = std::thread::scope(|scope| {
        let _enders = (Ender(&field.stop), Ender(&end));
        let mut senders = Vec::new();
        for sender in 0..SENDERS {
            let dice = Dice(trial.dice.throw(1, u64::MAX));
            let field = &field;
            senders.push(scope.spawn(move || sends(field, usize::try_from(sender).unwrap(), dice)));
        }
        for _ in 0..ANSWERERS {
            scope.spawn(|| answers(&field, &mailboxes, &end, &told));
        }
        trial.load_goes_on(100);
        for round in 1.. {
            for (name, phase) in [
                (PHASES[1], Trial::kill_nodes as fn(&mut Trial)),
                (PHASES[2], Trial::kill_the_server),
                (PHASES[3], Trial::promote_the_standby),
                (PHASES[5], Trial::cut_a_node_off),
                (PHASES[4], Trial::pause_a_node),
            ] {
                eprintln!("{:.0} s, round {round}: {name}", began.elapsed().as_secs_f64());
                phase(&mut trial);
            }
            if began.elapsed() >= least {
                break;
            }
        }
        field.stop.store(true, Ordering::Release);
        let books = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        trial.comes_to_rest();
        end.store(true, Ordering::Release);
        books
    });
    trial.comes_to_rest();
    let told = told.into_inner().unwrap();
    eprintln!("{:.0} s: everything has come to rest; {:?}", began.elapsed().as_secs_f64(), trial.done);
    proof::prove(&trial, &books, &told);
}
