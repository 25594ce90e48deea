//! A node that is cut off from its shared store: it hears all the same, holds what it heard, tells people, and gives
//! everything to the store when that is back.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{
    Answer, Daemon, HOUSE, answer_link, eventually, on_shared_store, open_page, press_on, program,
};
use super::way::{CUTS, Far, PASSES, STALLS, Way};

/// A daemon whose way to the store can be cut.
pub fn behind_a_way(more: &str) -> (Daemon, Way) {
    let config = on_shared_store(&format!("{HOUSE}\n{more}"));
    let line = config.lines().find(|line| line.starts_with("url = \"postgres:")).unwrap().to_owned();
    let (database, rest) = line.trim_start_matches("url = \"postgres:///").split_once("?host=").unwrap();
    let socket = rest.split('&').next().unwrap();
    let way = Way::to(Far::Socket(format!("{socket}/.s.PGSQL.5432").into()));
    let url = format!("url = \"postgres://onscene@{}/{database}\"\nspool = \"DIR/spool\"", way.address);
    (Daemon::prepare(&config.replace(&line, &url)), way)
}

fn is_held(answer: &Answer) -> bool {
    answer.status == 202 && answer.json()["held"] == true && answer.json()["accepted"] == 1
}

pub fn is_away(daemon: &Daemon) {
    eventually("it is seen", || (daemon.metric("onscene_store_up") == 0.0).then_some(()));
}

pub fn is_back(daemon: &Daemon) {
    eventually("the store is back", || (daemon.metric("onscene_store_up") == 1.0).then_some(()));
    eventually("everything is taken", || (daemon.metric("onscene_spool_bytes") == 0.0).then_some(()));
}

#[test]
fn what_is_heard_while_the_store_is_away_is_held_told_and_taken_in_its_order() {
    let emergency = r#"
[emergency]
after = "10s"
page = ["person:tom"]
[incidents]
meet = ["rooms", "video"]
[[meeting]]
name = "rooms"
url = "https://rooms.example.net/{incident}"
[[meeting]]
name = "video"
url = "https://video.example.net/sre"
dial_in = "+47 22 00 00 00, pin 1234#"
"#;
    let (mut daemon, way) = behind_a_way(emergency);
    daemon.go();
    assert_eq!(daemon.alert("before", "firing").json()["results"][0]["outcome"], "opened");
    daemon.mail_to("maya@example.net", "before is down");
    way.is(CUTS);
    is_away(&daemon);
    for n in 0..20 {
        assert!(is_held(&daemon.alert(&format!("fires-{n}"), "firing")));
    }
    for n in 0..10 {
        assert!(is_held(&daemon.alert(&format!("fires-{n}"), "resolved")));
    }
    assert!(is_held(&daemon.alert("before", "resolved")));
    let unreadable = daemon.post("/in/scripts/test-token-of-scripts", b"{");
    assert!(unreadable.status == 400 && unreadable.body.contains("held on this machine"), "{unreadable:?}");
    // It goes on hearing, so those who look whether it can are told that it can.
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    assert!(daemon.metric("onscene_spool_bytes") > 0.0);
    assert_eq!(daemon.metric("onscene_spooled_total"), 32.0);
    let mail = daemon.mail_to("tom@example.net", "cannot write to its store");
    assert!(mail.contains("32 deliveries") && mail.contains("fires-19 is down"), "{mail}");
    let mail = mail.replace("=\r\n", "").replace("=\n", "");
    // Nobody can look at a page, so it says where the others are: not in a room of an incident that has no number yet.
    assert!(mail.contains("Where to meet, for the store is away"), "{mail}");
    assert!(
        mail.contains("- https://video.example.net/sre (video; by telephone: +47 22 00 00 00, pin 1234#)"),
        "{mail}"
    );
    assert!(!mail.contains("rooms.example.net"), "{mail}");
    // Power fails in the middle of it, and the store is still away.
    daemon.kill();
    daemon.go();
    assert!(is_held(&daemon.alert("after-the-kill", "firing")));
    way.is(PASSES);
    is_back(&daemon);
    let token = daemon.token("maya");
    let ask = |path: &str| daemon.api(&token, "GET", path, &Value::Null).json();
    let open = ask("/api/v1/incidents?state=open&limit=100");
    let mut firing: Vec<String> = Vec::new();
    for incident in open["incidents"].as_array().unwrap() {
        let one = ask(&format!("/api/v1/incidents/{}", incident["id"]));
        let alerts = one["alerts"].as_array().unwrap().iter().filter(|alert| alert["status"] == "firing");
        firing.extend(alerts.map(|alert| alert["key"].as_str().unwrap().to_owned()));
    }
    firing.sort();
    let mut expected: Vec<String> = (10..20).map(|n| format!("fires-{n}")).collect();
    expected.extend(["after-the-kill".to_owned(), onscene::store::unreadable::KEY.to_owned()]);
    expected.sort();
    assert_eq!(firing, expected);
    daemon.mail_to("maya@example.net", "after-the-kill is down");
    assert_eq!(daemon.alert("later", "firing").json()["results"][0]["outcome"], "opened");
    assert!(daemon.verify().contains("whole"));
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
}

#[test]
fn a_way_that_swallows_everything_does_not_make_it_deaf() {
    let (mut daemon, way) = behind_a_way("");
    daemon.go();
    assert_eq!(daemon.alert("before", "firing").status, 202);
    way.is(STALLS);
    // The first is on its way to the store; its sender has an answer long before that is given up.
    for n in 0..6 {
        let began = std::time::Instant::now();
        let told = daemon.alert(&format!("meanwhile-{n}"), "firing");
        assert_eq!(told.status, 202, "{told:?}");
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(8), "it waited {waited:?}");
    }
    assert!(daemon.metric("onscene_spooled_total") >= 6.0);
    way.is(PASSES);
    is_back(&daemon);
    for n in 0..6 {
        daemon.mail_to("maya@example.net", &format!("meanwhile-{n} is down"));
    }
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_full_spool_says_503_and_takes_again_when_the_store_is_back() {
    let (mut daemon, way) = behind_a_way("");
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, text.replace("/spool\"", "/spool\"\nspool_max = \"1 MiB\"")).unwrap();
    daemon.go();
    way.is(CUTS);
    is_away(&daemon);
    let long = "x".repeat(30_000);
    let mut held = 0;
    loop {
        let body = json!({"key": format!("key-{held}"), "status": "firing", "body": long}).to_string();
        let told = daemon.post("/in/scripts/test-token-of-scripts", body.as_bytes());
        if told.status == 503 {
            break;
        }
        assert!(is_held(&told), "{told:?}");
        held += 1;
        assert!(held < 1000, "it never fills");
    }
    assert!(held > 10, "{held}");
    assert_eq!(daemon.get("/readyz").unwrap().status, 503);
    way.is(PASSES);
    is_back(&daemon);
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    let mut store = daemon.store();
    let count = store.read(jiff::Timestamp::UNIX_EPOCH, |tx| {
        tx.query_one("select count(*) from alert where source = 'scripts'", &[], |row| row.int(0))
    });
    assert_eq!(count.unwrap(), Some(i64::from(held)));
}

#[test]
fn a_store_that_comes_and_goes_gets_everything_once() {
    const KEYS: usize = 600;
    let (mut daemon, way) = behind_a_way("");
    daemon.go();
    way.is(CUTS);
    is_away(&daemon);
    for n in 0..KEYS {
        assert!(is_held(&daemon.alert(&format!("key-{n}"), "firing")));
    }
    for _ in 0..4 {
        way.is(PASSES);
        eventually("it is back", || (daemon.metric("onscene_store_up") == 1.0).then_some(()));
        // In the middle of giving everything over.
        std::thread::sleep(Duration::from_millis(60));
        way.is(CUTS);
        is_away(&daemon);
    }
    way.is(PASSES);
    is_back(&daemon);
    assert_eq!(daemon.metric("onscene_spooled_total") as usize, KEYS, "what was held is not held again");
    let mut store = daemon.store();
    let figures = store.read(jiff::Timestamp::UNIX_EPOCH, |tx| {
        let incidents = tx.query_one("select count(*) from incident", &[], |row| row.int(0))?;
        let alerts =
            tx.query_one("select count(*) from alert where status = 'firing'", &[], |row| row.int(0))?;
        Ok::<_, onscene::store::StoreError>((incidents, alerts))
    });
    let keys = i64::try_from(KEYS).ok();
    assert_eq!(figures.unwrap(), (keys, keys));
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_lost_answer_to_a_commit_is_told_as_not_known_and_alerts_are_held_all_the_same() {
    let (mut daemon, way) = behind_a_way("");
    daemon.go();
    assert_eq!(daemon.alert("before", "firing").json()["results"][0]["outcome"], "opened");
    let link = answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"));
    let token = daemon.token("maya");
    // Whatever has "slow" in it makes the server take its time inside the commit.
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    let url = text.lines().find_map(|line| line.strip_prefix("url = \"")).unwrap().trim_end_matches('"');
    let slow = "create function slow() returns trigger language plpgsql as $$ begin
          if new::text like '%slow%' then perform pg_sleep(3); end if; return null; end $$;
        create constraint trigger slow after insert on entry deferrable initially deferred
          for each row execute function slow();
        create constraint trigger slow after insert on alert deferrable initially deferred
          for each row execute function slow();";
    let made = std::process::Command::new(program(&["psql"])).args([url, "-q", "-c", slow]).status();
    assert!(made.is_ok_and(|made| made.success()));
    let cut_while = |work: &(dyn Fn() -> Answer + Sync)| {
        let answer = std::thread::scope(|scope| {
            let answer = scope.spawn(work);
            std::thread::sleep(Duration::from_millis(1200));
            way.is(CUTS);
            answer.join().unwrap()
        });
        // The server is at it still, and finishes.
        is_away(&daemon);
        way.is(PASSES);
        is_back(&daemon);
        eventually("what is shown is the present", || {
            let shown = daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null);
            (!shown.head.contains("onscene-as-of")).then_some(())
        });
        answer
    };
    let noted = cut_while(&|| {
        let note = json!({"text": "a slow note"});
        daemon.api(&token, "POST", "/api/v1/incidents/1/note", &note)
    });
    assert_eq!(noted.status, 503, "{noted:?}");
    assert!(noted.body.contains("look before you do it again"), "{noted:?}");
    assert!(!noted.head.to_lowercase().contains("retry-after"), "{}", noted.head);
    let page = open_page(daemon.address, &link).unwrap();
    let pressed =
        cut_while(&|| press_on(daemon.address, &link, &page, "answer=note&text=a+slow+button").unwrap());
    assert!(pressed.status == 503 && pressed.body.contains("may have been"), "{pressed:?}");
    let heard = cut_while(&|| daemon.alert("slow-1", "firing"));
    assert!(is_held(&heard), "{heard:?}");
    let shown = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).body;
    for words in ["a slow note", "a slow button"] {
        assert_eq!(shown.matches(&format!("\"text\":\"{words}\"")).count(), 2, "{words}: {shown}");
    }
    let open = daemon.api(&token, "GET", "/api/v1/incidents?q=slow-1", &Value::Null).json();
    assert_eq!(open["incidents"].as_array().unwrap().len(), 1, "{open}");
    assert!(daemon.verify().contains("whole"));
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
}
