//! What is said of who is on call, inside the transaction.
//!
//! Pages that are out stay what they are: whoever was woken was woken. The next step of an incident asks anew who is on call,
//! and finds what was said. Nobody stands in while they are away, whichever was said first: people end the one before they say
//! the other, and nobody has to know which counts. Whom it concerns that somebody stands in is told by mail, in the same
//! transaction. Everything here is checked by the writers' turn, so that two nodes cannot say too much together.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use super::outbox::To;
use super::{DoorError, Reply};
use crate::config::nearest;
use crate::core::oncall::{Leave, Override, Roster};
use crate::core::silence::State;
use crate::render::Turned;
use crate::store::letters::Kind;
use crate::store::{StoreError, roster};

/// Something that is said of who is on call.
#[derive(Clone, Debug)]
pub enum Change {
    /// Somebody stands in; of a swap, two do for each other. All of it or nothing.
    StandIn(Vec<Override>),
    /// Somebody is away.
    Away(Leave),
    /// An override ends now.
    EndOverride {
        /// Its id.
        id: String,
        /// What people call who ends it.
        who: String,
    },
    /// A leave ends now.
    EndLeave {
        /// Its id.
        id: String,
        /// What people call who ends it.
        who: String,
    },
}

impl Work<'_, '_> {
    /// Says something else of who is on call.
    pub(super) fn change_roster(&mut self, change: &Change) -> Result<Result<Reply, DoorError>, StoreError> {
        let done = match change {
            Change::StandIn(overrides) => self.stand_in(overrides)?,
            Change::Away(leave) => self.away(leave)?,
            Change::EndOverride { id, who } => self.end_override(id, who)?,
            Change::EndLeave { id, who } => self.end_leave(id, who)?,
        };
        if done.is_ok() {
            roster::forget_ended(self.tx)?;
            self.memory.forget_roster();
        }
        Ok(done.map(|()| Reply::Done))
    }

    fn stand_in(&mut self, wanted: &[Override]) -> Result<Result<(), DoorError>, StoreError> {
        let now = self.tx.now;
        // Also what names people who left the house: it is counted, and may be the newest.
        let said = roster::open(self.tx)?;
        let mut hour = newest(&said, now);
        let mut overrides = Vec::with_capacity(wanted.len());
        for one in wanted {
            let one = Override { from: one.from.max(now), created_at: hour, ended_by: None, ..one.clone() };
            hour = next(hour);
            overrides.push(one);
        }
        // With what calendars say: whose turn it is may stand there alone.
        let known = self.memory.roster(self.tx)?;
        if let Err(error) = overrides.iter().try_for_each(|one| self.checks(one, &said, &known)) {
            return Ok(Err(error));
        }
        if said.overrides.len() + overrides.len() > at_most() {
            return Ok(Err(DoorError::TooManyTurns("override", said.overrides.len())));
        }
        overrides.iter().try_for_each(|one| roster::put_override(self.tx, one))?;
        let mut with = Roster::clone(&known);
        with.overrides.extend(overrides.iter().cloned());
        self.tell_of_turns(&overrides, (&known, &with), None).map(Ok)
    }

    /// Tells by mail whom it concerns that somebody stands in, or does not any more: each once, whatever of it concerns them, but
    /// for who said so. `without` and `with`: everything that is said, without these overrides and with them.
    fn tell_of_turns(
        &mut self,
        overrides: &[Override],
        (without, with): (&Roster, &Roster),
        ended_by: Option<&str>,
    ) -> Result<(), StoreError> {
        let house = self.house;
        let (rules, now) = (&house.rules, self.tx.now);
        let mut told: BTreeMap<String, Vec<&Override>> = BTreeMap::new();
        for one in overrides.iter().filter(|one| one.until > now) {
            let rotation = rules.rotations.get(&one.rotation);
            let hours = (one.from.max(now), one.until);
            let mut people =
                rotation.map(|rotation| rotation.concerned(one, without, with, hours)).unwrap_or_default();
            people.insert(one.person.clone());
            for person in people {
                told.entry(person).or_default().push(one);
            }
        }
        let said_by = |one: &&Override| ended_by.unwrap_or(&one.author).to_owned();
        told.retain(|person, about| about.first().map(said_by).as_ref() != Some(person));
        for (person, mut overrides) in told {
            let address = rules.people.get(&person).map_or("", |known| known.email.as_str());
            if address.is_empty() {
                continue;
            }
            overrides.sort_by_key(|one| one.from);
            let turned = Turned { person: &person, overrides: &overrides, ended_by };
            let words = house.renderer.turned_words(&turned, rules);
            let to = To { person: &person, channel: "", address };
            self.write(0, Kind::Notice, &to, &words, (None, SignedDuration::ZERO))?;
        }
        Ok(())
    }

    fn checks(&self, one: &Override, said: &Roster, known: &Roster) -> Result<(), DoorError> {
        one.check(self.tx.now).map_err(DoorError::BadTurn)?;
        let rules = &self.house.rules;
        let Some(rotation) = rules.rotations.get(&one.rotation) else {
            let near = nearest(&one.rotation, rules.rotations.keys().map(String::as_str));
            return Err(DoorError::Unknown(format!("there is no rotation {}{near}", one.rotation)));
        };
        self.knows(&one.person)?;
        if !rules.can_be_paged(&one.person) {
            let is_viewer = rules.people.get(&one.person).is_some_and(|known| known.viewer);
            let why = match is_viewer {
                true => "is a viewer, who can take nothing when a page wakes them",
                false => "has no `email` in the configuration, so no page would reach them",
            };
            return Err(DoorError::BadTurn(format!("{} {why}", one.person)));
        }
        let mut leaves = said.leaves.iter();
        if let Some(leave) = leaves
            .find(|leave| leave.person == one.person && leave.from < one.until && one.from < leave.until)
        {
            return Err(DoorError::BadTurn(format!(
                "{} is away from {:.0} until {:.0}, and can stand in for nobody then; end leave {} first",
                one.person, leave.from, leave.until, leave.id
            )));
        }
        let Some(whose) = &one.instead_of else { return Ok(()) };
        self.knows(whose)?;
        let watches = rotation.watches(&one.rotation, known, one.from, one.until);
        if watches.iter().any(|watch| watch.people.contains(whose)) {
            return Ok(());
        }
        Err(DoorError::BadTurn(format!(
            "{whose} is not on call in {} from {:.0} until {:.0}, so nobody can stand in for them then",
            one.rotation, one.from, one.until
        )))
    }

    fn knows(&self, person: &str) -> Result<(), DoorError> {
        let people = &self.house.rules.people;
        if people.contains_key(person) {
            return Ok(());
        }
        let near = nearest(person, people.keys().map(String::as_str));
        Err(DoorError::Unknown(format!("there is no person {person}{near}")))
    }

    fn away(&mut self, wanted: &Leave) -> Result<Result<(), DoorError>, StoreError> {
        let now = self.tx.now;
        let said = roster::open(self.tx)?;
        let leave = Leave {
            from: wanted.from.max(now),
            created_at: newest(&said, now),
            ended_by: None,
            ..wanted.clone()
        };
        let checked = leave.check(now).map_err(DoorError::BadTurn).and_then(|()| self.knows(&leave.person));
        if let Err(error) = checked {
            return Ok(Err(error));
        }
        let mut overrides = said.overrides.iter();
        let stands_in =
            |one: &&Override| one.person == leave.person && one.from < leave.until && leave.from < one.until;
        if let Some(one) = overrides.find(stands_in) {
            return Ok(Err(DoorError::BadTurn(format!(
                "{} stands in in {} from {:.0} until {:.0}; end override {} first, or put somebody else in",
                one.person, one.rotation, one.from, one.until, one.id
            ))));
        }
        if said.leaves.len() >= at_most() {
            return Ok(Err(DoorError::TooManyTurns("leave", said.leaves.len())));
        }
        roster::put_leave(self.tx, &leave).map(Ok)
    }

    fn end_override(&mut self, id: &str, who: &str) -> Result<Result<(), DoorError>, StoreError> {
        let Some(one) = roster::override_of(self.tx, id)? else {
            return Ok(Err(DoorError::NoTurn("override", id.to_owned())));
        };
        let now = self.tx.now;
        if one.state(now) == State::Expired {
            return Ok(Ok(()));
        }
        let with = self.memory.roster(self.tx)?;
        let mut without = Roster::clone(&with);
        without.overrides.retain(|other| other.id != one.id);
        self.tell_of_turns(std::slice::from_ref(&one), (&without, &with), Some(who))?;
        // One that has not begun never holds.
        let ended = Override { from: one.from.min(now), until: now, ended_by: Some(who.to_owned()), ..one };
        roster::put_override(self.tx, &ended).map(Ok)
    }

    fn end_leave(&mut self, id: &str, who: &str) -> Result<Result<(), DoorError>, StoreError> {
        let Some(one) = roster::leave_of(self.tx, id)? else {
            return Ok(Err(DoorError::NoTurn("leave", id.to_owned())));
        };
        let now = self.tx.now;
        if one.state(now) == State::Expired {
            return Ok(Ok(()));
        }
        let ended = Leave { from: one.from.min(now), until: now, ended_by: Some(who.to_owned()), ..one };
        roster::put_leave(self.tx, &ended).map(Ok)
    }
}

fn at_most() -> usize {
    usize::try_from(roster::OPEN_MAX).unwrap_or(usize::MAX)
}

/// The hour of what is said now. It is newer than all that was said, also by a clock that was ahead, and within a transaction.
fn newest(said: &Roster, now: Timestamp) -> Timestamp {
    let overrides = said.overrides.iter().map(|one| one.created_at);
    let before = overrides.chain(said.leaves.iter().map(|one| one.created_at)).max();
    before.map_or(now, |before| next(before).max(now))
}

fn next(hour: Timestamp) -> Timestamp {
    hour.saturating_add(SignedDuration::from_micros(1)).unwrap_or(hour)
}
