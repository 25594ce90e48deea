//! `/api/v1/oncall/drill`: the last delivery drill, the next, and the way to one at once.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::reach::{said, sees};
use crate::commit::{Command, Drilling, Reply};
use crate::core::role::{Deed, No};
use crate::store::drills::{self, Seen, Taking, Tried};
use crate::store::tokens::Holder;

/// `GET /api/v1/oncall/drill`
pub(in super::super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    Ok(Json(seen(&desk, &holder).await?).into_response())
}

/// `POST /api/v1/oncall/drill`: everybody who can be woken is tried now.
pub(in super::super) async fn begin(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    desk.allows(&holder, Deed::Keep).map_err(|no| match no {
        No::Keepers => Problem::forbidden(
            "an administrator begins a delivery drill; onscene oncall test PERSON tries one person",
        ),
        no => no.into(),
    })?;
    let command = Command::Drill(Drilling::Now { asked_by: holder.name().to_owned() });
    let Reply::Drilled(_) = desk.door.ask(command).await? else { return Err(Problem::internal()) };
    Ok((StatusCode::CREATED, Json(seen(&desk, &holder).await?)).into_response())
}

async fn seen(desk: &Desk, holder: &Holder) -> Result<Value, Problem> {
    // Drills are not in the copy that is shown while the store is away.
    let Seen { next, last, people, skipped } =
        desk.sight.now(drills::seen).await.map_err(|error| cannot_read(&error))?;
    let house = desk.house.get();
    let people: Vec<Value> =
        people.iter().map(|one| person(one, sees(&house.rules, holder, &one.person))).collect();
    Ok(json!({
        "next": next.map(|next| json!({"at": next.at, "week": next.week, "date": next.date.map(|date| date.to_string())})),
        "drill": last.map(|last| json!({
            "number": last.number,
            "state": last.state,
            "week": last.week,
            "began_at": last.at,
            "answer_within_s": last.answer_within.as_secs(),
            "asked_by": last.asked_by,
            "over_at": last.over_at,
            "missed": last.missed,
            "people": people,
        })),
        "skipped": skipped.map(|one| json!({"at": one.at, "week": one.week, "why": one.why})),
    }))
}

fn person(one: &Taking, whole: bool) -> Value {
    let tried = |tried: &Tried| {
        json!({
            "way": tried.way,
            "state": tried.state,
            "why": said(tried.why.as_deref(), whole),
            "confirmed_at": tried.confirmed_at,
        })
    };
    json!({
        "person": one.person,
        "state": one.state.as_str(),
        "until": one.due_at,
        "answered_at": one.answered_at,
        "way": one.way,
        "ways": one.ways.iter().map(tried).collect::<Vec<_>>(),
    })
}
