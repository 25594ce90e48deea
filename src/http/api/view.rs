//! Incidents, entries and alerts as the API shows them.

use serde_json::{Value, json};

use crate::core::incident::Incident;
use crate::core::rules::Rules;
use crate::store::alerts::Shown;
use crate::store::timeline::Kept;
use crate::{crypto, render};

/// One incident.
pub fn incident(incident: &Incident, alerts: &[Shown], events: i64, rules: &Rules) -> Value {
    let resolution = incident.resolution();
    let service = rules.services.get(&incident.service);
    json!({
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
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
        "offices": incident.pio.iter()
            .map(|(person, since)| json!({"office": "pio", "person": person, "since": since}))
            .collect::<Vec<_>>(),
        "responders": incident.responders.iter()
            .map(|one| json!({"person": one.person, "status": one.status.as_str(), "since": one.since}))
            .collect::<Vec<_>>(),
        "alerts": alerts.iter().map(alert).collect::<Vec<_>>(),
        "next_update_by": incident.next_update_by,
        "bridge": service.and_then(|service| service.bridge.as_deref()),
    })
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

/// One line about one incident, for people and for `text/plain`.
pub fn line(incident: &Incident, rules: &Rules) -> String {
    let command = match incident.commander() {
        Some(command) => format!(
            "{} has command since {} (term {})",
            render::full_name(rules, &command.person),
            render::hour(command.since, &jiff::tz::TimeZone::UTC),
            command.term
        ),
        None => "nobody has command".into(),
    };
    format!(
        "INC-{} {} {} {}: {}; {command}",
        incident.id,
        incident.severity.as_str(),
        incident.state(),
        incident.service,
        incident.title
    )
}

fn alert(alert: &Shown) -> Value {
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
