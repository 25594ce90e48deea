//! What people say of who is on call, and whether whoever was on call was woken.

use super::*;
use crate::core::oncall::{Leave, Override, Roster};
use crate::core::rules::Target;
use crate::store::roster;
use crate::store::silences::Which;

/// Who is put on call, and goes away.
const HANDS: &[&str] = &["maya", "tom", "kim"];

impl World {
    /// Somebody is put on call or away, or what was said is ended.
    pub(super) fn somebody_changes_the_roster(&mut self) {
        if self.rules.rotations.is_empty() {
            return;
        }
        let Some(node) = self.awake() else { return };
        let now = self.clock.now();
        let (overrides, leaves) = self
            .look(|tx| Ok((roster::overrides(tx, Which::Open, 100)?, roster::leaves(tx, Which::Open, 100)?)));
        let from = now + SignedDuration::from_mins(self.dice.below(30) - 10);
        let until = from + SignedDuration::from_mins(15 + self.dice.below(300));
        let person = self.dice.pick(HANDS).to_owned();
        let (id, author, reason) =
            (crate::crypto::random_token().unwrap(), "maya".to_owned(), "by chance".to_owned());
        let change = match self.dice.below(6) {
            0 if !overrides.is_empty() => Change::EndOverride {
                id: overrides[self.dice.index(overrides.len())].id.clone(),
                who: person,
            },
            1 if !leaves.is_empty() => {
                Change::EndLeave { id: leaves[self.dice.index(leaves.len())].id.clone(), who: person }
            }
            0..3 => Change::Away(Leave {
                id,
                person,
                from,
                until,
                author,
                reason,
                created_at: now,
                ended_by: None,
            }),
            _ => {
                let names: Vec<String> = self.rules.rotations.keys().cloned().collect();
                let whose = self.dice.pick(HANDS).to_owned();
                let instead_of = self.dice.one_in(3).then_some(whose).filter(|whose| *whose != person);
                Change::StandIn(vec![Override {
                    id,
                    rotation: names[self.dice.index(names.len())].clone(),
                    person,
                    instead_of,
                    from,
                    until,
                    author,
                    reason,
                    created_at: now,
                    ended_by: None,
                }])
            }
        };
        let fate = self.fate();
        let told = self.nodes[node].ask(Command::Roster(change), fate);
        let fine =
            matches!(told, None | Some(Ok(Reply::Done) | Err(DoorError::Store | DoorError::BadTurn(_))));
        assert!(fine, "{told:?}");
    }

    /// The first step of every policy wakes a rotation: whoever was on call then was woken. Near to the hour of something
    /// that was said, nodes whose clocks differ may know either.
    pub(super) fn who_was_on_call_was_woken(&mut self) {
        if self.rules.rotations.is_empty() || self.twice_until > Timestamp::MIN {
            return;
        }
        let kept = self.look(|tx| roster::since(tx, Timestamp::UNIX_EPOCH));
        for id in self.look(|tx| incidents::numbers(tx, 0, 10_000)) {
            let mut before = None;
            for entry in self.look(|tx| timeline::list(tx, id, 0, 10_000)).iter().map(|kept| &kept.entry) {
                if matches!(entry.fact, Fact::Reopened { .. }) {
                    before = None;
                }
                let Fact::Escalated { round, step, awaiting, .. } = &entry.fact else { continue };
                // The same step once more wakes others, because nobody of it can be reached.
                let again = before.replace((*round, *step)) == Some((*round, *step));
                if *step > 0 || again || awaiting.is_empty() || is_near(&kept, entry.at) {
                    continue;
                }
                let mut known = kept.clone();
                known.overrides.retain(|one| one.created_at <= entry.at);
                known.leaves.retain(|one| one.created_at <= entry.at);
                let all_there = known.without_leaves();
                let mut duties = self.rules.rotations.iter().map(|(name, one)| {
                    let duty = one.duty(name, &known, entry.at);
                    // Where all are away it is whose turn it would be.
                    if duty.people.is_empty() { one.duty(name, &all_there, entry.at) } else { duty }
                });
                // Where everybody is woken at once, or all of a rotation, they are among others.
                let whole = |target: &Target| matches!(target, Target::Everybody(_));
                let mut policies = self.rules.policies.values();
                let all = policies.any(|policy| !policy.everybody.is_empty() || policy.targets().any(whole));
                let on_call = duties.any(|duty| match all {
                    true => duty.people.iter().all(|person| awaiting.contains(person)),
                    false => duty.people == *awaiting,
                });
                assert!(on_call, "INC-{id} woke {awaiting:?} at {}, who were not on call", entry.at);
            }
        }
    }
}

fn is_near(kept: &Roster, at: Timestamp) -> bool {
    let overrides = kept.overrides.iter().flat_map(|one| [one.from, one.until, one.created_at]);
    let leaves = kept.leaves.iter().flat_map(|one| [one.from, one.until, one.created_at]);
    let near = |hour: Timestamp| hour.duration_since(at).abs() < TOO_CLOSE;
    overrides.chain(leaves).any(near)
}
