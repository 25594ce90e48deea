//! Whatever the API and the command can do to an incident, somebody who may can do by a form.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::harness::{Answer, Daemon, HOUSE};
use super::forms::{Form, forms};
use super::{gets, to};

/// Commands for which no form stands on the page of an incident, and why.
const OTHERWISE: [(&str, &str); 6] = [
    ("list", "it is the page of incidents"),
    ("show", "it is the page itself"),
    ("timeline", "it is the page itself, and goes on"),
    ("brief", "it is a page of its own"),
    ("declare", "its form stands on the page of incidents"),
    ("import", "it reads a file of the machine it runs on"),
];

/// Somebody with a browser, who does what the page offers them.
struct Somebody<'a> {
    daemon: &'a Daemon,
    cookie: String,
}

impl Somebody<'_> {
    /// The form of a verb that takes these fields, of a page.
    fn form(&self, page: &str, verb: &str, written: &[(&str, &str)]) -> Option<Form> {
        let number = page.trim_start_matches("/incidents/").trim_start_matches("/statements?incident=");
        let number = number.split('/').next().unwrap();
        let action = format!("/incidents/{number}/{verb}");
        let has = |form: &Form, (name, _): &(&str, &str)| form.names.iter().any(|known| known == name);
        let shown = gets(self.daemon, page, &self.cookie);
        assert_eq!(shown.status, 200, "{page}");
        let fits = |form: &Form| form.action == action && written.iter().all(|field| has(form, field));
        forms(&shown.body).into_iter().find(fits)
    }

    fn tries(&self, page: &str, verb: &str, written: &[(&str, &str)]) -> Answer {
        let form =
            self.form(page, verb, written).unwrap_or_else(|| panic!("{page} has no {verb} {written:?}"));
        form.send(self.daemon, &self.cookie, written)
    }

    /// Does it, and answers the page that it leads to.
    fn does(&self, page: &str, verb: &str, written: &[(&str, &str)]) -> String {
        let answer = self.tries(page, verb, written);
        assert_eq!(answer.status, 303, "{verb} {written:?}: {}", answer.body);
        to(&answer).split('?').next().unwrap().to_owned()
    }
}

#[test]
fn every_verb_has_a_form_for_somebody_who_may() {
    let house = HOUSE.replacen("name = \"maya\"", "name = \"maya\"\nadministrator = true", 1);
    let by_itself = "name = \"shop\"\nholding = \"30m\"\nholding_audiences = [\"internal\"]";
    let house = house.replacen("name = \"shop\"", by_itself, 1);
    let daemon = Daemon::start(&house);
    daemon.alert("db-1", "firing");
    daemon.alert("db-2", "firing");
    let (of_maya, of_tom) = (daemon.token("maya"), daemon.token("tom"));
    let maya = Somebody { daemon: &daemon, cookie: daemon.cookie(&of_maya) };
    let tom = Somebody { daemon: &daemon, cookie: daemon.cookie(&of_tom) };
    let (one, brief) = ("/incidents/1", "/incidents/1/brief");
    let mut done = BTreeSet::new();
    let mut does = |who: &Somebody<'_>, page: &str, verb: &str, written: &[(&str, &str)]| {
        done.insert(verb.to_owned());
        who.does(page, verb, written)
    };

    does(&maya, one, "ack", &[]);
    does(&maya, one, "check-in", &[]);
    does(&tom, one, "decline", &[]);
    does(&tom, one, "en-route", &[("eta_in", "10")]);
    does(&tom, one, "check-in", &[]);
    does(&maya, one, "size-up", &[("text", "all orders fail"), ("occurred_ago", "20")]);
    does(&maya, one, "objective", &[("text", "orders go through"), ("occurred_ago", "0")]);
    does(&maya, one, "plan", &[("text", "switch"), ("occurred_at", "2026-01-05T02:10")]);
    does(&tom, one, "report", &[("text", "it holds"), ("trend", "better"), ("occurred_ago", "1")]);
    does(&tom, one, "note", &[("text", "seen before"), ("occurred_ago", "30")]);
    does(&tom, one, "correct", &[("entry", "2"), ("text", "it was db-1 alone")]);
    does(&maya, one, "meet", &[("where", "https://meet.example.net/other"), ("reason", "it is full")]);
    does(&maya, one, "severity", &[("severity", "SEV1"), ("reason", "nobody can pay")]);
    does(&tom, one, "find", &[("component", "vpn"), ("ok", "true"), ("text", "seen"), ("known_ago", "5")]);
    let spoken = [
        ("body", "the host"),
        ("contact", "desk"),
        ("ticket", "7"),
        ("promised_in", "30"),
        ("closed", "true"),
    ];
    does(&tom, one, "contact", &[&spoken[..], &[("text", "they look"), ("occurred_ago", "2")]].concat());

    does(
        &tom,
        one,
        "act",
        &[("what", "switch"), ("where", "db-2"), ("undo", "switch back"), ("occurred_ago", "1")],
    );
    does(&tom, one, "end-act", &[("how", "failed"), ("text", "it lags"), ("occurred_ago", "0")]);
    does(&maya, one, "allow", &[("most", "2")]);
    does(&maya, one, "stop", &[("reason", "no backup")]);
    does(&maya, one, "lift", &[("reason", "there is one")]);
    does(&maya, one, "task", &[("person", "tom"), ("what", "read the log"), ("limit_in", "20")]);
    does(&tom, one, "end-task", &[("how", "done"), ("text", "nothing there")]);
    does(&maya, one, "request", &[("wanted", "rotation:sre"), ("reason", "a word")]);
    does(&maya, one, "end-request", &[]);
    does(&maya, one, "assign", &[("office", "safety"), ("person", "tom")]);
    does(&tom, one, "accept", &[("office", "safety")]);
    does(&tom, one, "give-back", &[("office", "safety")]);
    does(&maya, one, "assign", &[("office", "scribe"), ("person", "tom")]);
    does(&tom, one, "refuse", &[("office", "scribe")]);

    // Command passes; who has it cannot be made to give it up.
    does(&tom, one, "request-command", &[]);
    let refused = tom.tries(one, "assume", &[("reason", "I am here")]);
    assert!(refused.status == 409 && refused.body.contains("is heard of"), "{refused:?}");
    done.insert("assume".to_owned());
    let mut does = |who: &Somebody<'_>, page: &str, verb: &str, written: &[(&str, &str)]| {
        done.insert(verb.to_owned());
        who.does(page, verb, written)
    };
    does(&maya, one, "offer", &[("to", "tom"), ("reason", "I am tired")]);
    does(&maya, one, "withdraw", &[]);
    does(&maya, one, "offer", &[("to", "tom")]);
    does(&tom, brief, "refuse", &[("reason", "not yet")]);
    does(&maya, one, "offer", &[("to", "tom")]);
    does(&tom, brief, "accept", &[("brief", &brief_of(&tom))]);
    does(&maya, one, "heard", &[]);
    does(&maya, one, "relieve", &[("to", "maya"), ("reason", "ten hours")]);
    does(&maya, one, "withdraw", &[]);
    does(&maya, one, "rest", &[]);
    does(&maya, one, "release", &[]);

    // Together, and taken apart again; nobody's is anybody's to put together.
    let merged = does(&maya, "/incidents/2", "merge", &[("into", "1")]);
    assert_eq!(merged, "/incidents/2");
    assert_eq!(state(&daemon, &of_tom, 2)["merged_into"], 1);
    assert!(maya.form(one, "split", &[]).is_none(), "who does not command takes nothing out");
    assert_eq!(does(&tom, one, "split", &[("incident", "2")]), "/incidents/2");
    assert_eq!(state(&daemon, &of_tom, 2)["commander"]["person"], "tom");
    does(&tom, "/incidents/2", "merge", &[("into", "1")]);
    let split = does(&tom, one, "split", &[("alert", "scripts/db-2")]);
    assert_eq!(split, "/incidents/3");
    assert_eq!(state(&daemon, &of_tom, 3)["alerts"][0]["key"], "db-2");
    assert!(gets(&daemon, "/incidents/3?done=split", &tom.cookie).body.contains("This was taken out"));

    // What who speaks for the house needs stands where they write.
    let spoken = "/statements?incident=1";
    assert_eq!(
        does(&maya, spoken, "question", &[("from", "support"), ("text", "any update?")]),
        "/statements"
    );
    does(&tom, spoken, "hold", &[]);
    does(&maya, spoken, "answer", &[("text", "see the status page")]);
    does(&tom, spoken, "delegate", &[("minutes", "30")]);
    does(&tom, spoken, "confirm-cause", &[("cause", "the switch")]);
    does(&tom, one, "mitigate", &[("did", ""), ("cause", "switched"), ("occurred_ago", "3")]);
    does(&tom, one, "resolve", &[]);
    does(&tom, one, "note", &[("text", "it was the switch"), ("occurred_ago", "40")]);
    does(&maya, one, "reopen", &[("reason", "it is back")]);

    let all = daemon.api(&of_tom, "POST", "/api/v1/incidents/1/vacate", &serde_json::json!({})).json();
    let all = all["detail"].as_str().unwrap().split_once("there are ").unwrap().1.replace(" and ", ", ");
    let all: BTreeSet<String> = all.split(", ").map(str::to_owned).collect();
    assert!(all.len() > 35, "{all:?}");
    let missing: Vec<_> = all.difference(&done).collect();
    assert!(missing.is_empty(), "no form for {missing:?}");
    assert!(daemon.verify().contains("whole"));

    // The command has no more.
    let help = daemon.command(&["incident", "--help"], None);
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 35, "{help}");
    for command in commands {
        let is_otherwise = OTHERWISE.iter().any(|(known, _)| *known == command) || command == "help";
        assert!(is_otherwise != done.contains(command), "{command}");
    }
    let declared = forms(&gets(&daemon, "/", &maya.cookie).body);
    let form = declared.iter().find(|form| form.action == "/incidents").unwrap();
    let said = form.send(&daemon, &maya.cookie, &[("title", "the door is locked"), ("service", "shop")]);
    assert_eq!((said.status, to(&said)), (303, "/incidents/4?done=opened"));
    let again = form.send(&daemon, &maya.cookie, &[("title", "the <other> door"), ("service", "nothing")]);
    assert!(again.status == 422 && again.body.contains("the &lt;other&gt; door"), "{again:?}");
    assert!(gets(&daemon, to(&said), &maya.cookie).body.contains("It is declared."));
}

fn brief_of(who: &Somebody<'_>) -> String {
    let form = who.form("/incidents/1/brief", "accept", &[("brief", "")]).unwrap();
    form.value("brief").unwrap().to_owned()
}

fn state(daemon: &Daemon, token: &str, number: i64) -> Value {
    daemon.api(token, "GET", &format!("/api/v1/incidents/{number}"), &Value::Null).json()
}
