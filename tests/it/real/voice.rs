//! The page on which the PIO speaks, on a telephone and on a desk, and the page on which readers subscribe: axe looks at every state of
//! them, in light and in dark.

use serde_json::{Value, json};

use super::super::harness::{Daemon, eventually, free_port, request};
use super::command::{Telephone, axe, draws, house};
use super::scanner::Browser;

/// The usual house, which tells readers, heads and itself, and lets readers subscribe.
fn speaking(public: &str) -> String {
    let channels = [("heads", "stakeholder"), ("news", "public")].map(|(name, audience)| {
        format!("[[channel]]\nname = \"{name}\"\nkind = \"mail\"\naudience = \"{audience}\"\nrecipients = [\"{name}@example.net\"]\n")
    });
    let house = house()
        .replacen("name = \"shop\"", "name = \"shop\"\npublic_name = \"Online shop\"", 1)
        .replacen("[server]\n", &format!("[server]\npublic_listen = \"{public}\"\n"), 1);
    format!(
        "{house}\n{}\n[public]\nurl = \"http://{public}\"\n\n[[channel]]\nname = \"readers\"\nkind = \"mail\"\naudience = \"public\"\nsubscribers = true\n",
        channels.concat()
    )
}

/// The page as on a desk, too.
fn looks(pio: &mut Telephone<'_>, name: &str) {
    pio.looks(name);
    let size = |width, height| json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
    pio.tab.ask("Emulation.setDeviceMetricsOverride", size(1280, 900));
    let all = pio.tab.run("document.documentElement.scrollWidth");
    assert!(all.as_f64().unwrap() <= 1280.0, "{name} is {all} wide");
    draws(&mut pio.tab, &format!("{name}-desk"), true);
    axe(&mut pio.tab, &format!("{name} on a desk"));
    pio.tab.ask("Emulation.setDeviceMetricsOverride", size(390, 844));
}

#[test]
fn nobody_is_kept_from_speaking_by_the_page() {
    let public = format!("127.0.0.1:{}", free_port());
    let daemon = Daemon::start(&speaking(&public));
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let owned = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(owned.path());
    let mut pio = Telephone::new(&mut browser, &daemon, "maya", true);
    pio.logs_in(&daemon, &maya);
    pio.goes("/statements");
    looks(&mut pio, "60-nothing");
    let body = json!({"key": "k", "status": "firing", "title": "lb-frankfurt-7 lost its backend", "severity": "critical",
        "labels": {"instance": "paymentgw:9100"}});
    assert_eq!(daemon.post("/in/scripts/test-token-of-scripts", body.to_string().as_bytes()).status, 202);
    pio.goes("/statements");
    looks(&mut pio, "61-nobody-has-it");
    let says = |token: &str, path: &str, body: Value| {
        let said = daemon.api(token, "POST", path, &body);
        assert!((200..300).contains(&said.status), "{path}: {}", said.body);
    };
    says(&maya, "/api/v1/incidents/1/ack", json!({}));
    says(&maya, "/api/v1/incidents/1/question", json!({"from": "support desk", "text": "any update?"}));
    // What only the alert told waits for a second person.
    let leak = json!({"incident": 1, "audience": "public", "text": "The paymentgw is slow, we restarted 3 of them."});
    says(&tom, "/api/v1/statements", leak);
    says(
        &tom,
        "/api/v1/statements",
        json!({"incident": 1, "audience": "stakeholder", "text": "Some orders wait."}),
    );
    pio.goes("/statements");
    pio.tab.says("paymentgw");
    looks(&mut pio, "62-found");
    says(&maya, "/api/v1/statements/1-2/return", json!({"why": "say how many"}));
    says(&maya, "/api/v1/statements/1-1/override", json!({"why": "they run it; agreed with Legal"}));
    says(&maya, "/api/v1/statements/1-1/approve", json!({"term": 1}));
    pio.goes("/statements?incident=1");
    pio.tab.says("Approved");
    looks(&mut pio, "63-approved");
    pio.presses("form[action='/statements/1-1/publish'] button", "It is on its way.");
    looks(&mut pio, "64-sent");
    daemon.mail_to("news@example.net", "The paymentgw is slow");
    says(&maya, "/api/v1/statements/1-1/retract", json!({"text": "That was about other machines."}));
    says(&maya, "/api/v1/statements/1-3/publish", json!({}));
    says(&maya, "/api/v1/incidents/1/resolve", json!({"term": 1, "false_alarm": true}));
    pio.goes("/statements");
    pio.tab.says("not yet that it is over");
    looks(&mut pio, "65-owes-a-closing");
    // A form that is refused comes back with what was written, and why.
    pio.tab.run("document.querySelectorAll('details').forEach(one => { one.open = true; })");
    pio.tab.run("document.querySelectorAll('textarea[name=text]').forEach(one => { one.value = ''; })");
    pio.writes("[id='1-new-public-text']", "It works again, said Maya Lind.");
    pio.presses("form:has([id='1-new-public-text']) button", "it must not go out like this");
    pio.looks("66-refused");
}

#[test]
fn nobody_is_kept_from_subscribing_by_the_page() {
    let public = format!("127.0.0.1:{}", free_port());
    let daemon = Daemon::start(&speaking(&public));
    let owned = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(owned.path());
    let address = public.parse().unwrap();
    eventually("the page is there", || {
        request(address, "GET", "/subscribe", &[], b"").filter(|page| page.status == 200)
    });
    let token = "1-0123456789abcdef0123456789abcdef01234567";
    for (name, path) in [
        ("ask", "/subscribe".to_owned()),
        ("confirm", format!("/confirm?token={token}")),
        ("end", format!("/unsubscribe?token={token}")),
    ] {
        let mut tab = browser.open(&format!("http://{public}{path}"));
        tab.until("document.readyState == 'complete' && !!document.querySelector('main')");
        for width in [390, 1280] {
            let size = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500});
            tab.ask("Emulation.setDeviceMetricsOverride", size);
            for scheme in ["light", "dark"] {
                let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
                tab.ask("Emulation.setEmulatedMedia", features);
                draws(&mut tab, &format!("70-{name}-{width}-{scheme}"), true);
                axe(&mut tab, &format!("{name} in {scheme}, {width} wide"));
            }
            let all = tab.run("document.documentElement.scrollWidth");
            assert!(all.as_f64().unwrap() <= f64::from(width), "{name} is {all} wide");
            assert_eq!(tab.run("document.scripts.length"), 0, "{name}");
        }
    }
    drop(daemon);
}
