//! Cronitor: webhook integration.
//!
//! Confirmed (cronitor.io/docs/using-webhooks):
//! - `POST`, JSON: `id` (the monitor's key), `monitor` (its name), `description`, `type` (`ALERT` or
//!   `RECOVERY`), `rule` (the assertion that was violated), `environment`, `group` (may be null),
//!   `issue_url`, `monitor_url`.
//! - No time of its own, no severity, no signature.
//!
//! Not confirmed: retries, timeouts and what the test button sends. A form with the same fields, other
//! letters in `type`, and a time or a severity, should a newer version have them, are taken too.
//!
//! The key is the monitor and its environment: the recovery is that of the monitor, whichever rule failed
//! first.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Cronitor.
pub const KIND: Kind = Kind::new(
    "cronitor",
    "Cronitor",
    "Settings → Integrations → Webhooks → Add, URL: ADDRESS. Then add the webhook to a notification list of your monitors.",
    read,
);

/// The key of a test that names no monitor.
const TEST_KEY: &str = "test";

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    let value = if !body.starts_with(['{', '[']) && body.contains('=') {
        Value::Object(wire::first_of_each(body)?)
    } else {
        wire::json(body, "the body")?
    };
    Ok(vec![wire::bounded(event(wire::object(&value, "the body")?)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let kind = wire::text(fields, &["type"])
        .ok_or_else(|| wire::unreadable("there is no `type`; is this really Cronitor's webhook?"))?;
    let status = match kind.to_ascii_uppercase().as_str() {
        "ALERT" | "FAILURE" | "INCIDENT" => Status::Firing,
        "RECOVERY" | "RECOVERED" => Status::Resolved,
        "TEST" => Status::Test,
        _ => return Err(wire::unreadable("`type` is neither ALERT nor RECOVERY")),
    };
    let id = match wire::text(fields, &["id", "key", "monitor_key"]) {
        Some(id) => id,
        None if status == Status::Test => TEST_KEY.to_owned(),
        None => return Err(wire::unreadable("there is no `id`, the key of the monitor")),
    };
    let environment = wire::text(fields, &["environment", "env"]);
    let name = wire::text(fields, &["monitor", "name"]).unwrap_or_else(|| id.clone());
    let place = environment.as_ref().map_or(name.clone(), |environment| format!("{name} ({environment})"));
    let rule = wire::text(fields, &["rule"]);
    let title = match (status, &rule) {
        (Status::Resolved, _) => format!("{place} has recovered"),
        (Status::Test, _) => format!("{place}: a test"),
        (_, Some(rule)) => format!("{place}: {rule}"),
        (_, None) => format!("{place} has failed"),
    };
    let key = environment.as_ref().map_or(id.clone(), |environment| format!("{id}:{environment}"));

    let mut event = Event::new(key, status, title);
    event.severity = wire::word(fields, &["severity"]).and_then(|word| AlertSeverity::from_word(&word));
    event.body = wire::text(fields, &["description", "message"]).unwrap_or_default();
    event.occurred_at = wire::time(fields, &["timestamp", "stamp", "time"]);
    let group = wire::text(fields, &["group"]);
    for (label, value) in [
        ("monitor_id", Some(id)),
        ("monitor", Some(name)),
        ("environment", environment),
        ("rule", rule),
        ("group", group),
        ("type", Some(kind)),
    ] {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    for link in ["issue_url", "monitor_url", "url"].iter().filter_map(|name| wire::text(fields, &[name])) {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn an_alert_and_its_recovery_have_one_key() {
        let fires =
            one(json!({"id": "a1", "type": "ALERT", "environment": "prod", "rule": "no run in 1 hour"}));
        let over = one(json!({"id": "a1", "type": "RECOVERY", "environment": "prod", "rule": null}));
        assert_eq!((fires.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!(fires.key, over.key);
    }

    #[test]
    fn one_monitor_in_two_environments_is_two_alerts() {
        let of =
            |environment: Value| one(json!({"id": "a1", "type": "ALERT", "environment": environment})).key;
        assert_ne!(of(json!("prod")), of(json!("staging")));
        assert_eq!(of(json!(null)), of(json!("")));
    }

    #[test]
    fn a_type_nobody_knows_is_refused_without_quoting_it() {
        assert_eq!(why(json!({"id": "a1", "type": "hunter2"})), "`type` is neither ALERT nor RECOVERY");
        assert!(why(json!({"type": "ALERT"})).contains("no `id`"));
    }

    #[test]
    fn a_form_means_the_same_as_json() {
        let form = post(&KIND, b"id=a1&type=ALERT&environment=prod&monitor=nightly+backup").unwrap();
        let json = json!({"id": "a1", "type": "ALERT", "environment": "prod", "monitor": "nightly backup"});
        assert_eq!(form, vec![one(json)]);
    }
}
