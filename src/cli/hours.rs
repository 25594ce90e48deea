//! From when until when something holds: flags of `onscene silence add` and `onscene condition add`, and hours in what is shown.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::incident::text;
use crate::config::words;

/// From when until when.
#[derive(Debug, Args)]
pub(super) struct Hours {
    /// For how long, such as 2h or "1 day"
    #[arg(long = "for", value_name = "LENGTH", value_parser = length, required_unless_present = "until", conflicts_with = "until")]
    lasts: Option<String>,
    /// From when, if not from now: as in 2026-12-01T02:00:00Z, or 2026-12-01T02:00 by the clock of this machine
    #[arg(long, value_name = "TIME", value_parser = hour)]
    from: Option<Timestamp>,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = hour)]
    until: Option<Timestamp>,
}

impl Hours {
    /// Says it to the API.
    pub(super) fn put(&self, body: &mut Value) {
        for (name, value) in [("starts_at", self.from), ("ends_at", self.until)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if let Some(lasts) = &self.lasts {
            body["for"] = json!(lasts);
        }
    }
}

/// A length of time, of which the daemon understands the same.
fn length(text: &str) -> Result<String, String> {
    words::duration(text).map(|_| text.to_owned())
}

/// An hour: of any zone, or by the clock of this machine.
fn hour(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>().ok().and_then(|at| at.to_zoned(TimeZone::system()).ok());
    local.map(|at| at.timestamp()).ok_or_else(|| {
        "write it as 2026-12-01T02:00:00Z, or 2026-12-01T02:00 by the clock of this machine".into()
    })
}

/// An hour without the parts of its second.
pub(super) fn second(value: &Value) -> String {
    let at = value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or_else(|| text(value), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_of_any_zone_or_of_this_machine() {
        assert_eq!(hour("2026-12-01T02:00:00+02:00").unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert!(hour("2026-12-01T02:00").is_ok() && hour("2026-12-01 02:00").is_ok());
        assert!(hour("tomorrow").is_err());
    }
}
