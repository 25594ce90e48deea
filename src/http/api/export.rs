//! `/api/v1/incidents/{n}/export`: one incident, taken out for others to read and to keep.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use super::super::desk::{Desk, cannot_read};
use super::super::html::known_of;
use super::super::problem::Problem;
use super::{not_there, number, view};
use crate::core::role::Deed;
use crate::exports::document::Document;
use crate::exports::later::Later;
use crate::exports::taken::Taken;
use crate::exports::{Form, Format, json};
use crate::store::timeline::{self, AsWritten};
use crate::store::tokens::Holder;
use crate::store::{StoreError, alerts, conditions, incidents, meeting};

/// Entries read at a time.
const PAGE: u32 = 1000;
/// Most alerts in a document; it says how many are not in it.
const ALERTS_MAX: u32 = 10_000;

/// Most entries of a timeline that a form is filled from: they are read at once. `json` has no limit.
const ENTRIES_MAX: u32 = 50_000;

/// In which form, how written down, and of whom.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Asked {
    form: Option<String>,
    format: Option<String>,
    person: Option<String>,
}

/// `GET /api/v1/incidents/{n}/export?form=FORM&format=FORMAT&person=NAME`
pub(in super::super) async fn export(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    // What was known last proves nothing of what is there.
    let holder = desk.holder(&headers, Deed::Look).await?;
    let Query(asked) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    taken(desk, holder, &id, asked).await
}

/// What is taken out of an incident by somebody who may look.
pub(in super::super) async fn taken(
    desk: Desk,
    holder: Holder,
    id: &str,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = number(id)?;
    let form = asked.form.as_deref().and_then(Form::from_word).ok_or_else(|| {
        Problem::bad_request(format!("say with \"form\" in which form; there are: {}", Form::words()))
    })?;
    let format = match asked.format.as_deref() {
        None => form.usual_format(),
        Some(word) => Format::from_word(word).ok_or_else(|| {
            Problem::bad_request(format!("no format is called {word}; there are: {}", Format::words()))
        })?,
    };
    form.takes(format, asked.person.as_deref()).map_err(Problem::bad_request)?;
    if form == Form::Json {
        return whole(desk, id).await;
    }
    let person = asked.person;
    let of_whom = person.clone();
    let document = fill(&desk, holder, id, form, person).await?;
    let text = format.write(&document).map_err(|error| cannot_read(&error.into()))?;
    let of_whom = of_whom.map(|name| format!("-{name}")).unwrap_or_default();
    let name = format!("INC-{id}-{}{of_whom}.{}", form.as_str(), format.as_str());
    Ok(kept(text.into_response(), format.content_type(), &name))
}

/// `GET /api/v1/incidents/{n}/brief`: what is read before command passes, with its number.
pub(in super::super) async fn brief(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    let document = fill(&desk, holder, number(&id)?, Form::Ics201, None).await?;
    Ok(Json(document).into_response())
}

/// Fills a form of one moment of the store.
async fn fill(
    desk: &Desk,
    holder: Holder,
    id: i64,
    form: Form,
    person: Option<String>,
) -> Result<Document, Problem> {
    let by = match holder {
        Holder::Person(name) | Holder::Automation(name) => name,
    };
    let rules = desk.house.get().rules.clone();
    let read = desk.sight.now(move |tx| {
        let Some(saved) = incidents::load(tx, id)? else { return Ok(Filled::NotThere) };
        let incident = saved.incident;
        if incident.seq > ENTRIES_MAX {
            return Ok(Filled::TooLong);
        }
        let entries = timeline::list(tx, id, 0, incident.seq)?;
        let alerts = alerts::of_incident(tx, id, ALERTS_MAX)?;
        let meeting = meeting::Known::ask(tx, &rules)?.places(&incident, &rules, tx.now);
        let known = known_of(&incident, &conditions::open(tx)?, &rules, tx.now);
        let taken = Taken {
            incident: &incident,
            entries: &entries,
            later: Later::of(&entries),
            alerts: &alerts,
            meeting: &meeting,
            known: &known,
            rules: &rules,
            at: tx.now,
            by: &by,
        };
        Ok(form
            .fill(&taken, person.as_deref())
            .map_or(Filled::Nobody, |document| Filled::Form(Box::new(document))))
    });
    match read.await.map_err(|error| cannot_read(&error))? {
        Filled::Form(document) => Ok(*document),
        Filled::NotThere => Err(not_there(id, None)),
        Filled::Nobody => {
            Err(Problem::not_found(format!("the timeline of incident {id} names no person who is called so")))
        }
        Filled::TooLong => Err(Problem::unprocessable(format!(
            "its timeline has more than {ENTRIES_MAX} entries; take it out with form=json, which has no limit"
        ))),
    }
}

/// What became of a form.
enum Filled {
    Form(Box<Document>),
    NotThere,
    Nobody,
    TooLong,
}

/// An answer that people keep as a file; in a browser it loads and runs nothing.
fn kept(mut answer: Response, content_type: &'static str, name: &str) -> Response {
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter), "_");
    let name = format!("attachment; filename=\"{name}\"");
    for (header, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (header::CONTENT_DISPOSITION, name.as_str()),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(header, value);
        }
    }
    answer
}

/// Everything, written as it is read: a timeline may be longer than there is room for.
async fn whole(desk: Desk, id: i64) -> Result<Response, Problem> {
    let read = desk.sight.now(move |tx| {
        let Some(row) = incidents::load_as_written(tx, id)? else { return Ok(None) };
        let alerts = alerts::of_incident(tx, id, ALERTS_MAX)?;
        let all = alerts::count_of_incident(tx, id)?;
        Ok(Some((row, alerts, all, tx.now)))
    });
    let found = read.await.map_err(|error| cannot_read(&error))?;
    let (row, alerts, all, now) = found.ok_or_else(|| not_there(id, None))?;
    let alerts: Vec<Value> = alerts.iter().map(view::alert).collect();
    let beginning = json::beginning(&row, &alerts, all, now).map_err(|error| cannot_read(&error.into()))?;
    let rest = Rest { desk, id, at: 0, until: row.seq, ended: false };
    let beginning = stream::iter([Ok(Bytes::from(beginning))]);
    let rest = stream::try_unfold(rest, Rest::next);
    let answer = Body::from_stream(stream::StreamExt::chain(beginning, rest)).into_response();
    Ok(kept(answer, "application/json", &format!("INC-{id}.json")))
}

/// What follows of a document. What cannot be read breaks the answer off, and its reader sees that it has no end.
struct Rest {
    desk: Desk,
    id: i64,
    at: u32,
    until: u32,
    ended: bool,
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let (id, at, until) = (self.id, self.at, self.until);
        let page = self.desk.sight.now(move |tx| timeline::list_as_written(tx, id, at, PAGE)).await?;
        let all = page.len();
        let page: Vec<AsWritten> = page.into_iter().filter(|entry| entry.seq <= until).collect();
        let mut text = String::new();
        for entry in &page {
            text.push_str(&json::entry(entry, self.at == 0)?);
            self.at = entry.seq;
        }
        if page.len() < all || all < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            text.push_str(json::END);
            self.ended = true;
        }
        Ok(Some((text.into(), self)))
    }
}
