//! Decisions told as stories: lines with an hour and an act in, what the daemon does out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::command::Turn;
use super::correlate::Grouping;
use super::decide::{Act, By, Decision, Join, Opening, Refusal, decide, open};
use super::escalation::{Staff, longest_wait};
use super::flapping::{Flapping, Flaps};
use super::incident::{Incident, Phase, Severity};
use super::letter::{Letter, Why};
use super::rules::{Person, Policy, Rules, Service, Step, Target};
use super::timeline::{Actor, Entry, Fact, Route};

pub(super) fn house() -> Rules {
    let person = |name: &str| {
        let email = format!("{name}@example.net");
        (name.to_owned(), Person { email, ..Person::default() })
    };
    let step = |name: &str, minutes| Step {
        page: vec![Target::Person(name.into())],
        wait: SignedDuration::from_mins(minutes),
        ..Step::default()
    };
    let policy = Policy {
        steps: vec![step("maya", 5), step("tom", 5)],
        repeat: 0,
        last_resort: vec![Target::Person("cto".into())],
        ..Policy::default()
    };
    let service = Service {
        policy: "default".into(),
        pio: vec![Target::Person("kim".into()), Target::Person("tom".into())],
        grouping: Grouping { window: SignedDuration::ZERO, ..Grouping::default() },
        ..Service::default()
    };
    Rules {
        people: ["maya", "tom", "kim", "cto"].map(person).into_iter().collect(),
        policies: BTreeMap::from([("default".to_owned(), policy)]),
        services: BTreeMap::from([("shop".to_owned(), service)]),
        internal_channels: vec!["ops-room".into()],
        ..Rules::default()
    }
}

pub(super) fn begin() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn by(name: &str) -> By {
    By { actor: Actor::Person(name.into()), route: Route::AnswerLink, occurred_at: None }
}

pub(super) fn source() -> By {
    By { actor: Actor::Source("pingdom".into()), route: Route::Webhook, occurred_at: None }
}

pub(super) fn told(letter: &Letter) -> String {
    match letter {
        Letter::Page { person, attempt, why } => format!("page {person} ({attempt}, {})", why.as_str()),
        Letter::PioPage { person } => format!("call PIO {person}"),
        Letter::Misread { person, why, .. } => format!("tell {person} of a reply: {}", why.as_str()),
        Letter::Notice { person, news } => format!("tell {person} {}", news.as_str()),
        Letter::Status { channel, news } => format!("{channel}: {}", news.as_str()),
        Letter::Statement { channel, number } => format!("{channel}: statement {number}"),
    }
}

/// It flaps. When it is calm is said with the hour.
const FLAPS: Flaps = Flaps { began: None, calm_at: Timestamp::UNIX_EPOCH };

/// An act of an alert that flaps, at an hour: calm by a quarter of an hour later.
pub(super) fn at(mut act: Act, now: Timestamp) -> Act {
    if let Act::Join(Join { flaps: Some(flaps), .. }) | Act::Recover { flaps: Some(flaps), .. } = &mut act {
        flaps.calm_at = now + Flapping::default().calm_after;
    }
    act
}

pub(crate) fn join(source: String, key: String) -> Join {
    Join {
        source,
        key,
        title: "down".into(),
        refired: false,
        service: "shop".into(),
        severity: Severity::Sev4,
        because: None,
        group: None,
        flaps: None,
    }
}

/// What a line asks for. `alert KEY`, `recover KEY`, `tick`, or a person and what they do.
pub(super) fn act(line: &str) -> (Act, By) {
    let words: Vec<&str> = line.split(' ').collect();
    let alert = |key: &str| (String::from("pingdom"), key.to_owned());
    match words[..] {
        ["tick"] => (Act::TICK, By::dispatch()),
        ["alert", key] => {
            let (source_name, key) = alert(key);
            (Act::Join(join(source_name, key)), source())
        }
        ["alert", key, "flapping"] => {
            let (source_name, key) = alert(key);
            (Act::Join(Join { refired: true, flaps: Some(FLAPS), ..join(source_name, key) }), source())
        }
        ["recover", key, "flapping"] => {
            let (source_name, key) = alert(key);
            (Act::Recover { source: source_name, key, timed_out: None, flaps: Some(FLAPS) }, source())
        }
        ["recover", key] => {
            let (source_name, key) = alert(key);
            (Act::Recover { source: source_name, key, timed_out: None, flaps: None }, source())
        }
        ["unreachable", person] => {
            (Act::Unreachable { person: person.into(), why: "550".into() }, By::dispatch())
        }
        [person, "answers"] => (Act::Answer { help: false }, by(person)),
        [person, "calls", "for", "help"] => (Act::Answer { help: true }, by(person)),
        [person, "cannot"] => (Act::Decline, by(person)),
        [person, "checks", "in"] => (Act::CheckIn, by(person)),
        [person, "mitigates", term] => {
            (Act::Mitigate { term: term.parse().unwrap(), cause: Some("restart".into()) }, by(person))
        }
        [person, "resolves", term] => {
            (Act::Resolve { term: term.parse().unwrap(), false_alarm: false }, by(person))
        }
        [person, "reopens"] => {
            (Act::Reopen { why: "it is back".into() }, By { route: Route::Api, ..by(person) })
        }
        [person, "notes"] => (Act::Note { text: "seen".into() }, by(person)),
        [person, "drafts"] => (Act::Draft { text: "we look into it".into() }, by(person)),
        _ => panic!("no act: {line}"),
    }
}

/// Tells a story: `minute act` a line; the incident opens at minute 0.
fn story(lines: &str) -> String {
    story_in(&house(), lines)
}

fn story_in(rules: &Rules, lines: &str) -> String {
    let opening = Opening {
        title: "checkout down".into(),
        service: "shop".into(),
        severity: Severity::Sev1,
        alert: Some(("pingdom".into(), "db-1".into())),
        group: None,
        storm: false,
    };
    let opened = open(1, opening, &source(), Staff::as_configured(rules), begin()).unwrap();
    let mut shown = vec![shown(0, &Ok(opened.clone()))];
    let mut incident = opened.incident;
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (minute, what) = line.split_once(' ').unwrap();
        let minute: i64 = minute.parse().unwrap();
        let now = begin() + SignedDuration::from_mins(minute);
        let (act, by) = act(what);
        let decided = decide(&incident, at(act, now), &by, Staff::as_configured(rules), now);
        shown.push(self::shown(minute, &decided));
        if let Ok(decision) = decided {
            incident = decision.incident;
        }
    }
    shown.join("\n")
}

fn shown(minute: i64, decided: &Result<Decision, Refusal>) -> String {
    match decided {
        Ok(decision) => {
            let letters: Vec<String> = decision.letters.iter().map(told).collect();
            let commander = decision
                .incident
                .commander()
                .map(|command| format!(" [{} {}]", command.person, command.term));
            let (reason, commander) = (decision.reason.as_str(), commander.unwrap_or_default());
            format!("{minute} {reason}{commander}: {}", letters.join(", ")).trim_end_matches(": ").to_owned()
        }
        Err(refusal) => format!("{minute} refused: {refusal}"),
    }
}

#[test]
fn the_night_as_it_should_go() {
    insta::assert_snapshot!(
        "night",
        story(
            "1 alert db-2
         2 maya answers
         3 tom answers
         4 recover db-1
         5 recover db-2
         6 tick
         9 tom mitigates 1
         10 maya mitigates 1
         12 alert db-1
         20 maya resolves 1
         21 maya resolves 1"
        )
    );
}

#[test]
fn nobody_answers_and_it_goes_on_for_ever() {
    insta::assert_snapshot!(
        "nobody_answers",
        story("4 tick\n5 tick\n10 tick\n20 tick\n30 tick\n31 cto calls for help")
    );
}

/// The house, with steps that begin anew three times.
fn patient_house() -> Rules {
    let mut rules = house();
    rules.policies.get_mut("default").unwrap().repeat = 3;
    rules
}

#[test]
fn when_nobody_of_the_steps_can_be_reached_the_last_resort_is_called_at_once() {
    let told = story_in(
        &patient_house(),
        "0 unreachable maya\n0 unreachable tom\n0 unreachable cto\n9 tick\n10 tick",
    );
    let expected = "0 opened: page maya (1, on_call)
0 escalated_unanswered: page tom (1, on_call)
0 escalated_unanswered: page cto (1, last_resort)
0 recorded
9 not_due
10 escalated_on_time: page cto (2, last_resort)";
    assert_eq!(told, expected);
}

#[test]
fn when_somebody_of_the_steps_can_be_reached_they_begin_anew_at_once() {
    let told = story_in(&patient_house(), "5 tick\n5 unreachable tom\n10 tick\n10 unreachable tom");
    let expected = "0 opened: page maya (1, on_call)
5 escalated_on_time: page tom (1, on_call)
5 escalated_unanswered: page maya (2, on_call)
10 escalated_on_time: page tom (2, on_call)
10 escalated_unanswered: page maya (3, on_call)";
    assert_eq!(told, expected);
}

#[test]
fn a_link_ends_with_its_incident() {
    let told =
        story("1 maya answers\n2 maya notes\n3 maya resolves 1\n4 maya notes\n4 tom drafts\n5 nobody notes");
    assert_eq!(told.matches("refused: the incident is over (restored)").count(), 2, "{told}");
    assert!(told.ends_with("refused: nobody is not a person of this house"), "{told}");
}

#[test]
fn who_cannot_is_followed_by_the_next_at_once_but_nobody_is_paged_in_a_circle() {
    insta::assert_snapshot!(
        "cannot",
        story("1 maya cannot\n2 unreachable tom\n3 unreachable cto\n4 tick\n13 tick")
    );
}

#[test]
fn what_recovers_before_anybody_took_it_clears_itself_and_may_come_back() {
    insta::assert_snapshot!(
        "self_cleared",
        story(
            "1 recover db-1
         2 tick
         4 tick
         5 maya answers
         6 alert db-1
         7 maya answers
         8 maya reopens"
        )
    );
}

#[test]
fn help_wakes_who_is_not_here_yet_and_a_relapse_keeps_the_commander() {
    insta::assert_snapshot!(
        "help",
        story(
            "1 tom calls for help
         2 maya checks in
         3 tom calls for help
         4 tom mitigates 1
         5 alert db-9
         6 tom resolves 2
         7 tom resolves 1
         8 kim reopens
         9 tom resolves 1
         10 kim resolves 2"
        )
    );
}

#[test]
fn a_call_for_help_says_when_nobody_else_is_there() {
    let told = story("1 maya answers\n2 tom answers\n3 cto answers\n4 maya calls for help");
    assert!(told.ends_with("4 nobody_to_call [maya 1]"), "{told}");
}

/// Any act of anybody, for the laws that hold whatever happens.
pub(super) fn any_act() -> impl Strategy<Value = (Act, By, i64)> {
    let person = prop::sample::select(vec!["maya", "tom", "kim", "cto", "stranger"]);
    let term = 0_u32..4;
    let acts = prop_oneof![
        Just(0).prop_map(|_| "tick".to_owned()),
        Just(0).prop_map(|_| "alert db-1".to_owned()),
        Just(0).prop_map(|_| "recover db-1".to_owned()),
        Just(0).prop_map(|_| "alert db-1 flapping".to_owned()),
        Just(0).prop_map(|_| "recover db-1 flapping".to_owned()),
        person.clone().prop_map(|person| format!("unreachable {person}")),
        person.clone().prop_map(|person| format!("{person} answers")),
        person.clone().prop_map(|person| format!("{person} calls for help")),
        person.clone().prop_map(|person| format!("{person} cannot")),
        person.clone().prop_map(|person| format!("{person} checks in")),
        (person.clone(), term.clone()).prop_map(|(person, term)| format!("{person} mitigates {term}")),
        (person.clone(), term).prop_map(|(person, term)| format!("{person} resolves {term}")),
        person.prop_map(|person| format!("{person} reopens")),
    ];
    (acts, 0_i64..12).prop_map(|(line, minutes)| {
        let (act, by) = act(&line);
        (act, by, minutes)
    })
}

/// Every law of an incident that is not bound to one story.
pub(super) fn obeys(before: &Incident, decision: &Decision) {
    let after = &decision.incident;
    let mut fold = before.clone();
    for entry in &decision.entries {
        fold.apply(entry).unwrap();
    }
    assert_eq!(&fold, after, "the state is the fold of the entries");
    assert!(after.term >= before.term, "terms never fall");
    if let (Some(old), Some(new)) = (before.commander(), after.commander()) {
        let one = old.person == new.person && old.term == new.term;
        let ended = decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Resolved { .. }));
        let passed = |entry: &Entry| {
            matches!(&entry.fact, Fact::Command(Turn::Transferred { from, to, term, .. })
                if *from == old.person && *to == new.person && *term == old.term + 1 && new.term == *term)
        };
        assert!(one || ended || decision.entries.iter().any(passed), "command does not move by itself");
    }
    let taken = |entry: &&Entry| matches!(entry.fact, Fact::CommandTaken { .. });
    for entry in decision.entries.iter().filter(taken) {
        assert!(entry.actor.person().is_some(), "only a human takes command");
    }
    for entry in &decision.entries {
        if let Fact::Command(Turn::Transferred { to, .. }) = &entry.fact {
            assert_eq!(entry.actor.person(), Some(to.as_str()), "nobody is made Commander by another");
            assert!(before.is_on_scene(to), "command passes only to somebody on scene");
        }
    }
    assert!(
        before.commander().is_none() || after.commander().is_some() || !after.is_open(),
        "command is never empty"
    );
    match &after.phase {
        Phase::Triggered { escalation: Some(current), held_until: Some(rests), .. } => {
            assert!(*rests <= current.due + Flapping::default().calm_after, "what flaps puts off once");
            assert!(after.due_at().is_some(), "escalation cannot stall");
        }
        Phase::Triggered { .. } => assert!(after.due_at().is_some(), "escalation cannot stall"),
        Phase::Acknowledged { sign: Some(sign), .. } => {
            assert!(after.due_at().is_some_and(|due| due <= sign.due), "who has it is looked for");
        }
        Phase::Acknowledged { .. } | Phase::Mitigated { .. } => {}
        Phase::Resolved { .. } => assert_eq!(after.due_at(), None, "what is over is left alone"),
    }
    let mut woken = Vec::new();
    for letter in &decision.letters {
        if let Letter::Page { person, why, .. } = letter {
            let wakes = match why {
                Why::Help | Why::Watching | Why::Worse | Why::Storm | Why::Requested | Why::Office => true,
                Why::SilentCommander | Why::Doubted => {
                    after.commander().is_some_and(|command| command.person == *person)
                }
                Why::SilenceHelp | Why::DoubtHelp | Why::Support => {
                    after.commander().is_some_and(|command| command.person != *person)
                }
                _ => matches!(after.phase, Phase::Triggered { .. }),
            };
            assert!(wakes, "a taken incident wakes nobody but by a call for help, or its Commander");
            assert!(!woken.contains(person), "{person} is woken twice at once");
            woken.push(person.clone());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_laws_hold_whatever_happens_in_whatever_order(acts in prop::collection::vec(any_act(), 1..60)) {
        let rules = house();
        let opening = Opening {
            title: "t".into(), service: "shop".into(), severity: Severity::Sev2,
            alert: Some(("pingdom".into(), "db-1".into())),
            group: None,
            storm: false,
        };
        let mut incident = open(1, opening, &source(), Staff::as_configured(&rules), begin()).unwrap().incident;
        let mut now = begin();
        for (act, by, minutes) in acts {
            now += SignedDuration::from_mins(minutes);
            match decide(&incident, at(act, now), &by, Staff::as_configured(&rules), now) {
                Ok(decision) => {
                    obeys(&incident, &decision);
                    let latest = now + longest_wait(&rules);
                    prop_assert!(decision.incident.due_at().is_none_or(|due| due <= latest), "nobody waits longer");
                    incident = decision.incident;
                }
                // A recovery of an alert that does not fire is never asked for by the one who asks.
                Err(Refusal::Fault(fault)) => prop_assert_eq!(fault.why, "no alert was firing"),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn somebody_is_woken_for_a_service_that_has_left_the_configuration() {
    let mut rules = house();
    rules.services.clear();
    let told = story_in(&rules, "5 tick");
    assert_eq!(told, "0 opened: page maya (1, on_call)\n5 escalated_on_time: page tom (1, on_call)");
    let elsewhere = Policy {
        steps: vec![Step {
            page: vec![Target::Person("kim".into())],
            wait: SignedDuration::from_mins(5),
            ..Step::default()
        }],
        repeat: 0,
        last_resort: vec![],
        ..Policy::default()
    };
    rules.policies = BTreeMap::from([("night".to_owned(), elsewhere)]);
    assert!(story_in(&rules, "").contains("page kim"), "there is no policy `default`");
}
