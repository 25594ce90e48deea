//! What alerts mean for an incident: how many there are, whom they concern, and when nobody is woken for them yet.

use jiff::Timestamp;

use super::{FoldError, Incident, Phase};

impl Incident {
    pub(super) fn gains(&mut self, alerts: u32, firing: u32) {
        self.alerts += alerts;
        self.firing += firing;
        if let (Phase::Triggered { quiet_until, .. }, 1..) = (&mut self.phase, firing) {
            *quiet_until = None;
        }
    }

    /// The next round does not begin before an hour. Whatever fires without one lets it begin when it would.
    pub(super) fn rests(&mut self, until: Option<Timestamp>) {
        if let Phase::Triggered { escalation: Some(_), held_until, .. } = &mut self.phase {
            *held_until = until;
        }
    }

    /// Nobody else is woken before an hour.
    pub(super) fn waits(&mut self, not_before: Option<Timestamp>) {
        let (Phase::Triggered { escalation, held_until, .. }, Some(hour)) = (&mut self.phase, not_before)
        else {
            return;
        };
        match escalation {
            Some(escalation) => escalation.due = escalation.due.max(hour),
            None => *held_until = Some(hour),
        }
    }

    pub(super) fn loses(&mut self, alerts: u32, firing: u32, seq: u32) -> Result<(), FoldError> {
        let left = self.alerts.checked_sub(alerts).zip(self.firing.checked_sub(firing));
        let Some((alerts, firing)) = left else {
            return Err(FoldError { seq, why: "more alerts went than it had" });
        };
        (self.alerts, self.firing) = (alerts, firing);
        Ok(())
    }

    /// An alert of another service belongs to it.
    pub(super) fn affects(&mut self, service: &str) {
        if self.leads() != service && !self.also.iter().any(|other| other == service) {
            self.also.push(service.to_owned());
        }
    }
}
