//! A disk that is full, read-only, or in somebody else's hands.
//!
//! While the store takes no writes, senders are told 503 with an hour to come again, `/readyz` says so, and nothing is
//! promised. When it takes them again the daemon goes on without a restart, and nothing that was accepted is lost.
//!
//! Full is a limit of the process on the size of files (`RLIMIT_FSIZE`): every write of it then fails as on a disk
//! without room, here as in a container, and `prlimit` makes room again from outside.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::{
    Answer, Daemon, Ender, HOUSE, PATIENCE, Program, answer_link, binary, eventually, program,
};

/// Nobody on every system.
const NOBODY: u32 = 65534;

/// The daemon has looked at a store that is in other hands by then, for longer than it waits for them.
const PROBES: Duration = Duration::from_secs(8);

/// Starts the daemon through a shell line, in which `"$@"` is its command. Its log goes through a pipe, so that no
/// limit of the daemon's meets it.
fn launch(daemon: &mut Daemon, shell: &str) {
    daemon.program = Some(spawn(daemon, shell));
    ready(daemon);
}

fn spawn(daemon: &Daemon, shell: &str) -> Program {
    let mut child = Command::new(program(&["sh"]))
        .args(["-c", shell, "sh"])
        .arg(binary())
        .args(["serve", "--config"])
        .arg(&daemon.config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = File::options().create(true).append(true).open(daemon.directory.join("log")).unwrap();
    // Ends with the daemon.
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _full = writeln!(log, "{line}");
        }
    });
    Program(child)
}

fn ready(daemon: &Daemon) {
    eventually("the daemon is ready", || daemon.get("/readyz").filter(|answer| answer.status == 200));
}

/// Leaves files this many bytes.
fn limit(daemon: &Daemon, bytes: &str) {
    let pid = daemon.program.as_ref().unwrap().0.id().to_string();
    let set =
        Command::new(program(&["prlimit"])).args(["--pid", &pid, &format!("--fsize={bytes}:")]).output();
    let set = set.unwrap();
    assert!(set.status.success(), "{set:?}");
}

/// 503 as senders understand it.
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    let problem = answer.json();
    assert_eq!(
        (&problem["status"], &problem["type"]),
        (&503.into(), &"urn:onscene:problem:unavailable".into())
    );
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}

/// It takes no writes, says so, and is alive.
fn down(daemon: &Daemon) {
    eventually("the daemon says that it is not ready", || {
        daemon.get("/readyz").filter(|answer| answer.status == 503)
    });
    assert_eq!(daemon.metric("onscene_store_up"), 0.0);
    assert_eq!(daemon.get("/healthz").unwrap().status, 200);
}

/// It takes them again; these are accepted and no others.
fn whole(daemon: &Daemon, accepted: &[String]) {
    ready(daemon);
    assert_eq!(daemon.metric("onscene_store_up"), 1.0);
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    for key in accepted {
        let again = daemon.alert(key, "firing").json();
        assert_eq!(again["results"][0]["outcome"], "repeated", "{key} was accepted: {again}");
    }
    assert!(daemon.verify().contains("whole"));
    assert!(!daemon.log().to_lowercase().contains("panic"), "{}", daemon.log());
}

/// Posts alerts of distinct keys until told to stop; answers which were accepted.
fn posting(daemon: &Daemon, name: &str, stop: &AtomicBool) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let key = format!("{name}-{number}");
        let answer = daemon.alert(&key, "firing");
        if answer.status == 202 {
            accepted.push(key);
        } else {
            refused(&answer);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    accepted
}

#[test]
fn a_full_disk_is_503_until_there_is_room_and_nothing_accepted_is_lost() {
    let mut daemon = Daemon::prepare(HOUSE);
    launch(&mut daemon, "trap '' XFSZ; exec \"$@\"");
    assert_eq!(daemon.alert("before", "firing").status, 202);
    let link = answer_link(&daemon.mail_to("maya@example.net", "[INC-1]"));
    let token = daemon.token("maya");
    let stop = AtomicBool::new(false);
    let accepted = std::thread::scope(|scope| {
        let ender = Ender(&stop);
        let threads = ["a", "b", "c"].map(|name| scope.spawn(|| posting(&daemon, name, &stop)));
        std::thread::sleep(Duration::from_millis(300));
        limit(&daemon, "1");
        down(&daemon);
        for number in 0..10 {
            refused(&daemon.alert(&format!("full-{number}"), "firing"));
        }
        // What cannot be read cannot be kept either: the sender has to come again.
        refused(&daemon.post("/in/scripts/test-token-of-scripts", b"\xff"));
        let answered = daemon.post(&link, b"answer=take");
        assert_eq!(answered.status, 503, "{answered:?}");
        assert!(answered.body.contains("could not be written down"), "{}", answered.body);
        // Whoever looks still sees what there is.
        let path = "/api/v1/incidents/1";
        let shown = daemon.api(&token, "GET", path, &serde_json::Value::Null).json();
        assert_eq!(shown["state"], "triggered");
        std::thread::sleep(Duration::from_secs(3));
        down(&daemon);
        limit(&daemon, "unlimited");
        ready(&daemon);
        assert_eq!(daemon.alert("after", "firing").status, 202);
        assert!(daemon.post(&link, b"answer=take").body.contains("You have command"));
        drop(ender);
        threads.map(|thread| thread.join().unwrap()).concat()
    });
    assert!(accepted.len() > 5, "{accepted:?}");
    whole(&daemon, &accepted);
    // Nobody is left unwoken, also by a page that met the full disk.
    for incident in 2..=accepted.len() + 2 {
        daemon.mail_to("maya@example.net", &format!("Subject: [INC-{incident}] "));
    }
    assert!(daemon.log().contains("the store takes no writes"), "{}", daemon.log());
    daemon.kill();
    daemon.go();
    whole(&daemon, &accepted);
}

#[test]
fn an_idle_daemon_finds_out_by_itself_that_the_disk_is_full_and_that_it_is_not() {
    let mut daemon = Daemon::prepare(HOUSE);
    launch(&mut daemon, "trap '' XFSZ; exec \"$@\"");
    limit(&daemon, "1");
    down(&daemon);
    limit(&daemon, "unlimited");
    whole(&daemon, &[]);
}

#[test]
fn a_store_in_somebody_elses_hands_is_503_until_it_is_let_go() {
    let daemon = Daemon::start(HOUSE);
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "[INC-1]");
    let other = rusqlite::Connection::open(daemon.directory.join("onscene.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let stop = AtomicBool::new(false);
    let accepted = std::thread::scope(|scope| {
        let ender = Ender(&stop);
        let threads = ["a", "b", "c"].map(|name| scope.spawn(|| posting(&daemon, name, &stop)));
        down(&daemon);
        refused(&daemon.alert("locked", "firing"));
        other.execute_batch("rollback").unwrap();
        ready(&daemon);
        std::thread::sleep(Duration::from_millis(500));
        drop(ender);
        threads.map(|thread| thread.join().unwrap()).concat()
    });
    assert!(!accepted.is_empty(), "the threads were accepted when it was let go");
    let opened = daemon.alert("locked", "firing").json();
    assert_eq!(opened["results"][0]["outcome"], "opened", "503 means that nothing was changed");
    whole(&daemon, &accepted);
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let mut daemon = Daemon::prepare(HOUSE);
    launch(&mut daemon, "exec \"$@\" 2>/dev/full");
    assert_eq!(daemon.alert("key", "firing").status, 202);
    let unreadable = daemon.post("/in/scripts/test-token-of-scripts", b"\xff");
    assert_eq!(unreadable.status, 400, "{unreadable:?}");
    daemon.mail_to("maya@example.net", "[INC-1]");
    daemon.program.as_ref().unwrap().signal("HUP");
    whole(&daemon, &["key".to_owned()]);
    assert_eq!(daemon.stop(), Some(0));
}

/// Runs the daemon as somebody for whom rights count: root passes over them.
fn as_nobody(daemon: &mut Daemon) -> String {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        return "exec \"$@\"".to_owned();
    }
    // Where the binary is, nobody may not be able to go.
    let copy = daemon.directory.join("onscene");
    fs::copy(binary(), &copy).unwrap();
    chown(daemon);
    let setpriv = program(&["setpriv"]);
    format!(
        "shift; exec {} --reuid={NOBODY} --regid={NOBODY} --clear-groups {} \"$@\"",
        setpriv.display(),
        copy.display()
    )
}

fn chown(daemon: &Daemon) {
    let given =
        Command::new(program(&["chown"])).args(["-R", &NOBODY.to_string()]).arg(&daemon.directory).status();
    assert!(given.unwrap().success());
}

fn rights(daemon: &Daemon, store: u32, directory: u32) {
    for file in ["onscene.db", "onscene.db-wal", "onscene.db-shm"] {
        let path = daemon.directory.join("store").join(file);
        if path.exists() {
            fs::set_permissions(path, Permissions::from_mode(store)).unwrap();
        }
    }
    fs::set_permissions(daemon.directory.join("store"), Permissions::from_mode(directory)).unwrap();
}

#[test]
fn a_store_made_read_only_is_never_answered_with_a_promise_that_is_not_kept() {
    let mut daemon = Daemon::prepare(&HOUSE.replace("DIR/onscene.db", "DIR/store/onscene.db"));
    let shell = as_nobody(&mut daemon);
    launch(&mut daemon, &shell);
    assert_eq!(daemon.alert("before", "firing").status, 202);
    daemon.mail_to("maya@example.net", "[INC-1]");
    // What is open stays writable, and what is opened anew does not: while somebody else has the store in hand, the
    // daemon must not change a connection that will be good again for one that will not.
    let lock = rusqlite::Connection::open(daemon.directory.join("store/onscene.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    lock.execute_batch("begin exclusive").unwrap();
    rights(&daemon, 0o400, 0o500);
    refused(&daemon.alert("locked", "firing"));
    down(&daemon);
    std::thread::sleep(PROBES);
    let stop = AtomicBool::new(false);
    let mut accepted = vec!["before".to_owned()];
    accepted.extend(std::thread::scope(|scope| {
        let ender = Ender(&stop);
        // Without a moment of rest.
        let threads = ["a", "b", "c", "d"].map(|name| scope.spawn(|| posting(&daemon, name, &stop)));
        std::thread::sleep(Duration::from_millis(500));
        drop(lock);
        rights(&daemon, 0o600, 0o700);
        ready(&daemon);
        assert_eq!(daemon.alert("after", "firing").status, 202);
        drop(ender);
        threads.map(|thread| thread.join().unwrap()).concat()
    }));
    whole(&daemon, &accepted);

    // Started on it, it says what is wrong and where, and does not pretend to run.
    daemon.kill();
    rights(&daemon, 0o400, 0o500);
    daemon.program = Some(spawn(&daemon, &shell));
    let ended = eventually("it gives up", || daemon.program.as_mut().unwrap().0.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1), "{}", daemon.log());
    eventually("it says why", || {
        let log = daemon.log();
        (log.contains("onscene.db cannot be opened") && log.contains("read-only")).then_some(())
    });
    rights(&daemon, 0o600, 0o700);
    launch(&mut daemon, &shell);
    whole(&daemon, &accepted);
}
