//! Stories of who is woken for what, to the letters that stand in the outbox: each lists all of them, and nothing else may.

use jiff::SignedDuration;

use super::stories::{Story, house};
use super::*;
use crate::core::alert::{AlertSeverity, Status};
use crate::core::decide::Act;
use crate::core::incident::Severity;
use crate::core::rules::{Policy, Step, Target, Watch};
use crate::core::timeline::{Actor, Route};
use crate::house::House;

impl Story {
    fn with_policy(change: impl FnOnce(&mut Policy)) -> Self {
        let story = Self::new();
        let mut rules = (*house().rules).clone();
        change(rules.policies.get_mut("default").unwrap());
        story.committer.house.swap(House { rules: Arc::new(rules), ..house() });
        story
    }

    /// Every letter to a person that was written since this was asked last, as `person: kind type`; all are taken and arrive.
    fn written(&mut self) -> Vec<String> {
        let claims = self.claim("");
        let told = claims.iter().map(|claim| {
            let words: serde_json::Value = serde_json::from_str(&claim.payload).unwrap();
            let (of, subject) = (claim.incident, words["subject"].as_str().unwrap());
            // Everything about an incident is one thread.
            assert!(subject.starts_with(&format!("[INC-{of}] shop: ")), "{subject}");
            let links = words["answer"].is_string();
            assert_eq!(links, claim.kind.wakes(), "{words}");
            format!("{}: {} {}", claim.person, claim.kind.as_str(), words["event_type"].as_str().unwrap())
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        for claim in claims {
            self.settle(claim, Settlement::Accepted { remote_id: None });
        }
        told
    }

    fn struck_by(&mut self, key: &str, severity: AlertSeverity) -> Option<i64> {
        let event =
            Event { severity: Some(severity), ..Event::new(key, Status::Firing, format!("{key} is down")) };
        let Reply::Events(_, results) = self.ask(self.delivery("pingdom", vec![event])).unwrap() else {
            panic!("another answer");
        };
        results[0].incident
    }
}

fn watched(policy: &mut Policy) {
    let severities = [Severity::Sev1, Severity::Sev2].into();
    policy.watch = Watch { who: vec![Target::Person("kim".into())], severities, after: 0 };
}

#[test]
fn who_watches_answers_by_their_page_and_everybody_who_was_paged_is_told() {
    let mut story = Story::with_policy(watched);
    story.struck_by("db-1", AlertSeverity::Critical);
    assert_eq!(story.written(), ["kim: page page", "maya: page page"]);
    story.passes(5);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.written(), ["tom: page page"]);
    assert_eq!(story.act(1, "kim", Act::Answer { help: false }).unwrap().1, Reason::TookCommand);
    let told =
        ["kim: pio_page pio_page", "maya: notice notice.acknowledged", "tom: notice notice.acknowledged"];
    assert_eq!(story.written(), told);
    story.act(1, "kim", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    assert_eq!(story.written(), ["maya: notice notice.resolved", "tom: notice notice.resolved"]);
    story.proves_whole();
}

#[test]
fn who_watched_what_became_part_of_another_hears_of_that_one() {
    let mut story = Story::with_policy(watched);
    story.struck_by("db-1", AlertSeverity::Warning);
    assert_eq!(story.written(), ["maya: page page"]);
    story.struck_by("db-2", AlertSeverity::Critical);
    assert_eq!(story.written(), ["kim: page page", "maya: page page"]);
    let by = By { actor: Actor::Person("tom".into()), route: Route::Api, occurred_at: None };
    story.ask(Command::Merge { incident: 2, into: 1, term: None, by }).unwrap();
    // It is as bad as the other from now on; who was woken for that knows.
    assert_eq!(story.written(), ["kim: notice notice.merged", "maya: notice notice.merged"]);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    assert_eq!(story.written(), ["kim: pio_page pio_page"], "who is woken needs no notice of the same");
    story.act(1, "maya", Act::Resolve { term: 1, false_alarm: false }).unwrap();
    assert_eq!(story.written(), ["kim: notice notice.resolved"]);
    story.proves_whole();
}

#[test]
fn who_is_woken_because_it_got_worse_is_woken_although_somebody_has_it() {
    let mut story = Story::with_policy(|policy| {
        watched(policy);
        policy.everybody = [Severity::Sev1].into();
    });
    story.struck_by("db-1", AlertSeverity::Warning);
    assert_eq!(story.written(), ["maya: page page"]);
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    assert_eq!(story.written(), ["kim: pio_page pio_page"]);
    story.struck_by("db-1", AlertSeverity::Critical);
    assert_eq!(story.written(), ["kim: help page", "maya: notice notice.worse", "tom: help page"]);
    story.proves_whole();
}

#[test]
fn a_reminder_goes_to_who_has_not_answered_and_counts_no_step() {
    let mut story = Story::with_policy(|policy| {
        let page = vec![Target::Person("maya".into()), Target::Person("kim".into())];
        policy.steps[0] =
            Step { page, remind: Some(SignedDuration::from_mins(2)), ..policy.steps[0].clone() };
    });
    story.struck_by("db-1", AlertSeverity::Critical);
    assert_eq!(story.written(), ["kim: page page", "maya: page page"]);
    story.act(1, "kim", Act::Decline).unwrap();
    story.passes(1);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.passes(1);
    assert_eq!(story.tick(1), Reason::Reminded);
    assert_eq!(story.written(), ["maya: page page"]);
    // The daemon was away: of what was missed, one reminder, and none when the next step is due.
    story.passes(2);
    assert_eq!((story.tick(1), story.written().len()), (Reason::Reminded, 1));
    story.passes(60);
    assert_eq!(story.tick(1), Reason::EscalatedOnTime);
    assert_eq!(story.written(), ["tom: page page"]);
    let text = story.metrics.text().unwrap();
    for (step, times) in [("1", 1), ("2", 1)] {
        let counted = format!("onscene_escalations_total{{policy=\"default\",step=\"{step}\"}} {times}\n");
        assert!(text.contains(&counted), "{text}");
    }
    story.proves_whole();
}

#[test]
fn who_commands_keeps_command_however_long_nothing_is_heard_of_them() {
    let mut story = Story::new();
    story.struck_by("db-1", AlertSeverity::Critical);
    story.written();
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    assert_eq!(story.written(), ["kim: pio_page pio_page"]);
    story.passes(15);
    assert_eq!(story.tick(1), Reason::AskedCommander);
    assert_eq!(story.written(), ["maya: help page"]);
    story.passes(5);
    assert_eq!(story.tick(1), Reason::CommanderIsSilent);
    assert_eq!(story.written(), ["maya: help page", "tom: help page"]);
    // A day without anybody: asked and called again, once in a quarter of an hour.
    for _ in 0..96 {
        story.passes(14);
        assert_eq!(story.tick(1), Reason::NotDue);
        story.passes(1);
        assert_eq!(story.tick(1), Reason::CommanderIsSilent);
        assert_eq!(story.written(), ["maya: help page", "tom: help page"]);
    }
    // The page's own link is a sign of life, and so is saying the same again.
    story.act(1, "maya", Act::CheckIn).unwrap();
    story.passes(14);
    assert_eq!(story.tick(1), Reason::NotDue);
    story.passes(1);
    assert_eq!(story.tick(1), Reason::AskedCommander);
    story.written();
    assert_eq!(story.act(1, "maya", Act::Answer { help: false }).unwrap().1, Reason::AlreadyCommands);
    story.passes(14);
    assert_eq!(story.tick(1), Reason::NotDue);
    let incident = story.look(|tx| crate::store::incidents::load(tx, 1)).unwrap().incident;
    assert_eq!((incident.commander().unwrap().person.as_str(), incident.term), ("maya", 1));
    story.proves_whole();
}

#[test]
fn a_row_that_a_node_of_the_version_before_has_written_is_whole_all_the_same() {
    let mut story = Story::with_policy(|policy| {
        watched(policy);
        policy.steps[0].remind = Some(SignedDuration::from_mins(2));
    });
    for key in ["a", "b"] {
        story.struck_by(key, AlertSeverity::Critical);
    }
    story.act(1, "maya", Act::Answer { help: false }).unwrap();
    // It keeps what it knows, and nothing else.
    for unknown in [r#","watching":true"#, r#","sign":{"after":"PT15M","#, r#","reminders":["#] {
        let rows: Vec<(i64, String)> = story.look(|tx| {
            tx.query("select id, state from incident", &[], |row| Ok((row.int(0)?, row.text(1)?)))
        });
        assert!(rows.iter().any(|(_, state)| state.contains(unknown)), "{unknown}: {rows:?}");
    }
    for (id, state) in story
        .look(|tx| tx.query("select id, state from incident", &[], |row| Ok((row.int(0)?, row.text(1)?))))
    {
        let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
        for responder in state["responders"].as_array_mut().unwrap() {
            responder.as_object_mut().unwrap().remove("watching");
        }
        state["phase"].as_object_mut().unwrap().remove("sign");
        state.as_object_mut().unwrap().remove("fold");
        if let Some(escalation) = state["phase"]["escalation"].as_object_mut() {
            escalation.remove("reminders");
        }
        story.change(|tx| {
            tx.write(
                "update incident set state = ?2 where id = ?1",
                &[id.into(), (&state.to_string()).into()],
            )
        });
    }
    story.passes(20);
    assert_eq!(story.tick(1), Reason::AskedCommander, "what it dropped is known from the timeline");
    assert_eq!(story.tick(2), Reason::EscalatedOnTime);
    story.proves_whole();
}
