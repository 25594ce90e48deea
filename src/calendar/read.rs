//! The events of an iCalendar file (RFC 5545), as the hours for which each of them lasts.
//!
//! `calcard` reads the file and knows how rules repeat. It is given no time zones: what it reckons are hours of a clock on a
//! wall, and `jiff` says when those are, also in nights in which one of them is missing or comes twice. So before, every hour
//! of an event is written as that clock shows it: ends, exceptions and changes may be in UTC, or in another zone. Of the rules
//! that zones have in the file itself only the name is taken.

use std::collections::BTreeMap;
use std::rc::Rc;

use calcard::common::PartialDateTime;
use calcard::icalendar::dates::{CalendarErrorType, TimeOrDelta};
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarFrequency,
    ICalendarParameterName, ICalendarParameterValue, ICalendarParticipationStatus, ICalendarPeriod,
    ICalendarProperty, ICalendarStatus, ICalendarValue, Uri,
};
use calcard::{Entry, Parser};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::core::maintenance::Open;

/// Largest calendar, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Most events in it.
const EVENTS_MAX: usize = 2000;
/// So often an event is repeated, and no more: every day for 54 years.
const REPEATED_MAX: usize = 20_000;
/// Most times of all events together.
const TIMES_MAX: usize = 200_000;
/// Most repetitions that are gone through, of all events together.
const STEPS_MAX: usize = 1_000_000;
/// A repetition that is read for less than this, and goes on, is told.
const FAR: SignedDuration = SignedDuration::from_hours(20 * 365 * 24);

/// When the events of a calendar are.
#[derive(Debug, Default)]
pub struct Times {
    /// When.
    pub times: Vec<Open>,
    /// What should be known.
    pub warnings: Vec<String>,
}

/// When the events of a calendar are, for who needs to know all of them. `own` is the zone of hours that name none, and of
/// whole days.
///
/// # Errors
/// A sentence for people.
pub fn times(text: &str, own: &TimeZone) -> Result<Times, String> {
    let mut found = Times::default();
    each(text, own, None, &mut found.warnings, |name, events| {
        let events = events.map_err(|why| format!("its event {name:?} {why}"))?;
        found.times.extend(events.into_iter().map(|event| event.open));
        Ok(())
    })?;
    Ok(found)
}

/// One time of an event.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub open: Open,
    /// What it says of people.
    pub says: Rc<Says>,
}

/// What an event says of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Says {
    /// What people call it.
    pub summary: String,
    /// Who takes part, by their mail addresses, in lower case, without those who have declined.
    pub attendees: Vec<String>,
    /// Who have declined.
    pub declined: Vec<String>,
    /// Who called for it.
    pub organizer: Option<String>,
}

/// The events of a calendar.
#[derive(Debug, Default)]
pub struct Events {
    /// Each time of each of them that is not over at the beginning of the window, and begins before its end.
    pub events: Vec<Event>,
    /// How many times of events there are, whenever they are, as far as they were read.
    pub any: usize,
    /// What could not be read of it: the event, and why.
    pub unread: Vec<(String, String)>,
    /// What should be known.
    pub warnings: Vec<String>,
}

/// The events of a calendar, for who needs those from one hour to another, and would rather have some of them than none.
///
/// # Errors
/// A sentence for people: it is no calendar, or too large.
pub fn events(text: &str, own: &TimeZone, (from, until): (Timestamp, Timestamp)) -> Result<Events, String> {
    let mut found = Events::default();
    let mut warnings = Vec::new();
    each(text, own, Some(until), &mut warnings, |name, events| {
        match events {
            Ok(events) => {
                found.any += events.len();
                found.events.extend(
                    events.into_iter().filter(|event| event.open.until > from && event.open.from < until),
                );
            }
            Err(why) => found.unread.push((name.to_owned(), why)),
        }
        Ok(())
    })?;
    found.warnings = warnings;
    Ok(found)
}

/// Goes through a calendar, event by event with all that was changed of it. What repeats is followed to `until`.
fn each(
    text: &str,
    own: &TimeZone,
    until: Option<Timestamp>,
    warnings: &mut Vec<String>,
    mut take: impl FnMut(&str, Result<Vec<Event>, String>) -> Result<(), String>,
) -> Result<(), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let last = text.trim_end().rsplit(['\r', '\n']).next().unwrap_or_default();
    if !last.trim().eq_ignore_ascii_case("END:VCALENDAR") {
        let begins =
            text.trim_start().get(..15).is_some_and(|first| first.eq_ignore_ascii_case("BEGIN:VCALENDAR"));
        let why = if begins { "it breaks off before its end" } else { "this is no iCalendar file" };
        return Err(why.into());
    }
    let (mut parser, mut events, mut any) = (Parser::new(text), 0, false);
    let (mut times_left, mut steps_left) = (TIMES_MAX, STEPS_MAX);
    loop {
        let found = match parser.entry() {
            Entry::ICalendar(found) => found,
            Entry::Eof if any => return Ok(()),
            Entry::InvalidLine(line) if line.trim().is_empty() => continue,
            Entry::UnterminatedComponent(_) => return Err("it breaks off before its end".into()),
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
            let most = REPEATED_MAX.min(steps_left);
            let times =
                Series::of(components, &zones, own).and_then(|series| series.times(until, most, warnings));
            let count = times.as_ref().map_or(0, Vec::len);
            let (times_rest, steps_rest) = (times_left.checked_sub(count), steps_left.checked_sub(count));
            times_left =
                times_rest.ok_or_else(|| format!("its events take place more than {TIMES_MAX} times"))?;
            steps_left = steps_rest.filter(|left| *left > 0).ok_or("its events are repeated too often")?;
            take(&name, times)?;
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

    fn times(
        mut self,
        until: Option<Timestamp>,
        most: usize,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Event>, String> {
        let name = name(&self.events);
        let says: Vec<Rc<Says>> = says(&self.events);
        let lengths: Vec<Option<SignedDuration>> = self.events.iter().map(follows_from).collect();
        // Who is on call hands over when the clock on the wall says so, also in the night in which it is set. Only what is said
        // to last so many hours lasts so many.
        let exact: Vec<bool> =
            self.events.iter().map(|event| until.is_none() || lasts_hours(event)).collect();
        if let Some(until) = until {
            self.ends(until);
        }
        let expanded =
            ICalendar { components: self.events }.expand_dates(calcard::common::timezone::Tz::Floating, most);
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
            let which = usize::try_from(event.comp_id).unwrap_or(usize::MAX);
            let (begins, mut ends) = event.timestamps();
            // What was changed for all that follow lasts as long as the change says.
            if let (TimeOrDelta::Delta(_), Some(Some(lasts))) = (&event.end, lengths.get(which)) {
                ends = begins.saturating_add(lasts.as_secs());
            }
            let from = instant(begins, &self.zone)?;
            // What has an hour lasts as long as it does, by any clock; whole days end with the day.
            let exact = !self.days && exact.get(which).copied().unwrap_or(true);
            let until = match event.end {
                TimeOrDelta::Delta(_) if exact => from
                    .checked_add(SignedDuration::from_secs(ends.saturating_sub(begins)))
                    .map_err(|_| TOO_FAR)?,
                _ => instant(ends, &self.zone)?,
            };
            let says = says.get(which).cloned().unwrap_or_default();
            times.push(Event { open: Open { from, until }, says });
        }
        // What ends in the time of those who come after us needs no word.
        let opens = || times.iter().map(|event| event.open);
        if times.len() >= most
            && let (Some(first), Some(last)) = (opens().min(), opens().max())
            && last.from.duration_since(first.from) < FAR
        {
            warnings.push(format!(
                "its event {name:?} is repeated for longer than is read: after {} it is not known",
                last.until
            ));
        }
        Ok(times)
    }

    /// Lets repetitions end with an hour, unless they are counted: there is no end to most of them.
    fn ends(&mut self, until: Timestamp) {
        // A day beyond: zones differ by less.
        let until = until.saturating_add(SignedDuration::from_hours(24)).unwrap_or(until);
        let wall = until.to_zoned(self.zone.clone());
        let last = PartialDateTime {
            year: u16::try_from(wall.year()).ok(),
            month: u8::try_from(wall.month()).ok(),
            day: u8::try_from(wall.day()).ok(),
            hour: Some(0),
            minute: Some(0),
            second: Some(0),
            ..PartialDateTime::default()
        };
        let day = |at: &PartialDateTime| (at.year, at.month, at.day);
        for entry in self.events.iter_mut().flat_map(|event| &mut event.entries) {
            for value in &mut entry.values {
                if let ICalendarValue::RecurrenceRule(rule) = value
                    && rule.count.is_none()
                    && rule.until.as_ref().is_none_or(|known| day(known) > day(&last))
                {
                    rule.until = Some(last.clone());
                }
            }
        }
    }
}

/// What each event of a series says of people. One that says nothing changes nothing about that.
fn says(events: &[ICalendarComponent]) -> Vec<Rc<Says>> {
    let own: Vec<Rc<Says>> = events.iter().map(|event| Rc::new(Says::of(event))).collect();
    let first = own.first().cloned().unwrap_or_default();
    own.into_iter().map(|one| if *one == Says::default() { first.clone() } else { one }).collect()
}

/// Whether an event is said to last so many hours, and not until an hour or for so many days.
fn lasts_hours(event: &ICalendarComponent) -> bool {
    match first(event, &ICalendarProperty::Duration) {
        Some(ICalendarValue::Duration(lasts)) => (lasts.hours, lasts.minutes, lasts.seconds) != (0, 0, 0),
        _ => false,
    }
}

/// How long those last that follow a change of one and all that come after it.
fn follows_from(event: &ICalendarComponent) -> Option<SignedDuration> {
    let which = event.property(&ICalendarProperty::RecurrenceId)?;
    which.params.iter().find(|one| one.name == ICalendarParameterName::Range)?;
    if let Some(ICalendarValue::Duration(lasts)) = first(event, &ICalendarProperty::Duration) {
        return Some(SignedDuration::from_secs(lasts.to_time_delta()?.num_seconds()));
    }
    let hour = |property| match first(event, property)? {
        ICalendarValue::PartialDateTime(at) => Some(at.to_date_time()?.date_time),
        _ => None,
    };
    let lasts = hour(&ICalendarProperty::Dtend)?.signed_duration_since(hour(&ICalendarProperty::Dtstart)?);
    Some(SignedDuration::from_secs(lasts.num_seconds()))
}

impl Says {
    fn of(event: &ICalendarComponent) -> Self {
        let summary = match first(event, &ICalendarProperty::Summary) {
            Some(ICalendarValue::Text(text)) => text.trim().to_owned(),
            _ => String::new(),
        };
        let mut says = Self { summary, ..Self::default() };
        for entry in &event.entries {
            let mail = match entry.values.first() {
                Some(ICalendarValue::Uri(Uri::Location(address)) | ICalendarValue::Text(address)) => {
                    mail(address)
                }
                _ => None,
            };
            // Some put the address into a parameter, and something of their own into its place.
            let mail = mail.or_else(|| parameter(entry, &ICalendarParameterName::Email).and_then(mail_of));
            let Some(mail) = mail else { continue };
            match entry.name {
                ICalendarProperty::Attendee if has_declined(entry) => says.declined.push(mail),
                ICalendarProperty::Attendee => says.attendees.push(mail),
                ICalendarProperty::Organizer => says.organizer = Some(mail),
                _ => {}
            }
        }
        says
    }
}

fn mail(address: &str) -> Option<String> {
    let (scheme, rest) = address.trim().split_once(':')?;
    let rest = rest.split('?').next().unwrap_or(rest);
    scheme.eq_ignore_ascii_case("mailto").then(|| mail_of(rest)).flatten()
}

fn mail_of(text: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(text.trim()).decode_utf8().ok()?;
    text.contains('@').then(|| text.to_lowercase())
}

fn parameter<'c>(entry: &'c ICalendarEntry, name: &ICalendarParameterName) -> Option<&'c str> {
    entry.params.iter().find(|one| one.name == *name)?.value.as_text()
}

fn has_declined(entry: &ICalendarEntry) -> bool {
    let partstat = entry.params.iter().find(|one| one.name == ICalendarParameterName::Partstat);
    partstat.is_some_and(|one| {
        one.value == ICalendarParameterValue::Partstat(ICalendarParticipationStatus::Declined)
    })
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
                        return Err("is repeated every minute or second: nothing is meant so".into());
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
