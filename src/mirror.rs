//! Copies what people look at from a shared store into the mirror, every few seconds.
//!
//! Reads: the store, by a connection of its own, so that neither pages nor workers wait for it. Writes: the mirror.
//! Woken by whoever waits for the store for long. It is also who finds out that a store that was away can be read
//! again. That the mirror cannot be written is no reason to stop: it is said once, and its age is a metric.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::mirror::Mirror;
use crate::store::readers::Readers;

/// The store is asked what is new this often: a little longer than readers leave a server alone that is away.
const COPY_EVERY: Duration = Duration::from_millis(2500);

/// Copies the store into the mirror.
pub struct Copier {
    readers: Readers,
    mirror: Arc<Mirror>,
    /// It was said that the mirror cannot be written.
    told: bool,
}

impl Copier {
    /// `readers` are of the store, and nobody else's.
    pub fn new(readers: Readers, mirror: Arc<Mirror>) -> Self {
        Self { readers, mirror, told: false }
    }

    /// Steps until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                // A store that is silent must not hold up the end.
                () = stop.cancelled() => return,
                () = self.step() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.mirror.doubted() => {}
                () = tokio::time::sleep(COPY_EVERY) => {}
            }
        }
    }

    /// Brings the mirror up to what the store holds now.
    pub async fn step(&mut self) {
        let mirror = self.mirror.clone();
        match self.readers.read(move |tx| mirror.take(tx)).await {
            Ok(Ok(())) => {
                if std::mem::take(&mut self.told) {
                    tracing::info!("the last known state is kept again");
                }
            }
            Err(error) if error.is_away() => self.mirror.lost(),
            Ok(Err(error)) | Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    tracing::error!(%error, "the last known state of the store cannot be kept; it grows old");
                }
            }
        }
    }
}
