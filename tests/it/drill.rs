//! The delivery drill: the real binary, killed in the middle, and two nodes that see the same hour.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::harness::{Daemon, HOUSE, answer_link, eventually, on_shared_store, within};
use super::silenced::{page, text};

const TEST: &str = "Subject: TEST of your pages: nothing is wrong";
const REPORT: &str = "Subject: Delivery drill: 1 did not answer";

/// Maya administers the house.
fn house(keys: &str) -> String {
    let house = HOUSE.replacen("name = \"maya\"\n", "name = \"maya\"\nadministrator = true\n", 1);
    format!("{house}[delivery_drill]\nanswer_within = \"12s\"\n{keys}")
}

/// The hour of the next minute but one, which comes within two.
fn soon() -> String {
    let at = (Timestamp::now() + SignedDuration::from_secs(75)).to_zoned(jiff::tz::TimeZone::UTC);
    format!("at = \"{}\"\ntime_zone = \"UTC\"\n", at.strftime("%a %H:%M"))
}

/// How many mails of all nodes are to somebody and have this subject.
fn count(nodes: &[&Daemon], to: &str, subject: &str) -> usize {
    let header = format!("To: {to}@example.net");
    let all = nodes.iter().flat_map(|node| node.mails().into_values());
    all.filter(|mail| mail.contains(&header) && mail.contains(subject)).count()
}

fn drill(daemon: &Daemon, token: &str) -> Value {
    daemon.api(token, "GET", "/api/v1/oncall/drill", &Value::Null).json()
}

fn state_of(drill: &Value, person: &str) -> String {
    let people = drill["drill"]["people"].as_array().cloned().unwrap_or_default();
    let own = people.iter().find(|one| one["person"] == person);
    own.and_then(|one| one["state"].as_str()).unwrap_or_default().to_owned()
}

fn presses(daemon: &Daemon, mail: &str) {
    assert!(daemon.press(&answer_link(mail), "answer=reached").body.contains("Thank you"));
}

#[test]
fn an_administrator_begins_a_drill_and_hears_who_did_not_answer_also_after_a_kill() {
    let mut daemon = Daemon::start(&house(""));
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let refused = daemon.command(&["oncall", "drill", "--now"], Some(&tom));
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("an administrator begins a delivery drill"));
    let none = daemon.command(&["oncall", "drill"], Some(&tom));
    assert!(text(&none).starts_with("there has been no delivery drill\nnext: "), "{none:?}");
    let begun = daemon.command(&["oncall", "drill", "--now"], Some(&maya));
    assert!(begun.status.success() && text(&begun).contains("running, began"), "{begun:?}");
    let again = daemon.command(&["oncall", "drill", "--now"], Some(&maya));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is under way"), "{again:?}");
    let mail = daemon.mail_to("maya@example.net", TEST);
    assert!(mail.contains("TEST: nothing is wrong") && mail.contains("X-Incident-Id: 0"), "{mail}");
    daemon.mail_to("tom@example.net", TEST);
    daemon.kill();
    daemon.go();
    presses(&daemon, &mail);
    let seen = drill(&daemon, &tom);
    assert_eq!(
        (state_of(&seen, "maya"), state_of(&seen, "tom")),
        ("answered".into(), "asked".into()),
        "{seen}"
    );
    assert_eq!(
        (&seen["drill"]["people"][0]["way"], &seen["drill"]["asked_by"]),
        (&"mail".into(), &"maya".into())
    );
    assert!(page(&daemon, &tom, "/oncall").contains("One goes on"));
    let report = daemon.mail_to("maya@example.net", REPORT).replace("=\r\n", "");
    for words in [
        "1 of 2 did not answer the delivery drill.",
        "- Tom Berg (tom): mail taken, and not pressed",
        "- Maya Lind (maya), by mail",
    ] {
        assert!(report.contains(words), "{words} in {report}");
    }
    assert!(!report.contains("X-Page-Attempt") && !report.contains("/r/"), "it is no page: {report}");
    let seen = drill(&daemon, &tom);
    assert_eq!((&seen["drill"]["state"], &seen["drill"]["missed"]), (&"over".into(), &1.into()), "{seen}");
    let told = daemon.command(&["oncall", "drill"], Some(&tom));
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told).contains("tom          missed: no answer\n"), "{told:?}");
    let shown = page(&daemon, &tom, "/oncall");
    assert!(shown.contains("1 of 2 have answered") && shown.contains("Tom Berg: no answer"), "{shown}");
    assert_eq!(daemon.metric("onscene_delivery_drill_missed"), 1.0);
    // It is not that of a week.
    assert_eq!(daemon.metric("onscene_delivery_drill_timestamp_seconds"), 0.0);
    assert_eq!(daemon.metric("onscene_pages_total{person=\"tom\"}"), 0.0);
    std::thread::sleep(Duration::from_secs(6));
    for (to, subject) in [("maya", TEST), ("tom", TEST), ("maya", REPORT)] {
        assert_eq!(count(&[&daemon], to, subject), 1, "{to} {subject}");
    }
    assert_eq!(count(&[&daemon], "tom", REPORT), 0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn two_nodes_hold_one_drill_at_its_hour_although_one_of_them_dies_meanwhile() {
    let config = on_shared_store(&house(&soon()));
    let (one, mut two) = (Daemon::start(&config), Daemon::start(&config));
    let token = one.token("maya");
    let planned = eventually("its hour is written down", || {
        let seen = drill(&one, &token);
        seen["next"]["at"].is_string().then_some(seen)
    });
    assert!(planned["drill"].is_null(), "{planned}");
    let patience = Duration::from_secs(150);
    within(patience, "it begins", || drill(&one, &token)["drill"]["number"].is_i64().then_some(()));
    two.kill();
    within(Duration::from_secs(100), "it is over", || {
        (drill(&one, &token)["drill"]["state"] == "over").then_some(())
    });
    // What the dead one had in hand is sent again after its lease, with the same name.
    let all = || {
        let mut names: Vec<String> = Vec::new();
        for (name, mail) in one.mails().into_iter().chain(two.mails()) {
            if mail.contains(TEST) && !names.contains(&name) {
                names.push(name);
            }
        }
        names.len()
    };
    within(Duration::from_secs(100), "both were asked, and the report is there", || {
        let report = count(&[&one, &two], "maya", "Subject: Delivery drill: 2 did not answer");
        (all() == 2 && report == 1).then_some(())
    });
    let seen = drill(&one, &token);
    let (date, next) = (&seen["drill"]["week"], &seen["next"]["week"]);
    assert!(date.is_string() && next.is_string() && date != next, "{seen}");
    assert!(seen["drill"]["asked_by"].is_null() && seen["skipped"].is_null(), "{seen}");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!((all(), drill(&one, &token)["drill"]["number"].clone()), (2, seen["drill"]["number"].clone()));
    assert!(one.verify().contains("whole"));
}
