//! Better Stack (once Better Uptime): uptime checks and heartbeats.
//!
//! Wire facts, with their origin (betterstack.com/docs/uptime/webhooks; docs.betteruptime.com, integrations,
//! webhooks; the notes on its API that api-evangelist keeps):
//! - `POST`, JSON in the shape of JSON:API. No signature is published. The template can be edited; one that
//!   no longer has `data` belongs to the generic kind.
//! - `event` is `started`, `acknowledged` or `resolved`; newer documentation adds reopened incidents and
//!   comments. Without it the latest of `resolved_at`, `acknowledged_at` and `started_at` in
//!   `data.attributes` tells what happened.
//! - `data.id` is the incident's, so every outage has a key of its own, and all that is said about it has the
//!   same. The monitor stands in `data.relationships`, and becomes a label.
//! - **Other webhooks may come to the same address**: a monitor was made, changed, paused or deleted
//!   (`data.type` is `monitor`), somebody else is on call. They say nothing about an incident, and are taken
//!   without an event. Every other type is refused: it may be an incident under a new name.
//! - `response_content` is what the server answered, and may hold secrets; it is not taken.
//! - `started_at` of a reopened incident is its first start, so that one has the time of its receipt.
//! - Whether a failed delivery is tried again is documented nowhere.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Better Stack.
pub const KIND: Kind = Kind::new(
    "better-stack",
    "Better Stack",
    "Uptime → Integrations → Exporting data → Outgoing webhooks → Configure, type: Incident, \
     Webhook URL: ADDRESS. Leave the template as it is.",
    read,
);

/// What happened to an incident.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Started,
    Reopened,
    Acknowledged,
    Resolved,
    /// Something was said about it.
    Noted,
    Tested,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let envelope = wire::object(&body, "the body")?;
    let data = match envelope.get("data") {
        Some(Value::Object(data)) => data,
        // Who is on call is a list of people.
        Some(Value::Array(items)) if !items.is_empty() && items.iter().all(is_other) => {
            return Ok(Vec::new());
        }
        Some(other) if !other.is_null() => {
            return Err(wire::unreadable(format!("`data` is {}, not an object", wire::shape(other))));
        }
        _ => {
            return Err(wire::unreadable(
                "there is no `data`; \
                 a webhook with a template of its own belongs to a source of kind `generic`",
            ));
        }
    };
    match about(data) {
        About::Incident => Ok(vec![wire::bounded(event(envelope, data)?)?]),
        About::Other => Ok(Vec::new()),
        About::Unknown => Err(wire::unreadable(
            "`data.type` is none of incident, monitor, heartbeat, user and those of who is on call",
        )),
    }
}

/// What a webhook is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Incident,
    /// Something that is no incident, as far as is known.
    Other,
    Unknown,
}

fn about(data: &Map<String, Value>) -> About {
    let Some(kind) = wire::word(data, &["type"]) else { return About::Incident };
    match kind.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "incident" => About::Incident,
        "monitor" | "heartbeat" | "monitor_group" | "heartbeat_group" | "user" | "team_member"
        | "on_call" | "on_call_calendar" | "on_call_contact" | "on_call_event" | "on_call_change"
        | "on_call_user" => About::Other,
        _ => About::Unknown,
    }
}

fn is_other(item: &Value) -> bool {
    item.as_object().is_some_and(|item| about(item) == About::Other)
}

fn event(envelope: &Map<String, Value>, data: &Map<String, Value>) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let attributes = data.get("attributes").and_then(Value::as_object).unwrap_or(&nothing);
    let id = wire::text(data, &["id"])
        .ok_or_else(|| wire::unreadable("there is no `id` of the incident in `data`"))?;
    let change = change(envelope, data, attributes)?;
    let status = match change {
        Change::Started | Change::Reopened => Status::Firing,
        Change::Acknowledged => Status::Acknowledged,
        Change::Resolved => Status::Resolved,
        Change::Noted => Status::Info,
        Change::Tested => Status::Test,
    };
    let url = wire::text(attributes, &["url"]).map(|url| bare(&url));
    let monitor = wire::text(attributes, &["name"]);
    let name =
        monitor.clone().or_else(|| url.clone()).unwrap_or_else(|| format!("Better Stack incident {id}"));
    let cause = wire::text(attributes, &["cause"]);

    let mut event = Event::new(id.clone(), status, title(change, &name, cause.as_deref()));
    event.body = body(attributes);
    event.severity = wire::word(attributes, &["severity"]).and_then(|word| AlertSeverity::from_word(&word));
    event.occurred_at = match change {
        Change::Started => wire::time(attributes, &["started_at"]),
        Change::Acknowledged => wire::time(attributes, &["acknowledged_at"]),
        Change::Resolved => wire::time(attributes, &["resolved_at"]),
        Change::Reopened => wire::time(attributes, &["reopened_at"]),
        Change::Noted | Change::Tested => None,
    };
    for (label, value) in [
        ("monitor_id", related(data, "monitor")),
        ("heartbeat_id", related(data, "heartbeat")),
        ("monitor_name", monitor),
        ("url", url.clone()),
        ("http_method", wire::text(attributes, &["http_method"])),
        ("team_name", wire::text(attributes, &["team_name"])),
        ("incident_id", Some(id)),
    ] {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    for field in ["origin_url", "incident_url"] {
        wire::link(&mut event.links, &wire::word(attributes, &[field]).unwrap_or_default());
    }
    wire::link(&mut event.links, url.as_deref().unwrap_or_default());
    wire::link(&mut event.links, &wire::word(attributes, &["screenshot_url"]).unwrap_or_default());
    Ok(event)
}

fn change(
    envelope: &Map<String, Value>,
    data: &Map<String, Value>,
    attributes: &Map<String, Value>,
) -> Result<Change, Unreadable> {
    let said = [envelope, data, attributes].into_iter().find_map(|fields| wire::text(fields, &["event"]));
    if let Some(said) = said.map(|said| said.to_ascii_lowercase()) {
        // How newer events are spelled is not documented in full: what they are about may stand before them.
        let word = said.trim_start_matches("incident").trim_start_matches(['.', '_', ' ']);
        return match word {
            "started" | "created" | "new" => Ok(Change::Started),
            "reopened" => Ok(Change::Reopened),
            "acknowledged" => Ok(Change::Acknowledged),
            "resolved" => Ok(Change::Resolved),
            "test" => Ok(Change::Tested),
            "updated" | "unacknowledged" | "escalated" => Ok(Change::Noted),
            _ if word.contains("comment") => Ok(Change::Noted),
            _ => Err(wire::unreadable(
                "`event` is none of started, acknowledged, resolved, reopened and a comment",
            )),
        };
    }
    let has = |field: &str| wire::word(attributes, &[field]).is_some();
    if has("resolved_at") {
        Ok(Change::Resolved)
    } else if has("acknowledged_at") {
        Ok(Change::Acknowledged)
    } else if has("started_at") {
        Ok(Change::Started)
    } else {
        Err(wire::unreadable("there is neither an `event` nor a time that would tell what happened"))
    }
}

fn title(change: Change, name: &str, cause: Option<&str>) -> String {
    let (what, cause) = match change {
        Change::Started => ("is down", cause),
        Change::Reopened => ("is down again", cause),
        Change::Acknowledged => ("was acknowledged at Better Stack", None),
        Change::Resolved => ("has recovered", None),
        Change::Noted => ("has news at Better Stack", None),
        Change::Tested => return format!("{name}: a test"),
    };
    cause.map_or_else(|| format!("{name} {what}"), |cause| format!("{name} {what}: {cause}"))
}

fn body(attributes: &Map<String, Value>) -> String {
    let mut body = String::new();
    for (what, field) in [
        ("cause", "cause"),
        ("regions", "regions"),
        ("acknowledged by", "acknowledged_by"),
        ("resolved by", "resolved_by"),
    ] {
        if let Some(value) = attributes.get(field).filter(|value| !value.is_object()).and_then(wire::flat) {
            wire::line(&mut body, &format!("{what}: {value}"));
        }
    }
    body
}

/// The id of what an incident is about.
fn related(data: &Map<String, Value>, what: &str) -> Option<String> {
    let related = data.get("relationships")?.get(what)?.get("data")?.as_object()?;
    wire::text(related, &["id"])
}

/// An address without user name and password.
fn bare(url: &str) -> String {
    let mut links = Vec::new();
    wire::link(&mut links, url);
    links.pop().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn incident(event: Value, attributes: Value) -> Value {
        json!({"event": event, "data": {"id": "88120", "type": "incident", "attributes": attributes}})
    }

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    fn times() -> Value {
        json!({"name": "api", "cause": "Timeout", "started_at": "2026-01-02T03:04:05.000Z",
            "acknowledged_at": "2026-01-02T03:05:05.000Z", "resolved_at": "2026-01-02T03:09:05.000Z"})
    }

    #[test]
    fn started_acknowledged_and_resolved_have_one_key_and_each_its_own_time() {
        for (event, status, minute) in [
            ("started", Status::Firing, "03:04"),
            ("acknowledged", Status::Acknowledged, "03:05"),
            ("Resolved", Status::Resolved, "03:09"),
        ] {
            let event = one(&incident(json!(event), times()));
            assert_eq!((event.key.as_str(), event.status), ("88120", status));
            assert_eq!(event.occurred_at.unwrap().to_string(), format!("2026-01-02T{minute}:05Z"));
        }
    }

    #[test]
    fn without_an_event_the_latest_time_that_is_there_tells_what_happened() {
        let mut attributes = times();
        let of = |attributes: &Value| one(&incident(Value::Null, attributes.clone())).status;
        assert_eq!(of(&attributes), Status::Resolved);
        attributes["resolved_at"] = Value::Null;
        assert_eq!(of(&attributes), Status::Acknowledged);
        attributes["acknowledged_at"] = Value::Null;
        assert_eq!(of(&attributes), Status::Firing);
        attributes["started_at"] = Value::Null;
        assert!(why(&incident(Value::Null, attributes)).starts_with("there is neither an `event`"));
    }

    #[test]
    fn a_reopened_incident_fires_with_the_time_of_its_receipt() {
        let event = one(&incident(json!("incident.reopened"), times()));
        assert_eq!((event.status, event.occurred_at), (Status::Firing, None));
    }

    #[test]
    fn what_is_about_a_monitor_or_about_people_says_nothing() {
        for body in [
            json!({"event": "paused", "data": {"id": "771", "type": "monitor", "attributes": {}}}),
            json!({"data": {"id": "5", "type": "on_call_calendar", "attributes": {}}}),
            json!({"data": {"id": "5", "type": "On-call contact", "attributes": {}}}),
            json!({"data": [{"id": "5", "type": "user"}]}),
        ] {
            assert_eq!(post(&KIND, body.to_string().as_bytes()), Ok(vec![]), "{body}");
        }
        assert!(why(&json!({"data": [{"id": "5", "type": "incident"}]})).starts_with("`data` is a list"));
    }

    #[test]
    fn a_type_nobody_knows_is_refused_and_not_passed_over() {
        let body = json!({"event": "started", "data": {"id": "5", "type": "hunter2", "attributes": times()}});
        assert!(why(&body).starts_with("`data.type` is none of") && !why(&body).contains("hunter2"));
        let near = json!({"event": "started", "data": {"id": "5", "type": "incident_group"}});
        assert!(why(&near).starts_with("`data.type` is none of"));
        assert!(why(&json!({"data": [{"id": "5", "type": "hunter2"}]})).starts_with("`data` is a list"));
    }

    #[test]
    fn an_event_nobody_knows_is_refused_without_quoting_it_and_a_comment_is_news() {
        assert!(why(&incident(json!("hunter2"), times())).starts_with("`event` is none of started"));
        assert_eq!(one(&incident(json!("comment_created"), times())).status, Status::Info);
        assert!(why(&json!({"event": "started", "data": {"type": "incident"}})).contains("no `id`"));
    }

    #[test]
    fn what_the_server_answered_is_not_kept() {
        let mut attributes = times();
        attributes["response_content"] = json!("hunter2");
        attributes["url"] = json!("https://operator:hunter2@api.example.net/");
        let event = one(&incident(json!("started"), attributes));
        assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");
        assert_eq!(event.links, ["https://api.example.net/"]);
    }
}
