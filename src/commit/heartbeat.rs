//! Pings, and their absence, inside the transaction.

use super::EventResult;
use super::acts::Work;
use crate::core::heartbeat::SOURCE;
use crate::store::StoreError;
use crate::store::heartbeats::{self, Heard};

impl Work<'_, '_> {
    /// A ping has come. One of a heartbeat that has left the configuration meanwhile changes nothing.
    pub(super) fn ping(&mut self, name: &str) -> Result<EventResult, StoreError> {
        self.effects.received(SOURCE, SOURCE, 1);
        let result = self.heard(name)?;
        self.effects.outcome(SOURCE, result.outcome);
        Ok(result)
    }

    fn heard(&mut self, name: &str) -> Result<EventResult, StoreError> {
        let Some(beat) = self.house.heartbeats.get(name).map(|own| &own.beat) else {
            return Ok(EventResult { outcome: "ignored", incident: None });
        };
        let known = heartbeats::get(self.tx, name)?;
        let count = known.as_ref().map_or(0, |known| known.count) + 1;
        heartbeats::put(
            self.tx,
            &Heard { name: name.to_owned(), last_at: self.tx.now, count, missing: false },
        )?;
        if known.is_some_and(|known| known.missing) {
            return self.event(SOURCE, &beat.service, &beat.is_back(name));
        }
        Ok(EventResult { outcome: "repeated", incident: None })
    }

    /// The hour of a heartbeat may have come. Whether it had.
    pub(super) fn heartbeat_is_due(&mut self, name: &str) -> Result<bool, StoreError> {
        let Some(beat) = self.house.heartbeats.get(name).map(|own| &own.beat) else { return Ok(false) };
        let Some(known) = heartbeats::get(self.tx, name)? else {
            // It is waited for from now on.
            let last_at = self.tx.now;
            heartbeats::put(self.tx, &Heard { name: name.to_owned(), last_at, count: 0, missing: false })?;
            return Ok(false);
        };
        // A ping of an hour that has not come yet was heard under a clock that has been put right since.
        let last_at = known.last_at.min(self.tx.now);
        if last_at != known.last_at {
            heartbeats::put(self.tx, &Heard { last_at, ..known })?;
            return Ok(false);
        }
        if known.missing || beat.missing_at(last_at) > self.tx.now {
            return Ok(false);
        }
        let event = beat.is_missing(name, last_at, known.count == 0);
        heartbeats::put(self.tx, &Heard { missing: true, ..known })?;
        self.event(SOURCE, &beat.service, &event)?;
        Ok(true)
    }
}
