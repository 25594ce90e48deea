//! What the carriers of letters tell of them after they took them: that one has arrived, or never will.
//!
//! "Taken" is not "there": a message waits in a queue of its carrier, and a telephone rings. One that is told to have reached
//! nobody is as one that came back by mail: where it was the last way of its page, the next people are woken at once.

use super::acts::{Sent, Work};
use super::{DoorError, Reply};
use crate::store::{StoreError, carried, letters};

/// Told on the way to the person; nothing follows from it.
const SENT: &str = "sent";

/// The words of carriers for a letter that has arrived.
pub const ARRIVED: [&str; 3] = ["delivered", "read", "completed"];

/// What a carrier tells of a letter.
#[derive(Debug)]
pub struct Report {
    /// The id of the letter.
    pub letter: String,
    /// Which attempt it is about: what became of an older one says nothing of the last, unless it has arrived.
    pub attempt: u32,
    /// The carrier's word.
    pub word: String,
    /// What it means.
    pub fate: Fate,
}

/// What a report means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way.
    Sent,
    /// It has arrived; its word is one of [`ARRIVED`].
    Arrived,
    /// It came back: it cannot arrive.
    Bounced(String),
    /// Nobody took it this time.
    Refused(String),
}

impl Work<'_, '_> {
    pub(super) fn report(&mut self, report: &Report) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(letter) = letters::by_id(self.tx, &report.letter)?.filter(|letter| letter.wakes) else {
            return Ok(Ok(Reply::Done));
        };
        let Some(known) = carried::reported(self.tx, &report.letter)? else { return Ok(Ok(Reply::Done)) };
        // Reports come twice, and out of order.
        let is_new = known.said.as_deref() != Some(&report.word);
        let is_late = report.fate == Fate::Sent && known.said.is_some();
        let is_lost = matches!(known.state.as_str(), "refused" | "bounced" | "dropped");
        let is_of_last = known.attempts == i64::from(report.attempt);
        // Whatever became of another attempt.
        let is_there = known.said.as_deref().is_some_and(|said| ARRIVED.contains(&said));
        if !is_new || is_late || is_there && report.fate != Fate::Arrived {
            return Ok(Ok(Reply::Done));
        }
        let sent = Sent {
            incident: letter.incident,
            page: letter.page,
            kind: known.kind,
            person: &letter.person,
            channel: &letter.channel,
            written_at: letter.written_at,
            statement: None,
        };
        let (state, why) = match &report.fate {
            Fate::Sent => {
                carried::reports(self.tx, &letter.id, SENT, false)?;
                return Ok(Ok(Reply::Done));
            }
            Fate::Arrived => {
                carried::reports(self.tx, &letter.id, &report.word, true)?;
                if letter.incident == 0 {
                    self.tested(&letter.person, &letter.channel, &known.address, ("accepted", ""))?;
                } else {
                    self.conclude(&sent, &report.word, "")?;
                }
                return Ok(Ok(Reply::Done));
            }
            Fate::Bounced(why) => ("bounced", why),
            Fate::Refused(why) => ("refused", why),
        };
        if is_lost || !is_of_last {
            return Ok(Ok(Reply::Done));
        }
        carried::reports(self.tx, &letter.id, &report.word, false)?;
        letters::lost(self.tx, &letter.id, state, why)?;
        // What only waited for the others of its page may be due.
        self.effects.wrote();
        if letter.incident == 0 {
            self.tested(&letter.person, &letter.channel, &known.address, (state, why))?;
        } else {
            self.conclude(&sent, state, why)?;
        }
        Ok(Ok(Reply::Done))
    }
}
