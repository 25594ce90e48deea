//! What alerts and incidents are found by: `core::search` says what that is, and this keeps it.
//!
//! Written when an alert's words change and when it is given to an incident, in the same transaction; a repeat writes
//! nothing here. [`fill`] does it for what a version wrote that knew nothing of this.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bind, StoreError, Tx};
use crate::core::search;

/// Most alerts of one incident whose terms are gathered when it was written by an older version.
const ALERTS_MAX: i64 = 500;

/// The terms in a column, as rows of a server.
const UNNEST: &str = "unnest(string_to_array(ltrim(terms, chr(31)), chr(31)))";

/// Keeps what an alert is found by from now on, and answers it as its row keeps it.
pub(super) fn reword(
    tx: &Tx<'_>,
    alert: i64,
    title: &str,
    labels: &BTreeMap<String, String>,
) -> Result<String, StoreError> {
    let terms = search::terms(title, labels);
    let text = search::joined(&terms);
    if tx.is_far() {
        // The server compares by itself: nobody waits for what it has.
        let drop = format!(
            "delete from alert_term where alert = ?1 and term in (select {UNNEST} from alert where id = ?1)
             and term <> all (string_to_array(cast(?2 as text), chr(31)))"
        );
        tx.write(&drop, &[alert.into(), (&text).into()])?;
        tx.write(
            "insert into alert_term (term, alert)
             select term, cast(?1 as bigint) from unnest(string_to_array(ltrim(cast(?2 as text), chr(31)), chr(31))) term
             on conflict do nothing",
            &[alert.into(), (&text).into()],
        )?;
        return Ok(text);
    }
    let before = held(tx, alert)?;
    for gone in before.difference(&terms) {
        tx.write("delete from alert_term where term = ?1 and alert = ?2", &[gone.into(), alert.into()])?;
    }
    let put = "insert into alert_term (term, alert) values (?1, ?2) on conflict do nothing";
    for new in terms.difference(&before) {
        tx.write(put, &[new.into(), alert.into()])?;
    }
    Ok(text)
}

fn put_incident(tx: &Tx<'_>, term: &str, incident: i64) -> Result<(), StoreError> {
    tx.write(
        "insert into incident_term (term, incident) values (?1, ?2) on conflict do nothing",
        &[term.into(), incident.into()],
    )
}

/// The terms that an alert is found by.
fn held(tx: &Tx<'_>, alert: i64) -> Result<BTreeSet<String>, StoreError> {
    let terms = tx.query_one("select terms from alert where id = ?1", &[alert.into()], |row| row.text(0))?;
    Ok(search::split(&terms.unwrap_or_default()))
}

/// An incident is found by what one of its alerts is found by.
pub(super) fn joins(tx: &Tx<'_>, incident: i64, alert: i64) -> Result<(), StoreError> {
    if tx.is_far() {
        let sql = format!(
            "insert into incident_term (term, incident) select {UNNEST}, cast(?1 as bigint) from alert where id = ?2
             on conflict do nothing"
        );
        return tx.write(&sql, &[incident.into(), alert.into()]);
    }
    held(tx, alert)?.iter().try_for_each(|term| put_incident(tx, term, incident))
}

/// The labels that an incident was ever found by: those of alerts stay with it that have become another's. At most so many.
///
/// # Errors
/// What the engine says.
pub fn labels_of(tx: &Tx<'_>, incident: i64, limit: u32) -> Result<Vec<String>, StoreError> {
    let sql = "select term from incident_term where incident = ?1 and term like '=%' order by term limit ?2";
    tx.query(sql, &[incident.into(), i64::from(limit).into()], |row| row.text(0))
}

/// An incident is found by the words of its title.
pub(super) fn opens(tx: &Tx<'_>, incident: i64, title: &str) -> Result<(), StoreError> {
    search::of_title(title).iter().try_for_each(|term| put_incident(tx, term, incident))
}

/// An incident is found by what another is found by, which became part of it.
pub(super) fn takes_in(tx: &Tx<'_>, from: i64, into: i64) -> Result<(), StoreError> {
    tx.write(
        "insert into incident_term (term, incident)
         select term, cast(?2 as bigint) from incident_term where incident = ?1 on conflict do nothing",
        &[from.into(), into.into()],
    )
}

/// Nobody looks for an alert any more. Its row is still there.
pub(super) fn forget_alert(tx: &Tx<'_>, alert: i64) -> Result<(), StoreError> {
    if tx.is_far() {
        let sql = format!(
            "delete from alert_term where alert = ?1 and term in (select {UNNEST} from alert where id = ?1)"
        );
        return tx.write(&sql, &[alert.into()]);
    }
    let sql = "delete from alert_term where term = ?1 and alert = ?2";
    held(tx, alert)?.iter().try_for_each(|term| tx.write(sql, &[term.into(), alert.into()]))
}

/// Nobody looks for an incident any more.
pub(super) fn forget_incident(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.write("delete from incident_term where incident = ?1", &[incident.into()])
}

const UNINDEXED: &str = "from alert where indexed is distinct from wording";

/// Whether everything can be found: nothing is left that an older version wrote.
///
/// # Errors
/// What the engine says.
pub fn is_whole(tx: &Tx<'_>) -> Result<bool, StoreError> {
    let alert =
        tx.query_one(&format!("select id {UNINDEXED} order by indexed desc, id desc limit 1"), &[], |row| {
            row.int(0)
        })?;
    let incident =
        tx.query_one("select id from incident where indexed = 0 limit 1", &[], |row| row.int(0))?;
    Ok(alert.is_none() && incident.is_none())
}

/// Makes what an older version wrote findable, the newest first: at most `limit` alerts and as many incidents. Answers
/// whether there may be more.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn fill(tx: &Tx<'_>, limit: u32) -> Result<bool, StoreError> {
    let sql = format!(
        "select id, title, labels, wording, incident {UNINDEXED} order by indexed desc, id desc limit ?1"
    );
    let alerts = tx.query(&sql, &[i64::from(limit).into()], |row| {
        Ok((row.int(0)?, row.text(1)?, row.text(2)?, row.int(3)?, row.int_or_null(4)?))
    })?;
    for (id, title, labels, wording, incident) in &alerts {
        let terms = reword(tx, *id, title, &serde_json::from_str(labels)?)?;
        let binds: [Bind<'_>; 3] = [(*id).into(), (&terms).into(), (*wording).into()];
        tx.write("update alert set terms = ?2, indexed = ?3 where id = ?1", &binds)?;
        if let Some(incident) = incident {
            joins(tx, *incident, *id)?;
        }
    }
    let incidents = tx.query(
        "select id, title from incident where indexed = 0 order by id desc limit ?1",
        &[i64::from(limit).into()],
        |row| Ok((row.int(0)?, row.text(1)?)),
    )?;
    for (id, title) in &incidents {
        opens(tx, *id, title)?;
        let theirs = "select id from alert where incident = ?1 limit ?2";
        for alert in tx.query(theirs, &[(*id).into(), ALERTS_MAX.into()], |row| row.int(0))? {
            joins(tx, *id, alert)?;
        }
        tx.write("update incident set indexed = 1 where id = ?1", &[(*id).into()])?;
    }
    Ok(alerts.len().max(incidents.len()) >= usize::try_from(limit).unwrap_or(usize::MAX))
}
