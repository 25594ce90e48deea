//! `[[rotation]]`: who takes turns, in one layer or several, or as a calendar says.

use std::ops::Range;

use jiff::SignedDuration;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::errors::nearest;
use super::feeds;
use super::names;
use super::people::{can_be_paged, time_zone};
use super::read::{Reading, Table};
use crate::core::oncall::{Hours, Layer, Rotation, Turns};
use crate::core::rules::Rules;

/// Hour of the hand-over when nobody says.
const HANDOVER_USUAL: &str = "Mon 09:00";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const WEEK_HOURS: u32 = 7 * 24;
/// Most layers of a rotation: all of them are looked at whenever somebody is to be woken.
const LAYERS_MAX: usize = 20;
/// Most spans of hours of a layer.
const SPANS_MAX: usize = 24;
const DAY_MIN: u16 = 24 * 60;
/// What says how a layer goes: in the rotation itself, or in each of its layers.
const OF_A_LAYER: [&str; 6] = ["members", "shift", "handover", "start", "days", "hours"];
const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];
const FULL: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) fn rotations(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules) {
    for mut table in root.tables(reading, "rotation") {
        let name = names::name(&mut table, reading);
        let zone = table.needed(reading, "time_zone").and_then(|zone| time_zone(reading, &zone));
        let zone = zone.unwrap_or(TimeZone::UTC);
        let (turns, feed) = if feeds::follows_one(&table) {
            (Turns::Calendar, feeds::feed(&mut table, reading))
        } else if table.has("layers") {
            (Turns::Layers(layers(&mut table, reading, rules, &zone)), None)
        } else {
            (Turns::Layers(vec![layer(&mut table, reading, rules, &zone)]), None)
        };
        let shadows = table.texts(reading, "shadows").unwrap_or_default();
        for (index, shadow) in shadows.iter().enumerate() {
            can_be_paged(reading, rules, shadow);
            if shadows[..index].iter().any(|other| other.value == shadow.value) {
                reading.warn(&shadow.span, format!("{} is a shadow already", shadow.value));
            }
        }
        let all = table.span.clone();
        table.end(reading);
        // What is wrong was told; the name is known all the same, so that nothing else is wrong because of it.
        let Some(name) = name else { continue };
        reading.feeds.extend(feed.map(|feed| (name.value.clone(), feed)));
        feeds::few(reading, all);
        reading.places.rotations.insert(name.value.clone(), reading.errors.place(name.span.start));
        let shadows = shadows.into_iter().map(|shadow| shadow.value).collect();
        let rotation = Rotation { time_zone: zone, turns, shadows };
        if rules.rotations.insert(name.value.clone(), rotation).is_some() {
            reading.errors.add(name.span, format!("there are two rotations called {}", name.value));
        }
    }
}

/// The long form: layers, of which a later one stands above an earlier one.
fn layers(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, zone: &TimeZone) -> Vec<Layer> {
    for key in OF_A_LAYER {
        if table.list(key).is_some() {
            let what = format!("`{key}` is said by each of the `layers`: leave one or the other out");
            reading.errors.add(table.place(key), what);
        }
    }
    let faults = reading.errors.count();
    let tables = table.tables(reading, "layers");
    if tables.is_empty() && reading.errors.count() == faults {
        reading.errors.add(table.place("layers"), "`layers` needs at least one");
    }
    if let Some(more) = tables.get(LAYERS_MAX) {
        reading.errors.add(more.span.clone(), format!("a rotation has at most {LAYERS_MAX} layers"));
    }
    let mut found: Vec<(Layer, Range<usize>)> = Vec::new();
    for mut table in tables {
        let span = table.span.clone();
        let own = table.text(reading, "time_zone").and_then(|own| time_zone(reading, &own));
        let layer = layer(&mut table, reading, rules, own.as_ref().unwrap_or(zone));
        table.end(reading);
        found.push((layer, span));
    }
    for (index, (lower, span)) in found.iter().enumerate() {
        let hides = |upper: &Layer| upper.hours.is_always() && upper.start <= lower.start;
        if let Some((_, above)) = found[index + 1..].iter().find(|(upper, _)| hides(upper)) {
            let line = reading.errors.place(above.start).line;
            let what = format!(
                "nobody is ever on call by this layer, but while all of the one in line {line} are away: that one \
                 stands above it and is always open"
            );
            reading.warn(span, what);
        }
    }
    found.into_iter().map(|(layer, _)| layer).collect()
}

fn layer(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, zone: &TimeZone) -> Layer {
    let members = members(table, reading, rules);
    let shift_hours = shift(table, reading);
    let written = table.text(reading, "handover");
    let text = written.as_ref().map_or(HANDOVER_USUAL, |written| written.value.as_str());
    let hand = handover(text);
    if let (None, Some(written)) = (&hand, &written) {
        let what =
            "`handover` is a day and an hour, such as \"Mon 09:00\", or only an hour for shifts of days";
        reading.errors.add(written.span.clone(), what);
    }
    let start = table.needed(reading, "start").and_then(|start| {
        let date = start.value.parse::<Date>().ok();
        if date.is_none() {
            let what = "`start` is the date of the first shift, such as \"2026-01-05\"";
            reading.errors.add(start.span, what);
        }
        date
    });
    let hours = hours(table, reading, "layer");
    let (day, time) = hand.unwrap_or((None, Time::midnight()));
    // A day of the week says nothing about shifts that are not whole weeks.
    let whole_weeks = shift_hours.is_multiple_of(WEEK_HOURS);
    if let (Some(_), false, Some(written)) = (day, whole_weeks, &written) {
        let what =
            "shifts that are not whole weeks are handed over at an hour, such as \"09:00\", not on a weekday";
        reading.errors.add(written.span.clone(), what);
    }
    Layer {
        time_zone: zone.clone(),
        members,
        shift_hours,
        handover_day: day.filter(|_| whole_weeks),
        handover_time: time,
        start: start.unwrap_or(Date::ZERO),
        hours,
    }
}

/// Each turn, of one person or of several together.
fn members(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> Vec<Vec<String>> {
    let faults = reading.errors.count();
    let turns = table.turns(reading, "members").unwrap_or_default();
    if turns.is_empty() && reading.errors.count() == faults {
        let place = if table.has("members") { table.place("members") } else { table.span.clone() };
        reading.errors.add(place, "[[rotation]] needs `members`: at least one person");
    }
    for turn in &turns {
        if turn.value.is_empty() {
            reading.errors.add(turn.span.clone(), "this turn is nobody's: it needs at least one person");
        }
        for (index, member) in turn.value.iter().enumerate() {
            can_be_paged(reading, rules, member);
            if turn.value[..index].iter().any(|other| other.value == member.value) {
                reading.errors.add(member.span.clone(), format!("{} is in this turn already", member.value));
            }
        }
    }
    turns.into_iter().map(|turn| turn.value.into_iter().map(|member| member.value).collect()).collect()
}

/// Length of a shift, in hours.
fn shift(table: &mut Table<'_>, reading: &mut Reading) -> u32 {
    let Some(shift) = table.duration(reading, "shift") else { return WEEK_HOURS };
    let hours = u32::try_from(shift.value.as_hours()).ok();
    let whole = hours.filter(|hours| *hours >= 1 && HOUR * i32::try_from(*hours).unwrap_or(0) == shift.value);
    whole.unwrap_or_else(|| {
        let what = "`shift` is a number of whole hours, days or weeks, such as \"12h\" or \"1 week\"";
        reading.errors.add(shift.span, what);
        WEEK_HOURS
    })
}

/// `days` and `hours`: when a layer of a rotation, or a step of a policy, is open. `whose`: what it is called.
pub(super) fn hours(table: &mut Table<'_>, reading: &mut Reading, whose: &str) -> Hours {
    let mut days: Vec<Weekday> = Vec::new();
    let faults = reading.errors.count();
    for written in table.texts(reading, "days").unwrap_or_default() {
        match span_of_days(&written.value) {
            Ok(found) => days.extend(found),
            Err(why) => reading.errors.add(written.span, why),
        }
    }
    let mut spans: Vec<(u16, u16)> = Vec::new();
    for written in table.texts(reading, "hours").unwrap_or_default() {
        match span_of_hours(&written.value) {
            Ok(found) => {
                if spans.iter().any(|other| overlap(*other, found)) {
                    reading
                        .warn(&written.span, format!("these hours overlap with others of the same {whose}"));
                }
                spans.push(found);
            }
            Err(why) => reading.errors.add(written.span, why),
        }
    }
    if spans.len() > SPANS_MAX {
        reading.errors.add(table.place("hours"), format!("a {whose} has at most {SPANS_MAX} spans of hours"));
    }
    for (key, none) in [("days", days.is_empty()), ("hours", spans.is_empty())] {
        if none && table.has(key) && reading.errors.count() == faults {
            let what =
                format!("`{key}` is empty: the {whose} would never be open; leave it out for all of them");
            reading.errors.add(table.place(key), what);
        }
    }
    let hours = Hours::new(&days, &spans);
    if hours.is_always() && (table.has("days") || table.has("hours")) && reading.errors.count() == faults {
        let key = if table.has("hours") { "hours" } else { "days" };
        reading.warn(&table.place(key), format!("`{key}` says nothing: the {whose} is open at all hours"));
    }
    hours
}

/// `Mon`, or `Mon-Fri`.
fn span_of_days(text: &str) -> Result<Vec<Weekday>, String> {
    let day = |text: &str| {
        weekday(text.trim()).ok_or_else(|| {
            let near = nearest(&text.trim().to_ascii_lowercase(), FULL);
            let near = if near.is_empty() {
                "; the days are Mon, Tue, Wed, Thu, Fri, Sat and Sun".into()
            } else {
                near
            };
            format!("no day of the week is called `{}`{near}", text.trim())
        })
    };
    let Some((first, last)) = text.split_once('-') else { return Ok(vec![day(text)?]) };
    let (first, last) = (day(first)?, day(last)?);
    // What lies between, over the end of the week too.
    Ok(first.cycle_forward().take(usize::from(last.since(first).unsigned_abs()) + 1).collect())
}

/// `08:00-16:00`, in minutes from midnight; an end that is not later is an hour of the next day.
fn span_of_hours(text: &str) -> Result<(u16, u16), String> {
    let wrong = || {
        format!(
            "`{text}` are no hours; write \"08:00-16:00\", or \"22:00-06:00\" for a night, which belongs to the day it begins \
             on"
        )
    };
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let minutes = |text: &str, latest: u16| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let two = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
        let (hours, minutes) = (hours.parse::<u16>().ok().filter(|hours| *hours <= 24)?, two(minutes)?);
        let all = hours * 60 + minutes;
        (minutes < 60 && all <= latest).then_some(all)
    };
    let from = minutes(from, DAY_MIN - 1).ok_or_else(wrong)?;
    let until = minutes(until, DAY_MIN).ok_or_else(wrong)?;
    if from == until {
        return Err("these hours end when they begin; the whole day is \"00:00-24:00\"".into());
    }
    Ok((from, until))
}

/// Whether spans of minutes have a minute in common, on the same day or over midnight.
fn overlap(one: (u16, u16), two: (u16, u16)) -> bool {
    let whole = |(from, until): (u16, u16)| {
        let (from, until) = (i32::from(from), i32::from(until));
        (from, if until > from { until } else { until + i32::from(DAY_MIN) })
    };
    let ((from, until), two) = (whole(one), whole(two));
    let day = i32::from(DAY_MIN);
    [-day, 0, day].into_iter().any(|moved| from < two.1 + moved && two.0 + moved < until)
}

/// A day of the week and an hour, or an hour alone.
pub(super) fn handover(text: &str) -> Option<(Option<Weekday>, Time)> {
    let (day, hour) = match text.trim().split_once(' ') {
        None => (None, text.trim()),
        Some((day, hour)) => (Some(weekday(day)?), hour.trim()),
    };
    Some((day, clock(hour)?))
}

/// An hour as a clock shows it: `09:00`.
fn clock(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}

/// A day of the week, whole or its first three letters.
fn weekday(text: &str) -> Option<Weekday> {
    let text = text.to_ascii_lowercase();
    let index = FULL.iter().position(|day| *day == text || day[..3] == text)?;
    DAYS.get(index).copied()
}
