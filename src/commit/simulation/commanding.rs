//! What people do about command, offices and the board, and what must hold of that.

use super::*;
use crate::core::board::{End, Put, Wanted};
use crate::core::command::{Call, Office, Turn};
use crate::core::decide::{Bid, Write};
use crate::core::incident::{CommandReason, Incident};

impl World {
    /// Something about command, and who does it: often who was asked, or who commands.
    pub(super) fn about_command(&mut self, incident: &Incident, term: u32) -> (Option<String>, Act) {
        let whom = self.dice.pick(PEOPLE).to_owned();
        let offered = incident.offices.offer.as_ref().map(|offer| offer.to.clone());
        let asked = incident.offices.posts.iter().find(|post| !post.accepted);
        let asked = asked.map(|post| (post.person.clone(), post.office));
        let office = Office::ALL[self.dice.index(Office::ALL.len())];
        let commander = incident.commander().map(|command| command.person.clone());
        match self.dice.below(16) {
            0..2 => (commander, Act::Command(Bid::Offer { to: whom, term, reason: "tired".into() })),
            2..5 => {
                let brief = self.dice.one_in(2).then_some(incident.moved);
                (offered, Act::Command(Bid::Accept { office: None, term: Some(term), brief }))
            }
            5 => (offered, Act::Command(Bid::Refuse { office: None, why: String::new() })),
            6 => (None, Act::Command(Bid::Assume { reason: String::new() })),
            7 => (commander, Act::Command(Bid::Assign { office, person: whom, term })),
            8 => {
                let (person, office) = asked.unwrap_or((whom, office));
                (Some(person), Act::Command(Bid::Accept { office: Some(office), term: None, brief: None }))
            }
            9 => (None, Act::EnRoute { eta: None }),
            10 => (commander, Act::Release { person: Some(whom), term: Some(term) }),
            11 => {
                let (what, place, undo) = ("restart".into(), String::new(), String::new());
                (None, Act::Board(Write::Action { what, place, undo }))
            }
            12 => {
                let number = incident.board.in_flight().next().map_or(1, |action| action.number);
                (None, Act::Board(Write::EndAction { number, how: End::Done, text: String::new() }))
            }
            13 => {
                let wanted = Wanted::Person(whom);
                (commander, Act::Board(Write::Request { wanted, why: "look".into() }))
            }
            14 => (commander, Act::Board(Write::Stop { why: "no backup".into() })),
            _ => (commander, Act::Board(Write::Lift { why: "there is one".into() })),
        }
    }
}

/// Tenures of one incident, entry by entry: they lie end to end, and nobody has one who did not take it themselves.
#[derive(Debug, Default)]
pub(super) struct Tenures {
    term: u32,
    has_it: Option<String>,
    on_scene: BTreeSet<String>,
    /// What was asked in this tenure that is asked once.
    asked: BTreeSet<&'static str>,
}

impl Tenures {
    pub(super) fn are_followed(&mut self, id: i64, entry: &crate::core::timeline::Entry) {
        let by = || entry.actor.person();
        let once = match &entry.fact {
            Fact::CommandTaken { .. } | Fact::Command(Turn::Transferred { .. }) => {
                self.asked.clear();
                None
            }
            Fact::Command(Turn::Unheard { .. }) => Some("who has not heard"),
            Fact::Board(Put::Called { call: call @ (Call::Relief | Call::ReliefLate | Call::Support) }) => {
                Some(call.as_str())
            }
            Fact::Board(Put::Requested { .. }) if entry.actor == Actor::Dispatch => {
                Some(Call::Support.as_str())
            }
            _ => None,
        };
        if let Some(once) = once {
            assert!(self.has_it.is_some(), "INC-{id}: nobody has it: {entry:?}");
            assert!(self.asked.insert(once), "INC-{id}: {once} a second time: {entry:?}");
        }
        match &entry.fact {
            Fact::CommandTaken { term, person, .. } => {
                assert_eq!(*term, self.term + 1, "INC-{id}: a term is left out");
                assert_eq!(self.has_it, None, "INC-{id}: {entry:?}, while somebody has it");
                assert_eq!(by(), Some(person.as_str()), "INC-{id}: {entry:?}");
                (self.term, self.has_it) = (*term, Some(person.clone()));
            }
            Fact::Command(Turn::Transferred { from, to, term, reason, .. }) => {
                assert_eq!(*term, self.term + 1, "INC-{id}: a term is left out");
                assert_eq!(self.has_it.as_ref(), Some(from), "INC-{id}: {entry:?}");
                assert_eq!(by(), Some(to.as_str()), "INC-{id}: {entry:?}");
                assert!(self.on_scene.contains(to), "INC-{id}: {to} is not on scene: {entry:?}");
                let is_known = matches!(
                    reason,
                    CommandReason::FirstOnScene
                        | CommandReason::Assumed
                        | CommandReason::Transferred
                        | CommandReason::Relieved
                );
                assert!(is_known, "INC-{id}: {entry:?}");
                (self.term, self.has_it) = (*term, Some(to.clone()));
            }
            Fact::CheckedIn { person } => {
                self.on_scene.insert(person.clone());
            }
            Fact::Released { person } | Fact::Resting { person } => {
                self.on_scene.remove(person);
            }
            // Recovery is evidence: what a human has taken, a human ends.
            Fact::Resolved { .. } | Fact::Merged { .. } => {
                assert!(self.has_it.is_none() || by().is_some(), "INC-{id}: {entry:?}");
                self.has_it = None;
            }
            _ => {}
        }
    }

    /// Whoever has it by the timeline has it by the incident.
    pub(super) fn end_as(&self, incident: &Incident) {
        let command = incident.commander();
        let has_it = if incident.is_open() { command.map(|command| &command.person) } else { None };
        assert_eq!(has_it, self.has_it.as_ref(), "INC-{}", incident.id);
        assert_eq!(incident.term, self.term, "INC-{}", incident.id);
    }
}
