//! What belongs to an incident: alerts that join it and recover, its cause, and incidents that become part of one another.

use super::super::correlate::Because;
use super::super::escalation;
use super::super::flapping::Flaps;
use super::super::incident::{CommandReason, Incident, Phase, ResponderStatus, Severity};
use super::super::letter::{Letter, News, Why};
use super::super::timeline::{Fact, Joined};
use super::{Join, Reason, Refusal, Work, flapping};

impl Work<'_> {
    /// Whether the first page waits for a cause to be found: a service that depends on others is often not at fault itself.
    pub(super) fn waits_for_its_cause(&mut self) -> Result<bool, Refusal> {
        let grouping = self.rules.grouping_of(&self.incident.service);
        if grouping.depends_on.is_empty() || !grouping.settle.is_positive() {
            return Ok(false);
        }
        let until = self.now.saturating_add(grouping.settle).unwrap_or(self.now);
        self.dispatch(Fact::Held { until })?;
        Ok(true)
    }

    pub(super) fn join(&mut self, join: Join) -> Result<Reason, Refusal> {
        let Join { source, key, title, refired, service, severity, because, flaps } = join;
        let spreads = self.incident.leads() != service
            && self.incident.service != service
            && !self.incident.also.contains(&service);
        let foreign = (self.incident.service != service).then(|| service.clone());
        // Flapping.
        let not_before = flaps.and_then(|_| self.not_before());
        let began = flapping::begins(&source, &key, flaps);
        let key_of = key.clone();
        let joined =
            Fact::AlertJoined { source, key: key_of, title, refired, service: foreign, because, not_before };
        let reason = match &self.incident.phase {
            Phase::Triggered { .. } | Phase::Acknowledged { .. } => {
                self.add(joined)?;
                Reason::Joined
            }
            Phase::Mitigated { .. } => {
                self.add(joined)?;
                self.relapse()?;
                Reason::Relapsed
            }
            Phase::Resolved { .. } => {
                let reason = match not_before {
                    None => self.reopen_by_alert(format!("{key} fires again"), Some(joined))?,
                    Some(_) => self.reopen_quietly(format!("{key} fires again"), joined)?,
                };
                began.map_or(Ok(()), |fact| self.dispatch(fact))?;
                self.worsens(severity)?;
                return Ok(reason);
            }
        };
        began.map_or(Ok(()), |fact| self.dispatch(fact))?;
        if flaps.is_none() {
            self.wakes_at_last()?;
        }
        if because == Some(Because::Cause) && self.incident.leads() != service {
            self.find_cause(service.clone())?;
        } else if spreads {
            self.tell_commander(News::Spread);
            if because == Some(Because::Storm) {
                self.wake_for(&service)?;
            }
        }
        self.worsens(severity)?;
        Ok(reason)
    }

    fn relapse(&mut self) -> Result<(), Refusal> {
        self.dispatch(Fact::Relapsed)?;
        self.promise()?;
        self.status(News::Reopened);
        self.tell_commander(News::Reopened);
        self.tell_pio(News::Reopened);
        Ok(())
    }

    fn tell_commander(&mut self, news: News) {
        if let Some(command) = self.incident.commander() {
            let person = command.person.clone();
            let told =
                |letter: &Letter| matches!(letter, Letter::Notice { person: told, .. } if *told == person);
            if !self.letters.iter().any(told) && self.by.actor.person() != Some(person.as_str()) {
                self.letters.push(Letter::Notice { person, news });
            }
        }
    }

    /// Tells everybody who was paged, and could not know.
    fn tell_everybody(&mut self, news: News) {
        let actor = self.by.actor.person();
        let known = self.incident.responders.iter().filter(|known| {
            known.status != ResponderStatus::Unreachable && actor != Some(known.person.as_str())
        });
        let told: Vec<Letter> =
            known.map(|known| Letter::Notice { person: known.person.clone(), news }).collect();
        self.letters.extend(told);
    }

    /// Nobody has it now, so the policy starts anew; whoever commanded before is woken too.
    pub(super) fn reopen_by_alert(&mut self, why: String, joined: Option<Fact>) -> Result<Reason, Refusal> {
        let before = match &self.incident.phase {
            Phase::Resolved { last, .. } => last.as_ref().map(|command| command.person.clone()),
            _ => None,
        };
        self.add(Fact::Reopened { why })?;
        joined.map_or(Ok(()), |joined| self.add(joined))?;
        self.escalate()?;
        if let Some(person) = before {
            self.status(News::Reopened);
            let paged =
                |letter: &Letter| matches!(letter, Letter::Page { person: paged, .. } if *paged == person);
            if !self.letters.iter().any(paged) && self.rules.people.contains_key(&person) {
                self.page(person, Why::CommandedBefore)?;
            }
        }
        Ok(Reason::ReopenedByAlert)
    }

    pub(super) fn recover(
        &mut self,
        source: String,
        key: String,
        timed_out: Option<String>,
        flaps: Option<Flaps>,
    ) -> Result<Reason, Refusal> {
        let last_one = self.incident.firing == 1;
        let calm_at = flaps.map(|flaps| flaps.calm_at);
        let quiet_until =
            if last_one { self.quiet_until().map(|at| at.max(calm_at.unwrap_or(at))) } else { None };
        let began = flapping::begins(&source, &key, flaps);
        self.add(Fact::AlertRecovered { source, key, quiet_until, timed_out, calm_at })?;
        began.map_or(Ok(()), |fact| self.dispatch(fact))?;
        if quiet_until.is_some() {
            return Ok(Reason::Quiet);
        }
        if last_one && flaps.is_none() {
            // Recovery is evidence offered to the Commander, never a resolution.
            self.tell_commander(News::Recovered);
        }
        Ok(Reason::Recovered)
    }

    /// When an incident that nobody has clears itself, from the moment when nothing of it fires.
    fn quiet_until(&self) -> Option<jiff::Timestamp> {
        let untaken = matches!(self.incident.phase, Phase::Triggered { .. });
        let usual = self.now.saturating_add(self.rules.clocks.self_clear_after).unwrap_or(self.now);
        untaken.then(|| usual.max(self.incident.calm_at.unwrap_or(usual)))
    }

    /// The service at fault leads from now on: its people are woken who were not yet.
    fn find_cause(&mut self, service: String) -> Result<(), Refusal> {
        let before = self.policy_name();
        self.dispatch(Fact::CauseFound { service })?;
        let Phase::Triggered { escalation, .. } = &self.incident.phase else {
            self.tell_commander(News::Cause);
            return Ok(());
        };
        if escalation.is_none() {
            return self.escalate().map(|_| ());
        }
        self.tell_everybody(News::Cause);
        if self.policy_name() != before {
            self.begin_policy(|work, person| work.was_paged(person))?;
        }
        Ok(())
    }

    /// It is worse than it was. Who sleeps is woken only when that makes another policy stand.
    pub(super) fn worsens(&mut self, severity: Severity) -> Result<Reason, Refusal> {
        if severity >= self.incident.severity || !self.incident.is_open() {
            return Ok(Reason::Recorded);
        }
        let before = self.policy_name();
        self.dispatch(Fact::SeverityRaised { from: self.incident.severity, to: severity })?;
        self.tell_commander(News::Worse);
        let was_woken = matches!(self.incident.phase, Phase::Triggered { escalation: Some(_), .. });
        if was_woken && self.policy_name() != before {
            self.begin_policy(|_, _| false)?;
        }
        Ok(Reason::Worsened)
    }

    fn policy_name(&self) -> Option<String> {
        let found = self.rules.policy_of(self.incident.leads(), self.incident.severity);
        found.map(|(name, _)| name.to_owned())
    }

    /// Another policy stands from now on, from its first step; `knows`: who needs no page.
    fn begin_policy(&mut self, knows: impl Fn(&Self, &str) -> bool) -> Result<(), Refusal> {
        let next = self.policy().and_then(|policy| escalation::next(policy, self.rules, None, self.now));
        let Some(escalation::Move { round, step, last_resort, people, due }) = next else { return Ok(()) };
        self.dispatch(Fact::Escalated { round, step, last_resort, awaiting: people.clone(), due })?;
        for person in people {
            if !knows(self, &person) {
                self.page(person, Why::OnCall)?;
            }
        }
        Ok(())
    }

    fn was_paged(&self, person: &str) -> bool {
        self.incident.responder(person).is_some_and(|known| {
            known.pages > 0
                && !matches!(known.status, ResponderStatus::Unreachable | ResponderStatus::Declined)
        })
    }

    /// Wakes the first people of a service that a storm has struck, who would have been woken by its own incident.
    fn wake_for(&mut self, service: &str) -> Result<(), Refusal> {
        if !matches!(self.incident.phase, Phase::Triggered { escalation: Some(_), .. }) {
            return Ok(());
        }
        let policy = self.rules.policy_of(service, self.incident.severity).map(|(_, policy)| policy);
        let first = policy.and_then(|policy| escalation::next(policy, self.rules, None, self.now));
        for person in first.map(|first| first.people).unwrap_or_default() {
            if self.incident.responder(&person).is_none() {
                self.page(person, Why::Storm)?;
            }
        }
        Ok(())
    }

    pub(super) fn begin_storm(&mut self) -> Result<Reason, Refusal> {
        self.open_only()?;
        if self.incident.storm {
            return Ok(Reason::Recorded);
        }
        self.dispatch(Fact::StormBegan)?;
        if matches!(self.incident.phase, Phase::Triggered { escalation: None, .. }) {
            self.escalate()?;
        }
        self.tell_everybody(News::Storm);
        Ok(Reason::StormBegan)
    }

    /// A human who has an incident gives it up; one that nobody has may be moved by anybody, and by the daemon.
    pub(super) fn merge_into(&mut self, into: i64, term: Option<u32>) -> Result<Reason, Refusal> {
        self.may_move(term)?;
        if into == self.incident.id {
            return Err(Refusal::WrongState("an incident cannot become part of itself"));
        }
        let was_taken = self.incident.commander().is_some();
        let Incident { alerts, firing, .. } = self.incident;
        self.add(Fact::Merged { into, alerts, firing })?;
        if self.by.actor.person().is_some() {
            self.tell_everybody(News::Merged);
        }
        if was_taken {
            self.status(News::Merged);
            self.tell_pio(News::Merged);
        }
        Ok(Reason::Merged)
    }

    pub(super) fn take_in(&mut self, other: Incident) -> Result<Reason, Refusal> {
        self.open_only()?;
        let responders = other.responders.iter().map(|known| Joined {
            person: known.person.clone(),
            status: known.status,
            pages: known.pages,
        });
        self.add(Fact::TookIn {
            incident: other.id,
            title: other.title.clone(),
            service: other.leads().to_owned(),
            alerts: other.alerts,
            firing: other.firing,
            responders: responders.collect(),
        })?;
        if other.firing > 0 && matches!(self.incident.phase, Phase::Mitigated { .. }) {
            self.relapse()?;
        }
        self.tell_commander(News::TookIn);
        self.worsens(other.severity)?;
        Ok(Reason::TookIn)
    }

    pub(super) fn split_off(
        &mut self,
        into: i64,
        alerts: u32,
        firing: u32,
        term: Option<u32>,
    ) -> Result<Reason, Refusal> {
        self.person()?;
        if self.incident.is_open() {
            self.may_move(term)?;
        }
        let was_firing = self.incident.firing > 0;
        let leaves_none = was_firing && self.incident.firing == firing;
        let quiet_until = if leaves_none { self.quiet_until() } else { None };
        self.add(Fact::SplitOff { into, alerts, firing, quiet_until })?;
        self.tell_commander(News::Split);
        Ok(Reason::Split)
    }

    pub(super) fn split_from(&mut self, incident: i64, alerts: u32, firing: u32) -> Result<Reason, Refusal> {
        let person = self.person()?;
        if self.incident.merged_into != Some(incident) {
            return Err(Refusal::WrongState("it did not become part of that incident"));
        }
        self.add(Fact::Reopened { why: format!("it is no part of INC-{incident}") })?;
        self.add(Fact::SplitFrom { incident, alerts, firing })?;
        self.take_command(&person, CommandReason::Reopened)?;
        Ok(Reason::Split)
    }

    /// Who may say that alerts belong elsewhere: the Commander; while there is none, anybody.
    fn may_move(&self, term: Option<u32>) -> Result<(), Refusal> {
        self.open_only()?;
        match (self.incident.commander(), term) {
            (None, _) => Ok(()),
            (Some(_), Some(term)) => self.commands(term),
            (Some(command), None) => {
                Err(Refusal::Stale { commander: command.person.clone(), term: command.term })
            }
        }
    }
}
