//! The outbox: letters written with the decision that caused them, claimed, sent and settled.
//!
//! A letter is `pending` until it is claimed, `sending` while a worker has it (`due_at` is then the end
//! of the lease, after which it is claimed again: the worker was lost), and at last `accepted`,
//! `refused`, `unknown` or `dropped`. The words of a letter are kept only until then, because an answer
//! link stands in them in clear.

use jiff::{SignedDuration, Timestamp};

use super::{Bind, Row, StoreError, Tx};
use crate::core::mail;

/// What kind of letter: decides how long it is tried and when it has become pointless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wakes somebody; pointless once a human has the incident.
    Page,
    /// Wakes somebody the Commander called for; pointless once the incident is over.
    Help,
    /// Wakes the PIO; pointless once the incident is over.
    Pio,
    /// Tells one person something.
    Notice,
    /// Status for one channel.
    Status,
}

impl Kind {
    /// The word used in SQL, on the timeline and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Help => "help",
            Self::Pio => "pio_page",
            Self::Notice => "notice",
            Self::Status => "status",
        }
    }

    /// Whether it wakes somebody.
    pub fn wakes(self) -> bool {
        matches!(self, Self::Page | Self::Help | Self::Pio)
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        [Self::Page, Self::Help, Self::Pio, Self::Notice, Self::Status]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(StoreError::Decode("an unknown kind of letter"))
    }
}

/// A letter to be written.
#[derive(Clone, Debug)]
pub struct NewLetter<'a> {
    /// 32 hexadecimal digits, chosen by the writer.
    pub id: &'a str,
    /// Its incident.
    pub incident: i64,
    /// What kind.
    pub kind: Kind,
    /// The person it is for; empty for a channel's.
    pub person: &'a str,
    /// The channel that carries it; empty for a person's own ways.
    pub channel: &'a str,
    /// Where to, when the channel needs to be told.
    pub address: &'a str,
    /// The rendered words, as JSON.
    pub payload: &'a str,
    /// When the event that caused it was received.
    pub received_at: Option<Timestamp>,
}

/// A letter in somebody's hands. There is one for each attempt; settling it gives it back.
#[derive(Debug)]
pub struct Claim {
    seq: i64,
    /// See [`NewLetter`].
    pub id: String,
    /// See [`NewLetter`].
    pub incident: i64,
    /// See [`NewLetter`].
    pub kind: Kind,
    /// See [`NewLetter`].
    pub person: String,
    /// See [`NewLetter`].
    pub channel: String,
    /// See [`NewLetter`].
    pub address: String,
    /// See [`NewLetter`].
    pub payload: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// See [`NewLetter`].
    pub received_at: Option<Timestamp>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Remote id of the first message of this incident in this channel.
    pub thread_root: Option<String>,
}

impl Claim {
    /// The letter's number in the store.
    pub fn number(&self) -> i64 {
        self.seq
    }
}

#[cfg(test)]
impl Claim {
    /// A letter in hand, for tests of what an outcome means.
    pub(crate) fn sample(kind: Kind, attempt: u32) -> Self {
        Self {
            seq: 1,
            id: "0123456789abcdef0123456789abcdef".into(),
            incident: 42,
            kind,
            person: if kind == Kind::Status { String::new() } else { "maya".into() },
            channel: if kind == Kind::Status { "ops-room".into() } else { String::new() },
            address: String::new(),
            payload: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            received_at: None,
            attempt,
            thread_root: None,
        }
    }
}

/// The longest that a letter that wakes somebody is put off: more than a lease, and than any wait between two
/// attempts.
pub const WAKING_WAIT_MAX: SignedDuration = SignedDuration::from_mins(8);
/// The same, for any other letter.
pub const TELLING_WAIT_MAX: SignedDuration = SignedDuration::from_hours(2);

/// The hours beyond which no letter waits: one that wakes, and any. One that seems to was written under a
/// clock that was ahead and has been put right since.
fn beyond(tx: &Tx<'_>) -> (Timestamp, Timestamp) {
    let beyond = |most| tx.now.saturating_add(most).unwrap_or(Timestamp::MAX);
    (beyond(WAKING_WAIT_MAX), beyond(TELLING_WAIT_MAX))
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The other side has it.
    Accepted {
        /// The other side's id.
        remote_id: Option<String>,
    },
    /// To be tried again.
    Again {
        /// When.
        at: Timestamp,
        /// What was answered.
        why: String,
    },
    /// It will never be written.
    Refused {
        /// What was answered.
        why: String,
    },
    /// It may have been written, and is not tried again.
    Unknown {
        /// What is known.
        why: String,
    },
}

impl Settlement {
    fn state(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Again { .. } => "pending",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Writes a letter.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, letter: &NewLetter<'_>) -> Result<(), StoreError> {
    let seq = tx.next_number("letter")?;
    // Status keeps its order within an incident and channel; a person's letters do not wait for each other.
    let lane = if letter.channel.is_empty() {
        String::new()
    } else {
        format!("{}/{}/{}", letter.incident, letter.channel, letter.address)
    };
    tx.write(
        "insert into letter (seq, id, incident, kind, lane, person, channel, address, payload, created_at,
                             received_at, state, attempts, due_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending', 0, ?10)",
        &[
            seq.into(),
            letter.id.into(),
            letter.incident.into(),
            letter.kind.as_str().into(),
            (&lane).into(),
            letter.person.into(),
            letter.channel.into(),
            letter.address.into(),
            letter.payload.into(),
            tx.now.into(),
            letter.received_at.into(),
        ],
    )?;
    Ok(())
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this channel; empty: to persons.
    pub channel: String,
    /// For how long.
    pub lease: SignedDuration,
    /// At most this many.
    pub limit: u32,
    /// Numbers of the letters of this channel it has in hand: their leases are renewed when they have run out.
    pub held: Vec<i64>,
}

/// Takes letters of one channel that are due, oldest first. Their attempts are counted now, so that a
/// letter that brings the daemon down spends them too. Letters that have become pointless are dropped on
/// the way.
///
/// # Errors
/// What the engine says.
pub fn claim(tx: &Tx<'_>, wanted: &Wanted) -> Result<Vec<Claim>, StoreError> {
    let Wanted { channel, lease, limit, held } = wanted;
    let until = tx.now.saturating_add(*lease).unwrap_or(Timestamp::MAX);
    let (waking, telling) = beyond(tx);
    tx.write(
        "update letter set due_at = ?1 where channel = ?2 and state in ('pending', 'sending') and due_at > ?3
           and (kind in ('page', 'help', 'pio_page') or due_at > ?4)",
        &[tx.now.into(), channel.into(), waking.into(), telling.into()],
    )?;
    for seq in held {
        tx.write(
            "update letter set due_at = ?2 where seq = ?1 and state = 'sending' and due_at <= ?3",
            &[(*seq).into(), until.into(), tx.now.into()],
        )?;
    }
    drop_pointless(tx, channel)?;
    let sql = format!(
        "select seq, id, incident, kind, person, channel, address, payload, created_at, received_at, attempts,
           (select root from thread where thread.incident = letter.incident and thread.channel = letter.channel)
         from letter where channel = ?1 and state in ('pending', 'sending') and due_at <= ?2
           and (lane = '' or not exists (
             select 1 from letter before where before.lane = letter.lane and before.seq < letter.seq
               and before.state in ('pending', 'sending')))
         order by due_at, seq limit ?3 {}",
        tx.for_taking("letter")
    );
    let mut claims = tx.query(&sql, &[channel.into(), tx.now.into(), i64::from(*limit).into()], read)?;
    for claim in &mut claims {
        claim.attempt += 1;
        tx.write(
            "update letter set state = 'sending', attempts = attempts + 1, due_at = ?2 where seq = ?1",
            &[claim.seq.into(), until.into()],
        )?;
    }
    Ok(claims)
}

/// Writes down how an attempt ended. `false` when the lease had run out and another attempt has it.
///
/// # Errors
/// What the engine says.
pub fn settle(tx: &Tx<'_>, claim: &Claim, settlement: &Settlement) -> Result<bool, StoreError> {
    let (remote_id, why) = match settlement {
        Settlement::Accepted { remote_id } => (remote_id.as_deref(), None),
        Settlement::Again { why, .. } | Settlement::Refused { why } | Settlement::Unknown { why } => {
            (None, Some(why.as_str()))
        }
    };
    let due_at = match settlement {
        Settlement::Again { at, .. } => *at,
        _ => tx.now,
    };
    let over: Bind<'_> = i64::from(!matches!(settlement, Settlement::Again { .. })).into();
    let changed = tx.execute(
        "update letter set state = ?3, due_at = ?4, remote_id = ?5, why = ?6,
           payload = case when ?7 = 1 then '' else payload end
         where seq = ?1 and state = 'sending' and attempts = ?2",
        &[
            claim.seq.into(),
            i64::from(claim.attempt).into(),
            settlement.state().into(),
            due_at.into(),
            remote_id.into(),
            why.into(),
            over,
        ],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    if let Settlement::Accepted { remote_id: Some(root) } = settlement
        && !claim.channel.is_empty()
    {
        tx.write(
            "insert into thread (incident, channel, root) values (?1, ?2, ?3) on conflict do nothing",
            &[claim.incident.into(), (&claim.channel).into(), root.into()],
        )?;
    }
    Ok(true)
}

/// The letter with this id, as far as it says what an answer to it is about.
///
/// # Errors
/// What the engine says.
pub fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<mail::Letter>, StoreError> {
    let sql = "select kind, incident, person, channel, created_at from letter where id = ?1";
    tx.query_one(sql, &[id.into()], |row| {
        let kind = Kind::from_word(&row.text(0)?)?;
        Ok(mail::Letter {
            id: id.to_owned(),
            what: kind.as_str(),
            wakes: kind.wakes(),
            commands: matches!(kind, Kind::Page | Kind::Help | Kind::Notice),
            incident: row.int(1)?,
            person: row.text(2)?,
            channel: row.text(3)?,
            written_at: row.time(4)?,
        })
    })
}

/// The address that the letter with this id went to.
///
/// # Errors
/// What the engine says.
pub fn address_of(tx: &Tx<'_>, id: &str) -> Result<Option<String>, StoreError> {
    tx.query_one("select address from letter where id = ?1", &[id.into()], |row| row.text(0))
}

/// Letters that woke somebody at an address, written at this hour or later, of incidents that were open then, the newest
/// first: their ids. At most so many.
///
/// # Errors
/// What the engine says.
pub fn waking_at(tx: &Tx<'_>, address: &str, since: Timestamp, most: u32) -> Result<Vec<String>, StoreError> {
    tx.query(
        "select id from letter
         where incident in (select id from incident where phase <> 'resolved' or resolved_at >= ?2)
           and address = ?1 and person <> '' and kind in ('page', 'help', 'pio_page') and created_at >= ?2
         order by seq desc limit ?3",
        &[address.into(), since.into(), i64::from(most).into()],
        |row| row.text(0),
    )
}

/// The letters of an incident that wake somebody, the newest first: whom, and whether it may have reached them.
///
/// # Errors
/// What the engine says.
pub fn waking_of(tx: &Tx<'_>, incident: i64) -> Result<Vec<(String, bool)>, StoreError> {
    let sql =
        "select person, state from letter where incident = ?1 and kind in ('page', 'help') order by seq desc";
    tx.query(sql, &[incident.into()], |row| {
        // One in hand may be there already.
        Ok((row.text(0)?, matches!(row.text(1)?.as_str(), "accepted" | "unknown" | "sending")))
    })
}

/// Channels (empty: persons) that have letters due now.
///
/// # Errors
/// What the engine says.
pub fn channels_due(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    let (waking, telling) = beyond(tx);
    tx.query(
        "select distinct channel from letter where state in ('pending', 'sending')
           and (due_at <= ?1 or (due_at > ?2 and (kind in ('page', 'help', 'pio_page') or due_at > ?3)))",
        &[tx.now.into(), waking.into(), telling.into()],
        |row| row.text(0),
    )
}

/// When the next letter becomes due that is not due yet.
///
/// # Errors
/// What the engine says.
pub fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    tx.query_one(
        "select min(due_at) from letter where state in ('pending', 'sending') and due_at > ?1",
        &[tx.now.into()],
        |row| row.time_or_null(0),
    )
    .map(Option::flatten)
}

/// Channels with letters waiting: how many, and since when the oldest.
///
/// # Errors
/// What the engine says.
pub fn waiting(tx: &Tx<'_>) -> Result<Vec<(String, i64, Timestamp)>, StoreError> {
    tx.query(
        "select channel, count(*), min(created_at) from letter where state in ('pending', 'sending') group by channel",
        &[],
        |row| Ok((row.text(0)?, row.int(1)?, row.time(2)?)),
    )
}

/// Answer links and the words around them are kept no longer than they are needed.
fn drop_pointless(tx: &Tx<'_>, channel: &str) -> Result<(), StoreError> {
    if !channel.is_empty() {
        return Ok(());
    }
    tx.write(
        "update letter set state = 'dropped', payload = '', why = 'no longer needed'
         where channel = '' and state in ('pending', 'sending') and due_at <= ?1 and exists (
           select 1 from incident where incident.id = letter.incident and (
             (letter.kind = 'page' and incident.phase <> 'triggered')
             or (letter.kind in ('help', 'pio_page') and incident.phase = 'resolved')))",
        &[tx.now.into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Claim, StoreError> {
    Ok(Claim {
        seq: row.int(0)?,
        id: row.text(1)?,
        incident: row.int(2)?,
        kind: Kind::from_word(&row.text(3)?)?,
        person: row.text(4)?,
        channel: row.text(5)?,
        address: row.text(6)?,
        payload: row.text(7)?,
        created_at: row.time(8)?,
        received_at: row.time_or_null(9)?,
        attempt: u32::try_from(row.int(10)?).map_err(|_| StoreError::Decode("attempts out of range"))?,
        thread_root: row.text_or_null(11)?,
    })
}
