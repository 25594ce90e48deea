//! Who commands and gives no sign of life: they are asked for one, and then more people are called.
//!
//! This is all: they keep command, and the policy is not walked. Whatever they do is a sign of life, also that they open the
//! page they are sent and say that they are on scene.

use jiff::{SignedDuration, Timestamp};

use super::super::command::Office;
use super::super::escalation;
use super::super::incident::{Phase, Responder, Severity, Sign};
use super::super::letter::Why;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

impl Work<'_> {
    /// So long after a sign of life the Commander of an incident as bad as this is asked for the next one.
    pub(super) fn sign_after(&self, severity: Severity) -> Option<SignedDuration> {
        self.rules.clocks.silent_after.get(&severity).copied()
    }

    fn sign(&self) -> Option<&Sign> {
        match &self.incident.phase {
            Phase::Acknowledged { sign, .. } => sign.as_ref(),
            _ => None,
        }
    }

    /// Who commands answers once more: a sign of life, if they were asked for one.
    pub(super) fn gives_a_sign(&mut self, person: &str) -> Result<(), Refusal> {
        if self.sign().is_none_or(|sign| sign.asked == 0) {
            return Ok(());
        }
        let person = person.to_owned();
        match self.incident.responder(&person).map(|known| known.status) {
            Some(status) if status.is_on_scene() => self.add(Fact::CheckedIn { person }),
            _ => self.add(Fact::Acknowledged { person }),
        }
    }

    /// The hour has come at which the Commander is looked for.
    pub(super) fn looks_for_the_commander(&mut self) -> Result<Reason, Refusal> {
        let Some((sign, command)) = self.sign().cloned().zip(self.incident.commander().cloned()) else {
            return Ok(Reason::NotDue);
        };
        let in_time = |wait| self.now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        // Who has left the house cannot be asked.
        let is_there = self.rules.people.contains_key(&command.person);
        if sign.asked == 0 && is_there {
            let due = in_time(escalation::first_wait(self.policy(), self.case(), self.now));
            self.page_until(command.person.clone(), Why::SilentCommander, Some(due))?;
            // Who stands in for the Commander is asked together with them, and may assume command from now on.
            let deputy = self.incident.offices.holder(Office::Deputy).map(str::to_owned);
            if let Some(deputy) = deputy.filter(|deputy| *deputy != command.person) {
                self.page(deputy, Why::SilenceHelp)?;
            }
            return Ok(Reason::AskedCommander);
        }
        let due = in_time(sign.after);
        if is_there {
            self.page(command.person.clone(), Why::SilentCommander)?;
        }
        self.call_instead(&command.person, sign.asked, due)?;
        Ok(Reason::CommanderIsSilent)
    }

    /// A page that asked the Commander did not reach them: that is no answer, at once.
    pub(super) fn commander_is_out_of_reach(&mut self, person: &str) -> Result<Reason, Refusal> {
        let asked = self.sign().map_or(0, |sign| sign.asked);
        let commands = self.incident.commander().is_some_and(|command| command.person == person);
        if asked != 1 || !commands {
            return Ok(Reason::Recorded);
        }
        let after = self.sign().map_or(SignedDuration::ZERO, |sign| sign.after);
        let due = self.now.saturating_add(after).unwrap_or(Timestamp::MAX);
        self.call_instead(person, asked, due)?;
        Ok(Reason::CommanderIsSilent)
    }

    /// Calls the next people of the policy: those who have not heard of it first, and with them whoever was on it before the
    /// Commander was heard of last, and may have gone with them. Again only as long as nobody else is on it.
    fn call_instead(&mut self, commander: &str, asked: u32, due: Timestamp) -> Result<(), Refusal> {
        let others = self.incident.responders.iter().filter(|known| known.person != commander);
        let is_alone = !others.clone().any(|known| self.is_on_it(known));
        let people = if asked > 1 && !is_alone { Vec::new() } else { self.who_comes_instead(commander) };
        self.dispatch(Fact::HelpCalled { paged: people.clone(), sign_due: Some(due) })?;
        people.into_iter().try_for_each(|person| self.page(person, Why::SilenceHelp))
    }

    /// The hour of the Commander's last sign of life, or a little later: hours that were missed are not counted.
    fn last_sign(&self) -> Timestamp {
        let Some(sign) = self.sign() else { return Timestamp::MIN };
        let first = escalation::first_wait(self.policy(), self.case(), self.now);
        let asked = i32::try_from(sign.asked).unwrap_or(i32::MAX);
        let silent = match asked {
            0 => Some(sign.after),
            _ => sign.after.checked_mul(asked).and_then(|silent| silent.checked_add(first)),
        };
        silent.and_then(|silent| sign.due.checked_sub(silent).ok()).unwrap_or(Timestamp::MIN)
    }

    /// Whether somebody said since the Commander's last sign of life that they are on it.
    fn is_on_it(&self, known: &Responder) -> bool {
        known.status.has_answered() && known.since >= self.last_sign()
    }

    /// Whether the Commander was asked for a sign of life in vain up to now: who else is there is asked anew.
    pub(super) fn is_silent(&self) -> bool {
        self.sign().is_some_and(|sign| sign.asked > 0)
    }

    /// It seems that a program took command in the name of a person. They keep it and are asked; others are called to help, as
    /// when they gave no sign of life.
    pub(super) fn doubts(&mut self, person: &str, text: String) -> Result<Reason, Refusal> {
        self.open_only()?;
        self.dispatch(Fact::Note { text })?;
        if self.incident.commander().is_none_or(|command| command.person != person) {
            return Ok(Reason::Recorded);
        }
        if self.rules.people.contains_key(person) {
            self.page(person.to_owned(), Why::Doubted)?;
        }
        let people = self.who_comes_instead(person);
        if !people.is_empty() {
            self.dispatch(Fact::HelpCalled { paged: people.clone(), sign_due: None })?;
        }
        people.into_iter().try_for_each(|person| self.page(person, Why::DoubtHelp))?;
        Ok(Reason::Recorded)
    }

    fn who_comes_instead(&self, commander: &str) -> Vec<String> {
        let Some(policy) = self.policy() else { return Vec::new() };
        let may_come = |people: Vec<String>| -> Vec<String> {
            let is_on_it =
                |person: &String| self.incident.responder(person).is_some_and(|known| self.is_on_it(known));
            people.into_iter().filter(|person| person != commander && !is_on_it(person)).collect()
        };
        let steps = escalation::in_order(policy, self.staff, self.case(), self.now);
        let all = may_come(escalation::whoever(policy, self.staff, self.now));
        let next = steps.into_iter().chain([all.clone()]).map(may_come);
        let mut sleeping = next.filter(|people| people.iter().any(|person| !self.was_paged(person)));
        // When all were called before, all of them are called again.
        let mut people = sleeping.next().unwrap_or(all);
        let answered = self.incident.responders.iter().filter(|known| known.status.has_answered());
        let answered = may_come(answered.map(|known| known.person.clone()).collect());
        for person in answered.into_iter().filter(|person| self.rules.people.contains_key(person)) {
            if !people.contains(&person) {
                people.push(person);
            }
        }
        people
    }
}
