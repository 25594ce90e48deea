//! The draft of a post-mortem: facts are filled in, and what only people can say is marked as theirs.
//!
//! Nothing is guessed. That nobody knows what ended the harm is said openly, and so is a change by somebody who was given
//! nothing to do: both are facts of the timeline, and no verdict.

use super::document::{Document, Section, hour, hours, lasting};
use super::later::Ever;
use super::taken::{ROW, Span, Taken, ending, from_to};
use crate::core::board::{Action, End, Put};
use crate::core::incident::{Phase, Resolution};
use crate::core::timeline::{Actor, Fact};

/// What it is.
const WHAT: &str = "Draft of a post-mortem. onscene filled in what its timeline knows; hours are UTC. What only people can say is marked. \
                    It looks for causes and not for culprits.";
/// What a note begins with that names something to be done, in any case.
const TODO: &str = "todo";

/// Fills it.
pub(super) fn fill(taken: &Taken<'_>) -> Document {
    let title = format!("Post-mortem (draft): {}", taken.name());
    let rows = taken.notable().map(|kept| taken.row(kept)).collect();
    let ever = taken.ever();
    let document = Document::new("postmortem", taken.incident.id, (taken.at, taken.by), title, WHAT);
    taken
        .begun(document)
        .with(Section::new("Owner").to_fill_in("who owns this document"))
        .with(Section::new("Review").to_fill_in("the date of the review, and who comes"))
        .with(overview(taken))
        .with(impact(taken, &ever))
        .with(command(taken))
        .with(Section::new("Timeline").table(&ROW, rows, "It is empty."))
        .with(known(taken))
        .with(changes(taken, &ever))
        .with(ended_by(taken))
        .with(stops(taken))
        .with(
            Section::new("Contributing conditions").to_fill_in("what made it possible, or worse, or longer"),
        )
        .with(Section::new("What went well").to_fill_in("what to keep"))
        .with(Section::new("What went poorly").to_fill_in("what to change"))
        .with(
            Section::new("Where we were lucky")
                .to_fill_in("what could have been worse, and was not by our doing"),
        )
        .with(statements(taken))
        .with(follow_up(taken, &ever))
        .with(Section::new("Note for the house").to_fill_in("what everybody in the house is told"))
        .with(
            Section::new("Summary for outside")
                .to_fill_in("what users are told, without names of systems and people"),
        )
        .with(Section::new("Prepared by").text(taken.prepared()))
}

fn overview(taken: &Taken<'_>) -> Section {
    let incident = taken.incident;
    let worst = taken.severities().into_iter().map(|span| span.word).min();
    let over = match incident.resolution() {
        Some((Resolution::Merged, _)) => format!("it is {}", taken.part_of().unwrap_or_default()),
        Some((resolution, at)) => format!("{} at {}", resolution.words(), hour(at)),
        None => format!("it is {} as of {}", incident.state(), hour(taken.at)),
    };
    let opened = taken.entries.first().map(|kept| hours(kept.entry.at, kept.entry.occurred_at));
    Section::new("Overview")
        .facts(vec![
            ("Incident", Some(taken.name() + &taken.later.beside(1))),
            ("Services", Some(taken.services())),
            ("Severity at its worst", worst.map(str::to_owned)),
            ("Opened", opened),
            ("Declared by people", incident.declared.then(|| "yes".to_owned())),
            ("Ended", Some(over)),
            ("Part of", incident.merged_into.map(|other| format!("INC-{other}"))),
        ])
        .to_fill_in("what happened, in two or three sentences")
}

fn impact(taken: &Taken<'_>, ever: &Ever) -> Section {
    let incident = taken.incident;
    let until = |span: &Span| span.to.unwrap_or(taken.at);
    let row = |span: Span| {
        vec![span.word.to_owned(), from_to(span.from, span.to), lasting(span.from, until(&span))]
    };
    let after = |at: Option<jiff::Timestamp>| {
        at.map_or_else(|| "not yet".to_owned(), |at| lasting(incident.opened_at, at))
    };
    let first = |is: fn(&Fact) -> bool| {
        taken.entries.iter().find(|kept| is(&kept.entry.fact)).map(|kept| kept.entry.at)
    };
    let mitigated = first(|fact| matches!(fact, Fact::Mitigated { .. }));
    let (people, pages) = taken.pages();
    let people: Vec<&str> = people.into_iter().collect();
    let people = if people.is_empty() {
        "nobody".to_owned()
    } else {
        format!("{}: {}", people.len(), people.join(", "))
    };
    let again = taken
        .entries
        .iter()
        .filter(|kept| matches!(kept.entry.fact, Fact::Relapsed { .. } | Fact::Reopened { .. }))
        .count();
    Section::new("Impact")
        .table(
            &["Severity", "Time (UTC)", "How long"],
            taken.severities().into_iter().map(row).collect(),
            "Unknown.",
        )
        .table(
            &["State", "Time (UTC)", "How long"],
            taken.states().into_iter().map(row).collect(),
            "Unknown.",
        )
        .facts(vec![
            ("Time to acknowledge", Some(after(incident.acknowledged_at))),
            ("Time to the first mitigation", Some(after(mitigated))),
            ("Time to the end", Some(after(taken.ended()))),
            ("Times it came back", Some(again.to_string())),
            ("Alerts", Some(incident.alerts.to_string())),
            ("People paged", Some(people)),
            ("Pages", Some(pages.to_string())),
            ("Changes announced", Some(ever.changes.len().to_string())),
        ])
        .to_fill_in(
            "how many users and requests were affected, and how; data lost or not, and how that is known",
        )
}

fn command(taken: &Taken<'_>) -> Section {
    let tenures = taken.tenures().into_iter().map(|one| {
        let to = one.to.map_or_else(|| "has it".to_owned(), hour);
        vec![one.term.to_string(), taken.person(&one.person), hour(one.from), to, one.how]
    });
    let posts = taken
        .posts()
        .into_iter()
        .map(|one| vec![one.office.title().into(), taken.person(&one.person), from_to(one.from, one.to)]);
    let people = taken.incident.responders.iter().map(|one| {
        vec![
            taken.person(&one.person),
            one.status.as_str().replace('_', " "),
            hour(one.since),
            one.pages.to_string(),
        ]
    });
    Section::new("Command and responders")
        .table(
            &["Term", "Commander", "From (UTC)", "To (UTC)", "How they came to it"],
            tenures.collect(),
            "Nobody has had command.",
        )
        .table(
            &["Office", "Who", "When (UTC)"],
            posts.collect(),
            "No other office was held: all were the Commander's.",
        )
        .table(&["Responder", "Last status", "Since (UTC)", "Pages"], people.collect(), "Nobody was on it.")
}

/// Findings, in the order in which they were known.
fn known(taken: &Taken<'_>) -> Section {
    let mut found: Vec<_> = taken
        .entries
        .iter()
        .filter_map(|kept| match &kept.entry.fact {
            Fact::Board(Put::Found { component, ok, text, known_at }) => {
                let state = if *ok { "works (ruled out)" } else { "bad" };
                let by = kept.entry.actor.person().unwrap_or("onscene").to_owned();
                let cells = vec![
                    hour(*known_at),
                    hour(kept.entry.at),
                    component.clone(),
                    state.into(),
                    format!("{text}{}", taken.later.beside(kept.entry.seq)),
                    by,
                ];
                Some((*known_at, cells))
            }
            _ => None,
        })
        .collect();
    found.sort_by_key(|(known_at, _)| *known_at);
    Section::new("What was known when").table(
        &["Known (UTC)", "Recorded (UTC)", "Part", "State", "What was seen", "By"],
        found.into_iter().map(|(_, cells)| cells).collect(),
        "No finding was written down.",
    )
}

fn changes(taken: &Taken<'_>, ever: &Ever) -> Section {
    let row = |one: &Action| {
        let undo = if one.undo.is_empty() { "not named".into() } else { one.undo.clone() };
        vec![
            one.number.to_string(),
            hour(one.at),
            one.person.clone(),
            format!("{}{}", one.what, taken.later.beside(one.entry)),
            one.place.clone(),
            undo,
            taken.end_of(one),
        ]
    };
    let actions = &ever.changes;
    let columns = ["Change", "Announced (UTC)", "Who", "What", "Where", "To undo it", "End"];
    let unassigned: Vec<_> = actions.iter().filter(|one| !one.assigned).map(row).collect();
    Section::new("Changes")
        .table(&columns, actions.iter().map(row).collect(), "None was announced.")
        .text("Of these, by somebody who was given nothing to do on the incident (announced, and so seen):")
        .table(&columns, unassigned, "None.")
}

fn ended_by(taken: &Taken<'_>) -> Section {
    let resolution = taken.incident.resolution().map(|(resolution, _)| resolution);
    let (nothing_was_wrong, part_of) = (resolution == Some(Resolution::FalseAlarm), taken.part_of());
    let mut begun = 0_usize;
    let mut rows = Vec::new();
    for kept in taken.entries {
        let entry = &kept.entry;
        let said = match &entry.fact {
            Fact::Board(Put::ActionBegan { .. }) => {
                begun += 1;
                continue;
            }
            Fact::Mitigated { cause: Some(cause) } => cause.clone(),
            // What was thought to have ended was none, or is asked for elsewhere.
            Fact::Mitigated { cause: None } if nothing_was_wrong || part_of.is_some() => kept.text.clone(),
            Fact::Mitigated { cause: None } => "UNEXPLAINED: nobody knew what ended the harm".into(),
            Fact::Resolved { .. } | Fact::Merged { .. } | Fact::Relapsed { .. } | Fact::Reopened { .. } => {
                kept.text.clone()
            }
            _ => continue,
        };
        let said = said + &taken.later.beside(entry.seq);
        rows.push(vec![hours(entry.at, entry.occurred_at), said, begun.to_string()]);
    }
    let last = taken.entries.iter().rev().find_map(|kept| match &kept.entry.fact {
        Fact::Mitigated { cause } => Some(cause.is_some()),
        _ => None,
    });
    let open = matches!(taken.incident.phase, Phase::Triggered { .. } | Phase::Acknowledged { .. });
    let section = Section::new("What ended it").table(
        &["Time (UTC)", "What was said", "Changes announced before"],
        rows,
        "Nothing is on record.",
    );
    if nothing_was_wrong {
        return section
            .text("It was a false alarm: nothing was wrong, so nothing had to end.")
            .to_fill_in("why it alarmed although nothing was wrong, and how that is known");
    }
    if let Some((into, part_of)) = taken.incident.merged_into.zip(part_of) {
        return section.text(format!("It is {part_of}: what ended it is told there, see INC-{into}."));
    }
    let section = match last {
        _ if open => section.text("It has not ended."),
        Some(true) => section,
        Some(false) => {
            section.text("It is unexplained: it may come back, and the review asks first what it was.")
        }
        None => section.text("Nobody said what ended it: it is unexplained."),
    };
    section.to_fill_in("what ended it, how that is known, and what would show that it was something else")
}

fn stops(taken: &Taken<'_>) -> Section {
    let rows = taken
        .entries
        .iter()
        .filter(|kept| matches!(kept.entry.fact, Fact::Board(Put::Stopped { .. } | Put::StopLifted { .. })));
    Section::new("Safety: changes that were stopped").table(
        &ROW,
        rows.map(|kept| taken.row(kept)).collect(),
        "Nothing was stopped.",
    )
}

fn statements(taken: &Taken<'_>) -> Section {
    let drafts = taken.entries.iter().filter_map(|kept| match &kept.entry.fact {
        Fact::StatementDrafted { text } => {
            let entry = &kept.entry;
            let by = entry.actor.person().unwrap_or("onscene").to_owned();
            let text = format!("{text}{}", taken.later.beside(entry.seq));
            Some(vec![hours(entry.at, entry.occurred_at), by, text])
        }
        _ => None,
    });
    let promised = taken.entries.iter().filter_map(|kept| match &kept.entry.fact {
        Fact::Promised { by } => {
            Some(vec![hour(kept.entry.at), hour(*by) + &taken.later.beside(kept.entry.seq)])
        }
        _ => None,
    });
    Section::new("Statements")
        .text("Drafts, word by word; onscene published none of them:")
        .table(&["Written (UTC)", "By", "Words"], drafts.collect(), "None was written.")
        .text("Internal updates that were promised:")
        .table(&["Said (UTC)", "Promised for (UTC)"], promised.collect(), "None.")
        .to_fill_in("what was published, where and when")
}

/// What notes call a thing to be done, and tasks that did not end well.
fn follow_up(taken: &Taken<'_>, ever: &Ever) -> Section {
    let notes = taken.entries.iter().filter_map(|kept| match &kept.entry.fact {
        Fact::Note { text } => {
            let begins = text.get(..TODO.len()).is_some_and(|word| word.eq_ignore_ascii_case(TODO));
            let by = match &kept.entry.actor {
                Actor::Person(name) | Actor::Automation(name) | Actor::Source(name) => name.clone(),
                Actor::Dispatch => "onscene".into(),
            };
            let what =
                text.get(TODO.len()..).unwrap_or_default().trim_start_matches([':', ' ', '-']).to_owned();
            begins.then(|| {
                let what = what + &taken.later.beside(kept.entry.seq);
                vec![what, format!("a note of {by}, entry {}", kept.entry.seq), String::new(), String::new()]
            })
        }
        _ => None,
    });
    let tasks = ever.tasks.iter().filter(|task| !matches!(task.ended, Some((End::Done, _))));
    let tasks = tasks.map(|task| {
        let from = format!("task {} of {}, {}", task.number, task.person, ending(task.end()));
        let what = format!("{}{}", task.what, taken.later.beside(task.entry));
        vec![what, from, String::new(), String::new()]
    });
    Section::new("What is to be done")
        .table(
            &["What", "From", "Owner", "Due"],
            notes.chain(tasks).collect(),
            "No note began with TODO, and no task was left.",
        )
        .to_fill_in("actions, each with an owner and a date")
}
