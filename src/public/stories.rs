//! What the renderings say, and what they never say.

use serde_json::Value;

use super::*;

/// An hour of the day of the stories, 29 November 2026.
pub(super) fn at(clock: &str) -> Timestamp {
    format!("2026-11-29T{clock}:00Z").parse().unwrap()
}

pub(super) fn day(date: &str) -> Timestamp {
    format!("{date}T00:00:00Z").parse().unwrap()
}

pub(super) fn said(
    id: &str,
    sort: Sort,
    phase: Phase,
    impact: Impact,
    clock: &str,
    text: &str,
) -> PublicStatement {
    PublicStatement {
        id: id.into(),
        key: format!("key-{id}"),
        sort,
        phase,
        impact,
        components: vec!["Online shop".into()],
        said: Said::Text(text.into()),
        at: at(clock),
        next_by: None,
        mends: None,
    }
}

pub(super) fn incident(key: &str, began: &str, statements: Vec<PublicStatement>) -> PublicIncident {
    let last = statements.iter().max_by_key(|one| one.at).unwrap().clone();
    PublicIncident {
        key: key.into(),
        title: "Online shop: payments fail".into(),
        components: last.components.clone(),
        impact: last.impact,
        phase: last.phase,
        began: at(began),
        ended: None,
        statements,
    }
}

/// A house on a bad day: one incident goes on, one is over, work is planned.
pub(super) fn house() -> Shown {
    let mut now = incident(
        "3f9a1c",
        "09:50",
        vec![
            said(
                "42-1",
                Sort::Holding,
                Phase::Investigating,
                Impact::Minor,
                "10:00",
                "Some payments fail. We look into it.",
            ),
            said(
                "42-2",
                Sort::Update,
                Phase::Identified,
                Impact::Major,
                "10:20",
                "Payments by card fail.\n\nPayments by invoice work.",
            ),
            said(
                "42-3",
                Sort::Correction,
                Phase::Identified,
                Impact::Major,
                "10:30",
                "Payments by card and by wallet fail.",
            ),
        ],
    );
    now.statements[2].mends = Some(("key-42-2".into(), at("10:20")));
    now.statements[2].next_by = Some(at("11:00"));
    let mut over = incident(
        "77aa02",
        "06:00",
        vec![
            said(
                "41-1",
                Sort::Update,
                Phase::Investigating,
                Impact::Critical,
                "06:10",
                "Nobody can reach the shop.",
            ),
            said(
                "41-2",
                Sort::Closing,
                Phase::Resolved,
                Impact::None,
                "07:00",
                "It works again since 06:45.",
            ),
        ],
    );
    over.ended = Some(at("06:45"));
    over.title = "Online shop cannot be reached".into();
    Shown {
        title: "Example status".into(),
        url: Some("https://status.example.net".into()),
        contact: Some("support@example.net".into()),
        subscribe: Some("https://onscene.example.net/subscribe".into()),
        made_at: at("10:40"),
        components: ["Online shop", "Customer accounts"]
            .map(|name| Component { name: name.into(), since: day("2026-11-01") })
            .into(),
        incidents: vec![over, now],
        maintenance: vec![Planned {
            key: "m1".into(),
            title: "New disks".into(),
            components: vec!["Customer accounts".into()],
            from: at("22:00"),
            to: at("23:00"),
            text: "Logging in takes longer.".into(),
        }],
    }
}

/// The text of a file.
pub(super) fn text(files: &Files, path: &str) -> String {
    let file = files.get(path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.to_vec()).unwrap()
}

fn json(files: &Files, path: &str) -> Value {
    serde_json::from_str(&text(files, path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files(shown: &Shown) -> Files {
    write(shown, false, None).unwrap()
}

#[test]
fn the_page_says_how_things_are_and_what_was_said_the_newest_first() {
    let page = text(&files(&house()), "/").replace("&#x2f;", "/");
    for words in [
        "<html lang=\"en\">",
        "<title>Partial outage – Example status</title>",
        "<link rel=\"canonical\" href=\"https://status.example.net/\">",
        "type=\"application/atom+xml\"",
        "Next update by <time datetime=\"2026-11-29T11:00:00Z\">29 Nov 2026, 11:00 UTC</time>",
        "Payments by card fail.\n\nPayments by invoice work.",
        "Corrects <a href=\"#s-key-42-2\">what we said at",
        "Planned maintenance",
        "New disks",
        "mailto:support@example.net",
        "action=\"https://onscene.example.net/subscribe\"",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words} in {page}"));
    assert!(place("wallet") < place("by invoice") && place("by invoice") < place("We look into it"));
    assert!(place("What is going on") < place("Components"));
    // It ended today, and stands below.
    assert!(place("Components") < place("Online shop cannot be reached"));
    assert!(!page.contains("42-") || !page.replace("key-42-", "").contains("42-"), "no id of ours");
}

#[test]
fn every_incident_has_an_address_that_stays_and_the_feeds_lead_there() {
    let files = files(&house());
    let page = text(&files, "/incidents/77aa02");
    assert!(page.contains("It works again since 06:45.") && page.contains("id=\"s-key-41-2\""), "{page}");
    assert!(page.contains("(45 min)"), "{page}");
    assert!(page.contains("Critical impact"), "what is over is told by how bad it was: {page}");
    let history = text(&files, "/history");
    assert!(history.contains("November 2026") && history.contains("/incidents/3f9a1c"), "{history}");
    let feed = json(&files, "/feed.json");
    let urls: Vec<&str> =
        feed["items"].as_array().unwrap().iter().filter_map(|item| item["url"].as_str()).collect();
    assert_eq!(urls.len(), 5);
    assert_eq!(urls[0], "https://status.example.net/incidents/3f9a1c#s-key-42-3");
    for url in urls {
        let (path, statement) =
            url.strip_prefix("https://status.example.net").unwrap().split_once('#').unwrap();
        assert!(text(&files, path).contains(&format!("id=\"{statement}\"")), "{url}");
    }
    let atom = text(&files, "/feed.atom");
    assert_eq!(atom.matches("<entry>").count(), 5);
    assert!(atom.contains("<updated>2026-11-29T10:30:00Z</updated>"), "{atom}");
}

#[test]
fn an_entry_keeps_its_id_whatever_else_changes() {
    let ids = |shown: &Shown| {
        let feed = json(&files(shown), "/feed.json");
        let mut ids: Vec<String> = feed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let before = ids(&house());
    let mut other = house();
    (other.title, other.url, other.made_at) =
        ("Another".into(), Some("https://elsewhere.example.net/x".into()), at("23:00"));
    other.incidents[1].title = "Another title".into();
    other.incidents[1].statements[0].said = Said::Retracted { at: at("10:35") };
    assert_eq!(ids(&other), before);
    assert!(before.iter().all(|id| id.starts_with("urn:uuid:") && id.len() == 45), "{before:?}");
}

#[test]
fn what_was_taken_back_is_nowhere_and_that_it_was_is_everywhere() {
    let mut shown = house();
    shown.incidents[1].statements[1].said = Said::Retracted { at: at("10:35") };
    let mut why = said(
        "42-4",
        Sort::Retraction,
        Phase::Identified,
        Impact::Major,
        "10:35",
        "What we said at 10:20 was wrong.",
    );
    why.mends = Some(("key-42-2".into(), at("10:20")));
    shown.incidents[1].statements.push(why);
    let files = files(&shown);
    for (path, file) in files.all() {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        assert!(!text.contains("by invoice"), "{path}: {text}");
    }
    for path in ["/", "/incidents/3f9a1c"] {
        let page = text(&files, path);
        assert!(
            page.contains("This statement was taken back at <time datetime=\"2026-11-29T10:35:00Z\">"),
            "{page}"
        );
        assert!(page.contains("Takes back <a href=\"#s-key-42-2\">what we said at"), "{page}");
    }
    let feed = json(&files, "/feed.json");
    let item = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["date_published"] == "2026-11-29T10:20:00Z");
    let item = item.unwrap();
    assert_eq!(item["date_modified"], "2026-11-29T10:35:00Z", "readers look at it again");
    assert!(item["content_html"].as_str().unwrap().contains("taken back"), "{item}");
    let summary = json(&files, "/status.json");
    let bodies = summary["incidents"][0]["incident_updates"].to_string();
    assert!(bodies.contains("This statement was taken back at 2026-11-29T10:35:00Z."), "{bodies}");
    assert_eq!(files.key_of("42-2"), Some("key-42-2"), "that it was taken back stands there");
}

#[test]
fn programs_find_the_shape_that_they_know() {
    let files = files(&house());
    let summary = json(&files, "/status.json");
    assert_eq!(summary, json(&files, "/api/v2/summary.json"));
    assert_eq!(
        summary["status"],
        serde_json::json!({"indicator": "major", "description": "Partial System Outage"})
    );
    let components: Vec<_> = summary["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str(), one["status"].as_str()))
        .collect();
    assert_eq!(
        components,
        [(Some("Online shop"), Some("partial_outage")), (Some("Customer accounts"), Some("operational"))]
    );
    assert_eq!(summary["components"][0]["updated_at"], "2026-11-29T10:20:00Z");
    let open = &summary["incidents"];
    assert_eq!((open.as_array().unwrap().len(), open[0]["status"].as_str()), (1, Some("identified")));
    assert_eq!(open[0]["incident_updates"][0]["body"], "Payments by card and by wallet fail.");
    assert_eq!(open[0]["shortlink"], "https://status.example.net/incidents/3f9a1c");
    assert_eq!(open[0]["components"][0]["id"], summary["components"][0]["id"]);
    let changed = &open[0]["incident_updates"][1]["affected_components"][0];
    assert_eq!(
        (&changed["old_status"], &changed["new_status"]),
        (&"degraded_performance".into(), &"partial_outage".into())
    );
    let all = json(&files, "/api/v2/incidents.json");
    assert_eq!(
        (all["incidents"][1]["status"].as_str(), all["incidents"][1]["resolved_at"].as_str()),
        (Some("resolved"), Some("2026-11-29T07:00:00Z"))
    );
    assert_eq!(json(&files, "/api/v2/incidents/unresolved.json")["incidents"], *open);
    assert_eq!(json(&files, "/api/v2/components.json")["components"], summary["components"]);
    assert_eq!(json(&files, "/api/v2/status.json")["status"], summary["status"]);
    let planned = json(&files, "/api/v2/scheduled-maintenances.json");
    assert_eq!(planned["scheduled_maintenances"][0]["status"], "scheduled");
    assert_eq!(planned["scheduled_maintenances"], summary["scheduled_maintenances"]);
    let mut later = house();
    later.made_at = at("22:30");
    let files = write(&later, false, None).unwrap();
    assert_eq!(
        json(&files, "/api/v2/scheduled-maintenances/active.json")["scheduled_maintenances"][0]["status"],
        "in_progress"
    );
    assert_eq!(json(&files, "/status.json")["components"][1]["status"], "under_maintenance");
}

#[test]
fn the_same_gives_the_same_bytes_and_an_hour_alone_changes_few() {
    let (one, other) = (files(&house()), files(&house()));
    let tags = |files: &Files| {
        files.all().map(|(path, file)| (path.to_owned(), file.tag.clone())).collect::<Vec<_>>()
    };
    assert_eq!(tags(&one), tags(&other));
    let mut later = house();
    later.made_at = at("10:44");
    let later = write(&later, false, Some(&one)).unwrap();
    for (path, file) in later.all() {
        let before = one.get(path).unwrap();
        let changed = file.bytes != before.bytes;
        assert_eq!(changed, path == "/" || path == "/status.json" || path.starts_with("/api/"), "{path}");
        assert_eq!(changed, file.modified != before.modified, "{path}");
    }
}

#[test]
fn a_page_below_another_path_links_below_it() {
    let mut shown = house();
    shown.url = Some("https://www.example.net/status".into());
    let page = text(&files(&shown), "/incidents/3f9a1c");
    assert!(
        page.contains("href=\"/status/history\"") || page.contains("href=\"&#x2f;status/history\""),
        "{page}"
    );
    assert!(
        page.contains("https:&#x2f;&#x2f;www.example.net&#x2f;status&#x2f;incidents&#x2f;3f9a1c"),
        "{page}"
    );
    shown.url = None;
    let files = files(&shown);
    let page = text(&files, "/");
    assert!(page.contains("href=\"/history\"") && !page.contains("canonical"), "{page}");
    let feed = json(&files, "/feed.json");
    assert!(feed["items"][0].get("url").is_none() && feed.get("feed_url").is_none());
}

#[test]
fn what_was_packed_is_unpacked_as_it_was() {
    let files = files(&house());
    let again = Files::unpack(&files.pack().unwrap()).unwrap();
    for (path, file) in files.all() {
        let other = again.get(path).unwrap();
        assert_eq!(
            (&file.bytes, &file.policy, &file.tag, &file.content_type),
            (&other.bytes, &other.policy, &other.tag, &other.content_type)
        );
    }
    assert_eq!(again.made_at().as_second(), files.made_at().as_second());
    assert!(again.key_of("42-1").is_none());
    assert!(Files::unpack(b"{}").is_none() && Files::unpack(b"").is_none());
}

#[test]
fn the_looks_are_allowed_and_nothing_else_is() {
    let files = files(&house());
    let file = files.get("/").unwrap();
    let policy = file.policy.as_ref().unwrap().to_str().unwrap();
    let page = text(&files, "/");
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = crate::crypto::base64(&crate::crypto::sha256(style.as_bytes()));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action https://onscene.example.net; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    for thing in [
        "<script",
        "<img",
        "<iframe",
        "style=",
        "javascript:",
        "@import",
        "url(",
        " onclick",
        "http-equiv=\"refresh",
    ] {
        assert!(!page.contains(thing), "{thing} in {page}");
    }
}
