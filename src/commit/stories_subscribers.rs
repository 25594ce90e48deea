//! Subscribers of the public statements, told as stories.

use super::stories::{Story, house};
use super::*;
use crate::core::mail::{Mail, Named, What};
use crate::core::rules::Rules;
use crate::house::{House, List};
use crate::render::Words;
use crate::store::letters::Settlement;
use crate::store::subscribers::{self, Mailing};

/// A house whose status goes to a list, as statements do.
fn listed() -> House {
    let mut rules = Rules::clone(&house().rules);
    rules.internal_channels = vec!["readers".into()];
    let list = List { channel: "readers".into(), title: String::new(), url: String::new(), takes: false };
    let list = list.at("Example status", "https://status.example.net", true);
    House {
        rules: Arc::new(rules),
        list: Some(list),
        recipients: [("readers".to_owned(), vec!["press@example.net".to_owned()])].into(),
        ..house()
    }
}

impl Story {
    fn with_readers() -> Self {
        let story = Self::new();
        story.committer.house.swap(listed());
        story
    }

    /// So many have confirmed, whose addresses begin with `r`.
    pub(super) fn has_readers(&mut self, many: usize) {
        let fill = |tx: &crate::store::Tx<'_>| {
            for number in 1..=many {
                let id = tx.next_number("subscriber")?;
                tx.write(
                    "insert into subscriber (id, channel, address, state, word, asked_at, mailed, confirmed_at, bounces)
                     values (?1, 'readers', ?2, 'confirmed', 'w', ?3, 0, ?3, 0)",
                    &[id.into(), (&format!("r{number}@example.org")).into(), tx.now.into()],
                )?;
            }
            Ok::<_, StoreError>(())
        };
        let now = self.clock.now();
        self.committer.connection.write(now, fill).unwrap();
    }

    fn subscribes(&mut self, address: &str) {
        let asked = Subscribing::Ask { address: address.into() };
        assert!(matches!(self.ask(Command::Subscribe(asked)), Ok(Reply::Done)));
    }

    fn says_of_lists(&mut self, asked: Subscribing) -> bool {
        match self.ask(Command::Subscribe(asked)).unwrap() {
            Reply::Looked(done) => done,
            _ => panic!("another answer"),
        }
    }

    /// Letters that go to the list now: to whom, and the words. All are taken.
    fn list_mail(&mut self) -> Vec<(String, Words)> {
        let mut found = Vec::new();
        loop {
            let claims = self.claim("readers");
            if claims.is_empty() {
                return found;
            }
            for claim in claims {
                found.push((claim.address.clone(), serde_json::from_str(&claim.payload).unwrap()));
                self.settle(claim, Settlement::Accepted { remote_id: None });
            }
        }
    }

    /// Somebody asks and presses the button in the letter.
    fn is_subscribed(&mut self, address: &str) {
        self.subscribes(address);
        let (to, words) = self.list_mail().pop().unwrap();
        assert_eq!(to, address);
        assert!(self.says_of_lists(Subscribing::Confirm { token: token(&words.text, "confirm") }));
    }

    /// Somebody has an incident, so that status is written.
    fn says_something(&mut self, key: &str) {
        let (_, incident) = self.hears("pingdom", key, crate::core::alert::Status::Firing);
        self.act(incident.unwrap(), "maya", Act::Answer { help: false }).unwrap();
    }

    fn expands(&mut self) -> usize {
        let mut steps = 0;
        while self.says_of_lists(Subscribing::Expand) {
            steps += 1;
        }
        steps
    }

    fn number_of(&mut self, sql: &str) -> i64 {
        self.look(|tx| tx.query_one(sql, &[], |row| row.int(0))).unwrap()
    }
}

fn token(text: &str, page: &str) -> String {
    let (_, rest) = text.split_once(&format!("https://status.example.net/{page}?token=")).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn nothing_comes_before_it_was_confirmed_and_nothing_after_it_was_ended() {
    let mut story = Story::with_readers();
    story.subscribes("Reader@Example.org");
    let (to, words) = story.list_mail().pop().unwrap();
    assert_eq!(
        (to.as_str(), words.subject.as_str()),
        ("reader@example.org", "Please confirm: updates of Example status")
    );
    let confirm = token(&words.text, "confirm");
    assert!(words.html.contains(&confirm));
    story.says_something("db-1");
    story.expands();
    let to: Vec<String> = story.list_mail().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["press@example.net"], "asked is not confirmed");
    assert!(
        !story.says_of_lists(Subscribing::End { token: confirm.clone() }),
        "a link confirms or ends, and not both"
    );
    assert!(!story.says_of_lists(Subscribing::Confirm { token: confirm.replace('1', "2") }));
    assert!(story.says_of_lists(Subscribing::Confirm { token: confirm.clone() }));
    assert!(story.says_of_lists(Subscribing::Confirm { token: confirm.clone() }), "pressed twice");
    story.says_something("db-2");
    story.expands();
    let mails = story.list_mail();
    let to: Vec<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["press@example.net", "reader@example.org"]);
    let (_, to_press) = &mails[0];
    let (_, to_reader) = &mails[1];
    assert!(!to_press.text.contains("unsubscribe") && to_press.data.get("unsubscribe").is_none());
    let end = token(&to_reader.text, "unsubscribe");
    assert!(to_reader.data["unsubscribe"].as_str().unwrap().ends_with(&end) && to_reader.html.contains(&end));
    assert!(!story.says_of_lists(Subscribing::Confirm { token: end.clone() }));
    assert!(story.says_of_lists(Subscribing::End { token: end.clone() }));
    assert!(!story.says_of_lists(Subscribing::End { token: end }), "it is forgotten");
    assert_eq!(story.number_of("select count(*) from subscriber"), 0);
    assert!(!story.says_of_lists(Subscribing::Confirm { token: confirm }));
    story.says_something("db-3");
    story.expands();
    assert_eq!(story.list_mail().len(), 1);
    story.proves_whole();
}

#[test]
fn an_address_gets_one_letter_an_hour_and_three_a_day_and_the_old_links_end() {
    let mut story = Story::with_readers();
    story.subscribes("reader@example.org");
    let first = token(&story.list_mail().pop().unwrap().1.text, "confirm");
    for _ in 0..5 {
        story.subscribes("reader@example.org");
    }
    assert!(story.list_mail().is_empty());
    for _ in 0..6 {
        story.passes(61);
        story.subscribes("READER@example.org");
    }
    let mails = story.list_mail();
    assert_eq!(mails.len(), 2, "three in a day");
    assert!(!story.says_of_lists(Subscribing::Confirm { token: first }), "only the newest works");
    let newest = token(&mails[1].1.text, "confirm");
    story.passes(49 * 60);
    assert!(!story.says_of_lists(Subscribing::Confirm { token: newest }), "too old");
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.number_of("select count(*) from subscriber"), 0);
    story.proves_whole();
}

#[test]
fn addresses_that_reach_one_mailbox_get_three_letters_a_day_together() {
    let mut story = Story::with_readers();
    for number in 0..9 {
        story.subscribes(&format!("reader+{number}@example.org"));
        story.passes(30);
    }
    story.subscribes("reader@example.org");
    assert_eq!(story.list_mail().len(), 3);
    story.subscribes("reader+1@example.net");
    story.subscribes("readers@example.org");
    assert_eq!(story.list_mail().len(), 2, "others");
    story.passes(24 * 60);
    story.subscribes("reader@example.org");
    assert_eq!(story.list_mail().len(), 1);
    story.proves_whole();
}

#[test]
fn so_many_letters_are_written_in_an_hour_whoever_asks() {
    let mut story = Story::with_readers();
    for number in 0..310 {
        story.subscribes(&format!("r{number}@example.org"));
    }
    assert_eq!(story.list_mail().len(), 300);
    story.passes(61);
    story.subscribes("r309@example.org");
    assert_eq!(story.list_mail().len(), 1);
    story.proves_whole();
}

#[test]
fn whoever_has_confirmed_and_asks_again_gets_no_letter() {
    let mut story = Story::with_readers();
    story.is_subscribed("reader@example.org");
    story.passes(120);
    story.subscribes("reader@example.org");
    assert!(story.list_mail().is_empty());
    story.proves_whole();
}

#[test]
fn a_letter_to_all_is_written_to_some_at_a_time_each_once_and_to_nobody_who_came_later() {
    let mut story = Story::with_readers();
    story.has_readers(450);
    story.passes(1);
    story.says_something("db-1");
    assert_eq!(story.number_of("select count(*) from mailing"), 1, "one row with the decision");
    assert_eq!(story.claim("readers").len(), 1, "nothing is written to them yet");
    story.passes(1);
    assert!(story.says_of_lists(Subscribing::Expand));
    let written = "select count(*) from letter where address like 'r%@example.org'";
    assert_eq!(story.number_of(written), 200);
    let left: Option<Mailing> = story.look(subscribers::next_mailing);
    assert_eq!(left.map(|left| left.written), Some(200));
    // Somebody leaves, and somebody comes, in between.
    assert!(story.says_of_lists(Subscribing::Remove { address: "R300@example.org".into() }));
    story.is_subscribed("late@example.org");
    assert_eq!(story.expands(), 3);
    assert_eq!(story.number_of(written), 449);
    assert_eq!(
        story.number_of("select count(distinct address) from letter where address like 'r%@example.org'"),
        449
    );
    assert_eq!(
        story.number_of("select count(*) from letter where address = 'late@example.org' and kind = 'status'"),
        0
    );
    assert_eq!(story.number_of("select count(*) from mailing"), 0);
    // One line of the timeline for all of them.
    story.passes(5);
    let before = story.number_of("select count(*) from entry where text like '%449 subscribers%'");
    let _sent = story.list_mail();
    assert_eq!(before, 1);
    assert_eq!(
        story.number_of(
            "select count(*) from entry where text like '%readers%' and text like '%subscribers%'"
        ),
        1
    );
    story.proves_whole();
}

#[test]
fn letters_that_come_back_end_it_and_a_relay_at_fault_does_not() {
    let mut story = Story::with_readers();
    story.is_subscribed("reader@example.org");
    let refused = |why: &str| Settlement::Refused { why: why.into() };
    let round = |story: &mut Story, key: &str, why: &str| {
        story.says_something(key);
        story.expands();
        for claim in story.claim("readers") {
            let settlement = if claim.address == "reader@example.org" {
                refused(why)
            } else {
                Settlement::Accepted { remote_id: None }
            };
            story.settle(claim, settlement);
        }
    };
    for (number, why) in ["550 5.7.1 relaying denied", "535 bad login", "no relay answered", "554 5.7.1 spam"]
        .iter()
        .enumerate()
    {
        round(&mut story, &format!("relay-{number}"), why);
    }
    assert_eq!(story.number_of("select bounces from subscriber"), 0);
    round(&mut story, "a", "mx answered 550 5.1.1 no such user");
    // A month later it is counted anew.
    story.passes(31 * 24 * 60);
    for (key, bounces) in [("b", 1), ("c", 2)] {
        round(&mut story, key, "mx answered 550 5.1.1 no such user");
        // Another update of the same hour comes back for the same reason.
        round(&mut story, &format!("{key}-again"), "mx answered 550 5.1.1 no such user");
        assert_eq!(story.number_of("select bounces from subscriber"), bounces, "{key}");
        story.passes(24 * 60);
    }
    // The third comes back by mail.
    story.says_something("d");
    story.expands();
    let claim =
        story.claim("readers").into_iter().find(|claim| claim.address == "reader@example.org").unwrap();
    let report = |id: &str| Mail {
        id: id.into(),
        from: None,
        names: vec![Named { letter: claim.id.clone(), domain: "example.net".into() }],
        direct: true,
        in_thread: false,
        incident: None,
        what: What::Bounce { failed: true, why: "550 5.1.1 no such user".into() },
        said: crate::core::mail::Said::default(),
        alert: None,
        stranger: false,
    };
    for id in ["one@mx", "one@mx"] {
        let mail = report(id);
        let Command::Events(delivered) = story.delivery("mail", Vec::new()) else {
            panic!("another command")
        };
        let reply = story.ask(Command::Mail(Box::new(Posted { mail, delivered }))).unwrap();
        assert!(
            matches!(reply, Reply::Mail(result) if result.outcome == "ignored" && result.incident.is_none())
        );
    }
    assert_eq!(story.number_of("select count(*) from subscriber where state = 'ended' and bounces = 3"), 1);
    story.settle(claim, Settlement::Accepted { remote_id: None });
    story.says_something("e");
    story.expands();
    assert_eq!(
        story.number_of(
            "select count(*) from letter where state = 'pending' and address = 'reader@example.org'"
        ),
        0
    );
    // They may ask anew.
    story.is_subscribed("reader@example.org");
    story.proves_whole();
}

#[test]
fn an_address_is_erased_from_lists_and_letters() {
    let mut story = Story::with_readers();
    story.is_subscribed("reader@example.org");
    story.says_something("db-1");
    story.expands();
    assert!(story.says_of_lists(Subscribing::Remove { address: "reader@example.org".into() }));
    assert!(!story.says_of_lists(Subscribing::Remove { address: "reader@example.org".into() }));
    assert_eq!(story.number_of("select count(*) from letter where address = 'reader@example.org'"), 0);
    assert!(story.list_mail().iter().all(|(to, _)| to == "press@example.net"));
    assert!(
        !format!("{:?}", Subscribing::Remove { address: "reader@example.org".into() }).contains("reader")
    );
    story.proves_whole();
}

#[test]
fn a_house_without_a_page_takes_nobody_new_and_still_lets_people_go() {
    let mut story = Story::with_readers();
    story.is_subscribed("reader@example.org");
    story.says_something("db-1");
    story.expands();
    let end = token(&story.list_mail().pop().unwrap().1.text, "unsubscribe");
    let mut closed = listed();
    closed.list = closed.list.map(|list| list.at("Example status", "https://status.example.net", false));
    story.committer.house.swap(closed);
    story.subscribes("other@example.org");
    assert!(story.list_mail().is_empty());
    assert!(story.says_of_lists(Subscribing::End { token: end }));
    story.proves_whole();
}

#[test]
fn addresses_that_reach_one_mailbox_share_its_hour_too() {
    let mut story = Story::with_readers();
    for address in ["tom@example.org", "tom+1@example.org", "t.o.m@example.org", "tom+2@example.org"] {
        story.subscribes(address);
    }
    assert_eq!(story.list_mail().len(), 1);
    story.subscribes("tom@example.net");
    assert_eq!(story.list_mail().len(), 1, "another house");
    story.proves_whole();
}

#[test]
fn who_never_confirmed_is_forgotten_in_letters_as_well_and_can_be_before() {
    let mut story = Story::with_readers();
    story.subscribes("reader@example.org");
    assert_eq!(story.list_mail().len(), 1);
    let letters = "select count(*) from letter where address = 'reader@example.org'";
    assert_eq!(story.number_of(letters), 1);
    story.passes(49 * 60);
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.number_of(letters), 0);
    // A letter is found where no row is left of who asked.
    story.subscribes("other@example.org");
    let now = story.clock.now();
    let forget = |tx: &crate::store::Tx<'_>| tx.write("delete from subscriber", &[]);
    story.committer.connection.write(now, forget).unwrap();
    assert!(story.says_of_lists(Subscribing::Remove { address: "other@example.org".into() }));
    assert_eq!(story.number_of("select count(*) from letter where address = 'other@example.org'"), 0);
    assert!(story.list_mail().is_empty());
    story.proves_whole();
}
