//! The store: transactions only.
//!
//! A [`Connection`] runs a closure in one transaction and hands it a [`Tx`], which knows the hour of
//! the transaction and can query and execute. The SQL of the nouns (`incidents`, `alerts`, ...) is
//! written once over that small interface; an engine has only to speak it. Each noun is one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;

pub mod alerts;
pub mod copy;
pub mod incidents;
pub mod letters;
mod migrate;
pub mod nodes;
pub mod postgres;
pub mod readers;
pub mod sqlite;
pub mod timeline;
pub mod tokens;
pub mod unreadable;
mod wire;

/// What a store that was full must take before it is trusted again: more than most commits write.
const ROOM_BYTES: usize = 256 * 1024;

/// One value handed to a statement.
#[derive(Clone, Copy, Debug)]
pub enum Bind<'a> {
    /// SQL null.
    Null,
    /// A whole number; times are microseconds since 1970.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<i64> for Bind<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<Timestamp> for Bind<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_microsecond())
    }
}
impl<'a> From<&'a str> for Bind<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Bind<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}
impl<'a, T: Into<Bind<'a>>> From<Option<T>> for Bind<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer. Columns are numbered from 0.
pub struct Row<'a>(Of<'a>);

enum Of<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// A whole number.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.int_or_null(column)?.ok_or(StoreError::Decode("a number is missing"))
    }

    /// A whole number or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A time.
    ///
    /// # Errors
    /// When the column is null, of another type or out of range.
    pub fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.int(column)?).map_err(|_| StoreError::Decode("a time out of range"))
    }

    /// A time or null.
    ///
    /// # Errors
    /// When the column is of another type or out of range.
    pub fn time_or_null(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.int_or_null(column)?;
        micros
            .map(|micros| {
                Timestamp::from_microsecond(micros).map_err(|_| StoreError::Decode("a time out of range"))
            })
            .transpose()
    }

    /// A text.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        Ok(self.text_ref(column)?.to_owned())
    }

    /// A text, to look at.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn text_ref(&self, column: usize) -> Result<&str, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A text or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn text_or_null(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn blob(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

/// What can go wrong in the store. Every one of them is answered with 503: nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine said no: disk full, read-only, locked, gone.
    #[error("the store cannot be used: {0}")]
    Engine(#[from] rusqlite::Error),
    /// The server said no, or the way to it is broken.
    #[error("the store cannot be used: {}", said(.0))]
    Server(#[from] tokio_postgres::Error),
    /// The server was not heard of in time.
    #[error("the store cannot be used: {0}")]
    Away(&'static str),
    /// A row does not hold what this version writes.
    #[error("the store holds something this version does not understand: {0}")]
    Decode(&'static str),
    /// A JSON column does not hold what this version writes.
    #[error("the store holds something this version does not understand: {0}")]
    Json(#[from] serde_json::Error),
    /// The schema is newer, or was changed by hand.
    #[error("{0}")]
    Schema(String),
    /// The directory or file cannot be made, or is not there any more.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// What a server said, with its reason, which the library keeps apart.
fn said(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(why) => format!("{error}: {why}"),
        None => error.to_string(),
    }
}

impl StoreError {
    /// Whether somebody else has the store in hands: it is in order, and waiting helps.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Engine(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            Self::Server(error) => error.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE),
            _ => false,
        }
    }

    /// Whether a server could not be reached, or takes no writes now.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Server(_) => self.is_of_the_store(),
            _ => false,
        }
    }

    /// Whether the fault lies with the store as a whole. Otherwise it lies with what one command wrote or read.
    pub fn is_of_the_store(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, ParameterOutOfRange, TooBig, TypeMismatch};
        match self {
            Self::Schema(_) | Self::File { .. } | Self::Away(_) => true,
            Self::Decode(_) | Self::Json(_) => false,
            Self::Engine(error) => match error.sqlite_error_code() {
                Some(ConstraintViolation | ParameterOutOfRange | TooBig | TypeMismatch) => false,
                Some(_) => true,
                // Not the engine's: a value of another type than this version reads.
                None => false,
            },
            // Classes of PostgreSQL's manual, appendix A: the way to it, who may do what, and what it is short of.
            // Everything else lies with a statement, so that one command at fault never looks like a store away.
            Self::Server(error) => match error.code() {
                Some(code) if code.code() == "57014" => false,
                Some(code) => {
                    ["08", "25", "28", "3D", "40", "53", "55", "57", "58"].contains(&&code.code()[..2])
                }
                // Without a code it is the way, unless a value could not be read.
                None => {
                    !error.to_string().contains("deserializing") && !error.to_string().contains("serializing")
                }
            },
        }
    }
}

/// One transaction.
pub struct Tx<'c> {
    engine: By<'c>,
    /// The hour of the whole transaction.
    pub now: Timestamp,
}

#[derive(Clone, Copy)]
enum By<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(&'c postgres::Session),
}

impl Tx<'_> {
    /// Runs a query and maps every row.
    ///
    /// # Errors
    /// What the engine or `map` says.
    pub fn query<T>(
        &self,
        sql: &str,
        binds: &[Bind<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self.engine {
            By::Sqlite(engine) => {
                let mut statement = engine.prepare_cached(sql)?;
                sqlite::bind(&mut statement, binds)?;
                let mut rows = statement.raw_query();
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(map(&Row(Of::Sqlite(row)))?);
                }
                Ok(found)
            }
            By::Postgres(session) => {
                session.query(sql, binds)?.iter().map(|row| map(&Row(Of::Postgres(row)))).collect()
            }
        }
    }

    /// Runs a query that finds at most one row.
    ///
    /// # Errors
    /// What the engine or `map` says.
    pub fn query_one<T>(
        &self,
        sql: &str,
        binds: &[Bind<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.engine {
            By::Sqlite(engine) => {
                let mut statement = engine.prepare_cached(sql)?;
                sqlite::bind(&mut statement, binds)?;
                let mut rows = statement.raw_query();
                match rows.next()? {
                    Some(row) => Ok(Some(map(&Row(Of::Sqlite(row)))?)),
                    None => Ok(None),
                }
            }
            By::Postgres(session) => {
                session.query(sql, binds)?.first().map(|row| map(&Row(Of::Postgres(row)))).transpose()
            }
        }
    }

    /// Runs one query for each of many sets of values, in one go; answers the first row of each.
    ///
    /// # Errors
    /// What the engine or `map` says.
    pub fn query_each<T>(
        &self,
        sql: &str,
        many: &[Vec<Bind<'_>>],
        map: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        match self.engine {
            By::Sqlite(_) => many.iter().map(|binds| self.query_one(sql, binds, &map)).collect(),
            By::Postgres(session) => {
                let found = session.query_each(sql, many)?;
                found
                    .iter()
                    .map(|rows| rows.first().map(|row| map(&Row(Of::Postgres(row)))).transpose())
                    .collect()
            }
        }
    }

    /// Whether every question is a trip over a network.
    pub fn is_far(&self) -> bool {
        matches!(self.engine, By::Postgres(_))
    }

    /// Runs a statement that changes rows; answers how many.
    ///
    /// # Errors
    /// What the engine says.
    pub fn execute(&self, sql: &str, binds: &[Bind<'_>]) -> Result<u64, StoreError> {
        match self.engine {
            By::Sqlite(engine) => {
                let mut statement = engine.prepare_cached(sql)?;
                sqlite::bind(&mut statement, binds)?;
                Ok(u64::try_from(statement.raw_execute()?).unwrap_or(0))
            }
            By::Postgres(session) => session.execute(sql, binds),
        }
    }

    /// Runs a statement that changes rows, however many. It may be sent later than it is written here, and is
    /// sent before whatever is asked next: who does not wait does not cost a trip to the server.
    ///
    /// # Errors
    /// What the engine says; some engines say it later in the transaction.
    pub fn write(&self, sql: &str, binds: &[Bind<'_>]) -> Result<(), StoreError> {
        match self.engine {
            By::Sqlite(_) => self.execute(sql, binds).map(|_| ()),
            By::Postgres(session) => session.queue(sql, binds),
        }
    }

    /// The next number of a counter.
    ///
    /// # Errors
    /// What the engine says.
    pub fn next_number(&self, counter: &str) -> Result<i64, StoreError> {
        match self.engine {
            By::Sqlite(_) => {
                let sql = "update counter set value = value + 1 where name = ?1 returning value";
                self.query_one(sql, &[counter.into()], |row| row.int(0))?
                    .ok_or(StoreError::Decode("a counter is missing"))
            }
            By::Postgres(session) => session.next_number(counter),
        }
    }

    /// Runs the statements of a migration.
    fn migrate(&self, sql: &str) -> Result<(), StoreError> {
        match self.engine {
            By::Sqlite(engine) => Ok(engine.execute_batch(sql)?),
            By::Postgres(session) => {
                session.send()?;
                session.batch(&postgres::dialect(sql))
            }
        }
    }
}

/// Writes something of no meaning, to learn whether the store takes writes.
///
/// # Errors
/// What the engine says: it does not.
pub fn probe(tx: &Tx<'_>) -> Result<(), StoreError> {
    let now = tx.now.as_microsecond().to_string();
    tx.write(
        "insert into meta (name, value) values ('probe', ?1) on conflict (name) do update set value = excluded.value",
        &[(&now).into()],
    )?;
    Ok(())
}

/// Writes as much as a large delivery does, to learn whether there is room for one.
///
/// # Errors
/// What the engine says: there is not.
pub fn probe_room(tx: &Tx<'_>) -> Result<(), StoreError> {
    let room = "0".repeat(ROOM_BYTES);
    tx.write(
        "insert into meta (name, value) values ('room', ?1) on conflict (name) do update set value = excluded.value",
        &[(&room).into()],
    )?;
    Ok(())
}

/// Gives back what [`probe_room`] took.
///
/// # Errors
/// What the engine says.
pub fn release_room(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.write("delete from meta where name = 'room'", &[])?;
    Ok(())
}

/// Where the store is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server that several nodes share.
    Postgres(Arc<postgres::Server>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => write!(f, "{server:?}"),
        }
    }
}

/// One connection, for one thread at a time.
pub struct Connection {
    engine: Engine,
    clock: Clock,
}

enum Engine {
    Sqlite {
        engine: rusqlite::Connection,
        path: PathBuf,
        /// Which file was opened.
        file: sqlite::FileId,
    },
    Postgres {
        /// `None` until it was reached for the first time.
        session: Option<Box<postgres::Session>>,
        server: Arc<postgres::Server>,
        writes: bool,
    },
}

impl Connection {
    /// Opens a connection that writes, brings the schema up to date, and makes the file and its directory where
    /// the store is one. A file has one such connection; of a server, each node has one.
    ///
    /// # Errors
    /// When it cannot be made or opened, or its schema is newer than this version.
    pub fn writer(place: &Place, clock: &Clock) -> Result<Self, StoreError> {
        let engine = match place {
            Place::Sqlite(path) => {
                sqlite::make(path)?;
                Engine::sqlite(sqlite::open(path)?, path)?
            }
            Place::Postgres(server) => Engine::postgres(server, true)?,
        };
        let mut connection = Self { engine, clock: clock.clone() };
        connection.write(clock.now(), migrate::up)?;
        Ok(connection)
    }

    /// Opens one of the connections that only read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn reader(place: &Place, clock: &Clock) -> Result<Self, StoreError> {
        let engine = match place {
            Place::Sqlite(path) => Engine::sqlite(sqlite::open_read_only(path)?, path)?,
            Place::Postgres(server) => Engine::postgres(server, false)?,
        };
        Ok(Self { engine, clock: clock.clone() })
    }

    /// Whether the file under the store's path is still the one that was opened.
    ///
    /// # Errors
    /// When there is none that can be looked at.
    pub fn is_in_place(&self) -> Result<bool, StoreError> {
        match &self.engine {
            Engine::Sqlite { path, file, .. } => Ok(sqlite::file_id(path)? == *file),
            Engine::Postgres { .. } => Ok(true),
        }
    }

    /// Opens the same store for writing once more, after the engine gave it up. It makes none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_anew(&mut self) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite { engine, path, .. } => *engine = sqlite::open(path)?,
            Engine::Postgres { session, server, writes } => {
                let first = session.is_none();
                *session = Some(Box::new(postgres::Session::connect(server, *writes)?));
                if first {
                    // It was away when the daemon started, and may never have been looked at.
                    let migrated = self.write(self.clock.now(), migrate::up);
                    if migrated.is_err()
                        && let Engine::Postgres { session, .. } = &mut self.engine
                    {
                        *session = None;
                    }
                    migrated?;
                }
            }
        }
        Ok(())
    }

    /// A connection that writes, to a server that cannot be reached yet: [`Connection::open_anew`] tries again.
    ///
    /// # Errors
    /// When the store is no server.
    pub fn later(place: &Place, clock: &Clock) -> Result<Self, StoreError> {
        let Place::Postgres(server) = place else {
            return Err(StoreError::Away("a file is there or is not"));
        };
        let engine = Engine::Postgres { session: None, server: server.clone(), writes: true };
        Ok(Self { engine, clock: clock.clone() })
    }

    /// Writes the log of changes into the file itself, and empties it.
    ///
    /// # Errors
    /// When somebody reads from the log for too long, or what the engine says.
    pub fn settle_down(&mut self) -> Result<(), StoreError> {
        let Engine::Sqlite { engine, .. } = &self.engine else { return Ok(()) };
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        match engine.query_row("pragma wal_checkpoint(truncate)", [], busy)? {
            0 => Ok(()),
            _ => {
                Err(StoreError::Schema("the log of changes cannot be emptied: somebody reads from it".into()))
            }
        }
    }

    /// Runs `work` in one transaction that is on disk when this returns `Ok`. A server tells the hour itself, so
    /// that all nodes go by one clock; ours follows it.
    ///
    /// # Errors
    /// What `work` or the engine says; nothing was committed then, unless the way to a server broke in the moment
    /// of committing.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match &mut self.engine {
            Engine::Sqlite { engine, .. } => {
                let transaction = engine
                    .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                    .map_err(StoreError::from)?;
                let answer = work(&Tx { engine: By::Sqlite(&transaction), now })?;
                transaction.commit().map_err(StoreError::from)?;
                Ok(answer)
            }
            Engine::Postgres { session, .. } => {
                let Some(session) = session.as_deref() else {
                    return Err(StoreError::Away("it was not reached yet").into());
                };
                let mut begun = Begun { session, committed: false };
                self.clock.follow(session.begin()?);
                let answer = work(&Tx { engine: By::Postgres(session), now: self.clock.now() })?;
                session.commit()?;
                begun.committed = true;
                Ok(answer)
            }
        }
    }

    /// Runs `work` on one unchanging view of the store.
    ///
    /// # Errors
    /// What `work` or the engine says.
    pub fn read<T, E: From<StoreError>>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match &mut self.engine {
            Engine::Sqlite { engine, .. } => {
                let transaction = engine.transaction().map_err(StoreError::from)?;
                work(&Tx { engine: By::Sqlite(&transaction), now })
            }
            Engine::Postgres { session, .. } => {
                let Some(session) = session.as_deref() else {
                    return Err(StoreError::Away("it was not reached yet").into());
                };
                let _begun = Begun { session, committed: false };
                session.begin_reading()?;
                work(&Tx { engine: By::Postgres(session), now })
            }
        }
    }

    /// Copies the store as it is into a new file, while others go on working.
    ///
    /// # Errors
    /// What the engine says; a server has ways of its own.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let Engine::Sqlite { engine, .. } = &self.engine else {
            return Err(StoreError::Schema("a PostgreSQL store is copied by the server's own means".into()));
        };
        let mut target = rusqlite::Connection::open(path)?;
        let backup = rusqlite::backup::Backup::new(engine, &mut target)?;
        backup.run_to_completion(1024, std::time::Duration::ZERO, None)?;
        Ok(())
    }
}

impl Engine {
    fn sqlite(engine: rusqlite::Connection, path: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite { engine, path: path.to_owned(), file: sqlite::file_id(path)? })
    }

    fn postgres(server: &Arc<postgres::Server>, writes: bool) -> Result<Self, StoreError> {
        let session = Some(Box::new(postgres::Session::connect(server, writes)?));
        Ok(Self::Postgres { session, server: server.clone(), writes })
    }
}

/// A transaction that is undone unless it was committed, also by a panic.
struct Begun<'a> {
    session: &'a postgres::Session,
    committed: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.session.roll_back();
        }
    }
}
