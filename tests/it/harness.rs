//! Starts the real binary, and other real programs, on loopback and free ports; ends only what it started.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use onscene::clock::Clock;
use onscene::store::postgres::Server;
use onscene::store::{Connection, Place};

/// For something to happen that takes milliseconds when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is ended, by its own id, when the test ends.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Program {
    /// Sends a signal such as `TERM`, `KILL` or `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }
}

/// Tells other threads to end when it goes, also when an assertion fails.
pub struct Ender<'a>(pub &'a AtomicBool);

impl Drop for Ender<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A port nobody uses at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// xorshift64: random enough for moments and choices.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self, from: u64, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + self.0 % (below - from)
    }
}

/// Waits until something is so.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits until something is so, no longer than this.
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not in {} s: {what}", patience.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that the tests need. Without it they fail: nothing is passed over.
pub fn program(names: &[&str]) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found =
        names.iter().flat_map(|name| path.split(':').map(move |directory| Path::new(directory).join(name)));
    found
        .clone()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test needs {}; tests/run installs it", names.join(" or ")))
}

/// The binary under test.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_onscene"))
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// One request over a connection of its own. `None` when nobody answers.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let _refused = stream.write_all(body);
    let mut bytes = Vec::new();
    let _broken = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Some(Answer { status, head: head.to_owned(), body })
}

fn unchunk(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        if length == 0 || after.len() < length {
            break;
        }
        whole.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    whole
}

/// A house of two, with files for mail: what most tests begin with.
pub const HOUSE: &str = r#"
[server]
listen = "127.0.0.1:PORT"
external_url = "http://127.0.0.1:PORT"
answer_after = "0s"
[store]
url = "sqlite:DIR/onscene.db"
[mail]
from = "onscene <pager@example.net>"
relays = ["file:DIR/mail"]
[[person]]
name = "maya"
full_name = "Maya Lind"
email = "maya@example.net"
[[person]]
name = "tom"
full_name = "Tom Berg"
email = "tom@example.net"
[[rotation]]
name = "sre"
time_zone = "Europe/Oslo"
members = ["maya"]
shift = "1 week"
handover = "Mon 09:00"
start = "2026-01-05"
[[escalation]]
name = "default"
steps = [{ page = ["rotation:sre"], wait = "5m" }, { page = ["person:tom"], wait = "5m" }]
[[service]]
name = "shop"
escalation = "default"
pio = ["person:tom", "person:maya"]
bridge = "https://meet.example.net/sre"
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
off = true
[[source]]
name = "pingdom"
kind = "pingdom"
token = "test-token-of-pingdom"
service = "shop"
[[source]]
name = "prometheus"
kind = "alertmanager"
token = "test-token-of-prometheus"
service = "shop"
[[source]]
name = "scripts"
kind = "generic"
token = "test-token-of-scripts"
service = "shop"
[[channel]]
name = "staff-mail"
kind = "mail"
audience = "internal"
recipients = ["staff@example.net"]
"#;

/// The store of most tests. Where there is a server for the tests, they keep everything there instead.
const A_FILE: &str = "sqlite:DIR/onscene.db";

/// A configuration whose store stays a file: for tests of what only happens to files.
pub fn on_a_file(config: &str) -> String {
    config.replace(A_FILE, "sqlite:DIR/./onscene.db")
}

/// A configuration whose store is a new database on a PostgreSQL server, which is started when there is none.
pub fn on_shared_store(config: &str) -> String {
    static OWN: OnceLock<(Child, String)> = OnceLock::new();
    let server = std::env::var("ONSCENE_TEST_POSTGRES").unwrap_or_else(|_| {
        // It ends when nobody holds its standard input any more: with this process.
        let (_, server) = OWN.get_or_init(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres");
            let mut child = Command::new(script)
                .args(["sh", "-c", "echo \"$ONSCENE_TEST_POSTGRES\"; exec cat"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            assert!(!line.trim().is_empty(), "no PostgreSQL; tests/run installs it");
            (child, line.trim().to_owned())
        });
        server.clone()
    });
    config.replace(A_FILE, &database_on(&server))
}

/// A new database on the PostgreSQL server of the tests, where there is one, for a configuration that does not
/// insist on a file.
fn shared_store(config: &str) -> Option<String> {
    let server = std::env::var("ONSCENE_TEST_POSTGRES").ok().filter(|_| config.contains(A_FILE))?;
    Some(database_on(&server))
}

fn database_on(server: &str) -> String {
    let name = format!("it_{}", onscene::crypto::random_id().unwrap());
    let create = format!("create database {name}");
    let made = Command::new(program(&["psql"]))
        .args(["-h", server, "-U", "onscene", "-d", "postgres", "-q", "-c", &create])
        .status();
    assert!(made.is_ok_and(|made| made.success()), "no database can be made on the server of the tests");
    format!("postgres:///{name}?host={server}&user=onscene")
}

/// A running daemon with a directory of its own.
pub struct Daemon {
    pub program: Option<Program>,
    pub directory: PathBuf,
    pub address: SocketAddr,
    pub config: PathBuf,
    /// Of who is logged in, by their tokens.
    cookies: Mutex<BTreeMap<String, String>>,
    owned: Option<tempfile::TempDir>,
}

impl Daemon {
    /// Starts a daemon with this configuration; `PORT` and `DIR` are put in.
    pub fn start(config: &str) -> Self {
        let mut daemon = Self::prepare(config);
        daemon.go();
        daemon
    }

    /// Writes the configuration without starting anything.
    pub fn prepare(config: &str) -> Self {
        let owned = tempfile::tempdir().unwrap();
        let directory = owned.path().to_path_buf();
        let port = free_port();
        let path = directory.join("onscene.toml");
        let text = match shared_store(config) {
            Some(url) => config.replace(A_FILE, &url),
            None => config.to_owned(),
        };
        let text = text.replace("PORT", &port.to_string()).replace("DIR", directory.to_str().unwrap());
        fs::write(&path, text).unwrap();
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        let cookies = Mutex::default();
        Self { program: None, directory, address, config: path, cookies, owned: Some(owned) }
    }

    /// Starts the binary and waits until it is ready.
    pub fn go(&mut self) {
        self.launch(&[]);
        eventually("the daemon is ready", || self.get("/readyz").filter(|answer| answer.status == 200));
    }

    /// Starts the binary with variables of the environment, without waiting.
    pub fn launch(&mut self, environment: &[(&str, &str)]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.directory.join("log")).unwrap();
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(&self.config)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.program = Some(Program(child));
    }

    /// Its store, to look at beside it.
    pub fn store(&self) -> Connection {
        Connection::reader(&self.place(), &Clock::system()).unwrap()
    }

    /// Where its store is.
    pub fn place(&self) -> Place {
        let kinds = fs::read_to_string(&self.config).unwrap();
        let url = kinds.lines().find_map(|line| line.strip_prefix("url = \"")).unwrap().trim_end_matches('"');
        match url.strip_prefix("sqlite:") {
            Some(path) => Place::Sqlite(path.into()),
            None => Place::Postgres(Arc::new(Server::read(url, None, None).unwrap())),
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Stops it as the service manager does; answers how it ended.
    pub fn stop(&mut self) -> Option<i32> {
        let mut program = self.program.take()?;
        program.signal("TERM");
        program.0.wait().unwrap().code()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.signal("KILL");
            let _gone = program.0.wait();
        }
    }

    pub fn get(&self, path: &str) -> Option<Answer> {
        request(self.address, "GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        let json = [("Content-Type", "application/json")];
        request(self.address, "POST", path, &json, body)
            .unwrap_or_else(|| panic!("no answer; log: {}", self.log()))
    }

    /// A button of an answer page, as a human presses it.
    pub fn press(&self, link: &str, fields: &str) -> Answer {
        press(self.address, link, fields).unwrap_or_else(|| panic!("no answer; log: {}", self.log()))
    }

    /// An alert by the generic source.
    pub fn alert(&self, key: &str, status: &str) -> Answer {
        let body = serde_json::json!({"key": key, "status": status, "title": format!("{key} is down")});
        self.post("/in/scripts/test-token-of-scripts", body.to_string().as_bytes())
    }

    /// Runs a command of the binary with this daemon's configuration.
    pub fn command(&self, arguments: &[&str], token: Option<&str>) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(&self.config).env_remove("ONSCENE_TOKEN");
        command.env("ONSCENE_SPOOL", self.directory.join("unsent"));
        if let Some(token) = token {
            command.env("ONSCENE_TOKEN", token);
        }
        command.output().unwrap()
    }

    /// A token of the API for a person.
    pub fn token(&self, person: &str) -> String {
        let made = self.command(&["token", "create", "--person", person], None);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// The cookie of who has logged in by a token, once; of nobody, when it is none.
    pub fn cookie(&self, token: &str) -> String {
        let mut cookies = self.cookies.lock().unwrap();
        if let Some(cookie) = cookies.get(token) {
            return cookie.clone();
        }
        let form = format!("token={token}");
        let login = request(self.address, "POST", "/login", &[FORM], form.as_bytes()).unwrap();
        let Some(cookie) = cookie_in(&login) else { return "onscene_session=nobodys".to_owned() };
        cookies.insert(token.to_owned(), cookie.clone());
        cookie
    }

    /// The API, as a person.
    pub fn api(&self, token: &str, method: &str, path: &str, body: &serde_json::Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(self.address, method, path, &[("Authorization", &bearer)], body.as_bytes()).unwrap()
    }

    /// The mail files there are, by name.
    pub fn mails(&self) -> BTreeMap<String, String> {
        let Ok(files) = fs::read_dir(self.directory.join("mail")) else { return BTreeMap::new() };
        files
            .filter_map(|file| {
                let path = file.ok()?.path();
                let name = path.file_name()?.to_str()?.to_owned();
                (!name.starts_with('.')).then(|| Some((name, fs::read_to_string(path).ok()?)))?
            })
            .collect()
    }

    /// The first mail to somebody that holds a text.
    pub fn mail_to(&self, to: &str, holds: &str) -> String {
        let header = format!("To: {to}");
        eventually(&format!("a mail to {to} with {holds:?}"), || {
            self.mails().into_values().find(|mail| mail.contains(&header) && mail.contains(holds))
        })
    }

    /// A metric's value.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").unwrap().body;
        let line =
            text.lines().find(|line| line.starts_with(series) && line[series.len()..].starts_with(' '));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }

    /// Proves every timeline whole.
    pub fn verify(&self) -> String {
        let proof = self.command(&["verify"], None);
        let said = String::from_utf8_lossy(&proof.stdout).into_owned();
        assert!(proof.status.success(), "{said} {}", String::from_utf8_lossy(&proof.stderr));
        said
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let end = log.len().saturating_sub(4000);
            eprintln!("the daemon's log ends with:\n{}", log.get(end..).unwrap_or(&log));
        }
        drop(self.program.take());
        drop(self.owned.take());
    }
}

/// The cookie of a session that an answer sets, as a browser brings it back.
pub fn cookie_in(answer: &Answer) -> Option<String> {
    let mut set = answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let set = set.find(|set| set.contains("onscene_session="))?;
    Some(set.split(';').next()?.to_owned())
}

/// The word that forms of a page carry, of who is logged in.
pub fn word(page: &str) -> Option<&str> {
    page.split("name=\"form\" value=\"").nth(1)?.split('"').next()
}

/// The path of the answer link in a mail.
pub fn answer_link(mail: &str) -> String {
    let at = mail.find("/r/").unwrap_or_else(|| panic!("no link in {mail}"));
    mail[at..at + 3 + 22].to_owned()
}

/// Opens an answer page and presses a button on it. Where there is none, it is asked for all the same.
pub fn press(address: SocketAddr, link: &str, fields: &str) -> Option<Answer> {
    press_on(address, link, &open_page(address, link)?, fields)
}

/// Opens an answer page; the word in its forms, where it has some.
pub fn open_page(address: SocketAddr, link: &str) -> Option<String> {
    let page = request(address, "GET", link, &[], b"")?;
    Some(nonce(&page.body).unwrap_or_default().to_owned())
}

/// Presses a button on a page that was opened before.
pub fn press_on(address: SocketAddr, link: &str, nonce: &str, fields: &str) -> Option<Answer> {
    request(address, "POST", link, &[FORM], format!("{fields}&nonce={nonce}").as_bytes())
}

/// What a form says of its own form.
pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// The word in the forms of an answer page.
pub fn nonce(page: &str) -> Option<&str> {
    page.split("name=\"nonce\" value=\"").nth(1)?.split('"').next()
}
