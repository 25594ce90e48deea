//! Letters into the outbox, with their words, inside the transaction that decided them.

use jiff::SignedDuration;

use super::acts::Work;
use crate::core::audience::Audience;
use crate::core::condition::{Known, known, struck};
use crate::core::decide::Decision;
use crate::core::incident::{Incident, Phase, ResponderStatus};
use crate::core::letter::{Letter, Why};
use crate::core::meeting::Meeting;
use crate::core::reach::ways_for;
use crate::core::timeline::Fact;
use crate::crypto::{self, NoRandomness};
use crate::render::{ALERTS_SHOWN_MAX, About, Words};
use crate::store::letters::{self, Claim, Kind, NewLetter};
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{StoreError, alerts, statements, subscribers};

impl Work<'_, '_> {
    pub(super) fn write_letters(&mut self, decision: &Decision) -> Result<(), StoreError> {
        if decision.letters.is_empty() {
            return Ok(());
        }
        let incident = &decision.incident;
        let shown = alerts::of_incident(self.tx, incident.id, ALERTS_SHOWN_MAX)?;
        let house = self.house;
        let known = self.known(decision)?;
        let meeting = match decision.letters.iter().any(Letter::tells_where_to_meet) {
            true => self.meeting(incident)?,
            false => Meeting::default(),
        };
        for letter in &decision.letters {
            if let Letter::Statement { channel, number } = letter {
                self.write_statement(incident, channel, *number)?;
                continue;
            }
            let link = link(incident, letter);
            let token = link.as_ref().map(|_| crypto::random_token().map_err(no_randomness)).transpose()?;
            let token = token.as_deref();
            let about = About {
                incident,
                alerts: &shown,
                rules: &house.rules,
                token,
                known: &known,
                meeting: &meeting,
                handover: decision.handover(),
                said: decision.said(),
            };
            let words = house.renderer.words(letter, &about, None);
            let page = match letter {
                Letter::Page { person, .. } => {
                    // That somebody has it is no reason to let them sleep who are woken because of it.
                    let kind = if incident.commander().is_some() { Kind::Help } else { Kind::Page };
                    self.write_person(incident, kind, person, &words)?
                }
                Letter::PioPage { person } => self.write_person(incident, Kind::Pio, person, &words)?,
                // Who wrote by mail is told by mail.
                Letter::Misread { person, .. } => {
                    self.write_by_mail(incident, Kind::Notice, person, &words)?;
                    None
                }
                Letter::Notice { person, .. } => self.write_person(incident, Kind::Notice, person, &words)?,
                Letter::Status { channel, .. } | Letter::Statement { channel, .. } => {
                    self.write_channel(incident.id, channel, &words, None)?;
                    None
                }
            };
            if let (Some(token), Some(link)) = (token, link) {
                tokens::put_link_of(self.tx, token, &link, page, None)?;
            }
        }
        Ok(())
    }

    /// An incident is worse than it was, and its people are not paged for that again: those who were paged, or called for help,
    /// and have not answered hear of it by the ways that are for what is as bad as this, in the hours in which they were left
    /// alone as well.
    pub(super) fn write_more(&mut self, decision: &Decision) -> Result<(), StoreError> {
        let incident = &decision.incident;
        let rose = decision.entries.iter().any(|entry| matches!(entry.fact, Fact::SeverityRaised { .. }));
        let (is_taken, sign) = match &incident.phase {
            Phase::Triggered { quiet_until: None, .. } => (false, None),
            Phase::Acknowledged { sign, .. } => (true, sign.as_ref()),
            _ => return Ok(()),
        };
        if !rose {
            return Ok(());
        }
        let house = self.house;
        let paged = |name: &str| {
            decision
                .letters
                .iter()
                .any(|letter| matches!(letter, Letter::Page { person, .. } if person == name))
        };
        for known in &incident.responders {
            let person = house.rules.people.get(&known.person).filter(|person| !person.ways.is_empty());
            let Some(person) = person.filter(|_| known.has_heard() && !paged(&known.person)) else {
                continue;
            };
            let Some(newest) = letters::newest_page(self.tx, incident.id, &known.person)? else { continue };
            // Who had answered before it was opened again, or before they were called for help, has not answered that.
            let is_awaited = known.status == ResponderStatus::Paged || known.since < newest.at;
            let commands = incident.commander().is_some_and(|command| command.person == known.person);
            let is_asked = !commands || sign.is_some_and(|sign| sign.asked > 0);
            // Nobody is woken by a page of the hours before somebody had it.
            if !is_awaited || !is_asked || is_taken && !newest.for_help {
                continue;
            }
            let page = newest.page;
            let there = letters::legs(self.tx, page)?;
            let mut legs = ways_for(person, incident.severity, true, self.tx.now);
            legs.retain(|leg| !there.iter().any(|known| known.way == leg.way && known.address == leg.to));
            if legs.is_empty() {
                continue;
            }
            let (kind, why) = match (is_taken, commands) {
                (false, _) => (Kind::Page, Why::OnCall),
                (true, false) => (Kind::Help, Why::Help),
                (true, true) => (Kind::Help, Why::SilentCommander),
            };
            let letter = Letter::Page { person: known.person.clone(), attempt: known.pages, why };
            let token = crypto::random_token().map_err(no_randomness)?;
            let shown = alerts::of_incident(self.tx, incident.id, ALERTS_SHOWN_MAX)?;
            let meeting = self.meeting(incident)?;
            let rules = &house.rules;
            let token_shown = Some(token.as_str());
            let about = About {
                incident,
                alerts: &shown,
                rules,
                token: token_shown,
                known: &[],
                meeting: &meeting,
                handover: None,
                said: None,
            };
            let words = house.renderer.words(&letter, &about, None);
            for leg in &legs {
                let to = To { person: &known.person, channel: &leg.way, address: &leg.to };
                self.write(incident.id, kind, &to, &words, (Some(page), leg.after))?;
            }
            let link = Link { incident: incident.id, person: known.person.clone(), purpose: Purpose::Answer };
            tokens::put_link_of(self.tx, &token, &link, Some(page), None)?;
        }
        Ok(())
    }

    /// Where the people of an incident meet. Whether their places may be down is asked once a transaction, by the first who writes
    /// to somebody.
    fn meeting(&mut self, incident: &Incident) -> Result<Meeting, StoreError> {
        let known = self.memory.meeting(self.tx)?;
        Ok(known.places(incident, &self.house.rules, self.tx.now))
    }

    /// What is known of an incident at this hour; nothing when nobody is written to who is to be told.
    fn known(&mut self, decision: &Decision) -> Result<Vec<Known>, StoreError> {
        let incident = &decision.incident;
        if !incident.is_open() || !decision.letters.iter().any(Letter::tells_what_is_known) {
            return Ok(Vec::new());
        }
        let rules = &self.house.rules;
        let conditions = self.memory.conditions(self.tx)?;
        if conditions.is_empty() && rules.maintenance.is_empty() {
            return Ok(Vec::new());
        }
        let struck = struck(incident, &rules.needs);
        Ok(known(conditions, &rules.maintenance, Some(&struck), self.tx.now))
    }

    /// A statement to one channel, as it was approved.
    fn write_statement(&mut self, incident: &Incident, channel: &str, number: u32) -> Result<(), StoreError> {
        let Some(known) = incident.voice.statement(number) else { return Ok(()) };
        let remote_id = match known.wording.mends {
            Some(mended) => statements::remote_of(self.tx, incident.id, channel, mended)?,
            None => None,
        };
        // Sent once more it is the same statement, of the same hour.
        let hours = (known.at, known.published_at().unwrap_or(self.tx.now));
        let words = crate::render::statement(incident, number, &known.wording, hours, remote_id);
        self.write_channel(incident.id, channel, &words, Some(number))
    }

    /// A status or a statement that could not be delivered goes to the channel's fallback, and says so: to those of the house. Others
    /// read what was approved for them, and nothing beside it.
    pub(super) fn fall_back(&mut self, claim: &Claim, outcome: &str, why: &str) -> Result<(), StoreError> {
        let house = self.house;
        let Some(fallback) = house.rules.fallbacks.get(&claim.channel) else { return Ok(()) };
        let Ok(mut words) = serde_json::from_str::<Words>(&claim.payload) else { return Ok(()) };
        if let Some(number) = claim.statement {
            let saved = self.memory.incident(self.tx, claim.incident)?;
            let voice = saved.as_ref().map(|saved| &saved.incident.voice);
            let goes_there = voice.and_then(|voice| voice.statement(number));
            let goes_there = goes_there.is_some_and(|one| one.wording.channels.contains(fallback));
            if goes_there || voice.is_some_and(|voice| voice.is_taken_back(number)) {
                return Ok(());
            }
        }
        let of = |name: &str| house.rules.channels.iter().find(|(known, _)| known == name).map(|(_, of)| *of);
        if of(fallback).is_some_and(|audience| audience != Audience::Internal) {
            if of(fallback) > of(&claim.channel) {
                tracing::warn!(
                    letter.channel = claim.channel,
                    "its fallback is read by others: nothing is sent there"
                );
                return Ok(());
            }
            if let Some(mends) = words.statement.as_mut().and_then(|said| said.mends.as_mut()) {
                let number = mends.id.rsplit('-').next().and_then(|number| number.parse().ok());
                mends.remote_id = match number {
                    Some(number) => statements::remote_of(self.tx, claim.incident, fallback, number)?,
                    None => None,
                };
            }
            return self.write_channel(claim.incident, &fallback.clone(), &words, claim.statement);
        }
        let sure = if outcome == "unknown" { "may not have been" } else { "could not be" };
        let note = format!("This {sure} delivered to {}: {why}", claim.channel);
        words.text = format!("{}\n\n{note}\n", words.text.trim_end());
        let html = crate::render::escape(&note);
        words.html = words.html.replacen("</body>", &format!("<p><i>{html}</i></p></body>"), 1);
        // For those of the house it is a message like others: whatever it corrects was never here.
        words.statement = None;
        self.write_channel(claim.incident, &fallback.clone(), &words, claim.statement)
    }

    /// A letter by each way of a person, those of a page as one. Answers the number of the page.
    fn write_person(
        &mut self,
        incident: &Incident,
        kind: Kind,
        person: &str,
        words: &Words,
    ) -> Result<Option<i64>, StoreError> {
        let wakes = kind.wakes();
        let legs = match self.house.rules.people.get(person) {
            Some(known) => ways_for(known, incident.severity, wakes, self.tx.now),
            None => return self.write_by_mail(incident, kind, person, words),
        };
        let mut page = None;
        for leg in &legs {
            if leg.to.is_empty() && !wakes {
                // Somebody without an address answered by the API; there is nowhere to write to.
                continue;
            }
            let to = To { person, channel: &leg.way, address: &leg.to };
            let number = self.write(incident.id, kind, &to, words, (page, leg.after))?;
            page = page.or(wakes.then_some(number));
        }
        Ok(page)
    }

    fn write_by_mail(
        &mut self,
        incident: &Incident,
        kind: Kind,
        person: &str,
        words: &Words,
    ) -> Result<Option<i64>, StoreError> {
        let address = self.house.rules.people.get(person).map_or("", |known| known.email.as_str());
        if address.is_empty() && !kind.wakes() {
            return Ok(None);
        }
        let to = To { person, channel: "", address };
        let number = self.write(incident.id, kind, &to, words, (None, SignedDuration::ZERO))?;
        Ok(kind.wakes().then_some(number))
    }

    fn write_channel(
        &mut self,
        incident: i64,
        channel: &str,
        words: &Words,
        statement: Option<u32>,
    ) -> Result<(), StoreError> {
        let house = self.house;
        let tx = self.tx;
        // Nobody reads a statement twice: it goes once more only where it is known not to be, or where somebody looked.
        let is_there = |address: &str| -> Result<bool, StoreError> {
            let Some(number) = statement else { return Ok(false) };
            let newest = statements::went_to(tx, (incident, channel, number), address)?;
            Ok(newest.is_some_and(|state| !matches!(state.as_str(), "refused" | "unknown" | "dropped")))
        };
        let is_first = match statement {
            Some(number) => {
                !statements::went(tx, incident, channel, number)?
                    && !subscribers::is_mailed(tx, incident, channel, number)?
            }
            None => true,
        };
        if is_first {
            self.write_to_subscribers(incident, channel, words, statement)?;
        }
        // One recipient a message: one that is refused must not hold up the others.
        let alone = [String::new()];
        for address in house.recipients.get(channel).map_or(&alone[..], Vec::as_slice) {
            if !is_there(address)? {
                let to = To { person: "", channel, address };
                let place = ((None, SignedDuration::ZERO), statement);
                self.enclose(incident, Kind::Status, &to, words, place)?;
            }
        }
        Ok(())
    }

    /// Writes one letter; `place`: the page it is one of, and how long it waits for the others of it. Answers its number.
    pub(super) fn write(
        &mut self,
        incident: i64,
        kind: Kind,
        to: &To<'_>,
        words: &Words,
        place: (Option<i64>, SignedDuration),
    ) -> Result<i64, StoreError> {
        self.enclose(incident, kind, to, words, (place, None))
    }

    pub(super) fn enclose(
        &mut self,
        incident: i64,
        kind: Kind,
        to: &To<'_>,
        words: &Words,
        ((page, after), statement): ((Option<i64>, SignedDuration), Option<u32>),
    ) -> Result<i64, StoreError> {
        let id = crypto::random_id().map_err(no_randomness)?;
        let payload = serde_json::to_string(words)?;
        let received_at = self.received_at.filter(|_| kind.wakes());
        let To { person, channel, address } = *to;
        let letter = NewLetter {
            id: &id,
            incident,
            kind,
            person,
            channel,
            address,
            payload: &payload,
            received_at,
            page,
            after,
            statement,
        };
        let number = letters::put(self.tx, &letter)?;
        self.effects.wrote();
        Ok(number)
    }
}

/// Whom a letter is for, and by what.
pub(super) struct To<'a> {
    /// Empty for a channel's.
    pub(super) person: &'a str,
    /// A channel or a way; empty: mail to a person.
    pub(super) channel: &'a str,
    /// Where to, when the channel needs to be told.
    pub(super) address: &'a str,
}

/// Each page has an answer link of its own, the same in all its letters: one recipient, one incident.
fn link(incident: &Incident, letter: &Letter) -> Option<Link> {
    let (person, purpose) = match letter {
        Letter::Page { person, .. } => (person, Purpose::Answer),
        Letter::PioPage { person } => (person, Purpose::Statement),
        Letter::Notice { .. } | Letter::Misread { .. } | Letter::Status { .. } | Letter::Statement { .. } => {
            return None;
        }
    };
    Some(Link { incident: incident.id, person: person.clone(), purpose })
}

pub(super) fn no_randomness(error: NoRandomness) -> StoreError {
    StoreError::File { path: "random bytes".into(), error: std::io::Error::other(error.to_string()) }
}
