//! Inhibition inside the transaction: which alerts keep others quiet, which are kept quiet, and what becomes of those when the
//! first are over. The rules are [`crate::core::inhibit`]'s. Without rules nothing here asks or writes anything.

use super::acts::Work;
use super::events::{Heard, OWN_KEYS, result};
use super::{EventResult, Reply};
use crate::core::alert::{Event, Known, Status};
use crate::core::inhibit::Sight;
use crate::core::route::{self, To};
use crate::core::rules::Rules;
use crate::store::inhibitors::{self, Inhibitor};
use crate::store::{StoreError, alerts, nodes};

/// Most alerts that are looked at in one transaction when rules are new.
const PAGE: u32 = 500;
/// Most places that are looked at to know by what an alert is kept quiet that keeps another quiet. Beyond them nobody knows, and the
/// other wakes people.
const WAY_MAX: usize = 16;

/// What keeps an alert quiet.
struct Kept {
    by: Inhibitor,
    place: i64,
    /// The rule's number in the configuration, from 1; 0: it is another node's.
    rule: usize,
}

impl Work<'_, '_> {
    /// An alert that fires is kept quiet when a rule says so; nobody is woken for it then.
    pub(super) fn inhibits(&mut self, heard: Heard<'_>) -> Result<Option<EventResult>, StoreError> {
        let Heard { source, service, event, known, .. } = heard;
        let Some(kept) = self.inhibitor(source, service, event, known.map(|known| known.id))? else {
            return Ok(None);
        };
        let id = self.put(source, service, event, known, None)?;
        inhibitors::suppress(self.tx, id, &kept.by, kept.place)?;
        Ok(Some(kept.result(None)))
    }

    /// The same of one that people ended the incident of while it fired: it stays there.
    pub(super) fn inhibits_on(&mut self, heard: Heard<'_>) -> Result<Option<EventResult>, StoreError> {
        let Heard { source, service, event, known, .. } = heard;
        let Some(kept) = self.inhibitor(source, service, event, known.map(|known| known.id))? else {
            return Ok(None);
        };
        if let Some(id) = self.stays(heard)? {
            inhibitors::suppress(self.tx, id, &kept.by, kept.place)?;
        }
        Ok(Some(kept.result(known.and_then(|known| known.incident))))
    }

    /// An alert is looked at that was kept quiet, by a silence or by another alert, and that no silence keeps quiet now. `None`:
    /// nothing does; else whether something changed.
    pub(super) fn is_inhibited_still(&mut self, due: &alerts::Firing) -> Result<Option<bool>, StoreError> {
        let kept = self.inhibitor(&due.source, &due.service, &due.event, Some(due.id))?;
        let kept = match kept {
            Some(kept) => kept,
            None => match self.inhibitor_of_others(due)? {
                Some(kept) => kept,
                None => return Ok(None),
            },
        };
        if due.suppressed_by.as_ref() == Some(&kept.by.mark()) && due.inhibited == Some(kept.place) {
            return Ok(Some(false));
        }
        inhibitors::suppress(self.tx, due.id, &kept.by, kept.place)?;
        self.memory.forget_inhibitors();
        Ok(Some(true))
    }

    /// An alert that is kept quiet says something else, and may not be one of those any more: it is worse, for one.
    pub(super) fn says_otherwise(
        &mut self,
        known: &Known,
        heard: Heard<'_>,
    ) -> Result<Option<EventResult>, StoreError> {
        let Heard { source, service, event, .. } = heard;
        if self.offers(known.id, false, source, service, event)? {
            // It may keep nobody quiet any more.
            self.effects.set_hour();
        }
        if event.status != Status::Firing || known.incident.is_some() {
            return Ok(None);
        }
        let Some(alert) = alerts::firing(self.tx, known.id)? else { return Ok(None) };
        let Some(mark) = alert.suppressed_by else { return Ok(None) };
        // Whatever holds it from now on is what has to end before it wakes anybody.
        if let Some(held) = self.held_by(source, service, event)? {
            if held.by != mark {
                alerts::suppress(self.tx, known.id, &held.by)?;
                self.memory.forget_inhibitors();
                self.effects.set_hour();
            }
            return Ok(None);
        }
        if let Some(kept) = self.inhibitor(source, service, event, Some(known.id))? {
            if kept.by.mark() != mark || alert.inhibited != Some(kept.place) {
                inhibitors::suppress(self.tx, known.id, &kept.by, kept.place)?;
                self.memory.forget_inhibitors();
                self.effects.set_hour();
            }
            return Ok(None);
        }
        self.fires(heard).map(Some)
    }

    /// An alert was written: others find it when it fires, and do not when it is over. Whether that may be new to them.
    pub(super) fn offers(
        &mut self,
        id: i64,
        is_new: bool,
        source: &str,
        service: &str,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let house = self.house;
        if house.rules.inhibit.is_empty() || OWN_KEYS.contains(&event.key.as_str()) {
            return Ok(false);
        }
        if event.status != Status::Firing {
            if is_new {
                return Ok(false);
            }
            // Those that it kept quiet are looked at.
            self.effects.set_hour();
            self.memory.offers(id, &[]);
            return inhibitors::forget(self.tx, id).map(|()| true);
        }
        let places = places_of(&house.rules, Sight { source, service, event });
        self.memory.offers(id, &places);
        if !is_new {
            let rules = hashes(&house.rules);
            // A question costs a trip to a server, and writing the same again does not.
            if !self.tx.is_far() && inhibitors::is_at(self.tx, id, &rules, &places)? {
                return Ok(false);
            }
            // Another node may have other rules.
            inhibitors::forget_of(self.tx, id, &rules)?;
        }
        inhibitors::add(self.tx, id, &places)?;
        Ok(true)
    }

    /// The first rule by which an alert is kept quiet, and the alert that does it.
    fn inhibitor(
        &mut self,
        source: &str,
        service: &str,
        event: &Event,
        id: Option<i64>,
    ) -> Result<Option<Kept>, StoreError> {
        let house = self.house;
        if OWN_KEYS.contains(&event.key.as_str()) {
            return Ok(None);
        }
        let seen = Sight { source, service, event };
        for (number, rule) in (1..).zip(&house.rules.inhibit) {
            let Some(words) = rule.wants(seen) else { continue };
            let place = inhibitors::place(&words);
            let found = self.memory.inhibitors(self.tx, place)?;
            // Most often one is awake.
            if let Some(by) = found.iter().find(|by| Some(by.alert) != id && by.held_at.is_none()) {
                return Ok(Some(Kept { by: by.clone(), place, rule: number }));
            }
            let found = found.to_vec();
            for by in found {
                if self.keeps_quiet(&by, id, &mut vec![place])? {
                    return Ok(Some(Kept { by, place, rule: number }));
                }
            }
        }
        Ok(None)
    }

    /// What keeps an alert quiet by a rule that this node does not have, as long as another may: rows of a rule that no node has are
    /// forgotten ([`Self::fill_inhibitors`]).
    fn inhibitor_of_others(&mut self, due: &alerts::Firing) -> Result<Option<Kept>, StoreError> {
        let Some(place) = due.inhibited else { return Ok(None) };
        let rule = inhibitors::rule_at(self.tx, place)?;
        if rule.is_none_or(|rule| hashes(&self.house.rules).contains(&rule)) {
            return Ok(None);
        }
        for by in self.memory.inhibitors(self.tx, place)?.to_vec() {
            if self.keeps_quiet(&by, Some(due.id), &mut vec![place])? {
                return Ok(Some(Kept { by, place, rule: 0 }));
            }
        }
        Ok(None)
    }

    /// Whether an alert that fires keeps another quiet, which has the number `id` if it is known. One that is itself kept quiet does so,
    /// as in Alertmanager: by a silence or maintenance, for people know why nobody is to be woken, and by others, which wake
    /// people for all of them. But alerts that keep one another quiet in a ring would let everybody sleep: one that nothing but
    /// the other keeps quiet does not count. `seen`: places on the way to it.
    fn keeps_quiet(
        &mut self,
        by: &Inhibitor,
        id: Option<i64>,
        seen: &mut Vec<i64>,
    ) -> Result<bool, StoreError> {
        if Some(by.alert) == id {
            return Ok(false);
        }
        let Some(place) = by.held_at else { return Ok(true) };
        if seen.contains(&place) || seen.len() >= WAY_MAX {
            return Ok(false);
        }
        seen.push(place);
        let found = self.memory.inhibitors(self.tx, place)?.to_vec();
        for next in found.iter().filter(|next| next.alert != by.alert) {
            if self.keeps_quiet(next, id, seen)? {
                return Ok(true);
            }
        }
        // Where nothing fires any more, it is about to be looked at, and wakes people then.
        Ok(found.is_empty())
    }

    /// Of one delivery those first that keep others quiet, for they are the same moment to their sender; behind them those that
    /// may be kept quiet by their like. The order of what is said of one alert is its meaning, and is left as it is.
    pub(super) fn inhibitors_first(&self, source: &str, service: &str, events: &mut [(usize, &Event)]) {
        let rules = &self.house.rules;
        if rules.inhibit.is_empty() || events.len() < 2 {
            return;
        }
        let mut keys: Vec<&str> = events.iter().map(|(_, event)| event.key.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair.first() == pair.last()) {
            return;
        }
        events.sort_by_cached_key(|(_, event)| {
            let set = match route::first(&rules.routes, source, service, event) {
                Some((_, route)) => match &route.to {
                    To::Set(set) => Some(set),
                    To::Ignore | To::Heartbeat(_) => return 2,
                },
                None => None,
            };
            let event = set.map_or_else(|| (*event).clone(), |set| set.apply(event));
            let service = set.and_then(|set| set.service.as_deref()).unwrap_or(service);
            let seen = Sight { source, service, event: &event };
            let fires = event.status == Status::Firing;
            let sources = rules.inhibit.iter().filter(|rule| fires && rule.is_source(seen));
            sources.map(|rule| u8::from(rule.is_target(seen))).min().unwrap_or(2)
        });
    }

    /// The rules are new to this node: alerts that fire are looked at, so many at a time, after one of a source and key. At the
    /// end what other rules have left is forgotten, and whoever was kept quiet by it is looked at; `patient`: not before all nodes
    /// run with the same configuration, for others may have those rules.
    pub(super) fn fill_inhibitors(
        &mut self,
        after: &(String, String),
        patient: bool,
    ) -> Result<Reply, StoreError> {
        let house = self.house;
        let mut after = after.clone();
        let rules = hashes(&house.rules);
        if !rules.is_empty() {
            let page = alerts::firing_after(self.tx, &after.0, &after.1, PAGE)?;
            for alert in page.iter().filter(|alert| !OWN_KEYS.contains(&alert.event.key.as_str())) {
                let seen = Sight { source: &alert.source, service: &alert.service, event: &alert.event };
                inhibitors::forget_of(self.tx, alert.id, &rules)?;
                inhibitors::add(self.tx, alert.id, &places_of(&house.rules, seen))?;
            }
            self.memory.forget_inhibitors();
            self.effects.set_hour();
            if let Some(last) = page.last() {
                after = (last.source.clone(), last.event.key.clone());
                if u32::try_from(page.len()).is_ok_and(|len| len == PAGE) {
                    return Ok(Reply::Inhibitors { after: Some(after), waits: false });
                }
            }
        }
        let others = if patient { nodes::list(self.tx)? } else { Vec::new() };
        if others.iter().any(|node| node.config_hash != house.config_hash) {
            return Ok(Reply::Inhibitors { after: Some(after), waits: true });
        }
        inhibitors::keep_only(self.tx, &rules)?;
        self.memory.forget_inhibitors();
        self.effects.set_hour();
        Ok(Reply::Inhibitors { after: None, waits: false })
    }
}

/// What tells the rules of this node from others.
fn hashes(rules: &Rules) -> Vec<i64> {
    rules.inhibit.iter().map(|rule| inhibitors::place(&rule.words())).collect()
}

/// By which rules an alert that fires is found, and where.
fn places_of(rules: &Rules, seen: Sight<'_>) -> Vec<(i64, i64)> {
    let places = rules.inhibit.iter().flat_map(|rule| {
        let places = rule.offers(seen);
        let of = if places.is_empty() { 0 } else { inhibitors::place(&rule.words()) };
        places.into_iter().map(move |words| (of, inhibitors::place(&words)))
    });
    places.collect()
}

impl Kept {
    fn result(&self, incident: Option<i64>) -> EventResult {
        let Self { by: Inhibitor { source, key, .. }, rule, .. } = self;
        let reason = format!("inhibit rule {rule}: {key} of {source} fires");
        EventResult { reason: Some(reason.into()), ..result("suppressed", incident) }
    }
}
