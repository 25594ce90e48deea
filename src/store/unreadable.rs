//! Bodies that could not be understood, kept as they came until an adapter can read them, and the
//! senders' own ids of deliveries that were taken.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Row, StoreError, Tx};
use crate::core::alert::Event;
use crate::crypto;

/// The key of the alert that a source raises when its bodies cannot be understood.
pub const KEY: &str = "onscene:unreadable";

/// One body as it came.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its number; 0 before it is kept.
    pub id: i64,
    /// The source's name.
    pub source: String,
    /// The source's kind at that time.
    pub kind: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// The query string without the token.
    pub query: String,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The headers that its kind reads, by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes.
    pub body: Vec<u8>,
    /// Why it could not be understood.
    pub error: String,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// By this word an event of a body is known when that is read again. An event without a time of its own was said when the
/// body came. What is said of it to people is no part of it: another version of an adapter may word it otherwise.
pub fn word(event: &Event, received_at: Timestamp) -> String {
    let at = event.occurred_at.unwrap_or(received_at).as_microsecond();
    let said = format!("{at}\0{}\0{}", event.status.as_str(), event.key);
    let mut word = crypto::hex(&crypto::sha256(said.as_bytes()));
    word.truncate(WORD_CHARS);
    word
}

const WORD_CHARS: usize = 16;

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Keeps a body, of which the events with these words were taken; answers its number.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, kept: &Kept, taken: &BTreeSet<String>) -> Result<i64, StoreError> {
    let id = tx.next_number("unreadable")?;
    let mut headers: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &kept.headers {
        // Of a name that came twice the first one was read.
        headers.entry(name).or_insert(value);
    }
    let headers = serde_json::to_string(&headers).unwrap_or_else(|_| "{}".into());
    tx.write(
        "insert into unreadable (id, source, kind, method, query, content_type, headers, body, error, received_at, taken)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            id.into(),
            (&kept.source).into(),
            (&kept.kind).into(),
            (&kept.method).into(),
            (&kept.query).into(),
            kept.content_type.as_deref().into(),
            (&headers).into(),
            kept.body[..].into(),
            (&kept.error).into(),
            kept.received_at.into(),
            (&joined(taken)).into(),
        ],
    )?;
    Ok(id)
}

/// The words of the events that were taken of a body; `None` when it does not wait any more.
///
/// # Errors
/// What the engine says.
pub fn taken(tx: &Tx<'_>, id: i64) -> Result<Option<BTreeSet<String>>, StoreError> {
    let sql = "select taken from unreadable where id = ?1 and replayed_at is null";
    let words = tx.query_one(sql, &[id.into()], |row| row.text(0))?;
    Ok(words.map(|words| words.split_whitespace().map(str::to_owned).collect()))
}

/// A body that waits cannot be read this time either: why, and what of it was taken by now.
///
/// # Errors
/// What the engine says.
pub fn still(tx: &Tx<'_>, id: i64, error: &str, taken: &BTreeSet<String>) -> Result<(), StoreError> {
    tx.write(
        "update unreadable set error = ?2, taken = ?3 where id = ?1",
        &[id.into(), error.into(), (&joined(taken)).into()],
    )
}

/// A kept body as it is listed: without the body.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub id: i64,
    /// The source's name.
    pub source: String,
    /// Why it could not be understood.
    pub error: String,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// Kept bodies that were not read since, oldest first, after number `after`.
///
/// # Errors
/// What the engine says.
pub fn waiting(tx: &Tx<'_>, after: i64, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    tx.query(
        "select id, source, error, received_at from unreadable
         where replayed_at is null and id > ?1 order by id limit ?2",
        &[after.into(), i64::from(limit).into()],
        |row| {
            let (id, source) = (row.int(0)?, row.text(1)?);
            Ok(Waiting { id, source, error: row.text(2)?, received_at: row.time(3)? })
        },
    )
}

/// One kept body that was not read since.
///
/// # Errors
/// What the engine says.
pub fn one(tx: &Tx<'_>, id: i64) -> Result<Option<Kept>, StoreError> {
    tx.query_one(
        "select id, source, kind, method, query, content_type, body, error, received_at, headers from unreadable
         where replayed_at is null and id = ?1",
        &[id.into()],
        read,
    )
}

/// How many bodies of a source wait, and how many bytes they have together.
///
/// # Errors
/// What the engine says.
pub fn waiting_of(tx: &Tx<'_>, source: &str) -> Result<(i64, i64), StoreError> {
    let sql = "select count(*), cast(coalesce(sum(length(body)), 0) as bigint) from unreadable
               where replayed_at is null and source = ?1";
    Ok(tx.query_one(sql, &[source.into()], |row| Ok((row.int(0)?, row.int(1)?)))?.unwrap_or_default())
}

/// Marks a body as read at last; `false` when it was before.
///
/// # Errors
/// What the engine says.
pub fn replayed(tx: &Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let sql = "update unreadable set replayed_at = ?2 where id = ?1 and replayed_at is null";
    Ok(tx.execute(sql, &[id.into(), tx.now.into()])? > 0)
}

/// Remembers a sender's own id of a delivery; `false` when it was taken before.
///
/// # Errors
/// What the engine says.
pub fn first_time(tx: &Tx<'_>, source: &str, delivery: &str) -> Result<bool, StoreError> {
    let sql = "insert into delivery (source, id, received_at) values (?1, ?2, ?3) on conflict do nothing";
    Ok(tx.execute(sql, &[source.into(), delivery.into(), tx.now.into()])? > 0)
}

/// Whether a sender's own id of a delivery is remembered.
///
/// # Errors
/// What the engine says.
pub fn is_known(tx: &Tx<'_>, source: &str, delivery: &str) -> Result<bool, StoreError> {
    let sql = "select received_at from delivery where source = ?1 and id = ?2";
    Ok(tx.query_one(sql, &[source.into(), delivery.into()], |row| row.time(0))?.is_some())
}

/// Forgets ids of deliveries and bodies long read, older than `before`.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write("delete from delivery where received_at < ?1", &[before.into()])?;
    tx.write("delete from unreadable where replayed_at < ?1", &[before.into()])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Kept, StoreError> {
    let headers: BTreeMap<String, String> = serde_json::from_str(&row.text(9)?)
        .map_err(|_| StoreError::Decode("headers of a kept body that are no JSON object"))?;
    Ok(Kept {
        id: row.int(0)?,
        source: row.text(1)?,
        kind: row.text(2)?,
        method: row.text(3)?,
        query: row.text(4)?,
        content_type: row.text_or_null(5)?,
        headers: headers.into_iter().collect(),
        body: row.blob(6)?,
        error: row.text(7)?,
        received_at: row.time(8)?,
    })
}
