//! Letters to a person by Matrix, through Synapse: what a real server makes of what the channel sends.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use onscene::channels::client::Client;
use onscene::channels::statement::Mended;
use onscene::channels::{Channel, Fields, Heard, Outcome, Parcel, Shared, Statement, Thread, matrix};
use onscene::core::audience::Audience;
use onscene::core::voice::{Impact, Phase, Sort};
use onscene::crypto;
use ring::hmac;
use serde_json::{Value, json};

use super::harness::{Program, eventually, free_port, request, within};

const SHARED_SECRET: &str = "not-a-real-secret";
/// It is a large program in Python.
const BEGINS: Duration = Duration::from_secs(60);

/// A server with a directory of its own.
struct Synapse {
    address: SocketAddr,
    program: Option<Program>,
    _directory: tempfile::TempDir,
}

/// Somebody on it.
struct User {
    id: String,
    token: String,
}

fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/validators/synapse/bin/python");
    assert!(python.is_file(), "this test needs Synapse; tests/run installs it");
    python
}

impl Synapse {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_str().unwrap();
        let port = free_port();
        let config = json!({
            "server_name": "example.net",
            "listeners": [{"port": port, "bind_addresses": ["127.0.0.1"], "type": "http",
                "resources": [{"names": ["client"]}]}],
            "database": {"name": "sqlite3", "args": {"database": format!("{at}/homeserver.db")}},
            "media_store_path": format!("{at}/media"),
            "signing_key_path": format!("{at}/signing.key"),
            "registration_shared_secret": SHARED_SECRET,
            "report_stats": false,
            "trusted_key_servers": [],
            "suppress_key_server_warning": true,
        });
        // Its configuration is YAML, of which JSON is a part.
        let file = directory.path().join("homeserver.yaml");
        fs::write(&file, config.to_string()).unwrap();
        let run = |more: &[&str]| {
            let mut command = Command::new(python());
            command
                .args(["-m", "synapse.app.homeserver", "-c"])
                .arg(&file)
                .args(more)
                .current_dir(&directory);
            let log =
                fs::OpenOptions::new().create(true).append(true).open(directory.path().join("log")).unwrap();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            command
        };
        assert!(run(&["--generate-keys"]).status().unwrap().success());
        let program = Program(run(&[]).spawn().unwrap());
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        let server = Self { address, program: Some(program), _directory: directory };
        within(BEGINS, "Synapse answers", || {
            request(address, "GET", "/_matrix/client/versions", &[], b"")
                .filter(|answer| answer.status == 200)
        });
        server
    }

    fn ask(&self, user: Option<&User>, method: &str, path: &str, body: &Value) -> Value {
        let bearer = user.map(|user| format!("Bearer {}", user.token)).unwrap_or_default();
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = if user.is_some() { &headers[..] } else { &headers[..1] };
        let answer = request(self.address, method, path, headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// Makes a user, by the secret that the server's configuration holds for it.
    fn register(&self, name: &str) -> User {
        const PATH: &str = "/_synapse/admin/v1/register";
        let nonce = self.ask(None, "GET", PATH, &Value::Null)["nonce"].as_str().unwrap().to_owned();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SHARED_SECRET.as_bytes());
        let mac = hmac::sign(&key, format!("{nonce}\0{name}\0a-password-of-tests\0notadmin").as_bytes());
        let body = json!({"nonce": nonce, "username": name, "password": "a-password-of-tests", "admin": false,
            "mac": crypto::hex(mac.as_ref())});
        let made = self.ask(None, "POST", PATH, &body);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        User { id: text("user_id"), token: text("access_token") }
    }

    /// A direct chat of a person with our user, who is invited.
    fn direct(&self, person: &User, ours: &User) -> String {
        let body = json!({"is_direct": true, "preset": "trusted_private_chat", "invite": [ours.id]});
        let made = self.ask(Some(person), "POST", "/_matrix/client/v3/createRoom", &body);
        made["room_id"].as_str().unwrap().to_owned()
    }

    /// What a person reads in a room, the newest first.
    fn read(&self, person: &User, room: &str) -> Vec<Value> {
        let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit=100", room.replace(':', "%3A"));
        let read = self.ask(Some(person), "GET", &path, &Value::Null);
        let events = read["chunk"].as_array().unwrap().clone();
        events.into_iter().filter(|event| event["type"] == "m.room.message").collect()
    }

    fn channel(&self, token: &str, path: &str) -> Channel {
        self.room(token, path, None)
    }

    /// The same, where it writes status to a room of its own.
    fn room(&self, token: &str, path: &str, room: Option<&str>) -> Channel {
        let texts =
            [("url", format!("http://{}{path}", self.address)), ("private_addresses", "allow".to_owned())];
        let texts = texts.into_iter().chain(room.map(|room| ("room", room.to_owned())));
        let texts = texts.map(|(name, text)| (name.to_owned(), text)).collect();
        let secrets = [("token".to_owned(), token.to_owned().into())].into();
        let fields = Fields { texts, secrets, ..Fields::default() };
        let newest = onscene::public::Newest::default();
        let shared =
            Shared { client: Client::new(None).unwrap(), mailer: None, heard: Heard::default(), newest };
        (matrix::KIND.build)(fields, &shared).unwrap()
    }
}

fn page(room: &str) -> Parcel {
    Parcel {
        delivery: crypto::random_id().unwrap(),
        incident: 42,
        incident_state: "triggered".into(),
        thread: Thread::Pages,
        to: room.into(),
        page_attempt: 1,
        subject: "[INC-42] shop: checkout down".into(),
        text: "SEV1 shop: für alle @room\n\nAnswer: https://onscene.example.net/r/TOKEN\n".into(),
        html: String::new(),
        short: "SEV1 shop: für alle @room".into(),
        answer: Some("https://onscene.example.net/r/TOKEN".into()),
        meet: None,
        wakes: true,
        data: Value::Null,
        event_type: "page".into(),
        created_at: "2026-11-23T02:13:20Z".parse().unwrap(),
        now: "2026-11-23T02:13:20Z".parse().unwrap(),
        thread_root: None,
        lost: Vec::new(),
        again: Vec::new(),
        attempt: 1,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement: None,
    }
}

#[tokio::test]
async fn a_person_reads_a_letter_once_however_often_it_is_sent() {
    let mut server = Synapse::start();
    let (ours, maya) = (server.register("onscene"), server.register("maya"));
    let room = server.direct(&maya, &ours);
    let channel = server.channel(&ours.token, "");

    // Our user is only invited so far: the first letter accepts the invitation.
    let letter = page(&room);
    let sent = channel.send(&letter).await;
    let Outcome::Accepted { remote_id: Some(event) } = &sent else { panic!("{sent:?}") };
    let again = channel.send(&Parcel { attempt: 2, ..letter.clone() }).await;
    assert_eq!(again, sent, "the same transaction is the same event");
    let read = server.read(&maya, &room);
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(
        (read[0]["event_id"].as_str(), read[0]["sender"].as_str()),
        (Some(event.as_str()), Some("@onscene:example.net"))
    );
    let content = &read[0]["content"];
    let text = "[INC-42] shop: checkout down\n\nSEV1 shop: für alle @\u{200b}room\n\nAnswer: https://onscene.example.net/r/TOKEN";
    assert_eq!((content["msgtype"].as_str(), content["body"].as_str()), (Some("m.text"), Some(text)));
    assert_eq!(content["m.mentions"]["room"], true);

    // A text of any length is taken, and its link is whole.
    let long = Parcel { text: "\u{1f525}\"\\\n".repeat(30_000), ..page(&room) };
    assert_eq!(channel.send(&long).await.as_str(), "accepted");
    let newest = server.read(&maya, &room).remove(0);
    assert!(newest["content"]["body"].as_str().unwrap().ends_with("…\nhttps://onscene.example.net/r/TOKEN"));

    // What is wrong with one person's room is not the way's fault; a wrong token and a wrong address are.
    let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
    let elsewhere = page("!nosuchroom:example.net");
    assert_eq!(channel.send(&elsewhere).await, refused("answered 403 (M_FORBIDDEN)", false));
    let stranger = server.channel("syt_not_a_real_token", "");
    assert_eq!(stranger.send(&page(&room)).await, refused("answered 401 (M_UNKNOWN_TOKEN)", true));
    let lost = server.channel(&ours.token, "/elsewhere").send(&page(&room)).await;
    assert_eq!(lost, refused("answered 404", true));

    // Too many at once: it says how long to wait, and later the same letter is taken.
    let (last, waits) = {
        let mut tries = 0;
        loop {
            let letter = page(&room);
            match channel.send(&letter).await {
                Outcome::Accepted { .. } => {}
                Outcome::Wait { after, why } => break (letter, after.unwrap_or_else(|| panic!("{why}"))),
                other => panic!("{other:?}"),
            }
            tries += 1;
            assert!(tries < 50, "it has no limit");
        }
    };
    assert!(!waits.is_zero() && waits < Duration::from_secs(30), "{waits:?}");
    tokio::time::sleep(waits + Duration::from_millis(200)).await;
    assert_eq!(channel.send(&last).await.as_str(), "accepted");

    drop(server.program.take());
    let away = eventually("nobody listens there", || {
        std::net::TcpStream::connect(server.address).is_err().then_some(page(&room))
    });
    // A connection that was open before may have taken it; a new one cannot be made.
    assert_eq!(server.channel(&ours.token, "").send(&away).await.as_str(), "wait");
}

/// A statement for the public, at its first attempt.
fn statement(sort: Sort, text: &str, mends: Option<Mended>) -> Parcel {
    let at = "2026-11-23T02:13:20Z".parse().unwrap();
    let said = Statement {
        id: "42-3".into(),
        audience: Audience::Public,
        sort,
        phase: Phase::Identified,
        impact: Impact::Major,
        title: "Online shop: payments fail".into(),
        text: text.into(),
        components: vec!["Online shop".into()],
        services: vec!["shop".into()],
        began: at,
        at,
        next_by: None,
        mends,
        now: None,
        takes_back: None,
    };
    Parcel {
        thread: Thread::Status,
        page_attempt: 0,
        subject: said.title.clone(),
        text: format!("Identified\n\n{text}"),
        short: said.title.clone(),
        answer: None,
        wakes: false,
        data: json!({"incident": {"id": 42, "url": "https://onscene.example.net/incidents/42"}}),
        event_type: "statement".into(),
        statement: Some(Box::new(said)),
        ..page("")
    }
}

#[tokio::test]
async fn a_statement_stands_in_a_room_once_and_its_words_are_gone_when_it_is_taken_back() {
    let server = Synapse::start();
    let (ours, maya) = (server.register("onscene"), server.register("maya"));
    let body = json!({"preset": "private_chat", "invite": [ours.id]});
    let made = server.ask(Some(&maya), "POST", "/_matrix/client/v3/createRoom", &body);
    let room = made["room_id"].as_str().unwrap().to_owned();
    let channel = server.room(&ours.token, "", Some(&room));

    let first = statement(Sort::Update, "Some payments by card fail. @room", None);
    let shown = channel.shows(&first);
    let sent = channel.send(&first).await;
    let Outcome::Accepted { remote_id: Some(root) } = sent.clone() else { panic!("{sent:?}") };
    let read = server.read(&maya, &room);
    assert_eq!((read.len(), read[0]["content"]["body"].as_str()), (1, Some(shown.text.as_str())), "{read:?}");
    let content = read[0]["content"].as_object().unwrap();
    let told: Vec<_> = content.iter().filter(|(key, _)| *key != "onscene.delivery").collect();
    assert!(!format!("{told:?}").contains("42"), "no number of ours: {read:?}");

    // Another node, and a token that the server remembers no transaction of: it is found in the room.
    let login = json!({"type": "m.login.password", "password": "a-password-of-tests",
        "identifier": {"type": "m.id.user", "user": "onscene"}});
    let other = server.ask(None, "POST", "/_matrix/client/v3/login", &login);
    let other = server.room(other["access_token"].as_str().unwrap(), "", Some(&room));
    let late = "2026-11-23T04:13:20Z".parse().unwrap();
    assert_eq!(other.send(&Parcel { attempt: 2, now: late, ..first.clone() }).await, sent);
    assert_eq!(server.read(&maya, &room).len(), 1, "it was not written twice");

    let mut second = statement(Sort::Update, "It is the acquirer's network.", None);
    second.thread_root = Some(root.clone());
    let Outcome::Accepted { remote_id: Some(wrong) } = channel.send(&second).await else {
        panic!("not sent")
    };
    let newest = server.read(&maya, &room).remove(0);
    let relation = &newest["content"]["m.relates_to"];
    assert_eq!((&relation["rel_type"], &relation["event_id"]), (&json!("m.thread"), &json!(root)));

    // It must not be out: its words go, and the room is told.
    let mends = Mended { id: "42-4".into(), at: second.created_at, remote_id: Some(wrong.clone()) };
    let mut retraction = statement(Sort::Retraction, "What we said last was wrong.", Some(mends.clone()));
    retraction.thread_root = Some(root.clone());
    assert_eq!(channel.send(&retraction).await.as_str(), "accepted");
    let read = server.read(&maya, &room);
    let bodies: Vec<_> = read.iter().map(|event| event["content"]["body"].as_str()).collect();
    assert_eq!(bodies, [Some(channel.shows(&retraction).text.as_str()), None, Some(&shown.text)], "{read:?}");
    assert_eq!(read[1]["unsigned"]["redacted_because"]["sender"], ours.id.as_str());

    // What is gone may be taken away again.
    let mut again = statement(Sort::Retraction, "It was wrong.", Some(mends));
    again.thread_root = Some(root);
    assert_eq!(channel.send(&again).await.as_str(), "accepted");
    let nowhere = Mended {
        id: "42-5".into(),
        at: second.created_at,
        remote_id: Some("$nosuchevent:example.net".into()),
    };
    assert_eq!(
        channel.send(&statement(Sort::Retraction, "Wrong.", Some(nowhere))).await.as_str(),
        "accepted"
    );

    let long = statement(Sort::Update, &"\u{1f525}\"\\ ".repeat(9_000), None);
    assert!(!channel.shows(&long).fits());
    let Outcome::Refused { whole_channel: false, .. } = channel.send(&long).await else {
        panic!("it was cut")
    };
    let widest = statement(Sort::Update, &"\"".repeat(15_900), None);
    assert!(channel.shows(&widest).fits());
    assert_eq!(channel.send(&widest).await.as_str(), "accepted");
}
