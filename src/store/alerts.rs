//! Alerts: one condition at one source, and what was last heard of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Row, StoreError, Tx};
use crate::core::alert::{AlertSeverity, Event, Known, Status};

/// An alert as people see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Where it comes from.
    pub source: String,
    /// Its key there.
    pub key: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// `critical`, `error`, `warning`, `info`, when the sender says so.
    pub severity: Option<String>,
    /// One line.
    pub title: String,
    /// More text.
    pub body: String,
    /// Names and values.
    pub labels: BTreeMap<String, String>,
    /// Addresses worth opening.
    pub links: Vec<String>,
    /// How many events said something about it.
    pub count: i64,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// Since when it has its status, by the sender's clock where that can be believed.
    pub changed_at: Timestamp,
}

/// Where an alert belongs after an event.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The service it is about.
    pub service: &'a str,
    /// The incident it belongs to from now on.
    pub incident: Option<i64>,
}

/// What is known of an alert.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn known(tx: &Tx<'_>, source: &str, key: &str) -> Result<Option<Known>, StoreError> {
    tx.query_one(
        "select status, changed_at, incident, closed_at, taken_at, wording from alert where source = ?1 and key = ?2",
        &[source.into(), key.into()],
        |row| {
            let status = match row.text(0)?.as_str() {
                "firing" => Status::Firing,
                "resolved" => Status::Resolved,
                _ => return Err(StoreError::Decode("an alert with an unknown status")),
            };
            Ok(Known {
                status,
                changed_at: row.time(1)?,
                incident: row.int_or_null(2)?,
                closed_at: row.time_or_null(3)?,
                taken_at: row.time(4)?,
                wording: row.int(5)?,
            })
        },
    )
}

/// Writes what an event that changed its alert said: `event.status` is its status from now on.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, place: Place<'_>, event: &Event, changed_at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "insert into alert (source, key, service, status, count, first_seen, last_seen, changed_at, taken_at,
                            incident, closed_at, wording)
         values (?1, ?2, ?3, ?4, 1, ?5, ?5, ?6, ?5, ?7, null, ?8)
         on conflict (source, key) do update set
           service = excluded.service, status = excluded.status,
           count = alert.count + 1, last_seen = excluded.last_seen,
           changed_at = case when excluded.changed_at > alert.changed_at then excluded.changed_at
             else alert.changed_at end,
           taken_at = excluded.taken_at, incident = excluded.incident, closed_at = null,
           wording = excluded.wording",
        &[
            place.source.into(),
            (&event.key).into(),
            place.service.into(),
            event.status.as_str().into(),
            tx.now.into(),
            changed_at.into(),
            place.incident.into(),
            event.wording().into(),
        ],
    )?;
    words(tx, place.source, event)
}

/// Writes what an event says to people. One that says no severity leaves the last one.
fn words(tx: &Tx<'_>, source: &str, event: &Event) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&event.labels)?;
    let links = serde_json::to_string(&event.links)?;
    tx.execute(
        "insert into alert_words (source, key, severity, title, body, labels, links)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (source, key) do update set
           severity = coalesce(excluded.severity, alert_words.severity), title = excluded.title,
           body = excluded.body, labels = excluded.labels, links = excluded.links",
        &[
            source.into(),
            (&event.key).into(),
            event.severity.map(AlertSeverity::as_str).into(),
            (&event.title).into(),
            (&event.body).into(),
            (&labels).into(),
            (&links).into(),
        ],
    )?;
    Ok(())
}

/// Counts an event that changed nothing.
///
/// # Errors
/// What the engine says.
pub fn touch(tx: &Tx<'_>, source: &str, key: &str) -> Result<(), StoreError> {
    tx.execute(
        "update alert set count = count + 1, last_seen = ?3 where source = ?1 and key = ?2",
        &[source.into(), key.into(), tx.now.into()],
    )?;
    Ok(())
}

/// Counts a repeat that says something else than the event before it.
///
/// # Errors
/// What the engine says.
pub fn repeat(tx: &Tx<'_>, source: &str, event: &Event) -> Result<(), StoreError> {
    tx.execute(
        "update alert set count = count + 1, last_seen = ?3, wording = ?4 where source = ?1 and key = ?2",
        &[source.into(), (&event.key).into(), tx.now.into(), event.wording().into()],
    )?;
    words(tx, source, event)
}

/// Forgets recovered alerts that belong to no incident and were last heard of before this hour.
///
/// # Errors
/// What the engine says.
pub fn forget_loose(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<(), StoreError> {
    let old = tx.query(
        "select source, key from alert where incident is null and last_seen < ?1 and status = 'resolved' limit ?2",
        &[before.into(), i64::from(limit).into()],
        |row| Ok((row.text(0)?, row.text(1)?)),
    )?;
    for (source, key) in &old {
        for sql in [
            "delete from alert_words where source = ?1 and key = ?2",
            "delete from alert where source = ?1 and key = ?2",
        ] {
            tx.execute(sql, &[source.into(), key.into()])?;
        }
    }
    Ok(())
}

/// The newest incident of a service, not over, to which an alert with this key belongs, whatever its source.
///
/// # Errors
/// What the engine says.
pub fn open_incident_with(tx: &Tx<'_>, service: &str, key: &str) -> Result<Option<i64>, StoreError> {
    tx.query_one(
        "select alert.incident from alert join incident on incident.id = alert.incident
         where alert.service = ?1 and alert.key = ?2 and incident.service = ?1 and incident.phase <> 'resolved'
         order by alert.incident desc limit 1",
        &[service.into(), key.into()],
        |row| row.int(0),
    )
}

/// The alerts of an incident, firing ones first, at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn of_incident(tx: &Tx<'_>, incident: i64, limit: u32) -> Result<Vec<Shown>, StoreError> {
    tx.query(
        "select alert.source, alert.key, status, severity, title, body, labels, links, count, first_seen, last_seen,
           changed_at
         from alert join alert_words on alert_words.source = alert.source and alert_words.key = alert.key
         where incident = ?1 order by status, first_seen, alert.source, alert.key limit ?2",
        &[incident.into(), i64::from(limit).into()],
        show,
    )
}

/// How many events the alerts of an incident have had.
///
/// # Errors
/// What the engine says.
pub fn events_of(tx: &Tx<'_>, incident: i64) -> Result<i64, StoreError> {
    let sql = "select coalesce(sum(count), 0) from alert where incident = ?1";
    Ok(tx.query_one(sql, &[incident.into()], |row| row.int(0))?.unwrap_or(0))
}

/// Remembers that people ended an incident although some of its alerts still fire.
///
/// # Errors
/// What the engine says.
pub fn close(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.execute(
        "update alert set closed_at = ?2 where incident = ?1 and status = 'firing'",
        &[incident.into(), tx.now.into()],
    )?;
    Ok(())
}

/// Takes back [`close`]: the incident is open again.
///
/// # Errors
/// What the engine says.
pub fn reopen(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.execute(
        "update alert set closed_at = null where incident = ?1 and closed_at is not null",
        &[incident.into()],
    )?;
    Ok(())
}

fn show(row: &Row<'_>) -> Result<Shown, StoreError> {
    Ok(Shown {
        source: row.text(0)?,
        key: row.text(1)?,
        status: row.text(2)?,
        severity: row.text_or_null(3)?,
        title: row.text(4)?,
        body: row.text(5)?,
        labels: serde_json::from_str(&row.text(6)?)?,
        links: serde_json::from_str(&row.text(7)?)?,
        count: row.int(8)?,
        first_seen: row.time(9)?,
        last_seen: row.time(10)?,
        changed_at: row.time(11)?,
    })
}
