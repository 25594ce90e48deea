//! Calendars that rotations follow, and the private addresses of those that are made of rotations.

use secrecy::ExposeSecret as _;

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::oncall::Turn;
use crate::store::StoreError;
use crate::store::calendars::{self, LINKS_MAX, Subject};

/// What came of asking for a calendar.
#[derive(Clone, Debug)]
pub struct CalendarSaid {
    /// Which rotation follows it.
    pub rotation: String,
    /// What it says, and what should be known of it; else why it is not known.
    pub found: Result<(Vec<Turn>, Vec<String>), String>,
}

impl Work<'_, '_> {
    /// Keeps what a calendar says. One that could not be read changes nothing of what is known.
    pub(super) fn calendar(&mut self, asked: &CalendarSaid) -> Result<Reply, StoreError> {
        match &asked.found {
            Ok((turns, warnings)) => {
                calendars::put(self.tx, &asked.rotation, turns, warnings)?;
                self.memory.forget_roster();
            }
            Err(why) => calendars::put_error(self.tx, &asked.rotation, why)?,
        }
        Ok(Reply::Done)
    }

    /// Keeps a private address of a calendar.
    pub(super) fn link_calendar(
        &mut self,
        token: &secrecy::SecretString,
        subject: &Subject,
        by: &str,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let links = calendars::working_links(self.tx)?;
        if links >= LINKS_MAX {
            return Ok(Err(DoorError::TooManyLinks(links)));
        }
        calendars::put_link(self.tx, token.expose_secret(), subject, by).map(|id| Ok(Reply::Made(id)))
    }
}
