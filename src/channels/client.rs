//! The one HTTP client, of the channels and of whatever else is fetched: every address is looked at before it is connected to, no
//! redirect is followed, answers are bounded, and everything has a deadline.
//!
//! An address is looked at in the connector and not in the resolver, because a host written as an
//! address never meets a resolver.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::SEND_DEADLINE;

/// To connect, TLS included.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// For the whole exchange: less than the deadline of every attempt.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(18);
/// Largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Idle connections kept to one host.
const IDLE_PER_HOST_MAX: usize = 4;
const IDLE_WAIT: Duration = Duration::from_secs(30);

const _: () = assert!(EXCHANGE_DEADLINE.as_secs() < SEND_DEADLINE.as_secs());

/// What the other side answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks us to wait, in seconds (`Retry-After` as a number).
    pub retry_after: Option<Duration>,
    /// What stands before the body.
    pub headers: HeaderMap,
    /// Its body, at most 64 KiB where nobody asked for more.
    pub body: Bytes,
}

/// Why there is no answer. The words hold no address and no name of a host, because the address may be the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request certainly did not leave.
    NotSent(String),
    /// It may have been received.
    Maybe(String),
}

/// What was fetched, whole.
#[derive(Debug)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// What stands before the body.
    pub headers: HeaderMap,
    /// Its body, to its end.
    pub body: Bytes,
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only such as anybody on the Internet could reach.
    Public,
    /// Also loopback, private and link-local ones: the operator allows it for a channel.
    Private,
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    public: Pool<Connector, Full<Bytes>>,
    private: Pool<Connector, Full<Bytes>>,
}

impl Client {
    /// Builds the client; `ca_file` is trusted beside the system's certificates.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let config = crate::crypto::tls_client(ca_file)?;
        let tls = TlsConnector::from(Arc::new(config));
        // The executor drives connections; they end with their pool or after the idle wait.
        let pool = |reach| {
            Pool::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_WAIT)
                .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
                .build(Connector { tls: tls.clone(), reach })
        };
        Ok(Self { public: pool(Reach::Public), private: pool(Reach::Private) })
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn post(
        &self,
        reach: Reach,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        self.ask(Method::POST, reach, uri, headers, body, ANSWER_BYTES_MAX).await
    }

    /// Puts a body where it belongs.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn put(
        &self,
        reach: Reach,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        self.ask(Method::PUT, reach, uri, headers, body, ANSWER_BYTES_MAX).await
    }

    /// Changes a part of what is there.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn patch(
        &self,
        reach: Reach,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        self.ask(Method::PATCH, reach, uri, headers, body, ANSWER_BYTES_MAX).await
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn delete(&self, reach: Reach, uri: &Uri, headers: HeaderMap) -> Result<Answer, Failure> {
        self.ask(Method::DELETE, reach, uri, headers, Bytes::new(), ANSWER_BYTES_MAX).await
    }

    /// Fetches an address.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn get(&self, reach: Reach, uri: &Uri, headers: HeaderMap) -> Result<Answer, Failure> {
        self.ask(Method::GET, reach, uri, headers, Bytes::new(), ANSWER_BYTES_MAX).await
    }

    /// Fetches something of which half is worth nothing: no more than `bytes_max` of it, within `deadline`.
    ///
    /// # Errors
    /// In words that hold no address: no answer came, or not all of it.
    pub async fn fetch(
        &self,
        reach: Reach,
        uri: &Uri,
        headers: HeaderMap,
        bytes_max: usize,
        deadline: Duration,
    ) -> Result<Fetched, String> {
        let request = request(Method::GET, uri, headers, Bytes::new());
        let exchange = async {
            let answer = self.pool(reach).request(request).await.map_err(|error| match failed(error) {
                Failure::NotSent(why) | Failure::Maybe(why) => why,
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, bytes_max).collect().await.map_err(|error| match error
                .is::<LengthLimitError>(
            ) {
                true => format!("the answer has more than {bytes_max} bytes"),
                false => "the answer breaks off before its end".to_owned(),
            })?;
            Ok(Fetched { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        match tokio::time::timeout(deadline, exchange).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("no whole answer in {} s", deadline.as_secs())),
        }
    }

    fn pool(&self, reach: Reach) -> &Pool<Connector, Full<Bytes>> {
        if reach == Reach::Public { &self.public } else { &self.private }
    }

    /// Asks by any method. Of an answer with more than `bytes_max` there is no body.
    ///
    /// # Errors
    /// When no answer came; it says whether the request may have been received.
    pub async fn ask(
        &self,
        method: Method,
        reach: Reach,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        bytes_max: usize,
    ) -> Result<Answer, Failure> {
        let request = request(method, uri, headers, body);
        let exchange = async {
            let (head, body) = self.pool(reach).request(request).await.map_err(failed)?.into_parts();
            let retry_after = patience(&head.headers);
            // The status is the answer; a body that breaks off changes nothing about it.
            let body = Limited::new(body, bytes_max).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            Ok(Answer { status: head.status, retry_after, headers: head.headers, body })
        };
        match tokio::time::timeout(EXCHANGE_DEADLINE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Maybe("no answer in time".into())),
        }
    }
}

fn request(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    let agent = http::HeaderValue::from_static(concat!("onscene/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(header::USER_AGENT, agent);
    request
}

/// How long the other side asks us to wait, when it says so as a number of seconds.
pub(super) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

fn failed(error: hyper_util::client::legacy::Error) -> Failure {
    use std::error::Error as _;
    if error.is_connect() {
        let why = error.source().map_or_else(|| "the connection failed".into(), ToString::to_string);
        return Failure::NotSent(why);
    }
    Failure::Maybe("the connection was lost".into())
}

/// Connects, having looked at every address.
#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
    reach: Reach,
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connecting = connector.connect(&uri);
            tokio::time::timeout(CONNECT_DEADLINE, connecting)
                .await
                .unwrap_or_else(|_| Err(std::io::Error::other("no connection in time")))
        })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Stream, std::io::Error> {
        let other = std::io::Error::other;
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| other("the address names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = connect(self.reach, host, port).await?;
        if !secure {
            return Ok(Stream::Plain(TokioIo::new(stream)));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let stream = self.tls.connect(name, stream).await.map_err(tls_fault)?;
        Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
    }
}

/// Why TLS could not be agreed on, in words of our own: those of the library hold names, of the host, which may be a part of a secret, and
/// of whoever answered in its place.
pub(super) fn tls_fault(error: std::io::Error) -> std::io::Error {
    use tokio_rustls::rustls::{CertificateError, Error};
    let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error };
    std::io::Error::other(match fault {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid yet",
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is of an issuer that nobody here knows"
        }
        Error::InvalidCertificate(_) => "its certificate is not to be trusted",
        _ => "no TLS could be agreed on",
    })
}

/// Connects to a host, having looked at every address of it. Of an IPv6 address `host` has no brackets.
///
/// # Errors
/// In words that hold no address: it may not be connected to, or cannot.
pub async fn connect(reach: Reach, host: &str, port: u16) -> Result<TcpStream, std::io::Error> {
    let other = std::io::Error::other;
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    if reach == Reach::Public && found.iter().any(|address| !is_public(address.ip())) {
        return Err(other(
            "the host is not on the public Internet, and `private_addresses` does not allow others",
        ));
    }
    let mut last = other("the host has no address");
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether anybody on the Internet could reach an address (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => public_v6(v6),
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // RFC 6598
        || (a == 192 && b == 0 && c == 0) // RFC 6890
        || (a == 198 && (18..20).contains(&b)) // RFC 2544
        || a >= 240) // RFC 1112
}

fn public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // NAT64 and 6to4 carry an IPv4 address: that one decides.
    let octets = address.octets();
    let inner = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    match (first, second) {
        (0x64, 0xff9b) => return public_v4(inner(12)),
        (0x2002, _) => return public_v4(inner(2)),
        _ => {}
    }
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || first & 0xfe00 == 0xfc00 // unique local
        || first & 0xffc0 == 0xfe80 // link-local
        || first & 0xffc0 == 0xfec0 // site-local
        || (first == 0x2001 && second == 0xdb8) // documentation
        || (first == 0x2001 && second < 0x200) // RFC 2928
        || first == 0) // IPv4-compatible and reserved
}

/// A connection, plain or not.
enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls_pki_types::CertificateDer;
    use tokio_rustls::rustls;

    use super::*;

    #[test]
    fn only_addresses_anybody_could_reach_are_public() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in [
            "1.1.1.1",
            "93.184.215.14",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }

    #[tokio::test]
    async fn an_address_written_as_a_number_is_looked_at_too() {
        let client = Client::new(None).unwrap();
        for uri in ["http://127.0.0.1:9/", "http://[::ffff:127.0.0.1]:9/", "http://localhost:9/"] {
            let uri: Uri = uri.parse().unwrap();
            let failed = client.post(Reach::Public, &uri, HeaderMap::new(), Bytes::new()).await.unwrap_err();
            let Failure::NotSent(why) = failed else { panic!("{failed:?}") };
            assert!(why.contains("not on the public Internet"), "{why}");
        }
    }

    /// A server that shows a certificate and hangs up; its address.
    #[allow(clippy::disallowed_methods, reason = "a test's own server")]
    async fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Uri {
        let key = rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://localhost:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _gone = acceptor.accept(stream).await;
            }
        });
        uri
    }

    #[tokio::test]
    async fn a_fault_of_tls_is_told_without_a_name_that_anybody_chose() {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            (params.self_signed(&key).unwrap(), Issuer::new(params, key))
        };
        let ((known, issuer), (_, stranger)) = (authority("ours"), authority("theirs"));
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, known.pem()).unwrap();
        let client = Client::new(Some(&ca_file)).unwrap();
        for (name, years, issuer, why) in [
            ("board.example.net", (2025, 4000), &issuer, "its certificate is for another name"),
            ("localhost", (2020, 2021), &issuer, "its certificate has expired"),
            ("localhost", (3999, 4000), &issuer, "its certificate is not valid yet"),
            ("localhost", (2025, 4000), &stranger, "its certificate is of an issuer that nobody here knows"),
        ] {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
            params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
            let key = KeyPair::generate().unwrap();
            let leaf = params.signed_by(&key, issuer).unwrap();
            let uri = server(vec![leaf.der().clone()], &key).await;
            let failed = client.get(Reach::Private, &uri, HeaderMap::new()).await.unwrap_err();
            assert_eq!(failed, Failure::NotSent(why.into()));
        }
    }
}
