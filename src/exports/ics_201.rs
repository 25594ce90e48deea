//! ICS-201, the incident briefing: what somebody reads before they take command. It is of one number, which they name when
//! they accept, and an old one as soon as the situation has moved.

use jiff::Timestamp;

use super::document::{Document, Section, hour};
use super::taken::{Taken, how};
use crate::core::board::{Action, Finding, Said};
use crate::core::brief::Brief;
use crate::core::incident::Phase;
use crate::core::timeline::Fact;

/// What it is.
const WHAT: &str = "ICS-201, Incident Briefing: what is read before command passes. Facts are those of the timeline; hours are UTC.";

/// Fills it.
pub(super) fn fill(taken: &Taken<'_>) -> Document {
    let brief = Brief::of(taken.incident, taken.meeting, taken.known);
    let said = |one: &Said| said(taken, one);
    let title = format!("Briefing: {} (brief of entry {})", taken.name(), brief.number);
    let mut document = Document::new("ics-201", brief.incident, (taken.at, taken.by), title, WHAT);
    document.brief = Some(brief.number);
    document = taken.begun(document);
    if let Some(stop) = &brief.stop {
        document = document.with(Section::new("STOP: nothing is to be changed").text(said(stop)));
    }
    document
        .with(Section::new("1. Incident name").text(brief.title.clone() + &taken.later.beside(1)))
        .with(
            Section::new("2. Incident number")
                .text(format!("INC-{}, brief of entry {}", brief.incident, brief.number)),
        )
        .with(Section::new("3. Initiated").text(hour(brief.opened_at)))
        .with(findings(taken, &brief))
        .with(situation(taken, &brief))
        .with(Section::new("6. Prepared by").text(taken.prepared()))
        .with(
            Section::new("7. Objective and plan")
                .text_or(brief.objective.as_ref().map(said), "No objective was set.")
                .text_or(
                    brief.plan.as_ref().map(|plan| format!("Plan: {}", said(plan))),
                    "No plan was written down.",
                ),
        )
        .with(actions(taken, &brief))
        .with(organisation(taken, &brief))
        .with(resources(taken))
        .with(meeting(&brief))
        .with(bodies(taken, &brief))
        .with(Section::new("Open promises").table(
            &["By (UTC)", "What"],
            brief.promises.iter().map(|one| vec![hour(one.at), one.what.clone()]).collect(),
            "None.",
        ))
}

fn findings(taken: &Taken<'_>, brief: &Brief) -> Section {
    let row = |finding: &Finding| {
        let state = if finding.ok { "works (ruled out)" } else { "bad" };
        vec![
            finding.component.clone(),
            state.into(),
            format!("{}{}", finding.text, taken.later.beside(finding.entry)),
            finding.by.clone(),
            hour(finding.known_at),
        ]
    };
    let rows = brief.situation.bad.iter().chain(&brief.situation.ruled_out).map(row).collect();
    Section::new("4. Parts: bad, and ruled out").table(
        &["Part", "State", "What was seen", "By", "Known (UTC)"],
        rows,
        "Nothing was found yet.",
    )
}

fn situation(taken: &Taken<'_>, brief: &Brief) -> Section {
    let situation = &brief.situation;
    let alerts = format!("{} of {} fire", situation.firing, situation.alerts);
    let corrected = taken.beside_last(|fact| matches!(fact, Fact::Mitigated { .. }));
    let mitigated = situation.mitigated.as_ref().map(|cause| match cause {
        Some(cause) => format!("the harm stopped: {cause}{corrected}"),
        None => format!("the harm stopped, unexplained: nobody knows what did it{corrected}"),
    });
    let report = situation.report.as_ref().map(|one| {
        let words = if one.text.is_empty() { String::new() } else { format!(": {}", one.text) };
        let corrected = taken.later.beside(one.entry);
        format!("{}{words} ({}, {}){corrected}", one.trend.as_str(), one.by, hour(one.at))
    });
    let firing = taken.alerts.iter().filter(|alert| alert.status == "firing");
    let known = situation.known.iter().map(|known| format!("{} (until {})", known.text, hour(known.until)));
    let section = Section::new("5. Situation and safety")
        .facts(vec![
            ("Services", Some(taken.services())),
            ("Severity", Some(brief.severity.as_str().into())),
            ("State", Some(taken.part_of().unwrap_or_else(|| brief.state.into()))),
            ("Since", Some(hour(brief.opened_at))),
            ("Alerts", Some(alerts)),
            ("Mitigation", mitigated),
            (
                "Size-up",
                Some(situation.size_up.as_ref().map_or_else(|| "none yet".into(), |one| said(taken, one))),
            ),
            ("Latest report", Some(report.unwrap_or_else(|| "none yet".into()))),
        ])
        .table(
            &["Alert that fires", "Source", "Since (UTC)"],
            firing
                .map(|alert| vec![alert.title.clone(), alert.source.clone(), hour(alert.changed_at)])
                .collect(),
            "No alert fires.",
        );
    let section = match situation.known.is_empty() {
        true => section,
        false => section.text("Known conditions:").list(known.collect(), ""),
    };
    let corrected = brief.corrected_elsewhere(brief.made.len()).into_iter().map(|one| {
        let words = taken.entries.iter().find(|kept| kept.entry.seq == one.entry);
        let words = words.map(|kept| kept.text.clone()).unwrap_or_default();
        let by = format!("{}, {}", one.by, hour(one.at));
        vec![one.entry.to_string(), words, one.number.to_string(), one.text.clone(), by]
    });
    let corrected: Vec<_> = corrected.collect();
    match corrected.is_empty() {
        true => section,
        false => section.text("Corrected:").table(
            &["Entry", "What it says", "Corrected by entry", "What is right", "By"],
            corrected,
            "",
        ),
    }
}

fn actions(taken: &Taken<'_>, brief: &Brief) -> Section {
    let row = |one: &Action| {
        let who = if one.assigned {
            one.person.clone()
        } else {
            format!("{} (was given nothing to do)", one.person)
        };
        let (what, end) = (format!("{}{}", one.what, taken.later.beside(one.entry)), taken.end_of(one));
        let undo = if one.undo.is_empty() { "not named".into() } else { one.undo.clone() };
        vec![one.number.to_string(), hour(one.at), who, what, one.place.clone(), undo, end]
    };
    let columns = ["Change", "Time (UTC)", "Who", "What", "Where", "To undo it", "End"];
    let in_flight = brief.in_flight.iter().map(row).collect();
    let made = brief.made.iter().map(row).collect();
    let tasks = brief.tasks.iter().map(|task| {
        let limit = task.limit.map_or_else(|| "none".to_owned(), |limit| by(limit, task.late));
        let what = format!("{}{}", task.what, taken.later.beside(task.entry));
        vec![task.number.to_string(), task.person.clone(), what, hour(task.at), limit]
    });
    let actions = &taken.incident.board.actions;
    let known = actions.last().map_or(0, |last| usize::try_from(last.number).unwrap_or(usize::MAX));
    let made_before = match known.saturating_sub(actions.len()) {
        0 => "Changes made, the newest first:".to_owned(),
        more => format!("Changes made, the newest first, and {more} before these, which the timeline has:"),
    };
    Section::new("8. Actions")
        .text("Changes in flight:")
        .table(&columns, in_flight, "None.")
        .text(made_before)
        .table(&columns, made, "None.")
        .text("Tasks:")
        .table(&["Task", "Owner", "What", "Since (UTC)", "Limit (UTC)"], tasks.collect(), "None is open.")
}

fn organisation(taken: &Taken<'_>, brief: &Brief) -> Section {
    let holder = brief.commander.as_ref();
    let commander = match holder {
        Some(one) => format!("{}, term {}, since {}", taken.person(&one.person), one.term, hour(one.since)),
        None => {
            let how = taken.part_of().unwrap_or_else(|| "over".to_owned());
            match &taken.incident.phase {
                Phase::Resolved { last: Some(last), .. } => {
                    format!("nobody; it is {how}, and {} had it last", last.person)
                }
                Phase::Resolved { .. } => format!("nobody; it is {how}"),
                _ => "nobody".into(),
            }
        }
    };
    let tenure = taken.tenures().pop().filter(|tenure| holder.is_some_and(|one| one.term == tenure.term));
    let how = tenure.map(|one| one.how).or(holder.map(|one| how(one.reason).to_owned()));
    let unfilled = holder.map_or_else(|| "nobody".into(), |one| format!("the Commander, {}", one.person));
    let asked = |office| taken.incident.offices.asked(office).map(|person| format!(" ({person} was asked)"));
    let offices = brief.organisation.iter().map(|(office, person)| {
        let who = person.as_ref().map_or_else(|| unfilled.clone(), |person| taken.person(person));
        vec![office.title().to_owned(), who + &asked(*office).unwrap_or_default()]
    });
    let mut rows = vec![vec!["Commander".to_owned(), commander]];
    rows.extend(how.map(|how| vec!["How they came to it".to_owned(), how]));
    rows.extend(offices);
    if let Some(offer) = &taken.incident.offices.offer {
        rows.push(vec![
            "Command is offered to".into(),
            format!("{}, until {}", taken.person(&offer.to), hour(offer.expires)),
        ]);
    }
    Section::new("9. Organisation").table(&["Office", "Who"], rows, "")
}

fn resources(taken: &Taken<'_>) -> Section {
    let requests = taken.incident.board.requests.iter().map(|one| {
        let people = if one.people.is_empty() { "nobody was paged".into() } else { one.people.join(", ") };
        let state = one.state.as_str().replace('_', " ");
        vec![
            one.number.to_string(),
            one.wanted.to_string(),
            hour(one.at),
            people,
            format!("{state} {}", hour(one.since)),
            format!("{}{}", one.why, taken.later.beside(one.entry)),
        ]
    });
    let responders = taken.incident.responders.iter().map(|one| {
        let arrived = taken.entries.iter().find_map(|kept| match &kept.entry.fact {
            Fact::CheckedIn { person } if *person == one.person => Some(hour(kept.entry.at)),
            _ => None,
        });
        let status = one.status.as_str().replace('_', " ");
        vec![
            taken.person(&one.person),
            format!("{status} {}", hour(one.since)),
            one.eta.filter(|_| taken.incident.is_open()).map(hour).unwrap_or_default(),
            arrived.unwrap_or_default(),
        ]
    });
    Section::new("10. Resources")
        .text("Requests:")
        .table(
            &["Request", "Resource", "Ordered (UTC)", "Paged", "State (UTC)", "Notes"],
            requests.collect(),
            "None.",
        )
        .text("People:")
        .table(
            &["Who", "Status since (UTC)", "Expected (UTC)", "Arrived (UTC)"],
            responders.collect(),
            "Nobody.",
        )
}

/// An hour by which something was to be done.
fn by(at: Timestamp, late: bool) -> String {
    if late { format!("{}, late", hour(at)) } else { hour(at) }
}

fn meeting(brief: &Brief) -> Section {
    let places = brief.meeting.iter().map(|place| {
        let dial_in = place.dial_in.clone().unwrap_or_default();
        vec![place.name.clone(), place.url.clone(), dial_in, place.suspect().unwrap_or_default()]
    });
    Section::new("Where to meet, in this order").table(
        &["Place", "Address", "By telephone", "Doubt"],
        places.collect(),
        "No place is configured.",
    )
}

fn bodies(taken: &Taken<'_>, brief: &Brief) -> Section {
    let rows = brief.contacts.iter().map(|one| {
        let promised = one.promised.map(|at| by(at, one.late)).unwrap_or_default();
        vec![
            one.body.clone(),
            one.contact.clone(),
            one.ticket.clone(),
            promised,
            format!("{}{}", one.text, taken.later.beside(one.entry)),
            one.by.clone(),
        ]
    });
    Section::new("Outside bodies").table(
        &["Body", "Contact", "Ticket", "Promised for (UTC)", "What was said", "By"],
        rows.collect(),
        "None is waited for.",
    )
}

fn said(taken: &Taken<'_>, said: &Said) -> String {
    format!("{}{} ({}, {})", said.text, taken.later.beside(said.entry), said.by, hour(said.at))
}
