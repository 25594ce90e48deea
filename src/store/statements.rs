//! Which statements went out, to whom and when, and the letters that carry them. Their words stand in the rows of their incidents.

use jiff::Timestamp;

use super::letters::{Claim, is_in_hand, lane_of};
use super::{StoreError, Tx, incidents};
use crate::core::audience::Audience;
use crate::core::incident::Incident;

/// A statement went out.
///
/// # Errors
/// What the engine says.
pub fn published(
    tx: &Tx<'_>,
    incident: i64,
    number: u32,
    audience: Audience,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.write(
        "insert into published (incident, number, audience, at) values (?1, ?2, ?3, ?4) on conflict do nothing",
        &[incident.into(), i64::from(number).into(), audience.as_str().into(), at.into()],
    )
}

/// The incidents of which an audience was told anything since, the newest first; of one that cannot be read the log tells.
///
/// # Errors
/// What the engine says.
pub fn told_since(
    tx: &Tx<'_>,
    audience: Audience,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let found = tx.query(
        "select incident from published where audience = ?1 and at >= ?2
         group by incident order by max(at) desc, incident desc limit ?3",
        &[audience.as_str().into(), since.into(), i64::from(limit).into()],
        |row| row.int(0),
    )?;
    let loaded = incidents::load_readable(tx, &found)?;
    let readable = found.iter().zip(loaded).filter_map(|(id, loaded)| match loaded? {
        Ok(saved) => Some(saved.incident),
        // What was told of all others is shown all the same.
        Err(error) => {
            tracing::error!(incident.id = id, %error, "what was told of an incident cannot be read; it is left out");
            None
        }
    });
    Ok(readable.collect())
}

/// What changes whenever anything is told to anybody.
///
/// # Errors
/// What the engine says.
pub fn mark(tx: &Tx<'_>) -> Result<(i64, Option<Timestamp>), StoreError> {
    let found = tx.query_one("select count(*), max(at) from published", &[], |row| {
        Ok((row.int(0)?, row.time_or_null(1)?))
    })?;
    Ok(found.unwrap_or_default())
}

/// Since when there is this store.
///
/// # Errors
/// What the engine says.
pub fn store_since(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let found = tx.query_one("select min(applied_at) from migration", &[], |row| row.time_or_null(0))?;
    Ok(found.flatten())
}

/// The statements that wait behind a letter in its lane, the oldest first.
///
/// # Errors
/// What the engine says.
pub fn behind(tx: &Tx<'_>, claim: &Claim) -> Result<Vec<u32>, StoreError> {
    let lane = lane_of(claim.incident, &claim.channel, &claim.address);
    let found = tx.query(
        "select statement from letter where lane = ?1 and seq > ?2 and state = 'pending' and statement is not null
         order by seq limit 100",
        &[(&lane).into(), claim.number().into()],
        |row| row.int_or_null(0),
    )?;
    Ok(found.into_iter().flatten().filter_map(|number| u32::try_from(number).ok()).collect())
}

/// A letter that was claimed is not sent, for a newer one is. `false`: somebody else has it.
///
/// # Errors
/// What the engine says.
pub fn supersede(tx: &Tx<'_>, claim: &Claim) -> Result<bool, StoreError> {
    if !is_in_hand(tx, claim)? {
        return Ok(false);
    }
    tx.write(
        "update letter set state = 'dropped', payload = '', why = 'a newer one goes out instead' where seq = ?1",
        &[claim.number().into()],
    )?;
    Ok(true)
}

/// Whether there was any letter of a statement to a channel.
///
/// # Errors
/// What the engine says.
pub fn went(tx: &Tx<'_>, incident: i64, channel: &str, statement: u32) -> Result<bool, StoreError> {
    let found = tx.query_one(
        "select seq from letter where incident = ?1 and channel = ?2 and statement = ?3 limit 1",
        &[incident.into(), channel.into(), i64::from(statement).into()],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}

/// How far the newest letter of a statement to one address of a channel is.
///
/// # Errors
/// What the engine says.
pub fn went_to(
    tx: &Tx<'_>,
    (incident, channel, statement): (i64, &str, u32),
    address: &str,
) -> Result<Option<String>, StoreError> {
    tx.query_one(
        "select state from letter where incident = ?1 and channel = ?2 and statement = ?3 and address = ?4
         order by seq desc limit 1",
        &[incident.into(), channel.into(), i64::from(statement).into(), address.into()],
        |row| row.text(0),
    )
}

/// The other side's id of a statement in a channel, when it gave one.
///
/// # Errors
/// What the engine says.
pub fn remote_of(
    tx: &Tx<'_>,
    incident: i64,
    channel: &str,
    statement: u32,
) -> Result<Option<String>, StoreError> {
    let found = tx.query_one(
        "select remote_id from letter where incident = ?1 and channel = ?2 and statement = ?3 and remote_id is not null
         order by seq limit 1",
        &[incident.into(), channel.into(), i64::from(statement).into()],
        |row| row.text_or_null(0),
    )?;
    Ok(found.flatten())
}

/// Whether a statement certainly never was in a channel: every letter with it ended before it left, or was refused.
///
/// # Errors
/// What the engine says.
pub fn was_nowhere(tx: &Tx<'_>, incident: i64, channel: &str, statement: u32) -> Result<bool, StoreError> {
    let states = tx.query(
        "select distinct state, unsure from letter where incident = ?1 and channel = ?2 and statement = ?3",
        &[incident.into(), channel.into(), i64::from(statement).into()],
        |row| Ok((row.text(0)?, row.int(1)? != 0)),
    )?;
    let is_over = states.iter().all(|(state, unsure)| match state.as_str() {
        "dropped" => !unsure,
        state => state == "refused",
    });
    Ok(!states.is_empty() && is_over && !super::subscribers::is_mailed(tx, incident, channel, statement)?)
}

/// The statements of an incident, each with a channel to which a letter with it went that may be there, or is going.
///
/// # Errors
/// What the engine says.
pub fn may_be_in(tx: &Tx<'_>, incident: i64) -> Result<Vec<(u32, String)>, StoreError> {
    let sql = "select distinct statement, channel from letter
               where incident = ?1 and statement is not null and person = '' and state in ('pending', 'sending', 'accepted', 'unknown')
               union select statement, channel from mailing where incident = ?1 and statement is not null
               order by 1, 2";
    let found = tx.query(sql, &[incident.into()], |row| Ok((row.int(0)?, row.text(1)?)))?;
    Ok(found
        .into_iter()
        .filter_map(|(number, channel)| Some((u32::try_from(number).ok()?, channel)))
        .collect())
}
