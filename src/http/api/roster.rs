//! `/api/v1/overrides`, `/api/v1/swaps` and `/api/v1/leaves`: what people say of who is on call.
//!
//! Whoever holds a token may say it, of anybody, and is named as its author: who is ill at night asks a colleague. Programs may,
//! too: schedules are made elsewhere.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::problem::Problem;
use super::lasting::{Lasting, Queried, author, ends_at};
use super::{acting, json_body, view};
use crate::commit::{Change, Command, Reply};
use crate::core::condition::line;
use crate::core::oncall::ahead::Gap;
use crate::core::oncall::{Leave, Override, Roster};
use crate::core::rules::Rules;
use crate::crypto;
use crate::store::roster;

/// Most of them in one answer: all that are kept.
const LISTED_MAX: u32 = roster::OPEN_MAX + roster::ENDED_KEPT;

const OVERRIDES: Lasting = Lasting {
    what: "override",
    list: "overrides",
    all: |tx, which| {
        let all = roster::overrides(tx, which, LISTED_MAX)?;
        Ok(all.iter().map(|one| view::stand_in(one, tx.now)).collect())
    },
    whole: |tx, id| Ok(roster::override_of(tx, id)?.map(|one| view::stand_in(&one, tx.now))),
    hide: |_| {},
};

const LEAVES: Lasting = Lasting {
    what: "leave",
    list: "leaves",
    all: |tx, which| {
        let all = roster::leaves(tx, which, LISTED_MAX)?;
        Ok(all.iter().map(|one| view::leave(one, tx.now)).collect())
    },
    whole: |tx, id| Ok(roster::leave_of(tx, id)?.map(|one| view::leave(&one, tx.now))),
    hide: |_| {},
};

/// `GET /api/v1/overrides`
pub(in super::super) async fn overrides(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Queried,
) -> Result<Response, Problem> {
    OVERRIDES.list(&desk, &headers, query).await
}

/// `GET /api/v1/leaves`
pub(in super::super) async fn leaves(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Queried,
) -> Result<Response, Problem> {
    LEAVES.list(&desk, &headers, query).await
}

/// `GET /api/v1/overrides/{id}`
pub(in super::super) async fn show_override(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    OVERRIDES.show(&desk, &headers, &id).await
}

/// `GET /api/v1/leaves/{id}`
pub(in super::super) async fn show_leave(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    LEAVES.show(&desk, &headers, &id).await
}

/// The body of `POST /api/v1/overrides`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StandIn {
    rotation: String,
    person: String,
    instead_of: Option<String>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    r#for: Option<String>,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/overrides`
pub(in super::super) async fn add_override(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let wanted: StandIn = json_body(&desk, body).await?;
    let now = desk.clock.now();
    let from = wanted.starts_at.unwrap_or(now);
    let one = Override {
        id: fresh()?,
        rotation: wanted.rotation,
        person: wanted.person,
        instead_of: wanted.instead_of,
        from,
        until: ends_at(from, wanted.ends_at, wanted.r#for.as_deref())?,
        author: author(&by.actor),
        reason: line(&wanted.reason),
        created_at: now,
        ended_by: None,
    };
    let id = one.id.clone();
    let said = vec![one];
    let gaps = say(&desk, Change::StandIn(said.clone()), hours(&said)).await?;
    let mut value = OVERRIDES.after(&desk, &id).await?;
    value["warnings"] = gaps;
    Ok((StatusCode::CREATED, Json(value)).into_response())
}

/// The body of `POST /api/v1/swaps`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Swap {
    rotation: Option<String>,
    takes: Vec<Takes>,
    #[serde(default)]
    reason: String,
}

/// What one of two takes from the other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Takes {
    rotation: Option<String>,
    person: String,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    r#for: Option<String>,
}

/// `POST /api/v1/swaps`: two people take each other's turns, both or neither.
pub(in super::super) async fn swap(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let Swap { rotation, takes, reason } = json_body(&desk, body).await?;
    let Ok([one, other]) = <[Takes; 2]>::try_from(takes) else {
        return Err(Problem::unprocessable(
            "say in \"takes\" of two people what each takes from the other: {\"person\": \"maya\", \"starts_at\": \"...\", \
             \"ends_at\": \"...\"}",
        ));
    };
    let now = desk.clock.now();
    let turn = |takes: &Takes, whose: &Takes| {
        let rotation = takes.rotation.as_ref().or(rotation.as_ref());
        let from = takes.starts_at.unwrap_or(now);
        Ok::<_, Problem>(Override {
            id: fresh()?,
            rotation: rotation
                .cloned()
                .ok_or_else(|| Problem::unprocessable("say in \"rotation\" whose turns are swapped"))?,
            person: takes.person.clone(),
            instead_of: Some(whose.person.clone()),
            from,
            until: ends_at(from, takes.ends_at, takes.r#for.as_deref())?,
            author: author(&by.actor),
            reason: line(&reason),
            created_at: now,
            ended_by: None,
        })
    };
    let both = [turn(&one, &other)?, turn(&other, &one)?];
    let [first, second] = &both;
    if first.rotation == second.rotation && first.from < second.until && second.from < first.until {
        return Err(Problem::unprocessable(
            "the two times overlap: each takes a turn of the other's at another time",
        ));
    }
    let ids = [first.id.clone(), second.id.clone()];
    let said = both.to_vec();
    let gaps = say(&desk, Change::StandIn(said.clone()), hours(&said)).await?;
    let mut overrides = Vec::new();
    for id in &ids {
        overrides.push(OVERRIDES.after(&desk, id).await?);
    }
    let value = json!({"overrides": overrides, "warnings": gaps});
    Ok((StatusCode::CREATED, Json(value)).into_response())
}

/// The body of `POST /api/v1/leaves`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Away {
    person: String,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    r#for: Option<String>,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/leaves`
pub(in super::super) async fn add_leave(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let wanted: Away = json_body(&desk, body).await?;
    let now = desk.clock.now();
    let from = wanted.starts_at.unwrap_or(now);
    let leave = Leave {
        id: fresh()?,
        person: wanted.person,
        from,
        until: ends_at(from, wanted.ends_at, wanted.r#for.as_deref())?,
        author: author(&by.actor),
        reason: line(&wanted.reason),
        created_at: now,
        ended_by: None,
    };
    let (id, hours) = (leave.id.clone(), (leave.from, leave.until));
    let gaps = say(&desk, Change::Away(leave), hours).await?;
    let mut value = LEAVES.after(&desk, &id).await?;
    value["warnings"] = gaps;
    Ok((StatusCode::CREATED, Json(value)).into_response())
}

/// `POST /api/v1/overrides/{id}/end`
pub(in super::super) async fn end_override(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let ends = |id, who, _| Command::Roster(Change::EndOverride { id, who });
    OVERRIDES.end(&desk, &headers, id, ends).await
}

/// `POST /api/v1/leaves/{id}/end`
pub(in super::super) async fn end_leave(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let ends = |id, who, _| Command::Roster(Change::EndLeave { id, who });
    LEAVES.end(&desk, &headers, id, ends).await
}

/// From the first to the last hour that some overrides touch.
fn hours(overrides: &[Override]) -> (Timestamp, Timestamp) {
    let from = overrides.iter().map(|one| one.from).min();
    let until = overrides.iter().map(|one| one.until).max();
    (from.unwrap_or_default(), until.unwrap_or_default())
}

/// Says it, and answers when nobody is on call because of all that is said: whoever is ill may say so all the same.
pub(in super::super) async fn say(
    desk: &Desk,
    change: Change,
    hours: (Timestamp, Timestamp),
) -> Result<Value, Problem> {
    let told = match &change {
        Change::StandIn(overrides) => {
            overrides.iter().map(|one| (one.id.clone(), one.author.clone())).collect()
        }
        Change::Away(leave) => vec![(leave.id.clone(), leave.author.clone())],
        Change::EndOverride { .. } | Change::EndLeave { .. } => Vec::new(),
    };
    let Reply::Done = desk.door.ask(Command::Roster(change)).await? else { return Err(Problem::internal()) };
    for (id, by) in told {
        tracing::info!(roster.id = id, by, "who is on call was changed");
    }
    let rules = desk.house.get().rules.clone();
    // It is written down: what cannot be seen now is only not warned of.
    let read = desk.sight.now(move |tx| {
        let said = roster::said(tx, &rules, tx.now)?;
        Ok(gaps(&rules, &said, (hours.0.max(tx.now), hours.1)))
    });
    let found = read.await.unwrap_or_default();
    Ok(found.iter().map(|gap| Value::from(warning(gap))).collect())
}

/// When nobody is on call in any rotation, in an order that people read.
pub(in super::super) fn gaps(
    rules: &Rules,
    roster: &Roster,
    (from, until): (Timestamp, Timestamp),
) -> Vec<Gap> {
    let all = rules.rotations.iter();
    let mut gaps: Vec<Gap> =
        all.flat_map(|(name, rotation)| rotation.gaps(name, roster, from, until)).collect();
    gaps.sort_by(|one, other| (one.from, &one.rotation).cmp(&(other.from, &other.rotation)));
    gaps
}

fn warning(gap: &Gap) -> String {
    format!("nobody is on call in {} from {:.0} until {:.0}", gap.rotation, gap.from, gap.until)
}

pub(in super::super) fn fresh() -> Result<String, Problem> {
    crypto::random_token().map_err(|_| Problem::internal())
}
