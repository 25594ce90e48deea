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
pub mod beside;
pub mod calendars;
pub mod carried;
pub mod conditions;
pub mod copy;
pub mod drills;
mod error;
pub mod gone;
pub mod heartbeats;
pub mod held;
pub mod history;
pub mod incidents;
pub mod inhibitors;
pub mod letters;
pub mod load;
mod many;
pub mod meeting;
mod migrate;
pub mod mirror;
pub mod moves;
pub mod nodes;
pub mod noise;
pub mod postgres;
pub mod reach;
pub mod readers;
pub mod roster;
mod row;
pub mod search;
pub mod sessions;
pub mod sight;
pub mod silences;
pub mod sqlite;
pub mod statements;
pub mod subscribers;
pub mod timeline;
pub mod tokens;
pub mod unreadable;
mod wire;

pub use error::StoreError;
use row::Of;
pub use row::{Bind, Row};

/// What a store that was full must take before it is trusted again: more than most commits write.
const ROOM_BYTES: usize = 256 * 1024;

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
                    .map(|row| row.as_ref().map(|row| map(&Row(Of::Postgres(row)))).transpose())
                    .collect()
            }
        }
    }

    /// Sends a question ahead that is going to be asked in the same words and with the same values, before anything is written
    /// that it depends on: where every question is a trip it travels with the next one. It is answered so once.
    ///
    /// # Errors
    /// What the engine says.
    pub fn ahead(&self, sql: &str, binds: &[Bind<'_>]) -> Result<(), StoreError> {
        match self.engine {
            By::Sqlite(_) => Ok(()),
            By::Postgres(session) => session.ahead(sql, binds),
        }
    }

    /// As [`Tx::ahead`], for each of many sets of values.
    ///
    /// # Errors
    /// What the engine says.
    pub fn ahead_each(&self, sql: &str, many: &[Vec<Bind<'_>>]) -> Result<(), StoreError> {
        match self.engine {
            By::Sqlite(_) => Ok(()),
            By::Postgres(session) => session.ahead_each(sql, many),
        }
    }

    /// That a number is one of those that a question with a limit answers. A server would else guess how many these are, and go
    /// through the whole table for a few.
    pub fn among(&self, column: &str, question: &str) -> String {
        match self.engine {
            By::Sqlite(_) => format!("{column} in ({question})"),
            By::Postgres(_) => format!("{column} = any (array({question}))"),
        }
    }

    /// The end of a question whose rows are about to be taken: a row that somebody else holds outside of the writers'
    /// turn, such as an operator with a session of their own, is passed over and not waited for.
    pub fn for_taking(&self, table: &str) -> String {
        match self.engine {
            By::Sqlite(_) => String::new(),
            By::Postgres(_) => format!("for update of {table} skip locked"),
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
            By::Postgres(session) => session.write(sql, binds),
        }
    }

    /// As [`Tx::write`], an update for each of many sets of values: `update ... set ... where ...`. No two of them
    /// may change the same row.
    ///
    /// # Errors
    /// What the engine says; some engines say it later in the transaction.
    pub fn write_each(&self, sql: &str, many: &[Vec<Bind<'_>>]) -> Result<(), StoreError> {
        match self.engine {
            By::Sqlite(engine) => {
                let mut statement = engine.prepare_cached(sql)?;
                for binds in many {
                    sqlite::bind(&mut statement, binds)?;
                    statement.raw_execute()?;
                }
                Ok(())
            }
            By::Postgres(session) => session.queue_each(sql, many),
        }
    }

    /// Changes whenever somebody else has written into the store; `None` where that cannot be told.
    ///
    /// # Errors
    /// What the engine says.
    pub fn others_wrote(&self) -> Result<Option<i64>, StoreError> {
        match self.engine {
            By::Sqlite(_) => self.query_one("pragma data_version", &[], |row| row.int(0)),
            By::Postgres(_) => Ok(None),
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

    /// As [`Connection::writer`], for a file that can be made again from something else: nobody waits for the disk.
    ///
    /// # Errors
    /// As [`Connection::writer`].
    fn expendable(path: &Path, clock: &Clock) -> Result<Self, StoreError> {
        sqlite::make(path)?;
        let engine = Engine::sqlite(sqlite::open_expendable(path)?, path)?;
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
    /// What `work` or the engine says; nothing was committed then, except, perhaps, after [`StoreError::Unknown`]:
    /// the way to a server broke in the moment of committing.
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
                let asked = self.clock.asks();
                let now = self.clock.follow(asked, session.begin()?);
                let answer = work(&Tx { engine: By::Postgres(session), now })?;
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
