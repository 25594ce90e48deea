//! Restrictions of a layer: days of the week and hours of the day in which it is open.
//!
//! Every span begins on a day that is allowed and ends when the clock on the wall shows its end, be that on the next day. An
//! hour that a change of the clock leaves out moves by as much as the clock does; of an hour that comes twice the first counts.
//! So where one span ends and another begins at the same hour, one of them is open at every instant, also in such a night.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;
/// A span that is open at an instant began on a day no longer ago than this: it lasts for a day at most and may end on the next,
/// and a day may be missing.
const DAYS_BACK: i64 = 3;
/// What begins later on than this many days is not asked for: a week, and a day that is missing.
const DAYS_AHEAD: i64 = 16;

/// When a layer is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Days on which spans begin, from Monday.
    days: [bool; 7],
    /// Spans of a day, in minutes from its midnight. None: the whole day.
    spans: Vec<(u16, u16)>,
}

impl Hours {
    /// Always.
    pub const fn always() -> Self {
        Self { days: [true; 7], spans: Vec::new() }
    }

    /// On some days of the week, and from one hour to another, in minutes from midnight: an end that is not later than its
    /// begin is one of the next day. No days, and no spans, mean all of them.
    pub fn new(days: &[Weekday], spans: &[(u16, u16)]) -> Self {
        let mut open = [days.is_empty(); 7];
        for day in days {
            open[usize::from(day.to_monday_zero_offset().unsigned_abs() % 7)] = true;
        }
        let until = |from: u16, until: u16| if until > from { until } else { until.saturating_add(DAY_MIN) };
        Self { days: open, spans: spans.iter().map(|(from, end)| (*from, until(*from, *end))).collect() }
    }

    /// Whether it is open at every instant, as far as can be told without a calendar.
    pub fn is_always(&self) -> bool {
        self.days == [true; 7] && (self.spans.is_empty() || self.spans.contains(&(0, DAY_MIN)))
    }

    /// Whether it is open at an instant.
    pub fn open_at(&self, zone: &TimeZone, at: Timestamp) -> bool {
        if self.is_always() {
            return true;
        }
        let today = at.to_zoned(zone.clone()).date();
        let near = (-DAYS_BACK..=1).filter_map(|days| date(today, days));
        near.flat_map(|day| self.of_day(zone, day)).any(|(from, until)| from <= at && at < until)
    }

    /// The first instant after this one at which a span begins or ends.
    pub fn next_change(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        if self.is_always() {
            return None;
        }
        let today = after.to_zoned(zone.clone()).date();
        let mut first: Option<(i64, Timestamp)> = None;
        for days in -DAYS_BACK..=DAYS_AHEAD {
            // Hours of two days further on may be missing, and move beyond what was found.
            if first.is_some_and(|(found, _)| days > found.max(0) + 2) {
                break;
            }
            let Some(day) = date(today, days) else { continue };
            let changes = self.of_day(zone, day).flat_map(|(from, until)| [from, until]);
            for change in changes.filter(|change| *change > after) {
                if first.is_none_or(|(_, earliest)| change < earliest) {
                    first = Some((days, change));
                }
            }
        }
        // Nothing may begin for longer where days are missing: one asks again then.
        let again = || after.checked_add(SignedDuration::from_hours(24 * (DAYS_AHEAD - 2))).ok();
        first.map(|(_, change)| change).or_else(again)
    }

    /// The spans that begin on a day and are not empty.
    fn of_day<'a>(
        &'a self,
        zone: &'a TimeZone,
        day: Date,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
        let allowed = self.days[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs() % 7)];
        let whole: &[(u16, u16)] = if self.spans.is_empty() { &[(0, DAY_MIN)] } else { &self.spans };
        let midnight = day.to_datetime(jiff::civil::Time::midnight());
        let instant = move |minutes: u16| {
            let there = midnight.checked_add(SignedDuration::from_mins(i64::from(minutes))).ok()?;
            zone.to_timestamp(there).ok()
        };
        let spans = whole.iter().filter(move |_| allowed);
        spans
            .filter_map(move |(from, until)| Some((instant(*from)?, instant(*until)?)))
            .filter(|(from, until)| from < until)
    }
}

fn date(from: Date, days: i64) -> Option<Date> {
    from.checked_add(Span::new().try_days(days).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const WORK: [Weekday; 5] =
        [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

    #[test]
    fn a_span_past_midnight_belongs_to_the_day_it_begins_on() {
        let oslo = TimeZone::get("Europe/Oslo").unwrap();
        let nights = Hours::new(&WORK, &[(22 * 60, 6 * 60)]);
        // From Friday evening to Saturday morning, and not from Sunday evening to Monday morning.
        assert!(nights.open_at(&oslo, at("2026-01-10T04:59:59Z")));
        assert!(!nights.open_at(&oslo, at("2026-01-10T05:00:00Z")));
        assert!(!nights.open_at(&oslo, at("2026-01-12T04:00:00Z")));
        assert_eq!(nights.next_change(&oslo, at("2026-01-10T05:00:00Z")), Some(at("2026-01-12T21:00:00Z")));
    }

    #[test]
    fn neighbours_leave_no_gap_in_the_nights_of_the_change() {
        let oslo = TimeZone::get("Europe/Oslo").unwrap();
        let early = Hours::new(&[], &[(0, 150)]);
        let late = Hours::new(&[], &[(150, 24 * 60)]);
        // 2026-03-29 there is no half past two, 2026-10-25 there are two.
        for night in ["2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z"] {
            for minutes in 0..180 {
                let now = at(night) + SignedDuration::from_mins(minutes);
                let (one, two) = (early.open_at(&oslo, now), late.open_at(&oslo, now));
                assert!(one != two, "{now}: {one} {two}");
            }
        }
        assert_eq!(early.next_change(&oslo, at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn a_weekday_that_was_left_out_is_waited_for_until_the_next_week() {
        let apia = TimeZone::get("Pacific/Apia").unwrap();
        // 2011-12-30 was no day in Samoa, and a Friday.
        let fridays = Hours::new(&[Weekday::Friday], &[]);
        let opens = fridays.next_change(&apia, at("2011-12-29T12:00:00Z")).unwrap();
        assert_eq!(opens, at("2012-01-05T10:00:00Z"), "the Friday after");
        assert!(fridays.open_at(&apia, opens));
    }
}
