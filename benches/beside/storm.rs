//! Everything fails at once: 50,000 different alerts in ten seconds. Beside it Alertmanager with all alerts in one group, which is
//! how it bears a storm best.

use std::time::{Duration, Instant};

use super::sides::{self, Kind, Side};
use super::{load, ms, sink};

/// Different alerts, how many to a request, and requests a second.
const ALERTS: usize = 50_000;
const BATCH: usize = 10;
const REQUESTS_PER_SECOND: u32 = 500;

pub fn run(rounds: usize) {
    println!(
        "\n**storm: {ALERTS} different alerts in 10 s, {BATCH} to a request, each of which would open an incident of its own**\n"
    );
    println!(
        "| | first page | all answered | p99 of an answer | open incidents | ever | mails in 12 s | CPU | peak memory |\n|---|---|---|---|---|---|---|---|---|"
    );
    for _ in 0..rounds {
        for kind in [Kind::Onscene, Kind::Alertmanager] {
            round(kind);
        }
    }
}

fn round(kind: Kind) {
    let sink = sink::Sink::start();
    let side = Side::start_with(kind, sink.address, sides::SQLITE, true);
    let requests = side.requests(ALERTS, BATCH, "rush");
    let began = Instant::now();
    let sent = load::at_rate_timed(side.address, &requests, REQUESTS_PER_SECOND);
    let answered = began.elapsed();
    let until = Instant::now() + Duration::from_secs(10);
    while sink.seen() == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    let first = sink.times().values().min().map_or(Duration::MAX, |came| came.duration_since(sent.due[0]));
    let ask = |sql: &str| match kind {
        Kind::Onscene => side.ask_sqlite(sql),
        Kind::Alertmanager | Kind::Alerta => "-".to_owned(),
    };
    println!(
        "| {kind} | {:.0} ms | {:.1} s | {:.1} ms | {} | {} | {} | {:.1} s | {:.1} MiB |",
        ms(first),
        answered.as_secs_f64(),
        ms(load::quantile(&sent.latencies, 0.99)),
        ask("select cast(count(*) as text) from incident where phase <> 'resolved'"),
        ask("select cast(count(*) as text) from incident"),
        sink.mails(),
        side.cpu_seconds(),
        side.peak_kib() as f64 / 1024.0
    );
    if kind == Kind::Onscene {
        let firing =
            ask("select cast(count(*) as text) from alert join incident on incident.id = alert.incident
             where phase <> 'resolved' and status = 'firing'");
        assert_eq!(firing, ALERTS.to_string(), "alerts that fire in an open incident");
    }
}
