//! Silences, and when the alerts they hold are to be looked at again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Row, StoreError, Tx};
use crate::core::matcher::{Matcher, Op};
use crate::core::silence::{Silence, State};

/// A matcher as Alertmanager writes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Written {
    /// The label.
    pub name: String,
    /// The text, or the expression.
    pub value: String,
    /// The value is an expression.
    #[serde(rename = "isRegex")]
    pub is_regex: bool,
    /// It is to fit; older clients do not say, and mean so.
    #[serde(rename = "isEqual", default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl From<&Matcher> for Written {
    fn from(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            is_regex: matches!(matcher.op, Op::Matches | Op::MatchesNot),
            is_equal: matches!(matcher.op, Op::Equal | Op::Matches),
        }
    }
}

impl Written {
    /// The matcher it stands for.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn read(&self) -> Result<Matcher, String> {
        let op = match (self.is_regex, self.is_equal) {
            (false, true) => Op::Equal,
            (false, false) => Op::NotEqual,
            (true, true) => Op::Matches,
            (true, false) => Op::MatchesNot,
        };
        Matcher::new(self.name.clone(), op, self.value.clone())
    }
}

const COLUMNS: &str = "id, source, matchers, starts_at, ends_at, created_by, comment, updated_at";

/// Keeps a silence, new or changed.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, silence: &Silence) -> Result<(), StoreError> {
    let matchers: Vec<Written> = silence.matchers.iter().map(Written::from).collect();
    let matchers = serde_json::to_string(&matchers)?;
    tx.write(
        "insert into silence (id, source, matchers, starts_at, ends_at, created_by, comment, updated_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         on conflict (id) do update set source = excluded.source, matchers = excluded.matchers,
           starts_at = excluded.starts_at, ends_at = excluded.ends_at, created_by = excluded.created_by,
           comment = excluded.comment, updated_at = excluded.updated_at",
        &[
            (&silence.id).into(),
            silence.source.as_deref().into(),
            (&matchers).into(),
            silence.starts_at.into(),
            silence.ends_at.into(),
            (&silence.created_by).into(),
            (&silence.comment).into(),
            silence.updated_at.into(),
        ],
    )
}

/// One silence.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn get(tx: &Tx<'_>, id: &str) -> Result<Option<Silence>, StoreError> {
    tx.query_one(&format!("select {COLUMNS} from silence where id = ?1"), &[id.into()], read)
}

/// Which silences, or known conditions, are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// Those that have not ended.
    Open,
    /// Those in one part of their lives.
    In(State),
}

impl Which {
    /// Those that a word asks for; without one, all.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn from_word(word: Option<&str>) -> Result<Self, String> {
        Ok(match word {
            None => Self::All,
            Some("open") => Self::Open,
            Some("pending") => Self::In(State::Pending),
            Some("active") => Self::In(State::Active),
            Some("expired") => Self::In(State::Expired),
            Some(other) => {
                return Err(format!(
                    "no state is called {other}; there are pending, active, expired, and open for the first two"
                ));
            }
        })
    }

    /// What has to be so of a row, where `?1` is the hour.
    pub(super) fn part(self) -> &'static str {
        match self {
            Self::All => "(ends_at > ?1 or ends_at <= ?1)",
            Self::Open => "ends_at > ?1",
            Self::In(State::Pending) => "ends_at > ?1 and starts_at > ?1",
            Self::In(State::Active) => "ends_at > ?1 and starts_at <= ?1",
            Self::In(State::Expired) => "ends_at <= ?1",
        }
    }
}

/// Silences, of the house and of single sources, the last to end first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn list(tx: &Tx<'_>, which: Which, limit: u32) -> Result<Vec<Silence>, StoreError> {
    let part = which.part();
    let sql = format!("select {COLUMNS} from silence where {part} order by ends_at desc, id limit ?2");
    tx.query(&sql, &[tx.now.into(), i64::from(limit).into()], read)
}

/// Silences that only hold for one source, the last to end first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn of_source(tx: &Tx<'_>, source: &str, limit: u32) -> Result<Vec<Silence>, StoreError> {
    let sql = format!("select {COLUMNS} from silence where source = ?1 order by ends_at desc, id limit ?2");
    tx.query(&sql, &[source.into(), i64::from(limit).into()], read)
}

/// How many silences of a source have not ended.
///
/// # Errors
/// What the engine says.
pub fn waiting_of(tx: &Tx<'_>, source: Option<&str>) -> Result<i64, StoreError> {
    let sql = "select count(*) from silence where ends_at > ?1 and coalesce(source, '') = ?2";
    let count = tx.query_one(sql, &[tx.now.into(), source.unwrap_or_default().into()], |row| row.int(0))?;
    Ok(count.unwrap_or(0))
}

/// Silences in force, with their matchers built once and not for every transaction. Cheap to clone.
#[derive(Clone, Default)]
pub struct Built(Arc<Mutex<HashMap<String, Arc<Silence>>>>);

impl Built {
    /// Silences in force, the last to end first. One that cannot be read holds nothing: better one page too many.
    ///
    /// # Errors
    /// What the engine says.
    pub fn active(&self, tx: &Tx<'_>) -> Result<Vec<Arc<Silence>>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from silence where ends_at > ?1 and starts_at <= ?1 order by ends_at desc, id"
        );
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = tx.query(&sql, &[tx.now.into()], |row| {
            // Matchers never change under an id; the rest may, twice in one transaction too, which has one hour.
            let (starts_at, ends_at, updated_at) = (row.time(3)?, row.time(4)?, row.time(7)?);
            let hours = |known: &Silence| (known.starts_at, known.ends_at, known.updated_at);
            let (created_by, comment) = (row.text(5)?, row.text(6)?);
            match known.get(&row.text(0)?) {
                Some(silence)
                    if hours(silence) == (starts_at, ends_at, updated_at)
                        && (&silence.created_by, &silence.comment) == (&created_by, &comment) =>
                {
                    Ok(Ok(silence.clone()))
                }
                _ => Ok(read(row).map(Arc::new)),
            }
        })?;
        let all: Vec<_> = all.into_iter().filter_map(|silence| silence.inspect_err(warn).ok()).collect();
        *known = all.iter().map(|silence| (silence.id.clone(), silence.clone())).collect();
        Ok(all)
    }
}

fn warn(error: &StoreError) {
    tracing::warn!(%error, "a silence cannot be read, and holds nothing");
}

/// How many bytes the matchers of a source's silences have that have not ended.
///
/// # Errors
/// What the engine says.
pub fn matcher_bytes_of(tx: &Tx<'_>, source: Option<&str>) -> Result<i64, StoreError> {
    let sql = "select cast(coalesce(sum(length(matchers)), 0) as bigint) from silence
               where ends_at > ?1 and coalesce(source, '') = ?2";
    let bytes = tx.query_one(sql, &[tx.now.into(), source.unwrap_or_default().into()], |row| row.int(0))?;
    Ok(bytes.unwrap_or(0))
}

/// Forgets silences of a source that have ended and hold no alert, but for the newest `kept`.
///
/// # Errors
/// What the engine says.
pub fn forget_ended(tx: &Tx<'_>, source: Option<&str>, kept: i64) -> Result<(), StoreError> {
    tx.write(
        "delete from silence where coalesce(source, '') = ?2 and ends_at <= ?1
           and not exists (select 1 from alert where suppressed_by = silence.id)
           and id not in (select id from silence where coalesce(source, '') = ?2 and ends_at <= ?1
                          order by ends_at desc limit ?3)",
        &[tx.now.into(), source.unwrap_or_default().into(), kept.into()],
    )
}

/// Silences that may hold alerts of a source, its own and those of the house, and have not ended.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn open_for_source(tx: &Tx<'_>, source: &str) -> Result<Vec<Silence>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from silence where (source = ?1 or source is null) and ends_at > ?2 order by ends_at desc, id"
    );
    tx.query(&sql, &[source.into(), tx.now.into()], read)
}

/// When the next silence ends under which an alert fires.
///
/// # Errors
/// What the engine says.
pub fn next_end(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let sql = "select min(ends_at) from silence where ends_at > ?1
               and exists (select 1 from alert where suppressed_by = silence.id)";
    tx.query_one(sql, &[tx.now.into()], |row| row.time_or_null(0)).map(Option::flatten)
}

/// Forgets silences that ended before an hour, and hold no alert.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write(
        "delete from silence where ends_at < ?1 and not exists (select 1 from alert where suppressed_by = silence.id)",
        &[before.into()],
    )
}

fn read(row: &Row<'_>) -> Result<Silence, StoreError> {
    let written: Vec<Written> = serde_json::from_str(&row.text(2)?)?;
    let matchers = written.iter().map(Written::read).collect::<Result<_, _>>();
    Ok(Silence {
        id: row.text(0)?,
        source: row.text_or_null(1)?,
        matchers: matchers.map_err(|_| StoreError::Decode("a silence with a matcher that is none"))?,
        starts_at: row.time(3)?,
        ends_at: row.time(4)?,
        created_by: row.text(5)?,
        comment: row.text(6)?,
        updated_at: row.time(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Connection, Place};
    use super::*;
    use crate::clock::Clock;
    use crate::core::matcher::read_all;

    #[test]
    fn a_silence_that_was_changed_twice_in_one_hour_is_what_it_was_changed_to_last() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let place = Place::Sqlite(directory.path().join("onscene.db"));
        let mut store = Connection::writer(&place, &clock).unwrap();
        let built = Built::default();
        let now = clock.now();
        let later = |minutes: i64| now + jiff::SignedDuration::from_mins(minutes);
        let mut silence = Silence {
            id: "s".into(),
            source: None,
            matchers: read_all("team=\"web\"").unwrap(),
            starts_at: now,
            ends_at: later(10),
            created_by: "maya".into(),
            comment: "patches".into(),
            updated_at: now,
        };
        for (ends_at, comment) in [(10, "patches"), (20, "patches"), (20, "new disks")] {
            (silence.ends_at, silence.comment) = (later(ends_at), comment.into());
            let active = store.write(now, |tx| {
                put(tx, &silence)?;
                built.active(tx)
            });
            assert_eq!(*active.unwrap()[0], silence);
        }
    }
}
