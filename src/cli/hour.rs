//! Hours as people write them at night: `20m`, `02:40`, or a whole one.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::cli::hours;
use crate::clock::Clock;
use crate::config::words;

/// An hour that is still to come: `20m` from now, the next `02:40` by the clock of this machine, or a whole one.
pub(super) fn ahead(text: &str) -> Result<Timestamp, String> {
    ahead_of(text, Clock::system().now(), &TimeZone::system())
}

/// An hour that is over: `20m` ago, the last `02:40` by the clock of this machine, or a whole one.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    past_of(text, Clock::system().now(), &TimeZone::system())
}

fn ahead_of(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(wait) = words::duration(text) {
        return now.checked_add(wait).map_err(|_| "so late an hour is not known".into());
    }
    match of_day(text) {
        Some(time) => near(time, now, zone, &[0, 1], |at| at > now),
        None => hours::hour(text).map_err(|_| HOW.into()),
    }
}

fn past_of(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(ago) = words::duration(text) {
        return now.checked_sub(ago).map_err(|_| "so early an hour is not known".into());
    }
    match of_day(text) {
        Some(time) => near(time, now, zone, &[0, -1], |at| at <= now),
        None => hours::hour(text).map_err(|_| HOW.into()),
    }
}

const HOW: &str =
    "write it as 20m, as 02:40 by the clock of this machine, or whole, as in 2026-12-01T02:00:00Z";

/// `2:40` and `02:40`.
fn of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// The first of some days on which this hour is as it has to be.
fn near(
    time: Time,
    now: Timestamp,
    zone: &TimeZone,
    days: &[i64],
    fits: impl Fn(Timestamp) -> bool,
) -> Result<Timestamp, String> {
    let today = now.to_zoned(zone.clone()).date();
    let on = |days: &i64| {
        let day = today.checked_add(days.days()).ok()?;
        Some(day.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp())
    };
    days.iter().filter_map(on).find(|at| fits(*at)).ok_or_else(|| "that hour is not known".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_the_night_is_the_nearest_one() {
        let now = "2026-11-29T00:30:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Oslo").unwrap();
        let ahead = |text: &str| ahead_of(text, now, &zone).map(|at| at.to_string());
        let past = |text: &str| past_of(text, now, &zone).map(|at| at.to_string());
        assert_eq!(ahead("20m").unwrap(), "2026-11-29T00:50:00Z");
        assert_eq!(ahead("02:40").unwrap(), "2026-11-29T01:40:00Z");
        assert_eq!(ahead("1:00").unwrap(), "2026-11-30T00:00:00Z", "1:00 in Oslo was half an hour ago");
        assert_eq!(past("1:00").unwrap(), "2026-11-29T00:00:00Z");
        assert_eq!(past("23:50").unwrap(), "2026-11-28T22:50:00Z");
        assert_eq!(past("20m").unwrap(), "2026-11-29T00:10:00Z");
        assert_eq!(ahead("2026-12-01T02:00:00Z").unwrap(), "2026-12-01T02:00:00Z");
        for wrong in ["25:00", "02:4", "soon", "", "02:40:61"] {
            assert!(ahead(wrong).is_err() && past(wrong).is_err(), "{wrong}");
        }
    }
}
