//! What the adapters share: lenient reading of JSON, forms, scalars and times.
//!
//! Senders put numbers into texts and texts into numbers, begin a body with a byte order mark, and lie
//! about its type. Everything here reads what can be read with one meaning only, and otherwise says in a
//! sentence what is wrong and where, by position and by field name. No sentence quotes the body: it may
//! hold secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Delivery, Unreadable};
use crate::core::alert::{EVENTS_MAX, Event, LINKS_MAX, Status};
use crate::json;

/// Most parameters read from a query or a form. Far more than any sender has.
const PARAMETERS_MAX: usize = 1_000;
/// From here on a Unix time is in milliseconds (as seconds it would lie in the year 5138).
const MILLISECONDS_FROM: f64 = 1e11;
/// From here on a Unix time is in microseconds, and a thousand times later in nanoseconds.
const MICROSECONDS_FROM: f64 = 1e14;
const NANOSECONDS_FROM: f64 = 1e17;
/// Whole numbers up to here are exact in a float, and are written without a fraction.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// An [`Unreadable`] from a sentence.
pub(super) fn unreadable(why: impl Into<String>) -> Unreadable {
    Unreadable(why.into(), Vec::new())
}

/// The body as text, without byte order mark and without surrounding white space.
pub(super) fn utf8(body: &[u8]) -> Result<&str, Unreadable> {
    match std::str::from_utf8(body) {
        Ok(text) => Ok(text.trim_start_matches('\u{feff}').trim()),
        Err(error) => Err(unreadable(format!(
            "the body is not UTF-8: the byte at offset {} fits no character",
            error.valid_up_to()
        ))),
    }
}

/// Parses a JSON text. Nesting deeper than 128 is an error, not a stack overflow, and so are more values than there is room
/// for. `what` names the text in sentences.
pub(super) fn json(text: &str, what: &str) -> Result<Value, Unreadable> {
    if text.is_empty() {
        return Err(unreadable(format!("{what} is empty")));
    }
    json::read(text.as_bytes()).map_err(|fault| unreadable(format!("{what} {fault}")))
}

/// The fields of an object, or a sentence about `what` is something else.
pub(super) fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, Unreadable> {
    value.as_object().ok_or_else(|| unreadable(format!("{what} is {}, not an object", shape(value))))
}

/// What a value is, in words.
pub(super) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A text, number or truth value as trimmed text; nothing for blank texts, null, lists and objects.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.trim()),
        Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        // 7.0 and 7 are the same id, whichever way the sender's language writes it.
        Value::Number(number) => Cow::Owned(match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < WHOLE_MAX => {
                format!("{float:.0}")
            }
            _ => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => Cow::Borrowed(""),
    };
    (!text.is_empty()).then_some(text)
}

/// The first of these fields that holds a non-blank scalar.
pub(super) fn word<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| fields.get(*name).and_then(scalar))
}

/// [`word`], to keep.
pub(super) fn text(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    word(fields, names).map(Cow::into_owned)
}

/// The key of a group of Alertmanager's or Grafana's. One without labels (`{}:{}`) is everything that a receiver gets: that
/// its operator has grouped nothing says of no alert where it belongs.
pub(super) fn group_key(envelope: &Map<String, Value>) -> Option<String> {
    text(envelope, &["groupKey"]).filter(|key| !key.ends_with(":{}"))
}

/// The first of these fields that holds a time.
pub(super) fn time(fields: &Map<String, Value>, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| fields.get(*name).and_then(scalar).as_deref().and_then(moment))
}

/// Reads a time: Unix seconds, milli-, micro- or nanoseconds, RFC 3339, or the same without a zone, which
/// means UTC. A time that is not after 1970 means "not set": senders write 0 and the year 1 for that.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<f64>() {
        Ok(number) => unix(text, number)?,
        Err(_) => text.parse::<Timestamp>().ok().or_else(|| {
            let wall: DateTime = text.parse().ok()?;
            Some(wall.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })?,
    };
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

fn unix(text: &str, number: f64) -> Option<Timestamp> {
    // Whole numbers keep every digit; a float would round nanoseconds.
    let whole = text.parse::<i64>().ok();
    match number.abs() {
        n if n >= NANOSECONDS_FROM => Timestamp::from_nanosecond(i128::from(whole?)).ok(),
        n if n >= MICROSECONDS_FROM => Timestamp::from_microsecond(whole?).ok(),
        n if n >= MILLISECONDS_FROM => {
            #[allow(clippy::cast_possible_truncation)] // below 1e14
            Timestamp::from_millisecond(whole.unwrap_or(number as i64)).ok()
        }
        // Not a number, or infinite, fails all three comparisons or the conversion.
        n if n < MILLISECONDS_FROM => match whole {
            Some(seconds) => Timestamp::from_second(seconds).ok(),
            #[allow(clippy::cast_possible_truncation)] // below 1e17
            None => Timestamp::from_microsecond((number * 1e6).round() as i64).ok(),
        },
        _ => None,
    }
}

/// What a word says about an alert, in the vocabularies of the tools people copy from.
pub(super) fn status(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "firing" | "fire" | "fired" | "trigger" | "triggered" | "open" | "opened" | "create" | "created"
        | "alert" | "alerting" | "alarm" | "problem" | "down" | "failing" | "failed" | "failure"
        | "active" | "new" => Status::Firing,
        "resolved" | "resolve" | "close" | "closed" | "ok" | "up" | "success" | "recovered" | "recovery"
        | "recover" | "normal" | "clear" | "cleared" | "inactive" => Status::Resolved,
        "acknowledged" | "acknowledge" | "acked" | "ack" => Status::Acknowledged,
        "info" | "update" | "note" => Status::Info,
        "test" | "testing" => Status::Test,
        _ => return None,
    })
}

/// The entries of an object as names and values, sorted. Lists of scalars are joined by commas and anything
/// deeper stays JSON, so that nothing a sender says is lost. Blank names and values say nothing.
pub(super) fn pairs(fields: &Map<String, Value>) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    fields
        .iter()
        .filter_map(|(name, value)| Some((name.trim(), flat(value)?)))
        .filter(|(name, _)| !name.is_empty())
}

/// [`pairs`], to keep. What needs no change is not copied.
pub(super) fn labels(fields: Map<String, Value>) -> BTreeMap<String, String> {
    let kept = |text: String| if text.trim().len() == text.len() { text } else { text.trim().to_owned() };
    fields
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::String(text) => kept(text),
                other => flat(&other)?.into_owned(),
            };
            Some((kept(name), value)).filter(|(name, value)| !name.is_empty() && !value.is_empty())
        })
        .collect()
}

/// A value as one text: see [`pairs`].
pub(super) fn flat(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            let items: Vec<Cow<'_, str>> = items.iter().filter_map(scalar).collect();
            (!items.is_empty()).then(|| Cow::Owned(items.join(",")))
        }
        Value::Array(_) => Some(Cow::Owned(value.to_string())),
        Value::Object(fields) => (!fields.is_empty()).then(|| Cow::Owned(value.to_string())),
        _ => scalar(value),
    }
}

/// The fields of a delivery that is JSON, a form, or, where that is allowed, a query.
pub(super) fn fields(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        return form(delivery.query);
    }
    let body = utf8(delivery.body)?;
    if !body.starts_with(['{', '[']) {
        return form(if body.is_empty() { delivery.query } else { body });
    }
    json_object(body)
}

/// Where the fields of a delivery stand, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// In JSON, as far as its first letter says.
    Json(&'a str),
    /// In a form or a query.
    Form(&'a str),
}

/// Finds the fields of a delivery: by GET, where that is allowed, in its query; else in its body, or for want of one in
/// the query. A body that is plain text is refused: no field could be found in it.
pub(super) fn said<'a>(delivery: &Delivery<'a>) -> Result<Said<'a>, Unreadable> {
    if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        if !delivery.query.is_empty() {
            return Ok(Said::Form(delivery.query));
        }
    }
    let body = utf8(delivery.body)?;
    if body.starts_with(['{', '[']) {
        return Ok(Said::Json(body));
    }
    match (body, delivery.query) {
        ("", "") => Err(unreadable("there is neither a body nor a query")),
        ("", query) => Ok(Said::Form(query)),
        (body, _) if body.contains('=') => Ok(Said::Form(body)),
        _ => Err(unreadable("the body is neither a JSON object nor a form")),
    }
}

/// The fields of a query or a form that is not empty. Of a repeated name the first one counts.
pub(super) fn form(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    if encoded.is_empty() {
        return Err(unreadable("there is neither a body nor a query"));
    }
    first_of_each(encoded)
}

/// The parameters of a query or a form as fields. Of a repeated name the first one counts.
pub(super) fn first_of_each(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    for (name, value) in parameters(encoded)? {
        fields.entry(name).or_insert(Value::String(value));
    }
    Ok(fields)
}

/// The fields of a JSON text that has to be an object.
pub(super) fn json_object(text: &str) -> Result<Map<String, Value>, Unreadable> {
    match json(text, "the body")? {
        Value::Object(fields) => Ok(fields),
        other => Err(unreadable(format!("the body is {}, not an object", shape(&other)))),
    }
}

/// The parameters of a query or a form, decoded, in their order. Names may repeat.
pub(super) fn parameters(encoded: &str) -> Result<Vec<(String, String)>, Unreadable> {
    let mut parameters = Vec::new();
    for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
        if parameters.len() == PARAMETERS_MAX {
            return Err(unreadable(format!("there are more than {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = parameters.len() + 1;
        parameters.push((decode(name, number)?, decode(value, number)?));
    }
    Ok(parameters)
}

fn decode(encoded: &str, number: usize) -> Result<String, Unreadable> {
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|error| {
        unreadable(format!(
            "parameter {number} is not UTF-8: after decoding, the byte at offset {} fits no character",
            error.valid_up_to()
        ))
    })
}

/// Whether a text is one address that a browser could open.
pub(super) fn is_link(text: &str) -> bool {
    let blank = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
    (text.starts_with("https://") || text.starts_with("http://"))
        && !text.bytes().any(blank)
        && (text.is_ascii() || !text.contains(char::is_whitespace))
}

/// Adds a line to a text of several lines; a blank one adds nothing.
pub(super) fn line(text: &mut String, more: &str) {
    if !more.trim().is_empty() {
        let newline = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{newline}{}", more.trim());
    }
}

/// Adds a link once. A user name and password in it are left out: links travel to every channel.
pub(super) fn link(links: &mut Vec<String>, more: &str) {
    // What a body says of more is not kept anyway, and a look at each for each would take a body of links for ever.
    if links.len() >= LINKS_MAX || !is_link(more) {
        return;
    }
    let bare = more.split_once("://").and_then(|(scheme, rest)| {
        let host_end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let at = rest[..host_end].rfind('@')?;
        Some(format!("{scheme}://{}", &rest[at + 1..]))
    });
    let link = bare.unwrap_or_else(|| more.to_owned());
    if !links.contains(&link) {
        links.push(link);
    }
}

/// Brings one event within the limits of the core.
pub(super) fn bounded(mut event: Event) -> Result<Event, Unreadable> {
    if event.key.starts_with("onscene:") {
        return Err(unreadable("keys that begin with `onscene:` are onscene's own"));
    }
    // PostgreSQL keeps no NUL in a text. In the key it is exchanged, not dropped, so that no two meet.
    for text in [&mut event.key, &mut event.title, &mut event.body] {
        without_nul(text);
    }
    for text in [&mut event.delivery_id, &mut event.group].into_iter().flatten() {
        without_nul(text);
    }
    if event.labels.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        event.labels = std::mem::take(&mut event.labels)
            .into_iter()
            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), value.replace('\0', "\u{fffd}")))
            .collect();
    }
    event.links.iter_mut().for_each(without_nul);
    // PostgreSQL keeps microseconds: what is weighed now must be what is weighed after a restart.
    event.occurred_at =
        event.occurred_at.and_then(|at| Timestamp::from_microsecond(at.as_microsecond()).ok());
    event.bounded().map_err(unreadable)
}

fn without_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

/// Reads a list of items that say one event each, and have nothing to do with each other: those that can be read are read,
/// whatever the others are. `what` names the list in sentences: `alerts[3]: ...`.
pub(super) fn each(
    items: Vec<Value>,
    what: &str,
    read: impl Fn(Map<String, Value>) -> Result<Event, Unreadable>,
) -> Result<Vec<Event>, Unreadable> {
    if items.len() > EVENTS_MAX {
        return Err(unreadable(format!("{what} has {} items; at most {EVENTS_MAX} are taken", items.len())));
    }
    let one = |(index, item)| match item {
        Value::Object(fields) => {
            read(fields).and_then(bounded).map_err(|Unreadable(why, _)| format!("{what}[{index}]: {why}"))
        }
        other => Err(format!("{what}[{index}] is {}, not an object", shape(&other))),
    };
    let (mut events, mut first, mut faults) = (Vec::with_capacity(items.len()), None, 0);
    for read in items.into_iter().enumerate().map(one) {
        match read {
            Ok(event) => events.push(event),
            Err(why) => {
                first.get_or_insert(why);
                faults += 1;
            }
        }
    }
    match first {
        None => Ok(events),
        Some(why) if faults == 1 => Err(Unreadable(why, events)),
        Some(why) => Err(Unreadable(format!("{why}; {} more cannot be read either", faults - 1), events)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn times_are_read_in_every_form_met() {
        let at = |text: &str| moment(text).map(|at| at.to_string());
        let noon = Some("2026-01-02T03:04:05Z".to_owned());
        for same in [
            "1767323045",
            "1767323045.0",
            "1767323045000",
            "1767323045000000",
            "1767323045000000000",
            "2026-01-02T03:04:05Z",
            "2026-01-02t03:04:05z",
            "2026-01-02T04:04:05+01:00",
            "2026-01-02T04:04:05+0100",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05",
            " 2026-01-02T03:04:05.000000000Z ",
        ] {
            assert_eq!(at(same), noon, "{same}");
        }
        assert_eq!(at("1767323045.5").as_deref(), Some("2026-01-02T03:04:05.5Z"));
    }

    #[test]
    fn a_time_that_means_not_set_or_nothing_is_no_time() {
        for none in [
            "0",
            "-1",
            "0001-01-01T00:00:00Z",
            "",
            "soon",
            "nan",
            "inf",
            "-inf",
            "1e300",
            "1e15",
            "25:00",
            "9223372036854775807999",
        ] {
            assert_eq!(moment(none), None, "{none}");
        }
    }

    #[test]
    fn an_id_is_the_same_as_number_text_or_float() {
        for id in [json!({"id": 7710342}), json!({"id": " 7710342 "}), json!({"id": 7710342.0})] {
            assert_eq!(text(&fields(id), &["id"]).as_deref(), Some("7710342"));
        }
        assert_eq!(text(&fields(json!({"id": null, "key": ""})), &["id", "key"]), None);
        assert_eq!(text(&fields(json!({"id": u64::MAX})), &["id"]).unwrap(), u64::MAX.to_string());
    }

    #[test]
    fn broken_utf8_is_refused_with_its_offset() {
        assert!(utf8(b"{\"a\": \"\xff\"}").unwrap_err().0.contains("offset 7"));
        assert_eq!(utf8("\u{feff} {} ".as_bytes()), Ok("{}"));
    }

    #[test]
    fn a_thousand_levels_are_refused_in_words() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(json(&deep, "the body").unwrap_err().0, "the body is nested more than 128 levels deep");
    }

    #[test]
    fn errors_never_quote_the_body() {
        for body in ["{\"hunter2\" hunter2", "{\"hunter2\": hunter2}", "hunter2", "\"hunter2"] {
            assert!(!json(body, "the body").unwrap_err().0.contains("hunter2"), "{body}");
        }
        assert!(!parameters("hunter2=%ff").unwrap_err().0.contains("hunter2"));
    }

    #[test]
    fn a_query_is_decoded_and_names_may_repeat() {
        let read = parameters("a=1+2&b=%C3%A9&&a=%2B&flag").unwrap();
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("a", "1 2"), ("b", "é"), ("a", "+"), ("flag", "")]);
        assert!(parameters(&"a&".repeat(PARAMETERS_MAX + 1)).is_err());
    }

    #[test]
    fn fields_stand_in_the_body_or_for_want_of_one_in_the_query() {
        let options = crate::sources::Options { allow_get: true, ..Default::default() };
        let found = |method: &'static str, query: &'static str, body: &'static str| {
            let delivery = crate::sources::tests::delivery(method, query, body.as_bytes());
            said(&Delivery { options: &options, ..delivery })
        };
        assert_eq!(found("POST", "a=1", " {}"), Ok(Said::Json("{}")));
        assert_eq!(found("POST", "a=1", "b=2"), Ok(Said::Form("b=2")));
        assert_eq!(found("POST", "a=1", ""), Ok(Said::Form("a=1")));
        assert_eq!(found("GET", "a=1", "b=2"), Ok(Said::Form("a=1")));
        assert!(found("POST", "a=1", "plain").unwrap_err().0.contains("neither a JSON object nor a form"));
        assert!(found("GET", "", "").unwrap_err().0.contains("neither a body nor a query"));
        let forbidden = said(&crate::sources::tests::delivery("GET", "a=1", b""));
        assert!(forbidden.unwrap_err().0.contains("`allow_get`"));
    }

    #[test]
    fn labels_keep_what_is_nested() {
        let read = labels(fields(json!({"a": 1, "b": ["x", 2], "c": {"d": []}, "e": null, "f": " "})));
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("a", "1"), ("b", "x,2"), ("c", "{\"d\":[]}")]);
    }

    #[test]
    fn a_link_loses_its_password_and_is_kept_once() {
        let mut links = Vec::new();
        for more in ["https://kim:hunter2@a.example/x?at=b@c", "https://a.example/x?at=b@c", "ftp://a", "a b"]
        {
            link(&mut links, more);
        }
        assert_eq!(links, ["https://a.example/x?at=b@c"]);
    }

    #[test]
    fn a_nul_is_exchanged_everywhere() {
        let mut event = Event::new("a\0b", crate::core::alert::Status::Firing, "t");
        event.labels.insert("l".into(), "\0".into());
        let event = bounded(event).unwrap();
        assert_eq!((event.key.as_str(), event.labels["l"].as_str()), ("a\u{fffd}b", "\u{fffd}"));
    }

    #[test]
    fn an_hour_has_the_microseconds_that_every_store_keeps() {
        let mut event = Event::new("k", crate::core::alert::Status::Firing, "t");
        event.occurred_at = moment("2026-01-02T03:04:05.1234567Z");
        assert_eq!(bounded(event).unwrap().occurred_at, moment("2026-01-02T03:04:05.123456Z"));
    }

    #[test]
    fn an_odd_item_is_told_and_the_others_are_read() {
        let read = |fields: Map<String, Value>| match text(&fields, &["key"]) {
            Some(key) => Ok(Event::new(key, crate::core::alert::Status::Firing, "t")),
            None => Err(unreadable("there is no `key`")),
        };
        let of = |items: Value| {
            let Unreadable(why, rest) = each(items.as_array().unwrap().clone(), "item", read).unwrap_err();
            (why, rest.into_iter().map(|event| event.key).collect::<Vec<_>>())
        };
        let (why, rest) = of(json!([{"key": "a"}, {}, {"key": "b"}]));
        assert_eq!(
            (why.as_str(), rest.as_slice()),
            ("item[1]: there is no `key`", &["a".into(), "b".into()][..])
        );
        let (why, rest) = of(json!([7, {"key": "a"}, {}, {"key": "k".repeat(2000)}]));
        assert_eq!(why, "item[0] is a number, not an object; 2 more cannot be read either");
        assert_eq!(rest, ["a"]);
    }

    #[test]
    fn one_event_more_than_the_most_is_refused() {
        let items = vec![json!({}); EVENTS_MAX + 1];
        let event = |_| Ok(Event::new("k", crate::core::alert::Status::Firing, "t"));
        let most = items[1..].to_vec();
        assert!(each(items, "alerts", event).unwrap_err().0.contains("alerts has 10001 items"));
        assert_eq!(each(most, "alerts", event).unwrap().len(), EVENTS_MAX);
    }
}
