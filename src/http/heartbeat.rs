//! `/heartbeat/{name}/{token}`: a ping that has to come again and again.
//!
//! GET and HEAD count too, for that is what a line in a crontab can send most easily. So the address is a secret that no
//! chat and no page should show: whatever looks at it keeps the heartbeat beating.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::desk::Desk;
use super::problem::Problem;
use crate::commit::{Command, Reply};
use crate::crypto;

/// `GET`, `HEAD` and `POST /heartbeat/{name}/{token}`
pub(super) async fn ping(State(desk): State<Desk>, Path((name, token)): Path<(String, String)>) -> Response {
    let began = desk.clock.mark();
    let answer = heard(&desk, name, &token).await;
    desk.metrics.ingest.observe(began.elapsed().as_secs_f64());
    answer.unwrap_or_else(IntoResponse::into_response)
}

async fn heard(desk: &Desk, name: String, token: &str) -> Result<Response, Problem> {
    let house = desk.house.get();
    let own = house.heartbeats.get(&name);
    let own = own.ok_or_else(|| Problem::not_found("no heartbeat of this name is configured"))?;
    // Every token is compared, so that the time does not tell which one was close.
    let is_known = own
        .tokens
        .iter()
        .fold(false, |found, known| crypto::same(known.expose_secret().as_bytes(), token.as_bytes()) | found);
    if !is_known {
        return Err(Problem::unauthorized("this is not the token of this heartbeat"));
    }
    match desk.door.ask(Command::Ping { name: name.clone() }).await? {
        Reply::Pinged(one) => {
            let result = json!({"key": name, "outcome": one.outcome, "incident": one.incident});
            Ok((StatusCode::ACCEPTED, Json(json!({"accepted": 1, "results": [result]}))).into_response())
        }
        _ => Err(Problem::internal()),
    }
}
