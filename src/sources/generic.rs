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

use super::fields::{LABELS, LINKS, event, is_form};
use super::{Delivery, Kind, Options, Unreadable, mapping, sign, wire};
use crate::core::alert::{Event, KEY_BYTES_MAX};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::core::alert::{EVENTS_MAX, Status};
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
        assert_eq!(one(&json!({"status": "test"})).key, "test");
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
