//! Rotations that follow a calendar, and calendars that follow rotations: over HTTP, with everything that breaks on the way.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, eventually, request, within};
use super::silenced::page;

/// A house in which `sre` follows a calendar at an address.
pub fn house(url: &str, more: &str) -> String {
    let begins = HOUSE.find("members = [\"maya\"]").unwrap();
    let ends = HOUSE.find("[[escalation]]").unwrap();
    let follows = format!("calendar_url = \"{url}\"\nprivate_addresses = \"allow\"\n{more}");
    format!("{}{follows}{}", &HOUSE[..begins], &HOUSE[ends..])
}

/// An hour of UTC as an iCalendar file has it.
pub fn hour(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A calendar in which somebody is on call from an hour ago until tomorrow.
fn says(summary: &str) -> String {
    let (from, until) =
        (Timestamp::now() - SignedDuration::from_hours(1), Timestamp::now() + SignedDuration::from_hours(24));
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{summary}\r\n\
         DTSTART:{}\r\nDTEND:{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        hour(from),
        hour(until)
    )
}

/// A server that answers whatever it is told to, byte by byte.
struct Server {
    port: u16,
    answer: Arc<Mutex<Vec<u8>>>,
    /// It is kept waiting for so long.
    silent: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, answer: Arc::default(), silent: Arc::default(), heads: Arc::default() };
        let (answer, silent, heads) = (server.answer.clone(), server.silent.clone(), server.heads.clone());
        // It ends with this process, as nobody asks it any more.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                    head.push(byte[0]);
                }
                heads.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                let bytes = answer.lock().unwrap().clone();
                let silent = Duration::from_secs(silent.load(Ordering::Acquire) as u64);
                if silent.is_zero() {
                    let _gone = stream.write_all(&bytes);
                } else {
                    std::thread::spawn(move || {
                        let _gone = stream.write_all(&bytes[..bytes.len() / 2]);
                        std::thread::sleep(silent);
                    });
                }
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/private-4711/network.ics", self.port)
    }

    fn answers(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.raw(&format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ));
    }

    fn raw(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.as_bytes().to_vec();
    }

    fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// Who is on call in a rotation at an hour, and what is known of its calendar.
pub fn on_call(daemon: &Daemon, token: &str, rotation: &str, at: Option<Timestamp>) -> (Vec<String>, Value) {
    let at = at.map(|at| format!("&at={at}")).unwrap_or_default();
    let path = format!("/api/v1/oncall?rotation={rotation}{at}");
    let answer = daemon.api(token, "GET", &path, &Value::Null).json();
    let rows = answer["oncall"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    let people = rows.iter().filter_map(|row| row["person"].as_str().map(str::to_owned)).collect();
    let known = rows.first().or_else(|| answer["nobody"].as_array()?.first());
    (people, known.map(|row| row["calendar"].clone()).unwrap_or_default())
}

/// Reads its configuration again, and so asks for its calendars.
pub fn reloads(daemon: &Daemon) {
    daemon.program.as_ref().unwrap().signal("HUP");
}

fn woken(daemon: &Daemon, key: &str, person: &str) {
    assert_eq!(daemon.alert(key, "firing").status, 202);
    daemon.mail_to(&format!("{person}@example.net"), &format!("{key} is down"));
}

#[test]
fn a_calendar_that_breaks_in_any_way_leaves_whoever_was_on_call_and_they_are_woken() {
    let server = Server::start();
    server.answers("200 OK", "ETag: \"one\"\r\n", &says("Maya Lind"));
    let mut daemon = Daemon::start(&house(&server.url(), "calendar_stale = \"15m\"\n"));
    let token = daemon.token("maya");
    let state = |daemon: &Daemon| on_call(daemon, &token, "sre", None);
    let first = eventually("the calendar is read", || {
        let (people, calendar) = state(&daemon);
        (people == ["maya"] && calendar["error"].is_null()).then_some(calendar)
    });
    assert!(daemon.metric("onscene_calendar_age_seconds{rotation=\"sre\"}") < 30.0);
    woken(&daemon, "db-0", "maya");
    let whole = says("Tom Berg");
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let half = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", whole.len(), cut(&whole));
    let chunk =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{whole}\r\n", whole.len());
    let until_closed = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", cut(&whole));
    let page_of_login = "<!doctype html><html><title>Log in</title></html>";
    let huge = format!("{whole}{}", "X-FILL:x\r\n".repeat(120_000));
    let nobody = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nEND:VCALENDAR\r\n";
    let elsewhere = "Location: http://localhost:9/private-4711/network.ics\r\n";
    type Break<'a> = (&'a str, &'a dyn Fn());
    let breaks: [Break<'_>; 12] = [
        ("answered with 404", &|| server.answers("404 Not Found", "", "no")),
        ("answered with 500", &|| server.answers("500 Internal Server Error", "", "")),
        ("answered with 401", &|| server.answers("401 Unauthorized", "", &whole)),
        ("breaks off before its end", &|| server.raw(&half)),
        ("the answer breaks off", &|| server.raw(&chunk)),
        ("it breaks off before its end", &|| server.raw(&until_closed)),
        ("no iCalendar file", &|| server.answers("200 OK", "", page_of_login)),
        ("more than 1048576 bytes", &|| server.answers("200 OK", "", &huge)),
        ("this is no iCalendar file", &|| server.answers("200 OK", "", "")),
        ("it has no events", &|| server.answers("200 OK", "", nobody)),
        ("none of its events names", &|| server.answers("200 OK", "", &says("Team lunch"))),
        ("on another host", &|| server.answers("302 Found", elsewhere, "")),
    ];
    for (number, (why, breaks)) in breaks.into_iter().enumerate() {
        breaks();
        reloads(&daemon);
        eventually(why, || {
            state(&daemon).1["error"].as_str().is_some_and(|error| error.contains(why)).then_some(())
        });
        let (people, calendar) = state(&daemon);
        assert_eq!(
            (people, &calendar["fetched_at"]),
            (vec!["maya".to_owned()], &first["fetched_at"]),
            "{why}"
        );
        woken(&daemon, &format!("db-{}", number + 1), "maya");
    }
    // It was asked for by what is known, and that the address is a secret is known, too.
    assert!(server.last_head().to_lowercase().contains("if-none-match: \"one\""), "{}", server.last_head());
    // A daemon that is killed and started again knows it still, from its store.
    daemon.kill();
    daemon.go();
    assert_eq!(state(&daemon).0, ["maya"]);
    woken(&daemon, "db-90", "maya");
    let log = daemon.log();
    assert_eq!(
        log.matches("the calendar of a rotation cannot be read").count(),
        2,
        "once for each process: {log}"
    );
    assert!(!log.contains("private-4711"), "{log}");
    server.answers("200 OK", "", &whole);
    reloads(&daemon);
    eventually("it is read again", || (state(&daemon).0 == ["tom"]).then_some(()));
    woken(&daemon, "db-91", "tom");
    assert!(daemon.log().contains("the calendar of a rotation can be read again"));
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_calendar_that_never_ends_its_answer_keeps_nobody_waiting() {
    let server = Server::start();
    server.answers("200 OK", "", &says("maya"));
    server.silent.store(120, Ordering::Release);
    let daemon = Daemon::start(&house(&server.url(), ""));
    let token = daemon.token("maya");
    // Nobody is on call by it, so the next step is taken at once.
    woken(&daemon, "db-1", "tom");
    within(Duration::from_secs(60), "it is given up", || {
        let error = on_call(&daemon, &token, "sre", None).1["error"].clone();
        (error == "no whole answer in 30 s").then_some(())
    });
    assert!(page(&daemon, &token, "/").contains("The calendar of rotation sre was never read"));
    server.silent.store(0, Ordering::Release);
    reloads(&daemon);
    eventually("it is read", || (on_call(&daemon, &token, "sre", None).0 == ["maya"]).then_some(()));
    assert!(!page(&daemon, &token, "/").contains("The calendar of rotation"));
}

#[test]
fn what_of_a_calendar_is_nobodys_is_told_wherever_people_look() {
    let server = Server::start();
    let (maya, lunch) = (says("maya"), says("Team lunch").replace("UID:1", "UID:2"));
    let event = &lunch[lunch.find("BEGIN:VEVENT").unwrap()..lunch.find("END:VCALENDAR").unwrap()];
    server.answers("200 OK", "", &maya.replace("END:VCALENDAR", &format!("{event}END:VCALENDAR")));
    let daemon = Daemon::start(&house(&server.url(), ""));
    let token = daemon.token("maya");
    let told = "1 time of an event names nobody of the configuration, and nobody is on call for that: \"Team lunch\"";
    eventually("it is told", || {
        let (people, calendar) = on_call(&daemon, &token, "sre", None);
        (people == ["maya"] && calendar["warnings"] == json!([told])).then_some(())
    });
    assert!(page(&daemon, &token, "/").contains("names nobody of the configuration"));
    let checked = daemon.command(&["check"], None);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains(&format!("warning: The calendar of rotation sre: {told}.")), "{said}");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        said.contains("calendar of rotation sre: read 20") && said.contains("; 1 turns to come"),
        "{said}"
    );
    assert!(!daemon.log().contains("Team lunch"), "{}", daemon.log());
}

#[test]
fn a_private_address_shows_one_calendar_until_it_is_revoked() {
    let daemon = Daemon::start(HOUSE);
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let make =
        |args: &[&str], token: &str| daemon.command(&[&["oncall", "calendar"], args].concat(), Some(token));
    let made = make(&["--rotation", "sre"], &maya);
    assert!(made.status.success(), "{made:?}");
    let url = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let path = url.strip_prefix(&format!("http://{}", daemon.address)).unwrap().to_owned();
    assert!(path.starts_with("/calendar/") && path.ends_with(".ics") && path.len() == 10 + 22 + 4, "{path}");
    let shown = daemon.get(&path).unwrap();
    assert_eq!(shown.status, 200);
    let head = shown.head.to_lowercase();
    for header in ["content-type: text/calendar; charset=utf-8", "cache-control: private", "etag: \""] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert!(shown.body.contains("SUMMARY:Maya Lind\r\n") && !shown.body.contains("maya@"), "{}", shown.body);
    assert!(shown.body.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')));
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again = request(daemon.address, "GET", &path, &[("If-None-Match", &etag)], b"").unwrap();
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    // Of oneself, and of nobody else.
    let own = make(&["--person", "tom"], &tom);
    let own = String::from_utf8(own.stdout).unwrap();
    let own = own.trim().strip_prefix(&format!("http://{}", daemon.address)).unwrap().to_owned();
    assert!(!daemon.get(&own).unwrap().body.contains("VEVENT"), "tom is in no rotation");
    let refused = make(&["--person", "maya"], &tom);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let listed = String::from_utf8(make(&["list"], &maya).stdout).unwrap();
    let id = listed.split(' ').next().unwrap().to_owned();
    let secret = &path["/calendar/".len()..path.len() - 4];
    assert!(listed.contains("rotation sre") && !listed.contains(secret), "{listed}");
    assert!(!daemon.log().contains(secret), "{}", daemon.log());
    assert_eq!(daemon.get(&path.replace(".ics", "x.ics")).unwrap().status, 404);
    assert!(make(&["revoke", &id], &maya).status.success());
    assert_eq!(daemon.get(&path).unwrap().status, 404);
    assert_eq!(daemon.get(&own).unwrap().status, 200);
}
