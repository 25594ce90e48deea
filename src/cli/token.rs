//! `onscene token`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::place::{PlaceFlags, Where, failed, store};
use super::{Exit, fail, out, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::api::view;
use crate::store::Connection;
use crate::store::tokens::{self, Holder};

/// Make, list and revoke tokens of the API
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    place: PlaceFlags,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token; it is printed once, on standard output
    Create {
        /// For this person of the configuration
        #[arg(
            long,
            value_name = "NAME",
            required_unless_present = "automation",
            conflicts_with = "automation"
        )]
        person: Option<String>,
        /// For a program, which can never hold an office
        #[arg(long, value_name = "NAME")]
        automation: Option<String>,
    },
    /// List tokens, without the tokens themselves
    List,
    /// Revoke a token at once
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
}

/// What keeps the tokens.
enum Keeper {
    Here(Box<Connection>, Box<Config>, Clock),
    Daemon(Client),
}

impl Token {
    pub(super) fn run(self) -> Exit {
        let keeper = self.place.open().and_then(|place| match place {
            Where::Daemon(client) => Ok(Keeper::Daemon(client)),
            Where::Store(config, clock) => {
                let opened = store(&config).and_then(|place| Connection::writer(&place, &clock));
                let opened = opened.map_err(|error| failed(&error))?;
                Ok(Keeper::Here(Box::new(opened), config, clock))
            }
        });
        match keeper.and_then(|mut keeper| keeper.ask(&self.what)) {
            Ok(answer) if self.json => {
                out(&format!("{answer}\n"));
                Exit::Done
            }
            Ok(answer) => {
                tell(&self.what, &answer);
                Exit::Done
            }
            Err(exit) => exit,
        }
    }
}

impl Keeper {
    /// Answers what the API answers.
    fn ask(&mut self, what: &What) -> Result<Value, Exit> {
        match (self, what) {
            (Self::Daemon(client), What::Create { person, automation }) => {
                let body = match (person, automation) {
                    (Some(person), _) => json!({"person": person}),
                    (None, automation) => json!({"automation": automation}),
                };
                client.post("/api/v1/tokens", &body)
            }
            (Self::Daemon(client), What::List) => client.get("/api/v1/tokens"),
            (Self::Daemon(client), What::Revoke { id }) => {
                // An id is of letters and digits; anything else is none, and must not lead to another address.
                if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return Err(unknown(id));
                }
                client.post(&format!("/api/v1/tokens/{id}/revoke"), &json!({}))
            }
            (Self::Here(store, config, clock), What::Create { person, automation }) => {
                let holder = holder(config, person.as_deref(), automation.as_deref())?;
                let token = crate::crypto::random_token().map_err(|error| fail(&error.to_string()))?;
                let made = store.write(clock.now(), |tx| tokens::put_api(tx, &token, &holder));
                made.map(|id| json!({"id": id, "token": token})).map_err(|error| failed(&error))
            }
            (Self::Here(store, _, clock), What::List) => {
                let found = store.read(clock.now(), tokens::list_api).map_err(|error| failed(&error))?;
                Ok(json!({"tokens": found.iter().map(view::token).collect::<Vec<_>>()}))
            }
            (Self::Here(store, _, clock), What::Revoke { id }) => {
                match store.write(clock.now(), |tx| tokens::revoke_api(tx, id)) {
                    Ok(true) => Ok(json!({"id": id, "revoked": true})),
                    Ok(false) => Err(unknown(id)),
                    Err(error) => Err(failed(&error)),
                }
            }
        }
    }
}

fn unknown(id: &str) -> Exit {
    fail(&format!("no token that works has the id {id}"))
}

/// Who a new token is for.
fn holder(config: &Config, person: Option<&str>, automation: Option<&str>) -> Result<Holder, Exit> {
    match (person, automation) {
        (Some(name), _) if !config.rules.people.contains_key(name) => {
            let known: Vec<&str> = config.rules.people.keys().map(String::as_str).collect();
            Err(fail(&format!("{name} is no person of the configuration; there are {}", known.join(", "))))
        }
        (Some(name), _) => Ok(Holder::Person(name.to_owned())),
        (None, Some(name)) => Holder::automation(name).map_err(fail),
        (None, None) => Err(Exit::Usage),
    }
}

fn tell(what: &What, answer: &Value) {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match what {
        What::Create { .. } => {
            say(&format!("token {}; it is shown only this once", word(&answer["id"])));
            out(&format!("{}\n", word(&answer["token"])));
        }
        What::Revoke { .. } => {}
        What::List => {
            for one in answer["tokens"].as_array().into_iter().flatten() {
                let holder = match one["person"].as_str() {
                    Some(name) => format!("person {name}"),
                    None => format!("automation {}", word(&one["automation"])),
                };
                let hour = |value: &Value| {
                    let at = value.as_str()?.parse::<jiff::Timestamp>().ok()?;
                    Some(format!("{at:.0}"))
                };
                let made = hour(&one["created_at"]).unwrap_or_default();
                let state = hour(&one["revoked_at"]).map_or("works".into(), |at| format!("revoked {at}"));
                out(&format!("{}  {holder:<24}  made {made}  {state}\n", word(&one["id"])));
            }
        }
    }
}
