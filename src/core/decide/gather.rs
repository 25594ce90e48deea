//! What belongs to an incident: alerts that join it and recover, its cause, and incidents that become part of one another.

use super::super::correlate::Because;
use super::super::escalation::{self, Case};
use super::super::flapping::Flaps;
use super::super::incident::{CommandReason, Incident, Phase, Responder, ResponderStatus, Severity};
use super::super::letter::{Letter, News, Why};
use super::super::timeline::{Actor, Fact, Joined};
use super::{Join, Reason, Refusal, Work, flapping};

/// Which policy stands for an incident, and whom it wakes first at this hour.
struct Standing {
    policy: Option<String>,
    first: Vec<String>,
}

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

    /// Whether nobody was woken for it because its cause may come. What was opened again, and waits for another reason, has people
    /// who were woken long ago.
    pub(super) fn is_waiting_for_its_cause(&self) -> bool {
        matches!(self.incident.phase, Phase::Triggered { escalation: None, held_until: Some(_), .. })
            && !self.incident.is_quietly_open()
    }

    /// The next step; the first one after the wait for a cause pages nobody who was woken meanwhile, in a storm or for an incident
    /// that became part of this one.
    pub(super) fn begin_after_the_wait(&mut self) -> Result<Reason, Refusal> {
        let waited = self.is_waiting_for_its_cause();
        if waited {
            self.begin_policy(|work, person| work.was_paged(person))?;
        }
        if waited && self.escalation().is_some() { Ok(Reason::EscalatedOnTime) } else { self.escalate() }
    }

    pub(super) fn join(&mut self, join: Join) -> Result<Reason, Refusal> {
        let Join { source, key, title, refired, service, severity, because, group, flaps } = join;
        let spreads = self.incident.leads() != service
            && self.incident.service != service
            && !self.incident.also.contains(&service);
        let foreign = (self.incident.service != service).then(|| service.clone());
        // Flapping.
        let as_before = severity >= self.incident.severity;
        let flaps_on = flaps.is_some() && as_before;
        let not_before = if flaps_on { self.reopens_at() } else { None };
        let rests_until = if flaps_on { self.rests_until(&service) } else { None };
        let began = flapping::begins(&source, &key, flaps);
        let joined = Fact::AlertJoined {
            source,
            key: key.clone(),
            title,
            refired,
            service: foreign,
            because,
            not_before,
            rests_until,
        };
        let was_calm = self.incident.firing == 0 && matches!(self.incident.phase, Phase::Triggered { .. });
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
                let why = format!("{key} fires again");
                let reason = match not_before {
                    None => self.reopen_by_alert(why, Some(joined), severity)?,
                    Some(_) => self.reopen_quietly(why, joined)?,
                };
                began.map_or(Ok(()), |fact| self.dispatch(fact))?;
                return Ok(reason);
            }
        };
        began.map_or(Ok(()), |fact| self.dispatch(fact))?;
        if flaps.is_none() {
            self.wakes_at_last()?;
        }
        let found = because == Some(Because::Cause) && self.incident.leads() != service;
        let before = (found || !as_before).then(|| self.standing());
        let rose = self.raise(severity)?;
        if found {
            self.dispatch(Fact::CauseFound { service: service.clone(), group })?;
        }
        if found {
            self.tell_commander(News::Cause);
        } else if spreads {
            self.tell_commander(News::Spread);
        } else if !refired && self.incident.alerts.is_power_of_two() {
            self.tell_commander(News::More);
        }
        before.map_or(Ok(()), |before| self.wake_after(&before, rose, found))?;
        if rose || was_calm || found || spreads {
            self.plans_holding_anew()?;
        }
        if rose {
            self.awaits_first_updates_sooner()?;
        }
        if because == Some(Because::Storm) {
            self.wake_for(&service)?;
        }
        Ok(reason)
    }

    fn relapse(&mut self) -> Result<(), Refusal> {
        let sign_after = self.sign_after(self.incident.severity);
        let pace = self.pace(self.incident.severity);
        self.dispatch(Fact::Relapsed { sign_after, pace })?;
        self.promise()?;
        self.status(News::Reopened);
        self.tell_all(News::Reopened);
        self.tell_pio(News::Reopened);
        Ok(())
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
    pub(super) fn reopen_by_alert(
        &mut self,
        why: String,
        joined: Option<Fact>,
        severity: Severity,
    ) -> Result<Reason, Refusal> {
        let before = match &self.incident.phase {
            Phase::Resolved { last, .. } => last.as_ref().map(|command| command.person.clone()),
            _ => None,
        };
        self.add(Fact::Reopened { why, anew: true, left: true })?;
        joined.map_or(Ok(()), |joined| self.add(joined))?;
        self.raise(severity)?;
        self.escalate()?;
        self.plans_holding_anew()?;
        self.channels_hear(News::Reopened);
        if let Some(person) = before {
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
        left: Option<String>,
        flaps: Option<Flaps>,
    ) -> Result<Reason, Refusal> {
        let last_one = self.incident.firing == 1;
        let calm_at = flaps.map(|flaps| flaps.calm_at);
        let quiet_until =
            if last_one { self.quiet_until().map(|at| at.max(calm_at.unwrap_or(at))) } else { None };
        let began = flapping::begins(&source, &key, flaps);
        self.add(Fact::AlertRecovered { source, key, quiet_until, timed_out, left, calm_at })?;
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
        let untaken = matches!(self.incident.phase, Phase::Triggered { .. }) && !self.incident.declared;
        let usual = self.now.saturating_add(self.rules.clocks.self_clear_after).unwrap_or(self.now);
        untaken.then(|| usual.max(self.incident.calm_at.unwrap_or(usual)))
    }

    /// It is worse than it was. Who sleeps is woken only when that makes another policy stand.
    pub(super) fn worsens(&mut self, severity: Severity) -> Result<Reason, Refusal> {
        if !self.incident.is_open() {
            return Ok(Reason::Recorded);
        }
        let before = self.standing();
        if !self.raise(severity)? {
            return Ok(Reason::Recorded);
        }
        self.wake_after(&before, true, false)?;
        self.plans_holding_anew()?;
        self.awaits_first_updates_sooner()?;
        Ok(Reason::Worsened)
    }

    /// The same, because somebody says so.
    pub(super) fn worsens_because(&mut self, severity: Severity, why: String) -> Result<Reason, Refusal> {
        let before = self.standing();
        let risen = self.risen(severity, why);
        self.add(risen)?;
        self.wake_after(&before, true, false)?;
        self.plans_holding_anew()?;
        self.awaits_first_updates_sooner()?;
        self.tell_pio(News::Worse);
        Ok(Reason::Worsened)
    }

    fn raise(&mut self, severity: Severity) -> Result<bool, Refusal> {
        if severity >= self.incident.severity {
            return Ok(false);
        }
        let risen = self.risen(severity, String::new());
        self.dispatch(risen)?;
        Ok(true)
    }

    fn risen(&self, severity: Severity, why: String) -> Fact {
        let from = self.incident.severity;
        let has = self.incident.commander().is_some();
        let sign_after = self.sign_after(severity).filter(|_| has);
        let pace = self.pace(severity).filter(|_| has);
        Fact::SeverityRaised { from, to: severity, sign_after, pace, why }
    }

    /// Wakes whom it concerns that an incident got worse, or that its cause was found: those of the policy that stands now,
    /// when that is another than before, or wakes others first. Who was woken knows of a cause by a notice.
    fn wake_after(&mut self, before: &Standing, rose: bool, found: bool) -> Result<(), Refusal> {
        if rose {
            self.tell_all(News::Worse);
        }
        let now = self.standing();
        let other_policy = now.policy != before.policy;
        // A policy that asks for more people by severity or service is several in one; who was woken by it needs no page.
        let asks_others = now.first != before.first && !now.first.iter().all(|person| self.was_paged(person));
        let stands_otherwise = other_policy || asks_others;
        match &self.incident.phase {
            Phase::Triggered { escalation: None, held_until, .. } => {
                // A cause that needs others itself may not be the last.
                let grouping = self.rules.grouping_of(self.incident.leads());
                let waits = held_until.is_some() && !grouping.depends_on.is_empty();
                let stands = (found && !waits) || (rose && stands_otherwise);
                if stands && self.incident.is_quietly_open() {
                    self.wakes_at_last()?;
                } else if found && !waits {
                    self.begin_after_the_wait()?;
                }
            }
            Phase::Triggered { .. } if found || rose => {
                if found {
                    self.tell_everybody(News::Cause);
                }
                if stands_otherwise {
                    let again = rose && other_policy;
                    self.begin_policy(|work, person| !again && work.was_paged(person))?;
                }
            }
            Phase::Acknowledged { .. } | Phase::Mitigated { .. } if rose && stands_otherwise => {
                for person in now.first {
                    if self.is_new(&person) && (other_policy || !self.was_paged(&person)) {
                        self.page(person, Why::Worse)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        let found = self.rules.policy_of(self.incident.leads(), self.incident.severity);
        let first = self.first_move().map(|first| first.people).unwrap_or_default();
        Standing { policy: found.map(|(name, _)| name.to_owned()), first }
    }

    /// Another policy stands from now on, from its first step; `knows`: who needs no page.
    pub(super) fn begin_policy(&mut self, knows: impl Fn(&Self, &str) -> bool) -> Result<(), Refusal> {
        let Some(next) = self.first_move() else { return Ok(()) };
        for person in self.comes_to(next)? {
            if !knows(self, &person) {
                self.page(person, Why::OnCall)?;
            }
        }
        Ok(())
    }

    /// Whether somebody was woken since it is open, to answer, and has not said that they cannot.
    pub(super) fn was_paged(&self, person: &str) -> bool {
        self.incident.responder(person).is_some_and(|known| {
            known.has_heard()
                && !known.watching
                && !matches!(known.status, ResponderStatus::Unreachable | ResponderStatus::Declined)
        })
    }

    /// Wakes the first people of a service that a storm has struck, who would have been woken by its own incident.
    fn wake_for(&mut self, service: &str) -> Result<(), Refusal> {
        // Whoever waits for a cause, or is over, wakes nobody yet.
        if matches!(self.incident.phase, Phase::Triggered { escalation: None, .. } | Phase::Resolved { .. }) {
            return Ok(());
        }
        let case = Case { severity: self.incident.severity, service };
        let policy = self.rules.policy_of(service, case.severity).map(|(_, policy)| policy);
        let first = policy.and_then(|policy| escalation::next(policy, self.staff, case, None, self.now));
        for person in first.map(|first| first.people).unwrap_or_default() {
            // Whoever is on it is awake, but for those who were before it was over.
            let is_on_it =
                |known: &Responder| !known.watching && (known.has_heard() || known.pages_before == 0);
            if !self.incident.responder(&person).is_some_and(is_on_it) {
                self.page(person, Why::Storm)?;
            }
        }
        Ok(())
    }

    /// The people of every service that a storm has struck, when it has waited for a cause in vain.
    pub(super) fn wake_struck(&mut self) -> Result<(), Refusal> {
        if self.incident.storm {
            for service in self.incident.also.clone() {
                self.wake_for(&service)?;
            }
        }
        Ok(())
    }

    pub(super) fn begin_storm(&mut self) -> Result<Reason, Refusal> {
        self.open_only()?;
        if self.incident.storm {
            return Ok(Reason::Recorded);
        }
        // What is a storm is no mere flapping.
        self.wakes_at_last()?;
        self.dispatch(Fact::StormBegan)?;
        self.tell_everybody(News::Storm);
        self.wake_struck()?;
        Ok(Reason::StormBegan)
    }

    /// A human who has an incident gives it up; one that nobody has may be moved by anybody, and by the daemon.
    pub(super) fn merge_into(&mut self, into: i64, term: Option<u32>) -> Result<Reason, Refusal> {
        // That somebody else has it now ends the waking: no program says so.
        if self.by.actor != Actor::Dispatch {
            self.person()?;
        }
        self.may_move(term)?;
        if into == self.incident.id {
            return Err(Refusal::WrongState("an incident cannot become part of itself"));
        }
        if self.incident.board.stop.is_some() {
            return Err(Refusal::WrongState("changes are stopped here; that is lifted first, with a reason"));
        }
        if let Some(one) = self.incident.board.in_flight().next() {
            return Err(Refusal::NotThere(format!(
                "change {} of {} is in flight ({}); it ends first",
                one.number, one.person, one.what
            )));
        }
        let was_taken = self.incident.commander().is_some();
        let Incident { alerts, firing, .. } = self.incident;
        self.add(Fact::Merged { into, alerts, firing })?;
        // Those outside read of this one, and not of the other.
        self.asks_for_closings();
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
            pages_before: known.pages_before,
            watching: known.watching,
        });
        self.add(Fact::TookIn {
            incident: other.id,
            title: other.title.clone(),
            service: other.leads().to_owned(),
            alerts: other.alerts,
            firing: other.firing,
            responders: responders.collect(),
            declared: other.declared,
            shadows: other.shadows.clone(),
        })?;
        if other.firing > 0 && matches!(self.incident.phase, Phase::Mitigated { .. }) {
            self.relapse()?;
        }
        if other.firing > 0 {
            self.wakes_with()?;
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
        self.add(Fact::Reopened { why: format!("it is no part of INC-{incident}"), anew: true, left: true })?;
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
