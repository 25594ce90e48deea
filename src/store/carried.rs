//! Letters that have left: what their carriers tell of them, wrong codes of answers to them, and which may sound on.

use jiff::Timestamp;

use super::letters::Kind;
use super::{Row, StoreError, Tx};

/// The number of the letter with this id.
///
/// # Errors
/// What the engine says.
pub fn number_of(tx: &Tx<'_>, id: &str) -> Result<Option<i64>, StoreError> {
    tx.query_one("select seq from letter where id = ?1", &[id.into()], |row| row.int(0))
}

/// How many answers to a letter had a wrong code.
///
/// # Errors
/// What the engine says.
pub fn wrong_codes(tx: &Tx<'_>, id: &str) -> Result<i64, StoreError> {
    let sql = "select wrong_codes from letter where id = ?1";
    Ok(tx.query_one(sql, &[id.into()], |row| row.int(0))?.unwrap_or_default())
}

/// An answer that may have been to this letter had a wrong code.
///
/// # Errors
/// What the engine says.
pub fn counts_wrong_code(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.write("update letter set wrong_codes = wrong_codes + 1 where id = ?1", &[id.into()])
}

/// By which ways tests may have reached an address since this hour. Only tests wake somebody for no incident.
///
/// # Errors
/// What the engine says.
pub fn tests_at(tx: &Tx<'_>, address: &str, since: Timestamp) -> Result<Vec<String>, StoreError> {
    let sql = "select distinct channel from letter where incident = 0 and kind = 'page' and address = ?1
               and created_at >= ?2 and (state in ('accepted', 'unknown', 'sending') or attempts > 0)";
    tx.query(sql, &[address.into(), since.into()], |row| row.text(0))
}

/// A letter that was handed over, when its carrier tells of it.
#[derive(Clone, Debug)]
pub struct Reported {
    /// `pending`, `sending`, ...
    pub state: String,
    /// Which attempt was the last.
    pub attempts: i64,
    /// What kind.
    pub kind: Kind,
    /// Where it went.
    pub address: String,
    /// What was told of it last.
    pub said: Option<String>,
}

/// What is known of the letter with this id, where its carrier tells of it.
///
/// # Errors
/// What the engine says.
pub fn reported(tx: &Tx<'_>, id: &str) -> Result<Option<Reported>, StoreError> {
    let sql = "select state, attempts, kind, address, reported from letter where id = ?1";
    tx.query_one(sql, &[id.into()], |row| {
        Ok(Reported {
            state: row.text(0)?,
            attempts: row.int(1)?,
            kind: Kind::from_word(&row.text(2)?)?,
            address: row.text(3)?,
            said: row.text_or_null(4)?,
        })
    })
}

/// The carrier of a letter tells of it. One that has arrived and was to be sent once more, because nobody knew, is not: `is_there`.
/// Nor is one that a hand has, or had when it was lost: what that hand says then is older than this. And one that was refused or came
/// back is there all the same.
///
/// # Errors
/// What the engine says.
pub fn reports(tx: &Tx<'_>, id: &str, said: &str, is_there: bool) -> Result<(), StoreError> {
    tx.write(
        "update letter set reported = ?2, reported_at = ?3 where id = ?1",
        &[id.into(), said.into(), tx.now.into()],
    )?;
    if is_there {
        tx.write(
            "update letter set state = 'accepted', payload = '', why = null, due_at = ?2
             where id = ?1 and attempts > 0 and state in ('pending', 'sending', 'unknown', 'refused', 'bounced')",
            &[id.into(), tx.now.into()],
        )?;
    }
    Ok(())
}

/// A letter that left, and may sound on. One that was tried and is to be tried again, or was not needed any more then, may have left:
/// its receipt was lost.
#[derive(Clone, Debug)]
pub struct Sounding {
    /// Its id.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// Whom it wakes.
    pub person: String,
    /// By which way.
    pub way: String,
    /// Where.
    pub address: String,
    /// It is being sent at this moment.
    pub is_sending: bool,
    /// Of which incident it was when it left.
    pub incident: i64,
    /// The number of its page.
    pub page: i64,
}

/// Letters of an incident, and of those that became part of it with alerts, that wake somebody by a way beside mail, that left at
/// this hour or later, and that nothing was told of.
///
/// # Errors
/// What the engine says.
pub fn sounding(tx: &Tx<'_>, incident: i64, since: Timestamp) -> Result<Vec<Sounding>, StoreError> {
    let which = "incident in (
           with recursive part (id) as (
             select cast(?1 as bigint)
             union
             select alert_move.from_incident from part join alert_move on alert_move.into_incident = part.id)
           select id from part)";
    tx.query(&of_those(which), &[incident.into(), since.into()], read)
}

/// Incidents that became part of this one at this hour or later and had no alert, such as people declare.
///
/// # Errors
/// What the engine says.
pub fn took_in_without_alerts(tx: &Tx<'_>, incident: i64, since: Timestamp) -> Result<Vec<i64>, StoreError> {
    let sql = "select data from entry where incident = ?1 and kind = 'took_in' and at >= ?2 order by seq";
    let all = tx.query(sql, &[incident.into(), since.into()], |row| {
        let data: serde_json::Value = serde_json::from_str(row.text_ref(0)?)?;
        Ok(data["incident"].as_i64().filter(|_| data["alerts"] == 0))
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// The same, of a test page.
///
/// # Errors
/// What the engine says.
pub fn sounding_of_test(tx: &Tx<'_>, page: i64, since: Timestamp) -> Result<Vec<Sounding>, StoreError> {
    tx.query(&of_those("incident = 0 and page = ?1"), &[page.into(), since.into()], read)
}

fn of_those(which: &str) -> String {
    format!(
        "select id, kind, person, channel, address, state, incident, coalesce(page, seq) from letter
         where {which} and kind in ('page', 'help', 'pio_page') and person <> '' and channel <> ''
           and (state in ('accepted', 'unknown', 'sending') or state in ('pending', 'dropped') and attempts > 0)
           and due_at >= ?2 and reported is null order by seq"
    )
}

fn read(row: &Row<'_>) -> Result<Sounding, StoreError> {
    Ok(Sounding {
        id: row.text(0)?,
        kind: Kind::from_word(&row.text(1)?)?,
        person: row.text(2)?,
        way: row.text(3)?,
        address: row.text(4)?,
        is_sending: row.text(5)? == "sending",
        incident: row.int(6)?,
        page: row.int(7)?,
    })
}
