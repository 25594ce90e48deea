//! What is written, approved and sent, over the API of a running daemon.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::hour::{Ahead, ahead};
use crate::cli::hours::second;
use crate::cli::{Exit, out, text};
use crate::core::audience::Audience;
use crate::core::voice::{Impact, Phase, Sort};

/// A statement is called by its incident's number and its own: 42-3.
#[derive(Debug, Subcommand)]
pub(super) enum Voice {
    /// Write one, or write one anew (--statement); what must not be said is refused, and everything else told
    Draft {
        /// The incident's number
        number: i64,
        /// In words; the sentence of the next update is put behind it
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// Who reads it
        #[arg(long, value_parser = PossibleValuesParser::new(Audience::ALL.map(Audience::as_str)))]
        audience: String,
        /// Which is written anew: any approval of it is void
        #[arg(long, value_name = "ID", value_parser = statement_id)]
        statement: Option<String>,
        /// Of what sort it is [default: update; closing when it is over]
        #[arg(long, value_parser = PossibleValuesParser::new(Sort::ALL.map(Sort::as_str)))]
        sort: Option<String>,
        /// How far it is [default: as the state says]
        #[arg(long, value_parser = PossibleValuesParser::new(Phase::ALL.map(Phase::as_str)))]
        phase: Option<String>,
        /// How much readers notice [default: as was said last, or as the severity says]
        #[arg(long, value_parser = PossibleValuesParser::new(Impact::ALL.map(Impact::as_str)))]
        impact: Option<String>,
        /// What the incident is called before this audience [default: the public name of its service, and "service disruption"]
        #[arg(long, allow_hyphen_values = true)]
        title: Option<String>,
        /// By when the next update comes: in 30m, at the next 02:40, or a whole hour with its zone (RFC 3339) [default: as the house has
        /// it]
        #[arg(long, value_name = "TIME", value_parser = ahead, conflicts_with = "no_next")]
        next: Option<Ahead>,
        /// Promise no next update
        #[arg(long)]
        no_next: bool,
        /// To this channel, and not to all of its audience; may be given more than once
        #[arg(long = "channel", value_name = "NAME")]
        channels: Vec<String>,
    },
    /// List the statements of an incident, or of all that are open
    List {
        /// The incident's number
        number: Option<i64>,
    },
    /// Show one: what the lint says of it now, and how each channel will show it
    Show {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
    },
    /// Say that it may go out; the approval is void when a word, the term or the situation changes
    Approve {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        #[command(flatten)]
        read: Read,
        /// The term you believe is current
        #[arg(long)]
        term: Option<u32>,
    },
    /// Say that it does not go out like this
    Return {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        /// Why
        #[arg(allow_hyphen_values = true)]
        why: String,
    },
    /// As a second person, let pass what was found in it, and say why and who agreed
    Override {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        /// Why, and who agreed
        #[arg(allow_hyphen_values = true)]
        why: String,
        #[command(flatten)]
        read: Read,
    },
    /// Send it to its channels
    Publish {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        #[command(flatten)]
        read: Read,
    },
    /// Draft what one that went out should have said; it goes where that went
    Correct {
        /// The id of the one that is wrong
        #[arg(value_parser = statement_id)]
        id: String,
        /// In words; which one is meant is put before it
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Draft that one that went out is taken back; channels that can remove it do
    Retract {
        /// The id of the one that must not be out
        #[arg(value_parser = statement_id)]
        id: String,
        /// In words
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Send one once more where it did not arrive, or where nobody knows; look there first
    Resend {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        /// To this channel alone
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
    },
    /// Say that one is not wanted any more
    Drop {
        /// Its id
        #[arg(value_parser = statement_id)]
        id: String,
        /// Why
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        why: String,
    },
    /// As Commander, let the PIO send updates without asking
    Delegate {
        /// The incident's number
        number: i64,
        /// For so many minutes; 0: no longer
        minutes: u32,
        /// The term you believe is current
        #[arg(long)]
        term: u32,
    },
    /// As Commander, say that the cause is known: from then on it may be said
    ConfirmCause {
        /// The incident's number
        number: i64,
        /// What it is, for responders
        #[arg(allow_hyphen_values = true)]
        cause: String,
        /// The term you believe is current
        #[arg(long)]
        term: u32,
    },
    /// Say hold: the holding statement does not go out by itself
    Hold {
        /// The incident's number
        number: i64,
        /// Why
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        why: String,
    },
    /// Keep a question for the PIO: it reaches no responder
    Question {
        /// The incident's number
        number: i64,
        /// What
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// Who asks
        #[arg(long)]
        from: String,
    },
    /// Say that a question has its answer, or needs none
    Answer {
        /// The incident's number
        number: i64,
        /// The question's number
        question: u32,
        /// The answer
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        text: String,
    },
}

/// A statement is called by its incident's number and its own.
fn statement_id(text: &str) -> Result<String, String> {
    let number =
        |part: &str| !part.is_empty() && part.len() <= 18 && part.bytes().all(|one| one.is_ascii_digit());
    match text.split_once('-') {
        Some((incident, own)) if number(incident) && number(own) => Ok(text.to_owned()),
        _ => Err("a statement is called by its incident's number and its own, such as 42-3".into()),
    }
}

/// Which words were read.
#[derive(Debug, clap::Args)]
pub(super) struct Read {
    /// The entry of the words you read: others are refused
    #[arg(long)]
    entry: Option<u32>,
}

impl Voice {
    pub(super) fn run(self, client: &Client, json: bool) -> Exit {
        match self.ask(client) {
            Ok(answer) if json => {
                out(&format!("{answer}\n"));
                Exit::Done
            }
            Ok(answer) => {
                out(&self.shown(&answer));
                Exit::Done
            }
            Err(exit) => exit,
        }
    }

    fn ask(&self, client: &Client) -> Result<Value, Exit> {
        let of = |id: &str, verb: &str, body: Value| {
            client.post(&format!("/api/v1/statements/{id}/{verb}"), &body)
        };
        let about = |number: &i64, verb: &str, body: Value| {
            client.post(&format!("/api/v1/incidents/{number}/{verb}"), &body)
        };
        match self {
            Self::Draft {
                number,
                text,
                audience,
                statement,
                sort,
                phase,
                impact,
                title,
                next,
                no_next,
                channels,
            } => {
                let mut body = json!({"audience": audience, "text": text, "sort": sort, "phase": phase,
                    "impact": impact, "title": title, "channels": channels});
                if let Some(next) = next {
                    body["next_by"] = json!(next.told());
                }
                if *no_next {
                    body["next"] = json!("never");
                }
                body["incident"] = json!(number);
                match statement {
                    Some(id) => of(id, "draft", body),
                    None => client.post("/api/v1/statements", &body),
                }
            }
            Self::List { number } => {
                let of = number.map(|number| format!("?incident={number}")).unwrap_or_default();
                client.get(&format!("/api/v1/statements{of}"))
            }
            Self::Show { id } => client.get(&format!("/api/v1/statements/{id}")),
            Self::Approve { id, read, term } => of(id, "approve", json!({"entry": read.entry, "term": term})),
            Self::Return { id, why } => of(id, "return", json!({"why": why})),
            Self::Override { id, why, read } => of(id, "override", json!({"why": why, "entry": read.entry})),
            Self::Publish { id, read } => of(id, "publish", json!({"entry": read.entry})),
            Self::Correct { id, text } => of(id, "correct", json!({"text": text})),
            Self::Retract { id, text } => of(id, "retract", json!({"text": text})),
            Self::Resend { id, channel } => {
                of(id, "resend", json!({"channels": channel.iter().collect::<Vec<_>>()}))
            }
            Self::Drop { id, why } => of(id, "drop", json!({"why": why})),
            Self::Delegate { number, minutes, term } => {
                about(number, "delegate", json!({"minutes": minutes, "term": term}))
            }
            Self::ConfirmCause { number, cause, term } => {
                about(number, "confirm-cause", json!({"cause": cause, "term": term}))
            }
            Self::Hold { number, why } => about(number, "hold", json!({"why": why})),
            Self::Question { number, text, from } => {
                about(number, "question", json!({"text": text, "from": from}))
            }
            Self::Answer { number, question, text } => {
                about(number, "answer", json!({"number": question, "text": text}))
            }
        }
    }

    fn shown(&self, answer: &Value) -> String {
        match self {
            Self::List { .. } => {
                let all = answer["statements"].as_array().map(Vec::as_slice).unwrap_or_default();
                if all.is_empty() { "no statements\n".to_owned() } else { all.iter().map(line).collect() }
            }
            Self::Delegate { .. } | Self::ConfirmCause { .. } | Self::Hold { .. } | Self::Answer { .. } => {
                "written down\n".to_owned()
            }
            Self::Question { .. } => format!("{}\n", text(&answer["answer"])),
            _ => whole(answer),
        }
    }
}

fn line(one: &Value) -> String {
    format!(
        "{:<8} {:<11} {:<9} {:<13} {}\n",
        text(&one["id"]),
        text(&one["audience"]),
        text(&one["stage"]),
        text(&one["phase"]),
        text(&one["title"])
    )
}

fn whole(one: &Value) -> String {
    let mut shown = line(one);
    for said in one["printed"].as_str().unwrap_or_default().lines().map(super::visible) {
        shown.push_str(&format!("    {said}\n"));
    }
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    if let Some(approval) = one["approval"].as_object() {
        let holds = if approval["holds"] == true { "" } else { "; void, for the situation has changed" };
        shown.push_str(&format!(
            "  approved by {}, {}{holds}\n",
            text(&approval["by"]),
            second(&approval["at"])
        ));
    }
    if let Some(returned) = one["returned"].as_object() {
        shown.push_str(&format!("  returned by {}: {}\n", text(&returned["by"]), text(&returned["why"])));
    }
    for found in each(&one["findings"]) {
        shown.push_str(&format!(
            "  {} ({}, in the {}): {}\n",
            text(&found["rule"]),
            text(&found["weight"]),
            text(&found["place"]),
            text(&found["why"])
        ));
    }
    for reached in each(&one["reached"]) {
        shown.push_str(&format!("  {}: {}\n", text(&reached["channel"]), text(&reached["outcome"])));
    }
    shown
}
