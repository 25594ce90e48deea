//! The answer page in Chromium, on a phone's width, in light and in dark.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::harness::{Daemon, HOUSE, answer_link, eventually, press, program, request};
use super::incident;

/// What Chromium makes of a page.
fn chromium(profile: &Path, arguments: &[&str], url: &str) -> Vec<u8> {
    let output = Command::new(program(&["chromium", "chromium-browser", "google-chrome"]))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=390,844"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .arg(url)
        .env("HOME", profile)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn dom(profile: &Path, url: &str) -> String {
    String::from_utf8(chromium(profile, &["--dump-dom"], url)).unwrap()
}

/// Width, height and bytes of a picture of a page.
fn picture(profile: &Path, name: &str, arguments: &[&str], url: &str) -> (u32, u32, Vec<u8>) {
    let path = profile.join(name);
    let screenshot = format!("--screenshot={}", path.display());
    chromium(profile, &[arguments, &[&screenshot]].concat(), url);
    let png = std::fs::read(path).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{name} is no PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20), png)
}

#[test]
fn the_page_of_a_phone_shows_its_buttons_and_then_who_commands() {
    let daemon = Daemon::start(
        &HOUSE.replace("page = [\"rotation:sre\"]", "page = [\"person:maya\", \"person:tom\"]"),
    );
    let owned = tempfile::tempdir().unwrap();
    let profile = owned.path();
    daemon.alert("db-1", "firing");
    let path = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    let url = format!("http://{}{path}", daemon.address);
    let token = daemon.token("tom");

    let shown = dom(profile, &url);
    for words in
        ["Take command", "Take command and call for help", "I can't", "db-1 is down", "Nobody has command"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(shown.contains("name=\"viewport\""), "{shown}");
    // Two equal ones: the page rests, and what differs after that is the colour.
    let light = eventually("the page rests", || {
        let first = picture(profile, "light.png", &[], &url);
        (first == picture(profile, "light.png", &[], &url)).then_some(first)
    });
    let dark = picture(profile, "dark.png", &["--force-dark-mode"], &url);
    for (name, (width, height, png)) in [("light", &light), ("dark", &dark)] {
        assert_eq!((*width, *height), (390, 844), "{name}");
        assert!(png.len() > 8_000, "{name} is almost empty: {} bytes", png.len());
    }
    assert_ne!(light.2, dark.2, "dark is dark");

    // All of this was looking.
    let state = || incident(&daemon, &token).unwrap();
    assert_eq!((state()["state"].as_str(), &state()["commander"]), (Some("triggered"), &Value::Null));
    let answer = press(daemon.address, &path, "answer=take").unwrap();
    assert!(answer.body.contains("You have command"), "{}", answer.body);
    let shown = dom(profile, &url);
    assert!(shown.contains("Maya Lind") && shown.contains("has command"), "{shown}");
    let tom = answer_link(&daemon.mail_to("tom@example.net", "X-Page-Attempt: 1"));
    let shown = dom(profile, &format!("http://{}{tom}", daemon.address));
    assert!(shown.contains("Maya Lind has command"), "{shown}");
    assert!(!shown.contains(">Take command<"), "{shown}");
    picture(profile, "commander.png", &[], &url);
}

#[test]
fn what_is_known_stands_on_top_of_the_page_of_a_phone() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    daemon.alert("db-1", "firing");
    let url = format!("http://{}{}", daemon.address, answer_link(&daemon.mail_to("maya@example.net", "/r/")));
    let owned = tempfile::tempdir().unwrap();
    let profile = owned.path();
    let rested = |name: &str, arguments: &[&str]| {
        eventually("the page rests", || {
            let first = picture(profile, name, arguments, &url);
            (first == picture(profile, name, arguments, &url)).then_some(first)
        })
    };
    let without = rested("without.png", &[]);
    let text = "dc2 is down for maintenance: no failover for the database";
    let said = serde_json::json!({"text": text, "services": ["shop"], "for": "4h"});
    let made = daemon.api(&token, "POST", "/api/v1/conditions", &said);
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = dom(profile, &url);
    assert!(shown.find(text).unwrap() < shown.find("<button class").unwrap(), "{shown}");
    let light = rested("known.png", &[]);
    let dark = rested("known-dark.png", &["--force-dark-mode"]);
    for (name, (width, height, png)) in [("light", &light), ("dark", &dark)] {
        assert_eq!((*width, *height), (390, 844), "{name}");
        assert!(png.len() > 8_000, "{name} is almost empty: {} bytes", png.len());
    }
    assert!(light.2 != without.2 && light.2 != dark.2);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let ended = daemon.api(&token, "POST", &format!("/api/v1/conditions/{id}/end"), &Value::Null);
    assert_eq!(ended.json()["ended_by"], "maya", "{}", ended.body);
    let shown = dom(profile, &url);
    // It is on the timeline, and nowhere above it.
    assert!(shown.find(text).unwrap() > shown.find("What happened last").unwrap(), "{shown}");
}

#[test]
fn no_page_needs_a_script_and_none_loads_anything() {
    let daemon = Daemon::start(HOUSE);
    daemon.post(
        "/in/scripts/test-token-of-scripts",
        br#"{"key":"x","status":"firing","title":"<script>document.title='taken'</script><img src=http://192.0.2.1/x>"}"#,
    );
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    let owned = tempfile::tempdir().unwrap();
    let link = answer_link(&page);
    let cookie = daemon.cookie(&daemon.token("tom"));
    for (path, status, is_shown) in [
        ("/", 200, true),
        ("/incidents/1", 200, true),
        ("/incidents/1/brief", 200, true),
        ("/statements", 200, true),
        ("/silences", 200, false),
        ("/oncall", 200, false),
        ("/r/no-such-token", 404, false),
        ("/nowhere", 404, false),
        (&link, 200, true),
    ] {
        let answer = request(daemon.address, "GET", path, &[("Cookie", cookie.as_str())], b"").unwrap();
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let body = answer.body.to_lowercase();
        // One page has one script of ours, which it does without.
        let body = body.replacen("<script src=\"/scripts/", "", usize::from(path == "/incidents/1"));
        for thing in ["<script", "<img", "<iframe", "<link", "javascript:", " onclick", " onload", "@import"]
        {
            assert!(!body.contains(thing), "{thing} in {path}: {body}");
        }
        assert_eq!(body.contains("&lt;script&gt;document"), is_shown, "{path}: {body}");
        let is_page = body.contains("<html");
        assert_eq!(is_page, path != "/nowhere", "{path}: {body}");
        if is_page {
            let policy = "content-security-policy: default-src 'none'";
            assert!(answer.head.contains(policy), "{path}: {}", answer.head);
        }
    }
    let shown = dom(owned.path(), &format!("http://{}{link}", daemon.address));
    assert!(shown.contains("&lt;script&gt;") && !shown.contains("<title>taken"), "{shown}");
}
