//! Opsgenie's Alert API at its own addresses, with its own statuses and bodies (docs.opsgenie.com, alert API).
//!
//! The key it carries (`GenieKey`) is the token of a source of the kind `opsgenie`. An alert's id there is its alias here: both
//! name it, in whatever way a client asks. A request is done when it is answered, so its id only has to say of which alert it
//! was.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::compat::{in_their_words, of_token};
use super::desk::{Desk, basic_user, cannot_read};
use super::intake::{self, Taken};
use super::problem::Problem;
use super::room;
use crate::crypto;
use crate::house::Source;
use crate::sources::{Delivery, opsgenie};
use crate::store::{StoreError, Tx, alerts, incidents};

/// Most alerts in a list, as there; and how many when nobody says.
const LISTED_MAX: u32 = 100;
const LISTED_USUAL: u32 = 20;

/// Verbs of Opsgenie that stand behind an identifier.
const VERBS: &[&str] = &[
    "close",
    "acknowledge",
    "unacknowledge",
    "snooze",
    "escalate",
    "assign",
    "notes",
    "tags",
    "details",
    "actions",
    "teams",
    "responders",
    "message",
    "description",
    "priority",
];

/// How an alert is named, and what a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Named {
    #[serde(rename = "identifierType")]
    kind: Option<String>,
    query: Option<String>,
    limit: Option<u32>,
}

/// `POST` and `GET /v2/alerts`
pub(super) async fn alerts(
    State(desk): State<Desk>,
    method: Method,
    named: Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if method == Method::POST {
        return change(&desk, "action=create", None, &headers, body).await;
    }
    let began = desk.clock.mark();
    told(list(&desk, &named, &headers).await, began.elapsed().as_secs_f32())
}

/// `POST` and `PUT /v2/alerts/{identifier}/{verb}`, `GET /v2/alerts/{identifier}` and `GET /v2/alerts/requests/{id}`. An
/// identifier may hold slashes.
pub(super) async fn about(
    State(desk): State<Desk>,
    method: Method,
    Path(rest): Path<String>,
    named: Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let began = desk.clock.mark();
    let fails = |problem| told(Err(problem), began.elapsed().as_secs_f32());
    if named.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("tiny")) {
        return fails(Problem::unprocessable("alerts are named by their alias here, not by a tiny id"));
    }
    if method == Method::GET {
        let found = match rest.strip_prefix("requests/") {
            Some(id) => done(&desk, id, &headers),
            None => one(&desk, rest, &headers).await,
        };
        return told(found, began.elapsed().as_secs_f32());
    }
    let found =
        rest.rsplit_once('/').filter(|(identifier, verb)| !identifier.is_empty() && VERBS.contains(verb));
    let Some((identifier, verb)) = found else {
        return fails(Problem::not_found("this is no address of an alert and a verb"));
    };
    let query = format!("action={verb}&identifier={}", utf8_percent_encode(identifier, NON_ALPHANUMERIC));
    change(&desk, &query, Some(identifier), &headers, body).await
}

async fn change(
    desk: &Desk,
    query: &str,
    identifier: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let began = desk.clock.mark();
    let answer = request(desk, query, identifier, headers, body).await;
    let took = began.elapsed();
    desk.metrics.ingest.observe(took.as_secs_f64());
    match answer {
        Ok(id) => {
            let told =
                json!({"result": "Request will be processed", "took": took.as_secs_f32(), "requestId": id});
            (StatusCode::ACCEPTED, Json(told)).into_response()
        }
        Err(problem) => told(Err(problem), took.as_secs_f32()),
    }
}

/// Takes a request; answers its id.
async fn request(
    desk: &Desk,
    query: &str,
    identifier: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<String, Problem> {
    let received_at = desk.clock.now();
    let token = key_of(desk, headers)?;
    let house = desk.house.get();
    let source = of_token(&house, opsgenie::KIND.name, &token).ok_or_else(unknown_key)?;
    let (bytes, _room) = room::read(desk, body).await?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let delivery = Delivery {
        method: "POST",
        query,
        content_type,
        headers: &[],
        body: &bytes,
        received_at,
        options: &source.options,
    };
    let taken = intake::deliver(desk, source, &delivery).await?;
    let alias = match (&taken, identifier) {
        (_, Some(identifier)) => Some(identifier),
        (Taken::Decided(command, _), None) => command.events().first().map(|event| event.key.as_str()),
        (Taken::Held(_) | Taken::Mail(_), None) => None,
    };
    request_id(alias.unwrap_or_default()).map_err(|_| Problem::internal())
}

/// A request's id: a random one, and the alias it was about.
fn request_id(alias: &str) -> Result<String, crypto::NoRandomness> {
    Ok(format!("{}-{}", crypto::random_uuid()?, crypto::hex(alias.as_bytes())))
}

/// The alias in a request's id.
fn alias_of(request: &str) -> Option<String> {
    let hex = request.get(36..)?.strip_prefix('-')?;
    let digits: Vec<char> = hex.chars().collect();
    let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok().filter(|alias| !alias.is_empty())
}

/// Whatever was answered with 202 is on disk.
fn done(desk: &Desk, id: &str, headers: &HeaderMap) -> Result<(Value, Option<String>), Problem> {
    key_of(desk, headers)?;
    let mut done = json!({"success": true, "isSuccess": true, "action": "Request", "status": "Processed",
        "processedAt": time(desk.clock.now())});
    if let Some(alias) = alias_of(id) {
        done["alertId"] = json!(alias);
        done["alias"] = json!(alias);
    }
    Ok((done, Some(id.to_owned())))
}

async fn one(desk: &Desk, alias: String, headers: &HeaderMap) -> Result<(Value, Option<String>), Problem> {
    let token = key_of(desk, headers)?;
    let house = desk.house.get();
    let source = of_token(&house, opsgenie::KIND.name, &token).ok_or_else(unknown_key)?;
    if alias.contains('\0') {
        return Err(Problem::not_found("there is no alert of this alias"));
    }
    let name = source.name.clone();
    let read = desk.sight.now(move |tx| {
        let known = alerts::known(tx, &name, &alias)?;
        known.map_or(Ok(None), |known| with_incident(tx, known.id, known.incident))
    });
    match read.await.map_err(|error| cannot_read(&error))? {
        Some((alert, taken)) => Ok((shown(&alert, source, taken), None)),
        None => Err(Problem::not_found("there is no alert of this alias")),
    }
}

async fn list(desk: &Desk, named: &Named, headers: &HeaderMap) -> Result<(Value, Option<String>), Problem> {
    let token = key_of(desk, headers)?;
    let house = desk.house.get();
    let source = of_token(&house, opsgenie::KIND.name, &token).ok_or_else(unknown_key)?;
    let wanted = named.query.as_deref().unwrap_or_default().replace([' ', '"'], "");
    if !["", "status:open", "status=open"].contains(&wanted.as_str()) {
        return Err(Problem::unprocessable(
            "the alerts that are open can be listed here; nothing else is searched",
        ));
    }
    let (name, limit) = (source.name.clone(), named.limit.unwrap_or(LISTED_USUAL).clamp(1, LISTED_MAX));
    let read = desk.sight.now(move |tx| {
        let firing = alerts::firing_of(tx, &name, "", limit)?;
        firing.iter().map(|alert| with_incident(tx, alert.id, alert.incident)).collect::<Result<Vec<_>, _>>()
    });
    let all = read.await.map_err(|error| cannot_read(&error))?;
    let all: Vec<Value> =
        all.into_iter().flatten().map(|(alert, taken)| shown(&alert, source, taken)).collect();
    Ok((json!(all), None))
}

/// An alert, and whether somebody has answered its incident.
fn with_incident(
    tx: &Tx<'_>,
    alert: i64,
    incident: Option<i64>,
) -> Result<Option<(alerts::Shown, bool)>, StoreError> {
    let saved = incident.map_or(Ok(None), |id| incidents::load(tx, id))?;
    let taken = saved.is_some_and(|saved| saved.incident.term > 0);
    Ok(alerts::one(tx, alert)?.map(|alert| (alert, taken)))
}

/// An alert in Opsgenie's shape.
fn shown(alert: &alerts::Shown, source: &Source, taken: bool) -> Value {
    let priority = match alert.severity.as_deref() {
        Some("critical") => "P1",
        Some("error") => "P2",
        Some("info") => "P5",
        _ => "P3",
    };
    let open = alert.status == "firing";
    json!({
        "id": alert.key, "alias": alert.key, "tinyId": "", "message": alert.title, "description": alert.body,
        "status": if open { "open" } else { "closed" }, "acknowledged": taken, "isSeen": taken, "snoozed": false,
        "tags": [], "count": alert.count, "source": source.name, "owner": "", "priority": priority, "responders": [],
        "integration": {"id": source.name, "name": source.name, "type": "API"},
        "createdAt": time(alert.first_seen), "updatedAt": time(alert.last_seen), "lastOccurredAt": time(alert.last_seen),
        "details": alert.labels,
    })
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// What was found, or what is wrong, in their words.
fn told(found: Result<(Value, Option<String>), Problem>, took: f32) -> Response {
    match found {
        Ok((data, request)) => {
            let request = request.unwrap_or_else(|| crypto::random_uuid().unwrap_or_default());
            Json(json!({"data": data, "took": took, "requestId": request})).into_response()
        }
        Err(problem) => {
            in_their_words(&problem, json!({"message": problem.detail, "took": took, "requestId": ""}))
        }
    }
}

/// `Authorization: GenieKey TOKEN`, or the user name of basic authentication; it has to be one.
fn key_of(desk: &Desk, headers: &HeaderMap) -> Result<String, Problem> {
    let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let genie = said.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("geniekey"));
    let token = genie.map(|(_, token)| token.trim().to_owned()).or_else(|| basic_user(headers));
    let token = token.ok_or_else(unknown_key)?;
    match of_token(&desk.house.get(), opsgenie::KIND.name, &token) {
        Some(_) => Ok(token),
        None => Err(unknown_key()),
    }
}

fn unknown_key() -> Problem {
    Problem::unauthorized("the API key is the token of no source of the kind opsgenie")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requests_id_says_of_which_alert_it_was() {
        for alias in ["lb/quorum/lb-1", "é", "a"] {
            assert_eq!(alias_of(&request_id(alias).unwrap()).as_deref(), Some(alias));
        }
        let nothing = request_id("").unwrap();
        for none in [
            "",
            "a",
            nothing.as_str(),
            "0f3b6c1e-9a7d-4528-b1c0-e5f2a9d84763-zz",
            "0f3b6c1e-9a7d-4528-b1c0-e5f2a9d84763-ff",
        ] {
            assert_eq!(alias_of(none), None, "{none}");
        }
    }
}
