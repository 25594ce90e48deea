//! Deliveries that are signed, and what is shown of a body before it is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onscene::crypto;
use serde_json::Value;

use super::harness::{Answer, Daemon, HOUSE, PATIENCE, binary, eventually, request};

const OLD: &str = "an old secret of the sender";
const NEW: &str = "a new secret of the sender";
const BODY: &[u8] = br#"{"key":"disk","status":"firing","title":"disk full"}"#;

/// A source whose senders sign, with two secrets while one is exchanged, and one that wants a token beside it.
fn daemon() -> Daemon {
    let signed = "[[source]]\nname = \"signed\"\nkind = \"generic\"\nsigning_secret_file = \"DIR/secrets\"\nservice = \"shop\"\n";
    let both = "[[source]]\nname = \"both\"\nkind = \"generic\"\nsigning_secret_file = \"DIR/secrets\"\ntoken = \"test-token-of-both\"\nservice = \"shop\"\n";
    let mut daemon = Daemon::prepare(&format!("{HOUSE}{signed}{both}"));
    let secrets = daemon.directory.join("secrets");
    std::fs::write(&secrets, format!("{OLD}\n{NEW}\n")).unwrap();
    std::fs::set_permissions(&secrets, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    daemon.go();
    daemon
}

fn send(daemon: &Daemon, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    request(daemon.address, "POST", path, headers, body).unwrap()
}

fn githubs(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", crypto::hex(&crypto::hmac_sha256(secret.as_bytes(), &[body])))
}

#[test]
fn a_signature_stands_for_a_token_and_beside_one_both_are_needed() {
    let daemon = daemon();
    for secret in [OLD, NEW] {
        let signature = githubs(secret, BODY);
        let told = send(&daemon, "/in/signed", &[("X-Hub-Signature-256", &signature)], BODY);
        assert_eq!(told.status, 202, "{told:?}");
    }
    let signature = githubs(NEW, BODY);
    let headers = [("X-Hub-Signature-256", &*signature)];
    let unsigned = send(&daemon, "/in/signed", &[], BODY);
    assert!(unsigned.status == 401 && unsigned.body.contains("webhook-signature"), "{unsigned:?}");
    assert!(unsigned.head.to_ascii_lowercase().contains("basic realm"), "{}", unsigned.head);
    let changed = send(&daemon, "/in/signed", &headers, br#"{"key":"disk","status":"resolved"}"#);
    assert!(changed.status == 401 && changed.body.contains("does not fit"), "{changed:?}");
    let elsewhere = githubs("a secret of somebody else", BODY);
    assert_eq!(send(&daemon, "/in/signed", &[("X-Hub-Signature-256", &elsewhere)], BODY).status, 401);
    assert_eq!(send(&daemon, "/in/both", &headers, BODY).status, 401, "the token is missing");
    assert_eq!(
        send(&daemon, "/in/both/test-token-of-both", &[], BODY).status,
        401,
        "the signature is missing"
    );
    assert_eq!(send(&daemon, "/in/both/test-token-of-both", &headers, BODY).status, 202);
    let log = daemon.log();
    assert!(!log.contains(OLD) && !log.contains(NEW) && !log.contains(&signature), "{log}");
}

#[test]
fn a_delivery_by_the_standard_is_taken_once_and_an_old_one_never() {
    let daemon = daemon();
    let deliver = |id: &str, at: i64, body: &[u8]| {
        let seconds = at.to_string();
        let parts = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
        let signature = format!("v1,{}", crypto::base64(&crypto::hmac_sha256(NEW.as_bytes(), &parts)));
        let headers =
            [("webhook-id", id), ("webhook-timestamp", &*seconds), ("webhook-signature", &*signature)];
        send(&daemon, "/in/signed", &headers, body)
    };
    let now = jiff::Timestamp::now().as_second();
    let first = deliver("msg_1", now, BODY);
    assert_eq!(
        (first.status, first.json()["results"][0]["outcome"].as_str()),
        (202, Some("opened")),
        "{first:?}"
    );
    let over = br#"{"key":"disk","status":"resolved"}"#;
    assert_eq!(deliver("msg_2", now, over).json()["results"][0]["outcome"], "resolved");
    // Whoever has overheard it opens nothing again.
    assert_eq!(deliver("msg_1", now, BODY).json()["results"][0]["outcome"], "repeated");
    assert_eq!(deliver("msg_3", now, BODY).json()["results"][0]["outcome"], "joined");
    assert_eq!(deliver("msg_4", now - 3600, BODY).status, 401);
    // An id that is not signed is nobody's, and an address that is not signed says nothing.
    let signature = githubs(NEW, over);
    let headers = [("X-Hub-Signature-256", &*signature), ("webhook-id", "msg_1")];
    let told = send(&daemon, "/in/signed", &headers, over);
    assert_eq!(told.json()["results"][0]["outcome"], "resolved", "{told:?}");
    // A signature that cannot be read is none, and nothing else stands for it.
    let long = format!("v1,{}", "A".repeat(5000));
    let headers =
        [("X-Hub-Signature-256", &*signature), ("webhook-id", "msg_5"), ("webhook-signature", &*long)];
    let told = send(&daemon, "/in/signed", &headers, over);
    assert!(told.status == 401 && told.body.contains("longer than 4096"), "{told:?}");
    let empty = githubs(NEW, b"");
    let told = send(&daemon, "/in/signed?key=disk&status=resolved", &[("X-Hub-Signature-256", &empty)], b"");
    assert_eq!(told.status, 400, "{told:?}");
}

#[test]
fn strangers_who_say_that_they_will_send_much_keep_nobody_out_and_are_given_up_soon() {
    let daemon = daemon();
    let head = "POST /in/signed HTTP/1.1\r\nHost: a\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000000\r\n\r\n{";
    let mut strangers: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stranger = TcpStream::connect(daemon.address).unwrap();
            stranger.set_read_timeout(Some(PATIENCE)).unwrap();
            stranger.write_all(head.as_bytes()).unwrap();
            stranger
        })
        .collect();
    let signature = githubs(NEW, BODY);
    let told = send(&daemon, "/in/signed", &[("X-Hub-Signature-256", &signature)], BODY);
    assert_eq!(told.status, 202, "{told:?}");
    let began = Instant::now();
    for stranger in &mut strangers {
        let mut told = [0; 12];
        stranger.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"HTTP/1.1 408");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn check_shows_what_a_source_makes_of_a_body() {
    let daemon = Daemon::start(HOUSE);
    let ask = |source: &str, more: &[&str], body: &[u8]| {
        let mut command = Command::new(binary());
        command.args(["check", "--config"]).arg(&daemon.config).args(["--source", source]).args(more);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who refuses the name of a source reads no body.
        let _closed = child.stdin.take().unwrap().write_all(body);
        child.wait_with_output().unwrap()
    };
    let shown = ask("scripts", &[], BODY);
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "firing disk\n  title: disk full\n", "{shown:?}");
    let shown = ask("scripts", &["--json"], BODY);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["events"][0]["key"], "disk");
    let wrong = ask("scripts", &[], b"{}");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no `key`"), "{wrong:?}");
    assert_eq!(ask("nobody", &[], BODY).status.code(), Some(2));
    eventually("nothing was raised", || (daemon.metric("onscene_events_unaccounted") == 0.0).then_some(()));
    assert!(daemon.mails().is_empty());
}
