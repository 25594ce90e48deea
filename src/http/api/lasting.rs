//! What silences, known conditions, overrides and leaves have in common: they hold from one hour to another, have an author, and are asked for by
//! the part of their lives they are in, or by their ids.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{acting, shown};
use crate::commit::Command;
use crate::config::words;
use crate::core::decide::By;
use crate::core::timeline::Actor;
use crate::store::sight::Seen;
use crate::store::silences::Which;
use crate::store::{StoreError, Tx};

/// What a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListQuery {
    state: Option<String>,
}

/// The same, as it came.
pub(in super::super) type Queried = Result<Query<ListQuery>, QueryRejection>;

/// When something ends that begins at an hour, as its body says.
pub(super) fn ends_at(
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    lasts: Option<&str>,
) -> Result<Timestamp, Problem> {
    match (ends_at, lasts) {
        (Some(at), None) => Ok(at),
        (None, Some(text)) => {
            let lasts = words::duration(text).map_err(Problem::unprocessable)?;
            starts_at.checked_add(lasts).map_err(|_| Problem::unprocessable("nobody will see its end"))
        }
        _ => Err(Problem::unprocessable(
            "say until when: either \"ends_at\": an hour as in RFC 3339, or \"for\": \"2h\"",
        )),
    }
}

/// Who makes one of them: a person by name, a program as one.
pub(super) fn author(actor: &Actor) -> String {
    actor.person().map_or_else(|| actor.label(), str::to_owned)
}

/// One kind of them: overrides, leaves, known conditions or silences.
pub(super) struct Lasting {
    /// What people call one of them.
    pub(super) what: &'static str,
    /// What a list of them stands under.
    pub(super) list: &'static str,
    /// All that are asked for, as a list shows them.
    pub(super) all: fn(&Tx<'_>, Which) -> Result<Vec<Value>, StoreError>,
    /// One of them, as it is shown alone.
    pub(super) whole: fn(&Tx<'_>, &str) -> Result<Option<Value>, StoreError>,
    /// Takes out what is not in the copy that is shown while the store is away.
    pub(super) hide: fn(&mut Value),
}

impl Lasting {
    /// `GET` of all of them.
    pub(super) async fn list(
        &self,
        desk: &Desk,
        headers: &HeaderMap,
        query: Queried,
    ) -> Result<Response, Problem> {
        desk.may_look(headers).await?;
        let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
        let which = Which::from_word(query.state.as_deref()).map_err(Problem::bad_request)?;
        let all = self.all;
        let read = desk.sight.or_last(move |tx| all(tx, which)).await;
        let Seen { value: mut all, as_of } = read.map_err(|error| cannot_read(&error))?;
        if as_of.is_some() {
            all.iter_mut().for_each(self.hide);
        }
        Ok(shown(desk, Json(json!({self.list: all})).into_response(), as_of))
    }

    /// `GET` of one of them, as far as is known: what has ended is not in the copy that is shown while the store is away.
    pub(super) async fn show(&self, desk: &Desk, headers: &HeaderMap, id: &str) -> Result<Response, Problem> {
        desk.may_look(headers).await?;
        self.may_be(id)?;
        let (what, whole, wanted) = (self.what, self.whole, id.to_owned());
        let read = desk.sight.or_last(move |tx| whole(tx, &wanted)).await;
        let Seen { value, as_of } = read.map_err(|error| cannot_read(&error))?;
        let mut value = value.ok_or_else(|| match as_of {
            None => self.not_there(id),
            Some(_) => Problem::unavailable(
                format!("the store cannot be reached, and this node knows of no {what} {id}"),
                5,
            ),
        })?;
        if as_of.is_some() {
            (self.hide)(&mut value);
        }
        Ok(shown(desk, Json(value).into_response(), as_of))
    }

    /// `POST` that ends one of them now, by a command of its id, of what people call who ends it, and of these.
    pub(super) async fn end(
        &self,
        desk: &Desk,
        headers: &HeaderMap,
        id: String,
        command: impl FnOnce(String, String, By) -> Command,
    ) -> Result<Json<Value>, Problem> {
        let by = acting(desk, headers, None).await?;
        self.may_be(&id)?;
        let who = author(&by.actor);
        desk.door.ask(command(id.clone(), who.clone(), by)).await?;
        tracing::info!(id, by = who, what = self.what, "ended before its hour");
        self.after(desk, &id).await.map(Json)
    }

    /// One of them as it is after something was done to it.
    pub(super) async fn after(&self, desk: &Desk, id: &str) -> Result<Value, Problem> {
        let (whole, id) = (self.whole, id.to_owned());
        let read = desk.sight.now(move |tx| whole(tx, &id)).await.map_err(|error| {
            drop(cannot_read(&error));
            Problem::unavailable("it is written down; it cannot be shown at this moment", 5)
        })?;
        read.ok_or_else(Problem::internal)
    }

    /// 201, with one of them as it then is.
    pub(super) async fn made(&self, desk: &Desk, id: &str) -> Result<Response, Problem> {
        Ok((StatusCode::CREATED, Json(self.after(desk, id).await?)).into_response())
    }

    /// No id has such a character, and no store takes it.
    fn may_be(&self, id: &str) -> Result<(), Problem> {
        if id.contains('\0') { Err(self.not_there(id)) } else { Ok(()) }
    }

    /// 404.
    pub(super) fn not_there(&self, id: &str) -> Problem {
        Problem::not_found(format!("there is no {} {id}", self.what))
    }
}
