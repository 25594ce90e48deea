//! Letters to all subscribers, written to some of them at a time.
//!
//! Reads: whether there is such a letter. Writes: nothing by itself; the door writes a bounded number of letters a
//! transaction, and others come between two of them. Woken by the clock alone: statements are minutes apart.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::commit::{Command, Door, Reply, Subscribing};
use crate::store::readers::Readers;
use crate::store::subscribers;

/// Looks so often whether there is one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two transactions, so that nobody waits behind a row of them.
const BREATH: Duration = Duration::from_millis(20);

/// Writes letters to all subscribers.
pub struct Mailing {
    /// What writes.
    pub door: Door,
    /// Where is looked.
    pub readers: Readers,
}

impl Mailing {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let wait = if self.step().await { BREATH } else { LOOK_EVERY };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Writes to some more. `true`: there may be others.
    pub async fn step(&self) -> bool {
        match self.readers.read(subscribers::mailing_waits).await {
            Ok(true) => {}
            // While the store is away nothing can be written, and others tell of it.
            Ok(false) | Err(_) => return false,
        }
        match self.door.ask(Command::Subscribe(Subscribing::Expand)).await {
            Ok(Reply::Looked(more)) => more,
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "letters to subscribers cannot be written; trying again");
                false
            }
        }
    }
}
