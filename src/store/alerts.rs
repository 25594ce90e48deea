//! Alerts: one condition at one source, and what was last heard of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::nodes::Hearing;
use super::{Bind, Row, StoreError, Tx, history};
use crate::core::alert::{AlertSeverity, Event, Known, Status};
use crate::core::flapping::History;

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

/// A sender that could not be heard has as long again as it gives itself, and no longer than this.
const EXCUSED_MAX: SignedDuration = SignedDuration::from_hours(6);

const KNOWN: &str = "select id, status, changed_at, incident, closed_at, taken_at, wording, coalesce(said_hour, changed_at), changes,
     flaps_since from alert
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
        said_hour: row.time(7)?,
        history: History { changes: row.text(8)?, since: row.time_or_null(9)? },
    })
}

/// When something about an alert was so.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    /// Since when it is so, by the sender's clock.
    pub since: Timestamp,
    /// The newest hour of which the sender said so.
    pub newest: Timestamp,
    /// When we heard of it.
    pub taken: Timestamp,
    /// Of which hour the event speaks; `None` when there was none, and the change is our own.
    pub said: Option<Timestamp>,
}

/// Writes what an event that changed its alert said: `event.status` is its status from now on. `known`: what was
/// known of the alert; `None` when it is new. No silence and no other alert keeps it quiet from now on.
/// Answers the number.
///
/// # Errors
/// What the engine says.
pub fn put(
    tx: &Tx<'_>,
    known: Option<&Known>,
    place: Place<'_>,
    event: &Event,
    hours: Hours,
    history: &History,
) -> Result<i64, StoreError> {
    let id = match (known.map(|known| known.id), hours.said) {
        (Some(id), Some(at)) => {
            heard(tx, id, 1, Some(Said { at, until: event.expires_at }))?;
            id
        }
        (Some(id), None) => id,
        (None, said) => add(tx, place.source, event, said.unwrap_or(tx.now))?,
    };
    tx.write(
        "update alert set service = ?2, status = ?3, changed_at = ?4, taken_at = ?5, incident = ?6,
           said_hour = ?10, closed_at = null, suppressed_by = null, inhibited = null,
           grp = coalesce(?7, grp), changes = ?8, flaps_since = ?9 where id = ?1",
        &[
            id.into(),
            place.service.into(),
            event.status.as_str().into(),
            hours.since.into(),
            hours.taken.into(),
            place.incident.into(),
            event.group.as_deref().into(),
            (&history.changes).into(),
            history.since.into(),
            (hours.newest > hours.since).then_some(hours.newest).into(),
        ],
    )?;
    let reworded = known.is_none_or(|known| known.wording != event.wording());
    if reworded {
        words(tx, id, event)?;
    }
    if let Some(incident) = place.incident
        && event.status == Status::Firing
        && (reworded || known.and_then(|known| known.incident) != Some(incident))
    {
        history::joins(tx, incident, id)?;
    }
    Ok(id)
}

fn add(tx: &Tx<'_>, source: &str, event: &Event, heard_at: Timestamp) -> Result<i64, StoreError> {
    let id = tx.next_number("alert")?;
    tx.write(
        "insert into alert (id, source, key, service, status, first_seen, changed_at, taken_at, wording, indexed, title,
                            body, labels, links)
         values (?1, ?2, ?3, '', 'resolved', ?4, 0, ?4, 0, 0, '', '', '{}', '[]')",
        &[id.into(), source.into(), (&event.key).into(), tx.now.into()],
    )?;
    tx.write(
        "insert into alert_heard (alert, count, last_seen, expires_at) values (?1, 1, ?2, ?3)",
        &[id.into(), heard_at.into(), event.expires_at.into()],
    )?;
    Ok(id)
}

/// An alert was said to be as it is, of a later hour than before.
///
/// # Errors
/// What the engine says.
pub fn said_later(tx: &Tx<'_>, id: i64, hour: Timestamp) -> Result<(), StoreError> {
    tx.write("update alert set said_hour = ?2 where id = ?1", &[id.into(), hour.into()])
}

/// Writes what an event says to people. One that says no severity leaves the last one.
///
/// # Errors
/// What the engine says.
pub fn words(tx: &Tx<'_>, id: i64, event: &Event) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&event.labels)?;
    let links = serde_json::to_string(&event.links)?;
    let terms = history::reword(tx, id, &event.title, &event.labels)?;
    tx.write(
        "update alert set wording = ?2, indexed = ?2, severity = coalesce(?3, severity), title = ?4, body = ?5, labels = ?6,
           links = ?7, terms = ?8 where id = ?1",
        &[
            id.into(),
            event.wording().into(),
            event.severity.map(AlertSeverity::as_str).into(),
            (&event.title).into(),
            (&event.body).into(),
            (&labels).into(),
            (&links).into(),
            (&terms).into(),
        ],
    )?;
    Ok(())
}

/// How an alert stands was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// Of which hour.
    pub at: Timestamp,
    /// It is over when it is not said again by then.
    pub until: Option<Timestamp>,
}

/// Counts events, and when the last of them that said how the alert stands was heard. One that was held for a while
/// does not make it seem that nothing was heard since, unless that was in a future that never was.
///
/// # Errors
/// What the engine says.
pub fn heard(tx: &Tx<'_>, id: i64, times: i64, said: Option<Said>) -> Result<(), StoreError> {
    match said {
        Some(Said { at, until: None }) => {
            tx.write(SAID, &[id.into(), times.into(), at.into(), tx.now.into()])
        }
        Some(Said { at, until: Some(until) }) => {
            tx.write(SAID_UNTIL, &[id.into(), times.into(), at.into(), tx.now.into(), until.into()])
        }
        None => tx.write(HEARD, &[id.into(), times.into()]),
    }
}

const HEARD: &str = "update alert_heard set count = count + ?2 where alert = ?1";
const SAID: &str = "update alert_heard set count = count + ?2,
     last_seen = case when last_seen > ?3 and last_seen <= ?4 then last_seen else ?3 end, expires_at = null
     where alert = ?1";
const SAID_UNTIL: &str = "update alert_heard set count = count + ?2,
     last_seen = case when last_seen > ?3 and last_seen <= ?4 then last_seen else ?3 end,
     expires_at = case when last_seen > ?3 and last_seen <= ?4 then expires_at else ?5 end where alert = ?1";

/// The same, of many alerts, each of which stands there once.
///
/// # Errors
/// What the engine says.
pub fn heard_each(tx: &Tx<'_>, heard: &[(i64, i64, Option<Said>)]) -> Result<(), StoreError> {
    let (mut plain, mut until, mut only_heard) = (Vec::new(), Vec::new(), Vec::new());
    for (id, times, said) in heard {
        let mut binds: Vec<Bind<'_>> = vec![(*id).into(), (*times).into()];
        let Some(said) = said else {
            only_heard.push(binds);
            continue;
        };
        binds.extend([Bind::from(said.at), tx.now.into()]);
        match said.until {
            None => plain.push(binds),
            Some(at) => {
                binds.push(at.into());
                until.push(binds);
            }
        }
    }
    tx.write_each(HEARD, &only_heard)?;
    tx.write_each(SAID, &plain)?;
    tx.write_each(SAID_UNTIL, &until)
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

/// Forgets alerts that belong to no incident, are over (or whose incident people ended while they fired, unless something holds
/// them back since), and were last heard of before this hour; at most `limit`. Answers how many.
///
/// # Errors
/// What the engine says.
pub fn forget_loose(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let old = tx.query(
        "select id from alert join alert_heard on alert = id
         where incident is null and changed_at < ?1 and last_seen < ?1
           and (status = 'resolved' or (closed_at is not null and suppressed_by is null)) limit ?2",
        &[before.into(), i64::from(limit).into()],
        |row| row.int(0),
    )?;
    for id in &old {
        history::forget_alert(tx, *id)?;
        tx.write("delete from alert_heard where alert = ?1", &[(*id).into()])?;
        super::inhibitors::forget(tx, *id)?;
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
     where alert.service = ?1 and alert.key = ?2 and incident.phase <> 'resolved'
     order by alert.incident desc limit 1";

/// The alerts of an incident, firing ones first, and of these those of the service at fault; at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn of_incident(tx: &Tx<'_>, incident: i64, limit: u32) -> Result<Vec<Shown>, StoreError> {
    tx.query(OF_INCIDENT, &[incident.into(), i64::from(limit).into()], show)
}

/// Walks through the alerts of an incident in the same order, at most `limit`, without keeping any.
///
/// # Errors
/// What the engine says.
pub fn each_of_incident(
    tx: &Tx<'_>,
    incident: i64,
    limit: u32,
    each: impl FnMut(&Shown),
) -> Result<(), StoreError> {
    each_of(tx, OF_INCIDENT, (incident, limit), each)
}

fn each_of(
    tx: &Tx<'_>,
    sql: &str,
    (incident, limit): (i64, u32),
    mut each: impl FnMut(&Shown),
) -> Result<(), StoreError> {
    let binds = [incident.into(), i64::from(limit).into()];
    let show = |row: &Row<'_>| {
        each(&show(row)?);
        Ok(())
    };
    tx.query(sql, &binds, show).map(drop)
}

/// The same of alerts that went from it to another incident, which it became part of.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn each_moved_from(
    tx: &Tx<'_>,
    incident: i64,
    limit: u32,
    each: impl FnMut(&Shown),
) -> Result<(), StoreError> {
    let sql = "select source, key, status, severity, title, body, labels, links, (select count from alert_heard where alert = id),
         first_seen, (select last_seen from alert_heard where alert = id), changed_at
       from alert where id in (select alert from alert_move where from_incident = ?1) and incident <> ?1
       order by id limit ?2";
    each_of(tx, sql, (incident, limit), each)
}

/// How many alerts an incident has.
///
/// # Errors
/// What the engine says.
pub fn count_of_incident(tx: &Tx<'_>, incident: i64) -> Result<u64, StoreError> {
    let sql = "select cast(count(*) as bigint) from alert where incident = ?1";
    let count = tx.query_one(sql, &[incident.into()], |row| row.int(0))?.unwrap_or_default();
    u64::try_from(count).map_err(|_| StoreError::Decode("a number of alerts out of range"))
}

/// Sends ahead what [`of_incident`] is going to ask for.
///
/// # Errors
/// What the engine says.
pub fn of_incident_ahead(tx: &Tx<'_>, incidents: &[i64], limit: u32) -> Result<(), StoreError> {
    let binds = incidents.iter().map(|incident| vec![(*incident).into(), i64::from(limit).into()]);
    tx.ahead_each(OF_INCIDENT, &binds.collect::<Vec<_>>())
}

// What was heard of each is looked up by its number: a server that is asked for many incidents at once would join by reading
// all that was ever heard.
const OF_INCIDENT: &str =
    "select source, key, status, severity, title, body, labels, links, (select count from alert_heard where alert = id),
       first_seen, (select last_seen from alert_heard where alert = id), changed_at
     from alert
     where incident = ?1
     order by status, case when service = (select leads from incident where id = ?1) then 0 else 1 end,
       first_seen, source, key
     limit ?2";

/// The alerts that one thing keeps from waking anybody, the newest first, at most `limit`.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn suppressed_by(tx: &Tx<'_>, by: &str, limit: u32) -> Result<Vec<Shown>, StoreError> {
    tx.query(
        "select source, key, status, severity, title, body, labels, links, count, first_seen, last_seen, changed_at
         from alert join alert_heard on alert = id where suppressed_by = ?1 order by id desc limit ?2",
        &[by.into(), i64::from(limit).into()],
        show,
    )
}

/// One alert.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn one(tx: &Tx<'_>, id: i64) -> Result<Option<Shown>, StoreError> {
    tx.query_one(
        "select source, key, status, severity, title, body, labels, links, count, first_seen, last_seen, changed_at
         from alert join alert_heard on alert = id where id = ?1",
        &[id.into()],
        show,
    )
}

/// Numbers are asked for so many at a time, whatever their number is: a few different statements do.
const TOGETHER: [usize; 3] = [8, 64, 256];

/// The alerts of each of many incidents, as [`of_incident`] shows them, and how many events all of them have had.
///
/// # Errors
/// As [`of_incident`].
pub fn of_incidents(
    tx: &Tx<'_>,
    incidents: &[i64],
    limit: u32,
) -> Result<BTreeMap<i64, (Vec<Shown>, i64)>, StoreError> {
    let mut all: BTreeMap<i64, (Vec<Shown>, i64)> = BTreeMap::new();
    for some in incidents.chunks(TOGETHER[2]) {
        let size = TOGETHER.into_iter().find(|size| *size >= some.len()).unwrap_or(some.len());
        // The last one is named again where there are fewer.
        let numbers = some.iter().chain(some.last().into_iter().cycle()).take(size);
        let mut binds: Vec<Bind<'_>> = numbers.map(|id| (*id).into()).collect();
        let places: Vec<String> = (1..=size).map(|place| format!("?{place}")).collect();
        let which = format!("incident in ({})", places.join(", "));
        let sql = format!(
            "select incident, cast(sum(count) as bigint) from alert join alert_heard on alert = id where {which} group by incident"
        );
        for (id, events) in tx.query(&sql, &binds, |row| Ok((row.int(0)?, row.int(1)?)))? {
            all.entry(id).or_default().1 = events;
        }
        binds.push(i64::from(limit).into());
        let sql = format!(
            "select source, key, status, severity, title, body, labels, links, count, first_seen, last_seen, changed_at, incident
             from (select alert.*, count, last_seen,
                     row_number() over (partition by incident order by status,
                       case when alert.service = home.leads then 0 else 1 end, first_seen, source, key) as place
                   from alert join alert_heard on alert = alert.id join incident home on home.id = alert.incident
                   where {which}) a
             where place <= ?{} order by incident, place",
            size + 1
        );
        for (id, shown) in tx.query(&sql, &binds, |row| Ok((row.int(12)?, show(row)?)))? {
            all.entry(id).or_default().0.push(shown);
        }
    }
    Ok(all)
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

/// Takes back [`close`]: the incident is open again, and whoever is at work on it hears of its alerts; none of them is held back.
///
/// # Errors
/// What the engine says.
pub fn reopen(tx: &Tx<'_>, incident: i64) -> Result<(), StoreError> {
    tx.write(
        "update alert set closed_at = null, suppressed_by = null, inhibited = null
         where incident = ?1 and closed_at is not null",
        &[incident.into()],
    )?;
    Ok(())
}

/// An alert that fires, as it was last said.
#[derive(Clone, Debug)]
pub struct Firing {
    /// Its number.
    pub id: i64,
    /// Where it comes from.
    pub source: String,
    /// The service it is about.
    pub service: String,
    /// What was last said of it; its own time is that since which it fires.
    pub event: Event,
    /// When that was last said.
    pub last_seen: Timestamp,
    /// What it fires under: the id of a silence, or what [`super::held`] and [`super::inhibitors::PREFIX`] say.
    pub suppressed_by: Option<String>,
    /// Where that alert was found.
    pub inhibited: Option<i64>,
    /// The incident it belongs to. One that is held back belongs to none, or to one that people ended.
    pub incident: Option<i64>,
}

const FIRING: &str =
    "select id, source, key, service, severity, title, body, labels, links, changed_at, expires_at,
     suppressed_by, last_seen, incident, grp, inhibited from alert join alert_heard on alert = id where status = 'firing' and";

/// An alert, if it fires.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn firing(tx: &Tx<'_>, id: i64) -> Result<Option<Firing>, StoreError> {
    tx.query_one(&format!("{FIRING} id = ?1"), &[id.into()], read_firing)
}

/// The alerts of a source that fire, by their keys, at most `limit`, and those whose keys come after one.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn firing_of(tx: &Tx<'_>, source: &str, after: &str, limit: u32) -> Result<Vec<Firing>, StoreError> {
    let sql = format!("{FIRING} source = ?1 and key > ?2 order by key limit ?3");
    tx.query(&sql, &[source.into(), after.into(), i64::from(limit).into()], read_firing)
}

/// The alerts that fire, by their sources and keys, at most `limit`, and those that come after one.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn firing_after(tx: &Tx<'_>, source: &str, key: &str, limit: u32) -> Result<Vec<Firing>, StoreError> {
    let sql = format!("{FIRING} (source, key) > (?1, ?2) order by source, key limit ?3");
    tx.query(&sql, &[source.into(), key.into(), i64::from(limit).into()], read_firing)
}

/// Whether a sender has had its own time to say an alert again: what could not be heard says nothing.
///
/// # Errors
/// What the engine says.
pub fn is_expired(tx: &Tx<'_>, id: i64, hearing: Hearing) -> Result<bool, StoreError> {
    let until = hearing.until.min(tx.now);
    let sql = "select alert from alert_heard where alert = ?3 and expires_at <= ?1
               and (last_seen >= ?2 or expires_at - last_seen + ?2 <= ?1 or ?2 <= ?4)";
    let binds = [until.into(), hearing.since.into(), id.into(), long_ago(until).into()];
    Ok(tx.query_one(sql, &binds, |row| row.int(0))?.is_some())
}

/// Whoever could be heard for so long has said what there is to say: a house that restarts daily still sees an alert grow
/// old that is given a day.
fn long_ago(until: Timestamp) -> Timestamp {
    until.saturating_sub(EXCUSED_MAX).unwrap_or(Timestamp::MIN)
}

fn read_firing(row: &Row<'_>) -> Result<Firing, StoreError> {
    let mut event = Event::new(row.text(2)?, Status::Firing, row.text(5)?);
    event.severity = row.text_or_null(4)?.as_deref().and_then(AlertSeverity::from_word);
    event.body = row.text(6)?;
    event.labels = serde_json::from_str(&row.text(7)?)?;
    event.links = serde_json::from_str(&row.text(8)?)?;
    event.occurred_at = Some(row.time(9)?);
    event.expires_at = row.time_or_null(10)?;
    event.group = row.text_or_null(14)?;
    Ok(Firing {
        id: row.int(0)?,
        source: row.text(1)?,
        service: row.text(3)?,
        event,
        suppressed_by: row.text_or_null(11)?,
        last_seen: row.time(12)?,
        incident: row.int_or_null(13)?,
        inhibited: row.int_or_null(15)?,
    })
}

/// Numbers of alerts that were to be said again by now and were not, and by when; those first that wait longest. A
/// sender that could not be heard for a while has as long again from then as it gives itself.
///
/// # Errors
/// What the engine says.
pub fn expired(tx: &Tx<'_>, hearing: Hearing, limit: u32) -> Result<Vec<(i64, Timestamp)>, StoreError> {
    let until = hearing.until.min(tx.now);
    tx.query(
        "select alert, expires_at from alert_heard
         where expires_at <= ?1 and (last_seen >= ?2 or expires_at - last_seen + ?2 <= ?1 or ?2 <= ?4)
         order by expires_at limit ?3",
        &[until.into(), hearing.since.into(), i64::from(limit).into(), long_ago(until).into()],
        |row| Ok((row.int(0)?, row.time(1)?)),
    )
}

/// When the next alert is over unless it is said again; hours that have passed are not among them.
///
/// # Errors
/// What the engine says.
pub fn next_expiry(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let sql = "select min(expires_at) from alert_heard where expires_at > ?1";
    tx.query_one(sql, &[tx.now.into()], |row| row.time_or_null(0)).map(Option::flatten)
}

/// An alert is not to be said again any more.
///
/// # Errors
/// What the engine says.
pub fn expects_no_more(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.write("update alert_heard set expires_at = null where alert = ?1", &[id.into()])
}

/// An alert fires under a silence, or under something else that holds it back.
///
/// # Errors
/// What the engine says.
pub fn suppress(tx: &Tx<'_>, id: i64, by: &str) -> Result<(), StoreError> {
    tx.write("update alert set suppressed_by = ?2, inhibited = null where id = ?1", &[id.into(), by.into()])
}

/// Nothing holds an alert back any more.
///
/// # Errors
/// What the engine says.
pub fn let_go(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.write("update alert set suppressed_by = null, inhibited = null where id = ?1", &[id.into()])
}

/// Numbers of alerts that fire, and whose silence is over or gone, or has not begun: a clock made it that has been put right
/// since. With the hour since when. A silence's id has no colon, as everything else has that holds alerts back.
///
/// # Errors
/// What the engine says.
pub fn outlived(tx: &Tx<'_>, limit: u32) -> Result<Vec<(i64, Timestamp)>, StoreError> {
    tx.query(OUTLIVED, &[tx.now.into(), i64::from(limit).into()], |row| Ok((row.int(0)?, row.time(1)?)))
}

/// Silence by silence, for many alerts are held by few: what is asked every few seconds must not look at every alert.
pub(super) const OUTLIVED: &str = "with recursive held (mark) as (
       select min(suppressed_by) from alert where suppressed_by is not null
       union all
       select (select min(suppressed_by) from alert where suppressed_by > held.mark) from held
       where held.mark is not null
     )
     select alert.id, coalesce(
         (select silence.ends_at from silence where silence.id = held.mark and silence.ends_at <= ?1), ?1)
     from held join alert on alert.suppressed_by = held.mark
     where held.mark not like '%:%'
       and not exists (select 1 from silence
                       where silence.id = held.mark and silence.ends_at > ?1 and silence.starts_at <= ?1)
     order by alert.id limit ?2";

pub(super) fn show(row: &Row<'_>) -> Result<Shown, StoreError> {
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
