//! The delivery drill through a real Postfix: one test arrives and is answered, one comes back, and the report says so.

use std::fs;

use super::super::harness::{answer_link, eventually};
use super::mail_in::{house, letter_to, postfix};

#[test]
fn a_test_that_postfix_sends_back_is_known_at_once_and_stands_in_the_report() {
    let mut daemon = house();
    let text = fs::read_to_string(&daemon.config)
        .unwrap()
        .replacen("name = \"maya\"\n", "name = \"maya\"\nadministrator = true\n", 1)
        .replace("tom@example.net", "gone@example.net");
    fs::write(&daemon.config, text + "[delivery_drill]\nanswer_within = \"15s\"\n").unwrap();
    let postfix = postfix(&daemon);
    daemon.go();
    let token = daemon.token("maya");
    let asked = || daemon.api(&token, "GET", "/api/v1/oncall/drill", &serde_json::Value::Null).json();
    let begun = daemon.command(&["oncall", "drill", "--now"], Some(&token));
    assert!(begun.status.success(), "{begun:?}");
    let test = letter_to(&postfix, "maya@example.net", "TEST: nothing is wrong");
    assert!(daemon.press(&answer_link(&test), "answer=reached").body.contains("Thank you"));
    eventually("what came back is known before the answers are due", || {
        let seen = asked();
        let way = &seen["drill"]["people"][1]["ways"][0];
        (way["state"] == "bounced" && seen["drill"]["state"] == "running").then_some(())
    });
    let report = letter_to(&postfix, "maya@example.net", "Delivery drill: 1 did not answer");
    let report = report.replace("=\n", "");
    assert!(report.contains("- Tom Berg (tom): mail came back (5.1.1"), "{report}");
    assert!(!report.contains("gone@example.net"), "{report}");
    assert_eq!(asked()["drill"]["missed"], 1);
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}
