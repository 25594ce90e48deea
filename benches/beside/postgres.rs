//! onscene on PostgreSQL, beside itself on SQLite and beside alerta on the same PostgreSQL.
//!
//! The server is the bench's own: it syncs every commit, and every side has a new database in every round. After a
//! round the rows are counted: what was answered must be there, each alert once, every repeat counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::sides::{self, Kind, Side};
use super::{CONNECTIONS, KEYS, MEASURED, WARM_UP, load, middle, ms, sink};

/// As it comes from its makers, but said: nothing is lost in a power cut, and nobody listens on the network.
const SETTINGS: [&str; 6] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=128MB",
    "max_connections=100",
    "listen_addresses=",
];

/// One way to take alerts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    OnPostgres,
    OnSqlite,
    Alerta,
}

const WAYS: [(Way, &str); 3] = [
    (Way::OnPostgres, "onscene on PostgreSQL"),
    (Way::OnSqlite, "onscene on SQLite"),
    (Way::Alerta, "alerta on PostgreSQL"),
];

struct Round {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// CPU an alert, in microseconds: the program's and the server's.
    own: f64,
    servers: f64,
}

/// The part `postgres` of the bench.
pub fn run(rounds: usize) {
    let cluster = Cluster::start();
    println!("\n{}; alerta {}", cluster.ask("postgres", "select version()"), super::alerta::version());
    posts(&cluster, "one alert to a request", 1, rounds);
    posts(&cluster, "64 alerts to a request", 64, rounds);
}

fn posts(cluster: &Cluster, what: &str, batch: usize, count: usize) {
    println!("\n{what}: {CONNECTIONS} connections, {KEYS} keys, {} s a round", MEASURED.as_secs());
    let mut rounds: [Vec<Round>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for number in 0..count {
        for ((way, _), into) in WAYS.into_iter().zip(&mut rounds) {
            into.push(round(cluster, way, batch, &format!("round_{batch}_{number}")));
        }
    }
    let [ours, sqlite, theirs] = rounds.map(|rounds| {
        let of = |figure: fn(&Round) -> f64| middle(rounds.iter().map(figure).collect());
        Round {
            per_second: of(|round| round.per_second),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            own: of(|round| round.own),
            servers: of(|round| round.servers),
        }
    });
    println!("| | alerts/s | p50 | p99 | CPU an alert | and PostgreSQL's |\n|---|---|---|---|---|---|");
    for ((_, name), round) in WAYS.into_iter().zip([&ours, &sqlite, &theirs]) {
        let Round { per_second, p50, p99, own, servers } = round;
        println!("| {name} | {per_second:.0} | {p50:.1} ms | {p99:.1} ms | {own:.1} µs | {servers:.1} µs |");
    }
    for (name, other) in [("alerta", &theirs), ("onscene on SQLite", &sqlite)] {
        println!(
            "| onscene on PostgreSQL / {name} | {:.2} | {:.3} | {:.3} | | |",
            ours.per_second / other.per_second,
            ours.p50 / other.p50,
            ours.p99 / other.p99
        );
    }
}

fn round(cluster: &Cluster, way: Way, batch: usize, name: &str) -> Round {
    let database = format!("{name}_{}", if way == Way::Alerta { "alerta" } else { "onscene" });
    if way != Way::OnSqlite {
        cluster.ask("postgres", &format!("create database {database}"));
    }
    let (kind, store) = match way {
        Way::OnPostgres => (Kind::Onscene, cluster.url(&database)),
        Way::OnSqlite => (Kind::Onscene, sides::SQLITE.to_owned()),
        Way::Alerta => (Kind::Alerta, cluster.url(&database)),
    };
    let sink = sink::Sink::start();
    let side = Side::start(kind, sink.address, &store);
    let requests = side.requests(KEYS, batch, "post");
    // Each alert is there before several connections speak of it at the same moment.
    load::once_each(side.address, &requests);
    let warm = load::run(side.address, &requests, CONNECTIONS, WARM_UP);
    let (own, servers) = (side.cpu_seconds(), cluster.cpu_seconds());
    let told = load::run(side.address, &requests, CONNECTIONS, MEASURED);
    let (own, servers) = (side.cpu_seconds() - own, cluster.cpu_seconds() - servers);
    let answered = (requests.len() + warm.latencies.len() + told.latencies.len()) * batch;
    let kept = match way {
        Way::OnPostgres => cluster.ask(&database, KEPT),
        Way::OnSqlite => side.ask_sqlite(KEPT),
        Way::Alerta => cluster.ask(&database, KEPT_BY_ALERTA),
    };
    assert_eq!(kept, format!("{KEYS} alerts, {answered} times"), "what was answered is not what is kept");
    drop(side);
    if way != Way::OnSqlite {
        cluster.ask("postgres", &format!("drop database {database} with (force)"));
    }
    let alerts = (told.latencies.len() * batch) as f64;
    Round {
        per_second: alerts / told.seconds,
        p50: ms(load::quantile(&told.latencies, 0.5)),
        p99: ms(load::quantile(&told.latencies, 0.99)),
        own: own * 1e6 / alerts,
        servers: servers * 1e6 / alerts,
    }
}

const KEPT: &str = "select count(*) || ' alerts, ' || sum(count) || ' times' from alert_heard";
const KEPT_BY_ALERTA: &str =
    "select count(*) || ' alerts, ' || sum(duplicate_count + 1) || ' times' from alerts";

/// A PostgreSQL server of our own, on a Unix socket.
pub struct Cluster {
    bin: PathBuf,
    data: PathBuf,
    /// Short: the name of a socket may not be long.
    sockets: PathBuf,
    server: Child,
}

impl Cluster {
    pub fn start() -> Self {
        let bin = bin().expect("PostgreSQL is not installed (Debian: apt-get install postgresql)");
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{}", std::process::id()));
        let sockets = std::env::temp_dir().join(format!("onscene-bench-{}", std::process::id()));
        for directory in [&data, &sockets] {
            let _none = fs::remove_dir_all(directory);
            fs::create_dir_all(directory).expect("a directory");
        }
        let user = user(&data);
        if let Some(user) = &user {
            for directory in [&data, &sockets] {
                let owned = Command::new("chown").arg(user).arg(directory).status();
                assert!(owned.is_ok_and(|status| status.success()), "chown {user}");
            }
        }
        let mut made = command(&bin.join("initdb"), user.as_deref());
        made.arg("-D").arg(&data).args(["-U", "onscene", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        let made = made.current_dir(&sockets).output().expect("initdb starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = command(&bin.join("postgres"), user.as_deref());
        server.arg("-D").arg(&data).arg("-k").arg(&sockets).current_dir(&sockets);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(sockets.join("log")).expect("a disk");
        let server =
            server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let cluster = Self { bin, data, sockets, server };
        let until = Instant::now() + Duration::from_secs(60);
        while cluster.try_ask("postgres", "select 1").is_err() {
            assert!(Instant::now() < until, "PostgreSQL is not ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=onscene", self.sockets.display())
    }

    fn try_ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.arg(self.url(database)).args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let told = psql.output().map_err(|error| error.to_string())?;
        if !told.status.success() {
            return Err(String::from_utf8_lossy(&told.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }

    pub fn ask(&self, database: &str, sql: &str) -> String {
        self.try_ask(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn cpu_seconds(&self) -> f64 {
        sides::cpu_seconds(self.server.id())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // At once: nobody needs what is in it.
        let _told = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        let _gone = self.server.wait();
        let _kept = fs::remove_dir_all(&self.data);
        let _kept = fs::remove_dir_all(&self.sockets);
    }
}

/// The newest that Debian has installed.
fn bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        bin.join("initdb").exists().then_some((version, bin))
    });
    newest.max().map(|(_, bin)| bin)
}

/// The server does not run as root; who it runs as instead.
fn user(data: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata(data).expect("just made").uid() != 0 {
        return None;
    }
    let known = Command::new("id").arg("postgres").output().is_ok_and(|told| told.status.success());
    Some(if known { "postgres" } else { "nobody" }.to_owned())
}

fn command(program: &Path, user: Option<&str>) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--init-groups", "--regid"]);
    let group = Command::new("id").args(["-g", user]).output().expect("a user has a group").stdout;
    command.arg(String::from_utf8_lossy(&group).trim()).arg("--").arg(program);
    command
}
