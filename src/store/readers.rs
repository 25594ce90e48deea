//! Connections that only read, apart from the one that writes, used from blocking threads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::{Connection, Place, StoreError, Tx};
use crate::clock::Clock;

/// Most reads at the same time. WAL lets them go on beside the writer.
const READERS_MAX: usize = 4;
/// How long one waits for another to end.
const PERMIT_WAIT: Duration = Duration::from_secs(5);
/// A server that could not be reached is left alone for so long.
const FAILED_REST: Duration = Duration::from_secs(2);

/// A handful of connections that only read. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    place: Place,
    clock: Clock,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    /// When a server could not be reached last.
    failed: Arc<Mutex<Option<Instant>>>,
}

impl Readers {
    /// Readers of one store; connections are opened when they are needed.
    pub fn new(place: Place, clock: Clock) -> Self {
        let permits = Arc::new(Semaphore::new(READERS_MAX));
        Self { place, clock, idle: Arc::default(), permits, failed: Arc::default() }
    }

    /// Runs `work` on one unchanging view of the store, off the async threads.
    ///
    /// # Errors
    /// What `work` or the engine says.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::Decode("a read was broken off");
        // Who waits for a server that is away would keep everybody else waiting, too.
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|at| self.clock.mark().duration_since(at) < FAILED_REST) {
            return Err(StoreError::Away("it could not be reached a moment ago"));
        }
        let permit = tokio::time::timeout(PERMIT_WAIT, self.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::Away("too many wait to read"))?;
        let permit = permit.map_err(|_| StoreError::Decode("no readers"))?;
        let Self { place, clock, idle, failed, .. } = self.clone();
        let now = clock.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let read = move || {
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => Connection::reader(&place, &clock)?,
                };
                let answer = connection.read(clock.now(), work)?;
                Ok((answer, connection))
            };
            let read = read();
            let away = read.as_ref().is_err_and(|error: &StoreError| error.is_away());
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = away.then(|| now.mark());
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            if away {
                // The others lead to the same server.
                idle.clear();
            }
            // A connection that failed is not kept: the file may have been put in its place anew.
            let (answer, connection) = read?;
            idle.push(connection);
            Ok(answer)
        })
        .await
        .map_err(gone)?
    }
}
