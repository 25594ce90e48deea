//! Routes: what an alert is about, by what it says.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::HeartbeatConfig;
use super::names::known;
use super::read::{At, Reading, Table};
use crate::core::alert::{AlertSeverity, LABEL_BYTES_MAX};
use crate::core::matcher::{self, Matcher};
use crate::core::route::{MATCHERS_MAX, Route, Set, To};
use crate::core::rules::Rules;

/// Most routes: each may be looked at for every event.
const ROUTES_MAX: usize = 1000;
/// Most labels that one route gives.
const LABELS_MAX: usize = 16;
/// An alert does not grow old before its sender can have said it again.
const AGE_OUT_MIN: SignedDuration = SignedDuration::from_mins(1);
/// Who waits for longer need not wait at all.
const AGE_OUT_MAX: SignedDuration = SignedDuration::from_hours(400 * 24);

pub(super) fn routes(
    root: &mut Table<'_>,
    reading: &mut Reading,
    rules: &Rules,
    heartbeats: &BTreeMap<String, HeartbeatConfig>,
) -> Vec<Route> {
    let mut found: Vec<Route> = Vec::new();
    let tables = root.tables(reading, "route");
    if let Some(table) = tables.get(ROUTES_MAX) {
        reading.errors.add(table.span.clone(), format!("there are more than {ROUTES_MAX} routes"));
    }
    let mut everything_at: Option<std::ops::Range<usize>> = None;
    for mut table in tables {
        let place = table.span.clone();
        if let Some(earlier) = &everything_at {
            let line = reading.errors.place(earlier.start).line;
            let what = format!("no alert ever comes to this route: the one in line {line} fits everything");
            reading.warn(&place, what);
        }
        let faults = reading.errors.count();
        let matchers = matchers(&mut table, reading, "match");
        let said = Said::read(&mut table, reading, rules, heartbeats);
        table.end(reading);
        if matchers.as_ref().is_some_and(Vec::is_empty) {
            everything_at.get_or_insert_with(|| place.clone());
        }
        let (Some(matchers), true) = (matchers, reading.errors.count() == faults) else { continue };
        match said.to() {
            Ok(to) => found.push(Route { matchers, to }),
            Err(what) => reading.errors.add(place, what),
        }
    }
    found
}

/// Matchers with commas between them.
pub(super) fn matchers(table: &mut Table<'_>, reading: &mut Reading, key: &str) -> Option<Vec<Matcher>> {
    let text = table.needed(reading, key)?;
    match matcher::read_all(&text.value) {
        Ok(matchers) if matchers.len() > MATCHERS_MAX => {
            reading.errors.add(text.span, format!("`{key}` has at most {MATCHERS_MAX} matchers"));
            None
        }
        Ok(matchers) => Some(matchers),
        Err(why) => {
            reading.errors.add(
                text.span,
                format!("`{key}`: {why}. Write it as 'source=\"pingdom\", tags=~\".*payments.*\"'"),
            );
            None
        }
    }
}

/// What is written of a route, before it is known whether that fits together.
struct Said {
    ignore: bool,
    heartbeat: Option<String>,
    set: Set,
}

impl Said {
    fn read(
        table: &mut Table<'_>,
        reading: &mut Reading,
        rules: &Rules,
        heartbeats: &BTreeMap<String, HeartbeatConfig>,
    ) -> Self {
        let ignore = table.boolean(reading, "ignore").unwrap_or(false);
        let heartbeat = table.text(reading, "heartbeat");
        if let Some(name) = &heartbeat {
            known(reading, name, "heartbeat", heartbeats.keys().map(String::as_str));
        }
        Self { ignore, heartbeat: heartbeat.map(|name| name.value), set: set(table, reading, rules) }
    }

    fn to(self) -> Result<To, &'static str> {
        match (self.ignore, self.heartbeat, self.set == Set::default()) {
            (true, None, true) => Ok(To::Ignore),
            (false, Some(name), true) => Ok(To::Heartbeat(name)),
            (false, None, false) => Ok(To::Set(self.set)),
            (false, None, true) => Err(
                "this route does nothing: give it a `service`, `severity`, `labels` or `age_out`, or `ignore = true`, or a \
                 `heartbeat`",
            ),
            _ => Err(
                "an alert that is ignored, or that is a heartbeat, has no service, severity, labels or age: leave one or the \
                 other out",
            ),
        }
    }
}

fn set(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> Set {
    let service = table.text(reading, "service");
    if let Some(service) = &service {
        known(reading, service, "service", rules.services.keys().map(String::as_str));
    }
    let severity = table.text(reading, "severity");
    if let Some(severity) = &severity {
        known(reading, severity, "severity of an alert", AlertSeverity::ALL.map(AlertSeverity::as_str));
    }
    let labels = table.pairs(reading, "labels").unwrap_or_default();
    if labels.len() > LABELS_MAX {
        reading.errors.add(table.place("labels"), format!("a route gives at most {LABELS_MAX} labels"));
    }
    for (name, At { value, span }) in &labels {
        if name.is_empty() || name.len().max(value.len()) > LABEL_BYTES_MAX || value.contains('\0') {
            reading.errors.add(
                span.clone(),
                format!("names and values of labels have from 1 to {LABEL_BYTES_MAX} bytes"),
            );
        }
    }
    Set {
        service: service.map(|service| service.value),
        severity: severity
            .and_then(|word| AlertSeverity::ALL.into_iter().find(|one| one.as_str() == word.value)),
        labels: labels.into_iter().map(|(name, At { value, .. })| (name, value)).collect(),
        age_out: age_out(table, reading),
    }
}

/// How long an alert is believed to fire that nobody says again.
pub(super) fn age_out(table: &mut Table<'_>, reading: &mut Reading) -> Option<SignedDuration> {
    let At { value, span } = table.duration(reading, "age_out")?;
    if !(AGE_OUT_MIN..=AGE_OUT_MAX).contains(&value) {
        reading.errors.add(span, format!("`age_out` lies between {AGE_OUT_MIN:#} and 400 days"));
        return None;
    }
    Some(value)
}
