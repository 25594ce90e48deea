//! What silences and known conditions have in common: they hold from one hour to another, have an author, and are asked for by
//! the part of their lives they are in, or by their ids.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use crate::config::words;
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

/// Which ones are asked for.
pub(super) fn which(query: Queried) -> Result<Which, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    Which::from_word(query.state.as_deref()).map_err(Problem::bad_request)
}

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

/// Who makes a silence or a known condition: a person by name, a program as one.
pub(super) fn author(actor: &Actor) -> String {
    actor.person().map_or_else(|| actor.label(), str::to_owned)
}

/// 404.
pub(super) fn not_there(what: &str, id: &str) -> Problem {
    Problem::not_found(format!("there is no {what} {id}"))
}

/// How one of them is shown.
type Whole = fn(&Tx<'_>, &str) -> Result<Option<Value>, StoreError>;

/// One of them, as far as is known: what has ended is not in the copy that is shown while the store is away.
pub(super) async fn one(desk: &Desk, id: &str, what: &str, whole: Whole) -> Result<Seen<Value>, Problem> {
    if id.contains('\0') {
        return Err(not_there(what, id));
    }
    let wanted = id.to_owned();
    let read = desk.sight.or_last(move |tx| whole(tx, &wanted)).await;
    let Seen { value, as_of } = read.map_err(|error| cannot_read(&error))?;
    let value = value.ok_or_else(|| match as_of {
        None => not_there(what, id),
        Some(_) => Problem::unavailable(
            format!("the store cannot be reached, and this node knows of no {what} {id}"),
            5,
        ),
    })?;
    Ok(Seen { value, as_of })
}

/// One of them as it is after something was done to it.
pub(super) async fn after(desk: &Desk, id: &str, whole: Whole) -> Result<Value, Problem> {
    let id = id.to_owned();
    let read = desk.sight.now(move |tx| whole(tx, &id)).await.map_err(|error| {
        drop(cannot_read(&error));
        Problem::unavailable("it is written down; it cannot be shown at this moment", 5)
    })?;
    read.ok_or_else(Problem::internal)
}
