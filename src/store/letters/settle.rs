//! How attempts end: the letter is given back with what became of it, by whoever has it still.

use jiff::Timestamp;

use super::Claim;
use crate::store::{Bind, StoreError, Tx};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The other side has it.
    Accepted {
        /// The other side's id.
        remote_id: Option<String>,
    },
    /// The other side has it, and people are told that what it takes back may stand there still.
    Stands {
        /// The other side's id of what it has.
        remote_id: Option<String>,
        /// What is left to be done.
        why: String,
    },
    /// The other side has it, as the first of a thread that takes the place of the one before.
    Begun {
        /// The other side's id.
        root: String,
    },
    /// To be tried again.
    Again {
        /// When.
        at: Timestamp,
        /// What was answered.
        why: String,
        /// This attempt may have written it.
        unsure: bool,
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
            Self::Accepted { .. } | Self::Begun { .. } | Self::Stands { .. } => "accepted",
            Self::Again { .. } => "pending",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The other side's id, when it has the letter and gave one.
    pub fn remote_id(&self) -> Option<&str> {
        match self {
            Self::Accepted { remote_id } | Self::Stands { remote_id, .. } => remote_id.as_deref(),
            Self::Begun { root } => Some(root),
            Self::Again { .. } | Self::Refused { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// Writes down how an attempt ended. `false` when the lease had run out and another attempt has it.
///
/// # Errors
/// What the engine says.
pub fn settle(tx: &Tx<'_>, claim: &Claim, settlement: &Settlement) -> Result<bool, StoreError> {
    let remote_id = settlement.remote_id();
    let why = match settlement {
        Settlement::Accepted { .. } | Settlement::Begun { .. } => None,
        Settlement::Stands { why, .. } => Some(why.as_str()),
        Settlement::Again { why, .. } | Settlement::Refused { why } | Settlement::Unknown { why } => {
            Some(why.as_str())
        }
    };
    let due_at = if let Settlement::Again { at, .. } = settlement { *at } else { tx.now };
    if !is_in_hand(tx, claim)? {
        return Ok(false);
    }
    let over: Bind<'_> = i64::from(!matches!(settlement, Settlement::Again { .. })).into();
    let unsure = claim.unsure || matches!(settlement, Settlement::Again { unsure: true, .. });
    tx.write(
        "update letter set state = ?2, due_at = ?3, remote_id = ?4, why = ?5,
           payload = case when cast(?6 as bigint) = 1 then '' else payload end, unsure = ?7
         where seq = ?1",
        &[
            claim.seq.into(),
            settlement.state().into(),
            due_at.into(),
            remote_id.into(),
            why.into(),
            over,
            i64::from(unsure).into(),
        ],
    )?;
    if let Some(root) = remote_id.filter(|_| !claim.channel.is_empty()) {
        // What is said to one person is a thread of its own.
        let thread = match claim.person.as_str() {
            "" => claim.channel.clone(),
            person => format!("{}/{person}", claim.channel),
        };
        // The first stays what others answer, until one takes its place.
        let takes_its_place = matches!(settlement, Settlement::Begun { .. });
        let known = if takes_its_place { "update set root = excluded.root" } else { "nothing" };
        let sql = "insert into thread (incident, channel, root) values (?1, ?2, ?3) on conflict (incident, channel) do";
        tx.write(&format!("{sql} {known}"), &[claim.incident.into(), (&thread).into(), root.into()])?;
    }
    Ok(true)
}

/// Whether this attempt has the letter still.
const IN_HAND: &str = "select seq from letter where seq = ?1 and state = 'sending' and attempts = ?2";
/// The same, where no claim of this transaction can take it away: its lease has not run out.
const SURELY_IN_HAND: &str =
    "select seq from letter where seq = ?1 and state = 'sending' and attempts = ?2 and due_at > ?3";

pub(in crate::store) fn is_in_hand(tx: &Tx<'_>, claim: &Claim) -> Result<bool, StoreError> {
    let (seq, attempt) = (claim.seq.into(), i64::from(claim.attempt).into());
    let is_surely = tx.is_far()
        && tx.query_one(SURELY_IN_HAND, &[seq, attempt, tx.now.into()], |row| row.int(0))?.is_some();
    Ok(is_surely || tx.query_one(IN_HAND, &[seq, attempt], |row| row.int(0))?.is_some())
}

/// Asks for what [`settle`] is going to ask for, in a transaction in which nothing else ends letters that are in hand.
///
/// # Errors
/// What the engine says.
pub fn settle_ahead<'c>(tx: &Tx<'_>, claims: impl Iterator<Item = &'c Claim>) -> Result<(), StoreError> {
    let binds = claims.map(|claim| vec![claim.seq.into(), i64::from(claim.attempt).into(), tx.now.into()]);
    tx.ahead_each(SURELY_IN_HAND, &binds.collect::<Vec<_>>())
}
