//! `[[maintenance]]`: hours in which alerts of some services wake nobody.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use super::names::{self, known};
use super::people::time_zone;
use super::read::{At, Reading, Table};
use super::rotations::handover;
use super::{SecretsMode, words};
use crate::calendar::read as calendar;
use crate::core::audience::Audience;
use crate::core::maintenance::{Times, Window, listed};
use crate::core::rules::Rules;

/// Most windows.
const WINDOWS_MAX: usize = 1000;
/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 1024;
/// Nobody does anything in less, and what lasts longer is no maintenance.
const LASTS_MIN: SignedDuration = SignedDuration::from_mins(1);
const LASTS_MAX: SignedDuration = SignedDuration::from_hours(92 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Before this there was no onscene: a repetition that says no start begins here.
const ONCE: Date = Date::constant(2026, 1, 1);

pub(super) fn windows(root: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> Vec<Window> {
    let mut found: Vec<Window> = Vec::new();
    let tables = root.tables(reading, "maintenance");
    if let Some(table) = tables.get(WINDOWS_MAX) {
        reading.errors.add(table.span.clone(), format!("there are more than {WINDOWS_MAX} windows"));
    }
    for mut table in tables {
        let faults = reading.errors.count();
        let name = names::name(&mut table, reading);
        if let Some(name) = &name
            && found.iter().any(|window| window.name == name.value)
        {
            reading.errors.add(name.span.clone(), format!("there are two windows called {}", name.value));
        }
        let services = services(&mut table, reading, rules);
        let comment = table.text(reading, "comment");
        if let Some(comment) = comment.as_ref().filter(|comment| comment.value.len() > COMMENT_BYTES_MAX) {
            let what = format!("`comment` has at most {COMMENT_BYTES_MAX} bytes");
            reading.errors.add(comment.span.clone(), what);
        }
        let announce = table.text(reading, "announce");
        if let Some(announce) = &announce {
            let lists =
                matches!(reading.mode, SecretsMode::Read | SecretsMode::Names).then_some(&rules.disclosure);
            if let Some(why) = super::statements::wrong(&announce.value, Audience::Public, lists) {
                reading.errors.add(announce.span.clone(), why);
            }
            let is_named =
                |name: &String| rules.services.get(name).is_some_and(|one| one.public_name.is_some());
            if !services.iter().any(is_named) {
                let what =
                    "`announce` is shown on the public page, and none of these services has a `public_name`";
                reading.errors.add(announce.span.clone(), what);
            }
        }
        let announce = announce.map(|announce| announce.value);
        let by_calendar = table.has("calendar");
        let zone = match by_calendar {
            true => table.text(reading, "time_zone"),
            false => table.needed(reading, "time_zone"),
        };
        let zone = zone.and_then(|zone| time_zone(reading, &zone)).unwrap_or(TimeZone::UTC);
        let times = match by_calendar {
            true => by_file(&mut table, reading, &zone),
            false => by_clock(&mut table, reading, &zone),
        };
        table.end(reading);
        let (Some(name), Some(times), true) = (name, times, reading.errors.count() == faults) else {
            continue;
        };
        let comment = comment.map(|comment| comment.value).unwrap_or_default();
        found.push(Window { name: name.value, services, time_zone: zone, times, comment, announce });
    }
    found
}

/// `service` or `services`.
fn services(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> BTreeSet<String> {
    let one = table.text(reading, "service");
    let several = table.texts(reading, "services");
    let all: Vec<At<String>> = match (one, several) {
        (Some(one), None) => vec![one],
        (None, Some(several)) if !several.is_empty() => several,
        (Some(one), Some(_)) => {
            reading.errors.add(one.span, "give one of `service` and `services`, not both");
            return BTreeSet::new();
        }
        _ => {
            let is_right = !table.has("service") && table.list("services") != Some(false);
            if is_right {
                let what = "[[maintenance]] needs `service`, or `services`: whose alerts wake nobody";
                reading.errors.add(table.span.clone(), what);
            }
            return BTreeSet::new();
        }
    };
    for service in &all {
        known(reading, service, "service", rules.services.keys().map(String::as_str));
    }
    all.into_iter().map(|service| service.value).collect()
}

/// `calendar`: a file.
fn by_file(table: &mut Table<'_>, reading: &mut Reading, zone: &TimeZone) -> Option<Times> {
    let file = table.text(reading, "calendar")?;
    for key in ["start", "for", "every", "until"] {
        if table.has(key) {
            let what = format!("`{key}` is said by the calendar: leave one or the other out");
            table.text(reading, key);
            reading.errors.add(table.place(key), what);
        }
    }
    let path = reading.directory.join(&file.value);
    match read_file(&path).and_then(|text| calendar::times(&text, zone)) {
        Ok(found) => {
            for warning in found.warnings {
                reading.warn(&file.span, format!("{}: {warning}", path.display()));
            }
            Some(listed(found.times))
        }
        Err(why) => {
            reading.errors.add(file.span, format!("{}: {why}", path.display()));
            None
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let facts = std::fs::metadata(path).map_err(|error| format!("it cannot be read: {error}"))?;
    if usize::try_from(facts.len()).unwrap_or(usize::MAX) > calendar::BYTES_MAX {
        return Err(format!("it has more than {} bytes", calendar::BYTES_MAX));
    }
    std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))
}

/// `start`, `for`, `every` and `until`.
fn by_clock(table: &mut Table<'_>, reading: &mut Reading, zone: &TimeZone) -> Option<Times> {
    let start = table.text(reading, "start");
    if !table.has("for") {
        reading
            .errors
            .add(table.span.clone(), "[[maintenance]] needs `for`: how long it lasts, or a `calendar`");
    }
    let lasts = table.duration(reading, "for");
    let every = table.text(reading, "every");
    let until = table.text(reading, "until");
    let (first, every_days) = beginning(table, reading, start.as_ref(), every.as_ref())?;
    let lasts = lasts?;
    let longest = every_days.map_or(LASTS_MAX, |days| DAY * i32::try_from(days).unwrap_or(i32::MAX));
    if every_days.is_some() && lasts.value >= longest {
        reading.errors.add(lasts.span, "`for` is as long as `every`: it would never be over");
        return None;
    }
    if !(LASTS_MIN..=LASTS_MAX).contains(&lasts.value) {
        reading.errors.add(lasts.span, "`for` lies between 1m and 92 days");
        return None;
    }
    let until = match (until, every_days) {
        (None, _) => None,
        (Some(until), None) => {
            reading.errors.add(until.span, "`until` ends a repetition: it goes with `every`");
            return None;
        }
        (Some(until), Some(_)) => Some(end(reading, &until, first, zone)?),
    };
    Some(Times::Clock { first, every_days, until, lasts: lasts.value })
}

/// When it begins first, and how many days lie between two beginnings.
fn beginning(
    table: &Table<'_>,
    reading: &mut Reading,
    start: Option<&At<String>>,
    every: Option<&At<String>>,
) -> Option<(DateTime, Option<u32>)> {
    // A day of the week and an hour, as hand-overs are written.
    if let Some(at) = every
        && at.value.contains(':')
    {
        let Some((day, time)) = handover(&at.value) else {
            reading.errors.add(at.span.clone(), EVERY);
            return None;
        };
        let from = match start {
            None => ONCE,
            Some(start) => match start.value.parse::<Date>() {
                Ok(date) if !start.value.contains(':') => date,
                _ => {
                    let what = "`every` says the hour: here `start` is only a date, such as \"2026-12-01\"";
                    reading.errors.add(start.span.clone(), what);
                    return None;
                }
            },
        };
        let wait = day.map_or(0, |day| day.since(from.weekday()));
        let first = from.checked_add(Span::new().days(i64::from(wait))).unwrap_or(from);
        return Some((first.to_datetime(time), Some(if day.is_some() { 7 } else { 1 })));
    }
    let Some(start) = start else {
        if !table.has("start") {
            let what = "[[maintenance]] needs `start`, such as \"2026-12-01 02:00\", or an hour in `every`, or a `calendar`";
            reading.errors.add(table.span.clone(), what);
        }
        return None;
    };
    let first = start.value.parse::<DateTime>().ok().filter(|_| start.value.contains(':'));
    if first.is_none() {
        let what = "`start` is a date and an hour, such as \"2026-12-01 02:00\"";
        reading.errors.add(start.span.clone(), what);
    }
    let days = match every {
        None => None,
        Some(at) => {
            let whole = words::duration(&at.value).ok().and_then(|length| {
                let days =
                    u32::try_from(length.as_hours() / 24).ok().filter(|days| (1..=400).contains(days))?;
                (DAY * i32::try_from(days).ok()? == length).then_some(days)
            });
            if whole.is_none() {
                reading.errors.add(at.span.clone(), EVERY);
                return None;
            }
            whole
        }
    };
    Some((first?, days))
}

const EVERY: &str = "`every` is a number of days or weeks, such as \"1 week\", or a day and an hour, such as \"Sun 02:00\", or an \
                     hour for every day, such as \"02:00\"";

/// From when on it does not begin any more.
fn end(reading: &mut Reading, until: &At<String>, first: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = match until.value.contains(':') {
        true => until.value.parse::<DateTime>().ok(),
        false => until.value.parse::<Date>().ok().map(|date| date.to_datetime(jiff::civil::Time::midnight())),
    };
    let Some(at) = at else {
        let what =
            "`until` is a date, such as \"2027-01-01\", with or without an hour: none begins then or later";
        reading.errors.add(until.span.clone(), what);
        return None;
    };
    if at <= first {
        reading.errors.add(until.span.clone(), "it ends before it begins for the first time");
        return None;
    }
    zone.to_timestamp(at).ok()
}
