//! What wakes nobody for a while: silences of the house, and maintenance.

use std::process::Output;

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, eventually, request};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A page for people, as somebody sees it who is logged in.
fn page(daemon: &Daemon, token: &str, path: &str) -> String {
    let cookie = format!("onscene_token={token}");
    let shown = request(daemon.address, "GET", path, &[("Cookie", &cookie)], b"").unwrap();
    assert_eq!(shown.status, 200, "{}", shown.head);
    shown.body
}

#[test]
fn somebody_silences_a_service_by_a_command_and_everybody_sees_it_until_it_ends() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    let silence = |args: &[&str]| daemon.command(&[&["silence"], args].concat(), Some(&token));
    let refused = silence(&["add", "service=\"shop\"", "--for", "2h"]);
    assert_eq!(refused.status.code(), Some(2), "no comment: {refused:?}");
    let refused = silence(&["add", "service=\"shop\"", "--for", "soon", "--comment", "x"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let refused = silence(&["add", "service=~\".*\"", "--for", "2h", "--comment", "x"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("everything"), "{refused:?}");
    let made = silence(&[
        "add",
        "service=\"shop\"",
        "key=~\"db-.*\"",
        "--for",
        "2h",
        "--comment",
        "the <disks> are new",
    ]);
    assert!(made.status.success(), "{made:?}");
    let id = text(&made).trim().to_owned();

    let held = daemon.alert("db-1", "firing").json();
    assert_eq!(held["results"][0]["outcome"], "suppressed", "{held}");
    assert!(held["results"][0]["reason"].as_str().unwrap().starts_with(&format!("silence {id}")), "{held}");
    assert_eq!(daemon.alert("web-1", "firing").json()["results"][0]["outcome"], "opened");

    let listed: Value = serde_json::from_slice(&silence(&["list", "--json"]).stdout).unwrap();
    let one = &listed["silences"][0];
    assert_eq!(one["matchers"], "service=\"shop\", key=~\"db-.*\"", "{listed}");
    assert_eq!((&one["created_by"], &one["held"]), (&json!("maya"), &json!(1)), "{listed}");
    assert_eq!((&one["state"], &one["source"]), (&json!("active"), &Value::Null), "{listed}");
    assert!(text(&silence(&["list"])).contains("maya: the <disks> are new; holds back 1 alert\n"));
    assert_eq!(daemon.metric("onscene_alerts_suppressed{by=\"silence\"}"), 1.0);
    assert_eq!(daemon.metric("onscene_alerts_suppressed{by=\"maintenance\"}"), 0.0);
    let whole = daemon.api(&token, "GET", &format!("/api/v1/silences/{id}"), &Value::Null).json();
    assert_eq!(whole["alerts"][0]["key"], "db-1", "{whole}");
    let home = page(&daemon, &token, "/");
    assert!(home.contains("<a href=\"/silences\">1 alert is held back by 1 silence</a>"), "{home}");
    let shown = page(&daemon, &token, "/silences");
    for words in ["key=~", "the &lt;disks&gt; are new", "Maya Lind", "db-1 is down", "the whole house", &id] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let stranger = request(daemon.address, "GET", "/silences", &[], b"").unwrap();
    assert_eq!(stranger.status, 303, "{}", stranger.head);

    // A program may, and is named as one.
    let robot = daemon.command(&["token", "create", "--automation", "deploy-bot"], None);
    let robot = text(&robot).trim().to_owned();
    let asked = |body: Value| daemon.api(&robot, "POST", "/api/v1/silences", &body);
    let made = asked(json!({"matchers": "a=\"b\"", "for": "1h", "comment": "deploy"}));
    assert_eq!((made.status, made.json()["created_by"].as_str()), (201, Some("automation:deploy-bot")));
    for (body, status, words) in [
        (json!({"matchers": "a=\"b\"", "for": "1h"}), 422, "comment"),
        (json!({"matchers": "a=\"b\"", "comment": "x"}), 422, "until when"),
        (
            json!({"matchers": "a=\"b\"", "for": "1h", "ends_at": "2999-01-01T00:00:00Z", "comment": "x"}),
            422,
            "until when",
        ),
        (json!({"matchers": "a==\"b\"", "for": "1h", "comment": "x"}), 422, "expected"),
        (json!({"matchers": "", "for": "1h", "comment": "x"}), 400, "matchers"),
        (json!({"matchers": "a=\"b\"", "for": "1h", "comment": "x", "created_by": "kim"}), 400, "created_by"),
    ] {
        let answer = asked(body.clone());
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(words), "{body}: {}", answer.body);
    }
    assert_eq!(daemon.api("wrong", "GET", "/api/v1/silences", &Value::Null).status, 401);
    assert_eq!(daemon.api(&token, "GET", "/api/v1/silences?state=gone", &Value::Null).status, 400);
    assert_eq!(daemon.api(&token, "GET", "/api/v1/silences/none", &Value::Null).status, 404);
    assert_eq!(silence(&["expire", "none"]).status.code(), Some(1));

    let ended = silence(&["expire", &id]);
    assert!(text(&ended).contains(&format!("{id} expired")), "{ended:?}");
    daemon.mail_to("maya@example.net", "db-1 is down");
    assert!(!text(&silence(&["list"])).contains(&id));
    assert!(text(&silence(&["list", "--all"])).contains(&id));
    eventually("nothing is held back", || {
        (daemon.metric("onscene_alerts_suppressed{by=\"silence\"}") == 0.0).then_some(())
    });
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}
