//! Uptime Kuma: a self-hosted monitor of addresses, ports and much else.
//!
//! Wire facts, with their origin (louislam/uptime-kuma `server/notification-providers/webhook.js`,
//! `server/model/monitor.js`, `heartbeat.js`, `domain_expiry.js`):
//! - `POST` of JSON, or of `multipart/form-data` with one part `data` that holds the same JSON, or `GET` with
//!   `msg`, and `heartbeat` and `monitor` as JSON texts. No signature; headers of the operator's own are
//!   possible.
//! - `msg` is always there; `heartbeat` and `monitor` are objects or null. `heartbeat.status` is 0 down, 1
//!   up, 2 pending, 3 maintenance. `heartbeat.time` is UTC without a zone.
//! - A heartbeat that has no words of its own, like that of a port that is open again, has `N/A` for them.
//! - A body without the name `heartbeat` is a custom one, which may say that something is down in words of
//!   its own; it is refused. By GET a null may be left out, so there only a text that says down is refused.
//! - **A null heartbeat is not only the test button.** Notices that a certificate or a domain is about to
//!   expire look the same: both objects null, and everything in `msg`. So it is read as something to know,
//!   never as a test.
//! - While a monitor is down it is said again when a resend interval is set, with the time of the newest
//!   heartbeat.
//! - A monitor that goes into maintenance while it is down, or is paused or deleted, sends no recovery.
//!   Somebody has to end such an incident.
//! - Nothing is sent again after a failure: a lost notification is only a line in the sender's log.
//! - In newer versions a heartbeat may carry the `response` of the server, which may be long and hold
//!   secrets; it is not taken. By GET it can make the address longer than anything on the way accepts.
//!
//! The key is the monitor's id: names are neither unique nor lasting. Names and values of tags become labels,
//! and the one named like `severity_label` sets the severity, which Uptime Kuma itself does not know.
//!
//! Multipart is read by a small reader here, stricter than the standard: the body begins with the boundary,
//! lines end with CRLF, and there are few parts with short heads. It is told by its first bytes, as the type
//! may be missing.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// Uptime Kuma.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "uptime-kuma",
        "Uptime Kuma",
        "Settings → Notifications → Setup Notification → Notification Type: Webhook, Post URL: ADDRESS, \
         Request Body: Preset - application/json. Then switch it on for each monitor, or tick Default \
         enabled and Apply on all existing monitors.",
        read,
    )
};

/// Begins the key of what is about no heartbeat, so that a text of digits is no monitor.
const NOTICE: &str = "notice:";
/// How Uptime Kuma's texts say that a monitor is down.
const DOWN: &[&str] = &["[Down]", "[🔴 Down]"];
/// What stands for the words of a heartbeat that has none.
const NO_WORDS: &str = "N/A";
/// Most parts of a multipart body. The sender has one.
const PARTS_MAX: usize = 16;
/// Longest head of a part, in bytes.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// Longest boundary, in bytes (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let fields = if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        queried(delivery.query)?
    } else {
        let body = wire::utf8(delivery.body)?;
        let (text, what) = if body.starts_with("--") {
            (data_part(body, delivery.content_type)?.trim(), "the part `data`")
        } else {
            (body, "the body")
        };
        match wire::json(text, what)? {
            Value::Object(fields) if !fields.contains_key("heartbeat") => return Err(custom()),
            Value::Object(fields) => fields,
            other => {
                return Err(wire::unreadable(format!("{what} is {}, not an object", wire::shape(&other))));
            }
        }
    };
    let event = event(&fields, &delivery.options.severity_label)?;
    event.into_iter().map(wire::bounded).collect()
}

/// The fields as they come by GET, where the two objects are JSON texts.
fn queried(query: &str) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    for (name, value) in wire::parameters(query)? {
        let value = match name.as_str() {
            "heartbeat" | "monitor" => wire::json(value.trim(), &format!("`{name}`"))?,
            _ => Value::String(value),
        };
        fields.entry(name).or_insert(value);
    }
    let is_down = |said: &str| DOWN.iter().any(|mark| said.contains(mark));
    let is_beatless = fields.get("heartbeat").is_none_or(Value::is_null);
    if is_beatless && wire::word(&fields, &["msg"]).is_some_and(|said| is_down(&said)) {
        return Err(wire::unreadable(
            "`msg` says that a monitor is down, but there is no `heartbeat` that says which; \
             use the preset of Uptime Kuma, or a source of kind `generic`",
        ));
    }
    Ok(fields)
}

fn custom() -> Unreadable {
    wire::unreadable(
        "there is no `heartbeat`, which Uptime Kuma's own body always has, if only as null; \
         a webhook with a custom body belongs to a source of kind `generic`",
    )
}

/// What is said, or nothing: a pending monitor is not down yet, and maintenance is meant.
fn event(fields: &Map<String, Value>, severity_label: &str) -> Result<Option<Event>, Unreadable> {
    let nothing = Map::new();
    let part = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => wire::object(value, &format!("`{name}`")).map(Some),
    };
    let monitor = part("monitor")?.unwrap_or(&nothing);
    let said = wire::text(fields, &["msg"]);
    let Some(beat) = part("heartbeat")? else {
        let said =
            said.ok_or_else(|| wire::unreadable("there is neither a `heartbeat` nor a `msg` in the body"))?;
        return Ok(Some(notice(&said, monitor, severity_label)));
    };

    let status = match wire::word(beat, &["status"]).map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("0" | "down") => Status::Firing,
        Some("1" | "up") => Status::Resolved,
        Some("2" | "pending" | "3" | "maintenance") => return Ok(None),
        Some(_) => return Err(wire::unreadable("`status` in `heartbeat` is none of 0, 1, 2 and 3")),
        None => return Err(wire::unreadable("there is no `status` in `heartbeat`")),
    };
    let id = wire::text(monitor, &["id"])
        .or_else(|| wire::text(beat, &["monitorID", "monitorId", "monitor_id"]))
        .ok_or_else(|| {
            wire::unreadable("there is neither an `id` in `monitor` nor a `monitorID` in `heartbeat`")
        })?;
    let name = wire::text(monitor, &["name"]).unwrap_or_else(|| format!("Uptime Kuma monitor {id}"));
    let cause = wire::text(beat, &["msg"]).filter(|cause| cause != NO_WORDS);
    let title = match (status, &cause) {
        (Status::Firing, Some(cause)) => format!("{name} is down: {cause}"),
        (Status::Firing, None) => format!("{name} is down"),
        _ => format!("{name} is up"),
    };

    let mut event = Event::new(id.clone(), status, title);
    wire::line(&mut event.body, &wire::word(monitor, &["description"]).unwrap_or_default());
    wire::line(&mut event.body, &cause.or(said).unwrap_or_default());
    event.occurred_at = wire::time(beat, &["time"]);
    describe(monitor, severity_label, &mut event);
    event.labels.insert("monitor_id".into(), id);
    Ok(Some(event))
}

/// A test, or that a certificate or a domain is about to expire: only the text tells them apart.
fn notice(said: &str, monitor: &Map<String, Value>, severity_label: &str) -> Event {
    let key = if NOTICE.len() + said.len() <= KEY_BYTES_MAX {
        format!("{NOTICE}{said}")
    } else {
        format!("{NOTICE}{}", hex(&sha256(said.as_bytes())))
    };
    let mut event = Event::new(key, Status::Info, said);
    if said.contains('\n') {
        event.body = said.to_owned();
    }
    for word in said.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')')) {
        if !is_bare_scheme(word) {
            wire::link(&mut event.links, word);
        }
    }
    describe(monitor, severity_label, &mut event);
    event.labels.extend(wire::text(monitor, &["id"]).map(|id| ("monitor_id".to_owned(), id)));
    event
}

/// What is known of the monitor. Its own facts win over tags.
fn describe(monitor: &Map<String, Value>, severity_label: &str, event: &mut Event) {
    if let Some(Value::Array(tags)) = monitor.get("tags") {
        for tag in tags {
            let (name, value) = match tag {
                Value::Object(tag) => (wire::text(tag, &["name"]), wire::text(tag, &["value"])),
                other => (wire::scalar(other).map(Cow::into_owned), None),
            };
            match (name, value) {
                (Some(name), Some(value)) => event.labels.insert(name, value),
                (Some(name), None) => event.labels.insert(format!("tag_{name}"), "true".into()),
                (None, _) => None,
            };
        }
    }
    event.severity = event.labels.get(severity_label).and_then(|word| AlertSeverity::from_word(word));
    for (label, field) in [
        ("monitor_name", "name"),
        ("monitor_path", "pathName"),
        ("monitor_type", "type"),
        ("hostname", "hostname"),
        ("port", "port"),
    ] {
        event.labels.extend(wire::text(monitor, &[field]).map(|value| (label.to_owned(), value)));
    }
    if let Some(url) = wire::word(monitor, &["url"]).filter(|url| !is_bare_scheme(url)) {
        wire::link(&mut event.links, &url);
    }
}

/// Monitors of ports and hosts have an address that was never filled in.
fn is_bare_scheme(url: &str) -> bool {
    matches!(url, "https://" | "http://")
}

/// The one part named `data` of a multipart body.
fn data_part<'a>(body: &'a str, content_type: Option<&str>) -> Result<&'a str, Unreadable> {
    let first = body.split(['\r', '\n']).next().unwrap_or_default();
    let boundary = content_type.and_then(boundary_of).unwrap_or(first.strip_prefix("--").unwrap_or(first));
    if !is_boundary(boundary) {
        return Err(wire::unreadable("the body begins like multipart, but its boundary is none"));
    }
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(delimiter.trim_start()).ok_or_else(|| {
        wire::unreadable("the multipart body does not begin with the boundary that its type names")
    })?;
    let mut data = None;
    for number in 1..=PARTS_MAX {
        if rest.starts_with("--") {
            return data.ok_or_else(|| wire::unreadable("the multipart body has no part `data`"));
        }
        let part = rest.strip_prefix("\r\n").ok_or_else(|| {
            wire::unreadable(format!("the boundary before part {number} is not followed by CRLF"))
        })?;
        let (head, after) =
            part.split_once("\r\n\r\n").filter(|(head, _)| head.len() <= HEAD_BYTES_MAX).ok_or_else(
                || wire::unreadable(format!("the head of part {number} is too long or has no end")),
            )?;
        let (content, next) = after
            .split_once(delimiter.as_str())
            .ok_or_else(|| wire::unreadable(format!("part {number} of the multipart body has no end")))?;
        if name_of(head) == Some("data") {
            if is_encoded(head) {
                return Err(wire::unreadable("the part `data` has a transfer encoding"));
            }
            if data.replace(content).is_some() {
                return Err(wire::unreadable("the multipart body has two parts `data`"));
            }
        }
        rest = next;
    }
    if rest.starts_with("--") {
        return data.ok_or_else(|| wire::unreadable("the multipart body has no part `data`"));
    }
    Err(wire::unreadable(format!("the multipart body has more than {PARTS_MAX} parts")))
}

/// The boundary that a `Content-Type` names.
fn boundary_of(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary")
}

/// The bytes RFC 2046 allows, and as many of them.
fn is_boundary(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    !text.is_empty() && text.len() <= BOUNDARY_BYTES_MAX && !text.ends_with(' ') && text.bytes().all(allowed)
}

/// A parameter of a header, without its quotes.
fn parameter<'a>(parameters: &'a str, wanted: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
    })
}

/// The value of one header in the head of a part.
fn header_of<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// The name of a part.
fn name_of(head: &str) -> Option<&str> {
    let (kind, parameters) = header_of(head, "content-disposition")?.split_once(';')?;
    if kind.trim().eq_ignore_ascii_case("form-data") { parameter(parameters, "name") } else { None }
}

/// Whether the content of a part is not simply what it is.
fn is_encoded(head: &str) -> bool {
    let plain =
        |encoding: &str| ["7bit", "8bit", "binary"].iter().any(|it| encoding.eq_ignore_ascii_case(it));
    header_of(head, "content-transfer-encoding").is_some_and(|encoding| !plain(encoding))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    fn beat(status: i64) -> Value {
        json!({"msg": "[wiki]", "monitor": {"id": 18, "name": "wiki", "url": "https://"},
            "heartbeat": {"monitorID": 18, "status": status, "msg": "timeout",
                "time": "2026-01-02 03:04:05.912"}})
    }

    const IS_DOWN: &str = "{\"msg\":\"m\",\"heartbeat\":{\"monitorID\":18,\"status\":0},\"monitor\":null}";

    fn multipart(parts: &[(&str, &str)]) -> String {
        let mut body = String::new();
        for (name, content) in parts {
            body += "----b0\r\nContent-Disposition: form-data; name=\"";
            body += &format!("{name}\"\r\n\r\n{content}\r\n");
        }
        body + "----b0--\r\n"
    }

    #[test]
    fn down_and_up_have_one_key_and_their_own_times() {
        let (mut down, up) = (beat(0), beat(1));
        down["monitor"] = Value::Null;
        down["heartbeat"]["monitorID"] = json!("18");
        let (down, up) = (one(&down), one(&up));
        assert_eq!((down.status, up.status), (Status::Firing, Status::Resolved));
        assert_eq!(down.key, up.key);
        assert_eq!(up.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05.912Z");
    }

    #[test]
    fn pending_and_maintenance_say_nothing_and_another_status_is_refused() {
        for status in [2, 3] {
            assert_eq!(post(&KIND, beat(status).to_string().as_bytes()), Ok(vec![]));
        }
        assert!(why(&beat(4).to_string()).contains("none of 0, 1, 2 and 3"));
        assert!(why(r#"{"msg": "m", "heartbeat": "hunter2"}"#).ends_with("is a text, not an object"));
    }

    #[test]
    fn a_heartbeat_without_words_has_no_cause() {
        let (mut down, mut up) = (beat(0), beat(1));
        for body in [&mut down, &mut up] {
            body["heartbeat"]["msg"] = json!("N/A");
        }
        assert_eq!((one(&down).title.as_str(), one(&up).body.as_str()), ("wiki is down", "[wiki]"));
    }

    #[test]
    fn a_null_heartbeat_is_something_to_know_keyed_by_its_text() {
        let expires = |days: u8| {
            let said = format!("[wiki][https://wiki.example.net] certificate will expire in {days} days");
            one(&json!({"heartbeat": null, "monitor": null, "msg": said}))
        };
        let (seven, three) = (expires(7), expires(3));
        assert_eq!(seven.status, Status::Info);
        assert_ne!(seven.key, three.key);
        assert_eq!(seven.links, ["https://wiki.example.net"]);
        let notice = |said: &str| one(&json!({"heartbeat": null, "monitor": null, "msg": said}));
        assert_ne!(notice("18").key, one(&beat(0)).key);
        assert!(notice(&"m".repeat(5000)).key.len() < KEY_BYTES_MAX);
    }

    #[test]
    fn a_custom_body_is_refused_and_never_taken_for_a_notice() {
        for body in [json!({"msg": "hunter2 [🔴 Down]"}), json!({"msg": "m", "monitor": {"id": 18}})] {
            let why = why(&body.to_string());
            assert!(why.contains("no `heartbeat`") && why.ends_with("of kind `generic`"), "{why}");
        }
        for query in ["msg=wiki+%5BDown%5D", "msg=%5Bwiki%5D+%5B%F0%9F%94%B4+Down%5D+timeout&heartbeat=null"]
        {
            let why = get(&KIND, query, true).unwrap_err().0;
            assert!(why.starts_with("`msg` says that a monitor is down"), "{why}");
        }
        assert_eq!(get(&KIND, "msg=expires+soon", true).unwrap()[0].status, Status::Info);
    }

    #[test]
    fn the_tag_named_like_the_severity_label_sets_the_severity_and_no_tag_poses_as_a_fact() {
        let mut body = beat(0);
        body["monitor"]["tags"] = json!([{"name": "severity", "value": "warning"},
            {"name": "eu", "value": ""}, {"name": "monitor_id", "value": "19"}, "old", null]);
        let event = one(&body);
        assert_eq!(event.severity, Some(AlertSeverity::Warning));
        assert_eq!((event.labels["tag_eu"].as_str(), event.labels["tag_old"].as_str()), ("true", "true"));
        assert_eq!(event.labels["monitor_id"], "18");
        assert!(event.links.is_empty());
    }

    #[test]
    fn multipart_is_read_with_and_without_its_type() {
        let body = multipart(&[("other", "x"), ("data", IS_DOWN)]);
        assert_eq!(post(&KIND, body.as_bytes()).unwrap()[0].key, "18");
        let typed = |content_type: &'static str| {
            let content_type = Some(content_type);
            (KIND.read)(&Delivery { content_type, ..delivery("POST", "", body.as_bytes()) })
        };
        assert_eq!(typed("Multipart/Form-Data; charset=utf-8; boundary=\"--b0\"").unwrap()[0].key, "18");
        assert_eq!(typed("application/json").unwrap()[0].key, "18");
        assert!(typed("multipart/form-data; boundary=other").unwrap_err().0.contains("does not begin"));
    }

    #[test]
    fn multipart_that_is_not_quite_is_refused() {
        let good = multipart(&[("data", IS_DOWN)]);
        for (body, says) in [
            (good.replace("\r\n", "\n"), "not followed by CRLF"),
            (good.replace("----b0--", ""), "has no end"),
            (good.replace("\"data\"", "\"date\""), "no part `data`"),
            (good.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n"), "transfer encoding"),
            (good.replace("name=", &format!("x={}; name=", "y".repeat(5000))), "too long"),
            (multipart(&[("data", IS_DOWN), ("data", IS_DOWN)]), "two parts"),
            (multipart(&[("a", "b"); PARTS_MAX + 1]), "more than 16 parts"),
            (multipart(&[("data", "hunter2")]), "the part `data` is not well-formed JSON"),
            (format!("--{}\r\n", "b".repeat(71)), "its boundary is none"),
            ("--".to_owned(), "its boundary is none"),
        ] {
            let why = why(&body);
            assert!(why.contains(says) && !why.contains("hunter2"), "{why}");
        }
        assert_eq!(
            post(&KIND, multipart(&[("a", "b"); PARTS_MAX]).as_bytes()).unwrap_err().0,
            "the multipart body has no part `data`"
        );
    }

    #[test]
    fn the_objects_are_read_from_a_query_only_when_allowed() {
        let query = "msg=m&heartbeat=%7B%22status%22:1,%22monitorID%22:18%7D&monitor=null";
        assert_eq!(get(&KIND, query, true).unwrap()[0].status, Status::Resolved);
        assert!(get(&KIND, query, false).unwrap_err().0.contains("allow_get"));
        assert!(get(&KIND, "msg=m&heartbeat=hunter2", true).unwrap_err().0.starts_with("`heartbeat` is not"));
        assert!((KIND.get)(&Options { allow_get: true, ..Options::default() }));
    }
}
