//! Pings that have to come again and again, on the running program.

use std::process::Command;

use super::harness::{Daemon, HOUSE, eventually, program, request};

const BEAT: &str = r#"
[[heartbeat]]
name = "backup"
token = "test-token-of-the-backup"
service = "shop"
period = "5s"
grace = "1s"
"#;

fn ping(daemon: &Daemon, method: &str, path: &str) -> (u16, String) {
    let answer = request(daemon.address, method, path, &[], b"").unwrap();
    (answer.status, answer.body)
}

#[test]
fn a_job_that_stops_pinging_wakes_somebody_and_its_next_ping_ends_that() {
    let mut daemon = Daemon::start(&format!("{HOUSE}{BEAT}"));
    let path = "/heartbeat/backup/test-token-of-the-backup";
    // As a line in a crontab does it.
    let curl = |arguments: &[&str]| {
        let url = format!("http://{}{path}", daemon.address);
        Command::new(program(&["curl"])).args(["-fsS"]).args(arguments).arg(url).output().unwrap()
    };
    assert!(curl(&[]).status.success() && curl(&["--head"]).status.success());
    assert!(curl(&["-X", "POST", "-d", "done"]).status.success());
    assert_eq!(ping(&daemon, "PUT", path).0, 405);
    assert_eq!(ping(&daemon, "GET", "/heartbeat/backup/another-token").0, 401);
    assert_eq!(ping(&daemon, "GET", "/heartbeat/elsewhere/test-token-of-the-backup").0, 404);
    assert_eq!(daemon.metric("onscene_heartbeat_missing{name=\"backup\"}"), 0.0);

    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(page.contains("Subject: [INC-1] shop: heartbeat backup is missing"), "{page}");
    assert_eq!(daemon.metric("onscene_heartbeat_missing{name=\"backup\"}"), 1.0);
    let (status, told) = ping(&daemon, "POST", path);
    assert!(status == 202 && told.contains("\"resolved\"") && told.contains("\"incident\":1"), "{told}");
    assert_eq!(daemon.metric("onscene_heartbeat_missing{name=\"backup\"}"), 0.0);

    // While the daemon is away nobody can ping it: that is no silence of the sender.
    daemon.program.as_ref().unwrap().signal("KILL");
    std::thread::sleep(std::time::Duration::from_secs(8));
    daemon.go();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(daemon.metric("onscene_heartbeat_missing{name=\"backup\"}"), 0.0);
    eventually("its own time has passed once more", || {
        (daemon.metric("onscene_heartbeat_missing{name=\"backup\"}") > 0.0).then_some(())
    });
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    let log = daemon.log();
    assert!(!log.contains("test-token-of-the-backup"), "{log}");
    assert!(daemon.verify().contains("whole"));
}
