//! What it costs to read a body: µs for a typical firing payload of every kind, in one thread, without the network and the store.
//!
//! ```text
//! benches/run reading
//! benches/run reading pingdom     one kind
//! ```
//!
//! Typical is the payload of the middle size among those of tests/fixtures that say that one thing fires. A figure is the best of
//! several rounds: whatever else the machine does only makes it worse. Under the kinds stands a body read by expressions.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock by itself")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]
#![allow(clippy::cast_precision_loss, reason = "figures to read")]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use onscene::core::alert::{EVENTS_MAX, Event, Status};
use onscene::sources::mapping::Mapping;
use onscene::sources::{Delivery, KINDS, Kind, Options, Unreadable, generic};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds, of which the best counts.
const ROUNDS: u32 = 15;
/// How long a round is.
const ROUND: Duration = Duration::from_millis(20);
/// What a typical body may cost.
const AIM_US: f64 = 20.0;

/// A body, and how it travels.
struct Payload {
    name: String,
    bytes: Vec<u8>,
}

impl Payload {
    fn read(&self, kind: &Kind, options: &Options) -> Result<Vec<Event>, Unreadable> {
        let received_at = Timestamp::UNIX_EPOCH;
        let form = self.name.ends_with(".form").then_some("application/x-www-form-urlencoded");
        let posted = Delivery {
            method: "POST",
            query: "",
            content_type: form,
            headers: &[],
            body: &self.bytes,
            received_at,
            options,
        };
        match std::str::from_utf8(&self.bytes) {
            Ok(query) if self.name.ends_with(".query") => {
                (kind.read)(&Delivery { method: "GET", query: query.trim(), body: b"", ..posted })
            }
            _ => (kind.read)(&posted),
        }
    }
}

/// The payload of the middle size among those that say that one thing fires.
fn typical(kind: &Kind, options: &Options) -> Payload {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(kind.name);
    let files =
        fs::read_dir(&folder).expect("the folder of a kind").map(|entry| entry.expect("a file").path());
    let payload = |path: std::path::PathBuf| Payload {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: fs::read(path).expect("a payload"),
    };
    let fires = |payload: &Payload| {
        let read = payload.read(kind, options);
        read.is_ok_and(|events| matches!(&events[..], [one] if one.status == Status::Firing))
    };
    let files = files.filter(|path| path.extension().is_none_or(|ending| ending != "snap"));
    let mut found: Vec<Payload> = files.map(payload).filter(fires).collect();
    found.sort_by_key(|payload| (payload.bytes.len(), payload.name.clone()));
    let middle = found.len() / 2;
    found.into_iter().nth(middle).expect("a payload that says that one thing fires")
}

/// The least time that one reading took, in µs, of rounds that are long enough for the clock.
fn best(read: impl Fn() -> Result<Vec<Event>, Unreadable>) -> f64 {
    let mut times = 1_u32;
    let mut least = f64::INFINITY;
    let mut rounds = 0;
    while rounds < ROUNDS {
        let began = Instant::now();
        for _ in 0..times {
            let _ = black_box(read());
        }
        let took = began.elapsed();
        if took < ROUND / 2 {
            times *= 2;
            continue;
        }
        least = least.min(took.as_secs_f64() * 1e6 / f64::from(times));
        rounds += 1;
    }
    least
}

fn expressions() -> Options {
    let texts = [
        ("each", "body.alarms"),
        ("key", "body.device ~ '/' ~ item.sensor"),
        ("status", "'resolved' if item.state == 'normal' else 'firing'"),
        ("severity", "item.level"),
        ("title", "body.device ~ ': ' ~ item.text"),
        ("labels", "{'site': body.site}"),
        ("links", "[item.url]"),
    ];
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
    let mapping = Mapping::new(&texts, &[]).expect("expressions");
    Options { mapping: Some(mapping.into()), ..Options::default() }
}

fn device(alarms: usize) -> Payload {
    let alarm = |number| {
        format!(
            r#"{{"sensor":"battery {number}","state":"low","level":"major","text":"the battery is low","url":"https://ups.example.net/{number}"}}"#
        )
    };
    let alarms: Vec<String> = (0..alarms).map(alarm).collect();
    let body = format!(r#"{{"device":"ups-7","site":"osl","alarms":[{}]}}"#, alarms.join(","));
    Payload { name: "body.json".into(), bytes: body.into_bytes() }
}

/// Work that is let be done until the purse of a delivery is empty: much in each item, or 10,000 times very little.
const DEAR: &[&str] = &[
    "range(700)|sort|join|length",
    "range(6000)|join|length",
    "range(3000)|list|length",
    "('x' * 300000)|upper|length",
    "('x' * 100000)|replace('x', 'yy')|length",
    "item",
    "body|length ~ item",
];

/// The longest that a delivery of expressions takes, in ms, and the one.
fn dearest() -> (f64, &'static str) {
    let body = format!("[{}0]", "0,".repeat(EVENTS_MAX - 1)).into_bytes();
    let payload = Payload { name: "body.json".into(), bytes: body };
    let took = DEAR.iter().map(|text| {
        let texts = [("each", "body"), ("key", text), ("title", text), ("body", text), ("group", text)];
        let texts: BTreeMap<String, String> =
            texts.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
        let mapping = Mapping::new(&texts, &[]).expect("expressions");
        let options = Options { mapping: Some(mapping.into()), ..Options::default() };
        (best(|| payload.read(&generic::KIND, &options)) / 1000.0, *text)
    });
    took.max_by(|one, two| one.0.total_cmp(&two.0)).unwrap_or_default()
}

fn main() {
    // cargo gives a bench flags of its own, such as --bench.
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let options = Options { allow_get: true, ..Options::default() };
    println!("| kind | payload | bytes | µs |\n|---|---|---|---|");
    let mut over = Vec::new();
    for kind in KINDS.iter().filter(|kind| asked.is_empty() || asked.iter().any(|word| word == kind.name)) {
        let payload = typical(kind, &options);
        let took = best(|| payload.read(kind, &options));
        println!("| {} | {} | {} | {took:.1} |", kind.name, payload.name, payload.bytes.len());
        if took > AIM_US {
            over.push(kind.name);
        }
    }
    println!();
    if over.is_empty() {
        println!("None takes more than {AIM_US} µs.");
    } else {
        println!("More than {AIM_US} µs: {}.", over.join(", "));
    }
    if !asked.is_empty() {
        return;
    }
    let mapped = expressions();
    println!("\n| alarms in a body, by seven expressions | bytes | µs | µs an event |\n|---|---|---|---|");
    for alarms in [1, 100, EVENTS_MAX] {
        let payload = device(alarms);
        let took = best(|| payload.read(&generic::KIND, &mapped));
        println!("| {alarms} | {} | {took:.1} | {:.1} |", payload.bytes.len(), took / alarms as f64);
    }
    let (took, text) = dearest();
    println!(
        "\nThe most work that is let be done takes {took:.0} ms: `{text}` in four fields of {EVENTS_MAX} items."
    );
}
