//! Takes a slot, then a connection, until told to stop.
//!
//! Reads: the listener, the stop signal. Writes: nothing but the meters. Woken by: the kernel.
//!
//! The slot is taken BEFORE the connection, so that the ones over the limit wait in the kernel's queue and cost us
//! nothing. Nobody waits there for ever: each slot's holder has a deadline at every moment (see `connection`), so
//! even when every slot is held by a client that says nothing, slots come free within the header's deadline or the
//! idle one, and the queue moves on. What it does not do is tell one client from another: who needs a limit per
//! address puts a proxy in front.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;

use super::connection::{self, Shared, Spawner};
use super::limits::Limits;
use super::listen::Listener;
use super::problem::Problem;
use super::tls::Tls;

/// The first wait after an accept that failed; doubled up to the last one.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(2);
/// For connections to vanish once they were cut off.
const ABORT: Duration = Duration::from_secs(1);

const _: () = assert!(BACKOFF_FIRST.as_millis() < BACKOFF_LAST.as_millis());

/// Who is at the other end; every request carries it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none on a Unix socket. Behind a proxy, the proxy's.
    pub address: Option<SocketAddr>,
    /// Whether the connection is ours to encrypt.
    pub tls: bool,
}

/// What the transport counts. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    /// Connections now (a gauge).
    pub open: Arc<AtomicU64>,
    /// Connections taken.
    pub accepted: Arc<AtomicU64>,
    /// Accepts that failed, as when the system is out of descriptors.
    pub accepts_failed: Arc<AtomicU64>,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Arc<AtomicU64>,
    /// Connections closed because nothing came in time: idle ones, and headers that never ended.
    pub timed_out: Arc<AtomicU64>,
    /// Requests whose handler panicked.
    pub panics: Arc<AtomicU64>,
}

/// Serves `router` on `listener` until `stop`, then waits for running requests, at most `limits.drain`, and returns
/// when no connection is left. All tasks are started on `tracker`.
pub async fn serve(
    listener: Listener,
    tls: Option<Arc<Tls>>,
    router: Router,
    limits: Limits,
    tracker: &TaskTracker,
    stop: CancellationToken,
    meters: Meters,
) {
    let slots_max = u32::try_from(limits.connections_max).unwrap_or(u32::MAX).max(1);
    let slots = Arc::new(Semaphore::new(slots_max as usize));
    let abort = CancellationToken::new();
    let spawner = Spawner { tracker: tracker.clone(), abort: abort.clone() };
    let panics = meters.panics.clone();
    let drain = limits.drain;
    let shared = Arc::new(Shared {
        router: router.layer(CatchPanicLayer::custom(move |panic| answer_panic(&panics, panic))),
        builder: connection::builder(&limits, spawner),
        tls,
        limits,
        meters,
        stop: stop.clone(),
    });

    // Cancelled at any of its waits, it holds at most a slot and a connection nobody has spoken on yet.
    stop.run_until_cancelled(accept(&listener, &slots, &shared, tracker, &abort)).await;

    // From here on new clients are refused, and a load balancer knows.
    drop(listener);
    if timeout(drain, slots.acquire_many(slots_max)).await.is_err() {
        let left = slots_max as usize - slots.available_permits();
        tracing::warn!(http.connections = left, "requests still ran at the end of the drain and are cut off");
    }
    abort.cancel();
    let _ = timeout(ABORT, slots.acquire_many(slots_max)).await;
}

/// Accepts for ever.
async fn accept(
    listener: &Listener,
    slots: &Arc<Semaphore>,
    shared: &Arc<Shared>,
    tracker: &TaskTracker,
    abort: &CancellationToken,
) {
    let mut trouble = Trouble::default();
    loop {
        // The semaphore is never closed; were it, nothing could be served any more.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let accepted = match listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(it, from)| Accepted::Tcp(it, from)),
            Listener::Unix(listener) => listener.accept().await.map(|(it, _)| Accepted::Unix(it)),
        };
        match accepted {
            Ok(accepted) => {
                trouble.over();
                let occupied = Occupied::new(slot, &shared.meters);
                let (shared, abort) = (shared.clone(), abort.clone());
                tracker.spawn(async move {
                    // Moved in, so that the slot comes free however this ends: also by a panic.
                    let _occupied = occupied;
                    abort.run_until_cancelled(accepted.serve(&shared)).await;
                });
            }
            Err(error) => {
                shared.meters.accepts_failed.fetch_add(1, Ordering::Relaxed);
                if let Some(wait) = trouble.another(&error) {
                    sleep(wait).await;
                }
            }
        }
    }
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    async fn serve(self, shared: &Shared) {
        match self {
            Self::Tcp(socket, from) => {
                // Answers are small and written whole: waiting for more bytes would only delay them.
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(http.error = %error, "TCP_NODELAY was refused");
                }
                connection::serve(socket, Some(from), shared).await;
            }
            Self::Unix(socket) => connection::serve(socket, None, shared).await,
        }
    }
}

/// A slot in use.
struct Occupied {
    open: Arc<AtomicU64>,
    _slot: OwnedSemaphorePermit,
}

impl Occupied {
    fn new(slot: OwnedSemaphorePermit, meters: &Meters) -> Self {
        meters.accepted.fetch_add(1, Ordering::Relaxed);
        meters.open.fetch_add(1, Ordering::Relaxed);
        Self { open: meters.open.clone(), _slot: slot }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A burst of accepts that failed: logged once, and waited out with growing patience.
#[derive(Debug, Default)]
struct Trouble {
    waited: Option<Duration>,
}

impl Trouble {
    /// How long to wait; not at all when it was the client that went away.
    fn another(&mut self, error: &io::Error) -> Option<Duration> {
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
        ) {
            return None;
        }
        let wait = match self.waited {
            Some(waited) => (waited * 2).min(BACKOFF_LAST),
            None => {
                tracing::error!(http.error = %error, "no connection can be accepted: is LimitNOFILE too low?");
                BACKOFF_FIRST
            }
        };
        self.waited = Some(wait);
        Some(wait)
    }

    fn over(&mut self) {
        if self.waited.take().is_some() {
            tracing::info!("connections are accepted again");
        }
    }
}

/// A handler that panics fails its own request and no other.
fn answer_panic(panics: &AtomicU64, panic: Box<dyn Any + Send>) -> Response {
    panics.fetch_add(1, Ordering::Relaxed);
    // The message may quote a body: the panic hook has told where it was, which is enough to find it.
    drop(panic);
    tracing::error!("a request's handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_failed_accepts_is_waited_out_with_growing_patience() {
        let mut trouble = Trouble::default();
        let full = io::Error::other("too many open files");
        let waits: Vec<_> =
            (0..7).filter_map(|_| trouble.another(&full)).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        trouble.over();
        assert_eq!(trouble.another(&full), Some(BACKOFF_FIRST), "a new burst begins anew");
    }

    #[test]
    fn a_client_that_went_away_delays_nobody() {
        assert_eq!(Trouble::default().another(&ErrorKind::ConnectionAborted.into()), None);
    }
}
