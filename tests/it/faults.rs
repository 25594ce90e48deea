//! Bad input and hostile clients, over real sockets.
//!
//! Whatever comes, the sender gets a clear answer (RFC 9457) or a closed connection, a neighbour who posts an alert at
//! the same time is answered as if nothing was, the daemon does not panic, and every event is accounted for.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::harness::{Answer, Daemon, Ender, HOUSE, PATIENCE, eventually, on_a_file, program, request};

const PLACE: &str = "/in/scripts/test-token-of-scripts";
/// What a neighbour may have to wait beside a hostile client.
const NEIGHBOUR_MAX: Duration = Duration::from_secs(1);
/// Connections that say nothing.
const IDLE: usize = 5_000;
/// Descriptors for them, for the other suites of this process, and some to spare.
const DESCRIPTORS: usize = 8_000;

/// The usual house with more keys under `[server]`.
fn server(keys: &str) -> String {
    HOUSE.replace("[store]", &format!("{keys}\n[store]"))
}

/// Runs `work` while a neighbour goes on posting alerts, then proves that nothing was harmed.
fn beside<T>(daemon: &Daemon, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut alerts = 0;
            while alerts < 2 || !over.load(Ordering::Acquire) {
                alerts += 1;
                assert_eq!(daemon.alert("neighbour", "firing").status, 202, "the neighbour's alert {alerts}");
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let ender = Ender(&over);
        let done = work();
        drop(ender);
        neighbour.join().unwrap();
        done
    });
    unharmed(daemon);
    done
}

fn unharmed(daemon: &Daemon) {
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    let log = daemon.log();
    assert!(!log.to_lowercase().contains("panic"), "{log}");
}

/// The answer is a problem with all that RFC 9457 wants.
fn problem(answer: &Answer, status: u16) -> serde_json::Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    let problem = answer.json();
    assert!(
        problem["type"].as_str().is_some_and(|name| name.starts_with("urn:onscene:problem:")),
        "{problem}"
    );
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    problem
}

/// A connection with patience.
fn connect(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect_timeout(&daemon.address, Duration::from_secs(5)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server closes. A reset is a close too.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let waits = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!waits, "the server neither answers nor closes");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends bytes as they are, and answers what came until the server closed.
fn raw(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut stream = connect(daemon);
    // It may close in the middle, which is an answer too.
    let _refused = stream.write_all(bytes);
    rest(&mut stream)
}

/// The statuses of all answers in a stream of bytes.
fn statuses(said: &str) -> Vec<u16> {
    let status = |at: usize| said.get(at + 9..at + 12)?.parse().ok();
    said.match_indices("HTTP/1.1 ").filter_map(|(at, _)| status(at)).collect()
}

fn head(length: &str, more: &str) -> String {
    format!("POST {PLACE} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{more}\r\n")
}

#[test]
fn a_wrong_secret_a_wrong_name_and_a_wrong_method_are_told_apart() {
    let daemon = Daemon::start(HOUSE);
    beside(&daemon, || {
        let token = daemon.post("/in/scripts/wrong", b"{}");
        problem(&token, 401);
        assert!(token.head.contains("www-authenticate: "), "{}", token.head);
        problem(&daemon.post("/in/nobody/test-token-of-scripts", b"{}"), 404);
        problem(&daemon.post("/nothing/here", b"{}"), 404);
        for method in ["GET", "DELETE", "PATCH", "HEAD", "TRACE", "OPTIONS", "BREW"] {
            let answer = request(daemon.address, method, PLACE, &[], b"").unwrap();
            assert!(answer.head.contains("allow: POST, PUT"), "{method}: {}", answer.head);
            if method == "HEAD" {
                assert_eq!((answer.status, answer.body.as_str()), (405, ""));
            } else {
                problem(&answer, 405);
            }
        }
        let post = daemon.post("/metrics", b"");
        problem(&post, 405);
        assert!(post.head.contains("allow: GET"), "{}", post.head);
    });
}

#[test]
fn a_body_of_two_megabytes_is_refused_however_its_length_is_said() {
    let daemon = Daemon::start(HOUSE);
    let large = vec![b' '; 2 * 1024 * 1024];
    beside(&daemon, || {
        let said = problem(&daemon.post(PLACE, &large), 413);
        assert_eq!(said["body_bytes_max"], 1024 * 1024);
        let mut bytes =
            format!("POST {PLACE} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
        for piece in large.chunks(64 * 1024) {
            bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
            bytes.extend(piece);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        let said = raw(&daemon, &bytes);
        assert_eq!(statuses(&said), [413], "{said}");
        assert!(said.contains("application/problem+json"), "{said}");
        // A client that asks first keeps its upload.
        let asks = head(&large.len().to_string(), "Expect: 100-continue\r\n");
        assert_eq!(statuses(&raw(&daemon, asks.as_bytes())), [413]);
        // A length beyond every number.
        let said = raw(&daemon, head("99999999999999999999999", "").as_bytes());
        assert_eq!(statuses(&said), [400], "{said}");
    });
}

#[test]
fn what_cannot_be_understood_is_kept_and_answered_with_400() {
    let daemon = Daemon::start(HOUSE);
    let deep = format!("{{\"key\":\"k\",\"body\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    let long = serde_json::json!({"key": "k".repeat(900 * 1024), "status": "firing"}).to_string();
    let bodies: [(&str, &[u8]); 8] = [
        ("broken UTF-8", b"{\"key\":\"\xc3\x28\xff\",\"status\":\"firing\"}"),
        ("1,000 levels", deep.as_bytes()),
        ("a long key", long.as_bytes()),
        ("nothing", b""),
        ("half", b"{\"key\":\"k\",\"stat"),
        ("a key that is a list", b"{\"key\":[1],\"status\":\"firing\"}"),
        ("zero bytes", &[0; 512]),
        ("a word", b"null"),
    ];
    beside(&daemon, || {
        for (number, (what, body)) in bodies.iter().enumerate() {
            let said = problem(&daemon.post(PLACE, body), 400);
            assert_eq!(said["kept"], number + 1, "{what}: {said}");
        }
    });
    let mut store = daemon.store();
    let kept: Vec<Vec<u8>> = store
        .read(jiff::Timestamp::UNIX_EPOCH, |tx| {
            tx.query("select body from unreadable order by id", &[], |row| row.blob(0))
        })
        .unwrap();
    for ((what, sent), kept) in bodies.iter().zip(&kept) {
        assert!(sent == kept, "{what} is not kept as it came");
    }
    daemon.mail_to("maya@example.net", "sends what onscene cannot read");
    assert_eq!(daemon.metric("onscene_events_total{outcome=\"unreadable\",source=\"scripts\"}"), 8.0);
}

/// Lists in a text in an object, again and again: for a reader that takes such an object for a text of JSON, twenty thousand
/// levels and no limit.
fn nested_by_texts(name: &str, texts: usize) -> String {
    let escaped = |text: &str| text.replace('\\', "\\u005c").replace('"', "\\u0022");
    (0..texts).fold("0".to_owned(), |inner, _| {
        let lists = "[".repeat(120) + &inner + &"]".repeat(120);
        format!("{{\"{name}\":\"{}\"}}", escaped(&lists))
    })
}

#[test]
fn a_body_that_nests_by_texts_of_json_ends_nobody_proven_or_not() {
    let kinds = ["cloudevents", "pagerduty-events", "opsgenie", "cloudwatch"];
    let source = |kind: &&str| {
        let secret = match *kind {
            "cloudwatch" => "topics = [\"arn:aws:sns:eu-north-1:111122223333:pager\"]".to_owned(),
            kind => format!("token = \"a-token-of-{kind}\""),
        };
        format!("[[source]]\nname = \"{kind}\"\nkind = \"{kind}\"\nservice = \"shop\"\n{secret}\n")
    };
    let daemon = Daemon::start(&format!("{HOUSE}{}", kinds.iter().map(source).collect::<String>()));
    let token = daemon.token("maya");
    beside(&daemon, || {
        for name in ["$serde_json::private::RawValue", "\\u0024serde_json::private::RawValue"] {
            let body = nested_by_texts(name, 180);
            let inside = format!("{{\"routing_key\": {body}, \"payload\": {body}}}");
            for (path, status) in [
                (PLACE, 400),
                ("/in/cloudevents/a-token-of-cloudevents", 400),
                ("/in/pagerduty-events/a-token-of-pagerduty-events", 400),
                ("/in/cloudwatch", 401),
                ("/v2/enqueue", 400),
                ("/generic/2010-04-15/create_event.json", 400),
            ] {
                for body in [&body, &inside].into_iter().filter(|body| body.len() < 1024 * 1024) {
                    assert_eq!(daemon.post(path, body.as_bytes()).status, status, "{path}");
                }
            }
            let key = [("Authorization", "GenieKey a-token-of-opsgenie")];
            let told = request(daemon.address, "POST", "/v2/alerts", &key, body.as_bytes()).unwrap();
            assert_eq!(told.status, 400, "{told:?}");
            let small = nested_by_texts(name, 50);
            let value = format!("{{\"title\": {small}}}");
            for body in [&small, &value] {
                let bearer = format!("Bearer {token}");
                let headers = [("Authorization", &*bearer)];
                let told = request(daemon.address, "POST", "/api/v1/incidents", &headers, body.as_bytes());
                problem(&told.unwrap(), 400);
            }
        }
    });
}

#[test]
fn one_alert_that_cannot_be_read_does_not_hold_back_the_others_of_its_body() {
    let source = |kind: &str| {
        format!(
            "[[source]]\nname = \"{kind}-2\"\nkind = \"{kind}\"\nservice = \"shop\"\ntoken = \"a-token-of-{kind}\"\n"
        )
    };
    let daemon = Daemon::start(&format!("{HOUSE}{}{}", source("alertmanager"), source("prometheus")));
    let alert = |n: i32| {
        format!("{{\"status\": \"firing\", \"labels\": {{\"alertname\": \"Lag\", \"n\": \"{n}\"}}}}")
    };
    let nineteen: Vec<String> = (0..19).map(alert).collect();
    let nineteen = nineteen.join(",");
    // The second ones have the keys of the first.
    for (kind, taken, path, body) in [
        (
            "alertmanager",
            "opened",
            "/in/alertmanager-2/a-token-of-alertmanager",
            format!("{{\"alerts\": [{nineteen}, {{}}]}}"),
        ),
        (
            "prometheus",
            "joined",
            "/in/prometheus-2/a-token-of-prometheus/api/v2/alerts",
            format!("[{nineteen}, {{}}]"),
        ),
    ] {
        let told = daemon.post(path, body.as_bytes());
        assert_eq!(told.status, 400, "{told:?}");
        assert!(
            told.body.contains("19 that can be read were taken") && told.body.contains("kept as number"),
            "{told:?}"
        );
        let outcomes = |outcome: &str| {
            daemon.metric(&format!("onscene_events_total{{outcome=\"{outcome}\",source=\"{kind}-2\"}}"))
        };
        assert_eq!((outcomes(taken), outcomes("unreadable")), (19.0, 1.0), "{kind}");
    }
    let list = daemon.command(&["replay", "--list"], Some(&daemon.token("maya")));
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 2, "{list:?}");
    unharmed(&daemon);
}

#[test]
fn numbers_as_strings_and_strings_as_numbers_are_understood() {
    let daemon = Daemon::start(HOUSE);
    beside(&daemon, || {
        let numbers = br#"{"key":42,"status":"firing","title":7,"occurred_at":"1767225600"}"#;
        assert_eq!(daemon.post(PLACE, numbers).status, 202);
        let again = daemon.post(PLACE, br#"{"key":"42","status":"firing"}"#).json();
        assert_eq!(again["results"][0]["outcome"], "repeated", "42 and \"42\" are one key");
        let pingdom = br#"{"check_id":"9","check_name":"Shop","check_type":"HTTP","previous_state":"UP","current_state":"DOWN","state_changed_timestamp":"1767225600"}"#;
        assert_eq!(daemon.post("/in/pingdom/test-token-of-pingdom", pingdom).status, 202);
        let same = br#"{"check_id":9,"check_name":"Shop","check_type":"HTTP","previous_state":"UP","current_state":"DOWN","state_changed_timestamp":1767225600}"#;
        let same = daemon.post("/in/pingdom/test-token-of-pingdom", same).json();
        assert_eq!(same["results"][0]["outcome"], "repeated", "{same}");
    });
}

#[test]
fn headers_and_request_lines_of_a_megabyte_are_refused() {
    let daemon = Daemon::start(HOUSE);
    let megabyte = "a".repeat(1024 * 1024);
    let many: String = (0..10_000).map(|number| format!("X-{number}: 1\r\n")).collect();
    let few: String = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
    let bombs = [
        ("a long header", head("2", &format!("X-Bomb: {megabyte}\r\n"))),
        ("a long name", head("2", &format!("{megabyte}: 1\r\n"))),
        ("10,000 headers", head("2", &many)),
        ("200 headers", head("2", &few)),
        ("a long line", format!("POST /{megabyte} HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("a long method", format!("{megabyte} / HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("a line without an end", megabyte.clone()),
    ];
    beside(&daemon, || {
        for (what, bomb) in &bombs {
            let said = statuses(&raw(&daemon, format!("{bomb}{{}}").as_bytes()));
            assert!(said.iter().all(|status| [400, 414, 431].contains(status)), "{what}: {said:?}");
            assert!(said.len() <= 1, "{what}: {said:?}");
        }
        let query = format!("{PLACE}?x={}", "a".repeat(20 * 1024));
        problem(&daemon.post(&query, b"{}"), 414);
    });
}

#[test]
fn a_header_that_dribbles_in_is_closed_at_its_deadline() {
    let daemon = Daemon::start(&server("header_timeout = \"1s\""));
    beside(&daemon, || {
        let mut stream = connect(&daemon);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let began = Instant::now();
        for byte in head("2", "").bytes().cycle() {
            let read = if stream.write_all(&[byte]).is_err() { Ok(0) } else { stream.read(&mut [0; 64]) };
            match read {
                Ok(0) => break,
                Ok(_) => panic!("an answer to half a header"),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(_) => {}
            }
            assert!(began.elapsed() < Duration::from_secs(5), "still open");
        }
        assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
        // One that says nothing at all, and one that stops in the middle.
        for start in ["", "POST /in/scr"] {
            let began = Instant::now();
            assert_eq!(raw(&daemon, start.as_bytes()), "");
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
    });
}

#[test]
fn a_body_that_dribbles_in_is_answered_with_408() {
    let daemon = Daemon::start(&server("body_timeout = \"1s\""));
    beside(&daemon, || {
        let mut stream = connect(&daemon);
        stream.write_all(head("1000", "").as_bytes()).unwrap();
        let mut sender = stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..25 {
                    if sender.write_all(b" ").is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
            let said = rest(&mut stream);
            assert_eq!(statuses(&said), [408], "{said}");
            assert!(
                said.contains("application/problem+json") && said.contains("urn:onscene:problem:timeout")
            );
        });
        // Chunks that never come to an end.
        let mut chunked = connect(&daemon);
        let start = format!("POST {PLACE} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
        chunked.write_all(start.as_bytes()).unwrap();
        assert_eq!(statuses(&rest(&mut chunked)), [408]);
    });
}

#[test]
fn a_client_that_never_reads_its_answers_is_given_up() {
    let daemon = Daemon::start(HOUSE);
    beside(&daemon, || {
        let mut deaf = connect(&daemon);
        deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let many = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
        let began = Instant::now();
        // Until both sides' buffers are full: the server has stopped reading, because it cannot write.
        while deaf.write_all(many.as_bytes()).is_ok() {
            assert!(began.elapsed() < PATIENCE, "the server reads on for a client that does not");
        }
        eventually("it is given up", || {
            deaf.take_error().unwrap().or_else(|| deaf.write_all(b" ").err()).filter(|error| {
                !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            })
        });
    });
}

#[test]
fn two_lengths_in_one_request_smuggle_nothing_in() {
    let daemon = Daemon::start(HOUSE);
    let inner_body = r#"{"key":"smuggled","status":"firing"}"#;
    let inner = format!(
        "POST {PLACE} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner_body}",
        inner_body.len()
    );
    let start = format!("POST {PLACE} HTTP/1.1\r\nHost: a\r\n");
    let attempts = [
        (
            "two lengths",
            format!("{start}Content-Length: 2\r\nContent-Length: {}\r\n\r\n{{}}{inner}", inner.len() + 2),
        ),
        ("a list of lengths", format!("{start}Content-Length: 2, 5\r\n\r\n{{}}{inner}")),
        ("a length with a sign", format!("{start}Content-Length: +2\r\n\r\n{{}}{inner}")),
        ("a length below zero", format!("{start}Content-Length: -2\r\n\r\n{{}}{inner}")),
        (
            "length, then chunks",
            format!("{start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "chunks, then length",
            format!("{start}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "not chunked at last",
            format!("{start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}"),
        ),
        ("an unknown coding", format!("{start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}")),
        (
            "chunks in HTTP/1.0",
            format!("POST {PLACE} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        ),
        ("a space before the colon", format!("{start}Content-Length : 2\r\n\r\n{{}}{inner}")),
        ("a folded header", format!("{start}X: a\r\n Content-Length: 2\r\n\r\n{inner}")),
        (
            "a size that is none",
            format!("{start}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{{}}\r\n0\r\n\r\n{inner}"),
        ),
        (
            "a size too large",
            format!("{start}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{}}{inner}"),
        ),
        ("a zero byte in a header", format!("{start}X: a\0b\r\nContent-Length: 2\r\n\r\n{{}}{inner}")),
    ];
    beside(&daemon, || {
        for (what, attempt) in &attempts {
            let said = statuses(&raw(&daemon, attempt.as_bytes()));
            assert!(said.is_empty() || said == [400], "{what}: {said:?}");
        }
        // With a body that can be understood the chunks count (RFC 9112, 6.3), and what follows is not read.
        let outer = r#"{"key":"outer","status":"firing"}"#;
        let outer = format!("{:x}\r\n{outer}\r\n0\r\n\r\n{inner}", outer.len());
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
        ] {
            let said = statuses(&raw(&daemon, format!("{start}{headers}\r\n\r\n{outer}").as_bytes()));
            assert!(said.is_empty() || said == [400] || said == [202], "{headers}: {said:?}");
        }
        let known = daemon.post(PLACE, inner_body.as_bytes()).json();
        assert_eq!(known["results"][0]["outcome"], "opened", "nobody raised it before");
    });
}

#[test]
fn bytes_that_are_no_http_are_refused_or_closed() {
    let daemon = Daemon::start(&server("header_timeout = \"1s\""));
    let mut noise = vec![0_u8; 64 * 1024];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in &mut noise {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = u8::try_from(state & 0xff).unwrap();
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let frame = |length: u32, kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        [preface, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &frame].concat()
    };
    let garbage: Vec<(&str, Vec<u8>)> = vec![
        ("noise", noise.clone()),
        ("zeros", vec![0; 4096]),
        ("line ends", b"\r\n".repeat(40_000)),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("another protocol", b"EHLO mail.example.net\r\n".to_vec()),
        ("an old version", b"GET /\r\n".to_vec()),
        ("a version of the future", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_vec()),
        ("HTTP/2, then noise", [preface, noise.as_slice()].concat()),
        ("HTTP/2, then HTTP/1", [preface, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice()].concat()),
        ("half a preface", preface[..10].to_vec()),
        ("a frame of 16 MiB", frame(0x00ff_ffff, 0, 0, 1, b"")),
        ("headers that are no HPACK", frame(4, 1, 4, 1, b"\xff\xff\xff\xff")),
        ("headers on stream 0", frame(1, 1, 4, 0, b"\x82")),
        ("a continuation of nothing", frame(1, 9, 4, 1, b"\x82")),
    ];
    beside(&daemon, || {
        for (what, bytes) in &garbage {
            let mut stream = connect(&daemon);
            let _refused = stream.write_all(bytes);
            // HTTP/2 keeps a connection that may still say something until the client is gone.
            let _gone = stream.shutdown(Shutdown::Write);
            let said = statuses(&rest(&mut stream));
            assert!(said.iter().all(|status| (400..500).contains(status)), "{what}: {said:?}");
        }
    });
}

#[test]
fn a_half_closed_connection_is_answered_or_closed_and_never_half_done() {
    let daemon = Daemon::start(HOUSE);
    beside(&daemon, || {
        let send = |bytes: &[u8]| {
            let mut stream = connect(&daemon);
            stream.write_all(bytes).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            rest(&mut stream)
        };
        // As `nc -N` does: it has said all and waits for the answer.
        let body = r#"{"key":"half","status":"firing"}"#;
        let whole = format!("{}{body}", head(&body.len().to_string(), ""));
        assert_eq!(statuses(&send(whole.as_bytes())), [202]);
        for broken in ["", "POST /in", &head("100", ""), &format!("{}{body}", head("100", ""))] {
            let said = statuses(&send(broken.as_bytes()));
            assert!(said.is_empty() || said == [400], "{broken}: {said:?}");
        }
        let again = daemon.post(PLACE, body.as_bytes()).json();
        assert_eq!(again["results"][0]["outcome"], "repeated", "{again}");
    });
}

#[test]
fn five_thousand_idle_connections_do_not_hold_up_a_neighbour() {
    // This process and what it starts may hold that many.
    let own = format!("--pid={}", std::process::id());
    let raised = Command::new(program(&["prlimit"]))
        .args([&own, &format!("--nofile={DESCRIPTORS}:")])
        .output()
        .unwrap();
    assert!(raised.status.success(), "{DESCRIPTORS} descriptors are needed (ulimit -n): {raised:?}");
    let daemon = Daemon::start(&server("header_timeout = \"60s\"\nidle_timeout = \"75s\""));
    beside(&daemon, || {
        let mut idle = Vec::with_capacity(IDLE);
        for number in 0..IDLE {
            let mut stream = connect(&daemon);
            // A third says nothing, a third stops in the middle, a third has been served.
            match number % 3 {
                0 => {}
                1 => stream.write_all(b"POST /in/scripts/").unwrap(),
                _ => {
                    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                    assert!(stream.read(&mut [0; 512]).unwrap() > 0);
                }
            }
            idle.push(stream);
        }
        eventually("all are open", || (daemon.metric("onscene_http_connections") >= 5000.0).then_some(()));
        for number in 0..20 {
            let began = Instant::now();
            assert_eq!(daemon.alert(&format!("beside-{number}"), "firing").status, 202);
            assert!(began.elapsed() < NEIGHBOUR_MAX, "{:?}", began.elapsed());
        }
        assert!(daemon.metric("onscene_http_connections") >= 5000.0, "they are still open");
        drop(idle);
        eventually("all are closed", || (daemon.metric("onscene_http_connections") < 50.0).then_some(()));
    });
}

#[test]
fn beyond_the_most_connections_the_next_one_waits_until_one_closes() {
    let daemon = Daemon::start(&server("connections_max = 16\nheader_timeout = \"20s\""));
    eventually("only this request is open", || {
        (daemon.metric("onscene_http_connections") <= 1.0).then_some(())
    });
    let mut held: Vec<TcpStream> = (0..16).map(|_| connect(&daemon)).collect();
    let mut next = connect(&daemon);
    let body = r#"{"key":"waits","status":"firing"}"#;
    let more = "Connection: close\r\n";
    next.write_all(format!("{}{body}", head(&body.len().to_string(), more)).as_bytes()).unwrap();
    next.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    let early = next.read(&mut [0; 64]);
    assert!(early.is_err(), "served beyond the limit: {early:?}");
    next.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(held.pop());
    assert_eq!(statuses(&rest(&mut next)), [202]);
    drop(held);
    beside(&daemon, || {});
}

#[test]
fn clients_that_hold_every_slot_lose_them_at_their_deadline() {
    let daemon = Daemon::start(&server("connections_max = 16\nheader_timeout = \"1s\""));
    let held: Vec<TcpStream> = (0..64).map(|_| connect(&daemon)).collect();
    let began = Instant::now();
    assert_eq!(daemon.alert("waits", "firing").status, 202);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(held);
    beside(&daemon, || {});
}

#[test]
fn a_full_queue_says_503_with_a_time_and_what_was_queued_is_taken() {
    let daemon = Daemon::start(&on_a_file(&server("queue_max = 2")));
    assert_eq!(daemon.alert("first", "firing").status, 202);
    let lock = rusqlite::Connection::open(daemon.directory.join("onscene.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let answers: Vec<(usize, Answer)> = std::thread::scope(|scope| {
        let daemon = &daemon;
        let askers: Vec<_> = (0..16)
            .map(|number| scope.spawn(move || (number, daemon.alert(&format!("key-{number}"), "firing"))))
            .collect();
        // Less than the daemon waits for the lock.
        std::thread::sleep(Duration::from_secs(2));
        lock.execute_batch("rollback").unwrap();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    let refused: Vec<_> = answers.iter().filter(|(_, answer)| answer.status != 202).collect();
    assert!(refused.len() >= 10, "{} of 16 refused: the queue has 2 places", refused.len());
    assert!(refused.len() < 16, "what was queued is taken when the lock is gone");
    for (_, answer) in refused {
        problem(answer, 503);
        assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    }
    for (number, answer) in &answers {
        // The daemon's own work wants places in the queue too.
        let again = eventually("there is room again", || {
            Some(daemon.alert(&format!("key-{number}"), "firing")).filter(|answer| answer.status == 202)
        });
        let again = again.json();
        let expected = if answer.status == 202 { "repeated" } else { "opened" };
        assert_eq!(again["results"][0]["outcome"], expected, "key-{number}: 503 means nothing was changed");
    }
    beside(&daemon, || {});
}
