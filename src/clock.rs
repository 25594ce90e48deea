//! The only reader of the hour.
//!
//! Everything that needs the time is handed a [`Clock`] or a `now`. Times are cut to whole
//! microseconds, which is what the store keeps, so that a value read back equals the value written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How exactly the system knows when a process was started, in microseconds.
const TICK_US: i64 = 10_000;
/// One that was started longer ago does not speak of then.
const BEGAN_MAX_US: i64 = 5_000_000;

/// When this process was started, in microseconds since the machine was: proc(5), field 22 of `/proc/self/stat`.
fn started_us() -> Option<i64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: i64 = fields.split(' ').nth(19)?.parse().ok()?;
    let each = 1_000_000 / i64::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    ticks.checked_mul(each)
}

/// How long this machine has been up, in microseconds.
fn up_us() -> i64 {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    up.tv_sec.saturating_mul(1_000_000).saturating_add(up.tv_nsec / 1000)
}

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

    /// The hour at which this process was started; now, where the system does not tell. Processes that a program starts one
    /// after the other may come to ask for the hour in another order. By this they keep theirs: the system knows it to
    /// 10 ms, and within those their numbers tell.
    pub fn began(&self) -> Timestamp {
        let Some(started) = started_us() else { return self.now() };
        // The tightest of a few looks at both clocks: a pause between them would put one process into another's tick.
        let look = |_| {
            let before = up_us();
            let now = self.now();
            let after = up_us();
            (after.saturating_sub(before), now, after)
        };
        let Some((_, now, up)) = (0..3).map(look).min_by_key(|(between, ..)| *between) else {
            return self.now();
        };
        let age = up.saturating_sub(started);
        if !(0..=BEGAN_MAX_US).contains(&age) {
            return now;
        }
        let began = now.as_microsecond().saturating_sub(age);
        let order = i64::from(std::process::id()) % TICK_US;
        // A tick back, so that no order among those of one tick lies ahead of now.
        let tick = began.div_euclid(TICK_US).saturating_sub(1).saturating_mul(TICK_US);
        Timestamp::from_microsecond(tick.saturating_add(order)).unwrap_or(now)
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    fn system_us(&self) -> i64 {
        self.stands_us.unwrap_or_else(|| Timestamp::now().as_microsecond())
    }

    /// The system's hour, to be remembered while a shared store is asked for its own: see [`Clock::follow`].
    pub fn asks(&self) -> Timestamp {
        Timestamp::from_microsecond(self.system_us()).unwrap_or(Timestamp::MAX)
    }

    /// Goes by a shared store's clock, which had this hour at some moment since `asked`: nodes whose clocks differ
    /// must agree on when a lease ends and a deadline has come. Answers the hour of the store.
    ///
    /// How long ago that moment was, nobody knows: the answer may have been on its way for long, or this machine may
    /// have slept before it was read. So what is known of the difference is only changed where it cannot be right.
    pub fn follow(&self, asked: Timestamp, hour: Timestamp) -> Timestamp {
        let (told, now) = (hour.as_microsecond(), self.system_us());
        let ahead = [told.saturating_sub(now), told.saturating_sub(asked.as_microsecond())];
        let known = self.store_us.load(Ordering::Relaxed);
        let known = known.clamp(ahead[0].min(ahead[1]), ahead[0].max(ahead[1]));
        self.store_us.store(known, Ordering::Relaxed);
        let told = told.saturating_add(self.ahead_us.load(Ordering::Relaxed));
        Timestamp::from_microsecond(told).unwrap_or(Timestamp::MAX)
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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn after(hour: Timestamp, seconds: i64) -> Timestamp {
        hour.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn ahead_s(clock: &Clock) -> i64 {
        clock.now().duration_since(clock.asks()).as_secs_f64().round() as i64
    }

    #[test]
    fn the_hour_at_which_this_process_began_lies_behind_it_and_stays() {
        let clock = Clock::system();
        let began = clock.began();
        let age = clock.now().duration_since(began);
        assert!(age >= jiff::SignedDuration::ZERO, "{age:?}");
        // One that was started long ago speaks of now.
        let up = started_us().map_or(0, |started| up_us() - started);
        assert!(up > BEGAN_MAX_US || age.as_secs() < 6, "{age:?}");
    }

    #[test]
    fn an_hour_that_was_long_on_its_way_does_not_set_the_clock_back() {
        let clock = Clock::system();
        let now = clock.now();
        // Asked 75 s ago, answered at once, and read only now, because the machine slept.
        assert_eq!(clock.follow(after(now, -75), after(now, -75)), after(now, -75));
        assert_eq!(ahead_s(&clock), 0);
        // A store that is ahead, or behind, is followed.
        clock.follow(now, after(now, 40));
        assert_eq!(ahead_s(&clock), 40);
        clock.follow(after(now, -3), after(now, -30));
        assert_eq!(ahead_s(&clock), -27);
        clock.follow(now, now);
        assert_eq!(ahead_s(&clock), 0);
    }
}
