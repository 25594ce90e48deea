//! Pingdom (SolarWinds): uptime and transaction checks.
//!
//! Wire facts, with their origin:
//! - `POST`, JSON, no signature, no custom headers (vendor's webhook page; receivers in alerta, zulip, keep,
//!   skyhook). The secret is in the address.
//! - Uptime checks say `UP`/`DOWN`, transaction checks `SUCCESS`/`FAILING` (public receivers). A reader that
//!   knows only `UP` never resolves a transaction check.
//! - `importance_level` and `version` are absent in older captures (zulip's fixtures of 2016);
//!   `second_probe` is `{}` on recovery; `description` is `OK` on recovery.
//! - `state_changed_timestamp` is Unix seconds, `state_changed_utc_time` the same without a zone. Whether
//!   deliveries are repeated or come out of order is documented nowhere, so both are expected: the time of
//!   the change goes along and the core drops what is older than what it knows.
//! - What the test button sends is documented nowhere: a body with a `check_id` and without any state is
//!   taken as a test.
//! - Until about 2014: `GET ?message=<JSON>` with `check`, `checkname`, `host`, `action`, `incidentid`,
//!   `description` (snowplow's adapter and schema, old alerta). One consumer met values written like a
//!   Python 2 tuple, `(u'text',)`. Read only when the operator allows GET.
//!
//! The key is `check_id`, in the legacy form `check`: the name can be changed and the incident's id differs
//! between the forms. Of `check_params` only the address and the host are taken: `header` may hold secrets.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Pingdom.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "pingdom",
        "Pingdom",
        "Integrations → Add integration → Type: Webhook, URL: ADDRESS, Active. Then tick the integration on each check.",
        read,
    )
};

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let event = if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        let message = wire::parameters(delivery.query)?
            .into_iter()
            .find_map(|(name, value)| (name == "message").then_some(value))
            .ok_or_else(|| wire::unreadable("the query has no parameter `message`"))?;
        legacy(wire::object(&wire::json(message.trim(), "`message`")?, "`message`")?)?
    } else {
        current(wire::object(&wire::json(wire::utf8(delivery.body)?, "the body")?, "the body")?)?
    };
    Ok(vec![wire::bounded(event)?])
}

/// The form sent today.
fn current(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let check = wire::text(fields, &["check_id"])
        .ok_or_else(|| wire::unreadable("there is no `check_id`; is this really Pingdom's webhook?"))?;
    let state = wire::text(fields, &["current_state"]).map(|state| state.to_ascii_uppercase());
    let status = match state.as_deref() {
        Some("DOWN" | "FAILING") => Status::Firing,
        Some("UP" | "SUCCESS") => Status::Resolved,
        Some("TEST") => Status::Test,
        None if wire::text(fields, &["previous_state"]).is_none() => Status::Test,
        None => return Err(wire::unreadable("there is a `previous_state` but no `current_state`")),
        Some(_) => {
            return Err(wire::unreadable("`current_state` is none of DOWN, UP, FAILING and SUCCESS"));
        }
    };
    let nothing = Map::new();
    let params = fields.get("check_params").and_then(Value::as_object).unwrap_or(&nothing);
    let host = wire::text(params, &["hostname"]);
    let cause = wire::text(fields, &["description"]).filter(|cause| !cause.eq_ignore_ascii_case("ok"));
    let name = wire::text(fields, &["check_name"])
        .or_else(|| host.clone())
        .unwrap_or_else(|| format!("Pingdom check {check}"));

    let mut event =
        Event::new(check.clone(), status, title(&name, status, state.as_deref(), cause.as_deref()));
    event.severity = (status != Status::Test).then(|| severity(fields));
    event.body = body(fields, cause.as_deref());
    event.occurred_at = wire::time(fields, &["state_changed_timestamp", "state_changed_utc_time"]);
    tag(fields.get("tags"), &mut event);
    for name in ["check_name", "check_type", "previous_state", "current_state", "importance_level"] {
        event.labels.extend(wire::text(fields, &[name]).map(|value| (name.to_owned(), value)));
    }
    event.labels.insert("check_id".into(), check);
    event.labels.extend(host.map(|host| ("hostname".to_owned(), host)));
    for text in [wire::text(params, &["full_url"]), wire::text(fields, &["custom_message"])] {
        for word in text.iter().flat_map(|text| text.split_whitespace()) {
            wire::link(&mut event.links, word);
        }
    }
    Ok(event)
}

fn title(name: &str, status: Status, state: Option<&str>, cause: Option<&str>) -> String {
    match (status, state, cause) {
        (Status::Test, ..) => format!("{name}: a test"),
        (Status::Firing, Some(state), Some(cause)) => format!("{name} {}: {cause}", says(state)),
        (_, Some(state), _) => format!("{name} {}", says(state)),
        (_, None, _) => name.to_owned(),
    }
}

/// What a state says of a check.
fn says(state: &str) -> &'static str {
    match state {
        "DOWN" => "is down",
        "FAILING" => "is failing",
        "SUCCESS" => "succeeds again",
        _ => "is up",
    }
}

/// A check without a level, or with one nobody has heard of, is as urgent as can be.
fn severity(fields: &Map<String, Value>) -> AlertSeverity {
    wire::text(fields, &["importance_level"])
        .and_then(|word| AlertSeverity::from_word(&word))
        .unwrap_or(AlertSeverity::Critical)
}

fn body(fields: &Map<String, Value>, cause: Option<&str>) -> String {
    let mut body = String::new();
    // The operator's own words come first: they say what to do.
    for name in ["custom_message", "long_description"] {
        let said = wire::text(fields, &[name]).unwrap_or_default();
        if !said.eq_ignore_ascii_case("ok") && Some(said.as_str()) != cause {
            wire::line(&mut body, &said);
        }
    }
    let probe = |name: &str| {
        let probe = fields.get(name)?.as_object()?;
        match (wire::text(probe, &["location"]), wire::text(probe, &["ip", "ipv6"])) {
            (Some(place), Some(ip)) => Some(format!("{place} ({ip})")),
            (place, ip) => place.or(ip),
        }
    };
    let probes: Vec<String> = ["first_probe", "second_probe"].into_iter().filter_map(probe).collect();
    if !probes.is_empty() {
        wire::line(&mut body, &format!("Seen from {}", probes.join(" and ")));
    }
    body
}

/// Tags become one label `tags`, and one label each, so that a route can match a single one: `team:db` is
/// `team` = `db`, a plain word `eu` is `tag_eu` = `true`. Facts of the check itself win over tags.
fn tag(tags: Option<&Value>, event: &mut Event) {
    let Some(all) = tags.and_then(wire::flat) else { return };
    for word in all.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.split_once([':', '=']) {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                event.labels.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                event.labels.insert(format!("tag_{word}"), "true".into());
            }
        }
    }
    event.labels.insert("tags".into(), all.into_owned());
}

/// The form of the old alerting endpoint.
fn legacy(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let text =
        |name: &str| wire::text(fields, &[name]).map(|text| untuple(&text)).filter(|text| !text.is_empty());
    let check = text("check").ok_or_else(|| wire::unreadable("`message` has no `check`"))?;
    let state = text("description").map(|state| state.to_ascii_lowercase());
    let status = match (text("action").map(|action| action.to_ascii_lowercase()).as_deref(), state.as_deref())
    {
        (Some("assign"), _) | (Some("notify_user"), Some("down")) => Status::Firing,
        (Some("notify_of_close"), _) | (Some("notify_user"), Some("up")) => Status::Resolved,
        (Some("notify_user"), _) => Status::Info,
        _ => {
            return Err(wire::unreadable(
                "`action` in `message` is none of assign, notify_of_close and notify_user",
            ));
        }
    };
    let name = text("checkname").or_else(|| text("host")).unwrap_or_else(|| format!("Pingdom check {check}"));
    let title = match status {
        Status::Firing => format!("{name} {}", says("DOWN")),
        Status::Resolved => format!("{name} {}", says("UP")),
        _ => name,
    };
    let mut event = Event::new(check.clone(), status, title);
    event.severity = Some(AlertSeverity::Critical);
    event.labels.insert("check_id".into(), check);
    for (label, field) in [("check_name", "checkname"), ("hostname", "host"), ("incident_id", "incidentid")] {
        event.labels.extend(text(field).map(|value| (label.to_owned(), value)));
    }
    Ok(event)
}

/// `(u'text',)` → `text`.
fn untuple(text: &str) -> String {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).map(|text| {
        let text = text.trim().trim_end_matches(',').trim();
        text.strip_prefix(['u', 'b']).filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(text)
    });
    match inner {
        Some(quoted) => {
            let bare = ['\'', '"'].iter().find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote));
            bare.map_or_else(|| text.to_owned(), |bare| bare.trim().to_owned())
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::alert::KEY_BYTES_MAX;
    use crate::sources::tests::{get, post};

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn a_transaction_check_fires_and_recovers_under_one_key() {
        let failing = one(json!({"check_id": 7, "check_type": "TRANSACTION", "current_state": "FAILING"}));
        let success = one(json!({"check_id": "7", "check_type": "TRANSACTION", "current_state": "SUCCESS"}));
        assert_eq!((failing.status, success.status), (Status::Firing, Status::Resolved));
        assert_eq!(failing.key, success.key);
    }

    #[test]
    fn a_check_without_a_level_is_critical_and_medium_is_an_error() {
        assert_eq!(
            one(json!({"check_id": 7, "current_state": "DOWN"})).severity,
            Some(AlertSeverity::Critical)
        );
        let medium = json!({"check_id": 7, "current_state": "DOWN", "importance_level": "MEDIUM"});
        assert_eq!(one(medium).severity, Some(AlertSeverity::Error));
        let unheard = json!({"check_id": 7, "current_state": "DOWN", "importance_level": "PURPLE"});
        assert_eq!(one(unheard).severity, Some(AlertSeverity::Critical));
    }

    #[test]
    fn the_same_state_said_again_is_still_that_state() {
        let again = json!({"check_id": 7, "previous_state": "DOWN", "current_state": "DOWN"});
        assert_eq!(one(again).status, Status::Firing);
    }

    #[test]
    fn a_state_nobody_knows_is_refused_without_quoting_it() {
        let why = why(json!({"check_id": 7, "current_state": "hunter2"}));
        assert_eq!(why, "`current_state` is none of DOWN, UP, FAILING and SUCCESS");
    }

    #[test]
    fn a_body_without_any_state_is_a_test_and_one_with_half_a_change_is_refused() {
        assert_eq!(one(json!({"check_id": 7})).status, Status::Test);
        assert!(why(json!({"check_id": 7, "previous_state": "UP"})).contains("no `current_state`"));
    }

    #[test]
    fn the_time_falls_back_on_the_text_without_a_zone() {
        let text = one(json!({"check_id": 7, "current_state": "UP",
            "state_changed_timestamp": "", "state_changed_utc_time": "2026-01-02T03:04:05"}));
        let number =
            one(json!({"check_id": 7, "current_state": "UP", "state_changed_timestamp": "1767323045"}));
        assert_eq!(text.occurred_at, number.occurred_at);
        assert!(text.occurred_at.is_some());
    }

    #[test]
    fn a_tag_cannot_pose_as_the_check() {
        let event =
            one(json!({"check_id": 7, "current_state": "DOWN", "tags": ["check_id:8", "team:db", "eu"]}));
        assert_eq!(event.labels["check_id"], "7");
        assert_eq!(event.labels["team"], "db");
        assert_eq!(event.labels["tag_eu"], "true");
    }

    #[test]
    fn a_key_of_a_megabyte_is_refused() {
        let why = why(json!({"check_id": "7".repeat(1 << 20), "current_state": "DOWN"}));
        assert!(why.contains(&KEY_BYTES_MAX.to_string()), "{why}");
    }

    #[test]
    fn the_legacy_form_is_read_by_get_only_when_allowed() {
        let query = "message=%7B%22check%22%3A%227%22%2C%22action%22%3A%22assign%22%7D";
        assert_eq!(get(&KIND, query, true).unwrap()[0].key, "7");
        assert!(get(&KIND, query, false).unwrap_err().0.contains("allow_get"));
        assert!((KIND.get)(&Options { allow_get: true, ..Options::default() }));
        assert!(!(KIND.get)(&Options::default()));
    }

    #[test]
    fn values_wrapped_like_tuples_are_unwrapped() {
        assert_eq!(untuple("(u'text',)"), "text");
        assert_eq!(untuple("('text')"), "text");
        assert_eq!(untuple("text (1)"), "text (1)");
        assert_eq!(untuple("(1)"), "(1)");
        assert_eq!(untuple("("), "(");
    }
}
