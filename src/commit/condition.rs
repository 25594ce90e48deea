//! Known conditions inside the transaction.
//!
//! Open incidents that one concerns get a note when it is said, with its hours, and when somebody ends it: a note is an entry
//! that every version reads. What is said ahead needs no other when its hours come.

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::condition::{Condition, struck};
use crate::core::decide::{Act, By};
use crate::core::incident::Incident;
use crate::core::silence::State;
use crate::store::incidents;
use crate::store::search::Filter;
use crate::store::{StoreError, conditions};

/// Conditions that have ended and are listed for a while.
const ENDED_KEPT: i64 = 1000;
/// Most open incidents, the newest, that are looked at for notes.
const NOTED_MAX: u32 = 200;

impl Work<'_, '_> {
    /// Keeps a new condition.
    pub(super) fn add_condition(
        &mut self,
        wanted: &Condition,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let now = self.tx.now;
        let starts_at = wanted.starts_at.max(now);
        let condition = Condition { starts_at, created_at: now, ended_by: None, ..wanted.clone() };
        if let Err(why) = condition.check(now) {
            return Ok(Err(DoorError::BadCondition(why)));
        }
        let services = &self.house.rules.services;
        if let Some(unknown) = condition.services.iter().find(|name| !services.contains_key(*name)) {
            return Ok(Err(DoorError::NoService(unknown.clone())));
        }
        let waiting = conditions::waiting(self.tx)?;
        if waiting >= i64::from(conditions::OPEN_MAX) {
            return Ok(Err(DoorError::TooManyConditions(waiting)));
        }
        conditions::put(self.tx, &condition)?;
        conditions::forget_ended(self.tx, ENDED_KEPT)?;
        self.memory.forget_conditions();
        self.note_condition(&condition, &condition.told(now), by)?;
        Ok(Ok(Reply::Done))
    }

    /// Ends a condition now.
    pub(super) fn end_condition(
        &mut self,
        id: &str,
        who: &str,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(condition) = conditions::get(self.tx, id)? else {
            return Ok(Err(DoorError::NoCondition(id.to_owned())));
        };
        let now = self.tx.now;
        if condition.state(now) == State::Expired {
            return Ok(Ok(Reply::Done));
        }
        let ended = Condition {
            // One that has not begun never holds.
            starts_at: condition.starts_at.min(now),
            ends_at: now,
            ended_by: Some(who.to_owned()),
            ..condition
        };
        conditions::put(self.tx, &ended)?;
        self.memory.forget_conditions();
        self.note_condition(&ended, &ended.told_ended(), by)?;
        Ok(Ok(Reply::Done))
    }

    fn note_condition(&mut self, condition: &Condition, text: &str, by: &By) -> Result<(), StoreError> {
        let open = Filter { state: Some("open".into()), limit: NOTED_MAX, ..Filter::default() };
        let needs = &self.house.rules.needs;
        let concerned = |one: &Incident| condition.concerns(&struck(one, needs));
        let found = incidents::list(self.tx, &open)?;
        for incident in found.iter().filter(|incident| concerned(incident)) {
            if let Some(saved) = self.memory.incident(self.tx, incident.id)? {
                self.must(&saved, Act::Note { text: text.to_owned() }, by)?;
            }
        }
        Ok(())
    }
}
