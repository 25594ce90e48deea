//! A relay on loopback that takes everything and writes down when each mail's final dot came.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The relay.
pub struct Sink {
    pub address: SocketAddr,
    times: Arc<Mutex<BTreeMap<String, (Instant, Instant)>>>,
    seen: Arc<AtomicUsize>,
    mails: Arc<AtomicUsize>,
}

impl Sink {
    /// Listens on a free port. Its threads end with their connections.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let times = Arc::new(Mutex::new(BTreeMap::new()));
        let (seen, mails) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (into, count, every) = (times.clone(), seen.clone(), mails.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (into, count, every) = (into.clone(), count.clone(), every.clone());
                std::thread::spawn(move || talk(stream, &into, &count, &every));
            }
        });
        Self { address, times, seen, mails }
    }

    /// How many mails have come, whatever they say.
    pub fn mails(&self) -> usize {
        self.mails.load(Ordering::Relaxed)
    }

    /// How many different keys have come.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// When the first mail about each key came.
    pub fn times(&self) -> BTreeMap<String, Instant> {
        let times = self.times.lock().expect("nobody panics with it");
        times.iter().map(|(key, (first, _))| (key.clone(), *first)).collect()
    }

    /// When the last mail about each key came.
    pub fn last(&self) -> BTreeMap<String, Instant> {
        let times = self.times.lock().expect("nobody panics with it");
        times.iter().map(|(key, (_, last))| (key.clone(), *last)).collect()
    }
}

fn talk(
    mut stream: TcpStream,
    times: &Mutex<BTreeMap<String, (Instant, Instant)>>,
    seen: &AtomicUsize,
    mails: &AtomicUsize,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    stream.write_all(b"220 sink\r\n").ok()?;
    loop {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match word.as_str() {
            "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let mut key = None;
                loop {
                    line.clear();
                    if lines.read_line(&mut line).ok()? == 0 {
                        return None;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    if key.is_none()
                        && let Some(at) = line.find("bench-")
                    {
                        key = line.get(at..at + super::sides::KEY_BYTES).map(str::to_owned);
                    }
                }
                let at = Instant::now();
                mails.fetch_add(1, Ordering::Relaxed);
                if let Some(key) = key {
                    let mut times = times.lock().ok()?;
                    if times.len() < 1_000_000 {
                        times.entry(key).or_insert((at, at)).1 = at;
                    }
                    seen.store(times.len(), Ordering::Relaxed);
                }
                b"250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").ok()?;
                return Some(());
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).ok()?;
    }
}
