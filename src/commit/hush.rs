//! What sounds on is ended when nobody needs to be woken by it any more: a letter of its own for each, through the outbox, so that it
//! is tried again where the way is away, and outlives the node.

use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use super::gone::Gone;
use super::outbox::To;
use crate::core::command::{Office, Turn};
use crate::core::decide::Decision;
use crate::core::incident::{Incident, Phase, Resolution};
use crate::core::timeline::{Actor, Fact};
use crate::house::{HUSH, SEND_DEADLINE, SOUNDS_MAX};
use crate::render::Words;
use crate::store::StoreError;
use crate::store::carried::{self, Sounding};
use crate::store::letters::Kind;

/// What is told of a letter that was ended.
const ENDED: &str = "ended";
/// The state of what a test is about.
const TEST: &str = "test";

impl Work<'_, '_> {
    /// Ends what sounds for who has answered; for everybody who was paged because nobody had the incident, when somebody has it;
    /// and for all, when it is over. `gone`: what nobody is asked for any more. `alive`: who commands, was asked for a sign of life, and gives one by this.
    pub(super) fn write_hushes(
        &mut self,
        decision: &Decision,
        before: Option<&Incident>,
        alive: Option<&str>,
        gone: &Gone,
    ) -> Result<(), StoreError> {
        let incident = &decision.incident;
        let Some(before) = before.filter(|_| self.house.has_what_sounds_on()) else { return Ok(()) };
        let is_open = |incident: &Incident| matches!(incident.phase, Phase::Triggered { .. });
        // What became part of one that somebody has, somebody has by that.
        let took_in = || decision.entries.iter().any(|entry| matches!(entry.fact, Fact::TookIn { .. }));
        let is_taken = !is_open(incident) && (is_open(before) || took_in());
        // One that became part of another is answered there.
        let is_over = incident.resolution().is_some_and(|(how, _)| how != Resolution::Merged);
        let said = decision.entries.iter().filter_map(|entry| said(&entry.fact, &entry.actor));
        let answered: Vec<(&str, bool)> = said.chain(alive.map(|person| (person, false))).collect();
        if incident.resolution().is_some() && !is_over
            || !is_taken && !is_over && answered.is_empty() && gone.is_empty()
        {
            return Ok(());
        }
        for letter in self.sounding(incident.id)? {
            let has_said = |(person, as_pio): &(&str, bool)| {
                *person == letter.person && *as_pio == (letter.kind == Kind::Pio)
            };
            let is_needless = is_over
                || is_taken && letter.kind == Kind::Page
                || answered.iter().any(has_said)
                || gone.has(&letter);
            if is_needless && self.house.sounds_on(&letter.way) {
                self.hush(incident.id, incident.state(), &letter)?;
            }
        }
        Ok(())
    }

    /// What may sound on of an incident, and of those that are part of it now.
    fn sounding(&mut self, incident: i64) -> Result<Vec<Sounding>, StoreError> {
        let since = self.since();
        let mut all = carried::sounding(self.tx, incident, since)?;
        for part in carried::took_in_without_alerts(self.tx, incident, since)? {
            all.extend(carried::sounding(self.tx, part, since)?);
        }
        let mut kept: Vec<Sounding> = Vec::with_capacity(all.len());
        for letter in all {
            let is_here = letter.incident == incident || self.home_of(letter.incident)? == incident;
            if is_here && !kept.iter().any(|known| known.id == letter.id) {
                kept.push(letter);
            }
        }
        Ok(kept)
    }

    /// Ends what sounds of a test, whose person has said that it reached them.
    pub(super) fn hush_test(&mut self, page: i64) -> Result<(), StoreError> {
        if !self.house.has_what_sounds_on() {
            return Ok(());
        }
        for letter in carried::sounding_of_test(self.tx, page, self.since())? {
            if self.house.sounds_on(&letter.way) {
                self.hush(0, TEST, &letter)?;
            }
        }
        Ok(())
    }

    /// What left before then has stopped by itself.
    fn since(&self) -> Timestamp {
        self.tx.now.saturating_sub(SOUNDS_MAX).unwrap_or(Timestamp::MIN)
    }

    fn hush(&mut self, incident: i64, state: &str, letter: &Sounding) -> Result<(), StoreError> {
        let words = Words {
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            data: serde_json::json!({"ends": letter.id}),
            event_type: HUSH.to_owned(),
            incident_state: state.to_owned(),
            page_attempt: 0,
            short: String::new(),
            answer: None,
            meet: None,
            statement: None,
        };
        let to = To { person: &letter.person, channel: &letter.way, address: &letter.address };
        // What is on its way now cannot be ended before it is there.
        let after = match letter.is_sending {
            true => SignedDuration::try_from(SEND_DEADLINE).unwrap_or(SignedDuration::ZERO),
            false => SignedDuration::ZERO,
        };
        self.write(incident, Kind::Hush, &to, &words, (None, after))?;
        carried::reports(self.tx, &letter.id, ENDED, false)
    }
}

/// Who has answered by this what they were paged for, and whether it is what the PIO is asked for: what still waits to ask them, or
/// sounds, is not needed any more.
pub(super) fn said<'a>(fact: &'a Fact, actor: &'a Actor) -> Option<(&'a str, bool)> {
    match fact {
        Fact::Acknowledged { person }
        | Fact::CheckedIn { person }
        | Fact::Declined { person }
        | Fact::EnRoute { person, .. }
        // Whoever rests or goes is asked for nothing.
        | Fact::Resting { person }
        | Fact::Released { person } => Some((person, false)),
        Fact::Command(Turn::Accepted { office, person } | Turn::Declined { office, person }) => {
            Some((person, *office == Office::Pio))
        }
        // Who had command before is not asked for a sign of life any more.
        Fact::Command(Turn::Transferred { from, .. }) => Some((from, false)),
        Fact::StatementDrafted { .. } => actor.person().map(|person| (person, true)),
        _ => None,
    }
}
