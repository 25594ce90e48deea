//! Turns at a place that takes only so much in a time: what comes too early waits a little here, and is not sent where it
//! would have to wait for long. A limit is kept before the other side has to remind us of it.
//!
//! Turns are counted from the moment at which they are asked for, and not from the hour at which an attempt began: one of several
//! requests asks for them one after the other. That clock is not set by anybody.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use super::Outcome;

/// A letter holds a hand for so long before it is sent.
const HOLD_MAX: Duration = Duration::from_secs(5);
/// Longest rest that is believed.
const REST_MAX: Duration = Duration::from_secs(3600);

/// Turns at one place.
pub(super) struct Pace {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// One turn in so long; with zero only [`Pace::rest`] makes anything wait.
    pub(super) fn new(every: SignedDuration) -> Self {
        Self { every: Duration::try_from(every).unwrap_or_default(), next: Mutex::new(None) }
    }

    /// Takes a turn, and waits for it if it is near. The error is that it is not.
    pub(super) async fn turn(&self) -> Result<(), Outcome> {
        match self.take(now()) {
            Ok(wait) => {
                sleep(wait).await;
                Ok(())
            }
            Err(wait) => {
                // In whole seconds, so that nobody comes back a moment too early.
                let after = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
                Err(Outcome::Wait { after: Some(after), why: "no more is taken there for the moment".into() })
            }
        }
    }

    /// From now on nobody has a turn for so long.
    pub(super) fn rest(&self, wait: Duration) {
        let until = now() + wait.min(REST_MAX);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(Some(until));
    }

    /// How long until the turn that was taken, or how long none can be.
    fn take(&self, now: Instant) -> Result<Duration, Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        if wait > HOLD_MAX {
            return Err(wait);
        }
        *next = Some(now + wait + self.every);
        Ok(wait)
    }
}

/// A sleep that nobody waits for knows the hour.
fn now() -> Instant {
    sleep(Duration::ZERO).deadline()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn who_comes_together_goes_one_after_the_other_and_who_would_wait_long_is_sent_away() {
        let pace = Pace::new(SignedDuration::from_secs(2));
        let at = now();
        let taken: Vec<_> = (0..5).map(|_| pace.take(at)).collect();
        assert_eq!(
            taken,
            [Ok(Duration::ZERO), Ok(SECOND * 2), Ok(SECOND * 4), Err(SECOND * 6), Err(SECOND * 6)]
        );
        assert_eq!(pace.take(at + SECOND * 5), Ok(SECOND), "who was sent away has taken no turn");
        assert_eq!(pace.take(at + SECOND * 100), Ok(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_of_six_requests_waits_for_five_turns_and_not_for_the_sum_of_them() {
        let pace = Pace::new(SignedDuration::from_secs(1));
        let began = now();
        for _ in 0..6 {
            assert_eq!(pace.turn().await, Ok(()));
        }
        let waited = now() - began;
        assert!((SECOND * 5..SECOND * 6).contains(&waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_for_everybody_and_as_long_as_was_asked_for() {
        let pace = Pace::new(SignedDuration::ZERO);
        assert_eq!((pace.take(now()), pace.take(now())), (Ok(Duration::ZERO), Ok(Duration::ZERO)));
        // The other side was slow to say it.
        sleep(SECOND * 17).await;
        pace.rest(SECOND * 60);
        pace.rest(SECOND * 3);
        let at = now();
        assert_eq!(pace.take(at + SECOND * 10), Err(SECOND * 50));
        assert_eq!(pace.take(at + SECOND * 57), Ok(SECOND * 3));
        pace.rest(Duration::MAX);
        assert_eq!(pace.take(at + SECOND), Err(SECOND * 3599));
    }
}
