//! A bucket of a store that speaks S3, by three verbs on whole objects, addressed by path, which all of them understand.
//!
//! An object has no directory index: `/history` is the object `history`, with its own type. Only what changed is sent. What does not
//! get ready within an attempt goes on with the next: the manifest says how far it came.
//!
//! Other nodes bring theirs, too, and a store has no lock. So the manifest is read once more before it is written, and written only if it
//! is that still (`If-Match`, `If-None-Match`; where a store knows no such condition, without). What somebody else wrote meanwhile stays in
//! it; of what both wrote nothing is known, so it has no mark, nothing is claimed of the whole, and the next attempt puts it again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::api::{again, refused, usual, word};
use super::super::client::{Answer, Client, Failure, Reach};
use super::super::webhook::reach;
use super::super::{Fields, Outcome, SEND_DEADLINE, Shared};
use super::sign::Signer;
use super::{MANIFEST, Manifest, TURN_DEADLINE, mark};
use crate::public::{File, Files};

/// What stands in a path as it is; the slashes between its segments do, too.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Objects on their way at the same time.
const AT_ONCE_MAX: usize = 4;
/// For all objects of one attempt; the manifest has the rest.
const OBJECTS_DEADLINE: Duration = Duration::from_secs(8);
/// For the whole attempt.
const DEADLINE: Duration = Duration::from_secs(17);
/// To read the manifest.
const MANIFEST_DEADLINE: Duration = Duration::from_secs(3);
/// To read it again and to write it, and how often where others write it, too.
const NOTE_DEADLINE: Duration = Duration::from_secs(5);
const NOTES_MAX: u32 = 4;
/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Whoever shows the objects may keep them for so long.
const CACHE: HeaderValue =
    HeaderValue::from_static("public, max-age=30, stale-while-revalidate=30, stale-if-error=86400");
/// Statuses for which nothing of the channel is right.
const WHOLE: &[u16] = &[401, 403, 404, 410];

/// What may come of a condition: it is not so, or the store knows none.
const CONDITION: &[u16] = &[304, 400, 404, 412, 501];
/// The mark of what may be this or that.
const UNKNOWN: &str = "";

const _: () = assert!(
    MANIFEST_DEADLINE.as_secs() + OBJECTS_DEADLINE.as_secs() + NOTE_DEADLINE.as_secs() < DEADLINE.as_secs()
);
const _: () = assert!(TURN_DEADLINE.as_secs() + DEADLINE.as_secs() < SEND_DEADLINE.as_secs());

/// By name: the marks of what stands in a bucket.
type Marks = BTreeMap<String, String>;

/// The manifest as it was read.
struct Seen {
    manifest: Manifest,
    tag: Tag,
}

/// What tells one manifest from the next.
#[derive(Clone, PartialEq, Eq)]
enum Tag {
    /// There is none, or we are not told of it.
    None,
    Is(HeaderValue),
    /// The store does not say.
    Unsaid,
}

/// What became of a manifest that was to be written over one that was read.
enum Noted {
    Written,
    /// Another is there by now, or the store knows no such condition.
    Refused,
    /// Somebody else writes it at this moment.
    Busy,
}

/// A bucket, and who writes to it.
pub(super) struct Bucket {
    client: Client,
    reach: Reach,
    /// `https://host`
    origin: String,
    host: String,
    /// `/bucket/prefix/`, as it stands in addresses.
    path: String,
    signer: Signer,
}

impl Bucket {
    pub(super) fn build(mut fields: Fields, shared: &Shared) -> Result<Self, String> {
        let mut text = |key: &str| fields.texts.remove(key).map(|text| text.trim().to_owned());
        let bucket = text("bucket").unwrap_or_default();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(fits) {
            return Err("`bucket` is the name of a bucket, 3 to 63 letters, digits and -".into());
        }
        let region = text("region").unwrap_or_else(|| "us-east-1".into());
        if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(
                "`region` is a name such as eu-north-1; what has no regions takes us-east-1 or auto".into()
            );
        }
        let endpoint = text("endpoint").unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let uri: Uri = endpoint.parse().map_err(|_| "`endpoint` is no address")?;
        let authority = uri.authority().filter(|at| !at.as_str().contains('@'));
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), authority) else {
            return Err("`endpoint` begins with https:// or http://, and names a host and no user".into());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("`endpoint` is a host alone: the bucket stands in `bucket`, what comes before names in `prefix`".into());
        }
        // As the client writes it: a port that goes without saying is not said.
        let usual_port = if scheme == "https" { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != usual_port => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        let prefix = text("prefix").unwrap_or_default();
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.contains(char::is_control) {
            return Err("`prefix` is a plain path, such as status".into());
        }
        let path = if prefix.is_empty() { format!("/{bucket}/") } else { format!("/{bucket}/{prefix}/") };
        let access_key_id =
            text("access_key_id").filter(|id| !id.is_empty()).ok_or("`access_key_id` is missing")?;
        if !access_key_id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',' | b'=')) {
            return Err("`access_key_id` is one word".into());
        }
        let reach = reach(text("private_addresses").as_deref())?;
        let secret_key = fields.secrets.remove("secret_key").ok_or("`secret_key_file` is missing")?;
        Ok(Self {
            client: shared.client.clone(),
            reach,
            origin: format!("{scheme}://{authority}"),
            host,
            path: utf8_percent_encode(&path, PATH).to_string(),
            signer: Signer { access_key_id, secret_key, region },
        })
    }

    /// Puts the files there that are not there yet; those that others link to first.
    pub(super) async fn bring(
        &self,
        files: &Files,
        statement: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Outcome> {
        let late = || Outcome::Unknown { why: "no answer in time".into() };
        tokio::time::timeout(DEADLINE, self.bring_all(files, statement, now))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn bring_all(&self, files: &Files, statement: Option<&str>, now: Timestamp) -> Result<(), Outcome> {
        let seen = self.manifest(now).await?;
        if seen.manifest.stays(files, statement) {
            return Ok(());
        }
        let after = Manifest::of(files, name);
        let mut there = seen.manifest.files.clone();
        let puts = self.put_changed(files, &after, &mut there, now);
        let part = || Outcome::Wait {
            after: None,
            why: "there was time for a part of the files; the rest follows".into(),
        };
        let ended = tokio::time::timeout(OBJECTS_DEADLINE, puts).await.unwrap_or_else(|_| Err(part()));
        if ended.is_err() && there == seen.manifest.files {
            return ended;
        }
        // Where it broke off, the next attempt goes on from here. Of what was said nothing is claimed then.
        let whole = ended.is_ok().then_some(&after);
        let late = || Outcome::Unknown { why: "no answer in time".into() };
        let note = self.note(&seen.manifest.files, &there, (whole, files, statement), now);
        let noted = tokio::time::timeout(NOTE_DEADLINE, note).await.unwrap_or_else(|_| Err(late()));
        ended.and(noted)
    }

    /// Puts what changed, and removes what is no more. `there` says what stands there; what is on its way may be this or that.
    async fn put_changed(
        &self,
        files: &Files,
        after: &Manifest,
        there: &mut Marks,
        now: Timestamp,
    ) -> Result<(), Outcome> {
        let changed = |(path, file): &(&str, &File)| there.get(&name(path, file)) != Some(&mark(file));
        let (pages, others): (Vec<_>, Vec<_>) =
            files.all().filter(changed).partition(|(path, _)| path.starts_with("/incidents/"));
        for part in [pages, others] {
            let mut part = part.into_iter();
            let mut puts = FuturesUnordered::new();
            loop {
                while puts.len() < AT_ONCE_MAX
                    && let Some((path, file)) = part.next()
                {
                    let before = there.insert(name(path, file), UNKNOWN.to_owned());
                    puts.push(
                        async move { (name(path, file), before, self.put_file(path, file, now).await) },
                    );
                }
                let Some((name, before, put)) = puts.next().await else { break };
                match (put, before) {
                    (Ok(mark), _) => drop(there.insert(name, mark)),
                    (Err(outcome @ Outcome::Unknown { .. }), _) => return Err(outcome),
                    // It was certainly not written.
                    (Err(outcome), Some(before)) => {
                        there.insert(name, before);
                        return Err(outcome);
                    }
                    (Err(outcome), None) => {
                        there.remove(&name);
                        return Err(outcome);
                    }
                }
            }
        }
        let gone: Vec<String> =
            there.keys().filter(|name| !after.files.contains_key(*name)).cloned().collect();
        for name in gone {
            there.insert(name.clone(), UNKNOWN.to_owned());
            self.remove(&name, now).await?;
            there.remove(&name);
        }
        Ok(())
    }

    /// Writes down what is there. `before`: what was there when it began, `there`: what this attempt has made of it; `whole`: what is
    /// claimed, where nobody else made something else of it meanwhile.
    async fn note(
        &self,
        before: &Marks,
        there: &Marks,
        (whole, files, statement): (Option<&Manifest>, &Files, Option<&str>),
        now: Timestamp,
    ) -> Result<(), Outcome> {
        let mut refused: Option<Tag> = None;
        for _ in 0..NOTES_MAX {
            let newest = self.manifest(now).await?;
            let merged = merged(before, there, &newest.manifest.files);
            if merged == newest.manifest.files && newest.manifest.stays(files, statement) {
                return Ok(());
            }
            let has = |(name, mark): (&String, &String)| merged.get(name) == Some(mark);
            let claimed = whole.filter(|whole| whole.files.iter().all(has));
            let (made_at, statements) =
                claimed.map(|claimed| (claimed.made_at, claimed.statements.clone())).unwrap_or_default();
            let manifest = Manifest { made_at, files: merged, statements };
            // Refused although nobody has written since: the store means something else by it.
            let condition = Some(&newest.tag).filter(|tag| refused.as_ref() != Some(*tag));
            match self.put_manifest(&manifest, condition, now).await? {
                Noted::Written => {
                    let why = "somebody else brought another page there at the same time".to_owned();
                    let is_other = whole.is_some() && claimed.is_none();
                    return if is_other { Err(Outcome::Wait { after: None, why }) } else { Ok(()) };
                }
                Noted::Refused => refused = Some(newest.tag),
                Noted::Busy => {}
            }
        }
        Err(Outcome::Unknown { why: "somebody else writes the same manifest at the same time".into() })
    }

    async fn manifest(&self, now: Timestamp) -> Result<Seen, Outcome> {
        let (uri, headers) = self.request(&Method::GET, MANIFEST, HeaderMap::new(), b"", now)?;
        let fetched =
            self.client.fetch(self.reach, &uri, headers, MANIFEST_BYTES_MAX, MANIFEST_DEADLINE).await;
        // Nothing was written yet: it can be tried again.
        let fetched = fetched.map_err(|why| Outcome::Wait { after: None, why })?;
        let none = Seen { manifest: Manifest::default(), tag: Tag::None };
        match fetched.status.as_u16() {
            200 => {
                let manifest = serde_json::from_slice(&fetched.body).unwrap_or_default();
                // A weak one fits nothing.
                let tag = fetched.headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
                Ok(Seen { manifest, tag: tag.map_or(Tag::Unsaid, |tag| Tag::Is(tag.clone())) })
            }
            404 if code(&fetched.body).is_none_or(|code| code == "NoSuchKey") => Ok(none),
            // Whoever may write and not list is not told that there is none. Writing will show.
            403 if code(&fetched.body).is_some_and(|code| code == "AccessDenied") => Ok(none),
            _ => {
                let answer = Answer {
                    status: fetched.status,
                    retry_after: None,
                    headers: fetched.headers,
                    body: fetched.body,
                };
                match outcome(&answer) {
                    Outcome::Unknown { why } => Err(Outcome::Wait { after: None, why }),
                    other => Err(other),
                }
            }
        }
    }

    /// Writes the manifest, only over the one with this tag.
    async fn put_manifest(
        &self,
        manifest: &Manifest,
        only: Option<&Tag>,
        now: Timestamp,
    ) -> Result<Noted, Outcome> {
        let body: Bytes = serde_json::to_vec(manifest)
            .map_err(|_| refused("the manifest cannot be written", false))?
            .into();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match only {
            Some(Tag::Is(tag)) => drop(headers.insert(header::IF_MATCH, tag.clone())),
            Some(Tag::None) => drop(headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Some(Tag::Unsaid) | None => {}
        }
        let (uri, headers) = self.request(&Method::PUT, MANIFEST, headers, &body, now)?;
        let answer = self.client.put(self.reach, &uri, headers, body).await;
        let is_conditional = matches!(only, Some(Tag::Is(_) | Tag::None));
        match &answer {
            Ok(answer) if is_conditional && answer.status == StatusCode::CONFLICT => Ok(Noted::Busy),
            Ok(answer) if is_conditional && CONDITION.contains(&answer.status.as_u16()) => Ok(Noted::Refused),
            _ => done(answer).map(|()| Noted::Written),
        }
    }

    /// The mark of what is there now.
    async fn put_file(&self, path: &str, file: &File, now: Timestamp) -> Result<String, Outcome> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, file.content_type.clone());
        headers.insert(header::CACHE_CONTROL, CACHE);
        self.put(&name(path, file), headers, file.bytes.clone(), now).await?;
        Ok(mark(file))
    }

    async fn put(&self, name: &str, headers: HeaderMap, body: Bytes, now: Timestamp) -> Result<(), Outcome> {
        let (uri, headers) = self.request(&Method::PUT, name, headers, &body, now)?;
        done(self.client.put(self.reach, &uri, headers, body).await)
    }

    async fn remove(&self, name: &str, now: Timestamp) -> Result<(), Outcome> {
        let (uri, headers) = self.request(&Method::DELETE, name, HeaderMap::new(), b"", now)?;
        match self.client.delete(self.reach, &uri, headers).await {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => Ok(()),
            other => done(other),
        }
    }

    fn request(
        &self,
        method: &Method,
        name: &str,
        headers: HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(Uri, HeaderMap), Outcome> {
        let wrong = || refused("its address cannot be written", false);
        let path = format!("{}{}", self.path, utf8_percent_encode(name, PATH));
        let uri = format!("{}{path}", self.origin).parse().map_err(|_| wrong())?;
        let headers = self.signer.sign(method, &self.host, &path, headers, body, now).map_err(|_| wrong())?;
        Ok((uri, headers))
    }
}

/// What stands in a bucket after an attempt that found `before` and left `there`, while `newest` was noted by others.
fn merged(before: &Marks, there: &Marks, newest: &Marks) -> Marks {
    let mut merged = newest.clone();
    let names = before.keys().chain(there.keys());
    for name in names.filter(|name| before.get(*name) != there.get(*name)) {
        let (ours, theirs) = (there.get(name), newest.get(name));
        let is_ours = theirs == before.get(name) || theirs == ours;
        match ours.filter(|_| is_ours) {
            Some(ours) => drop(merged.insert(name.clone(), ours.clone())),
            None if is_ours => drop(merged.remove(name)),
            None => drop(merged.insert(name.clone(), UNKNOWN.to_owned())),
        }
    }
    merged
}

/// The name of an object behind the prefix.
fn name(path: &str, _: &File) -> String {
    match path {
        "/" => "index.html".to_owned(),
        "/nothing-here" => "404.html".to_owned(),
        path => path.trim_start_matches('/').to_owned(),
    }
}

fn done(answer: Result<Answer, Failure>) -> Result<(), Outcome> {
    match answer {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(outcome(&answer)),
        Err(Failure::NotSent(why)) => Err(Outcome::Wait { after: None, why }),
        Err(Failure::Maybe(why)) => Err(Outcome::Unknown { why }),
    }
}

fn outcome(answer: &Answer) -> Outcome {
    let code = code(&answer.body);
    // The same files again are the same files.
    again(answer, usual(answer, WHOLE, code.as_deref()))
}

/// What the store calls its error: a word between two tags.
fn code(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    word(code.trim()).map(str::to_owned)
}
