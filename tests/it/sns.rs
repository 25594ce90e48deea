//! What Amazon SNS sends, proven by its signature: the running daemon beside an Amazon of our own, which has the real names
//! and port 443 in a network of its own.
//!
//! The daemon and a proxy stand in a network and mount namespace, where `/etc/hosts` gives Amazon's names, and those of who
//! would like to be Amazon, to the proxy. It leads to a server in this test, by a Unix socket, which speaks TLS and answers
//! with certificates of an authority that only this daemon trusts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::harness::{Answer, Daemon, HOUSE, Program, binary, eventually, program, request};

const HOST: &str = "sns.eu-north-1.amazonaws.com";
const TOPIC: &str = "arn:aws:sns:eu-north-1:111122223333:pager";
const TOKEN: &str = "a-token-of-aws-senders";
/// What only Amazon and the operator may know.
const SECRET: &str = "2336412f37fb687f5d51e6e241d09c80";
/// Names that would lead to the same server, if anybody asked for them.
const LOOK_ALIKES: &[&str] = &[
    "sns.eu-north-1.amazonaws.com.evil.net",
    "sns.eu.amazonaws.com.evil.net",
    "evil.net",
    "evil",
    "sns.us-east-1.amazonaws.com",
    "sns.amazonaws.com",
];

fn key() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sns/signer.key")
}

/// What the server that calls itself Amazon does.
#[derive(Default)]
struct Manner {
    /// Its certificate is of an authority that nobody trusts.
    is_stranger: bool,
    /// It answers with an error, or leads elsewhere.
    answers: Option<&'static str>,
    /// What it was asked for.
    asked: Vec<String>,
}

/// An authority, as PEM, and how to ask it for certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    fn server(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names = [HOST].iter().chain(LOOK_ALIKES).map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// The certificate of the key of the fixtures, alone, as Amazon gives it.
    fn signer(&self) -> String {
        let key = KeyPair::from_pem(&fs::read_to_string(key()).unwrap()).unwrap();
        let params = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap();
        params.signed_by(&key, &self.issuer).unwrap().pem()
    }
}

/// The daemon, and Amazon as it knows it.
struct World {
    daemon: Daemon,
    manner: Arc<Mutex<Manner>>,
    _proxies: [Program; 2],
}

impl World {
    fn new() -> Self {
        let source = |name: &str, more: &str| {
            format!("[[source]]\nname = \"{name}\"\nkind = \"cloudwatch\"\nservice = \"shop\"\n{more}\n")
        };
        let topics = format!("topics = [\"{TOPIC}\"]");
        let sources = [
            source("signed", &topics),
            source("by-token", &format!("token = \"{TOKEN}-1\"")),
            source("both", &format!("{topics}\ntoken = \"{TOKEN}-2\"\nraw = true")),
            source("enveloped", &format!("{topics}\ntoken = \"{TOKEN}-3\"")),
        ];
        let mut daemon = Daemon::prepare(&format!("{HOUSE}{}", sources.concat()));
        let manner = Arc::new(Mutex::new(Manner::default()));
        let directory = daemon.directory.clone();
        let authority = Authority::new();
        fs::write(directory.join("ca.pem"), &authority.pem).unwrap();
        serve(&directory.join("amazon"), &authority, manner.clone());
        let inside = launch(&mut daemon);
        let port = daemon.address.port();
        let place = directory.display();
        let pid = inside.to_string();
        let inner = format!(
            "{}\n{}",
            way("amazon", "127.0.0.1:443", &format!("unix@{place}/amazon")),
            way("in", &format!("unix@{place}/in"), &format!("127.0.0.1:{port}")),
        );
        let outer = way("out", &format!("127.0.0.1:{port}"), &format!("unix@{place}/in"));
        let mut enter = Command::new(program(&["nsenter"]));
        enter.args(["--target", &pid, "--net"]);
        if !is_root() {
            enter.args(["--user", "--preserve-credentials"]);
        }
        enter.arg(program(&["haproxy"]));
        let proxies = [
            proxy(enter, &directory, "inner", &inner),
            proxy(Command::new(program(&["haproxy"])), &directory, "outer", &outer),
        ];
        eventually("the daemon is ready", || daemon.get("/readyz").filter(|answer| answer.status == 200));
        Self { daemon, manner, _proxies: proxies }
    }

    fn send(&self, path: &str, body: &Value) -> Answer {
        let headers =
            [("Content-Type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")];
        request(self.daemon.address, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.manner.lock().unwrap().asked.clone()
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

/// Starts the daemon in a network and a view of `/etc/hosts` of its own; answers its id.
fn launch(daemon: &mut Daemon) -> u32 {
    let directory = daemon.directory.clone();
    let place = directory.display();
    let names =
        [HOST].iter().chain(LOOK_ALIKES).map(|name| format!("127.0.0.1 {name}\n")).collect::<String>();
    fs::write(directory.join("hosts"), format!("127.0.0.1 localhost\n{names}")).unwrap();
    let script = format!(
        "set -e\n{} link set lo up\n{} --bind {place}/hosts /etc/hosts\ntouch {place}/inside\nexec {} serve --config {}\n",
        program(&["ip"]).display(),
        program(&["mount"]).display(),
        binary().display(),
        daemon.config.display(),
    );
    fs::write(directory.join("script"), script).unwrap();
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
    let mut command = Command::new(program(&["unshare"]));
    command.args(["--net", "--mount"]);
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("sh").arg(directory.join("script")).env("SSL_CERT_FILE", directory.join("ca.pem"));
    command.env_remove("SSL_CERT_DIR").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let child = command.spawn().unwrap();
    let pid = child.id();
    daemon.program = Some(Program(child));
    eventually("the network of its own", || directory.join("inside").exists().then_some(()));
    pid
}

/// A way for a proxy, from one place to another.
fn way(name: &str, from: &str, to: &str) -> String {
    format!("listen {name}\n  bind {from}\n  server one {to}\n")
}

fn proxy(mut command: Command, directory: &Path, name: &str, ways: &str) -> Program {
    let defaults = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n";
    let config = directory.join(format!("{name}.cfg"));
    fs::write(&config, format!("{defaults}{ways}")).unwrap();
    let log = fs::File::create(directory.join(format!("{name}.log"))).unwrap();
    command.args(["-db", "-f"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Program(command.spawn().unwrap())
}

fn serve(socket: &Path, authority: &Authority, manner: Arc<Mutex<Manner>>) {
    let listener = UnixListener::bind(socket).unwrap();
    let (trusted, stranger) = (authority.server(), Authority::new().server());
    let certificate = authority.signer();
    std::thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            let config = if manner.lock().unwrap().is_stranger { stranger.clone() } else { trusted.clone() };
            let _broken = answer(connection, config, &manner, &certificate);
        }
    });
}

fn answer(
    connection: UnixStream,
    config: Arc<ServerConfig>,
    manner: &Mutex<Manner>,
    certificate: &str,
) -> std::io::Result<()> {
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(tls, connection);
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        said.extend(byte);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    let host =
        said.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
    let path = said.split(' ').nth(1).unwrap_or_default();
    let mut manner = manner.lock().unwrap();
    manner.asked.push(format!("{}{path}", host.unwrap_or_default()));
    let body = if path.ends_with(".pem") { certificate } else { "<ConfirmSubscriptionResponse/>" };
    let head = manner.answers.unwrap_or("200 OK");
    write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Signs a message as Amazon does. Which lines are signed is said here once more, and not taken from the program.
fn signed(mut message: Value, version: &str) -> Value {
    let names: &[&str] = match message["Type"].as_str() {
        Some("Notification") => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    };
    let said = |name: &&&str| message[**name].as_str().map(|value| format!("{name}\n{value}\n"));
    let lines: String = names.iter().filter_map(|name| said(&name)).collect();
    let hash = if version == "1" { "-sha1" } else { "-sha256" };
    let mut child = Command::new(program(&["openssl"]))
        .args(["dgst", hash, "-sign"])
        .arg(key())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let made = child.wait_with_output().unwrap();
    assert!(made.status.success(), "{made:?}");
    message["SignatureVersion"] = json!(version);
    message["Signature"] = json!(onscene::crypto::base64(&made.stdout));
    message
}

fn but_version(message: &Value, version: &str) -> Value {
    let mut message = message.clone();
    message["SignatureVersion"] = json!(version);
    message
}

fn certificate() -> String {
    format!("https://{HOST}/SimpleNotificationService-0a1b2c.pem")
}

fn ago(minutes: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    format!("{at:.3}")
}

fn alarm(id: &str, state: &str) -> Value {
    let alarm = json!({"AlarmName": "orders-queue-age", "NewStateValue": state, "NewStateReason": "Threshold\nCrossed €",
        "AlarmArn": "arn:aws:cloudwatch:eu-north-1:111122223333:alarm:orders-queue-age"});
    json!({"Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Subject": "ALARM: \"orders-queue-age\"",
        "Message": alarm.to_string(), "Timestamp": ago(0), "SigningCertURL": certificate()})
}

fn confirmation(of: &str) -> Value {
    let url = format!("https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={SECRET}");
    json!({"Type": of, "MessageId": format!("{of}-1"), "TopicArn": TOPIC, "Message": "You have chosen", "Token": SECRET,
        "SubscribeURL": url, "Timestamp": ago(0), "SigningCertURL": certificate()})
}

fn outcome(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["results"][0]["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn a_topic_is_confirmed_and_its_alarms_are_proven_by_amazon() {
    let world = World::new();
    let subscription = signed(confirmation("SubscriptionConfirmation"), "1");
    assert_eq!(world.send("/in/signed", &subscription).status, 202);
    let confirmed = format!("{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={SECRET}");
    let expected = [format!("{HOST}/SimpleNotificationService-0a1b2c.pem"), confirmed];
    assert_eq!(world.asked(), expected);

    let fires = signed(alarm("m-1", "ALARM"), "2");
    assert_eq!(outcome(&world.send("/in/signed", &fires)), "opened");
    world.daemon.mail_to("maya@example.net", "orders-queue-age");
    assert_eq!(outcome(&world.send("/in/signed", &signed(alarm("m-2", "OK"), "1"))), "resolved");
    // Whoever has overheard it opens nothing again.
    assert_eq!(outcome(&world.send("/in/signed", &fires)), "repeated");
    assert_eq!(world.asked(), expected, "the certificate is remembered");

    let end = signed(confirmation("UnsubscribeConfirmation"), "1");
    assert_eq!(world.send("/in/signed", &end).status, 202);
    world.daemon.mail_to("maya@example.net", "will not send alarms");
    assert_eq!(world.asked(), expected, "nobody subscribes again by himself");
    let log = world.daemon.log();
    assert!(log.contains("a subscription was confirmed at SNS") && !log.contains(SECRET), "{log}");
}

#[test]
fn who_is_not_amazon_is_refused_and_leads_us_nowhere() {
    let world = World::new();
    let good = signed(alarm("m-1", "ALARM"), "2");
    let with = |name: &str, value: &str| {
        let mut message = alarm("m-1", "ALARM");
        message[name] = json!(value);
        signed(message, "2")
    };
    let mut refused = vec![
        with("TopicArn", "arn:aws:sns:eu-north-1:111122223333:another"),
        with("TopicArn", "arn:aws:sns:eu-north-1:444455556666:pager"),
        json!({"AlarmName": "orders-queue-age", "NewStateValue": "OK"}),
        json!({}),
    ];
    // What may be a fault of ours, such as the clock, is said so that Amazon sends it again.
    let mut unsure = vec![with("Timestamp", &ago(70)), with("Timestamp", &ago(-70)), but_version(&good, "3")];
    for url in [
        "https://sns.eu-north-1.amazonaws.com.evil.net/a.pem",
        "https://sns.eu.amazonaws.com.evil.net/a.pem",
        "https://sns.amazonaws.com@evil/a.pem",
        "https://sns.eu-north-1.amazonaws.com@evil.net/a.pem",
        "https://sns.eu-north-1.amazonaws.com:443/a.pem",
        "https://sns.eu-north-1.amazonaws.com:8443/a.pem",
        "http://sns.eu-north-1.amazonaws.com/a.pem",
        "https://sns.eu-north-1.amazonaws。com/a.pem",
        "https://SNS.EU-NORTH-1.AMAZONAWS.COM/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.amazonaws.com/a.pem",
        "https://evil.net/sns.eu-north-1.amazonaws.com/a.pem",
        "https://127.0.0.1/a.pem",
        "file:///etc/hosts.pem",
    ] {
        unsure.push(with("SigningCertURL", url));
    }
    refused.push(with("MessageId", "m-1\nSubject\nanother"));
    for (messages, status) in [(&refused, 401), (&unsure, 503)] {
        for message in messages {
            let told = world.send("/in/signed", message);
            assert_eq!(told.status, status, "{message}: {told:?}");
        }
    }
    let topic = [("x-amz-sns-topic-arn", "arn:aws:sns:eu-north-1:111122223333:another")];
    let told =
        request(world.daemon.address, "POST", "/in/signed", &topic, good.to_string().as_bytes()).unwrap();
    assert_eq!(told.status, 401, "{told:?}");
    assert_eq!(world.asked(), [""; 0], "nobody was asked for anything");

    // These need the certificate before they are known to be false.
    let but = |name: &str, value: Value| {
        let mut message = good.clone();
        message[name] = value;
        message
    };
    let tampered = alarm("m-1", "OK")["Message"].clone();
    for message in [
        but("Message", tampered),
        but("MessageId", json!("m-2")),
        but("Subject", Value::Null),
        but("SignatureVersion", json!("1")),
        but("Signature", json!("AAAA")),
    ] {
        let told = world.send("/in/signed", &message);
        assert_eq!(told.status, 401, "{message}: {told:?}");
    }
    let mut first = signed(alarm("m-1", "ALARM"), "1");
    first["SignatureVersion"] = json!("2");
    assert_eq!(world.send("/in/signed", &first).status, 401);
    let mut elsewhere = confirmation("SubscriptionConfirmation");
    elsewhere["SubscribeURL"] = json!(format!("https://evil.net/?Action=ConfirmSubscription&Token={SECRET}"));
    assert_eq!(world.send("/in/signed", &signed(elsewhere, "2")).status, 503);
    assert_eq!(world.asked().len(), 1);
    let refusals = |reason: &str| {
        world.daemon.metric(&format!("onscene_refused_total{{reason=\"{reason}\",source=\"signed\"}}"))
    };
    assert_eq!((refusals("topic"), refusals("hour"), refusals("form")), (3.0, 2.0, 16.0));
    let log = world.daemon.log();
    let said = |reason: &str| log.matches(&format!("reason={reason} ")).count();
    assert_eq!((said("topic"), said("hour"), said("form"), said("signature")), (1, 1, 1, 1), "{log}");
    assert!(world.daemon.mails().is_empty());
    assert_eq!(outcome(&world.send("/in/signed", &good)), "opened");
    // What is refused is nobody's, and is not kept.
    assert_eq!(world.daemon.metric("onscene_events_unaccounted"), 0.0);
    let told = world.daemon.command(&["replay", "--list"], None);
    assert!(told.status.success() && !String::from_utf8_lossy(&told.stdout).contains("signed"), "{told:?}");
}

#[test]
fn a_signed_message_that_cannot_be_read_is_kept_once_and_without_what_is_not_signed() {
    let world = World::new();
    let mut message = alarm("m-1", "ALARM");
    message["Message"] = json!("{\"AlarmName\": \"orders-queue-age\", \"NewStateValue\": \"PERHAPS\"}");
    let mut message = signed(message, "2");
    message["AddedBySomebody"] = json!("x".repeat(900_000));
    let long = "x".repeat(5000);
    for (n, kept) in [(1, Some(1)), (2, None), (3, None)] {
        let headers = [("x-amz-sns-message-id", &*long), ("Content-Type", &*long)];
        let body = message.to_string();
        let told = request(world.daemon.address, "POST", "/in/signed", &headers, body.as_bytes()).unwrap();
        assert!(told.body.contains("NewStateValue"), "{n}: {told:?}");
        assert_eq!((told.status, told.json()["kept"].as_i64()), (400, kept), "{n}: {told:?}");
    }
    let token = world.daemon.token("maya");
    let list = world.daemon.command(&["replay", "--list"], Some(&token));
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 1, "{list:?}");
    assert!(
        fs::metadata(world.daemon.directory.join("onscene.db-wal")).map_or(0, |facts| facts.len()) < 900_000
    );
}

#[test]
fn an_amazon_that_cannot_prove_its_name_or_fails_is_asked_again_later() {
    let world = World::new();
    let good = signed(alarm("m-1", "ALARM"), "2");
    world.manner.lock().unwrap().is_stranger = true;
    let told = world.send("/in/signed", &good);
    assert!(told.status == 503 && told.head.to_ascii_lowercase().contains("retry-after: 20"), "{told:?}");
    assert_eq!(world.asked(), [""; 0], "nothing is said to who cannot prove his name");
    world.manner.lock().unwrap().is_stranger = false;
    // What has failed is not asked again at once.
    assert_eq!(world.send("/in/signed", &good).status, 503);
    eventually("it is asked again", || {
        let told = world.send("/in/signed", &good);
        (told.status == 202).then_some(())
    });

    for answer in
        ["302 Found\r\nLocation: https://evil.net/confirmed", "500 Internal Server Error", "403 Forbidden"]
    {
        world.manner.lock().unwrap().answers = Some(answer);
        let mut subscription = confirmation("SubscriptionConfirmation");
        // Another address each time, for one that has just failed is not asked again.
        let url =
            format!("https://{HOST}/?Action=ConfirmSubscription&Token={SECRET}&n={}", world.asked().len());
        subscription["SubscribeURL"] = json!(url);
        let told = world.send("/in/signed", &signed(subscription, "2"));
        assert_eq!(told.status, 503, "{answer}: {told:?}");
        assert!(!told.body.contains(SECRET), "{told:?}");
    }
    assert!(!world.asked().iter().any(|asked| asked.contains("evil")), "{:?}", world.asked());
    let log = world.daemon.log();
    assert!(log.contains("could not be confirmed") && !log.contains(SECRET), "{log}");
}

#[test]
fn with_a_token_alone_nothing_is_fetched_and_a_subscription_that_waits_is_told() {
    let world = World::new();
    let path = format!("/in/by-token/{TOKEN}-1");
    assert_eq!(outcome(&world.send(&path, &confirmation("SubscriptionConfirmation"))), "opened");
    let mail = world.daemon.mail_to("maya@example.net", "waits to be confirmed");
    assert!(!mail.contains(SECRET), "{mail}");
    // The password is given only after it was asked for.
    let asked = world.send("/in/by-token", &alarm("m-1", "ALARM"));
    assert!(asked.status == 401 && asked.head.to_ascii_lowercase().contains("basic realm"), "{asked:?}");
    let basic = format!("Basic {}", onscene::crypto::base64(format!("sns:{TOKEN}-1").as_bytes()));
    let body = alarm("m-1", "ALARM").to_string();
    let headers = [("Authorization", &*basic)];
    let told = request(world.daemon.address, "POST", "/in/by-token", &headers, body.as_bytes()).unwrap();
    assert_eq!(
        told.json()["results"][1]["outcome"],
        "resolved",
        "the first message ends the waiting: {told:?}"
    );

    let both = format!("/in/both/{TOKEN}-2");
    let raw = json!({"AlarmName": "age", "NewStateValue": "ALARM"});
    assert_eq!(outcome(&world.send(&both, &raw)), "opened", "raw delivery is proven by the token");
    let enveloped = format!("/in/enveloped/{TOKEN}-3");
    assert_eq!(world.send(&enveloped, &raw).status, 401, "nobody has asked for raw delivery");
    assert_eq!(world.send("/in/both", &signed(alarm("m-1", "ALARM"), "2")).status, 401, "both are needed");
    let mut forged = alarm("m-2", "ALARM");
    assert_eq!(world.send(&both, &forged).status, 401);
    forged["SignatureVersion"] = json!("2");
    assert_eq!(world.send(&both, &forged).status, 401);
    assert_eq!(world.asked(), [""; 0]);
    assert_eq!(world.send(&both, &signed(alarm("m-3", "ALARM"), "2")).status, 202);
    assert!(!world.daemon.log().contains(SECRET));
}
