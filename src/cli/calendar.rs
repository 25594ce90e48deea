//! `onscene oncall calendar`: private addresses under which a calendar program follows who is on call.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::hours::{end, listed, second};
use super::{Exit, say, text};

/// Make, list and revoke private addresses of calendars; one is printed once, on standard output
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(super) struct Calendar {
    /// Of everybody's turns in this rotation
    #[arg(long, value_name = "NAME", conflicts_with = "person")]
    rotation: Option<String>,
    /// Of this person's turns in all rotations
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the addresses, without their secrets
    List,
    /// Revoke an address: whoever follows it sees nothing from now on
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
}

impl Calendar {
    /// Asks the daemon.
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match (&self.what, &self.rotation, &self.person) {
            (Some(What::List), ..) => client.get("/api/v1/calendars"),
            (Some(What::Revoke { id }), ..) => end(client, "calendars", id, "revoke"),
            (None, Some(rotation), _) => client.post("/api/v1/calendars", &json!({"rotation": rotation})),
            (None, None, person) => client.post("/api/v1/calendars", &json!({"person": person})),
        }
    }

    /// What it answered, for people.
    pub(super) fn shown(&self, answer: &Value) -> String {
        match &self.what {
            Some(What::List) => listed(answer, "calendars", whole),
            Some(What::Revoke { .. }) => String::new(),
            None => {
                let id = text(&answer["id"]);
                say(&format!(
                    "calendar {id}; its address is shown only this once, and whoever knows it sees the calendar"
                ));
                text(&answer["url"]) + "\n"
            }
        }
    }
}

fn whole(link: &Value) -> String {
    let of = match link["rotation"].as_str() {
        Some(_) => format!("rotation {}", text(&link["rotation"])),
        None => format!("person {}", text(&link["person"])),
    };
    let state = match &link["revoked_at"] {
        Value::Null => "works".to_owned(),
        at => format!("revoked {}", second(at)),
    };
    let (id, by, at) = (text(&link["id"]), text(&link["created_by"]), second(&link["created_at"]));
    format!("{id}  {of:<24}  made {at} by {by}  {state}\n")
}
