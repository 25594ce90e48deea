//! The only reader of the hour.
//!
//! Everything that needs the time is handed a [`Clock`] or a `now`. Times are cut to whole
//! microseconds, which is what the store keeps, so that a value read back equals the value written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the hour.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// An hour that stands, in microseconds, in place of the system's. Only stories have one.
    stands_us: Option<i64>,
    /// Added to the system's hour, in microseconds; stories move it, the daemon never does.
    ahead_us: Arc<AtomicI64>,
    /// By how much the clock of a shared store is ahead of the system's, in microseconds.
    store_us: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock whose hour stands until it is moved, for stories that must go the same way every time.
    pub fn standing(at: Timestamp) -> Self {
        Self { stands_us: Some(at.as_microsecond()), ..Self::default() }
    }

    /// The clock of another machine: the same hours pass there, but which store it follows, and how far it is off,
    /// are its own.
    pub fn beside(&self) -> Self {
        Self { stands_us: self.stands_us, ahead_us: self.ahead_us.clone(), store_us: Arc::default() }
    }

    /// Makes this clock wrong by so much, until it follows a store again.
    pub fn strays(&self, by: jiff::SignedDuration) {
        self.store_us.store(i64::try_from(by.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// The hour now, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        let ahead =
            self.ahead_us.load(Ordering::Relaxed).saturating_add(self.store_us.load(Ordering::Relaxed));
        Timestamp::from_microsecond(self.system_us().saturating_add(ahead)).unwrap_or(Timestamp::MAX)
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    fn system_us(&self) -> i64 {
        self.stands_us.unwrap_or_else(|| Timestamp::now().as_microsecond())
    }

    /// Goes by a shared store's clock, which has this hour now: nodes whose clocks differ must agree on when a
    /// lease ends and a deadline has come.
    pub fn follow(&self, hour: Timestamp) {
        let ahead = hour.as_microsecond().saturating_sub(self.system_us());
        self.store_us.store(ahead, Ordering::Relaxed);
    }

    /// A monotonic mark for measuring how long something takes.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn mark(&self) -> Instant {
        Instant::now()
    }

    /// Moves this clock and its clones forward, for stories in which hours pass.
    pub fn forward(&self, by: jiff::SignedDuration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.ahead_us.fetch_add(by, Ordering::Relaxed);
    }
}

/// The sign of life of a worker, for the watchdog: struck at every turn of its loop, whether the turn met
/// trouble or not. Cheap to clone; it does not mind the hour being set.
#[derive(Clone, Debug)]
pub struct Beat {
    clock: Clock,
    began: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Beat {
    /// Struck now for the first time.
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), began: clock.mark(), last_ms: Arc::default() }
    }

    /// One more turn.
    pub fn strike(&self) {
        self.last_ms.store(self.elapsed_ms(), Ordering::Release);
    }

    /// How long ago the last turn began.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.last_ms.load(Ordering::Acquire)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.clock.mark().duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}
