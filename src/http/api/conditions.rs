//! `/api/v1/conditions`: what people are to know for a while who are woken for a service.
//!
//! Whoever holds a token may say one and end one, as with silences, and is named as its author.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::desk::Desk;
use super::super::problem::Problem;
use super::lasting::{Lasting, Queried, author, ends_at};
use super::{acting, json_body, view};
use crate::commit::{Command, Reply};
use crate::core::condition::{Condition, line};
use crate::crypto;
use crate::store::conditions;

/// Most conditions in one answer, those that end last first.
const CONDITIONS_MAX: u32 = 2000;

const CONDITIONS: Lasting = Lasting {
    what: "known condition",
    list: "conditions",
    all: |tx, which| {
        let all = conditions::list(tx, which, CONDITIONS_MAX)?;
        Ok(all.iter().map(|one| view::condition(one, tx.now)).collect())
    },
    whole: |tx, id| Ok(conditions::get(tx, id)?.map(|one| view::condition(&one, tx.now))),
    hide: |_| {},
};

/// `GET /api/v1/conditions`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Queried,
) -> Result<Response, Problem> {
    CONDITIONS.list(&desk, &headers, query).await
}

/// `GET /api/v1/conditions/{id}`
pub(in super::super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    CONDITIONS.show(&desk, &headers, &id).await
}

/// The body of `POST /api/v1/conditions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    text: Option<String>,
    #[serde(default)]
    services: BTreeSet<String>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    r#for: Option<String>,
}

/// `POST /api/v1/conditions`
pub(in super::super) async fn add(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let wanted: Wanted = json_body(&desk, body).await?;
    let text = line(&wanted.text.unwrap_or_default());
    if text.is_empty() {
        return Err(Problem::unprocessable(
            "say in \"text\" what people are to know who are woken meanwhile",
        ));
    }
    let now = desk.clock.now();
    let starts_at = wanted.starts_at.unwrap_or(now);
    let ends_at = ends_at(starts_at, wanted.ends_at, wanted.r#for.as_deref())?;
    let id = crypto::random_uuid().map_err(|_| Problem::internal())?;
    let created_by = author(&by.actor);
    let condition = Condition {
        id: id.clone(),
        services: wanted.services,
        text,
        starts_at,
        ends_at,
        created_by: created_by.clone(),
        created_at: now,
        ended_by: None,
    };
    let Reply::Done = desk.door.ask(Command::AddCondition { condition, by }).await? else {
        return Err(Problem::internal());
    };
    tracing::info!(condition.id = id, by = created_by, "a condition is known");
    CONDITIONS.made(&desk, &id).await
}

/// `POST /api/v1/conditions/{id}/end`
pub(in super::super) async fn end(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    CONDITIONS.end(&desk, &headers, id, |id, who, by| Command::EndCondition { id, who, by }).await
}
