//! Everything fails at once: 50,000 different alerts in ten seconds.

use std::time::{Duration, Instant};

use super::sides::{self, Kind, Side};
use super::{load, ms, sink};

/// Different alerts, how many to a request, and requests a second.
const ALERTS: usize = 50_000;
const BATCH: usize = 10;
const REQUESTS_PER_SECOND: u32 = 500;

pub fn run(rounds: usize) {
    println!(
        "\nstorm: {ALERTS} different alerts in 10 s, {BATCH} to a request, each of which would open an incident of its own"
    );
    println!(
        "| | first page | all answered | open incidents | incidents ever | letters | peak memory |\n|---|---|---|---|---|---|---|"
    );
    for _ in 0..rounds {
        let sink = sink::Sink::start();
        let side = Side::start_with(Kind::Onscene, sink.address, sides::SQLITE, true);
        let requests = side.requests(ALERTS, BATCH, "storm");
        let sent = load::at_rate(side.address, &requests, REQUESTS_PER_SECOND);
        let answered = sent[0].elapsed();
        let until = Instant::now() + Duration::from_secs(10);
        while sink.seen() == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(2));
        let first = sink.times().values().min().map_or(Duration::MAX, |came| came.duration_since(sent[0]));
        println!(
            "| onscene | {:.0} ms | {:.1} s | {} | {} | {} | {:.1} MiB |",
            ms(first),
            answered.as_secs_f64(),
            side.ask_sqlite("select cast(count(*) as text) from incident where phase <> 'resolved'"),
            side.ask_sqlite("select cast(count(*) as text) from incident"),
            side.ask_sqlite("select cast(count(*) as text) from letter"),
            side.peak_kib() as f64 / 1024.0
        );
        let alerts = side.ask_sqlite("select cast(count(*) as text) from alert join incident on incident.id = alert.incident where phase <> 'resolved' and status = 'firing'");
        assert_eq!(alerts, ALERTS.to_string(), "alerts that fire in an open incident");
    }
}
