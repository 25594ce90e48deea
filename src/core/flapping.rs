//! Flapping: an alert that changes its status again and again is one condition, of which people have heard.
//!
//! Pure. What is remembered of an alert is small: the newest hours at which it changed, as many as are counted, and since when
//! it flaps.

use jiff::{SignedDuration, Timestamp};

/// Most changes that are counted.
pub const CHANGES_MAX: u32 = 50;

/// When an alert flaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// It does when its status changed so often; 0: never.
    pub changes: u32,
    /// Within this time.
    pub within: SignedDuration,
    /// Until it did not change for this long.
    pub calm_after: SignedDuration,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { changes: 6, within: SignedDuration::from_mins(30), calm_after: SignedDuration::from_mins(15) }
    }
}

/// What is remembered of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// When it changed last, in Unix seconds with blanks between them, the oldest first.
    pub changes: String,
    /// Since when it flaps.
    pub since: Option<Timestamp>,
}

/// An alert flaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaps {
    /// How often it changed since this hour, when it began to flap just now.
    pub began: Option<(u32, Timestamp)>,
    /// It is calm when it does not change until then.
    pub calm_at: Timestamp,
}

impl History {
    /// What is remembered from now on, and whether it flaps.
    pub fn after(&self, changed: bool, flapping: Flapping, now: Timestamp) -> (Self, Option<Flaps>) {
        if flapping.changes == 0 {
            return (Self::default(), None);
        }
        if !changed && self.changes.is_empty() {
            return (self.clone(), None);
        }
        let mut hours: Vec<Timestamp> = self
            .changes
            .split(' ')
            .filter_map(|second| second.parse().ok())
            .filter_map(|second| Timestamp::from_second(second).ok())
            // Given by a clock that has been put right since.
            .filter(|at| *at <= now)
            .collect();
        let until = |at: Timestamp| at.saturating_add(flapping.calm_after).unwrap_or(Timestamp::MAX);
        let is_calm = hours.last().is_none_or(|last| until(*last) <= now);
        let mut since = self.since;
        if since.is_some() && is_calm {
            since = None;
            hours.clear();
        }
        if changed {
            hours.retain(|at| now.duration_since(*at) <= flapping.within);
            hours.push(now);
            let kept = usize::try_from(flapping.changes.min(CHANGES_MAX)).unwrap_or(usize::MAX);
            hours.drain(..hours.len().saturating_sub(kept));
        }
        let count = u32::try_from(hours.len()).unwrap_or(u32::MAX);
        let began = changed && since.is_none() && count >= flapping.changes;
        if began {
            since = Some(now);
        }
        let began = began.then(|| (count, hours.first().copied().unwrap_or(now)));
        let last = hours.last().copied().unwrap_or(now);
        let changes = hours.iter().map(|at| at.as_second().to_string()).collect::<Vec<_>>().join(" ");
        (Self { changes, since }, since.is_some().then(|| Flaps { began, calm_at: until(last) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_323_000 + minute * 60).unwrap()
    }

    /// Where changes at these minutes leave an alert: `.` calm, `b` begins to flap, `f` flaps.
    fn walk(flapping: Flapping, minutes: &[i64]) -> String {
        let mut history = History::default();
        let mut told = String::new();
        for minute in minutes {
            let (next, flaps) = history.after(true, flapping, at(*minute));
            history = next;
            told.push(match flaps {
                None => '.',
                Some(Flaps { began: Some(_), .. }) => 'b',
                Some(_) => 'f',
            });
        }
        told
    }

    #[test]
    fn it_flaps_at_the_last_change_that_is_needed_and_until_it_is_calm() {
        let usual = Flapping::default();
        assert_eq!(walk(usual, &[0, 1, 2, 3, 4, 5, 6, 20, 34]), ".....bfff");
        // A quarter of an hour is calm, and what was before counts no more.
        assert_eq!(walk(usual, &[0, 1, 2, 3, 4, 5, 20, 21, 22, 23, 24, 25]), ".....b.....b");
        assert_eq!(walk(usual, &[0, 7, 14, 21, 28, 35, 42, 49]), "........");
        assert_eq!(walk(usual, &[0, 6, 12, 18, 24, 30, 36]), ".....bf");
        assert_eq!(walk(Flapping { changes: 0, ..usual }, &[0; 20]), ".".repeat(20));
    }

    #[test]
    fn what_does_not_change_is_as_it_was_and_grows_calm() {
        let mut history = History::default();
        for minute in 0..6 {
            history = history.after(true, Flapping::default(), at(minute)).0;
        }
        let (same, flaps) = history.after(false, Flapping::default(), at(19));
        assert_eq!((&same, flaps.unwrap().calm_at), (&history, at(20)));
        assert_eq!(history.after(false, Flapping::default(), at(20)).1, None);
        assert!(history.changes.len() < 70);
    }

    #[test]
    fn an_hour_that_never_was_is_no_change() {
        let ahead = History { changes: (at(500).as_second()).to_string(), since: Some(at(500)) };
        let (next, flaps) = ahead.after(true, Flapping::default(), at(0));
        assert_eq!((next.since, flaps), (None, None));
    }
}
