//! Client libraries of PagerDuty and Opsgenie, unmodified, that are only told another address.

use std::path::PathBuf;
use std::process::Command;

use super::super::harness::{Daemon, HOUSE, eventually, free_port, program};
use super::{Authority, of_project, run, spawn};

const TOKEN: &str = "0f3b6c1e9a7d4528b1c0e5f2a9d84763";
const KEY: &str = "a-key-of-opsgenie-senders";

/// Runs a script with the client libraries that `tests/validators` installs, as their users would; what it prints.
fn with_clients(script: &str, daemon: &Daemon, key: &str) -> String {
    let python = of_project("target/validators/python/bin/python");
    assert!(python.is_file(), "this test needs the client libraries; tests/validators installs them");
    let address = format!("https://localhost:{}", daemon.address.port());
    run(Command::new(python).args(["-c", script, &address, key]).envs(trusting(daemon)))
}

/// For whoever is to trust the authority of a daemon: OpenSSL, and what Python lays over it, listen to these.
fn trusting(daemon: &Daemon) -> [(&'static str, PathBuf); 2] {
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"].map(|name| (name, daemon.directory.join("ca.pem")))
}

/// A daemon with TLS, as its senders reach it from outside.
fn daemon() -> Daemon {
    let source = |name: &str, token: &str| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"{name}\"\ntoken = \"{token}\"\nservice = \"shop\"\n")
    };
    let tls = "[server]\ntls_certificate = \"DIR/leaf.pem\"\ntls_key = \"DIR/leaf.key\"\n";
    let house = HOUSE.replace("[server]\n", tls);
    let mut daemon =
        Daemon::prepare(&format!("{house}{}{}", source("pagerduty-events", TOKEN), source("opsgenie", KEY)));
    let _leaf = Authority::new(&daemon.directory).sign("leaf");
    daemon.launch(&[]);
    eventually("TLS is served", || get(&daemon, "/readyz").filter(|said| said == "ready\n"));
    daemon
}

fn get(daemon: &Daemon, path: &str) -> Option<String> {
    let mut curl = Command::new(program(&["curl"]));
    curl.arg("-fsS").arg("--cacert").arg(daemon.directory.join("ca.pem"));
    let output = curl.arg(format!("https://localhost:{}{path}", daemon.address.port())).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How many events of a source had these outcomes.
fn outcomes<const N: usize>(daemon: &Daemon, source: &str, outcomes: [&str; N]) -> [u32; N] {
    let metrics = get(daemon, "/metrics").unwrap();
    assert!(metrics.contains("onscene_events_unaccounted 0\n"), "{metrics}");
    outcomes.map(|outcome| {
        let name = format!("onscene_events_total{{outcome=\"{outcome}\",source=\"{source}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse().unwrap())
    })
}

const OF_PAGERDUTY: &str = r#"
import sys
from pagerduty import EventsApiV2Client
from pagerduty.errors import HttpError

client = EventsApiV2Client(sys.argv[2], base_url=sys.argv[1])
given = client.trigger("backup failed", "db-2", dedup_key="db-2/backup", severity="critical",
    custom_details={"exit": 3}, links=[{"href": "https://runbooks.example.net/backup", "text": "runbook"}])
assert given == "db-2/backup", given
made = client.trigger("disk full", "db-3")
assert len(made) == 32, made
assert client.acknowledge(given) == given
assert client.resolve(given) == given
assert client.resolve(made) == made
client.submit("build 7 is out", source="ci", timestamp="2026-01-02T03:04:05Z")
try:
    EventsApiV2Client("no such key", base_url=sys.argv[1]).trigger("x", "y")
    raise SystemExit("a wrong key was taken")
except HttpError as error:
    assert error.response.status_code == 400, error
print("done")
"#;

#[test]
fn pagerdutys_own_client_library_works_unchanged() {
    let daemon = daemon();
    assert!(with_clients(OF_PAGERDUTY, &daemon, TOKEN).contains("done"));
    daemon.mail_to("maya@example.net", "[INC-1] shop: backup failed");
    assert_eq!(outcomes(&daemon, "pagerduty-events", ["opened", "acknowledged", "resolved"]), [2, 1, 2]);
}

const OF_OPSGENIE: &str = r#"
import os
import sys
import opsgenie_sdk as sdk
from opsgenie_sdk.exceptions import OpenApiException

def api(key):
    configuration = sdk.Configuration()
    configuration.host = sys.argv[1]
    configuration.ssl_ca_cert = os.environ["SSL_CERT_FILE"]
    configuration.api_key["Authorization"] = key
    return sdk.AlertApi(api_client=sdk.ApiClient(configuration=configuration))

client = api(sys.argv[2])
payload = sdk.CreateAlertPayload(message="lb-1 lost quorum", alias="lb/quorum/lb-1", description="2 of 3 are gone",
    priority="P1", tags=["lb", "osl"], details={"site": "osl"}, entity="lb-1", source="quorum-check")
created = client.create_alert(create_alert_payload=payload)
assert created.result == "Request will be processed", created
# The library asks for the outcome of its request, and then for the alert by its id.
assert created.id, created
alert = created.retrieve_resulting_action().data
assert alert.alias == "lb/quorum/lb-1" and alert.status == "open" and alert.priority == "P1", alert
assert alert.message == "lb-1 lost quorum" and alert.details["site"] == "osl" and not alert.acknowledged, alert
listed = client.list_alerts(query="status: open").data
assert [one.alias for one in listed] == ["lb/quorum/lb-1"], listed
assert client.add_note(identifier=created.id, add_note_to_alert_payload=sdk.AddNoteToAlertPayload(note="on it")).result
assert client.acknowledge_alert(identifier="lb/quorum/lb-1", identifier_type="alias").result
assert client.close_alert(identifier=created.id, close_alert_payload=sdk.CloseAlertPayload(note="mended")).result
assert client.get_alert(identifier="lb/quorum/lb-1", identifier_type="alias").data.status == "closed"
for wrong, status in [(lambda: client.get_alert(identifier="nobody"), 404),
                      (lambda: client.get_alert(identifier="7", identifier_type="tiny"), 422),
                      (lambda: client.list_alerts(query="tag: osl"), 422),
                      (lambda: api("no such key").list_alerts(), 401)]:
    try:
        wrong()
        raise SystemExit("a wrong request was taken")
    except OpenApiException as error:
        assert error.status == status, error
print("done")
"#;

#[test]
fn opsgenies_own_sdk_works_unchanged() {
    let daemon = daemon();
    assert!(with_clients(OF_OPSGENIE, &daemon, KEY).contains("done"));
    daemon.mail_to("maya@example.net", "[INC-1] shop: lb-1 lost quorum");
    assert_eq!(outcomes(&daemon, "opsgenie", ["opened", "acknowledged", "resolved"]), [1, 1, 1]);
    assert!(daemon.verify().contains("whole"));
}

/// Alertmanager, which tells PagerDuty and Opsgenie.
const ROUTE: &str = r#"
route: {receiver: both, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: both
    pagerduty_configs:
      - {url: "ONSCENE/v2/enqueue", routing_key: PAGERDUTY, send_resolved: true, http_config: {tls_config: {ca_file: CA}}}
    opsgenie_configs:
      - {api_url: "ONSCENE/", api_key: OPSGENIE, send_resolved: true, priority: P1, http_config: {tls_config: {ca_file: CA}}}
"#;

#[test]
fn alertmanagers_own_receivers_of_both_fire_and_resolve() {
    let daemon = daemon();
    let port = free_port();
    let at = |name: &str| daemon.directory.join(name).to_str().unwrap().to_owned();
    let onscene = format!("https://localhost:{}", daemon.address.port());
    let route = ROUTE.replace("ONSCENE", &onscene).replace("PAGERDUTY", TOKEN).replace("OPSGENIE", KEY);
    std::fs::write(at("alertmanager.yml"), route.replace("CA}", &format!("{}}}", at("ca.pem")))).unwrap();
    let _alertmanager = spawn(
        "prometheus-alertmanager",
        &[
            &format!("--config.file={}", at("alertmanager.yml")),
            &format!("--storage.path={}", at("alertmanager")),
            &format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=",
        ],
        &daemon.directory.join("log"),
    );
    let alert = |more: &[&str]| {
        let mut amtool = Command::new(program(&["amtool"]));
        amtool.arg(format!("--alertmanager.url=http://127.0.0.1:{port}")).args([
            "alert",
            "add",
            "DiskFull",
            "host=db-1",
        ]);
        amtool.args(more).output().is_ok_and(|output| output.status.success())
    };
    eventually("Alertmanager takes an alert", || alert(&[]).then_some(()));
    let both = ["pagerduty-events", "opsgenie"];
    // Both name the alert alike, so that one opens an incident and the other joins it.
    eventually("both have said so", || {
        let said = both.map(|source| outcomes(&daemon, source, ["opened", "joined"]));
        (said == [[1, 0], [0, 1]] || said == [[0, 1], [1, 0]]).then_some(())
    });
    let now = run(Command::new(program(&["date"])).args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]));
    assert!(alert(&[&format!("--end={}", now.trim())]));
    eventually("both have recovered", || {
        both.iter().all(|source| outcomes(&daemon, source, ["resolved"]) == [1]).then_some(())
    });
    assert!(daemon.verify().contains("whole"));
}
