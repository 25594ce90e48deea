//! One statement of the PostgreSQL engine for many sets of values.
//!
//! A statement costs the server and its driver the same few microseconds whatever it asks for, and a batch has
//! hundreds of alerts. So the values travel as arrays, one for each `?1`, and the server goes through them.

use super::Bind;

/// All first values, all second ones, and so on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

/// Many sets of values as columns; `None` where a column holds something else than all numbers or all texts.
pub(super) fn columns(many: &[Vec<Bind<'_>>]) -> Option<Vec<Column>> {
    let width = many.first()?.len();
    if many.iter().any(|binds| binds.len() != width) {
        return None;
    }
    let column = |index: usize| {
        let values = || many.iter().filter_map(|binds| binds.get(index));
        match values().next()? {
            Bind::Int(_) => values()
                .map(|bind| if let Bind::Int(value) = bind { Some(*value) } else { None })
                .collect::<Option<_>>()
                .map(Column::Ints),
            Bind::Text(_) => values()
                .map(|bind| if let Bind::Text(value) = bind { Some((*value).to_owned()) } else { None })
                .collect::<Option<_>>()
                .map(Column::Texts),
            Bind::Null | Bind::Blob(_) => None,
        }
    };
    (0..width).map(column).collect()
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
        let kind = if let Column::Ints(_) = column { "bigint" } else { "text" };
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
        assert_eq!(columns, [Column::Ints(vec![1, 2]), Column::Texts(vec!["a".into(), "b".into()])]);
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
}
