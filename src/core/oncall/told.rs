//! Whom it concerns that somebody stands in, or does not any more.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Override, Roster, Rotation};

impl Rotation {
    /// Everybody whom an override concerns from one hour to another, beside who stands in: whom it names, and who is on call at
    /// any instant without it and is not with it.
    pub fn concerned(
        &self,
        one: &Override,
        without: &Roster,
        with: &Roster,
        (from, until): (Timestamp, Timestamp),
    ) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = one.instead_of.iter().cloned().collect();
        let with = self.watches(&one.rotation, with, from, until);
        for usual in self.watches(&one.rotation, without, from, until) {
            let meanwhile = with.iter().filter(|watch| watch.from < usual.until && usual.from < watch.until);
            for watch in meanwhile {
                found.extend(usual.people.iter().filter(|person| !watch.people.contains(person)).cloned());
            }
        }
        found.remove(&one.person);
        found
    }
}
