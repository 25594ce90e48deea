//! `/api/v1`: everything the commands do, as JSON, with a bearer token.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asked::asked;
use super::body;
use super::desk::{Desk, cannot_read};
use super::html::known_of;
use super::problem::Problem;
use super::verbs::Said;
use crate::commit::{Command, Reply};
use crate::core::audience::Audience;
use crate::core::decide::By;
use crate::core::incident::{Incident, Severity};
use crate::core::role::Deed;
use crate::core::timeline::{Actor, Route};
use crate::store::incidents;
use crate::store::search::Filter;
use crate::store::sight::Seen;
use crate::store::tokens::Holder;
use crate::store::{StoreError, Tx, alerts, conditions as known_conditions, meeting, timeline};

pub(super) mod calendars;
pub(super) mod conditions;
pub(super) mod drill;
pub(super) mod export;
pub(super) mod history;
mod keys;
mod lasting;
mod live;
pub(super) mod load;
pub(super) mod oncall;
pub(super) mod reach;
pub(super) mod report;
pub(super) mod roster;
pub(super) mod sessions;
pub(super) mod silences;
pub(super) mod statements;
pub(super) mod store;
pub(super) mod subscribers;
pub(super) mod tokens;
pub mod view;

/// Largest body of a request to the API, in bytes: words of people.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most entries on a page.
const ENTRIES_MAX: u32 = 1000;
/// Most alerts shown of one incident.
const ALERTS_MAX: u32 = 200;

/// `GET /api/v1/incidents/{n}`
pub(super) async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let id = number(&id)?;
    let read = desk.sight.or_last(find(&desk, id)).await;
    let Seen { value, as_of } = read.map_err(|error| cannot_read(&error))?;
    let incident = value.ok_or_else(|| not_there(id, as_of))?;
    Ok(shown(&desk, Json(incident).into_response(), as_of))
}

/// Where a page of a timeline begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimelineQuery {
    after: Option<u32>,
    limit: Option<u32>,
}

/// `GET /api/v1/incidents/{n}/timeline`: a page of it; to who takes events, all of it and what is still to come.
pub(super) async fn entries(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
    query: Result<Query<TimelineQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    if live::is_wanted(&headers) {
        let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
        return live::follow(desk, &headers, number(&id)?, query.after).await;
    }
    desk.may_look(&headers).await?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let id = number(&id)?;
    let limit = query.limit.unwrap_or(ENTRIES_MAX).clamp(1, ENTRIES_MAX);
    let after = query.after.unwrap_or(0);
    let read = desk.sight.or_last(move |tx| timeline::list(tx, id, after, limit)).await;
    let Seen { value: kept, as_of } = read.map_err(|error| cannot_read(&error))?;
    if kept.is_empty() && query.after.is_none() {
        return Err(not_there(id, as_of));
    }
    let entries: Vec<Value> = kept.iter().map(view::entry).collect();
    Ok(shown(&desk, Json(json!({"entries": entries})).into_response(), as_of))
}

/// The body of `POST /api/v1/incidents`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    title: String,
    service: String,
    severity: Option<String>,
}

/// `POST /api/v1/incidents`: a human (or a program) declares an incident.
pub(super) async fn declare(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let declaration: Declaration = json_body(&desk, body).await?;
    let title = crate::core::alert::one_line(&declaration.title);
    if title.is_empty() {
        return Err(Problem::unprocessable("the title is empty; say in one line what is wrong"));
    }
    let severity = declaration.severity.as_deref().map(severity).transpose()?.unwrap_or(Severity::Sev2);
    let command = Command::Declare { title, service: declaration.service, severity, by };
    let Reply::Decided(incident, _) = desk.door.ask(command).await? else { return Err(Problem::internal()) };
    Ok((StatusCode::CREATED, Json(one(&desk, incident.id).await?)).into_response())
}

/// `POST /api/v1/incidents/{n}/{verb}`
pub(super) async fn act(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path((id, verb)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Act).await?;
    let id = number(&id)?;
    let said: Said = json_body(&desk, body).await?;
    let by = by(&desk, holder, said.occurred_at)?;
    let command = asked(id, &verb, said, by)?;
    let Reply::Decided(incident, reason) = desk.door.ask(command).await? else {
        return Err(Problem::internal());
    };
    let mut answer = one(&desk, incident.id).await?;
    if let Some(warning) = reason.warning() {
        answer["warning"] = warning.into();
    }
    if verb == "question" {
        // As by mail: whoever asks is told where and when it is said.
        let house = desk.house.get();
        let page = house.public.as_ref().and_then(|public| public.url.as_deref());
        let told = crate::render::to_a_question(&incident, Audience::Internal, page, desk.clock.now());
        answer["answer"] = told.text.trim_end().into();
    }
    Ok(Json(answer).into_response())
}

/// `GET /api/v1/command`: open incidents and who commands each, also as plain text.
pub(super) async fn command(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let filter = Filter { state: Some("open".into()), limit: history::PAGE_MAX, ..Filter::default() };
    let rules = desk.house.get().rules.clone();
    let now = rules.clone();
    let read = desk.sight.or_last(move |tx| {
        let (found, known) = (incidents::list(tx, &filter)?, meeting::Known::ask(tx, &now)?);
        let meets = |incident| {
            let meeting = known.places(&incident, &now, tx.now);
            (incident, meeting)
        };
        Ok(found.into_iter().map(meets).collect::<Vec<_>>())
    });
    let Seen { value: found, as_of } = read.await.map_err(|error| cannot_read(&error))?;
    let plain = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if plain.is_some_and(|accept| accept.starts_with("text/plain")) {
        let lines: String =
            found.iter().map(|(incident, meeting)| view::line(incident, meeting, &rules) + "\n").collect();
        return Ok(shown(&desk, lines.into_response(), as_of));
    }
    let open: Vec<Value> = found
        .iter()
        .map(|(incident, meeting)| {
            json!({"id": incident.id, "title": incident.title, "service": incident.service,
                "severity": incident.severity.as_str(), "state": incident.state(),
                "bridge": meeting.address(),
                "commander": incident.commander().map(|command| json!({"person": command.person,
                    "term": command.term, "since": command.since})),
                "stop": view::said(&incident.board.stop), "offer": view::offer(incident)})
        })
        .collect();
    Ok(shown(&desk, Json(json!({"incidents": open})).into_response(), as_of))
}

/// Anything else under `/api`.
pub(super) async fn nothing() -> Problem {
    Problem::not_found("the API has no such address; it begins at /api/v1/incidents")
}

/// An incident as it is now, after something was done to it.
async fn one(desk: &Desk, id: i64) -> Result<Value, Problem> {
    let found = desk.sight.now(find(desk, id)).await.map_err(|error| {
        drop(cannot_read(&error));
        Problem::unavailable("it is written down; the incident cannot be shown at this moment", 5)
    })?;
    found.ok_or_else(|| not_there(id, None))
}

/// Reads one incident as the API shows it.
fn find(
    desk: &Desk,
    id: i64,
) -> impl Fn(&Tx<'_>) -> Result<Option<Value>, StoreError> + Send + Sync + 'static {
    let rules = desk.house.get().rules.clone();
    move |tx| {
        let saved = incidents::load(tx, id)?;
        saved.map(|saved| whole(tx, &saved.incident, &rules)).transpose()
    }
}

/// What was last known of the store does not hold everything that is in it.
fn not_there(id: i64, as_of: Option<Timestamp>) -> Problem {
    match as_of {
        None => Problem::not_found(format!("there is no incident {id}")),
        Some(_) => Problem::unavailable(
            format!("the store cannot be reached, and this node knows nothing of incident {id}"),
            5,
        ),
    }
}

/// Says how old an answer is that shows what was known last.
fn shown(desk: &Desk, mut answer: Response, as_of: Option<Timestamp>) -> Response {
    if let Some(stale) = desk.stale(as_of) {
        stale.mark(&mut answer);
    }
    answer
}

fn whole(tx: &Tx<'_>, incident: &Incident, rules: &crate::core::rules::Rules) -> Result<Value, StoreError> {
    let shown = alerts::of_incident(tx, incident.id, ALERTS_MAX)?;
    let meeting = meeting::Known::ask(tx, rules)?.places(incident, rules, tx.now);
    let mut whole = view::incident(incident, &shown, alerts::events_of(tx, incident.id)?, &meeting);
    whole["known"] =
        known_of(incident, &known_conditions::open(tx)?, rules, tx.now).iter().map(view::known).collect();
    Ok(whole)
}

/// Who acts: the holder of a token who may.
async fn acting(desk: &Desk, headers: &HeaderMap, occurred_at: Option<Timestamp>) -> Result<By, Problem> {
    let holder = desk.holder(headers, Deed::Act).await?;
    by(desk, holder, occurred_at)
}

fn by(desk: &Desk, holder: Holder, occurred_at: Option<Timestamp>) -> Result<By, Problem> {
    let actor = match holder {
        Holder::Person(name) => Actor::Person(name),
        Holder::Automation(name) => Actor::Automation(name),
    };
    if occurred_at.is_some_and(|at| at > desk.clock.now()) {
        return Err(Problem::unprocessable("\"occurred_at\" lies in the future"));
    }
    Ok(By { actor, route: Route::Api, occurred_at })
}

async fn json_body<T: DeserializeOwned>(desk: &Desk, body: Body) -> Result<T, Problem> {
    let bytes = body::read(body, BODY_BYTES_MAX, desk.limits.body_timeout).await?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text)
        .map_err(|error| Problem::bad_request(format!("the body is not what is expected here: {error}")))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::not_found("an incident is called by its number"))
}

fn severity(word: &str) -> Result<Severity, Problem> {
    Severity::from_word(word)
        .ok_or_else(|| Problem::bad_request(format!("no severity is called {word}; there are SEV1 to SEV4")))
}
