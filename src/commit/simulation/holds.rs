//! What keeps alerts quiet: silences that people make, change and end; and at the end, whether what is quiet has a reason
//! to be, and everything else has woken somebody.

use super::*;
use crate::core::alert::AlertSeverity;
use crate::core::incident::Resolution;
use crate::core::maintenance;
use crate::core::matcher::read_all;

/// What a silence is for.
#[derive(Clone, Debug)]
pub(super) enum Fits {
    /// Alerts about a service.
    Service(String),
    /// The check of this name, wherever it runs.
    Name(String),
    /// Everything that a source sends about a team.
    Of(String, String),
}

impl Fits {
    fn matchers(&self) -> String {
        match self {
            Self::Service(service) => format!("service=\"{service}\""),
            Self::Name(name) => format!("name=\"{name}\""),
            Self::Of(_, team) => format!("team=\"{team}\""),
        }
    }

    fn holds(&self, alert: &alerts::Firing) -> bool {
        match self {
            Self::Service(service) => alert.service == *service,
            Self::Name(name) => alert.event.labels["name"] == *name,
            Self::Of(source, team) => alert.source == *source && alert.event.labels["team"] == *team,
        }
    }
}

impl World {
    /// A silence is made, or one that is there is changed or ended.
    pub(super) fn somebody_silences(&mut self) {
        let Some(node) = self.awake() else { return };
        let now = self.clock.now();
        let known: Vec<String> = self.silences.keys().cloned().collect();
        let old =
            (!known.is_empty() && self.dice.one_in(2)).then(|| known[self.dice.index(known.len())].clone());
        let old = old.and_then(|id| self.look(|tx| silences::get(tx, &id)));
        let fate = self.fate();
        if let Some(Silence { id, source, .. }) = &old
            && self.dice.one_in(2)
        {
            let told =
                self.nodes[node].ask(Command::EndSilence { id: id.clone(), source: source.clone() }, fate);
            assert!(matches!(told, None | Some(Ok(Reply::Done) | Err(DoorError::Store))), "{told:?}");
            return;
        }
        let team = houses::ABOUT[self.dice.index(houses::ABOUT.len())].to_owned();
        let fits = match (&old, self.dice.below(4)) {
            // Only its hours are others.
            (Some(old), 0..2) => self.silences[&old.id].clone(),
            (Some(Silence { source: Some(source), .. }), _) => Fits::Of(source.clone(), team),
            (None, 0) => Fits::Of(SOURCES[self.dice.index(SOURCES.len())].into(), team),
            (_, 1) => Fits::Name(format!("key-{}", self.dice.index(houses::ABOUT.len()))),
            _ => Fits::Service(team),
        };
        let starts_at = match &old {
            Some(old) if self.dice.one_in(2) => old.starts_at,
            _ if self.dice.one_in(3) => now + SignedDuration::from_mins(self.dice.below(20)),
            _ => now,
        };
        let minutes = if self.dice.one_in(4) { 4 * 24 * 60 } else { 1 + self.dice.below(90) };
        let source = if let Fits::Of(source, _) = &fits { Some(source.clone()) } else { None };
        let silence = Silence {
            id: old.map(|old| old.id).unwrap_or_default(),
            source,
            matchers: read_all(&fits.matchers()).unwrap(),
            starts_at,
            ends_at: now + SignedDuration::from_mins(minutes),
            created_by: "maya".into(),
            comment: "new disks".into(),
            updated_at: now,
        };
        let fresh = format!("silence-{}", self.silences.len());
        self.silences.insert(fresh.clone(), fits);
        let told = self.nodes[node].ask(Command::PutSilence { silence, fresh }, fate);
        let fine = matches!(
            told,
            None | Some(
                Ok(Reply::Silenced(_))
                    | Err(DoorError::Store | DoorError::BadSilence(_) | DoorError::NoSilence(_))
            )
        );
        assert!(fine, "{told:?}");
    }

    /// Whatever holds an alert back at this moment does so by right.
    fn is_held_rightly(&mut self, alert: &alerts::Firing, by: &str, firing: &[alerts::Firing]) -> bool {
        let now = self.look(|tx| Ok(tx.now));
        if let Some(number) = by.strip_prefix(inhibitors::PREFIX) {
            let worse = firing.iter().find(|other| other.id.to_string() == number);
            return worse.is_some_and(|worse| self.inhibits(worse, alert));
        }
        if let Some((window, service)) = maintenance::marked(by) {
            let known = self.rules.maintenance.iter().find(|known| known.name == window);
            let is_open = known.is_some_and(|known| {
                let open = known.between(now - SignedDuration::from_hours(2), now, 100);
                known.services.contains(service)
                    && open.iter().any(|open| open.from <= now && now < open.until)
            });
            return is_open && alert.service == service;
        }
        let silence = self.look(|tx| silences::get(tx, by));
        let in_force = silence.is_some_and(|silence| silence.starts_at <= now && now < silence.ends_at);
        in_force && self.silences.get(by).is_some_and(|fits| fits.holds(alert))
    }

    fn inhibits(&mut self, worse: &alerts::Firing, alert: &alerts::Firing) -> bool {
        let closed = "select count(*) from alert where id = ?1 and closed_at is not null";
        let closed = self.look(|tx| tx.query_one(closed, &[worse.id.into()], |row| row.int(0)));
        !self.rules.inhibit.is_empty()
            && closed == Some(0)
            && worse.event.severity == Some(AlertSeverity::Critical)
            && alert.event.severity == Some(AlertSeverity::Warning)
            && worse.event.labels["team"] == alert.event.labels["team"]
    }

    /// Something holds an alert back at this moment, whether it says so or not.
    fn is_held_by_something(&mut self, alert: &alerts::Firing, firing: &[alerts::Firing]) -> bool {
        let mut marks: Vec<String> = self.silences.keys().cloned().collect();
        marks.extend(
            self.rules.maintenance.iter().map(|window| maintenance::mark(&window.name, &alert.service)),
        );
        marks.extend(firing.iter().map(|other| format!("{}{}", inhibitors::PREFIX, other.id)));
        marks.iter().any(|by| self.is_held_rightly(alert, by, firing))
    }

    /// Long after people ended incidents, senders say again what fires: it wakes people again, unless something holds it.
    pub(super) fn what_fires_is_said_again(&mut self) {
        let closed = "select id from alert where status = 'firing' and closed_at is not null";
        let closed = self.look(|tx| tx.query(closed, &[], |row| row.int(0)));
        for id in &closed {
            let Some(alert) = self.look(|tx| alerts::firing(tx, *id)) else { panic!("it fires") };
            let source = SOURCES.iter().find(|source| **source == alert.source).unwrap();
            let posted = Posted { source, events: vec![Event { occurred_at: None, ..alert.event }] };
            let command = hears::delivery(&posted, &self.nodes[0].clock);
            self.nodes[0].ask(command, Fate::Well).unwrap().unwrap();
            self.was_said(&posted);
        }
        self.does_what_is_due();
        let firing = self.look(|tx| alerts::firing_after(tx, "", "", 1000));
        for alert in firing.iter().filter(|alert| closed.contains(&alert.id)) {
            let Some(incident) = alert.incident else { continue };
            let is_open = self.look(|tx| incidents::load(tx, incident)).unwrap().incident.is_open();
            // One that is held is heard of when the hold is over.
            let is_heard = is_open || self.is_held_by_something(alert, &firing);
            assert!(is_heard, "{} {} was said again, and nobody hears of it", alert.source, alert.event.key);
        }
        self.nobody_is_left_unwoken();
        self.nobody_is_woken_twice();
    }

    /// At any moment: what fires and is not kept quiet belongs to an incident that is open, unless people ended it.
    pub(super) fn what_fires_has_a_home(&mut self) {
        let homeless = "select alert.source, alert.key, coalesce(incident.phase, 'none')
             from alert left join incident on incident.id = alert.incident
             where alert.status = 'firing' and alert.suppressed_by is null and alert.closed_at is null
               and (incident.id is null or incident.phase = 'resolved')";
        let homeless = self.look(|tx| {
            tx.query(homeless, &[], |row| Ok(format!("{} {}: {}", row.text(0)?, row.text(1)?, row.text(2)?)))
        });
        assert!(homeless.is_empty(), "what fires wakes nobody: {homeless:?}");
    }

    /// Whoever has to be awake was woken: what fires has an open incident, for which [`Self::everybody_was_told`] says that people
    /// are woken or have it; or it is kept quiet for a reason that holds now; or people ended its incident.
    pub(super) fn nobody_is_left_unwoken(&mut self) {
        self.what_fires_has_a_home();
        let firing = self.look(|tx| alerts::firing_after(tx, "", "", 1000));
        for alert in &firing {
            let what = format!("{} {} ({})", alert.source, alert.event.key, alert.id);
            if let Some(by) = &alert.suppressed_by {
                if let Some(ended) = alert.incident {
                    // It fires on after people ended that, and goes on from there when nothing keeps it quiet any more.
                    let ended = self.look(|tx| incidents::load(tx, ended)).unwrap().incident;
                    let resolution = ended.resolution().map(|(resolution, _)| resolution);
                    let by_people = matches!(
                        resolution,
                        Some(Resolution::Restored | Resolution::FalseAlarm | Resolution::Merged)
                    );
                    assert!(by_people, "{what} is kept quiet, and INC-{} is {resolution:?}", ended.id);
                }
                assert!(self.is_held_rightly(alert, by, &firing), "{what} is kept quiet by {by}: {alert:?}");
                continue;
            }
            let incident = alert.incident.unwrap_or_else(|| panic!("{what} has no incident"));
            let incident = self.look(|tx| incidents::load(tx, incident)).unwrap().incident;
            if let Some((resolution, _)) = incident.resolution() {
                let by_people = matches!(resolution, Resolution::Restored | Resolution::FalseAlarm);
                assert!(by_people, "{what} fires, and INC-{} is {}", incident.id, resolution.as_str());
            }
        }
    }
}
