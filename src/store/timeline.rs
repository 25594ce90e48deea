//! Entries: appended, never changed, each bound to the one before it by a hash.
//!
//! What is hashed, and how it is proved, says [`crate::core::prove`]; the hash is SHA-256.

use jiff::Timestamp;

use super::{Row, StoreError, Tx, wire};
use crate::core::command::{COMMANDER, Office};
use crate::core::prove::{Broken, Prover, Written, link};
use crate::core::timeline::{Actor, Entry, Fact, Route};
use crate::crypto;

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
        let actor = entry.actor.label();
        let written = Written {
            seq: entry.seq,
            at: entry.at,
            occurred_at: entry.occurred_at,
            actor: &actor,
            office: entry.office,
            term: entry.term,
            route: entry.route.as_str(),
            kind: entry.fact.kind(),
            text: &text,
            data: &data,
        };
        let hash = link(crypto::sha256, &head, incident, &written);
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
    query(tx, incident, after, limit, |row| as_written(row)?.read())
}

/// The same, as they were written down: they may not be what this version understands.
///
/// # Errors
/// What the engine says.
pub fn list_as_written(
    tx: &Tx<'_>,
    incident: i64,
    after: u32,
    limit: u32,
) -> Result<Vec<AsWritten>, StoreError> {
    query(tx, incident, after, limit, as_written)
}

/// Facts of one kind of an incident, the newest first, at most `limit`.
///
/// # Errors
/// What the engine says, or when one cannot be read.
pub fn facts(tx: &Tx<'_>, incident: i64, kind: &str, limit: u32) -> Result<Vec<Fact>, StoreError> {
    let sql =
        format!("select {COLUMNS} from entry where incident = ?1 and kind = ?2 order by seq desc limit ?3");
    let binds = [incident.into(), kind.into(), i64::from(limit).into()];
    tx.query(&sql, &binds, |row| Ok(as_written(row)?.read()?.entry.fact))
}

fn query<T>(
    tx: &Tx<'_>,
    incident: i64,
    after: u32,
    limit: u32,
    map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    tx.query(
        &format!("select {COLUMNS} from entry where incident = ?1 and seq > ?2 order by seq limit ?3"),
        &[incident.into(), i64::from(after).into(), i64::from(limit).into()],
        map,
    )
}

/// One entry word by word.
#[derive(Clone, Debug)]
pub struct AsWritten {
    /// Its number.
    pub seq: u32,
    /// When it was recorded.
    pub at: Timestamp,
    /// When it is said to have happened.
    pub occurred_at: Timestamp,
    /// Who.
    pub actor: String,
    /// Holding which office.
    pub office: Option<String>,
    /// In which term.
    pub term: Option<u32>,
    /// By which way.
    pub route: String,
    /// The kind of fact.
    pub kind: String,
    /// The fact's fields, as the JSON that was hashed.
    pub data: String,
    /// The sentence for people.
    pub text: String,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl AsWritten {
    /// What it means.
    ///
    /// # Errors
    /// When this version does not understand it.
    pub fn read(self) -> Result<Kept, StoreError> {
        let entry = self.entry()?;
        Ok(Kept { entry, data: self.data, text: self.text, hash: self.hash })
    }

    /// Gives it to who proves the timeline, as the next one.
    ///
    /// # Errors
    /// The first fault.
    pub fn prove(&self, prover: &mut Prover) -> Result<(), Broken> {
        let written = Written {
            seq: self.seq,
            at: self.at,
            occurred_at: self.occurred_at,
            actor: &self.actor,
            office: self.office.as_deref(),
            term: self.term,
            route: &self.route,
            kind: &self.kind,
            text: &self.text,
            data: &self.data,
        };
        let entry = self.entry();
        prover.add(&written, &self.hash, entry.as_ref().map_err(ToString::to_string))
    }

    fn entry(&self) -> Result<Entry, StoreError> {
        let office = match self.office.as_deref() {
            None => None,
            Some(COMMANDER) => Some(COMMANDER),
            Some(word) => {
                Some(Office::from_word(word).ok_or(StoreError::Decode("an unknown office"))?.as_str())
            }
        };
        Ok(Entry {
            seq: self.seq,
            at: self.at,
            occurred_at: self.occurred_at,
            actor: Actor::from_label(&self.actor).ok_or(StoreError::Decode("an unknown actor"))?,
            office,
            term: self.term,
            route: Route::from_word(&self.route).ok_or(StoreError::Decode("an unknown route"))?,
            fact: wire::fact_from_json(&self.kind, &self.data)?,
        })
    }
}

fn as_written(row: &Row<'_>) -> Result<AsWritten, StoreError> {
    let term = row.int_or_null(5)?.map(|term| number(term, "a term out of range")).transpose()?;
    Ok(AsWritten {
        seq: number(row.int(0)?, "an entry's number out of range")?,
        at: row.time(1)?,
        occurred_at: row.time(2)?,
        actor: row.text(3)?,
        office: row.text_or_null(4)?,
        term,
        route: row.text(6)?,
        kind: row.text(7)?,
        data: row.text(8)?,
        text: row.text(9)?,
        hash: row.blob(10)?,
    })
}

fn number(value: i64, what: &'static str) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::Decode(what))
}
