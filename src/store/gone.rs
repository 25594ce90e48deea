//! Letters that ask somebody for what nobody asks them for any more: an office that was given to another or taken back, or
//! command that is not offered any more. What has not left does not leave.

use jiff::Timestamp;

use super::{StoreError, Tx};

/// When somebody was paged for an incident, and why, in order.
///
/// # Errors
/// What the engine says.
pub fn paged(tx: &Tx<'_>, incident: i64, person: &str) -> Result<Vec<(Timestamp, String)>, StoreError> {
    let sql = "select at, data from entry where incident = ?1 and kind = 'paged' order by seq";
    let all = tx.query(sql, &[incident.into()], |row| {
        let data: serde_json::Value = serde_json::from_str(row.text_ref(1)?)?;
        let why = data["why"].as_str().filter(|_| data["person"] == person);
        Ok(Some(row.time(0)?).zip(why.map(str::to_owned)))
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// The pages that were written to somebody at an hour although somebody had the incident.
///
/// # Errors
/// What the engine says.
pub fn pages_at(tx: &Tx<'_>, incident: i64, person: &str, at: Timestamp) -> Result<Vec<i64>, StoreError> {
    // A way that was added later belongs to the page that was written before.
    let sql = "select coalesce(page, seq) from letter where incident = ?1 and kind = 'help' and person = ?2
               group by coalesce(page, seq) having min(created_at) = ?3 order by 1";
    tx.query(sql, &[incident.into(), person.into(), at.into()], |row| row.int(0))
}

/// A page is not needed any more: of its letters those that wait do not leave.
///
/// # Errors
/// What the engine says.
pub fn end_page(tx: &Tx<'_>, page: i64) -> Result<(), StoreError> {
    tx.write(
        "update letter set state = 'dropped', payload = '', why = 'no longer needed'
         where page = ?1 and state = 'pending'",
        &[page.into()],
    )
}

/// What waits to tell somebody something and was written at an hour: numbers of letters and their words.
///
/// # Errors
/// What the engine says.
pub fn notices_at(
    tx: &Tx<'_>,
    incident: i64,
    person: &str,
    at: Timestamp,
) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "select seq, payload from letter
               where incident = ?1 and kind = 'notice' and person = ?2 and created_at = ?3 and state = 'pending'
               order by seq";
    tx.query(sql, &[incident.into(), person.into(), at.into()], |row| Ok((row.int(0)?, row.text(1)?)))
}

/// A letter is not needed any more, and does not leave if it waits.
///
/// # Errors
/// What the engine says.
pub fn end_letter(tx: &Tx<'_>, letter: i64) -> Result<(), StoreError> {
    tx.write(
        "update letter set state = 'dropped', payload = '', why = 'no longer needed'
         where seq = ?1 and state = 'pending'",
        &[letter.into()],
    )
}
