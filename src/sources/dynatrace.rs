//! Dynatrace: problem notifications by a custom integration (webhook), and what a workflow sends of a
//! problem.
//!
//! All fields are templated, so names are looked for without regard to case, blanks, dots and underscores:
//! `ProblemURL`, `Problem URL` and `problem_url` are one.
//!
//! Confirmed (docs.dynatrace.com, "Send Dynatrace notifications using webhook integration"; keep's provider;
//! PagerTree's tests):
//! - `POST`, JSON: `ProblemID` (`P-123`), `PID`, `State`, `ProblemTitle`, `ProblemImpact`, `ProblemSeverity`,
//!   `ProblemURL` (`Problem URL` in the template offered first), `Tags` (a text, `a, b:c`), `ImpactedEntity`,
//!   `ImpactedEntities` (JSON), `ProblemDetailsText|Markdown|HTML|JSON|JSONv2`.
//! - `State` is `OPEN` or `RESOLVED`. Recovery comes only when closed problems are to be sent as well.
//! - Severities: `AVAILABILITY`, `ERROR`, `PERFORMANCE`, `RESOURCE_CONTENTION`, `CUSTOM_ALERT`.
//! - The test has the title `Dynatrace problem notification test run`, `State` = `OPEN` and made-up ids
//!   (`999`, `TESTID`). Read as a problem it would stay open for ever.
//!
//! Not confirmed: `State` = `MERGED` (neither opens nor ends anything here) and `CLOSED`;
//! `MONITORING_UNAVAILABLE`; `startTime` and `endTime` in the JSON details (milliseconds, `-1` for an open
//! end); the fields of a workflow (`event.id`, `event.status` = `ACTIVE|CLOSED`, `display_id`, `event.name`,
//! `event.category`, `event.start`); retries.
//!
//! The key is `PID`, or what else is the problem's own id; the display number (`P-123`) is short, and may come
//! again one day, so it counts only where there is nothing better.
//!
//! There is no time in the fields themselves; the JSON details have it. A problem that is reopened keeps its
//! start.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Dynatrace.
pub const KIND: Kind = Kind::new(
    "dynatrace",
    "Dynatrace",
    "Settings → Integration → Problem notifications → Add notification → Custom integration, Webhook URL: ADDRESS, and tick \
     that it is called when problems close. Custom payload: {\"ProblemID\": \"{ProblemID}\", \"PID\": \"{PID}\", \
     \"State\": \"{State}\", \"ProblemTitle\": \"{ProblemTitle}\", \"ProblemSeverity\": \"{ProblemSeverity}\", \
     \"ProblemImpact\": \"{ProblemImpact}\", \"ProblemURL\": \"{ProblemURL}\", \"Tags\": \"{Tags}\", \
     \"ImpactedEntities\": {ImpactedEntities}, \"ProblemDetailsJSON\": {ProblemDetailsJSON}}",
    read,
);

/// Part of the title of the test.
const TEST_TITLE: &str = "problem notification test";
/// Names are written as [`plain`] leaves them.
const KEY: &[&str] = &["pid", "eventid", "problemid", "displayid"];
const NUMBER: &[&str] = &["problemid", "displayid", "pid", "eventid"];
const STATE: &[&str] = &["state", "problemstate", "problemstatus", "status", "eventstatus"];
const TITLE: &[&str] = &["problemtitle", "title", "eventname", "displayname"];
const SEVERITY: &[&str] = &["problemseverity", "severity", "severitylevel", "eventcategory"];
const DETAILS: &[&str] =
    &["problemdetailstext", "problemdetails", "problemdetailsmarkdown", "details", "eventdescription"];
const LINKS: &[&str] = &["problemurl", "url"];
const LABELS: &[(&str, &[&str])] = &[
    ("problem_id", &["problemid", "displayid"]),
    ("pid", &["pid", "eventid"]),
    ("state", STATE),
    ("severity", SEVERITY),
    ("impact", &["problemimpact", "impact", "impactlevel"]),
    ("impacted_entity", &["impactedentity", "impactedentitynames", "namesofimpactedentities"]),
    ("alerting_profile", &["alertingprofile"]),
    ("management_zone", &["managementzone", "managementzones"]),
];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let mut fields = plain(wire::object(&body, "the body")?);
    if let Some(Value::Object(inner)) = fields.get("problemnotification") {
        fields = plain(inner);
    }
    Ok(vec![wire::bounded(event(&fields)?)?])
}

/// Fields by the letters and digits of their names. Of two that are the same then, the first counts.
fn plain(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut read = Map::new();
    for (name, value) in fields {
        let letters = name.chars().filter(|letter| letter.is_ascii_alphanumeric());
        let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        if !value.is_null() {
            read.entry(name).or_insert_with(|| value.clone());
        }
    }
    read
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let ids: Vec<String> = KEY.iter().filter_map(|name| wire::text(fields, &[*name])).collect();
    let key = ids.iter().find(|id| !id.starts_with('{')).cloned().ok_or_else(|| {
        wire::unreadable(if ids.is_empty() {
            "there is no `ProblemID`, nor a `PID`; add it to the custom payload"
        } else {
            "`ProblemID` is a placeholder that was not filled; is it spelt as Dynatrace spells it?"
        })
    })?;
    let title = wire::text(fields, TITLE);
    let is_test = title.as_ref().is_some_and(|title| title.to_ascii_lowercase().contains(TEST_TITLE));
    let state = wire::text(fields, STATE).map(|state| state.to_ascii_uppercase());
    let status = match state.as_deref() {
        _ if is_test || ids.iter().any(|id| id.eq_ignore_ascii_case("TESTID")) => Status::Test,
        Some("OPEN" | "ACTIVE" | "REOPENED") => Status::Firing,
        Some("RESOLVED" | "CLOSED") => Status::Resolved,
        Some("MERGED") => Status::Info,
        Some(_) => return Err(wire::unreadable("`State` is neither OPEN nor RESOLVED")),
        None => return Err(wire::unreadable("there is no `State`; add it to the custom payload")),
    };

    let number = wire::text(fields, NUMBER).unwrap_or_else(|| key.clone());
    let name = title.unwrap_or_else(|| format!("Dynatrace problem {number}"));
    let title = if status == Status::Resolved { format!("{name}: resolved") } else { name };
    let mut event = Event::new(key, status, title);
    event.severity = severity(fields);
    event.body = body(fields);
    event.occurred_at = time(fields, status);
    event.keeps_start = status == Status::Firing && event.occurred_at.is_some();
    tags(fields.get("tags"), &mut event);
    for (label, names) in LABELS {
        event.labels.extend(wire::text(fields, names).map(|value| ((*label).to_owned(), value)));
    }
    for link in LINKS.iter().filter_map(|name| wire::text(fields, &[name])) {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

fn severity(fields: &Map<String, Value>) -> Option<AlertSeverity> {
    let word = wire::text(fields, SEVERITY)?.to_ascii_uppercase();
    Some(match word.as_str() {
        "AVAILABILITY" | "MONITORING_UNAVAILABLE" => AlertSeverity::Critical,
        "ERROR" | "ERROR_EVENT" => AlertSeverity::Error,
        "PERFORMANCE" | "SLOWDOWN" | "RESOURCE_CONTENTION" | "RESOURCE" => AlertSeverity::Warning,
        // A custom alert is as bad as its author thinks, which is not said.
        word => return AlertSeverity::from_word(word),
    })
}

/// The time of this change, in the JSON details or in the fields of a workflow.
fn time(fields: &Map<String, Value>, status: Status) -> Option<Timestamp> {
    let names: &[&str] = match status {
        Status::Resolved => &["endtime", "problemendtime", "eventend"],
        _ => &["starttime", "problemstarttime", "eventstart"],
    };
    let of_details = |name: &&str| wire::time(&plain(fields.get(*name)?.as_object()?), names);
    wire::time(fields, names)
        .or_else(|| ["problemdetailsjsonv2", "problemdetailsjson"].iter().find_map(of_details))
}

fn body(fields: &Map<String, Value>) -> String {
    let mut body = wire::text(fields, DETAILS).unwrap_or_default();
    match fields.get("impactedentities") {
        Some(Value::Array(entities)) => {
            for entity in entities.iter().filter_map(Value::as_object) {
                if let Some(name) = wire::text(entity, &["name", "entity"]) {
                    let kind = wire::text(entity, &["type"]).unwrap_or_else(|| "entity".to_owned());
                    wire::line(&mut body, &format!("impacted: {kind} {name}"));
                }
            }
        }
        _ => {
            if let Some(names) = wire::text(fields, &["impactedentitynames", "impactedentity"]) {
                wire::line(&mut body, &format!("impacted: {names}"));
            }
        }
    }
    body
}

/// Tags become one label `tags`, and `name:value` a label each, so that a route can match one.
fn tags(tags: Option<&Value>, event: &mut Event) {
    let Some(all) = tags.and_then(wire::flat) else { return };
    for tag in all.split(',') {
        if let Some((name, value)) = tag.split_once([':', '=']) {
            let (name, value) = (name.trim(), value.trim());
            if !name.is_empty() && !value.is_empty() {
                event.labels.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    event.labels.insert("tags".into(), all.into_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn a_problem_opens_and_is_resolved_under_one_key() {
        let opens = one(json!({"ProblemID": "P-7", "State": "OPEN", "ProblemSeverity": "AVAILABILITY"}));
        let over = one(json!({"Problem ID": "P-7", "state": "Resolved"}));
        assert_eq!((opens.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!((opens.key, opens.severity), (over.key, Some(AlertSeverity::Critical)));
    }

    #[test]
    fn the_problems_own_id_is_the_key_before_its_display_number() {
        let of = |pid: &str| one(json!({"ProblemID": "P-7", "PID": pid, "State": "OPEN"}));
        assert_ne!(of("-60_1V2").key, of("-61_2V2").key);
        assert_eq!(
            (of("-60_1V2").key.as_str(), of("-60_1V2").title.as_str()),
            ("-60_1V2", "Dynatrace problem P-7")
        );
        assert_eq!(of("{PID}").key, "P-7");
    }

    #[test]
    fn the_test_run_is_a_test_although_its_state_is_open() {
        let title = "Dynatrace problem notification test run";
        assert_eq!(
            one(json!({"ProblemID": "999", "State": "OPEN", "ProblemTitle": title})).status,
            Status::Test
        );
        assert_eq!(one(json!({"ProblemID": "TESTID"})).status, Status::Test);
    }

    #[test]
    fn the_time_of_the_change_stands_in_the_details() {
        let details = json!({"startTime": 1_767_323_045_000_i64, "endTime": -1});
        let opens = one(json!({"ProblemID": "P-7", "State": "OPEN", "ProblemDetailsJSON": details}));
        let over = one(json!({"ProblemID": "P-7", "State": "RESOLVED", "ProblemDetailsJSON": details}));
        assert_eq!(opens.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert!(opens.keeps_start);
        assert_eq!((over.occurred_at, over.keeps_start), (None, false));
    }

    #[test]
    fn a_placeholder_that_was_not_filled_is_no_key() {
        assert!(why(json!({"ProblemID": "{ProblemId}", "State": "OPEN"})).contains("placeholder"));
        assert!(why(json!({"State": "OPEN"})).contains("no `ProblemID`"));
    }

    #[test]
    fn a_state_nobody_knows_is_refused_and_a_missing_one_too() {
        assert_eq!(why(json!({"PID": "7", "State": "hunter2"})), "`State` is neither OPEN nor RESOLVED");
        assert!(why(json!({"PID": "7"})).contains("no `State`"));
    }

    #[test]
    fn a_tag_cannot_pose_as_a_fact_of_the_problem() {
        let event = one(json!({"ProblemID": "P-7", "State": "OPEN", "Tags": "team:db, eu, problem_id:P-8"}));
        assert_eq!((event.labels["team"].as_str(), event.labels["problem_id"].as_str()), ("db", "P-7"));
    }

    #[test]
    fn a_workflow_may_send_the_problem_with_its_own_names() {
        let event = one(json!({"display_id": "P-7", "event.status": "CLOSED", "event.name": "slow",
            "event.category": "SLOWDOWN", "event.end": "2026-01-02T03:04:05.000000000Z"}));
        assert_eq!((event.key.as_str(), event.status), ("P-7", Status::Resolved));
        assert!(event.occurred_at.is_some());
    }
}
