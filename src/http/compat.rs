//! APIs that other tools speak already: PagerDuty's Events API and Opsgenie's Alert API, at their own addresses, with
//! their own statuses and bodies.
//!
//! The key they carry is the token of a source of the kind. With PagerDuty it stands in the body, which therefore is read
//! out of the purse of what is not proven.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::desk::{Desk, basic_user};
use super::intake::{self, Taken};
use super::problem::Problem;
use crate::crypto;
use crate::house::{House, Source};
use crate::sources::{Delivery, opsgenie, pagerduty_events};

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

/// Which of PagerDuty's addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    First,
    Second,
    Change,
}

/// `POST /v2/enqueue`
pub(super) async fn enqueue(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    pagerduty(&desk, Version::Second, &headers, body).await
}

/// `POST /v2/change/enqueue`
pub(super) async fn change(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    pagerduty(&desk, Version::Change, &headers, body).await
}

/// `POST /generic/2010-04-15/create_event.json`
pub(super) async fn create_event(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    pagerduty(&desk, Version::First, &headers, body).await
}

async fn pagerduty(desk: &Desk, version: Version, headers: &HeaderMap, body: Body) -> Response {
    let began = desk.clock.mark();
    let answer = event(desk, version, headers, body).await;
    desk.metrics.ingest.observe(began.elapsed().as_secs_f64());
    match answer {
        Ok(key) => {
            let (status, name) = match version {
                Version::First => (StatusCode::OK, "incident_key"),
                _ => (StatusCode::ACCEPTED, "dedup_key"),
            };
            let mut told = json!({"status": "success", "message": "Event processed"});
            if version != Version::Change {
                told[name] = json!(key);
            }
            (status, Json(told)).into_response()
        }
        Err(problem) => {
            let word = if problem.status.is_client_error() { "invalid event" } else { "unavailable" };
            let message =
                if problem.status.is_client_error() { "Event object is invalid" } else { problem.title };
            in_their_words(&problem, json!({"status": word, "message": message, "errors": [problem.detail]}))
        }
    }
}

/// Takes an event; answers its key.
async fn event(desk: &Desk, version: Version, headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    let received_at = desk.clock.now();
    let wanted = intake::room_for(desk, &body);
    let unproven = intake::room(&desk.unproven, wanted)?;
    let bytes = body::read(body, desk.limits.body_max, desk.limits.body_timeout).await?;
    let said: Value = serde_json::from_slice(&bytes).map_err(|_| {
        Problem::bad_request("the body is not well-formed JSON, so that nobody knows whose it is")
    })?;
    let (credential, key) = match version {
        Version::First => ("service_key", "incident_key"),
        _ => ("routing_key", "dedup_key"),
    };
    let given = said[credential].as_str().unwrap_or_default().trim();
    let house = desk.house.get();
    let source = of_token(&house, pagerduty_events::KIND.name, given).ok_or_else(|| {
        Problem::bad_request(format!("'{credential}' is the token of no source of the kind pagerduty-events"))
    })?;
    let _room = intake::room(&desk.bodies, wanted)?;
    drop(unproven);
    let own = said[key].as_str().map(str::trim).filter(|key| !key.is_empty());
    let own = own.map(str::to_owned).or_else(|| said[key].as_i64().map(|number| number.to_string()));
    let triggers = |name: &str| said[name].as_str().is_some_and(|word| word.eq_ignore_ascii_case("trigger"));
    let made = match (&own, triggers("event_action") || triggers("event_type")) {
        (None, true) => Some(crypto::random_id().map_err(|_| Problem::internal())?),
        _ => None,
    };
    let number = match version {
        Version::First => "1",
        Version::Second => "2",
        Version::Change => "change",
    };
    let made_said = made.as_ref().map(|made| format!("&dedup_key={made}")).unwrap_or_default();
    let query = format!("version={number}{made_said}");
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let delivery = Delivery {
        method: "POST",
        query: &query,
        content_type,
        headers: &[],
        body: &bytes,
        received_at,
        options: &source.options,
    };
    intake::deliver(desk, source, &delivery).await?;
    Ok(own.or(made).unwrap_or_default())
}

/// How an alert of Opsgenie is named.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Named {
    #[serde(rename = "identifierType")]
    kind: Option<String>,
}

/// `POST /v2/alerts`
pub(super) async fn create(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Response {
    opsgenie(&desk, "action=create", &headers, body).await
}

/// `POST` and `PUT /v2/alerts/{identifier}/{verb}`, `GET /v2/alerts/requests/{id}`. An identifier may hold slashes.
pub(super) async fn about(
    State(desk): State<Desk>,
    method: Method,
    Path(rest): Path<String>,
    named: Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let began = desk.clock.mark();
    if method == Method::GET {
        return match (rest.strip_prefix("requests/"), key_of(&desk, &headers)) {
            (_, Err(problem)) => opsgenies(&problem, began.elapsed().as_secs_f32()),
            // Whatever was answered with 202 is on disk.
            (Some(id), Ok(_)) => {
                let told = json!({"data": {"success": true, "isSuccess": true, "action": "Request", "status": "Processed"},
                    "took": began.elapsed().as_secs_f32(), "requestId": id});
                Json(told).into_response()
            }
            (None, Ok(_)) => {
                let problem = Problem::not_found("alerts are read at /api/v1/incidents here");
                opsgenies(&problem, began.elapsed().as_secs_f32())
            }
        };
    }
    let found =
        rest.rsplit_once('/').filter(|(identifier, verb)| !identifier.is_empty() && VERBS.contains(verb));
    let Some((identifier, verb)) = found else {
        let problem = Problem::not_found("this is no address of an alert and a verb");
        return opsgenies(&problem, began.elapsed().as_secs_f32());
    };
    if named.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("tiny")) {
        let problem = Problem::unprocessable("alerts are named by their alias here, not by a tiny id");
        return opsgenies(&problem, began.elapsed().as_secs_f32());
    }
    let identifier = utf8_percent_encode(identifier, NON_ALPHANUMERIC);
    opsgenie(&desk, &format!("action={verb}&identifier={identifier}"), &headers, body).await
}

async fn opsgenie(desk: &Desk, query: &str, headers: &HeaderMap, body: Body) -> Response {
    let began = desk.clock.mark();
    let answer = request(desk, query, headers, body).await;
    let took = began.elapsed().as_secs_f64();
    desk.metrics.ingest.observe(took);
    match answer.and_then(|()| crypto::random_id().map_err(|_| Problem::internal())) {
        Ok(id) => {
            let told = json!({"result": "Request will be processed", "took": took, "requestId": id});
            (StatusCode::ACCEPTED, Json(told)).into_response()
        }
        Err(problem) => opsgenies(&problem, began.elapsed().as_secs_f32()),
    }
}

async fn request(desk: &Desk, query: &str, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
    let received_at = desk.clock.now();
    let token = key_of(desk, headers)?;
    let house = desk.house.get();
    let source = of_token(&house, opsgenie::KIND.name, &token).ok_or_else(unknown_key)?;
    let _room = intake::room(&desk.bodies, intake::room_for(desk, &body))?;
    let bytes = body::read(body, desk.limits.body_max, desk.limits.body_timeout).await?;
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
    match intake::deliver(desk, source, &delivery).await? {
        Taken::Decided(..) | Taken::Mail(_) | Taken::Held(_) => Ok(()),
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

fn opsgenies(problem: &Problem, took: f32) -> Response {
    in_their_words(problem, json!({"message": problem.detail, "took": took, "requestId": ""}))
}

/// The status and headers are ours, the body is theirs.
fn in_their_words(problem: &Problem, told: Value) -> Response {
    let mut response = problem.clone().into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(told.to_string());
    response
}

/// The source of a kind whose token it is. Every token is compared, so that the time tells nothing.
fn of_token<'a>(house: &'a House, kind: &str, given: &str) -> Option<&'a Source> {
    let mut found = None;
    for source in house.sources.values().filter(|source| source.kind.name == kind) {
        for token in &source.tokens {
            if crypto::same(token.expose_secret().as_bytes(), given.as_bytes()) {
                found = Some(source);
            }
        }
    }
    found
}
