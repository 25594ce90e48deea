//! Statements from end to end: written, stopped, let pass, approved and sent, by the API, the command and the page, to real mail
//! files; and what is lost by `kill -9` in the middle: nothing, and nothing is there twice.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Answer, Daemon, HOUSE, binary, eventually, free_port, request, within};
use super::incident_page::forms::forms;

/// The house of most tests, which tells the public, too, and whose PIO is called.
fn house() -> String {
    let channels = [("heads", "stakeholder"), ("news", "public")].map(|(name, audience)| {
        format!("[[channel]]\nname = \"{name}\"\nkind = \"mail\"\naudience = \"{audience}\"\nrecipients = [\"{name}@example.net\"]\n")
    });
    let house = HOUSE.replacen("name = \"shop\"", "name = \"shop\"\npublic_name = \"Online shop\"", 1);
    format!("{house}\n{}", channels.concat())
}

struct Night {
    daemon: Daemon,
    maya: String,
    tom: String,
}

impl Night {
    /// Maya commands, tom is called as PIO.
    fn begin() -> Self {
        Self::of(&house())
    }

    fn of(house: &str) -> Self {
        let daemon = Daemon::start(house);
        let body = json!({"key": "k", "status": "firing", "title": "lb-frankfurt-7 lost its backend", "severity": "critical",
            "labels": {"instance": "paymentgw:9100"}});
        assert_eq!(daemon.post("/in/scripts/test-token-of-scripts", body.to_string().as_bytes()).status, 202);
        let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
        assert_eq!(daemon.api(&maya, "POST", "/api/v1/incidents/1/ack", &json!({})).status, 200);
        Self { daemon, maya, tom }
    }

    fn drafts(&self, who: &str, audience: &str, text: &str) -> Answer {
        let body = json!({"incident": 1, "audience": audience, "text": text});
        self.daemon.api(who, "POST", "/api/v1/statements", &body)
    }

    fn says(&self, who: &str, id: &str, verb: &str, body: &Value) -> Answer {
        self.daemon.api(who, "POST", &format!("/api/v1/statements/{id}/{verb}"), body)
    }

    /// Mails to the list of the public.
    fn news(&self) -> Vec<String> {
        self.daemon.mails().into_values().filter(|mail| mail.contains("To: news@example.net")).collect()
    }
}

#[test]
fn a_statement_is_stopped_let_pass_approved_and_sent_and_everything_stands_on_the_timeline() {
    let night = Night::begin();
    let (maya, tom) = (&night.maya, &night.tom);
    // What nobody can let pass is not even kept.
    let leak = night.drafts(tom, "public", "Reset it with password=hunter2hunter2, root cause is the disk.");
    assert_eq!(leak.status, 422, "{}", leak.body);
    let found = leak.json();
    let rules: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"secret") && rules.contains(&"cause"), "{rules:?}");
    assert_eq!(found["findings"][0]["weight"], "block");
    assert!(found["findings"][0]["span"][0].is_number());
    assert!(!leak.body.contains("hunter2"), "no answer repeats it");
    // A name that only the alert told.
    let made = night.drafts(tom, "public", "The paymentgw answers slowly.");
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!((made["id"].as_str(), made["findings"][0]["rule"].as_str()), (Some("1-1"), Some("host")));
    assert_eq!(
        (&made["title"], &made["phase"], &made["impact"]),
        (&json!("Online shop: service disruption"), &json!("investigating"), &json!("critical"))
    );
    assert_eq!(made["previews"][0]["channel"], "news");
    assert_eq!(night.says(maya, "1-1", "approve", &json!({"term": 1})).status, 422);
    assert_eq!(
        night.says(tom, "1-1", "override", &json!({"why": "they run it"})).status,
        403,
        "not by its author"
    );
    assert_eq!(night.says(maya, "1-1", "override", &json!({"why": "they run it"})).status, 200);
    let read = made["entry"].as_u64().unwrap();
    let approved = night.says(maya, "1-1", "approve", &json!({"term": 1, "entry": read}));
    assert_eq!(
        (approved.status, &approved.json()["approval"]["holds"]),
        (200, &json!(true)),
        "{}",
        approved.body
    );
    // Another word, and it is void; and an old page does not approve new words.
    let anew = json!({"audience": "public", "text": "Some payments by card fail."});
    assert_eq!(night.says(tom, "1-1", "draft", &anew).json()["stage"], "draft");
    assert_eq!(night.says(maya, "1-1", "approve", &json!({"entry": read})).status, 409);
    let refused = night.says(tom, "1-1", "publish", &json!({}));
    assert!(refused.status == 403 && refused.body.contains("waits for the approval"), "{}", refused.body);
    assert_eq!(night.says(maya, "1-1", "approve", &json!({"term": 1})).status, 200);
    assert_eq!(night.says(tom, "1-1", "publish", &json!({})).json()["stage"], "published");
    let mail = night.daemon.mail_to("news@example.net", "Some payments by card fail.");
    for word in ["paymentgw", "frankfurt", "hunter2", "Maya", "INC-1", &night.daemon.address.to_string()] {
        assert!(!mail.contains(word), "{word}: {mail}");
    }
    assert!(mail.contains("Subject: Online shop: service disruption"), "{mail}");
    let shown = eventually("it is there", || {
        let shown = night.daemon.api(maya, "GET", "/api/v1/statements/1-1", &Value::Null).json();
        (shown["reached"][0]["outcome"] == "accepted").then_some(shown)
    });
    assert_eq!(shown["published"]["right"], "commander");
    let kept = night.daemon.api(maya, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
    for kind in
        ["statement", "statement_overridden", "statement_approved", "statement_published", "delivered"]
    {
        assert!(kept.body.contains(&format!("\"{kind}\"")), "{kind}");
    }
    assert!(!kept.body.contains("hunter2"), "what was refused is nowhere");
    assert!(!night.daemon.log().contains("hunter2"));
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn corrections_retractions_and_the_closing_go_where_anything_was_said() {
    let night = Night::begin();
    let maya = &night.maya;
    night.drafts(maya, "public", "All payments fail.");
    assert_eq!(night.says(maya, "1-1", "publish", &json!({})).json()["published"]["right"], "own");
    let right = night.says(maya, "1-1", "correct", &json!({"text": "Some payments by card fail."}));
    assert_eq!(
        (right.status, &right.json()["mends"], &right.json()["sort"]),
        (201, &json!("1-1"), &json!("correction"))
    );
    night.says(maya, "1-2", "publish", &json!({}));
    let mail = night.daemon.mail_to("news@example.net", "Correction to our ");
    assert!(mail.contains("Some payments by card fail."), "{mail}");
    let early = json!({"incident": 1, "audience": "public", "sort": "closing", "text": "It works again."});
    let early = night.daemon.api(maya, "POST", "/api/v1/statements", &early);
    assert!(early.status == 409 && early.body.contains("it is over"), "{}", early.body);
    night.daemon.api(maya, "POST", "/api/v1/incidents/1/resolve", &json!({"term": 1, "false_alarm": true}));
    let owed = night.daemon.api(maya, "GET", "/api/v1/statements?incident=1", &Value::Null).json();
    assert_eq!(owed["incidents"][0]["closing_due"], json!(["public"]));
    night.daemon.mail_to("tom@example.net", "INC-1 is over, and those");
    let closing = night.drafts(maya, "public", "Payments work again.");
    assert_eq!((&closing.json()["sort"], &closing.json()["phase"]), (&json!("closing"), &json!("resolved")));
    night.says(maya, "1-3", "publish", &json!({}));
    night.daemon.mail_to("news@example.net", "Payments work again.");
    let owed = night.daemon.api(maya, "GET", "/api/v1/statements?incident=1", &Value::Null).json();
    assert_eq!(owed["incidents"][0]["closing_due"], json!([]));
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn killed_in_the_middle_nothing_is_lost_and_nobody_reads_it_twice() {
    let mut night = Night::begin();
    let maya = night.maya.clone();
    for number in 1..=5 {
        night.drafts(&maya, "public", &format!("News number {number} of the evening."));
        let sent = night.says(&maya, &format!("1-{number}"), "publish", &json!({}));
        assert_eq!(sent.status, 200, "{}", sent.body);
        if number % 3 == 1 {
            night.daemon.kill();
            night.daemon.go();
        }
    }
    let of = |news: &[String], number: i32| {
        let words = format!("News number {number} of");
        news.iter().filter(|mail| mail.contains(&words)).count()
    };
    // When its lease has run out it is known of each that it is there, or that nobody knows.
    let unknown = within(Duration::from_secs(200), "of all five it is known what became of them", || {
        let outcomes: Option<Vec<String>> = (1..=5)
            .map(|number| {
                let path = format!("/api/v1/statements/1-{number}");
                let shown = night.daemon.api(&maya, "GET", &path, &Value::Null).json();
                let outcome = shown["reached"][0]["outcome"].as_str()?.to_owned();
                ["accepted", "unknown"].contains(&outcome.as_str()).then_some(outcome)
            })
            .collect();
        let all = (1..).zip(outcomes?);
        Some(all.filter(|(_, outcome)| outcome == "unknown").map(|(number, _)| number).collect::<Vec<i32>>())
    });
    // Who has looked sends once more what is not there.
    let news = night.news();
    for number in unknown.into_iter().filter(|number| of(&news, *number) == 0) {
        let sent = night.says(&maya, &format!("1-{number}"), "resend", &json!({"channels": ["news"]}));
        assert_eq!(sent.status, 200, "{}", sent.body);
    }
    let all = eventually("all five are there", || {
        let news = night.news();
        (1..=5).all(|number| of(&news, number) > 0).then_some(news)
    });
    assert!((1..=5).all(|number| of(&all, number) == 1), "nobody reads one twice: {all:?}");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn the_command_does_what_the_api_does() {
    let night = Night::begin();
    let run = |token: &str, arguments: &[&str]| {
        let done = night.daemon.command(arguments, Some(token));
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, shown, _) = run(
        &night.tom,
        &["statement", "draft", "1", "--audience", "public", "--next", "25m", "Some payments fail."],
    );
    assert_eq!(code, Some(0));
    assert!(shown.starts_with("1-1 ") && shown.contains("\n    \n    Next update by "), "{shown}");
    let (code, _, said) = run(&night.tom, &["statement", "publish", "1-1"]);
    assert!(code == Some(1) && said.contains("waits for the approval of the Commander, maya"), "{said}");
    assert_eq!(run(&night.maya, &["statement", "approve", "1-1", "--term", "1"]).0, Some(0));
    assert!(run(&night.tom, &["statement", "publish", "1-1"]).1.contains("news: pending"));
    let (code, answer, _) =
        run(&night.tom, &["statement", "question", "1", "any update?", "--from", "support"]);
    assert!(code == Some(0) && answer.contains("those who work on the problem are not"), "{answer}");
    assert!(run(&night.maya, &["statement", "list"]).1.starts_with("1-1 "));
    let (code, _, said) = run(&night.maya, &["statement", "show", "1-9"]);
    assert!(code == Some(1) && said.contains("there is no statement 1-9"), "{said}");
    night.daemon.mail_to("news@example.net", "Next update by ");
}

#[test]
fn the_page_offers_what_the_rules_allow_and_gives_back_what_was_written() {
    let night = Night::begin();
    let (maya, tom) = (night.daemon.cookie(&night.maya), night.daemon.cookie(&night.tom));
    let page = |cookie: &str| {
        let answer = request(night.daemon.address, "GET", "/statements", &[("Cookie", cookie)], b"").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let form = |cookie: &str, action: &str, field: (&str, &str)| {
        let all = forms(&page(cookie));
        let fits = |form: &super::incident_page::forms::Form| {
            form.action == action
                && form.value(field.0).is_none_or(|value| field.1.is_empty() || value == field.1)
        };
        all.into_iter().find(fits).unwrap_or_else(|| panic!("no form for {action}"))
    };
    let first = form(&tom, "/statements", ("audience", "public"));
    assert!(first.value("text").unwrap().starts_with("We are looking into a problem with Online shop."));
    let leak = first.send(&night.daemon, &tom, &[("text", "It is back in 10 minutes.")]);
    assert_eq!(leak.status, 422, "{}", leak.body);
    assert!(
        leak.body.contains("in 10 minutes”") && leak.body.contains("It is back in 10 minutes.</textarea>"),
        "{}",
        leak.body
    );
    let done = first.send(&night.daemon, &tom, &[("text", "Some payments fail."), ("next_in", "25")]);
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(page(&tom).contains("waits for the approval of Maya Lind"), "tom cannot send it yet");
    assert!(!forms(&page(&tom)).iter().any(|form| form.action.ends_with("/publish")));
    // Maya may send it as it is: her press is the approval.
    let sends = form(&maya, "/statements/1-1/publish", ("entry", ""));
    let twice = (sends.send(&night.daemon, &maya, &[]), sends.send(&night.daemon, &maya, &[]));
    assert_eq!((twice.0.status, twice.1.status), (303, 303), "a second tap is the same press");
    night.daemon.mail_to("news@example.net", "Some payments fail.");
    assert!(page(&maya).contains("went out"));
    let other = request(
        night.daemon.address,
        "POST",
        "/statements",
        &[("Cookie", maya.as_str()), ("Origin", "https://evil.example")],
        b"text=x",
    )
    .unwrap();
    assert_eq!(other.status, 403, "not for another site: {}", other.body);
    eventually("one mail", || (night.news().len() == 1).then_some(()));
}

#[test]
fn the_public_page_shows_what_went_out_to_everybody_and_takes_back_what_was_taken_back() {
    let port = free_port();
    let public: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let listens = format!("[server]\npublic_listen = \"127.0.0.1:{port}\"\n");
    let config = house().replacen("[server]\n", &listens, 1);
    let work = "[[maintenance]]\nname = \"move\"\nservice = \"shop\"\ntime_zone = \"UTC\"\nstart = \"2026-01-05 02:00\"\nfor = \"1h\"\nevery = \"1 day\"\nannounce = \"We move to new machines.\"\ncomment = \"lb-frankfurt-9\"\n";
    let mut night = Night::of(&format!("{config}{work}"));
    let maya = night.maya.clone();
    night.drafts(&maya, "public", "Some payments by card fail.");
    night.drafts(&maya, "internal", "The cabinet in the cellar is on fire.");
    night.says(&maya, "1-1", "publish", &json!({}));
    night.says(&maya, "1-2", "publish", &json!({}));
    let get = |path: &str| {
        request(public, "GET", path, &[], b"").filter(|answer| answer.status == 200).map(|answer| answer.body)
    };
    let shows = |path: &str, text: &str| {
        eventually(&format!("{path} shows {text:?}"), || get(path).filter(|body| body.contains(text)))
    };
    for path in ["/", "/history", "/feed.atom", "/feed.json", "/status.json"] {
        let says = if path == "/history" {
            "Online shop: service disruption"
        } else {
            "Some payments by card fail."
        };
        let body = shows(path, says);
        for word in ["cellar", "paymentgw", "frankfurt", "Maya", "INC-1", ">1-1", "\"1-1"] {
            assert!(!body.contains(word), "{word} is in {path}: {body}");
        }
    }
    let page = shows("/", "We move to new machines.");
    assert!(page.contains("Major outage"), "{page}");
    let status: Value = serde_json::from_str(&get("/status.json").unwrap()).unwrap();
    assert_eq!(status["incidents"][0]["status"], "investigating");
    assert_eq!(status["incidents"][0]["incident_updates"].as_array().unwrap().len(), 1);
    // What is taken back is gone, and that it was stands there.
    night.says(&maya, "1-1", "retract", &json!({"text": "That was about another shop."}));
    night.says(&maya, "1-3", "publish", &json!({}));
    shows("/", "That was about another shop.");
    for path in ["/", "/history", "/feed.atom", "/feed.json", "/status.json"] {
        eventually(&format!("{path} has taken it back"), || {
            get(path).filter(|body| !body.contains("Some payments by card fail."))
        });
    }
    // It is over for readers when they are told so, and not before.
    night.daemon.api(&maya, "POST", "/api/v1/incidents/1/resolve", &json!({"term": 1, "false_alarm": true}));
    night.drafts(&maya, "public", "Payments work again.");
    let status: Value = serde_json::from_str(&get("/api/v2/incidents/unresolved.json").unwrap()).unwrap();
    assert_eq!(status["incidents"].as_array().unwrap().len(), 1, "{status}");
    night.says(&maya, "1-4", "publish", &json!({}));
    eventually("nothing is open", || get("/").filter(|body| body.contains("All systems operational")));
    shows("/feed.atom", "Payments work again.");
    // A restart shows the same, at the same addresses.
    let before: Value = serde_json::from_str(&get("/feed.json").unwrap()).unwrap();
    night.daemon.kill();
    night.daemon.go();
    let ids = |feed: &Value| -> Vec<Value> {
        feed["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    // What was kept for the start may be a moment older.
    eventually("it is there again", || {
        let after: Value = serde_json::from_str(&get("/feed.json")?).unwrap();
        (ids(&before) == ids(&after)).then_some(())
    });
}

#[test]
fn readers_subscribe_on_the_public_page_get_what_is_said_and_leave_by_a_link() {
    let port = free_port();
    let public: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let listens = format!("[server]\npublic_listen = \"127.0.0.1:{port}\"\n");
    let config = house().replacen("[server]\n", &listens, 1);
    let readers = "[public]\nurl = \"https://status.example.net\"\n\n[[channel]]\nname = \"readers\"\nkind = \"mail\"\naudience = \"public\"\nsubscribers = true\n\n[[person]]\nname = \"ada\"\nemail = \"ada@example.net\"\nadministrator = true\n";
    let mut night = Night::of(&format!("{config}\n{readers}"));
    let maya = night.maya.clone();
    let post = |path: &str, form: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        request(public, "POST", path, &headers, form.as_bytes()).unwrap()
    };
    let page = eventually("the page offers it", || {
        let page = request(public, "GET", "/", &[], b"")?;
        let body = page.body.replace("&#x2f;", "/");
        body.contains("action=\"https://status.example.net/subscribe\"").then_some(page)
    });
    assert!(!page.body.contains("onscene.example"), "{}", page.body);
    assert_eq!(post("/", "x=y").status, 405, "nothing else is heard there");
    let asked = post("/subscribe", "address=reader%40example.org");
    assert_eq!(asked.status, 200, "{}", asked.body);
    let link = |mail: &str, path: &str| {
        let whole = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
        let begin = format!("https://status.example.net{path}?");
        let at = whole.find(&begin).unwrap_or_else(|| panic!("no link: {whole}"))
            + "https://status.example.net".len();
        whole[at..].split(|c: char| c.is_whitespace() || "<>\"".contains(c)).next().unwrap().to_owned()
    };
    let first = night.daemon.mail_to("reader@example.org", "Please confirm");
    let confirm = link(&first, "/confirm");
    // A program that opens every link confirms nothing.
    assert_eq!(request(public, "GET", &confirm, &[], b"").unwrap().status, 200);
    let says = |night: &Night, number: u32, text: &str| {
        night.drafts(&maya, "public", text);
        let sent = night.says(&maya, &format!("1-{number}"), "publish", &json!({}));
        assert_eq!(sent.status, 200, "{}", sent.body);
    };
    says(&night, 1, "Some payments by card fail.");
    assert_eq!(post(&confirm, "").status, 200);
    assert_eq!(post("/confirm?token=1-0123456789abcdef", "").status, 404);
    night.daemon.kill();
    night.daemon.go();
    says(&night, 2, "All payments work but by invoice.");
    let mail = night.daemon.mail_to("reader@example.org", "All payments work but by invoice.");
    for header in [
        "List-Id: <public.status.",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "List-Unsubscribe: <https://status.example.net/unsubscribe?token=",
    ] {
        assert!(mail.replace("\r\n ", " ").contains(header), "{header}: {mail}");
    }
    assert!(!mail.contains("X-Incident") && !mail.contains("INC-1"), "{mail}");
    let to_reader = |night: &Night, text: &str| {
        let mails = night.daemon.mails().into_values();
        mails.filter(|mail| mail.contains("To: reader@example.org") && mail.contains(text)).count()
    };
    assert_eq!(to_reader(&night, "Some payments by card fail."), 0, "who has not confirmed gets nothing");
    let shown = eventually("it is known to how many it went", || {
        let shown = night.daemon.api(&maya, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
        shown.body.contains("written to 1 subscribers").then_some(shown)
    });
    assert!(!shown.body.contains("reader@"), "no address stands on a timeline");
    // An administrator sees whose mail boxes they are, and forgets one; nobody else does.
    let asked = post("/subscribe", "address=other%40example.org");
    assert_eq!(asked.status, 200, "{}", asked.body);
    night.daemon.mail_to("other@example.org", "Please confirm");
    let token = &night.daemon.token("ada");
    let server = format!("http://{}", night.daemon.address);
    let run = |arguments: &[&str], token: &str| {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).args(["--server", &server]).env("ONSCENE_TOKEN", token).output().unwrap()
    };
    let listed = run(&["subscriber", "list"], token);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.lines().count() == 2 && text.contains("reader@example.org"), "{text} {listed:?}");
    assert!(
        text.lines().any(|line| line.starts_with("other@example.org") && line.contains("asked")),
        "{text}"
    );
    let by_maya = run(&["subscriber", "list"], &maya);
    assert!(by_maya.status.code() == Some(1) && by_maya.stdout.is_empty(), "{by_maya:?}");
    assert!(run(&["subscriber", "remove", "Other@example.org"], token).status.success());
    assert_eq!(run(&["subscriber", "remove", "other@example.org"], token).status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&run(&["subscriber", "list"], token).stdout).contains("other@"));
    // One click, as a mail program does it.
    let end = link(&mail, "/unsubscribe");
    assert_eq!(post(&end, "List-Unsubscribe=One-Click").status, 200);
    says(&night, 3, "Everything works.");
    // What was in hand when it was killed holds its lane until its lease has run out.
    within(Duration::from_secs(100), "those of the list are told", || {
        night.news().iter().any(|mail| mail.contains("Everything works.")).then_some(())
    });
    eventually("it was written to all who are left", || {
        let shown = night.daemon.api(&maya, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
        shown.body.contains("written to 0 subscribers").then_some(())
    });
    assert_eq!(to_reader(&night, "Everything works."), 0);
    let log = night.daemon.log();
    assert!(!log.contains("reader@") && !log.contains("token="), "no address and no link is logged");
    assert!(night.daemon.verify().contains("whole"));
}

#[test]
fn a_channel_that_swallows_everything_holds_up_no_other() {
    // It takes connections, and never answers one.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hole.local_addr().unwrap());
    let holes = (1..=4).map(|number| {
        format!("[[channel]]\nname = \"hole-{number}\"\nkind = \"webhook\"\naudience = \"public\"\nurl = \"{url}\"\nprivate_addresses = \"allow\"\nbody = '{{\"text\": {{{{ text }}}}}}'\n")
    });
    let night = Night::of(&format!("{}\n{}", house(), holes.collect::<String>()));
    for number in 1..=6 {
        let text = format!("News number {number} of the evening.");
        night.drafts(&night.maya, "public", &text);
        let sent = night.says(&night.maya, &format!("1-{number}"), "publish", &json!({}));
        assert_eq!(sent.status, 200, "{}", sent.body);
        let begun = std::time::Instant::now();
        night.daemon.mail_to("news@example.net", &text);
        assert!(begun.elapsed() < Duration::from_secs(15), "{number} came after {:?}", begun.elapsed());
    }
    let shown = night.daemon.api(&night.maya, "GET", "/api/v1/statements/1-1", &Value::Null).json();
    let of = |name: &str| {
        let reached = shown["reached"].as_array().unwrap();
        reached.iter().find(|one| one["channel"] == name).map(|one| one["outcome"].clone())
    };
    assert_eq!(of("news"), Some(json!("accepted")));
    assert_ne!(of("hole-1"), Some(json!("accepted")), "nobody answered there");
    drop(hole);
}
