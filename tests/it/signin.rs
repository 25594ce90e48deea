//! Logging in to the pages: by a link in a mail, by one that a command prints, by a token; what each role may do then, and how it ends.

use serde_json::{Value, json};

use super::harness::{Answer, Daemon, FORM, HOUSE, answer_link, cookie_in, eventually, nonce, request, word};

const TOKEN_OF_LINKS: usize = 43;

/// A house of an administrator, a member and a viewer.
fn house() -> String {
    let with =
        HOUSE.replacen("full_name = \"Maya Lind\"\n", "full_name = \"Maya Lind\"\nadministrator = true\n", 1);
    let viewer = "[[person]]\nname = \"lee\"\nfull_name = \"Lee Moe\"\nemail = \"lee@example.net\"\nrole = \"viewer\"\n[[rotation]]";
    with.replacen("[[rotation]]", viewer, 1)
}

fn posts(daemon: &Daemon, path: &str, cookie: &str, form: &str) -> Answer {
    request(daemon.address, "POST", path, &[FORM, ("Cookie", cookie)], form.as_bytes()).unwrap()
}

fn gets(daemon: &Daemon, path: &str, cookie: &str) -> Answer {
    request(daemon.address, "GET", path, &[("Cookie", cookie)], b"").unwrap()
}

/// The address behind the link in a mail, or in what a command printed.
fn link_in(text: &str) -> String {
    // Lines of a mail are folded.
    let text = text.replace("=\n", "").replace("=\r\n", "").replace("=3D", "=");
    let at = text.find("/login/").unwrap_or_else(|| panic!("no link in {text}"));
    let end = text[at..].find(|c: char| c.is_whitespace() || c == '"').map_or(text.len(), |end| at + end);
    text[at..end].to_owned()
}

/// The button behind a link is pressed.
fn presses(daemon: &Daemon, link: &str, cookie: &str, fields: &str) -> Answer {
    let shown = gets(daemon, link, cookie);
    assert_eq!(shown.status, 200, "{shown:?}");
    let path = link.split('?').next().unwrap();
    posts(daemon, path, cookie, &format!("answer=enter&nonce={}{fields}", nonce(&shown.body).unwrap()))
}

fn leads_to(answer: &Answer, path: &str) {
    let to = answer.head.lines().find_map(|line| line.strip_prefix("location: "));
    assert_eq!((answer.status, to), (303, Some(path)), "{answer:?}");
}

fn sessions(daemon: &Daemon) -> Vec<Value> {
    let listed = daemon.command(&["session", "list", "--json"], None);
    assert!(listed.status.success(), "{listed:?}");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    listed["sessions"].as_array().unwrap().clone()
}

/// What is said of who stands in, and of who is away.
fn said(daemon: &Daemon, token: &str) -> Value {
    let list = |path: &str| daemon.api(token, "GET", path, &Value::Null).json();
    json!([list("/api/v1/overrides"), list("/api/v1/leaves")])
}

#[test]
fn a_link_in_a_mail_logs_its_person_in_once_and_leads_on_to_where_they_wanted() {
    let daemon = Daemon::start(&house());
    leads_to(&daemon.get("/oncall?service=shop").unwrap(), "/login?next=%2Foncall%3Fservice%3Dshop");
    leads_to(&daemon.get("/").unwrap(), "/login");
    let login = daemon.get("/login?next=%2Foncall%3Fservice%3Dshop").unwrap();
    assert!(login.body.contains("name=\"next\" value=\"&#x2f;oncall?service=shop\""), "{}", login.body);

    // The answer tells nobody who there is.
    let ask = |who: &str| posts(&daemon, "/login", "", &format!("who={who}&next=%2Foncall%3Fservice%3Dshop"));
    let (known, nobody) = (ask("Maya%40Example.net"), ask("nobody%40example.net"));
    assert!(known.status == 200 && known.body.contains("Look at your mail"), "{known:?}");
    assert_eq!((nobody.status, &nobody.body), (known.status, &known.body));
    let mail = daemon.mail_to("maya@example.net", "/login/");
    assert!(mail.contains("Subject: Your link to log in to onscene"), "{mail}");
    let link = link_in(&mail);
    let (path, next) = link.split_once('?').unwrap();
    assert_eq!((path.len() - "/login/".len(), next), (TOKEN_OF_LINKS, "next=%2Foncall%3Fservice%3Dshop"));

    // Whoever looks at it, however often, does nothing by that.
    for method in ["GET", "HEAD", "GET"] {
        let shown = request(daemon.address, method, &link, &[], b"").unwrap_or_else(|| panic!("{method}"));
        assert!(shown.status == 200 && cookie_in(&shown).is_none(), "{shown:?}");
    }
    let shown = daemon.get(&link).unwrap();
    assert!(
        shown.body.contains("Log in as Maya Lind") && shown.head.contains("referrer-policy: same-origin")
    );
    assert_eq!(sessions(&daemon), [] as [Value; 0]);
    // Nor does who presses the button that people do not see, or sends a form that was not shown.
    for form in ["answer=program", "answer=enter", "answer=enter&nonce=f.1.2", ""] {
        let refused = posts(&daemon, path, "", form);
        assert!(refused.status == 409 && cookie_in(&refused).is_none(), "{form}: {refused:?}");
    }
    let other = [FORM, ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(request(daemon.address, "POST", path, &other, b"answer=enter").unwrap().status, 403);
    assert_eq!(sessions(&daemon), [] as [Value; 0]);

    let word = nonce(&shown.body).unwrap().to_owned();
    let entered = presses(&daemon, &link, "", "&next=%2Foncall%3Fservice%3Dshop");
    leads_to(&entered, "/oncall?service=shop");
    let set = entered.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(
        set.starts_with("onscene_session=")
            && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000")
    );
    let cookie = cookie_in(&entered).unwrap();
    let page = gets(&daemon, "/oncall?service=shop", &cookie);
    assert!(page.status == 200 && page.body.contains("Maya Lind</span>"), "{page:?}");
    assert!(page.body.contains("Log out") && page.body.contains("action=\"/oncall/overrides\""));
    let [session] = &sessions(&daemon)[..] else { panic!("one") };
    assert_eq!((&session["person"], &session["token"]), (&json!("maya"), &Value::Null));
    assert_eq!((&session["made_of"], &session["incident"]), (&json!("login_link"), &Value::Null));

    // Once.
    let again = posts(&daemon, path, "", &format!("answer=enter&nonce={word}"));
    assert!(again.status == 410 && again.body.contains("does not work any more"), "{again:?}");
    assert_eq!(daemon.get(&link).unwrap().status, 410);
    leads_to(&posts(&daemon, path, &cookie, &format!("answer=enter&nonce={word}")), "/");
    assert_eq!(sessions(&daemon).len(), 1);
    assert_eq!(daemon.mails().values().filter(|mail| mail.contains("/login/")).count(), 1);
    let log = daemon.log();
    assert!(
        !log.contains(&path["/login/".len()..]) && !log.contains(&cookie["onscene_session=".len()..]),
        "{log}"
    );
}

#[test]
fn nobody_is_led_to_another_house_and_nobody_is_flooded() {
    let daemon = Daemon::start(&house());
    for _ in 0..5 {
        let asked = posts(&daemon, "/login", "", "who=tom&next=%2F%2Fexample.net");
        assert!(asked.status == 200 && asked.body.contains("Look at your mail"), "{asked:?}");
    }
    // What was asked for next is done after what was asked for before.
    posts(&daemon, "/login", "", "who=maya");
    daemon.mail_to("maya@example.net", "/login/");
    let to_tom = || daemon.mails().into_values().filter(|mail| mail.contains("To: tom@example.net")).count();
    eventually("three of five", || (to_tom() == 3).then_some(()));
    let link = link_in(&daemon.mail_to("tom@example.net", "/login/"));
    assert!(!link.contains("next"), "{link}");
    leads_to(
        &presses(&daemon, &format!("{link}?next=%2F%2Fexample.net"), "", "&next=%2F%2Fexample.net"),
        "/",
    );
    let token = daemon.token("tom");
    for next in
        ["//example.net", "https://example.net", "/\\example.net", "/login", "%2F%2Fexample.net%0d%0a"]
    {
        leads_to(&posts(&daemon, "/login", "", &format!("token={token}&next={next}")), "/");
    }
    leads_to(&posts(&daemon, "/login", "", &format!("token={token}&next=/silences")), "/silences");
    assert_eq!(posts(&daemon, "/login", "", "token=wrong").status, 401);
}

#[test]
fn a_button_that_is_pressed_sooner_than_people_read_logs_nobody_in() {
    let daemon = Daemon::start(&house().replacen("answer_after = \"0s\"", "answer_after = \"2s\"", 1));
    let printed = daemon.command(&["login-link", "tom"], None);
    let link = link_in(&String::from_utf8(printed.stdout).unwrap());
    let refused = presses(&daemon, &link, "", "");
    assert!(refused.status == 409 && refused.body.contains("press once more"), "{refused:?}");
    let word = nonce(&refused.body).unwrap().to_owned();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    leads_to(&posts(&daemon, &link, "", &format!("answer=enter&nonce={word}")), "/");
}

#[test]
fn a_command_prints_a_link_for_oneself_and_an_administrators_for_everybody() {
    let mut daemon = Daemon::start(&house());
    let (maya, tom, lee) = (daemon.token("maya"), daemon.token("tom"), daemon.token("lee"));
    let server = format!("http://{}", daemon.address);
    let link = |daemon: &Daemon, person: &str, token: &str| {
        let mut command = std::process::Command::new(super::harness::binary());
        command.args(["login-link", person, "--server", &server]).env("ONSCENE_TOKEN", token);
        let _ = daemon;
        command.output().unwrap()
    };
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    for (person, token) in [("tom", &tom), ("lee", &lee), ("tom", &maya)] {
        let printed = link(&daemon, person, token);
        assert!(printed.status.success(), "{printed:?}");
        assert!(text(&printed).starts_with(&format!("{server}/login/")), "{printed:?}");
        let entered = presses(&daemon, &link_in(&text(&printed)), "", "");
        leads_to(&entered, "/");
        let page = gets(&daemon, "/", &cookie_in(&entered).unwrap()).body;
        assert!(
            page.contains(if person == "tom" { "Tom Berg" } else { "Lee Moe, who only looks" }),
            "{page}"
        );
    }
    let made = daemon.command(&["token", "create", "--automation", "deployer"], None);
    let program = text(&made).trim().to_owned();
    for (person, token, words) in [
        ("maya", &tom, "an administrator makes login links for others"),
        ("tom", &lee, "an administrator makes login links for others"),
        ("maya", &program, "a program has no say"),
        ("nobody", &maya, "nobody is no person of the configuration"),
    ] {
        let refused = link(&daemon, person, token);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            refused.status.code() == Some(1) && why.contains(words) && refused.stdout.is_empty(),
            "{refused:?}"
        );
    }
    // On the store itself, daemon running or not; and not any number of them.
    daemon.stop();
    let printed = daemon.command(&["login-link", "maya", "--json"], None);
    let first: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(daemon.command(&["login-link", "maya"], None).status.success());
    assert!(daemon.command(&["login-link", "maya"], None).status.success());
    let refused = daemon.command(&["login-link", "maya"], None);
    assert!(refused.status.code() == Some(1), "{refused:?}");
    let nobody = daemon.command(&["login-link", "nobody"], None);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("there are lee, maya, tom"), "{nobody:?}");
    daemon.go();
    leads_to(&presses(&daemon, &link_in(first["url"].as_str().unwrap()), "", ""), "/");
    let ends: jiff::Timestamp = first["ends_at"].as_str().unwrap().parse().unwrap();
    assert!(ends.duration_since(jiff::Timestamp::now()).as_mins() < 15);
}

/// Every address of the router that is posted to by such a handler.
fn posted(handlers: &str) -> Vec<String> {
    let text = include_str!("../../src/http/router.rs");
    let routes = text.split(".route(\"").skip(1).filter_map(|route| {
        let (path, rest) = route.split_once('"')?;
        let rest = rest.split("\n").next()?;
        let post = rest.split("post(").nth(1)?;
        post.starts_with(handlers).then(|| path.to_owned())
    });
    let found: Vec<String> = routes.collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn a_viewer_looks_at_everything_and_changes_nothing() {
    let daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let (maya, lee) = (daemon.token("maya"), daemon.token("lee"));
    for (path, words) in [
        ("/api/v1/incidents", "db-1 is down"),
        ("/api/v1/incidents/1", "db-1 is down"),
        ("/api/v1/incidents/1/timeline", "entries"),
        ("/api/v1/incidents/1/pages", "maya"),
        ("/api/v1/command", "db-1"),
        ("/api/v1/oncall", "maya"),
        ("/api/v1/people", "lee"),
        ("/api/v1/tokens", "\"person\":\"lee\""),
        ("/api/v1/sessions", "sessions"),
        ("/api/v1/reports/noise", "{"),
        ("/api/v1/verify", "\"broken\":[]"),
        ("/api/v1/oncall/drill", "drill"),
    ] {
        let shown = daemon.api(&lee, "GET", path, &Value::Null);
        assert!(shown.status == 200 && shown.body.contains(words), "{path}: {shown:?}");
    }
    // Whatever there is to do; what is about keys is asked below.
    let of_keys = ["/api/v1/tokens", "/api/v1/calendars", "/api/v1/login-links", "/api/v1/sessions"];
    let before = said(&daemon, &maya);
    let mut refused = 0;
    for path in posted("api::") {
        if of_keys.iter().any(|keys| path.starts_with(keys)) {
            continue;
        }
        let path = path.replace("{id}", "1").replace("{name}", "lee").replace("{verb}", "ack");
        let answer = daemon.api(&lee, "POST", &path, &json!({}));
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        let of_keepers = ["/api/v1/oncall/drill", "/api/v1/subscribers/remove"];
        let told = answer.body.contains("lee is a viewer") || of_keepers.contains(&path.as_str());
        assert!(told, "{path}: {answer:?}");
        refused += 1;
    }
    assert!(refused >= 14, "{refused}");
    for verb in
        ["ack", "check-in", "decline", "note", "mitigate", "resolve", "reopen", "merge", "split", "nonsense"]
    {
        let answer = daemon.api(&lee, "POST", &format!("/api/v1/incidents/1/{verb}"), &json!({}));
        assert_eq!(answer.status, 403, "{verb}: {answer:?}");
    }
    for (path, body) in [
        ("/api/v1/tokens", json!({"person": "maya"})),
        ("/api/v1/tokens", json!({"automation": "x"})),
        ("/api/v1/calendars", json!({"person": "maya"})),
        ("/api/v1/login-links", json!({"person": "maya"})),
        ("/api/v1/sessions/revoke", json!({"person": "maya"})),
    ] {
        assert_eq!(daemon.api(&lee, "POST", path, &body).status, 403, "{path}");
    }
    assert_eq!(daemon.api(&lee, "POST", "/api/v1/tokens", &json!({"person": "lee"})).status, 201);

    // The pages show them no form but the one that logs them out, and take none.
    let cookie = daemon.cookie(&lee);
    for path in ["/", "/oncall", "/silences", "/incidents/1"] {
        let page = gets(&daemon, path, &cookie);
        assert!(page.status == 200 && page.body.contains("Lee Moe, who only looks"), "{path}: {page:?}");
        let forms: Vec<&str> = page.body.split("<form method=\"post\" action=\"").skip(1).collect();
        assert!(forms.len() == 1 && forms[0].starts_with("/logout"), "{path}: {forms:?}");
    }
    let word = word(&gets(&daemon, "/oncall", &cookie).body).unwrap().to_owned();
    for path in posted("pages::") {
        if path.starts_with("/log") {
            continue;
        }
        let form = format!("form={word}&rotation=sre&person=tom&until=2030-01-01T00%3A00&reason=x");
        let answer = posts(&daemon, &path.replace("{id}", "1"), &cookie, &form);
        assert!(answer.status == 403 && answer.body.contains("lee is a viewer"), "{path}: {answer:?}");
    }
    assert_eq!(said(&daemon, &maya), before);
    // Nor does anybody put them on call.
    let stands_in = json!({"rotation": "sre", "person": "lee", "reason": "x", "for": "2h"});
    let answer = daemon.api(&maya, "POST", "/api/v1/overrides", &stands_in);
    assert!(answer.status == 400 && answer.body.contains("lee is a viewer"), "{answer:?}");
}

#[test]
fn who_became_a_viewer_after_they_were_woken_answers_by_the_link_of_their_page_and_by_nothing_else() {
    let daemon = Daemon::start(HOUSE);
    daemon.alert("db-1", "firing");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    let token = daemon.token("maya");
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    let text = text
        .replacen("full_name = \"Maya Lind\"", "role = \"viewer\"", 1)
        .replacen("members = [\"maya\"]", "members = [\"tom\"]", 1)
        .replacen("\"person:maya\"]", "\"rotation:sre\"]", 1);
    std::fs::write(&daemon.config, text).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    let ack = || daemon.api(&token, "POST", "/api/v1/incidents/1/ack", &json!({}));
    eventually("they are a viewer", || (ack().status == 403).then_some(()));
    let taken = daemon.press(&link, "answer=take");
    assert!(taken.status == 200 && taken.body.contains("You have command"), "{taken:?}");
    let shown = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(shown["commander"]["person"], "maya");
    assert_eq!(ack().status, 403);
}

#[test]
fn a_form_that_is_not_of_this_login_changes_nothing_and_says_what_to_do() {
    let daemon = Daemon::start(&house());
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let (mine, theirs) = (daemon.cookie(&maya), daemon.cookie(&tom));
    let word_of = |cookie: &str| word(&gets(&daemon, "/oncall", cookie).body).unwrap().to_owned();
    let (right, other) = (word_of(&mine), word_of(&theirs));
    assert_ne!(right, other);
    let form = "rotation=sre&person=tom&instead_of=&from=&until=2030-01-01T00%3A00&reason=the+dentist";
    let before = said(&daemon, &maya);
    for wrong in ["", "&form=", &format!("&form={other}"), &format!("&form={}", &right[1..]), "&form=%00"] {
        for path in ["/oncall/overrides", "/oncall/leaves", "/oncall/overrides/1/end", "/oncall/leaves/1/end"]
        {
            let answer = posts(&daemon, path, &mine, &format!("{form}{wrong}"));
            assert_eq!(answer.status, 403, "{path} {wrong}: {answer:?}");
            for words in ["Nothing was changed", "load that page again", "reason: the dentist"] {
                assert!(answer.body.contains(words), "{words}: {}", answer.body);
            }
        }
        assert_eq!(posts(&daemon, "/logout", &mine, wrong.trim_start_matches('&')).status, 403);
    }
    let cross = [FORM, ("Cookie", mine.as_str()), ("Sec-Fetch-Site", "cross-site")];
    let whole = format!("{form}&form={right}");
    for path in ["/oncall/overrides", "/logout"] {
        assert_eq!(request(daemon.address, "POST", path, &cross, whole.as_bytes()).unwrap().status, 403);
    }
    assert_eq!((said(&daemon, &maya), sessions(&daemon).len()), (before, 2));
    // The same form with its own word is taken: that of this login, as long as it lasts.
    let good = format!("person=tom&from=&until=2026-12-31T00%3A00&reason=x&form={right}");
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30)).strftime("%Y-%m-%dT%H:%M");
    let good = good.replace("2026-12-31T00%3A00", &until.to_string().replace(':', "%3A"));
    leads_to(&posts(&daemon, "/oncall/leaves", &mine, &good), "/oncall?done=said");
}

#[test]
fn a_login_ends_by_logging_out_with_its_token_by_an_administrator_and_with_its_person() {
    let mut daemon = Daemon::start(&house());
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let enter = |token: &str| {
        let entered = posts(&daemon, "/login", "", &format!("token={token}"));
        leads_to(&entered, "/");
        cookie_in(&entered).unwrap()
    };
    let is_in = |cookie: &str| gets(&daemon, "/", cookie).status == 200;
    assert!(!enter(&tom).contains(&tom), "the token itself is nobody's cookie");

    let cookie = enter(&tom);
    let word = word(&gets(&daemon, "/", &cookie).body).unwrap().to_owned();
    let out = posts(&daemon, "/logout", &cookie, &format!("form={word}"));
    leads_to(&out, "/login?out=1");
    assert!(out.head.contains("onscene_session=; Path=/") && out.head.contains("Max-Age=0"), "{}", out.head);
    assert!(daemon.get("/login?out=1").unwrap().body.contains("You are logged out."));
    assert!(!is_in(&cookie), "whoever kept the cookie has nothing");
    let late = posts(&daemon, "/oncall/leaves", &cookie, &format!("form={word}&reason=the+dentist"));
    assert!(late.status == 401 && late.body.contains("the dentist</textarea>"), "{late:?}");
    leads_to(&posts(&daemon, "/logout", &cookie, &format!("form={word}")), "/login");

    let ids = || {
        sessions(&daemon).into_iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, second) = (enter(&tom), enter(&tom));
    let newest = ids()[0].clone();
    // Nobody ends what is not theirs; whether it is there is not told.
    let lee = daemon.token("lee");
    let end =
        |token: &str| daemon.api(token, "POST", &format!("/api/v1/sessions/{newest}/revoke"), &json!({}));
    assert_eq!((end(&lee).status, end(&tom).status, end(&tom).status), (404, 200, 404));
    assert!(is_in(&first) != is_in(&second));
    assert_eq!(
        daemon.api(&tom, "GET", "/api/v1/sessions", &Value::Null).json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let refused = daemon.api(&tom, "POST", "/api/v1/sessions/revoke", &json!({"person": "maya"}));
    assert_eq!(refused.status, 403, "{refused:?}");
    let mine = enter(&maya);
    let all = daemon.api(&maya, "POST", "/api/v1/sessions/revoke", &json!({"person": "tom"}));
    assert!(all.status == 200 && !is_in(&first) && !is_in(&second) && is_in(&mine), "{all:?}");

    let third = enter(&tom);
    let listed: Value =
        serde_json::from_slice(&daemon.command(&["token", "list", "--json"], None).stdout).unwrap();
    let tokens = listed["tokens"].as_array().unwrap();
    let id = tokens.iter().find(|one| one["person"] == "tom").unwrap()["id"].as_str().unwrap().to_owned();
    assert!(is_in(&third) && daemon.command(&["token", "revoke", &id], None).status.success());
    assert!(!is_in(&third));

    // By the command, on the store itself.
    let fourth = enter(&maya);
    assert!(daemon.command(&["session", "revoke", &ids()[0]], None).status.success());
    assert!(!is_in(&fourth) && is_in(&mine));
    assert_eq!(daemon.command(&["session", "revoke", "nothing"], None).status.code(), Some(1));
    let text = daemon.command(&["session", "list"], None);
    assert!(String::from_utf8_lossy(&text.stdout).contains("person maya"), "{text:?}");
    assert!(daemon.command(&["session", "revoke", "--person", "maya"], None).status.success());
    assert!(!is_in(&mine) && sessions(&daemon).is_empty());

    // Who leaves the configuration is nobody, at once.
    let fifth = enter(&lee);
    assert!(is_in(&fifth));
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, text.replace("name = \"lee\"", "name = \"leo\"")).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("they are out", || (gets(&daemon, "/", &fifth).status == 303).then_some(()));
    let gone = daemon.api(&lee, "GET", "/api/v1/incidents", &Value::Null);
    // Until that is noticed, and their token revoked.
    let words = if gone.status == 403 { "not a person of this house any more" } else { "revoked" };
    assert!(matches!(gone.status, 403 | 401) && gone.body.contains(words), "{gone:?}");
    daemon.stop();
}

#[test]
fn where_pages_come_by_https_the_cookie_is_bound_to_that_and_to_this_host() {
    let config = house().replacen(
        "external_url = \"http://127.0.0.1:PORT\"",
        "external_url = \"https://onscene.example.net\"",
        1,
    );
    let daemon = Daemon::start(&config);
    let token = daemon.token("tom");
    let entered = posts(&daemon, "/login", "", &format!("token={token}"));
    let set = entered.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(
        set.starts_with("__Host-onscene_session=") && set.contains("; Path=/; HttpOnly; SameSite=Lax;"),
        "{set}"
    );
    assert!(set.ends_with("; Secure") && !set.contains("Domain"), "{set}");
    let cookie = cookie_in(&entered).unwrap();
    assert_eq!(gets(&daemon, "/", &cookie).status, 200);
    assert_eq!(gets(&daemon, "/", &format!("a=b; {cookie}")).status, 200);
    assert_eq!(gets(&daemon, "/", &cookie.replace("__Host-", "")).status, 303);
    assert_eq!(gets(&daemon, "/", &format!("onscene_token={token}")).status, 303);
    let printed = daemon.command(&["login-link", "tom"], None);
    assert!(
        String::from_utf8_lossy(&printed.stdout).starts_with("https://onscene.example.net/login/"),
        "{printed:?}"
    );
}
