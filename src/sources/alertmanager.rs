//! Prometheus Alertmanager's webhook receiver, and senders that speak like it.
//!
//! Wire facts, with their origin (prometheus/alertmanager `notify/webhook`, `template/template.go`,
//! `docs/configuration.md`; alerta's samples for version 3):
//! - `POST`, JSON. One body carries a whole group, firing and resolved alerts mixed: only the status of each
//!   alert counts, never the envelope's.
//! - A firing alert has `endsAt` = `0001-01-01T00:00:00Z`; a resolved one its true end.
//! - `fingerprint` is a hash of the labels, the same whenever the same labels fire. Version `"3"` and early
//!   `"4"` have none, and version 3 a numeric `groupKey`; then the labels are hashed here.
//! - `max_alerts` cuts the list and says how many are missing in `truncatedAlerts`. Those may be resolutions.
//! - Label values are texts; there is no acknowledged state, no delivery id and no test button.
//! - 5xx is tried again within the group interval; 4xx ends the flush. A failed group comes again whole.
//!
//! The version is not looked at: what can be read is read. The time of a change is `startsAt` for a firing
//! and `endsAt` for a resolved alert, so that a pair that comes in the wrong order is still understood.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// Alertmanager.
pub const KIND: Kind = Kind::new(
    "alertmanager",
    "Prometheus Alertmanager",
    "In alertmanager.yml, under a receiver: `webhook_configs: [{url: \"ADDRESS\", send_resolved: true, max_alerts: 0}]`",
    read,
);

/// The label that says how many alerts a cut notification left out.
const TRUNCATED_LABEL: &str = "truncated_alerts";
/// Annotations that make the title, best first.
const TITLE_ANNOTATIONS: &[&str] = &["summary", "title"];
/// Annotations that are the body as they are; others follow with their names.
const BODY_ANNOTATIONS: &[&str] = &["description", "message"];

/// What the envelope says about all its alerts.
struct Group<'a> {
    key: Option<String>,
    external: Option<String>,
    truncated: u64,
    severity_label: &'a str,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let listed = body.get_mut("alerts").and_then(Value::as_array_mut).map(std::mem::take);
    if body.is_array() {
        return Err(wire::unreadable(
            "the body is a list, as Prometheus sends it to Alertmanager; \
             a source of kind `prometheus` takes that, and this one what Alertmanager sends to a webhook receiver",
        ));
    }
    let envelope = wire::object(&body, "the body")?;
    let alerts = listed.ok_or_else(|| {
        wire::unreadable(
            "there is no list `alerts`; \
             a webhook with a custom `payload` belongs to a source of kind `generic`",
        )
    })?;
    let group = Group {
        key: wire::group_key(envelope),
        external: wire::text(envelope, &["externalURL"]),
        truncated: truncated(envelope)?,
        severity_label: &delivery.options.severity_label,
    };
    if alerts.is_empty() && group.truncated > 0 {
        return Err(wire::unreadable(format!(
            "all {} alerts of this notification were left out (`truncatedAlerts`); raise `max_alerts`",
            group.truncated
        )));
    }
    wire::each(alerts, "alerts", |alert| event(alert, &group))
}

/// How many alerts were left out. A number that cannot be read must not pass for none.
fn truncated(envelope: &Map<String, Value>) -> Result<u64, Unreadable> {
    match envelope.get("truncatedAlerts") {
        None | Some(Value::Null) => Ok(0),
        Some(value) => wire::scalar(value)
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| wire::unreadable("`truncatedAlerts` is not a count")),
    }
}

fn event(mut alert: Map<String, Value>, group: &Group<'_>) -> Result<Event, Unreadable> {
    let mut part = |name: &str| match alert.remove(name) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (labels, annotations) = (part("labels"), part("annotations"));
    let (alert, annotations) = (&alert, &annotations);

    let status = match wire::word(alert, &["status"]).map(|status| status.to_ascii_lowercase()).as_deref() {
        Some("firing") => Status::Firing,
        Some("resolved") => Status::Resolved,
        Some(_) => return Err(wire::unreadable("`status` is neither firing nor resolved")),
        None => return Err(wire::unreadable("there is no `status`")),
    };

    let mut event = Event::new(key(alert, &labels)?, status, title(&labels, annotations));
    event.severity =
        wire::word(&labels, &[group.severity_label]).and_then(|word| AlertSeverity::from_word(&word));
    event.occurred_at = wire::time(alert, &[if status == Status::Resolved { "endsAt" } else { "startsAt" }]);
    event.keeps_start = status == Status::Firing;
    event.labels = wire::labels(labels);
    event.group.clone_from(&group.key);
    event.links = links(alert, annotations, group.external.as_deref());
    event.body = body(annotations);
    if group.truncated > 0 {
        // First, because the end of a long body is cut; and as a label, so that a route can match it.
        let note = format!(
            "Alertmanager left {} more alerts out of this notification (max_alerts); \
             some of them may be firing or resolved without being seen here.",
            group.truncated
        );
        event.body = format!("{note}\n{}", event.body).trim_end().to_owned();
        event.labels.insert(TRUNCATED_LABEL.into(), group.truncated.to_string());
    }
    Ok(event)
}

/// The fingerprint, or a hash of the labels when there is none that can be kept.
fn key(alert: &Map<String, Value>, labels: &Map<String, Value>) -> Result<String, Unreadable> {
    if let Some(fingerprint) = wire::text(alert, &["fingerprint"]).filter(|key| key.len() <= KEY_BYTES_MAX) {
        return Ok(fingerprint);
    }
    of_labels(labels)
        .ok_or_else(|| wire::unreadable("there is neither a `fingerprint` nor any label to tell it by"))
}

/// A hash of the labels; `None` when there are none.
pub(super) fn of_labels(labels: &Map<String, Value>) -> Option<String> {
    // Exactly as sent: two alerts may differ in a blank. An empty label is none, as in Prometheus. Lengths are
    // hashed too, so that no two different sets of labels read the same. The map is sorted.
    let mut bytes = Vec::new();
    for (name, value) in labels {
        let Some(value) = value.as_str().map(Cow::Borrowed).or_else(|| wire::flat(value)) else { continue };
        if !value.is_empty() {
            for text in [name.as_str(), &value] {
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
    (!bytes.is_empty()).then(|| format!("labels:{}", hex(&sha256(&bytes)[..16])))
}

pub(super) fn title(labels: &Map<String, Value>, annotations: &Map<String, Value>) -> String {
    if let Some(title) = wire::text(annotations, TITLE_ANNOTATIONS) {
        return title;
    }
    match (wire::word(labels, &["alertname"]), wire::word(labels, &["instance"])) {
        (Some(name), Some(instance)) => format!("{name} on {instance}"),
        (Some(name), None) => name.into_owned(),
        (None, _) => {
            let said = wire::text(annotations, BODY_ANNOTATIONS).unwrap_or_default();
            let first = said.lines().next().unwrap_or_default();
            if first.is_empty() { "An alert without a name".to_owned() } else { first.to_owned() }
        }
    }
}

pub(super) fn body(annotations: &Map<String, Value>) -> String {
    let mut body = String::new();
    for name in BODY_ANNOTATIONS {
        wire::line(&mut body, &wire::word(annotations, &[name]).unwrap_or_default());
    }
    let title = wire::word(annotations, TITLE_ANNOTATIONS);
    for (name, value) in wire::pairs(annotations) {
        let known = BODY_ANNOTATIONS.contains(&name) || title.as_ref() == Some(&value);
        if !known && !wire::is_link(&value) {
            wire::line(&mut body, &format!("{name}: {value}"));
        }
    }
    body
}

/// Annotations that are addresses first: a runbook is worth more at night than a graph.
pub(super) fn links(
    alert: &Map<String, Value>,
    annotations: &Map<String, Value>,
    external: Option<&str>,
) -> Vec<String> {
    let mut links = Vec::new();
    for (_, link) in wire::pairs(annotations) {
        wire::link(&mut links, &link);
    }
    wire::link(&mut links, &wire::word(alert, &["generatorURL"]).unwrap_or_default());
    wire::link(&mut links, external.unwrap_or_default());
    links
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::core::alert::EVENTS_MAX;
    use crate::sources::Options;
    use crate::sources::tests::{post, post_with};

    fn read(body: Value) -> Result<Vec<Event>, Unreadable> {
        post(&KIND, body.to_string().as_bytes())
    }

    fn alert(status: &str) -> Value {
        json!({"status": status, "labels": {"alertname": "Lag", "instance": "db-3", "severity": "critical"},
            "startsAt": "2026-01-02T03:04:05Z",
            "endsAt": if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-01-02T03:09:00Z" }})
    }

    #[test]
    fn firing_and_resolved_in_one_body_keep_their_own_status_and_time() {
        let events =
            read(json!({"status": "firing", "alerts": [alert("firing"), alert("resolved")]})).unwrap();
        assert_eq!((events[0].status, events[1].status), (Status::Firing, Status::Resolved));
        assert_eq!(events[0].occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(events[1].occurred_at.unwrap().to_string(), "2026-01-02T03:09:00Z");
        assert_eq!(events[0].key, events[1].key);
    }

    #[test]
    fn an_end_in_the_year_one_is_not_believed_even_of_a_resolved_alert() {
        let mut resolved = alert("resolved");
        resolved["endsAt"] = json!("0001-01-01T00:00:00Z");
        assert_eq!(read(json!({"alerts": [resolved]})).unwrap()[0].occurred_at, None);
    }

    #[test]
    fn left_out_alerts_are_told_in_every_event_before_the_body() {
        let events =
            read(json!({"truncatedAlerts": "3", "alerts": [alert("firing"), alert("resolved")]})).unwrap();
        for event in events {
            assert!(event.body.starts_with("Alertmanager left 3 more alerts out"), "{}", event.body);
            assert_eq!(event.labels[TRUNCATED_LABEL], "3");
        }
        assert!(read(json!({"truncatedAlerts": 3, "alerts": []})).unwrap_err().0.contains("all 3 alerts"));
        assert!(read(json!({"truncatedAlerts": -1, "alerts": [alert("firing")]})).is_err());
    }

    #[test]
    fn the_key_does_not_depend_on_the_truncation_or_the_order_of_labels() {
        let plain = read(json!({"alerts": [alert("firing")]})).unwrap();
        let cut = read(json!({"truncatedAlerts": 1, "alerts": [alert("firing")]})).unwrap();
        let turned = r#"{"alerts": [{"status": "firing",
            "labels": {"severity": "critical", "instance": "db-3", "alertname": "Lag"}}]}"#;
        assert_eq!(plain[0].key, cut[0].key);
        assert_eq!(plain[0].key, post(&KIND, turned.as_bytes()).unwrap()[0].key);
    }

    #[test]
    fn labels_that_run_together_the_same_have_different_keys() {
        let key = |labels: Value| {
            read(json!({"alerts": [{"status": "firing", "labels": labels}]})).unwrap()[0].key.clone()
        };
        assert_ne!(key(json!({"ab": "c"})), key(json!({"a": "bc"})));
        assert_ne!(key(json!({"a": "b", "c": "d"})), key(json!({"a": "bcd"})));
        assert_ne!(key(json!({"a": "b"})), key(json!({"a": "b "})));
        assert_eq!(key(json!({"a": "b"})), key(json!({"a": "b", "c": ""})));
    }

    #[test]
    fn the_hash_of_labels_never_changes() {
        // Stored keys outlive a release: a change here would orphan every open alert of an old sender.
        let key = &read(json!({"alerts": [alert("firing")]})).unwrap()[0].key;
        assert_eq!(key, "labels:0fc4f428e7e722eb028378ef59e7201c");
    }

    #[test]
    fn the_severity_is_read_from_the_label_the_operator_names() {
        let options = Options { severity_label: "priority".into(), ..Options::default() };
        let body = json!({"alerts": [{"status": "firing",
            "labels": {"alertname": "A", "priority": "P3", "severity": "critical"}}]});
        let events = post_with(&KIND, body.to_string().as_bytes(), &options).unwrap();
        assert_eq!(events[0].severity, Some(AlertSeverity::Warning));
    }

    #[test]
    fn a_fingerprint_too_long_to_keep_gives_way_to_the_hash() {
        let mut long = alert("firing");
        long["fingerprint"] = json!("f".repeat(1 << 20));
        assert!(read(json!({"alerts": [long]})).unwrap()[0].key.starts_with("labels:"));
    }

    #[test]
    fn the_broken_alert_is_named_by_its_place() {
        let why = read(json!({"alerts": [alert("firing"), alert("hunter2")]})).unwrap_err().0;
        assert_eq!(why, "alerts[1]: `status` is neither firing nor resolved");
        assert_eq!(read(json!({"alerts": [7]})).unwrap_err().0, "alerts[0] is a number, not an object");
    }

    #[test]
    fn one_broken_alert_does_not_hold_back_the_others_of_its_group() {
        let mut alerts: Vec<Value> = (0..20)
            .map(|n| {
                let mut alert = alert("firing");
                alert["labels"]["instance"] = json!(format!("db-{n}"));
                alert
            })
            .collect();
        alerts[7]["status"] = json!("hunter2");
        let Unreadable(why, rest) = read(json!({"alerts": alerts})).unwrap_err();
        assert_eq!((why.as_str(), rest.len()), ("alerts[7]: `status` is neither firing nor resolved", 19));
        assert!(rest.iter().all(|event| event.labels["instance"] != "db-7"));
    }

    #[test]
    fn more_alerts_than_one_body_may_carry_are_refused() {
        let body = json!({"alerts": vec![alert("firing"); EVENTS_MAX + 1]});
        assert!(read(body).unwrap_err().0.contains("at most 10000"));
    }

    proptest! {
        #[test]
        fn the_same_labels_have_the_same_key_firing_and_resolved(
            labels in proptest::collection::btree_map("[a-z_]{1,6}", ".{1,6}", 1..6),
            fingerprint in proptest::option::of("[0-9a-f]{16}"),
        ) {
            let of = |status: &str, ends: &str| {
                let mut alert = json!({"status": status, "labels": labels, "endsAt": ends});
                if let Some(fingerprint) = &fingerprint {
                    alert["fingerprint"] = json!(fingerprint);
                }
                read(json!({"alerts": [alert]})).map(|events| events[0].key.clone())
            };
            prop_assert_eq!(of("firing", "0001-01-01T00:00:00Z"), of("resolved", "2026-01-02T03:04:05Z"));
        }
    }
}
