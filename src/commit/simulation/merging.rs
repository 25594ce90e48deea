//! Incidents that people put together and take apart.

use super::*;
use crate::core::incident::Incident;

/// Alerts, by their numbers.
type Alerts = Vec<i64>;

impl World {
    fn alerts_of(&mut self, incident: i64) -> Alerts {
        let sql = "select id from alert where incident = ?1 order by id";
        self.look(|tx| tx.query(sql, &[incident.into()], |row| row.int(0)))
    }

    /// Some incident, more likely a new one.
    fn some_incident(&mut self) -> Option<Incident> {
        let all = self.look(|tx| incidents::numbers(tx, 0, 10_000));
        let far = if self.dice.one_in(3) { 20 } else { 4 };
        let place = all.len().checked_sub(1 + self.dice.index(far))?;
        let id = all[place];
        Some(self.look(|tx| incidents::load(tx, id)).unwrap().incident)
    }

    /// Whoever commands, most of the time, and the term they believe in.
    fn mover(&mut self, of: &Incident) -> (By, Option<u32>) {
        let commander = of.commander().map(|command| command.person.clone());
        let person = match commander {
            Some(commander) if !self.dice.one_in(4) => commander,
            _ => self.dice.pick(PEOPLE).to_owned(),
        };
        let term = (!self.dice.one_in(6)).then_some(of.term + u32::from(self.dice.one_in(12)));
        (By { actor: Actor::Person(person), route: Route::Api, occurred_at: None }, term)
    }

    /// At times, something that people put together or take apart.
    pub(super) fn some_moves(&mut self) -> Vec<Command> {
        if !self.dice.one_in(8) {
            return Vec::new();
        }
        let (Some(one), Some(other)) = (self.some_incident(), self.some_incident()) else {
            return Vec::new();
        };
        let (by, term) = self.mover(&one);
        if self.dice.one_in(2) {
            return vec![Command::Merge { incident: one.id, into: other.id, term, by }];
        }
        let sql = "select source, key from alert where incident = ?1 order by id limit 1";
        let named = self.look(|tx| tx.query(sql, &[one.id.into()], |row| Ok((row.text(0)?, row.text(1)?))));
        let part = if self.dice.one_in(2) { Part::Incident(other.id) } else { Part::Alerts(named) };
        vec![Command::Split { incident: one.id, part, term, by }]
    }

    pub(super) fn somebody_merges(&mut self) {
        let Some(node) = self.awake() else { return };
        let (Some(from), Some(into)) = (self.some_incident(), self.some_incident()) else { return };
        let (by, term) = self.mover(&from);
        let (went, was) = (self.alerts_of(from.id), self.alerts_of(into.id));
        let fate = self.fate();
        let told = self.nodes[node].ask(Command::Merge { incident: from.id, into: into.id, term, by }, fate);
        let Some(gone) = decided(told) else { return };
        assert_eq!((gone.merged_into, gone.alerts, gone.firing), (Some(into.id), 0, 0));
        let mut all = [went, was].concat();
        all.sort_unstable();
        assert_eq!((self.alerts_of(from.id), self.alerts_of(into.id)), (Vec::new(), all));
        let home = self.look(|tx| incidents::load(tx, into.id)).unwrap().incident;
        // Who had either has the home now.
        let commanders = [into.commander(), from.commander()].map(|one| one.map(|one| &one.person));
        let has_it = commanders.into_iter().flatten().next();
        assert_eq!(
            home.commander().map(|command| &command.person),
            has_it,
            "INC-{} into INC-{}",
            from.id,
            into.id
        );
    }

    pub(super) fn somebody_splits(&mut self) {
        let Some(node) = self.awake() else { return };
        if self.dice.one_in(2) {
            return self.somebody_takes_apart(node);
        }
        let Some(home) = self.some_incident() else { return };
        let sql = "select source, key from alert where incident = ?1 order by id";
        let named = self.look(|tx| tx.query(sql, &[home.id.into()], |row| Ok((row.text(0)?, row.text(1)?))));
        let few = 1 + self.dice.index(2);
        let part: Vec<(String, String)> = named.into_iter().take(few).collect();
        let (by, term) = self.mover(&home);
        let (fate, count) = (self.fate(), part.len());
        let command = Command::Split { incident: home.id, part: Part::Alerts(part), term, by: by.clone() };
        let Some(own) = decided(self.nodes[node].ask(command, fate)) else { return };
        assert_eq!(self.alerts_of(own.id).len(), count);
        assert_eq!(
            (own.alerts, own.commander().unwrap().person.as_str()),
            (u32::try_from(count).unwrap(), by.actor.person().unwrap())
        );
    }

    /// What was put together is taken apart again: every alert that came and is still there goes back.
    fn somebody_takes_apart(&mut self, node: usize) {
        let sql = "select distinct from_incident, into_incident from alert_move order by 1, 2";
        let merged = self.look(|tx| tx.query(sql, &[], |row| Ok((row.int(0)?, row.int(1)?))));
        if merged.is_empty() {
            return;
        }
        let (from, into) = merged[self.dice.index(merged.len())];
        let came = "select id from alert where incident = ?2 and id in (
             select alert from alert_move where from_incident = ?1 and into_incident = ?2) order by id";
        let came = self.look(|tx| tx.query(came, &[from.into(), into.into()], |row| row.int(0)));
        let rest: Alerts = self.alerts_of(into).into_iter().filter(|alert| !came.contains(alert)).collect();
        let home = self.look(|tx| incidents::load(tx, into)).unwrap().incident;
        let (by, term) = self.mover(&home);
        let fate = self.fate();
        let command = Command::Split { incident: into, part: Part::Incident(from), term, by: by.clone() };
        let Some(own) = decided(self.nodes[node].ask(command, fate)) else { return };
        assert_eq!((own.id, own.merged_into), (from, None));
        assert_eq!(own.commander().unwrap().person, by.actor.person().unwrap());
        assert_eq!(
            (self.alerts_of(from), self.alerts_of(into)),
            (came, rest),
            "INC-{from} out of INC-{into}"
        );
    }
}

/// The incident that was changed; none when that was refused, or when nobody was told.
pub(super) fn decided(told: Told) -> Option<Box<Incident>> {
    match told {
        Some(Ok(Reply::Decided(incident, _))) => Some(incident),
        Some(Err(DoorError::Refused(refusal))) => {
            assert!(!matches!(refusal, Refusal::Fault(_)), "{refusal}");
            None
        }
        None | Some(Err(DoorError::Store)) => None,
        Some(other) => panic!("{other:?}"),
    }
}
