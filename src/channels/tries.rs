//! What is known of the attempts before this one. A statement is written once: where an earlier attempt may have written it, it is
//! looked for first. (Where nobody can look, what may have been written is not tried again: see [`super::Channel::recognises_repeats`].)
//!
//! Only what this process has seen itself is believed without a look: that each attempt so far ended with nothing written. After a restart,
//! when another node had the letter in between, or when the store was put back to an earlier hour, it is looked for; where that cannot be,
//! what the store knows counts ([`Parcel::unwritten`]). A 503 that does not say how long to wait is no such end, for a proxy may
//! have handed the letter on: with whoever looks it is `Unknown`, also for status.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use super::api::refused;
use super::{Outcome, Parcel};

/// So many deliveries are remembered, the newest. One that is forgotten is looked for, and that is all.
const KNOWN_MAX: usize = 256;

/// The deliveries of one channel of which it is certain that nothing was written by an attempt and by all before it.
#[derive(Default)]
pub(super) struct Tries {
    unwritten: Mutex<VecDeque<(String, u32)>>,
}

impl Tries {
    /// Writes a letter, unless it is there already. `look` finds what an earlier attempt wrote; its error is that this cannot be
    /// known. Neither is begun where it is not needed.
    pub(super) async fn once(
        &self,
        parcel: &Parcel,
        look: impl Future<Output = Result<Option<Outcome>, Outcome>>,
        write: impl Future<Output = Outcome>,
    ) -> Outcome {
        if !self.is_first(parcel) {
            match look.await {
                Ok(None) if parcel.only_look => return unwanted(),
                Ok(None) => {}
                Ok(Some(there)) => return there,
                Err(_) if parcel.unwritten && !parcel.only_look => {}
                Err(outcome) => return outcome,
            }
        }
        if parcel.only_look {
            return unwanted();
        }
        let outcome = write.await;
        if matches!(outcome, Outcome::Wait { .. }) {
            self.keep(parcel);
        }
        outcome
    }

    /// Whether nothing of it can be there.
    fn is_first(&self, parcel: &Parcel) -> bool {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (parcel.delivery.as_str(), parcel.attempt.saturating_sub(1));
        before.1 == 0 || unwritten.iter().any(|(delivery, attempt)| (delivery.as_str(), *attempt) == before)
    }

    fn keep(&self, parcel: &Parcel) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.retain(|(delivery, _)| *delivery != parcel.delivery);
        if unwritten.len() == KNOWN_MAX {
            unwritten.pop_front();
        }
        unwritten.push_back((parcel.delivery.clone(), parcel.attempt));
    }
}

/// Nothing is written of what is not wanted any more; asked where it was looked for and is not there.
pub(super) fn still_wanted(parcel: &Parcel) -> Result<(), Outcome> {
    if parcel.only_look { Err(unwanted()) } else { Ok(()) }
}

/// What is not wanted any more is not there.
pub(super) fn unwanted() -> Outcome {
    refused("it is not there, and is not wanted any more", false)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::stories::statement;
    use super::*;

    fn wait() -> Outcome {
        Outcome::Wait { after: None, why: "busy".into() }
    }

    fn unknown() -> Outcome {
        Outcome::Unknown { why: "lost".into() }
    }

    fn taken() -> Outcome {
        Outcome::Accepted { remote_id: None }
    }

    #[tokio::test]
    async fn only_what_was_surely_not_written_is_written_again_without_a_look() {
        let (tries, looked) = (Tries::default(), AtomicU32::new(0));
        let look = || async {
            looked.fetch_add(1, Ordering::Relaxed);
            Err(unknown())
        };
        for attempt in 1..=3 {
            assert_eq!(tries.once(&statement(attempt), look(), async { wait() }).await, wait());
        }
        assert_eq!(tries.once(&statement(4), look(), async { unknown() }).await, unknown());
        assert_eq!(looked.load(Ordering::Relaxed), 0);
        for attempt in [3, 5] {
            let held = tries.once(&statement(attempt), look(), async { panic!("it is written again") }).await;
            assert_eq!(held, unknown(), "another had the attempt before {attempt}, or it was lost");
        }
        let restarted = Tries::default();
        assert_eq!(restarted.once(&statement(2), look(), async { taken() }).await, unknown());
        assert_eq!(looked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_look_that_finds_nothing_makes_it_certain_again() {
        let tries = Tries::default();
        let there = Outcome::Accepted { remote_id: Some("7".into()) };
        let found = tries.once(&statement(2), async { Ok(Some(there.clone())) }, async { panic!() }).await;
        assert_eq!(found, there);
        assert_eq!(tries.once(&statement(3), async { Ok(None) }, async { wait() }).await, wait());
        assert_eq!(tries.once(&statement(4), async { panic!() }, async { taken() }).await, taken());
        assert_eq!(tries.once(&statement(6), async { Err(wait()) }, async { panic!() }).await, wait());
        assert_eq!(tries.once(&statement(7), async { Ok(None) }, async { taken() }).await, taken());
    }

    #[tokio::test]
    async fn what_is_not_wanted_any_more_is_looked_for_and_not_written() {
        let tries = Tries::default();
        let unwanted_now = |attempt| Parcel { only_look: true, ..statement(attempt) };
        let there = Outcome::Accepted { remote_id: Some("7".into()) };
        let found = tries.once(&unwanted_now(2), async { Ok(Some(there.clone())) }, async { panic!() }).await;
        assert_eq!(found, there);
        for (attempt, look) in [(2, Ok(None)), (1, Err(unknown()))] {
            let not_there = tries.once(&unwanted_now(attempt), async { look }, async { panic!() }).await;
            assert!(matches!(not_there, Outcome::Refused { whole_channel: false, .. }), "{not_there:?}");
        }
        let unseen = tries.once(&unwanted_now(2), async { Err(unknown()) }, async { panic!() }).await;
        assert_eq!(unseen, unknown());
    }

    #[tokio::test]
    async fn it_does_not_grow_for_ever() {
        let tries = Tries::default();
        for number in 0..KNOWN_MAX * 2 {
            let parcel = Parcel { delivery: format!("{number:032x}"), ..statement(1) };
            tries.once(&parcel, async { panic!() }, async { wait() }).await;
        }
        assert_eq!(tries.unwritten.lock().unwrap().len(), KNOWN_MAX);
    }
}
