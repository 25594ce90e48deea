//! Command on the page of an incident, by two people with a telephone each, from the page that woke one of them to the end;
//! with scripts and without, through crashes. axe looks at every state of it, in light and in dark.
//!
//! `ONSCENE_TEST_PICTURES` names a directory for pictures of what they saw.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::harness::{Daemon, HOUSE, answer_link, eventually, request};
use super::of_project;
use super::scanner::{Browser, Tab};

/// The usual house, with the clocks of a new configuration.
pub(super) fn house() -> String {
    let (before, rest) = HOUSE.split_once("[command]\n").unwrap();
    let (_, after) = rest.split_once("[storm]\n").unwrap();
    format!("{before}[storm]\n{after}")
}

/// A browser of somebody who holds a telephone.
pub(super) struct Telephone<'a> {
    pub(super) tab: Tab<'a>,
    home: String,
    who: &'static str,
    scripts: bool,
}

impl<'a> Telephone<'a> {
    pub(super) fn new(browser: &'a mut Browser, daemon: &Daemon, who: &'static str, scripts: bool) -> Self {
        let home = format!("http://{}", daemon.address);
        let mut tab = browser.open(&format!("{home}/login"));
        let size = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        tab.ask("Emulation.setDeviceMetricsOverride", size);
        if !scripts {
            tab.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        }
        Self { tab, home, who, scripts }
    }

    pub(super) fn logs_in(&mut self, daemon: &Daemon, token: &str) {
        self.takes(&daemon.cookie(token));
    }

    /// Has this cookie from now on.
    pub(super) fn takes(&mut self, cookie: &str) {
        let (name, value) = cookie.split_once('=').unwrap();
        let home = &self.home;
        let cookie = json!({"name": name, "value": value, "url": home, "httpOnly": true, "sameSite": "Lax"});
        assert_eq!(self.tab.ask("Network.setCookie", cookie)["success"], true);
    }

    pub(super) fn goes(&mut self, path: &str) {
        self.leaves(|telephone| {
            let url = format!("{}{path}", telephone.home);
            telephone.tab.ask("Page.navigate", json!({"url": url}));
        });
    }

    /// Does what leads to another page, and waits until that is there.
    fn leaves(&mut self, does: impl FnOnce(&mut Self)) {
        self.tab.run("document.body.dataset.seen = 1");
        does(self);
        self.tab.until("document.readyState == 'complete' && !document.body.dataset.seen && !!document.querySelector('main')");
    }

    /// A finger on the first that is seen of what a selector finds.
    pub(super) fn touches(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const found = [...document.querySelectorAll({})].find(one => one.getClientRects().length); \
             if (!found) return null; found.scrollIntoView({{block: 'center'}}); const r = found.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        );
        let at = self.tab.run(&script);
        assert!(at[0].as_f64().is_some(), "{} does not see {selector}: {}", self.who, self.tab.text());
        for kind in ["mousePressed", "mouseReleased"] {
            let touch = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.tab.ask("Input.dispatchMouseEvent", touch);
        }
    }

    /// Presses something that leads to a page which says something.
    pub(super) fn presses(&mut self, selector: &str, says: &str) {
        self.leaves(|telephone| telephone.touches(selector));
        self.tab.says(says);
    }

    pub(super) fn writes(&mut self, selector: &str, words: &str) {
        self.touches(selector);
        self.tab.ask("Input.insertText", json!({"text": words}));
    }

    pub(super) fn opens(&mut self, part: &str) {
        if self.tab.run(&format!("document.querySelector('#{part}').open")) != true {
            self.touches(&format!("#{part} > summary"));
        }
        self.tab.until(&format!("document.querySelector('#{part}').open"));
    }

    /// Both schemes: a picture of the first screen, nothing that axe finds, nothing wider than the telephone.
    pub(super) fn looks(&mut self, name: &str) {
        let all = self.tab.run("document.documentElement.scrollWidth");
        assert!(all.as_f64().unwrap() <= 390.0, "{name} is {all} wide");
        for scheme in ["light", "dark"] {
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            self.tab.ask("Emulation.setEmulatedMedia", features);
            self.tab.run("scrollTo(0, 0)");
            self.draws(&format!("{name}-{}-{scheme}", self.who), false);
            if self.scripts {
                self.axe(name, scheme);
            }
        }
    }

    /// A picture of the whole page with everything unfolded, where somebody wants pictures.
    pub(super) fn whole(&mut self, name: &str) {
        self.tab.run("document.querySelectorAll('details:not([open])').forEach(one => { one.open = true; one.dataset.shut = 1; })");
        for scheme in ["light", "dark"] {
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            self.tab.ask("Emulation.setEmulatedMedia", features);
            self.draws(&format!("{name}-{}-{scheme}-whole", self.who), true);
        }
        let all = self.tab.run("document.documentElement.scrollWidth");
        assert!(all.as_f64().unwrap() <= 390.0, "{name} is {all} wide");
        self.tab.run("document.querySelectorAll('details[data-shut]').forEach(one => { one.open = false; })");
    }

    fn draws(&mut self, name: &str, whole: bool) {
        draws(&mut self.tab, name, whole);
    }

    fn axe(&mut self, name: &str, scheme: &str) {
        axe(&mut self.tab, &format!("{name} of {} in {scheme}", self.who));
    }
}

/// A picture, where somebody wants to see some.
pub(super) fn draws(tab: &mut Tab<'_>, name: &str, whole: bool) {
    let Ok(place) = std::env::var("ONSCENE_TEST_PICTURES") else { return };
    let asked = json!({"captureBeyondViewport": whole});
    let png = tab.ask("Page.captureScreenshot", asked)["data"].as_str().unwrap().to_owned();
    let path = PathBuf::from(place).join(format!("{name}.png"));
    std::fs::write(path, onscene::crypto::from_base64(&png).unwrap()).unwrap();
}

/// Nothing of a page keeps anybody from using it, as far as axe finds.
pub(super) fn axe(tab: &mut Tab<'_>, of: &str) {
    let axe = of_project("target/validators/axe/node_modules/axe-core/axe.min.js");
    let axe =
        std::fs::read_to_string(&axe).unwrap_or_else(|error| panic!("{axe:?}: {error}; tests/validators"));
    tab.run(&axe);
    // What is folded away is looked at as well.
    let script = "(async () => { const shut = [...document.querySelectorAll('details:not([open])')]; \
                      shut.forEach(one => one.open = true); const found = await axe.run(document, {runOnly: ['wcag2a', \
                      'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}); shut.forEach(one => one.open = false); \
                      return {passed: found.passes.length, found: found.violations.map(v => v.id + ': ' + v.help + ' ' + \
                      v.nodes.map(n => n.html).join(' | '))}; })()";
    let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
    let said = tab.ask("Runtime.evaluate", asked)["result"]["value"].clone();
    assert!(said["passed"].as_u64().unwrap_or(0) > 10, "axe looked at nothing: {said}");
    assert_eq!(said["found"], json!([]), "{of}");
}

fn story(scripts: bool) {
    let mut daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    let (of_tom, owned) = (daemon.token("tom"), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let mut browsers = [Browser::start(owned[0].path()), Browser::start(owned[1].path())];
    let [first, second] = &mut browsers;
    let mut maya = Telephone::new(first, &daemon, "maya", scripts);
    let mut tom = Telephone::new(second, &daemon, "tom", scripts);
    tom.logs_in(&daemon, &of_tom);
    tom.goes("/incidents/1");
    tom.looks("01-nobody");

    // From the page that woke her, logged in by having answered it.
    maya.goes("/incidents/1");
    assert!(maya.tab.text().contains("Log in"), "{}", maya.tab.text());
    maya.goes(&link);
    maya.presses("button[value=take]", "You have command.");
    maya.looks("02-answered");
    maya.presses("a.button", "You have command since");
    maya.looks("03-taken");
    maya.presses(".step button", "You are on scene.");
    maya.looks("04-size-up");
    maya.writes("#now", "all orders fail since 02:00");
    maya.presses(".step button", "It is on the timeline.");
    maya.looks("05-objective");
    maya.writes("#now", "orders go through again");
    maya.presses(".step button", "It is on the timeline.");
    maya.looks("06-nothing");
    tom.goes("/incidents/1");
    tom.looks("07-asked");
    tom.presses(".step button", "The office is taken.");
    tom.looks("07-come");
    tom.presses(".step button", "You are on scene.");

    daemon.kill();
    daemon.go();
    maya.goes("/incidents/1");
    assert!(maya.tab.text().contains("You have command since"), "{}", maya.tab.text());
    maya.opens("board");
    maya.tab.says("orders go through again");
    maya.opens("changes");
    maya.writes("#act-what", "switch to the standby");
    maya.writes("#act-where", "db-2");
    maya.writes("#act-undo", "switch back");
    maya.presses("#changes form[action$='/act'] button", "Everybody can see what you are changing.");
    maya.looks("08-change");

    // Two acts to hand over.
    maya.opens("command");
    maya.tab.run("document.querySelector('#offer-to').value = 'tom'");
    maya.presses("#command form[action$='/offer'] button", "It is offered.");
    maya.looks("09-offered");
    daemon.kill();
    daemon.go();
    // Two to accept; what happened meanwhile has to be read.
    tom.goes("/incidents/1");
    tom.looks("10-is-offered");
    tom.presses(".step a.button", "Brief of INC-1");
    tom.tab.says("switch to the standby");
    tom.looks("11-brief");
    maya.goes("/incidents/1");
    maya.presses(".step button", "It is on the timeline.");
    tom.presses("form[action$='/accept'] button", "the situation has moved since you read the brief");
    tom.looks("12-moved");
    tom.presses("form[action$='/accept'] button", "You have command. Everybody on the incident is told.");
    tom.looks("13-accepted");

    // Of an old page nothing is done, and nothing lost.
    maya.opens("board");
    maya.writes("#plan-text", "a plan of the one before");
    maya.presses("#board form[action$='/plan'] button", "Tom Berg has command now (term 2)");
    maya.tab.until("document.querySelector('#kept').value == 'a plan of the one before'");
    maya.looks("14-stale");
    maya.presses(".step button", "It is on the timeline.");

    // The Commander stops everything, and lets it go on.
    tom.opens("changes");
    tom.writes("#stop-reason", "the standby lags");
    tom.presses("#changes form[action$='/stop'] button", "STOP stands.");
    tom.looks("15-stop");
    maya.goes("/incidents/1");
    maya.looks("16-stop-seen");
    maya.tab.says("STOP: change nothing");
    tom.writes("#now", "it has caught up");
    tom.presses(".step button", "The STOP is lifted.");

    daemon.alert("db-1", "resolved");
    daemon.kill();
    daemon.go();
    tom.goes("/incidents/1");
    tom.looks("17-recovered");
    tom.touches(".step a.button");
    tom.tab.run("document.querySelector('#mitigate-did').selectedIndex = 1");
    tom.presses("#mitigate button", "The harm has stopped. The channels are told");
    tom.looks("18-watch");
    tom.opens("resolve");
    tom.presses("#resolve form button", "say below why it is over before");
    tom.looks("19-watched");
    tom.writes("#resolve-early", "seen from outside, all is well");
    tom.presses("#resolve form:nth-of-type(2) button", "It is over.");
    tom.looks("20-over");

    let state = daemon.api(&of_tom, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!((&state["state"], &state["resolution"]), (&json!("resolved"), &json!("restored")));
    let timeline = daemon.api(&of_tom, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
    let by_page = timeline["entries"].as_array().unwrap().iter().filter(|entry| entry["route"] == "page");
    assert!(by_page.count() > 10, "{timeline}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn two_people_command_by_their_telephones() {
    story(true);
}

#[test]
fn two_people_command_by_their_telephones_without_scripts() {
    story(false);
}

#[test]
fn the_hours_of_the_page_go_on_after_a_crash() {
    let mut daemon = Daemon::start(&house());
    daemon.alert("db-1", "firing");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    daemon.press(&link, "answer=check-in");
    let token = daemon.token("maya");
    let limit = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
    let task = json!({"person": "maya", "what": "look at lb1", "limit": limit, "term": 1});
    let given = daemon.api(&token, "POST", "/api/v1/incidents/1/task", &task);
    assert_eq!(given.status, 200, "{given:?}");
    daemon.kill();
    daemon.go();
    eventually("it is said that the task is late", || {
        let timeline = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).json();
        timeline["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["kind"] == "task_overdue")
            .then_some(())
    });
    let cookie = daemon.cookie(&token);
    let page = request(daemon.address, "GET", "/incidents/1", &[("Cookie", &cookie)], b"").unwrap();
    assert!(page.body.contains("task 1 is not done in its time"), "{}", page.body);
    assert!(daemon.verify().contains("whole"));
}
