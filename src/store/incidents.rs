//! Incidents: the saved fold of each timeline, and the timeline with it, in one go.

use jiff::{SignedDuration, Timestamp};

use super::timeline::{self, NO_HASH};
use super::{Bind, Row, StoreError, Tx, history, moves, search, wire};
use crate::core::decide::Decision;
use crate::core::incident::{FoldError, Incident, Phase};
use crate::core::timeline::Fact;

/// An incident as it stands in the store.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The fold of its timeline.
    pub incident: Incident,
    /// Hash of its newest entry.
    pub head: [u8; 32],
}

/// The next free number.
///
/// # Errors
/// What the engine says.
pub fn next_id(tx: &Tx<'_>) -> Result<i64, StoreError> {
    tx.next_number("incident")
}

/// Loads one incident.
///
/// # Errors
/// What the engine says, or when the row cannot be read.
pub fn load(tx: &Tx<'_>, id: i64) -> Result<Option<Saved>, StoreError> {
    tx.query_one(LOAD, &[id.into()], read)
}

/// Loads many incidents.
///
/// # Errors
/// As [`load`].
pub fn load_each(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<Saved>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    tx.query_each(LOAD, &binds, read)
}

/// Loads many incidents; of one whose row does not hold what this version writes, why that is.
///
/// # Errors
/// What the engine says.
pub fn load_readable(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<Result<Saved, StoreError>>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    tx.query_each(LOAD, &binds, |row| Ok(read(row)))
}

const LOAD: &str = "select state, head from incident where id = ?1";

/// Saves what was decided: entries and state together. `before` is the incident before the decision, `None` for a new one.
/// Answers the newest hash.
///
/// # Errors
/// What the engine says.
pub fn save(tx: &Tx<'_>, decision: &Decision, before: Option<&Saved>) -> Result<[u8; 32], StoreError> {
    let incident = &decision.incident;
    let new_head =
        timeline::append(tx, incident.id, &decision.entries, before.map_or(NO_HASH, |before| before.head))?;
    let state = wire::state_to_json(incident)?;
    if let Some(before) = before
        && !joins(decision)
        && Columns::of(&before.incident) == Columns::of(incident)
    {
        save_narrow(tx, &before.incident, incident, &new_head, &state)?;
        return Ok(new_head);
    }
    let joined_at = (before.is_none() || joins(decision)).then_some(tx.now);
    let columns = Columns::of(incident);
    let binds: [Bind<'_>; 17] = [
        incident.id.into(),
        columns.title.into(),
        columns.service.into(),
        columns.severity.into(),
        columns.phase.into(),
        columns.opened_at.into(),
        columns.resolved_at.into(),
        incident.due_at().into(),
        columns.commander.into(),
        i64::from(incident.seq).into(),
        new_head[..].into(),
        (&state).into(),
        columns.leads.into(),
        columns.group.into(),
        joined_at.into(),
        i64::from(columns.storm).into(),
        i64::from(columns.firing).into(),
    ];
    if before.is_none() {
        tx.write(
            "insert into incident (id, title, service, severity, phase, opened_at, resolved_at, due_at,
                                   commander, seq, head, state, leads, grp, joined_at, storm, firing, indexed)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 1)",
            &binds,
        )?;
        history::opens(tx, incident.id, &incident.title)?;
    } else {
        tx.write(
            "update incident set title = ?2, service = ?3, severity = ?4, phase = ?5, opened_at = ?6,
               resolved_at = ?7, due_at = ?8, commander = ?9, seq = ?10, head = ?11, state = ?12, leads = ?13, grp = ?14,
               joined_at = coalesce(?15, joined_at), storm = ?16, firing = ?17 where id = ?1",
            &binds,
        )?;
    }
    Ok(new_head)
}

/// What stands beside the state for searching, and changes seldom. `joined_at` does with [`joins`].
#[derive(PartialEq, Eq)]
struct Columns<'a> {
    title: &'a str,
    service: &'a str,
    severity: &'a str,
    phase: &'a str,
    opened_at: Timestamp,
    resolved_at: Option<Timestamp>,
    commander: Option<&'a str>,
    leads: &'a str,
    group: &'a str,
    storm: bool,
    firing: u32,
}

impl<'a> Columns<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            title: &incident.title,
            service: &incident.service,
            severity: incident.severity.as_str(),
            phase: incident.state(),
            opened_at: incident.opened_at,
            resolved_at: incident.resolution().map(|(_, at)| at),
            commander: incident.commander().map(|command| command.person.as_str()),
            leads: incident.leads(),
            group: incident.group.as_deref().unwrap_or_default(),
            storm: incident.storm,
            firing: incident.firing,
        }
    }
}

/// Writes what a step of an escalation or the outcome of a letter changes, and nothing else: every column that is named in an
/// update costs its indexes, also where it stays as it is.
fn save_narrow(
    tx: &Tx<'_>,
    before: &Incident,
    incident: &Incident,
    head: &[u8; 32],
    state: &str,
) -> Result<(), StoreError> {
    let (id, seq) = (incident.id.into(), i64::from(incident.seq).into());
    if before.due_at() == incident.due_at() {
        let sql = "update incident set seq = ?2, head = ?3, state = ?4 where id = ?1";
        return tx.write(sql, &[id, seq, head[..].into(), state.into()]);
    }
    tx.write(
        "update incident set seq = ?2, head = ?3, state = ?4, due_at = ?5 where id = ?1",
        &[id, seq, head[..].into(), state.into(), incident.due_at().into()],
    )
}

/// Whether an alert came to the incident, so that others may follow it.
pub fn joins(decision: &Decision) -> bool {
    let comes = |fact: &Fact| {
        matches!(
            fact,
            Fact::AlertJoined { refired: false, .. }
                | Fact::TookIn { .. }
                | Fact::Reopened { .. }
                | Fact::SplitFrom { .. }
        )
    };
    decision.entries.iter().any(|entry| comes(&entry.fact))
}

/// Newest first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn list(tx: &Tx<'_>, filter: &search::Filter) -> Result<Vec<Incident>, StoreError> {
    Ok(search::incidents(tx, filter)?.found)
}

/// Numbers of the incidents whose hour has come, the longest overdue first; with them those that lie
/// further ahead than `longest`, the longest wait there is.
///
/// # Errors
/// What the engine says.
pub fn due(tx: &Tx<'_>, longest: SignedDuration, limit: u32) -> Result<Vec<(i64, Timestamp)>, StoreError> {
    let beyond = tx.now.saturating_add(longest).unwrap_or(Timestamp::MAX);
    // Two questions: with one, an engine goes through all that are due, and sorts them, for the few that are asked for.
    let read = |row: &Row<'_>| Ok((row.int(0)?, row.time(1)?));
    let overdue = "select id, due_at from incident where due_at <= ?1 order by due_at limit ?2";
    let mut due = tx.query(overdue, &[tx.now.into(), i64::from(limit).into()], read)?;
    let room = i64::from(limit).saturating_sub(i64::try_from(due.len()).unwrap_or(i64::MAX));
    if room > 0 {
        let ahead = "select id, due_at from incident where due_at > ?1 order by due_at limit ?2";
        due.extend(tx.query(ahead, &[beyond.into(), room.into()], read)?);
    }
    Ok(due)
}

/// Incidents that were opened under a clock that was ahead by more than `differ` and has been put right since, and when they
/// are due, the newest first. Those that lie further ahead than `longest` are found by [`due`].
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn ahead(
    tx: &Tx<'_>,
    differ: SignedDuration,
    longest: SignedDuration,
    limit: u32,
) -> Result<Vec<(Incident, Timestamp)>, StoreError> {
    let [opened, latest] =
        [differ, longest].map(|wait| tx.now.saturating_add(wait).unwrap_or(Timestamp::MAX));
    tx.query(
        "select state, head, due_at from incident where phase <> 'resolved' and opened_at > ?1 and due_at > ?2
           and due_at <= ?3 order by opened_at desc limit ?4",
        &[opened.into(), tx.now.into(), latest.into(), i64::from(limit).into()],
        |row| Ok((read(row)?.incident, row.time(2)?)),
    )
}

/// When the next incident is due.
///
/// # Errors
/// What the engine says.
pub fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    tx.query_one("select min(due_at) from incident where due_at is not null", &[], |row| row.time_or_null(0))
        .map(Option::flatten)
}

/// How many incidents that are not over there are, by state and severity.
///
/// # Errors
/// What the engine says.
pub fn counts(tx: &Tx<'_>) -> Result<Vec<(String, String, i64)>, StoreError> {
    tx.query(
        "select phase, severity, count(*) from incident where phase <> 'resolved' group by phase, severity",
        &[],
        |row| Ok((row.text(0)?, row.text(1)?, row.int(2)?)),
    )
}

/// Most entries of incidents that are forgotten in one transaction; one incident is, whatever it has.
const FORGET_ENTRIES_MAX: i64 = 10_000;

/// Forgets incidents that ended before `before`, with their timelines and letters, at most `limit`, and fewer when they
/// are long. Answers how many, and whether there may be more.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<(u64, bool), StoreError> {
    let old = tx.query(
        "select id, seq from incident where phase = 'resolved' and resolved_at < ?1 order by id limit ?2",
        &[before.into(), i64::from(limit).into()],
        |row| Ok((row.int(0)?, row.int(1)?)),
    )?;
    let mut room = FORGET_ENTRIES_MAX;
    let mut now: Vec<i64> = Vec::new();
    for (id, entries) in &old {
        if room <= 0 {
            break;
        }
        room -= entries;
        now.push(*id);
    }
    for id in &now {
        for sql in [
            "delete from entry where incident = ?1",
            "delete from letter where incident = ?1",
            "delete from thread where incident = ?1",
            "delete from answer_token where incident = ?1",
            "update alert set incident = null where incident = ?1",
            "delete from incident where id = ?1",
        ] {
            tx.write(sql, &[(*id).into()])?;
        }
        moves::forget(tx, *id)?;
        history::forget_incident(tx, *id)?;
    }
    let more = now.len() < old.len() || old.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    Ok((u64::try_from(now.len()).unwrap_or(0), more))
}

/// Why an incident's timeline and its saved row do not agree.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// An entry was changed, removed or put in.
    #[error("entry {0}: its hash does not follow from the entry before it; the timeline was changed")]
    Hash(u32),
    /// An entry cannot follow from the ones before it.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// There is no entry.
    #[error("it has no entries")]
    Empty,
    /// The saved row is not the fold.
    #[error("the saved row is not what its timeline says")]
    Row,
    /// The newest hash is not the saved one.
    #[error("the newest entries are missing: the saved hash is not that of the last entry")]
    Head,
}

/// Proves one timeline whole: every hash follows, every entry follows, the saved row is the fold, and
/// terms of command grow by one without gap or overlap. Answers the number of entries.
///
/// # Errors
/// What the engine says.
pub fn verify(tx: &Tx<'_>, id: i64) -> Result<Option<Result<u32, Broken>>, StoreError> {
    const PAGE: u32 = 1000;
    let Some(saved) = load(tx, id)? else { return Ok(None) };
    let mut fold: Option<Incident> = None;
    let mut head = NO_HASH;
    loop {
        let page = timeline::list(tx, id, fold.as_ref().map_or(0, |fold| fold.seq), PAGE)?;
        for kept in &page {
            let hash = timeline::link(&head, id, &kept.entry, &kept.data, &kept.text);
            if kept.hash != hash {
                return Ok(Some(Err(Broken::Hash(kept.entry.seq))));
            }
            head = hash;
            let step = match &mut fold {
                Some(fold) => fold.apply(&kept.entry),
                None => Incident::open(id, &kept.entry).map(|opened| fold = Some(opened)),
            };
            if let Err(error) = step {
                return Ok(Some(Err(error.into())));
            }
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(Some(match fold {
        None => Err(Broken::Empty),
        Some(_) if head != saved.head => Err(Broken::Head),
        Some(fold) if fold != as_kept(saved.incident, &fold) => Err(Broken::Row),
        Some(fold) => Ok(fold.seq),
    }))
}

/// A row as this version would have kept it. A node of the version before, that shares the store while the others are new
/// already, loses what it does not know when it writes one.
fn as_kept(mut saved: Incident, fold: &Incident) -> Incident {
    for (kept, known) in saved.responders.iter_mut().zip(&fold.responders) {
        if kept.pages_before == 0 {
            kept.pages_before = known.pages_before;
        }
        kept.watching |= known.watching;
    }
    if saved.shadows.iter().all(|kept| fold.shadows.contains(kept)) {
        saved.shadows.clone_from(&fold.shadows);
    }
    match (&mut saved.phase, &fold.phase) {
        (
            Phase::Triggered { escalation: Some(saved), held_until: kept, .. },
            Phase::Triggered { escalation: Some(fold), held_until: known, .. },
        ) => {
            // That the next round rests, and when those who have not answered are reminded.
            *kept = *known;
            if saved.reminders.iter().all(|hour| fold.reminders.contains(hour)) {
                saved.reminders.clone_from(&fold.reminders);
            }
        }
        // That it is looked whether who commands is still there.
        (Phase::Acknowledged { sign: kept, .. }, Phase::Acknowledged { sign: known, .. })
            if kept.is_none() =>
        {
            kept.clone_from(known);
        }
        _ => {}
    }
    saved
}

/// What was proved of several incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many incidents were looked at.
    pub incidents: u64,
    /// How many entries of them are whole.
    pub entries: u64,
    /// Those that are not whole, and why.
    pub broken: Vec<(i64, String)>,
}

impl Proof {
    /// Proves one more incident.
    ///
    /// # Errors
    /// What the engine says.
    pub fn add(&mut self, tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
        if !self.add_if_there(tx, id)? {
            self.broken.push((id, "there is no such incident".to_owned()));
            self.incidents += 1;
        }
        Ok(())
    }

    /// The same, for one that may have been forgotten since its number was read; `false` when it was.
    ///
    /// # Errors
    /// What the engine says.
    pub fn add_if_there(&mut self, tx: &Tx<'_>, id: i64) -> Result<bool, StoreError> {
        match verify(tx, id)? {
            None => return Ok(false),
            Some(Ok(count)) => self.entries += u64::from(count),
            Some(Err(why)) => self.broken.push((id, why.to_string())),
        }
        self.incidents += 1;
        Ok(true)
    }
}

/// Every incident's number, oldest first, from `after` on.
///
/// # Errors
/// What the engine says.
pub fn numbers(tx: &Tx<'_>, after: i64, limit: u32) -> Result<Vec<i64>, StoreError> {
    tx.query(
        "select id from incident where id > ?1 order by id limit ?2",
        &[after.into(), i64::from(limit).into()],
        |row| row.int(0),
    )
}

fn read(row: &Row<'_>) -> Result<Saved, StoreError> {
    let incident = wire::state_from_json(&row.text(0)?)?;
    let head = row.blob(1)?.try_into().map_err(|_| StoreError::Decode("a hash of another length"))?;
    Ok(Saved { incident, head })
}
