//! How long a question about the past takes: a million alerts and 100,000 incidents, on SQLite and on PostgreSQL.
//!
//! The store is filled by SQL, as the door would have filled it, from one incident that the door made. Then the daemon is
//! asked over its API, by one connection after another, as people ask. Every page of an answer is one question.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::postgres::Cluster;
use super::sides::{self, Kind, Side};
use super::{load, ms, sink};

const ALERTS: u32 = 1_000_000;
const INCIDENTS: u32 = 100_000;
/// Each question is asked so often; of an answer so many pages are fetched.
const TIMES: usize = 5;
const PAGES: usize = 5;

const QUESTIONS: &[(&str, &str)] = &[
    ("the newest", "alerts?"),
    ("that fire", "alerts?status=firing"),
    ("of one of 20 sources", "alerts?source=s3"),
    ("of one of 50 services", "alerts?service=svc7"),
    ("a label that 100 have", "alerts?label=instance%3Dhost77"),
    ("a label that all have", "alerts?label=job%3Dnode"),
    ("two labels, one of 5 and one of 200", "alerts?label=cluster%3Dc3&label=alertname%3DA33"),
    ("two labels that many have, and none both", "alerts?label=cluster%3Dc1&label=cluster%3Dc2"),
    ("a word that all have", "alerts?q=disk"),
    ("a word that 100 have", "alerts?q=host77%20disk"),
    ("the beginning of a word that 11,100 have", "alerts?q=host7"),
    ("words that nobody has", "alerts?q=disk%20nothing"),
    ("all of these", "alerts?q=disk&label=job%3Dnode&source=s3&status=resolved&since=300d&until=100d"),
    ("a day, half a year ago", "alerts?since=181d&until=180d"),
    ("the newest", "incidents?"),
    ("of one of 50 services", "incidents?service=svc7"),
    ("that are open: none", "incidents?state=open"),
    ("a label that 1 to 10 have", "incidents?label=instance%3Dhost77"),
    ("a label that all have", "incidents?label=job%3Dnode"),
    ("two labels that 5,000 have", "incidents?label=alertname%3DA1&label=alertname%3DA2"),
    ("a word that all have", "incidents?q=disk"),
    ("words that nobody has", "incidents?q=disk%20nothing"),
    ("all of these", "incidents?q=disk&label=job%3Dnode&service=svc7&state=resolved&since=300d&until=100d"),
    ("a day, half a year ago", "incidents?since=181d&until=180d"),
];

/// The part `history` of the bench.
pub fn run() {
    println!(
        "\nhistory: {ALERTS} alerts, {INCIDENTS} incidents; slowest of {TIMES} times {PAGES} pages of 50"
    );
    let sqlite = on(None);
    let cluster = Cluster::start();
    let postgres = on(Some(&cluster));
    println!(
        "| | rows | SQLite: median | slowest | PostgreSQL: median | slowest |\n|---|---|---|---|---|---|"
    );
    for (name, ours, theirs) in
        sqlite.into_iter().zip(postgres).map(|((name, ours), (_, theirs))| (name, ours, theirs))
    {
        assert_eq!(ours.2, theirs.2, "{name}: not the same on both");
        let rows = ours.2;
        let [a, b, c, d] = [ours.0, ours.1, theirs.0, theirs.1].map(ms);
        println!("| {name} | {rows} | {a:.1} ms | {b:.1} ms | {c:.1} ms | {d:.1} ms |");
    }
}

/// The median, the slowest, and how many rows there were on those pages.
type Took = (Duration, Duration, usize);

fn on(cluster: Option<&Cluster>) -> Vec<(String, Took)> {
    let store = cluster.map_or_else(
        || sides::SQLITE.to_owned(),
        |cluster| {
            cluster.ask("postgres", "create database history");
            cluster.url("history")
        },
    );
    let sink = sink::Sink::start();
    let mut side = Side::start(Kind::Onscene, sink.address, &store);
    load::once_each(side.address, &side.requests(1, 1, "hist"));
    let token = side.token("maya");
    for (verb, body) in [("ack", "{}"), ("resolve", "{\"term\": 1}")] {
        let answer = ask(side.address, &token, &format!("POST /api/v1/incidents/1/{verb}"), body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let began = Instant::now();
    let file = side.file();
    side.while_down(|| {
        let sqlite = cluster.is_none().then(|| rusqlite::Connection::open(file).expect("a store"));
        for sql in filled() {
            match (&sqlite, cluster) {
                (Some(store), _) => {
                    store.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
                }
                (None, Some(cluster)) => drop(cluster.ask("history", &sql)),
                (None, None) => {}
            }
        }
        // The server does this by itself, a little later.
        if let Some(cluster) = cluster {
            cluster.ask("history", "vacuum analyze");
        }
    });
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    let mut took: Vec<(String, Took)> = QUESTIONS
        .iter()
        .map(|(name, path)| {
            let what = path.split('?').next().unwrap_or_default();
            (format!("{what}: {name}"), asked(side.address, &token, path))
        })
        .collect();
    for (what, path) in [("noise", "noise?since=399d"), ("load", "load?since=399d&by=week")] {
        let began = Instant::now();
        let answer = ask(side.address, &token, &format!("GET /api/v1/reports/{path}"), "");
        assert!(answer.contains("\"complete\":true"), "{answer}");
        took.push((
            format!("the report about {what}, of a year, once"),
            (began.elapsed(), began.elapsed(), 1),
        ));
    }
    took
}

fn asked(address: SocketAddr, token: &str, path: &str) -> Took {
    let (mut all, mut rows) = (Vec::new(), 0);
    let what = if path.starts_with("alerts") { "\"noted_at\":" } else { "\"at_fault\":" };
    for _ in 0..TIMES {
        rows = 0;
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let began = Instant::now();
            let answer = ask(address, token, &format!("GET /api/v1/{path}{cursor}"), "");
            all.push(began.elapsed());
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            rows += answer.matches(what).count();
            let next = answer.split("\"next\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
    }
    all.sort_unstable();
    (load::quantile(&all, 0.5), all[all.len() - 1], rows)
}

fn ask(address: SocketAddr, token: &str, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// The statements that fill a store: the newest alert and incident are of now, the oldest of 400 days ago.
fn filled() -> Vec<String> {
    let numbers = |from: u32, to: u32| {
        format!("with recursive n(i) as (select {from} union all select i + 1 from n where i < {to})")
    };
    let each = 400 * 86_400_000_000_i64;
    let (alert, incident) = (each / i64::from(ALERTS), each / i64::from(INCIDENTS));
    let mut all = vec![format!(
        "{} insert into incident (id, title, service, severity, phase, opened_at, resolved_at, seq, head, state, leads, indexed)
         select i, 'Disk ' || (i % 200) || ' full on host' || (i % 10000), 'svc' || (i % 50), severity, phase,
           opened_at - ({INCIDENTS} - i) * cast({incident} as bigint), resolved_at, seq, head,
           replace(state, '\"id\":1,', '\"id\":' || i || ','), 'svc' || (i % 50), 1
         from incident cross join n where id = 1",
        numbers(2, INCIDENTS)
    )];
    all.push(format!(
        "{} insert into entry (incident, seq, at, occurred_at, kind, actor, office, term, route, text, data, hash)
         select i, seq, at - ({INCIDENTS} - i) * cast({incident} as bigint), occurred_at, kind, actor, office, term, route, text,
           replace(data, 'bench-hist-', 'bench-' || (i % 5000)), hash
         from entry cross join n where incident = 1",
        numbers(2, INCIDENTS)
    ));
    all.push(format!(
        "{} insert into alert (id, source, key, service, status, first_seen, changed_at, taken_at, incident, wording, indexed,
           severity, title, body, labels, links, terms)
         select i, 's' || (i % 20), 'k' || i, 'svc' || (i % 50), case when i % 100 = 0 then 'firing' else 'resolved' end,
           taken_at - ({ALERTS} - i) * cast({alert} as bigint), changed_at, taken_at - ({ALERTS} - i) * cast({alert} as bigint),
           (i + 9) / 10, 1, 1, severity, 'Disk ' || (i % 200) || ' full on host' || (i % 10000), body,
           '{{\"alertname\":\"A' || (i % 200) || '\",\"cluster\":\"c' || (i % 5) || '\",\"instance\":\"host' || (i % 10000) || '\",\"job\":\"node\",\"pod\":\"p' || i || '\"}}',
           links, ''
         from alert cross join n where id = 1",
        numbers(2, ALERTS)
    ));
    all.push(
        "insert into alert_heard (alert, count, last_seen) select id, 3, taken_at from alert where id > 1"
            .into(),
    );
    let terms = [
        "'=alertname=A' || (id % 200)",
        "'=cluster=c' || (id % 5)",
        "'=instance=host' || (id % 10000)",
        "'=job=node'",
        "'=pod=p' || id",
        "'~' || (id % 200)",
        "'~disk'",
        "'~full'",
        "'~host' || (id % 10000)",
        "'~on'",
    ];
    let whole: Vec<String> = terms.iter().map(|term| format!("'\u{1f}' || {term}")).collect();
    all.push(format!("update alert set terms = {} where id > 1", whole.join(" || ")));
    for term in terms {
        all.push(format!(
            "insert into alert_term (term, alert) select {term}, id from alert where id > 1 order by 1, 2"
        ));
        all.push(format!(
            "insert into incident_term (term, incident) select distinct {term}, incident from alert where id > 1 order by 1, 2
             on conflict do nothing"
        ));
    }
    all.push(format!("update counter set value = {ALERTS} where name = 'alert'"));
    all.push(format!("update counter set value = {INCIDENTS} where name = 'incident'"));
    all
}
