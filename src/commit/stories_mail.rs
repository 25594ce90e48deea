//! Stories of mail at the door: who commands after it, who is paged, and what stands on the timeline.

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::sources::{Delivery, Options, mail};
use crate::store::{incidents, timeline};

impl Story {
    /// A message arrives; answers its outcome and reason.
    fn gets(&mut self, raw: &str) -> (String, Option<i64>, String) {
        match self.ask(self.posted(raw)).unwrap() {
            Reply::Mail(MailResult { outcome, incident, reason, .. }) => (outcome.into(), incident, reason),
            Reply::Events(command, results) => {
                assert_eq!(command.events().len(), results.len());
                (results[0].outcome.into(), results[0].incident, "an alert".into())
            }
            _ => panic!("another answer"),
        }
    }

    fn posted(&self, raw: &str) -> Command {
        self.posted_to(raw, &Options::default())
    }

    fn posted_to(&self, raw: &str, options: &Options) -> Command {
        let received_at = self.clock.now();
        let mail = mail::open(&Delivery {
            method: "POST",
            query: "",
            content_type: None,
            headers: &[],
            body: raw.as_bytes(),
            received_at,
            options,
        });
        let mail = mail.unwrap();
        let delivered = Delivered {
            source: "mail".into(),
            kind: "mail".into(),
            service: "shop".into(),
            events: mail.alert.iter().cloned().collect(),
            received_at,
            replays: None,
            held: false,
        };
        Command::Mail(Box::new(Posted { mail, delivered }))
    }

    /// The id of the newest letter to somebody.
    fn letter(&mut self, person: &str) -> String {
        let newest = "select id from letter where person = ?1 order by seq desc limit 1";
        self.look(|tx| tx.query_one(newest, &[person.into()], |row| row.text(0))).unwrap()
    }

    fn commander(&mut self) -> Option<String> {
        let saved = self.look(|tx| incidents::load(tx, 1)).unwrap();
        saved.incident.commander().map(|command| command.person.clone())
    }

    /// The last lines of the first incident's timeline: who, by which way, what.
    fn ends(&mut self, count: usize) -> Vec<String> {
        let entries = self.look(|tx| timeline::list(tx, 1, 0, 1000));
        let skipped = entries.len().saturating_sub(count);
        let line = |kept: timeline::Kept| {
            format!("{} {} {}", kept.entry.actor.label(), kept.entry.route.as_str(), kept.text)
        };
        entries.into_iter().skip(skipped).map(line).collect()
    }
}

fn reply(number: u32, from: &str, letter: &str, text: &str) -> String {
    format!(
        "From: {from}\nSubject: Re: [INC-1] shop: db-1 is down\nMessage-ID: <{number}@laptop>\n\
         In-Reply-To: <{letter}@example.net>\n\n{text}\n"
    )
}

fn bounce(number: u32, letter: &str, action: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx\nMessage-ID: <{number}@mx>\nContent-Type: multipart/report; boundary=b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; maya@example.net\n\
         Action: {action}\nStatus: 5.1.1\n\n--b\nContent-Type: text/rfc822-headers\n\n\
         Message-ID: <{letter}@example.net>\nX-Incident-Id: 1\n--b--\n"
    )
}

fn paged() -> (Story, String) {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let letter = story.letter("maya");
    (story, letter)
}

#[test]
fn the_person_of_the_page_takes_command_with_one_word_and_is_told_so_by_mail() {
    let (mut story, letter) = paged();
    let got = story.gets(&reply(1, "Maya <MAYA@example.net>", &letter, "Ack\n\ndb-1 first, then the rest"));
    assert_eq!(got, ("acknowledged".into(), Some(1), "took_command".into()));
    assert_eq!(story.commander().as_deref(), Some("maya"));
    assert_eq!(story.ends(1), ["person:maya mail by mail: db-1 first, then the rest"]);
    let told = "select count(*) from letter where person = 'maya' and kind = 'notice'";
    assert_eq!(story.look(|tx| tx.query_one(told, &[], |row| row.int(0))), Some(1));
    story.proves_whole();
}

#[test]
fn the_same_mail_twice_acts_once() {
    let (mut story, letter) = paged();
    let mail = reply(1, "maya@example.net", &letter, "looking");
    assert_eq!(story.gets(&mail).0, "acknowledged");
    let before = story.ends(100);
    assert_eq!(story.gets(&mail).0, "repeated");
    assert_eq!(story.ends(100), before);
    let both = vec![
        story.posted(&reply(2, "maya@example.net", &letter, "ack")),
        story.posted(&reply(2, "maya@example.net", &letter, "ack")),
    ];
    let outcomes: Vec<&str> = story
        .ask_all(both)
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Reply::Mail(result) => result.outcome,
            _ => "another",
        })
        .collect();
    assert_eq!(outcomes, ["acknowledged", "repeated"]);
    story.proves_whole();
}

#[test]
fn a_stranger_and_an_unknown_letter_change_nothing_and_use_nothing_up() {
    let (mut story, letter) = paged();
    let before = story.ends(100);
    for (mail, why) in [
        (reply(1, "tom@example.net", &letter, "ack"), "the sender is not the person"),
        (reply(1, "maya@example.org", &letter, "ack"), "the sender is not the person"),
        (reply(1, "maya@example.net, tom@example.net", &letter, "ack"), "the sender is not the person"),
        (reply(1, "maya@example.net", &letter, "> ack"), "no word in it"),
    ] {
        let got = story.gets(&mail);
        assert!(got.0 == "ignored" && got.2.contains(why), "{got:?}: {mail}");
    }
    let thread = "References: <incident-1-pages@example.net>\nFrom: maya@example.net\n\nack";
    assert_eq!(story.gets(thread).0, "ignored");
    assert_eq!((story.ends(100), story.commander()), (before, None));
    let right = story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    assert_eq!(right.0, "acknowledged", "its id was not used up by others");
    story.proves_whole();
}

#[test]
fn an_id_of_the_same_form_that_is_not_ours_is_an_alert() {
    let (mut story, _) = paged();
    let got = story.gets(&reply(1, "jira@example.org", &"f".repeat(32), "db-9 is down"));
    assert_eq!((got.0.as_str(), got.2.as_str()), ("opened", "an alert"));
    let again = story.gets(&reply(1, "jira@example.org", &"f".repeat(32), "db-9 is down"));
    assert_eq!(again.0, "repeated");
    story.proves_whole();
}

#[test]
fn who_is_second_is_recorded_and_who_comes_too_late_leaves_a_note() {
    let (mut story, letter) = paged();
    story.passes(5);
    story.ask(Command::Act { incident: 1, act: Act::Tick, by: By::dispatch() }).unwrap();
    let toms = story.letter("tom");
    story.gets(&reply(1, "maya@example.net", &letter, "taking"));
    let second = story.gets(&reply(2, "tom@example.net", &toms, "ack"));
    assert_eq!((second.0.as_str(), second.2.as_str()), ("acknowledged", "command_is_taken"));
    assert_eq!(story.commander().as_deref(), Some("maya"));
    let no = story.gets(&reply(3, "maya@example.net", &letter, "can't"));
    assert_eq!(no.0, "ignored");
    assert!(no.2.contains("hand it over"), "{no:?}");
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
    let late = story.gets(&reply(4, "tom@example.net", &toms, "help\n\nI see it too,\nat last"));
    assert!(late.0 == "ignored" && late.2.contains("over"), "{late:?}");
    assert_eq!(story.ends(1), ["person:tom mail by mail: help\nI see it too,\nat last"]);
    story.proves_whole();
}

#[test]
fn a_page_that_comes_back_passes_on_to_the_next_step_at_once_and_one_that_waits_does_not() {
    let (mut story, letter) = paged();
    assert_eq!(story.gets(&bounce(1, &letter, "delayed")).2, "recorded");
    assert_eq!(story.ends(1), ["dispatch mail page to maya: delayed (5.1.1)"]);
    let gone = story.gets(&bounce(2, &letter, "failed"));
    assert_eq!((gone.0.as_str(), gone.2.as_str()), ("acknowledged", "escalated_unanswered"));
    let last = story.ends(3);
    assert_eq!(last[0], "dispatch mail the page did not reach maya: it came back: 5.1.1");
    assert!(last[2].contains("tom is paged"), "{last:?}");
    assert_eq!(story.gets(&bounce(3, &"a".repeat(32), "failed")).0, "ignored");
    story.proves_whole();
}

#[test]
fn programs_take_no_command_whatever_they_say() {
    let (mut story, letter) = paged();
    for (number, header) in [
        (1, "Auto-Submitted: auto-replied"),
        (2, "Precedence: bulk"),
        (3, "X-Auto-Response-Suppress: All"),
        (4, "Return-Path: <>"),
    ] {
        let got = story.gets(&format!("{header}\n{}", reply(number, "maya@example.net", &letter, "ack")));
        assert_eq!((got.0.as_str(), got.2.as_str()), ("acknowledged", "recorded"), "{header}");
        assert_eq!(story.ends(1), ["dispatch mail page to maya: answered by a program"]);
    }
    let own = format!("X-Incident-Id: 1\n{}", reply(5, "maya@example.net", &letter, "ack"));
    assert_eq!(story.gets(&own).2, "recorded");
    assert_eq!(story.commander(), None);
    story.proves_whole();
}

#[test]
fn a_pio_who_writes_ack_takes_no_command_and_can_decline() {
    let (mut story, letter) = paged();
    story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    let kims = story.letter("kim");
    assert_eq!(story.gets(&reply(2, "kim@example.net", &kims, "ack")).2, "recorded");
    assert_eq!(story.ends(1), ["person:kim mail by mail: ack"]);
    assert_eq!(story.gets(&reply(3, "kim@example.net", &kims, "no")).2, "declined");
    story.proves_whole();
}

fn alert(number: u32, from: &str, subject: &str) -> String {
    format!("From: {from}\nSubject: {subject}\nMessage-ID: <{number}@mon>\n\nload 40 %\n")
}

#[test]
fn only_those_who_are_named_raise_and_end_alerts_by_mail() {
    let mut story = Story::new();
    let senders = vec!["ups@mon.example.net".to_owned(), "@lab.example.net".to_owned()];
    let options = Options { senders, ..Options::default() };
    let mut gets = |raw: &str| match story.ask(story.posted_to(raw, &options)).unwrap() {
        Reply::Mail(result) => (result.outcome, result.incident, result.stranger),
        Reply::Events(_, results) => (results[0].outcome, results[0].incident, false),
        _ => panic!("another answer"),
    };
    let nothing = ("ignored", None, true);
    for (number, from) in [
        (1, "eve@example.org"),
        (2, "eve@mon.example.net"),
        (3, "eve@deep.lab.example.net"),
        (4, "ups@mon.example.net, eve@example.org"),
        (5, "eve@evil-lab.example.net"),
        (6, "\"ups@mon.example.net\" <eve@example.org>"),
        (7, "ups@mon.example.net <eve@example.org>"),
        (8, "\"ups@mon.example.net\"@example.org"),
        (9, "<ups@mon.example.net> <eve@example.org>"),
        (20, "<eve@example.org> <ups@mon.example.net>"),
        (21, "eve@example.org (ups@mon.example.net)"),
        (22, "(ups@mon.example.net) eve@example.org"),
        (23, "ups@mon.example.net@example.org"),
        (24, "eve@example.org\nFrom: ups@mon.example.net"),
        (25, "eve: ups@mon.example.net, eve@example.org;"),
        (26, "ups@mon.example.net\u{0}.example.org"),
        (27, "ups@mon.example.net.example.org"),
    ] {
        assert_eq!(gets(&alert(number, from, "PROBLEM: db-1")), nothing, "{from}");
    }
    assert_eq!(gets("Subject: PROBLEM: db-1\n\nno sender at all"), nothing);
    assert_eq!(gets(&alert(10, "UPS <UPS@Mon.Example.net>", "PROBLEM: db-1")), ("opened", Some(1), false));
    // A stranger does not end it, nor by way of an id of the form of ours; who is named does.
    assert_eq!(gets(&alert(11, "eve@example.org", "RECOVERY: db-1")), nothing);
    assert_eq!(gets(&reply(12, "eve@example.org", &"f".repeat(32), "RECOVERY: db-1")), nothing);
    assert_eq!(gets(&alert(13, "any@lab.example.net", "PROBLEM: db-2")), ("opened", Some(2), false));
    assert_eq!(gets(&alert(14, "ups@mon.example.net", "RECOVERY: db-1")).0, "resolved");
    story.proves_whole();
}

#[test]
fn answers_and_bounces_are_not_asked_whether_their_senders_are_named() {
    let (mut story, letter) = paged();
    let options = Options { senders: vec!["@mon.example.net".into()], ..Options::default() };
    let came_back = story.posted_to(&bounce(1, &letter, "delayed"), &options);
    let answer = story.posted_to(&reply(2, "maya@example.net", &letter, "ack"), &options);
    for (command, reason) in [(came_back, "recorded"), (answer, "took_command")] {
        let Reply::Mail(result) = story.ask(command).unwrap() else { panic!("another answer") };
        assert_eq!((result.reason.as_str(), result.stranger), (reason, false));
    }
    story.proves_whole();
}

#[test]
fn what_strangers_send_is_not_held_while_the_store_is_away() {
    let story = Story::with_spool();
    let options = Options { senders: vec!["ups@mon.example.net".into()], ..Options::default() };
    let stranger = Job::new(story.posted_to(&alert(1, "eve@example.org", "PROBLEM: db-1"), &options)).0;
    assert!(stranger.command.events().is_empty());
    let left = story.committer.hold(vec![stranger]);
    assert_eq!(left.len(), 1, "it is no delivery");
    assert!(story.committer.keeper.as_ref().unwrap().spool().is_empty());
}
