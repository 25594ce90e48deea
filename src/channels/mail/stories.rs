//! Mail told against relays that behave as told: they keep the wire protocol and break it where it hurts.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::super::stories::{parcel, statement};
use super::*;
use crate::channels::Thread;
use crate::core::audience::Audience;

/// What a relay does with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relay {
    Takes,
    GreetsWith(&'static str),
    AnswersRecipient(&'static str),
    AnswersSender(&'static str),
    AnswersLetter(&'static str),
    SilentAfterData,
    ResetsAfterDot,
    NeverGreets,
}

/// Starts a relay; tells its address and what it took.
#[allow(clippy::disallowed_methods, reason = "a test's own server")]
async fn relay(behaves: Relay) -> (String, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (took, taken) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let took = took.clone();
            tokio::spawn(async move {
                let _ended = converse(stream, behaves, took).await;
            });
        }
    });
    (url, taken)
}

async fn converse(
    stream: tokio::net::TcpStream,
    behaves: Relay,
    took: tokio::sync::mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let greeting = match behaves {
        Relay::NeverGreets => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return Ok(());
        }
        Relay::GreetsWith(greeting) => greeting,
        _ => "220 ready",
    };
    stream.write_all(format!("{greeting}\r\n").as_bytes()).await?;
    let mut letter = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.split([' ', '\r']).next().unwrap_or_default().to_uppercase();
        let answer = match (verb.as_str(), behaves) {
            ("EHLO", _) => "250-relay\r\n250 8BITMIME",
            ("MAIL", Relay::AnswersSender(answer)) | ("RCPT", Relay::AnswersRecipient(answer)) => answer,
            ("DATA", _) => {
                stream.write_all(b"354 go on\r\n").await?;
                if behaves == Relay::SilentAfterData {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
                        break;
                    }
                    letter.push_str(&line);
                }
                match behaves {
                    Relay::ResetsAfterDot => return Ok(()),
                    Relay::AnswersLetter(answer) => answer,
                    _ => {
                        let _full = took.send(std::mem::take(&mut letter)).await;
                        "250 2.0.0 queued as 4711"
                    }
                }
            }
            ("QUIT", _) => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn mailer(relays: &[String]) -> Mailer {
    Mailer::new("onscene <pager@example.net>", relays, None, None).unwrap()
}

async fn outcome(behaves: Relay) -> Outcome {
    let (url, _taken) = relay(behaves).await;
    mailer(&[url]).send(&parcel(1)).await
}

#[tokio::test]
async fn a_letter_is_taken_and_the_next_one_uses_the_same_connection() {
    let (url, mut taken) = relay(Relay::Takes).await;
    let mailer = mailer(&[url]);
    for _ in 0..2 {
        let Outcome::Accepted { remote_id } = mailer.send(&parcel(1)).await else { panic!("not taken") };
        assert!(remote_id.unwrap().contains("queued as 4711"));
    }
    assert_eq!(taken.recv().await, taken.recv().await, "the same bytes on every attempt");
}

#[tokio::test]
async fn a_relay_is_greeted_by_the_domain_of_the_sender_and_not_by_the_name_of_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let greeted = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line
    };
    let mailer = Mailer::new("onscene <pager@Status.example.net>", &[url], None, None).unwrap();
    let letter = parcel(1);
    let (line, outcome) = tokio::join!(greeted, mailer.send(&letter));
    assert_eq!(line, "EHLO status.example.net\r\n");
    assert_eq!(outcome.as_str(), "wait", "{outcome:?}");
    // What no relay would read as a name is none.
    for (domain, name) in [("[192.0.2.7]", "[192.0.2.7]"), ("bücher.example", "[127.0.0.1]")] {
        let from = Address::new("pager", domain).unwrap();
        assert_eq!(smtp::greeting(&from).to_string(), name);
    }
}

#[test]
fn the_bytes_of_a_page_hold_what_mail_programs_look_for() {
    let from: Mailbox = "onscene <pager@example.net>".parse().unwrap();
    let reply_to: Mailbox = "onscene <answers@example.net>".parse().unwrap();
    let bytes =
        bytes::of(&parcel(1), &from, &to_person(Some(&reply_to)), &"maya@example.net".parse().unwrap())
            .unwrap();
    let again =
        bytes::of(&parcel(7), &from, &to_person(Some(&reply_to)), &"maya@example.net".parse().unwrap())
            .unwrap();
    assert_eq!(bytes, again);
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    insta::with_settings!({snapshot_path => "../../../tests/fixtures/channels/mail", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("page", text);
    });
}

#[test]
fn a_status_update_asks_for_no_answer() {
    let from: Mailbox = "pager@example.net".parse().unwrap();
    let status = Parcel { thread: Thread::Status, ..parcel(1) };
    let bytes =
        bytes::of(&status, &from, &to_person(Some(&from)), &"staff@example.net".parse().unwrap()).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("\nReply-To"));
}

#[test]
fn a_statement_tells_its_readers_no_number_and_keeps_to_its_own_thread() {
    let from: Mailbox = "onscene <pager@example.net>".parse().unwrap();
    let manner = Manner { reply_to: Some(&from), list: Some("") };
    let written = |parcel: &Parcel| {
        let bytes = bytes::of(parcel, &from, &manner, &"list@example.org".parse().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    };
    // The words alone are sent, whatever else came along.
    let html = "<a href=\"https://onscene.example.net/incidents/42\">INC-42</a>".to_owned();
    let public = Parcel { html, ..statement(1) };
    insta::with_settings!({snapshot_path => "../../../tests/fixtures/channels/mail", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("statement", written(&public));
    });
    assert_eq!(written(&public), written(&Parcel { attempt: 7, ..public.clone() }));
    let root = |parcel: &Parcel| {
        let text = written(parcel);
        text.lines().find_map(|line| line.strip_prefix("References: ")).unwrap().to_owned()
    };
    let later = Parcel { delivery: "f".repeat(32), text: "Resolved\n\nIt is over.".into(), ..statement(1) };
    assert_eq!(root(&public), root(&later));
    let mut internal = statement(1);
    internal.statement.as_mut().unwrap().audience = Audience::Internal;
    assert_ne!(root(&public), root(&internal));
    let internal = written(&internal);
    assert!(internal.contains("\nX-Incident-Id: 42\n"), "{internal}");
    assert!(internal.contains("\nList-Id: <internal.status.example.net>\n"), "{internal}");
    let long = "refunds ".repeat(100);
    let subject = written(&Parcel { subject: long, ..statement(1) });
    assert_eq!(subject.matches("refunds").count(), 100, "a long title is not cut: {subject}");
}

#[tokio::test]
async fn a_statement_that_may_have_arrived_is_not_sent_again() {
    let (url, _taken) = relay(Relay::ResetsAfterDot).await;
    let recipients = vec!["list@example.org".into()];
    let mailer = std::sync::Arc::new(mailer(&[url]));
    let channel =
        Channel::Mail(MailChannel { recipients, subscribers: false, reply_to: None, list_id: None, mailer });
    let parcel = Parcel { to: "list@example.org".into(), ..statement(1) };
    assert_eq!(channel.send(&parcel).await.as_str(), "unknown");
    assert!(!channel.recognises_repeats(&parcel));
    assert!(channel.recognises_repeats(&Parcel { statement: None, ..parcel }));
}

#[test]
fn a_subject_cannot_smuggle_a_header_in() {
    let from: Mailbox = "pager@example.net".parse().unwrap();
    let evil = Parcel { subject: "a\r\nBcc: all@example.net".into(), ..parcel(1) };
    let bytes = bytes::of(&evil, &from, &to_person(None), &"maya@example.net".parse().unwrap()).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("\nBcc:"));
}

#[tokio::test]
async fn each_answer_of_a_relay_means_something() {
    let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
    assert_eq!(
        outcome(Relay::AnswersRecipient("550 5.1.1 <maya@example.net>: no such user")).await,
        refused("127.0.0.1 answered permanent error (550): 5.1.1 <the recipient>: no such user", false)
    );
    assert_eq!(
        outcome(Relay::AnswersLetter("552 5.3.4 too big")).await,
        refused("127.0.0.1 answered permanent error (552): 5.3.4 too big", false)
    );
    assert_eq!(outcome(Relay::AnswersLetter("554 5.7.1 spam")).await.as_str(), "refused");
    for of_the_recipient in [
        "554 5.7.1 <maya@example.net>: Recipient address rejected: Access denied",
        "550 5.1.1 <maya@example.net>: User unknown in relay recipient table",
        "550 no such user",
    ] {
        let Outcome::Refused { whole_channel: false, .. } =
            outcome(Relay::AnswersRecipient(of_the_recipient)).await
        else {
            panic!("{of_the_recipient}");
        };
    }
    for of_the_relay in [
        "554 5.7.1 <maya@example.net>: Relay access denied",
        "550 relaying denied",
        "530 5.7.0 authentication required",
        "535 not you",
    ] {
        let Outcome::Refused { whole_channel: true, .. } =
            outcome(Relay::AnswersRecipient(of_the_relay)).await
        else {
            panic!("a relay that does not know us says nothing about the recipient");
        };
    }
    assert_eq!(outcome(Relay::AnswersLetter("451 4.3.0 later")).await.as_str(), "wait");
    assert_eq!(outcome(Relay::AnswersRecipient("450 4.2.0 greylisted")).await.as_str(), "wait");
    assert_eq!(outcome(Relay::GreetsWith("421 too busy")).await.as_str(), "wait");
    let Outcome::Refused { whole_channel: true, .. } = outcome(Relay::GreetsWith("554 go away")).await else {
        panic!("a relay that lets nobody in is a fault of the channel");
    };
    let Outcome::Refused { whole_channel: true, .. } = outcome(Relay::AnswersSender("553 not you")).await
    else {
        panic!("a relay that refuses the sender is a fault of the channel");
    };
    assert_eq!(outcome(Relay::ResetsAfterDot).await.as_str(), "unknown");
}

#[tokio::test]
async fn a_relay_that_falls_silent_with_the_letter_in_hand_is_not_waited_for_for_ever() {
    assert_eq!(outcome(Relay::SilentAfterData).await.as_str(), "unknown");
}

#[tokio::test]
async fn the_next_relay_takes_over_while_nothing_was_handed_over() {
    for broken in [
        Relay::NeverGreets,
        Relay::GreetsWith("421 too busy"),
        Relay::GreetsWith("554 go away"),
        Relay::AnswersSender("451 later"),
        Relay::AnswersLetter("451 later"),
        Relay::AnswersRecipient("550 5.1.1 no such user here"),
        Relay::AnswersRecipient("554 5.7.1 relay access denied"),
        Relay::AnswersLetter("554 5.7.1 looks like spam"),
    ] {
        let (first, _none) = relay(broken).await;
        let (second, mut taken) = relay(Relay::Takes).await;
        assert_eq!(mailer(&[first, second]).send(&parcel(1)).await.as_str(), "accepted", "{broken:?}");
        assert!(taken.recv().await.unwrap().contains("X-Incident-Id: 42"));
    }
}

#[tokio::test]
async fn a_recipient_is_refused_when_no_relay_is_left_that_may_take_the_letter() {
    const UNKNOWN: Relay = Relay::AnswersRecipient("550 5.1.1 no such user");
    for (second, outcome, whole_channel) in [
        (UNKNOWN, "refused", false),
        (Relay::AnswersSender("553 not you"), "refused", false),
        (Relay::AnswersRecipient("450 4.2.0 greylisted"), "wait", false),
    ] {
        let (first, _none) = relay(UNKNOWN).await;
        let (second, _none_either) = relay(second).await;
        let ended = mailer(&[first, second]).send(&parcel(1)).await;
        assert_eq!(ended.as_str(), outcome, "{ended:?}");
        if let Outcome::Refused { whole_channel: of_all, .. } = ended {
            assert_eq!(of_all, whole_channel);
        }
    }
    // A relay that is away for long does not keep the next person from being woken.
    let (first, _none) = relay(UNKNOWN).await;
    let (second, _none_either) = relay(Relay::GreetsWith("421 away")).await;
    assert_eq!(mailer(&[first, second]).send(&parcel(2)).await.as_str(), "refused");
}

#[tokio::test]
async fn the_second_attempt_begins_with_the_second_relay() {
    let (first, _first_taken) = relay(Relay::Takes).await;
    let (second, mut taken) = relay(Relay::Takes).await;
    assert_eq!(mailer(&[first, second]).send(&parcel(2)).await.as_str(), "accepted");
    assert!(taken.recv().await.is_some());
}

#[tokio::test]
async fn a_relay_of_files_writes_each_letter_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail");
    let mailer = mailer(&[format!("file:{}", path.display())]);
    for attempt in 1..=3 {
        assert_eq!(mailer.send(&parcel(attempt)).await.as_str(), "accepted");
    }
    let files: Vec<_> = std::fs::read_dir(&path).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert!(text.contains("https://onscene.example.net/r/TOKEN"), "{text}");
}

#[test]
fn relays_that_cannot_work_are_refused_in_words() {
    for (url, word) in [
        ("mx.example.net", "begins with"),
        ("smtp://user:secret@mx.example.net", "password_file"),
        ("smtp://mx.example.net:none", "port"),
        ("smtps://", "no host"),
        ("file:", "directory"),
    ] {
        let said = check_relay(url).unwrap_err();
        assert!(said.contains(word) && !said.contains("secret@"), "{said}");
    }
    for url in
        ["smtps://pager@mx1.example.net", "smtp://mx2.example.net:587", "smtp://[::1]:25", "file:./mail"]
    {
        check_relay(url).unwrap();
    }
}

fn to_person(reply_to: Option<&Mailbox>) -> Manner<'_> {
    Manner { reply_to, list: None }
}

#[test]
fn a_statement_to_a_list_says_nothing_but_its_words() {
    let from: Mailbox = "Example <status@example.net>".parse().unwrap();
    let pio: Mailbox = "press@example.net".parse().unwrap();
    let written = |said: &Parcel, manner: &Manner<'_>| {
        let bytes = bytes::of(said, &from, manner, &"reader@example.org".parse().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let said = super::super::stories::statement(1);
    let manner = Manner { reply_to: Some(&pio), list: Some("") };
    let mail = written(&said, &manner);
    for header in [
        "List-Id: <public.status.example.net>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Reply-To: press@example.net\r\n",
        "Subject: Online shop: payments fail\r\n",
        "To: reader@example.org\r\n",
    ] {
        assert!(mail.contains(header), "{header}: {mail}");
    }
    assert!(
        !mail.contains("X-Incident") && !mail.contains("42") && !mail.contains("List-Unsubscribe"),
        "{mail}"
    );
    // Each audience has a thread, of which nothing is ever sent.
    let root =
        |mail: &str| mail.lines().find_map(|line| line.strip_prefix("References: ").map(str::to_owned));
    let mut inside = said.clone();
    inside.statement.as_mut().unwrap().audience = Audience::Internal;
    let inner = written(&inside, &manner);
    assert!(root(&mail).is_some() && root(&mail) != root(&inner), "{inner}");
    assert!(
        inner.contains("X-Incident-Id: 42\r\n") && inner.contains("List-Id: <internal.status.example.net>")
    );
    let next = Parcel { delivery: "f".repeat(32), ..said.clone() };
    assert_eq!(root(&written(&next, &manner)), root(&mail));
    assert_eq!(
        written(&Parcel { attempt: 5, ..said.clone() }, &manner),
        mail,
        "the same bytes at every attempt"
    );
    let end = serde_json::json!({"unsubscribe": "https://status.example.net/unsubscribe?token=1-ab"});
    let to_subscriber =
        written(&Parcel { data: end, ..said }, &Manner { reply_to: None, list: Some("news.example.net") });
    for header in [
        "List-Id: <news.example.net>\r\n",
        "List-Unsubscribe: <https://status.example.net/unsubscribe?token=1-ab>\r\n",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    ] {
        assert!(to_subscriber.contains(header), "{header}: {to_subscriber}");
    }
}
