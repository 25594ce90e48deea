//! `onscene incident`: list, show and work on incidents, over the API of a running daemon.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::alert::{Sought, list, pairs};
use super::client::{Client, ServerFlags};
use super::condition::about;
use super::export::print;
use super::follow::follow;
use super::hours::second;
use super::{Exit, out, say, text};
use crate::exports::{Form, Format};

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
    /// Say that you are at a keyboard
    CheckIn {
        /// Its number
        number: i64,
    },
    /// Say that you cannot
    Decline {
        /// Its number
        number: i64,
    },
    /// Write something on the timeline
    Note {
        /// Its number
        number: i64,
        /// What
        text: String,
        /// When it happened, if not now (RFC 3339)
        #[arg(long)]
        occurred_at: Option<String>,
    },
    /// Say that the harm has stopped
    Mitigate {
        /// Its number
        number: i64,
        /// What ended it
        #[arg(long, required_unless_present = "unexplained", conflicts_with = "unexplained")]
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
        #[arg(long)]
        false_alarm: bool,
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
                out(&self.what.shown(&answer));
                Exit::Done
            }
            Err(exit) => exit,
        }
    }
}

/// The timeline from its first entry to its last, however many answers that takes.
fn whole_timeline(client: &Client, number: i64) -> Result<Value, Exit> {
    let place = format!("/api/v1/incidents/{number}/timeline");
    let mut whole = client.get(&place)?;
    let last = |answer: &Value| answer["entries"].as_array()?.last()?["seq"].as_u64();
    let mut after = last(&whole);
    while let Some(seq) = after {
        let mut more = client.get(&format!("{place}?after={seq}"))?;
        after = last(&more);
        if let (Some(entries), Some(more)) = (whole["entries"].as_array_mut(), more["entries"].as_array_mut())
        {
            entries.append(more);
        }
    }
    Ok(whole)
}

impl What {
    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        let verb = |number: &i64, verb: &str, body: Value| {
            client.post(&format!("/api/v1/incidents/{number}/{verb}"), &body)
        };
        let term = |number: &i64, term: &Option<u32>| match term {
            Some(term) => Ok(*term),
            None => current_term(client, *number),
        };
        match self {
            Self::List { state, severity, service, sought, limit } => {
                let query = pairs(&[("state", state), ("severity", severity), ("service", service)]);
                list(client, "incidents", &(query + &sought.query()), *limit)
            }
            Self::Show { number } => client.get(&format!("/api/v1/incidents/{number}")),
            Self::Timeline { number, .. } => whole_timeline(client, *number),
            Self::Brief { number } => client.get(&format!("/api/v1/incidents/{number}/brief")),
            Self::Declare { title, service, severity } => {
                let body = json!({"title": title, "service": service, "severity": severity});
                client.post("/api/v1/incidents", &body)
            }
            Self::Ack { number, help_me } => verb(number, "ack", json!({"help": help_me})),
            Self::CheckIn { number } => verb(number, "check-in", json!({})),
            Self::Decline { number } => verb(number, "decline", json!({})),
            Self::Note { number, text, occurred_at } => {
                verb(number, "note", json!({"text": text, "occurred_at": occurred_at}))
            }
            Self::Mitigate { number, cause, unexplained, term: believed } => {
                let term = term(number, believed)?;
                verb(number, "mitigate", json!({"term": term, "cause": cause, "unexplained": unexplained}))
            }
            Self::Resolve { number, false_alarm, term: believed } => {
                let term = term(number, believed)?;
                verb(number, "resolve", json!({"term": term, "false_alarm": false_alarm}))
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
                found.iter().map(|one| line(one) + "\n").collect()
            }
            Self::Timeline { .. } => {
                let entries = answer["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
                entries.iter().map(entry_line).collect()
            }
            _ => whole(answer),
        }
    }
}

/// One entry of a timeline, for people.
pub(super) fn entry_line(entry: &Value) -> String {
    format!("{}  {:<22}  {}\n", text(&entry["at"]), text(&entry["actor"]), text(&entry["text"]))
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

/// The term that is current, for acts that carry it when nobody names one.
fn current_term(client: &Client, number: i64) -> Result<u32, Exit> {
    let incident = client.get(&format!("/api/v1/incidents/{number}"))?;
    // Without a Commander the daemon refuses the act and says why.
    Ok(incident["commander"]["term"].as_u64().and_then(|term| u32::try_from(term).ok()).unwrap_or(0))
}

fn line(incident: &Value) -> String {
    let command = match incident["commander"]["person"].as_str() {
        Some(person) => format!("{person} has command"),
        None if incident["state"] == "resolved" => match incident["merged_into"].as_i64() {
            Some(other) => format!("part of INC-{other}"),
            None => text(&incident["resolution"]),
        },
        None => "nobody has command".into(),
    };
    let cause = match text(&incident["at_fault"]) {
        none if none.is_empty() => none,
        service => format!("; {service} is at fault"),
    };
    let storm = if incident["storm"] == true { "; a storm" } else { "" };
    format!(
        "INC-{} {} {:<12} {}: {}{cause}{storm}; {command}",
        incident["id"],
        text(&incident["severity"]),
        text(&incident["state"]),
        text(&incident["service"]),
        text(&incident["title"])
    )
}

fn whole(incident: &Value) -> String {
    let mut shown = line(incident) + "\n";
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            shown.push_str(&format!("  {name:<14}{value}\n"));
        }
    };
    for known in incident["known"].as_array().into_iter().flatten() {
        let until = second(&known["until"]);
        add("known", format!("{} ({}; until {until})", text(&known["text"]), about(known)));
    }
    add("at fault", text(&incident["at_fault"]));
    let also: Vec<String> = incident["also"].as_array().into_iter().flatten().map(text).collect();
    add("also struck", also.join(", "));
    add("storm", if incident["storm"] == true { "yes".into() } else { String::new() });
    add("part of", incident["merged_into"].as_i64().map_or(String::new(), |id| format!("INC-{id}")));
    add("opened", text(&incident["opened_at"]));
    add("acknowledged", text(&incident["acknowledged_at"]));
    add("mitigated", text(&incident["mitigated_at"]));
    add("resolved", text(&incident["resolved_at"]));
    add("term", text(&incident["commander"]["term"]));
    add("next update", text(&incident["next_update_by"]));
    for (name, value) in places(incident) {
        add(name, value);
    }
    for person in incident["responders"].as_array().into_iter().flatten() {
        add("responder", format!("{}: {}", text(&person["person"]), text(&person["status"])));
    }
    for alert in incident["alerts"].as_array().into_iter().flatten() {
        let seen =
            format!("{} ({}, {} events)", text(&alert["title"]), text(&alert["status"]), alert["count"]);
        add("alert", format!("{} {seen}", text(&alert["source"])));
    }
    shown
}

/// Where its people meet, and where else.
fn places(incident: &Value) -> Vec<(&'static str, String)> {
    let here = text(&incident["bridge"]);
    let listed: Vec<&Value> = incident["meeting"].as_array().into_iter().flatten().collect();
    let (first, others): (Vec<&Value>, Vec<&Value>) =
        listed.into_iter().partition(|place| text(&place["url"]) == here);
    let one = |place: &Value| {
        let (why, dial_in) = (text(&place["why"]), text(&place["dial_in"]));
        let name = text(&place["name"]);
        let why = if why.is_empty() { String::new() } else { format!("; {why}") };
        let dial_in = if dial_in.is_empty() { String::new() } else { format!("; by telephone: {dial_in}") };
        format!("{} ({name}{why}{dial_in})", text(&place["url"]))
    };
    let mut shown: Vec<(&str, String)> = first.into_iter().map(|place| ("meet", one(place))).collect();
    if shown.is_empty() && !here.is_empty() {
        // A daemon of the version before.
        shown.push(("meet", here));
    }
    shown.extend(others.into_iter().map(|place| ("or meet", one(place))));
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::line;

    #[test]
    fn a_line_says_who_is_at_fault_that_it_is_a_storm_and_what_it_became_part_of() {
        let mut incident = json!({
            "id": 7, "severity": "SEV1", "state": "triggered", "service": "shop", "title": "down",
            "at_fault": "lb", "storm": true,
        });
        assert_eq!(
            line(&incident),
            "INC-7 SEV1 triggered    shop: down; lb is at fault; a storm; nobody has command"
        );
        incident["state"] = json!("resolved");
        incident["resolution"] = json!("merged");
        incident["merged_into"] = json!(3);
        assert!(line(&incident).ends_with("; part of INC-3"), "{}", line(&incident));
    }
}
