//! The less-used forms of the page of an incident on a telephone, with scripts and without: a login that ends while somebody
//! writes, a correction, incidents put together and taken apart. axe looks at each, in light and in dark.

use serde_json::{Value, json};

use super::super::harness::{Daemon, cookie_in, request};
use super::command::{Telephone, house};
use super::scanner::Browser;

const WORDS: &str = "all orders fail since 02:00, and nobody can pay";

fn story(scripts: bool) {
    let daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    daemon.alert("db-2", "firing");
    let (token, owned) = (daemon.token("maya"), tempfile::tempdir().unwrap());
    let state =
        |number: i64| daemon.api(&token, "GET", &format!("/api/v1/incidents/{number}"), &Value::Null).json();
    let says = |verb: &str, words: Value| {
        let said = daemon.api(&token, "POST", &format!("/api/v1/incidents/1/{verb}"), &words);
        assert_eq!(said.status, 200, "{said:?}");
    };
    says("ack", json!({}));
    says("check-in", json!({}));
    says("act", json!({"what": "switch to the standby", "where": "db-2", "undo": "switch back"}));
    says("note", json!({"text": "db-1 was restarted yesterday"}));
    let mut browser = Browser::start(owned.path());
    let mut maya = Telephone::new(&mut browser, &daemon, "maya", scripts);
    maya.logs_in(&daemon, &token);
    maya.goes("/incidents/1");
    maya.whole("30-everything");

    // While she writes, her login ends.
    assert!(daemon.command(&["session", "revoke", "--person", "maya"], None).status.success());
    maya.opens("board");
    maya.writes("#size-up-text", WORDS);
    maya.touches("#board form[action$='/size-up'] summary");
    maya.writes("#size-up-occurred-ago", "20");
    maya.presses("#board form[action$='/size-up'] button", "You are not logged in any more");
    maya.looks("31-logged-out");
    let entered = request(
        daemon.address,
        "POST",
        "/login",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        format!("token={token}").as_bytes(),
    );
    maya.takes(&cookie_in(&entered.unwrap()).unwrap());
    maya.presses("main form button", "this form is of an earlier login of yours");
    maya.looks("32-earlier");
    maya.presses("main form button", "It is on the timeline.");
    assert_eq!(state(1)["board"]["size_up"]["text"], WORDS);

    // An hour that cannot be comes back with everything.
    maya.opens("note");
    maya.writes("#note-text", "seen from outside");
    maya.touches("#note form[action$='/note'] summary");
    maya.writes("#note-occurred-ago", "99999");
    maya.tab.run("document.querySelector('#note-occurred-ago').removeAttribute('max')");
    maya.presses("#note form[action$='/note'] button", "say a number of minutes between 0 and 10080");
    maya.tab.until("document.querySelector('#note-text').value == 'seen from outside'");
    maya.looks("33-refused");

    // A correction, by the link beside its entry.
    maya.goes("/incidents/1");
    maya.presses("#e4 a[href*='correct']", "Entry 4 says");
    maya.tab.until("document.querySelector('#correct-entry').value == '4'");
    maya.whole("34-correct");
    maya.looks("34-correct");
    maya.writes("#correct-text", "it was twenty minutes before");
    maya.presses("#correct button", "It is on the timeline.");

    // Put together, and taken apart.
    maya.goes("/incidents/2");
    maya.opens("merge");
    maya.tab.run("document.querySelector('#merge-into').value = '1'");
    maya.whole("35-merge");
    maya.presses("#merge button", "It is part of the other now.");
    maya.looks("35-merged");
    assert_eq!(state(2)["merged_into"], 1);
    maya.goes("/incidents/1");
    maya.opens("split");
    maya.presses(
        "#split form:nth-of-type(2) button",
        "mark the alerts that are to be an incident of their own",
    );
    maya.looks("36-unmarked");
    maya.touches("#split label:nth-of-type(2)");
    maya.whole("36-split");
    maya.presses("#split form:nth-of-type(2) button", "This was taken out, and you have command of it.");
    assert_eq!(state(3)["commander"]["person"], "maya");
    maya.goes("/incidents/1?entry=2#e2");
    maya.looks("37-entry");

    // What no alert has said.
    maya.goes("/");
    maya.opens("declare");
    maya.writes("#declare-title", "the door is locked");
    maya.whole("38-declare");
    maya.looks("38-declare");
    maya.presses("#declare button", "It is declared.");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn what_is_seldom_done_is_done_by_a_telephone() {
    story(true);
}

#[test]
fn what_is_seldom_done_is_done_by_a_telephone_without_scripts() {
    story(false);
}
