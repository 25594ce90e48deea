//! Alertmanager's API v2 under a source of the kind `prometheus`: what Prometheus pushes to, and what `amtool` asks.
//!
//! `/in/{source}/api/v2/...`, with the token as everywhere under `/in`. Statuses and bodies are Alertmanager's
//! (prometheus/alertmanager `api/v2/openapi.yaml`, `api/v2/api.go`), but for 409 where there are too many silences; lists are
//! narrowed by `filter`, `active` and `silenced`, for there is no inhibition here and one receiver. Silences made here hold for alerts of this source only,
//! as they would in an Alertmanager that hears nothing else.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::compat::in_their_words;
use super::desk::{Desk, cannot_read};
use super::problem::Problem;
use super::{body, intake};
use crate::commit::{Command, Reply};
use crate::core::alert::Event;
use crate::core::matcher::{Matcher, read_all};
use crate::core::silence::{MATCHERS_MAX, Silence};
use crate::crypto;
use crate::house::Source;
use crate::sources::prometheus;
use crate::store::silences::Written;
use crate::store::{StoreError, Tx, alerts, inhibitors, silences};

/// Most alerts in one answer, and about how many bytes of them.
const LISTED_MAX: usize = 10_000;
const LISTED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Alerts read at a time.
const PAGE: u32 = 200;
/// Most silences in one answer.
const SILENCES_LISTED_MAX: u32 = 2_000;
/// Largest silence, in bytes.
const SILENCE_BYTES_MAX: usize = 64 * 1024;

/// `/in/{source}/api/v2/...`
pub(super) async fn without_token(
    State(desk): State<Desk>,
    method: Method,
    Path((source, rest)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = Asked { method, rest, token: None, query: query.unwrap_or_default(), headers };
    answer(&desk, &source, asked, body).await
}

/// `/in/{source}/{token}/api/v2/...`
pub(super) async fn with_token(
    State(desk): State<Desk>,
    method: Method,
    Path((source, token, rest)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = Asked { method, rest, token: Some(token), query: query.unwrap_or_default(), headers };
    answer(&desk, &source, asked, body).await
}

/// A request, but for its body.
struct Asked {
    method: Method,
    rest: String,
    token: Option<String>,
    query: String,
    headers: HeaderMap,
}

/// Errors are a JSON text there.
async fn answer(desk: &Desk, source: &str, asked: Asked, body: Body) -> Response {
    match route(desk, source, asked, body).await {
        Ok(response) => response,
        Err(problem) => in_their_words(&problem, json!(problem.detail)),
    }
}

async fn route(desk: &Desk, source: &str, asked: Asked, body: Body) -> Result<Response, Problem> {
    let house = desk.house.get();
    let source = house.sources.get(source).filter(|source| source.kind.name == prometheus::KIND.name);
    let source =
        source.ok_or_else(|| Problem::not_found("no source of this name and of the kind prometheus"))?;
    let Asked { method, rest, token, query, headers } = asked;
    let rest = rest.trim_end_matches('/');
    if method == Method::POST && rest == "alerts" {
        return push(desk, source, token, &query, &headers, body).await;
    }
    let query = intake::authorise(source, token, &query, &headers)?;
    match (&method, rest.split_once('/')) {
        (&Method::GET, None) => match rest {
            "alerts" => Ok(Json(alerts(desk, source, Wanted::read(&query)?).await?).into_response()),
            "silences" => silences(desk, source, &Wanted::read(&query)?).await,
            "status" => Ok(status(desk, source)),
            "receivers" => Ok(Json(json!([{"name": source.service}])).into_response()),
            _ => Err(Problem::not_found("this part of Alertmanager's API is not here")),
        },
        // One group, as with an Alertmanager that groups by nothing.
        (&Method::GET, Some(("alerts", "groups"))) => {
            let receiver = json!({"name": source.service});
            let all = alerts(desk, source, Wanted::read(&query)?).await?;
            let groups = match all.is_empty() {
                true => json!([]),
                false => json!([{"labels": {}, "receiver": receiver, "alerts": all}]),
            };
            Ok(Json(groups).into_response())
        }
        (&Method::POST, None) if rest == "silences" => silence(desk, source, body).await,
        (&Method::GET, Some(("silence", id))) => one_silence(desk, source, id.to_owned()).await,
        (&Method::DELETE, Some(("silence", id))) if !id.contains('\0') => {
            let end = Command::EndSilence { id: id.to_owned(), source: Some(source.name.clone()) };
            desk.door.ask(end).await?;
            Ok(StatusCode::OK.into_response())
        }
        _ => Err(Problem::not_found("this part of Alertmanager's API is not here")),
    }
}

async fn push(
    desk: &Desk,
    source: &Source,
    token: Option<String>,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let began = desk.clock.mark();
    let taken = intake::accept(desk, &Method::POST, source, token, query, headers, body).await;
    desk.metrics.ingest.observe(began.elapsed().as_secs_f64());
    taken.map(|_| StatusCode::OK.into_response())
}

/// What a list is narrowed to.
struct Wanted {
    matchers: Vec<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Problem> {
        let uri = http::Uri::builder().path_and_query(format!("/?{query}")).build();
        let uri = uri.map_err(|_| Problem::bad_request("the query is none"))?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri)
            .map_err(|_| Problem::bad_request("the query is none"))?;
        let mut wanted = Self { matchers: Vec::new(), active: true, silenced: true, inhibited: true };
        for (name, value) in pairs {
            match name.as_str() {
                "filter" => {
                    wanted.matchers.extend(read_all(&value).map_err(Problem::bad_request)?);
                    if wanted.matchers.len() > MATCHERS_MAX {
                        return Err(Problem::bad_request(format!(
                            "at most {MATCHERS_MAX} matchers are taken"
                        )));
                    }
                }
                // What is never so here narrows a list to nothing.
                "receiver" | "unprocessed" | "muted" => {}
                "active" => wanted.active = value != "false",
                "silenced" => wanted.silenced = value != "false",
                "inhibited" => wanted.inhibited = value != "false",
                _ => {}
            }
        }
        Ok(wanted)
    }
}

/// The alerts of a source that fire. Everything is done where the store is read, off the threads that answer others.
async fn alerts(desk: &Desk, source: &Source, wanted: Wanted) -> Result<Vec<Value>, Problem> {
    let (name, service) = (source.name.clone(), source.service.clone());
    let read = desk.sight.now(move |tx| {
        let all = silences::open_of_source(tx, &name)?;
        let (mut told, mut bytes, mut after) = (Vec::new(), 0, String::new());
        loop {
            let page = alerts::firing_of(tx, &name, &after, PAGE)?;
            for alert in &page {
                let is_wanted = match (&alert.suppressed_by, alert.inhibited) {
                    (None, _) => wanted.active,
                    (Some(_), None) => wanted.silenced,
                    (Some(_), Some(_)) => wanted.inhibited,
                };
                let label = |name: &str| alert.event.labels.get(name).map(String::as_str).unwrap_or_default();
                if is_wanted && wanted.matchers.iter().all(|matcher| matcher.fits(label(&matcher.name))) {
                    let holds =
                        |silence: &&Silence| silence.holds(&name, &alert.service, &alert.event, tx.now);
                    let holding: Vec<&Silence> = all.iter().filter(holds).collect();
                    let by = inhibited_by(tx, alert)?;
                    let one = shown(alert, &holding, by.as_ref(), &service);
                    bytes += one.to_string().len();
                    told.push(one);
                }
            }
            match page.last() {
                Some(last) if told.len() < LISTED_MAX && bytes < LISTED_BYTES_MAX => {
                    after.clone_from(&last.event.key)
                }
                _ => return Ok(told),
            }
        }
    });
    read.await.map_err(|error| cannot_read(&error))
}

/// An alert that keeps another quiet, now: it need not be the one that did so first.
fn inhibited_by(tx: &Tx<'_>, alert: &alerts::Firing) -> Result<Option<alerts::Firing>, StoreError> {
    let Some(place) = alert.inhibited else { return Ok(None) };
    let found = inhibitors::at(tx, place)?;
    let one = found.iter().find(|one| one.alert != alert.id);
    one.map_or(Ok(None), |one| alerts::firing(tx, one.alert))
}

/// An alert in Alertmanager's shape. Its annotations are what became of them here: a title and a text.
fn shown(alert: &alerts::Firing, holding: &[&Silence], by: Option<&alerts::Firing>, service: &str) -> Value {
    let Event { labels, title, body, links, occurred_at, expires_at, .. } = &alert.event;
    let mut labels = labels.clone();
    if labels.is_empty() {
        // Our own alert about a body that cannot be read has none, and no alert there is without.
        labels.insert("alertname".to_owned(), title.clone());
    }
    let mut annotations = json!({"summary": title});
    if !body.is_empty() {
        annotations["description"] = json!(body);
    }
    if let Some(incident) = alert.incident {
        annotations["incident"] = json!(format!("INC-{incident}"));
    }
    let mut told = json!({
        "labels": labels,
        "annotations": annotations,
        "fingerprint": prometheus::fingerprint(&labels),
        "startsAt": time(occurred_at.unwrap_or(alert.last_seen)),
        "endsAt": expires_at.map_or_else(|| "0001-01-01T00:00:00.000Z".to_owned(), time),
        "updatedAt": time(alert.last_seen),
        "receivers": [{"name": service}],
        "status": {
            // A silence that came after an incident was opened does not answer it: people are woken for it on.
            "state": if alert.suppressed_by.is_some() { "suppressed" } else { "active" },
            "silencedBy": holding.iter().map(|silence| &silence.id).collect::<Vec<_>>(),
            "inhibitedBy": by.iter().map(|by| prometheus::fingerprint(&by.event.labels)).collect::<Vec<_>>(),
            "mutedBy": [],
        },
    });
    if let Some(link) = links.first() {
        told["generatorURL"] = json!(link);
    }
    told
}

async fn silences(desk: &Desk, source: &Source, wanted: &Wanted) -> Result<Response, Problem> {
    let name = source.name.clone();
    let read = desk.sight.now(move |tx| silences::of_source(tx, &name, SILENCES_LISTED_MAX)).await;
    let all = read.map_err(|error| cannot_read(&error))?;
    let now = desk.clock.now();
    // A filter is about what the silence's own matchers say: `alertname="a"` finds those that name it.
    let fits = |silence: &&Silence| {
        wanted.matchers.iter().all(|wanted| {
            let own = silence.matchers.iter().find(|own| own.name == wanted.name);
            wanted.fits(own.map(|own| own.value.as_str()).unwrap_or_default())
        })
    };
    let told: Vec<Value> = all.iter().filter(fits).map(|silence| shown_silence(silence, now)).collect();
    Ok(Json(told).into_response())
}

async fn one_silence(desk: &Desk, source: &Source, id: String) -> Result<Response, Problem> {
    if id.contains('\0') {
        return Err(Problem::not_found("there is no such silence"));
    }
    let read = desk.sight.now(move |tx| silences::get(tx, &id)).await;
    let found = read.map_err(|error| cannot_read(&error))?;
    let found = found.filter(|silence| silence.source.as_ref() == Some(&source.name));
    let silence = found.ok_or_else(|| Problem::not_found("there is no such silence"))?;
    Ok(Json(shown_silence(&silence, desk.clock.now())).into_response())
}

fn shown_silence(silence: &Silence, now: Timestamp) -> Value {
    json!({
        "id": silence.id,
        "matchers": silence.matchers.iter().map(Written::from).collect::<Vec<_>>(),
        "startsAt": time(silence.starts_at),
        "endsAt": time(silence.ends_at),
        "updatedAt": time(silence.updated_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
        "status": {"state": silence.state(now).as_str()},
    })
}

/// A silence as it is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asking {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<Written>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

async fn silence(desk: &Desk, source: &Source, body: Body) -> Result<Response, Problem> {
    let bytes = body::read(body, SILENCE_BYTES_MAX, desk.limits.body_timeout).await?;
    let asked: Asking = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad_request(format!("this is no silence: {error}")))?;
    let matchers = asked.matchers.iter().map(Written::read).collect::<Result<_, _>>();
    let silence = Silence {
        id: asked.id.unwrap_or_default(),
        source: Some(source.name.clone()),
        matchers: matchers.map_err(Problem::bad_request)?,
        starts_at: asked.starts_at,
        ends_at: asked.ends_at,
        created_by: asked.created_by,
        comment: asked.comment,
        updated_at: desk.clock.now(),
    };
    let fresh = crypto::random_uuid().map_err(|_| Problem::internal())?;
    match desk.door.ask(Command::PutSilence { silence, fresh }).await? {
        Reply::Silenced(id) => Ok(Json(json!({"silenceID": id})).into_response()),
        _ => Err(Problem::internal()),
    }
}

fn status(desk: &Desk, source: &Source) -> Response {
    let service = &source.service;
    let told = json!({
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": format!("route:\n  receiver: {service}\nreceivers:\n- name: {service}\n")},
        "uptime": time(desk.metrics.started_at()),
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"), "branch": "", "revision": "", "buildDate": "", "buildUser": "",
            "goVersion": "",
        },
    });
    Json(told).into_response()
}

/// RFC 3339 with milliseconds, as there.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}
