//! Sentry: issue alerts, metric alerts and issues of an integration, and the older WebHooks plugin.
//!
//! Wire facts, with their origin (getsentry/sentry-docs `integration-platform/webhooks/`, getsentry/sentry
//! `plugins/sentry_webhooks`; captures in zulip's fixtures):
//! - `POST`, JSON. `Sentry-Hook-Resource` says what the body is about, `Sentry-Hook-Signature` signs it with
//!   the client secret. Without the header the kind of body is told by its fields. The plugin sends no
//!   headers and signs nothing.
//! - `event_alert` (action `triggered`) **never says that something is over**: only `issue` with `resolved`
//!   does. So an integration needs both, and both are kept under the number of the issue, as is what the
//!   plugin sends.
//! - `issue` has the actions created, resolved, assigned, archived (`ignored` in older versions) and
//!   unresolved. Every new issue is `created`, be it as small as it may: it is only something to know, and
//!   the rule of an alert opens it. Archived is taken as over: somebody decided that nobody is to be
//!   disturbed. When it escalates, `unresolved` comes.
//! - `metric_alert` has the actions critical, warning and resolved, under the number of the metric's
//!   incident, which is a new one each time. `date_closed` is null even in the published sample of a
//!   resolution.
//! - Other resources (`error`, `comment`, `installation`, `seer`, ...) come when they are subscribed to. They
//!   are understood, and say nothing to us.
//! - No time is taken. What says that an issue is resolved has none, so that a firing alert with one could be
//!   held for older than the resolution before it; and `date_started` and `date_closed` of a metric may lie
//!   back by the window of its rule. They are shown. `event.timestamp` is of the clock of whoever ran the
//!   program, a telephone perhaps.
//! - An answer is awaited one second, and 1000 timeouts within a day end the subscription. No retry is
//!   documented.
//! - The plugin's test sends an example event that no rule has triggered.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, sign, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Sentry.
pub const KIND: Kind = Kind {
    headers: &["sentry-hook-resource", "request-id"],
    signs: Some(sign::SENTRY),
    ..Kind::new(
        "sentry",
        "Sentry",
        "Settings → Developer Settings → Custom Integrations → Create New Integration → Internal Integration. \
         Webhook URL: ADDRESS, switch on Alert Rule Action, give Issue & Event the permission Read, tick issue \
         under Webhooks (without it nothing is ever resolved), and keep the Client Secret as the secret of \
         this source's signature. Then add the integration as an action to your alerts: only they open \
         something, a new issue alone does not.",
        read,
    )
};

/// Labels made of tags, so that the facts of the issue keep their place.
const TAGS_MAX: usize = 40;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let fields = wire::object(&body, "the body")?;
    let data = fields.get("data").and_then(Value::as_object);
    let part = |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_object);
    let resource = delivery.header("sentry-hook-resource").map(|said| said.trim().to_ascii_lowercase());
    let missing = |what: &str| wire::unreadable(format!("there is no `data.{what}`"));
    let mut event = match (resource.as_deref(), data) {
        (Some("event_alert"), Some(data)) => {
            event_alert(data, part("event").ok_or_else(|| missing("event"))?)?
        }
        (Some("metric_alert"), Some(data)) => {
            metric_alert(fields, data, part("metric_alert").ok_or_else(|| missing("metric_alert"))?)?
        }
        (Some("issue"), Some(_)) => issue(fields, part("issue").ok_or_else(|| missing("issue"))?)?,
        (Some("event_alert" | "metric_alert" | "issue"), None) => {
            return Err(wire::unreadable("there is no object `data`"));
        }
        (Some(_), _) => return Ok(vec![]),
        (None, Some(data)) => match (part("metric_alert"), part("event"), part("issue")) {
            (Some(alert), ..) => metric_alert(fields, data, alert)?,
            (None, Some(event), _) => event_alert(data, event)?,
            (None, None, Some(about)) => issue(fields, about)?,
            // The envelope of an integration around something else.
            (None, None, None) if fields.contains_key("action") || fields.contains_key("installation") => {
                return Ok(vec![]);
            }
            (None, None, None) => return Err(strange()),
        },
        (None, None) => plugin(fields)?,
    };
    event.delivery_id =
        delivery.header("request-id").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    Ok(vec![wire::bounded(event)?])
}

fn strange() -> Unreadable {
    wire::unreadable(
        "there is neither `data` with an event, an alert or an issue, nor the `id` of an issue; \
         is this really Sentry's webhook?",
    )
}

/// An issue alert: an event of an issue met a rule.
fn event_alert(data: &Map<String, Value>, about: &Map<String, Value>) -> Result<Event, Unreadable> {
    let id = wire::text(about, &["issue_id"]).or_else(|| {
        // Older versions name the issue only by its address.
        let url = wire::text(about, &["issue_url"])?;
        let id = url.trim_end_matches('/').rsplit('/').next()?;
        (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
    });
    let id = id.ok_or_else(|| wire::unreadable("there is no `data.event.issue_id`"))?;
    let mut event = Event::new(issue_key(&id), Status::Firing, name(about, &id));
    event.severity = level(about);
    details(about, &mut event);
    event.labels.insert("issue_id".into(), id);
    if let Some(rule) = wire::text(data, &["triggered_rule"]) {
        wire::line(&mut event.body, &format!("rule: {rule}"));
        event.labels.insert("rule".into(), rule);
    }
    wire::link(&mut event.links, &wire::word(about, &["web_url"]).unwrap_or_default());
    Ok(event)
}

/// An issue that changed its state.
fn issue(fields: &Map<String, Value>, about: &Map<String, Value>) -> Result<Event, Unreadable> {
    let id = wire::text(about, &["id"]).ok_or_else(|| wire::unreadable("there is no `data.issue.id`"))?;
    let name = name(about, &id);
    let action = wire::text(fields, &["action"]).map(|action| action.to_ascii_lowercase());
    let (status, title) = match action.as_deref() {
        Some("unresolved") => (Status::Firing, name),
        Some("resolved") => (Status::Resolved, format!("{name}: resolved")),
        Some("archived" | "ignored") => (Status::Resolved, format!("{name}: archived")),
        Some("created") => (Status::Info, format!("{name}: a new issue")),
        Some("assigned") => (Status::Info, format!("{name}: assigned")),
        Some(_) => (Status::Info, name),
        None => return Err(wire::unreadable("there is no `action`")),
    };
    let mut event = Event::new(issue_key(&id), status, title);
    event.severity = level(about);
    details(about, &mut event);
    for (label, names) in [("short_id", "shortId"), ("substatus", "substatus")] {
        event.labels.extend(wire::text(about, &[names]).map(|value| (label.to_owned(), value)));
    }
    for (label, name) in [("events", "count"), ("users", "userCount")] {
        if let Some(count) = wire::text(about, &[name]) {
            wire::line(&mut event.body, &format!("{label}: {count}"));
        }
    }
    event.labels.insert("issue_id".into(), id);
    for name in ["web_url", "permalink"] {
        wire::link(&mut event.links, &wire::word(about, &[name]).unwrap_or_default());
    }
    Ok(event)
}

/// A metric that crossed a threshold, in either direction.
fn metric_alert(
    fields: &Map<String, Value>,
    data: &Map<String, Value>,
    about: &Map<String, Value>,
) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let rule = about.get("alert_rule").and_then(Value::as_object).unwrap_or(&nothing);
    let key = match (wire::text(about, &["id"]), wire::text(rule, &["id"])) {
        (Some(id), _) => format!("metric:{id}"),
        (None, Some(rule)) => format!("rule:{rule}"),
        (None, None) => return Err(wire::unreadable("there is no `data.metric_alert.id`")),
    };
    let action = wire::text(fields, &["action"]).map(|action| action.to_ascii_lowercase());
    let (status, severity) = match action.as_deref() {
        Some("critical") => (Status::Firing, Some(AlertSeverity::Critical)),
        Some("warning") => (Status::Firing, Some(AlertSeverity::Warning)),
        Some("resolved") => (Status::Resolved, None),
        _ => {
            return Err(wire::unreadable(
                "`action` of a metric alert is none of critical, warning and resolved",
            ));
        }
    };
    let title = wire::text(data, &["description_title"])
        .or_else(|| wire::text(rule, &["name"]))
        .or_else(|| wire::text(about, &["title"]))
        .unwrap_or_else(|| "A metric alert of Sentry".to_owned());
    let mut event = Event::new(key, status, title);
    event.severity = severity;
    // The line breaks of the sample are escaped twice.
    let text = wire::text(data, &["description_text"]).unwrap_or_default().replace("\\n", "\n");
    wire::line(&mut event.body, &text);
    for (label, fields, name) in [
        ("query", rule, "query"),
        ("aggregate", rule, "aggregate"),
        ("started", about, "date_started"),
        ("closed", about, "date_closed"),
    ] {
        if let Some(value) = wire::text(fields, &[name]) {
            wire::line(&mut event.body, &format!("{label}: {value}"));
        }
    }
    for (label, fields, name) in [
        ("metric_alert_id", about, "id"),
        ("rule", rule, "name"),
        ("rule_id", rule, "id"),
        ("environment", rule, "environment"),
    ] {
        event.labels.extend(wire::text(fields, &[name]).map(|value| (label.to_owned(), value)));
    }
    if let Some(projects) = about.get("projects").and_then(wire::flat) {
        event.labels.insert("project".into(), projects.into_owned());
    }
    event.labels.extend(action.map(|action| ("action".to_owned(), action)));
    wire::link(&mut event.links, &wire::word(data, &["web_url"]).unwrap_or_default());
    Ok(event)
}

/// What the WebHooks plugin sends: always an alert, never its end.
fn plugin(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let inner = fields.get("event").and_then(Value::as_object);
    let is_ours =
        inner.is_some() || fields.contains_key("triggering_rules") || fields.contains_key("culprit");
    let id = wire::text(fields, &["id"]).filter(|_| is_ours).ok_or_else(strange)?;
    let nothing = Map::new();
    let inner = inner.unwrap_or(&nothing);
    let name = wire::text(fields, &["message"])
        .or_else(|| wire::text(inner, &["title"]))
        .unwrap_or_else(|| name(inner, &id));
    let rules = fields.get("triggering_rules");
    let by_no_rule = rules.and_then(Value::as_array).is_some_and(Vec::is_empty);
    let is_test = by_no_rule && name.starts_with("This is an example ");
    let mut event = Event::new(issue_key(&id), if is_test { Status::Test } else { Status::Firing }, name);
    event.severity = if is_test { None } else { level(fields).or_else(|| level(inner)) };
    details(inner, &mut event);
    let culprit = wire::text(fields, &["culprit"]).filter(|_| wire::word(inner, &["culprit"]).is_none());
    if let Some(culprit) = culprit {
        wire::line(&mut event.body, &format!("culprit: {culprit}"));
    }
    if let Some(rules) = rules.and_then(wire::flat) {
        wire::line(&mut event.body, &format!("rule: {rules}"));
        event.labels.insert("rule".into(), rules.into_owned());
    }
    event.labels.extend(wire::text(fields, &["level"]).map(|level| ("level".to_owned(), level)));
    event.labels.extend(
        wire::text(fields, &["project_slug", "project"]).map(|project| ("project".to_owned(), project)),
    );
    event.labels.insert("issue_id".into(), id);
    wire::link(&mut event.links, &wire::word(fields, &["url"]).unwrap_or_default());
    Ok(event)
}

/// Issues and the incidents of metrics are numbered apart.
fn issue_key(id: &str) -> String {
    format!("issue:{id}")
}

/// The title of an event or an issue.
fn name(about: &Map<String, Value>, id: &str) -> String {
    let nothing = Map::new();
    let metadata = about.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    wire::text(about, &["title"]).unwrap_or_else(|| {
        match (wire::text(metadata, &["type"]), wire::text(metadata, &["value", "title"])) {
            (Some(kind), Some(value)) => format!("{kind}: {value}"),
            (kind, value) => kind.or(value).unwrap_or_else(|| format!("Sentry issue {id}")),
        }
    })
}

/// `fatal`, `error`, `warning`, `info` or `debug`.
fn level(about: &Map<String, Value>) -> Option<AlertSeverity> {
    wire::word(about, &["level"]).and_then(|level| AlertSeverity::from_word(&level))
}

/// What an event and an issue have in common. Of an event's tags all but the user are taken: who it happened
/// to is nobody's business at night.
fn details(about: &Map<String, Value>, event: &mut Event) {
    for name in ["culprit", "environment", "release"] {
        if let Some(value) = wire::text(about, &[name]) {
            wire::line(&mut event.body, &format!("{name}: {value}"));
        }
    }
    let tags = about.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for tag in tags.iter().take(TAGS_MAX) {
        let (name, value) = match tag {
            Value::Array(pair) => (pair.first(), pair.get(1)),
            Value::Object(pair) => (pair.get("key"), pair.get("value")),
            _ => continue,
        };
        let (Some(name), Some(value)) = (name.and_then(wire::scalar), value.and_then(wire::scalar)) else {
            continue;
        };
        if name != "user" && !name.starts_with("user.") {
            event.labels.insert(name.into_owned(), value.into_owned());
        }
    }
    for name in ["level", "platform", "environment", "release", "culprit"] {
        event.labels.extend(wire::text(about, &[name]).map(|value| (name.to_owned(), value)));
    }
    let project = match about.get("project") {
        Some(Value::Object(project)) => wire::text(project, &["slug", "name", "id"]),
        // An event gives only the number, but its own address holds the name.
        Some(number) => slug(about).or_else(|| wire::scalar(number).map(|number| number.into_owned())),
        None => slug(about),
    };
    event.labels.extend(project.map(|project| ("project".to_owned(), project)));
}

/// The project in `https://sentry.example.net/api/0/projects/ORGANISATION/PROJECT/events/ID/`.
fn slug(about: &Map<String, Value>) -> Option<String> {
    let url = wire::text(about, &["url"])?;
    let slug = url.split_once("/projects/")?.1.split('/').nth(1)?;
    (!slug.is_empty()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn under(resource: &str, body: &Value) -> Result<Vec<Event>, Unreadable> {
        let headers = [("sentry-hook-resource", resource), ("request-id", "r-1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let bytes = body.to_string();
        (KIND.read)(&Delivery { headers: &headers, ..delivery("POST", "", bytes.as_bytes()) })
    }

    #[test]
    fn an_alert_an_issue_and_the_plugin_speak_of_one_issue_under_one_key() {
        let alert =
            one(&json!({"action": "triggered", "data": {"event": {"issue_id": "442", "title": "T"}}}));
        let plugin = one(&json!({"id": 442, "message": "T", "event": {}}));
        let over = one(&json!({"action": "resolved", "data": {"issue": {"id": "442", "title": "T"}}}));
        assert_eq!((alert.status, plugin.status), (Status::Firing, Status::Firing));
        assert_eq!(over.status, Status::Resolved);
        assert_eq!((&alert.key, &plugin.key), (&over.key, &over.key));
    }

    #[test]
    fn a_metric_alert_fires_twice_and_is_resolved_without_a_time() {
        let of = |action: &str| {
            one(&json!({"action": action, "data": {"metric_alert": {"id": "4", "date_closed": null,
                "date_started": "2026-01-02T03:04:05.000000Z"}, "description_title": "Too many errors"}}))
        };
        let (warns, fires, over) = (of("warning"), of("critical"), of("resolved"));
        assert_eq!(
            (warns.severity, fires.severity),
            (Some(AlertSeverity::Warning), Some(AlertSeverity::Critical))
        );
        assert_eq!((over.status, over.occurred_at), (Status::Resolved, None));
        // The start of a metric's incident may lie before the end of the one before.
        assert_eq!((warns.occurred_at, fires.occurred_at), (None, None));
        assert_eq!(fires.body, "started: 2026-01-02T03:04:05.000000Z");
        assert_eq!((&warns.key, &fires.key), (&over.key, &over.key));
        assert_ne!(over.key, issue_key("4"));
    }

    #[test]
    fn the_header_says_what_the_body_is_and_the_delivery_has_its_id() {
        let body = json!({"action": "created", "data": {"issue": {"id": "7"}}});
        assert_eq!(under("issue", &body).unwrap()[0].delivery_id.as_deref(), Some("r-1"));
        assert_eq!(under("comment", &body), Ok(vec![]));
        assert_eq!(under("event_alert", &body).unwrap_err().0, "there is no `data.event`");
        assert_eq!(under("issue", &json!({})).unwrap_err().0, "there is no object `data`");
    }

    #[test]
    fn what_is_no_alert_is_understood_and_says_nothing() {
        for data in [json!({"error": {"event_id": "1"}}), json!({"installation": {"status": "installed"}})] {
            let body = json!({"action": "created", "installation": {"uuid": "u"}, "data": data});
            assert_eq!(post(&KIND, body.to_string().as_bytes()), Ok(vec![]));
        }
        assert!(post(&KIND, br#"{"id": "7"}"#).unwrap_err().0.contains("really Sentry"));
    }

    #[test]
    fn archived_is_over_and_created_and_assigned_are_only_news() {
        let status = |action: &str| one(&json!({"action": action, "data": {"issue": {"id": "7"}}})).status;
        assert_eq!(status("archived"), Status::Resolved);
        assert_eq!(status("ignored"), Status::Resolved);
        assert_eq!(status("unresolved"), Status::Firing);
        assert_eq!(status("assigned"), Status::Info);
        assert_eq!(status("created"), Status::Info);
    }

    #[test]
    fn no_firing_alert_is_older_than_a_resolution_that_has_no_time() {
        let inner = json!({"issue_id": "7", "timestamp": 1_767_000_000.25, "received": 1_767_323_045.25});
        assert_eq!(one(&json!({"data": {"event": inner}})).occurred_at, None);
        assert_eq!(one(&json!({"id": "7", "event": inner})).occurred_at, None);
        let over = json!({"action": "resolved", "data": {"issue": {"id": "7"}}});
        assert_eq!(one(&over).occurred_at, None);
    }

    #[test]
    fn the_user_of_an_event_stays_at_home_and_the_project_has_its_name() {
        let event = one(&json!({"data": {"event": {"issue_id": "7", "project": 12,
            "url": "https://sentry.example.net/api/0/projects/acme/checkout/events/c0ffee/",
            "tags": [["environment", "prod"], ["user", "ip:192.0.2.1"], {"key": "team", "value": "pay"}]}}}));
        assert_eq!(event.labels["project"], "checkout");
        assert_eq!((event.labels["environment"].as_str(), event.labels["team"].as_str()), ("prod", "pay"));
        assert!(!event.labels.contains_key("user"));
    }

    #[test]
    fn the_plugins_example_is_a_test_unless_a_rule_triggered_it() {
        let body = |rules: Value| {
            json!({"id": "7", "message": "This is an example Python exception",
                "triggering_rules": rules})
        };
        assert_eq!(one(&body(json!([]))).status, Status::Test);
        assert_eq!(one(&body(json!(["Every event"]))).status, Status::Firing);
    }
}
