//! `kill -9` under load, in a loop, of the real binary.
//!
//! After every kill: each alert that was answered with 2xx is in the store, with its last word; nothing is there that
//! nobody sent; every timeline is whole. In the end every incident has woken its person, and by one page, not by two.
//! The same for answers: who was told "You have command" has it, and there is never a second Commander.
//!
//! 20 cycles; `ONSCENE_KILL_CYCLES` asks for more, `ONSCENE_KILL_SEED` for the moments of an earlier run (the load has
//! its own timing, so they are near and not the same).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::harness::{
    Answer, Daemon, Dice, HOUSE, answer_link, eventually, open_page, press, press_on, request,
};

const CYCLES: u64 = 20;
const THREADS: u64 = 8;
/// New alerts, and so incidents, of one thread in one cycle: each of them is a mail.
const NEW_MAX: u64 = 5;
/// Alerts that all threads send.
const COMMON: u64 = 4;
/// The kill comes this many milliseconds after the load.
const KILL_MS: (u64, u64) = (5, 500);
/// A letter that was in hand when the daemon was killed is sent again after its lease of 60 s.
const LETTERS_MAX: Duration = Duration::from_secs(100);

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

fn cycles() -> u64 {
    number_of("ONSCENE_KILL_CYCLES").unwrap_or(CYCLES)
}

fn dice(what: &str) -> Dice {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let seed = number_of("ONSCENE_KILL_SEED").unwrap_or(u64::try_from(now & 0xffff_ffff).unwrap() | 1);
    eprintln!("{what}: ONSCENE_KILL_SEED={seed}");
    Dice(seed)
}

/// What became of the alerts of one key, as their sender knows it.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// Posted.
    tried: i64,
    /// Answered with 2xx.
    accepted: i64,
    /// What the last accepted one said.
    status: &'static str,
    /// What was posted after that without an answer: any of it may be on disk.
    unanswered: Vec<&'static str>,
    /// Incidents that were told.
    incidents: BTreeSet<i64>,
}

type Book = BTreeMap<String, Sent>;

fn alert(address: SocketAddr, key: &str, status: &str) -> Option<Answer> {
    let body = json!({"key": key, "status": status, "title": format!("{key} is down")}).to_string();
    let json = [("Content-Type", "application/json")];
    request(address, "POST", "/in/scripts/test-token-of-scripts", &json, body.as_bytes())
}

/// Posts until nobody answers any more.
fn load(address: SocketAddr, thread: u64, cycle: u64, book: &mut Book, dice: &mut Dice, stop: &AtomicBool) {
    let mut opened = 0;
    while !stop.load(Ordering::Acquire) {
        let old: Vec<&String> = book.keys().filter(|key| !key.starts_with("common")).collect();
        let (key, status) = match dice.throw(0, 10) {
            0..=1 if opened < NEW_MAX => {
                opened += 1;
                (format!("thread-{thread}-{cycle}-{opened}"), "firing")
            }
            2 => (format!("common-{}", dice.throw(0, COMMON)), "firing"),
            _ if old.is_empty() => continue,
            choice => {
                let key = old[usize::try_from(dice.throw(0, old.len() as u64)).unwrap()].clone();
                (key, if choice < 6 { "resolved" } else { "firing" })
            }
        };
        let sent = book.entry(key.clone()).or_default();
        sent.tried += 1;
        let Some(answer) = alert(address, &key, status) else {
            sent.unanswered.push(status);
            return;
        };
        assert_eq!(answer.status, 202, "{answer:?}");
        sent.accepted += 1;
        sent.status = status;
        sent.unanswered.clear();
        // The end of the answer may be cut off; its beginning is a promise.
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        sent.incidents.extend(told["results"][0]["incident"].as_i64());
    }
}

/// Every alert that was accepted is there, and nothing that nobody sent.
fn compare(daemon: &Daemon, books: &[Book], cycle: u64) {
    let mut store = daemon.store();
    let kept: BTreeMap<String, (String, i64, Option<i64>)> = store
        .read(Timestamp::UNIX_EPOCH, |tx| {
            tx.query("select key, status, count, incident from alert join alert_heard on alert = id where source = 'scripts'", &[], |row| {
                Ok((row.text(0)?, (row.text(1)?, row.int(2)?, row.int_or_null(3)?)))
            })
        })
        .unwrap()
        .into_iter()
        .collect();
    let mut common: Book = Book::new();
    for (key, sent) in books.iter().flatten() {
        let all = common.entry(key.clone()).or_default();
        all.tried += sent.tried;
        all.accepted += sent.accepted;
        all.incidents.extend(&sent.incidents);
        if key.starts_with("common") {
            all.status = "firing";
        } else {
            all.status = sent.status;
            all.unanswered.clone_from(&sent.unanswered);
        }
    }
    for (key, sent) in &common {
        let Some((status, count, incident)) = kept.get(key) else {
            assert_eq!(sent.accepted, 0, "cycle {cycle}: {key} was accepted and is lost: {sent:?}");
            continue;
        };
        assert!(
            (sent.accepted..=sent.tried).contains(count),
            "cycle {cycle}: {key} is there {count} times: {sent:?}"
        );
        assert!(
            status == sent.status || sent.unanswered.contains(&status.as_str()),
            "cycle {cycle}: {key} is {status}: {sent:?}"
        );
        assert!(sent.incidents.len() <= 1, "cycle {cycle}: {key} has several incidents: {sent:?}");
        if let Some(told) = sent.incidents.first() {
            assert_eq!(Some(*told), *incident, "cycle {cycle}: {key}: {sent:?}");
        }
    }
    for key in kept.keys() {
        assert!(common.contains_key(key), "cycle {cycle}: nobody sent {key}");
    }
}

/// Who was woken by what: `(incident, person, attempt)` and the pages' Message-IDs.
fn pages(daemon: &Daemon) -> BTreeMap<(i64, String, String), BTreeSet<String>> {
    let mut pages: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for mail in daemon.mails().into_values() {
        let header = |name: &str| {
            mail.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).unwrap_or_default()
        };
        let attempt = header("X-Page-Attempt:");
        if !attempt.is_empty() {
            let incident = header("X-Incident-Id:").parse().unwrap();
            pages.entry((incident, header("To:"), attempt)).or_default().insert(header("Message-ID:"));
        }
    }
    pages
}

fn figures(daemon: &Daemon, sql: &str) -> Vec<i64> {
    let mut store = daemon.store();
    store.read(Timestamp::UNIX_EPOCH, |tx| tx.query(sql, &[], |row| row.int(0))).unwrap()
}

#[test]
fn what_was_accepted_survives_kill_9_and_nobody_is_left_unwoken() {
    let mut dice = dice("kill -9 under load");
    let mut daemon = Daemon::start(&format!("{HOUSE}\n[incidents]\nself_clear_after = \"20h\"\n"));
    let mut books = vec![Book::new(); usize::try_from(THREADS).unwrap()];
    for cycle in 1..=cycles() {
        let address = daemon.address;
        let stop = AtomicBool::new(false);
        let after = Duration::from_millis(dice.throw(KILL_MS.0, KILL_MS.1));
        std::thread::scope(|scope| {
            for (thread, book) in (0..).zip(&mut books) {
                let mut dice = Dice(dice.throw(1, u64::MAX));
                let stop = &stop;
                scope.spawn(move || load(address, thread, cycle, book, &mut dice, stop));
            }
            std::thread::sleep(after);
            daemon.kill();
            stop.store(true, Ordering::Release);
        });
        if dice.throw(0, 4) == 0 {
            // Again in the middle of starting.
            daemon.launch(&[]);
            std::thread::sleep(Duration::from_millis(dice.throw(0, 60)));
            daemon.kill();
        }
        compare(&daemon, &books, cycle);
        daemon.verify();
        daemon.go();
        assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    }
    let until = Instant::now() + LETTERS_MAX;
    let waiting = "select count(*) from letter where state in ('pending', 'sending')";
    while figures(&daemon, waiting) != [0] {
        assert!(Instant::now() < until, "{:?} letters are still not sent", figures(&daemon, waiting));
        std::thread::sleep(Duration::from_millis(200));
    }
    compare(&daemon, &books, 0);
    let incidents = figures(&daemon, "select id from incident order by id");
    assert!((1..).zip(&incidents).all(|(number, id)| number == *id), "a number is missing");
    let pages = pages(&daemon);
    for incident in &incidents {
        let page = (*incident, "maya@example.net".to_owned(), "1".to_owned());
        assert!(pages.contains_key(&page), "nobody was woken for INC-{incident}");
    }
    for (page, ids) in &pages {
        assert_eq!(ids.len(), 1, "{page:?} was sent as different pages");
        assert!(incidents.contains(&page.0), "{page:?} is for an incident that is not there");
    }
    assert!(daemon.verify().contains("whole"));
    assert!(!daemon.log().to_lowercase().contains("panic"), "{}", daemon.log());
    let accepted: i64 = books.iter().flat_map(Book::values).map(|sent| sent.accepted).sum();
    let tried: i64 = books.iter().flat_map(Book::values).map(|sent| sent.tried).sum();
    let again = figures(&daemon, "select count(*) from letter where attempts > 1");
    eprintln!(
        "{} kills: {accepted} of {tried} alerts accepted, none lost; {} incidents, {} pages, {} letters sent again",
        cycles(),
        incidents.len(),
        pages.len(),
        again[0]
    );
}

#[test]
fn who_was_told_you_have_command_has_it_after_kill_9() {
    let mut dice = dice("kill -9 while people answer");
    let both = HOUSE.replace("page = [\"rotation:sre\"]", "page = [\"person:maya\", \"person:tom\"]");
    let mut daemon = Daemon::start(&both);
    let token = daemon.token("maya");
    let people = ["maya", "tom"];
    let (mut told, mut silent, mut lost) = (0, 0, 0);
    for cycle in 1..=cycles() {
        let opened = daemon.alert(&format!("key-{cycle}"), "firing").json();
        let incident = opened["results"][0]["incident"].as_i64().unwrap();
        let subject = format!("Subject: [INC-{incident}] ");
        let links = people.map(|name| answer_link(&daemon.mail_to(&format!("{name}@example.net"), &subject)));
        let address = daemon.address;
        let pages = links.each_ref().map(|link| (link, open_page(address, link).unwrap()));
        let after = Duration::from_micros(dice.throw(0, 8_000));
        let answers = std::thread::scope(|scope| {
            let asked = pages
                .each_ref()
                .map(|(link, page)| scope.spawn(move || press_on(address, link, page, "answer=take")));
            std::thread::sleep(after);
            daemon.kill();
            asked.map(|one| one.join().unwrap().map_or(String::new(), |answer| answer.body))
        });
        daemon.verify();
        daemon.go();
        let path = format!("/api/v1/incidents/{incident}");
        let shown = daemon.api(&token, "GET", &path, &Value::Null).json();
        let commander = shown["commander"]["person"].as_str().unwrap_or_default().to_owned();
        let has = |body: &String| body.contains("You have command. Everybody who was paged is told.");
        assert!(
            answers.iter().filter(|body| has(body)).count() <= 1,
            "cycle {cycle}: two Commanders: {answers:?}"
        );
        for (person, body) in people.iter().zip(&answers) {
            if has(body) {
                assert_eq!(
                    (commander.as_str(), &shown["commander"]["term"]),
                    (*person, &json!(1)),
                    "{shown}"
                );
            }
            if body.contains("was faster and has command") {
                assert!(!commander.is_empty() && commander != *person, "cycle {cycle}: {shown}");
            }
        }
        match (commander.is_empty(), answers.iter().any(has)) {
            (true, _) => lost += 1,
            (false, true) => told += 1,
            (false, false) => silent += 1,
        }
        assert_eq!(
            shown["state"],
            if commander.is_empty() { "triggered" } else { "acknowledged" },
            "{shown}"
        );
        // Both press again, as the browser's error page tells them: there is one Commander, the same as before.
        for link in &links {
            eventually("the answer is taken", || {
                press(address, link, "answer=take").filter(|answer| answer.status < 500)
            });
        }
        let after = daemon.api(&token, "GET", &path, &Value::Null).json();
        let expected = if commander.is_empty() { "maya" } else { commander.as_str() };
        assert_eq!(
            (&after["commander"]["person"], &after["commander"]["term"]),
            (&json!(expected), &json!(1))
        );
    }
    assert!(daemon.verify().contains("whole"));
    assert!(!daemon.log().to_lowercase().contains("panic"), "{}", daemon.log());
    eprintln!(
        "{} kills: {told} Commanders were told, {silent} were on disk and not told, {lost} answers were not taken",
        cycles()
    );
}
