//! What somebody wrote is not lost: with a store that is away, a login that has ended, a page of an earlier login, an hour that
//! cannot be; and it comes back to nobody else, and with no secret.

use serde_json::Value;

use super::super::away::{behind_a_way, is_away, is_back};
use super::super::harness::{Answer, Daemon, FORM, HOUSE, cookie_in, request, word};
use super::super::way::{CUTS, PASSES};
use super::forms::{Form, forms};
use super::{gets, posts, to};

const WORDS: &str = "all orders fail,\n<b>since</b> 02:00 & \"more\"";

/// The form of a verb, of a page.
fn form(page: &str, verb: &str) -> Form {
    let action = format!("/incidents/1/{verb}");
    forms(page).into_iter().find(|form| form.action == action).unwrap_or_else(|| panic!("no {verb}: {page}"))
}

/// The one form that came back, with the words in it.
fn back(answer: &Answer, status: u16, says: &str) -> Form {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("content-type: text/html"), "{}", answer.head);
    assert!(answer.body.contains(says), "{says}: {}", answer.body);
    assert!(!answer.body.contains("<b>since"), "{}", answer.body);
    let again = form(&answer.body, "size-up");
    assert_eq!(again.value("text"), Some(WORDS), "{}", answer.body);
    assert_eq!(again.value("term"), Some("1"), "{}", answer.body);
    again
}

fn begun(daemon: &Daemon) -> (String, String, Form) {
    daemon.alert("db-1", "firing");
    let token = daemon.token("maya");
    assert_eq!(daemon.api(&token, "POST", "/api/v1/incidents/1/ack", &serde_json::json!({})).status, 200);
    let cookie = daemon.cookie(&token);
    let open = form(&gets(daemon, "/incidents/1", &cookie).body, "size-up");
    (token, cookie, open)
}

fn size_up(daemon: &Daemon, token: &str) -> Value {
    daemon.api(token, "GET", "/api/v1/incidents/1", &Value::Null).json()["board"]["size_up"]["text"].clone()
}

#[test]
fn a_form_that_is_sent_while_the_store_is_away_comes_back_and_is_taken_later() {
    let (mut daemon, way) = behind_a_way("");
    daemon.go();
    let (token, cookie, open) = begun(&daemon);
    way.is(CUTS);
    is_away(&daemon);
    let held = open.send(&daemon, &cookie, &[("text", WORDS), ("occurred_ago", "20")]);
    let again = back(&held, 503, "the store cannot be reached at this moment");
    assert!(
        held.body.contains("tell the others yourself") && held.head.contains("retry-after: 5"),
        "{held:?}"
    );
    // Twenty minutes before it was sent first.
    let at = again.value("occurred_at").unwrap().to_owned();
    assert!(again.value("occurred_ago").is_none() && at.parse::<jiff::civil::DateTime>().is_ok(), "{at}");
    // So it goes on, as long as that lasts.
    let again = back(&again.send(&daemon, &cookie, &[]), 503, "the store cannot be reached");
    assert_eq!(again.value("occurred_at"), Some(at.as_str()));
    let roster = posts(&daemon, "/oncall/leaves", &cookie, "form=x&person=tom&reason=the+dentist");
    assert!(roster.status == 503 && roster.body.contains("the dentist</textarea>"), "{roster:?}");
    way.is(PASSES);
    is_back(&daemon);
    let taken = again.send(&daemon, &cookie, &[]);
    assert_eq!((taken.status, to(&taken)), (303, "/incidents/1?done=recorded"), "{taken:?}");
    assert_eq!(size_up(&daemon, &token), WORDS);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_form_of_a_login_that_has_ended_is_sent_again_after_the_next_one() {
    let daemon = Daemon::start(HOUSE);
    let (token, cookie, open) = begun(&daemon);
    assert!(daemon.command(&["session", "revoke", "--person", "maya"], None).status.success());
    let out = open.send(&daemon, &cookie, &[("text", WORDS)]);
    let again = back(&out, 401, "You are not logged in any more");
    assert_eq!(again.value("form"), Some(""), "a word is of a session");
    // A browser that forgot its cookie says nothing of it.
    back(&open.send(&daemon, "other=x", &[("text", WORDS)]), 401, "Log in");
    // The login leads back to the incident, and to no other house.
    assert!(out.body.contains("login?next=%2Fincidents%2F1\""), "{}", out.body);
    let login = |next: &str| {
        let form = format!("token={token}&next={next}");
        request(daemon.address, "POST", "/login", &[FORM], form.as_bytes()).unwrap()
    };
    let entered = login("%2Fincidents%2F1");
    assert_eq!((entered.status, to(&entered)), (303, "/incidents/1"));
    for elsewhere in ["%2F%2Fexample.net", "https%3A%2F%2Fexample.net", "%2F%5Cexample.net"] {
        assert_eq!(to(&login(elsewhere)), "/", "{elsewhere}");
    }
    let cookie = cookie_in(&entered).unwrap();
    // In the tab that stayed open: once more, of this login.
    let earlier = back(&again.send(&daemon, &cookie, &[]), 403, "of an earlier login of yours");
    let own = gets(&daemon, "/incidents/1", &cookie);
    assert_eq!(earlier.value("form"), word(&own.body));
    assert_eq!(size_up(&daemon, &token), Value::Null);
    assert_eq!(earlier.send(&daemon, &cookie, &[]).status, 303);
    assert_eq!(size_up(&daemon, &token), WORDS);

    // Of what may have stood elsewhere no form of ours is made.
    let fields = b"form=wrong&text=a+stranger%27s&token=s3cret&password=s3cret";
    let headers = [FORM, ("Cookie", cookie.as_str())];
    let strange = request(daemon.address, "POST", "/incidents/1/size-up", &headers, fields).unwrap();
    assert!(strange.status == 403 && strange.body.contains("text: a stranger"), "{strange:?}");
    assert!(forms(&strange.body).is_empty() && !strange.body.contains("size-up\""), "{strange:?}");
    for site in ["cross-site", "same-site"] {
        let headers = [FORM, ("Cookie", cookie.as_str()), ("Sec-Fetch-Site", site)];
        let other = request(daemon.address, "POST", "/incidents/1/size-up", &headers, fields).unwrap();
        assert!(other.status == 403 && !other.body.contains("stranger"), "{other:?}");
    }
    // Nor does a secret come back that somebody wrote into a form of ours.
    let headers = [FORM, ("Cookie", "none=x"), ("Sec-Fetch-Site", "same-origin")];
    let out = request(daemon.address, "POST", "/incidents/1/size-up", &headers, fields).unwrap();
    assert!(out.status == 401 && !out.body.contains("s3cret") && !out.body.contains("wrong"), "{out:?}");
    // What is too long is not read, and that is said.
    let long = format!("form=x&text={}", "x".repeat(70_000));
    let long = posts(&daemon, "/incidents/1/size-up", &cookie, &long);
    assert!(long.status == 413 && long.body.contains("your browser still has what you wrote"), "{long:?}");
}

#[test]
fn what_is_refused_stands_in_its_form_again() {
    let daemon = Daemon::start(HOUSE);
    let (token, cookie, open) = begun(&daemon);
    let future =
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2)).strftime("%Y-%m-%dT%H:%M").to_string();
    for (name, at, why) in [
        ("occurred_at", future.as_str(), "lies in the future: it is"),
        ("occurred_at", "yesterday", "yesterday is no hour"),
        ("occurred_ago", "soon", "say a number of minutes"),
    ] {
        let refused = open.send(&daemon, &cookie, &[("text", WORDS), (name, at)]);
        let again = back(&refused, 422, why);
        assert_eq!(again.value(name), Some(at), "{}", refused.body);
        assert!(refused.body.contains("<details class=\"when\" open>"), "{}", refused.body);
    }
    let find = form(&gets(&daemon, "/incidents/1", &cookie).body, "find");
    let refused =
        find.send(&daemon, &cookie, &[("component", "vpn"), ("ok", "false"), ("known_at", &future)]);
    let again = form(&refused.body, "find");
    assert_eq!(
        (refused.status, again.value("ok"), again.value("component")),
        (422, Some("false"), Some("vpn"))
    );
    let taken = open.send(&daemon, &cookie, &[("text", WORDS), ("occurred_ago", "20")]);
    assert_eq!(taken.status, 303, "{taken:?}");
    let entries = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
    let entries = entries["entries"].as_array().unwrap();
    let entry =
        entries.iter().find(|entry| entry["text"].as_str().unwrap().contains("since</b> 02:00")).unwrap();
    let hour = |name: &str| entry[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(hour("at").duration_since(hour("occurred_at")).as_mins(), 20, "{entry}");
}

#[test]
fn entries_have_numbers_that_are_linked_and_corrected_without_scripts() {
    let daemon = Daemon::start(HOUSE);
    let (token, cookie, _) = begun(&daemon);
    for number in 0..220 {
        let note = serde_json::json!({"text": format!("note {number}")});
        assert_eq!(daemon.api(&token, "POST", "/api/v1/incidents/1/note", &note).status, 200);
    }
    let entries = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
    let all = entries["entries"].as_array().unwrap();
    let last = all.len();
    let page = |query: &str| gets(&daemon, &format!("/incidents/1{query}"), &cookie).body;
    let newest = page("");
    assert!(
        newest.contains(&format!("<li id=\"e{last}\">")) && !newest.contains("<li id=\"e3\">"),
        "{newest}"
    );
    assert!(newest.contains(&format!("href=\"/incidents/1?entry={last}#e{last}\"")), "{newest}");
    let older = format!("?before={}", last - 199);
    assert!(newest.contains(&format!("/incidents/1{older}#timeline")), "{newest}");
    let older = page(&older);
    assert!(older.contains("<li id=\"e1\">") && !older.contains(&format!("<li id=\"e{last}\">")), "{older}");
    assert!(
        older.contains(&format!("Entries 1 to {} of {last}", last - 200)) && !older.contains("data-follow")
    );
    assert!(page("?entry=3").contains("<li id=\"e3\">"));
    // The link fills the form, also of what is shown on no first page.
    for number in [2, last] {
        assert!(
            page(&format!("?entry={number}"))
                .contains(&format!("href=\"/incidents/1?correct={number}#correct\""))
        );
        let page = page(&format!("?correct={number}"));
        let correct = form(&page, "correct");
        assert_eq!(correct.value("entry"), Some(number.to_string().as_str()));
        assert!(
            page.contains("<details id=\"note\" open>")
                && page.contains(&format!("Entry {number} says: <b>"))
        );
        let done = correct.send(&daemon, &cookie, &[("text", "it was the other one")]);
        assert_eq!(done.status, 303, "{done:?}");
    }
    for strange in
        ["?correct=0", "?correct=99999", "?correct=x", "?before=0", "?before=1", "?entry=-1", "?before=99999"]
    {
        let page = gets(&daemon, &format!("/incidents/1{strange}"), &cookie);
        assert!(
            page.status == 200 && !page.body.contains("Entry 0") && !page.body.contains("Entry 99999"),
            "{strange}"
        );
    }
    // Who only looks corrects nothing.
    assert!(daemon.verify().contains("whole"));
}
