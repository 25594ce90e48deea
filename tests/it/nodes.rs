//! Several nodes on one PostgreSQL database: whichever hears, answers or ends, there is one incident, one page and
//! one Commander.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::harness::{
    Daemon, Ender, HOUSE, answer_link, binary, eventually, on_a_file, on_shared_store, request,
};

/// Longer than a lease.
const AFTER_A_LEASE: Duration = Duration::from_secs(75);

/// Nodes with the same configuration, each with mail files of its own.
fn nodes<const N: usize>(config: &str) -> [Daemon; N] {
    let config = on_shared_store(config);
    std::array::from_fn(|_| Daemon::start(&config))
}

/// Mails of all nodes by file name, which is that of the delivery: a letter that two nodes sent counts twice.
fn pages(nodes: &[Daemon]) -> BTreeMap<String, (String, usize)> {
    let mut all: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for (name, mail) in nodes.iter().flat_map(Daemon::mails) {
        if mail.contains("X-Page-Attempt: 1") {
            all.entry(name).or_insert_with(|| (mail, 0)).1 += 1;
        }
    }
    all
}

fn incident_of(mail: &str) -> i64 {
    let number = mail.lines().find_map(|line| line.strip_prefix("X-Incident-Id: ")).unwrap();
    number.trim().parse().unwrap()
}

#[test]
fn commands_that_work_on_the_store_log_in_with_its_password() {
    let shared = on_shared_store(HOUSE);
    let place = shared.split('"').find(|text| text.starts_with("postgres:///")).unwrap();
    let ask = |sql: &str| {
        let made = std::process::Command::new("psql").args([place, "-q", "-c", sql]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    ask("drop role if exists with_password");
    ask("create role with_password superuser login password 'test: a password'");
    let other = place.replace("user=onscene", "user=with_password");
    let with = |more: &str| shared.replace(&format!("url = {place:?}"), &format!("url = {other:?}\n{more}"));
    assert_ne!(with(""), shared);
    let without = Daemon::prepare(&with(""));
    let refused = without.command(&["token", "list"], None);
    assert!(!refused.status.success(), "the server wants no password, so this proves nothing: {refused:?}");
    let mut daemon = Daemon::prepare(&with("password_file = \"DIR/password\""));
    let file = daemon.directory.join("password");
    std::fs::write(&file, "test: a password\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    daemon.go();
    let token = daemon.token("maya");
    assert_eq!(daemon.api(&token, "GET", "/api/v1/incidents", &json!(null)).status, 200);
    assert!(daemon.verify().contains("whole"));
    assert!(daemon.command(&["replay", "--list"], None).status.success());
}

#[test]
fn an_alert_that_two_nodes_hear_at_the_same_moment_opens_one_incident_and_pages_once() {
    const KEYS: usize = 60;
    let nodes: [Daemon; 2] = nodes(HOUSE);
    let mut opened = BTreeSet::new();
    for key in 0..KEYS {
        let key = format!("db-{key}");
        let told: Vec<(String, i64)> = std::thread::scope(|scope| {
            let asked = nodes.each_ref().map(|node| scope.spawn(|| node.alert(&key, "firing").json()));
            let told = asked.map(|one| one.join().unwrap());
            told.map(|said| {
                let result = &said["results"][0];
                (result["outcome"].as_str().unwrap().to_owned(), result["incident"].as_i64().unwrap())
            })
            .to_vec()
        });
        let mut outcomes: Vec<&str> = told.iter().map(|(outcome, _)| outcome.as_str()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["opened", "repeated"], "{told:?}");
        assert_eq!(told[0].1, told[1].1);
        opened.insert(told[0].1);
    }
    assert_eq!(opened.len(), KEYS);
    let pages = eventually("everybody is paged", || Some(pages(&nodes)).filter(|pages| pages.len() == KEYS));
    assert!(pages.values().all(|(_, sent)| *sent == 1), "a letter was sent by both");
    let paged: BTreeSet<i64> = pages.values().map(|(mail, _)| incident_of(mail)).collect();
    assert_eq!(paged, opened);
    assert!(nodes[0].verify().contains("whole"));
    for node in &nodes {
        assert_eq!(node.metric("onscene_events_unaccounted"), 0.0);
    }
}

#[test]
fn two_people_who_answer_on_two_nodes_make_one_commander() {
    let config = HOUSE.replace("page = [\"rotation:sre\"]", "page = [\"person:maya\", \"person:tom\"]");
    let nodes: [Daemon; 2] = nodes(&config);
    for round in 1..=12_i64 {
        nodes[0].alert(&format!("db-{round}"), "firing");
        let link = |to: &str| {
            eventually("a page", || {
                let header = format!("To: {to}");
                let number = format!("X-Incident-Id: {round}\r");
                let mails = nodes.iter().flat_map(Daemon::mails).map(|(_, mail)| mail);
                mails.into_iter().find(|mail| mail.contains(&header) && mail.contains(&number))
            })
        };
        let links = ["maya@example.net", "tom@example.net"].map(|to| answer_link(&link(to)));
        let said: Vec<String> = std::thread::scope(|scope| {
            let asked = [0, 1].map(|n| {
                let (node, link) = (&nodes[n], &links[n]);
                scope.spawn(move || node.press(link, "answer=take").body)
            });
            asked.map(|one| one.join().unwrap()).to_vec()
        });
        let commands = said.iter().filter(|body| body.contains("You have command.")).count();
        let told = said.iter().filter(|body| body.contains("was faster and has command")).count();
        assert_eq!((commands, told), (1, 1), "round {round}: {said:?}");
    }
    assert!(nodes[1].verify().contains("whole"));
}

#[test]
fn a_node_that_is_killed_under_load_loses_nothing_and_the_others_go_on() {
    let mut nodes: [Daemon; 3] = nodes(&format!("{HOUSE}\n[incidents]\nself_clear_after = \"20h\"\n"));
    let (stop, accepted) = (AtomicBool::new(false), AtomicU64::new(0));
    let addresses = nodes.each_ref().map(|node| node.address);
    let (stop, accepted) = (&stop, &accepted);
    std::thread::scope(|scope| {
        for (n, address) in addresses.into_iter().enumerate() {
            scope.spawn(move || {
                let mut key = 0;
                while !stop.load(Ordering::Acquire) {
                    // Few new conditions, so that each is a page, and each said until it is taken.
                    let body = json!({"key": format!("node-{n}-{key}"), "status": "firing"}).to_string();
                    let answer =
                        request(address, "POST", "/in/scripts/test-token-of-scripts", &[], body.as_bytes());
                    match answer {
                        Some(answer) if answer.status == 202 => {
                            accepted.fetch_add(1, Ordering::AcqRel);
                            key += 1;
                        }
                        _ => {}
                    }
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
        }
        let _ender = Ender(stop);
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(700));
            nodes[1].kill();
            std::thread::sleep(Duration::from_millis(300));
            nodes[1].go();
        }
    });
    let accepted = usize::try_from(accepted.load(Ordering::Acquire)).unwrap();
    let mut store = nodes[0].store();
    let count = |sql: &str| {
        let mut found = 0;
        store
            .read(jiff::Timestamp::UNIX_EPOCH, |tx| {
                found = tx.query_one(sql, &[], |row| row.int(0))?.unwrap_or(0);
                Ok::<_, onscene::store::StoreError>(())
            })
            .unwrap();
        usize::try_from(found).unwrap()
    };
    let mut count = count;
    let kept = count("select count(*) from alert where source = 'scripts'");
    let incidents = count("select count(*) from incident");
    assert!(accepted > 100 && kept >= accepted && kept <= accepted + 8, "{accepted} accepted, {kept} kept");
    assert_eq!(incidents, kept, "one condition, one incident");
    // A lease of the node that was killed may have to run out first.
    let began = std::time::Instant::now();
    let pages = loop {
        let pages = pages(&nodes);
        if pages.len() == incidents {
            break pages;
        }
        assert!(began.elapsed() < AFTER_A_LEASE * 2, "{} of {incidents} paged", pages.len());
        std::thread::sleep(Duration::from_millis(200));
    };
    let again = pages.values().filter(|(_, sent)| *sent > 1).count();
    assert!(again <= 4 * 32, "{again} letters were sent again, more than a node has in hand");
    assert!(nodes[2].verify().contains("whole"));
}

#[test]
fn a_node_that_is_paused_with_letters_in_hand_wakes_nobody_twice_for_another_thing() {
    let mut nodes: [Daemon; 2] = nodes(HOUSE);
    for key in 0..20 {
        assert_eq!(nodes[0].alert(&format!("before-{key}"), "firing").status, 202);
    }
    let paused = nodes[0].program.take().unwrap();
    paused.signal("STOP");
    for key in 0..20 {
        let told = nodes[1].alert(&format!("meanwhile-{key}"), "firing");
        assert_eq!(told.status, 202, "{told:?}");
    }
    let began = std::time::Instant::now();
    while pages(&nodes).len() < 40 {
        assert!(began.elapsed() < AFTER_A_LEASE, "{} paged", pages(&nodes).len());
        std::thread::sleep(Duration::from_millis(200));
    }
    paused.signal("CONT");
    nodes[0].program = Some(paused);
    eventually("it goes on", || nodes[0].get("/readyz").filter(|answer| answer.status == 200));
    assert_eq!(nodes[0].alert("after", "firing").json()["results"][0]["outcome"], "opened");
    let all = eventually("all are paged", || Some(pages(&nodes)).filter(|pages| pages.len() == 41));
    let incidents: BTreeSet<i64> = all.values().map(|(mail, _)| incident_of(mail)).collect();
    assert_eq!(incidents.len(), 41, "one incident, one page");
    assert!(nodes[0].verify().contains("whole"));
}

#[test]
fn a_store_moves_to_a_server_and_back_with_everything_in_it() {
    let mut daemon = Daemon::start(&on_a_file(HOUSE));
    for key in 0..30 {
        assert_eq!(daemon.alert(&format!("db-{key}"), "firing").status, 202);
    }
    daemon.mail_to("maya@example.net", "db-29 is down");
    let token = daemon.token("maya");
    daemon.api(&token, "POST", "/api/v1/incidents/1/ack", &json!({}));
    let unreadable = daemon.post("/in/scripts/test-token-of-scripts", b"{");
    assert_eq!(unreadable.status, 400);
    let look = |daemon: &Daemon| {
        let ask = |path: &str| daemon.api(&token, "GET", path, &serde_json::Value::Null).json();
        (ask("/api/v1/incidents?limit=100"), ask("/api/v1/incidents/1"), ask("/api/v1/incidents/1/timeline"))
    };
    eventually("every letter is delivered", || {
        let open = daemon.store().read(jiff::Timestamp::UNIX_EPOCH, onscene::store::letters::waiting);
        open.unwrap().is_empty().then_some(())
    });
    let before = look(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    let file = text.lines().find(|line| line.starts_with("url = \"sqlite:")).unwrap().to_owned();
    let url = |line: &str| line.trim_start_matches("url = \"").trim_end_matches('"').to_owned();
    let shared = on_shared_store(HOUSE);
    let server = shared.lines().find(|line| line.starts_with("url = \"postgres:")).unwrap().to_owned();
    let migrate = |from: &str, to: &str| {
        std::process::Command::new(binary()).args(["migrate", "--from", from, "--to", to]).output().unwrap()
    };
    let there = migrate(&url(&file), &url(&server));
    assert!(there.status.success(), "{there:?}");
    assert!(String::from_utf8_lossy(&there.stdout).contains("31 incidents proved whole"), "{there:?}");
    std::fs::write(&daemon.config, text.replace(&file, &server)).unwrap();
    daemon.go();
    assert_eq!(look(&daemon), before);
    assert_eq!(daemon.alert("db-3", "firing").json()["results"][0]["outcome"], "repeated");
    assert_eq!(daemon.alert("db-new", "firing").json()["results"][0]["incident"], 32);
    assert!(daemon.verify().contains("whole"));
    assert_eq!(daemon.stop(), Some(0));
    // Not into a store that holds something, and back into a new one.
    let again = migrate(&url(&file), &url(&server));
    assert!(
        !again.status.success() && String::from_utf8_lossy(&again.stderr).contains("already"),
        "{again:?}"
    );
    let fresh = url(&file).replace("onscene.db", "back.db");
    let back = migrate(&url(&server), &fresh);
    assert!(String::from_utf8_lossy(&back.stdout).contains("32 incidents proved whole"), "{back:?}");
    let same = migrate(&fresh, &fresh);
    assert!(!same.status.success(), "{same:?}");
}

#[test]
fn nodes_with_different_configurations_are_seen_on_the_pages_and_in_the_metrics() {
    let nodes: [Daemon; 2] = nodes(HOUSE);
    let token = nodes[0].token("maya");
    let index = |node: &Daemon| {
        let cookie = [("Cookie", nodes[0].cookie(&token))];
        let cookie: Vec<(&str, &str)> = cookie.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(node.address, "GET", "/", &cookie, b"").unwrap().body
    };
    let hashes = || nodes.each_ref().map(|node| node.metric("onscene_config_hash"));
    assert!(hashes()[0] > 0.0 && hashes()[0] == hashes()[1], "{:?}", hashes());
    assert!(!index(&nodes[0]).contains("different configurations"));
    let text = std::fs::read_to_string(&nodes[1].config).unwrap();
    std::fs::write(&nodes[1].config, text.replacen("wait = \"5m\"", "wait = \"7m\"", 1)).unwrap();
    nodes[1].program.as_ref().unwrap().signal("HUP");
    for node in &nodes {
        eventually("it is said on every node", || {
            index(node).contains("Nodes run with different configurations").then_some(())
        });
    }
    assert!(hashes()[0] != hashes()[1]);
}

#[test]
fn a_node_that_is_killed_and_starts_again_is_the_same_to_the_others_and_leaves_when_it_stops() {
    let config = on_shared_store(HOUSE).replacen("[store]\n", "[store]\nspool = \"DIR/spool\"\n", 1);
    let mut nodes: [Daemon; 2] = std::array::from_fn(|_| Daemon::start(&config));
    let mut store = nodes[0].store();
    // Which processes there are, and whether each has said until when it heard everything.
    let mut rows = || {
        let sql = "select name, seen_at, coalesce(heard_until, 0) from node order by began_at";
        let read = |row: &onscene::store::Row<'_>| Ok((row.text(0)?, row.int(1)? > 0, row.int(2)? > 0));
        store.read(jiff::Timestamp::UNIX_EPOCH, |tx| tx.query(sql, &[], read)).unwrap()
    };
    let two = |rows: &[(String, bool, bool)]| rows.len() == 2 && rows.iter().all(|row| row.1 && row.2);
    let mut before = eventually("both are there", || Some(rows()).filter(|rows| two(rows)));
    for round in 0..3 {
        nodes[1].kill();
        nodes[1].go();
        let after = eventually("the new process is there alone", || {
            Some(rows()).filter(|rows| two(rows) && rows[1].0 != before[1].0)
        });
        assert_eq!(after[0], before[0], "round {round}");
        before = after;
    }
    assert_eq!(nodes[1].stop(), Some(0));
    let left = rows();
    assert!(left.len() == 2 && left[0].1 && !left[1].1 && !left[1].2, "{left:?}");
}
