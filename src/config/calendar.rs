//! The events of an iCalendar file (RFC 5545), as the hours for which each of them lasts.
//!
//! `calcard` reads the file and knows how rules repeat. It is given no time zones: what it reckons are hours of a clock on a
//! wall, and `jiff` says when those are, also in nights in which one of them is missing or comes twice. So before, every hour
//! of an event is written as that clock shows it: ends, exceptions and changes may be in UTC, or in another zone. Of the rules
//! that zones have in the file itself only the name is taken.

use std::collections::BTreeMap;

use calcard::common::PartialDateTime;
use calcard::icalendar::dates::{CalendarErrorType, TimeOrDelta};
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarFrequency,
    ICalendarParameterName, ICalendarPeriod, ICalendarProperty, ICalendarStatus, ICalendarValue,
};
use calcard::{Entry, Parser};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::core::maintenance::Open;

/// Largest file, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most events in it.
const EVENTS_MAX: usize = 2000;
/// So often an event is repeated, and no more: every day for 54 years.
const REPEATED_MAX: usize = 20_000;
/// Most times of all events together.
const TIMES_MAX: usize = 200_000;
/// A repetition that is read for less than this, and goes on, is told.
const FAR: SignedDuration = SignedDuration::from_hours(20 * 365 * 24);

/// What a calendar says.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// When its events are.
    pub(super) times: Vec<Open>,
    /// What should be known.
    pub(super) warnings: Vec<String>,
}

/// Reads a calendar. `own` is the zone of hours that name none, and of whole days.
///
/// # Errors
/// A sentence for people.
pub(super) fn read(text: &str, own: &TimeZone) -> Result<Calendar, String> {
    let mut calendar = Calendar::default();
    let (mut parser, mut events, mut any) = (Parser::new(text), 0, false);
    loop {
        let found = match parser.entry() {
            Entry::ICalendar(found) => found,
            Entry::Eof if any => return Ok(calendar),
            Entry::InvalidLine(line) if line.trim().is_empty() => continue,
            _ => return Err("this is no iCalendar file".into()),
        };
        any = true;
        let zones = found.build_tz_resolver();
        let mut series: BTreeMap<String, Vec<ICalendarComponent>> = BTreeMap::new();
        for (place, event) in found.components.iter().enumerate() {
            if event.component_type != ICalendarComponentType::VEvent {
                continue;
            }
            events += 1;
            if events > EVENTS_MAX {
                return Err(format!("it has more than {EVENTS_MAX} events"));
            }
            // One that does not say who it is stands for itself.
            let uid = event.uid().map_or_else(|| format!("\0{place}"), str::to_owned);
            series.entry(uid).or_default().push(event.clone());
        }
        for components in series.into_values() {
            let name = name(&components);
            let times =
                Series::of(components, &zones, own).and_then(|series| series.times(&mut calendar.warnings));
            calendar.times.extend(times.map_err(|why| format!("its event {name:?} {why}"))?);
            if calendar.times.len() > TIMES_MAX {
                return Err(format!("its events take place more than {TIMES_MAX} times"));
            }
        }
    }
}

/// An event, its repetitions, and what was changed of single ones.
struct Series {
    events: Vec<ICalendarComponent>,
    zone: TimeZone,
    /// Whether it is about whole days.
    days: bool,
}

impl Series {
    fn of(
        components: Vec<ICalendarComponent>,
        zones: &TzResolver<&str>,
        own: &TimeZone,
    ) -> Result<Self, String> {
        let (changes, events): (Vec<_>, Vec<_>) =
            components.into_iter().partition(|one| one.has_property(&ICalendarProperty::RecurrenceId));
        // Of several states of the same event the last one counts.
        let newest = |one: &ICalendarComponent| match first(one, &ICalendarProperty::Sequence) {
            Some(ICalendarValue::Integer(number)) => *number,
            _ => 0,
        };
        let main = events.into_iter().max_by_key(newest);
        if main.as_ref().is_some_and(is_cancelled) {
            return Ok(Self { events: Vec::new(), zone: own.clone(), days: false });
        }
        let model =
            main.as_ref().or(changes.first()).and_then(|one| one.property(&ICalendarProperty::Dtstart));
        let model = model.ok_or("has no DTSTART")?;
        let begins = match model.values.first() {
            Some(ICalendarValue::PartialDateTime(at)) => at,
            _ => return Err("has a DTSTART that is none".into()),
        };
        let days = begins.hour.is_none();
        let zone = match offset(begins)? {
            Some(fixed) => fixed,
            None => zone_of(model, zones)?.unwrap_or_else(|| own.clone()),
        };
        let on_the_wall = Wall { zones, zone: &zone, days };
        let mut all = Vec::new();
        let mut cancelled: Vec<ICalendarEntry> = Vec::new();
        for mut one in main.into_iter().chain(changes) {
            one.component_ids.clear();
            // A change is one of this event, however often either was saved.
            one.entries.retain(|entry| entry.name != ICalendarProperty::Sequence);
            for entry in &mut one.entries {
                on_the_wall.put(entry)?;
            }
            if is_cancelled(&one) {
                let which =
                    one.entries.into_iter().find(|entry| entry.name == ICalendarProperty::RecurrenceId);
                cancelled
                    .extend(which.map(|which| ICalendarEntry { name: ICalendarProperty::Exdate, ..which }));
                continue;
            }
            if !days
                && !one.has_property(&ICalendarProperty::Dtend)
                && !one.has_property(&ICalendarProperty::Duration)
            {
                return Err("does not say how long it lasts: it needs DTEND or DURATION".into());
            }
            all.push(one);
        }
        if let Some(main) = all.first_mut() {
            main.entries.extend(cancelled);
        }
        Ok(Self { events: all, zone, days })
    }

    fn times(self, warnings: &mut Vec<String>) -> Result<Vec<Open>, String> {
        let name = name(&self.events);
        let expanded = ICalendar { components: self.events }
            .expand_dates(calcard::common::timezone::Tz::Floating, REPEATED_MAX);
        if let Some(error) = expanded.errors.first() {
            return Err(match &error.error {
                CalendarErrorType::RRule(error) => format!("is repeated by a rule that is none: {error}"),
                CalendarErrorType::InvalidDuration => "has a DURATION that is none".to_owned(),
                CalendarErrorType::InvalidDtEnd => "has a DTEND that is none".to_owned(),
                _ => "has a DTSTART that is none".to_owned(),
            });
        }
        let mut times = Vec::with_capacity(expanded.events.len());
        for event in expanded.events {
            let (begins, ends) = event.timestamps();
            let from = instant(begins, &self.zone)?;
            // What has an hour lasts as long as it does, by any clock; whole days end with the day.
            let until = match event.end {
                TimeOrDelta::Delta(_) if !self.days => from
                    .checked_add(SignedDuration::from_secs(ends.saturating_sub(begins)))
                    .map_err(|_| TOO_FAR)?,
                _ => instant(ends, &self.zone)?,
            };
            times.push(Open { from, until });
        }
        // What ends in the time of those who come after us needs no word.
        if times.len() >= REPEATED_MAX
            && let (Some(first), Some(last)) = (times.iter().min(), times.iter().max())
            && last.from.duration_since(first.from) < FAR
        {
            warnings.push(format!(
                "its event {name:?} is repeated for longer than is read: after {} it is not known",
                last.until
            ));
        }
        Ok(times)
    }
}

const TOO_FAR: &str = "takes place in a time that nobody will see";

/// Writes hours as the clock on the wall of an event shows them.
struct Wall<'a> {
    zones: &'a TzResolver<&'a str>,
    zone: &'a TimeZone,
    days: bool,
}

impl Wall<'_> {
    fn put(&self, entry: &mut ICalendarEntry) -> Result<(), String> {
        let zone = zone_of(entry, self.zones)?;
        entry.params.retain(|one| one.name != ICalendarParameterName::Tzid);
        for value in &mut entry.values {
            match value {
                ICalendarValue::PartialDateTime(at) => self.hour(at, zone.as_ref())?,
                ICalendarValue::Period(ICalendarPeriod::Range { start, end }) => {
                    self.hour(start, zone.as_ref())?;
                    self.hour(end, zone.as_ref())?;
                }
                ICalendarValue::Period(ICalendarPeriod::Duration { start, .. }) => {
                    self.hour(start, zone.as_ref())?;
                }
                ICalendarValue::RecurrenceRule(rule) => {
                    if matches!(rule.freq, ICalendarFrequency::Secondly | ICalendarFrequency::Minutely) {
                        return Err("is repeated every minute or second: that is no maintenance".into());
                    }
                    if let Some(until) = &mut rule.until {
                        self.hour(until, None)?;
                        // A day is meant as a whole.
                        if until.hour.is_none() && !self.days {
                            (until.hour, until.minute, until.second) = (Some(23), Some(59), Some(59));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hour(&self, at: &mut PartialDateTime, zone: Option<&TimeZone>) -> Result<(), String> {
        if at.hour.is_none() {
            return Ok(());
        }
        let zone = match (offset(at)?, zone) {
            (Some(fixed), _) => fixed,
            (None, Some(zone)) if zone != self.zone => zone.clone(),
            // It is on this wall already.
            _ => return Ok(()),
        };
        let wrong = || "names an hour that is none".to_owned();
        let number = |part: Option<u8>| part.and_then(|part| i8::try_from(part).ok());
        let year = at.year.and_then(|year| i16::try_from(year).ok()).ok_or_else(wrong)?;
        let (month, day) = number(at.month).zip(number(at.day)).ok_or_else(wrong)?;
        let (hour, minute) = number(at.hour).zip(number(at.minute.or(Some(0)))).ok_or_else(wrong)?;
        let second = number(at.second.or(Some(0))).ok_or_else(wrong)?;
        let there = DateTime::new(year, month, day, hour, minute, second.min(59), 0).map_err(|_| wrong())?;
        let here = there.to_zoned(zone).map_err(|_| wrong())?.with_time_zone(self.zone.clone());
        *at = PartialDateTime {
            year: u16::try_from(here.year()).ok(),
            month: u8::try_from(here.month()).ok(),
            day: u8::try_from(here.day()).ok(),
            hour: u8::try_from(here.hour()).ok(),
            minute: u8::try_from(here.minute()).ok(),
            second: u8::try_from(here.second()).ok(),
            ..PartialDateTime::default()
        };
        Ok(())
    }
}

/// The zone of an hour that says how far it is from UTC, mostly not at all.
fn offset(at: &PartialDateTime) -> Result<Option<TimeZone>, String> {
    let Some(hours) = at.tz_hour else { return Ok(None) };
    let seconds = i32::from(hours) * 3600 + i32::from(at.tz_minute.unwrap_or(0)) * 60;
    let offset = Offset::from_seconds(if at.tz_minus { -seconds } else { seconds });
    offset.map(|offset| Some(TimeZone::fixed(offset))).map_err(|_| TOO_FAR.into())
}

/// The zone that an entry names.
fn zone_of(entry: &ICalendarEntry, zones: &TzResolver<&str>) -> Result<Option<TimeZone>, String> {
    let Some(id) = entry.tz_id() else { return Ok(None) };
    let known = zones.resolve(id).and_then(|zone| TimeZone::get(&zone.name()?).ok());
    known
        .or_else(|| TimeZone::get(id).ok())
        .map(Some)
        .ok_or_else(|| format!("is in a time zone that nobody knows: {id:?}"))
}

/// The hour that a clock on the wall shows, given as if it were that of UTC.
fn instant(on_the_wall: i64, zone: &TimeZone) -> Result<Timestamp, String> {
    let civil = Timestamp::from_second(on_the_wall).map_err(|_| TOO_FAR)?;
    let civil = TimeZone::UTC.to_datetime(civil);
    zone.to_timestamp(civil).map_err(|_| TOO_FAR.to_owned())
}

fn first<'c>(event: &'c ICalendarComponent, property: &ICalendarProperty) -> Option<&'c ICalendarValue> {
    event.property(property)?.values.first()
}

fn is_cancelled(event: &ICalendarComponent) -> bool {
    matches!(
        first(event, &ICalendarProperty::Status),
        Some(ICalendarValue::Status(ICalendarStatus::Cancelled))
    )
}

/// What people call an event.
fn name(events: &[ICalendarComponent]) -> String {
    let named = events.iter().find_map(|one| match first(one, &ICalendarProperty::Summary) {
        Some(ICalendarValue::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    let text = named.or_else(|| events.first().and_then(ICalendarComponent::uid)).unwrap_or("without a name");
    text.chars().take(80).collect()
}
