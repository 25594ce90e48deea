//! `/heartbeat/{name}/{token}`: a ping that has to come again and again.
//!
//! GET and HEAD count too, for that is what a line in a crontab can send most easily. So the address is a secret that no
//! chat and no page should show: whatever looks at it keeps the heartbeat beating.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use secrecy::ExposeSecret as _;

use super::desk::Desk;
use super::intake::{self, Taken};
use super::problem::Problem;
use crate::commit::{Command, Delivered, Reply};
use crate::core::alert::{Event, Status};
use crate::core::heartbeat::SOURCE;
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
    // A delivery like any other: it waits in their queue, and is held while a shared store is away.
    let ping = Delivered {
        source: SOURCE.to_owned(),
        kind: SOURCE.to_owned(),
        service: own.beat.service.clone(),
        events: vec![Event::new(name, Status::Info, "")],
        received_at: desk.clock.now(),
        replays: None,
        held: false,
    };
    let taken = match desk.door.ask(Command::Events(ping)).await? {
        Reply::Events(command, results) => Taken::Decided(command, results),
        Reply::Spooled => Taken::Held(1),
        _ => return Err(Problem::internal()),
    };
    Ok((StatusCode::ACCEPTED, Json(intake::accepted(&taken))).into_response())
}
