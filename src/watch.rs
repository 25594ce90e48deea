//! Looks into the store for everybody who follows a timeline.
//!
//! Reads: of each incident that somebody follows, the number of its newest entry, and the newest few entries: one question
//! for all who follow, not one for each. Writes: nothing but what it saw last, in a place of its own for each incident, where
//! it is replaced and never queued: who is slow finds the newest news there, and reads what lies between from the store. Woken
//! by the thread that commits; where others write into the same store, it also looks by itself, several times a second.
//!
//! Nobody follows: nothing is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::store::sight::Sight;
use crate::store::timeline::{self, Kept};
use crate::store::{StoreError, Tx, incidents};

/// Most who follow timelines at one node.
pub const FOLLOWERS_MAX: usize = 256;
/// Most new entries that are handed to all who follow; who is further behind reads them by themselves.
const FRESH_MAX: u32 = 100;
/// The same, for the bytes of their words.
const FRESH_BYTES_MAX: usize = 64 * 1024;
/// A shared store is looked at this often.
pub const LOOK_EVERY_SHARED: Duration = Duration::from_millis(500);
/// One of this machine's own, into which only commands write beside the daemon.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One that could not be read.
const LOOK_EVERY_AWAY: Duration = Duration::from_secs(1);
/// Between two looks at least: what commits many times a second costs a few looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen last of an incident that somebody follows.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The number of its newest entry; 0 before the first look.
    pub seq: u32,
    /// The entries that were new then, oldest first, where they are few.
    pub fresh: Arc<[Kept]>,
    /// There is no such incident any more.
    pub gone: bool,
    /// The store could not be read.
    pub away: bool,
}

/// Where those who follow meet who looks. Cheap to clone.
#[derive(Clone)]
pub struct Watch(Arc<Place>);

struct Place {
    sight: Sight,
    /// A place for the news of each incident that somebody follows.
    news: Mutex<BTreeMap<i64, watch::Sender<News>>>,
    room: Arc<Semaphore>,
    /// Somebody has come.
    come: Notify,
    stop: CancellationToken,
}

impl Watch {
    /// Of a store, by readers of its own: who follows keeps nobody waiting who looks once. `stop` ends all following.
    pub fn new(sight: Sight, stop: CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(FOLLOWERS_MAX));
        Self(Arc::new(Place { sight, news: Mutex::default(), room, come: Notify::new(), stop }))
    }

    /// Begins to follow an incident; `None` where there are as many who follow as there may be.
    pub fn follow(&self, incident: i64) -> Option<Follower> {
        let room = self.0.room.clone().try_acquire_owned().ok()?;
        let news = self.places().entry(incident).or_default().subscribe();
        self.0.come.notify_one();
        Some(Follower { watch: self.clone(), incident, news, _room: room })
    }

    /// How many follow now.
    pub fn followers(&self) -> usize {
        FOLLOWERS_MAX.saturating_sub(self.0.room.available_permits())
    }

    /// Where those who follow read what they have not seen.
    pub fn sight(&self) -> &Sight {
        &self.0.sight
    }

    /// Whether nobody is to follow any more.
    pub fn is_stopped(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Waits until nobody is to follow any more.
    pub async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<i64, watch::Sender<News>>> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who follows an incident.
pub struct Follower {
    watch: Watch,
    incident: i64,
    news: watch::Receiver<News>,
    _room: OwnedSemaphorePermit,
}

impl Follower {
    /// What was seen last.
    pub fn news(&mut self) -> News {
        self.news.borrow_and_update().clone()
    }

    /// Waits for other news than those of the last time.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            // The place stays as long as somebody follows: there is nothing to wait for but the end.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Of two who end at once, each may still see the other: the next look removes what they leave behind.
        let mut places = self.watch.places();
        if places.get(&self.incident).is_some_and(|place| place.receiver_count() <= 1) {
            places.remove(&self.incident);
        }
    }
}

/// Who looks.
pub struct Looker {
    /// For whom.
    pub watch: Watch,
    /// Rung when entries were committed here.
    pub wake: Arc<Notify>,
    /// Looks also without that, so often.
    pub every: Duration,
}

/// What a look found of one incident: its newest number, and what is new.
type Found = Option<(u32, Vec<Kept>)>;

impl Looker {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let work = async {
                if self.watch.places().is_empty() {
                    self.watch.0.come.notified().await;
                }
                let every = if self.step().await { self.every } else { LOOK_EVERY_AWAY };
                tokio::time::sleep(PAUSE).await;
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = self.watch.0.come.notified() => {}
                    () = tokio::time::sleep(every) => {}
                }
            };
            tokio::select! {
                // A store that is silent must not hold up the end.
                () = stop.cancelled() => return,
                () = work => {}
            }
        }
    }

    /// Looks once; `false` when the store could not be read.
    pub async fn step(&self) -> bool {
        let known: Vec<(i64, u32)> = {
            let mut places = self.watch.places();
            places.retain(|_, place| place.receiver_count() > 0);
            places.iter().map(|(id, place)| (*id, place.borrow().seq)).collect()
        };
        if known.is_empty() {
            return true;
        }
        let asked = known.clone();
        match self.watch.sight().now(move |tx| look(tx, &asked)).await {
            Ok(found) => {
                for ((id, known), found) in known.into_iter().zip(found) {
                    self.tell(id, |news| tell_of(news, known, found));
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "timelines cannot be followed at this moment");
                for (id, _) in known {
                    self.tell(id, |news| !std::mem::replace(&mut news.away, true));
                }
                false
            }
        }
    }

    fn tell(&self, id: i64, change: impl FnOnce(&mut News) -> bool) {
        if let Some(place) = self.watch.places().get(&id) {
            place.send_if_modified(change);
        }
    }
}

/// Changes what is known to what was found; whether that is news.
fn tell_of(news: &mut News, known: u32, found: Found) -> bool {
    let was_away = std::mem::take(&mut news.away);
    let Some((seq, fresh)) = found else { return !std::mem::replace(&mut news.gone, true) };
    if seq == known {
        return was_away;
    }
    (news.seq, news.fresh) = (seq, fresh.into());
    true
}

fn bytes(entries: &[Kept]) -> usize {
    entries.iter().map(|kept| kept.data.len() + kept.text.len()).sum()
}

/// What there is of each incident after an entry that is known.
fn look(tx: &Tx<'_>, known: &[(i64, u32)]) -> Result<Vec<Found>, StoreError> {
    let ids: Vec<i64> = known.iter().map(|(id, _)| *id).collect();
    let newest = incidents::newest_entries(tx, &ids)?;
    let found = known.iter().zip(newest).map(|((id, known), seq)| {
        let Some(seq) = seq else { return Ok(None) };
        // At the first look each knows best where it begins.
        let few = *known > 0 && seq > *known && seq - known <= FRESH_MAX;
        let fresh = if few { timeline::list(tx, *id, *known, FRESH_MAX) } else { Ok(Vec::new()) };
        match fresh {
            // One that this version does not understand is the trouble of those who follow that incident.
            Err(error) if !error.is_of_the_store() => Ok(Some((seq, Vec::new()))),
            Ok(fresh) if bytes(&fresh) > FRESH_BYTES_MAX => Ok(Some((seq, Vec::new()))),
            fresh => fresh.map(|fresh| Some((seq, fresh))),
        }
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Place as Store;
    use crate::store::readers::Readers;

    #[tokio::test]
    async fn who_ends_while_another_does_leaves_no_place_that_is_looked_at_for_ever() {
        // Whoever asks this store is told that it is not there.
        let directory = tempfile::tempdir().unwrap();
        let store = Store::Sqlite(directory.path().join("none/onscene.db"));
        let watch =
            Watch::new(Sight::new(Readers::new(store, Clock::system()), None), CancellationToken::new());
        let looker = Looker { watch: watch.clone(), wake: Arc::new(Notify::new()), every: LOOK_EVERY };
        let follower = watch.follow(1).unwrap();
        assert!(!looker.step().await, "somebody follows: it is asked");
        // The other of the two has given the lock back, and has still its end of the news.
        let other = watch.places()[&1].subscribe();
        drop(follower);
        drop(other);
        assert_eq!(watch.places().len(), 1);
        assert!(looker.step().await, "nobody follows: nothing is asked");
        assert!(watch.places().is_empty() && watch.followers() == 0);
    }
}
