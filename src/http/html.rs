//! Pages for people: HTML that needs no scripts, the same on a phone, in dark and light.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, Value, context};

use super::scripts;
use super::stale::Stale;
use crate::core::condition::{Condition, Known, known, struck};
use crate::core::incident::Incident;
use crate::core::meeting::Meeting;
use crate::core::rules::Rules;
use crate::render::{full_name, hour, shown_known, shown_meeting, zone_of};
use crate::store::alerts::Shown;
use crate::store::timeline::Kept;
use crate::store::{StoreError, Tx, alerts, conditions, meeting, timeline};

/// Nothing is loaded from anywhere, nothing runs, nobody frames it, forms come back here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// The same, where scripts of our own make a page better that is whole without them.
const POLICY_WITH_SCRIPTS: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// The pages for which that is so.
const WITH_SCRIPTS: [&str; 1] = ["incident.html"];

/// Writes pages. Cheap to clone.
#[derive(Clone)]
pub struct Pages(std::sync::Arc<Environment<'static>>);

impl Pages {
    /// Loads the pages.
    ///
    /// # Errors
    /// When one has a mistake: a fault of ours, found by every test.
    pub fn new() -> Result<Self, minijinja::Error> {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let timeline = Value::from_safe_string(scripts::address(&scripts::TIMELINE));
        pages.add_global("timeline_script", timeline);
        for (name, text) in [
            ("base.html", include_str!("templates/base.html")),
            ("shared.html", include_str!("templates/shared.html")),
            ("answer.html", include_str!("templates/answer.html")),
            ("test.html", include_str!("templates/test.html")),
            ("message.html", include_str!("templates/message.html")),
            ("again.html", include_str!("templates/again.html")),
            ("login.html", include_str!("templates/login.html")),
            ("subscribe.html", include_str!("templates/subscribe.html")),
            ("sent.html", include_str!("templates/sent.html")),
            ("enter.html", include_str!("templates/enter.html")),
            ("index.html", include_str!("templates/index.html")),
            ("incident.html", include_str!("templates/incident.html")),
            ("brief.html", include_str!("templates/brief.html")),
            ("oncall.html", include_str!("templates/oncall.html")),
            ("silences.html", include_str!("templates/silences.html")),
            ("statements.html", include_str!("templates/statements.html")),
        ] {
            pages.add_template(name, text)?;
        }
        Ok(Self(std::sync::Arc::new(pages)))
    }

    /// A page.
    pub fn page(&self, status: StatusCode, name: &str, values: Value) -> Response {
        self.page_of(status, name, values, None, &TimeZone::UTC)
    }

    /// A page that shows what was known last, and says so; of the present, when it is not stale.
    pub fn page_of(
        &self,
        status: StatusCode,
        name: &str,
        values: Value,
        stale: Option<Stale>,
        zone: &TimeZone,
    ) -> Response {
        let away = stale.map(|stale| stale.banner(zone));
        // Who looks is known of pages alone that ask for it.
        let nobody = context! { reader => Value::from(()) };
        let mut response = self.written(status, name, context! { away, ..context! { ..values, ..nobody } });
        if let Some(stale) = stale {
            stale.mark(&mut response);
        }
        response
    }

    fn written(&self, status: StatusCode, name: &str, values: Value) -> Response {
        let policy = if WITH_SCRIPTS.contains(&name) { POLICY_WITH_SCRIPTS } else { POLICY };
        match self.0.get_template(name).and_then(|template| template.render(values)) {
            Ok(text) => answer(status, text, policy),
            Err(error) => {
                tracing::error!(page = name, %error, "a page cannot be written");
                answer(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "<!doctype html><title>Error</title>This page failed; the log has the cause.".into(),
                    POLICY,
                )
            }
        }
    }

    /// A page that only says something.
    pub fn message(&self, status: StatusCode, heading: &str, text: &str) -> Response {
        self.page(status, "message.html", context! { heading, text, kept => None::<&str> })
    }
}

fn answer(status: StatusCode, text: String, policy: &'static str) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is read for a page about one incident.
pub(super) struct Found {
    /// The incident.
    pub(super) incident: Incident,
    alerts: Vec<Shown>,
    /// Newest first.
    entries: Vec<Kept>,
    /// What is known, of whatever.
    pub(super) conditions: Vec<Condition>,
    /// Where its people meet.
    pub(super) meeting: Meeting,
}

impl Found {
    /// Reads what belongs to an incident: so many alerts, and so many entries, the newest.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn read(
        tx: &Tx<'_>,
        incident: Incident,
        rules: &Rules,
        alerts_max: u32,
        entries_max: u32,
    ) -> Result<Self, StoreError> {
        let (id, from) = (incident.id, incident.seq.saturating_sub(entries_max));
        let mut entries = timeline::list(tx, id, from, entries_max)?;
        entries.reverse();
        let alerts = alerts::of_incident(tx, id, alerts_max)?;
        let meeting = meeting::Known::ask(tx, rules)?.places(&incident, rules, tx.now);
        Ok(Self { incident, alerts, entries, conditions: conditions::open(tx)?, meeting })
    }

    /// Shows older entries instead: so many, those before this one.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn show_before(
        &mut self,
        tx: &Tx<'_>,
        before: u32,
        entries_max: u32,
    ) -> Result<(), StoreError> {
        let last = before.saturating_sub(1).min(self.incident.seq);
        let from = last.saturating_sub(entries_max);
        self.entries = timeline::list(tx, self.incident.id, from, last.saturating_sub(from))?;
        self.entries.reverse();
        Ok(())
    }

    /// What an entry says, of those that are shown.
    pub(super) fn says(&self, seq: u32) -> Option<&str> {
        self.entries.iter().find(|kept| kept.entry.seq == seq).map(|kept| kept.text.as_str())
    }
}

/// What is known of an incident at an hour. What is over needs nobody who knows.
pub(super) fn known_of(
    incident: &Incident,
    conditions: &[Condition],
    rules: &Rules,
    now: Timestamp,
) -> Vec<Known> {
    if !incident.is_open() {
        return Vec::new();
    }
    known(conditions, &rules.maintenance, Some(&struck(incident, &rules.needs)), now)
}

/// What a page about one incident shows.
pub(super) fn about(found: &Found, rules: &Rules, me: Option<&str>, now: Timestamp) -> Value {
    let Found { incident, alerts, entries, conditions, meeting } = found;
    let name = |person: &str| full_name(rules, person);
    let zone = me.map_or(TimeZone::UTC, |me| zone_of(rules, me));
    let (known, more_known) = shown_known(&known_of(incident, conditions, rules, now), rules, &zone);
    let hour = |at| hour(at, &zone);
    // Of what is told later, when that was.
    let said_by = |kept: &Kept| {
        let (recorded, happened) = (hour(kept.entry.at), hour(kept.entry.occurred_at));
        let by = kept.entry.actor.words();
        if recorded == happened { by } else { format!("(recorded {recorded}) {by}") }
    };
    let service = rules.services.get(incident.leads());
    let resolution = incident.resolution();
    let command = match &incident.phase {
        crate::core::incident::Phase::Resolved { last, .. } => last.as_ref(),
        _ => incident.commander(),
    };
    let woken: Vec<String> = match &incident.phase {
        crate::core::incident::Phase::Triggered { escalation: Some(escalation), .. } => {
            escalation.awaiting.iter().map(|person| name(person)).collect()
        }
        _ => Vec::new(),
    };
    let held_until = match &incident.phase {
        crate::core::incident::Phase::Triggered { held_until, .. } => *held_until,
        _ => None,
    };
    let on_scene = me.is_some_and(|me| incident.is_on_scene(me));
    let watch = rules.command.watch.get(&incident.severity).copied().unwrap_or_default();
    let watched_until = incident.mitigated_at.and_then(|since| since.checked_add(watch).ok());
    context! {
        known,
        more_known,
        id => incident.id,
        title => incident.title.as_str(),
        service => incident.service.as_str(),
        public_name => service.and_then(|service| service.public_name.as_deref()).unwrap_or(&incident.service),
        at_fault => incident.cause.as_deref(),
        also => &incident.also,
        storm => incident.storm,
        merged_into => incident.merged_into,
        declared => incident.declared,
        held_until => held_until.map(hour),
        flaps => incident.is_quietly_open() || !woken.is_empty(),
        severity => incident.severity.as_str(),
        state => incident.state(),
        over => !incident.is_open(),
        resolution => resolution.map(|(resolution, _)| resolution.words()),
        resolved_at => resolution.map(|(_, at)| hour(at)),
        opened_at => hour(incident.opened_at),
        next_update_by => incident.next_update_by.map(hour),
        bridge => meeting.address(),
        meeting => shown_meeting(meeting, true),
        alert_count => incident.alerts,
        firing => incident.firing,
        seq => incident.seq,
        woken,
        on_scene,
        still_there => is_asked(incident, me),
        may_resolve => incident.mitigated_at.is_some() || rules.command.watch.is_empty(),
        watched_until => watched_until.filter(|until| *until > now).map(hour),
        commander => command.map(|command| context! {
            name => name(&command.person), since => hour(command.since), term => command.term,
            me => me == Some(command.person.as_str()),
        }),
        responders => incident.responders.iter().map(|one| context! {
            name => name(&one.person), status => one.status.as_str().replace('_', " "), since => hour(one.since),
        }).collect::<Vec<_>>(),
        alerts => alerts.iter().map(|alert| context! {
            title => alert.title.as_str(), source => alert.source.as_str(), key => alert.key.as_str(), status => alert.status.as_str(),
            since => hour(alert.changed_at), links => alert.links.clone(),
        }).collect::<Vec<_>>(),
        entries => entries.iter().map(|kept| context! {
            seq => kept.entry.seq, hour => hour(kept.entry.occurred_at), iso => format!("{:.3}", kept.entry.occurred_at),
            actor => said_by(kept), text => kept.text.as_str(),
        }).collect::<Vec<_>>(),
    }
}

/// Whether who looks commands, and was asked for a sign of life.
fn is_asked(incident: &Incident, me: Option<&str>) -> bool {
    match &incident.phase {
        crate::core::incident::Phase::Acknowledged { command, sign: Some(sign), .. } => {
            sign.asked > 0 && me == Some(command.person.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_somebody_who_is_logged_in_carries_the_word_of_their_session() {
        // Nobody is logged in where these are shown.
        let open = ["answer.html", "test.html", "login.html", "enter.html", "subscribe.html"];
        let mut checked = 0;
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/templates")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            if open.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            for form in
                text.split("<form").skip(1).filter(|form| form.trim_start().starts_with("method=\"post\""))
            {
                let form = form.split("</form>").next().unwrap_or_default();
                assert!(
                    form.contains("name=\"form\" value=\"{{ reader.form }}\""),
                    "{}: {form}",
                    path.display()
                );
                checked += 1;
            }
        }
        assert!(checked >= 4, "{checked}");
    }

    #[test]
    fn every_page_can_be_written() {
        let pages = Pages::new().unwrap();
        assert_eq!(pages.message(StatusCode::OK, "a", "<b>").status(), StatusCode::OK);
        let none = || Value::from(());
        let login = context! { said => none(), next => "/oncall", by_mail => true, failed => false };
        assert_eq!(pages.page(StatusCode::OK, "login.html", login).status(), StatusCode::OK);
        assert_eq!(
            pages.page(StatusCode::OK, "sent.html", context! { minutes => 15 }).status(),
            StatusCode::OK
        );
        let enter = context! { said => "", name => "Maya Lind", nonce => "f.1.2", next => none() };
        assert_eq!(pages.page(StatusCode::OK, "enter.html", enter).status(), StatusCode::OK);
        let nothing = Vec::<Value>::new;
        let index = context! { incidents => nothing(), past => nothing(), others => vec!["node-b"], held => "1 alert", known => nothing(), more_known => 0, warnings => vec!["Nobody is on call in sre"], services => nothing(), severities => nothing() };
        assert_eq!(pages.page(StatusCode::OK, "index.html", index).status(), StatusCode::OK);
    }
}
