//! The same for programs, in the shape in which Statuspage answers about its pages, at the addresses where its readers look.
//!
//! The shape is that of API v2 of a page there, as each page explains it at `/api` (read at confluence.status.atlassian.com/api, in
//! MongoDB's OpenAPI description of its own page, and in the types of the client `statuspage.io` 3.1.1, November 2026). Ids are
//! opaque texts there too. What has no meaning here is what a page says that does not use it: no groups, no description, no tweet.

use http::HeaderValue;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::feeds::in_scripts;
use super::files::{Written, fingerprint};
use super::html::iso;
use super::{Component, Planned, PublicIncident, PublicStatement, Said, Shown, State, days, lines};
use crate::core::voice::{Phase, Sort};

/// Incidents that are told, the newest, as many as there.
const INCIDENTS_MAX: usize = 50;
/// Digits of an id.
const ID_DIGITS: usize = 12;

/// Writes what programs read.
pub(super) fn write(shown: &Shown) -> Vec<Written> {
    let page = page(shown);
    let status = status(shown.state());
    let components: Vec<Value> = components(shown);
    let all: Vec<Value> =
        shown.newest_first().into_iter().take(INCIDENTS_MAX).map(|one| incident(shown, one)).collect();
    let open: Vec<Value> = shown.open().map(|one| incident(shown, one)).collect();
    let mut planned: Vec<&Planned> = shown.maintenance.iter().collect();
    planned.sort_by(|one, other| (other.from, &other.key).cmp(&(one.from, &one.key)));
    let of = |planned: &[&Planned]| planned.iter().map(|one| maintenance(shown, one)).collect::<Vec<_>>();
    let (coming, going) = shown.planned().into_iter().partition::<Vec<_>, _>(|one| one.from > shown.made_at);
    let live: Vec<&Planned> = going.iter().chain(&coming).copied().collect();
    let summary = json!({
        "page": page, "components": components, "incidents": open, "scheduled_maintenances": of(&live), "status": status,
    });
    let maintenances = |which: &[&Planned]| json!({"page": page, "scheduled_maintenances": of(which)});
    let file = |path: &str, body: &Value| Written {
        path: path.to_owned(),
        content_type: HeaderValue::from_static("application/json; charset=utf-8"),
        policy: None,
        bytes: in_scripts(body).into_bytes(),
    };
    vec![
        file("/status.json", &summary),
        file("/api/v2/summary.json", &summary),
        file("/api/v2/status.json", &json!({"page": page, "status": status})),
        file("/api/v2/components.json", &json!({"page": page, "components": components})),
        file("/api/v2/incidents.json", &json!({"page": page, "incidents": all})),
        file("/api/v2/incidents/unresolved.json", &json!({"page": page, "incidents": open})),
        file("/api/v2/scheduled-maintenances.json", &maintenances(&planned)),
        file("/api/v2/scheduled-maintenances/upcoming.json", &maintenances(&coming)),
        file("/api/v2/scheduled-maintenances/active.json", &maintenances(&going)),
    ]
}

fn id(of: &str, key: &str) -> String {
    fingerprint(&format!("onscene {of} {key}"), ID_DIGITS)
}

fn page_id(shown: &Shown) -> String {
    id("page", shown.url.as_deref().unwrap_or(&shown.title))
}

fn component_id(name: &str) -> String {
    id("component", name)
}

fn page(shown: &Shown) -> Value {
    json!({
        "id": page_id(shown), "name": shown.title, "url": shown.url.as_deref().unwrap_or_default(), "time_zone": "Etc/UTC",
        "updated_at": iso(shown.made_at),
    })
}

fn status(state: State) -> Value {
    let (indicator, description) = match state {
        State::Operational => ("none", "All Systems Operational"),
        State::Maintenance => ("maintenance", "Service Under Maintenance"),
        State::Degraded => ("minor", "Partially Degraded Service"),
        State::PartialOutage => ("major", "Partial System Outage"),
        State::MajorOutage => ("critical", "Major System Outage"),
    };
    json!({"indicator": indicator, "description": description})
}

fn components(shown: &Shown) -> Vec<Value> {
    let lines = lines(shown);
    let listed = shown.components.iter().zip(&lines).enumerate();
    listed
        .map(|(place, (component, line))| {
            let changed = line.since.unwrap_or(component.since).max(component.since);
            described(shown, &component.name, Some(component), line.state, changed, place + 1)
        })
        .collect()
}

fn described(
    shown: &Shown,
    name: &str,
    component: Option<&Component>,
    state: State,
    changed: Timestamp,
    position: usize,
) -> Value {
    let since = component.map_or(changed, |component| component.since);
    json!({
        "id": component_id(name), "name": name, "status": state.word(), "created_at": iso(since), "updated_at": iso(changed),
        "position": position, "description": null, "showcase": true, "start_date": null, "group_id": null,
        "page_id": page_id(shown), "group": false, "only_show_if_degraded": false,
    })
}

/// The components of an incident, as they are now.
fn touched(shown: &Shown, names: &[String], at: Timestamp) -> Vec<Value> {
    let lines = lines(shown);
    let of = |name: &String| {
        let place = shown.components.iter().position(|component| component.name == *name);
        let component = place.and_then(|place| shown.components.get(place));
        let line = place.and_then(|place| lines.get(place));
        let state = line.map_or(State::Operational, |line| line.state);
        described(shown, name, component, state, at, place.map_or(0, |place| place + 1))
    };
    names.iter().map(of).collect()
}

fn incident(shown: &Shown, incident: &PublicIncident) -> Value {
    let key = incident.key.as_str();
    let when = |phase: Phase| {
        // What corrects speaks of what was before, and what was taken back of nothing.
        let tells = |one: &&PublicStatement| {
            one.phase == phase
                && !matches!(one.sort, Sort::Correction | Sort::Retraction)
                && matches!(one.said, Said::Text(_))
        };
        incident.statements.iter().filter(tells).map(|one| one.at).max().map(iso)
    };
    let statements = incident.newest_first();
    let created = statements.last().map_or(incident.began, |first| first.at);
    let resolved = (!incident.is_open()).then(|| when(Phase::Resolved).or(incident.ended.map(iso))).flatten();
    let phase = if incident.is_open() { incident.phase } else { Phase::Resolved };
    let updates = statements.iter().enumerate().map(|(place, one)| {
        // What was affected before it: what the one before it said.
        update(incident, one, statements.get(place + 1).copied())
    });
    json!({
        "id": id("incident", key), "name": incident.title, "status": phase.as_str(), "created_at": iso(created),
        "updated_at": iso(incident.changed_at()), "monitoring_at": when(Phase::Monitoring), "resolved_at": resolved,
        "impact": days::impact(incident).as_str(), "shortlink": link(shown, key), "started_at": iso(incident.began),
        "page_id": page_id(shown), "incident_updates": updates.collect::<Vec<_>>(),
        "components": touched(shown, &incident.components, incident.changed_at()),
        "reminder_intervals": null,
    })
}

fn link(shown: &Shown, key: &str) -> String {
    match &shown.url {
        Some(url) => format!("{url}/incidents/{key}"),
        None => format!("/incidents/{key}"),
    }
}

fn update(incident: &PublicIncident, one: &PublicStatement, before: Option<&PublicStatement>) -> Value {
    let state = |one: &PublicStatement| {
        if one.phase == Phase::Resolved { State::Operational } else { State::of(one.impact) }
    };
    let affected = one.components.iter().map(|name| {
        let before = before.filter(|before| before.components.contains(name)).map_or(State::Operational, state);
        json!({"code": component_id(name), "name": name, "old_status": before.word(), "new_status": state(one).word()})
    });
    let body = match &one.said {
        Said::Text(text) => text.trim().to_owned(),
        Said::Retracted { at } => format!("This statement was taken back at {}.", iso(*at)),
    };
    json!({
        "id": id("statement", &one.key), "status": one.phase.as_str(), "body": body, "incident_id": id("incident", &incident.key),
        "created_at": iso(one.at), "updated_at": iso(one.changed_at()), "display_at": iso(one.at),
        "affected_components": affected.collect::<Vec<_>>(), "deliver_notifications": true, "custom_tweet": null, "tweet_id": null,
    })
}

fn maintenance(shown: &Shown, planned: &Planned) -> Value {
    let status = match shown.made_at {
        now if now < planned.from => "scheduled",
        now if now < planned.to => "in_progress",
        _ => "completed",
    };
    let key = planned.key.as_str();
    let update = json!({
        "id": id("maintenance update", key), "status": "scheduled", "body": planned.text.trim(),
        "incident_id": id("maintenance", key), "created_at": iso(planned.from), "updated_at": iso(planned.from),
        "display_at": iso(planned.from), "affected_components": null, "deliver_notifications": true, "custom_tweet": null,
        "tweet_id": null,
    });
    json!({
        "id": id("maintenance", key), "name": planned.title, "status": status, "created_at": iso(planned.from),
        "updated_at": iso(planned.from), "monitoring_at": null,
        "resolved_at": (status == "completed").then(|| iso(planned.to)), "impact": "maintenance",
        "shortlink": shown.url.as_deref().map_or_else(|| "/".to_owned(), |url| format!("{url}/")),
        "started_at": iso(planned.from), "page_id": page_id(shown), "incident_updates": [update],
        "components": touched(shown, &planned.components, planned.from), "scheduled_for": iso(planned.from),
        "scheduled_until": iso(planned.to),
    })
}
