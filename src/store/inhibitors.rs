//! Alerts that keep others quiet while they fire, by the places under which those look, and the alerts that are kept quiet.
//!
//! Whether an inhibitor fires is asked of its alert: a node that does not have the rule yet forgets none here.

use jiff::Timestamp;

use super::{Bind, StoreError, Tx};
use crate::crypto;

/// What `alert.suppressed_by` begins with when no silence holds the alert, but another alert does; its number follows.
pub const PREFIX: &str = "inhibit:";

/// Alerts found in one place, at most, those first that nothing keeps quiet: one of them is enough, and it may be the alert itself.
const FOUND_MAX: u32 = 8;

/// An alert that keeps others quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibitor {
    /// Its number.
    pub alert: i64,
    /// Where it comes from.
    pub source: String,
    /// Its key there.
    pub key: String,
    /// Where it found what keeps it quiet itself; `None` when no other alert does.
    pub held_at: Option<i64>,
}

impl Inhibitor {
    /// What an alert that it keeps quiet remembers.
    pub fn mark(&self) -> String {
        format!("{PREFIX}{}", self.alert)
    }
}

/// Words as the store knows them. Nobody finds other words with the same number: it is from a hash made for that.
pub fn place(words: &str) -> i64 {
    let hash = crypto::sha256(words.as_bytes());
    let first: [u8; 8] = hash.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}

/// Alerts that fire and are found in a place, some of them: those first that no other alert keeps quiet.
///
/// # Errors
/// What the engine says.
pub fn at(tx: &Tx<'_>, place: i64) -> Result<Vec<Inhibitor>, StoreError> {
    tx.query(AT, &[place.into(), i64::from(FOUND_MAX).into()], |row| {
        Ok(Inhibitor {
            alert: row.int(0)?,
            source: row.text(1)?,
            key: row.text(2)?,
            held_at: row.int_or_null(3)?,
        })
    })
}

const AT: &str =
    "select alert.id, alert.source, alert.key, alert.inhibited from inhibitor join alert on alert.id = inhibitor.alert
     where inhibitor.place = ?1 and alert.status = 'firing' and alert.closed_at is null
     order by (alert.inhibited is not null), alert.id limit ?2";

/// An alert is found in these places, each with its rule.
///
/// # Errors
/// What the engine says.
pub fn add(tx: &Tx<'_>, alert: i64, places: &[(i64, i64)]) -> Result<(), StoreError> {
    places.iter().try_for_each(|(rule, place)| {
        tx.write(
            "insert into inhibitor (alert, rule, place) values (?1, ?2, ?3) on conflict (alert, place) do nothing",
            &[alert.into(), (*rule).into(), (*place).into()],
        )
    })
}

/// An alert keeps nobody quiet any more.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, alert: i64) -> Result<(), StoreError> {
    tx.write(FORGET, &[alert.into()])
}

const FORGET: &str = "delete from inhibitor where alert = ?1";

/// An alert is not found by these rules any more; what it is found by of others stays.
///
/// # Errors
/// What the engine says.
pub fn forget_of(tx: &Tx<'_>, alert: i64, rules: &[i64]) -> Result<(), StoreError> {
    let places: Vec<String> = (2..rules.len() + 2).map(|number| format!("?{number}")).collect();
    let mut binds: Vec<Bind<'_>> = vec![alert.into()];
    binds.extend(rules.iter().map(|rule| Bind::from(*rule)));
    tx.write(&format!("{FORGET} and rule in ({})", places.join(", ")), &binds)
}

/// Whether an alert is found by these rules in exactly these places, each with its rule.
///
/// # Errors
/// What the engine says.
pub fn is_at(tx: &Tx<'_>, alert: i64, rules: &[i64], places: &[(i64, i64)]) -> Result<bool, StoreError> {
    let sql = "select rule, place from inhibitor where alert = ?1";
    let mut kept = tx.query(sql, &[alert.into()], |row| Ok((row.int(0)?, row.int(1)?)))?;
    kept.retain(|(rule, _)| rules.contains(rule));
    let mut wanted = places.to_vec();
    kept.sort_unstable();
    wanted.sort_unstable();
    wanted.dedup();
    Ok(kept == wanted)
}

/// By which rule alerts are found in a place.
///
/// # Errors
/// What the engine says.
pub fn rule_at(tx: &Tx<'_>, place: i64) -> Result<Option<i64>, StoreError> {
    tx.query_one("select rule from inhibitor where place = ?1 limit 1", &[place.into()], |row| row.int(0))
}

/// Forgets what is kept of other rules than these, and of alerts that do not fire.
///
/// # Errors
/// What the engine says.
pub fn keep_only(tx: &Tx<'_>, rules: &[i64]) -> Result<(), StoreError> {
    for known in tx.query("select distinct rule from inhibitor", &[], |row| row.int(0))? {
        if !rules.contains(&known) {
            tx.write("delete from inhibitor where rule = ?1", &[known.into()])?;
        }
    }
    tx.write(
        "delete from inhibitor
         where not exists (select 1 from alert where id = inhibitor.alert and status = 'firing')",
        &[],
    )
}

/// An alert fires and is kept quiet by another.
///
/// # Errors
/// What the engine says.
pub fn suppress(tx: &Tx<'_>, id: i64, by: &Inhibitor, place: i64) -> Result<(), StoreError> {
    tx.write(
        "update alert set suppressed_by = ?2, inhibited = ?3 where id = ?1",
        &[id.into(), (&by.mark()).into(), place.into()],
    )
}

/// Numbers of alerts that are kept quiet by others, where no way leads any more from one to the next to an alert that no other
/// keeps quiet: those did recover, or they keep one another quiet. Those first where nothing fires, which is what the rest of
/// such a way may wait for. And of those that name one which keeps nobody quiet any more, though another does. Looked at place by
/// place, and name by name: many alerts are kept quiet by few.
///
/// # Errors
/// What the engine says.
pub fn outlived(tx: &Tx<'_>, limit: u32) -> Result<Vec<(i64, Timestamp)>, StoreError> {
    let mut due = tx.query(OUTLIVED, &[i64::from(limit).into()], |row| Ok((row.int(0)?, tx.now)))?;
    let misnamed = tx.query(MISNAMED, &[PREFIX.into(), i64::from(limit).into()], |row| row.int(0))?;
    for id in misnamed {
        if due.len() < usize::try_from(limit).unwrap_or(usize::MAX)
            && !due.iter().any(|(known, _)| *known == id)
        {
            due.push((id, tx.now));
        }
    }
    Ok(due)
}

// `case`: only a mark that begins so ends in a number.
const MISNAMED: &str = "with recursive named (mark) as (
       select min(suppressed_by) from alert where suppressed_by >= ?1
       union all
       select (select min(suppressed_by) from alert where suppressed_by > named.mark) from named where named.mark is not null
     ), gone (mark) as (
       select named.mark from named
       where named.mark like 'inhibit:%'
         and not exists (select 1 from alert source join inhibitor on inhibitor.alert = source.id
                         where source.id = case when named.mark like 'inhibit:%' then cast(substr(named.mark, 9) as bigint) end
                           and source.status = 'firing' and source.closed_at is null)
     )
     select alert.id from gone join alert on alert.suppressed_by = gone.mark
     where alert.status = 'firing' order by alert.id limit ?2";

// `held`: where something is kept quiet. `chained`: of these, where nothing fires that no other alert keeps quiet. `step`: from such a
// place to those where what fires there is kept quiet itself. `awake`: from where a way leads to one that is not.
const OUTLIVED: &str = "with recursive held (place) as (
       select min(inhibited) from alert where inhibited is not null
       union all
       select (select min(inhibited) from alert where inhibited > held.place) from held where held.place is not null
     ), chained (place) as (
       select held.place from held
       where held.place is not null
         and not exists (select 1 from inhibitor join alert source on source.id = inhibitor.alert
                         where inhibitor.place = held.place and source.status = 'firing'
                           and source.closed_at is null and source.inhibited is null)
     ), step (place, next) as (
       select distinct chained.place, source.inhibited
       from chained join inhibitor on inhibitor.place = chained.place join alert source on source.id = inhibitor.alert
       where source.status = 'firing' and source.closed_at is null
     ), awake (place) as (
       select held.place from held where held.place is not null and held.place not in (select place from chained)
       union
       select step.place from awake join step on step.next = awake.place
     )
     select alert.id from chained join alert on alert.inhibited = chained.place
     where alert.status = 'firing' and alert.suppressed_by is not null
       and chained.place not in (select place from awake)
     order by case when chained.place in (select place from step) then 1 else 0 end, alert.id limit ?1";

#[cfg(test)]
mod tests {
    use super::super::{Connection, Place, alerts};
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn words_have_the_same_number_on_every_node_of_every_version() {
        assert_eq!(place("a"), -3_848_465_438_864_589_366);
    }

    #[test]
    fn nothing_is_found_by_looking_at_every_alert() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let place = Place::Sqlite(directory.path().join("onscene.db"));
        let mut store = Connection::writer(&place, &clock).unwrap();
        let plan = |tx: &Tx<'_>, sql: &str, count: usize| {
            let binds = vec![1_i64.into(); count];
            tx.query(&format!("explain query plan {sql}"), &binds, |row| row.text(3))
                .map(|all| all.join("\n"))
        };
        let plans = store.read(clock.now(), |tx| {
            Ok::<_, StoreError>([
                plan(tx, AT, 2)?,
                plan(tx, OUTLIVED, 1)?,
                plan(tx, FORGET, 1)?,
                plan(tx, MISNAMED, 2)?,
                plan(tx, alerts::OUTLIVED, 2)?,
            ])
        });
        for plan in plans.unwrap() {
            for table in ["alert", "inhibitor", "source", "silence"] {
                assert!(
                    !plan.lines().any(|line| line.trim().starts_with(&format!("SCAN {table}"))),
                    "{plan}"
                );
            }
            assert!(plan.contains("SEARCH"), "{plan}");
        }
    }
}
