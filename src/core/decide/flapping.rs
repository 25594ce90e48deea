//! What an alert that flaps does not do: page again when it fires again. When it fires on for as long as people have to answer,
//! and nothing else of the incident fires, the next people are woken then.

use jiff::Timestamp;

use super::super::escalation;
use super::super::flapping::Flaps;
use super::super::incident::{Phase, Severity};
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

/// The line of a timeline that says so, once until it is calm.
pub(super) fn begins(source: &str, key: &str, flaps: Option<Flaps>) -> Option<Fact> {
    let (changes, since) = flaps?.began?;
    Some(Fact::AlertFlaps { source: source.to_owned(), key: key.to_owned(), changes, since })
}

impl Work<'_> {
    /// Before which hour nobody else is woken because an alert that flaps fires again. While another fires the incident is
    /// no mere flapping, and goes on.
    pub(super) fn not_before(&self) -> Option<Timestamp> {
        let policy = self.policy();
        let first = || policy.and_then(|policy| policy.steps.first()).map(|step| step.wait);
        let wait = match &self.incident.phase {
            _ if self.incident.firing > 0 => return None,
            // Nobody has heard of it yet, or nobody who did is left: that it comes and goes is no answer.
            _ if self.incident.responders.iter().all(|known| known.pages == 0) => return None,
            Phase::Triggered { escalation: Some(current), .. } if current.awaiting.is_empty() => return None,
            Phase::Triggered { escalation: Some(current), .. } => escalation::wait(policy, current),
            Phase::Triggered { .. } | Phase::Resolved { .. } => {
                first().map_or(escalation::LAST_RESORT_WAIT, |wait| wait.max(escalation::WAIT_MIN))
            }
            Phase::Acknowledged { .. } | Phase::Mitigated { .. } => return None,
        };
        self.now.saturating_add(wait).ok()
    }

    /// Opens the incident again without waking anybody yet.
    pub(super) fn reopen_quietly(
        &mut self,
        why: String,
        joined: Fact,
        severity: Severity,
    ) -> Result<Reason, Refusal> {
        self.add(Fact::Reopened { why })?;
        self.add(joined)?;
        self.worsens(severity)?;
        Ok(Reason::ReopenedByAlert)
    }

    /// An alert that does not flap came to an incident that was opened again by one that does: people hear of it now.
    pub(super) fn wakes_at_last(&mut self) -> Result<(), Refusal> {
        let waits =
            matches!(self.incident.phase, Phase::Triggered { escalation: None, held_until: Some(_), .. });
        // One that waits for its cause has just been opened, and nobody was ever paged for it, but where a storm brought them, or
        // another that became part of it.
        let for_cause = self.is_waiting_for_its_cause();
        if waits && !for_cause && !self.incident.storm && !self.incident.responders.is_empty() {
            self.escalate()?;
        }
        Ok(())
    }
}
