//! Stories of answers to pages by every way: the same decision, whichever way it came.

use super::stories::{Story, house};
use super::*;
use crate::core::alert::Status;
use crate::core::decide::Refusal;
use crate::core::timeline::{Actor, Route};
use crate::store::{incidents, reach, timeline};

/// The ways that name the page, and the one that does not.
const WAYS: [Route; 3] = [Route::Voice, Route::Chat, Route::Sms];

impl Story {
    /// Letters to somebody went to an address: what the ways of persons write. Pages have left.
    fn reaches(&mut self, person: &str, address: &str) {
        let now = self.clock.now();
        let at = "update letter set address = ?2, state = case when state = 'pending' and kind in ('page', 'help', 'pio_page')
                    then 'accepted' else state end where person = ?1";
        let written: Result<(), StoreError> =
            self.committer.connection.write(now, |tx| tx.write(at, &[person.into(), address.into()]));
        written.unwrap();
    }

    fn newest_of(&mut self, person: &str, kind: &str) -> String {
        let newest = "select id from letter where person = ?1 and kind = ?2 order by seq desc limit 1";
        self.look(|tx| tx.query_one(newest, &[person.into(), kind.into()], |row| row.text(0))).unwrap()
    }

    /// What the text message of the newest page of somebody says.
    fn code_of(&mut self, person: &str, kind: &str) -> String {
        let letter = self.newest_of(person, kind);
        self.committer.house.get().answers.code(&letter).unwrap()
    }

    /// The codes of all letters to somebody, in their order.
    fn codes(&mut self, person: &str) -> Vec<String> {
        let all = "select id from letter where person = ?1 order by seq";
        let ids = self.look(|tx| tx.query(all, &[person.into()], |row| row.text(0)));
        let house = self.committer.house.get();
        ids.iter().map(|id| house.answers.code(id).unwrap()).collect()
    }

    fn answering(&mut self, route: Route, person: &str, act: Act) -> Answering {
        let page = match route {
            Route::Sms => PageOf::Coded(Some(self.code_of(person, "page"))),
            _ => PageOf::Letter(self.newest_of(person, "page")),
        };
        Answering { page, from: format!("at {person}"), act, route, once: None }
    }

    fn answers(&mut self, route: Route, person: &str, act: Act) -> Result<Reason, DoorError> {
        self.reaches(person, &format!("at {person}"));
        let answering = self.answering(route, person, act);
        self.gives(answering).map(|(_, reason)| reason)
    }

    fn gives(&mut self, answering: Answering) -> Result<(Incident, Reason), DoorError> {
        match self.ask(Command::Answer(answering))? {
            Reply::Decided(incident, reason) => Ok((*incident, reason)),
            _ => panic!("another answer"),
        }
    }

    fn now_commands(&mut self, id: i64) -> Option<String> {
        let saved = self.look(|tx| incidents::load(tx, id)).unwrap();
        saved.incident.commander().map(|command| command.person.clone())
    }

    /// The lines of a timeline: who, holding what, and what; and the ways by which people did it.
    fn lines(&mut self, id: i64) -> (Vec<String>, Vec<&'static str>) {
        let entries = self.look(|tx| timeline::list(tx, id, 0, 1000));
        let ways = entries.iter().filter(|kept| kept.entry.actor.person().is_some());
        let ways: Vec<_> = ways.map(|kept| kept.entry.route.as_str()).collect();
        let line = |kept: &timeline::Kept| {
            // A promise says its hour.
            let text = kept.text.split(" by ").next().unwrap_or_default();
            format!("{} {:?} {:?} {text}", kept.entry.actor.label(), kept.entry.office, kept.entry.term)
        };
        (entries.iter().map(line).collect(), ways)
    }

    /// Whom pages woke after the first one, and why.
    fn woken(&mut self, id: i64) -> Vec<String> {
        let entries = self.look(|tx| timeline::list(tx, id, 0, 1000));
        let mut woken: Vec<String> = entries
            .into_iter()
            .filter_map(|kept| match kept.entry.fact {
                crate::core::timeline::Fact::Paged { person, why, .. } if why != "on_call" => {
                    Some(format!("{person} {why}"))
                }
                _ => None,
            })
            .collect();
        woken.sort_by(|one, other| other.cmp(one));
        woken
    }

    fn letters_of(&mut self) -> Vec<String> {
        let all = "select kind, person, channel from letter order by seq";
        self.look(|tx| {
            tx.query(all, &[], |row| Ok(format!("{} {}{}", row.text(0)?, row.text(1)?, row.text(2)?)))
        })
    }
}

const TAKE: Act = Act::Answer { help: false };
const HELP: Act = Act::Answer { help: true };

fn paged() -> Story {
    let mut story = Story::new();
    let mut house = house();
    house.answers.twilio = vec!["not-a-real-auth-token".into()];
    story.committer.house.swap(house);
    story.hears("pingdom", "db-1", Status::Firing);
    story
}

#[test]
fn each_way_is_the_same_decision_as_the_link() {
    for act in [TAKE, HELP, Act::Decline] {
        let mut link = paged();
        let (_, expected) = link.act(1, "maya", act.clone()).unwrap();
        let (lines, letters) = (link.lines(1).0, link.letters_of());
        for route in WAYS {
            let mut story = paged();
            assert_eq!(story.answers(route, "maya", act.clone()).unwrap(), expected);
            let (said, ways) = story.lines(1);
            assert_eq!(said, lines, "{route:?} {act:?}");
            assert!(!ways.is_empty() && ways.iter().all(|way| *way == route.as_str()), "{ways:?}");
            // Some chats show no answer: there a letter says who has command.
            let mut wanted = letters.clone();
            if route == Route::Chat && act != Act::Decline {
                wanted.push("notice maya".into());
            }
            let mut written = story.letters_of();
            for letters in [&mut wanted, &mut written] {
                letters.sort();
            }
            assert_eq!(written, wanted, "{route:?} {act:?}");
            story.proves_whole();
        }
        // The command and the API go through the same door.
        let mut story = paged();
        let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
        story.ask(Command::Act { incident: 1, act: act.clone(), by }).unwrap();
        let (said, ways) = story.lines(1);
        assert_eq!((said, story.letters_of()), (lines, letters), "{act:?}");
        assert!(ways.iter().all(|way| *way == "api"));
    }
}

#[test]
fn two_ways_at_once_make_one_commander_and_the_second_is_told_who_has_it() {
    for (first, second) in
        [(Route::Sms, Route::Voice), (Route::Voice, Route::Chat), (Route::Chat, Route::Sms)]
    {
        let mut story = paged();
        story.passes(6);
        story.tick(1);
        for person in ["maya", "tom"] {
            story.reaches(person, &format!("at {person}"));
        }
        let one = story.answering(first, "tom", TAKE);
        let two = story.answering(second, "maya", TAKE);
        let said: Vec<(Option<String>, Reason)> = story
            .ask_all(vec![Command::Answer(one), Command::Answer(two)])
            .into_iter()
            .map(|reply| match reply.unwrap() {
                Reply::Decided(incident, reason) => {
                    (incident.commander().map(|command| command.person.clone()), reason)
                }
                _ => panic!("another answer"),
            })
            .collect();
        let tom = Some("tom".to_owned());
        assert_eq!(said, [(tom.clone(), Reason::TookCommand), (tom, Reason::CommandIsTaken)]);
        // One person by two ways is one answer.
        assert_eq!(story.answers(second, "tom", TAKE).unwrap(), Reason::AlreadyCommands);
        story.proves_whole();
    }
}

#[test]
fn the_last_who_cannot_wakes_the_next_by_every_way() {
    for route in WAYS {
        let mut story = paged();
        assert_eq!(story.answers(route, "maya", Act::Decline).unwrap(), Reason::EscalatedUnanswered);
        assert_eq!(Story::told(&story.claim("")), ["page tom"], "{route:?}: maya has answered");
        assert_eq!(story.answers(route, "tom", TAKE).unwrap(), Reason::TookCommand);
        assert_eq!(story.now_commands(1).as_deref(), Some("tom"));
        let refused = story.answers(route, "tom", Act::Decline).unwrap_err();
        assert!(matches!(refused, DoorError::Refused(Refusal::WrongState(_))), "{refused}");
        story.proves_whole();
    }
}

#[test]
fn an_answer_counts_from_where_its_page_went_and_from_nowhere_else() {
    for route in [Route::Voice, Route::Chat] {
        let mut story = paged();
        story.reaches("maya", "at maya");
        for from in ["at tom", "at maya ", "AT MAYA", ""] {
            let answering = Answering { from: from.into(), ..story.answering(route, "maya", TAKE) };
            assert!(matches!(story.gives(answering), Err(DoorError::NotYours)), "{from:?}");
        }
        let unknown = PageOf::Letter("0".repeat(32));
        let answering = Answering { page: unknown, ..story.answering(route, "maya", TAKE) };
        assert!(matches!(story.gives(answering), Err(DoorError::NoPage)));
        // A page by mail alone has no address here: nobody answers it so, whatever they say.
        story.reaches("maya", "");
        let answering = Answering { from: String::new(), ..story.answering(route, "maya", TAKE) };
        assert!(matches!(story.gives(answering), Err(DoorError::NotYours)));
        assert_eq!(story.now_commands(1), None);
        story.proves_whole();
    }
}

fn message(code: Option<&str>) -> Answering {
    let page = PageOf::Coded(code.map(str::to_owned));
    Answering { page, from: "+4712345678".into(), act: TAKE, route: Route::Sms, once: None }
}

impl Story {
    /// A letter has the code of another, for which chance would take long.
    fn has_code(&mut self, letter: &str, code: &str) {
        let house = self.committer.house.get();
        let mut twins = (0_u32..).map(|number| format!("{number:032x}"));
        let twin = twins.find(|id| house.answers.code(id).as_deref() == Some(code)).unwrap();
        let now = self.clock.now();
        let renamed = "update letter set id = ?2 where id = ?1";
        let renamed =
            self.committer.connection.write(now, |tx| tx.write(renamed, &[letter.into(), (&twin).into()]));
        renamed.map_err(|error: StoreError| error).unwrap();
    }

    /// How many wrong codes each page of somebody has had, in their order.
    fn wrong_codes(&mut self, person: &str) -> Vec<i64> {
        let all = "select wrong_codes from letter where person = ?1 and kind = 'page' order by seq";
        self.look(|tx| tx.query(all, &[person.into()], |row| row.int(0)))
    }

    /// What is said of a message that decides nothing: whether its code was wrong, and of which incidents pages wait.
    fn is_asked(&mut self, code: Option<&str>) -> (bool, Vec<i64>) {
        match self.gives(message(code)) {
            Err(DoorError::Code { wrong, pages }) => (wrong, pages.iter().map(|(home, _)| *home).collect()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_answers_the_page_whose_code_it_has_and_without_one_it_is_said_which_wait() {
    let mut story = paged();
    story.hears("pingdom", "db-2", Status::Firing);
    story.hears("pingdom", "db-3", Status::Firing);
    story.reaches("maya", "+4712345678");
    let codes = story.codes("maya");
    assert_eq!(story.is_asked(None), (false, vec![3, 2, 1]));
    assert_eq!(story.now_commands(1), None, "a number alone decides nothing");
    assert_eq!(story.gives(message(Some(&codes[1]))).unwrap().0.id, 2);
    assert_eq!(story.is_asked(None), (false, vec![3, 1]));
    story.gives(Answering { act: Act::Decline, ..message(Some(&codes[2])) }).unwrap();
    assert_eq!(story.is_asked(None), (false, vec![1]), "the only one without an answer");
    assert_eq!(story.gives(message(Some(&codes[0]))).unwrap().0.id, 1);
    assert_eq!(story.is_asked(None), (false, vec![3, 2, 1]), "all have one");
    for id in [1, 2] {
        story.act(id, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    }
    assert!(matches!(story.gives(message(Some(&codes[1]))), Err(DoorError::NoPage)), "it is over");
    assert_eq!(story.gives(message(Some(&codes[2]))).unwrap().0.id, 3);
    let stranger = Answering { from: "+4700000000".into(), ..message(Some(&codes[2])) };
    assert!(matches!(story.gives(stranger), Err(DoorError::NoPage)));
    story.proves_whole();
}

#[test]
fn wrong_codes_are_counted_and_after_five_the_page_takes_no_more_and_its_incident_is_told() {
    let mut story = paged();
    story.reaches("maya", "+4712345678");
    let code = story.codes("maya").remove(0);
    let wrong = if code == "0000" { "1111" } else { "0000" };
    for _ in 0..4 {
        assert_eq!(story.is_asked(Some(wrong)), (true, vec![1]));
    }
    // The same message once more counts once.
    let before = story.lines(1).0.len();
    let again = |story: &mut Story| {
        story
            .gives(Answering { once: Some("a word of its sender".into()), ..message(Some(wrong)) })
            .unwrap_err()
    };
    for _ in 0..3 {
        let refused = again(&mut story);
        assert!(
            matches!(&refused, DoorError::Code { wrong: true, pages } if pages.is_empty()),
            "{refused:?}"
        );
    }
    let lines = story.lines(1).0;
    assert_eq!(lines.len(), before + 1, "{lines:?}");
    assert!(
        lines.last().unwrap().contains("5 text messages that say to come from maya had a wrong code"),
        "{lines:?}"
    );
    // The right one comes too late: the link remains.
    assert_eq!(story.is_asked(Some(&code)), (true, Vec::new()));
    assert_eq!(story.is_asked(None), (false, Vec::new()));
    assert_eq!(story.now_commands(1), None);
    // What comes later has a count of its own, and escalation goes on meanwhile.
    story.hears("pingdom", "db-2", Status::Firing);
    story.reaches("maya", "+4712345678");
    let second = story.codes("maya").remove(1);
    assert_eq!(story.is_asked(None), (false, vec![2]));
    assert_eq!(story.gives(message(Some(&second))).unwrap().0.id, 2);
    assert_eq!(story.act(1, "maya", TAKE).unwrap().1, Reason::TookCommand, "by the link");
    story.proves_whole();
}

#[test]
fn a_wrong_code_counts_for_every_page_that_it_may_have_been_meant_for() {
    let mut story = paged();
    story.hears("pingdom", "db-2", Status::Firing);
    story.reaches("maya", "+4712345678");
    let codes = story.codes("maya");
    let wrong = (0..).map(|number| format!("{number:04}")).find(|code| !codes.contains(code)).unwrap();
    for _ in 0..5 {
        let (is_wrong, _) = story.is_asked(Some(&wrong));
        assert!(is_wrong);
    }
    assert_eq!(story.is_asked(None), (false, Vec::new()));
    for code in &codes {
        assert_eq!(story.is_asked(Some(code)), (true, Vec::new()));
    }
    assert_eq!((story.now_commands(1), story.now_commands(2)), (None, None));
    story.proves_whole();
}

#[test]
fn a_code_made_by_the_secret_before_is_good_while_that_is_listed() {
    let mut story = paged();
    story.reaches("maya", "+4712345678");
    let code = story.codes("maya").remove(0);
    let mut house = house();
    house.answers.twilio = vec!["a new one".into(), "not-a-real-auth-token".into()];
    story.committer.house.swap(house);
    assert_ne!(story.codes("maya").first(), Some(&code));
    assert_eq!(story.gives(message(Some(&code))).unwrap().1, Reason::TookCommand);
    story.proves_whole();
}

#[test]
fn a_message_is_about_no_page_that_never_left() {
    for state in ["pending", "refused", "dropped", "bounced"] {
        let mut story = paged();
        story.hears("pingdom", "db-2", Status::Firing);
        story.reaches("maya", "+4712345678");
        let codes = story.codes("maya");
        let now = story.clock.now();
        let lost = "update letter set state = ?1 where incident = 2";
        let lost = story.committer.connection.write(now, |tx| tx.write(lost, &[state.into()]));
        lost.map_err(|error: StoreError| error).unwrap();
        assert_eq!(story.is_asked(Some(&codes[1])), (true, vec![1]), "{state}");
        assert_eq!(story.gives(message(Some(&codes[0]))).unwrap().0.id, 1, "{state}");
    }
}

#[test]
fn a_page_that_waits_for_its_repeat_may_have_been_read_and_is_answered() {
    let mut story = paged();
    story.hears("pingdom", "db-2", Status::Firing);
    story.reaches("maya", "+4712345678");
    let codes = story.codes("maya");
    let now = story.clock.now();
    let waits = "update letter set state = 'pending', attempts = 1 where incident = 2 and person = 'maya'";
    let waits = story.committer.connection.write(now, |tx| tx.write(waits, &[]));
    waits.map_err(|error: StoreError| error).unwrap();
    assert_eq!(story.is_asked(None), (false, vec![2, 1]));
    assert_eq!(story.gives(message(Some(&codes[1]))).unwrap().0.id, 2);
    assert_eq!(story.wrong_codes("maya"), [0, 0]);
    story.proves_whole();
}

#[test]
fn at_a_telephone_that_several_people_share_the_code_says_whose_page_is_answered() {
    let mut story = paged();
    story.passes(6);
    story.tick(1);
    for person in ["maya", "tom"] {
        story.reaches(person, "+4712345678");
    }
    let code = story.code_of("tom", "page");
    assert_eq!(story.gives(message(Some(&code))).unwrap().1, Reason::TookCommand);
    assert_eq!(story.now_commands(1).as_deref(), Some("tom"));
    story.proves_whole();
}

#[test]
fn pages_of_several_incidents_with_one_code_are_answered_by_their_links() {
    let mut story = paged();
    story.hears("pingdom", "db-2", Status::Firing);
    story.reaches("maya", "+4712345678");
    let first = story.codes("maya").remove(0);
    let ids = "select id from letter where person = 'maya' order by seq";
    let second = story.look(|tx| tx.query(ids, &[], |row| row.text(0))).remove(1);
    story.has_code(&second, &first);
    let refused = story.gives(message(Some(&first))).unwrap_err();
    assert!(matches!(&refused, DoorError::Which(incidents) if *incidents == [1, 2]), "{refused:?}");
    assert_eq!((story.now_commands(1), story.now_commands(2)), (None, None));
    story.proves_whole();
}

#[test]
fn a_code_that_a_page_of_an_incident_that_is_over_had_as_well_answers_the_one_that_is_not() {
    for over_first in [true, false] {
        let mut story = paged();
        story.hears("pingdom", "db-2", Status::Firing);
        story.reaches("maya", "+4712345678");
        let code = story.codes("maya").remove(0);
        let ids = "select id from letter where person = 'maya' order by seq";
        let second = story.look(|tx| tx.query(ids, &[], |row| row.text(0))).remove(1);
        story.has_code(&second, &code);
        let (over, open) = if over_first { (1, 2) } else { (2, 1) };
        story.act(over, "maya", TAKE).unwrap();
        story.act(over, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
        let (incident, reason) = story.gives(message(Some(&code))).unwrap();
        assert_eq!((incident.id, reason), (open, Reason::TookCommand));
        story.proves_whole();
    }
}

#[test]
fn the_right_code_of_a_page_that_takes_no_more_answers_is_wrong_for_no_other() {
    let mut story = paged();
    story.reaches("maya", "+4712345678");
    let code = story.codes("maya").remove(0);
    let wrong = if code == "0000" { "1111" } else { "0000" };
    for _ in 0..5 {
        story.is_asked(Some(wrong));
    }
    story.hears("pingdom", "db-2", Status::Firing);
    story.reaches("maya", "+4712345678");
    for _ in 0..6 {
        assert_eq!(story.is_asked(Some(&code)), (true, Vec::new()), "the link remains");
    }
    assert_eq!(story.wrong_codes("maya"), [5, 0]);
    let second = story.codes("maya").remove(1);
    assert_eq!(story.gives(message(Some(&second))).unwrap().0.id, 2);
    assert_eq!(story.now_commands(1), None);
    story.proves_whole();
}

#[test]
fn a_message_about_a_test_confirms_nothing_and_is_told_of_the_link() {
    let mut story = Story::new();
    let mut house = house();
    house.answers.twilio = vec!["not-a-real-auth-token".into()];
    story.committer.house.swap(house);
    let asked = Asked::Test { person: "maya".into(), asked_by: "tom".into() };
    story.ask(Command::Reach(asked)).unwrap();
    story.reaches("maya", "+4712345678");
    for code in [None, Some("4826")] {
        let refused = story.gives(message(code)).unwrap_err();
        assert!(matches!(refused, DoorError::OnlyTest), "{refused:?}");
    }
    let elsewhere = Answering { from: "+4700000000".into(), ..message(None) };
    assert!(matches!(story.gives(elsewhere), Err(DoorError::NoPage)));
    let confirmed = |story: &mut Story| story.look(reach::all).iter().any(|one| one.confirmed_at.is_some());
    assert!(!confirmed(&mut story));
    // A page that waits comes first, and a test is no answer to it.
    story.hears("pingdom", "db-1", Status::Firing);
    story.reaches("maya", "+4712345678");
    assert_eq!(story.is_asked(None), (false, vec![1]));
    story.act(1, "maya", TAKE).unwrap();
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    assert!(matches!(story.gives(message(None)), Err(DoorError::OnlyTest)));
    story.passes(25 * 60);
    assert!(matches!(story.gives(message(None)), Err(DoorError::NoPage)));
    story.proves_whole();
}

#[test]
fn a_page_for_the_pio_makes_no_commander_and_can_be_declined() {
    for route in WAYS {
        let mut story = paged();
        story.act(1, "maya", TAKE).unwrap();
        story.reaches("kim", "at kim");
        let page = match route {
            Route::Sms => PageOf::Coded(Some(story.code_of("kim", "pio_page"))),
            _ => PageOf::Letter(story.newest_of("kim", "pio_page")),
        };
        let mut answering = Answering { page, from: "at kim".into(), act: HELP, route, once: None };
        let refused = story.gives(answering).unwrap_err();
        assert!(matches!(refused, DoorError::OtherPage | DoorError::NoPage), "{refused}");
        answering = Answering {
            page: PageOf::Letter(story.newest_of("kim", "pio_page")),
            from: "at kim".into(),
            act: Act::Decline,
            route,
            once: None,
        };
        story.gives(answering).unwrap();
        assert_eq!(story.now_commands(1).as_deref(), Some("maya"));
        story.proves_whole();
    }
}

#[test]
fn the_same_call_twice_says_what_is_so_and_changes_nothing() {
    for act in [TAKE, Act::Decline] {
        let mut story = paged();
        story.reaches("maya", "at maya");
        let again = |story: &mut Story| {
            let answering = story.answering(Route::Chat, "maya", act.clone());
            story.gives(Answering { once: Some("a word of its sender".into()), ..answering })
        };
        again(&mut story).unwrap();
        let (before, letters) = (story.lines(1), story.letters_of());
        let (incident, reason) = again(&mut story).unwrap();
        let expected = if act == TAKE { Reason::AlreadyCommands } else { Reason::Declined };
        assert_eq!((incident.id, reason), (1, expected));
        assert_eq!((story.lines(1), story.letters_of()), (before, letters));
        // What was not believed uses up no word.
        let mut story = paged();
        story.reaches("maya", "at maya");
        let foreign = Answering {
            from: "at tom".into(),
            once: Some("a word of its sender".into()),
            ..story.answering(Route::Chat, "maya", act.clone())
        };
        assert!(story.gives(foreign).is_err());
        again(&mut story).unwrap();
        assert!(!story.lines(1).1.is_empty());
        story.proves_whole();
    }
}

#[test]
fn an_answer_that_was_refused_may_be_given_again_with_the_same_word() {
    let mut story = paged();
    story.reaches("maya", "at maya");
    let answering = |story: &mut Story| Answering {
        once: Some("a word of its sender".into()),
        ..story.answering(Route::Chat, "maya", Act::Decline)
    };
    story.act(1, "maya", TAKE).unwrap();
    let refused = answering(&mut story);
    assert!(matches!(story.gives(refused), Err(DoorError::Refused(Refusal::WrongState(_)))));
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    let act = Act::Reopen { why: "it is back".into() };
    story.ask(Command::Act { incident: 1, act, by }).unwrap();
    let again = answering(&mut story);
    assert_eq!(story.gives(again).unwrap().1, Reason::Declined);
    assert!(story.lines(1).0.iter().any(|line| line.contains("maya cannot take it")));
    story.proves_whole();
}

#[test]
fn an_answer_goes_where_its_incident_has_gone_and_ends_with_it() {
    for route in WAYS {
        let mut story = paged();
        story.hears("pingdom", "db-2", Status::Firing);
        story.reaches("maya", "at maya");
        let answering = story.answering(route, "maya", TAKE);
        let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
        story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
        let (incident, reason) = story.gives(answering).unwrap();
        assert_eq!((incident.id, reason), (1, Reason::TookCommand), "{route:?}");
        story.act(1, "maya", Act::Resolve { term: 1, false_alarm: true }).unwrap();
        let late = story.answers(route, "maya", TAKE).unwrap_err();
        assert!(matches!(late, DoorError::NoPage | DoorError::Refused(Refusal::Over(_))), "{late}");
        story.proves_whole();
    }
}

#[test]
fn a_program_that_takes_command_before_it_presses_the_hidden_button_wakes_who_may_not_know_once() {
    for seen_before in [false, true] {
        let mut story = paged();
        let press = |story: &mut Story, act| {
            story.clock.forward(SignedDuration::from_secs(30));
            let (made_at, person) = (story.clock.now(), "maya".to_owned());
            story.clock.forward(SignedDuration::from_secs(30));
            story
                .ask(Command::Press(Press { link: [7; 32], made_at, incident: 1, person, act, once: None }))
                .unwrap();
        };
        story.claim("");
        if seen_before {
            press(&mut story, None);
        }
        press(&mut story, Some(TAKE));
        press(&mut story, None);
        assert_eq!(story.now_commands(1).as_deref(), Some("maya"), "command stays");
        assert_eq!(story.woken(1), ["tom doubt_help", "maya doubted"], "{seen_before}");
        press(&mut story, None);
        press(&mut story, Some(HELP));
        press(&mut story, None);
        assert_eq!(story.woken(1).iter().filter(|line| line.contains("doubt")).count(), 2);
        story.proves_whole();
    }
    // Long after it is another program.
    let mut story = paged();
    let press = |act, at| {
        Command::Press(Press {
            link: [7; 32],
            made_at: at,
            incident: 1,
            person: "maya".into(),
            act,
            once: None,
        })
    };
    let now = story.clock.now();
    story.ask(press(Some(TAKE), now)).unwrap();
    story.passes(6);
    let now = story.clock.now();
    story.ask(press(None, now)).unwrap();
    assert!(story.woken(1).is_empty());
    story.proves_whole();
}

#[test]
fn a_page_that_is_loaded_again_says_nothing_twice() {
    let mut story = paged();
    for act in [HELP, Act::Note { text: "db is slow".into() }, Act::Draft { text: "we know".into() }] {
        let press = |story: &mut Story, once: &str| {
            let (made_at, act) = (story.clock.now(), Some(act.clone()));
            let once = Some(format!("{once} {act:?}"));
            let person = "maya".to_owned();
            let press = Press { link: [7; 32], made_at, incident: 1, person, act, once };
            story.ask(Command::Press(press)).unwrap();
            story.lines(1).0.len()
        };
        let first = press(&mut story, "one");
        assert_eq!(press(&mut story, "one"), first, "{act:?}");
        assert!(press(&mut story, "another") > first, "{act:?}");
    }
    story.proves_whole();
}
