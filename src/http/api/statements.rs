//! `/api/v1/statements`: what is said to those who do not respond, written, approved, and sent.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::super::speech::{Spoken, parts, wish};
use super::{acting, json_body, not_there, shown, view};
use crate::commit::{Command, Reply, statements};
use crate::core::audience::Audience;
use crate::core::decide::{Act, Speech, Wish};
use crate::core::incident::Incident;
use crate::core::voice::Statement;
use crate::house::House;
use crate::store::search::Filter;
use crate::store::sight::Seen;
use crate::store::{StoreError, Tx, incidents};

/// Most incidents whose statements are in one answer.
const INCIDENTS_MAX: u32 = 200;

/// Whose statements are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Asked {
    incident: Option<i64>,
}

/// `GET /api/v1/statements?incident=`: of one incident, or of all that are open.
pub(in super::super) async fn list(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let Query(asked) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let house = desk.house.get();
    let read = desk.sight.or_last(move |tx| {
        let of = match asked.incident {
            Some(id) => match incidents::load(tx, id)? {
                Some(saved) => vec![saved.incident],
                None => return Ok(None),
            },
            None => {
                let filter = Filter { state: Some("open".into()), limit: INCIDENTS_MAX, ..Filter::default() };
                incidents::list(tx, &filter)?
            }
        };
        let each = of.iter().map(|incident| {
            let voice = &incident.voice;
            let all: Vec<Value> = voice.statements.iter().map(|one| view::statement(incident, one)).collect();
            (all, view::voice(incident, &house.rules))
        });
        let (statements, voices): (Vec<Vec<Value>>, Vec<Value>) = each.unzip();
        Ok(Some(json!({"statements": statements.concat(), "incidents": voices})))
    });
    let Seen { value, as_of } = read.await.map_err(|error| cannot_read(&error))?;
    let value = value.ok_or_else(|| not_there(asked.incident.unwrap_or_default(), as_of))?;
    Ok(shown(&desk, Json(value).into_response(), as_of))
}

/// `GET /api/v1/statements/{id}`: with what the lint says of it now, and as each channel will show it.
pub(in super::super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let (incident, number) = parts(&id)?;
    let read = desk.sight.or_last(find(&desk, incident, number)).await;
    let Seen { value, as_of } = read.map_err(|error| cannot_read(&error))?;
    let value = value.ok_or_else(|| no_such(&id))?;
    Ok(shown(&desk, Json(value).into_response(), as_of))
}

/// `POST /api/v1/statements`
pub(in super::super) async fn draft(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let spoken: Spoken = json_body(&desk, body).await?;
    let incident =
        spoken.incident.ok_or_else(|| Problem::unprocessable("\"incident\" is missing: its number"))?;
    let act = Speech::of(wish("draft", incident, None, spoken)?);
    let Reply::Decided(decided, _) = desk.door.ask(Command::Act { incident, act, by }).await? else {
        return Err(Problem::internal());
    };
    let number = decided.voice.statements.last().map_or(0, |last| last.number);
    Ok((StatusCode::CREATED, Json(now(&desk, incident, number).await?)).into_response())
}

/// `POST /api/v1/statements/{id}/{verb}`
pub(in super::super) async fn act(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path((id, verb)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let (incident, number) = parts(&id)?;
    let spoken: Spoken = json_body(&desk, body).await?;
    let audience = audience_of(&desk, incident, number).await?.ok_or_else(|| no_such(&id))?;
    let wish = wish(&verb, incident, Some((number, audience)), spoken)?;
    let is_new = matches!(wish, Wish::Draft { number: None, .. });
    let act: Act = Speech::of(wish);
    let Reply::Decided(decided, _) = desk.door.ask(Command::Act { incident, act, by }).await? else {
        return Err(Problem::internal());
    };
    if is_new {
        let number = decided.voice.statements.last().map_or(0, |last| last.number);
        return Ok((StatusCode::CREATED, Json(now(&desk, incident, number).await?)).into_response());
    }
    Ok(Json(now(&desk, incident, number).await?).into_response())
}

/// Who reads a statement.
pub(in super::super) async fn audience_of(
    desk: &Desk,
    incident: i64,
    number: u32,
) -> Result<Option<Audience>, Problem> {
    let read = desk.sight.now(move |tx: &Tx<'_>| {
        let saved = incidents::load(tx, incident)?;
        Ok(saved.and_then(|saved| Some(saved.incident.voice.statement(number)?.wording.audience)))
    });
    read.await.map_err(|error| cannot_read(&error))
}

async fn now(desk: &Desk, incident: i64, number: u32) -> Result<Value, Problem> {
    let found = desk.sight.now(find(desk, incident, number)).await.map_err(|error| {
        drop(cannot_read(&error));
        Problem::unavailable("it is written down; the statement cannot be shown at this moment", 5)
    })?;
    found.ok_or_else(|| no_such(&format!("{incident}-{number}")))
}

fn find(
    desk: &Desk,
    incident: i64,
    number: u32,
) -> impl Fn(&Tx<'_>) -> Result<Option<Value>, StoreError> + Send + Sync + 'static {
    let house = desk.house.get();
    move |tx| {
        let Some(saved) = incidents::load(tx, incident)? else { return Ok(None) };
        let Some(known) = saved.incident.voice.statement(number) else { return Ok(None) };
        whole(tx, &saved.incident, known, &house).map(Some)
    }
}

/// A statement with what the lint says of it now, and as each channel will show it.
fn whole(tx: &Tx<'_>, incident: &Incident, known: &Statement, house: &House) -> Result<Value, StoreError> {
    let mut value = view::statement(incident, known);
    if known.is_open() {
        let found = statements::found(tx, &house.rules, incident, (&known.wording, known.at))?;
        value["findings"] = view::findings(&found);
    }
    let previews = statements::previews(incident, known, house).map(|(channel, shown)| {
        let most = (shown.most != usize::MAX).then_some(shown.most);
        json!({"channel": channel, "text": shown.text, "size": shown.size, "most": most, "unit": shown.unit,
            "fits": shown.fits()})
    });
    value["previews"] = previews.collect();
    Ok(value)
}

fn no_such(id: &str) -> Problem {
    Problem::not_found(format!("there is no statement {id}"))
}
