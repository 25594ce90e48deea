//! The main loop as a new user walks it: an alert, a page, a Commander, status, the end.

use serde_json::{Value, json};

use super::harness::{Daemon, FORM, HOUSE, answer_link, eventually, open_page, request};

const DOWN: &[u8] = br#"{"check_id":1,"check_name":"Online shop","check_type":"HTTP","previous_state":"UP","current_state":"DOWN"}"#;

#[test]
fn an_alert_becomes_a_page_a_page_becomes_a_commander_and_status_goes_out() {
    let daemon = Daemon::start(HOUSE);
    let answer = daemon.post("/in/pingdom/test-token-of-pingdom", DOWN);
    assert_eq!((answer.status, answer.json()["results"][0]["outcome"].as_str()), (202, Some("opened")));
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    for header in [
        "Subject: [INC-1] shop: ",
        "References: <incident-1-pages@example.net>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: OOF, AutoReply, RN, NRN",
        "X-Incident-Id: 1",
        "X-Incident-State: triggered",
        "https://meet.example.net/sre",
    ] {
        assert!(page.contains(header), "{header} in {page}");
    }
    let link = answer_link(&page);
    let shown = daemon.get(&link).unwrap();
    assert_eq!(shown.status, 200);
    for button in ["Take command", "Take command and call for help", "I can't"] {
        assert!(
            shown.body.contains(&button.replace('\'', "&#x27;")) || shown.body.contains(button),
            "{button}"
        );
    }
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(shown.head.contains(header), "{}", shown.head);
    }
    let taken = daemon.press(&link, "answer=take");
    assert!(taken.body.contains("You have command"), "{}", taken.body);
    let status = daemon.mail_to("staff@example.net", "Maya Lind has command of INC-1");
    assert!(
        status.contains("Next update: by ") && status.contains("References: <incident-1-status@example.net>"),
        "{status}"
    );
    let pio = daemon.mail_to("tom@example.net", "PIO");
    let draft = daemon.press(&answer_link(&pio), "answer=statement&text=We+are+looking+at+the+shop.");
    assert!(draft.body.contains("We are looking at the shop."), "{}", draft.body);

    let token = daemon.token("maya");
    let act =
        |verb: &str, body: Value| daemon.api(&token, "POST", &format!("/api/v1/incidents/1/{verb}"), &body);
    assert_eq!(
        act("mitigate", json!({"term": 1, "cause": "restarted keepalived"})).json()["state"],
        "mitigated"
    );
    assert_eq!(act("resolve", json!({"term": 1})).json()["resolution"], "restored");
    daemon.mail_to("staff@example.net", "INC-1 is resolved (restored).");
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert_eq!(daemon.metric("onscene_commands_total{reason=\"first_responder\"}"), 1.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_get_never_answers_and_two_answers_at_once_make_one_commander() {
    let daemon = Daemon::start(
        &HOUSE.replace("page = [\"rotation:sre\"]", "page = [\"person:maya\", \"person:tom\"]"),
    );
    daemon.alert("db-1", "firing");
    let links = ["maya@example.net", "tom@example.net"]
        .map(|to| answer_link(&daemon.mail_to(to, "X-Page-Attempt: 1")));
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"] {
        for link in &links {
            // With all that a form would bring.
            let fields = format!("answer=take&nonce={}", open_page(daemon.address, link).unwrap());
            let path = format!("{link}?{fields}");
            let over = [FORM, ("X-HTTP-Method-Override", "POST"), ("Purpose", "prefetch")];
            let said = request(daemon.address, method, &path, &over, fields.as_bytes()).unwrap();
            assert_eq!(said.status, if ["GET", "HEAD"].contains(&method) { 200 } else { 405 }, "{method}");
        }
    }
    let token = daemon.token("maya");
    let incident = || daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(incident()["state"], "triggered");
    let said: Vec<String> = std::thread::scope(|scope| {
        let asked = links.each_ref().map(|link| scope.spawn(|| daemon.press(link, "answer=take").body));
        asked.map(|one| one.join().unwrap()).to_vec()
    });
    let commands = said
        .iter()
        .filter(|body| body.contains("You have command. Everybody who was paged is told."))
        .count();
    let told = said.iter().filter(|body| body.contains("was faster and has command")).count();
    assert_eq!((commands, told), (1, 1), "{said:?}");
    assert_eq!(incident()["commander"]["term"], 1);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_stale_term_is_refused_with_the_name_of_who_commands() {
    let daemon = Daemon::start(HOUSE);
    daemon.alert("db-1", "firing");
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    daemon.api(&maya, "POST", "/api/v1/incidents/1/ack", &json!({}));
    let stale = daemon.api(&maya, "POST", "/api/v1/incidents/1/resolve", &json!({"term": 9}));
    assert_eq!((stale.status, stale.json()["commander"].as_str()), (409, Some("maya")));
    assert!(stale.head.contains("application/problem+json"), "{}", stale.head);
    let not_mine = daemon.api(&tom, "POST", "/api/v1/incidents/1/resolve", &json!({"term": 1}));
    assert_eq!(not_mine.status, 409);
    let without = daemon.api(&maya, "POST", "/api/v1/incidents/1/resolve", &json!({}));
    assert_eq!(without.status, 400);
    let robot = daemon.command(&["token", "create", "--automation", "deploy-bot"], None);
    let robot = String::from_utf8(robot.stdout).unwrap();
    let refused = daemon.api(robot.trim(), "POST", "/api/v1/incidents/1/ack", &json!({}));
    assert_eq!(refused.status, 403, "a robot cannot take command");
    assert_eq!(
        daemon.api(robot.trim(), "POST", "/api/v1/incidents/1/note", &json!({"text": "deployed"})).status,
        200
    );
    let nobody = daemon.api("wrong", "GET", "/api/v1/incidents", &Value::Null);
    assert_eq!(nobody.status, 401);
}

#[test]
fn secrets_of_sources_are_taken_in_four_places_and_nowhere_else() {
    let daemon = Daemon::start(HOUSE);
    let body = br#"{"key":"k","status":"test"}"#;
    let send = |path: &str, headers: &[(&str, &str)]| {
        request(daemon.address, "POST", path, headers, body).unwrap().status
    };
    let basic = "Basic b25zY2VuZTp0ZXN0LXRva2VuLW9mLXNjcmlwdHM=";
    assert_eq!(send("/in/scripts/test-token-of-scripts", &[]), 202);
    assert_eq!(send("/in/scripts?token=test-token-of-scripts", &[]), 202);
    assert_eq!(send("/in/scripts", &[("Authorization", "Bearer test-token-of-scripts")]), 202);
    assert_eq!(send("/in/scripts", &[("Authorization", basic)]), 202);
    assert_eq!(send("/in/scripts", &[]), 401);
    assert_eq!(send("/in/scripts/test-token-of-pingdom", &[]), 401);
    assert_eq!(send("/in/scripts/", &[]), 404);
    assert_eq!(send("/in/nobody/test-token-of-scripts", &[]), 404);
    let wrong_way = request(daemon.address, "DELETE", "/in/scripts/test-token-of-scripts", &[], b"").unwrap();
    assert_eq!(wrong_way.status, 405);
    assert!(wrong_way.head.contains("allow: POST, PUT"), "{}", wrong_way.head);
    let by_get = daemon.get("/in/pingdom/test-token-of-pingdom?message=%7B%7D").unwrap();
    assert_eq!(by_get.status, 405, "GET is off unless it is allowed");
    let log = daemon.log();
    assert!(!log.contains("test-token"), "{log}");
}

#[test]
fn what_cannot_be_read_is_kept_wakes_its_owner_and_is_read_again() {
    let daemon = Daemon::start(HOUSE);
    let answer = daemon.post("/in/pingdom/test-token-of-pingdom", b"\xff\xfe not JSON");
    assert_eq!((answer.status, answer.json()["kept"].as_i64()), (400, Some(1)), "{answer:?}");
    daemon.mail_to("maya@example.net", "sends what onscene cannot read");
    assert_eq!(daemon.metric("onscene_events_total{outcome=\"unreadable\",source=\"pingdom\"}"), 1.0);
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    let still = daemon.command(&["replay"], None);
    assert_eq!(still.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&still.stdout).contains("still unreadable"), "{still:?}");
}

#[test]
fn what_was_kept_opens_its_incident_when_it_can_be_read() {
    // As the commands see it that may not read the secrets of the ways out.
    let slack = "[[channel]]\nname = \"ops-room\"\nkind = \"slack\"\naudience = \"internal\"\nroom = \"C0123456789\"\ntoken_file = \"DIR/slack\"\n";
    let mut daemon = Daemon::prepare(&format!("{HOUSE}{slack}"));
    let secret = daemon.directory.join("slack");
    std::fs::write(&secret, "xoxb-test-token").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    daemon.go();
    let alert = br#"{"key":"db-1","status":"firing","title":"db-1 is down"}"#;
    let answer = daemon.post("/in/pingdom/test-token-of-pingdom", alert);
    assert_eq!((answer.status, answer.json()["kept"].as_i64()), (400, Some(1)), "{answer:?}");
    daemon.mail_to("maya@example.net", "sends what onscene cannot read");
    // It was the kind of the source that was wrong.
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, text.replacen("kind = \"pingdom\"", "kind = \"generic\"", 1)).unwrap();
    std::fs::remove_file(&secret).unwrap();
    let read = daemon.command(&["replay"], None);
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(read.status.success() && said.contains("1 pingdom: db-1 opened INC-2"), "{read:?}");
    daemon.mail_to("maya@example.net", "[INC-2] shop: db-1 is down");
    let again = daemon.command(&["replay", "--list"], None);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "", "it waits no more");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn programs_read_what_commands_say() {
    let daemon = Daemon::start(HOUSE);
    let said = |arguments: &[&str]| -> Value {
        let output = daemon.command(arguments, None);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    };
    let made = said(&["token", "create", "--person", "maya", "--json"]);
    let token = made["token"].as_str().unwrap();
    assert_eq!(daemon.api(token, "GET", "/api/v1/incidents", &Value::Null).status, 200);
    let id = made["id"].as_str().unwrap();
    assert_eq!(said(&["token", "revoke", id, "--json"])["id"], id);
    assert_eq!(daemon.api(token, "GET", "/api/v1/incidents", &Value::Null).status, 401);
    daemon.post("/in/pingdom/test-token-of-pingdom", b"no JSON");
    for arguments in [&["replay", "--list", "--json"][..], &["replay", "--json"]] {
        let kept = said(arguments);
        assert_eq!((kept["id"].as_i64(), kept["source"].as_str()), (Some(1), Some("pingdom")), "{kept}");
        assert!(kept["error"].is_string(), "{kept}");
    }
    let served = &said(&["check", "--json"])["services"]["shop"][0];
    assert_eq!(served["severities"], json!(["SEV1", "SEV2", "SEV3", "SEV4"]), "{served}");
    let spans = &served["spans"];
    assert_eq!(spans[0]["woken"], json!([["maya"], ["tom"], ["maya"]]), "{spans}");
}

#[test]
fn an_old_alert_by_get_opens_an_incident_where_that_is_allowed() {
    let house = HOUSE.replacen(
        "token = \"test-token-of-pingdom\"",
        "token = \"test-token-of-pingdom\"\nallow_get = true",
        1,
    );
    let daemon = Daemon::start(&house);
    let message =
        std::fs::read_to_string("tests/fixtures/sources/pingdom/legacy_notify_user_down.query").unwrap();
    let message = message.trim();
    let told = daemon.get(&format!("/in/pingdom/test-token-of-pingdom?{message}")).unwrap();
    assert_eq!((told.status, told.json()["results"][0]["incident"].as_i64()), (202, Some(1)), "{told:?}");
    let again = daemon.get(&format!("/in/pingdom?{message}&token=test-token-of-pingdom")).unwrap();
    assert_eq!(
        (again.status, again.json()["results"][0]["outcome"].as_str()),
        (202, Some("repeated")),
        "{again:?}"
    );
    let wrong = daemon.get(&format!("/in/pingdom/another?{message}")).unwrap();
    assert_eq!(wrong.status, 401);
    daemon.mail_to("maya@example.net", "[INC-1] shop: shop checkout is down");
}

#[test]
fn who_says_that_they_cannot_is_told_what_is_true_and_a_link_ends_with_its_incident() {
    let daemon = Daemon::start(HOUSE);
    daemon.alert("db-1", "firing");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    let cannot = daemon.press(&link, "answer=decline");
    assert!(cannot.status == 200 && cannot.body.contains("The next people are called."), "{}", cannot.body);
    // Tom is the last of the steps, and there is no last resort: nobody else is called.
    let last = answer_link(&daemon.mail_to("tom@example.net", "X-Page-Attempt: 1"));
    let cannot = daemon.press(&last, "answer=decline");
    assert!(cannot.status == 200 && !cannot.body.contains("The next people are called."), "{}", cannot.body);
    assert!(cannot.body.contains("Nobody else is called at this moment"), "{}", cannot.body);
    let taken = daemon.press(&last, "answer=take");
    assert!(taken.body.contains("You have command"), "{}", taken.body);
    let cannot = daemon.press(&link, "answer=decline");
    assert!(cannot.body.contains("Tom Berg has command"), "{}", cannot.body);
    assert_eq!(daemon.press(&last, "answer=resolve&term=1").status, 200);
    for act in ["answer=note&text=late", "answer=take", "answer=decline"] {
        let refused = daemon.post(&link, act.as_bytes());
        assert!(
            refused.status == 409 && refused.body.contains("Nothing was changed"),
            "{act}: {}",
            refused.body
        );
    }
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_restart_runs_what_fell_due_and_nobody_is_woken_twice() {
    let mut daemon = Daemon::start(&HOUSE.replace("wait = \"5m\" }, {", "wait = \"15s\" }, {"));
    daemon.alert("db-1", "firing");
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert_eq!(daemon.stop(), Some(0));
    std::thread::sleep(std::time::Duration::from_secs(16));
    daemon.go();
    daemon.mail_to("tom@example.net", "X-Page-Attempt: 1");
    assert_eq!(daemon.mails().len(), 2, "{:?}", daemon.mails().keys());
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_reload_is_whole_or_not_at_all() {
    let daemon = Daemon::start(HOUSE);
    let good = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, good.replace("kind = \"generic\"", "kind = \"genericc\"")).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is refused", || {
        (daemon.metric("onscene_config_last_reload_success") == 0.0).then_some(())
    });
    assert_eq!(daemon.alert("db-1", "firing").status, 202);
    assert!(daemon.log().contains("did you mean `generic`?"), "{}", daemon.log());
    std::fs::write(&daemon.config, good.replace("test-token-of-scripts", "another-token-of-scripts"))
        .unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is taken", || (daemon.alert("db-1", "firing").status == 401).then_some(()));
    eventually("it is told", || (daemon.metric("onscene_config_last_reload_success") == 1.0).then_some(()));
    assert!(!daemon.log().contains("by a restart only"), "{}", daemon.log());
    // What a running daemon cannot change is named, and the rest is taken.
    let restart = good.replace("[server]\n", "[server]\nbody_max = \"2 MiB\"\nqueue_max = 77\n");
    std::fs::write(&daemon.config, restart).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload is taken", || (daemon.alert("db-1", "firing").status == 202).then_some(()));
    eventually("what waits is named", || {
        daemon.log().contains("keys=\"server.body_max, server.queue_max\"").then_some(())
    });
}

#[test]
fn the_commands_say_what_happened_and_end_as_they_should() {
    let mut daemon = Daemon::start(HOUSE);
    let sent = daemon.command(
        &["send", "scripts", "--key", "disk", "--title", "disk full", "--severity", "warning"],
        None,
    );
    assert_eq!(String::from_utf8_lossy(&sent.stdout), "opened INC-1\n", "{sent:?}");
    let token = daemon.token("maya");
    let run = |arguments: &[&str]| daemon.command(arguments, Some(&token));
    assert!(run(&["incident", "ack", "1"]).status.success());
    let listed = run(&["incident", "list"]);
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout),
        "INC-1 SEV3 acknowledged shop: disk full; maya has command\n"
    );
    let shown: Value = serde_json::from_slice(&run(&["incident", "show", "1", "--json"]).stdout).unwrap();
    assert_eq!(shown["commander"]["reason"], "first_responder");
    assert_eq!(run(&["incident", "show", "77"]).status.code(), Some(1));
    assert_eq!(run(&["incident", "resolve", "1", "--term", "5"]).status.code(), Some(1));
    assert_eq!(run(&["incident", "frobnicate"]).status.code(), Some(2));
    assert!(daemon.command(&["check"], None).status.success());
    let tokens = daemon.command(&["token", "list"], None);
    let id = String::from_utf8_lossy(&tokens.stdout).split(' ').next().unwrap().to_owned();
    assert!(daemon.command(&["token", "revoke", &id], None).status.success());
    assert_eq!(daemon.command(&["incident", "list"], Some(&token)).status.code(), Some(1), "revoked at once");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(daemon.command(&["incident", "list"], Some(&token)).status.code(), Some(69), "nobody there");
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, text.replace("[store]", "[stor]")).unwrap();
    assert_eq!(daemon.command(&["serve"], None).status.code(), Some(64));
    assert_eq!(daemon.command(&["check"], None).status.code(), Some(64));
}
