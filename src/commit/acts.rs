//! One command inside the transaction: load, decide, save, write the letters.

use jiff::Timestamp;

use super::gone::Gone;
use super::memory::Memory;
use super::{DoorError, Effects, Reply, hush};
use crate::core::decide::{self, Act, By, Decision, Opening, Refusal};
use crate::core::escalation::Staff;
use crate::core::incident::{Incident, Phase, Responder, ResponderStatus, Severity};
use crate::core::oncall::Roster;
use crate::core::reach;
use crate::core::timeline::Fact;
use crate::house::House;
use crate::store::incidents::{self, Saved};
use crate::store::letters::{self, Claim, Kind, Settlement};
use crate::store::{StoreError, Tx, alerts, subscribers};

/// Longest answer of another side on a timeline, in characters.
const SAID_CHARS_MAX: usize = 120;

/// What a command works with.
pub(super) struct Work<'a, 'c> {
    pub(super) tx: &'a Tx<'c>,
    pub(super) house: &'a House,
    pub(super) effects: &'a mut Effects,
    pub(super) memory: &'a mut Memory,
    /// When the delivery that is worked on was received.
    pub(super) received_at: Option<Timestamp>,
    /// The same, when it was held since: what is known to be newer wins.
    pub(super) heard_at: Option<Timestamp>,
    /// Nothing was heard: an alert is looked at because its hour has come.
    pub(super) unheard: bool,
    /// The body was kept, and is read now.
    pub(super) replayed: bool,
    /// Ids of deliveries say nothing, and are not remembered: some of this body could not be read, and comes again.
    pub(super) in_part: bool,
    /// What is heard now was pushed by a Prometheus: the service of its source.
    pub(super) pushed_for: Option<String>,
}

impl<'a> Work<'a, '_> {
    /// Who can be woken now.
    pub(super) fn staff<'r>(&self, roster: &'r Roster) -> Staff<'r>
    where
        'a: 'r,
    {
        Staff { rules: &self.house.rules, roster }
    }

    /// What an act does to an incident. Nothing is saved.
    pub(super) fn decide(
        &mut self,
        saved: &Saved,
        act: Act,
        by: &By,
    ) -> Result<Result<Decision, Refusal>, StoreError> {
        let roster = self.memory.roster(self.tx)?;
        Ok(decide::decide(&saved.incident, act, by, self.staff(&roster), self.tx.now))
    }
}

impl Work<'_, '_> {
    pub(super) fn act(&mut self, id: i64, act: Act, by: &By) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(saved) = self.memory.incident(self.tx, id)? else {
            return Ok(Err(DoorError::NoIncident(id)));
        };
        let act = match act {
            Act::Tick { .. } => {
                let unheard = self.unheard_of(&saved.incident)?;
                Act::Tick { unheard, unsaid: self.unsaid_of(&saved.incident)? }
            }
            Act::Draft { text } => self.first_draft(&saved.incident, text)?,
            Act::Speak(speech) if speech.wish.has_words() => {
                Act::Speak(Box::new(self.read_over(&saved.incident, *speech)?))
            }
            other => other,
        };
        match self.decide(&saved, act, by)? {
            Ok(decision) => {
                self.save(&decision, Some(&saved))?;
                Ok(Ok(Reply::Decided(Box::new(decision.incident), decision.reason)))
            }
            Err(refusal) => {
                if let Refusal::Fault(error) = &refusal {
                    tracing::error!(incident.id = id, %error, "a decision did not follow from the state");
                }
                Ok(Err(DoorError::Refused(refusal)))
            }
        }
    }

    /// Who was paged for an incident that is about to clear itself, and has none of those pages.
    fn unheard_of(&self, incident: &Incident) -> Result<Vec<String>, StoreError> {
        let clears = matches!(incident.phase, Phase::Triggered { quiet_until: Some(until), .. } if until <= self.tx.now);
        if !clears {
            return Ok(Vec::new());
        }
        let letters = letters::waking_of(self.tx, incident.id)?;
        let is_unheard = |known: &&Responder| {
            let pages =
                usize::try_from(known.pages - known.pages_before.min(known.pages)).unwrap_or(usize::MAX);
            let mut newest =
                letters.iter().filter(|(person, _)| *person == known.person).take(pages).peekable();
            match newest.peek() {
                Some(_) => newest.all(|(_, reached)| !reached),
                // They were paged for an incident that became part of this one.
                None => known.status == ResponderStatus::Unreachable,
            }
        };
        Ok(incident.responders.iter().filter(is_unheard).map(|known| known.person.clone()).collect())
    }

    pub(super) fn declare(
        &mut self,
        title: &str,
        service: &str,
        severity: Severity,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        if !self.house.rules.services.contains_key(service) {
            return Ok(Err(DoorError::NoService(service.to_owned())));
        }
        let opening = Opening {
            title: title.to_owned(),
            service: service.to_owned(),
            severity,
            alert: None,
            group: None,
            storm: false,
        };
        let id = incidents::next_id(self.tx)?;
        let roster = self.memory.roster(self.tx)?;
        match decide::open(id, opening, by, self.staff(&roster), self.tx.now) {
            Ok(decision) => {
                self.save(&decision, None)?;
                Ok(Ok(Reply::Decided(Box::new(decision.incident), decision.reason)))
            }
            Err(refusal) => Ok(Err(DoorError::Refused(refusal))),
        }
    }

    /// Saves a decision whole: entries, state, letters, and what it means for the alerts.
    /// `before`: the incident it changes; none: it opens one.
    pub(super) fn save(&mut self, decision: &Decision, before: Option<&Saved>) -> Result<(), StoreError> {
        let id = decision.incident.id;
        if !decision.entries.is_empty() {
            let head = incidents::save(self.tx, decision, before)?;
            self.memory.put_incident(&decision.incident, head);
            self.memory.correlate(decision, before.is_none());
        }
        for entry in &decision.entries {
            match &entry.fact {
                Fact::Resolved { .. } => {
                    alerts::close(self.tx, id)?;
                    if !self.house.rules.inhibit.is_empty() {
                        self.effects.set_hour();
                    }
                    self.memory.closed(id, Some(self.tx.now));
                }
                Fact::Reopened { .. } => {
                    alerts::reopen(self.tx, id)?;
                    self.memory.closed(id, None);
                }
                fact => {
                    if let Some((person, as_pio)) = hush::said(fact, &entry.actor) {
                        letters::answered(self.tx, id, person, as_pio)?;
                    }
                }
            }
        }
        // Whatever the Commander does is the sign of life that they were asked for.
        let asked = before.and_then(|saved| match &saved.incident.phase {
            Phase::Acknowledged { command, sign: Some(sign), .. } if sign.asked > 0 => {
                Some(command.person.as_str())
            }
            _ => None,
        });
        let alive =
            asked.filter(|person| decision.entries.iter().any(|entry| entry.actor.person() == Some(*person)));
        if let Some(person) = alive {
            letters::answered(self.tx, id, person, false)?;
        }
        let gone = match before {
            Some(saved) => self.end_what_is_gone(&saved.incident, &decision.incident)?,
            None => Gone::default(),
        };
        self.notes_statements(decision)?;
        self.write_letters(decision)?;
        self.write_more(decision)?;
        self.write_hushes(decision, before.map(|saved| &saved.incident), alive, &gone)?;
        let was_due = before.and_then(|saved| saved.incident.due_at());
        self.effects.decided(decision, was_due, self.house, self.tx.now);
        Ok(())
    }

    /// An act of the daemon's own or of a source's, on an incident that may be gone. A refusal is a
    /// fault of ours and ends the command.
    pub(super) fn must(&mut self, saved: &Saved, act: Act, by: &By) -> Result<Decision, StoreError> {
        let decision = self.decide(saved, act, by)?.map_err(|refusal| {
            tracing::error!(incident.id = saved.incident.id, %refusal, "an act of the daemon was refused");
            StoreError::Decode("an act of the daemon was refused")
        })?;
        self.save(&decision, Some(saved))?;
        Ok(decision)
    }

    /// Gives a letter back and draws the consequences, in the same transaction.
    pub(super) fn settle(
        &mut self,
        claim: &Claim,
        settlement: &Settlement,
        alone: bool,
    ) -> Result<(), StoreError> {
        if !letters::settle(self.tx, claim, settlement)? || alone {
            return Ok(());
        }
        self.effects.wrote();
        let (outcome, why) = match settlement {
            Settlement::Again { .. } if self.is_to_a_subscriber(claim) => {
                return subscribers::forget_in(self.tx, claim);
            }
            Settlement::Again { .. } => return Ok(()),
            Settlement::Accepted { .. } | Settlement::Begun { .. } => ("accepted", ""),
            Settlement::Refused { .. } if claim.only_look => ("superseded", ""),
            Settlement::Stands { why, .. } => ("stands", why.as_str()),
            Settlement::Refused { why } => ("refused", why.as_str()),
            Settlement::Unknown { why } => ("unknown", why.as_str()),
        };
        // It says nothing, and nobody waits for it.
        if claim.kind == Kind::Hush {
            return Ok(());
        }
        if self.is_to_a_subscriber(claim) {
            return self.ended_for_a_subscriber(claim, outcome, why);
        }
        if claim.incident == 0 {
            // Of no incident are tests, notices of who is on call, login links and the report of a drill; of these nothing follows, and what
            // became of them stands in the log and in the figures.
            return if claim.kind.wakes() {
                self.tested(&claim.person, &claim.channel, &claim.address, (outcome, why))
            } else {
                Ok(())
            };
        }
        let remote = settlement.remote_id().map(crate::channels::plain_id).unwrap_or_default();
        let is_there =
            self.conclude(&Sent::from(claim), outcome, if why.is_empty() { remote } else { why })?;
        // What is there is not written elsewhere because something else is there, too.
        if is_there && matches!(outcome, "refused" | "unknown") && claim.person.is_empty() {
            self.fall_back(claim, outcome, why)?;
        }
        Ok(())
    }

    /// What has become of a letter, and what follows: of a page that reached nobody by any of its ways, that the next people are
    /// woken; else a line of the timeline. `false` where there is no incident any more.
    pub(super) fn conclude(
        &mut self,
        sent: &Sent<'_>,
        outcome: &str,
        said: &str,
    ) -> Result<bool, StoreError> {
        let unreached = match outcome {
            "refused" | "bounced" if sent.kind.wakes() => letters::unreached(self.tx, sent.page)?,
            _ => None,
        };
        // Whoever waits for an answer goes on without it, also where the incident has become part of another.
        let is_lost = unreached.is_some();
        let incident = if is_lost { self.home_of(sent.incident)? } else { sent.incident };
        let Some(saved) = self.memory.incident(self.tx, incident)? else { return Ok(false) };
        // Who has answered meanwhile was reached.
        let said_so =
            || letters::has_answered(&saved.incident, sent.person, sent.kind, sent.written_at, self.tx.now);
        let act = match unreached.filter(|_| !said_so()) {
            Some(why) => Act::Unreachable { person: sent.person.to_owned(), why },
            None => {
                let to = if sent.person.is_empty() { sent.channel } else { sent.person };
                let what = if sent.statement.is_some() { "statement" } else { sent.kind.as_str() };
                Act::Deliver {
                    what: what.to_owned(),
                    to: to.to_owned(),
                    outcome: outcome.to_owned(),
                    why: how(sent, said),
                    statement: sent.statement,
                }
            }
        };
        self.must(&saved, act, &By::dispatch())?;
        Ok(true)
    }
}

/// A letter that was sent, as far as its outcome needs to be told.
pub(super) struct Sent<'a> {
    pub(super) incident: i64,
    pub(super) page: i64,
    pub(super) kind: Kind,
    pub(super) person: &'a str,
    pub(super) channel: &'a str,
    pub(super) written_at: Timestamp,
    pub(super) statement: Option<u32>,
}

impl<'a> From<&'a Claim> for Sent<'a> {
    fn from(claim: &'a Claim) -> Self {
        Self {
            incident: claim.incident,
            page: claim.page.unwrap_or(claim.number()),
            kind: claim.kind,
            person: &claim.person,
            channel: &claim.channel,
            written_at: claim.created_at,
            statement: claim.statement,
        }
    }
}

/// By which way a page went, and what the other side said, as the timeline tells it. Of a channel only what it said
/// when it was not taken.
fn how(sent: &Sent<'_>, said: &str) -> String {
    if sent.person.is_empty() {
        return said.to_owned();
    }
    let way = if sent.channel.is_empty() { reach::MAIL } else { sent.channel };
    let said: String = reach::without_addresses(said).chars().take(SAID_CHARS_MAX).collect();
    if said.is_empty() { format!("by {way}") } else { format!("by {way}: {said}") }
}
