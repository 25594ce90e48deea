//! Holding deliveries while a shared store is away, or does not answer.
//!
//! The thread that commits waits for the store: for a trip that may never end, and for connections. Who sends alerts
//! does not wait that long, so another thread looks at it. When one step takes longer than [`HOLD_AFTER`], or the store
//! is known to be away, that one puts what has come into the spool and answers it; also what is on its way to the
//! store at that moment, of which nobody knows what becomes: taken twice, it is a repeat or stale. What goes into the
//! spool is given to the store by the thread that commits alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::away::Away;
use super::door::{Job, Queues};
use super::spool::Spool;
use super::{Command, DoorError, Reply};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// A store that keeps the thread that commits for so long is as good as away for those who send.
const HOLD_AFTER: Duration = Duration::from_secs(3);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The spool, in the hands of whoever holds deliveries or gives them to the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keeper {
    spool: Arc<Mutex<Spool>>,
    metrics: Arc<Metrics>,
    away: Away,
}

impl Keeper {
    pub(super) fn new(spool: Spool, metrics: Arc<Metrics>, away: Away) -> Self {
        Self { spool: Arc::new(Mutex::new(spool)), metrics, away }
    }

    pub(super) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps deliveries on this node's own disk and answers them; what is left is for the store alone.
    pub(super) fn hold(&self, jobs: Vec<Job>) -> Vec<Job> {
        let (deliveries, mut others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(can_be_held);
        self.hold_in(&mut self.spool(), deliveries, true);
        // A node vouches for what is in the store; what came before is in the spool now.
        for beat in others.extract_if(.., |job| matches!(*job.command, Command::Beat(_))) {
            beat.answer.give(Err(DoorError::Store));
        }
        others
    }

    /// A node that could not keep something is ready again when it can: nobody sends to one that is not, so that
    /// no delivery would ever show it.
    fn look_for_room(&self, spool: &mut Spool) {
        if !self.away.look().takes && spool.has_room() && spool.keep(&[]).is_ok() {
            self.away.set(|state| state.takes = true);
        }
    }

    /// Keeps deliveries and answers them. `refuses`: also those that it cannot keep.
    fn hold_in(&self, spool: &mut Spool, mut deliveries: Vec<Job>, refuses: bool) {
        // What the other thread has held meanwhile is answered.
        deliveries.retain(|job| !job.answer.is_given());
        if deliveries.is_empty() {
            return;
        }
        let commands: Vec<&Command> = deliveries.iter().map(|job| &*job.command).collect();
        let kept = spool.keep(&commands);
        let refused =
            kept.as_ref().map_or(deliveries.len(), |kept| kept.iter().filter(|kept| !**kept).count());
        let takes = kept.is_ok() && (refused == 0 || spool.has_room());
        let held = spool.held();
        self.metrics.spool_bytes.set(i64::try_from(held.bytes).unwrap_or(i64::MAX));
        self.away.set(|state| {
            state.held = Some(held);
            state.takes = takes;
        });
        if refused > 0 && refuses {
            match &kept {
                Ok(_) => tracing::error!(refused, "deliveries are answered with 503: the spool is full"),
                Err(error) => {
                    tracing::error!(refused, %error, "deliveries are answered with 503: the spool does not take them");
                }
            }
        }
        let kept = kept.unwrap_or_else(|_| vec![false; deliveries.len()]);
        for (job, kept) in deliveries.into_iter().zip(kept) {
            if kept {
                self.metrics.spooled.inc();
                job.answer.give(Ok(Reply::Spooled));
            } else if refuses {
                job.answer.give(Err(DoorError::Store));
            }
        }
    }
}

/// Deliveries can, but for a body that is given to its adapter again: that is in the store already; and mail of which only the
/// store can tell whether it is anything: its mail server keeps it better.
fn can_be_held(job: &Job) -> bool {
    match &*job.command {
        Command::Events(delivered) => delivered.replays.is_none(),
        Command::Unreadable(unread) => unread.rest.replays.is_none() && unread.about.is_none(),
        _ => false,
    }
}

/// What the thread that commits is doing. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Step(Arc<Mutex<Doing>>);

#[derive(Default)]
struct Doing {
    since: Option<Instant>,
    /// Deliveries that are on their way to the store.
    under_way: Vec<Job>,
}

impl Step {
    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begins(&self, now: Instant) {
        self.doing().since = Some(now);
    }

    /// These are on their way from now on. What cannot be taken twice is left out.
    pub(super) fn carries(&self, jobs: &[Job]) {
        let twice =
            |job: &&Job| matches!(&*job.command, Command::Events(delivered) if delivered.replays.is_none());
        self.doing().under_way = jobs.iter().filter(twice).cloned().collect();
    }

    pub(super) fn ends(&self) {
        *self.doing() = Doing::default();
    }
}

/// Holds deliveries past the thread that commits.
pub struct Holder {
    pub(super) keeper: Keeper,
    pub(super) queues: Queues,
    pub(super) step: Step,
    pub(super) up: Arc<AtomicBool>,
    pub(super) clock: Clock,
    /// Ends with the thread that commits.
    pub(super) committer: Receiver<()>,
}

impl Holder {
    /// Waits a moment, and holds what has waited too long. `false` when the thread that commits has ended.
    pub fn step(&self) -> bool {
        match self.committer.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Disconnected) => return false,
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
        let up = self.up.load(Ordering::Acquire);
        // Nobody else holds anything until what is taken here is in the spool: it keeps the order in which it came.
        let mut spool = self.keeper.spool();
        if up && !spool.has_room() {
            // A store that is slow is better than a refusal.
            return true;
        }
        if !up {
            self.keeper.look_for_room(&mut spool);
        }
        let patience = if up { HOLD_AFTER } else { Duration::ZERO };
        let under_way = {
            let mut doing = self.step.doing();
            let waited = doing.since.map(|since| self.clock.mark().duration_since(since));
            if waited.is_none_or(|waited| waited < patience) {
                return true;
            }
            std::mem::take(&mut doing.under_way)
        };
        // A store that is only slow may take what is on its way all the same, and then answers it.
        self.keeper.hold_in(&mut spool, under_way, !up);
        let (deliveries, others): (Vec<Job>, Vec<Job>) =
            self.queues.take_deliveries().into_iter().partition(can_be_held);
        for job in others {
            job.answer.give(Err(DoorError::Store));
        }
        self.keeper.hold_in(&mut spool, deliveries, true);
        true
    }
}
