//! The programs, each with a directory of its own on the disk of the build.

use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::alerta;

/// How long a key is, in bytes: see [`key`].
pub const KEY_BYTES: usize = 17;

/// The name of an alert, found again in its mail.
pub fn key(series: &str, number: usize) -> String {
    let key = format!("bench-{series}-{number:06}");
    assert_eq!(key.len(), KEY_BYTES);
    key
}

/// Which program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Onscene,
    Alertmanager,
    Alerta,
}

/// A store of onscene in the side's own directory.
pub const SQLITE: &str = "sqlite:DIR/onscene.db";

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onscene => "onscene",
            Self::Alertmanager => "Alertmanager",
            Self::Alerta => "alerta",
        })
    }
}

/// A program that runs.
pub struct Side {
    kind: Kind,
    child: Child,
    directory: PathBuf,
    pub address: SocketAddr,
}

impl Side {
    /// Starts it with an empty directory and waits until it is ready. Mail goes to `relay`; what it keeps, to `store`.
    pub fn start(kind: Kind, relay: SocketAddr, store: &str) -> Self {
        Self::start_with(kind, relay, store, false)
    }

    /// The same; `storms`: more new incidents than usual become one; in Alertmanager, all alerts are one group.
    pub fn start_with(kind: Kind, relay: SocketAddr, store: &str, storms: bool) -> Self {
        let config = match kind {
            Kind::Onscene => ONSCENE,
            Kind::Alertmanager => ALERTMANAGER,
            Kind::Alerta => alerta::CONFIG,
        };
        let config = config
            .replace("STORM_OFF", if storms { "false" } else { "true" })
            .replace("GROUP_BY", if storms { "[]" } else { "[alertname]" });
        Self::start_written(kind, relay, store, &config)
    }

    /// onscene with a house of its own.
    pub fn start_house(relay: SocketAddr, store: &str, config: &str) -> Self {
        Self::start_written(Kind::Onscene, relay, store, config)
    }

    fn start_written(kind: Kind, relay: SocketAddr, store: &str, config: &str) -> Self {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}-{kind}", std::process::id()));
        let _none = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let config = config
            .replace("STORE", store)
            .replace("LISTEN", &address.to_string())
            .replace("DIR", directory.to_str().expect("a plain path"))
            .replace("RELAY", &relay.to_string());
        fs::write(directory.join("config"), config).expect("a disk");
        let child = spawn(kind, &directory, address);
        let mut side = Self { kind, child, directory, address };
        side.wait_ready();
        side
    }

    /// Requests for so many alerts, `batch` to a request.
    pub fn requests(&self, keys: usize, batch: usize, series: &str) -> Vec<Vec<u8>> {
        let alert = |number: usize| {
            // What Alertmanager adds when it hands an alert on.
            let added = match self.kind {
                Kind::Onscene | Kind::Alerta => {
                    format!(
                        r#""status":"firing","fingerprint":"{number:016x}","endsAt":"0001-01-01T00:00:00Z","#
                    )
                }
                Kind::Alertmanager => String::new(),
            };
            format!(
                r#"{{{added}"labels":{{"alertname":"{}","instance":"db-{number}.example.net:9100","job":"node","severity":"critical"}},"annotations":{{"summary":"{} on db-{number}: disk is full","runbook_url":"https://runbooks.example.net/disk"}},"startsAt":"2026-01-01T00:00:00Z","generatorURL":"http://prometheus.example.net/graph"}}"#,
                key(series, number),
                key(series, number)
            )
        };
        (0..keys)
            .step_by(batch)
            .map(|first| {
                let alerts: Vec<String> = (first..first + batch).map(|number| alert(number % keys)).collect();
                let path = match self.kind {
                    Kind::Onscene => "/in/prometheus/bench-token-of-prometheus",
                    Kind::Alertmanager => "/api/v2/alerts",
                    Kind::Alerta => alerta::PATH,
                };
                let alerts = alerts.join(",");
                let body = if self.kind == Kind::Alertmanager {
                    format!("[{alerts}]")
                } else {
                    format!(
                        r#"{{"version":"4","groupKey":"{{}}:{{}}","status":"firing","receiver":"onscene","groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://alertmanager.example.net","truncatedAlerts":0,"alerts":[{alerts}]}}"#
                    )
                };
                let length = body.len();
                format!(
                    "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .into_bytes()
            })
            .collect()
    }

    /// The most memory it has had resident, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// CPU time it has used.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.child.id())
    }

    /// One text out of a store of onscene in its own directory.
    pub fn ask_sqlite(&self, sql: &str) -> String {
        let store = rusqlite::Connection::open(self.directory.join("onscene.db")).expect("a store");
        store.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The file of a store of onscene in its own directory.
    pub fn file(&self) -> PathBuf {
        self.directory.join("onscene.db")
    }

    /// A token of onscene's API.
    pub fn token(&self, person: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onscene"));
        command.args(["token", "create", "--person", person, "--config"]).arg(self.directory.join("config"));
        let made = command.output().expect("it starts");
        assert!(made.status.success(), "{made:?}");
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    /// Does something while it does not run.
    pub fn while_down(&mut self, work: impl FnOnce()) {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()));
        self.child.wait().expect("it ends");
        work();
        self.child = spawn(self.kind, &self.directory, self.address);
        self.wait_ready();
    }

    /// Ends it, starts it again, and says how long that took until it was ready.
    pub fn again(&mut self, kill: bool) -> Duration {
        if kill {
            self.child.kill().expect("it runs");
        } else {
            let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
            assert!(told.is_ok_and(|status| status.success()));
        }
        self.child.wait().expect("it ends");
        let began = Instant::now();
        self.child = spawn(self.kind, &self.directory, self.address);
        self.wait_ready();
        began.elapsed()
    }

    /// What onscene itself reports.
    pub fn open_incidents(&self) -> u64 {
        // The gauge is read from the store every few seconds.
        std::thread::sleep(Duration::from_secs(6));
        let text = get(self.address, "/metrics").expect("it answers");
        text.lines()
            .filter(|line| line.starts_with("onscene_incidents{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    fn wait_ready(&mut self) {
        let path = match self.kind {
            Kind::Onscene => "/readyz",
            Kind::Alertmanager => "/-/ready",
            Kind::Alerta => alerta::READY,
        };
        let until = Instant::now() + Duration::from_secs(60);
        while !get(self.address, path).is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            assert!(Instant::now() < until, "{} is not ready", self.kind);
            assert!(self.child.try_wait().expect("ours").is_none(), "{} ended", self.kind);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if self.kind == Kind::Alerta {
            // One that is killed leaves its workers behind.
            let _told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        } else {
            let _gone = self.child.kill();
        }
        let _gone = self.child.wait();
        let _kept = fs::remove_dir_all(&self.directory);
    }
}

fn spawn(kind: Kind, directory: &Path, address: SocketAddr) -> Child {
    let config = directory.join("config");
    let mut command = match kind {
        Kind::Onscene => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_onscene"));
            command.arg("serve").arg("--config").arg(config);
            command
        }
        Kind::Alertmanager => {
            let mut command = Command::new("prometheus-alertmanager");
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", directory.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--cluster.listen-address=");
            command
        }
        Kind::Alerta => alerta::command(&config, address),
    };
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).expect("a disk");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{kind} cannot be started: {error}"))
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// CPU time a process and its children have used, in user and system mode.
pub fn cpu_seconds(pid: u32) -> f64 {
    let every = fs::read_dir("/proc").expect("Linux").flatten();
    let pids = every.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|each| {
        // One that ended meanwhile has no more to say.
        let stat = fs::read_to_string(format!("/proc/{each}/stat")).ok()?;
        let (_, after) = stat.rsplit_once(") ")?;
        // The state is no number, so the parent is the first here; user time is field 14 of the manual.
        let fields: Vec<f64> = after.split(' ').filter_map(|field| field.parse().ok()).collect();
        let alive = fields[10] + fields[11];
        // What children used that have ended is with their parent. Hundredths.
        let ended = if each == pid { fields[12] + fields[13] } else { 0.0 };
        (each == pid || fields[0] == f64::from(pid)).then_some((alive + ended) / 100.0)
    })
    .sum()
}

/// What the figures were taken on.
pub fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?").to_owned();
    let version = Command::new("prometheus-alertmanager").arg("--version").output();
    let version = version.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let version = version.split(' ').nth(2).unwrap_or("?").to_owned();
    let syncs = syncs_per_second();
    format!("{cpus} CPUs, {model}; Alertmanager {version}; this disk syncs {syncs:.0} times a second")
}

/// What one fsync costs here: without it the figures of a durable store say nothing.
fn syncs_per_second() -> f64 {
    use std::io::Write as _;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sync-{}", std::process::id()));
    let mut file = fs::File::create(&path).expect("a disk");
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).expect("a disk");
        count += 1;
    }
    let _kept = fs::remove_file(path);
    f64::from(count) / began.elapsed().as_secs_f64()
}

const ONSCENE: &str = r#"
[server]
listen = "LISTEN"
external_url = "https://onscene.example.net"
[store]
url = "STORE"
[mail]
from = "onscene <pager@example.net>"
relays = ["smtp://RELAY"]
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
[[escalation]]
name = "default"
steps = [{ page = ["rotation:sre"], wait = "30m" }]
[[service]]
name = "shop"
escalation = "default"
pio = ["person:maya"]
window = "0s"
[command]
check_in = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s" }
size_up = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s" }
progress = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s" }
watch = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s", SEV4 = "0s" }
receipts = "0s"
relief = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s" }
relief_late = { SEV1 = "0s", SEV2 = "0s", SEV3 = "0s" }
support = { SEV1 = "0s", SEV2 = "0s" }
[pio]
answer_after = "0s"
cadence = "off"
[storm]
off = STORM_OFF
[[source]]
name = "prometheus"
kind = "alertmanager"
token = "bench-token-of-prometheus"
service = "shop"
"#;

const ALERTMANAGER: &str = r"
global:
  smtp_smarthost: RELAY
  smtp_from: pager@example.net
  smtp_require_tls: false
route:
  receiver: maya
  group_by: GROUP_BY
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: maya
    email_configs: [{to: maya@example.net}]
";
