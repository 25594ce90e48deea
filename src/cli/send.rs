//! `onscene send`: an alert from a script.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::client::{Client, ServerFlags};
use super::{Exit, out, say};

/// Waits between tries, in milliseconds; the last one goes on.
const LADDER_MS: &[u64] = &[250, 500, 1000, 2000];

/// Raise, resolve or acknowledge an alert from a script (keepalived, Nagios, cron)
#[derive(Debug, Args)]
pub(super) struct Send {
    /// A source of the kind `generic`
    source: String,
    /// What identifies the condition: the same when it fires and when it is over
    #[arg(long)]
    key: String,
    /// One line for people [default: the key]
    #[arg(long)]
    title: Option<String>,
    /// What is said
    #[arg(long, value_enum, default_value = "firing")]
    status: Status,
    /// critical, error, warning or info
    #[arg(long)]
    severity: Option<String>,
    /// More text for people
    #[arg(long)]
    body: Option<String>,
    /// A label, as NAME=VALUE; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// An address worth opening; may be given more than once
    #[arg(long = "link", value_name = "URL")]
    links: Vec<String>,
    /// Keep trying this many seconds while the daemon cannot be reached or says 503
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    /// The condition holds
    Firing,
    /// It is over
    Resolved,
    /// Somebody looks at it; that makes nobody Commander
    Acknowledged,
    /// A try-out
    Test,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
            Self::Test => "test",
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Send {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client_for_source(&self.source) {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        // The same id on every try: a try whose answer was lost is not an event of its own.
        let delivery = match crate::crypto::random_id() {
            Ok(id) => id,
            Err(error) => return super::fail(&error.to_string()),
        };
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        let mut body = json!({
            "key": self.key, "status": self.status.word(), "title": self.title.as_ref().unwrap_or(&self.key),
            "labels": labels, "links": self.links, "delivery_id": delivery,
        });
        if let Some(severity) = &self.severity {
            body["severity"] = json!(severity);
        }
        if let Some(text) = &self.body {
            body["body"] = json!(text);
        }
        self.send(&client, &body)
    }

    fn send(&self, client: &Client, body: &serde_json::Value) -> Exit {
        let path = format!("/in/{}", self.source);
        let patience = Duration::from_secs(self.wait);
        let mut waited = Duration::ZERO;
        let mut tries = 0;
        loop {
            match client.try_post(&path, body) {
                Ok(answer) => {
                    let one = &answer["results"][0];
                    if self.json {
                        out(&format!("{answer}\n"));
                    } else {
                        let outcome = one["outcome"].as_str().unwrap_or("accepted");
                        match one["incident"].as_i64() {
                            Some(incident) => out(&format!("{outcome} INC-{incident}\n")),
                            None => out(&format!("{outcome}\n")),
                        }
                    }
                    return Exit::Done;
                }
                Err(failure) if failure.passes() && waited < patience => {
                    if tries == 0 {
                        say(&format!("onscene: {failure}; trying again for {} s", self.wait));
                    }
                    let wait = Duration::from_millis(LADDER_MS[tries.min(LADDER_MS.len() - 1)]);
                    client.pause(wait);
                    waited += wait;
                    tries += 1;
                }
                Err(failure) => return failure.say(),
            }
        }
    }
}
