//! New Relic: workflows with a webhook destination, and the notification channels they took the place of.
//!
//! Wire facts, with their origin (vendor's pages on workflow variables, message templates and on
//! customising the webhook payload; zulip's and alerta's captures; plural's page on what it reads):
//! - `POST`, JSON; basic auth, bearer or own headers at the destination; no signature.
//! - The body is a template that people edit, so any field may be missing, numbers may be texts, and `N/A`
//!   stands for nothing. A variable without a value can leave text that is no JSON; it is then refused by
//!   line and column.
//! - Workflow: `id` of the issue, `state` `CREATED`, `ACTIVATED` or `CLOSED`, `priority`, `trigger`, and
//!   lists of names, in which a name may stand several times. Times in milliseconds. The id is also the end
//!   of `issueUrl`, which people keep when they drop the id.
//! - The same state comes again with each alert that joins or leaves, and with a new priority.
//! - An acknowledgement has no state of its own: `state` stays `ACTIVATED` and `trigger` is `USER_ACTION`.
//!   An `owner` is no sign of one: it stays with the issue while more alerts join it.
//! - The sample issue that tries out a template has one well-known id and address.
//! - Legacy channel, and workflows made out of one: `current_state` `open`, `acknowledged` or `closed` in
//!   either case, `incident_id` (a number, or now the issue's id; 0 in the test), `severity`, `targets`,
//!   whose first name may be empty, `timestamp` in milliseconds. Channels could also send a form.
//! - Still older bodies (`alert`, `deployment`, `alert_policy_name`) are refused.
//! - Timeouts and repeats are documented nowhere.
//!
//! The time of a change is that of the last update: a new issue and an update of it differ in nothing else.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, BODY_BYTES_MAX, Event, Status};

/// New Relic.
pub const KIND: Kind = Kind::new(
    "new-relic",
    "New Relic",
    "Alerts → Destinations → Webhook, Endpoint URL: ADDRESS. Then Alerts → Workflows → Add a workflow → Notify: Webhook, with \
     the default template; under \"Notify when\" leave Activated, Acknowledged and Closed on.",
    read,
);

/// The issue in the samples of New Relic's variables, by its id and by the end of its address.
const SAMPLES: &[&str] = &["d1b1f3fd-995a-4066-88ab-8ce4f6960654", "0ea2df1c-adab-45d2-aae0-042b609d2322"];
/// Fields that name the issue.
const ID: &[&str] = &["id", "issueId", "issue_id"];
/// Fields that a template may add to say who acknowledged the issue.
const TAKEN_BY: &[&str] = &["acknowledgedBy", "issueAcknowledgedBy"];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    let fields: Map<String, Value> = if body.starts_with(['{', '[']) || !body.contains('=') {
        match wire::json(body, "the body")? {
            Value::Object(fields) => fields,
            other => {
                return Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other))));
            }
        }
    } else {
        wire::first_of_each(body)?
    };
    let has = |name: &str| fields.contains_key(name);
    let event = if has("current_state") || (has("incident_id") && !has("state")) {
        legacy(&fields)?
    } else if has("state") {
        workflow(&fields)?
    } else if has("alert") || has("deployment") || has("alert_policy_name") {
        return Err(wire::unreadable(
            "this is a body of New Relic's first alerting, which is no more; set up a workflow",
        ));
    } else {
        return Err(wire::unreadable(
            "there is neither a `state` nor a `current_state`; keep both it and the `id` in the template",
        ));
    };
    Ok(vec![wire::bounded(event)?])
}

/// A field of a template. `N/A` is what New Relic writes for nothing.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| wire::text(fields, &[name]).filter(|text| !text.eq_ignore_ascii_case("n/a")))
}

/// A list of names, each once, and no more of them than a text keeps anyway.
fn names(fields: &Map<String, Value>, field: &str) -> Option<String> {
    let Value::Array(items) = fields.get(field)? else { return said(fields, &[field]) };
    let (mut names, mut seen): (Vec<Cow<'_, str>>, HashSet<Cow<'_, str>>) = (Vec::new(), HashSet::new());
    let mut bytes = 0;
    for name in items.iter().filter_map(wire::flat) {
        if bytes > BODY_BYTES_MAX {
            break;
        }
        if seen.insert(name.clone()) {
            bytes += name.len();
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Priorities of issues and severities of the legacy channel. `HIGH` is New Relic's second, not its first.
fn severity(word: &str) -> Option<AlertSeverity> {
    Some(match word.to_ascii_uppercase().as_str() {
        "CRITICAL" => AlertSeverity::Critical,
        "HIGH" => AlertSeverity::Error,
        "MEDIUM" | "WARN" | "WARNING" => AlertSeverity::Warning,
        "LOW" | "INFO" => AlertSeverity::Info,
        _ => return None,
    })
}

/// The id of an issue, or the end of its address: `.../issues/ID?notifier=WEBHOOK`.
fn issue(fields: &Map<String, Value>) -> Option<String> {
    said(fields, ID).or_else(|| {
        let address = said(fields, &["issueUrl", "issuePageUrl"])?;
        let (_, after) = address.split_once("/issues/")?;
        let id = after.split(['?', '#', '/']).next().unwrap_or_default();
        (!id.is_empty()).then(|| id.to_owned())
    })
}

fn workflow(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let id = issue(fields).ok_or_else(|| {
        wire::unreadable("there is neither an `id` nor an `issueUrl`; put `id` back into the template")
    })?;
    let state = said(fields, &["state"]).map(|state| state.to_ascii_uppercase());
    let trigger = said(fields, &["trigger", "triggerEvent"]).map(|trigger| trigger.to_ascii_uppercase());
    let taken = match trigger.as_deref() {
        Some(trigger) => {
            matches!(trigger, "USER_ACTION" | "ACKNOWLEDGE" | "ACKNOWLEDGED" | "ISSUE_ACKNOWLEDGED")
        }
        None => said(fields, TAKEN_BY).is_some(),
    };
    let said_status = match state.as_deref() {
        Some("CREATED" | "ACTIVATED" | "ACTIVE" | "OPEN") if taken => Status::Acknowledged,
        Some("CREATED" | "ACTIVATED" | "ACTIVE" | "OPEN" | "UNACKNOWLEDGED") => Status::Firing,
        Some("CLOSED" | "RESOLVED") => Status::Resolved,
        Some("ACKNOWLEDGED") => Status::Acknowledged,
        // Known from the API, not from a notification: neither open nor closed.
        Some("DEACTIVATED") => Status::Info,
        Some(_) => {
            return Err(wire::unreadable("`state` is none of CREATED, ACTIVATED, ACKNOWLEDGED and CLOSED"));
        }
        None => return Err(wire::unreadable("`state` is empty")),
    };
    let address = said(fields, &["issueUrl", "issuePageUrl"]).unwrap_or_default();
    let is_sample = SAMPLES.iter().any(|sample| id == *sample || address.contains(sample));
    let status = if is_sample { Status::Test } else { said_status };

    let title = said(fields, &["title", "issueTitle"])
        .or_else(|| names(fields, "title"))
        .or_else(|| names(fields, "alertConditionNames"))
        .unwrap_or_else(|| format!("New Relic issue {id}"));
    let mut event = Event::new(id, status, title);
    event.severity = said(fields, &["priority"]).and_then(|word| severity(&word));
    event.occurred_at = match status {
        Status::Resolved => wire::time(fields, &["closedAt", "issueClosedAt", "updatedAt"]),
        _ => wire::time(fields, &["updatedAt", "activatedAt", "createdAt"]),
    };
    let known = [
        ("priority", "priority"),
        ("trigger", "trigger"),
        ("workflow", "workflowName"),
        ("account_id", "nrAccountId"),
        ("policy_name", "alertPolicyNames"),
        ("condition_name", "alertConditionNames"),
        ("impacted_entities", "impactedEntities"),
        ("sources", "sources"),
        ("owner", "owner"),
    ];
    for (label, field) in known {
        event.labels.extend(names(fields, field).map(|value| (label.to_owned(), value)));
    }
    for name in ["description", "details"] {
        wire::line(&mut event.body, &names(fields, name).unwrap_or_default());
    }
    let lines = [
        ("entities", "impactedEntities"),
        ("conditions", "alertConditionNames"),
        ("policies", "alertPolicyNames"),
        ("incidents", "totalIncidents"),
        ("owner", "owner"),
    ];
    for (name, field) in lines {
        if let Some(value) = names(fields, field) {
            wire::line(&mut event.body, &format!("{name}: {value}"));
        }
    }
    for name in ["runbookUrl", "runbook_url", "issueUrl", "issuePageUrl", "violationChartUrl"] {
        wire::link(&mut event.links, &said(fields, &[name]).unwrap_or_default());
    }
    Ok(event)
}

/// The form of the notification channels.
fn legacy(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let incident =
        said(fields, &["incident_id"]).ok_or_else(|| wire::unreadable("there is no `incident_id`"))?;
    let state = said(fields, &["current_state"]).map(|state| state.to_ascii_lowercase());
    let status = match state.as_deref() {
        _ if incident == "0" => Status::Test,
        Some("test") => Status::Test,
        Some("open" | "unacknowledged") => Status::Firing,
        Some("closed") => Status::Resolved,
        Some("acknowledged") => Status::Acknowledged,
        Some(_) => return Err(wire::unreadable("`current_state` is none of open, acknowledged and closed")),
        None => return Err(wire::unreadable("there is no `current_state`")),
    };
    let targets: Vec<&Map<String, Value>> = fields
        .get("targets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let hit: Vec<String> = targets.iter().filter_map(|target| said(target, &["name"])).collect();
    let details = said(fields, &["details", "condition_description"]);
    let title = match (said(fields, &["condition_name"]), hit.first()) {
        (Some(condition), Some(target)) => format!("{condition} on {target}"),
        (Some(condition), None) => condition,
        (None, _) => details.clone().unwrap_or_else(|| format!("New Relic incident {incident}")),
    };

    let key = match said(fields, &["account_id"]) {
        Some(account) => format!("{account}/{incident}"),
        None => incident,
    };
    let mut event = Event::new(key, status, title);
    event.severity = said(fields, &["severity"]).and_then(|word| severity(&word));
    event.occurred_at = wire::time(fields, &["timestamp"]);
    let known = [
        "account_id",
        "account_name",
        "condition_id",
        "condition_name",
        "policy_name",
        "event_type",
        "severity",
        "owner",
    ];
    for target in &targets {
        if let Some(labels) = target.get("labels").and_then(Value::as_object) {
            event.labels.extend(wire::labels(labels.clone()));
        }
    }
    for name in known {
        event.labels.extend(said(fields, &[name]).map(|value| (name.to_owned(), value)));
    }
    if !hit.is_empty() {
        event.labels.insert("targets".into(), hit.join(", "));
    }
    wire::line(&mut event.body, &details.unwrap_or_default());
    let lines = [
        ("policy", "policy_name"),
        ("account", "account_name"),
        ("duration", "duration"),
        ("owner", "owner"),
    ];
    for (name, field) in lines {
        if let Some(value) = said(fields, &[field]) {
            wire::line(&mut event.body, &format!("{name}: {value}"));
        }
    }
    // Not `incident_acknowledge_url`: whoever opens it acknowledges.
    for name in ["runbook_url", "incident_url", "violation_chart_url", "policy_url"] {
        wire::link(&mut event.links, &said(fields, &[name]).unwrap_or_default());
    }
    for target in &targets {
        wire::link(&mut event.links, &said(target, &["link"]).unwrap_or_default());
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn an_issue_opens_and_closes_under_one_key_each_at_its_own_time() {
        let opens =
            one(json!({"id": "3d0f", "state": "ACTIVATED", "priority": "HIGH", "trigger": "STATE_CHANGE",
            "createdAt": 1_767_323_045_000_i64, "updatedAt": 1_767_323_046_000_i64}));
        let closes =
            one(json!({"id": "3d0f", "state": "CLOSED", "priority": "HIGH", "trigger": "INCIDENT_CLOSED",
            "createdAt": 1_767_323_045_000_i64, "updatedAt": "1767323345000"}));
        assert_eq!((opens.status, closes.status), (Status::Firing, Status::Resolved));
        assert_eq!(opens.key, closes.key);
        assert_eq!(opens.severity, Some(AlertSeverity::Error));
        assert_eq!(closes.occurred_at.unwrap().to_string(), "2026-01-02T03:09:05Z");
        let timeless = one(json!({"id": "3d0f", "state": "CLOSED", "createdAt": 1_767_323_045_000_i64}));
        assert_eq!(timeless.occurred_at, None);
    }

    #[test]
    fn what_a_person_did_to_an_open_issue_is_an_acknowledgement() {
        let of =
            |state: &str, trigger: &str| one(json!({"id": "7", "state": state, "trigger": trigger})).status;
        assert_eq!(of("ACTIVATED", "USER_ACTION"), Status::Acknowledged);
        assert_eq!(of("CLOSED", "USER_ACTION"), Status::Resolved);
        // Another alert joins an issue that somebody has: it fires still.
        assert_eq!(of("ACTIVATED", "INCIDENT_ADDED"), Status::Firing);
        let with =
            |name: &str, value: &str| one(json!({"id": "7", "state": "ACTIVATED", name: value})).status;
        assert_eq!(with("owner", "operator"), Status::Firing);
        assert_eq!(with("acknowledgedBy", "N/A"), Status::Firing);
        assert_eq!(with("acknowledgedBy", "operator"), Status::Acknowledged);
    }

    #[test]
    fn what_nobody_has_any_more_fires() {
        let of =
            |state: &str, trigger: &str| one(json!({"id": "7", "state": state, "trigger": trigger})).status;
        assert_eq!(of("ACTIVATED", "ACKNOWLEDGED"), Status::Acknowledged);
        assert_eq!(of("ACTIVATED", "UNACKNOWLEDGED"), Status::Firing);
        assert_eq!(of("UNACKNOWLEDGED", "STATE_CHANGE"), Status::Firing);
        let legacy = json!({"incident_id": 42, "current_state": "unacknowledged"});
        assert_eq!(one(legacy).status, Status::Firing);
    }

    #[test]
    fn of_a_field_said_twice_in_a_form_the_first_holds() {
        let form = b"incident_id=42&current_state=open&current_state=closed";
        assert_eq!(post(&KIND, form).unwrap()[0].status, Status::Firing);
    }

    #[test]
    fn without_an_id_the_address_of_the_issue_tells_it() {
        let address = "https://radar.example.net/accounts/77/issues/3d0f?notifier=WEBHOOK";
        assert_eq!(one(json!({"issueUrl": address, "state": "CREATED"})).key, "3d0f");
        assert!(why(r#"{"state": "CREATED", "title": "hunter2"}"#).contains("put `id` back"));
    }

    #[test]
    fn the_sample_issue_and_incident_zero_are_tests() {
        let sample = json!({"id": "d1b1f3fd-995a-4066-88ab-8ce4f6960654", "state": "ACTIVATED"});
        assert_eq!(one(sample).status, Status::Test);
        assert_eq!(one(json!({"incident_id": 0, "current_state": "open"})).status, Status::Test);
    }

    #[test]
    fn the_legacy_channel_is_read_in_either_case_and_as_a_form() {
        let opens = one(json!({"account_id": 77, "incident_id": 42, "current_state": "OPEN",
            "targets": [{"name": ""}, {"name": "web-1"}], "condition_name": "CPU"}));
        let closes = post(&KIND, b"account_id=77&incident_id=42&current_state=closed").unwrap().remove(0);
        assert_eq!((opens.status, closes.status), (Status::Firing, Status::Resolved));
        assert_eq!(opens.key, closes.key);
        assert_eq!(opens.title, "CPU on web-1");
    }

    #[test]
    fn a_name_that_stands_several_times_is_told_once() {
        let event = one(json!({"id": "7", "state": "ACTIVATED", "impactedEntities": ["web", "web", "db"]}));
        assert_eq!(event.labels["impacted_entities"], "web, db");
        let many: Vec<String> = (0..100_000).map(|number| format!("host-{number}")).collect();
        let kept = names(json!({"sources": many}).as_object().unwrap(), "sources").unwrap();
        assert!(kept.len() < 2 * BODY_BYTES_MAX, "{}", kept.len());
    }

    #[test]
    fn what_cannot_be_read_is_told_without_quoting_it() {
        assert!(why(r#"{"id": "7", "state": "hunter2"}"#).starts_with("`state` is none of"));
        assert!(why(r#"{"alert": "hunter2"}"#).contains("set up a workflow"));
        assert!(why("{\"id\": , \"state\": \"hunter2\"}").contains("line 1, column"));
        assert!(why("hunter2").contains("not well-formed JSON"));
    }
}
