//! Calendars that rotations follow, as they were read last, and the private addresses under which others follow ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Row, StoreError, Tx};
use crate::core::oncall::Turn;
use crate::crypto;

/// Most links that work.
pub const LINKS_MAX: i64 = 1000;

/// What is known of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which rotation follows it.
    pub rotation: String,
    /// Who is on call when, as it was read well last.
    pub turns: Arc<Vec<Turn>>,
    /// Since when they are so.
    pub changed_at: Timestamp,
    /// When it was read well last.
    pub fetched_at: Option<Timestamp>,
    /// Why the last try went wrong, if it did.
    pub error: Option<String>,
    /// What should be known of it.
    pub warnings: Vec<String>,
}

/// What all calendars say, by the rotations that follow them. One that cannot be read leaves the others as they are.
///
/// # Errors
/// What the engine says.
pub fn turns(tx: &Tx<'_>) -> Result<BTreeMap<String, Arc<Vec<Turn>>>, StoreError> {
    let found = tx.query("select rotation, turns from calendar", &[], |row| {
        let rotation = row.text(0)?;
        let turns = from_words(row.text_ref(1)?);
        Ok(turns.inspect_err(|error| warn(&rotation, error)).ok().map(|turns| (rotation, Arc::new(turns))))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// What is known of all calendars; of one that cannot be read no turns are.
///
/// # Errors
/// What the engine says.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Kept>, StoreError> {
    let sql =
        "select rotation, turns, changed_at, fetched_at, error, warnings from calendar order by rotation";
    tx.query(sql, &[], |row| {
        let rotation = row.text(0)?;
        let turns = from_words(row.text_ref(1)?).inspect_err(|error| warn(&rotation, error));
        Ok(Kept {
            rotation,
            turns: Arc::new(turns.unwrap_or_default()),
            changed_at: row.time(2)?,
            fetched_at: row.time_or_null(3)?,
            error: row.text_or_null(4)?,
            warnings: serde_json::from_str(row.text_ref(5)?).unwrap_or_default(),
        })
    })
}

fn warn(rotation: &str, error: &StoreError) {
    tracing::warn!(%error, rotation, "what is kept of a calendar cannot be read");
}

/// A calendar was read well.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, rotation: &str, turns: &[Turn], warnings: &[String]) -> Result<(), StoreError> {
    let words = to_words(turns);
    let hash = crypto::hex(&crypto::sha256(words.as_bytes())[..16]);
    let warnings = serde_json::to_string(warnings)?;
    let known =
        tx.query_one("select hash from calendar where rotation = ?1", &[rotation.into()], |row| row.text(0))?;
    if known.as_ref() == Some(&hash) {
        // Most of the time nothing is new.
        return tx.write(
            "update calendar set fetched_at = ?2, tried_at = ?2, error = null, warnings = ?3 where rotation = ?1",
            &[rotation.into(), tx.now.into(), (&warnings).into()],
        );
    }
    tx.write(
        "insert into calendar (rotation, turns, hash, changed_at, fetched_at, tried_at, error, warnings)
         values (?1, ?2, ?3, ?4, ?4, ?4, null, ?5)
         on conflict (rotation) do update set turns = excluded.turns, hash = excluded.hash,
           changed_at = excluded.changed_at, fetched_at = excluded.fetched_at, tried_at = excluded.tried_at,
           error = null, warnings = excluded.warnings",
        &[rotation.into(), (&words).into(), (&hash).into(), tx.now.into(), (&warnings).into()],
    )
}

/// A calendar could not be read. What was read last stays.
///
/// # Errors
/// What the engine says.
pub fn put_error(tx: &Tx<'_>, rotation: &str, error: &str) -> Result<(), StoreError> {
    tx.write(
        "insert into calendar (rotation, turns, hash, changed_at, fetched_at, tried_at, error, warnings)
         values (?1, '[]', '', ?2, null, ?2, ?3, '[]')
         on conflict (rotation) do update set tried_at = excluded.tried_at, error = excluded.error",
        &[rotation.into(), tx.now.into(), error.into()],
    )
}

/// Forgets calendars that nobody has asked for since an hour, and links that were revoked before it.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write("delete from calendar where tried_at < ?1", &[before.into()])?;
    tx.write("delete from calendar_link where revoked_at < ?1", &[before.into()])
}

fn to_words(turns: &[Turn]) -> String {
    let each =
        turns.iter().map(|turn| (turn.from.as_microsecond(), turn.until.as_microsecond(), &turn.person));
    serde_json::Value::from_iter(each.map(|(from, until, person)| serde_json::json!([from, until, person])))
        .to_string()
}

fn from_words(words: &str) -> Result<Vec<Turn>, StoreError> {
    let all: Vec<(i64, i64, String)> = serde_json::from_str(words)?;
    let hour = |at| Timestamp::from_microsecond(at).map_err(|_| StoreError::Decode("a time out of range"));
    all.into_iter()
        .map(|(from, until, person)| Ok(Turn { from: hour(from)?, until: hour(until)?, person }))
        .collect()
}

/// Whose calendar a link shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Everybody's turns in a rotation.
    Rotation(String),
    /// A person's turns in all of them.
    Person(String),
}

impl Subject {
    /// The name of whatever it is.
    pub fn name(&self) -> &str {
        match self {
            Self::Rotation(name) | Self::Person(name) => name,
        }
    }
}

/// A link as it is listed: never with the token itself.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it is revoked by.
    pub id: String,
    /// What it shows.
    pub subject: Subject,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Keeps a link; answers the id by which it is revoked.
///
/// # Errors
/// What the engine says.
pub fn put_link(tx: &Tx<'_>, token: &str, subject: &Subject, by: &str) -> Result<String, StoreError> {
    let hash = crypto::sha256(token.as_bytes());
    let id = crypto::hex(&hash[..8]);
    let (rotation, person) = match subject {
        Subject::Rotation(name) => (Some(name.as_str()), None),
        Subject::Person(name) => (None, Some(name.as_str())),
    };
    tx.write(
        "insert into calendar_link (id, hash, rotation, person, created_by, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        &[(&id).into(), hash[..].into(), rotation.into(), person.into(), by.into(), tx.now.into()],
    )?;
    Ok(id)
}

/// How many links work.
///
/// # Errors
/// What the engine says.
pub fn working_links(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let sql = "select count(*) from calendar_link where revoked_at is null";
    Ok(tx.query_one(sql, &[], |row| row.int(0))?.unwrap_or_default())
}

/// What a token shows; `None` when it is unknown or revoked.
///
/// # Errors
/// What the engine says.
pub fn shown_by(tx: &Tx<'_>, token: &str) -> Result<Option<Subject>, StoreError> {
    let sql = format!("select {LINK} from calendar_link where hash = ?1");
    let found = tx.query_one(&sql, &[crypto::sha256(token.as_bytes())[..].into()], read_link)?;
    Ok(found.filter(|link| link.revoked_at.is_none()).map(|link| link.subject))
}

/// All links, oldest first.
///
/// # Errors
/// What the engine says.
pub fn links(tx: &Tx<'_>) -> Result<Vec<Link>, StoreError> {
    tx.query(&format!("select {LINK} from calendar_link order by created_at, id"), &[], read_link)
}

/// Revokes a link; `false` when there is none with this id that still works.
///
/// # Errors
/// What the engine says.
pub fn revoke_link(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    let sql = "update calendar_link set revoked_at = ?2 where id = ?1 and revoked_at is null";
    Ok(tx.execute(sql, &[id.into(), tx.now.into()])? > 0)
}

const LINK: &str = "id, rotation, person, created_by, created_at, revoked_at";

fn read_link(row: &Row<'_>) -> Result<Link, StoreError> {
    let subject = match (row.text_or_null(1)?, row.text_or_null(2)?) {
        (Some(rotation), None) => Subject::Rotation(rotation),
        (None, Some(person)) => Subject::Person(person),
        _ => return Err(StoreError::Decode("a calendar of nobody")),
    };
    Ok(Link {
        id: row.text(0)?,
        subject,
        created_by: row.text(3)?,
        created_at: row.time(4)?,
        revoked_at: row.time_or_null(5)?,
    })
}
