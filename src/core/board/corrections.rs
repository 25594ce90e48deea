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

#[cfg(test)]
mod tests {
    use super::super::End;
    use super::*;
    use crate::core::brief::Brief;
    use crate::core::decide::{Act, Write};
    use crate::core::meeting::Meeting;
    use crate::core::stories_command::{Night, accept, action, offer, rules};

    fn board(write: Write) -> Act {
        Act::Board(write)
    }

    fn correct(night: &mut Night, entry: u32, text: &str) -> u32 {
        night.does("tom", board(Write::Correct { entry, text: text.into() }));
        night.incident.seq
    }

    fn beside(night: &Night, entry: u32) -> String {
        night.incident.board.corrections.beside(entry)
    }

    #[test]
    fn who_takes_over_reads_again_what_was_corrected_and_nobody_accepts_on_what_is_not_true() {
        let mut night = Night::manned(rules());
        night.does("maya", board(Write::SizeUp { text: "db1 is primary".into() }));
        let said = night.incident.seq;
        night.does("maya", offer("tom", 1));
        let read = night.incident.moved;
        assert_eq!(read, said);
        let first = correct(&mut night, said, "db2 is primary");
        assert_eq!(night.incident.moved, first, "the brief is another");
        let refused = night.ask("tom", accept(1, Some(read))).unwrap_err();
        assert!(
            refused.to_string().starts_with("the situation has moved since you read the brief"),
            "{refused}"
        );
        // A correction is corrected, and what it corrects moves with it.
        let second = correct(&mut night, first, "for an hour");
        assert_eq!(night.incident.moved, second);
        let third = correct(&mut night, said, "and db3 reads");
        assert_eq!(
            beside(&night, said),
            format!(
                " (corrected by entry {first}: db2 is primary; by entry {second}: for an hour; by entry {third}: and db3 reads)"
            )
        );
        assert_eq!(beside(&night, first), format!(" (corrected by entry {second}: for an hour)"));
        night.does("tom", accept(1, Some(third)));
    }

    #[test]
    fn what_does_not_move_the_situation_does_not_when_it_is_corrected_either() {
        let mut night = Night::manned(rules());
        let find = Write::Find { component: "vpn".into(), ok: true, text: String::new(), known_at: None };
        night.does("tom", board(find));
        let found = night.incident.seq;
        night.does("tom", Act::Note { text: "seen".into() });
        let noted = night.incident.seq;
        let before = night.incident.moved;
        let of_finding = correct(&mut night, found, "it is slow");
        correct(&mut night, noted, "not seen");
        assert_eq!(night.incident.moved, before);
        // What stands is shown with its correction; of a note the timeline has it.
        assert_eq!(beside(&night, found), format!(" (corrected by entry {of_finding}: it is slow)"));
        assert_eq!((beside(&night, noted), night.incident.board.corrections.kept.len()), (String::new(), 1));
    }

    #[test]
    fn whatever_moved_the_brief_stands_in_it() {
        let mut night = Night::manned(rules());
        night.does("maya", board(Write::SizeUp { text: "a".into() }));
        let old = night.incident.seq;
        night.does("maya", board(Write::SizeUp { text: "b".into() }));
        night.does("maya", action("stop it"));
        let begun = night.incident.seq;
        night.does("maya", board(Write::EndAction { number: 1, how: End::Done, text: String::new() }));
        let ended = night.incident.seq;
        night.does("maya", Act::Mitigate { term: 1, cause: Some("stopped".into()) });
        let mitigated = night.incident.moved;
        let all =
            [1, old, begun, ended, mitigated].map(|entry| (entry, correct(&mut night, entry, "not so")));
        for (entry, number) in all {
            assert_eq!(beside(&night, entry), format!(" (corrected by entry {number}: not so)"));
        }
        let brief = Brief::of(&night.incident, &Meeting::default(), &[]);
        let elsewhere =
            |made| brief.corrected_elsewhere(made).into_iter().map(|one| one.entry).collect::<Vec<_>>();
        // A size-up that does not stand any more, and what ended the harm, stand beside nothing.
        assert_eq!(elsewhere(1), [old, mitigated]);
        assert_eq!(elsewhere(0), [old, begun, ended, mitigated], "nor does a change that is not shown");
        assert_eq!(brief.number, all[4].1);
    }

    #[test]
    fn of_very_many_entries_the_oldest_are_not_known_any_more_and_move_it_in_doubt() {
        let mut night = Night::manned(rules());
        night.does("tom", Act::Note { text: "seen".into() });
        let noted = night.incident.seq;
        assert!(!night.incident.board.corrections.move_with(noted));
        for round in 0..LIST_MAX + 2 {
            night.does("maya", board(Write::Plan { text: round.to_string(), term: 1 }));
        }
        let corrections = &night.incident.board.corrections;
        assert_eq!(corrections.moving.len(), LIST_MAX);
        assert!(
            corrections.move_with(noted)
                && corrections.move_with(1)
                && !corrections.move_with(night.incident.seq + 1)
        );
        let last = night.incident.seq;
        for _ in 0..LIST_MAX + 2 {
            correct(&mut night, last, "no");
        }
        assert_eq!(night.incident.board.corrections.kept.len(), LIST_MAX, "the newest are kept");
    }
}
