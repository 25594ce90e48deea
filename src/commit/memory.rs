//! What a transaction knows of alerts and incidents, so that a store that is far away is asked once for a whole
//! batch and not once for each event. For a store of this machine, where asking is cheap, it remembers no rows but those of
//! alerts: nearly all that is heard repeats one, and nobody else writes there, so that they last from one transaction to
//! the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::Command;
use super::door::Job;
use crate::core::alert::{Event, Known, Status};
use crate::core::condition::Condition;
use crate::core::correlate::{Candidate, Storm};
use crate::core::decide::{Act, Decision};
use crate::core::incident::{Incident, Phase};
use crate::core::oncall::Roster;
use crate::core::route;
use crate::core::rules::Rules;
use crate::core::silence::Silence;
use crate::core::timeline::Fact;
use crate::render::ALERTS_SHOWN_MAX;
use crate::store::alerts::{Place, Said};
use crate::store::incidents::{self, Saved};
use crate::store::inhibitors::{self, Inhibitor};
use crate::store::silences::Built;
use crate::store::{StoreError, Tx, alerts, conditions, letters, meeting, moves, roster};

/// Most alerts that are remembered from one transaction to the next: some 250 bytes each.
const LASTING_MAX: usize = 8192;

/// By source, then key; `None`: there is no such alert.
type Alerts = HashMap<String, HashMap<String, Option<Known>>>;

/// What a transaction hands to the next one.
#[derive(Default)]
pub(super) struct Lasting {
    alerts: Alerts,
    /// Which state of the store that is: see [`Tx::others_wrote`].
    as_of: Option<i64>,
}

#[derive(Default)]
pub(super) struct Memory {
    on: bool,
    alerts: Alerts,
    /// Which state of the store the alerts are of, where they last.
    as_of: Option<i64>,
    incidents: HashMap<i64, Option<Saved>>,
    /// By service, then key: the open incident an alert with this key belongs to.
    open: HashMap<String, HashMap<String, Option<i64>>>,
    /// Numbers of alerts that were heard of again, and when, whatever the store: see [`Memory::write`].
    heard: Vec<(i64, Option<Said>)>,
    /// When alerts of which something was held were last heard of, by their numbers.
    last_heard: HashMap<i64, Option<Timestamp>>,
    /// Silences in force, once they were asked for.
    silences: Option<Vec<Arc<Silence>>>,
    /// Conditions that are known or will be, once they were asked for: nobody asks who writes to no person.
    conditions: Option<Vec<Condition>>,
    /// What there is to know of places to meet, once it was asked for: nobody asks who writes to nobody.
    meeting: Option<meeting::Known>,
    /// What was said of who is on call, of people there are, once it was asked for.
    roster: Option<Arc<Roster>>,
    /// Who there is.
    rules: Arc<Rules>,
    /// Open incidents by the service that leads them, once they were asked for.
    open_of: HashMap<String, Vec<Candidate>>,
    /// Incidents that were opened lately and are open, once that was asked for.
    recent: Option<Vec<Candidate>>,
    /// By source, group and service: the open incident that holds such an alert.
    grouped: HashMap<[String; 3], Option<i64>>,
    /// Incidents that hold a group.
    holders: HashMap<i64, Candidate>,
    /// Alerts that keep others quiet, by the places where those look, once they were asked for.
    inhibitors: HashMap<i64, Vec<Inhibitor>>,
    built: Built,
    /// How many alerts had been heard of when an alert was written whole: what was heard before says nothing new.
    written: HashMap<i64, usize>,
}

impl Memory {
    /// Asks for everything that these commands are going to ask for, in three trips.
    pub(super) fn of(
        tx: &Tx<'_>,
        jobs: &[Job],
        lasting: Lasting,
        built: Built,
        rules: &Arc<Rules>,
    ) -> Result<Self, StoreError> {
        let mut memory = Self { on: tx.is_far(), built, rules: rules.clone(), ..Self::default() };
        memory.as_of = tx.others_wrote()?;
        if !memory.on {
            if memory.as_of == lasting.as_of
                && lasting.alerts.values().map(HashMap::len).sum::<usize>() <= LASTING_MAX
            {
                memory.alerts = lasting.alerts;
            }
            return Ok(memory);
        }
        // Whoever is decided about: who is on call is asked with the first question.
        let decides = |job: &Job| {
            !matches!(
                &*job.command,
                Command::Claim(_)
                    | Command::Beat(_)
                    | Command::Leave { .. }
                    | Command::Forget
                    | Command::Roster(_)
                    | Command::SignIn(_)
                    | Command::Subscribe(_)
                    | Command::Calendar(_)
                    | Command::LinkCalendar { .. }
                    | Command::UnlinkCalendar { .. }
            )
        };
        // What is answered ahead knows of nothing that is said in this batch.
        let says = jobs.iter().any(|job| matches!(&*job.command, Command::Roster(_)));
        if !says && jobs.iter().any(decides) {
            roster::ahead(tx)?;
        }
        // Whoever is woken because an hour has come reads what fires.
        let changes_no_alert = |job: &Job| {
            matches!(
                &*job.command,
                Command::Act { .. }
                    | Command::Press(_)
                    | Command::Answer(_)
                    | Command::Claim(_)
                    | Command::Settle { .. }
                    | Command::Beat(_)
            )
        };
        if jobs.iter().all(changes_no_alert) {
            let due = jobs.iter().filter_map(|job| match &*job.command {
                Command::Act { incident, act: Act::Tick { .. }, .. } => Some(*incident),
                _ => None,
            });
            alerts::of_incident_ahead(tx, &due.collect::<Vec<_>>(), ALERTS_SHOWN_MAX)?;
            let settled = jobs.iter().filter_map(|job| match &*job.command {
                Command::Settle { claim, .. } => Some(&**claim),
                _ => None,
            });
            letters::settle_ahead(tx, settled)?;
        }
        let delivered = || {
            jobs.iter().filter_map(|job| match &*job.command {
                Command::Events(delivered) => Some(delivered),
                Command::Unreadable(unread) => Some(&unread.rest),
                _ => None,
            })
        };
        let pairs: BTreeSet<(&str, &str)> = delivered()
            .flat_map(|one| one.events.iter().map(|event| (one.source.as_str(), event.key.as_str())))
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        let known = alerts::known_each(tx, &pairs)?;
        let mut wanted: BTreeSet<i64> = known.iter().flatten().filter_map(|known| known.incident).collect();
        wanted.extend(jobs.iter().filter_map(|job| match &*job.command {
            Command::Act { incident, .. } => Some(*incident),
            Command::Press(press) => Some(press.incident),
            Command::Settle { claim, alone: false, .. } => Some(claim.incident),
            _ => None,
        }));
        if delivered().any(|one| one.held || one.replays.is_some()) {
            let ids: Vec<i64> = known.iter().flatten().map(|known| known.id).collect();
            memory.last_heard = ids.iter().copied().zip(alerts::last_heard_each(tx, &ids)?).collect();
        }
        for ((source, key), known) in pairs.into_iter().zip(known) {
            memory.alerts.entry(source.to_owned()).or_default().insert(key.to_owned(), known);
        }
        let wanted: Vec<i64> = wanted.into_iter().collect();
        for (id, saved) in wanted.iter().zip(incidents::load_each(tx, &wanted)?) {
            memory.incidents.insert(*id, saved);
        }
        let mut homeless: BTreeSet<(&str, &str)> = BTreeSet::new();
        for one in delivered() {
            for event in one.events.iter().filter(|event| event.status == Status::Firing) {
                let known = memory.alerts.get(&one.source).and_then(|keys| keys.get(&event.key)?.as_ref());
                let own =
                    known.and_then(|known| known.incident).and_then(|id| memory.incidents.get(&id)?.as_ref());
                if own.is_none_or(|saved| !saved.incident.is_open()) {
                    let routed = route::first(&rules.routes, &one.source, &one.service, event)
                        .and_then(|(_, route)| route.service());
                    homeless.insert((routed.unwrap_or(&one.service), event.key.as_str()));
                }
            }
        }
        let homeless: Vec<(&str, &str)> = homeless.into_iter().collect();
        let open = alerts::open_incident_with_each(tx, &homeless)?;
        for ((service, key), id) in homeless.into_iter().zip(open) {
            memory.open.entry(service.to_owned()).or_default().insert(key.to_owned(), id);
        }
        Ok(memory)
    }

    /// What the next transaction may go on with, once this one is on disk.
    pub(super) fn lasting(self) -> Lasting {
        // A server has other nodes.
        if self.on { Lasting::default() } else { Lasting { alerts: self.alerts, as_of: self.as_of } }
    }

    pub(super) fn known(
        &mut self,
        tx: &Tx<'_>,
        source: &str,
        key: &str,
    ) -> Result<Option<Known>, StoreError> {
        if let Some(known) = self.alerts.get(source).and_then(|keys| keys.get(key)) {
            return Ok(known.clone());
        }
        let known = alerts::known(tx, source, key)?;
        if known.is_some() {
            self.remember(source, key, known.clone());
        }
        Ok(known)
    }

    fn remember(&mut self, source: &str, key: &str, known: Option<Known>) {
        match self.alerts.get_mut(source) {
            Some(keys) => keys.insert(key.to_owned(), known),
            None => self.alerts.entry(source.to_owned()).or_default().insert(key.to_owned(), known),
        };
    }

    pub(super) fn incident(&self, tx: &Tx<'_>, id: i64) -> Result<Option<Saved>, StoreError> {
        match self.incidents.get(&id) {
            Some(saved) => Ok(saved.clone()),
            None => incidents::load(tx, id),
        }
    }

    pub(super) fn open_incident_with(
        &self,
        tx: &Tx<'_>,
        service: &str,
        key: &str,
    ) -> Result<Option<i64>, StoreError> {
        let known = match self.open.get(service).and_then(|keys| keys.get(key)) {
            // One that ended in this very transaction is not open any more; another may be.
            Some(Some(id)) if !self.incident(tx, *id)?.is_some_and(|saved| saved.incident.is_open()) => None,
            known => known.copied(),
        };
        let Some(known) = known else { return alerts::open_incident_with(tx, service, key) };
        // What is decided by it may make it true: at the end nobody would see that it was not.
        #[cfg(test)]
        tests::same(&known, &alerts::open_incident_with(tx, service, key)?, &format!("{service} {key}"));
        Ok(known)
    }

    /// An alert that belonged to an incident was written: it may have left that one, be about another service now, or of another
    /// group. What others of its key or group are to join is asked for anew then.
    pub(super) fn leaves(&mut self, to: Place<'_>, event: &Event, before: i64) {
        let stays = |service: &str| to.incident == Some(before) && service == to.service;
        for (service, keys) in &mut self.open {
            if !stays(service) && keys.get(&event.key) == Some(&Some(before)) {
                keys.remove(&event.key);
            }
        }
        let is_same = |group: &String| event.group.as_ref().is_none_or(|own| own == group);
        self.grouped.retain(|[source, group, service], incident| {
            *incident != Some(before) || source != to.source || (stays(service) && is_same(group))
        });
    }

    /// An alert was written.
    pub(super) fn put_alert(
        &mut self,
        source: &str,
        service: &str,
        event: &Event,
        known: impl FnOnce() -> Known,
    ) {
        let (key, known) = (event.key.as_str(), known());
        if let Some(incident) = known.incident {
            // The newest counts, and an alert of an older one may be written after it. What was not asked for is
            // asked for when it is needed.
            if let Some(open) = self.open.get_mut(service).and_then(|keys| keys.get_mut(key)) {
                *open = (*open).max(Some(incident));
            }
        }
        self.remember(source, key, Some(known));
    }

    /// An alert was said to be as it is of a later hour.
    pub(super) fn said_later(&mut self, source: &str, key: &str, hour: Timestamp) {
        let known = self.alerts.get_mut(source).and_then(|keys| keys.get_mut(key)?.as_mut());
        if let Some(known) = known {
            known.said_hour = hour;
        }
    }

    /// An alert says something else.
    pub(super) fn reword(&mut self, source: &str, event: &Event) {
        let known = self.alerts.get_mut(source).and_then(|keys| keys.get_mut(&event.key)?.as_mut());
        if let Some(known) = known {
            known.wording = event.wording();
        }
    }

    /// An alert was heard of again; `said` when its status was said.
    pub(super) fn hear(&mut self, alert: i64, said: Option<Said>) {
        self.heard.push((alert, said));
        if let Some(said) = said {
            self.said(alert, said.at);
        }
    }

    /// Silences in force.
    pub(super) fn silences(&mut self, tx: &Tx<'_>) -> Result<&[Arc<Silence>], StoreError> {
        let known = match self.silences.take() {
            Some(known) => known,
            None => self.built.active(tx)?,
        };
        Ok(self.silences.insert(known))
    }

    /// Conditions that are known or will be.
    pub(super) fn conditions(&mut self, tx: &Tx<'_>) -> Result<&[Condition], StoreError> {
        let known = match self.conditions.take() {
            Some(known) => known,
            None => conditions::open(tx)?,
        };
        Ok(self.conditions.insert(known))
    }

    /// What there is to know of places to meet. What recovers while it is known stays doubted until the transaction is over.
    pub(super) fn meeting(&mut self, tx: &Tx<'_>) -> Result<&meeting::Known, StoreError> {
        let known = match self.meeting.take() {
            Some(known) => known,
            None => meeting::Known::ask(tx, &self.rules)?,
        };
        Ok(self.meeting.insert(known))
    }

    /// An alert of a service fires, or a person says that it is down.
    pub(super) fn strikes(&mut self, service: &str) {
        if let Some(known) = &mut self.meeting {
            known.strikes(service, &self.rules);
        }
    }

    /// What was said of who is on call, as far as it is not over, and what calendars say.
    pub(super) fn roster(&mut self, tx: &Tx<'_>) -> Result<Arc<Roster>, StoreError> {
        let known = match self.roster.take() {
            Some(known) => known,
            None => Arc::new(self.asked_roster(tx)?),
        };
        Ok(self.roster.insert(known).clone())
    }

    fn asked_roster(&self, tx: &Tx<'_>) -> Result<Roster, StoreError> {
        roster::said(tx, &self.rules, tx.now)
    }

    /// Something else was said of who is on call.
    pub(super) fn forget_roster(&mut self) {
        self.roster = None;
    }

    /// Conditions have changed.
    pub(super) fn forget_conditions(&mut self) {
        self.conditions = None;
    }

    /// Alerts that fire and are found in a place.
    pub(super) fn inhibitors(&mut self, tx: &Tx<'_>, place: i64) -> Result<&[Inhibitor], StoreError> {
        let known = match self.inhibitors.remove(&place) {
            Some(known) => known,
            None => inhibitors::at(tx, place)?,
        };
        Ok(self.inhibitors.entry(place).or_insert(known))
    }

    /// An alert is found in these places from now on, and in no other.
    pub(super) fn offers(&mut self, alert: i64, places: &[(i64, i64)]) {
        self.inhibitors.retain(|_, found| found.iter().all(|one| one.alert != alert));
        for (_, place) in places {
            self.inhibitors.remove(place);
        }
    }

    /// Other rules are in force, or something else holds one that may keep others quiet.
    pub(super) fn forget_inhibitors(&mut self) {
        self.inhibitors.clear();
    }

    /// Open incidents that some services lead.
    pub(super) fn open_of(&mut self, tx: &Tx<'_>, services: &[&str]) -> Result<Vec<Candidate>, StoreError> {
        let unknown: Vec<&str> =
            services.iter().copied().filter(|service| !self.open_of.contains_key(*service)).collect();
        if !unknown.is_empty() {
            let found = moves::open_of(tx, &unknown)?;
            self.open_of.extend(unknown.into_iter().map(|service| (service.to_owned(), Vec::new())));
            for one in found {
                self.open_of.entry(one.service.clone()).or_default().push(one);
            }
        }
        Ok(services.iter().filter_map(|service| self.open_of.get(*service)).flatten().cloned().collect())
    }

    /// Incidents that were opened lately and are open.
    pub(super) fn recent(&mut self, tx: &Tx<'_>, storm: Storm) -> Result<Vec<Candidate>, StoreError> {
        let known = match self.recent.take() {
            Some(known) => known,
            None => moves::recent(tx, storm.within, storm.incidents)?,
        };
        Ok(self.recent.insert(known).clone())
    }

    /// The open incident that holds an alert which its sender groups so.
    pub(super) fn grouped(
        &mut self,
        tx: &Tx<'_>,
        source: &str,
        group: &str,
        service: &str,
    ) -> Result<Option<Candidate>, StoreError> {
        let key = [source, group, service].map(str::to_owned);
        if let Some(known) = self.grouped.get(&key) {
            let holder = known.and_then(|id| self.holders.get(&id));
            if known.is_none() || holder.is_some() {
                #[cfg(test)]
                tests::same(known, &moves::grouped(tx, source, group, service)?, &format!("{key:?}"));
                return Ok(holder.cloned());
            }
        }
        // One that ended in this very transaction holds nothing any more; another may.
        let found = moves::grouped(tx, source, group, service)?;
        let holder = found.map_or(Ok(None), |id| moves::candidate(tx, id))?;
        self.grouped.insert(key, found);
        if let Some(holder) = &holder {
            self.holders.insert(holder.id, holder.clone());
        }
        Ok(holder)
    }

    /// An alert of a group came to an incident.
    pub(super) fn groups(&mut self, source: &str, service: &str, event: &Event, incident: Option<i64>) {
        if let (Some(group), Some(incident)) = (&event.group, incident) {
            let key = [source, group, service].map(str::to_owned);
            if let Some(known) = self.grouped.get_mut(&key) {
                *known = (*known).max(Some(incident));
            }
        }
    }

    /// An incident was written: others may join it now, or not any more.
    pub(super) fn correlate(&mut self, decision: &Decision, is_new: bool) {
        let incident = &decision.incident;
        if decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Reopened { .. })) {
            // Which groups it holds stands in the store alone, and whether its alerts fire on.
            self.meeting = None;
            self.open_of.clear();
            self.recent = None;
            self.grouped.clear();
            self.holders.clear();
            return;
        }
        if is_new {
            self.strikes(incident.leads());
        }
        let mut last = None;
        let mut take = |open: &mut Vec<Candidate>| {
            let place = open.iter().position(|one| one.id == incident.id);
            last = place.map(|place| open.swap_remove(place)).or(last.take());
            place.is_some()
        };
        self.open_of.values_mut().for_each(|open| {
            take(open);
        });
        let was_recent = self.recent.as_mut().is_some_and(take);
        let held = self.holders.remove(&incident.id);
        let joined = is_new || incidents::joins(decision);
        let known = last.or_else(|| held.clone()).map(|last| last.joined_at);
        let joined_at = if joined { Some(decision_hour(decision)) } else { known };
        let (Some(joined_at), true) = (joined_at, incident.is_open()) else { return };
        let candidate = Candidate {
            id: incident.id,
            service: incident.leads().to_owned(),
            group: incident.group.clone().unwrap_or_default(),
            opened_at: incident.opened_at,
            joined_at,
            severity: incident.severity,
            firing: incident.firing,
            taken: !matches!(incident.phase, Phase::Triggered { .. }),
            storm: incident.storm,
        };
        if held.is_some() || is_new {
            self.holders.insert(incident.id, candidate.clone());
        }
        if let (Some(open), true) = (&mut self.recent, is_new || was_recent || incident.storm) {
            open.push(candidate.clone());
        }
        if let Some(open) = self.open_of.get_mut(incident.leads()) {
            open.push(candidate);
        }
    }

    /// Alerts went from one incident to another.
    pub(super) fn moved(&mut self) {
        self.alerts.clear();
        // Those that people ended the incident of fire on where they are now.
        self.inhibitors.clear();
        self.open.clear();
        self.grouped.clear();
        // What was taken out of an incident that people ended keeps others quiet again.
        self.inhibitors.clear();
        self.meeting = None;
    }

    /// Silences have changed.
    pub(super) fn forget_silences(&mut self) {
        self.silences = None;
    }

    /// An alert was written whole.
    pub(super) fn wrote(&mut self, alert: i64) {
        self.written.insert(alert, self.heard.len());
    }

    /// How an alert stands was said of this hour.
    pub(super) fn said(&mut self, alert: i64, at: Timestamp) {
        if let Some(last) = self.last_heard.get_mut(&alert) {
            *last = (*last).max(Some(at));
        }
    }

    /// When an alert was last said to fire or to be over, also a moment ago in this transaction.
    pub(super) fn last_heard(&mut self, tx: &Tx<'_>, alert: i64) -> Result<Option<Timestamp>, StoreError> {
        if let Some(at) = self.last_heard.get(&alert) {
            return Ok(*at);
        }
        self.write(tx)?;
        let at = alerts::last_heard(tx, alert)?;
        self.last_heard.insert(alert, at);
        Ok(at)
    }

    /// Writes how often alerts were heard again: once for each alert and not for each event, because in a storm
    /// the same ones come over and over, and in the order in which the rows lie.
    pub(super) fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let mut heard = std::mem::take(&mut self.heard);
        let written = std::mem::take(&mut self.written);
        if !written.is_empty() {
            for (index, (alert, said)) in heard.iter_mut().enumerate() {
                if written.get(alert).is_some_and(|before| index < *before) {
                    *said = None;
                }
            }
        }
        heard.sort_unstable();
        let times = |same: &[_]| i64::try_from(same.len()).unwrap_or(i64::MAX);
        let once: Vec<(i64, i64, Option<Said>)> = heard
            .chunk_by(|one, other| one.0 == other.0)
            .filter_map(|same| same.last().map(|(alert, last)| (*alert, times(same), *last)))
            .collect();
        alerts::heard_each(tx, &once)
    }

    /// An incident was written.
    pub(super) fn put_incident(&mut self, incident: &Incident, head: [u8; 32]) {
        if self.on {
            self.incidents.insert(incident.id, Some(Saved { incident: incident.clone(), head }));
        }
    }

    /// People ended an incident, or took that back; the firing alerts of it remember when.
    pub(super) fn closed(&mut self, incident: i64, at: Option<Timestamp>) {
        // What people ended keeps nobody quiet.
        self.inhibitors.clear();
        if at.is_none() {
            // Whichever keys it has are those of an open incident again: the store knows them.
            self.open.clear();
        }
        let all = self.alerts.values_mut().flat_map(HashMap::values_mut).flatten();
        for known in all.filter(|known| known.incident == Some(incident)) {
            if at.is_none() || known.status == Status::Firing {
                known.closed_at = at;
            }
        }
    }

    /// Rows have gone that may be remembered here.
    pub(super) fn forget(&mut self) {
        *self = Self {
            on: self.on,
            heard: std::mem::take(&mut self.heard),
            written: std::mem::take(&mut self.written),
            as_of: self.as_of,
            built: self.built.clone(),
            rules: self.rules.clone(),
            ..Self::default()
        };
    }
}

/// The hour of a decision: that of its newest entry.
fn decision_hour(decision: &Decision) -> Timestamp {
    decision.entries.last().map_or(Timestamp::MIN, |entry| entry.at)
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Debug;
    use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

    use super::*;

    /// What is remembered is not what the store holds. No other panic is this, so that the test ends, and the commands are not
    /// run again one by one as after a fault of one of them.
    pub(in super::super) struct Disagrees;

    pub(super) fn same<T: Debug + PartialEq>(remembered: &T, kept: &T, what: &str) {
        must(|| assert_eq!(remembered, kept, "{what}"));
    }

    fn must(agree: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(agree)).is_err() {
            panic_any(Disagrees);
        }
    }

    impl Memory {
        /// Looks whether what is remembered is what the store holds.
        pub(in super::super) fn agrees(&self, tx: &Tx<'_>) {
            must(|| self.compares(tx));
        }

        fn compares(&self, tx: &Tx<'_>) {
            for (source, keys) in &self.alerts {
                for (key, known) in keys {
                    assert_eq!(*known, alerts::known(tx, source, key).unwrap(), "{source} {key}");
                }
            }
            for (id, saved) in &self.incidents {
                let kept = incidents::load(tx, *id).unwrap();
                assert_eq!(
                    saved.as_ref().map(|saved| &saved.incident),
                    kept.as_ref().map(|kept| &kept.incident)
                );
                assert_eq!(saved.as_ref().map(|saved| saved.head), kept.as_ref().map(|kept| kept.head));
            }
            if let Some(known) = &self.conditions {
                assert_eq!(*known, conditions::open(tx).unwrap());
            }
            if let Some(known) = &self.meeting {
                assert!(known.holds(&meeting::Known::ask(tx, &self.rules).unwrap()));
            }
            if let Some(known) = &self.roster {
                assert_eq!(**known, self.asked_roster(tx).unwrap());
            }
            for (place, known) in &self.inhibitors {
                assert_eq!(*known, inhibitors::at(tx, *place).unwrap(), "{place}");
            }
            for (service, known) in &self.open_of {
                let mut kept = crate::store::moves::open_of(tx, &[service]).unwrap();
                let mut known = known.clone();
                kept.sort_by_key(|one| one.id);
                known.sort_by_key(|one| one.id);
                if known.len() < 64 {
                    assert_eq!(known, kept, "{service}");
                }
            }
            for ([source, group, service], id) in &self.grouped {
                // One that is not among the holders is asked for anew.
                if id.is_none_or(|id| self.holders.contains_key(&id)) {
                    let kept = moves::grouped(tx, source, group, service).unwrap();
                    assert_eq!(*id, kept, "{source} {group} {service}");
                }
            }
            for (id, holder) in &self.holders {
                assert_eq!(moves::candidate(tx, *id).unwrap().as_ref(), Some(holder));
            }
            if let Some(silences) = &self.silences {
                assert_eq!(*silences, Built::default().active(tx).unwrap());
            }
            for one in self.recent.iter().flatten() {
                assert_eq!(moves::candidate(tx, one.id).unwrap().as_ref(), Some(one));
            }
            for (service, keys) in &self.open {
                for key in keys.keys() {
                    let kept = alerts::open_incident_with(tx, service, key).unwrap();
                    assert_eq!(self.open_incident_with(tx, service, key).unwrap(), kept, "{service} {key}");
                }
            }
        }
    }
}
