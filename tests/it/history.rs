//! What was long ago: found by the commands, and counted, on a daemon that runs.

use std::process::Output;

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, eventually};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn told(daemon: &Daemon) {
    for (key, title, status, labels) in [
        ("a", "Checkout is slow", "firing", json!({"team": "web"})),
        ("b", "Disk full on db1.example", "firing", json!({"team": "data", "zone": "eu"})),
        ("c", "Disk full on db2.example", "firing", json!({"team": "data"})),
        ("c", "Disk full on db2.example", "resolved", json!({"team": "data"})),
    ] {
        let body = json!({"key": key, "title": title, "status": status, "labels": labels}).to_string();
        let answer = daemon.post("/in/scripts/test-token-of-scripts", body.as_bytes());
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

#[test]
fn alerts_and_incidents_are_found_by_command() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    told(&daemon);
    let run = |arguments: &[&str]| daemon.command(arguments, Some(&token));
    let list = |arguments: &[&str]| {
        let all = [&["alert", "list", "--json"], arguments].concat();
        let found: Value = serde_json::from_str(&text(&run(&all))).unwrap();
        let keys =
            found["alerts"].as_array().unwrap().iter().map(|alert| alert["key"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(&[]), "c b a");
    assert_eq!(list(&["--status", "firing"]), "b a");
    assert_eq!(list(&["--label", "team=data", "--label", "zone=eu"]), "b");
    assert_eq!(list(&["--q", "disk db"]), "c b");
    assert_eq!(list(&["--source", "scripts", "--since", "1h", "--limit", "2"]), "c b");
    assert_eq!(list(&["--until", "1h"]), "");
    assert_eq!(list(&["--source", "none"]), "");
    let shown = text(&run(&["alert", "list", "--q", "db1"]));
    assert!(shown.contains("firing    scripts  shop: Disk full on db1.example (b)  INC-"), "{shown}");
    // Incidents, by what their alerts say.
    let shown = text(&run(&["incident", "list", "--label", "team=data", "-q", "full db1", "--since", "2h"]));
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(shown.contains("Disk full on db1.example"), "{shown}");
    assert_eq!(text(&run(&["incident", "list", "--label", "team=none"])), "");
    // What cannot be asked is said in words.
    for (arguments, code, words) in [
        (["--label", "team"], 1, "\"team\" is no label; write NAME=VALUE"),
        (["--since", "yesterday"], 2, "invalid value 'yesterday' for '--since <WHEN>': write it as 20m ago"),
        (["--status", "loud"], 1, "no status is called loud; there are firing, resolved"),
        (["--q", "?!"], 1, "holds no word to look for"),
    ] {
        let refused = run(&[&["alert", "list"][..], &arguments[..]].concat());
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(words), "{refused:?}");
    }
    let page = daemon.api(&token, "GET", "/api/v1/alerts?limit=2", &Value::Null).json();
    let next = page["next"].as_str().unwrap();
    let rest =
        daemon.api(&token, "GET", &format!("/api/v1/alerts?limit=2&cursor={next}"), &Value::Null).json();
    assert_eq!((rest["alerts"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null), "{rest}");
    for wrong in ["cursor=x", "limit=x", "loud=1", "status=firing&status=resolved"] {
        let answer = daemon.api(&token, "GET", &format!("/api/v1/alerts?{wrong}"), &Value::Null);
        assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
    }
    assert_eq!(daemon.get("/api/v1/alerts").unwrap().status, 401);
}

#[test]
fn noise_is_counted_by_command() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    told(&daemon);
    eventually("a page", || (daemon.metric("onscene_pages_total{person=\"maya\"}") >= 1.0).then_some(()));
    let run = |arguments: &[&str]| text(&daemon.command(arguments, Some(&token)));
    let report: Value = serde_json::from_str(&run(&["report", "noise", "--format", "json"])).unwrap();
    let listed = daemon.api(&token, "GET", "/api/v1/incidents", &Value::Null).json();
    let incidents = listed["incidents"].as_array().unwrap().len();
    assert_eq!(report["incidents"], incidents, "{report}");
    assert!(report["pages"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(report["people"][0]["person"], "maya", "{report}");
    assert_eq!(report["noisiest"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(report["complete"], true, "{report}");
    let shown = run(&["report", "noise", "--since", "12h"]);
    assert!(shown.contains("noisiest alerts") && shown.contains("maya"), "{shown}");
    let shown = run(&["report", "noise", "--format", "md"]);
    assert!(shown.starts_with("## Noise from ") && shown.contains("| scripts | 1 |"), "{shown}");
    let refused = daemon.command(&["report", "noise", "--since", "1h", "--until", "2h"], Some(&token));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn load_is_counted_by_command() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    told(&daemon);
    eventually("a page", || (daemon.metric("onscene_pages_total{person=\"maya\"}") >= 1.0).then_some(()));
    let answer = daemon.api(&token, "POST", "/api/v1/incidents/1/ack", &json!({}));
    assert_eq!(answer.status, 200, "{answer:?}");
    let run = |arguments: &[&str]| text(&daemon.command(arguments, Some(&token)));
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(&[&["report", "load", "--json"], arguments].concat())).unwrap()
    };
    let report = json(&["--by", "week"]);
    let maya = report["people"].as_array().unwrap().iter().find(|one| one["person"] == "maya").unwrap();
    assert!(maya["pages"].as_u64().unwrap() >= 1 && maya["answered"] == 1, "{report}");
    assert!(maya["answer_seconds"].as_u64().unwrap() < 60, "{report}");
    let weeks = maya["weeks"].as_array().unwrap();
    let (sum, all) = (
        weeks.iter().map(|week| week["hours_on_call"].as_f64().unwrap()).sum::<f64>(),
        &maya["hours_on_call"],
    );
    assert!((sum - all.as_f64().unwrap()).abs() < 0.1, "{report}");
    // Somebody is on call at every hour of 90 days.
    let hours = report["hours_on_call"].as_f64().unwrap();
    assert!((hours - 90.0 * 24.0).abs() < 0.1, "{report}");
    assert_eq!((&report["complete"], &report["partly_assumed"]), (&json!(true), &json!(true)), "{report}");
    // It is written down from the first moment on.
    let kept = eventually("who is on call is written down", || {
        json(&[])["recorded_since"].as_str().map(str::to_owned)
    });
    let since = json(&["--since", &kept]);
    assert_eq!(since["partly_assumed"], false, "{since}");
    assert!(since["people"][0].get("weeks").is_none(), "{since}");
    assert_eq!(json(&["--person", "maya"])["people"].as_array().unwrap().len(), 1);
    let shown = run(&["report", "load"]);
    assert!(shown.contains("the rotations of today"), "{shown}");
    let shown = run(&["report", "load", "--format", "md"]);
    assert!(shown.starts_with("## Load from ") && shown.contains("| maya | "), "{shown}");
    let shown = run(&["report", "load", "--format", "csv", "--by", "week"]);
    assert!(shown.starts_with("person,week,hours_on_call,") && shown.contains("\r\nmaya,20"), "{shown}");
    for wrong in ["by=month", "since=1h&until=2h", "loud=1"] {
        let answer = daemon.api(&token, "GET", &format!("/api/v1/reports/load?{wrong}"), &Value::Null);
        assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
    }
    assert_eq!(daemon.get("/api/v1/reports/load").unwrap().status, 401);
}
