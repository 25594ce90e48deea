//! What is taken out of an incident: itself, its timeline, and what a form needs to know beside them; and what follows of
//! the entries alone: how long it was how bad, who commanded, who held which office.
//!
//! Words of an entry are those that were written beside it then; what it means is its fact.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::document::{Document, Section, hour, hours};
use super::later::{Ever, Later};
use crate::core::board::{Action, End, Put};
use crate::core::command::{Office, Turn};
use crate::core::condition::Known;
use crate::core::incident::{CommandReason, Incident};
use crate::core::letter::Why;
use crate::core::meeting::Meeting;
use crate::core::rules::Rules;
use crate::core::timeline::{Actor, Entry, Fact};
use crate::store::alerts::Shown;
use crate::store::timeline::Kept;

/// An incident as a form sees it.
#[derive(Clone)]
pub struct Taken<'a> {
    /// Itself.
    pub incident: &'a Incident,
    /// Its whole timeline, in order.
    pub entries: &'a [Kept],
    /// What was said later of its entries.
    pub later: Later<'a>,
    /// Its alerts.
    pub alerts: &'a [Shown],
    /// Where its people meet.
    pub meeting: &'a Meeting,
    /// What is known that concerns it.
    pub known: &'a [Known],
    /// The house.
    pub rules: &'a Rules,
    /// The hour.
    pub at: Timestamp,
    /// For whom.
    pub by: &'a str,
}

impl Taken<'_> {
    /// `INC-7 checkout down`.
    pub fn name(&self) -> String {
        format!("INC-{} {}", self.incident.id, self.incident.title)
    }

    /// When it ended, if it has.
    pub fn ended(&self) -> Option<Timestamp> {
        self.incident.resolution().map(|(_, at)| at)
    }

    /// `part of INC-3 since 2026-11-23T02:00:00Z`, of one that became part of another and is not over: that one goes on.
    pub fn part_of(&self) -> Option<String> {
        Some(format!("part of INC-{} since {}", self.incident.merged_into?, hour(self.ended()?)))
    }

    /// A form of one that became part of another says so before anything else.
    pub fn begun(&self, document: Document) -> Document {
        let Some((into, part_of)) = self.incident.merged_into.zip(self.part_of()) else { return document };
        let text = format!("This incident is {part_of}. What came after that is told there: see INC-{into}.");
        document.with(Section::new(&format!("Part of INC-{into}")).text(text))
    }

    /// Every change that was announced, and every task that was given.
    pub fn ever(&self) -> Ever {
        Ever::of(self.entries)
    }

    /// The newest entry that says something, as what was said later of it is put behind its words.
    pub fn beside_last(&self, says: impl Fn(&Fact) -> bool) -> String {
        let last = self.entries.iter().rev().find(|kept| says(&kept.entry.fact));
        last.map(|kept| self.later.beside(kept.entry.seq)).unwrap_or_default()
    }

    /// From when to when it is told.
    pub fn period(&self) -> String {
        let until = match self.ended() {
            Some(at) => match self.incident.merged_into {
                Some(other) => format!("{} (part of INC-{other} since then)", hour(at)),
                None => hour(at),
            },
            None => format!("{} (open)", hour(self.at)),
        };
        format!("{} to {until}", hour(self.incident.opened_at))
    }

    /// Its services: the one that leads first.
    pub fn services(&self) -> String {
        let incident = self.incident;
        let mut all = vec![incident.leads().to_owned()];
        if incident.cause.is_some() {
            all[0].push_str(" (at fault)");
            if !incident.also.contains(&incident.service) {
                all.push(incident.service.clone());
            }
        }
        all.extend(incident.also.iter().cloned());
        all.join(", ")
    }

    /// A person with their full name, where it is known.
    pub fn person(&self, name: &str) -> String {
        match self.rules.people.get(name) {
            Some(known) if !known.full_name.is_empty() => format!("{} ({name})", known.full_name),
            _ => name.to_owned(),
        }
    }

    /// Who filled the form.
    pub fn prepared(&self) -> String {
        format!("onscene for {}, {}", self.person(self.by), hour(self.at))
    }

    /// Times in which something was so, of what the entries say began then.
    fn spans(&self, begins: impl Fn(&Entry) -> Option<Option<&'static str>>) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for kept in self.entries {
            let Some(begun) = begins(&kept.entry) else { continue };
            if let Some(last) = spans.last_mut()
                && last.to.is_none()
            {
                last.to = Some(kept.entry.at);
            }
            spans.extend(begun.map(|word| Span { word, from: kept.entry.at, to: None }));
        }
        spans
    }

    /// How bad it was when, while it was open.
    pub fn severities(&self) -> Vec<Span> {
        let mut last = None;
        let mut begins = Vec::new();
        for kept in self.entries {
            let begun = match &kept.entry.fact {
                Fact::Opened { severity, .. } => Some(Some(*severity)),
                Fact::SeverityRaised { to, .. } | Fact::SeverityLowered { to, .. } => Some(Some(*to)),
                Fact::Resolved { .. } | Fact::Merged { .. } => Some(None),
                Fact::Reopened { .. } => Some(last),
                _ => None,
            };
            if let Some(Some(severity)) = begun {
                last = Some(severity);
            }
            begins.push((kept.entry.seq, begun));
        }
        let begins: BTreeMap<u32, _> = begins.into_iter().collect();
        self.spans(|entry| {
            begins.get(&entry.seq)?.map(|known| known.map(crate::core::incident::Severity::as_str))
        })
    }

    /// In which state it was when, until it was over.
    pub fn states(&self) -> Vec<Span> {
        self.spans(|entry| match &entry.fact {
            Fact::Opened { .. } | Fact::Reopened { .. } => Some(Some("triggered")),
            Fact::CommandTaken { .. } | Fact::Relapsed { .. } => Some(Some("acknowledged")),
            Fact::Mitigated { .. } => Some(Some("mitigated")),
            Fact::Resolved { .. } | Fact::Merged { .. } => Some(None),
            _ => None,
        })
    }

    /// Who commanded when, and how they came to it.
    pub fn tenures(&self) -> Vec<Tenure> {
        let mut tenures: Vec<Tenure> = Vec::new();
        for kept in self.entries {
            let at = kept.entry.at;
            let begun = match &kept.entry.fact {
                Fact::CommandTaken { person, term, reason, .. } => {
                    Some((person, *term, with(how(*reason), "")))
                }
                Fact::Command(Turn::Transferred { to, term, reason, why, talked, .. }) => {
                    Some((to, *term, with(how(*reason), why) + &talked.text()))
                }
                Fact::Resolved { .. } | Fact::Merged { .. } => None,
                _ => continue,
            };
            if let Some(last) = tenures.last_mut()
                && last.to.is_none()
            {
                last.to = Some(at);
            }
            tenures.extend(begun.map(|(person, term, how)| Tenure {
                person: person.clone(),
                term,
                from: at,
                to: None,
                how,
            }));
        }
        tenures
    }

    /// Who held which office besides command, when.
    pub fn posts(&self) -> Vec<Held> {
        let mut held: Vec<Held> = Vec::new();
        for kept in self.entries {
            let at = kept.entry.at;
            let mut end = |ends: &dyn Fn(&Held) -> bool| {
                held.iter_mut().filter(|one| one.to.is_none() && ends(one)).for_each(|one| one.to = Some(at));
            };
            match &kept.entry.fact {
                Fact::Command(Turn::Accepted { office, person }) => {
                    end(&|one| one.office == *office);
                    held.push(Held { office: *office, person: person.clone(), from: at, to: None });
                }
                Fact::Command(Turn::Released { office, person }) => {
                    end(&|one| one.office == *office && one.person == *person);
                }
                Fact::Command(Turn::Transferred { to, .. }) => {
                    end(&|one| one.office == Office::Deputy && one.person == *to);
                }
                Fact::Resolved { .. } | Fact::Merged { .. } => end(&|_| true),
                _ => {}
            }
        }
        held
    }

    /// Who was paged, and how often in all.
    pub fn pages(&self) -> (BTreeSet<&str>, usize) {
        let paged = self.entries.iter().filter_map(|kept| match &kept.entry.fact {
            Fact::Paged { person, .. } => Some(person.as_str()),
            _ => None,
        });
        let all: Vec<&str> = paged.collect();
        (all.iter().copied().collect(), all.len())
    }

    /// Entries that people want to read who were not there.
    pub fn notable(&self) -> impl Iterator<Item = &Kept> {
        self.entries.iter().filter(|kept| is_notable(&kept.entry.fact))
    }

    /// How an entry is shown: its number, when, who, and its words with what corrects them.
    pub fn row(&self, kept: &Kept) -> Vec<String> {
        let entry = &kept.entry;
        let corrected = self.later.beside(entry.seq);
        let when = hours(entry.at, entry.occurred_at);
        vec![entry.seq.to_string(), when, who(entry), format!("{}{corrected}", kept.text)]
    }

    /// How a change ended, in the words of who ended it, and with what was said of it later.
    pub fn end_of(&self, change: &Action) -> String {
        let words = self.words_of_end(|put| match put {
            Put::ActionEnded { number, text, .. } if *number == change.number => Some(text),
            _ => None,
        });
        let words = if words.is_empty() { words } else { format!(": {words}") };
        format!("{}{words}{}", ending(change.end()), self.later.beside(change.end_entry))
    }

    /// How a change or a task ended, in the words of who ended it. `put`: what of an entry is such an end.
    fn words_of_end(&self, is_end: impl Fn(&Put) -> Option<&str>) -> String {
        let mut words = self.entries.iter().filter_map(|kept| match &kept.entry.fact {
            Fact::Board(put) => is_end(put),
            _ => None,
        });
        words.next_back().unwrap_or_default().to_owned()
    }
}

/// The columns of [`Taken::row`].
pub const ROW: [&str; 4] = ["Entry", "Time (UTC)", "Who", "What"];

/// A time in which something was so. `to`: until it was not; `None`: it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What.
    pub word: &'static str,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Option<Timestamp>,
}

/// A tenure of command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Who.
    pub person: String,
    /// Its number.
    pub term: u32,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: they command.
    pub to: Option<Timestamp>,
    /// How they came to it.
    pub how: String,
}

/// An office that somebody held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub office: Office,
    /// Who.
    pub person: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: they hold it.
    pub to: Option<Timestamp>,
}

/// From when to when, in words.
pub fn from_to(from: Timestamp, to: Option<Timestamp>) -> String {
    match to {
        Some(to) => format!("{} to {}", hour(from), hour(to)),
        None => format!("since {}", hour(from)),
    }
}

/// How a task or a change stands.
pub fn ending(ended: Option<(End, Timestamp)>) -> String {
    match ended {
        None => "not ended".into(),
        Some((End::Unsaid, at)) => format!("nobody said how; the incident was over at {}", hour(at)),
        Some((how, at)) => format!("{} at {}", how.words(), hour(at)),
    }
}

/// Who did what an entry says, and as what.
fn who(entry: &Entry) -> String {
    let name = entry.actor.words();
    match entry.office {
        None => name,
        Some(word) => format!("{name}, {}", Office::from_word(word).map_or("Commander", Office::title)),
    }
}

/// How somebody came to command, in words without blame.
pub fn how(reason: CommandReason) -> &'static str {
    match reason {
        CommandReason::FirstResponder => "answered first",
        CommandReason::Reopened => "opened it again",
        CommandReason::FirstOnScene => "was on scene first",
        CommandReason::Transferred => "accepted it from who had it",
        CommandReason::Assumed => "assumed it, as is routine when who has it is not heard of",
        CommandReason::Relieved => "accepted it as an administrator ordered",
    }
}

fn with(how: &str, why: &str) -> String {
    if why.is_empty() { how.into() } else { format!("{how}: {why}") }
}

/// Whether somebody wants to read it who was not there: no deliveries, nothing that is said again and again.
fn is_notable(fact: &Fact) -> bool {
    match fact {
        Fact::Delivered { .. } | Fact::Rescheduled { .. } => false,
        Fact::Escalated { last_resort, .. } => *last_resort,
        Fact::AlertJoined { refired, .. } => !refired,
        Fact::Paged { attempt, why, .. } => {
            let again = [Why::OnCall, Why::LastResort, Why::Reminder, Why::Watching];
            *attempt <= 1 || !again.iter().any(|known| known.as_str() == why)
        }
        _ => true,
    }
}

/// The entries that are about somebody, and those that correct these.
pub fn all_about(entries: &[Kept], person: &str) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for Kept { entry, .. } in entries {
        let of = match &entry.fact {
            Fact::Board(Put::Corrected { entry: of, .. }) => all.contains(of),
            _ => false,
        };
        if of || concerns(entry, person) {
            all.insert(entry.seq);
        }
    }
    all
}

/// Whether an entry is about somebody: they did it, or it was done with them.
fn concerns(entry: &Entry, person: &str) -> bool {
    let is = |name: &String| name == person;
    let any = |names: &[String]| names.iter().any(|name| name == person);
    if matches!(&entry.actor, Actor::Person(name) | Actor::Automation(name) if name == person) {
        return true;
    }
    match &entry.fact {
        Fact::Escalated { awaiting, shadows, .. } => any(awaiting) || any(shadows),
        Fact::HelpCalled { paged, .. } => any(paged),
        Fact::Paged { person: name, .. }
        | Fact::Unreachable { person: name, .. }
        | Fact::Declined { person: name }
        | Fact::Acknowledged { person: name }
        | Fact::CheckedIn { person: name }
        | Fact::EnRoute { person: name, .. }
        | Fact::Resting { person: name }
        | Fact::Released { person: name }
        | Fact::CommandTaken { person: name, .. }
        | Fact::PioCalled { person: name, .. } => is(name),
        Fact::Command(turn) => match turn {
            Turn::Offered { to, .. } | Turn::OfferEnded { to, .. } => is(to),
            Turn::Transferred { from, to, .. } => is(from) || is(to),
            Turn::Wished { person: name }
            | Turn::Heard { person: name, .. }
            | Turn::Assigned { person: name, .. }
            | Turn::Accepted { person: name, .. }
            | Turn::Declined { person: name, .. }
            | Turn::Released { person: name, .. } => is(name),
            Turn::Unheard { people, .. } => any(people),
        },
        Fact::Board(put) => match put {
            Put::TaskGiven { person: name, .. } | Put::ActionBegan { person: name, .. } => is(name),
            Put::Requested { people, .. } => any(people),
            _ => false,
        },
        _ => false,
    }
}
