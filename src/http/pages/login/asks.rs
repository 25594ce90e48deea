//! A purse for those who ask for a login link by mail, at each node: whoever may ask without being known is heard a few times a
//! second, and what is beyond that never comes to the door, where the answers to pages wait for the disk as well. Names of
//! people and names of nobody have a purse each, so that who tries names keeps no person from asking.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So often somebody is heard in the long run.
const EVERY: SignedDuration = SignedDuration::from_millis(250);
/// So many at once, after a while in which nobody asked.
const AT_ONCE: i32 = 12;

/// Both purses.
#[derive(Debug, Default)]
pub struct Asks {
    people: Purse,
    nobodies: Purse,
}

impl Asks {
    /// Whether somebody who asks now is heard.
    pub(in crate::http) fn take(&self, is_person: bool, now: Timestamp) -> bool {
        if is_person { self.people.take(now) } else { self.nobodies.take(now) }
    }
}

/// When all that was taken will have come in again.
#[derive(Debug, Default)]
struct Purse(Mutex<Timestamp>);

impl Purse {
    fn take(&self, now: Timestamp) -> bool {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = now.saturating_add(EVERY * AT_ONCE).unwrap_or(now);
        // What was taken by a clock that was ahead is no more than a whole purse.
        *full_at = (*full_at).clamp(now, most);
        let next = full_at.saturating_add(EVERY).unwrap_or(most);
        let has = next <= most;
        if has {
            *full_at = next;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn taken(asks: &Asks, is_person: bool, at_ms: i64) -> usize {
        (0..100).filter(|_| asks.take(is_person, at(at_ms))).count()
    }

    #[test]
    fn a_few_are_heard_at_once_and_then_a_few_a_second() {
        let asks = Asks::default();
        assert_eq!((taken(&asks, true, 0), taken(&asks, true, 249)), (12, 0));
        assert_eq!((taken(&asks, true, 250), taken(&asks, true, 1_000)), (1, 3));
        assert_eq!(taken(&asks, true, 3_600_000), 12, "and no more, however long nobody asked");
        assert_eq!(taken(&asks, false, 3_600_000), 12, "who tries names takes nothing from people");
        assert_eq!(taken(&asks, true, 3_600_250), 1);
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_from_asking_for_long() {
        let asks = Asks::default();
        assert_eq!(taken(&asks, true, 86_400_000), 12);
        assert_eq!((taken(&asks, true, 0), taken(&asks, true, 250)), (0, 1));
        assert_eq!(taken(&asks, true, 3_250), 12);
    }
}
