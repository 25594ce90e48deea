//! What the kinds that speak to somebody's HTTP API share: where it is, who asks, and what a status means where the
//! vendor says nothing else.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::client::{Answer, Client, Failure, Reach, patience};
use super::webhook::reach;
use super::{Fields, Outcome, Parcel, SEND_DEADLINE, Shared};
use crate::crypto;

/// What stands in a segment of a path or in a form as it is (RFC 3986: unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest name of an error that is told, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Longest word for an error.
const WORD_BYTES_MAX: usize = 100;

/// Longest list that is read.
const LIST_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest answer of which every byte is wanted: what somebody else keeps of ours.
const LONG_BYTES_MAX: usize = 4 * 1024 * 1024;
/// All requests of an attempt together have this long: less than the deadline of every attempt.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(18);
/// To take something away has so much of it that there is time left to say so.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(6);

const _: () = assert!(ATTEMPT_DEADLINE.as_secs() < SEND_DEADLINE.as_secs());
const _: () = assert!(REMOVAL_DEADLINE.as_secs() * 2 < ATTEMPT_DEADLINE.as_secs());

/// Somebody's HTTP API.
pub(super) struct Api {
    client: Client,
    base: String,
    reach: Reach,
    /// What stands before every body: who asks, mostly.
    head: HeaderMap,
}

impl Api {
    /// Reads where it is from a key, which may have a usual value, and from `private_addresses`.
    pub(super) fn new(
        fields: &mut Fields,
        shared: &Shared,
        key: &str,
        usual: Option<&str>,
    ) -> Result<Self, String> {
        let base = fields.texts.remove(key).or_else(|| usual.map(str::to_owned)).unwrap_or_default();
        let base = base.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| format!("`{key}` is no address"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(format!("`{key}` begins with https:// or http:// and names a host"));
        }
        if uri.query().is_some() || uri.authority().is_some_and(|at| at.as_str().contains('@')) {
            return Err(format!("`{key}` holds no user, password or `?`"));
        }
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        let api = Self { client: shared.client.clone(), base, reach, head: HeaderMap::new() };
        // Tokens go there, and answer links, which are as good as one.
        match api.is_safe() {
            true => Ok(api),
            false => Err(format!(
                "`{key}` begins with http://, and everybody on the way could read what goes there: write https:// (or \
                 `private_addresses = \"allow\"`, where it is in a network of your own)"
            )),
        }
    }

    /// At an address that was looked at already.
    pub(super) fn at(client: &Client, base: String, reach: Reach) -> Self {
        Self { client: client.clone(), base, reach, head: HeaderMap::new() }
    }

    /// Whether nobody on the way can read what goes there: it is HTTPS, or the operator's own network.
    pub(super) fn is_safe(&self) -> bool {
        let scheme = self.base.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("https") || self.reach == Reach::Private
    }

    /// Shows a token with every request.
    pub(super) fn bearer(self, token: &SecretString) -> Result<Self, String> {
        self.keyed(header::AUTHORIZATION, &format!("Bearer {}", token.expose_secret()))
    }

    /// Shows a name and a password with every request.
    pub(super) fn basic(self, user: &str, password: &SecretString) -> Result<Self, String> {
        let pair = format!("{user}:{}", password.expose_secret());
        self.keyed(header::AUTHORIZATION, &format!("Basic {}", crypto::base64(pair.as_bytes())))
    }

    /// Shows a secret with every request, in a header and in the words that the other side wants around it.
    pub(super) fn keyed(mut self, name: HeaderName, words: &str) -> Result<Self, String> {
        let mut value = HeaderValue::from_str(words)
            .map_err(|_| "the secret holds characters that none has".to_owned())?;
        value.set_sensitive(true);
        self.head.insert(name, value);
        Ok(self)
    }

    /// Sends a header with every request.
    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.head.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Posts JSON to a path.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Outcome> {
        self.ask(Method::POST, path, Some("application/json"), Bytes::from(body.to_string()), &[]).await
    }

    /// The same, with a header whose value is a secret.
    pub(super) async fn post_with(
        &self,
        path: &str,
        body: &Value,
        header: (&'static str, &SecretString),
    ) -> Result<Answer, Outcome> {
        let body = Bytes::from(body.to_string());
        self.ask(Method::POST, path, Some("application/json"), body, &[header]).await
    }

    /// Puts JSON at a path.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, Outcome> {
        self.ask(Method::PUT, path, Some("application/json"), Bytes::from(body.to_string()), &[]).await
    }

    /// Changes a part of what is at a path, by JSON.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Outcome> {
        let body = Bytes::from(body.to_string());
        self.ask(Method::PATCH, path, Some("application/json"), body, &[]).await
    }

    /// Removes what is at a path.
    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Outcome> {
        self.ask(Method::DELETE, path, None, Bytes::new(), &[]).await
    }

    /// Posts a form to a path.
    pub(super) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, Outcome> {
        let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.ask(Method::POST, path, Some("application/x-www-form-urlencoded"), Bytes::from(body), &[]).await
    }

    /// Fetches a path.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Outcome> {
        self.ask(Method::GET, path, None, Bytes::new(), &[]).await
    }

    /// Asks by any method, with JSON or with nothing, and with headers that may be secrets.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &SecretString)],
    ) -> Result<Answer, Outcome> {
        let content = body.map(|_| "application/json");
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.ask(method, path, content, body, headers).await
    }

    /// Where it is, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Fetches a path of which more comes than answers have, and of which half is worth nothing. Whatever fails, nothing was written by it.
    pub(super) async fn look(&self, path: &str, bytes_max: usize) -> Result<Answer, Outcome> {
        let uri = self.uri(path)?;
        let fetched =
            self.client.fetch(self.reach, &uri, self.head.clone(), bytes_max, ATTEMPT_DEADLINE).await;
        let fetched = fetched.map_err(|why| Outcome::Wait { after: None, why })?;
        let retry_after = patience(&fetched.headers);
        Ok(Answer { status: fetched.status, retry_after, headers: fetched.headers, body: fetched.body })
    }

    /// Fetches a list, which may be much longer than other answers. Of one that is too long, or breaks off, there is none; nothing is
    /// written by it, so it is never `Unknown`.
    pub(super) async fn read(&self, path: &str) -> Result<Answer, Outcome> {
        self.look(path, LIST_BYTES_MAX).await
    }

    fn uri(&self, path: &str) -> Result<Uri, Outcome> {
        // The address may hold a secret: it is in no sentence.
        format!("{}{path}", self.base).parse().map_err(|_| refused("its address cannot be written", false))
    }

    /// The error is what it means that no answer came.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        content: Option<&'static str>,
        body: Bytes,
        secrets: &[(&'static str, &SecretString)],
    ) -> Result<Answer, Outcome> {
        let (uri, headers) = self.request(path, content, secrets)?;
        let answer = match method {
            Method::GET => self.client.get(self.reach, &uri, headers).await,
            Method::PUT => self.client.put(self.reach, &uri, headers, body).await,
            Method::PATCH => self.client.patch(self.reach, &uri, headers, body).await,
            Method::DELETE => self.client.delete(self.reach, &uri, headers).await,
            _ => self.client.post(self.reach, &uri, headers, body).await,
        };
        answer.map_err(not_answered)
    }

    /// Asks by any method, with JSON where it takes any, and reads an answer that may be long.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &SecretString)],
    ) -> Result<Answer, Outcome> {
        let (uri, headers) = self.request(path, body.map(|_| "application/json"), headers)?;
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = self.client.ask(method, self.reach, &uri, headers, body, LONG_BYTES_MAX).await;
        answer.map_err(not_answered)
    }

    fn request(
        &self,
        path: &str,
        content: Option<&'static str>,
        secrets: &[(&'static str, &SecretString)],
    ) -> Result<(Uri, HeaderMap), Outcome> {
        let uri = self.uri(path)?;
        let mut headers = self.head.clone();
        if let Some(content) = content {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        }
        for (name, secret) in secrets {
            let mut value = HeaderValue::from_str(secret.expose_secret())
                .map_err(|_| refused("the secret holds characters that none has", true))?;
            value.set_sensitive(true);
            headers.insert(*name, value);
        }
        Ok((uri, headers))
    }
}

fn not_answered(failure: Failure) -> Outcome {
    match failure {
        Failure::NotSent(why) => Outcome::Wait { after: None, why },
        Failure::Maybe(why) => Outcome::Unknown { why },
    }
}

/// Ends an attempt of several requests in time; whether it was written is not known then. What an attempt needs is kept beside the
/// stack, of which workers have little.
pub(super) fn bounded(attempt: impl Future<Output = Outcome>) -> impl Future<Output = Outcome> {
    let attempt = Box::pin(attempt);
    async move {
        let late = Outcome::Unknown { why: "no answer in time".into() };
        tokio::time::timeout(ATTEMPT_DEADLINE, attempt).await.unwrap_or(late)
    }
}

/// Takes away what an earlier letter wrote. Silence about that must not be taken for silence about the words that follow it.
pub(super) async fn removal(removal: impl Future<Output = Outcome>) -> Outcome {
    let late = Outcome::Unknown { why: "no answer in time".into() };
    tokio::time::timeout(REMOVAL_DEADLINE, removal).await.unwrap_or(late)
}

/// Silence while nothing was to be written yet is no reason to fear that it was.
pub(super) fn unwritten(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Unknown { why } => Outcome::Wait { after: None, why },
        other => other,
    }
}

/// A text as it stands in a segment of a path.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// What 503 means. Proxies answer so, too, when a request has reached the other side and nobody knows what became of it there; who says
/// how long to wait has not begun.
pub(super) fn busy(answer: &Answer, why: String) -> Outcome {
    match answer.headers.contains_key(header::RETRY_AFTER) {
        true => Outcome::Wait { after: answer.retry_after, why },
        false => Outcome::Unknown { why },
    }
}

/// The same outcome, for a letter that had better stand there twice than not at all: a bare 503 is no reason to give it up.
pub(super) fn again(answer: &Answer, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Unknown { why } if answer.status == StatusCode::SERVICE_UNAVAILABLE => {
            Outcome::Wait { after: answer.retry_after, why }
        }
        other => other,
    }
}

/// The same outcome, for this letter: a statement must not stand there twice.
pub(super) fn of_letter(parcel: &Parcel, answer: &Answer, outcome: Outcome) -> Outcome {
    if parcel.statement.is_some() { outcome } else { again(answer, outcome) }
}

/// What an answer other than 2xx means where the vendor says nothing else, and nothing must be written twice ([`again`] is for what
/// may be). `whole`: statuses for which the fault is the way's own, such as its secret. `name`: what the other side calls its error, if
/// that says more than the status.
pub(super) fn usual(answer: &Answer, whole: &[u16], name: Option<&str>) -> Outcome {
    let status = answer.status.as_u16();
    let why = match name {
        Some(name) => format!("answered {status} ({})", plain(name)),
        None => format!("answered {status}"),
    };
    match status {
        300..=399 => refused(&format!("{why}: redirects are not followed; write the final address"), true),
        429 => Outcome::Wait { after: answer.retry_after, why },
        503 => busy(answer, why),
        408 | 425 | 500..=599 => Outcome::Unknown { why },
        _ => refused(&why, whole.contains(&status)),
    }
}

/// A short text of the other side's, as it may be told: one line, and not long.
pub(super) fn plain(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    super::fit::cut(text.trim(), NAME_CHARS_MAX, super::fit::one)
}

/// What the other side calls its error, if that is a word and not a sentence, in which anything may stand.
pub(super) fn word(name: &str) -> Option<&str> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    Some(name).filter(|name| (1..=WORD_BYTES_MAX).contains(&name.len()) && name.chars().all(fits))
}

/// The answer has the right status, but its body is somebody else's: a proxy's page, for instance.
pub(super) fn strange(of: &str) -> Outcome {
    Outcome::Unknown { why: format!("its answer is not that of {of}") }
}

/// Certainly not written.
pub(super) fn refused(why: &str, whole_channel: bool) -> Outcome {
    Outcome::Refused { why: why.into(), whole_channel }
}
