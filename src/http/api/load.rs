//! `GET /api/v1/reports/load`: how the load of being on call is shared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::history::{Asked, Pairs};
use crate::core::load::{Carried, Load, Part, Tally};
use crate::core::oncall::Roster;
use crate::core::oncall::past::{self, Kept};
use crate::core::role::Deed;
use crate::core::rules::Rules;
use crate::store::{StoreError, Tx, load, roster};

/// Incidents read at a time: others read in between.
const PAGE: u32 = 500;
/// For all of them: the rest is left out, and the report says so.
const WITHIN: Duration = Duration::from_secs(20);
/// How far back it goes when nobody says.
const USUAL: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Nor does it go back further, unless more is kept.
const LONGEST: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Incidents that were opened so long before may wake people in the hours that are asked for.
const BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// `GET /api/v1/reports/load`
pub(in super::super) async fn report(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Json<Value>, Problem> {
    // What was known last is not enough to count.
    desk.holder(&headers, Deed::Look).await?;
    let now = desk.clock.now();
    let asked = Asked::read(query, &["since", "until", "by", "person"], now)?;
    let since = asked.hour("since")?.unwrap_or_else(|| now.saturating_sub(USUAL).unwrap_or(Timestamp::MIN));
    // Nobody was on call in the future.
    let until = asked.hour("until")?.unwrap_or(now).min(now);
    let longest = desk.house.get().retention.map_or(LONGEST, |kept| kept.max(LONGEST));
    let since = since.max(now.saturating_sub(longest).unwrap_or(Timestamp::MIN));
    if since >= until {
        return Err(Problem::bad_request("since: it lies before until, and both in the past"));
    }
    let by_week = match asked.text("by") {
        None => false,
        Some("week") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("by: it is counted by week, and not by {other}")));
        }
    };
    let rules = desk.house.get().rules.clone();
    let (began, mut tally, mut after) = (desk.clock.mark(), Tally::new(since, until), 0);
    let opened = (since.saturating_sub(BEFORE).unwrap_or(Timestamp::MIN), until);
    let mut complete = true;
    loop {
        let read = desk.sight.now(move |tx| load::page(tx, opened, after, PAGE)).await;
        let (page, last) = read.map_err(|error| cannot_read(&error))?;
        let Some(last) = last else { break };
        after = last;
        for touches in &page {
            tally.add(touches);
        }
        if began.elapsed() > WITHIN {
            complete = false;
            break;
        }
    }
    let theirs = rules.clone();
    let read = desk.sight.now(move |tx| Kepts::read(tx, &theirs, since, until)).await;
    let turns = read.map_err(|error| cannot_read(&error))?.turns(&rules, since, until);
    let zone = |name: &str| rules.people.get(name).map_or(TimeZone::UTC, |person| person.time_zone.clone());
    let load = tally.sum(turns.all, &in_rotations(&rules), zone);
    let weeks = until.duration_since(since).as_secs_f64() / (7.0 * 86_400.0);
    let mut report = shown(&load, weeks, by_week, asked.text("person"));
    report["since"] = since.to_string().into();
    report["until"] = until.to_string().into();
    report["complete"] = (complete && load.is_whole && turns.are_whole).into();
    report["recorded_since"] = turns.kept_since.map(|since| since.to_string()).into();
    report["partly_assumed"] = turns.assumed.into();
    Ok(Json(report))
}

/// Everybody who takes turns in a rotation of today.
fn in_rotations(rules: &Rules) -> BTreeSet<String> {
    rules.rotations.values().flat_map(|rotation| rotation.everybody()).map(str::to_owned).collect()
}

/// Who was on call.
struct Turns {
    all: Vec<(String, Timestamp, Timestamp)>,
    /// Since when it was written down.
    kept_since: Option<Timestamp>,
    /// Some of it is only what the rotations of today say.
    assumed: bool,
    are_whole: bool,
}

/// What the store knows of it.
struct Kepts {
    kept: Vec<Kept>,
    roster: Roster,
    kept_since: Option<Timestamp>,
}

impl Kepts {
    fn read(tx: &Tx<'_>, rules: &Rules, since: Timestamp, until: Timestamp) -> Result<Self, StoreError> {
        let (kept, roster) = (load::kept(tx, since, until)?, roster::said(tx, rules, since)?);
        Ok(Self { kept, roster, kept_since: load::kept_since(tx)? })
    }

    /// Not while the store is read: it takes its time.
    fn turns(self, rules: &Rules, since: Timestamp, until: Timestamp) -> Turns {
        let Self { kept, roster, kept_since } = self;
        let mut are_whole = kept.len() < usize::try_from(load::TURNS_MAX).unwrap_or(usize::MAX);
        let mut own: BTreeMap<String, Vec<Kept>> =
            rules.rotations.keys().map(|name| (name.clone(), Vec::new())).collect();
        for row in kept {
            own.entry(row.rotation.clone()).or_default().push(row);
        }
        let (mut all, mut assumed) = (Vec::new(), false);
        for (name, own) in own {
            let found = past::turns(&name, rules.rotations.get(&name), &roster, &own, (since, until));
            all.extend(found.turns);
            assumed |= found.assumed;
            are_whole &= found.complete;
        }
        Turns { all, kept_since, assumed, are_whole }
    }
}

/// How much somebody carried of something.
type Amount = fn(&Carried) -> f64;

fn shown(load: &Load, weeks: f64, by_week: bool, only: Option<&str>) -> Value {
    let people: Vec<Value> = load
        .people
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name.as_str()))
        .map(|(name, part)| person(name, part, load, weeks, by_week))
        .collect();
    let measures: [(&str, Amount); 3] =
        [("hours_on_call", hours), ("pages", |one| figure(one.pages)), ("wake_ups", |one| figure(one.woken))];
    let fairness: Vec<Value> = measures
        .into_iter()
        .filter_map(|(what, amount)| {
            let shared = load.shared(amount)?;
            Some(json!({"of": what, "most": rounded(shared.amount), "person": shared.most,
                "average": rounded(shared.average), "times_average": rounded(shared.amount / shared.average)}))
        })
        .collect();
    let all = &load.all;
    json!({"hours_on_call": rounded(hours(all)), "pages": all.pages, "night_pages": all.night,
        "weekend_pages": all.weekend, "wake_ups": all.woken, "answered": all.answered, "people": people, "fairness": fairness})
}

fn person(name: &str, part: &Part, load: &Load, weeks: f64, by_week: bool) -> Value {
    let share = |some: f64, all: f64| if all > 0.0 { rounded(some / all) } else { 0.0 };
    let mut shown = carried(&part.all);
    shown["person"] = name.into();
    shown["in_rotation"] = part.in_rotation.into();
    shown["share_of_hours"] = share(hours(&part.all), hours(&load.all)).into();
    shown["share_of_pages"] = share(figure(part.all.pages), figure(load.all.pages)).into();
    shown["wake_ups_a_week"] = rounded(figure(part.all.woken) / weeks).into();
    if by_week {
        let weeks: Vec<Value> = part
            .weeks
            .iter()
            .map(|(monday, of)| {
                let mut week = carried(of);
                week["week"] = monday.to_string().into();
                week
            })
            .collect();
        shown["weeks"] = weeks.into();
    }
    shown
}

fn carried(of: &Carried) -> Value {
    let answer = of.answer().map(|answer| answer.as_secs());
    json!({"hours_on_call": rounded(hours(of)), "pages": of.pages, "night_pages": of.night, "weekend_pages": of.weekend,
        "wake_ups": of.woken, "answered": of.answered, "answer_seconds": answer})
}

fn hours(of: &Carried) -> f64 {
    of.on_call.as_secs_f64() / 3600.0
}

#[allow(clippy::cast_precision_loss, reason = "a figure to read")]
fn figure(count: u64) -> f64 {
    count as f64
}

fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
