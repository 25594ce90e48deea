//! Graylog: event notifications over HTTP, and alarm callbacks of the versions before 3.1.
//!
//! Wire facts, with their origin (Graylog2/graylog2-server `HTTPEventNotificationV2.java`, `EventDto.java`,
//! `NotificationTestData.java`, `EventDefinitionPriorityEnum`; alerta's receiver for the older form;
//! keephq/keep):
//! - `POST` or `PUT`, as JSON, as a form or as text; basic authentication or an API key in a header or the
//!   query. By `GET` nothing of the event is sent, so that is not taken.
//! - The body can be a template of the user. One that keeps the names of the usual body is read.
//! - `event_definition_id`, `event_definition_title` and `event`{`id`, `timestamp`, `message`, `source`,
//!   `key`, `key_tuple`, `priority`, `fields`, `group_by_fields`}. `priority` is 0 for information, 1 low, 2
//!   medium, 3 high, 4 critical.
//! - A form is flat: `event_message`, `event_key`. Lists and maps in it are written as Java prints them: `[a,
//!   b]`, `{name=value}`.
//! - The address must be on the URL allow list. A connection that fails is not tried again; which statuses
//!   are depends on the version (408, 429 and 5xx, or none).
//! - **Nothing ever says that it is over.** People end it here.
//! - The test button says `event_definition_type` = `test-dummy-v1` and, in the event,
//!   `notification-test-v1`; before 3.1 the condition's type is `dummy`.
//! - The older form: `check_result`{`result_description`, `triggered_at`, `triggered_condition`{`id`,
//!   `title`}, `matching_messages`} and `stream`.
//!
//! The key is the definition and the event's `key`, which is empty unless the definition has key fields; then
//! the values that it is grouped by; one too long to keep is hashed. Of the older form it is the condition.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status, one_line};
use crate::crypto::{hex, sha256};

/// Graylog.
pub const KIND: Kind = Kind::new(
    "graylog",
    "Graylog",
    "System → Configurations → URL Allowlist: add ADDRESS. Alerts → Notifications → Create notification → \
     Custom HTTP Notification, URL: ADDRESS, method: POST, content type: JSON, no body template. Add it to \
     each event definition, and give those key fields where one definition watches several things.",
    read,
);

/// Most log messages that are shown.
const MESSAGES_MAX: usize = 5;

/// What the test button says in one field or the other.
const TESTS: &[&str] = &[
    "test-dummy-v1",
    "notification-test-v1",
    "this-is-a-test-notification",
    "NotificationTestId",
    "EventDefinitionTestId",
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    // A form begins with a name, JSON of any kind does not look like one.
    let fields = if !body.starts_with(['{', '[', '"']) && body.contains('=') {
        nested(body)?
    } else {
        match wire::json(body, "the body")? {
            Value::Object(fields) => fields,
            other => {
                return Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other))));
            }
        }
    };
    let event = match fields.get("check_result") {
        Some(Value::Object(result)) => legacy(&fields, result)?,
        _ => current(&fields)?,
    };
    Ok(vec![wire::bounded(event)?])
}

/// A form as the JSON it was made from, as far as texts go.
fn nested(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    let (mut fields, mut event) = (Map::new(), Map::new());
    for (name, value) in wire::parameters(encoded)? {
        // An empty list and an empty map are printed so.
        if matches!(value.trim(), "" | "[]" | "{}") {
            continue;
        }
        let inner = name.strip_prefix("event_").filter(|inner| !inner.starts_with("definition_"));
        match inner.map(str::to_owned) {
            Some(inner) => event.entry(inner).or_insert(Value::String(value)),
            None => fields.entry(name).or_insert(Value::String(value)),
        };
    }
    if !event.is_empty() {
        fields.insert("event".into(), Value::Object(event));
    }
    Ok(fields)
}

/// An event notification, since 3.1.
fn current(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let inner = fields.get("event").and_then(Value::as_object).unwrap_or(&nothing);
    let either = |name: &str| wire::text(fields, &[name]).or_else(|| wire::text(inner, &[name]));
    let definition = either("event_definition_id").ok_or_else(|| {
        wire::unreadable(
            "there is no `event_definition_id`; \
             a notification with a body template of its own has to keep that name",
        )
    })?;
    let is_test = [fields, inner].iter().any(|fields| {
        ["event_definition_id", "event_definition_type"]
            .iter()
            .any(|name| wire::word(fields, &[name]).is_some_and(|word| TESTS.contains(&&*word)))
    });
    let status = if is_test { Status::Test } else { Status::Firing };

    let what = what(inner);
    let message = wire::text(inner, &["message"]);
    let name = wire::text(fields, &["event_definition_title"])
        .or_else(|| message.clone())
        .unwrap_or_else(|| format!("Graylog event {definition}"));
    let title = match &what {
        Some(what) if !name.contains(what.as_str()) => format!("{name}: {what}"),
        _ => name.clone(),
    };
    let key = key(what.map_or_else(|| definition.clone(), |what| format!("{definition}/{what}")));

    let mut event = Event::new(key, status, title);
    event.severity = wire::word(inner, &["priority"]).and_then(|word| severity(&word));
    event.occurred_at = wire::time(inner, &["timestamp"]);
    if status == Status::Firing {
        event.delivery_id = wire::text(inner, &["id"]);
    }
    for said in [message, wire::text(fields, &["event_definition_description"])].into_iter().flatten() {
        if said != name {
            wire::line(&mut event.body, &said);
        }
    }
    // What the user made of the log is worth most in a route; our own names come after and win.
    for name in ["fields", "group_by_fields"] {
        match inner.get(name) {
            Some(Value::Object(made)) => {
                for (name, value) in wire::pairs(made) {
                    if event.labels.get(name).map(String::as_str) == Some(&*value) {
                        continue;
                    }
                    wire::link(&mut event.links, &value);
                    wire::line(&mut event.body, &format!("{name}: {value}"));
                    event.labels.insert(name.to_owned(), value.into_owned());
                }
            }
            Some(other) => {
                if let Some(said) = wire::scalar(other) {
                    wire::line(&mut event.body, &format!("{name}: {said}"));
                }
            }
            None => {}
        }
    }
    messages(fields.get("backlog"), &mut event.body);
    for name in ["key", "source", "priority"] {
        event.labels.extend(wire::text(inner, &[name]).map(|value| (name.to_owned(), value)));
    }
    for name in ["event_definition_id", "event_definition_title", "event_definition_type"] {
        event.labels.extend(either(name).map(|value| (name.to_owned(), value)));
    }
    Ok(event)
}

/// What tells the events of one definition apart.
fn what(inner: &Map<String, Value>) -> Option<String> {
    ["key", "key_tuple", "group_by_fields"]
        .iter()
        .find_map(|name| inner.get(*name).and_then(wire::flat))
        .map(|what| what.into_owned())
}

/// Key fields hold whatever the log holds, which may be long.
fn key(whole: String) -> String {
    if whole.len() <= KEY_BYTES_MAX {
        whole
    } else {
        format!("event:{}", hex(&sha256(whole.as_bytes())[..16]))
    }
}

fn severity(priority: &str) -> Option<AlertSeverity> {
    Some(match priority {
        "0" => AlertSeverity::Info,
        "1" => AlertSeverity::Warning,
        "2" => AlertSeverity::Error,
        "3" | "4" => AlertSeverity::Critical,
        // A template can say it in words.
        word => return AlertSeverity::from_word(word),
    })
}

/// The first log messages, one line each.
fn messages(list: Option<&Value>, body: &mut String) {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for message in list.iter().take(MESSAGES_MAX).filter_map(Value::as_object) {
        if let Some(said) = wire::word(message, &["message"]) {
            wire::line(body, &format!("log: {}", one_line(&said)));
        }
    }
}

/// An alarm callback, before 3.1.
fn legacy(fields: &Map<String, Value>, result: &Map<String, Value>) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let condition = result.get("triggered_condition").and_then(Value::as_object).unwrap_or(&nothing);
    let stream = fields.get("stream").and_then(Value::as_object).unwrap_or(&nothing);
    let key = wire::text(condition, &["id"])
        .or_else(|| wire::text(stream, &["id"]).map(|stream| format!("stream:{stream}")))
        .ok_or_else(|| {
            wire::unreadable(
                "`check_result` has no `triggered_condition` with an `id`, and there is no `stream`",
            )
        })?;
    let is_test = wire::word(condition, &["type"]).is_some_and(|word| word.eq_ignore_ascii_case("dummy"));
    let described = wire::text(result, &["result_description"]);
    let title = [wire::text(stream, &["title"]), wire::text(condition, &["title"])].into_iter().flatten();
    let mut title = title.collect::<Vec<String>>().join(": ");
    if title.is_empty() {
        title = described.clone().unwrap_or_default();
    }

    let mut event = Event::new(self::key(key), if is_test { Status::Test } else { Status::Firing }, title);
    event.occurred_at = wire::time(result, &["triggered_at"]);
    wire::line(&mut event.body, &described.unwrap_or_default());
    messages(result.get("matching_messages"), &mut event.body);
    for (label, part, name) in [
        ("condition_id", condition, "id"),
        ("condition_title", condition, "title"),
        ("condition_type", condition, "type"),
        ("stream_id", stream, "id"),
        ("stream_title", stream, "title"),
    ] {
        event.labels.extend(wire::text(part, &[name]).map(|value| (label.to_owned(), value)));
    }
    wire::link(&mut event.links, &wire::word(fields, &["stream_url"]).unwrap_or_default());
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn one_definition_with_two_keys_is_two_alerts_and_the_id_of_the_event_is_no_key() {
        let of = |id: &str, key: &str| {
            one(&json!({"event_definition_id": "65aa01", "event": {"id": id, "key": key, "priority": 3}}))
        };
        assert_eq!(of("01A", "10.9.8.7").key, of("01B", "10.9.8.7").key);
        assert_ne!(of("01A", "10.9.8.7").key, of("01A", "10.9.8.8").key);
        assert_eq!(of("01A", "").key, "65aa01");
        assert_ne!(of("01A", "k").delivery_id, of("01B", "k").delivery_id);
    }

    #[test]
    fn a_long_key_makes_no_event_unreadable_and_still_tells_events_apart() {
        let of = |last: &str| {
            let long = format!("{}{last}", "/checkout".repeat(300));
            one(&json!({"event_definition_id": "65aa01", "event": {"key": long}})).key
        };
        assert!(of("a").len() <= KEY_BYTES_MAX);
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn without_key_fields_the_values_grouped_by_tell_events_apart() {
        let of = |host: &str| {
            one(&json!({"event_definition_id": "65aa01", "event": {"key": "", "key_tuple": [],
                "group_by_fields": {"host": host}}}))
        };
        assert_ne!(of("a").key, of("b").key);
        assert_eq!(of("a").labels["host"], "a");
    }

    #[test]
    fn a_form_means_the_same_as_json() {
        let json = one(&json!({"event_definition_id": "65aa01", "event_definition_title": "ssh brute force",
            "event": {"id": "01A", "key": "10.9.8.7", "key_tuple": ["10.9.8.7"], "priority": 4,
                "message": "ssh brute force", "timestamp": "2026-01-02T03:04:05.000Z", "fields": {}},
            "backlog": []}));
        let form = "event_definition_id=65aa01&event_definition_title=ssh%20brute%20force&event_id=01A&\
            event_timestamp=2026-01-02T03%3A04%3A05.000Z&event_message=ssh%20brute%20force&\
            event_key_tuple=%5B10.9.8.7%5D&event_key=10.9.8.7&event_priority=4&\
            event_fields=%7B%7D&backlog=%5B%5D";
        assert_eq!(post(&KIND, form.as_bytes()), Ok(vec![json]));
    }

    #[test]
    fn the_test_button_wakes_no_one() {
        let new = json!({"event_definition_id": "NotificationTestId",
            "event_definition_type": "test-dummy-v1",
            "event": {"id": "TEST_NOTIFICATION_ID", "key": "testkey"}});
        let old = json!({"check_result": {"triggered_condition": {"id": "c", "type": "DUMMY"}}});
        assert_eq!((one(&new).status, one(&old).status), (Status::Test, Status::Test));
        assert_eq!(one(&new).delivery_id, None);
    }

    #[test]
    fn an_older_callback_is_told_by_its_condition() {
        let event = one(&json!({"check_result": {"result_description": "Stream had 9 messages",
            "triggered_at": "2026-01-02T03:04:05.000Z",
            "triggered_condition": {"id": "c-1", "title": "many"}},
            "stream": {"id": "s-1", "title": "auth"}}));
        assert_eq!((event.key.as_str(), event.title.as_str()), ("c-1", "auth: many"));
        assert!(event.occurred_at.is_some());
    }

    #[test]
    fn a_field_of_the_user_cannot_pose_as_the_definition() {
        let event = one(&json!({"event_definition_id": "65aa01",
            "event": {"fields": {"event_definition_id": "66", "team": "web"}}}));
        assert_eq!(
            (event.labels["event_definition_id"].as_str(), event.labels["team"].as_str()),
            ("65aa01", "web")
        );
    }

    #[test]
    fn a_template_that_lost_the_definition_is_refused() {
        assert!(why(&json!({"text": "hunter2"})).contains("no `event_definition_id`"));
        assert!(why(&json!({"check_result": {}})).contains("triggered_condition"));
    }
}
