//! Whom a decision wakes: the next step, the next when nobody is left, and who is called for help.

use jiff::Timestamp;

use super::super::escalation;
use super::super::escalation::Case;
use super::super::incident::{Escalation, Incident, Phase, ResponderStatus};
use super::super::letter::{Letter, News, Why};
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
                let (awaiting, shadows, reminders) = (Vec::new(), Vec::new(), Vec::new());
                self.dispatch(Fact::Escalated {
                    round,
                    step,
                    last_resort: false,
                    awaiting,
                    due,
                    reminders,
                    shadows,
                })?;
                Ok(Reason::NobodyToPage)
            }
        }
    }

    /// Goes on at once when everybody who was paged in this step is out of reach or cannot. When that was the
    /// last step, a new round begins early only while the steps name somebody who can be reached, and else the
    /// last resort is called: a house in which nobody can be reached must not be paged in a circle. When nobody is left who
    /// is there, those are woken who are away, or whom a step names that is not there.
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
        match next.or_else(|| self.whoever_is_left(&current)) {
            Some(next) => self.go(next, Why::OnCall).map(|()| Reason::EscalatedUnanswered),
            None => Ok(Reason::Recorded),
        }
    }

    /// Everybody a policy names at all who has not heard of it.
    fn whoever_is_left(&self, current: &Escalation) -> Option<escalation::Move> {
        let mut people = escalation::whoever(self.policy()?, self.staff, self.now);
        people.retain(|person| !self.is_out(person) && !self.was_paged(person));
        (!people.is_empty()).then(|| escalation::instead(self.policy(), current, people, self.now))
    }

    pub(super) fn policy(&self) -> Option<&Policy> {
        self.rules.policy_of(self.incident.leads(), self.incident.severity).map(|(_, policy)| policy)
    }

    /// Whether the steps name somebody who was not found out of reach, and did not say that they cannot.
    fn somebody_is_left(&self) -> bool {
        let everybody =
            self.policy().map(|policy| escalation::everybody(policy, self.staff, self.case(), self.now));
        everybody.is_some_and(|people| !people.iter().all(|person| self.is_out(person)))
    }

    fn is_out(&self, person: &str) -> bool {
        let status = self.incident.responder(person).map(|known| known.status);
        matches!(status, Some(ResponderStatus::Unreachable | ResponderStatus::Declined))
    }

    /// The last resort out of its turn, unless it is nobody but who is out of reach.
    fn last_resort(&self, round: u32) -> Option<escalation::Move> {
        let last = escalation::last_resort(self.policy()?, self.staff, self.case(), round, self.now)?;
        (!last.people.iter().all(|person| self.is_out(person))).then_some(last)
    }

    pub(super) fn escalation(&self) -> Option<&Escalation> {
        match &self.incident.phase {
            Phase::Triggered { escalation, .. } => escalation.as_ref(),
            _ => None,
        }
    }

    /// What of the incident decides whom to wake.
    pub(super) fn case(&self) -> Case<'_> {
        Case::of(&self.incident)
    }

    /// The first people of the policy that stands, at this hour.
    pub(super) fn first_move(&self) -> Option<escalation::Move> {
        self.next_move(None)
    }

    pub(super) fn next_move(&self, current: Option<&Escalation>) -> Option<escalation::Move> {
        escalation::next(self.policy()?, self.staff, self.case(), current, self.now)
    }

    fn go(&mut self, next: escalation::Move, why: Why) -> Result<(), Refusal> {
        let why = if next.last_resort { Why::LastResort } else { why };
        let people = self.comes_to(next)?;
        people.into_iter().try_for_each(|person| self.page(person, why))
    }

    /// The escalation stands at a step from now on, and who goes along with its people hears of it. Answers the people.
    pub(super) fn comes_to(&mut self, next: escalation::Move) -> Result<Vec<String>, Refusal> {
        let escalation::Move { round, step, last_resort, people, mut shadows, due, reminders } = next;
        shadows.retain(|person| {
            !people.contains(person)
                && !self.incident.shadows.contains(person)
                && self.incident.responder(person).is_none()
        });
        let told = shadows.clone();
        let awaiting = people.clone();
        self.dispatch(Fact::Escalated { round, step, last_resort, awaiting, due, reminders, shadows })?;
        let told = told.into_iter().map(|person| Letter::Notice { person, news: News::Shadowing });
        self.letters.extend(told);
        Ok(people)
    }

    /// Whether the hour has come at which those who have not answered are reminded, and not yet that of the next step.
    pub(super) fn is_to_remind(&self) -> bool {
        let rests = matches!(self.incident.phase, Phase::Triggered { held_until: Some(_), .. });
        let hour = |current: &Escalation| current.reminders.first().is_some_and(|hour| *hour <= self.now);
        !rests && self.escalation().is_some_and(|current| current.due > self.now && hour(current))
    }

    /// Pages those once more who were paged in this step and have not answered.
    pub(super) fn remind(&mut self) -> Result<Reason, Refusal> {
        let awaiting = self.escalation().map(|current| current.awaiting.clone()).unwrap_or_default();
        awaiting.into_iter().try_for_each(|person| self.page(person, Why::Reminder))?;
        Ok(Reason::Reminded)
    }

    /// Those who watch hear of it once: when people are woken, or when it gets as bad as they want to know of. `before`: as
    /// it was before this decision.
    pub(super) fn tell_watchers(&mut self, before: &Incident) -> Result<(), Refusal> {
        let Some(policy) = self.policy().filter(|policy| !policy.watch.who.is_empty()) else { return Ok(()) };
        let is_due = match &self.incident.phase {
            Phase::Triggered { escalation: Some(current), quiet_until: None, .. } => {
                current.round > 0 || current.step >= policy.watch.after || current.awaiting.is_empty()
            }
            // Who has it tells whom they want to, unless it got worse than these were to hear of before.
            Phase::Acknowledged { .. } | Phase::Mitigated { .. } => {
                before.commander().is_some() && self.incident.severity < before.severity
            }
            _ => false,
        };
        if !is_due {
            return Ok(());
        }
        let mut people = escalation::watchers(policy, self.staff, self.incident.severity, self.now);
        if self.incident.commander().is_some() {
            let old = self.rules.policy_of(before.leads(), before.severity);
            let old = old.map(|(_, old)| escalation::watchers(old, self.staff, before.severity, self.now));
            people.retain(|person| !old.as_ref().is_some_and(|old| old.contains(person)));
        }
        people.retain(|person| !self.knows(person));
        people.into_iter().try_for_each(|person| self.page(person, Why::Watching))
    }

    /// Whether somebody was paged since it is open, or is on it.
    fn knows(&self, person: &str) -> bool {
        self.incident.responder(person).is_some_and(|known| {
            known.has_heard() || (self.incident.commander().is_some() && known.status.has_answered())
        })
    }

    pub(super) fn page(&mut self, person: String, why: Why) -> Result<(), Refusal> {
        self.page_until(person, why, None)
    }

    /// The same, where a sign of life is waited for.
    pub(super) fn page_until(
        &mut self,
        person: String,
        why: Why,
        sign_due: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        // One decision wakes nobody twice.
        let is_woken =
            |letter: &Letter| matches!(letter, Letter::Page { person: woken, .. } if *woken == person);
        if self.letters.iter().any(is_woken) {
            return Ok(());
        }
        let attempt = self.incident.responder(&person).map_or(0, |known| known.pages) + 1;
        let (name, word) = (person.clone(), why.as_str().to_owned());
        self.dispatch(Fact::Paged { person: name, attempt, why: word, sign_due })?;
        self.letters.push(Letter::Page { person, attempt, why });
        Ok(())
    }

    /// Wakes those for help who are not on it yet; whether there was anybody.
    pub(super) fn call_for_help(&mut self, before: Option<&Escalation>) -> Result<bool, Refusal> {
        let people = self.whom_to_call(before);
        let somebody = !people.is_empty();
        self.add(Fact::HelpCalled { paged: people.clone(), sign_due: None })?;
        people.into_iter().try_for_each(|person| self.page(person, Why::Help))?;
        Ok(somebody)
    }

    /// The next step, or everybody the steps name, or the last resort, or everybody else the policy names: the first of these
    /// of whom anybody is not on it yet.
    fn whom_to_call(&self, before: Option<&Escalation>) -> Vec<String> {
        let Some(policy) = self.policy() else { return Vec::new() };
        let next = before.and_then(|before| self.next_move(Some(before)));
        let mut all = [
            next.map(|next| next.people).unwrap_or_default(),
            escalation::everybody(policy, self.staff, self.case(), self.now),
            self.staff.regardless(&policy.last_resort, self.now),
            escalation::whoever(policy, self.staff, self.now),
        ];
        all.iter_mut().for_each(|people| people.retain(|person| self.is_new(person)));
        all.into_iter().find(|people| !people.is_empty()).unwrap_or_default()
    }

    /// Whether somebody is not on it yet.
    pub(super) fn is_new(&self, person: &str) -> bool {
        !self.incident.responder(person).is_some_and(|known| known.status.has_answered())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::incident::Severity;
    use super::super::super::stories::{act, begin, house, told};
    use super::super::{By, Opening, Staff, decide, open};
    use super::*;

    #[test]
    fn who_goes_along_is_told_once_by_a_notice_and_not_waited_for() {
        let (rules, by) = (house(), By::dispatch());
        let opening = Opening {
            title: "down".into(),
            service: "shop".into(),
            severity: Severity::Sev1,
            alert: None,
            group: None,
            storm: false,
        };
        let now = begin();
        let staff = Staff::as_configured(&rules);
        let incident = open(1, opening, &by, staff, now).unwrap().incident;
        let mut work =
            Work { incident, entries: Vec::new(), letters: Vec::new(), by: &by, rules: &rules, staff, now };
        let goes = |work: &mut Work<'_>, people: &[&str], shadows: &[&str]| {
            let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let (people, shadows, reminders) = (names(people), names(shadows), Vec::new());
            let (round, step, due) = (0, 1, work.now);
            let next = escalation::Move { round, step, last_resort: false, people, shadows, due, reminders };
            work.go(next, Why::OnCall).unwrap();
            let letters = std::mem::take(&mut work.letters);
            letters.iter().map(told).collect::<Vec<_>>()
        };
        // Maya was paged when it was opened; tom goes along with nobody whom he is paged beside.
        let told = goes(&mut work, &["tom"], &["kim", "tom", "maya"]);
        assert_eq!(told, ["tell kim shadowing", "page tom (1, on_call)"]);
        assert_eq!(work.escalation().unwrap().awaiting, ["tom"]);
        assert!(work.incident.responder("kim").is_none(), "who goes along answers nothing");
        let text = work.entries[0].fact.text();
        assert!(text.ends_with("told, without having to answer: kim"), "{text}");
        assert_eq!(goes(&mut work, &["cto"], &["kim"]), ["page cto (1, on_call)"]);
        let mut incident = work.incident.clone();
        assert_eq!(incident.shadows, ["kim"]);
        for line in ["tom answers", "tom resolves 1", "maya reopens"] {
            let (act, by) = act(line);
            incident = decide(&incident, act, &by, staff, now).unwrap().incident;
        }
        assert!(incident.shadows.is_empty(), "who went along has not heard that it is open again");
    }
}
