//! Commands from another machine: what they say to a running daemon, as whom, and where they learn its address.

use std::fs;
use std::process::{Command, Output};

use onscene::clock::Clock;
use onscene::store::Connection;
use serde_json::{Value, json};

use super::harness::{Daemon, HOUSE, binary, eventually};

/// Maya keeps the house, Tom does not.
fn house() -> String {
    HOUSE.replacen("name = \"maya\"\n", "name = \"maya\"\nadministrator = true\n", 1)
}

/// Runs a command that has no configuration, only the client's own file.
fn run(daemon: &Daemon, arguments: &[&str], token: Option<&str>) -> Output {
    let home = daemon.directory.join("home");
    fs::create_dir_all(home.join("onscene")).unwrap();
    let server = format!("server = \"http://{}\"", daemon.address);
    let file = match token {
        None => format!("[client]\n{server}\n"),
        Some(token) => {
            fs::write(home.join("token"), format!("{token}\n")).unwrap();
            format!("[client]\n{server}\ntoken_file = \"{}\"\n", home.join("token").display())
        }
    };
    fs::write(home.join("onscene/client.toml"), file).unwrap();
    let mut command = Command::new(binary());
    command.args(arguments).env("XDG_CONFIG_HOME", &home).env("ONSCENE_SPOOL", home.join("unsent"));
    command.env_remove("ONSCENE_TOKEN").env_remove("ONSCENE_CONFIG").output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn read(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn tokens_are_made_listed_and_revoked_at_a_running_daemon() {
    let daemon = Daemon::start(&house());
    let (maya, tom) = (daemon.token("maya"), daemon.token("tom"));
    let as_maya = |arguments: &[&str]| run(&daemon, arguments, Some(&maya));
    let as_tom = |arguments: &[&str]| run(&daemon, arguments, Some(&tom));

    let made = as_maya(&["token", "create", "--automation", "deploy-bot"]);
    assert!(made.status.success() && said(&made).contains("shown only this once"), "{made:?}");
    let robot = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    assert_eq!(daemon.api(&robot, "GET", "/api/v1/incidents", &Value::Null).status, 200);
    assert!(!daemon.log().contains(&robot), "{}", daemon.log());

    // Everybody has a say about their own tokens, and about no others.
    let refused = as_tom(&["token", "create", "--person", "maya"]);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("an administrator"), "{refused:?}");
    assert_eq!(as_tom(&["token", "create", "--automation", "x"]).status.code(), Some(1));
    let own = read(&as_tom(&["token", "create", "--person", "tom", "--json"]));
    let listed = read(&as_tom(&["token", "list", "--json"]));
    let listed = listed["tokens"].as_array().unwrap();
    assert!(listed.len() == 2 && listed.iter().all(|one| one["person"] == "tom"), "{listed:?}");
    let all = read(&as_maya(&["token", "list", "--json"]));
    let all = all["tokens"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    let mayas = all.iter().find(|one| one["person"] == "maya").unwrap()["id"].as_str().unwrap();
    let refused = as_tom(&["token", "revoke", mayas]);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("no token"), "{refused:?}");
    assert!(as_tom(&["token", "revoke", own["id"].as_str().unwrap()]).status.success());
    let gone = own["token"].as_str().unwrap();
    assert_eq!(daemon.api(gone, "GET", "/api/v1/incidents", &Value::Null).status, 401);
    let unknown = as_maya(&["token", "revoke", "../../incidents/1/resolve"]);
    assert!(unknown.status.code() == Some(1) && said(&unknown).contains("no token"), "{unknown:?}");

    // A program has no say at all, and bad words are told.
    let post = |token: &str, body: Value| daemon.api(token, "POST", "/api/v1/tokens", &body).status;
    assert_eq!(post(&robot, json!({"automation": "deploy-bot"})), 403);
    assert_eq!(post(&maya, json!({"person": "nobody"})), 422);
    assert_eq!(post(&maya, json!({})), 422);
    assert_eq!(post(&maya, json!({"person": "tom", "automation": "x"})), 422);
    assert_eq!(post(&maya, json!({"automation": "two\nlines"})), 422);
    assert_eq!(post(&maya, json!({"automaton": "x"})), 400);
    assert_eq!(post("wrong", json!({"person": "tom"})), 401);
    let both = run(&daemon, &["token", "list", "--config", "x.toml", "--server", "http://127.0.0.1:1"], None);
    assert!(both.status.code() == Some(2) && said(&both).contains("one or the other"), "{both:?}");
    let none = run(&daemon, &["token", "list"], None);
    assert!(none.status.code() == Some(2) && said(&none).contains("a token is needed"), "{none:?}");
}

#[test]
fn a_holder_has_a_hundred_tokens_at_most() {
    let daemon = Daemon::start(&house());
    let maya = daemon.token("maya");
    let make = || daemon.api(&maya, "POST", "/api/v1/tokens", &json!({"automation": "bot"}));
    let made: Vec<_> = (0..100).map(|_| make()).collect();
    let last = made.last().unwrap();
    assert_eq!(last.status, 201, "{last:?}");
    let over = make();
    assert!(over.status == 409 && over.body.contains("revoke one"), "{over:?}");
    let id = last.json()["id"].as_str().unwrap().to_owned();
    let revoked = daemon.api(&maya, "POST", &format!("/api/v1/tokens/{id}/revoke"), &Value::Null);
    assert_eq!((revoked.status, make().status), (200, 201));
}

#[test]
fn timelines_are_proved_at_a_running_daemon() {
    let daemon = Daemon::start(&house());
    let maya = daemon.token("maya");
    // More than fit into one answer.
    let many: Vec<Value> = (0..501)
        .map(|n| json!({"key": format!("k{n}"), "status": "firing", "title": format!("k{n} is down")}))
        .collect();
    let told = daemon.post("/in/scripts/test-token-of-scripts", Value::from(many).to_string().as_bytes());
    assert_eq!(told.status, 202, "{told:?}");
    let proof = run(&daemon, &["verify"], Some(&maya));
    assert!(proof.status.success() && said(&proof).starts_with("501 incidents, "), "{proof:?}");
    assert!(said(&proof).contains(": whole"), "{proof:?}");
    let one = read(&run(&daemon, &["verify", "7", "--json"], Some(&maya)));
    assert_eq!((one["incidents"].as_u64(), &one["broken"]), (Some(1), &json!([])), "{one}");
    let gone = run(&daemon, &["verify", "777"], Some(&maya));
    assert!(gone.status.code() == Some(1) && said(&gone).contains("INC-777: there is no such"), "{gone:?}");
    assert_eq!(daemon.get("/api/v1/verify").unwrap().status, 401);

    let mut store = Connection::writer(&daemon.place(), &Clock::system()).unwrap();
    // The daemon writes too, and may have its turn.
    eventually("somebody changes an entry", || {
        let sql = "update entry set text = 'nothing' where incident = 7 and seq = 1";
        store.write(jiff::Timestamp::now(), |tx| tx.write(sql, &[])).ok()
    });
    let broken = run(&daemon, &["verify"], Some(&maya));
    assert!(broken.status.code() == Some(1) && said(&broken).contains("INC-7: entry 1"), "{broken:?}");
    assert!(said(&broken).contains("NOT whole"), "{broken:?}");
}

#[test]
fn what_was_kept_is_read_again_by_a_running_daemon() {
    let daemon = Daemon::start(&house());
    let maya = daemon.token("maya");
    for body in [&br#"{"key":"db-1","status":"firing","title":"db-1 is down"}"#[..], b"no JSON at all"] {
        assert_eq!(daemon.post("/in/pingdom/test-token-of-pingdom", body).status, 400);
    }
    let listed = run(&daemon, &["replay", "--list"], Some(&maya));
    let lines = String::from_utf8_lossy(&listed.stdout).lines().count();
    assert!(listed.status.success() && lines == 2, "{listed:?}");
    assert!(!said(&listed).contains("db-1"), "the bodies themselves are nobody's business: {listed:?}");
    let still = run(&daemon, &["replay"], Some(&maya));
    assert!(
        still.status.code() == Some(1) && said(&still).contains("0 read, 2 still unreadable"),
        "{still:?}"
    );

    let text = fs::read_to_string(&daemon.config).unwrap();
    fs::write(&daemon.config, text.replacen("kind = \"pingdom\"", "kind = \"generic\"", 1)).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload", || daemon.log().contains("was read again and is in use").then_some(()));
    let read = run(&daemon, &["replay", "1"], Some(&maya));
    assert!(read.status.success() && said(&read).contains("1 pingdom: db-1 opened INC-2"), "{read:?}");
    let again = run(&daemon, &["replay", "1"], Some(&maya));
    assert!(again.status.code() == Some(1) && said(&again).contains("has the number 1"), "{again:?}");
    let post = |token: &str, id: &str| {
        daemon.api(token, "POST", &format!("/api/v1/unreadable/{id}/replay"), &Value::Null).status
    };
    assert_eq!(
        [post(&maya, "1"), post(&maya, "x"), post(&maya, "2"), post("wrong", "2")],
        [404, 404, 422, 401]
    );
    daemon.mail_to("maya@example.net", "[INC-2] shop: db-1 is down");
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn of_a_body_that_stays_unreadable_what_can_be_read_is_taken_once() {
    let daemon = Daemon::start(&house());
    let maya = daemon.token("maya");
    let since = jiff::Timestamp::now();
    let alert = |name: &str| json!({"status": "firing", "labels": {"alertname": name}, "startsAt": since});
    let odd = json!({"labels": {"alertname": "odd"}, "startsAt": since});
    let body = json!({"version": "4", "status": "firing", "alerts": [alert("disk"), odd, alert("load")]});
    let answer = daemon.post("/in/pingdom/test-token-of-pingdom", body.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{answer:?}");
    let text = fs::read_to_string(&daemon.config).unwrap();
    fs::write(&daemon.config, text.replacen("kind = \"pingdom\"", "kind = \"alertmanager\"", 1)).unwrap();
    daemon.program.as_ref().unwrap().signal("HUP");
    eventually("the reload", || daemon.log().contains("was read again and is in use").then_some(()));

    let read = run(&daemon, &["replay"], Some(&maya));
    assert_eq!(read.status.code(), Some(1), "{read:?}");
    let words = said(&read);
    assert!(words.contains("opened INC-2") && words.contains("opened INC-3"), "{words}");
    assert!(words.contains("still unreadable: alerts[1]"), "{words}");
    assert!(words.contains("0 read, 1 still unreadable, 1 of them in part"), "{words}");
    let again = daemon.api(&maya, "POST", "/api/v1/unreadable/1/replay", &Value::Null);
    let told = again.json();
    assert_eq!((again.status, told["kept"].as_i64()), (422, Some(1)), "{again:?}");
    assert!(told["detail"].as_str().unwrap().contains("alerts[1]"), "{told}");
    let outcomes: Vec<&str> =
        told["results"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["stale", "stale"]);
    // The same on the store itself.
    let here = daemon.command(&["replay", "--json"], None);
    let here: Value = serde_json::from_slice(&here.stdout).unwrap();
    assert!(here["result"].as_str().unwrap().contains("stale INC-2"), "{here}");
    assert!(here["error"].as_str().unwrap().contains("alerts[1]"), "{here}");
    let alerts = daemon.api(&maya, "GET", "/api/v1/incidents/2", &Value::Null).json()["alerts"].clone();
    assert_eq!(alerts[0]["count"], 1, "{alerts}");
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_script_learns_from_the_clients_own_file_where_to_send() {
    let daemon = Daemon::start(HOUSE);
    let arguments = ["send", "scripts", "--key", "disk", "--title", "disk full"];
    let sent = run(&daemon, &arguments, Some("test-token-of-scripts"));
    assert_eq!(String::from_utf8_lossy(&sent.stdout), "opened INC-1\n", "{sent:?}");
    let wrong = run(&daemon, &arguments, Some("another"));
    assert!(wrong.status.code() == Some(1) && said(&wrong).contains("token of this source"), "{wrong:?}");
    let none = run(&daemon, &arguments, None);
    assert!(none.status.code() == Some(2) && said(&none).contains("--token-file"), "{none:?}");
}
