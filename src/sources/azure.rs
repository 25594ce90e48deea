//! Azure Monitor: action groups that send the common alert schema.
//!
//! Wire facts, with their origin (vendor's pages on the common alert schema, its sample payloads, and the
//! classic webhooks; retries from MicrosoftDocs/azure-docs; test payloads as captured in public receivers;
//! keep's `azuremonitoring_provider`):
//! - `POST`, JSON: `schemaId` = `azureMonitorCommonAlertSchema`, `data.essentials`, `data.alertContext`
//!   (another shape per type of alert), `data.customProperties` (null or texts). No signature; the secret
//!   is in the address.
//! - `monitorCondition` is `Fired` or `Resolved`. `firedDateTime` is there in both, `resolvedDateTime` only
//!   in the second. Times have seven digits of a second.
//! - `alertId` names one instance, and both messages of it carry it. It is a resource id: case says
//!   nothing. `originAlertId` may stand for the whole rule.
//! - Alerts of the activity log are always `Sev4` and always `Fired`: their severity says nothing. Those of
//!   Service Health and Resource Health say in their context how it stands, and each message is an instance
//!   of its own; so an issue that is over "fires" too. Here they are told apart by the tracking id and by
//!   the resource.
//! - Stateless log alerts, and administrative alerts of the activity log, never resolve.
//! - Budgets come as `monitoringService` = `CostAlerts`, with null for `monitorCondition`, `alertRule`,
//!   `severity` and `alertTargetIDs`; what was passed stands in `alertContext.AlertData`. Nobody ever says that
//!   it is over. Its `BudgetCreator` is a person, and never read.
//! - The test button of an action group sends samples of the subscription
//!   `11111111-1111-1111-1111-111111111111`.
//! - Without the switch for the common schema each type has a body of its own, told by `schemaId`; classic
//!   metric alerts have none, but `status` and `context`. All of them are refused by name.
//! - `alertContext.authorization`, `claims` and `caller` of the activity log tell about people: never read.
//! - Tried again only after 408, 429, 503, 504 and failed connections, five times; when all fail, no action
//!   group calls the address for 15 minutes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::crypto::{hex, sha256};

/// Azure Monitor.
pub const KIND: Kind = Kind::new(
    "azure",
    "Azure Monitor",
    "Monitor → Alerts → Action groups → Actions → Action type: Webhook, URI: ADDRESS, \"Enable the common alert schema\": Yes.",
    read,
);

const SCHEMA: &str = "azureMonitorCommonAlertSchema";
/// What an operator does about an older schema.
const REMEDY: &str = "set \"Enable the common alert schema\" to Yes for this webhook in the action group";
/// The subscription of the samples that the test button sends.
const TEST_SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/";

/// What one message says, in its three parts, and about whose health or which budget if about any.
struct Message<'a> {
    essentials: &'a Map<String, Value>,
    context: &'a Map<String, Value>,
    properties: &'a Map<String, Value>,
    custom: &'a Map<String, Value>,
    health: Option<Health>,
    budget: Option<&'a Map<String, Value>>,
}

/// The two kinds of activity log alerts that have a state in their context.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Service,
    Resource,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let envelope = wire::object(&body, "the body")?;
    let schema = wire::text(envelope, &["schemaId"]);
    let data = envelope.get("data").and_then(Value::as_object);
    let essentials = data.and_then(|data| data.get("essentials")).and_then(Value::as_object);
    let (Some(data), Some(essentials)) = (data, essentials) else {
        return Err(other(envelope, schema.as_deref()));
    };
    if schema.as_deref().is_some_and(|schema| !schema.eq_ignore_ascii_case(SCHEMA)) {
        return Err(other(envelope, schema.as_deref()));
    }

    let nothing = Map::new();
    let context = data.get("alertContext").and_then(Value::as_object).unwrap_or(&nothing);
    let properties = context.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
    let custom = data.get("customProperties").and_then(Value::as_object).unwrap_or(&nothing);
    let service = wire::text(essentials, &["monitoringService"]).unwrap_or_default();
    let service = service.replace(' ', "").to_ascii_lowercase();
    let health = match service.as_str() {
        "servicehealth" => Some(Health::Service),
        "resourcehealth" => Some(Health::Resource),
        _ => None,
    };
    let budget = (service == "costalerts")
        .then(|| context.get("AlertData").and_then(Value::as_object).unwrap_or(&nothing));
    let message = Message { essentials, context, properties, custom, health, budget };
    Ok(vec![wire::bounded(event(&message)?)?])
}

/// What a body is that is not of the common schema.
fn other(envelope: &Map<String, Value>, schema: Option<&str>) -> Unreadable {
    let known = match schema.map(str::to_ascii_lowercase).as_deref() {
        Some("azuremonitormetricalert") => "the older schema of metric alerts (`AzureMonitorMetricAlert`)",
        Some("microsoft.insights/logalert") => {
            "the older schema of log search alerts (`Microsoft.Insights/LogAlert`)"
        }
        Some("microsoft.insights/activitylogs") => {
            "the older schema of activity log alerts (`Microsoft.Insights/activityLogs`)"
        }
        Some("aip budget notification") => "the older schema of budget alerts (`AIP Budget Notification`)",
        Some(schema) if schema.eq_ignore_ascii_case(SCHEMA) => {
            return wire::unreadable("there is no object `essentials` in `data`");
        }
        Some(_) => "none of the schemas known of Azure Monitor",
        None if envelope.contains_key("context") && envelope.contains_key("status") => {
            return wire::unreadable(
                "this is a classic metric alert, which Azure has retired; \
                 make a new metric alert rule with an action group",
            );
        }
        None if envelope.contains_key("SearchQuery") || envelope.contains_key("SearchResult") => {
            "an older log search alert without a schema"
        }
        None => {
            return wire::unreadable(format!(
                "there is neither a `schemaId` nor `data.essentials`; if this is Azure Monitor, {REMEDY}"
            ));
        }
    };
    wire::unreadable(format!("this is {known}; {REMEDY}"))
}

fn event(message: &Message<'_>) -> Result<Event, Unreadable> {
    let Message { essentials, context, .. } = message;
    let condition = wire::text(essentials, &["monitorCondition"]).map(|word| word.to_ascii_lowercase());
    let id = wire::text(essentials, &["alertId"]).map(|id| id.to_ascii_lowercase());
    let is_test = id.as_deref().is_some_and(|id| id.starts_with(TEST_SUBSCRIPTION));
    let status = match condition.as_deref() {
        _ if is_test => Status::Test,
        Some("fired") => standing(message),
        Some("resolved") => Status::Resolved,
        // A budget has no condition: it is only ever told that it was passed.
        None if message.budget.is_some() => Status::Firing,
        Some(_) => return Err(wire::unreadable("`monitorCondition` is neither Fired nor Resolved")),
        None => return Err(wire::unreadable("there is no `monitorCondition` in `essentials`")),
    };

    let mut event = Event::new(key(message, id)?, status, title(message));
    event.severity = severity(essentials);
    event.occurred_at = match (condition.as_deref(), message.health) {
        (Some("resolved"), _) => wire::time(essentials, &["resolvedDateTime"]),
        // Each message is an instance of its own here, so what has fired is the message.
        (_, Some(_)) => {
            wire::time(context, &["eventTimestamp"]).or_else(|| wire::time(essentials, &["firedDateTime"]))
        }
        (_, None) => wire::time(essentials, &["firedDateTime"]),
    };
    event.labels = labels(message);
    event.body = body(message);
    event.links = links(message);
    Ok(event)
}

/// What a message that has "fired" says: how an issue of Azure, or a resource, stands.
fn standing(message: &Message<'_>) -> Status {
    let word = |fields: &Map<String, Value>, name: &str| {
        wire::text(fields, &[name]).map(|word| word.to_ascii_lowercase()).unwrap_or_default()
    };
    let status = word(message.context, "status");
    match message.health {
        None => Status::Firing,
        Some(Health::Service) => {
            let stage = word(message.properties, "stage");
            let stage = if stage.is_empty() { status } else { stage };
            match stage.as_str() {
                "resolved" | "complete" | "completed" | "canceled" | "cancelled" => Status::Resolved,
                // What went wrong, written when it is over.
                "rca" => Status::Info,
                _ => Status::Firing,
            }
        }
        Some(Health::Resource) => match word(message.properties, "currentHealthStatus").as_str() {
            "available" => Status::Resolved,
            "" if status == "resolved" => Status::Resolved,
            _ => Status::Firing,
        },
    }
}

/// The instance, where one instance fires and resolves; else what the alert is about.
fn key(message: &Message<'_>, id: Option<String>) -> Result<String, Unreadable> {
    let rule = wire::text(message.essentials, &["alertRule"]);
    let budget = message.budget.filter(|budget| id.is_some() || budget.contains_key("BudgetName"));
    if let Some(budget) = budget {
        // One budget has several thresholds, and each is passed for itself.
        let parts = ["BudgetName", "ThresholdType", "NotificationThresholdAmount"];
        let parts = parts.map(|name| wire::text(budget, &[name]).unwrap_or_default());
        let whole = format!("{}\n{}", id.unwrap_or_default(), parts.join("\n"));
        return Ok(format!("budget:{}", hex(&sha256(whole.as_bytes())[..16])));
    }
    let about: Vec<String> = match message.health {
        Some(Health::Service) => wire::text(message.properties, &["trackingId"]).into_iter().collect(),
        Some(Health::Resource) => targets(message.essentials),
        None => Vec::new(),
    };
    if let (None, Some(id)) = (about.first(), id) {
        return Ok(id);
    }
    let about = if about.is_empty() { targets(message.essentials) } else { about };
    match (rule, about.is_empty()) {
        (Some(rule), false) => {
            let whole = format!("{rule}\n{}", about.join("\n"));
            Ok(format!("rule:{}", hex(&sha256(whole.as_bytes())[..16])))
        }
        _ => Err(wire::unreadable(
            "there is neither an `alertId` nor an `alertRule` with `alertTargetIDs` to tell it by",
        )),
    }
}

/// The resources an alert is about, in one case and one order.
fn targets(essentials: &Map<String, Value>) -> Vec<String> {
    let listed = essentials.get("alertTargetIDs").and_then(Value::as_array);
    let mut targets: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter_map(wire::scalar)
        .map(|target| target.to_ascii_lowercase())
        .collect();
    targets.sort();
    targets
}

fn severity(essentials: &Map<String, Value>) -> Option<AlertSeverity> {
    let word = wire::text(essentials, &["severity"])?.to_ascii_lowercase();
    let signal = wire::text(essentials, &["signalType"]).unwrap_or_default().replace(' ', "");
    match word.trim_start_matches("sev").trim() {
        "0" => Some(AlertSeverity::Critical),
        "1" => Some(AlertSeverity::Error),
        "2" => Some(AlertSeverity::Warning),
        // Every alert of the activity log has this one: nobody chose it.
        "4" if signal.eq_ignore_ascii_case("activitylog") => None,
        "3" | "4" => Some(AlertSeverity::Info),
        other => AlertSeverity::from_word(other),
    }
}

/// The names of what is hit, as people call it.
fn hit(essentials: &Map<String, Value>) -> Option<String> {
    let named = essentials.get("configurationItems").and_then(wire::flat).map(Cow::into_owned);
    named.or_else(|| {
        let last = |target: &String| target.rsplit('/').next().unwrap_or_default().to_owned();
        let names: Vec<String> = targets(essentials).iter().map(last).collect();
        (!names.is_empty()).then(|| names.join(","))
    })
}

fn title(message: &Message<'_>) -> String {
    if let Some(budget) = message.budget.filter(|budget| budget.contains_key("BudgetName")) {
        return passed(budget);
    }
    let rule = wire::text(message.essentials, &["alertRule"]).unwrap_or_else(|| "Azure alert".to_owned());
    let what = match message.health {
        Some(Health::Service) => wire::text(message.properties, &["title", "trackingId"]),
        Some(Health::Resource) => wire::text(message.properties, &["currentHealthStatus", "title"]),
        None => None,
    };
    // An issue of a service hits a whole subscription, whose id tells people nothing.
    let hit = if message.health == Some(Health::Service) { None } else { hit(message.essentials) };
    match (hit, what) {
        (Some(hit), Some(what)) => format!("{rule} on {hit}: {what}"),
        (Some(hit), None) => format!("{rule} on {hit}"),
        (None, Some(what)) => format!("{rule}: {what}"),
        (None, None) => rule,
    }
}

/// A budget as a line: `Budget shop: $4.00 spent, over $1.60`.
fn passed(budget: &Map<String, Value>) -> String {
    let said = |name: &str| wire::text(budget, &[name]);
    let name = said("BudgetName").unwrap_or_else(|| "without a name".to_owned());
    let forecast = said("ForecastedTotalForPeriod").map(|total| format!(": forecast {total}"));
    let sum = forecast.or_else(|| said("SpentAmount").map(|spent| format!(": {spent} spent")));
    let limit = said("NotificationThresholdAmount").map(|limit| format!(", over {limit}"));
    format!("Budget {name}{}{}", sum.unwrap_or_default(), limit.unwrap_or_default())
}

/// What people set on the rule first, so that the facts of the alert win over it.
fn labels(message: &Message<'_>) -> BTreeMap<String, String> {
    let mut labels = wire::labels(message.custom.clone());
    for criterion in criteria(message.context) {
        for pair in criterion.get("dimensions").and_then(Value::as_array).into_iter().flatten() {
            let Some(pair) = pair.as_object() else { continue };
            if let (Some(name), Some(value)) = (wire::text(pair, &["name"]), wire::text(pair, &["value"])) {
                labels.insert(name, value);
            }
        }
    }
    let facts = [
        ("alert_rule", message.essentials, "alertRule"),
        ("severity", message.essentials, "severity"),
        ("signal_type", message.essentials, "signalType"),
        ("monitoring_service", message.essentials, "monitoringService"),
        ("resource_type", message.essentials, "targetResourceType"),
        ("resource_group", message.essentials, "targetResourceGroup"),
        ("service", message.properties, "service"),
        ("region", message.properties, "region"),
        ("incident_type", message.properties, "incidentType"),
        ("tracking_id", message.properties, "trackingId"),
        ("stage", message.properties, "stage"),
        ("health_status", message.properties, "currentHealthStatus"),
        ("cause", message.properties, "cause"),
    ];
    for (label, fields, field) in facts {
        labels.extend(wire::text(fields, &[field]).map(|value| (label.to_owned(), value)));
    }
    for (label, field) in [
        ("budget", "BudgetName"),
        ("budget_amount", "BudgetThreshold"),
        ("threshold", "NotificationThresholdAmount"),
        ("threshold_type", "ThresholdType"),
        ("scope", "Scope"),
    ] {
        let value = message.budget.and_then(|budget| wire::text(budget, &[field]));
        labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    labels.extend(hit(message.essentials).map(|hit| ("resource".to_owned(), hit)));
    if let Some(target) = targets(message.essentials).first() {
        let parts: Vec<&str> = target.split('/').collect();
        for (label, before) in [("subscription", "subscriptions"), ("resource_group", "resourcegroups")] {
            let value = parts.iter().position(|part| *part == before).and_then(|index| parts.get(index + 1));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                labels.entry(label.to_owned()).or_insert_with(|| (*value).to_owned());
            }
        }
    }
    labels
}

/// The criteria of a metric or log alert that were met.
fn criteria(context: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let condition = context.get("condition").and_then(Value::as_object);
    let all = condition.and_then(|condition| condition.get("allOf")).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_object)
}

fn body(message: &Message<'_>) -> String {
    let mut body = String::new();
    wire::line(&mut body, &wire::text(message.essentials, &["description"]).unwrap_or_default());
    for name in ["details", "communication"] {
        wire::line(&mut body, &plain(&wire::text(message.properties, &[name]).unwrap_or_default()));
    }
    for criterion in criteria(message.context) {
        wire::line(&mut body, &met(criterion));
    }
    for (name, value) in wire::pairs(message.custom) {
        if !wire::is_link(&value) {
            wire::line(&mut body, &format!("{name}: {value}"));
        }
    }
    // Last, because a query may be long.
    let first = wire::text(message.context, &["SearchQuery"]);
    let queries = criteria(message.context).filter_map(|criterion| wire::text(criterion, &["searchQuery"]));
    for query in first.into_iter().chain(queries) {
        wire::line(&mut body, &format!("query: {query}"));
    }
    body
}

/// A criterion as a line: `Percentage CPU GreaterThan 90 (Average): 97.4`.
fn met(criterion: &Map<String, Value>) -> String {
    let said = |name: &str| wire::text(criterion, &[name]);
    let mut line =
        said("metricName").or_else(|| said("metricMeasureColumn")).unwrap_or_else(|| "result".to_owned());
    // The threshold of a learned one is how sensitive it is, and no limit.
    let limit = if criterion.contains_key("alertSensitivity") { None } else { said("threshold") };
    for word in [said("operator"), limit].into_iter().flatten() {
        line.push(' ');
        line.push_str(&word);
    }
    let how = said("timeAggregation").map(|how| format!(" ({how})")).unwrap_or_default();
    let value = said("metricValue").map(|value| format!(": {value}")).unwrap_or_default();
    format!("{line}{how}{value}")
}

/// The text of a message in HTML.
fn plain(html: &str) -> String {
    let mut text = String::new();
    for (index, part) in html.split('<').enumerate() {
        // What follows a `<` is a tag up to its end; without an end it was no tag.
        let said = if index == 0 { part } else { part.split_once('>').map_or(part, |(_, after)| after) };
        if !text.is_empty() && !text.ends_with(char::is_whitespace) {
            text.push(' ');
        }
        text.push_str(said);
    }
    text.trim().to_owned()
}

fn links(message: &Message<'_>) -> Vec<String> {
    let mut links = Vec::new();
    for (_, link) in wire::pairs(message.custom) {
        wire::link(&mut links, &link);
    }
    wire::link(&mut links, &wire::text(message.essentials, &["investigationLink"]).unwrap_or_default());
    for fields in std::iter::once(message.context).chain(criteria(message.context)) {
        // One of each: the filtered one shows what the alert is about.
        let names = [
            "linkToFilteredSearchResultsUI",
            "LinkToFilteredSearchResultsUI",
            "linkToSearchResultsUI",
            "LinkToSearchResults",
        ];
        wire::link(&mut links, &wire::text(fields, &names).unwrap_or_default());
    }
    links
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn message(essentials: Value, context: Value) -> Value {
        json!({"schemaId": SCHEMA, "data": {"essentials": essentials, "alertContext": context}})
    }

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn fired_and_resolved_have_one_key_and_each_its_own_time() {
        let fired = one(&message(
            json!({"alertId": "/subscriptions/s/Alerts/6C2F", "alertRule": "cpu", "severity": "Sev1",
                "monitorCondition": "Fired", "firedDateTime": "2026-01-02T03:04:05.1234567Z"}),
            json!({}),
        ));
        let resolved = one(&message(
            json!({"alertId": "/subscriptions/s/alerts/6c2f", "alertRule": "cpu", "severity": "Sev1",
                "monitorCondition": "Resolved", "firedDateTime": "2026-01-02T03:04:05.1234567Z",
                "resolvedDateTime": "2026-01-02T03:09:05.7654321Z"}),
            Value::Null,
        ));
        assert_eq!((fired.status, resolved.status), (Status::Firing, Status::Resolved));
        assert_eq!(fired.key, resolved.key);
        assert_eq!(fired.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05.123456Z");
        assert_eq!(resolved.occurred_at.unwrap().to_string(), "2026-01-02T03:09:05.765432Z");
        assert_eq!(fired.severity, Some(AlertSeverity::Error));
    }

    #[test]
    fn without_an_instance_the_rule_and_its_resources_are_the_key_in_any_order() {
        let of = |targets: Value, condition: &str| {
            let essentials =
                json!({"alertRule": "cpu", "alertTargetIDs": targets, "monitorCondition": condition});
            one(&message(essentials, json!({}))).key
        };
        assert_eq!(of(json!(["/a", "/B"]), "Fired"), of(json!(["/b", "/a"]), "Resolved"));
        assert_ne!(of(json!(["/a"]), "Fired"), of(json!(["/b"]), "Fired"));
        assert!(
            why(&message(json!({"alertRule": "cpu", "monitorCondition": "Fired"}), json!({})))
                .contains("neither")
        );
    }

    #[test]
    fn an_issue_of_azure_that_is_over_resolves_although_its_message_fires() {
        let of = |id: &str, stage: &str| {
            let essentials = json!({"alertId": id, "alertRule": "issues", "monitorCondition": "Fired",
                "monitoringService": "ServiceHealth", "signalType": "Activity Log", "severity": "Sev4"});
            one(&message(essentials, json!({"properties": {"trackingId": "ABC-1", "stage": stage}})))
        };
        let (active, over) = (of("/1", "Active"), of("/2", "Resolved"));
        assert_eq!((active.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!(active.key, over.key);
        assert_eq!(active.severity, None);
        assert_eq!(of("/3", "RCA").status, Status::Info);
    }

    #[test]
    fn a_resource_that_is_available_again_resolves() {
        let of = |id: &str, health: &str| {
            let essentials = json!({"alertId": id, "alertRule": "health", "monitorCondition": "Fired",
                "monitoringService": "Resource Health", "alertTargetIDs": ["/subscriptions/s/vm1"]});
            one(&message(
                essentials,
                json!({"status": "Updated", "properties": {"currentHealthStatus": health}}),
            ))
        };
        let (down, up) = (of("/1", "Unavailable"), of("/2", "Available"));
        assert_eq!((down.status, up.status), (Status::Firing, Status::Resolved));
        assert_eq!(down.key, up.key);
        assert_eq!(down.title, "health on vm1: Unavailable");
    }

    #[test]
    fn the_sample_of_the_test_button_is_a_test() {
        let id = "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.AlertsManagement/alerts/1";
        let essentials = json!({"alertId": id, "alertRule": "test-metric", "monitorCondition": "Fired"});
        assert_eq!(one(&message(essentials, json!({}))).status, Status::Test);
    }

    #[test]
    fn a_budget_fires_without_a_condition_and_each_threshold_for_itself() {
        let of = |subscription: &str, threshold: &str| {
            let id = format!("/subscriptions/{subscription}/providers/Microsoft.CostManagement/alerts/a1");
            let essentials = json!({"alertId": id, "monitoringService": "CostAlerts", "alertRule": null,
                "severity": null, "monitorCondition": null, "alertTargetIDs": null,
                "firedDateTime": "2026-01-02T03:04:05Z"});
            let data = json!({"BudgetName": "shop", "NotificationThresholdAmount": threshold,
                "ThresholdType": "Actual", "SpentAmount": "$91.00", "BudgetCreator": "hunter2"});
            one(&message(essentials, json!({"AlertCategory": "budgets", "AlertData": data})))
        };
        let (half, most) = (of("s", "$50.00"), of("s", "$90.00"));
        assert_eq!((half.status, half.key == of("s", "$50.00").key), (Status::Firing, true));
        assert_ne!(half.key, most.key);
        assert_eq!(most.title, "Budget shop: $91.00 spent, over $90.00");
        assert!(!format!("{most:?}").contains("hunter2"));
        assert_eq!(of("11111111-1111-1111-1111-111111111111", "$50.00").status, Status::Test);
        let other = json!({"alertId": "/a", "monitoringService": "Platform", "monitorCondition": null});
        assert!(why(&message(other, json!({}))).contains("no `monitorCondition`"));
    }

    #[test]
    fn older_schemas_are_refused_by_name() {
        let of = |schema: &str| why(&json!({"schemaId": schema, "data": {"context": {"name": "hunter2"}}}));
        assert!(of("AzureMonitorMetricAlert").contains("metric alerts (`AzureMonitorMetricAlert`)"));
        assert!(of("Microsoft.Insights/LogAlert").contains("log search alerts"));
        assert!(of("Microsoft.Insights/activityLogs").contains("activity log alerts"));
        assert!(of("AIP Budget Notification").contains("budget alerts"));
        assert!(of("hunter2").contains(REMEDY) && !of("hunter2").contains("hunter2"));
        assert!(why(&json!({"status": "Activated", "context": {}})).contains("classic metric alert"));
        assert!(of(SCHEMA).contains("no object `essentials`"));
    }

    #[test]
    fn html_is_read_as_text() {
        assert_eq!(plain("<p>We are <b>looking</b></p>"), "We are looking");
        assert_eq!(plain("a < b"), "a  b");
        assert_eq!(plain(""), "");
    }
}
