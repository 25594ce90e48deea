//! The timeline: the facts an incident is made of.
//!
//! An entry is one line: when it was recorded, when it happened, who did it, holding which office and
//! term, by which route, and the fact itself. Entries are never changed; a correction is a new entry.

use jiff::{SignedDuration, Timestamp};

use super::board::Put;
use super::command::{Pace, Turn};
use super::correlate::Because;
use super::incident::{CommandReason, Resolution, ResponderStatus, Severity};
use super::voice::Say;
use super::words;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The daemon itself: it pages, records, times, reminds and announces. It never commands.
    Dispatch,
    /// A monitoring tool, by the source's name.
    Source(String),
    /// A human, by name.
    Person(String),
    /// A program with a token of its own; it can never hold an office.
    Automation(String),
}

impl Actor {
    /// `dispatch`, `source:NAME`, `person:NAME` or `automation:NAME`.
    pub fn label(&self) -> String {
        match self {
            Self::Dispatch => "dispatch".into(),
            Self::Source(name) => format!("source:{name}"),
            Self::Person(name) => format!("person:{name}"),
            Self::Automation(name) => format!("automation:{name}"),
        }
    }

    /// Reads what [`Actor::label`] wrote.
    pub fn from_label(label: &str) -> Option<Self> {
        if label == "dispatch" {
            return Some(Self::Dispatch);
        }
        let (kind, name) = label.split_once(':')?;
        match kind {
            "source" => Some(Self::Source(name.into())),
            "person" => Some(Self::Person(name.into())),
            "automation" => Some(Self::Automation(name.into())),
            _ => None,
        }
    }

    /// The bare name; `onscene` for the daemon.
    pub fn name(&self) -> &str {
        match self {
            Self::Dispatch => "onscene",
            Self::Source(name) | Self::Person(name) | Self::Automation(name) => name,
        }
    }

    /// The person, when it is one.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person(name) => Some(name),
            _ => None,
        }
    }
}

/// The way an act came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A webhook.
    Webhook,
    /// The answer link of a page.
    AnswerLink,
    /// A mail that answers a letter, or tells what became of it.
    Mail,
    /// A text message that answers a page.
    Sms,
    /// A key that was pressed during a call.
    Voice,
    /// A button under a page in a chat.
    Chat,
    /// A form of a page of somebody who is logged in.
    Page,
    /// The API, and so the commands.
    Api,
    /// The daemon's own clock or delivery.
    Daemon,
}

impl Route {
    /// The word used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::AnswerLink => "answer_link",
            Self::Mail => "mail",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Chat => "chat",
            Self::Page => "page",
            Self::Api => "api",
            Self::Daemon => "daemon",
        }
    }

    /// Reads what [`Route::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Webhook,
            Self::AnswerLink,
            Self::Mail,
            Self::Sms,
            Self::Voice,
            Self::Chat,
            Self::Page,
            Self::Api,
            Self::Daemon,
        ];
        all.into_iter().find(|route| route.as_str() == word)
    }

    /// Whether it answers a page as the link of it does: for one person, and until the incident is over.
    pub fn answers_a_page(self) -> bool {
        matches!(self, Self::AnswerLink | Self::Sms | Self::Voice | Self::Chat)
    }
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number within the incident, from 1, without gaps.
    pub seq: u32,
    /// When it was recorded, by the daemon's clock.
    pub at: Timestamp,
    /// When it is said to have happened.
    pub occurred_at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The office the actor held: `commander`, the word of another, or nothing.
    pub office: Option<&'static str>,
    /// The term at that moment; `None` before the first Commander.
    pub term: Option<u32>,
    /// By which way.
    pub route: Route,
    /// What.
    pub fact: Fact,
}

/// Somebody who was on an incident that became part of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Who.
    pub person: String,
    /// Doing what.
    pub status: ResponderStatus,
    /// How often they were paged.
    pub pages: u32,
    /// How often before that incident was over last.
    pub pages_before: u32,
    /// They were told, and need not answer.
    pub watching: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The incident was opened. Always the first entry.
    Opened {
        /// One line.
        title: String,
        /// What is affected.
        service: String,
        /// How bad.
        severity: Severity,
        /// The values of the labels that its service is grouped by; none when it is not.
        group: Option<String>,
        /// By a human, and not by an alert: only people say that it is over.
        declared: bool,
    },
    /// An alert of this incident fires.
    AlertJoined {
        /// Where it comes from.
        source: String,
        /// Its key there.
        key: String,
        /// One line.
        title: String,
        /// It belonged to the incident before.
        refired: bool,
        /// The service it is about, when that is not the incident's own.
        service: Option<String>,
        /// Why it belongs here, when it is neither the first nor the same as one that does.
        because: Option<Because>,
        /// It flaps, and opens again what people ended: nobody is woken for it before this hour. Of older versions: nobody
        /// else is.
        not_before: Option<Timestamp>,
        /// It flaps: the next round of the policy does not begin before this hour.
        rests_until: Option<Timestamp>,
    },
    /// An alert of this incident changes again and again. Said once, until it is calm.
    AlertFlaps {
        /// Where it comes from.
        source: String,
        /// Its key there.
        key: String,
        /// How often it changed.
        changes: u32,
        /// Since when.
        since: Timestamp,
    },
    /// The service at fault was found: it leads from now on.
    CauseFound {
        /// The service.
        service: String,
        /// The values of the labels that it is grouped by; none when it is not.
        group: Option<String>,
    },
    /// More incidents came than people can look at: whatever comes next belongs here too.
    StormBegan,
    /// It is worse than it was.
    SeverityRaised {
        /// How bad it was.
        from: Severity,
        /// How bad it is.
        to: Severity,
        /// So long after a sign of life who commands is asked for the next one, from now on.
        sign_after: Option<SignedDuration>,
        /// When they are asked for reports, from now on.
        pace: Option<Pace>,
        /// Why somebody said so; empty where an alert did.
        why: String,
    },
    /// The Commander says that it is not as bad as it was thought to be.
    SeverityLowered {
        /// How bad it was.
        from: Severity,
        /// How bad it is.
        to: Severity,
        /// Why.
        why: String,
        /// So long after a sign of life who commands is asked for the next one, from now on.
        sign_after: Option<SignedDuration>,
        /// When they are asked for reports, from now on.
        pace: Option<Pace>,
    },
    /// Nobody is woken yet: what it depends on may say first that it is the cause.
    Held {
        /// Until when.
        until: Timestamp,
    },
    /// It became part of another. Its alerts are that one's.
    Merged {
        /// Of which.
        into: i64,
        /// How many alerts went there.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
    },
    /// Another became part of this one, with its alerts.
    TookIn {
        /// Which.
        incident: i64,
        /// Its title.
        title: String,
        /// Its service.
        service: String,
        /// How many alerts came.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
        /// Who was on it.
        responders: Vec<Joined>,
        /// A human had declared it.
        declared: bool,
        /// Who went along with those who were woken for it, and was told.
        shadows: Vec<String>,
    },
    /// Some of its alerts are another incident's again, or for the first time.
    SplitOff {
        /// Which.
        into: i64,
        /// How many alerts went.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
        /// Set when none that fires is left and nobody has the incident: it clears itself then.
        quiet_until: Option<Timestamp>,
    },
    /// Alerts came back, or came, from another incident.
    SplitFrom {
        /// Which.
        incident: i64,
        /// How many alerts came.
        alerts: u32,
        /// How many of them fire.
        firing: u32,
    },
    /// An alert of this incident recovered, or is none of this incident any more.
    AlertRecovered {
        /// Where it comes from.
        source: String,
        /// Its key there.
        key: String,
        /// Set when it was the last one and nobody has the incident: it clears itself then.
        quiet_until: Option<Timestamp>,
        /// Its source did not say so: it only stopped saying that the alert of this title fires.
        timed_out: Option<String>,
        /// It fires on, and is counted elsewhere: where, in words.
        left: Option<String>,
        /// It flaps: the incident does not clear itself before this hour.
        calm_at: Option<Timestamp>,
    },
    /// Acknowledged at the source; makes nobody Commander.
    SourceAcknowledged {
        /// Where.
        source: String,
        /// Which alert.
        key: String,
    },
    /// The escalation moved to a step.
    Escalated {
        /// How often the steps have begun anew.
        round: u32,
        /// Index of the step.
        step: u32,
        /// The steps ran out.
        last_resort: bool,
        /// Who is paged now and may answer.
        awaiting: Vec<String>,
        /// When the next step is due.
        due: Timestamp,
        /// When those who have not answered are reminded before that.
        reminders: Vec<Timestamp>,
        /// Who goes along with them and is told, once, without having to answer.
        shadows: Vec<String>,
    },
    /// The policy names nobody at this hour.
    NobodyToPage,
    /// An hour lay further ahead than any wait there is: the clock, or the rules, were not those of now.
    Rescheduled {
        /// When it is looked at instead.
        due: Timestamp,
    },
    /// A page was written to the outbox.
    Paged {
        /// Who.
        person: String,
        /// How often they were paged, from 1.
        attempt: u32,
        /// Why: see [`super::letter::Why`].
        why: String,
        /// Who commands is asked for a sign of life: until when it is waited for.
        sign_due: Option<Timestamp>,
    },
    /// A page did not reach somebody.
    Unreachable {
        /// Who.
        person: String,
        /// What was answered.
        why: String,
    },
    /// Somebody paged cannot.
    Declined {
        /// Who.
        person: String,
    },
    /// A human answered.
    Acknowledged {
        /// Who.
        person: String,
    },
    /// A human is at a keyboard.
    CheckedIn {
        /// Who.
        person: String,
    },
    /// A human is on the way to a keyboard.
    EnRoute {
        /// Who.
        person: String,
        /// When they say they will be there.
        eta: Option<Timestamp>,
    },
    /// A human who is on scene has to rest.
    Resting {
        /// Who.
        person: String,
    },
    /// A human may go, and goes.
    Released {
        /// Who.
        person: String,
    },
    /// Something about offices, or about command, that passes or does not.
    Command(Turn),
    /// Something was put on the board.
    Board(Put),
    /// Something was said, or happened to what is to be said.
    Voice(Say),
    /// Somebody has command from now on, and nobody had it before.
    CommandTaken {
        /// Who.
        person: String,
        /// The new term.
        term: u32,
        /// Why.
        reason: CommandReason,
        /// So long after a sign of life they are asked for the next one; `None`: never.
        sign_after: Option<SignedDuration>,
        /// When they are asked for reports; `None`: never.
        pace: Option<Pace>,
    },
    /// The Commander asked for more people, or gave no sign of life.
    HelpCalled {
        /// Who is paged for it.
        paged: Vec<String>,
        /// Who commands gave no sign of life: when that is looked at again.
        sign_due: Option<Timestamp>,
    },
    /// The PIO was called.
    PioCalled {
        /// Who.
        person: String,
        /// When the next one is, unless they come. Older versions do not say so.
        due: Option<Timestamp>,
    },
    /// A first statement was written down as a draft.
    StatementDrafted {
        /// Its words; internal.
        text: String,
    },
    /// The next internal update was promised.
    Promised {
        /// For when.
        by: Timestamp,
    },
    /// The harm stopped.
    Mitigated {
        /// What did it; `None` is "unexplained".
        cause: Option<String>,
    },
    /// An alert fired again after mitigation: acknowledged again, same Commander.
    Relapsed {
        /// So long after a sign of life they are asked for the next one; `None`: never.
        sign_after: Option<SignedDuration>,
        /// When they are asked for reports; `None`: never.
        pace: Option<Pace>,
    },
    /// Over.
    Resolved {
        /// How.
        resolution: Resolution,
    },
    /// Open again.
    Reopened {
        /// Why.
        why: String,
        /// Who was paged before knows that it was over, and has not heard of this. Older versions do not say so.
        anew: bool,
        /// Nobody who was on it is any more. Older versions do not say so.
        left: bool,
    },
    /// Somebody wrote something down.
    Note {
        /// What.
        text: String,
    },
    /// A letter reached its end.
    Delivered {
        /// `page`, `notice`, `pio_page` or `status`.
        what: String,
        /// The person's or channel's name.
        to: String,
        /// `accepted`, `refused` or `unknown`.
        outcome: String,
        /// What the other side said; empty when accepted.
        why: String,
        /// The number of the statement, when it was one.
        statement: Option<u32>,
    },
}

impl Fact {
    /// The word for the kind of entry, used in SQL and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::AlertJoined { .. } => "alert_joined",
            Self::AlertFlaps { .. } => "alert_flaps",
            Self::CauseFound { .. } => "cause_found",
            Self::StormBegan => "storm_began",
            Self::SeverityRaised { .. } => "severity_raised",
            Self::SeverityLowered { .. } => "severity_lowered",
            Self::EnRoute { .. } => "en_route",
            Self::Resting { .. } => "resting",
            Self::Released { .. } => "released",
            Self::Command(turn) => turn.kind(),
            Self::Board(put) => put.kind(),
            Self::Voice(say) => say.kind(),
            Self::Held { .. } => "held",
            Self::Merged { .. } => "merged",
            Self::TookIn { .. } => "took_in",
            Self::SplitOff { .. } => "split_off",
            Self::SplitFrom { .. } => "split_from",
            Self::AlertRecovered { .. } => "alert_recovered",
            Self::SourceAcknowledged { .. } => "source_acknowledged",
            Self::Escalated { .. } => "escalated",
            Self::NobodyToPage => "nobody_to_page",
            Self::Rescheduled { .. } => "rescheduled",
            Self::Paged { .. } => "paged",
            Self::Unreachable { .. } => "unreachable",
            Self::Declined { .. } => "declined",
            Self::Acknowledged { .. } => "acknowledged",
            Self::CheckedIn { .. } => "checked_in",
            Self::CommandTaken { .. } => "command_taken",
            Self::HelpCalled { .. } => "help_called",
            Self::PioCalled { .. } => "pio_called",
            Self::StatementDrafted { .. } => "statement_drafted",
            Self::Promised { .. } => "promised",
            Self::Mitigated { .. } => "mitigated",
            Self::Relapsed { .. } => "relapsed",
            Self::Resolved { .. } => "resolved",
            Self::Reopened { .. } => "reopened",
            Self::Note { .. } => "note",
            Self::Delivered { .. } => "delivered",
        }
    }

    /// One sentence for people.
    pub fn text(&self) -> String {
        match self {
            Self::Opened { title, service, severity, .. } => {
                format!("opened as {} on {service}: {title}", severity.as_str())
            }
            Self::AlertJoined { source, key, title, refired: true, not_before, rests_until, .. } => {
                let flaps = flapping(*not_before, *rests_until);
                format!("alert from {source} fires again: {title} ({key}){flaps}")
            }
            Self::AlertFlaps { source, key, changes, since } => format!(
                "{key} of {source} flaps: it changed {changes} times since {since:.0}. Until it is calm nobody is paged \
                 once more because it fires again, and its recovery ends nothing"
            ),
            Self::AlertJoined { source, key, title, service, because, not_before, rests_until, .. } => {
                let service = service.as_ref().map_or(String::new(), |service| format!(" on {service}"));
                let because = because.map_or(String::new(), |because| format!("; {}", because.text()));
                let flaps = flapping(*not_before, *rests_until);
                format!("alert from {source}{service} joined: {title} ({key}){because}{flaps}")
            }
            Self::CauseFound { service, .. } => format!("{service} is the cause, and leads from now on"),
            Self::StormBegan => {
                "a storm: more incidents come than people can look at, so they are this one until it is over"
                    .into()
            }
            Self::SeverityRaised { from, to, why, .. } => {
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                format!("worse than it was: {} instead of {}{why}", to.as_str(), from.as_str())
            }
            Self::SeverityLowered { from, to, why, .. } => {
                format!(
                    "not as bad as it was thought to be: {} instead of {}: {why}",
                    to.as_str(),
                    from.as_str()
                )
            }
            Self::EnRoute { person, eta: Some(eta) } => format!("{person} is on the way, there by {eta:.0}"),
            Self::EnRoute { person, eta: None } => format!("{person} is on the way"),
            Self::Resting { person } => format!("{person} rests"),
            Self::Released { person } => format!("{person} may go"),
            Self::Command(turn) => turn.text(),
            Self::Board(put) => put.text(),
            Self::Voice(say) => say.text(),
            Self::Held { until } => {
                format!(
                    "nobody is woken before {until:.0}: what it depends on may be the cause, and is waited for"
                )
            }
            Self::Merged { into, alerts, .. } => {
                format!("became part of INC-{into}, with {}", count(*alerts))
            }
            Self::TookIn { incident, title, service, alerts, .. } => {
                format!("INC-{incident} became part of this one, with {}: {service}: {title}", count(*alerts))
            }
            Self::SplitOff { into, alerts, .. } => format!("{} went to INC-{into}", count(*alerts)),
            Self::SplitFrom { incident, alerts, .. } => {
                format!("{} came from INC-{incident}", count(*alerts))
            }
            Self::AlertRecovered { source, key, quiet_until, timed_out, left, .. } => {
                let said = match (left, timed_out) {
                    (Some(left), _) => format!("{key} of {source} fires on and {left}"),
                    (None, None) => format!("{source} says {key} recovered"),
                    (None, Some(title)) => format!(
                        "{source} has not said again that {title} ({key}) fires, so it counts as recovered"
                    ),
                };
                match quiet_until {
                    None => said,
                    Some(until) => {
                        format!(
                            "{said}; everything is quiet, clears itself at {until:.0} unless it fires again"
                        )
                    }
                }
            }
            Self::SourceAcknowledged { source, key } => {
                format!("{key} was acknowledged at {source}; that makes nobody Commander")
            }
            Self::Escalated { round, step, last_resort, awaiting, due, shadows, .. } => {
                let step = match last_resort {
                    true => "last resort".to_owned(),
                    false => format!("round {}, step {}", round + 1, step + 1),
                };
                let told = if shadows.is_empty() { "" } else { "; told, without having to answer: " };
                format!("{step}: {} to answer by {due:.0}{told}{}", people(awaiting), shadows.join(", "))
            }
            Self::Rescheduled { due } => {
                format!("its hour lay further ahead than any wait; it is looked at again at {due:.0}")
            }
            Self::NobodyToPage => "the escalation policy names nobody at this hour; trying again".into(),
            Self::Paged { person, attempt, why, .. } => match why.as_str() {
                "watching" => format!("{person} is told by a page, and need not answer (page {attempt})"),
                "reminder" => format!("{person} has not answered, and is reminded (page {attempt})"),
                "silent_commander" => {
                    format!(
                        "{person} has command, gives no sign of life, and is asked for one (page {attempt})"
                    )
                }
                "doubted" => {
                    format!("{person} has command, may not know of it, and is asked (page {attempt})")
                }
                _ => format!("{person} is paged (page {attempt})"),
            },
            Self::Unreachable { person, why } => format!("the page did not reach {person}: {why}"),
            Self::Declined { person } => format!("{person} cannot take it"),
            Self::Acknowledged { person } => format!("{person} acknowledged"),
            Self::CheckedIn { person } => format!("{person} is on scene"),
            Self::CommandTaken { person, term, reason, .. } => {
                format!("{person} has command (term {term}, {})", reason.words())
            }
            Self::HelpCalled { paged, sign_due: None } if paged.is_empty() => {
                "called for help: nobody else is there".into()
            }
            Self::HelpCalled { paged, sign_due: None } => format!("called for help: {}", people(paged)),
            Self::HelpCalled { paged, sign_due: Some(_) } => {
                format!(
                    "who has command gives no sign of life, and keeps it; called for help: {}",
                    people(paged)
                )
            }
            Self::PioCalled { person, .. } => format!("{person} is called as PIO"),
            Self::StatementDrafted { text } => format!("first statement drafted: {text}"),
            Self::Promised { by } => format!("next internal update by {by:.0}"),
            Self::Mitigated { cause: Some(cause) } => format!("mitigated by: {cause}"),
            Self::Mitigated { cause: None } => "mitigated, unexplained".into(),
            Self::Relapsed { .. } => "relapsed: an alert fires again".into(),
            Self::Resolved { resolution } => format!("resolved: {}", resolution.words()),
            Self::Reopened { why, .. } => format!("open again: {why}"),
            Self::Note { text } => text.clone(),
            Self::Delivered { what, to, outcome, why, statement } => {
                let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
                let number = statement.map(|number| format!(" {number}")).unwrap_or_default();
                format!("{}{number} to {to}: {}{why}", words::letter(what), words::became(outcome))
            }
        }
    }
}

fn flapping(not_before: Option<Timestamp>, rests_until: Option<Timestamp>) -> String {
    match (not_before, rests_until) {
        (Some(until), _) => format!("; it flaps, so nobody else is woken before {until:.0}"),
        (None, Some(until)) => {
            format!("; it flaps, so nobody who was paged is paged once more before {until:.0}")
        }
        (None, None) => String::new(),
    }
}

fn count(alerts: u32) -> String {
    if alerts == 1 { "1 alert".into() } else { format!("{alerts} alerts") }
}

fn people(names: &[String]) -> String {
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}
