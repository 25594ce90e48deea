//! Stories of what somebody is asked for and is asked no more, before they have heard of it and after: offices that are taken
//! back or given to another, and offers of command that end.

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::core::board::Wanted;
use crate::core::command::Office;
use crate::core::decide::{Act, Bid, Write};
use crate::core::timeline::{Actor, Route};

fn assign(office: Office, person: &str) -> Act {
    Act::Command(Bid::Assign { office, person: person.into(), term: 1 })
}

fn take_back(office: Office) -> Act {
    Act::Command(Bid::Give { office, term: Some(1) })
}

fn offer(to: &str) -> Act {
    Act::Command(Bid::Offer { to: to.into(), term: 1, reason: String::new() })
}

fn asks_for(person: &str) -> Act {
    Act::Board(Write::Request { wanted: Wanted::Person(person.into()), why: "look at the log".into() })
}

impl Story {
    /// Maya commands, on scene, and everything that left for that has left. Tom and kim sleep.
    fn commanded() -> Self {
        let mut story = Self::that_sounds_on();
        story.hears("pingdom", "db-1", Status::Firing);
        story.act(1, "maya", Act::CheckIn).unwrap();
        story.all_leaves();
        story.passes(1);
        story
    }

    fn maya_does(&mut self, act: Act) {
        self.act(1, "maya", act).unwrap();
    }

    /// What leaves now: by mail, and by the way that sounds on.
    fn all_leaves(&mut self) -> (Vec<String>, Vec<String>) {
        let mut told = Vec::new();
        for claim in self.claim("") {
            let words: crate::render::Words = serde_json::from_str(&claim.payload).unwrap();
            told.push(format!("{} {}", words.event_type, claim.person));
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        (told, self.sounds())
    }

    /// What of one person's pages and notices did not leave, and why.
    fn needless_of(&mut self, person: &str) -> Vec<(String, String)> {
        let sql =
            "select kind, why, payload from letter where person = ?1 and state = 'dropped' order by seq";
        self.look(|tx| {
            tx.query(sql, &[person.into()], |row| {
                assert_eq!(row.text(2)?, "", "its words are kept no longer than they are needed");
                Ok((row.text(0)?, row.text(1)?))
            })
        })
    }
}

/// Lists of what left.
fn lists(mail: &[&str], push: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    (owned(mail), owned(push))
}

#[test]
fn an_office_that_is_taken_back_before_its_page_has_left_wakes_nobody() {
    let mut story = Story::commanded();
    story.maya_does(assign(Office::Safety, "tom"));
    story.passes(1);
    story.maya_does(take_back(Office::Safety));
    // They are told by mail, which rings nobody.
    assert_eq!(story.all_leaves(), lists(&["notice.office-released tom"], &[]));
    let needless = story.needless_of("tom");
    assert!(
        !needless.is_empty() && needless.iter().all(|one| one == &("help".into(), "no longer needed".into()))
    );
    story.proves_whole();
}

#[test]
fn a_page_that_sounds_for_an_office_is_ended_when_that_is_taken_back_or_given_to_another() {
    for then in [take_back(Office::Safety), assign(Office::Safety, "maya")] {
        let mut story = Story::commanded();
        story.maya_does(assign(Office::Safety, "tom"));
        assert_eq!(story.all_leaves().1, ["help tom"]);
        story.passes(1);
        story.maya_does(then);
        assert_eq!(story.all_leaves(), lists(&["notice.office-released tom"], &["ends help tom"]));
        // Once.
        story.maya_does(Act::Note { text: "seen".into() });
        assert_eq!(story.all_leaves(), lists(&[], &[]));
        story.proves_whole();
    }
}

#[test]
fn who_gives_an_office_back_by_themselves_is_not_called_for_it_by_what_still_waits() {
    let mut story = Story::commanded();
    story.maya_does(assign(Office::Safety, "tom"));
    story.passes(1);
    story.act(1, "tom", Act::Command(Bid::Give { office: Office::Safety, term: None })).unwrap();
    assert_eq!(story.all_leaves(), lists(&["notice.office-released maya"], &[]));
    story.proves_whole();
}

#[test]
fn who_is_called_for_something_else_too_is_woken_for_that() {
    let mut story = Story::commanded();
    story.maya_does(asks_for("tom"));
    story.passes(1);
    story.maya_does(assign(Office::Safety, "tom"));
    story.passes(1);
    story.maya_does(assign(Office::Liaison, "tom"));
    story.passes(1);
    story.maya_does(take_back(Office::Safety));
    // For the request, and for the office that they are still asked to take.
    assert_eq!(story.all_leaves().1, ["help tom", "help tom"]);
    story.maya_does(take_back(Office::Liaison));
    assert_eq!(story.all_leaves().1, ["ends help tom"], "and the request stands");
    story.proves_whole();
}

#[test]
fn of_what_was_written_in_the_same_moment_nothing_is_held_back() {
    let mut story = Story::commanded();
    let by = || By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
    let asked = [asks_for("tom"), assign(Office::Safety, "tom")];
    let asked = asked.map(|act| Command::Act { incident: 1, act, by: by() });
    assert!(story.ask_all(asked.into()).iter().all(Result::is_ok));
    story.passes(1);
    story.maya_does(take_back(Office::Safety));
    assert_eq!(story.all_leaves().1, ["help tom", "help tom"], "when in doubt, somebody is woken");
    story.proves_whole();
}

#[test]
fn who_was_called_as_pio_and_is_not_any_more_is_not_woken() {
    let mut story = Story::that_sounds_on();
    story.hears("pingdom", "db-1", Status::Firing);
    story.act(1, "maya", Act::CheckIn).unwrap();
    story.passes(1);
    // Kim was called with it, and tom is to do it instead.
    story.maya_does(assign(Office::Pio, "tom"));
    let (mail, push) = story.all_leaves();
    assert_eq!(push, ["pio_page tom"]);
    assert!(mail.contains(&"notice.office-released kim".to_owned()), "{mail:?}");
    story.passes(1);
    story.maya_does(take_back(Office::Pio));
    assert_eq!(story.all_leaves(), lists(&["notice.office-released tom"], &["ends pio_page tom"]));
    story.proves_whole();
}

#[test]
fn who_is_told_of_an_office_by_mail_is_not_told_when_it_is_gone() {
    let mut story = Story::commanded();
    story.act(1, "tom", Act::CheckIn).unwrap();
    story.all_leaves();
    story.maya_does(assign(Office::Scribe, "tom"));
    story.maya_does(Act::Board(Write::Task {
        person: "tom".into(),
        what: "read the log".into(),
        limit: None,
        term: 1,
    }));
    story.passes(1);
    story.maya_does(take_back(Office::Scribe));
    assert_eq!(story.all_leaves(), lists(&["notice.task tom", "notice.office-released tom"], &[]));
    story.proves_whole();
}

#[test]
fn an_offer_of_command_that_has_ended_does_not_leave_any_more() {
    let ends: [(&str, Option<Act>, &[&str]); 3] = [
        ("withdrawn", Some(Act::Command(Bid::Withdraw)), &["notice.offer-withdrawn tom"]),
        ("replaced", Some(offer("kim")), &["notice.offer-withdrawn tom", "notice.offered kim"]),
        ("expired", None, &["notice.offer-expired maya", "notice.offer-expired tom"]),
    ];
    for (how, act, told) in ends {
        let mut story = Story::commanded();
        for person in ["tom", "kim"] {
            story.act(1, person, Act::CheckIn).unwrap();
        }
        story.all_leaves();
        story.maya_does(offer("tom"));
        story.passes(1);
        match act {
            Some(act) => story.maya_does(act),
            None => {
                story.passes(4);
                assert_eq!(story.tick(1), Reason::OfferEnded);
            }
        }
        assert_eq!(story.all_leaves(), lists(told, &[]), "{how}");
        story.proves_whole();
    }
    // One that stands leaves, also after something else was done.
    let mut story = Story::commanded();
    story.act(1, "tom", Act::CheckIn).unwrap();
    story.all_leaves();
    story.maya_does(offer("tom"));
    story.maya_does(assign(Office::Scribe, "maya"));
    assert_eq!(story.all_leaves(), lists(&["notice.offered tom"], &[]));
    story.proves_whole();
}

#[test]
fn an_incident_that_somebody_else_commands_now_has_the_same_offices_open() {
    let mut story = Story::commanded();
    story.maya_does(assign(Office::Safety, "kim"));
    story.act(1, "tom", Act::CheckIn).unwrap();
    story.maya_does(offer("tom"));
    let accept = Act::Command(Bid::Accept { office: None, term: Some(1), brief: None });
    story.act(1, "tom", accept).unwrap();
    assert_eq!(story.all_leaves().1, ["help kim"]);
    story.proves_whole();
}
