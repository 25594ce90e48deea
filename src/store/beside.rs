//! The incidents beside one, for lists to choose from: what it can become part of, and what can be taken out of it.

use super::{StoreError, Tx, incidents, timeline};
use crate::core::timeline::Fact;

/// An incident, for a list to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its number.
    pub id: i64,
    /// One line.
    pub title: String,
    /// Its service.
    pub service: String,
    /// `SEV1` to `SEV4`.
    pub severity: String,
}

/// Open incidents beside one, the newest first, at most `limit`.
///
/// # Errors
/// What the engine says.
pub fn open_beside(tx: &Tx<'_>, id: i64, limit: u32) -> Result<Vec<Named>, StoreError> {
    tx.query(
        "select id, title, service, severity from incident
         where phase <> 'resolved' and drill = 0 and id <> ?1 order by id desc limit ?2",
        &[id.into(), i64::from(limit).into()],
        |row| {
            Ok(Named { id: row.int(0)?, title: row.text(1)?, service: row.text(2)?, severity: row.text(3)? })
        },
    )
}

/// Incidents that became part of one and still are, those that did last first, of the last `limit` that ever did.
///
/// # Errors
/// What the engine says, or when one cannot be read.
pub fn parts_of(tx: &Tx<'_>, id: i64, limit: u32) -> Result<Vec<Named>, StoreError> {
    let mut parts = Vec::new();
    for fact in timeline::facts(tx, id, "took_in", limit)? {
        let Fact::TookIn { incident, .. } = fact else { continue };
        if parts.iter().any(|known: &Named| known.id == incident) {
            continue;
        }
        let Some(saved) = incidents::load(tx, incident)? else { continue };
        let part = saved.incident;
        if part.merged_into == Some(id) {
            let severity = part.severity.as_str().to_owned();
            parts.push(Named { id: part.id, title: part.title, service: part.service, severity });
        }
    }
    Ok(parts)
}
