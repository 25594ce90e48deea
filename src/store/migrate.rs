//! Migrations: numbered files, each applied once, in order, in one transaction, with its checksum kept.

use super::{StoreError, Tx};
use crate::crypto;

/// Under this name a store knows who it is: a random word, made once, by which a copy of it is told from others.
pub(super) const IDENTITY: &str = "store";
/// Under this name stands what forms of pages are signed with: random, made once, the same for all nodes.
pub(super) const ANSWER_KEY: &str = "answer_key";

/// Every migration, oldest first. A file that has landed is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "0001_first.sql", include_str!("migrations/0001_first.sql")),
    (2, "0002_node.sql", include_str!("migrations/0002_node.sql")),
    (3, "0003_unreadable_headers.sql", include_str!("migrations/0003_unreadable_headers.sql")),
    (4, "0004_silences.sql", include_str!("migrations/0004_silences.sql")),
    (5, "0005_one_cause.sql", include_str!("migrations/0005_one_cause.sql")),
    (6, "0006_known.sql", include_str!("migrations/0006_known.sql")),
    (7, "0007_oncall.sql", include_str!("migrations/0007_oncall.sql")),
    (8, "0008_sessions.sql", include_str!("migrations/0008_sessions.sql")),
    (9, "0009_session_made_of.sql", include_str!("migrations/0009_session_made_of.sql")),
    (10, "0010_statements.sql", include_str!("migrations/0010_statements.sql")),
    (11, "0011_subscribers.sql", include_str!("migrations/0011_subscribers.sql")),
    (12, "0012_unsure.sql", include_str!("migrations/0012_unsure.sql")),
    (13, "0013_letters.sql", include_str!("migrations/0013_letters.sql")),
];

/// Brings the schema up to date.
pub(super) fn up(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.migrate(
        "create table if not exists migration (
           number bigint primary key, name text not null, checksum text not null, applied_at bigint not null
         )",
    )?;
    let applied: Vec<(i64, String)> =
        tx.query("select number, checksum from migration order by number", &[], |row| {
            Ok((row.int(0)?, row.text(1)?))
        })?;
    let newest = MIGRATIONS.iter().map(|(number, ..)| *number).max().unwrap_or_default();
    for (number, checksum) in &applied {
        match MIGRATIONS.iter().find(|(known, ..)| known == number) {
            // While nodes are upgraded one after the other, the old ones live with what the new ones have added:
            // a migration adds first, and takes away in a later version.
            None if *number == newest + 1 => {
                tracing::warn!(
                    migration = number,
                    "the store was written by a newer onscene; upgrade this node too"
                );
            }
            None => {
                return Err(StoreError::Schema(format!(
                    "the store was written by a much newer onscene (migration {number}); this version cannot use it. \
                     Install that version again, or restore a backup"
                )));
            }
            Some((_, name, sql)) if *checksum != crypto::hex(&crypto::sha256(sql.as_bytes())) => {
                return Err(StoreError::Schema(format!(
                    "migration {name} was applied with other contents; the schema is not the one this version expects"
                )));
            }
            Some(_) => {}
        }
    }
    for (number, name, sql) in
        MIGRATIONS.iter().filter(|(number, ..)| !applied.iter().any(|(n, _)| n == number))
    {
        tx.migrate(sql)?;
        let checksum = crypto::hex(&crypto::sha256(sql.as_bytes()));
        tx.write(
            "insert into migration (number, name, checksum, applied_at) values (?1, ?2, ?3, ?4)",
            &[(*number).into(), (*name).into(), (&checksum).into(), tx.now.into()],
        )?;
    }
    let identity = random_word()?;
    let key = random_word()?;
    for (name, value) in [(IDENTITY, &identity), (ANSWER_KEY, &key)] {
        tx.write(
            "insert into meta (name, value) values (?1, ?2) on conflict (name) do nothing",
            &[name.into(), value.into()],
        )?;
    }
    Ok(())
}

fn random_word() -> Result<String, StoreError> {
    crypto::random_id().map_err(|error| StoreError::File {
        path: "random bytes".into(),
        error: std::io::Error::other(error.to_string()),
    })
}
