//! A status summary in the way of ICS-209: what stakeholders inside the house are told. It is not the federal form.

use super::document::{Document, Section, hour};
use super::taken::{ROW, Taken, from_to};
use crate::core::board::{Put, Report};
use crate::core::command::Turn;
use crate::core::incident::Phase;
use crate::core::timeline::Fact;

/// What it is.
const WHAT: &str = "An ICS-209-style status summary, not the federal form. Internal: it names systems and people, and is not to be \
                    published. Facts are those of the timeline; hours are UTC.";

/// Fills it.
pub(super) fn fill(taken: &Taken<'_>) -> Document {
    let (incident, board) = (taken.incident, &taken.incident.board);
    let later = |entry: u32| taken.later.beside(entry);
    let tenures = taken.tenures().into_iter();
    let commanders = tenures.map(|one| {
        format!("{} (term {}), {}", taken.person(&one.person), one.term, from_to(one.from, one.to))
    });
    let size = format!(
        "Services: {}. Alerts: {}, of which {} fire. People on it: {}.",
        taken.services(),
        incident.alerts,
        incident.firing,
        incident.responders.iter().filter(|one| one.status.has_answered()).count()
    );
    let events = taken.notable().filter(|kept| is_significant(&kept.entry.fact)).map(|kept| taken.row(kept));
    let mut hazards: Vec<String> = board
        .stop
        .iter()
        .map(|stop| {
            format!("STOP since {} by {}: {}{}", hour(stop.at), stop.by, stop.text, later(stop.entry))
        })
        .collect();
    let bad = board.findings.iter().filter(|finding| !finding.ok);
    hazards.extend(bad.map(|one| {
        let words = if one.text.is_empty() { String::new() } else { format!(": {}", one.text) };
        format!("{} is bad, known {}{words}{}", one.component, hour(one.known_at), later(one.entry))
    }));
    hazards.extend(taken.known.iter().map(|known| format!("{} (until {})", known.text, hour(known.until))));
    let needs = board.requests.iter().filter(|request| !request.state.is_over()).map(|request| {
        let state = request.state.as_str().replace('_', " ");
        format!("{}: {} ({state}){}", request.wanted, request.why, later(request.entry))
    });
    let changes = board.in_flight().map(|one| {
        format!("in flight, change {} of {}: {}{}", one.number, one.person, one.what, later(one.entry))
    });
    let tasks = board.open_tasks().map(|one| {
        let late = if one.late { ", late" } else { "" };
        let limit = one.limit.map(|limit| format!(", by {}{late}", hour(limit))).unwrap_or_default();
        format!("task {} of {}{limit}: {}{}", one.number, one.person, one.what, later(one.entry))
    });
    let planned = board
        .plan
        .iter()
        .map(|plan| format!("plan: {}{}", plan.text, later(plan.entry)))
        .chain(changes)
        .chain(tasks);
    let bodies = board.contacts.iter().map(|one| {
        let late = if one.late { ", late" } else { "" };
        let promised = one.promised.map(|at| format!("{}{late}", hour(at))).unwrap_or_default();
        let open = if one.closed { "closed" } else { "open" };
        let body = format!("{}{}", one.body, later(one.entry));
        vec![body, one.contact.clone(), one.ticket.clone(), promised, open.to_owned()]
    });
    let said = |said: &Option<crate::core::board::Said>| {
        said.as_ref().map(|said| said.text.clone() + &later(said.entry))
    };
    let report = board.report.as_ref().map(|one| report_words(one) + &later(one.entry));
    let ever = taken.ever();
    taken
        .begun(Document::new(
            "ics-209",
            incident.id,
            (taken.at, taken.by),
            format!("Status summary: {}", taken.name()),
            WHAT,
        ))
        .with(Section::new("1. Incident name").text(incident.title.clone() + &later(1)))
        .with(Section::new("2. Incident number").text(format!("INC-{}", incident.id)))
        .with(Section::new("3. Report version").text(version(taken)))
        .with(Section::new("4. Incident Commanders").list(commanders.collect(), "Nobody has had command."))
        .with(Section::new("5. Organisation").to_fill_in("the organisation that responds"))
        .with(Section::new("6. Start").text(hour(incident.opened_at)))
        .with(Section::new("7. Size").text(size))
        .with(Section::new("8. Contained").text(contained(taken)))
        .with(Section::new("9. Definition").text_or(said(&board.size_up), &incident.title))
        .with(Section::new("10. Complexity").text(incident.severity.as_str()))
        .with(Section::new("11. Period").text(taken.period()))
        .with(Section::new("12. Prepared by").text(taken.prepared()))
        .with(Section::new("13. Submitted").to_fill_in("when it was sent"))
        .with(Section::new("14. Approved by").to_fill_in("who approved it"))
        .with(Section::new("15. Sent to").to_fill_in("to whom it was sent"))
        .with(Section::new("25. Location").text(taken.services()))
        .with(Section::new("28. Significant events").table(&ROW, events.collect(), "None yet."))
        .with(Section::new("29. Hazards").list(hazards, "None is known."))
        .with(Section::new("36. Projected activity").to_fill_in("what is likely to happen next"))
        .with(Section::new("37. Strategic objectives").text_or(said(&board.objective), "None was set."))
        .with(Section::new("39. Critical resource needs").list(needs.collect(), "Nobody is asked for."))
        .with(Section::new("41. Planned actions").list(planned.collect(), "None is written down."))
        .with(
            Section::new("43. Anticipated completion")
                .to_fill_in("when it may end; for inside the house alone, never public"),
        )
        .with(Section::new("47. Remarks").text_or(report, "No progress report yet."))
        .with(Section::new("53. Cooperating agencies").table(
            &["Body", "Contact", "Ticket", "Promised for (UTC)", "State"],
            bodies.collect(),
            "No outside body was called.",
        ))
        .with(
            Section::new("Changes").table(
                &["Change", "Who", "What", "Since (UTC)", "End"],
                ever.changes
                    .iter()
                    .map(|one| {
                        vec![
                            one.number.to_string(),
                            one.person.clone(),
                            format!("{}{}", one.what, later(one.entry)),
                            hour(one.at),
                            taken.end_of(one),
                        ]
                    })
                    .collect(),
                "None was announced.",
            ),
        )
}

/// Initial, update or final, and its number: one for each size-up and progress report.
fn version(taken: &Taken<'_>) -> String {
    let said = |fact: &Fact| matches!(fact, Fact::Board(Put::SizedUp { .. } | Put::Reported { .. }));
    let number = 1 + taken.entries.iter().filter(|kept| said(&kept.entry.fact)).count();
    let what = match (taken.part_of(), taken.incident.is_open(), number) {
        (Some(part_of), ..) => return format!("{part_of}, number {number}"),
        (None, false, _) => "final",
        (None, true, 1) => "initial",
        (None, true, _) => "update",
    };
    format!("{what}, number {number}")
}

fn report_words(one: &Report) -> String {
    let words = if one.text.is_empty() { String::new() } else { format!(": {}", one.text) };
    format!("{} by {}: {}{words}", hour(one.at), one.by, one.trend.as_str())
}

fn contained(taken: &Taken<'_>) -> String {
    let incident = taken.incident;
    if let Some(part_of) = taken.part_of() {
        return format!("It is {part_of}, and whether that one is contained is told there.");
    }
    match &incident.phase {
        Phase::Triggered { .. } => "No; nobody has it yet.".into(),
        Phase::Acknowledged { .. } => "No; it is being worked on.".into(),
        Phase::Mitigated { cause, .. } => {
            let at = incident.mitigated_at.map(hour).unwrap_or_default();
            let cause = cause.as_deref().unwrap_or("unexplained, nobody knows yet what did it");
            let corrected = taken.beside_last(|fact| matches!(fact, Fact::Mitigated { .. }));
            format!("The harm stopped at {at} ({cause}){corrected}; it is being watched.")
        }
        Phase::Resolved { resolution, at, .. } => {
            format!("Over since {}: {}.", hour(*at), resolution.words())
        }
    }
}

/// What changes how it stands: the rest is for the activity log.
fn is_significant(fact: &Fact) -> bool {
    match fact {
        Fact::Opened { .. }
        | Fact::SeverityRaised { .. }
        | Fact::SeverityLowered { .. }
        | Fact::CauseFound { .. }
        | Fact::StormBegan
        | Fact::Merged { .. }
        | Fact::TookIn { .. }
        | Fact::CommandTaken { .. }
        | Fact::Mitigated { .. }
        | Fact::Relapsed { .. }
        | Fact::Resolved { .. }
        | Fact::Reopened { .. } => true,
        Fact::Command(turn) => matches!(turn, Turn::Transferred { .. }),
        Fact::Board(put) => {
            put.moves_the_situation()
                || matches!(put, Put::Reported { .. } | Put::Found { ok: false, .. } | Put::Corrected { .. })
        }
        _ => false,
    }
}
