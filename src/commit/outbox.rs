//! Letters into the outbox, with their words, inside the transaction that decided them.

use super::acts::Work;
use crate::core::condition::{Known, known, struck};
use crate::core::decide::Decision;
use crate::core::incident::Incident;
use crate::core::letter::Letter;
use crate::crypto::{self, NoRandomness};
use crate::render::{ALERTS_SHOWN_MAX, About, Words};
use crate::store::letters::{self, Claim, Kind, NewLetter};
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{StoreError, alerts};

impl Work<'_, '_> {
    pub(super) fn write_letters(&mut self, decision: &Decision) -> Result<(), StoreError> {
        if decision.letters.is_empty() {
            return Ok(());
        }
        let incident = &decision.incident;
        let shown = alerts::of_incident(self.tx, incident.id, ALERTS_SHOWN_MAX)?;
        let house = self.house;
        let known = self.known(decision)?;
        for letter in &decision.letters {
            let token = self.link(incident, letter)?;
            let token = token.as_deref();
            let about = About { incident, alerts: &shown, rules: &house.rules, token, known: &known };
            let words = house.renderer.words(letter, &about, None);
            match letter {
                Letter::Page { person, .. } => {
                    // That somebody has it is no reason to let them sleep who are woken because of it.
                    let kind = if incident.commander().is_some() { Kind::Help } else { Kind::Page };
                    self.write_person(incident, kind, person, &words)?;
                }
                Letter::PioPage { person } => self.write_person(incident, Kind::Pio, person, &words)?,
                Letter::Notice { person, .. } | Letter::Misread { person, .. } => {
                    self.write_person(incident, Kind::Notice, person, &words)?;
                }
                Letter::Status { channel, .. } => self.write_channel(incident.id, channel, &words)?,
            }
        }
        Ok(())
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

    /// A status that could not be delivered goes to the channel's fallback, and says so.
    pub(super) fn fall_back(&mut self, claim: &Claim, outcome: &str, why: &str) -> Result<(), StoreError> {
        let Some(fallback) = self.house.rules.fallbacks.get(&claim.channel) else { return Ok(()) };
        let Ok(mut words) = serde_json::from_str::<Words>(&claim.payload) else { return Ok(()) };
        let sure = if outcome == "unknown" { "may not have been" } else { "could not be" };
        let note = format!("This {sure} delivered to {}: {why}", claim.channel);
        words.text = format!("{}\n\n{note}\n", words.text.trim_end());
        let html = crate::render::escape(&note);
        words.html = words.html.replacen("</body>", &format!("<p><i>{html}</i></p></body>"), 1);
        self.write_channel(claim.incident, &fallback.clone(), &words)
    }

    /// Each page has an answer link of its own: one recipient, one incident.
    fn link(&self, incident: &Incident, letter: &Letter) -> Result<Option<String>, StoreError> {
        let (person, purpose) = match letter {
            Letter::Page { person, .. } => (person, Purpose::Answer),
            Letter::PioPage { person } => (person, Purpose::Statement),
            Letter::Notice { .. } | Letter::Misread { .. } | Letter::Status { .. } => return Ok(None),
        };
        let token = crypto::random_token().map_err(no_randomness)?;
        let link = Link { incident: incident.id, person: person.clone(), purpose };
        tokens::put_link(self.tx, &token, &link)?;
        Ok(Some(token))
    }

    fn write_person(
        &mut self,
        incident: &Incident,
        kind: Kind,
        person: &str,
        words: &Words,
    ) -> Result<(), StoreError> {
        let address = self.house.rules.people.get(person).map_or("", |known| known.email.as_str());
        if address.is_empty() && !kind.wakes() {
            // Somebody without an address answered by the API; there is nowhere to write to.
            return Ok(());
        }
        self.write(incident.id, kind, person, "", address, words)
    }

    fn write_channel(&mut self, incident: i64, channel: &str, words: &Words) -> Result<(), StoreError> {
        let house = self.house;
        match house.recipients.get(channel) {
            // One recipient a message: one that is refused must not hold up the others.
            Some(recipients) => recipients
                .iter()
                .try_for_each(|address| self.write(incident, Kind::Status, "", channel, address, words)),
            None => self.write(incident, Kind::Status, "", channel, "", words),
        }
    }

    fn write(
        &mut self,
        incident: i64,
        kind: Kind,
        person: &str,
        channel: &str,
        address: &str,
        words: &Words,
    ) -> Result<(), StoreError> {
        let id = crypto::random_id().map_err(no_randomness)?;
        let payload = serde_json::to_string(words)?;
        let received_at = self.received_at.filter(|_| kind.wakes());
        let letter =
            NewLetter { id: &id, incident, kind, person, channel, address, payload: &payload, received_at };
        letters::put(self.tx, &letter)?;
        self.effects.wrote();
        Ok(())
    }
}

fn no_randomness(error: NoRandomness) -> StoreError {
    StoreError::File { path: "random bytes".into(), error: std::io::Error::other(error.to_string()) }
}
