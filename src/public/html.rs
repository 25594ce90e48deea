//! The pages. Every word is escaped by the templates' own rule; nothing is loaded, nothing runs, and they are whole on paper.

use http::HeaderValue;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::files::Written;
use super::{DAYS, Day, Line, Planned, PublicIncident, PublicStatement, Said, Shown, State, days, lines};
use crate::core::voice::{Impact, Sort};
use crate::crypto;

/// Heights of a day's bar, in the units of the picture, which is 34 of them high. What is worse is taller.
const PICTURE_HEIGHT: usize = 34;
/// Widths of a day, and of its bar.
const DAY_WIDTH: usize = 4;
const BAR_WIDTH: usize = 3;
/// Days with a fault that are told one by one.
const FAULTS_MAX: usize = 30;

const STYLE: &str = include_str!("templates/style.css");

/// The templates; those of feeds too.
pub(super) fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in [
        ("base.html", include_str!("templates/base.html")),
        ("shared.html", include_str!("templates/shared.html")),
        ("index.html", include_str!("templates/index.html")),
        ("history.html", include_str!("templates/history.html")),
        ("incident.html", include_str!("templates/incident.html")),
        ("nothing.html", include_str!("templates/nothing.html")),
        ("words.html", include_str!("templates/words.html")),
        ("feed.xml", include_str!("templates/feed.xml")),
    ] {
        pages.add_template(name, text)?;
    }
    Ok(pages)
}

/// Writes the pages. `old`: what is shown may have changed since it was made.
pub(super) fn write(
    pages: &Environment<'_>,
    shown: &Shown,
    old: bool,
) -> Result<Vec<Written>, minijinja::Error> {
    let policy = policy(shown.subscribe.as_deref());
    // A copy that is handed out by others has nobody who says it in a header, which alone can name who may frame it.
    let copied = policy.split("; frame-ancestors").next().unwrap_or_default().to_owned();
    let page = |path: &str, name: &str, values: Value| -> Result<Written, minijinja::Error> {
        let frame = context! {
            path, policy => copied.as_str(), style => Value::from_safe_string(STYLE.to_owned()),
            title => shown.title.as_str(), contact => shown.contact.as_deref().map(contact),
            base => shown.path(""), home => shown.path("/"), canonical => shown.url.as_ref().map(|url| format!("{url}{path}")),
            old => old.then(|| hour(shown.made_at)), days => DAYS,
        };
        let text = pages.get_template(name)?.render(context! { ..values, ..frame })?;
        Ok(Written {
            path: path.to_owned(),
            content_type: HeaderValue::from_static("text/html; charset=utf-8"),
            policy: HeaderValue::try_from(policy.as_str()).ok(),
            bytes: text.into_bytes(),
        })
    };
    let mut written = vec![
        page("/", "index.html", index(shown))?,
        page("/history", "history.html", context! { months => months(shown) })?,
        page("/nothing-here", "nothing.html", context! {})?,
    ];
    for incident in &shown.incidents {
        let path = format!("/incidents/{}", incident.key);
        written.push(page(&path, "incident.html", context! { incident => told(incident) })?);
    }
    Ok(written)
}

/// What browsers may do with a page: show it, in its own looks. A form goes where people subscribe, and nowhere else.
fn policy(subscribe: Option<&str>) -> String {
    let style = crypto::base64(&crypto::sha256(STYLE.as_bytes()));
    let form = subscribe.and_then(origin).unwrap_or("'none'");
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form}; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The scheme and host of an address.
fn origin(url: &str) -> Option<&str> {
    let begins = url.find("://")? + 3;
    let ends = url[begins..].find('/').map_or(url.len(), |at| begins + at);
    let origin = url.get(..ends)?;
    origin
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'\''))
        .then_some(origin)
}

/// Where readers turn to, as a link of it.
fn contact(contact: &str) -> Value {
    let is_page = contact.starts_with("https://") || contact.starts_with("http://");
    let link = if is_page { contact.to_owned() } else { format!("mailto:{contact}") };
    context! { words => contact, link }
}

fn index(shown: &Shown) -> Value {
    let state = shown.state();
    context! {
        made_at => hour(shown.made_at),
        state => state.word(),
        banner => banner(state),
        incidents => shown.open().map(told).collect::<Vec<_>>(),
        components => lines(shown).iter().map(component).collect::<Vec<_>>(),
        planned => shown.planned().into_iter().map(|one| planned(one, shown.made_at)).collect::<Vec<_>>(),
        recent => recent(shown),
        subscribe => shown.subscribe.as_deref(),
    }
}

fn banner(state: State) -> &'static str {
    match state {
        State::Operational => "All systems operational",
        State::Maintenance => "Maintenance is under way",
        State::Degraded => "Some systems are degraded",
        State::PartialOutage => "Partial outage",
        State::MajorOutage => "Major outage",
    }
}

/// Incidents that ended within the last week.
fn recent(shown: &Shown) -> Vec<Value> {
    let week = SignedDuration::from_hours(7 * 24);
    let is_recent =
        |one: &&PublicIncident| !one.is_open() && shown.made_at.duration_since(one.changed_at()) <= week;
    shown.newest_first().into_iter().filter(is_recent).map(brief).collect()
}

fn months(shown: &Shown) -> Vec<Value> {
    let mut months: Vec<(String, Vec<Value>)> = Vec::new();
    for incident in shown.newest_first() {
        let month = incident.began.to_zoned(TimeZone::UTC).strftime("%B %Y").to_string();
        match months.last_mut() {
            Some((name, incidents)) if *name == month => incidents.push(brief(incident)),
            _ => months.push((month, vec![brief(incident)])),
        }
    }
    months.into_iter().map(|(name, incidents)| context! { name, incidents }).collect()
}

fn brief(incident: &PublicIncident) -> Value {
    context! {
        key => incident.key.as_str(), title => incident.title.as_str(), components => &incident.components,
        impact => impact(days::impact(incident)), impact_word => days::impact(incident).as_str(), phase => incident.phase.title(),
        began => hour(incident.began), ended => incident.ended.map(hour), open => incident.is_open(),
        lasted => incident.ended.map(|ended| length(ended.duration_since(incident.began))),
    }
}

fn told(incident: &PublicIncident) -> Value {
    let statements: Vec<Value> = incident.newest_first().into_iter().map(statement).collect();
    context! { next_by => incident.next_by().map(hour), statements, ..brief(incident) }
}

pub(super) fn statement(one: &PublicStatement) -> Value {
    let (text, retracted) = match &one.said {
        Said::Text(text) => (Some(text.trim()), None),
        Said::Retracted { at } => (None, Some(hour(*at))),
    };
    let mends = one.mends.as_ref().map(|(key, at)| context! { key, at => hour(*at) });
    context! { key => one.key.as_str(), heading => one.heading(), at => hour(one.at), text, retracted, mends, is_correction => one.sort == Sort::Correction }
}

fn planned(one: &Planned, now: jiff::Timestamp) -> Value {
    context! {
        title => one.title.as_str(), components => &one.components, from => hour(one.from), to => hour(one.to),
        text => one.text.trim(), begun => one.from <= now,
    }
}

fn component(line: &Line) -> Value {
    let bad: Vec<&Day> =
        line.days.iter().filter(|day| day.worst.is_some_and(|worst| worst > State::Operational)).collect();
    let known = line.days.iter().filter(|day| day.worst.is_some()).count();
    let fault = |day: &&Day| {
        context! { date => date(day), iso => day.date.to_string(), state => day.worst.map(State::words), lasted => length(day.lasted) }
    };
    let faults: Vec<Value> = bad.iter().rev().take(FAULTS_MAX).map(fault).collect();
    context! {
        name => line.name.as_str(),
        state => line.state.word(),
        words => line.state.words(),
        since => line.since.filter(|_| line.state != State::Operational).map(hour),
        up => percent(line.up),
        known,
        bad => bad.len(),
        more => bad.len().saturating_sub(FAULTS_MAX),
        faults,
        paths => paths(&line.days),
        width => DAY_WIDTH * DAYS,
        height => PICTURE_HEIGHT,
    }
}

/// The bars, as one outline for each state that there is.
fn paths(days: &[Day]) -> Vec<Value> {
    let states = std::iter::once(None).chain(State::ALL.map(Some));
    let of = |state: Option<State>| {
        let outline: String = days
            .iter()
            .enumerate()
            .filter(|(_, day)| day.worst == state)
            .map(|(place, _)| bar(DAY_WIDTH * place, top(state)))
            .collect();
        (!outline.is_empty()).then(|| context! { state => state.map_or("unknown", State::word), outline })
    };
    states.filter_map(of).collect()
}

fn bar(x: usize, top: usize) -> String {
    format!("M{x} {top}h{BAR_WIDTH}V{PICTURE_HEIGHT}h-{BAR_WIDTH}z")
}

fn top(state: Option<State>) -> usize {
    match state {
        None => 31,
        Some(State::Operational) => 16,
        Some(State::Maintenance) => 22,
        Some(State::Degraded) => 10,
        Some(State::PartialOutage) => 5,
        Some(State::MajorOutage) => 0,
    }
}

fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "No impact",
        Impact::Minor => "Minor impact",
        Impact::Major => "Major impact",
        Impact::Critical => "Critical impact",
    }
}

/// Ten-thousandths as people read them: `100`, `99.98`.
fn percent(up: u16) -> String {
    if up == 10_000 { "100".to_owned() } else { format!("{}.{:02}", up / 100, up % 100) }
}

/// An hour for people, and for programs.
fn hour(at: Timestamp) -> Value {
    let zoned = at.to_zoned(TimeZone::UTC);
    context! { words => zoned.strftime("%-d %b %Y, %H:%M UTC").to_string(), iso => iso(at) }
}

/// An hour for programs, in whole seconds.
pub(super) fn iso(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn date(day: &Day) -> String {
    day.date.strftime("%-d %B %Y").to_string()
}

/// A span of time, in its two largest units.
fn length(span: SignedDuration) -> String {
    let minutes = span.as_mins().max(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
