//! Checkly: synthetic checks (API, browser, heartbeats).
//!
//! Wire facts, with their origin (checkly/docs.checklyhq.com "Webhooks"; checkly/checkly-cli and the
//! Terraform provider for templates in use; keephq/keep `checkly_provider`):
//! - The method, the query and the body are the user's own, a Handlebars template. There is no shape to rely
//!   on, so we publish one (`setup`) and read others leniently: `CHECK_ID`, `check_id` and `checkId` are one
//!   name.
//! - `{{NAME}}` escapes for HTML: quotes in `ALERT_TITLE` arrive as `&quot;` and `=` in a link as `&#x3D;`.
//!   That is undone here. Nothing escapes for JSON, so a free text such as an error message with line breaks
//!   spoils the body; our template has none.
//! - A published template for Terraform ends in a comma after the brace. It is overlooked.
//! - `ALERT_TYPE` goes from state to state: `ALERT_FAILURE_DEGRADED` was failing and is degraded now.
//!   `..._REMAIN` is a repeat. The vendor's page writes `ALERT_FAIL` in its table and `ALERT_FAILURE` in its
//!   examples.
//! - `ALERT_SSL` tells that a certificate ends soon. It is never taken back, so it is said and opens nothing.
//! - `x-checkly-signature`: HMAC-SHA256 in hexadecimal digits when a secret is set. `x-checkly-timestamp` is
//!   not signed; its unit is written nowhere.
//! - Any status above 399 is tried again, 5 times, 20 seconds apart. So a failure can arrive after its
//!   recovery: `STARTED_AT`, when the run of the check began, tells them apart.
//!
//! The key is `CHECK_ID`: the name can be changed. A retry is known by `CHECK_RESULT_ID` together with
//! `ALERT_TYPE`.

use serde_json::{Map, Value};

use super::wire::Said;
use super::{Delivery, Kind, Options, Unreadable, sign, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Checkly.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    headers: &["x-checkly-timestamp"],
    signs: Some(sign::CHECKLY),
    ..Kind::new(
        "checkly",
        "Checkly",
        "Alert settings → Add more channels → Webhook. Method: POST, URL: ADDRESS, body: {\"check_id\": \
         \"{{CHECK_ID}}\", \"alert_type\": \"{{ALERT_TYPE}}\", \"check_result_id\": \
         \"{{CHECK_RESULT_ID}}\", \"started_at\": \"{{STARTED_AT}}\", \"title\": \"{{ALERT_TITLE}}\", \
         \"check_name\": \"{{CHECK_NAME}}\", \"check_type\": \"{{CHECK_TYPE}}\", \"group_name\": \
         \"{{GROUP_NAME}}\", \"run_location\": \"{{RUN_LOCATION}}\", \"response_time\": \
         \"{{RESPONSE_TIME}}\", \"tags\": \"{{TAGS}}\", \"link\": \"{{RESULT_LINK}}\"}. Then subscribe the \
         checks to the channel.",
        read,
    )
};

/// What is written into the body, by its name here and the name in the template.
const BODY: &[(&str, &str)] = &[
    ("error", "checkerrormessage"),
    ("location", "runlocation"),
    ("response time in ms", "responsetime"),
    ("status code", "apicheckresponsestatuscode"),
    ("status text", "apicheckresponsestatustext"),
    ("certificate of", "sslcheckdomain"),
    ("days until it ends", "ssldaysremaining"),
];
/// Labels, likewise.
const LABELS: &[(&str, &str)] = &[
    ("check_id", "checkid"),
    ("check_name", "checkname"),
    ("check_type", "checktype"),
    ("alert_type", "alerttype"),
    ("group_name", "groupname"),
    ("run_location", "runlocation"),
    ("region", "region"),
    ("ssl_check_domain", "sslcheckdomain"),
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mut event = event(&plain(fields(delivery)?))?;
    if event.occurred_at.is_none() {
        event.occurred_at = delivery.header("x-checkly-timestamp").and_then(wire::moment);
    }
    Ok(vec![wire::bounded(event)?])
}

fn fields(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    match wire::said(delivery)? {
        Said::Json(body) => wire::json_object(body.trim_end_matches(',')),
        Said::Form(encoded) => wire::first_of_each(encoded),
    }
}

/// The fields by names in which case and underscores make no difference, with texts that are no longer HTML.
fn plain(fields: Map<String, Value>) -> Map<String, Value> {
    let bare = |name: &str| {
        name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect::<String>()
    };
    let of_html = |value: Value| match value {
        Value::String(text) => Value::String(unescaped(text)),
        other => other,
    };
    fields.into_iter().map(|(name, value)| (bare(&name), of_html(value))).collect()
}

/// Undoes what Handlebars escapes. The ampersand comes last, so that nothing is undone twice.
fn unescaped(mut text: String) -> String {
    for (escaped, meant) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x60;", "`"),
        ("&#x3D;", "="),
        ("&amp;", "&"),
    ] {
        if text.contains(escaped) {
            text = text.replace(escaped, meant);
        }
    }
    text
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let check = wire::text(fields, &["checkid"]).ok_or_else(|| {
        wire::unreadable("there is no `check_id`; use the body that the setup of this kind shows")
    })?;
    if check.contains("{{") {
        return Err(wire::unreadable("`check_id` still has its braces: the template was not filled in"));
    }
    let kind = wire::text(fields, &["alerttype"])
        .map(|kind| kind.to_ascii_uppercase())
        .ok_or_else(|| wire::unreadable("there is no `alert_type`; it tells a failure from a recovery"))?;
    let (status, severity) = state(&kind)
        .ok_or_else(|| wire::unreadable("`alert_type` is none of the types that Checkly documents"))?;
    let name = wire::text(fields, &["checkname"]).unwrap_or_else(|| format!("Checkly check {check}"));
    // A template in use calls the type of the alert `event`, another one its title.
    let title = ["alerttitle", "title", "event", "message"]
        .iter()
        .filter_map(|field| wire::text(fields, &[field]))
        .find(|title| state(&title.to_ascii_uppercase()).is_none())
        .unwrap_or_else(|| format!("{name} {}", says(status, severity)));

    let mut event = Event::new(check, status, title);
    event.severity = severity;
    event.occurred_at = wire::time(fields, &["startedat"]);
    event.delivery_id = wire::text(fields, &["checkresultid"]).map(|result| format!("{result}/{kind}"));
    if let Some(tags) = fields.get("tags").and_then(wire::flat) {
        tag(&tags, &mut event);
    }
    for (label, field) in LABELS {
        event.labels.extend(wire::text(fields, &[field]).map(|value| ((*label).to_owned(), value)));
    }
    for (what, field) in BODY {
        if let Some(said) = wire::word(fields, &[field]) {
            wire::line(&mut event.body, &format!("{what}: {said}"));
        }
    }
    for field in ["resultlink", "link", "url"] {
        wire::link(&mut event.links, &wire::word(fields, &[field]).unwrap_or_default());
    }
    Ok(event)
}

/// What a type of alert says. The last state in its name is the one that holds now.
fn state(kind: &str) -> Option<(Status, Option<AlertSeverity>)> {
    Some(match kind {
        "ALERT_FAILURE" | "ALERT_FAIL" | "ALERT_FAILURE_REMAIN" | "ALERT_DEGRADED_FAILURE" => {
            (Status::Firing, Some(AlertSeverity::Critical))
        }
        "ALERT_DEGRADED" | "ALERT_DEGRADED_REMAIN" | "ALERT_FAILURE_DEGRADED" => {
            (Status::Firing, Some(AlertSeverity::Warning))
        }
        "ALERT_RECOVERY" | "ALERT_FAILURE_RECOVERY" | "ALERT_DEGRADED_RECOVERY" | "NO_ALERT" => {
            (Status::Resolved, None)
        }
        "ALERT_SSL" => (Status::Info, Some(AlertSeverity::Warning)),
        _ => return None,
    })
}

fn says(status: Status, severity: Option<AlertSeverity>) -> &'static str {
    match (status, severity) {
        (Status::Firing, Some(AlertSeverity::Warning)) => "is degraded",
        (Status::Firing, _) => "has failed",
        (Status::Info, _) => "has a certificate that ends soon",
        _ => "has recovered",
    }
}

/// Tags become one label `tags`, and one label each, so that a route can match a single one.
fn tag(all: &str, event: &mut Event) {
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
    event.labels.insert("tags".into(), all.to_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn a_check_fails_degrades_and_recovers_under_one_key() {
        let of = |kind: &str| one(&json!({"check_id": "c-1", "alert_type": kind}));
        let said =
            ["ALERT_FAILURE", "ALERT_FAILURE_DEGRADED", "ALERT_DEGRADED_REMAIN", "ALERT_DEGRADED_RECOVERY"]
                .map(|kind| {
                    let event = of(kind);
                    assert_eq!(event.key, "c-1");
                    (event.status, event.severity)
                });
        let degraded = (Status::Firing, Some(AlertSeverity::Warning));
        let failed = (Status::Firing, Some(AlertSeverity::Critical));
        assert_eq!(said, [failed, degraded, degraded, (Status::Resolved, None)]);
    }

    #[test]
    fn names_of_other_templates_are_the_same_names() {
        let ours = one(&json!({"check_id": "c-1", "alert_type": "ALERT_FAILURE",
            "started_at": "2026-01-02T03:04:05Z"}));
        for other in [
            json!({"CHECK_ID": "c-1", "ALERT_TYPE": "ALERT_FAILURE", "STARTED_AT": "1767323045"}),
            json!({"checkId": "c-1", "alertType": "ALERT_FAILURE", "startedAt": "2026-01-02T03:04:05.000Z"}),
        ] {
            assert_eq!(one(&other), ours);
        }
    }

    #[test]
    fn what_handlebars_escaped_is_read_as_it_was_meant() {
        let event = one(&json!({"check_id": "c-1", "alert_type": "ALERT_FAILURE",
            "title": "Check &quot;GET /a&amp;lt;b&quot; has failed",
            "link": "https://checkly.example.net/r?id&#x3D;7"}));
        assert_eq!(event.title, "Check \"GET /a&lt;b\" has failed");
        assert_eq!(event.links, ["https://checkly.example.net/r?id=7"]);
    }

    #[test]
    fn a_certificate_that_ends_soon_is_said_and_opens_nothing() {
        assert_eq!(one(&json!({"check_id": "c-1", "alert_type": "ALERT_SSL"})).status, Status::Info);
    }

    #[test]
    fn the_time_of_the_header_stands_in_for_a_template_without_one() {
        let body = br#"{"check_id": "c-1", "alert_type": "ALERT_FAILURE"}"#;
        let headers = [("x-checkly-timestamp".to_owned(), "1767323045000".to_owned())];
        let read = (KIND.read)(&Delivery { headers: &headers, ..delivery("POST", "", body) }).unwrap();
        assert_eq!(read[0].occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(post(&KIND, body).unwrap()[0].occurred_at, None);
    }

    #[test]
    fn an_unknown_type_and_an_empty_template_are_refused_without_quoting_them() {
        let unknown = why(&json!({"check_id": "c-1", "alert_type": "hunter2"}));
        assert_eq!(unknown, "`alert_type` is none of the types that Checkly documents");
        assert!(why(&json!({"check_id": "{{CHECK_ID}}", "alert_type": "ALERT_FAILURE"})).contains("braces"));
        assert!(why(&json!({"check_id": "c-1"})).contains("no `alert_type`"));
    }

    #[test]
    fn a_query_is_read_by_get_only_when_allowed() {
        let query = "check_id=c-1&alert_type=ALERT_RECOVERY";
        assert_eq!(get(&KIND, query, true).unwrap()[0].status, Status::Resolved);
        assert!(get(&KIND, query, false).unwrap_err().0.contains("allow_get"));
    }

    #[test]
    fn a_tag_cannot_pose_as_the_check() {
        let event = one(&json!({"check_id": "c-1", "alert_type": "ALERT_FAILURE",
            "tags": "check_id:2,team:web,eu"}));
        assert_eq!(event.labels["check_id"], "c-1");
        assert_eq!((event.labels["team"].as_str(), event.labels["tag_eu"].as_str()), ("web", "true"));
    }
}
