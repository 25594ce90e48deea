//! Zabbix: a media type of the type "Webhook", with the script of our setup.
//!
//! Wire facts, with their origin (zabbix/zabbix `templates/media/`, zabbix.com on macros and webhooks; keep's
//! provider and script):
//! - A script on the Zabbix server decides everything. Ours posts its parameters as they are: one JSON object
//!   whose values are all texts. Names that the stock media types use are understood beside ours.
//! - **A macro that could not be filled in arrives as its own text**, `{EVENT.ID}`: in the test dialog all of
//!   them, otherwise those that the version or the kind of event does not know. So a text in braces is no
//!   value.
//! - `{EVENT.ID}` names the problem, in its recovery and in its updates too. `{TRIGGER.ID}` would merge
//!   several problems of one trigger.
//! - `{EVENT.VALUE}` is 1 for a problem and 0 for its recovery. An update (`{EVENT.UPDATE.STATUS}` = 1) of a
//!   problem that somebody has acknowledged is an acknowledgement, any other a comment or another severity.
//! - Events of discovery, autoregistration and of Zabbix itself (`{EVENT.SOURCE}` 1 to 3) have no recovery
//!   worth following. 0 is a trigger, and 4 a service, which recovers like one.
//! - Escalation steps say the same problem again.
//! - `{EVENT.DATE}` and `{EVENT.TIME}` are in the server's zone, which nobody tells, so they are shown and
//!   never believed. `{EVENT.TIMESTAMP}` is Unix time; older versions do not have it.
//! - Attempts and their interval are settings of the media type; a script that throws has failed.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Zabbix.
pub const KIND: Kind = Kind::new(
    "zabbix",
    "Zabbix",
    "Alerts → Media types → Create media type. Type: Webhook. Parameters: event_id = {EVENT.ID}, \
     event_value = {EVENT.VALUE}, event_update = {EVENT.UPDATE.STATUS}, event_ack = {EVENT.ACK.STATUS}, \
     update_action = {EVENT.UPDATE.ACTION}, severity = {EVENT.NSEVERITY}, source = {EVENT.SOURCE}, \
     trigger_id = {TRIGGER.ID}, name = {EVENT.NAME}, host = {HOST.NAME}, host_ip = {HOST.IP}, \
     date = {EVENT.DATE}, time = {EVENT.TIME}, timestamp = {EVENT.TIMESTAMP}, \
     recovery_timestamp = {EVENT.RECOVERY.TIMESTAMP}, update_timestamp = {EVENT.UPDATE.TIMESTAMP}, \
     tags = {EVENT.TAGS}, opdata = {EVENT.OPDATA}, subject = {ALERT.SUBJECT}, message = {ALERT.MESSAGE}, \
     url = {$ZABBIX.URL}. Script: `var request = new HttpRequest(); \
     request.addHeader('Content-Type: application/json'); request.post('ADDRESS', value); \
     if (request.getStatus() > 299) { throw 'answered ' + request.getStatus(); } return 'OK';` \
     Under Message templates add Problem, Problem recovery and Problem update. Then give a user this media, and \
     an action under Alerts → Actions → Trigger actions with operations for all three.",
    read,
);

const EVENT_ID: &[&str] = &["event_id", "eventid"];
const VALUE: &[&str] = &["event_value", "value", "event_status"];
const UPDATE: &[&str] = &["event_update", "event_update_status", "update_status"];
const ACK: &[&str] = &["event_ack", "event_ack_status", "ack_status"];
const SEVERITY: &[&str] = &["severity", "event_nseverity", "nseverity", "event_severity"];
const SOURCE: &[&str] = &["source", "event_source"];
const NAME: &[&str] = &["name", "event_name", "subject", "alert_subject", "trigger_name"];
const TAGS: &[&str] = &["tags", "event_tags", "event_tags_json"];

/// Labels, and the fields they come from.
const LABELS: &[(&str, &[&str])] = &[
    ("event_id", EVENT_ID),
    ("trigger_id", &["trigger_id", "triggerid"]),
    ("host", &["host", "host_name", "hostname"]),
    ("host_ip", &["host_ip"]),
    ("severity", SEVERITY),
    ("source", SOURCE),
];

/// The key of a test, whose event has no number.
const TEST_KEY: &str = "test";
/// Labels made of tags, so that the facts of the problem keep their place.
const TAGS_MAX: usize = 40;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    Ok(vec![wire::bounded(event(wire::object(&body, "the body")?)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let id = wire::text(fields, EVENT_ID).ok_or_else(|| {
        wire::unreadable("there is no `event_id`; does the media type have the parameters of our page?")
    })?;
    let is_test = is_macro(&id);
    let status = if is_test { Status::Test } else { status(fields)? };
    let host = said(fields, &["host", "host_name", "hostname"]);
    let name = said(fields, NAME);
    let title = match (&name, &host) {
        _ if is_test => "Zabbix: a test".to_owned(),
        (Some(name), Some(host)) if !name.contains(host.as_str()) => format!("{name} on {host}"),
        (Some(name), _) => name.clone(),
        (None, Some(host)) => format!("A problem on {host}"),
        (None, None) => format!("Zabbix event {id}"),
    };
    let title = if status == Status::Resolved { format!("{title} is over") } else { title };

    let mut event = Event::new(if is_test { TEST_KEY } else { id.as_str() }, status, title);
    event.severity =
        if is_test { None } else { said(fields, SEVERITY).and_then(|severity| self::severity(&severity)) };
    event.occurred_at = wire::time(
        fields,
        match (status, is_set(fields, UPDATE)) {
            (Status::Resolved, _) => &["recovery_timestamp", "event_recovery_timestamp"],
            (_, true) => &["update_timestamp", "event_update_timestamp"],
            (_, false) => &["timestamp", "event_timestamp"],
        },
    );
    event.body = body(fields, name.as_deref());
    if let Some(tags) = TAGS.iter().find_map(|name| fields.get(*name)) {
        tag(tags, &mut event);
    }
    for (label, names) in LABELS {
        event.labels.extend(said(fields, names).map(|value| ((*label).to_owned(), value)));
    }
    links(fields, &id, &mut event);
    Ok(event)
}

/// A field whose macro was filled in.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().filter_map(|name| wire::text(fields, &[*name])).find(|text| !is_macro(text))
}

/// Whether a text is nothing but macros: `{EVENT.ID}`, `{$ZABBIX.URL}`, `{DATE} {TIME}`.
fn is_macro(text: &str) -> bool {
    let mut words = text.split_whitespace().peekable();
    words.peek().is_some()
        && words.all(|word| {
            let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).unwrap_or_default();
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || b"$._#0123456789".contains(&byte))
        })
}

/// Whether a field says yes.
fn is_set(fields: &Map<String, Value>, names: &[&str]) -> bool {
    let said = said(fields, names).map(|said| said.to_ascii_lowercase());
    matches!(said.as_deref(), Some("1" | "yes" | "true"))
}

fn status(fields: &Map<String, Value>) -> Result<Status, Unreadable> {
    if matches!(said(fields, SOURCE).as_deref(), Some("1" | "2" | "3")) {
        return Ok(Status::Info);
    }
    let is_problem = match said(fields, VALUE).map(|value| value.to_ascii_lowercase()).as_deref() {
        Some("1" | "problem") => true,
        Some("0" | "ok" | "resolved") => false,
        Some(_) => return Err(wire::unreadable("`event_value` is neither 1 nor 0")),
        None => return Err(wire::unreadable("there is no `event_value`")),
    };
    Ok(if !is_problem {
        Status::Resolved
    } else if !is_set(fields, UPDATE) {
        Status::Firing
    } else if is_set(fields, ACK) {
        Status::Acknowledged
    } else {
        Status::Info
    })
}

fn severity(word: &str) -> Option<AlertSeverity> {
    Some(match word.to_ascii_lowercase().as_str() {
        "5" | "disaster" => AlertSeverity::Critical,
        "4" | "high" => AlertSeverity::Error,
        "3" | "average" | "2" | "warning" => AlertSeverity::Warning,
        "1" | "information" | "0" | "not classified" => AlertSeverity::Info,
        _ => return None,
    })
}

fn body(fields: &Map<String, Value>, name: Option<&str>) -> String {
    let mut body = String::new();
    for names in [&["subject", "alert_subject"], &["message", "alert_message"]] {
        let said = said(fields, names).unwrap_or_default();
        if Some(said.as_str()) != name {
            wire::line(&mut body, &said);
        }
    }
    for (label, names) in [
        ("operational data", ["opdata", "event_opdata"]),
        ("update", ["update_action", "event_update_action"]),
    ] {
        if let Some(said) = said(fields, &names) {
            wire::line(&mut body, &format!("{label}: {said}"));
        }
    }
    let date = said(fields, &["date", "event_date"]);
    if let (Some(date), Some(time)) = (date, said(fields, &["time", "event_time"])) {
        wire::line(&mut body, &format!("since: {date} {time}, by the clock of the Zabbix server"));
    }
    body
}

/// Tags are `site:osl, service:db` or, from `{EVENT.TAGSJSON}`, a list of objects with `tag` and `value`. The
/// list may come as a text.
fn tag(tags: &Value, event: &mut Event) {
    let decoded;
    let tags = match tags {
        Value::String(text) if text.trim_start().starts_with('[') => {
            decoded = wire::json(text.trim(), "`tags`").unwrap_or_default();
            &decoded
        }
        tags => tags,
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    match tags {
        Value::Array(items) => {
            for item in items.iter().filter_map(Value::as_object) {
                let value = wire::text(item, &["value"]).unwrap_or_default();
                pairs.extend(wire::text(item, &["tag"]).map(|name| (name, value)));
            }
        }
        tags => {
            let all = wire::scalar(tags).unwrap_or_default();
            for word in all.split(',').map(str::trim).filter(|word| !word.is_empty() && !is_macro(word)) {
                let (name, value) = word.split_once(':').unwrap_or((word, ""));
                pairs.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
    for (name, value) in pairs.into_iter().filter(|(name, _)| !name.is_empty()).take(TAGS_MAX) {
        let (name, value) =
            if value.is_empty() { (format!("tag_{name}"), "true".to_owned()) } else { (name, value) };
        event.labels.insert(name, value);
    }
}

/// The problem's own page, when the macro with the address of the frontend is set, and the trigger's link.
fn links(fields: &Map<String, Value>, id: &str, event: &mut Event) {
    wire::link(&mut event.links, &said(fields, &["trigger_url", "event_url"]).unwrap_or_default());
    if let Some(url) = said(fields, &["url", "zabbix_url"]) {
        let url = url.trim_end_matches('/');
        match said(fields, &["trigger_id", "triggerid"]) {
            Some(trigger) if !is_macro(id) => {
                let page = format!("{url}/tr_events.php?triggerid={trigger}&eventid={id}");
                wire::link(&mut event.links, &page);
            }
            _ => wire::link(&mut event.links, url),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_problem_and_its_recovery_have_the_same_key() {
        let fires = one(&json!({"event_id": "918273", "event_value": "1", "timestamp": "1767323045"}));
        let recovers = one(&json!({"event_id": 918273, "event_value": 0, "timestamp": "1767323045",
            "recovery_timestamp": "1767323345"}));
        assert_eq!((fires.status, recovers.status), (Status::Firing, Status::Resolved));
        assert_eq!(fires.key, recovers.key);
        assert_eq!(fires.occurred_at.unwrap().as_second(), 1_767_323_045);
        assert_eq!(recovers.occurred_at.unwrap().as_second(), 1_767_323_345);
    }

    #[test]
    fn an_update_acknowledges_or_tells_and_never_fires() {
        let status = |ack: &str| {
            one(&json!({"event_id": "7", "event_value": "1", "event_update": "1", "event_ack": ack})).status
        };
        assert_eq!(status("Yes"), Status::Acknowledged);
        assert_eq!(status("No"), Status::Info);
    }

    #[test]
    fn macros_that_were_not_filled_in_are_no_values() {
        let event =
            one(&json!({"event_id": "7", "event_value": "1", "event_update": "{EVENT.UPDATE.STATUS}",
            "event_ack": "{EVENT.ACK.STATUS}", "url": "{$ZABBIX.URL}", "host": "{HOST.NAME}", "name": "loss",
            "timestamp": "{EVENT.TIMESTAMP}", "tags": "{EVENT.TAGS}"}));
        assert_eq!((event.status, event.title.as_str()), (Status::Firing, "loss"));
        assert_eq!(event.occurred_at, None);
        assert_eq!(event.labels.keys().collect::<Vec<_>>(), ["event_id"]);
        assert!(event.links.is_empty());
    }

    #[test]
    fn the_test_dialog_is_a_test() {
        let event = one(&json!({"event_id": "{EVENT.ID}", "event_value": "{EVENT.VALUE}"}));
        assert_eq!((event.status, event.key.as_str()), (Status::Test, TEST_KEY));
        assert!(is_macro("{DATE} {TIME}") && !is_macro("{DATE} is late") && !is_macro(""));
    }

    #[test]
    fn a_severity_is_read_as_number_and_as_word() {
        let severity =
            |value: Value| one(&json!({"event_id": "7", "event_value": "1", "severity": value})).severity;
        assert_eq!(severity(json!(5)), Some(AlertSeverity::Critical));
        assert_eq!(severity(json!("4")), Some(AlertSeverity::Error));
        assert_eq!(severity(json!("Average")), Some(AlertSeverity::Warning));
        assert_eq!(severity(json!("0")), Some(AlertSeverity::Info));
        assert_eq!(severity(json!("6")), None);
    }

    #[test]
    fn what_has_no_recovery_neither_fires_nor_resolves() {
        for source in ["1", "2", "3"] {
            let event = one(&json!({"event_id": "7", "event_value": "{EVENT.VALUE}", "source": source}));
            assert_eq!(event.status, Status::Info, "{source}");
        }
        assert_eq!(one(&json!({"event_id": "7", "event_value": "0", "source": 4})).status, Status::Resolved);
    }

    #[test]
    fn tags_are_read_as_text_and_as_json() {
        for tags in [
            json!("site:osl, plain"),
            json!([{"tag": "site", "value": "osl"}, {"tag": "plain", "value": ""}]),
            json!("[{\"tag\": \"site\", \"value\": \"osl\"}, {\"tag\": \"plain\", \"value\": \"\"}]"),
        ] {
            let event = one(&json!({"event_id": "7", "event_value": "1", "tags": tags}));
            assert_eq!((event.labels["site"].as_str(), event.labels["tag_plain"].as_str()), ("osl", "true"));
        }
    }

    #[test]
    fn a_value_nobody_knows_is_refused_without_quoting_it() {
        let why = |body: Value| post(&KIND, body.to_string().as_bytes()).unwrap_err().0;
        assert_eq!(
            why(json!({"event_id": "7", "event_value": "hunter2"})),
            "`event_value` is neither 1 nor 0"
        );
        assert_eq!(why(json!({"event_id": "7"})), "there is no `event_value`");
    }
}
