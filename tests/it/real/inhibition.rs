//! Debian's Alertmanager beside onscene: the same alerts, rules and silences to both, and the same alerts are kept quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::super::harness::{Daemon, Dice, HOUSE, Program, eventually, free_port, request};
use super::spawn;

const RULES: &str = r#"
route: {receiver: nobody}
receivers: [{name: nobody}]
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity=~"warning|info"']
    equal: [cluster, alertname]
  - source_matchers: ['role=~"s|b"']
    target_matchers: ['role=~"t|b"']
    equal: [round, x, y]
"#;

const OURS: &str = r#"
[[source]]
name = "rules"
kind = "prometheus"
token = "test-token-of-the-rules"
service = "shop"
[[inhibit]]
source = 'severity="critical"'
target = 'severity=~"warning|info"'
equal = ["cluster", "alertname"]
[[inhibit]]
source = 'role=~"s|b"'
target = 'role=~"t|b"'
equal = ["round", "x", "y"]
"#;

/// Both, side by side.
struct Beside {
    daemon: Daemon,
    _alertmanager: Program,
    there: SocketAddr,
    _directory: tempfile::TempDir,
}

/// How an alert stands, by its label `id`: `active` or `suppressed`, whether another inhibits it (which of several is left to
/// chance there), and how many silences hold it.
type Standing = BTreeMap<String, (String, usize, usize)>;

impl Beside {
    fn start() -> Self {
        let daemon = Daemon::start(&format!("{HOUSE}{OURS}"));
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("alertmanager.yml"), RULES).unwrap();
        let port = free_port();
        let alertmanager = spawn(
            "prometheus-alertmanager",
            &[
                &format!("--config.file={}", at("alertmanager.yml")),
                &format!("--storage.path={}", at("data")),
                &format!("--web.listen-address=127.0.0.1:{port}"),
                "--cluster.listen-address=",
            ],
            &directory.path().join("log"),
        );
        let there = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("Alertmanager is ready", || {
            request(there, "GET", "/-/ready", &[], b"").filter(|answer| answer.status == 200)
        });
        Self { daemon, _alertmanager: alertmanager, there, _directory: directory }
    }

    /// The same to both; what each answers.
    fn ask(&self, method: &str, path: &str, body: &Value) -> [Value; 2] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let both = [
            (self.daemon.address, format!("/in/rules/test-token-of-the-rules/api/v2/{path}")),
            (self.there, format!("/api/v2/{path}")),
        ];
        both.map(|(address, path)| {
            let headers = [("Content-Type", "application/json")];
            let answer = request(address, method, &path, &headers, body.as_bytes()).unwrap();
            assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
            serde_json::from_str(&answer.body).unwrap_or(Value::Null)
        })
    }

    fn post(&self, alerts: &[Value]) {
        self.ask("POST", "alerts", &json!(alerts));
    }

    /// What both agree upon, which they do soon.
    fn agree(&self, what: &str) -> Standing {
        let mut last = String::new();
        let mut tries = 0;
        eventually(what, || {
            let [ours, theirs] = self.ask("GET", "alerts", &Value::Null).map(|all| standing(&all));
            tries += 1;
            let differs: Vec<String> = ours
                .keys()
                .chain(theirs.keys())
                .filter(|id| ours.get(*id) != theirs.get(*id))
                .map(|id| format!("{id}: {:?} here, {:?} there", ours.get(id), theirs.get(id)))
                .collect();
            if tries % 50 == 0 && last != differs.join("\n") {
                last = differs.join("\n");
                eprintln!("{what}: {last}");
            }
            differs.is_empty().then_some(ours)
        })
    }

    fn silence(&self, matchers: &[(&str, &str, bool, bool)]) {
        let matchers: Vec<Value> = matchers
            .iter()
            .map(|(name, value, is_regex, is_equal)| {
                json!({"name": name, "value": value, "isRegex": is_regex, "isEqual": is_equal})
            })
            .collect();
        let silence = json!({
            "matchers": matchers, "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2099-01-02T03:04:05Z",
            "createdBy": "maya", "comment": "new disks",
        });
        self.ask("POST", "silences", &silence);
    }
}

fn standing(alerts: &Value) -> Standing {
    let count = |value: &Value| value.as_array().unwrap().len();
    let all = alerts.as_array().unwrap().iter();
    let each = all.map(|alert| {
        let status = &alert["status"];
        let id = alert["labels"]["id"].as_str().unwrap_or_default().to_owned();
        let state = status["state"].as_str().unwrap().to_owned();
        (id, (state, count(&status["inhibitedBy"]), count(&status["silencedBy"])))
    });
    each.collect()
}

fn alert(id: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({"id": id});
    for (name, value) in labels {
        all[*name] = json!(value);
    }
    json!({"labels": all, "annotations": {"summary": format!("{id} is down")}})
}

fn over(mut alert: Value) -> Value {
    alert["endsAt"] = json!(jiff::Timestamp::now().to_string());
    alert
}

fn suppressed(standing: &Standing) -> BTreeSet<&str> {
    standing.iter().filter(|(_, (state, ..))| state == "suppressed").map(|(id, _)| id.as_str()).collect()
}

#[test]
fn onscene_and_alertmanager_inhibit_the_same_alerts() {
    let beside = Beside::start();
    let down = |severity: &'static str, cluster: &'static str| {
        [("alertname", "Down"), ("severity", severity), ("cluster", cluster)]
    };
    let first = alert("first", &down("critical", "a"));
    beside.post(&[
        first.clone(),
        // Labels of which neither has any are equal.
        alert("bare", &[("severity", "critical")]),
    ]);
    beside.agree("what inhibits fires");
    beside.post(&[
        alert("same", &down("warning", "a")),
        alert("info", &down("info", "a")),
        alert("elsewhere", &down("warning", "b")),
        alert("another", &[("alertname", "Slow"), ("severity", "warning"), ("cluster", "a")]),
        alert("bare-target", &[("severity", "warning")]),
        alert("empty-target", &[("severity", "warning"), ("cluster", "")]),
        alert("half-bare", &[("severity", "warning"), ("cluster", "a")]),
        alert("second", &down("critical", "a")),
        alert("says-nothing", &[("cluster", "a"), ("alertname", "Down")]),
    ]);
    let agreed = beside.agree("those that are inhibited");
    assert_eq!(suppressed(&agreed), BTreeSet::from(["bare-target", "empty-target", "info", "same"]));
    let [ours, theirs] = beside.ask("GET", "alerts?filter=id%3D%22bare-target%22", &Value::Null);
    assert_eq!(ours[0]["status"]["inhibitedBy"], theirs[0]["status"]["inhibitedBy"]);
    for narrowed in ["inhibited=false", "silenced=false", "active=false", "inhibited=false&silenced=false"] {
        let both = beside.ask("GET", &format!("alerts?{narrowed}"), &Value::Null);
        let [ours, theirs] = both.map(|all| standing(&all));
        assert_eq!(ours, theirs, "{narrowed}");
    }
    // It recovers, and then the other that inhibits the same.
    beside.post(&[over(first)]);
    let agreed = beside.agree("another inhibits on");
    assert!(suppressed(&agreed).contains("same"));
    beside.post(&[over(alert("second", &down("critical", "a")))]);
    let agreed = beside.agree("nothing inhibits");
    assert_eq!(suppressed(&agreed), BTreeSet::from(["bare-target", "empty-target"]));
    let page = beside.daemon.mail_to("maya@example.net", "same is down");
    assert!(page.contains("X-Page-Attempt: 1"), "{page}");
    assert!(beside.daemon.verify().contains("whole"));
}

#[test]
fn whatever_alerts_come_at_once_both_inhibit_the_same() {
    let beside = Beside::start();
    let mut dice = Dice(0x5eed_0f1d_ea1e_27a1);
    for round in 0..4 {
        let round_name = round.to_string();
        let mut pick = |from: &[&'static str]| {
            from[usize::try_from(dice.throw(0, u64::try_from(from.len()).unwrap())).unwrap()]
        };
        let all: Vec<Value> = (0..16)
            .map(|number| {
                let labels = [
                    ("round", round_name.as_str()),
                    ("role", pick(&["s", "b", "b", "t", "t", "n", ""])),
                    ("x", pick(&["", "a", "b"])),
                    ("y", pick(&["", "a"])),
                ];
                alert(&format!("{round}-{number}"), &labels)
            })
            .collect();
        beside.post(&all);
        beside.agree("those that are inhibited");
    }
    let agreed = beside.agree("all of them");
    let count = suppressed(&agreed).len();
    assert!(count > 4 && count < agreed.len(), "it tried something: {agreed:?}");
}

#[test]
fn onscene_and_alertmanager_silence_the_same_alerts() {
    let beside = Beside::start();
    beside.silence(&[("job", "shop", false, true)]);
    beside.silence(&[("job", "db.*", true, true), ("zone", "", false, true)]);
    beside.silence(&[("job", "queue", false, true), ("zone", "a", false, false)]);
    beside.silence(&[("job", "mail", false, true), ("zone", "a|b", true, false)]);
    beside.silence(&[("job", "web|", true, true), ("zone", "c", false, true)]);
    let mut all = Vec::new();
    for job in ["shop", "shopping", "db", "db-1", "adb", "queue", "mail", "web", ""] {
        for zone in ["", "a", "b", "ab", "c"] {
            all.push(alert(&format!("{job}/{zone}"), &[("job", job), ("zone", zone)]));
        }
    }
    beside.post(&all);
    let agreed = beside.agree("those that are silenced");
    let quiet = suppressed(&agreed);
    for id in ["shop/", "shop/c", "db/", "db-1/", "queue/", "queue/b", "mail/", "mail/ab", "web/c", "/c"] {
        assert!(quiet.contains(id), "{id}: {quiet:?}");
    }
    for id in ["shopping/", "adb/", "db/a", "queue/a", "mail/b", "web/", "/"] {
        assert!(!quiet.contains(id), "{id}: {quiet:?}");
    }
}
