//! Pings, and their absence, inside the transaction.

use jiff::Timestamp;

use super::acts::Work;
use super::{Delivered, EventResult};
use crate::core::heartbeat::SOURCE;
use crate::store::StoreError;
use crate::store::heartbeats::{self, Heard};

impl Work<'_, '_> {
    /// Pings have come: deliveries of the source of heartbeats, whose keys are names.
    pub(super) fn pings(&mut self, delivered: &Delivered) -> Result<Vec<EventResult>, StoreError> {
        // What a node held was a ping of then, and what follows from it is said now.
        let at = self.heard_at.take().unwrap_or(self.tx.now);
        self.effects.received(SOURCE, SOURCE, delivered.events.len());
        let mut results = Vec::with_capacity(delivered.events.len());
        for event in &delivered.events {
            let result = self.ping(&event.key, at)?;
            self.effects.outcome(SOURCE, result.outcome);
            results.push(result);
        }
        Ok(results)
    }

    /// A ping of a heartbeat that has left the configuration meanwhile changes nothing.
    pub(super) fn ping(&mut self, name: &str, at: Timestamp) -> Result<EventResult, StoreError> {
        let nothing = |outcome| EventResult { outcome, incident: None, reason: None };
        let Some(beat) = self.house.heartbeats.get(name).map(|own| &own.beat) else {
            return Ok(nothing("ignored"));
        };
        let known = heartbeats::get(self.tx, name)?;
        let count = known.as_ref().map_or(0, |known| known.count) + 1;
        if let Some(known) = known.as_ref().filter(|known| at < known.last_at && known.last_at <= self.tx.now)
        {
            heartbeats::put(self.tx, &Heard { count, ..known.clone() })?;
            return Ok(nothing("stale"));
        }
        let was_missing = known.as_ref().is_some_and(|known| known.missing_at.is_some());
        if let Some(known) = known.filter(|_| was_missing && beat.missing_at(at) <= self.tx.now) {
            // It came, and the next one has been missing since.
            heartbeats::put(self.tx, &Heard { count, last_at: at, ..known })?;
            return Ok(nothing("repeated"));
        }
        heartbeats::put(self.tx, &Heard::at(name, at, count))?;
        if was_missing {
            return self.event(SOURCE, &beat.service, &beat.is_back(name));
        }
        Ok(nothing("repeated"))
    }

    /// The hour of a heartbeat may have come; `heard_since`: since when pings could be heard without a gap. Whether it had.
    pub(super) fn heartbeat_is_due(
        &mut self,
        name: &str,
        heard_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = self.tx.now;
        let Some(beat) = self.house.heartbeats.get(name).map(|own| &own.beat) else { return Ok(false) };
        let Some(known) = heartbeats::get(self.tx, name)? else {
            // It is waited for from now on.
            heartbeats::put(self.tx, &Heard::at(name, now, 0))?;
            return Ok(false);
        };
        // Hours that have not come yet were given by a clock that has been put right since.
        if known.is_ahead_of(now) {
            let last_at = known.last_at.min(now);
            heartbeats::put(
                self.tx,
                &Heard { last_at, excused_at: None, told_at: known.told_at.map(|at| at.min(now)), ..known },
            )?;
            return Ok(false);
        }
        let event = beat.is_missing(name, known.last_at, known.count == 0);
        if let Some(told_at) = known.told_at.filter(|_| known.missing_at.is_some()) {
            if beat.told_again_at(told_at) > now {
                return Ok(false);
            }
            heartbeats::put(self.tx, &Heard { told_at: Some(now), ..known })?;
            self.event(SOURCE, &beat.service, &event)?;
            return Ok(true);
        }
        if beat.missing_at(known.excused_at.unwrap_or(known.last_at)) > now {
            return Ok(false);
        }
        if known.excused_at.is_none() && beat.may_have_come(known.last_at, heard_since) {
            // Nobody could be heard when it was due. That is said once: who restarts often would never miss anything.
            let excused_at = Some(heard_since.min(now));
            heartbeats::put(self.tx, &Heard { excused_at, ..known })?;
            return Ok(false);
        }
        heartbeats::put(self.tx, &Heard { missing_at: Some(now), told_at: Some(now), ..known })?;
        self.event(SOURCE, &beat.service, &event)?;
        Ok(true)
    }
}
