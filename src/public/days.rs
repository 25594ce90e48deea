//! How components were, day by day, and how they are: computed from what was said of incidents, and from nothing else.
//!
//! From when readers noticed it until the second statement holds what the first one said; from there on what the next one said, and
//! so on to the end. What a correction says holds in the place of what it corrects: from the hour of that, and no longer than that would
//! have. So one that comes late changes nothing of what was said since, and nothing after the end. What was taken back counts for
//! nothing. It is over when a statement said so, and what corrects that one does, too. Days are those of UTC.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{DAYS, PublicIncident, PublicStatement, Said, Shown, State};
use crate::core::voice::{Impact, Phase, Sort};

/// A component, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when it is so; `None`: as far back as is known.
    pub since: Option<Timestamp>,
    /// The last [`DAYS`] days, the oldest first.
    pub days: Vec<Day>,
    /// Of ten thousand parts of the time that is known, in how many it had no outage, partial or major. Never rounded up.
    pub up: u16,
}

/// One day of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Which.
    pub date: Date,
    /// The worst of it; `None`: nothing is known of that day.
    pub worst: Option<State>,
    /// How long it was so, if it was anything but operational.
    pub lasted: SignedDuration,
}

/// A time during which a component was not just operational.
#[derive(Clone, Copy, Debug)]
struct Spell {
    from: Timestamp,
    to: Timestamp,
    state: State,
    /// It goes on.
    open: bool,
}

/// What an incident did, from one statement to the next.
struct Point<'a> {
    from: Timestamp,
    impact: Impact,
    components: &'a [String],
}

/// Every component as it is shown, in its order.
pub fn lines(shown: &Shown) -> Vec<Line> {
    shown.components.iter().map(|component| line(shown, &component.name, component.since)).collect()
}

/// How much readers notice of an incident now.
pub(super) fn impact_now(incident: &PublicIncident) -> Impact {
    if !incident.is_open() {
        return Impact::None;
    }
    points(incident).last().map_or(Impact::None, |point| point.impact)
}

/// How much readers noticed of an incident on the whole: of one that is over, at its worst.
pub(super) fn impact(incident: &PublicIncident) -> Impact {
    if incident.is_open() {
        return incident.impact;
    }
    points(incident).iter().map(|point| point.impact).fold(incident.impact, Impact::max)
}

fn line(shown: &Shown, name: &str, known_since: Timestamp) -> Line {
    let now = shown.made_at;
    let spells = spells(shown, name);
    let state = spells.iter().filter(|spell| spell.open).map(|spell| spell.state).max();
    let state = state.unwrap_or(State::Operational);
    let dates = dates(now);
    // Whatever was said of it counts, also where it was said of a time before the component was listed.
    let known_since = spells.iter().map(|spell| spell.from).fold(known_since, Timestamp::min);
    let days: Vec<Day> = dates.iter().map(|date| day(*date, known_since, now, &spells)).collect();
    let from =
        dates.first().and_then(|date| begin(*date)).map_or(known_since, |begin| begin.max(known_since));
    Line { name: name.to_owned(), state, since: since(&spells, state, now), days, up: up(&spells, from, now) }
}

/// Since when it is as it is now.
fn since(spells: &[Spell], state: State, now: Timestamp) -> Option<Timestamp> {
    if state == State::Operational {
        return spells.iter().map(|spell| spell.to).filter(|to| *to <= now).max();
    }
    // Spells of the same state that touch each other are one.
    let mut same: Vec<_> = spells.iter().filter(|spell| spell.state == state).collect();
    same.sort_by_key(|spell| std::cmp::Reverse(spell.to));
    let mut since = same.first().filter(|spell| spell.open).map(|spell| spell.from)?;
    for spell in same {
        if spell.to >= since {
            since = since.min(spell.from);
        }
    }
    Some(since)
}

/// The days that are shown, the oldest first.
fn dates(now: Timestamp) -> Vec<Date> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let back = |days: usize| today.checked_sub(i64::try_from(days).unwrap_or(0).days()).ok();
    (0..DAYS).rev().filter_map(back).collect()
}

fn begin(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn day(date: Date, known_since: Timestamp, now: Timestamp, spells: &[Spell]) -> Day {
    let from = begin(date).unwrap_or(now);
    let to = date.tomorrow().ok().and_then(begin).unwrap_or(now).min(now);
    if to <= known_since && known_since > from {
        return Day { date, worst: None, lasted: SignedDuration::ZERO };
    }
    let within: Vec<_> = spells.iter().filter_map(|spell| cut(*spell, from, to)).collect();
    let worst = within.iter().map(|spell| spell.state).max().unwrap_or(State::Operational);
    let lasted = covered(within.iter().filter(|spell| spell.state == worst));
    Day { date, worst: Some(worst), lasted }
}

/// The part of it that lies within.
fn cut(spell: Spell, from: Timestamp, to: Timestamp) -> Option<Spell> {
    let cut = Spell { from: spell.from.max(from), to: spell.to.min(to), ..spell };
    (cut.from < cut.to).then_some(cut)
}

/// The time that is covered by any of them.
fn covered<'a>(spells: impl Iterator<Item = &'a Spell>) -> SignedDuration {
    let mut spells: Vec<_> = spells.map(|spell| (spell.from, spell.to)).collect();
    spells.sort_unstable();
    let (mut sum, mut until) = (SignedDuration::ZERO, Timestamp::MIN);
    for (from, to) in spells {
        let from = from.max(until);
        if from < to {
            sum += to.duration_since(from);
            until = to;
        }
    }
    sum
}

fn up(spells: &[Spell], from: Timestamp, now: Timestamp) -> u16 {
    let known = now.duration_since(from).as_millis();
    if known <= 0 {
        return 10_000;
    }
    let is_down = |spell: &&Spell| spell.state >= State::PartialOutage;
    let within: Vec<_> = spells.iter().filter(is_down).filter_map(|spell| cut(*spell, from, now)).collect();
    let down = covered(within.iter()).as_millis();
    // Rounded down: whoever had an outage does not read 100 %.
    u16::try_from((known - down).max(0) * 10_000 / known).unwrap_or(10_000)
}

/// When a component was not just operational.
fn spells(shown: &Shown, name: &str) -> Vec<Spell> {
    let now = shown.made_at;
    let mut spells = Vec::new();
    for incident in &shown.incidents {
        let points = points(incident);
        let end = incident.ended.map_or(now, |ended| ended.min(now));
        for (place, point) in points.iter().enumerate() {
            let next = points.get(place + 1);
            let to = next.map_or(end, |next| next.from.min(end));
            let state = State::of(point.impact);
            let touches = point.components.iter().any(|component| component == name);
            let open = next.is_none() && incident.is_open();
            if touches && state != State::Operational && (point.from < to || open) {
                spells.push(Spell { from: point.from, to: to.max(point.from), state, open });
            }
        }
    }
    for planned in shown.maintenance.iter().filter(|planned| planned.from <= now) {
        if planned.components.iter().any(|component| component == name) {
            let (to, open) = (planned.to.min(now), planned.to > now);
            spells.push(Spell { from: planned.from, to, state: State::Maintenance, open });
        }
    }
    spells
}

/// What an incident did, the oldest first.
fn points(incident: &PublicIncident) -> Vec<Point<'_>> {
    let mut points: Vec<Point<'_>> = Vec::new();
    for word in words(&incident.statements) {
        let Word { said, holds } = word;
        let components = if holds.components.is_empty() { &incident.components } else { &holds.components };
        let from = if points.is_empty() { incident.began.min(said.at) } else { said.at };
        points.push(Point { from, impact: word.impact(), components });
    }
    points
}

/// What was said once and stands, as it holds now.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// It holds since this was said.
    pub said: &'a PublicStatement,
    /// The newest correction of that, or that itself.
    pub holds: &'a PublicStatement,
}

impl Word<'_> {
    /// Whether it says that it is over. A correction of another one that comes after the end may say so by the way.
    pub fn is_over(&self) -> bool {
        self.said.phase == Phase::Resolved && self.holds.phase == Phase::Resolved
    }

    /// How far the incident is.
    pub fn phase(&self) -> Phase {
        if self.holds.phase == Phase::Resolved { self.said.phase } else { self.holds.phase }
    }

    fn impact(&self) -> Impact {
        if self.is_over() { Impact::None } else { self.holds.impact }
    }
}

/// What holds last of what was said; `None` where all of it was taken back.
pub fn newest_word(statements: &[PublicStatement]) -> Option<Word<'_>> {
    words(statements).pop()
}

/// What was said and stands, the oldest first, each with what corrects it.
fn words(statements: &[PublicStatement]) -> Vec<Word<'_>> {
    let is_said = |one: &&PublicStatement| matches!(one.said, Said::Text(_)) && one.sort != Sort::Retraction;
    let mut said: Vec<_> = statements.iter().filter(is_said).collect();
    said.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
    let mended = |one: &PublicStatement| {
        let (key, _) = one.mends.as_ref().filter(|_| one.sort == Sort::Correction)?;
        said.iter().copied().find(|other| other.key == *key)
    };
    let mut words: Vec<Word<'_>> = Vec::with_capacity(said.len());
    for one in &said {
        // A correction may be corrected, too. One of what was taken back stands for itself.
        let first =
            std::iter::successors(Some(*one), |one| mended(one)).take(said.len()).last().unwrap_or(one);
        match words.iter_mut().find(|word| word.said.key == first.key) {
            Some(word) => word.holds = one,
            None => words.push(Word { said: first, holds: one }),
        }
    }
    words
}
