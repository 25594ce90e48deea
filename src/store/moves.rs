//! Which incident an alert belongs to when it is not its own: what is open, and alerts that go from one to another.

use jiff::{SignedDuration, Timestamp};

use super::{Bind, Row, StoreError, Tx, history};
use crate::core::correlate::Candidate;

/// Most open incidents of one service that are looked at, the busiest first.
pub const OPEN_MAX: u32 = 64;

const CANDIDATE: &str = "select id, leads, grp, opened_at, joined_at, phase, storm from incident where";

/// Open incidents that a service leads, those first that an alert joined last; at most [`OPEN_MAX`].
///
/// # Errors
/// What the engine says.
pub fn open_of(tx: &Tx<'_>, service: &str) -> Result<Vec<Candidate>, StoreError> {
    let sql = format!(
        "{CANDIDATE} leads = ?1 and phase <> 'resolved' and drill = 0 order by joined_at desc, id desc limit ?2"
    );
    let found = tx.query(&sql, &[service.into(), i64::from(OPEN_MAX).into()], read)?;
    Ok(found.into_iter().map(|(candidate, _)| candidate).collect())
}

/// Incidents that were opened within a while and are open, and open storms; and how many were opened, at most `most`.
///
/// # Errors
/// What the engine says.
pub fn recent(tx: &Tx<'_>, within: SignedDuration, most: u32) -> Result<(Vec<Candidate>, u32), StoreError> {
    let since = tx.now.saturating_sub(within).unwrap_or(Timestamp::MIN);
    let opened = tx.query(
        &format!("{CANDIDATE} opened_at > ?1 and drill = 0 order by opened_at desc, id desc limit ?2"),
        &[since.into(), i64::from(most).into()],
        read,
    )?;
    let storms = tx.query(
        &format!("{CANDIDATE} storm = 1 and phase <> 'resolved' and joined_at > ?1 and drill = 0"),
        &[since.into()],
        read,
    )?;
    let count = u32::try_from(opened.len()).unwrap_or(u32::MAX);
    let mut open: Vec<Candidate> = Vec::new();
    for (candidate, is_open) in opened.into_iter().chain(storms) {
        if is_open && !open.iter().any(|one| one.id == candidate.id) {
            open.push(candidate);
        }
    }
    Ok((open, count))
}

/// The newest incident, not over, that holds an alert of this source and service that its sender groups so.
///
/// # Errors
/// What the engine says.
pub fn grouped(tx: &Tx<'_>, source: &str, group: &str, service: &str) -> Result<Option<i64>, StoreError> {
    tx.query_one(
        "select alert.incident from alert join incident on incident.id = alert.incident
         where alert.source = ?1 and alert.grp = ?2 and alert.service = ?3 and incident.phase <> 'resolved'
         order by alert.incident desc limit 1",
        &[source.into(), group.into(), service.into()],
        |row| row.int(0),
    )
}

/// Gives every alert of an incident to another, and remembers that. Answers how many went, and how many of them fire.
///
/// # Errors
/// What the engine says.
pub fn all(tx: &Tx<'_>, from: i64, into: i64) -> Result<(u32, u32), StoreError> {
    tx.write(
        "insert into alert_move (alert, from_incident, into_incident, moved_at)
         select id, incident, cast(?2 as bigint), cast(?3 as bigint) from alert where incident = ?1",
        &[from.into(), into.into(), tx.now.into()],
    )?;
    let moved = count(
        tx,
        "select count(*), count(case when status = 'firing' then 1 end) from alert where incident = ?1",
        from,
        None,
    )?;
    tx.write("update alert set incident = ?2 where incident = ?1", &[from.into(), into.into()])?;
    history::takes_in(tx, from, into)?;
    Ok(moved)
}

/// Gives the alerts back that came from an incident and still belong to where they went. Answers as [`all`].
///
/// # Errors
/// What the engine says.
pub fn back(tx: &Tx<'_>, from: i64, into: i64) -> Result<(u32, u32), StoreError> {
    let moved = count(
        tx,
        "select count(*), count(case when status = 'firing' then 1 end) from alert join alert_move on alert = id
         where from_incident = ?1 and into_incident = ?2 and incident = ?2",
        from,
        Some(into),
    )?;
    tx.write(
        "update alert set incident = ?1, closed_at = null where incident = ?2
         and id in (select alert from alert_move where from_incident = ?1 and into_incident = ?2)",
        &[from.into(), into.into()],
    )?;
    tx.write(
        "delete from alert_move where from_incident = ?1 and into_incident = ?2",
        &[from.into(), into.into()],
    )?;
    Ok(moved)
}

/// Gives one alert to another incident. `None` when it is not of the first; else whether it fires.
///
/// # Errors
/// What the engine says.
pub fn one(tx: &Tx<'_>, source: &str, key: &str, from: i64, into: i64) -> Result<Option<bool>, StoreError> {
    let found = tx.query_one(
        "select id, status from alert where source = ?1 and key = ?2 and incident = ?3",
        &[source.into(), key.into(), from.into()],
        |row| Ok((row.int(0)?, row.text(1)? == "firing")),
    )?;
    let Some((id, fires)) = found else { return Ok(None) };
    tx.write("update alert set incident = ?2, closed_at = null where id = ?1", &[id.into(), into.into()])?;
    history::joins(tx, into, id)?;
    Ok(Some(fires))
}

/// Forgets which alerts came to an incident, or went from it.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.write("delete from alert_move where from_incident = ?1 or into_incident = ?1", &[incident.into()])
}

fn count(tx: &Tx<'_>, sql: &str, from: i64, into: Option<i64>) -> Result<(u32, u32), StoreError> {
    let mut binds: Vec<Bind<'_>> = vec![from.into()];
    binds.extend(into.map(Bind::from));
    let counted = tx.query_one(sql, &binds, |row| Ok((row.int(0)?, row.int(1)?)))?.unwrap_or_default();
    Ok((u32::try_from(counted.0).unwrap_or(u32::MAX), u32::try_from(counted.1).unwrap_or(u32::MAX)))
}

fn read(row: &Row<'_>) -> Result<(Candidate, bool), StoreError> {
    let phase = row.text(5)?;
    let candidate = Candidate {
        id: row.int(0)?,
        service: row.text(1)?,
        group: row.text(2)?,
        opened_at: row.time(3)?,
        joined_at: row.time(4)?,
        taken: phase != "triggered",
        storm: row.int(6)? == 1,
    };
    Ok((candidate, phase != "resolved"))
}
