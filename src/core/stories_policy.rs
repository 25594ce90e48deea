//! Policies told as stories: nights in virtual time, of which every letter that leaves is listed, and nothing else does.

use std::collections::BTreeSet;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::decide::{Act, By, Opening, decide, open};
use super::escalation::{self, Case, Staff};
use super::incident::{Escalation, Incident, Severity};
use super::oncall::{Hours, Layer, Leave, Roster, Rotation, Turns};
use super::rules::{Policy, Rules, Step, Target, Timetable, Watch, When};
use super::stories::{act, any_act, at, begin, house, obeys, source, told};

pub(super) fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn person(name: &str) -> Target {
    Target::Person(name.into())
}

pub(super) fn step(names: &[&str], minutes: i64) -> Step {
    Step { page: names.iter().map(|name| person(name)).collect(), wait: mins(minutes), ..Step::default() }
}

fn only_for(severities: &[Severity], step: Step) -> Step {
    let when = When { severities: severities.iter().copied().collect(), ..step.when };
    Step { when, ..step }
}

fn only_by_day(step: Step) -> Step {
    let hours = Some(Timetable { hours: Hours::new(&[], &[(8 * 60, 17 * 60)]), time_zone: TimeZone::UTC });
    Step { when: When { hours, ..step.when }, ..step }
}

/// The house of the stories with another policy.
fn with(change: impl FnOnce(&mut Policy)) -> Rules {
    let mut rules = house();
    change(rules.policies.get_mut("default").unwrap());
    rules
}

pub(super) fn away(names: &[&str]) -> Roster {
    let leave = |name: &&str| Leave {
        id: String::new(),
        person: (*name).to_owned(),
        from: Timestamp::MIN,
        until: Timestamp::MAX,
        author: "kim".into(),
        reason: "rest".into(),
        created_at: begin(),
        ended_by: None,
    };
    Roster { leaves: names.iter().map(leave).collect(), ..Roster::default() }
}

/// A night: the incident opens at its beginning, every hour is met when it comes, and people act as told.
struct Night<'a> {
    rules: &'a Rules,
    roster: &'a Roster,
    incident: Incident,
    now: Timestamp,
    lines: Vec<String>,
}

impl<'a> Night<'a> {
    fn begins(rules: &'a Rules, roster: &'a Roster, severity: Severity, now: Timestamp) -> Self {
        let opening = Opening {
            title: "checkout down".into(),
            service: "shop".into(),
            severity,
            alert: Some(("pingdom".into(), "db-1".into())),
            group: None,
            storm: false,
        };
        let opened = open(1, opening, &source(), Staff { rules, roster }, now).unwrap();
        let mut night = Self { rules, roster, incident: opened.incident.clone(), now, lines: Vec::new() };
        night.told("opened", &opened.letters.iter().map(told).collect::<Vec<_>>());
        night
    }

    fn told(&mut self, what: &str, letters: &[String]) {
        let since = self.now.duration_since(self.incident.opened_at).as_secs();
        let line = format!("{}:{:02} {what}: {}", since / 60, since % 60, letters.join(", "));
        self.lines.push(line.trim_end_matches(": ").to_owned());
    }

    fn acts(&mut self, act: Act, by: &By) {
        let (rules, roster) = (self.rules, self.roster);
        let decision = decide(&self.incident, act, by, Staff { rules, roster }, self.now).unwrap();
        obeys(&self.incident, &decision);
        self.incident = decision.incident;
        self.told(decision.reason.as_str(), &decision.letters.iter().map(told).collect::<Vec<_>>());
    }

    /// Every hour up to a minute after the opening is met.
    fn passes(&mut self, minute: i64) {
        let until = self.incident.opened_at + mins(minute);
        while let Some(due) = self.incident.due_at().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.acts(Act::TICK, &By::dispatch());
            assert!(self.incident.due_at().is_none_or(|next| next > self.now), "what is due stays due");
        }
        self.now = self.now.max(until);
    }

    /// Lines with a minute and what somebody does.
    fn goes(mut self, lines: &str, until: i64) -> String {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (minute, what) = line.split_once(' ').unwrap();
            self.passes(minute.parse().unwrap());
            match what.strip_prefix("worse ") {
                Some(severity) => {
                    let severity = Severity::from_word(severity).unwrap();
                    self.acts(Act::Worsen { severity }, &source());
                }
                None => {
                    let (what, by) = act(what);
                    self.acts(at(what, self.now), &by);
                }
            }
        }
        self.passes(until);
        self.lines.join("\n")
    }
}

pub(super) fn night(rules: &Rules, severity: Severity, lines: &str, until: i64) -> String {
    Night::begins(rules, &Roster::nothing(), severity, begin()).goes(lines, until)
}

fn night_without(names: &[&str], rules: &Rules, lines: &str, until: i64) -> String {
    night_with(&away(names), rules, lines, until)
}

pub(super) fn night_with(roster: &Roster, rules: &Rules, lines: &str, until: i64) -> String {
    Night::begins(rules, roster, Severity::Sev1, begin()).goes(lines, until)
}

#[test]
fn a_step_that_is_not_there_for_an_incident_or_at_its_hour_is_skipped_at_once() {
    let rules = with(|policy| {
        policy.steps = vec![
            only_for(&[Severity::Sev1, Severity::Sev2], step(&["maya"], 5)),
            only_by_day(step(&["tom"], 5)),
            step(&["kim"], 10),
        ];
    });
    // It is two o'clock at night.
    insta::assert_snapshot!("bad_night", night(&rules, Severity::Sev1, "", 40));
    insta::assert_snapshot!("calm_night", night(&rules, Severity::Sev3, "", 40));
    let morning: Timestamp = "2026-11-23T07:56:00Z".parse().unwrap();
    let nothing = Roster::nothing();
    insta::assert_snapshot!("morning", Night::begins(&rules, &nothing, Severity::Sev2, morning).goes("", 25));
}

#[test]
fn a_step_may_be_there_for_one_service_only() {
    let of = |service: &str| {
        let when = When { services: [service.to_owned()].into(), ..When::default() };
        with(|policy| policy.steps[0] = Step { when, ..step(&["kim"], 5) })
    };
    assert!(night(&of("shop"), Severity::Sev1, "", 1).ends_with("page kim (1, on_call)"));
    assert!(night(&of("mail"), Severity::Sev1, "", 1).ends_with("page tom (1, on_call)"));
}

#[test]
fn everybody_is_woken_at_once_for_what_is_bad_enough_and_then_round_after_round() {
    let rules = with(|policy| {
        policy.steps =
            vec![only_by_day(step(&["cto"], 1)), step(&["maya", "tom"], 5), step(&["kim", "maya"], 20)];
        policy.everybody = [Severity::Sev1].into();
        policy.repeat = 1;
    });
    insta::assert_snapshot!(
        "everybody",
        night(&rules, Severity::Sev1, "6 unreachable tom\n7 kim cannot", 35)
    );
    // It was not, and became so: who knows is not woken once more.
    insta::assert_snapshot!("everybody_later", night(&rules, Severity::Sev2, "2 worse SEV1", 8));
    insta::assert_snapshot!(
        "everybody_taken",
        night(&rules, Severity::Sev2, "1 tom answers\n2 worse SEV1", 8)
    );
}

#[test]
fn who_is_named_twice_in_a_step_is_paged_once() {
    let rules = with(|policy| policy.steps = vec![step(&["maya", "tom", "maya", "tom", "maya"], 5)]);
    let told = night(&rules, Severity::Sev1, "", 0);
    assert_eq!(told, "0:00 opened: page maya (1, on_call), page tom (1, on_call)");
}

#[test]
fn the_last_resort_is_called_for_a_whole_week_if_need_be() {
    let rules = house();
    let told = night(&rules, Severity::Sev1, "", 7 * 24 * 60);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "0:00 opened: page maya (1, on_call)",
            "5:00 escalated_on_time: page tom (1, on_call)",
            "10:00 escalated_on_time: page cto (1, last_resort)",
        ]
    );
    for (number, line) in (1..).zip(&lines[2..]) {
        let minute = number * 10;
        assert_eq!(*line, format!("{minute}:00 escalated_on_time: page cto ({number}, last_resort)"));
    }
    assert_eq!(lines.len(), 2 + 7 * 24 * 6);
}

#[test]
fn a_last_resort_that_names_nobody_ends_nothing_and_steps_that_name_nobody_are_not_gone_through() {
    let rules = with(|policy| policy.last_resort = vec![person("gone")]);
    let told = night(&rules, Severity::Sev1, "", 10);
    assert!(told.ends_with("10:00 escalated_on_time: page maya (2, on_call)"), "{told}");
    let rules = with(|policy| {
        policy.steps = vec![step(&["gone"], 5), step(&[], 5)];
        policy.repeat = 3;
    });
    let told = night(&rules, Severity::Sev1, "", 10);
    let cto = "0:00 opened: page cto (1, last_resort)\n10:00 escalated_on_time: page cto (2, last_resort)";
    assert_eq!(told, cto);
}

#[test]
fn who_is_away_is_skipped_as_long_as_somebody_else_is_named() {
    let rules = house();
    insta::assert_snapshot!("one_away", night_without(&["maya"], &rules, "", 25));
    // The last resort does not ask who is away.
    insta::assert_snapshot!("all_away", night_without(&["maya", "tom", "cto"], &rules, "", 25));
    // Nobody else is left, so they are woken.
    let alone = with(|policy| policy.last_resort = Vec::new());
    insta::assert_snapshot!("nobody_else", night_without(&["maya", "tom"], &alone, "", 12));
    // The one who is there cannot.
    insta::assert_snapshot!("the_other_cannot", night_without(&["maya"], &alone, "1 tom cannot", 12));
}

/// The house with one step: a rotation of these, in hours, without a last resort.
pub(super) fn turns_of(members: &[&str], hours: Hours) -> Rules {
    let mut rules = with(|policy| {
        let page = vec![Target::Rotation("primary".into())];
        policy.steps = vec![Step { page, wait: mins(5), ..Step::default() }];
        policy.last_resort = Vec::new();
    });
    let layer = Layer {
        time_zone: TimeZone::UTC,
        members: members.iter().map(|&name| vec![name.to_owned()]).collect(),
        shift_hours: 7 * 24,
        handover_day: Some(Weekday::Monday),
        handover_time: jiff::civil::time(9, 0, 0, 0),
        start: jiff::civil::date(2026, 1, 5),
        hours,
    };
    let turns = Turns::Layers(vec![layer]);
    rules
        .rotations
        .insert("primary".into(), Rotation { time_zone: TimeZone::UTC, turns, shadows: Vec::new() });
    rules
}

#[test]
fn a_rotation_of_which_all_are_away_wakes_whose_turn_it_is_and_then_the_others() {
    let rules = turns_of(&["maya", "tom", "kim"], Hours::always());
    let usual = night(&rules, Severity::Sev1, "", 1);
    let told = night_without(&["maya", "tom", "kim"], &rules, "", 6);
    assert!(told.starts_with(&usual) && told.lines().count() == 2, "{usual} {told}");
    // One is there, and cannot be reached.
    let told = night_without(&["maya", "tom"], &rules, "1 unreachable kim", 2);
    let others = "1:00 escalated_unanswered: page maya (1, on_call), page tom (1, on_call)";
    assert_eq!(told, format!("0:00 opened: page kim (1, on_call)\n{others}"));
    // At night it is nobody's turn: all of them are woken, who are worth more than a gap.
    let rules = turns_of(&["maya", "tom"], Hours::new(&[], &[(8 * 60, 17 * 60)]));
    let told = night(&rules, Severity::Sev1, "", 1);
    assert_eq!(told, "0:00 opened: page maya (1, on_call), page tom (1, on_call)");
}

#[test]
fn where_no_step_is_there_somebody_is_woken_all_the_same() {
    let rules = with(|policy| {
        policy.steps = vec![only_by_day(step(&["maya"], 5)), only_for(&[Severity::Sev4], step(&["tom"], 5))];
        policy.last_resort = Vec::new();
    });
    let told = night(&rules, Severity::Sev1, "", 5);
    assert_eq!(told, "0:00 opened: page maya (1, on_call)\n5:00 escalated_on_time: page tom (1, on_call)");
}

#[test]
fn who_does_not_answer_is_reminded_and_the_next_step_comes_at_its_hour() {
    let rules = with(|policy| {
        policy.steps[0] = Step { remind: Some(mins(2)), ..step(&["maya", "kim"], 5) };
        policy.steps[1] = Step { remind: Some(mins(1)), ..step(&["tom"], 20) };
        policy.remind = Some(mins(4));
    });
    insta::assert_snapshot!("reminded", night(&rules, Severity::Sev1, "3 kim cannot", 40));
    // Nobody is reminded of what somebody has, of what is quiet, or of what is over.
    insta::assert_snapshot!("not_reminded", night(&rules, Severity::Sev1, "1 maya answers", 14));
    insta::assert_snapshot!("quiet", night(&rules, Severity::Sev1, "1 recover db-1", 14));
}

#[test]
fn those_who_watch_are_told_once_for_each_opening_and_need_not_answer() {
    let rules = with(|policy| {
        let severities: BTreeSet<Severity> = [Severity::Sev1, Severity::Sev2].into();
        policy.watch = Watch { who: vec![person("cto"), person("maya")], severities, after: 0 };
        policy.last_resort = Vec::new();
    });
    let acts = "7 recover db-1\n12 alert db-1\n13 cto answers\n14 cto resolves 1";
    insta::assert_snapshot!("watched", night(&rules, Severity::Sev1, acts, 20));
    insta::assert_snapshot!("watched_worse", night(&rules, Severity::Sev3, "1 worse SEV2\n2 worse SEV1", 4));
    insta::assert_snapshot!(
        "watched_taken",
        night(&rules, Severity::Sev3, "1 tom answers\n2 worse SEV2\n3 worse SEV1", 4)
    );
    assert_eq!(night(&rules, Severity::Sev3, "", 4), "0:00 opened: page maya (1, on_call)");
}

#[test]
fn whoever_watches_only_what_is_worse_is_told_when_it_is_also_when_others_watched_before() {
    let mut rules = house();
    let watch = |names: &[&str]| Watch {
        who: names.iter().map(|name| person(name)).collect(),
        severities: Severity::ALL.into(),
        after: 3,
    };
    let mut worse = rules.policies["default"].clone();
    worse.watch = watch(&["kim", "cto"]);
    rules.policies.insert("worse".into(), worse);
    rules.policies.get_mut("default").unwrap().watch = watch(&["cto"]);
    let shop = rules.services.get_mut("shop").unwrap();
    shop.pio = Vec::new();
    shop.policies.insert(Severity::Sev1, "worse".into());
    let told = night(&rules, Severity::Sev3, "1 maya answers\n2 worse SEV1", 3);
    assert!(told.ends_with("2:00 worsened: tell maya worse, page kim (1, watching)"), "{told}");
}

#[test]
fn those_who_watch_may_be_told_later_and_are_woken_when_it_is_their_turn() {
    let rules = with(|policy| {
        let severities: BTreeSet<Severity> = [Severity::Sev1].into();
        policy.watch = Watch { who: vec![person("kim")], severities, after: 1 };
        policy.steps.push(step(&["kim"], 5));
    });
    insta::assert_snapshot!("watched_later", night(&rules, Severity::Sev1, "", 12));
    // Somebody has it before: they are not told.
    assert!(!night(&rules, Severity::Sev1, "1 tom answers", 9).contains("watching"));
}

#[test]
fn who_commands_and_gives_no_sign_of_life_is_asked_and_then_others_are_called() {
    let mut rules = house();
    rules.services.get_mut("shop").unwrap().pio = Vec::new();
    insta::assert_snapshot!("silent", night(&rules, Severity::Sev1, "1 maya answers", 75));
    let seen = "1 maya answers\n10 maya notes\n26 maya checks in\n42 maya answers\n44 maya mitigates 1\n90 maya resolves 1";
    insta::assert_snapshot!("signs", night(&rules, Severity::Sev1, seen, 120));
    // Whoever else is on it need not be called again.
    insta::assert_snapshot!(
        "not_alone",
        night(&rules, Severity::Sev2, "1 maya answers\n32 tom checks in", 90)
    );
    insta::assert_snapshot!(
        "out_of_reach",
        night(&rules, Severity::Sev1, "1 maya answers\n17 unreachable maya", 35)
    );
    // What can wait for the morning is left alone, until it gets worse.
    insta::assert_snapshot!(
        "worse_and_silent",
        night(&rules, Severity::Sev4, "1 maya answers\n600 worse SEV1", 622)
    );
    rules.clocks.silent_after.clear();
    assert_eq!(night(&rules, Severity::Sev1, "1 maya answers", 999).lines().count(), 2);
}

#[test]
fn who_answered_before_the_commander_was_heard_of_last_is_called_too() {
    let mut rules = house();
    rules.services.get_mut("shop").unwrap().pio = Vec::new();
    let acts = "1 maya answers\n2 tom answers\n10 maya notes\n31 tom answers";
    insta::assert_snapshot!("both_silent", night(&rules, Severity::Sev1, acts, 50));
}

#[test]
fn an_hour_further_off_than_any_wait_of_today_is_set_anew_once() {
    let mut long = house();
    long.clocks.silent_after.insert(Severity::Sev1, mins(24 * 60));
    let (rules, nothing) = (house(), Roster::nothing());
    let mut night = Night::begins(&long, &nothing, Severity::Sev1, begin());
    night.acts(Act::Answer { help: false }, &act("maya answers").1);
    night.rules = &rules;
    let longest = escalation::longest_wait(&rules);
    assert!(escalation::is_too_far(&night.incident, &rules, night.now));
    night.acts(Act::TICK, &By::dispatch());
    assert_eq!(night.incident.due_at(), Some(night.now + longest));
    night.now += mins(1);
    assert!(!escalation::is_too_far(&night.incident, &rules, night.now));
}

#[test]
fn that_it_gets_worse_is_no_sign_of_life() {
    let mut rules = house();
    rules.services.get_mut("shop").unwrap().pio = Vec::new();
    // Asked after 26 minutes, and not asked anew when it gets worse; asked sooner than it would have been.
    let told = night(&rules, Severity::Sev2, "1 maya answers\n28 worse SEV1", 32);
    assert!(
        told.contains("31:00 commander_is_silent") && told.matches("asked_commander").count() == 1,
        "{told}"
    );
    let told = night(&rules, Severity::Sev2, "1 maya answers\n8 worse SEV1", 32);
    assert!(told.contains("23:00 asked_commander"), "{told}");
    let told = night(&rules, Severity::Sev2, "1 maya answers\n20 worse SEV1", 32);
    assert!(told.contains("26:00 asked_commander"), "{told}");
}

#[test]
fn everybody_who_was_paged_hears_who_has_it_and_that_it_is_over() {
    let rules = with(|policy| {
        policy.watch = Watch { who: vec![person("cto")], severities: [Severity::Sev1].into(), after: 0 };
        policy.steps = vec![step(&["maya"], 5), step(&["tom"], 5), step(&["kim"], 5)];
    });
    let taken = "6 unreachable maya\n11 tom answers\n12 kim checks in\n13 tom mitigates 1\n14 tom resolves 1";
    insta::assert_snapshot!("all_told_taken", night(&rules, Severity::Sev1, taken, 20));
    insta::assert_snapshot!("all_told_over", night(&rules, Severity::Sev1, "11 recover db-1", 20));
}

/// A policy by chance: of four people, some away; steps with conditions or without.
#[derive(Clone, Debug)]
struct Chance {
    policy: Policy,
    away: Vec<&'static str>,
    minute: i64,
    severity: Severity,
}

const PEOPLE: [&str; 4] = ["maya", "tom", "kim", "cto"];

fn chance() -> impl Strategy<Value = Chance> {
    let some = || prop::sample::subsequence(&PEOPLE[..], 0..4);
    let severities =
        || prop::sample::subsequence(&[Severity::Sev1, Severity::Sev2, Severity::Sev3][..], 0..3);
    let days = prop::sample::subsequence(&[Weekday::Monday, Weekday::Tuesday][..], 0..2);
    let hours = (0_u16..24, 0_u16..24, days).prop_map(|(from, until, days)| Timetable {
        hours: Hours::new(&days, &[(from * 60 + 30, until * 60 + 30)]),
        time_zone: TimeZone::get("Europe/Oslo").unwrap(),
    });
    let step = (some(), 1_i64..20, severities(), prop::option::of(hours), prop::option::of(1_i64..9));
    let step = step.prop_map(|(names, minutes, severities, hours, remind)| {
        let when = When { severities: severities.into_iter().collect(), hours, ..When::default() };
        Step { when, remind: remind.map(mins), ..self::step(&names, minutes) }
    });
    let watch = (some(), severities(), 0_u32..3);
    let watch = watch.prop_map(|(names, severities, after)| Watch {
        who: names.iter().map(|name| person(name)).collect(),
        severities: severities.into_iter().collect(),
        after,
    });
    let policy = (prop::collection::vec(step, 1..5), 0_u32..3, some(), severities(), watch);
    let policy = policy.prop_map(|(steps, repeat, last, everybody, watch)| Policy {
        steps,
        repeat,
        last_resort: last.iter().map(|name| person(name)).collect(),
        everybody: everybody.into_iter().collect(),
        remind: Some(mins(3)),
        watch,
    });
    let severity = prop::sample::select(vec![Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4]);
    (policy, some(), 0_i64..3 * 24 * 60, severity).prop_map(|(policy, away, minute, severity)| Chance {
        policy,
        away,
        minute,
        severity,
    })
}

fn without_hours(policy: &Policy) -> bool {
    policy.steps.iter().all(|step| step.when.hours.is_none())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn the_walk_never_stalls_wakes_nobody_twice_and_meets_everybody(chance in chance()) {
        let Chance { policy, away: names, minute, severity } = chance;
        let (rules, roster) = (house(), away(&names));
        let staff = Staff { rules: &rules, roster: &roster };
        let case = Case { severity, service: "shop" };
        let mut now = begin() + mins(minute);
        let named = escalation::whoever(&policy, staff, now);
        let due_to_be_met = escalation::everybody(&policy, staff, case, now);
        let steps = policy.steps.len();
        let longest = escalation::longest_wait(&with(|own| *own = policy.clone()));
        let (mut current, mut met) = (None::<Escalation>, BTreeSet::new());
        // From wherever it stands, one round and the last resort.
        for number in 0..3 * (steps + 1) {
            let found = escalation::next(&policy, staff, case, current.as_ref(), now);
            prop_assert_eq!(found.is_none(), named.is_empty(), "it stalls");
            let Some(found) = found else { break };
            prop_assert!(!found.people.is_empty() && found.due > now);
            let each: BTreeSet<&String> = found.people.iter().collect();
            prop_assert_eq!(each.len(), found.people.len(), "somebody is woken twice");
            prop_assert!(found.reminders.len() <= 5 && found.reminders.iter().all(|hour| *hour > now && *hour < found.due));
            prop_assert!(found.reminders.windows(2).all(|two| two[1].duration_since(two[0]) >= mins(1)));
            if number == 0 && policy.everybody.contains(&severity) && !due_to_be_met.is_empty() {
                prop_assert_eq!(&found.people, &due_to_be_met, "all at once");
            }
            if number <= steps {
                met.extend(found.people.clone());
            }
            prop_assert!(longest >= found.due.duration_since(now), "nobody waits longer");
            now = found.due;
            let escalation::Move { round, step, people: awaiting, due, reminders, .. } = found;
            current = Some(Escalation { round, step, awaiting, due, reminders });
        }
        if without_hours(&policy) {
            let missing: Vec<&String> = due_to_be_met.iter().filter(|name| !met.contains(*name)).collect();
            prop_assert!(missing.is_empty(), "{missing:?} were not met");
        }
    }

    #[test]
    fn the_laws_hold_for_any_policy(chance in chance(), acts in prop::collection::vec(any_act(), 1..40)) {
        let Chance { policy, away: names, minute, severity } = chance;
        let rules = with(|own| *own = policy);
        let roster = away(&names);
        let mut night = Night::begins(&rules, &roster, severity, begin() + mins(minute));
        for (act, by, minutes) in acts {
            let staff = Staff { rules: &rules, roster: &roster };
            // Half of the time the daemon is in time; else it looks when something happens.
            if minutes % 2 == 0 {
                let passed = night.now.duration_since(night.incident.opened_at).as_mins();
                night.passes(passed + minutes);
            } else {
                night.now += mins(minutes);
            }
            if let Ok(decision) = decide(&night.incident, at(act, night.now), &by, staff, night.now) {
                obeys(&night.incident, &decision);
                let latest = night.now + escalation::longest_wait(&rules);
                prop_assert!(decision.incident.due_at().is_none_or(|due| due <= latest), "nobody waits longer");
                night.incident = decision.incident;
            }
        }
    }
}
