//! The store: transactions only.
//!
//! A [`Connection`] runs a closure in one transaction and hands it a [`Tx`], which knows the hour of
//! the transaction and can query and execute. The SQL of the nouns (`incidents`, `alerts`, ...) is
//! written once over that small interface; an engine has only to speak it. Each noun is one file.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub mod alerts;
pub mod incidents;
pub mod letters;
mod migrate;
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
pub struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// A whole number.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        Ok(self.0.get(column)?)
    }

    /// A whole number or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.0.get(column)?)
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
        Ok(self.0.get(column)?)
    }

    /// A text, to look at.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn text_ref(&self, column: usize) -> Result<&str, StoreError> {
        Ok(self.0.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
    }

    /// A text or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn text_or_null(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.0.get(column)?)
    }

    /// Bytes.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn blob(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.get(column)?)
    }
}

/// What can go wrong in the store. Every one of them is answered with 503: nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine said no: disk full, read-only, locked, gone.
    #[error("the store cannot be used: {0}")]
    Engine(#[from] rusqlite::Error),
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

impl StoreError {
    /// Whether another process has the store in its hands: it is in order, and waiting helps.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        let Self::Engine(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
    }
}

impl StoreError {
    /// Whether the fault lies with the store as a whole. Otherwise it lies with what one command wrote or read.
    pub fn is_of_the_store(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, ParameterOutOfRange, TooBig, TypeMismatch};
        match self {
            Self::Schema(_) | Self::File { .. } => true,
            Self::Decode(_) | Self::Json(_) => false,
            Self::Engine(error) => match error.sqlite_error_code() {
                Some(ConstraintViolation | ParameterOutOfRange | TooBig | TypeMismatch) => false,
                Some(_) => true,
                // Not the engine's: a value of another type than this version reads.
                None => false,
            },
        }
    }
}

/// One transaction.
pub struct Tx<'c> {
    engine: &'c rusqlite::Connection,
    /// The hour of the whole transaction.
    pub now: Timestamp,
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
        let mut statement = self.engine.prepare_cached(sql)?;
        sqlite::bind(&mut statement, binds)?;
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(map(&Row(row))?);
        }
        Ok(found)
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
        let mut statement = self.engine.prepare_cached(sql)?;
        sqlite::bind(&mut statement, binds)?;
        let mut rows = statement.raw_query();
        match rows.next()? {
            Some(row) => Ok(Some(map(&Row(row))?)),
            None => Ok(None),
        }
    }

    /// Runs a statement that changes rows; answers how many.
    ///
    /// # Errors
    /// What the engine says.
    pub fn execute(&self, sql: &str, binds: &[Bind<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.engine.prepare_cached(sql)?;
        sqlite::bind(&mut statement, binds)?;
        Ok(u64::try_from(statement.raw_execute()?).unwrap_or(0))
    }

    /// The next number of a counter.
    ///
    /// # Errors
    /// What the engine says.
    pub fn next_number(&self, counter: &str) -> Result<i64, StoreError> {
        let sql = "update counter set value = value + 1 where name = ?1 returning value";
        self.query_one(sql, &[counter.into()], |row| row.int(0))?
            .ok_or(StoreError::Decode("a counter is missing"))
    }
}

/// Writes something of no meaning, to learn whether the store takes writes.
///
/// # Errors
/// What the engine says: it does not.
pub fn probe(tx: &Tx<'_>) -> Result<(), StoreError> {
    let now = tx.now.as_microsecond().to_string();
    tx.execute(
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
    tx.execute(
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
    tx.execute("delete from meta where name = 'room'", &[])?;
    Ok(())
}

/// One connection, for one thread at a time.
pub struct Connection {
    engine: rusqlite::Connection,
    path: PathBuf,
    /// Which file was opened.
    file: sqlite::FileId,
}

impl Connection {
    /// Opens the one connection that writes, brings the schema up to date, and makes the directory.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or its schema is newer than this version.
    pub fn writer(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        sqlite::make(path)?;
        let mut engine = sqlite::open(path)?;
        migrate::up(&mut engine, now)?;
        Self::of(engine, path)
    }

    fn of(engine: rusqlite::Connection, path: &Path) -> Result<Self, StoreError> {
        Ok(Self { engine, path: path.to_owned(), file: sqlite::file_id(path)? })
    }

    /// Whether the file under the store's path is still the one that was opened.
    ///
    /// # Errors
    /// When there is none that can be looked at.
    pub fn is_in_place(&self) -> Result<bool, StoreError> {
        Ok(sqlite::file_id(&self.path)? == self.file)
    }

    /// Opens the same file for writing once more, after the engine gave it up. It makes none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_anew(&mut self) -> Result<(), StoreError> {
        self.engine = sqlite::open(&self.path)?;
        Ok(())
    }

    /// Writes the log of changes into the file itself, and empties it.
    ///
    /// # Errors
    /// When somebody reads from the log for too long, or what the engine says.
    pub fn settle_down(&mut self) -> Result<(), StoreError> {
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        match self.engine.query_row("pragma wal_checkpoint(truncate)", [], busy)? {
            0 => Ok(()),
            _ => {
                Err(StoreError::Schema("the log of changes cannot be emptied: somebody reads from it".into()))
            }
        }
    }

    /// Opens one of the connections that only read.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn reader(path: &Path) -> Result<Self, StoreError> {
        Self::of(sqlite::open_read_only(path)?, path)
    }

    /// Runs `work` in one transaction that is on disk when this returns `Ok`.
    ///
    /// # Errors
    /// What `work` or the engine says; nothing was committed then.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self
            .engine
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let answer = work(&Tx { engine: &transaction, now })?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(answer)
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
        let transaction = self.engine.transaction().map_err(StoreError::from)?;
        work(&Tx { engine: &transaction, now })
    }

    /// Copies the store as it is into a new file, while others go on working.
    ///
    /// # Errors
    /// What the engine says.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let mut target = rusqlite::Connection::open(path)?;
        let backup = rusqlite::backup::Backup::new(&self.engine, &mut target)?;
        backup.run_to_completion(1024, std::time::Duration::ZERO, None)?;
        Ok(())
    }
}
