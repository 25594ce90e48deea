//! PagerDuty's Events API: what hundreds of tools can already send.
//!
//! Wire facts, with their origin (PagerDuty/developer-docs `docs/events-API-v2`, `docs/events-API-v1`,
//! PagerDuty/go-pagerduty, prometheus/alertmanager `notify/pagerduty`, zabbix `media_pagerduty.yaml`):
//! - Version 2: `event_action` is `trigger`, `acknowledge` or `resolve`; `dedup_key` tells the alert, and is made by the
//!   server for a trigger without one; `payload` is needed for a trigger only, but some send it whole with a resolve too.
//! - Version 1: `event_type`, `incident_key`, `description`, `details`.
//! - Alertmanager's version 1 also has an empty `event_action` and a null `payload`: the address decides which version it
//!   is, and fields only where the address does not say.
//! - Change events have neither: they are understood, and nobody is woken for one.
//! - `severity` is any text in some senders' templates; what nobody knows is an error.
//! - The key in the body (`routing_key`, `service_key`) is the credential. It is never read here.
//!
//! In the query, `version=` is `1`, `2` or `change`, and `dedup_key=` the key that was made for a trigger without one.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// PagerDuty's Events API, versions 1 and 2.
pub const KIND: Kind = Kind::new(
    "pagerduty-events",
    "Anything that sends to PagerDuty's Events API",
    "Set the tool's PagerDuty address to `https://HOST` (it adds `/v2/enqueue`, or for version 1 \
     `/generic/2010-04-15/create_event.json`), and its routing key, integration key or service key to TOKEN. \
     In Alertmanager: `pagerduty_configs: [{url: \"https://HOST/v2/enqueue\", routing_key: TOKEN}]`.",
    read,
);

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let fields = wire::object(&body, "the body")?;
    let query = wire::parameters(delivery.query)?;
    let said = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let version = said("version").unwrap_or_else(|| {
        match (
            fields.get("event_action").and_then(wire::scalar),
            fields.get("event_type").and_then(wire::scalar),
        ) {
            (None, Some(_)) => "1",
            (None, None) if fields.get("payload").is_some_and(Value::is_object) => "change",
            _ => "2",
        }
    });
    let event = match version {
        "change" => {
            let payload = part(fields, "payload").ok_or_else(|| wire::unreadable("there is no `payload`"))?;
            if wire::word(payload, &["summary"]).is_none() {
                return Err(wire::unreadable("there is no `payload.summary`"));
            }
            return Ok(Vec::new());
        }
        "1" => first(fields, said("dedup_key"))?,
        _ => second(fields, said("dedup_key"))?,
    };
    Ok(vec![wire::bounded(event)?])
}

fn status(fields: &Map<String, Value>, name: &str) -> Result<Status, Unreadable> {
    match wire::word(fields, &[name]).map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("trigger") => Ok(Status::Firing),
        Some("acknowledge") => Ok(Status::Acknowledged),
        Some("resolve") => Ok(Status::Resolved),
        Some(_) => Err(wire::unreadable(format!("`{name}` is none of trigger, acknowledge and resolve"))),
        None => Err(wire::unreadable(format!("there is no `{name}`"))),
    }
}

fn key(fields: &Map<String, Value>, name: &str, made: Option<&str>) -> Result<String, Unreadable> {
    wire::text(fields, &[name])
        .or_else(|| made.map(str::to_owned))
        .ok_or_else(|| wire::unreadable(format!("there is no `{name}`: nobody knows which alert is meant")))
}

fn second(fields: &Map<String, Value>, made: Option<&str>) -> Result<Event, Unreadable> {
    let status = status(fields, "event_action")?;
    let none = Map::new();
    let payload = part(fields, "payload").unwrap_or(&none);
    let summary = wire::text(payload, &["summary"]);
    if status == Status::Firing && summary.is_none() {
        return Err(wire::unreadable("there is no `payload.summary`, which a trigger needs"));
    }
    let mut event = Event::new(key(fields, "dedup_key", made)?, status, summary.unwrap_or_default());
    event.severity = severity(payload);
    event.occurred_at = wire::time(payload, &["timestamp"]);
    for name in ["source", "component", "group", "class"] {
        label(&mut event, payload, name);
    }
    label(&mut event, fields, "client");
    if event.severity == Some(AlertSeverity::Error)
        && let Some(word) = wire::text(payload, &["severity"])
    {
        event.labels.insert("severity".into(), word);
    }
    event.body = details(payload.get("custom_details"));
    addresses(&mut event, fields.get("links"));
    wire::link(&mut event.links, &wire::word(fields, &["client_url"]).unwrap_or_default());
    addresses(&mut event, fields.get("images"));
    Ok(event)
}

fn first(fields: &Map<String, Value>, made: Option<&str>) -> Result<Event, Unreadable> {
    let status = status(fields, "event_type")?;
    let description = wire::text(fields, &["description"]);
    if status == Status::Firing && description.is_none() {
        return Err(wire::unreadable("there is no `description`, which a trigger needs"));
    }
    let mut event = Event::new(key(fields, "incident_key", made)?, status, description.unwrap_or_default());
    label(&mut event, fields, "client");
    event.body = details(fields.get("details"));
    wire::link(&mut event.links, &wire::word(fields, &["client_url"]).unwrap_or_default());
    addresses(&mut event, fields.get("contexts"));
    Ok(event)
}

fn part<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    fields.get(name).and_then(Value::as_object)
}

fn severity(payload: &Map<String, Value>) -> Option<AlertSeverity> {
    let word = wire::word(payload, &["severity"])?;
    Some(AlertSeverity::from_word(&word).unwrap_or(AlertSeverity::Error))
}

fn label(event: &mut Event, fields: &Map<String, Value>, name: &str) {
    if let Some(value) = wire::text(fields, &[name]) {
        event.labels.insert(name.to_owned(), value);
    }
}

fn details(value: Option<&Value>) -> String {
    let mut body = String::new();
    match value {
        Some(Value::Object(fields)) => {
            for (name, value) in wire::pairs(fields) {
                wire::line(&mut body, &format!("{name}: {value}"));
            }
        }
        Some(other) => wire::line(&mut body, &wire::flat(other).unwrap_or_default()),
        None => {}
    }
    body
}

fn addresses(event: &mut Event, items: Option<&Value>) {
    for item in items.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        wire::link(&mut event.links, &wire::word(item, &["href", "src"]).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn of(query: &str, body: &Value) -> Result<Vec<Event>, Unreadable> {
        (KIND.read)(&delivery("POST", query, body.to_string().as_bytes()))
    }

    #[test]
    fn the_address_says_which_version_it_is() {
        // As Alertmanager sends version 1.
        let body = json!({"service_key": "k", "event_type": "trigger", "incident_key": "a", "description": "down",
            "event_action": "", "payload": null});
        for query in ["version=1", ""] {
            let event = of(query, &body).unwrap().remove(0);
            assert_eq!((event.key.as_str(), event.title.as_str()), ("a", "down"), "{query}");
        }
        assert!(of("version=2", &body).unwrap_err().0.contains("`event_action`"));
    }

    #[test]
    fn a_key_that_was_made_stands_in_only_where_there_is_none() {
        let body =
            |key: Value| json!({"event_action": "trigger", "dedup_key": key, "payload": {"summary": "s"}});
        assert_eq!(of("dedup_key=made", &body(Value::Null)).unwrap()[0].key, "made");
        assert_eq!(of("dedup_key=made", &body(json!("own"))).unwrap()[0].key, "own");
        assert!(of("", &body(json!(""))).unwrap_err().0.contains("`dedup_key`"));
    }

    #[test]
    fn a_change_is_understood_and_wakes_nobody() {
        let body = json!({"routing_key": "k", "payload": {"summary": "build 7 is out"}});
        assert_eq!(of("version=change", &body), Ok(vec![]));
        assert_eq!(of("", &body), Ok(vec![]));
        assert!(of("version=change", &json!({"payload": {}})).is_err());
        assert!(of("version=2", &body).is_err());
    }

    #[test]
    fn the_credential_is_not_kept() {
        let body = json!({"routing_key": "secret-key", "event_action": "trigger", "dedup_key": "k",
            "payload": {"summary": "s", "severity": "urgent!"}});
        let event = post(&KIND, body.to_string().as_bytes()).unwrap().remove(0);
        assert!(!format!("{event:?}").contains("secret-key"));
        assert_eq!(event.severity, Some(AlertSeverity::Error));
        assert_eq!(event.labels["severity"], "urgent!");
    }
}
