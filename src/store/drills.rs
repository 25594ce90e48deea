//! Delivery drills, and how each of their people stands.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{Row, StoreError, Tx};
use crate::core::delivery_drill::{APART, Occasion, State, never_was};
use crate::core::reach::MAIL;

/// Most people who are looked at in one transaction.
const LOOKED_AT_MAX: u32 = 64;

/// One drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Its number.
    pub number: i64,
    /// `planned`, `running`, `over`, `skipped` or `void`.
    pub state: String,
    /// The week of the calendar whose drill it is; `None`: somebody asked for it.
    pub week: Option<String>,
    /// The day of its hours.
    pub date: Option<Date>,
    /// When it begins, or began.
    pub at: Timestamp,
    /// How long an answer is awaited.
    pub answer_within: SignedDuration,
    /// Who asked for it.
    pub asked_by: Option<String>,
    /// When it was over.
    pub over_at: Option<Timestamp>,
    /// Why there was none.
    pub why: Option<String>,
    /// How many did not answer.
    pub missed: i64,
}

impl Drill {
    /// Whether it belongs to a future that never was.
    fn never_was(&self, now: Timestamp) -> bool {
        never_was(self.over_at.unwrap_or(self.at).max(self.at), now)
    }

    /// What is planned by it.
    pub fn occasion(&self) -> Option<Occasion> {
        Some(Occasion { week: self.week.clone()?, date: self.date?, at: self.at })
    }
}

/// What is not over.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// The next one.
    pub planned: Option<Drill>,
    /// The one that goes on, and when the next of its people is to be looked at; `None`: all have answered, or will not.
    pub running: Option<(Drill, Option<Timestamp>)>,
    /// Weeks that have had theirs.
    pub had: BTreeSet<String>,
    /// One began in a future that never was.
    pub never_was: bool,
}

const COLUMNS: &str = "number, state, week, day, at, answer, asked_by, over_at, why, missed";

fn read(row: &Row<'_>) -> Result<Drill, StoreError> {
    let date = row.text_or_null(3)?.map(|date| date.parse());
    Ok(Drill {
        number: row.int(0)?,
        state: row.text(1)?,
        week: row.text_or_null(2)?,
        date: date.transpose().map_err(|_| StoreError::Decode("a date of a drill"))?,
        at: row.time(4)?,
        answer_within: SignedDuration::from_micros(row.int(5)?),
        asked_by: row.text_or_null(6)?,
        over_at: row.time_or_null(7)?,
        why: row.text_or_null(8)?,
        missed: row.int(9)?,
    })
}

/// What is not over, and which weeks have had their drill. The rows are few: those of a month.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn open(tx: &Tx<'_>) -> Result<Open, StoreError> {
    let due = "(select min(due_at) from delivery_drill_person
                where drill = number and state in ('waits', 'asked')) as due";
    let asked = "(select max(created_at) from test_page where page in (
                    select page from delivery_drill_person where drill = number and page is not null)) as asked";
    let rows = tx.query(
        &format!("select {COLUMNS}, {due}, {asked} from delivery_drill order by number"),
        &[],
        |row| {
            // One person after the other, also where the hour of many comes at once, or was missed. A clock that was ahead when the
            // last was asked holds up nobody.
            let after = |asked: Timestamp| asked.min(tx.now).saturating_add(APART).unwrap_or(tx.now);
            let next = row.time_or_null(11)?.map(after);
            Ok((read(row)?, row.time_or_null(10)?.map(|due| next.map_or(due, |next| due.max(next)))))
        },
    )?;
    let mut found = Open::default();
    for (drill, due) in rows {
        match drill.state.as_str() {
            "planned" => found.planned = Some(drill),
            state => {
                let is_open = state == "running";
                found.never_was |= drill.never_was(tx.now) && (is_open || drill.week.is_some());
                found.had.extend(drill.week.clone());
                if is_open {
                    found.running = Some((drill, due));
                }
            }
        }
    }
    Ok(found)
}

/// Another hour is the next.
///
/// # Errors
/// What the engine says.
pub fn plan(tx: &Tx<'_>, next: Option<&Occasion>, answer: SignedDuration) -> Result<(), StoreError> {
    tx.write("delete from delivery_drill where state = 'planned'", &[])?;
    match next {
        Some(next) => put(tx, "planned", Some(next), (next.at, answer), None).map(drop),
        None => Ok(()),
    }
}

/// A drill begins that somebody asked for. Answers its number.
///
/// # Errors
/// What the engine says.
pub fn put_asked(tx: &Tx<'_>, answer: SignedDuration, by: &str) -> Result<i64, StoreError> {
    put(tx, "running", None, (tx.now, answer), Some(by))
}

fn put(
    tx: &Tx<'_>,
    state: &str,
    next: Option<&Occasion>,
    (at, answer): (Timestamp, SignedDuration),
    by: Option<&str>,
) -> Result<i64, StoreError> {
    // Those who write take turns.
    let last = tx.query_one("select max(number) from delivery_drill", &[], |row| row.int_or_null(0))?;
    let number = last.flatten().unwrap_or(0) + 1;
    let (week, day) = (next.map(|next| next.week.as_str()), next.map(|next| next.date.to_string()));
    let answer = i64::try_from(answer.as_micros()).unwrap_or(i64::MAX);
    tx.write(
        "insert into delivery_drill (number, state, week, day, at, answer, asked_by, missed)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
        &[
            number.into(),
            state.into(),
            week.into(),
            day.as_deref().into(),
            at.into(),
            answer.into(),
            by.into(),
        ],
    )?;
    Ok(number)
}

/// What was planned begins. Answers its number: they follow one another as drills do.
///
/// # Errors
/// What the engine says.
pub fn begin(tx: &Tx<'_>, planned: &Occasion, answer: SignedDuration) -> Result<i64, StoreError> {
    plan(tx, None, answer)?;
    put(tx, "running", Some(planned), (tx.now, answer), None)
}

/// What was planned is left out.
///
/// # Errors
/// What the engine says.
pub fn skip(tx: &Tx<'_>, planned: &Occasion, why: &str) -> Result<(), StoreError> {
    plan(tx, None, SignedDuration::ZERO)?;
    let number = put(tx, "skipped", Some(planned), (planned.at, SignedDuration::ZERO), None)?;
    tx.write(
        "update delivery_drill set over_at = ?2, why = ?3 where number = ?1",
        &[number.into(), tx.now.into(), why.into()],
    )
}

/// Takes back what a clock began that was wrong: the weeks of then will have their drills.
///
/// # Errors
/// What the engine says.
pub fn put_right(tx: &Tx<'_>) -> Result<(), StoreError> {
    let rows =
        tx.query(&format!("select {COLUMNS} from delivery_drill where state <> 'planned'"), &[], read)?;
    for drill in rows.iter().filter(|drill| drill.never_was(tx.now)) {
        tx.write(
            "update delivery_drill set week = null, state = case when state = 'running' then 'void' else state end
             where number = ?1",
            &[drill.number.into()],
        )?;
    }
    Ok(())
}

/// It is over.
///
/// # Errors
/// What the engine says.
pub fn over(tx: &Tx<'_>, number: i64, missed: usize) -> Result<(), StoreError> {
    let missed = i64::try_from(missed).unwrap_or(i64::MAX);
    tx.write(
        "update delivery_drill set state = 'over', over_at = ?2, missed = ?3 where number = ?1",
        &[number.into(), tx.now.into(), missed.into()],
    )
}

/// Somebody takes part, and is asked at an hour.
///
/// # Errors
/// What the engine says.
pub fn put_person(tx: &Tx<'_>, drill: i64, person: &str, due_at: Timestamp) -> Result<(), StoreError> {
    tx.write(
        "insert into delivery_drill_person (drill, person, state, due_at) values (?1, ?2, 'waits', ?3)",
        &[drill.into(), person.into(), due_at.into()],
    )
}

/// People of a drill whose hour has come, some of them: their names, how they stand, and since when.
///
/// # Errors
/// What the engine says.
pub fn due(tx: &Tx<'_>, drill: i64) -> Result<Vec<(String, State, Timestamp)>, StoreError> {
    tx.query(
        "select person, state, due_at from delivery_drill_person
         where drill = ?1 and state in ('waits', 'asked') and due_at <= ?2 order by due_at, person limit ?3",
        &[drill.into(), tx.now.into(), i64::from(LOOKED_AT_MAX).into()],
        |row| Ok((row.text(0)?, state(&row.text(1)?)?, row.time(2)?)),
    )
}

fn state(word: &str) -> Result<State, StoreError> {
    State::from_word(word).ok_or(StoreError::Decode("an unknown state of somebody in a drill"))
}

/// How somebody stands from now on, and when they are looked at again.
///
/// # Errors
/// What the engine says.
pub fn stands(
    tx: &Tx<'_>,
    (drill, person): (i64, &str),
    state: State,
    due_at: Timestamp,
    page: Option<i64>,
) -> Result<(), StoreError> {
    tx.write(
        "update delivery_drill_person set state = ?3, due_at = ?4, page = coalesce(?5, page)
         where drill = ?1 and person = ?2",
        &[drill.into(), person.into(), state.as_str().into(), due_at.into(), page.into()],
    )
}

/// Somebody has pressed the button of a test: if it was that of a drill, they have answered it. Late is not in time, and is
/// written down all the same.
///
/// # Errors
/// What the engine says.
pub fn answered(tx: &Tx<'_>, page: i64, letter: i64) -> Result<(), StoreError> {
    tx.write(
        "update delivery_drill_person set answered_at = ?2,
           way = (select case when channel = '' then 'mail' else channel end from letter where seq = ?3),
           state = case when state = 'asked' then 'answered' else state end
         where page = ?1 and answered_at is null",
        &[page.into(), tx.now.into(), letter.into()],
    )
}

/// What became of one letter of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The name of the way.
    pub way: String,
    /// As of any letter.
    pub state: String,
    /// What was answered, when it was not taken.
    pub why: Option<String>,
    /// When the button behind its link was pressed.
    pub confirmed_at: Option<Timestamp>,
}

impl Tried {
    /// Whether it surely reached nobody.
    pub fn failed(&self) -> bool {
        self.confirmed_at.is_none() && matches!(self.state.as_str(), "refused" | "bounced")
    }
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// Who.
    pub person: String,
    /// How they stand.
    pub state: State,
    /// When they are asked, or until when they may answer.
    pub due_at: Timestamp,
    /// When they answered.
    pub answered_at: Option<Timestamp>,
    /// By which way.
    pub way: Option<String>,
    /// The number of the test that they got.
    pub page: Option<i64>,
    /// What became of each letter; of an old test that is not kept.
    pub ways: Vec<Tried>,
}

/// Everybody who takes part in a drill, by name.
///
/// # Errors
/// What the engine says.
pub fn people(tx: &Tx<'_>, drill: i64) -> Result<Vec<Taking>, StoreError> {
    let rows = tx.query(
        "select person, state, due_at, answered_at, way, page from delivery_drill_person
         where drill = ?1 order by person",
        &[drill.into()],
        |row| {
            let taking = Taking {
                person: row.text(0)?,
                state: state(&row.text(1)?)?,
                due_at: row.time(2)?,
                answered_at: row.time_or_null(3)?,
                way: row.text_or_null(4)?,
                page: row.int_or_null(5)?,
                ways: Vec::new(),
            };
            Ok(taking)
        },
    )?;
    let letters = tx.query(
        "select letter.page, letter.channel, letter.state, letter.why, answer_token.confirmed_at
         from letter left join answer_token on answer_token.page = letter.page and answer_token.letter = letter.seq
         where letter.page is not null
           and letter.page in (select page from delivery_drill_person where drill = ?1 and page is not null)
         order by letter.seq",
        &[drill.into()],
        |row| {
            let way = row.text(1)?;
            let way = if way.is_empty() { MAIL.to_owned() } else { way };
            let (state, why) = (row.text(2)?, row.text_or_null(3)?);
            Ok((row.int(0)?, Tried { way, state, why, confirmed_at: row.time_or_null(4)? }))
        },
    )?;
    let mut all = Vec::with_capacity(rows.len());
    for mut taking in rows {
        let own = letters.iter().filter(|(of, _)| Some(*of) == taking.page);
        taking.ways = own.map(|(_, tried)| tried.clone()).collect();
        all.push(taking);
    }
    Ok(all)
}

/// What people look at.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The next one, where there is to be one.
    pub next: Option<Drill>,
    /// The one that goes on, or the last.
    pub last: Option<Drill>,
    /// Who takes part, or took.
    pub people: Vec<Taking>,
    /// The last that was left out, if none has been since.
    pub skipped: Option<Drill>,
}

/// The last drill and the next.
///
/// # Errors
/// What the engine says, or when a row cannot be read.
pub fn seen(tx: &Tx<'_>) -> Result<Seen, StoreError> {
    let rows = tx.query(&format!("select {COLUMNS} from delivery_drill order by number desc"), &[], read)?;
    let mut seen = Seen::default();
    for drill in rows {
        match drill.state.as_str() {
            "planned" => seen.next = Some(drill),
            "running" | "over" if seen.last.is_none() => seen.last = Some(drill),
            "skipped" if seen.last.is_none() && seen.skipped.is_none() => seen.skipped = Some(drill),
            _ => {}
        }
    }
    if let Some(last) = &seen.last {
        seen.people = people(tx, last.number)?;
    }
    Ok(seen)
}

/// How many did not answer the last drill that is over, and when the last one of a week was: one that somebody asked for is no
/// sign that those of the weeks take place.
///
/// # Errors
/// What the engine says.
pub fn last(tx: &Tx<'_>) -> Result<Option<(i64, Option<Timestamp>)>, StoreError> {
    let sql = "select missed, (select over_at from delivery_drill where number = (
                 select max(number) from delivery_drill where state = 'over' and week is not null))
               from delivery_drill where state = 'over' and over_at is not null order by number desc limit 1";
    tx.query_one(sql, &[], |row| Ok((row.int(0)?, row.time_or_null(1)?)))
}

/// Forgets what is older, but for the last one and the last one of a week.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.write(
        "delete from delivery_drill where state in ('over', 'skipped', 'void') and at < ?1
           and number < (select max(number) from delivery_drill where state = 'over')
           and number <> coalesce((select max(number) from delivery_drill where state = 'over' and week is not null), 0)",
        &[before.into()],
    )?;
    tx.write("delete from delivery_drill_person where drill not in (select number from delivery_drill)", &[])
}
