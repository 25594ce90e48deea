//! One cause, one incident, one page, at the running daemon; and incidents that people put together and take apart.

use serde_json::Value;

use super::harness::{Answer, Daemon, HOUSE, answer_link, eventually, request};

/// `shop` and `blog` need `load-balancer`, whose people are others.
const NEEDS: &str = r#"
[[escalation]]
name = "network"
steps = [{ page = ["person:tom"], wait = "5m" }]
[[service]]
name = "load-balancer"
escalation = "network"
pio = ["person:tom", "person:maya"]
[[service]]
name = "blog"
escalation = "default"
pio = ["person:tom", "person:maya"]
depends_on = ["load-balancer"]
[[route]]
match = 'team="network"'
service = "load-balancer"
[[route]]
match = 'team="blog"'
service = "blog"
"#;

fn house(more: &str) -> String {
    let waits = HOUSE.replace("window = \"0s\"", "depends_on = [\"load-balancer\"]\nsettle = \"20s\"");
    assert_ne!(waits, HOUSE);
    format!("{waits}{NEEDS}{more}")
}

fn fires(daemon: &Daemon, key: &str, team: &str) -> (String, Option<i64>, Option<String>) {
    let body = format!(
        r#"{{"key": "{key}", "title": "{key} is down", "severity": "critical", "labels": {{"team": "{team}"}}}}"#
    );
    let answer: Answer = daemon.post("/in/scripts/test-token-of-scripts", body.as_bytes());
    let said: Value = answer.json();
    let one = &said["results"][0];
    let reason = one["reason"].as_str().map(str::to_owned);
    (one["outcome"].as_str().unwrap_or_default().to_owned(), one["incident"].as_i64(), reason)
}

#[test]
fn a_cause_that_comes_after_its_symptoms_is_the_one_page_of_the_night() {
    let daemon = Daemon::start(&house(""));
    assert_eq!(fires(&daemon, "checkout", "shop"), ("opened".into(), Some(1), None));
    assert_eq!(fires(&daemon, "posts", "blog"), ("opened".into(), Some(2), None));
    assert!(daemon.mails().is_empty(), "nobody is woken before the cause may have come");
    assert_eq!(fires(&daemon, "vip", "network"), ("joined".into(), Some(1), Some("cause".into())));
    let page = daemon.mail_to("tom@example.net", "At fault: load-balancer");
    assert!(page.contains("Also struck: shop, blog") || page.contains("Also struck: blog, shop"), "{page}");
    assert!(page.contains("You are on call for load-balancer."), "{page}");
    assert_eq!(fires(&daemon, "basket", "shop"), ("joined".into(), Some(1), Some("depends_on".into())));
    let pages = daemon.mails().values().filter(|mail| mail.contains("X-Page-Attempt")).count();
    assert_eq!(pages, 1);
    let token = daemon.token("maya");
    let one = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!((one["service"].as_str(), one["at_fault"].as_str()), (Some("shop"), Some("load-balancer")));
    assert_eq!(one["alert_count"], 4);
    let two = daemon.api(&token, "GET", "/api/v1/incidents/2", &Value::Null).json();
    assert_eq!((two["resolution"].as_str(), two["merged_into"].as_i64()), (Some("merged"), Some(1)));
    assert!(daemon.verify().contains("whole"), "{}", daemon.verify());
}

#[test]
fn a_symptom_alone_wakes_its_own_people_when_no_cause_came() {
    let daemon = Daemon::start(&house("").replace("settle = \"20s\"", "settle = \"2s\""));
    fires(&daemon, "checkout", "shop");
    let page = daemon.mail_to("maya@example.net", "checkout is down");
    assert!(page.contains("You are on call for shop."), "{page}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn people_put_incidents_together_and_take_them_apart_by_command() {
    let daemon = Daemon::start(&format!("{HOUSE}{NEEDS}"));
    for (key, id) in [("one", 1), ("two", 2)] {
        assert_eq!(fires(&daemon, key, "shop"), ("opened".into(), Some(id), None));
    }
    let token = daemon.token("tom");
    let run = |arguments: &[&str]| daemon.command(arguments, Some(&token));
    let second = eventually("the second page", || {
        daemon.mails().into_values().find(|mail| mail.contains("INC-2") && mail.contains("X-Page-Attempt"))
    });
    let merged = run(&["incident", "merge", "2", "--into", "1"]);
    let text = String::from_utf8_lossy(&merged.stdout).into_owned();
    assert!(merged.status.success() && text.contains("part of       INC-1"), "{merged:?}");
    // Its own page says where it has gone, and nothing else of alerts that it has not.
    let cookie = daemon.cookie(&token);
    let gone = request(daemon.address, "GET", "/incidents/2", &[("Cookie", &cookie)], b"").unwrap().body;
    assert!(gone.contains("They belong to <a href=\"/incidents/1\">INC-1</a> now."), "{gone}");
    assert!(!gone.contains("declared by a person") && !gone.contains("0 of 0"), "{gone}");
    // The page of the second answers the first.
    let link = answer_link(&second);
    let shown = daemon.get(&link).unwrap();
    let page = shown.body;
    assert!(page.contains("INC-2, which you were paged for, is part of this one now."), "{page}");
    let answered = daemon.press(&link, "answer=take");
    assert_eq!(answered.status, 200, "{answered:?}");
    let one = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!((one["commander"]["person"].as_str(), one["alert_count"].as_i64()), (Some("maya"), Some(2)));
    // Only who commands it may take it apart.
    let refused = run(&["incident", "split", "1", "--incident", "2"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Maya Lind")
            || String::from_utf8_lossy(&refused.stderr).contains("maya has command"),
        "{refused:?}"
    );
    let maya = daemon.token("maya");
    let apart = daemon.command(&["incident", "split", "1", "--incident", "2", "--json"], Some(&maya));
    let two: Value = serde_json::from_slice(&apart.stdout).unwrap();
    assert_eq!(
        (two["id"].as_i64(), two["state"].as_str(), two["alert_count"].as_i64()),
        (Some(2), Some("acknowledged"), Some(1))
    );
    run(&["incident", "note", "2", "apart"]);
    let none = daemon.command(&["incident", "split", "1", "--alert", "scripts/two"], Some(&maya));
    assert!(
        String::from_utf8_lossy(&none.stderr).contains("no alert two of scripts belongs to INC-1"),
        "{none:?}"
    );
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_night_on_which_everything_fails_is_one_incident_and_a_few_letters() {
    let stormy = HOUSE.replace("off = true", "incidents = 5\nwithin = \"1m\"");
    assert_ne!(stormy, HOUSE);
    let daemon = Daemon::start(&stormy);
    for batch in 0..40 {
        let alert = |number: usize| {
            format!(
                r#"{{"status":"firing","labels":{{"alertname":"Down","instance":"host-{batch}-{number}","severity":"critical"}},"annotations":{{}},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"{batch:08x}{number:08x}"}}"#
            )
        };
        let alerts = (0..50).map(alert).collect::<Vec<_>>().join(",");
        let body = format!(
            r#"{{"version":"4","groupKey":"{{}}:{{}}","status":"firing","receiver":"onscene","alerts":[{alerts}]}}"#
        );
        let told = daemon.post("/in/prometheus/test-token-of-prometheus", body.as_bytes());
        assert_eq!((told.status, told.json()["accepted"].as_u64()), (202, Some(50)), "{told:?}");
    }
    let token = daemon.token("maya");
    let open = daemon.api(&token, "GET", "/api/v1/incidents?state=open", &Value::Null).json();
    let open = open["incidents"].as_array().unwrap().clone();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0]["alert_count"].as_u64(), open[0]["storm"].as_bool()), (Some(2000), Some(true)));
    daemon.mail_to("maya@example.net", "stands for a storm");
    // One page for each that was opened before it was a storm, one notice of it, and nothing after.
    let mails = daemon.mails().into_values().collect::<Vec<_>>();
    assert!(mails.len() <= 7, "{}", mails.len());
    let taken = daemon.command(&["incident", "ack", &open[0]["id"].to_string()], Some(&token));
    assert!(taken.status.success(), "{taken:?}");
    assert!(daemon.verify().contains("whole"));
}
