//! What was corrected, what became part of another, what was no harm at all, and very many changes: forms say no more than is
//! true.

use super::stories::{Store, board};
use super::{Form, Format};
use crate::core::board::{End, Trend};
use crate::core::decide::{Act, Write};
use crate::core::stories_command::{Night, action, rules};

fn told(night: &Night, form: Form, person: Option<&str>) -> String {
    let store = Store::of(night);
    let document = form.fill(&store.taken(night), person).unwrap();
    Format::Html.write(&document).unwrap();
    Format::Markdown.write(&document).unwrap()
}

/// What stands below a heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let begins = format!("\n## {heading}\n");
    let (_, after) = text.split_once(&begins).unwrap_or_else(|| panic!("no {heading} in {text}"));
    after.split("\n## ").next().unwrap()
}

fn correct(night: &mut Night, entry: u32, text: &str) -> u32 {
    night.does("tom", board(Write::Correct { entry, text: text.into() }));
    night.incident.seq
}

#[test]
fn nothing_that_was_corrected_is_told_as_if_it_were_true() {
    let mut night = Night::manned(rules());
    let mut says = |act: Act, right: &str| {
        night.does("maya", act);
        // A draft makes entries of its own behind it.
        let words = |text: &str| text.contains("wrong");
        let said = night.entries.iter().rev().find(|one| words(&one.fact.text())).unwrap().seq;
        correct(&mut night, said, right);
    };
    let found = Write::Find { component: "db1".into(), ok: false, text: "wrong 4".into(), known_at: None };
    says(board(Write::SizeUp { text: "wrong 1".into() }), "right 1");
    says(board(Write::Objective { text: "wrong 2".into(), term: 1 }), "right 2");
    says(board(Write::Plan { text: "wrong 3".into(), term: 1 }), "right 3");
    says(board(found), "right 4");
    says(board(Write::Report { trend: Trend::Same, text: "wrong 5".into() }), "right 5");
    let (person, what) = ("tom".to_owned(), "wrong 6".to_owned());
    says(board(Write::Task { person, what, limit: None, term: 1 }), "right 6");
    says(action("wrong 7"), "right 7");
    says(board(Write::EndAction { number: 1, how: End::Done, text: "wrong 8".into() }), "right 8");
    says(Act::Draft { text: "wrong 9".into() }, "right 9");
    says(Act::Note { text: "TODO wrong 10".into() }, "right 10");
    says(Act::Mitigate { term: 1, cause: Some("wrong 11".into()) }, "right 11");
    correct(&mut night, 1, "right 12");
    let beside = |text: &str, number: u32| {
        let lines: Vec<&str> =
            text.lines().filter(|line| line.contains(&format!("wrong {number}"))).collect();
        assert!(!lines.is_empty(), "wrong {number} is told in {text}");
        for line in lines {
            assert!(line.contains(&format!("right {number}")), "{line}");
        }
    };
    let brief = told(&night, Form::Ics201, None);
    [1, 2, 3, 4, 5, 6, 7, 8, 11].into_iter().for_each(|number| beside(&brief, number));
    assert!(brief.contains("corrected by entry"), "{brief}");
    assert!(section(&brief, "1. Incident name").contains("right 12"), "{brief}");
    assert!(section(&brief, "5. Situation and safety").contains("right 11"), "{brief}");
    let summary = told(&night, Form::Ics209, None);
    [1, 2, 3, 4, 5, 6, 7, 8, 11].into_iter().for_each(|number| beside(&summary, number));
    for (part, number) in [
        ("1. Incident name", 12),
        ("8. Contained", 11),
        ("9. Definition", 1),
        ("29. Hazards", 4),
        ("37. Strategic objectives", 2),
        ("41. Planned actions", 3),
        ("47. Remarks", 5),
        ("Changes", 7),
    ] {
        assert!(section(&summary, part).contains(&format!("right {number}")), "{part} of {summary}");
    }
    let draft = told(&night, Form::Postmortem, None);
    (1..=11).for_each(|number| beside(&draft, number));
    for (part, number) in [
        ("Overview", 12),
        ("What was known when", 4),
        ("Changes", 7),
        ("Changes", 8),
        ("What ended it", 11),
        ("Statements", 9),
        ("What is to be done", 10),
        ("What is to be done", 6),
    ] {
        assert!(section(&draft, part).contains(&format!("right {number}")), "{part} of {draft}");
    }
}

#[test]
fn a_log_of_one_person_has_every_correction_of_what_they_said_and_of_what_was_asked_of_them() {
    let mut night = Night::manned(rules());
    night.does("maya", board(Write::SizeUp { text: "db1 is primary".into() }));
    let said = night.incident.seq;
    let first = correct(&mut night, said, "db2 is primary");
    let second = correct(&mut night, said, "db3 reads");
    night.does("kim", board(Write::Correct { entry: second, text: "it does not".into() }));
    let third = night.incident.seq;
    night.does("tom", Act::Note { text: "of nobody else".into() });
    let others = night.incident.seq;
    correct(&mut night, others, "a slip");
    let log = told(&night, Form::Ics214, Some("maya"));
    let row = format!(
        "size-up: db1 is primary (corrected by entry {first}: db2 is primary; by entry {second}: db3 reads; by entry {third}: it does not)"
    );
    assert!(log.contains(&row), "{log}");
    for number in [first, second, third] {
        assert!(log.contains(&format!("\n| {number} | ")), "entry {number} in {log}");
    }
    assert!(!log.contains("a slip"), "{log}");
}

#[test]
fn of_very_many_corrections_the_first_are_shown_and_that_there_are_more() {
    let mut night = Night::manned(rules());
    night.does("maya", board(Write::SizeUp { text: "db1 is primary".into() }));
    let said = night.incident.seq;
    let mut last = said;
    for round in 0..60 {
        last = correct(&mut night, last, &format!("no {round}."));
    }
    let log = told(&night, Form::Ics214, None);
    let row = log.lines().find(|line| line.starts_with(&format!("| {said} |"))).unwrap();
    assert!(row.contains("no 49.") && !row.contains("no 50."), "{row}");
    assert!(row.contains("; and by later ones)"), "{row}");
    let row = log.lines().find(|line| line.starts_with(&format!("| {} |", last - 1))).unwrap();
    assert!(row.ends_with(&format!("(corrected by entry {last}: no 59.) |")), "{row}");
}

#[test]
fn a_false_alarm_had_no_harm_to_explain() {
    let mut night = Night::manned(rules());
    night.at(4).does("maya", Act::Mitigate { term: 1, cause: None });
    assert!(told(&night, Form::Postmortem, None).contains("It is unexplained"));
    night.at(5).does("maya", Act::Resolve { term: 1, false_alarm: true });
    let draft = told(&night, Form::Postmortem, None);
    let ended = section(&draft, "What ended it");
    assert!(ended.contains("It was a false alarm: nothing was wrong"), "{ended}");
    assert!(!draft.to_lowercase().contains("is unexplained") && !draft.contains("UNEXPLAINED"), "{draft}");
}

#[test]
fn what_became_part_of_another_is_not_over_and_its_forms_say_where_it_goes_on() {
    let mut night = Night::manned(rules());
    night.at(9).does("maya", Act::MergeInto { into: 7, term: Some(1) });
    night.at(20);
    let part_of = "part of INC-7 since 2026-11-23T02:09:00Z";
    for form in [Form::Ics201, Form::Ics209, Form::Ics214, Form::Postmortem] {
        let text = told(&night, form, None);
        let first = text.split("\n## ").nth(1).unwrap();
        assert!(first.starts_with("Part of INC-7\n") && first.contains(part_of), "{first}");
        for said in ["it is over", "Over since", "final", "unexplained", "UNEXPLAINED", "merged at"] {
            assert!(!text.contains(said), "{said} in {text}");
        }
    }
    let brief = told(&night, Form::Ics201, None);
    assert!(section(&brief, "5. Situation and safety").contains(&format!("**State**: {part_of}")), "{brief}");
    let organisation = section(&brief, "9. Organisation");
    assert!(
        organisation.contains(&format!("nobody; it is {part_of}, and maya had it last")),
        "{organisation}"
    );
    let summary = told(&night, Form::Ics209, None);
    assert!(section(&summary, "3. Report version").contains(part_of), "{summary}");
    assert!(section(&summary, "8. Contained").contains(part_of), "{summary}");
    assert!(section(&summary, "11. Period").contains("part of INC-7"), "{summary}");
    let draft = told(&night, Form::Postmortem, None);
    assert!(section(&draft, "Overview").contains(&format!("**Ended**: it is {part_of}")), "{draft}");
    let ended = section(&draft, "What ended it");
    assert!(ended.contains("became part of INC-7") && ended.contains("see INC-7"), "{ended}");
}

#[test]
fn every_change_is_told_however_many_there_were() {
    let mut night = Night::manned(rules());
    for number in 1..=260 {
        night.does("maya", action(&format!("change of host {number}.")));
        let how = if number == 1 { End::RolledBack } else { End::Done };
        night.does("maya", board(Write::EndAction { number, how, text: format!("ended {number}.") }));
    }
    night.does("maya", action("the last one"));
    night.does("maya", Act::Mitigate { term: 1, cause: Some("the last one".into()) });
    night.does("maya", Act::Resolve { term: 1, false_alarm: false });
    assert!(night.incident.board.actions.len() < 261, "the board keeps the newest");
    let draft = told(&night, Form::Postmortem, None);
    assert!(
        section(&draft, "Impact").contains("**Changes announced**: 261\n"),
        "{}",
        section(&draft, "Impact")
    );
    assert!(section(&draft, "What ended it").contains("the last one | 261 |"), "{draft}");
    let changes = section(&draft, "Changes");
    for number in 1..=260 {
        assert!(
            changes.contains(&format!("change of host {number}."))
                && changes.contains(&format!(": ended {number}. "))
        );
    }
    assert!(changes.contains("rolled back at"), "{changes}");
    // How one ended that nobody ended is told as the board has it.
    let last = night.incident.board.actions.last().unwrap();
    let ending = super::taken::ending(last.end());
    assert!(last.ended.is_some() && changes.contains(&format!("| {ending} |")), "{ending} in {changes}");
    let summary = told(&night, Form::Ics209, None);
    assert!(section(&summary, "Changes").contains("change of host 1."), "{summary}");
    let brief = told(&night, Form::Ics201, None);
    assert!(
        section(&brief, "8. Actions")
            .contains("the newest first, and 61 before these, which the timeline has"),
        "{brief}"
    );
}
