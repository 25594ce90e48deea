//! Whose browser an answer to a page logs in, as whom, and how that ends.

use std::time::Duration;

use onscene::clock::Clock;
use onscene::store::{Connection, StoreError};
use serde_json::{Value, json};

use super::followed::Stream;
use super::harness::{
    Answer, Daemon, FORM, HOUSE, answer_link, cookie_in, eventually, nonce, request, within,
};

const OURS: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

fn posts(daemon: &Daemon, link: &str, headers: &[(&str, &str)], fields: &str) -> Answer {
    let headers = [&[FORM], headers].concat();
    request(daemon.address, "POST", link, &headers, fields.as_bytes()).unwrap()
}

fn gets(daemon: &Daemon, path: &str, cookie: &str) -> Answer {
    request(daemon.address, "GET", path, &[("Cookie", cookie)], b"").unwrap()
}

/// A button on a page that was shown.
fn button(page: &Answer, fields: &str) -> String {
    format!("nonce={}&answer={fields}", nonce(&page.body).unwrap())
}

/// A house in which both were paged, and their links.
fn paged(config: &str) -> (Daemon, String, String) {
    let daemon = Daemon::start(
        &config.replace("page = [\"rotation:sre\"]", "page = [\"person:maya\", \"person:tom\"]"),
    );
    daemon.alert("db-1", "firing");
    let link = |to: &str| answer_link(&daemon.mail_to(to, "X-Page-Attempt: 1"));
    let (maya, tom) = (link("maya@example.net"), link("tom@example.net"));
    (daemon, maya, tom)
}

/// What a page gives the browser that opens it.
fn marked(page: &Answer) -> String {
    let mut set = page.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let mark = set.find(|set| set.contains("onscene_answer=")).unwrap_or_else(|| panic!("{page:?}"));
    assert!(mark.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400"), "{mark}");
    mark.split(';').next().unwrap().to_owned()
}

fn listed(daemon: &Daemon) -> Vec<Value> {
    let listed = daemon.command(&["session", "list", "--json"], None);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    listed["sessions"].as_array().unwrap().clone()
}

#[test]
fn who_has_answered_a_page_is_logged_in_and_neither_who_looks_nor_a_program_is() {
    let (daemon, link, _) = paged(HOUSE);
    let shown = daemon.get(&link).unwrap();
    assert!(cookie_in(&shown).is_none() && !shown.body.contains("Go on to the incident page"), "{shown:?}");
    // What decided nothing logs nobody in.
    for strange in
        ["answer=take&nonce=f.1.2".to_owned(), button(&shown, "nothing"), button(&shown, "mitigate&term=1")]
    {
        let refused = posts(&daemon, &link, &[OURS], &strange);
        assert!(refused.status >= 400 && cookie_in(&refused).is_none(), "{strange}: {refused:?}");
    }
    let taken = posts(&daemon, &link, &[OURS], &button(&shown, "take"));
    for words in [
        "Go on to the incident page",
        "href=\"/incidents/1\"",
        "now logged in as <b>Maya Lind</b>",
        "Log out",
    ] {
        assert!(taken.body.contains(words), "{words}: {taken:?}");
    }
    let cookie = cookie_in(&taken).unwrap();
    let page = gets(&daemon, "/incidents/1", &cookie);
    assert!(page.status == 200 && page.body.contains("You have command"), "{page:?}");
    // Who is in already keeps their session.
    let brought = [OURS, ("Cookie", cookie.as_str())];
    let again = posts(&daemon, &link, &brought, &button(&taken, "check-in"));
    assert!(
        again.status == 200 && cookie_in(&again).is_none() && again.body.contains("Go on to"),
        "{again:?}"
    );
    assert!(gets(&daemon, &link, &cookie).body.contains("This browser is logged in as <b>Maya Lind</b>"));
    // By the page they log out as well.
    let out = posts(&daemon, &link, &brought, &button(&again, "out"));
    assert!(out.head.contains("onscene_session=; Path=/") && out.body.contains("is logged out"), "{out:?}");
    assert_eq!((gets(&daemon, "/", &cookie).status, listed(&daemon).len()), (303, 0));
    // Of a link on which a program has pressed, nobody is logged in, though a human's answer counts.
    posts(&daemon, &link, &[OURS], &button(&shown, "program"));
    let shown = daemon.get(&link).unwrap();
    let noted = posts(&daemon, &link, &[OURS], &button(&shown, "note&text=x"));
    assert!(noted.status == 200 && cookie_in(&noted).is_none(), "{noted:?}");
    assert!(!noted.body.contains("Go on to the incident page"), "{}", noted.body);
}

#[test]
fn an_answer_that_another_site_sends_counts_and_logs_nobody_in() {
    let (daemon, link, other) = paged(HOUSE);
    let shown = daemon.get(&link).unwrap();
    let mark = marked(&shown);
    let mut word = button(&shown, "take");
    let both = marked(&gets(&daemon, &other, &mark));
    let others = marked(&daemon.get(&other).unwrap());
    assert!(both.len() > others.len() && both.ends_with(mark.split('=').nth(1).unwrap()), "{both} {mark}");
    let other_end = if mark.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{other_end}", &mark[..mark.len() - 1]);
    let site = |site: &'static str| ("Sec-Fetch-Site", site);
    for headers in [
        vec![site("cross-site")],
        vec![site("cross-site"), ("Cookie", mark.as_str())],
        vec![site("same-site"), ("Cookie", mark.as_str())],
        vec![site("none"), ("Cookie", mark.as_str())],
        vec![],
        vec![("Cookie", others.as_str())],
        vec![("Cookie", "onscene_answer=")],
        vec![("Cookie", forged.as_str())],
    ] {
        let answer = posts(&daemon, &link, &headers, &word);
        assert!(answer.status == 200 && cookie_in(&answer).is_none(), "{headers:?}: {answer:?}");
        assert!(answer.body.contains("You have command"), "{headers:?}: {answer:?}");
        for words in ["This browser is not logged in", "href=\"/login?next=%2Fincidents%2F1\""] {
            assert!(answer.body.contains(words), "{words}: {headers:?}: {answer:?}");
        }
        word = button(&answer, "note&text=x");
    }
    assert_eq!(listed(&daemon), [] as [Value; 0]);
    // What browsers do that say nothing of where a form stood: they bring what the page gave them.
    for cookie in [&mark, &both] {
        let answer = posts(&daemon, &link, &[("Cookie", cookie)], &word);
        assert!(cookie_in(&answer).is_some() && answer.body.contains("now logged in as <b>Maya Lind"));
        word = button(&answer, "note&text=y");
    }
    assert_eq!(listed(&daemon).len(), 2);
}

#[test]
fn where_pages_come_by_https_the_cookie_of_a_page_is_bound_to_that_and_to_this_host() {
    let https = "external_url = \"https://onscene.example.net\"";
    let (daemon, link, _) = paged(&HOUSE.replacen("external_url = \"http://127.0.0.1:PORT\"", https, 1));
    let shown = daemon.get(&link).unwrap();
    let mark = marked(&shown);
    assert!(mark.starts_with("__Host-onscene_answer=") && shown.head.contains("Max-Age=86400; Secure"));
    let plain = mark.replace("__Host-", "");
    let taken = posts(&daemon, &link, &[("Cookie", &plain)], &button(&shown, "take"));
    assert!(taken.status == 200 && cookie_in(&taken).is_none(), "{taken:?}");
    let noted = posts(&daemon, &link, &[("Cookie", &mark)], &button(&taken, "note&text=x"));
    assert!(cookie_in(&noted).unwrap().starts_with("__Host-onscene_session="), "{noted:?}");
}

#[test]
fn who_answers_where_somebody_else_is_logged_in_is_told_so_and_goes_on_as_themselves() {
    let (daemon, link, _) = paged(HOUSE);
    let toms = daemon.cookie(&daemon.token("tom"));
    let is_in = |cookie: &str| gets(&daemon, "/", cookie).status == 200;
    let shown = gets(&daemon, &link, &toms);
    let told = "<b>This browser is logged in as Tom Berg</b>, and this is a page of Maya Lind.";
    assert!(shown.body.contains(told) && !shown.body.contains("value=\"enter\""), "{}", shown.body);
    let brought = [OURS, ("Cookie", toms.as_str())];
    // Not before they have answered.
    let early = posts(&daemon, &link, &brought, &button(&shown, "enter"));
    assert!(early.status == 409 && cookie_in(&early).is_none() && is_in(&toms), "{early:?}");
    let taken = posts(&daemon, &link, &brought, &button(&shown, "take"));
    assert!(taken.status == 200 && cookie_in(&taken).is_none() && is_in(&toms), "{taken:?}");
    for words in [
        told,
        "Log Tom Berg out here, and go on as Maya Lind",
        "Go on to the incident page as Tom Berg",
        "You have command",
    ] {
        assert!(taken.body.contains(words), "{words}: {}", taken.body);
    }
    // Nor does another site log anybody in or out by that.
    for press in ["enter", "out"] {
        let cross = [("Sec-Fetch-Site", "cross-site"), ("Cookie", toms.as_str())];
        let refused = posts(&daemon, &link, &cross, &button(&taken, press));
        assert!(refused.status == 409 && !refused.head.contains("onscene_session"), "{refused:?}");
    }
    assert!(is_in(&toms));
    let entered = posts(&daemon, &link, &brought, &button(&taken, "enter"));
    let mayas = cookie_in(&entered).unwrap_or_else(|| panic!("{entered:?}"));
    assert!(entered.body.contains("now logged in as <b>Maya Lind"), "{}", entered.body);
    assert!(!is_in(&toms) && gets(&daemon, "/incidents/1", &mayas).body.contains("You have command"));
    let listed = listed(&daemon);
    assert_eq!((listed.len(), &listed[0]["person"]), (1, &json!("maya")));
}

#[test]
fn what_a_login_was_made_of_is_listed_and_ended_logins_are_not_made_again_by_the_same_links() {
    let (daemon, link, _) = paged(HOUSE);
    let shown = daemon.get(&link).unwrap();
    let taken = posts(&daemon, &link, &[OURS], &button(&shown, "take"));
    let cookie = cookie_in(&taken).unwrap();
    let token = daemon.token("tom");
    daemon.cookie(&token);
    let text = String::from_utf8(daemon.command(&["session", "list"], None).stdout).unwrap();
    assert!(text.contains("by the answer link of INC-1\n") && text.contains("by a token\n"), "{text}");
    let shown = daemon.api(&daemon.token("maya"), "GET", "/api/v1/sessions", &Value::Null).json();
    let one = &shown["sessions"][0];
    assert_eq!((&one["made_of"], &one["incident"]), (&json!("answer_link"), &json!(1)));
    assert!(daemon.command(&["session", "revoke", "--person", "maya"], None).status.success());
    assert_eq!(gets(&daemon, "/", &cookie).status, 303);
    let noted = posts(&daemon, &link, &[OURS], &button(&taken, "note&text=x"));
    assert!(noted.status == 200 && cookie_in(&noted).is_none(), "{noted:?}");
    assert!(noted.body.contains("It is on the timeline") && noted.body.contains("is not logged in"));
    assert_eq!(listed(&daemon).len(), 1, "of tom");
}

#[test]
fn who_only_watches_is_there() {
    let (daemon, ..) = paged(HOUSE);
    let cookie = daemon.cookie(&daemon.token("tom"));
    let headers = [("Accept", "text/event-stream"), ("Cookie", cookie.as_str())];
    let mut stream = Stream::open(daemon.address, "/api/v1/incidents/1/timeline", &headers);
    stream.entry();
    let used = |by: &str| {
        let clock = Clock::system();
        let mut store = Connection::writer(&daemon.place(), &clock).unwrap();
        let read: Result<Option<i64>, StoreError> = store.write(clock.now(), |tx| {
            tx.write(&format!("update session set used_at = used_at - {by}"), &[])?;
            tx.query_one("select used_at from session", &[], |row| row.int(0))
        });
        read.unwrap().unwrap()
    };
    // They came six minutes ago, and have looked at the page since.
    let then = used("360000000");
    within(Duration::from_secs(60), "it is written down", || (used("0") > then + 360_000_000).then_some(()));
    eventually("and they still do", || gets(&daemon, "/", &cookie).body.contains("Tom Berg").then_some(()));
}
