//! Heartbeats: pings that have to come again and again.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::sources::TOKEN_BYTES_MIN;
use crate::core::alert::AlertSeverity;
use crate::core::heartbeat::Heartbeat;
use crate::core::rules::Rules;

/// How late a ping may be when nobody says.
const GRACE_USUAL: SignedDuration = SignedDuration::from_mins(1);
/// A period is not shorter than the deadlines are exact.
const PERIOD_MIN: SignedDuration = SignedDuration::from_secs(5);
/// A silence that nobody would hear of for longer is no watch.
const PERIOD_MAX: SignedDuration = SignedDuration::from_hours(400 * 24);

/// One `[[heartbeat]]`.
#[derive(Debug)]
pub struct HeartbeatConfig {
    /// Its secrets; any of them will do. None when secrets were not read.
    pub tokens: Vec<SecretString>,
    /// What is expected.
    pub beat: Heartbeat,
}

pub(super) fn heartbeats(
    root: &mut Table<'_>,
    reading: &mut Reading,
    rules: &Rules,
) -> BTreeMap<String, HeartbeatConfig> {
    let mut found: BTreeMap<String, HeartbeatConfig> = BTreeMap::new();
    for mut table in root.tables(reading, "heartbeat") {
        let name = names::name(&mut table, reading);
        let service = table.needed(reading, "service");
        if let Some(service) = &service {
            known(reading, service, "service", rules.services.keys().map(String::as_str));
        }
        let tokens = tokens(&mut table, reading);
        let faults = reading.errors.count();
        let period = time(&mut table, reading, "period", PERIOD_MIN);
        if period.is_none() && reading.errors.count() == faults {
            let what = "[[heartbeat]] needs `period`: how far apart its pings are, such as `10m` or `1 day`";
            reading.errors.add(table.span.clone(), what);
        }
        let grace = time(&mut table, reading, "grace", SignedDuration::ZERO).unwrap_or(GRACE_USUAL);
        let severity = severity(&mut table, reading);
        table.end(reading);
        let (Some(name), Some(service), Some(period)) = (name, service, period) else { continue };
        let beat = Heartbeat { period, grace, service: service.value, severity };
        if found.insert(name.value.clone(), HeartbeatConfig { tokens, beat }).is_some() {
            reading.errors.add(name.span, format!("there are two heartbeats called {}", name.value));
        }
    }
    found
}

fn time(
    table: &mut Table<'_>,
    reading: &mut Reading,
    key: &str,
    least: SignedDuration,
) -> Option<SignedDuration> {
    let At { value, span } = table.duration(reading, key)?;
    if !(least..=PERIOD_MAX).contains(&value) {
        reading.errors.add(span, format!("`{key}` lies between {least:#} and 400 days"));
        return None;
    }
    Some(value)
}

fn severity(table: &mut Table<'_>, reading: &mut Reading) -> AlertSeverity {
    let usual = AlertSeverity::Error;
    let Some(word) = table.text(reading, "severity") else { return usual };
    known(reading, &word, "severity of an alert", AlertSeverity::ALL.map(AlertSeverity::as_str));
    AlertSeverity::ALL.into_iter().find(|severity| severity.as_str() == word.value).unwrap_or(usual)
}

fn tokens(table: &mut Table<'_>, reading: &mut Reading) -> Vec<SecretString> {
    let faults = reading.errors.count();
    let Some(At { value: tokens, span }) = table.secrets(reading, "token") else {
        if reading.errors.count() == faults {
            let what = "[[heartbeat]] needs `token_file` (or `token_env`): without a secret anybody could keep it beating";
            reading.errors.add(table.span.clone(), what);
        }
        return Vec::new();
    };
    if tokens.iter().any(|token| token.expose_secret().trim().len() < TOKEN_BYTES_MIN) {
        let what =
            format!("this token is too short: at least {TOKEN_BYTES_MIN} bytes, or it could be guessed");
        reading.errors.add(span, what);
    }
    tokens
}
