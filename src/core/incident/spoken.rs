//! What is said of an incident, and who says it.

use jiff::Timestamp;

use super::super::command::Office;
use super::super::timeline::Entry;
use super::super::voice::Say;
use super::{FoldError, Incident};

impl Incident {
    /// What was said, or happened to what is to be said.
    pub(super) fn says(&mut self, say: &Say, entry: &Entry) -> Result<(), FoldError> {
        let moment = (entry.seq, self.term, self.severity);
        let applied = self.voice.apply(say, entry.actor.name(), entry.at, moment);
        applied.map_err(|why| FoldError { seq: entry.seq, why })
    }

    /// Somebody is the PIO from now on.
    pub(super) fn speaks(&mut self, person: &str, at: Timestamp) {
        self.pio = Some((person.to_owned(), at));
        self.voice.pio_due = None;
    }

    /// Somebody is called as PIO; `due`: when the next one is.
    pub(super) fn calls_pio(&mut self, person: &str, due: Option<Timestamp>, at: Timestamp) {
        // Who is asked while somebody speaks has not spoken.
        if self.offices.holder(Office::Pio).is_none() {
            self.pio = Some((person.to_owned(), at));
        }
        self.offices.ask(Office::Pio, person, at);
        self.voice.pio_due = due;
        if !self.voice.called.iter().any(|known| known == person) {
            self.voice.called.push(person.to_owned());
        }
    }
}
