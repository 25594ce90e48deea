//! What it costs to speak: how soon a statement is there while other channels swallow everything, and what the lint takes when it knows
//! very many customers.
//!
//! ```text
//! benches/run statements          both
//! benches/run statements quick    one round: for looking, not for quoting
//! ```
//!
//! Two daemons of the same binary run at the same time on one machine. One has a webhook that answers at once; the other has the same and
//! beside it eight channels whose other side takes the connection and the request, and never answers. Both say the same of the same
//! number of incidents, in turn. What is measured is the time from the request that publishes to the last byte at the webhook.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock, waits and starts programs by itself")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use onscene::core::audience::Audience;
use onscene::core::disclosure::{Disclosure, Known, Rendered, Rule, lint};

/// Incidents of which something is said at the same time.
const INCIDENTS: usize = 20;
/// Statements of each.
const STATEMENTS: usize = 10;
/// Channels that swallow everything.
const HOLES: usize = 8;
/// Between two statements: so the attempts of the first ones are given up while others are said.
const APART: Duration = Duration::from_millis(75);
/// Nothing takes longer than this.
const LATE: Duration = Duration::from_secs(30);
/// Customers that the lint knows.
const CUSTOMERS: [usize; 3] = [0, 5_000, 50_000];

fn main() {
    let quick = std::env::args().any(|word| word == "quick");
    println!("{}", machine());
    black_holes(if quick { 2 } else { STATEMENTS });
    many_customers(if quick { 20 } else { 300 });
}

fn black_holes(statements: usize) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("statements-{}", std::process::id()));
    let _none = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let sides = [0, HOLES].map(|holes| Side::begin(&directory, holes));
    let mut took: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for number in 1..=statements {
        for incident in 1..=INCIDENTS {
            for (side, took) in sides.iter().zip(&mut took) {
                took.push(side.says(incident, number));
            }
            thread::sleep(APART);
        }
    }
    println!(
        "\nfrom the request that publishes to the webhook that answers: {INCIDENTS} incidents, {statements} statements of each"
    );
    println!("| channels beside it that never answer | median | p99 | slowest |\n|---|---|---|---|");
    let mut medians = Vec::new();
    for (holes, mut took) in [0, HOLES].into_iter().zip(took) {
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("| {holes} | {:.1} ms | {:.1} ms | {:.1} ms |", at(0.5), at(0.99), at(1.0));
        medians.push((at(0.5), at(0.99)));
    }
    println!(
        "ratio of the medians {:.2}, of the p99 {:.2}",
        medians[1].0 / medians[0].0,
        medians[1].1 / medians[0].1
    );
    drop(sides);
    let _done = fs::remove_dir_all(&directory);
}

/// One daemon, and the webhook that hears it.
struct Side {
    address: SocketAddr,
    token: String,
    heard: Receiver<String>,
    _running: Running,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Side {
    fn begin(directory: &Path, holes: usize) -> Self {
        let directory = directory.join(format!("beside-{holes}"));
        fs::create_dir_all(&directory).expect("a directory");
        let (address, (webhook, heard)) = (free(), listens(false));
        let (hole, _kept) = listens(true);
        let mut config = format!(
            "[server]\nlisten = \"{address}\"\nexternal_url = \"http://{address}\"\n[storm]\noff = true\n[store]\nurl = \"sqlite:{}\"\n\
             [mail]\nfrom = \"pager@example.net\"\nrelays = [\"file:{}\"]\n\
             [[person]]\nname = \"maya\"\nemail = \"maya@example.net\"\n[[person]]\nname = \"tom\"\nemail = \"tom@example.net\"\n\
             [[escalation]]\nname = \"default\"\nsteps = [{{ page = [\"person:maya\"], wait = \"5m\" }}]\n",
            directory.join("onscene.db").display(),
            directory.join("mail").display()
        );
        for number in 1..=INCIDENTS {
            let _written = write!(
                config,
                "[[service]]\nname = \"service-{number}\"\npublic_name = \"Component number {number}\"\nescalation = \"default\"\n\
                 pio = [\"person:maya\", \"person:tom\"]\n[[source]]\nname = \"source-{number}\"\nkind = \"generic\"\n\
                 service = \"service-{number}\"\ntoken = \"a-token-of-the-bench-{number}\"\n"
            );
        }
        let mut reaches = |name: &str, address: SocketAddr| {
            let _written = write!(
                config,
                "[[channel]]\nname = \"{name}\"\nkind = \"webhook\"\naudience = \"public\"\nurl = \"http://{address}/\"\n\
                 private_addresses = \"allow\"\nbody = '{{\"text\": {{{{ text }}}}}}'\n"
            );
        };
        reaches("webhook", webhook);
        (0..holes).for_each(|number| reaches(&format!("hole-{number}"), hole));
        let path = directory.join("onscene.toml");
        fs::write(&path, config).expect("a disk");
        let log = fs::File::create(directory.join("log")).expect("a disk");
        let program = env!("CARGO_BIN_EXE_onscene");
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("onscene");
        let running = Running(child);
        let until = Instant::now() + LATE;
        while TcpStream::connect(address).is_err() {
            let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "it does not begin: {log}");
            thread::sleep(Duration::from_millis(20));
        }
        let made = Command::new(program)
            .args(["token", "create", "--person", "maya", "--config"])
            .arg(&path)
            .output();
        let token = String::from_utf8(made.expect("onscene").stdout).expect("text").trim().to_owned();
        let side = Self { address, token, heard, _running: running };
        for number in 1..=INCIDENTS {
            let event = r#"{"key": "k", "status": "firing", "title": "it is down", "severity": "critical"}"#;
            side.post(&format!("/in/source-{number}/a-token-of-the-bench-{number}"), event);
            side.post(&format!("/api/v1/incidents/{number}/ack"), "{}");
        }
        side
    }

    /// How long it took until it was there.
    fn says(&self, incident: usize, number: usize) -> Duration {
        let text = format!("Some payments fail, as we said {number} times of {incident}.");
        let body =
            format!(r#"{{"incident": {incident}, "audience": "public", "text": "{text}", "next": "never"}}"#);
        self.post("/api/v1/statements", &body);
        let begun = Instant::now();
        self.post(&format!("/api/v1/statements/{incident}-{number}/publish"), "{}");
        loop {
            let heard = self.heard.recv_timeout(LATE).expect("the webhook hears it in time");
            if heard.contains(&text) {
                return begun.elapsed();
            }
        }
    }

    fn post(&self, path: &str, body: &str) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 2"), "{path}: {answer}");
    }
}

/// Hears requests. One that swallows takes them and never answers; it keeps all connections.
fn listens(swallows: bool) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (tell, heard) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            if swallows {
                kept.push(stream);
                continue;
            }
            let tell = tell.clone();
            thread::spawn(move || hear(stream, &tell));
        }
    });
    (address, heard)
}

fn hear(mut stream: TcpStream, tell: &std::sync::mpsc::Sender<String>) {
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let fields: HashMap<String, &str> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let length: usize = fields.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let _answered = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            let _gone = tell.send(body.to_owned());
            bytes.clear();
        }
    }
}

/// What a text of usual length takes, and what a configuration takes to be read.
fn many_customers(texts: usize) {
    println!("\nthe lint of one statement of {} bytes, medians of {texts}", TEXT.len());
    println!(
        "| customers known | folded once, at the start | a text that names none | one that names one | with a word of many |\n|---|---|---|---|---|"
    );
    let mut none = 0.0;
    for count in CUSTOMERS {
        let customers = (0..count).map(customer).collect();
        let known = Known { customers, ..Known::default() };
        let begun = Instant::now();
        let house = Disclosure::of(&known).expect("names that can be read");
        let folded = begun.elapsed().as_secs_f64() * 1e3;
        let known = Known { house, incident: Some(1), ..Known::default() };
        let text = Rendered {
            subject: "Online shop: service disruption".into(),
            body: TEXT.into(),
            ..Rendered::default()
        };
        let named =
            Rendered { body: format!("{TEXT} {} waits.", customer(count.saturating_sub(1))), ..text.clone() };
        // The first word of a third of them.
        let near = Rendered {
            body: format!("{TEXT} Nord is a direction, and a north wind is none."),
            ..text.clone()
        };
        let names = |text: &Rendered| {
            lint(text, Audience::Public, &known).iter().any(|one| one.rule == Rule::Customer)
        };
        assert!(!names(&text) && !names(&near), "they name nobody");
        assert_eq!(names(&named), count > 0, "a customer is found");
        let medians = [&text, &named, &near]
            .map(|text| median_of(texts, || lint(text, Audience::Public, &known).len()));
        if count == 0 {
            none = medians[0];
        }
        let [first, second, third] = medians.map(|median| format!("{median:.0} µs ({:.2})", median / none));
        println!("| {count} | {folded:.1} ms | {first} | {second} | {third} |");
    }
}

/// Names as houses have them: many begin alike, most do not.
fn customer(number: usize) -> String {
    let own = word(number);
    match number % 3 {
        0 => format!("Nord {own} Bank"),
        1 => format!("{own} & Sons"),
        _ => format!("{own} {number} Ltd"),
    }
}

/// In microseconds.
fn median_of(rounds: usize, work: impl Fn() -> usize) -> f64 {
    let mut took: Vec<f64> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(work());
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

const TEXT: &str = "Some payments by card are declined at the moment. Payments by invoice and by direct debit work, and no order that was placed is lost. \
    You can keep your basket and try again later; it is kept for a day. We are looking into it with all hands, and everybody who was affected \
    will be written to by mail once it works again. Support answers by telephone and on the usual pages.\n\nNext update by 10:30 UTC.";

/// A word that is no other's.
fn word(mut number: usize) -> String {
    let mut word = String::from("Q");
    loop {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or(0)));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address")
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{} CPUs ({model})", thread::available_parallelism().map_or(0, usize::from))
}
