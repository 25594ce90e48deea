//! What was said while the daemon runs, put to the turns of a rotation: who stands in for whom, and who is away.
//!
//! What is said later counts. `instead_of` names whoever would be on call: who has a place in the turn, also one that was said
//! to be somebody else's since, so that of two who stand in for the same person the later one does. Who stands in counts also
//! while they are said to be away: they said so themselves.

use jiff::Timestamp;

use super::roster::{Override, Roster, Turn};

impl Roster {
    /// The first instant after this one at which something that was said for a rotation, or for a person who matters to it,
    /// begins or ends; the last instant there is, when nothing does.
    pub(super) fn next_change_of(
        &self,
        rotation: &str,
        after: Timestamp,
        matters: impl Fn(&str) -> bool,
    ) -> Timestamp {
        let overrides = self.overrides.iter().filter(|one| one.rotation == rotation);
        let overrides = overrides.flat_map(|one| [one.from, one.until]);
        let leaves = self.leaves.iter().flat_map(|one| [(one.from, one), (one.until, one)]);
        // Most of them are over or far: asking whom they are about comes last.
        let leaves = leaves.filter(|(change, one)| *change > after && matters(&one.person));
        let changes = overrides.filter(|change| *change > after).chain(leaves.map(|(change, _)| change));
        changes.min().unwrap_or(Timestamp::MAX)
    }

    /// What holds for a rotation at an instant, in the order in which it was said.
    pub(super) fn holding(&self, rotation: &str, at: Timestamp) -> Vec<&Override> {
        let mut holding: Vec<&Override> =
            self.overrides.iter().filter(|one| one.rotation == rotation && one.holds(at)).collect();
        holding.sort_by(|one, two| (one.created_at, &one.id).cmp(&(two.created_at, &two.id)));
        holding
    }

    /// Whose turn it is by the calendar of a rotation: each once, in the order in which their turns began.
    pub(super) fn of_calendar(&self, rotation: &str, at: Timestamp) -> Vec<String> {
        let turns = self.calendars.get(rotation).map(|turns| turns.as_slice()).unwrap_or_default();
        let mut covering: Vec<&Turn> = turns.iter().filter(|one| one.from <= at && at < one.until).collect();
        covering.sort();
        let mut people: Vec<String> = Vec::new();
        for turn in covering {
            if !people.contains(&turn.person) {
                people.push(turn.person.clone());
            }
        }
        people
    }

    /// Who is there of a turn, by what was said of it in this order: what is said later counts. Who is away is not there, unless
    /// somebody said that they stand in: then they said so.
    pub(super) fn standing(&self, turn: &[String], said: &[&Override], at: Timestamp) -> Vec<String> {
        let mut places: Vec<Stand<'_>> =
            turn.iter().map(|person| Stand { names: vec![person], is_said: false }).collect();
        for one in said {
            match &one.instead_of {
                None => places = vec![Stand { names: vec![&one.person], is_said: true }],
                Some(who) => {
                    for place in &mut places {
                        place.give(who, &one.person);
                    }
                }
            }
        }
        let mut people: Vec<String> = Vec::new();
        for place in &places {
            let Some(person) = place.names.last() else { continue };
            let is_there = place.is_said || !self.is_away(person, at);
            if is_there && !people.iter().any(|other| other == person) {
                people.push((*person).to_owned());
            }
        }
        people
    }
}

/// One place of a turn: whose it was said to be, the last of whom has it.
struct Stand<'a> {
    names: Vec<&'a str>,
    is_said: bool,
}

impl<'a> Stand<'a> {
    /// Somebody stands in for who has this place, or had it: of two who stand in for the same person the later one counts.
    fn give(&mut self, instead_of: &str, person: &'a str) {
        if !self.names.contains(&instead_of) {
            return;
        }
        // Who takes their own place back has not given it away.
        if let Some(before) = self.names.iter().position(|name| *name == person) {
            self.names.truncate(before);
        }
        self.names.push(person);
        self.is_said = true;
    }
}
