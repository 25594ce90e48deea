//! What was said later of entries: a correction is an entry of its own, and what it corrects stays as it was written. Whoever
//! shows the one shows the other beside it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Board, LIST_MAX};

/// What was said later of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Number of its own entry.
    pub number: u32,
    /// Number of the entry that it corrects.
    pub entry: u32,
    /// What is right.
    pub text: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What was corrected of all that stands on a board, or that who takes over has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corrections {
    /// Corrections, in order: the newest [`LIST_MAX`].
    pub kept: Vec<Correction>,
    /// Numbers of entries behind the first that have moved the situation, in order: the newest [`LIST_MAX`].
    pub moving: Vec<u32>,
}

impl Corrections {
    /// Whether the situation moves when this entry is corrected, because it has moved with it. Of old ones that is not known
    /// any more where there were many: who takes over reads once too often then, and not once too seldom.
    pub fn move_with(&self, entry: u32) -> bool {
        let forgotten =
            self.moving.len() >= LIST_MAX && self.moving.first().is_some_and(|first| entry < *first);
        entry == 1 || forgotten || self.moving.contains(&entry)
    }

    /// The situation has moved with an entry.
    pub(in crate::core) fn moved_with(&mut self, entry: u32) {
        self.moving.push(entry);
        let over = self.moving.len().saturating_sub(LIST_MAX);
        self.moving.drain(..over);
    }

    /// What was said of an entry later, and of that, in order.
    pub fn of(&self, entry: u32) -> Vec<&Correction> {
        let mut known = BTreeSet::from([entry]);
        self.kept.iter().filter(|one| known.contains(&one.entry) && known.insert(one.number)).collect()
    }

    /// What was said of an entry later, as it is put behind its words: see [`beside`].
    pub fn beside(&self, entry: u32) -> String {
        beside(self.of(entry).into_iter().map(|one| (one.number, one.text.as_str())))
    }
}

/// What is put behind words that were corrected: ` (corrected by entry 25: db2 is primary)`. `all`: numbers of the entries that
/// correct them, and what those say.
pub fn beside<'a>(all: impl Iterator<Item = (u32, &'a str)>) -> String {
    let all: Vec<String> = all.map(|(number, text)| format!("by entry {number}: {text}")).collect();
    if all.is_empty() { String::new() } else { format!(" (corrected {})", all.join("; ")) }
}

impl Board {
    /// Keeps a correction of what stands here, or of what who takes over has to know; of anything else the timeline has it.
    pub(super) fn correct(&mut self, correction: Correction) {
        let (entry, kept) = (correction.entry, &mut self.corrections.kept);
        let again = kept.iter().any(|one| one.number == entry);
        if !again && !self.corrections.move_with(entry) && !self.stands(entry) {
            return;
        }
        let kept = &mut self.corrections.kept;
        kept.push(correction);
        let over = kept.len().saturating_sub(LIST_MAX);
        kept.drain(..over);
    }

    /// Whether something that an entry has put here is still here.
    fn stands(&self, entry: u32) -> bool {
        let said = [&self.size_up, &self.objective, &self.plan, &self.stop, &self.meeting];
        let said = said.into_iter().flatten().map(|one| one.entry);
        let report = self.report.iter().map(|one| one.entry);
        let tasks = self.tasks.iter().map(|one| one.entry);
        let actions = self.actions.iter().flat_map(|one| [one.entry, one.end_entry]);
        let requests = self.requests.iter().map(|one| one.entry);
        let contacts = self.contacts.iter().map(|one| one.entry);
        let findings = self.findings.iter().map(|one| one.entry);
        let mut all =
            said.chain(report).chain(tasks).chain(actions).chain(requests).chain(contacts).chain(findings);
        all.any(|one| one == entry)
    }

    /// As a version kept it that knew neither numbers of entries nor corrections.
    #[cfg(test)]
    pub(in crate::core) fn without_entries(mut self) -> Self {
        let said =
            [&mut self.size_up, &mut self.objective, &mut self.plan, &mut self.stop, &mut self.meeting];
        said.into_iter().flatten().for_each(|one| one.entry = 0);
        self.report.iter_mut().for_each(|one| one.entry = 0);
        self.tasks.iter_mut().for_each(|one| one.entry = 0);
        self.actions.iter_mut().for_each(|one| (one.entry, one.end_entry) = (0, 0));
        self.requests.iter_mut().for_each(|one| one.entry = 0);
        self.contacts.iter_mut().for_each(|one| one.entry = 0);
        self.findings.iter_mut().for_each(|one| one.entry = 0);
        self.corrections = Corrections::default();
        self
    }
}
