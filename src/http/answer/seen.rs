//! What this node has seen of the presses on answer pages, for some minutes, in its memory: programs at the hidden button,
//! also while the door takes nothing; and presses that came sooner than people press.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So long it is remembered.
const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// So many presses of each kind; the oldest are forgotten first.
const MOST: usize = 4096;

/// What was seen. Each link has one hour, that of the last press.
#[derive(Debug, Default)]
pub struct Presses {
    robots: Mutex<VecDeque<([u8; 32], Timestamp)>>,
    early: Mutex<VecDeque<([u8; 32], Timestamp)>>,
}

impl Presses {
    /// A program pressed the hidden button.
    pub(super) fn saw_robot(&self, link: &[u8; 32], now: Timestamp) {
        remember(&self.robots, link, now);
    }

    /// When it did last.
    pub(super) fn robot_at(&self, link: &[u8; 32], now: Timestamp) -> Option<Timestamp> {
        look(&self.robots, link, now)
    }

    /// A button was pressed sooner than people press.
    pub(super) fn saw_early(&self, link: &[u8; 32], now: Timestamp) {
        remember(&self.early, link, now);
    }

    /// When it was last.
    pub(super) fn early_at(&self, link: &[u8; 32], now: Timestamp) -> Option<Timestamp> {
        look(&self.early, link, now)
    }
}

fn remember(seen: &Mutex<VecDeque<([u8; 32], Timestamp)>>, link: &[u8; 32], now: Timestamp) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.retain(|(known, at)| known != link && now.duration_since(*at) <= LASTS);
    if seen.len() >= MOST {
        seen.pop_front();
    }
    seen.push_back((*link, now));
}

fn look(seen: &Mutex<VecDeque<([u8; 32], Timestamp)>>, link: &[u8; 32], now: Timestamp) -> Option<Timestamp> {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let found = seen.iter().rev().find(|(known, _)| known == link).map(|(_, at)| *at);
    found.filter(|at| now.duration_since(*at) <= LASTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_is_remembered_for_its_link_for_some_minutes_and_there_are_never_too_many() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let presses = Presses::default();
        presses.saw_robot(&[1; 32], at(0));
        assert_eq!(presses.robot_at(&[1; 32], at(600)), Some(at(0)));
        assert_eq!(presses.robot_at(&[1; 32], at(601)), None);
        assert_eq!(presses.robot_at(&[2; 32], at(0)), None);
        assert_eq!(presses.early_at(&[1; 32], at(0)), None);
        for n in 0..=MOST {
            let mut link = [0; 32];
            link[..8].copy_from_slice(&n.to_be_bytes());
            presses.saw_early(&link, at(1));
        }
        assert_eq!(presses.early.lock().unwrap().len(), MOST);
        assert_eq!(presses.early_at(&[0; 32], at(1)), None, "the oldest is forgotten");
    }
}
