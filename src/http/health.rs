//! `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use jiff::Timestamp;

use super::accept::Meters;
use super::api::roster::gaps;
use super::desk::{Desk, cannot_read};
use super::problem::Problem;
use crate::core::audience::Audience;
use crate::core::incident::Incident;
use crate::core::oncall::Roster;
use crate::core::oncall::ahead::AHEAD;
use crate::core::rules::Rules;
use crate::feeds::age_s;
use crate::store::roster::said;
use crate::store::search::Filter;
use crate::store::{StoreError, Tx, calendars, drills, heartbeats, held, incidents, letters};

/// Open incidents that are looked at for updates that have not come.
const OVERDUE_LOOKED_AT_MAX: u32 = 200;

/// Alive: it answers.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// Able to accept alerts.
pub(super) async fn readyz(State(desk): State<Desk>) -> Response {
    match desk.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

/// Figures for Prometheus. What stands in the store is counted when it is asked for.
pub(super) async fn metrics(State(desk): State<Desk>) -> Response {
    let follows = !desk.house.get().feeds.is_empty();
    let counted = match desk.sight.mirror() {
        // Nobody waits for figures of a store that is known to be away.
        Some(mirror) if mirror.is_away() => None,
        _ => {
            let rules = desk.house.get().rules.clone();
            let read = desk.sight.now(move |tx| {
                let counted = (incidents::counts(tx)?, letters::waiting(tx)?, heartbeats::all(tx)?);
                let said = said(tx, &rules, tx.now)?;
                let kept = if follows { calendars::all(tx)? } else { Vec::new() };
                let drill = drills::last(tx)?;
                let overdue = overdue(tx)?;
                let gaps = first_gaps(&rules, &said, tx.now);
                Ok((counted, held::each(tx)?, gaps, (kept, drill, overdue)))
            });
            Some(read.await)
        }
    };
    match counted {
        Some(Ok(((incidents, letters, heard), held, gaps, (kept, drill, overdue)))) => {
            let metrics = &desk.metrics;
            let now = desk.clock.now();
            metrics.drill_missed.set(drill.map_or(0, |(missed, _)| missed));
            // Where none is wanted, nobody is to be told that there was none for long.
            let wanted = drill.filter(|_| desk.house.get().rules.delivery_drill.is_some());
            let of_week = wanted.and_then(|(_, at)| at);
            metrics.drill_at.set(of_week.map_or(0.0, |at| at.as_duration().as_secs_f64()));
            metrics.calendar_age.reset();
            for name in desk.house.get().feeds.keys() {
                let kept = kept.iter().find(|one| one.rotation == *name);
                let age = age_s(kept, metrics.started_at(), now);
                metrics.calendar_age.with_label_values(&[name]).set(age);
            }
            metrics.oncall_gap.reset();
            for (rotation, seconds) in gaps {
                metrics.oncall_gap.with_label_values(&[rotation.as_str()]).set(seconds);
            }
            metrics.heartbeat_missing.reset();
            for name in desk.house.get().heartbeats.keys() {
                let missing = heard.iter().any(|heard| heard.name == *name && heard.missing_at.is_some());
                metrics.heartbeat_missing.with_label_values(&[name]).set(i64::from(missing));
            }
            for kind in held::KINDS {
                let own = held.iter().filter(|(by, _)| held::kind(by) == kind);
                metrics.alerts_suppressed.with_label_values(&[kind]).set(own.map(|(_, count)| count).sum());
            }
            for (audience, count) in overdue {
                metrics.statement_overdue.with_label_values(&[audience.as_str()]).set(count);
            }
            metrics.incidents.reset();
            for (state, severity, count) in incidents {
                metrics.incidents.with_label_values(&[state.as_str(), &severity, "false"]).set(count);
            }
            metrics.deliveries_pending.reset();
            metrics.delivery_oldest.reset();
            for (channel, count, oldest) in letters {
                let channel = if channel.is_empty() { "mail" } else { channel.as_str() };
                metrics.deliveries_pending.with_label_values(&[channel]).set(count);
                let age = now.duration_since(oldest).as_secs_f64().max(0.0);
                metrics.delivery_oldest.with_label_values(&[channel]).set(age);
            }
        }
        // The other figures are wanted most when the store is gone.
        Some(Err(error)) => drop(cannot_read(&error)),
        None => {}
    }
    let age = desk.sight.mirror().map_or(0.0, |mirror| mirror.age().as_secs_f64());
    desk.metrics.mirror_age.set(age);
    let open = |meters: &Meters| {
        let open = meters.open.load(std::sync::atomic::Ordering::Relaxed);
        i64::try_from(open).unwrap_or(i64::MAX)
    };
    desk.metrics.connections.set(open(&desk.meters));
    desk.metrics.public_connections.set(open(&desk.public_meters));
    desk.metrics.followers.set(i64::try_from(desk.watch.followers()).unwrap_or(i64::MAX));
    match desk.metrics.text() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            Problem::internal().into_response()
        }
    }
}

/// Of how many open incidents each audience waits for an update that was promised for an hour that is over.
fn overdue(tx: &Tx<'_>) -> Result<[(Audience, i64); 3], StoreError> {
    let open = Filter { state: Some("open".into()), limit: OVERDUE_LOOKED_AT_MAX, ..Filter::default() };
    let open = incidents::list(tx, &open)?;
    Ok(Audience::ALL.map(|audience| {
        let is_late =
            |one: &&Incident| one.voice.due.iter().any(|due| due.audience == audience && due.by <= tx.now);
        (audience, i64::try_from(open.iter().filter(is_late).count()).unwrap_or(i64::MAX))
    }))
}

/// Seconds until nobody is on call in a rotation, where that is within two weeks.
fn first_gaps(rules: &Rules, said: &Roster, now: Timestamp) -> BTreeMap<String, i64> {
    let until = now.saturating_add(AHEAD).unwrap_or(now);
    let mut first = BTreeMap::new();
    for gap in gaps(rules, said, (now, until)) {
        first.entry(gap.rotation).or_insert_with(|| gap.from.duration_since(now).as_secs());
    }
    first
}
