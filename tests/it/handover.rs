//! What is said when command is handed over: read back, by whichever way it is accepted, told to who had it, and kept; that it
//! passes too often; and that nobody is woken for an office that is gone.

use serde_json::{Value, json};

use super::command::{Night, house};
use super::harness::{FORM, request, word};

const TWICE: &str = "Command has changed twice in 10 minutes; say aloud who has it.";
const READ_BACK: &str = "orders go through; no backup of lb2; none; update 02:30; kim";

/// A mail, without the ends of lines that its way needs.
fn plain(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=\n", "")
}

#[test]
fn what_is_read_back_is_told_to_who_had_it_and_a_second_change_is_warned_of_everywhere() {
    let night = Night::is_manned();
    night.does("maya", "offer", &json!({"to": "tom", "term": 1, "reason": "I am tired"}));
    for (body, status, why) in [
        (json!({"term": 1, "talk": "sung"}), 422, "there are live, written"),
        (json!({"term": 1, "office": "safety", "talk": "live"}), 422, "not an office"),
        (json!({"term": 1, "read_back": "x".repeat(12_001)}), 422, "what is read back is too long"),
    ] {
        let (refused, told) = night.refused("tom", "accept", &body);
        assert_eq!(refused, status, "{told}");
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    }
    let said = json!({"term": 1, "talk": "live", "read_back": READ_BACK});
    let first = night.does("tom", "accept", &said);
    assert_eq!(first["warning"], Value::Null, "{first}");
    let entries = night.entries();
    let entry = entries.iter().find(|entry| entry["kind"] == "command_transferred").unwrap();
    assert_eq!(
        (&entry["data"]["talk"], &entry["data"]["read_back"]),
        (&json!("live"), &json!(READ_BACK)),
        "{entry}"
    );
    let text = format!("(term 2): I am tired; they spoke with each other; read back: {READ_BACK}");
    assert!(entry["text"].as_str().unwrap().ends_with(&text), "{entry}");
    // Who had it is told what was read back, and nobody else is.
    let mail = plain(&night.daemon.mail_to("maya@example.net", "has command of INC-1 from now on (term 2)"));
    assert!(mail.contains(&format!("read back: {READ_BACK}")), "{mail}");
    assert!(mail.contains(&format!("correct entry {} on the page", entry["seq"])), "{mail}");
    let other = plain(&night.daemon.mail_to("kim@example.net", "has command of INC-1 from now on (term 2)"));
    assert!(!other.contains("read back") && !other.contains(TWICE), "{other}");

    // By the command, which says the warning beside the answer.
    night.says("tom", &["offer", "1", "maya"]);
    let accepted =
        night.command("maya", &["accept", "1", "--talk", "written", "--read-back", "the same; you sleep"]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert!(String::from_utf8_lossy(&accepted.stderr).contains(TWICE), "{accepted:?}");
    assert!(!String::from_utf8_lossy(&accepted.stdout).contains(TWICE), "{accepted:?}");
    let told = plain(&night.daemon.mail_to("tom@example.net", "has command of INC-1 from now on (term 3)"));
    assert!(told.contains(TWICE) && told.contains("read back: the same; you sleep"), "{told}");
    let channel =
        plain(&night.daemon.mail_to("staff@example.net", "has command of INC-1 from now on (term 3)"));
    assert!(channel.contains(TWICE) && !channel.contains("read back"), "{channel}");
    let timeline = night.says("kim", &["timeline", "1"]);
    assert!(timeline.contains("; in writing, they did not speak with each other; read back: the same"));
    assert!(timeline.contains("maya has command (term 1, first responder)"), "{timeline}");
    assert!(!timeline.contains("person:") && !timeline.contains("dispatch"), "{timeline}");

    // And by the API, as a field.
    night.does("maya", "offer", &json!({"to": "tom", "term": 3}));
    let answer = night.does("tom", "accept", &json!({"term": 3}));
    assert_eq!(answer["warning"], TWICE, "{answer}");
    let postmortem =
        night.daemon.command(&["export", "1", "--form", "postmortem"], Some(&night.tokens["kim"]));
    let postmortem = String::from_utf8_lossy(&postmortem.stdout).into_owned();
    assert!(postmortem.contains("they spoke with each other; read back: orders go through"), "{postmortem}");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn the_form_shows_what_there_is_to_read_back_and_keeps_what_was_written_when_the_brief_is_old() {
    let night = Night::is_manned();
    night.does("maya", "objective", &json!({"text": "orders go <through>", "term": 1}));
    night.does("tom", "find", &json!({"component": "lb1", "ok": false}));
    night.does("maya", "act", &json!({"what": "stop keepalived", "where": "lb2"}));
    night.does("maya", "offer", &json!({"to": "tom", "term": 1}));
    let cookie = night.daemon.cookie(&night.tokens["tom"]);
    let get = || request(night.daemon.address, "GET", "/incidents/1/brief", &[("Cookie", &cookie)], b"");
    let brief = get().unwrap().body;
    for part in [
        "<li>Objective: orders go &lt;through&gt;</li>",
        "<li>Worst hazard: does not work: lb1</li>",
        "<li>Change in flight: stop keepalived on lb2</li>",
        "<li>Next promise: the next internal update, ",
        "name=\"talk\" value=\"live\"",
        "name=\"read_back\"",
    ] {
        assert!(brief.contains(part), "{part}: {brief}");
    }
    let number = night.incident()["brief"].clone();
    let form = |number: &Value| {
        let own = word(&brief).unwrap();
        format!("form={own}&term=1&brief={number}&talk=live&read_back=orders+go%3B+%3Ckim%3E")
    };
    let post = |form: String| {
        let sent = [FORM, ("Cookie", cookie.as_str())];
        request(night.daemon.address, "POST", "/incidents/1/accept", &sent, form.as_bytes()).unwrap()
    };
    night.does("maya", "plan", &json!({"text": "one at a time", "term": 1}));
    let old = post(form(&number));
    assert_eq!(old.status, 409, "{old:?}");
    assert!(old.body.contains(">orders go; &lt;kim&gt;</textarea>"), "{}", old.body);
    assert!(old.body.contains("name=\"talk\" value=\"live\" checked"), "{}", old.body);
    let done = post(form(&night.incident()["brief"]));
    assert!(done.status == 303 && done.head.contains("/incidents/1?done=transferred"), "{done:?}");
    let entries = night.entries();
    let entry = entries.iter().find(|entry| entry["kind"] == "command_transferred").unwrap();
    assert_eq!(
        (&entry["data"]["talk"], &entry["data"]["read_back"]),
        (&json!("live"), &json!("orders go; <kim>"))
    );
    // Back within ten minutes, by the page.
    let maya = night.daemon.cookie(&night.tokens["maya"]);
    night.does("tom", "offer", &json!({"to": "maya", "term": 2}));
    let seen =
        request(night.daemon.address, "GET", "/incidents/1/brief", &[("Cookie", &maya)], b"").unwrap().body;
    let form = format!("form={}&term=2&brief={}", word(&seen).unwrap(), night.incident()["brief"]);
    let sent = [FORM, ("Cookie", maya.as_str())];
    let done = request(night.daemon.address, "POST", "/incidents/1/accept", &sent, form.as_bytes()).unwrap();
    assert!(done.head.contains("/incidents/1?done=transferred_twice"), "{done:?}");
    let page = "/incidents/1?done=transferred_twice";
    let page = request(night.daemon.address, "GET", page, &[("Cookie", &maya)], b"").unwrap().body;
    assert!(page.contains(TWICE), "{page}");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn a_command_line_that_says_of_an_office_how_they_spoke_is_usage() {
    let night = Night::begins(&house());
    for arguments in
        [&["accept", "1", "--office", "safety", "--read-back", "x"][..], &["accept", "1", "--talk", "sung"]]
    {
        let (code, said) = night.fails("tom", arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
    }
}
