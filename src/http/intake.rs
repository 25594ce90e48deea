//! Alerts in: `/in/{source}` and `/in/{source}/{token}`.
//!
//! The secret is checked before a byte of the body is read. What an adapter cannot understand is kept
//! as it came and answered with 400; success is answered when everything is on disk.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::desk::{Desk, basic_password, bearer};
use super::problem::{Problem, Reason};
use super::profile;
use super::{room, sns};
use crate::commit::{Command, Delivered, DoorError, EventResult, MailResult, Posted, Reply, Unread};
use crate::core::alert::Event;
use crate::core::mail::Ignored;
use crate::crypto;
use crate::house::{House, Source};
use crate::sources::sign::{Scheme, Signed};
use crate::sources::{Delivery, Unreadable, mail};
use crate::store::unreadable;

/// Longest query string that is read or kept, in bytes.
const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Longest header that an adapter reads, in bytes, and most of them.
const HEADER_BYTES_MAX: usize = 4 * 1024;
const HEADERS_MAX: usize = 32;
/// A longer name of a header is cut where it is told, in characters.
const HEADER_NAME_CHARS_MAX: usize = 64;

/// `/in/{source}`
pub(super) async fn without_token(
    State(desk): State<Desk>,
    Path(source): Path<String>,
    request: Request,
) -> Response {
    take(&desk, &source, None, request).await
}

/// `/in/{source}/{token}`
pub(super) async fn with_token(
    State(desk): State<Desk>,
    Path((source, token)): Path<(String, String)>,
    request: Request,
) -> Response {
    take(&desk, &source, Some(token), request).await
}

async fn take(desk: &Desk, source: &str, token: Option<String>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let (method, headers) = (&request.method, &request.headers);
    let query = request.uri.query().unwrap_or_default();
    let began = desk.clock.mark();
    let house = desk.house.get();
    let Some(source) = house.sources.get(source) else {
        return Problem::not_found("no source of this name is configured").into_response();
    };
    if source.kind.webhook_profile && *method == Method::OPTIONS {
        let asked = authorise(source, token, query, headers).and_then(|_| profile::allow(headers));
        let asked = asked.inspect_err(|problem| note(desk, source, problem));
        return asked.unwrap_or_else(IntoResponse::into_response);
    }
    let answer = accept(desk, method, source, token, query, headers, body).await;
    desk.metrics.ingest.observe(began.elapsed().as_secs_f64());
    match answer {
        Ok(taken) => (StatusCode::ACCEPTED, Json(accepted(&taken))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Takes a delivery to a source, if it may be believed.
pub(super) async fn accept(
    desk: &Desk,
    method: &Method,
    source: &Source,
    token: Option<String>,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Taken, Problem> {
    let taken = believe(desk, method, source, token, query, headers, body).await;
    taken.inspect_err(|problem| note(desk, source, problem))
}

async fn believe(
    desk: &Desk,
    method: &Method,
    source: &Source,
    token: Option<String>,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Taken, Problem> {
    let get = (source.kind.get)(&source.options);
    if !(*method == Method::POST || *method == Method::PUT || (get && *method == Method::GET)) {
        return Err(Problem::method_not_allowed(if get { "GET, POST, PUT" } else { "POST, PUT" }));
    }
    let query = authorise(source, token, query, headers)?;
    let signed_by = signature(source, headers)?;
    sns::may_send(source, headers)?;
    if signed_by.is_some() && *method == Method::GET {
        return Err(Problem::method_not_allowed("POST, PUT"));
    }
    if query.len() > QUERY_BYTES_MAX {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri-too-long",
            "The address is too long",
            format!("a query string has at most {QUERY_BYTES_MAX} bytes"),
        ));
    }
    let received_at = desk.clock.now();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let unproven = source.tokens.is_empty();
    let (bytes, mut _room) =
        if unproven { room::read_unproven(desk, body).await? } else { room::read(desk, body).await? };
    let proof = match signed_by {
        Some(scheme) => Some(proof(source, scheme, headers, &bytes, received_at)?),
        None => None,
    };
    let proven = match source.options.topics.is_empty() {
        true => None,
        false => desk.sns.prove(source, &bytes, received_at).await?,
    };
    if unproven {
        _room = room::proven(desk, &bytes, _room)?;
    }
    let vouched = |name: &str| source.kind.signs.is_none_or(|scheme| scheme.vouches(name, proof));
    // Amazon's signature says nothing of headers either, and what it signs has all that is needed.
    let is_read = |name: &str| proven.is_none() && source.reads(name) && vouched(name);
    let (read, fault) = lower(headers, is_read);
    let delivery = Delivery {
        method: method.as_str(),
        // A signature, be it a sender's or Amazon's, is over the body, and says nothing of the address.
        query: if proof.is_some() || unproven { "" } else { &query },
        content_type: content_type.filter(|_| proven.is_none()),
        headers: &read,
        body: proven.as_ref().map_or(&bytes, |proven| &proven.body),
        received_at,
        options: &source.options,
    };
    let once = proven.as_ref().map(|proven| proven.once.clone());
    match fault {
        Some(fault) => keep(desk, source, &delivery, Unreadable(fault, Vec::new()), once).await,
        None => deliver_once(desk, source, &delivery, once).await,
    }
}

fn note(desk: &Desk, source: &Source, problem: &Problem) {
    desk.refusals.note(&desk.metrics, desk.clock.mark(), &source.name, problem);
}

/// Looks for the token of a source, where it has one, and answers the query without it.
pub(super) fn authorise(
    source: &Source,
    token: Option<String>,
    query: &str,
    headers: &HeaderMap,
) -> Result<String, Problem> {
    let names: &[&str] = if source.kind.webhook_profile { &["token=", "access_token="] } else { &["token="] };
    let (in_query, query) = split_token(query, names);
    if source.tokens.is_empty() && source.signing_secrets.is_empty() && source.options.topics.is_empty() {
        return Err(Problem::challenge(
            Reason::Token,
            "this source has no secret, so that nobody can send to it",
        ));
    }
    let given = [token, in_query, bearer(headers).map(str::to_owned), basic_password(headers)];
    if !source.tokens.is_empty() && !allowed(source, given) {
        return Err(Problem::challenge(
            Reason::Token,
            "the token of this source is missing or wrong; send it in the path, as ?token=, as a bearer token or \
             as the password of basic authentication",
        ));
    }
    Ok(query)
}

/// Gives a delivery, whose secret is good, to its adapter, and what it says to the door.
pub(super) async fn deliver(desk: &Desk, source: &Source, delivery: &Delivery<'_>) -> Result<Taken, Problem> {
    deliver_once(desk, source, delivery, None).await
}

/// [`deliver`], for what may come again without its sender's doing: what cannot be understood of it is kept once by this word.
async fn deliver_once(
    desk: &Desk,
    source: &Source,
    delivery: &Delivery<'_>,
    once: Option<String>,
) -> Result<Taken, Problem> {
    let command = match asked(source, delivery, None) {
        Ok(command) => command,
        Err(unreadable) => {
            let kept = keep(desk, source, delivery, unreadable, once).await;
            return kept.map_err(|problem| profile::told(source, delivery.content_type, problem));
        }
    };
    let count = command.events().len();
    if let Command::Mail(posted) = &command
        && posted.mail.is_nothing(&desk.house.get().rules)
    {
        // Also while the store is away: a stranger's mail server is not to keep it, nor to tell the stranger of it.
        desk.metrics.publish(|metrics| {
            metrics.events_received.with_label_values(&[source.name.as_str(), source.kind.name]).inc();
            metrics.events.with_label_values(&[source.name.as_str(), "ignored"]).inc();
        });
        return Ok(taken_mail(desk, source, MailResult::ignored(&posted.mail, Ignored::Stranger)));
    }
    match desk.door.ask(command).await.map_err(send_again)? {
        Reply::Events(command, results) => Ok(Taken::Decided(command, results)),
        Reply::Mail(result) => Ok(taken_mail(desk, source, result)),
        Reply::Spooled => Ok(Taken::Held(count)),
        _ => Err(Problem::internal()),
    }
}

/// What became of mail; an alert of somebody who may raise none is counted as not believed.
fn taken_mail(desk: &Desk, source: &Source, result: MailResult) -> Taken {
    if result.stranger {
        let now = desk.clock.mark();
        desk.refusals.count(&desk.metrics, now, &source.name, Reason::Sender, &result.reason);
    }
    Taken::Mail(result)
}

/// What a delivery asks of the door. Mail that may be about a letter is no event before the store was asked.
pub(crate) fn asked(
    source: &Source,
    delivery: &Delivery<'_>,
    replays: Option<i64>,
) -> Result<Command, Unreadable> {
    let delivered = |events: Vec<Event>| {
        let events = if replays.is_some() { dated(events, delivery) } else { events };
        Delivered { replays, ..delivered(source, events, delivery.received_at) }
    };
    if source.kind.name != mail::KIND.name {
        return Ok(Command::Events(delivered(understand(source, delivery)?)));
    }
    let mail = guarded(source, || mail::open(delivery))?;
    let delivered = delivered(mail.alert.iter().cloned().collect());
    Ok(match mail.may_answer() {
        true => Command::Mail(Box::new(Posted { mail, delivered })),
        false => Command::Events(delivered),
    })
}

/// A delivery that may have been taken is sent again: a second one is a repeat.
fn send_again(error: DoorError) -> Problem {
    match error {
        DoorError::Late => Problem::unavailable("the store did not answer in time; send it again", 5),
        other => other.into(),
    }
}

/// Reads a delivery. An adapter that panics has not understood it either.
pub fn understand(source: &Source, delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    guarded(source, || (source.kind.read)(delivery))
}

fn guarded<T>(source: &Source, read: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        tracing::error!(source.name = source.name, source.kind = source.kind.name, "an adapter panicked");
        Err(Unreadable("the adapter failed on this body: a fault of onscene".into(), Vec::new()))
    })
}

/// A kept body given to its adapter again: what to ask of the door. When not all of it can be understood this time either,
/// that is a [`Command::Unreadable`] with the reason and with what can be.
///
/// # Errors
/// Why nobody can try.
pub fn again(house: &House, kept: &unreadable::Kept) -> Result<Command, String> {
    let gone = || "its source is not configured any more".to_owned();
    let source = house.sources.get(&kept.source).ok_or_else(gone)?;
    let delivery = Delivery {
        method: &kept.method,
        query: &kept.query,
        content_type: kept.content_type.as_deref(),
        headers: &kept.headers,
        body: &kept.body,
        received_at: kept.received_at,
        options: &source.options,
    };
    let Unreadable(why, rest) = match asked(source, &delivery, Some(kept.id)) {
        Ok(command) => return Ok(command),
        Err(unreadable) => unreadable,
    };
    let kept = unreadable::Kept { error: reason(why, rest.len()), ..kept.clone() };
    let rest =
        Delivered { replays: Some(kept.id), ..delivered(source, dated(rest, &delivery), kept.received_at) };
    Ok(Command::Unreadable(Box::new(Unread { kept, rest, once: None, about: None })))
}

/// Why a body is kept although some of it was taken.
fn reason(why: String, taken: usize) -> String {
    match taken {
        0 => why,
        taken => format!("{why} (of the same body, {taken} that can be read were taken)"),
    }
}

/// Events of a body that was kept: what has no time of its own was said when it came, and not now.
fn dated(mut events: Vec<Event>, delivery: &Delivery<'_>) -> Vec<Event> {
    for event in &mut events {
        event.occurred_at.get_or_insert(delivery.received_at);
    }
    events
}

fn delivered(source: &Source, events: Vec<Event>, received_at: Timestamp) -> Delivered {
    Delivered {
        source: source.name.clone(),
        kind: source.kind.name.into(),
        service: source.service.clone(),
        events,
        received_at,
        replays: None,
        held: false,
    }
}

/// A body that could not be understood, and what of it could.
pub(crate) fn unread(
    source: &Source,
    delivery: &Delivery<'_>,
    unreadable: Unreadable,
    once: Option<String>,
) -> Unread {
    let Unreadable(why, rest) = unreadable;
    let error = reason(why, rest.len());
    let kept = unreadable::Kept {
        id: 0,
        source: source.name.clone(),
        kind: source.kind.name.into(),
        method: delivery.method.into(),
        query: delivery.query.into(),
        content_type: delivery.content_type.map(str::to_owned),
        headers: delivery.headers.to_vec(),
        body: delivery.body.to_vec(),
        error,
        received_at: delivery.received_at,
    };
    let of_a_stranger = || {
        let left = guarded(source, || Ok(mail::of_a_stranger(delivery)));
        left.ok().flatten().map(Box::new)
    };
    let about = (source.kind.name == mail::KIND.name).then(of_a_stranger).flatten();
    Unread { kept, rest: delivered(source, rest, delivery.received_at), once, about }
}

/// Keeps a body, and what of it could be read is taken. A stranger's mail that is about nothing here is answered.
async fn keep(
    desk: &Desk,
    source: &Source,
    delivery: &Delivery<'_>,
    unreadable: Unreadable,
    once: Option<String>,
) -> Result<Taken, Problem> {
    let unread = unread(source, delivery, unreadable, once);
    let error = unread.kept.error.clone();
    let title = "The body cannot be understood";
    let problem = |detail| Problem::new(StatusCode::BAD_REQUEST, "unreadable", title, detail);
    let answer = desk.door.ask(Command::Unreadable(Box::new(unread))).await;
    if let Ok(Reply::Mail(result)) = answer {
        return Ok(taken_mail(desk, source, result));
    }
    tracing::warn!(source.name = source.name, error, "a body could not be understood");
    Err(match answer {
        Ok(Reply::Kept(id)) => {
            problem(format!("{error}. It is kept as number {id}, and the owner of this source is told"))
                .with("kept", id)
        }
        Ok(Reply::KeptBefore) => problem(format!("{error}. It came before, and was kept then")),
        Ok(Reply::Spooled) => problem(format!(
            "{error}. It is held on this machine, and its owner is told when the store is back"
        )),
        Ok(_) => Problem::internal(),
        Err(error) => send_again(error),
    })
}

/// How a delivery has to be signed. One that carries no signature at all is refused before its body is read.
fn signature(source: &Source, headers: &HeaderMap) -> Result<Option<&'static Scheme>, Problem> {
    if source.signing_secrets.is_empty() {
        return Ok(None);
    }
    // The configuration lets no other kind have such a secret.
    let scheme = source.kind.signs.as_ref().ok_or_else(Problem::internal)?;
    if scheme.headers.iter().any(|name| headers.contains_key(*name)) {
        return Ok(Some(scheme));
    }
    let what =
        format!("the deliveries of this source are signed, in the header {}", scheme.headers.join(" or "));
    Err(Problem::challenge(Reason::Signature, &what))
}

/// Which header proves that the sender of a body knows a secret of its source.
fn proof(
    source: &Source,
    scheme: &Scheme,
    headers: &HeaderMap,
    body: &[u8],
    received_at: Timestamp,
) -> Result<&'static str, Problem> {
    let (given, fault) = lower(headers, |name| scheme.reads.contains(&name));
    if let Some(fault) = fault {
        let what = format!("what is needed of a signature cannot be read: {fault}");
        return Err(Problem::challenge(Reason::Signature, &what));
    }
    let signed = Signed { headers: &given, body, received_at };
    let secrets = source.signing_secrets.iter().map(|secret| secret.expose_secret().as_bytes());
    scheme.proof(&signed, secrets).ok_or_else(|| {
        let what = "the signature does not fit the body and the secret of this source, or is too old";
        Problem::challenge(Reason::Signature, what)
    })
}

/// Headers by their names in lower case, and what is wrong with the first that cannot be read. Such a one is not left out:
/// it would be missed, or another be taken for it.
fn lower(headers: &HeaderMap, is_wanted: impl Fn(&str) -> bool) -> (Vec<(String, String)>, Option<String>) {
    let (mut found, mut fault) = (Vec::new(), None);
    for (name, value) in headers.iter().filter(|(name, _)| is_wanted(name.as_str())) {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let called: String = name.as_str().chars().take(HEADER_NAME_CHARS_MAX).collect();
        let wrong = if found.len() == HEADERS_MAX {
            Some(format!("there are more than {HEADERS_MAX} headers that are read here"))
        } else if value.len() > HEADER_BYTES_MAX {
            Some(format!("the header `{called}` is longer than {HEADER_BYTES_MAX} bytes"))
        } else if std::str::from_utf8(value.as_bytes()).is_err() {
            Some(format!("the header `{called}` is not UTF-8"))
        } else {
            None
        };
        fault = fault.or(wrong);
        found.push((name.as_str().to_owned(), text));
    }
    (found, fault)
}

fn allowed(source: &Source, given: [Option<String>; 4]) -> bool {
    let known = |given: &String| {
        // Every token is compared, so that the time does not tell which one was close.
        source.tokens.iter().fold(false, |found, token| {
            crypto::same(token.expose_secret().as_bytes(), given.as_bytes()) | found
        })
    };
    given.iter().flatten().fold(false, |found, given| known(given) | found)
}

/// Takes `token=`, and whatever else it may be called, out of a query string: it must not be kept or handed on.
fn split_token(query: &str, names: &[&str]) -> (Option<String>, String) {
    let mut token = None;
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match names.iter().find_map(|name| pair.strip_prefix(name)) {
            Some(value) => {
                let value = value.replace('+', " ");
                token = Some(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned());
            }
            None => rest.push(pair),
        }
    }
    (token, rest.join("&"))
}

/// What became of a delivery.
pub(super) enum Taken {
    /// It is in the store, and each event has its outcome.
    Decided(Arc<Command>, Vec<EventResult>),
    /// It was mail about a letter.
    Mail(MailResult),
    /// So many events are on this machine's disk until a shared store is back.
    Held(usize),
}

/// The answer to an accepted delivery.
#[derive(Serialize)]
pub(super) struct Accepted<'a> {
    accepted: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    results: Vec<AcceptedOne<'a>>,
}

#[derive(Serialize)]
struct AcceptedOne<'a> {
    key: &'a str,
    outcome: &'static str,
    incident: Option<i64>,
    /// Why it came out so, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub(super) fn accepted(taken: &Taken) -> Accepted<'_> {
    let (events, results) = match taken {
        Taken::Decided(command, results) => (command.events(), results),
        Taken::Mail(MailResult { key, outcome, incident, reason, .. }) => {
            let one = AcceptedOne { key, outcome, incident: *incident, reason: Some(reason) };
            return Accepted { accepted: 1, held: false, results: vec![one] };
        }
        Taken::Held(accepted) => return Accepted { accepted: *accepted, held: true, results: Vec::new() },
    };
    let results: Vec<_> = events
        .iter()
        .zip(results)
        .map(|(event, one)| AcceptedOne {
            key: &event.key,
            outcome: one.outcome,
            incident: one.incident,
            reason: one.reason.as_deref(),
        })
        .collect();
    Accepted { accepted: results.len(), held: false, results }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_cannot_be_read_is_told_and_kept() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("ce-id", http::HeaderValue::from_bytes(value).unwrap());
            }
            headers.append("cookie", http::HeaderValue::from_static("hunter2"));
            lower(&headers, |name| name.starts_with("ce-"))
        };
        let (found, fault) = read(&["é €".as_bytes()]);
        assert_eq!((found.as_slice(), fault), (&[("ce-id".to_owned(), "é €".to_owned())][..], None));
        let long = vec![b'x'; HEADER_BYTES_MAX + 1];
        for (values, why) in [
            (vec![&b"1"[..], &b"\xff"[..]], "the header `ce-id` is not UTF-8"),
            (vec![&long[..]], "the header `ce-id` is longer than 4096 bytes"),
            (vec![&b"1"[..]; HEADERS_MAX + 1], "there are more than 32 headers that are read here"),
        ] {
            let (found, fault) = read(&values);
            assert_eq!((found.len(), fault.as_deref()), (values.len(), Some(why)));
        }
        assert_eq!(read(&[&long[..HEADER_BYTES_MAX]]).1, None);
        assert_eq!(read(&[&b"1"[..]; HEADERS_MAX]).1, None);
    }

    #[test]
    fn the_token_is_taken_out_of_the_query() {
        let (token, rest) = split_token("a=1&token=se%20cret&b=2", &["token="]);
        assert_eq!((token.as_deref(), rest.as_str()), (Some("se cret"), "a=1&b=2"));
        assert_eq!(split_token("", &["token="]), (None, String::new()));
        let (token, rest) = split_token("access_token=a&b=2", &["token=", "access_token="]);
        assert_eq!((token.as_deref(), rest.as_str()), (Some("a"), "b=2"));
    }
}
