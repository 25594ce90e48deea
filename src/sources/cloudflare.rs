//! Cloudflare: generic webhook of notifications.
//!
//! Confirmed (developers.cloudflare.com/notifications, "Webhook payload schema" and "Configure webhooks"):
//! - `POST`, JSON: `name`, `text`, `data` (differs by type), `ts` (Unix seconds), `account_id`, `policy_id`,
//!   `policy_name`, `alert_type`, `alert_correlation_id`, `alert_event`. Any of them may be missing.
//! - `alert_event` is `ALERT_STATE_EVENT_START` or `ALERT_STATE_EVENT_END`.
//! - The test, which is sent when the webhook is saved, is nothing but a `text` that calls itself a test
//!   message.
//! - A secret comes back as it is in `cf-webhook-auth`; nothing is signed. Only ports 80 and 443 of public
//!   addresses are reached.
//! - `data` of a health check: `health_check_id`, `health_check_name`, `new_health_status`, `new_status`,
//!   `old_status`, `origin_ip`, `reason`, `failing_regions`.
//!
//! Not confirmed: retries; whether the two notices of a health check share a correlation id, and which
//! `alert_event` the good one has; `data` of load balancing (`pool_id`, `pool_name`, `new_health`, and
//! `event_source` = `origin` with the origin's name where an origin and not its pool changed); `data` of
//! tunnels (`tunnel_id`, `new_status` such as `TUNNEL_STATUS_TYPE_DOWN`) and of Cloudflare's own incidents
//! (`incident_id`, `incident_status`, `incident_impact`). Therefore health checks, tunnels, pools and
//! incidents are told apart by their own ids, and their own state, where it is known, is believed before
//! `alert_event`.
//!
//! Other events have the policy, the correlation id and the target as their key.
//!
//! Many notifications tell of something once (a certificate, a route leak) and have no end. They fire:
//! whoever ties a policy to this webhook wants to hear of it. What has no correlation id and no state is told
//! apart by the type of the event, else by its text.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::crypto::{hex, sha256};

/// Cloudflare.
pub const KIND: Kind = Kind::new(
    "cloudflare",
    "Cloudflare notifications",
    "Notifications → Destinations → Webhooks → Create, URL: ADDRESS, no secret, Save and Test. Then add the webhook to each \
     notification.",
    read,
);

/// What a notice can be about, by the field of `data` that names it.
const SUBJECTS: &[&str] = &["health_check_id", "tunnel_id", "pool_id", "incident_id"];
/// What an attack or an error rate is about, best first.
const TARGETS: &[&str] = &["attack_id", "target_ip", "target_hostname", "zone_tag", "zone_id", "zone_name"];
/// Where the state of such a thing stands.
const STATES: &[&str] =
    &["new_health_status", "new_status", "new_health", "incident_status", "tunnel_status", "status"];
const SEVERITIES: &[&str] = &["severity", "alert_priority_level", "priority", "incident_impact"];
/// Fields of `data` that are worth a label.
const LABELS: &[&str] = &[
    "account_name",
    "zone_name",
    "health_check_id",
    "health_check_name",
    "origin_ip",
    "tunnel_id",
    "tunnel_name",
    "incident_id",
    "pool_id",
    "pool_name",
    "origin_name",
    "target_ip",
    "target_hostname",
    "severity",
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    Ok(vec![wire::bounded(event(wire::object(&body, "the body")?)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let data = fields.get("data").and_then(Value::as_object).unwrap_or(&nothing);
    let kind = wire::text(fields, &["alert_type"]);
    let correlation = wire::text(fields, &["alert_correlation_id"]);
    let policy = wire::text(fields, &["policy_id"]);
    let text = wire::text(fields, &["text"]);
    if kind.is_none() && correlation.is_none() && policy.is_none() {
        return match text {
            Some(text) if text.to_ascii_lowercase().contains("test message") => Ok(Event {
                body: text,
                ..Event::new("test", Status::Test, "Cloudflare: a test of the webhook")
            }),
            Some(_) => Err(wire::unreadable(
                "there is a `text`, but no `alert_type`, `policy_id` or `alert_correlation_id` to tell it by",
            )),
            None => Err(wire::unreadable("there is no `alert_type`; is this really Cloudflare's webhook?")),
        };
    }

    let subject = SUBJECTS
        .iter()
        // That a pool was switched off is no word about its health.
        .filter(|name| **name != "pool_id" || data.contains_key("new_health"))
        .find_map(|name| Some((*name, wire::text(data, &[name])?)));
    let status = status(fields, data, subject.is_some())?;
    let key = match &subject {
        Some((name, id)) => format!("{name}:{id}{}", origin(name, data)),
        None => {
            // Whatever else happens to the same thing, or once more, has another type or another text.
            let is_once = correlation.is_none() && wire::text(fields, &["alert_event"]).is_none();
            let what = wire::text(data, &["event_type"]).or_else(|| {
                text.as_deref().map(|text| format!("text:{}", hex(&sha256(text.as_bytes())[..16])))
            });
            let parts = [
                policy.clone().or_else(|| kind.clone()),
                correlation.clone(),
                wire::text(data, TARGETS),
                what.filter(|_| is_once),
            ];
            parts.into_iter().flatten().collect::<Vec<String>>().join(":")
        }
    };
    let name = wire::text(fields, &["policy_name", "name"]).or_else(|| kind.clone());
    let mut event = Event::new(key, status, title(name, text.as_deref(), status));
    event.severity = severity(data);
    event.body = text.unwrap_or_default();
    for (name, value) in wire::pairs(data) {
        if wire::is_link(&value) {
            wire::link(&mut event.links, &value);
        } else if !value.starts_with(['{', '[']) {
            wire::line(&mut event.body, &format!("{name}: {value}"));
        }
    }
    event.occurred_at = wire::time(fields, &["ts"]);
    for name in LABELS {
        event.labels.extend(wire::text(data, &[name]).map(|value| ((*name).to_owned(), value)));
    }
    for name in ["policy_name", "account_id", "alert_event"] {
        event.labels.extend(wire::text(fields, &[name]).map(|value| (name.to_owned(), value)));
    }
    for (label, value) in [("alert_type", kind), ("policy_id", policy), ("correlation_id", correlation)] {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    Ok(event)
}

fn status(
    fields: &Map<String, Value>,
    data: &Map<String, Value>,
    of_subject: bool,
) -> Result<Status, Unreadable> {
    let event = wire::text(fields, &["alert_event"]).map(|event| last_word(&event));
    let state =
        STATES.iter().filter(|_| of_subject).find_map(|name| state(&last_word(&wire::text(data, &[name])?)));
    match (event.as_deref(), state) {
        // A check that is well again is a notice like any other, and may begin one; one that ends may still
        // be ill.
        (_, Some(state)) => Ok(state),
        (Some("end" | "ended" | "resolved"), None) => Ok(Status::Resolved),
        (None | Some("start" | "started" | "update" | "updated" | "ongoing"), None) => Ok(Status::Firing),
        (Some(_), None) => Err(wire::unreadable(
            "`alert_event` is neither ALERT_STATE_EVENT_START nor ALERT_STATE_EVENT_END",
        )),
    }
}

/// What tells an origin's health from that of its pool, at the end of a key.
fn origin(subject: &str, data: &Map<String, Value>) -> String {
    if subject != "pool_id" {
        return String::new();
    }
    let name = wire::text(data, &["origin_id", "origin_name", "origin_address", "origin_ip"]);
    let is_origin =
        wire::text(data, &["event_source"]).is_some_and(|source| source.eq_ignore_ascii_case("origin"));
    if is_origin || name.is_some() { format!(":origin:{}", name.unwrap_or_default()) } else { String::new() }
}

/// `TUNNEL_STATUS_TYPE_DOWN` → `down`.
fn last_word(text: &str) -> String {
    text.rsplit(['_', ' ']).next().unwrap_or(text).to_ascii_lowercase()
}

fn state(word: &str) -> Option<Status> {
    Some(match word {
        "healthy" | "up" | "ok" | "resolved" | "completed" | "postmortem" => Status::Resolved,
        "unhealthy" | "down" | "degraded" | "critical" | "inactive" | "investigating" | "identified"
        | "monitoring" => Status::Firing,
        _ => return None,
    })
}

fn severity(data: &Map<String, Value>) -> Option<AlertSeverity> {
    SEVERITIES.iter().find_map(|name| AlertSeverity::from_word(&last_word(&wire::text(data, &[name])?)))
}

/// The name of the policy is what people chose; the text says what is wrong.
fn title(name: Option<String>, text: Option<&str>, status: Status) -> String {
    let first = text.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
    let title = match (name, first) {
        (Some(name), Some(first)) if name != first => format!("{name}: {first}"),
        (Some(name), _) => name,
        (None, Some(first)) => first.to_owned(),
        (None, None) => "A notification of Cloudflare".to_owned(),
    };
    if status == Status::Resolved { format!("Over: {title}") } else { title }
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
    fn an_attack_starts_and_ends_under_its_correlation_id() {
        let body = |event: &str| {
            json!({"alert_type": "dos_attack_l7", "alert_correlation_id": "000eaa90",
            "alert_event": event, "ts": "1767323045"})
        };
        let (starts, ends) = (one(body("ALERT_STATE_EVENT_START")), one(body("ALERT_STATE_EVENT_END")));
        assert_eq!((starts.status, ends.status), (Status::Firing, Status::Resolved));
        assert_eq!((starts.key, starts.occurred_at), (ends.key, ends.occurred_at));
    }

    #[test]
    fn a_health_check_recovers_even_when_its_good_notice_starts_another_event() {
        let body = |state: &str, correlation: &str| {
            json!({"alert_type": "health_check_status_notification", "alert_correlation_id": correlation,
                "alert_event": "ALERT_STATE_EVENT_START",
                "data": {"health_check_id": "hc1", "new_health_status": state}})
        };
        let (bad, good) = (one(body("Unhealthy", "a")), one(body("Healthy", "b")));
        assert_eq!((bad.status, good.status), (Status::Firing, Status::Resolved));
        assert_eq!(bad.key, good.key);
    }

    #[test]
    fn the_message_of_the_test_is_a_test_and_any_other_bare_text_is_refused() {
        let text = "Hello World! This is a test message sent from https://cloudflare.com.";
        assert_eq!(one(json!({"text": text})).status, Status::Test);
        assert!(why(json!({"text": "hunter2"})).contains("no `alert_type`"));
    }

    #[test]
    fn a_notice_without_any_state_fires() {
        let event = one(json!({"alert_type": "bgp_hijack_notification", "policy_id": "p",
            "data": {"zone_tag": "z", "alert_priority_level": "CRITICAL"}}));
        assert_eq!((event.status, event.key.as_str()), (Status::Firing, "p:z"));
        assert_eq!(event.severity, Some(AlertSeverity::Critical));
    }

    #[test]
    fn the_states_of_tunnels_and_incidents_are_read_by_their_last_word() {
        let of = |data: Value| one(json!({"alert_type": "t", "data": data})).status;
        assert_eq!(of(json!({"tunnel_id": "t", "new_status": "TUNNEL_STATUS_TYPE_DOWN"})), Status::Firing);
        assert_eq!(
            of(json!({"tunnel_id": "t", "new_status": "TUNNEL_STATUS_TYPE_HEALTHY"})),
            Status::Resolved
        );
        assert_eq!(
            of(json!({"incident_id": "i", "incident_status": "INCIDENT_STATUS_RESOLVED"})),
            Status::Resolved
        );
    }

    #[test]
    fn a_pool_recovers_under_its_id_and_its_origins_under_keys_of_their_own() {
        let of = |health: &str, more: Value| {
            let mut data = json!({"pool_id": "p1", "pool_name": "shop", "new_health": health});
            for (name, value) in more.as_object().unwrap() {
                data[name.as_str()] = value.clone();
            }
            one(json!({"alert_type": "load_balancing_health_alert", "policy_id": "p",
                "text": health, "data": data}))
        };
        let (ill, well) = (of("Unhealthy", json!({})), of("Healthy", json!({"event_source": "pool"})));
        assert_eq!((ill.status, well.status), (Status::Firing, Status::Resolved));
        assert_eq!(ill.key, well.key);
        let origin = |name: &str| of("Healthy", json!({"event_source": "origin", "origin_name": name})).key;
        assert_ne!(origin("a"), ill.key);
        assert_ne!(origin("a"), origin("b"));
        let switched = one(json!({"alert_type": "load_balancing_pool_enablement_alert", "policy_id": "e",
            "data": {"pool_id": "p1", "new_status": "down"}}));
        assert_ne!(switched.key, ill.key);
    }

    #[test]
    fn a_known_state_wins_over_an_event_that_ends() {
        let of = |state: &str| {
            one(json!({"alert_type": "t", "alert_event": "ALERT_STATE_EVENT_END",
                "data": {"health_check_id": "hc1", "new_health_status": state}}))
            .status
        };
        assert_eq!((of("Unhealthy"), of("Healthy")), (Status::Firing, Status::Resolved));
        assert_eq!(of("Purple"), Status::Resolved);
    }

    #[test]
    fn one_correlation_with_two_policies_or_two_targets_is_two_alerts() {
        let of = |policy: &str, target: &str| {
            one(json!({"alert_type": "dos_attack_l4", "policy_id": policy, "alert_correlation_id": "c",
                "alert_event": "ALERT_STATE_EVENT_START", "text": target, "data": {"target_ip": target}}))
            .key
        };
        assert_ne!(of("p", "192.0.2.1"), of("p", "192.0.2.2"));
        assert_ne!(of("p", "192.0.2.1"), of("q", "192.0.2.1"));
    }

    #[test]
    fn two_notices_of_one_policy_are_two_alerts_by_their_type_or_their_text() {
        let of = |data: Value, text: &str| {
            one(json!({"alert_type": "t", "policy_id": "p", "text": text, "data": data})).key
        };
        let typed = |kind: &str, text: &str| of(json!({"zone_tag": "z", "event_type": kind}), text);
        assert_ne!(typed("issued", "x"), typed("failed", "x"));
        assert_eq!(typed("failed", "x"), typed("failed", "y"));
        assert_ne!(of(json!({}), "a certificate"), of(json!({}), "another"));
        assert_eq!(of(json!({}), "a certificate"), of(json!({}), "a certificate"));
    }

    #[test]
    fn an_event_nobody_knows_is_refused_without_quoting_it() {
        let why = why(json!({"alert_type": "t", "alert_event": "ALERT_STATE_EVENT_HUNTER2"}));
        assert!(why.starts_with("`alert_event` is neither"), "{why}");
    }
}
