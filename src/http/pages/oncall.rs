//! `/oncall`: who is on call, who comes next, when nobody will be, and who would be woken for what; and its forms, by which
//! whoever is logged in puts somebody in, says that somebody is away, and ends that.
//!
//! Hours of a form are those of the rotation, or of who is away: a browser's own zone is not told to us, and is not asked for.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use minijinja::{Value, context};
use serde::Deserialize;

use super::ahead::{self, Chosen};
use super::me::{Acts, Looks, Me, pairs};
use super::{Both, unreadable};
use crate::commit::{Change, Command};
use crate::core::condition::line;
use crate::core::incident::Severity;
use crate::core::oncall::{Leave, Override};
use crate::core::rules::Rules;
use crate::feeds::all_troubles;
use crate::http::api::roster::fresh;
use crate::http::desk::Desk;
use crate::http::html::Pages;
use crate::http::problem::Problem;
use crate::render::zone_of;
use crate::store::roster::{self, said};
use crate::store::sight::Seen;
use crate::store::silences::Which;
use crate::store::tokens::Holder;
use crate::store::{calendars, drills};

/// What is chosen, and what was done a moment ago.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    service: Option<String>,
    severity: Option<String>,
    day: Option<String>,
    done: Option<String>,
}

/// What somebody wrote into a form.
#[derive(Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    rotation: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    instead_of: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    reason: String,
}

/// What was not done, why, and what was written into the form meanwhile.
struct Failed {
    problem: Problem,
    form: Form,
    leave: bool,
}

/// `GET /oncall`
pub(in super::super) async fn page(
    State((desk, pages)): Both,
    Looks(me): Looks,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = query.and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
    show(&desk, &pages, &me, asked, None).await
}

/// `POST /oncall/overrides`
pub(in super::super) async fn add_override(both: Both, sent: Acts) -> Response {
    let means = |rules: &Rules, form: &Form, author: String, now: Timestamp| {
        let zone = rules.rotations.get(&form.rotation).map_or(TimeZone::UTC, |known| known.time_zone.clone());
        let (from, until) = hours(form, &zone, now)?;
        Ok(Change::StandIn(vec![Override {
            id: fresh()?,
            rotation: form.rotation.clone(),
            person: form.person.clone(),
            instead_of: Some(form.instead_of.clone()).filter(|whose| !whose.is_empty()),
            from,
            until,
            author,
            reason: line(&form.reason),
            created_at: now,
            ended_by: None,
        }]))
    };
    add(both, sent, false, means).await
}

/// `POST /oncall/leaves`
pub(in super::super) async fn add_leave(both: Both, sent: Acts) -> Response {
    let means = |rules: &Rules, form: &Form, author: String, now: Timestamp| {
        let (from, until) = hours(form, &zone_of(rules, &form.person), now)?;
        Ok(Change::Away(Leave {
            id: fresh()?,
            person: form.person.clone(),
            from,
            until,
            author,
            reason: line(&form.reason),
            created_at: now,
            ended_by: None,
        }))
    };
    add(both, sent, true, means).await
}

/// Says what a form means, of a leave or of an override, to whose author and at what hour.
async fn add(
    State((desk, pages)): Both,
    sent: Acts,
    leave: bool,
    means: impl FnOnce(&Rules, &Form, String, Timestamp) -> Result<Change, Problem>,
) -> Response {
    let form: Form = sent.form();
    let change = means(&desk.house.get().rules, &form, author(&sent.me.holder), desk.clock.now());
    say(&desk, &pages, &sent, change, form, leave).await
}

/// `POST /oncall/overrides/{id}/end`
pub(in super::super) async fn end_override(both: Both, Path(id): Path<String>, sent: Acts) -> Response {
    end(both, sent, id, |id, who| Change::EndOverride { id, who }).await
}

/// `POST /oncall/leaves/{id}/end`
pub(in super::super) async fn end_leave(both: Both, Path(id): Path<String>, sent: Acts) -> Response {
    end(both, sent, id, |id, who| Change::EndLeave { id, who }).await
}

async fn end(
    State((desk, pages)): Both,
    sent: Acts,
    id: String,
    ends: fn(String, String) -> Change,
) -> Response {
    let change = if id.contains('\0') {
        Err(Problem::not_found("there is nothing of that name to end"))
    } else {
        Ok(ends(id, author(&sent.me.holder)))
    };
    say(&desk, &pages, &sent, change, Form::default(), false).await
}

/// Says it, and shows the page: after a change by its own address, so that loading it again says nothing twice.
async fn say(
    desk: &Desk,
    pages: &Pages,
    sent: &Acts,
    change: Result<Change, Problem>,
    form: Form,
    leave: bool,
) -> Response {
    let me = &sent.me;
    let problem = match change {
        Ok(change) => {
            let done = if matches!(change, Change::StandIn(_) | Change::Away(_)) { "said" } else { "ended" };
            match desk.door.ask(Command::Roster(change)).await {
                Ok(_) => {
                    tracing::info!(by = author(&me.holder), "who is on call was changed");
                    return Redirect::to(&format!("/oncall?done={done}")).into_response();
                }
                Err(error) => Problem::from(error),
            }
        }
        Err(problem) => problem,
    };
    // While nothing can be written down, the page has no forms.
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        return sent.again(pages, &problem);
    }
    show(desk, pages, me, Asked::default(), Some(Failed { problem, form, leave })).await
}

/// From when until when, by the clocks of a zone; from now where nothing is said.
fn hours(form: &Form, zone: &TimeZone, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let hour = |text: &str| {
        let at = text.parse::<DateTime>().ok().and_then(|at| at.to_zoned(zone.clone()).ok());
        let wrong = || Problem::unprocessable("an hour is written as 2026-12-01T09:00");
        at.map(|at| at.timestamp()).ok_or_else(wrong)
    };
    let from = if form.from.is_empty() { now } else { hour(&form.from)? };
    if form.until.is_empty() {
        return Err(Problem::unprocessable("say until when"));
    }
    Ok((from, hour(&form.until)?))
}

fn author(me: &Holder) -> String {
    match me {
        Holder::Person(name) => name.clone(),
        Holder::Automation(name) => format!("automation:{name}"),
    }
}

async fn show(desk: &Desk, pages: &Pages, me: &Me, asked: Asked, failed: Option<Failed>) -> Response {
    let house = desk.house.get();
    let rules = house.rules.clone();
    let chosen = chosen(&rules, &asked, desk.clock.now());
    let read = {
        let (rules, has_feeds) = (rules.clone(), !house.feeds.is_empty());
        desk.sight.or_last(move |tx| {
            let said = said(tx, &rules, tx.now)?;
            let kept = if has_feeds { calendars::all(tx)? } else { Vec::new() };
            let overrides = roster::overrides(tx, Which::Open, roster::OPEN_MAX)?;
            let leaves = roster::leaves(tx, Which::Open, roster::OPEN_MAX)?;
            Ok(((said, kept), (overrides, leaves), drills::seen(tx)?, tx.now))
        })
    };
    let Seen { value: ((known, kept), (overrides, leaves), drill, now), as_of } = match read.await {
        Ok(seen) => seen,
        Err(error) => return unreadable(pages, &error),
    };
    // Not while the store is read: it takes its time.
    let mut warnings = ahead::warnings(&rules, &known, now);
    warnings.extend(all_troubles(&house, &kept, now));
    let found = context! {
        warnings,
        rotations => ahead::rotations(&rules, &known, now),
        overrides => ahead::overrides(&rules, &overrides, now),
        leaves => ahead::leaves(&rules, &leaves, now),
        woken => ahead::woken(&rules, &known, chosen.as_ref(), now),
        drill => super::drill::shown(&rules, &drill),
    };
    let people: Vec<Value> = rules
        .people
        .iter()
        .map(|(name, person)| {
            let full = crate::render::full_name(&rules, name);
            context! { name => name.as_str(), full, zone => ahead::name_of(&person.time_zone) }
        })
        .collect();
    let zones: Vec<Value> = rules
        .rotations
        .iter()
        .map(|(name, known)| context! { name => name.as_str(), zone => ahead::name_of(&known.time_zone) })
        .collect();
    let (first, last) = ahead::days(desk.clock.now());
    let said = match asked.done.as_deref() {
        Some("said") => Some("It is written down, and counts from its hour on."),
        Some("ended") => Some("It has ended."),
        _ => None,
    };
    let status = failed.as_ref().map_or(StatusCode::OK, |failed| failed.problem.status);
    let written = |leave: bool| {
        let own = failed.as_ref().filter(|failed| failed.leave == leave).map(|failed| &failed.form);
        let mine = if leave { person_of(&me.holder) } else { String::new() };
        let empty = Form { person: mine, ..Form::default() };
        let form = own.unwrap_or(&empty);
        context! { rotation => form.rotation.as_str(), person => form.person.as_str(), from => form.from.as_str(),
        instead_of => form.instead_of.as_str(), until => form.until.as_str(), reason => form.reason.as_str(), open => own.is_some() && failed.is_some() }
    };
    let values = context! {
        reader => me.shown(&rules), said, failed => failed.as_ref().map(|failed| failed.problem.detail.as_str()),
        people, zones, stand_in => written(false), leave => written(true),
        services => rules.services.keys().cloned().collect::<Vec<String>>(),
        chosen => chosen.as_ref().map(|one| context! { service => one.service.as_str(), severity => one.severity.as_str(), day => one.day.to_string() }),
        first => first.to_string(), last => last.to_string(), left_out => ahead::left_out(&rules),
        ..found
    };
    pages.page_of(status, "oncall.html", values, desk.stale(as_of), &TimeZone::UTC)
}

fn person_of(me: &Holder) -> String {
    if let Holder::Person(name) = me { name.clone() } else { String::new() }
}

/// What was chosen, as far as there is such a thing: a day without a service is nothing.
fn chosen(rules: &Rules, asked: &Asked, now: Timestamp) -> Option<Chosen> {
    let service = asked.service.clone().filter(|name| rules.services.contains_key(name))?;
    let severity = asked.severity.as_deref().and_then(Severity::from_word).unwrap_or(Severity::Sev1);
    let (first, last) = ahead::days(now);
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = asked.day.as_deref().and_then(|day| day.parse::<Date>().ok()).unwrap_or(today);
    Some(Chosen { service, severity, day: day.clamp(first, last) })
}
