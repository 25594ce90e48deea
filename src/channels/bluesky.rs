//! Bluesky: posts of one account, by an app password, at whatever server (PDS) keeps it.
//!
//! A post is put at a key of our own (a TID, made of the hour of the statement and of the delivery), with the hour of the
//! statement as its own: the server finds the same record there when it is put again, and changes nothing but what it answers. So what may have been
//! written is written again, at any time.
//!
//! A session is made by the first letter and kept; its short token is exchanged when the server says that it is over. Only where
//! that is refused, another is made: a server takes no more than 300 logins a day, so here it is no more than ten an hour. The
//! mutex is held while a session is asked for, so that letters which come together make one.
//!
//! An id of ours is the address of the post and the hash of what it says, with a space between: an answer has to name both. Where the
//! first post is gone the next stands by itself, and those that follow answer it. Addresses are links by where their bytes are in the text.
//!
//! 300 characters as readers count are taken, and 3,000 bytes.
//!
//! Errors are `{"error": "InvalidRequest", "message": ...}`; the name is told. 401, 403 and 404 concern every letter, as does a server
//! that does not know the method (501). 429 says by a second of the clock when more is taken.
//!
//! Shapes: the lexicons of bluesky-social/atproto (com.atproto.server, com.atproto.repo, app.bsky.feed.post, app.bsky.richtext.facet);
//! answers as its PDS 0.5.35 gives them, which `tests/it/bluesky.rs` runs.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::api::{Api, bounded, encode, refused, strange, unwritten, usual, word};
use super::client::Answer;
use super::social::{
    Posted, answers, characters, fits, language, link, links, post, posted_in, publish, stated,
};
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::crypto;

/// Bluesky, by an account.
pub const KIND: Kind = Kind {
    name: "bluesky",
    keys: &[
        Key { name: "url", secret: false, required: false },
        Key { name: "handle", secret: false, required: true },
        Key { name: "password", secret: true, required: true },
        Key { name: "language", secret: false, required: false },
        Key { name: "link", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Bluesky::build,
    address: None,
    status: true,
};

const URL: &str = "https://bsky.social";
const COLLECTION: &str = "app.bsky.feed.post";
const CHARACTERS_MAX: usize = 300;
const BYTES_MAX: usize = 3000;
/// A day has room for 300 logins.
const LOGINS_AN_HOUR_MAX: usize = 10;
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);
const WHOLE: &[u16] = &[401, 403, 404, 410, 501];

/// One account.
pub struct Bluesky {
    api: Api,
    handle: String,
    password: SecretString,
    language: Option<String>,
    link: Option<String>,
    sessions: Mutex<Sessions>,
    posted: Posted,
}

#[derive(Default)]
struct Sessions {
    now: Option<Session>,
    /// When logins were tried, of the last hour.
    logins: Vec<Timestamp>,
}

/// Who we are to the server, for a while.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    did: String,
    access_jwt: SecretText,
    refresh_jwt: SecretText,
}

/// A token, out of JSON.
#[derive(Clone)]
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

#[derive(Deserialize)]
struct Put {
    uri: String,
    cid: String,
}

#[derive(Deserialize)]
struct Fault {
    error: String,
}

/// A post, as an answer names it.
#[derive(Clone, PartialEq, Eq)]
struct Named<'a> {
    uri: &'a str,
    cid: &'a str,
}

impl<'a> Named<'a> {
    fn read(id: &'a str) -> Option<Self> {
        let (uri, cid) = id.split_once(' ')?;
        (uri.starts_with("at://") && !cid.is_empty()).then_some(Self { uri, cid })
    }

    /// Whose it is, of which collection, and its key.
    fn parts(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let mut parts = self.uri.strip_prefix("at://")?.splitn(3, '/');
        Some((parts.next()?, parts.next()?, parts.next()?))
    }

    fn json(&self) -> Value {
        json!({"uri": self.uri, "cid": self.cid})
    }
}

impl Bluesky {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "url", Some(URL))?;
        let password = fields.secrets.remove("password").ok_or("`password_file` is missing")?;
        let handle = fields.texts.remove("handle").unwrap_or_default();
        let is_one = handle.contains('.') && !handle.contains(|one: char| one == '@' || one.is_whitespace());
        if !is_one && !handle.starts_with("did:") {
            return Err("`handle` is the name of the account, without @, such as example.bsky.social".into());
        }
        let (language, link) = (language(&mut fields)?, link(&mut fields)?);
        let password = SecretString::from(password.expose_secret().trim().to_owned());
        let (sessions, posted) = (Mutex::new(Sessions::default()), Posted::default());
        Ok(Channel::Bluesky(Box::new(Self { api, handle, password, language, link, sessions, posted })))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    /// How a statement is posted. Of the two limits the one that is passed is told.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let text = post(parcel, self.link.as_deref());
        if text.len() > BYTES_MAX {
            let size = text.len();
            return Shown { text, size, most: BYTES_MAX, unit: "bytes" };
        }
        let size = characters(&text);
        Shown { text, size, most: CHARACTERS_MAX, unit: "characters" }
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let statement = stated(parcel)?;
        let shown = self.shows(parcel);
        fits(&shown)?;
        let post = self.publish(parcel, statement, &shown.text);
        Ok(publish(parcel, &self.posted, |id| self.remove(parcel, id), post).await)
    }

    async fn publish(&self, parcel: &Parcel, statement: &Statement, text: &str) -> Result<Outcome, Outcome> {
        let root = parcel.thread_root.as_deref().and_then(Named::read);
        let mut reply = None;
        for parent in answers(parcel).into_iter().filter_map(Named::read) {
            if let Some(thread) = self.stands(&parent).await {
                // Readers are shown an answer in the thread that its parent is in.
                let root = thread.or_else(|| root.as_ref().map(Named::json)).unwrap_or_else(|| parent.json());
                reply = Some(json!({"root": root, "parent": parent.json()}));
                break;
            }
        }
        let is_answer = reply.is_some();
        let record = self.record(statement, text, reply);
        let key = key(statement.at, &parcel.delivery);
        let body = |did: &str| json!({"repo": did, "collection": COLLECTION, "rkey": key, "record": record});
        let answer = self.ask(parcel, "com.atproto.repo.putRecord", body).await?;
        Ok(posted_in(parcel, outcome(&answer, parcel), is_answer))
    }

    fn record(&self, statement: &Statement, text: &str, reply: Option<Value>) -> Value {
        let mut record = json!({"$type": COLLECTION, "text": text, "createdAt": hour(statement.at)});
        let facets: Vec<Value> = links(text)
            .into_iter()
            .map(|link| {
                let uri = text.get(link.clone()).unwrap_or_default();
                json!({
                    "index": {"byteStart": link.start, "byteEnd": link.end},
                    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": uri}],
                })
            })
            .collect();
        if !facets.is_empty() {
            record["facets"] = facets.into();
        }
        if let Some(language) = &self.language {
            record["langs"] = json!([language]);
        }
        if let Some(reply) = reply {
            record["reply"] = reply;
        }
        record
    }

    /// Takes a post back; that it is gone already is no fault there.
    async fn remove(&self, parcel: &Parcel, id: &str) -> Outcome {
        let named = Named::read(id);
        let Some((_, collection, key)) = named.as_ref().and_then(Named::parts) else {
            return refused("its id is none of Bluesky's", false);
        };
        let body = |did: &str| json!({"repo": did, "collection": collection, "rkey": key});
        let answer = match self.ask(parcel, "com.atproto.repo.deleteRecord", body).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        // A page of somebody on the way is no answer.
        let is_json = serde_json::from_slice::<Value>(&answer.body).is_ok_and(|said| said.is_object());
        match answer.status {
            status if status.is_success() && (is_json || answer.body.is_empty()) => {
                Outcome::Accepted { remote_id: None }
            }
            status if status.is_success() => strange("Bluesky"),
            // One post may be no longer ours; when all are closed to us, the next request says so.
            StatusCode::FORBIDDEN => refused("answered 403", false),
            _ => outcome(&answer, parcel),
        }
    }

    /// Whether a post stands still where it was, and the first of its thread where that can be read. Only where the server says that it
    /// does not, it does not.
    async fn stands(&self, post: &Named<'_>) -> Option<Option<Value>> {
        let (repo, collection, key) = post.parts()?;
        let (repo, collection, key) = (encode(repo), encode(collection), encode(key));
        let path = format!("/xrpc/com.atproto.repo.getRecord?repo={repo}&collection={collection}&rkey={key}");
        let Ok(answer) = self.api.get(&path).await else { return Some(None) };
        if fault(&answer).as_deref() == Some("RecordNotFound") {
            return None;
        }
        let record =
            serde_json::from_slice::<Value>(&answer.body).ok().filter(|_| answer.status.is_success());
        Some(record.map(|record| match &record["value"]["reply"]["root"] {
            Value::Null => post.json(),
            root => root.clone(),
        }))
    }

    /// Calls a method as who we are, and once more with another session when this one is over.
    async fn ask(
        &self,
        parcel: &Parcel,
        method: &str,
        body: impl Fn(&str) -> Value,
    ) -> Result<Answer, Outcome> {
        let session = self.session(parcel, None).await?;
        let answer = self.call(method, Some(&session.access_jwt), Some(&body(&session.did))).await?;
        if !is_over(&answer) {
            return Ok(answer);
        }
        let session = self.session(parcel, Some(&session)).await?;
        self.call(method, Some(&session.access_jwt), Some(&body(&session.did))).await
    }

    /// The session there is, unless it is over: then the next. Nothing is written yet, whatever happens here.
    async fn session(&self, parcel: &Parcel, over: Option<&Session>) -> Result<Session, Outcome> {
        let mut sessions = self.sessions.lock().await;
        let is_over = |now: &Session| {
            over.is_some_and(|over| over.access_jwt.0.expose_secret() == now.access_jwt.0.expose_secret())
        };
        let stale = match sessions.now.take() {
            Some(now) if !is_over(&now) => {
                sessions.now = Some(now.clone());
                return Ok(now);
            }
            stale => stale,
        };
        if let Some(stale) = stale {
            let refresh = "com.atproto.server.refreshSession";
            let answer = match self.call(refresh, Some(&stale.refresh_jwt), None).await {
                Ok(answer) => answer,
                Err(outcome) => {
                    sessions.now = Some(stale);
                    return Err(unwritten(outcome));
                }
            };
            let was_refused = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
            if !was_refused {
                let next = session_in(&answer, parcel);
                // Until the server gives another, this one can be exchanged.
                sessions.now = Some(next.as_ref().map_or(stale, Clone::clone));
                return next;
            }
        }
        sessions.logins.retain(|at| parcel.now.duration_since(*at).abs() < AN_HOUR);
        if sessions.logins.len() >= LOGINS_AN_HOUR_MAX {
            let oldest = sessions.logins.iter().min().copied().unwrap_or(parcel.now);
            let wait = Duration::try_from(AN_HOUR - parcel.now.duration_since(oldest)).ok();
            let why = "it lets nobody log in so often".to_owned();
            return Err(Outcome::Wait { after: wait, why });
        }
        sessions.logins.push(parcel.now);
        let body = json!({"identifier": self.handle, "password": self.password.expose_secret()});
        let answer = self.call("com.atproto.server.createSession", None, Some(&body)).await;
        let session = session_in(&answer.map_err(unwritten)?, parcel)?;
        sessions.now = Some(session.clone());
        Ok(session)
    }

    async fn call(
        &self,
        method: &str,
        token: Option<&SecretText>,
        body: Option<&Value>,
    ) -> Result<Answer, Outcome> {
        let bearer = token.map(|token| SecretString::from(format!("Bearer {}", token.0.expose_secret())));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer)).collect();
        self.api.call(Method::POST, &format!("/xrpc/{method}"), body, &headers).await
    }
}

/// The session that was given, or what it means that none was.
fn session_in(answer: &Answer, parcel: &Parcel) -> Result<Session, Outcome> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|_| unwritten(strange("Bluesky")));
    }
    Err(match outcome(answer, parcel) {
        // It is the account, whatever the status.
        Outcome::Refused { why, .. } => refused(&format!("no session: {why}"), true),
        other => unwritten(other),
    })
}

/// What the server calls its error.
fn fault(answer: &Answer) -> Option<String> {
    let said = serde_json::from_slice::<Fault>(&answer.body).ok()?;
    word(&said.error).map(str::to_owned)
}

/// Whether the session is over that was shown: so the server says, with either status. A 401 without such a word is no such thing.
fn is_over(answer: &Answer) -> bool {
    let is_status = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    let name = fault(answer);
    is_status && matches!(name.as_deref(), Some("ExpiredToken" | "InvalidToken"))
}

fn outcome(answer: &Answer, parcel: &Parcel) -> Outcome {
    if answer.status.is_success() {
        return match serde_json::from_slice::<Put>(&answer.body) {
            Ok(put) => Outcome::Accepted { remote_id: Some(format!("{} {}", put.uri, put.cid)) },
            Err(_) => strange("Bluesky"),
        };
    }
    let name = fault(answer);
    if answer.status == StatusCode::NOT_IMPLEMENTED {
        return refused("answered 501: no such method there", true);
    }
    match usual(answer, WHOLE, name.as_deref()) {
        Outcome::Wait { after, why } => {
            Outcome::Wait { after: after.or(until_reset(answer, parcel.now)), why }
        }
        Outcome::Refused { why, .. } if is_over(answer) => refused(&why, true),
        other => other,
    }
}

/// How long until it takes more.
fn until_reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let reset = answer.headers.get("ratelimit-reset")?.to_str().ok()?.trim().parse::<i64>().ok()?;
    Some(Duration::from_secs(reset.saturating_sub(now.as_second()).max(1).unsigned_abs()))
}

fn hour(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The key of a post: a TID, which is 53 bits of microseconds and 10 of who made it, in letters that sort as numbers do. Below the
/// millisecond it is of the delivery, so that two of one hour are two.
fn key(at: Timestamp, delivery: &str) -> String {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let hash = crypto::sha256(delivery.as_bytes());
    let own = u64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]));
    let micros = u64::try_from(at.as_millisecond()).unwrap_or_default() * 1000 + own % 1000;
    let number = (micros & ((1 << 53) - 1)) << 10 | (own / 1000) & 1023;
    let letter = |place: u64| LETTERS.get(usize::try_from(number >> (5 * place) & 31).unwrap_or_default());
    (0..13).rev().filter_map(letter).map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::{build, json_answer, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

    const ROOT: &str = "at://did:plc:malvpxmtby24paie4vu6jiub/app.bsky.feed.post/3m6az3xoh2s2a bafyreiroot";

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/bluesky/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn ok(name: &str) -> &'static str {
        json_answer("200 OK", fixture(name))
    }

    fn account(url: &str, more: &[(&str, &str)]) -> Channel {
        let texts = [("url", url), ("handle", "onscene.test"), ("private_addresses", "allow")];
        let texts: Vec<_> = texts.into_iter().chain(more.iter().copied()).collect();
        build(&KIND, &texts, &[("password", "not-a-real-password\n")]).unwrap()
    }

    #[tokio::test]
    async fn a_post_is_put_at_the_same_key_however_often_it_is_sent() {
        let (url, requests) = receiver(vec![ok("session"), ok("put"), ok("put")]).await;
        let account = account(&url, &[("language", "en"), ("link", "https://status.example.net")]);
        let id = "at://did:plc:malvpxmtby24paie4vu6jiub/app.bsky.feed.post/3m6az3xoh2s2a bafyreiabc2yxy4qg6ir5muqvdkjmw7yyfuzkgrxkoqjbkdrcnlh3o6i2va";
        assert_eq!(account.send(&statement(1)).await, Outcome::Accepted { remote_id: Some(id.into()) });
        account.send(&statement(2)).await;
        let requests = requests.await;
        assert!(
            requests[0].line.starts_with("POST /xrpc/com.atproto.server.createSession "),
            "{}",
            requests[0].line
        );
        assert_eq!(
            requests[0].json(),
            json!({"identifier": "onscene.test", "password": "not-a-real-password"})
        );
        assert!(
            requests[1].line.starts_with("POST /xrpc/com.atproto.repo.putRecord "),
            "{}",
            requests[1].line
        );
        assert_eq!(requests[1].header("authorization"), "Bearer access-not-a-real-token");
        assert_eq!(requests[1].body, requests[2].body, "the same bytes, by the same session");
        let body = requests[1].json();
        assert_eq!(body["repo"], "did:plc:malvpxmtby24paie4vu6jiub");
        assert_eq!(body["rkey"], key(statement(1).statement.unwrap().at, &statement(1).delivery));
        let record = &body["record"];
        assert_eq!(
            (record["createdAt"].as_str(), &record["langs"][0]),
            (Some("2026-11-23T02:13:20.000Z"), &json!("en"))
        );
        let text = record["text"].as_str().unwrap();
        let index = |end: &str| usize::try_from(record["facets"][0]["index"][end].as_u64().unwrap()).unwrap();
        assert_eq!(&text[index("byteStart")..index("byteEnd")], "https://status.example.net");
        assert_eq!(record["facets"][0]["features"][0]["uri"], "https://status.example.net");
        assert_eq!(record.get("reply"), None);
    }

    #[tokio::test]
    async fn an_answer_names_the_first_and_what_it_answers_and_none_that_is_gone() {
        let reply = Parcel { thread_root: Some(ROOT.into()), ..statement(1) };
        let (url, requests) = receiver(vec![ok("record"), ok("session"), ok("put")]).await;
        account(&url, &[]).send(&reply).await;
        let requests = requests.await;
        let line = "GET /xrpc/com.atproto.repo.getRecord?repo=did%3Aplc%3Amalvpxmtby24paie4vu6jiub&collection=app.bsky.feed.post&rkey=3m6az3xoh2s2a ";
        assert!(requests[0].line.starts_with(line), "{}", requests[0].line);
        let root = json!({"uri": ROOT.split(' ').next(), "cid": "bafyreiroot"});
        assert_eq!(requests[2].json()["record"]["reply"], json!({"root": root, "parent": root}));

        let gone = json_answer("400 Bad Request", fixture("not_found"));
        for (answer, answered) in [(gone, false), (json_answer("500 Oops", ""), true)] {
            let (url, requests) = receiver(vec![answer, ok("session"), ok("put")]).await;
            let begins = matches!(account(&url, &[]).send(&reply).await, Outcome::Begun { .. });
            let record = requests.await[2].json()["record"].clone();
            assert_eq!((record.get("reply").is_some(), begins), (answered, !answered), "{record}");
        }
        // What corrects one that is gone answers the first.
        let mut correction = reply.clone();
        let said = correction.statement.as_mut().unwrap();
        said.sort = Sort::Correction;
        let remote_id = Some(ROOT.replace("3m6az3xoh2s2a", "3m6az3xoh2s2b"));
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id });
        let (url, requests) = receiver(vec![gone, ok("record"), ok("session"), ok("put")]).await;
        assert_eq!(account(&url, &[]).send(&correction).await.as_str(), "accepted");
        assert_eq!(requests.await[3].json()["record"]["reply"], json!({"root": root, "parent": root}));
        // An id of another kind of channel is none.
        let (url, requests) = receiver(vec![ok("session"), ok("put")]).await;
        account(&url, &[]).send(&Parcel { thread_root: Some("1795400000.000100".into()), ..reply }).await;
        assert_eq!(requests.await[1].json()["record"].get("reply"), None);
    }

    #[tokio::test]
    async fn a_session_is_kept_then_exchanged_and_only_then_made_again() {
        let over = json_answer("400 Bad Request", fixture("expired"));
        let answers = vec![
            ok("session"),
            over,
            ok("refreshed"),
            ok("put"),
            ok("put"),
            over,
            over,
            ok("session"),
            ok("put"),
        ];
        let (url, requests) = receiver(answers).await;
        let account = account(&url, &[]);
        for _ in 0..3 {
            assert_eq!(account.send(&statement(1)).await.as_str(), "accepted");
        }
        let requests = requests.await;
        let seen: Vec<_> = requests
            .iter()
            .map(|seen| {
                (
                    seen.line.rsplit_once(' ').unwrap().0.rsplit('.').next().unwrap(),
                    seen.header("authorization"),
                )
            })
            .collect();
        let bearer = |name: &str| format!("Bearer {name}-not-a-real-token");
        assert_eq!(
            seen,
            [
                ("createSession", String::new()),
                ("putRecord", bearer("access")),
                ("refreshSession", bearer("refresh")),
                ("putRecord", bearer("access-2")),
                ("putRecord", bearer("access-2")),
                ("putRecord", bearer("access-2")),
                ("refreshSession", bearer("refresh-2")),
                ("createSession", String::new()),
                ("putRecord", bearer("access")),
            ]
        );
        assert_eq!(requests[2].body, "", "a refresh has no body");
    }

    #[tokio::test]
    async fn a_wrong_password_is_the_whole_channel_and_logins_have_a_limit() {
        let no = json_answer("401 Unauthorized", fixture("wrong_password"));
        let (url, _requests) = receiver(vec![no]).await;
        let whole = refused("no session: answered 401 (AuthenticationRequired)", true);
        assert_eq!(account(&url, &[]).send(&statement(1)).await, whole);
        let (url, requests) = receiver(vec![no; LOGINS_AN_HOUR_MAX + 1]).await;
        let account = account(&url, &[]);
        for _ in 0..LOGINS_AN_HOUR_MAX {
            assert_eq!(account.send(&statement(1)).await.as_str(), "refused");
        }
        let Outcome::Wait { after: Some(after), .. } = account.send(&statement(1)).await else {
            panic!("no more")
        };
        assert_eq!(after.as_secs(), 3600);
        let later = Parcel { now: statement(1).now + AN_HOUR, ..statement(1) };
        assert_eq!(account.send(&later).await.as_str(), "refused", "it is asked again");
        assert_eq!(requests.await.len(), LOGINS_AN_HOUR_MAX + 1);
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_removed_before_it_is_told() {
        let mut parcel = Parcel { thread_root: Some(ROOT.into()), ..statement(1) };
        let said = parcel.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id: Some(ROOT.into()) });
        let (url, requests) = receiver(vec![ok("session"), json_answer("200 OK", "{}"), ok("put")]).await;
        assert_eq!(account(&url, &[]).send(&parcel).await.as_str(), "accepted");
        let requests = requests.await;
        assert!(
            requests[1].line.starts_with("POST /xrpc/com.atproto.repo.deleteRecord "),
            "{}",
            requests[1].line
        );
        let body = json!({"repo": "did:plc:malvpxmtby24paie4vu6jiub", "collection": COLLECTION, "rkey": "3m6az3xoh2s2a"});
        assert_eq!(requests[1].json(), body);
        assert_eq!(requests[2].json()["record"].get("reply"), None, "nobody answers what is gone");
        for (answer, expected) in [
            ("", "unknown"),
            (json_answer("500 Oops", ""), "unknown"),
            (json_answer("429 Slow", ""), "unknown"),
            (json_answer("403 No", ""), "stands"),
        ] {
            let (url, requests) = receiver(vec![ok("session"), answer, ok("put")]).await;
            let outcome = account(&url, &[]).send(&parcel).await;
            assert_eq!((outcome.as_str(), requests.await.len()), (expected, 3), "{outcome:?}");
        }
        for unnamed in [None, Some("no id of Bluesky's".to_owned())] {
            parcel.statement.as_mut().unwrap().mends.as_mut().unwrap().remote_id = unnamed;
            parcel.thread_root = None;
            let (url, _requests) = receiver(vec![ok("session"), ok("put")]).await;
            assert_eq!(account(&url, &[]).send(&parcel).await.as_str(), "stands", "people have to look");
        }
    }

    #[tokio::test]
    async fn both_limits_are_kept() {
        let mut parcel = statement(1);
        let account = account("http://127.0.0.1:1", &[]);
        let text = |parcel: &mut Parcel, text: String| parcel.statement.as_mut().unwrap().text = text;
        text(&mut parcel, "ü".repeat(250));
        let shown = account.shows(&parcel);
        assert_eq!((shown.size, shown.fits(), shown.unit), (26 + 1 + 21 + 2 + 250, true, "characters"));
        text(&mut parcel, "ü".repeat(251));
        let outcome = account.send(&parcel).await;
        assert_eq!(outcome, refused("too long: it has 301 characters, and 300 are taken", false));
        // 150 characters to a reader, and 25 bytes each.
        text(&mut parcel, "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(150));
        let shown = account.shows(&parcel);
        assert_eq!((shown.size, shown.most, shown.unit), (50 + 150 * 25, 3000, "bytes"));
        let limit = json_answer("429 Slow\r\nratelimit-reset: 1795400310", fixture("slow"));
        let (url, _requests) = receiver(vec![ok("session"), limit]).await;
        let why = "answered 429 (RateLimitExceeded)".to_owned();
        let waits = Outcome::Wait { after: Some(Duration::from_secs(300)), why };
        assert_eq!(self::account(&url, &[]).send(&statement(1)).await, waits);
    }

    #[test]
    fn a_key_sorts_by_hour_and_differs_by_delivery() {
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_795_400_000_000 + milliseconds).unwrap();
        let one = key(at(0), "one");
        assert_eq!(one, key(at(0), "one"));
        assert_ne!(one, key(at(0), "two"));
        assert!(one < key(at(1), "one") && key(at(1), "two") > key(at(0), "one"));
        for key in [one, key(at(86_400_000), "three"), key(Timestamp::UNIX_EPOCH, "four")] {
            // As the specification of TIDs has it.
            assert_eq!(key.len(), 13, "{key}");
            assert!(key.starts_with(|first: char| "234567abcdefghij".contains(first)), "{key}");
            assert!(key.chars().all(|one| "234567abcdefghijklmnopqrstuvwxyz".contains(one)), "{key}");
        }
        assert_eq!(hour(at(0)), "2026-11-23T02:13:20.000Z");
    }

    #[test]
    fn a_handle_is_the_name_of_an_account() {
        for (handle, right) in [
            ("example.bsky.social", true),
            ("did:plc:malvpxmtby24paie4vu6jiub", true),
            ("@example.bsky.social", false),
            ("example", false),
        ] {
            let built = build(&KIND, &[("handle", handle)], &[("password", "x")]);
            assert_eq!(built.is_ok(), right, "{handle}");
        }
    }
}
