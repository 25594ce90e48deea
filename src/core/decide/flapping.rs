//! What an alert that flaps does not do: page again because it fires again.
//!
//! Who has not heard of an incident is woken at the hour at which they would be, whatever its alerts do. What is put off is
//! paging the same people again: the next round of a policy, until the alert fires on for as long as people have to answer,
//! and by no more than the time after which it would be calm; and, when people ended the incident, its first page, once, by
//! as long as a first page is waited for. Nothing is put off while anything else fires.

use jiff::Timestamp;

use super::super::escalation;
use super::super::flapping::Flaps;
use super::super::incident::{Phase, Resolution};
use super::super::letter::News;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

/// The line of a timeline that says so, once until it is calm.
pub(super) fn begins(source: &str, key: &str, flaps: Option<Flaps>) -> Option<Fact> {
    let (changes, since) = flaps?.began?;
    Some(Fact::AlertFlaps { source: source.to_owned(), key: key.to_owned(), changes, since })
}

impl Work<'_> {
    /// Whether nothing fires but what flaps, and somebody has heard of it.
    fn merely_flaps(&self) -> bool {
        self.incident.firing == 0 && self.incident.responders.iter().any(|known| known.pages > 0)
    }

    /// Before which hour the next round of the policy does not begin because an alert of this service, that flaps, fires
    /// again. Counted from the hour at which it would, which does not move: so it is put off once, and not again and again.
    pub(super) fn rests_until(&self, service: &str) -> Option<Timestamp> {
        let current = self.escalation().filter(|current| !current.awaiting.is_empty())?;
        if !self.merely_flaps() {
            return None;
        }
        // Who is next in this round has not heard of it yet.
        self.next_move(Some(current)).filter(|next| {
            next.round > current.round && next.people.iter().all(|person| self.was_paged(person))
        })?;
        let fires_on = self.now.saturating_add(escalation::wait(self.policy(), current)).ok()?;
        let latest = current.due.saturating_add(self.rules.flapping_of(service).calm_after).ok()?;
        Some(fires_on.min(latest)).filter(|hour| *hour > self.now)
    }

    /// Before which hour nobody is woken because an alert that flaps opens again what people ended.
    pub(super) fn reopens_at(&self) -> Option<Timestamp> {
        // What cleared itself nobody has ended.
        let over = match &self.incident.phase {
            Phase::Resolved { resolution, .. } => {
                matches!(resolution, Resolution::Restored | Resolution::FalseAlarm)
            }
            _ => false,
        };
        let wait = escalation::first_wait(self.policy(), self.case(), self.now);
        (over && self.merely_flaps()).then(|| self.now.saturating_add(wait).ok()).flatten()
    }

    /// Opens the incident again without waking anybody yet. That it fires again meanwhile does not move the hour.
    pub(super) fn reopen_quietly(&mut self, why: String, joined: Fact) -> Result<Reason, Refusal> {
        self.add(Fact::Reopened { why, anew: true, left: true })?;
        self.add(joined)?;
        Ok(Reason::ReopenedByAlert)
    }

    /// People hear now that it is open again: the hour has come, an alert that does not flap joined, or it got so much worse
    /// that other people are to know.
    pub(super) fn wakes_at_last(&mut self) -> Result<(), Refusal> {
        if self.incident.is_quietly_open() {
            self.escalate()?;
            self.channels_hear(News::Reopened);
        }
        Ok(())
    }

    /// The same because another incident that fires became part of it; whoever was woken for that knows.
    pub(super) fn wakes_with(&mut self) -> Result<(), Refusal> {
        if self.incident.is_quietly_open() {
            self.begin_policy(|work, person| work.was_paged(person))?;
            if self.escalation().is_none() {
                self.escalate()?;
            }
            self.channels_hear(News::Reopened);
        }
        Ok(())
    }
}
