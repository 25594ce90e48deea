//! `/api/v1/verify` and `/api/v1/unreadable`: what the keeper of a house does about its store.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::intake;
use super::super::problem::Problem;
use super::{by, number, view};
use crate::commit::{Command, Reply};
use crate::core::decide::By;
use crate::core::role::Deed;
use crate::store::incidents::{self, Proof};
use crate::store::unreadable;

/// Most incidents proved for one answer, and how long that may take: the rest is asked for again.
const PROOFS_MAX: u32 = 500;
const PROOFS_WITHIN: Duration = Duration::from_secs(2);
/// Most kept bodies listed in one answer.
const BODIES_MAX: u32 = 500;

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct After {
    after: Option<i64>,
}

/// `GET /api/v1/verify`: proves timelines whole, as many as fit into one answer.
pub(in super::super) async fn verify(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    // What was known last proves nothing of what is there.
    desk.holder(&headers, Deed::Look).await?;
    let Query(After { after }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let after = after.unwrap_or_default();
    let read = desk.sight.now(move |tx| incidents::numbers(tx, after, PROOFS_MAX)).await;
    let numbers = read.map_err(|error| cannot_read(&error))?;
    let (began, mut proof, mut last) = (desk.clock.mark(), Proof::default(), None);
    for id in &numbers {
        if began.elapsed() > PROOFS_WITHIN {
            break;
        }
        proof = prove(&desk, proof, *id, false).await?;
        last = Some(*id);
    }
    let all =
        last == numbers.last().copied() && numbers.len() < usize::try_from(PROOFS_MAX).unwrap_or(usize::MAX);
    let mut answer = view::proof(&proof);
    answer["next"] = json!(last.filter(|_| !all).map(|last| last.to_string()));
    Ok(Json(answer))
}

/// `GET /api/v1/verify/{n}`
pub(in super::super) async fn verify_one(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    desk.holder(&headers, Deed::Look).await?;
    let proof = prove(&desk, Proof::default(), number(&id)?, true).await?;
    Ok(Json(view::proof(&proof)))
}

async fn prove(desk: &Desk, mut proof: Proof, id: i64, is_named: bool) -> Result<Proof, Problem> {
    let read = desk.sight.now(move |tx| {
        match is_named {
            true => proof.add(tx, id)?,
            // One that was forgotten since its number was read is no fault.
            false => {
                proof.add_if_there(tx, id)?;
            }
        }
        Ok(proof)
    });
    let read = read.await;
    read.map_err(|error| cannot_read(&error))
}

/// `GET /api/v1/unreadable`: kept bodies that nobody could read yet, without the bodies.
pub(in super::super) async fn kept(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    desk.holder(&headers, Deed::Look).await?;
    let Query(After { after }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let after = after.unwrap_or_default();
    let read = desk.sight.now(move |tx| unreadable::waiting(tx, after, BODIES_MAX)).await;
    let found = read.map_err(|error| cannot_read(&error))?;
    let full = u32::try_from(found.len()) == Ok(BODIES_MAX);
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    let shown: Vec<Value> = found.iter().map(view::kept).collect();
    Ok(Json(json!({"unreadable": shown, "next": next})))
}

/// `POST /api/v1/unreadable/{n}/replay`: gives a kept body to its adapter again. What can be read of it is taken, also when
/// not all can be: then it goes on waiting.
pub(in super::super) async fn replay(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Act).await?;
    let By { actor, .. } = by(&desk, holder, None)?;
    let id: i64 = id.parse().map_err(|_| Problem::not_found("a kept body is called by its number"))?;
    let read = desk.sight.now(move |tx| unreadable::one(tx, id)).await;
    let kept = read
        .map_err(|error| cannot_read(&error))?
        .ok_or_else(|| Problem::not_found(format!("no body that waits to be read has the number {id}")))?;
    let unreadable = |why: String| {
        let title = "The body cannot be understood";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable", title, why).with("kept", id)
    };
    let command = intake::again(&desk.house.get(), &kept).map_err(unreadable)?;
    let still = match &command {
        Command::Unreadable(unread) => Some(unread.kept.error.clone()),
        _ => None,
    };
    let results: Vec<Value> = match desk.door.ask(command).await? {
        Reply::Events(command, results) => {
            command.events().iter().zip(results).map(|(event, one)| view::result(event, one)).collect()
        }
        Reply::Mail(result) => vec![view::mail_result(&result)],
        Reply::Done => return Err(Problem::not_found(format!("body {id} was read meanwhile"))),
        _ => return Err(Problem::internal()),
    };
    if let Some(why) = still {
        tracing::info!(
            kept = id,
            by = actor.label(),
            why,
            "a body that was kept cannot be read this time either"
        );
        return Err(unreadable(why).with("results", results));
    }
    tracing::info!(kept = id, by = actor.label(), "a body that was kept is read at last");
    Ok(Json(json!({"id": id, "source": kept.source, "results": results})).into_response())
}
