//! Senders and people: who posts what to which node, and what each of them was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::harness::{Answer, Dice, press, request};
use super::relay::Mailboxes;

/// Between two posts of one sender.
const PAUSE: Duration = Duration::from_millis(120);
/// Own alerts that one sender goes on speaking of.
const KEYS_MAX: usize = 40;
/// A key that all senders say comes so often.
const COMMON_EVERY: Duration = Duration::from_secs(3);
/// One incident out of so many is answered by nobody.
pub const UNANSWERED_EACH: i64 = 5;
/// A sender, or somebody who answers, who is not heard goes on for so long.
const STUBBORN: Duration = Duration::from_secs(240);
/// Before the same is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// The nodes as those see them who post to them.
pub struct Field {
    pub addresses: [SocketAddr; 3],
    /// Nodes that are known to be of no use: others are asked.
    pub avoided: [AtomicBool; 3],
    /// What is being done to the nodes.
    pub phase: AtomicUsize,
    /// Senders have said enough.
    pub stop: AtomicBool,
    /// Posts that were accepted, and those of them that were held, by node.
    pub accepted: [AtomicU64; 3],
    pub held: [AtomicU64; 3],
    began: Instant,
}

impl Field {
    pub fn new(addresses: [SocketAddr; 3]) -> Self {
        Self {
            addresses,
            avoided: Default::default(),
            phase: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            accepted: Default::default(),
            held: Default::default(),
            began: Instant::now(),
        }
    }

    /// A node that is not avoided, this one if possible.
    fn node(&self, from: usize) -> usize {
        let usable = |n: &usize| !self.avoided[*n].load(Ordering::Acquire);
        (0..3).map(|step| (from + step) % 3).find(usable).unwrap_or(from)
    }
}

/// What became of the statements about one alert, as their sender knows it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What the last accepted one said.
    pub status: &'static str,
    /// Statements that were accepted, and those of them that were held.
    pub accepted: u64,
    pub held: u64,
    /// Incidents that were told.
    pub incidents: BTreeSet<i64>,
}

/// How long one post waited for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub phase: usize,
    pub took: Duration,
}

/// What one sender knows.
#[derive(Default)]
pub struct Book {
    pub said: BTreeMap<String, Said>,
    pub waits: Vec<Wait>,
    /// Posts without an answer, and posts that were refused; each was made again.
    pub silent: u64,
    pub refused: u64,
}

/// Posts until told to stop: new alerts, repeats, recoveries, and what others say at the same time.
pub fn sends(field: &Field, sender: usize, mut dice: Dice) -> Book {
    let mut book = Book::default();
    let mut own: VecDeque<String> = VecDeque::new();
    let mut count = 0;
    while !field.stop.load(Ordering::Acquire) {
        let from = usize::try_from(dice.throw(0, 3)).unwrap();
        let (key, status) = match dice.throw(0, 20) {
            0 => {
                count += 1;
                let key = format!("sender-{sender}-{count}");
                own.push_back(key.clone());
                if own.len() > KEYS_MAX {
                    own.pop_front();
                }
                (key, "firing")
            }
            1..=3 => {
                (format!("common-{}", field.began.elapsed().as_secs() / COMMON_EVERY.as_secs()), "firing")
            }
            _ if own.is_empty() => continue,
            choice => {
                let at = usize::try_from(dice.throw(0, own.len() as u64)).unwrap();
                (own[at].clone(), if choice < 10 { "resolved" } else { "firing" })
            }
        };
        if !says(field, from, &key, status, &mut book) {
            // What had no answer may still be taken, after everything that is said now: it was the last word.
            own.retain(|other| *other != key);
        }
        std::thread::sleep(PAUSE);
    }
    book
}

/// Says one thing until it is accepted, as senders do. Whether that was at once.
fn says(field: &Field, from: usize, key: &str, status: &'static str, book: &mut Book) -> bool {
    let body = json!({"key": key, "status": status, "title": format!("{key} is down")}).to_string();
    let json = [("Content-Type", "application/json")];
    let until = Instant::now() + STUBBORN;
    for turn in 0.. {
        let node = field.node(from + turn);
        let (phase, began) = (field.phase.load(Ordering::Acquire), Instant::now());
        let path = "/in/scripts/test-token-of-scripts";
        let answer = request(field.addresses[node], "POST", path, &json, body.as_bytes());
        match answer {
            Some(Answer { status: 202, body, .. }) => {
                book.waits.push(Wait { phase, took: began.elapsed() });
                // The end of the answer may be cut off; its beginning is a promise.
                let told: Value = serde_json::from_str(&body).unwrap_or_default();
                let held = told["held"] == true;
                let said = book.said.entry(key.to_owned()).or_default();
                said.status = status;
                said.accepted += 1;
                said.held += u64::from(held);
                said.incidents.extend(told["results"][0]["incident"].as_i64());
                field.accepted[node].fetch_add(1, Ordering::AcqRel);
                field.held[node].fetch_add(u64::from(held), Ordering::AcqRel);
                return turn == 0;
            }
            Some(Answer { status: 503, .. }) => book.refused += 1,
            None => book.silent += 1,
            Some(other) => panic!("{key} {status}: {other:?}"),
        }
        assert!(Instant::now() < until, "nobody takes {key} {status}");
        std::thread::sleep(AGAIN_AFTER);
    }
    false
}

/// What somebody who answered was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// "You have command."
    Command,
    /// "You have command already.": the answer to the first answer was lost.
    Already,
    /// "NAME was faster and has command."
    Faster(String),
}

/// Incidents, with what each of those was told who answered at the same moment.
pub type Answers = BTreeMap<i64, BTreeMap<String, Told>>;

/// Answers what comes, everybody at the same moment and each on another node, until there is nothing more.
pub fn answers(field: &Field, mailboxes: &Mutex<Mailboxes>, end: &AtomicBool, answers: &Mutex<Answers>) {
    loop {
        let last = end.load(Ordering::Acquire);
        let next = mailboxes.lock().unwrap().next();
        let Some((incident, links)) = next else {
            if last {
                return;
            }
            std::thread::sleep(PAUSE);
            continue;
        };
        if incident % UNANSWERED_EACH == 0 {
            continue;
        }
        let together = Barrier::new(links.len());
        let told: BTreeMap<String, Told> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..)
                .zip(links)
                .map(|(at, (person, link))| {
                    let together = &together;
                    scope.spawn(move || {
                        together.wait();
                        (person, answer(field, at, &link))
                    })
                })
                .collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        answers.lock().unwrap().insert(incident, told);
    }
}

/// Presses the button until the page says what became of it, as it asks people to.
fn answer(field: &Field, from: usize, link: &str) -> Told {
    let until = Instant::now() + STUBBORN;
    for turn in 0.. {
        let address = field.addresses[field.node(from + turn)];
        let said = press(address, link, "answer=take");
        let body = said.as_ref().filter(|said| said.status == 200).map_or("", |said| said.body.as_str());
        if body.contains("You have command. Everybody") {
            return Told::Command;
        }
        if body.contains("You have command already.") {
            return Told::Already;
        }
        if let Some((before, _)) = body.split_once(" was faster and has command.") {
            let name: Vec<&str> =
                before.rsplit(['>', '\n']).next().unwrap_or_default().split_whitespace().collect();
            return Told::Faster(name.join(" "));
        }
        assert!(Instant::now() < until, "an answer is not taken: {said:?}");
        std::thread::sleep(AGAIN_AFTER);
    }
    Told::Already
}
