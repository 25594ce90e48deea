//! Nobody answers, and the next step of 10,000 open incidents is due at the same moment: how late each was met, on disk, when its
//! mail came, and how long people who answer meanwhile wait.
//!
//! One delivery carries all alerts, so that their incidents are opened in one transaction and are due at one hour, to the
//! microsecond. There is nothing to compare with: Alertmanager and alerta know no second step.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::postgres::Cluster;
use super::sides::{self, Side};
use super::{load, middle, ms, sink};

/// Open incidents.
const INCIDENTS: usize = 10_000;
/// How long the first step is waited for: until then all first pages have gone.
const WAIT: Duration = Duration::from_secs(60);
/// Answers a second while it happens, and how many.
const ANSWERS_PER_SECOND: u32 = 40;
const ANSWERS: usize = 200;
/// Who answers: several, each of whom waits for nobody else.
const PEOPLE: usize = 10;
/// Nobody waits longer for the rest.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one round gave, in milliseconds after the hour that was due.
struct Round {
    decided: [f64; 3],
    on_disk: [f64; 3],
    mails: [f64; 3],
    answers: [f64; 3],
    cpu: f64,
    peak_mib: f64,
    escalated: usize,
}

/// The part `escalate` of the bench.
pub fn run(rounds: usize) {
    println!("\n{INCIDENTS} incidents whose second step is due at the same moment; p50, p99 and slowest");
    println!(
        "| | decided after | on disk after | mail after | an answer takes | escalated | CPU | peak memory |\n|---|---|---|---|---|---|---|---|"
    );
    let cluster = Cluster::start();
    for (name, people, far) in [
        ("SQLite, one person", 1, false),
        ("SQLite, 50 persons", 50, false),
        ("PostgreSQL, one person", 1, true),
        ("PostgreSQL, 50 persons", 50, true),
    ] {
        let all: Vec<Round> = (0..rounds)
            .map(|number| round(people, far.then(|| (&cluster, format!("escalate_{people}_{number}")))))
            .collect();
        let three = |figures: fn(&Round) -> [f64; 3]| {
            let of = |n: usize| middle(all.iter().map(|round| figures(round)[n]).collect());
            format!("{:.0} · {:.0} · {:.0} ms", of(0), of(1), of(2))
        };
        println!(
            "| {name} | {} | {} | {} | {} | {:.0} | {:.1} s | {:.1} MiB |",
            three(|round| round.decided),
            three(|round| round.on_disk),
            three(|round| round.mails),
            three(|round| round.answers),
            middle(all.iter().map(|round| round.escalated as f64).collect()),
            middle(all.iter().map(|round| round.cpu).collect()),
            middle(all.iter().map(|round| round.peak_mib).collect()),
        );
    }
}

/// As many services as people, each with a policy of its own whose second step is one of them.
fn house(people: usize) -> String {
    let mut house = String::from(HOUSE);
    for n in 0..people {
        house.push_str(&format!(
            "[[person]]\nname = \"p{n:02}\"\nemail = \"p{n:02}@example.net\"\n\
             [[escalation]]\nname = \"e{n:02}\"\nsteps = [{{ page = [\"rotation:sre\"], wait = \"{}s\" }}, {{ page = [\"person:p{n:02}\"], wait = \"30m\" }}]\n\
             [[service]]\nname = \"s{n:02}\"\nescalation = \"e{n:02}\"\npio = [\"person:maya\", \"person:p00\"]\nwindow = \"0s\"\n\
             [[route]]\nmatch = 'team=\"t{n:02}\"'\nservice = \"s{n:02}\"\n",
            WAIT.as_secs()
        ));
    }
    house
}

fn round(people: usize, cluster: Option<(&Cluster, String)>) -> Round {
    let store = cluster.as_ref().map_or_else(
        || sides::SQLITE.to_owned(),
        |(cluster, name)| {
            cluster.ask("postgres", &format!("create database {name}"));
            cluster.url(name)
        },
    );
    let sink = sink::Sink::start();
    let side = Side::start_house(sink.address, &store, &house(people));
    let token = side.token("maya");
    let ask = |sql: &str| match &cluster {
        Some((cluster, name)) => cluster.ask(name, sql),
        None => side.ask_sqlite(sql),
    };
    let number = |sql: &str| ask(&format!("select cast(({sql}) as text)")).parse::<f64>().expect("a number");
    load::once_each(side.address, &[delivery(people)]);
    let until = Instant::now() + WAIT - Duration::from_secs(5);
    while sink.mails() < INCIDENTS {
        assert!(Instant::now() < until, "only {} of the first pages have gone", sink.mails());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(number("select count(*) from incident where phase = 'triggered'"), INCIDENTS as f64);
    assert_eq!(number("select count(distinct due_at) from incident"), 1.0, "one hour for all");
    // The hour, by the clock that cannot be set.
    let hour = Duration::from_micros(number("select min(due_at) from incident") as u64);
    let ahead = hour.saturating_sub(SystemTime::UNIX_EPOCH.elapsed().expect("after 1970"));
    assert!(ahead > Duration::from_secs(1), "it is due already");
    let due = Instant::now() + ahead;
    let cpu = side.cpu_seconds();
    let before = sink.mails();
    let met = lateness_count(side.address);
    let (on_disk, mut answers) = std::thread::scope(|scope| {
        let answering = scope.spawn(|| answers(side.address, &token, due));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let on_disk = watch(side.address, due, met, || {
            sink.mails() >= before + INCIDENTS - ANSWERS && lateness_count(side.address) > met
        });
        (on_disk, answering.join().expect("answers"))
    });
    // Every letter has its end before anything is counted.
    while number("select count(*) from letter where state in ('pending', 'sending')") > 0.0 {
        assert!(due.elapsed() < PATIENCE, "letters do not come to an end");
        std::thread::sleep(Duration::from_millis(100));
    }
    let cpu = side.cpu_seconds() - cpu;
    let second = "select second.at - first.at as late from entry first join entry second on second.incident = first.incident
         where first.kind = 'escalated' and first.seq = (select min(seq) from entry x where x.incident = first.incident and x.kind = 'escalated')
           and second.kind = 'escalated' and second.seq > first.seq";
    let escalated = number(&format!("select count(*) from ({second}) s")) as usize;
    let untaken = number("select count(*) from incident where phase = 'triggered'") as usize;
    assert!(
        escalated >= untaken && untaken >= INCIDENTS - ANSWERS,
        "{escalated} escalated, {untaken} untaken"
    );
    let late = |part: f64| {
        let at = ((escalated as f64 * part).ceil() as usize).clamp(1, escalated) - 1;
        let micros = number(&format!("select late from ({second}) s order by late limit 1 offset {at}"));
        micros / 1000.0 - ms(WAIT)
    };
    let mut mails: Vec<Duration> =
        sink.last().into_values().map(|at| at.saturating_duration_since(due)).collect();
    mails.retain(|after| *after > Duration::ZERO);
    assert!(mails.len() >= untaken, "{} mails for {untaken}", mails.len());
    mails.sort_unstable();
    answers.sort_unstable();
    let of = |sorted: &[Duration]| [0.5, 0.99, 1.0].map(|part| ms(load::quantile(sorted, part)));
    let round = Round {
        decided: [0.5, 0.99, 1.0].map(late),
        on_disk: of(&on_disk),
        mails: of(&mails),
        answers: of(&answers),
        cpu,
        peak_mib: side.peak_kib() as f64 / 1024.0,
        escalated,
    };
    drop(side);
    if let Some((cluster, name)) = cluster {
        cluster.ask("postgres", &format!("drop database {name} with (force)"));
    }
    round
}

/// All alerts in one body, as Alertmanager brings a group of them.
fn delivery(people: usize) -> Vec<u8> {
    let alerts: Vec<String> = (0..INCIDENTS)
        .map(|n| {
            let (key, team) = (sides::key("wake", n), n % people);
            format!(
                r#"{{"status":"firing","fingerprint":"{n:016x}","labels":{{"alertname":"{key}","team":"t{team:02}","instance":"db-{n}.example.net:9100","severity":"critical"}},"annotations":{{"summary":"{key} on db-{n}: disk is full"}},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example.net/graph"}}"#
            )
        })
        .collect();
    let body = format!(
        r#"{{"version":"4","groupKey":"{{}}:{{}}","status":"firing","receiver":"onscene","groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://alertmanager.example.net","truncatedAlerts":0,"alerts":[{}]}}"#,
        alerts.join(",")
    );
    let length = body.len();
    format!(
        "POST /in/prometheus/bench-token-of-prometheus HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Answers incidents at a fixed rate from the hour on, each another, from all over the house, as people do who do not wait for each
/// other; how long each took from when it was due.
fn answers(address: SocketAddr, token: &str, from: Instant) -> Vec<Duration> {
    // A connection that says nothing for long is closed.
    std::thread::sleep(from.saturating_duration_since(Instant::now() + Duration::from_secs(1)));
    std::thread::scope(|scope| {
        let people: Vec<_> =
            (0..PEOPLE).map(|first| scope.spawn(move || one_answers(address, token, from, first))).collect();
        people.into_iter().flat_map(|one| one.join().expect("answers")).collect()
    })
}

/// Every so many-th answer, over a connection of its own.
fn one_answers(address: SocketAddr, token: &str, from: Instant, first: usize) -> Vec<Duration> {
    let mut connection = TcpStream::connect(address).expect("it listens");
    connection.set_nodelay(true).expect("a TCP option");
    (first..ANSWERS)
        .step_by(PEOPLE)
        .map(|n| {
            let due = from + Duration::from_secs_f64(n as f64 / f64::from(ANSWERS_PER_SECOND));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let id = 1 + (n * (INCIDENTS / ANSWERS) * 37) % INCIDENTS;
            let head = format!(
                "POST /api/v1/incidents/{id}/ack HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let answer = exchange(&mut connection, &head);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            due.elapsed()
        })
        .collect()
}

/// When each deadline was known to be on disk, as the daemon itself counts them: looked at every few milliseconds.
fn watch(address: SocketAddr, due: Instant, met: usize, done: impl Fn() -> bool) -> Vec<Duration> {
    let (mut seen, mut after, mut quiet) = (met, Vec::new(), Instant::now());
    loop {
        let now = lateness_count(address);
        let at = due.elapsed();
        if now > seen {
            quiet = Instant::now();
        }
        after.resize(after.len() + (now - seen), at);
        seen = now;
        if done() && quiet.elapsed() > Duration::from_secs(2) {
            return after;
        }
        assert!(at < PATIENCE, "{} deadlines were met", after.len());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn lateness_count(address: SocketAddr) -> usize {
    let mut connection = TcpStream::connect(address).expect("it listens");
    let text = exchange(&mut connection, "GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n");
    let line = text.lines().find_map(|line| line.strip_prefix("onscene_deadline_lateness_seconds_count "));
    line.and_then(|count| count.trim().parse().ok()).expect("a count")
}

/// One request and its whole answer.
fn exchange(connection: &mut TcpStream, request: &str) -> String {
    connection.write_all(request.as_bytes()).expect("it reads");
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let read = connection.read(&mut piece).expect("it answers");
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..read]);
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        let whole = match length {
            Some(length) => bytes.len() >= head + 4 + length,
            None => bytes.ends_with(b"0\r\n\r\n"),
        };
        if whole {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

const HOUSE: &str = r#"
[server]
listen = "LISTEN"
external_url = "https://onscene.example.net"
body_max = "32 MiB"
[store]
url = "STORE"
[mail]
from = "onscene <pager@example.net>"
relays = ["smtp://RELAY"]
[pio]
answer_after = "0s"
cadence = "off"
[storm]
off = true
[[person]]
name = "maya"
email = "maya@example.net"
[[rotation]]
name = "sre"
time_zone = "Europe/Oslo"
members = ["maya"]
shift = "1 week"
handover = "Mon 09:00"
start = "2026-01-05"
[[source]]
name = "prometheus"
kind = "alertmanager"
token = "bench-token-of-prometheus"
service = "s00"
"#;
