//! When pings that have to come again and again were last heard.

use jiff::Timestamp;

use super::{Row, StoreError, Tx};

/// What is known of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name.
    pub name: String,
    /// When it was last heard; before the first ping, since when it is waited for.
    pub last_at: Timestamp,
    /// How many pings there were.
    pub count: i64,
    /// It is missing, and people were told.
    pub missing: bool,
}

const COLUMNS: &str = "name, last_at, count, missing from heartbeat";

/// Every heartbeat there ever was.
///
/// # Errors
/// What the engine says.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Heard>, StoreError> {
    tx.query(&format!("select {COLUMNS} order by name"), &[], read)
}

/// One of them.
///
/// # Errors
/// What the engine says.
pub fn get(tx: &Tx<'_>, name: &str) -> Result<Option<Heard>, StoreError> {
    tx.query_one(&format!("select {COLUMNS} where name = ?1"), &[name.into()], read)
}

/// Keeps what is known of one.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, heard: &Heard) -> Result<(), StoreError> {
    tx.write(
        "insert into heartbeat (name, last_at, count, missing) values (?1, ?2, ?3, ?4)
         on conflict (name) do update set last_at = excluded.last_at, count = excluded.count, missing = excluded.missing",
        &[
            (&heard.name).into(),
            heard.last_at.into(),
            heard.count.into(),
            i64::from(heard.missing).into(),
        ],
    )
}

fn read(row: &Row<'_>) -> Result<Heard, StoreError> {
    Ok(Heard { name: row.text(0)?, last_at: row.time(1)?, count: row.int(2)?, missing: row.int(3)? != 0 })
}
