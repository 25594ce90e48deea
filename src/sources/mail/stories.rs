//! Stories of mail: what each message in the fixtures was taken for, and what no message ever is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::Options;
use super::super::tests::{delivery, post};
use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources/mail")
}

fn messages() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "eml")).collect();
    files.sort();
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    files.into_iter().map(|file| (name(&file), fs::read(&file).unwrap())).collect()
}

fn opened(raw: &[u8]) -> Result<Mail, Unreadable> {
    open(&delivery("POST", "", raw))
}

/// What a message was taken for, for people to check.
fn told(outcome: Result<Mail, Unreadable>) -> String {
    let mail = match outcome {
        Ok(mail) => mail,
        Err(why) => return format!("  unreadable: {why}\n"),
    };
    let mut told = format!("  {:?} from {}\n", mail.what, mail.from.as_deref().unwrap_or("nobody"));
    let names: Vec<String> =
        mail.names.iter().map(|name| format!("{}@{}", &name.letter[..4], name.domain)).collect();
    let thread = if mail.in_thread { ", in a thread of ours" } else { "" };
    writeln!(told, "  names [{}]{thread}; may answer: {}", names.join(", "), mail.may_answer()).unwrap();
    if mail.said != Said::default() && mail.may_answer() {
        writeln!(told, "  says {:?} {:?}", mail.said.answer, mail.said.text).unwrap();
    }
    told
}

#[test]
fn every_message_is_taken_for_what_the_snapshot_says() {
    let told: String =
        messages().into_iter().map(|(name, raw)| format!("{name}\n{}", told(opened(&raw)))).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("mail", told);
    });
}

#[test]
fn a_letter_of_ours_or_a_report_is_never_an_alert() {
    for (name, raw) in messages() {
        let Ok(mail) = opened(&raw) else { continue };
        let reports = matches!(mail.what, What::Own | What::Bounce { .. } | What::Receipt { .. });
        assert!(!reports || mail.alert.is_none(), "{name}");
        assert!(mail.what != What::Written || mail.alert.is_some(), "{name}");
        assert!(mail.may_answer() || post(&KIND, &raw).unwrap().len() == 1, "{name}");
        assert!(!mail.may_answer() || post(&KIND, &raw).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn a_message_without_an_id_has_the_same_one_whenever_it_comes() {
    let raw = "From: maya@example.net\nIn-Reply-To: <x@y>\n\nack";
    let later = "Received: from mx\nFrom: maya@example.net\nIn-Reply-To: <x@y>\n\nack";
    assert_eq!(opened(raw.as_bytes()).unwrap().id, opened(later.as_bytes()).unwrap().id);
    let other = raw.replace("ack", "help");
    assert_ne!(opened(raw.as_bytes()).unwrap().id, opened(other.as_bytes()).unwrap().id);
}

#[test]
fn only_so_many_letters_are_looked_for_and_the_nearest_are_among_them() {
    let ids: Vec<String> = (0..100).map(|number| format!("<{number:032x}@example.net>")).collect();
    let raw = format!("From: maya@example.net\nReferences: {}\n\nack", ids.join("\n "));
    let mail = opened(raw.as_bytes()).unwrap();
    assert_eq!(mail.names.len(), NAMES_MAX);
    assert_eq!(mail.names[0].letter, format!("{:032x}", 99));
}

#[test]
fn what_is_hostile_takes_no_long_time() {
    let began = crate::clock::Clock::system();
    let began = began.mark();
    let mebibyte = 1 << 20;
    let fill = |piece: &str| piece.repeat(mebibyte / piece.len());
    for hostile in [
        format!("From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n{}", fill("--b\n")),
        format!("From: a@b\nReferences: {}\n\nx", fill("<a@b> ").get(..120_000).unwrap()),
        format!("From: {}\n\nx", fill("((((").get(..120_000).unwrap()),
        format!("Subject: {}\n\nx", fill("=?utf-8?Q?a?= ").get(..120_000).unwrap()),
        format!("Subject: {}\n\nx", fill("[").get(..120_000).unwrap()),
        format!("From: a@b\nContent-Type: text/html\n\n{}", fill("<style>")),
        format!("From: a@b\nContent-Type: text/html\n\n{}", fill("<style></")),
        format!("From: a@b\nContent-Type: text/html\n\n{}", fill("<blockquote>a")),
        format!("From: a@b\n\n{}", fill("> a\nb:\n")),
        format!("From: a@b\n\n{}", fill("From: a\n")),
        format!("From: a@b\n\n{}", fill("\n")),
        format!("From: a@b\n\n{}", fill("http://")),
    ] {
        let _read = opened(hostile.as_bytes());
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Lines of which mail is made, right and wrong, in any order.
fn some_mail() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        prop::sample::select(vec![
            "From: Maya Lind <maya@example.net>",
            "From: a@b, c@d",
            "Subject: ** PROBLEM web1 is DOWN **",
            "Subject: Re: [INC-42] shop: x",
            "In-Reply-To: <0123456789abcdef0123456789abcdef@example.net>",
            "References: <incident-1-pages@example.net>",
            "Auto-Submitted: auto-replied",
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Type: multipart/report; boundary=\"b\"",
            "Content-Type: message/delivery-status",
            "Content-Type: message/rfc822",
            "Content-Type: text/html; charset=utf-16",
            "Content-Transfer-Encoding: base64",
            "Content-Transfer-Encoding: quoted-printable",
            "Action: failed",
            "Date: Fri, 02 Jan 2026 04:04:05 +0100",
            "Date: 99 Foo 0000 99:99:99 -9999",
            "X-Alert-Key: k",
            "--b",
            "--b--",
            "",
            "ack",
            "> ack",
            "<blockquote>&#x110000;&rsquo;<p>",
        ])
        .prop_map(String::from),
        "\\PC{0,20}",
    ];
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.join("\r\n"))
}

proptest! {
    #[test]
    fn no_message_breaks_the_reading_of_it_or_goes_beyond_the_limits(text in some_mail()) {
        if let Ok(mail) = opened(text.as_bytes()) {
            prop_assert!(mail.said.text.len() <= TEXT_BYTES_MAX && mail.names.len() <= NAMES_MAX);
            prop_assert!(mail.id.len() <= KEY_BYTES_MAX && !mail.id.is_empty());
            if let Some(event) = mail.alert {
                prop_assert_eq!(event.clone().bounded(), Ok(event));
            }
        }
    }

    #[test]
    fn no_bytes_break_it_either(head in "[A-Z][a-z-]{1,12}", bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut raw = format!("From: a@b\n{head}: ").into_bytes();
        raw.extend(bytes);
        let _read = opened(&raw);
    }
}

fn from_strangers(raw: &[u8], senders: &[&str]) -> Result<Mail, Unreadable> {
    let senders = senders.iter().map(|known| (*known).to_owned()).collect();
    let options = Options { senders, ..Options::default() };
    open(&Delivery { options: &options, ..delivery("POST", "", raw) })
}

#[test]
fn mail_of_a_stranger_wakes_nobody_also_when_it_cannot_be_understood() {
    let rules = crate::core::rules::Rules::default();
    let opened = |from: &str, rest: &str, senders: &[&str]| {
        let mail = from_strangers(format!("{from}{rest}").as_bytes(), senders);
        mail.map(|mail| (mail.stranger, mail.is_nothing(&rules), mail.alert.is_some()))
    };
    let odd = "Content-Type: multipart/mixed; boundary=b\n\n".to_owned() + &"--b\n\nx\n".repeat(300);
    let in_thread = format!("In-Reply-To: <incident-1-pages@example.net>\n{odd}");
    let long = format!("X-Alert-Key: {}\n\nx", "k".repeat(10_000));
    let many = format!("{}\n\nx", "X-A: b\n".repeat(30_000));
    let (known, stranger) = ("From: ups@mon.example.net\n", "From: eve@example.org\n");
    let named = &["ups@mon.example.net"][..];
    for odd in [&odd, &in_thread, &long, &many] {
        assert!(opened(stranger, odd, &[]).is_err(), "where anybody may, it is kept and told");
        assert!(opened(known, odd, named).is_err());
        assert_eq!(opened(stranger, odd, named), Ok((true, true, false)));
    }
    assert_eq!(opened(known, "\nx", named), Ok((false, false, true)));
    assert_eq!(opened(stranger, "\nx", named), Ok((true, true, false)));
    // What names a letter is for the store to tell.
    let answer = format!("In-Reply-To: <{}@example.net>\n\nack", "f".repeat(32));
    assert_eq!(opened(stranger, &answer, named), Ok((true, false, false)));
    let odd_answer = format!("In-Reply-To: <{}@example.net>\n{odd}", "f".repeat(32));
    assert!(opened(stranger, &odd_answer, named).is_err());
}

#[test]
fn what_is_no_mail_is_nobodys_and_is_kept_whoever_may_raise_alerts() {
    for (raw, what) in [
        ("{}", "JSON"),
        ("{\"From\": \"eve@example.org\"}", "JSON that looks like it"),
        ("", "nothing"),
        ("\nFrom: ups@mon.example.net\nSubject: PROBLEM: db-1\n\nx", "a pipe that begins with an empty line"),
        ("X-Odd: 1\n\nx", "fields that are not those of mail"),
    ] {
        assert!(from_strangers(raw.as_bytes(), &["ups@mon.example.net"]).is_err(), "{what}");
    }
}

#[test]
fn of_a_head_that_is_too_long_the_sender_is_read_as_far_as_it_goes() {
    let fill = |bytes: usize| "X-A: b\n".repeat(bytes / 7);
    let is_kept =
        |head: String| from_strangers(format!("{head}\nx").as_bytes(), &["@mon.example.net"]).is_err();
    assert!(is_kept(format!("{}From: ups@mon.example.net\n{}", fill(100_000), fill(200_000))));
    assert!(!is_kept(format!("Subject: x\n{}From: ups@mon.example.net\n", fill(200_000))));
    // A field that was cut says something else than the whole.
    let cut = format!("Subject: x\n{}From: ups@mon.example.net,\n", fill(120_000));
    assert!(!is_kept(format!("{cut} {}@example.org\n", "e".repeat(20_000))));
}

#[test]
fn of_which_incident_a_mail_speaks_stands_in_its_thread_or_its_subject() {
    let speaks =
        |head: &str| opened(format!("From: maya@example.net\n{head}\n\nack").as_bytes()).unwrap().incident;
    for (head, incident) in [
        ("Subject: Re: [INC-42] shop: x", Some(42)),
        ("Subject: AW: [inc-42] [INC-43]", Some(42)),
        ("Subject: [INC-] x", None),
        ("Subject: INC-42", None),
        ("Subject: [INC-99999999999999999999] x", None),
        ("References: <incident-7-pages@example.net>\nSubject: [INC-42] x", Some(7)),
        ("In-Reply-To: <incident-7-status@example.net>", Some(7)),
    ] {
        assert_eq!(speaks(head), incident, "{head}");
    }
}

#[test]
fn bounces_are_the_same_whoever_may_raise_alerts_unless_they_would_be_alerts() {
    let status = "From: MAILER-DAEMON@mx\nContent-Type: multipart/report; boundary=b\n\n--b\n\
                  Content-Type: message/delivery-status\n\nAction: failed\nStatus: 5.1.1\n--b--\n";
    let (free, bound) =
        (from_strangers(status.as_bytes(), &[]), from_strangers(status.as_bytes(), &["@mon.example.net"]));
    assert_eq!(free, bound);
    assert!(free.is_ok_and(|mail| !mail.stranger && mail.alert.is_none()));
    // One that cannot be told from any other mail would wake people, for whoever writes that he is a mail server.
    let odd = "Return-Path: <>\nFrom: MAILER-DAEMON@mx\nSubject: Undelivered mail\n\nsorry";
    let raises = |senders: &[&str]| from_strangers(odd.as_bytes(), senders).unwrap().alert.is_some();
    assert!(raises(&[]) && !raises(&["@mon.example.net"]) && raises(&["mailer-daemon@mx"]));
}
