//! Command and the other offices: offered, taken, handed over, given back.

use std::io::IsTerminal as _;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Believed, OFFICES, show, shown, verb};
use crate::cli::client::Client;
use crate::cli::{Exit, fail, say};

/// How who hands over and who takes over speak with each other.
const TALK: [&str; 2] = ["live", "written"];

/// Passing command, and the other offices.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Offer command to somebody on scene; you have it until they accept
    Offer {
        /// Its number
        number: i64,
        /// To whom
        person: String,
        /// Why
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        reason: String,
        #[command(flatten)]
        believed: Believed,
    },
    /// Take your offer of command back
    Withdraw {
        /// Its number
        number: i64,
    },
    /// Say that you are ready to take command, and ask for it
    #[command(name = "request-command")]
    Wish {
        /// Its number
        number: i64,
    },
    /// Accept the command that you are offered, after reading the brief; or an office
    Accept {
        /// Its number
        number: i64,
        /// The office that you were asked to take, if not command
        #[arg(long, value_parser = PossibleValuesParser::new(OFFICES))]
        office: Option<String>,
        /// Do not ask whether you have read the brief
        #[arg(long)]
        yes: bool,
        /// The number of a brief that you have read elsewhere; none is printed then
        #[arg(long, value_name = "ENTRY")]
        brief: Option<u32>,
        #[command(flatten)]
        talked: Talked,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Take command from who is not on scene, or has given no sign of life past the lease
    Assume {
        /// Its number
        number: i64,
        /// Why
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        reason: String,
    },
    /// Order, as an administrator, that somebody else takes command; it passes when they accept
    Relieve {
        /// Its number
        number: i64,
        /// Who takes it
        person: String,
        /// Why
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        reason: String,
    },
    /// Say that you know who has command now
    Heard {
        /// Its number
        number: i64,
        #[command(flatten)]
        believed: Believed,
    },
    /// Ask somebody to take an office; it is theirs when they accept
    Assign {
        /// Its number
        number: i64,
        /// Which
        #[arg(value_parser = PossibleValuesParser::new(OFFICES))]
        office: String,
        /// Who
        person: String,
        #[command(flatten)]
        believed: Believed,
    },
    /// Give an office back, or as Commander take it back; it is the Commander's then
    GiveBack {
        /// Its number
        number: i64,
        /// Which
        #[arg(value_parser = PossibleValuesParser::new(OFFICES))]
        office: String,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
}

/// How command is handed over, as who takes it says. The daemon is told what was said, and no more: one of an older version knows
/// nothing of it.
#[derive(Debug, Args)]
pub(super) struct Talked {
    /// Whether you speak with who hands over (live) or write (written)
    #[arg(long, value_parser = PossibleValuesParser::new(TALK), conflicts_with = "office")]
    talk: Option<String>,
    /// Read back: the objective, the worst hazard, the change in flight, the next promise, and whom you ask first
    #[arg(long, value_name = "TEXT", conflicts_with = "office")]
    read_back: Option<String>,
}

impl Command {
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::Offer { number, person, reason, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "offer", json!({"to": person, "term": term, "reason": reason}))
            }
            Self::Withdraw { number } => verb(client, *number, "withdraw", json!({})),
            Self::Wish { number } => verb(client, *number, "request-command", json!({})),
            Self::Accept { number, office: Some(office), term, .. } => {
                verb(client, *number, "accept", json!({"office": office, "term": term}))
            }
            Self::Accept { number, office: None, yes, brief, talked, term } => {
                accept(client, *number, *yes, *brief, talked, *term)
            }
            Self::Assume { number, reason } => verb(client, *number, "assume", json!({"reason": reason})),
            Self::Relieve { number, person, reason } => {
                verb(client, *number, "relieve", json!({"to": person, "reason": reason}))
            }
            Self::Heard { number, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "heard", json!({"term": term}))
            }
            Self::Assign { number, office, person, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "assign", json!({"office": office, "person": person, "term": term}))
            }
            Self::GiveBack { number, office, term } => {
                verb(client, *number, "give-back", json!({"office": office, "term": term}))
            }
        }
    }
}

/// Accepts command. What is accepted is the brief that was shown, and the term of that moment: when either has moved meanwhile, the
/// daemon says so.
fn accept(
    client: &Client,
    number: i64,
    yes: bool,
    brief: Option<u32>,
    talked: &Talked,
    term: Option<u32>,
) -> Result<Value, Exit> {
    let incident = show(client, number)?;
    let term = term.unwrap_or_else(|| shown::term(&incident));
    let brief = match brief {
        Some(read) => json!(read),
        // Where nothing is offered, the daemon says so.
        None if !incident["offer"].is_object() => Value::Null,
        None => {
            // What a program reads is the answer.
            say(shown::whole(&incident).trim_end());
            if std::io::stdin().is_terminal() && !yes {
                confirm(&incident)?;
            }
            incident["brief"].clone()
        }
    };
    let mut body = json!({"term": term, "brief": brief});
    for (name, said) in [("talk", &talked.talk), ("read_back", &talked.read_back)] {
        if let Some(said) = said {
            body[name] = said.as_str().into();
        }
    }
    verb(client, number, "accept", body)
}

fn confirm(incident: &Value) -> Result<(), Exit> {
    say(&format!(
        "You will have command of INC-{} from that moment on. Write yes to accept:",
        incident["id"]
    ));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    match read {
        Ok(_) if line.trim().eq_ignore_ascii_case("yes") => Ok(()),
        _ => Err(fail("not accepted; who has command keeps it")),
    }
}
