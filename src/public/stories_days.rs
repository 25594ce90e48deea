//! Bars and percentages, from what was said.

use super::stories::{at, day, house, incident, said};
use jiff::SignedDuration;

use super::*;

fn line(shown: &Shown) -> Line {
    lines(shown).remove(0)
}

fn alone(incidents: Vec<PublicIncident>) -> Shown {
    Shown { incidents, maintenance: Vec::new(), made_at: day("2026-11-30"), ..house() }
}

fn today(shown: &Shown) -> Day {
    line(shown).days.into_iter().rfind(|day| day.date.to_string() == "2026-11-29").unwrap()
}

#[test]
fn there_are_ninety_days_and_those_before_it_was_known_are_empty() {
    let shown = alone(Vec::new());
    let line = line(&shown);
    assert_eq!(line.days.len(), DAYS);
    assert_eq!(line.days.last().unwrap().date.to_string(), "2026-11-30");
    assert_eq!(line.days[0].date.to_string(), "2026-09-02");
    let known = line.days.iter().filter(|day| day.worst.is_some()).count();
    assert_eq!(known, 30, "from 1 to 30 November");
    assert_eq!((line.up, line.state, line.since), (10_000, State::Operational, None));
}

#[test]
fn what_the_first_statement_says_holds_from_when_it_was_noticed() {
    let mut one = incident(
        "a",
        "09:00",
        vec![said("1-1", Sort::Update, Phase::Investigating, Impact::Major, "10:00", "x")],
    );
    (one.ended, one.phase) = (Some(at("12:00")), Phase::Resolved);
    let shown = alone(vec![one]);
    let day = today(&shown);
    assert_eq!((day.worst, day.lasted), (Some(State::PartialOutage), SignedDuration::from_hours(3)));
    let line = line(&shown);
    assert_eq!((line.state, line.since), (State::Operational, Some(at("12:00"))));
    // Three hours of 29 days, rounded down.
    assert_eq!(line.up, 9956);
}

#[test]
fn each_statement_holds_until_the_next_one() {
    let shown = alone(vec![incident(
        "a",
        "09:00",
        vec![
            said("1-1", Sort::Update, Phase::Investigating, Impact::Minor, "10:00", "x"),
            said("1-2", Sort::Update, Phase::Identified, Impact::Critical, "11:00", "x"),
            said("1-3", Sort::Update, Phase::Monitoring, Impact::Minor, "11:30", "x"),
        ],
    )]);
    let day = today(&shown);
    assert_eq!((day.worst, day.lasted), (Some(State::MajorOutage), SignedDuration::from_mins(30)));
    let line = line(&shown);
    assert_eq!((line.state, line.since), (State::Degraded, Some(at("11:30"))));
    // Being slower is no outage.
    assert_eq!(line.up, 10_000 - 8);
}

#[test]
fn resolved_ends_it_also_where_nobody_said_when() {
    let shown = alone(vec![incident(
        "a",
        "09:00",
        vec![
            said("1-1", Sort::Update, Phase::Investigating, Impact::Critical, "09:00", "x"),
            said("1-2", Sort::Closing, Phase::Resolved, Impact::Critical, "10:00", "x"),
        ],
    )]);
    assert_eq!(today(&shown).lasted, SignedDuration::from_hours(1));
    assert_eq!(line(&shown).state, State::Operational);
    assert_eq!(shown.state(), State::Operational);
}

#[test]
fn a_correction_holds_from_what_it_corrects_and_what_was_taken_back_never_did() {
    let mut statements = vec![
        said("1-1", Sort::Update, Phase::Investigating, Impact::Critical, "09:00", "x"),
        said("1-2", Sort::Correction, Phase::Investigating, Impact::Minor, "10:00", "x"),
    ];
    statements[1].mends = Some(("key-1-1".into(), at("09:00")));
    let mut one = incident("a", "09:00", statements);
    one.ended = Some(at("11:00"));
    let shown = alone(vec![one.clone()]);
    let day = today(&shown);
    assert_eq!((day.worst, day.lasted), (Some(State::Degraded), SignedDuration::from_hours(2)));
    one.statements[0].said = Said::Retracted { at: at("09:30") };
    one.statements[1].said = Said::Retracted { at: at("10:30") };
    let shown = alone(vec![one]);
    assert_eq!(today(&shown).worst, Some(State::Operational));
}

/// A correction of another one.
fn corrects(id: &str, other: &str, phase: Phase, impact: Impact, clock: &str) -> PublicStatement {
    let mut one = said(id, Sort::Correction, phase, impact, clock, "x");
    one.mends = Some((format!("key-{other}"), at(clock)));
    one
}

#[test]
fn a_correction_that_comes_late_changes_the_time_of_what_it_corrects_and_no_other() {
    let before = [
        said("1-1", Sort::Update, Phase::Investigating, Impact::Minor, "09:00", "x"),
        said("1-2", Sort::Update, Phase::Monitoring, Impact::Minor, "10:00", "x"),
    ];
    // Of the first hour it was worse; of now nothing is said.
    let late = corrects("1-3", "1-1", Phase::Monitoring, Impact::Critical, "11:00");
    let shown = alone(vec![incident("a", "09:00", [&before[..], &[late]].concat())]);
    let day = today(&shown);
    assert_eq!((day.worst, day.lasted), (Some(State::MajorOutage), SignedDuration::from_hours(1)));
    assert_eq!((line(&shown).state, shown.state()), (State::Degraded, State::Degraded));
    // The same after the end, when whoever writes it says by the way that it is resolved.
    let over = said("1-4", Sort::Closing, Phase::Resolved, Impact::None, "12:00", "x");
    for phase in [Phase::Monitoring, Phase::Resolved] {
        let late = corrects("1-5", "1-1", phase, Impact::Critical, "13:00");
        let mut one = incident("a", "09:00", [&before[..], &[over.clone(), late]].concat());
        (one.ended, one.phase) = (Some(at("12:00")), Phase::Resolved);
        let shown = alone(vec![one]);
        let day = today(&shown);
        assert_eq!(
            (day.worst, day.lasted),
            (Some(State::MajorOutage), SignedDuration::from_hours(1)),
            "{phase:?}"
        );
        assert_eq!(
            (line(&shown).state, line(&shown).since),
            (State::Operational, Some(at("12:00"))),
            "{phase:?}"
        );
    }
}

#[test]
fn what_corrects_that_it_is_over_goes_on_from_there() {
    let statements = [
        said("1-1", Sort::Update, Phase::Investigating, Impact::Minor, "09:00", "x"),
        said("1-2", Sort::Closing, Phase::Resolved, Impact::None, "10:00", "x"),
        corrects("1-3", "1-2", Phase::Investigating, Impact::Critical, "11:00"),
    ];
    let mut one = incident("a", "09:00", statements.to_vec());
    let day = today(&alone(vec![one.clone()]));
    assert_eq!(
        (day.worst, day.lasted),
        (Some(State::MajorOutage), SignedDuration::from_hours(14)),
        "to midnight"
    );
    // What corrects the correction goes before it.
    one.statements.push(corrects("1-4", "1-3", Phase::Investigating, Impact::Major, "11:30"));
    assert_eq!(today(&alone(vec![one.clone()])).worst, Some(State::PartialOutage));
    // Without the one that it corrects a correction says how it is from its own hour.
    one.statements[1].said = Said::Retracted { at: at("12:00") };
    one.statements[2].said = Said::Retracted { at: at("12:00") };
    let day = today(&alone(vec![one]));
    assert_eq!((day.worst, day.lasted), (Some(State::PartialOutage), SignedDuration::from_mins(750)));
}

#[test]
fn two_at_the_same_time_are_counted_once() {
    let both = ["a", "b"].map(|key| {
        let mut one = incident(
            key,
            "09:00",
            vec![said("1-1", Sort::Update, Phase::Identified, Impact::Critical, "09:00", "x")],
        );
        (one.ended, one.phase) = (Some(at("10:00")), Phase::Resolved);
        one
    });
    let shown = alone(both.to_vec());
    assert_eq!(today(&shown).lasted, SignedDuration::from_hours(1));
    // One hour of 29 days and not two.
    assert_eq!(line(&shown).up, 9985);
}

#[test]
fn an_incident_of_weeks_fills_its_days_and_no_other_component() {
    let mut one = incident(
        "a",
        "09:00",
        vec![said("1-1", Sort::Update, Phase::Identified, Impact::Minor, "09:00", "x")],
    );
    one.began = day("2026-11-20");
    one.statements[0].at = day("2026-11-20");
    let shown = alone(vec![one]);
    let all = lines(&shown);
    let bad = |line: &Line| line.days.iter().filter(|day| day.worst == Some(State::Degraded)).count();
    // The day of the page has only begun: nothing of it is over.
    assert_eq!((bad(&all[0]), bad(&all[1])), (10, 0));
    assert_eq!(all[0].since, Some(day("2026-11-20")));
    assert_eq!(all[0].up, 10_000);
}

#[test]
fn planned_work_shows_while_it_goes_on_and_worse_goes_before_it() {
    let mut shown = house();
    shown.made_at = at("22:30");
    assert_eq!(lines(&shown)[1].state, State::Maintenance);
    assert_eq!(lines(&shown)[1].since, Some(at("22:00")));
    assert_eq!(lines(&shown)[1].up, 10_000, "what was announced is no outage");
    shown.maintenance[0].components = vec!["Online shop".into()];
    assert_eq!(lines(&shown)[0].state, State::PartialOutage);
    shown.made_at = at("23:00");
    shown.incidents.clear();
    assert_eq!(lines(&shown)[0].state, State::Operational);
}

#[test]
fn an_incident_of_nothing_that_is_listed_counts_on_the_whole() {
    let mut one = incident(
        "a",
        "09:00",
        vec![said("1-1", Sort::Update, Phase::Identified, Impact::Critical, "09:00", "x")],
    );
    one.components.clear();
    one.statements[0].components.clear();
    let shown = alone(vec![one]);
    assert_eq!((line(&shown).state, shown.state()), (State::Operational, State::MajorOutage));
}
