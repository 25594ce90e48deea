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
//!   alerts. Counts alone are read under the key of the rule: firing while any is new or ongoing, over only
//!   when `ongoing` is said and is 0.
//! - keep writes `{"webhook_body": {"context_info", "alert_info", "rule_info"}}`, each a JSON text.
//! - Documents of alerts (security rules, `data` of a summary) have `kibana.alert.*`, nested or with dots in
//!   the names. Beside them stand the fields of the event that the rule found, with a `status`, `rule.id` or
//!   `event.action` of its own, which say nothing of the alert: of a document only Kibana's fields, its host
//!   and its service are read. Its times are its own too, since the date of the body is that of the run.
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
use crate::core::alert::{AlertSeverity, EVENTS_MAX, Event, KEY_BYTES_MAX, Status, cut};

/// Kibana.
pub const KIND: Kind = Kind::new(
    "kibana",
    "Kibana alerting and Watcher",
    "Connectors → Create connector → Webhook, method POST, URL: ADDRESS. In each rule add it twice as an action, once for the \
     alert and once run when Recovered, for each alert, with this body: \
     {\"rule_id\": \"{{rule.id}}\", \"rule_name\": \"{{rule.name}}\", \"space_id\": \"{{rule.spaceId}}\", \
     \"alert_id\": \"{{alert.id}}\", \"alert_uuid\": \"{{alert.uuid}}\", \"action_group\": \"{{alert.actionGroup}}\", \
     \"date\": \"{{date}}\", \"reason\": \"{{context.reason}}\", \"url\": \"{{rule.url}}\", \"tags\": \"{{rule.tags}}\"}. \
     Where a rule has several action groups, as Alert and Warning, add the action for each of them and say in its \
     body how bad it is: \"severity\": \"critical\" in one, \"severity\": \"warning\" in the other. \
     In a watch: \"actions\": {\"onscene\": {\"webhook\": {\"method\": \"post\", \"url\": \"ADDRESS\", \
     \"body\": \"{{#toJson}}ctx{{/toJson}}\"}}}.",
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

/// What the alerts of a list take from the body around them. No times: those are of the run of the rule.
const INHERITED: &[&[&str]] =
    &[RULE, RULE_NAME, INSTANCE, ALERT, UUID, GROUP, STATE, SEVERITY, TITLE, REASON, MESSAGE, LINKS, TAGS];
/// What a document of an alert may say beside `kibana.*`; the rest is of the event that the rule found.
const OF_DOCUMENTS: &[&str] = &["@timestamp", "host", "host.name", "service", "service.name"];
/// Longest inherited text: thousands of alerts may each hold it. A little more than a key may have, so that
/// an id that was cut is refused, and never taken for another one.
const INHERITED_BYTES_MAX: usize = KEY_BYTES_MAX + 4;

/// Ids of alerts that say no more than that the rule holds.
const PLAIN_IDS: &[&str] = &["*", "query matched"];
const TEST_KEY: &str = "test";

/// What one body, or one alert of a list, says. `above` is what is said of all alerts of the list.
#[derive(Clone, Copy)]
struct Said<'a> {
    own: &'a Map<String, Value>,
    above: Option<&'a Map<String, Value>>,
    is_document: bool,
}

impl<'a> Said<'a> {
    fn new(own: &'a Map<String, Value>, above: Option<&'a Map<String, Value>>) -> Self {
        Self { own, above, is_document: is_document(own) }
    }

    /// The same without what is said of all.
    fn alone(self) -> Self {
        Self { above: None, ..self }
    }

    fn find<T>(self, names: &[&str], read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let counts =
            |name: &str| !self.is_document || name.starts_with("kibana.") || OF_DOCUMENTS.contains(&name);
        let own = names.iter().filter(|name| counts(name));
        own.filter_map(|name| dig(self.own, name)).find_map(&read).or_else(|| {
            let above = self.above?;
            names.iter().filter_map(|name| dig(above, name)).find_map(&read)
        })
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

/// Whether these are the fields of a document that Kibana writes of an alert.
fn is_document(fields: &Map<String, Value>) -> bool {
    let of_alert = |name: &String| name == "alert" || name.starts_with("alert.");
    fields.keys().any(|name| name == "kibana.alert" || name.starts_with("kibana.alert."))
        || fields.get("kibana").and_then(Value::as_object).is_some_and(|kibana| kibana.keys().any(of_alert))
}

/// What the alerts of a list inherit, found and cut once for all of them.
fn inherited(fields: &Map<String, Value>) -> Map<String, Value> {
    let said = Said { own: fields, above: None, is_document: false };
    let mut kept = Map::new();
    let others = LABELS.iter().map(|(_, names)| names);
    for &name in INHERITED.iter().chain(others).flat_map(|names| names.iter()) {
        let text = if TAGS.contains(&name) {
            said.find(&[name], wire::flat).map(Cow::into_owned)
        } else {
            said.text(&[name])
        };
        // Half a link leads nowhere.
        let fits = |text: &String| !wire::is_link(text) || text.len() <= INHERITED_BYTES_MAX;
        if let Some(mut text) = text.filter(fits) {
            cut(&mut text, INHERITED_BYTES_MAX);
            kept.insert(name.to_owned(), Value::String(text));
        }
    }
    kept
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
            return wire::each(items, "item", |own| one(Said::new(&own, None), None));
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
            let above = inherited(&fields);
            wire::each(items, "alerts", |own| one(Said::new(&own, Some(&above)), None))
        }
        _ => Ok(vec![wire::bounded(one(Said::new(&fields, None), None)?)?]),
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

/// The alerts of a summary, those that are over first. Without their `data` only the counts say whether the
/// rule holds at all.
fn summary(mut lists: Map<String, Value>, fields: &Map<String, Value>) -> Result<Vec<Event>, Unreadable> {
    let above = inherited(fields);
    let read = |items: Vec<Value>, name: &str, status: Option<Status>| {
        wire::each(items, &format!("alerts.{name}"), |own| one(Said::new(&own, Some(&above)), status))
    };
    let recovered = counted(lists.remove("recovered"), "recovered")?;
    let new = counted(lists.remove("new"), "new")?;
    let ongoing = counted(lists.remove("ongoing"), "ongoing")?;
    if recovered.is_none() && new.is_none() && ongoing.is_none() {
        let Some(all) = counted(lists.remove("all"), "all")? else {
            return Err(wire::unreadable("`alerts` holds none of new, ongoing and recovered"));
        };
        let mut read = read(all.items.unwrap_or_default(), "all", None);
        let (Ok(events) | Err(Unreadable(_, events))) = &mut read;
        events.sort_by_key(|event| event.status != Status::Resolved);
        return read;
    }
    // Whether those that are firing are listed, or would be; else the rule itself stands for them.
    let lists_firing = [&new, &ongoing].into_iter().flatten().any(|list| list.items.is_some());
    let is_said_to_be_over = ongoing.as_ref().is_some_and(|list| list.count == 0);
    let mut fault = None;
    let (mut events, mut firing, mut over, mut left_out, mut listed) = (Vec::new(), 0_u64, 0_u64, 0_u64, 0);
    for (name, status, list) in [
        ("recovered", Status::Resolved, recovered),
        ("new", Status::Firing, new),
        ("ongoing", Status::Firing, ongoing),
    ] {
        let Some(list) = list else { continue };
        let items = list.items.unwrap_or_default();
        let count = list.count.max(items.len() as u64);
        left_out = left_out.saturating_add(count - items.len() as u64);
        if status == Status::Resolved {
            over = over.saturating_add(count);
        } else {
            firing = firing.saturating_add(count);
            listed += items.len();
        }
        events.extend(read(items, name, Some(status)).unwrap_or_else(|Unreadable(why, rest)| {
            fault.get_or_insert(why);
            rest
        }));
    }
    if events.len() > EVENTS_MAX {
        return Err(wire::unreadable(format!(
            "the summary has {} alerts; at most {EVENTS_MAX} are taken",
            events.len()
        )));
    }
    if left_out > 0 {
        for event in &mut events {
            let mut body = format!("{left_out} more alerts of this summary are counted but not listed");
            wire::line(&mut body, &event.body);
            event.body = body;
        }
    }
    let of_rule = if firing > 0 && listed == 0 {
        Some(Status::Firing)
    } else if firing == 0 && over > 0 && is_said_to_be_over && (events.is_empty() || !lists_firing) {
        Some(Status::Resolved)
    } else if firing == 0 && over > 0 && events.is_empty() {
        return Err(wire::unreadable(
            "the summary counts recoveries, but not how many alerts are `ongoing`; count them too, or list \
             the `data` of `recovered`",
        ));
    } else {
        None
    };
    if let Some(status) = of_rule {
        let mut event = one(Said::new(fields, None), Some(status))?;
        wire::line(&mut event.body, &format!("firing: {firing}"));
        wire::line(&mut event.body, &format!("recovered: {over}"));
        events.push(event);
    }
    let events = events.into_iter().map(wire::bounded).collect::<Result<Vec<_>, _>>()?;
    match fault {
        Some(why) => Err(Unreadable(why, events)),
        None => Ok(events),
    }
}

/// A list of a summary.
struct Counted {
    count: u64,
    /// Its alerts, where it lists them at all.
    items: Option<Vec<Value>>,
}

/// A list as a count and its items: `{"count", "data"}`, the data alone, or the count alone.
fn counted(list: Option<Value>, name: &str) -> Result<Option<Counted>, Unreadable> {
    let (count, items) = match list {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => (None, Some(items)),
        Some(Value::Object(mut list)) => {
            let items = match list.remove("data") {
                Some(Value::Array(items)) => Some(items),
                _ => None,
            };
            (wire::text(&list, &["count"]), items)
        }
        Some(other) => (wire::scalar(&other).map(Cow::into_owned), None),
    };
    let count = count.and_then(|count| count.parse::<u64>().ok());
    match count.or(items.as_ref().map(|items| items.len() as u64)) {
        Some(count) => Ok(Some(Counted { count, items })),
        None => Err(wire::unreadable(format!("`alerts.{name}` has neither a `count` nor a list `data`"))),
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
    event.occurred_at = said.alone().time(match status {
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
    let said = if said.is_document { said.alone() } else { said };
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
    let said = Said { own: envelope, above: Some(ctx), is_document: false };
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
    let found = Said { own: ctx, above: None, is_document: false };
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
        assert_eq!(read, [("r:b", Status::Resolved), ("r:a", Status::Firing)]);
        let counts = |new: u64, over: u64| {
            one(json!({"rule_id": "r", "alerts": {"new": {"count": new}, "ongoing": {"count": 0},
                "recovered": {"count": over}}}))
        };
        assert_eq!((counts(2, 1).status, counts(0, 1).status), (Status::Firing, Status::Resolved));
        assert_eq!(counts(2, 1).key, counts(0, 1).key);
        assert_eq!(all(json!({"rule_id": "r", "alerts": {"new": {"count": 0}}})), Ok(vec![]));
    }

    #[test]
    fn counts_of_recoveries_end_nothing_while_it_is_unknown_what_is_ongoing() {
        let of = |ongoing: Value| {
            all(json!({"rule_id": "r", "alerts": {"new": {"count": 0}, "ongoing": ongoing,
                "recovered": {"count": 2}}}))
        };
        assert!(of(json!(null)).unwrap_err().0.contains("`ongoing`"));
        assert!(of(json!({"count": "{{alerts.ongoing.count}}"})).unwrap_err().0.contains("alerts.ongoing"));
        assert_eq!(of(json!({"count": 3})).unwrap()[0].status, Status::Firing);
        assert_eq!(of(json!({"count": "0"})).unwrap()[0].status, Status::Resolved);
    }

    #[test]
    fn firing_alerts_that_are_only_counted_are_not_lost_beside_listed_recoveries() {
        let of = |new: u64| {
            all(json!({"rule_id": "r", "alerts": {"new": {"count": new}, "ongoing": {"count": 0},
                "recovered": {"count": 1, "data": [{"kibana.alert.instance.id": "b"}]}}}))
            .unwrap()
        };
        let told = |events: &[Event]| -> Vec<(String, Status)> {
            events.iter().map(|event| (event.key.clone(), event.status)).collect()
        };
        let over = ("r:b".to_owned(), Status::Resolved);
        assert_eq!(told(&of(2)), [over.clone(), ("r".to_owned(), Status::Firing)]);
        // The rule stood for them, so the rule has to be over too.
        assert_eq!(told(&of(0)), [over, ("r".to_owned(), Status::Resolved)]);
    }

    #[test]
    fn a_document_has_its_own_time_and_never_that_of_the_run() {
        let document = |list: &str, document: Value| {
            let mut body = json!({"rule_id": "r", "date": "2026-01-02T03:10:00Z", "alerts": {}});
            body["alerts"][list] = json!({"count": 1, "data": [document]});
            one(body).occurred_at.map(|at| at.to_string())
        };
        let times = json!({"kibana.alert.instance.id": "a", "@timestamp": "2026-01-02T03:09:00Z",
            "kibana.alert.start": "2026-01-02T03:01:00Z", "kibana.alert.end": "2026-01-02T03:08:00Z"});
        assert_eq!(document("new", times.clone()).as_deref(), Some("2026-01-02T03:01:00Z"));
        assert_eq!(document("recovered", times).as_deref(), Some("2026-01-02T03:08:00Z"));
        assert_eq!(document("recovered", json!({"kibana.alert.instance.id": "a"})), None);
    }

    #[test]
    fn what_the_found_event_says_of_itself_is_not_said_of_the_alert() {
        let event = one(json!({"status": "closed", "severity": "info", "rule": {"id": "2210001"},
            "event": {"action": "recovered"}, "tags": ["team:attacker"], "date": "2020-01-01T00:00:00Z",
            "kibana.alert.status": "active", "kibana.alert.severity": "high",
            "kibana.alert.rule.uuid": "r", "kibana.alert.start": "2026-01-02T03:04:05Z"}));
        assert_eq!((event.key.as_str(), event.status), ("r", Status::Firing));
        assert_eq!(event.severity, Some(AlertSeverity::Critical));
        assert_eq!(event.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert!(!event.labels.contains_key("team"));
        let nested = json!({"status": "active", "kibana": {"alert": {"status": "recovered", "uuid": "u"}}});
        assert_eq!(one(nested).status, Status::Resolved);
        let silent = json!({"status": "recovered", "kibana": {"alert.rule.uuid": "r"}});
        assert!(all(silent).is_err());
    }

    #[test]
    fn what_all_alerts_inherit_is_cut_once() {
        let long = "x".repeat(800_000);
        let tags: Vec<String> = (0..20_000).map(|number| format!("t{number}:{number}")).collect();
        let documents = vec![json!({"alert_id": "a"}); 50];
        let body = json!({"rule_id": "r", "reason": long, "tags": tags, "alerts": {"new": documents}});
        let above = inherited(body.as_object().unwrap());
        let bytes: usize = above.values().filter_map(Value::as_str).map(str::len).sum();
        assert!(bytes < 4 * INHERITED_BYTES_MAX, "{bytes}");
        assert_eq!(all(body).unwrap().len(), 50);
        let endless = json!({"rule_id": long, "alerts": {"new": [{"kibana.alert.reason": "x"}]}});
        assert!(all(endless).unwrap_err().0.contains("the alert's key has"));
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
