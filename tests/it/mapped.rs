//! Senders whose body is their own: expressions of the operator at the daemon, from the header to the replay.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::harness::{Answer, Daemon, HOUSE, binary, eventually, request};

const UPS: &str = r#"
[[source]]
name = "ups"
kind = "generic"
token = "test-token-of-the-ups"
service = "shop"
[source.map]
each = "body.alarms"
key = "body.device ~ '/' ~ item.sensor"
status = "none if headers['x-event'] == 'heartbeat' else 'resolved' if item.state == 'normal' else 'firing'"
title = "body.device ~ ': ' ~ item.text"
headers = ["X-Event"]
"#;

fn body(state: &str) -> String {
    format!(
        r#"{{"device":"ups-7","alarms":[{{"sensor":"battery","state":"{state}","text":"battery low"}}]}}"#
    )
}

fn send(daemon: &Daemon, event: &str, body: &str) -> Answer {
    let headers = [("X-Event", event), ("Authorization", "Bearer test-token-of-the-ups")];
    request(daemon.address, "POST", "/in/ups", &headers, body.as_bytes()).unwrap()
}

fn check(daemon: &Daemon, headers: &[&str], body: &str) -> Output {
    let mut command = Command::new(binary());
    command.args(["check", "--source", "ups", "--config"]).arg(&daemon.config);
    command.args(headers.iter().flat_map(|header| ["-H", header]));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_device_with_a_body_of_its_own_opens_and_ends_an_incident() {
    let daemon = Daemon::start(&format!("{HOUSE}{UPS}"));
    let opened = send(&daemon, "alarm", &body("low"));
    assert_eq!((opened.status, opened.json()["results"][0]["outcome"].as_str()), (202, Some("opened")));
    assert_eq!(opened.json()["results"][0]["key"], "ups-7/battery");
    let nothing = send(&daemon, "heartbeat", &body("low"));
    assert_eq!((nothing.status, nothing.json()["accepted"].as_u64()), (202, Some(0)), "{nothing:?}");
    let ended = send(&daemon, "alarm", &body("normal"));
    assert_eq!(ended.json()["results"][0]["outcome"], "resolved", "{ended:?}");
    assert!(daemon.mail_to("maya@example.net", "ups-7: battery low").contains("battery low"));
}

#[test]
fn check_shows_what_expressions_make_of_a_body() {
    let daemon = Daemon::start(&format!("{HOUSE}{UPS}"));
    let shown = check(&daemon, &["X-Event: alarm"], &body("low"));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(text, "firing ups-7/battery\n  title: ups-7: battery low\n  |: battery low\n", "{shown:?}");
    let shown = check(&daemon, &["X-Event: heartbeat"], &body("low"));
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "understood, with nothing to say\n");
    let shown = check(&daemon, &[], &body("low"));
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(said.contains("item[0]: `status`: the expression, at character"), "{said}");
    assert_eq!(shown.status.code(), Some(1));
}

#[test]
fn what_an_expression_cannot_read_is_kept_with_its_headers_and_read_after_a_reload() {
    let daemon = Daemon::start(&format!("{HOUSE}{UPS}"));
    let other = body("low").replace("sensor", "probe");
    let refused = send(&daemon, "alarm", &other);
    assert_eq!(refused.status, 400, "{refused:?}");
    let said = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(said.starts_with("item[0]: `key`: the expression, at character 21 (`item.sensor`)"), "{said}");
    assert!(!said.contains("battery"), "{said}");

    let config = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, config.replace("item.sensor", "item.sensr|defualt('')")).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is refused", || {
        (daemon.metric("onscene_config_last_reload_success") == 0.0).then_some(())
    });
    assert!(daemon.log().contains("there is no filter `defualt`"), "{}", daemon.log());
    std::fs::write(&daemon.config, config.replace("item.sensor", "item.sensor|default(item.probe)")).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is taken", || {
        (daemon.metric("onscene_config_last_reload_success") == 1.0).then_some(())
    });

    let replayed = daemon.command(&["replay"], None);
    let said = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(said.contains("ups-7/battery opened INC-"), "{replayed:?}");
}
