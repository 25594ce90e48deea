//! `onscene login-link` and `onscene session`: who is signed in to the pages.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::place::{PlaceFlags, Where, failed, store};
use super::{Exit, fail, out, say, text};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::api::view;
use crate::render::Renderer;
use crate::store::sessions::{self, LINK_LASTS};
use crate::store::{Connection, StoreError, Tx};

/// Make a link that logs somebody in to the pages, once, within a quarter of an hour
#[derive(Debug, Args)]
pub(super) struct LoginLink {
    #[command(flatten)]
    place: PlaceFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A person of the configuration
    person: String,
}

impl LoginLink {
    pub(super) fn run(self) -> Exit {
        let Self { place, json, person } = self;
        let made = place.open().and_then(|place| match place {
            Where::Daemon(client) => client.post("/api/v1/login-links", &json!({"person": person})),
            Where::Store(config, clock) => link(&config, &clock, &person),
        });
        match made {
            Ok(answer) if json => out(&format!("{answer}\n")),
            Ok(answer) => {
                let minutes = LINK_LASTS.as_mins();
                say(&format!(
                    "logs {person} in, once, within {minutes} minutes; whoever has it is {person} then"
                ));
                out(&format!("{}\n", text(&answer["url"])));
            }
            Err(exit) => return exit,
        }
        Exit::Done
    }
}

fn link(config: &Config, clock: &Clock, person: &str) -> Result<Value, Exit> {
    let people = &config.rules.people;
    if !people.contains_key(person) {
        let known: Vec<&str> = people.keys().map(String::as_str).collect();
        return Err(fail(&format!(
            "{person} is no person of the configuration; there are {}",
            known.join(", ")
        )));
    }
    let renderer =
        Renderer::new(None, &config.server.external_url).map_err(|error| fail(&error.to_string()))?;
    let secret = crate::crypto::random_secret().map_err(|error| fail(&error.to_string()))?;
    let now = clock.now();
    match on_store(config, clock, |tx| sessions::put_link(tx, &secret, person, false))? {
        Ok(()) => {}
        Err(_) => {
            let what = "as many login links of this person wait to be used as may; use one of them, or wait a quarter of an hour";
            return Err(fail(what));
        }
    }
    let ends = now.saturating_add(LINK_LASTS).map_err(|error| fail(&error.to_string()))?;
    Ok(json!({"person": person, "url": renderer.login_url(&secret, None), "ends_at": ends}))
}

/// List and end logins to the pages
#[derive(Debug, Args)]
pub(super) struct Session {
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
    /// List who is logged in, since when, by what, and when they came last, some minutes exactly
    List,
    /// End one at once, or all of a person, with their login links; the links in their pages log them in no more
    Revoke {
        /// Its id, as `list` shows it
        #[arg(required_unless_present = "person", conflicts_with = "person")]
        id: Option<String>,
        /// All of this person
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
    },
}

impl Session {
    pub(super) fn run(self) -> Exit {
        let Self { place, json, what } = self;
        let asked = place.open().and_then(|place| match place {
            Where::Daemon(client) => match &what {
                What::List => client.get("/api/v1/sessions"),
                What::Revoke { person: Some(person), .. } => {
                    client.post("/api/v1/sessions/revoke", &json!({"person": person}))
                }
                What::Revoke { id, .. } => {
                    let id = id.as_deref().unwrap_or_default();
                    // An id is of letters and digits; anything else is none, and must not lead to another address.
                    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                        return Err(unknown(id));
                    }
                    client.post(&format!("/api/v1/sessions/{id}/revoke"), &json!({}))
                }
            },
            Where::Store(config, clock) => match &what {
                What::List => {
                    let found = on_store(&config, &clock, sessions::list)?;
                    Ok(json!({"sessions": found.iter().map(view::session).collect::<Vec<_>>()}))
                }
                What::Revoke { person: Some(person), .. } => {
                    on_store(&config, &clock, |tx| sessions::end_all(tx, person))?;
                    Ok(json!({"person": person, "revoked": true}))
                }
                What::Revoke { id, .. } => {
                    let id = id.as_deref().unwrap_or_default();
                    match on_store(&config, &clock, |tx| sessions::end(tx, id))? {
                        true => Ok(json!({"id": id, "revoked": true})),
                        false => Err(unknown(id)),
                    }
                }
            },
        });
        match asked {
            Ok(answer) if json => out(&format!("{answer}\n")),
            Ok(answer) => answer["sessions"].as_array().into_iter().flatten().for_each(tell),
            Err(exit) => return exit,
        }
        Exit::Done
    }
}

pub(super) fn on_store<T>(
    config: &Config,
    clock: &Clock,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, Exit> {
    let opened = store(config).and_then(|place| Connection::writer(&place, clock));
    opened.and_then(|mut store| store.write(clock.now(), work)).map_err(|error| failed(&error))
}

fn unknown(id: &str) -> Exit {
    fail(&format!("no session that lasts has the id {id}"))
}

fn tell(one: &Value) {
    let holder = match one["person"].as_str() {
        Some(name) => format!("person {name}"),
        None => format!("automation {}", text(&one["automation"])),
    };
    let hour = |value: &Value| {
        let at = value.as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        at.map(|at| format!("{at:.0}")).unwrap_or_default()
    };
    let by = match (one["made_of"].as_str(), one["incident"].as_i64()) {
        (Some("answer_link"), Some(incident)) => format!("by the answer link of INC-{incident}"),
        (Some("login_link"), _) => "by a login link".to_owned(),
        _ if !one["token"].is_null() => "by a token".to_owned(),
        _ => "by a link".to_owned(),
    };
    let (since, used) = (hour(&one["created_at"]), hour(&one["used_at"]));
    out(&format!("{}  {holder:<24}  since {since}  used {used}  {by}\n", text(&one["id"])));
}
