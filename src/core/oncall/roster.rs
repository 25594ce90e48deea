//! What people said while the daemon runs about who is on call: somebody else instead, and who is away.
//!
//! The configuration says who takes turns; this says what is otherwise for a while. It is kept in the store and read in the
//! transaction that decides, so that every node wakes the same people.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

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
}

impl Leave {
    /// Whether the person is away at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

impl Roster {
    /// Nothing was said.
    pub const fn nothing() -> Self {
        Self { overrides: Vec::new(), leaves: Vec::new(), calendars: BTreeMap::new() }
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
