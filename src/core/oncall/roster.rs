//! What people said while the daemon runs about who is on call: somebody else instead, and who is away.
//!
//! The configuration says who takes turns; this says what is otherwise for a while. It is kept in the store and read in the
//! transaction that decides, so that every node wakes the same people.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::silence::{State, check_hours};

/// Longest that one override or one leave lasts: who needs more says so again.
pub const LASTS_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How far ahead one may end.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// Longest name of an author, in bytes.
pub const AUTHOR_BYTES_MAX: usize = 256;

/// Everything that was said, as far as it is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Who stands in. Of several that hold at an instant for the same rotation the newest counts.
    pub overrides: Vec<Override>,
    /// Who is away.
    pub leaves: Vec<Leave>,
    /// Turns by the name of the rotation, of those that follow a calendar.
    pub calendars: BTreeMap<String, Arc<Vec<Turn>>>,
}

/// Somebody stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// 22 characters, chosen by the writer.
    pub id: String,
    /// In which rotation.
    pub rotation: String,
    /// Who is on call.
    pub person: String,
    /// Instead of whom; `None`: of everybody who would be.
    pub instead_of: Option<String>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who said so.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// Who ended it early.
    pub ended_by: Option<String>,
}

/// Somebody is away: their turns are the next member's who is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// 22 characters, chosen by the writer.
    pub id: String,
    /// Who.
    pub person: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who said so.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// Who ended it early.
    pub ended_by: Option<String>,
}

/// A time that a calendar gives to somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub person: String,
}

impl Override {
    /// Whether it holds at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// Where it is in its life at an hour.
    pub fn state(&self, now: Timestamp) -> State {
        State::of(self.from, self.until, now)
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        if self.instead_of.as_ref() == Some(&self.person) {
            return Err(format!("{} cannot stand in for {}", self.person, self.person));
        }
        check("override", (self.from, self.until), &self.reason, &self.author, now)
    }
}

impl Leave {
    /// Whether the person is away at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// Where it is in its life at an hour.
    pub fn state(&self, now: Timestamp) -> State {
        State::of(self.from, self.until, now)
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        check("leave", (self.from, self.until), &self.reason, &self.author, now)
    }
}

fn check(
    what: &str,
    (from, until): (Timestamp, Timestamp),
    reason: &str,
    author: &str,
    now: Timestamp,
) -> Result<(), String> {
    check_hours(what, from, until, now)?;
    if until.duration_since(from) > LASTS_MAX {
        return Err(format!("one {what} lasts 90 days at most; make another for what comes after"));
    }
    if until.duration_since(now) > AHEAD_MAX {
        return Err(format!("the {what} ends more than a year from now"));
    }
    if reason.is_empty() {
        return Err(format!("say why: others read it who wonder about the {what}"));
    }
    if reason.len() > REASON_BYTES_MAX || author.len() > AUTHOR_BYTES_MAX {
        return Err(format!(
            "the reason has {REASON_BYTES_MAX} bytes at most, the name of its author {AUTHOR_BYTES_MAX}"
        ));
    }
    Ok(())
}

impl Roster {
    /// Nothing was said.
    pub const fn nothing() -> Self {
        Self { overrides: Vec::new(), leaves: Vec::new(), calendars: BTreeMap::new() }
    }

    /// What calendars say, and nothing else.
    #[must_use]
    pub fn only_calendars(&self) -> Self {
        Self { calendars: self.calendars.clone(), ..Self::nothing() }
    }

    /// The same with nobody away.
    #[must_use]
    pub fn without_leaves(&self) -> Self {
        Self { overrides: self.overrides.clone(), leaves: Vec::new(), calendars: self.calendars.clone() }
    }

    /// The same without what names people whom the house does not know any more, or whom no page reaches: who stood in and has
    /// left is nobody, and would leave the hour to nobody.
    #[must_use]
    pub fn of_people(mut self, can_be_paged: impl Fn(&str) -> bool) -> Self {
        self.overrides.retain(|one| can_be_paged(&one.person));
        self
    }

    /// Who is on call in a rotation where these people would be: overrides put others in their places, each in the order in
    /// which they were said, so that of several the newest counts.
    pub fn stand_in(&self, rotation: &str, people: &[String], at: Timestamp) -> Vec<String> {
        // Each place with everybody who had it until now, the last of them last.
        let mut places: Vec<Vec<&str>> = people.iter().map(|person| vec![person.as_str()]).collect();
        let mut said: Vec<&Override> = self.overrides.iter().filter(|one| one.rotation == rotation).collect();
        said.retain(|one| one.holds(at));
        said.sort_by_key(|one| (one.created_at, &one.id));
        for one in said {
            let Some(whose) = one.instead_of.as_deref() else {
                places = vec![vec![&one.person]];
                continue;
            };
            // Whose place it is now; else whose it was, before somebody else was put there.
            let now = places.iter_mut().position(|place| place.last() == Some(&whose));
            let place = now.or_else(|| places.iter().position(|place| place.contains(&whose)));
            if let Some(place) = place.and_then(|place| places.get_mut(place)) {
                place.push(&one.person);
            }
        }
        let mut found: Vec<String> = Vec::new();
        for person in places.iter().filter_map(|place| place.last()) {
            if !found.iter().any(|known| known == person) {
                found.push((*person).to_owned());
            }
        }
        found
    }

    /// The override by which somebody is on call in a rotation at an instant, if one says so.
    pub fn puts_in(&self, rotation: &str, person: &str, at: Timestamp) -> Option<&Override> {
        let own = self.overrides.iter().filter(|one| one.rotation == rotation && one.person == person);
        own.filter(|one| one.holds(at)).max_by_key(|one| (one.created_at, &one.id))
    }

    /// Whether somebody is away.
    pub fn is_away(&self, person: &str, at: Timestamp) -> bool {
        self.leaves.iter().any(|leave| leave.person == person && leave.holds(at))
    }

    /// The first instant after this one at which something that was said for a rotation or a person begins or ends.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let overrides = self.overrides.iter().flat_map(|one| [one.from, one.until]);
        let leaves = self.leaves.iter().flat_map(|one| [one.from, one.until]);
        overrides.chain(leaves).filter(|change| *change > after).min()
    }
}
