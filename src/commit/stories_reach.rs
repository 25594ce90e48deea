//! Stories of tests of addresses, and of links that were followed.

use std::sync::Arc;

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::reach::Way;
use crate::render::Words;
use crate::store::reach::{self, Known};
use crate::store::{letters, timeline};

fn with_a_push() -> Story {
    let mut house = house();
    let mut rules = (*house.rules).clone();
    let push = Way {
        name: "push".into(),
        to: "maya-push".into(),
        after: SignedDuration::from_mins(2),
        severities: vec![Severity::Sev1],
        notices: false,
    };
    rules.people.get_mut("maya").unwrap().ways = vec![push];
    house.rules = Arc::new(rules);
    let story = Story::new();
    story.committer.house.swap(house);
    story
}

impl Story {
    fn tests(&mut self, person: &str) -> Result<i64, DoorError> {
        let command = Command::Reach(Asked::Test { person: person.into(), asked_by: "tom".into() });
        match self.ask(command)? {
            Reply::Tested(page) => Ok(page),
            _ => panic!("another answer"),
        }
    }

    fn addresses(&mut self) -> Vec<String> {
        let shown = |one: &Known| {
            let confirmed = if one.confirmed_at.is_some() { " confirmed" } else { "" };
            format!("{} {} {} {}{confirmed}", one.person, one.way, one.address, one.outcome)
        };
        self.look(reach::all).iter().map(shown).collect()
    }
}

/// The hash of the link in a letter.
fn link_in(claim: &Claim) -> [u8; 32] {
    let words: Words = serde_json::from_str(&claim.payload).unwrap();
    tokens::link_hash(words.answer.unwrap().rsplit('/').next().unwrap())
}

#[test]
fn a_test_goes_by_every_way_at_once_and_says_so_first() {
    let mut story = with_a_push();
    let page = story.tests("maya").unwrap();
    let (mail, push) = (story.claim("").remove(0), story.claim("push").remove(0));
    assert_eq!((mail.incident, mail.page, push.page), (0, Some(page), Some(page)));
    for claim in [&mail, &push] {
        let words: Words = serde_json::from_str(&claim.payload).unwrap();
        assert!(words.subject.starts_with("TEST") && words.text.starts_with("TEST"), "{words:?}");
    }
    assert_eq!(story.addresses(), ["maya mail maya@example.net pending", "maya push maya-push pending"]);
    let by_push = link_in(&push);
    assert_ne!(link_in(&mail), by_push);
    story.settle(mail, Settlement::Refused { why: "550 no such user".into() });
    story.settle(push, Settlement::Accepted { remote_id: None });
    assert!(story.claim("").is_empty(), "nobody else is woken because of a test");
    story.ask(Command::Reach(Asked::Confirmed(by_push))).unwrap();
    assert_eq!(
        story.addresses(),
        ["maya mail maya@example.net refused", "maya push maya-push accepted confirmed"]
    );
    let test = story.look(|tx| reach::test(tx, page)).unwrap();
    assert!(test.answered_at.is_some() && test.person == "maya" && test.legs.len() == 2);
    // Another address is another one, of which nothing is known.
    let mut house = house();
    let mut rules = (*house.rules).clone();
    rules.people.get_mut("maya").unwrap().email = "new@example.net".into();
    house.rules = Arc::new(rules);
    story.committer.house.swap(house);
    story.tests("maya").unwrap();
    assert!(story.addresses().contains(&"maya mail new@example.net pending".to_owned()));
    story.proves_whole();
}

#[test]
fn a_test_that_has_arrived_is_not_sent_again() {
    let mut story = with_a_push();
    story.tests("maya").unwrap();
    let push = story.claim("push").remove(0);
    let link = link_in(&push);
    let at = story.clock.now() + SignedDuration::from_secs(5);
    story.settle(push, Settlement::Again { at, why: "no answer in time".into(), unsure: true });
    story.ask(Command::Reach(Asked::Confirmed(link))).unwrap();
    story.passes(1);
    assert!(story.claim("push").is_empty());
    assert_eq!(
        story.addresses(),
        ["maya mail maya@example.net pending", "maya push maya-push accepted confirmed"]
    );
    story.proves_whole();
}

#[test]
fn nobody_is_tested_again_and_again_and_nobody_who_is_not_there() {
    let mut story = with_a_push();
    assert!(story.tests("stranger").unwrap_err().to_string().contains("not a person"));
    for _ in 0..10 {
        story.tests("maya").unwrap();
    }
    assert!(story.tests("maya").unwrap_err().to_string().contains("leave them alone"));
    story.tests("tom").unwrap();
    story.passes(61);
    story.tests("maya").unwrap();
    story.proves_whole();
}

#[test]
fn tests_are_forgotten_and_what_is_known_by_them_is_not() {
    let mut story = with_a_push();
    let page = story.tests("maya").unwrap();
    let mail = story.claim("").remove(0);
    story.settle(mail, Settlement::Accepted { remote_id: None });
    story.passes(60 * 24 * 31);
    story.ask(Command::Forget).unwrap();
    assert!(story.look(|tx| reach::test(tx, page)).is_none());
    let left = "select count(*) from letter where incident = 0";
    assert_eq!(story.look(|tx| tx.query_one(left, &[], |row| row.int(0))), Some(0));
    assert_eq!(story.addresses().len(), 2);
    story.proves_whole();
}

#[test]
fn that_a_link_was_followed_is_written_down_once_and_decides_nothing() {
    let mut story = Story::new();
    story.hears("pingdom", "db-1", Status::Firing);
    let claim = story.claim("").remove(0);
    let link = link_in(&claim);
    story.settle(claim, Settlement::Accepted { remote_id: None });
    for _ in 0..3 {
        story.ask(Command::Reach(Asked::Opened(link))).unwrap();
        story.passes(1);
    }
    story.ask(Command::Reach(Asked::Opened([7; 32]))).unwrap();
    let entries = story.look(|tx| timeline::list(tx, 1, 0, 100));
    let opened = entries.iter().filter(|kept| kept.text.starts_with("page to maya: opened"));
    assert_eq!(opened.count(), 1);
    let pages = story.look(|tx| reach::pages(tx, 1));
    assert!(pages[0].opened_at.is_some() && pages[0].answered.is_none());
    story.passes(2);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime, "nobody has answered");
    assert_eq!(story.look(letters::waiting).len(), 1);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    let pages = story.look(|tx| reach::pages(tx, 1));
    let of = |person: &str| pages.iter().find(|page| page.person == person && page.kind == "page").unwrap();
    assert_eq!(of("maya").answered.as_ref().unwrap().1, "answer_link");
    assert!(of("tom").answered.is_none());
    story.proves_whole();
}
