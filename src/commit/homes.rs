//! Which incident an alert that fires belongs to: its own, that of the same condition, one that the rules of
//! [`crate::core::correlate`] name, or a new one.

use super::EventResult;
use super::acts::Work;
use super::events::{Heard, is_calm, outcome_of, result};
use crate::core::alert::Event;
use crate::core::correlate::{self, Because, Home, Seen};
use crate::core::decide::{self, Act, By, Join, Opening};
use crate::core::incident::Severity;
use crate::store::incidents::{self, Saved};
use crate::store::{StoreError, alerts, moves};

/// An incident that an alert joins.
struct Joins {
    saved: Saved,
    /// It belonged to it before.
    refired: bool,
    because: Option<Because>,
}

impl Work<'_, '_> {
    pub(super) fn fires(&mut self, heard: Heard<'_>) -> Result<EventResult, StoreError> {
        let Heard { source, service, event, known, .. } = heard;
        let own = self.load(known.and_then(|known| known.incident))?;
        // Its own incident first; else an open one of the same service and key, which another source opened or
        // which came after its own.
        let joins = match own {
            Some(own) if own.incident.is_open() => Ok((own, true)),
            own => match self.load(self.memory.open_incident_with(self.tx, service, &event.key)?)? {
                Some(other) => Ok((other, false)),
                None => Err(own),
            },
        };
        // Whoever is at work on an incident that is open hears of it all the same: a silence only keeps from waking.
        let wakes = joins.as_ref().is_ok_and(|(saved, _)| is_calm(&saved.incident)) || joins.is_err();
        if wakes && let Some(held) = self.held_by(source, service, event)? {
            return self.suppress(heard, &held);
        }
        // Inhibition: as a silence.
        if wakes && let Some(result) = self.inhibits(heard)? {
            return Ok(result);
        }
        match joins {
            Ok((saved, refired)) => {
                let because = (!refired).then_some(Because::SameKey);
                self.joins(heard, Joins { saved, refired, because })
            }
            Err(own) => self.goes(heard, own),
        }
    }

    /// An alert without an open incident of its own: to another that is open, to its own again, or to a new one.
    fn goes(&mut self, heard: Heard<'_>, own: Option<Saved>) -> Result<EventResult, StoreError> {
        match self.home(heard)? {
            Home::Other { incident, because, merges } => {
                for other in merges {
                    self.gather(other, incident)?;
                }
                let Some(saved) = self.memory.incident(self.tx, incident)? else {
                    return Err(StoreError::Decode("an open incident that is not there"));
                };
                let saved = match because {
                    Because::Storm if !saved.incident.storm => {
                        self.must(&saved, Act::BeginStorm, &By::dispatch())?;
                        self.load(Some(incident))?.unwrap_or(saved)
                    }
                    _ => saved,
                };
                self.joins(heard, Joins { saved, refired: false, because: Some(because) })
            }
            Home::Own { storm } => match own.filter(|own| self.may_reopen(own)) {
                Some(saved) => self.joins(heard, Joins { saved, refired: true, because: None }),
                None => self.opens(heard, storm),
            },
        }
    }

    fn joins(
        &mut self,
        heard: Heard<'_>,
        Joins { saved, refired, because }: Joins,
    ) -> Result<EventResult, StoreError> {
        let Heard { source, service, event, known, by } = heard;
        let id = saved.incident.id;
        self.put(source, service, event, known, Some(id))?;
        let join = Join {
            source: source.to_owned(),
            key: event.key.clone(),
            title: event.title.clone(),
            refired,
            service: service.to_owned(),
            severity: self.severity_of(service, event),
            because,
            group: some(correlate::group_of(service, event, &self.house.rules)),
            flaps: self.history_of(service, event, known).1,
        };
        let decision = self.must(&saved, Act::Join(join), by)?;
        let reason = because.map(|because| because.as_str().into());
        Ok(EventResult { reason, ..result(outcome_of(decision.reason), Some(id)) })
    }

    pub(super) fn fires_on(&mut self, heard: Heard<'_>) -> Result<EventResult, StoreError> {
        let Heard { source, service, event, known, by } = heard;
        if self.memory.open_incident_with(self.tx, service, &event.key)?.is_some() {
            return self.fires(heard);
        }
        let incident = known.and_then(|known| known.incident);
        if let Some(held) = self.held_by(source, service, event)? {
            if let Some(id) = self.stays(heard)? {
                alerts::suppress(self.tx, id, &held.by)?;
            }
            return Ok(held.result(incident));
        }
        if let Some(result) = self.inhibits_on(heard)? {
            return Ok(result);
        }
        if let Home::Other { .. } = self.home(heard)? {
            return self.goes(heard, None);
        }
        let Some(saved) = self.load(incident)?.filter(|saved| self.may_reopen(saved)) else {
            return self.goes(heard, None);
        };
        self.put(source, service, event, known, incident)?;
        let decision = self.must(&saved, Act::FireOn { key: event.key.clone() }, by)?;
        Ok(result(outcome_of(decision.reason), incident))
    }

    /// An alert fires on that people ended the incident of, and something keeps it from waking anybody: it stays there, and is looked
    /// at again when that is over. Its sender may never say it again. Its number.
    pub(super) fn stays(&mut self, heard: Heard<'_>) -> Result<Option<i64>, StoreError> {
        let Heard { source, service, event, known: Some(known), .. } = heard else { return Ok(None) };
        if known.wording != event.wording() {
            alerts::words(self.tx, known.id, event)?;
            self.memory.reword(source, event);
            self.offers(known.id, false, source, service, event)?;
        }
        self.repeats(source, event, Some(known))?;
        self.effects.set_hour();
        Ok(Some(known.id))
    }

    fn opens(&mut self, heard: Heard<'_>, storm: bool) -> Result<EventResult, StoreError> {
        let Heard { source, service, event, known, by } = heard;
        let id = incidents::next_id(self.tx)?;
        self.put(source, service, event, known, Some(id))?;
        let rules = &self.house.rules;
        let opening = Opening {
            title: event.title.clone(),
            service: service.to_owned(),
            severity: self.severity_of(service, event),
            alert: Some((source.to_owned(), event.key.clone())),
            group: some(correlate::group_of(service, event, rules)),
            storm,
        };
        let roster = self.memory.roster(self.tx)?;
        let decision = decide::open(id, opening, by, self.staff(&roster), self.tx.now)
            .map_err(|_| StoreError::Decode("a new incident was refused"))?;
        self.save(&decision, None)?;
        Ok(result("opened", Some(id)))
    }

    /// How bad an incident of this alert is.
    pub(super) fn severity_of(&self, service: &str, event: &Event) -> Severity {
        let severities = self.house.rules.services.get(service).map(|service| &service.severities);
        severities.cloned().unwrap_or_default().of(event.severity)
    }

    /// Where an alert goes that has no open incident of its own.
    fn home(&mut self, heard: Heard<'_>) -> Result<Home, StoreError> {
        let Heard { source, service, event, .. } = heard;
        let house = self.house;
        let rules = &house.rules;
        let grouped = match &event.group {
            Some(group) => self.memory.grouped(self.tx, source, group, service)?,
            None => None,
        };
        let related = rules.needs.of_service(service).chain(rules.needs.needing(service));
        let services: Vec<&str> = std::iter::once(service).chain(related).collect();
        let open = self.memory.open_of(self.tx, &services)?;
        let recent = match rules.storm {
            Some(storm) => self.memory.recent(self.tx, storm)?,
            None => Vec::new(),
        };
        let severity = self.severity_of(service, event);
        let seen = Seen { severity, grouped: grouped.as_ref(), open: &open, recent: &recent };
        Ok(correlate::home(service, event, seen, rules, self.tx.now))
    }

    /// An incident that nobody has becomes part of another.
    fn gather(&mut self, from: i64, into: i64) -> Result<(), StoreError> {
        let (Some(other), Some(_)) = (self.load(Some(from))?, self.load(Some(into))?) else { return Ok(()) };
        // Somebody works on it, though nobody has taken it: it stays where they are.
        let board = &other.incident.board;
        if board.stop.is_some() || board.in_flight().next().is_some() {
            return Ok(());
        }
        let act = Act::MergeInto { into, term: None };
        self.must(&other, act, &By::dispatch())?;
        self.moved(&other, into, &By::dispatch())
    }

    /// The alerts of an incident that became part of another go there.
    pub(super) fn moved(&mut self, other: &Saved, into: i64, by: &By) -> Result<(), StoreError> {
        // What was heard of them a moment ago, in this transaction, goes with them.
        self.memory.write(self.tx)?;
        let mut other = other.incident.clone();
        (other.alerts, other.firing) = moves::all(self.tx, other.id, into)?;
        self.memory.moved();
        let Some(home) = self.load(Some(into))? else {
            return Err(StoreError::Decode("an open incident that is not there"));
        };
        self.must(&home, Act::TakeIn(Box::new(other)), by)?;
        Ok(())
    }
}

fn some(group: String) -> Option<String> {
    (!group.is_empty()).then_some(group)
}
