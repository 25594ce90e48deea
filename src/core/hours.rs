//! Hours of the week by a clock on the wall: when a step of a policy is there.
//!
//! A span that goes past midnight belongs to the day it begins on: `Fri` and `22:00` to `06:00` is there on Saturday at
//! five. Hours are those that the clock shows, so one that comes twice when summer ends is there twice, and one that is
//! missing in spring is not there at all.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Some hours of some days.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// On which days; none: on all.
    pub days: Vec<Weekday>,
    /// From when until when; earlier than it begins is on the next day. `None`: the whole day.
    pub span: Option<(Time, Time)>,
    /// Whose clock.
    pub time_zone: TimeZone,
}

impl Eq for Hours {}

impl Hours {
    /// Whether an instant lies in them.
    pub fn holds(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.time_zone.clone());
        let (today, time) = (local.weekday(), local.time());
        let Some((from, until)) = self.span else { return self.is_on(today) };
        if from < until {
            return self.is_on(today) && from <= time && time < until;
        }
        (self.is_on(today) && from <= time) || (self.is_on(today.previous()) && time < until)
    }

    /// The first instant after this one at which they may begin or end.
    pub fn next_change(&self, after: Timestamp) -> Timestamp {
        let local = after.to_zoned(self.time_zone.clone());
        let clocks = self.span.map_or([Time::midnight(); 2], |(from, until)| [from, until]);
        let dates = [Some(local.date()), local.date().tomorrow().ok()];
        let at = |date: Date, time: Time| date.to_datetime(time).to_zoned(self.time_zone.clone()).ok();
        let shown = dates.into_iter().flatten().flat_map(|date| clocks.map(|time| at(date, time)));
        // Where the clock is set, what it shows jumps over an hour, or comes back to it.
        let set = self.time_zone.following(after).next().map(|change| change.timestamp());
        let hours = shown.flatten().map(|zoned: Zoned| zoned.timestamp()).chain(set);
        hours.filter(|hour| *hour > after).min().unwrap_or(Timestamp::MAX)
    }

    fn is_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::time;

    use super::*;

    fn hours(zone: &str, days: &[Weekday], span: Option<(i8, i8)>) -> Hours {
        let clock = |hour| time(hour, 30, 0, 0);
        Hours {
            days: days.to_vec(),
            span: span.map(|(from, until)| (clock(from), clock(until))),
            time_zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn holds(hours: &Hours, at: &str) -> bool {
        hours.holds(at.parse().unwrap())
    }

    #[test]
    fn a_span_past_midnight_belongs_to_the_day_it_begins_on() {
        let night = hours("Europe/Oslo", &[Weekday::Friday], Some((22, 6)));
        // Friday is the 27th of November 2026; Oslo is an hour ahead.
        for (at, there) in [
            ("2026-11-27T21:29:59Z", false),
            ("2026-11-27T21:30:00Z", true),
            ("2026-11-28T05:29:59Z", true),
            ("2026-11-28T05:30:00Z", false),
            ("2026-11-28T22:00:00Z", false),
            ("2026-11-27T03:00:00Z", false),
        ] {
            assert_eq!(holds(&night, at), there, "{at}");
        }
    }

    #[test]
    fn a_day_is_the_day_of_the_zone() {
        let monday = hours("Pacific/Auckland", &[Weekday::Monday], None);
        assert!(holds(&monday, "2026-11-29T11:00:00Z"));
        assert!(!holds(&monday, "2026-11-29T10:59:59Z"));
        assert!(!holds(&monday, "2026-11-30T11:00:00Z"));
    }

    #[test]
    fn an_hour_that_comes_twice_is_there_twice_and_one_that_is_missing_is_not() {
        let early = hours("Europe/Oslo", &[], Some((2, 3)));
        // On 25 October 02:30 to 03:00 of summer time, then all from 02:30 of winter time.
        for (at, there) in [
            ("2026-10-25T00:29:59Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:00:00Z", false),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:30:00Z", false),
            // On 29 March the clock goes from 02:00 to 03:00.
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:30:00Z", false),
        ] {
            assert_eq!(holds(&early, at), there, "{at}");
        }
    }

    #[test]
    fn nothing_changes_between_two_changes_and_none_is_stood_still_at() {
        let days = [Weekday::Friday, Weekday::Saturday];
        for hours in [
            hours("Europe/Oslo", &days, Some((22, 6))),
            hours("Australia/Lord_Howe", &[], Some((1, 2))),
            hours("America/St_Johns", &days, None),
            hours("UTC", &[], Some((8, 17))),
        ] {
            let mut at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            let end: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
            while at < end {
                let next = hours.next_change(at);
                assert!(next > at);
                let mut minute = at;
                while minute < next {
                    assert_eq!(hours.holds(minute), hours.holds(at), "{minute} {hours:?}");
                    minute += SignedDuration::from_mins(10);
                }
                at = next;
            }
        }
    }
}
