//! Nodes that share the store: each says now and then that it is there, with which configuration, and since when it has
//! taken all that was sent to it.
//!
//! A row is one running process. Two may have the same host name and address (containers do), and one that starts again is
//! another, which takes the row of the former over only where it is known to have its place.

use jiff::{SignedDuration, Timestamp};

use super::{StoreError, Tx};

/// A node that was not heard of for this long has gone, or cannot reach the store.
pub const GONE_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// A node that was not heard of for longer than this is not waited for.
const WAITED_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Nor for longer than this when another has begun since with the same host name and address, or in the same place: that has
/// most likely come after it, but it may be a second one, or a copy.
const SUCCEEDED_FOR: SignedDuration = SignedDuration::from_mins(3);
/// And only one of these in such a time: who is killed again and again shall not keep all from timing anything out.
const SUCCEEDED_ONCE_IN: SignedDuration = SignedDuration::from_hours(1);
/// Nor do so many starts of one host name and address in such a time count as hours in which it could not be heard, when each
/// came soon after the one before.
const STARTS_MAX: i64 = 3;
/// A clock may be ahead of another by so much.
const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(10);
/// How long a process that has gone is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A node as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Host and address.
    pub name: String,
    /// Of what its configuration means: see `House::config_hash`.
    pub config_hash: String,
    /// The program's version.
    pub version: String,
}

/// From when until when all that was sent was taken, so that silence says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// From when.
    pub since: Timestamp,
    /// Until when that is known.
    pub until: Timestamp,
}

/// A running process, as it says it is.
#[derive(Clone, Debug)]
pub struct Present {
    /// Its own name, which no other process ever has.
    pub id: String,
    /// What people see of it.
    pub node: Node,
    /// Of what is sent to it.
    pub hearing: Hearing,
    /// A place that only one process can have at a time. Who was there before has ended, and what it held is this one's.
    pub place: Option<String>,
    /// It has not said that it is there before.
    pub comes: bool,
}

/// This process is there.
///
/// # Errors
/// What the engine says.
pub fn beat(tx: &Tx<'_>, present: &Present) -> Result<(), StoreError> {
    let Present { id, node, hearing, place, comes } = present;
    // Once: a place may have been copied with a machine, and then nobody shall take turns. Where only the place is the same,
    // it may be a copy that is cut off: see `SUCCEEDED_FOR`.
    if let (Some(place), true) = (place, comes) {
        tx.write(
            "delete from node where place = ?1 and name <> ?2 and shown = ?3",
            &[place.into(), id.into(), (&node.name).into()],
        )?;
    }
    tx.write(
        "insert into node (name, config_hash, version, seen_at, shown, began_at, heard_since, heard_until, place)
         values (?1, ?2, ?3, ?4, ?5, ?4, ?6, ?7, ?8)
         on conflict (name) do update set config_hash = excluded.config_hash, version = excluded.version,
           seen_at = excluded.seen_at, heard_since = excluded.heard_since, heard_until = excluded.heard_until",
        &[
            id.into(),
            (&node.config_hash).into(),
            (&node.version).into(),
            tx.now.into(),
            (&node.name).into(),
            // Its clock may be ahead of the store's by a little.
            hearing.since.min(tx.now).into(),
            hearing.until.min(tx.now).into(),
            place.as_deref().into(),
        ],
    )
}

/// This process stops: what it would hear goes to others. What it could not hear stays known, and older versions, which
/// look at `seen_at` alone, do not wait for it.
///
/// # Errors
/// What the engine says.
pub fn leave(tx: &Tx<'_>, id: &str, heard_since: Timestamp) -> Result<(), StoreError> {
    tx.write(
        "update node set seen_at = 0, heard_until = null, heard_since = ?2 where name = ?1",
        &[id.into(), heard_since.min(tx.now).into()],
    )
}

/// Forgets processes that have gone long ago, and those that were seen in a future that never was: one that is there says
/// so again. Answers how many.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, limit: u32) -> Result<u64, StoreError> {
    tx.execute(
        "delete from node where name in (select name from node
           where (seen_at < ?1 and coalesce(heard_since, 0) < ?1) or seen_at > ?2 order by name limit ?3)",
        &[before(tx, KEPT).into(), tx.now.into(), i64::from(limit).into()],
    )
}

/// What is known of the other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// One may be cut off from the store at this moment, and hear what nobody else does.
    pub one_is_cut_off: bool,
    /// Since when all of them have taken what was sent to them, as far as they say.
    pub heard_since: Option<Timestamp>,
    /// Until when all of them have said so: what one of them refused or holds since then is not known yet.
    pub heard_until: Option<Timestamp>,
}

/// Another has begun since a row was seen, which is the same to people, or has its place.
const SUCCEEDED: &str =
    "exists (select 1 from node later where later.name <> node.name and later.began_at > node.seen_at
  and (coalesce(later.shown, later.name) = coalesce(node.shown, node.name) or later.place = node.place))";

/// What is known of all processes but this one.
///
/// # Errors
/// What the engine says.
pub fn others(tx: &Tx<'_>, id: &str) -> Result<Others, StoreError> {
    let gone = before(tx, GONE_AFTER).into();
    let once_in = micros(SUCCEEDED_ONCE_IN);
    // A row counts until it is not waited for any more: ?1, and ?2 where there is a successor, ?3 the time between two such.
    let is_waited_for = format!(
        "seen_at > ?1 and (not {SUCCEEDED} or (seen_at > ?2 and not exists (select 1 from node former
           where former.name <> node.name and former.shown = node.shown
             and former.seen_at < node.began_at and former.seen_at > node.seen_at - ?3)))"
    );
    let (waited_for, succeeded) = (before(tx, WAITED_FOR).into(), before(tx, SUCCEEDED_FOR).into());
    // One's own, too: it may be the last to know that it cannot write.
    let sql = format!("select seen_at from node where {is_waited_for} and seen_at <= ?4 limit 1");
    let cut_off = tx.query_one(&sql, &[waited_for, succeeded, once_in.into(), gone], |row| row.int(0))?;
    // What it could not hear before it started counts, unless it starts all the time.
    let sql = "select max(heard_since) from node where name <> ?1 and heard_since <= ?2
       and not (heard_since <= began_at
         and exists (select 1 from node former where former.name <> node.name and former.shown = node.shown
           and former.seen_at < node.began_at and former.seen_at > node.began_at - ?3)
         and (select count(*) from node former where former.shown = node.shown
           and former.began_at < node.began_at and former.began_at > node.began_at - ?4) >= ?5)";
    let ahead = tx.now.saturating_add(AHEAD_MAX).unwrap_or(tx.now);
    let since = tx.query_one(
        sql,
        &[id.into(), ahead.into(), micros(GONE_AFTER).into(), once_in.into(), STARTS_MAX.into()],
        |row| row.time_or_null(0),
    )?;
    // Older versions only say that they are there.
    let sql =
        format!("select min(coalesce(heard_until, seen_at)) from node where name <> ?4 and {is_waited_for}");
    let (waited_for, succeeded) = (before(tx, WAITED_FOR).into(), before(tx, SUCCEEDED_FOR).into());
    let until =
        tx.query_one(&sql, &[waited_for, succeeded, once_in.into(), id.into()], |row| row.time_or_null(0))?;
    Ok(Others {
        one_is_cut_off: cut_off.is_some(),
        // It lies a little ahead where the clock that is read now is behind.
        heard_since: since.flatten().map(|since| since.min(tx.now)),
        heard_until: until.flatten(),
    })
}

/// The nodes that were heard of lately. One that another of the same host and address, or in the
/// same place, has come after is not among them.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &Tx<'_>) -> Result<Vec<Node>, StoreError> {
    let sql = format!(
        "select coalesce(shown, name), config_hash, version from node where seen_at > ?1 and not {SUCCEEDED}
         order by coalesce(shown, name), config_hash, version"
    );
    tx.query(&sql, &[before(tx, GONE_AFTER).into()], |row| {
        Ok(Node { name: row.text(0)?, config_hash: row.text(1)?, version: row.text(2)? })
    })
}

/// Whether all nodes that were heard of lately run with this configuration.
///
/// # Errors
/// What the engine says.
pub fn agree(tx: &Tx<'_>, config_hash: &str) -> Result<bool, StoreError> {
    Ok(list(tx)?.iter().all(|node| node.config_hash == config_hash))
}

fn before(tx: &Tx<'_>, age: SignedDuration) -> Timestamp {
    tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN)
}

fn micros(age: SignedDuration) -> i64 {
    age.as_secs().saturating_mul(1_000_000)
}
