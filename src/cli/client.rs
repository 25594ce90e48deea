//! What the commands speak to a running daemon: one request, one connection, TCP, TLS or a Unix socket.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use rustls_pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;

use super::{ConfigFlag, Exit, say};
use crate::config::{self, secrets};
use crate::http::stale::{AS_OF, ago};
use crate::render;

/// For one request, from the connection to the last byte.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where the daemon is when nobody says.
const SERVER_USUAL: &str = "http://127.0.0.1:8087";

/// Which daemon, and as whom.
#[derive(Debug, Args)]
pub(super) struct ServerFlags {
    /// Address of the daemon: http://HOST:PORT, https://HOST or unix:PATH [default: of --config, else of
    /// ~/.config/onscene/client.toml, else http://127.0.0.1:8087]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) server: Option<String>,
    /// File with the token [default: $ONSCENE_TOKEN, else of ~/.config/onscene/client.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigFlag,
}

/// `~/.config/onscene/client.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    client: Section,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    server: Option<String>,
    token_file: Option<PathBuf>,
}

impl ServerFlags {
    /// A client with a token of the API: from --token-file, $ONSCENE_TOKEN or the client's own file.
    pub(super) fn client(&self) -> Result<Client, Exit> {
        let file = client_file()?;
        let token = match self.given_token()? {
            Some(token) => token,
            None => match &file.client.token_file {
                Some(path) => read_token(path)?,
                None => {
                    say(
                        "onscene: a token is needed: make one on the daemon's machine with `onscene token create \
                         --config FILE --person NAME` and give it with --token-file, in $ONSCENE_TOKEN, or as \
                         token_file under [client] in ~/.config/onscene/client.toml",
                    );
                    return Err(Exit::Usage);
                }
            },
        };
        Client::new(&self.server(&file)?, token)
    }

    /// A client with the token of a source: from --token-file, $ONSCENE_TOKEN, the configuration where there is one,
    /// or the client's own file.
    pub(super) fn client_for_source(&self, source: &str) -> Result<Client, Exit> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        if source.is_empty() || !source.chars().all(is_plain) {
            say(&format!(
                "onscene: {source:?} is no name of a source: those have small letters, digits, . _ and -"
            ));
            return Err(Exit::Usage);
        }
        let file = client_file()?;
        if let Some(token) = self.given_token()? {
            return Client::new(&self.server(&file)?, token);
        }
        let path = self.config.path();
        // Who named a configuration means it. The usual one may not be there, or its secrets be the daemon's only.
        let usual = self.config.config.is_none() && secrets::variable("ONSCENE_CONFIG").is_none();
        if usual {
            let read = config::load(&path, &crate::house::kinds(), config::SecretsMode::Read).ok();
            let knows = read.is_some_and(|config| config.sources.contains_key(source));
            match &file.client.token_file {
                Some(token) if !knows => return Client::new(&self.server(&file)?, read_token(token)?),
                None if !path.exists() => {
                    say(&format!(
                        "onscene: the token of source {source} is needed: give it with --token-file, in $ONSCENE_TOKEN, by \
                         the daemon's configuration (--config FILE), or as token_file under [client] in \
                         ~/.config/onscene/client.toml"
                    ));
                    return Err(Exit::Usage);
                }
                _ => {}
            }
        }
        let config = super::serve::load(&path, config::SecretsMode::Read)?;
        let Some(known) = config.sources.get(source) else {
            say(&format!("onscene: {} has no source {source}", config.path.display()));
            return Err(Exit::Usage);
        };
        let Some(token) = known.tokens.first() else {
            say(&format!("onscene: source {source} has no token"));
            return Err(Exit::Config);
        };
        let server = self.server.clone().unwrap_or_else(|| address_of(&config));
        Client::new(&server, token.clone())
    }

    fn given_token(&self) -> Result<Option<SecretString>, Exit> {
        match &self.token_file {
            Some(path) => read_token(path).map(Some),
            None => Ok(secrets::variable("ONSCENE_TOKEN").map(SecretString::from)),
        }
    }

    fn server(&self, file: &File) -> Result<String, Exit> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        if self.config.config.is_some() {
            let config = super::serve::load(&self.config.path(), config::SecretsMode::Skip)?;
            return Ok(address_of(&config));
        }
        Ok(file.client.server.clone().unwrap_or_else(|| SERVER_USUAL.into()))
    }
}

/// Where a daemon with this configuration listens, as seen from its own machine.
fn address_of(config: &config::Config) -> String {
    match &config.server.listen {
        config::Listen::Unix(path) => format!("unix:{}", path.display()),
        // A certificate names the outside address, not the loopback one.
        config::Listen::Tcp(_) if config.server.tls.is_some() => config.server.external_url.clone(),
        config::Listen::Tcp(address) if address.ip().is_unspecified() => {
            format!("http://127.0.0.1:{}", address.port())
        }
        config::Listen::Tcp(address) => format!("http://{address}"),
    }
}

fn client_file() -> Result<File, Exit> {
    let base = secrets::variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let base = base.or_else(|| secrets::variable("HOME").map(|home| PathBuf::from(home).join(".config")));
    let Some(path) = base.map(|base| base.join("onscene/client.toml")) else { return Ok(File::default()) };
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(File::default()) };
    toml::from_str(&text).map_err(|error| {
        say(&format!("onscene: {}: {error}", path.display()));
        Exit::Config
    })
}

fn read_token(path: &std::path::Path) -> Result<SecretString, Exit> {
    match std::fs::read_to_string(path) {
        // The daemon's own file may hold several, one a line, while one is exchanged.
        Ok(text) => {
            let token = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
            Ok(SecretString::from(token.unwrap_or_default().to_owned()))
        }
        Err(error) => {
            say(&format!("onscene: the token cannot be read from {}: {error}", path.display()));
            Err(Exit::Failed)
        }
    }
}

#[derive(Debug)]
enum Way {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

/// Speaks to one daemon.
pub(super) struct Client {
    way: Way,
    base: String,
    token: SecretString,
    /// There is one until it is dropped.
    runtime: Option<Runtime>,
    deadline: Duration,
    /// It was said that answers are not of the present.
    noted: Cell<bool>,
}

impl Drop for Client {
    /// A question for a name that nobody answers must not hold up the end of the command.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a request carries.
struct Body {
    content_type: &'static str,
    bytes: Bytes,
}

impl Default for Body {
    fn default() -> Self {
        Self { content_type: "application/json", bytes: Bytes::new() }
    }
}

impl Body {
    fn json(text: String) -> Self {
        Self { bytes: Bytes::from(text), ..Self::default() }
    }
}

/// Why a request did not end well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The daemon cannot be reached.
    #[error("the daemon at {server} cannot be reached: {why}")]
    Unreachable {
        /// Where it was looked for.
        server: String,
        /// What the system says.
        why: String,
    },
    /// What was answered is longer than what is taken.
    #[error(
        "the answer of the daemon at {server} is too long: more than {} MiB; ask for less",
        ANSWER_BYTES_MAX / 1024 / 1024
    )]
    TooLong {
        /// Who answered.
        server: String,
    },
    /// The daemon said no.
    #[error("{detail}")]
    Refused {
        /// With which status.
        status: StatusCode,
        /// The type of problem, as RFC 9457 has it; empty when whoever answered does not say.
        problem: String,
        /// In these words.
        detail: String,
        /// All that was answered.
        answer: Value,
    },
}

impl Failure {
    /// Whether another try makes sense: the daemon is away, or a proxy says that it is. An answer without an end is of nobody
    /// who took what was sent.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooLong { .. } => true,
            Self::Refused { status, .. } => matches!(status.as_u16(), 408 | 429 | 502..=504),
        }
    }

    /// Tells the person at the terminal.
    pub(super) fn say(&self) -> Exit {
        say(&format!("onscene: {self}"));
        match self {
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Refused { .. } | Self::TooLong { .. } => Exit::Failed,
        }
    }
}

impl Client {
    fn new(server: &str, token: SecretString) -> Result<Self, Exit> {
        let way = way(server).map_err(|why| {
            say(&format!("onscene: {server} is no address of a daemon: {why}"));
            Exit::Usage
        })?;
        // Sent, it would fail each time, and look as if nobody was there.
        if token.expose_secret().is_empty()
            || !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
        {
            say(
                "onscene: the token holds blanks, line breaks or other signs that no token has; is it the right file?",
            );
            return Err(Exit::Usage);
        }
        let base = server.trim_end_matches('/').to_owned();
        let runtime = Some(runtime()?);
        Ok(Self { way, base, token, runtime, deadline: REQUEST_DEADLINE, noted: Cell::new(false) })
    }

    /// Where the daemon is.
    pub(super) fn server(&self) -> &str {
        &self.base
    }

    /// The same, with another deadline for one request, from the connection to the last byte.
    pub(super) fn within(self, deadline: Duration) -> Self {
        let mut client = self;
        client.deadline = deadline;
        client
    }

    /// Asks; what goes wrong is told.
    pub(super) fn get(&self, path: &str) -> Result<Value, Exit> {
        self.try_get(path).map_err(|failure| failure.say())
    }

    /// Asks.
    pub(super) fn try_get(&self, path: &str) -> Result<Value, Failure> {
        self.request(Method::GET, path, Body::default())
    }

    /// Sends; what goes wrong is told.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        self.try_post(path, &body.to_string()).map_err(|failure| failure.say())
    }

    /// Sends a text that is JSON.
    pub(super) fn try_post(&self, path: &str, text: &str) -> Result<Value, Failure> {
        self.request(Method::POST, path, Body::json(text.to_owned()))
    }

    /// Whether an answer says that deliveries were taken. Whatever else answers at this address (a proxy, a page that says
    /// "back soon") does not, and what was sent is not there.
    pub(super) fn is_taken(answer: &Value) -> bool {
        answer["accepted"].is_u64()
    }

    /// Why an answer does not count.
    pub(super) fn no_onscene(&self) -> Failure {
        Failure::Unreachable { server: self.base.clone(), why: "what answers there is no onscene".into() }
    }

    /// Sends something that is no JSON.
    pub(super) fn try_post_as(
        &self,
        content_type: &'static str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        self.request(Method::POST, path, Body { content_type, bytes: body.into() })
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Result<Value, Failure> {
        let unreachable = |why: String| Failure::Unreachable { server: self.base.clone(), why };
        let runtime = self.runtime.as_ref().ok_or_else(|| unreachable("the client has ended".into()))?;
        let (head, bytes) = runtime.block_on(async {
            let asked = tokio::time::timeout(self.deadline, self.exchange(method, path, body)).await;
            asked.map_err(|_| unreachable("no answer in time".into()))?.map_err(unreachable)
        })?;
        let status = head.status;
        self.note(&head.headers);
        let bytes = match bytes {
            Some(bytes) => bytes,
            None if status.is_success() => return Err(Failure::TooLong { server: self.base.clone() }),
            None => Bytes::new(),
        };
        // Names of labels are the senders'.
        let answer = crate::json::read(&bytes).unwrap_or(Value::Null);
        if status.is_success() && answer.is_null() && !bytes.is_empty() {
            // Somebody else answers at this address: a proxy, or a page that says "back soon".
            return Err(unreachable("what answers there is no onscene".into()));
        }
        if status.is_success() { Ok(answer) } else { Err(refused(status, answer)) }
    }

    /// Says, once, that an answer shows no more than what was known last.
    fn note(&self, headers: &HeaderMap) {
        if let Some(note) = stale(headers)
            && !self.noted.replace(true)
        {
            say(&format!("onscene: {note}"));
        }
    }

    /// Asks for an answer of a kind that may be long, or go on for ever, and hands over its pieces as they come, until there
    /// are no more or `take` says that it wants none. Between two of them no more than `quiet` passes.
    pub(super) fn stream(
        &self,
        path: &str,
        kind: &'static str,
        headers: &[(&'static str, &str)],
        quiet: Duration,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        let unreachable = |why: String| Failure::Unreachable { server: self.base.clone(), why };
        let runtime = self.runtime.as_ref().ok_or_else(|| unreachable("the client has ended".into()))?;
        runtime.block_on(async {
            let begun = async {
                let (socket, authority) = self.connect().await?;
                let mut request = self.asks(&authority, Method::GET, path, kind).body(Full::default());
                if let Ok(request) = &mut request {
                    for (name, value) in headers {
                        let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
                        request.headers_mut().insert(*name, value);
                    }
                }
                let request = request.map_err(|error| error.to_string())?;
                let mut line = Line::over(socket).await?;
                let answer = line.ask(request).await?;
                Ok((line, answer))
            };
            let begun = tokio::time::timeout(self.deadline, begun).await;
            let (mut line, answer) =
                begun.map_err(|_| unreachable("no answer in time".into()))?.map_err(unreachable)?;
            let (head, mut body) = answer.into_parts();
            if !head.status.is_success() {
                let whole = line.with(|_| Limited::new(body, ANSWER_BYTES_MAX).collect());
                let whole = tokio::time::timeout(quiet, whole).await;
                let bytes = whole.ok().and_then(Result::ok).and_then(Result::ok).map(Collected::to_bytes);
                let answer = crate::json::read(&bytes.unwrap_or_default()).unwrap_or(Value::Null);
                return Err(refused(head.status, answer));
            }
            let is_of_kind = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.starts_with(kind));
            if !head.headers.get(header::CONTENT_TYPE).is_some_and(is_of_kind) {
                let why = "what answers there is no onscene, or one of a version that cannot do this yet";
                return Err(unreachable(why.into()));
            }
            self.note(&head.headers);
            loop {
                let frame = tokio::time::timeout(quiet, line.with(|_| body.frame())).await;
                let frame = frame.map_err(|_| unreachable("nothing was heard of it for too long".into()))?;
                match frame.map_err(unreachable)? {
                    None => return Ok(()),
                    Some(Err(error)) => return Err(unreachable(error.to_string())),
                    Some(Ok(frame)) => {
                        if frame.data_ref().is_some_and(|bytes| !take(bytes)) {
                            return Ok(());
                        }
                    }
                }
            }
        })
    }

    /// What was answered; `None` where it is too long.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(Parts, Option<Bytes>), String> {
        let (socket, authority) = self.connect().await?;
        let Body { content_type, bytes } = body;
        let request = self.asks(&authority, method, path, "application/json");
        let request = request.header(header::CONTENT_TYPE, content_type).body(Full::new(bytes));
        let request = request.map_err(|error| error.to_string())?;
        let mut line = Line::over(socket).await?;
        let (head, body) = line.ask(request).await?.into_parts();
        let whole = line.with(|_| Limited::new(body, ANSWER_BYTES_MAX).collect()).await?;
        match whole {
            Ok(whole) => Ok((head, Some(whole.to_bytes()))),
            Err(error) if error.is::<LengthLimitError>() => Ok((head, None)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A connection of its own, and how its other end is called.
    async fn connect(&self) -> Result<(Box<dyn Socket>, String), String> {
        let words = |error: std::io::Error| error.to_string();
        match &self.way {
            Way::Unix(socket) => {
                let stream = tokio::net::UnixStream::connect(socket).await.map_err(words)?;
                Ok((Box::new(stream), "localhost".into()))
            }
            Way::Tcp { host, port, tls } => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let stream = tokio::net::TcpStream::connect((bare, *port)).await.map_err(words)?;
                let authority = format!("{host}:{port}");
                if !tls {
                    return Ok((Box::new(stream), authority));
                }
                let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
                let stream = tls_connector()?.connect(name, stream).await.map_err(words)?;
                Ok((Box::new(stream), authority))
            }
        }
    }

    fn asks(&self, authority: &str, method: Method, path: &str, accept: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, authority)
            .header(header::USER_AGENT, concat!("onscene/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, accept)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
    }
}

/// What a request goes over.
trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

type Connection = http1::Connection<TokioIo<Box<dyn Socket>>, Full<Bytes>>;

/// A connection that carries a request and its answer. It has to be driven while either is waited for.
struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// There is one until it has ended.
    connection: Option<Connection>,
}

impl Line {
    async fn over(socket: Box<dyn Socket>) -> Result<Self, String> {
        let made = http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = made.map_err(|error| error.to_string())?;
        Ok(Self { sender, connection: Some(connection) })
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        self.with(|sender| sender.send_request(request)).await?.map_err(|error| error.to_string())
    }

    /// Waits for something that comes over it.
    async fn with<'s, F: Future>(
        &'s mut self,
        work: impl FnOnce(&'s mut http1::SendRequest<Full<Bytes>>) -> F,
    ) -> Result<F::Output, String> {
        let Self { sender, connection } = self;
        let mut work = std::pin::pin!(work(sender));
        let Some(driven) = connection else { return Ok(work.await) };
        tokio::select! {
            biased;
            done = &mut work => Ok(done),
            ended = driven => {
                *connection = None;
                match ended {
                    Ok(()) => Ok(work.await),
                    Err(error) => Err(error.to_string()),
                }
            }
        }
    }
}

/// An answer that says no.
fn refused(status: StatusCode, answer: Value) -> Failure {
    let detail =
        answer["detail"].as_str().map_or_else(|| format!("the daemon answered {status}"), str::to_owned);
    let problem = answer["type"].as_str().unwrap_or_default().to_owned();
    Failure::Refused { status, problem, detail, answer }
}

/// What a command waits with: for answers, or only for time to pass.
pub(super) fn runtime() -> Result<Runtime, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| super::fail(&format!("cannot start: {error}")))
}

/// Waits between two tries.
pub(super) fn pause(wait: Duration) {
    if let Ok(runtime) = runtime() {
        // A timer is made inside of what drives it.
        runtime.block_on(async { tokio::time::sleep(wait).await });
    }
}

/// What to say about an answer that only shows what was known last.
fn stale(headers: &HeaderMap) -> Option<String> {
    let word = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let hour = word(&AS_OF)?.parse().map(|hour| render::hour(hour, &jiff::tz::TimeZone::UTC)).ok()?;
    let age = word(&header::AGE).and_then(|age| age.parse().ok()).unwrap_or_default();
    let age = ago(SignedDuration::from_secs(age));
    Some(format!(
        "the daemon cannot reach its store; this is what was known at {hour}, {age} ago, and may have changed since"
    ))
}

fn way(server: &str) -> Result<Way, String> {
    if let Some(path) = server.strip_prefix("unix:") {
        return Ok(Way::Unix(path.into()));
    }
    let uri: http::Uri = server.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("it begins with http://, https:// or unix:".into()),
    };
    let host = uri.host().ok_or("it names no host")?.to_owned();
    Ok(Way::Tcp { host, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }), tls })
}

fn tls_connector() -> Result<tokio_rustls::TlsConnector, String> {
    let config = crate::crypto::tls_client(None)?;
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_daemons_are_read() {
        let shown = |server: &str| way(server).map_or_else(|why| why, |way| format!("{way:?}"));
        assert_eq!(shown("unix:/run/onscene/onscene.sock"), "Unix(\"/run/onscene/onscene.sock\")");
        assert_eq!(
            shown("https://onscene.example.net"),
            r#"Tcp { host: "onscene.example.net", port: 443, tls: true }"#
        );
        assert_eq!(shown("http://[::1]:8087"), r#"Tcp { host: "[::1]", port: 8087, tls: false }"#);
        assert!(shown("127.0.0.1:8087").contains("begins with"), "{}", shown("127.0.0.1:8087"));
    }
}
