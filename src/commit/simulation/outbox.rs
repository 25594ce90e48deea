//! Letters: who takes them, and how their attempts end.

use super::*;

/// What the other side knows of one letter.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) accepted: u32,
    /// It may have arrived without our knowing, or another node took it after its lease: a second copy is allowed.
    pub(super) unsure: bool,
}

impl World {
    pub(super) fn claims(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].cut) else { return };
        for (channel, _) in self.look(letters::channels_due) {
            let of_channel = self.nodes[node].hands.iter().filter(|held| held.claim.channel == channel);
            let held: Vec<i64> = of_channel.map(|held| held.claim.number()).collect();
            let limit = u32::try_from(1 + self.dice.below(4)).unwrap();
            let wanted = Wanted {
                channel: channel.clone(),
                lease: LEASE,
                limit,
                left: SignedDuration::ZERO,
                held: held.clone(),
            };
            let fate = self.fate();
            let told = self.nodes[node].ask(Command::Claim(wanted), fate);
            let now = self.clock.now();
            let until = now + LEASE;
            match told {
                // Nobody has them in hand: their leases run out, and nothing was sent.
                None => self.forgets(node),
                Some(Err(DoorError::Store)) => {}
                Some(Ok(Reply::Claims(claims))) => {
                    for mine in &mut self.nodes[node].hands {
                        if held.contains(&mine.claim.number()) && mine.until <= now {
                            mine.until = until;
                        }
                    }
                    for claim in claims {
                        self.is_taken(node, &claim, now);
                        self.nodes[node].hands.push(Held { claim, until, told: false });
                    }
                }
                Some(other) => panic!("letters cannot be claimed: {other:?}"),
            }
            if fate != Fate::Well {
                return;
            }
        }
    }

    pub(super) fn is_taken(&mut self, node: usize, claim: &Claim, now: Timestamp) {
        for (other, one) in self.nodes.iter().enumerate() {
            for held in one.hands.iter().filter(|held| !held.told && held.claim.number() == claim.number()) {
                // Unless another took it in between, and gave it back.
                let next = claim.attempt == held.claim.attempt + 1;
                assert!(other != node || !next, "a letter in hand was given out again");
                let early = next && held.until > now;
                assert!(!early, "a letter was taken out of a hand before its lease was over");
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
            }
        }
        let incident = claim.incident;
        if incident == 0 {
            return;
        }
        let saved = self.look(|tx| incidents::load(tx, incident)).unwrap();
        let pointless = match claim.kind {
            Kind::Page => saved.incident.state() != "triggered",
            Kind::Help | Kind::Pio => !saved.incident.is_open(),
            _ => false,
        };
        let known = saved.incident.responder(&claim.person);
        // When in doubt they are woken: what was said at an hour that is still to come, by a clock that has been put right
        // since, may have been said before the page was written.
        let is_past = |hour: Timestamp| hour + SignedDuration::from_secs(SKEW_S) <= now;
        let declined = known.is_some_and(|known| {
            known.status == ResponderStatus::Declined
                && known.since > claim.created_at
                && is_past(known.since)
        });
        let pointless = pointless || declined && claim.kind.wakes();
        let told: Vec<String> = if pointless { self.story_of(incident) } else { Vec::new() };
        assert!(
            !pointless,
            "{} was woken for nothing by {} of {}:\n{}",
            claim.person,
            claim.kind.as_str(),
            claim.created_at,
            told.join("\n")
        );
    }

    /// What the timeline of an incident says, to read beside a fault.
    fn story_of(&mut self, incident: i64) -> Vec<String> {
        let kept = self.look(|tx| timeline::list(tx, incident, 0, 10_000));
        kept.iter().map(|kept| format!("{} {}", kept.entry.at, kept.entry.fact.text())).collect()
    }

    pub(super) fn an_attempt_ends(&mut self) {
        let Some(node) = self.awake().filter(|node| !self.nodes[*node].hands.is_empty()) else { return };
        let which = self.dice.index(self.nodes[node].hands.len());
        let outcome = match self.dice.below(20) {
            0..12 => Outcome::Accepted { remote_id: None },
            12..15 => Outcome::Wait { after: None, why: "busy".into() },
            15 => Outcome::Wait { after: Some(Duration::from_secs(1800)), why: "busy".into() },
            16 => Outcome::Refused { why: "unknown".into(), whole_channel: false },
            17 => Outcome::Refused { why: "no login".into(), whole_channel: true },
            _ => Outcome::Unknown { why: "silence".into() },
        };
        let fate = self.fate();
        self.settles(node, which, &outcome, fate);
    }

    /// The other side has answered, which counts whatever becomes of the node that heard it.
    pub(super) fn settles(&mut self, node: usize, which: usize, outcome: &Outcome, fate: Fate) {
        let Held { claim, until, .. } = self.nodes[node].hands.remove(which);
        // Another may have taken it after its lease, and may have been killed before anybody knew.
        let attempts = "select attempts from letter where seq = ?1";
        let attempts = self.look(|tx| tx.query_one(attempts, &[claim.number().into()], |row| row.int(0)));
        let sent = self.sent.entry(claim.id.clone()).or_default();
        sent.unsure |= attempts.is_some_and(|attempts| attempts != i64::from(claim.attempt));
        match outcome {
            Outcome::Accepted { .. } | Outcome::Begun { .. } | Outcome::Stands { .. } => sent.accepted += 1,
            Outcome::Unknown { .. } => sent.unsure = true,
            Outcome::Wait { .. } | Outcome::Refused { .. } => {}
        }
        assert!(
            sent.accepted <= 1 || sent.unsure,
            "{} was sent twice, at last by attempt {}",
            claim.kind.as_str(),
            claim.attempt
        );
        let repeats = if claim.channel == "ops-room" { Repeats::Never } else { Repeats::Known };
        let settlement = settle(&claim, outcome, repeats, self.clock.now(), 0.5);
        let claim = Arc::new(claim);
        let told =
            self.nodes[node].ask(Command::Settle { claim: claim.clone(), settlement, alone: false }, fate);
        match told {
            Some(Ok(_)) => {}
            // It is offered again until it is written down; until then others may send it after its lease.
            Some(Err(DoorError::Store)) => {
                let claim = Arc::into_inner(claim).expect("the door has given it back");
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
                self.nodes[node].hands.push(Held { claim, until, told: true });
            }
            None => {
                self.sent.entry(claim.id.clone()).or_default().unsure = true;
                self.forgets(node);
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }

    /// What a node that was killed had in hand: of each letter it may be that the other side has it.
    pub(super) fn forgets(&mut self, node: usize) {
        for held in std::mem::take(&mut self.nodes[node].hands) {
            let sent = self.sent.entry(held.claim.id).or_default();
            sent.unsure = true;
            sent.accepted += u32::from(self.dice.one_in(2));
        }
        self.waiting.retain(|(of, _)| *of != node);
    }
}
