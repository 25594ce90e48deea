//! `/api/v1/tokens`: an administrator makes, lists and revokes tokens; everybody else their own.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{json_body, view};
use crate::commit::{Command, Reply};
use crate::crypto;
use crate::store::tokens::{self, ApiToken, Holder};

/// The body of `POST /api/v1/tokens`: either of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    person: Option<String>,
    automation: Option<String>,
}

/// `POST /api/v1/tokens`
pub(in super::super) async fn create(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = asking(&desk, &headers).await?;
    let wanted: Wanted = json_body(&desk, body).await?;
    let holder = match (wanted.person, wanted.automation) {
        (Some(person), None) => Holder::Person(person),
        (None, Some(name)) => Holder::automation(&name).map_err(Problem::unprocessable)?,
        _ => {
            return Err(Problem::unprocessable(
                "say whom the token is for: either \"person\": \"...\" or \"automation\": \"...\"",
            ));
        }
    };
    if !by.may(&holder) {
        return Err(Problem::forbidden(
            "an administrator makes tokens for others and for programs; you can make one for yourself",
        ));
    }
    if let Holder::Person(name) = &holder
        && !desk.house.get().rules.people.contains_key(name)
    {
        return Err(Problem::unprocessable(format!("{name} is no person of the configuration")));
    }
    let token = crypto::random_token().map_err(|error| {
        tracing::error!(%error, "no random bytes");
        Problem::internal()
    })?;
    let command = Command::MakeToken { token: SecretString::from(token.clone()), holder: holder.clone() };
    let Reply::Made(id) = desk.door.ask(command).await? else { return Err(Problem::internal()) };
    tracing::info!(
        token.id = id,
        token.holder = holder.name(),
        by = by.person,
        "a token of the API was made"
    );
    let made = Json(json!({"id": id, "token": token}));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], made).into_response())
}

/// `GET /api/v1/tokens`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    let shown: Vec<Value> =
        all(&desk).await?.iter().filter(|token| by.may(&token.holder)).map(view::token).collect();
    Ok(Json(json!({"tokens": shown})))
}

/// `POST /api/v1/tokens/{id}/revoke`
pub(in super::super) async fn revoke(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    // Whether there is one of somebody else is nobody's business.
    if !all(&desk).await?.iter().any(|token| token.id == id && by.may(&token.holder)) {
        return Err(Problem::not_found(format!("no token that works has the id {id}")));
    }
    desk.door.ask(Command::RevokeToken { id: id.clone() }).await?;
    tracing::info!(token.id = id, by = by.person, "a token of the API was revoked");
    Ok(Json(json!({"id": id, "revoked": true})))
}

/// Who asks about tokens.
pub(super) struct Asking {
    /// Which person.
    pub(super) person: String,
    /// Whether they are an administrator.
    pub(super) administrator: bool,
}

impl Asking {
    fn may(&self, holder: &Holder) -> bool {
        self.administrator || matches!(holder, Holder::Person(name) if *name == self.person)
    }
}

pub(super) async fn asking(desk: &Desk, headers: &HeaderMap) -> Result<Asking, Problem> {
    let person = match desk.holder(headers).await? {
        Holder::Person(person) => person,
        Holder::Automation(_) => {
            return Err(Problem::forbidden(
                "a program has no say about tokens, private addresses and delivery drills",
            ));
        }
    };
    match desk.house.get().rules.people.get(&person) {
        Some(known) => Ok(Asking { administrator: known.administrator, person }),
        None => Err(Problem::forbidden(format!("{person} is not a person of this house any more"))),
    }
}

async fn all(desk: &Desk) -> Result<Vec<ApiToken>, Problem> {
    desk.sight.now(tokens::list_api).await.map_err(|error| cannot_read(&error))
}
