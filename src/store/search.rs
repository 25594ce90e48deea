//! Alerts and incidents of any age, by what people remember of them.
//!
//! However much there is, a question looks at a bounded number of rows. Of what it asks for, that is found first which the
//! fewest rows have: at most `FEW`, and they are looked at. When everything is common, the newest `WINDOW` rows are
//! looked at, and the answer may then be shorter than a page and still say where to go on.

use jiff::Timestamp;

use super::{Bind, Row, StoreError, Tx, alerts, mirror, wire};
use crate::core::incident::Incident;
use crate::core::search::{BETWEEN, SOUGHT_MAX, Sought};

/// So many rows are few enough to look at all of them.
const FEW: i64 = 4000;
/// So few that nothing rarer is looked for.
const VERY_FEW: i64 = 100;
/// Rows in order of time that are looked at for one answer.
const WINDOW: i64 = 5000;

/// A page of an answer, newest first.
#[derive(Debug)]
pub struct Page<T, C> {
    /// What was found.
    pub found: Vec<T>,
    /// Where to go on.
    pub next: Option<C>,
}

/// What a list of incidents is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `triggered`, `acknowledged`, `mitigated`, `resolved`, or `open` for the first three.
    pub state: Option<String>,
    /// `SEV1` to `SEV4`.
    pub severity: Option<String>,
    /// A service's name.
    pub service: Option<String>,
    /// Labels of its alerts, and words of its title and of theirs.
    pub sought: Vec<Sought>,
    /// Opened at this hour or after it.
    pub since: Option<Timestamp>,
    /// Opened before this hour.
    pub until: Option<Timestamp>,
    /// Only numbers below this one (where the page before ended).
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
}

/// What a list of alerts is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// `firing` or `resolved`.
    pub status: Option<String>,
    /// A source's name.
    pub source: Option<String>,
    /// A service's name.
    pub service: Option<String>,
    /// Labels and words.
    pub sought: Vec<Sought>,
    /// Changed at this hour or after it.
    pub since: Option<Timestamp>,
    /// Changed before this hour.
    pub until: Option<Timestamp>,
    /// Where the page before ended.
    pub before: Option<Place>,
    /// At most this many.
    pub limit: u32,
}

/// Where an alert stands among all: when it was noted that it changed, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub i64, pub i64);

impl Place {
    /// Before which everything comes.
    const END: Self = Self(i64::MAX, i64::MAX);

    /// Reads what `Display` wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('-')?;
        Some(Self(at.parse().ok()?, id.parse().ok()?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// An alert that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// As people see it.
    pub shown: alerts::Shown,
    /// The service it is about.
    pub service: String,
    /// The incident it belongs to, or belonged to last.
    pub incident: Option<i64>,
    /// What keeps it from waking anybody.
    pub suppressed_by: Option<String>,
    /// When it was noted here that it changed.
    pub noted_at: Timestamp,
}

/// A statement while it is written.
#[derive(Default)]
struct Sql {
    text: String,
    binds: Vec<Value>,
}

enum Value {
    Int(i64),
    Text(String),
}

impl Sql {
    /// Adds a value; answers how it is called.
    fn int(&mut self, value: i64) -> String {
        self.binds.push(Value::Int(value));
        format!("?{}", self.binds.len())
    }

    fn text(&mut self, value: &str) -> String {
        self.binds.push(Value::Text(value.to_owned()));
        format!("?{}", self.binds.len())
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn binds(&self) -> Vec<Bind<'_>> {
        self.binds
            .iter()
            .map(|value| match value {
                Value::Int(value) => Bind::Int(*value),
                Value::Text(value) => Bind::Text(value),
            })
            .collect()
    }

    fn query<T>(
        &self,
        tx: &Tx<'_>,
        map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        tx.query(&self.text, &self.binds(), map)
    }

    /// Which terms are meant.
    fn is(&mut self, sought: &Sought) -> String {
        match sought {
            Sought::Whole(term) => format!("term = {}", self.text(term)),
            Sought::Begins(term) => {
                let (from, to) = (self.text(term), self.text(&format!("{term}{}", char::MAX)));
                format!("term >= {from} and term < {to}")
            }
        }
    }
}

/// By what rows are looked for, when few have it.
enum By<'f> {
    Term(&'f Sought),
    Column(&'static str, &'f str),
    Firing,
}

impl By<'_> {
    /// The numbers of those rows, each perhaps more than once.
    fn rows(&self, sql: &mut Sql, of: &str) -> String {
        match self {
            Self::Term(sought) => {
                let is = sql.is(sought);
                format!("select {of} as id from {of}_term where {is}")
            }
            Self::Column(column, value) => {
                let value = sql.text(value);
                format!("select id from {of} where {column} = {value}")
            }
            // There is an index of these, and only of these.
            Self::Firing => format!("select id from {of} where status = 'firing'"),
        }
    }

    fn count(&self, tx: &Tx<'_>, of: &str) -> Result<i64, StoreError> {
        let mut sql = Sql::default();
        let rows = self.rows(&mut sql, of);
        let most = sql.int(FEW + 1);
        sql.add(&format!("select count(*) from ({rows} limit {most}) s"));
        Ok(sql.query(tx, |row| row.int(0))?.first().copied().unwrap_or(0))
    }
}

/// What the fewest rows have of all that is asked for, when they are few.
fn rarest<'b, 'f>(tx: &Tx<'_>, of: &str, all: &'b [By<'f>]) -> Result<Option<&'b By<'f>>, StoreError> {
    let mut rarest = None;
    let mut fewest = FEW;
    for by in all {
        let count = by.count(tx, of)?;
        if count <= fewest {
            (rarest, fewest) = (Some(by), count);
        }
        if fewest <= VERY_FEW {
            break;
        }
    }
    Ok(rarest)
}

/// Alerts, those first that changed last.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn alerts(tx: &Tx<'_>, filter: &AlertFilter) -> Result<Page<Found, Place>, StoreError> {
    let is_mirror = mirror::is_one(tx)?;
    let mut all: Vec<By<'_>> = Vec::new();
    if !is_mirror {
        all.extend(filter.sought.iter().take(2 * SOUGHT_MAX).map(By::Term));
        all.extend(filter.source.iter().map(|source| By::Column("source", source)));
        all.extend(filter.service.iter().map(|service| By::Column("service", service)));
        all.extend((filter.status.as_deref() == Some("firing")).then_some(By::Firing));
    }
    let before = filter.before.unwrap_or(Place::END);
    let mut sql = Sql::default();
    let mut end = None;
    if let Some(rarest) = rarest(tx, "alert", &all)? {
        let rows = rarest.rows(&mut sql, "alert");
        let most = sql.int(FEW);
        sql.text = format!(
            "select alert.taken_at, alert.id from (select distinct id from ({rows}) r limit {most}) f
             join alert on alert.id = f.id where true"
        );
    } else {
        end = window(tx, filter, before)?;
        sql.add("select taken_at, id from alert where true");
        if let Some(end) = end {
            let (at, id) = (sql.int(end.0), sql.int(end.1));
            sql.add(&format!(" and (alert.taken_at, alert.id) >= ({at}, {id})"));
        }
    }
    narrow_alerts(&mut sql, filter, before, is_mirror);
    let limit = sql.int(i64::from(filter.limit));
    sql.add(&format!(" order by alert.taken_at desc, alert.id desc limit {limit}"));
    let places = sql.query(tx, |row| Ok(Place(row.int(0)?, row.int(1)?)))?;
    let full = places.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = if full { places.last().copied() } else { end };
    let ids: Vec<Vec<Bind<'_>>> = places.iter().map(|place| vec![place.1.into()]).collect();
    let found = tx.query_each(SHOWN, &ids, read_found)?;
    Ok(Page { found: found.into_iter().flatten().collect(), next })
}

/// The last of the rows that are looked at in order of time; `None` when that are all.
fn window(tx: &Tx<'_>, filter: &AlertFilter, before: Place) -> Result<Option<Place>, StoreError> {
    let mut sql = Sql::default();
    let (at, id) = (sql.int(before.0), sql.int(before.1));
    sql.add(&format!("select taken_at, id from alert where (taken_at, id) < ({at}, {id})"));
    hours(&mut sql, "taken_at", filter.since, filter.until);
    let most = sql.int(WINDOW - 1);
    sql.add(&format!(" order by taken_at desc, id desc limit 1 offset {most}"));
    Ok(sql.query(tx, |row| Ok(Place(row.int(0)?, row.int(1)?)))?.first().copied())
}

fn hours(sql: &mut Sql, column: &str, since: Option<Timestamp>, until: Option<Timestamp>) {
    if let Some(since) = since {
        let since = sql.int(since.as_microsecond());
        sql.add(&format!(" and {column} >= {since}"));
    }
    if let Some(until) = until {
        let until = sql.int(until.as_microsecond());
        sql.add(&format!(" and {column} < {until}"));
    }
}

fn narrow_alerts(sql: &mut Sql, filter: &AlertFilter, before: Place, is_mirror: bool) {
    let (at, id) = (sql.int(before.0), sql.int(before.1));
    sql.add(&format!(" and (alert.taken_at, alert.id) < ({at}, {id})"));
    hours(sql, "alert.taken_at", filter.since, filter.until);
    for (column, value) in
        [("status", &filter.status), ("source", &filter.source), ("service", &filter.service)]
    {
        if let Some(value) = value {
            let value = sql.text(value);
            // No index is to be used for it: that one is looked at first was decided above.
            sql.add(&format!(" and alert.{column} || '' = {value}"));
        }
    }
    for sought in &filter.sought {
        match sought {
            // A mirror has the rows only.
            Sought::Whole(term) if is_mirror => {
                let (end, term) =
                    (sql.text(&BETWEEN.to_string()), sql.text(&format!("{BETWEEN}{term}{BETWEEN}")));
                sql.add(&format!(" and instr(alert.terms || {end}, {term}) > 0"));
            }
            Sought::Whole(_) => {
                let is = sql.is(sought);
                // `offset 0`: a look at the index for each row, whatever the server believes.
                sql.add(&format!(
                    " and exists (select 1 from alert_term where {is} and alert_term.alert = alert.id limit 1 offset 0)"
                ));
            }
            // A word is made of letters and digits.
            Sought::Begins(term) => {
                let like = sql.text(&format!("%{BETWEEN}{term}%"));
                sql.add(&format!(" and alert.terms like {like}"));
            }
        }
    }
}

const SHOWN: &str =
    "select source, key, status, severity, title, body, labels, links, count, first_seen, last_seen, changed_at,
     service, incident, suppressed_by, taken_at from alert join alert_heard on alert = id where id = ?1";

fn read_found(row: &Row<'_>) -> Result<Found, StoreError> {
    Ok(Found {
        shown: alerts::show(row)?,
        service: row.text(12)?,
        incident: row.int_or_null(13)?,
        suppressed_by: row.text_or_null(14)?,
        noted_at: row.time(15)?,
    })
}

/// Incidents, newest first.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn incidents(tx: &Tx<'_>, filter: &Filter) -> Result<Page<Incident, i64>, StoreError> {
    let all: Vec<By<'_>> = filter.sought.iter().take(2 * SOUGHT_MAX).map(By::Term).collect();
    let mut before = filter.before.unwrap_or(i64::MAX);
    if let Some(until) = filter.until {
        before = before.min(beyond(tx, until)?);
    }
    let after = filter.since.map_or(Ok(0), |since| first_since(tx, since))?;
    let mut sql = Sql::default();
    let mut end = None;
    if let Some(rarest) = rarest(tx, "incident", &all)? {
        let rows = rarest.rows(&mut sql, "incident");
        let most = sql.int(FEW);
        sql.text = format!(
            "select incident.state, incident.id from (select distinct id from ({rows}) r limit {most}) f
             join incident on incident.id = f.id where true"
        );
    } else {
        // Without anything that is looked for in the index there is nothing but columns, of which indexes tell.
        end = incident_window(tx, filter, before, after)?;
        sql.add("select incident.state, incident.id from incident where true");
        if let Some(end) = end {
            let end = sql.int(end);
            sql.add(&format!(" and incident.id >= {end}"));
        }
    }
    let (before, after) = (sql.int(before), sql.int(after));
    sql.add(&format!(" and incident.id < {before} and incident.id >= {after}"));
    hours(&mut sql, "incident.opened_at", filter.since, filter.until);
    columns(&mut sql, filter);
    for sought in &filter.sought {
        let is = sql.is(sought);
        sql.add(&format!(
            " and exists (select 1 from incident_term where incident_term.incident = incident.id and {is} limit 1 offset 0)"
        ));
    }
    let limit = sql.int(i64::from(filter.limit));
    sql.add(&format!(" order by incident.id desc limit {limit}"));
    let found = sql.query(tx, |row| Ok((wire::state_from_json(&row.text(0)?)?, row.int(1)?)))?;
    let full = found.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = if full { found.last().map(|(_, id)| *id) } else { end };
    Ok(Page { found: found.into_iter().map(|(incident, _)| incident).collect(), next })
}

/// As [`window`]. What is of the service and state that are asked for is counted, for there are indexes of those.
fn incident_window(tx: &Tx<'_>, filter: &Filter, before: i64, after: i64) -> Result<Option<i64>, StoreError> {
    let mut sql = Sql::default();
    let (before, after) = (sql.int(before), sql.int(after));
    sql.add(&format!("select id from incident where id < {before} and id >= {after}"));
    if let Some(service) = &filter.service {
        let service = sql.text(service);
        sql.add(&format!(" and service = {service}"));
    } else {
        phases(&mut sql, filter);
    }
    let most = sql.int(WINDOW - 1);
    sql.add(&format!(" order by id desc limit 1 offset {most}"));
    Ok(sql.query(tx, |row| row.int(0))?.first().copied())
}

fn phases(sql: &mut Sql, filter: &Filter) {
    match filter.state.as_deref() {
        Some("open") => sql.add(" and incident.phase in ('triggered', 'acknowledged', 'mitigated')"),
        Some(state) => {
            let state = sql.text(state);
            sql.add(&format!(" and incident.phase = {state}"));
        }
        None => {}
    }
}

fn columns(sql: &mut Sql, filter: &Filter) {
    phases(sql, filter);
    for (column, value) in [("severity", &filter.severity), ("service", &filter.service)] {
        if let Some(value) = value {
            let value = sql.text(value);
            sql.add(&format!(" and incident.{column} = {value}"));
        }
    }
}

/// Numbers follow the hour, but for a clock that was set: so many neighbours are looked at, too.
const NEIGHBOURS: i64 = 100;

/// No incident that was opened at an hour or after it has a number below this one.
pub(super) fn first_since(tx: &Tx<'_>, since: Timestamp) -> Result<i64, StoreError> {
    let sql =
        "select min(id) from (select id from incident where opened_at >= ?1 order by opened_at limit ?2) s";
    let first = tx.query_one(sql, &[since.into(), NEIGHBOURS.into()], |row| row.int_or_null(0))?;
    Ok(first.flatten().unwrap_or(i64::MAX))
}

/// No incident that was opened before an hour has this number or one above.
fn beyond(tx: &Tx<'_>, until: Timestamp) -> Result<i64, StoreError> {
    let sql = "select max(id) from (select id from incident where opened_at < ?1 order by opened_at desc limit ?2) s";
    let last = tx.query_one(sql, &[until.into(), NEIGHBOURS.into()], |row| row.int_or_null(0))?;
    Ok(last.flatten().unwrap_or(0).saturating_add(1))
}
