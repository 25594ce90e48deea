//! Who is on call when: rotations of layers, and what was said since.
//!
//! A layer is people taking turns by the clock on the wall (`layer`), in the hours in which it is open (`hours`). Of several
//! layers a later one stands above an earlier one, and takes its place where it is open. So a team that follows the sun is
//! three layers with hours of their own, and a night that is handled otherwise is a layer above the week. What was said while
//! the daemon runs (`roster`) comes last: who stands in, and who is away.
//!
//! Before its first hand-over the lowest layer belongs to its first turn, so there is never nobody because of a date in the
//! future; a layer above it begins with its first hand-over, so a new order can be written down before it holds.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub mod ahead;
mod calendar;
mod hours;
mod layer;
pub mod past;
pub mod roster;
mod said;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_naive;
#[cfg(test)]
mod stories_said;
mod told;

pub use calendar::{Said, Stint, normal};
pub use hours::Hours;
pub use layer::Layer;
pub use roster::{Leave, Override, Roster, Turn};

/// So many changes of what was said or of hours that change nothing about who is on call are looked beyond.
const LOOKED_BEYOND_MAX: usize = 400;
/// So many turns are looked at for the shifts of one question: 40 years of shifts of an hour.
const TURNS_MAX: usize = 350_640;

/// Who answers for something, at any hour.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The zone in which people speak of it.
    pub time_zone: TimeZone,
    /// Whose turn it is.
    pub turns: Turns,
    /// Who is told of its pages and never answers for it.
    pub shadows: Vec<String>,
}

/// Whose turn it is in a rotation.
#[derive(Clone, Debug)]
pub enum Turns {
    /// By layers, of which a later one stands above an earlier one.
    Layers(Vec<Layer>),
    /// As a calendar says, which is read while the daemon runs: [`Roster::calendars`].
    Calendar,
}

/// Who is on call in a rotation at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// Who is woken; several when they share a turn; nobody in a gap.
    pub people: Vec<String>,
    /// Who is told and never has to answer; nobody in a gap.
    pub shadows: Vec<String>,
    /// The next instant at which this can change: a hand-over, hours that begin or end, or what was said.
    pub until: Timestamp,
}

/// A time for which the same people are on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who, together; nobody in a gap.
    pub people: Vec<String>,
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub until: Timestamp,
}

/// What is so at an instant. While it stays equal nothing has changed that anybody would see.
#[derive(PartialEq, Eq)]
struct State {
    seat: Seat,
    people: Vec<String>,
    shadows: Vec<String>,
}

/// By what somebody is on call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// A gap.
    Nobody,
    /// Somebody stands in for everybody.
    Said,
    /// A turn of a layer, by their numbers from 0.
    Turn(usize, i64),
    /// A calendar.
    Calendar,
}

impl Rotation {
    /// Who is on call at an instant, with what was said since. `name`: the rotation's own.
    pub fn duty(&self, name: &str, roster: &Roster, at: Timestamp) -> Duty {
        let state = self.state(name, roster, at);
        let mut until = self.next_event(name, roster, at, state.seat);
        for _ in 0..LOOKED_BEYOND_MAX {
            if until == Timestamp::MAX {
                break;
            }
            let then = self.state(name, roster, until);
            if then != state {
                break;
            }
            until = self.next_event(name, roster, until, then.seat);
        }
        Duty { people: state.people, shadows: state.shadows, until }
    }

    /// Who is on call at an instant, without asking until when.
    pub fn people_at(&self, name: &str, roster: &Roster, at: Timestamp) -> Vec<String> {
        self.state(name, roster, at).people
    }

    /// Who is on call from one instant to another, in spans that follow one another without a hole: a gap is one without
    /// people, and neighbours have different people. At most `max` of them.
    pub fn shifts(
        &self,
        name: &str,
        roster: &Roster,
        from: Timestamp,
        until: Timestamp,
        max: usize,
    ) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = Vec::new();
        let mut at = from;
        for _ in 0..TURNS_MAX {
            if at >= until {
                break;
            }
            let state = self.state(name, roster, at);
            let next = self.next_event(name, roster, at, state.seat).min(until);
            let count = shifts.len();
            match shifts.last_mut() {
                Some(last) if last.people == state.people => last.until = next,
                _ if count >= max => break,
                _ => shifts.push(Shift { people: state.people, from: at, until: next }),
            }
            at = next;
        }
        shifts
    }

    /// Everybody who takes turns as the configuration says; nobody for a calendar.
    pub fn everybody(&self) -> BTreeSet<&str> {
        let Turns::Layers(layers) = &self.turns else { return BTreeSet::new() };
        layers.iter().flat_map(|layer| &layer.members).flatten().map(String::as_str).collect()
    }

    /// Everybody who takes turns, each once: in the order of the layers, or whom its calendar names as far as it was read.
    pub fn takes_part<'a>(&'a self, name: &str, roster: &'a Roster) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        let mut add = |person: &'a String| {
            if !found.contains(&person.as_str()) {
                found.push(person);
            }
        };
        match &self.turns {
            Turns::Layers(layers) => {
                layers.iter().flat_map(|layer| &layer.members).flatten().for_each(&mut add);
            }
            Turns::Calendar => {
                let turns = roster.calendars.get(name).map(|turns| turns.as_slice()).unwrap_or_default();
                turns.iter().map(|turn| &turn.person).for_each(&mut add);
            }
        }
        found
    }

    fn state(&self, name: &str, roster: &Roster, at: Timestamp) -> State {
        let said = roster.holding(name, at);
        let (seat, people) = self.seat(name, roster, &said, at);
        let mut shadows: Vec<String> = Vec::new();
        for shadow in self.shadows.iter().filter(|_| !people.is_empty()) {
            if !people.contains(shadow) && !shadows.contains(shadow) && !roster.is_away(shadow, at) {
                shadows.push(shadow.clone());
            }
        }
        State { seat, people, shadows }
    }

    fn seat(&self, name: &str, roster: &Roster, said: &[&Override], at: Timestamp) -> (Seat, Vec<String>) {
        let standing = |turn: &[String]| roster.standing(turn, said, at);
        if said.iter().any(|one| one.instead_of.is_none()) {
            return (Seat::Said, standing(&[]));
        }
        let layers = match &self.turns {
            Turns::Layers(layers) => layers,
            Turns::Calendar => {
                let people = standing(&roster.of_calendar(name, at));
                return (if people.is_empty() { Seat::Nobody } else { Seat::Calendar }, people);
            }
        };
        for (index, layer) in layers.iter().enumerate().rev() {
            let Some(turn) = layer.turn(at).or((index == 0).then_some(0)) else { continue };
            if !layer.hours.open_at(&layer.time_zone, at) {
                continue;
            }
            // Whoever is away is followed by the next turn of which somebody is there.
            let count = i64::try_from(layer.members.len()).unwrap_or(i64::MAX);
            for next in 0..count {
                let people = standing(layer.people(turn.saturating_add(next)));
                if !people.is_empty() {
                    return (Seat::Turn(index, turn), people);
                }
            }
        }
        (Seat::Nobody, Vec::new())
    }

    /// The first instant after this one at which what is so now may be over: it need not be.
    fn next_event(&self, name: &str, roster: &Roster, after: Timestamp, seat: Seat) -> Timestamp {
        let mut next = roster.next_change_of(name, after, |person| self.may_mean(person));
        let mut at = |event: Timestamp| {
            if event > after {
                next = next.min(event);
            }
        };
        match (&self.turns, seat) {
            // Who stands in for everybody hides all below.
            (_, Seat::Said) => {}
            (Turns::Calendar, _) => {
                let turns = roster.calendars.get(name).map(|turns| turns.as_slice()).unwrap_or_default();
                turns.iter().flat_map(|turn| [turn.from, turn.until]).for_each(at);
            }
            (Turns::Layers(layers), _) => {
                for (index, layer) in layers.iter().enumerate().rev() {
                    let turn = layer.turn(after);
                    if index > 0 && turn.is_none() {
                        at(layer.ends(-1));
                        continue;
                    }
                    if let Some(change) = layer.hours.next_change(&layer.time_zone, after) {
                        at(change);
                    }
                    if matches!(seat, Seat::Turn(on_call, _) if on_call == index) {
                        at(layer.ends(turn.unwrap_or(0)));
                        // What lies below is not seen.
                        break;
                    }
                }
            }
        }
        next
    }

    /// Whether the leave of somebody can change who is on call or told.
    fn may_mean(&self, person: &str) -> bool {
        let Turns::Layers(layers) = &self.turns else { return true };
        let mut members = layers.iter().flat_map(|layer| &layer.members).flatten();
        self.shadows.iter().any(|shadow| shadow == person) || members.any(|member| member == person)
    }
}
