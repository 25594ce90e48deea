//! Stories of mail at the door: who commands after it, who is paged, and what stands on the timeline.

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::house::Source;
use crate::http::intake;
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
        self.letters(person).pop().unwrap().0
    }

    /// The letters to somebody, as they were written: id, kind and text.
    fn letters(&mut self, person: &str) -> Vec<(String, String, String)> {
        let all = "select id, kind, payload from letter where person = ?1 order by seq";
        let read = |row: &crate::store::Row<'_>| Ok((row.text(0)?, row.text(1)?, row.text(2)?));
        let letters = self.look(|tx| tx.query(all, &[person.into()], read));
        let text = |payload: String| {
            serde_json::from_str::<crate::render::Words>(&payload).map_or(String::new(), |words| words.text)
        };
        letters.into_iter().map(|(id, kind, payload)| (id, kind, text(payload))).collect()
    }

    /// What somebody was told of their replies.
    fn told_of_replies(&mut self, person: &str) -> Vec<String> {
        let about =
            |text: &String| text.contains("It did nothing") || text.contains("Nobody else was called");
        self.letters(person).into_iter().map(|(.., text)| text).filter(about).collect()
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
    story.ask(Command::Act { incident: 1, act: Act::TICK, by: By::dispatch() }).unwrap();
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

#[test]
fn a_reply_that_is_no_clear_word_is_a_note_and_its_writer_is_told_once_that_nobody_commands() {
    let (mut story, letter) = paged();
    let mail = reply(1, "maya@example.net", &letter, "ok, I'm on it");
    assert_eq!(story.gets(&mail).2, "recorded");
    assert_eq!(story.ends(1), ["person:maya mail by mail: ok, I'm on it"]);
    let told = story.told_of_replies("maya");
    assert_eq!(told.len(), 1, "{told:?}");
    for words in ["kept as a note", "you do not have command", "Nobody has command. Unless somebody answers"]
    {
        assert!(told[0].contains(words), "{words}: {}", told[0]);
    }
    // The same again, by itself and beside another node's copy; and something else about the same letter.
    assert_eq!(story.gets(&mail).0, "repeated");
    let both =
        [2, 3].map(|number| story.posted(&reply(number, "maya@example.net", &letter, "on it!"))).into();
    story.ask_all(both);
    assert_eq!(story.told_of_replies("maya").len(), 1);
    // The next page is another letter.
    story.passes(10);
    story.tick(1);
    story.passes(10);
    story.tick(1);
    let next = story.letter("maya");
    assert_ne!(next, letter);
    story.gets(&reply(4, "maya@example.net", &next, "still on it"));
    assert_eq!(story.told_of_replies("maya").len(), 2);
    // The letter that says so is answered like a page.
    let notice = story.letter("maya");
    assert_eq!(story.gets(&reply(5, "maya@example.net", &notice, "ack")).2, "took_command");
    story.proves_whole();
}

#[test]
fn who_answered_or_declined_or_comes_when_it_is_over_is_not_told_of_notes() {
    let (mut story, letter) = paged();
    story.passes(5);
    story.tick(1);
    let toms = story.letter("tom");
    story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    story.gets(&reply(2, "maya@example.net", &letter, "it was the disk"));
    assert!(story.told_of_replies("maya").is_empty(), "she commands");
    story.gets(&reply(3, "tom@example.net", &toms, "no"));
    story.gets(&reply(4, "tom@example.net", &toms, "ask kim"));
    assert!(story.told_of_replies("tom").is_empty(), "he has said that he cannot");
    let kims = story.letter("kim");
    story.gets(&reply(5, "kim@example.net", &kims, "I write something"));
    assert!(story.told_of_replies("kim").is_empty(), "the PIO is asked for something else");
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.gets(&reply(6, "tom@example.net", &toms, "fine again"));
    assert!(story.told_of_replies("tom").is_empty(), "it is over");
    story.proves_whole();
}

#[test]
fn who_answers_while_somebody_commands_is_told_who_does() {
    let (mut story, _) = paged();
    story.passes(5);
    story.tick(1);
    let toms = story.letter("tom");
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.gets(&reply(1, "tom@example.net", &toms, "shall I look?"));
    let told = story.told_of_replies("tom");
    assert!(told.len() == 1 && told[0].contains("maya has command since"), "{told:?}");
    story.proves_whole();
}

#[test]
fn who_commanded_before_it_came_back_has_not_answered_this_time() {
    let (mut story, letter) = paged();
    story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.hears("pingdom", "db-1", Status::Resolved);
    story.hears("pingdom", "db-1", Status::Firing);
    let again = story.letter("maya");
    story.gets(&reply(2, "maya@example.net", &again, "on it"));
    assert_eq!((story.commander(), story.told_of_replies("maya").len()), (None, 1));
    story.proves_whole();
}

#[test]
fn a_reply_without_a_word_and_one_that_answers_somebody_else_are_told_of_too() {
    let (mut story, letter) = paged();
    let empty = reply(1, "maya@example.net", &letter, "> ack");
    assert_eq!(story.gets(&empty).0, "ignored");
    assert_eq!(story.gets(&empty).0, "ignored");
    let told = story.told_of_replies("maya");
    assert!(told.len() == 1 && told[0].contains("There was no word of yours"), "{told:?}");
    story.passes(5);
    story.tick(1);
    let toms = story.letter("tom");
    let in_thread = reply(2, "tom@example.net", &toms, "ack")
        .replace("In-Reply-To:", "In-Reply-To: <1@elsewhere>\nReferences:");
    assert_eq!(story.gets(&in_thread).2, "recorded");
    assert_eq!((story.commander(), story.told_of_replies("tom").len()), (None, 1));
    story.proves_whole();
}

#[test]
fn who_commands_and_writes_that_they_cannot_is_told_that_nobody_else_was_called() {
    let (mut story, letter) = paged();
    story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    for number in 2..4 {
        assert_eq!(story.gets(&reply(number, "maya@example.net", &letter, "can't")).0, "ignored");
    }
    let told = story.told_of_replies("maya");
    assert!(told.len() == 1 && told[0].contains("Nobody else was called"), "{told:?}");
    story.proves_whole();
}

#[test]
fn the_person_of_a_letter_is_told_once_of_a_reply_from_another_address_and_nobody_else_is() {
    let (mut story, letter) = paged();
    let before = story.ends(100);
    for (number, from) in [(1, "Maya <maya@home.example>"), (1, "maya@home.example"), (2, "tom@example.net")]
    {
        assert_eq!(story.gets(&reply(number, from, &letter, "ack")).0, "ignored");
    }
    let told = story.told_of_replies("maya");
    assert!(
        told.len() == 1 && told[0].contains("than yours (maya@home.example). It did nothing."),
        "{told:?}"
    );
    assert!(told[0].contains("write again from maya@example.net, or use the answer link"), "{told:?}");
    assert_eq!((story.ends(100), story.commander()), (before, None));
    let to = "select address from letter where kind = 'notice'";
    let to: Vec<String> = story.look(|tx| tx.query(to, &[], |row| row.text(0)));
    assert_eq!(to, ["maya@example.net"]);
    story.proves_whole();
}

#[test]
fn an_address_that_could_be_read_as_more_than_one_stays_out_of_the_letter() {
    for from in
        ["\"call http://evil.example now\"@home.example", "a@b, maya@home.example", "m\u{e4}ya@home.example"]
    {
        let (mut story, letter) = paged();
        story.gets(&reply(1, from, &letter, "ack"));
        let told = story.told_of_replies("maya");
        assert!(told.len() == 1 && told[0].contains("than yours. It did nothing."), "{from}: {told:?}");
    }
}

#[test]
fn nobody_is_told_of_what_programs_send_or_of_letters_that_are_not_known() {
    let (mut story, letter) = paged();
    for (number, header) in
        [(1, "Auto-Submitted: auto-replied"), (2, "Precedence: bulk"), (3, "Return-Path: <>")]
    {
        for from in ["maya@example.net", "robot@home.example"] {
            story.gets(&format!("{header}\n{}", reply(number, from, &letter, "I am away")));
        }
    }
    story.gets(&bounce(4, &letter, "delayed"));
    story.gets(&reply(5, "maya@example.net", &"f".repeat(32), "ack"));
    story.gets("References: <incident-9-pages@example.net>\nFrom: maya@example.net\n\nack");
    let notices = "select count(*) from letter where kind = 'notice'";
    assert_eq!(story.look(|tx| tx.query_one(notices, &[], |row| row.int(0))), Some(0));
    story.proves_whole();
}

#[test]
fn a_program_that_answers_every_letter_and_does_not_say_so_comes_to_an_end() {
    let (mut story, _) = paged();
    for number in 0..10 {
        let newest = story.letter("maya");
        story.gets(&reply(number, "maya@example.net", &newest, "your mail is number 7 in our queue"));
    }
    assert_eq!(story.told_of_replies("maya").len(), 3);
    // For two persons, and for two incidents, it is counted apart.
    story.passes(5);
    story.tick(1);
    let toms = story.letter("tom");
    story.gets(&reply(20, "tom@example.net", &toms, "hm"));
    assert_eq!(story.told_of_replies("tom").len(), 1);
    story.proves_whole();
}

#[test]
fn a_letter_is_not_told_of_again_when_what_was_told_is_forgotten() {
    let (mut story, letter) = paged();
    story.gets(&reply(1, "maya@home.example", &letter, "ack"));
    story.passes(8 * 24 * 60);
    story.ask(Command::Forget).unwrap();
    story.gets(&reply(2, "maya@home.example", &letter, "ack"));
    assert_eq!(story.told_of_replies("maya").len(), 1);
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

/// A message as the door is asked about it after it was posted to a source whose senders are named.
fn asked(story: &Story, raw: &str) -> Command {
    let senders = vec!["ups@mon.example.net".to_owned()];
    let source = Source {
        name: "mail".into(),
        kind: &mail::KIND,
        tokens: Vec::new(),
        signing_secrets: Vec::new(),
        service: "shop".into(),
        options: Options { senders, ..Options::default() },
    };
    let delivery = Delivery {
        method: "POST",
        query: "",
        content_type: None,
        headers: &[],
        body: raw.as_bytes(),
        received_at: story.clock.now(),
        options: &source.options,
    };
    intake::asked(&source, &delivery, None)
        .unwrap_or_else(|why| Command::Unreadable(Box::new(intake::unread(&source, &delivery, why, None))))
}

/// More parts than are read.
fn odd(number: u32, from: &str, letter: &str) -> String {
    let parts = "--b\n\nx\n".repeat(300);
    reply(number, from, letter, &parts).replacen('\n', "\nContent-Type: multipart/mixed; boundary=b\n", 1)
}

#[test]
fn what_strangers_send_is_not_held_while_the_store_is_away() {
    let mut story = Story::with_spool();
    story.committer.down(Vec::new(), &StoreError::Away("cut off"));
    let (unknown, ups) = ("f".repeat(32), "ups@mon.example.net");
    for (raw, is_held) in [
        (alert(1, "eve@example.org", "PROBLEM: db-1"), false),
        (reply(2, "eve@example.org", &unknown, "ack"), false),
        (odd(3, "eve@example.org", &unknown), false),
        (alert(4, ups, "PROBLEM: db-1"), true),
        (odd(5, ups, &unknown), true),
        ("{}".to_owned(), true),
    ] {
        let before = story.committer.keeper.as_ref().unwrap().spool().held().deliveries;
        let (job, mut answer) = Job::new(asked(&story, &raw));
        let left = story.committer.hold(vec![job]);
        assert_eq!(left.is_empty(), is_held, "{raw}");
        let held = story.committer.keeper.as_ref().unwrap().spool().held().deliveries;
        assert_eq!(held - before, u64::from(is_held), "{raw}");
        // What is not held is for its mail server to keep.
        story.committer.down(left, &StoreError::Away("cut off"));
        let answered = answer.try_recv().unwrap();
        assert!(matches!((is_held, answered), (true, Ok(Reply::Spooled)) | (false, Err(DoorError::Store))));
    }
}

#[test]
fn mail_of_a_stranger_that_cannot_be_understood_is_kept_when_it_names_a_letter_that_is_known() {
    let (mut story, letter) = paged();
    let waiting = |story: &mut Story| story.look(|tx| unreadable::waiting_of(tx, "mail")).0;
    for (number, id) in [(1, "f".repeat(32)), (2, "0".repeat(32))] {
        let Reply::Mail(result) = story.ask(asked(&story, &odd(number, "eve@example.org", &id))).unwrap()
        else {
            panic!("another answer")
        };
        assert_eq!((result.outcome, result.incident, result.stranger), ("ignored", None, true));
        assert_eq!(result.key, format!("{number}@laptop"));
    }
    assert_eq!(waiting(&mut story), 0);
    let incidents = "select count(*) from incident";
    assert_eq!(story.look(|tx| tx.query_one(incidents, &[], |row| row.int(0))), Some(1), "nobody is woken");
    let answer = asked(&story, &odd(3, "maya@example.net", &letter));
    assert!(matches!(story.ask(answer), Ok(Reply::Kept(_))));
    let alert = asked(&story, &odd(4, "ups@mon.example.net", &"f".repeat(32)));
    assert!(matches!(story.ask(alert), Ok(Reply::Kept(_))));
    assert_eq!(waiting(&mut story), 2);
    story.proves_whole();
}

/// A new mail, or what is left of a reply behind a relay that writes ids of its own.
fn unnamed(number: u32, from: &str, head: &str) -> String {
    format!("From: {from}\nMessage-ID: <{number}@laptop>\n{head}\n\nack\n")
}

#[test]
fn who_was_called_and_writes_of_the_incident_without_a_letter_is_told_that_it_did_nothing() {
    const BY_SUBJECT: &str = "Subject: RE: [INC-1] shop: db-1 is down";
    const BY_THREAD: &str = "Subject: I have it\nReferences: <incident-1-pages@example.net>";
    let sends = |story: &mut Story, raw: &str| {
        let Reply::Mail(result) = story.ask(asked(story, raw)).unwrap() else { panic!("another answer") };
        assert_eq!((result.outcome, result.incident), ("ignored", None), "{raw}");
        result.stranger
    };
    for head in [BY_SUBJECT, BY_THREAD] {
        let (mut story, _) = paged();
        // Neither who was not called, nor strangers, nor programs, nor of another incident.
        for (number, from, head) in [
            (1, "tom@example.net", head.to_owned()),
            (2, "eve@example.org", head.to_owned()),
            (3, "maya@example.net, eve@example.org", head.to_owned()),
            (4, "maya@example.net", format!("Auto-Submitted: auto-replied\n{head}")),
            (5, "maya@example.net", head.replace("INC-1", "INC-2").replace("incident-1", "incident-2")),
            (6, "maya@example.net", "Subject: INC-1".to_owned()),
        ] {
            let is_stranger = sends(&mut story, &unnamed(number, from, &head));
            assert_eq!(is_stranger, number != 4, "{from}: {head}");
        }
        let notices = "select count(*) from letter where kind = 'notice'";
        assert_eq!(story.look(|tx| tx.query_one(notices, &[], |row| row.int(0))), Some(0));
        let mail = unnamed(7, "Maya <Maya@example.net>", head);
        assert!(!sends(&mut story, &mail) && !sends(&mut story, &mail), "she is no stranger");
        let told = story.told_of_replies("maya");
        assert_eq!(told.len(), 1, "{told:?}");
        for words in
            ["does not say which page it answers. It did nothing.", "Nobody has command.", "To answer, reply"]
        {
            assert!(told[0].contains(words), "{words}: {}", told[0]);
        }
        // The letter that says so is answered like a page, and it comes to an end.
        for number in 10..20 {
            sends(&mut story, &unnamed(number, "maya@example.net", head));
        }
        assert_eq!((story.told_of_replies("maya").len(), story.commander()), (3, None));
        let notice = story.letter("maya");
        assert_eq!(story.gets(&reply(20, "maya@example.net", &notice, "ack")).2, "took_command");
        story.proves_whole();
    }
}

#[test]
fn who_commands_and_writes_without_a_letter_is_told_that_they_keep_command_until_it_is_over() {
    let (mut story, letter) = paged();
    story.gets(&reply(1, "maya@example.net", &letter, "ack"));
    let mail = |number| unnamed(number, "maya@example.net", "Subject: [INC-1] can't any more");
    story.ask(asked(&story, &mail(2))).unwrap();
    let told = story.told_of_replies("maya");
    assert!(told.len() == 1 && told[0].contains("You have command since"), "{told:?}");
    assert!(told[0].contains("You keep command."), "{told:?}");
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    story.ask(asked(&story, &mail(3))).unwrap();
    assert_eq!(story.told_of_replies("maya").len(), 1);
    story.proves_whole();
}

#[test]
fn who_was_called_is_told_also_of_a_mail_that_cannot_be_understood() {
    let (mut story, _) = paged();
    let mail = odd(1, "maya@example.net", "1").replace("<1@example.net>", "<1@gateway>");
    story.ask(asked(&story, &mail)).unwrap();
    assert_eq!(story.told_of_replies("maya").len(), 1);
    story.proves_whole();
}

#[test]
fn two_nodes_that_hear_replies_to_one_letter_tell_of_it_once() {
    let (mut story, letter) = paged();
    let place = story.committer.place.clone();
    let (_other_door, mut other) = door(
        Room { queue_max: 16, spool: None },
        Connection::writer(&place, &story.clock).unwrap(),
        place,
        story.clock.clone(),
        Arc::new(Current::new(super::stories::house())),
        story.metrics.clone(),
        Wakes::default(),
    );
    for number in 0..3 {
        let mail = reply(number, "maya@example.net", &letter, "on it");
        story.gets(&mail);
        for mail in [mail, reply(10 + number, "maya@home.example", &letter, "ack")] {
            let Ok(Reply::Mail(_)) = other.at_once(story.posted(&mail)) else { panic!("another answer") };
        }
    }
    assert_eq!(story.told_of_replies("maya").len(), 1);
    story.proves_whole();
}

#[test]
fn who_asks_in_answer_to_a_letter_of_a_channel_is_told_where_it_is_said_and_nobody_who_responds_is_asked() {
    let mut story = Story::new();
    let client = crate::channels::client::Client::new(None).unwrap();
    let relays = ["file:/nonexistent".to_owned()];
    let mailer = crate::channels::mail::Mailer::new("pager@example.net", &relays, None, None).unwrap();
    let shared = crate::channels::Shared {
        client,
        mailer: Some(std::sync::Arc::new(mailer)),
        heard: crate::channels::Heard::default(),
        newest: crate::public::Newest::default(),
    };
    let fields = crate::channels::Fields {
        lists: [("recipients".to_owned(), vec!["boss@example.net".to_owned()])].into(),
        ..Default::default()
    };
    let room = crate::channels::kind("mail").unwrap().build_for_status(fields, &shared).unwrap();
    let mut house = super::stories::house();
    house.channels.insert("ops-room".into(), room);
    story.committer.house.swap(house);
    story.hears("pingdom", "db-1", Status::Firing);
    let page = story.letter("maya");
    story.gets(&reply(9, "maya@example.net", &page, "ack"));
    let of_room = "select id from letter where channel = 'ops-room' and incident = 1 order by seq limit 1";
    let letter: String = story.look(|tx| tx.query_one(of_room, &[], |row| row.text(0))).unwrap();
    let before = story.letters("maya").len();
    let asks = |number| reply(number, "boss@example.net", &letter, "Any update?\n\nThe board asks.");
    assert_eq!(story.gets(&asks(1)), ("acknowledged".into(), Some(1), "recorded".into()));
    assert_eq!(story.gets(&asks(1)).0, "repeated");
    let saved = story.look(|tx| incidents::load(tx, 1)).unwrap().incident;
    let asked = &saved.voice.questions;
    assert_eq!((asked.len(), asked[0].from.as_str()), (1, "boss@example.net"));
    assert!(asked[0].text.contains("Any update?"), "{}", asked[0].text);
    assert_eq!(story.letters("maya").len(), before, "who responds is not asked");
    let answers = "select payload from letter where incident = 0 and address = 'boss@example.net'";
    let written = |story: &mut Story| story.look(|tx| tx.query(answers, &[], |row| row.text(0)));
    let first = written(&mut story);
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("those who work on the problem are not interrupted"), "{}", first[0]);
    assert!(!first[0].contains("db-1") && !first[0].contains("INC-1"), "{}", first[0]);
    // Asked once more: kept, and not answered again.
    assert_eq!(story.gets(&asks(2)).0, "acknowledged");
    assert_eq!(written(&mut story).len(), 1);
    // Nothing is asked, or a program says it.
    assert_eq!(story.gets(&reply(3, "boss@example.net", &letter, "")).0, "ignored");
    story.proves_whole();
}
