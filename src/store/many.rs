//! One statement of the PostgreSQL engine for many sets of values.
//!
//! A statement costs the server and its driver the same few microseconds whatever it asks for, and a batch has
//! hundreds of alerts, entries and letters. So the values travel as arrays, one for each `?1`, and the server goes
//! through them.

use std::collections::HashSet;

use tokio_postgres::types::Type;

use super::Bind;

/// All first values, all second ones, and so on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// An empty one for values of a type of the server; `None` for types that are not written here.
    fn of(kind: &Type) -> Option<Self> {
        match *kind {
            Type::INT8 => Some(Self::Ints(Vec::new())),
            Type::TEXT => Some(Self::Texts(Vec::new())),
            Type::BYTEA => Some(Self::Blobs(Vec::new())),
            _ => None,
        }
    }

    /// Whether it can hold such a value.
    fn takes(&self, bind: &Bind<'_>) -> bool {
        matches!(
            (self, bind),
            (_, Bind::Null)
                | (Self::Ints(_), Bind::Int(_))
                | (Self::Texts(_), Bind::Text(_))
                | (Self::Blobs(_), Bind::Blob(_))
        )
    }

    fn push(&mut self, bind: &Bind<'_>) {
        match (self, bind) {
            (Self::Ints(values), Bind::Int(value)) => values.push(Some(*value)),
            (Self::Texts(values), Bind::Text(value)) => values.push(Some((*value).to_owned())),
            (Self::Blobs(values), Bind::Blob(value)) => values.push(Some(value.to_vec())),
            (Self::Ints(values), _) => values.push(None),
            (Self::Texts(values), _) => values.push(None),
            (Self::Blobs(values), _) => values.push(None),
        }
    }
}

/// Many sets of values as columns; `None` where a column holds something else than all numbers or all texts.
pub(super) fn columns(many: &[Vec<Bind<'_>>]) -> Option<Vec<Column>> {
    let first = many.first()?;
    let of = |bind: &Bind<'_>| match bind {
        Bind::Int(_) => Column::of(&Type::INT8),
        Bind::Text(_) => Column::of(&Type::TEXT),
        Bind::Null | Bind::Blob(_) => None,
    };
    let mut columns = first.iter().map(of).collect::<Option<Vec<_>>>()?;
    for binds in many {
        let fits = |(column, bind): (&Column, &Bind<'_>)| !matches!(bind, Bind::Null) && column.takes(bind);
        if binds.len() != columns.len() || !columns.iter().zip(binds).all(fits) {
            return None;
        }
        columns.iter_mut().zip(binds).for_each(|(column, bind)| column.push(bind));
    }
    Some(columns)
}

/// What a statement does that changes rows, as far as many of its kind can be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `insert into TABLE (...) values (...)`, perhaps with `on conflict do nothing`.
    Insert { table: String },
    /// `update TABLE set ... where id = ?1`, or `seq`.
    Update { table: String },
}

impl Shape {
    /// Reads a statement; `None`: it has to go alone.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let word = |rest: &str| rest.split([' ', '\n', '(']).next().unwrap_or_default().to_owned();
        if let Some(rest) = sql.strip_prefix("insert into ") {
            let (_, values, end) = of_insert(sql)?;
            let is_plain = !values.contains('(') && !values.contains("select");
            let ends_plainly = end.trim().is_empty() || end.trim() == "on conflict do nothing";
            return (is_plain && ends_plainly).then(|| Self::Insert { table: word(rest) });
        }
        let rest = sql.strip_prefix("update ")?;
        let (set, which) = sql.split_once(" where ")?;
        let is_plain = ["id = ?1", "seq = ?1"].contains(&which.trim()) && !set.contains("select");
        is_plain.then(|| Self::Update { table: word(rest) })
    }

    fn table(&self) -> &str {
        match self {
            Self::Insert { table } | Self::Update { table } => table,
        }
    }
}

/// What stands before the values of an insert, the values, and what stands after them.
fn of_insert(sql: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = sql.split_once("values (")?;
    let (values, end) = rest.rsplit_once(')')?;
    Some((head, values, end))
}

/// Statements of the same words that wait for each other.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) sql: String,
    shape: Shape,
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
    /// Of updates, the rows that they change.
    ids: HashSet<i64>,
}

impl Group {
    /// An empty one; `None` where the values are of types that do not travel so.
    pub(super) fn new(sql: &str, shape: Shape, types: &[Type]) -> Option<Self> {
        let columns = types.iter().map(Column::of).collect::<Option<Vec<_>>>()?;
        Some(Self { sql: sql.to_owned(), shape, columns, rows: 0, ids: HashSet::new() })
    }

    /// Whether a statement of other words may be sent before or after this group as it likes.
    pub(super) fn is_apart_from(&self, other: &Shape) -> bool {
        self.shape.table() != other.table()
    }

    /// Takes one more; `false`: it must come after what is here, or cannot travel so.
    pub(super) fn take(&mut self, binds: &[Bind<'_>]) -> bool {
        let fits = binds.len() == self.columns.len()
            && self.columns.iter().zip(binds).all(|(column, bind)| column.takes(bind));
        let is_free = match (&self.shape, binds.first()) {
            (Shape::Insert { .. }, _) => true,
            (Shape::Update { .. }, Some(Bind::Int(id))) => fits && self.ids.insert(*id),
            (Shape::Update { .. }, _) => false,
        };
        if !fits || !is_free {
            return false;
        }
        self.columns.iter_mut().zip(binds).for_each(|(column, bind)| column.push(bind));
        self.rows += 1;
        true
    }

    /// The one statement for all of them.
    pub(super) fn written(&self) -> Option<String> {
        match self.shape {
            Shape::Insert { .. } => insert(&self.sql, &self.columns),
            Shape::Update { .. } => update(&self.sql, &self.columns),
        }
    }
}

/// An insert of a row for each set of values.
fn insert(sql: &str, columns: &[Column]) -> Option<String> {
    let sql = with_names(sql);
    let (head, values, end) = of_insert(&sql)?;
    Some(format!("{head}select {values} from {}{end}", source(columns)))
}

/// A query for each set of values; its last column says which one, from 1. `offset 0` keeps it a query of its own
/// for each, by the index it is meant to use, whatever the server believes about the size of its tables.
pub(super) fn query(sql: &str, columns: &[Column]) -> String {
    let sql = with_names(sql);
    format!("select f.*, m.n from {} cross join lateral ({sql} offset 0) f", source(columns))
}

/// An update for each set of values. No two may be of the same row. `None`: it is not written as one can be changed.
pub(super) fn update(sql: &str, columns: &[Column]) -> Option<String> {
    let sql = with_names(sql);
    let (set, which) = sql.split_once(" where ")?;
    (sql.starts_with("update ") && !which.contains(" where "))
        .then(|| format!("{set} from {} where {which}", source(columns)))
}

/// The arrays as a table `m` with the columns `v1`, `v2`, ... and `n`.
fn source(columns: &[Column]) -> String {
    let (mut arrays, mut names) = (String::new(), String::new());
    for (index, column) in columns.iter().enumerate() {
        let kind = match column {
            Column::Ints(_) => "bigint",
            Column::Texts(_) => "text",
            Column::Blobs(_) => "bytea",
        };
        arrays.push_str(&format!("{}?{}::{kind}[]", if index == 0 { "" } else { ", " }, index + 1));
        names.push_str(&format!("v{}, ", index + 1));
    }
    format!("unnest({arrays}) with ordinality as m ({names}n)")
}

/// `?1` as `m.v1`.
fn with_names(sql: &str) -> String {
    let mut written = String::with_capacity(sql.len() + 16);
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '?' && rest.peek().is_some_and(char::is_ascii_digit) {
            written.push_str("m.v");
        } else {
            written.push(c);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sets_of_values_become_one_array_for_each_value() {
        let many: Vec<Vec<Bind<'_>>> = vec![vec![1.into(), "a".into()], vec![2.into(), "b".into()]];
        let columns = columns(&many).unwrap();
        let texts = vec![Some("a".into()), Some("b".into())];
        assert_eq!(columns, [Column::Ints(vec![Some(1), Some(2)]), Column::Texts(texts)]);
        assert_eq!(
            query("select x from t where id = ?1 and key = ?2", &columns),
            "select f.*, m.n from unnest(?1::bigint[], ?2::text[]) with ordinality as m (v1, v2, n) \
             cross join lateral (select x from t where id = m.v1 and key = m.v2 offset 0) f"
        );
        assert_eq!(
            update("update t set key = ?2 where id = ?1", &columns).unwrap(),
            "update t set key = m.v2 from unnest(?1::bigint[], ?2::text[]) with ordinality as m (v1, v2, n) \
             where id = m.v1"
        );
    }

    #[test]
    fn what_does_not_fit_into_arrays_is_left_as_it_is() {
        let int = |n: i64| Bind::Int(n);
        assert_eq!(columns(&[]), None);
        assert_eq!(columns(&[vec![int(1)], vec![Bind::Null]]), None);
        assert_eq!(columns(&[vec![int(1)], vec!["a".into()]]), None);
        assert_eq!(columns(&[vec![int(1)], vec![]]), None);
        assert_eq!(columns(&[vec![Bind::Blob(b"a")]]), None);
        assert_eq!(update("delete from t where id = ?1", &[]), None);
        assert_eq!(update("update t set a = (select b from u where c = d) where id = ?1", &[]), None);
    }

    fn group(sql: &str, types: &[Type]) -> Group {
        Group::new(sql, Shape::of(sql).unwrap(), types).unwrap()
    }

    #[test]
    fn inserts_of_the_same_words_become_one_with_what_is_missing_in_its_place() {
        let sql = "insert into t (id, why, hash, state) values (?1, ?2, ?3, 'new')";
        let mut group = group(sql, &[Type::INT8, Type::TEXT, Type::BYTEA]);
        assert!(group.take(&[1.into(), Bind::Null, Bind::Blob(b"a")]));
        assert!(
            group.take(&[1.into(), "b".into(), Bind::Null]),
            "that two have one key is the server's to say"
        );
        assert!(!group.take(&["one".into(), "b".into(), Bind::Null]), "a text is no number");
        assert!(!group.take(&[1.into(), "b".into()]));
        assert_eq!(group.rows, 2);
        assert_eq!(
            group.columns,
            [
                Column::Ints(vec![Some(1), Some(1)]),
                Column::Texts(vec![None, Some("b".into())]),
                Column::Blobs(vec![Some(b"a".to_vec()), None]),
            ]
        );
        assert_eq!(
            group.written().unwrap(),
            "insert into t (id, why, hash, state) select m.v1, m.v2, m.v3, 'new' from \
             unnest(?1::bigint[], ?2::text[], ?3::bytea[]) with ordinality as m (v1, v2, v3, n)"
        );
    }

    #[test]
    fn no_row_is_changed_twice_by_one_statement() {
        let mut group = group("update t set why = ?2 where id = ?1", &[Type::INT8, Type::TEXT]);
        assert!(group.take(&[1.into(), "a".into()]));
        assert!(group.take(&[2.into(), Bind::Null]));
        assert!(!group.take(&[1.into(), "b".into()]));
        assert!(!group.take(&[Bind::Null, "b".into()]));
        assert_eq!(group.rows, 2);
    }

    #[test]
    fn what_depends_on_other_rows_goes_alone_and_what_is_of_one_table_in_its_order() {
        for alone in [
            "insert into t (a) values (?1) on conflict (a) do update set a = excluded.a",
            "insert into t (a) values (coalesce(?1, 2))",
            "insert into t (a) select ?1",
            "update t set a = ?2 where id = ?1 and b = ?3",
            "update t set a = ?2 where name = ?1",
            "update t set a = (select b from u) where id = ?1",
            "delete from t where id = ?1",
            "begin",
        ] {
            assert_eq!(Shape::of(alone), None, "{alone}");
        }
        let shape = |sql: &str| Shape::of(sql).unwrap();
        let insert = shape("insert into t (a)\n values (?1)\n on conflict do nothing");
        let update = shape("update t set a = ?2 where id = ?1");
        let other = group("insert into tt (a) values (?1)", &[Type::INT8]);
        assert!(other.is_apart_from(&insert) && other.is_apart_from(&update));
        assert!(!group("insert into t (b) values (?1)", &[Type::INT8]).is_apart_from(&update));
        assert!(Group::new("insert into t (a) values (?1)", insert, &[Type::BOOL]).is_none());
    }
}
