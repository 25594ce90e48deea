//! Incidents, entries and alerts as the API shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::commit::{EventResult, MailResult};
use crate::core::alert::{Event, one_line};
use crate::core::board::{Board, End, Said};
use crate::core::condition::{Condition, Known};
use crate::core::incident::Incident;
use crate::core::meeting::{Meeting, Place};
use crate::core::oncall::{Leave, Override};
use crate::core::rules::Rules;
use crate::core::silence::Silence;
use crate::store::alerts::Shown;
use crate::store::incidents::Proof;
use crate::store::search::Found;
use crate::store::sessions::Session;
use crate::store::subscribers::{LISTED_MAX, Listed};
use crate::store::timeline::Kept;
use crate::store::tokens::{ApiToken, Holder};
use crate::store::unreadable::Waiting;
use crate::{crypto, render};

/// One incident.
pub fn incident(incident: &Incident, alerts: &[Shown], events: i64, meeting: &Meeting) -> Value {
    let resolution = incident.resolution();
    json!({
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
        "at_fault": incident.cause,
        "also": incident.also,
        "storm": incident.storm,
        "merged_into": incident.merged_into,
        "severity": incident.severity.as_str(),
        "state": incident.state(),
        "resolution": resolution.map(|(resolution, _)| resolution.as_str()),
        "drill": false,
        "opened_at": incident.opened_at,
        "acknowledged_at": incident.acknowledged_at,
        "mitigated_at": incident.mitigated_at,
        "resolved_at": resolution.map(|(_, at)| at),
        "alert_count": incident.alerts,
        "event_count": events,
        "commander": incident.commander().map(|command| json!({
            "person": command.person, "term": command.term, "since": command.since, "reason": command.reason.as_str(),
        })),
        "offices": incident.offices.posts.iter().map(|post| json!({
            "office": post.office.as_str(), "person": post.person, "since": post.since, "accepted": post.accepted,
        })).collect::<Vec<_>>(),
        "offer": offer(incident),
        "asks_for_command": incident.offices.wishes,
        "unaware": incident.offices.unaware,
        "brief": incident.moved,
        "board": board(&incident.board),
        "responders": incident.responders.iter()
            .map(|one| json!({"person": one.person, "status": one.status.as_str(), "since": one.since, "eta": one.eta}))
            .collect::<Vec<_>>(),
        "alerts": alerts.iter().map(alert).collect::<Vec<_>>(),
        "next_update_by": incident.next_update_by,
        "bridge": meeting.address(),
        "meeting": meeting.places.iter().map(place).collect::<Vec<_>>(),
    })
}

/// The offer of command that is open.
pub fn offer(incident: &Incident) -> Option<Value> {
    incident.offices.offer.as_ref().map(|offer| {
        json!({"to": offer.to, "by": offer.by, "ordered": offer.ordered, "reason": offer.reason, "at": offer.at,
            "expires": offer.expires})
    })
}

/// Words that somebody said.
pub fn said(said: &Option<Said>) -> Option<Value> {
    said.as_ref().map(|said| json!({"text": said.text, "by": said.by, "at": said.at, "entry": said.entry}))
}

/// What stands on the board of an incident.
fn board(board: &Board) -> Value {
    let ended = |ended: &Option<(End, Timestamp)>| {
        ended.as_ref().map(|(how, at)| json!({"how": how.as_str(), "at": at}))
    };
    json!({
        "size_up": said(&board.size_up),
        "objective": said(&board.objective),
        "plan": said(&board.plan),
        "report": board.report.as_ref().map(|report| json!({
            "trend": report.trend.as_str(), "text": report.text, "by": report.by, "at": report.at,
            "entry": report.entry,
        })),
        "stop": said(&board.stop),
        "meeting": said(&board.meeting),
        "changes_allowed": board.changes_max(),
        "tasks": board.tasks.iter().map(|task| json!({
            "number": task.number, "person": task.person, "what": task.what, "at": task.at, "limit": task.limit,
            "late": task.late, "ended": ended(&task.end()), "entry": task.entry,
        })).collect::<Vec<_>>(),
        "actions": board.actions.iter().map(|action| json!({
            "number": action.number, "person": action.person, "what": action.what, "where": action.place,
            "undo": action.undo, "at": action.at, "assigned": action.assigned, "ended": ended(&action.end()),
            "entry": action.entry, "end_entry": (action.end_entry > 0).then_some(action.end_entry),
        })).collect::<Vec<_>>(),
        "requests": board.requests.iter().map(|request| {
            let (sort, name) = request.wanted.parts();
            json!({
                "number": request.number, sort: name, "why": request.why, "by": request.by, "at": request.at,
                "people": request.people, "state": request.state.as_str(), "since": request.since,
                "entry": request.entry,
            })
        }).collect::<Vec<_>>(),
        "contacts": board.contacts.iter().map(|contact| json!({
            "number": contact.number, "body": contact.body, "contact": contact.contact, "ticket": contact.ticket,
            "promised": contact.promised, "late": contact.late, "text": contact.text, "by": contact.by, "at": contact.at,
            "closed": contact.closed, "entry": contact.entry,
        })).collect::<Vec<_>>(),
        "findings": board.findings.iter().map(|finding| json!({
            "component": finding.component, "ok": finding.ok, "text": finding.text, "by": finding.by,
            "known_at": finding.known_at, "entry": finding.entry,
        })).collect::<Vec<_>>(),
        "corrections": board.corrections.kept.iter().map(|one| json!({
            "number": one.number, "entry": one.entry, "text": one.text, "by": one.by, "at": one.at,
        })).collect::<Vec<_>>(),
    })
}

/// A place where its people meet, in the order of the configuration; `why` it may be down.
fn place(place: &Place) -> Value {
    let why = place.suspect();
    json!({"name": place.name, "url": place.url, "dial_in": place.dial_in, "suspect": why.is_some(), "why": why})
}

/// One line of a timeline.
pub fn entry(kept: &Kept) -> Value {
    let entry = &kept.entry;
    json!({
        "seq": entry.seq,
        "at": entry.at,
        "occurred_at": entry.occurred_at,
        "kind": entry.fact.kind(),
        "actor": entry.actor.label(),
        "office": entry.office,
        "term": entry.term,
        "text": kept.text,
        "data": serde_json::from_str::<Value>(&kept.data).unwrap_or(Value::Null),
        "route": entry.route.as_str(),
        "hash": crypto::hex(&kept.hash),
    })
}

/// A silence, and how many alerts that fire it holds back.
pub fn silence(silence: &Silence, held: i64, now: jiff::Timestamp) -> Value {
    json!({
        "id": silence.id,
        "source": silence.source,
        "matchers": matchers(silence),
        "state": silence.state(now).as_str(),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "updated_at": silence.updated_at,
        "held": held,
    })
}

/// A known condition.
pub fn condition(condition: &Condition, now: jiff::Timestamp) -> Value {
    json!({
        "id": condition.id,
        "text": condition.text,
        "services": condition.services,
        "state": condition.state(now).as_str(),
        "starts_at": condition.starts_at,
        "ends_at": condition.ends_at,
        "created_by": condition.created_by,
        "created_at": condition.created_at,
        "ended_by": condition.ended_by,
    })
}

/// An override.
pub fn stand_in(one: &Override, now: jiff::Timestamp) -> Value {
    json!({
        "id": one.id,
        "rotation": one.rotation,
        "person": one.person,
        "instead_of": one.instead_of,
        "state": one.state(now).as_str(),
        "starts_at": one.from,
        "ends_at": one.until,
        "author": one.author,
        "reason": one.reason,
        "created_at": one.created_at,
        "ended_by": one.ended_by,
    })
}

/// A leave.
pub fn leave(one: &Leave, now: jiff::Timestamp) -> Value {
    json!({
        "id": one.id,
        "person": one.person,
        "state": one.state(now).as_str(),
        "starts_at": one.from,
        "ends_at": one.until,
        "author": one.author,
        "reason": one.reason,
        "created_at": one.created_at,
        "ended_by": one.ended_by,
    })
}

/// What is known that concerns an incident: a condition, or maintenance.
pub fn known(known: &Known) -> Value {
    json!({"text": known.text, "services": known.services, "until": known.until, "by": known.by})
}

/// What a silence is about, as people write it.
pub fn matchers(silence: &Silence) -> String {
    silence.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A token, without the token itself.
pub fn token(token: &ApiToken) -> Value {
    let (person, automation) = match &token.holder {
        Holder::Person(name) => (Some(name), None),
        Holder::Automation(name) => (None, Some(name)),
    };
    json!({"id": token.id, "person": person, "automation": automation,
        "created_at": token.created_at, "revoked_at": token.revoked_at})
}

/// Somebody who is signed in to the pages.
pub fn session(one: &Session) -> Value {
    let (person, automation) = match &one.holder {
        Holder::Person(name) => (Some(name), None),
        Holder::Automation(name) => (None, Some(name)),
    };
    json!({"id": one.id, "person": person, "automation": automation, "token": one.made_of.token(),
        "made_of": one.made_of.word(), "incident": one.made_of.incident(),
        "created_at": one.created_at, "used_at": one.used_at})
}

/// What was proved of timelines.
pub fn proof(proof: &Proof) -> Value {
    let said = |said: &[(i64, String)]| -> Vec<Value> {
        said.iter().map(|(id, why)| json!({"incident": id, "why": why})).collect()
    };
    let (broken, notes) = (said(&proof.broken), said(&proof.notes));
    json!({"incidents": proof.incidents, "entries": proof.entries, "broken": broken, "notes": notes})
}

/// A body that could not be read, without the body.
pub fn kept(kept: &Waiting) -> Value {
    json!({"id": kept.id, "source": kept.source, "received_at": kept.received_at, "error": kept.error})
}

/// What became of an event.
pub fn result(event: &Event, result: EventResult) -> Value {
    let mut value = json!({"key": event.key, "outcome": result.outcome, "incident": result.incident});
    if let Some(reason) = result.reason {
        value["reason"] = reason.into_string().into();
    }
    value
}

/// What became of mail about a letter.
pub fn mail_result(result: &MailResult) -> Value {
    json!({"key": result.key, "outcome": result.outcome, "incident": result.incident, "reason": result.reason})
}

/// One line about one incident, for people and for `text/plain`.
pub fn line(incident: &Incident, meeting: &Meeting, rules: &Rules) -> String {
    let command = match incident.commander() {
        Some(command) => format!(
            "{} has command since {} (term {})",
            render::full_name(rules, &command.person),
            render::hour(command.since, &jiff::tz::TimeZone::UTC),
            command.term
        ),
        None => "nobody has command".into(),
    };
    let meet = meeting.here().map(|place| format!("; meet: {}", place.url)).unwrap_or_default();
    let offer = incident.offices.offer.as_ref();
    let offer = offer.map(|offer| format!("; offered to {}", offer.to)).unwrap_or_default();
    let stop = incident.board.stop.as_ref();
    let stop = stop.map(|stop| format!("; STOP by {}: {}", stop.by, one_line(&stop.text)));
    let stop = stop.unwrap_or_default();
    format!(
        "INC-{} {} {} {}: {}{stop}; {command}{offer}{meet}",
        incident.id,
        incident.severity.as_str(),
        incident.state(),
        incident.service,
        incident.title
    )
}

/// An alert that was found among all.
pub fn found(found: &Found) -> Value {
    let mut shown = alert(&found.shown);
    shown["service"] = found.service.as_str().into();
    shown["incident"] = found.incident.into();
    shown["suppressed_by"] = found.suppressed_by.as_deref().into();
    shown["changed_at"] = found.shown.changed_at.to_string().into();
    shown["noted_at"] = found.noted_at.to_string().into();
    shown
}

/// One alert.
pub fn alert(alert: &Shown) -> Value {
    json!({
        "source": alert.source,
        "key": alert.key,
        "status": alert.status,
        "severity": alert.severity,
        "title": alert.title,
        "count": alert.count,
        "labels": alert.labels,
        "links": alert.links,
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
    })
}

/// What must not be said: where it stands, by which rule, and why; never the words.
pub fn findings(found: &[crate::core::disclosure::Finding]) -> Value {
    use crate::core::disclosure::Place;
    let one = |one: &crate::core::disclosure::Finding| {
        let place = match one.place {
            Place::Subject => "title",
            Place::Body => "text",
            Place::Field(_) => "field",
            Place::Link(_) => "link",
            Place::Attachment(_) => "attachment",
        };
        json!({"place": place, "span": [one.span.start, one.span.end], "rule": one.rule.as_str(), "weight": one.weight.as_str(), "why": one.why, "mark": one.mark()})
    };
    found.iter().map(one).collect()
}

/// A statement, as it stands in its incident.
pub fn statement(incident: &Incident, known: &crate::core::voice::Statement) -> Value {
    use crate::core::voice::Stage;
    let wording = &known.wording;
    let id = |number| crate::render::statement_id(incident.id, number);
    let mut value = json!({
        "id": id(known.number), "incident": incident.id, "number": known.number,
        "audience": wording.audience.as_str(), "sort": wording.sort.as_str(), "phase": wording.phase.as_str(),
        "impact": wording.impact.as_str(), "title": wording.title, "components": wording.components, "text": wording.text, "printed": known.printed(),
        "next_by": wording.next_by, "mends": wording.mends.map(id), "channels": wording.channels,
        "by": known.by, "at": known.at, "entry": known.entry, "found": known.found, "stage": known.stage.as_str(),
        "overrides": known.overrides.iter()
            .map(|one| json!({"by": one.by, "rules": one.rules, "why": one.why})).collect::<Vec<_>>(),
    });
    match &known.stage {
        Stage::Returned { by, why } => value["returned"] = json!({"by": by, "why": why}),
        Stage::Approved(approval) => {
            let situation = &approval.situation;
            value["approval"] = json!({"by": approval.by, "at": approval.at, "right": approval.right.as_str(),
                "term": situation.term, "state": situation.state, "severity": situation.severity.as_str(),
                "holds": known.approval(incident).is_some()});
        }
        Stage::Published { at, by, right } => {
            value["published"] = json!({"at": at, "by": by, "right": right.as_str()});
            value["reached"] = known
                .reached
                .iter()
                .map(|one| {
                    json!({"channel": one.channel, "at": one.at,
                    "outcome": if one.outcome.is_empty() { "pending" } else { &one.outcome }})
                })
                .collect();
        }
        Stage::Draft | Stage::Dropped => {}
    }
    value
}

/// What is said of an incident beside its statements: what is due, who may speak, and what was asked.
pub fn voice(incident: &Incident, rules: &crate::core::rules::Rules) -> Value {
    use crate::core::audience::Audience;
    use crate::core::command::Office;
    let voice = &incident.voice;
    json!({
        "incident": incident.id, "state": incident.state(), "severity": incident.severity.as_str(),
        "pio": incident.offices.holder(Office::Pio), "asked": incident.offices.asked(Office::Pio),
        "alone": rules.speaks_alone(incident.leads(), incident.severity),
        "delegation": voice.delegation.as_ref().map(|one| json!({"until": one.until, "term": one.term,
            "severity": one.severity.as_str()})),
        "cause": voice.cause, "missed": voice.missed,
        "due": voice.due.iter().map(|due| json!({"audience": due.audience.as_str(), "by": due.by,
            "printed": due.printed, "missed": due.missed})).collect::<Vec<_>>(),
        "questions": voice.questions.iter().map(|one| json!({"number": one.number, "from": one.from, "text": one.text,
            "at": one.at, "answer": one.answer.as_ref().map(|(by, at, text)| json!({"by": by, "at": at, "text": text}))}))
            .collect::<Vec<_>>(),
        "closing_due": Audience::ALL.into_iter().filter(|one| !incident.is_open() && voice.owes_a_closing(*one))
            .map(Audience::as_str).collect::<Vec<_>>(),
    })
}

/// A page of them. `next`: what to ask for after it, while there are more.
pub fn subscribers(found: &[Listed]) -> Value {
    let each: Vec<Value> = found
        .iter()
        .map(|one| {
            json!({"id": one.id, "channel": one.channel, "address": one.address, "state": one.state,
                "asked_at": one.asked_at, "confirmed_at": one.confirmed_at, "bounces": one.bounces})
        })
        .collect();
    let is_full = found.len() >= usize::try_from(LISTED_MAX).unwrap_or(usize::MAX);
    json!({"subscribers": each, "next": found.last().filter(|_| is_full).map(|last| last.id)})
}
