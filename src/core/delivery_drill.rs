//! The delivery drill: once a week everybody who can be on call gets a marked test page by every way, and is to answer it.
//!
//! Which hour comes next is written down before it comes (`next`), so that it is known after a restart what was to be done, and
//! a house that is set up at noon does not begin with the drill of that morning. There is one in each week of the calendar,
//! whatever happens: one that is late is made up for within hours, and an older one is left out. A test is never an emergency:
//! the hours are those of each person's own clock unless a zone is named, in quiet hours it waits, and nobody is asked who
//! is away.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use super::oncall::{Roster, Turns};
use super::rules::{Person, Rules, Target};

/// A drill, or the test of one person, whose hour was longer ago is left out.
pub const LATE_MAX: SignedDuration = SignedDuration::from_hours(4);
/// The shortest and the longest time for which an answer is awaited.
pub const ANSWER_MIN: SignedDuration = SignedDuration::from_secs(10);
/// See [`ANSWER_MIN`].
pub const ANSWER_MAX: SignedDuration = SignedDuration::from_hours(72);
/// One person after the other, so that no page waits behind tests and no gateway is asked for more than it takes.
pub const APART: SignedDuration = SignedDuration::from_secs(1);
/// All have been asked by then.
const APART_MAX: SignedDuration = SignedDuration::from_hours(1);
/// One that began so far in the future was begun by a clock that was wrong.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// No hour that is planned lies further ahead, for then a week would be without one.
const PLANNED_MAX: SignedDuration = SignedDuration::from_hours(15 * 24);
/// So many weeks are looked at for the next hour.
const WEEKS: i64 = 9;

const _: () = {
    // The zones of the earth differ by 26 hours, and quiet hours end within a day: it is over before the next one begins.
    let longest = ANSWER_MAX.as_hours() + 26 + 24 + APART_MAX.as_hours() + 2 * LATE_MAX.as_hours();
    assert!(longest < 7 * 24, "a drill is over before the next one begins");
};

/// `[delivery_drill]`: when it is, who takes part, and how long an answer is awaited.
#[derive(Clone, Debug)]
pub struct Plan {
    /// On which day.
    pub day: Weekday,
    /// At which hour of the clock on the wall.
    pub time: Time,
    /// Whose clock; `None`: each person's own.
    pub time_zone: Option<TimeZone>,
    /// Who takes part; nobody: everybody who can be woken.
    pub page: Vec<Target>,
    /// How long an answer is awaited.
    pub answer_within: SignedDuration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            day: Weekday::Tuesday,
            time: Time::constant(10, 0, 0, 0),
            time_zone: None,
            page: Vec::new(),
            answer_within: SignedDuration::from_hours(24),
        }
    }
}

/// The drill of one week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The week of the calendar, from Monday: `2026-W49`.
    pub week: String,
    /// Its day.
    pub date: Date,
    /// When the first of its people is asked.
    pub at: Timestamp,
}

/// What there is to do about the drill of a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Nothing,
    /// Another hour than the one that is written down is the next; `None`: there is none any more.
    Plan(Option<Occasion>),
    /// It begins.
    Begin,
    /// There is none in this week.
    Skip(Why),
}

/// Why there is no drill in a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody was there at its hour.
    Late,
    /// Another was under way, which somebody had asked for.
    UnderWay,
}

impl Why {
    /// In words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "no daemon was there at its hour, nor within four hours after it",
            Self::UnderWay => "another one was under way, which somebody had asked for",
        }
    }
}

/// How a person stands in a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Their hour has not come.
    Waits,
    /// The test is on its way, or with them, and the answer is awaited.
    Asked,
    /// They have answered in time.
    Answered,
    /// They have not.
    Missed,
    /// They are on leave.
    Away,
    /// Nobody was there at their hour to ask them.
    Late,
    /// The configuration does not have them any more.
    Gone,
}

impl State {
    const ALL: [Self; 7] =
        [Self::Waits, Self::Asked, Self::Answered, Self::Missed, Self::Away, Self::Late, Self::Gone];

    /// The word in SQL, in the API and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Missed => "missed",
            Self::Away => "away",
            Self::Late => "late",
            Self::Gone => "gone",
        }
    }

    /// What a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is done about a person whose hour has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// They are asked now.
    Ask,
    /// They are asked then.
    Wait(Timestamp),
    /// So they stand at the end.
    Ends(State),
}

/// The names of whoever takes part, in order.
pub fn people(plan: &Plan, rules: &Rules, roster: &Roster) -> Vec<String> {
    let rotations: Vec<Target> = rules.rotations.keys().cloned().map(Target::Rotation).collect();
    let targets: Vec<&Target> = match plan.page.is_empty() {
        false => plan.page.iter().collect(),
        true => {
            let policies = rules.policies.values().flat_map(|policy| {
                let steps = policy.steps.iter().flat_map(|step| &step.page);
                steps.chain(&policy.last_resort).chain(&policy.watch.who)
            });
            let pios = rules.services.values().flat_map(|service| &service.pio);
            rotations.iter().chain(policies).chain(pios).collect()
        }
    };
    let named = |target: &Target| match target {
        Target::Person(name) => vec![name.clone()],
        Target::Rotation(name) | Target::Everybody(name) => {
            of_rotation(name, rules, roster).into_iter().map(str::to_owned).collect()
        }
    };
    let all: BTreeSet<String> = targets.into_iter().flat_map(named).collect();
    all.into_iter().filter(|name| rules.people.contains_key(name)).collect()
}

/// Everybody who may be on call in a rotation, or is told beside them.
fn of_rotation<'a>(name: &str, rules: &'a Rules, roster: &'a Roster) -> Vec<&'a str> {
    let Some(rotation) = rules.rotations.get(name) else { return Vec::new() };
    let mut all: Vec<&str> = rotation.everybody().into_iter().collect();
    all.extend(rotation.shadows.iter().map(String::as_str));
    if matches!(rotation.turns, Turns::Calendar) {
        let turns = roster.calendars.get(name).map(|turns| turns.as_slice()).unwrap_or_default();
        all.extend(turns.iter().map(|turn| turn.person.as_str()));
    }
    all.extend(roster.overrides.iter().filter(|one| one.rotation == name).map(|one| one.person.as_str()));
    all
}

impl Plan {
    /// When on a day the first is asked: by the clock of the zone that is named, else of those in which people live.
    fn first_hour<'a>(&self, date: Date, zones: impl Iterator<Item = &'a TimeZone>) -> Option<Timestamp> {
        let hour = |zone: &TimeZone| zone.to_timestamp(date.to_datetime(self.time)).ok();
        match &self.time_zone {
            Some(zone) => hour(zone),
            None => zones.filter_map(hour).min(),
        }
    }

    /// The next drill: the first hour after this one, of a week that has not had one. An hour that is left out when the clocks
    /// change moves by as much as they do, and of one that comes twice the first counts. `None` when nobody takes part.
    pub fn next(
        &self,
        rules: &Rules,
        roster: &Roster,
        had: &BTreeSet<String>,
        now: Timestamp,
    ) -> Option<Occasion> {
        // As many clocks as there are zones, and not as there are people.
        let mut zones: BTreeMap<String, &TimeZone> = BTreeMap::new();
        for name in people(self, rules, roster) {
            if let Some(person) = rules.people.get(&name) {
                zones.insert(format!("{:?}", person.time_zone), &person.time_zone);
            }
        }
        if zones.is_empty() {
            return None;
        }
        let today = now.to_zoned(TimeZone::UTC).date();
        let monday =
            today.checked_sub(Span::new().days(i64::from(today.weekday().to_monday_zero_offset()))).ok()?;
        (-1..WEEKS).find_map(|weeks| {
            let days = weeks * 7 + i64::from(self.day.to_monday_zero_offset());
            let date = monday.checked_add(Span::new().days(days)).ok()?;
            let at = self.first_hour(date, zones.values().copied())?;
            let week = week_of(date);
            (at > now && !had.contains(&week)).then_some(Occasion { week, date, at })
        })
    }

    /// When somebody is asked: the hour of their clock on the day of the drill, and not before it begins; at once, when somebody
    /// asked for it. `place`: how many come before them.
    pub fn asks_at(&self, person: &Person, date: Option<Date>, place: usize, now: Timestamp) -> Timestamp {
        let zone = self.time_zone.as_ref().unwrap_or(&person.time_zone);
        let hour = date.and_then(|date| zone.to_timestamp(date.to_datetime(self.time)).ok());
        let apart = APART.saturating_mul(i32::try_from(place).unwrap_or(i32::MAX)).min(APART_MAX);
        // Who lives where the hour is over is asked late, and not never.
        let from = hour.unwrap_or(now).max(now);
        from.saturating_add(apart).unwrap_or(from)
    }
}

/// The week of the calendar to which a day belongs.
fn week_of(date: Date) -> String {
    let week = date.iso_week_date();
    format!("{}-W{:02}", week.year(), week.week())
}

/// What there is to do, by what is written down as the next drill and what the configuration says is (none: it wants none).
pub fn step(planned: Option<&Occasion>, next: Option<&Occasion>, under_way: bool, now: Timestamp) -> Step {
    match (planned, next) {
        (None, None) => Step::Nothing,
        (None, Some(next)) => Step::Plan(Some(next.clone())),
        (Some(_), None) => Step::Plan(None),
        (Some(planned), Some(_)) if planned.at <= now => {
            if under_way {
                Step::Skip(Why::UnderWay)
            } else if now.duration_since(planned.at) > LATE_MAX {
                Step::Skip(Why::Late)
            } else {
                Step::Begin
            }
        }
        (Some(planned), Some(next)) => {
            // That somebody came in whose hour of this day is over already takes its drill from nobody.
            let keeps = next.date > planned.date && next.date.weekday() == planned.date.weekday();
            if planned == next || (keeps && !is_too_far(planned, now)) {
                Step::Nothing
            } else {
                Step::Plan(Some(next.clone()))
            }
        }
    }
}

/// Whether an hour was written down by a clock that was wrong.
pub fn is_too_far(planned: &Occasion, now: Timestamp) -> bool {
    planned.at.duration_since(now) > PLANNED_MAX
}

/// Whether a drill began in a future that never was.
pub fn never_was(began_at: Timestamp, now: Timestamp) -> bool {
    began_at.duration_since(now) > AHEAD_MAX
}

/// What is done about somebody whose hour has come: `person` is who they are now, if they are anybody.
pub fn turn(state: State, person: Option<&Person>, is_away: bool, due_at: Timestamp, now: Timestamp) -> Turn {
    let Some(person) = person else { return Turn::Ends(State::Gone) };
    if is_away {
        return Turn::Ends(State::Away);
    }
    if state != State::Waits {
        return Turn::Ends(State::Missed);
    }
    if now.duration_since(due_at) > LATE_MAX {
        return Turn::Ends(State::Late);
    }
    let quiet = person.quiet.as_ref().and_then(|quiet| quiet.ends(&person.time_zone, now));
    quiet.map_or(Turn::Ask, Turn::Wait)
}

#[cfg(test)]
mod stories;
