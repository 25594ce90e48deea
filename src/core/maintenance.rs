//! Maintenance: hours in which the alerts of a service wake nobody, because somebody is at work on it.
//!
//! A window begins at an hour of the clock on the wall of its zone, and lasts as long as it is said to, by any clock. So one from
//! 02:00 for two hours begins at 03:00 in the night in which there is no 02:00, and is not an hour shorter; where there are two
//! of them, it begins at the first. Those of a calendar are listed one by one, as the calendar's own rules gave them.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// With this word begins what an alert remembers that is held back by a window.
const MARK: &str = "maintenance";

/// Hours in which the alerts of some services wake nobody.
#[derive(Clone, Debug)]
pub struct Window {
    /// What people call it.
    pub name: String,
    /// Whose alerts it holds.
    pub services: BTreeSet<String>,
    /// The zone of its hours.
    pub time_zone: TimeZone,
    /// When.
    pub times: Times,
    /// Why: told to who is woken meanwhile for a service that needs one of these.
    pub comment: String,
    /// What the public is told of it, when it is.
    pub announce: Option<String>,
}

/// When a window is open.
#[derive(Clone, Debug)]
pub enum Times {
    /// By the clock on the wall, once or again and again.
    Clock {
        /// Its first beginning.
        first: DateTime,
        /// So many days lie between two beginnings; `None`: there is one.
        every_days: Option<u32>,
        /// None begins at this hour or later.
        until: Option<Timestamp>,
        /// How long each of them is; shorter than what lies between two beginnings.
        lasts: SignedDuration,
    },
    /// One by one, as [`listed`] made them.
    Listed(Vec<Open>),
}

/// One time for which a window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
}

/// Times in their order, those that touch joined into one.
pub fn listed(mut all: Vec<Open>) -> Times {
    all.retain(|one| one.from < one.until);
    all.sort_unstable();
    let mut joined: Vec<Open> = Vec::with_capacity(all.len());
    for one in all {
        match joined.last_mut() {
            Some(last) if one.from <= last.until => last.until = last.until.max(one.until),
            _ => joined.push(one),
        }
    }
    Times::Listed(joined)
}

impl Window {
    /// Until when it is open, if it is at this hour.
    pub fn open_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.times {
            Times::Listed(all) => {
                let begun = all.partition_point(|one| one.from <= now);
                let last = all.get(begun.checked_sub(1)?)?;
                (now < last.until).then_some(last.until)
            }
            Times::Clock { .. } => {
                // One may have begun on an earlier day, or begin later on this one.
                let near = self.near(now);
                let open =
                    (near.saturating_sub(2)..=near.saturating_add(1)).filter_map(|index| self.nth(index));
                open.filter(|one| one.from <= now && now < one.until).map(|one| one.until).max()
            }
        }
    }

    /// When it is open between two hours, in order, at most `most` times.
    pub fn between(&self, from: Timestamp, until: Timestamp, most: usize) -> Vec<Open> {
        let fits = |one: &Open| from < one.until && one.from < until;
        match &self.times {
            Times::Listed(all) => {
                let over = all.partition_point(|one| one.until <= from);
                all.iter().skip(over).take_while(|one| fits(one)).take(most).copied().collect()
            }
            Times::Clock { .. } => {
                let first = self.near(from).saturating_sub(2).max(0);
                let all = (first..).map_while(|index| self.nth(index));
                all.take_while(|one| one.from < until).filter(fits).take(most).collect()
            }
        }
    }

    /// About how many beginnings lie before an hour.
    fn near(&self, now: Timestamp) -> i64 {
        let Times::Clock { first, every_days, .. } = &self.times else { return 0 };
        let today = now.to_zoned(self.time_zone.clone()).date();
        let days = first.date().until(today).map_or(0, |span| span.get_days());
        i64::from(days).div_euclid(i64::from(every_days.unwrap_or(1).max(1)))
    }

    /// Its opening of this number, from 0.
    fn nth(&self, index: i64) -> Option<Open> {
        let Times::Clock { first, every_days, until, lasts } = &self.times else { return None };
        let days = match (index, every_days) {
            (0, _) => 0,
            (1.., Some(every)) => index.checked_mul(i64::from(*every))?,
            _ => return None,
        };
        let date = first.date().checked_add(Span::new().try_days(days).ok()?).ok()?;
        let from = date.to_datetime(first.time()).to_zoned(self.time_zone.clone()).ok()?.timestamp();
        if until.is_some_and(|until| from >= until) {
            return None;
        }
        Some(Open { from, until: from.checked_add(*lasts).ok()? })
    }
}

/// The window that holds the alerts of a service at an hour, and until when; of several, the one that is over last.
pub fn of<'w>(windows: &'w [Window], service: &str, now: Timestamp) -> Option<(&'w Window, Timestamp)> {
    let own = windows.iter().filter(|window| window.services.contains(service));
    own.filter_map(|window| Some((window, window.open_at(now)?))).max_by_key(|(_, until)| *until)
}

/// What an alert of a service remembers that a window holds back.
pub fn mark(window: &str, service: &str) -> String {
    format!("{MARK}:{window}:{service}")
}

/// The window and the service of which [`mark`] was made.
pub fn marked(mark: &str) -> Option<(&str, &str)> {
    mark.strip_prefix(MARK)?.strip_prefix(':')?.split_once(':')
}

/// Until when what is marked so stays held back, if it does: the window may be over, gone, or not be about the service any more.
pub fn holds(windows: &[Window], mark: &str, now: Timestamp) -> Option<Timestamp> {
    let (name, service) = marked(mark)?;
    let window = windows.iter().find(|window| window.name == name && window.services.contains(service))?;
    window.open_at(now)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, datetime};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(zone: &str, first: DateTime, every_days: Option<u32>, minutes: i64) -> Window {
        Window {
            announce: None,
            name: "patches".into(),
            services: ["shop".to_owned()].into(),
            time_zone: TimeZone::get(zone).unwrap(),
            times: Times::Clock { first, every_days, until: None, lasts: SignedDuration::from_mins(minutes) },
            comment: String::new(),
        }
    }

    #[test]
    fn one_that_is_not_repeated_is_open_once() {
        let once = window("Europe/Oslo", datetime(2026, 12, 1, 2, 0, 0, 0), None, 120);
        assert_eq!(once.open_at(at("2026-12-01T00:59:59Z")), None);
        assert_eq!(once.open_at(at("2026-12-01T01:00:00Z")), Some(at("2026-12-01T03:00:00Z")));
        assert_eq!(once.open_at(at("2026-12-01T03:00:00Z")), None);
        assert_eq!(once.open_at(at("2026-12-02T01:30:00Z")), None);
        assert_eq!(once.between(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 9).len(), 1);
    }

    #[test]
    fn a_weekly_one_keeps_its_hour_over_the_change_of_daylight_saving() {
        let weekly = window("Europe/Oslo", datetime(2026, 3, 22, 1, 0, 0, 0), Some(7), 180);
        let all = weekly.between(at("2026-03-20T00:00:00Z"), at("2026-04-06T00:00:00Z"), 9);
        let from: Vec<String> = all.iter().map(|one| one.from.to_string()).collect();
        // On the 29th the clocks go from 02:00 to 03:00 in the midst of it; it is three hours long all the same.
        assert_eq!(from, ["2026-03-22T00:00:00Z", "2026-03-29T00:00:00Z", "2026-04-04T23:00:00Z"]);
        assert!(all.iter().all(|one| one.until.duration_since(one.from).as_hours() == 3));
    }

    #[test]
    fn an_hour_that_is_not_there_or_twice_is_the_next_or_the_first() {
        let weekly = window("Europe/Oslo", datetime(2026, 3, 1, 2, 30, 0, 0), Some(7), 60);
        // 02:30 is not there on 29 March, and is there twice on 25 October.
        assert_eq!(weekly.open_at(at("2026-03-29T01:30:00Z")), Some(at("2026-03-29T02:30:00Z")));
        assert_eq!(weekly.open_at(at("2026-03-29T00:45:00Z")), None);
        assert_eq!(weekly.open_at(at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T01:30:00Z")));
        assert_eq!(weekly.open_at(at("2026-10-25T01:30:00Z")), None);
    }

    #[test]
    fn every_minute_of_a_year_is_in_a_window_or_not_as_a_list_of_them_says() {
        for (zone, every, minutes) in
            [("Europe/Oslo", 1, 24 * 60 - 90), ("Australia/Lord_Howe", 3, 60), ("UTC", 7, 6 * 24 * 60)]
        {
            let one = window(zone, datetime(2026, 1, 3, 23, 15, 0, 0), Some(every), minutes);
            let (from, until) = (at("2025-12-30T00:00:00Z"), at("2026-12-31T00:00:00Z"));
            let all = one.between(from, until, 1000);
            let list = Window { times: listed(all), ..one.clone() };
            let mut hour = from;
            while hour < until {
                assert_eq!(one.open_at(hour), list.open_at(hour), "{zone} {hour}");
                hour += SignedDuration::from_mins(15);
            }
        }
    }

    #[test]
    fn a_repetition_ends() {
        let mut daily = window("UTC", date(2026, 1, 1).at(2, 0, 0, 0), Some(1), 60);
        let Times::Clock { until, .. } = &mut daily.times else { panic!("another") };
        *until = Some(at("2026-01-03T00:00:00Z"));
        assert_eq!(daily.between(at("2025-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 9).len(), 2);
        assert_eq!(daily.open_at(at("2026-01-03T02:30:00Z")), None);
    }

    #[test]
    fn of_several_the_one_counts_that_is_over_last_and_a_mark_says_which() {
        let short = window("UTC", datetime(2026, 1, 1, 2, 0, 0, 0), Some(1), 60);
        let long =
            Window { name: "move".into(), ..window("UTC", datetime(2026, 1, 1, 2, 0, 0, 0), None, 90) };
        let windows = [long, short];
        let now = at("2026-01-01T02:30:00Z");
        let (window, until) = of(&windows, "shop", now).unwrap();
        assert_eq!((window.name.as_str(), until), ("move", at("2026-01-01T03:30:00Z")));
        assert!(of(&windows, "payments", now).is_none());
        let mark = mark(&window.name, "shop");
        assert_eq!(marked(&mark), Some(("move", "shop")));
        assert_eq!(marked("5a5c8b8e-0000-4000-8000-000000000000"), None);
        assert_eq!(holds(&windows, &mark, now), Some(until));
        assert_eq!(holds(&windows, &mark, until), None, "it is over");
        assert_eq!(holds(&windows[1..], &mark, now), None, "it has left the configuration");
        assert_eq!(holds(&windows, "maintenance:move:payments", now), None);
    }
}
