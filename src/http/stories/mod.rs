//! The transport told over real sockets, in real time: limits are short, and what is asserted is what happens, not when.

mod bounds;
mod roads;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::accept::{Meters, Peer, serve};
use crate::http::body;
use crate::http::limits::Limits;
use crate::http::listen::{Address, Listener};
use crate::http::tls::Tls;
use crate::http::tls::tests::Papers;

/// For what a test provokes.
const SHORT: Duration = Duration::from_millis(300);
/// For what must come, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);
/// For what must not come in a story.
const LONG: Duration = Duration::from_secs(120);
const HELLO: &str = "GET / HTTP/1.1\r\nHost: onscene\r\n\r\n";

/// Nothing is cut in this unless a story shortens it.
fn patient() -> Limits {
    Limits {
        header_timeout: LONG,
        body_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        tls_timeout: LONG,
        linger: SHORT,
        drain: LONG,
        ..Limits::default()
    }
}

struct Server {
    address: Address,
    /// Lets `/wait` answer.
    go: Arc<Notify>,
    meters: Meters,
    stop: CancellationToken,
    tracker: TaskTracker,
    served: JoinHandle<()>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), None, limits)
    }

    fn start_on(address: Address, tls: Option<Tls>, limits: Limits) -> Self {
        let listener = Listener::bind(&address).unwrap();
        let address = listener.address().unwrap();
        let (go, meters, stop) = (Arc::new(Notify::new()), Meters::default(), CancellationToken::new());
        let tracker = TaskTracker::new();
        let app = router(&limits, go.clone());
        let (theirs, halt, counted) = (tracker.clone(), stop.clone(), meters.clone());
        let served = tracker.spawn(async move {
            serve(listener, tls.map(Arc::new), app, limits, &theirs, halt, counted).await;
        });
        Self { address, go, meters, stop, tracker, served }
    }

    fn tcp(&self) -> SocketAddr {
        match &self.address {
            Address::Tcp(address) => *address,
            Address::Unix(_) => panic!("it listens on a Unix socket"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp()).await.unwrap()
    }

    /// A whole request on a connection of its own.
    async fn ask(&self, request: &str) -> String {
        let mut socket = self.connect().await;
        say(&mut socket, request).await;
        hear_until(&mut socket, "\r\n\r\n").await
    }
}

fn router(limits: &Limits, go: Arc<Notify>) -> Router {
    let (body_max, deadline) = (limits.body_max, limits.body_timeout);
    let echo = async move |body: Body| match body::read(body, body_max, deadline).await {
        Ok(bytes) => bytes.into_response(),
        Err(problem) => problem.into_response(),
    };
    let wait = async move || {
        go.notified().await;
        "waited"
    };
    let peer = async |Extension(peer): Extension<Peer>| format!("{} {}", peer.address.is_some(), peer.tls);
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", post(echo))
        .route("/wait", get(wait))
        .route("/peer", get(peer))
        .route("/panic", get(async || -> Response { panic!("a story's panic") }))
        .route("/flood", get(async || Bytes::from(vec![b'x'; 64 * 1024 * 1024])))
}

async fn say<S: AsyncWrite + Unpin>(socket: &mut S, text: &str) {
    socket.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until `end` was heard, or until the other side closes.
async fn hear_until<S: AsyncRead + Unpin>(socket: &mut S, end: &str) -> String {
    let mut heard = Vec::new();
    let hear = async {
        while !String::from_utf8_lossy(&heard).contains(end) {
            if socket.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                break;
            }
        }
    };
    timeout(SOON, hear).await.expect("neither an answer nor a close");
    String::from_utf8(heard).unwrap()
}

/// Reads until the other side closes; a reset is a close too.
async fn hear_close<S: AsyncRead + Unpin>(socket: &mut S) -> String {
    hear_until(socket, "\0").await
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, wait).await.unwrap_or_else(|_| panic!("it never came: {what}"));
}

fn count(meter: &AtomicU64) -> u64 {
    meter.load(Ordering::Relaxed)
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// HTTP/2 with prior knowledge; the second half is to be polled.
async fn http2<S>(socket: S) -> (Http2, impl Future<Output = ()> + Send)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    (client, async { drop(connection.await) })
}

fn get_request(path: &str) -> http::Request<Full<Bytes>> {
    http::Request::get(format!("http://localhost{path}")).body(Full::default()).unwrap()
}

async fn text(response: http::Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
