//! Events to incidents: what is known of the alert, what the event means for it, and whose incident it is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::acts::Work;
use super::{Delivered, EventResult, Unread};
use crate::core::alert::{
    AlertSeverity, Event, Known, Status, Weight, change_time, changed_at, later_hour, said_hour, weigh,
};
use crate::core::decide::{Act, By, Reason};
use crate::core::flapping::{Flaps, History};
use crate::core::heartbeat;
use crate::core::incident::{Incident, Phase};
use crate::core::maintenance;
use crate::core::route::{self, Route, To};
use crate::core::timeline::{self, Actor};
use crate::store::alerts::{self, Hours, Place, Said};
use crate::store::incidents::Saved;
use crate::store::nodes::Hearing;
use crate::store::{StoreError, unreadable};

/// Keys of what onscene itself says about a source.
pub const OWN_KEYS: [&str; 3] = [unreadable::KEY, super::drain::KEY, super::lagging::KEY];

/// What is said of an alert that fires.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    /// Where it comes from.
    pub(super) source: &'a str,
    /// The service it is about.
    pub(super) service: &'a str,
    /// What is said.
    pub(super) event: &'a Event,
    /// What was known of it before.
    pub(super) known: Option<&'a Known>,
    /// Who is said to have done what follows from it.
    pub(super) by: &'a By,
}

impl Work<'_, '_> {
    /// Takes the events of one delivery, in their order.
    pub(super) fn take(&mut self, delivered: &Delivered) -> Result<Vec<EventResult>, StoreError> {
        let Delivered { source, kind, service, events, received_at, replays, held } = delivered;
        self.received_at = Some(*received_at);
        // The clock of the node that held it may have been ahead. What is read at last was heard when it came, too: what was
        // heard of its alerts since then, and be it of the same body, is newer.
        self.heard_at = (*held || replays.is_some()).then_some((*received_at).min(self.tx.now));
        self.replayed = replays.is_some();
        self.pushed_for =
            (self.heard_at.is_none() && kind == super::lagging::PUSHES).then(|| service.clone());
        if source == heartbeat::SOURCE {
            return self.pings(delivered);
        }
        let before = match replays {
            Some(id) => unreadable::taken(self.tx, *id)?.unwrap_or_default(),
            None => BTreeSet::new(),
        };
        if !self.in_part && self.was_replayed(*replays)? {
            return Ok(Vec::new());
        }
        let was_taken =
            |event: &Event| !before.is_empty() && before.contains(&unreadable::word(event, *received_at));
        let count = events.iter().filter(|event| !was_taken(event)).count();
        self.effects.received(source, kind, count);
        let mut seen = BTreeSet::new();
        let mut results = Vec::with_capacity(events.len());
        let mut events: Vec<(usize, &Event)> = events.iter().enumerate().collect();
        self.inhibitors_first(source, service, &mut events);
        for (place, event) in events {
            if was_taken(event) {
                // It was taken and counted when more of its body could not be read.
                let known = self.memory.known(self.tx, source, &event.key)?;
                results.push((place, result("stale", known.and_then(|known| known.incident))));
                continue;
            }
            let result = match &event.delivery_id {
                // Events of one body share its id; only an id of an earlier body makes them repeats.
                Some(id)
                    if !self.replayed
                        && !self.in_part
                        && !seen.contains(id)
                        && !unreadable::first_time(self.tx, source, id)? =>
                {
                    let known = self.memory.known(self.tx, source, &event.key)?;
                    result("repeated", known.and_then(|known| known.incident))
                }
                id => {
                    seen.extend(id.clone());
                    self.event(source, service, event)?
                }
            };
            self.effects.outcome(source, result.outcome);
            results.push((place, result));
        }
        if !self.in_part {
            self.tell_all_read(delivered)?;
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Takes what can be read by now of a kept body that goes on waiting; `None` when it does not wait any more.
    pub(super) fn take_more(
        &mut self,
        id: i64,
        unread: &Unread,
    ) -> Result<Option<Vec<EventResult>>, StoreError> {
        let Some(mut taken) = unreadable::taken(self.tx, id)? else { return Ok(None) };
        self.in_part = true;
        let results = self.take(&unread.rest)?;
        taken.extend(words(&unread.rest));
        unreadable::still(self.tx, id, &unread.kept.error, &taken)?;
        Ok(Some(results))
    }

    /// Whether a kept body was read by another meanwhile; if not, it is from now on.
    pub(super) fn was_replayed(&self, replays: Option<i64>) -> Result<bool, StoreError> {
        Ok(match replays {
            Some(id) => !unreadable::replayed(self.tx, id)?,
            None => false,
        })
    }

    /// Ends the alert about bodies that cannot be read, when the last of them was.
    pub(super) fn tell_all_read(&mut self, delivered: &Delivered) -> Result<(), StoreError> {
        let Delivered { source, service, replays, .. } = delivered;
        if replays.is_some() && unreadable::waiting_of(self.tx, source)?.0 == 0 {
            self.heard_at = None;
            let all_read = Event::new(unreadable::KEY, Status::Resolved, "everything kept was read");
            self.event(source, service, &all_read)?;
        }
        Ok(())
    }

    /// Keeps a body that could not be understood, and raises an alert about that on its source. `rest` was taken of it.
    pub(super) fn keep(&mut self, kept: &unreadable::Kept, rest: &Delivered) -> Result<i64, StoreError> {
        self.received_at = Some(kept.received_at);
        let id = unreadable::put(self.tx, kept, &words(rest).collect())?;
        self.effects.received(&kept.source, &kept.kind, 1);
        self.effects.outcome(&kept.source, "unreadable");
        let title = format!("source {} sends what onscene cannot read", kept.source);
        let mut event = Event::new(unreadable::KEY, Status::Firing, title);
        event.severity = Some(AlertSeverity::Error);
        event.body = format!(
            "{}. The body is kept as number {id}: alerts may be missing until it is read. When the source or \
             onscene is mended, run `onscene replay {id}`.",
            kept.error
        );
        self.event(&kept.source, &rest.service, &event)?;
        Ok(id)
    }

    /// Takes one event, as the first route that fits it says.
    pub(super) fn event(
        &mut self,
        source: &str,
        service: &str,
        event: &Event,
    ) -> Result<EventResult, StoreError> {
        // What onscene itself says about a source is for its operator, whatever routes and silences say.
        if OWN_KEYS.contains(&event.key.as_str()) {
            return self.as_said(source, service, event);
        }
        let house = self.house;
        let rules = &house.rules;
        let mut age_out = rules.age_out.get(source).copied();
        let mut service = service;
        let mut event = Cow::Borrowed(event);
        match route::first(&rules.routes, source, service, &event) {
            Some((place, Route { to: To::Ignore, .. })) => {
                let known = self.memory.known(self.tx, source, &event.key)?;
                if event.status == Status::Firing || known.is_none() {
                    self.touch(known.as_ref(), None);
                    let reason = format!("route {} ignores it", place + 1);
                    let incident = known.and_then(|known| known.incident);
                    return Ok(EventResult { reason: Some(reason.into()), ..result("ignored", incident) });
                }
            }
            Some((_, Route { to: To::Heartbeat(name), .. })) => {
                // One that fired before it was a ping still recovers.
                let known = self.memory.known(self.tx, source, &event.key)?;
                let over = event.status == Status::Resolved
                    && known.is_some_and(|known| known.status == Status::Firing);
                if !over {
                    return self.beats(name, &event);
                }
            }
            Some((_, Route { to: To::Set(set), .. })) => {
                service = set.service.as_deref().unwrap_or(service);
                age_out = set.age_out.or(age_out);
                if !set.leaves_it() {
                    event = Cow::Owned(set.apply(&event));
                }
            }
            None => {}
        }
        let heard = self.heard_at.unwrap_or(self.tx.now);
        let until = route::expires_at(&event, age_out, heard);
        if until != event.expires_at {
            event.to_mut().expires_at = until;
        }
        self.as_said(source, service, &event)
    }

    /// An alert that fires for as long as all is well is a ping; that it does not fire says nothing.
    fn beats(&mut self, name: &str, event: &Event) -> Result<EventResult, StoreError> {
        if event.status != Status::Firing {
            return Ok(result("ignored", None));
        }
        let at = self.heard_at.unwrap_or(self.tx.now);
        // What follows from it is said now.
        let held = self.heard_at.take();
        let beat = self.ping(name, at);
        self.heard_at = held;
        Ok(EventResult { reason: Some(format!("heartbeat {name}").into()), ..beat? })
    }

    fn as_said(&mut self, source: &str, service: &str, event: &Event) -> Result<EventResult, StoreError> {
        let known = self.memory.known(self.tx, source, &event.key)?;
        let incident = known.as_ref().and_then(|known| known.incident);
        let heard = |by| Heard { source, service, event, known: known.as_ref(), by };
        let by = || By {
            actor: Actor::Source(source.to_owned()),
            route: timeline::Route::Webhook,
            occurred_at: event.occurred_at.map(|_| change_time(event, self.tx.now)),
        };
        if let (Some(heard), Some(known)) = (self.heard_at, &known)
            && self.is_outdated(event, heard, known)?
        {
            self.touch(Some(known), None);
            return Ok(result("stale", incident));
        }
        // What held for a while at an hour long gone says nothing about now.
        if self.replayed && event.expires_at.is_some_and(|at| at <= self.tx.now) {
            self.touch(known.as_ref(), None);
            return Ok(result("stale", incident));
        }
        // What was held is weighed as of the hour when it was heard: how long the store was away says nothing about it.
        let heard_at = self.heard_at.map_or(self.tx.now, |at| at.min(self.tx.now));
        let outcome = match weigh(event, known.as_ref(), heard_at) {
            Weight::Fires => return self.fires(heard(&by())),
            Weight::FiresOn => return self.fires_on(heard(&by())),
            Weight::Repeats => {
                match &known {
                    Some(known) if known.wording != event.wording() => {
                        alerts::words(self.tx, known.id, event)?;
                        self.memory.reword(source, event);
                        if let Some(result) = self.says_otherwise(known, heard(&by()))? {
                            return Ok(result);
                        }
                        self.worsens(service, event, known, &by())?;
                    }
                    _ => {}
                }
                self.repeats(source, event, known.as_ref())?;
                "repeated"
            }
            Weight::Recovers => {
                self.put(source, service, event, known.as_ref(), incident)?;
                if let Some(saved) = self.load(incident)? {
                    let flaps = self.history_of(service, event, known.as_ref()).1;
                    let (source, key) = (source.to_owned(), event.key.clone());
                    let act = Act::Recover { source, key, timed_out: None, flaps };
                    self.must(&saved, act, &by())?;
                }
                "resolved"
            }
            Weight::RecoversUnseen => {
                self.put(source, service, event, known.as_ref(), None)?;
                "resolved"
            }
            Weight::Stale => {
                self.touch(known.as_ref(), None);
                "stale"
            }
            Weight::Acknowledges => {
                self.touch(known.as_ref(), None);
                if let Some(saved) = self.load(incident)?.filter(|saved| saved.incident.is_open()) {
                    let act = Act::SourceAcknowledge { source: source.to_owned(), key: event.key.clone() };
                    self.must(&saved, act, &by())?;
                }
                "acknowledged"
            }
            Weight::Ignored => {
                self.touch(known.as_ref(), None);
                "ignored"
            }
            Weight::Test => "test",
        };
        Ok(result(outcome, incident))
    }

    /// An alert is said to be as it is.
    pub(super) fn repeats(
        &mut self,
        source: &str,
        event: &Event,
        known: Option<&Known>,
    ) -> Result<(), StoreError> {
        if let Some(known) = known
            && let Some(hour) = later_hour(event, known, self.tx.now)
        {
            alerts::said_later(self.tx, known.id, hour)?;
            self.memory.said_later(source, &event.key, hour);
            if self.shows_lag(event, known, hour) {
                self.tell_lag(source, event)?;
            }
        }
        self.touch(known, Some(event));
        Ok(())
    }

    /// An alert that fires may be worse than it was said to be before.
    fn worsens(&mut self, service: &str, event: &Event, known: &Known, by: &By) -> Result<(), StoreError> {
        if event.status != Status::Firing || event.severity.is_none() {
            return Ok(());
        }
        let severity = self.severity_of(service, event);
        let own = self.load(known.incident)?;
        if let Some(saved) = own.filter(|own| own.incident.is_open() && severity < own.incident.severity) {
            self.must(&saved, Act::Worsen { severity }, by)?;
        }
        Ok(())
    }

    /// Whether something newer than what was held is known of an alert: that it was heard of, changed or only said
    /// again, or that people ended its incident. An hour that has not come yet was given by a clock that has been
    /// put right since: nothing happened then.
    fn is_outdated(&mut self, event: &Event, heard: Timestamp, known: &Known) -> Result<bool, StoreError> {
        let now = self.tx.now;
        let newer = |at| heard < at && at <= now;
        // A recovery, however old, is true of what people ended.
        if event.status != Status::Resolved && known.closed_at.is_some_and(newer) {
            return Ok(true);
        }
        Ok(self.memory.last_heard(self.tx, known.id)?.is_some_and(newer))
    }

    /// What keeps an event from waking anybody: the silence in force that it fits, the one that ends last; else maintenance of
    /// what it is about.
    pub(super) fn held_by(
        &mut self,
        source: &str,
        service: &str,
        event: &Event,
    ) -> Result<Option<Held>, StoreError> {
        let now = self.tx.now;
        // What onscene itself says about a source is for its operator, whatever that source's silences say.
        if OWN_KEYS.contains(&event.key.as_str()) {
            return Ok(None);
        }
        let all = self.memory.silences(self.tx)?;
        if let Some(silence) = all.iter().find(|silence| silence.holds(source, service, event, now)) {
            let reason = format!("silence {} until {:.0}", silence.id, silence.ends_at);
            return Ok(Some(Held { by: silence.id.clone(), reason }));
        }
        let window = maintenance::of(&self.house.rules.maintenance, service, now);
        Ok(window.map(|(window, until)| Held {
            by: maintenance::mark(&window.name, service),
            reason: format!("maintenance {} until {until:.0}", window.name),
        }))
    }

    /// An alert fires, and nobody is woken: it is looked at again when what holds it is over.
    pub(super) fn suppress(&mut self, heard: Heard<'_>, held: &Held) -> Result<EventResult, StoreError> {
        let Heard { source, service, event, known, .. } = heard;
        let id = self.put(source, service, event, known, None)?;
        alerts::suppress(self.tx, id, &held.by)?;
        self.effects.set_hour();
        Ok(held.result(None))
    }

    /// The hour of an alert may have come: it was not said again in time, or what held it is over. Whether it had.
    pub(super) fn alert_is_due(&mut self, id: i64, hearing: Hearing) -> Result<bool, StoreError> {
        // What was heard a moment ago, in this transaction, counts.
        self.memory.write(self.tx)?;
        let Some(due) = alerts::firing(self.tx, id)? else {
            alerts::expects_no_more(self.tx, id)?;
            return Ok(false);
        };
        let Some(known) = self.memory.known(self.tx, &due.source, &due.event.key)? else { return Ok(false) };
        self.unheard = true;
        if alerts::is_expired(self.tx, id, hearing)? {
            self.times_out(&due, &known)?;
            return Ok(true);
        }
        let Some(held) = due.suppressed_by.as_ref() else { return Ok(false) };
        let was_ended = known.closed_at.is_some();
        if known.incident.is_some() && !was_ended {
            // A node of an older version has opened its incident again: people have heard of it.
            self.memory.forget_inhibitors();
            return alerts::let_go(self.tx, id).map(|()| true);
        }
        match self.held_by(&due.source, &due.service, &due.event)? {
            Some(other) if other.by == *held => Ok(false),
            Some(other) => {
                alerts::suppress(self.tx, id, &other.by)?;
                self.memory.forget_inhibitors();
                Ok(true)
            }
            None if let Some(changed) = self.is_inhibited_still(&due)? => Ok(changed),
            None => {
                let by = By {
                    actor: Actor::Source(due.source.clone()),
                    route: timeline::Route::Daemon,
                    occurred_at: due.event.occurred_at,
                };
                let (source, service, event) = (&due.source, &due.service, &due.event);
                let heard = Heard { source, service, event, known: Some(&known), by: &by };
                // Of what people ended they hear as they would have when it was said to fire on.
                if was_ended {
                    self.fires_on(heard)?
                } else {
                    self.fires(heard)?
                };
                Ok(true)
            }
        }
    }

    fn times_out(&mut self, due: &alerts::Firing, known: &Known) -> Result<(), StoreError> {
        let over_at = due.event.expires_at;
        // Nobody said that it is over. So it is no change that would make the next push, with the start it always
        // had, an old one.
        let mut event =
            Event { status: Status::Resolved, occurred_at: Some(known.changed_at), ..due.event.clone() };
        event.expires_at = None;
        let flaps = self.history_of(&due.service, &event, Some(known)).1;
        self.put(&due.source, &due.service, &event, Some(known), known.incident)?;
        alerts::expects_no_more(self.tx, due.id)?;
        if let Some(saved) = self.load(known.incident)? {
            let act = Act::Recover {
                source: due.source.clone(),
                key: event.key,
                timed_out: Some(due.event.title.clone()),
                flaps,
            };
            self.must(
                &saved,
                act,
                &By { actor: Actor::Dispatch, route: timeline::Route::Daemon, occurred_at: over_at },
            )?;
        }
        Ok(())
    }

    /// What is remembered of an alert's changes once an event is taken, and whether it flaps then.
    pub(super) fn history_of(
        &self,
        service: &str,
        event: &Event,
        known: Option<&Known>,
    ) -> (History, Option<Flaps>) {
        let changed = match known {
            Some(known) => known.status != event.status,
            None => event.status == Status::Firing,
        };
        let heard = self.heard_at.unwrap_or(self.tx.now);
        let flapping = self.house.rules.flapping_of(service);
        known.map_or_else(History::default, |known| known.history.clone()).after(changed, flapping, heard)
    }

    pub(super) fn may_reopen(&self, saved: &Saved) -> bool {
        let within = self.house.rules.clocks.reopen_within;
        saved.incident.resolution().is_some_and(|(_, at)| self.tx.now.duration_since(at) <= within)
    }

    pub(super) fn load(&self, incident: Option<i64>) -> Result<Option<Saved>, StoreError> {
        incident.map_or(Ok(None), |id| self.memory.incident(self.tx, id))
    }

    /// Counts an event that changed nothing; one about an alert nobody knows leaves no trace. `said`: it says how
    /// the alert stands now.
    pub(super) fn touch(&mut self, known: Option<&Known>, said: Option<&Event>) {
        if let Some(known) = known {
            let said = said.map(|event| Said { at: self.said_at(event), until: event.expires_at });
            self.memory.hear(known.id, said);
        }
    }

    /// The hour of which an event speaks: that at which it was heard. A recovery may be told again, or by another, long
    /// after the alert fires once more; so one that names its hour speaks of that.
    fn said_at(&self, event: &Event) -> Timestamp {
        let heard = self.heard_at.unwrap_or(self.tx.now);
        match (event.status, event.occurred_at) {
            (Status::Resolved, Some(at)) => at.min(heard),
            _ => heard,
        }
    }

    /// An alert that fires goes from its incident to another, or to none: the one it leaves must not wait for it.
    fn leaves(
        &mut self,
        source: &str,
        event: &Event,
        known: &Known,
        to: Option<i64>,
    ) -> Result<(), StoreError> {
        // Older versions left it uncounted.
        let Some(saved) = self.load(known.incident)?.filter(|saved| saved.incident.firing > 0) else {
            return Ok(());
        };
        let to = to.map_or_else(|| "is silenced".into(), |id| format!("belongs to INC-{id} from now on"));
        let act = Act::Leave { source: source.to_owned(), key: event.key.clone(), to };
        let by = By {
            actor: Actor::Source(source.to_owned()),
            route: if self.unheard { timeline::Route::Daemon } else { timeline::Route::Webhook },
            occurred_at: None,
        };
        self.must(&saved, act, &by)?;
        Ok(())
    }

    pub(super) fn put(
        &mut self,
        source: &str,
        service: &str,
        event: &Event,
        known: Option<&Known>,
        incident: Option<i64>,
    ) -> Result<i64, StoreError> {
        if let Some(known) =
            known.filter(|known| known.status == Status::Firing && known.incident != incident)
        {
            self.leaves(source, event, known, incident)?;
        }
        let place = Place { source, service, incident };
        let since = changed_at(event, known, self.tx.now);
        let newest = said_hour(event, known, since, self.tx.now);
        let taken_at = self.heard_at.unwrap_or(self.tx.now);
        let said_at = self.said_at(event);
        let said = (!self.unheard).then_some(said_at);
        let hours = Hours { since, newest, taken: taken_at, said };
        let history = self.history_of(service, event, known).0;
        let id = alerts::put(self.tx, known, place, event, hours, &history)?;
        self.memory.wrote(id);
        self.offers(id, known.is_none(), source, service, event)?;
        if let Some(at) = said {
            self.memory.said(id, at);
        }
        if let Some(before) = known.and_then(|known| known.incident) {
            self.memory.leaves(place, event, before);
        }
        self.memory.groups(source, service, event, incident);
        let status = event.status;
        if status == Status::Firing {
            self.memory.strikes(service);
        }
        self.memory.put_alert(source, service, event, || Known {
            id,
            status,
            changed_at: since,
            said_hour: newest,
            taken_at,
            incident,
            closed_at: None,
            wording: event.wording(),
            history,
        });
        Ok(id)
    }
}

/// By which words the events of a body are known when that is read again.
fn words(of: &Delivered) -> impl Iterator<Item = String> {
    of.events.iter().map(|event| unreadable::word(event, of.received_at))
}

/// What keeps an alert from waking anybody.
pub(super) struct Held {
    /// What the alert remembers.
    pub(super) by: String,
    /// What its sender is told.
    reason: String,
}

impl Held {
    pub(super) fn result(&self, incident: Option<i64>) -> EventResult {
        EventResult { reason: Some(self.reason.as_str().into()), ..result("suppressed", incident) }
    }
}

/// Nobody has it, and none of its alerts fires: one that does sets its escalation going again.
pub(super) fn is_calm(incident: &Incident) -> bool {
    matches!(incident.phase, Phase::Triggered { .. }) && incident.firing == 0
}

/// An incident that is open again wakes people, and so is as good as a new one to the sender.
pub(super) fn outcome_of(reason: Reason) -> &'static str {
    if reason == Reason::ReopenedByAlert { "opened" } else { "joined" }
}

pub(super) fn result(outcome: &'static str, incident: Option<i64>) -> EventResult {
    EventResult { outcome, incident, reason: None }
}
