//! `onscene silence`: what wakes nobody for a while, over the API of a running daemon.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::{Client, ServerFlags};
use super::{Exit, out, say};
use crate::config::words;

/// Keep alerts from waking anybody for a while
#[derive(Debug, Args)]
pub(super) struct Silence {
    #[command(flatten)]
    server: ServerFlags,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Silence the alerts that fit all matchers; what still fires at its end wakes people then
    Add {
        /// As in Alertmanager: 'service="shop"', 'host=~"db-.*"'; of labels, and source, service, title, severity and key
        #[arg(required = true)]
        matchers: Vec<String>,
        /// For how long, such as 2h or "1 day"
        #[arg(long = "for", value_name = "LENGTH", value_parser = length, required_unless_present = "until", conflicts_with = "until")]
        lasts: Option<String>,
        /// From when, if not from now: as in 2026-12-01T02:00:00Z, or 2026-12-01T02:00 by the clock of this machine
        #[arg(long, value_name = "TIME", value_parser = hour)]
        from: Option<Timestamp>,
        /// Until when
        #[arg(long, value_name = "TIME", value_parser = hour)]
        until: Option<Timestamp>,
        /// Why: others see it
        #[arg(long, value_name = "TEXT")]
        comment: String,
    },
    /// List silences that have not ended, the last to end first
    List {
        /// Also those that have
        #[arg(long)]
        all: bool,
    },
    /// End a silence now; what still fires wakes people
    Expire {
        /// Its id
        id: String,
    },
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

impl Silence {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        match self.what.ask(&client) {
            Ok(answer) if self.json => {
                out(&format!("{answer}\n"));
                Exit::Done
            }
            Ok(answer) => {
                out(&self.what.shown(&answer));
                Exit::Done
            }
            Err(exit) => exit,
        }
    }
}

impl What {
    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::Add { matchers, lasts, from, until, comment } => {
                let mut body = json!({"matchers": matchers.join(", "), "comment": comment});
                for (name, value) in [("starts_at", from), ("ends_at", until)] {
                    if let Some(value) = value {
                        body[name] = json!(value);
                    }
                }
                if let Some(lasts) = lasts {
                    body["for"] = json!(lasts);
                }
                client.post("/api/v1/silences", &body)
            }
            Self::List { all: true } => client.get("/api/v1/silences"),
            Self::List { all: false } => client.get("/api/v1/silences?state=open"),
            Self::Expire { id } => {
                let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
                client.post(&format!("/api/v1/silences/{id}/expire"), &json!({}))
            }
        }
    }

    fn shown(&self, answer: &Value) -> String {
        match self {
            Self::List { .. } => {
                let found = answer["silences"].as_array().map(Vec::as_slice).unwrap_or_default();
                if found.is_empty() {
                    say("no silences");
                }
                found.iter().map(whole).collect()
            }
            Self::Add { .. } => {
                // What scripts want is the id.
                say(&format!("silenced until {}", second(&answer["ends_at"])));
                text(&answer["id"]) + "\n"
            }
            Self::Expire { .. } => whole(answer),
        }
    }
}

fn whole(silence: &Value) -> String {
    let whose = match silence["source"].as_str() {
        Some(source) => format!(" of {source}"),
        None => String::new(),
    };
    let held = match silence["held"].as_u64() {
        None | Some(0) => String::new(),
        Some(1) => "; holds back 1 alert".to_owned(),
        Some(many) => format!("; holds back {many} alerts"),
    };
    format!(
        "{} {:<7}  {}{whose}\n  {} to {}, {}: {}{held}\n",
        text(&silence["id"]),
        text(&silence["state"]),
        text(&silence["matchers"]),
        second(&silence["starts_at"]),
        second(&silence["ends_at"]),
        text(&silence["created_by"]),
        text(&silence["comment"]),
    )
}

/// An hour without the parts of its second.
fn second(value: &Value) -> String {
    let at = value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or_else(|| text(value), |at| format!("{at:.0}"))
}

/// A value as people read it. Control characters could move the cursor of a terminal.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
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
