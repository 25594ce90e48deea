//! One connection, from its handshake to its close.
//!
//! Reads: the socket, the stop signal. Writes: answers. Its deadlines, one at a time:
//! the handshake's; then the header's until a request begins; none of its own while a request runs (the body has
//! one, [`super::body::read`], and so has an unread answer, `stream`); then the idle one until bytes come.
//!
//! hyper's own header deadline is off: it counts from the end of the last answer, which would cut every kept
//! connection after the few seconds a header may take, and it does not watch the first bytes at all, which are
//! read to tell HTTP/1 from HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::accept::{Meters, Peer};
use super::limits::{BUFFER_BYTES_MIN, Limits};
use super::stream::{Activity, Running, Stream};
use super::tls::Tls;

/// Seconds between pings on a quiet HTTP/2 connection, and for their answer: finds peers that vanished mid-request.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams a client may open and reset before they are accepted ("rapid reset"); then the connection is closed.
const RESETS_MAX: usize = 20;
/// Added to the lingering close before a connection that was asked to end is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) limits: Limits,
    pub(super) meters: Meters,
    /// No new requests: finish what runs.
    pub(super) stop: CancellationToken,
    pub(super) builder: auto::Builder<Spawner>,
}

/// Starts HTTP/2's streams where all tasks are counted, and ends them with the connections.
#[derive(Clone)]
pub(super) struct Spawner {
    pub(super) tracker: TaskTracker,
    pub(super) abort: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.tracker.spawn(self.abort.clone().run_until_cancelled_owned(task));
    }
}

/// hyper, told our limits.
pub(super) fn builder(limits: &Limits, spawner: Spawner) -> auto::Builder<Spawner> {
    let mut builder = auto::Builder::new(spawner);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Small tools say all and close their side (`nc -N`): they are answered all the same.
        .half_close(true)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.header_bytes_max.max(BUFFER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Serves a socket that was accepted, until it is closed.
pub(super) async fn serve<S>(socket: S, address: Option<SocketAddr>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = &shared.tls else {
        return drive(socket, Peer { address, tls: false }, shared).await;
    };
    let handshake = timeout(shared.limits.tls_timeout, tls.acceptor().accept(socket));
    let why = match shared.stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(socket))) => return drive(socket, Peer { address, tls: true }, shared).await,
        Some(Ok(Err(error))) => error.to_string(),
        Some(Err(_)) => "it took too long".to_owned(),
        None => return,
    };
    shared.meters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    // Scanners and plain HTTP on the TLS port: not worth a line at the usual level.
    tracing::debug!(http.handshake = %why, "a TLS handshake failed");
}

async fn drive<S>(socket: S, peer: Peer, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let activity = Activity::new();
    let stream = TokioIo::new(Stream::new(socket, activity.clone(), limits));
    let service = Service { router: shared.router.clone(), activity: activity.clone(), peer };
    let mut connection = pin!(shared.builder.serve_connection(stream, service));
    let mut still = Still::new(&activity, limits);
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(http.error = %error, "a connection broke off");
                }
                return;
            }
            () = shared.stop.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
                still.again(limits.linger + GRACE);
            }
            () = still.for_too_long(ending) => {
                if activity.is_running() {
                    // Set anew when the request ends; until then this only wakes up now and then.
                    still.again(if ending { limits.linger + GRACE } else { limits.idle_timeout });
                } else if ending {
                    return;
                } else {
                    shared.meters.timed_out.fetch_add(1, Ordering::Relaxed);
                    if activity.is_in_header() {
                        return;
                    }
                    // Closes HTTP/1 at once and tells HTTP/2 to go away, so that a request which meets this on
                    // its way is either served or known to be unserved.
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                    still.again(limits.linger + GRACE);
                }
            }
        }
    }
}

/// How long a connection has stood as it stands. A busy one changes twice a request: that moves an hour, and neither the
/// timer, which is armed for what comes first, nor the connection, which is not asked again.
struct Still<'a> {
    activity: &'a Activity,
    limits: &'a Limits,
    timer: Pin<Box<Sleep>>,
    until: Instant,
}

impl<'a> Still<'a> {
    fn new(activity: &'a Activity, limits: &'a Limits) -> Self {
        let timer = Box::pin(sleep(activity.patience(limits)));
        let until = timer.deadline();
        Self { activity, limits, timer, until }
    }

    /// Waits this long from now on.
    fn again(&mut self, patience: Duration) {
        self.timer.set(sleep(patience));
        self.until = self.timer.deadline();
    }

    /// Ends when nothing has changed for too long. `ending`: whatever changes.
    async fn for_too_long(&mut self, ending: bool) {
        loop {
            tokio::select! {
                biased;
                () = self.activity.changed.notified(), if !ending => {
                    // A sleep that nobody waits for knows the hour all the same.
                    self.until = sleep(self.activity.patience(self.limits)).deadline();
                    if self.until < self.timer.deadline() {
                        self.timer.as_mut().reset(self.until);
                    }
                }
                () = self.timer.as_mut() => {
                    if self.until <= self.timer.deadline() {
                        return;
                    }
                    self.timer.as_mut().reset(self.until);
                }
            }
        }
    }
}

/// The router, for one connection.
struct Service {
    router: Router,
    activity: Arc<Activity>,
    peer: Peer,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let running = self.activity.begin(request.version());
        request.extensions_mut().insert(self.peer);
        let router = self.router.clone();
        Box::pin(async move {
            let response = router.oneshot(request).await?;
            Ok(response.map(|body| Answer { body, _running: running }))
        })
    }
}

/// An answer's body; the request runs until it is handed over.
struct Answer {
    body: Body,
    _running: Running,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
