//! PagerDuty's Events API at its own addresses, with its own statuses and bodies; and what all APIs of others here need.
//!
//! The key it carries is the token of a source of the kind. It stands in the body, which therefore is read out of the
//! purse of what is not proven.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::desk::Desk;
use super::intake;
use super::problem::Problem;
use super::room;
use crate::crypto;
use crate::house::{House, Source};
use crate::json;
use crate::sources::{Delivery, pagerduty_events};

/// All that is read of a body before anybody has proven that he may send it.
const READ: &[&str] =
    &["routing_key", "service_key", "dedup_key", "incident_key", "event_action", "event_type"];

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
    let (bytes, unproven) = room::read_unproven(desk, body).await?;
    let said = json::named(&bytes, READ).map_err(|fault| {
        Problem::bad_request(format!("the body {fault}, so that nobody knows whose it is"))
    })?;
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let (credential, key) = match version {
        Version::First => ("service_key", "incident_key"),
        _ => ("routing_key", "dedup_key"),
    };
    let given = text(credential).unwrap_or_default().trim();
    let house = desk.house.get();
    let source = of_token(&house, pagerduty_events::KIND.name, given).ok_or_else(|| {
        Problem::bad_request(format!("'{credential}' is the token of no source of the kind pagerduty-events"))
    })?;
    let _room = room::proven(desk, &bytes, unproven)?;
    let number = || said.get(key).and_then(Value::as_i64).map(|number| number.to_string());
    let own = text(key).map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).or_else(number);
    let triggers = |name: &str| text(name).is_some_and(|word| word.eq_ignore_ascii_case("trigger"));
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

/// The status and headers are ours, the body is theirs.
pub(super) fn in_their_words(problem: &Problem, told: Value) -> Response {
    let mut response = problem.clone().into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(told.to_string());
    response
}

/// The source of a kind whose token it is. Every token is compared, so that the time tells nothing.
pub(super) fn of_token<'a>(house: &'a House, kind: &str, given: &str) -> Option<&'a Source> {
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
