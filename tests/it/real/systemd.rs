//! The unit files judged by systemd's own tools, what the daemon tells the service manager, and sockets it is handed.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::harness::{
    Daemon, HOUSE, PATIENCE, Program, answer_link, binary, eventually, free_port, program, request,
};
use super::{of_project, run, said, spawn};

/// Highest exposure that `systemd-analyze security` may find, in tenths of its scale of 10.
const EXPOSURE_MAX: &str = "15";

#[test]
fn the_unit_is_as_closed_as_it_says() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    run(Command::new(program(&["systemd-analyze"]))
        .args(["security", "--offline=true", "--no-pager", &threshold])
        .arg(of_project("systemd/onscene.service")));
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let directory = tempfile::tempdir().unwrap();
    let unit = |name: &str| {
        let text = fs::read_to_string(of_project(&format!("systemd/{name}"))).unwrap();
        let path = directory.path().join(name);
        fs::write(&path, text.replace("/usr/bin/onscene", binary().to_str().unwrap())).unwrap();
        path
    };
    let (service, socket) = (unit("onscene.service"), unit("onscene.socket"));
    let output = Command::new(program(&["systemd-analyze"]))
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args([&service, &socket])
        .output()
        .unwrap();
    let complaints: Vec<String> =
        said(&output).lines().filter(|line| line.contains("onscene")).map(str::to_owned).collect();
    assert!(output.status.success() && complaints.is_empty(), "{output:?}");
    let text = fs::read_to_string(service).unwrap();
    let stop = text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    let stop = Duration::from_secs(stop.parse().unwrap());
    assert!(stop > onscene::app::STOP_MAX, "it is killed in {stop:?} while it takes its time");
}

/// The service manager's ear.
struct Ear {
    socket: UnixDatagram,
}

impl Ear {
    /// Waits for one message, and answers it.
    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("the service manager is told something");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The next message that is no sign of life.
    fn news(&self) -> String {
        loop {
            let said = self.next();
            if said.trim() != "WATCHDOG=1" {
                return said;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_of_the_start_the_reload_the_end_and_of_life_between() {
    let mut daemon = Daemon::prepare(HOUSE);
    let path = daemon.directory.join("notify");
    let ear = Ear { socket: UnixDatagram::bind(&path).unwrap() };
    ear.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    daemon.launch(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "900000")]);
    let has = |said: &str, line: &str| said.lines().any(|one| one == line);
    let ready = ear.news();
    assert!(has(&ready, "READY=1"), "{ready}");
    // Who is told "ready" may connect at once.
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    for _ in 0..3 {
        assert_eq!(ear.next().trim(), "WATCHDOG=1");
    }

    let signal = |name: &str| daemon.program.as_ref().unwrap().signal(name);
    let good = fs::read_to_string(&daemon.config).unwrap();
    for (text, success) in [(good.replace("[store]", "[stor]"), 0.0), (good, 1.0)] {
        fs::write(&daemon.config, text).unwrap();
        signal("HUP");
        let reloading = ear.news();
        assert!(has(&reloading, "RELOADING=1"), "{reloading}");
        let hour = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(hour.is_some_and(|hour| hour.parse::<u64>().is_ok_and(|hour| hour > 0)), "{reloading}");
        // Also after a reload that was refused: systemd would wait for it otherwise.
        assert!(has(&ear.news(), "READY=1"));
        assert_eq!(daemon.metric("onscene_config_last_reload_success"), success);
    }
    signal("TERM");
    let stopping = ear.news();
    assert!(has(&stopping, "STOPPING=1"), "{stopping}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_socket_of_systemd_is_used_in_place_of_the_own_one() {
    let daemon = Daemon::prepare(HOUSE);
    let place = format!("127.0.0.1:{}", free_port());
    let _activate = spawn(
        "systemd-socket-activate",
        &["-l", &place, "--fdname=http", binary().to_str().unwrap(), "serve", "--config"]
            .into_iter()
            .chain([daemon.config.to_str().unwrap()])
            .collect::<Vec<_>>(),
        &daemon.directory.join("log"),
    );
    let address = place.parse().unwrap();
    let body = br#"{"key":"db-1","status":"firing"}"#;
    // The first request starts the daemon, and is answered by it.
    let answer = eventually("it is answered", || {
        request(address, "POST", "/in/scripts/test-token-of-scripts", &[], body)
    });
    assert_eq!((answer.status, answer.json()["results"][0]["outcome"].as_str()), (202, Some("opened")));
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(TcpStream::connect(daemon.address).is_err(), "`listen` is not used beside it");
}

#[test]
fn alerts_that_come_during_a_restart_wait_in_the_socket() {
    let mut daemon = Daemon::prepare(HOUSE);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let start = || {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(daemon.directory.join("log")).unwrap();
        let child = Command::new("sh")
            .arg("-c")
            .arg(r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http exec "$0" serve --config "$1""#)
            .args([binary(), daemon.config.clone()])
            .stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())))
            .stderr(log)
            .spawn();
        Program(child.unwrap())
    };
    let ready = || request(address, "GET", "/readyz", &[], b"").filter(|answer| answer.status == 200);
    daemon.program = Some(start());
    eventually("it is ready", ready);
    let mut first = daemon.program.take().unwrap();
    first.signal("TERM");
    assert_eq!(first.0.wait().unwrap().code(), Some(0));
    // Nobody is there; the alert is neither refused nor lost.
    let answer = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let body = br#"{"key":"db-1","status":"firing"}"#;
            request(address, "POST", "/in/scripts/test-token-of-scripts", &[], body)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!sender.is_finished(), "it waits");
        daemon.program = Some(start());
        sender.join().unwrap().expect("an answer")
    });
    assert_eq!((answer.status, answer.json()["results"][0]["outcome"].as_str()), (202, Some("opened")));
    answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
}
