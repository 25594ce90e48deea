//! Which incident an alert belongs to when it is not its own: what is open, and alerts that go from one to another.

use jiff::{SignedDuration, Timestamp};

use super::{Bind, Row, StoreError, Tx, history};
use crate::core::alert::AlertSeverity;
use crate::core::correlate::Candidate;
use crate::core::incident::Severity;

/// Most open incidents of one service that are looked at, the busiest first.
pub const OPEN_MAX: u32 = 64;

const CANDIDATE: &str =
    "select id, leads, grp, opened_at, joined_at, phase, storm, severity, firing from incident where";

/// Open incidents that some services lead, those first that an alert joined last; at most [`OPEN_MAX`] of one service, and
/// as many again for each more.
///
/// # Errors
/// What the engine says.
pub fn open_of(tx: &Tx<'_>, services: &[&str]) -> Result<Vec<Candidate>, StoreError> {
    let places: Vec<String> = (1..=services.len()).map(|number| format!("?{number}")).collect();
    let mut binds: Vec<Bind<'_>> = services.iter().map(|service| (*service).into()).collect();
    let limit = i64::from(OPEN_MAX).saturating_mul(i64::try_from(services.len()).unwrap_or(i64::MAX));
    binds.push(limit.into());
    let sql = format!(
        "{CANDIDATE} leads in ({}) and phase <> 'resolved' and drill = 0 order by joined_at desc, id desc limit ?{}",
        places.join(", "),
        binds.len()
    );
    tx.query(&sql, &binds, read)
}

/// Incidents that were opened within a while and are still open, the newest first and at most `most`; and open storms.
///
/// # Errors
/// What the engine says.
pub fn recent(tx: &Tx<'_>, within: SignedDuration, most: u32) -> Result<Vec<Candidate>, StoreError> {
    let since = tx.now.saturating_sub(within).unwrap_or(Timestamp::MIN);
    let mut open = tx.query(
        &format!(
            "{CANDIDATE} opened_at > ?1 and opened_at <= ?2 and phase <> 'resolved' and drill = 0
             order by opened_at desc, id desc limit ?3"
        ),
        &[since.into(), tx.now.into(), i64::from(most).into()],
        read,
    )?;
    let storms = tx.query(
        &format!("{CANDIDATE} storm = 1 and phase <> 'resolved' and joined_at > ?1 and drill = 0"),
        &[since.into()],
        read,
    )?;
    open.extend(storms);
    open.sort_by_key(|one| one.id);
    open.dedup_by_key(|one| one.id);
    Ok(open)
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

/// One incident as it may be joined, if it is open.
///
/// # Errors
/// What the engine says.
pub fn candidate(tx: &Tx<'_>, id: i64) -> Result<Option<Candidate>, StoreError> {
    tx.query_one(&format!("{CANDIDATE} id = ?1 and phase <> 'resolved'"), &[id.into()], read)
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
    // Whoever was to be woken, and is not already by a page of the other, still is.
    tx.write(
        "update letter set incident = ?2 where incident = ?1 and kind in ('page', 'help', 'pio_page')
         and state in ('pending', 'sending') and not exists (
           select 1 from letter other where other.incident = ?2 and other.person = letter.person and other.kind = letter.kind
             and other.state in ('pending', 'sending', 'accepted', 'unknown')
             and other.created_at >= (select coalesce(max(at), 0) from entry where incident = ?2 and kind = 'reopened'))",
        &[from.into(), into.into()],
    )?;
    history::takes_in(tx, from, into)?;
    Ok(moved)
}

/// How many alerts came from an incident and still belong to where they went, and how many of them fire.
///
/// # Errors
/// What the engine says.
pub fn gone(tx: &Tx<'_>, from: i64, into: i64) -> Result<(u32, u32), StoreError> {
    let sql = "select count(*), count(case when status = 'firing' then 1 end) from alert join alert_move on alert = id
         where from_incident = ?1 and into_incident = ?2 and incident = ?2";
    count(tx, sql, from, Some(into))
}

/// Gives those alerts back.
///
/// # Errors
/// What the engine says.
pub fn back(tx: &Tx<'_>, from: i64, into: i64) -> Result<(), StoreError> {
    tx.write(
        "update alert set incident = ?1, closed_at = null, suppressed_by = null, inhibited = null where incident = ?2
         and id in (select alert from alert_move where from_incident = ?1 and into_incident = ?2)",
        &[from.into(), into.into()],
    )?;
    tx.write(
        "delete from alert_move where from_incident = ?1 and into_incident = ?2",
        &[from.into(), into.into()],
    )
}

/// An alert that may be taken out of its incident.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its number.
    pub alert: i64,
    /// Whether it fires.
    pub fires: bool,
    /// One line.
    pub title: String,
    /// What it is about.
    pub service: String,
    /// How bad its sender says it is.
    pub severity: Option<AlertSeverity>,
}

/// An alert, if it belongs to an incident.
///
/// # Errors
/// What the engine says.
pub fn of(tx: &Tx<'_>, source: &str, key: &str, incident: i64) -> Result<Option<Part>, StoreError> {
    tx.query_one(
        "select id, status, title, service, severity from alert where source = ?1 and key = ?2 and incident = ?3",
        &[source.into(), key.into(), incident.into()],
        |row| {
            Ok(Part {
                alert: row.int(0)?,
                fires: row.text_ref(1)? == "firing",
                title: row.text(2)?,
                service: row.text(3)?,
                severity: row.text_or_null(4)?.as_deref().and_then(AlertSeverity::from_word),
            })
        },
    )
}

/// How many alerts belong to an incident.
///
/// # Errors
/// What the engine says.
pub fn count_of(tx: &Tx<'_>, incident: i64) -> Result<i64, StoreError> {
    let counted =
        tx.query_one("select count(*) from alert where incident = ?1", &[incident.into()], |row| row.int(0))?;
    Ok(counted.unwrap_or_default())
}

/// Gives one alert to another incident.
///
/// # Errors
/// What the engine says.
pub fn one(tx: &Tx<'_>, alert: i64, into: i64) -> Result<(), StoreError> {
    tx.write(
        "update alert set incident = ?2, closed_at = null, suppressed_by = null, inhibited = null where id = ?1",
        &[alert.into(), into.into()],
    )?;
    history::joins(tx, into, alert)
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

fn read(row: &Row<'_>) -> Result<Candidate, StoreError> {
    let severity = Severity::from_word(row.text_ref(7)?);
    Ok(Candidate {
        id: row.int(0)?,
        service: row.text(1)?,
        group: row.text(2)?,
        opened_at: row.time(3)?,
        joined_at: row.time(4)?,
        taken: row.text_ref(5)? != "triggered",
        storm: row.int(6)? == 1,
        severity: severity.ok_or(StoreError::Decode("an unknown severity"))?,
        firing: u32::try_from(row.int(8)?).map_err(|_| StoreError::Decode("alerts out of range"))?,
    })
}
