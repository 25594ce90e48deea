//! More stories of the delivery drill: crowds, nodes that differ, and what is told of it later.

use jiff::SignedDuration;
use jiff::civil::time;

use super::stories::Story;
use super::stories_drill::{Got, with_a_drill};
use super::*;
use crate::core::reach::Quiet;
use crate::render::tried;
use crate::store::drills;
use crate::store::nodes::{Hearing, Node, Present};

impl Story {
    fn node_says(&mut self, name: &str, config_hash: &str) {
        let now = self.clock.now();
        let (hearing, version) = (Hearing { since: now, until: now }, "1".into());
        let node = Node { name: name.into(), config_hash: config_hash.into(), version };
        let present = Present { id: name.into(), node, hearing, place: None, comes: true };
        self.ask(Command::Beat(Box::new(present))).unwrap();
    }

    /// Whom tests leave to now.
    fn asks(&mut self) -> Vec<String> {
        self.drill_looks();
        let all = self.tests_got();
        let names = all.iter().filter(|got| got.claim.channel.is_empty()).map(|got| got.claim.person.clone());
        let names = names.collect();
        all.into_iter().for_each(|got| self.is_taken(got.claim));
        names
    }
}

#[test]
fn people_are_asked_a_second_apart_also_when_their_hours_come_at_once() {
    // At the end of the quiet hours of all.
    let mut rules = with_a_drill();
    for person in rules.people.values_mut() {
        let hours = vec![(time(9, 0, 0, 0), time(13, 0, 0, 0))];
        person.quiet = Some(Quiet { hours, severities: vec![Severity::Sev4] });
    }
    let mut quiet = Story::of_drills(&rules);
    quiet.drill_looks();
    quiet.drill_hour("2026-12-01T10:00");
    quiet.looks_for_a_while();
    quiet.drill_hour("2026-12-01T13:00");
    // And when the daemon was down.
    let mut down = Story::of_drills(&with_a_drill());
    down.drill_looks();
    down.drill_hour("2026-12-01T10:00");
    assert_eq!(down.asks(), ["kim"]);
    down.drill_hour("2026-12-01T12:00");
    for (mut story, whom) in [(quiet, &["kim", "maya", "tom"][..]), (down, &["maya", "tom"])] {
        for one in whom {
            assert_eq!(story.asks(), [*one]);
            assert_eq!(story.asks(), Vec::<String>::new(), "not within the same second");
            story.clock.forward(SignedDuration::from_secs(1));
        }
        assert_eq!(story.asks(), Vec::<String>::new());
        story.proves_whole();
    }
}

#[test]
fn who_waits_behind_others_has_the_same_four_hours() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    assert_eq!(story.asks(), ["kim"]);
    story.drill_hour("2026-12-01T14:00");
    assert_eq!(story.asks(), ["maya"]);
    // Down again; tom was to be asked two seconds after ten.
    story.drill_hour("2026-12-01T14:01");
    assert_eq!(story.asks(), Vec::<String>::new());
    assert_eq!(story.stand(), ["kim asked", "maya asked", "tom late"]);
    story.proves_whole();
}

#[test]
fn who_is_known_to_another_node_only_is_asked_when_they_agree() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    assert_eq!(story.asks(), ["kim"]);
    // This node has not heard of tom yet.
    let mut old = with_a_drill();
    old.people.remove("tom");
    let hash = format!("{:?}", old.delivery_drill);
    story.has_rules(&old);
    story.passes(1);
    story.node_says("web-1", &hash);
    story.node_says("web-2", "another");
    assert_eq!(story.asks(), ["maya"]);
    story.clock.forward(SignedDuration::from_secs(2));
    assert_eq!(story.asks(), Vec::<String>::new());
    assert_eq!(story.stand(), ["kim asked", "maya asked", "tom waits"]);
    story.has_rules(&with_a_drill());
    story.passes(1);
    story.node_says("web-1", &hash);
    story.node_says("web-2", &hash);
    assert_eq!(story.asks(), ["tom"]);
    story.proves_whole();
}

#[test]
fn the_report_names_the_way_that_failed_of_whoever_is_not_awaited_any_more() {
    let mut story = Story::of_drills(&with_a_drill());
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    for got in story.tests_got() {
        match got.claim.person.as_str() {
            "tom" => story.settle(got.claim, Settlement::Refused { why: "550 no such user".into() }),
            _ => {
                story.presses(Got::link(&got));
                story.is_taken(got.claim);
            }
        }
    }
    story.is_at_sea("tom", 48);
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    assert_eq!(story.stand(), ["kim answered by mail", "maya answered by mail", "tom away"]);
    let report = story.tests_got().remove(0).words.text;
    assert!(report.starts_with("All 2 who were awaited answered the delivery drill, but a way failed."));
    assert!(report.contains("Left out:\n- tom: on leave; mail refused (550 no such user)\n"), "{report}");
    story.proves_whole();
}

#[test]
fn of_an_old_drill_it_is_said_that_letters_are_not_kept() {
    let mut rules = with_a_drill();
    rules.people.get_mut("tom").unwrap().email.clear();
    let mut story = Story::of_drills(&rules);
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    story.gets_names();
    story.drill_hour("2026-12-02T10:01");
    story.drill_looks();
    let told = |story: &mut Story| -> Vec<String> { story.drill_seen().people.iter().map(tried).collect() };
    let taken = "mail taken, and not pressed";
    let nobody = "there is no way to them";
    assert_eq!(told(&mut story), [taken, &format!("{taken}; push {}", &taken[5..]), nobody]);
    story.drill_hour("2027-01-20T12:00");
    story.ask(Command::Forget).unwrap();
    let gone = "what became of each letter is not kept any more";
    assert_eq!(told(&mut story), [gone, gone, nobody]);
    story.proves_whole();
}

#[test]
fn the_hour_of_the_last_drill_is_that_of_one_of_a_week() {
    let mut story = Story::of_drills(&with_a_drill());
    let over = |story: &mut Story| {
        story.passes(24 * 60 + 1);
        story.drill_looks();
        story.gets_names();
        story.look(drills::last).unwrap()
    };
    story.begins_now("maya").unwrap();
    story.looks_for_a_while();
    story.gets_names();
    assert_eq!(over(&mut story), (3, None));
    story.drill_hour("2026-12-01T09:59");
    story.drill_looks();
    story.drill_hour("2026-12-01T10:00");
    story.looks_for_a_while();
    story.gets_names();
    let (missed, at) = over(&mut story);
    let at = at.unwrap();
    assert_eq!(missed, 3);
    assert!(story.clock.now().duration_since(at) < SignedDuration::from_secs(5));
    story.begins_now("maya").unwrap();
    story.looks_for_a_while();
    story.gets_names();
    assert_eq!(over(&mut story), (3, Some(at)));
    // It is remembered although it is old.
    story.drill_hour("2027-02-20T12:00");
    story.ask(Command::Forget).unwrap();
    assert_eq!(story.look(drills::last), Some((3, Some(at))));
    story.proves_whole();
}
