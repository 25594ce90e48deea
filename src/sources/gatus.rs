//! Gatus, by its `custom` alerting provider.
//!
//! Wire facts, with their origin (TwiN/gatus `alerting/provider/custom/custom.go`, `watchdog/alerting.go`,
//! `client/config.go`, its README):
//! - **The method is `GET` unless one is set**, and a body goes along even then. There is no body of its own:
//!   the user writes one with placeholders, so we publish one (`setup`) and read others that have its fields.
//! - A placeholder is exchanged for its text as it is, in the body and in the address. Of quotes only those
//!   in `[RESULT_ERRORS]` are escaped, and by most versions nothing else is. So a body can stop being JSON by
//!   one quote in a description or one line break in an error; and an answer of the monitored server, which
//!   errors and conditions repeat, can add fields. Where status and name stand before the errors and the
//!   conditions, nothing after those is believed, and what is missing before them is missing. Of a body that
//!   is broken this front is read as it is, and the rest is found by the names of our preset in their order.
//! - With names or an order of the user's own, the first of two fields with one name counts, and a body that
//!   has two names for status, group or endpoint is refused. Whoever puts what the server answered first can
//!   be told a wrong group by it.
//! - In an address a blank or `&` in a name spoils the query. Prefer a body.
//! - `[ALERT_TRIGGERED_OR_RESOLVED]` is `TRIGGERED` or `RESOLVED`; `placeholders` can rename both. Usual
//!   words are understood, others refused.
//! - `[RESULT_CONDITIONS]` stays as it is when there are no conditions, and so does every placeholder that a
//!   version does not know. Such a value is none.
//! - `send-on-resolved` is off unless it is set: without it nothing ever recovers.
//! - There is no time, no severity and no id of the delivery. Fields that the user adds with fixed values,
//!   such as `severity` or `team`, are taken.
//! - A status above 399 fails: a firing alert is sent again at the next check, a recovery **never**.
//!
//! The key is group and name, as in Gatus itself; an endpoint without a group has a key that begins with a
//! slash.

use serde_json::{Map, Value};

use super::wire::Said;
use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Gatus.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "gatus",
        "Gatus",
        "In config.yaml under `alerting`: custom: {url: \"ADDRESS\", method: \"POST\", body: '{\"status\": \
         \"[ALERT_TRIGGERED_OR_RESOLVED]\", \"group\": \"[ENDPOINT_GROUP]\", \"name\": \"[ENDPOINT_NAME]\", \
         \"url\": \"[ENDPOINT_URL]\", \"description\": \"[ALERT_DESCRIPTION]\", \"errors\": \
         \"[RESULT_ERRORS]\", \"conditions\": \"[RESULT_CONDITIONS]\"}'}, in this order. Fields of your own, such as \
         \"severity\": \"warning\" and \"team\": \"network\", stand before \"errors\": after it they are not taken, \
         because the monitored server could have written them. At each endpoint: \
         alerts: [{type: custom, send-on-resolved: true}]",
        read,
    )
};

/// The fields of the preset in their order. What the monitored server may have a say in stands last.
const PRESET: &[&str] = &["status", "group", "name", "url", "description", "errors", "conditions"];
/// How many of them, from the first, decide which alert is meant and what is said of it.
const PRESET_DECIDING: usize = 3;

const STATUS: &[&str] = &["status", "state", "alert", "event", "action"];
const GROUP: &[&str] = &["group", "endpoint_group"];
const NAME: &[&str] = &["name", "endpoint", "endpoint_name", "service"];
const LINK: &[&str] = &["url", "endpoint_url", "link"];
const DESCRIPTION: &[&str] = &["description", "text", "message", "alert_description"];
const ERRORS: &[&str] = &["errors", "error", "result_errors"];
const CONDITIONS: &[&str] = &["conditions", "result_conditions"];
const SEVERITY: &[&str] = &["severity", "priority"];
/// What the monitored server has a say in. No field that stands after the first of these is believed.
const ANSWERED: &[&[&str]] = &[ERRORS, CONDITIONS];
/// What decides which alert is meant and what is said of it, and how a sentence calls it.
const DECIDING: &[(&str, &[&str])] = &[("status", STATUS), ("group", GROUP), ("name", NAME)];
/// Every name that is read. Others become labels.
const KNOWN: &[&[&str]] = &[STATUS, GROUP, NAME, LINK, DESCRIPTION, ERRORS, CONDITIONS, SEVERITY];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    Ok(vec![wire::bounded(event(&fields(delivery)?)?)?])
}

fn fields(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    let hint = |Unreadable(why, rest): Unreadable| match delivery.method {
        "GET" if !delivery.options.allow_get => {
            wire::unreadable(format!("{why}; set `method: POST` in Gatus"))
        }
        _ => Unreadable(why, rest),
    };
    match wire::said(delivery).map_err(hint)? {
        Said::Json(body) => object(body),
        Said::Form(encoded) => form(encoded),
    }
}

/// Reads a query or a form.
fn form(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    let fields = wire::parameters(encoded)?.into_iter();
    believed(fields.map(|(name, value)| (name, Value::String(value))).collect())
}

/// Reads JSON, and what would be our preset in JSON if its values were escaped.
fn object(body: &str) -> Result<Map<String, Value>, Unreadable> {
    let why = match wire::json(body, "the body") {
        Ok(Value::Object(_)) => wire::unreadable("the body is not a JSON object"),
        Ok(other) => {
            return Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other))));
        }
        Err(why) => why,
    };
    believed(in_order(body).ok_or(why)?)
}

/// The fields in their order, of good JSON or of what is broken in a value of our preset.
fn in_order(body: &str) -> Option<Vec<(String, Value)>> {
    let mut fields = Vec::new();
    let mut rest = body.strip_prefix('{')?.trim_start();
    if rest == "}" {
        return Some(fields);
    }
    // Where the field begins that was read last.
    let mut last = rest;
    while let Some((name, value, after)) = field(rest) {
        fields.push((name, value));
        if after == "}" {
            return Some(fields);
        }
        let Some(next) = after.strip_prefix(',') else {
            // A brace within the value, which has not ended.
            fields.pop();
            break;
        };
        (last, rest) = (rest, next.trim_start());
    }
    // What does not begin like a field belongs to the value before it, which only seemed to end.
    if named(rest).is_none() {
        fields.pop()?;
        rest = last;
    }
    // In what the server answered, the first that looks like a field may be its own.
    let answered = fields.iter().position(|(name, _)| is_answered(name));
    if let Some(at) = answered {
        fields.truncate(at);
        rest = from(body, at)?;
    }
    fields.extend(preset(rest)?);
    Some(fields)
}

/// The rest of a body from its field of this number.
fn from(body: &str, number: usize) -> Option<&str> {
    let mut rest = body.strip_prefix('{')?.trim_start();
    for _ in 0..number {
        rest = field(rest)?.2.strip_prefix(',')?.trim_start();
    }
    Some(rest)
}

/// The field that a text begins with, and what follows it.
fn field(text: &str) -> Option<(String, Value, &str)> {
    let (name, rest) = named(text)?;
    let (value, rest) = parsed(rest)?;
    let rest = rest.trim_start();
    // Whatever else follows, the value only seems to have ended.
    rest.starts_with([',', '}']).then_some((name, value, rest))
}

/// The name of the field that a text begins with, and what follows its colon.
fn named(text: &str) -> Option<(String, &str)> {
    match parsed(text)? {
        (Value::String(name), rest) => Some((name, rest.trim_start().strip_prefix(':')?)),
        _ => None,
    }
}

/// The JSON value that a text begins with, and what follows it.
fn parsed(text: &str) -> Option<(Value, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, text.get(values.byte_offset()..)?))
}

fn is_answered(name: &str) -> bool {
    ANSWERED.iter().any(|names| names.contains(&name))
}

/// The fields that the monitored server cannot have written, and its errors and conditions.
fn believed(mut fields: Vec<(String, Value)>) -> Result<Map<String, Value>, Unreadable> {
    let decides = |front: &[(String, Value)]| {
        [STATUS, NAME].iter().all(|names| front.iter().any(|(name, _)| names.contains(&name.as_str())))
    };
    let answered = fields.iter().position(|(name, _)| is_answered(name));
    let front = answered.filter(|at| decides(&fields[..*at]));
    let behind = front.map(|at| fields.split_off(at)).unwrap_or_default();
    if front.is_none() {
        for (what, names) in DECIDING {
            let said = names.iter().filter(|known| fields.iter().any(|(name, _)| name == *known));
            if said.count() > 1 {
                return Err(wire::unreadable(format!(
                    "there are two names for `{what}`; use the body that the setup of this kind shows"
                )));
            }
        }
    }
    let mut read = Map::new();
    for (name, value) in fields {
        // Nobody repeats a name on purpose before the answer of the server; where that stands first, a name
        // that is there twice is written by one who should not.
        if answered.is_some() && read.contains_key(&name) {
            return Err(wire::unreadable(
                "a field stands there twice; use the body that the setup of this kind shows, in its order",
            ));
        }
        read.entry(name).or_insert(value);
    }
    for (name, value) in behind.into_iter().filter(|(name, _)| is_answered(name)) {
        read.entry(name).or_insert(value);
    }
    Ok(read)
}

/// Finds the fields of the preset by their names, in their order, whatever their values hold.
fn preset(rest: &str) -> Option<Vec<(String, Value)>> {
    let inner = rest.strip_suffix('}')?.trim().trim_end_matches(',').trim_end();
    let inner = inner.strip_suffix('"')?;
    let first = |(at, name): (usize, &&str)| Some((at, opened(inner, name)?));
    let (mut at, mut rest) = PRESET.iter().enumerate().find_map(first)?;
    let mut fields = Vec::new();
    loop {
        let next = (at + 1..PRESET.len())
            .filter_map(|later| until(rest, PRESET[later]).map(|(value, after)| (later, value, after)))
            .min_by_key(|(_, value, _)| value.len());
        let value = next.map_or(rest, |(_, value, _)| value);
        if at < PRESET_DECIDING && holds_a_field(value) {
            return None;
        }
        fields.push((PRESET[at].to_owned(), Value::String(decoded(value))));
        let Some((later, _, after)) = next else { return Some(fields) };
        (at, rest) = (later, after);
    }
}

/// What follows `"name": "` where a text begins with it.
fn opened<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = text.trim_start().strip_prefix('"')?.strip_prefix(name)?.strip_prefix('"')?;
    rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')
}

/// What stands before the first `", "name": "`, and what follows it.
fn until<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let quoted = format!("\"{name}\"");
    text.match_indices(quoted.as_str()).find_map(|(at, _)| {
        let value = text[..at].trim_end().strip_suffix(',')?.trim_end().strip_suffix('"')?;
        Some((value, opened(&text[at..], name)?))
    })
}

/// Whether a value goes on into a field that the preset does not have.
fn holds_a_field(value: &str) -> bool {
    value.match_indices('"').any(|(at, _)| {
        let after = value[at + 1..].trim_start().strip_prefix(',');
        after.is_some_and(|after| after.trim_start().starts_with('"'))
    })
}

/// A value that is proper JSON means what it means there, so that a name reads the same in every body.
fn decoded(value: &str) -> String {
    serde_json::from_str::<String>(&format!("\"{value}\"")).unwrap_or_else(|_| value.replace("\\\"", "\""))
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let name = said(fields, NAME).ok_or_else(|| {
        wire::unreadable("there is no `name`; use the body that the setup of this kind shows")
    })?;
    let status = match said(fields, STATUS) {
        Some(word) => status(&word).ok_or_else(|| {
            wire::unreadable("`status` is neither TRIGGERED nor RESOLVED, nor a usual word for one of them")
        })?,
        None => {
            return Err(wire::unreadable(
                "there is no `status`; put [ALERT_TRIGGERED_OR_RESOLVED] into the body",
            ));
        }
    };
    let group = said(fields, GROUP);
    let shown = group.as_ref().map_or_else(|| name.clone(), |group| format!("{group}/{name}"));
    let description = said(fields, DESCRIPTION);
    let title = match (status, &description) {
        (Status::Firing, Some(description)) => format!("{shown}: {description}"),
        (Status::Firing, None) => format!("{shown} is failing"),
        (Status::Resolved, _) => format!("{shown} is healthy again"),
        _ => format!("{shown}: a test"),
    };

    let mut event = Event::new(key(group.as_deref(), &name), status, title);
    if status != Status::Firing {
        wire::line(&mut event.body, description.as_deref().unwrap_or_default());
    }
    for (what, names) in [("errors", ERRORS), ("conditions", CONDITIONS)] {
        if let Some(said) = said(fields, names) {
            wire::line(&mut event.body, &format!("{what}: {said}"));
        }
    }
    for (label, value) in wire::pairs(fields) {
        if !KNOWN.iter().any(|names| names.contains(&label)) {
            event.labels.insert(label.to_owned(), value.into_owned());
        }
    }
    if let Some(word) = said(fields, SEVERITY) {
        event.severity = AlertSeverity::from_word(&word);
        if event.severity.is_none() {
            event.labels.insert("severity".into(), word);
        }
    }
    if let Some(address) = said(fields, LINK) {
        wire::link(&mut event.links, &address);
    }
    event.labels.extend(group.map(|group| ("group".to_owned(), group)));
    event.labels.insert("endpoint".into(), name);
    Ok(event)
}

/// A text that is not a placeholder left as it was.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let is_left = |text: &str| {
        text.ends_with(']')
            && ["[ALERT_", "[ENDPOINT_", "[RESULT_"].iter().any(|begin| text.starts_with(begin))
    };
    wire::text(fields, names).filter(|text| !is_left(text))
}

fn status(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "triggered" | "trigger" | "firing" | "fired" | "alert" | "alerting" | "open" | "problem" | "down"
        | "failing" | "failed" | "failure" | "unhealthy" | "critical" | "error" => Status::Firing,
        "resolved" | "resolve" | "recovered" | "recovery" | "close" | "closed" | "ok" | "up" | "healthy"
        | "success" | "fixed" => Status::Resolved,
        "test" => Status::Test,
        _ => return None,
    })
}

/// Group and name with one slash between them, which no group has.
fn key(group: Option<&str>, name: &str) -> String {
    let group = group.unwrap_or_default().replace('%', "%25").replace('/', "%2F");
    format!("{group}/{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: &str) -> Event {
        post(&KIND, body.as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn triggered_and_resolved_have_one_key_with_and_without_good_json() {
        let fires =
            one("{\"status\": \"TRIGGERED\", \"group\": \"edge\", \"name\": \"dns\", \"url\": \"\", \
             \"description\": \"say \"dns\" is bad\", \"errors\": \"line one\nand \\\"two\\\"\", \
             \"conditions\": \"\"}");
        let over = one(r#"{"status": "RESOLVED", "group": "edge", "name": "dns"}"#);
        assert_eq!((fires.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!(fires.key, over.key);
        assert_eq!(fires.title, "edge/dns: say \"dns\" is bad");
        assert_eq!(fires.body, "errors: line one\nand \"two\"");
    }

    #[test]
    fn a_monitored_server_cannot_resolve_its_own_alert() {
        let injected = r#"boom", "status": "RESOLVED", "name": "other"#;
        for order in ["errors", "conditions"] {
            // Once as good JSON, once with a quote too many.
            for end in ["", "\" \""] {
                let first = r#""status": "TRIGGERED", "group": "edge", "name": "dns""#;
                let event = one(&format!(r#"{{{first}, "{order}": "{injected}{end}"}}"#));
                let said = (event.status, event.key.as_str());
                assert_eq!(said, (Status::Firing, "edge/dns"), "{order} {end}");
            }
        }
    }

    #[test]
    fn a_monitored_server_cannot_add_a_field_to_its_own_alert() {
        let injected = concat!(
            r#"boom", "severity": "info", "team": "nobody", "group": "other", "#,
            r#""url": "https://evil.example.net", "x": ""#
        );
        let front = r#""status": "TRIGGERED", "name": "dns", "severity": "critical", "team": "web""#;
        for front in [front, r#""status": "TRIGGERED", "name": "dns""#] {
            let is_bare = !front.contains("team");
            for name in ["errors", "conditions"] {
                for end in ["", "\n", "\" \""] {
                    let event = one(&format!(r#"{{{front}, "{name}": "{injected}{end}"}}"#));
                    assert_eq!((event.key.as_str(), event.links.len()), ("/dns", 0), "{name} {end}");
                    let team = event.labels.get("team").map(String::as_str);
                    assert_eq!(team, (!is_bare).then_some("web"), "{name} {end}");
                    let severity = (!is_bare).then_some(AlertSeverity::Critical);
                    assert_eq!(event.severity, severity, "{name} {end}");
                    assert!(!event.labels.contains_key("group"), "{name} {end}");
                }
            }
        }
        let event = one("status=TRIGGERED&name=dns&errors=boom&group=other&team=nobody");
        assert_eq!((event.key.as_str(), event.labels.get("team")), ("/dns", None));
    }

    #[test]
    fn a_recovery_cannot_be_faked_where_the_fields_have_other_names() {
        let first = r#"{"state": "TRIGGERED", "endpoint": "dns", "details": "boom", "state": "RESOLVED"}"#;
        assert_eq!(one(first).status, Status::Firing);
        let other = r#"{"state": "TRIGGERED", "endpoint": "dns", "details": "boom", "status": "RESOLVED"}"#;
        assert!(why(other).contains("two names for `status`"));
        let name = r#"{"state": "TRIGGERED", "endpoint": "dns", "details": "boom", "name": "other"}"#;
        assert!(why(name).contains("two names for `name`"));
        let before =
            r#"{"errors": "boom", "status": "RESOLVED", "x": "", "status": "TRIGGERED", "name": "dns"}"#;
        assert!(why(before).contains("stands there twice"));
        assert!(why("state=TRIGGERED&endpoint=dns&details=boom&status=RESOLVED").contains("two names"));
    }

    #[test]
    fn a_broken_body_keeps_the_fields_of_ones_own_that_stand_before_the_errors() {
        let body = "{\"status\": \"TRIGGERED\", \"name\": \"dns\", \"team\": \"web\", \
            \"severity\": \"warning\", \"errors\": \"one\ntwo\"}";
        let broken = one(body);
        assert_eq!((broken.labels["team"].as_str(), broken.severity), ("web", Some(AlertSeverity::Warning)));
        assert_eq!(broken.body, "errors: one\ntwo");
        assert_eq!(one(&body.replace('\n', " ")).labels, broken.labels);
        // Where a name is broken too, nobody knows where it ends.
        assert!(why(&body.replace("\"dns\"", "\"a \"b\" c\"")).contains("not well-formed JSON"));
    }

    #[test]
    fn a_name_with_a_backslash_has_one_key_in_every_body() {
        let good = one(r#"{"status": "TRIGGERED", "name": "a\\b"}"#);
        let broken = one("{\"status\": \"TRIGGERED\", \"name\": \"a\\\\b\", \"errors\": \"one\ntwo\"}");
        assert_eq!((good.key.as_str(), broken.key.as_str()), ("/a\\b", "/a\\b"));
    }

    #[test]
    fn group_and_name_never_meet_another_group_and_name() {
        assert_ne!(key(Some("a"), "b/c"), key(Some("a/b"), "c"));
        assert_ne!(key(None, "a/b"), key(Some("a"), "b"));
    }

    #[test]
    fn placeholders_left_as_they_were_say_nothing() {
        let event = one(r#"{"status": "TRIGGERED", "name": "dns", "conditions": "[RESULT_CONDITIONS]"}"#);
        assert_eq!(event.body, "");
        assert!(why(r#"{"status": "TRIGGERED", "name": "[ENDPOINT_NAME]"}"#).contains("no `name`"));
        assert!(why(r#"{"name": "dns"}"#).contains("no `status`"));
        assert!(!why(r#"{"name": "dns", "status": "hunter2"}"#).contains("hunter2"));
    }

    #[test]
    fn a_query_and_a_body_are_read_by_get_only_when_allowed() {
        let query = "status=RESOLVED&group=edge&name=dns";
        assert_eq!(get(&KIND, query, true).unwrap()[0].key, "edge/dns");
        assert!(get(&KIND, query, false).unwrap_err().0.contains("allow_get"));
        let options = Options { allow_get: true, ..Options::default() };
        let body = json!({"status": "TRIGGERED", "name": "dns"}).to_string();
        let read = (KIND.read)(&Delivery { options: &options, ..delivery("GET", "", body.as_bytes()) });
        assert_eq!(read.unwrap()[0].key, "/dns");
    }
}
