//! The outbox: letters written with the decision that caused them, claimed, sent and settled.
//!
//! A letter is `pending` until it is claimed, `sending` while a worker has it (`due_at` is then the end
//! of the lease, after which it is claimed again: the worker was lost), and at last `accepted`,
//! `refused`, `unknown` or `dropped`. The words of a letter are kept only until then, because an answer
//! link stands in them in clear.

use jiff::{SignedDuration, Timestamp};

use super::{Row, StoreError, Tx, sessions};
use crate::core::incident::{Incident, ResponderStatus};
use crate::core::{mail, reach};
use crate::crypto;

mod settle;

pub(super) use settle::is_in_hand;
pub use settle::{Settlement, settle, settle_ahead};

/// What kind of letter: decides how long it is tried and when it has become pointless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wakes somebody; pointless once a human has the incident.
    Page,
    /// Wakes somebody although a human has the incident: who was called for, or the Commander; pointless once it is over.
    Help,
    /// Wakes the PIO; pointless once the incident is over.
    Pio,
    /// Tells one person something.
    Notice,
    /// Status for one channel.
    Status,
    /// Ends what sounds on at a person's after another letter: it says nothing.
    Hush,
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
            Self::Hush => "hush",
        }
    }

    /// Whether it wakes somebody.
    pub fn wakes(self) -> bool {
        matches!(self, Self::Page | Self::Help | Self::Pio)
    }

    pub(super) fn from_word(word: &str) -> Result<Self, StoreError> {
        [Self::Page, Self::Help, Self::Pio, Self::Notice, Self::Status, Self::Hush]
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
    /// The number of the page it is a letter of; `None`: the first letter of its page, or no page at all.
    pub page: Option<i64>,
    /// How long it waits for the others of its page.
    pub after: SignedDuration,
    /// The number of the statement that it carries.
    pub statement: Option<u32>,
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
    /// Remote id of the first message of this incident in this channel, of those to this person where there is one.
    pub thread_root: Option<String>,
    /// Of a statement, while that is not known: those of the same incident before it, in the same channel, that may be there, by their
    /// ids, the newest first. At most [`LOST_MAX`].
    pub lost: Vec<String>,
    /// The same of those that carry this very statement: it was sent once more.
    pub again: Vec<String>,
    /// The number of its page; `None`: it is a page of its own, or none.
    pub page: Option<i64>,
    /// See [`NewLetter`].
    pub statement: Option<u32>,
    /// An attempt before may have written it: whoever made it was lost, or was not answered.
    pub unsure: bool,
    /// It is not wanted any more, and may be there: it is looked for and not written.
    pub only_look: bool,
    /// What it corrects or takes back certainly never was in its channel.
    pub mends_nothing: bool,
    /// It is one of those to all who subscribed, and waits longer for a relay than others.
    pub to_subscriber: bool,
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
            lost: Vec::new(),
            again: Vec::new(),
            page: None,
            statement: None,
            unsure: false,
            only_look: false,
            mends_nothing: false,
            to_subscriber: false,
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

/// A letter that waits for the others of its page, as it should: it was not tried yet, and was written under a clock that
/// was not ahead by more than clocks may differ. `?1` is now; this is after all that a person's way may be put off.
const WAITS: &str = "(page is not null and attempts = 0 and created_at - 60000000 <= ?1)";

/// Writes a letter; answers its number.
///
/// # Errors
/// What the engine says.
pub fn put(tx: &Tx<'_>, letter: &NewLetter<'_>) -> Result<i64, StoreError> {
    let seq = tx.next_number("letter")?;
    let page = letter.page.or((letter.kind.wakes() && !letter.person.is_empty()).then_some(seq));
    let due_at = tx.now.saturating_add(letter.after).unwrap_or(tx.now);
    // Status keeps its order within an incident and channel; a person's letters do not wait for each other.
    let lane = if letter.channel.is_empty() || !letter.person.is_empty() {
        String::new()
    } else {
        lane_of(letter.incident, letter.channel, letter.address)
    };
    tx.write(
        "insert into letter (seq, id, incident, kind, lane, person, channel, address, payload, created_at,
                             received_at, state, attempts, due_at, page, statement)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending', 0, ?12, ?13, ?14)",
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
            due_at.into(),
            page.into(),
            letter.statement.map(i64::from).into(),
        ],
    )?;
    Ok(seq)
}

/// In which letters of an incident to one address of a channel keep their order. It holds no address: that may have to be forgotten.
pub(super) fn lane_of(incident: i64, channel: &str, address: &str) -> String {
    let digest = crypto::hex(&crypto::sha256(address.as_bytes()));
    let to = if address.is_empty() { "" } else { digest.get(..LANE_DIGITS).unwrap_or_default() };
    format!("{incident}/{channel}/{to}")
}

/// So many hexadecimal digits stand for an address.
const LANE_DIGITS: usize = 24;

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this channel; empty: to persons.
    pub channel: String,
    /// For how long.
    pub lease: SignedDuration,
    /// At most this many.
    pub limit: u32,
    /// Only letters that have been due for so long: others may take them before.
    pub left: SignedDuration,
    /// Numbers of the letters of this channel it has in hand: their leases are renewed when they have run out.
    pub held: Vec<i64>,
}

/// Of letters, those that wake somebody.
const WAKING: &str = "and kind in ('page', 'help', 'pio_page')";

/// Of so many statements that may be there it is asked what they made.
pub const LOST_MAX: u32 = 64;

/// At least so many letters are looked at before some are taken.
const LOOKED_AT_MIN: u32 = 64;

/// Takes letters of one channel that are due: those that wake somebody before any other, and of each sort the oldest first.
/// Their attempts are counted now, so that a letter that brings the daemon down spends them too. Letters that have become pointless are dropped on
/// the way.
///
/// # Errors
/// What the engine says.
pub fn claim(tx: &Tx<'_>, wanted: &Wanted) -> Result<Vec<Claim>, StoreError> {
    let Wanted { channel, lease, limit, left, held } = wanted;
    let until = tx.now.saturating_add(*lease).unwrap_or(Timestamp::MAX);
    let (waking, telling) = beyond(tx);
    tx.write(
        &format!(
            "update letter set due_at = ?1 where channel = ?2 and state in ('pending', 'sending') and due_at > ?3
               and (kind in ('page', 'help', 'pio_page') or due_at > ?4) and not {WAITS}",
        ),
        &[tx.now.into(), channel.into(), waking.into(), telling.into()],
    )?;
    for seq in held {
        tx.write(
            "update letter set due_at = ?2 where seq = ?1 and state = 'sending' and due_at <= ?3",
            &[(*seq).into(), until.into(), tx.now.into()],
        )?;
    }
    drop_pointless(tx, channel, *limit, "")?;
    let due_since = tx.now.saturating_sub(*left).unwrap_or(Timestamp::MIN);
    // Those that are due are sorted by their numbers: with their words an engine that takes rows sorts all that wait.
    let due_first = |which: &str| {
        let due = format!(
            "select seq from letter next where channel = ?1 and state in ('pending', 'sending') and due_at <= ?2 {which}
               and (lane = '' or not exists (
                 select 1 from letter before where before.lane = next.lane and before.seq < next.seq
                   and before.state in ('pending', 'sending')))
             order by due_at, seq limit ?3"
        );
        let sql = format!(
            "select seq, id, incident, kind, person, channel, address, payload, created_at, received_at, attempts,
               (select root from thread where thread.incident = letter.incident and thread.channel =
                 case when letter.person = '' then letter.channel else letter.channel || '/' || letter.person end),
               page, statement, case when state = 'sending' then 1 else unsure end
             from letter where {}
             order by due_at, seq {}",
            tx.among("seq", &due),
            tx.for_taking("letter")
        );
        tx.query(&sql, &[channel.into(), due_since.into(), i64::from(*limit).into()], read)
    };
    let mut claims = due_first("")?;
    let most = usize::try_from(*limit).unwrap_or(usize::MAX);
    if claims.len() >= most && claims.iter().any(|claim| !claim.person.is_empty() && !claim.kind.wakes()) {
        // Nobody sleeps on because a thousand notices came first.
        let telling = claims.into_iter().filter(|claim| !claim.kind.wakes());
        drop_pointless(tx, channel, *limit, WAKING)?;
        claims = due_first(WAKING)?.into_iter().chain(telling).collect();
        claims.truncate(most);
    }
    let claims = drop_too_late(tx, claims)?;
    let mut claims = drop_answered(tx, claims)?;
    for claim in &mut claims {
        claim.attempt += 1;
        // A list of mail has one letter for each of its readers, and nothing to be gone on with.
        if claim.statement.is_some() && claim.address.is_empty() {
            for (id, statement) in lost_before(tx, claim)? {
                let is_same = statement.is_some() && statement == claim.statement;
                if is_same {
                    claim.again.push(id);
                } else if claim.thread_root.is_none() {
                    claim.lost.push(id);
                }
            }
        }
        tx.write(
            "update letter set state = 'sending', attempts = attempts + 1, due_at = ?2, unsure = ?3 where seq = ?1",
            &[claim.seq.into(), until.into(), i64::from(claim.unsure).into()],
        )?;
    }
    Ok(claims)
}

fn lost_before(tx: &Tx<'_>, claim: &Claim) -> Result<Vec<(String, Option<u32>)>, StoreError> {
    tx.query(
        "select id, statement from letter
         where incident = ?1 and channel = ?2 and person = ?3 and statement is not null and state = 'unknown' and seq < ?4
         order by seq desc limit ?5",
        &[
            claim.incident.into(),
            (&claim.channel).into(),
            (&claim.person).into(),
            claim.seq.into(),
            i64::from(LOST_MAX).into(),
        ],
        |row| Ok((row.text(0)?, row.int_or_null(1)?.and_then(|number| u32::try_from(number).ok()))),
    )
}

/// The letter with this id, as far as it says what an answer to it is about.
///
/// # Errors
/// What the engine says.
pub fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<mail::Letter>, StoreError> {
    let sql = "select kind, incident, person, channel, created_at, seq, page from letter where id = ?1";
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
            otherwise: false,
            page: row.int_or_null(6)?.unwrap_or(row.int(5)?),
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

/// Letters that may have woken somebody at an address, written at this hour or later, of incidents that were open then, the
/// newest first: their ids. At most so many. What was never tried nobody has read; what was may be there, whatever became of it.
///
/// # Errors
/// What the engine says.
pub fn waking_at(tx: &Tx<'_>, address: &str, since: Timestamp, most: u32) -> Result<Vec<String>, StoreError> {
    tx.query(
        "select id from letter
         where incident in (select id from incident where phase <> 'resolved' or resolved_at >= ?2)
           and address = ?1 and person <> '' and kind in ('page', 'help', 'pio_page') and created_at >= ?2
           and (state in ('accepted', 'unknown', 'sending') or attempts > 0)
         order by seq desc limit ?3",
        &[address.into(), since.into(), i64::from(most).into()],
        |row| row.text(0),
    )
}

/// The pages of an incident that wake somebody, the newest first: whom, and whether it may have reached them by any way.
///
/// # Errors
/// What the engine says.
pub fn waking_of(tx: &Tx<'_>, incident: i64) -> Result<Vec<(String, bool)>, StoreError> {
    // Of a page whose incident became part of this one, only what had not left came here.
    // Two looks at an index: with "or" a server reads every letter there is.
    let sql = "select coalesce(page, seq), seq, person, state from letter
               where incident = ?1 and kind in ('page', 'help')
               union select coalesce(page, seq), seq, person, state from letter
               where page in (select page from letter where incident = ?1 and page is not null) and kind in ('page', 'help')
               order by 1 desc, 2 desc";
    let letters = tx.query(sql, &[incident.into()], |row| {
        // One in hand may be there already.
        let reached = matches!(row.text(3)?.as_str(), "accepted" | "unknown" | "sending");
        Ok((row.int(0)?, row.text(2)?, reached))
    })?;
    let pages = letters.chunk_by(|one, other| one.0 == other.0);
    let whole = |page: &[(i64, String, bool)]| Some((page.first()?.1.clone(), page.iter().any(|one| one.2)));
    Ok(pages.filter_map(whole).collect())
}

/// Channels (empty: persons) that have letters due now, and since when the first of them.
///
/// # Errors
/// What the engine says.
pub fn channels_due(tx: &Tx<'_>) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let (waking, telling) = beyond(tx);
    // One look at the index for each channel, and not one at every letter that waits.
    tx.query(
        &format!(
            "with recursive known (channel) as (
               select min(channel) from letter where state in ('pending', 'sending')
               union all
               select (select min(channel) from letter
                       where state in ('pending', 'sending') and letter.channel > known.channel)
               from known where known.channel is not null)
             select channel, due from (
               select known.channel, coalesce(
                 (select min(due_at) from letter where letter.channel = known.channel
                    and state in ('pending', 'sending') and due_at <= ?1),
                 (select min(due_at) from letter where letter.channel = known.channel
                    and state in ('pending', 'sending') and due_at > ?2
                    and (kind in ('page', 'help', 'pio_page') or due_at > ?3) and not {WAITS})) as due
               from known where known.channel is not null) found
             where due is not null order by channel",
        ),
        &[tx.now.into(), waking.into(), telling.into()],
        |row| Ok((row.text(0)?, row.time(1)?)),
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
        // The one that was written first is the oldest: only that one is looked up, whatever waits.
        "select waits.channel, waits.many, oldest.created_at
         from (select channel, count(*) as many, min(seq) as first from letter
               where state in ('pending', 'sending') group by channel) waits
         join letter oldest on oldest.seq = waits.first",
        &[],
        |row| Ok((row.text(0)?, row.int(1)?, row.time(2)?)),
    )
}

/// Answer links and the words around them are kept no longer than they are needed. Of the letters that are due those are looked
/// at that may be taken now, and not all: where thousands wait, that would be most of the work there is.
fn drop_pointless(tx: &Tx<'_>, channel: &str, limit: u32, which: &str) -> Result<(), StoreError> {
    let most = i64::from(limit.max(LOOKED_AT_MIN) * 2);
    let due = format!(
        "select seq from letter next where next.channel = ?3 and next.state in ('pending', 'sending')
           and next.due_at <= ?1 {which} order by next.due_at, next.seq limit ?2"
    );
    loop {
        let dropped = tx.execute(
            &format!(
                "update letter set state = 'dropped', payload = '', why = 'no longer needed'
                 where {} and person <> '' and exists (
                   select 1 from incident where incident.id = letter.incident and (
                     (letter.kind = 'page' and incident.phase <> 'triggered')
                     or (letter.kind in ('help', 'pio_page') and incident.phase = 'resolved')))",
                tx.among("seq", &due)
            ),
            &[tx.now.into(), most.into(), channel.into()],
        )?;
        // As many of those that were looked at are left as are taken.
        if dropped <= u64::from(limit.max(LOOKED_AT_MIN)) {
            return Ok(());
        }
    }
}

/// Of letters that are about to be taken, those with a login link that is too old by now are dropped: who is in a hurry would
/// try a dead one, and then look for another.
fn drop_too_late(tx: &Tx<'_>, mut claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
    let is_old = |claim: &Claim| tx.now.duration_since(claim.created_at) >= sessions::LINK_LASTS;
    let may_be = |claim: &Claim| claim.kind == Kind::Notice && claim.incident == 0 && is_old(claim);
    let is_login = |claim: &Claim| {
        let words: Option<serde_json::Value> = serde_json::from_str(&claim.payload).ok();
        words.is_some_and(|words| words["event_type"] == sessions::LOGIN_LETTER)
    };
    for claim in claims.extract_if(.., |claim| may_be(claim) && is_login(claim)) {
        tx.write(
            "update letter set state = 'dropped', payload = '', why = 'the link in it is too old' where seq = ?1",
            &[claim.seq.into()],
        )?;
        tracing::warn!(
            letter.number = claim.seq,
            person = claim.person,
            "a login link could not leave in time"
        );
    }
    Ok(claims)
}

/// Of letters that are about to be taken, those whose person has answered since they were written are dropped: nobody is
/// called two minutes after they said that they are there.
fn drop_answered(tx: &Tx<'_>, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
    let asks = |claim: &Claim| claim.kind.wakes() && claim.incident > 0;
    let mut ids: Vec<i64> = claims.iter().filter(|claim| asks(claim)).map(|claim| claim.incident).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(claims);
    }
    // One incident that cannot be read must not hold back the letters of all others, nor its own.
    let loaded = super::incidents::load_readable(tx, &ids)?;
    for (id, found) in ids.iter().zip(&loaded) {
        if let Some(Err(error)) = found {
            tracing::error!(incident.id = id, %error, "who has answered cannot be read; its letters go out");
        }
    }
    let mut needed = Vec::with_capacity(claims.len());
    for claim in claims {
        let place = ids.binary_search(&claim.incident).ok().filter(|_| asks(&claim));
        let saved = place.and_then(|place| loaded.get(place)?.as_ref()?.as_ref().ok());
        if saved.is_some_and(|saved| {
            has_answered(&saved.incident, &claim.person, claim.kind, claim.created_at, tx.now)
        }) {
            tx.write(
                "update letter set state = 'dropped', payload = '', why = 'answered already' where seq = ?1",
                &[claim.seq.into()],
            )?;
        } else {
            needed.push(claim);
        }
    }
    Ok(needed)
}

/// Whether the person of a page has said something since it was written, so that it need not come by another way. When
/// in doubt they have not: an hour that is still to come was said by a clock that was ahead and has been put right since.
pub fn has_answered(
    incident: &Incident,
    person: &str,
    kind: Kind,
    written_at: Timestamp,
    now: Timestamp,
) -> bool {
    let Some(known) = incident.responder(person) else { return false };
    let said = match known.status {
        ResponderStatus::Declined => true,
        // The PIO is asked for something else than to be there.
        status => kind != Kind::Pio && status.has_answered(),
    };
    said && known.since > written_at && known.since <= now
}

/// What became of one letter of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The letter's number.
    pub letter: i64,
    /// By which way; empty: mail.
    pub way: String,
    /// Where to.
    pub address: String,
    /// `pending`, `sending`, `accepted`, `refused`, `bounced`, `unknown` or `dropped`.
    pub state: String,
    /// What was answered, when it was not taken.
    pub why: Option<String>,
    /// When it became so; while it is pending or being sent, when it is tried next.
    pub at: Timestamp,
    /// What its carrier told of it after it took it: `sent`, `delivered`, ... And when.
    pub reported: Option<(String, Timestamp)>,
}

impl Leg {
    /// The name of the way.
    pub fn name(&self) -> &str {
        if self.way.is_empty() { reach::MAIL } else { &self.way }
    }

    /// Whether it has reached its person, as far as anybody can say, or may yet.
    fn may_reach(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "sending" | "accepted" | "unknown")
    }
}

/// The letters of a page, in their order.
///
/// # Errors
/// What the engine says.
pub fn legs(tx: &Tx<'_>, page: i64) -> Result<Vec<Leg>, StoreError> {
    let sql = "select seq, channel, address, state, why, due_at, reported, reported_at from letter
               where page = ?1 or seq = ?1 order by seq";
    tx.query(sql, &[page.into()], |row| leg(row, 0))
}

pub(super) fn leg(row: &Row<'_>, from: usize) -> Result<Leg, StoreError> {
    Ok(Leg {
        letter: row.int(from)?,
        way: row.text(from + 1)?,
        address: row.text(from + 2)?,
        state: row.text(from + 3)?,
        why: row.text_or_null(from + 4)?,
        at: row.time(from + 5)?,
        reported: row.text_or_null(from + 6)?.zip(row.time_or_null(from + 7)?),
    })
}

/// Why a page reached nobody: in words, when each of its letters was refused or came back; `None` while one of them may reach
/// its person, or nobody knows, or one was not needed any more, which is no failure. Those that only wait for the others are due now, once all others have failed.
///
/// # Errors
/// What the engine says.
pub fn unreached(tx: &Tx<'_>, page: i64) -> Result<Option<String>, StoreError> {
    let legs = legs(tx, page)?;
    if legs.iter().any(|leg| leg.state == "dropped") {
        return Ok(None);
    }
    let left: Vec<&Leg> = legs.iter().filter(|leg| leg.may_reach()).collect();
    if left.is_empty() {
        let why = |leg: &Leg| leg.why.clone().unwrap_or_default();
        let words: Vec<String> = match &legs[..] {
            [only] => vec![why(only)],
            legs => legs.iter().map(|leg| format!("by {}: {}", leg.name(), why(leg))).collect(),
        };
        return Ok(Some(words.join("; ")));
    }
    let sql =
        "update letter set due_at = ?2 where page = ?1 and state = 'pending' and attempts = 0 and due_at > ?2
                 and not exists (select 1 from letter other where other.page = ?1 and (
                   other.state in ('accepted', 'unknown', 'sending')
                   or (other.state = 'pending' and (other.attempts > 0 or other.due_at <= ?2))))";
    tx.write(sql, &[page.into(), tx.now.into()])?;
    Ok(None)
}

/// A letter came back: it reached nobody, whatever was said when it was handed over.
///
/// # Errors
/// What the engine says.
pub fn came_back(tx: &Tx<'_>, id: &str, why: &str) -> Result<(), StoreError> {
    lost(tx, id, "bounced", why)
}

/// A letter reached nobody: `bounced`, or `refused` by who was called.
///
/// # Errors
/// What the engine says.
pub fn lost(tx: &Tx<'_>, id: &str, state: &str, why: &str) -> Result<(), StoreError> {
    tx.write(
        "update letter set state = ?4, payload = '', why = ?2, due_at = ?3 where id = ?1
           and state in ('pending', 'sending', 'accepted', 'unknown')",
        &[id.into(), why.into(), tx.now.into(), state.into()],
    )
}

/// Somebody has said whether they come, or (`as_pio`) has written what they were called for: what still waits to ask
/// them is not needed any more.
///
/// # Errors
/// What the engine says.
pub fn answered(tx: &Tx<'_>, incident: i64, person: &str, as_pio: bool) -> Result<(), StoreError> {
    let kinds = if as_pio { "kind = 'pio_page'" } else { "kind in ('page', 'help')" };
    tx.write(
        &format!(
            "update letter set state = 'dropped', payload = '', why = 'answered already'
             where incident = ?1 and {kinds} and person = ?2 and state = 'pending'"
        ),
        &[incident.into(), person.into()],
    )
}

/// A page of somebody.
#[derive(Clone, Copy, Debug)]
pub struct Paged {
    /// Its number.
    pub page: i64,
    /// Whether they were called although somebody has the incident.
    pub for_help: bool,
    /// When it was written.
    pub at: Timestamp,
}

/// The newest page of somebody for an incident, or for one that became part of it while something of that page had not left.
///
/// # Errors
/// What the engine says.
pub fn newest_page(tx: &Tx<'_>, incident: i64, person: &str) -> Result<Option<Paged>, StoreError> {
    let sql = "select coalesce(page, seq), seq, kind, created_at from letter
               where incident = ?1 and kind in ('page', 'help') and person = ?2
               union select coalesce(page, seq), seq, kind, created_at from letter
               where page in (select page from letter where incident = ?1 and page is not null)
                 and kind in ('page', 'help') and person = ?2
               order by 1 desc, 2 limit 1";
    tx.query_one(sql, &[incident.into(), person.into()], |row| {
        Ok(Paged { page: row.int(0)?, for_help: row.text(2)? == Kind::Help.as_str(), at: row.time(3)? })
    })
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
        lost: Vec::new(),
        again: Vec::new(),
        page: row.int_or_null(12)?,
        statement: row.int_or_null(13)?.and_then(|number| u32::try_from(number).ok()),
        unsure: row.int(14)? != 0,
        only_look: false,
        mends_nothing: false,
        to_subscriber: false,
    })
}
