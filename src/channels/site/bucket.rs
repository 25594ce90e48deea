//! A bucket of a store that speaks S3, by three verbs on whole objects, addressed by path, which all of them understand.
//!
//! An object has no directory index: `/history` is the object `history`, with its own type. Only what changed is sent. What does not
//! get ready within an attempt goes on with the next: the manifest says how far it came.

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
use super::{MANIFEST, Manifest, mark};
use crate::public::{File, Files};

/// What stands in a path as it is; the slashes between its segments do, too.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Objects on their way at the same time.
const AT_ONCE_MAX: usize = 4;
/// For all objects of one attempt; the manifest has the rest.
const OBJECTS_DEADLINE: Duration = Duration::from_secs(13);
/// For the whole attempt.
const DEADLINE: Duration = Duration::from_secs(18);
const MANIFEST_DEADLINE: Duration = Duration::from_secs(4);
/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Whoever shows the objects may keep them for so long.
const CACHE: HeaderValue =
    HeaderValue::from_static("public, max-age=30, stale-while-revalidate=30, stale-if-error=86400");
/// Statuses for which nothing of the channel is right.
const WHOLE: &[u16] = &[401, 403, 404, 410];

const _: () = assert!(OBJECTS_DEADLINE.as_secs() + MANIFEST_DEADLINE.as_secs() < DEADLINE.as_secs());
const _: () = assert!(DEADLINE.as_secs() < SEND_DEADLINE.as_secs());

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
        let before = self.manifest(now).await?;
        if before.stays(files, statement) {
            return Ok(());
        }
        let after = Manifest::of(files, name);
        let changed = |(path, file): &(&str, &File)| before.files.get(&name(path, file)) != Some(&mark(file));
        let (pages, others): (Vec<_>, Vec<_>) =
            files.all().filter(changed).partition(|(path, _)| path.starts_with("/incidents/"));
        let mut there = Manifest { files: before.files.clone(), ..Manifest::default() };
        let ended = tokio::time::timeout(OBJECTS_DEADLINE, async {
            for part in [pages, others] {
                let mut puts = FuturesUnordered::new();
                for (path, file) in part {
                    if puts.len() >= AT_ONCE_MAX
                        && let Some(put) = puts.next().await
                    {
                        there.files.extend(Some(put?));
                    }
                    puts.push(self.put_file(path, file, now));
                }
                while let Some(put) = puts.next().await {
                    there.files.extend(Some(put?));
                }
            }
            let gone: Vec<String> =
                there.files.keys().filter(|name| !after.files.contains_key(*name)).cloned().collect();
            for name in gone {
                self.remove(&name, now).await?;
                there.files.remove(&name);
            }
            Ok(())
        });
        let ended = ended.await;
        match ended {
            Ok(Ok(())) => {}
            _ if there.files == before.files => {}
            // The next attempt goes on from here. Of what was said nothing is claimed yet.
            _ => self.put_manifest(&there, now).await?,
        }
        match ended {
            Ok(Ok(())) => self.put_manifest(&after, now).await,
            Ok(Err(outcome)) => Err(outcome),
            Err(_) => Err(Outcome::Wait {
                after: None,
                why: "there was time for a part of the files; the rest follows".into(),
            }),
        }
    }

    async fn manifest(&self, now: Timestamp) -> Result<Manifest, Outcome> {
        let (uri, headers) = self.request(&Method::GET, MANIFEST, HeaderMap::new(), b"", now)?;
        let fetched =
            self.client.fetch(self.reach, &uri, headers, MANIFEST_BYTES_MAX, MANIFEST_DEADLINE).await;
        // Nothing was written yet: it can be tried again.
        let fetched = fetched.map_err(|why| Outcome::Wait { after: None, why })?;
        match fetched.status.as_u16() {
            200 => Ok(serde_json::from_slice(&fetched.body).unwrap_or_default()),
            404 if code(&fetched.body).is_none_or(|code| code == "NoSuchKey") => Ok(Manifest::default()),
            // Whoever may write and not list is not told that there is none. Writing will show.
            403 if code(&fetched.body).is_some_and(|code| code == "AccessDenied") => Ok(Manifest::default()),
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

    async fn put_manifest(&self, manifest: &Manifest, now: Timestamp) -> Result<(), Outcome> {
        let body =
            serde_json::to_vec(manifest).map_err(|_| refused("the manifest cannot be written", false))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.put(MANIFEST, headers, body.into(), now).await
    }

    async fn put_file(&self, path: &str, file: &File, now: Timestamp) -> Result<(String, String), Outcome> {
        let name = name(path, file);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, file.content_type.clone());
        headers.insert(header::CACHE_CONTROL, CACHE);
        self.put(&name, headers, file.bytes.clone(), now).await?;
        Ok((name, mark(file)))
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
