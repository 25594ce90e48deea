//! A form that is sent twice in one breath is one: on a slow network people tap again, and whoever calls the next people so must
//! not wake those after them. Forms carry the number of the newest entry that stood on their page, so the same one of a page that
//! is newer is another.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The same form, word by word, within this long is the same press.
const APART_MIN: SignedDuration = SignedDuration::from_secs(10);
/// Forms that are remembered; of more than these, a second one is done.
const KEPT_MAX: usize = 4096;

/// What this node was sent in the last seconds.
#[derive(Debug, Default)]
pub struct Taps(Mutex<VecDeque<([u8; 32], Timestamp)>>);

impl Taps {
    /// Whether a form, told by the hash of who sent it, where to and of what, is sent for the first time.
    pub(in crate::http) fn is_first(&self, mark: [u8; 32], now: Timestamp) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, at)| now.duration_since(*at).abs() < APART_MIN);
        if kept.iter().any(|(known, _)| *known == mark) {
            return false;
        }
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((mark, now));
        true
    }

    /// It was not done, and may be sent again.
    pub(in crate::http) fn was_not_done(&self, mark: [u8; 32]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_form_in_one_breath_is_one_press() {
        let (taps, at) = (Taps::default(), Timestamp::from_second(1_000_000).unwrap());
        let after = |seconds: i64| at + SignedDuration::from_secs(seconds);
        assert!(taps.is_first([1; 32], at));
        assert!(!taps.is_first([1; 32], after(3)) && taps.is_first([2; 32], after(3)));
        // What was not done may be sent at once, and a while later it is meant.
        taps.was_not_done([2; 32]);
        assert!(taps.is_first([2; 32], after(4)));
        assert!(taps.is_first([1; 32], after(10)));
        // A clock that was set back holds nobody up.
        assert!(taps.is_first([1; 32], after(-60)));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (taps, at) = (Taps::default(), Timestamp::from_second(1_000_000).unwrap());
        for number in 0..=u64::try_from(KEPT_MAX).unwrap() {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&number.to_be_bytes());
            assert!(taps.is_first(mark, at));
        }
        assert_eq!(taps.0.lock().unwrap().len(), KEPT_MAX);
    }
}
