//! Who is told that somebody stands in, or does not any more: every letter that leaves, and nothing else does.

use jiff::SignedDuration;

use super::stories_roster::{Weeks, of, rules, story};
use super::*;
use crate::core::oncall::Override;
use crate::render::Words;
use crate::store::letters::Kind;

const DAY: i64 = 24 * 60;

impl Weeks {
    /// Every letter that waits, with its subject up to its hours; each is taken by the mail server.
    fn letters(&mut self) -> Vec<String> {
        let claims = self.claim("");
        let told = claims.iter().map(|claim| {
            let words: Words = serde_json::from_str(&claim.payload).unwrap();
            assert_eq!((claim.incident, claim.kind), (0, Kind::Notice), "{words:?}");
            assert_eq!(claim.address, format!("{}@example.net", claim.person));
            let subject = words.subject.split(", from").next().unwrap();
            format!("{}: {subject}", claim.person)
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        for claim in claims {
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        assert!(self.claim("").is_empty());
        told
    }

    fn said_by(&mut self, author: &str, one: Override) -> String {
        self.says(Override { author: author.into(), ..one }).unwrap()
    }
}

#[test]
fn who_stands_in_and_instead_of_whom_are_told_once_and_not_who_said_so() {
    let mut story = story();
    let one = story.stands_in("kim", 10, 20);
    story.said_by("tom", one);
    let (kim, maya) = (
        "kim: You are on call in sre instead of everybody who would be",
        "maya: kim is on call in sre instead of you",
    );
    assert_eq!(story.letters(), [kim, maya]);
    // By who would be on call themselves, and by who is.
    let one = story.stands_in("kim", 30, 40);
    story.said_by("maya", one);
    assert_eq!(story.letters(), [kim]);
    let one = story.stands_in("kim", 50, 60);
    story.said_by("kim", one);
    assert_eq!(story.letters(), [maya]);
    // A program is nobody who is told. Whom it names is, also where they have no turn at that instant.
    let one = Override { instead_of: Some("maya".into()), ..story.stands_in("tom", 70, 80) };
    story.said_by("automation:planner", one);
    assert_eq!(
        story.letters(),
        [maya.replace("kim", "tom"), "tom: You are on call in sre instead of maya".into()]
    );
    story.0.proves_whole();
}

#[test]
fn everybody_is_told_whose_turn_it_would_be_at_any_time_of_it_and_who_stood_in_before() {
    let mut story = story();
    // maya's week ends in six days, tom's a week after.
    let one = story.stands_in("lee", 5 * DAY, 8 * DAY);
    story.said_by("kim", one);
    let instead = |person: &str, by: &str| format!("{person}: {by} is on call in sre instead of you");
    let stands_in =
        |person: &str| format!("{person}: You are on call in sre instead of everybody who would be");
    assert_eq!(story.letters(), [stands_in("lee"), instead("maya", "lee"), instead("tom", "lee")]);
    let one = story.stands_in("kim", 5 * DAY + 10, 5 * DAY + 20);
    story.said_by("tom", one);
    assert_eq!(
        story.letters(),
        [stands_in("kim"), instead("lee", "kim")],
        "lee stands in then, and maya does not"
    );
    story.0.proves_whole();
}

#[test]
fn a_swap_is_one_letter_to_each_of_the_two() {
    let mut story = story();
    let swap = |story: &Weeks, author: &str| {
        let one = |person: &str, whose: &str, from: i64| Override {
            instead_of: Some(whose.into()),
            author: author.into(),
            ..story.stands_in(person, from, from + 60)
        };
        Command::Roster(Change::StandIn(vec![one("maya", "tom", 7 * DAY), one("tom", "maya", 60)]))
    };
    let by_kim = swap(&story, "kim");
    story.ask(by_kim).unwrap();
    let other = |person: &str, other: &str| format!("{person}: You and {other} take each other's turns");
    assert_eq!(story.letters(), [other("maya", "tom"), other("tom", "maya")]);
    let by_maya = swap(&story, "maya");
    story.ask(by_maya).unwrap();
    assert_eq!(story.letters(), [other("tom", "maya")]);
    story.0.proves_whole();
}

#[test]
fn that_it_is_taken_back_is_told_to_the_same_people_and_not_when_it_is_over() {
    let mut story = story();
    let (over, now, later) =
        (story.stands_in("kim", 0, 10), story.stands_in("kim", 20, 90), story.stands_in("lee", 100, 120));
    let [over, now, later] = [over, now, later].map(|one| story.said_by("maya", one));
    story.letters();
    story.passes(30);
    story.ends(&over).unwrap();
    assert_eq!(story.letters(), Vec::<String>::new());
    // tom ends it.
    let maya = "maya: Taken back: kim is on call in sre instead of you";
    let kim = "kim: Taken back: You are on call in sre instead of everybody who would be";
    story.ends(&now).unwrap();
    assert_eq!(story.letters(), [kim, maya]);
    story.ends(&now).unwrap();
    assert_eq!(story.letters(), Vec::<String>::new(), "twice is once");
    story.ask(Command::Roster(Change::EndOverride { id: later, who: "lee".into() })).unwrap();
    assert_eq!(story.letters(), [maya.replace("kim", "lee")]);
    story.0.proves_whole();
}

#[test]
fn what_is_refused_is_told_to_nobody_and_a_letter_that_is_refused_wakes_nobody() {
    let mut story = story();
    let one = story.stands_in("kim", 0, 60);
    let nobody = Override { instead_of: Some("lee".into()), ..one.clone() };
    assert!(story.says(nobody).is_err());
    assert_eq!(story.letters(), Vec::<String>::new());
    story.said_by("tom", one);
    for claim in story.claim("") {
        story.settle(claim, Settlement::Refused { why: "550 no such user".into() });
    }
    assert!(story.claim("").is_empty());
    assert!(story.look(crate::store::reach::all).is_empty(), "it says nothing of ways to people");
    // Whom no mail reaches is not written to.
    let mut without = rules();
    without.people.get_mut("maya").unwrap().email = String::new();
    story.committer.house.swap(of(without));
    let one = story.stands_in("kim", 70, 80);
    story.said_by("tom", one);
    assert_eq!(story.letters(), ["kim: You are on call in sre instead of everybody who would be"]);
    // And they go as tests do.
    story.clock.forward(SignedDuration::from_hours(24 * 60));
    story.ask(Command::Forget).unwrap();
    let left = "select count(*) from letter";
    assert_eq!(story.look(|tx| tx.query_one(left, &[], |row| row.int(0))), Some(0));
    story.0.proves_whole();
}

#[test]
fn notices_of_turns_do_not_hold_up_a_page() {
    let mut story = story();
    let many = |story: &Weeks| Override { author: "tom".into(), ..story.stands_in("kim", 0, 60) };
    for _ in 0..60 {
        let one = many(&story);
        story.says(one).unwrap();
    }
    assert_eq!(story.strikes("db-1"), ["kim"]);
    story.0.proves_whole();
}
