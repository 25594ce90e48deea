//! Entries: appended, never changed, each bound to the one before it by a hash.
//!
//! The hash of an entry is SHA-256 over the hash of the entry before it (32 zero bytes before the
//! first) and every field of the entry, each with its length in front, so that no two different
//! timelines have the same bytes.

use super::{Row, StoreError, Tx, wire};
use crate::core::command::{COMMANDER, Office};
use crate::core::timeline::{Actor, Entry, Route};
use crate::crypto;

/// The hash before the first entry.
pub const NO_HASH: [u8; 32] = [0; 32];

const COLUMNS: &str = "seq, at, occurred_at, actor, office, term, route, kind, data, text, hash";

/// One entry as it stands in the store.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it says.
    pub entry: Entry,
    /// The fact's fields as the JSON object that was hashed.
    pub data: String,
    /// The sentence that was written beside it, as it was worded then.
    pub text: String,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// Appends entries to an incident's timeline; answers the hash of the newest.
pub(super) fn append(
    tx: &Tx<'_>,
    incident: i64,
    entries: &[Entry],
    head: [u8; 32],
) -> Result<[u8; 32], StoreError> {
    entries.iter().try_fold(head, |head, entry| {
        let data = wire::fact_to_json(&entry.fact)?;
        let text = entry.fact.text();
        let hash = link(&head, incident, entry, &data, &text);
        let actor = entry.actor.label();
        tx.write(
            "insert into entry (incident, seq, at, occurred_at, actor, office, term, route, kind, data, text, hash)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            &[
                incident.into(),
                i64::from(entry.seq).into(),
                entry.at.into(),
                entry.occurred_at.into(),
                (&actor).into(),
                entry.office.into(),
                entry.term.map(i64::from).into(),
                entry.route.as_str().into(),
                entry.fact.kind().into(),
                (&data).into(),
                (&text).into(),
                hash[..].into(),
            ],
        )?;
        Ok(hash)
    })
}

/// Entries of an incident after `after`, oldest first, at most `limit`.
///
/// # Errors
/// What the engine says, or when an entry cannot be read.
pub fn list(tx: &Tx<'_>, incident: i64, after: u32, limit: u32) -> Result<Vec<Kept>, StoreError> {
    tx.query(
        &format!("select {COLUMNS} from entry where incident = ?1 and seq > ?2 order by seq limit ?3"),
        &[incident.into(), i64::from(after).into(), i64::from(limit).into()],
        read,
    )
}

/// The hash an entry must have when the one before it has the hash `before`.
pub fn link(before: &[u8; 32], incident: i64, entry: &Entry, data: &str, text: &str) -> [u8; 32] {
    let term = entry.term.map(|term| term.to_string());
    let fields = [
        incident.to_string(),
        entry.seq.to_string(),
        entry.at.as_microsecond().to_string(),
        entry.occurred_at.as_microsecond().to_string(),
        entry.actor.label(),
    ];
    let words = [
        entry.office.unwrap_or_default(),
        term.as_deref().unwrap_or_default(),
        entry.route.as_str(),
        entry.fact.kind(),
        text,
        data,
    ];
    let mut bytes = Vec::with_capacity(256 + data.len() + text.len());
    bytes.extend_from_slice(before);
    for field in fields.iter().map(String::as_str).chain(words) {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    crypto::sha256(&bytes)
}

fn read(row: &Row<'_>) -> Result<Kept, StoreError> {
    let actor = Actor::from_label(&row.text(3)?).ok_or(StoreError::Decode("an unknown actor"))?;
    let office = match row.text_or_null(4)?.as_deref() {
        None => None,
        Some(COMMANDER) => Some(COMMANDER),
        Some(word) => Some(Office::from_word(word).ok_or(StoreError::Decode("an unknown office"))?.as_str()),
    };
    let term = row.int_or_null(5)?.map(|term| number(term, "a term out of range")).transpose()?;
    let route = Route::from_word(&row.text(6)?).ok_or(StoreError::Decode("an unknown route"))?;
    let data = row.text(8)?;
    let entry = Entry {
        seq: number(row.int(0)?, "an entry's number out of range")?,
        at: row.time(1)?,
        occurred_at: row.time(2)?,
        actor,
        office,
        term,
        route,
        fact: wire::fact_from_json(&row.text(7)?, &data)?,
    };
    Ok(Kept { entry, data, text: row.text(9)?, hash: row.blob(10)? })
}

fn number(value: i64, what: &'static str) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::Decode(what))
}
