//! Nodes that share the store: each says now and then that it is there, and with which configuration.

use jiff::{SignedDuration, Timestamp};

use super::{StoreError, Tx};

/// A node that was not heard of for this long has gone, or cannot reach the store.
pub const GONE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// A node as it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Host and address.
    pub name: String,
    /// Of what its configuration means: see `House::config_hash`.
    pub config_hash: String,
    /// The program's version.
    pub version: String,
}

/// This node is there.
///
/// # Errors
/// What the engine says.
pub fn beat(tx: &Tx<'_>, node: &Node) -> Result<(), StoreError> {
    tx.write(
        "insert into node (name, config_hash, version, seen_at) values (?1, ?2, ?3, ?4)
         on conflict (name) do update set config_hash = excluded.config_hash, version = excluded.version,
           seen_at = excluded.seen_at",
        &[(&node.name).into(), (&node.config_hash).into(), (&node.version).into(), tx.now.into()],
    )
}

/// A node that was not heard of for longer than this is not waited for.
const WAITED_FOR: SignedDuration = SignedDuration::from_mins(15);

/// This node stops: what it would hear goes to others.
///
/// # Errors
/// What the engine says.
pub fn leave(tx: &Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.write("delete from node where name = ?1", &[name.into()])
}

/// Whether a node may be cut off from the store at this moment, and hear what nobody else does.
///
/// # Errors
/// What the engine says.
pub fn one_is_cut_off(tx: &Tx<'_>) -> Result<bool, StoreError> {
    let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let sql = "select seen_at from node where seen_at <= ?1 and seen_at > ?2 limit 1";
    let found =
        tx.query_one(sql, &[before(GONE_AFTER).into(), before(WAITED_FOR).into()], |row| row.int(0))?;
    Ok(found.is_some())
}

/// The nodes that were heard of lately.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &Tx<'_>) -> Result<Vec<Node>, StoreError> {
    let since = tx.now.saturating_sub(GONE_AFTER).unwrap_or(Timestamp::MIN);
    tx.query(
        "select name, config_hash, version from node where seen_at > ?1 order by name",
        &[since.into()],
        |row| Ok(Node { name: row.text(0)?, config_hash: row.text(1)?, version: row.text(2)? }),
    )
}
