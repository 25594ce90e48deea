//! The hot path, beside what a user would pick instead: Debian's Alertmanager and alerta, in one run on one machine.
//!
//! ```text
//! benches/run                 everything
//! benches/run posts|pages|start|storm|postgres|history|escalate
//! benches/run quick posts     one round: for looking, not for quoting
//! ```
//!
//! - `posts`: alerts over 32 connections, 1,000 keys, one to a request and 64 to a request. onscene answers when they are
//!   on disk; Alertmanager keeps them in memory.
//! - `pages`: 200 new conditions a second; from the first byte of the POST to the final dot of the mail at the relay.
//! - `start`: ready with 100,000 open alerts.
//! - `storm`: 50,000 different alerts in ten seconds; when the first page came, and how many letters there were.
//! - `postgres`: the same as `posts`, on PostgreSQL, beside SQLite and beside alerta on the same PostgreSQL.
//! - `history`: questions about a million alerts and 100,000 incidents, on SQLite and on PostgreSQL.
//! - `escalate`: the next step of 10,000 incidents is due at the same moment, on SQLite and on PostgreSQL.
//!
//! Medians of five rounds; the sides take turns, and every round begins with an empty directory.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock, waits and starts programs by itself")]
#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]
#![allow(unreachable_pub, reason = "`pub` here means for the other files of the bench")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures to read"
)]

use std::time::{Duration, Instant};

mod alerta;
mod escalate;
mod history;
mod load;
mod postgres;
mod sides;
mod sink;
mod storm;

use sides::{Kind, Side};

/// Rounds of each side.
const ROUNDS: usize = 5;
/// Connections that post at the same time.
const CONNECTIONS: usize = 32;
/// Different alerts.
const KEYS: usize = 1000;
/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// What is measured in one round.
const MEASURED: Duration = Duration::from_secs(5);
/// New conditions a second, and for how long.
const PAGES_RATE: u32 = 200;
const PAGES_SECONDS: u32 = 10;
/// Open alerts when it starts.
const OPEN_ALERTS: usize = 100_000;

fn main() {
    // cargo gives a bench flags of its own, such as --bench.
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (quick, asked): (Vec<String>, Vec<String>) = asked.into_iter().partition(|word| word == "quick");
    let rounds = if quick.is_empty() { ROUNDS } else { 1 };
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    println!("{}", sides::machine());
    if wants("posts") {
        posts("one alert to a request", 1, rounds);
        posts("64 alerts to a request", 64, rounds);
    }
    if wants("pages") {
        pages(rounds);
    }
    if wants("start") {
        start(rounds);
    }
    if wants("storm") {
        storm::run(rounds);
    }
    if wants("postgres") {
        postgres::run(rounds);
    }
    if wants("history") {
        history::run();
    }
    if wants("escalate") {
        escalate::run(rounds);
    }
}

/// What one round of one side gave.
struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu_micros: f64,
    peak_kib: u64,
}

fn posts(what: &str, batch: usize, count: usize) {
    println!("\n{what}: {CONNECTIONS} connections, {KEYS} keys, {} s a round", MEASURED.as_secs());
    let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..count {
        for (kind, into) in [Kind::Onscene, Kind::Alertmanager].into_iter().zip(&mut rounds) {
            let sink = sink::Sink::start();
            let side = Side::start(kind, sink.address, sides::SQLITE);
            let requests = side.requests(KEYS, batch, "post");
            load::run(side.address, &requests, CONNECTIONS, WARM_UP);
            let cpu = side.cpu_seconds();
            let told = load::run(side.address, &requests, CONNECTIONS, MEASURED);
            let cpu = side.cpu_seconds() - cpu;
            let alerts = told.latencies.len() * batch;
            into.push(Round {
                per_second: alerts as f64 / told.seconds,
                p50: load::quantile(&told.latencies, 0.5),
                p99: load::quantile(&told.latencies, 0.99),
                cpu_micros: cpu * 1e6 / alerts as f64,
                peak_kib: side.peak_kib(),
            });
        }
    }
    let [ours, theirs] = rounds.map(|rounds| median(&rounds));
    println!("| | alerts/s | p50 | p99 | CPU an alert | peak memory |\n|---|---|---|---|---|---|");
    for (name, round) in [("onscene, on disk", &ours), ("Alertmanager, in memory", &theirs)] {
        println!(
            "| {name} | {:.0} | {:.1} ms | {:.1} ms | {:.1} µs | {:.1} MiB |",
            round.per_second,
            ms(round.p50),
            ms(round.p99),
            round.cpu_micros,
            round.peak_kib as f64 / 1024.0
        );
    }
    println!(
        "| ratio | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
        ours.per_second / theirs.per_second,
        ms(ours.p50) / ms(theirs.p50),
        ms(ours.p99) / ms(theirs.p99),
        ours.cpu_micros / theirs.cpu_micros,
        ours.peak_kib as f64 / theirs.peak_kib as f64
    );
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The median of every figure by itself.
fn median(rounds: &[Round]) -> Round {
    let of = |figure: fn(&Round) -> f64| middle(rounds.iter().map(figure).collect());
    Round {
        per_second: of(|round| round.per_second),
        p50: Duration::from_secs_f64(of(|round| round.p50.as_secs_f64())),
        p99: Duration::from_secs_f64(of(|round| round.p99.as_secs_f64())),
        cpu_micros: of(|round| round.cpu_micros),
        peak_kib: of(|round| round.peak_kib as f64) as u64,
    }
}

fn pages(rounds_wanted: usize) {
    let count = PAGES_RATE * PAGES_SECONDS;
    println!(
        "\npages: {PAGES_RATE} new conditions a second for {PAGES_SECONDS} s, first byte of the POST to the final dot"
    );
    println!("| | p50 | p99 | slowest | not in 10 s |\n|---|---|---|---|---|");
    for kind in [Kind::Onscene, Kind::Alertmanager] {
        let mut rounds = Vec::new();
        for _ in 0..rounds_wanted {
            let sink = sink::Sink::start();
            let side = Side::start(kind, sink.address, sides::SQLITE);
            let requests = side.requests(count as usize, 1, "page");
            let sent = load::at_rate(side.address, &requests, PAGES_RATE);
            let until = Instant::now() + Duration::from_secs(10);
            while sink.seen() < sent.len() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            let came = sink.times();
            let mut waits: Vec<Duration> = sent
                .iter()
                .enumerate()
                .filter_map(|(n, at)| came.get(&sides::key("page", n)).map(|came| came.duration_since(*at)))
                .collect();
            waits.sort_unstable();
            let slowest = waits.last().copied().unwrap_or(Duration::MAX);
            rounds.push((
                load::quantile(&waits, 0.5),
                load::quantile(&waits, 0.99),
                slowest,
                sent.len() - waits.len(),
            ));
        }
        rounds.sort_unstable_by_key(|round| round.1);
        let (p50, p99, slowest, missing) = rounds[rounds.len() / 2];
        println!("| {kind} | {:.1} ms | {:.1} ms | {:.1} ms | {missing} |", ms(p50), ms(p99), ms(slowest));
    }
}

fn start(rounds: usize) {
    println!("\nstart with {OPEN_ALERTS} open alerts, none recovered; from exec to /readyz 200");
    let sink = sink::Sink::start();
    let mut side = Side::start(Kind::Onscene, sink.address, sides::SQLITE);
    let requests = side.requests(OPEN_ALERTS, 500, "open");
    load::once_each(side.address, &requests);
    for (how, kill) in [("after SIGTERM", false), ("after kill -9", true)] {
        let mut took: Vec<Duration> = (0..rounds).map(|_| side.again(kill)).collect();
        took.sort_unstable();
        println!("{how}: median {:.0} ms, slowest {:.0} ms", ms(took[rounds / 2]), ms(took[rounds - 1]));
    }
    println!("open incidents it reports: {}", side.open_incidents());
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
