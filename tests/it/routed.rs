//! Routes, from the command that explains them to the page that is sent.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::harness::{Daemon, HOUSE, binary, request};

const ROUTES: &str = r#"
[[source]]
name = "jobs"
kind = "generic"
token = "test-token-of-the-jobs"
service = "shop"

[[route]]
match = 'source="pingdom", team="x"'
ignore = true

[[route]]
match = 'team=~"pay.*", severity!="info"'
severity = "critical"
labels = { desk = "2" }
age_out = "6h"

[[route]]
match = 'severity="info"'
ignore = true
"#;

fn check(daemon: &Daemon, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(binary());
    command.args(["check", "--explain", "--config"]).arg(&daemon.config).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn check_explains_which_route_fits_and_why_the_others_do_not() {
    let daemon = Daemon::start(&format!("{HOUSE}{ROUTES}"));
    let event = r#"{"source": "jobs", "title": "Till is down", "labels": {"team": "payments"}}"#;
    let shown = check(&daemon, &[], event);
    assert_eq!(
        text(&shown),
        "Till is down (source jobs)\n  \
         route 1 does not fit: source=\"pingdom\", and here it is \"jobs\"\n  \
         route 2 fits: team=~\"pay.*\", severity!=\"info\"\n  \
         service shop, SEV1; policy default would wake now: maya\n  \
         it is over when it is not said again for 6h\n",
        "{shown:?}"
    );
    let shown = check(&daemon, &["--json"], event);
    let value: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(value["events"][0]["route"], 2);
    assert_eq!(value["events"][0]["misfits"][0]["saw"], "jobs");
    assert_eq!(value["events"][0]["severity"], "SEV1");
    // A whole event.
    let whole = r#"{"source": "jobs", "key": "k", "status": "firing", "title": "x", "body": "y", "links": ["https://x"]}"#;
    assert!(check(&daemon, &[], whole).status.success());
    // A body as the source sends it.
    let body = r#"{"key": "k", "title": "Disk", "severity": "info"}"#;
    let shown = check(&daemon, &["--source", "jobs"], body);
    assert!(text(&shown).contains("route 3 fits: severity=\"info\"\n  it is ignored\n"), "{shown:?}");
    for (input, words) in [
        ("{}", "missing field `source`"),
        (r#"{"source": "jbos"}"#, "no source is called jbos; there are "),
        (r#"{"source": "jobs", "severity": "loud"}"#, "loud is no severity"),
        (r#"{"source": "jobs", "lables": {}}"#, "unknown field `lables`"),
    ] {
        let shown = check(&daemon, &[], input);
        assert_eq!(shown.status.code(), Some(1), "{shown:?}");
        assert!(String::from_utf8_lossy(&shown.stderr).contains(words), "{shown:?}");
    }
}

#[test]
fn check_explains_what_keeps_an_alert_from_waking_people_at_once() {
    let house = HOUSE.replace("window = \"0s\"", "depends_on = [\"lb\"]\nsettle = \"20s\"");
    let more = r#"
[[service]]
name = "lb"
escalation = "default"
pio = ["person:tom", "person:maya"]

[[maintenance]]
name = "patches"
service = "shop"
time_zone = "Europe/Oslo"
every = "02:00"
for = "23 hours 59 minutes"

[[inhibit]]
source = 'severity="critical"'
target = 'severity="warning"'
equal = ["cluster"]
"#;
    let daemon = Daemon::start(&format!("{house}{more}"));
    let event = r#"{"source": "pingdom", "title": "slow", "severity": "warning"}"#;
    let shown = text(&check(&daemon, &[], event));
    assert!(shown.contains("  maintenance patches until "), "{shown}");
    assert!(shown.contains("  shop needs lb: its first page waits 20s for an alert of those"), "{shown}");
    let rule = "  inhibit rule 1: nobody is woken while another alert fires that fits severity=\"critical\" and has the same cluster\n";
    assert!(shown.ends_with(rule), "{shown}");
    let event = event.replace("warning", "critical");
    let shown = text(&check(&daemon, &[], &event));
    let rule = "  inhibit rule 1: while it fires, it keeps quiet what fits severity=\"warning\" and has the same cluster\n";
    assert!(shown.ends_with(rule), "{shown}");
    let value: serde_json::Value =
        serde_json::from_slice(&check(&daemon, &["--json"], &event).stdout).unwrap();
    let event = &value["events"][0];
    assert_eq!(event["needs"], serde_json::json!(["lb"]), "{event}");
    assert_eq!((&event["maintenance"], &event["inhibits"][0]), (&"patches".into(), &1.into()), "{event}");
}

#[test]
fn an_alert_goes_where_its_route_says_and_the_sender_is_told() {
    let daemon = Daemon::start(&format!("{HOUSE}{ROUTES}"));
    let send = |body: &str| {
        let headers = [("Authorization", "Bearer test-token-of-the-jobs")];
        request(daemon.address, "POST", "/in/jobs", &headers, body.as_bytes()).unwrap().json()
    };
    let opened = send(r#"{"key": "till", "title": "Till is down", "labels": {"team": "payments"}}"#);
    assert_eq!(opened["results"][0]["outcome"], "opened", "{opened}");
    assert!(opened["results"][0].get("reason").is_none(), "{opened}");
    let page = daemon.mail_to("maya@example.net", "Till is down");
    assert!(page.contains("SEV1"), "{page}");
    let ignored = send(r#"{"key": "note", "title": "Hello", "severity": "info"}"#);
    assert_eq!(ignored["results"][0]["outcome"], "ignored", "{ignored}");
    assert_eq!(ignored["results"][0]["reason"], "route 3 ignores it", "{ignored}");
}
