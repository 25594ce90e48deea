//! Subscribers of the public statements: who asked, who confirmed, and what still has to be written to all of them.
//!
//! An address is personal data: nothing here logs one, and who leaves is forgotten at once. What a link proves is made of a
//! random word of the row and a key of the store, so that no link can be read out of a copy of the table alone; the link
//! that confirms and the one that ends are two.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::letters::Claim;
use super::{Row, StoreError, Tx, tokens};
use crate::crypto;

/// A link that confirms works for so long; who has not used it by then is forgotten.
pub const ASKED_LASTS: SignedDuration = SignedDuration::from_hours(48);
/// Between two letters with such a link to one address.
const MAIL_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// So many of them in a day, to all addresses of one mailbox together.
const MAILS_MAX: i64 = 3;
const MAILS_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Letters with such links in an hour, to all addresses together.
const MAILS_OF_ALL_MAX: i64 = 300;
/// Most who have asked and not confirmed.
const ASKED_MAX: i64 = 10_000;
/// Most subscribers of a list.
const CONFIRMED_MAX: i64 = 100_000;
/// So many letters that came back end it; they count together when the next comes within the time.
const BOUNCES_MAX: i64 = 3;
const BOUNCES_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 30);
const BOUNCE_EVERY: SignedDuration = SignedDuration::from_hours(20);
/// One whose letters came back is remembered for so long, so that it is known why nothing comes.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// So many are forgotten at once.
const FORGOTTEN_AT_ONCE: i64 = 500;
/// Longest link, in bytes, and how much of the digest stands in it, in hexadecimal digits.
const TOKEN_BYTES_MAX: usize = 80;
const MAC_DIGITS: usize = 40;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It confirms that whoever asked has the address.
    Confirm,
    /// It ends it.
    End,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::End => "end",
        }
    }
}

/// Somebody who gets statements by mail, or asked for them. `Debug` shows no address.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The number of the row; those of later ones are higher.
    pub id: i64,
    /// Where to.
    pub address: String,
    word: String,
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Subscriber({})", self.id)
    }
}

impl Subscriber {
    /// The secret of a link of theirs, in letters and digits. `key`: that of the store, [`tokens::answer_key`].
    pub fn token(&self, key: &secrecy::SecretString, purpose: Purpose) -> String {
        let id = self.id.to_string();
        let parts = ["subscriber", purpose.as_str(), &id, &self.word, &self.address];
        let parts: Vec<&[u8]> = parts.iter().flat_map(|part| [part.as_bytes(), b"\0"]).collect();
        let mac = crypto::hex(&crypto::hmac_sha256(key.expose_secret().as_bytes(), &parts));
        format!("{id}-{}", mac.get(..MAC_DIGITS).unwrap_or_default())
    }
}

fn read(row: &Row<'_>) -> Result<Subscriber, StoreError> {
    Ok(Subscriber { id: row.int(0)?, address: row.text(1)?, word: row.text(2)? })
}

/// Somebody asked, for an address that may be anybody's. `Some`: a letter with a link that confirms has to go there; it is
/// counted as written. `None`: none does, because it is confirmed already, or there were enough letters.
///
/// # Errors
/// What the engine says.
pub fn ask(tx: &Tx<'_>, channel: &str, address: &str) -> Result<Option<Subscriber>, StoreError> {
    let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let count = |sql: &str, binds: &[super::Bind<'_>]| tx.query_one(sql, binds, |row| row.int(0));
    let known = tx.query_one(
        "select id, state, mailed_at, mailed_since, mailed from subscriber where channel = ?1 and address = ?2",
        &[channel.into(), address.into()],
        |row| Ok((row.int(0)?, row.text(1)?, row.time_or_null(2)?, row.time_or_null(3)?, row.int(4)?)),
    )?;
    let of_all = count(
        "select count(*) from subscriber where mailed_at > ?1",
        &[before(SignedDuration::from_hours(1)).into()],
    )?;
    if of_all.unwrap_or_default() >= MAILS_OF_ALL_MAX {
        return Ok(None);
    }
    let word = crypto::random_id().map_err(no_randomness)?;
    let id = match known {
        Some((_, state, ..)) if state == "confirmed" => return Ok(None),
        _ if is_enough(mails_to_mailbox(tx, address, before(MAILS_WINDOW))?, before(MAIL_EVERY)) => {
            return Ok(None);
        }
        Some((id, _, _, since, mailed)) => {
            let goes_on = since.filter(|since| *since > before(MAILS_WINDOW));
            let (since, mailed) = goes_on.map_or((tx.now, 1), |since| (since, mailed + 1));
            tx.write(
                "update subscriber set state = 'asked', word = ?2, asked_at = ?3, mailed_at = ?3, mailed_since = ?4,
                   mailed = ?5, ended_at = null, bounces = 0, bounced_at = null
                 where id = ?1",
                &[id.into(), (&word).into(), tx.now.into(), since.into(), mailed.into()],
            )?;
            id
        }
        None => {
            let many = |state: &str| {
                count(
                    "select count(*) from subscriber where channel = ?1 and state = ?2",
                    &[channel.into(), state.into()],
                )
            };
            if many("asked")?.unwrap_or_default() >= ASKED_MAX
                || many("confirmed")?.unwrap_or_default() >= CONFIRMED_MAX
            {
                tracing::warn!(
                    letter.channel = channel,
                    "there are too many subscribers: nobody new is taken"
                );
                return Ok(None);
            }
            let id = tx.next_number("subscriber")?;
            tx.write(
                "insert into subscriber (id, channel, address, state, word, asked_at, mailed_at, mailed_since, mailed, bounces)
                 values (?1, ?2, ?3, 'asked', ?4, ?5, ?5, ?5, 1, 0)",
                &[id.into(), channel.into(), address.into(), (&word).into(), tx.now.into()],
            )?;
            id
        }
    };
    Ok(Some(Subscriber { id, address: address.to_owned(), word }))
}

/// Letters with links that confirm which one mailbox got since that hour, by whatever addresses that reach it, and the hour of the newest.
fn mails_to_mailbox(
    tx: &Tx<'_>,
    address: &str,
    since: Timestamp,
) -> Result<(i64, Option<Timestamp>), StoreError> {
    let (mut mails, mut newest) = (0, None);
    tx.query(
        "select address, mailed, mailed_at, mailed_since from subscriber where mailed_at > ?1",
        &[since.into()],
        |row| {
            if mailbox(row.text_ref(0)?) == mailbox(address) {
                newest = newest.max(Some(row.time(2)?));
                mails += if row.time_or_null(3)?.is_some_and(|from| from > since) { row.int(1)? } else { 0 };
            }
            Ok(())
        },
    )?;
    Ok((mails, newest))
}

fn is_enough((mails, newest): (i64, Option<Timestamp>), an_hour_ago: Timestamp) -> bool {
    mails >= MAILS_MAX || newest.is_some_and(|at| at > an_hour_ago)
}

/// What stands before a `+`, without dots, and behind the `@`: there are servers that bring `t.o.m+anything@example.net` to
/// `tom@example.net`. Where that is another one's, they share a limit and nothing else.
fn mailbox(address: &str) -> (String, &str) {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    (local.split('+').next().unwrap_or(local).replace('.', ""), domain)
}

/// Whose link this is, whatever their state. The time tells nothing of it.
fn of_link(tx: &Tx<'_>, token: &str, purpose: Purpose) -> Result<Option<(Subscriber, String)>, StoreError> {
    let id = token.split_once('-').and_then(|(id, _)| id.parse::<i64>().ok());
    let Some(id) = id.filter(|_| token.len() <= TOKEN_BYTES_MAX) else { return Ok(None) };
    let found = tx.query_one(
        "select id, address, word, state, asked_at from subscriber where id = ?1",
        &[id.into()],
        |row| Ok((read(row)?, row.text(3)?, row.time(4)?)),
    )?;
    let key = tokens::answer_key(tx)?;
    let is_its = |known: &Subscriber| crypto::same(known.token(&key, purpose).as_bytes(), token.as_bytes());
    let old = tx.now.saturating_sub(ASKED_LASTS).unwrap_or(Timestamp::MIN);
    Ok(found
        .filter(|(known, ..)| is_its(known))
        .filter(|(_, state, asked_at)| purpose == Purpose::End || state != "asked" || *asked_at > old)
        .map(|(known, state, _)| (known, state)))
}

/// Whether a link works.
///
/// # Errors
/// What the engine says.
pub fn works(tx: &Tx<'_>, token: &str, purpose: Purpose) -> Result<bool, StoreError> {
    Ok(of_link(tx, token, purpose)?.is_some_and(|(_, state)| purpose == Purpose::End || state != "ended"))
}

/// The button behind a link that confirms was pressed; `false` when the link does not work. Pressed again it is as before.
///
/// # Errors
/// What the engine says.
pub fn confirm(tx: &Tx<'_>, token: &str) -> Result<bool, StoreError> {
    match of_link(tx, token, Purpose::Confirm)? {
        Some((_, state)) if state == "confirmed" => Ok(true),
        Some((known, state)) if state == "asked" => {
            tx.write(
                "update subscriber set state = 'confirmed', confirmed_at = ?2 where id = ?1",
                &[known.id.into(), tx.now.into()],
            )?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The button behind a link that ends was pressed, or a mail program did what its reader asked it to: the address is forgotten.
/// `is_named`: whether the configuration names an address as one that a channel goes to in any case; such letters are no subscriber's.
/// `false` when the link is nobody's any more.
///
/// # Errors
/// What the engine says.
pub fn end(tx: &Tx<'_>, token: &str, is_named: impl Fn(&str, &str) -> bool) -> Result<bool, StoreError> {
    let Some((known, _)) = of_link(tx, token, Purpose::End)? else { return Ok(false) };
    let channel =
        tx.query_one("select channel from subscriber where id = ?1", &[known.id.into()], |row| row.text(0))?;
    let channel = channel.unwrap_or_default();
    tx.write("delete from subscriber where id = ?1", &[known.id.into()])?;
    if !is_named(&channel, &known.address) {
        forget_letters(tx, &channel, &known.address)?;
    }
    Ok(true)
}

/// Nothing that waits goes to an address of a channel any more, and nothing that went tells of it.
fn forget_letters(tx: &Tx<'_>, channel: &str, address: &str) -> Result<(), StoreError> {
    let of = [channel.into(), address.into()];
    tx.write(
        "update letter set state = 'dropped', payload = '', why = 'no longer wanted'
         where channel = ?1 and address = ?2 and person = '' and state = 'pending'",
        &of,
    )?;
    tx.write(
        "update letter set address = '' where channel = ?1 and address = ?2 and person = '' and state <> 'sending'",
        &of,
    )
}

/// Forgets an address in every list, and in every letter that is to no person; answers in how many places it was. `is_named` as in
/// [`end`].
///
/// # Errors
/// What the engine says.
pub fn remove(tx: &Tx<'_>, address: &str, is_named: impl Fn(&str, &str) -> bool) -> Result<u64, StoreError> {
    let sql = "select channel from subscriber where address = ?1
               union select channel from letter where address = ?1 and person = ''";
    let channels = tx.query(sql, &[address.into()], |row| row.text(0))?;
    let mut places = tx.execute("delete from subscriber where address = ?1", &[address.into()])?;
    for channel in channels.iter().filter(|channel| !is_named(channel, address)) {
        forget_letters(tx, channel, address)?;
        places += 1;
    }
    Ok(places)
}

/// Most that are shown at once.
pub const LISTED_MAX: u32 = 1000;

/// A subscriber, as an administrator is shown them. `Debug` shows no address.
pub struct Listed {
    /// The number of the row.
    pub id: i64,
    /// Which list.
    pub channel: String,
    /// Where to.
    pub address: String,
    /// `asked`, `confirmed` or `ended`.
    pub state: String,
    /// When they asked.
    pub asked_at: Timestamp,
    /// When they confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// Letters that came back lately.
    pub bounces: i64,
}

impl fmt::Debug for Listed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Listed({})", self.id)
    }
}

/// All of every list, whatever their state, in the order of their numbers, after one of these; at most so many.
///
/// # Errors
/// What the engine says.
pub fn all(tx: &Tx<'_>, after: i64, limit: u32) -> Result<Vec<Listed>, StoreError> {
    tx.query(
        "select id, channel, address, state, asked_at, confirmed_at, bounces from subscriber
         where id > ?1 order by id limit ?2",
        &[after.into(), i64::from(limit).into()],
        |row| {
            Ok(Listed {
                id: row.int(0)?,
                channel: row.text(1)?,
                address: row.text(2)?,
                state: row.text(3)?,
                asked_at: row.time(4)?,
                confirmed_at: row.time_or_null(5)?,
                bounces: row.int(6)?,
            })
        },
    )
}

/// Those who had confirmed by that hour, in the order of their numbers, after one of these; at most so many.
///
/// # Errors
/// What the engine says.
pub fn confirmed(
    tx: &Tx<'_>,
    channel: &str,
    by: Timestamp,
    after: i64,
    limit: u32,
) -> Result<Vec<Subscriber>, StoreError> {
    tx.query(
        "select id, address, word from subscriber
         where channel = ?1 and state = 'confirmed' and id > ?2 and confirmed_at <= ?3 order by id limit ?4",
        &[channel.into(), after.into(), by.into(), i64::from(limit).into()],
        read,
    )
}

/// A letter to somebody came back, or was refused for good; one a day counts. `true` when that was one too many, and it has ended.
///
/// # Errors
/// What the engine says.
pub fn bounced(tx: &Tx<'_>, channel: &str, address: &str) -> Result<bool, StoreError> {
    let known = tx.query_one(
        "select id, bounces, bounced_at from subscriber where channel = ?1 and address = ?2 and state <> 'ended'",
        &[channel.into(), address.into()],
        |row| Ok((row.int(0)?, row.int(1)?, row.time_or_null(2)?)),
    )?;
    let Some((id, bounces, at)) = known else { return Ok(false) };
    let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    // The updates of one incident come back for one reason.
    if at.is_some_and(|at| at > before(BOUNCE_EVERY)) {
        return Ok(false);
    }
    let recent = before(BOUNCES_WITHIN);
    let bounces = if at.is_some_and(|at| at > recent) { bounces + 1 } else { 1 };
    tx.write(
        "update subscriber set bounces = ?2, bounced_at = ?3 where id = ?1",
        &[id.into(), bounces.into(), tx.now.into()],
    )?;
    if bounces < BOUNCES_MAX {
        return Ok(false);
    }
    tx.write(
        "update subscriber set state = 'ended', ended_at = ?2 where id = ?1",
        &[id.into(), tx.now.into()],
    )?;
    Ok(true)
}

/// Forgets who never confirmed, and after a while those whose letters came back: the letters that went there, too. So many at once; the
/// others when it is asked for again. `is_named` as in [`end`].
///
/// # Errors
/// What the engine says.
pub fn forget(tx: &Tx<'_>, is_named: impl Fn(&str, &str) -> bool) -> Result<(), StoreError> {
    let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let gone = tx.query(
        "select id, channel, address from subscriber
         where (state = 'asked' and asked_at < ?1) or (state = 'ended' and ended_at < ?2) order by id limit ?3",
        &[before(ASKED_LASTS).into(), before(ENDED_KEPT).into(), FORGOTTEN_AT_ONCE.into()],
        |row| Ok((row.int(0)?, row.text(1)?, row.text(2)?)),
    )?;
    for (id, channel, address) in gone {
        tx.write("delete from subscriber where id = ?1", &[id.into()])?;
        if !is_named(&channel, &address) {
            forget_letters(tx, &channel, &address)?;
        }
    }
    Ok(())
}

/// A letter that goes to every subscriber of a list, and how far that is.
#[derive(Clone, Debug)]
pub struct Mailing {
    /// Its number.
    pub id: i64,
    /// Of which incident.
    pub incident: i64,
    /// The list.
    pub channel: String,
    /// The words, as JSON.
    pub payload: String,
    /// When it was decided.
    pub created_at: Timestamp,
    /// One was written for each up to this.
    pub after: i64,
    /// For so many.
    pub written: i64,
    /// The statement it carries, within its incident.
    pub statement: Option<u32>,
}

/// Keeps a letter that goes to all subscribers of a list. It is written to them by and by, through the door.
///
/// # Errors
/// What the engine says.
pub fn put_mailing(
    tx: &Tx<'_>,
    incident: i64,
    channel: &str,
    payload: &str,
    statement: Option<u32>,
) -> Result<(), StoreError> {
    let id = tx.next_number("mailing")?;
    tx.write(
        "insert into mailing (id, incident, channel, payload, created_at, after_id, written, statement)
         values (?1, ?2, ?3, ?4, ?5, 0, 0, ?6)",
        &[
            id.into(),
            incident.into(),
            channel.into(),
            payload.into(),
            tx.now.into(),
            statement.map(i64::from).into(),
        ],
    )
}

/// The oldest letter that is not written to all yet.
///
/// # Errors
/// What the engine says.
pub fn next_mailing(tx: &Tx<'_>) -> Result<Option<Mailing>, StoreError> {
    tx.query_one(
        "select id, incident, channel, payload, created_at, after_id, written, statement from mailing
         order by id limit 1",
        &[],
        |row| {
            Ok(Mailing {
                id: row.int(0)?,
                incident: row.int(1)?,
                channel: row.text(2)?,
                payload: row.text(3)?,
                created_at: row.time(4)?,
                after: row.int(5)?,
                written: row.int(6)?,
                statement: row.int_or_null(7)?.and_then(|number| u32::try_from(number).ok()),
            })
        },
    )
}

/// Whether a statement is about to be written to all subscribers of a list.
///
/// # Errors
/// What the engine says.
pub fn is_mailed(tx: &Tx<'_>, incident: i64, channel: &str, statement: u32) -> Result<bool, StoreError> {
    let found = tx.query_one(
        "select id from mailing where incident = ?1 and channel = ?2 and statement = ?3",
        &[incident.into(), channel.into(), i64::from(statement).into()],
        |row| row.int(0),
    )?;
    Ok(found.is_some())
}

/// A letter was given back whose reader has left meanwhile: it is not tried again, and the address is forgotten here as well.
///
/// # Errors
/// What the engine says.
pub fn forget_in(tx: &Tx<'_>, claim: &Claim) -> Result<(), StoreError> {
    tx.write(
        "update letter set address = '', state = case when state = 'pending' then 'dropped' else state end,
           payload = case when state = 'pending' then '' else payload end
         where seq = ?1 and not exists (select 1 from subscriber where channel = ?2 and address = ?3)",
        &[claim.number().into(), claim.channel.as_str().into(), claim.address.as_str().into()],
    )
}

/// Whether there is such a letter.
///
/// # Errors
/// What the engine says.
pub fn mailing_waits(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.query_one("select id from mailing limit 1", &[], |row| row.int(0))?.is_some())
}

/// It was written to some more; with nobody after them it is done.
///
/// # Errors
/// What the engine says.
pub fn advance(tx: &Tx<'_>, mailing: &Mailing, last: Option<i64>, more: i64) -> Result<(), StoreError> {
    match last {
        Some(last) => tx.write(
            "update mailing set after_id = ?2, written = written + ?3 where id = ?1",
            &[mailing.id.into(), last.into(), more.into()],
        ),
        None => tx.write("delete from mailing where id = ?1", &[mailing.id.into()]),
    }
}

fn no_randomness(error: crypto::NoRandomness) -> StoreError {
    StoreError::File { path: "random bytes".into(), error: std::io::Error::other(error.to_string()) }
}
