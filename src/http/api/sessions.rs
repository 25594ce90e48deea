//! `/api/v1/sessions` and `/api/v1/login-links`: who is signed in to the pages, and links that sign somebody in. An administrator has
//! a say about everybody's, everybody else about their own.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::keys::{self, Asking, asking, shown_once};
use super::{json_body, view};
use crate::commit::{Command, SignIn};
use crate::crypto;
use crate::store::sessions::{self, LINK_LASTS, Session};
use crate::store::tokens::Holder;

/// Whom it is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    person: String,
}

/// `POST /api/v1/login-links`
pub(in super::super) async fn link(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = asking(&desk, &headers).await?;
    let Wanted { person } = json_body(&desk, body).await?;
    theirs(&by, &person, "an administrator makes login links for others; you can make one for yourself")?;
    let house = desk.house.get();
    if !house.rules.people.contains_key(&person) {
        return Err(Problem::unprocessable(format!("{person} is no person of the configuration")));
    }
    let secret = crypto::random_secret().map_err(|error| {
        tracing::error!(%error, "no random bytes");
        Problem::internal()
    })?;
    let kept = SecretString::from(secret.clone());
    desk.door.ask(Command::SignIn(SignIn::Link { secret: kept, person: person.clone() })).await?;
    tracing::info!(person, by = by.person, "a login link was made");
    let ends = desk.clock.now().saturating_add(LINK_LASTS).map_err(|_| Problem::internal())?;
    Ok(shown_once(json!({"person": person, "url": house.renderer.login_url(&secret, None), "ends_at": ends})))
}

/// `GET /api/v1/sessions`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    let shown: Vec<Value> =
        all(&desk).await?.iter().filter(|one| by.may(&one.holder)).map(view::session).collect();
    Ok(Json(json!({"sessions": shown})))
}

/// `POST /api/v1/sessions/{id}/revoke`
pub(in super::super) async fn revoke(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    let is_theirs = all(&desk).await?.iter().any(|one| one.id == id && by.may(&one.holder));
    let end = |id| Command::SignIn(SignIn::End(id));
    let revoked = keys::revoke(&desk, "session", id.clone(), is_theirs, end).await?;
    tracing::info!(session.id = id, by = by.person, "a session was ended");
    Ok(revoked)
}

/// `POST /api/v1/sessions/revoke`: all of a person, and their login links.
pub(in super::super) async fn revoke_all(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    let Wanted { person } = json_body(&desk, body).await?;
    theirs(&by, &person, "an administrator ends the sessions of others; you can end your own")?;
    desk.door.ask(Command::SignIn(SignIn::EndAll(person.clone()))).await?;
    tracing::info!(person, by = by.person, "all sessions of a person were ended");
    Ok(Json(json!({"person": person, "revoked": true})))
}

fn theirs(by: &Asking, person: &str, else_said: &str) -> Result<(), Problem> {
    match by.may(&Holder::Person(person.to_owned())) {
        true => Ok(()),
        false => Err(Problem::forbidden(else_said)),
    }
}

async fn all(desk: &Desk) -> Result<Vec<Session>, Problem> {
    desk.sight.now(sessions::list).await.map_err(|error| cannot_read(&error))
}
