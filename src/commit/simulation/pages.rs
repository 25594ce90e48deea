//! Nobody is woken twice for one thing, also where incidents became part of one another.
//!
//! Each incident's own timeline is gone through, with those of the incidents that it took in, up to that moment. A page
//! that comes sooner after another than a step of the policy waits has to have a reason: the hour of the next step came; the
//! incident was open again; it became worse; somebody could not be reached, or cannot.

use super::*;
use crate::core::board::Put;
use crate::core::command::Turn;
use crate::core::incident::REMINDERS_APART_MIN;
use crate::core::letter::Why;
use crate::store::timeline::Kept;

/// How long every step of every policy waits.
const STEP_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// When people were woken last for an incident, as long as nothing has happened that is a reason to do so again.
type Woken = BTreeMap<String, Timestamp>;

impl World {
    pub(super) fn nobody_is_woken_twice(&mut self) {
        if self.twice_until > Timestamp::MIN {
            // The same hours came twice.
            return;
        }
        let all = self.look(|tx| incidents::numbers(tx, 0, 10_000));
        let mut timelines = BTreeMap::new();
        for id in all {
            timelines.insert(id, self.look(|tx| timeline::list(tx, id, 0, 10_000)));
        }
        for id in timelines.keys() {
            woken(&timelines, *id, None);
        }
    }
}

/// Goes through an incident's timeline, to its end or until it became part of another for so many a time.
fn woken(all: &BTreeMap<i64, Vec<Kept>>, id: i64, until: Option<(i64, usize)>) -> Woken {
    let (mut woken, mut own) = (Woken::new(), Woken::new());
    let mut taken_in: BTreeMap<i64, usize> = BTreeMap::new();
    let (mut merged, mut escalates, mut cause_found) = (0, false, false);
    for entry in all[&id].iter().map(|kept| &kept.entry) {
        match &entry.fact {
            Fact::Reopened { .. } => {
                woken.clear();
                escalates = false;
            }
            Fact::SeverityRaised { .. }
            | Fact::Unreachable { .. }
            | Fact::Declined { .. }
            | Fact::CommandTaken { .. }
            | Fact::HelpCalled { .. }
            | Fact::Rescheduled { .. } => woken.clear(),
            // Who is asked for, or asked to take an office, is asked for something else than before.
            Fact::Board(Put::Requested { people, .. }) => {
                woken.retain(|person, _| !people.contains(person));
            }
            Fact::Command(Turn::Assigned { person, .. }) => woken.retain(|known, _| known != person),
            Fact::Escalated { .. } => {
                // The hour of the next step has come; but the first step, and that of another policy, is for who sleeps.
                if escalates && !cause_found {
                    woken.clear();
                }
                escalates = true;
            }
            Fact::Paged { person, why, .. } => {
                // A reminder is of what they were paged for here, and not of what became part of it.
                let before = if why == Why::Reminder.as_str() { own.get(person) } else { woken.get(person) };
                let before = before.copied();
                own.insert(person.clone(), entry.at);
                // Who only watches may be woken at any time because it is their turn.
                if why != Why::Watching.as_str() {
                    woken.insert(person.clone(), entry.at);
                }
                let wait = if why == Why::Reminder.as_str() { REMINDERS_APART_MIN } else { STEP_WAIT };
                let soon = before.is_some_and(|before| entry.at.duration_since(before) < wait);
                assert!(
                    !soon,
                    "{person} is woken for INC-{id} ({why}) at {}, and was at {before:?}",
                    entry.at
                );
            }
            Fact::TookIn { incident, .. } => {
                let times = taken_in.entry(*incident).or_default();
                *times += 1;
                for (person, at) in self::woken(all, *incident, Some((id, *times))) {
                    let last = woken.entry(person).or_insert(at);
                    *last = at.max(*last);
                }
            }
            Fact::Merged { into, .. } => {
                if let Some((home, times)) = until
                    && home == *into
                {
                    merged += 1;
                    if merged == times {
                        return woken;
                    }
                }
            }
            _ => {}
        }
        cause_found = matches!(entry.fact, Fact::CauseFound { .. });
    }
    woken
}
