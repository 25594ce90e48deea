//! Connections that only read, apart from the one that writes, used from blocking threads.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Connection, Place, StoreError, Tx};
use crate::clock::Clock;

/// Most reads at the same time. WAL lets them go on beside the writer.
const READERS_MAX: usize = 4;

/// A handful of connections that only read. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    place: Place,
    clock: Clock,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Readers of one store; connections are opened when they are needed.
    pub fn new(place: Place, clock: Clock) -> Self {
        let permits = Arc::new(Semaphore::new(READERS_MAX));
        Self { place, clock, idle: Arc::default(), permits }
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
        let permit =
            self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Decode("no readers"))?;
        let Self { place, clock, idle, .. } = self.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Connection::reader(&place, &clock)?,
            };
            let answer = connection.read(clock.now(), work)?;
            // A connection that failed is not kept: the file may have been put in its place anew.
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(answer)
        })
        .await
        .map_err(gone)?
    }
}
