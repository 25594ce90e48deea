//! A disk that is full, a store that cannot be written or is held by another: 503 meanwhile, and everything goes on
//! by itself afterwards. Nothing that was accepted is lost.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use onscene::clock::Clock;
use onscene::store::{Connection, Place, StoreError};

use super::harness::{Daemon, HOUSE, eventually, on_a_file, program, request};

/// Runs a program as root; the tests run as root or through sudo.
fn as_root(name: &str, arguments: &[&str]) -> bool {
    let path = program(&[name]);
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let mut command = if root { Command::new(path) } else { Command::new(program(&["sudo"])) };
    if !root {
        command.arg("-n").arg(program(&[name]));
    }
    command.args(arguments).status().is_ok_and(|status| status.success())
}

/// A small file system of its own, gone with the test.
struct Small(String);

impl Small {
    fn mount(daemon: &Daemon) -> Self {
        let at = daemon.directory.join("small").to_str().unwrap().to_owned();
        fs::create_dir_all(&at).unwrap();
        assert!(
            as_root("mount", &["-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", &at]),
            "tmpfs cannot be mounted"
        );
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root("umount", &["-l", &self.0]);
    }
}

fn refuses(daemon: &Daemon) {
    let refused = daemon.alert("meanwhile", "firing");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.to_lowercase().contains("retry-after:"), "{}", refused.head);
    assert!(refused.head.contains("application/problem+json"), "{}", refused.head);
    eventually("it says that it is not ready", || {
        daemon.get("/readyz").filter(|answer| answer.status == 503)
    });
    assert_eq!(daemon.get("/healthz").unwrap().status, 200, "alive all the same");
    eventually("it is seen from outside", || (daemon.metric("onscene_store_up") == 0.0).then_some(()));
}

fn goes_on(daemon: &mut Daemon, accepted: usize) {
    eventually("it is ready again, without a restart", || {
        daemon.get("/readyz").filter(|answer| answer.status == 200)
    });
    assert_eq!(daemon.metric("onscene_store_up"), 1.0);
    assert_eq!(daemon.alert("meanwhile", "firing").json()["results"][0]["outcome"], "opened");
    daemon.mail_to("maya@example.net", "meanwhile is down");
    let token = daemon.token("maya");
    let mut seen = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/incidents?limit=100{cursor}");
        let page = daemon.api(&token, "GET", &path, &serde_json::Value::Null).json();
        seen += page["incidents"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, accepted + 1, "what was accepted, and no more");
    assert!(daemon.verify().contains("whole"));
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let mut daemon = on_a_small_disk();
    let small = Small::mount(&daemon);
    daemon.go();
    let mut accepted = 0;
    while daemon.alert(&format!("alert-{accepted}"), "firing").status == 202 {
        accepted += 1;
        assert!(accepted < 20_000, "the disk does not fill");
    }
    assert!(accepted > 10, "{accepted}");
    // What is left is too little for an alert and may be enough for less.
    fill(&daemon);
    refuses(&daemon);
    assert!(as_root("mount", &["-o", "remount,size=64m", &small.0]));
    goes_on(&mut daemon, accepted);
}

/// Takes all that is left.
fn fill(daemon: &Daemon) {
    let mut filler = fs::File::create(daemon.directory.join("small/filler")).unwrap();
    while filler.write_all(&[0; 512]).is_ok() {}
}

fn on_a_small_disk() -> Daemon {
    Daemon::prepare(&HOUSE.replace("sqlite:DIR/onscene.db", "sqlite:DIR/small/onscene.db"))
}

#[test]
fn a_disk_that_fills_while_nobody_writes_is_seen_and_no_reason_to_be_started_again() {
    let mut daemon = on_a_small_disk();
    let config = fs::read_to_string(&daemon.config).unwrap();
    let emergency = "[emergency]\nafter = \"10s\"\npage = [\"person:tom\"]\n";
    fs::write(&daemon.config, format!("{config}\n{emergency}")).unwrap();
    let _small = Small::mount(&daemon);
    let path = daemon.directory.join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = [0; 4096];
        while let Ok(length) = ear.recv(&mut said)
            && heard.send(said[..length].trim_ascii() == b"WATCHDOG=1").is_ok()
        {}
    });
    daemon.launch(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "600000")]);
    eventually("the daemon is ready", || daemon.get("/readyz").filter(|answer| answer.status == 200));
    fill(&daemon);
    eventually("it says that it is not ready", || {
        daemon.get("/readyz").filter(|answer| answer.status == 503)
    });
    let _before = hears.try_iter().count();
    for _ in 0..5 {
        assert!(hears.recv_timeout(Duration::from_secs(10)).expect("a sign of life"));
    }
    refuses(&daemon);
    let told = daemon.mail_to("tom@example.net", "cannot write to its store");
    assert!(told.contains("no spool: alerts are answered with 503"), "{told}");
    assert!(told.contains("- https://meet.example.net/sre (bridge of "), "{told}");
    fs::remove_file(daemon.directory.join("small/filler")).unwrap();
    goes_on(&mut daemon, 0);
}

#[test]
fn a_start_on_a_full_disk_says_so_and_is_mended_by_room() {
    let mut daemon = on_a_small_disk();
    let _small = Small::mount(&daemon);
    daemon.go();
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "before is down");
    daemon.kill();
    fill(&daemon);
    daemon.launch(&[]);
    let ended = eventually("it ends, or says that it is not ready", || {
        let ended = daemon.program.as_mut().and_then(|program| program.0.try_wait().unwrap());
        let refuses = daemon.get("/readyz").is_some_and(|answer| answer.status == 503);
        (ended.is_some() || refuses).then_some(ended)
    });
    if let Some(ended) = ended {
        assert_eq!(ended.code(), Some(1));
        assert!(daemon.log().contains("full"), "{}", daemon.log());
        daemon.program = None;
    }
    fs::remove_file(daemon.directory.join("small/filler")).unwrap();
    if daemon.program.is_none() {
        daemon.go();
    }
    goes_on(&mut daemon, 1);
}

#[test]
fn a_store_whose_file_is_taken_away_is_said_and_survived() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE));
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "before is down");
    let (place, away) = (daemon.directory.join("onscene.db"), daemon.directory.join("away.db"));
    fs::rename(&place, &away).unwrap();
    eventually("it says that it is not ready", || {
        daemon.get("/readyz").filter(|answer| answer.status == 503)
    });
    refuses(&daemon);
    assert!(!place.exists(), "no empty store is made in its place");
    fs::rename(&away, &place).unwrap();
    goes_on(&mut daemon, 1);
}

#[test]
fn a_store_with_another_file_in_its_place_ends_the_daemon_and_spoils_neither() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE));
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "before is down");
    let (place, copy) = (daemon.directory.join("onscene.db"), daemon.directory.join("copy.db"));
    let old = daemon.directory.join("old.db");
    Connection::reader(&Place::Sqlite(place.clone()), &Clock::system()).unwrap().copy_to(&copy).unwrap();
    // These stand in the log of changes when the files are exchanged, and belong to the old one.
    for n in 0..200 {
        assert_eq!(daemon.alert(&format!("later-{n}"), "firing").status, 202);
    }
    fs::hard_link(&place, &old).unwrap();
    fs::rename(&copy, &place).unwrap();
    let mut taken = 0;
    let ended = eventually("it ends", || {
        let body = br#"{"key":"lost","status":"firing"}"#;
        let answer = request(daemon.address, "POST", "/in/scripts/test-token-of-scripts", &[], body);
        taken += usize::from(answer.is_some_and(|answer| answer.status == 202));
        daemon.program.as_mut().and_then(|program| program.0.try_wait().unwrap())
    });
    assert_eq!((ended.code(), taken), (Some(1), 0), "nothing goes into a file that is nowhere");
    assert!(daemon.log().contains("is not the file any more that was opened"), "{}", daemon.log());
    let now = Clock::system().now();
    for (file, incidents) in [(&place, 1), (&old, 201)] {
        let mut store = Connection::reader(&Place::Sqlite(file.clone()), &Clock::system()).unwrap();
        let whole = store.read(now, |tx| {
            let sound = tx.query_one("pragma integrity_check", &[], |row| row.text(0))?;
            let count = tx.query_one("select count(*) from incident", &[], |row| row.int(0))?;
            Ok::<_, StoreError>((sound, count))
        });
        assert_eq!(whole.unwrap(), (Some("ok".into()), Some(incidents)), "{}", file.display());
    }
    daemon.program = None;
    daemon.go();
    goes_on(&mut daemon, 1);
}

#[test]
fn a_store_that_cannot_be_written_is_said_and_survived() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE));
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "before is down");
    let files =
        ["onscene.db", "onscene.db-wal"].map(|name| daemon.directory.join(name).to_str().unwrap().to_owned());
    let chattr = |flag: &str| as_root("chattr", &[flag, &files[0], &files[1]]);
    assert!(chattr("+i"), "the file system of the tests has no immutable files (ext4 has)");
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| refuses(&daemon)));
    assert!(chattr("-i"));
    if let Err(panic) = refused {
        std::panic::resume_unwind(panic);
    }
    goes_on(&mut daemon, 1);
}

/// Holds the store as another process does that writes and does not end.
pub struct Hold {
    let_go: mpsc::SyncSender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Hold {
    pub fn on(store: PathBuf) -> Self {
        let (let_go, told) = mpsc::sync_channel(1);
        let (held, is_held) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let now = Clock::system().now();
            let mut store = Connection::writer(&Place::Sqlite(store), &Clock::system()).unwrap();
            let holds = store.write(now, |_| {
                held.send(()).unwrap();
                let _gone = told.recv();
                Ok::<_, StoreError>(())
            });
            holds.unwrap();
        });
        is_held.recv().unwrap();
        Self { let_go, thread: Some(thread) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _gone = self.let_go.send(());
        if let Some(thread) = self.thread.take() {
            let _gone = thread.join();
        }
    }
}

#[test]
fn a_store_that_another_holds_is_said_and_survived() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE));
    assert_eq!(daemon.alert("before", "firing").status, 202);
    let holds = Hold::on(daemon.directory.join("onscene.db"));
    refuses(&daemon);
    drop(holds);
    goes_on(&mut daemon, 1);
}

#[test]
fn when_too_many_wait_for_the_disk_the_next_is_told_to_come_again() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE).replace("[server]\n", "[server]\nqueue_max = 4\n"));
    let holds = Hold::on(daemon.directory.join("onscene.db"));
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..24)
            .map(|n| {
                let daemon = &daemon;
                scope.spawn(move || {
                    let answer = daemon.alert(&format!("waits-{n}"), "firing");
                    (answer.status, answer.body)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(1));
        drop(holds);
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let full =
        answers.iter().filter(|(status, body)| *status == 503 && body.contains("wait for the disk")).count();
    let accepted = answers.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(full + accepted, 24, "{answers:?}");
    // The batch that waits for the disk took what the queue held when it began, and the queue is full again.
    assert!(full >= 10 && accepted >= 4, "{full} full, {accepted} accepted");
    goes_on(&mut daemon, accepted);
}
