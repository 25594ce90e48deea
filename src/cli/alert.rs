//! `onscene alert`: what was heard, however long ago, over the API of a running daemon.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, ServerFlags};
use super::hour::since;
use super::{Exit, out, say};

/// Most rows that one question asks for.
const PAGE_MAX: u32 = 200;

/// Find alerts
#[derive(Debug, Args)]
pub(super) struct Alert {
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
    /// List alerts, those first that changed last
    List {
        /// firing or resolved
        #[arg(long)]
        status: Option<String>,
        /// A source
        #[arg(long)]
        source: Option<String>,
        /// A service
        #[arg(long)]
        service: Option<String>,
        #[command(flatten)]
        sought: Sought,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// What people remember of an alert or an incident.
#[derive(Debug, Args)]
pub(super) struct Sought {
    /// A label, whole; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Words of the title; the beginning of each is enough
    #[arg(long, short, value_name = "TEXT")]
    q: Option<String>,
    /// Not before this hour: 30d or 20m ago, 02:40, 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's),
    /// or with its zone (RFC 3339)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<String>,
    /// Before this hour
    #[arg(long, value_name = "WHEN", value_parser = since)]
    until: Option<String>,
}

impl Sought {
    /// As it stands in an address.
    pub(super) fn query(&self) -> String {
        let labels: String = self.label.iter().map(|label| pair("label", label)).collect();
        let others = [("q", &self.q), ("since", &self.since), ("until", &self.until)];
        labels + &pairs(&others)
    }
}

/// Names and values as they stand in an address, each with a `&` before it.
pub(super) fn pairs(pairs: &[(&str, &Option<String>)]) -> String {
    pairs.iter().filter_map(|(name, value)| value.as_ref().map(|value| pair(name, value))).collect()
}

pub(super) fn pair(name: &str, value: &str) -> String {
    format!("&{name}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
}

/// Asks page after page until there is enough: an answer may be shorter than was asked for, and say where to go on.
pub(super) fn list(client: &Client, what: &str, query: &str, limit: u32) -> Result<Value, Exit> {
    let mut found: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    let mut complete = true;
    loop {
        let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let at = cursor.as_deref().map(|cursor| pair("cursor", cursor)).unwrap_or_default();
        let page = left.min(PAGE_MAX);
        let mut answer = client.get(&format!("/api/v1/{what}?limit={page}{query}{at}"))?;
        complete &= answer["complete"] != false;
        if let Some(some) = answer[what].as_array_mut() {
            found.append(some);
        }
        let next = answer["next"].as_str().map(str::to_owned);
        let enough = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        if enough || next.is_none() || next == cursor {
            if !complete {
                say("some that an older version wrote cannot be found yet; ask again in some minutes");
            }
            return Ok(json!({what: found, "next": next}));
        }
        cursor = next;
    }
}

impl Alert {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        let What::List { status, source, service, sought, limit } = &self.what;
        let query = pairs(&[("status", status), ("source", source), ("service", service)]) + &sought.query();
        let answer = match list(&client, "alerts", &query, *limit) {
            Ok(answer) => answer,
            Err(exit) => return exit,
        };
        if self.json {
            out(&format!("{answer}\n"));
            return Exit::Done;
        }
        let found = answer["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        if found.is_empty() {
            say("no alerts");
        }
        out(&found.iter().map(line).collect::<String>());
        Exit::Done
    }
}

fn line(alert: &Value) -> String {
    use super::text;
    let incident = alert["incident"].as_i64().map_or_else(String::new, |id| format!("  INC-{id}"));
    let held = if alert["suppressed_by"].is_null() { "" } else { "  held back" };
    format!(
        "{}  {:<8}  {}  {}: {} ({}){incident}{held}\n",
        text(&alert["noted_at"]),
        text(&alert["status"]),
        text(&alert["source"]),
        text(&alert["service"]),
        text(&alert["title"]),
        text(&alert["key"]),
    )
}
