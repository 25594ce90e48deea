//! The mirror: what people look at, copied from a shared store into a file of this node, so that it can still be
//! looked at while the store is away.
//!
//! Written by `crate::mirror`, every few seconds, from one unchanging view of the store: the tokens and sessions
//! (their hashes only), incidents that are open and the newest that are over, their timelines, alerts and answer links, the nodes,
//! and silences, known conditions, overrides and leaves that have not ended. Letters are not in it, nor are alerts without an incident: which
//! ones a silence holds back is not known here. Read by [`super::sight::Sight`] alone: who acts on what is read asks the store.
//!
//! It has the schema of a store, so that the same code reads it, and knows whose copy it is: by the address in the
//! configuration, and by the word under which the store knows itself. A copy of another database is emptied before
//! anybody sees it. It is a copy in every respect: when it is broken it is made anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::copy::{
    ALERT, ALERT_HEARD, ANSWER_TOKEN, API_TOKEN, CALENDAR, CALENDAR_LINK, CONDITION, ENTRY, INCIDENT,
    INCIDENT_TERM, LEAVE, NODE, OVERRIDE, SESSION, SILENCE, Value,
};
use super::migrate::{ANSWER_KEY, IDENTITY};
use super::readers::Readers;
use super::{Connection, Place, StoreError, Tx, meeting};
use crate::clock::Clock;

/// Most incidents that are not over, newest first, and most that are.
const OPEN_MAX: u32 = 1000;
const PAST_MAX: u32 = 200;
/// Most alerts of one incident, firing ones first, and most of its answer links, newest first.
const ALERTS_MAX: u32 = 2000;
const LINKS_MAX: u32 = 2000;
/// Most of what one incident is found by.
const TERMS_MAX: u32 = 20_000;
/// Entries read and written at a time.
const ENTRIES_PAGE: u32 = 500;
/// Most tokens of the API, and most sessions, those first that were used last.
const TOKENS_MAX: u32 = 10_000;
const SESSIONS_MAX: u32 = 2000;
/// Most nodes.
const NODES_MAX: u32 = 200;
/// Most of what has not ended: silences, known conditions, overrides and leaves, those first that end last.
const SILENCES_MAX: u32 = 1000;
const CONDITIONS_MAX: u32 = super::conditions::OPEN_MAX;
/// Most calendars that rotations follow.
const CALENDARS_MAX: u32 = 200;
const ROSTER_MAX: u32 = super::roster::OPEN_MAX;
/// What is only counted (repeats of an alert) is looked after this often, and so many at a time.
const COUNTS_EVERY: SignedDuration = SignedDuration::from_secs(10);
const COUNTS_MAX: u32 = 2000;
/// Between the hour of a transaction and the moment others see it there is less than this.
const COMMIT_MAX: SignedDuration = SignedDuration::from_secs(30);

/// What the mirror notes about itself, in `meta`.
const OF_STORE: &str = "mirror.store";
const OF_ADDRESS: &str = "mirror.address";
pub(super) const AS_OF: &str = "mirror.as_of";
const COUNTED: &str = "mirror.counted";

/// The copy, and what is known of the store it is of.
pub struct Mirror {
    path: PathBuf,
    /// Of which address it is a copy.
    address: String,
    clock: Clock,
    began: Timestamp,
    /// `None` until it could be opened, and after it turned out to be broken.
    writer: Mutex<Option<Connection>>,
    readers: Mutex<Readers>,
    /// The hour of the store that it shows.
    as_of: Mutex<Option<Timestamp>>,
    away: AtomicBool,
    doubted: Notify,
    /// How often the store answered.
    answers: watch::Sender<u64>,
}

impl Mirror {
    /// The mirror in a node's own directory, of the store at an address. It is not opened yet.
    pub fn new(directory: &Path, address: String, clock: &Clock) -> Self {
        let path = directory.join("mirror.db");
        let readers = Mutex::new(Readers::new(Place::Sqlite(path.clone()), clock.clone()));
        Self {
            path,
            address,
            clock: clock.clone(),
            began: clock.now(),
            writer: Mutex::default(),
            readers,
            as_of: Mutex::default(),
            away: AtomicBool::new(false),
            doubted: Notify::new(),
            answers: watch::Sender::new(0),
        }
    }

    /// Opens it, and empties it when it is a copy of another store. One that is broken is made anew.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(&self) -> Result<(), StoreError> {
        let mut writer = lock(&self.writer);
        if writer.as_ref().is_some_and(|open| open.is_in_place().is_ok_and(|same| same)) {
            return Ok(());
        }
        *writer = None;
        let mut opened = self.open_file();
        if opened.as_ref().is_err_and(is_broken) {
            tracing::warn!(path = %self.path.display(), "the last known state is broken; it is copied anew");
            self.remove();
            opened = self.open_file();
        }
        let (connection, as_of) = opened?;
        // Who reads may hold the file that was there before.
        *lock(&self.readers) = Readers::new(Place::Sqlite(self.path.clone()), self.clock.clone());
        *lock(&self.as_of) = as_of;
        *writer = Some(connection);
        Ok(())
    }

    fn open_file(&self) -> Result<(Connection, Option<Timestamp>), StoreError> {
        let mut connection = Connection::expendable(&self.path, &self.clock)?;
        let as_of = connection.write(self.clock.now(), |tx| {
            if noted(tx, OF_ADDRESS)?.as_deref() != Some(&self.address) {
                empty(tx)?;
                note(tx, OF_ADDRESS, &self.address)?;
            }
            hour(tx, AS_OF)
        })?;
        Ok((connection, as_of))
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            if let Err(error) = std::fs::remove_file(&name)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a broken file cannot be removed");
            }
        }
    }

    /// Brings it up to a view of the store. The outer error is the store's, the inner one the mirror's own.
    ///
    /// # Errors
    /// As said.
    pub fn take(&self, from: &Tx<'_>) -> Result<Result<(), StoreError>, StoreError> {
        let Some(state) = State::of(from)? else { return Ok(Ok(())) };
        self.found();
        if let Err(error) = self.open() {
            return Ok(Err(error));
        }
        let mut writer = lock(&self.writer);
        let Some(connection) = writer.as_mut() else { return Ok(Ok(())) };
        match connection.write(from.now, |to| bring(from, to, &state)) {
            Ok(()) => {
                *lock(&self.as_of) = Some(from.now);
                Ok(Ok(()))
            }
            Err(error @ (StoreError::Engine(_) | StoreError::File { .. } | StoreError::Schema(_))) => {
                if is_broken(&error) {
                    *writer = None;
                    self.remove();
                }
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// How old what it shows is; since this node started, when it never could copy anything.
    pub fn age(&self) -> SignedDuration {
        let since = lock(&self.as_of).unwrap_or(self.began);
        self.clock.now().duration_since(since).max(SignedDuration::ZERO)
    }

    /// Runs `work` on what was known last, at the hour it was known; `None` when nothing is known of this store.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<(T, Timestamp)>, StoreError> {
        let readers = lock(&self.readers).clone();
        let address = self.address.clone();
        let looked = readers.read(move |tx| {
            let Some(as_of) = hour(tx, AS_OF)? else { return Ok(None) };
            if noted(tx, OF_ADDRESS)?.as_deref() != Some(&address) {
                return Ok(None);
            }
            let then = Tx { engine: tx.engine, now: as_of };
            Ok(Some((work(&then)?, as_of)))
        });
        looked.await
    }

    /// Whether the store could not be reached when it was asked last.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// The store could not be reached. Whoever copies it looks at once whether that is so.
    pub fn lost(&self) {
        if !self.away.swap(true, Ordering::AcqRel) {
            tracing::warn!("the store cannot be read; pages show what was known last");
            self.doubted.notify_one();
        }
    }

    /// The store has answered.
    pub(super) fn found(&self) {
        if self.away.swap(false, Ordering::AcqRel) {
            tracing::info!("the store can be read again");
        }
        self.answers.send_modify(|answers| *answers = answers.wrapping_add(1));
    }

    /// Somebody waits for the store for long: whoever copies asks it at once. Answers whether it answered in time.
    pub(super) async fn answers_within(&self, patience: Duration) -> bool {
        let mut answers = self.answers.subscribe();
        self.doubted.notify_one();
        tokio::time::timeout(patience, answers.changed()).await.is_ok_and(|heard| heard.is_ok())
    }

    /// Ends when somebody doubts that the store is there.
    pub async fn doubted(&self) {
        self.doubted.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the file is no store this version can use, whatever room the disk has.
fn is_broken(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        StoreError::Schema(_) => true,
        StoreError::Engine(error) => {
            matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
        }
        _ => false,
    }
}

/// Which store it is, what its forms are signed with, and what its tokens and sessions look like from afar: one small question.
#[derive(PartialEq, Eq)]
struct State {
    store: String,
    key: Option<String>,
    tokens: Tokens,
    sessions: Tokens,
}

/// How many tokens of the API there are, and when the last was made or revoked; how many sessions, and when the last was made or used.
type Tokens = (i64, i64, i64);

const TOKENS: &str = "select (select count(*) from api_token),
    (select coalesce(max(created_at), 0) from api_token), (select coalesce(max(revoked_at), 0) from api_token),
    (select value from meta where name = ?1), (select value from meta where name = ?2),
    (select count(*) from session), (select coalesce(max(created_at), 0) from session),
    (select coalesce(max(used_at), 0) from session)";

impl State {
    /// `None` of a store that nobody has made ready yet.
    fn of(tx: &Tx<'_>) -> Result<Option<Self>, StoreError> {
        let found = tx.query_one(TOKENS, &[IDENTITY.into(), ANSWER_KEY.into()], |row| {
            let Some(store) = row.text_or_null(3)? else { return Ok(None) };
            Ok(Some(Self {
                store,
                key: row.text_or_null(4)?,
                tokens: (row.int(0)?, row.int(1)?, row.int(2)?),
                sessions: (row.int(5)?, row.int(6)?, row.int(7)?),
            }))
        })?;
        Ok(found.flatten())
    }
}

/// Number of the newest entry of an incident, and its hash.
type Head = (i64, Vec<u8>);

/// Brings a mirror up to a view of its store.
fn bring(from: &Tx<'_>, to: &Tx<'_>, state: &State) -> Result<(), StoreError> {
    if noted(to, OF_STORE)?.as_deref() != Some(&state.store) {
        let address = noted(to, OF_ADDRESS)?.unwrap_or_default();
        empty(to)?;
        note(to, OF_ADDRESS, &address)?;
        note(to, OF_STORE, &state.store)?;
    }
    if noted(to, meeting::MIRRORED_KEY)?.is_none() {
        note(to, meeting::MIRRORED_KEY, &meeting::key(from)?)?;
    }
    let held = State::of(to)?;
    if held.as_ref().is_none_or(|held| held.tokens != state.tokens) {
        API_TOKEN.renew(from, to, "order by created_at desc limit ?1", &[i64::from(TOKENS_MAX).into()])?;
    }
    if held.as_ref().is_none_or(|held| held.sessions != state.sessions) {
        SESSION.renew(from, to, "order by used_at desc, id limit ?1", &[i64::from(SESSIONS_MAX).into()])?;
    }
    if let Some(key) = state.key.as_deref().filter(|_| held.is_none_or(|held| held.key != state.key)) {
        // What one node signs while the store is away any other knows, and so does the store when it is back.
        note(to, ANSWER_KEY, key)?;
    }
    let (there, oldest_past) = wanted(from)?;
    let here: BTreeMap<i64, Head> = heads(to, "", &[])?.into_iter().collect();
    let gone: Vec<i64> = here.keys().filter(|id| !there.contains_key(id)).copied().collect();
    remove(to, &gone)?;
    for (id, head) in &there {
        let held = here.get(id);
        if held != Some(head) {
            copy_incident(from, to, *id, held)?;
        }
    }
    count(from, to, oldest_past)?;
    NODE.renew(from, to, "order by seen_at desc limit ?1", &[i64::from(NODES_MAX).into()])?;
    let lasting =
        [(SILENCE, SILENCES_MAX), (CONDITION, CONDITIONS_MAX), (OVERRIDE, ROSTER_MAX), (LEAVE, ROSTER_MAX)];
    for (table, most) in lasting {
        let open = "where ends_at > ?1 order by ends_at desc, id limit ?2";
        table.renew(from, to, open, &[from.now.into(), i64::from(most).into()])?;
    }
    CALENDAR.renew(from, to, "order by rotation limit ?1", &[i64::from(CALENDARS_MAX).into()])?;
    let working = "where revoked_at is null order by id limit ?1";
    CALENDAR_LINK.renew(from, to, working, &[i64::from(LINKS_MAX).into()])?;
    note(to, AS_OF, &from.now.as_microsecond().to_string())
}

/// The incidents that belong into a mirror, and the number of the oldest of those that are over.
fn wanted(from: &Tx<'_>) -> Result<(BTreeMap<i64, Head>, i64), StoreError> {
    let open = "where phase in ('triggered', 'acknowledged', 'mitigated') order by id desc limit ?1";
    let past = "where phase = 'resolved' order by id desc limit ?1";
    let past = heads(from, past, &[i64::from(PAST_MAX).into()])?;
    let oldest_past = past.last().map_or(i64::MAX, |(id, _)| *id);
    let open = heads(from, open, &[i64::from(OPEN_MAX).into()])?;
    Ok((open.into_iter().chain(past).collect(), oldest_past))
}

fn heads(tx: &Tx<'_>, which: &str, binds: &[super::Bind<'_>]) -> Result<Vec<(i64, Head)>, StoreError> {
    tx.query(&format!("select id, seq, head from incident {which}"), binds, |row| {
        Ok((row.int(0)?, (row.int(1)?, row.blob(2)?)))
    })
}

/// Copies one incident and what belongs to it; of its timeline only what is new.
fn copy_incident(from: &Tx<'_>, to: &Tx<'_>, id: i64, held: Option<&Head>) -> Result<(), StoreError> {
    let page = i64::from(ENTRIES_PAGE);
    let mut at = held.map_or(0, |(seq, _)| *seq);
    let mut held = held;
    loop {
        let which = "where incident = ?1 and seq >= ?2 order by seq limit ?3";
        let entries = ENTRY.rows(from, which, &[id.into(), at.into(), page.into()])?;
        // It goes on from the entry the mirror ends with. Where that is another one, the store was put back to an
        // older state, and nothing of the timeline can be kept.
        if let Some((_, hash)) = held.take()
            && entries.first().map(|entry| ENTRY.value(entry, "hash")) != Some(&Value::Blob(hash.clone()))
        {
            to.write("delete from entry where incident = ?1", &[id.into()])?;
            at = 0;
            continue;
        }
        ENTRY.put(to, "insert or replace", &entries)?;
        match entries.last().map(|entry| ENTRY.value(entry, "seq")) {
            Some(Value::Int(last)) if i64::try_from(entries.len()).is_ok_and(|count| count >= page) => {
                at = last + 1;
            }
            _ => break,
        }
    }
    INCIDENT.put(to, "insert or replace", &INCIDENT.rows(from, "where id = ?1", &[id.into()])?)?;
    copy_terms(from, to, id)?;
    forget_alerts(to, id)?;
    let most = i64::from(ALERTS_MAX).into();
    let first = "where incident = ?1 order by status, first_seen, source, key limit ?2";
    ALERT.put(to, "insert or replace", &ALERT.rows(from, first, &[id.into(), most])?)?;
    let theirs = format!("where alert in (select id from alert {first})");
    ALERT_HEARD.put(to, "insert or replace", &ALERT_HEARD.rows(from, &theirs, &[id.into(), most])?)?;
    let links = "where incident = ?1 order by created_at desc limit ?2";
    let links = ANSWER_TOKEN.rows(from, links, &[id.into(), i64::from(LINKS_MAX).into()])?;
    ANSWER_TOKEN.put(to, "insert or replace", &links)
}

/// Copies what an incident is found by. That only ever grows. What its alerts are found by stands in their rows, too.
fn copy_terms(from: &Tx<'_>, to: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    let count = |tx: &Tx<'_>| {
        tx.query_one("select count(*) from incident_term where incident = ?1", &[id.into()], |row| row.int(0))
    };
    if count(from)? == count(to)? {
        return Ok(());
    }
    let most = i64::from(TERMS_MAX).into();
    let terms = INCIDENT_TERM.rows(from, "where incident = ?1 order by term limit ?2", &[id.into(), most])?;
    INCIDENT_TERM.put(to, "insert or replace", &terms)
}

/// Looks after alerts that said something again without their incident noting it.
fn count(from: &Tx<'_>, to: &Tx<'_>, oldest_past: i64) -> Result<(), StoreError> {
    let counted = hour(to, COUNTED)?.unwrap_or(Timestamp::UNIX_EPOCH);
    if from.now.duration_since(counted).abs() < COUNTS_EVERY {
        return Ok(());
    }
    let mark = counted.saturating_sub(COMMIT_MAX).unwrap_or(Timestamp::MIN);
    for (phases, since) in [("<> 'resolved'", 0), ("= 'resolved'", oldest_past)] {
        let which = format!(
            "where id in (select a.id from incident i join alert a on a.incident = i.id join alert_heard h on h.alert = a.id
               where i.phase {phases} and i.id >= ?1 and h.last_seen > ?2 order by h.last_seen desc limit ?3)"
        );
        let binds = [since.into(), mark.into(), i64::from(COUNTS_MAX).into()];
        let again = ALERT.rows(from, &which, &binds)?;
        ALERT.put(to, "insert or replace", &again)?;
        let heard = which.replacen("where id in", "where alert in", 1);
        ALERT_HEARD.put(to, "insert or replace", &ALERT_HEARD.rows(from, &heard, &binds)?)?;
    }
    note(to, COUNTED, &from.now.as_microsecond().to_string())
}

fn remove(to: &Tx<'_>, incidents: &[i64]) -> Result<(), StoreError> {
    for id in incidents {
        forget_alerts(to, *id)?;
        for sql in [
            "delete from entry where incident = ?1",
            "delete from answer_token where incident = ?1",
            "delete from incident_term where incident = ?1",
            "delete from incident where id = ?1",
        ] {
            to.write(sql, &[(*id).into()])?;
        }
    }
    Ok(())
}

fn forget_alerts(to: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    let heard = "delete from alert_heard where alert in (select id from alert where incident = ?1)";
    to.write(heard, &[incident.into()])?;
    to.write("delete from alert where incident = ?1", &[incident.into()])
}

fn empty(to: &Tx<'_>) -> Result<(), StoreError> {
    for table in [
        "incident",
        "incident_term",
        "entry",
        "alert",
        "alert_heard",
        "answer_token",
        "api_token",
        "session",
        "node",
        "silence",
        "known_condition",
        "calendar",
        "calendar_link",
        "oncall_override",
        "oncall_leave",
    ] {
        to.write(&format!("delete from {table}"), &[])?;
    }
    to.write("delete from meta where name like 'mirror.%'", &[])
}

fn noted(tx: &Tx<'_>, name: &str) -> Result<Option<String>, StoreError> {
    tx.query_one("select value from meta where name = ?1", &[name.into()], |row| row.text(0))
}

fn note(to: &Tx<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    to.write(
        "insert into meta (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
        &[name.into(), value.into()],
    )
}

/// Whether it is a mirror that is looked at.
pub(super) fn is_one(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(!tx.is_far() && noted(tx, AS_OF)?.is_some())
}

fn hour(tx: &Tx<'_>, name: &str) -> Result<Option<Timestamp>, StoreError> {
    let micros = noted(tx, name)?.and_then(|micros| micros.parse().ok());
    Ok(micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
}
