//! Site24x7 (ManageEngine): uptime, server and application monitors.
//!
//! Wire facts, with their origin (target/goalert `site24x7/site24x7.go` and its smoke test; FireHydrant's and
//! PagerTree's public samples; keephq/keep `site24x7_provider`; devopsext's receiver):
//! - `POST` or `GET`, as JSON or as a form, by choice of the user. No signature; custom headers are possible.
//! - Names are in capitals: `MONITOR_ID` (a number of 18 digits; some templates say `MONITORID`),
//!   `MONITORNAME`, `STATUS`, `INCIDENT_REASON`, `INCIDENT_TIME_ISO` with an offset without colon. Users
//!   write templates of their own, so case makes no difference here. Where a name is said twice the one in
//!   capitals holds, then the first.
//! - `TAGS` and `GROUP_TAGS` are a list, or a text.
//! - `INCIDENT_TIME` is in words and in the zone of the account: it is shown, and no time is made of it.
//!   `OUTAGE_TIME_UNIX_FORMAT` (milliseconds) is not taken: it is the start of an outage, also in what says
//!   its end, and a firing alert with a time beside a recovery without one could be held for an old one.
//! - `STATUS` is `DOWN`, `CRITICAL` or `TROUBLE`, and `UP` when it is over. A monitor can also be in
//!   maintenance, suspended, in discovery or wrongly configured: that is said and opens nothing. Any other
//!   word is refused, since it may be one for a monitor that is down.
//! - What the test button sends is documented nowhere. A status that still is the variable, `$STATUS`, is a
//!   test.
//! - What is sent again after an error is documented nowhere, and there is no id of the delivery.
//!
//! The key is `MONITOR_ID`; for want of it the name, which can be changed while an alert is open.

use serde_json::{Map, Value};

use super::wire::Said;
use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Site24x7.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "site24x7",
        "Site24x7",
        "Admin → Third-Party Integrations → Webhooks. Hook URL: ADDRESS, HTTP method: POST, send incident \
         parameters: yes, in JSON format. Alert for Down, Trouble and Critical, and choose the monitors.",
        read,
    )
};

/// The key of a test that names no monitor.
const TEST_KEY: &str = "test";

const LABELS: &[(&str, &[&str])] = &[
    ("monitor_id", &["MONITOR_ID", "MONITORID"]),
    ("monitor_name", &["MONITORNAME", "MONITOR_NAME"]),
    ("monitor_type", &["MONITORTYPE", "MONITOR_TYPE"]),
    ("monitor_group", &["MONITOR_GROUPNAME", "MONITORGROUPNAME"]),
    ("failed_locations", &["FAILED_LOCATIONS"]),
    ("alarm_category", &["ALARM_CATEGORY"]),
    ("status", &["STATUS"]),
];
const BODY: &[(&str, &[&str])] = &[
    ("reason", &["INCIDENT_REASON", "REASON"]),
    ("details", &["INCIDENT_DETAILS"]),
    ("seen from", &["FAILED_LOCATIONS"]),
    ("since", &["INCIDENT_TIME"]),
    ("outage", &["OUTAGE_DURATION"]),
];
const LINKS: &[&str] = &["MONITOR_DASHBOARD_LINK", "RCA_LINK", "MONITORURL"];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    Ok(vec![wire::bounded(event(&capitals(fields(delivery)?))?)?])
}

/// The fields by their names in capitals.
fn capitals(fields: Map<String, Value>) -> Map<String, Value> {
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    let (exact, others): (Vec<_>, Vec<_>) =
        said.partition(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_lowercase()));
    let mut kept = Map::new();
    for (name, value) in exact.into_iter().chain(others) {
        kept.entry(name.to_ascii_uppercase()).or_insert(value);
    }
    kept
}

fn fields(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    match wire::said(delivery)? {
        Said::Json(body) => wire::json_object(body),
        Said::Form(encoded) => form(encoded),
    }
}

/// Reads a query or a form. A name said several times, as `TAGS` may be, becomes a list.
fn form(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    let said = wire::parameters(encoded)?;
    let (exact, others): (Vec<_>, Vec<_>) =
        said.into_iter().partition(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_lowercase()));
    let mut fields: Map<String, Value> = Map::new();
    for (name, value) in exact.into_iter().chain(others) {
        let (name, value) = (name.to_ascii_uppercase(), Value::String(value));
        match fields.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value),
            Some(_) if !name.ends_with("TAGS") => {}
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                fields.insert(name, value);
            }
        }
    }
    Ok(fields)
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let word = wire::text(fields, &["STATUS"])
        .ok_or_else(|| wire::unreadable("there is no `STATUS`; is this really Site24x7's webhook?"))?;
    let (status, severity) = state(&word).ok_or_else(|| {
        wire::unreadable("`STATUS` is none of DOWN, CRITICAL, TROUBLE and UP, nor a known word beside them")
    })?;
    let name = wire::text(fields, &["MONITORNAME", "MONITOR_NAME"]);
    let monitor = wire::text(fields, &["MONITOR_ID", "MONITORID"]);
    let key = match monitor.or_else(|| name.as_ref().map(|name| format!("name:{name}"))) {
        Some(key) => key,
        None if status == Status::Test => TEST_KEY.to_owned(),
        None => return Err(wire::unreadable("there is neither a `MONITOR_ID` nor a `MONITORNAME`")),
    };
    let name = name.unwrap_or_else(|| format!("Site24x7 monitor {key}"));
    let reason = wire::text(fields, &["INCIDENT_REASON", "REASON"]);
    let title = match (status, reason) {
        (Status::Test, _) => "Site24x7: a test".to_owned(),
        (Status::Firing, Some(reason)) => format!("{name} {}: {reason}", says(&word)),
        _ => format!("{name} {}", says(&word)),
    };

    let mut event = Event::new(key, status, title);
    event.severity = severity;
    event.occurred_at = wire::time(fields, &["INCIDENT_TIME_ISO"]);
    for (label, field) in [("group_tags", "GROUP_TAGS"), ("tags", "TAGS")] {
        if let Some(tags) = fields.get(field).and_then(wire::flat) {
            tag(label, &tags, &mut event);
        }
    }
    for (label, names) in LABELS {
        event.labels.extend(wire::text(fields, names).map(|value| ((*label).to_owned(), value)));
    }
    for (what, names) in BODY {
        if let Some(said) = wire::word(fields, names) {
            wire::line(&mut event.body, &format!("{what}: {said}"));
        }
    }
    for field in LINKS {
        wire::link(&mut event.links, &wire::word(fields, &[field]).unwrap_or_default());
    }
    Ok(event)
}

fn state(word: &str) -> Option<(Status, Option<AlertSeverity>)> {
    Some(match word.to_ascii_uppercase().replace('_', " ").as_str() {
        "DOWN" | "CRITICAL" => (Status::Firing, Some(AlertSeverity::Critical)),
        "TROUBLE" => (Status::Firing, Some(AlertSeverity::Warning)),
        "UP" => (Status::Resolved, None),
        "TEST" => (Status::Test, None),
        word if word.trim_matches(['$', '{', '}']) == "STATUS" => (Status::Test, None),
        "MAINTENANCE"
        | "UNDER MAINTENANCE"
        | "SUSPENDED"
        | "DISCOVERY"
        | "DISCOVERY IN PROGRESS"
        | "CONFIGURATION ERROR"
        | "CONFIG ERROR" => (Status::Info, None),
        _ => return None,
    })
}

/// What a status says of a monitor.
fn says(word: &str) -> String {
    match word.to_ascii_uppercase().as_str() {
        "DOWN" => "is down".into(),
        "CRITICAL" => "is critical".into(),
        "TROUBLE" => "has trouble".into(),
        "UP" => "is up".into(),
        "MAINTENANCE" => "is in maintenance".into(),
        "SUSPENDED" => "is suspended".into(),
        _ => format!("says {}", word.to_lowercase().replace('_', " ")),
    }
}

/// Tags become one label, and one label each, so that a route can match a single one: `team:db` is `team` =
/// `db`, a plain word `eu` is `tag_eu` = `true`.
fn tag(label: &str, all: &str, event: &mut Event) {
    let all = all.trim_matches(['[', ']']);
    for word in all.split(',').map(str::trim).filter(|word| !word.is_empty() && !word.contains(['{', '"'])) {
        match word.split_once([':', '=']) {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                event.labels.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                event.labels.insert(format!("tag_{word}"), "true".into());
            }
        }
    }
    if !all.trim().is_empty() {
        event.labels.insert(label.to_owned(), all.trim().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{get, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn down_trouble_and_up_have_one_key_as_number_and_as_text() {
        let down = one(&json!({"MONITOR_ID": 300_412_000_000_025_121_i64, "STATUS": "DOWN"}));
        let trouble = one(&json!({"MONITORID": "300412000000025121", "STATUS": "Trouble"}));
        let up = one(&json!({"MONITOR_ID": "300412000000025121", "STATUS": "UP"}));
        assert_eq!([&down.key, &trouble.key], [&up.key, &up.key]);
        assert_eq!((down.status, down.severity), (Status::Firing, Some(AlertSeverity::Critical)));
        assert_eq!((trouble.status, trouble.severity), (Status::Firing, Some(AlertSeverity::Warning)));
        assert_eq!(up.status, Status::Resolved);
    }

    #[test]
    fn the_start_of_an_outage_is_not_the_time_of_its_end() {
        let of = |status: &str| {
            one(&json!({"MONITOR_ID": 7, "STATUS": status, "OUTAGE_TIME_UNIX_FORMAT": "1767323045000",
                "INCIDENT_TIME": "January 2, 2026 3:04 AM PST"}))
        };
        assert_eq!((of("DOWN").occurred_at, of("UP").occurred_at), (None, None));
        let told = one(&json!({"MONITOR_ID": 7, "STATUS": "UP",
            "INCIDENT_TIME_ISO": "2026-01-02T04:09:05+0100"}));
        assert_eq!(told.occurred_at.unwrap().to_string(), "2026-01-02T03:09:05Z");
    }

    #[test]
    fn a_list_of_tags_and_a_text_of_tags_mean_the_same() {
        let list = one(&json!({"MONITOR_ID": 7, "STATUS": "DOWN", "TAGS": ["team:web", "eu"]}));
        let text = one(&json!({"MONITOR_ID": 7, "STATUS": "DOWN", "TAGS": "[team:web,eu]"}));
        assert_eq!(list, text);
        assert_eq!((list.labels["team"].as_str(), list.labels["tag_eu"].as_str()), ("web", "true"));
    }

    #[test]
    fn quiet_words_open_nothing_and_unknown_ones_are_refused() {
        for word in ["MAINTENANCE", "Suspended", "DISCOVERY", "CONFIGURATION ERROR", "configuration_error"] {
            assert_eq!(one(&json!({"MONITOR_ID": 7, "STATUS": word})).status, Status::Info, "{word}");
        }
        for word in ["hunter2", "FAILED", "DOWN!", "0"] {
            let why = why(&json!({"MONITOR_ID": 7, "STATUS": word}));
            assert!(why.starts_with("`STATUS` is none of") && !why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn of_a_name_said_twice_the_one_in_capitals_holds_and_then_the_first() {
        let read = one(&json!({"MONITOR_ID": 7, "STATUS": "DOWN", "status": "up", "Status": "UP"}));
        assert_eq!(read.status, Status::Firing);
        let absent = one(&json!({"MONITOR_ID": null, "monitor_id": 7, "STATUS": "DOWN"}));
        assert_eq!(absent.key, "7");
        for form in ["status=UP&STATUS=DOWN&MONITOR_ID=7", "MONITOR_ID=7&status=DOWN&Status=UP&status=UP"] {
            assert_eq!(post(&KIND, form.as_bytes()).unwrap()[0].status, Status::Firing, "{form}");
        }
    }

    #[test]
    fn a_variable_left_as_it_was_is_a_test() {
        let event = one(&json!({"STATUS": "$STATUS", "MONITORNAME": "$MONITORNAME"}));
        assert_eq!(event.status, Status::Test);
        assert_eq!(one(&json!({"STATUS": "${STATUS}"})).key, TEST_KEY);
    }

    #[test]
    fn a_form_and_an_allowed_query_are_read_like_json() {
        let form = "MONITOR_ID=7&STATUS=DOWN&TAGS=eu&TAGS=prod";
        let json = one(&json!({"MONITOR_ID": 7, "STATUS": "DOWN", "TAGS": ["eu", "prod"]}));
        assert_eq!(post(&KIND, form.as_bytes()), Ok(vec![json.clone()]));
        assert_eq!(get(&KIND, form, true), Ok(vec![json]));
        assert!(get(&KIND, form, false).unwrap_err().0.contains("allow_get"));
    }

    #[test]
    fn without_a_status_or_a_monitor_it_is_refused() {
        assert!(why(&json!({"MONITOR_ID": 7})).contains("no `STATUS`"));
        assert!(why(&json!({"STATUS": "DOWN"})).contains("neither a `MONITOR_ID`"));
    }
}
