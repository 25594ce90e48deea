//! Incidents: the saved fold of each timeline, and the timeline with it, in one go.

use jiff::{SignedDuration, Timestamp};

use super::timeline;
use super::{Bind, Row, StoreError, Tx, history, moves, search, wire};
use crate::core::decide::Decision;
use crate::core::escalation::Horizon;
use crate::core::incident::Incident;
pub use crate::core::prove::Broken;
use crate::core::prove::{Kept, NO_HASH, Proved, Prover};
use crate::core::timeline::Fact;
use crate::crypto;

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
    let row = tx.query_one(LOAD, &[id.into()], |row| Ok((is_old(row)?, read(row)?)))?;
    row.map(|(old, saved)| if old { anew(tx, saved) } else { Ok(saved) }).transpose()
}

/// Loads many incidents.
///
/// # Errors
/// As [`load`].
pub fn load_each(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<Saved>>, StoreError> {
    let loaded = load_readable(tx, ids)?;
    loaded.into_iter().map(Option::transpose).collect()
}

/// Loads many incidents; of one whose row does not hold what this version writes, why that is.
///
/// # Errors
/// What the engine says.
pub fn load_readable(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<Result<Saved, StoreError>>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    let rows = tx.query_each(LOAD, &binds, |row| Ok((is_old(row)?, read(row))))?;
    rows.into_iter()
        .map(|row| match row {
            Some((true, Ok(saved))) => anew(tx, saved).map(|saved| Some(Ok(saved))),
            row => Ok(row.map(|(_, saved)| saved)),
        })
        .collect()
}

/// A row that a version wrote which knew less than this one: it has dropped what it did not know.
fn is_old(row: &Row<'_>) -> Result<bool, StoreError> {
    Ok(wire::fold_of(row.text_ref(0)?) < wire::FOLD)
}

/// Folds a timeline anew, of which an old row is kept. Where that cannot be done the row stays as it is: it is all there is,
/// and `verify` tells of it.
fn anew(tx: &Tx<'_>, saved: Saved) -> Result<Saved, StoreError> {
    let id = saved.incident.id;
    let mut fold: Option<Incident> = None;
    loop {
        let after = fold.as_ref().map_or(0, |fold| fold.seq);
        let page = timeline::list_as_written(tx, id, after, PAGE)?;
        let last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        for written in page {
            let next = written.read().ok().and_then(|kept| match fold.take() {
                None => Incident::open(id, &kept.entry).ok(),
                Some(mut fold) => fold.apply(&kept.entry).ok().map(|()| fold),
            });
            if next.is_none() {
                return Ok(saved);
            }
            fold = next;
        }
        if last {
            let fold = fold.filter(|fold| fold.seq == saved.incident.seq);
            return Ok(fold.map_or(saved.clone(), |incident| Saved { incident, head: saved.head }));
        }
    }
}

/// Entries of a timeline that are read at once.
const PAGE: u32 = 1000;

const LOAD: &str = "select state, head from incident where id = ?1";

/// The numbers of the newest entries of incidents.
///
/// # Errors
/// What the engine says.
pub fn newest_entries(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Option<u32>>, StoreError> {
    let binds: Vec<Vec<Bind<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    tx.query_each("select seq from incident where id = ?1", &binds, |row| {
        u32::try_from(row.int(0)?).map_err(|_| StoreError::Decode("an entry's number out of range"))
    })
}

/// An incident as it was written down: it may not be what this version understands.
#[derive(Clone, Debug)]
pub struct AsWritten {
    /// The fold of its timeline, as JSON.
    pub state: String,
    /// Hash of its newest entry.
    pub head: Vec<u8>,
    /// The number of that.
    pub seq: u32,
}

/// Loads one incident as it was written down.
///
/// # Errors
/// What the engine says.
pub fn load_as_written(tx: &Tx<'_>, id: i64) -> Result<Option<AsWritten>, StoreError> {
    tx.query_one("select state, head, seq from incident where id = ?1", &[id.into()], |row| {
        let seq =
            u32::try_from(row.int(2)?).map_err(|_| StoreError::Decode("an entry's number out of range"))?;
        Ok(AsWritten { state: row.text(0)?, head: row.blob(1)?, seq })
    })
}

/// Reads what stands in [`AsWritten::state`].
///
/// # Errors
/// When this version does not understand it.
pub fn state(json: &str) -> Result<Kept, StoreError> {
    let fold = wire::fold_of(json);
    if fold > wire::FOLD {
        return Err(StoreError::Decode("the row of an incident that a later version wrote"));
    }
    Ok(Kept { incident: wire::state_from_json(json)?, whole: fold == wire::FOLD })
}

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
/// further ahead than anything that such an incident waits for.
///
/// # Errors
/// What the engine says.
pub fn due(tx: &Tx<'_>, horizon: &Horizon, limit: u32) -> Result<Vec<(i64, Timestamp)>, StoreError> {
    let [beyond, furthest] =
        [horizon.waits, horizon.asks].map(|wait| tx.now.saturating_add(wait).unwrap_or(Timestamp::MAX));
    // Two questions: with one, an engine goes through all that are due, and sorts them, for the few that are asked for.
    let read = |row: &Row<'_>| Ok((row.int(0)?, row.time(1)?));
    let overdue = "select id, due_at from incident where due_at <= ?1 order by due_at limit ?2";
    let mut due = tx.query(overdue, &[tx.now.into(), i64::from(limit).into()], read)?;
    let room = i64::from(limit).saturating_sub(i64::try_from(due.len()).unwrap_or(i64::MAX));
    if room > 0 {
        let looked_for = horizon.looked_for.iter().map(|severity| format!("'{}'", severity.as_str()));
        let looked_for: Vec<String> = looked_for.chain(["''".to_owned()]).collect();
        let ahead = format!(
            "select id, due_at from incident where due_at > ?1 and (due_at > ?2 or phase = 'triggered'
               or phase = 'acknowledged' and severity in ({})) order by due_at limit ?3",
            looked_for.join(", ")
        );
        due.extend(tx.query(&ahead, &[beyond.into(), furthest.into(), room.into()], read)?);
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
            "delete from published where incident = ?1",
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

/// Proves one timeline whole: every hash follows, every entry follows, tenures of command lie end to end, and the saved row
/// is the fold. `None` when there is no such incident.
///
/// # Errors
/// What the engine says.
pub fn verify(tx: &Tx<'_>, id: i64) -> Result<Option<Result<Proved, Broken>>, StoreError> {
    let Some((kept, head)) =
        tx.query_one(LOAD, &[id.into()], |row| Ok((state(row.text_ref(0)?), row.blob(1)?)))?
    else {
        return Ok(None);
    };
    let mut prover = Prover::new(crypto::sha256, id);
    loop {
        let page = timeline::list_as_written(tx, id, prover.seq(), PAGE)?;
        for kept in &page {
            if let Err(broken) = kept.prove(&mut prover) {
                return Ok(Some(Err(broken)));
            }
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    let last = prover.seq();
    Ok(Some(match kept {
        Ok(saved) => prover.end(saved, &head),
        Err(_) if last == 0 => Err(Broken::Empty),
        Err(_) => Err(Broken::Row(last, "it cannot be read")),
    }))
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
    /// What is odd about others, and no fault.
    pub notes: Vec<(i64, String)>,
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
            Some(proved) => self.count(id, proved),
        }
        Ok(true)
    }

    /// Counts what was proved of an incident, wherever that is kept.
    pub fn count(&mut self, id: i64, proved: Result<Proved, Broken>) {
        self.incidents += 1;
        match proved {
            Err(why) => self.broken.push((id, why.to_string())),
            Ok(proved) => {
                self.entries += u64::from(proved.entries);
                if let Some((seq, by)) = proved.set_back {
                    let by = by.as_secs();
                    let what = format!(
                        "entry {seq} was recorded {by} s before the entry above it: the clock was set back"
                    );
                    self.notes.push((id, what));
                }
            }
        }
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
    let incident = wire::state_from_json(row.text_ref(0)?)?;
    let head = row.blob(1)?.try_into().map_err(|_| StoreError::Decode("a hash of another length"))?;
    Ok(Saved { incident, head })
}
