//! Stories of what carriers tell of letters that they took: which pages reached nobody after all, and who is woken then.

use super::stories::Story;
use super::stories_ways::{shown, taken, way};
use super::*;
use crate::core::alert::Status;
use crate::core::decide::Act;
use crate::core::timeline::{Actor, Route};
use crate::store::{letters, reach};

const TAKE: Act = Act::Answer { help: false };

impl Story {
    /// Maya has an SMS at once and a call two minutes later.
    fn with_phones() -> Self {
        let mut story = Self::with_ways_of(vec![way("sms", 0, &[]), way("voice", 2, &[])], None);
        story.hears("pingdom", "db-1", Status::Firing);
        story
    }

    fn is_told(&mut self, letter: &str, attempt: u32, word: &str, fate: Fate) {
        let report = Report { letter: letter.into(), attempt, word: word.into(), fate };
        assert!(matches!(self.ask(Command::Report(report)), Ok(Reply::Done)), "{word}");
    }

    /// State, and what was told last, of each letter of the newest page of an incident.
    fn ways_of(&mut self, incident: i64) -> Vec<String> {
        let pages = self.look(|tx| reach::pages(tx, incident));
        let page = pages.iter().find(|page| page.person == "maya").unwrap();
        let said = |leg: &letters::Leg| {
            leg.reported.as_ref().map(|(word, _)| format!(" ({word})")).unwrap_or_default()
        };
        page.legs.iter().map(|leg| format!("{} {}{}", leg.name(), leg.state, said(leg))).collect()
    }
}

fn bounced(why: &str) -> Fate {
    Fate::Bounced(why.into())
}

fn refused(why: &str) -> Fate {
    Fate::Refused(why.into())
}

fn accepted() -> Settlement {
    Settlement::Accepted { remote_id: Some("SM1".into()) }
}

#[test]
fn a_message_that_has_arrived_stands_on_the_timeline_once_and_changes_nothing() {
    let mut story = Story::with_phones();
    let (sms, rest) = taken(story.carried(), "sms");
    let id = sms.id.clone();
    story.settle(sms, accepted());
    rest.into_iter().for_each(|mail| story.settle(mail, accepted()));
    let before = story.last_lines(1, 1000).len();
    story.is_told(&id, 1, "sent", Fate::Sent);
    assert_eq!(story.ways_of(1), ["mail accepted", "sms accepted (sent)", "voice pending"]);
    assert_eq!(story.last_lines(1, 1000).len(), before, "it is only on its way");
    for _ in 0..2 {
        story.is_told(&id, 1, "delivered", Fate::Arrived);
    }
    // Late, and out of order.
    story.is_told(&id, 1, "sent", Fate::Sent);
    assert_eq!(story.ways_of(1), ["mail accepted", "sms accepted (delivered)", "voice pending"]);
    assert_eq!(story.last_lines(1, 1), ["page to maya: delivered (by sms)"]);
    assert_eq!(story.last_lines(1, 1000).len(), before + 1);
    assert_eq!(story.leaves_within(4), ["2: voice page maya"], "that it is there is no answer");
    story.proves_whole();
}

#[test]
fn a_message_that_came_back_is_told_and_the_next_people_are_woken_when_nothing_else_is_left() {
    let mut story = Story::with_phones();
    let (sms, rest) = taken(story.carried(), "sms");
    let (mail, _) = taken(rest, "");
    let id = sms.id.clone();
    story.settle(sms, accepted());
    story.is_refused(mail, "550 no such user");
    assert!(story.carried().is_empty(), "the message may reach her");
    story.is_told(&id, 1, "undelivered", bounced("undelivered (30003)"));
    assert_eq!(story.last_lines(1, 1), ["page to maya: bounced (by sms: undelivered (30003))"]);
    // The call waited for its two minutes, and waits no longer.
    let (call, rest) = taken(story.carried(), "voice");
    assert!(rest.is_empty());
    let id = call.id.clone();
    story.settle(call, accepted());
    story.is_told(&id, 1, "no-answer", refused("no-answer"));
    let lines = story.last_lines(1, 3);
    let why = "by mail: 550 no such user; by sms: undelivered (30003); by voice: no-answer";
    assert_eq!(lines[0], format!("the page did not reach maya: {why}"));
    assert_eq!(lines[2], "tom is paged (page 1)");
    assert_eq!(story.ways_of(1), ["mail refused", "sms bounced (undelivered)", "voice refused (no-answer)"]);
    assert_eq!(story.leaves(), ["mail page tom"]);
    // Told once more, nobody else is woken.
    story.is_told(&id, 1, "no-answer", refused("no-answer"));
    story.is_told(&id, 1, "failed", bounced("failed"));
    assert!(story.carried().is_empty());
    story.proves_whole();
}

#[test]
fn a_page_that_another_way_took_is_not_lost_with_the_message() {
    let mut story = Story::with_phones();
    let (sms, rest) = taken(story.carried(), "sms");
    let id = sms.id.clone();
    story.settle(sms, accepted());
    rest.into_iter().for_each(|mail| story.settle(mail, accepted()));
    story.is_told(&id, 1, "failed", bounced("failed (30007)"));
    assert_eq!(story.last_lines(1, 1), ["page to maya: bounced (by sms: failed (30007))"]);
    assert_eq!(story.leaves_within(4), ["2: voice page maya"], "tom sleeps on");
    story.proves_whole();
}

#[test]
fn who_has_answered_was_reached_whatever_became_of_the_message() {
    for act in [TAKE, Act::Decline] {
        let mut story = Story::with_phones();
        let (sms, rest) = taken(story.carried(), "sms");
        let (mail, _) = taken(rest, "");
        let id = sms.id.clone();
        story.settle(sms, accepted());
        story.is_refused(mail, "550 no such user");
        story.passes(1);
        story.act(1, "maya", act.clone()).unwrap();
        story.leaves();
        story.is_told(&id, 1, "undelivered", bounced("undelivered (30003)"));
        assert_eq!(
            story.last_lines(1, 1),
            ["page to maya: bounced (by sms: undelivered (30003))"],
            "{act:?}"
        );
        assert!(story.carried().is_empty(), "{act:?}");
        story.proves_whole();
    }
}

#[test]
fn what_became_of_the_first_of_two_messages_says_nothing_of_the_second_unless_it_arrived() {
    let lost = |story: &mut Story| {
        let (sms, rest) = taken(story.carried(), "sms");
        rest.into_iter().for_each(|mail| story.is_refused(mail, "550 no such user"));
        let id = sms.id.clone();
        let at = story.clock.now() + SignedDuration::from_secs(5);
        story.settle(sms, Settlement::Again { at, why: "the connection was lost".into(), unsure: true });
        id
    };
    // It was made after all, and came back: the second is still on its way.
    let mut story = Story::with_phones();
    let id = lost(&mut story);
    story.clock.forward(SignedDuration::from_secs(6));
    let (second, _) = taken(story.carried(), "sms");
    story.is_told(&id, 1, "failed", bounced("failed"));
    assert_eq!(story.ways_of(1), ["mail refused", "sms sending", "voice pending"]);
    story.settle(second, accepted());
    story.is_told(&id, 2, "failed", bounced("failed"));
    assert_eq!(shown(&story.carried()), ["voice page maya"]);
    story.proves_whole();
    // It was made after all, and is there: no second one is.
    let mut story = Story::with_phones();
    let id = lost(&mut story);
    story.is_told(&id, 1, "delivered", Fate::Arrived);
    assert_eq!(story.ways_of(1), ["mail refused", "sms accepted (delivered)", "voice pending"]);
    assert_eq!(story.leaves_within(4), ["2: voice page maya"]);
    story.proves_whole();
    // It came back before its own hand was done with it: what that says then is older.
    let mut story = Story::with_phones();
    let (sms, rest) = taken(story.carried(), "sms");
    rest.into_iter().for_each(|mail| story.is_refused(mail, "550 no such user"));
    let id = sms.id.clone();
    story.is_told(&id, 1, "failed", bounced("failed"));
    story.settle(sms, accepted());
    assert_eq!(story.ways_of(1), ["mail refused", "sms bounced (failed)", "voice pending"]);
    assert_eq!(shown(&story.carried()), ["voice page maya"]);
    story.proves_whole();
}

#[test]
fn a_message_that_has_arrived_before_its_hand_was_done_with_it_is_not_sent_again() {
    // Whether the hand says something after that, or was lost with its node and its lease runs out.
    let again = |story: &Story| Settlement::Again {
        at: story.clock.now(),
        why: "no answer came".into(),
        unsure: true,
    };
    for says in [true, false] {
        let mut story = Story::with_phones();
        let (sms, rest) = taken(story.carried(), "sms");
        rest.into_iter().for_each(|mail| story.settle(mail, accepted()));
        let id = sms.id.clone();
        story.is_told(&id, 1, "delivered", Fate::Arrived);
        assert_eq!(story.ways_of(1), ["mail accepted", "sms accepted (delivered)", "voice pending"]);
        let before = story.last_lines(1, 1000);
        if says {
            let late = again(&story);
            story.settle(sms, late);
        }
        assert_eq!(story.ways_of(1), ["mail accepted", "sms accepted (delivered)", "voice pending"]);
        assert_eq!(story.last_lines(1, 1000), before, "{says}");
        story.clock.forward(SignedDuration::from_secs(100));
        assert!(story.carried().is_empty(), "{says}: nobody is woken twice for one thing");
        assert_eq!(story.leaves_within(10), ["1: voice page maya"], "{says}");
        story.proves_whole();
    }
}

#[test]
fn a_message_that_has_arrived_is_there_whatever_became_of_its_repeat() {
    let twice = || {
        let mut story = Story::with_phones();
        let (sms, rest) = taken(story.carried(), "sms");
        rest.into_iter().for_each(|mail| story.is_refused(mail, "550 no such user"));
        let id = sms.id.clone();
        let at = story.clock.now() + SignedDuration::from_secs(5);
        story.settle(sms, Settlement::Again { at, why: "the connection was lost".into(), unsure: true });
        story.clock.forward(SignedDuration::from_secs(6));
        let (second, _) = taken(story.carried(), "sms");
        story.settle(second, accepted());
        (story, id)
    };
    let (mut story, id) = twice();
    story.is_told(&id, 1, "delivered", Fate::Arrived);
    let before = story.last_lines(1, 1000);
    story.is_told(&id, 2, "undelivered", bounced("undelivered (30003)"));
    story.is_told(&id, 2, "no-answer", refused("no-answer"));
    assert_eq!(story.ways_of(1), ["mail refused", "sms accepted (delivered)", "voice pending"]);
    assert_eq!(story.last_lines(1, 1000), before);
    assert!(story.carried().is_empty(), "the call waits for its minutes");
    story.proves_whole();
    // The other way about: what was woken by then stands.
    let (mut story, id) = twice();
    story.is_told(&id, 2, "undelivered", bounced("undelivered (30003)"));
    assert_eq!(story.ways_of(1)[1], "sms bounced (undelivered)");
    let (call, _) = taken(story.carried(), "voice");
    story.is_told(&id, 1, "delivered", Fate::Arrived);
    assert_eq!(story.ways_of(1), ["mail refused", "sms accepted (delivered)", "voice sending"]);
    story.is_refused(call, "no such number");
    let lines = story.last_lines(1, 2);
    assert_eq!(
        lines,
        ["page to maya: delivered (by sms)", "page to maya: refused (by voice: no such number)"]
    );
    assert!(story.carried().is_empty(), "tom sleeps on");
    story.proves_whole();
}

#[test]
fn what_is_told_goes_where_the_incident_has_gone_and_of_strange_letters_nothing_comes() {
    let mut story = Story::with_ways_of(vec![way("sms", 0, &[])], None);
    story.hears("pingdom", "db-1", Status::Firing);
    story.hears("pingdom", "db-2", Status::Firing);
    let mut ids = Vec::new();
    for claim in story.carried() {
        match claim.channel.as_str() {
            "sms" => {
                ids.push(claim.id.clone());
                story.settle(claim, accepted());
            }
            _ => story.is_refused(claim, "550 no such user"),
        }
    }
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 1, into: 2, term: None, by }).unwrap();
    story.is_told(&ids[0], 1, "failed", bounced("failed"));
    assert!(
        story.last_lines(2, 3)[0].starts_with("the page did not reach maya"),
        "{:?}",
        story.last_lines(2, 3)
    );
    story.is_told(&"0".repeat(32), 1, "failed", bounced("failed"));
    story.proves_whole();
}

#[test]
fn a_test_that_came_back_has_not_reached_its_address_and_the_key_of_a_call_confirms_it() {
    let mut story = Story::with_ways_of(vec![way("sms", 0, &[]), way("voice", 0, &[])], None);
    let asked = Asked::Test { person: "maya".into(), asked_by: "tom".into() };
    story.ask(Command::Reach(asked)).unwrap();
    let (sms, rest) = taken(story.carried(), "sms");
    let (call, _) = taken(rest, "voice");
    let (sms_id, call_id) = (sms.id.clone(), call.id.clone());
    story.settle(sms, accepted());
    story.settle(call, accepted());
    story.is_told(&sms_id, 1, "undelivered", bounced("undelivered (30006)"));
    let outcome = |story: &mut Story, way: &str| {
        let all = story.look(reach::all);
        let one = all.into_iter().find(|one| one.way == way).unwrap();
        (one.outcome, one.why, one.confirmed_at.is_some())
    };
    assert_eq!(outcome(&mut story, "sms"), ("bounced".into(), Some("undelivered (30006)".into()), false));
    let answering = |act: Act, from: &str| Answering {
        page: PageOf::Letter(call_id.clone()),
        from: from.into(),
        act,
        route: Route::Voice,
        once: None,
    };
    let elsewhere = story.ask(Command::Answer(answering(TAKE, "another number")));
    assert!(matches!(elsewhere, Err(DoorError::NotYours)));
    let cannot = story.ask(Command::Answer(answering(Act::Decline, "voice-address")));
    assert!(matches!(cannot, Err(DoorError::OtherPage)));
    assert_eq!(outcome(&mut story, "voice"), ("accepted".into(), None, false));
    assert!(matches!(story.ask(Command::Answer(answering(TAKE, "voice-address"))), Ok(Reply::Done)));
    assert_eq!(outcome(&mut story, "voice"), ("accepted".into(), None, true));
    assert!(!outcome(&mut story, "mail").2, "each by its own");
    story.is_told(&call_id, 1, "completed", Fate::Arrived);
    assert_eq!(outcome(&mut story, "voice"), ("accepted".into(), None, true));
}
