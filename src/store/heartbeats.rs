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
    /// From when it is waited for anew, because nobody could be heard when it was due.
    pub excused_at: Option<Timestamp>,
    /// Since when it is missing, and people were told.
    pub missing_at: Option<Timestamp>,
    /// When it was last said that it is missing.
    pub told_at: Option<Timestamp>,
}

impl Heard {
    /// One that came at an hour.
    pub fn at(name: &str, last_at: Timestamp, count: i64) -> Self {
        Self { name: name.to_owned(), last_at, count, excused_at: None, missing_at: None, told_at: None }
    }

    /// Whether one of its hours lies ahead: it was given by a clock that has been put right since.
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        [Some(self.last_at), self.excused_at, self.told_at].into_iter().flatten().any(|at| at > now)
    }
}

const COLUMNS: &str = "name, last_at, count, excused_at, missing_at, told_at from heartbeat";

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
        "insert into heartbeat (name, last_at, count, excused_at, missing_at, told_at) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (name) do update set last_at = excluded.last_at, count = excluded.count,
           excused_at = excluded.excused_at, missing_at = excluded.missing_at, told_at = excluded.told_at",
        &[
            (&heard.name).into(),
            heard.last_at.into(),
            heard.count.into(),
            heard.excused_at.into(),
            heard.missing_at.into(),
            heard.told_at.into(),
        ],
    )
}

fn read(row: &Row<'_>) -> Result<Heard, StoreError> {
    Ok(Heard {
        name: row.text(0)?,
        last_at: row.time(1)?,
        count: row.int(2)?,
        excused_at: row.time_or_null(3)?,
        missing_at: row.time_or_null(4)?,
        told_at: row.time_or_null(5)?,
    })
}
