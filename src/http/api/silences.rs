//! `/api/v1/silences`: what wakes nobody for a while, of the whole house and of single sources.
//!
//! Made here, a silence is of the whole house, and its author is who holds the token. Those that were made through
//! Alertmanager's API are shown and ended here too. While the store is away those are shown that had not ended, and not what
//! they hold: that is not in the copy of it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::lasting::{Lasting, Queried, author, ends_at};
use super::{acting, json_body, view};
use crate::commit::{Command, Reply};
use crate::core::matcher::read_all;
use crate::core::silence::Silence;
use crate::crypto;
use crate::store::silences;
use crate::store::{StoreError, Tx, held};

/// Most silences in one answer, those that end last first.
const SILENCES_MAX: u32 = 2000;
/// Most alerts shown of one silence.
const ALERTS_MAX: u32 = 200;

/// Which alerts a silence holds is not known while the store is away.
fn hide_held(silence: &mut Value) {
    silence["held"] = Value::Null;
    if let Some(alerts) = silence.get_mut("alerts") {
        *alerts = Value::Null;
    }
}

const SILENCES: Lasting = Lasting {
    what: "silence",
    list: "silences",
    all: |tx, which| {
        let holding = held::each(tx)?;
        let count = |id: &str| holding.iter().find(|(by, _)| by == id).map_or(0, |(_, count)| *count);
        let all = silences::list(tx, which, SILENCES_MAX)?;
        Ok(all.iter().map(|one| view::silence(one, count(&one.id), tx.now)).collect())
    },
    whole,
    hide: hide_held,
};

/// `GET /api/v1/silences`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Queried,
) -> Result<Response, Problem> {
    SILENCES.list(&desk, &headers, query).await
}

/// `GET /api/v1/silences/{id}`: with the alerts that it holds back.
pub(in super::super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    SILENCES.show(&desk, &headers, &id).await
}

/// The body of `POST /api/v1/silences`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    matchers: String,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    r#for: Option<String>,
    comment: Option<String>,
}

/// `POST /api/v1/silences`
pub(in super::super) async fn add(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let wanted: Wanted = json_body(&desk, body).await?;
    let matchers = read_all(&wanted.matchers).map_err(Problem::unprocessable)?;
    let comment = wanted.comment.unwrap_or_default().trim().to_owned();
    if comment.is_empty() {
        return Err(Problem::unprocessable(
            "say in \"comment\" why: others see what is held back, and have to judge it",
        ));
    }
    let now = desk.clock.now();
    let starts_at = wanted.starts_at.unwrap_or(now);
    let ends_at = ends_at(starts_at, wanted.ends_at, wanted.r#for.as_deref())?;
    let created_by = author(&by.actor);
    let silence = Silence {
        id: String::new(),
        source: None,
        matchers,
        starts_at,
        ends_at,
        created_by: created_by.clone(),
        comment,
        updated_at: now,
    };
    let fresh = crypto::random_uuid().map_err(|_| Problem::internal())?;
    let Reply::Silenced(id) = desk.door.ask(Command::PutSilence { silence, fresh }).await? else {
        return Err(Problem::internal());
    };
    tracing::info!(silence.id = id, by = created_by, "a silence was made");
    SILENCES.made(&desk, &id).await
}

/// `POST /api/v1/silences/{id}/expire`
pub(in super::super) async fn expire(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let known = find(&desk, &id).await?.ok_or_else(|| SILENCES.not_there(&id))?;
    desk.door.ask(Command::EndSilence { id: id.clone(), source: known.source }).await?;
    tracing::info!(silence.id = id, by = author(&by.actor), "a silence was ended");
    SILENCES.after(&desk, &id).await.map(Json)
}

async fn find(desk: &Desk, id: &str) -> Result<Option<Silence>, Problem> {
    if id.contains('\0') {
        return Ok(None);
    }
    let id = id.to_owned();
    let read = desk.sight.now(move |tx| silences::get(tx, &id)).await;
    read.map_err(|error| cannot_read(&error))
}

fn whole(tx: &Tx<'_>, id: &str) -> Result<Option<Value>, StoreError> {
    let Some(silence) = silences::get(tx, id)? else { return Ok(None) };
    let count = held::each(tx)?.into_iter().find(|(by, _)| by == id).map_or(0, |(_, count)| count);
    let mut shown = view::silence(&silence, count, tx.now);
    shown["alerts"] = held::by(tx, id, ALERTS_MAX)?.iter().map(view::alert).collect();
    Ok(Some(shown))
}
