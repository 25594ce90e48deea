//! What people write on the board: size-up, objective, plan, tasks, changes, requests, outside bodies, findings.

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Believed, verb};
use crate::cli::Exit;
use crate::cli::client::Client;
use crate::cli::hour::{Ahead, ahead, past};
use crate::core::board::{End, Trend};

/// Everything that stands on the board.
#[derive(Debug, Subcommand)]
pub(super) enum Board {
    /// Say what happened, how big it is, what is in danger and what is needed
    SizeUp {
        /// Its number
        number: i64,
        /// In words
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// As Commander, say what is to be achieved now
    Objective {
        /// Its number
        number: i64,
        /// In words
        #[arg(allow_hyphen_values = true)]
        text: String,
        #[command(flatten)]
        believed: Believed,
    },
    /// As Commander, say how it is to be achieved
    Plan {
        /// Its number
        number: i64,
        /// In words
        #[arg(allow_hyphen_values = true)]
        text: String,
        #[command(flatten)]
        believed: Believed,
    },
    /// Report progress: conditions, actions, needs
    Report {
        /// Its number
        number: i64,
        /// How it goes
        #[arg(value_parser = PossibleValuesParser::new(Trend::ALL.map(Trend::as_str)))]
        trend: String,
        /// In words
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        text: String,
    },
    /// As Commander or Deputy, give somebody on scene something to do
    Task {
        /// Its number
        number: i64,
        /// Whose it is
        person: String,
        /// What
        #[arg(allow_hyphen_values = true)]
        what: String,
        /// By when it is done, or said that it is not: in 20m, at the next 02:40, at 2026-11-29T02:40 (in the zone of this terminal:
        /// $TZ, else the machine's), or with its zone (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = ahead)]
        limit: Option<Ahead>,
        #[command(flatten)]
        believed: Believed,
    },
    /// Say that a task ended
    EndTask {
        /// The incident's number
        number: i64,
        /// The task's number
        task: u32,
        /// What came of it
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        text: String,
        /// How
        #[arg(long, default_value = "done", value_parser = PossibleValuesParser::new(End::ALL.map(End::as_str)))]
        how: String,
    },
    /// Say that you are changing something now
    Act {
        /// Its number
        number: i64,
        /// What
        #[arg(allow_hyphen_values = true)]
        what: String,
        /// Where
        #[arg(
            long = "where",
            value_name = "PLACE",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        place: String,
        /// How to undo it
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        undo: String,
    },
    /// Say that a change ended
    EndAct {
        /// The incident's number
        number: i64,
        /// The change's number
        change: u32,
        /// What came of it
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        text: String,
        /// How
        #[arg(long, default_value = "done", value_parser = PossibleValuesParser::new(End::ALL.map(End::as_str)))]
        how: String,
    },
    /// As Commander, allow so many changes at a time
    Allow {
        /// Its number
        number: i64,
        /// How many
        most: u32,
        #[command(flatten)]
        believed: Believed,
    },
    /// STOP, as Safety Officer: nothing further may be changed; changes in flight stay until `end-act`
    Stop {
        /// Its number
        number: i64,
        /// Why
        #[arg(allow_hyphen_values = true)]
        reason: String,
    },
    /// As Safety Officer, take the STOP back: changes may go on
    Lift {
        /// Its number
        number: i64,
        /// Why
        #[arg(allow_hyphen_values = true)]
        reason: String,
    },
    /// Ask for somebody, who is paged
    #[command(group = ArgGroup::new("whom").required(true).args(["rotation", "person", "capability"]))]
    Request {
        /// Its number
        number: i64,
        /// Whoever is on call in a rotation
        #[arg(long)]
        rotation: Option<String>,
        /// Somebody by name
        #[arg(long)]
        person: Option<String>,
        /// Somebody who can do something
        #[arg(long)]
        capability: Option<String>,
        /// What for
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        why: String,
    },
    /// Say that nobody is needed any more for a request
    EndRequest {
        /// The incident's number
        number: i64,
        /// The request's number
        request: u32,
    },
    /// Write down that an outside body was spoken with
    Contact {
        /// Its number
        number: i64,
        /// The body: a vendor, a host, an authority
        #[arg(allow_hyphen_values = true)]
        body: String,
        /// With whom, and how to reach them
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        contact: String,
        /// Their number for it
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        ticket: String,
        /// When they promised to be back: in 20m, at the next 02:40, at 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the
        /// machine's), or with its zone (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = ahead)]
        promised: Option<Ahead>,
        /// What was said
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        text: String,
        /// Nothing more is waited for
        #[arg(long)]
        closed: bool,
    },
    /// Write down what was found of one part: that it works, and is ruled out, or that it is bad
    #[command(group = ArgGroup::new("seen").required(true).args(["ok", "bad"]))]
    Find {
        /// Its number
        number: i64,
        /// The part
        #[arg(allow_hyphen_values = true)]
        component: String,
        /// What was seen
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        text: String,
        /// It works
        #[arg(long)]
        ok: bool,
        /// It does not
        #[arg(long)]
        bad: bool,
        /// Since when it is known, if not now: 20m ago, 02:40, 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's),
        /// or with its zone (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = past)]
        known_at: Option<Timestamp>,
    },
    /// As Commander, say where people meet
    #[command(group = ArgGroup::new("where").required(true).args(["place", "usual"]))]
    Meet {
        /// Its number
        number: i64,
        /// Where: an address, or the name of one of its places
        #[arg(allow_hyphen_values = true)]
        place: Option<String>,
        /// At the usual place again
        #[arg(long)]
        usual: bool,
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
    /// Say how bad it is: anybody that it is worse, the Commander that it is not as bad
    Severity {
        /// Its number
        number: i64,
        /// SEV1 to SEV4
        #[arg(value_parser = PossibleValuesParser::new(["SEV1", "SEV2", "SEV3", "SEV4"]), ignore_case = true)]
        severity: String,
        /// Why
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        reason: String,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Say that an entry of the timeline is not right; both stay
    Correct {
        /// Its number
        number: i64,
        /// The number of the entry
        entry: u32,
        /// What is right
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
}

impl Board {
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Exit> {
        match self {
            Self::SizeUp { number, text } => verb(client, *number, "size-up", json!({"text": text})),
            Self::Objective { number, text, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "objective", json!({"text": text, "term": term}))
            }
            Self::Plan { number, text, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "plan", json!({"text": text, "term": term}))
            }
            Self::Report { number, trend, text } => {
                verb(client, *number, "report", json!({"trend": trend, "text": text}))
            }
            Self::Task { number, person, what, limit, believed } => {
                let term = believed.term(client, *number)?;
                let limit = limit.as_ref().map(Ahead::told);
                let body = json!({"person": person, "what": what, "limit": limit, "term": term});
                verb(client, *number, "task", body)
            }
            Self::EndTask { number, task, text, how } => {
                verb(client, *number, "end-task", json!({"number": task, "how": how, "text": text}))
            }
            Self::Act { number, what, place, undo } => {
                verb(client, *number, "act", json!({"what": what, "where": place, "undo": undo}))
            }
            Self::EndAct { number, change, text, how } => {
                verb(client, *number, "end-act", json!({"number": change, "how": how, "text": text}))
            }
            Self::Allow { number, most, believed } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "allow", json!({"most": most, "term": term}))
            }
            Self::Stop { number, reason } => verb(client, *number, "stop", json!({"reason": reason})),
            Self::Lift { number, reason } => verb(client, *number, "lift", json!({"reason": reason})),
            Self::Request { number, rotation, person, capability, why } => {
                let body =
                    json!({"rotation": rotation, "person": person, "capability": capability, "why": why});
                verb(client, *number, "request", body)
            }
            Self::EndRequest { number, request } => {
                verb(client, *number, "end-request", json!({"number": request}))
            }
            Self::Contact { number, body, contact, ticket, promised, text, closed } => {
                let promised = promised.as_ref().map(Ahead::told);
                let said = json!({"body": body, "contact": contact, "ticket": ticket, "promised": promised,
                    "text": text, "closed": closed});
                verb(client, *number, "contact", said)
            }
            Self::Find { number, component, text, ok, known_at, .. } => {
                let said = json!({"component": component, "ok": ok, "text": text, "known_at": known_at});
                verb(client, *number, "find", said)
            }
            Self::Meet { number, place, reason, believed, .. } => {
                let term = believed.term(client, *number)?;
                verb(client, *number, "meet", json!({"where": place, "reason": reason, "term": term}))
            }
            Self::Severity { number, severity, reason, term } => {
                let said = json!({"severity": severity, "reason": reason, "term": term});
                verb(client, *number, "severity", said)
            }
            Self::Correct { number, entry, text } => {
                verb(client, *number, "correct", json!({"entry": entry, "text": text}))
            }
        }
    }
}
