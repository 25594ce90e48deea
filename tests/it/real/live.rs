//! The page of an incident in Chromium, while things happen: it goes on by itself, and is whole without scripts.

use serde_json::{Value, json};

use super::super::harness::{Daemon, HOUSE, eventually};
use super::scanner::{Browser, Tab};

fn with_cookie<'a>(browser: &'a mut Browser, daemon: &Daemon, token: &str) -> Tab<'a> {
    let home = format!("http://{}", daemon.address);
    let mut tab = browser.open(&format!("{home}/login"));
    let cookie = daemon.cookie(token);
    let (name, value) = cookie.split_once('=').unwrap();
    let cookie = json!({"name": name, "value": value, "url": home, "httpOnly": true, "sameSite": "Lax"});
    assert_eq!(tab.ask("Network.setCookie", cookie)["success"], true);
    tab
}

/// Goes to another page, and waits until it is there.
fn go(tab: &mut Tab<'_>, url: &str) {
    tab.run("document.body.dataset.seen = 1");
    tab.ask("Page.navigate", json!({"url": url}));
    tab.until("document.readyState == 'complete' && !document.body.dataset.seen");
}

fn act(daemon: &Daemon, token: &str, verb: &str, body: &Value) {
    let answer = daemon.api(token, "POST", &format!("/api/v1/incidents/1/{verb}"), body);
    assert_eq!(answer.status, 200, "{answer:?}");
}

const LINES: &str =
    "[...document.querySelectorAll('ol[data-follow] > li')].map(li => li.innerText).join('\\n')";
/// What leads to an entry, and to its correction.
const LINKS: &str = "[...document.querySelectorAll('ol[data-follow] > li')].map(li => [li.id, li.querySelector('time').className, \
                     ...[...li.querySelectorAll('a')].map(a => [a.getAttribute('href'), a.className, a.ariaLabel, a.innerText])])";

#[test]
fn the_page_of_an_incident_goes_on_by_itself() {
    let mut daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    daemon.alert("db-1", "firing");
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    act(&daemon, &token, "ack", &json!({}));
    let owned = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(owned.path());
    let mut tab = with_cookie(&mut browser, &daemon, &token);
    let url = format!("http://{}/incidents/1", daemon.address);
    // Letters that are still on their way change the page.
    eventually("everything is delivered", || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        go(&mut tab, &url);
        tab.says("What is new appears here by itself.");
        let before = tab.run(LINES);
        std::thread::sleep(std::time::Duration::from_millis(700));
        (tab.run(LINES) == before).then_some(())
    });
    assert!(!tab.text().contains("The page has changed"), "{}", tab.text());
    let text = "<img src=x onerror=alert(1)> & \"quotes\"";
    act(&daemon, &token, "note", &json!({"text": text}));
    tab.says(text);
    assert!(!tab.text().contains("The page has changed"), "a note changes nothing above: {}", tab.text());
    // As the page itself writes it.
    let (live, links) = (tab.run(LINES), tab.run(LINKS));
    assert!(links.to_string().contains("?correct="), "{links}");
    go(&mut tab, &url);
    assert_eq!((tab.run(LINES), tab.run(LINKS)), (live, links));
    act(&daemon, &token, "mitigate", &json!({"term": 1, "cause": "a <log> was removed"}));
    tab.says("The page has changed: reload it");
    tab.says("a <log> was removed");
    let once = "document.querySelectorAll('#changed p').length";
    assert_eq!(tab.run(once), 1);
    tab.run("document.body.dataset.seen = 1; document.querySelector('#changed a').click()");
    tab.until("document.readyState == 'complete' && !document.body.dataset.seen");
    assert!(
        !tab.text().contains("The page has changed") && tab.text().contains("mitigated"),
        "{}",
        tab.text()
    );
    // The daemon is killed and comes back: the page says so, goes on, and shows nothing twice.
    tab.says("What is new appears here by itself.");
    daemon.kill();
    tab.says("Not connected at this moment");
    daemon.go();
    act(&daemon, &token, "note", &json!({"text": "after the crash"}));
    tab.says("after the crash");
    // What was told later than it happened has both hours.
    act(&daemon, &token, "note", &json!({"text": "told later", "occurred_at": "2026-11-23T02:14:00Z"}));
    tab.says("told later");
    let lines = tab.run(LINES);
    go(&mut tab, &url);
    assert_eq!(tab.run(LINES), lines);
    let told = lines.as_str().unwrap().lines().find(|line| line.contains("told later")).unwrap();
    assert!(told.contains("2026-11-23 02:14:00 UTC (recorded 20"), "{told}");
    // Nothing on it offends its policy.
    assert_eq!(tab.run("document.querySelectorAll('script').length"), 1);
}

#[test]
fn the_page_of_an_incident_is_whole_without_scripts() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    daemon.alert("db-1", "firing");
    daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    let owned = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(owned.path());
    let mut tab = with_cookie(&mut browser, &daemon, &token);
    tab.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    tab.ask("Page.navigate", json!({"url": format!("http://{}/incidents/1", daemon.address)}));
    tab.says("db-1 is down");
    tab.says("Timeline, newest first");
    for words in ["appears here by itself", "Not connected", "The page has changed"] {
        assert!(!tab.text().contains(words), "{words}");
    }
}
