//! Stories of incidents that people put together and take apart.

use super::stories::Story;
use super::*;
use crate::core::alert::Status;
use crate::core::decide::Refusal;
use crate::core::incident::{Phase, ResponderStatus};
use crate::core::timeline::Actor;
use crate::core::timeline::Route;
use crate::store::incidents;

impl Story {
    fn now_is(&mut self, id: i64) -> Incident {
        self.look(|tx| incidents::load(tx, id)).unwrap().incident
    }

    fn does(&mut self, person: &str, command: impl FnOnce(By) -> Command) -> Result<Incident, DoorError> {
        let by = By { actor: Actor::Person(person.into()), route: Route::Api, occurred_at: None };
        match self.ask(command(by))? {
            Reply::Decided(incident, _) => Ok(*incident),
            other => panic!("another answer: {other:?}"),
        }
    }

    fn merges(
        &mut self,
        person: &str,
        incident: i64,
        into: i64,
        term: Option<u32>,
    ) -> Result<Incident, DoorError> {
        self.does(person, |by| Command::Merge { incident, into, term, by })
    }

    fn splits(
        &mut self,
        person: &str,
        incident: i64,
        part: Part,
        term: Option<u32>,
    ) -> Result<Incident, DoorError> {
        self.does(person, |by| Command::Split { incident, part, term, by })
    }

    fn three(&mut self) {
        for (key, id) in [("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(self.hears("pingdom", key, Status::Firing), ("opened".into(), Some(id)));
        }
    }

    fn told_of(&mut self, person: &str) -> Vec<String> {
        let sql = "select payload from letter where person = ?1 and kind = 'notice' order by seq";
        let payloads = self.look(|tx| tx.query(sql, &[person.into()], |row| row.text(0)));
        let kind = |payload: &String| {
            let value: serde_json::Value = serde_json::from_str(payload).unwrap();
            value["event_type"].as_str().unwrap().to_owned()
        };
        payloads.iter().map(kind).collect()
    }
}

fn why(refused: Result<Incident, DoorError>) -> String {
    refused.unwrap_err().to_string()
}

#[test]
fn what_became_part_of_another_is_that_ones_with_its_alerts_and_people() {
    let mut story = Story::new();
    story.three();
    let merged = story.merges("tom", 2, 1, None).unwrap();
    assert_eq!((merged.id, merged.state(), merged.merged_into), (2, "resolved", Some(1)));
    let home = story.now_is(1);
    assert_eq!((home.alerts, home.firing), (2, 2));
    assert_eq!(story.told_of("maya"), ["notice.merged"]);
    // Its alerts recover there, and fire again there.
    assert_eq!(story.hears("pingdom", "b", Status::Resolved), ("resolved".into(), Some(1)));
    assert_eq!(story.hears("pingdom", "b", Status::Firing), ("joined".into(), Some(1)));
    assert_eq!(story.hears("pingdom", "b", Status::Firing), ("repeated".into(), Some(1)));
    story.proves_whole();
}

#[test]
fn an_answer_to_a_page_of_what_was_merged_is_an_answer_to_what_it_became() {
    let mut story = Story::new();
    story.three();
    story.merges("tom", 2, 1, None).unwrap();
    story.merges("tom", 1, 3, None).unwrap();
    let (state, reason) = story.act(2, "maya", Act::Answer { help: false }).unwrap();
    assert_eq!((state.as_str(), reason), ("acknowledged", Reason::TookCommand));
    let home = story.now_is(3);
    assert_eq!((home.commander().unwrap().person.as_str(), home.term, home.firing), ("maya", 1, 3));
    story.proves_whole();
}

#[test]
fn who_commands_gives_an_incident_up_and_nobody_else_does() {
    let mut story = Story::new();
    story.three();
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    assert!(why(story.merges("tom", 1, 2, None)).contains("maya has command"));
    assert!(why(story.merges("tom", 1, 2, Some(1))).contains("maya has command"));
    assert!(why(story.merges("maya", 1, 2, Some(7))).contains("term 1"));
    assert!(why(story.merges("maya", 1, 1, Some(1))).contains("part of itself"));
    assert!(why(story.merges("maya", 1, 9, Some(1))).contains('9'));
    // Who commands one and gives it to one that nobody has, has that one then: nobody is woken for what is in hand.
    story.merges("maya", 1, 2, Some(1)).unwrap();
    let home = story.now_is(2);
    assert_eq!((home.commander().unwrap().person.as_str(), home.term), ("maya", 1));
    assert!(why(story.merges("tom", 3, 1, None)).contains("INC-1 became part of INC-2"));
    story.act(2, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    assert!(why(story.merges("tom", 3, 2, None)).contains("INC-2 is over"));
    story.proves_whole();
}

#[test]
fn a_commander_of_each_leaves_the_one_who_commands_the_other() {
    let mut story = Story::new();
    story.three();
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    story.act(2, "tom", Act::Answer { help: false }).unwrap();
    story.merges("tom", 2, 1, Some(1)).unwrap();
    let home = story.now_is(1);
    assert_eq!((home.commander().unwrap().person.as_str(), home.term), ("maya", 1));
    assert_eq!(home.responder("tom").unwrap().status, ResponderStatus::Acknowledged);
    assert_eq!(story.told_of("maya").last().unwrap(), "notice.took-in");
    story.proves_whole();
}

#[test]
fn what_was_put_together_is_taken_apart_again() {
    let mut story = Story::new();
    story.three();
    story.merges("tom", 2, 1, None).unwrap();
    story.merges("tom", 1, 3, None).unwrap();
    assert!(why(story.splits("tom", 3, Part::Incident(2), None)).contains("did not become part"));
    story.hears("pingdom", "b", Status::Resolved);
    assert!(why(story.splits("tom", 1, Part::Incident(2), None)).contains("INC-1 is itself part of INC-3"));
    let apart = story.splits("tom", 3, Part::Incident(1), None).unwrap();
    assert_eq!((apart.id, apart.alerts, apart.firing, apart.merged_into), (1, 2, 1, None));
    assert_eq!(apart.commander().unwrap().person, "tom");
    let again = story.splits("tom", 1, Part::Incident(2), Some(1)).unwrap();
    assert_eq!((again.id, again.alerts, again.firing), (2, 1, 0));
    assert_eq!((story.now_is(1).alerts, story.now_is(3).alerts), (1, 1));
    assert_eq!(story.hears("pingdom", "b", Status::Firing), ("joined".into(), Some(2)));
    story.proves_whole();
}

#[test]
fn alerts_that_have_nothing_to_do_with_it_become_an_incident_of_their_own() {
    let mut story = Story::new();
    story.three();
    story.merges("tom", 2, 1, None).unwrap();
    story.merges("tom", 3, 1, None).unwrap();
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    let named =
        |keys: &[&str]| Part::Alerts(keys.iter().map(|key| ("pingdom".into(), (*key).into())).collect());
    assert!(why(story.splits("tom", 1, named(&["b"]), None)).contains("maya has command"));
    assert!(why(story.splits("maya", 1, named(&["b", "z"]), Some(1))).contains("no alert z of pingdom"));
    assert!(why(story.splits("maya", 1, named(&["a", "b", "c"]), Some(1))).contains("without an alert"));
    assert!(why(story.splits("maya", 1, named(&[]), Some(1))).contains("at least one"));
    let own = story.splits("maya", 1, named(&["c", "b", "b"]), Some(1)).unwrap();
    assert_eq!((own.id, own.alerts, own.firing, own.title.as_str()), (4, 2, 2, "c is down"));
    assert_eq!(own.commander().unwrap().person, "maya");
    assert_eq!((story.now_is(1).alerts, story.now_is(1).firing), (1, 1));
    assert_eq!(story.hears("pingdom", "c", Status::Resolved), ("resolved".into(), Some(4)));
    story.proves_whole();
}

#[test]
fn an_incident_that_nobody_has_clears_itself_when_all_that_fired_was_taken_out() {
    let mut story = Story::new();
    story.three();
    story.merges("tom", 2, 1, None).unwrap();
    story.hears("pingdom", "a", Status::Resolved);
    story.splits("tom", 1, Part::Alerts(vec![("pingdom".into(), "b".into())]), None).unwrap();
    assert!(matches!(story.now_is(1).phase, Phase::Triggered { quiet_until: Some(_), .. }));
    story.passes(4);
    assert_eq!(story.tick(1), Reason::SelfCleared);
    story.proves_whole();
}

#[test]
fn an_incident_that_became_part_of_another_is_not_reopened_beside_it() {
    let mut story = Story::new();
    story.three();
    story.merges("tom", 2, 1, None).unwrap();
    let reopen =
        story.does("tom", |by| Command::Act { incident: 2, act: Act::Reopen { why: "x".into() }, by });
    assert!(why(reopen).contains("it is part of INC-1; split it off"));
    let bot = || By { actor: Actor::Automation("bot".into()), route: Route::Api, occurred_at: None };
    let merge = Command::Merge { incident: 3, into: 1, term: None, by: bot() };
    assert!(matches!(story.ask(merge), Err(DoorError::Refused(Refusal::NotAPerson))));
    let by_machine = By { actor: Actor::Automation("bot".into()), route: Route::Api, occurred_at: None };
    let command = Command::Split { incident: 1, part: Part::Incident(2), term: None, by: by_machine };
    assert!(matches!(story.ask(command), Err(DoorError::Refused(Refusal::NotAPerson))));
    story.proves_whole();
}

#[test]
fn a_page_that_does_not_reach_anybody_wakes_the_next_where_its_incident_has_gone() {
    let mut story = Story::new();
    story.three();
    let claims = story.claim("");
    story.merges("tom", 2, 1, None).unwrap();
    let is_page = |claim: &Claim| claim.incident == 2 && claim.kind == letters::Kind::Page;
    let page = claims.into_iter().find(is_page).unwrap();
    story.settle(page, Settlement::Refused { why: "550".into() });
    assert_eq!(story.now_is(1).responder("maya").unwrap().status, ResponderStatus::Unreachable);
    assert!(story.now_is(1).responder("tom").is_some_and(|known| known.pages == 1));
    story.proves_whole();
}
