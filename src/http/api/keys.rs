//! What tokens and private addresses of calendars have in common: whoever knows one may do something by it. It is shown once, when
//! it is made; only its hash is kept, and it is revoked by its id.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::problem::Problem;
use crate::commit::{Command, Reply};
use crate::core::role::Deed;
use crate::crypto;
use crate::store::tokens::Holder;

/// Who asks about them.
pub(super) struct Asking {
    /// Which person.
    pub(super) person: String,
    /// Whether they are an administrator.
    pub(super) administrator: bool,
}

impl Asking {
    /// Whether they have a say about keys of this holder.
    pub(super) fn may(&self, holder: &Holder) -> bool {
        self.administrator || matches!(holder, Holder::Person(name) if *name == self.person)
    }
}

/// Who asks about keys: each about their own, administrators about all. No program does.
pub(super) async fn asking(desk: &Desk, headers: &HeaderMap) -> Result<Asking, Problem> {
    let holder = desk.holder(headers, Deed::Look).await?;
    desk.allows(&holder, Deed::Keys(holder.person()))?;
    let administrator = desk.allows(&holder, Deed::Keys(None)).is_ok();
    Ok(Asking { person: holder.name().to_owned(), administrator })
}

/// A fresh one that is kept by a command. Answers its id.
pub(super) async fn make(
    desk: &Desk,
    keep: impl FnOnce(SecretString) -> Command,
) -> Result<(String, String), Problem> {
    let token = crypto::random_token().map_err(|error| {
        tracing::error!(%error, "no random bytes");
        Problem::internal()
    })?;
    match desk.door.ask(keep(SecretString::from(token.clone()))).await? {
        Reply::Made(id) => Ok((id, token)),
        _ => Err(Problem::internal()),
    }
}

/// 201, with what is shown this once.
pub(super) fn shown_once(made: Value) -> Response {
    (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response()
}

/// Ends one. `is_theirs`: whether who asks may; that there is one of somebody else is nobody's business.
pub(super) async fn revoke(
    desk: &Desk,
    what: &str,
    id: String,
    is_theirs: bool,
    command: fn(String) -> Command,
) -> Result<Json<Value>, Problem> {
    if !is_theirs {
        return Err(Problem::not_found(format!("no {what} that works has the id {id}")));
    }
    desk.door.ask(command(id.clone())).await?;
    Ok(Json(json!({"id": id, "revoked": true})))
}
