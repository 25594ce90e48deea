//! Incidents, alerts and heartbeats whose hour has come, through the same door as everything else.
//!
//! Reads: the store, for deadlines that have passed. Writes: nothing itself; it asks the door to look
//! at each of them, and the rules decide. Woken by commits that set an hour, and by the next hour.
//! Deadlines are absolute and on disk, so what fell due while the daemon was down runs when it is back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::{Beat, Clock};
use crate::commit::{Command, Door, DoorError, Drilling, Reply, drill_due};
use crate::core::decide::{Act, By, Reason};
use crate::core::escalation;
use crate::core::heartbeat::Heartbeat;
use crate::core::inhibit::Rule;
use crate::core::oncall::{Roster, past};
use crate::house::{Current, House};
use crate::metrics::Metrics;
use crate::store::incidents::Saved;
use crate::store::nodes::{Hearing, Others};
use crate::store::readers::Readers;
use crate::store::{
    StoreError, Tx, alerts, heartbeats, held, incidents, inhibitors, load, nodes, roster, silences,
};

/// Most deadlines of a sort that are met in one step.
const STEP_MAX: u32 = 8192;
/// Most incidents that are read whole because a clock was ahead when they were opened.
const AHEAD_MAX: u32 = 1024;
/// Most incidents whose hour lies further ahead than anything is waited for, that are looked at in one step.
const BEYOND_MAX: usize = 512;
/// Most that wait at the door at the same time: while one commit is on its way to disk, the next is full. What people do comes
/// behind no more than these.
const AT_ONCE: usize = 1024;
/// The store is asked at least this often, whatever was promised.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// After something went wrong it waits this long.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);
/// So long what is kept by rules that this node does not have is left alone while other nodes run with another configuration. Nodes
/// may differ for ever, and a rule that has gone from all of them must not keep anybody quiet.
const RULES_WAIT: Duration = Duration::from_secs(3600);
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
    pub heard_since: Arc<HeardSince>,
    /// The name of this process among those that share the store.
    pub node: Arc<str>,
    /// The rules of inhibition by which alerts that fire were looked at.
    pub filling: Filling,
    /// Told while many have passed.
    pub rush: Rush,
}

/// Many deadlines have passed at the same moment and are being met: sending what was decided waits a little for what is not yet.
/// Clones are the same rush.
#[derive(Clone, Debug, Default)]
pub struct Rush(Arc<Mutex<Option<Instant>>>);

impl Rush {
    /// Nobody hurries for longer: a door that takes nothing must not keep letters.
    const LASTS_MAX: Duration = Duration::from_secs(3);

    fn begins(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it goes on.
    pub fn goes_on(&self, now: Instant) -> bool {
        let begun = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.is_some_and(|begun| now.saturating_duration_since(begun) < Self::LASTS_MAX)
    }
}

/// Alerts that fire are looked at once by rules of inhibition that are new to this node: at its start, and when it reads others.
/// Whatever another node did that did not have them yet is made up for so.
#[derive(Debug, Default)]
pub struct Filling(Mutex<Filled>);

#[derive(Debug, Default)]
struct Filled {
    /// By which rules, once that was begun, and when.
    rules: Option<(Vec<Rule>, Instant)>,
    /// Up to which source and key; `None`: all are.
    after: Option<(String, String)>,
    /// Before this nothing more is to be done.
    rests: Option<Instant>,
}

impl Filling {
    /// What there is to look at.
    fn wants(&self, rules: &[Rule], now: Instant) -> Option<Command> {
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = filled.rules.as_ref().filter(|(known, _)| known == rules).map(|(_, began)| *began);
        let began = began.unwrap_or_else(|| {
            let after = Some(<(String, String)>::default());
            *filled = Filled { rules: Some((rules.to_vec(), now)), after, rests: None };
            now
        });
        if filled.rests.is_some_and(|until| now < until) {
            return None;
        }
        let patient = now.duration_since(began) < RULES_WAIT;
        filled.after.clone().map(|after| Command::FillInhibitors { after, patient })
    }

    fn is_at(&self, after: Option<(String, String)>, rests: Option<Instant>) {
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (filled.after, filled.rests) = (after, rests);
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

    /// From when until now what was sent to this node was taken, as far as it is known now.
    ///
    /// It begins anew when something was not taken, when the machine slept or its clock was set, and when other pings are
    /// expected than before.
    pub fn hearing(&self, clock: &Clock, house: &House, door: &Door) -> Hearing {
        let expected = expected(house);
        // To the end: another task that asks meanwhile would find nothing refused, and the hour as it was before.
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is refused after this moment is told the next time; what was refused before it is told now.
        let until = clock.now();
        let was_deaf = door.away().take_deaf() || !door.is_up();
        let now = clock.now();
        let gap = now.duration_since(heard.looked_at);
        if was_deaf || gap > GAP_MAX || gap < jiff::SignedDuration::ZERO || heard.expected != expected {
            heard.since = now;
        }
        heard.looked_at = now;
        heard.expected = expected;
        Hearing { since: heard.since, until }
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
    /// Who is on call is not what was written down last.
    duty: bool,
    /// There is something to do about the delivery drill.
    drill: bool,
}

/// Whether who is on call is to be written down. While nodes run with different configurations, each would say of the same
/// rotation something else: that is left until they agree.
fn notes_duty(tx: &Tx<'_>, house: &House, roster: &Roster) -> Result<bool, StoreError> {
    let is_due = past::is_due(&house.rules.rotations, roster, &load::open(tx)?, tx.now);
    Ok(is_due && nodes::agree(tx, &house.config_hash)?)
}

/// What is heard at this node and, as far as it is known, at those that share its store.
fn of_all(tx: &Tx<'_>, own: Hearing, others: &Others) -> Hearing {
    let since = if others.one_is_cut_off { Some(tx.now) } else { others.heard_since };
    Hearing {
        since: own.since.max(since.unwrap_or(own.since)),
        until: tx.now.min(others.heard_until.unwrap_or(tx.now)),
    }
}

impl Found {
    /// Everything whose hour has come, at most [`STEP_MAX`] of each sort.
    fn look(tx: &Tx<'_>, house: &House, node: &str, own: Hearing) -> Result<Self, StoreError> {
        let tick = |(incident, at)| (Command::Act { incident, act: Act::TICK, by: By::dispatch() }, at);
        // Before the alerts: what comes in between makes none of them look older than it is.
        let others = nodes::others(tx, node)?;
        let hearing = of_all(tx, own, &others);
        let look = |(alert, at)| (Command::AlertDue { alert, hearing }, at);
        let roster = roster::said(tx, &house.rules, tx.now)?;
        let duty = notes_duty(tx, house, &roster)?;
        let (drill, next) = match drill_due(tx, house, &roster) {
            // Nobody sleeps on because a row of a drill cannot be read.
            Err(error) if !error.is_of_the_store() => {
                tracing::error!(%error, "the delivery drill cannot be read");
                (false, None)
            }
            other => other?,
        };
        let mut found = Self { cut_off: others.one_is_cut_off, duty, drill, next, ..Self::default() };
        let horizon = escalation::Horizon::of(&house.rules);
        let due = incidents::due(tx, &horizon, STEP_MAX)?;
        let (overdue, beyond): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, at)| *at <= tx.now);
        found.due.extend(overdue.into_iter().map(tick));
        // What people promised may lie further ahead than anything that the daemon waits for.
        let beyond: Vec<(i64, Timestamp)> = beyond.into_iter().take(BEYOND_MAX).collect();
        let ids: Vec<i64> = beyond.iter().map(|(id, _)| *id).collect();
        let loaded = incidents::load_readable(tx, &ids)?;
        let is_too_far = |found: &Option<Result<Saved, StoreError>>| match found {
            Some(Ok(saved)) => escalation::is_too_far(&saved.incident, &house.rules, tx.now),
            other => other.is_some(),
        };
        let anew = beyond.into_iter().zip(&loaded).filter(|(_, found)| is_too_far(found));
        found.due.extend(anew.map(|(one, _)| tick(one)));
        // Of these it is known that the hour they wait for may be none of theirs, however near it is: a first page that is to
        // wait for half a minute does not wait for the longest time there is.
        let ahead = incidents::ahead(tx, escalation::CLOCKS_DIFFER_MAX, horizon.asks, AHEAD_MAX)?;
        let anew =
            ahead.into_iter().filter(|(incident, _)| escalation::is_too_far(incident, &house.rules, tx.now));
        found.due.extend(anew.map(|(incident, at)| tick((incident.id, at))));
        found.due.extend(alerts::expired(tx, hearing, STEP_MAX)?.into_iter().map(look));
        found.due.extend(alerts::outlived(tx, STEP_MAX)?.into_iter().map(look));
        let (over, next) = held::after_maintenance(tx, &house.rules.maintenance, STEP_MAX)?;
        found.due.extend(over.into_iter().map(look));
        found.waits_for(next);
        found.due.extend(inhibitors::outlived(tx, STEP_MAX)?.into_iter().map(look));
        for at in [incidents::next_due(tx)?, alerts::next_expiry(tx)?, silences::next_end(tx)?] {
            found.waits_for(at);
        }
        if !house.heartbeats.is_empty() {
            found.beats(house, &heartbeats::all(tx)?, hearing, tx.now);
        }
        Ok(found)
    }

    /// Heartbeats that are missing, and those that are not waited for yet.
    fn beats(&mut self, house: &House, heard: &[heartbeats::Heard], hearing: Hearing, now: Timestamp) {
        for (name, own) in &house.heartbeats {
            let known = heard.iter().find(|heard| heard.name == *name);
            let (at, until) = match known {
                // Never looked at.
                None => (now, now),
                // Heard under a clock that has been put right since.
                Some(known) if known.is_ahead_of(now) => (now, now),
                Some(known) => match (known.missing_at, known.told_at) {
                    (Some(_), Some(told_at)) => (own.beat.told_again_at(told_at), hearing.until),
                    _ => (own.beat.missing_at(known.excused_at.unwrap_or(known.last_at)), hearing.until),
                },
            };
            if at <= until {
                let due = Command::HeartbeatDue { name: name.clone(), heard_since: hearing.since };
                self.due.push((due, at));
            } else if at > now {
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
        let hearing = self.heard_since.hearing(&self.clock, &house, &self.door);
        let node = self.node.clone();
        let Found { due, next, cut_off, duty, drill } =
            match self.readers.read(move |tx| Found::look(tx, &house, &node, hearing)).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "deadlines cannot be read");
                    self.heard_since.begins_anew(self.clock.now());
                    return Next::Wait(TROUBLE_WAIT);
                }
            };
        if duty && let Err(error) = self.door.ask(Command::NoteDuty).await {
            tracing::warn!(%error, "who is on call cannot be written down; trying again");
        }
        let drilled = drill && self.drills().await;
        if cut_off {
            self.heard_since.begins_anew(self.clock.now());
        }
        if due.is_empty() {
            let until = next.map(|next| next.duration_since(self.clock.now()));
            let until = until.and_then(|until| Duration::try_from(until).ok()).unwrap_or(ASK_EVERY);
            return if fills || drilled { Next::Now } else { Next::Wait(until.min(ASK_EVERY)) };
        }
        // Asked side by side, so that they share a commit; the door answers in the order in which it was asked.
        let (mut trouble, mut progress, mut stuck) = (false, false, false);
        if due.len() > AT_ONCE {
            self.rush.begins(self.clock.mark());
        }
        let (mut due, mut asked) = (due.into_iter(), VecDeque::new());
        loop {
            while asked.len() < AT_ONCE
                && !stuck
                && let Some((command, due_at)) = due.next()
            {
                asked.push_back((due_at, self.door.begin(command)));
            }
            let Some((due_at, begun)) = asked.pop_front() else { break };
            let answer = match begun {
                Ok(begun) => begun.answer().await,
                Err(error) => Err(error),
            };
            self.beat.strike();
            match answer {
                Ok(reply) => progress |= self.observe(due_at, &reply),
                Err(error) => {
                    trouble = true;
                    // One at fault does not hold up the others; where the store does, there is no use in asking for more.
                    stuck |=
                        !matches!(error, DoorError::Fault | DoorError::Refused(_) | DoorError::NoIncident(_));
                    tracing::error!(%error, "a deadline could not be met; trying again");
                }
            }
        }
        self.rush.is_over();
        // The hour of the door may lag behind ours for a moment: asking again at once would not bring it on.
        if trouble || !progress {
            return Next::Wait(TROUBLE_WAIT);
        }
        Next::Now
    }

    /// Looks at some of the alerts that fire, when rules of inhibition are new; whether there are more.
    async fn fill(&self, house: &House) -> bool {
        let now = self.clock.mark();
        let Some(asked) = self.filling.wants(&house.rules.inhibit, now) else { return false };
        match self.door.ask(asked).await {
            Ok(Reply::Inhibitors { after, waits }) => {
                let more = after.is_some() && !waits;
                self.filling.is_at(after, waits.then(|| now + ASK_EVERY));
                more
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "alerts cannot be looked at by new rules of inhibition; trying again");
                false
            }
        }
    }

    /// Does what there is to do about the delivery drill; whether there was anything.
    async fn drills(&self) -> bool {
        match self.door.ask(Command::Drill(Drilling::Look)).await {
            Ok(reply) => matches!(reply, Reply::Looked(true)),
            Err(error) => {
                tracing::warn!(%error, "the delivery drill cannot be looked at; trying again");
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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::commit::{Committer, Delivered, Room, Wakes, door};
    use crate::core::alert::{AlertSeverity, Event, Status};
    use crate::core::heartbeat;
    use crate::house::HeartbeatHere;
    use crate::store::nodes::{Node, Present};
    use crate::store::{Connection, Place};

    /// One node whose deadlines are looked at, beside another that shares its store.
    struct World {
        committer: Committer,
        door: Door,
        connection: Connection,
        clock: Clock,
        began: Timestamp,
        _directory: tempfile::TempDir,
    }

    fn house() -> House {
        let beat = Heartbeat {
            period: SignedDuration::from_mins(3),
            grace: SignedDuration::from_mins(1),
            service: "shop".into(),
            severity: AlertSeverity::Error,
        };
        let beats = BTreeMap::from([("backup".to_owned(), HeartbeatHere { tokens: Vec::new(), beat })]);
        House { heartbeats: beats, ..House::default() }
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let clock = Clock::system();
            let file = Place::Sqlite(directory.path().join("onscene.db"));
            let place = crate::store::postgres::tests::fresh().unwrap_or(file);
            let open = || Connection::writer(&place, &clock).unwrap();
            let (first, connection) = (open(), open());
            let (door, committer) = door(
                Room { queue_max: 16, spool: None },
                first,
                place.clone(),
                clock.clone(),
                Arc::new(Current::new(house())),
                Arc::new(Metrics::new(0.0).unwrap()),
                Wakes::default(),
            );
            let began = clock.now();
            Self { committer, door, connection, clock, began, _directory: directory }
        }

        fn hears(&mut self, source: &str, event: Event) {
            let delivered = Delivered {
                source: source.into(),
                kind: "generic".into(),
                service: "shop".into(),
                events: vec![event],
                received_at: self.clock.now(),
                replays: None,
                held: false,
            };
            self.committer.at_once(Command::Events(delivered)).unwrap();
        }

        /// The hour so many seconds after all began.
        fn at(&self, second: i64) -> Timestamp {
            self.began + SignedDuration::from_secs(second)
        }

        fn it_is(&self, second: i64) {
            self.clock.forward(self.at(second).duration_since(self.clock.now()));
        }

        /// The other says that it has heard everything since then.
        fn other_hears_since(&mut self, second: i64) {
            let node = Node { name: "web-2".into(), config_hash: "f".into(), version: "1".into() };
            let hearing = Hearing { since: self.at(second), until: self.clock.now() };
            let present = Present { id: "web-2 b".into(), node, hearing, place: None, comes: true };
            self.committer.at_once(Command::Beat(Box::new(present))).unwrap();
        }

        /// What is due by what this node finds, which has heard everything itself.
        fn found(&mut self) -> Vec<&'static str> {
            let own = Hearing { since: self.began, until: self.clock.now() };
            let now = self.clock.now();
            let found = self.connection.read(now, |tx| Found::look(tx, &house(), "web-1 a", own)).unwrap();
            let names = found.due.iter().map(|(command, _)| match command {
                Command::AlertDue { .. } => "alert",
                Command::HeartbeatDue { .. } => "heartbeat",
                _ => "incident",
            });
            names.filter(|name| *name != "incident").collect()
        }
    }

    /// An alert that is over after four minutes, and a ping that is missing then.
    fn with_an_alert_and_a_ping() -> World {
        let mut world = World::new();
        let mut event = Event::new("db-1", Status::Firing, "db-1 is down");
        event.expires_at = Some(world.at(240));
        world.hears("prom", event);
        world.hears(heartbeat::SOURCE, Event::new("backup", Status::Info, ""));
        world.other_hears_since(0);
        world
    }

    #[test]
    fn nothing_times_out_before_the_other_node_has_said_that_it_did_not_hear_it_either() {
        let mut world = with_an_alert_and_a_ping();
        world.it_is(236);
        world.other_hears_since(0);
        world.it_is(250);
        assert!(world.found().is_empty(), "it may have heard something since");
        world.other_hears_since(0);
        assert_eq!(world.found(), ["alert", "heartbeat"]);
    }

    #[test]
    fn a_drill_that_cannot_be_read_holds_up_no_deadline() {
        let mut world = with_an_alert_and_a_ping();
        let row = "insert into delivery_drill (number, state, week, day, at, answer, missed)
                   values (1, 'planned', '2026-W49', 'someday', 0, 0, 0)";
        world.connection.write(world.began, |tx| tx.write(row, &[])).unwrap();
        world.it_is(250);
        world.other_hears_since(0);
        assert_eq!(world.found(), ["alert", "heartbeat"]);
    }

    #[test]
    fn what_the_other_node_could_not_hear_says_nothing_here() {
        let mut world = with_an_alert_and_a_ping();
        // It refused something a moment before.
        for second in [250, 460] {
            world.it_is(second);
            world.other_hears_since(235);
            // The door excuses a ping that may have come then.
            assert_eq!(world.found(), ["heartbeat"], "{second}");
        }
        let due = Command::HeartbeatDue { name: "backup".into(), heard_since: world.at(235) };
        assert!(matches!(world.committer.at_once(due), Ok(Reply::Looked(false))));
        world.it_is(480);
        world.other_hears_since(235);
        assert_eq!(world.found(), ["alert", "heartbeat"]);
    }

    #[test]
    fn a_node_tells_what_it_refused_with_the_hour_until_which_it_speaks() {
        let world = World::new();
        let heard = HeardSince::now(&world.clock, &house());
        let tell = || heard.hearing(&world.clock, &house(), &world.door);
        world.it_is(10);
        let well = tell();
        assert!(well.since < world.at(1) && well.until >= world.at(10));
        world.door.away().was_deaf_now();
        world.it_is(20);
        let deaf = tell();
        assert!(deaf.since >= world.at(20) && deaf.until >= world.at(20));
        world.it_is(25);
        assert_eq!(tell().since, deaf.since, "it is told until it happens again");
    }
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test of two tasks that ask at the same moment")]
    fn what_was_refused_is_known_to_whoever_asks_from_the_moment_that_somebody_has_asked() {
        let world = World::new();
        let heard = HeardSince::now(&world.clock, &house());
        let away = world.door.away();
        away.was_deaf_now();
        let refused_at = world.clock.now();
        let tell = || heard.hearing(&world.clock, &house(), &world.door).since;
        std::thread::scope(|scope| {
            // Another is asking.
            let asking = heard.0.lock().unwrap();
            let told = scope.spawn(tell);
            std::thread::sleep(Duration::from_millis(200));
            assert!(away.look().deaf, "it is taken with the hour that tells of it, or not yet");
            drop(asking);
            assert!(told.join().unwrap() >= refused_at);
        });
        assert!(tell() >= refused_at && !away.look().deaf);
    }

    #[test]
    fn rules_that_are_new_are_looked_at_once_and_what_others_know_is_asked_for_again_for_an_hour() {
        let rule = |source: &str| Rule {
            source: crate::core::matcher::read_all(source).unwrap(),
            target: crate::core::matcher::read_all("b=\"c\"").unwrap(),
            equal: Vec::new(),
        };
        let (filling, began) = (Filling::default(), Clock::system().mark());
        let asked = |rules: &[Rule], seconds: u64| {
            let asked = filling.wants(rules, began + Duration::from_secs(seconds));
            asked.map(|asked| match asked {
                Command::FillInhibitors { after, patient } => (after.1, patient),
                other => panic!("{other:?}"),
            })
        };
        let [one, other] = [rule("a=\"b\""), rule("a=\"c\"")].map(|rule| vec![rule]);
        assert_eq!(asked(&one, 0), Some((String::new(), true)));
        let last = Some(("prom".to_owned(), "z".to_owned()));
        filling.is_at(last.clone(), Some(began + ASK_EVERY));
        assert_eq!((asked(&one, 4), asked(&one, 5)), (None, Some(("z".into(), true))));
        assert_eq!(asked(&one, 3600), Some(("z".into(), false)));
        filling.is_at(None, None);
        assert_eq!(asked(&one, 3700), None);
        assert_eq!(asked(&other, 3700), Some((String::new(), true)));
    }
}
