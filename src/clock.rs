//! The only reader of the hour.
//!
//! Everything that needs the time is handed a [`Clock`] or a `now`. Times are cut to whole
//! microseconds, which is what the store keeps, so that a value read back equals the value written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Tells the hour.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Added to the system's hour, in microseconds; stories move it, the daemon never does.
    ahead_us: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The hour now, in whole microseconds.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now().as_microsecond().saturating_add(self.ahead_us.load(Ordering::Relaxed));
        Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX)
    }

    /// A monotonic mark for measuring how long something takes.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn mark(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    /// Moves this clock and its clones forward, for stories in which hours pass.
    pub fn forward(&self, by: jiff::SignedDuration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.ahead_us.fetch_add(by, Ordering::Relaxed);
    }
}
