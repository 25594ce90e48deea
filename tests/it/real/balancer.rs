//! HAProxy with the configuration that deploy/compose ships, before three real nodes on one PostgreSQL database. Only
//! its addresses are others: those of the nodes, on loopback, and the place of its certificate.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::super::harness::{Daemon, Ender, HOUSE, Program, eventually, free_port, on_shared_store, program};
use super::{Authority, of_project, spawn};

const ALERTS: &str = "/in/scripts/test-token-of-scripts";

/// Somebody outside, who knows the address of the load balancer and who has signed for it.
struct Outside {
    port: u16,
    ca: PathBuf,
}

impl Outside {
    /// What curl says of these requests, made over one connection as long as it stands; `000` when there was no answer.
    fn ask(&self, arguments: &[&str], paths: &[&str]) -> String {
        let mut curl = Command::new(program(&["curl"]));
        curl.args(["-s", "--max-time", "30", "-w", "%{http_code}", "--cacert"]).arg(&self.ca).args(arguments);
        curl.args(paths.iter().map(|path| format!("https://localhost:{}{path}", self.port)));
        let output = curl.output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn alert(&self, key: &str) -> String {
        let body = json!({"key": key, "status": "firing", "title": format!("{key} is down")}).to_string();
        self.ask(&["-o", "/dev/null", "--json", &body], &[ALERTS])
    }
}

/// Three nodes, each with a spool of its own, and HAProxy before them.
struct Site {
    nodes: [Daemon; 3],
    outside: Outside,
    _haproxy: Program,
    directory: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let config = on_shared_store(HOUSE).replacen("\n[mail]", "\nspool = \"DIR/spool\"\n[mail]", 1);
        let nodes: [Daemon; 3] = std::array::from_fn(|_| Daemon::start(&config));
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let at = |name: &str| directory.path().join(name);
        let certificate = Authority::new(directory.path()).sign("leaf");
        fs::write(at("tls.pem"), certificate + &fs::read_to_string(at("leaf.key")).unwrap()).unwrap();
        let mut text = fs::read_to_string(of_project("deploy/compose/haproxy.cfg")).unwrap();
        let mut put = |shipped: String, here: String| {
            assert!(text.contains(&shipped), "haproxy.cfg has no {shipped}");
            text = text.replace(&shipped, &here);
        };
        put(" :8443 ".into(), format!(" 127.0.0.1:{port} "));
        put("/run/secrets/tls.pem".into(), at("tls.pem").display().to_string());
        for (n, node) in nodes.iter().enumerate() {
            put(format!(" onscene-{}:8087 ", n + 1), format!(" {} ", node.address));
        }
        fs::write(at("haproxy.cfg"), text).unwrap();
        let haproxy = spawn("haproxy", &["-db", "-f", at("haproxy.cfg").to_str().unwrap()], &at("log"));
        let outside = Outside { port, ca: at("ca.pem") };
        let site = Self { nodes, outside, _haproxy: haproxy, directory };
        eventually("HAProxy is ready", || {
            (site.ask(&["-o", "/dev/null"], &["/readyz"]) == "200").then_some(())
        });
        site
    }

    fn ask(&self, arguments: &[&str], paths: &[&str]) -> String {
        self.outside.ask(arguments, paths)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            eprintln!("HAProxy logged:\n{}", log.get(log.len().saturating_sub(3000)..).unwrap_or(&log));
        }
    }
}

#[test]
fn every_alert_through_the_load_balancer_is_taken_while_nodes_are_killed_and_stopped() {
    const SENDERS: usize = 3;
    let mut site = Site::start();
    let end = AtomicBool::new(false);
    let (nodes, outside) = (&mut site.nodes, &site.outside);
    let said: Vec<(String, String)> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let end = &end;
                scope.spawn(move || {
                    let mut said = Vec::new();
                    while !end.load(Ordering::Acquire) {
                        let key = format!("sender-{sender}-{}", said.len());
                        said.push((key.clone(), outside.alert(&key)));
                    }
                    said
                })
            })
            .collect();
        let _ender = Ender(&end);
        let pause = || std::thread::sleep(Duration::from_millis(800));
        for _ in 0..2 {
            pause();
            nodes[0].kill();
            pause();
            nodes[0].go();
            pause();
            assert_eq!(nodes[1].stop(), Some(0), "a node that is told to stop ends well");
            pause();
            nodes[1].go();
        }
        pause();
        end.store(true, Ordering::Release);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let refused: Vec<&(String, String)> = said.iter().filter(|(_, status)| status != "202").collect();
    assert!(refused.is_empty(), "of {}: {refused:?}", said.len());
    assert!(said.len() > 100, "{} alerts are no load", said.len());
    let keys: BTreeSet<&String> = said.iter().map(|(key, _)| key).collect();
    let mut store = site.nodes[2].store();
    let (alerts, incidents) = store
        .read(jiff::Timestamp::UNIX_EPOCH, |tx| {
            let one = |tx: &onscene::store::Tx<'_>, sql| tx.query_one(sql, &[], |row| row.int(0));
            Ok::<_, onscene::store::StoreError>((
                one(tx, "select count(*) from alert where source = 'scripts'")?,
                one(tx, "select count(*) from incident")?,
            ))
        })
        .unwrap();
    let expected = i64::try_from(keys.len()).ok();
    assert_eq!((alerts, incidents), (expected, expected), "one key, one incident");
    assert!(site.nodes[2].verify().contains("whole"));
    assert!(!site.log().contains("test-token"), "secrets of sources stand in the log");
}

#[test]
fn what_a_node_has_in_hand_when_it_dies_is_given_to_another_if_it_is_an_alert_and_never_if_it_is_a_persons() {
    const AT_ONCE: usize = 6;
    let mut site = Site::start();
    for (path, body) in
        [(ALERTS, "{\"key\":\"db-1\",\"status\":\"firing\"}"), ("/r/0000000000000000000000", "answer=take")]
    {
        // It takes connections and answers none.
        site.nodes[0].program.as_ref().unwrap().signal("STOP");
        let (nodes, outside) = (&mut site.nodes, &site.outside);
        let said: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..AT_ONCE)
                .map(|_| scope.spawn(|| outside.ask(&["-o", "/dev/null", "-d", body], &[path])))
                .collect();
            eventually("the other nodes answer", || {
                (asked.iter().filter(|one| one.is_finished()).count() >= AT_ONCE / 2).then_some(())
            });
            std::thread::sleep(Duration::from_millis(300));
            assert!(asked.iter().any(|one| !one.is_finished()), "nothing is in the hands of the node");
            nodes[0].kill();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let lost = said.iter().filter(|status| *status == "503").count();
        assert_eq!(lost > 0, path != ALERTS, "{path}: {said:?}");
        assert!(path != ALERTS || said.iter().all(|status| status == "202"), "{said:?}");
        site.nodes[0].go();
        let before = site.log().len();
        eventually("it is used again", || {
            assert_eq!(site.outside.alert("again"), "202");
            site.log()[before..].contains(" node=onscene-1 ").then_some(())
        });
    }
    assert!(site.nodes[1].verify().contains("whole"));
}

#[test]
fn the_load_balancer_keeps_connections_takes_large_bodies_and_says_503_when_nobody_is_there() {
    let mut site = Site::start();
    // Also of who would rather speak HTTP/2, which cannot be trusted with what people do.
    let said = "%{http_code} %{http_version} %{num_connects} ";
    let twice =
        site.ask(&["--http2", "-o", "/dev/null", "-o", "/dev/null", "-w", said], &["/readyz", "/login"]);
    assert_eq!(twice, "200 1.1 1 200 1.1 0", "the second request needs no new connection");
    let body = json!({"key": "large", "status": "firing", "body": "x".repeat(900_000)}).to_string();
    let path = site.directory.path().join("body.json");
    fs::write(&path, body).unwrap();
    let data = format!("@{}", path.display());
    assert_eq!(site.ask(&["-o", "/dev/null", "--json", &data], &[ALERTS]), "202");
    assert_eq!(site.ask(&["-o", "/dev/null"], &["/metrics"]), "404");
    // One after the other; who watches from outside hears of it when the last is gone.
    for left in [2, 1, 0] {
        assert_eq!(site.nodes[left].stop(), Some(0));
        let expected = if left > 0 { "202" } else { "503" };
        assert_eq!(site.outside.alert(&format!("with-{left}-left")), expected);
    }
    let answer = site.ask(&["-D", "-", "-o", "/dev/null", "-X", "POST"], &[ALERTS]);
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    eventually("it is said outside", || {
        (site.ask(&["-o", "/dev/null"], &["/readyz"]) == "503").then_some(())
    });
    site.nodes[0].go();
    eventually("it is used again", || (site.ask(&["-o", "/dev/null"], &["/readyz"]) == "200").then_some(()));
    assert_eq!(site.outside.alert("after"), "202");
}
