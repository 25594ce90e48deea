//! The socket under a connection: tells when bytes come, gives up a peer that no longer reads, and closes so that
//! the last answer arrives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::limits::Limits;

/// Swallowed at once while a connection closes.
const SWALLOW_BYTES: usize = 8 * 1024;

/// What a connection is doing, shared by its socket, its requests and the task that watches its deadlines.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests whose answers are not yet handed over.
    running: AtomicUsize,
    /// A header is on its way. True at first: a client that connects has something to say.
    header: AtomicBool,
    /// On HTTP/2 bytes between requests are pings and windows and mean no header.
    http2: AtomicBool,
    /// Rung when another deadline counts from now on.
    pub(super) changed: Notify,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            running: AtomicUsize::new(0),
            header: AtomicBool::new(true),
            http2: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// A request has begun; it ends when the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> Running {
        self.http2.store(version == http::Version::HTTP_2, Ordering::Relaxed);
        self.header.store(false, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::AcqRel);
        Running(self.clone())
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// Whether a header is on its way, the first one included, of which not a byte may have come.
    pub(super) fn is_in_header(&self) -> bool {
        !self.is_running() && self.header.load(Ordering::Relaxed)
    }

    /// How long the connection may stand as it stands now, counted from the last change.
    pub(super) fn patience(&self, limits: &Limits) -> Duration {
        if self.is_in_header() { limits.header_timeout } else { limits.idle_timeout }
    }

    fn bytes_came(&self) {
        if !self.is_running()
            && !self.http2.load(Ordering::Relaxed)
            && !self.header.swap(true, Ordering::Relaxed)
        {
            self.changed.notify_one();
        }
    }
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_one();
        }
    }
}

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Stream<S> {
    socket: S,
    activity: Arc<Activity>,
    write_timeout: Duration,
    linger: Duration,
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs once the connection closes.
    closing: Option<Pin<Box<Sleep>>>,
    /// Our side is closed.
    closed: bool,
}

impl<S> Stream<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>, limits: &Limits) -> Self {
        Self {
            socket,
            activity,
            write_timeout: limits.write_timeout,
            linger: limits.linger,
            stalled: None,
            closing: None,
            closed: false,
        }
    }

    /// Turns a write that waits too long into an error.
    fn or_stalled<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let write_timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(write_timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads no more")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, into);
        if into.filled().len() > before {
            self.activity.bytes_came();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.or_stalled(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.or_stalled(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.or_stalled(cx, flushed)
    }

    /// Closes our side, then swallows what the client still sends until it closes too. A socket that is closed with
    /// unread bytes in it answers with a reset, and a reset throws away the 413 that the client has not read yet.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let linger = this.linger;
        let closing = this.closing.get_or_insert_with(|| Box::pin(sleep(linger)));
        // First, or a client that never stops sending would keep the deadline from being looked at.
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if !this.closed {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            this.closed = true;
        }
        let mut swallowed = [0; SWALLOW_BYTES];
        loop {
            let mut into = ReadBuf::new(&mut swallowed);
            match ready!(Pin::new(&mut this.socket).poll_read(cx, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    fn limits() -> Limits {
        Limits { linger: Duration::from_secs(1), ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_no_more_is_given_up() {
        let (_peer, socket) = duplex(16);
        let mut stream = Stream::new(socket, Activity::new(), &limits());
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_swallows_what_still_comes_but_not_for_ever() {
        let (mut peer, socket) = duplex(16);
        let mut stream = Stream::new(socket, Activity::new(), &limits());
        let both = async { tokio::join!(stream.shutdown(), peer.write_all(&[0; 4096])) };
        let (closed, sent) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        assert!(closed.is_ok() && sent.is_ok());
        assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0, "our side was closed");
    }

    #[test]
    fn each_phase_of_a_connection_has_its_patience() {
        let (activity, limits) = (Activity::new(), limits());
        assert_eq!(activity.patience(&limits), limits.header_timeout, "before the first request");
        let running = activity.begin(http::Version::HTTP_11);
        activity.bytes_came();
        assert!(activity.is_running());
        drop(running);
        assert_eq!(activity.patience(&limits), limits.idle_timeout, "between requests");
        activity.bytes_came();
        assert_eq!(activity.patience(&limits), limits.header_timeout, "in a header");
        drop(activity.begin(http::Version::HTTP_2));
        activity.bytes_came();
        assert_eq!(activity.patience(&limits), limits.idle_timeout, "a ping is no header");
    }
}
