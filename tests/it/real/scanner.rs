//! The answer page in Chromium that is driven: by a human's hand, and by scanners that run what they find.
//!
//! Chromium speaks its protocol over two pipes (file descriptors 3 and 4), one JSON text after another, each with a zero
//! byte behind it. Scripts of the protocol run in spite of the page's policy, as a scanner's do.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::harness::{Daemon, HOUSE, Program, answer_link, eventually, program};
use super::incident;

pub(super) struct Browser {
    to: File,
    from: BufReader<File>,
    number: u64,
    _program: Program,
}

impl Browser {
    pub(super) fn start(profile: &Path) -> Self {
        let (to, from) = (profile.join("to"), profile.join("from"));
        for pipe in [&to, &from] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\""])
            .arg(program(&["chromium", "chromium-browser", "google-chrome"]))
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--disable-popup-blocking", "--window-size=390,844"])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.join("profile").display()))
            .arg("about:blank")
            .envs([("TO", &to), ("FROM", &from)])
            .env("HOME", profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let program = Program(child);
        // Opening waits for the other end, in this order.
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        Self { to, from, number: 0, _program: program }
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut asked = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = session {
            asked["sessionId"] = session.into();
        }
        self.to.write_all(format!("{asked}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            assert!(self.from.read_until(0, &mut bytes).unwrap() > 0, "Chromium has gone");
            let said: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).unwrap();
            if said["id"] == self.number {
                // Between two pages there is none in which a script could run.
                let is_between = said["error"]["message"].as_str().is_some_and(|why| {
                    why.contains("default execution context") || why.contains("navigated")
                });
                if method == "Runtime.evaluate" && is_between {
                    return json!({});
                }
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
        }
    }

    /// Opens a page in a tab of its own, and waits until it is there.
    pub(super) fn open(&mut self, url: &str) -> Tab<'_> {
        let target = self.ask(None, "Target.createTarget", json!({"url": url}))["targetId"].clone();
        let attached = self.ask(None, "Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let mut tab = Tab { browser: self, session };
        tab.until("document.readyState == 'complete' && !!document.querySelector('main')");
        tab
    }
}

pub(super) struct Tab<'a> {
    browser: &'a mut Browser,
    session: String,
}

impl Tab<'_> {
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }

    /// Runs a script in the page; its value.
    pub(super) fn run(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "userGesture": true});
        self.ask("Runtime.evaluate", asked)["result"]["value"].clone()
    }

    pub(super) fn until(&mut self, script: &str) {
        eventually(script, || (self.run(script) == true).then_some(()));
    }

    pub(super) fn text(&mut self) -> String {
        self.run("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// A finger on the middle of a button that is seen, found by what stands on it.
    fn touch(&mut self, words: &str) {
        let script = format!(
            "(() => {{ const b = [...document.querySelectorAll('button')].find(b => b.innerText.trim() == {}); \
             b.scrollIntoView(); const r = b.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(words)
        );
        let at = self.run(&script);
        assert!(at[0].as_f64().unwrap() > 0.0, "{words} is not seen: {at}");
        for kind in ["mousePressed", "mouseReleased"] {
            let touch = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", touch);
        }
    }

    pub(super) fn says(&mut self, words: &str) {
        eventually(&format!("the page says {words:?}"), || self.text().contains(words).then_some(()));
    }
}

/// A machine full of tests is slower than a scanner's.
const SLOW: &str = "answer_after = \"10s\"\n";

struct Paged {
    daemon: Daemon,
    token: String,
    url: String,
    owned: tempfile::TempDir,
}

impl Paged {
    fn with(answer_after: &str) -> Self {
        let daemon = Daemon::start(&HOUSE.replacen("answer_after = \"0s\"\n", answer_after, 1));
        daemon.alert("db-1", "firing");
        let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
        let url = format!("http://{}{link}", daemon.address);
        let token = daemon.token("tom");
        Self { daemon, token, url, owned: tempfile::tempdir().unwrap() }
    }

    fn browser(&self) -> Browser {
        Browser::start(self.owned.path())
    }

    fn commander(&self) -> Value {
        incident(&self.daemon, &self.token).unwrap()["commander"]["person"].clone()
    }

    fn entries(&self) -> Vec<Value> {
        let timeline = self.daemon.api(&self.token, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
        timeline.json()["entries"].as_array().unwrap().clone()
    }

    /// Nothing was decided through the link, and the timeline has so many notes of it.
    fn is_untouched(&self, notes: usize) {
        assert_eq!(self.commander(), Value::Null);
        let entries = self.entries();
        assert!(entries.iter().all(|entry| entry["route"] != "answer_link"), "{entries:?}");
        assert_eq!(entries.iter().filter(|entry| entry["kind"] == "note").count(), notes, "{entries:?}");
    }
}

#[test]
fn a_human_reads_presses_and_commands() {
    let paged = Paged::with("");
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    let shown = tab.text();
    assert!(shown.contains("Nobody has command yet") && !shown.contains("I am a program"), "{shown}");
    std::thread::sleep(Duration::from_millis(2_200));
    tab.touch("Take command");
    tab.says("You have command.");
    assert_eq!(paged.commander(), "maya");
    // Back to the page that was there before, and once more: nothing is lost, and nothing a dead end.
    tab.run("history.back()");
    tab.says("command");
    tab.until("!!document.querySelector('button.first, button')");
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn a_human_who_is_quick_presses_twice() {
    let paged = Paged::with(SLOW);
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    tab.touch("Take command");
    tab.says("Please press once more");
    paged.is_untouched(0);
    std::thread::sleep(Duration::from_millis(10_200));
    tab.touch("Take command");
    tab.says("You have command.");
    assert_eq!(paged.commander(), "maya");
}

#[test]
fn neither_keys_nor_readers_reach_what_people_do_not_see() {
    let paged = Paged::with(SLOW);
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    let hidden = "(() => { const b = document.querySelector('button[value=program]'); b.focus(); \
                  return b.getClientRects().length == 0 && document.activeElement != b \
                    && b == document.querySelector('button') && b.form == document.forms[0]; })()";
    assert_eq!(tab.run(hidden), true);
    // By keys the first that is reached is people's.
    let tab_key = |kind: &str| json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
    let mut reached = Vec::new();
    for _ in 0..6 {
        tab.ask("Input.dispatchKeyEvent", tab_key("rawKeyDown"));
        tab.ask("Input.dispatchKeyEvent", tab_key("keyUp"));
        reached.push(tab.run("document.activeElement.value || document.activeElement.tagName"));
    }
    assert!(reached.contains(&json!("take")) && !reached.contains(&json!("program")), "{reached:?}");
    let tree = tab.ask("Accessibility.getFullAXTree", json!({})).to_string();
    assert!(tree.contains("Take command") && !tree.contains("I am a program"), "{tree}");
    paged.is_untouched(0);
}

/// Presses each button in a window of its own, all in one go.
const EACH_BUTTON: &str = "[...document.querySelectorAll('button')].map((b, i) => { b.form.target = 'w' + i; \
                           b.form.requestSubmit(b); }).length";

#[test]
fn a_scanner_that_submits_every_form_at_once_decides_nothing() {
    let paged = Paged::with(SLOW);
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    // As scripts do who know of no button, then button after button, then each in a window of its own.
    assert_eq!(tab.run("[...document.forms].map(f => { f.target = '_blank'; f.submit(); }).length"), 5);
    assert_eq!(tab.run(EACH_BUTTON), 5);
    eventually("the hidden button was pressed", || {
        paged.entries().iter().any(|entry| entry["kind"] == "note").then_some(())
    });
    std::thread::sleep(Duration::from_millis(500));
    paged.is_untouched(1);
}

#[test]
fn a_scanner_that_clicks_the_button_that_people_see_and_follows_decides_nothing() {
    let paged = Paged::with(SLOW);
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    // It is sent away each time; it gives up, as scanners do.
    for _ in 0..5 {
        tab.run("document.body.dataset.seen = 1; document.querySelector('button.first').click()");
        tab.until("document.readyState == 'complete' && !document.body.dataset.seen");
        tab.says("Please press once more");
    }
    paged.is_untouched(0);
}

#[test]
fn a_scanner_that_takes_its_time_and_presses_every_button_in_turn_decides_nothing() {
    let paged = Paged::with("");
    let mut browser = paged.browser();
    let mut tab = browser.open(&paged.url);
    std::thread::sleep(Duration::from_millis(2_300));
    let press = |numbers: &str| {
        format!(
            "[...document.querySelectorAll('button')].slice({numbers}).map((b, i) => {{ b.form.target = 't' + i; \
             b.form.requestSubmit(b); }}).length"
        )
    };
    assert_eq!(tab.run(&press("0, 1")), 1);
    eventually("the hidden button was pressed", || {
        paged.entries().iter().any(|entry| entry["kind"] == "note").then_some(())
    });
    assert_eq!(tab.run(&press("1")), 4);
    std::thread::sleep(Duration::from_secs(1));
    paged.is_untouched(1);
}
