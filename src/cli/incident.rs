//! `onscene incident`: list, show and work on incidents, over the API of a running daemon.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::alert::{Sought, list, pairs};
use super::client::{Client, Failure, ServerFlags};
use super::export::print;
use super::follow::follow;
use super::hour::past;
use super::{Exit, out, say, text};
use crate::core::timeline::Actor;
use crate::exports::document::hours;
use crate::exports::{Form, Format};

mod board;
mod command;
mod import;
mod people;
mod shown;

/// The offices beside command.
const OFFICES: [&str; 5] = ["deputy", "pio", "safety", "liaison", "scribe"];

/// List, show and work on incidents
#[derive(Debug, Args)]
pub(super) struct Incident {
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
    /// List incidents, newest first
    List {
        /// triggered, acknowledged, mitigated, resolved or open
        #[arg(long)]
        state: Option<String>,
        /// SEV1 to SEV4
        #[arg(long)]
        severity: Option<String>,
        /// A service
        #[arg(long)]
        service: Option<String>,
        #[command(flatten)]
        sought: Sought,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one incident
    Show {
        /// Its number
        number: i64,
    },
    /// Show the timeline of an incident
    Timeline {
        /// Its number
        number: i64,
        /// Go on with what is still to come, until Ctrl-C; with --json one object a line
        #[arg(short, long)]
        follow: bool,
    },
    /// Show what is read before command passes, with its number
    Brief {
        /// Its number
        number: i64,
    },
    /// Declare an incident that no alert has opened
    Declare {
        /// What is wrong, in one line
        #[arg(allow_hyphen_values = true)]
        title: String,
        /// What is affected
        #[arg(long)]
        service: String,
        /// SEV1 to SEV4
        #[arg(long, default_value = "SEV2")]
        severity: String,
    },
    /// Acknowledge: take command if nobody has it
    Ack {
        /// Its number
        number: i64,
        /// Also page more people
        #[arg(long)]
        help_me: bool,
    },
    #[command(flatten)]
    People(people::People),
    #[command(flatten)]
    Command(command::Command),
    #[command(flatten)]
    Board(board::Board),
    /// Write something on the timeline
    Note {
        /// Its number
        number: i64,
        /// What
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// When it happened, if not now: 20m ago, 02:40, 2026-11-29T02:40 (in the zone of this terminal: $TZ, else the machine's), or
        /// with its zone (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = past)]
        occurred_at: Option<Timestamp>,
    },
    /// Put chat lines, or a mail, on the timeline, each with its own time and once
    Import(import::Import),
    /// Say that the harm has stopped
    Mitigate {
        /// Its number
        number: i64,
        /// What ended it
        #[arg(
            long,
            required_unless_present = "unexplained",
            conflicts_with = "unexplained",
            allow_hyphen_values = true
        )]
        cause: Option<String>,
        /// Nobody knows what ended it
        #[arg(long)]
        unexplained: bool,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Say that it is over
    Resolve {
        /// Its number
        number: i64,
        /// Nothing was wrong
        #[arg(long, conflicts_with = "early")]
        false_alarm: bool,
        /// It is over before the watch is, for this reason
        #[arg(long, value_name = "REASON", allow_hyphen_values = true)]
        early: Option<String>,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Make it part of another incident, with its alerts
    Merge {
        /// Its number
        number: i64,
        /// The number of the other
        #[arg(long)]
        into: i64,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Take out of it an incident that became part of it, or alerts; you command what is taken out
    Split {
        /// Its number
        number: i64,
        /// The number of an incident that became part of it
        #[arg(long, required_unless_present = "alerts", conflicts_with = "alerts")]
        incident: Option<i64>,
        /// An alert, as SOURCE/KEY; may be given more than once
        #[arg(long = "alert", value_name = "SOURCE/KEY", value_parser = alert_named)]
        alerts: Vec<(String, String)>,
        /// The term you believe is current [default: the current one]
        #[arg(long)]
        term: Option<u32>,
    },
    /// Open it again
    Reopen {
        /// Its number
        number: i64,
        /// Why
        #[arg(allow_hyphen_values = true)]
        reason: String,
    },
}

impl Incident {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        if let What::Timeline { number, follow: true } = self.what {
            return follow(&client, number, self.json);
        }
        if let (What::Brief { number }, false) = (&self.what, self.json) {
            return print(&client, *number, Form::Ics201, Format::Markdown, None);
        }
        match self.what.ask(&client) {
            Ok(answer) if self.json => {
                out(&format!("{answer}\n"));
                Exit::Done
            }
            Ok(answer) => {
                // It is done all the same, and stands beside the answer.
                if let Some(warning) = answer["warning"].as_str() {
                    say(warning);
                }
                out(&self.what.shown(&answer));
                Exit::Done
            }
            Err(exit) => exit,
        }
    }
}

/// Entries are asked for so many at a time: an answer has room for them.
const ENTRIES_AT_A_TIME: u32 = 200;

/// The timeline from its first entry to its last, however many answers that takes.
fn whole_timeline(client: &Client, number: i64) -> Result<Value, Exit> {
    let place = format!("/api/v1/incidents/{number}/timeline");
    let ask = |after: Option<u64>, most: u32| {
        let after = after.map(|seq| format!("&after={seq}")).unwrap_or_default();
        client.try_get(&format!("{place}?limit={most}{after}"))
    };
    all_entries(ask).map_err(|failure| failure.say())
}

/// Asks for entries behind one until there are no more; for fewer at a time where an answer with more of them is too long.
fn all_entries(ask: impl Fn(Option<u64>, u32) -> Result<Value, Failure>) -> Result<Value, Failure> {
    let (mut entries, mut after, mut most) = (Vec::new(), None, ENTRIES_AT_A_TIME);
    loop {
        let mut answer = match ask(after, most) {
            Err(Failure::TooLong { .. }) if most > 1 => {
                most /= 2;
                continue;
            }
            answer => answer?,
        };
        let Some(more) = answer["entries"].as_array_mut() else { break };
        let Some(last) = more.last().and_then(|last| last["seq"].as_u64()) else { break };
        after = Some(last);
        entries.append(more);
    }
    Ok(json!({"entries": entries}))
}

impl What {
    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        let verb = |number: &i64, name: &str, body: Value| verb(client, *number, name, body);
        let term = |number: &i64, term: &Option<u32>| match term {
            Some(term) => Ok(*term),
            None => current_term(client, *number),
        };
        match self {
            Self::List { state, severity, service, sought, limit } => {
                let query = pairs(&[("state", state), ("severity", severity), ("service", service)]);
                list(client, "incidents", &(query + &sought.query()), *limit)
            }
            Self::Show { number } => show(client, *number),
            Self::Timeline { number, .. } => whole_timeline(client, *number),
            Self::Brief { number } => client.get(&format!("/api/v1/incidents/{number}/brief")),
            Self::Declare { title, service, severity } => {
                let body = json!({"title": title, "service": service, "severity": severity});
                client.post("/api/v1/incidents", &body)
            }
            Self::Ack { number, help_me } => verb(number, "ack", json!({"help": help_me})),
            Self::People(people) => people.ask(client),
            Self::Command(command) => command.ask(client),
            Self::Board(board) => board.ask(client),
            Self::Import(import) => import.ask(client),
            Self::Note { number, text, occurred_at } => {
                verb(number, "note", json!({"text": text, "occurred_at": occurred_at}))
            }
            Self::Mitigate { number, cause, unexplained, term: believed } => {
                let term = term(number, believed)?;
                verb(number, "mitigate", json!({"term": term, "cause": cause, "unexplained": unexplained}))
            }
            Self::Resolve { number, false_alarm, early, term: believed } => {
                let term = term(number, believed)?;
                verb(number, "resolve", json!({"term": term, "false_alarm": false_alarm, "early": early}))
            }
            Self::Merge { number, into, term: believed } => {
                let term = maybe(term(number, believed)?);
                verb(number, "merge", json!({"into": into, "term": term}))
            }
            Self::Split { number, incident, alerts, term: believed } => {
                let term = maybe(term(number, believed)?);
                let named = |(source, key): &(String, String)| json!({"source": source, "key": key});
                let alerts = incident.is_none().then(|| alerts.iter().map(named).collect::<Vec<_>>());
                verb(number, "split", json!({"incident": incident, "alerts": alerts, "term": term}))
            }
            Self::Reopen { number, reason } => verb(number, "reopen", json!({"reason": reason})),
        }
    }

    fn shown(&self, answer: &Value) -> String {
        match self {
            Self::List { .. } => {
                let found = answer["incidents"].as_array().map(Vec::as_slice).unwrap_or_default();
                if found.is_empty() {
                    say("no incidents");
                }
                found.iter().map(|one| shown::line(one) + "\n").collect()
            }
            Self::Timeline { .. } => {
                let entries = answer["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
                entries.iter().map(entry_line).collect()
            }
            Self::Import(_) => import::told(answer),
            _ => shown::whole(answer),
        }
    }
}

/// One entry of a timeline, for people: its number, by which it is corrected; when it was recorded, and when it happened where
/// that is another second; who, and what.
pub(super) fn entry_line(entry: &Value) -> String {
    let at = |name: &str| entry[name].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let hours = match (at("at"), at("occurred_at")) {
        (Some(recorded), Some(happened)) => hours(recorded, happened),
        _ => text(&entry["at"]),
    };
    let (actor, said) = (text(&entry["actor"]), text(&entry["text"]));
    let who = Actor::from_label(&actor).map_or(actor, |actor| actor.words());
    format!("{:>4}  {hours}  {who:<22}  {said}\n", text(&entry["seq"]))
}

/// An alert, as people write it: the source has no slash in its name, a key may have any.
fn alert_named(text: &str) -> Result<(String, String), String> {
    let (source, key) = text.split_once('/').ok_or("write it as SOURCE/KEY")?;
    Ok((source.to_owned(), key.to_owned()))
}

/// No term where nobody commands.
fn maybe(term: u32) -> Option<u32> {
    (term > 0).then_some(term)
}

/// The term that acts of command carry.
#[derive(Debug, Args)]
struct Believed {
    /// The term you believe is current [default: the current one]
    #[arg(long)]
    term: Option<u32>,
}

impl Believed {
    fn term(&self, client: &Client, number: i64) -> Result<u32, Exit> {
        self.term.map_or_else(|| current_term(client, number), Ok)
    }
}

/// Asks for something to be done to an incident.
fn verb(client: &Client, number: i64, verb: &str, body: Value) -> Result<Value, Exit> {
    client.post(&format!("/api/v1/incidents/{number}/{verb}"), &body)
}

fn show(client: &Client, number: i64) -> Result<Value, Exit> {
    client.get(&format!("/api/v1/incidents/{number}"))
}

/// The term that is current, for acts that carry it when nobody names one.
fn current_term(client: &Client, number: i64) -> Result<u32, Exit> {
    // Without a Commander the daemon refuses the act and says why.
    Ok(shown::term(&show(client, number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_its_number_and_both_hours_where_there_are_two() {
        let mut entry = json!({"seq": 12, "at": "2026-11-28T02:20:00.123456Z", "occurred_at": "2026-11-28T02:20:00.9Z",
            "actor": "person:tom", "text": "both are\nmaster"});
        let line = "  12  2026-11-28T02:20:00Z  tom                     both are master\n";
        assert_eq!(entry_line(&entry), line);
        entry["occurred_at"] = json!("2026-11-28T02:14:00Z");
        let hours = "2026-11-28T02:20:00Z (happened 2026-11-28T02:14:00Z)  tom ";
        assert!(entry_line(&entry).contains(hours), "{}", entry_line(&entry));
    }

    #[test]
    fn entries_are_asked_for_fewer_at_a_time_where_an_answer_is_too_long() {
        // An answer has room for seven of these, and for none with the entry 30.
        let ask = |after: Option<u64>, most: u32, last: u64| {
            let from = after.unwrap_or(0) + 1;
            let until = last.min(from - 1 + u64::from(most));
            if until - from.min(until) >= 7 || (from..=until).contains(&30) {
                return Err(Failure::TooLong { server: "http://there".into() });
            }
            Ok(json!({"entries": (from..=until).map(|seq| json!({"seq": seq})).collect::<Vec<_>>()}))
        };
        let whole = all_entries(|after, most| ask(after, most, 29)).unwrap();
        let numbers: Vec<u64> =
            whole["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=29).collect::<Vec<_>>());
        assert!(matches!(all_entries(|after, most| ask(after, most, 40)), Err(Failure::TooLong { .. })));
    }
}
