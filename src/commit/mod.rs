//! The one door: every change goes through here, and is on disk when the answer comes out.
//!
//! Reads: a bounded queue of commands. Writes: the store, one transaction for all the commands that came
//! while the last one was on its way to disk. Wakes: the delivery when letters were written, the
//! deadlines when hours were set. It sends nothing itself.
//!
//! A command that is refused by the rules changes nothing and does not hurt its neighbours. When a
//! whole transaction fails for another reason than the disk, its commands are run again one by one, so
//! that only the one at fault fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::core::alert::Event;
use crate::core::decide::{Act, By, Reason, Refusal};
use crate::core::incident::{Incident, Severity};
use crate::house::{Current, House};
use crate::metrics::Metrics;
use crate::store::letters::{Claim, Settlement};
use crate::store::{Connection, StoreError, Tx, unreadable};

mod acts;
mod effects;
mod events;
mod outbox;
#[cfg(test)]
mod stories;

use effects::Effects;

/// Most commands that share one transaction.
const BATCH_MAX: usize = 256;
/// Most events that share one transaction: a body may carry thousands.
const BATCH_EVENTS_MAX: usize = 4096;
/// An idle door tries the store this often, so that `/readyz` tells the truth before the next alert comes.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// A door whose store is gone tries it this often.
const PROBE_EVERY_DOWN: Duration = Duration::from_secs(1);
/// How long a caller waits for its answer before it says 503. The command may still be committed.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// How long ids of deliveries, and bodies that were read at last, are remembered.
const DELIVERIES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A clock that is set back by no more than this is waited for.
const CLOCK_BACK_MAX: SignedDuration = SignedDuration::from_secs(2);
/// Most bodies of one source that wait to be read at last. Beyond it nothing is taken that cannot be read.
const UNREADABLE_MAX: i64 = 10_000;
/// Most old incidents, and most alerts without one, forgotten in one transaction.
const FORGET_MAX: u32 = 100;

/// What can be asked of the door.
#[derive(Debug)]
pub enum Command {
    /// A delivery that was understood.
    Events(Delivered),
    /// A delivery that was not.
    Unreadable {
        /// The body as it came.
        kept: unreadable::Kept,
        /// The service of its source.
        service: String,
    },
    /// Something is done to an incident.
    Act {
        /// Which.
        incident: i64,
        /// What.
        act: Act,
        /// By whom.
        by: By,
    },
    /// A human opens an incident without an alert.
    Declare {
        /// One line.
        title: String,
        /// What is affected.
        service: String,
        /// How bad.
        severity: Severity,
        /// By whom.
        by: By,
    },
    /// Letters are taken for delivery.
    Claim {
        /// A channel, or empty for persons.
        channel: String,
        /// For how long.
        lease: SignedDuration,
        /// At most this many.
        limit: u32,
    },
    /// An attempt has ended.
    Settle {
        /// The letter.
        claim: Arc<Claim>,
        /// How.
        settlement: Settlement,
    },
    /// Old things are forgotten.
    Forget {
        /// Incidents that ended longer ago than this.
        retention: Option<SignedDuration>,
    },
}

/// Events of one delivery.
#[derive(Debug)]
pub struct Delivered {
    /// The source's name.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// Its service.
    pub service: String,
    /// What it says.
    pub events: Vec<Event>,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The number of the kept body, when it is given to the adapter again.
    pub replays: Option<i64>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventResult {
    /// The alert's key.
    pub key: String,
    /// `opened`, `joined`, `repeated`, `resolved`, `acknowledged`, `stale`, `ignored` or `test`.
    pub outcome: &'static str,
    /// The incident it belongs to.
    pub incident: Option<i64>,
}

/// An answer of the door: what was asked for is on disk.
#[derive(Debug)]
pub enum Reply {
    /// To [`Command::Events`].
    Events(Vec<EventResult>),
    /// To [`Command::Unreadable`]: the number under which the body is kept.
    Kept(i64),
    /// To [`Command::Act`] and [`Command::Declare`].
    Decided(Box<Incident>, Reason),
    /// To [`Command::Claim`].
    Claims(Vec<Claim>),
    /// To the others.
    Done,
}

/// Why the door did not do it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NoIncident(i64),
    /// There is no such service.
    #[error("there is no service {0}")]
    NoService(String),
    /// The queue is full.
    #[error("too many requests wait for the disk; try again in a moment")]
    Full,
    /// The store does not take it.
    #[error("the store takes no writes at this moment")]
    Store,
    /// Too much was kept already that could not be read.
    #[error("{0} bodies of this source wait to be read; mend the source, or run `onscene replay`")]
    TooManyKept(i64),
    /// No answer in time: it may have been done.
    #[error("the store did not answer in time")]
    Late,
    /// The door is closed.
    #[error("the daemon is stopping")]
    Closed,
}

struct Job {
    command: Command,
    answer: oneshot::Sender<Result<Reply, DoorError>>,
}

/// Whom a commit wakes. Wake-ups carry nothing: who is woken reads the store.
#[derive(Clone, Default)]
pub struct Wakes {
    /// Letters were written.
    pub letters: Arc<Notify>,
    /// Hours were set.
    pub deadlines: Arc<Notify>,
}

/// The side of the door where commands go in. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    queue: SyncSender<Job>,
    up: Arc<AtomicBool>,
}

impl Door {
    /// Asks, and waits until it is on disk.
    ///
    /// # Errors
    /// A [`DoorError`] that says why nothing was changed; after [`DoorError::Late`] it may have been.
    pub async fn ask(&self, command: Command) -> Result<Reply, DoorError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { command, answer }).map_err(|error| match error {
            TrySendError::Full(_) => DoorError::Full,
            TrySendError::Disconnected(_) => DoorError::Closed,
        })?;
        match tokio::time::timeout(ANSWER_WAIT, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(DoorError::Closed),
            Err(_) => Err(DoorError::Late),
        }
    }

    /// Asks for something done to an incident.
    ///
    /// # Errors
    /// As [`Door::ask`].
    pub async fn act(&self, incident: i64, act: Act, by: By) -> Result<(Incident, Reason), DoorError> {
        match self.ask(Command::Act { incident, act, by }).await? {
            Reply::Decided(incident, reason) => Ok((*incident, reason)),
            _ => Err(DoorError::Store),
        }
    }

    /// Whether the store took the last write.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }
}

/// The side of the door where the disk is. Owned by one thread.
pub struct Committer {
    queue: Receiver<Job>,
    connection: Connection,
    path: PathBuf,
    clock: Clock,
    house: Arc<Current>,
    metrics: Arc<Metrics>,
    wakes: Wakes,
    up: Arc<AtomicBool>,
    last_now: Timestamp,
    probed: Instant,
}

/// Makes a door onto an open store, and tries whether it takes writes.
pub fn door(
    queue_max: usize,
    connection: Connection,
    path: PathBuf,
    clock: Clock,
    house: Arc<Current>,
    metrics: Arc<Metrics>,
    wakes: Wakes,
) -> (Door, Committer) {
    let (sender, queue) = sync_channel(queue_max);
    let up = Arc::new(AtomicBool::new(true));
    metrics.store_up.set(1);
    let (last_now, probed) = (clock.now(), clock.mark());
    let up_too = up.clone();
    let mut committer =
        Committer { queue, connection, path, clock, house, metrics, wakes, up: up_too, last_now, probed };
    // Before anybody is told that alerts can be accepted.
    committer.probe();
    (Door { queue: sender, up }, committer)
}

/// Why a transaction was not committed.
enum Failure {
    /// Of the disk.
    Store(StoreError),
    /// Of a command: only its own.
    Command(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Decode(_) | StoreError::Json(_) => Self::Command(error),
            StoreError::Engine(_) | StoreError::Schema(_) | StoreError::File { .. } => Self::Store(error),
        }
    }
}

impl Committer {
    /// Takes what has come and commits it. `false` when every [`Door`] is gone.
    pub fn step(&mut self) -> bool {
        let patience = if self.up.load(Ordering::Acquire) { PROBE_EVERY } else { PROBE_EVERY_DOWN };
        let first = match self.queue.recv_timeout(patience) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                self.probe();
                return true;
            }
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let mut events = count(&first.command);
        let mut jobs = vec![first];
        while jobs.len() < BATCH_MAX && events < BATCH_EVENTS_MAX {
            let Ok(job) = self.queue.try_recv() else { break };
            events += count(&job.command);
            jobs.push(job);
        }
        // Under load no moment is idle, and a store that has to be opened anew would stay gone.
        let due = !self.up.load(Ordering::Acquire) && self.probed.elapsed() >= PROBE_EVERY_DOWN;
        match if due { self.revive() } else { Ok(()) } {
            Ok(()) => self.commit(jobs),
            Err(error) => self.down(jobs, &error),
        }
        true
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        match self.transact(&jobs) {
            Ok((replies, effects)) => self.answer(jobs, replies, effects),
            Err(Failure::Store(error)) => self.down(jobs, &error),
            Err(Failure::Command(error)) if jobs.len() == 1 => {
                tracing::error!(%error, "a command failed and was not committed");
                for job in jobs {
                    let _gone = job.answer.send(Err(DoorError::Store));
                }
            }
            Err(Failure::Command(_)) => {
                for job in jobs {
                    self.commit(vec![job]);
                }
            }
        }
    }

    fn transact(&mut self, jobs: &[Job]) -> Result<(Vec<Result<Reply, DoorError>>, Effects), Failure> {
        let now = self.hour();
        let house = self.house.get();
        let connection = &mut self.connection;
        let work = std::panic::AssertUnwindSafe(|| {
            connection.write(now, |tx| {
                let mut effects = Effects::default();
                let replies: Result<Vec<_>, StoreError> =
                    jobs.iter().map(|job| run(tx, &house, &mut effects, &job.command)).collect();
                replies.map(|replies| (replies, effects))
            })
        });
        match std::panic::catch_unwind(work) {
            Ok(result) => result.map_err(Failure::from),
            Err(_) => Err(Failure::Command(StoreError::Decode("a panic while it was decided"))),
        }
    }

    fn answer(&mut self, jobs: Vec<Job>, replies: Vec<Result<Reply, DoorError>>, effects: Effects) {
        #[allow(clippy::cast_precision_loss, reason = "a batch is small")]
        self.metrics.batch_size.observe(jobs.len() as f64);
        effects.publish(&self.metrics);
        for (job, reply) in jobs.into_iter().zip(replies) {
            // Who asked may have gone; what was asked is done all the same.
            let _gone = job.answer.send(reply);
        }
        effects.wake(&self.wakes);
    }

    fn down(&mut self, jobs: Vec<Job>, error: &StoreError) {
        if self.up.load(Ordering::Acquire) {
            tracing::error!(%error, "the store takes no writes; alerts are answered with 503 until it does");
        }
        self.set_up(false);
        for job in jobs {
            let _gone = job.answer.send(Err(DoorError::Store));
        }
    }

    fn probe(&mut self) {
        if let Err(error) = self.revive() {
            self.down(Vec::new(), &error);
        }
    }

    /// Tries whether the store takes writes; one that is gone is opened anew when it does not.
    fn revive(&mut self) -> Result<(), StoreError> {
        let now = self.hour();
        let was_up = self.up.load(Ordering::Acquire);
        // A full disk takes a little now and then: what was full is trusted when it takes a whole delivery.
        let probe = if was_up { crate::store::probe } else { crate::store::probe_room };
        let mut tried = self.connection.write(now, probe);
        if !was_up && tried.as_ref().is_err_and(|error: &StoreError| !error.is_busy()) {
            tried = Connection::writer(&self.path, now).and_then(|connection| {
                self.connection = connection;
                self.connection.write(now, probe)
            });
        }
        if !was_up && tried.is_ok() {
            tried = self.connection.write(now, crate::store::release_room);
        }
        self.probed = self.clock.mark();
        if tried.is_ok() {
            if !was_up {
                tracing::info!("the store takes writes again");
            }
            self.set_up(true);
        }
        tried
    }

    /// The hour of a transaction. A clock that is set back a little does not turn a timeline round. One
    /// that was far ahead and is put right is believed: deadlines must not stand in a future that never was.
    fn hour(&mut self) -> Timestamp {
        let now = self.clock.now();
        let back = self.last_now.duration_since(now);
        self.last_now =
            if back > SignedDuration::ZERO && back <= CLOCK_BACK_MAX { self.last_now } else { now };
        self.last_now
    }

    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Release);
        self.metrics.store_up.set(i64::from(up));
    }
}

fn count(command: &Command) -> usize {
    match command {
        Command::Events(delivered) => delivered.events.len(),
        _ => 1,
    }
}

/// Runs one command. The outer error ends the whole transaction; the inner one is this command's own.
fn run(
    tx: &Tx<'_>,
    house: &House,
    effects: &mut Effects,
    command: &Command,
) -> Result<Result<Reply, DoorError>, StoreError> {
    let mut work = acts::Work { tx, house, effects, received_at: None };
    match command {
        Command::Events(delivered) => work.take(delivered).map(|results| Ok(Reply::Events(results))),
        Command::Unreadable { kept, service } => {
            let waiting = unreadable::waiting_of(tx, &kept.source)?;
            if waiting >= UNREADABLE_MAX {
                return Ok(Err(DoorError::TooManyKept(waiting)));
            }
            work.keep(kept, service).map(|id| Ok(Reply::Kept(id)))
        }
        Command::Act { incident, act, by } => work.act(*incident, act.clone(), by),
        Command::Declare { title, service, severity, by } => work.declare(title, service, *severity, by),
        Command::Claim { channel, lease, limit } => {
            let claims = crate::store::letters::claim(tx, channel, *lease, *limit)?;
            Ok(Ok(Reply::Claims(claims)))
        }
        Command::Settle { claim, settlement } => work.settle(claim, settlement).map(|()| Ok(Reply::Done)),
        Command::Forget { retention } => {
            let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
            unreadable::forget(tx, before(DELIVERIES_KEPT))?;
            if let Some(retention) = retention {
                crate::store::incidents::forget(tx, before(*retention), FORGET_MAX)?;
                crate::store::alerts::forget_loose(tx, before(*retention), FORGET_MAX)?;
            }
            Ok(Ok(Reply::Done))
        }
    }
}
