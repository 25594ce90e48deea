//! The generic kind: our own simple JSON, and what people write by hand in tools that let them.
//!
//! Wire facts: this form is ours. It understands two older vocabularies beside its own, so that bodies
//! written for them need no change:
//! - GoAlert's generic key (target/goalert `genericapi/handler.go`): `summary`, `details`, `dedup`,
//!   `action=close`, repeated `meta=name=value`; by query, form or JSON.
//! - Grafana OnCall's formatted webhook (grafana/oncall `formatted_webhook.py`): `alert_uid`, `title`, `state`
//!   where `OK` closes, `message`, `image_url`, `link_to_upstream_details`.
//!
//! | field | also | missing |
//! |---|---|---|
//! | `key` | `dedup`, `dedup_key`, `alert_uid`, `alert_key`, `incident_key`, `alias`, `fingerprint` | refused |
//! | `status` | `state`, `action`, `event_action` | firing |
//! | `severity` | `priority`, `level`, `urgency`, `importance` | not said |
//! | `title` | `summary`, `subject`, `name`, and for want of them `message` | the key |
//! | `body` | `details`, `description`, `message`, `text` | empty |
//! | `labels` | `meta`, `tags`: an object, or a list of `name=value` or words | none |
//! | `links` | `link`, `url`, `link_to_upstream_details`, `runbook_url`, `image_url` | none |
//! | `occurred_at` | `timestamp`, `time`: the time of this change, not of the problem | that of receipt |
//! | `delivery_id` | `event_id`, `idempotency_key` | none |
//! | `group` | `group_key` | none |
//!
//! A key is never made up from other fields: texts change between firing and recovery, and an alert that
//! cannot be resolved is worse than a refusal on the day the sender is set up. `id` is no key either: in
//! most tools it names the delivery. A missing status fires, because most hand-written senders only ever
//! report trouble; a status that is there but unknown is refused.
//!
//! The type of the body is sniffed, not believed. A JSON list carries one event in each item. A POST without
//! a body, and a GET where the operator allows it, is read from its query.
//!
//! Bodies in none of these vocabularies are read with expressions of the operator: see [`mapping`].

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, mapping, sign, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};

/// Generic JSON, form and query.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    headers: &["webhook-id"],
    signs: Some(sign::STANDARD),
    maps: true,
    ..Kind::new(
        "generic",
        "Scripts, and anything that can send JSON or a form",
        "POST {\"key\": \"what it is about\", \"status\": \"firing\" or \"resolved\", \"title\": \"one line\"} to ADDRESS, or run \
         `onscene send SOURCE --key KEY --status firing`.\n\n\
         A sender whose body is its own gets a `[source.map]`: an expression for each of `key`, `status`, `severity`, `title`, \
         `body`, `labels`, `links`, `occurred_at`, `delivery_id` and `group`, over `body`, `headers` and `query`. Only `key` is \
         needed; what is not mapped is read from the body as without a map, and a status that is not there fires. A `status` that \
         is none or empty says nothing: the alert is left out. `each` gives a list of which every item is an event, and is `item` in \
         the other expressions; what is not mapped is then read from the item. What is undefined is refused, unless \
         `default` says what stands for it. `config/onscene.toml` shows every key.",
        read,
    )
};

/// Where the key stands.
pub(super) const KEY: &[&str] =
    &["key", "dedup", "dedup_key", "alert_uid", "alert_key", "incident_key", "alias", "fingerprint"];
const STATUS: &[&str] = &["status", "state", "action", "event_action"];
const SEVERITY: &[&str] = &["severity", "priority", "level", "urgency", "importance"];
const TITLE: &[&str] = &["title", "summary", "subject", "name", "message"];
const BODY: &[&str] = &["body", "details", "description", "message", "text"];
const LABELS: &[&str] = &["labels", "meta", "tags"];
const LINKS: &[&str] = &["links", "link", "url", "link_to_upstream_details", "runbook_url", "image_url"];
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

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut read = match &delivery.options.mapping {
        Some(mapping) => mapping::read(mapping, delivery),
        None => of_body(delivery),
    };
    // The id of a delivery is signed with it: a second one with the same is a retry, or somebody who has overheard it.
    if let Some(id) = delivery.header("webhook-id").filter(|id| (1..=KEY_BYTES_MAX).contains(&id.len())) {
        let (Ok(events) | Err(Unreadable(_, events))) = &mut read;
        for event in events {
            event.delivery_id = Some(id.to_owned());
        }
    }
    read
}

fn of_body(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        return form(delivery.query);
    }
    let body = wire::utf8(delivery.body)?;
    if body.starts_with(['{', '[']) {
        return match wire::json(body, "the body")? {
            Value::Array(items) => wire::each(items, "item", event),
            Value::Object(fields) => Ok(vec![wire::bounded(event(fields)?)?]),
            other => Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other)))),
        };
    }
    if body.is_empty() && !delivery.query.is_empty() {
        return form(delivery.query);
    }
    if is_form(delivery, body)? {
        return form(body);
    }
    Err(wire::unreadable(if body.is_empty() {
        "there is neither a body nor a query"
    } else {
        "the body is neither a JSON object, nor a JSON list, nor a form"
    }))
}

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

/// Reads a query or a form: one event. Of a repeated name the first value counts; `meta` and its like gather.
fn form(encoded: &str) -> Result<Vec<Event>, Unreadable> {
    let mut fields = Map::new();
    for (name, value) in wire::parameters(encoded)? {
        if LABELS.contains(&name.as_str()) || LINKS.contains(&name.as_str()) {
            if let Value::Array(values) = fields.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                values.push(Value::String(value));
            }
        } else {
            fields.entry(name).or_insert(Value::String(value));
        }
    }
    Ok(vec![wire::bounded(event(fields)?)?])
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
    event.delivery_id = wire::text(fields, DELIVERY_ID);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::core::alert::EVENTS_MAX;
    use crate::sources::tests::{get, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn an_alert_without_a_key_is_refused_and_told_what_a_key_is_for() {
        let why = why(r#"{"title": "disk full", "details": "98 %"}"#);
        assert!(why.contains("no `key`") && why.contains("when it is over"), "{why}");
    }

    #[test]
    fn both_older_vocabularies_open_and_close_under_one_key() {
        let opens = one(&json!({"summary": "s", "dedup": "k", "action": "trigger"}));
        let closes = one(&json!({"alert_uid": "k", "title": "t", "state": "OK"}));
        assert_eq!((opens.status, closes.status), (Status::Firing, Status::Resolved));
        assert_eq!(opens.key, closes.key);
        assert_eq!(one(&json!({"summary": "s", "dedup": "k", "action": "close"})).status, Status::Resolved);
    }

    #[test]
    fn a_missing_status_fires_and_an_unknown_one_is_refused() {
        assert_eq!(one(&json!({"key": "k"})).status, Status::Firing);
        assert_eq!(one(&json!({"key": "k", "status": null})).status, Status::Firing);
        assert!(why(r#"{"key": "k", "status": "hunter2"}"#).starts_with("`status` is none of"));
        assert!(why(r#"{"key": "k", "status": {"is": "ok"}}"#).starts_with("`status` is not a word"));
    }

    #[test]
    fn a_test_needs_no_key() {
        assert_eq!(one(&json!({"status": "test"})).key, TEST_KEY);
    }

    #[test]
    fn a_severity_nobody_knows_stays_as_a_label() {
        let event = one(&json!({"key": "k", "severity": "purple"}));
        assert_eq!((event.severity, event.labels["severity"].as_str()), (None, "purple"));
    }

    #[test]
    fn json_under_a_false_type_is_read_and_plain_text_is_refused() {
        let mut delivery = crate::sources::tests::delivery("POST", "", b"{\"key\": \"k\"}");
        delivery.content_type = Some("application/x-www-form-urlencoded");
        assert_eq!((KIND.read)(&delivery).unwrap()[0].key, "k");
        assert!(why("disk = full on db-1").contains("neither a JSON object"));
        assert!(why("").contains("neither a body nor a query"));
    }

    #[test]
    fn a_query_is_read_by_get_only_when_allowed_and_by_an_empty_post_always() {
        assert_eq!(get(&KIND, "key=k&status=ok", true).unwrap()[0].status, Status::Resolved);
        assert!(get(&KIND, "key=k", false).is_err());
        let post = crate::sources::tests::delivery("POST", "key=k", b" ");
        assert_eq!((KIND.read)(&post).unwrap()[0].key, "k");
    }

    #[test]
    fn the_broken_item_of_a_list_is_named_and_an_empty_list_says_nothing() {
        assert!(why(r#"[{"key": "k"}, {"title": "t"}]"#).starts_with("item[1]: there is no `key`"));
        assert_eq!(post(&KIND, b"[]"), Ok(vec![]));
        let many = json!(vec![json!({"key": "k"}); EVENTS_MAX + 1]).to_string();
        assert!(why(&many).contains("at most 10000"));
    }

    #[test]
    fn a_key_of_a_megabyte_is_refused_by_its_size() {
        let why = why(&json!({"key": "k".repeat(1 << 20)}).to_string());
        assert!(why.contains("1048576 bytes"), "{why}");
    }

    #[test]
    fn a_thousand_levels_are_refused_in_words() {
        let deep = format!(r#"{{"key": "k", "body": {}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
        assert!(why(&deep).contains("128 levels"));
    }

    proptest! {
        #[test]
        fn json_form_and_query_mean_the_same(key in "[a-z0-9/ &=%+é-]{1,20}", over in any::<bool>()) {
            prop_assume!(!key.trim().is_empty());
            let action = if over { "close" } else { "trigger" };
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC);
            let form = format!("dedup={encoded}&action={action}&summary=s");
            let json = one(&json!({"dedup": key, "action": action, "summary": "s"}));
            prop_assert_eq!(post(&KIND, form.as_bytes()), Ok(vec![json.clone()]));
            prop_assert_eq!(get(&KIND, &form, true), Ok(vec![json]));
        }
    }
}
