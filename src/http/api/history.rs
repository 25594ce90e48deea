//! Alerts and incidents of any age: what a list is narrowed to, and `GET /api/v1/alerts`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{ALERTS_MAX, severity, shown, view};
use crate::config;
use crate::core::search::{self, Sought};
use crate::store::search::Filter;
use crate::store::search::{AlertFilter, Page, Place};
use crate::store::sight::Seen;
use crate::store::{alerts, history, meeting};

/// Most incidents, and most alerts, on a page, and how many when nobody says.
pub(super) const PAGE_MAX: u32 = 200;
const PAGE_USUAL: u32 = 50;
const STATES: [&str; 5] = ["triggered", "acknowledged", "mitigated", "resolved", "open"];

/// Names and values as they stand in an address.
pub(super) type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// What a list is narrowed to, as it was asked for; a name that is not known is refused.
pub(super) struct Asked {
    pairs: Vec<(String, String)>,
    now: Timestamp,
}

impl Asked {
    pub(super) fn read(query: Pairs, known: &[&str], now: Timestamp) -> Result<Self, Problem> {
        let Query(pairs) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(Problem::bad_request(format!(
                "{name} is nothing to ask for here; there are {}",
                known.join(", ")
            )));
        }
        let twice = |name: &str| pairs.iter().filter(|(other, _)| other == name).count() > 1;
        if let Some(name) = known.iter().find(|name| **name != "label" && twice(name)) {
            return Err(Problem::bad_request(format!("{name} can be asked for once only")));
        }
        Ok(Self { pairs, now })
    }

    /// What was given, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let given = self.pairs.iter().find(|(other, _)| other == name);
        given.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        let given = self.text(name);
        if let Some(word) = given.filter(|word| !words.contains(word)) {
            return Err(Problem::bad_request(format!(
                "no {name} is called {word}; there are {}",
                words.join(", ")
            )));
        }
        Ok(given.map(str::to_owned))
    }

    /// An hour, or how long ago it was.
    pub(super) fn hour(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if let Ok(at) = text.parse() {
            return Ok(Some(at));
        }
        let ago = config::length(text).ok().and_then(|ago| self.now.checked_sub(ago).ok());
        ago.map(Some).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name}: {text:?} is neither an hour, such as 2026-01-31T08:00:00Z, nor how long ago it was, such as 30d"
            ))
        })
    }

    fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = self.text("limit") else { return Ok(PAGE_USUAL) };
        let limit: u32 =
            text.parse().map_err(|_| Problem::bad_request(format!("limit: {text:?} is no number")))?;
        Ok(limit.clamp(1, PAGE_MAX))
    }

    fn sought(&self) -> Result<Vec<Sought>, Problem> {
        let labels = self.pairs.iter().filter(|(name, _)| name == "label").map(|(_, value)| value.clone());
        let sought = search::sought(&labels.collect::<Vec<_>>(), self.text("q"));
        Ok(sought.map_err(|wrong| Problem::bad_request(wrong.to_string()))?.into_iter().collect())
    }

    fn cursor<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let wrong = || Problem::bad_request("cursor: it is what \"next\" said in the answer before");
        self.text("cursor").map(|cursor| read(cursor).ok_or_else(wrong)).transpose()
    }

    /// What a list of incidents is narrowed to; `None` when there can be none.
    pub(super) fn incidents(&self) -> Result<Option<Filter>, Problem> {
        let drill = self.one_of("drill", &["true", "false"])?;
        let filter = Filter {
            state: self.one_of("state", &STATES)?,
            severity: self.text("severity").map(severity).transpose()?.map(|one| one.as_str().to_owned()),
            service: self.owned("service"),
            sought: self.sought()?,
            since: self.hour("since")?,
            until: self.hour("until")?,
            before: self.cursor(|cursor| cursor.parse().ok())?,
            limit: self.limit()?,
        };
        Ok((drill.as_deref() != Some("true")).then_some(filter))
    }

    fn alerts(&self) -> Result<AlertFilter, Problem> {
        Ok(AlertFilter {
            status: self.one_of("status", &["firing", "resolved"])?,
            source: self.owned("source"),
            service: self.owned("service"),
            sought: self.sought()?,
            since: self.hour("since")?,
            until: self.hour("until")?,
            before: self.cursor(Place::read)?,
            limit: self.limit()?,
        })
    }
}

/// `GET /api/v1/incidents`
pub(in super::super) async fn incidents(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    const KNOWN: [&str; 10] =
        ["state", "severity", "service", "drill", "label", "q", "since", "until", "cursor", "limit"];
    let asked = Asked::read(query, &KNOWN, desk.clock.now())?;
    let Some(filter) = asked.incidents()? else {
        return Ok(Json(json!({"incidents": [], "next": null})).into_response());
    };
    let rules = desk.house.get().rules.clone();
    let read = desk.sight.or_last(move |tx| {
        let Page { found, next } = crate::store::search::incidents(tx, &filter)?;
        let ids: Vec<i64> = found.iter().map(|incident| incident.id).collect();
        let theirs = alerts::of_incidents(tx, &ids, ALERTS_MAX)?;
        let none = (Vec::new(), 0);
        let known = meeting::Known::ask(tx, &rules)?;
        let shown: Vec<Value> = found
            .iter()
            .map(|incident| {
                let (shown, events) = theirs.get(&incident.id).unwrap_or(&none);
                view::incident(incident, shown, *events, &known.places(incident, &rules, tx.now))
            })
            .collect();
        let mut answer = json!({"incidents": shown, "next": next.map(|next| next.to_string())});
        tell_gaps(&mut answer, filter.sought.is_empty() || history::is_whole(tx)?);
        Ok(answer)
    });
    let Seen { value, as_of } = read.await.map_err(|error| cannot_read(&error))?;
    Ok(shown(&desk, Json(value).into_response(), as_of))
}

/// `GET /api/v1/alerts`
pub(in super::super) async fn alerts(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    const KNOWN: [&str; 9] =
        ["status", "source", "service", "label", "q", "since", "until", "cursor", "limit"];
    let filter = Asked::read(query, &KNOWN, desk.clock.now())?.alerts()?;
    let read = desk.sight.or_last(move |tx| {
        let Page { found, next } = crate::store::search::alerts(tx, &filter)?;
        let shown: Vec<Value> = found.iter().map(view::found).collect();
        let mut answer = json!({"alerts": shown, "next": next.map(|next| next.to_string())});
        tell_gaps(&mut answer, filter.sought.is_empty() || history::is_whole(tx)?);
        Ok(answer)
    });
    let Seen { value, as_of } = read.await.map_err(|error| cannot_read(&error))?;
    Ok(shown(&desk, Json(value).into_response(), as_of))
}

/// Until everything that an older version wrote can be found, an answer says that something may be missing.
fn tell_gaps(answer: &mut Value, is_whole: bool) {
    if !is_whole {
        answer["complete"] = false.into();
    }
}
