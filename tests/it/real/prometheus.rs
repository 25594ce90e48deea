//! Debian's Prometheus and Alertmanager as the sender of alerts, and promtool as the judge of what onscene says of itself.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::super::harness::{Daemon, HOUSE, Program, answer_link, eventually, free_port, program};
use super::{incident, of_project, run, said, spawn};

/// A shop that Prometheus watches, Prometheus, and Alertmanager, which tells onscene; or Prometheus tells it alone.
struct Watch {
    broken: Arc<AtomicBool>,
    prometheus: Option<Program>,
    _alertmanager: Option<Program>,
    directory: tempfile::TempDir,
}

impl Watch {
    fn of(daemon: &Daemon) -> Self {
        Self::with(daemon, SCRAPE, true)
    }

    fn with(daemon: &Daemon, scrape: &str, through_alertmanager: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let shop = shop(broken.clone());
        let (prometheus, alertmanager) = (free_port(), free_port());
        let fill = |text: &str| {
            text.replace("SHOP", &shop.to_string())
                .replace("ALERTMANAGER", &alertmanager.to_string())
                .replace("ONSCENE", &daemon.address.to_string())
        };
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        for (name, text) in [("prometheus.yml", scrape), ("rules.yml", RULES), ("alertmanager.yml", ROUTE)] {
            fs::write(at(name), fill(text)).unwrap();
        }
        let log = directory.path().join("log");
        let alertmanager = through_alertmanager.then(|| {
            spawn(
                "prometheus-alertmanager",
                &[
                    &format!("--config.file={}", at("alertmanager.yml")),
                    &format!("--storage.path={}", at("alertmanager")),
                    &format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                    "--cluster.listen-address=",
                ],
                &log,
            )
        });
        let prometheus = spawn(
            "prometheus",
            &[
                &format!("--config.file={}", at("prometheus.yml")),
                &format!("--storage.tsdb.path={}", at("prometheus")),
                &format!("--web.listen-address=127.0.0.1:{prometheus}"),
                "--rules.alert.resend-delay=1s",
            ],
            &log,
        );
        Self { broken, prometheus: Some(prometheus), _alertmanager: alertmanager, directory }
    }

    fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            eprintln!("they logged:\n{}", log.get(log.len().saturating_sub(3000)..).unwrap_or(&log));
        }
    }
}

/// Answers every scrape with one figure.
fn shop(broken: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _request = stream.read(&mut [0; 4096]);
            let text = format!("shop_broken {}\n", u8::from(broken.load(Ordering::Acquire)));
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
            let _gone =
                stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
        }
    });
    port
}

const SCRAPE: &str = r#"
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: shop, static_configs: [{targets: ["127.0.0.1:SHOP"]}]}
alerting:
  alertmanagers:
    - static_configs: [{targets: ["127.0.0.1:ALERTMANAGER"]}]
"#;

const RULES: &str = r#"
groups:
  - name: shop
    rules:
      - alert: ShopBroken
        expr: shop_broken == 1
        labels: {severity: critical}
        annotations: {summary: "the shop at {{ $labels.instance }} is broken"}
"#;

const ROUTE: &str = r#"
route: {receiver: onscene, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1s}
receivers:
  - name: onscene
    webhook_configs:
      - url: "http://ONSCENE/in/prometheus"
        send_resolved: true
        max_alerts: 0
        http_config: {authorization: {credentials: test-token-of-prometheus}}
"#;

#[test]
fn a_rule_of_prometheus_pages_once_and_its_recovery_is_written_down() {
    let daemon = Daemon::start(HOUSE);
    let token = daemon.token("maya");
    let watch = Watch::of(&daemon);
    watch.set_broken(true);
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(page.contains("Subject: [INC-1] shop: the shop at "), "{page}");
    assert!(page.contains(" is broken"), "{page}");
    let state = || incident(&daemon, &token).unwrap();
    let alert = || state()["alerts"][0].clone();
    assert_eq!(
        (alert()["status"].as_str(), alert()["severity"].as_str()),
        (Some("firing"), Some("critical"))
    );
    assert_eq!(alert()["labels"]["alertname"], "ShopBroken");

    eventually("it is repeated", || (alert()["count"].as_u64()? >= 4).then_some(()));
    assert_eq!(daemon.mails().len(), 1, "repeats page no one: {:?}", daemon.mails().keys());
    assert_eq!(state()["alert_count"], 1);

    let taken = daemon.press(&answer_link(&page), "answer=take");
    assert!(taken.body.contains("You have command"), "{}", taken.body);
    watch.set_broken(false);
    eventually("the recovery is known", || (alert()["status"] == "resolved").then_some(()));
    assert_eq!(state()["state"], "acknowledged", "when it is over is for the Commander to say");
    assert_eq!(daemon.metric("onscene_events_total{outcome=\"opened\",source=\"prometheus\"}"), 1.0);
    assert_eq!(daemon.metric("onscene_events_total{outcome=\"resolved\",source=\"prometheus\"}"), 1.0);
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert_eq!(
        daemon.metric("onscene_incidents{drill=\"false\",severity=\"SEV1\",state=\"acknowledged\"}"),
        1.0
    );

    // It breaks again: it is the same incident, which has a Commander.
    daemon.mail_to("maya@example.net", "has recovered. That is evidence");
    let mails = daemon.mails().len();
    watch.set_broken(true);
    eventually("it fires again", || (alert()["status"] == "firing").then_some(()));
    assert_eq!(state()["commander"]["person"], "maya");
    assert!(
        incident_count(&daemon, &token) == 1 && daemon.mails().len() == mails,
        "{:?}",
        daemon.mails().keys()
    );
    assert!(daemon.verify().contains("whole"));
}

fn incident_count(daemon: &Daemon, token: &str) -> usize {
    let listed = daemon.api(token, "GET", "/api/v1/incidents", &Value::Null).json();
    listed["incidents"].as_array().or(listed.as_array()).unwrap_or_else(|| panic!("{listed}")).len()
}

#[test]
fn alertmanager_tries_again_until_onscene_is_back() {
    let mut daemon = Daemon::start(HOUSE);
    assert_eq!(daemon.stop(), Some(0));
    let watch = Watch::of(&daemon);
    watch.set_broken(true);
    eventually("Alertmanager has tried in vain", || watch.log().contains("connection refused").then_some(()));
    daemon.go();
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(page.contains(" is broken"), "{page}");
    assert_eq!(daemon.mails().len(), 1, "{:?}", daemon.mails().keys());
}

/// Prometheus as `docs/sources.md` sets it up: onscene stands where an Alertmanager would.
const PUSH: &str = r#"
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: shop, static_configs: [{targets: ["127.0.0.1:SHOP"]}]}
alerting:
  alertmanagers:
    - path_prefix: /in/rules
      authorization: {credentials: test-token-of-the-rules}
      static_configs: [{targets: ["ONSCENE"]}]
"#;

const PUSHED: &str = r#"
[[source]]
name = "rules"
kind = "prometheus"
token = "test-token-of-the-rules"
service = "shop"
"#;

#[test]
fn prometheus_pushes_to_onscene_alone_and_what_it_stops_saying_is_over() {
    let daemon = Daemon::start(&format!("{HOUSE}{PUSHED}"));
    let token = daemon.token("maya");
    let mut watch = Watch::with(&daemon, PUSH, false);
    watch.set_broken(true);
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(page.contains("Subject: [INC-1] shop: the shop at "), "{page}");
    let alert = || incident(&daemon, &token).unwrap()["alerts"][0].clone();
    eventually("it is repeated", || (alert()["count"].as_u64()? >= 4).then_some(()));
    assert_eq!(daemon.mails().len(), 1, "repeats page no one: {:?}", daemon.mails().keys());
    watch.set_broken(false);
    eventually("the recovery is known", || (alert()["status"] == "resolved").then_some(()));
    watch.set_broken(true);
    eventually("it fires again", || (alert()["status"] == "firing").then_some(()));
    // Prometheus dies: after four times its interval nobody vouches for the alert any more.
    watch.prometheus = None;
    eventually("it counts as over", || (alert()["status"] == "resolved").then_some(()));
    let timeline = daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &Value::Null).body;
    assert!(timeline.contains("has not said again that"), "{timeline}");
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

/// `amtool` beside a daemon: what it prints.
fn amtool(daemon: &Daemon, arguments: &[&str]) -> String {
    run(&mut amtool_of(daemon, arguments))
}

fn amtool_of(daemon: &Daemon, arguments: &[&str]) -> Command {
    let http = daemon.directory.join("http.yml");
    fs::write(&http, "authorization: {credentials: test-token-of-the-rules}\n").unwrap();
    let url = format!("--alertmanager.url=http://{}/in/rules", daemon.address);
    let mut command = Command::new(program(&["amtool"]));
    // Its version is not ours, which it would say every time.
    command.arg(url).arg(format!("--http.config.file={}", http.display())).arg("--no-version-check");
    command.args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn amtool_adds_and_shows_alerts_and_silences_and_ends_them() {
    let daemon = Daemon::start(&format!("{HOUSE}{PUSHED}"));
    let ask = |arguments: &[&str]| amtool(&daemon, arguments);
    ask(&[
        "alert",
        "add",
        "DiskFull",
        "instance=db-1",
        "severity=critical",
        "--annotation=summary=disk full on db-1",
    ]);
    let page = daemon.mail_to("maya@example.net", "X-Page-Attempt: 1");
    assert!(page.contains("disk full on db-1"), "{page}");
    let shown = ask(&["alert", "query"]);
    assert!(shown.contains("DiskFull") && shown.contains("active"), "{shown}");
    assert!(ask(&["alert", "query", "instance=~db-.*"]).contains("disk full on db-1"));
    assert!(!ask(&["alert", "query", "instance=db-2"]).contains("DiskFull"));

    assert!(ask(&["config", "show"]).contains("receiver: shop"));
    assert!(ask(&["cluster", "show"]).contains("disabled"));
    let id = ask(&[
        "silence",
        "add",
        "--author=maya",
        "--comment=new disks",
        "--duration=1h",
        "instance=~db-[0-9]",
    ]);
    let id = id.trim();
    assert!(ask(&["silence", "query"]).contains(id));
    assert!(ask(&["silence", "query", "--created-by=maya", "-q"]).contains(id));
    let shown = ask(&["alert", "query"]);
    assert!(shown.contains("active"), "a silence does not answer an incident that is open: {shown}");
    ask(&["alert", "add", "DiskFull", "instance=db-2", "severity=critical"]);
    assert_eq!(daemon.metric("onscene_events_total{outcome=\"suppressed\",source=\"rules\"}"), 1.0);
    assert!(
        !ask(&["alert", "query"]).contains("db-2"),
        "what is silenced is not shown unless it is asked for"
    );
    let silenced = ask(&["alert", "query", "--silenced", "-o", "extended"]);
    assert!(silenced.contains("db-2") && silenced.contains("suppressed"), "{silenced}");
    assert_eq!(daemon.mails().len(), 1, "nobody is woken: {:?}", daemon.mails().keys());

    // The same silence, longer: who ends it by its id ends it.
    let updated = ask(&["silence", "update", "--duration=2h", "--comment=more disks", id]);
    assert!(updated.contains(id), "{updated}");
    ask(&["silence", "expire", id]);
    assert!(!ask(&["silence", "query"]).contains(id));
    assert!(ask(&["silence", "query", "--expired"]).contains(id));
    let page = daemon.mail_to("maya@example.net", "[INC-2]");
    assert!(page.contains("DiskFull on db-2"), "{page}");
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

/// What holds alerts that are not of amtool's own silences: another service's maintenance, and an alert that inhibits.
const HELD: &str = r#"
[[service]]
name = "till"
escalation = "default"
pio = ["person:tom", "person:maya"]
[[route]]
match = 'team="till"'
service = "till"
[[maintenance]]
name = "new-tills"
service = "till"
time_zone = "UTC"
start = "BEGAN"
for = "3h"
comment = "new tills"
[[inhibit]]
source = 'severity="critical"'
target = 'severity="warning"'
equal = ["instance"]
"#;

#[test]
fn amtool_is_told_what_holds_an_alert_and_cannot_end_what_is_of_the_house() {
    let began = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).strftime("%Y-%m-%d %H:%M");
    let daemon = Daemon::start(&format!("{HOUSE}{PUSHED}{}", HELD.replace("BEGAN", &began.to_string())));
    let token = daemon.token("maya");
    let wanted =
        json!({"matchers": "service=\"shop\", instance=\"db-2\"", "for": "1h", "comment": "new disks"});
    let made = daemon.api(&token, "POST", "/api/v1/silences", &wanted).json();
    let id = made["id"].as_str().unwrap().to_owned();
    let ask = |arguments: &[&str]| amtool(&daemon, arguments);
    let add = |labels: &[&str]| ask(&[&["alert", "add"], labels].concat());
    let of = |instance: &str, more: &[&str]| {
        let wanted = format!("instance={instance}");
        let all = [&["alert", "query", "-o", "json", wanted.as_str()], more].concat();
        let shown: Value = serde_json::from_str(&ask(&all)).unwrap();
        shown
    };
    let status = |instance: &str, severity: &str| {
        let all = of(instance, &["--silenced", "--inhibited", &format!("severity={severity}")]);
        assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
        all[0]["status"].clone()
    };
    add(&["DiskFull", "instance=db-2", "severity=critical"]);
    assert_eq!(of("db-2", &[]), json!([]), "what is silenced is not shown unless it is asked for");
    let shown = status("db-2", "critical");
    assert_eq!((&shown["state"], &shown["silencedBy"]), (&json!("suppressed"), &json!([id])));

    // Others can say why, and that is all they can do about it.
    let bearer = [("Authorization", "Bearer test-token-of-the-rules"), ("Content-Type", "application/json")];
    let api = |method: &str, path: &str, body: &Value| {
        let path = format!("/in/rules/api/v2/{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = super::super::harness::request(daemon.address, method, &path, &bearer, body.as_bytes());
        answer.unwrap()
    };
    let told = api("GET", &format!("silence/{id}"), &Value::Null).json();
    assert_eq!((&told["comment"], &told["createdBy"]), (&json!("new disks"), &json!("maya")));
    assert!(!ask(&["silence", "query"]).contains(&id), "it may speak of other sources");
    for more in [&["expire", id.as_str()][..], &["update", "--duration=2h", id.as_str()][..]] {
        let refused = amtool_of(&daemon, &[&["silence"], more].concat()).output().unwrap();
        assert!(!refused.status.success() && said(&refused).contains("403"), "{}", said(&refused));
    }
    let told = api("DELETE", &format!("silence/{id}"), &Value::Null);
    assert!(told.status == 403 && told.body.contains("onscene silence expire"), "{}", told.body);
    assert_eq!(status("db-2", "critical")["silencedBy"], json!([id]));

    // An alert that inhibits need not be of the same silence; maintenance is a time interval that mutes.
    add(&["DiskFull", "instance=db-3", "severity=critical"]);
    add(&["DiskSlow", "instance=db-3", "severity=warning"]);
    let by = of("db-3", &["severity=critical"])[0]["fingerprint"].clone();
    let shown = status("db-3", "warning");
    assert_eq!((&shown["state"], &shown["inhibitedBy"]), (&json!("suppressed"), &json!([by])));
    assert_eq!(shown["silencedBy"], json!([]));
    add(&["TillDown", "instance=till-1", "severity=critical", "team=till"]);
    assert_eq!(of("till-1", &[]), json!([]));
    let alerts =
        |query: &str| api("GET", &format!("alerts?filter=team%3D%22till%22&{query}"), &Value::Null).json();
    let shown = alerts("")[0]["status"].clone();
    assert_eq!((&shown["state"], &shown["mutedBy"]), (&json!("suppressed"), &json!(["new-tills"])));
    assert_eq!((&shown["silencedBy"], &shown["inhibitedBy"]), (&json!([]), &json!([])));
    assert_eq!(alerts("muted=false"), json!([]));

    assert_eq!(daemon.mails().len(), 1, "{:?}", daemon.mails().keys());
    daemon.api(&token, "POST", &format!("/api/v1/silences/{id}/expire"), &Value::Null);
    daemon.mail_to("maya@example.net", "DiskFull on db-2");
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn what_amtool_may_not_and_what_makes_no_sense_is_told_in_its_words() {
    let daemon = Daemon::start(&format!("{HOUSE}{PUSHED}"));
    let bearer = [("Authorization", "Bearer test-token-of-the-rules")];
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let answer =
            super::super::harness::request(daemon.address, method, path, headers, body.as_bytes()).unwrap();
        (answer.status, answer.body)
    };
    let api = "/in/rules/api/v2";
    for path in ["alerts", "silences", "status", "receivers", "silence/x"] {
        assert_eq!(ask("GET", &format!("{api}/{path}"), &[], "").0, 401, "{path}");
    }
    assert_eq!(ask("POST", &format!("{api}/alerts"), &[], "[]").0, 401);
    assert_eq!(ask("POST", &format!("{api}/silences"), &[], "{}").0, 401);
    assert_eq!(ask("DELETE", &format!("{api}/silence/x"), &[], "").0, 401);
    assert_eq!(ask("DELETE", &format!("{api}/silence/x"), &bearer, "").0, 404);
    assert_eq!(ask("GET", "/in/prometheus/api/v2/status", &bearer, "").0, 404, "another kind");
    assert_eq!(ask("GET", &format!("{api}/elsewhere"), &bearer, "").0, 404);
    let (status, told) = ask("GET", &format!("{api}/alerts?filter=a%3D~%22(%22"), &bearer, "");
    assert!(status == 400 && told.starts_with('"') && told.contains("not well-formed"), "{told}");
    for (wrong, why) in [
        ("{}", "no silence"),
        (
            r#"{"matchers": [], "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2099-01-02T03:04:05Z"}"#,
            "matchers",
        ),
        (
            r#"{"matchers": [{"name": "a", "value": ".*", "isRegex": true}], "startsAt": "2026-01-02T03:04:05Z",
                "endsAt": "2099-01-02T03:04:05Z"}"#,
            "everything",
        ),
        (
            r#"{"matchers": [{"name": "a", "value": "b", "isRegex": false}], "startsAt": "2026-01-02T03:04:05Z",
                "endsAt": "2026-01-02T03:04:05Z"}"#,
            "before it begins",
        ),
    ] {
        let (status, told) = ask("POST", &format!("{api}/silences"), &bearer, wrong);
        assert!(status == 400 && told.contains(why), "{wrong}: {told}");
    }
    let (status, told) =
        ask("POST", "/in/rules/test-token-of-the-rules/api/v2/alerts", &[], r#"[{"labels": {}}]"#);
    assert!(status == 400 && told.contains("kept as number 1"), "{told}");
    let (status, told) = ask("GET", &format!("{api}/alerts/groups"), &bearer, "");
    assert!(status == 200 && told.contains("\"alertname\":\"source rules sends what"), "{told}");
    let (status, told) = ask("POST", &format!("{api}/alerts"), &bearer, "[]");
    assert_eq!((status, told.as_str()), (200, ""));
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    let daemon = Daemon::start(HOUSE);
    let page = |key: &str| {
        daemon.alert(key, "firing");
        answer_link(&daemon.mail_to("maya@example.net", "X-Page-Attempt: 1"))
    };
    daemon.press(&page("db-1"), "answer=take");
    daemon.alert("db-1", "resolved");
    daemon.post("/in/pingdom/test-token-of-pingdom", b"no JSON");
    let token = daemon.token("maya");
    let end = |verb: &str, body: Value| {
        daemon.api(&token, "POST", &format!("/api/v1/incidents/1/{verb}"), &body).status
    };
    assert_eq!(end("mitigate", serde_json::json!({"term": 1, "cause": "restarted"})), 200);
    assert_eq!(end("resolve", serde_json::json!({"term": 1})), 200);
    daemon.mail_to("staff@example.net", "is resolved");
    let text = daemon.get("/metrics").unwrap().body;
    let mut promtool = Command::new(program(&["promtool"]))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "", "promtool has no advice either");

    // What the dashboard and the rules ask for is there, by its very name.
    let source = fs::read_to_string(of_project("src/metrics.rs")).unwrap();
    let there = |name: &str| {
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let named =
            |name: &str| text.contains(&format!("# TYPE {name} ")) || source.contains(&format!("\"{name}\""));
        named(name) || named(base)
    };
    for file in ["deploy/grafana.json", "deploy/prometheus/onscene.rules.yml", "deploy/prometheus/README.md"]
    {
        let asked = names(&of_project(file));
        assert!(!asked.is_empty(), "{file}");
        let missing: Vec<_> = asked.iter().filter(|name| !there(name)).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}");
    }
}

/// The metrics of onscene that a file names.
fn names(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let word = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    text.split(|byte| !word(byte)).filter(|name| name.starts_with("onscene_")).map(str::to_owned).collect()
}

#[test]
fn the_rules_do_what_their_tests_say_and_the_dashboard_can_be_read() {
    let rules = of_project("deploy/prometheus/onscene.rules.yml");
    let checked =
        run(Command::new(program(&["promtool"])).args(["check", "rules", "--lint=all"]).arg(&rules));
    assert!(checked.contains("SUCCESS") && !checked.contains("FAILED"), "{checked}");
    run(Command::new(program(&["promtool"]))
        .args(["test", "rules"])
        .arg(of_project("deploy/prometheus/onscene.rules.test.yml")));
    let text = fs::read_to_string(of_project("deploy/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(!panels.is_empty());
    for panel in panels.iter().filter(|panel| panel["type"] != "row" && panel["type"] != "text") {
        let asks = panel["targets"].as_array().is_some_and(|targets| {
            targets.iter().all(|target| target["expr"].as_str().is_some_and(|expr| !expr.is_empty()))
        });
        assert!(asks && panel["title"].is_string(), "{panel}");
    }
}
