//! Who is signed in to the pages, and the links that sign somebody in. Of every secret only the SHA-256 is kept.
//!
//! A session ends when nobody used it for [`IDLE_MAX`], at the age of [`AGE_MAX`], with the token it was made of, and when it is
//! deleted: by logging out, by an administrator, or because its person left the configuration. Its last use is written down
//! once in [`NOTED_EVERY`], not at each request. A link is deleted when it is used, so it signs in once.
//!
//! An answer link stands in a mailbox, or in a chat, and answers until its incident is over. So a session that was made of one
//! opens the house for as long as that needs, and no longer: for [`IDLE_MAX`] at most, and until [`ANSWERED_GRACE`] after the
//! incident is over; and after all sessions of a person were ended, the links that they had by then make none any more.

use jiff::{SignedDuration, Timestamp};

use super::tokens::Holder;
use super::{Row, StoreError, Tx, incidents, mirror, tokens};
use crate::crypto;

/// A session that is not used for so long is over: a shift.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_hours(12);
/// None lasts longer.
pub const AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// That it is used is written down so often.
pub const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// A login link can be used for so long.
pub const LINK_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// The type of the event that the letter with such a link tells of. One that has not left when its link is too old stays here.
pub const LOGIN_LETTER: &str = "notice.login";
/// A session of an answer link lasts on for so long when the incident is over: somebody writes down what it was.
pub const ANSWERED_GRACE: SignedDuration = SignedDuration::from_hours(1);
/// An incident became part of another one so often at most, and that of a third.
const MERGES_MAX: usize = 16;
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

/// What a session was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeOf {
    /// A link that somebody asked for.
    LoginLink,
    /// The token of the API with this id.
    Token(String),
    /// The answer link of a page of this incident.
    AnswerLink(i64),
    /// A node that did not keep it has made it: it is taken for one of an answer link, of which nobody knows the incident.
    Unknown,
}

impl MadeOf {
    /// The word for it; the token; the incident.
    fn columns(&self) -> (Option<&'static str>, Option<&str>, Option<i64>) {
        match self {
            Self::LoginLink => (Some("login_link"), None, None),
            Self::Token(id) => (Some("token"), Some(id), None),
            Self::AnswerLink(incident) => (Some("answer_link"), None, Some(*incident)),
            Self::Unknown => (None, None, None),
        }
    }

    /// The word for it in lists.
    pub fn word(&self) -> Option<&'static str> {
        self.columns().0
    }

    /// The token.
    pub fn token(&self) -> Option<&str> {
        self.columns().1
    }

    /// The incident whose page was answered.
    pub fn incident(&self) -> Option<i64> {
        self.columns().2
    }

    fn age_max(&self) -> SignedDuration {
        match self {
            Self::LoginLink | Self::Token(_) => AGE_MAX,
            Self::AnswerLink(_) | Self::Unknown => IDLE_MAX,
        }
    }
}

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What it is ended by.
    pub id: String,
    /// Who.
    pub holder: Holder,
    /// What it was made of.
    pub made_of: MadeOf,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was used last, as far as that was written down.
    pub used_at: Timestamp,
}

impl Session {
    fn lasts(&self, tx: &Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let is_young = is_younger(self.created_at, self.made_of.age_max(), now)
            && is_younger(self.used_at, IDLE_MAX, now);
        match self.made_of {
            MadeOf::AnswerLink(incident) if is_young => {
                Ok(is_of_today(tx, incident, now)? || commands(tx, &self.holder)?)
            }
            _ => Ok(is_young),
        }
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

/// Whether somebody commands an incident: nobody is logged out meanwhile.
fn commands(tx: &Tx<'_>, holder: &Holder) -> Result<bool, StoreError> {
    let Holder::Person(name) = holder else { return Ok(false) };
    let sql = "select id from incident where phase <> 'resolved' and commander = ?1 limit 1";
    Ok(tx.query_one(sql, &[name.into()], |row| row.int(0))?.is_some())
}

/// Whether an incident is open, or was not long ago; or that of which it became part.
///
/// # Errors
/// What the engine says.
pub fn is_of_today(tx: &Tx<'_>, incident: i64, now: Timestamp) -> Result<bool, StoreError> {
    let mut id = incident;
    for _ in 0..MERGES_MAX {
        let sql = "select phase, resolved_at from incident where id = ?1";
        let found = tx.query_one(sql, &[id.into()], |row| Ok((row.text(0)?, row.time_or_null(1)?)))?;
        match found {
            // It was forgotten.
            None => return Ok(false),
            Some((phase, _)) if phase != "resolved" => return Ok(true),
            Some((_, over_at)) if over_at.is_some_and(|at| is_younger(at, ANSWERED_GRACE, now)) => {
                return Ok(true);
            }
            Some(_) => {}
        }
        // Only of what is long over it matters whether it went on as another.
        match incidents::load(tx, id) {
            Ok(Some(saved)) if saved.incident.merged_into.is_some() => {
                id = saved.incident.merged_into.unwrap_or(id);
            }
            Ok(_) | Err(StoreError::Decode(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    crypto::sha256(secret.as_bytes())
}

const SESSION: &str =
    "session.id, session.person, session.automation, session.token, session.created_at, session.used_at,
     session.made_of, session.incident";
/// Without those whose token was revoked.
const WORKING: &str = "session left join api_token on api_token.id = session.token
                       where (session.token is null or (api_token.id is not null and api_token.revoked_at is null))";

/// Somebody signs in.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, hash: &[u8; 32], holder: &Holder, made_of: &MadeOf) -> Result<String, StoreError> {
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
    let (word, token, incident) = made_of.columns();
    tx.write(
        "insert into session (id, hash, person, automation, token, created_at, used_at, made_of, incident)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
        &[
            (&id).into(),
            hash[..].into(),
            person.into(),
            automation.into(),
            token.into(),
            tx.now.into(),
            word.into(),
            incident.into(),
        ],
    )?;
    Ok(id)
}

/// Whose session a secret is of; `None` when it is over, or there never was one. `now` is the hour of the clock: that of a copy
/// stands still while the store is away, and nothing would end there.
///
/// # Errors
/// What the engine says.
pub fn find(tx: &Tx<'_>, secret: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
    if let Some(said) = secret.strip_prefix(OF_A_COPY) {
        return of_a_copy(tx, said, now);
    }
    let sql = format!("select {SESSION} from {WORKING} and session.hash = ?1");
    let Some(found) = tx.query_one(&sql, &[hash(secret)[..].into()], read)? else { return Ok(None) };
    Ok(found.lasts(tx, now)?.then_some(found))
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
    let mut lasting = Vec::new();
    for session in tx.query(&sql, &[], read)? {
        if session.lasts(tx, tx.now)? {
            lasting.push(session);
        }
    }
    Ok(lasting)
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

/// All of a person end, and their login links; the answer links that they have make none any more. Answers how many sessions
/// there were.
///
/// # Errors
/// What the engine says.
pub fn end_all(tx: &Tx<'_>, person: &str) -> Result<u64, StoreError> {
    tx.write("delete from login_link where person = ?1", &[person.into()])?;
    tx.write(
        "insert into signed_out (person, at) values (?1, ?2) on conflict (person) do update set at = excluded.at",
        &[person.into(), tx.now.into()],
    )?;
    tx.execute("delete from session where person = ?1", &[person.into()])
}

/// Whether an answer link that was made at an hour may still make a session of its person.
///
/// # Errors
/// What the engine says.
pub fn may_enter(tx: &Tx<'_>, person: &str, made_at: Timestamp) -> Result<bool, StoreError> {
    let sql = "select at from signed_out where person = ?1";
    let ended = tx.query_one(sql, &[person.into()], |row| row.time(0))?;
    Ok(ended.is_none_or(|at| made_at > at))
}

/// Who is signed in, or may be, by a link, by a token that works, or by the page of an incident that is open.
///
/// # Errors
/// What the engine says.
pub fn people(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    let open = tx.among("incident", "select id from incident where phase <> 'resolved'");
    let sql = format!(
        "select person from session where person is not null union select person from login_link
         union select person from api_token where person is not null and revoked_at is null
         union select person from answer_token where {open} and created_at >
           coalesce((select at from signed_out where signed_out.person = answer_token.person), 0)
         order by 1"
    );
    tx.query(&sql, &[], |row| row.text(0))
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
           or (created_at <= ?1 and token is null and coalesce(made_of, '') <> 'login_link')
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

/// Whether there are as many links as there may be: of a person, and of those that are mailed, of everybody.
///
/// # Errors
/// What the engine says.
pub fn too_many(tx: &Tx<'_>, person: &str, mailed: bool) -> Result<Option<TooMany>, StoreError> {
    let since = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let count = |sql, binds: &[super::Bind<'_>]| {
        Ok::<_, StoreError>(tx.query_one(sql, binds, |row| row.int(0))?.unwrap_or_default())
    };
    let sql = "select count(*) from login_link where person = ?1 and mailed = ?2 and created_at > ?3";
    let open = count(sql, &[person.into(), i64::from(mailed).into(), since(LINK_LASTS).into()])?;
    if open >= LINKS_OPEN_MAX {
        return Ok(Some(TooMany::Theirs(open)));
    }
    if mailed {
        let sql = "select count(*) from login_link where mailed = 1 and created_at > ?1";
        let sent = count(sql, &[since(MAILED_WITHIN).into()])?;
        if sent >= MAILED_MAX {
            return Ok(Some(TooMany::Mailed(sent)));
        }
    }
    Ok(None)
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
    if let Some(many) = too_many(tx, person, mailed)? {
        return Ok(Err(many));
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

fn of_a_copy(tx: &Tx<'_>, said: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
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
    let known =
        tokens::list_api(tx)?.into_iter().find(|known| known.id == token && known.revoked_at.is_none());
    Ok(known.filter(|_| now < ends).map(|known| Session {
        id: String::new(),
        holder: known.holder,
        made_of: MadeOf::Token(known.id),
        created_at: now,
        used_at: now,
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
    let made_of = match (row.text_or_null(3)?, row.text_or_null(6)?.as_deref(), row.int_or_null(7)?) {
        (Some(token), ..) => MadeOf::Token(token),
        (None, Some("login_link"), _) => MadeOf::LoginLink,
        (None, Some("answer_link"), Some(incident)) => MadeOf::AnswerLink(incident),
        _ => MadeOf::Unknown,
    };
    Ok(Session { id: row.text(0)?, holder, made_of, created_at: row.time(4)?, used_at: row.time(5)? })
}
