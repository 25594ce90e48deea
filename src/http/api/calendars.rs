//! `/api/v1/calendars`: private addresses under which a calendar program follows who is on call.
//!
//! Whoever knows such an address sees one rotation, or one person's turns, and nothing else. A person makes those of rotations and
//! their own; an administrator all. They are revoked by who made them, by whom they are about, or by an administrator.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::json_body;
use super::keys::{self, Asking, asking, make, shown_once};
use crate::commit::Command;
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
    let about = subject.name().to_owned();
    let keep = |token| Command::LinkCalendar { token, subject, by: by.person.clone() };
    let (id, token) = make(&desk, keep).await?;
    tracing::info!(
        calendar.id = id,
        calendar.of = about,
        by = by.person,
        "a private address of a calendar was made"
    );
    Ok(shown_once(json!({"id": id, "url": house.renderer.calendar_url(&token)})))
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
    let is_theirs = all(&desk).await?.iter().any(|link| link.id == id && may(&by, link));
    let what = "private address of a calendar";
    let revoked =
        keys::revoke(&desk, what, id.clone(), is_theirs, |id| Command::UnlinkCalendar { id }).await?;
    tracing::info!(calendar.id = id, by = by.person, "a private address of a calendar was revoked");
    Ok(revoked)
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
