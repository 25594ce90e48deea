//! The way of an event: what waits of its source goes first, then it; and behind what waits when the daemon is away.
//! What waits of other sources of the same daemon goes afterwards: their order has nothing to do with this one's, and
//! whatever is wrong with them must not hold it up.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::spool::{Record, Spool, SpoolError, Turn, Via};
use crate::cli::client::{Client, Failure, ServerFlags, pause};
use crate::cli::progress::Progress;
use crate::cli::{ConfigFlag, Exit, say};
use crate::clock::Clock;
use crate::config::secrets;
use crate::crypto;

/// For one event, from the connection to the last byte of the answer: whoever calls has other things to do.
const SEND_DEADLINE: Duration = Duration::from_secs(3);
/// A call spends about this long with what waits before it keeps its own event behind it.
const BACKLOG_DEADLINE: Duration = Duration::from_secs(3);
/// So long a call waits for another that is sending, before it keeps its event behind; `--flush` has more time.
const TURN_WAIT: Duration = Duration::from_millis(250);
const FLUSH_TURN_WAIT: Duration = Duration::from_secs(10);
const TURN_POLL: Duration = Duration::from_millis(10);
/// How often a call looks again for what others kept while it was sending.
const LOOKS_AGAIN_MAX: usize = 3;
/// Waits between tries, in milliseconds; the last one goes on.
const LADDER_MS: &[u64] = &[250, 500, 1000, 2000];
/// Where events of the system's own programs wait.
const SPOOL_OF_SYSTEM: &str = "/var/spool/onscene";

/// Where events wait while the daemon is away.
#[derive(Debug, Args)]
pub(super) struct SpoolFlags {
    /// Directory in which events wait while the daemon is away [default: $ONSCENE_SPOOL, else
    /// $XDG_STATE_HOME/onscene/spool, else ~/.local/state/onscene/spool; for root, and without a home,
    /// /var/spool/onscene]
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Keep nothing: when the daemon is away, fail with 69
    #[arg(long, conflicts_with = "spool")]
    no_spool: bool,
}

impl SpoolFlags {
    fn directory(&self) -> PathBuf {
        let named = |name: &str| secrets::variable(name).map(PathBuf::from);
        let of_state = |state: PathBuf| state.join("onscene/spool");
        // A job of root's has a home in one place and none in another; what waits must be in one.
        let home = || named("HOME").filter(|_| !rustix::process::geteuid().is_root());
        self.spool
            .clone()
            .or_else(|| named("ONSCENE_SPOOL"))
            .or_else(|| named("XDG_STATE_HOME").map(of_state))
            .or_else(|| home().map(|home| of_state(home.join(".local/state"))))
            .unwrap_or_else(|| SPOOL_OF_SYSTEM.into())
    }
}

/// One event, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Said {
    fields: Map<String, Value>,
    at: Timestamp,
}

impl Said {
    /// Gives it the id by which a second sending is known, if it has none. `at`: of which hour it speaks.
    pub(super) fn new(mut fields: Map<String, Value>, at: Timestamp) -> Result<Self, Exit> {
        if !has(&fields, &["delivery_id", "event_id", "idempotency_key"]) {
            let id = crypto::random_id().map_err(|error| crate::cli::fail(&error.to_string()))?;
            fields.insert("delivery_id".into(), json!(id));
        }
        Ok(Self { fields, at })
    }

    /// As it is sent, at once or later: with its hour, so that it changes nothing that was said later.
    fn kept(&self) -> String {
        let mut fields = self.fields.clone();
        if !has(&fields, &["occurred_at", "timestamp", "time"]) {
            fields.insert("occurred_at".into(), json!(self.at));
        }
        Value::Object(fields).to_string()
    }
}

fn has(fields: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().any(|name| fields.contains_key(*name))
}

/// What became of an event.
#[derive(Debug)]
pub(super) enum Fate {
    /// The daemon has it, and answered this.
    Taken(Value),
    /// It is on this machine's disk.
    Spooled {
        /// The daemon was asked, and is away.
        away: bool,
    },
    /// Neither; it was said why.
    Failed(Exit),
}

/// What became of one try.
enum Sent {
    Taken(Value),
    /// The daemon is away.
    Away(Failure),
    /// It will never be taken.
    Refused(Failure),
    /// With what this call knows it cannot be sent, with what another knows perhaps.
    NotOurs,
}

/// What became of all that waits.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Taken by the daemon.
    pub(super) sent: u64,
    /// Put aside.
    pub(super) refused: u64,
    /// Why not everything was tried.
    pub(super) stopped: Option<String>,
}

impl Backlog {
    fn is_idle(&self) -> bool {
        self.sent + self.refused == 0 || self.stopped.is_some()
    }
}

/// Speaks to the daemon, for its own source and for others whose events wait.
struct Clients {
    /// Whose events this call sends; none for `--flush`.
    source: Option<String>,
    own: Via,
    known: BTreeMap<(String, Via), Client>,
}

impl Clients {
    /// How an event is sent: one of this call's source as this call says, another as the call that kept it said. Of
    /// `--flush` people expect that its flags count.
    fn via(&self, record: &Record) -> Via {
        let ours = self.source.as_ref().map_or(self.own != Via::default(), |source| *source == record.source);
        if ours { self.own.clone() } else { record.via.clone() }
    }

    /// A client for a source; why there is none is said.
    fn client(&mut self, source: &str, via: Via) -> Result<&Client, Exit> {
        match self.known.entry((source.to_owned(), via)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let Via { server, token_file, config } = unknown.key().1.clone();
                let flags = ServerFlags { server, token_file, config: ConfigFlag { config } };
                Ok(unknown.insert(flags.client_for_source(source)?.within(SEND_DEADLINE)))
            }
        }
    }

    fn is_ours(&self, record: &Record) -> bool {
        self.source.as_ref().is_none_or(|source| *source == record.source)
    }

    /// Where this call's own events go.
    fn server(&mut self) -> Option<String> {
        let (source, own) = (self.source.clone()?, self.own.clone());
        self.client(&source, own).ok().map(|client| client.server().to_owned())
    }

    /// Sends an event. Who runs for long may know a token that was exchanged meanwhile, and looks again.
    fn send(&mut self, record: &Record) -> Sent {
        let known = self.known.contains_key(&(record.source.clone(), self.via(record)));
        match self.send_once(record) {
            Sent::Refused(Failure::Refused { status, .. }) if known && status.as_u16() == 401 => {
                self.known.clear();
                self.send_once(record)
            }
            sent => sent,
        }
    }

    fn send_once(&mut self, record: &Record) -> Sent {
        let (ours, own, via) = (self.is_ours(record), self.server(), self.via(record));
        let Ok(client) = self.client(&record.source, via) else { return Sent::NotOurs };
        if !ours && own.as_deref() != Some(client.server()) {
            return Sent::NotOurs;
        }
        match client.try_post(&record.path, &record.body) {
            Ok(answer) if Client::is_taken(&answer) => Sent::Taken(answer),
            Ok(_) => Sent::Away(client.no_onscene()),
            Err(failure) if failure.passes() => Sent::Away(failure),
            // Perhaps the token in the environment of this call is that of its own source.
            Err(Failure::Refused { status, .. }) if !ours && matches!(status.as_u16(), 401 | 404) => {
                Sent::NotOurs
            }
            Err(failure) => Sent::Refused(failure),
        }
    }
}

/// Sends events, and keeps them.
pub(super) struct Post {
    clients: Clients,
    spool: Option<Spool>,
    /// Why there is no spool although one was wanted.
    without: Option<String>,
    clock: Clock,
    /// How long a call keeps trying while the daemon is away.
    patience: Duration,
}

impl Post {
    /// Whatever is wrong with the address and the token is said here, before anything is done. Where nobody looks at how
    /// the call ends that is no reason to give up: events are kept until it is mended, and what is refused is put aside.
    ///
    /// # Errors
    /// How the command ends then.
    pub(super) fn new(
        flags: &ServerFlags,
        source: Option<&str>,
        spool: &SpoolFlags,
        patience: Duration,
        unattended: bool,
    ) -> Result<Self, Exit> {
        // What is kept is sent from another directory.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let own = Via {
            server: flags.server.clone(),
            token_file: flags.token_file.as_ref().map(absolute),
            config: flags.config.config.as_ref().map(absolute),
        };
        let mut clients =
            Clients { source: source.map(str::to_owned), own: own.clone(), known: BTreeMap::new() };
        if let Some(source) = source {
            let found = clients.client(source, own).map(|_| ());
            found.or_else(|exit| if unattended { Ok(()) } else { Err(exit) })?;
        }
        let opened = (!spool.no_spool).then(|| Spool::open(&spool.directory()));
        let (spool, without) = match opened {
            Some(Ok(spool)) => (Some(spool), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        Ok(Self { clients, spool, without, clock: Clock::system(), patience })
    }

    /// The hour.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends an event, behind what waits; keeps it when the daemon is away.
    pub(super) fn deliver(&mut self, said: &Said) -> Fate {
        let turn = match self.turn(TURN_WAIT) {
            Ok(None) if self.spool.is_some() => {
                let fate = self.keep(said, "another call is still sending", false);
                self.look_again();
                return fate;
            }
            Ok(turn) => turn,
            // A spool that is broken is no reason to be silent.
            Err(_) => None,
        };
        let fate = self.patiently(said, turn.is_some());
        drop(turn);
        if matches!(fate, Fate::Taken(_)) {
            self.look_again();
        }
        fate
    }

    /// Whether something waits.
    pub(super) fn waits(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| spool.waiting().is_ok_and(|all| !all.is_empty()))
    }

    /// Who could not wait for this call has left an event behind.
    fn look_again(&mut self) {
        for _ in 0..LOOKS_AGAIN_MAX {
            if !self.waits() || self.some().is_none_or(|backlog| backlog.is_idle()) {
                return;
            }
        }
    }

    /// Sends some of what waits, when nobody else does.
    pub(super) fn some(&mut self) -> Option<Backlog> {
        let _turn = self.spool.as_ref()?.turn().ok().flatten()?;
        Some(self.backlog(Which::All, Some(BACKLOG_DEADLINE), None))
    }

    fn patiently(&mut self, said: &Said, has_turn: bool) -> Fate {
        let mut waited = Duration::ZERO;
        let mut tries = 0;
        loop {
            let why = match self.attempt(said, has_turn) {
                Ok(answer) => return Fate::Taken(answer),
                Err(Stop::Refused(failure)) => return self.refused(said, &failure),
                Err(Stop::Away(why)) => why,
            };
            if waited >= self.patience {
                return self.keep(said, &why, true);
            }
            if tries == 0 {
                say(&format!("onscene: {why}; trying again for {} s", self.patience.as_secs()));
            }
            let wait = Duration::from_millis(LADDER_MS[tries.min(LADDER_MS.len() - 1)]);
            pause(wait);
            waited += wait;
            tries += 1;
        }
    }

    fn attempt(&mut self, said: &Said, has_turn: bool) -> Result<Value, Stop> {
        let first = has_turn.then(|| self.backlog(Which::Ours, Some(BACKLOG_DEADLINE), None));
        if let Some(why) = first.and_then(|backlog| backlog.stopped) {
            return Err(Stop::Away(why));
        }
        // With its hour, as all that is kept: one clock orders what this machine says.
        let record = self.record(said, said.kept());
        match self.clients.send(&record) {
            Sent::Taken(answer) => Ok(answer),
            Sent::Away(failure) => Err(Stop::Away(failure.to_string())),
            Sent::Refused(failure) => Err(Stop::Refused(failure)),
            Sent::NotOurs => Err(Stop::Away("it is not known where and how to send".into())),
        }
    }

    fn refused(&self, said: &Said, failure: &Failure) -> Fate {
        let exit = failure.say();
        if let Some(spool) = &self.spool {
            match spool.put_aside(&self.record(said, said.kept())) {
                Ok(aside) => say(&format!("onscene: the event is put aside as {}", aside.display())),
                Err(error) => say(&format!("onscene: the event is lost, because {error}")),
            }
        }
        Fate::Failed(exit)
    }

    fn record(&self, said: &Said, body: String) -> Record {
        let source = self.clients.source.clone().unwrap_or_default();
        let path = format!("/in/{source}");
        Record { source, path, body, said_at: said.at, via: self.clients.own.clone() }
    }

    /// Keeps an event behind all that waits, and says why; `away`: because the daemon is.
    pub(super) fn keep(&self, said: &Said, why: &str, away: bool) -> Fate {
        let Some(spool) = &self.spool else {
            let without = self.without.as_ref().map(|error| format!("; the event is lost, because {error}"));
            say(&format!("onscene: {why}{}", without.unwrap_or_default()));
            return Fate::Failed(Exit::Unreachable);
        };
        match spool.put(&self.record(said, said.kept())) {
            Ok(()) => {
                say(&format!(
                    "onscene: {why}; the event is kept in {} and sent by the next call, or by `onscene send --flush`",
                    spool.shown()
                ));
                Fate::Spooled { away }
            }
            Err(error) => {
                say(&format!("onscene: {why}; the event is lost, because {error}"));
                let refused = matches!(error, SpoolError::Full(_) | SpoolError::Long(_));
                Fate::Failed(if refused { Exit::Failed } else { Exit::Unreachable })
            }
        }
    }

    fn turn(&self, patience: Duration) -> Result<Option<Turn>, SpoolError> {
        let Some(spool) = &self.spool else { return Ok(None) };
        let began = self.clock.mark();
        loop {
            let turn = spool.turn()?;
            if turn.is_some() || self.clock.mark().duration_since(began) >= patience {
                return Ok(turn);
            }
            pause(TURN_POLL);
        }
    }

    /// Sends what waits, oldest first, for about so long. What stands in the way is said, and put aside or passed over.
    fn backlog(
        &mut self,
        which: Which,
        patience: Option<Duration>,
        progress: Option<&Progress<'_>>,
    ) -> Backlog {
        let mut done = Backlog::default();
        let Some(spool) = &self.spool else { return done };
        let time = Time { clock: &self.clock, began: self.clock.mark(), patience };
        let tried = send_all(spool, &mut self.clients, which, &time, progress, &mut done);
        if let Err(error) = tried {
            say(&format!("onscene: {error}; what waits there is not sent"));
        }
        done
    }

    /// Sends all that waits, however long that takes. Answers with how many still wait.
    ///
    /// # Errors
    /// How the command ends when nothing could be tried.
    pub(super) fn flush(&mut self) -> Result<(Backlog, usize), Exit> {
        let turn = match (&self.spool, &self.without) {
            (Some(_), _) => self.turn(FLUSH_TURN_WAIT).map_err(|error| error.to_string()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(None),
        };
        let turn = turn.map_err(|error| crate::cli::fail(&error))?;
        let mut done =
            Backlog { stopped: Some("another call is still sending".into()), ..Backlog::default() };
        if turn.is_some() {
            let clock = self.clock.clone();
            if let Some(spool) = &self.spool {
                spool.sweep(clock.now());
            }
            let progress = Progress::new(&clock, "events sent");
            done = self.backlog(Which::All, None, Some(&progress));
            progress.end();
        }
        let waiting = self.spool.as_ref().map_or(Ok(Vec::new()), Spool::waiting);
        let waiting = waiting.map_err(|error| crate::cli::fail(&error.to_string()))?;
        Ok((done, waiting.len()))
    }
}

/// Why an attempt ended.
enum Stop {
    Away(String),
    Refused(Failure),
}

/// Of what waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Only what this call's source said.
    Ours,
    /// All that goes to the same daemon; for `--flush`, everything.
    All,
}

/// How long all of it may take.
struct Time<'a> {
    clock: &'a Clock,
    began: Instant,
    patience: Option<Duration>,
}

impl Time<'_> {
    fn is_over(&self) -> bool {
        self.patience.is_some_and(|patience| self.clock.mark().duration_since(self.began) >= patience)
    }
}

fn send_all(
    spool: &Spool,
    clients: &mut Clients,
    which: Which,
    time: &Time<'_>,
    progress: Option<&Progress<'_>>,
    done: &mut Backlog,
) -> Result<(), SpoolError> {
    let mut passed_over = BTreeSet::new();
    loop {
        let before = done.sent + done.refused;
        for waiting in spool.waiting()? {
            if time.is_over() {
                done.stopped = Some("there is more to send than this call has time for".into());
                return Ok(());
            }
            let Some(record) = spool.read(&waiting)? else {
                let aside = spool.refuse(&waiting)?;
                say(&format!("onscene: a kept event cannot be read; it is put aside as {}", aside.display()));
                done.refused += 1;
                continue;
            };
            let wanted = which == Which::All || clients.is_ours(&record);
            if !wanted || passed_over.contains(&record.source) {
                continue;
            }
            match clients.send(&record) {
                Sent::Taken(_) => {
                    spool.sent(&waiting)?;
                    done.sent += 1;
                }
                Sent::Refused(failure) => {
                    let aside = spool.refuse(&waiting)?;
                    say(&format!(
                        "onscene: a kept event of source {} was refused: {failure}; it is put aside as {}",
                        record.source,
                        aside.display()
                    ));
                    done.refused += 1;
                }
                // What its source said later has its order too.
                Sent::Away(failure) => {
                    done.stopped = Some(failure.to_string());
                    if which == Which::Ours {
                        return Ok(());
                    }
                    passed_over.insert(record.source);
                }
                Sent::NotOurs => {
                    passed_over.insert(record.source);
                }
            }
            if let Some(progress) = progress {
                progress.show(done.sent + done.refused);
            }
        }
        // Others may have kept more meanwhile.
        if done.sent + done.refused == before {
            return Ok(());
        }
    }
}
