//! Known conditions: what people are to know who are woken meanwhile.

use jiff::Timestamp;

use super::silences::Which;
use super::{Row, StoreError, Tx};
use crate::core::condition::Condition;

/// Most conditions that have not ended. All of them are read for a page.
pub const OPEN_MAX: u32 = 200;

const COLUMNS: &str = "id, services, text, starts_at, ends_at, created_by, created_at, ended_by";

/// Keeps a condition, new or ended.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, condition: &Condition) -> Result<(), StoreError> {
    let services = serde_json::to_string(&condition.services)?;
    tx.write(
        "insert into known_condition (id, services, text, starts_at, ends_at, created_by, created_at, ended_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         on conflict (id) do update set starts_at = excluded.starts_at, ends_at = excluded.ends_at,
           ended_by = excluded.ended_by",
        &[
            (&condition.id).into(),
            (&services).into(),
            (&condition.text).into(),
            condition.starts_at.into(),
            condition.ends_at.into(),
            (&condition.created_by).into(),
            condition.created_at.into(),
            condition.ended_by.as_deref().into(),
        ],
    )
}

/// One condition.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn get(tx: &Tx<'_>, id: &str) -> Result<Option<Condition>, StoreError> {
    tx.query_one(&format!("select {COLUMNS} from known_condition where id = ?1"), &[id.into()], read)
}

/// Conditions, the last to end first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn list(tx: &Tx<'_>, which: Which, limit: u32) -> Result<Vec<Condition>, StoreError> {
    tx.query(&listing(which), &[tx.now.into(), i64::from(limit).into()], read)
}

/// Conditions that have not ended, also those that have not begun. One that cannot be read is not told: no page waits for it.
///
/// # Errors
/// What the engine says.
pub fn open(tx: &Tx<'_>) -> Result<Vec<Condition>, StoreError> {
    let binds = [tx.now.into(), i64::from(OPEN_MAX).into()];
    let all = tx.query(&listing(Which::Open), &binds, |row| Ok(read(row)))?;
    Ok(all.into_iter().filter_map(|one| one.inspect_err(warn).ok()).collect())
}

fn listing(which: Which) -> String {
    let part = which.part();
    format!("select {COLUMNS} from known_condition where {part} order by ends_at desc, id limit ?2")
}

fn warn(error: &StoreError) {
    tracing::warn!(%error, "a known condition cannot be read, and is not told");
}

/// How many conditions have not ended.
///
/// # Errors
/// What the engine says.
pub fn waiting(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let sql = "select count(*) from known_condition where ends_at > ?1";
    Ok(tx.query_one(sql, &[tx.now.into()], |row| row.int(0))?.unwrap_or(0))
}

/// Forgets conditions that have ended, but for the newest `kept`.
///
/// # Errors
/// What the engine says.
pub fn forget_ended(tx: &Tx<'_>, kept: i64) -> Result<(), StoreError> {
    tx.write(
        "delete from known_condition where ends_at <= ?1
           and id not in (select id from known_condition where ends_at <= ?1 order by ends_at desc limit ?2)",
        &[tx.now.into(), kept.into()],
    )
}

/// Forgets conditions that ended before an hour.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write("delete from known_condition where ends_at < ?1", &[before.into()])
}

fn read(row: &Row<'_>) -> Result<Condition, StoreError> {
    Ok(Condition {
        id: row.text(0)?,
        services: serde_json::from_str(&row.text(1)?)?,
        text: row.text(2)?,
        starts_at: row.time(3)?,
        ends_at: row.time(4)?,
        created_by: row.text(5)?,
        created_at: row.time(6)?,
        ended_by: row.text_or_null(7)?,
    })
}
