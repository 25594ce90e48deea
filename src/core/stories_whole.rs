//! Policies that name a whole rotation: everybody who takes turns in it is woken, whoever's turn it is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::incident::Severity;
use super::oncall::{Hours, Override, Roster, Turn, Turns};
use super::rules::{Rules, Target};
use super::stories::begin;
use super::stories_policy::{away, mins, night, night_with, step, turns_of};

/// The house of the stories, whose policy wakes all of a rotation of maya, tom and kim, and then the cto.
fn whole(hours: Hours) -> Rules {
    let mut rules = turns_of(&["maya", "tom", "kim"], hours);
    let Turns::Layers(layers) = &mut rules.rotations.get_mut("primary").unwrap().turns else { panic!() };
    // It is kim's week.
    layers[0].start = jiff::civil::date(2026, 1, 12);
    let policy = rules.policies.get_mut("default").unwrap();
    policy.steps[0].page = vec![Target::Everybody("primary".into())];
    policy.last_resort = vec![Target::Person("cto".into())];
    rules
}

fn stands_in(person: &str, instead_of: Option<&str>) -> Roster {
    let one = Override {
        id: String::new(),
        rotation: "primary".into(),
        person: person.into(),
        instead_of: instead_of.map(str::to_owned),
        from: begin(),
        until: begin() + SignedDuration::from_hours(8),
        author: "kim".into(),
        reason: "the dentist".into(),
        created_at: begin(),
        ended_by: None,
    };
    Roster { overrides: vec![one], ..Roster::nothing() }
}

const ALL: &str = "0:00 opened: page kim (1, on_call), page maya (1, on_call), page tom (1, on_call)";

#[test]
fn all_of_a_rotation_are_woken_whose_turn_it_is_first_and_also_when_it_is_nobodys() {
    let rules = whole(Hours::always());
    let told = night(&rules, Severity::Sev1, "", 5);
    assert_eq!(told, format!("{ALL}\n5:00 escalated_on_time: page cto (1, last_resort)"));
    // The first of them to answer has it, and the others are told. One who cannot is one less.
    let told = night(&rules, Severity::Sev1, "1 tom cannot\n2 maya answers", 5);
    let answers = "2:00 took_command: ops-room: acknowledged, tell tom acknowledged, call PIO kim";
    assert_eq!(told, format!("{ALL}\n1:00 declined\n{answers}"));
    // At two o'clock nobody has a turn.
    let by_day = whole(Hours::new(&[], &[(8 * 60, 17 * 60)]));
    let told = night(&by_day, Severity::Sev1, "", 1);
    assert_eq!(told, "0:00 opened: page maya (1, on_call), page tom (1, on_call), page kim (1, on_call)");
}

#[test]
fn who_of_a_whole_rotation_is_away_sleeps_as_long_as_anybody_else_is_named() {
    let rules = whole(Hours::always());
    let told = night_with(&away(&["kim"]), &rules, "", 1);
    assert_eq!(told, "0:00 opened: page maya (1, on_call), page tom (1, on_call)");
    let told = night_with(&away(&["maya", "tom", "kim"]), &rules, "", 1);
    assert_eq!(told, "0:00 opened: page cto (1, last_resort)", "an empty step is skipped at once");
    let mut alone = rules.clone();
    alone.policies.get_mut("default").unwrap().last_resort = Vec::new();
    let told = night_with(&away(&["maya", "tom", "kim"]), &alone, "", 1);
    assert_eq!(
        told,
        ALL.replace(
            "kim (1, on_call), page maya (1, on_call), page tom",
            "maya (1, on_call), page tom (1, on_call), page kim"
        )
    );
    // As a last resort too.
    let mut last = rules;
    let policy = last.policies.get_mut("default").unwrap();
    policy.last_resort = std::mem::replace(&mut policy.steps[0].page, vec![Target::Person("cto".into())]);
    let told = night_with(&away(&["cto", "tom"]), &last, "", 1);
    assert_eq!(told, "0:00 opened: page kim (1, last_resort), page maya (1, last_resort)");
}

#[test]
fn who_stands_in_and_takes_no_turns_is_woken_with_all_of_them() {
    let rules = whole(Hours::always());
    let told = night_with(&stands_in("cto", None), &rules, "", 1);
    let others = "page maya (1, on_call), page tom (1, on_call), page kim (1, on_call)";
    assert_eq!(told, format!("0:00 opened: page cto (1, on_call), {others}"));
    // Who asked somebody to stand in takes turns all the same; who also said that they are away sleeps.
    let mut roster = stands_in("cto", Some("kim"));
    assert_eq!(night_with(&roster, &rules, "", 1), format!("0:00 opened: page cto (1, on_call), {others}"));
    roster.leaves = away(&["kim", "cto"]).leaves;
    let told = night_with(&roster, &rules, "", 1);
    let others = "page maya (1, on_call), page tom (1, on_call)";
    assert_eq!(
        told,
        format!("0:00 opened: page cto (1, on_call), {others}"),
        "who stands in said so themselves"
    );
}

#[test]
fn shadows_are_told_of_a_whole_rotation_and_never_woken() {
    let mut rules = whole(Hours::always());
    rules.rotations.get_mut("primary").unwrap().shadows = vec!["cto".into(), "tom".into()];
    let told = night(&rules, Severity::Sev1, "", 1);
    assert_eq!(told, ALL.replace(": ", ": tell cto shadowing, "), "tom is one of them and woken");
    let told = night_with(&away(&["cto"]), &rules, "", 1);
    assert_eq!(told, ALL);
}

#[test]
fn of_a_calendar_it_is_all_whom_it_names() {
    let mut rules = whole(Hours::always());
    rules.rotations.get_mut("primary").unwrap().turns = Turns::Calendar;
    let hours = |from: i64, until: i64| (begin() + mins(60 * from), begin() + mins(60 * until));
    let turn =
        |person: &str, (from, until): (Timestamp, Timestamp)| Turn { from, until, person: person.into() };
    let turns = vec![turn("maya", hours(-9, -8)), turn("tom", hours(-1, 1)), turn("gone", hours(1, 2))];
    let roster =
        |turns| Roster { calendars: [("primary".to_owned(), Arc::new(turns))].into(), ..Roster::nothing() };
    let told = night_with(&roster(turns), &rules, "", 1);
    assert_eq!(told, "0:00 opened: page tom (1, on_call), page maya (1, on_call)");
    let told = night_with(&roster(Vec::new()), &rules, "", 1);
    assert_eq!(told, "0:00 opened: page cto (1, last_resort)");
    let told = night_with(&Roster::nothing(), &rules, "", 1);
    assert_eq!(told, "0:00 opened: page cto (1, last_resort)");
}

#[test]
fn somebody_of_two_steps_and_of_a_whole_rotation_is_woken_once_a_step() {
    let mut rules = whole(Hours::always());
    let policy = rules.policies.get_mut("default").unwrap();
    policy.steps[0].page.extend([Target::Person("maya".into()), Target::Rotation("primary".into())]);
    policy.steps.insert(0, step(&["tom"], 5));
    let told = night(&rules, Severity::Sev1, "", 5);
    let second = "page kim (1, on_call), page maya (1, on_call), page tom (2, on_call)";
    assert_eq!(told, format!("0:00 opened: page tom (1, on_call)\n5:00 escalated_on_time: {second}"));
    rules.policies.get_mut("default").unwrap().everybody = [Severity::Sev1].into();
    let told = night(&rules, Severity::Sev1, "", 1);
    assert_eq!(told, "0:00 opened: page tom (1, on_call), page kim (1, on_call), page maya (1, on_call)");
}

/// Who is called to inform everybody once tom has command: kim, and else the cto.
fn pio(roster: &Roster) -> String {
    let mut rules = whole(Hours::always());
    rules.policies.get_mut("default").unwrap().steps[0].page = vec![Target::Person("tom".into())];
    let service = rules.services.get_mut("shop").unwrap();
    service.pio = vec![Target::Person("kim".into()), Target::Person("cto".into())];
    let told = night_with(roster, &rules, "1 tom answers", 1);
    told.lines().last().unwrap().replace("1:00 took_command: ", "")
}

#[test]
fn the_pio_or_an_alternate_who_is_not_away_is_called_and_the_first_when_both_are() {
    for (gone, called) in [(&[][..], "kim"), (&["cto"], "kim"), (&["kim"], "cto"), (&["kim", "cto"], "kim")] {
        assert_eq!(pio(&away(gone)), format!("ops-room: acknowledged, call PIO {called}"), "{gone:?}");
    }
}
