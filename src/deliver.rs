//! Letters out of the outbox: claim → send → settle.
//!
//! Reads: which channels have letters due. Writes: claims and settlements, through the door. Woken by
//! commits that wrote letters, by the next hour a letter is due, and by an attempt that ended. It decides
//! nothing about incidents: what a refused page means is decided in the transaction that settles it.
//!
//! Persons, and every channel, have hands of their own, so that one that hangs holds up only itself. A
//! crash between claim and settle leaves the lease to run out; then the letter is sent again, with the
//! same bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

mod pause;

use pause::Pauses;

use crate::channels::{Channel, Outcome, Parcel, SEND_DEADLINE, Thread};
use crate::clock::Clock;
use crate::commit::{Command, Door, DoorError, Reply};
use crate::crypto;
use crate::deadlines::Rush;
use crate::house::parcel;
use crate::house::{Current, House};
use crate::metrics::Metrics;
use crate::render::Words;
use crate::store::letters::{self, Claim, Kind, Settlement, Wanted};
use crate::store::readers::Readers;

/// How long a claimed letter is left to its attempt.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Attempts at the same time: to persons, and to each channel.
const PERSONS_HANDS: u32 = 32;
const CHANNEL_HANDS: u32 = 4;
/// The same, by each way of persons: one that hangs holds up no other.
const WAY_HANDS: u32 = 16;
/// While many deadlines have passed and are not met yet: who else is to be woken is found out first, and that is soon done.
const RUSH_HANDS: u32 = 2;
/// Letters for a channel or a way that this node does not know are left to others for so long: while a configuration is
/// changed node after node, one of them may. After that it is no
/// one's, but for one that wakes somebody: that is left to them once more, and given up after five minutes, so that the next people
/// are woken where nothing else of its page has reached anybody.
const UNKNOWN_CHANNEL_WAIT: SignedDuration = SignedDuration::from_secs(120);
const UNKNOWN_AGAIN_WAIT: Duration = Duration::from_secs(60);
const UNKNOWN_TRIES_MAX: u32 = 2;
/// Waits between the attempts of a letter that wakes somebody, in seconds; the last one goes on.
const WAKING_LADDER_S: &[u64] = &[5, 15, 30, 60];
/// Waits between the attempts of any other letter, in seconds; the last one goes on.
const TELLING_LADDER_S: &[u64] = &[5, 30, 120, 300, 900];
/// Attempts after which a letter is given up. Escalation goes on beside them all the time.
const WAKING_ATTEMPTS_MAX: u32 = 30;
const TELLING_ATTEMPTS_MAX: u32 = 12;
/// One that wakes somebody and may have arrived is sent again so often by a way that takes a repeat for another message.
const UNSURE_REPEATS_MAX: u32 = 3;
/// When the fault is the relay's or the channel's own, a page waits this long.
const WHOLE_CHANNEL_WAIT: Duration = Duration::from_secs(30);
/// The other side may ask for more patience than ours, but not for more than this: a page is of no use later.
const WAKING_PATIENCE_MAX: Duration = Duration::from_secs(300);
const TELLING_PATIENCE_MAX: Duration = Duration::from_secs(3600);
/// The store is asked at least this often.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Between two offers of an outcome to a store that takes no writes.
const SETTLE_WAIT: Duration = Duration::from_secs(1);
/// How often a fault of ours may keep an outcome from being written; the last half of them tries the letter alone.
const SETTLE_FAULTS_MAX: u32 = 4;
/// At the end, letters in hand have this long.
pub const DRAIN: Duration = Duration::from_secs(20);

const _: () = {
    assert!(
        SEND_DEADLINE.as_secs() * 2 < LEASE.as_secs().unsigned_abs(),
        "an attempt ends well before its lease"
    );
    // A fifth is added to a wait at most.
    assert!(WAKING_PATIENCE_MAX.as_secs() * 6 / 5 < letters::WAKING_WAIT_MAX.as_secs().unsigned_abs());
    assert!(TELLING_PATIENCE_MAX.as_secs() * 6 / 5 < letters::TELLING_WAIT_MAX.as_secs().unsigned_abs());
    assert!(LEASE.as_secs() < letters::WAKING_WAIT_MAX.as_secs());
};

/// Delivers letters.
#[derive(Clone)]
pub struct Delivery {
    /// Where claims and settlements go.
    pub door: Door,
    /// Where letters are looked for.
    pub readers: Readers,
    /// Channels and the mailer.
    pub house: Arc<Current>,
    /// The hour.
    pub clock: Clock,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Woken when letters were written.
    pub wake: Arc<Notify>,
    /// Many deadlines are being met.
    pub rush: Rush,
    /// Channels that are left alone for a while.
    pub paused: Paused,
}

/// Channels that are left alone for a while, because they refuse every letter.
#[derive(Clone, Debug, Default)]
pub struct Paused(Arc<Pauses>);

/// Attempts under way. A letter is held until its outcome is on disk: as long as this process knows an
/// outcome that the store does not, it does not send that letter again.
#[derive(Default)]
pub struct Hands {
    attempts: JoinSet<()>,
    /// Channel and number of the letter each of them holds.
    held: HashMap<task::Id, (String, i64)>,
}

impl Hands {
    fn of(&self, channel: &str) -> Vec<i64> {
        self.held.values().filter(|(of, _)| of == channel).map(|(_, letter)| *letter).collect()
    }

    /// Waits for an attempt to end, for ever when there is none, and takes what has ended with it.
    async fn some_end(&mut self) {
        match self.attempts.join_next_with_id().await {
            None => std::future::pending().await,
            Some(ended) => self.ended(ended),
        }
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<(task::Id, ()), task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "an attempt to deliver broke; its lease will run out");
                error.id()
            }
        };
        self.held.remove(&id);
    }
}

impl Delivery {
    /// Steps until told to stop, then finishes the letters in hand.
    pub async fn run(self, stop: CancellationToken) {
        let mut hands = Hands::default();
        loop {
            let wait = self.step(&mut hands).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified() => {}
                () = hands.some_end() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let finish = async { while hands.attempts.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, finish).await.is_err() {
            tracing::warn!("letters in hand did not end in time; they are sent again after the restart");
        }
    }

    /// Claims what is due and free hands can take; answers how long to wait for more.
    pub async fn step(&self, hands: &mut Hands) -> Duration {
        let found = self.readers.read(|tx| Ok((letters::channels_due(tx)?, letters::next_due(tx)?))).await;
        let (due, next) = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                return Duration::from_secs(1);
            }
        };
        let house = self.house.get();
        let now = self.clock.now();
        let rush = self.rush.goes_on(self.clock.mark());
        let mut failed = false;
        for (channel, since) in due {
            let (most, left) = match channel.as_str() {
                "" => (PERSONS_HANDS, SignedDuration::ZERO),
                name if house.ways.contains_key(name) => (WAY_HANDS, SignedDuration::ZERO),
                name if house.channels.contains_key(name) => (CHANNEL_HANDS, SignedDuration::ZERO),
                _ if since <= now && now.duration_since(since) < UNKNOWN_CHANNEL_WAIT => continue,
                // Each letter for itself: that an old one lies there is no reason to take a new one from others.
                _ => (CHANNEL_HANDS, UNKNOWN_CHANNEL_WAIT),
            };
            let most = if rush { most.min(RUSH_HANDS) } else { most };
            let held = hands.of(&channel);
            let limit = most.saturating_sub(u32::try_from(held.len()).unwrap_or(u32::MAX));
            if limit == 0 {
                continue;
            }
            let wanted = Wanted { channel: channel.clone(), lease: LEASE, limit, left, held };
            let claims = match self.door.ask(Command::Claim(wanted)).await {
                Ok(Reply::Claims(claims)) => claims,
                Ok(_) => Vec::new(),
                Err(error) => {
                    // What is wrong with the letters of one must not hold back those of the next.
                    tracing::warn!(%error, letter.channel = channel, "letters cannot be claimed; trying again");
                    failed = true;
                    continue;
                }
            };
            for claim in claims {
                let holds = (claim.channel.clone(), claim.number());
                let delivery = self.clone();
                let attempt = hands.attempts.spawn(async move { delivery.attempt(claim).await });
                hands.held.insert(attempt.id(), holds);
            }
        }
        if failed {
            return Duration::from_secs(1);
        }
        let until = next.and_then(|next| Duration::try_from(next.duration_since(self.clock.now())).ok());
        until.unwrap_or(ASK_EVERY).min(ASK_EVERY)
    }

    async fn attempt(&self, mut claim: Claim) {
        let house = self.house.get();
        claim.to_subscriber =
            claim.person.is_empty() && house.is_of_a_subscriber(&claim.channel, &claim.address);
        let (outcome, repeats) = self.send(&house, &claim).await;
        let outcome = patient(&claim, outcome);
        let settlement = settle(&claim, &outcome, repeats, self.clock.now(), crypto::jitter());
        self.count(&claim, &outcome, &settlement);
        self.settle(claim, settlement).await;
    }

    /// One attempt; with it, what may be done when it was not the last.
    async fn send(&self, house: &House, claim: &Claim) -> (Outcome, Repeats) {
        let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: false };
        let Ok(words) = serde_json::from_str::<Words>(&claim.payload) else {
            return (refused("the letter's words cannot be read"), Repeats::Never);
        };
        // Another node, or this one when it is newer, knows what it is; nobody else is told it meanwhile.
        let Some(parcel) = parcel(claim, words, self.clock.now()) else {
            let why = "it is a statement of another version of onscene, which knows what this is".into();
            return (Outcome::Wait { after: None, why }, Repeats::Never);
        };
        // The channel ends by itself before this; the guard is for a fault in one.
        let guard = SEND_DEADLINE + Duration::from_secs(5);
        let late = Outcome::Unknown { why: "no answer in time".into() };
        if claim.channel.is_empty() {
            let Some(mailer) = &house.mailer else {
                return (refused("no mail relay is configured"), Repeats::Never);
            };
            if claim.address.is_empty() {
                return (refused("this person has no mail address"), Repeats::Never);
            }
            return (tokio::time::timeout(guard, mailer.send(&parcel)).await.unwrap_or(late), Repeats::Known);
        }
        // A letter to a person goes by a way, and never by a channel that has its name meanwhile.
        let known = if claim.person.is_empty() { &house.channels } else { &house.ways };
        let Some(channel) = known.get(&claim.channel) else {
            return (unknown_here(claim), Repeats::Never);
        };
        if claim.kind == Kind::Hush && !channel.sounds_on() {
            return (refused("nothing sounds on by this way"), Repeats::Never);
        }
        let is_room = claim.person.is_empty();
        let mut parcel = parcel;
        if is_room {
            channel.read_ids(&mut parcel);
        }
        if is_room && let Some(why) = self.paused.0.why(&claim.channel, &house.config_hash, parcel.now) {
            return (Outcome::Refused { why, whole_channel: true }, Repeats::Never);
        }
        if let Some(outcome) = may_be_there(claim, Repeats::of(channel, &parcel)) {
            return (outcome, Repeats::Never);
        }
        if claim.only_look && Repeats::of(channel, &parcel) != Repeats::LookedFor {
            let why = "it is not wanted any more, and an attempt before may have written it: look there";
            return (Outcome::Unknown { why: why.into() }, Repeats::Never);
        }
        let outcome = tokio::time::timeout(guard, channel.send(&parcel)).await.unwrap_or(late);
        // What anybody may ask for, such as a letter to subscribe, says nothing of the channel.
        if is_room && claim.kind == Kind::Status {
            self.pauses(&claim.channel, &house.config_hash, &outcome, parcel.now);
        }
        let outcome = channel.told(&parcel, outcome);
        let outcome = if is_room { channel.kept(outcome) } else { outcome };
        // One may have learned while it tried that it cannot look.
        (outcome, Repeats::of(channel, &parcel))
    }

    /// A channel whose login or address is wrong is left alone for a while; one that answers anything else is not.
    fn pauses(&self, channel: &str, config_hash: &str, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Refused { why, whole_channel: true } => {
                self.paused.0.begin(channel, config_hash, why, now)
            }
            Outcome::Accepted { .. }
            | Outcome::Begun { .. }
            | Outcome::Stands { .. }
            | Outcome::Refused { .. } => self.paused.0.end(channel),
            Outcome::Wait { .. } | Outcome::Unknown { .. } => {}
        }
        self.metrics.channel_paused.reset();
        for channel in self.paused.0.all() {
            self.metrics.channel_paused.with_label_values(&[channel.as_str()]).set(1);
        }
    }

    /// Offers the outcome until the store has it, for without it the letter would be sent again. Only the end
    /// of the daemon ends it.
    async fn settle(&self, claim: Claim, settlement: Settlement) {
        let claim = Arc::new(claim);
        let mut told = false;
        let mut faults = 0;
        while faults < SETTLE_FAULTS_MAX {
            // An incident at fault must not keep a hand from the letters of all others.
            let alone = faults >= SETTLE_FAULTS_MAX / 2;
            let command = Command::Settle { claim: claim.clone(), settlement: settlement.clone(), alone };
            match self.door.ask(command).await {
                Ok(_) if alone => {
                    let outcome = "the outcome of a letter stands in the outbox and not in the timeline";
                    tracing::error!(incident.id = claim.incident, "{outcome}");
                    return;
                }
                Ok(_) => return,
                Err(DoorError::Closed) => break,
                Err(DoorError::Fault) => faults += 1,
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, incident.id = claim.incident, "an attempt cannot be written down yet");
                }
                Err(_) => {}
            }
            tokio::time::sleep(SETTLE_WAIT).await;
        }
        tracing::error!(
            incident.id = claim.incident,
            "an attempt was not written down; the letter is sent again"
        );
    }

    fn count(&self, claim: &Claim, outcome: &Outcome, settlement: &Settlement) {
        let way = if claim.channel.is_empty() { "mail" } else { claim.channel.as_str() };
        self.metrics.delivery_attempts.with_label_values(&[way, outcome.as_str()]).inc();
        if claim.kind.wakes() {
            self.metrics.pages_sent.with_label_values(&[way, outcome.as_str()]).inc();
        }
        match (outcome, claim.received_at) {
            (Outcome::Accepted { .. } | Outcome::Begun { .. }, Some(received)) => {
                let seconds = self.clock.now().duration_since(received).as_secs_f64();
                self.metrics.page_latency.observe(seconds.max(0.0));
            }
            (Outcome::Accepted { .. } | Outcome::Begun { .. }, None) => {}
            (Outcome::Stands { why, .. }, _) => {
                tracing::warn!(
                    incident.id = claim.incident,
                    letter.channel = way,
                    why,
                    "what a statement takes back may stand there still"
                );
            }
            (Outcome::Wait { why, .. } | Outcome::Refused { why, .. } | Outcome::Unknown { why }, _) => {
                tracing::warn!(
                    incident.id = claim.incident,
                    letter.kind = claim.kind.as_str(),
                    letter.channel = way,
                    letter.attempt = claim.attempt,
                    outcome = outcome.as_str(),
                    given_up = !matches!(settlement, Settlement::Again { .. }),
                    why,
                    "a letter was not delivered"
                );
            }
        }
    }
}

/// Letters to subscribers wait for a relay that takes nothing for so long.
const SUBSCRIBERS_PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// What may be done with a letter that an attempt may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Nothing: a repeat would be another message, or nobody was asked.
    Never,
    /// The other side, or whoever reads it, knows a repeat for one.
    Known,
    /// Whoever writes looks first whether it is there.
    LookedFor,
}

impl Repeats {
    fn of(channel: &Channel, parcel: &Parcel) -> Self {
        match (channel.recognises_repeats(parcel), channel.looks_first(parcel)) {
            (false, _) => Self::Never,
            (true, false) => Self::Known,
            (true, true) => Self::LookedFor,
        }
    }
}

/// A fault of the relay is none of the many who subscribed: their letters wait until it is mended.
fn patient(claim: &Claim, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { why, whole_channel: true } if claim.to_subscriber => {
            Outcome::Wait { after: Some(pause::LASTS), why }
        }
        outcome => outcome,
    }
}

/// What becomes of a statement whose last attempt was lost with whoever made it, where nobody can look whether it is there: it is not
/// sent again, so that nobody reads it twice.
pub(crate) fn may_be_there(claim: &Claim, repeats: Repeats) -> Option<Outcome> {
    let why = "it was lost while it was sent, and may be there; look, and send it once more if it is not";
    let again = repeats != Repeats::Never;
    (claim.statement.is_some() && claim.unsure && !again).then(|| Outcome::Unknown { why: why.into() })
}

/// What becomes of a letter whose channel or way this node does not know: another may, after it was told of its
/// configuration, and nobody is left asleep for that.
pub(crate) fn unknown_here(claim: &Claim) -> Outcome {
    let what = if claim.person.is_empty() { "channel" } else { "way" };
    let why = format!("no {what} of this name is configured any more");
    match claim.kind.wakes() && claim.attempt < UNKNOWN_TRIES_MAX {
        true => Outcome::Wait { after: Some(UNKNOWN_AGAIN_WAIT), why },
        false => Outcome::Refused { why, whole_channel: false },
    }
}

fn parcel(claim: &Claim, words: Words, now: Timestamp) -> Option<Parcel> {
    Some(Parcel {
        delivery: claim.id.clone(),
        incident: claim.incident,
        thread: if claim.kind == Kind::Status { Thread::Status } else { Thread::Pages },
        to: claim.address.clone(),
        wakes: claim.kind.wakes(),
        now,
        thread_root: claim.thread_root.clone(),
        lost: claim.lost.clone(),
        again: claim.again.clone(),
        attempt: claim.attempt,
        mends_nothing: claim.mends_nothing,
        unwritten: !claim.unsure,
        only_look: claim.only_look,
        ..parcel::of(words, claim.created_at)?
    })
}

/// What an outcome means for a letter. One that may have arrived is sent again where that does no harm. One that wakes somebody is
/// a few times in any case: a second call is harmless, a missing one is not.
/// `jitter` is from 0 to 1.
pub(crate) fn settle(
    claim: &Claim,
    outcome: &Outcome,
    repeats: Repeats,
    now: Timestamp,
    jitter: f64,
) -> Settlement {
    let wakes = claim.kind.wakes();
    let (ladder, attempts_max, patience_max) = if wakes {
        (WAKING_LADDER_S, WAKING_ATTEMPTS_MAX, WAKING_PATIENCE_MAX)
    } else {
        (TELLING_LADDER_S, TELLING_ATTEMPTS_MAX, TELLING_PATIENCE_MAX)
    };
    let rung = usize::try_from(claim.attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(ladder.len() - 1);
    let usual = Duration::from_secs(ladder[rung]);
    let again = repeats != Repeats::Never;
    let spent = match claim.to_subscriber {
        true => now.duration_since(claim.created_at) >= SUBSCRIBERS_PATIENCE,
        false => claim.attempt >= attempts_max,
    };
    let later = |least: Duration, why: &str, unsure: bool| {
        // A fifth more or less, so that a thousand letters do not come back in the same second.
        let least = least.min(patience_max);
        let wait = least.max(usual).mul_f64(0.8 + 0.4 * jitter).max(least);
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1));
        let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        Settlement::Again { at, why: why.to_owned(), unsure }
    };
    let given_up = |why: &str| format!("given up after {} attempts: {why}", claim.attempt);
    match outcome {
        Outcome::Accepted { remote_id } => Settlement::Accepted { remote_id: remote_id.clone() },
        Outcome::Begun { root } => Settlement::Begun { root: root.clone() },
        Outcome::Stands { remote_id, why } => {
            Settlement::Stands { remote_id: remote_id.clone(), why: why.clone() }
        }
        // Where there was no turn it was not looked for either.
        Outcome::Wait { after, why } if spent => {
            not_there(claim, repeats == Repeats::LookedFor && after.is_none(), given_up(why))
        }
        Outcome::Wait { after, why } => later(after.unwrap_or_default(), why, false),
        // The relay's own fault says nothing about this recipient.
        Outcome::Refused { why, whole_channel: true } if wakes && !spent => {
            later(WHOLE_CHANNEL_WAIT, why, false)
        }
        Outcome::Refused { why, .. } => not_there(claim, repeats == Repeats::LookedFor, why.clone()),
        Outcome::Unknown { why } if (again || wakes && claim.attempt <= UNSURE_REPEATS_MAX) && !spent => {
            later(Duration::ZERO, why, true)
        }
        Outcome::Unknown { why } => Settlement::Unknown { why: why.clone() },
    }
}

/// This attempt has written nothing. Where one before may have written the statement, and it was not looked for, nobody knows;
/// whoever is told that it is not there says it again.
fn not_there(claim: &Claim, was_looked_for: bool, why: String) -> Settlement {
    if claim.statement.is_none() || !claim.unsure || was_looked_for {
        return Settlement::Refused { why };
    }
    Settlement::Unknown { why: format!("an attempt before may have written it, and then: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(kind: Kind, attempt: u32) -> Claim {
        Claim::sample(kind, attempt)
    }

    fn wait(outcome: &Outcome, kind: Kind, attempt: u32, again: bool) -> String {
        let again = if again { Repeats::Known } else { Repeats::Never };
        let now = Timestamp::UNIX_EPOCH;
        match settle(&claim(kind, attempt), outcome, again, now, 0.5) {
            Settlement::Again { at, .. } => format!("again in {} s", at.as_second()),
            Settlement::Accepted { .. } | Settlement::Begun { .. } => "accepted".into(),
            Settlement::Stands { .. } => "stands".into(),
            Settlement::Refused { why } => format!("refused: {why}"),
            Settlement::Unknown { .. } => "unknown".into(),
        }
    }

    #[test]
    fn each_outcome_means_something_of_its_own() {
        let waits = Outcome::Wait { after: None, why: "busy".into() };
        let patient = Outcome::Wait { after: Some(Duration::from_secs(600)), why: "busy".into() };
        let for_ever = Outcome::Wait { after: Some(Duration::MAX), why: "busy".into() };
        let refused = Outcome::Refused { why: "no".into(), whole_channel: false };
        let broken = Outcome::Refused { why: "login".into(), whole_channel: true };
        let unknown = Outcome::Unknown { why: "lost".into() };
        let stands = Outcome::Stands { remote_id: None, why: "remove it".into() };
        assert_eq!(wait(&stands, Kind::Status, 1, true), "stands");
        assert_eq!(wait(&waits, Kind::Page, 1, true), "again in 5 s");
        assert_eq!(wait(&waits, Kind::Page, 29, true), "again in 60 s");
        assert_eq!(wait(&waits, Kind::Page, 30, true), "refused: given up after 30 attempts: busy");
        assert_eq!(wait(&waits, Kind::Status, 5, true), "again in 900 s");
        assert_eq!(wait(&patient, Kind::Page, 1, true), "again in 300 s");
        assert_eq!(wait(&patient, Kind::Status, 1, true), "again in 600 s");
        assert_eq!(wait(&for_ever, Kind::Status, 1, true), "again in 3600 s");
        assert_eq!(wait(&refused, Kind::Page, 1, true), "refused: no");
        assert_eq!(wait(&broken, Kind::Page, 1, true), "again in 30 s");
        assert_eq!(wait(&broken, Kind::Status, 1, true), "refused: login");
        assert_eq!(wait(&unknown, Kind::Page, 1, true), "again in 5 s");
        assert_eq!(wait(&unknown, Kind::Page, 1, false), "again in 5 s");
        assert_eq!(wait(&unknown, Kind::Page, 3, false), "again in 30 s");
        assert_eq!(wait(&unknown, Kind::Page, 4, false), "unknown", "three calls more, and not thirty");
        assert_eq!(wait(&unknown, Kind::Page, 29, true), "again in 60 s");
        assert_eq!(wait(&unknown, Kind::Page, 30, true), "unknown");
        assert_eq!(wait(&unknown, Kind::Notice, 1, false), "unknown");
        assert_eq!(wait(&unknown, Kind::Status, 1, false), "unknown");
        assert_eq!(wait(&unknown, Kind::Status, 12, true), "unknown");
    }

    #[test]
    fn what_no_node_knows_a_way_for_is_given_up_the_second_time_and_what_wakes_nobody_at_once() {
        let tried = |kind, attempt| wait(&unknown_here(&claim(kind, attempt)), kind, attempt, false);
        assert_eq!(tried(Kind::Page, 1), "again in 60 s");
        assert_eq!(tried(Kind::Page, 2), "refused: no way of this name is configured any more");
        assert_eq!(tried(Kind::Status, 1), "refused: no channel of this name is configured any more");
    }

    #[test]
    fn who_subscribed_waits_a_day_for_a_relay_and_no_longer() {
        let claim = |attempt| {
            let mut claim = claim(Kind::Status, attempt);
            claim.to_subscriber = true;
            claim
        };
        let waits = Outcome::Wait { after: None, why: "no relay answered".into() };
        let hour = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        assert!(matches!(
            settle(&claim(40), &waits, Repeats::Never, hour(23), 0.5),
            Settlement::Again { .. }
        ));
        assert!(matches!(
            settle(&claim(90), &waits, Repeats::Never, hour(24), 0.5),
            Settlement::Refused { .. }
        ));
    }

    #[test]
    fn what_an_attempt_may_have_written_is_not_said_to_be_missing() {
        let unsure = |unsure| {
            let mut claim = claim(Kind::Status, 12);
            (claim.statement, claim.unsure) = (Some(1), unsure);
            claim
        };
        let refused = Outcome::Refused { why: "401".into(), whole_channel: true };
        let waits = |after| Outcome::Wait { after, why: "429".into() };
        let now = Timestamp::UNIX_EPOCH;
        let ends = |unsure_before, outcome: &Outcome, repeats| match settle(
            &unsure(unsure_before),
            outcome,
            repeats,
            now,
            0.5,
        ) {
            Settlement::Refused { .. } => "refused",
            Settlement::Unknown { .. } => "unknown",
            other => panic!("{other:?}"),
        };
        assert_eq!(ends(false, &refused, Repeats::Known), "refused");
        for outcome in [&refused, &waits(None)] {
            assert_eq!(ends(true, outcome, Repeats::Known), "unknown");
            assert_eq!(ends(true, outcome, Repeats::LookedFor), "refused", "it was looked for");
        }
        let no_turn = waits(Some(Duration::from_secs(30)));
        assert_eq!(ends(true, &no_turn, Repeats::LookedFor), "unknown", "it was not even looked for");
    }

    #[test]
    fn a_thousand_letters_do_not_come_back_in_the_same_second() {
        let waits = Outcome::Wait { after: None, why: "busy".into() };
        let at = |jitter| match settle(
            &claim(Kind::Page, 4),
            &waits,
            Repeats::Known,
            Timestamp::UNIX_EPOCH,
            jitter,
        ) {
            Settlement::Again { at, .. } => at.as_second(),
            _ => 0,
        };
        assert_eq!((at(0.0), at(0.999)), (48, 71));
    }
}
