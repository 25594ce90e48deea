//! `onscene silence`: what wakes nobody for a while, over the API of a running daemon.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, ServerFlags};
use super::hours::{Hours, ask_for, end, listed, second};
use super::text;
use super::{Exit, out, say};

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
        #[command(flatten)]
        hours: Hours,
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
            Self::Add { matchers, hours, comment } => {
                let mut body = json!({"matchers": matchers.join(", "), "comment": comment});
                hours.put(&mut body);
                client.post("/api/v1/silences", &body)
            }
            Self::List { all } => ask_for(client, "silences", *all),
            Self::Expire { id } => end(client, "silences", id, "expire"),
        }
    }

    fn shown(&self, answer: &Value) -> String {
        match self {
            Self::List { .. } => listed(answer, "silences", whole),
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
