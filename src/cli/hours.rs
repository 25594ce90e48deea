//! What holds from one hour to another: what `onscene silence`, `condition` and `oncall` have in common.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::Client;
use super::hour::{Ahead, ahead};
use super::text;
use super::{Exit, say};
use crate::config::words;

/// From when until when.
#[derive(Debug, Args)]
pub(super) struct Hours {
    /// For how long, such as 2h or "1 day"
    #[arg(long = "for", value_name = "LENGTH", value_parser = length, required_unless_present = "until", conflicts_with = "until")]
    lasts: Option<String>,
    /// From when, if not from now: in 20m, at the next 02:40, at 2026-12-01T02:00 (in the zone of this terminal: $TZ, else the
    /// machine's), or with its zone, as in 2026-12-01T02:00:00Z
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    from: Option<Ahead>,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    until: Option<Ahead>,
}

impl Hours {
    /// Says it to the API.
    pub(super) fn put(&self, body: &mut Value) {
        for (name, value) in [("starts_at", &self.from), ("ends_at", &self.until)] {
            if let Some(value) = value {
                body[name] = json!(value.told());
            }
        }
        if let Some(lasts) = &self.lasts {
            body["for"] = json!(lasts);
        }
    }
}

/// A length of time, of which the daemon understands the same.
pub(super) fn length(text: &str) -> Result<String, String> {
    words::duration(text).map(|_| text.to_owned())
}

/// An hour as the people of a zone read it, with the name of that; of no zone that is known here, as it is.
pub(super) fn local(value: &Value, zone: &Value) -> String {
    let at = value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let zone = zone.as_str().and_then(|zone| TimeZone::get(zone).ok());
    match (at, zone) {
        (Some(at), Some(zone)) => {
            let name = zone.iana_name().unwrap_or("UTC").to_owned();
            format!("{} {name}", at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M"))
        }
        _ => second(value),
    }
}

/// An hour without the parts of its second.
pub(super) fn second(value: &Value) -> String {
    let at = value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or_else(|| text(value), |at| format!("{at:.0}"))
}

/// Asks for those that have not ended, or for all. `kind` is what they are called in addresses.
pub(super) fn ask_for(client: &Client, kind: &str, all: bool) -> Result<Value, Exit> {
    client.get(&format!("/api/v1/{kind}{}", if all { "" } else { "?state=open" }))
}

/// Ends one by its id.
pub(super) fn end(client: &Client, kind: &str, id: &str, verb: &str) -> Result<Value, Exit> {
    let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    client.post(&format!("/api/v1/{kind}/{id}/{verb}"), &json!({}))
}

/// A list of them, each as `one` shows it.
pub(super) fn listed(answer: &Value, kind: &str, one: fn(&Value) -> String) -> String {
    let found = answer[kind].as_array().map(Vec::as_slice).unwrap_or_default();
    if found.is_empty() {
        say(&format!("no {kind}"));
    }
    found.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_told_as_the_people_of_a_zone_read_them() {
        let said = |at: &str, zone: &str| local(&json!(at), &json!(zone));
        assert_eq!(said("2026-07-01T07:00:00Z", "Europe/Oslo"), "Wed 2026-07-01 09:00 Europe/Oslo");
        assert_eq!(said("2026-07-01T07:00:00.5Z", "Nowhere"), "2026-07-01T07:00:00Z");
    }
}
