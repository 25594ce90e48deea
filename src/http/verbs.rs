//! What people ask of an incident, in the words of the API, of the commands and of the forms on pages: one list, so that all
//! three can do the same.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::problem::Problem;
use crate::core::board::{End, Trend, Wanted};
use crate::core::command::{Office, Talk, Talked};
use crate::core::decide::{Act, Bid, Speech, Wish, Write};
use crate::core::incident::Severity;

/// What an act may carry. Which of it a verb takes is said by [`meant`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Said {
    pub(super) term: Option<u32>,
    pub(super) help: Option<bool>,
    pub(super) text: Option<String>,
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) cause: Option<String>,
    pub(super) unexplained: Option<bool>,
    pub(super) false_alarm: Option<bool>,
    pub(super) early: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) into: Option<i64>,
    pub(super) incident: Option<i64>,
    pub(super) alerts: Option<Vec<AlertNamed>>,
    pub(super) to: Option<String>,
    pub(super) brief: Option<u32>,
    pub(super) talk: Option<String>,
    pub(super) read_back: Option<String>,
    pub(super) office: Option<String>,
    pub(super) person: Option<String>,
    pub(super) eta: Option<Timestamp>,
    pub(super) what: Option<String>,
    #[serde(rename = "where")]
    pub(super) place: Option<String>,
    pub(super) undo: Option<String>,
    pub(super) number: Option<u32>,
    pub(super) how: Option<String>,
    pub(super) most: Option<u32>,
    pub(super) limit: Option<Timestamp>,
    pub(super) rotation: Option<String>,
    pub(super) capability: Option<String>,
    pub(super) why: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) trend: Option<String>,
    pub(super) component: Option<String>,
    pub(super) ok: Option<bool>,
    pub(super) known_at: Option<Timestamp>,
    pub(super) body: Option<String>,
    pub(super) contact: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) promised: Option<Timestamp>,
    pub(super) closed: Option<bool>,
    pub(super) entry: Option<u32>,
    pub(super) minutes: Option<u32>,
    pub(super) from: Option<String>,
}

/// An alert, by where it comes from and its key there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertNamed {
    pub(super) source: String,
    pub(super) key: String,
}

/// Every verb that [`meant`] knows.
pub(super) const VERBS: [&str; 42] = [
    "ack",
    "check-in",
    "en-route",
    "rest",
    "release",
    "decline",
    "note",
    "correct",
    "size-up",
    "objective",
    "plan",
    "report",
    "offer",
    "withdraw",
    "request-command",
    "accept",
    "refuse",
    "assume",
    "relieve",
    "heard",
    "assign",
    "give-back",
    "task",
    "end-task",
    "act",
    "end-act",
    "allow",
    "stop",
    "lift",
    "request",
    "end-request",
    "contact",
    "find",
    "meet",
    "severity",
    "mitigate",
    "resolve",
    "delegate",
    "confirm-cause",
    "hold",
    "question",
    "answer",
];

/// What a verb with its words asks for. `reopen` is the one more that an incident that is over takes.
///
/// # Errors
/// What is missing, or not understood.
pub(super) fn meant(verb: &str, said: Said) -> Result<Act, Problem> {
    let Said { term, number, entry, person, .. } = said.clone();
    let term = || {
        term.ok_or_else(|| {
            Problem::bad_request(
                "an act of command carries \"term\": the number of the tenure you believe is current",
            )
        })
    };
    let text = said.text.clone().unwrap_or_default();
    let reason = said.reason.clone().or(said.why.clone()).unwrap_or_default();
    let what = said.what.clone().unwrap_or_default();
    let needed = |value: Option<String>, name: &str| {
        value.filter(|value| !value.trim().is_empty()).ok_or_else(|| missing(name))
    };
    let numbered = || number.ok_or_else(|| missing("number"));
    Ok(match verb {
        "ack" => Act::Answer { help: said.help.unwrap_or(false) },
        "check-in" => Act::CheckIn,
        "en-route" => Act::EnRoute { eta: said.eta },
        "rest" => Act::Rest { person, term: said.term },
        "release" => Act::Release { person, term: said.term },
        // Whoever says of which office, or why, speaks of what they were offered.
        "decline" if said.office.is_none() && reason.is_empty() => Act::Decline,
        "decline" | "refuse" => {
            Act::Command(Bid::Refuse { office: maybe_office(said.office.as_deref())?, why: reason })
        }
        "note" => Act::Note { text },
        "correct" => Act::Board(Write::Correct { entry: entry.ok_or_else(|| missing("entry"))?, text }),
        "size-up" => Act::Board(Write::SizeUp { text }),
        "objective" => Act::Board(Write::Objective { text, term: term()? }),
        "plan" => Act::Board(Write::Plan { text, term: term()? }),
        "report" => {
            let word = needed(said.trend, "trend")?;
            let trend = Trend::from_word(&word)
                .ok_or_else(|| one_of("trend", &word, &Trend::ALL.map(Trend::as_str)))?;
            Act::Board(Write::Report { trend, text })
        }
        "offer" => Act::Command(Bid::Offer { to: needed(said.to, "to")?, term: term()?, reason }),
        "withdraw" => Act::Command(Bid::Withdraw),
        "request-command" => Act::Command(Bid::Wish),
        "accept" => {
            let office = maybe_office(said.office.as_deref())?;
            let talked = talked(said.talk, said.read_back)?;
            // Of command, the term says which offer is meant.
            Act::Command(match (office, talked) {
                (None, None) => Bid::Accept { office, term: Some(term()?), brief: said.brief },
                (None, Some(talked)) => Bid::TakeOver { term: term()?, brief: said.brief, talked },
                (Some(_), None) => Bid::Accept { office, term: said.term, brief: said.brief },
                (Some(_), Some(_)) => {
                    return Err(Problem::unprocessable(
                        "only command is read back, and not an office: leave \"talk\" and \"read_back\" out",
                    ));
                }
            })
        }
        "assume" => Act::Command(Bid::Assume { reason }),
        "relieve" => Act::Command(Bid::Relieve { to: needed(said.to, "to")?, reason }),
        "heard" => Act::Command(Bid::Heard { term: term()? }),
        "assign" => {
            let office = office(&needed(said.office, "office")?)?;
            Act::Command(Bid::Assign { office, person: needed(person, "person")?, term: term()? })
        }
        "give-back" => {
            let office = office(&needed(said.office, "office")?)?;
            Act::Command(Bid::Give { office, term: said.term })
        }
        "task" => Act::Board(Write::Task {
            person: needed(person, "person")?,
            what,
            limit: said.limit,
            term: term()?,
        }),
        "end-task" => Act::Board(Write::EndTask { number: numbered()?, how: end(said.how)?, text }),
        "act" => Act::Board(Write::Action {
            what,
            place: said.place.unwrap_or_default(),
            undo: said.undo.unwrap_or_default(),
        }),
        "end-act" => Act::Board(Write::EndAction { number: numbered()?, how: end(said.how)?, text }),
        "allow" => {
            let most = said.most.ok_or_else(|| missing("most"))?;
            Act::Board(Write::Allow { most, term: term()? })
        }
        "stop" => Act::Board(Write::Stop { why: reason }),
        "lift" => Act::Board(Write::Lift { why: reason }),
        "request" => Act::Board(Write::Request {
            wanted: wanted(person, said.rotation, said.capability)?,
            why: reason,
        }),
        "end-request" => Act::Board(Write::EndRequest { number: numbered()? }),
        "contact" => Act::Board(Write::Contact {
            body: needed(said.body, "body")?,
            contact: said.contact.unwrap_or_default(),
            ticket: said.ticket.unwrap_or_default(),
            promised: said.promised,
            text,
            closed: said.closed.unwrap_or(false),
        }),
        "find" => Act::Board(Write::Find {
            component: needed(said.component, "component")?,
            ok: said.ok.ok_or_else(|| missing("ok"))?,
            text,
            known_at: said.known_at,
        }),
        "meet" => {
            let place = said.place.filter(|place| !place.trim().is_empty());
            Act::Board(Write::Meet { place, why: reason, term: term()? })
        }
        "severity" => {
            let word = needed(said.severity, "severity")?;
            let severity = Severity::from_word(&word)
                .ok_or_else(|| one_of("severity", &word, &Severity::ALL.map(Severity::as_str)))?;
            Act::SetSeverity { severity, reason, term: said.term }
        }
        "mitigate" => match (said.cause, said.unexplained.unwrap_or(false)) {
            (Some(cause), false) => Act::Mitigate { term: term()?, cause: Some(cause) },
            (None, true) => Act::Mitigate { term: term()?, cause: None },
            _ => {
                return Err(Problem::unprocessable(
                    "say what ended the harm: either \"cause\": \"...\" or \"unexplained\": true",
                ));
            }
        },
        "resolve" => match (said.early, said.false_alarm.unwrap_or(false)) {
            (Some(why), false) => Act::ResolveEarly { term: term()?, why },
            (_, false_alarm) => Act::Resolve { term: term()?, false_alarm },
        },
        "reopen" => Act::Reopen { why: reason },
        "delegate" => {
            let minutes = said.minutes.ok_or_else(|| missing("minutes"))?;
            Speech::of(Wish::Delegate { length: SignedDuration::from_mins(minutes.into()), term: term()? })
        }
        "confirm-cause" => {
            Speech::of(Wish::ConfirmCause { cause: needed(said.cause, "cause")?, term: term()? })
        }
        "hold" => Speech::of(Wish::Hold { why: reason }),
        "question" => Speech::of(Wish::Ask { from: needed(said.from, "from")?, text }),
        "answer" => Speech::of(Wish::Answer { number: numbered()?, text }),
        _ => {
            return Err(Problem::not_found(format!(
                "this verb does not exist here; there are {}, reopen, merge and split",
                VERBS.join(", ")
            )));
        }
    })
}

fn missing(name: &str) -> Problem {
    Problem::unprocessable(format!("\"{name}\" is missing"))
}

fn one_of(name: &str, word: &str, all: &[&str]) -> Problem {
    Problem::unprocessable(format!("\"{name}\" is not {word}; there are {}", all.join(", ")))
}

fn office(word: &str) -> Result<Office, Problem> {
    Office::from_word(word).ok_or_else(|| one_of("office", word, &Office::ALL.map(Office::as_str)))
}

fn maybe_office(word: Option<&str>) -> Result<Option<Office>, Problem> {
    word.filter(|word| !word.is_empty() && *word != crate::core::command::COMMANDER).map(office).transpose()
}

/// What is said of how command was handed over, where anything is.
fn talked(talk: Option<String>, read_back: Option<String>) -> Result<Option<Talked>, Problem> {
    let said = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    let talk = said(talk).map(|word| {
        Talk::from_word(&word).ok_or_else(|| one_of("talk", &word, &Talk::ALL.map(Talk::as_str)))
    });
    let talked = Talked { talk: talk.transpose()?, read_back: said(read_back).unwrap_or_default() };
    Ok((talked != Talked::default()).then_some(talked))
}

/// How something ended; done where nobody says.
fn end(word: Option<String>) -> Result<End, Problem> {
    match word.as_deref() {
        None | Some("") => Ok(End::Done),
        Some(word) => End::from_word(word).ok_or_else(|| one_of("how", word, &End::ALL.map(End::as_str))),
    }
}

fn wanted(
    person: Option<String>,
    rotation: Option<String>,
    capability: Option<String>,
) -> Result<Wanted, Problem> {
    let said = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    match (said(person), said(rotation), said(capability)) {
        (Some(person), None, None) => Ok(Wanted::Person(person)),
        (None, Some(rotation), None) => Ok(Wanted::Rotation(rotation)),
        (None, None, Some(capability)) => Ok(Wanted::Capability(capability)),
        _ => Err(Problem::unprocessable(
            "say whom you need: one of \"rotation\", \"person\" and \"capability\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_list_is_known_and_says_what_it_misses() {
        let full = Said {
            term: Some(1),
            text: Some("t".into()),
            cause: Some("c".into()),
            to: Some("tom".into()),
            office: Some("safety".into()),
            person: Some("tom".into()),
            what: Some("w".into()),
            number: Some(1),
            most: Some(2),
            severity: Some("sev2".into()),
            trend: Some("same".into()),
            component: Some("vpn".into()),
            ok: Some(true),
            body: Some("the host".into()),
            entry: Some(1),
            minutes: Some(30),
            from: Some("support".into()),
            ..Said::default()
        };
        for verb in VERBS {
            assert!(meant(verb, full.clone()).is_ok(), "{verb}");
            let empty = meant(verb, Said::default());
            if let Err(problem) = empty {
                assert!(!problem.detail.contains("does not exist"), "{verb}: {}", problem.detail);
            }
        }
        let none = meant("vacate", full).unwrap_err();
        assert!(none.detail.contains("there are ack, check-in"), "{}", none.detail);
    }

    #[test]
    fn who_declines_a_page_says_nothing_more_and_who_declines_an_offer_may() {
        assert_eq!(meant("decline", Said::default()).unwrap(), Act::Decline);
        let why = Said { reason: Some("I know nothing of it".into()), ..Said::default() };
        assert!(matches!(meant("decline", why).unwrap(), Act::Command(Bid::Refuse { office: None, .. })));
        let office = Said { office: Some("scribe".into()), ..Said::default() };
        let refused = meant("decline", office).unwrap();
        assert!(matches!(refused, Act::Command(Bid::Refuse { office: Some(Office::Scribe), .. })));
    }

    #[test]
    fn who_accepts_command_may_say_how_they_spoke_and_read_back_and_who_takes_an_office_may_not() {
        let said = |talk: &str, read_back: &str, office: Option<&str>| Said {
            term: Some(1),
            talk: Some(talk.into()),
            read_back: Some(read_back.into()),
            office: office.map(str::to_owned),
            ..Said::default()
        };
        let bare = meant("accept", said("", " ", None)).unwrap();
        assert_eq!(bare, Act::Command(Bid::Accept { office: None, term: Some(1), brief: None }));
        let talked = Talked { talk: Some(Talk::Live), read_back: "orders go through".into() };
        let whole = meant("accept", said("live", "orders go through", None)).unwrap();
        assert_eq!(whole, Act::Command(Bid::TakeOver { term: 1, brief: None, talked }));
        assert!(meant("accept", said("sung", "", None)).unwrap_err().detail.contains("live, written"));
        assert!(
            meant("accept", said("live", "", Some("scribe"))).unwrap_err().detail.contains("not an office")
        );
    }

    #[test]
    fn whom_one_needs_is_said_in_one_way() {
        let two = Said { person: Some("tom".into()), rotation: Some("sre".into()), ..Said::default() };
        assert!(meant("request", two).unwrap_err().detail.contains("one of"));
    }
}
