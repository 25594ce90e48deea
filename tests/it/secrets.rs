//! Secrets of every kind of channel, planted, and whoever is spoken to sends them back: they are in no log, page, answer, figure or
//! timeline, whatever goes wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, request, within};

/// What every secret holds; no part of it is a word of ours.
const PLANTED: [&str; 2] = ["Zq7planted", "5a71a17ed0"];
/// Kinds, the audience that they are for, what else they need, and their secrets. `AT` is where the other side is.
const CHANNELS: &[(&str, &str, &str)] = &[
    (
        "bluesky",
        "public",
        "url = \"AT\"\nhandle = \"onscene.example.net\"\npassword = \"Zq7planted-bluesky-0123\"",
    ),
    ("cachet", "public", "url = \"AT\"\ntoken = \"Zq7planted-cachet-0123\""),
    ("discord", "internal", "url = \"AT/api/webhooks/123456789012345678/Zq7planted-discord\""),
    (
        "ghost",
        "public",
        "url = \"AT\"\ntoken = \"6b0bd616cd32ab4b66413218:5a71a17ed0005a71a17ed0005a71a17ed0005a71a17ed0005a71a17ed0000000\"",
    ),
    (
        "google-chat",
        "internal",
        "url = \"AT/v1/spaces/AAAA/messages?key=Zq7planted-key-01&token=Zq7planted-token-0123\"",
    ),
    ("instatus", "public", "page = \"abc123def456\"\nurl = \"AT\"\ntoken = \"Zq7planted-instatus-0123\""),
    ("mastodon", "public", "url = \"AT\"\ntoken = \"Zq7planted-mastodon-0123\""),
    ("matrix", "internal", "url = \"AT\"\nroom = \"!aZ9:example.net\"\ntoken = \"Zq7planted-matrix-0123\""),
    (
        "mattermost",
        "internal",
        "url = \"AT\"\nchannel = \"k9kwmr1rxj8w5fcbb5e7b1xusq\"\ntoken = \"Zq7plantedmattermost0123\"",
    ),
    ("pagerduty", "internal", "url = \"AT\"\ntoken = \"Zq7plantedPagerDutyKey0123456789\""),
    ("slack", "internal", "api_url = \"AT\"\nroom = \"C0123456789\"\ntoken = \"xoxb-Zq7planted-slack-0123\""),
    ("statuspage", "public", "page = \"abc123def456\"\nurl = \"AT\"\ntoken = \"Zq7planted-statuspage-0123\""),
    ("teams", "internal", "url = \"AT/workflows/0a1b?api-version=2016-06-01&sig=Zq7planted-teams-0123\""),
    (
        "telegram",
        "internal",
        "api_url = \"AT\"\nchat = \"-1001234567890\"\ntoken = \"123456789:Zq7planted-telegram-012345678901234\"",
    ),
    (
        "webhook",
        "public",
        "url = \"AT/hook/Zq7planted-webhook\"\nsecret = \"Zq7planted-signing-0123\"\nsecret_headers = \"X-Key: Zq7planted-header\"",
    ),
    ("wordpress", "public", "url = \"AT\"\nuser = \"onscene\"\npassword = \"Zq7planted-wordpress-0123\""),
    (
        "x",
        "public",
        "api_url = \"AT\"\napi_key = \"Zq7planted-x-1\"\napi_key_secret = \"Zq7planted-x-2\"\naccess_token = \"Zq7planted-x-3\"\naccess_token_secret = \"Zq7planted-x-4\"",
    ),
    (
        "zulip",
        "internal",
        "url = \"AT\"\nemail = \"bot@example.net\"\nroom = \"ops\"\ntoken = \"Zq7planted-zulip-0123\"",
    ),
];

/// Sends back everything it hears, as the name of an error, a body and a header, by one status after the other.
fn echo(heard: Arc<Mutex<String>>, asked: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2_000) {
            let Ok(mut stream) = stream else { continue };
            let (heard, asked) = (heard.clone(), asked.clone());
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
                let mut bytes = Vec::new();
                let mut room = [0; 8192];
                while let Ok(count @ 1..) = stream.read(&mut room) {
                    bytes.extend_from_slice(&room[..count]);
                    if bytes.len() > 200_000 {
                        break;
                    }
                }
                let said = String::from_utf8_lossy(&bytes).into_owned();
                heard.lock().unwrap().push_str(&said);
                let statuses =
                    ["400 Bad Request", "401 Unauthorized", "500 Oops", "200 OK", "422 No", "302 Found"];
                let status = statuses[asked.fetch_add(1, Ordering::Relaxed) % statuses.len()];
                let line = said.lines().next().unwrap_or_default().to_owned();
                let body = json!({"error": said, "message": said, "name": line, "code": line, "errcode": line, "id": line, "ok": false})
                    .to_string();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nX-Echo: {line}\r\nLocation: /{line}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    address
}

fn is_clean(of: &str, text: &str) {
    for planted in PLANTED {
        let at = text.find(planted);
        let near = at.map(|at| {
            text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect::<String>()
        });
        assert!(at.is_none(), "{of} holds a secret, behind {near:?}");
    }
    assert!(!text.is_empty(), "{of}: nothing was looked at");
}

#[test]
fn what_is_secret_is_nowhere_whatever_the_other_side_answers() {
    let (heard, asked) = (Arc::default(), Arc::default());
    let at = echo(Arc::clone(&heard), Arc::clone(&asked));
    let channels = CHANNELS.iter().map(|(kind, audience, keys)| {
        let keys = keys.replace("AT", &format!("http://{at}"));
        format!("[[channel]]\nname = \"to-{kind}\"\nkind = \"{kind}\"\naudience = \"{audience}\"\nprivate_addresses = \"allow\"\n{keys}\n")
    });
    let house = HOUSE.replacen("name = \"shop\"", "name = \"shop\"\npublic_name = \"Online shop\"", 1);
    let daemon = Daemon::start(&format!("{house}\n{}", channels.collect::<String>()));
    let alert = json!({"key": "k", "status": "firing", "title": "it is down", "severity": "critical"});
    assert_eq!(daemon.post("/in/scripts/test-token-of-scripts", alert.to_string().as_bytes()).status, 202);
    let maya = daemon.token("maya");
    assert_eq!(daemon.api(&maya, "POST", "/api/v1/incidents/1/ack", &json!({})).status, 200);
    for (number, audience) in (1..).zip(["public", "internal", "public", "internal"]) {
        let draft =
            json!({"incident": 1, "audience": audience, "text": format!("Some payments fail: {number}.")});
        let made = daemon.api(&maya, "POST", "/api/v1/statements", &draft);
        assert_eq!(made.status, 201, "{}", made.body);
        is_clean("a draft", &made.body);
        let sent = daemon.api(&maya, "POST", &format!("/api/v1/statements/1-{number}/publish"), &json!({}));
        assert_eq!(sent.status, 200, "{}", sent.body);
        is_clean("what went out", &sent.body);
    }
    // Every channel has spoken, and its secret was heard.
    within(Duration::from_secs(90), "the other side has heard from every channel", || {
        (asked.load(Ordering::Relaxed) >= CHANNELS.len()).then_some(())
    });
    let told = within(Duration::from_secs(90), "something became of most of it", || {
        let shown = daemon.api(&maya, "GET", "/api/v1/statements/1-1", &Value::Null);
        (shown.body.matches("\"why\"").count() > 3 || shown.body.contains("refused")).then_some(shown)
    });
    assert!(heard.lock().unwrap().matches(PLANTED[0]).count() > 8, "the other side heard them");
    is_clean("a statement", &told.body);
    let cookie = daemon.cookie(&maya);
    for path in ["/", "/statements", "/incidents/1", "/incidents/1/brief", "/oncall"] {
        let page = request(daemon.address, "GET", path, &[("Cookie", cookie.as_str())], b"").unwrap();
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        is_clean(path, &page.body);
    }
    for path in ["/api/v1/incidents/1", "/api/v1/incidents/1/timeline", "/api/v1/statements?incident=1"] {
        is_clean(path, &daemon.api(&maya, "GET", path, &Value::Null).body);
    }
    is_clean("/metrics", &daemon.get("/metrics").unwrap().body);
    for mail in daemon.mails().into_values() {
        is_clean("a mail", &mail);
    }
    for arguments in
        [&["check"][..], &["incident", "list"], &["statement", "list"], &["statement", "show", "1-1"]]
    {
        let done = daemon.command(arguments, Some(&maya));
        let said =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        is_clean(&arguments.join(" "), &format!("{said}."));
    }
    is_clean("the log", &daemon.log());
}
