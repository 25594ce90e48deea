//! One relay: its connections, and one conversation over one of them.
//!
//! The conversation is led step by step, because only that tells whether the relay may have the letter
//! when something breaks. Every step has a deadline: the library's own covers the connecting alone.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;

/// To connect, with TLS and login.
const CONNECT_DEADLINE: Duration = Duration::from_secs(6);
/// For each command.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);
/// For the letter itself, to the answer to the final dot.
const LETTER_DEADLINE: Duration = Duration::from_secs(8);
/// Connections kept open to one relay.
const IDLE_MAX: usize = 8;

/// Why one relay did not take a letter.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Certainly not written; another relay, or another hour, may do.
    Passing(String),
    /// Certainly not written, and the fault is the relay's own: login, sender, policy.
    Relay(String),
    /// This recipient, or this letter, is refused for good by this relay; another may know the recipient.
    Recipient(String),
    /// It may have been written.
    Lost(String),
}

impl Trouble {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Passing(why) | Self::Relay(why) | Self::Recipient(why) | Self::Lost(why) => why,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS or nothing.
    StartTls,
    /// Plain, on loopback only.
    Plain,
}

/// One relay.
pub(super) struct Relay {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Relay {
    /// Reads `smtps://user@host:port` and `smtp://user@host:port`.
    pub(super) fn read(
        url: &str,
        password: Option<&SecretString>,
        ca: Option<&[u8]>,
    ) -> Result<Self, String> {
        let wrong = |why: &str| format!("relay `{}`: {why}", shown(url));
        let (implicit, rest) = match (url.strip_prefix("smtps://"), url.strip_prefix("smtp://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong("it begins with smtps://, smtp:// or file:")),
        };
        let (rest, starttls) = match rest.strip_suffix("?starttls") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(wrong("the password does not stand in the address but in `password_file`"));
        }
        let user =
            user.map(|user| percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned());
        let (host, port) = match place.trim_end_matches('/').rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("its port is no number"))?)
            }
            _ => (place.trim_end_matches('/'), if implicit { 465 } else { 587 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '?', ' ']) {
            return Err(wrong("it names no host"));
        }
        let loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let security = match (implicit, loopback && !starttls) {
            (true, _) => Security::Implicit,
            (false, true) => Security::Plain,
            (false, false) => Security::StartTls,
        };
        let tls = match security {
            Security::Plain => None,
            Security::Implicit | Security::StartTls => Some(tls(host, ca).map_err(|why| wrong(&why))?),
        };
        let login = match (user, password) {
            (Some(user), Some(password)) => Some(Credentials::new(user, password.expose_secret().to_owned())),
            // A check without secrets has no password to give; the daemon's own start has.
            (Some(_) | None, _) => None,
        };
        Ok(Self { host: host.into(), port, security, tls, login, idle: Mutex::default() })
    }

    /// Hands one letter over. `handed` is set before the relay may have it.
    pub(super) async fn send(
        &self,
        from: &Address,
        to: &Address,
        bytes: &[u8],
        handed: &AtomicBool,
    ) -> Result<Option<String>, Trouble> {
        handed.store(false, Ordering::Release);
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = kept {
            // The relay may have closed it since; that shows before anything is written.
            match self.converse(connection, from, to, bytes, handed).await {
                Err(Trouble::Passing(_)) => {}
                other => return other,
            }
        }
        let connection = self.connect(&greeting(from)).await?;
        self.converse(connection, from, to, bytes, handed).await
    }

    async fn connect(&self, name: &ClientId) -> Result<AsyncSmtpConnection, Trouble> {
        let place = format!("{}:{}", self.host, self.port);
        let connecting = async {
            let server = (self.host.as_str(), self.port);
            let mut connection = if self.security == Security::Implicit {
                let (wait, tls) = (Some(CONNECT_DEADLINE), self.tls.clone());
                AsyncSmtpConnection::connect_tokio1(server, wait, name, tls, None).await?
            } else {
                // The library writes a letter and its final dot apart, which without this costs 40 ms a page.
                let stream = TcpStream::connect(server).await?;
                stream.set_nodelay(true)?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), name).await?
            };
            if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
                connection.starttls(tls.clone(), name).await?;
            }
            if let Some(login) = &self.login {
                connection.auth(&[Mechanism::Plain, Mechanism::Login], login).await?;
            }
            Ok::<_, Closed>(connection)
        };
        match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Err(_) => Err(Trouble::Passing(format!("{place} does not answer"))),
            Ok(Err(Closed::Smtp(error))) if error.is_permanent() || error.is_client() => {
                Err(Trouble::Relay(format!("{place} does not let us in: {error}")))
            }
            Ok(Err(error)) => Err(Trouble::Passing(format!("{place} cannot be used: {error}"))),
        }
    }

    async fn converse(
        &self,
        mut connection: AsyncSmtpConnection,
        from: &Address,
        to: &Address,
        bytes: &[u8],
        handed: &AtomicBool,
    ) -> Result<Option<String>, Trouble> {
        let mut parameters = Vec::new();
        if connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let sender = connection.command(Mail::new(Some(from.clone()), parameters));
        let of_us = |host: &str, error: &Error| Trouble::Relay(format!("{host} answered {error}"));
        before(within(COMMAND_DEADLINE, sender).await, &self.host, of_us)?;
        let recipient = connection.command(Rcpt::new(to.clone(), Vec::new()));
        before(within(COMMAND_DEADLINE, recipient).await, &self.host, refusal)?;
        let data = connection.command(Data);
        before(within(COMMAND_DEADLINE, data).await, &self.host, refusal)?;
        handed.store(true, Ordering::Release);
        match within(LETTER_DEADLINE, connection.message(bytes)).await {
            Ok(response) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MAX {
                    idle.push(connection);
                }
                let answer = response.first_line().map(|line| line.chars().take(200).collect());
                Ok(answer.filter(|answer: &String| !answer.is_empty()))
            }
            Err(Step::Failed(error)) if error.is_transient() => {
                handed.store(false, Ordering::Release);
                Err(Trouble::Passing(format!("{} answered {error}", self.host)))
            }
            // It has seen the letter by now: what it refuses is the letter.
            Err(Step::Failed(error)) if error.is_permanent() => {
                Err(Trouble::Recipient(format!("{} answered {error}", self.host)))
            }
            Err(Step::Failed(error)) => {
                Err(Trouble::Lost(format!("{} was lost with the letter in hand: {error}", self.host)))
            }
            Err(Step::Late) => {
                Err(Trouble::Lost(format!("{} fell silent with the letter in hand", self.host)))
            }
        }
    }
}

/// By what name a relay is greeted (RFC 5321, 4.1.1.1: a domain, or an address in brackets). Relays write it into the letter
/// (`Received:`), where every reader finds it: so it is the domain that stands in `from`, and never what this machine is called.
pub(super) fn greeting(from: &Address) -> ClientId {
    let domain = from.domain();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_literal = domain.starts_with('[') && domain.ends_with(']') && domain.is_ascii();
    match is_literal || !domain.is_empty() && domain.bytes().all(fits) {
        true => ClientId::Domain(domain.to_lowercase()),
        // One in other letters would have to be written otherwise; a relay takes this from anybody.
        false => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("{0}")]
    Network(#[from] std::io::Error),
    #[error("{0}")]
    Smtp(#[from] Error),
}

enum Step {
    Late,
    Failed(Error),
}

async fn within<T>(deadline: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, Step> {
    match tokio::time::timeout(deadline, step).await {
        Ok(done) => done.map_err(Step::Failed),
        Err(_) => Err(Step::Late),
    }
}

/// What a failure before the letter means; a refusal for good means what `refused` makes of it.
fn before<T>(done: Result<T, Step>, host: &str, refused: fn(&str, &Error) -> Trouble) -> Result<T, Trouble> {
    done.map_err(|step| match step {
        Step::Late => Trouble::Passing(format!("{host} fell silent")),
        Step::Failed(error) if error.is_permanent() => refused(host, &error),
        Step::Failed(error) => Trouble::Passing(format!("{host}: {error}")),
    })
}

/// A refusal for good at RCPT or DATA: of this recipient, or of us. A relay that wants a login, or that does
/// not relay for whom it does not know, says nothing about the recipient. RFC 3463, section 3.8, has `5.7.1`
/// for both, so there the words must tell.
fn refusal(host: &str, error: &Error) -> Trouble {
    let answer = format!("{host} answered {error}");
    let code = error.status().map(u16::from).unwrap_or_default();
    let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let enhanced = words.split_whitespace().next().unwrap_or_default();
    let of_the_login =
        matches!(code, 530 | 534 | 535 | 538) || matches!(enhanced, "5.7.0" | "5.7.8" | "5.7.9");
    // The address stands between <>, and may be anybody's word.
    let plain: String =
        words.split('<').map(|part| part.split_once('>').map_or(part, |(_, rest)| rest)).collect();
    let of_relaying = !enhanced.starts_with("5.1.") && plain.to_lowercase().contains("relay");
    if of_the_login || of_relaying { Trouble::Relay(answer) } else { Trouble::Recipient(answer) }
}

fn tls(host: &str, ca: Option<&[u8]>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    // Bare containers have no certificates of their own.
    if rustls_native_certs::load_native_certs().certs.is_empty() {
        builder = builder.certificate_store(CertificateStore::WebpkiRoots);
    }
    if let Some(ca) = ca {
        let certificate =
            Certificate::from_pem(ca).map_err(|error| format!("`ca_file` cannot be used: {error}"))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| format!("TLS cannot be set up: {error}"))
}

/// A relay as it may be shown: a password that stands in it by mistake is left out.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
        (None, Some((_, host))) => format!("...@{host}"),
        _ => url.to_owned(),
    }
}
