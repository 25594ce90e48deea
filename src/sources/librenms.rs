//! LibreNMS: the API transport.
//!
//! Confirmed (librenms/librenms `LibreNMS/Alert/Transport/Api.php`, `RunAlerts.php`, `Enum/AlertState.php`,
//! `doc/Alerting/Templates.md`; keep's `libre_nms_provider.py`):
//! - `GET`, `POST` or `PUT`; the options, one `name=value` a line, travel as the query with **every** method
//!   and are encoded properly. What stands in the URL after `?` is dropped, so the token must be in the path
//!   or be an option.
//! - The body of a `POST` is the operator's text with `{{ $name }}` filled, **without escapes**: a quote or a
//!   line break in `msg` breaks JSON. Its type is `text/plain`. So the options carry what is short, and the
//!   body, as plain text, `msg`, which as an option could make the address longer than anything on the way
//!   accepts. Where the options hold the state they win over the body, since `msg` may look like anything.
//! - `state`: 0 recovered, 1 alert, 2 acknowledged, 3 worse, 4 better, 5 changed; as text when templated.
//! - `uid` is the number of an entry in the log: **it differs between alert and recovery**, and so may `id`.
//!   `alert_id`, and `device_id` with `rule_id`, stay the same.
//! - `severity`: `ok`, `warning`, `critical`, kept on recovery. `timestamp` is local time without a zone:
//!   shown, but not believed, since it may be hours away and goes back once a year.
//!
//! Not confirmed: what the test of a transport sends (as far as is known `rule_id` = `000`, a title that begins
//! with `Testing transport from`); older versions, which sent the options as a form. Both are taken.
//!
//! The key is the device and the rule, else `alert_id`, else the host and the name of the rule.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// LibreNMS.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "librenms",
        "LibreNMS",
        "Alerts → Alert Transports → Create, type: API, method: POST, URL: ADDRESS, body: {{ $msg }}. Options, one \
         a line: device_id={{ $device_id }}, rule_id={{ $rule_id }}, alert_id={{ $alert_id }}, \
         state={{ $state }}, severity={{ $severity }}, title={{ $title }}, name={{ $name }}, \
         hostname={{ $hostname }}, sysName={{ $sysName }}, location={{ $location }}, \
         timestamp={{ $timestamp }}, proc={{ $proc }}. Leave the commas out.",
        read,
    )
};

const TEST_TITLE: &str = "testing transport from";
const HOST: &[&str] = &["hostname", "display", "sysName", "sysname", "ip"];
const RULE: &[&str] = &["name", "rule_name", "rule"];
const TIME: &[&str] = &["timestamp", "time"];
const LABELS: &[(&str, &str)] = &[
    ("device_id", "device_id"),
    ("rule_id", "rule_id"),
    ("alert_id", "alert_id"),
    ("state", "state"),
    ("severity", "severity"),
    ("hostname", "hostname"),
    ("sysName", "sys_name"),
    ("ip", "ip"),
    ("os", "os"),
    ("type", "type"),
    ("location", "location"),
    ("hardware", "hardware"),
    ("name", "rule"),
    ("transport_name", "transport"),
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    let fields = if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        wire::first_of_each(delivery.query)?
    } else if let Some(fields) = optioned(delivery.query, body)? {
        fields
    } else if body.starts_with(['{', '[']) {
        match wire::json(body, "the body")? {
            Value::Object(fields) => fields,
            other => {
                return Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other))));
            }
        }
    } else if !delivery.query.is_empty() {
        wire::first_of_each(delivery.query)?
    } else if body.contains('=') {
        wire::first_of_each(body)?
    } else if body.is_empty() {
        return Err(wire::unreadable("there are neither options nor a body"));
    } else {
        return Err(wire::unreadable(
            "the body is neither a JSON object nor a form; use the options instead",
        ));
    };
    Ok(vec![wire::bounded(event(&fields)?)?])
}

/// The options of a query that hold the state, with the body as their message. A body that is an object
/// of JSON adds what they do not say.
fn optioned(query: &str, body: &str) -> Result<Option<Map<String, Value>>, Unreadable> {
    let mut fields = wire::first_of_each(query)?;
    if wire::word(&fields, &["state"]).is_none() {
        return Ok(None);
    }
    let object = body.starts_with('{').then(|| wire::json(body, "the body").ok()).flatten();
    match object {
        Some(Value::Object(more)) => {
            for (name, value) in more {
                fields.entry(name).or_insert(value);
            }
        }
        _ if !body.is_empty() => {
            fields.entry("msg").or_insert_with(|| Value::String(body.to_owned()));
        }
        _ => {}
    }
    Ok(Some(fields))
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let title = wire::text(fields, &["title"]);
    let (device, rule) = (wire::text(fields, &["device_id"]), wire::text(fields, &["rule_id"]));
    let (host, name) = (wire::text(fields, HOST), wire::text(fields, RULE));
    let is_test = rule.as_ref().is_some_and(|rule| rule.bytes().all(|digit| digit == b'0'))
        || title.as_ref().is_some_and(|title| title.to_ascii_lowercase().starts_with(TEST_TITLE));
    let status = match wire::text(fields, &["state"]).map(|state| state.to_ascii_lowercase()).as_deref() {
        _ if is_test => Status::Test,
        Some("0" | "recovered" | "clear" | "ok") => Status::Resolved,
        Some("1" | "3" | "4" | "5" | "active" | "alert" | "worse" | "better" | "changed") => Status::Firing,
        Some("2" | "acknowledged" | "ack") => Status::Acknowledged,
        Some(_) => return Err(wire::unreadable("`state` is none of 0 to 5")),
        None => {
            return Err(wire::unreadable("there is no `state`; is it among the options of the transport?"));
        }
    };
    let key = match (&device, &rule, wire::text(fields, &["alert_id"]), &host, &name) {
        (Some(device), Some(rule), ..) => format!("{device}/{rule}"),
        (_, _, Some(alert), ..) => format!("alert:{alert}"),
        (_, _, None, Some(host), Some(name)) => format!("{host}/{name}"),
        _ if status == Status::Test => "test".to_owned(),
        _ => {
            return Err(wire::unreadable(
                "there is no `device_id` with a `rule_id`, nor an `alert_id`; `uid` and `id` will not do, \
                 they are others when the alert is over",
            ));
        }
    };
    let title = title.unwrap_or_else(|| {
        let name = name.clone().unwrap_or_else(|| format!("Alert {key}"));
        let title = host.as_ref().map_or(name.clone(), |host| format!("{name} on {host}"));
        if status == Status::Resolved { format!("{title}: recovered") } else { title }
    });

    let mut event = Event::new(key, status, title);
    event.severity = wire::word(fields, &["severity"]).and_then(|word| AlertSeverity::from_word(&word));
    event.body = body(fields);
    let zoned = |text: &str| text.parse::<f64>().is_ok() || text.parse::<jiff::Timestamp>().is_ok();
    event.occurred_at =
        wire::word(fields, TIME).filter(|text| zoned(text)).and_then(|text| wire::moment(&text));
    for (field, label) in LABELS {
        event.labels.extend(wire::text(fields, &[field]).map(|value| ((*label).to_owned(), value)));
    }
    for name in ["proc", "url", "link"] {
        for word in wire::text(fields, &[name]).iter().flat_map(|text| text.split_whitespace()) {
            wire::link(&mut event.links, word);
        }
    }
    Ok(event)
}

fn body(fields: &Map<String, Value>) -> String {
    let mut body = wire::text(fields, &["msg", "message", "body"]).unwrap_or_default();
    for (field, says) in
        [("proc", "procedure"), ("alert_notes", "note"), ("elapsed", "elapsed"), ("timestamp", "at")]
    {
        if let Some(value) = wire::text(fields, &[field]) {
            wire::line(&mut body, &format!("{says}: {value}"));
        }
    }
    if let Some(Value::Object(faults)) = fields.get("faults") {
        let faults = faults.values().filter_map(Value::as_object);
        for fault in faults.filter_map(|fault| wire::text(fault, &["string"])) {
            wire::line(&mut body, &format!("fault: {fault}"));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn an_alert_that_gets_worse_and_recovers_keeps_its_key() {
        let of = |state: Value, uid: u32| {
            one(json!({"device_id": "12", "rule_id": 4, "state": state, "uid": uid}))
        };
        let (fires, worse, over) = (of(json!("1"), 70), of(json!(3), 71), of(json!("0"), 72));
        assert_eq!(
            [fires.status, worse.status, over.status],
            [Status::Firing, Status::Firing, Status::Resolved]
        );
        assert_eq!((&fires.key, &worse.key), (&over.key, &over.key));
        assert_eq!(of(json!(2), 73).status, Status::Acknowledged);
    }

    #[test]
    fn the_number_of_a_log_entry_is_no_key() {
        assert!(why(json!({"state": "1", "uid": "70", "id": "70"})).contains("`uid` and `id` will not do"));
        assert_eq!(one(json!({"state": 1, "hostname": "sw1", "name": "Port down"})).key, "sw1/Port down");
    }

    #[test]
    fn the_options_travel_in_the_query_of_a_post_and_of_a_get_that_is_allowed() {
        let query = "device_id=12&rule_id=4&state=1&title=sw1+is+down&msg=two%0Alines";
        let posted = (KIND.read)(&delivery("POST", query, b"")).unwrap().remove(0);
        assert_eq!((posted.key.as_str(), posted.body.as_str()), ("12/4", "two\nlines"));
        assert_eq!(get(&KIND, query, true).unwrap(), vec![posted.clone()]);
        assert_eq!(post(&KIND, query.as_bytes()).unwrap(), vec![posted]);
        assert!(get(&KIND, query, false).unwrap_err().0.contains("allow_get"));
    }

    #[test]
    fn a_body_beside_the_options_is_the_message_whatever_it_looks_like() {
        let query = "device_id=12&rule_id=4&state=1&title=sw1+is+down";
        for said in ["ge-0/0/1 is \"down\"\nstate=0", "[1] link down", "{not JSON", "a=b&state=0"] {
            let event = (KIND.read)(&delivery("POST", query, said.as_bytes())).unwrap().remove(0);
            assert_eq!((event.key.as_str(), event.status), ("12/4", Status::Firing), "{said}");
            assert_eq!(event.body, said);
        }
        let object = br#"{"state": "0", "msg": "said in JSON"}"#;
        let event = (KIND.read)(&delivery("POST", query, object)).unwrap().remove(0);
        assert_eq!((event.status, event.body.as_str()), (Status::Firing, "said in JSON"));
        let bare = (KIND.read)(&delivery("POST", "device_id=12", b"sw1 is down"));
        assert!(bare.unwrap_err().0.contains("no `state`"));
    }

    #[test]
    fn a_local_time_is_shown_but_not_believed() {
        let event = one(json!({"alert_id": 9, "state": 1, "timestamp": "2026-01-02 03:04:05"}));
        assert_eq!((event.occurred_at, event.body.as_str()), (None, "at: 2026-01-02 03:04:05"));
        let zoned = one(json!({"alert_id": 9, "state": 1, "timestamp": "2026-01-02T03:04:05Z"}));
        assert!(zoned.occurred_at.is_some());
    }

    #[test]
    fn the_test_of_a_transport_is_a_test() {
        let test = one(
            json!({"device_id": "1", "rule_id": "000", "state": "1", "title": "Testing transport from X"}),
        );
        assert_eq!(test.status, Status::Test);
    }
}
