//! Hours that come, and how everything comes to rest.

use super::*;

/// Most times that something is due at one moment, because something else was.
const DUE_AGAIN_MAX: u32 = 50;

impl World {
    pub(super) fn meets_deadlines(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].cut) else { return };
        for command in self.due() {
            let fate = self.fate();
            let told = self.nodes[node].ask(command, fate);
            assert!(matches!(told, None | Some(Ok(_) | Err(DoorError::Store))), "{told:?}");
            if fate != Fate::Well {
                return;
            }
        }
    }

    /// Everything whose hour has come, as the deadlines find it.
    fn due(&mut self) -> Vec<Command> {
        let rules = self.rules.clone();
        let horizon = Horizon::of(&rules);
        let tick = |(incident, _)| Command::Act { incident, act: Act::TICK, by: By::dispatch() };
        let mut due: Vec<Command> =
            self.look(|tx| incidents::due(tx, &horizon, 1000)).into_iter().map(tick).collect();
        let mut over = self.look(|tx| alerts::outlived(tx, 1000));
        over.extend(self.look(|tx| held::after_maintenance(tx, &rules.maintenance, 1000)).0);
        over.extend(self.look(|tx| inhibitors::outlived(tx, 1000)));
        let hearing = nodes::Hearing { since: Timestamp::MIN, until: self.clock.now() };
        due.extend(over.into_iter().map(|(alert, _)| Command::AlertDue { alert, hearing }));
        due
    }

    /// At the end everything works again, for longer than any letter waits; then nothing may be left undone.
    pub(super) fn comes_to_rest(&mut self) {
        for node in 0..NODES {
            self.wakes(node);
        }
        for node in 0..NODES {
            if self.nodes[node].cut {
                self.is_back(node);
            }
        }
        // Somebody takes half of what is open; the rest must go on waking people all the time.
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            if self.dice.one_in(2) {
                let by = By { actor: Actor::Person("maya".into()), route: Route::Api, occurred_at: None };
                let act = Act::Answer { help: false };
                let told = self.nodes[0].ask(Command::Act { incident: id, act, by }, Fate::Well);
                self.was_told(id, "maya", false, told);
            }
        }
        let until = self.clock.now() + REST;
        for _ in 0..REST_STEPS {
            self.does_what_is_due();
            let now = self.clock.now();
            if now >= until {
                return;
            }
            let rules = self.rules.clone();
            let due = self.look(|tx| {
                let (_, window) = held::after_maintenance(tx, &rules.maintenance, 1000)?;
                Ok([incidents::next_due(tx)?, letters::next_due(tx)?, silences::next_end(tx)?, window])
            });
            let next = due.into_iter().flatten().filter(|due| *due > now).min().unwrap_or(until).min(until);
            self.clock.forward(next.duration_since(now));
        }
        panic!("it never comes to rest");
    }

    fn meets_all_deadlines(&mut self) {
        for _ in 0..DUE_AGAIN_MAX {
            let due = self.due();
            if due.is_empty() {
                return;
            }
            for command in due {
                self.nodes[0].ask(command, Fate::Well).unwrap().unwrap();
            }
        }
        panic!("what is due stays due: {:?}", self.due());
    }

    pub(super) fn does_what_is_due(&mut self) {
        self.meets_all_deadlines();
        for node in 0..NODES {
            while !self.nodes[node].hands.is_empty() {
                self.settles(node, 0, &Outcome::Accepted { remote_id: None }, Fate::Well);
            }
        }
        loop {
            for (channel, _) in self.look(letters::channels_due) {
                let wanted = Wanted {
                    channel,
                    lease: LEASE,
                    limit: 100,
                    left: SignedDuration::ZERO,
                    held: Vec::new(),
                };
                let Some(Ok(Reply::Claims(claims))) = self.nodes[1].ask(Command::Claim(wanted), Fate::Well)
                else {
                    panic!("letters cannot be claimed");
                };
                let now = self.clock.now();
                for claim in claims {
                    self.is_taken(1, &claim, now);
                    self.nodes[1].hands.push(Held { claim, until: now + LEASE, told: false });
                }
            }
            if self.nodes[1].hands.is_empty() {
                return;
            }
            while !self.nodes[1].hands.is_empty() {
                self.settles(1, 0, &Outcome::Accepted { remote_id: None }, Fate::Well);
            }
        }
    }
}
