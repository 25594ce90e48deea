//! What is known of the addresses of people: tests of them, and what became of each.

use super::acts::Work;
use crate::core::mail::Letter;
use crate::store::StoreError;
use crate::store::letters::Claim;

impl Work<'_, '_> {
    /// A letter of a test has its outcome.
    pub(super) fn tested(&mut self, claim: &Claim, outcome: &str, why: &str) -> Result<(), StoreError> {
        let _ = (claim, outcome, why);
        Ok(())
    }

    /// A letter of a test came back.
    pub(super) fn test_came_back(&mut self, letter: &Letter, why: &str) -> Result<(), StoreError> {
        let _ = (letter, why);
        Ok(())
    }
}
