//! The SQLite engine: one file, WAL, and every commit synced to disk before it is answered.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{OpenFlags, Statement};

use super::{Bind, StoreError};

/// How long a statement waits for another process, such as `onscene verify`, to let go.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements kept by a connection; there are fewer than this in the program.
const STATEMENTS_MAX: usize = 128;
/// Pages that changed before they are written into the file itself, some 16 MiB: a page that changes often is written there once
/// for many times. After a `kill -9` as much is read at the next start.
const CHECKPOINT_PAGES: i64 = 4000;
/// Page cache of a connection, in KiB.
const CACHE_KIB: i64 = 4 * 1024;

/// Device and number of a file.
pub(super) type FileId = (u64, u64);

/// Which file stands under a path.
pub(super) fn file_id(path: &Path) -> Result<FileId, StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path);
    found.map(|file| (file.dev(), file.ino())).map_err(|error| of(path, error))
}

fn of(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), error }
}

/// Makes the file and its directory when they are missing.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        make_private_directory(directory).map_err(|error| of(directory, error))?;
    }
    make_private_file(path).map_err(|error| of(path, error))
}

/// Opens a connection that may write.
pub(super) fn open(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let engine = rusqlite::Connection::open_with_flags(path, flags)?;
    // Asked for a file it may not write, the engine opens it for reading and calls that a success.
    if engine.is_readonly("main")? {
        let why = "the file is read-only, or on a file system that is".to_owned();
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, Some(why)).into());
    }
    engine.busy_timeout(BUSY_WAIT)?;
    plans_once(&engine)?;
    engine.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // FULL: in WAL mode this is the setting that syncs at every commit, and 2xx means on disk.
    engine.pragma_update(None, "synchronous", "full")?;
    engine.pragma_update(None, "foreign_keys", true)?;
    engine.pragma_update(None, "cache_size", -CACHE_KIB)?;
    engine.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    engine.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(engine)
}

/// The engine looks at the values of a statement, be it only those of its `limit`, and prepares it anew for other ones, which
/// takes it longer than most statements do. No plan of ours depends on a value.
fn plans_once(engine: &rusqlite::Connection) -> Result<(), StoreError> {
    engine.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Opens a connection that may write, whose newest changes may be lost with the machine's power, and nothing else.
pub(super) fn open_expendable(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let engine = open(path)?;
    engine.pragma_update(None, "synchronous", "normal")?;
    Ok(engine)
}

/// Opens a connection that cannot write.
pub(super) fn open_read_only(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let engine = rusqlite::Connection::open_with_flags(path, flags)?;
    engine.busy_timeout(BUSY_WAIT)?;
    plans_once(&engine)?;
    engine.pragma_update(None, "query_only", true)?;
    engine.pragma_update(None, "cache_size", -CACHE_KIB / 4)?;
    engine.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(engine)
}

/// Hands the values to a statement.
pub(super) fn bind(statement: &mut Statement<'_>, binds: &[Bind<'_>]) -> Result<(), rusqlite::Error> {
    for (index, value) in binds.iter().enumerate() {
        let index = index + 1;
        match value {
            Bind::Null => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            Bind::Int(value) => statement.raw_bind_parameter(index, value)?,
            Bind::Text(value) => statement.raw_bind_parameter(index, value)?,
            Bind::Blob(value) => statement.raw_bind_parameter(index, value)?,
        }
    }
    Ok(())
}

/// The engine makes its other files with the rights of this one.
fn make_private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Alerts name hosts and people; nobody else on the machine needs to read them.
fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_prepared_once_whatever_its_values_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("onscene.db");
        make(&path).unwrap();
        let engine = open(&path).unwrap();
        engine.execute_batch("create table t (a integer, b text)").unwrap();
        for engine in [engine, open_read_only(&path).unwrap()] {
            let mut statement = engine.prepare("select a from t where b = ?1 order by a limit ?2").unwrap();
            for limit in 1..4 {
                bind(&mut statement, &[Bind::Text("b"), Bind::Int(limit)]).unwrap();
                assert!(statement.raw_query().next().unwrap().is_none());
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
