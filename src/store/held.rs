//! Alerts that fire and wake nobody: what holds them back, and how many.

use jiff::Timestamp;

use super::alerts::{self, Shown};
use super::{StoreError, Tx};
use crate::core::maintenance::{self, Window};

/// What holds alerts back, and how many of those that fire: the id of a silence, or a word for its kind and a colon first.
///
/// # Errors
/// What the engine says.
pub fn each(tx: &Tx<'_>) -> Result<Vec<(String, i64)>, StoreError> {
    tx.query(
        "select suppressed_by, count(*) from alert where suppressed_by is not null
         group by suppressed_by order by suppressed_by",
        &[],
        |row| Ok((row.text(0)?, row.int(1)?)),
    )
}

/// The kinds of things that hold alerts back.
pub const KINDS: [&str; 3] = ["silence", "maintenance", "inhibition"];

/// What kind of thing this is that holds alerts back.
pub fn kind(by: &str) -> &'static str {
    match by.split_once(':').map(|(kind, _)| kind) {
        Some("maintenance") => "maintenance",
        Some(_) => "inhibition",
        None => "silence",
    }
}

/// The alerts that are held back by one thing, the newest first, at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn by(tx: &Tx<'_>, by: &str, limit: u32) -> Result<Vec<Shown>, StoreError> {
    alerts::suppressed_by(tx, by, limit)
}

/// Numbers of alerts, and when each was due.
pub type Due = Vec<(i64, Timestamp)>;

/// Numbers of alerts whose maintenance is over, or is none any more, with the hour; and when the next one is over.
///
/// # Errors
/// What the engine says.
pub fn after_maintenance(
    tx: &Tx<'_>,
    windows: &[Window],
    limit: u32,
) -> Result<(Due, Option<Timestamp>), StoreError> {
    let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
    for (mark, _) in each(tx)?.iter().filter(|(by, _)| kind(by) == "maintenance") {
        match maintenance::holds(windows, mark, tx.now) {
            Some(until) => next = next.into_iter().chain([until]).min(),
            None => {
                let left = i64::from(limit).saturating_sub(i64::try_from(due.len()).unwrap_or(i64::MAX));
                due.extend(tx.query(
                    "select id from alert where suppressed_by = ?1 order by id limit ?2",
                    &[mark.into(), left.into()],
                    |row| Ok((row.int(0)?, tx.now)),
                )?);
            }
        }
    }
    Ok((due, next))
}
