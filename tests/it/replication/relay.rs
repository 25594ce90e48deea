//! A mail relay for each node. It takes everything, and counts: who is written to twice is counted twice, also by
//! one and the same node, which mail files with one name would hide.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::harness::answer_link;

/// The longest that a relay keeps silent with a letter in hand.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What the people have in their mailboxes.
#[derive(Default)]
pub struct Mailboxes {
    /// How often each letter came from each node.
    pub letters: BTreeMap<String, [usize; 3]>,
    /// Mails past the store, by node.
    pub emergencies: [usize; 3],
    /// Answer links, by incident and person.
    links: BTreeMap<i64, BTreeMap<String, String>>,
    /// Incidents for which everybody has a link, and nobody has answered.
    ready: VecDeque<i64>,
    answered: BTreeSet<i64>,
}

impl Mailboxes {
    /// The next incident that everybody was paged for, with their links.
    pub fn next(&mut self) -> Option<(i64, Vec<(String, String)>)> {
        let incident = self.ready.pop_front()?;
        let links = self.links.remove(&incident).unwrap_or_default();
        self.answered.insert(incident);
        Some((incident, links.into_iter().collect()))
    }

    /// Whether nobody has anything left to answer.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    fn take(&mut self, node: usize, mail: &str, people: usize) {
        let header = |name: &str| {
            mail.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).unwrap_or_default()
        };
        if header("Subject:").contains("cannot write to its store") {
            self.emergencies[node] += 1;
            return;
        }
        let id = header("Message-ID:").trim_matches(['<', '>']).split('@').next().unwrap().to_owned();
        assert!(!id.is_empty(), "a mail without an id: {mail}");
        self.letters.entry(id).or_default()[node] += 1;
        if header("X-Page-Attempt:").is_empty() || !mail.contains("/r/") {
            return;
        }
        let incident: i64 = header("X-Incident-Id:").parse().unwrap();
        // A page that comes twice, or for an office, comes after the answers.
        if self.answered.contains(&incident) {
            return;
        }
        let person = header("To:").split('@').next().unwrap().to_owned();
        let links = self.links.entry(incident).or_default();
        if links.insert(person, answer_link(mail)).is_none() && links.len() == people {
            self.ready.push_back(incident);
        }
    }
}

/// The relay of one node.
pub struct Relay {
    pub address: SocketAddr,
    silent: Arc<AtomicBool>,
    /// Letters that were taken and not answered.
    in_hand: Arc<AtomicUsize>,
}

impl Relay {
    /// Listens on a free port. Its threads end with their connections.
    pub fn start(node: usize, people: usize, mailboxes: &Arc<Mutex<Mailboxes>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, in_hand) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (is_silent, held, mailboxes) = (silent.clone(), in_hand.clone(), mailboxes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (silent, held, mailboxes) = (is_silent.clone(), held.clone(), mailboxes.clone());
                std::thread::spawn(move || {
                    talk(stream, |mail| {
                        mailboxes.lock().unwrap().take(node, mail, people);
                        held.fetch_add(1, Ordering::AcqRel);
                        let until = Instant::now() + SILENCE_MAX;
                        while silent.load(Ordering::Acquire) && Instant::now() < until {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        held.fetch_sub(1, Ordering::AcqRel);
                    })
                });
            }
        });
        Self { address, silent, in_hand }
    }

    /// It takes letters and does not say so, or does again.
    pub fn is_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Release);
    }

    /// How many letters it has taken and not answered.
    pub fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::Acquire)
    }
}

fn talk(mut stream: TcpStream, take: impl Fn(&str)) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    stream.write_all(b"220 relay\r\n").ok()?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default() {
            "EHLO" => b"250-relay\r\n250 8BITMIME\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let mut mail = String::new();
                loop {
                    let from = mail.len();
                    if lines.read_line(&mut mail).ok()? == 0 {
                        return None;
                    }
                    if &mail[from..] == ".\r\n" {
                        break;
                    }
                }
                take(&mail);
                b"250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").ok()?;
                return None;
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).ok()?;
    }
}
