//! Statements on blogs, by real servers: what a reader fetches after the channel's code has spoken to WordPress and to Ghost, whose
//! data a MariaDB keeps that belongs to the test.
//!
//! - `wordpress`: Debian's, with an author of few rights;
//! - `ghost`: as its package is, in development mode, with a custom integration.

mod ghost;
mod wordpress;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use onscene::channels::client::Client;
use onscene::channels::statement::{Mended, Statement};
use onscene::channels::{Channel, Fields, Heard, Kind, Outcome, Parcel, Shared, Thread};
use onscene::core::audience::Audience;
use onscene::core::voice::{Impact, Phase, Sort};
use onscene::crypto;
use serde_json::Value;

use super::harness::{Program, free_port, program, within};

/// A server begins within this.
const BEGINS: Duration = Duration::from_secs(90);
/// Words in which a blog might see more than words.
const SLY: &str = "Cards <b>\"fail\"</b> -- see [gallery] & https://status.example.net/x... :-) 9x9 'now'";

/// A MariaDB with one empty database.
struct Database {
    _program: Program,
    directory: tempfile::TempDir,
    port: u16,
}

impl Database {
    fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (data, log) = (at("db"), fs::File::create(at("db.log")).unwrap());
        let mut install = Command::new(program(&["mariadb-install-db"]));
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", data.display()));
        // Without this it looks for a user of the system.
        let user = super::senders::user().0;
        let user = format!("--user={user}");
        install.arg(&user).stdin(Stdio::null());
        install.stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap());
        let made = install.status().unwrap();
        assert!(made.success(), "{}", fs::read_to_string(at("db.log")).unwrap());
        let first = at("first.sql");
        fs::write(
            &first,
            format!("create database {name} character set utf8mb4;\ncreate user t@'127.0.0.1' identified by 'words-of-a-test';\ngrant all on {name}.* to t@'127.0.0.1';\n"),
        )
        .unwrap();
        let port = free_port();
        let mut server = Command::new(program(&["mariadbd"]));
        server.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin", &user]);
        // It is thrown away.
        server.args(["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]);
        server.arg(format!("--datadir={}", data.display())).arg(format!("--port={port}"));
        server.arg(format!("--socket={}", at("s").display()));
        server.arg(format!("--pid-file={}", at("pid").display()));
        server.arg(format!("--init-file={}", first.display()));
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let program = Program(server.spawn().unwrap());
        within(BEGINS, "MariaDB answers", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { _program: program, directory, port }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Builds a channel of a kind.
fn channel(kind: &Kind, texts: &[(&str, &str)], secret: (&str, &str), lists: &[(&str, &str)]) -> Channel {
    let own = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let fields = Fields {
        texts: own(texts),
        secrets: [(secret.0.to_owned(), secret.1.to_owned().into())].into(),
        lists: lists.iter().map(|(name, one)| ((*name).to_owned(), vec![(*one).to_owned()])).collect(),
    };
    let shared = Shared {
        client: Client::new(None).unwrap(),
        mailer: None,
        heard: Heard::default(),
        newest: onscene::public::Newest::default(),
    };
    (kind.build)(fields, &shared).unwrap()
}

/// A statement about an incident, which is the nth one.
fn statement(incident: i64, number: u32, sort: Sort, phase: Phase, text: &str) -> Parcel {
    let at: jiff::Timestamp = "2026-11-23T02:13:20Z".parse().unwrap();
    let at = at + jiff::SignedDuration::from_mins(i64::from(number) * 10);
    let said = Statement {
        id: format!("{incident}-{number}"),
        audience: Audience::Public,
        sort,
        phase,
        impact: Impact::Major,
        title: "Online shop: \"payments\" fail".into(),
        text: text.into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: "2026-11-23T02:00:00Z".parse().unwrap(),
        at,
        next_by: None,
        mends: None,
        now: None,
        takes_back: None,
    };
    Parcel {
        delivery: crypto::random_id().unwrap(),
        incident,
        incident_state: "acknowledged".into(),
        thread: Thread::Status,
        to: String::new(),
        page_attempt: 0,
        subject: said.title.clone(),
        text: format!("{}\n\n{text}", phase.title()),
        html: String::new(),
        short: said.title.clone(),
        answer: None,
        meet: None,
        wakes: false,
        data: Value::Null,
        event_type: "statement".into(),
        created_at: at,
        now: onscene::clock::Clock::default().now(),
        thread_root: None,
        lost: Vec::new(),
        again: Vec::new(),
        attempt: 1,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement: Some(Box::new(said)),
    }
}

/// The same, of which an earlier one is mended.
fn mending(parcel: Parcel, earlier: &Parcel, remote_id: &str) -> Parcel {
    let mut parcel = parcel;
    let before = earlier.statement.as_ref().unwrap();
    let mended = Mended { id: before.id.clone(), at: before.at, remote_id: Some(remote_id.to_owned()) };
    parcel.statement.as_mut().unwrap().mends = Some(mended);
    parcel
}

async fn accepted(channel: &Channel, parcel: &Parcel) -> String {
    match channel.send(parcel).await {
        Outcome::Accepted { remote_id: Some(remote) } => remote,
        other => panic!("{other:?}"),
    }
}

/// What stands between tags, as a reader sees it.
fn seen(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("&#") {
        let (number, after) = after.split_once(';').unwrap();
        let number = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        shown.push_str(before);
        shown.push(char::from_u32(number.unwrap()).unwrap());
        rest = after;
    }
    shown.push_str(rest);
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
