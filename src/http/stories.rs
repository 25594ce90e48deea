//! The transport told over real sockets, in real time: limits are short, and what is asserted is what happens, not when.

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

use super::accept::{Meters, Peer, serve};
use super::body;
use super::limits::Limits;
use super::listen::{Address, Listener};
use super::tls::Tls;
use super::tls::tests::Papers;

/// For what a test provokes.
const SHORT: Duration = Duration::from_millis(300);
/// For what must not happen in a test, and for waits that should end long before.
const LONG: Duration = Duration::from_secs(20);
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
    timeout(LONG, hear).await.expect("neither an answer nor a close");
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
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("it never came: {what}"));
}

fn count(meter: &AtomicU64) -> u64 {
    meter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_kept_connection_is_served_twice() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    for _ in 0..2 {
        say(&mut socket, HELLO).await;
        assert!(hear_until(&mut socket, "hello").await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(count(&server.meters.accepted), 1);
    assert!(server.ask("GET /none HTTP/1.1\r\nHost: o\r\n\r\n").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_client_that_never_speaks_is_cut() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut silent = server.connect().await;
    assert_eq!(hear_close(&mut silent).await, "");
    // The first bytes of HTTP/2's greeting, which are held back to tell the versions apart.
    let mut half_a_greeting = server.connect().await;
    say(&mut half_a_greeting, "PRI * HT").await;
    assert_eq!(hear_close(&mut half_a_greeting).await, "");
    until("slots are free", || count(&server.meters.open) == 0).await;
    assert_eq!(count(&server.meters.timed_out), 2);
}

#[tokio::test]
async fn a_header_that_drips_is_cut() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let (mut from, mut to) = server.connect().await.into_split();
    let drip = async {
        to.write_all(b"GET / HTTP/1.1\r\n").await?;
        for n in 0..1_000_000 {
            to.write_all(format!("x-{n}: y\r\n").as_bytes()).await?;
            sleep(Duration::from_millis(50)).await;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        heard = hear_close(&mut from) => assert!(!heard.contains("200"), "{heard}"),
        _ = async { let _ = drip.await; std::future::pending::<()>().await } => {}
    }
    until("it was counted", || count(&server.meters.timed_out) == 1).await;
}

#[tokio::test]
async fn a_second_header_that_drips_is_cut_by_the_header_deadline_and_not_the_idle_one() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    // Longer than a header may take: between requests the idle deadline counts.
    sleep(SHORT * 2).await;
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    sleep(SHORT).await;
    say(&mut socket, "GET / HT").await;
    assert_eq!(hear_close(&mut socket).await, "");
}

#[tokio::test]
async fn an_idle_kept_connection_is_closed() {
    let server = Server::start(Limits { idle_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, HELLO).await;
    assert!(hear_close(&mut socket).await.ends_with("hello"));
    until("its slot is free", || count(&server.meters.open) == 0).await;
}

#[tokio::test]
async fn a_request_that_runs_long_is_not_idle() {
    let server = Server::start(Limits { idle_timeout: SHORT, header_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    sleep(SHORT * 3).await;
    server.go.notify_one();
    assert!(hear_close(&mut socket).await.ends_with("waited"));
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let server = Server::start(Limits { body_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: 100\r\n\r\nsome of it").await;
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("urn:onscene:problem:timeout"), "{heard}");
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read_and_the_neighbour_is_served() {
    const LARGE: usize = 2 * 1024 * 1024;
    let server = Server::start(patient());
    let head = format!("POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: {LARGE}\r\n");

    // Asked for the go-ahead, the server answers 413 in its place.
    let heard = server.ask(&format!("{head}Expect: 100-continue\r\n\r\n")).await;
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");

    // A client that sends it all before it reads still finds the answer, and no reset in its place.
    let mut neighbour = server.connect().await;
    let mut socket = server.connect().await;
    say(&mut socket, &format!("{head}\r\n")).await;
    socket.write_all(&vec![b'x'; LARGE]).await.unwrap();
    say(&mut neighbour, HELLO).await;
    assert!(hear_until(&mut neighbour, "hello").await.contains("200"));
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 413") && heard.contains("too-large"), "{heard}");

    // Without a declared size it is counted.
    let mut socket = server.connect().await;
    say(&mut socket, "POST /echo HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n").await;
    let _ = socket.write_all(&vec![b'x'; LARGE]).await;
    let heard = hear_close(&mut socket).await;
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");
}

#[tokio::test]
async fn a_body_within_the_limit_comes_back_with_a_go_ahead() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    say(&mut socket, head).await;
    assert!(hear_until(&mut socket, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    say(&mut socket, "alert").await;
    assert!(hear_until(&mut socket, "alert").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn header_bombs_are_refused() {
    let server = Server::start(patient());
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(64 * 1024));
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(64 * 1024));
    for bomb in [
        format!("GET / HTTP/1.1\r\nHost: o\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: o\r\n{large}\r\n"),
        long_path,
    ] {
        let mut socket = server.connect().await;
        say(&mut socket, &bomb).await;
        let heard = hear_close(&mut socket).await;
        assert!(heard.starts_with("HTTP/1.1 431") || heard.starts_with("HTTP/1.1 414"), "{heard}");
    }
    assert!(server.ask(HELLO).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_panic_in_a_handler_answers_500_and_the_connection_goes_on() {
    let server = Server::start(patient());
    let mut socket = server.connect().await;
    say(&mut socket, "GET /panic HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let heard = hear_until(&mut socket, "}").await;
    assert!(heard.starts_with("HTTP/1.1 500") && heard.contains("urn:onscene:problem:internal"), "{heard}");
    assert!(!heard.contains("a story's panic"));
    say(&mut socket, HELLO).await;
    hear_until(&mut socket, "hello").await;
    assert_eq!(count(&server.meters.panics), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = Server::start(Limits { write_timeout: SHORT, ..patient() });
    let mut socket = server.connect().await;
    say(&mut socket, "GET /flood HTTP/1.1\r\nHost: o\r\n\r\n").await;
    until("it was taken", || count(&server.meters.open) == 1).await;
    until("its slot is free", || count(&server.meters.open) == 0).await;
}

#[tokio::test]
async fn beyond_the_cap_a_client_waits_until_another_leaves() {
    let server = Server::start(Limits { connections_max: 2, ..patient() });
    let one = server.connect().await;
    let _two = server.connect().await;
    let mut third = server.connect().await;
    say(&mut third, HELLO).await;
    until("both slots are taken", || count(&server.meters.open) == 2).await;
    assert!(timeout(SHORT, third.read_u8()).await.is_err(), "the third was served beside two others");
    drop(one);
    assert!(hear_until(&mut third, "ello").await.contains("TTP/1.1 200"));
}

#[tokio::test]
async fn clients_that_hold_every_slot_in_silence_lose_them() {
    let server = Server::start(Limits { connections_max: 2, header_timeout: SHORT, ..patient() });
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(server.connect().await);
    }
    assert!(server.ask(HELLO).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish_and_refuses_new_ones() {
    let server = Server::start(patient());
    let mut running = server.connect().await;
    say(&mut running, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut idle = server.connect().await;
    say(&mut idle, HELLO).await;
    hear_until(&mut idle, "hello").await;
    let mut half = server.connect().await;
    say(&mut half, "GET / HT").await;
    until("all were taken", || count(&server.meters.accepted) == 3).await;
    sleep(SHORT).await;

    server.stop.cancel();
    assert_eq!(hear_close(&mut idle).await, "");
    until("new ones are refused", || std::net::TcpStream::connect(server.tcp()).is_err()).await;
    assert!(!server.served.is_finished());
    server.go.notify_one();
    let heard = hear_close(&mut running).await;
    assert!(heard.ends_with("waited") && heard.contains("connection: close"), "{heard}");
    timeout(LONG, server.served).await.unwrap().unwrap();
    assert_eq!(count(&server.meters.open), 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_off() {
    let server = Server::start(Limits { drain: SHORT, ..patient() });
    let mut running = server.connect().await;
    say(&mut running, "GET /wait HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let (mut client, driver) = http2(server.connect().await).await;
    let driver = server.tracker.spawn(driver);
    let asked = server.tracker.spawn(async move { client.send_request(get_request("/wait")).await.is_ok() });
    sleep(SHORT).await;
    server.stop.cancel();
    assert_eq!(hear_close(&mut running).await, "");
    timeout(LONG, server.served).await.unwrap().unwrap();
    assert!(!asked.await.unwrap(), "the stream was cut off with its connection");
    let _ = driver.await;
    server.tracker.close();
    timeout(LONG, server.tracker.wait()).await.expect("a task was left behind");
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

#[tokio::test]
async fn http2_is_served_to_those_who_know() {
    let server = Server::start(Limits { header_timeout: SHORT, idle_timeout: SHORT * 3, ..patient() });
    let (mut client, driver) = http2(server.connect().await).await;
    let driver = server.tracker.spawn(driver);
    assert_eq!(text(client.send_request(get_request("/")).await.unwrap()).await, "hello");
    // Longer than a header may take.
    sleep(SHORT * 2).await;
    assert_eq!(client.send_request(get_request("/panic")).await.unwrap().status(), 500);

    let large = Full::new(Bytes::from(vec![b'x'; 2 * 1024 * 1024]));
    let request = http::Request::post("http://localhost/echo").body(large).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 413);

    let mut bomb = get_request("/");
    bomb.headers_mut().insert("x", "y".repeat(64 * 1024).parse().unwrap());
    match client.send_request(bomb).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(_) => assert!(!client.is_closed(), "only the stream was refused"),
    }
    assert_eq!(text(client.send_request(get_request("/")).await.unwrap()).await, "hello");
    timeout(LONG, driver).await.expect("an idle HTTP/2 connection was kept").unwrap();
}

#[tokio::test]
async fn tls_speaks_http2_and_http1() {
    let papers = Papers::new();
    let tls = papers.load("leaf.pem", "leaf.key").unwrap();
    let server = Server::start_on("127.0.0.1:0".parse().unwrap(), Some(tls), patient());

    let connect = async |protocol: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(papers.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let socket =
            connector.connect("localhost".try_into().unwrap(), server.connect().await).await.unwrap();
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(protocol));
        socket
    };

    let (mut client, driver) = http2(connect(b"h2").await).await;
    server.tracker.spawn(driver);
    assert_eq!(text(client.send_request(get_request("/peer")).await.unwrap()).await, "true true");

    let mut socket = connect(b"http/1.1").await;
    say(&mut socket, HELLO).await;
    assert!(hear_until(&mut socket, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_accept_loop_survives_clients_that_break_off_and_handshakes_that_fail() {
    let papers = Papers::new();
    let tls = papers.load("leaf.pem", "leaf.key").unwrap();
    let limits = Limits { connections_max: 4, tls_timeout: SHORT, ..patient() };
    let server = Server::start_on("127.0.0.1:0".parse().unwrap(), Some(tls), limits);
    for round in 0..40 {
        let mut socket = server.connect().await;
        match round % 3 {
            0 => drop(socket),
            1 => say(&mut socket, HELLO).await,
            _ => {
                socket.set_zero_linger().unwrap();
            }
        }
    }
    let mut silent = server.connect().await;
    assert_eq!(hear_close(&mut silent).await, "", "a handshake has a deadline");
    until("slots are free", || count(&server.meters.open) == 0).await;
    assert_eq!(count(&server.meters.accepted), 41);
    assert!(count(&server.meters.handshakes_failed) > 0);
    assert!(!server.served.is_finished());
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let server = Server::start_on(Address::Unix(path.clone()), None, patient());
    let mut socket = UnixStream::connect(path).await.unwrap();
    say(&mut socket, "GET /peer HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let heard = hear_until(&mut socket, "false").await;
    assert!(heard.ends_with("false false"), "{heard}");
    server.stop.cancel();
    timeout(LONG, server.served).await.unwrap().unwrap();
}
