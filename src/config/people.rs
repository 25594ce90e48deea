//! The people of the house: persons, rotations, escalation policies and services.

use jiff::SignedDuration;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::errors::nearest;
use super::feeds;
use super::inhibit;
use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::services;
use crate::core::correlate::Grouping;
use crate::core::escalation::WAIT_MIN;
use crate::core::flapping::Flapping;
use crate::core::oncall::Rotation;
use crate::core::rules::{Clocks, Person, Policy, Rules, Step, Target};

/// Hour of the hand-over when nobody says.
const HANDOVER_USUAL: &str = "Mon 09:00";
const STEP_WAIT_USUAL: SignedDuration = SignedDuration::from_mins(5);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// `[incidents]`: how long things may take, and how alerts become incidents.
fn incidents(root: &mut Table<'_>, reading: &mut Reading) -> (Clocks, Grouping, Flapping) {
    let (mut clocks, mut grouping, mut flapping) =
        (Clocks::default(), Grouping::default(), Flapping::default());
    if let Some(mut table) = root.table(reading, "incidents") {
        if let Some(after) = table.duration(reading, "self_clear_after") {
            clocks.self_clear_after = after.value;
        }
        if let Some(within) = table.duration(reading, "reopen_within") {
            clocks.reopen_within = within.value;
        }
        services::groups(&mut table, reading, &mut grouping);
        inhibit::flapping(&mut table, reading, &mut flapping);
        table.end(reading);
    }
    (clocks, grouping, flapping)
}

pub(super) fn rules(root: &mut Table<'_>, reading: &mut Reading) -> Rules {
    let (clocks, grouping, flapping) = incidents(root, reading);
    let storm = services::storm(root, reading);
    let mut rules = Rules { clocks, grouping, flapping, storm, ..Rules::default() };
    persons(root, reading, &mut rules);
    rotations(root, reading, &mut rules);
    policies(root, reading, &mut rules);
    services::services(root, reading, &mut rules);
    feeds::somebody(reading, &rules);
    if !root.has("mail") && !rules.policies.is_empty() {
        reading.errors.add_whole("[mail] is missing: pages go out by mail, and nobody could be woken");
    }
    rules
}

fn persons(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules) {
    for mut table in root.tables(reading, "person") {
        let name = names::name(&mut table, reading);
        let full_name = table.text(reading, "full_name").map(|name| name.value).unwrap_or_default();
        let email = table.text(reading, "email");
        if let Some(email) = &email
            && !names::address(&email.value)
        {
            reading.errors.add(email.span.clone(), "this is no mail address, such as maya@example.net");
        }
        let zone = table.text(reading, "time_zone").and_then(|zone| time_zone(reading, &zone));
        let administrator = table.boolean(reading, "administrator").unwrap_or(false);
        table.end(reading);
        let Some(name) = name else { continue };
        let email = email.map(|email| email.value).unwrap_or_default();
        let time_zone = zone.unwrap_or(TimeZone::UTC);
        let person = Person { full_name, email, time_zone, administrator };
        if rules.people.insert(name.value.clone(), person).is_some() {
            reading.errors.add(name.span, format!("there are two persons called {}", name.value));
        }
    }
}

fn rotations(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules) {
    for mut table in root.tables(reading, "rotation") {
        let name = names::name(&mut table, reading);
        let zone = table.needed(reading, "time_zone").and_then(|zone| time_zone(reading, &zone));
        if feeds::follows_one(&table) {
            let (rotation, feed) = feeds::rotation(&mut table, reading, zone.unwrap_or(TimeZone::UTC));
            let Some(name) = name else { continue };
            reading.feeds.extend(feed.map(|feed| (name.value.clone(), feed)));
            feeds::few(reading, &table);
            table.end(reading);
            if rules.rotations.insert(name.value.clone(), rotation).is_some() {
                reading.errors.add(name.span, format!("there are two rotations called {}", name.value));
            }
            continue;
        }
        let faults = reading.errors.count();
        let members = table.texts(reading, "members").unwrap_or_default();
        if members.is_empty() && reading.errors.count() == faults {
            reading.errors.add(table.span.clone(), "[[rotation]] needs `members`: at least one person");
        }
        for member in &members {
            can_be_paged(reading, rules, member);
        }
        let shift_days = table.duration(reading, "shift").map_or(Some(7), |shift| {
            let days = shift.value.as_hours() / 24;
            if days >= 1 && DAY * i32::try_from(days).unwrap_or(0) == shift.value {
                return u32::try_from(days).ok();
            }
            reading.errors.add(shift.span, "`shift` is a number of whole days or weeks, such as \"1 week\"");
            None
        });
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
                reading
                    .errors
                    .add(start.span, "`start` is the date of the first shift, such as \"2026-01-05\"");
            }
            date
        });
        table.end(reading);
        // What is wrong was told; the name is known all the same, so that nothing else is wrong because of it.
        let Some(name) = name else { continue };
        let (time_zone, shift_days) = (zone.unwrap_or(TimeZone::UTC), shift_days.unwrap_or(7));
        let (day, time) = hand.unwrap_or((None, Time::midnight()));
        let start = start.unwrap_or(Date::ZERO);
        // A day of the week says nothing about shifts that are not whole weeks.
        let whole_weeks = shift_days % 7 == 0;
        if let (Some(_), false, Some(written)) = (day, whole_weeks, &written) {
            let what = "shifts that are not whole weeks are handed over at an hour, such as \"09:00\", not on a weekday";
            reading.errors.add(written.span.clone(), what);
        }
        let rotation = Rotation {
            time_zone,
            members: members.into_iter().map(|member| member.value).collect(),
            calendar: false,
            shift_days,
            handover_day: day.filter(|_| whole_weeks),
            handover_time: time,
            start,
        };
        if rules.rotations.insert(name.value.clone(), rotation).is_some() {
            reading.errors.add(name.span, format!("there are two rotations called {}", name.value));
        }
    }
}

fn policies(root: &mut Table<'_>, reading: &mut Reading, rules: &mut Rules) {
    for mut table in root.tables(reading, "escalation") {
        let name = names::name(&mut table, reading);
        let mut steps = Vec::new();
        let faults = reading.errors.count();
        for mut step in table.tables(reading, "steps") {
            let faults = reading.errors.count();
            let page = targets(&mut step, reading, rules, "page");
            if page.is_empty() && reading.errors.count() == faults {
                reading
                    .errors
                    .add(step.span.clone(), "a step needs `page`: whom it wakes, such as [\"rotation:sre\"]");
            }
            let wait = step.duration(reading, "wait");
            if let Some(wait) = &wait
                && wait.value < WAIT_MIN
            {
                let what =
                    format!("`wait` is at least {} s: a page needs time to be read", WAIT_MIN.as_secs());
                reading.errors.add(wait.span.clone(), what);
            }
            step.end(reading);
            steps.push(Step { page, wait: wait.map_or(STEP_WAIT_USUAL, |wait| wait.value) });
        }
        if steps.is_empty() && reading.errors.count() == faults {
            reading.errors.add(table.span.clone(), "[[escalation]] needs `steps`: at least one");
        }
        let repeat = table.number(reading, "repeat", 0..1001).unwrap_or(0);
        let last_resort = targets(&mut table, reading, rules, "last_resort");
        table.end(reading);
        let Some(name) = name else { continue };
        let policy = Policy { steps, repeat: u32::try_from(repeat).unwrap_or(0), last_resort };
        if rules.policies.insert(name.value.clone(), policy).is_some() {
            reading.errors.add(name.span, format!("there are two escalation policies called {}", name.value));
        }
    }
}

/// `person:NAME` and `rotation:NAME`.
pub(super) fn targets(table: &mut Table<'_>, reading: &mut Reading, rules: &Rules, key: &str) -> Vec<Target> {
    let mut found = Vec::new();
    for written in table.texts(reading, key).unwrap_or_default() {
        let bare = |name: &str| At { value: name.to_owned(), span: written.span.clone() };
        match written.value.split_once(':') {
            Some(("person", name)) => {
                if can_be_paged(reading, rules, &bare(name)) {
                    found.push(Target::Person(name.to_owned()));
                }
            }
            Some(("rotation", name)) => {
                if known(reading, &bare(name), "rotation", rules.rotations.keys().map(String::as_str)) {
                    found.push(Target::Rotation(name.to_owned()));
                }
            }
            _ => {
                let what = format!("`{}` is neither person:NAME nor rotation:NAME", written.value);
                reading.errors.add(written.span, what);
            }
        }
    }
    found
}

/// Somebody who must be paged and cannot be is an error, not a surprise at night.
fn can_be_paged(reading: &mut Reading, rules: &Rules, name: &At<String>) -> bool {
    if !known(reading, name, "person", rules.people.keys().map(String::as_str)) {
        return false;
    }
    let reachable = rules.people.get(&name.value).is_some_and(|person| !person.email.is_empty());
    if !reachable {
        let what = format!("{} is to be paged here and has no `email`", name.value);
        reading.errors.add(name.span.clone(), what);
    }
    reachable
}

pub(super) fn time_zone(reading: &mut Reading, zone: &At<String>) -> Option<TimeZone> {
    if let Ok(found) = TimeZone::get(&zone.value) {
        return Some(found);
    }
    let all: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let near = nearest(&zone.value, all.iter().map(String::as_str));
    reading.errors.add(zone.span.clone(), format!("no time zone is called `{}`{near}", zone.value));
    None
}

pub(super) fn handover(text: &str) -> Option<(Option<Weekday>, Time)> {
    let (day, hour) = match text.trim().split_once(' ') {
        None => (None, text.trim()),
        Some((day, hour)) => (Some(weekday(day)?), hour.trim()),
    };
    let (hours, minutes) = hour.split_once(':')?;
    let time = Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()?;
    Some((day, time))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_lowercase().as_str() {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}
