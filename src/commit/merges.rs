//! Incidents that people put together and take apart again, each in one transaction.

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::decide::{self, Act, By, Opening, Refusal};
use crate::core::incident::Incident;
use crate::store::incidents::{self, Saved};
use crate::store::{StoreError, moves};

/// Most incidents that one became part of, one after the other, that a link is followed through.
const MERGES_MAX: usize = 16;

/// What is taken out of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An incident that became part of it: it is open again, with the alerts that came from it.
    Incident(i64),
    /// Alerts, by source and key: they become an incident of their own.
    Alerts(Vec<(String, String)>),
}

impl Work<'_, '_> {
    /// The incident that an answer to a page of this one is for: what it became part of, if it did.
    pub(super) fn home_of(&self, id: i64) -> Result<i64, StoreError> {
        let mut at = id;
        for _ in 0..MERGES_MAX {
            let into = self.memory.incident(self.tx, at)?.and_then(|saved| saved.incident.merged_into);
            let Some(into) = into else { return Ok(at) };
            at = into;
        }
        Ok(at)
    }

    /// An incident becomes part of another, which is open. Who commands the first, and nobody the other, commands both then.
    pub(super) fn merge(
        &mut self,
        id: i64,
        into: i64,
        term: Option<u32>,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let (saved, home) = match (self.load(Some(id))?, self.load(Some(into))?) {
            (None, _) => return Ok(Err(DoorError::NoIncident(id))),
            (_, None) => return Ok(Err(DoorError::NoIncident(into))),
            (Some(saved), Some(home)) => (saved, home),
        };
        if let Some(other) = home.incident.merged_into {
            let why = format!("INC-{into} became part of INC-{other}; merge into that one");
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        if let Some((resolution, _)) = home.incident.resolution() {
            let why = format!("INC-{into} is over ({}); reopen it first", resolution.as_str());
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        let decision = match self.decide(&saved, Act::MergeInto { into, term }, by)? {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(DoorError::Refused(refusal))),
        };
        self.save(&decision, Some(&saved))?;
        self.moved(&saved, into, by)?;
        if saved.incident.commander().is_some()
            && let Some(home) = self.load(Some(into))?.filter(|home| home.incident.commander().is_none())
        {
            self.must(&home, Act::Answer { help: false }, by)?;
        }
        Ok(Ok(Reply::Decided(Box::new(decision.incident), decision.reason)))
    }

    /// Takes something out of an incident. Whoever does so commands what was taken out.
    pub(super) fn split(
        &mut self,
        id: i64,
        part: &Part,
        term: Option<u32>,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let Some(saved) = self.load(Some(id))? else { return Ok(Err(DoorError::NoIncident(id))) };
        match part {
            Part::Incident(other) => self.split_incident(&saved, *other, term, by),
            Part::Alerts(keys) => self.split_alerts(&saved, keys, term, by),
        }
    }

    fn split_incident(
        &mut self,
        home: &Saved,
        other: i64,
        term: Option<u32>,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let id = home.incident.id;
        if let Some(further) = home.incident.merged_into {
            let why = format!("INC-{id} is itself part of INC-{further}: split INC-{id} off that one first");
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        let Some(saved) = self.load(Some(other))? else { return Ok(Err(DoorError::NoIncident(other))) };
        let (alerts, firing) = moves::gone(self.tx, other, id)?;
        let refused = |refusal| Ok(Err(DoorError::Refused(refusal)));
        let back = match self.decide(&saved, Act::SplitFrom { incident: id, alerts, firing }, by)? {
            Ok(back) => back,
            Err(refusal) => return refused(refusal),
        };
        let off = match self.decide(home, Act::SplitOff { into: other, alerts, firing, term }, by)? {
            Ok(off) => off,
            Err(refusal) => return refused(refusal),
        };
        moves::back(self.tx, other, id)?;
        self.save(&off, Some(home))?;
        self.save(&back, Some(&saved))?;
        self.memory.moved();
        Ok(Ok(Reply::Decided(Box::new(back.incident), back.reason)))
    }

    fn split_alerts(
        &mut self,
        home: &Saved,
        keys: &[(String, String)],
        term: Option<u32>,
        by: &By,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let id = home.incident.id;
        let refused = |why: String| Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        let mut found: Vec<moves::Part> = Vec::with_capacity(keys.len());
        for (source, key) in keys {
            let Some(part) = moves::of(self.tx, source, key, id)? else {
                return refused(format!("no alert {key} of {source} belongs to INC-{id}"));
            };
            if !found.iter().any(|one| one.alert == part.alert) {
                found.push(part);
            }
        }
        let Some(first) = found.first() else { return refused("name at least one alert".into()) };
        if moves::count_of(self.tx, id)? <= i64::try_from(found.len()).unwrap_or(i64::MAX) {
            return refused(format!("that would leave INC-{id} without an alert"));
        }
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let (alerts, firing) = (count(found.len()), count(found.iter().filter(|part| part.fires).count()));
        let rules = &self.house.rules;
        let severities = rules.services.get(&first.service).map(|service| service.severities.clone());
        let severities = severities.unwrap_or_default();
        let worst = found.iter().map(|part| severities.of(part.severity)).min();
        let opening = Opening {
            title: first.title.clone(),
            service: first.service.clone(),
            severity: worst.unwrap_or(home.incident.severity),
            alert: None,
            group: None,
            storm: false,
        };
        // The number is taken only when nothing refuses: numbers have no gaps.
        let off = self.decide(home, Act::SplitOff { into: 0, alerts, firing, term }, by)?;
        if let Err(refusal) = off {
            return Ok(Err(DoorError::Refused(refusal)));
        }
        let into = incidents::next_id(self.tx)?;
        let roster = self.memory.roster(self.tx)?;
        let staff = self.staff(&roster);
        let opened = decide::open_split(into, opening, (id, alerts, firing), by, staff, self.tx.now);
        let opened = opened.map_err(|_| StoreError::Decode("a new incident was refused"))?;
        self.save(&opened, None)?;
        self.must(home, Act::SplitOff { into, alerts, firing, term }, by)?;
        for part in &found {
            moves::one(self.tx, part.alert, into)?;
        }
        self.memory.moved();
        Ok(Ok(Reply::Decided(Box::new(opened.incident), opened.reason)))
    }
}

/// What an incident has become, for who looks at it by a link of its own: itself, or what it became part of.
pub fn followed(
    first: Incident,
    mut load: impl FnMut(i64) -> Result<Option<Incident>, StoreError>,
) -> Result<Incident, StoreError> {
    let mut at = first;
    for _ in 0..MERGES_MAX {
        let Some(into) = at.merged_into else { break };
        let Some(next) = load(into)? else { break };
        at = next;
    }
    Ok(at)
}
