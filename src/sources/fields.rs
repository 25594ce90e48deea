//! The fields of an event in the words that people and scripts use for them: what the kind `generic` reads, and what
//! expressions and CloudEvents leave to it.

use serde_json::{Map, Value};

use super::{Delivery, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Where the key stands.
pub(super) const KEY: &[&str] =
    &["key", "dedup", "dedup_key", "alert_uid", "alert_key", "incident_key", "alias", "fingerprint"];
const STATUS: &[&str] = &["status", "state", "action", "event_action"];
const SEVERITY: &[&str] = &["severity", "priority", "level", "urgency", "importance"];
const TITLE: &[&str] = &["title", "summary", "subject", "name", "message"];
const BODY: &[&str] = &["body", "details", "description", "message", "text"];
pub(super) const LABELS: &[&str] = &["labels", "meta", "tags"];
pub(super) const LINKS: &[&str] =
    &["links", "link", "url", "link_to_upstream_details", "runbook_url", "image_url"];
const OCCURRED_AT: &[&str] = &["occurred_at", "timestamp", "time"];
const DELIVERY_ID: &[&str] = &["delivery_id", "event_id", "idempotency_key"];
const GROUP: &[&str] = &["group", "group_key"];

/// Every field of an event, and the names it is read under, the first of which is its own.
pub(super) const FIELDS: &[(&str, &[&str])] = &[
    ("key", KEY),
    ("status", STATUS),
    ("severity", SEVERITY),
    ("title", TITLE),
    ("body", BODY),
    ("labels", LABELS),
    ("links", LINKS),
    ("occurred_at", OCCURRED_AT),
    ("delivery_id", DELIVERY_ID),
    ("group", GROUP),
];

/// The key of a test that names none.
const TEST_KEY: &str = "test";

/// Whether a body that is no JSON is a form.
pub(super) fn is_form(delivery: &Delivery<'_>, body: &str) -> Result<bool, Unreadable> {
    let said = delivery.content_type.unwrap_or_default().to_ascii_lowercase();
    if said.starts_with("multipart/") {
        return Err(wire::unreadable(
            "the body is multipart; send JSON or application/x-www-form-urlencoded",
        ));
    }
    let declared = said.starts_with("application/x-www-form-urlencoded");
    Ok(body.contains('=') && (declared || !body.contains(char::is_whitespace)))
}

/// Reads the fields of one event.
pub(super) fn event(mut fields: Map<String, Value>) -> Result<Event, Unreadable> {
    let labelled = LABELS.iter().filter_map(|name| fields.remove(*name).map(|value| (*name, value)));
    let labelled: Vec<(&str, Value)> = labelled.collect();
    let fields = &fields;
    let status = match wire::text(fields, STATUS) {
        Some(word) => wire::status(&word).ok_or_else(|| {
            wire::unreadable(
                "`status` is none of firing, resolved, acknowledged, info and test, nor a word for one",
            )
        })?,
        // A status that is a list or an object says something that is not understood.
        None if STATUS
            .iter()
            .any(|name| fields.get(*name).is_some_and(|value| value.is_array() || value.is_object())) =>
        {
            return Err(wire::unreadable("`status` is not a word"));
        }
        None => Status::Firing,
    };
    let key = match wire::text(fields, KEY) {
        Some(key) => key,
        None if status == Status::Test => TEST_KEY.to_owned(),
        None => {
            return Err(wire::unreadable(
                "there is no `key` (or `dedup`, `alert_uid`); \
                 it must be the same when the alert fires and when it is over",
            ));
        }
    };
    let title = wire::text(fields, TITLE).unwrap_or_default();
    let mut event = Event::new(key, status, title);
    event.body = body(fields, &event.title);
    for (name, value) in labelled {
        gather(value, name, &mut event);
    }
    if let Some(word) = wire::text(fields, SEVERITY) {
        event.severity = AlertSeverity::from_word(&word);
        if event.severity.is_none() {
            // Not ours to guess, but not to lose either: a route can still match it.
            event.labels.entry("severity".into()).or_insert(word);
        }
    }
    for value in LINKS.iter().filter_map(|name| fields.get(*name)) {
        links(value, &mut event);
    }
    event.occurred_at = wire::time(fields, OCCURRED_AT);
    event.delivery_id = wire::text(fields, &["delivery_id", "idempotency_key"]).or_else(|| {
        // In more than one tool that is the id of the problem, and its recovery has the same.
        wire::text(fields, &["event_id"]).map(|id| format!("{id} {}", status.as_str()))
    });
    event.group = wire::text(fields, GROUP);
    Ok(event)
}

/// The first text that is not already the title.
fn body(fields: &Map<String, Value>, title: &str) -> String {
    let said = |name: &&str| fields.get(*name).and_then(wire::flat);
    BODY.iter().filter_map(said).find(|text| text != title).unwrap_or_default().into_owned()
}

/// Labels from an object, or from a text or list of `name=value` and plain words, which are joined.
fn gather(value: Value, name: &str, event: &mut Event) {
    let items = match value {
        Value::Object(fields) => {
            event.labels.extend(wire::labels(fields));
            return;
        }
        Value::Array(items) => items,
        value => vec![value],
    };
    let mut words = Vec::new();
    for item in items.iter().filter_map(wire::flat) {
        match item.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() && !item.starts_with(['{', '[']) => {
                event.labels.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => words.push(item),
        }
    }
    if !words.is_empty() {
        event.labels.insert(name.to_owned(), words.join(","));
    }
}

/// Addresses from a text, a list of texts, or a list of objects with `href` or `url`.
fn links(value: &Value, event: &mut Event) {
    match value {
        Value::Array(items) => {
            for item in items.iter().filter(|item| !item.is_array()) {
                links(item, event);
            }
        }
        Value::Object(fields) => {
            if let Some(link) = wire::text(fields, &["href", "url"]) {
                wire::link(&mut event.links, &link);
            }
        }
        _ => {
            if let Some(link) = wire::scalar(value) {
                wire::link(&mut event.links, &link);
            }
        }
    }
}
