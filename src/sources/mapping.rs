//! Bodies of a sender's own, read with expressions of the operator (`[source.map]`).
//!
//! An expression (`expression.rs`) gives one field of an event. What it may see: `body` (JSON; a map for a form,
//! or for a query without a body; a text for any other body), `query` (a map), `headers` (a map of those the
//! operator named) and, where `each` gives a list, `item`. Nothing else: neither the token, nor any other header, nor the configuration.
//!
//! `status` is asked first: where it is none or empty, the sender says nothing that matters here, and no other expression is asked.
//! What is not mapped is read as `generic` reads it: from the item where there is `each`, and else from the body. Whatever an
//! expression gives is read as `generic` reads a field of that name, so words for states, severities and times are its words.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use minijinja::value::ValueKind;
use minijinja::{Value, context};
use serde_json::{Map, Value as Json};

use super::expression::{Engine, Purse, place, plain, variable};
use super::{Delivery, Unreadable, fields, wire};
use crate::core::alert::{EVENTS_MAX, Event};

/// What may be mapped: a list of which every item is an event, and the fields of an event.
pub const FIELDS: &[&str] = &[
    EACH,
    "key",
    "status",
    "severity",
    "title",
    "body",
    "labels",
    "links",
    "occurred_at",
    "delivery_id",
    "group",
];
/// Most headers that expressions may see.
pub const HEADERS_MAX: usize = 16;

const EACH: &str = "each";
/// Headers with one of these in their name carry a secret, or prove who somebody is.
const SECRET_WORDS: &[&str] = &[
    "assertion",
    "auth",
    "client-cert",
    "cookie",
    "jwt",
    "oidc",
    "principal",
    "token",
    "secret",
    "passw",
    "passphrase",
    "signature",
    "credential",
    "session",
    "csrf",
    "xsrf",
    "api-key",
    "apikey",
    "api_key",
    "access-key",
    "private-key",
];

/// The expressions of one source, ready to use.
pub struct Mapping {
    engine: Engine,
    texts: BTreeMap<String, String>,
    headers: Vec<String>,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one.
    pub field: String,
    /// Where in its text, in bytes.
    pub piece: Range<usize>,
    /// A sentence that names the expression and the place in it.
    pub why: String,
}

impl Mapping {
    /// Makes expressions ready, by the field that each gives, and lets them see these headers.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(texts: &BTreeMap<String, String>, headers: &[String]) -> Result<Self, Vec<Fault>> {
        let mut engine = Engine::new();
        let mut known = vec!["body", "headers", "query"];
        let mut faults = Vec::new();
        // `each` comes first: it cannot see its own items.
        for field in FIELDS {
            if let Some(text) = texts.get(*field)
                && let Err((piece, why)) = engine.add(field, text, &known)
            {
                let why = format!("`{field}`, at {} of `{text}`: {why}", place(text, piece.start));
                faults.push(Fault { field: (*field).into(), piece, why });
            }
            if *field == EACH && texts.contains_key(EACH) {
                known.push("item");
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { engine, texts: texts.clone(), headers: headers.to_vec() })
    }

    /// Whether its expressions see a header, by its name in lower case.
    pub fn reads(&self, name: &str) -> bool {
        self.headers.iter().any(|known| known == name)
    }

    fn has(&self, field: &str) -> bool {
        self.texts.contains_key(field)
    }

    /// The items of `each`; nothing when it gives none.
    fn items(&self, variables: &Value, purse: &mut Purse) -> Result<Vec<Value>, Unreadable> {
        let wrong = |why: &str| wire::unreadable(format!("`{EACH}`: {why}"));
        let list = self.engine.value(EACH, variables, purse).map_err(|why| wrong(&why))?;
        match list.kind() {
            ValueKind::None => return Ok(Vec::new()),
            ValueKind::Seq | ValueKind::Iterable => {}
            _ => return Err(wrong("the expression gives no list")),
        }
        let items = list.try_iter().map_err(|_| wrong("the expression gives no list"))?;
        let items: Vec<Value> = items.take(EVENTS_MAX + 1).collect();
        if items.len() > EVENTS_MAX {
            return Err(wrong(&format!("there are more than {EVENTS_MAX} items")));
        }
        Ok(items)
    }

    /// One event; nothing when `status` says nothing. `from` holds what is not mapped.
    fn event(&self, variables: &Value, from: &Value, purse: &mut Purse) -> Result<Option<Event>, Unreadable> {
        let mut fields = Map::new();
        if self.has("status") {
            let said = self.field("status", variables, purse)?;
            let Some(word) = wire::scalar(&said) else { return Ok(None) };
            if wire::status(&word).is_none() {
                return Err(wire::unreadable(
                    "`status`: the expression gives none of firing, resolved, acknowledged, info and test, \
                     nor a word for one",
                ));
            }
            fields.insert("status".into(), said);
        }
        for (field, names) in fields::FIELDS {
            if *field == "status" && self.has(field) {
                continue;
            }
            if self.has(field) {
                fields.insert((*field).into(), self.field(field, variables, purse)?);
            } else {
                unmapped(names, from, &mut fields, purse)?;
            }
        }
        if fields.get("key").and_then(wire::scalar).is_none() && self.has("key") {
            return Err(wire::unreadable(
                "`key`: the expression gives nothing; a key must be the same when the alert fires and when it is over",
            ));
        }
        let no_body = self.has("body") && fields.get("body").and_then(wire::flat).is_none();
        let mut event = fields::event(fields)?;
        if no_body {
            event.body.clear();
        }
        wire::bounded(event).map(Some)
    }

    /// What an expression gives for a field, when it is something such a field can be.
    fn field(&self, field: &str, variables: &Value, purse: &mut Purse) -> Result<Json, Unreadable> {
        let value = self.engine.json(field, variables, purse);
        let value = value.map_err(|why| wire::unreadable(format!("`{field}`: {why}")))?;
        let (fits, wanted) = match (field, &value) {
            ("body", _) | (_, Json::Null) => (true, ""),
            ("labels", value) => (value.is_object() || value.is_array() || value.is_string(), "a map"),
            ("links", value) => (value.is_array() || value.is_string(), "a list of addresses"),
            (_, value) => (!value.is_object() && !value.is_array(), "a text"),
        };
        if fits {
            return Ok(value);
        }
        let text = self.texts.get(field).map_or("", String::as_str);
        let (place, shape) = (place(text, 0), wire::shape(&value));
        Err(wire::unreadable(format!("`{field}`: the expression, at {place}, gives {shape}, not {wanted}")))
    }
}

/// The fields of these names, as they came.
fn unmapped(
    names: &[&str],
    from: &Value,
    fields: &mut Map<String, Json>,
    purse: &mut Purse,
) -> Result<(), Unreadable> {
    if from.kind() != ValueKind::Map {
        return Ok(());
    }
    for name in names.iter().filter(|name| !fields.contains_key(**name)).collect::<Vec<_>>() {
        let Ok(value) = from.get_attr(name) else { continue };
        if !value.is_undefined() {
            let value = plain(&value, purse, 0);
            let value = value.map_err(|_| wire::unreadable(format!("`{name}` of the body is too large")))?;
            fields.insert((*name).to_owned(), value);
        }
    }
    Ok(())
}

/// Reads one delivery.
pub(super) fn read(mapping: &Mapping, delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut purse = Purse::default();
    let body = body(delivery)?;
    let query = match delivery.query {
        "" => Map::new(),
        query => wire::form(query)?,
    };
    let query = variable(Json::Object(query));
    let seen = delivery.headers.iter().filter(|(name, _)| mapping.reads(name));
    let headers = Value::from_pairs(seen.map(|(name, value)| (name.as_str(), value.as_str())));
    let shared = |item: &Value| context! { body => body.clone(), query => query.clone(), headers => headers.clone(), item => item.clone() };
    let variables = shared(&Value::UNDEFINED);
    if !mapping.has(EACH) {
        return Ok(mapping.event(&variables, &body, &mut purse)?.into_iter().collect());
    }
    let items = mapping.items(&variables, &mut purse)?;
    // An item that cannot be read does not hold back the others.
    let (mut events, mut first) = (Vec::new(), None);
    for (index, item) in items.into_iter().enumerate() {
        match mapping.event(&shared(&item), &item, &mut purse) {
            Ok(event) => events.extend(event),
            Err(Unreadable(why, _)) => {
                first.get_or_insert_with(|| format!("item[{index}]: {why}"));
                if purse.is_empty() {
                    break;
                }
            }
        }
    }
    match first {
        None => Ok(events),
        Some(why) => Err(Unreadable(why, events)),
    }
}

/// The body as expressions see it.
fn body(delivery: &Delivery<'_>) -> Result<Value, Unreadable> {
    if delivery.method == "GET" {
        return wire::fields(delivery).map(Json::Object).map(variable);
    }
    let body = wire::utf8(delivery.body)?;
    if body.is_empty() {
        return wire::form(delivery.query).map(Json::Object).map(variable);
    }
    if body.starts_with(['{', '[']) {
        return match wire::json(body, "the body") {
            Ok(body) => Ok(variable(body)),
            // `[warning] the disk is full` is a text. A list that was cut off is not.
            Err(_) if !begins_json(body) => Ok(Value::from(body)),
            Err(why) => Err(why),
        };
    }
    if fields::is_form(delivery, body)? {
        return wire::form(body).map(Json::Object).map(variable);
    }
    Ok(Value::from(body))
}

/// Whether what follows a bracket can begin a value of JSON.
fn begins_json(body: &str) -> bool {
    let Some(inner) = body.strip_prefix('[').map(str::trim_start) else { return true };
    inner.is_empty()
        || inner.starts_with(|c: char| matches!(c, '{' | '[' | ']' | '"' | '-') || c.is_ascii_digit())
        || ["true", "false", "null"].iter().any(|word| inner.starts_with(word))
}

/// The name of a header that expressions may see, in lower case.
///
/// # Errors
/// Why they may not, for the operator.
pub fn header(name: &str) -> Result<String, String> {
    let name = name.trim().to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err("this is no name of a header".into());
    }
    if SECRET_WORDS.iter().any(|word| name.contains(word)) {
        return Err(format!(
            "`{name}` carries a secret, or proves who somebody is: expressions never see it, for what they give is kept \
             and sent to people"
        ));
    }
    Ok(name)
}

impl fmt::Debug for Mapping {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Mapping").field("texts", &self.texts).field("headers", &self.headers).finish()
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        (&self.texts, &self.headers) == (&other.texts, &other.headers)
    }
}

impl Eq for Mapping {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::core::alert::{AlertSeverity, Status};
    use crate::sources::tests::{delivery, some_json};
    use crate::sources::{Kind, Options};

    const KIND: Kind = crate::sources::generic::KIND;

    const UPS: &[(&str, &str)] = &[
        ("each", "body.alarms"),
        ("key", "body.device ~ '/' ~ item.sensor"),
        ("status", "'resolved' if item.state == 'normal' else 'firing'"),
        ("severity", "item.level"),
        ("title", "body.device ~ ': ' ~ item.text"),
        ("labels", "{'site': body.site}"),
        ("links", "[item.url]"),
    ];

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect()
    }

    fn options(pairs: &[(&str, &str)], headers: &[&str]) -> Options {
        let headers: Vec<String> = headers.iter().map(|name| (*name).to_owned()).collect();
        let mapping = Mapping::new(&texts(pairs), &headers).unwrap();
        Options { mapping: Some(mapping.into()), ..Options::default() }
    }

    fn sent(pairs: &[(&str, &str)], body: &[u8]) -> Result<Vec<Event>, Unreadable> {
        (KIND.read)(&Delivery { options: &options(pairs, &[]), ..delivery("POST", "", body) })
    }

    fn said(pairs: &[(&str, &str)], body: &Json) -> Vec<Event> {
        sent(pairs, body.to_string().as_bytes()).unwrap()
    }

    fn one(pairs: &[(&str, &str)], body: &Json) -> Event {
        said(pairs, body).remove(0)
    }

    fn why(pairs: &[(&str, &str)], body: &Json) -> String {
        sent(pairs, body.to_string().as_bytes()).unwrap_err().0
    }

    fn fault(field: &str, text: &str) -> Fault {
        let mut pairs = vec![("key", "'k'")];
        pairs.retain(|(other, _)| *other != field);
        pairs.push((field, text));
        Mapping::new(&texts(&pairs), &[]).unwrap_err().remove(0)
    }

    fn alarm(state: &str) -> Json {
        json!({"sensor": "battery", "state": state, "level": "major", "text": "low", "url": "https://ups.example.net/7"})
    }

    #[test]
    fn a_device_fires_and_recovers_under_one_key() {
        let body = |state: &str| json!({"device": "ups-7", "site": "osl", "alarms": [alarm(state)]});
        let (fires, recovers) = (one(UPS, &body("low")), one(UPS, &body("normal")));
        assert_eq!((fires.status, recovers.status), (Status::Firing, Status::Resolved));
        assert_eq!((fires.key.as_str(), recovers.key.as_str()), ("ups-7/battery", "ups-7/battery"));
        assert_eq!(fires.severity, Some(AlertSeverity::Error));
        assert_eq!(fires.title, "ups-7: low");
        assert_eq!(fires.labels["site"], "osl");
        assert_eq!(fires.links, ["https://ups.example.net/7"]);
    }

    #[test]
    fn every_item_is_an_event_and_a_broken_one_is_named() {
        let mut body = json!({"device": "ups-7", "site": "osl", "alarms": [alarm("low"), alarm("normal"), alarm("low")]});
        assert_eq!(said(UPS, &body).len(), 3);
        body["alarms"][2]["sensor"].take();
        body["alarms"][2].as_object_mut().unwrap().remove("text");
        let why = why(UPS, &body);
        assert!(why.starts_with("item[2]: `title`: the expression, at character"), "{why}");
        body["alarms"] = json!([]);
        assert_eq!(said(UPS, &body), []);
        body["alarms"] = json!(null);
        assert_eq!(said(UPS, &body), []);
    }

    #[test]
    fn a_status_that_says_nothing_leaves_the_alert_out_and_asks_nothing_else() {
        let map = [("key", "body.device"), ("status", "body.state if body.kind == 'alarm' else none")];
        assert_eq!(said(&map, &json!({"kind": "heartbeat"})), []);
        assert_eq!(said(&map, &json!({"kind": "alarm", "state": " ", "device": "d"})), []);
        let fires = one(&map, &json!({"kind": "alarm", "state": "alarm", "device": "d"}));
        assert_eq!((fires.key.as_str(), fires.status), ("d", Status::Firing));
    }

    #[test]
    fn only_the_key_is_needed_and_the_rest_is_read_as_ever() {
        let map = [("key", "body.device.id")];
        let body = json!({"key": "not this", "device": {"id": 7.0}, "state": "ok", "summary": "s", "tags": ["a=b"],
            "message": "m", "priority": "p1", "url": "https://a.example", "timestamp": 1_767_323_045});
        let event = one(&map, &body);
        assert_eq!((event.key.as_str(), event.status, event.title.as_str()), ("7", Status::Resolved, "s"));
        assert_eq!((event.body.as_str(), event.labels["a"].as_str()), ("m", "b"));
        assert_eq!((event.severity, event.links.len()), (Some(AlertSeverity::Critical), 1));
        assert_eq!(event.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(one(&map, &json!({"device": {"id": "d"}})).status, Status::Firing);
    }

    #[test]
    fn what_is_not_mapped_is_read_from_the_item() {
        let map = [("each", "body"), ("key", "item.id")];
        let body = json!([{"id": 1, "status": "ok"}, {"id": 2, "title": "t"}, {"id": 3, "fingerprint": "x"}]);
        let events = said(&map, &body);
        let told: Vec<_> = events.iter().map(|event| (event.key.as_str(), event.status.as_str())).collect();
        assert_eq!(told, [("1", "resolved"), ("2", "firing"), ("3", "firing")]);
        assert_eq!(events[1].title, "t");
    }

    #[test]
    fn what_is_mapped_hides_every_other_name_of_the_field() {
        let map = [("key", "'k'"), ("body", "none"), ("severity", "none"), ("group", "body.rack")];
        let body = json!({"message": "m", "title": "t", "priority": "p1", "group_key": "g", "rack": "r"});
        let event = one(&map, &body);
        assert_eq!((event.body.as_str(), event.severity), ("", None));
        assert_eq!(event.group.as_deref(), Some("r"));
    }

    #[test]
    fn forms_queries_and_texts_are_seen() {
        let map = [("key", "body.device"), ("title", "query.rack|default('none')")];
        let form = sent(&map, b"device=ups-7&device=no&text=low").unwrap().remove(0);
        assert_eq!((form.key.as_str(), form.title.as_str()), ("ups-7", "none"));
        let options_ = options(&map, &[]);
        let posted = Delivery { options: &options_, ..delivery("POST", "device=ups-8&rack=r", b"") };
        let posted = (KIND.read)(&posted).unwrap().remove(0);
        assert_eq!((posted.key.as_str(), posted.title.as_str()), ("ups-8", "r"));
        let got = Delivery { options: &options_, ..delivery("GET", "device=ups-8", b"") };
        assert!((KIND.read)(&got).unwrap_err().0.contains("`allow_get`"));
        let options_ = Options { allow_get: true, ..options_ };
        let got = Delivery { options: &options_, ..delivery("GET", "device=ups-8", b"") };
        assert_eq!((KIND.read)(&got).unwrap()[0].key, "ups-8");
        let words = [("key", "(body|split(']')|last)|trim|lower"), ("body", "body")];
        let text = sent(&words, b"[warning] Disk FULL").unwrap().remove(0);
        assert_eq!((text.key.as_str(), text.body.as_str()), ("disk full", "[warning] Disk FULL"));
        assert!(sent(&words, b"{\"broken\": ").unwrap_err().0.contains("ends too early"));
        assert!(sent(&words, b" ").unwrap_err().0.contains("neither a body nor a query"));
    }

    #[test]
    fn expressions_see_the_headers_that_are_named_and_no_others() {
        let map = [("key", "headers['x-device']"), ("title", "headers['x-other']|default('hidden')")];
        let options = options(&map, &["x-device"]);
        let headers = [("x-device".to_owned(), "ups-7".to_owned()), ("x-other".into(), "hunter2".into())];
        let sent = Delivery { options: &options, headers: &headers, ..delivery("POST", "", b"{}") };
        let event = (KIND.read)(&sent).unwrap().remove(0);
        assert_eq!((event.key.as_str(), event.title.as_str()), ("ups-7", "hidden"));
        assert!(options.reads("x-device") && !options.reads("x-other") && !options.reads("authorization"));
    }

    #[test]
    fn headers_that_carry_secrets_are_refused_in_any_case() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "COOKIE",
            "set-cookie",
            "X-Auth-Token",
            "x-gitlab-token",
            "x-api-key",
            "webhook-signature",
            "X-Hub-Signature-256",
            "x-secret",
        ] {
            assert!(header(name).unwrap_err().contains("carries a secret"), "{name}");
        }
        assert_eq!(header(" X-Event-Type "), Ok("x-event-type".into()));
        for name in ["", "a b", "x-é", "a:b"] {
            assert!(header(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_said_with_its_place_and_without_the_body() {
        let body = json!({"a": "hunter2", "list": ["hunter2"], "map": {"hunter2": "hunter2"}, "n": 7});
        for (field, text, words) in [
            ("key", "body.b", "`key`: the expression, at character 1 (`body.b`): nothing is there"),
            ("key", "'x' ~ body.b.c", "`key`: the expression, at character 7 (`body.b.c`): nothing is there"),
            (
                "key",
                "'x' ~ body.b ~ 'y'",
                "`key`: the expression, at character 7 (`body.b`): nothing is there",
            ),
            ("key", "'x' ~\n  body.b.c", "at line 2, character 3 (`body.b.c`)"),
            ("key", "body.list", "`key`: the expression, at character 1, gives a list, not a text"),
            ("title", "body.map", "`title`: the expression, at character 1, gives an object, not a text"),
            ("labels", "body.n", "`labels`: the expression, at character 1, gives a number, not a map"),
            ("links", "body.map", "gives an object, not a list of addresses"),
            ("labels", "{'a': body.b}", "`labels`: the expression, at character 7 (`body.b`)"),
            ("key", "none", "`key`: the expression gives nothing"),
            ("key", "'  '", "`key`: the expression gives nothing"),
            ("status", "body.a", "`status`: the expression gives none of firing"),
            ("each", "body.map", "`each`: the expression gives no list"),
            ("each", "body.b", "`each`: the expression, at character 1"),
            ("title", "body.a|int", "`title`: the expression, at character"),
            ("title", "body.a - 1", "`title`: the expression, at character"),
            ("title", "body.a()", "`title`: the expression, at character"),
            ("title", "body.list|join(body.n)|abs", "`title`: the expression, at character"),
            ("key", "body.a * 1000", "bytes; at most 1024 are taken"),
        ] {
            let mut map = vec![("key", "'k'"), (field, text)];
            map.retain(|(other, kept)| *other != field || *kept == text);
            let why = why(&map, &body);
            assert!(why.contains(words), "{text}: {why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn work_without_end_is_stopped() {
        let many: Vec<Json> = (0..5000).map(|number| json!({"n": number})).collect();
        let body = json!({"text": "x".repeat(100_000), "many": many});
        for text in [
            "range(10**9)|join",
            "range(100000)|map('string')|join",
            "range(99999)|list|batch(2)|map('list')|list|sort|join",
            "('x' * 10**9)|length",
            "('x' * 10**6)|replace('x', 'y' * 10**6)",
            "body.text|replace('x', body.text)",
            "body.many|map(attribute='n')|sort|join(body.text)",
            "(body.many * 100)|sort(attribute='n')|unique|join",
            "(body.many * 1000)|list|length",
            "body.text|list|join|list|join|list|join|list|join",
            "(body.text ~ body.text ~ body.text ~ body.text) * 1000",
        ] {
            let why = why(&[("key", text)], &body);
            let stopped = why.contains("it takes too much work") || why.contains("it does not fit");
            assert!(why.starts_with("`key`: the expression, at ") && stopped, "{text}: {why}");
        }
    }

    #[test]
    fn many_items_share_one_purse_of_work_and_one_of_room() {
        let body = json!({"text": "x".repeat(50_000), "many": vec![0; EVENTS_MAX]});
        let dear = [("each", "body.many"), ("key", "range(2000)|join|length")];
        let said = why(&dear, &body);
        assert!(said.contains("item[") && said.contains("too much work"), "{said}");
        let large = [("each", "body.many"), ("key", "'k'"), ("body", "body.text")];
        let said = why(&large, &body);
        assert!(said.contains("`body`") && said.contains("it gives too much"), "{said}");
        let list = [("key", "'k'"), ("body", "[body.text] * 1000")];
        let said = why(&list, &body);
        assert!(said.contains("`body`") && said.contains("it gives too much"), "{said}");
        let too_many = [("each", "body.many ~ [] if false else body.many + [1]"), ("key", "'k'")];
        assert!(why(&too_many, &body).contains("more than 10000 items"));
    }

    #[test]
    fn ten_thousand_items_with_every_field_are_read() {
        let alarms: Vec<Json> = (0..EVENTS_MAX)
            .map(|number| {
                let mut alarm = alarm("low");
                alarm["sensor"] = number.into();
                alarm
            })
            .collect();
        let body = json!({"device": "ups-7", "site": "osl", "alarms": alarms});
        let more = [("body", "item.text|upper"), ("occurred_at", "none"), ("group", "body.site")];
        assert_eq!(said(&[UPS, &more].concat(), &body).len(), EVENTS_MAX);
    }

    #[test]
    fn what_is_too_deep_is_refused_on_both_sides() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(sent(&[("key", "'k'")], deep.as_bytes()).unwrap_err().0.contains("128 levels"));
        let object = "{\"a\":".repeat(1000) + "1" + &"}".repeat(1000);
        assert!(sent(&[("key", "'k'")], object.as_bytes()).unwrap_err().0.contains("128 levels"));
        let body = "[".repeat(120) + &"]".repeat(120);
        let wrapped = [("key", "'k'"), ("body", "[[[[[[[[[[[[body]]]]]]]]]]]]")];
        assert!(sent(&wrapped, body.as_bytes()).unwrap_err().0.contains("nested more than 128 levels"));
        let far = "[".repeat(500);
        assert!(fault("key", &far).why.contains("recursion"), "{far}");
    }

    #[test]
    fn a_typing_error_is_found_when_it_is_loaded_with_its_place() {
        for (field, text, piece, words) in [
            ("key", "body.device ~", 12..13, "`key`, at character 13 of `body.device ~`: "),
            ("title", "boddy.device", 0..5, "nothing is called `boddy`; there are body, headers, query"),
            ("title", "item.text", 0..4, "nothing is called `item`"),
            ("each", "item", 0..4, "nothing is called `item`"),
            ("status", "body.a|defualt('')", 7..14, "there is no filter `defualt`"),
            ("status", "body.a is not definde", 14..21, "there is no test `definde`"),
            ("body", "debug()", 0..5, "nothing is called `debug`"),
            ("body", "'é' ~ b", 7..8, "`body`, at character 7 of"),
            ("body", "1)%}{%include 'key'%}{%set x=(1", 1..2, "`body`, at character 2"),
            ("body", "body(body\u{5c5}x)", 9..11, "`body`, at character 10"),
            ("body", "body }} {{ body", 5..7, "`body`, at character 6"),
            ("links", "", 0..0, "`links`, at character 1 of ``: "),
        ] {
            let fault = fault(field, text);
            assert!(fault.why.contains(words), "{text}: {}", fault.why);
            assert_eq!((fault.field.as_str(), fault.piece.start), (field, piece.start), "{text}: {fault:?}");
            assert!(text.get(fault.piece.clone()).is_some(), "{text}: {fault:?}");
        }
        let long = format!("'{}'", "x".repeat(5000));
        assert!(fault("key", &long).why.contains("at most 4096"));
    }

    #[test]
    fn words_in_texts_and_names_of_fields_are_not_taken_for_variables() {
        for text in [
            "'| nofilter is notest' ~ body.x",
            "body['it is'] ~ \"a \\\" | b\"",
            "body.is ~ body.body",
            "body.x|default('')|upper",
            "body.x is defined and body.y is not none",
            "dict(a=1).a ~ range(3)|join",
            "body.many|selectattr('level', 'equalto', 'x')|map(attribute='name')|join(',')",
        ] {
            assert_eq!(Mapping::new(&texts(&[("key", text)]), &[]).err(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_json_is_read_is_within_the_limits(body in some_json()) {
            let each = [("each", "body.alerts|default([body])"), ("key", "item.key|default('k')"), ("labels", "item")];
            let plain = [("key", "body|string|length"), ("body", "body"), ("title", "body.title|default(none)")];
            let keys = [("key", "body|list|join"), ("links", "body.links|default([])"), ("status", "body.status|default('')")];
            for map in [UPS, &each, &plain, &keys] {
                for event in sent(map, body.to_string().as_bytes()).into_iter().flatten() {
                    prop_assert_eq!(event.clone().bounded(), Ok(event));
                }
            }
        }

        #[test]
        fn whatever_is_taken_for_an_expression_stays_one(text in "[a-z0-9(){}%|.,'\"~ \\[\\]-]{0,24}") {
            if let Ok(mapping) = Mapping::new(&texts(&[("key", &text)]), &[]) {
                let options = Options { mapping: Some(mapping.into()), ..Options::default() };
                let sent = Delivery { options: &options, ..delivery("POST", "", b"{\"a\": [1, {\"b\": 2}]}") };
                for event in (KIND.read)(&sent).into_iter().flatten() {
                    prop_assert_eq!(event.clone().bounded(), Ok(event));
                }
            }
        }
    }
}
