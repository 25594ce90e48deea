//! PagerDuty's outgoing webhooks: version 3, and the older ones with a list `messages`.
//!
//! For those who move: PagerDuty goes on opening incidents, and onscene mirrors them.
//!
//! Wire facts, with their origin (PagerDuty/developer-docs `docs/webhooks/`; captures in zulip's fixtures):
//! - `POST`, JSON, signed in `X-PagerDuty-Signature`. One `event` each, in order for one subscription: one
//!   that is refused for a moment holds up the next ones. 5xx, 429 and timeouts (5 seconds) are tried again
//!   for two days; another 4xx is dropped, and three of them in a row switch the subscription off for a day.
//! - `X-Webhook-Id` is the same for a retry. Where a proxy lost it, the number of the event will do.
//! - `data` is the incident itself or, for notes, status updates and responders, something that names it.
//! - Changes that are none of the state (escalated, reassigned, a priority) carry the whole incident, with
//!   its status: one that is still triggered is said again, which brings its new urgency and wakes nobody.
//! - "Send test event" sends `pagey.ping`, which has no incident. Services and workflows say nothing to us,
//!   nor does news that names no incident: refusing it would hold up the deliveries behind it.
//! - Version 2 has `messages[]` with `event` (`incident.trigger`, `incident.acknowledge`, ...), `incident`
//!   and an `id` made for telling retries. Version 1 calls them `type` and `data.incident`, and the service's
//!   fields differ.
//! - A merged incident is resolved, with the reason.
//!
//! The key is the incident's id. Its `incident_key` may be empty, and is used again after the end.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, sign, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// PagerDuty's outgoing webhooks.
pub const KIND: Kind = Kind {
    headers: &["x-webhook-id"],
    signs: Some(sign::PAGERDUTY),
    ..Kind::new(
        "pagerduty-webhooks",
        "PagerDuty webhooks (to mirror its incidents)",
        "Integrations → Generic Webhooks (v3) → New Webhook. Webhook URL: ADDRESS, Scope Type: Account, Team or \
         Service, Event Subscription: all that begin with incident. PagerDuty shows the secret of the signature \
         once, after Add Webhook. Then Send Test Event.",
        read,
    )
};

/// The key of the test event, which is about no incident.
const TEST_KEY: &str = "pagey.ping";

/// Labels, and the fields they come from.
const LABELS: &[(&str, &[&str])] = &[
    ("urgency", &["urgency"]),
    ("incident_number", &["number", "incident_number"]),
    ("incident_key", &["incident_key"]),
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    if let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut).map(std::mem::take) {
        return wire::each(messages, "messages", |message| self::message(&message));
    }
    let fields = wire::object(&body, "the body")?;
    let event = fields.get("event").and_then(Value::as_object).ok_or_else(|| {
        wire::unreadable(
            "there is neither an object `event` nor a list `messages`; is this PagerDuty's webhook?",
        )
    })?;
    let kind =
        wire::text(event, &["event_type"]).ok_or_else(|| wire::unreadable("there is no `event_type`"))?;
    let nothing = Map::new();
    let data = event.get("data").and_then(Value::as_object).unwrap_or(&nothing);
    if kind == TEST_KEY {
        let mut test = Event::new(TEST_KEY, Status::Test, "PagerDuty: a test");
        test.body = wire::text(data, &["message"]).unwrap_or_default();
        return Ok(vec![wire::bounded(test)?]);
    }
    let Some(what) = kind.strip_prefix("incident.").filter(|what| is_of_incident(what)) else {
        return Ok(vec![]);
    };
    // A note, a status update or a responder names its incident; of an incident itself `data` is all.
    let named = data.get("incident").and_then(Value::as_object);
    let about = named.unwrap_or(data);
    if wire::word(about, &["id"]).is_none() && status(about, what) == Status::Info {
        return Ok(vec![]);
    }
    let mut read = incident(about, what)?;
    read.occurred_at = wire::time(event, &["occurred_at"]);
    if named.is_some() {
        details(data, &mut read);
    }
    agent(event.get("agent"), &mut read);
    let id = delivery.header("x-webhook-id").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    read.delivery_id = id.or_else(|| wire::text(event, &["id"]));
    Ok(vec![wire::bounded(read)?])
}

/// Whether an event says something of an incident that is worth keeping.
fn is_of_incident(what: &str) -> bool {
    !what.starts_with("workflow.") && !what.starts_with("action_invocation.")
}

/// One message of version 2 or 1.
fn message(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let kind =
        wire::word(fields, &["event", "type"]).ok_or_else(|| wire::unreadable("there is no `event`"))?;
    let what = kind.strip_prefix("incident.").unwrap_or(&kind);
    let about = fields.get("incident").or_else(|| fields.get("data")?.get("incident"));
    let about = about
        .and_then(Value::as_object)
        .ok_or_else(|| wire::unreadable("there is no `incident`, nor a `data.incident`"))?;
    let mut read = incident(about, what)?;
    read.occurred_at = wire::time(fields, &["created_on"])
        .or_else(|| wire::time(about, &["last_status_change_at", "last_status_change_on"]));
    read.delivery_id = wire::text(fields, &["id"]);
    let entries = fields.get("log_entries").and_then(Value::as_array);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object) {
        wire::line(&mut read.body, &wire::word(entry, &["summary"]).unwrap_or_default());
        if let Some(channel) = entry.get("channel").and_then(Value::as_object) {
            let said = wire::word(channel, &["details", "content"]).filter(|said| *said != read.title);
            wire::line(&mut read.body, &said.unwrap_or_default());
        }
    }
    agent(about.get("last_status_change_by"), &mut read);
    Ok(read)
}

/// What happened to an incident, in the words of any version.
fn status(about: &Map<String, Value>, what: &str) -> Status {
    let is_triggered =
        || wire::word(about, &["status"]).is_some_and(|status| status.eq_ignore_ascii_case("triggered"));
    match what {
        "trigger" | "triggered" | "reopen" | "reopened" | "unacknowledge" | "unacknowledged" => {
            Status::Firing
        }
        "acknowledge" | "acknowledged" => Status::Acknowledged,
        "resolve" | "resolved" => Status::Resolved,
        "assign" | "reassigned" | "escalate" | "escalated" | "delegate" | "delegated"
        | "priority_updated"
            if is_triggered() =>
        {
            Status::Firing
        }
        _ => Status::Info,
    }
}

/// An incident, and what happened to it in the words of any version.
fn incident(about: &Map<String, Value>, what: &str) -> Result<Event, Unreadable> {
    let id = wire::text(about, &["id"]).ok_or_else(|| wire::unreadable("the incident has no `id`"))?;
    let name = wire::text(about, &["title", "description", "summary"])
        .or_else(|| {
            let summary = about.get("trigger_summary_data")?.as_object()?;
            wire::text(summary, &["subject", "description"])
        })
        .unwrap_or_else(|| format!("PagerDuty incident {id}"));
    let status = status(about, what);
    let title = match status {
        Status::Resolved => format!("{name}: resolved"),
        Status::Acknowledged => format!("{name}: acknowledged"),
        _ => name,
    };
    let mut event = Event::new(id.clone(), status, title);
    event.severity = severity(about);

    if let Some(reason) = about.get("resolve_reason") {
        let kind = reason.as_object().and_then(|reason| wire::text(reason, &["type"]));
        if let Some(reason) = kind.or_else(|| wire::scalar(reason).map(Cow::into_owned)) {
            wire::line(&mut event.body, &format!("reason: {}", reason.trim_end_matches("_resolve_reason")));
        }
    }
    let service = about.get("service");
    for (label, value) in [
        ("service", reference(service)),
        ("escalation_policy", reference(about.get("escalation_policy"))),
        ("team", references(about.get("teams"))),
        ("assignees", references(about.get("assignees").or_else(|| about.get("assignments")))),
        ("priority", reference(about.get("priority"))),
    ] {
        if let Some(value) = value {
            wire::line(&mut event.body, &format!("{}: {value}", label.replace('_', " ")));
            event.labels.insert(label.to_owned(), value);
        }
    }
    let service_id = service.and_then(Value::as_object).and_then(|service| wire::text(service, &["id"]));
    event.labels.extend(service_id.map(|id| ("service_id".to_owned(), id)));
    for (label, names) in LABELS {
        event.labels.extend(wire::text(about, names).map(|value| ((*label).to_owned(), value)));
    }
    event.labels.insert("incident_id".into(), id);
    event.labels.insert("event".into(), what.to_owned());
    wire::link(&mut event.links, &wire::word(about, &["html_url"]).unwrap_or_default());
    if let Some(bridge) = about.get("conference_bridge").and_then(Value::as_object) {
        wire::link(&mut event.links, &wire::word(bridge, &["conference_url"]).unwrap_or_default());
    }
    Ok(event)
}

/// The priority where it is one that is understood, else the urgency.
fn severity(about: &Map<String, Value>) -> Option<AlertSeverity> {
    let priority = reference(about.get("priority")).and_then(|name| {
        let name: String = name.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
        AlertSeverity::from_word(&name)
    });
    priority.or_else(|| match wire::word(about, &["urgency"])?.to_ascii_lowercase().as_str() {
        "high" => Some(AlertSeverity::Critical),
        "low" => Some(AlertSeverity::Warning),
        _ => None,
    })
}

/// What people call something that is referred to.
fn reference(value: Option<&Value>) -> Option<String> {
    wire::text(value?.as_object()?, &["summary", "name"])
}

/// The same for a list. Older versions wrap who is assigned once more.
fn references(value: Option<&Value>) -> Option<String> {
    let one = |item: &Value| reference(item.get("assignee").or(Some(item)));
    let names: Vec<String> = value?.as_array()?.iter().filter_map(one).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What a note, a status update or a responder says.
fn details(data: &Map<String, Value>, event: &mut Event) {
    let who = reference(data.get("user")).or_else(|| reference(data.get("escalation_policy")));
    for (label, value) in [
        ("responder", who),
        ("answer", wire::text(data, &["state"])),
        ("says", wire::text(data, &["content", "message"])),
    ] {
        if let Some(value) = value {
            wire::line(&mut event.body, &format!("{label}: {value}"));
        }
    }
}

/// Who did it; nobody in the case of an automation.
fn agent(agent: Option<&Value>, event: &mut Event) {
    if let Some(name) = reference(agent) {
        wire::line(&mut event.body, &format!("by: {name}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn three(kind: &str, status: &str) -> Value {
        json!({"event": {"id": "01BX", "event_type": kind, "resource_type": "incident",
            "occurred_at": "2026-01-02T03:04:05.000Z", "agent": null,
            "data": {"id": "Q1", "type": "incident", "status": status, "title": "Lag", "urgency": "high"}}})
    }

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn an_incident_has_one_key_in_every_version_and_state() {
        let fires = one(&three("incident.triggered", "triggered"));
        let two =
            json!({"messages": [{"id": "m-1", "event": "incident.acknowledge", "incident": {"id": "Q1"}}]});
        let old = json!({"messages": [{"id": "m-2", "type": "incident.resolve",
            "data": {"incident": {"id": "Q1"}}}]});
        let (two, old) = (one(&two), one(&old));
        assert_eq!((fires.status, two.status), (Status::Firing, Status::Acknowledged));
        assert_eq!(old.status, Status::Resolved);
        assert_eq!((&two.key, &old.key), (&fires.key, &fires.key));
    }

    #[test]
    fn the_delivery_is_told_by_its_header_and_without_it_by_the_event() {
        let body = three("incident.triggered", "triggered").to_string();
        assert_eq!(post(&KIND, body.as_bytes()).unwrap()[0].delivery_id.as_deref(), Some("01BX"));
        let headers = [("x-webhook-id".to_owned(), "w-1".to_owned())];
        let delivery = Delivery { headers: &headers, ..delivery("POST", "", body.as_bytes()) };
        assert_eq!((KIND.read)(&delivery).unwrap()[0].delivery_id.as_deref(), Some("w-1"));
    }

    #[test]
    fn messages_of_one_delivery_keep_their_own_ids() {
        let message = |id: &str, incident: &str| {
            json!({"id": id, "event": "incident.trigger",
                "incident": {"id": incident}})
        };
        let body = json!({"messages": [message("m-1", "Q1"), message("m-2", "Q2")]}).to_string();
        let headers = [("x-webhook-id".to_owned(), "w-1".to_owned())];
        let events =
            (KIND.read)(&Delivery { headers: &headers, ..delivery("POST", "", body.as_bytes()) }).unwrap();
        assert_eq!(events[0].delivery_id.as_deref(), Some("m-1"));
        assert_eq!(events[1].delivery_id.as_deref(), Some("m-2"));
    }

    #[test]
    fn a_triggered_incident_that_changes_is_said_again_and_an_acknowledged_one_is_news() {
        for kind in ["incident.escalated", "incident.reassigned", "incident.priority_updated"] {
            assert_eq!(one(&three(kind, "triggered")).status, Status::Firing, "{kind}");
            assert_eq!(one(&three(kind, "acknowledged")).status, Status::Info, "{kind}");
        }
        assert_eq!(one(&three("incident.unacknowledged", "triggered")).status, Status::Firing);
    }

    #[test]
    fn a_note_is_news_of_the_incident_it_names() {
        let note = one(&json!({"event": {"event_type": "incident.annotated", "data": {"id": "P2",
            "type": "incident_note", "content": "rebooted it", "incident": {"id": "Q1", "summary": "Lag"}}}}));
        assert_eq!((note.status, note.key.as_str()), (Status::Info, "Q1"));
        assert_eq!(note.body, "says: rebooted it");
    }

    #[test]
    fn news_that_names_no_incident_says_nothing_and_holds_up_nothing() {
        for kind in ["incident.custom_field_values.updated", "incident.service_updated", "incident.annotated"]
        {
            let body = json!({"event": {"event_type": kind, "data": {"summary": "s"}}}).to_string();
            assert_eq!(post(&KIND, body.as_bytes()), Ok(vec![]), "{kind}");
        }
        let lost = json!({"event": {"event_type": "incident.escalated", "data": {"status": "triggered"}}});
        assert!(post(&KIND, lost.to_string().as_bytes()).is_err());
    }

    #[test]
    fn the_test_is_a_test_and_a_service_says_nothing() {
        let ping = json!({"event": {"id": "1", "event_type": "pagey.ping", "data": {"message": "Hello"}}});
        assert_eq!(one(&ping).status, Status::Test);
        for kind in ["service.updated", "incident.workflow.started"] {
            let body = json!({"event": {"event_type": kind, "data": {"id": "P1"}}}).to_string();
            assert_eq!(post(&KIND, body.as_bytes()), Ok(vec![]), "{kind}");
        }
    }

    #[test]
    fn the_priority_goes_before_the_urgency_where_it_is_understood() {
        let with = |priority: &str| {
            let mut body = three("incident.triggered", "triggered");
            body["event"]["data"]["priority"] = json!({"summary": priority});
            one(&body).severity
        };
        assert_eq!(with("P3"), Some(AlertSeverity::Warning));
        assert_eq!(with("SEV-2"), Some(AlertSeverity::Error));
        assert_eq!(with("Purple"), Some(AlertSeverity::Critical));
    }

    #[test]
    fn what_names_no_incident_is_refused_in_words() {
        let why = |body: &str| post(&KIND, body.as_bytes()).unwrap_err().0;
        assert_eq!(why(r#"{"event": {"event_type": "incident.triggered"}}"#), "the incident has no `id`");
        assert_eq!(
            why(r#"{"messages": [{"event": "incident.trigger"}]}"#),
            "messages[0]: there is no `incident`, nor a `data.incident`"
        );
        assert!(why(r#"{"event": {}}"#).contains("no `event_type`"));
    }
}
