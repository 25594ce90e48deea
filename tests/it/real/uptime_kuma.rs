//! Uptime Kuma as the sender: set up by the API that its own pages use, with webhooks of all three shapes of a body.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::super::harness::{Daemon, HOUSE, Program, eventually, free_port, program, request};
use super::{Authority, incident, of_project};

const SOURCES: &str = r#"
[[source]]
name = "kuma"
kind = "uptime-kuma"
token = "test-token-of-kuma"
service = "shop"
[[source]]
name = "kuma-form"
kind = "uptime-kuma"
token = "test-token-of-kuma-form"
service = "shop"
"#;

/// What its pages do in a browser: every line is a call, every answer a line. Beside it a shop that speaks TLS, on the
/// port and with the certificate it is given. It keeps its connections: on one that is closed at once, Uptime Kuma sees
/// no certificate.
const DRIVER: &str = r#"
const { readFileSync } = require("fs");
const [address, port, directory] = process.argv.slice(1);
const [cert, key] = ["leaf.pem", "leaf.key"].map((name) => readFileSync(`${directory}/${name}`));
require("https").createServer({ cert, key }, (_, answer) => answer.end("open")).listen(port, "127.0.0.1");
const socket = require("socket.io-client").io(address, { reconnectionDelay: 100, reconnectionDelayMax: 100 });
(async () => {
  for await (const line of require("readline").createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await socket.timeout(30_000).emitWithAck(...JSON.parse(line))));
  }
})();
"#;

/// Uptime Kuma, and somebody who is logged in.
struct Kuma {
    _programs: [Program; 2],
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
    /// Where a shop speaks TLS.
    tls: u16,
    directory: tempfile::TempDir,
}

impl Kuma {
    fn start() -> Self {
        let place = of_project("target/validators/uptime-kuma");
        assert!(place.join("list").is_file(), "this test needs Uptime Kuma; tests/validators installs it");
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("db-config.json"), r#"{"type": "sqlite"}"#).unwrap();
        let _leaf = Authority::new(directory.path()).sign("leaf");
        let (port, tls) = (free_port(), free_port());
        let log = fs::File::create(at("log")).unwrap();
        let mut server = Command::new(program(&["node"]));
        server.current_dir(place.join("node_modules/uptime-kuma")).arg("server/server.js");
        server.args(["--host=127.0.0.1".to_owned(), format!("--port={port}")]);
        // Its data directory has to end like one.
        server.arg(format!("--data-dir={}/", directory.path().display())).env("TZ", "Europe/Oslo");
        // It asks its makers for the newest version at once: not from here.
        server.env("https_proxy", "http://127.0.0.1:9").env("no_proxy", "127.0.0.1,localhost");
        server.env("NODE_EXTRA_CA_CERTS", at("ca.pem"));
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap());
        let server = Program(server.spawn().unwrap());
        let mut driver = Command::new(program(&["node"]));
        driver.current_dir(place).args(["-e", DRIVER, &format!("http://127.0.0.1:{port}"), &tls.to_string()]);
        driver.arg(directory.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut driver = Program(driver.spawn().unwrap());
        let calls = driver.0.stdin.take().unwrap();
        let answers = BufReader::new(driver.0.stdout.take().unwrap());
        let mut kuma = Self { _programs: [server, driver], calls, answers, port, tls, directory };
        kuma.call(&json!(["setup", "maya", "words of a test 7"]));
        kuma.call(&json!(["login", {"username": "maya", "password": "words of a test 7"}]));
        kuma
    }

    /// What is answered to a call.
    fn ask(&mut self, call: &Value) -> Value {
        writeln!(self.calls, "{call}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {call}"))
    }

    /// A call that has to go well.
    fn call(&mut self, call: &Value) -> Value {
        let answer = self.ask(call);
        assert_eq!(answer["ok"], true, "{call}: {answer}");
        answer
    }

    /// The test button under a notification, and then the one that saves it; its number.
    fn webhook(&mut self, settings: &Value) -> Value {
        let tested = self.call(&json!(["testNotification", settings]));
        assert_eq!(tested["msg"], "Sent Successfully.");
        self.call(&json!(["addNotification", settings, null]))["id"].take()
    }

    /// A monitor that tells one webhook; its number. What its form fills in need not be said.
    fn monitor(&mut self, webhook: &Value, of: &Value) -> Value {
        let mut monitor = json!({
            "method": "GET", "interval": 20, "retryInterval": 20, "maxretries": 0, "timeout": 16, "maxredirects": 10,
            "expiryNotification": true, "accepted_statuscodes": ["200-299"],
            "notificationIDList": {webhook.to_string(): true}, "active": false,
        });
        monitor.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        let number = self.call(&json!(["add", monitor]))["monitorID"].take();
        self.call(&json!(["resumeMonitor", number]));
        number
    }

    /// Paused, and looked after again at once instead of after its interval.
    fn look_again(&mut self, monitor: &Value) {
        self.call(&json!(["pauseMonitor", monitor]));
        self.call(&json!(["resumeMonitor", monitor]));
    }

    /// What a job says of itself to its monitor.
    fn push(&self, query: &str) {
        let address = format!("127.0.0.1:{}", self.port).parse().unwrap();
        let answer = request(address, "GET", &format!("/api/push/abcdefgh?{query}"), &[], b"").unwrap();
        assert_eq!(answer.json(), json!({"ok": true}));
    }
}

impl Drop for Kuma {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("Uptime Kuma logged:\n{}", log.get(log.len().saturating_sub(3000)..).unwrap_or(&log));
        }
    }
}

/// A shop that is open or not.
fn shop(open: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _request = stream.read(&mut [0; 4096]);
            let status = if open.load(Ordering::Acquire) { "200 OK" } else { "503 Service Unavailable" };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _gone = stream.write_all(head.as_bytes());
        }
    });
    port
}

/// How many events of a source had these outcomes.
fn outcomes(daemon: &Daemon, source: &str) -> [f64; 4] {
    ["opened", "resolved", "ignored", "repeated"].map(|outcome| {
        daemon.metric(&format!("onscene_events_total{{outcome=\"{outcome}\",source=\"{source}\"}}"))
    })
}

fn reach(daemon: &Daemon, source: &str, wanted: [f64; 4]) {
    eventually(&format!("{source} has said {wanted:?}"), || {
        (outcomes(daemon, source) == wanted).then_some(())
    });
}

#[test]
fn monitors_of_uptime_kuma_go_down_and_come_back_and_its_test_button_pages_no_one() {
    let daemon = Daemon::start(&format!("{HOUSE}{SOURCES}"));
    let token = daemon.token("maya");
    let mut kuma = Kuma::start();
    let address = |path: &str| format!("http://{}/in/{path}", daemon.address);

    // The button says that a token is wrong, which nobody would know otherwise.
    let wrong = json!({"name": "wrong", "type": "webhook", "webhookURL": address("kuma/hunter2"),
        "webhookContentType": "json"});
    let said = kuma.ask(&json!(["testNotification", wrong]));
    assert!(said["ok"] == false && said["msg"].as_str().unwrap().contains("status code 401"), "{said}");
    let in_json = kuma.webhook(&json!({"name": "on call", "type": "webhook",
        "webhookURL": address("kuma/test-token-of-kuma"), "webhookContentType": "json"}));
    let as_form = kuma.webhook(&json!({"name": "on call, too", "type": "webhook",
        "webhookURL": address("kuma-form"), "webhookContentType": "form-data",
        "webhookAdditionalHeaders": "{\"Authorization\": \"Bearer test-token-of-kuma-form\"}"}));
    assert_eq!(outcomes(&daemon, "kuma"), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(outcomes(&daemon, "kuma-form"), [0.0, 0.0, 1.0, 0.0]);
    assert!(incident(&daemon, &token).is_none() && daemon.mails().is_empty());

    // A port where nobody listens.
    let port = free_port();
    let database = kuma.monitor(
        &in_json,
        &json!({"type": "port", "name": "db-1", "hostname": "127.0.0.1",
            "port": port}),
    );
    daemon.mail_to("maya@example.net", "[INC-1] shop: db-1 is down: connect ECONNREFUSED");
    let alert = || incident(&daemon, &token).unwrap()["alerts"][0].clone();
    assert_eq!((&alert()["status"], &alert()["labels"]["monitor_type"]), (&json!("firing"), &json!("port")));
    // Pausing says nothing, and what is still down when it goes on is not said again.
    kuma.look_again(&database);

    // A page that is an error, told as a form.
    let open = Arc::new(AtomicBool::new(false));
    let url = format!("http://127.0.0.1:{}/", shop(open.clone()));
    let page = kuma.monitor(&as_form, &json!({"type": "http", "name": "the shop", "url": url}));
    daemon.mail_to("maya@example.net", "[INC-2] shop: the shop is down: Request failed with status code 503");
    assert_eq!(outcomes(&daemon, "kuma"), [1.0, 0.0, 1.0, 0.0]);

    // Both are back.
    let _database = TcpListener::bind(("127.0.0.1", port)).unwrap();
    open.store(true, Ordering::Release);
    for (monitor, source) in [(&database, "kuma"), (&page, "kuma-form")] {
        kuma.look_again(monitor);
        reach(&daemon, source, [1.0, 1.0, 1.0, 0.0]);
    }
    assert_eq!(alert()["status"], "resolved");

    // A certificate that ends within so many days: a notice without a heartbeat, which wakes nobody.
    kuma.call(&json!(["setSettings", {"tlsExpiryNotifyDays": [1_000_000]}, ""]));
    let url = format!("https://localhost:{}/", kuma.tls);
    let _monitor = kuma.monitor(&in_json, &json!({"type": "http", "name": "the shop by TLS", "url": url}));
    reach(&daemon, "kuma", [1.0, 1.0, 2.0, 0.0]);

    // A body of the operator's own goes to a source of the kind `generic`.
    let own = r#"{"key": "kuma {{ monitorJSON.id }}", "title": {{ msg | json }},
        "status": "{% if heartbeatJSON.status == 1 %}resolved{% elsif heartbeatJSON %}firing{% else %}info{% endif %}"}"#;
    let custom = kuma.webhook(&json!({"name": "of our own", "type": "webhook",
        "webhookURL": address("scripts/test-token-of-scripts"), "webhookContentType": "custom",
        "webhookCustomBody": own}));
    let _monitor = kuma.monitor(&custom, &json!({"type": "push", "name": "backup", "pushToken": "abcdefgh"}));
    kuma.push("status=down&msg=no+room");
    daemon.mail_to("maya@example.net", "[INC-3] shop: [backup]");
    kuma.push("status=up&msg=OK");
    reach(&daemon, "scripts", [1.0, 1.0, 1.0, 0.0]);

    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}
