//! Who is signed in to the pages, and the links that sign somebody in. Of every secret only the SHA-256 is kept.
//!
//! A session ends when nobody used it for [`IDLE_MAX`], at the age of [`AGE_MAX`], with the token it was made of, and when it is
//! deleted: by logging out, by an administrator, or because its person left the configuration. Its last use is written down
//! once in [`NOTED_EVERY`], not at each request. A link is deleted when it is used, so it signs in once.

use jiff::{SignedDuration, Timestamp};

use super::tokens::Holder;
use super::{Row, StoreError, Tx, mirror, tokens};
use crate::crypto;

/// A session that is not used for so long is over: a shift.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_hours(12);
/// None lasts longer.
pub const AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// That it is used is written down so often.
pub const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// A login link can be used for so long.
pub const LINK_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// An hour that lies further ahead than this was written by a clock that was wrong: it would never be over.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Most sessions of one holder; a new one ends the one that was used least lately.
const SESSIONS_MAX: i64 = 50;
/// Most links of one person that wait to be used, of those that were mailed and of the others: nobody's mailbox is flooded,
/// and who floods it keeps no administrator from making one.
const LINKS_OPEN_MAX: i64 = 3;
/// Most links that are mailed to anybody in this time.
const MAILED_MAX: i64 = 30;
const MAILED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// What stands in the secret of a sign-in that holds only while the store is away.
const OF_A_COPY: &str = "look.";
/// How long such a sign-in lasts.
const COPY_LASTS: SignedDuration = IDLE_MAX;
/// What else is signed with the same key says something else here.
const PURPOSE: &[u8] = b"onscene look 1\0";

const _: () =
    assert!(NOTED_EVERY.as_secs() * 10 < IDLE_MAX.as_secs() && IDLE_MAX.as_secs() < AGE_MAX.as_secs());

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What it is ended by.
    pub id: String,
    /// Who.
    pub holder: Holder,
    /// The id of the token of the API that it was made of.
    pub token: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was used last, as far as that was written down.
    pub used_at: Timestamp,
}

impl Session {
    fn lasts(&self, now: Timestamp) -> bool {
        is_younger(self.created_at, AGE_MAX, now) && is_younger(self.used_at, IDLE_MAX, now)
    }

    /// Whether its last use is to be written down again.
    pub fn is_to_be_noted(&self, now: Timestamp) -> bool {
        now.duration_since(self.used_at) >= NOTED_EVERY
    }
}

fn is_younger(at: Timestamp, age: SignedDuration, now: Timestamp) -> bool {
    let since = now.duration_since(at);
    since < age && since > -AHEAD_MAX
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    crypto::sha256(secret.as_bytes())
}

const SESSION: &str =
    "session.id, session.person, session.automation, session.token, session.created_at, session.used_at";
/// Without those whose token was revoked.
const WORKING: &str = "session left join api_token on api_token.id = session.token
                       where (session.token is null or (api_token.id is not null and api_token.revoked_at is null))";

/// Somebody signs in.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, hash: &[u8; 32], holder: &Holder, token: Option<&str>) -> Result<String, StoreError> {
    let id = crypto::hex(&hash[..8]);
    let (person, automation) = match holder {
        Holder::Person(name) => (Some(name.as_str()), None),
        Holder::Automation(name) => (None, Some(name.as_str())),
    };
    tx.write(
        "delete from session where id in (
           select id from session where person = ?1 or automation = ?2 order by used_at desc, id limit 1000 offset ?3)",
        &[person.into(), automation.into(), (SESSIONS_MAX - 1).into()],
    )?;
    tx.write(
        "insert into session (id, hash, person, automation, token, created_at, used_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        &[(&id).into(), hash[..].into(), person.into(), automation.into(), token.into(), tx.now.into()],
    )?;
    Ok(id)
}

/// Whose session a secret is of; `None` when it is over, or there never was one.
///
/// # Errors
/// What the engine says.
pub fn find(tx: &Tx<'_>, secret: &str) -> Result<Option<Session>, StoreError> {
    if let Some(said) = secret.strip_prefix(OF_A_COPY) {
        return of_a_copy(tx, said);
    }
    let sql = format!("select {SESSION} from {WORKING} and session.hash = ?1");
    let found = tx.query_one(&sql, &[hash(secret)[..].into()], read)?;
    Ok(found.filter(|session| session.lasts(tx.now)))
}

/// It is used.
///
/// # Errors
/// What the engine says.
pub fn note(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<(), StoreError> {
    // Of two that say so the later one counts; an hour that is still to come is none.
    tx.write("update session set used_at = ?2 where hash = ?1", &[hash[..].into(), tx.now.into()])
}

/// Those that last, the one that was used last first.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &Tx<'_>) -> Result<Vec<Session>, StoreError> {
    let sql = format!("select {SESSION} from {WORKING} order by session.used_at desc, session.id");
    let mut found = tx.query(&sql, &[], read)?;
    found.retain(|session| session.lasts(tx.now));
    Ok(found)
}

/// One ends, by its id; `false` when there is none.
///
/// # Errors
/// What the engine says.
pub fn end(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute("delete from session where id = ?1", &[id.into()])? > 0)
}

/// One ends, by what is kept of its secret.
///
/// # Errors
/// What the engine says.
pub fn log_out(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<(), StoreError> {
    tx.write("delete from session where hash = ?1", &[hash[..].into()])
}

/// All of a person end, and their links. Answers how many sessions there were.
///
/// # Errors
/// What the engine says.
pub fn end_all(tx: &Tx<'_>, person: &str) -> Result<u64, StoreError> {
    tx.write("delete from login_link where person = ?1", &[person.into()])?;
    tx.execute("delete from session where person = ?1", &[person.into()])
}

/// Who is signed in, or may be by a link.
///
/// # Errors
/// What the engine says.
pub fn people(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql =
        "select person from session where person is not null union select person from login_link order by 1";
    tx.query(sql, &[], |row| row.text(0))
}

/// Forgets what is over.
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>) -> Result<(), StoreError> {
    let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let ahead = tx.now.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
    tx.write(
        "delete from session where used_at <= ?1 or created_at <= ?2 or used_at >= ?3 or created_at >= ?3
           or (token is not null and not exists (
             select 1 from api_token where api_token.id = session.token and revoked_at is null))",
        &[before(IDLE_MAX).into(), before(AGE_MAX).into(), ahead.into()],
    )?;
    tx.write(
        "delete from login_link where created_at <= ?1 or created_at >= ?2",
        &[before(LINK_LASTS).into(), ahead.into()],
    )
}

/// Why there is no link: too many wait to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// So many of this person.
    Theirs(i64),
    /// So many were mailed within a minute.
    Mailed(i64),
}

/// Keeps a link that signs a person in.
///
/// # Errors
/// What the engine says; the inner one when there are too many.
pub fn put_link(
    tx: &Tx<'_>,
    secret: &str,
    person: &str,
    mailed: bool,
) -> Result<Result<(), TooMany>, StoreError> {
    let since = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let count = |sql, binds: &[super::Bind<'_>]| {
        Ok::<_, StoreError>(tx.query_one(sql, binds, |row| row.int(0))?.unwrap_or_default())
    };
    let sql = "select count(*) from login_link where person = ?1 and mailed = ?2 and created_at > ?3";
    let open = count(sql, &[person.into(), i64::from(mailed).into(), since(LINK_LASTS).into()])?;
    if open >= LINKS_OPEN_MAX {
        return Ok(Err(TooMany::Theirs(open)));
    }
    if mailed {
        let sql = "select count(*) from login_link where mailed = 1 and created_at > ?1";
        let sent = count(sql, &[since(MAILED_WITHIN).into()])?;
        if sent >= MAILED_MAX {
            return Ok(Err(TooMany::Mailed(sent)));
        }
    }
    let hash = hash(secret);
    tx.write(
        "insert into login_link (id, hash, person, mailed, created_at) values (?1, ?2, ?3, ?4, ?5)",
        &[
            (&crypto::hex(&hash[..8])).into(),
            hash[..].into(),
            person.into(),
            i64::from(mailed).into(),
            tx.now.into(),
        ],
    )?;
    Ok(Ok(()))
}

/// Whom a link signs in; `None` when it was used, or is too old, or never was.
///
/// # Errors
/// What the engine says.
pub fn link_of(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<String>, StoreError> {
    let sql = "select person, created_at from login_link where hash = ?1";
    let found = tx.query_one(sql, &[hash[..].into()], |row| Ok((row.text(0)?, row.time(1)?)))?;
    Ok(found.filter(|(_, made)| is_younger(*made, LINK_LASTS, tx.now)).map(|(person, _)| person))
}

/// The same, and nobody can use it again.
///
/// # Errors
/// What the engine says.
pub fn take_link(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Option<String>, StoreError> {
    let person = link_of(tx, hash)?;
    tx.write("delete from login_link where hash = ?1", &[hash[..].into()])?;
    Ok(person)
}

/// A secret for somebody who signs in by a token while the store is away, and can only look: no row can be written. It says by
/// which token, and until when, signed with a key that copies have too, so every node knows it; none but who reads a copy believes it.
///
/// # Errors
/// What the engine says.
pub fn sign_look(tx: &Tx<'_>, token: &str, now: Timestamp) -> Result<String, StoreError> {
    let until = now.saturating_add(COPY_LASTS).unwrap_or(Timestamp::MAX).as_second();
    Ok(format!("{OF_A_COPY}{token}.{until}.{}", tag(tx, token, until)?))
}

fn of_a_copy(tx: &Tx<'_>, said: &str) -> Result<Option<Session>, StoreError> {
    let mut parts = said.split('.');
    let (Some(token), Some(until), Some(signed), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let Ok(until) = until.parse::<i64>() else { return Ok(None) };
    if !mirror::is_one(tx)? || !crypto::same(tag(tx, token, until)?.as_bytes(), signed.as_bytes()) {
        return Ok(None);
    }
    let Ok(ends) = Timestamp::from_second(until) else { return Ok(None) };
    // The hour of a copy stands still.
    let known =
        tokens::list_api(tx)?.into_iter().find(|known| known.id == token && known.revoked_at.is_none());
    Ok(known.filter(|_| tx.now < ends).map(|known| Session {
        id: String::new(),
        holder: known.holder,
        token: Some(known.id),
        created_at: tx.now,
        used_at: tx.now,
    }))
}

fn tag(tx: &Tx<'_>, token: &str, until: i64) -> Result<String, StoreError> {
    use secrecy::ExposeSecret as _;
    let key = tokens::answer_key(tx)?;
    let parts = [PURPOSE, token.as_bytes(), &until.to_be_bytes()];
    Ok(crypto::hex(&crypto::hmac_sha256(key.expose_secret().as_bytes(), &parts)))
}

fn read(row: &Row<'_>) -> Result<Session, StoreError> {
    let holder = match (row.text_or_null(1)?, row.text_or_null(2)?) {
        (Some(person), None) => Holder::Person(person),
        (None, Some(name)) => Holder::Automation(name),
        _ => return Err(StoreError::Decode("a session of nobody")),
    };
    Ok(Session {
        id: row.text(0)?,
        holder,
        token: row.text_or_null(3)?,
        created_at: row.time(4)?,
        used_at: row.time(5)?,
    })
}
