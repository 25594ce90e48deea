//! The side of the door where commands go in, and the two queues behind it.
//!
//! Deliveries of alerts have a queue of their own. Whatever is done about incidents (answers, deadlines,
//! claims and outcomes of letters) goes past it: a storm of alerts that fills the one must not hold up the
//! pages that tell of it, nor the answer that ends them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::away::Away;
use super::{Command, Reply};
use crate::core::decide::{Act, By, Reason, Refusal};
use crate::core::incident::Incident;

/// How long a caller waits for its answer before it says 503. The command may still be committed.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// Most commands that share one transaction.
const BATCH_MAX: usize = 1024;
/// Most of them that are no deliveries: a delivery, too, has its turn in every transaction.
const URGENT_BATCH_MAX: usize = BATCH_MAX / 2;
/// Most events that share one transaction: a body may carry thousands.
const BATCH_EVENTS_MAX: usize = 4096;
/// Most commands that wait for the disk and are no deliveries. Our own workers ask for far fewer at once.
const URGENT_MAX: usize = 2048;

/// Why the door did not do it. Nothing was changed, except, perhaps, after [`DoorError::Late`].
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
    /// A program pressed a button of this page since it was made.
    #[error("a program pressed a button of this page, and nothing was decided")]
    Robot,
    /// Nothing that can be answered went to the address that the answer comes from.
    #[error("no page that can be answered so is known here")]
    NoPage,
    /// Nothing went to the address that the answer comes from but a test, which is answered by its link.
    #[error("that was a test; open the link in it and press the button there")]
    OnlyTest,
    /// The page was for somebody else, or went to another address.
    #[error("that page was for somebody else")]
    NotYours,
    /// A text message carries no code of a page, or a wrong one.
    #[error("{}", if *.wrong { "that is not the code of a page" } else { "the code of the page is missing" })]
    Code {
        /// There was one.
        wrong: bool,
        /// The pages that wait for an answer with their codes, the newest of each incident: that and the letter. None when there
        /// were too many wrong ones for them.
        pages: Vec<(i64, String)>,
    },
    /// Pages of several incidents have the code that was said.
    #[error("the pages of {} have the same code; open the link of the one that is meant", .0.iter().map(|id| format!("INC-{id}")).collect::<Vec<_>>().join(" and "))]
    Which(Vec<i64>),
    /// The page asks for something else than a Commander.
    #[error("that page does not ask for a Commander; open its link to answer it")]
    OtherPage,
    /// The queue is full.
    #[error("too many requests wait for the disk; try again in a moment")]
    Full,
    /// The store does not take it.
    #[error("the store takes no writes at this moment")]
    Store,
    /// Too much was kept already that could not be read.
    #[error("{0} bodies of this source wait to be read; mend the source, or run `onscene replay`")]
    TooManyKept(i64),
    /// The holder has as many tokens as there may be.
    #[error("there are {0} tokens of this holder that work; revoke one of them first")]
    TooManyTokens(i64),
    /// There is no such token.
    #[error("no token that works has the id {0}")]
    NoToken(String),
    /// A link, or a token, that signs nobody in.
    #[error(
        "this signs nobody in: a link works once and for a quarter of an hour, a token until it is revoked"
    )]
    NoLogin,
    /// As many links wait to be used as may.
    #[error("{0} login links of this person wait to be used; use one of them, or wait a quarter of an hour")]
    TooManyLogins(i64),
    /// There is no such session.
    #[error("no session that lasts has the id {0}")]
    NoSession(String),
    /// There are as many private addresses of calendars as there may be.
    #[error("there are {0} private addresses of calendars that work; revoke one of them first")]
    TooManyLinks(i64),
    /// There is no such private address.
    #[error("no private address of a calendar that works has the id {0}")]
    NoLink(String),
    /// There is no such silence.
    #[error("there is no silence {0}")]
    NoSilence(String),
    /// There are as many silences as there may be.
    #[error("there are {0} silences that have not ended; end one of them first")]
    TooManySilences(i64),
    /// A silence that makes no sense.
    #[error("{0}")]
    BadSilence(String),
    /// There is no such known condition.
    #[error("there is no known condition {0}")]
    NoCondition(String),
    /// There are as many known conditions as there may be.
    #[error("there are {0} known conditions that have not ended; end one of them first")]
    TooManyConditions(i64),
    /// A known condition that makes no sense.
    #[error("{0}")]
    BadCondition(String),
    /// There is no such override, or no such leave.
    #[error("there is no {0} {1}")]
    NoTurn(&'static str, String),
    /// There are as many overrides, or leaves, as there may be.
    #[error("there are {1} {0}s that are not over; end one of them first")]
    TooManyTurns(&'static str, usize),
    /// Somebody, or a rotation, that there is not.
    #[error("{0}")]
    Unknown(String),
    /// An override or a leave that makes no sense.
    #[error("{0}")]
    BadTurn(String),
    /// It cannot be done, and would not be the next time: a fault of ours, which is logged.
    #[error("a fault of onscene; it is in the log")]
    Fault,
    /// No answer in time: it may have been done.
    #[error("the store did not say whether it was written down; look before you do it again")]
    Late,
    /// The door is closed.
    #[error("the daemon is stopping")]
    Closed,
}

/// What was asked for, and who waits for the answer.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) command: Arc<Command>,
    pub(super) answer: Answer,
}

impl Job {
    /// A command, and where its answer comes out.
    pub(super) fn new(command: Command) -> (Self, oneshot::Receiver<Result<Reply, DoorError>>) {
        let (answer, answered) = oneshot::channel();
        let answer = Answer(Arc::new(Mutex::new(Some(answer))));
        (Self { command: Arc::new(command), answer }, answered)
    }
}

/// The way back to who asked. It is gone once: who comes second has nobody to tell any more.
#[derive(Clone)]
pub(super) struct Answer(Arc<Mutex<Option<Sender>>>);

type Sender = oneshot::Sender<Result<Reply, DoorError>>;

impl Answer {
    pub(super) fn give(&self, result: Result<Reply, DoorError>) {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Who asked may have gone; what was asked is done all the same.
        let _gone = answer.map(|answer| answer.send(result));
    }

    /// Somebody was answered.
    pub(super) fn is_given(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Nobody waits for an answer.
    pub(super) fn is_closed(&self) -> bool {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().is_none_or(Sender::is_closed)
    }
}

/// What was asked and is not answered yet. Its time runs from when it was asked.
pub struct Asked(tokio::time::Timeout<oneshot::Receiver<Result<Reply, DoorError>>>);

impl Asked {
    /// Waits until it is on disk.
    ///
    /// # Errors
    /// As [`Door::ask`].
    pub async fn answer(self) -> Result<Reply, DoorError> {
        match self.0.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(DoorError::Closed),
            Err(_) => Err(DoorError::Late),
        }
    }
}

/// The side of the door where commands go in. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    deliveries: SyncSender<Option<Job>>,
    urgent: SyncSender<Job>,
    /// A bell is in the queue of deliveries, or was not needed.
    rung: Arc<AtomicBool>,
    up: Arc<AtomicBool>,
    away: Away,
}

impl Door {
    /// Asks, and waits until it is on disk.
    ///
    /// # Errors
    /// A [`DoorError`] that says why nothing was changed; after [`DoorError::Late`] it may have been.
    pub async fn ask(&self, command: Command) -> Result<Reply, DoorError> {
        self.begin(command)?.answer().await
    }

    /// Asks, and leaves the answer for later: who asks for much at once needs no task for each, of which every one would be
    /// woken by its answer, before those that people wait for.
    ///
    /// # Errors
    /// When it could not even be asked: nothing was changed.
    pub fn begin(&self, command: Command) -> Result<Asked, DoorError> {
        let (job, answered) = Job::new(command);
        self.put(job)?;
        Ok(Asked(tokio::time::timeout(ANSWER_WAIT, answered)))
    }

    fn put(&self, job: Job) -> Result<(), DoorError> {
        let is_delivery = matches!(*job.command, Command::Events(_) | Command::Unreadable(_));
        // A node vouches for what was sent to it: that goes behind what has come until then.
        if is_delivery || matches!(*job.command, Command::Beat(_)) {
            let put = self.deliveries.try_send(Some(job));
            return put.map_err(|error| {
                if is_delivery {
                    self.away.was_deaf_now();
                }
                why(&error)
            });
        }
        self.urgent.try_send(job).map_err(|error| why(&error))?;
        // One bell is enough for all that have come, and would take the place of deliveries otherwise. A full
        // queue needs none: who takes from it looks at the urgent ones first.
        if self.rung.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        match self.deliveries.try_send(None) {
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(DoorError::Closed),
        }
    }

    /// Asks for something done to an incident.
    ///
    /// # Errors
    /// As [`Door::ask`].
    pub async fn act(&self, incident: i64, act: Act, by: By) -> Result<(Incident, Reason), DoorError> {
        match self.ask(Command::Act { incident, act, by }).await? {
            Reply::Decided(incident, reason) => Ok((*incident, reason)),
            _ => Err(DoorError::Fault),
        }
    }

    /// Whether the store took the last write.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Whether deliveries are taken: by the store, or by the spool while that is away.
    pub fn takes_deliveries(&self) -> bool {
        self.is_up() || self.away.is_held()
    }

    /// What is known of a store that is away.
    pub fn away(&self) -> &Away {
        &self.away
    }
}

fn why<T>(error: &TrySendError<T>) -> DoorError {
    match error {
        TrySendError::Full(_) => DoorError::Full,
        TrySendError::Disconnected(_) => DoorError::Closed,
    }
}

/// The inner end of both queues. Two may take from it, one at a time. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queues(Arc<Mutex<Ends>>);

struct Ends {
    /// `None` is a bell: something urgent has come.
    deliveries: Receiver<Option<Job>>,
    urgent: Receiver<Job>,
    rung: Arc<AtomicBool>,
}

/// Makes a door; `deliveries_max` deliveries may wait at it.
pub(super) fn queues(deliveries_max: usize, up: Arc<AtomicBool>, away: Away) -> (Door, Queues) {
    let (deliveries, deliveries_end) = sync_channel(deliveries_max);
    let (urgent, urgent_end) = sync_channel(URGENT_MAX);
    let rung = Arc::new(AtomicBool::new(false));
    let ends = Ends { deliveries: deliveries_end, urgent: urgent_end, rung: rung.clone() };
    (Door { deliveries, urgent, rung, up, away }, Queues(Arc::new(Mutex::new(ends))))
}

impl Queues {
    /// Waits until something comes, then takes what is there, urgent ones first, as much as one transaction
    /// is to carry. May be empty.
    ///
    /// # Errors
    /// When nothing came in time, or when every [`Door`] is gone.
    pub(super) fn take(&self, patience: Duration) -> Result<Vec<Job>, RecvTimeoutError> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        // A bell may have been taken together with what it was rung for. So it is set back before the last look:
        // who came before that look is seen by it, and who comes after it rings anew.
        ends.rung.swap(false, Ordering::AcqRel);
        batch.put(ends.urgent.try_recv().ok());
        let first = if batch.jobs.is_empty() { ends.deliveries.recv_timeout(patience)? } else { None };
        batch.fill(URGENT_BATCH_MAX, || ends.urgent.try_recv().ok().map(Some));
        batch.put(first);
        batch.fill(BATCH_MAX, || ends.deliveries.try_recv().ok());
        Ok(batch.jobs)
    }

    /// Takes deliveries only, for one who holds them; nothing when somebody waits for what comes. A bell that is
    /// among them is not missed: whoever takes next looks at what is urgent first.
    pub(super) fn take_deliveries(&self) -> Vec<Job> {
        let mut batch = Batch::default();
        if let Ok(ends) = self.0.try_lock() {
            batch.fill(BATCH_MAX, || ends.deliveries.try_recv().ok());
        }
        batch.jobs
    }
}

#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    events: usize,
}

impl Batch {
    fn put(&mut self, call: Option<Job>) {
        let Some(job) = call else { return };
        self.events += match &*job.command {
            Command::Events(delivered) => delivered.events.len(),
            Command::Unreadable(unread) => unread.rest.events.len() + 1,
            _ => 1,
        };
        self.jobs.push(job);
    }

    fn fill(&mut self, most: usize, mut next: impl FnMut() -> Option<Option<Job>>) {
        while self.jobs.len() < most
            && self.events < BATCH_EVENTS_MAX
            && let Some(call) = next()
        {
            self.put(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Delivered;
    use super::*;
    use crate::store::nodes;

    fn job(command: Command) -> Job {
        Job::new(command).0
    }

    fn delivery() -> Job {
        job(Command::Events(Delivered {
            source: "pingdom".into(),
            kind: "pingdom".into(),
            service: "shop".into(),
            events: Vec::new(),
            received_at: Timestamp::UNIX_EPOCH,
            replays: None,
            held: false,
        }))
    }

    fn urgent() -> Job {
        job(Command::Forget)
    }

    fn taken(queues: &Queues) -> String {
        let jobs = queues.take(Duration::from_millis(1)).unwrap_or_default();
        jobs.iter().map(|job| if matches!(*job.command, Command::Forget) { 'u' } else { 'd' }).collect()
    }

    #[test]
    fn what_people_do_goes_past_a_queue_full_of_alerts() {
        let (door, queues) = queues(3, Arc::default(), Away::default());
        for _ in 0..3 {
            door.put(delivery()).unwrap();
        }
        assert!(matches!(door.put(delivery()), Err(DoorError::Full)));
        for _ in 0..2 {
            door.put(urgent()).unwrap();
        }
        assert_eq!(taken(&queues), "uuddd");
        assert_eq!(taken(&queues), "");
    }

    #[test]
    fn what_a_node_says_of_its_ears_goes_behind_what_has_come() {
        let beat = || {
            let at = Timestamp::UNIX_EPOCH;
            let node = nodes::Node { name: "a".into(), config_hash: "f".into(), version: "1".into() };
            let hearing = nodes::Hearing { since: at, until: at };
            job(Command::Beat(Box::new(nodes::Present {
                id: "a 1".into(),
                node,
                hearing,
                place: None,
                comes: true,
            })))
        };
        let away = Away::default();
        let (door, queues) = queues(3, Arc::default(), away.clone());
        for one in [delivery(), delivery(), beat(), urgent()] {
            door.put(one).unwrap();
        }
        assert!(matches!(door.put(beat()), Err(DoorError::Full)));
        assert!(!away.take_deaf(), "nobody who sends was refused");
        assert!(matches!(door.put(delivery()), Err(DoorError::Full)));
        assert!(away.take_deaf() && !away.take_deaf());
        let jobs = queues.take(Duration::from_millis(1)).unwrap();
        let at = |is: fn(&Command) -> bool| jobs.iter().rposition(|job| is(&job.command));
        let behind = at(|one| matches!(one, Command::Beat(_))) > at(|one| matches!(one, Command::Events(_)));
        assert!(jobs.len() == 4 && behind);
    }

    #[test]
    fn however_many_are_urgent_they_take_one_place_of_a_delivery_at_most() {
        let (door, queues) = queues(2, Arc::default(), Away::default());
        for _ in 0..20 {
            door.put(urgent()).unwrap();
        }
        door.put(delivery()).unwrap();
        assert_eq!(taken(&queues), format!("{}d", "u".repeat(20)));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test of waking, which takes real time")]
    fn something_urgent_wakes_a_door_that_waits_whatever_went_before() {
        const ROUNDS: u64 = 3_000;
        let clock = crate::clock::Clock::system();
        let (door, queues) = queues(4, Arc::default(), Away::default());
        let taken = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counts = taken.clone();
        let takes = std::thread::spawn(move || {
            while let Ok(jobs) = queues.take(Duration::from_secs(60)) {
                counts.fetch_add(jobs.len().try_into().unwrap(), Ordering::AcqRel);
            }
        });
        let mut put = 0;
        for round in 0..ROUNDS {
            // Two at the same moment beside a door that is busy: their bells meet what they are rung for.
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| door.put(urgent()).unwrap());
                }
            });
            put += 2;
            let began = clock.mark();
            while taken.load(Ordering::Acquire) < put {
                assert!(began.elapsed() < Duration::from_secs(3), "round {round}: it sleeps on");
                std::hint::spin_loop();
            }
        }
        drop(door);
        takes.join().unwrap();
    }

    #[test]
    fn a_storm_of_either_leaves_the_other_its_turn() {
        let (door, queues) = queues(BATCH_MAX * 2, Arc::default(), Away::default());
        for _ in 0..BATCH_MAX * 2 {
            door.put(urgent()).unwrap();
            let _full = door.put(delivery());
        }
        let first = taken(&queues);
        assert_eq!(first.len(), BATCH_MAX);
        assert_eq!(first.matches('u').count(), URGENT_BATCH_MAX);
        let mut all = first.len();
        loop {
            match taken(&queues).len() {
                0 => break,
                more => all += more,
            }
        }
        assert!(all >= BATCH_MAX * 4 - 1, "nothing is left lying: {all}");
    }

    #[test]
    fn what_is_urgent_is_seen_although_its_bell_was_taken_with_the_deliveries() {
        let (door, queues) = queues(8, Arc::default(), Away::default());
        door.put(delivery()).unwrap();
        door.put(urgent()).unwrap();
        door.put(delivery()).unwrap();
        assert_eq!(queues.take_deliveries().len(), 2);
        assert_eq!(taken(&queues), "u");
        door.put(urgent()).unwrap();
        assert_eq!(taken(&queues), "u");
    }

    #[test]
    fn a_closed_door_is_seen() {
        let (door, queues) = queues(2, Arc::default(), Away::default());
        drop(door);
        let gone = queues.take(Duration::from_secs(5)).err();
        assert_eq!(gone, Some(RecvTimeoutError::Disconnected));
    }
}
