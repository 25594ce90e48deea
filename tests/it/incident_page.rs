//! The page of an incident over HTTP: who sees which forms, and what they do.

pub mod forms;
mod kept;
mod verbs;

use serde_json::Value;

use super::harness::{Answer, Daemon, FORM, HOUSE, request, word};

fn house() -> String {
    let viewer = "[[person]]\nname = \"lee\"\nfull_name = \"Lee Moe\"\nemail = \"lee@example.net\"\nrole = \"viewer\"\n[[rotation]]";
    HOUSE.replacen("[[rotation]]", viewer, 1)
}

fn posts(daemon: &Daemon, path: &str, cookie: &str, form: &str) -> Answer {
    request(daemon.address, "POST", path, &[FORM, ("Cookie", cookie)], form.as_bytes()).unwrap()
}

fn gets(daemon: &Daemon, path: &str, cookie: &str) -> Answer {
    request(daemon.address, "GET", path, &[("Cookie", cookie)], b"").unwrap()
}

fn to(answer: &Answer) -> &str {
    answer.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default()
}

#[test]
fn a_form_does_what_the_api_does_and_what_is_refused_gives_back_what_was_written() {
    let daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let (of_maya, of_tom) = (daemon.token("maya"), daemon.token("tom"));
    let (maya, tom) = (daemon.cookie(&of_maya), daemon.cookie(&of_tom));
    let page = gets(&daemon, "/incidents/1", &maya);
    assert!(
        page.body.contains("Nobody has command yet") && page.body.contains("/incidents/1/ack"),
        "{page:?}"
    );
    let own = word(&page.body).unwrap().to_owned();
    let does = |verb: &str, fields: &str| {
        posts(&daemon, &format!("/incidents/1/{verb}"), &maya, &format!("form={own}&{fields}"))
    };

    // Without the word of the session, or from elsewhere, nothing is done.
    assert_eq!(posts(&daemon, "/incidents/1/ack", &maya, "").status, 403);
    let other = [FORM, ("Cookie", maya.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(
        request(daemon.address, "POST", "/incidents/1/ack", &other, format!("form={own}").as_bytes())
            .unwrap()
            .status,
        403
    );
    let state = || daemon.api(&of_tom, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(state()["state"], "triggered");

    let taken = does("ack", "");
    assert_eq!((taken.status, to(&taken)), (303, "/incidents/1?done=took_command"));
    let page = gets(&daemon, to(&taken), &maya);
    assert!(page.body.contains("You have command. Everybody who was paged is told."), "{}", page.body);
    assert_eq!(does("check-in", "term=1").status, 303);
    assert_eq!(does("size-up", "term=1&text=all+orders+fail").status, 303);
    assert_eq!(does("task", "term=1&person=maya&what=look&limit_in=30").status, 303);
    assert!(state()["board"]["tasks"][0]["limit"].is_string(), "{}", state());
    let entries = daemon.api(&of_tom, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
    assert!(entries["entries"].as_array().unwrap().iter().any(|entry| entry["route"] == "page"), "{entries}");

    // What is refused shows the page as it is, the reason on top, and the words.
    for (verb, fields, status, why) in [
        ("plan", "term=9&text=%3Cb%3Emy+plan", 409, "Maya Lind has command now (term 1)"),
        ("offer", "term=1&to=tom&reason=rest", 409, "tom is not on scene"),
        ("act", "what=", 422, "what is changed is empty"),
        ("mitigate", "term=1&did=&cause=", 422, "say what ended the harm"),
        ("en-route", "eta_in=soon", 422, "say a number of minutes"),
        ("vacate", "", 404, "this verb does not exist here"),
    ] {
        let refused = does(verb, fields);
        assert_eq!(refused.status, status, "{verb}: {}", refused.body);
        assert!(
            refused.body.contains(why) && refused.body.contains("Nothing was changed"),
            "{verb}: {}",
            refused.body
        );
        assert_eq!(
            refused.body.contains("&lt;b&gt;my plan</textarea>"),
            verb == "plan",
            "{verb}: {}",
            refused.body
        );
    }
    assert_eq!(does("find", "component=vpn&ok=true").status, 303);
    assert_eq!(state()["board"]["findings"][0]["ok"], true);
    assert_eq!(posts(&daemon, "/incidents/7/ack", &maya, &format!("form={own}")).status, 404);

    // Who commands sees other forms than who does not, and a viewer sees none.
    let page = |cookie: &str| gets(&daemon, "/incidents/1", cookie).body;
    assert!(page(&maya).contains("action=\"/incidents/1/objective\""));
    assert!(!page(&tom).contains("action=\"/incidents/1/objective\""));
    assert!(page(&tom).contains("action=\"/incidents/1/check-in\""));
    let lee = daemon.cookie(&daemon.token("lee"));
    let seen = page(&lee);
    assert!(
        seen.contains("There is nothing for you to do") && !seen.contains("action=\"/incidents"),
        "{seen}"
    );
    let refused = posts(&daemon, "/incidents/1/note", &lee, &format!("form={}&text=x", word(&seen).unwrap()));
    assert!(refused.status == 403 && refused.body.contains("a viewer"), "{refused:?}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn what_was_corrected_is_shown_so_and_makes_a_brief_an_old_one() {
    let daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let (of_maya, of_tom) = (daemon.token("maya"), daemon.token("tom"));
    let act = |token: &str, verb: &str, body: Value| {
        let answer = daemon.api(token, "POST", &format!("/api/v1/incidents/1/{verb}"), &body);
        assert_eq!(answer.status, 200, "{verb}: {answer:?}");
    };
    act(&of_maya, "check-in", serde_json::json!({}));
    act(&of_tom, "check-in", serde_json::json!({}));
    act(&of_maya, "size-up", serde_json::json!({"text": "db1 is primary"}));
    let shown = || daemon.api(&of_tom, "GET", "/api/v1/incidents/1", &Value::Null).json();
    let read = shown()["brief"].as_u64().unwrap();
    assert_eq!(shown()["board"]["size_up"]["entry"], read);
    act(&of_maya, "offer", serde_json::json!({"to": "tom", "term": 1, "reason": "rest"}));
    act(&of_maya, "correct", serde_json::json!({"entry": read, "text": "db2 is <primary>"}));
    let corrected = shown()["brief"].as_u64().unwrap();
    assert!(corrected > read, "{}", shown());
    let accept = |brief: u64| {
        let body = serde_json::json!({"term": 1, "brief": brief});
        daemon.api(&of_tom, "POST", "/api/v1/incidents/1/accept", &body)
    };
    let refused = accept(read);
    assert!(refused.status == 409 && refused.body.contains("the situation has moved"), "{refused:?}");

    let words = format!("db1 is primary (corrected by entry {corrected}: db2 is <primary>)");
    let escaped = words.replace('<', "&lt;").replace('>', "&gt;");
    let cookie = daemon.cookie(&of_tom);
    for page in ["/incidents/1", "/incidents/1/brief"] {
        let page = gets(&daemon, page, &cookie);
        assert!(page.body.contains(&escaped), "{}", page.body);
    }
    for command in
        [&["incident", "brief", "1"][..], &["incident", "show", "1"], &["export", "1", "--form", "ics-201"]]
    {
        let said = daemon.command(command, Some(&of_tom));
        let said = String::from_utf8(said.stdout).unwrap().replace('\\', "");
        assert!(said.contains(&words), "{command:?}: {said}");
    }
    assert_eq!(accept(corrected).status, 200);
}

#[test]
fn a_second_tap_on_a_slow_network_does_nothing_and_forms_are_taken_out_by_whoever_is_logged_in() {
    let daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let cookie = daemon.cookie(&daemon.token("maya"));
    let page = gets(&daemon, "/incidents/1", &cookie).body;
    let word = word(&page).unwrap();
    let note = format!("form={word}&text=the+disk+is+full");
    let first = posts(&daemon, "/incidents/1/note", &cookie, &note);
    assert_eq!((first.status, to(&first)), (303, "/incidents/1?done=recorded"));
    let second = posts(&daemon, "/incidents/1/note", &cookie, &note);
    assert_eq!((second.status, to(&second)), (303, "/incidents/1?done=recorded"));
    let told = |words: &str| {
        let page = gets(&daemon, "/incidents/1", &cookie).body;
        page.matches(words).count()
    };
    assert_eq!(told("</span> the disk is full"), 1);
    // Another word, a page that is newer, or a form that was refused before, is another press.
    let newer = posts(&daemon, "/incidents/1/note", &cookie, &format!("{note}&seen=9"));
    assert_eq!(to(&newer), "/incidents/1?done=recorded");
    let other = posts(&daemon, "/incidents/1/note", &cookie, &format!("form={word}&text=the+disk+is+full."));
    assert_eq!(to(&other), "/incidents/1?done=recorded");
    let empty = format!("form={word}&text=");
    for _ in 0..2 {
        assert_eq!(posts(&daemon, "/incidents/1/note", &cookie, &empty).status, 422);
    }

    let page = gets(&daemon, "/incidents/1?part=exports", &cookie);
    assert!(page.body.contains("<details id=\"exports\" open>"), "{}", page.body);
    let links: Vec<&str> = page.body.split("href=\"/incidents/1/export?").skip(1).collect();
    assert_eq!(links.len(), 9);
    for link in links {
        let link = link.split('"').next().unwrap().replace("&amp;", "&");
        let taken = gets(&daemon, &format!("/incidents/1/export?{link}"), &cookie);
        let has_notes = !link.starts_with("form=ics-20");
        let is_told = !has_notes || taken.body.contains("the disk is full");
        assert!(taken.status == 200 && is_told, "{link}: {taken:?}");
        assert!(taken.head.contains("content-disposition: attachment"), "{}", taken.head);
    }
    assert_eq!(gets(&daemon, "/incidents/1/export?form=json", "").status, 303, "nobody is asked to log in");
    let wrong = gets(&daemon, "/incidents/1/export?form=ics-999", &cookie);
    assert!(wrong.status == 400 && wrong.body.contains("there are: ics-201"), "{wrong:?}");
}
