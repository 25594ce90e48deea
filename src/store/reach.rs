//! What became of pages, letter by letter, and what is known of the addresses of people by tests.

use jiff::Timestamp;

use super::letters::Leg;
use super::{Row, StoreError, Tx, letters};

/// Most pages of one incident that are shown, the newest first.
pub const PAGES_MAX: u32 = 500;

/// One page, and what became of it.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its number.
    pub number: i64,
    /// Whom it was to wake.
    pub person: String,
    /// `page`, `help` or `pio_page`.
    pub kind: String,
    /// When it was written.
    pub at: Timestamp,
    /// Its letters.
    pub legs: Vec<Leg>,
    /// When its link was first followed: a hint that somebody has seen it, and no more.
    pub opened_at: Option<Timestamp>,
    /// When its person answered after it, and by which route.
    pub answered: Option<(Timestamp, String)>,
}

/// The pages of an incident, the newest first, also those of incidents that became part of it while something of them had not
/// left.
///
/// # Errors
/// What the engine says.
pub fn pages(tx: &Tx<'_>, incident: i64) -> Result<Vec<Page>, StoreError> {
    let numbers = tx.query(
        "select distinct coalesce(page, seq) from letter where incident = ?1 and kind in ('page', 'help', 'pio_page')
         order by 1 desc limit ?2",
        &[incident.into(), i64::from(PAGES_MAX).into()],
        |row| row.int(0),
    )?;
    let Some(oldest) = numbers.last() else { return Ok(Vec::new()) };
    // Two looks at an index: with "or" a server reads every letter there is.
    let rows = tx.query(
        "select coalesce(page, seq), person, kind, created_at, seq, channel, address, state, why, due_at, reported,
           reported_at from letter where incident = ?1 and kind in ('page', 'help', 'pio_page') and coalesce(page, seq) >= ?2
         union
         select coalesce(page, seq), person, kind, created_at, seq, channel, address, state, why, due_at, reported,
           reported_at from letter where page in (select page from letter where incident = ?1 and page is not null) and coalesce(page, seq) >= ?2
         order by 1 desc, 5",
        &[incident.into(), (*oldest).into()],
        |row| {
            Ok(Page {
                number: row.int(0)?,
                person: row.text(1)?,
                kind: row.text(2)?,
                at: row.time(3)?,
                legs: vec![letters::leg(row, 4)?],
                opened_at: None,
                answered: None,
            })
        },
    )?;
    let mut pages: Vec<Page> = Vec::with_capacity(numbers.len());
    for row in rows {
        match pages.last_mut() {
            Some(page) if page.number == row.number => page.legs.extend(row.legs),
            _ => pages.push(row),
        }
    }
    let opened = tx.query(
        "select page, min(opened_at) from answer_token where opened_at is not null and page >= ?2
           and page in (select coalesce(page, seq) from letter where incident = ?1) group by page",
        &[incident.into(), (*oldest).into()],
        |row| Ok((row.int(0)?, row.time(1)?)),
    )?;
    let answers = tx.query(
        "select actor, at, route from entry where incident = ?1 and kind in ('acknowledged', 'declined', 'checked_in')
         order by seq",
        &[incident.into()],
        |row| Ok((row.text(0)?, row.time(1)?, row.text(2)?)),
    )?;
    for page in &mut pages {
        page.opened_at = opened.iter().find(|(number, _)| *number == page.number).map(|(_, at)| *at);
        let actor = format!("person:{}", page.person);
        let answer = answers.iter().find(|(who, at, _)| *who == actor && *at >= page.at);
        page.answered = answer.map(|(_, at, route)| (*at, route.clone()));
    }
    Ok(pages)
}

/// What is known of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose.
    pub person: String,
    /// By which way: `mail`, or its name.
    pub way: String,
    /// The address that was tested.
    pub address: String,
    /// When it was tested last.
    pub tested_at: Timestamp,
    /// What became of that: `pending`, `accepted`, `refused`, `bounced` or `unknown`.
    pub outcome: String,
    /// What was answered.
    pub why: Option<String>,
    /// When the person said that a test had reached them there.
    pub confirmed_at: Option<Timestamp>,
}

/// What is known of all addresses, of those too that the configuration does not have any more.
///
/// # Errors
/// What the engine says.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Known>, StoreError> {
    let sql = "select person, way, address, tested_at, outcome, why, confirmed_at from reach order by person, way, address";
    tx.query(sql, &[], |row| {
        Ok(Known {
            person: row.text(0)?,
            way: row.text(1)?,
            address: row.text(2)?,
            tested_at: row.time(3)?,
            outcome: row.text(4)?,
            why: row.text_or_null(5)?,
            confirmed_at: row.time_or_null(6)?,
        })
    })
}

/// A test of an address has begun.
///
/// # Errors
/// What the engine says.
pub fn begins(tx: &Tx<'_>, person: &str, way: &str, address: &str) -> Result<(), StoreError> {
    tx.write(
        "insert into reach (person, way, address, tested_at, outcome) values (?1, ?2, ?3, ?4, 'pending')
         on conflict (person, way, address) do update set tested_at = excluded.tested_at, outcome = 'pending', why = null",
        &[person.into(), way.into(), address.into(), tx.now.into()],
    )
}

/// A test of an address has its outcome.
///
/// # Errors
/// What the engine says.
pub fn ends(
    tx: &Tx<'_>,
    person: &str,
    way: &str,
    address: &str,
    (outcome, why): (&str, &str),
) -> Result<(), StoreError> {
    tx.write(
        "update reach set outcome = ?4, why = ?5 where person = ?1 and way = ?2 and address = ?3",
        &[
            person.into(),
            way.into(),
            address.into(),
            outcome.into(),
            Some(why).filter(|why| !why.is_empty()).into(),
        ],
    )
}

/// A test page.
#[derive(Clone, Debug)]
pub struct Test {
    /// Whom it is for.
    pub person: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub at: Timestamp,
    /// When its person said that it had reached them.
    pub answered_at: Option<Timestamp>,
    /// Its letters.
    pub legs: Vec<Leg>,
}

/// Keeps a test page.
///
/// # Errors
/// What the engine says.
pub fn put_test(tx: &Tx<'_>, page: i64, person: &str, asked_by: &str) -> Result<(), StoreError> {
    tx.write(
        "insert into test_page (page, person, asked_by, created_at) values (?1, ?2, ?3, ?4)",
        &[page.into(), person.into(), asked_by.into(), tx.now.into()],
    )
}

/// A test page, and what became of its letters.
///
/// # Errors
/// What the engine says.
pub fn test(tx: &Tx<'_>, page: i64) -> Result<Option<Test>, StoreError> {
    let sql = "select person, asked_by, created_at, answered_at from test_page where page = ?1";
    let found = tx.query_one(sql, &[page.into()], |row| {
        let (person, asked_by) = (row.text(0)?, row.text(1)?);
        Ok(Test { person, asked_by, at: row.time(2)?, answered_at: row.time_or_null(3)?, legs: Vec::new() })
    })?;
    let Some(mut test) = found else { return Ok(None) };
    test.legs = letters::legs(tx, page)?;
    Ok(Some(test))
}

/// How many tests of somebody were asked for since an hour.
///
/// # Errors
/// What the engine says.
pub fn tests_since(tx: &Tx<'_>, person: &str, since: Timestamp) -> Result<i64, StoreError> {
    let sql = "select count(*) from test_page where person = ?1 and created_at > ?2";
    Ok(tx.query_one(sql, &[person.into(), since.into()], |row| row.int(0))?.unwrap_or_default())
}

/// What a link stands in: the incident, the page and the letter, and when it was first followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Zero for a test.
    pub incident: i64,
    /// Whose it is.
    pub person: String,
    /// Its page.
    pub page: Option<i64>,
    /// The one letter it stands in, of a test.
    pub letter: Option<i64>,
    /// When any link of the page was first followed.
    pub opened_at: Option<Timestamp>,
}

/// What a link stands in, by its hash.
///
/// # Errors
/// What the engine says.
pub fn followed(tx: &Tx<'_>, link: &[u8; 32]) -> Result<Option<Followed>, StoreError> {
    let sql = "select incident, person, page, letter,
                 (select min(opened_at) from answer_token other where other.hash = answer_token.hash
                    or other.page = answer_token.page)
               from answer_token where hash = ?1";
    tx.query_one(sql, &[link[..].into()], |row: &Row<'_>| {
        Ok(Followed {
            incident: row.int(0)?,
            person: row.text(1)?,
            page: row.int_or_null(2)?,
            letter: row.int_or_null(3)?,
            opened_at: row.time_or_null(4)?,
        })
    })
}

/// A link was followed for the first time.
///
/// # Errors
/// What the engine says.
pub fn opens(tx: &Tx<'_>, link: &[u8; 32]) -> Result<(), StoreError> {
    tx.write(
        "update answer_token set opened_at = ?2 where hash = ?1 and opened_at is null",
        &[link[..].into(), tx.now.into()],
    )
}

/// The person of a test said that a letter of it had reached them, by its link or as its way is answered.
///
/// # Errors
/// What the engine says.
pub fn confirms(tx: &Tx<'_>, page: i64, letter: i64) -> Result<(), StoreError> {
    tx.write(
        "update answer_token set confirmed_at = ?3 where page = ?1 and letter = ?2 and confirmed_at is null",
        &[page.into(), letter.into(), tx.now.into()],
    )?;
    tx.write(
        "update test_page set answered_at = ?2 where page = ?1 and answered_at is null",
        &[page.into(), tx.now.into()],
    )?;
    tx.write(
        "update reach set confirmed_at = ?2 where exists (select 1 from letter where letter.seq = ?1
           and letter.person = reach.person and letter.address = reach.address
           and case when letter.channel = '' then 'mail' else letter.channel end = reach.way)",
        &[letter.into(), tx.now.into()],
    )?;
    // One that is to be tried again, because nobody knew whether it had arrived, has.
    let waits = "update letter set state = 'dropped', payload = '', why = 'answered already'
                 where seq = ?1 and incident = 0 and state = 'pending'";
    if tx.execute(waits, &[letter.into()])? > 0 {
        tx.write(
            "update reach set outcome = 'accepted', why = null where outcome = 'pending' and exists (
               select 1 from letter where letter.seq = ?1 and letter.person = reach.person
                 and letter.address = reach.address
                 and case when letter.channel = '' then 'mail' else letter.channel end = reach.way)",
            &[letter.into()],
        )?;
    }
    Ok(())
}

/// Forgets tests that were asked for before an hour, with their letters and links. What is known by them stays.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    for sql in [
        "delete from answer_token where incident = 0 and created_at < ?1",
        "delete from letter where incident = 0 and created_at < ?1",
        "delete from test_page where created_at < ?1",
    ] {
        tx.write(sql, &[before.into()])?;
    }
    Ok(())
}
