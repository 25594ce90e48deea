//! Alertmanager's API v2 under a source of the kind `prometheus`: what Prometheus pushes to, and what `amtool` asks.
//!
//! `/in/{source}/api/v2/...`, with the token as everywhere under `/in`. Statuses and bodies are Alertmanager's
//! (prometheus/alertmanager `api/v2/openapi.yaml`, `api/v2/api.go`), but for 409 where there are too many silences; lists are
//! narrowed by `filter`, `active`, `silenced`, `inhibited` and `muted`, for there is one receiver. Silences made here hold for alerts
//! of this source only, as they would in an Alertmanager that hears nothing else.
//!
//! Alerts name what holds them: silences of this source and of the house (`silencedBy`), alerts of any source (`inhibitedBy`), and
//! windows of maintenance, as an Alertmanager's time intervals (`mutedBy`). A silence of the house is shown to whoever
//! knows its id, as an alert tells it, so that others can say why; it is not in the list of silences, may speak of other sources, and
//! belongs to people: changing or ending it with a source's token is 403.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

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
use crate::commit::{Command, OWN_KEYS, Reply};
use crate::core::alert::Event;
use crate::core::maintenance::Window;
use crate::core::matcher::{Matcher, read_all};
use crate::core::silence::{MATCHERS_MAX, Silence};
use crate::crypto;
use crate::house::Source;
use crate::sources::prometheus;
use crate::store::silences::Written;
use crate::store::{StoreError, Tx, alerts, held, inhibitors, silences};

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
            is_no_house_silence(desk, id).await?;
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
    muted: bool,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Problem> {
        let uri = http::Uri::builder().path_and_query(format!("/?{query}")).build();
        let uri = uri.map_err(|_| Problem::bad_request("the query is none"))?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri)
            .map_err(|_| Problem::bad_request("the query is none"))?;
        let mut wanted =
            Self { matchers: Vec::new(), active: true, silenced: true, inhibited: true, muted: true };
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
                "receiver" | "unprocessed" => {}
                "active" => wanted.active = value != "false",
                "silenced" => wanted.silenced = value != "false",
                "inhibited" => wanted.inhibited = value != "false",
                "muted" => wanted.muted = value != "false",
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// Whether an alert is listed that stands so.
    fn lists(&self, alert: &alerts::Firing) -> bool {
        match (alert.suppressed_by.as_deref().map(held::kind), alert.inhibited) {
            (None, _) => self.active,
            (Some(_), Some(_)) => self.inhibited,
            // Who does not want to see what is silenced, and asks by a client that knows nothing of these, means them too.
            (Some("maintenance"), None) => self.muted && self.silenced,
            (Some(_), None) => self.silenced,
        }
    }
}

/// Places of inhibition that are looked at for one list; alerts of further ones are shown as suppressed without saying by what.
const PLACES_MAX: usize = 500;

/// What holds alerts, as far as it need be read once.
struct Holding {
    silences: Vec<Silence>,
    windows: Vec<Window>,
    /// By the places where alerts look that are kept quiet: whom they find there, and its fingerprint.
    inhibitors: BTreeMap<i64, Vec<(i64, String)>>,
}

impl Holding {
    /// The alerts that keep another quiet, now: they need not be those that did so first.
    fn inhibited_by(&mut self, tx: &Tx<'_>, alert: &alerts::Firing) -> Result<Vec<&str>, StoreError> {
        let Some(place) = alert.inhibited else { return Ok(Vec::new()) };
        if self.inhibitors.len() >= PLACES_MAX && !self.inhibitors.contains_key(&place) {
            return Ok(Vec::new());
        }
        let found = match self.inhibitors.entry(place) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let mut found = Vec::new();
                for one in inhibitors::at(tx, place)? {
                    if let Some(by) = alerts::firing(tx, one.alert)? {
                        found.push((one.alert, prometheus::fingerprint(&labels_of(&by.event))));
                    }
                    // One may be the alert that asks.
                    if found.len() == 2 {
                        break;
                    }
                }
                free.insert(found)
            }
        };
        // One, as there.
        let others = found.iter().filter(|(id, _)| *id != alert.id);
        Ok(others.map(|(_, fingerprint)| fingerprint.as_str()).take(1).collect())
    }
}

/// The alerts of a source that fire. Everything is done where the store is read, off the threads that answer others.
async fn alerts(desk: &Desk, source: &Source, wanted: Wanted) -> Result<Vec<Value>, Problem> {
    let (name, service) = (source.name.clone(), source.service.clone());
    let windows = desk.house.get().rules.maintenance.clone();
    let read = desk.sight.now(move |tx| {
        let silences = silences::open_for_source(tx, &name)?;
        let mut holding = Holding { silences, windows, inhibitors: BTreeMap::new() };
        let (mut told, mut bytes, mut after) = (Vec::new(), 0, String::new());
        loop {
            let page = alerts::firing_of(tx, &name, &after, PAGE)?;
            for alert in &page {
                let label = |name: &str| alert.event.labels.get(name).map(String::as_str).unwrap_or_default();
                if wanted.lists(alert)
                    && wanted.matchers.iter().all(|matcher| matcher.fits(label(&matcher.name)))
                {
                    let one = shown(tx, alert, &mut holding, &service)?;
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

/// Labels of an alert. Our own alert about a body that cannot be read has none, and no alert there is without.
fn labels_of(event: &Event) -> BTreeMap<String, String> {
    match event.labels.is_empty() {
        true => BTreeMap::from([("alertname".to_owned(), event.title.clone())]),
        false => event.labels.clone(),
    }
}

/// An alert in Alertmanager's shape. Its annotations are what became of them here: a title and a text.
fn shown(
    tx: &Tx<'_>,
    alert: &alerts::Firing,
    holding: &mut Holding,
    service: &str,
) -> Result<Value, StoreError> {
    let Event { title, body, links, occurred_at, expires_at, .. } = &alert.event;
    let labels = labels_of(&alert.event);
    // What onscene itself says about a source is held by nothing.
    let may_be_held = !OWN_KEYS.contains(&alert.event.key.as_str());
    let holds = |silence: &&Silence| {
        may_be_held && silence.holds(&alert.source, &alert.service, &alert.event, tx.now)
    };
    let silenced_by: Vec<&str> =
        holding.silences.iter().filter(holds).map(|silence| silence.id.as_str()).collect();
    let mutes = |window: &&Window| {
        may_be_held && window.services.contains(&alert.service) && window.open_at(tx.now).is_some()
    };
    let muted_by: Vec<&str> =
        holding.windows.iter().filter(mutes).map(|window| window.name.as_str()).collect();
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
            "silencedBy": silenced_by,
            "mutedBy": muted_by,
            "inhibitedBy": holding.inhibited_by(tx, alert)?,
        },
    });
    if let Some(link) = links.first() {
        told["generatorURL"] = json!(link);
    }
    Ok(told)
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
    let found = found.filter(|silence| silence.source.as_ref().is_none_or(|of| *of == source.name));
    let silence = found.ok_or_else(|| Problem::not_found("there is no such silence"))?;
    Ok(Json(shown_silence(&silence, desk.clock.now())).into_response())
}

/// A silence of the house is ended, and changed, by people.
async fn is_no_house_silence(desk: &Desk, id: &str) -> Result<(), Problem> {
    let wanted = id.to_owned();
    let read = desk.sight.now(move |tx| silences::get(tx, &wanted)).await;
    let found = read.map_err(|error| cannot_read(&error))?;
    match found.filter(|silence| silence.source.is_none()) {
        Some(_) => Err(Problem::forbidden(format!(
            "silence {id} is of the whole house, not of this source: people end it, on the page of silences or by \
             `onscene silence expire {id}`"
        ))),
        None => Ok(()),
    }
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
    if let Some(id) = asked.id.as_deref().filter(|id| !id.contains('\0')) {
        is_no_house_silence(desk, id).await?;
    }
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
