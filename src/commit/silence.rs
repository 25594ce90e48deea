//! Silences inside the transaction, with Alertmanager's rules of what may still be changed (`silence/silence.go`).

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::silence::{Silence, State};
use crate::store::{StoreError, silences};

/// Most silences of one source that have not ended.
const SILENCES_MAX: i64 = 500;
/// Most bytes of their matchers together: each expression is built, and tried on what fires.
const MATCHER_BYTES_MAX: i64 = 256 * 1024;
/// Silences of one source that have ended and are listed for a while.
const ENDED_KEPT: i64 = 1000;

impl Work<'_, '_> {
    /// Keeps a silence. One that names an id changes that one; where it would turn into another silence, the old one
    /// ends and a new one begins, with the id `fresh`.
    pub(super) fn put_silence(
        &mut self,
        wanted: &Silence,
        fresh: &str,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let now = self.tx.now;
        let mut silence = Silence { updated_at: now, ..wanted.clone() };
        let old = match silence.id.as_str() {
            "" => None,
            id => match silences::get(self.tx, id)?.filter(|old| old.source == silence.source) {
                None => return Ok(Err(DoorError::NoSilence(id.to_owned()))),
                old => old,
            },
        };
        let changes = old.as_ref().is_some_and(|old| match old.state(now) {
            State::Expired => false,
            // Clients give back the hour that they were shown, which has no more than milliseconds.
            State::Active => {
                old.matchers == silence.matchers && old.starts_at.as_second() == silence.starts_at.as_second()
            }
            State::Pending => old.matchers == silence.matchers && silence.starts_at >= now,
        });
        silence.starts_at = match old.as_ref().filter(|old| changes && old.state(now) == State::Active) {
            Some(old) => old.starts_at,
            None => silence.starts_at.max(now),
        };
        if let Err(why) = silence.check(now) {
            return Ok(Err(DoorError::BadSilence(why)));
        }
        let waiting = silences::waiting_of(self.tx, silence.source.as_deref())?;
        let bytes = silences::matcher_bytes_of(self.tx, silence.source.as_deref())?;
        if !changes && (waiting >= SILENCES_MAX || bytes >= MATCHER_BYTES_MAX) {
            return Ok(Err(DoorError::TooManySilences(waiting)));
        }
        if !changes {
            if let Some(old) = old.filter(|old| old.state(now) != State::Expired) {
                self.end(old)?;
            }
            silence.id = fresh.to_owned();
        }
        silences::put(self.tx, &silence)?;
        silences::forget_ended(self.tx, silence.source.as_deref(), ENDED_KEPT)?;
        self.changed();
        Ok(Ok(Reply::Silenced(silence.id)))
    }

    /// Ends a silence now; alerts that still fire are looked at again.
    pub(super) fn end_silence(
        &mut self,
        id: &str,
        source: Option<&str>,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(silence) = silences::get(self.tx, id)?.filter(|known| known.source.as_deref() == source)
        else {
            return Ok(Err(DoorError::NoSilence(id.to_owned())));
        };
        if silence.state(self.tx.now) != State::Expired {
            self.end(silence)?;
        }
        Ok(Ok(Reply::Done))
    }

    fn end(&mut self, silence: Silence) -> Result<(), StoreError> {
        let now = self.tx.now;
        // One that has not begun never holds for anything.
        let starts_at = silence.starts_at.min(now);
        silences::put(self.tx, &Silence { starts_at, ends_at: now, updated_at: now, ..silence })?;
        self.changed();
        Ok(())
    }

    fn changed(&mut self) {
        self.memory.forget_silences();
        self.effects.set_hour();
    }
}
