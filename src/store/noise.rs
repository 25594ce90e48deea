//! What a report about noise reads: incidents of a while, who was paged for them, and which alerts joined.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Bind, StoreError, Tx, search, wire};
use crate::core::incident::Incident;
use crate::core::noise::Key;
use crate::core::timeline::Fact;

/// One incident, as far as the report goes.
#[derive(Debug)]
pub struct Noisy {
    /// Itself.
    pub incident: Incident,
    /// Who was paged, and when.
    pub paged: Vec<(String, Timestamp)>,
    /// The alerts that joined it, each once.
    pub joined: BTreeSet<Key>,
}

/// Incidents that were opened from one hour to another, those with a number above `after`, lowest first, at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn page(
    tx: &Tx<'_>,
    (since, until): (Timestamp, Timestamp),
    after: i64,
    limit: u32,
) -> Result<Vec<Noisy>, StoreError> {
    let after = after.max(search::first_since(tx, since)?.saturating_sub(1));
    let mut found: Vec<Noisy> = tx.query(
        "select state from incident where id > ?1 and opened_at >= ?2 and opened_at < ?3 order by id limit ?4",
        &[after.into(), since.into(), until.into(), i64::from(limit).into()],
        |row| {
            let incident = wire::state_from_json(row.text_ref(0)?)?;
            Ok(Noisy { incident, paged: Vec::new(), joined: BTreeSet::new() })
        },
    )?;
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(found) };
    let (first, last) = (first.incident.id, last.incident.id);
    let facts = tx.query(
        "select incident, at, kind, data from entry
         where incident >= ?1 and incident <= ?2 and kind in ('paged', 'alert_joined')",
        &[first.into(), last.into()],
        |row| Ok((row.int(0)?, row.time(1)?, wire::fact_from_json(row.text_ref(2)?, row.text_ref(3)?)?)),
    )?;
    for (id, at, fact) in facts {
        let Ok(place) = found.binary_search_by_key(&id, |noisy| noisy.incident.id) else { continue };
        let Some(noisy) = found.get_mut(place) else { continue };
        match fact {
            Fact::Paged { person, .. } => noisy.paged.push((person, at)),
            Fact::AlertJoined { source, key, .. } => {
                noisy.joined.insert((source, key));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// How many alerts fire and are held back now.
///
/// # Errors
/// What the engine says.
pub fn suppressed(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let sql = "select count(*) from alert where suppressed_by is not null and status = 'firing'";
    Ok(tx.query_one(sql, &[], |row| row.int(0))?.unwrap_or(0))
}

/// Titles of alerts, and how many events each has had; `None` for one that was forgotten.
///
/// # Errors
/// What the engine says.
pub fn events(tx: &Tx<'_>, keys: &[Key]) -> Result<Vec<Option<(String, i64)>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> =
        keys.iter().map(|(source, key)| vec![source.into(), key.into()]).collect();
    let sql = "select title, count from alert join alert_heard on alert = id where source = ?1 and key = ?2";
    tx.query_each(sql, &binds, |row| Ok((row.text(0)?, row.int(1)?)))
}
