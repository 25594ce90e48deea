//! `/api/v1/tokens`: an administrator makes, lists and revokes tokens; everybody else their own.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::keys::{self, asking, make, shown_once};
use super::{json_body, view};
use crate::commit::Command;
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
    let keep = |token| Command::MakeToken { token, holder: holder.clone() };
    let (id, token) = make(&desk, keep).await?;
    tracing::info!(
        token.id = id,
        token.holder = holder.name(),
        by = by.person,
        "a token of the API was made"
    );
    Ok(shown_once(json!({"id": id, "token": token})))
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
    let is_theirs = all(&desk).await?.iter().any(|token| token.id == id && by.may(&token.holder));
    let revoked =
        keys::revoke(&desk, "token", id.clone(), is_theirs, |id| Command::RevokeToken { id }).await?;
    tracing::info!(token.id = id, by = by.person, "a token of the API was revoked");
    Ok(revoked)
}

async fn all(desk: &Desk) -> Result<Vec<ApiToken>, Problem> {
    desk.sight.now(tokens::list_api).await.map_err(|error| cannot_read(&error))
}
