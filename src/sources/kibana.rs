//! Kibana alerting rules with a webhook connector, and bodies of Watcher.
//!
//! Kibana has no body of its own: people write one with Mustache. This kind reads the preset of `setup`, and
//! whatever carries the same variables under their own names.
//!
//! Confirmed (elastic.co, "Rule action variables"; keep's provider, which installs such bodies itself):
//! - `rule.id`, `rule.name`, `rule.spaceId`, `rule.tags`, `rule.url`, `date`, `kibanaBaseUrl`. Links are
//!   empty where `server.publicBaseUrl` is not set. The webhook connector escapes values for JSON, except in
//!   triple braces.
//! - Recovery is a **separate action** with a body of its own. A rule without it never says that it is over.
//! - "Summary of alerts" sends `alerts.new|ongoing|recovered`, each with `count` and `data`, not single
//!   alerts.
//! - keep writes `{"webhook_body": {"context_info", "alert_info", "rule_info"}}`, each a JSON text.
//! - Documents of alerts (security rules, `data` of a summary) have `kibana.alert.*`, nested or with dots in
//!   the names.
//! - Watcher has no recovery: `ctx.watch_id`, `ctx.id` (new in every run), `ctx.metadata`,
//!   `ctx.trigger.triggered_time`, `ctx.payload`. keep puts `{{#toJson}}ctx{{/toJson}}` between quotes, which
//!   is not JSON: write it without them.
//!
//! Not confirmed: the names `alert.id`, `alert.uuid`, `alert.actionGroup` and `alert.actionGroupName` (known
//! from keep only); the names of Kibana 7 (`alertId`, which was the id of the *rule*, `alertInstanceId`,
//! `alertActionGroup`); that the test tab of a connector sends the variables unfilled, which is taken for a
//! test.
//!
//! The key is the rule and the alert's id in it. `alert.uuid` stands in for the latter: it is the same until
//! recovery. An action group that is not the recovered one fires, whatever it is called; a body that says
//! neither the group nor a state is refused, since the one for recovery would look the same.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, EVENTS_MAX, Event, Status};

/// Kibana.
pub const KIND: Kind = Kind::new(
    "kibana",
    "Kibana alerting and Watcher",
    "Connectors → Create connector → Webhook, method POST, URL: ADDRESS. In each rule add it twice as an action, once for the \
     alert and once run when Recovered, for each alert, with this body: \
     {\"rule_id\": \"{{rule.id}}\", \"rule_name\": \"{{rule.name}}\", \"space_id\": \"{{rule.spaceId}}\", \
     \"alert_id\": \"{{alert.id}}\", \"alert_uuid\": \"{{alert.uuid}}\", \"action_group\": \"{{alert.actionGroup}}\", \
     \"date\": \"{{date}}\", \"reason\": \"{{context.reason}}\", \"url\": \"{{rule.url}}\", \"tags\": \"{{rule.tags}}\", \
     \"severity\": \"critical\"}. In a watch, under actions: {\"webhook\": {\"method\": \"post\", \"url\": \"ADDRESS\", \
     \"body\": \"{{#toJson}}ctx{{/toJson}}\"}}.",
    read,
);

const RULE: &[&str] = &["rule_id", "rule.id", "ruleId", "kibana.alert.rule.uuid", "rule_uuid"];
const RULE_NAME: &[&str] =
    &["rule_name", "rule.name", "ruleName", "alertName", "kibana.alert.rule.name", "name"];
const INSTANCE: &[&str] = &["alertInstanceId", "alert_instance_id", "alert.instanceId"];
const ALERT: &[&str] = &["alert_id", "alert.id", "kibana_alert_id", "kibana.alert.instance.id", "alertId"];
const UUID: &[&str] = &["alert_uuid", "alert.uuid", "alertUuid", "kibana.alert.uuid"];
const GROUP: &[&str] = &[
    "action_group",
    "alert.actionGroup",
    "actionGroup",
    "alertActionGroup",
    "alert.actionGroupName",
    "actionGroupName",
    "action_group_name",
    "alertActionGroupName",
    "kibana.alert.action_group",
];
const STATE: &[&str] =
    &["status", "state", "alert.status", "kibana.alert.status", "event_action", "event.action"];
const SEVERITY: &[&str] = &["severity", "kibana.alert.severity", "context.severity", "priority", "level"];
const TITLE: &[&str] = &["title", "summary", "context.title"];
const REASON: &[&str] = &["reason", "context.reason", "kibana.alert.reason"];
const MESSAGE: &[&str] =
    &["message", "context.message", "description", "body", "kibana.alert.rule.description"];
const LINKS: &[&str] = &[
    "url",
    "alert_url",
    "context.alertDetailsUrl",
    "kibana.alert.url",
    "context.viewInAppUrl",
    "context.link",
    "link",
    "rule_url",
    "rule.url",
    "ruleUrl",
    "kibanaBaseUrl",
];
const TAGS: &[&str] = &["tags", "rule_tags", "rule.tags", "ruleTags", "kibana.alert.rule.tags"];
const LABELS: &[(&str, &[&str])] = &[
    ("rule_id", RULE),
    ("rule_name", RULE_NAME),
    ("space_id", &["space_id", "rule.spaceId", "spaceId", "kibana.space_ids"]),
    ("rule_type", &["rule_type", "rule.type", "ruleType", "kibana.alert.rule.rule_type_id"]),
    ("alert_uuid", UUID),
    ("action_group", GROUP),
    ("severity", SEVERITY),
    ("service", &["service", "service.name"]),
    ("host", &["host", "host.name", "context.host.name"]),
];

/// Ids of alerts that say no more than that the rule holds.
const PLAIN_IDS: &[&str] = &["*", "query matched"];
const TEST_KEY: &str = "test";

/// What one body, or one alert of a list, says. `above` is what is said of all alerts of the list.
#[derive(Clone, Copy)]
struct Said<'a> {
    own: &'a Map<String, Value>,
    above: Option<&'a Map<String, Value>>,
}

impl<'a> Said<'a> {
    fn find<T>(self, names: &[&str], read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let of =
            |fields: &'a Map<String, Value>| names.iter().find_map(|name| dig(fields, name).and_then(&read));
        of(self.own).or_else(|| self.above.and_then(of))
    }

    fn text(self, names: &[&str]) -> Option<String> {
        let read = |value: &'a Value| match value {
            // Documents of alerts may wrap a single value into a list.
            Value::Array(items) if items.len() == 1 => items.first().and_then(wire::scalar),
            value => wire::scalar(value),
        };
        self.find(names, read).map(Cow::into_owned)
    }

    fn time(self, names: &[&str]) -> Option<Timestamp> {
        names.iter().find_map(|name| self.text(&[name]).and_then(|text| wire::moment(&text)))
    }
}

/// A field by its path: `a.b` is the field of that name, or `b` in `a`.
fn dig<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = fields.get(path).filter(|value| !value.is_null()) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(at, _)| dig(fields.get(&path[..at])?.as_object()?, &path[at + 1..]))
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut fields = match wire::json(wire::utf8(delivery.body)?, "the body")? {
        Value::Array(items) => {
            return wire::each(items, "item", |own| one(Said { own: &own, above: None }, None));
        }
        Value::Object(fields) => fields,
        other => return Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other)))),
    };
    if let Some(Value::Object(wrapped)) = fields.get("webhook_body") {
        fields = unwrapped(wrapped)?;
    }
    if let Some(watch) = watch(&fields)? {
        return Ok(vec![wire::bounded(watched(&watch, &fields)?)?]);
    }
    match fields.remove("alerts") {
        Some(Value::Object(lists)) => summary(lists, &fields),
        Some(Value::Array(items)) => {
            wire::each(items, "alerts", |own| one(Said { own: &own, above: Some(&fields) }, None))
        }
        _ => Ok(vec![wire::bounded(one(Said { own: &fields, above: None }, None)?)?]),
    }
}

/// keep's form: three JSON texts.
fn unwrapped(wrapped: &Map<String, Value>) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    for (name, info) in [("rule", "rule_info"), ("alert", "alert_info"), ("context", "context_info")] {
        let value = match wrapped.get(info) {
            Some(Value::String(text)) if text.trim().is_empty() => continue,
            Some(Value::String(text)) => wire::json(text.trim(), &format!("`{info}`"))?,
            Some(value) => value.clone(),
            None => continue,
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(fields)
}

/// The alerts of a summary. Without their `data` only the counts say whether the rule holds at all.
fn summary(mut lists: Map<String, Value>, above: &Map<String, Value>) -> Result<Vec<Event>, Unreadable> {
    let (mut events, mut firing, mut over, mut left_out) = (Vec::new(), 0_u64, 0_u64, 0_u64);
    let mut is_summary = false;
    for (name, status) in
        [("new", Status::Firing), ("ongoing", Status::Firing), ("recovered", Status::Resolved)]
    {
        let Some(list) = lists.remove(name) else { continue };
        let (count, items) = counted(list);
        is_summary = true;
        match status {
            Status::Resolved => over = over.saturating_add(count),
            _ => firing = firing.saturating_add(count),
        }
        left_out = left_out.saturating_add(count.saturating_sub(items.len() as u64));
        let what = format!("alerts.{name}");
        events.extend(wire::each(items, &what, |own| {
            one(Said { own: &own, above: Some(above) }, Some(status))
        })?);
    }
    if !is_summary {
        let Some(list) = lists.remove("all") else {
            return Err(wire::unreadable("`alerts` holds none of new, ongoing and recovered"));
        };
        let (_, items) = counted(list);
        return wire::each(items, "alerts.all", |own| one(Said { own: &own, above: Some(above) }, None));
    }
    if events.len() > EVENTS_MAX {
        return Err(wire::unreadable(format!(
            "the summary has {} alerts; at most {EVENTS_MAX} are taken",
            events.len()
        )));
    }
    if events.is_empty() && firing.max(over) > 0 {
        let status = if firing > 0 { Status::Firing } else { Status::Resolved };
        let mut event = one(Said { own: above, above: None }, Some(status))?;
        wire::line(&mut event.body, &format!("firing: {firing}"));
        wire::line(&mut event.body, &format!("recovered: {over}"));
        return Ok(vec![wire::bounded(event)?]);
    }
    if left_out > 0 {
        for event in &mut events {
            let mut body = format!("{left_out} more alerts of this summary are counted but not listed");
            wire::line(&mut body, &event.body);
            event.body = body;
        }
        return events.into_iter().map(wire::bounded).collect();
    }
    Ok(events)
}

/// A list of a summary as a count and its items: `{"count", "data"}`, the data alone, or the count alone.
fn counted(list: Value) -> (u64, Vec<Value>) {
    match list {
        Value::Array(items) => (items.len() as u64, items),
        Value::Object(mut list) => {
            let count = wire::text(&list, &["count"]).and_then(|count| count.parse().ok());
            let items = match list.remove("data") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            (count.unwrap_or(items.len() as u64), items)
        }
        other => (wire::scalar(&other).and_then(|count| count.parse().ok()).unwrap_or(0), Vec::new()),
    }
}

/// One alert. A summary knows its status from the list it stands in.
fn one(said: Said<'_>, listed: Option<Status>) -> Result<Event, Unreadable> {
    let instance = said.text(INSTANCE);
    let old_rule = instance.as_ref().and_then(|_| said.text(&["alertId"]));
    let rule = said.text(RULE).or(old_rule).or_else(|| said.text(RULE_NAME));
    if rule.as_ref().is_some_and(|rule| rule.starts_with("{{")) {
        return Ok(Event::new(TEST_KEY, Status::Test, "Kibana: a test of the connector"));
    }
    let status = match listed {
        Some(status) => status,
        None => status(said)?,
    };
    let uuid = said.text(UUID);
    let alert = instance.or_else(|| said.text(ALERT)).filter(|id| id != "*");
    let key = match (&rule, &alert, &uuid) {
        (Some(rule), Some(alert), _) | (Some(rule), None, Some(alert)) => format!("{rule}:{alert}"),
        (Some(rule), None, None) => rule.clone(),
        (None, _, Some(uuid)) => uuid.clone(),
        (None, _, None) if status == Status::Test => TEST_KEY.to_owned(),
        (None, _, None) => {
            return Err(wire::unreadable(
                "there is no `rule_id` (or `rule.id`); is this the body that the setup of this kind shows?",
            ));
        }
    };

    let mut event = Event::new(key, status, title(said, status, alert.as_deref(), uuid.as_deref()));
    event.severity = severity(said);
    event.body = body(said);
    event.occurred_at = said.time(match status {
        Status::Resolved => &["date", "timestamp", "context.timestamp", "kibana.alert.end", "@timestamp"],
        _ => &["date", "timestamp", "context.timestamp", "kibana.alert.start", "@timestamp"],
    });
    labels(said, &mut event);
    event.labels.extend(alert.map(|alert| ("alert_id".to_owned(), alert)));
    for link in LINKS.iter().filter_map(|name| said.text(&[name])) {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

fn status(said: Said<'_>) -> Result<Status, Unreadable> {
    let group = said.text(GROUP).map(|group| group.to_ascii_lowercase());
    if group.as_ref().is_some_and(|group| group.ends_with("recovered") || group == "resolved") {
        return Ok(Status::Resolved);
    }
    let state = said.text(STATE).and_then(|word| state(&word));
    match (state, group) {
        (Some(state), _) => Ok(state),
        (None, Some(_)) => Ok(Status::Firing),
        (None, None) => Err(wire::unreadable(
            "there is no `action_group` (or `alert.actionGroup`), nor a `status` that says active or recovered",
        )),
    }
}

fn state(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "active" | "alert" | "alerting" | "firing" | "fired" | "open" | "opened" | "new" | "ongoing"
        | "trigger" | "triggered" => Status::Firing,
        "recovered" | "recovery" | "resolved" | "resolve" | "ok" | "close" | "closed" => Status::Resolved,
        "acknowledged" | "acked" => Status::Acknowledged,
        // The rule was changed or switched off: nothing is known of the condition any more.
        "untracked" => Status::Info,
        "test" => Status::Test,
        _ => return None,
    })
}

/// What the sender says, else the last word of the action group: `metrics.threshold.warning`.
fn severity(said: Said<'_>) -> Option<AlertSeverity> {
    let of_group = || AlertSeverity::from_word(said.text(GROUP)?.rsplit(['.', '_', ' ']).next()?);
    said.text(SEVERITY).and_then(|word| AlertSeverity::from_word(&word)).or_else(of_group)
}

fn title(said: Said<'_>, status: Status, alert: Option<&str>, uuid: Option<&str>) -> String {
    if let Some(title) = said.text(TITLE) {
        return title;
    }
    let name = said.text(RULE_NAME).unwrap_or_else(|| "A rule of Kibana".to_owned());
    let alert = alert.filter(|id| !PLAIN_IDS.contains(id) && Some(*id) != uuid && *id != name);
    let name = alert.map_or(name.clone(), |alert| format!("{name}: {alert}"));
    if status == Status::Resolved { format!("{name} has recovered") } else { name }
}

fn body(said: Said<'_>) -> String {
    let mut body = String::new();
    let reason = said.text(REASON);
    let message = said.text(MESSAGE).filter(|text| Some(text) != reason.as_ref());
    let mut lines: Vec<String> = reason.into_iter().chain(message).collect();
    if let Some(Value::Object(context)) = said.own.get("context") {
        let known = ["reason", "message", "title", "timestamp", "date"];
        for (name, value) in wire::pairs(context) {
            if !known.contains(&name) && !wire::is_link(&value) && !value.starts_with(['{', '[']) {
                lines.push(format!("{name}: {value}"));
            }
        }
    }
    for text in lines {
        wire::line(&mut body, &text);
    }
    body
}

/// Tags like `team:db` or `team=db` become a label each, so that a route can match one; facts of the rule win.
fn labels(said: Said<'_>, event: &mut Event) {
    if let Some(tags) = said.find(TAGS, wire::flat) {
        for tag in tags.split(',') {
            if let Some((name, value)) = tag.split_once([':', '=']) {
                let (name, value) = (name.trim(), value.trim());
                if !name.is_empty() && !value.is_empty() {
                    event.labels.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        event.labels.insert("tags".into(), tags.into_owned());
    }
    for (label, names) in LABELS {
        event.labels.extend(said.text(names).map(|value| ((*label).to_owned(), value)));
    }
}

/// What Watcher calls `ctx`, wherever it stands.
fn watch(fields: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Unreadable> {
    let is_watch = |fields: &&Map<String, Value>| fields.contains_key("watch_id");
    if let Some(ctx) = fields.get("ctx").and_then(Value::as_object).filter(is_watch) {
        return Ok(Some(ctx.clone()));
    }
    match fields.get("payload") {
        Some(Value::Object(ctx)) if is_watch(&ctx) => Ok(Some(ctx.clone())),
        Some(Value::String(text)) if text.trim().starts_with('{') => {
            let value = wire::json(text.trim(), "`payload`")?;
            Ok(value.as_object().filter(is_watch).cloned())
        }
        _ => Ok(Some(fields).filter(is_watch).cloned()),
    }
}

fn watched(ctx: &Map<String, Value>, envelope: &Map<String, Value>) -> Result<Event, Unreadable> {
    let said = Said { own: envelope, above: Some(ctx) };
    let watch = wire::text(ctx, &["watch_id"]).ok_or_else(|| wire::unreadable("`watch_id` is empty"))?;
    let status = match said.text(&["status", "state"]) {
        Some(word) => state(&word)
            .ok_or_else(|| wire::unreadable("`status` is neither Alert nor recovered, nor a word for one"))?,
        // A watch only ever acts when its condition is met.
        None => Status::Firing,
    };
    let alert = said.text(&["alert_id", "alert.id"]);
    let name = said.text(&["metadata.name", "watch_name"]).unwrap_or_else(|| watch.clone());
    let key = alert.as_ref().map_or(watch.clone(), |alert| format!("{watch}:{alert}"));
    let title = said.text(TITLE).unwrap_or_else(|| match status {
        Status::Resolved => format!("{name} has recovered"),
        _ => name.clone(),
    });
    let mut event = Event::new(key, status, title);
    event.severity = said
        .text(&["severity", "metadata.severity", "metadata.priority"])
        .and_then(|word| AlertSeverity::from_word(&word));
    for text in [said.text(REASON), said.text(MESSAGE), said.text(&["metadata.description"])] {
        wire::line(&mut event.body, &text.unwrap_or_default());
    }
    let found = Said { own: ctx, above: None };
    if let Some(hits) = found.text(&["payload.hits.total.value", "payload.hits.total"]) {
        wire::line(&mut event.body, &format!("hits: {hits}"));
    }
    event.occurred_at = said.time(&["trigger.triggered_time", "execution_time", "date"]);
    event.labels.insert("watch_id".into(), watch);
    event.labels.insert("watch_name".into(), name);
    event.labels.extend(alert.map(|alert| ("alert_id".to_owned(), alert)));
    for link in
        ["url", "link", "metadata.url", "metadata.runbook"].iter().filter_map(|name| said.text(&[name]))
    {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn all(body: Value) -> Result<Vec<Event>, Unreadable> {
        post(&KIND, body.to_string().as_bytes())
    }

    fn one(body: Value) -> Event {
        all(body).unwrap().remove(0)
    }

    #[test]
    fn the_preset_fires_and_recovers_under_one_key() {
        let body = |group: &str| {
            json!({"rule_id": "9f0d", "rule_name": "errors", "alert_id": "host-a",
            "action_group": group, "date": "2026-01-02T03:04:05.000Z"})
        };
        let (fires, over) = (one(body("threshold met")), one(body("recovered")));
        assert_eq!((fires.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!(fires.key, over.key);
        assert_ne!(fires.key, one(json!({"rule_id": "9f0d", "alert_id": "host-b", "action_group": "x"})).key);
    }

    #[test]
    fn names_nested_dotted_and_old_mean_the_same_alert() {
        let nested = one(json!({"rule": {"id": "r"}, "alert": {"id": "a", "actionGroup": "default"}}));
        let dotted = one(json!({"rule.id": "r", "alert.id": "a", "alert.actionGroup": "recovered"}));
        let seven = one(json!({"alertId": "r", "alertInstanceId": "a", "alertActionGroup": "default"}));
        assert_eq!((nested.key.as_str(), dotted.key.as_str(), seven.key.as_str()), ("r:a", "r:a", "r:a"));
        assert_eq!((nested.status, dotted.status), (Status::Firing, Status::Resolved));
    }

    #[test]
    fn a_body_that_says_neither_group_nor_state_is_refused() {
        let why = all(json!({"rule_id": "r", "alert_id": "a"})).unwrap_err().0;
        assert!(why.contains("no `action_group`"), "{why}");
        assert!(all(json!({"action_group": "default"})).unwrap_err().0.contains("no `rule_id`"));
    }

    #[test]
    fn a_summary_is_read_alert_by_alert_and_without_data_by_its_counts() {
        let listed = all(json!({"rule_id": "r", "alerts": {
            "new": {"count": 1, "data": [{"kibana.alert.instance.id": "a", "kibana.alert.uuid": "u"}]},
            "ongoing": {"count": 0, "data": []},
            "recovered": {"count": 1, "data": [{"kibana": {"alert": {"instance": {"id": "b"}}}}]}}}))
        .unwrap();
        let read: Vec<_> = listed.iter().map(|event| (event.key.as_str(), event.status)).collect();
        assert_eq!(read, [("r:a", Status::Firing), ("r:b", Status::Resolved)]);
        let counts = |new: u64, over: u64| {
            one(json!({"rule_id": "r", "alerts": {"new": {"count": new}, "recovered": {"count": over}}}))
        };
        assert_eq!((counts(2, 1).status, counts(0, 1).status), (Status::Firing, Status::Resolved));
        assert_eq!(counts(2, 1).key, counts(0, 1).key);
        assert_eq!(all(json!({"rule_id": "r", "alerts": {"new": {"count": 0}}})), Ok(vec![]));
    }

    #[test]
    fn a_watch_is_found_wherever_its_context_stands() {
        let ctx = json!({"watch_id": "w", "id": "w_1", "payload": {"hits": {"total": {"value": 17}}}});
        for body in [
            ctx.clone(),
            json!({"ctx": ctx}),
            json!({"payload": ctx, "status": "Alert"}),
            json!({"payload": ctx.to_string(), "status": "Alert"}),
        ] {
            let event = one(body);
            assert_eq!(
                (event.key.as_str(), event.status, event.body.as_str()),
                ("w", Status::Firing, "hits: 17")
            );
        }
    }

    #[test]
    fn an_action_group_may_say_how_bad_it_is() {
        let of = |group: &str| one(json!({"rule_id": "r", "action_group": group})).severity;
        assert_eq!(of("metrics.threshold.warning"), Some(AlertSeverity::Warning));
        assert_eq!(of("default"), None);
    }

    #[test]
    fn variables_that_were_not_filled_are_a_test() {
        let body = json!({"rule_id": "{{rule.id}}", "action_group": "{{alert.actionGroup}}"});
        assert_eq!(one(body).status, Status::Test);
    }
}
