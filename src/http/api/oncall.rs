//! `GET /api/v1/oncall`: who is on call; `GET /api/v1/oncall/preview`: who would be woken, for any hour of the weeks ahead.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::{severity, shown};
use crate::config::nearest;
use crate::config::preview::{self, Span};
use crate::core::escalation::{Case, Staff};
use crate::core::incident::Severity;
use crate::core::oncall::Roster;
use crate::core::rules::{Rules, Target};
use crate::feeds;
use crate::store::calendars::{self, Kept};
use crate::store::roster::said;
use crate::store::sight::Seen;

/// How much of the time ahead one answer tells: four weeks, with the hour by which daylight saving may make them longer.
pub(in super::super) const PREVIEW_MAX: SignedDuration = SignedDuration::from_hours(28 * 24 + 1);
/// How far from now it may lie.
const FAR_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// What `GET /api/v1/oncall` asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct OncallQuery {
    rotation: Option<String>,
    service: Option<String>,
    at: Option<Timestamp>,
}

/// `GET /api/v1/oncall`
pub(in super::super) async fn now(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<OncallQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let at = query.at.unwrap_or_else(|| desk.clock.now());
    let rules = desk.house.get().rules.clone();
    if let Some(name) = query.rotation.as_ref().filter(|name| !rules.rotations.contains_key(*name)) {
        let near = nearest(name, rules.rotations.keys().map(String::as_str));
        return Err(Problem::not_found(format!("there is no rotation {name}{near}")));
    }
    let of_service = query.service.as_ref().map(|name| rotations_of(&rules, name)).transpose()?;
    let read = {
        let rules = rules.clone();
        desk.sight.or_last(move |tx| {
            let kept = if feeds::any(&rules) { calendars::all(tx)? } else { Vec::new() };
            Ok((said(tx, &rules, at)?, kept))
        })
    };
    let Seen { value: (said, kept), as_of } = read.await.map_err(|error| cannot_read(&error))?;
    let (mut oncall, mut shadows, mut nobody) = (Vec::new(), Vec::new(), Vec::new());
    for (name, rotation) in &rules.rotations {
        let is_wanted = query.rotation.as_ref().is_none_or(|wanted| wanted == name)
            && of_service.as_ref().is_none_or(|wanted| wanted.contains(&name.as_str()));
        if !is_wanted {
            continue;
        }
        let duty = rotation.duty(name, &said, at);
        // A calendar may say nothing of what comes after.
        let until = Some(rotation.stays_until(name, &said, at)).filter(|until| *until < Timestamp::MAX);
        let zone = rotation.time_zone.iana_name().unwrap_or("UTC");
        let kept = kept.iter().find(|one| one.rotation == *name);
        let calendar = rotation.follows_calendar().then(|| known(kept));
        let row = |mut row: Value| {
            if let Some(calendar) = &calendar {
                row["calendar"] = calendar.clone();
            }
            row
        };
        if duty.people.is_empty() {
            nobody.push(row(json!({"rotation": name, "until": until, "time_zone": zone})));
        }
        for person in &duty.people {
            let by = said.puts_in(name, person, at).map(|one| one.id.as_str());
            oncall.push(row(
                json!({"rotation": name, "person": person, "until": until, "override": by, "time_zone": zone}),
            ));
        }
        for person in &duty.shadows {
            shadows.push(json!({"rotation": name, "person": person, "until": until, "time_zone": zone}));
        }
    }
    let answer = json!({"at": at, "oncall": oncall, "shadows": shadows, "nobody": nobody});
    Ok(shown(&desk, Json(answer).into_response(), as_of))
}

/// What is known of the calendar of a rotation.
fn known(kept: Option<&Kept>) -> Value {
    json!({"fetched_at": kept.and_then(|one| one.fetched_at), "error": kept.and_then(|one| one.error.as_deref()),
        "warnings": kept.map(|one| one.warnings.as_slice()).unwrap_or_default()})
}

/// The rotations that a service's policies name.
fn rotations_of<'r>(rules: &'r Rules, service: &str) -> Result<Vec<&'r str>, Problem> {
    let known = rules.services.get(service).ok_or_else(|| no_service(rules, service))?;
    let policies = [&known.policy].into_iter().chain(known.policies.values());
    let targets = policies.filter_map(|name| rules.policies.get(name)).flat_map(|policy| policy.targets());
    Ok(targets.filter_map(Target::rotation).collect())
}

fn no_service(rules: &Rules, name: &str) -> Problem {
    let near = nearest(name, rules.services.keys().map(String::as_str));
    Problem::not_found(format!("there is no service {name}{near}"))
}

/// What `GET /api/v1/oncall/preview` asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PreviewQuery {
    service: Option<String>,
    severity: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// `GET /api/v1/oncall/preview`
pub(in super::super) async fn preview(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<PreviewQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    desk.may_look(&headers).await?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let rules = desk.house.get().rules.clone();
    let Some(service) = query.service else {
        return Err(Problem::bad_request("say of which service: ?service=NAME"));
    };
    if !rules.services.contains_key(&service) {
        return Err(no_service(&rules, &service));
    }
    let severity = query.severity.as_deref().map(severity).transpose()?.unwrap_or(Severity::Sev1);
    let now = desk.clock.now();
    let from = query.from.unwrap_or(now);
    let until = query.until.unwrap_or_else(|| from.saturating_add(PREVIEW_MAX).unwrap_or(from));
    if until <= from || until.duration_since(from) > PREVIEW_MAX {
        return Err(Problem::bad_request("until: it lies after from, and no more than four weeks"));
    }
    if from.duration_since(now).abs() > FAR_MAX {
        return Err(Problem::bad_request("from: it lies within a year of now"));
    }
    let (of, by) = (service.clone(), rules.clone());
    let read = desk.sight.or_last(move |tx| {
        let said = said(tx, &by, from)?;
        Ok(previewed(&by, &said, &of, severity, (from, until)))
    });
    let Seen { value: spans, as_of } = read.await.map_err(|error| cannot_read(&error))?;
    let spans: Vec<Value> = spans
        .iter()
        .map(|span| json!({"from": span.from, "until": span.until, "woken": span.woken}))
        .collect();
    let policy = rules.policy_of(&service, severity).map(|(name, policy)| (name, zone_of(&rules, policy)));
    let (policy, zone) = policy.unzip();
    let answer = json!({"service": service, "severity": severity.as_str(), "policy": policy, "time_zone": zone,
        "from": from, "until": until, "spans": spans});
    Ok(shown(&desk, Json(answer).into_response(), as_of))
}

/// The zone in which people read the hours of a policy: that of the first rotation it names.
pub(in super::super) fn zone_of<'r>(rules: &'r Rules, policy: &crate::core::rules::Policy) -> &'r str {
    let zone =
        policy.targets().find_map(|target| rules.rotations.get(target.rotation()?)?.time_zone.iana_name());
    zone.unwrap_or("UTC")
}

/// Who would be woken for a service from one hour to another, at once and after five and ten minutes, with everything that was
/// said. This is the only place from which pages and the API ask.
pub(in super::super) fn previewed(
    rules: &Rules,
    roster: &Roster,
    service: &str,
    severity: Severity,
    (from, until): (Timestamp, Timestamp),
) -> Vec<Span> {
    let Some((_, policy)) = rules.policy_of(service, severity) else { return Vec::new() };
    preview::preview(Staff { rules, roster }, policy, Case { severity, service }, from, until)
}
