//! `/api/v1/incidents/{n}/export`: one incident, taken out for others to read and to keep.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{not_there, number, view};
use crate::core::role::Deed;
use crate::exports::{Form, json};
use crate::store::timeline::{self, AsWritten};
use crate::store::{StoreError, alerts, incidents};

/// Entries read at a time.
const PAGE: u32 = 1000;
/// Most alerts in a document.
const ALERTS_MAX: u32 = 10_000;

/// In which form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Asked {
    form: Option<String>,
}

/// `GET /api/v1/incidents/{n}/export?form=FORM`
pub(in super::super) async fn export(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    // What was known last proves nothing of what is there.
    desk.holder(&headers, Deed::Look).await?;
    let Query(Asked { form }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let id = number(&id)?;
    match form.as_deref().and_then(Form::from_word) {
        Some(Form::Json) => whole(desk, id).await,
        None => Err(Problem::bad_request(format!(
            "say with \"form\" in which form; there are: {}",
            Form::words()
        ))),
    }
}

/// Everything, written as it is read: a timeline may be longer than there is room for.
async fn whole(desk: Desk, id: i64) -> Result<Response, Problem> {
    let read = desk.sight.now(move |tx| {
        let Some(row) = incidents::load_as_written(tx, id)? else { return Ok(None) };
        Ok(Some((row, alerts::of_incident(tx, id, ALERTS_MAX)?, tx.now)))
    });
    let found = read.await.map_err(|error| cannot_read(&error))?;
    let (row, alerts, now) = found.ok_or_else(|| not_there(id, None))?;
    let alerts: Vec<Value> = alerts.iter().map(view::alert).collect();
    let beginning = json::beginning(&row, &alerts, now).map_err(|error| cannot_read(&error.into()))?;
    let rest = Rest { desk, id, at: 0, until: row.seq, ended: false };
    let beginning = stream::iter([Ok(Bytes::from(beginning))]);
    let rest = stream::try_unfold(rest, Rest::next);
    let mut answer = Body::from_stream(stream::StreamExt::chain(beginning, rest)).into_response();
    let name = format!("attachment; filename=\"INC-{id}.json\"");
    for (header, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, name.as_str()),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(header, value);
        }
    }
    Ok(answer)
}

/// What follows of a document. What cannot be read breaks the answer off, and its reader sees that it has no end.
struct Rest {
    desk: Desk,
    id: i64,
    at: u32,
    until: u32,
    ended: bool,
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let (id, at, until) = (self.id, self.at, self.until);
        let page = self.desk.sight.now(move |tx| timeline::list_as_written(tx, id, at, PAGE)).await?;
        let all = page.len();
        let page: Vec<AsWritten> = page.into_iter().filter(|entry| entry.seq <= until).collect();
        let mut text = String::new();
        for entry in &page {
            text.push_str(&json::entry(entry, self.at == 0)?);
            self.at = entry.seq;
        }
        if page.len() < all || all < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            text.push_str(json::END);
            self.ended = true;
        }
        Ok(Some((text.into(), self)))
    }
}
