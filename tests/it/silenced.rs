//! What wakes nobody for a while: silences of the house, and maintenance.

use std::process::Output;

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, eventually, request};

/// What a command printed.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A page for people, as somebody sees it who is logged in.
pub fn page(daemon: &Daemon, token: &str, path: &str) -> String {
    let cookie = daemon.cookie(token);
    let shown = request(daemon.address, "GET", path, &[("Cookie", &cookie)], b"").unwrap();
    assert_eq!(shown.status, 200, "{}", shown.head);
    shown.body
}

/// An hour of UTC as an iCalendar file has it, so many seconds from now.
fn hour(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[test]
fn work_that_a_calendar_announces_wakes_nobody_and_once_it_is_over_somebody() {
    let windows = "[[maintenance]]\nname = \"disks\"\nservice = \"shop\"\ncalendar = \"work.ics\"\ncomment = \"new disks\"\n";
    let mut daemon = Daemon::prepare(&format!("{HOUSE}{windows}"));
    let (begins, ends) = (hour(-60), hour(20));
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:disks\r\n\
         DTSTART:{begins}\r\nDTEND:{ends}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    std::fs::write(daemon.config.parent().unwrap().join("work.ics"), calendar).unwrap();
    let shown = text(&daemon.command(&["check"], None));
    assert!(shown.contains("maintenance disks, of shop (hours of UTC):\n  "), "{shown}");
    daemon.go();
    let token = daemon.token("maya");
    let held = daemon.alert("db-1", "firing").json();
    assert_eq!(held["results"][0]["outcome"], "suppressed", "{held}");
    assert!(held["results"][0]["reason"].as_str().unwrap().starts_with("maintenance disks until "), "{held}");
    assert_eq!(daemon.metric("onscene_alerts_suppressed{by=\"maintenance\"}"), 1.0);
    assert!(page(&daemon, &token, "/").contains("1 alert is held back by 1 maintenance window"));
    let shown = page(&daemon, &token, "/silences");
    for words in ["disks", "new disks", "db-1 is down", "Until "] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(daemon.mails().is_empty());
    let page = daemon.mail_to("maya@example.net", "db-1 is down");
    assert!(page.contains("X-Page-Attempt: 1"), "{page}");
    let again = daemon.alert("db-1", "firing").json();
    assert_eq!(again["results"][0]["outcome"], "repeated", "{again}");
    let paged = daemon.mails().values().filter(|mail| mail.contains("X-Page-Attempt")).count();
    assert_eq!(paged, 1);
    assert!(daemon.verify().contains("whole"));
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
