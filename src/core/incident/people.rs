//! Who is on an incident, and what they do.

use jiff::Timestamp;

use super::super::timeline::Joined;
use super::{Incident, Phase, REMINDERS_APART_MIN, Responder, ResponderStatus};

impl Incident {
    /// Somebody was on an incident that became part of this one.
    pub(super) fn comes_along(&mut self, joined: &Joined, at: Timestamp) {
        let Joined { person, status, pages, pages_before, watching } = joined.clone();
        match self.responders.iter_mut().find(|known| known.person == person) {
            // What they heard there, they have heard.
            Some(known) if pages > pages_before => {
                known.watching = watching && (known.watching || !known.has_heard());
                known.pages_before = known.pages_before.min(known.pages.saturating_sub(1));
            }
            Some(_) => {}
            None => {
                let mut known = Self::comes(&person, status, at);
                (known.pages, known.pages_before, known.watching) = (pages, pages_before, watching);
                self.responders.push(known);
            }
        }
    }

    pub(super) fn paged(&mut self, person: &str, watching: bool, at: Timestamp) {
        if let Some(known) = self.responders.iter_mut().find(|known| known.person == person) {
            // Of a page before it was over last they know nothing now.
            known.watching = watching && (known.watching || !known.has_heard());
            known.pages += 1;
            if matches!(
                known.status,
                ResponderStatus::Unreachable | ResponderStatus::Declined | ResponderStatus::Released
            ) {
                known.status = ResponderStatus::Paged;
                known.since = at;
            }
        } else {
            let status = ResponderStatus::Paged;
            let mut known = Self::comes(person, status, at);
            (known.pages, known.watching) = (1, watching);
            self.responders.push(known);
        }
    }

    pub(super) fn comes(person: &str, status: ResponderStatus, since: Timestamp) -> Responder {
        let person = person.to_owned();
        Responder { person, status, since, pages: 0, pages_before: 0, watching: false, eta: None }
    }

    pub(super) fn responds(&mut self, person: &str, status: ResponderStatus, at: Timestamp) {
        // While who has command is looked for, it counts who else was heard of since.
        let looks = match &self.phase {
            Phase::Acknowledged { command, sign: Some(sign), .. } => {
                sign.asked > 0 && command.person != person
            }
            _ => false,
        };
        match self.responders.iter_mut().find(|known| known.person == person) {
            Some(known) if known.status == status && !looks => {}
            Some(known) => {
                known.status = status;
                known.since = at;
                known.eta = None;
            }
            None => self.responders.push(Self::comes(person, status, at)),
        }
    }

    pub(super) fn drop_out(&mut self, person: &str, status: ResponderStatus, at: Timestamp) {
        self.responds(person, status, at);
        if let Phase::Triggered { escalation: Some(escalation), held_until, .. } = &mut self.phase {
            escalation.awaiting.retain(|waiting| waiting != person);
            if escalation.awaiting.is_empty() {
                // Nobody is left who has heard: nothing is put off, and nobody is reminded.
                *held_until = None;
                escalation.reminders.clear();
            }
        }
    }

    /// Somebody is at a keyboard.
    pub(super) fn arrives(&mut self, person: &str, at: Timestamp) {
        let was_there = self.is_on_scene(person);
        let status =
            if self.board.has_task(person) { ResponderStatus::Assigned } else { ResponderStatus::OnScene };
        self.responds(person, status, at);
        let sized_up = self.board.size_up.is_some();
        if let Phase::Acknowledged { command, calls: Some(calls), .. } = &mut self.phase
            && command.person == person
            && !was_there
        {
            calls.arrived(at, sized_up);
        }
    }

    /// It was over, and whoever was on it has gone since.
    pub(super) fn everybody_has_left(&mut self) {
        for known in self.responders.iter_mut().filter(|known| known.status.has_answered()) {
            // What they said last they said before: the hour of that stays.
            (known.status, known.eta) = (ResponderStatus::Released, None);
        }
    }

    /// Somebody who is on scene has something to do from now on, or no more.
    pub(super) fn has_to_do(&mut self, person: &str, at: Timestamp) {
        let has = self.board.has_task(person);
        let known = self.responders.iter_mut().find(|known| known.person == person);
        let Some(known) = known else { return };
        let status = match (known.status, has) {
            (ResponderStatus::OnScene | ResponderStatus::Resting, true) => ResponderStatus::Assigned,
            (ResponderStatus::Assigned, false) => ResponderStatus::OnScene,
            _ => return,
        };
        (known.status, known.since) = (status, at);
    }

    /// Who commands gave no sign of life up to now.
    pub(super) fn looked_in_vain(&mut self, next: Option<Timestamp>) {
        if let (Phase::Acknowledged { sign: Some(sign), .. }, Some(next)) = (&mut self.phase, next) {
            sign.due = next;
            sign.asked = sign.asked.saturating_add(1);
        }
    }

    /// Those who have not answered were reminded: of hours that were missed once, and not again at once after one that was late.
    pub(super) fn reminded(&mut self, at: Timestamp) {
        if let Phase::Triggered { escalation: Some(escalation), .. } = &mut self.phase {
            let not_before = at.saturating_add(REMINDERS_APART_MIN).unwrap_or(Timestamp::MAX);
            escalation.reminders.retain(|hour| *hour >= not_before);
        }
    }
}
