//! Timelines that are followed: by streams of events, by the command, through crashes, cuts and slow readers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::away::{behind_a_way, is_away, is_back};
use super::harness::{
    Answer, Daemon, HOUSE, Program, binary, eventually, on_a_file, on_shared_store, program, request, within,
};
use super::way::{CUTS, PASSES};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");
/// Most who follow at one node.
const FOLLOWERS_MAX: usize = 256;

/// A stream of events over a connection of its own.
pub struct Stream {
    head: String,
    from: BufReader<TcpStream>,
}

impl Stream {
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        socket.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut from = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(from.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Self { head, from }
    }

    /// The next block of lines; `None` at the end.
    fn block(&mut self) -> Option<String> {
        let mut block = String::new();
        while !block.ends_with("\n\n") {
            block.push_str(&self.chunk_line()?);
        }
        Some(block)
    }

    /// A line out of the chunks of the answer: lengths of chunks are lines of their own, and no event looks like one.
    fn chunk_line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(length) = line.strip_suffix("\r\n") {
                if length == "0" {
                    return None;
                }
                continue;
            }
            return Some(line);
        }
    }

    /// The next entry: its id and its JSON.
    pub fn entry(&mut self) -> (u64, Value) {
        loop {
            let block = self.block().expect("the stream ended");
            let Some(rest) = block.strip_prefix("id: ") else { continue };
            let (id, rest) = rest.split_once("\nevent: entry\ndata: ").unwrap();
            return (id.parse().unwrap(), serde_json::from_str(rest.trim_end()).unwrap());
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn follow(daemon: &Daemon, token: &str, query: &str) -> Stream {
    let path = format!("/api/v1/incidents/1/timeline{query}");
    Stream::open(daemon.address, &path, &[STREAM, ("Authorization", &bearer(token))])
}

fn note(daemon: &Daemon, token: &str, text: &str) -> Option<Answer> {
    let headers = [("Authorization", bearer(token))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = json!({"text": text}).to_string();
    request(daemon.address, "POST", "/api/v1/incidents/1/note", &headers, body.as_bytes())
}

fn timeline(daemon: &Daemon, token: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last["seq"].as_u64().unwrap());
        let page =
            daemon.api(token, "GET", &format!("/api/v1/incidents/1/timeline?after={after}"), &Value::Null);
        let page = page.json()["entries"].as_array().unwrap().clone();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// A daemon with an incident that maya commands, whose timeline rests.
fn acknowledged(config: &str) -> (Daemon, String) {
    let daemon = Daemon::start(config);
    let token = daemon.token("maya");
    rests(&daemon, &token);
    (daemon, token)
}

fn rests(daemon: &Daemon, token: &str) {
    daemon.alert("db-1", "firing");
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    let taken = daemon.api(token, "POST", "/api/v1/incidents/1/ack", &json!({}));
    assert_eq!(taken.status, 200, "{taken:?}");
    // Letters about that are on their way, and become entries.
    let mut before = 0;
    within(Duration::from_secs(60), "the timeline rests", || {
        std::thread::sleep(Duration::from_millis(700));
        let now = timeline(daemon, token).len();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
}

#[test]
fn a_stream_has_each_entry_once_and_goes_on_where_it_was_left() {
    let (mut daemon, token) = acknowledged(HOUSE);
    let all = timeline(&daemon, &token);
    let count = all.len() as u64;
    let mut stream = follow(&daemon, &token, "");
    assert!(stream.head.starts_with("HTTP/1.1 200"), "{}", stream.head);
    for header in [
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
        "vary: Accept",
    ] {
        assert!(stream.head.contains(header), "{header}: {}", stream.head);
    }
    assert_eq!(stream.block().unwrap(), "retry: 2000\n\n");
    for known in &all {
        let (id, entry) = stream.entry();
        assert_eq!((Some(id), &entry), (known["seq"].as_u64(), known));
    }
    // From the answer of who wrote it, which comes when it is on disk, to who follows.
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        assert_eq!(note(&daemon, &token, &format!("note {n}")).unwrap().status, 200);
        let answered = Instant::now();
        let (id, entry) = stream.entry();
        slowest = slowest.max(answered.elapsed());
        assert_eq!(id, count + 1 + n);
        assert!(entry["text"].as_str().unwrap().contains(&format!("note {n}")), "{entry}");
        std::thread::sleep(Duration::from_millis(30));
    }
    eprintln!("an entry arrived {slowest:?} after its answer at the latest");
    // 100 ms where nothing else runs.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");

    // What a browser says when it comes again goes before what stood in the address.
    let path = format!("/api/v1/incidents/1/timeline?after={count}");
    let cookie = daemon.cookie(&token);
    let last = (count + 17).to_string();
    let headers = [STREAM, ("Cookie", cookie.as_str()), ("Last-Event-ID", &last)];
    let mut again = Stream::open(daemon.address, &path, &headers);
    assert_eq!(again.entry().0, count + 18);
    assert_eq!(follow(&daemon, &token, &format!("?after={}", count + 19)).entry().0, count + 20);

    // Who may not, and what is not there, is told so as everywhere else.
    let plain =
        |path: &str, headers: &[(&str, &str)]| request(daemon.address, "GET", path, headers, b"").unwrap();
    let place = "/api/v1/incidents/1/timeline";
    assert_eq!(plain(place, &[STREAM]).status, 401);
    assert_eq!(plain(place, &[STREAM, ("Authorization", "Bearer nonsense")]).status, 401);
    let own = bearer(&token);
    assert_eq!(plain("/api/v1/incidents/77/timeline", &[STREAM, ("Authorization", &own)]).status, 404);
    let wrong = [STREAM, ("Authorization", own.as_str()), ("Last-Event-ID", "yesterday")];
    assert_eq!(plain(place, &wrong).status, 400);
    // The cookie is for streams of pages; whoever takes anything gets the list.
    assert_eq!(plain(place, &[("Cookie", &cookie)]).status, 401);
    assert!(plain(place, &[("Authorization", &own), ("Accept", "*/*")]).json()["entries"].is_array());

    assert!(daemon.metric("onscene_timeline_followers") >= 1.0);
    // The end of the daemon is the end of what is followed, at once.
    let began = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(stream.block(), None);
}

#[test]
fn http2_carries_a_stream_too() {
    let (daemon, token) = acknowledged(HOUSE);
    let mut curl = Command::new(program(&["curl"]));
    curl.args(["-sSN", "--http2-prior-knowledge", "--max-time", "60", "-H", "Accept: text/event-stream"]);
    curl.args(["--oauth2-bearer", &token, "-D", "-"]);
    curl.arg(format!("http://{}/api/v1/incidents/1/timeline", daemon.address));
    let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let _program = Program(child);
    assert!(lines.next().unwrap().starts_with("HTTP/2 200"));
    let before = timeline(&daemon, &token).len();
    let ids = lines.by_ref().filter(|line| line.starts_with("id: "));
    assert_eq!(ids.take(before).count(), before);
    note(&daemon, &token, "over HTTP/2").unwrap();
    assert!(lines.any(|line| line.contains("over HTTP/2")));
}

#[test]
fn a_quiet_stream_stays_and_ends_soon_after_its_token_was_revoked() {
    let leaves = "[[person]]\nname = \"lee\"\nfull_name = \"Lee Holm\"\nemail = \"lee@example.net\"\n";
    let (daemon, token) = acknowledged(&format!("{HOUSE}{leaves}"));
    let (toms, lees) = (daemon.token("tom"), daemon.token("lee"));
    let count = timeline(&daemon, &token).len() as u64;
    let after = format!("?after={count}");
    let (mut stays, mut ends) = (follow(&daemon, &token, &after), follow(&daemon, &toms, &after));
    let mut goes = follow(&daemon, &lees, &after);
    let listed = daemon.command(&["token", "list", "--json"], None);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let listed = listed["tokens"].as_array().or(listed.as_array()).unwrap().clone();
    let id = listed.iter().find(|token| token["person"] == "tom").unwrap()["id"].as_str().unwrap().to_owned();
    assert!(daemon.command(&["token", "revoke", &id], None).status.success());
    // Lee is not of the house any more.
    let config = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, config.replace(leaves, "")).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    let began = Instant::now();
    let mut beats = 0;
    while let Some(block) = ends.block() {
        beats += i32::from(block == ":\n\n");
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(beats >= 1, "it was quiet for {:?}", began.elapsed());
    while goes.block().is_some() {}
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(follow(&daemon, &lees, &after).head.starts_with("HTTP/1.1 401"));
    assert_eq!(stays.block().unwrap(), "retry: 2000\n\n");
    assert_eq!(stays.block().unwrap(), ":\n\n");
    note(&daemon, &token, "after the quiet").unwrap();
    assert_eq!(stays.entry().0, count + 1);
}

#[test]
fn a_node_takes_so_many_streams_and_no_more() {
    let (daemon, token) = acknowledged(HOUSE);
    let mut streams: Vec<Stream> = (0..FOLLOWERS_MAX).map(|_| follow(&daemon, &token, "")).collect();
    assert_eq!(daemon.metric("onscene_timeline_followers"), 256.0);
    let full = follow(&daemon, &token, "");
    assert!(full.head.starts_with("HTTP/1.1 503") && full.head.contains("retry-after: 15"), "{}", full.head);
    // All hear the same, and pages are served beside them.
    let count = timeline(&daemon, &token).len() as u64;
    let began = Instant::now();
    note(&daemon, &token, "for all").unwrap();
    for stream in &mut streams {
        while stream.entry().0 <= count {}
    }
    eprintln!("{FOLLOWERS_MAX} heard of it within {:?}", began.elapsed());
    // Whoever goes makes room: it is seen when something is sent to them.
    drop(streams);
    eventually("there is room", || {
        note(&daemon, &token, "is anybody there").unwrap();
        (daemon.metric("onscene_timeline_followers") < 10.0).then_some(())
    });
    assert!(follow(&daemon, &token, "").head.starts_with("HTTP/1.1 200"));
}

#[test]
fn who_reads_no_more_holds_up_nobody_and_is_given_up() {
    const LONG: usize = 11_000;
    let (daemon, token) = acknowledged(HOUSE);
    let resident = || daemon.metric("process_resident_memory_bytes") / 1024.0 / 1024.0;
    // More than all that a kernel keeps for who does not read.
    let load = || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..125 {
                        note(&daemon, &token, &format!("{n} {}", "y".repeat(LONG))).unwrap();
                    }
                });
            }
        });
    };
    // What it costs by itself, and what engines and allocators keep.
    load();
    let before = resident();
    let lazy: Vec<Stream> = (0..20).map(|_| follow(&daemon, &token, "")).collect();
    let mut eager = follow(&daemon, &token, "");
    let heard = Arc::new(AtomicUsize::new(0));
    let counts = heard.clone();
    std::thread::spawn(move || {
        while let Some(block) = eager.block() {
            let id = block.strip_prefix("id: ").and_then(|rest| rest.split('\n').next()?.parse().ok());
            if let Some(id) = id {
                counts.store(id, Ordering::Release);
            }
        }
    });
    load();
    eventually("who reads has heard it all", || (heard.load(Ordering::Acquire) >= 2000).then_some(()));
    let grown = resident() - before;
    eprintln!(
        "22 MB of entries to each of {} who read nothing: the daemon grew by {grown:.1} MiB",
        lazy.len()
    );
    // What they have not read would be 440 MB.
    assert!(grown < 110.0, "{grown}");
    within(Duration::from_secs(60), "who reads nothing is given up", || {
        (daemon.metric("onscene_timeline_followers") < 2.0).then_some(())
    });
    drop(lazy);
}

/// `onscene incident timeline 1 --follow`, with what it printed and said.
struct Command1 {
    program: Program,
    lines: Receiver<String>,
    said: Arc<Mutex<String>>,
}

fn following(daemon: &Daemon, token: &str, more: &[&str]) -> Command1 {
    let mut command = Command::new(binary());
    command.args(["incident", "timeline", "1", "-f"]).args(more).arg("--config").arg(&daemon.config);
    command.env("ONSCENE_TOKEN", token).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (put, lines) = sync_channel(10_000);
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _full = put.try_send(line);
        }
    });
    let said = Arc::new(Mutex::new(String::new()));
    let kept = said.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            kept.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    Command1 { program: Program(child), lines, said }
}

#[test]
fn a_thousand_notes_are_followed_across_a_kill_each_once_and_in_order() {
    const WRITERS: usize = 5;
    const NOTES: usize = 1000;
    let (mut daemon, token) = acknowledged(HOUSE);
    let follower = following(&daemon, &token, &["--json"]);
    let written = AtomicUsize::new(0);
    let address = daemon.address;
    let write = |until: usize| {
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (written, token) = (&written, &token);
                scope.spawn(move || {
                    let headers = [("Authorization", bearer(token))];
                    let headers: Vec<(&str, &str)> =
                        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    while written.load(Ordering::Acquire) < until {
                        let body = json!({"text": format!("writer {writer}")}).to_string();
                        let path = "/api/v1/incidents/1/note";
                        let answer = request(address, "POST", path, &headers, body.as_bytes());
                        match answer.map(|answer| answer.status) {
                            Some(200) => written.fetch_add(1, Ordering::AcqRel),
                            Some(503) | None => return,
                            other => panic!("{other:?}"),
                        };
                    }
                });
            }
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(NOTES));
        eventually("half of it is written", || (written.load(Ordering::Acquire) >= NOTES / 2).then_some(()));
        daemon.kill();
    });
    std::thread::sleep(Duration::from_millis(1500));
    daemon.go();
    write(NOTES);
    let all = timeline(&daemon, &token);
    assert!(all.len() >= NOTES, "{}", all.len());
    for known in &all {
        let line = follower.lines.recv_timeout(Duration::from_secs(30));
        let line = line.unwrap_or_else(|_| panic!("{known}: {}", follower.said.lock().unwrap()));
        assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), known);
    }
    assert!(follower.lines.recv_timeout(Duration::from_millis(300)).is_err(), "nothing else was printed");
    let said = follower.said.lock().unwrap().clone();
    assert!(said.contains("; trying again") && said.contains("following again"), "{said}");
    assert!(daemon.verify().contains("whole"));
    // As `tail -f` ends.
    let mut program = follower.program;
    program.signal("INT");
    let ended = program.0.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2), "{ended:?}");
}

#[test]
fn the_command_says_what_it_cannot_follow_and_ends_with_its_reader() {
    let (mut daemon, token) = acknowledged(HOUSE);
    let gone = daemon.command(&["incident", "timeline", "77", "--follow"], Some(&token));
    assert!(gone.status.code() == Some(1), "{gone:?}");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("there is no incident 77"), "{gone:?}");
    let unknown = daemon.command(&["incident", "timeline", "1", "--follow"], Some("nonsense"));
    assert!(unknown.status.code() == Some(1), "{unknown:?}");
    // For people: the same lines as without --follow.
    let follower = following(&daemon, &token, &[]);
    let whole = daemon.command(&["incident", "timeline", "1"], Some(&token));
    for line in String::from_utf8(whole.stdout).unwrap().lines() {
        assert_eq!(follower.lines.recv_timeout(Duration::from_secs(30)).unwrap(), line);
    }
    // `| head -1`
    let mut child = Command::new(binary())
        .args(["incident", "timeline", "1", "-f", "--config"])
        .arg(&daemon.config)
        .env("ONSCENE_TOKEN", &token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    assert!(out.read(&mut [0; 10]).unwrap() > 0);
    drop(out);
    let mut child = Program(child);
    let ended = eventually("it ends with its reader", || {
        note(&daemon, &token, "one more").unwrap();
        child.0.try_wait().unwrap()
    });
    assert!(ended.success(), "{ended:?}");
    daemon.stop();
    let nobody = daemon.command(&["incident", "timeline", "1", "-f"], Some(&token));
    assert_eq!(nobody.status.code(), Some(69), "{nobody:?}");
}

#[test]
fn what_another_node_writes_arrives_within_about_a_second() {
    let config = on_shared_store(HOUSE);
    let (one, other) = (Daemon::start(&config), Daemon::start(&config));
    let token = one.token("maya");
    rests(&one, &token);
    let count = timeline(&one, &token).len() as u64;
    let mut stream = follow(&one, &token, &format!("?after={count}"));
    let mut slowest = Duration::ZERO;
    for n in 1..=10 {
        assert_eq!(note(&other, &token, "from another node").unwrap().status, 200);
        let answered = Instant::now();
        assert_eq!(stream.entry().0, count + n);
        slowest = slowest.max(answered.elapsed());
        std::thread::sleep(Duration::from_millis(73 * n));
    }
    eprintln!("an entry of another node arrived {slowest:?} after its answer at the latest");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
}

#[test]
fn a_stream_says_that_the_store_is_away_and_goes_on_when_it_is_back() {
    let (mut daemon, way) = behind_a_way("");
    daemon.go();
    let token = daemon.token("maya");
    rests(&daemon, &token);
    let count = timeline(&daemon, &token).len() as u64;
    let mut stream = follow(&daemon, &token, "");
    for _ in 0..count {
        stream.entry();
    }
    eventually("it is copied", || (daemon.metric("onscene_mirror_age_seconds") < 1.0).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    way.is(CUTS);
    is_away(&daemon);
    let said = stream.block().unwrap();
    assert!(
        said.starts_with(": the store cannot be reached") && said.contains("event: store\ndata: away\n\n")
    );
    // Who comes now sees what was known, and hears the same.
    let mut new = follow(&daemon, &token, "");
    assert_eq!(new.block().unwrap(), "retry: 2000\n\n");
    let mut seen = 0;
    loop {
        let block = new.block().unwrap();
        match block.starts_with("id: ") {
            true => seen += 1,
            false => {
                assert!(block.starts_with(": the store cannot be reached"), "{block}");
                if seen == count {
                    break;
                }
            }
        }
        if seen == count {
            break;
        }
    }
    way.is(PASSES);
    is_back(&daemon);
    while stream.block().unwrap() != ": the store is back\nevent: store\ndata: back\n\n" {}
    note(&daemon, &token, "it is back").unwrap();
    assert_eq!((stream.entry().0, new.entry().0), (count + 1, count + 1));
}

#[test]
fn scripts_are_kept_for_ever_under_the_name_of_what_they_are() {
    let (daemon, token) = acknowledged(&on_a_file(HOUSE));
    let cookie = daemon.cookie(&token);
    let page = request(daemon.address, "GET", "/incidents/1", &[("Cookie", &cookie)], b"").unwrap();
    assert!(page.head.contains("script-src 'self'; connect-src 'self'"), "{}", page.head);
    let scripts: Vec<&str> = page.body.match_indices("<script").map(|(at, _)| &page.body[at..]).collect();
    assert_eq!(scripts.len(), 1, "one, and nothing that stands in the page itself");
    let path = scripts[0].strip_prefix("<script src=\"").unwrap().split('"').next().unwrap();
    let script = daemon.get(path).unwrap();
    assert!(script.status == 200 && script.head.contains("immutable"), "{}", script.head);
    assert!(script.head.contains("content-type: text/javascript"), "{}", script.head);
    assert_eq!(daemon.get("/scripts/timeline-0000000000000000.js").unwrap().status, 404);
    let other = request(daemon.address, "GET", "/", &[("Cookie", &cookie)], b"").unwrap();
    assert!(!other.head.contains("script-src") && !other.body.contains("<script"), "{}", other.head);
}
