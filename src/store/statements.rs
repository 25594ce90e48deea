//! Which statements went out, to whom and when. Their words stand in the rows of their incidents.

use jiff::Timestamp;

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

/// The incidents of which an audience was told anything since, the newest first.
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
    let mut told = Vec::with_capacity(found.len());
    for id in found {
        told.extend(incidents::load(tx, id)?.map(|saved| saved.incident));
    }
    Ok(told)
}
