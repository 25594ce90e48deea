//! What a report about load reads: what incidents of a while were to people, and who was on call; and the rows that say so.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Row, StoreError, Tx, search, wire};
use crate::core::load::Touch;
use crate::core::oncall::past::{AHEAD_MAX, Kept};
use crate::core::timeline::Fact;

/// Most rows about who was on call that a report reads: ten rotations handed over every eight hours, for more than ten years.
pub const TURNS_MAX: u32 = 100_000;

/// Who was paged and who answered in one incident, and when.
pub type Touches = Vec<(String, Timestamp, Touch)>;

/// What some incidents were to people: those that were opened from one hour to another and have a number above `after`, at most
/// `limit` of them. With it the number of the last of them; `None`: there are no more.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn page(
    tx: &Tx<'_>,
    (since, until): (Timestamp, Timestamp),
    after: i64,
    limit: u32,
) -> Result<(Vec<Touches>, Option<i64>), StoreError> {
    let after = after.max(search::first_since(tx, since)?.saturating_sub(1));
    let last = tx.query_one(
        "select max(id) from (select id from incident where id > ?1 and opened_at < ?2 order by id limit ?3) i",
        &[after.into(), until.into(), i64::from(limit).into()],
        |row| row.int_or_null(0),
    )?;
    let Some(last) = last.flatten() else { return Ok((Vec::new(), None)) };
    let mut found: BTreeMap<i64, Touches> = BTreeMap::new();
    let facts = tx.query(
        "select incident, at, kind, data from entry
         where incident > ?1 and incident <= ?2 and kind in ('paged', 'pio_called', 'acknowledged', 'checked_in')",
        &[after.into(), last.into()],
        |row| Ok((row.int(0)?, row.time(1)?, wire::fact_from_json(row.text_ref(2)?, row.text_ref(3)?)?)),
    )?;
    for (incident, at, fact) in facts {
        let touch = match fact {
            Fact::Paged { person, .. } | Fact::PioCalled { person, .. } => (person, at, Touch::Paged),
            Fact::Acknowledged { person } | Fact::CheckedIn { person } => (person, at, Touch::Answered),
            _ => continue,
        };
        found.entry(incident).or_default().push(touch);
    }
    Ok((found.into_values().collect(), Some(last)))
}

const COLUMNS: &str = "rotation, person, from_at, until_at, is_open from oncall_history";

/// Who had which rotation at some time from one hour to another, as it was written down; at most [`TURNS_MAX`] rows, the oldest
/// first. What goes on is among them, however long it was not seen.
///
/// # Errors
/// What the engine says.
pub fn kept(tx: &Tx<'_>, since: Timestamp, until: Timestamp) -> Result<Vec<Kept>, StoreError> {
    tx.query(
        &format!("select {COLUMNS} where until_at >= ?1 and from_at < ?2 order by until_at limit ?3"),
        &[since.into(), until.into(), i64::from(TURNS_MAX).into()],
        read,
    )
}

/// The rows that go on.
///
/// # Errors
/// What the engine says.
pub fn open(tx: &Tx<'_>) -> Result<Vec<Kept>, StoreError> {
    tx.query(&format!("select {COLUMNS} where is_open = 1 order by rotation, person, from_at"), &[], read)
}

/// Since when it is written down; `None`: it is not yet.
///
/// # Errors
/// What the engine says.
pub fn kept_since(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let sql = "select min(from_at) from oncall_history";
    tx.query_one(sql, &[], |row| row.time_or_null(0)).map(Option::flatten)
}

/// Writes a row that begins, goes on or ends.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, row: &Kept) -> Result<(), StoreError> {
    tx.write(
        "insert into oncall_history (rotation, person, from_at, until_at, is_open) values (?1, ?2, ?3, ?4, ?5)
         on conflict (rotation, person, from_at) do update set until_at = excluded.until_at, is_open = excluded.is_open",
        &[
            (&row.rotation).into(),
            (&row.person).into(),
            row.from.into(),
            row.until.into(),
            i64::from(row.open).into(),
        ],
    )
}

/// Nothing stands in a future that never was: a clock that was ahead has been put right.
///
/// # Errors
/// What the engine says.
pub fn put_right(tx: &Tx<'_>) -> Result<(), StoreError> {
    let ahead = tx.now.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
    tx.write("delete from oncall_history where until_at > ?1 and from_at > ?1", &[ahead.into()])?;
    tx.write("update oncall_history set until_at = ?2 where until_at > ?1", &[ahead.into(), tx.now.into()])
}

/// Forgets what ended before an hour, at most `limit` rows. Answers how many.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let old = tx.query(
        &format!("select {COLUMNS} where until_at < ?1 and is_open = 0 order by until_at limit ?2"),
        &[before.into(), i64::from(limit).into()],
        read,
    )?;
    for row in &old {
        tx.write(
            "delete from oncall_history where rotation = ?1 and person = ?2 and from_at = ?3",
            &[(&row.rotation).into(), (&row.person).into(), row.from.into()],
        )?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}

fn read(row: &Row<'_>) -> Result<Kept, StoreError> {
    Ok(Kept {
        rotation: row.text(0)?,
        person: row.text(1)?,
        from: row.time(2)?,
        until: row.time(3)?,
        open: row.int(4)? == 1,
    })
}
