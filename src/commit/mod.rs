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
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::clock::{Beat, Clock};
use crate::core::alert::Event;
use crate::core::condition::Condition;
use crate::core::decide::{Act, By, Reason};
use crate::core::incident::{Incident, Severity};
use crate::core::mail::{Ignored, Mail};
use crate::core::silence::Silence;
use crate::house::Current;
use crate::metrics::Metrics;
use crate::store::letters::{self, Claim, Settlement};
use crate::store::silences::Built;
use crate::store::{Connection, Place, StoreError, calendars, nodes, tokens, unreadable};

mod acts;
pub mod away;
mod calendar;
mod condition;
mod door;
mod drain;
mod effects;
mod events;
mod heartbeat;
mod hold;
mod homes;
mod inhibit;
mod lagging;
mod mail;
mod memory;
mod merges;
mod outbox;
mod run;
mod silence;
#[cfg(test)]
mod simulation;
pub mod spool;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_calendar;
#[cfg(test)]
mod stories_causes;
#[cfg(test)]
mod stories_flapping;
#[cfg(test)]
mod stories_held;
#[cfg(test)]
mod stories_held_on;
#[cfg(test)]
mod stories_history;
#[cfg(test)]
mod stories_hours;
#[cfg(test)]
mod stories_inhibit;
#[cfg(test)]
mod stories_known;
#[cfg(test)]
mod stories_late;
#[cfg(test)]
mod stories_mail;
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
mod stories_rings;
#[cfg(test)]
mod stories_routes;
#[cfg(test)]
mod stories_shuffled;
#[cfg(test)]
mod stories_unread;

use away::Away;
pub use calendar::Asked;
pub use door::{Door, DoorError};
use door::{Job, Queues};
use drain::{DRAIN_TRIES, Tried};
use effects::Effects;
pub use events::OWN_KEYS;
pub use hold::Holder;
use hold::{Keeper, Step};
use memory::Memory;
pub use merges::{Part, followed};
use run::run;
use spool::Spool;

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
/// A clock that is set back by no more than this is waited for.
const CLOCK_BACK_MAX: SignedDuration = SignedDuration::from_secs(2);
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

/// What can be asked of the door.
#[derive(Debug)]
pub enum Command {
    /// A delivery that was understood.
    Events(Delivered),
    /// A delivery that was not, or not all of it.
    Unreadable(Box<Unread>),
    /// A message that may be about a letter.
    Mail(Box<Posted>),
    /// Something is done to an incident.
    Act {
        /// Which.
        incident: i64,
        /// What.
        act: Act,
        /// By whom.
        by: By,
    },
    /// An incident becomes part of another.
    Merge {
        /// Which.
        incident: i64,
        /// Of which.
        into: i64,
        /// The term its Commander believes in, when it has one.
        term: Option<u32>,
        /// By whom.
        by: By,
    },
    /// Something is taken out of an incident.
    Split {
        /// Which.
        incident: i64,
        /// What.
        part: Part,
        /// The term its Commander believes in, when it has one.
        term: Option<u32>,
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
    /// The hour of a heartbeat may have come.
    HeartbeatDue {
        /// Which.
        name: String,
        /// Since when pings could be heard.
        heard_since: Timestamp,
    },
    /// The hour of an alert may have come.
    AlertDue {
        /// Its number.
        alert: i64,
        /// From when until when its sender could be heard.
        hearing: nodes::Hearing,
    },
    /// A silence is made or changed.
    PutSilence {
        /// What is wanted; its id is empty, or that of the one to change.
        silence: Silence,
        /// The id of a new one.
        fresh: String,
    },
    /// A silence ends now.
    EndSilence {
        /// Its id.
        id: String,
        /// Whose it has to be: of one source, or of all.
        source: Option<String>,
    },
    /// Something is known for a while.
    AddCondition {
        /// What, with an id that is new.
        condition: Condition,
        /// By whom.
        by: By,
    },
    /// A known condition ends now.
    EndCondition {
        /// Its id.
        id: String,
        /// What people call who ends it.
        who: String,
        /// By whom.
        by: By,
    },
    /// Alerts that fire are looked at by rules of inhibition that are new to this node.
    FillInhibitors {
        /// The source and key of the last that was.
        after: (String, String),
        /// What is kept by rules that this node does not have is left alone while others run with another configuration.
        patient: bool,
    },
    /// Letters are taken for delivery.
    Claim(letters::Wanted),
    /// An attempt has ended.
    Settle {
        /// The letter.
        claim: Arc<Claim>,
        /// How.
        settlement: Settlement,
        /// Only the letter's own row: what it means for its incident cannot be written.
        alone: bool,
    },
    /// A token of the API is made.
    MakeToken {
        /// The token itself, of which only the hash is kept.
        token: SecretString,
        /// Who it speaks for.
        holder: tokens::Holder,
    },
    /// A token of the API is revoked.
    RevokeToken {
        /// Its id.
        id: String,
    },
    /// A calendar was asked for that a rotation follows.
    Calendar(Box<Asked>),
    /// A private address of a calendar is made.
    LinkCalendar {
        /// Its token, of which only the hash is kept.
        token: SecretString,
        /// Whose calendar.
        subject: calendars::Subject,
        /// Who makes it.
        by: String,
    },
    /// A private address of a calendar is revoked.
    UnlinkCalendar {
        /// Its id.
        id: String,
    },
    /// A node is there.
    Beat(Box<nodes::Present>),
    /// A node stops.
    Leave {
        /// The name of its process.
        node: String,
        /// Since when it has taken what was sent to it.
        heard_since: Timestamp,
    },
    /// Old things are forgotten.
    Forget,
}

impl Command {
    /// The events of a delivery, or those of it that could be read; of anything else there are none.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Events(delivered) => &delivered.events,
            Self::Mail(posted) => &posted.delivered.events,
            Self::Unreadable(unread) => &unread.rest.events,
            _ => &[],
        }
    }
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
    /// It was held on a node's own disk, so that others may have heard newer things meanwhile.
    pub held: bool,
}

/// A message that may be about a letter.
#[derive(Debug)]
pub struct Posted {
    /// What it says.
    pub mail: Mail,
    /// The same as an alert, for when it is about none.
    pub delivered: Delivered,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailResult {
    /// The message's own id.
    pub key: String,
    /// `acknowledged`: something was written on a timeline; `repeated` or `ignored`: nothing was.
    pub outcome: &'static str,
    /// The incident it is about.
    pub incident: Option<i64>,
    /// Why it came out so: the word for a decision, or a sentence.
    pub reason: String,
    /// It would have been an alert, by somebody who may raise none.
    pub stranger: bool,
}

impl MailResult {
    /// Of a message that does nothing.
    pub fn ignored(mail: &Mail, why: Ignored) -> Self {
        let (key, reason) = (mail.id.clone(), why.to_string());
        Self { key, outcome: "ignored", incident: None, reason, stranger: why == Ignored::Stranger }
    }
}

/// A delivery that could not be understood, or not all of it.
#[derive(Debug)]
pub struct Unread {
    /// The body as it came.
    pub kept: unreadable::Kept,
    /// What of it could be understood. It is taken in the same transaction. When it replays a body that was kept before, only
    /// what was not taken then is.
    pub rest: Delivered,
    /// By this word such a body is kept once, however often it comes.
    pub once: Option<String>,
    /// It is mail by somebody who may raise no alerts, and is kept only when a letter that it names is known.
    pub about: Option<Box<Mail>>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventResult {
    /// `opened`, `joined`, `repeated`, `resolved`, `acknowledged`, `suppressed`, `stale`, `ignored` or `test`.
    pub outcome: &'static str,
    /// The incident it belongs to.
    pub incident: Option<i64>,
    /// Why it came out so, where that is not plain: a few words for people.
    pub reason: Option<Box<str>>,
}

/// An answer of the door: what was asked for is on disk.
#[derive(Debug)]
pub enum Reply {
    /// To [`Command::Events`], and to [`Command::Unreadable`] of a body that was kept before: what was delivered, and what became of each of its events, in their order. The
    /// events go back to the thread that made them, for which it costs least to free them.
    Events(Arc<Command>, Vec<EventResult>),
    /// To [`Command::Mail`], when it is about a letter; else it is heard as events are. To [`Command::Unreadable`], when it is
    /// mail by somebody who may raise no alerts, and about no letter.
    Mail(MailResult),
    /// To [`Command::Unreadable`]: the number under which the body is kept.
    Kept(i64),
    /// To [`Command::Unreadable`]: it came before, and was kept then.
    KeptBefore,
    /// To [`Command::Act`] and [`Command::Declare`].
    Decided(Box<Incident>, Reason),
    /// To [`Command::AlertDue`] and [`Command::HeartbeatDue`]: whether its hour had come.
    Looked(bool),
    /// To [`Command::PutSilence`]: the id under which it is kept.
    Silenced(String),
    /// To [`Command::FillInhibitors`].
    Inhibitors {
        /// The source and key of the last that was looked at, while there may be more.
        after: Option<(String, String)>,
        /// All were looked at; what other rules have left is forgotten when it is asked again later.
        waits: bool,
    },
    /// To [`Command::Claim`].
    Claims(Vec<Claim>),
    /// To [`Command::MakeToken`] and [`Command::LinkCalendar`]: the id by which it is revoked.
    Made(String),
    /// To [`Command::Forget`].
    Forgotten {
        /// Whether there may be more to forget.
        more: bool,
    },
    /// To [`Command::Events`] and [`Command::Unreadable`] while a shared store is away: kept on this node's own disk.
    Spooled,
    /// To the others; to [`Command::Unreadable`] of a body that was kept before: it was read meanwhile.
    Done,
}

/// Whom a commit wakes. Wake-ups carry nothing: who is woken reads the store.
#[derive(Clone, Default)]
pub struct Wakes {
    /// Letters were written.
    pub letters: Arc<Notify>,
    /// Hours were set.
    pub deadlines: Arc<Notify>,
}

/// The side of the door where the disk is. Owned by one thread.
pub struct Committer {
    queues: Queues,
    connection: Connection,
    place: Place,
    /// Silences that were in force last, with their matchers built.
    silences: Built,
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
        let work = std::panic::AssertUnwindSafe(|| {
            connection.write(now, |tx| {
                let mut effects = Effects::default();
                let mut memory = Memory::of(tx, jobs, silences, &house.rules)?;
                let done: Result<Vec<_>, StoreError> =
                    jobs.iter().map(|job| run(tx, &house, &mut effects, &mut memory, job)).collect();
                let done = done?;
                memory.write(tx)?;
                #[cfg(test)]
                memory.agrees(tx);
                Ok::<_, StoreError>((done, effects))
            })
        });
        match std::panic::catch_unwind(work) {
            Ok(result) => result.map_err(Failure::from),
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
