//! A whole store into another one, row by row, whatever the engines: for moving to a server, or back. With it, what
//! every table looks like, for whoever else copies rows.

use super::{Bind, Row, StoreError, Tx};

/// Rows read and written at a time.
const PAGE: i64 = 500;

/// A kind of column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Int,
    Text,
    Blob,
}

/// A table: its name, its columns, and the columns it is ordered by, which tell its rows apart.
#[derive(Clone, Copy)]
pub(super) struct Table {
    name: &'static str,
    ints: &'static [&'static str],
    texts: &'static [&'static str],
    blobs: &'static [&'static str],
    order: &'static str,
}

const fn table(
    name: &'static str,
    order: &'static str,
    ints: &'static [&'static str],
    texts: &'static [&'static str],
    blobs: &'static [&'static str],
) -> Table {
    Table { name, ints, texts, blobs, order }
}

pub(super) const INCIDENT: Table = table(
    "incident",
    "id",
    &["id", "drill", "opened_at", "resolved_at", "due_at", "seq", "joined_at", "storm", "firing", "indexed"],
    &["title", "service", "severity", "phase", "commander", "state", "leads", "grp"],
    &["head"],
);
pub(super) const ENTRY: Table = table(
    "entry",
    "incident, seq",
    &["incident", "seq", "at", "occurred_at", "term"],
    &["kind", "actor", "office", "route", "text", "data"],
    &["hash"],
);
pub(super) const ALERT: Table = table(
    "alert",
    "id",
    &[
        "id",
        "first_seen",
        "changed_at",
        "taken_at",
        "incident",
        "closed_at",
        "wording",
        "said_hour",
        "indexed",
        "inhibited",
        "flaps_since",
    ],
    &[
        "source",
        "key",
        "service",
        "status",
        "severity",
        "title",
        "body",
        "labels",
        "links",
        "suppressed_by",
        "grp",
        "terms",
        "changes",
    ],
    &[],
);
/// By what alerts, and incidents, are found.
pub(super) const ALERT_TERM: Table = table("alert_term", "term, alert", &["alert"], &["term"], &[]);
pub(super) const INCIDENT_TERM: Table =
    table("incident_term", "term, incident", &["incident"], &["term"], &[]);
pub(super) const ALERT_HEARD: Table =
    table("alert_heard", "alert", &["alert", "count", "last_seen", "expires_at"], &[], &[]);
pub(super) const ANSWER_TOKEN: Table = table(
    "answer_token",
    "hash",
    &["incident", "created_at", "page", "letter", "opened_at", "confirmed_at"],
    &["person", "purpose"],
    &["hash"],
);
pub(super) const API_TOKEN: Table =
    table("api_token", "id", &["created_at", "revoked_at"], &["id", "person", "automation"], &["hash"]);
pub(super) const SESSION: Table = table(
    "session",
    "id",
    &["created_at", "used_at", "incident"],
    &["id", "person", "automation", "token", "made_of"],
    &["hash"],
);
/// Which statements went out.
pub(super) const PUBLISHED: Table =
    table("published", "incident, number", &["incident", "number", "at"], &["audience"], &[]);
pub(super) const SILENCE: Table = table(
    "silence",
    "id",
    &["starts_at", "ends_at", "updated_at"],
    &["id", "source", "matchers", "created_by", "comment"],
    &[],
);
pub(super) const CONDITION: Table = table(
    "known_condition",
    "id",
    &["starts_at", "ends_at", "created_at"],
    &["id", "services", "text", "created_by", "ended_by"],
    &[],
);
/// What calendars say of rotations, and the private addresses of those that are made of rotations.
pub(super) const CALENDAR: Table = table(
    "calendar",
    "rotation",
    &["changed_at", "fetched_at", "tried_at"],
    &["rotation", "turns", "hash", "error", "warnings"],
    &[],
);
pub(super) const CALENDAR_LINK: Table = table(
    "calendar_link",
    "id",
    &["created_at", "revoked_at"],
    &["id", "rotation", "person", "created_by"],
    &["hash"],
);
pub(super) const OVERRIDE: Table = table(
    "oncall_override",
    "id",
    &["starts_at", "ends_at", "created_at"],
    &["id", "rotation", "person", "instead_of", "author", "reason", "ended_by"],
    &[],
);
pub(super) const LEAVE: Table = table(
    "oncall_leave",
    "id",
    &["starts_at", "ends_at", "created_at"],
    &["id", "person", "author", "reason", "ended_by"],
    &[],
);
/// Filled by the nodes themselves, so that it is no part of a whole copy.
pub(super) const NODE: Table = table(
    "node",
    "name",
    &["seen_at", "began_at", "heard_since", "heard_until"],
    &["name", "config_hash", "version", "shown", "place"],
    &[],
);

/// Every table but `migration`, which the target has already, and `node`. A test compares it with the schema.
const TABLES: &[Table] = &[
    table("counter", "name", &["value"], &["name"], &[]),
    table("meta", "name", &[], &["name", "value"], &[]),
    INCIDENT,
    ENTRY,
    ALERT,
    ALERT_HEARD,
    ALERT_TERM,
    INCIDENT_TERM,
    table(
        "letter",
        "seq",
        &[
            "seq",
            "incident",
            "created_at",
            "received_at",
            "attempts",
            "due_at",
            "page",
            "wrong_codes",
            "reported_at",
            "statement",
            "unsure",
        ],
        &[
            "id",
            "kind",
            "lane",
            "person",
            "channel",
            "address",
            "payload",
            "state",
            "remote_id",
            "why",
            "reported",
        ],
        &[],
    ),
    PUBLISHED,
    table("thread", "incident, channel", &["incident"], &["channel", "root"], &[]),
    ANSWER_TOKEN,
    API_TOKEN,
    SESSION,
    table("signed_out", "person", &["at"], &["person"], &[]),
    table("login_link", "id", &["mailed", "created_at"], &["id", "person"], &["hash"]),
    table("delivery", "source, id", &["received_at"], &["source", "id"], &[]),
    table(
        "unreadable",
        "id",
        &["id", "received_at", "replayed_at"],
        &["source", "kind", "method", "query", "content_type", "headers", "error", "taken"],
        &["body"],
    ),
    SILENCE,
    CONDITION,
    CALENDAR,
    CALENDAR_LINK,
    OVERRIDE,
    LEAVE,
    table(
        "alert_move",
        "from_incident, into_incident, alert",
        &["alert", "from_incident", "into_incident", "moved_at"],
        &[],
        &[],
    ),
    table(
        "reach",
        "person, way, address",
        &["tested_at", "confirmed_at"],
        &["person", "way", "address", "outcome", "why"],
        &[],
    ),
    table("test_page", "page", &["page", "created_at", "answered_at"], &["person", "asked_by"], &[]),
    table(
        "delivery_drill",
        "number",
        &["number", "at", "answer", "over_at", "missed"],
        &["state", "week", "day", "asked_by", "why"],
        &[],
    ),
    table(
        "delivery_drill_person",
        "drill, person",
        &["drill", "due_at", "page", "answered_at"],
        &["person", "state", "way"],
        &[],
    ),
    table(
        "oncall_history",
        "rotation, person, from_at",
        &["from_at", "until_at", "is_open"],
        &["rotation", "person"],
        &[],
    ),
    table(
        "subscriber",
        "id",
        &[
            "id",
            "asked_at",
            "mailed_at",
            "mailed_since",
            "mailed",
            "confirmed_at",
            "ended_at",
            "bounces",
            "bounced_at",
        ],
        &["channel", "address", "state", "word"],
        &[],
    ),
    table(
        "mailing",
        "id",
        &["id", "incident", "created_at", "after_id", "written", "statement"],
        &["channel", "payload"],
        &[],
    ),
    table("inhibitor", "alert, place", &["alert", "rule", "place"], &[], &[]),
    table("heartbeat", "name", &["last_at", "count", "excused_at", "missing_at", "told_at"], &["name"], &[]),
];

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// A row, in the order of its table's columns.
pub(super) type Whole = Vec<Value>;

impl Table {
    fn columns(&self) -> impl Iterator<Item = (&'static str, Of)> {
        let of = |names: &'static [&'static str], of| names.iter().map(move |name| (*name, of));
        of(self.ints, Of::Int).chain(of(self.texts, Of::Text)).chain(of(self.blobs, Of::Blob))
    }

    fn names(&self) -> String {
        self.columns().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }

    /// Whole rows; `which` is what follows the table's name in the query.
    pub(super) fn rows(
        &self,
        tx: &Tx<'_>,
        which: &str,
        binds: &[Bind<'_>],
    ) -> Result<Vec<Whole>, StoreError> {
        let columns: Vec<(&str, Of)> = self.columns().collect();
        let select = format!("select {} from {} {which}", self.names(), self.name);
        tx.query(&select, binds, |row| read(row, &columns))
    }

    /// The rows that come after one, in their order: no row is passed over to reach another.
    fn page(&self, tx: &Tx<'_>, after: Option<&Whole>) -> Result<Vec<Whole>, StoreError> {
        let keys: Vec<&str> = self.order.split(", ").collect();
        let Some(after) = after else {
            return self.rows(tx, &format!("order by {} limit ?1", self.order), &[PAGE.into()]);
        };
        let values: Vec<String> = (2..keys.len() + 2).map(|number| format!("?{number}")).collect();
        let which = format!("where ({0}) > ({1}) order by {0} limit ?1", self.order, values.join(", "));
        let mut binds: Vec<Bind<'_>> = vec![PAGE.into()];
        binds.extend(keys.iter().map(|key| bind(self.value(after, key))));
        self.rows(tx, &which, &binds)
    }

    /// Brings a small table of a copy up to what it is copied from.
    pub(super) fn renew(
        &self,
        from: &Tx<'_>,
        to: &Tx<'_>,
        which: &str,
        binds: &[Bind<'_>],
    ) -> Result<(), StoreError> {
        to.write(&format!("delete from {}", self.name), &[])?;
        self.put(to, "insert", &self.rows(from, which, binds)?)
    }

    /// Writes whole rows; `insert` says what becomes of those that are there.
    pub(super) fn put(&self, tx: &Tx<'_>, insert: &str, rows: &[Whole]) -> Result<(), StoreError> {
        let values: Vec<String> = (1..=self.columns().count()).map(|number| format!("?{number}")).collect();
        let insert = format!("{insert} into {} ({}) values ({})", self.name, self.names(), values.join(", "));
        for row in rows {
            let binds: Vec<Bind<'_>> = row.iter().map(bind).collect();
            tx.write(&insert, &binds)?;
        }
        Ok(())
    }

    /// A row's value in a column.
    pub(super) fn value<'r>(&self, row: &'r Whole, column: &str) -> &'r Value {
        let at = self.columns().position(|(name, _)| name == column);
        at.and_then(|at| row.get(at)).unwrap_or(&Value::Null)
    }
}

/// Copies everything; `copied` is told of how many rows so far. Answers how many in all.
///
/// # Errors
/// When the target holds incidents already, or what an engine says; nothing is committed then.
pub fn everything(from: &Tx<'_>, to: &Tx<'_>, mut copied: impl FnMut(u64)) -> Result<u64, StoreError> {
    let held = to.query_one("select count(*) from incident", &[], |row| row.int(0))?.unwrap_or_default();
    if held > 0 {
        return Err(StoreError::Schema(format!(
            "the store to copy to holds {held} incidents already; copy into an empty one"
        )));
    }
    let mut all = 0;
    for table in TABLES {
        // What a new store begins with is replaced.
        to.write(&format!("delete from {}", table.name), &[])?;
        let mut offset: i64 = 0;
        let mut last: Option<Whole> = None;
        loop {
            let page = table.page(from, last.as_ref())?;
            table.put(to, "insert", &page)?;
            // A question sends what waits, so that no more than a page of it ever waits.
            to.query("select 1", &[], |_| Ok(()))?;
            let count = i64::try_from(page.len()).unwrap_or(i64::MAX);
            offset += count;
            all += count.unsigned_abs();
            copied(all);
            if count < PAGE {
                break;
            }
            last = page.into_iter().last();
        }
        let kept = format!("select count(*) from {}", table.name);
        let kept = to.query_one(&kept, &[], |row| row.int(0))?;
        if kept != Some(offset) {
            return Err(StoreError::Schema(format!(
                "{}: {offset} rows were copied and {kept:?} are there",
                table.name
            )));
        }
    }
    Ok(all)
}

fn read(row: &Row<'_>, columns: &[(&str, Of)]) -> Result<Whole, StoreError> {
    columns
        .iter()
        .enumerate()
        .map(|(column, (_, of))| {
            Ok(match of {
                Of::Int => row.int_or_null(column)?.map_or(Value::Null, Value::Int),
                Of::Text => row.text_or_null(column)?.map_or(Value::Null, Value::Text),
                Of::Blob => Value::Blob(row.blob(column)?),
            })
        })
        .collect()
}

fn bind(value: &Value) -> Bind<'_> {
    match value {
        Value::Null => Bind::Null,
        Value::Int(value) => Bind::Int(*value),
        Value::Text(value) => Bind::Text(value),
        Value::Blob(value) => Bind::Blob(value),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::{Connection, Place};
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn every_column_of_the_schema_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let place = Place::Sqlite(directory.path().join("onscene.db"));
        let mut store = Connection::writer(&place, &clock).unwrap();
        let schema: BTreeMap<String, BTreeSet<(String, String)>> = store
            .read(clock.now(), |tx| {
                let sql =
                    "select m.name, c.name, c.type from sqlite_master m join pragma_table_info(m.name) c
                           where m.type = 'table' and m.name <> 'migration'";
                let mut tables: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
                for (table, column, of) in
                    tx.query(sql, &[], |row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)))?
                {
                    let of = if of.to_lowercase() == "integer" { "bigint".into() } else { of.to_lowercase() };
                    tables.entry(table).or_default().insert((column, of));
                }
                Ok::<_, StoreError>(tables)
            })
            .unwrap();
        let word = |of| match of {
            Of::Int => "bigint",
            Of::Text => "text",
            Of::Blob => "blob",
        };
        let ours: BTreeMap<String, BTreeSet<(String, String)>> = TABLES
            .iter()
            .chain([&NODE])
            .map(|table| {
                let columns = table.columns().map(|(name, of)| (name.to_owned(), word(of).to_owned()));
                (table.name.to_owned(), columns.collect())
            })
            .collect();
        assert_eq!(ours, schema);
    }
}
