//! Tools that speak to PagerDuty and to Opsgenie speak to onscene at the same addresses; senders of CloudEvents ask first.

use serde_json::{Value, json};

use super::harness::{Answer, Daemon, HOUSE, on_a_file, request};

const TOKEN: &str = "0f3b6c1e9a7d4528b1c0e5f2a9d84763";
const KEY: &str = "a-key-of-opsgenie-senders";

fn daemon() -> Daemon {
    let source = |name: &str, token: &str| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"{name}\"\ntoken = \"{token}\"\nservice = \"shop\"\n")
    };
    Daemon::start(&format!("{HOUSE}{}{}", source("pagerduty-events", TOKEN), source("opsgenie", KEY)))
}

fn send(daemon: &Daemon, path: &str, body: &Value) -> Answer {
    daemon.post(path, body.to_string().as_bytes())
}

#[test]
fn the_events_api_answers_in_its_own_words() {
    let daemon = daemon();
    let trigger = json!({"routing_key": TOKEN, "event_action": "trigger", "dedup_key": "db-2",
        "payload": {"summary": "backup failed", "source": "db-2", "severity": "critical"}});
    let told = send(&daemon, "/v2/enqueue", &trigger);
    assert_eq!(told.status, 202);
    assert_eq!(told.json(), json!({"status": "success", "message": "Event processed", "dedup_key": "db-2"}));
    daemon.mail_to("maya@example.net", "[INC-1] shop: backup failed");
    let resolve = json!({"routing_key": TOKEN, "event_action": "resolve", "dedup_key": "db-2"});
    assert_eq!(send(&daemon, "/v2/enqueue", &resolve).status, 202);
    let unknown = json!({"routing_key": TOKEN, "event_action": "resolve", "dedup_key": "nobody knows it"});
    assert_eq!(send(&daemon, "/v2/enqueue", &unknown).status, 202, "what is over is accepted");

    // A trigger without a key gets one, by which it can be ended.
    let mut without = trigger.clone();
    without.as_object_mut().unwrap().remove("dedup_key");
    let made = send(&daemon, "/v2/enqueue", &without).json()["dedup_key"].as_str().unwrap().to_owned();
    let other = send(&daemon, "/v2/enqueue", &without).json()["dedup_key"].as_str().unwrap().to_owned();
    assert!(made.len() == 32 && made != other, "{made} {other}");

    let change = json!({"routing_key": TOKEN, "payload": {"summary": "build 7 is out"}});
    let told = send(&daemon, "/v2/change/enqueue", &change);
    assert_eq!((told.status, told.json()["status"].as_str()), (202, Some("success")), "{told:?}");

    let first = json!({"service_key": TOKEN, "event_type": "trigger", "incident_key": "db-3",
        "description": "down", "event_action": "", "payload": null});
    let told = send(&daemon, "/generic/2010-04-15/create_event.json", &first);
    assert_eq!((told.status, told.json()["incident_key"].as_str()), (200, Some("db-3")), "{told:?}");

    for (path, body, kept) in [
        ("/v2/enqueue", json!({"routing_key": "wrong", "event_action": "trigger"}), false),
        ("/v2/enqueue", json!([]), false),
        ("/v2/enqueue", json!({"routing_key": TOKEN, "event_action": "trigger", "payload": {}}), true),
        ("/generic/2010-04-15/create_event.json", json!({"service_key": TOKEN}), true),
    ] {
        let told = send(&daemon, path, &body);
        let said = told.json();
        assert_eq!((told.status, said["status"].as_str()), (400, Some("invalid event")), "{body}: {told:?}");
        let error = said["errors"][0].as_str().unwrap();
        assert_eq!(error.contains("It is kept"), kept, "{error}");
        assert!(!error.contains(TOKEN), "{error}");
    }
    assert_eq!(daemon.post("/v2/enqueue", b"no JSON").status, 400);
    let log = daemon.log();
    assert!(!log.contains(TOKEN), "{log}");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn the_alert_api_answers_in_its_own_words() {
    let daemon = daemon();
    let genie = format!("GenieKey {KEY}");
    let ask = |method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(daemon.address, method, path, &[("Authorization", &genie)], body.as_bytes()).unwrap()
    };
    let create = json!({"message": "lb-1 lost quorum", "alias": "lb/quorum/lb-1", "priority": "P1"});
    let told = ask("POST", "/v2/alerts", &create);
    assert_eq!(
        (told.status, told.json()["result"].as_str()),
        (202, Some("Request will be processed")),
        "{told:?}"
    );
    let id = told.json()["requestId"].as_str().unwrap().to_owned();
    assert_eq!(
        ask("GET", &format!("/v2/alerts/requests/{id}"), &Value::Null).json()["data"]["success"],
        true
    );
    daemon.mail_to("maya@example.net", "[INC-1] shop: lb-1 lost quorum");
    assert_eq!(
        ask("PUT", "/v2/alerts/lb/quorum/lb-1/message?identifierType=alias", &json!({"message": "m"})).status,
        202
    );
    assert_eq!(
        ask("POST", "/v2/alerts/lb%2Fquorum%2Flb-1/acknowledge?identifierType=alias", &json!({})).status,
        202
    );
    let token = daemon.token("maya");
    let incident = || daemon.api(&token, "GET", "/api/v1/incidents/1", &Value::Null).json();
    assert_eq!(incident()["state"], "triggered", "nobody has answered here");
    assert_eq!(ask("POST", "/v2/alerts/lb/quorum/lb-1/close?identifierType=alias", &Value::Null).status, 202);
    assert_eq!(incident()["alerts"][0]["status"], "resolved");
    assert_eq!(ask("POST", "/v2/alerts/nobody/close?identifierType=alias", &Value::Null).status, 202);

    let unnamed = ask("POST", "/v2/alerts", &json!({"alias": "a"}));
    assert!(
        unnamed.status == 400 && unnamed.json()["message"].as_str().unwrap().contains("`message`"),
        "{unnamed:?}"
    );
    assert_eq!(ask("POST", "/v2/alerts/a/frobnicate", &Value::Null).status, 404);
    let wrong =
        request(daemon.address, "POST", "/v2/alerts", &[("Authorization", "GenieKey wrong")], b"{}").unwrap();
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert_eq!(daemon.post("/v2/alerts", b"{}").status, 401);
    assert!(!daemon.log().contains(KEY));
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn cloudevents_ask_first_and_come_by_headers_with_an_access_token() {
    let token = "a-token-of-cloudevents";
    let house = on_a_file(HOUSE);
    let daemon = Daemon::start(&format!(
        "{house}[[source]]\nname = \"events\"\nkind = \"cloudevents\"\ntoken = \"{token}\"\nservice = \"shop\"\n"
    ));
    let ask = |path: &str, headers: &[(&str, &str)]| {
        request(daemon.address, "OPTIONS", path, headers, b"").unwrap()
    };
    let origin = ("WebHook-Request-Origin", "events.example.net");
    let in_path = format!("/in/events/{token}");
    let in_query = format!("/in/events?access_token={token}");
    for path in [&in_path, &in_query] {
        let told = ask(path, &[origin, ("WebHook-Request-Rate", "120")]);
        let head = told.head.to_ascii_lowercase();
        assert_eq!(told.status, 200, "{told:?}");
        assert!(head.contains("webhook-allowed-origin: events.example.net"), "{head}");
        assert!(head.contains("webhook-allowed-rate: 120") && head.contains("allow: post"), "{head}");
    }
    let bearer = format!("Bearer {token}");
    assert_eq!(ask("/in/events", &[origin, ("Authorization", &bearer)]).status, 200);
    for (path, headers, status) in [
        ("/in/events/a-token-of-somebody", &[origin][..], 401),
        ("/in/events", &[origin], 401),
        (&in_path, &[], 400),
        ("/in/scripts/test-token-of-scripts", &[origin], 405),
    ] {
        let told = ask(path, headers);
        assert_eq!(told.status, status, "{path}: {told:?}");
        assert!(!told.head.to_ascii_lowercase().contains("webhook-allowed"), "{}", told.head);
    }

    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/mon"),
        ("ce-type", "net.example.disk.firing"),
        ("Content-Type", "application/json"),
    ];
    let told = request(daemon.address, "POST", &in_query, &headers, br#"{"title": "disk full"}"#).unwrap();
    assert_eq!(told.json()["results"][0]["outcome"], "opened", "{told:?}");
    daemon.mail_to("maya@example.net", "disk full");
    let again = request(daemon.address, "POST", &in_query, &headers, br#"{"title": "disk full"}"#).unwrap();
    assert_eq!(again.json()["results"][0]["outcome"], "repeated", "{again:?}");
    let over = br#"{"specversion": "1.0", "id": "2", "source": "/mon", "type": "net.example.disk.resolved"}"#;
    assert_eq!(daemon.post(&in_path, over).json()["results"][0]["outcome"], "resolved");

    // Headers are texts as they come; one that cannot be read is not left out.
    let mut about = [
        ("ce-specversion", "1.0"),
        ("ce-id", "3"),
        ("ce-source", "/mon"),
        ("ce-type", "é.firing"),
        ("ce-subject", "é"),
    ];
    let told = request(daemon.address, "POST", &in_query, &about, b"").unwrap();
    assert_eq!(told.json()["results"][0]["key"], "/mon é é", "{told:?}");
    let long = "x".repeat(5000);
    about[4].1 = &long;
    let told = request(daemon.address, "POST", &in_query, &about, b"").unwrap();
    assert_eq!((told.status, told.json()["kept"].as_i64()), (400, Some(1)), "{told:?}");
    assert!(told.body.contains("`ce-subject` is longer than 4096 bytes"), "{told:?}");

    // A format that is not spoken is said in the words of the specification, and kept all the same.
    let xml = [("Content-Type", "application/cloudevents+xml")];
    let told = request(daemon.address, "POST", &in_query, &xml, b"<event/>").unwrap();
    assert_eq!((told.status, told.json()["kept"].as_i64()), (415, Some(2)), "{told:?}");
    assert_eq!(daemon.post(&in_path, b"{}").status, 400);
    assert!(!daemon.log().contains(token), "{}", daemon.log());
    for file in ["onscene.db", "onscene.db-wal"] {
        let bytes = std::fs::read(daemon.directory.join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(token), "{file} holds the token");
    }
}
