//! What people look at: the store, and what was last known of it while it is away.
//!
//! Only what is shown is read here. Workers, and whatever goes on to change something, have [`Readers`] or
//! [`Sight::now`], which never see the mirror.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::mirror::Mirror;
use super::readers::Readers;
use super::{StoreError, Tx};

/// A read that takes longer than this is doubted: the store is asked something small by the side.
const PATIENCE: Duration = Duration::from_secs(2);
/// For that small answer. Without it the store counts as away.
const DOUBT: Duration = Duration::from_secs(1);

/// Something that was read.
#[derive(Debug)]
pub struct Seen<T> {
    /// What.
    pub value: T,
    /// The hour of the last known state, when it is no more than that.
    pub as_of: Option<Timestamp>,
}

/// Reads for people. Cheap to clone.
#[derive(Clone)]
pub struct Sight {
    readers: Readers,
    mirror: Option<Arc<Mirror>>,
}

impl Sight {
    /// Of a store; and of its mirror, where there is one.
    pub fn new(readers: Readers, mirror: Option<Arc<Mirror>>) -> Self {
        Self { readers, mirror }
    }

    /// The mirror, where there is one.
    pub fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_deref()
    }

    /// Reads the store, and nothing else: for what goes on to change something.
    ///
    /// # Errors
    /// As [`Readers::read`].
    pub async fn now<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.mirror {
            None => self.readers.read(work).await,
            Some(mirror) if mirror.is_away() => {
                // It may have come back just now, and somebody wants to change something.
                let read = tokio::time::timeout(DOUBT, self.readers.read(work)).await;
                let read = read.unwrap_or(Err(StoreError::Away("no answer in time")));
                if !read.as_ref().is_err_and(StoreError::is_away) {
                    mirror.found();
                }
                read
            }
            Some(mirror) => self.ask(mirror, work).await,
        }
    }

    /// Reads the store, or what was known last while that is away.
    ///
    /// # Errors
    /// As [`Readers::read`], also when the store is away and nothing is known of it.
    pub async fn or_last<T: Send + 'static>(
        &self,
        work: impl Fn(&Tx<'_>) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Result<Seen<T>, StoreError> {
        let present = |value| Seen { value, as_of: None };
        let Some(mirror) = &self.mirror else { return self.readers.read(work).await.map(present) };
        let work = Arc::new(work);
        let first = work.clone();
        let error = match self.ask(mirror, move |tx| first(tx)).await {
            Err(error) if error.is_away() => error,
            read => return read.map(present),
        };
        match mirror.read(move |tx| work(tx)).await {
            Ok(Some((value, as_of))) => Ok(Seen { value, as_of: Some(as_of) }),
            Ok(None) => Err(error),
            Err(of_the_mirror) => {
                tracing::error!(error = %of_the_mirror, "the last known state cannot be read");
                Err(error)
            }
        }
    }

    /// Asks the store, unless it is known to be away: who only looks leaves it to others to find that it is back.
    async fn ask<T: Send + 'static>(
        &self,
        mirror: &Mirror,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if mirror.is_away() {
            return Err(StoreError::Away("it could not be reached a moment ago"));
        }
        let mut read = std::pin::pin!(self.readers.read(work));
        let read = match tokio::time::timeout(PATIENCE, &mut read).await {
            Ok(read) => read,
            // Much to read is no store away.
            Err(_) if mirror.answers_within(DOUBT).await => read.await,
            Err(_) => Err(StoreError::Away("no answer in time")),
        };
        if read.as_ref().is_err_and(StoreError::is_away) {
            mirror.lost();
        }
        read
    }
}
