//! Incidents, alerts and heartbeats whose hour has come, through the same door as everything else.
//!
//! Reads: the store, for deadlines that have passed. Writes: nothing itself; it asks the door to look
//! at each of them, and the rules decide. Woken by commits that set an hour, and by the next hour.
//! Deadlines are absolute and on disk, so what fell due while the daemon was down runs when it is back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Beat, Clock};
use crate::commit::{Command, Door, Reply};
use crate::core::decide::{Act, By, Reason};
use crate::core::escalation;
use crate::core::heartbeat::Heartbeat;
use crate::core::inhibit::Rule;
use crate::house::{Current, House};
use crate::metrics::Metrics;
use crate::store::readers::Readers;
use crate::store::{StoreError, Tx, alerts, heartbeats, incidents, inhibitors, nodes, silences};

/// Most deadlines met in one step; they share a commit.
const STEP_MAX: u32 = 128;
/// The store is asked at least this often, whatever was promised.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// After something went wrong it waits this long.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);
/// A look that comes later than this after the one before: the machine slept, or its clock was set.
const GAP_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(20);

/// Meets deadlines.
pub struct Deadlines {
    /// Where the acts go.
    pub door: Door,
    /// Where the hours are read.
    pub readers: Readers,
    /// The longest wait there is.
    pub house: Arc<Current>,
    /// The hour.
    pub clock: Clock,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Woken when an hour was set.
    pub wake: Arc<Notify>,
    /// Struck at every step: the watchdog looks at it.
    pub beat: Beat,
    /// Since when senders could be heard: the start, or the end of the last trouble with the store.
    pub heard_since: HeardSince,
    /// The rules of inhibition by which alerts that fire were looked at.
    pub filling: Filling,
}

/// Alerts that fire are looked at once by rules of inhibition that are new to this node: at its start, and when it reads others.
/// Whatever another node did that did not have them yet is made up for so.
#[derive(Debug, Default)]
pub struct Filling(Mutex<Filled>);

#[derive(Debug, Default)]
struct Filled {
    /// By which rules, once that was begun.
    rules: Option<Vec<Rule>>,
    /// Up to which source and key; `None`: all are.
    after: Option<(String, String)>,
}

impl Filling {
    /// From where on there is something to look at.
    fn wants(&self, rules: &[Rule]) -> Option<(String, String)> {
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if filled.rules.as_deref() != Some(rules) {
            *filled = Filled { rules: Some(rules.to_vec()), after: Some(<(String, String)>::default()) };
        }
        filled.after.clone()
    }

    fn is_at(&self, after: Option<(String, String)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).after = after;
    }
}

/// Since when what senders say is taken without a gap. Until a sender has had its own time once more, its silence says
/// nothing.
#[derive(Debug)]
pub struct HeardSince(Mutex<Heard>);

#[derive(Debug)]
struct Heard {
    since: Timestamp,
    /// When this was looked at last.
    looked_at: Timestamp,
    /// What is expected, as it was then.
    expected: BTreeMap<String, Heartbeat>,
}

impl HeardSince {
    /// From now on.
    pub fn now(clock: &Clock, house: &House) -> Self {
        let now = clock.now();
        Self(Mutex::new(Heard { since: now, looked_at: now, expected: expected(house) }))
    }

    /// The hour. It begins anew when something was not taken, when the machine slept or its clock was set, and when other
    /// pings are expected than before.
    fn hour(&self, now: Timestamp, house: &House, was_deaf: bool) -> Timestamp {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = now.duration_since(heard.looked_at);
        let expected = expected(house);
        if was_deaf || gap > GAP_MAX || gap < jiff::SignedDuration::ZERO || heard.expected != expected {
            heard.since = now;
        }
        heard.looked_at = now;
        heard.expected = expected;
        heard.since
    }

    fn begins_anew(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since = now;
    }
}

fn expected(house: &House) -> BTreeMap<String, Heartbeat> {
    house.heartbeats.iter().map(|(name, own)| (name.clone(), own.beat.clone())).collect()
}

/// What was found when the store was looked at.
#[derive(Default)]
struct Found {
    /// What is due, and when it was.
    due: Vec<(Command, Timestamp)>,
    /// The next hour after these.
    next: Option<Timestamp>,
    /// A node may hear what nobody else does, so that nobody's silence says anything.
    cut_off: bool,
}

impl Found {
    /// Everything whose hour has come, at most [`STEP_MAX`] of each sort.
    fn look(tx: &Tx<'_>, house: &House, heard_since: Timestamp) -> Result<Self, StoreError> {
        let tick = |(incident, at)| (Command::Act { incident, act: Act::Tick, by: By::dispatch() }, at);
        let look = |(alert, at)| (Command::AlertDue { alert, heard_since }, at);
        let mut found = Self { cut_off: nodes::one_is_cut_off(tx)?, ..Self::default() };
        let heard_since = if found.cut_off { tx.now } else { heard_since };
        let longest = escalation::longest_wait(&house.rules);
        found.due.extend(incidents::due(tx, longest, STEP_MAX)?.into_iter().map(tick));
        found.due.extend(alerts::expired(tx, heard_since, STEP_MAX)?.into_iter().map(look));
        found.due.extend(alerts::outlived(tx, STEP_MAX)?.into_iter().map(look));
        found.due.extend(inhibitors::outlived(tx, STEP_MAX)?.into_iter().map(look));
        for at in [incidents::next_due(tx)?, alerts::next_expiry(tx)?, silences::next_end(tx)?] {
            found.waits_for(at);
        }
        if !house.heartbeats.is_empty() {
            found.beats(house, &heartbeats::all(tx)?, heard_since, tx.now);
        }
        Ok(found)
    }

    /// Heartbeats that are missing, and those that are not waited for yet.
    fn beats(&mut self, house: &House, heard: &[heartbeats::Heard], heard_since: Timestamp, now: Timestamp) {
        for (name, own) in &house.heartbeats {
            let known = heard.iter().find(|heard| heard.name == *name);
            let at = match known {
                // Never looked at.
                None => now,
                // Heard under a clock that has been put right since.
                Some(known) if known.is_ahead_of(now) => now,
                Some(known) => match (known.missing_at, known.told_at) {
                    (Some(_), Some(told_at)) => own.beat.told_again_at(told_at),
                    _ => own.beat.missing_at(known.excused_at.unwrap_or(known.last_at)),
                },
            };
            if at <= now {
                self.due.push((Command::HeartbeatDue { name: name.clone(), heard_since }, at));
            } else {
                self.waits_for(Some(at));
            }
        }
    }

    fn waits_for(&mut self, at: Option<Timestamp>) {
        self.next = self.next.into_iter().chain(at).min();
    }
}

/// What to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do now.
    Now,
    /// Wait this long, or until woken.
    Wait(Duration),
}

impl Deadlines {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let wait = match self.step().await {
                Next::Now if stop.is_cancelled() => return,
                Next::Now => continue,
                Next::Wait(wait) => wait,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Meets the deadlines that have passed.
    pub async fn step(&self) -> Next {
        self.beat.strike();
        let house = self.house.get();
        let fills = self.fill(&house).await;
        let was_deaf = self.door.away().take_deaf() || !self.door.is_up();
        let heard_since = self.heard_since.hour(self.clock.now(), &house, was_deaf);
        let Found { due, next, cut_off } =
            match self.readers.read(move |tx| Found::look(tx, &house, heard_since)).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "deadlines cannot be read");
                    self.heard_since.begins_anew(self.clock.now());
                    return Next::Wait(TROUBLE_WAIT);
                }
            };
        if cut_off {
            self.heard_since.begins_anew(self.clock.now());
        }
        if due.is_empty() {
            let until = next.map(|next| next.duration_since(self.clock.now()));
            let until = until.and_then(|until| Duration::try_from(until).ok()).unwrap_or(ASK_EVERY);
            return if fills { Next::Now } else { Next::Wait(until.min(ASK_EVERY)) };
        }
        // Asked side by side, so that they share a commit.
        let mut asked = JoinSet::new();
        for (command, due_at) in due {
            let door = self.door.clone();
            asked.spawn(async move { (due_at, door.ask(command).await) });
        }
        let (mut trouble, mut progress) = (false, false);
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((due_at, Ok(reply))) => progress |= self.observe(due_at, &reply),
                Ok((_, Err(error))) => {
                    trouble = true;
                    tracing::error!(%error, "a deadline could not be met; trying again");
                }
                Err(error) => {
                    trouble = true;
                    tracing::error!(%error, "a deadline could not be met; trying again");
                }
            }
        }
        // The hour of the door may lag behind ours for a moment: asking again at once would not bring it on.
        if trouble || !progress {
            return Next::Wait(TROUBLE_WAIT);
        }
        Next::Now
    }

    /// Looks at some of the alerts that fire, when rules of inhibition are new; whether there are more.
    async fn fill(&self, house: &House) -> bool {
        let Some(after) = self.filling.wants(&house.rules.inhibit) else { return false };
        match self.door.ask(Command::FillInhibitors { after }).await {
            Ok(Reply::Inhibitors { after }) => {
                let more = after.is_some();
                self.filling.is_at(after);
                more
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "alerts cannot be looked at by new rules of inhibition; trying again");
                false
            }
        }
    }

    /// Notes how late a deadline was met; whether there was one.
    fn observe(&self, due_at: Timestamp, reply: &Reply) -> bool {
        let met = !matches!(reply, Reply::Decided(_, Reason::NotDue) | Reply::Looked(false));
        if met {
            let late = self.clock.now().duration_since(due_at).as_secs_f64();
            self.metrics.deadline_lateness.observe(late.max(0.0));
        }
        met
    }
}
