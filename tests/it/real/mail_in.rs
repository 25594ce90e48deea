//! Answers, bounces and alerts by mail: out through a real Postfix, and back in through the pipes of Postfix and Exim.
//!
//! What stands in deploy/mail-in/README.md is what runs here, but for users, places and waits.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::super::disk::Hold;
use super::super::harness::{Daemon, HOUSE, PATIENCE, binary, eventually, free_port};
use super::exim::Exim;
use super::of_project;
use super::postfix::{More, Postfix};

/// Whom the pipe runs as: somebody without any rights.
pub const NOBODY: &str = "nobody";

/// A house that is answered by mail; the relay is still to be put in.
pub fn house() -> Daemon {
    let text = HOUSE
        .replace(
            "relays = [\"file:DIR/mail\"]",
            "reply_to = \"onscene <answers@in.example.net>\"\nrelays = [\"smtp://127.0.0.1:RELAY\"]",
        )
        .replacen(
            "[[channel]]",
            "[[source]]\nname = \"mail\"\nkind = \"mail\"\ntoken = \"test-token-of-mail\"\nservice = \"shop\"\n[[channel]]",
            1,
        );
    Daemon::prepare(&text)
}

/// What the pipe runs, in a directory through which anybody comes: the binary, and the token for one user alone.
pub fn pipe(directory: &Path, daemon: &Daemon) -> String {
    let (program, token) = (directory.join("onscene"), directory.join("token"));
    fs::copy(binary(), &program).unwrap();
    fs::write(&token, "test-token-of-mail\n").unwrap();
    chown(&token, Some(id_of(NOBODY)), None).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o400)).unwrap();
    let address = daemon.address;
    format!("{} mail-in mail --server http://{address} --token-file {}", program.display(), token.display())
}

fn id_of(user: &str) -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap();
    line.split(':').nth(2).unwrap().parse().unwrap()
}

/// A Postfix with a door that takes mail of this machine without a login. Who is called `gone` is not known where
/// Postfix hands over to, and who is called `slow` cannot be asked: it hears so only after it has taken a letter.
pub fn postfix(daemon: &Daemon) -> Postfix {
    let door = free_port();
    let postfix = Postfix::with(["correct horse", "correct horse"], |directory| {
        let ends = |name: &str, code: u8| {
            let script = directory.join(name);
            fs::write(&script, format!("#!/bin/sh\ncat >/dev/null\nexit {code}\n")).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            format!("{name} unix - n n - 4 pipe\n  user={NOBODY} argv={}\n", script.display())
        };
        More {
            main: format!(
                "transport_maps = texthash:{}/config/transport\nonscene_destination_recipient_limit = 1\n\
                 mydestination = in.example.net\n\
                 local_recipient_maps = proxy:unix:passwd.byname $alias_maps $transport_maps\n\
                 minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\ndelay_warning_time = 2s\n",
                directory.display()
            ),
            services: format!(
                "127.0.0.1:{door} inet n - n - - smtpd\n  -o smtpd_tls_security_level=none\n  \
                 -o smtpd_sasl_auth_enable=no\n  -o smtpd_relay_restrictions=permit_mynetworks,reject\n  \
                 -o smtpd_recipient_restrictions=permit_mynetworks,reject\n\
                 onscene unix - n n - 4 pipe\n  flags=Rq user={NOBODY} argv={}\n{}{}",
                pipe(directory, daemon),
                ends("unknown", 67),
                ends("late", 75)
            ),
            transport:
                "answers@in.example.net onscene:\npager@example.net onscene:\ngone@example.net unknown:\n\
                        slow@example.net late:\n"
                    .into(),
        }
    });
    let text = fs::read_to_string(&daemon.config).unwrap().replace("RELAY", &door.to_string());
    fs::write(&daemon.config, text).unwrap();
    eventually("the open door greets", || greeted(door));
    postfix
}

fn greeted(door: u16) -> Option<BufReader<std::net::TcpStream>> {
    let stream = std::net::TcpStream::connect(("127.0.0.1", door)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    line.starts_with("220 ").then_some(stream)
}

/// Hands a message over by SMTP, as mail programs do.
pub fn sends(door: u16, from: &str, to: &str, message: &str) {
    let mut stream = eventually("a mail server greets", || greeted(door));
    let body = message.replace("\r\n", "\n").replace("\n.", "\n..").replace('\n', "\r\n");
    for (said, code) in [
        ("EHLO laptop.example.net".to_owned(), "250"),
        (format!("MAIL FROM:<{from}>"), "250"),
        (format!("RCPT TO:<{to}>"), "250"),
        ("DATA".into(), "354"),
        (format!("{body}\r\n."), "250"),
    ] {
        write!(stream.get_mut(), "{said}\r\n").unwrap();
        let mut line = String::new();
        while !line.starts_with(&format!("{code} ")) {
            line.clear();
            stream.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line} to {}", said.lines().next().unwrap_or_default());
        }
    }
}

fn door(daemon: &Daemon) -> u16 {
    let text = fs::read_to_string(&daemon.config).unwrap();
    let at = text.find("smtp://127.0.0.1:").unwrap() + "smtp://127.0.0.1:".len();
    text[at..].split('"').next().unwrap().parse().unwrap()
}

pub fn letter_to(postfix: &Postfix, to: &str, holds: &str) -> String {
    let header = format!("Delivered-To: {to}");
    eventually(&format!("a letter to {to} with {holds:?}"), || {
        postfix.letters().into_iter().find(|letter| letter.contains(&header) && letter.contains(holds))
    })
}

fn field<'a>(letter: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    letter
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("no {name} in {letter}"))
}

/// A reply as a mail program composes it: to `Reply-To`, in the thread, with the page quoted below.
pub fn reply(page: &str, from: &str, text: &str) -> String {
    let quoted: String = page.lines().take(12).map(|line| format!("> {line}\n")).collect();
    let id = field(page, "Message-ID");
    format!(
        "From: {from}\nTo: {}\nSubject: Re: {}\nDate: Sat, 28 Nov 2026 08:49:33 +0100\nMessage-ID: <{}@laptop.example.net>\n\
         In-Reply-To: {id}\nReferences: {} {id}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\
         {text}\n\nOn Sat, 28 Nov 2026 at 08:49, onscene wrote:\n{quoted}",
        field(page, "Reply-To"),
        field(page, "Subject"),
        onscene::crypto::random_id().unwrap(),
        field(page, "References")
    )
}

fn timeline(daemon: &Daemon) -> String {
    let token = daemon.token("maya");
    daemon.api(&token, "GET", "/api/v1/incidents/1/timeline", &serde_json::Value::Null).body
}

fn on_timeline(daemon: &Daemon, words: &str) {
    let token = daemon.token("maya");
    eventually(&format!("{words:?} on the timeline"), || {
        let path = "/api/v1/incidents/1/timeline";
        daemon.api(&token, "GET", path, &serde_json::Value::Null).body.contains(words).then_some(())
    });
}

fn balances(daemon: &Daemon) {
    assert_eq!(daemon.metric("onscene_events_unaccounted"), 0.0);
    assert!(daemon.verify().contains("whole"));
}

#[test]
fn a_reply_through_postfix_takes_command_and_one_by_a_stranger_does_not() {
    let mut daemon = house();
    let postfix = postfix(&daemon);
    daemon.go();
    daemon.alert("db-1", "firing");
    let page = letter_to(&postfix, "maya@example.net", "reply to this mail");
    assert_eq!(field(&page, "Reply-To"), "onscene <answers@in.example.net>");
    sends(
        door(&daemon),
        "tom@example.net",
        "answers@in.example.net",
        &reply(&page, "Tom <tom@example.net>", "ack"),
    );
    let ignored = "onscene_events_total{outcome=\"ignored\",source=\"mail\"}";
    eventually("the stranger is ignored", || (daemon.metric(ignored) == 1.0).then_some(()));
    assert!(!timeline(&daemon).contains("has command"));
    let answer = reply(&page, "Maya Lind <maya@example.net>", "Ack\n\ndb-1 first,\nthen the rest");
    sends(door(&daemon), "maya@example.net", "answers@in.example.net", &answer);
    on_timeline(&daemon, "maya has command (term 1, first responder)");
    on_timeline(&daemon, "by mail: db-1 first,");
    assert!(timeline(&daemon).contains("\"route\":\"mail\""), "{}", timeline(&daemon));
    letter_to(&postfix, "maya@example.net", "Maya Lind has command of INC-1");
    // Maya's mail program sends it again.
    sends(door(&daemon), "maya@example.net", "answers@in.example.net", &answer);
    let repeated = "onscene_events_total{outcome=\"repeated\",source=\"mail\"}";
    eventually("it is known", || (daemon.metric(repeated) == 1.0).then_some(()));
    balances(&daemon);
}

#[test]
fn a_page_that_postfix_sends_back_wakes_the_next_people_at_once() {
    let mut daemon = house();
    let text = fs::read_to_string(&daemon.config).unwrap().replace("maya@example.net", "gone@example.net");
    fs::write(&daemon.config, text).unwrap();
    let postfix = postfix(&daemon);
    daemon.go();
    daemon.alert("db-1", "firing");
    letter_to(&postfix, "tom@example.net", "You are on call");
    let timeline = timeline(&daemon);
    for words in ["page to maya: accepted", "the page did not reach maya: it came back: 5.1.1"] {
        assert!(timeline.contains(words), "{words} in {timeline}");
    }
    assert!(!timeline.contains("gone@example.net"), "{timeline}");
    balances(&daemon);
}

#[test]
fn a_page_that_waits_in_postfix_is_told_of_and_nobody_counts_as_out_of_reach() {
    let mut daemon = house();
    let text = fs::read_to_string(&daemon.config).unwrap().replace("maya@example.net", "slow@example.net");
    fs::write(&daemon.config, text).unwrap();
    let _postfix = postfix(&daemon);
    daemon.go();
    daemon.alert("db-1", "firing");
    on_timeline(&daemon, "page to maya: delayed (4.3.0");
    assert!(!timeline(&daemon).contains("did not reach"));
    balances(&daemon);
}

#[test]
fn while_the_daemon_is_away_postfix_keeps_mail_and_brings_it_afterwards() {
    let mut daemon = house();
    let postfix = postfix(&daemon);
    daemon.go();
    daemon.stop();
    let alert = "From: ups@mon.example.net\nSubject: UPS rack2 on battery\nMessage-ID: <1@mon.example.net>\n\nload 40 %\n";
    sends(door(&daemon), "ups@mon.example.net", "pager@example.net", alert);
    eventually("Postfix puts it off", || postfix.log().contains("status=deferred").then_some(()));
    assert!(!postfix.log().contains("status=bounced"), "{}", postfix.log());
    daemon.go();
    let token = daemon.token("maya");
    let incident = eventually("the alert is there", || super::incident(&daemon, &token));
    assert_eq!(incident["title"], "UPS rack2 on battery");
    let over = alert.replace("on battery", "on line power").replace("<1@", "<2@");
    sends(door(&daemon), "ups@mon.example.net", "pager@example.net", &over);
    on_timeline(&daemon, "recovered");
    balances(&daemon);
}

/// Runs the command with a message on its standard input.
fn mail_in(arguments: &[&str], message: &[u8]) -> Output {
    let mut child = Command::new(binary())
        .arg("mail-in")
        .args(arguments)
        .env_remove("ONSCENE_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may say no before it has read everything.
    let _gone = child.stdin.take().unwrap().write_all(message);
    child.wait_with_output().unwrap()
}

/// A house whose letters are files.
fn house_with_files() -> Daemon {
    let daemon = house();
    let files = format!("file:{}/mail", daemon.directory.display());
    let text = fs::read_to_string(&daemon.config).unwrap().replace("smtp://127.0.0.1:RELAY", &files);
    fs::write(&daemon.config, text).unwrap();
    daemon
}

#[test]
fn by_http_the_answer_says_what_became_of_a_message_and_why() {
    let mut daemon = house_with_files();
    daemon.go();
    daemon.alert("db-1", "firing");
    let page = daemon.mail_to("maya@example.net", "reply to this mail").replace("\r\n", "\n");
    let posts = |from: &str, text: &str| {
        let answer = daemon.post("/in/mail/test-token-of-mail", reply(&page, from, text).as_bytes());
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["results"][0].clone()
    };
    let stranger = posts("tom@example.net", "ack");
    assert_eq!((&stranger["outcome"], &stranger["incident"]), (&"ignored".into(), &serde_json::Value::Null));
    assert_eq!(stranger["reason"], "the sender is not the person whom the letter was for");
    let taken = posts("maya@example.net", "help");
    assert_eq!((&taken["outcome"], &taken["reason"]), (&"acknowledged".into(), &"took_command".into()));
    assert_eq!(taken["incident"], 1);
    assert!(taken["key"].as_str().unwrap().ends_with("@laptop.example.net"), "{taken}");
    daemon.mail_to("tom@example.net", "calls for your help");
    let own = daemon.post("/in/mail/test-token-of-mail", page.as_bytes()).json();
    assert_eq!(own["results"][0]["reason"], "this is one of onscene's own letters");
    assert_eq!(daemon.post("/in/mail/not-the-token", page.as_bytes()).status, 401);
    balances(&daemon);
}

#[test]
fn a_reply_that_takes_no_command_is_answered_once_and_that_answer_can_be_answered() {
    let mut daemon = house();
    let postfix = postfix(&daemon);
    daemon.go();
    daemon.alert("db-1", "firing");
    let page = letter_to(&postfix, "maya@example.net", "reply to this mail");
    let writes = |letter: &str, from: &str, text: &str| {
        sends(door(&daemon), from, "answers@in.example.net", &reply(letter, from, text));
    };
    writes(&page, "maya@example.net", "ok, I'm on it");
    let told = letter_to(&postfix, "maya@example.net", "was kept as a note");
    for words in ["you do not have command", "the next people are woken at", "ack     you take command"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    writes(&page, "maya@example.net", "really");
    writes(&page, "maya@home.example", "ack");
    let ignored = "onscene_events_total{outcome=\"ignored\",source=\"mail\"}";
    eventually("the other address is ignored", || (daemon.metric(ignored) == 1.0).then_some(()));
    on_timeline(&daemon, "by mail: really");
    writes(&told, "maya@example.net", "ack");
    letter_to(&postfix, "maya@example.net", "Maya Lind has command of INC-1");
    let letters = postfix.letters();
    let about = |letter: &&String| letter.contains("It did nothing");
    assert_eq!(letters.iter().filter(about).count(), 1, "{letters:?}");
    assert!(!daemon.log().contains("home.example"), "{}", daemon.log());
    balances(&daemon);
}

#[test]
fn only_who_is_named_raises_alerts_by_mail_also_while_the_store_is_away() {
    let mut daemon = house_with_files();
    let written = fs::read_to_string(&daemon.config).unwrap();
    let senders = "kind = \"mail\"\nsenders = [\"ups@mon.example.net\", \"@lab.example.net\"]\ntoken = \"test-token-of-mail\"";
    // What is held here is a file, wherever the other tests keep everything.
    let file = format!("url = \"sqlite:{}/onscene.db\"", daemon.directory.display());
    let line = |line: &str| {
        let is_store = line.starts_with("url = \"postgres") || line.starts_with("url = \"sqlite");
        if is_store { file.clone() } else { line.to_owned() }
    };
    let text = written.lines().map(line).collect::<Vec<_>>().join("\n");
    let named = text.replace("kind = \"mail\"\ntoken = \"test-token-of-mail\"", senders);
    fs::write(&daemon.config, named).unwrap();
    daemon.go();
    let config = daemon.config.to_str().unwrap().to_owned();
    let alert = |from: &str| format!("From: {from}\nSubject: UPS rack2 on battery\n\nload 40 %\n");
    let ends = |message: &str| {
        let output = mail_in(&["mail", "--config", &config], message.as_bytes());
        (output.status.code().unwrap(), super::said(&output))
    };
    let why = "ignored (the sender is not among `senders` of this source)";
    let odd = "From: eve@example.org\nHEAD\nContent-Type: multipart/mixed; boundary=b\n\n".to_owned()
        + &"--b\n\nx\n".repeat(300);
    for (message, place) in [
        (alert("eve@example.org"), "is no sender"),
        (alert("eve@deep.lab.example.net"), "is below a domain"),
        (odd.replace("HEAD", "Subject: x"), "cannot be understood"),
        (
            odd.replace("HEAD", &format!("In-Reply-To: <{}@example.net>", "f".repeat(32))),
            "names what has the form of a letter",
        ),
        (odd.replace("HEAD", "References: <incident-1-pages@example.net>"), "names a thread"),
    ] {
        let (code, said) = ends(&message);
        assert!(code == 0 && said.contains(why), "{place}: {code} {said}");
    }
    let posted = daemon.post("/in/mail/test-token-of-mail", alert("eve@example.org").as_bytes());
    assert_eq!((posted.status, &posted.json()["results"][0]["outcome"]), (202, &"ignored".into()));
    let refused = "onscene_refused_total{reason=\"sender\",source=\"mail\"}";
    assert_eq!(daemon.metric(refused), 6.0);
    assert!(daemon.log().contains("deliveries are refused"), "{}", daemon.log());
    assert!(!daemon.log().contains("eve@"), "{}", daemon.log());
    let token = daemon.token("maya");
    assert!(super::incident(&daemon, &token).is_none());
    let held = Hold::on(daemon.directory.join("onscene.db"));
    assert_eq!(ends(&alert("ups@mon.example.net")).0, 75);
    let (code, said) = ends(&alert("eve@example.org"));
    assert!(code == 0 && said.contains(why), "{code} {said}");
    drop(held);
    eventually("who is named is heard", || (ends(&alert("UPS@mon.example.net")).0 == 0).then_some(()));
    assert_eq!(super::incident(&daemon, &token).unwrap()["title"], "UPS rack2 on battery");
    // Who was called and answers in a new mail is told; what is no mail at all is kept, as without senders.
    daemon.mail_to("maya@example.net", "reply to this mail");
    let (code, said) = ends("From: maya@example.net\nSubject: [INC-1] I have it\n\nack\n");
    assert!(code == 0 && said.contains("ignored (it names no letter that is known here)"), "{code} {said}");
    daemon.mail_to("maya@example.net", "does not say which page it answers");
    let (code, said) = ends("{\"alert\": \"UPS rack2\"}");
    assert!(code == 0 && said.contains("kept as number 1"), "{code} {said}");
    let tries = |message: &str| {
        let mut command = Command::new(binary());
        command.args(["check", "--source", "mail", "--config", &config]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        super::said(&child.wait_with_output().unwrap())
    };
    let may_be = "it may be an answer to a page; only the daemon's store can tell";
    for (message, said) in [
        (alert("eve@example.org"), "nothing is raised: the sender is not among"),
        (format!("In-Reply-To: <{}@home.example>\n{}", "f".repeat(32), alert("eve@example.org")), may_be),
        (format!("References: <incident-1-pages@example.net>\n{}", alert("maya@example.net")), may_be),
        (alert("maya@example.net").replace("UPS", "[INC-1]"), may_be),
        (alert("ups@mon.example.net"), "firing"),
    ] {
        assert!(tries(&message).contains(said), "{message}: {}", tries(&message));
    }
    let checked = daemon.command(&["check", "--no-secrets"], None);
    assert!(!super::said(&checked).contains("has no `senders`"), "{checked:?}");
    fs::write(&daemon.config, text).unwrap();
    let checked = daemon.command(&["check", "--no-secrets"], None);
    assert!(super::said(&checked).contains("anybody who can write to this address"), "{checked:?}");
    balances(&daemon);
}

#[test]
fn it_ends_as_mail_servers_expect() {
    let mut daemon = house_with_files();
    daemon.go();
    let wrong = daemon.directory.join("wrong");
    fs::write(&wrong, "not the token of mail").unwrap();
    let (config, wrong) = (daemon.config.to_str().unwrap().to_owned(), wrong.to_str().unwrap().to_owned());
    let good = ["--config", &config];
    let mail = b"From: cron@example.net\nSubject: backup failed\n\nno space left\n";
    let ends = |arguments: &[&str], message: &[u8]| {
        let output = mail_in(arguments, message);
        (output.status.code().unwrap(), super::said(&output))
    };
    let (code, said) = ends(&good, mail);
    assert!(code == 0 && said.contains("opened INC-1"), "{code} {said}");
    let (code, said) = ends(&["mail", "--config", &config], b"{}");
    assert!(code == 0 && said.contains("kept as number 1"), "{code} {said}");
    let large = [&mail[..], &vec![b'x'; 1 << 20]].concat();
    assert_eq!(ends(&good, &large).0, 65);
    let server = format!("http://{}", daemon.address);
    assert_eq!(ends(&["mail", "--server", &server, "--token-file", &wrong], mail).0, 75);
    assert_eq!(ends(&["nothing", "--server", &server, "--token-file", &wrong], mail).0, 75);
    assert_eq!(ends(&["mail", "--server", &server, "--token-file", "not-there"], mail).0, 75);
    assert_eq!(ends(&["mail", "--no-such-flag"], mail).0, 64);
    assert_eq!(ends(&["mail", "--config", "not-there.toml"], mail).0, 75);
    daemon.stop();
    assert_eq!(ends(&good, mail).0, 75);
}

#[test]
fn a_reply_and_a_bounce_through_exim_mean_the_same() {
    let mut daemon = house_with_files();
    daemon.go();
    let exim = Exim::start(&daemon);
    daemon.alert("db-1", "firing");
    let page = daemon.mail_to("maya@example.net", "reply to this mail").replace("\r\n", "\n");
    // The page goes out by Exim to somebody it does not know, and comes back.
    let lost = page.replace("To: maya@example.net", "To: gone@example.net");
    sends(exim.port, "pager@example.net", "gone@example.net", &lost);
    // Once for the page, once for what Exim says of it.
    exim.runs_its_queue();
    exim.runs_its_queue();
    on_timeline(&daemon, "the page did not reach maya: it came back");
    daemon.mail_to("tom@example.net", "You are on call");
    let answer = reply(&page, "Maya Lind <maya@example.net>", "taking it");
    daemon.stop();
    sends(exim.port, "maya@example.net", "answers@example.net", &answer);
    exim.runs_its_queue();
    assert!(exim.log().contains("== answers@example.net"), "it is put off: {}", exim.log());
    daemon.go();
    exim.runs_its_queue();
    on_timeline(&daemon, "maya has command (term 1, first responder)");
    assert!(!exim.log().contains("** answers"), "{}", exim.log());
    balances(&daemon);
}

#[test]
fn the_recipe_is_what_is_tried_here() {
    let recipe = fs::read_to_string(of_project("deploy/mail-in/README.md")).unwrap();
    let tried = fs::read_to_string(of_project("tests/it/real/mail_in.rs")).unwrap()
        + &fs::read_to_string(of_project("tests/it/real/exim.rs")).unwrap();
    for line in [
        "flags=Rq user=",
        "local_recipient_maps = proxy:unix:passwd.byname $alias_maps $transport_maps",
        "onscene unix - n n - 4 pipe",
        "onscene_destination_recipient_limit = 1",
    ]
    .into_iter()
    .chain([
        "driver = accept",
        "local_parts = answers : pager",
        "return_path_add",
        "temp_errors = 73 : 75",
    ]) {
        assert!(recipe.contains(line) && tried.contains(line), "{line}");
    }
}
