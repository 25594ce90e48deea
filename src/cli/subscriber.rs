//! `onscene subscriber`: whose mail boxes statements go to, and how an address is forgotten.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::place::{PlaceFlags, Where};
use super::{Exit, fail, out, say};
use crate::house::House;
use crate::http::api::view;
use crate::store::subscribers::{self, LISTED_MAX};

/// List and remove those who get statements by mail
#[derive(Debug, Args)]
pub(super) struct Subscriber {
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
    /// List their addresses, the list of each, and since when
    List,
    /// Forget an address in every list, and in every letter that was or is to be written to it
    Remove {
        /// The address
        address: String,
    },
}

impl Subscriber {
    pub(super) fn run(self) -> Exit {
        let Self { place, json, what } = self;
        let place = match place.open() {
            Ok(place) => place,
            Err(exit) => return exit,
        };
        match what {
            What::List => list(&place, json),
            What::Remove { address } => match remove(&place, &address) {
                Ok(answer) if json => {
                    out(&format!("{answer}\n"));
                    Exit::Done
                }
                Ok(_) => Exit::Done,
                Err(exit) => exit,
            },
        }
    }
}

/// As many as there are, a part at a time.
fn list(place: &Where, json: bool) -> Exit {
    let (mut after, mut all) = (0, Vec::new());
    let mut many = 0_u64;
    loop {
        let part = match place {
            Where::Daemon(client) => client.get(&format!("/api/v1/subscribers?after={after}")),
            Where::Store(config, clock) => {
                super::login::on_store(config, clock, |tx| subscribers::all(tx, after, LISTED_MAX))
                    .map(|found| view::subscribers(&found))
            }
        };
        let mut part = match part {
            Ok(part) => part,
            Err(exit) => return exit,
        };
        let next = part["next"].as_i64().filter(|next| *next > after);
        for one in part["subscribers"].as_array_mut().map(std::mem::take).unwrap_or_default() {
            many += 1;
            if json { all.push(one) } else { out(&line(&one)) }
        }
        let Some(next) = next else { break };
        after = next;
    }
    if json {
        out(&format!("{}\n", json!({"subscribers": all})));
    } else if many == 0 {
        say("nobody subscribes");
    }
    Exit::Done
}

fn remove(place: &Where, address: &str) -> Result<Value, Exit> {
    match place {
        Where::Daemon(client) => client.post("/api/v1/subscribers/remove", &json!({"address": address})),
        Where::Store(config, clock) => {
            let address = address.to_lowercase();
            let house = House::without_ways(config).map_err(|why| fail(&why))?;
            let is_named = |channel: &str, address: &str| house.is_named(channel, address);
            match super::login::on_store(config, clock, |tx| subscribers::remove(tx, &address, is_named))? {
                0 => Err(fail("nobody subscribes by this address")),
                _ => Ok(json!({"removed": true})),
            }
        }
    }
}

fn line(one: &Value) -> String {
    let word = |name: &str| one[name].as_str().unwrap_or_default();
    let hour = |name: &str| {
        let at = word(name).parse::<jiff::Timestamp>().ok();
        at.map(|at| format!("{at:.0}")).unwrap_or_default()
    };
    let since = if word("state") == "confirmed" { hour("confirmed_at") } else { hour("asked_at") };
    format!("{:<40}  {:<16}  {:<9}  since {since}\n", word("address"), word("channel"), word("state"))
}
