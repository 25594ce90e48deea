//! A Unix socket, TLS with HTTP/2 and HTTP/1.1, certificates exchanged while it runs, and the end of the process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::harness::{Daemon, HOUSE, PATIENCE, binary, eventually, free_port, program, request};
use super::relay::{Manner, Relay};
use super::{Authority, run};

const ALERT: &str = r#"{"key":"db-1","status":"firing","title":"db-1 is down"}"#;

#[test]
fn a_unix_socket_is_served_to_curl_and_to_the_commands() {
    let mut daemon =
        Daemon::prepare(&HOUSE.replace("listen = \"127.0.0.1:PORT\"", "listen = \"unix:DIR/s.sock\""));
    daemon.launch(&[]);
    let socket = daemon.directory.join("s.sock");
    let curl = |path: &str| {
        let mut curl = Command::new(program(&["curl"]));
        curl.args(["-sS", "--unix-socket"]).arg(&socket).arg(format!("http://onscene.example.net{path}"));
        curl
    };
    eventually("the socket is served", || {
        let said = curl("/readyz").output().ok()?;
        (said.stdout == b"ready\n").then_some(())
    });
    let posted = run(curl("/in/scripts").args(["--oauth2-bearer", "test-token-of-scripts", "--json", ALERT]));
    assert!(posted.contains("\"opened\""), "{posted}");
    let token = daemon.token("maya");
    let server = format!("unix:{}", socket.display());
    let mut list = Command::new(binary());
    list.args(["incident", "list", "--server", &server]).env("ONSCENE_TOKEN", &token);
    assert!(run(&mut list).starts_with("INC-1 "));
    assert_eq!(daemon.stop(), Some(0));
    // What is left of the socket does not keep the next one from starting.
    daemon.launch(&[]);
    eventually("it is served again", || curl("/readyz").output().ok().filter(|said| said.status.success()));
}

#[test]
fn tls_speaks_http2_and_http1_and_exchanges_its_certificate_while_it_runs() {
    let house = HOUSE
        .replace("external_url = \"http://127", "external_url = \"https://127")
        .replace("[store]", "tls_certificate = \"DIR/leaf.pem\"\ntls_key = \"DIR/leaf.key\"\n[store]");
    let mut daemon = Daemon::prepare(&house);
    let authority = Authority::new(&daemon.directory);
    let first = authority.sign("leaf");
    daemon.launch(&[]);
    let ca = daemon.directory.join("ca.pem");
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = Command::new(program(&["curl"]));
        curl.arg("-sS").arg("--cacert").arg(&ca).args(arguments);
        curl.arg(format!("https://localhost:{}{path}", daemon.address.port()));
        curl
    };
    eventually("TLS is served", || {
        curl(&[], "/readyz").output().ok().filter(|said| said.stdout == b"ready\n")
    });
    let bearer = ["--oauth2-bearer", "test-token-of-scripts", "--json", ALERT, "-w", " over %{http_version}"];
    for (flag, version, outcome) in [("--http2", "2", "opened"), ("--http1.1", "1.1", "")] {
        let posted = run(curl(&bearer, "/in/scripts").arg(flag));
        assert!(posted.ends_with(&format!(" over {version}")) && posted.contains(outcome), "{posted}");
    }
    let other = tempfile::tempdir().unwrap();
    let _other = Authority::new(other.path());
    let refused = curl(&[], "/readyz").arg("--cacert").arg(other.path().join("ca.pem")).output().unwrap();
    assert!(!refused.status.success(), "nobody who does not trust the authority comes in");

    // A connection that stands keeps what it agreed on; the next one sees the new certificate.
    let shown = || {
        let mut openssl = Command::new(program(&["openssl"]));
        let place = format!("localhost:{}", daemon.address.port());
        let output = openssl
            .args(["s_client", "-connect", &place])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
        let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or(0);
        let end = text.find("-----END CERTIFICATE-----").unwrap_or(0);
        text[begin..end].to_owned()
    };
    let same = |pem: &str| pem.replace("\r\n", "\n").starts_with(&shown());
    assert!(same(&first));
    let second = authority.sign("leaf");
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the new certificate is shown", || same(&second).then_some(()));
    std::fs::write(daemon.directory.join("leaf.pem"), "no certificate").unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("a bad one is refused", || daemon.log().contains("not taken").then_some(()));
    assert!(same(&second), "the old one stays in use");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_request_under_way_is_finished_when_it_is_told_to_stop() {
    let mut daemon = Daemon::start(HOUSE);
    let open = |head: &str| {
        let mut stream = TcpStream::connect(daemon.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let bearer = "Authorization: Bearer test-token-of-scripts";
    let length = ALERT.len();
    let mut slow = open(&format!(
        "POST /in/scripts HTTP/1.1\r\nHost: onscene\r\n{bearer}\r\nContent-Length: {length}\r\n\r\n{}",
        &ALERT[..10]
    ));
    // A health check that is on its way when the signal comes learns that it should go elsewhere.
    let mut check = open("GET /readyz HTTP/1.1\r\nHost: onscene\r\n");
    eventually("both connections stand", || (daemon.metric("onscene_http_connections") >= 3.0).then_some(()));
    let began = Instant::now();
    daemon.program.as_ref().unwrap().signal("TERM");
    eventually("it is stopping", || daemon.log().contains("stopping").then_some(()));
    eventually("nobody is accepted any more", || {
        request(daemon.address, "GET", "/readyz", &[], b"").is_none().then_some(())
    });
    check.write_all(b"\r\n").unwrap();
    let mut told = String::new();
    let _closed = check.read_to_string(&mut told);
    assert!(told.starts_with("HTTP/1.1 503 "), "{told:?}");
    for piece in ALERT.as_bytes()[10..].chunks(12) {
        slow.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 ") && answer.contains("\"opened\""), "{answer}");
    let status = daemon.program.take().unwrap().0.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    daemon.go();
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
}

#[test]
fn letters_that_wait_at_the_end_are_sent_by_the_next_start() {
    let port = free_port();
    let mut daemon = Daemon::start(&HOUSE.replace("file:DIR/mail", &format!("smtp://127.0.0.1:{port}")));
    daemon.alert("db-1", "firing");
    eventually("the only relay was tried in vain", || {
        (daemon.metric("onscene_delivery_attempts_total{channel=\"mail\",outcome=\"wait\"}") >= 1.0)
            .then_some(())
    });
    assert_eq!(daemon.metric("onscene_deliveries_pending{channel=\"mail\"}"), 1.0);
    let began = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "nothing was in hand: {:?}", began.elapsed());
    let relay = Relay::at(port, Manner::Works);
    daemon.go();
    let page = relay.letter("maya@example.net");
    assert!(page.contains("X-Page-Attempt: 1"), "{page}");
    assert!(daemon.verify().contains("whole"));
}
