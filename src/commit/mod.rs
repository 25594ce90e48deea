//! The one door: every change goes through here, and is on disk when the answer comes out.
//!
//! Reads: a bounded queue of commands. Writes: the store, one transaction for all the commands that came
//! while the last one was on its way to disk. Wakes: the delivery when letters were written, the
//! deadlines when hours were set. It sends nothing itself.
//!
//! A command that is refused by the rules changes nothing and does not hurt its neighbours. When a
//! whole transaction fails for another reason than the disk, its commands are run again one by one, so
//! that only the one at fault fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::clock::{Beat, Clock};
use crate::core::prove::CLOCK_BACK_MAX;
use crate::house::Current;
use crate::metrics::Metrics;
use crate::store::silences::Built;
use crate::store::{Connection, Place, StoreError};

mod acts;
mod answers;
pub mod away;
mod calendar;
mod command;
mod condition;
mod delivery_drill;
mod door;
mod drain;
mod duty;
mod effects;
mod events;
mod gone;
mod heartbeat;
mod hold;
mod homes;
mod hush;
mod inhibit;
mod lagging;
mod mail;
mod memory;
mod merges;
mod outbox;
mod press;
mod reach;
mod report;
mod roster;
mod run;
mod signin;
mod silence;
#[cfg(test)]
mod simulation;
pub mod spool;
pub mod statements;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_ahead;
#[cfg(test)]
mod stories_answers;
#[cfg(test)]
mod stories_calendar;
#[cfg(test)]
mod stories_causes;
#[cfg(test)]
mod stories_command;
#[cfg(test)]
mod stories_command_clocks;
#[cfg(test)]
mod stories_drill;
#[cfg(test)]
mod stories_drill_more;
#[cfg(test)]
mod stories_entered;
#[cfg(test)]
mod stories_flapping;
#[cfg(test)]
mod stories_gone;
#[cfg(test)]
mod stories_held;
#[cfg(test)]
mod stories_held_on;
#[cfg(test)]
mod stories_history;
#[cfg(test)]
mod stories_hours;
#[cfg(test)]
mod stories_hush;
#[cfg(test)]
mod stories_inhibit;
#[cfg(test)]
mod stories_known;
#[cfg(test)]
mod stories_late;
#[cfg(test)]
mod stories_load;
#[cfg(test)]
mod stories_losses;
#[cfg(test)]
mod stories_mail;
#[cfg(test)]
mod stories_meeting;
#[cfg(test)]
mod stories_merges;
#[cfg(test)]
mod stories_mirror;
#[cfg(test)]
mod stories_moves;
#[cfg(test)]
mod stories_nodes;
#[cfg(test)]
mod stories_orders;
#[cfg(test)]
mod stories_over;
#[cfg(test)]
mod stories_policy;
#[cfg(test)]
mod stories_reach;
#[cfg(test)]
mod stories_reports;
#[cfg(test)]
mod stories_rings;
#[cfg(test)]
mod stories_roster;
#[cfg(test)]
mod stories_routes;
#[cfg(test)]
mod stories_shuffled;
#[cfg(test)]
mod stories_signin;
#[cfg(test)]
mod stories_statements;
#[cfg(test)]
mod stories_subscribers;
#[cfg(test)]
mod stories_turned;
#[cfg(test)]
mod stories_unread;
#[cfg(test)]
mod stories_ways;
mod subscribe;

pub use answers::{Answering, PageOf};
use away::Away;
pub use calendar::CalendarSaid;
pub use command::{Command, Delivered, EventResult, MailResult, Posted, Reply, Unread};
pub use delivery_drill::{Drilling, drill_due};
pub use door::{Door, DoorError};
use door::{Job, Queues};
use drain::{DRAIN_TRIES, Tried};
use effects::Effects;
pub use events::OWN_KEYS;
pub use hold::Holder;
use hold::{Keeper, Step};
use memory::{Lasting, Memory};
pub use merges::{Part, followed};
pub use press::Press;
pub use reach::Asked;
pub use report::{ARRIVED, Fate, Report};
pub use roster::Change;
pub use signin::SignIn;
use spool::Spool;
pub use subscribe::Subscribing;

/// What the stories speak of.
#[cfg(test)]
use {
    crate::core::alert::Event,
    crate::core::decide::{Act, By, Reason},
    crate::core::incident::{Incident, Severity},
    crate::core::silence::Silence,
    crate::store::letters::{self, Claim, Settlement},
    crate::store::{calendars, nodes, tokens, unreadable},
};

/// An idle door tries the store this often, so that `/readyz` tells the truth before the next alert comes.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// A door whose store is gone tries it this often.
const PROBE_EVERY_DOWN: Duration = Duration::from_secs(1);
/// The same, where trying means to connect, and deliveries are held meanwhile.
const PROBE_EVERY_AWAY: Duration = Duration::from_secs(3);
/// How long ids of deliveries, and bodies that were read at last, are remembered.
const DELIVERIES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a token that was revoked is listed.
const REVOKED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a silence that is over is listed: as long as Alertmanager does.
const SILENCES_KEPT: SignedDuration = SignedDuration::from_hours(120);
/// Most bodies of one source that wait to be read at last. Beyond it nothing is taken that cannot be read.
const UNREADABLE_MAX: i64 = 10_000;
/// The same, for their bytes together.
const UNREADABLE_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// Most tokens of one holder that work at the same time.
const TOKENS_MAX: i64 = 100;
/// Most old incidents, most alerts without one, and most nodes that have gone, forgotten in one transaction.
const FORGET_MAX: u32 = 100;
/// Most alerts, and most incidents, that are made findable in one transaction after an older version wrote them.
const FILL_MAX: u32 = 200;

/// Whom a commit wakes. Wake-ups carry nothing: who is woken reads the store.
#[derive(Clone, Default)]
pub struct Wakes {
    /// Letters were written.
    pub letters: Arc<Notify>,
    /// Hours were set.
    pub deadlines: Arc<Notify>,
    /// Entries were written, which somebody may follow.
    pub entries: Arc<Notify>,
}

/// The side of the door where the disk is. Owned by one thread.
pub struct Committer {
    queues: Queues,
    connection: Connection,
    place: Place,
    /// Silences that were in force last, with their matchers built.
    silences: Built,
    /// What the last transaction knew, if it is on disk.
    lasting: Lasting,
    clock: Clock,
    house: Arc<Current>,
    metrics: Arc<Metrics>,
    wakes: Wakes,
    up: Arc<AtomicBool>,
    last_now: Timestamp,
    probed: Instant,
    /// How often the next of what was held was not taken, and when the last time was.
    drain_fault: Option<(u32, Instant)>,
    /// Which of what was held it took beside that.
    tried: Tried,
    /// Another file has come in the store's place.
    replaced: bool,
    /// Where deliveries go while a shared store is away.
    keeper: Option<Keeper>,
    doing: Step,
    /// As long as this is there, somebody may hold deliveries beside us.
    alive: Option<SyncSender<()>>,
    away: Away,
    /// Struck at every step.
    pub beat: Beat,
}

/// Where commands wait.
pub struct Room {
    /// Most deliveries that wait for the disk.
    pub queue_max: usize,
    /// Where deliveries are held while a shared store is away.
    pub spool: Option<Spool>,
}

/// Makes a door onto an open store, and tries whether it takes writes.
pub fn door(
    room: Room,
    connection: Connection,
    place: Place,
    clock: Clock,
    house: Arc<Current>,
    metrics: Arc<Metrics>,
    wakes: Wakes,
) -> (Door, Committer) {
    let Room { queue_max, spool } = room;
    let up = Arc::new(AtomicBool::new(true));
    let away = Away::default();
    away.set(|state| {
        state.held = spool.as_ref().map(Spool::held);
        state.takes = spool.is_some();
    });
    let keeper = spool.map(|spool| Keeper::new(spool, metrics.clone(), away.clone()));
    let (door, queues) = door::queues(queue_max, up.clone(), away.clone());
    metrics.store_up.set(1);
    let (last_now, probed, beat) = (clock.now(), clock.mark(), Beat::new(&clock));
    let mut committer = Committer {
        queues,
        connection,
        place,
        silences: Built::default(),
        lasting: Lasting::default(),
        clock,
        house,
        metrics,
        wakes,
        up,
        last_now,
        probed,
        drain_fault: None,
        tried: Tried::default(),
        replaced: false,
        keeper,
        doing: Step::default(),
        alive: None,
        away,
        beat,
    };
    // Before anybody is told that alerts can be accepted.
    if let Err(error) = committer.revive() {
        committer.down(Vec::new(), &error);
    }
    committer.tell_of_what_went_aside();
    (door, committer)
}

/// What a command came to, while its delivery is still where it may be needed again.
enum Done {
    /// A delivery was heard.
    Heard(Vec<EventResult>),
    /// Anything else.
    Reply(Reply),
}

impl Done {
    fn reply(self, command: Arc<Command>) -> Reply {
        match self {
            Self::Heard(results) => Reply::Events(command, results),
            Self::Reply(reply) => reply,
        }
    }
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
        if error.is_of_the_store() { Self::Store(error) } else { Self::Command(error) }
    }
}

impl Committer {
    /// Takes what has come and commits it. `false` when every [`Door`] is gone, and when another file has
    /// come in the store's place: then only a new start can go on.
    pub fn step(&mut self) -> bool {
        self.beat.strike();
        let patience = match (self.up.load(Ordering::Acquire), &self.keeper) {
            (true, _) => PROBE_EVERY,
            (false, None) => PROBE_EVERY_DOWN,
            // Trying takes its time there, in which nothing is taken.
            (false, Some(_)) => PROBE_EVERY_AWAY,
        };
        let wait = match (self.drains(), self.drain_fault) {
            (false, _) => patience,
            (true, None) => Duration::ZERO,
            (true, Some(_)) => PROBE_EVERY_DOWN,
        };
        let jobs = match self.queues.take(wait) {
            Ok(jobs) => jobs,
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        self.doing.begins(self.clock.mark());
        self.go_on(jobs, patience);
        self.doing.ends();
        !self.replaced
    }

    /// Does with what has come what there is to do: holds it, commits it, tries a store that is away (not sooner
    /// than `patience` after the last time), and gives it what was held. What comes meanwhile is held by [`Holder`]
    /// when that takes long.
    fn go_on(&mut self, jobs: Vec<Job>, patience: Duration) {
        // Trying may take its time, and what came behind what waits already goes behind it: held at once.
        let away = self.keeper.is_some() && !self.up.load(Ordering::Acquire);
        let jobs = if away || self.drains() { self.hold(jobs) } else { jobs };
        let due = self.probed.elapsed() >= patience;
        let ready = match if due { self.look_after(!jobs.is_empty()) } else { self.is_in_place() } {
            Ok(()) if self.keeper.is_some() && !self.up.load(Ordering::Acquire) => {
                Err(StoreError::Away("it is away"))
            }
            other => other,
        };
        let committed = match ready {
            Ok(()) if jobs.is_empty() => Ok(()),
            Ok(()) => {
                if self.keeper.is_some() {
                    self.doing.carries(&jobs);
                }
                self.commit(jobs)
            }
            Err(error) => Err((jobs, error)),
        };
        if let Err((jobs, error)) = committed {
            self.down(jobs, &error);
        }
        let rests = self.drain_fault.is_some_and(|(_, at)| at.elapsed() < PROBE_EVERY_DOWN);
        if self.drains() && !rests {
            let times = self.drain_fault.map_or(0, |(times, _)| times);
            self.drain_fault = match self.drain(times >= DRAIN_TRIES) {
                true => None,
                false => Some((times.saturating_add(1), self.clock.mark())),
            };
        }
    }

    /// Who holds deliveries beside this thread, where there is a spool; it wants a thread of its own.
    pub fn holder(&mut self) -> Option<Holder> {
        let keeper = self.keeper.clone()?;
        let (alive, committer) = sync_channel(1);
        self.alive = Some(alive);
        let (queues, step) = (self.queues.clone(), self.doing.clone());
        Some(Holder { keeper, queues, step, up: self.up.clone(), clock: self.clock.clone(), committer })
    }

    /// Keeps deliveries on this node's own disk and answers them; what is left is for the store alone.
    fn hold(&self, jobs: Vec<Job>) -> Vec<Job> {
        match &self.keeper {
            Some(keeper) => keeper.hold(jobs),
            None => jobs,
        }
    }

    /// Does one thing here and now, without the queue: for a command that has the store to itself.
    ///
    /// # Errors
    /// As [`Door::ask`].
    pub fn at_once(&mut self, command: Command) -> Result<Reply, DoorError> {
        let (job, mut answered) = Job::new(command);
        if let Err((jobs, error)) = self.commit(vec![job]) {
            self.down(jobs, &error);
        }
        answered.try_recv().unwrap_or(Err(DoorError::Closed))
    }

    /// Looks whether the store is where it was, and, where no commit does it, whether it takes writes. Under
    /// load no moment is idle, and a store that has to be opened anew would stay gone.
    fn look_after(&mut self, busy: bool) -> Result<(), StoreError> {
        let looked = self
            .is_in_place()
            .and_then(|()| if busy && self.up.load(Ordering::Acquire) { Ok(()) } else { self.revive() });
        self.probed = self.clock.mark();
        looked
    }

    /// What is written into a file that stands nowhere is lost, and who reads would read the other one.
    fn is_in_place(&mut self) -> Result<(), StoreError> {
        if self.connection.is_in_place()? {
            return Ok(());
        }
        // Its log of changes stands beside the other file now, and the next to open that one would take them for
        // its own. They go where they belong first.
        self.connection.settle_down()?;
        self.replaced = true;
        let path = &self.place;
        let error = StoreError::Schema(format!("{path} is not the file any more that was opened"));
        tracing::error!(%error, "the daemon ends: a new start uses the file that is there now");
        Err(error)
    }

    /// Commits and answers. When the store does not take it, the jobs that are not answered come back.
    fn commit(&mut self, jobs: Vec<Job>) -> Result<(), (Vec<Job>, StoreError)> {
        let done = self.transact(&jobs).and_then(|done| {
            // What went into a file that is nowhere now was not taken.
            self.is_in_place().map_err(Failure::Store)?;
            Ok(done)
        });
        match done {
            Ok((done, effects)) => self.answer(jobs, done, effects),
            Err(Failure::Store(error)) => return Err((jobs, error)),
            Err(Failure::Command(error)) if jobs.len() == 1 => {
                tracing::error!(%error, "a command failed and was not committed");
                for job in jobs {
                    job.answer.give(Err(DoorError::Fault));
                }
            }
            Err(Failure::Command(_)) => {
                let mut jobs = jobs.into_iter();
                while let Some(job) = jobs.next() {
                    self.beat.strike();
                    if let Err((mut back, error)) = self.commit(vec![job]) {
                        back.extend(jobs);
                        return Err((back, error));
                    }
                }
            }
        }
        Ok(())
    }

    fn transact(&mut self, jobs: &[Job]) -> Result<(Vec<Result<Done, DoorError>>, Effects), Failure> {
        let now = self.hour();
        let house = self.house.get();
        let connection = &mut self.connection;
        let silences = self.silences.clone();
        // Gone, unless it is committed.
        let lasting = std::mem::take(&mut self.lasting);
        let work = std::panic::AssertUnwindSafe(|| {
            connection.write(now, |tx| {
                let mut effects = Effects::default();
                let mut memory = Memory::of(tx, jobs, lasting, silences, &house.rules)?;
                let done: Result<Vec<_>, StoreError> =
                    jobs.iter().map(|job| run::run(tx, &house, &mut effects, &mut memory, job)).collect();
                let done = done?;
                memory.write(tx)?;
                #[cfg(test)]
                memory.agrees(tx);
                Ok::<_, StoreError>((done, effects, memory.lasting()))
            })
        });
        match std::panic::catch_unwind(work) {
            Ok(result) => {
                let (done, effects, lasting) = result?;
                self.lasting = lasting;
                Ok((done, effects))
            }
            #[cfg(test)]
            Err(panic) if panic.is::<memory::tests::Disagrees>() => std::panic::resume_unwind(panic),
            Err(_) => Err(Failure::Command(StoreError::Decode("a panic while it was decided"))),
        }
    }

    fn answer(&mut self, jobs: Vec<Job>, done: Vec<Result<Done, DoorError>>, effects: Effects) {
        #[allow(clippy::cast_precision_loss, reason = "a batch is small")]
        self.metrics.batch_size.observe(jobs.len() as f64);
        effects.publish(&self.metrics);
        for (Job { command, answer }, done) in jobs.into_iter().zip(done) {
            answer.give(done.map(|done| done.reply(command)));
        }
        effects.wake(&self.wakes);
    }

    fn down(&mut self, jobs: Vec<Job>, error: &StoreError) {
        if self.up.load(Ordering::Acquire) {
            let what = match &self.keeper {
                Some(_) => "the store is away; alerts are held on this machine until it is back",
                None => "the store takes no writes; alerts are answered with 503 until it does",
            };
            tracing::error!(%error, "{what}");
        }
        self.set_up(false);
        // It may be opened anew, and others may have written meanwhile.
        self.lasting = Lasting::default();
        // What is held may be taken twice without harm. What people do may not.
        let unknown = matches!(error, StoreError::Unknown(_));
        for job in self.hold(jobs) {
            job.answer.give(Err(if unknown { DoorError::Late } else { DoorError::Store }));
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
            tried = self.connection.open_anew().and_then(|()| self.connection.write(now, probe));
        }
        if !was_up && tried.is_ok() {
            tried = self.connection.write(now, crate::store::release_room);
        }
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
        if !up {
            self.away.was_deaf_now();
        }
        let now = self.clock.now();
        // A store that is back and does not take what was held for it is as good as away.
        let back = up && self.keeper.as_ref().is_none_or(|keeper| keeper.spool().is_empty());
        self.away.set(|state| state.since = if back { None } else { state.since.or((!up).then_some(now)) });
        self.up.store(up, Ordering::Release);
        self.metrics.store_up.set(i64::from(up));
    }
}
