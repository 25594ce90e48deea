//! Programs that open answer links, and what they do not become: scanners by plain HTTP. A browser's are in `real/`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::harness::{
    Answer, Daemon, FORM, HOUSE, answer_link, eventually, open_page, press, press_on, request,
};

/// A machine full of tests is slower than a scanner's.
const SLOW: &str = "answer_after = \"10s\"";
/// As it is delivered.
const HASTE: &str = "answer_after = \"2s\"";

struct Paged {
    daemon: Daemon,
    link: String,
    token: String,
}

impl Paged {
    fn with(answer_after: &str) -> Self {
        let daemon = Daemon::start(&HOUSE.replacen("answer_after = \"0s\"", answer_after, 1));
        daemon.alert("db-1", "firing");
        let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
        let token = daemon.token("tom");
        Self { daemon, link, token }
    }

    fn address(&self) -> SocketAddr {
        self.daemon.address
    }

    fn timeline(&self) -> Vec<Value> {
        let entries = self.daemon.api(&self.token, "GET", "/api/v1/incidents/1/timeline", &Value::Null);
        entries.json()["entries"].as_array().unwrap().clone()
    }

    /// What people did, or seem to have done.
    fn acts(&self) -> Vec<String> {
        let entries = self.timeline().into_iter();
        let acts = entries.filter(|entry| entry["route"] == "answer_link");
        acts.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn notes(&self) -> usize {
        self.timeline().iter().filter(|entry| entry["kind"] == "note").count()
    }
}

/// Every button of a page, in order, with all that its form sends.
fn buttons(page: &str) -> Vec<String> {
    let value = |text: &str, after: &str| {
        text.split(after).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
    };
    let forms = page.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap());
    let fields = forms.map(|form| {
        let nonce = value(form, "name=\"nonce\" value=\"").unwrap();
        let term = value(form, "name=\"term\" value=\"").map(|term| format!("&term={term}"));
        let answer = value(form, "name=\"answer\" value=\"").unwrap();
        format!("nonce={nonce}&answer={answer}&text=scanned{}", term.unwrap_or_default())
    });
    fields.collect()
}

fn post(address: SocketAddr, link: &str, fields: &str) -> Answer {
    request(address, "POST", link, &[FORM], fields.as_bytes()).unwrap()
}

#[test]
fn what_fetches_links_decides_nothing() {
    let paged = Paged::with(SLOW);
    for (method, header) in [
        ("HEAD", ("Accept", "*/*")),
        ("GET", ("User-Agent", "scanner")),
        ("GET", ("Purpose", "prefetch")),
        ("GET", ("Sec-Purpose", "prefetch;prerender")),
        ("OPTIONS", ("Access-Control-Request-Method", "POST")),
    ] {
        let said = request(paged.address(), method, &paged.link, &[header], b"").unwrap();
        assert!(said.status == 200 || method == "OPTIONS", "{method}: {said:?}");
    }
    assert_eq!((paged.acts().len(), paged.notes()), (0, 0));
}

#[test]
fn what_posts_each_form_in_order_at_once_decides_nothing_and_is_told_of_once() {
    let paged = Paged::with(SLOW);
    // It comes back, as scanners do for each copy of a mail.
    for _ in 0..3 {
        let page = paged.daemon.get(&paged.link).unwrap().body;
        let found = buttons(&page);
        assert!(found.len() >= 5, "{page}");
        assert!(found[0].contains("answer=program"), "people's come later: {found:?}");
        for fields in found {
            let said = post(paged.address(), &paged.link, &fields);
            assert_eq!(said.status, 409, "{fields}: {}", said.body);
        }
    }
    assert_eq!((paged.acts().len(), paged.notes()), (0, 1), "{:?}", paged.timeline());
    assert!(paged.timeline().iter().any(|entry| {
        entry["text"].as_str().is_some_and(|text| text.contains("hidden button of the page for maya"))
    }));
    assert!(paged.daemon.verify().contains("whole"));
}

#[test]
fn what_waits_like_a_human_and_presses_every_button_decides_nothing() {
    let paged = Paged::with(HASTE);
    let found = buttons(&paged.daemon.get(&paged.link).unwrap().body);
    let human = open_page(paged.address(), &paged.link).unwrap();
    std::thread::sleep(Duration::from_millis(2_300));
    for fields in &found {
        assert_eq!(post(paged.address(), &paged.link, fields).status, 409);
    }
    assert_eq!((paged.acts().len(), paged.notes()), (0, 1));
    // The page that lay open beside it asks once more, and then takes the answer.
    let again = press_on(paged.address(), &paged.link, &human, "answer=take").unwrap();
    assert!(again.status == 409 && again.body.contains("a program that looks through mail"), "{again:?}");
    let nonce = super::harness::nonce(&again.body).unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(1_100));
    let taken = press_on(paged.address(), &paged.link, &nonce, "answer=take").unwrap();
    assert!(taken.body.contains("You have command."), "{}", taken.body);
}

#[test]
fn what_follows_each_page_and_presses_the_first_thing_people_see_at_once_does_not_command() {
    let paged = Paged::with(SLOW);
    let mut page = paged.daemon.get(&paged.link).unwrap().body;
    let began = Instant::now();
    for _ in 0..8 {
        let fields = buttons(&page).into_iter().find(|fields| fields.contains("answer=take")).unwrap();
        let said = post(paged.address(), &paged.link, &fields);
        assert_eq!(said.status, 409, "after {:?}: {}", began.elapsed(), said.body);
        assert!(said.body.contains("Please press once more"), "{}", said.body);
        page = said.body;
        std::thread::sleep(Duration::from_millis(50));
    }
    // By plain HTTP without a form at all, and with what it had of another page.
    for fields in ["answer=take", "answer=take&nonce=", "answer=take&nonce=f.1.0", "", "nonce=x"] {
        assert_ne!(post(paged.address(), &paged.link, fields).status, 200, "{fields}");
    }
    assert!(paged.acts().is_empty(), "{:?}", paged.timeline());
}

#[test]
fn one_request_is_one_answer() {
    let paged = Paged::with("answer_after = \"0s\"");
    let nonce = open_page(paged.address(), &paged.link).unwrap();
    for fields in ["answer=take&answer=decline", "answer=take&answer=take", "answer=&answer=take"] {
        let said = press_on(paged.address(), &paged.link, &nonce, fields).unwrap();
        assert!(said.status == 400 && said.body.contains("no answer this page knows"), "{said:?}");
    }
    let fields = format!("answer=take&nonce=x&nonce={nonce}");
    assert_eq!(post(paged.address(), &paged.link, &fields).status, 400);
    assert!(paged.acts().is_empty());
    assert_eq!(press(paged.address(), &paged.link, "answer=decline").unwrap().status, 200);
    assert_eq!(paged.acts(), ["declined"]);
}

#[test]
fn a_human_in_the_window_of_a_webmail_gets_through_and_another_site_has_no_word_of_the_page() {
    let paged = Paged::with("answer_after = \"0s\"");
    let nonce = open_page(paged.address(), &paged.link).unwrap();
    let with = |fields: &str| {
        let headers = [FORM, ("Sec-Fetch-Site", "cross-site"), ("Origin", "null")];
        request(paged.address(), "POST", &paged.link, &headers, fields.as_bytes()).unwrap()
    };
    let foreign = with("answer=take");
    assert!(foreign.status == 409 && foreign.body.contains("Please press once more"), "{foreign:?}");
    assert!(paged.acts().is_empty());
    assert!(with(&format!("answer=take&nonce={nonce}")).body.contains("You have command."));
}

#[test]
fn a_link_is_one_persons_and_its_pages_answer_no_other_link() {
    let paged = Paged::with("answer_after = \"0s\"");
    assert_eq!(press(paged.address(), &paged.link, "answer=decline").unwrap().status, 200);
    let toms = answer_link(&paged.daemon.mail_to("tom@example.net", "X-Page-Attempt: 1"));
    assert_ne!(toms, paged.link);
    let mayas_page = open_page(paged.address(), &paged.link).unwrap();
    let crossed = press_on(paged.address(), &toms, &mayas_page, "answer=take").unwrap();
    assert!(crossed.status == 409 && crossed.body.contains("Please press once more"), "{crossed:?}");
    let taken = press(paged.address(), &toms, "answer=take&person=maya").unwrap();
    assert!(taken.body.contains("You have command."), "{}", taken.body);
    let shown = paged.daemon.api(&paged.token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(shown["commander"]["person"], "tom");
}

#[test]
fn a_human_who_is_quick_keeps_what_they_wrote_and_presses_twice() {
    let paged = Paged::with(HASTE);
    let early = press(paged.address(), &paged.link, "answer=note&text=db+%3Cthree%3E+first").unwrap();
    assert!(early.status == 409 && early.body.contains("Please press once more"), "{early:?}");
    assert!(early.body.contains(">db &lt;three&gt; first</textarea>"), "{}", early.body);
    assert!(early.body.contains("after 2 seconds"), "{}", early.body);
    let nonce = super::harness::nonce(&early.body).unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(1_010));
    let sooner = press_on(paged.address(), &paged.link, &nonce, "answer=take").unwrap();
    assert!(sooner.status == 409 && sooner.body.contains("after 2 seconds"), "{sooner:?}");
    let nonce = super::harness::nonce(&sooner.body).unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(2_050));
    let taken = press_on(paged.address(), &paged.link, &nonce, "answer=take").unwrap();
    assert!(taken.status == 200 && taken.body.contains("You have command."), "{}", taken.body);
    // What comes of an answer is acted on at once; the way back leads to a page that counts, too.
    let known = super::harness::nonce(&taken.body).unwrap().to_owned();
    assert!(press_on(paged.address(), &paged.link, &known, "answer=check-in").unwrap().status == 200);
    assert!(press_on(paged.address(), &paged.link, &nonce, "answer=help").unwrap().status == 200);
    let repeated = press_on(paged.address(), &paged.link, &nonce, "answer=take").unwrap();
    assert!(repeated.body.contains("You have command already."), "{}", repeated.body);
}

#[test]
fn the_key_of_the_pages_outlives_a_restart_and_stands_in_no_log() {
    let mut paged = Paged::with("answer_after = \"0s\"");
    let nonce = open_page(paged.address(), &paged.link).unwrap();
    assert_eq!(paged.daemon.stop(), Some(0));
    paged.daemon.go();
    let taken = press_on(paged.address(), &paged.link, &nonce, "answer=take").unwrap();
    assert!(taken.body.contains("You have command."), "{}", taken.body);
    let mut store = paged.daemon.store();
    let key = store
        .read(jiff::Timestamp::UNIX_EPOCH, onscene::store::tokens::answer_key)
        .map(|key| secrecy::ExposeSecret::expose_secret(&key).to_owned())
        .unwrap();
    assert_eq!(key.len(), 32);
    let log = eventually("the log", || Some(paged.daemon.log()).filter(|log| !log.is_empty()));
    assert!(!log.contains(&key) && !log.contains(&nonce), "{log}");
}
