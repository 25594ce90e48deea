//! Incidents that are taken out of the store, and proved without it: whatever is changed is found and named.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, answer_link, binary, eventually, on_a_file};
use onscene::clock::Clock;
use onscene::store::Connection;

/// A daemon with an incident that was taken, mitigated, over, and taken again.
fn told() -> (Daemon, String) {
    let daemon = Daemon::start(&on_a_file(HOUSE));
    let token = daemon.token("maya");
    let toms = daemon.token("tom");
    daemon.alert("db-1", "firing");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    daemon.press(&link, "answer=take");
    let act = |token: &str, verb: &str, body: Value| {
        let answer = daemon.api(token, "POST", &format!("/api/v1/incidents/1/{verb}"), &body);
        assert_eq!(answer.status, 200, "{verb}: {answer:?}");
    };
    act(&token, "note", json!({"text": "the <disk> of db-1 is full; \u{1f4be} \"why\"?"}));
    act(&toms, "check-in", json!({}));
    act(&token, "mitigate", json!({"term": 1, "cause": "a log was removed"}));
    act(&token, "resolve", json!({"term": 1}));
    act(&toms, "reopen", json!({"reason": "it is back"}));
    act(&toms, "note", json!({"text": "again"}));
    act(&toms, "size-up", json!({"text": "the same disk"}));
    // Letters become entries, until all have an outcome.
    let mut before = 0;
    eventually("the timeline rests", || {
        std::thread::sleep(std::time::Duration::from_millis(600));
        let now = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
        let now = now["entries"].as_array().unwrap().len();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    (daemon, token)
}

/// What is said before the verdict on a document that is whole.
const OF_FILES: &str = "Of a document the incident and its entries are proved. Its alerts are there to be read: nothing is proved of them.\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `onscene verify` of a document, without a daemon, a store or a token.
fn verify(file: &str, stdin: Option<&str>) -> Output {
    let mut command = Command::new(binary());
    command.args(["verify", file]).env_remove("ONSCENE_TOKEN").env_remove("ONSCENE_CONFIG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    if let Some(text) = stdin {
        let _closed = std::io::Write::write_all(&mut input, text.as_bytes());
    }
    drop(input);
    child.wait_with_output().unwrap()
}

#[test]
fn whatever_is_changed_in_a_document_is_found_and_named() {
    let (daemon, token) = told();
    let exported = daemon.command(&["export", "1", "--form", "json"], Some(&token));
    assert!(exported.status.success(), "{exported:?}");
    let document = text(&exported.stdout);
    let value: Value = serde_json::from_str(&document).unwrap();
    let entries = value["entries"].as_array().unwrap().clone();
    let count = entries.len();
    assert!(count > 12, "{count}");
    assert_eq!(value["incident"]["seq"], count);
    assert_eq!(value["head"], entries[count - 1]["hash"]);
    assert_eq!(value["alerts"][0]["key"], "db-1");
    let listed = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
    for (listed, exported) in listed["entries"].as_array().unwrap().iter().zip(&entries) {
        assert_eq!(listed["hash"], exported["hash"]);
        let data: Value = serde_json::from_str(exported["data"].as_str().unwrap()).unwrap();
        assert_eq!(listed["data"], data);
    }

    let file = daemon.directory.join("INC-1.json");
    let file = file.to_str().unwrap();
    std::fs::write(file, &document).unwrap();
    let whole = format!("1 incident, {count} entries: whole\n");
    let proved = verify(file, None);
    assert!(proved.status.success() && text(&proved.stdout) == format!("{OF_FILES}{whole}"), "{proved:?}");
    let proved = verify("-", Some(&document));
    assert!(proved.status.success() && text(&proved.stdout) == format!("{OF_FILES}{whole}"), "{proved:?}");
    assert_eq!(text(&daemon.command(&["verify", "1"], None).stdout), whole);
    // Written in another way, it is the same.
    let proved = verify("-", Some(&serde_json::to_string_pretty(&value).unwrap()));
    assert!(proved.status.success(), "{proved:?}");

    let at = |kind: &str| entries.iter().position(|entry| entry["kind"] == kind).unwrap();
    let (taken, noted) = (at("command_taken"), at("note"));
    type Change<'a> = (&'a str, Box<dyn Fn(&mut Value) + 'a>, String);
    let hash = |index: usize| format!("INC-1: entry {}: its hash does not follow", index + 1);
    let set = |index: usize, field: &'static str, to: Value| -> Box<dyn Fn(&mut Value)> {
        Box::new(move |document| document["entries"][index][field] = to.clone())
    };
    let changes: Vec<Change<'_>> = vec![
        ("text", set(noted, "text", json!("nothing happened")), hash(noted)),
        ("data", set(noted, "data", json!("{\"text\":\"nothing\"}")), hash(noted)),
        (
            "a blank in the data",
            set(noted, "data", json!(format!("{} ", entries[noted]["data"].as_str().unwrap()))),
            hash(noted),
        ),
        ("hour", set(noted, "at", json!("2026-01-05T09:00:00Z")), hash(noted)),
        ("hour of the happening", set(noted, "occurred_at", json!("2026-01-05T09:00:00Z")), hash(noted)),
        (
            "digits of the hour",
            set(noted, "at", json!(entries[noted]["at"].as_str().unwrap().replace('Z', "000001Z"))),
            format!("INC-1: entry {} cannot be understood", noted + 1),
        ),
        ("actor", set(noted, "actor", json!("person:tom")), hash(noted)),
        ("actor of the command", set(taken, "actor", json!("person:tom")), hash(taken)),
        ("office", set(noted, "office", json!(null)), hash(noted)),
        ("term", set(noted, "term", json!(7)), hash(noted)),
        ("route", set(noted, "route", json!("mail")), hash(noted)),
        ("kind", set(noted, "kind", json!("declined")), hash(noted)),
        ("hash", set(noted, "hash", json!("00".repeat(32))), hash(noted)),
        (
            "number",
            set(noted, "seq", json!(noted)),
            format!("INC-1: entry {noted} comes again, after entry {noted}"),
        ),
        (
            "a field that is a number",
            set(noted, "text", json!(1)),
            format!("INC-1: entry {} cannot be understood", noted + 1),
        ),
        (
            "a field more",
            set(noted, "note", json!("x")),
            format!("INC-1: entry {} cannot be understood", noted + 1),
        ),
        (
            "removed",
            Box::new(|document| {
                document["entries"].as_array_mut().unwrap().remove(noted);
            }),
            format!("INC-1: entry {} is missing", noted + 1),
        ),
        (
            "the first removed",
            Box::new(|document| {
                document["entries"].as_array_mut().unwrap().remove(0);
            }),
            "INC-1: entry 1 is missing".into(),
        ),
        (
            "the last removed",
            Box::new(|document| {
                document["entries"].as_array_mut().unwrap().pop();
            }),
            format!("INC-1: entry {count} is missing"),
        ),
        (
            "all removed",
            Box::new(|document| document["entries"] = json!([])),
            "INC-1: it has no entries".into(),
        ),
        (
            "swapped",
            Box::new(|document| document["entries"].as_array_mut().unwrap().swap(noted, noted + 1)),
            format!("INC-1: entry {} is missing", noted + 1),
        ),
        (
            "put in",
            Box::new(|document| {
                let one = document["entries"][noted].clone();
                document["entries"].as_array_mut().unwrap().insert(noted, one);
            }),
            format!("INC-1: entry {} comes again", noted + 1),
        ),
        (
            "put in, with the numbers of the others moved",
            Box::new(|document| {
                let all = document["entries"].as_array_mut().unwrap();
                let one = all[noted].clone();
                all.insert(noted, one);
                (noted..all.len()).for_each(|n| all[n]["seq"] = json!(n + 1));
            }),
            hash(noted + 1),
        ),
        (
            "severity of the row",
            Box::new(|document| document["incident"]["severity"] = json!("SEV1")),
            format!(
                "INC-1: the saved row is not what its timeline says: its severity is another, up to entry {count}"
            ),
        ),
        (
            "title of the row",
            Box::new(|document| document["incident"]["title"] = json!("x")),
            "its title is another".into(),
        ),
        (
            "Commander of the row",
            Box::new(|document| document["incident"]["phase"]["command"]["person"] = json!("maya")),
            "who commands is another".into(),
        ),
        (
            "term of the row",
            Box::new(|document| document["incident"]["term"] = json!(9)),
            "its term is another".into(),
        ),
        (
            "number of the incident",
            Box::new(|document| document["incident"]["id"] = json!(2)),
            "INC-2: entry 1: its hash does not follow".into(),
        ),
        (
            "row of an earlier hour",
            Box::new(|document| document["incident"]["seq"] = json!(3)),
            "INC-1: entry 4 is one more than the saved row knows of".into(),
        ),
        (
            "head",
            Box::new(|document| document["head"] = json!("00".repeat(32))),
            format!("INC-1: the saved hash is not that of entry {count}"),
        ),
        (
            "the board of the row",
            Box::new(|document| document["incident"]["board"]["size_up"]["text"] = json!("nothing")),
            "something of it is other".into(),
        ),
        (
            "the board of a row that calls itself an old one",
            Box::new(|document| {
                document["incident"]["board"]["size_up"]["text"] = json!("nothing");
                document["incident"].as_object_mut().unwrap().remove("fold");
            }),
            "something of it is other".into(),
        ),
        (
            "a row of a later version",
            Box::new(|document| document["incident"]["fold"] = json!(99)),
            "the saved row is not what its timeline says: it cannot be read".into(),
        ),
        (
            "a row that is none",
            Box::new(|document| document["incident"]["phase"] = json!(1)),
            "the saved row is not what its timeline says: it cannot be read".into(),
        ),
    ];
    for (what, change, named) in &changes {
        let mut changed = value.clone();
        change(&mut changed);
        assert_ne!(changed, value, "{what}");
        let proof = verify("-", Some(&changed.to_string()));
        let said = text(&proof.stdout);
        assert_eq!(proof.status.code(), Some(1), "{what}: {said}");
        assert!(said.contains(named.as_str()), "{what}: {said} instead of {named}");
        assert!(said.ends_with("NOT whole\n"), "{what}: {said}");
    }

    // What is no document is no proof of anything.
    for (what, given, words) in [
        ("cut off", &document[..document.len() / 2], "no whole document"),
        ("something else", "{\"a\": 1}", "no document that onscene exported"),
        ("of later", &document.replace("\"version\":1", "\"version\":3"), "its form has version 3"),
        (
            "alerts left out, and it is not said how many",
            &document.replace("\"version\":1", "\"version\":2"),
            "no whole document",
        ),
        (
            "alerts left out of a version that leaves out none",
            &document.replace("\"alerts\":", "\"alerts_left_out\":1,\"alerts\":"),
            "no whole document",
        ),
        ("nothing", "", "no whole document"),
        ("a field more", &document.replace("\"version\":1", "\"version\":1,\"x\":1"), "no whole document"),
    ] {
        let proof = verify("-", Some(given));
        let said = text(&proof.stderr);
        assert!(proof.status.code() == Some(1) && said.contains(words), "{what}: {proof:?}");
    }
    assert_eq!(verify("/nowhere/INC-1.json", None).status.code(), Some(1));
    let both = Command::new(binary()).args(["verify", "1", "-"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    assert_eq!(daemon.command(&["verify", file], None).status.code(), Some(2));
}

#[test]
fn a_store_a_daemon_and_a_document_are_said_the_same_of() {
    let (daemon, token) = told();
    let mut store = Connection::writer(&daemon.place(), &Clock::system()).unwrap();
    let mut change = |sql: &str| {
        eventually("it is changed", || store.write(jiff::Timestamp::now(), |tx| tx.write(sql, &[])).ok());
    };
    let same = || {
        let here = daemon.command(&["verify", "1"], None);
        let server = format!("http://{}", daemon.address);
        let there = Command::new(binary())
            .args(["verify", "1", "--server", &server])
            .env("ONSCENE_TOKEN", &token)
            .output()
            .unwrap();
        let exported = daemon.command(&["export", "1", "--form", "json"], Some(&token));
        let out = verify("-", Some(&text(&exported.stdout)));
        let verdict = |proof: &Output| text(&proof.stdout).replace(OF_FILES, "");
        assert_eq!(text(&out.stdout).starts_with(OF_FILES), out.status.success(), "{out:?}");
        let said = [&here, &there, &out].map(|proof| (proof.status.code(), verdict(proof)));
        assert!(said[0] == said[1] && said[1] == said[2], "{said:?} {here:?} {there:?} {out:?}");
        said[0].clone()
    };
    assert_eq!(same().0, Some(0));
    for (changed, back, named) in [
        (
            "update entry set text = 'x' || text where incident = 1 and seq = 3",
            "update entry set text = substr(text, 2) where incident = 1 and seq = 3",
            "INC-1: entry 3: its hash does not follow",
        ),
        (
            "update entry set kind = 'x' || kind where incident = 1 and seq = 3",
            "update entry set kind = substr(kind, 2) where incident = 1 and seq = 3",
            "INC-1: entry 3: its hash does not follow",
        ),
        (
            "update entry set seq = 9000 where incident = 1 and seq = 4",
            "update entry set seq = 4 where incident = 1 and seq = 9000",
            "INC-1: entry 4 is missing: entry 5 comes in its place",
        ),
        (
            "update incident set state = replace(state, '\"SEV', '\"S') where id = 1",
            "update incident set state = replace(state, '\"S', '\"SEV') where id = 1",
            "the saved row is not what its timeline says: it cannot be read",
        ),
        (
            "update incident set state = replace(state, '\"term\":2', '\"term\":3') where id = 1",
            "update incident set state = replace(state, '\"term\":3', '\"term\":2') where id = 1",
            "the saved row is not what its timeline says: who commands is another",
        ),
    ] {
        change(changed);
        let (code, said) = same();
        assert!(code == Some(1) && said.contains(named), "{changed}: {said}");
        change(back);
        assert_eq!(same().0, Some(0), "{back}");
    }
}

#[test]
fn a_document_says_how_many_alerts_are_not_in_it() {
    let (daemon, token) = told();
    let mut store = Connection::writer(&daemon.place(), &Clock::system()).unwrap();
    let more = "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 10002)
         insert into alert (id, source, key, service, status, first_seen, changed_at, taken_at, incident, wording, title, body,
                            labels, links)
         select 1000 + n, source, key || '-' || n, service, status, first_seen, changed_at, taken_at, incident, wording, title,
                body, labels, links
         from alert cross join numbers where incident = 1 and key = 'db-1'";
    let heard = "insert into alert_heard (alert, count, last_seen) select id, 1, first_seen from alert where id > 1000";
    for sql in [more, heard] {
        eventually("there are more", || store.write(jiff::Timestamp::now(), |tx| tx.write(sql, &[])).ok());
    }
    let exported = daemon.command(&["export", "1", "--form", "json"], Some(&token));
    let value: Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!(value["alerts"].as_array().unwrap().len(), 10_000);
    assert_eq!((&value["version"], &value["alerts_left_out"]), (&json!(2), &json!(3)));
    let proved = verify("-", Some(&text(&exported.stdout)));
    let said = text(&proved.stdout);
    assert!(proved.status.success() && said.starts_with(OF_FILES), "{proved:?}");
    assert!(said.contains("INC-1: 3 of its alerts are not in the document"), "{said}");
}

#[test]
fn who_exports_names_a_form_and_may_look() {
    let (daemon, token) = told();
    let ask = |token: &str, path: &str| daemon.api(token, "GET", path, &Value::Null);
    let place = "/api/v1/incidents/1/export";
    assert_eq!(ask("nonsense", &format!("{place}?form=json")).status, 401);
    let none = ask(&token, place);
    assert!(
        none.status == 400 && none.body.contains("there are: ics-201, ics-209, ics-214, postmortem, json"),
        "{none:?}"
    );
    for wrong in [
        "form=html",
        "form=json&format=md",
        "form=ics-201&format=pdf",
        "form=ics-201&person=maya",
        "form=ics-201&what=all",
    ] {
        assert_eq!(ask(&token, &format!("{place}?{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(ask(&token, "/api/v1/incidents/77/export?form=json").status, 404);
    let whole = ask(&token, &format!("{place}?form=json"));
    assert!(whole.head.contains("attachment; filename=\"INC-1.json\""), "{}", whole.head);
    assert_eq!(daemon.command(&["export", "1", "--form", "verse"], Some(&token)).status.code(), Some(2));
    let gone = daemon.command(&["export", "77", "--form", "json"], Some(&token));
    assert!(gone.status.code() == Some(1) && gone.stdout.is_empty(), "{gone:?}");
}

#[test]
fn every_form_is_filled_by_the_daemon_and_printed_by_the_command() {
    let (daemon, token) = told();
    let out = |arguments: &[&str]| {
        let out = daemon.command(&[&["export", "1"], arguments].concat(), Some(&token));
        assert!(out.status.success(), "{arguments:?}: {out:?}");
        text(&out.stdout)
    };
    // What a person wrote with a tag and quotes in it stays words, in either way.
    for (form, title) in [
        ("ics-201", "Briefing: INC-1 "),
        ("ics-209", "Status summary: INC-1 "),
        ("ics-214", "Activity log: INC-1 "),
        ("postmortem", "Post-mortem (draft): INC-1 "),
    ] {
        let markdown = out(&["--form", form]);
        assert!(markdown.starts_with(&format!("# {title}")), "{markdown}");
        assert_eq!(markdown, markdown.replace("the <disk>", ""), "{form}");
        let html = out(&["--form", form, "--format", "html"]);
        assert!(
            html.starts_with("<!doctype html>\n<html lang=\"en\">") && html.ends_with("</html>\n"),
            "{html}"
        );
        assert!(!html.contains("<disk>") && !html.contains("<script") && html.contains("maya"), "{html}");
        let value: Value = serde_json::from_str(&out(&["--form", form, "--format", "json"])).unwrap();
        assert_eq!(value["document"], format!("onscene {form}"));
        assert_eq!((&value["incident"], &value["prepared_by"]), (&json!(1), &json!("maya")));
        assert!(!value["sections"].as_array().unwrap().is_empty());
    }
    let log = out(&["--form", "ics-214"]);
    assert!(log.contains("the \\<disk\\> of db-1 is full"), "{log}");
    assert!(log.contains("| tom | tom is on scene") && !log.contains("page to maya: accepted"), "{log}");
    let toms = out(&["--form", "ics-214", "--person", "tom"]);
    assert!(toms.contains("tom: Commander") && !toms.contains("the \\<disk\\>"), "{toms}");
    let draft = out(&["--form", "postmortem"]);
    for fact in [
        "a log was removed",
        "answered first",
        "opened it again",
        "It has not ended",
        "To be filled in by people",
    ] {
        assert!(draft.contains(fact), "{fact}: {draft}");
    }

    let refused = |arguments: &[&str]| {
        let out = daemon.command(&[&["export", "1"], arguments].concat(), Some(&token));
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, printed, said) = refused(&["--form", "ics-214", "--person", "nobody"]);
    assert!(code == Some(1) && printed.is_empty() && said.contains("names no person"), "{said}");
    assert_eq!(refused(&["--form", "postmortem", "--person", "tom"]).0, Some(2));
    assert_eq!(refused(&["--form", "json", "--format", "html"]).0, Some(2));

    let html = daemon.api(&token, "GET", "/api/v1/incidents/1/export?form=ics-201&format=html", &Value::Null);
    let head = html.head.to_ascii_lowercase();
    for line in
        ["content-type: text/html; charset=utf-8", "filename=\"inc-1-ics-201.html\"", "sandbox", "nosniff"]
    {
        assert!(head.contains(line), "{line}: {head}");
    }
}

#[test]
fn a_brief_has_the_number_that_who_accepts_command_names() {
    let (daemon, token) = told();
    let ask = |path: &str| daemon.api(&token, "GET", path, &Value::Null);
    let number = ask("/api/v1/incidents/1").json()["brief"].as_u64().unwrap();
    let brief = ask("/api/v1/incidents/1/brief");
    assert_eq!(brief.status, 200, "{brief:?}");
    let brief = brief.json();
    assert_eq!((&brief["document"], &brief["brief"]), (&json!("onscene ics-201"), &json!(number)));
    assert_eq!(ask("/api/v1/incidents/77/brief").status, 404);
    assert_eq!(daemon.api("nonsense", "GET", "/api/v1/incidents/1/brief", &Value::Null).status, 401);
    let shown = daemon.command(&["incident", "brief", "1"], Some(&token));
    assert!(shown.status.success(), "{shown:?}");
    let shown = text(&shown.stdout);
    assert!(shown.lines().next().unwrap().contains(&format!("brief of entry {number}")), "{shown}");
    let json = daemon.command(&["incident", "--json", "brief", "1"], Some(&token));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["brief"], number);
    // It is an old one as soon as the situation has moved, and by a note it does not move.
    let act = |verb: &str, body: Value| {
        let answer = daemon.api(&token, "POST", &format!("/api/v1/incidents/1/{verb}"), &body);
        assert_eq!(answer.status, 200, "{verb}: {answer:?}");
    };
    act("note", json!({"text": "seen"}));
    assert_eq!(ask("/api/v1/incidents/1/brief").json()["brief"], number);
    act("size-up", json!({"text": "the disk is full"}));
    let moved = ask("/api/v1/incidents/1/brief").json();
    assert!(moved["brief"].as_u64().unwrap() > number, "{moved}");
    assert!(moved.to_string().contains("the disk is full"), "{moved}");
}
