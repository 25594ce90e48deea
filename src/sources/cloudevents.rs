//! CloudEvents by HTTP: Knative, Azure Event Grid and whatever else speaks the specification.
//!
//! Wire facts, with their origin (cloudevents/spec: `cloudevents/spec.md`, `bindings/http-protocol-binding.md`,
//! `formats/json-format.md`, `http-webhook.md`):
//! - Three modes. *Structured*: one JSON object with the attributes and `data`. *Batch*: a list of such. *Binary*: the
//!   attributes are headers, `ce-id` and so on, percent-encoded, and the body is the data.
//! - `id`, `source`, `type` and `specversion` are required; 1.0 and 0.3 are spoken here, which differ only in how they
//!   say that data is in base64: `data_base64`, or `datacontentencoding`.
//! - `source` and `id` together name the delivery: a second one with both is a retry.
//! - No attribute says what an alert is or whether it is over. `subject` is what the event is about, within its
//!   source; `type` is the sender's own and may end in a version.
//! - Other formats (`application/cloudevents+xml` and the like) are answered with 415, as the specification wants it;
//!   the body is kept all the same.
//!
//! What is said stands in `data.status`, or else in the last word of `type`: `net.example.disk.resolved` and
//! `net.example.DiskResolved.v1` are over. A noun such as `alert` there says no more than the data does. Where both
//! are missing, or contradict each other, or the data says what is not understood and the type nothing clear, the body is
//! refused: a recovery that is taken for a new alert, or the other way round, would be worse.
//!
//! The key is the source with what the data calls its key (`key`, `fingerprint` and the other names of the generic kind), or
//! else the source, the type without that word, and the subject. All three, because a subject means something only
//! within its source, and one machine may have two kinds of trouble. **A sender whose `data.status` decides should give a key
//! or keep its type**: of `disk.degraded` and `disk.healthy` the last words are known for conditions and left out, but of
//! `disk.cold` and `disk.warm` nobody knows here that they are about the same thing, and they are two alerts.
//! Data that is an object is read like a body of the generic kind: title, body, severity, labels and links have the same names.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, fields, wire};
use crate::core::alert::{Event, Status};
use crate::crypto;

/// CloudEvents.
pub const KIND: Kind = Kind {
    headers: &["ce-"],
    webhook_profile: true,
    ..Kind::new(
        "cloudevents",
        "CloudEvents (Knative, Azure Event Grid, ...)",
        "Subscribe ADDRESS, or the address without the token and a bearer token. Let `type` end in a word such as `firing` or \
         `resolved`, or say it in `data.status`; `subject` names what it is about and stays the same until it is over. `data` \
         may have `severity`, `title`, `body`, `labels` and `links`.",
        read,
    )
};

/// The attributes of the specification; every other one is an extension, and becomes a label.
const ATTRIBUTES: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "datacontentencoding",
    "dataschema",
    "schemaurl",
    "data",
    "data_base64",
];
/// A version that is written as a number is read as `1`.
const VERSIONS: &[&str] = &["1.0", "1", "0.3"];
/// Where data says what is the matter.
const STATUS: &[&str] = &["status", "state"];
/// Last words of a type that name a thing, and say only for want of anything better that it has happened.
const NOUNS: &[&str] = &["alert", "alarm", "problem", "failure", "new", "create", "created"];

/// Last words of a type that name the condition of a thing, and not the thing: whether it fires is for the data to say.
const CONDITIONS: &[&str] = &[
    "degraded",
    "impaired",
    "unhealthy",
    "healthy",
    "unavailable",
    "available",
    "passing",
    "critical",
    "warning",
    "changed",
    "updated",
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let said = delivery.content_type.unwrap_or_default().trim().to_ascii_lowercase();
    if is_foreign(&said) {
        return Err(wire::unreadable("of the formats of CloudEvents only JSON is understood"));
    }
    let is_binary = delivery.header("ce-specversion").is_some() || delivery.header("ce-type").is_some();
    if is_binary && !said.starts_with("application/cloudevents") {
        return Ok(vec![wire::bounded(event(of_headers(delivery)?)?)?]);
    }
    match wire::json(wire::utf8(delivery.body)?, "the body")? {
        Value::Array(items) => wire::each(items, "item", event),
        Value::Object(fields) => Ok(vec![wire::bounded(event(fields)?)?]),
        other => Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other)))),
    }
}

/// Whether a media type is one of CloudEvents in another format than JSON.
pub fn is_foreign(media_type: &str) -> bool {
    let media_type = media_type.trim().to_ascii_lowercase();
    let format = ["application/cloudevents-batch+", "application/cloudevents+"]
        .iter()
        .find_map(|family| media_type.strip_prefix(family));
    format.is_some_and(|format| format.split(';').next().unwrap_or_default().trim() != "json")
}

/// A binary event as the object that it would be in structured mode.
fn of_headers(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    for (name, value) in delivery.headers {
        // These would be no attributes: the body is the data, and has a header of its own for its type.
        let name = name.strip_prefix("ce-");
        let name = name.filter(|name| !["data", "data_base64", "datacontenttype"].contains(name));
        if let Some(name) = name {
            fields.insert(name.to_owned(), Value::String(header(name, value)?));
        }
    }
    if let Some(content_type) = delivery.content_type {
        fields.insert("datacontenttype".into(), Value::String(content_type.to_owned()));
    }
    let body = wire::utf8(delivery.body);
    let is_json = is_json(delivery.content_type);
    match body {
        Ok("") => {}
        Ok(text) if is_json => {
            fields.insert("data".into(), wire::json(text, "the body")?);
        }
        Ok(text) => {
            fields.insert("data".into(), Value::String(text.to_owned()));
        }
        Err(why) if is_json => return Err(why),
        Err(_) => {
            fields.insert("data_base64".into(), Value::String(crypto::base64(delivery.body)));
        }
    }
    Ok(fields)
}

/// The value of a header: out of its quotes, then percent-decoded, once.
fn header(name: &str, value: &str) -> Result<String, Unreadable> {
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let bare = quoted.map_or_else(|| value.to_owned(), unescaped);
    let decoded = percent_encoding::percent_decode_str(&bare).decode_utf8();
    let decoded = decoded.map_err(|_| {
        let name = if ATTRIBUTES.contains(&name) { name } else { "..." };
        wire::unreadable(format!("the header `ce-{name}` is not UTF-8 after it is decoded"))
    })?;
    Ok(decoded.into_owned())
}

fn unescaped(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

/// Whether data of this type is JSON. What is not said is JSON, too: that is the rule of the format.
fn is_json(media_type: Option<&str>) -> bool {
    let media_type = media_type.unwrap_or("application/json").to_ascii_lowercase();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.is_empty() || essence.ends_with("/json") || essence.ends_with("+json")
}

fn event(mut fields: Map<String, Value>) -> Result<Event, Unreadable> {
    match wire::text(&fields, &["specversion"]) {
        Some(version) if VERSIONS.contains(&version.as_str()) => {}
        Some(_) => return Err(wire::unreadable("`specversion` is neither 1.0 nor 0.3")),
        None => {
            return Err(wire::unreadable(
                "there is no `specversion`, in the body or as the header `ce-specversion`; is this a CloudEvent?",
            ));
        }
    }
    let needed = |name: &str| {
        wire::text(&fields, &[name]).ok_or_else(|| wire::unreadable(format!("there is no `{name}`")))
    };
    let (id, source, kind) = (needed("id")?, needed("source")?, needed("type")?);
    let subject = wire::text(&fields, &["subject"]);
    let time = wire::time(&fields, &["time"]);
    let data = data(&mut fields)?;

    let (stem, word) = split(&kind);
    let (status, is_in_type) = status(word, &data)?;
    let stem = if is_in_type { stem } else { kind.as_str() };
    let own = data.as_object().and_then(|data| wire::text(data, fields::KEY));
    let parts = match &own {
        Some(own) => [Some(source.as_str()), Some(own.as_str()), None],
        None => [Some(source.as_str()), Some(stem), subject.as_deref()],
    };
    let key: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();

    let mut said = match data {
        Value::Object(said) => said,
        other => wire::flat(&other).map(|text| ("body".into(), text.into())).into_iter().collect(),
    };
    said.insert("key".into(), key.join(" ").into());
    said.insert("status".into(), status.as_str().into());
    let mut event = fields::event(said)?;
    if event.title.trim().is_empty() {
        event.title =
            [Some(kind.as_str()), subject.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    }
    if time.is_some() {
        event.occurred_at = time;
    }
    event.delivery_id = Some(format!("{source} {id}"));
    for (name, value) in wire::pairs(&fields).filter(|(name, _)| !ATTRIBUTES.contains(name)) {
        event.labels.entry(name.to_owned()).or_insert_with(|| value.into_owned());
    }
    for (name, value) in [("source", Some(source)), ("type", Some(kind)), ("subject", subject)] {
        event.labels.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(event)
}

/// Takes the data out: JSON as it is, text as text, and base64 as what it holds where that is text.
fn data(fields: &mut Map<String, Value>) -> Result<Value, Unreadable> {
    let is_json = is_json(fields.get("datacontenttype").and_then(Value::as_str));
    let encoding = wire::text(fields, &["datacontentencoding"]).unwrap_or_default();
    let (plain, encoded) = (fields.remove("data"), fields.remove("data_base64"));
    let (data, name) = match (plain, encoded) {
        (_, Some(encoded)) if !encoded.is_null() => (encoded, "data_base64"),
        (Some(data), _) if encoding.eq_ignore_ascii_case("base64") => (data, "data"),
        (data, _) => return Ok(opened(data.unwrap_or_default(), is_json)),
    };
    let bytes = data.as_str().and_then(|text| crypto::from_base64(text.trim()));
    let bytes = bytes.ok_or_else(|| wire::unreadable(format!("`{name}` is not base64")))?;
    match String::from_utf8(bytes) {
        Ok(text) if is_json && !text.trim().is_empty() => wire::json(text.trim(), &format!("`{name}`")),
        Ok(text) => Ok(Value::String(text)),
        Err(binary) => Ok(Value::String(format!("{} bytes of binary data", binary.as_bytes().len()))),
    }
}

/// Some senders put JSON into a text, and say that it is JSON.
fn opened(data: Value, is_json: bool) -> Value {
    let inner = data.as_str().filter(|text| is_json && text.trim_start().starts_with('{'));
    inner.and_then(|text| wire::json(text.trim(), "`data`").ok()).unwrap_or(data)
}

/// A type without its last word and its version, and that word.
fn split(kind: &str) -> (&str, &str) {
    let is_separator = |letter: char| !letter.is_alphanumeric();
    let bare = match kind.rsplit_once(is_separator) {
        Some((rest, last)) if is_version(last) => rest,
        _ => kind,
    };
    let start =
        bare.rfind(is_separator).map_or(0, |at| at + bare[at..].chars().next().map_or(1, char::len_utf8));
    let last = &bare[start..];
    // `DiskResolved` and `DiskOK` are two words; `RESOLVED` is one.
    let end = last.trim_end_matches(char::is_uppercase);
    let hump = match last.rfind(char::is_uppercase) {
        _ if !last.contains(char::is_lowercase) => 0,
        Some(_) if end.len() < last.len() => end.len(),
        hump => hump.unwrap_or(0),
    };
    let (stem, word) = bare.split_at(start + hump);
    (stem.trim_end_matches(is_separator), word)
}

fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix(['v', 'V']).unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is said, and whether the word of the type says it.
fn status(word: &str, data: &Value) -> Result<(Status, bool), Unreadable> {
    let by_type = wire::status(word);
    let said = data.as_object().and_then(|data| {
        let is_said = |name: &&&str| data.get(**name).is_some_and(|value| wire::flat(value).is_some());
        STATUS.iter().find(is_said).and_then(|name| data.get(*name))
    });
    let by_data = said.and_then(wire::scalar).and_then(|word| wire::status(&word));
    let lower = word.to_ascii_lowercase();
    let is_vague = NOUNS.contains(&lower.as_str()) || by_type == Some(Status::Info);
    match (by_type, by_data) {
        (Some(one), Some(other)) if one == other => Ok((one, true)),
        (Some(_), Some(other)) if is_vague => Ok((other, true)),
        (Some(_), Some(_)) => Err(wire::unreadable("`type` and `data.status` contradict each other")),
        (Some(_), None) if is_vague && said.is_some() => Err(wire::unreadable(
            "`data.status` is none of firing, resolved, acknowledged, info and test, nor a word for one, and the last word of \
             `type` does not decide",
        )),
        (Some(one), None) => Ok((one, true)),
        (None, Some(other)) => Ok((other, CONDITIONS.contains(&lower.as_str()))),
        (None, None) => Err(wire::unreadable(
            "neither the last word of `type` nor `data.status` is firing, resolved, acknowledged, info or test, or a \
             word for one",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn structured(kind: &str, data: Value) -> Value {
        json!({"specversion": "1.0", "id": "1", "source": "/mon", "type": kind, "subject": "db-1", "data": data})
    }

    fn one(body: &Value) -> Result<Event, Unreadable> {
        post(&KIND, body.to_string().as_bytes()).map(|mut events| events.remove(0))
    }

    fn binary(
        headers: &[(&str, &str)],
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Event, Unreadable> {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let delivery = Delivery { headers: &headers, content_type, ..delivery("POST", "", body) };
        (KIND.read)(&delivery).map(|mut events| events.remove(0))
    }

    #[test]
    fn firing_and_resolved_have_one_key_however_the_word_is_written() {
        for (fires, over) in [
            ("net.example.disk.firing", "net.example.disk.resolved"),
            ("net.example.DiskFiring", "net.example.DiskResolved"),
            ("net.example.disk_firing.v1", "net.example.disk_RESOLVED.v2"),
            ("DiskTriggered", "DiskCleared"),
            ("firing", "resolved"),
            ("net.example.DiskDOWN", "net.example.DiskOK"),
            ("net.example.diskDown", "net.example.diskUP.v2"),
            ("HTTPDown", "HTTPUp"),
        ] {
            let (fires, over) = (one(&structured(fires, json!({}))), one(&structured(over, json!({}))));
            let (fires, over) = (fires.unwrap(), over.unwrap());
            assert_eq!((fires.status, over.status), (Status::Firing, Status::Resolved));
            assert_eq!(fires.key, over.key);
        }
    }

    #[test]
    fn the_data_decides_where_the_type_only_names_a_thing() {
        let told = |kind: &str, status: &str| one(&structured(kind, json!({"status": status})));
        assert_eq!(told("net.example.alert", "resolved").unwrap().status, Status::Resolved);
        assert_eq!(told("net.example.incident.update", "ok").unwrap().status, Status::Resolved);
        assert_eq!(told("net.example.disk", "down").unwrap().key, "/mon net.example.disk db-1");
        assert_eq!(told("net.example.disk.resolved", "200").unwrap().status, Status::Resolved);
        let why = told("net.example.disk.resolved", "firing").unwrap_err().0;
        assert!(why.contains("contradict"), "{why}");
    }

    #[test]
    fn a_status_that_is_not_understood_is_refused_where_the_type_does_not_decide() {
        for status in [json!("hunter2"), json!(200), json!(["ok"]), json!({"word": "ok"}), json!(false)] {
            for (kind, name) in
                [("net.example.alert", "status"), ("x.incident.update", "state"), ("x.note", "status")]
            {
                let why = one(&structured(kind, json!({name: status}))).unwrap_err().0;
                assert!(why.contains("none of firing") && !why.contains("hunter2"), "{kind} {status}: {why}");
            }
            let over = one(&structured("net.example.disk.resolved", json!({"status": status}))).unwrap();
            assert_eq!(over.status, Status::Resolved, "{status}");
        }
        for nothing in [json!({}), json!({"status": null}), json!({"status": " "})] {
            assert_eq!(one(&structured("net.example.alert", nothing)).unwrap().status, Status::Firing);
        }
        assert_eq!(
            one(&structured("x.alert", json!({"status": "", "state": "ok"}))).unwrap().status,
            Status::Resolved
        );
    }

    #[test]
    fn the_data_may_give_the_key_and_a_condition_is_no_part_of_it() {
        let told = |kind: &str, data: Value| one(&structured(kind, data)).unwrap();
        let fires = told("net.example.disk.hot", json!({"status": "firing", "fingerprint": 7}));
        let over = told("net.example.disk.cold", json!({"status": "ok", "fingerprint": "7"}));
        assert_eq!((fires.key.as_str(), over.key.as_str()), ("/mon 7", "/mon 7"));
        let fires = told("net.example.disk.degraded", json!({"status": "firing"}));
        let over = told("net.example.DiskHealthy", json!({"status": "ok"}));
        assert_eq!(
            (fires.key.as_str(), over.key.as_str()),
            ("/mon net.example.disk db-1", "/mon net.example.Disk db-1")
        );
        let over = told("net.example.disk.healthy.v2", json!({"status": "ok"}));
        assert_eq!(over.key, fires.key);
    }

    #[test]
    fn an_extension_may_begin_like_the_data() {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/m"),
            ("ce-type", "disk.firing"),
            ("ce-datacentre", "osl"),
            ("ce-dataschema", "https://schemas.example.net/a"),
            ("ce-data", "hunter2"),
            ("ce-data_base64", "hunter2"),
        ];
        let event = binary(&headers, Some("text/plain"), b"full").unwrap();
        assert_eq!((event.labels["datacentre"].as_str(), event.body.as_str()), ("osl", "full"));
    }

    #[test]
    fn a_type_that_says_nothing_is_refused_and_not_taken_for_an_alert() {
        let why = one(&structured("net.example.disk.healthy", json!({"message": "hunter2"}))).unwrap_err().0;
        assert!(why.starts_with("neither the last word") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn two_kinds_of_trouble_of_one_machine_and_two_sources_are_apart() {
        let key = |source: &str, kind: &str| {
            let mut event = structured(kind, json!({}));
            event["source"] = json!(source);
            one(&event).unwrap().key
        };
        let keys = [key("/a", "x.disk.firing"), key("/a", "x.cpu.firing"), key("/b", "x.disk.firing")];
        assert!(keys[0] != keys[1] && keys[0] != keys[2], "{keys:?}");
    }

    #[test]
    fn a_binary_event_is_the_same_as_a_structured_one() {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/mon"),
            ("ce-type", "net.example.disk.firing"),
            ("ce-subject", "db%2D1"),
        ];
        let body = br#"{"severity": "warning", "title": "disk full"}"#;
        let structured = structured("net.example.disk.firing", serde_json::from_slice(body).unwrap());
        for content_type in [Some("application/json; charset=utf-8"), None] {
            assert_eq!(binary(&headers, content_type, body), one(&structured));
        }
    }

    #[test]
    fn headers_leave_their_quotes_and_are_decoded_once() {
        let told = |value: &str| header("subject", value);
        assert_eq!(told("Euro%20%E2%82%AC%20%F0%9F%98%80"), Ok("Euro € 😀".into()));
        assert_eq!(told(r#""a \"b\" %2520""#), Ok(r#"a "b" %20"#.into()));
        assert!(told("%ff").unwrap_err().0.contains("ce-subject"));
    }

    #[test]
    fn data_may_be_text_or_base64() {
        let mut event = structured("x.disk.firing", json!("plain words"));
        event["datacontenttype"] = json!("text/plain");
        assert_eq!(one(&event).unwrap().body, "plain words");
        let inner = crypto::base64(br#"{"title": "disk full"}"#);
        let mut event = structured("x.disk.firing", Value::Null);
        event["data_base64"] = json!(inner);
        assert_eq!(one(&event).unwrap().title, "disk full");
        let mut event = structured("x.disk.firing", json!(inner));
        (event["specversion"], event["datacontentencoding"]) = (json!("0.3"), json!("base64"));
        assert_eq!(one(&event).unwrap().title, "disk full");
        event["data"] = json!("!!");
        assert!(one(&event).unwrap_err().0.contains("not base64"));
        let headers =
            [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/m"), ("ce-type", "disk.firing")];
        let event = binary(&headers, Some("application/octet-stream"), b"\xff\x00\xfe").unwrap();
        assert_eq!(event.body, "3 bytes of binary data");
    }

    #[test]
    fn other_versions_and_other_formats_are_refused() {
        let mut event = structured("x.firing", json!({}));
        event["specversion"] = json!("2.0");
        assert!(one(&event).unwrap_err().0.contains("neither 1.0 nor 0.3"));
        let other = binary(&[], Some("application/cloudevents+xml"), b"<event/>").unwrap_err();
        assert!(other.0.contains("only JSON"), "{other}");
        assert!(is_foreign("Application/CloudEvents-Batch+avro; x=y"));
        assert!(!is_foreign("application/cloudevents+json; charset=utf-8") && !is_foreign("text/xml"));
    }
}
