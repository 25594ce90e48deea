//! Hours as people write them at night: `20m ago`, `02:40`, `2026-11-29T02:40`, or with their zone. One reader for hours that
//! are over, and one for those to come. What names no zone is of the terminal's: `$TZ`, else the machine's.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::say;
use crate::clock::Clock;
use crate::config::words;

/// An hour of the day that is further away than this may not be the one that was meant.
const FAR: SignedDuration = SignedDuration::from_hours(12);

/// An hour that is still to come, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    at: Timestamp,
    /// What is to be said of it.
    note: Option<String>,
}

impl Ahead {
    /// The hour. Where only an hour of the day was given, and it is far away, that is said.
    pub(super) fn told(&self) -> Timestamp {
        if let Some(note) = &self.note {
            say(note);
        }
        self.at
    }
}

/// An hour that is still to come: `20m` from now, the next `02:40` here, or a whole one.
pub(super) fn ahead(text: &str) -> Result<Ahead, String> {
    ahead_of(text, Clock::system().now(), &TimeZone::system())
}

/// An hour that is over: `20m ago`, the last `02:40` here, or a whole one.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    past_of(text, Clock::system().now(), &TimeZone::system())
}

/// An hour that is over, as the daemon takes it: lengths are counted by its clock.
pub(super) fn since(text: &str) -> Result<String, String> {
    if words::duration(text).is_ok() { Ok(text.to_owned()) } else { past(text).map(|at| at.to_string()) }
}

/// A whole hour: of any zone, or here.
pub(super) fn hour(text: &str) -> Result<Timestamp, String> {
    let zone = TimeZone::system();
    whole_in(text, &zone).ok_or_else(|| {
        format!("write it as 2026-12-01T02:00:00Z, or as 2026-12-01T02:00 in the zone here, {}", name(&zone))
    })
}

fn ahead_of(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Ahead, String> {
    if let Ok(wait) = words::duration(text) {
        let at = now.checked_add(wait).map_err(|_| "so late an hour is not known")?;
        return Ok(Ahead { at, note: None });
    }
    let Some(time) = of_day(text) else {
        let at = whole_in(text, zone).ok_or_else(|| how("20m", zone))?;
        return Ok(Ahead { at, note: None });
    };
    let at = near(time, now, zone, &[0, 1], |at| at > now)?;
    let wait = at.duration_since(now);
    let note = (wait > FAR).then(|| {
        let day = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let (hours, minutes) = (wait.as_hours(), wait.as_mins() % 60);
        format!(
            "onscene: the next {text} is {day} ({}), in {hours} h {minutes} min; if you mean another, say it whole",
            name(zone)
        )
    });
    Ok(Ahead { at, note })
}

fn past_of(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let ago = text.trim().strip_suffix("ago").unwrap_or(text);
    if let Ok(ago) = words::duration(ago) {
        return now.checked_sub(ago).map_err(|_| "so early an hour is not known".into());
    }
    match of_day(text) {
        Some(time) => near(time, now, zone, &[0, -1], |at| at <= now),
        None => whole_in(text, zone).ok_or_else(|| how("20m ago", zone)),
    }
}

fn how(length: &str, zone: &TimeZone) -> String {
    format!(
        "write it as {length}, as 02:40 or 2026-12-01T02:40 in the zone here, {}, or as 2026-12-01T02:40:00Z",
        name(zone)
    )
}

/// What a zone is called.
fn name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or(if *zone == TimeZone::UTC { "UTC" } else { "that of this machine" })
}

fn whole_in(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let here = || Some(text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp());
    text.parse().ok().or_else(here)
}

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

    fn oslo() -> TimeZone {
        TimeZone::get("Europe/Oslo").unwrap()
    }

    #[test]
    fn an_hour_of_the_night_is_the_nearest_one() {
        let now = "2026-11-29T00:30:00Z".parse().unwrap();
        let ahead = |text: &str| ahead_of(text, now, &oslo()).map(|ahead| ahead.at.to_string());
        let past = |text: &str| past_of(text, now, &oslo()).map(|at| at.to_string());
        assert_eq!(ahead("20m").unwrap(), "2026-11-29T00:50:00Z");
        assert_eq!(ahead("02:40").unwrap(), "2026-11-29T01:40:00Z");
        assert_eq!(ahead("1:00").unwrap(), "2026-11-30T00:00:00Z", "1:00 in Oslo was half an hour ago");
        assert_eq!(past("1:00").unwrap(), "2026-11-29T00:00:00Z");
        assert_eq!(past("23:50").unwrap(), "2026-11-28T22:50:00Z");
        for ago in ["20m", "20m ago", "20mago", "20 minutes ago", " 20m ago "] {
            assert_eq!(past(ago).unwrap(), "2026-11-29T00:10:00Z", "{ago}");
        }
        for whole in
            ["2026-12-01T02:00:00Z", "2026-12-01T03:00", "2026-12-01 03:00", "2026-12-01T04:00+02:00"]
        {
            assert_eq!(ahead(whole).unwrap(), "2026-12-01T02:00:00Z", "{whole}");
            assert_eq!(past(whole).unwrap(), "2026-12-01T02:00:00Z", "{whole}");
        }
        for wrong in ["25:00", "02:4", "soon", "", "02:40:61", "ago", "20 ago", "tomorrow"] {
            let (ahead, past) = (ahead(wrong).unwrap_err(), past(wrong).unwrap_err());
            assert!(ahead.contains("as 20m, as") && ahead.contains("Europe/Oslo"), "{wrong}: {ahead}");
            assert!(past.contains("20m ago") && past.contains("Europe/Oslo"), "{wrong}: {past}");
        }
        assert!(ahead("20m ago").is_err());
    }

    #[test]
    fn an_hour_of_the_day_that_is_far_away_is_told_and_no_other() {
        let now = "2026-11-29T01:40:10Z".parse().unwrap();
        let note = |text: &str| ahead_of(text, now, &oslo()).unwrap().note;
        let told = note("02:40").unwrap();
        assert!(told.contains("the next 02:40 is 2026-11-30 02:40 (Europe/Oslo), in 23 h 59 min"), "{told}");
        for near in ["02:41", "14:40", "2026-12-01T02:40", "2026-12-01T02:40:00Z", "20h"] {
            assert_eq!(note(near), None, "{near}");
        }
        assert!(note("14:41").is_some());
    }

    #[test]
    fn lengths_are_counted_by_the_daemon_and_hours_of_here_are_told_whole() {
        assert_eq!(since("30d").unwrap(), "30d");
        assert_eq!(since("2026-12-01T02:00:00+02:00").unwrap(), "2026-12-01T00:00:00Z");
        assert!(since("02:40").unwrap().ends_with('Z') && since("20m ago").unwrap().ends_with('Z'));
        assert!(since("yesterday").is_err());
        assert!(hour("2026-12-01T02:00").is_ok() && hour("tomorrow").is_err() && hour("02:40").is_err());
    }
}
