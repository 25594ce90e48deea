//! `GET /api/v1/reports/noise`: whom incidents woke, how often, and which alerts did it again and again.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::history::{Asked, Pairs};
use crate::core::noise::{Noise, Tally};
use crate::core::role::Deed;
use crate::store::noise;

/// Incidents read at a time: others read in between.
const PAGE: u32 = 500;
/// For all of them: the rest is left out, and the report says so.
const WITHIN: Duration = Duration::from_secs(20);
/// How far back it goes when nobody says.
const USUAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// `GET /api/v1/reports/noise`
pub(in super::super) async fn noise(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Json<Value>, Problem> {
    // What was known last is not enough to count.
    desk.holder(&headers, Deed::Look).await?;
    let now = desk.clock.now();
    let asked = Asked::read(query, &["since", "until"], now)?;
    let since = asked.hour("since")?.unwrap_or_else(|| now.saturating_sub(USUAL).unwrap_or(Timestamp::MIN));
    let until = asked.hour("until")?.unwrap_or(now);
    if since >= until {
        return Err(Problem::bad_request("since: it lies before until"));
    }
    let rules = desk.house.get().rules.clone();
    let zone = |name: &str| {
        rules.people.get(name).map(|person| person.time_zone.clone()).unwrap_or(jiff::tz::TimeZone::UTC)
    };
    let (began, mut tally, mut after, mut complete) = (desk.clock.mark(), Tally::default(), 0, true);
    loop {
        let read = desk.sight.now(move |tx| noise::page(tx, (since, until), after, PAGE)).await;
        let page = read.map_err(|error| cannot_read(&error))?;
        let Some(last) = page.last().map(|noisy| noisy.incident.id) else { break };
        after = last;
        for noisy in &page {
            tally.add(&noisy.incident, &noisy.paged, &noisy.joined, zone);
        }
        if began.elapsed() > WITHIN {
            complete = false;
            break;
        }
    }
    let noise = tally.sum();
    let keys: Vec<_> = noise.noisiest.iter().map(|(key, _)| key.clone()).collect();
    let read = desk.sight.now(move |tx| Ok((noise::events(tx, &keys)?, noise::suppressed(tx)?))).await;
    let (events, suppressed) = read.map_err(|error| cannot_read(&error))?;
    let mut report = shown(&noise, &events, weeks(since, until));
    report["since"] = since.to_string().into();
    report["until"] = until.to_string().into();
    report["suppressed_now"] = suppressed.into();
    report["complete"] = complete.into();
    Ok(Json(report))
}

fn weeks(since: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(since).as_secs_f64() / (7.0 * 86_400.0)
}

fn shown(noise: &Noise, events: &[Option<(String, i64)>], weeks: f64) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "figures to read")]
    let share =
        |some: u64| if noise.incidents == 0 { 0.0 } else { rounded(some as f64 / noise.incidents as f64) };
    let people: Vec<Value> = noise
        .people
        .iter()
        .map(|(name, person)| {
            #[allow(clippy::cast_precision_loss, reason = "figures to read")]
            let a_week = rounded(person.incidents as f64 / weeks);
            let by_week: serde_json::Map<String, Value> =
                person.weeks.iter().map(|(monday, count)| (monday.to_string(), (*count).into())).collect();
            json!({"person": name, "incidents": person.incidents, "pages": person.pages, "night_pages": person.night,
                "incidents_a_week": a_week, "busiest_week": person.weeks.values().max(), "weeks": by_week})
        })
        .collect();
    let noisiest: Vec<Value> = noise
        .noisiest
        .iter()
        .zip(events)
        .map(|(((source, key), incidents), events)| {
            let (title, count) = events.clone().unzip();
            json!({"source": source, "key": key, "title": title, "incidents": incidents, "events": count})
        })
        .collect();
    let part = |some: u64| json!({"incidents": some, "share": share(some)});
    json!({
        "incidents": noise.incidents,
        "pages": noise.pages,
        "night_pages": noise.night,
        "pages_per_incident": {"mean": rounded(noise.mean), "p90": noise.p90, "max": noise.max},
        "people": people,
        "noisiest": noisiest,
        "rare_alerts_left_out": noise.keys_forgotten,
        "self_cleared": part(noise.cleared),
        "never_taken": part(noise.untaken),
        "merged": part(noise.merged),
    })
}

fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
