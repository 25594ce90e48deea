//! `onscene condition`: what people are to know for a while who are woken, over the API of a running daemon.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, ServerFlags};
use super::hours::{Hours, ask_for, end, listed, second};
use super::text;
use super::{Exit, out, say};

/// Tell people who are woken what holds meanwhile
#[derive(Debug, Args)]
pub(super) struct Condition {
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
    /// Say something that stands on top of every page of a service, and of what needs it, until its hour
    Add {
        /// What people are to know, in one line: 'dc2 is down for maintenance: no failover'
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// A service it is about; may be given more than once [default: the whole house]
        #[arg(long = "service", value_name = "NAME")]
        services: Vec<String>,
        #[command(flatten)]
        hours: Hours,
    },
    /// List conditions that have not ended, the last to end first
    List {
        /// Also those that have
        #[arg(long)]
        all: bool,
    },
    /// End a condition now
    End {
        /// Its id
        id: String,
    },
}

impl Condition {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        match self.what.ask(&client) {
            Ok(answer) if self.json => out(&format!("{answer}\n")),
            Ok(answer) => out(&self.what.shown(&answer)),
            Err(exit) => return exit,
        }
        Exit::Done
    }
}

impl What {
    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::Add { text, services, hours } => {
                let mut body = json!({"text": text, "services": services});
                hours.put(&mut body);
                client.post("/api/v1/conditions", &body)
            }
            Self::List { all } => ask_for(client, "conditions", *all),
            Self::End { id } => end(client, "conditions", id, "end"),
        }
    }

    fn shown(&self, answer: &Value) -> String {
        match self {
            Self::List { .. } => listed(answer, "conditions", whole),
            Self::Add { .. } => {
                // What scripts want is the id.
                say(&format!("known until {}", second(&answer["ends_at"])));
                text(&answer["id"]) + "\n"
            }
            Self::End { .. } => whole(answer),
        }
    }
}

fn whole(condition: &Value) -> String {
    let ended = match condition["ended_by"].as_str() {
        Some(_) => format!(", ended by {}", text(&condition["ended_by"])),
        None => String::new(),
    };
    format!(
        "{} {:<7}  {}\n  {} to {}, {}: {}{ended}\n",
        text(&condition["id"]),
        text(&condition["state"]),
        about(condition),
        second(&condition["starts_at"]),
        second(&condition["ends_at"]),
        text(&condition["created_by"]),
        text(&condition["text"]),
    )
}

/// What a condition, or anything else that is known, is about.
pub(super) fn about(known: &Value) -> String {
    let services: Vec<String> = known["services"].as_array().into_iter().flatten().map(text).collect();
    if services.is_empty() { "the whole house".to_owned() } else { services.join(", ") }
}
