//! Pages by several ways: the real binary, mail as files, and a way that is a signed webhook of the test's own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, answer_link, eventually, request};
use super::silenced::{page, text};

/// What a receiver got: the id that is the same in every attempt, and the body.
type Got = Arc<Mutex<Vec<(String, Value)>>>;

/// A receiver of webhooks that answers as told.
struct Hook {
    port: u16,
    got: Got,
    status: Arc<AtomicU16>,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (got, status) = (Got::default(), Arc::new(AtomicU16::new(204)));
        let (kept, answer) = (got.clone(), status.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    loop {
                        let (mut id, mut length, mut line) = (String::new(), 0, String::new());
                        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                            if let Some((name, value)) = line.trim().split_once(": ") {
                                match name.to_lowercase().as_str() {
                                    "webhook-id" => id = value.to_owned(),
                                    "content-length" => length = value.parse().unwrap(),
                                    _ => {}
                                }
                            }
                            line.clear();
                        }
                        let mut body = vec![0; length];
                        if length == 0 || reader.read_exact(&mut body).is_err() {
                            return;
                        }
                        kept.lock().unwrap().push((id, serde_json::from_slice(&body).unwrap()));
                        let status = answer.load(Ordering::Acquire);
                        let said = format!("HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n");
                        let _gone = reader.get_mut().write_all(said.as_bytes());
                    }
                });
            }
        });
        Self { port, got, status }
    }

    /// What came for an address, each letter once.
    fn to(&self, address: &str) -> Vec<(String, Value)> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for (id, body) in self.got.lock().unwrap().iter().filter(|(_, body)| body["data"]["to"] == address) {
            if !found.iter().any(|(known, _)| known == id) {
                found.push((id.clone(), body.clone()));
            }
        }
        found
    }

    fn house(&self) -> String {
        let way = |name: &str| {
            format!(
                "[[way]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
                 secret = \"0123456789abcdef0123\"\nprivate_addresses = \"allow\"\n",
                self.port
            )
        };
        let maya = "email = \"maya@example.net\"\n";
        let ways = "ways = [{ way = \"push\", to = \"maya-push\" }, { way = \"late\", to = \"maya-late\", after = \"4s\" }]\n";
        let house = HOUSE.replacen(maya, &format!("{maya}{ways}"), 1);
        format!("{house}{}{}", way("push"), way("late"))
    }
}

fn pages(daemon: &Daemon, token: &str) -> Value {
    daemon.api(token, "GET", "/api/v1/incidents/1/pages", &Value::Null).json()
}

fn states(page: &Value) -> Vec<String> {
    let ways = page["ways"].as_array().unwrap();
    ways.iter()
        .map(|one| format!("{} {}", one["way"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_page_comes_by_mail_and_push_and_who_has_answered_is_not_called_later() {
    let hook = Hook::start();
    let daemon = Daemon::start(&hook.house());
    let token = daemon.token("maya");
    daemon.alert("db-1", "firing");
    let mail = daemon.mail_to("maya@example.net", "db-1 is down");
    let link = answer_link(&mail);
    let push = eventually("a push", || hook.to("maya-push").pop()).1;
    assert_eq!(push["type"], "page");
    assert!(push["data"]["answer"].as_str().unwrap().ends_with(&link), "one link: {push}");
    assert!(push["data"]["short"].as_str().unwrap().contains("shop"), "{push}");
    eventually("both were taken", || {
        (states(&pages(&daemon, &token)["pages"][0]) == ["mail accepted", "push accepted", "late pending"])
            .then_some(())
    });
    // What says of itself that it fetches ahead, and what only asks for the head, has opened nothing.
    for (method, headers) in [("HEAD", vec![]), ("GET", vec![("Sec-Purpose", "prefetch;prerender")])] {
        assert_eq!(request(daemon.address, method, &link, &headers, b"").unwrap().status, 200);
    }
    assert_eq!(pages(&daemon, &token)["pages"][0]["opened_at"], Value::Null);
    assert_eq!(daemon.press(&link, "answer=take").status, 200);
    let found = pages(&daemon, &token);
    let first = &found["pages"].as_array().unwrap().iter().find(|page| page["kind"] == "page").unwrap();
    assert!(first["opened_at"].is_string() && first["answered_at"].is_string(), "{found}");
    assert_eq!(first["answered_by"], "answer_link");
    std::thread::sleep(Duration::from_secs(6));
    assert!(hook.to("maya-late").is_empty(), "she was called after she answered");
    let found = pages(&daemon, &token);
    let first = found["pages"].as_array().unwrap().iter().find(|page| page["kind"] == "page").unwrap();
    assert_eq!(states(first), ["mail accepted", "push accepted", "late dropped"]);
    let timeline = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).body;
    for words in [
        "page to maya: accepted (by push)",
        "page to maya: accepted (by mail: ",
        "page to maya: opened (its link",
    ] {
        assert_eq!(timeline.matches(words).count(), 1, "{words} in {timeline}");
    }
    assert!(page(&daemon, &token, "/incidents/1").contains("push accepted"));
    for series in [
        "onscene_pages_sent_total{outcome=\"accepted\",way=\"push\"}",
        "onscene_delivery_attempts_total{channel=\"push\",outcome=\"accepted\"}",
    ] {
        assert_eq!(daemon.metric(series), 1.0, "{series}");
    }
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_page_that_was_in_hand_comes_by_every_way_after_a_kill_and_what_waits_at_its_hour() {
    let hook = Hook::start();
    let mut daemon = Daemon::start(&hook.house());
    // The gateway takes nothing yet, so that the letter is on its way when the daemon is killed.
    hook.status.store(503, Ordering::Release);
    daemon.alert("db-1", "firing");
    daemon.mail_to("maya@example.net", "db-1 is down");
    eventually("an attempt", || hook.to("maya-push").pop());
    daemon.kill();
    hook.status.store(204, Ordering::Release);
    daemon.go();
    let token = daemon.token("maya");
    super::harness::within(Duration::from_secs(100), "all were taken", || {
        let found = pages(&daemon, &token);
        (states(&found["pages"][0]) == ["mail accepted", "push accepted", "late accepted"]).then_some(())
    });
    assert_eq!((hook.to("maya-push").len(), hook.to("maya-late").len()), (1, 1), "one letter by each");
    assert_eq!(daemon.mails().values().filter(|mail| mail.contains("X-Page-Attempt")).count(), 1);
    assert!(daemon.verify().contains("whole"));
}

fn said(output: &Output) -> String {
    text(output) + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn somebody_tests_whether_pages_reach_maya_and_she_says_by_which_ways_they_did() {
    let hook = Hook::start();
    let daemon = Daemon::start(&hook.house());
    let token = daemon.token("tom");
    let oncall = |args: &[&str]| daemon.command(&[&["oncall"], args].concat(), Some(&token));
    let before = text(&oncall(&["ways", "maya"]));
    assert_eq!(before.matches("never tested, not confirmed").count(), 3, "{before}");
    assert!(before.contains("….net") && !before.contains("maya@"), "{before}");
    let own = text(&daemon.command(&["oncall", "ways", "maya"], Some(&daemon.token("maya"))));
    assert!(own.contains("maya@example.net"), "{own}");
    let tested = oncall(&["test", "maya"]);
    assert!(tested.status.success(), "{}", said(&tested));
    for line in ["mail: accepted\n", "push: accepted\n", "late: accepted\n"] {
        assert!(text(&tested).contains(line), "{}", said(&tested));
    }
    let mail = daemon.mail_to("maya@example.net", "TEST: nothing is wrong");
    assert!(mail.contains("Subject: TEST of your pages: nothing is wrong"), "{mail}");
    let push = hook.to("maya-push").pop().unwrap().1;
    assert_eq!((&push["type"], &push["data"]["test"]), (&json!("test"), &json!(true)));
    let link = answer_link(push["data"]["answer"].as_str().unwrap());
    assert_ne!(link, answer_link(&mail), "each says by which way it came");
    assert!(daemon.press(&link, "answer=take").body.contains("no button of this page"));
    assert!(daemon.press(&link, "answer=reached").body.contains("Thank you"));
    let after = text(&oncall(&["ways", "maya"]));
    let line = |way: &str| after.lines().find(|line| line.contains(&format!(" {way} "))).unwrap();
    assert!(line("push").contains(", confirmed 2"), "{after}");
    assert!(line("mail").ends_with("not confirmed") && line("late").ends_with("not confirmed"), "{after}");
    assert_eq!(daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).status, 404, "no incident");
    // A way that does not take it is a failure, and is told with its answer.
    hook.status.store(400, Ordering::Release);
    let tested = oncall(&["test", "maya"]);
    assert_eq!(tested.status.code(), Some(1), "{}", said(&tested));
    assert!(text(&tested).contains("push: refused: answered 400"), "{}", said(&tested));
    assert_eq!(oncall(&["test", "nobody"]).status.code(), Some(1));
}
