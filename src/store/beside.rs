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
/// What the engine says, or when an entry cannot be read.
pub fn parts_of(tx: &Tx<'_>, id: i64, limit: u32) -> Result<Vec<Named>, StoreError> {
    let mut ids: Vec<i64> = Vec::new();
    for fact in timeline::facts(tx, id, "took_in", limit)? {
        if let Fact::TookIn { incident, .. } = fact
            && !ids.contains(&incident)
        {
            ids.push(incident);
        }
    }
    // One that cannot be read keeps nobody from what can.
    let found =
        incidents::load_readable(tx, &ids)?.into_iter().flatten().flatten().map(|saved| saved.incident);
    let parts = found.filter(|part| part.merged_into == Some(id)).map(|part| Named {
        id: part.id,
        severity: part.severity.as_str().to_owned(),
        title: part.title,
        service: part.service,
    });
    Ok(parts.collect())
}
