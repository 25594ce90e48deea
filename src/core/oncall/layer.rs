//! A layer of a rotation: people taking turns, by the clock on the wall of a zone.
//!
//! Turn *k* begins when that clock shows the first hand-over and `k` times the length of a shift more. It counts hours as a
//! clock on a wall does: a day has 24 of them, also when it is an hour shorter, so a hand-over stays at the hour people know.
//! An hour that is left out moves by as much as the clock does, and of one that comes twice the first counts. On call is the
//! last turn that has begun: one whose hour moves beyond the begin of the next has no length.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

use super::hours::Hours;

/// People taking turns, for the hours in which the layer is open.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Zone of its hours.
    pub time_zone: TimeZone,
    /// Turns in order; in each, everybody who is on call together.
    pub members: Vec<Vec<String>>,
    /// Length of a shift in hours of the clock on the wall, at least 1; a week is 168.
    pub shift_hours: u32,
    /// Day of the week of the hand-over; `None` for shifts that are not whole weeks.
    pub handover_day: Option<Weekday>,
    /// Hour of the hand-over.
    pub handover_time: Time,
    /// Date of the first shift, which is the first turn's.
    pub start: Date,
    /// When it is open.
    pub hours: Hours,
}

impl Layer {
    /// Which turn has begun last at an instant; `None` before the first hand-over.
    pub(super) fn turn(&self, at: Timestamp) -> Option<i64> {
        let here = at.to_zoned(self.time_zone.clone()).datetime();
        // In an hour that comes for the second time, hand-overs of the first time have been, though the clock shows less.
        let first_time = self.time_zone.to_timestamp(here).unwrap_or(at);
        let late = at.duration_since(first_time).max(SignedDuration::ZERO);
        let since = here.duration_since(self.first()).checked_add(late)?;
        let length = SignedDuration::from_hours(i64::from(self.shift_hours.max(1)));
        let mut turn = i64::try_from(since.as_nanos().div_euclid(length.as_nanos())).ok()?;
        // Hours that are left out begin later than the clock says.
        while turn >= 0 && self.begins(turn).is_some_and(|begins| begins > at) {
            turn -= 1;
        }
        (turn >= 0).then_some(turn)
    }

    /// When the turns after this one begin; the last instant there is, when they never do.
    pub(super) fn ends(&self, turn: i64) -> Timestamp {
        let mut first = Timestamp::MAX;
        for next in turn.saturating_add(1).. {
            let Some(hour) = self.hour(next) else { break };
            let there = self.time_zone.to_ambiguous_timestamp(hour);
            let is_left_out = matches!(there.offset(), AmbiguousOffset::Gap { .. });
            if let Ok(begins) = there.compatible() {
                first = first.min(begins);
            }
            // One that moved may be overtaken by those after it, until there is one that did not.
            if !is_left_out {
                break;
            }
        }
        first
    }

    /// Who has a turn.
    pub(super) fn people(&self, turn: i64) -> &[String] {
        let count = i64::try_from(self.members.len()).unwrap_or(i64::MAX);
        let index = turn.checked_rem_euclid(count).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.members.get(index)).map(Vec::as_slice).unwrap_or_default()
    }

    fn begins(&self, turn: i64) -> Option<Timestamp> {
        self.time_zone.to_timestamp(self.hour(turn)?).ok()
    }

    /// What the clock on the wall shows when a turn begins.
    fn hour(&self, turn: i64) -> Option<DateTime> {
        let hours = turn.checked_mul(i64::from(self.shift_hours.max(1)))?;
        let seconds = hours.checked_mul(3600)?;
        self.first().checked_add(SignedDuration::from_secs(seconds)).ok()
    }

    fn first(&self) -> DateTime {
        let wait = self.handover_day.map_or(0, |day| day.since(self.start.weekday()));
        let date = self.start.checked_add(Span::new().days(i64::from(wait))).unwrap_or(self.start);
        date.to_datetime(self.handover_time)
    }
}
