//! Who is on call is written down, inside the transaction: see `core/oncall/past.rs`.

use std::collections::BTreeSet;

use super::acts::Work;
use crate::core::oncall::past;
use crate::store::{StoreError, load, roster};

impl Work<'_, '_> {
    /// Writes down who is on call, when that is not what stands there; whether it was not. Of nodes that ask for it at the same
    /// moment only the first finds something to do.
    pub(super) fn note_duty(&mut self) -> Result<bool, StoreError> {
        let now = self.tx.now;
        let rotations = &self.house.rules.rotations;
        let mut open = load::open(self.tx)?;
        // Also what has ended since it was looked at last.
        let seen = open.iter().map(|row| row.until).min().unwrap_or(now);
        let roster = roster::said(self.tx, &self.house.rules, seen)?;
        if !past::is_due(rotations, &roster, &open, now) {
            return Ok(false);
        }
        if open.iter().any(|row| row.until.duration_since(now) > past::AHEAD_MAX) {
            load::put_right(self.tx)?;
            open = load::open(self.tx)?;
        }
        let names: BTreeSet<&str> = rotations
            .keys()
            .map(String::as_str)
            .chain(open.iter().map(|row| row.rotation.as_str()))
            .collect();
        for name in names {
            let own: Vec<past::Kept> = open.iter().filter(|row| row.rotation == name).cloned().collect();
            for row in past::note(name, rotations.get(name), &roster, &own, now) {
                load::put(self.tx, &row)?;
            }
        }
        Ok(true)
    }
}
