//! Migrations: numbered files, each applied once, in order, in one transaction, with its checksum kept.

use jiff::Timestamp;

use super::StoreError;
use crate::crypto;

/// Every migration, oldest first. A file that has landed is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "0001_first.sql", include_str!("migrations/0001_first.sql"))];

/// Brings the schema up to date.
pub(super) fn up(engine: &mut rusqlite::Connection, now: Timestamp) -> Result<(), StoreError> {
    let transaction = engine.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "create table if not exists migration (
           number bigint primary key, name text not null, checksum text not null, applied_at bigint not null
         )",
    )?;
    let applied: Vec<(i64, String)> = transaction
        .prepare("select number, checksum from migration order by number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (number, checksum) in &applied {
        match MIGRATIONS.iter().find(|(known, ..)| known == number) {
            None => {
                return Err(StoreError::Schema(format!(
                    "the store was written by a newer onscene (migration {number}); this version cannot read it. \
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
        transaction.execute_batch(sql)?;
        transaction.execute(
            "insert into migration (number, name, checksum, applied_at) values (?1, ?2, ?3, ?4)",
            (number, name, crypto::hex(&crypto::sha256(sql.as_bytes())), now.as_microsecond()),
        )?;
    }
    transaction.commit()?;
    Ok(())
}
