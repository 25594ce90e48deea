//! Files that are ready to be handed out: bytes, the same in gzip, and what is said of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use crate::crypto;

/// Hexadecimal digits of a hash in an `ETag`: 128 bits.
const TAG_DIGITS: usize = 32;
/// Smaller files gain nothing by being packed.
const GZIP_BYTES_MIN: usize = 512;

/// All files of the page, by the path that they are asked for with. Made once, and never changed.
#[derive(Debug)]
pub struct Files {
    made_at: Timestamp,
    files: BTreeMap<String, File>,
    /// The keys of the statements in them, by their ids.
    holds: BTreeMap<String, String>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct File {
    /// What it is.
    pub content_type: HeaderValue,
    /// What browsers may do with it.
    pub policy: Option<HeaderValue>,
    /// As it is.
    pub bytes: Bytes,
    /// The same in gzip, where that is smaller.
    pub gzip: Option<Bytes>,
    /// The fingerprint of the bytes, quoted.
    pub tag: HeaderValue,
    /// Of those in gzip: they are others.
    pub gzip_tag: HeaderValue,
    /// When the bytes became what they are, as HTTP writes hours.
    pub modified: HeaderValue,
    /// The same hour, in whole seconds.
    pub modified_at: Timestamp,
}

impl Files {
    /// None at all: nothing was published yet.
    pub fn none() -> Self {
        Self { made_at: Timestamp::UNIX_EPOCH, files: BTreeMap::new(), holds: BTreeMap::new() }
    }

    /// Of what was written at an hour, with the one at which bytes that are others now became so. `holds`: the keys of the statements in
    /// it, by their ids. What has the same bytes in `before` keeps its hour, and is not packed again.
    pub(super) fn of(
        (made_at, modified): (Timestamp, Timestamp),
        written: Vec<Written>,
        holds: BTreeMap<String, String>,
        before: Option<&Self>,
    ) -> Self {
        let ready = |one: Written| {
            let earlier = before.and_then(|before| before.files.get(&one.path));
            let file = match earlier {
                Some(file) if file.bytes == one.bytes && file.policy == one.policy => file.clone(),
                _ => File::of(one.content_type, one.policy, Bytes::from(one.bytes), modified),
            };
            (one.path, file)
        };
        Self { made_at, files: written.into_iter().map(ready).collect(), holds }
    }

    /// When what they show was so.
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// The file at a path, which begins with a slash and has none at its end.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// All of them, by their paths.
    pub fn all(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The key of a statement by its id, when it stands in them, if only as taken back.
    pub fn key_of(&self, statement: &str) -> Option<&str> {
        self.holds.get(statement).map(String::as_str)
    }

    /// The keys of all statements that stand in them.
    pub fn statements(&self) -> impl Iterator<Item = &str> {
        self.holds.values().map(String::as_str)
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// As one piece, to be kept.
    ///
    /// # Errors
    /// None that is known.
    pub fn pack(&self) -> Result<Vec<u8>, serde_json::Error> {
        let file = |(path, file): (&str, &File)| {
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let policy = file.policy.as_ref().map(text);
            let bytes = String::from_utf8_lossy(&file.bytes).into_owned();
            (path.to_owned(), text(&file.content_type), policy, bytes)
        };
        let files: Vec<_> = self.all().map(file).collect();
        serde_json::to_vec(&Packed { made_at: self.made_at.as_second(), files })
    }

    /// Reads what [`Files::pack`] wrote; which statements stand in it is not known of it.
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let Packed { made_at, files } = serde_json::from_slice(packed).ok()?;
        let made_at = Timestamp::from_second(made_at).ok()?;
        let file = |(path, content_type, policy, bytes): (String, String, Option<String>, String)| {
            let policy = policy.map(HeaderValue::try_from).transpose().ok()?;
            let content_type = HeaderValue::try_from(content_type).ok()?;
            Some((path, File::of(content_type, policy, Bytes::from(bytes), made_at)))
        };
        let files = files.into_iter().map(file).collect::<Option<_>>()?;
        Some(Self { made_at, files, holds: BTreeMap::new() })
    }
}

/// What was written, before it is made ready.
pub(super) struct Written {
    pub(super) path: String,
    pub(super) content_type: HeaderValue,
    pub(super) policy: Option<HeaderValue>,
    pub(super) bytes: Vec<u8>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Packed {
    made_at: i64,
    files: Vec<(String, String, Option<String>, String)>,
}

impl File {
    fn of(content_type: HeaderValue, policy: Option<HeaderValue>, bytes: Bytes, made_at: Timestamp) -> Self {
        let hash = crypto::hex(&crypto::sha256(&bytes));
        let hash = hash.get(..TAG_DIGITS).unwrap_or_default();
        let header =
            |text: String| HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        let modified_at = Timestamp::from_second(made_at.as_second()).unwrap_or(made_at);
        Self {
            content_type,
            policy,
            gzip: gzip(&bytes),
            tag: header(format!("\"{hash}\"")),
            gzip_tag: header(format!("\"{hash}-gzip\"")),
            modified: header(http_hour(modified_at)),
            modified_at,
            bytes,
        }
    }
}

/// An hour as HTTP writes it (RFC 9110, 5.6.7).
fn http_hour(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn gzip(bytes: &Bytes) -> Option<Bytes> {
    if bytes.len() < GZIP_BYTES_MIN {
        return None;
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).ok()?;
    let packed = packer.finish().ok()?;
    (packed.len() < bytes.len()).then(|| packed.into())
}

/// The first hexadecimal digits of the hash of a text.
pub(super) fn fingerprint(text: &str, digits: usize) -> String {
    let hash = crypto::hex(&crypto::sha256(text.as_bytes()));
    hash.get(..digits).unwrap_or_default().to_owned()
}

/// The newest files, for whoever hands them out. Clones see the same.
#[derive(Clone, Debug)]
pub struct Newest(watch::Sender<Arc<Files>>);

impl Default for Newest {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::new(Files::none())))
    }
}

impl Newest {
    /// They, as they are now. It waits for nobody: a swap takes as long as a pointer does.
    pub fn get(&self) -> Arc<Files> {
        self.0.borrow().clone()
    }

    /// Others from now on.
    pub fn swap(&self, files: Arc<Files>) {
        self.0.send_replace(files);
    }

    /// Tells when there are others.
    pub fn watch(&self) -> watch::Receiver<Arc<Files>> {
        self.0.subscribe()
    }
}
