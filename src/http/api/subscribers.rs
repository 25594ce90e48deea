//! `/api/v1/subscribers`: whose mail boxes statements go to, for administrators alone: addresses are personal data of people who are
//! not of the house.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{json_body, view};
use crate::commit::{Command, Reply, Subscribing};
use crate::core::role::Deed;
use crate::store::subscribers::{self, LISTED_MAX};

/// Which part of them is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Page {
    after: i64,
}

/// Whom it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    address: String,
}

/// `GET /api/v1/subscribers?after=`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    may(&desk, &headers).await?;
    let Query(Page { after }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let found = desk.sight.now(move |tx| subscribers::all(tx, after, LISTED_MAX)).await;
    let found = found.map_err(|error| cannot_read(&error))?;
    Ok(Json(view::subscribers(&found)))
}

/// `POST /api/v1/subscribers/remove`: an address is forgotten, in every list, and so are letters that wait to go there.
pub(in super::super) async fn remove(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let by = may(&desk, &headers).await?;
    let Wanted { address } = json_body(&desk, body).await?;
    let removed = desk.door.ask(Command::Subscribe(Subscribing::Remove { address })).await?;
    if !matches!(removed, Reply::Looked(true)) {
        return Err(Problem::not_found("nobody subscribes by this address"));
    }
    tracing::info!(by, "a subscriber was removed");
    Ok(Json(json!({"removed": true})))
}

async fn may(desk: &Desk, headers: &HeaderMap) -> Result<String, Problem> {
    let holder = desk.holder(headers, Deed::Look).await?;
    desk.allows(&holder, Deed::Keep)?;
    Ok(holder.name().to_owned())
}
