//! What a transaction will have done once it is committed: counted, logged and told only then.

use jiff::Timestamp;

use super::Wakes;
use crate::core::command::Turn;
use crate::core::decide::{Decision, Reason};
use crate::core::incident::{Incident, Resolution};
use crate::core::timeline::Fact;
use crate::core::voice::Say;
use crate::house::House;
use crate::metrics::Metrics;

/// Collected while commands run; thrown away when the transaction fails.
#[derive(Default)]
pub(super) struct Effects {
    received: Vec<(String, String, u64)>,
    outcomes: Vec<(String, &'static str, u64)>,
    decided: Vec<(i64, Reason)>,
    counts: Vec<Count>,
    letters: bool,
    deadlines: bool,
}

enum Count {
    Opened { service: String, severity: &'static str },
    Acknowledged { seconds: f64 },
    Commanded { reason: &'static str },
    Mitigated { seconds: f64 },
    Resolved { severity: &'static str, seconds: f64 },
    Ended { service: String, resolution: &'static str },
    Paged { person: String },
    Said { audience: &'static str, sort: &'static str },
    Missed { audience: &'static str },
    Escalated { policy: String, step: String },
}

impl Effects {
    /// Events came in: counted from the delivery itself, apart from what is said of them afterwards.
    pub(super) fn received(&mut self, source: &str, kind: &str, events: usize) {
        self.received.push((source.to_owned(), kind.to_owned(), u64::try_from(events).unwrap_or(u64::MAX)));
    }

    /// One event has its outcome.
    pub(super) fn outcome(&mut self, source: &str, outcome: &'static str) {
        // Most events of a commit have the same few outcomes: one look at a counter each, not one an event.
        let same = |of: &&mut (String, &'static str, u64)| of.1 == outcome && of.0 == source;
        match self.outcomes.iter_mut().find(same) {
            Some((_, _, events)) => *events += 1,
            None => self.outcomes.push((source.to_owned(), outcome, 1)),
        }
    }

    /// Letters were written.
    pub(super) fn wrote(&mut self) {
        self.letters = true;
    }

    /// An alert has an hour at which it is looked at.
    pub(super) fn set_hour(&mut self) {
        self.deadlines = true;
    }

    /// An incident changed, which was due at an hour before.
    pub(super) fn decided(
        &mut self,
        decision: &Decision,
        was_due: Option<Timestamp>,
        house: &House,
        now: Timestamp,
    ) {
        let incident = &decision.incident;
        self.decided.push((incident.id, decision.reason));
        let due = incident.due_at();
        self.deadlines |= due.is_some() && due != was_due;
        let seconds = now.duration_since(incident.opened_at).as_secs_f64();
        for entry in &decision.entries {
            match &entry.fact {
                Fact::Opened { service, severity, .. } => {
                    self.counts.push(Count::Opened { service: service.clone(), severity: severity.as_str() });
                }
                Fact::CommandTaken { term, reason, .. } => {
                    if *term == 1 {
                        self.counts.push(Count::Acknowledged { seconds });
                    }
                    self.counts.push(Count::Commanded { reason: reason.as_str() });
                }
                Fact::Command(Turn::Transferred { reason, .. }) => {
                    self.counts.push(Count::Commanded { reason: reason.as_str() });
                }
                Fact::Voice(Say::Published { number, .. }) => {
                    if let Some(known) = incident.voice.statement(*number) {
                        let (audience, sort) = (known.wording.audience.as_str(), known.wording.sort.as_str());
                        self.counts.push(Count::Said { audience, sort });
                    }
                }
                Fact::Voice(Say::Missed { audience, times: 1, .. }) => {
                    self.counts.push(Count::Missed { audience: audience.as_str() });
                }
                Fact::Mitigated { .. } => self.counts.push(Count::Mitigated { seconds }),
                Fact::Resolved { resolution } => {
                    self.counts.push(Count::Resolved { severity: incident.severity.as_str(), seconds });
                    self.ended(incident, *resolution);
                }
                Fact::Merged { .. } => self.ended(incident, Resolution::Merged),
                Fact::Paged { person, .. } => self.counts.push(Count::Paged { person: person.clone() }),
                Fact::Escalated { step, last_resort, awaiting, .. } if !awaiting.is_empty() => {
                    let policy = house.rules.policy_of(incident.leads(), incident.severity);
                    let policy = policy.map(|(name, _)| name.to_owned());
                    let step = if *last_resort { "last_resort".to_owned() } else { (step + 1).to_string() };
                    self.counts.push(Count::Escalated { policy: policy.unwrap_or_default(), step });
                }
                _ => {}
            }
        }
    }

    fn ended(&mut self, incident: &Incident, resolution: Resolution) {
        let service = incident.leads().to_owned();
        self.counts.push(Count::Ended { service, resolution: resolution.as_str() });
    }

    /// Counts and logs all of it.
    pub(super) fn publish(&self, metrics: &Metrics) {
        metrics.publish(|metrics| {
            for (source, kind, events) in &self.received {
                metrics.events_received.with_label_values(&[source, kind]).inc_by(*events);
            }
            for (source, outcome, events) in &self.outcomes {
                metrics.events.with_label_values(&[source.as_str(), outcome]).inc_by(*events);
            }
            for count in &self.counts {
                match count {
                    Count::Opened { service, severity } => {
                        metrics.incidents_opened.with_label_values(&[service.as_str(), severity]).inc();
                    }
                    Count::Acknowledged { seconds } => metrics.acknowledge.observe(*seconds),
                    Count::Commanded { reason } => metrics.commands.with_label_values(&[reason]).inc(),
                    Count::Mitigated { seconds } => metrics.mitigate.observe(*seconds),
                    Count::Resolved { severity, seconds } => {
                        metrics.resolve.with_label_values(&[severity]).observe(*seconds);
                    }
                    Count::Ended { service, resolution } => {
                        metrics.incidents_resolved.with_label_values(&[service.as_str(), resolution]).inc();
                    }
                    Count::Said { audience, sort } => {
                        metrics.statements.with_label_values(&[audience, sort]).inc();
                    }
                    Count::Missed { audience } => {
                        metrics.statements_missed.with_label_values(&[audience]).inc();
                    }
                    Count::Paged { person } => metrics.pages.with_label_values(&[person]).inc(),
                    Count::Escalated { policy, step } => {
                        metrics.escalations.with_label_values(&[policy, step]).inc();
                    }
                }
            }
        });
        for (incident, reason) in &self.decided {
            tracing::info!(incident.id = incident, reason = reason.as_str(), "decided");
        }
    }

    /// Wakes whom it concerns.
    pub(super) fn wake(&self, wakes: &Wakes) {
        if self.letters {
            wakes.letters.notify_one();
        }
        if self.deadlines {
            wakes.deadlines.notify_one();
        }
        if !self.decided.is_empty() {
            wakes.entries.notify_one();
        }
    }
}
