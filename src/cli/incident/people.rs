//! What people say of themselves, and the Commander of others.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{OFFICES, verb};
use crate::cli::Exit;
use crate::cli::client::Client;
use crate::cli::hour::{Ahead, ahead};

/// Being there, and going.
#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Say that you are at a keyboard, on scene
    CheckIn {
        /// Its number
        number: i64,
    },
    /// Say that you are on the way to a keyboard
    EnRoute {
        /// Its number
        number: i64,
        /// When you will be there: at the next 02:40, at 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's), or
        /// with its zone (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = ahead, conflicts_with = "within")]
        eta: Option<Ahead>,
        /// In how long you will be there, such as 10m
        #[arg(long = "in", value_name = "LENGTH", value_parser = ahead)]
        within: Option<Ahead>,
    },
    /// Say that you rest, or as Commander that somebody is to
    Rest {
        /// Its number
        number: i64,
        /// Who, if not you
        person: Option<String>,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Say that you go, or as Commander that somebody may
    Release {
        /// Its number
        number: i64,
        /// Who, if not you
        person: Option<String>,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Say that you cannot: to a page, an offer of command, or an office
    Decline {
        /// Its number
        number: i64,
        /// The office that you were asked to take
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(OFFICES))]
        office: Option<String>,
        /// Why you do not take what you were offered
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        reason: Option<String>,
    },
}

impl People {
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::CheckIn { number } => verb(client, *number, "check-in", json!({})),
            Self::EnRoute { number, eta, within } => {
                let eta = eta.as_ref().or(within.as_ref()).map(Ahead::told);
                verb(client, *number, "en-route", json!({"eta": eta}))
            }
            Self::Rest { number, person, term } => {
                verb(client, *number, "rest", json!({"person": person, "term": term}))
            }
            Self::Release { number, person, term } => {
                verb(client, *number, "release", json!({"person": person, "term": term}))
            }
            Self::Decline { number, office, reason } => {
                verb(client, *number, "decline", json!({"office": office, "reason": reason}))
            }
        }
    }
}
