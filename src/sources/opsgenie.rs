//! Opsgenie's Alert API, whose many senders look for a new home.
//!
//! Wire facts, with their origin (opsgenie/opsgenie-go-sdk-v2 `alert/`, docs.opsgenie.com alert API,
//! prometheus/alertmanager `notify/opsgenie`):
//! - `POST /v2/alerts` creates: `message` is needed, `alias` tells the alert, `priority` is `P1` to `P5` and `P3` when it is
//!   missing. Without an alias, the message stands for it.
//! - `POST /v2/alerts/{identifier}/close` and the like name the alert in the path; the alias may hold slashes, because not
//!   every client escapes it.
//! - Closing what is not there is accepted there, and is here.
//! - Alertmanager with `update_alerts` also puts message and description after each create.
//!
//! The verb and the identifier are handed in as the query: `action=close&identifier=...`. Without them it is a create.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Opsgenie's Alert API.
pub const KIND: Kind = Kind::new(
    "opsgenie",
    "Anything that sends to Opsgenie's Alert API",
    "Set the tool's Opsgenie address (API URL) to `https://HOST/` and its API key to TOKEN. In Alertmanager: \
     `opsgenie_configs: [{api_url: \"https://HOST/\", api_key: TOKEN}]`.",
    read,
);

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let query = wire::parameters(delivery.query)?;
    let said = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let text = wire::utf8(delivery.body)?;
    let action = said("action").unwrap_or("create");
    // Only a create needs a body.
    let body = match text {
        "" if action != "create" => Value::Object(Map::new()),
        text => wire::json(text, "the body")?,
    };
    let fields = wire::object(&body, "the body")?;
    let event = match action {
        "create" => create(fields)?,
        "close" | "acknowledge" => {
            let key = said("identifier").map(str::trim).filter(|key| !key.is_empty());
            let key = key.ok_or_else(|| wire::unreadable("the address names no alert"))?;
            let status = if action == "close" { Status::Resolved } else { Status::Acknowledged };
            let mut event = Event::new(key, status, "");
            event.body = wire::text(fields, &["note"]).unwrap_or_default();
            event
        }
        // What is written about an alert afterwards changes nothing here.
        _ => return Ok(Vec::new()),
    };
    Ok(vec![wire::bounded(event)?])
}

fn create(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let message =
        wire::text(fields, &["message"]).ok_or_else(|| wire::unreadable("there is no `message`"))?;
    let key = wire::text(fields, &["alias"]).unwrap_or_else(|| message.clone());
    let mut event = Event::new(key, Status::Firing, message);
    event.severity = match wire::word(fields, &["priority"]).as_deref() {
        None => Some(AlertSeverity::Warning),
        Some(word) => Some(AlertSeverity::from_word(word).unwrap_or(AlertSeverity::Warning)),
    };
    if let Some(Value::Object(details)) = fields.get("details") {
        event.labels = wire::labels(details.clone());
    }
    for name in ["entity", "source"] {
        if let Some(value) = wire::text(fields, &[name]) {
            event.labels.entry(name.to_owned()).or_insert(value);
        }
    }
    if let Some(tags) = fields.get("tags").and_then(wire::flat) {
        event.labels.entry("tags".to_owned()).or_insert(tags.into_owned());
    }
    for text in ["description", "note"].iter().filter_map(|name| wire::text(fields, &[name])) {
        wire::line(&mut event.body, &text);
    }
    let links: Vec<String> = event.labels.values().filter(|value| wire::is_link(value)).cloned().collect();
    for link in links {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::delivery;

    fn of(query: &str, body: &str) -> Result<Vec<Event>, Unreadable> {
        (KIND.read)(&delivery("POST", query, body.as_bytes()))
    }

    #[test]
    fn what_is_created_under_an_alias_is_closed_under_it() {
        let body = json!({"message": "lb-1 lost quorum", "alias": "lb/quorum/lb-1"}).to_string();
        let created = of("", &body).unwrap().remove(0);
        let closed = of("action=close&identifier=lb%2Fquorum%2Flb-1", "").unwrap().remove(0);
        assert_eq!((created.status, closed.status), (Status::Firing, Status::Resolved));
        assert_eq!(created.key, closed.key);
        let message = json!({"message": "lb-1 lost quorum"}).to_string();
        assert_eq!(of("", &message).unwrap()[0].key, "lb-1 lost quorum");
    }

    #[test]
    fn priorities_are_severities_and_the_usual_one_is_a_warning() {
        let of = |priority: Value| {
            of("", &json!({"message": "m", "priority": priority}).to_string()).unwrap()[0].severity
        };
        assert_eq!(of(json!("P1")), Some(AlertSeverity::Critical));
        assert_eq!(of(json!("P2")), Some(AlertSeverity::Error));
        assert_eq!(of(Value::Null), Some(AlertSeverity::Warning));
        assert_eq!(of(json!("P5")), Some(AlertSeverity::Info));
    }

    #[test]
    fn what_is_written_afterwards_says_nothing_and_an_alert_without_a_name_is_refused() {
        assert_eq!(of("action=notes&identifier=a", r#"{"note": "n"}"#), Ok(vec![]));
        assert!(of("action=close&identifier=%20", "{}").unwrap_err().0.contains("names no alert"));
        assert!(of("", r#"{"alias": "a"}"#).unwrap_err().0.contains("`message`"));
    }
}
