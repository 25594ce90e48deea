//! Turns at a place that takes only so much in a time: what comes too early waits a little here, and is not sent where it
//! would have to wait for long. A limit is kept before the other side has to remind us of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Outcome;

/// A letter holds a hand for so long before it is sent.
const HOLD_MAX: SignedDuration = SignedDuration::from_secs(5);
/// Longest rest that is believed. What lies further ahead comes of a clock that was put back.
const REST_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Turns at one place.
pub(super) struct Pace {
    every: SignedDuration,
    next: Mutex<Timestamp>,
}

impl Pace {
    /// One turn in so long; with zero only [`Pace::rest`] makes anything wait.
    pub(super) fn new(every: SignedDuration) -> Self {
        Self { every, next: Mutex::new(Timestamp::MIN) }
    }

    /// Takes a turn, and waits for it if it is near. The error is that it is not.
    pub(super) async fn turn(&self, now: Timestamp) -> Result<(), Outcome> {
        match self.take(now) {
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(wait) => {
                Err(Outcome::Wait { after: Some(wait), why: "no more is taken there for the moment".into() })
            }
        }
    }

    /// Nobody has a turn for so long.
    pub(super) fn rest(&self, now: Timestamp, wait: Duration) {
        let wait = SignedDuration::try_from(wait).unwrap_or(REST_MAX).min(REST_MAX);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(after(now, wait));
    }

    /// How long until the turn that was taken, or how long none can be.
    fn take(&self, now: Timestamp) -> Result<Duration, Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = next.duration_since(now).max(SignedDuration::ZERO);
        if wait > REST_MAX {
            wait = SignedDuration::ZERO;
        }
        let length = Duration::try_from(wait).unwrap_or_default();
        if wait > HOLD_MAX {
            return Err(length);
        }
        *next = after(now, wait + self.every);
        Ok(length)
    }
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_400_000 + seconds).unwrap()
    }

    #[test]
    fn who_comes_together_goes_one_after_the_other_and_who_would_wait_long_is_sent_away() {
        let pace = Pace::new(SignedDuration::from_secs(2));
        let taken: Vec<_> = (0..5).map(|_| pace.take(at(0))).collect();
        let seconds = Duration::from_secs;
        assert_eq!(taken, [Ok(seconds(0)), Ok(seconds(2)), Ok(seconds(4)), Err(seconds(6)), Err(seconds(6))]);
        assert_eq!(pace.take(at(5)), Ok(seconds(1)), "who was sent away has taken no turn");
        assert_eq!(pace.take(at(100)), Ok(seconds(0)));
    }

    #[test]
    fn a_rest_is_for_everybody_and_a_clock_that_was_put_back_holds_nobody_for_days() {
        let pace = Pace::new(SignedDuration::ZERO);
        let seconds = Duration::from_secs;
        assert_eq!((pace.take(at(0)), pace.take(at(0))), (Ok(seconds(0)), Ok(seconds(0))));
        pace.rest(at(0), seconds(60));
        pace.rest(at(0), seconds(3));
        assert_eq!((pace.take(at(10)), pace.take(at(57))), (Err(seconds(50)), Ok(seconds(3))));
        pace.rest(at(100), Duration::MAX);
        assert_eq!(pace.take(at(101)), Err(seconds(3599)));
        assert_eq!(pace.take(at(-86_400)), Ok(seconds(0)));
    }
}
