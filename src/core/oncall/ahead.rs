//! Who will be on call, and when nobody will: what pages, commands and figures say of the days ahead.

use jiff::{SignedDuration, Timestamp};

use super::{Roster, Rotation};

/// How far ahead it is told who comes next, and that nobody does.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Most turns that are gone through: an hour each, for more than a year.
const TURNS_MAX: usize = 10_000;

/// A time in which the same people are on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
    /// Who; nobody in a gap.
    pub people: Vec<String>,
    /// Who is told beside them.
    pub shadows: Vec<String>,
}

/// A time in which nobody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In which rotation.
    pub rotation: String,
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
}

impl Rotation {
    /// Who is on call from one hour to another, without a break between the times.
    pub fn watches(&self, name: &str, roster: &Roster, from: Timestamp, until: Timestamp) -> Vec<Watch> {
        let mut watches: Vec<Watch> = Vec::new();
        let mut at = from;
        for _ in 0..TURNS_MAX {
            if at >= until {
                break;
            }
            let duty = self.duty(name, roster, at);
            let next = duty.until.min(until);
            if next <= at {
                break;
            }
            match watches.last_mut() {
                Some(last) if last.people == duty.people && last.shadows == duty.shadows => last.until = next,
                _ => {
                    watches.push(Watch { from: at, until: next, people: duty.people, shadows: duty.shadows })
                }
            }
            at = next;
        }
        watches
    }

    /// Until when who is on call at an instant stays so: to their hand-over, or until something that was said changes it.
    pub fn stays_until(&self, name: &str, roster: &Roster, at: Timestamp) -> Timestamp {
        let now = self.duty(name, roster, at);
        let turn = self.duty(name, &roster.only_calendars(), at).until;
        let mut until = now.until;
        for _ in 0..TURNS_MAX {
            if until >= turn {
                break;
            }
            // Something was said of others.
            let next = self.duty(name, roster, until);
            if next.people != now.people || next.shadows != now.shadows || next.until <= until {
                break;
            }
            until = next.until;
        }
        until
    }

    /// When nobody is on call from one hour to another because of what was said, or because a calendar says nothing. What the
    /// configuration itself leaves free, it leaves free on purpose.
    pub fn gaps(&self, name: &str, roster: &Roster, from: Timestamp, until: Timestamp) -> Vec<Gap> {
        let plain = roster.only_calendars();
        let by_calendar = self.follows_calendar();
        let mut gaps: Vec<Gap> = Vec::new();
        for watch in self.watches(name, roster, from, until) {
            if !watch.people.is_empty() {
                continue;
            }
            for usual in self.watches(name, &plain, watch.from, watch.until) {
                if usual.people.is_empty() && !by_calendar {
                    continue;
                }
                match gaps.last_mut() {
                    Some(last) if last.until == usual.from => last.until = usual.until,
                    _ => gaps.push(Gap { rotation: name.to_owned(), from: usual.from, until: usual.until }),
                }
            }
        }
        gaps
    }
}
