//! Whom a decision wakes: the next step, the next when nobody is left, and who is called for help.

use jiff::Timestamp;

use super::super::escalation;
use super::super::incident::{Escalation, Incident, Phase, ResponderStatus};
use super::super::letter::{Letter, Why};
use super::super::rules::Policy;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

impl Work<'_> {
    /// Wakes the next step, whatever was due before.
    pub(super) fn escalate(&mut self) -> Result<Reason, Refusal> {
        let current = self.escalation().cloned();
        match self.next_move(current.as_ref()) {
            Some(next) => self.go(next, Why::OnCall).map(|()| Reason::EscalatedOnTime),
            None => {
                if current.as_ref().is_none_or(|current| !current.awaiting.is_empty()) {
                    self.dispatch(Fact::NobodyToPage)?;
                }
                let (round, step) = current.map_or((0, 0), |current| (current.round, current.step));
                let due = self.now.saturating_add(escalation::NOBODY_RETRY).unwrap_or(Timestamp::MAX);
                self.dispatch(Fact::Escalated {
                    round,
                    step,
                    last_resort: false,
                    awaiting: Vec::new(),
                    due,
                })?;
                Ok(Reason::NobodyToPage)
            }
        }
    }

    /// Goes on at once when everybody who was paged in this step is out of reach or cannot. When that was the
    /// last step, a new round begins early only while the steps name somebody who can be reached, and else the
    /// last resort is called: a house in which nobody can be reached must not be paged in a circle.
    pub(super) fn escalate_if_nobody_is_left(&mut self) -> Result<Reason, Refusal> {
        let quiet = matches!(self.incident.phase, Phase::Triggered { quiet_until: Some(_), .. });
        let Some(current) = self.escalation().cloned() else { return Ok(Reason::Recorded) };
        if quiet || !current.awaiting.is_empty() {
            return Ok(Reason::Recorded);
        }
        let next = match self.next_move(Some(&current)) {
            Some(next) if next.round == current.round => Some(next),
            Some(next) if !next.last_resort && self.somebody_is_left() => Some(next),
            Some(next) if !next.last_resort => self.last_resort(current.round),
            _ => None,
        };
        match next {
            Some(next) => self.go(next, Why::OnCall).map(|()| Reason::EscalatedUnanswered),
            None => Ok(Reason::Recorded),
        }
    }

    pub(super) fn policy(&self) -> Option<&Policy> {
        self.rules.policy_of(self.incident.leads(), self.incident.severity).map(|(_, policy)| policy)
    }

    /// Whether the steps name somebody who was not found out of reach, and did not say that they cannot.
    fn somebody_is_left(&self) -> bool {
        let everybody = self.policy().map(|policy| escalation::everybody(policy, self.staff, self.now));
        everybody.is_some_and(|people| !people.iter().all(|person| self.is_out(person)))
    }

    fn is_out(&self, person: &str) -> bool {
        let status = self.incident.responder(person).map(|known| known.status);
        matches!(status, Some(ResponderStatus::Unreachable | ResponderStatus::Declined))
    }

    /// The last resort out of its turn, unless it is nobody but who is out of reach.
    fn last_resort(&self, round: u32) -> Option<escalation::Move> {
        let last = escalation::last_resort(self.policy()?, self.staff, round, self.now)?;
        (!last.people.iter().all(|person| self.is_out(person))).then_some(last)
    }

    pub(super) fn escalation(&self) -> Option<&Escalation> {
        match &self.incident.phase {
            Phase::Triggered { escalation, .. } => escalation.as_ref(),
            _ => None,
        }
    }

    fn next_move(&self, current: Option<&Escalation>) -> Option<escalation::Move> {
        escalation::next(self.policy()?, self.staff, current, self.now)
    }

    fn go(&mut self, next: escalation::Move, why: Why) -> Result<(), Refusal> {
        let escalation::Move { round, step, last_resort, people, due } = next;
        self.dispatch(Fact::Escalated { round, step, last_resort, awaiting: people.clone(), due })?;
        let why = if last_resort { Why::LastResort } else { why };
        people.into_iter().try_for_each(|person| self.page(person, why))
    }

    pub(super) fn page(&mut self, person: String, why: Why) -> Result<(), Refusal> {
        // One decision wakes nobody twice.
        let is_woken =
            |letter: &Letter| matches!(letter, Letter::Page { person: woken, .. } if *woken == person);
        if self.letters.iter().any(is_woken) {
            return Ok(());
        }
        let attempt = self.incident.responder(&person).map_or(0, |known| known.pages) + 1;
        self.dispatch(Fact::Paged { person: person.clone(), attempt, why: why.as_str().into() })?;
        self.letters.push(Letter::Page { person, attempt, why });
        Ok(())
    }

    pub(super) fn call_for_help(&mut self, before: Option<&Escalation>) -> Result<(), Refusal> {
        let rules = self.rules;
        let found = rules.policy_of(self.incident.leads(), self.incident.severity);
        let Some((_, policy)) = found else { return Ok(()) };
        let is_new = |incident: &Incident, person: &String| {
            let status = incident.responder(person).map(|known| known.status);
            !matches!(status, Some(ResponderStatus::Acknowledged | ResponderStatus::OnScene))
        };
        let next = before.and_then(|before| escalation::next(policy, self.staff, Some(before), self.now));
        let mut people: Vec<String> = next.map(|next| next.people).unwrap_or_default();
        people.retain(|person| is_new(&self.incident, person));
        if people.is_empty() {
            people = escalation::everybody(policy, self.staff, self.now);
            people.retain(|person| is_new(&self.incident, person));
        }
        self.add(Fact::HelpCalled { paged: people.clone() })?;
        people.into_iter().try_for_each(|person| self.page(person, Why::Help))
    }
}
