//! Google Cloud Monitoring: webhook notification channels.
//!
//! Wire facts, with their origin (vendor's page on notification options; captured payloads in public
//! receivers: goalert's forks, keep's `gcpmonitoring_provider`, alerta's `stackdriver.py`, flanksource):
//! - `POST`, JSON: `version` and `incident`. The secret is in the address, or basic auth; no headers of
//!   one's own, no signature.
//! - `state` is `open` or `closed`; old payloads, from when it was Stackdriver, also say `acknowledged`.
//! - `started_at` and `ended_at` are Unix seconds; `ended_at` is null while the incident is open.
//! - `threshold_value` and `observed_value` are texts.
//! - `severity` is recent, and says `No severity` when the policy has none; then `policy_user_labels` may
//!   say it.
//! - `documentation` is an object with `content`, `subject` and `links`, absent when the policy has none.
//! - The connectivity test has `version` `test`, state `OPEN` in capitals, times 0, and a text for
//!   `documentation`.
//! - Through Pub/Sub the same comes wrapped and in base64: that is another channel, and is refused in
//!   words.
//! - Whether and how often a delivery is tried again is documented nowhere.
//!
//! The key is `incident_id`, the same from opening to closing. A condition that is met again is a new
//! incident.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Google Cloud Monitoring.
pub const KIND: Kind = Kind::new(
    "google-cloud",
    "Google Cloud Monitoring",
    "Alerting → Edit notification channels → Webhooks → Add new, Endpoint URL: ADDRESS. Then choose it in each policy, with \
     \"Notify on incident closure\".",
    read,
);

/// The key of a test that names none.
const TEST_KEY: &str = "test";
/// Facts of an incident that become labels, with the fields they come from, best first.
const LABELS: &[(&str, &[&str])] = &[
    ("policy_name", &["policy_name"]),
    ("condition_name", &["condition_name"]),
    ("project", &["scoping_project_id"]),
    ("resource_name", &["resource_display_name", "resource_name", "resource_id"]),
    ("resource_type_name", &["resource_type_display_name"]),
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let envelope = wire::object(&body, "the body")?;
    let Some(incident) = envelope.get("incident").and_then(Value::as_object) else {
        return Err(wire::unreadable(if envelope.contains_key("subscription") {
            "this is a push of Pub/Sub; choose a notification channel of type webhook instead"
        } else {
            "there is no object `incident`; is this really a webhook of Google Cloud Monitoring?"
        }));
    };
    let is_test = wire::word(envelope, &["version"]).is_some_and(|word| word.eq_ignore_ascii_case("test"));
    Ok(vec![wire::bounded(event(incident, is_test, &delivery.options.severity_label)?)?])
}

fn event(incident: &Map<String, Value>, is_test: bool, severity_label: &str) -> Result<Event, Unreadable> {
    let state = wire::text(incident, &["state"]).map(|state| state.to_ascii_lowercase());
    let status = match state.as_deref() {
        _ if is_test => Status::Test,
        Some("open") => Status::Firing,
        Some("closed") => Status::Resolved,
        Some("acknowledged") => Status::Acknowledged,
        Some(_) => return Err(wire::unreadable("`state` is none of open, closed and acknowledged")),
        None => return Err(wire::unreadable("there is no `state` in `incident`")),
    };
    let key = match wire::text(incident, &["incident_id"]) {
        Some(key) => key,
        None if is_test => TEST_KEY.to_owned(),
        None => return Err(wire::unreadable("there is no `incident_id` in `incident`")),
    };
    let nothing = Map::new();
    let part = |name: &str| incident.get(name).and_then(Value::as_object).unwrap_or(&nothing);
    let (policy_labels, documentation) = (part("policy_user_labels"), part("documentation"));
    let (resource, metric, condition) = (part("resource"), part("metric"), part("condition"));

    let title = wire::text(incident, &["summary", "condition_name", "policy_name"])
        .or_else(|| wire::text(documentation, &["subject"]))
        .unwrap_or_else(|| format!("Google Cloud incident {key}"));
    let mut event = Event::new(key, status, title);
    event.severity = [wire::word(incident, &["severity"]), wire::word(policy_labels, &[severity_label])]
        .into_iter()
        .flatten()
        .find_map(|word| AlertSeverity::from_word(&word));
    event.occurred_at = match status {
        Status::Firing => wire::time(incident, &["started_at"]),
        Status::Resolved => wire::time(incident, &["ended_at"]),
        _ => None,
    };

    // What people wrote wins over what machines wrote, and the facts of the incident over both.
    for (whole, name) in [(part("metadata"), "user_labels"), (metric, "labels"), (resource, "labels")] {
        if let Some(more) = whole.get(name).and_then(Value::as_object) {
            event.labels.extend(wire::labels(more.clone()));
        }
    }
    event.labels.extend(wire::labels(policy_labels.clone()));
    for (label, names) in LABELS {
        event.labels.extend(wire::text(incident, names).map(|value| ((*label).to_owned(), value)));
    }
    for (label, whole) in [("resource_type", resource), ("metric_type", metric)] {
        event.labels.extend(wire::text(whole, &["type"]).map(|value| (label.to_owned(), value)));
    }
    if !event.labels.contains_key("condition_name") {
        let name = wire::text(condition, &["displayName"]);
        event.labels.extend(name.map(|name| ("condition_name".to_owned(), name)));
    }

    event.body = body(incident, &event);
    wire::link(&mut event.links, &wire::word(incident, &["url"]).unwrap_or_default());
    for link in documentation.get("links").and_then(Value::as_array).into_iter().flatten() {
        let link = link.as_object().and_then(|link| wire::text(link, &["url"])).unwrap_or_default();
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

fn body(incident: &Map<String, Value>, event: &Event) -> String {
    let mut body = String::new();
    // A text in the test, an object otherwise.
    let written = match incident.get("documentation") {
        Some(Value::Object(fields)) => wire::text(fields, &["content"]),
        Some(value) => wire::scalar(value).map(Cow::into_owned),
        None => None,
    };
    wire::line(&mut body, &written.unwrap_or_default());
    let labels = [
        ("policy", "policy_name"),
        ("condition", "condition_name"),
        ("resource", "resource_name"),
        ("project", "project"),
    ];
    for (name, label) in labels {
        if let Some(value) = event.labels.get(label) {
            wire::line(&mut body, &format!("{name}: {value}"));
        }
    }
    for (name, field) in [("observed", "observed_value"), ("threshold", "threshold_value")] {
        if let Some(value) = wire::word(incident, &[field]) {
            wire::line(&mut body, &format!("{name}: {value}"));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(incident: Value) -> Event {
        post(&KIND, json!({"version": "1.2", "incident": incident}).to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn open_and_closed_have_one_key_and_each_its_own_time() {
        let open = one(
            json!({"incident_id": "0.n4", "state": "open", "started_at": 1_767_323_045, "ended_at": null}),
        );
        let closed = one(json!({"incident_id": "0.n4", "state": "CLOSED",
            "started_at": 1_767_323_045, "ended_at": "1767323345"}));
        assert_eq!((open.status, closed.status), (Status::Firing, Status::Resolved));
        assert_eq!(open.key, closed.key);
        assert_eq!(open.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(closed.occurred_at.unwrap().to_string(), "2026-01-02T03:09:05Z");
    }

    #[test]
    fn no_severity_gives_way_to_the_label_of_the_policy() {
        let labels = json!({"severity": "error"});
        let of = |severity: Value| {
            let incident = json!({"incident_id": "7", "state": "open", "severity": severity,
                "policy_user_labels": labels});
            one(incident).severity
        };
        assert_eq!(of(json!("Critical")), Some(AlertSeverity::Critical));
        assert_eq!(of(json!("No severity")), Some(AlertSeverity::Error));
        assert_eq!(of(Value::Null), Some(AlertSeverity::Error));
    }

    #[test]
    fn the_test_is_one_although_it_says_open() {
        let body = json!({"version": "test", "incident": {"incident_id": "12345", "state": "OPEN",
            "started_at": 0, "ended_at": 0, "documentation": "Test documentation"}});
        let event = post(&KIND, body.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!((event.status, event.occurred_at), (Status::Test, None));
        assert_eq!(event.body, "Test documentation");
    }

    #[test]
    fn a_label_of_the_policy_cannot_pose_as_the_policy() {
        let event = one(json!({"incident_id": "7", "state": "open", "policy_name": "CPU",
            "policy_user_labels": {"policy_name": "other", "team": "web"},
            "resource": {"type": "gce_instance", "labels": {"zone": "europe-north1-a", "team": "machine"}}}));
        assert_eq!(event.labels["policy_name"], "CPU");
        assert_eq!(event.labels["team"], "web");
        assert_eq!(event.labels["zone"], "europe-north1-a");
    }

    #[test]
    fn what_is_no_incident_is_told_what_it_is() {
        assert!(why(json!({"message": {"data": "aHVudGVyMg=="}, "subscription": "s"})).contains("Pub/Sub"));
        assert!(why(json!({"version": "1.2"})).contains("no object `incident`"));
        assert!(why(json!({"incident": {"state": "open"}})).contains("no `incident_id`"));
        let unknown = why(json!({"incident": {"incident_id": "7", "state": "hunter2"}}));
        assert_eq!(unknown, "`state` is none of open, closed and acknowledged");
    }
}
