//! `/api/v1/calendars`: private addresses under which a calendar program follows who is on call.
//!
//! Whoever knows such an address sees one rotation, or one person's turns, and nothing else. A person makes those of rotations and
//! their own; an administrator all. They are revoked by who made them, by whom they are about, or by an administrator.

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
use super::json_body;
use super::tokens::{Asking, asking};
use crate::commit::{Command, Reply};
use crate::crypto;
use crate::store::calendars::{self, Link, Subject};

/// The body of `POST /api/v1/calendars`: either of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    rotation: Option<String>,
    person: Option<String>,
}

/// `POST /api/v1/calendars`
pub(in super::super) async fn create(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = asking(&desk, &headers).await?;
    let wanted: Wanted = json_body(&desk, body).await?;
    let house = desk.house.get();
    let subject = match (wanted.rotation, wanted.person) {
        (Some(rotation), None) if !house.rules.rotations.contains_key(&rotation) => {
            return Err(Problem::unprocessable(format!("there is no rotation {rotation}")));
        }
        (Some(rotation), None) => Subject::Rotation(rotation),
        (None, Some(person)) if !house.rules.people.contains_key(&person) => {
            return Err(Problem::unprocessable(format!("{person} is no person of the configuration")));
        }
        (None, Some(person)) => Subject::Person(person),
        _ => {
            return Err(Problem::unprocessable(
                "say whose calendar it is: either \"rotation\": \"...\" or \"person\": \"...\"",
            ));
        }
    };
    if matches!(&subject, Subject::Person(person) if *person != by.person && !by.administrator) {
        return Err(Problem::forbidden(
            "an administrator makes addresses for others; you can make one for yourself",
        ));
    }
    let token = crypto::random_token().map_err(|error| {
        tracing::error!(%error, "no random bytes");
        Problem::internal()
    })?;
    let url = house.renderer.calendar_url(&token);
    let about = subject.name().to_owned();
    let command = Command::LinkCalendar { token: SecretString::from(token), subject, by: by.person.clone() };
    let Reply::Made(id) = desk.door.ask(command).await? else { return Err(Problem::internal()) };
    tracing::info!(
        calendar.id = id,
        calendar.of = about,
        by = by.person,
        "a private address of a calendar was made"
    );
    let made = Json(json!({"id": id, "url": url}));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], made).into_response())
}

/// `GET /api/v1/calendars`
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    let links = all(&desk).await?;
    let shown: Vec<Value> = links.iter().filter(|link| may(&by, link)).map(link).collect();
    Ok(Json(json!({"calendars": shown})))
}

/// `POST /api/v1/calendars/{id}/revoke`
pub(in super::super) async fn revoke(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let by = asking(&desk, &headers).await?;
    if !all(&desk).await?.iter().any(|link| link.id == id && may(&by, link)) {
        return Err(Problem::not_found(format!(
            "no private address of a calendar that works has the id {id}"
        )));
    }
    desk.door.ask(Command::UnlinkCalendar { id: id.clone() }).await?;
    tracing::info!(calendar.id = id, by = by.person, "a private address of a calendar was revoked");
    Ok(Json(json!({"id": id, "revoked": true})))
}

fn may(by: &Asking, link: &Link) -> bool {
    let own = matches!(&link.subject, Subject::Person(person) if *person == by.person);
    by.administrator || own || link.created_by == by.person
}

fn link(link: &Link) -> Value {
    let (rotation, person) = match &link.subject {
        Subject::Rotation(name) => (Some(name), None),
        Subject::Person(name) => (None, Some(name)),
    };
    json!({"id": link.id, "rotation": rotation, "person": person, "created_by": link.created_by,
        "created_at": link.created_at, "revoked_at": link.revoked_at})
}

async fn all(desk: &Desk) -> Result<Vec<Link>, Problem> {
    desk.sight.now(calendars::links).await.map_err(|error| cannot_read(&error))
}
