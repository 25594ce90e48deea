//! Who is on call, and who stands in: by commands, by the API, by the page, and what a page of an alert makes of it.

use std::process::Output;

use serde_json::{Value, json};

use super::harness::{Answer, Daemon, HOUSE, eventually, request, word};
use super::silenced::{page, text};

/// Three who take turns, and one who is called after them.
fn house() -> String {
    let people = "[[person]]\nname = \"kim\"\nfull_name = \"Kim Vik\"\nemail = \"kim@example.net\"\ntime_zone = \"Asia/Kolkata\"\n[[rotation]]";
    let with = HOUSE.replacen("[[rotation]]", people, 1);
    let with = with.replace("members = [\"maya\"]", "members = [\"maya\", \"kim\"]");
    assert!(with != HOUSE && with.contains("\"kim\"]"));
    with
}

/// Who is on call in the rotation now, by the API.
fn on_call(daemon: &Daemon, token: &str) -> Value {
    let answer = daemon.api(token, "GET", "/api/v1/oncall?rotation=sre", &Value::Null);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["oncall"][0].clone()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A form of a page, as a browser sends it.
fn posts(daemon: &Daemon, token: &str, path: &str, from: &str, form: &str) -> Answer {
    let cookie = daemon.cookie(token);
    let page = request(daemon.address, "GET", "/oncall", &[("Cookie", &cookie)], b"").unwrap().body;
    let form = format!("{form}&form={}", word(&page).unwrap_or_default());
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Sec-Fetch-Site", from),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    request(daemon.address, "POST", path, &headers, form.as_bytes()).unwrap()
}

/// An hour as a form has it, by the clocks of a zone.
fn hour(hours: i64, zone: &str) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    at.in_tz(zone).unwrap().strftime("%Y-%m-%dT%H:%M").to_string()
}

#[test]
fn somebody_stands_in_and_is_woken_until_that_is_ended() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let oncall = |args: &[&str]| daemon.command(&[&["oncall"], args].concat(), Some(&token));
    let usual = on_call(&daemon, &token);
    let usual_until = usual["until"].clone();
    assert_eq!(usual["override"], Value::Null);
    let shown = text(&oncall(&["now"]));
    assert!(shown.starts_with("sre  ") && shown.trim_end().ends_with("Europe/Oslo"), "{shown}");

    let made = oncall(&["override", "sre", "tom", "--for", "4h", "--reason", "the <dentist>"]);
    assert!(made.status.success(), "{made:?}");
    let id = text(&made).trim().to_owned();
    assert_eq!(id.len(), 22);
    let now = on_call(&daemon, &token);
    assert_eq!((&now["person"], &now["override"]), (&json!("tom"), &json!(id)));
    assert!(now["until"].as_str() < usual_until.as_str());
    let shown = text(&oncall(&["now", "--rotation", "sre"]));
    assert!(shown.contains(&format!("tom (override {id}), until ")), "{shown}");
    let later = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(5)).to_string();
    let shown: Value = serde_json::from_slice(&oncall(&["now", "--at", &later, "--json"]).stdout).unwrap();
    assert_ne!(shown["oncall"][0]["person"], "tom", "{shown}");

    // Who is woken, and what was said of it.
    daemon.alert("db-1", "firing");
    daemon.mail_to("tom@example.net", "X-Page-Attempt: 1");
    let listed = text(&oncall(&["list"]));
    assert!(listed.contains(&id) && listed.contains("tom in sre") && listed.contains("maya: the <dentist>"));
    let shown = page(&daemon, &token, "/oncall");
    for words in
        ["<b>Tom Berg</b> until", "Stands in: the &lt;dentist&gt;", "(Maya Lind)", "Europe&#x2f;Oslo"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    for thing in ["<script", "<img", "<link", "<iframe", "javascript:", " onclick", "@import"] {
        assert!(!shown.to_lowercase().contains(thing), "{thing} in {shown}");
    }
    let preview = oncall(&["preview", "--service", "shop", "--for", "1h"]);
    assert!(text(&preview).contains("+0 min tom"), "{preview:?}");
    let whole = daemon.api(&token, "GET", &format!("/api/v1/overrides/{id}"), &Value::Null).json();
    assert_eq!((&whole["state"], &whole["author"]), (&json!("active"), &json!("maya")));

    let ended = oncall(&["end", &id]);
    assert!(text(&ended).contains("ended by maya"), "{ended:?}");
    let now = on_call(&daemon, &token);
    assert_eq!((&now["person"], &now["override"]), (&usual["person"], &Value::Null));
    assert!(!text(&oncall(&["list"])).contains(&id) && text(&oncall(&["list", "--all"])).contains(&id));
    assert_eq!(oncall(&["end", "none"]).status.code(), Some(1));
    // What held then is told of then.
    let moment = whole["starts_at"].as_str().unwrap();
    let then = daemon.api(&token, "GET", &format!("/api/v1/oncall?at={moment}"), &Value::Null).json();
    assert_eq!(then["oncall"][0]["person"], "tom", "{then}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn two_change_places_one_is_away_and_a_time_without_anybody_is_warned_of() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("tom");
    let oncall = |args: &[&str]| daemon.command(&[&["oncall"], args].concat(), Some(&token));
    let usual = on_call(&daemon, &token)["person"].as_str().unwrap().to_owned();
    let other = if usual == "maya" { "kim" } else { "maya" };
    let hours = |from: i64, until: i64| {
        let at = |hours| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string();
        format!("{}/{}", at(from), at(until))
    };
    let until: jiff::Timestamp = on_call(&daemon, &token)["until"].as_str().unwrap().parse().unwrap();
    let next = until.duration_since(jiff::Timestamp::now()).as_hours() + 2;
    let swapped = oncall(&[
        "swap",
        "sre",
        other,
        &hours(0, 1),
        &usual,
        &hours(next, next + 1),
        "--reason",
        "a concert",
    ]);
    assert!(swapped.status.success(), "{swapped:?}");
    assert_eq!(text(&swapped).lines().count(), 2);
    assert_eq!(on_call(&daemon, &token)["person"], other);
    // Who is not on call has nothing to give.
    let wrong = oncall(&["swap", "sre", "tom", &hours(2, 3), other, &hours(5, 6), "--reason", "x"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("is not on call in sre"), "{wrong:?}");

    // The one who stands in falls ill, and gives the turn back first.
    let away = || oncall(&["leave", other, "--for", "12h", "--reason", "ill"]);
    assert!(said(&away()).contains("stands in in sre"), "{:?}", away());
    let ended = oncall(&["end", text(&swapped).lines().next().unwrap()]);
    assert!(ended.status.success(), "{ended:?}");
    let away = away();
    assert!(away.status.success() && !said(&away).contains("nobody"), "{away:?}");
    assert_eq!(on_call(&daemon, &token)["person"], json!(usual));
    assert!(!page(&daemon, &token, "/").contains("Nobody"));
    let both = oncall(&["leave", &usual, "--for", "6h", "--reason", "ill too"]);
    assert!(said(&both).contains("warning: nobody is on call in sre from "), "{both:?}");
    let leave = text(&both).trim().to_owned();
    for path in ["/", "/oncall"] {
        let shown = page(&daemon, &token, path);
        assert!(shown.contains("Nobody is on call in sre now until "), "{path}: {shown}");
    }
    let figures = daemon.get("/metrics").unwrap().body;
    assert!(figures.contains("onscene_oncall_gap_seconds{rotation=\"sre\"} 0\n"), "{figures}");
    let now = daemon.api(&token, "GET", "/api/v1/oncall", &Value::Null).json();
    assert_eq!(
        (now["oncall"].as_array().map(Vec::len), &now["nobody"][0]["rotation"]),
        (Some(0), &json!("sre"))
    );
    // And somebody is woken all the same.
    daemon.alert("db-1", "firing");
    daemon.mail_to("tom@example.net", "X-Page-Attempt: 1");
    assert!(oncall(&["end", &leave]).status.success());
    assert!(!page(&daemon, &token, "/").contains("Nobody"));
    daemon.alert("db-2", "firing");
    daemon.mail_to(&format!("{usual}@example.net"), "db-2 is down");
}

#[test]
fn the_page_takes_what_people_say_in_the_hours_of_their_rotation_and_from_nobody_else() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let form = format!(
        "rotation=sre&person=tom&instead_of=&from=&until={}&reason=the+dentist+%26+more",
        hour(3, "Europe/Oslo").replace(':', "%3A")
    );
    let overrides = || daemon.api(&token, "GET", "/api/v1/overrides?state=open", &Value::Null).json();
    // Nobody who is not logged in, and no other site in the name of who is.
    let stranger = posts(&daemon, "wrong", "/oncall/overrides", "same-origin", &form);
    assert!(stranger.status == 401 && stranger.body.contains("login?next=%2Foncall"), "{stranger:?}");
    assert_eq!(posts(&daemon, &token, "/oncall/overrides", "cross-site", &form).status, 403);
    assert_eq!(request(daemon.address, "GET", "/oncall", &[], b"").unwrap().status, 303);
    assert_eq!(overrides()["overrides"], json!([]));

    let done = posts(&daemon, &token, "/oncall/overrides", "same-origin", &form);
    assert!(done.status == 303 && done.head.contains("location: /oncall?done=said"), "{}", done.head);
    let kept = overrides()["overrides"][0].clone();
    assert_eq!(
        (&kept["person"], &kept["author"], &kept["reason"]),
        (&json!("tom"), &json!("maya"), &json!("the dentist & more"))
    );
    let ends: jiff::Timestamp = kept["ends_at"].as_str().unwrap().parse().unwrap();
    let wanted = hour(3, "Europe/Oslo");
    assert_eq!(ends.in_tz("Europe/Oslo").unwrap().strftime("%Y-%m-%dT%H:%M").to_string(), wanted);
    let shown = page(&daemon, &token, "/oncall?done=said");
    assert!(shown.contains("It is written down") && shown.contains("Tom Berg in sre"), "{shown}");
    assert!(shown.contains("the dentist &amp; more"), "{shown}");
    let id = kept["id"].as_str().unwrap();
    assert!(shown.contains(&format!("action=\"/oncall/overrides/{id}/end\"")), "{shown}");

    // Hours of who is away are their own.
    let leave = format!("person=kim&from=&until={}&reason=holidays", hour(30, "Asia/Kolkata"));
    assert_eq!(posts(&daemon, &token, "/oncall/leaves", "same-origin", &leave).status, 303);
    let leaves = daemon.api(&token, "GET", "/api/v1/leaves?state=active", &Value::Null).json();
    let ends: jiff::Timestamp = leaves["leaves"][0]["ends_at"].as_str().unwrap().parse().unwrap();
    let left = ends.duration_since(jiff::Timestamp::now()).as_mins();
    assert!((29 * 60..=30 * 60).contains(&left), "{left}");
    let leave = leaves["leaves"][0]["id"].as_str().unwrap();

    // What was wrong is said, and what was written stands there still.
    let wrong = form.replace("person=tom", "person=kim");
    let answer = posts(&daemon, &token, "/oncall/overrides", "same-origin", &wrong);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(
        answer.body.contains("Nothing was changed:") && answer.body.contains("kim is away from"),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("value=\"the dentist &amp; more\""), "{}", answer.body);
    for (form, status, words) in [
        ("rotation=sre&person=tom&reason=x", 422, "until when"),
        ("rotation=sre&person=tom&until=soon&reason=x", 422, "2026-12-01T09:00"),
        ("rotation=gone&person=tom&until=2030-01-01T00%3A00&reason=x", 400, "90 days"),
        ("rotation=sre&person=tom&until=2020-01-01T00%3A00&reason=x", 400, "before it begins"),
        ("%ff=%", 422, "until when"),
    ] {
        let answer = posts(&daemon, &token, "/oncall/overrides", "same-origin", form);
        assert_eq!(answer.status, status, "{form}: {}", answer.body);
        assert!(answer.body.contains(words), "{form}: {}", answer.body);
    }
    assert_eq!(overrides()["overrides"].as_array().map(Vec::len), Some(1));

    for path in [format!("/oncall/overrides/{id}/end"), format!("/oncall/leaves/{leave}/end")] {
        assert_eq!(posts(&daemon, &token, &path, "cross-site", "").status, 403);
        let ended = posts(&daemon, &token, &path, "same-origin", "");
        assert!(ended.head.contains("location: /oncall?done=ended"), "{}", ended.head);
    }
    assert_eq!(posts(&daemon, &token, "/oncall/overrides/none/end", "same-origin", "").status, 404);
    assert_eq!(posts(&daemon, &token, "/oncall/overrides/%00/end", "same-origin", "").status, 404);
    assert_eq!(overrides()["overrides"], json!([]));
    let all = daemon.api(&token, "GET", "/api/v1/overrides", &Value::Null).json();
    assert_eq!(all["overrides"][0]["ended_by"], "maya");

    // Who would be woken, on a day that somebody chooses.
    let day = hour(48, "UTC")[..10].to_owned();
    let shown = page(&daemon, &token, &format!("/oncall?service=shop&severity=SEV3&day={day}"));
    assert!(shown.contains("shop SEV3") && shown.contains("<b>+5 min</b> Tom Berg"), "{shown}");
    assert!(shown.contains(&format!("value=\"{day}\"")), "{shown}");
    let shown = page(&daemon, &token, "/oncall?service=gone&severity=x&day=never&more=%ff");
    assert!(shown.contains("<h3>shop</h3>"), "{shown}");
}

#[test]
fn programs_may_say_it_too_and_what_cannot_be_is_refused_in_words() {
    let daemon = Daemon::start(&house());
    let robot = daemon.command(&["token", "create", "--automation", "planner"], None);
    let robot = text(&robot).trim().to_owned();
    let asked = |path: &str, body: &Value| daemon.api(&robot, "POST", path, body);
    let good = json!({"rotation": "sre", "person": "tom", "for": "1h", "reason": " a\n\nb "});
    let made = asked("/api/v1/overrides", &good);
    assert_eq!(
        (made.status, made.json()["author"].as_str()),
        (201, Some("automation:planner")),
        "{}",
        made.body
    );
    assert_eq!((&made.json()["reason"], &made.json()["warnings"]), (&json!("a b"), &json!([])));
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let takes = |person: &str, from: &str, until: &str| json!({"person": person, "starts_at": from, "ends_at": until});
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 1;
    let (one, other) = (format!("{year}-01-05T00:00:00Z"), format!("{year}-01-06T00:00:00Z"));
    let overlap = json!({"rotation": "sre", "reason": "x", "takes": [takes("maya", &one, &other), takes("kim", &one, &other)]});
    for (path, body, status, words) in [
        ("overrides", with("rotation", json!("sree")), 422, "did you mean `sre`?"),
        ("overrides", with("person", json!("tim")), 422, "no person tim; did you mean `tom`?"),
        ("overrides", with("instead_of", json!("tom")), 400, "cannot stand in"),
        ("overrides", with("reason", json!(" ")), 400, "say why"),
        ("overrides", with("reason", json!("x".repeat(501))), 400, "500 bytes"),
        ("overrides", with("for", json!("91 days")), 400, "90 days"),
        ("overrides", with("for", json!("soon")), 422, "no length of time"),
        ("overrides", with("ends_at", json!("2999-01-01T00:00:00Z")), 422, "until when"),
        ("overrides", with("starts_at", json!("2020-01-01T00:00:00Z")), 400, "before it begins"),
        ("overrides", with("starts_at", json!("2999-01-01T00:00:00Z")), 400, "a year"),
        ("overrides", with("author", json!("kim")), 400, "author"),
        ("overrides", with("person", json!("a\u{0}b")), 422, "no person"),
        ("swaps", json!({"rotation": "sre", "reason": "x", "takes": []}), 422, "two people"),
        ("swaps", overlap, 422, "overlap"),
        ("leaves", json!({"person": "tim", "for": "1h", "reason": "x"}), 422, "did you mean `tom`?"),
        ("leaves", json!({"person": "tom", "reason": "x"}), 422, "until when"),
        ("leaves", json!({"person": "tom", "for": "1h"}), 400, "say why"),
    ] {
        let answer = asked(&format!("/api/v1/{path}"), &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(words), "{body}: {}", answer.body);
    }
    let ask = |method: &str, path: &str| daemon.api(&robot, method, path, &Value::Null).status;
    for path in ["overrides", "leaves"] {
        let path = format!("/api/v1/{path}");
        assert_eq!(daemon.api("wrong", "GET", &path, &Value::Null).status, 401);
        assert_eq!(daemon.api("wrong", "POST", &path, &good).status, 401);
        assert_eq!(ask("GET", &format!("{path}?state=gone")), 400);
        assert_eq!(ask("GET", &format!("{path}/none")), 404);
        assert_eq!(ask("GET", &format!("{path}/%00")), 404);
        assert_eq!(ask("POST", &format!("{path}/none/end")), 404);
        assert_eq!(ask("POST", &format!("{path}/%00/end")), 404);
    }
    assert_eq!(ask("GET", "/api/v1/oncall?rotation=sree"), 404);
    assert_eq!(ask("GET", "/api/v1/oncall?service=shop"), 200);
    for (query, status) in [
        ("", 400),
        ("service=shop", 200),
        ("service=gone", 404),
        ("service=shop&severity=SEV9", 400),
        ("service=shop&severity=SEV4&from=2020-01-01T00:00:00Z", 400),
        ("service=shop&from=2999-01-01T00:00:00Z&until=2998-01-01T00:00:00Z", 400),
        ("service=shop&until=2999-01-01T00:00:00Z", 400),
    ] {
        assert_eq!(ask("GET", &format!("/api/v1/oncall/preview?{query}")), status, "{query}");
    }
    let token = daemon.token("maya");
    let oncall = |args: &[&str]| daemon.command(&[&["oncall"], args].concat(), Some(&token)).status.code();
    assert_eq!(oncall(&["override", "sre", "tom", "--reason", "no hour"]), Some(2));
    assert_eq!(oncall(&["override", "sre", "tom", "--for", "1h"]), Some(2));
    assert_eq!(oncall(&["override", "sre", "tim", "--for", "1h", "--reason", "x"]), Some(1));
    assert_eq!(oncall(&["swap", "sre", "kim", "now", "maya", "later", "--reason", "x"]), Some(2));
    let listed = daemon.command(&["oncall", "list", "--json"], Some(&token));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["overrides"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["leaves"], json!([]));
}

#[test]
fn what_was_answered_is_there_after_kill_9() {
    let mut daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let mut ids = Vec::new();
    for round in 0..6 {
        let (path, body) = if round % 2 == 0 {
            ("/api/v1/overrides", json!({"rotation": "sre", "person": "tom", "for": "2h", "reason": "x"}))
        } else {
            ("/api/v1/leaves", json!({"person": "kim", "for": "2h", "reason": "x"}))
        };
        let made = daemon.api(&token, "POST", path, &body);
        assert_eq!(made.status, 201, "{}", made.body);
        daemon.kill();
        ids.push(format!("{path}/{}", made.json()["id"].as_str().unwrap()));
        daemon.go();
    }
    for path in &ids {
        let kept = daemon.api(&token, "GET", path, &Value::Null);
        assert_eq!((kept.status, kept.json()["state"].as_str()), (200, Some("active")), "{}", kept.body);
    }
    let ended = daemon.api(&token, "POST", &format!("{}/end", ids[4]), &Value::Null);
    assert_eq!(ended.status, 200, "{}", ended.body);
    daemon.kill();
    daemon.go();
    let kept = daemon.api(&token, "GET", &ids[4], &Value::Null).json();
    assert_eq!((&kept["state"], &kept["ended_by"]), (&json!("expired"), &json!("maya")));
    // Of those that are left the newest counts.
    assert_eq!(on_call(&daemon, &token)["override"].as_str(), ids[2].rsplit('/').next());
}

#[test]
fn an_override_begins_and_ends_by_itself() {
    let daemon = Daemon::start(&house());
    let token = daemon.token("maya");
    let begins = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let ends = begins + jiff::SignedDuration::from_secs(4);
    let body =
        json!({"rotation": "sre", "person": "tom", "reason": "x", "starts_at": begins, "ends_at": ends});
    let made = daemon.api(&token, "POST", "/api/v1/overrides", &body);
    assert_eq!((made.status, made.json()["state"].as_str()), (201, Some("pending")), "{}", made.body);
    let is_tom = || on_call(&daemon, &token)["person"] == "tom";
    assert!(!is_tom() && page(&daemon, &token, "/oncall").contains("Tom Berg in sre"));
    eventually("it begins", || is_tom().then_some(()));
    assert!(jiff::Timestamp::now() >= begins);
    eventually("it is over", || (!is_tom()).then_some(()));
    assert!(jiff::Timestamp::now() >= ends);
}
