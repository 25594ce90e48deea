//! What people said of who is on call: overrides and leaves.
//!
//! All of it that is not over is read in one question by whoever decides, so there is a bounded number of it. What is over is
//! kept for a while, for people who ask who was on call and why.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::silences::Which;
use super::{Row, StoreError, Tx, calendars};
use crate::core::oncall::{Leave, Override, Roster};
use crate::core::rules::Rules;

/// Most overrides, and most leaves, that are not over.
pub const OPEN_MAX: u32 = 500;
/// Most overrides, and most leaves, that are over and kept, the newest.
pub const ENDED_KEPT: u32 = 1000;

/// All that is kept of both.
const MOST: i64 = 2 * (OPEN_MAX as i64 + ENDED_KEPT as i64);

const OVERRIDE: &str =
    "id, rotation, person, instead_of, starts_at, ends_at, author, reason, created_at, ended_by";
const LEAVE: &str = "id, person, starts_at, ends_at, author, reason, created_at, ended_by";

/// Keeps an override, new or ended.
///
/// # Errors
/// What the engine says.
pub fn put_override(tx: &Tx<'_>, one: &Override) -> Result<(), StoreError> {
    tx.write(
        &format!(
            "insert into oncall_override ({OVERRIDE}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             on conflict (id) do update set starts_at = excluded.starts_at, ends_at = excluded.ends_at,
               ended_by = excluded.ended_by"
        ),
        &[
            (&one.id).into(),
            (&one.rotation).into(),
            (&one.person).into(),
            one.instead_of.as_deref().into(),
            one.from.into(),
            one.until.into(),
            (&one.author).into(),
            (&one.reason).into(),
            one.created_at.into(),
            one.ended_by.as_deref().into(),
        ],
    )
}

/// Keeps a leave, new or ended.
///
/// # Errors
/// What the engine says.
pub fn put_leave(tx: &Tx<'_>, one: &Leave) -> Result<(), StoreError> {
    tx.write(
        &format!(
            "insert into oncall_leave ({LEAVE}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             on conflict (id) do update set starts_at = excluded.starts_at, ends_at = excluded.ends_at,
               ended_by = excluded.ended_by"
        ),
        &[
            (&one.id).into(),
            (&one.person).into(),
            one.from.into(),
            one.until.into(),
            (&one.author).into(),
            (&one.reason).into(),
            one.created_at.into(),
            one.ended_by.as_deref().into(),
        ],
    )
}

/// One override.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn override_of(tx: &Tx<'_>, id: &str) -> Result<Option<Override>, StoreError> {
    let sql = format!("select {OVERRIDE} from oncall_override where id = ?1");
    tx.query_one(&sql, &[id.into()], read_override)
}

/// One leave.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn leave_of(tx: &Tx<'_>, id: &str) -> Result<Option<Leave>, StoreError> {
    tx.query_one(&format!("select {LEAVE} from oncall_leave where id = ?1"), &[id.into()], read_leave)
}

/// Overrides, the first to begin first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn overrides(tx: &Tx<'_>, which: Which, limit: u32) -> Result<Vec<Override>, StoreError> {
    let part = which.part();
    let sql =
        format!("select {OVERRIDE} from oncall_override where {part} order by ends_at desc, id limit ?2");
    let mut found = tx.query(&sql, &[tx.now.into(), i64::from(limit).into()], read_override)?;
    found.sort_by(|one, other| (one.from, &one.id).cmp(&(other.from, &other.id)));
    Ok(found)
}

/// Leaves, the first to begin first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn leaves(tx: &Tx<'_>, which: Which, limit: u32) -> Result<Vec<Leave>, StoreError> {
    let part = which.part();
    let sql = format!("select {LEAVE} from oncall_leave where {part} order by ends_at desc, id limit ?2");
    let mut found = tx.query(&sql, &[tx.now.into(), i64::from(limit).into()], read_leave)?;
    found.sort_by(|one, other| (one.from, &one.id).cmp(&(other.from, &other.id)));
    Ok(found)
}

/// Everything that is not over, also what has not begun.
///
/// # Errors
/// What the engine says.
pub fn open(tx: &Tx<'_>) -> Result<Roster, StoreError> {
    since(tx, tx.now)
}

/// Sends ahead what [`open`] is going to ask for.
///
/// # Errors
/// What the engine says.
pub fn ahead(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.ahead(&since_sql(), &[tx.now.into(), MOST.into()])
}

/// Everything that was not over at an hour, as far as it is kept: in one question, because it is one of every decision. A
/// row that cannot be read counts for nothing, and no page waits for it.
///
/// # Errors
/// What the engine says.
pub fn since(tx: &Tx<'_>, hour: Timestamp) -> Result<Roster, StoreError> {
    let rows = tx.query(&since_sql(), &[hour.into(), MOST.into()], |row| Ok(read_override(row)))?;
    let mut roster = Roster::nothing();
    for row in rows {
        match row {
            Ok(leave) if leave.rotation.is_empty() => roster.leaves.push(Leave {
                id: leave.id,
                person: leave.person,
                from: leave.from,
                until: leave.until,
                author: leave.author,
                reason: leave.reason,
                created_at: leave.created_at,
                ended_by: leave.ended_by,
            }),
            Ok(one) => roster.overrides.push(one),
            Err(error) => {
                tracing::error!(%error, "an override or a leave cannot be read, and counts for nothing")
            }
        }
    }
    Ok(roster)
}

/// What was not over at an hour, as far as it is kept, of people who can be paged, with what calendars say: all that decides, and all
/// that pages, the API and figures know of it, comes from here.
///
/// # Errors
/// What the engine says.
pub fn said(tx: &Tx<'_>, rules: &Rules, since: Timestamp) -> Result<Roster, StoreError> {
    let said = self::since(tx, since.min(tx.now))?.of_people(|person| rules.can_be_paged(person));
    // Only who follows one asks for it.
    let follows = rules.rotations.values().any(|rotation| rotation.follows_calendar());
    let calendars = if follows { calendars::turns(tx)? } else { BTreeMap::new() };
    Ok(Roster { calendars, ..said })
}

/// A leave is read as an override of no rotation.
fn since_sql() -> String {
    format!(
        "select {OVERRIDE} from oncall_override where ends_at > ?1
         union all
         select id, '', person, null, starts_at, ends_at, author, reason, created_at, ended_by
           from oncall_leave where ends_at > ?1
         order by created_at, id limit ?2"
    )
}

/// Forgets what is over, but for the newest [`ENDED_KEPT`] of each kind.
///
/// # Errors
/// What the engine says.
pub fn forget_ended(tx: &Tx<'_>) -> Result<(), StoreError> {
    for table in ["oncall_override", "oncall_leave"] {
        tx.write(
            &format!(
                "delete from {table} where ends_at <= ?1
                   and id not in (select id from {table} where ends_at <= ?1 order by ends_at desc, id limit ?2)"
            ),
            &[tx.now.into(), i64::from(ENDED_KEPT).into()],
        )?;
    }
    Ok(())
}

/// Forgets what was over before an hour.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    for table in ["oncall_override", "oncall_leave"] {
        tx.write(&format!("delete from {table} where ends_at < ?1"), &[before.into()])?;
    }
    Ok(())
}

fn read_override(row: &Row<'_>) -> Result<Override, StoreError> {
    Ok(Override {
        id: row.text(0)?,
        rotation: row.text(1)?,
        person: row.text(2)?,
        instead_of: row.text_or_null(3)?,
        from: row.time(4)?,
        until: row.time(5)?,
        author: row.text(6)?,
        reason: row.text(7)?,
        created_at: row.time(8)?,
        ended_by: row.text_or_null(9)?,
    })
}

fn read_leave(row: &Row<'_>) -> Result<Leave, StoreError> {
    Ok(Leave {
        id: row.text(0)?,
        person: row.text(1)?,
        from: row.time(2)?,
        until: row.time(3)?,
        author: row.text(4)?,
        reason: row.text(5)?,
        created_at: row.time(6)?,
        ended_by: row.text_or_null(7)?,
    })
}
