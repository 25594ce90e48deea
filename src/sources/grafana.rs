//! Grafana: alerting since version 8 ("unified"), and the alerting of the versions before 9 ("legacy").
//!
//! Wire facts, with their origin (grafana/alerting `receivers/webhook/v1`, `http/hmac.go`,
//! `templates/template_data.go`, `notify/receivers.go`; grafana/grafana `ngalert/state`; vendor's page on
//! the webhook notifier; for the legacy form target/goalert `grafana/grafana.go` and alerta's samples):
//! - `POST` or `PUT`, as the contact point says, JSON. Basic auth, bearer, own headers; an HMAC of the body
//!   where one is set up.
//! - Unified: Alertmanager's envelope with `version` `"1"`, `orgId`, `title`, `state` and `message` beside
//!   it. As there, firing and resolved alerts are mixed and only the status of each alert counts; `endsAt`
//!   of a firing one is `0001-01-01T00:00:00Z`; `truncatedAlerts` says how many are missing.
//! - `fingerprint` is a hash of all labels, private ones too, so it says which rule it was.
//! - `values` is null and the links are empty texts where there is nothing. `startsAt` may have any offset.
//! - No data and a query that fails come as alerts of their own, `DatasourceNoData` and `DatasourceError`,
//!   with the name of the rule in `rulename`. They fire and resolve apart from the rule's own alert.
//! - The test button sends `alertname=TestAlert`, `instance=Grafana`, unless people change the labels. Its
//!   `groupKey` is never a real one but `NAME-FINGERPRINT-SECONDS`.
//! - Legacy: no `alerts`; `ruleId`, `ruleName`, `state`, and `evalMatches`, which is empty on `ok` and so
//!   is no part of the key. No time at all. Its test button has `ruleId` 0 or a random one, and always one
//!   name. With a random one it has no `orgId`; a rule that people called so has one.
//! - Nothing is tried again at once, whatever the answer; the next group interval sends the group anew.
//!
//! Which of the two a body is, is told by its shape: the version is not looked at. `no_data` fires, as a
//! warning when no tag says otherwise. `paused` ends nothing: nobody looks at the condition any more, so
//! nobody knows.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, sign, wire};
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::crypto::{hex, sha256};

/// Grafana.
pub const KIND: Kind = Kind {
    signs: Some(sign::GRAFANA),
    ..Kind::new(
        "grafana",
        "Grafana",
        "Alerting → Contact points → Create contact point → Integration: Webhook, URL: ADDRESS. Leave \"Disable resolved \
         message\" off and \"Custom Payload\" empty.",
        read,
    )
};

/// The label that says how many alerts a cut notification left out.
const TRUNCATED_LABEL: &str = "truncated_alerts";
/// Annotations that make the title, best first.
const TITLE_ANNOTATIONS: &[&str] = &["summary", "title"];
/// Annotations that are the body as they are; others follow with their names.
const BODY_ANNOTATIONS: &[&str] = &["description", "message"];
/// Addresses of an alert, most useful first.
const LINKS: &[&str] = &["panelURL", "dashboardURL", "generatorURL", "imageURL", "silenceURL"];
/// What the legacy test button calls its rule.
const LEGACY_TEST: &str = "Test notification";

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let listed = body.get_mut("alerts").and_then(Value::as_array_mut).map(std::mem::take);
    let envelope = wire::object(&body, "the body")?;
    let severity_label = &delivery.options.severity_label;
    match listed {
        Some(alerts) => unified(alerts, envelope, severity_label),
        None if envelope.contains_key("ruleId") || envelope.contains_key("evalMatches") => {
            legacy(envelope, severity_label)
        }
        None => Err(wire::unreadable(
            "there is neither a list `alerts` nor a `ruleId`; \
             a contact point with a custom payload belongs to a source of kind `generic`",
        )),
    }
}

/// What the envelope says about all its alerts.
struct Group<'a> {
    key: Option<String>,
    org: Option<String>,
    external: Option<String>,
    truncated: u64,
    is_test: bool,
    severity_label: &'a str,
}

fn unified(
    alerts: Vec<Value>,
    envelope: &Map<String, Value>,
    severity_label: &str,
) -> Result<Vec<Event>, Unreadable> {
    let key = wire::group_key(envelope);
    let group = Group {
        org: wire::text(envelope, &["orgId"]),
        external: wire::text(envelope, &["externalURL"]),
        truncated: truncated(envelope)?,
        is_test: key.as_deref().is_some_and(|key| is_test_group(key, &alerts)),
        key,
        severity_label,
    };
    if alerts.is_empty() && group.truncated > 0 {
        return Err(wire::unreadable(format!(
            "all {} alerts of this notification were left out (`truncatedAlerts`); raise \"Max Alerts\"",
            group.truncated
        )));
    }
    wire::each(alerts, "alerts", |alert| event(alert, &group))
}

/// Whether a group's key is what the test button makes: `NAME-FINGERPRINT-SECONDS`. Real ones begin with a
/// brace.
fn is_test_group(key: &str, alerts: &[Value]) -> bool {
    let mut parts = key.rsplitn(3, '-');
    let (Some(seconds), Some(fingerprint), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_of = |alert: &Value| {
        alert.get("fingerprint").and_then(wire::scalar).is_some_and(|own| own.as_ref() == fingerprint)
    };
    !key.starts_with('{')
        && !seconds.is_empty()
        && seconds.bytes().all(|byte| byte.is_ascii_digit())
        && alerts.iter().any(is_of)
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

    let said = match wire::word(alert, &["status"]).map(|status| status.to_ascii_lowercase()).as_deref() {
        Some("firing") => Status::Firing,
        Some("resolved") => Status::Resolved,
        Some(_) => return Err(wire::unreadable("`status` is neither firing nor resolved")),
        None => return Err(wire::unreadable("there is no `status`")),
    };
    let is =
        |name: &str, value: &str| wire::word(&labels, &[name]).is_some_and(|word| word.as_ref() == value);
    let is_test = group.is_test || (is("alertname", "TestAlert") && is("instance", "Grafana"));
    let status = if is_test { Status::Test } else { said };

    let mut event = Event::new(key(alert, &labels, group)?, status, title(&labels, annotations));
    event.severity =
        wire::word(&labels, &[group.severity_label]).and_then(|word| AlertSeverity::from_word(&word));
    event.occurred_at = wire::time(alert, &[if said == Status::Resolved { "endsAt" } else { "startsAt" }]);
    // The Alertmanager inside Grafana joins alerts that overlap, and keeps the earlier start.
    event.keeps_start = status == Status::Firing;
    event.labels = wire::labels(labels);
    if let Some(rule) = wire::text(alert, &["ruleUID"]) {
        event.labels.entry("rule_uid".into()).or_insert(rule);
    }
    event.group.clone_from(&group.key);
    event.links = links(alert, annotations, group);
    event.body = body(alert, annotations);
    if group.truncated > 0 {
        // First, because the end of a long body is cut; and as a label, so that a route can match it.
        let note = format!(
            "Grafana left {} more alerts out of this notification (Max Alerts); \
             some of them may be firing or resolved without being seen here.",
            group.truncated
        );
        event.body = format!("{note}\n{}", event.body).trim_end().to_owned();
        event.labels.insert(TRUNCATED_LABEL.into(), group.truncated.to_string());
    }
    Ok(event)
}

/// The fingerprint, or a hash of the labels when there is none, within its organisation.
fn key(
    alert: &Map<String, Value>,
    labels: &Map<String, Value>,
    group: &Group<'_>,
) -> Result<String, Unreadable> {
    if let Some(fingerprint) = wire::text(alert, &["fingerprint"]) {
        return Ok(within(group.org.as_deref(), &fingerprint));
    }
    // Lengths are hashed too, so that no two different sets of labels read the same. The map is sorted.
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
    if bytes.is_empty() {
        return Err(wire::unreadable("there is neither a `fingerprint` nor any label to tell it by"));
    }
    Ok(within(group.org.as_deref(), &format!("labels:{}", hex(&sha256(&bytes)[..16]))))
}

/// An id that holds within one organisation.
fn within(org: Option<&str>, id: &str) -> String {
    org.map_or_else(|| id.to_owned(), |org| format!("org:{org}/{id}"))
}

/// What is wrong with a rule that could not be evaluated.
fn trouble(alertname: &str) -> Option<&'static str> {
    match alertname {
        "DatasourceNoData" => Some("no data"),
        "DatasourceError" => Some("the query fails"),
        _ => None,
    }
}

fn title(labels: &Map<String, Value>, annotations: &Map<String, Value>) -> String {
    let name = wire::text(labels, &["alertname"]);
    if let Some(what) = name.as_deref().and_then(trouble) {
        let rule = wire::text(labels, &["rulename"]).unwrap_or_else(|| "A rule without a name".to_owned());
        return format!("{rule}: {what}");
    }
    if let Some(title) = wire::text(annotations, TITLE_ANNOTATIONS) {
        return title;
    }
    match (name, wire::text(labels, &["instance", "host"])) {
        (Some(name), Some(instance)) => format!("{name} on {instance}"),
        (Some(name), None) => name,
        (None, _) => "An alert without a name".to_owned(),
    }
}

fn body(alert: &Map<String, Value>, annotations: &Map<String, Value>) -> String {
    let mut body = String::new();
    for name in BODY_ANNOTATIONS {
        wire::line(&mut body, &wire::word(annotations, &[name]).unwrap_or_default());
    }
    for (name, value) in wire::pairs(annotations) {
        // Names in underscores are Grafana's own bookkeeping, which early versions sent along.
        let known = BODY_ANNOTATIONS.contains(&name)
            || TITLE_ANNOTATIONS.contains(&name)
            || name.starts_with("__")
            || wire::is_link(&value);
        if !known {
            wire::line(&mut body, &format!("{name}: {value}"));
        }
    }
    if let Some(values) = values(alert) {
        wire::line(&mut body, &format!("values: {values}"));
    }
    body
}

fn values(alert: &Map<String, Value>) -> Option<String> {
    let listed = alert.get("values").and_then(Value::as_object).map(|values| {
        let each: Vec<String> =
            wire::pairs(values).map(|(name, value)| format!("{name} = {value}")).collect();
        each.join(", ")
    });
    listed.filter(|values| !values.is_empty()).or_else(|| wire::text(alert, &["valueString"]))
}

/// Annotations that are addresses first: a runbook is worth more at night than a graph.
fn links(alert: &Map<String, Value>, annotations: &Map<String, Value>, group: &Group<'_>) -> Vec<String> {
    let mut links = Vec::new();
    for (_, link) in wire::pairs(annotations) {
        wire::link(&mut links, &link);
    }
    for name in LINKS {
        wire::link(&mut links, &wire::word(alert, &[name]).unwrap_or_default());
    }
    wire::link(&mut links, group.external.as_deref().unwrap_or_default());
    links
}

/// The form of the versions before 9.
fn legacy(fields: &Map<String, Value>, severity_label: &str) -> Result<Vec<Event>, Unreadable> {
    let rule = wire::text(fields, &["ruleId"]).ok_or_else(|| wire::unreadable("there is no `ruleId`"))?;
    let name = wire::text(fields, &["ruleName", "title"]).unwrap_or_else(|| format!("Grafana rule {rule}"));
    let state = wire::text(fields, &["state"]).map(|state| state.to_ascii_lowercase());
    let said = match state.as_deref() {
        Some("alerting" | "no_data") => Status::Firing,
        Some("ok") => Status::Resolved,
        Some("paused") => Status::Info,
        // Not yet, or not known: nothing happened.
        Some("pending" | "unknown") => return Ok(Vec::new()),
        Some(_) => {
            return Err(wire::unreadable("`state` is none of alerting, ok, no_data, paused and pending"));
        }
        None => return Err(wire::unreadable("there is no `state`")),
    };
    let org = wire::text(fields, &["orgId"]).filter(|org| org != "0");
    let status = if rule == "0" || (name == LEGACY_TEST && org.is_none()) { Status::Test } else { said };
    let title = match state.as_deref() {
        Some("no_data") => format!("{name}: no data"),
        Some("paused") => format!("{name} was paused"),
        _ => name,
    };
    let nothing = Map::new();
    let tags = fields.get("tags").and_then(Value::as_object).unwrap_or(&nothing);

    let mut event = Event::new(within(org.as_deref(), &format!("rule:{rule}")), status, title);
    let severity = wire::word(tags, &[severity_label]).and_then(|word| AlertSeverity::from_word(&word));
    let unsaid = (state.as_deref() == Some("no_data")).then_some(AlertSeverity::Warning);
    event.severity = severity.or(unsaid);
    wire::line(&mut event.body, &wire::text(fields, &["message"]).unwrap_or_default());
    for found in fields.get("evalMatches").and_then(Value::as_array).into_iter().flatten() {
        wire::line(&mut event.body, &found.as_object().map(matched).unwrap_or_default());
    }
    event.labels = wire::labels(tags.clone());
    let known = [
        ("rule_id", "ruleId"),
        ("rule_name", "ruleName"),
        ("org_id", "orgId"),
        ("dashboard_id", "dashboardId"),
        ("panel_id", "panelId"),
    ];
    for (label, field) in known {
        event.labels.extend(wire::text(fields, &[field]).map(|value| (label.to_owned(), value)));
    }
    for name in ["ruleUrl", "imageUrl"] {
        wire::link(&mut event.links, &wire::word(fields, &[name]).unwrap_or_default());
    }
    Ok(vec![wire::bounded(event)?])
}

/// One series that met the condition, as a line.
fn matched(found: &Map<String, Value>) -> String {
    let metric = wire::text(found, &["metric"]).unwrap_or_else(|| "value".to_owned());
    let value = wire::text(found, &["value"]).unwrap_or_else(|| "none".to_owned());
    let tags: Vec<String> = found
        .get("tags")
        .and_then(Value::as_object)
        .map(|tags| wire::pairs(tags).map(|(name, value)| format!("{name}={value}")).collect())
        .unwrap_or_default();
    if tags.is_empty() {
        format!("{metric}: {value}")
    } else {
        format!("{metric} ({}): {value}", tags.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn read(body: Value) -> Result<Vec<Event>, Unreadable> {
        post(&KIND, body.to_string().as_bytes())
    }

    fn alert(status: &str) -> Value {
        json!({"status": status, "fingerprint": "5be0c1d2a3f49687",
            "labels": {"alertname": "Lag", "instance": "db-3"},
            "startsAt": "2026-01-02T04:04:05+01:00",
            "endsAt": if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-01-02T03:09:00Z" }})
    }

    #[test]
    fn firing_and_resolved_have_one_key_and_their_own_times() {
        let events =
            read(json!({"orgId": 1, "status": "firing", "alerts": [alert("firing"), alert("resolved")]}))
                .unwrap();
        assert_eq!((events[0].status, events[1].status), (Status::Firing, Status::Resolved));
        assert_eq!(events[0].occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(events[1].occurred_at.unwrap().to_string(), "2026-01-02T03:09:00Z");
        assert_eq!(events[0].key, events[1].key);
        let elsewhere = read(json!({"orgId": 2, "alerts": [alert("firing")]})).unwrap();
        assert_ne!(elsewhere[0].key, events[0].key);
    }

    #[test]
    fn put_and_post_mean_the_same() {
        let body = json!({"alerts": [alert("firing")]}).to_string();
        let put = (KIND.read)(&delivery("PUT", "", body.as_bytes()));
        assert_eq!(put, post(&KIND, body.as_bytes()));
    }

    #[test]
    fn a_test_is_known_by_its_labels_or_by_the_key_of_its_group() {
        let labelled = json!({"alerts": [{"status": "firing", "fingerprint": "f",
            "labels": {"alertname": "TestAlert", "instance": "Grafana"}}]});
        assert_eq!(read(labelled).unwrap()[0].status, Status::Test);
        let own_words =
            json!({"groupKey": "webhook-5be0c1d2a3f49687-1767323045", "alerts": [alert("firing")]});
        assert_eq!(read(own_words).unwrap()[0].status, Status::Test);
        for real in
            ["{}:{host=\"a-5be0c1d2a3f49687-1\"}", "webhook-0000000000000000-1767323045", "a-b-c", "", "7"]
        {
            let real = json!({"groupKey": real, "alerts": [alert("firing")]});
            assert_eq!(read(real).unwrap()[0].status, Status::Firing);
        }
    }

    #[test]
    fn no_data_and_a_failing_query_are_named_by_their_rule() {
        let of = |name: &str| {
            let labels = json!({"alertname": name, "rulename": "Queue depth"});
            let annotations = json!({"summary": "the queue is long"});
            let alert =
                json!({"status": "firing", "fingerprint": "f", "labels": labels, "annotations": annotations});
            read(json!({"alerts": [alert]})).unwrap()[0].title.clone()
        };
        assert_eq!(of("DatasourceNoData"), "Queue depth: no data");
        assert_eq!(of("DatasourceError"), "Queue depth: the query fails");
    }

    #[test]
    fn a_legacy_rule_keeps_its_key_although_its_matches_are_gone() {
        let firing = read(json!({"ruleId": 42, "ruleName": "Q", "state": "alerting",
            "evalMatches": [{"metric": "depth", "value": 12, "tags": null}]}));
        let over = read(json!({"ruleId": "42", "ruleName": "Q", "state": "ok", "evalMatches": []}));
        let (firing, over) = (firing.unwrap().remove(0), over.unwrap().remove(0));
        assert_eq!((firing.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!(firing.key, over.key);
        assert_eq!(firing.body, "depth: 12");
    }

    #[test]
    fn legacy_states_beside_alerting_and_ok_wake_no_one_but_no_data() {
        let of = |state: &str| read(json!({"ruleId": 42, "ruleName": "Q", "state": state})).unwrap();
        let no_data = of("no_data").remove(0);
        assert_eq!((no_data.status, no_data.severity), (Status::Firing, Some(AlertSeverity::Warning)));
        assert_eq!(of("paused")[0].status, Status::Info);
        assert_eq!(of("pending"), vec![]);
        let test =
            read(json!({"ruleId": 901, "ruleName": "Test notification", "state": "alerting"})).unwrap();
        assert_eq!(test[0].status, Status::Test);
        let real = json!({"ruleId": 901, "orgId": 1, "ruleName": "Test notification", "state": "alerting"});
        assert_eq!(read(real).unwrap()[0].status, Status::Firing);
    }

    #[test]
    fn left_out_alerts_are_told_before_the_body() {
        let event = read(json!({"truncatedAlerts": 3, "alerts": [alert("firing")]})).unwrap().remove(0);
        assert!(event.body.starts_with("Grafana left 3 more alerts out"), "{}", event.body);
        assert_eq!(event.labels[TRUNCATED_LABEL], "3");
        assert!(read(json!({"truncatedAlerts": 3, "alerts": []})).unwrap_err().0.contains("all 3 alerts"));
    }

    #[test]
    fn a_body_of_neither_shape_is_told_what_it_may_be() {
        assert!(read(json!({"text": "hunter2"})).unwrap_err().0.contains("custom payload"));
        let why = read(json!({"alerts": [alert("firing"), alert("hunter2")]})).unwrap_err().0;
        assert_eq!(why, "alerts[1]: `status` is neither firing nor resolved");
    }
}
