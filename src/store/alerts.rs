//! Alerts: one condition at one source, and what was last heard of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Bind, Row, StoreError, Tx};
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
    /// When it was last said to fire or to be over.
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

const KNOWN: &str = "select id, status, changed_at, incident, closed_at, taken_at, wording from alert
     where source = ?1 and key = ?2";

/// What is known of an alert.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn known(tx: &Tx<'_>, source: &str, key: &str) -> Result<Option<Known>, StoreError> {
    tx.query_one(KNOWN, &[source.into(), key.into()], read_known)
}

/// What is known of many alerts, by source and key.
///
/// # Errors
/// As [`known`].
pub fn known_each(tx: &Tx<'_>, alerts: &[(&str, &str)]) -> Result<Vec<Option<Known>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> =
        alerts.iter().map(|(source, key)| vec![(*source).into(), (*key).into()]).collect();
    tx.query_each(KNOWN, &binds, read_known)
}

fn read_known(row: &Row<'_>) -> Result<Known, StoreError> {
    let status = match row.text_ref(1)? {
        "firing" => Status::Firing,
        "resolved" => Status::Resolved,
        _ => return Err(StoreError::Decode("an alert with an unknown status")),
    };
    Ok(Known {
        id: row.int(0)?,
        status,
        changed_at: row.time(2)?,
        incident: row.int_or_null(3)?,
        closed_at: row.time_or_null(4)?,
        taken_at: row.time(5)?,
        wording: row.int(6)?,
    })
}

/// Writes what an event that changed its alert said: `event.status` is its status from now on. `id` is the
/// alert's number; `None` when it is new. `hours`: since when, by the sender's clock, when we heard of it, and of which hour
/// it speaks.
/// Answers the number.
///
/// # Errors
/// What the engine says.
pub fn put(
    tx: &Tx<'_>,
    id: Option<i64>,
    place: Place<'_>,
    event: &Event,
    hours: (Timestamp, Timestamp, Timestamp),
) -> Result<i64, StoreError> {
    let id = match id {
        Some(id) => {
            heard(tx, id, 1, Some(hours.2))?;
            id
        }
        None => add(tx, place.source, &event.key, hours.2)?,
    };
    tx.write(
        "update alert set service = ?2, status = ?3, changed_at = ?4, taken_at = ?5, incident = ?6,
           closed_at = null where id = ?1",
        &[
            id.into(),
            place.service.into(),
            event.status.as_str().into(),
            hours.0.into(),
            hours.1.into(),
            place.incident.into(),
        ],
    )?;
    words(tx, id, event)?;
    Ok(id)
}

fn add(tx: &Tx<'_>, source: &str, key: &str, heard_at: Timestamp) -> Result<i64, StoreError> {
    let id = tx.next_number("alert")?;
    tx.write(
        "insert into alert (id, source, key, service, status, first_seen, changed_at, taken_at, wording, title,
                            body, labels, links)
         values (?1, ?2, ?3, '', 'resolved', ?4, 0, ?4, 0, '', '', '{}', '[]')",
        &[id.into(), source.into(), key.into(), tx.now.into()],
    )?;
    tx.write(
        "insert into alert_heard (alert, count, last_seen) values (?1, 1, ?2)",
        &[id.into(), heard_at.into()],
    )?;
    Ok(id)
}

/// Writes what an event says to people. One that says no severity leaves the last one.
///
/// # Errors
/// What the engine says.
pub fn words(tx: &Tx<'_>, id: i64, event: &Event) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&event.labels)?;
    let links = serde_json::to_string(&event.links)?;
    tx.write(
        "update alert set wording = ?2, severity = coalesce(?3, severity), title = ?4, body = ?5, labels = ?6,
           links = ?7 where id = ?1",
        &[
            id.into(),
            event.wording().into(),
            event.severity.map(AlertSeverity::as_str).into(),
            (&event.title).into(),
            (&event.body).into(),
            (&labels).into(),
            (&links).into(),
        ],
    )?;
    Ok(())
}

/// Counts events, and when the last of them that said how the alert stands was heard. One that was held for a while
/// does not make it seem that nothing was heard since, unless that was in a future that never was.
///
/// # Errors
/// What the engine says.
pub fn heard(tx: &Tx<'_>, id: i64, times: i64, at: Option<Timestamp>) -> Result<(), StoreError> {
    match at {
        Some(at) => tx.write(SAID, &[id.into(), times.into(), at.into(), tx.now.into()]),
        None => tx.write(HEARD, &[id.into(), times.into()]),
    }
}

const HEARD: &str = "update alert_heard set count = count + ?2 where alert = ?1";
const SAID: &str = "update alert_heard set count = count + ?2,
     last_seen = case when last_seen > ?3 and last_seen <= ?4 then last_seen else ?3 end where alert = ?1";

/// The same, of many alerts, each of which stands there once.
///
/// # Errors
/// What the engine says.
pub fn heard_each(tx: &Tx<'_>, heard: &[(i64, i64, Option<Timestamp>)]) -> Result<(), StoreError> {
    if !tx.is_far() {
        return heard.iter().try_for_each(|(id, times, at)| self::heard(tx, *id, *times, *at));
    }
    let (mut said, mut only_heard) = (Vec::new(), Vec::new());
    for (id, times, at) in heard {
        match at {
            Some(at) => said.push(vec![(*id).into(), (*times).into(), (*at).into(), tx.now.into()]),
            None => only_heard.push(vec![(*id).into(), (*times).into()]),
        }
    }
    tx.write_each(HEARD, &only_heard)?;
    tx.write_each(SAID, &said)
}

const LAST_HEARD: &str = "select last_seen from alert_heard where alert = ?1";

/// When an alert was last said to fire or to be over.
///
/// # Errors
/// What the engine says.
pub fn last_heard(tx: &Tx<'_>, id: i64) -> Result<Option<Timestamp>, StoreError> {
    tx.query_one(LAST_HEARD, &[id.into()], |row| row.time(0))
}

/// The same, of many alerts.
///
/// # Errors
/// What the engine says.
pub fn last_heard_each(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<Timestamp>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    tx.query_each(LAST_HEARD, &binds, |row| row.time(0))
}

/// Forgets alerts that belong to no incident, are over (or whose incident people ended while they fired),
/// and were last heard of before this hour; at most `limit`. Answers how many.
///
/// # Errors
/// What the engine says.
pub fn forget_loose(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let old = tx.query(
        "select id from alert join alert_heard on alert = id
         where incident is null and changed_at < ?1 and last_seen < ?1
           and (status = 'resolved' or closed_at is not null) limit ?2",
        &[before.into(), i64::from(limit).into()],
        |row| row.int(0),
    )?;
    for id in &old {
        tx.write("delete from alert_heard where alert = ?1", &[(*id).into()])?;
        tx.write("delete from alert where id = ?1", &[(*id).into()])?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(0))
}

/// The newest incident of a service, not over, to which an alert with this key belongs, whatever its source.
///
/// # Errors
/// What the engine says.
pub fn open_incident_with(tx: &Tx<'_>, service: &str, key: &str) -> Result<Option<i64>, StoreError> {
    tx.query_one(OPEN_WITH, &[service.into(), key.into()], |row| row.int(0))
}

/// The same, for many services and keys.
///
/// # Errors
/// What the engine says.
pub fn open_incident_with_each(tx: &Tx<'_>, wanted: &[(&str, &str)]) -> Result<Vec<Option<i64>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> =
        wanted.iter().map(|(service, key)| vec![(*service).into(), (*key).into()]).collect();
    tx.query_each(OPEN_WITH, &binds, |row| row.int(0))
}

const OPEN_WITH: &str = "select alert.incident from alert join incident on incident.id = alert.incident
     where alert.service = ?1 and alert.key = ?2 and incident.service = ?1 and incident.phase <> 'resolved'
     order by alert.incident desc limit 1";

/// The alerts of an incident, firing ones first, at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn of_incident(tx: &Tx<'_>, incident: i64, limit: u32) -> Result<Vec<Shown>, StoreError> {
    tx.query(
        "select source, key, status, severity, title, body, labels, links, count, first_seen, last_seen, changed_at
         from alert join alert_heard on alert = id
         where incident = ?1 order by status, first_seen, source, key limit ?2",
        &[incident.into(), i64::from(limit).into()],
        show,
    )
}

/// How many events the alerts of an incident have had.
///
/// # Errors
/// What the engine says.
pub fn events_of(tx: &Tx<'_>, incident: i64) -> Result<i64, StoreError> {
    let sql = "select cast(coalesce(sum(count), 0) as bigint) from alert join alert_heard on alert = id where incident = ?1";
    Ok(tx.query_one(sql, &[incident.into()], |row| row.int(0))?.unwrap_or(0))
}

/// Remembers that people ended an incident although some of its alerts still fire.
///
/// # Errors
/// What the engine says.
pub fn close(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.write(
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
    tx.write(
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
