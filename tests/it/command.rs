//! Command, offices, changes and requests at the real binary: over the API, by the commands, through kills.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Output;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::followed::Stream;
use super::harness::{Answer, Daemon, HOUSE, PATIENCE, eventually, request};

/// Beside maya and tom: kim, who is the PIO; lee, who knows of names; cto, an administrator.
pub fn house() -> String {
    let person = |name: &str, more: &str| {
        format!(
            "[[person]]\nname = \"{name}\"\nfull_name = \"{name}\"\nemail = \"{name}@example.net\"\n{more}\n"
        )
    };
    let house =
        HOUSE.replace("pio = [\"person:tom\", \"person:maya\"]", "pio = [\"person:kim\", \"person:lee\"]");
    let (kim, lee) = (person("kim", ""), person("lee", "capabilities = [\"dns\"]"));
    format!("{house}{kim}{lee}{}", person("cto", "administrator = true"))
}

/// A daemon with one incident, INC-1, and the tokens of its people.
pub struct Night {
    pub daemon: Daemon,
    pub tokens: BTreeMap<&'static str, String>,
}

impl Night {
    pub fn begins(config: &str) -> Self {
        let daemon = Daemon::start(config);
        let tokens = ["maya", "tom", "kim", "lee", "cto"].map(|name| (name, daemon.token(name))).into();
        daemon.alert("db-1", "firing");
        Self { daemon, tokens }
    }

    /// Maya commands and is on scene, and so is tom.
    pub fn is_manned() -> Self {
        let night = Self::begins(&house());
        night.does("maya", "check-in", &json!({}));
        night.does("tom", "check-in", &json!({}));
        night
    }

    pub fn asks(&self, who: &str, verb: &str, body: &Value) -> Answer {
        self.daemon.api(&self.tokens[who], "POST", &format!("/api/v1/incidents/1/{verb}"), body)
    }

    pub fn does(&self, who: &str, verb: &str, body: &Value) -> Value {
        let answer = self.asks(who, verb, body);
        assert_eq!(answer.status, 200, "{who} {verb} {body}: {answer:?}");
        answer.json()
    }

    /// Why it is refused, and with which status.
    pub fn refused(&self, who: &str, verb: &str, body: &Value) -> (u16, Value) {
        let answer = self.asks(who, verb, body);
        assert!(answer.status >= 400, "{who} {verb} {body}: {answer:?}");
        assert!(answer.head.contains("application/problem+json"), "{answer:?}");
        (answer.status, answer.json())
    }

    pub fn incident(&self) -> Value {
        self.daemon.api(&self.tokens["maya"], "GET", "/api/v1/incidents/1", &Value::Null).json()
    }

    pub fn entries(&self) -> Vec<Value> {
        let path = "/api/v1/incidents/1/timeline";
        let timeline = self.daemon.api(&self.tokens["maya"], "GET", path, &Value::Null).json();
        timeline["entries"].as_array().unwrap().clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.entries().iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// The command, as somebody.
    pub fn command(&self, who: &str, arguments: &[&str]) -> Output {
        self.daemon.command(&[&["incident"], arguments].concat(), Some(&self.tokens[who]))
    }

    /// What it prints, when it does what it is asked for.
    pub fn says(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.command(who, arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        said
    }

    /// Its exit code and what it says of why.
    pub fn fails(&self, who: &str, arguments: &[&str]) -> (i32, String) {
        let output = self.command(who, arguments);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Letters that left, when all have: `notice tom`.
    pub fn letters(&self) -> Vec<String> {
        let waiting = "select count(*) from letter where state in ('pending', 'sending')";
        eventually("all letters have left", || {
            let mut store = self.daemon.store();
            let read = store.read(Timestamp::UNIX_EPOCH, |tx| tx.query_one(waiting, &[], |row| row.int(0)));
            (read.unwrap() == Some(0)).then_some(())
        });
        let all = "select kind, person, channel from letter where state <> 'dropped' order by seq";
        let mut store = self.daemon.store();
        let read = store.read(Timestamp::UNIX_EPOCH, |tx| {
            tx.query(all, &[], |row| Ok(format!("{} {}{}", row.text(0)?, row.text(1)?, row.text(2)?)))
        });
        let letters = read.unwrap();
        // The channel has one recipient, and so each letter is one file.
        assert_eq!(self.daemon.mails().len(), letters.len(), "{letters:?}");
        letters
    }
}

/// Sends a request and leaves its answer for later.
fn sends(address: SocketAddr, path: &str, token: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    stream
}

#[test]
fn a_thousand_answers_at_once_make_one_commander_and_everybody_else_is_told_the_name() {
    const PEOPLE: usize = 1_000;
    const THREADS: usize = 50;
    let mut config = house();
    for n in 0..PEOPLE {
        config.push_str(&format!("[[person]]\nname = \"p{n}\"\nemail = \"p{n}@example.net\"\n"));
    }
    let daemon = Daemon::start(&config);
    let cto = daemon.token("cto");
    let tokens: Vec<String> = (0..PEOPLE)
        .map(|n| {
            let made = daemon.api(&cto, "POST", "/api/v1/tokens", &json!({"person": format!("p{n}")}));
            made.json()["token"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
        })
        .collect();
    daemon.alert("db-1", "firing");
    let barrier = Barrier::new(THREADS);
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = tokens
            .chunks(PEOPLE / THREADS)
            .map(|tokens| {
                let (barrier, address) = (&barrier, daemon.address);
                scope.spawn(move || {
                    barrier.wait();
                    let sent: Vec<TcpStream> = tokens
                        .iter()
                        .map(|token| sends(address, "/api/v1/incidents/1/ack", token, "{}"))
                        .collect();
                    let read = |mut stream: TcpStream| {
                        let mut text = String::new();
                        stream.read_to_string(&mut text).unwrap();
                        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
                        serde_json::from_str::<Value>(text.split_once("\r\n\r\n").unwrap().1).unwrap()
                    };
                    sent.into_iter().map(read).collect::<Vec<Value>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), PEOPLE);
    let commander = answers[0]["commander"]["person"].as_str().unwrap().to_owned();
    for answer in &answers {
        assert_eq!(
            (&answer["commander"]["person"], &answer["commander"]["term"]),
            (&json!(commander), &json!(1))
        );
    }
    let taken = "select count(*) from entry where kind in ('command_taken', 'command_transferred')";
    let mut store = daemon.store();
    let read = store.read(Timestamp::UNIX_EPOCH, |tx| tx.query_one(taken, &[], |row| row.int(0)));
    assert_eq!(read.unwrap(), Some(1));
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn command_is_handed_over_and_the_one_who_had_it_is_told_who_has_it() {
    let night = Night::is_manned();
    let (status, told) = night.refused("maya", "offer", &json!({"to": "kim", "term": 1}));
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().starts_with("kim is not on scene"), "{told}");
    assert_eq!(night.refused("maya", "offer", &json!({"to": "tom"})).0, 400, "without a term");
    assert_eq!(night.refused("maya", "offer", &json!({"term": 1})).0, 422, "to nobody");
    assert_eq!(night.refused("maya", "size-up", &json!({"text": " "})).0, 422);
    let shown = night.does("maya", "offer", &json!({"to": "tom", "term": 1, "reason": "I am tired"}));
    assert_eq!((&shown["commander"]["person"], &shown["offer"]["to"]), (&json!("maya"), &json!("tom")));
    let shown = night.daemon.api(&night.tokens["kim"], "GET", "/api/v1/command", &Value::Null).json();
    assert_eq!(shown["incidents"][0]["offer"]["to"], "tom", "{shown}");
    night.does("maya", "size-up", &json!({"text": "both balancers are master"}));
    let (status, told) = night.refused("tom", "accept", &json!({"term": 1, "brief": shown["brief"]}));
    assert_eq!(status, 409, "{told}");
    let brief = night.incident()["brief"].clone();
    assert_eq!(told["brief"], brief, "the brief that there is now: {told}");
    let shown = night.does("tom", "accept", &json!({"term": 1, "brief": brief}));
    let commander = &shown["commander"];
    assert_eq!(
        (&commander["person"], &commander["term"], &commander["reason"]),
        (&json!("tom"), &json!(2), &json!("transferred"))
    );
    for (verb, body) in [
        ("objective", json!({"text": "x", "term": 1})),
        ("plan", json!({"text": "x", "term": 1})),
        ("task", json!({"person": "tom", "what": "x", "term": 1})),
        ("allow", json!({"most": 2, "term": 1})),
        ("assign", json!({"office": "safety", "person": "kim", "term": 1})),
        ("meet", json!({"where": "the kitchen", "term": 1})),
        ("offer", json!({"to": "kim", "term": 1})),
        ("mitigate", json!({"unexplained": true, "term": 1})),
        ("resolve", json!({"term": 1})),
    ] {
        let (status, told) = night.refused("maya", verb, &body);
        assert_eq!(
            (status, &told["commander"], &told["term"]),
            (409, &json!("tom"), &json!(2)),
            "{verb}: {told}"
        );
        // And with the right term they are still not who has it.
        let mut body = body;
        body["term"] = json!(2);
        assert_eq!(night.refused("maya", verb, &body).1["commander"], "tom", "{verb}");
    }
    assert_eq!(night.refused("maya", "relieve", &json!({"to": "maya", "reason": "x"})).0, 403);
    // Each who is told is an entry, and so is what became of their letter.
    for person in ["maya", "kim", "staff-mail"] {
        eventually("who had it, the PIO and the channel are told", || {
            let after = night.kinds().iter().position(|kind| kind == "command_transferred").unwrap();
            night.entries()[after..]
                .iter()
                .any(|entry| entry["kind"] == "delivered" && entry["data"]["to"] == person)
                .then_some(())
        });
    }
    assert_eq!(night.incident()["unaware"], json!(["maya"]));
    night.does("maya", "heard", &json!({"term": 2}));
    assert_eq!(night.incident()["unaware"], json!([]));
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn who_is_on_scene_first_takes_command_from_who_is_not_there_yet() {
    let night = Night::begins(&house());
    night.does("maya", "en-route", &json!({"eta": Timestamp::now() + SignedDuration::from_mins(20)}));
    assert_eq!(night.incident()["commander"]["person"], "maya", "the first answer takes it");
    assert_eq!(night.refused("tom", "assume", &json!({})).0, 409);
    night.does("tom", "check-in", &json!({}));
    let shown = night.does("tom", "assume", &json!({}));
    assert_eq!(
        (&shown["commander"]["person"], &shown["commander"]["reason"]),
        (&json!("tom"), &json!("first_on_scene"))
    );
    night.does("maya", "check-in", &json!({}));
    let (status, told) = night.refused("maya", "assume", &json!({}));
    assert_eq!((status, &told["commander"], &told["term"]), (409, &json!("tom"), &json!(2)), "{told}");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn a_stop_is_seen_by_who_follows_in_less_than_a_second_and_by_everybody_who_looks() {
    let night = Night::is_manned();
    night.does("maya", "assign", &json!({"office": "safety", "person": "tom", "term": 1}));
    night.does("tom", "accept", &json!({"office": "safety"}));
    night.letters();
    let seen = night.entries().len();
    let bearer = format!("Bearer {}", night.tokens["kim"]);
    let path = format!("/api/v1/incidents/1/timeline?after={seen}");
    let headers = [("Accept", "text/event-stream"), ("Authorization", bearer.as_str())];
    let mut stream = Stream::open(night.daemon.address, &path, &headers);
    let began = Instant::now();
    night.does("tom", "stop", &json!({"reason": "there is no backup"}));
    loop {
        let (_, entry) = stream.entry();
        if entry["kind"] == "stopped" {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(1), "seen after {:?}", began.elapsed());
    let (status, told) = night.refused("maya", "act", &json!({"what": "restart lb1"}));
    assert_eq!(status, 409);
    assert!(told["detail"].as_str().unwrap().starts_with("STOP: tom stopped all changes"), "{told}");
    let headers = [("Authorization", bearer.as_str()), ("Accept", "text/plain")];
    let line = request(night.daemon.address, "GET", "/api/v1/command", &headers, b"").unwrap().body;
    assert!(line.contains("; STOP by tom: there is no backup"), "{line}");
    assert!(
        night
            .says("kim", &["show", "1"])
            .contains("STOP          nothing is to be changed: there is no backup")
    );
    let (code, said) = night.fails("kim", &["lift", "1", "I found one"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the Safety Officer lifts a stop; that is tom"), "{said}");
    night.says("tom", &["lift", "1", "there is one"]);
    night.says("maya", &["act", "1", "restart lb1", "--undo", "start it again"]);
}

/// What was decided survives: each step of a night is followed by `kill -9`, and the incident is what it was before.
#[test]
fn a_whole_night_goes_on_where_it_was_after_kill_9_between_any_two_steps() {
    let mut night = Night::begins(&house());
    let soon = || json!(Timestamp::now() + SignedDuration::from_secs(2));
    let steps: Vec<(&str, &str, Value)> = vec![
        ("maya", "ack", json!({})),
        ("tom", "en-route", json!({"eta": Timestamp::now() + SignedDuration::from_mins(5)})),
        ("maya", "check-in", json!({})),
        ("tom", "check-in", json!({})),
        ("maya", "size-up", json!({"text": "both balancers are master"})),
        ("maya", "objective", json!({"text": "one master", "term": 1})),
        ("maya", "assign", json!({"office": "safety", "person": "tom", "term": 1})),
        ("tom", "accept", json!({"office": "safety"})),
        ("maya", "task", json!({"person": "tom", "what": "read the log", "term": 1, "limit": soon()})),
        ("maya", "request", json!({"capability": "dns", "why": "look at the records"})),
        ("lee", "check-in", json!({})),
        ("tom", "stop", json!({"reason": "no backup"})),
        ("tom", "lift", json!({"reason": "there is one"})),
        ("maya", "act", json!({"what": "stop keepalived", "where": "lb1", "undo": "start it"})),
        ("maya", "contact", json!({"body": "the host", "ticket": "4711"})),
        ("lee", "find", json!({"component": "names", "ok": true})),
        ("maya", "end-act", json!({"number": 1})),
        ("maya", "offer", json!({"to": "lee", "term": 1})),
        ("lee", "accept", json!({"term": 1})),
        ("tom", "end-task", json!({"number": 1})),
        ("lee", "release", json!({"person": "maya", "term": 2})),
        ("lee", "mitigate", json!({"cause": "stopped one", "term": 2})),
        ("lee", "resolve", json!({"term": 2})),
    ];
    let count = steps.len();
    for (who, verb, mut body) in steps {
        if verb == "task" {
            body["limit"] = soon();
        }
        // A letter that bounced would be a change; here none does.
        let before = night.does(who, verb, &body);
        night.daemon.kill();
        if verb == "task" {
            // Its hour comes while nobody is there.
            std::thread::sleep(Duration::from_secs(3));
        }
        assert!(night.daemon.verify().contains("whole"), "{verb}");
        night.daemon.go();
        if verb == "task" {
            eventually("what is overdue is said", || {
                night.kinds().iter().any(|kind| kind == "task_overdue").then_some(())
            });
        }
        let after = night.incident();
        for part in ["state", "commander", "offices", "offer", "brief", "unaware", "responders", "severity"] {
            assert_eq!(after[part], before[part], "{who} {verb}: {part}");
        }
        for (part, value) in before["board"].as_object().unwrap() {
            // The hour of the task may have come meanwhile.
            if part != "tasks" {
                assert_eq!(&after["board"][part], value, "{who} {verb}: {part}");
            }
        }
    }
    let timeline = night.kinds();
    let at = |kind: &str| timeline.iter().filter(|known| *known == kind).count();
    assert_eq!(at("task_overdue"), 1, "timers go on, and what they say is said once: {timeline:?}");
    assert_eq!((at("command_taken"), at("command_transferred"), at("resolved")), (1, 1, 1), "{timeline:?}");
    assert!(timeline.len() > count);
    assert!(night.daemon.verify().contains("whole"));
    assert!(!night.daemon.log().to_lowercase().contains("panic"), "{}", night.daemon.log());
}

#[test]
fn exactly_these_letters_leave_for_offices_tasks_and_requests() {
    let night = Night::is_manned();
    let mut before = night.letters().len();
    let mut left = |what: &str, expected: &[&str]| {
        let letters = night.letters();
        assert_eq!(letters[before..], *expected, "{what}");
        before = letters.len();
    };
    night.does("maya", "assign", &json!({"office": "safety", "person": "tom", "term": 1}));
    left("an office is offered to who is there", &["notice tom"]);
    night.does("tom", "decline", &json!({"office": "safety", "reason": "I know nothing of it"}));
    left("and not taken", &["notice maya"]);
    night.does("maya", "assign", &json!({"office": "scribe", "person": "lee", "term": 1}));
    left("who may sleep is woken for an office", &["help lee"]);
    night.does("lee", "accept", &json!({"office": "scribe"}));
    left("and takes it", &["notice maya"]);
    night.does("maya", "task", &json!({"person": "tom", "what": "read the log of lb1", "term": 1}));
    left("a task", &["notice tom"]);
    night.does("tom", "end-task", &json!({"number": 1, "text": "nothing there"}));
    left("is done", &["notice maya"]);
    night.does("maya", "request", &json!({"person": "cto", "why": "a word with the vendor"}));
    left("a request wakes", &["help cto"]);
    night.does("cto", "en-route", &json!({}));
    left("who is on the way wakes nobody", &[]);
    night.does("tom", "act", &json!({"what": "restart lb1"}));
    left("a change by who has nothing to do here", &["notice maya"]);
    night.does("maya", "meet", &json!({"where": "the kitchen", "term": 1}));
    left("where people meet", &["notice tom", "notice cto"]);
    let page = night.daemon.mail_to("cto@example.net", "X-Page-Attempt: 1");
    assert!(page.contains("/r/"), "whom a request wakes can answer it: {page}");
}
