//! The public status page as files elsewhere: in a directory that a web server hands out, or in a bucket of a store that speaks
//! Amazon's S3, so that it lives in another building than what it reports on.
//!
//! It is not made of a parcel: the files are those of the public listener, and this channel brings the newest ones where they belong.
//! A statement is delivered when it stands in files that are there. Until this node has made such files the letter waits. The same
//! files again change nothing, so a repeat is recognised. `.onscene-site.json` beside them says which files are ours: nothing else is
//! ever removed.
//!
//! Letters of several incidents and the copies of the page come at the same time: one after the other brings files to a place, and who
//! has to wait for long comes again. A disk that never answers so keeps one thread, and no more.
//!
//! What the answers of a bucket mean: 2xx it is there · 429, 503 not now · 408, 425 and other 5xx it may be there · 3xx (another
//! region), 401, 403, 404 the whole channel is wrong · everything else: refused. Of a directory: what the disk says is waited out,
//! for somebody will mend it.
//!
//! Requests are signed here (`sign`, Signature Version 4) and sent by the one client. The library object_store (Apache) was
//! weighed: it brings reqwest as a second client and, with its signing, forty more crates, aws-lc-sys among them, which builds for
//! longer than all of this and is a second source of cryptography; what is used of S3 are three verbs on whole objects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::api::refused;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, SEND_DEADLINE, Shared};
use crate::public::{File, Files, Newest};

mod bucket;
mod directory;
mod sign;
#[cfg(test)]
mod stories;

use bucket::Bucket;

/// The public status page elsewhere.
pub const KIND: Kind = Kind {
    name: "site",
    keys: &[
        Key { name: "directory", secret: false, required: false },
        Key { name: "bucket", secret: false, required: false },
        Key { name: "endpoint", secret: false, required: false },
        Key { name: "region", secret: false, required: false },
        Key { name: "access_key_id", secret: false, required: false },
        Key { name: "secret_key", secret: true, required: false },
        Key { name: "prefix", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Site::build,
    address: None,
    status: true,
};

/// This node has not looked into the store since: it does so every few seconds.
const NOT_YET: Duration = Duration::from_secs(2);
/// So long is waited for who brings files to the same place.
const TURN_DEADLINE: Duration = Duration::from_secs(2);
/// A directory has this long.
const DIRECTORY_DEADLINE: Duration = Duration::from_secs(15);
/// How often, and how soon again, the lock of a directory is asked for.
const LOCK_TRIES_MAX: u32 = 40;
const LOCK_AGAIN: Duration = Duration::from_millis(200);

const _: () = assert!(TURN_DEADLINE.as_secs() + DIRECTORY_DEADLINE.as_secs() < SEND_DEADLINE.as_secs());
const _: () = assert!(LOCK_AGAIN.as_millis() * (LOCK_TRIES_MAX as u128) < DIRECTORY_DEADLINE.as_millis());

/// What says which files are ours.
const MANIFEST: &str = ".onscene-site.json";

/// A place where the page is to be.
pub struct Site {
    newest: Newest,
    place: Place,
    /// Who brings files there has it.
    turn: Arc<Mutex<()>>,
    /// How long a directory has.
    patience: Duration,
}

enum Place {
    Directory(PathBuf),
    Bucket(Box<Bucket>),
}

/// Which files are there, and what they show.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// When it was so, in milliseconds since 1970.
    made_at: i64,
    /// By name: the beginning of the hash.
    files: BTreeMap<String, String>,
    /// The keys of the statements that stand in them.
    statements: BTreeSet<String>,
}

impl Site {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let directory = fields.texts.remove("directory");
        let place = match (directory, fields.texts.contains_key("bucket")) {
            (Some(directory), false) => {
                let only = ["endpoint", "region", "access_key_id", "prefix", "private_addresses"];
                let strange = only.into_iter().find(|key| fields.texts.contains_key(*key));
                let strange =
                    strange.or(fields.secrets.contains_key("secret_key").then_some("secret_key_file"));
                if let Some(key) = strange {
                    return Err(format!("`{key}` is for a bucket, and not for a directory"));
                }
                if !directory.starts_with('/') {
                    return Err("`directory` is a whole path, such as /var/www/status".into());
                }
                Place::Directory(directory.into())
            }
            (None, true) => Place::Bucket(Box::new(Bucket::build(fields, shared)?)),
            (Some(_), true) => {
                return Err("either `directory` or `bucket`: a second place is a second channel".into());
            }
            (None, false) => {
                return Err(
                    "it needs `directory`, or `bucket` with `access_key_id` and `secret_key_file`".into()
                );
            }
        };
        Ok(Channel::Site(Self {
            newest: shared.newest.clone(),
            place,
            turn: Arc::default(),
            patience: DIRECTORY_DEADLINE,
        }))
    }

    /// Sends one letter: the files it stands in.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let Some(statement) = &parcel.statement else {
            return refused("a site takes statements only", false);
        };
        let files = self.newest.get();
        let Some(key) = files.key_of(&statement.id).map(str::to_owned) else {
            let why = "the page with this statement is not made yet".into();
            return Outcome::Wait { after: Some(NOT_YET), why };
        };
        match self.bring_for(&files, Some(&key), parcel.now).await {
            Ok(()) => Outcome::Accepted { remote_id: None },
            Err(outcome) => outcome,
        }
    }

    /// Brings files where they belong, unless newer ones are there already: other nodes bring theirs.
    ///
    /// # Errors
    /// Why not, in words without secrets.
    pub async fn bring(&self, files: &Arc<Files>, now: Timestamp) -> Result<(), String> {
        match self.bring_for(files, None, now).await {
            Ok(()) => Ok(()),
            Err(
                Outcome::Wait { why, .. }
                | Outcome::Refused { why, .. }
                | Outcome::Unknown { why }
                | Outcome::Stands { why, .. },
            ) => Err(why),
            Err(Outcome::Accepted { .. } | Outcome::Begun { .. }) => Ok(()),
        }
    }

    /// `statement`: what has to stand there in the end.
    async fn bring_for(
        &self,
        files: &Arc<Files>,
        statement: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Outcome> {
        let turn = tokio::time::timeout(TURN_DEADLINE, self.turn.clone().lock_owned()).await;
        let busy = || Outcome::Wait { after: None, why: "an attempt before is at it still".into() };
        let turn = turn.map_err(|_| busy())?;
        match &self.place {
            Place::Bucket(bucket) => {
                let brought = bucket.bring(files, statement, now).await;
                drop(turn);
                brought
            }
            Place::Directory(directory) => {
                let brought = into_directory(directory, files, statement, turn);
                let late = || Outcome::Unknown { why: "the directory does not answer".into() };
                tokio::time::timeout(self.patience, brought).await.unwrap_or_else(|_| Err(late()))
            }
        }
    }
}

/// The disk may take its time, and nobody else waits for it. The turn stays with the thread that writes: nobody comes to hang beside it.
async fn into_directory(
    directory: &Path,
    files: &Arc<Files>,
    statement: Option<&str>,
    mut turn: OwnedMutexGuard<()>,
) -> Result<(), Outcome> {
    let wait = |why: String| Outcome::Wait { after: None, why };
    for _ in 0..LOCK_TRIES_MAX {
        let (directory, files, statement) =
            (directory.to_path_buf(), files.clone(), statement.map(str::to_owned));
        let bring = move || (directory::bring(&directory, &files, statement.as_deref()), turn);
        let brought = tokio::task::spawn_blocking(bring).await;
        let (brought, back) =
            brought.map_err(|_| Outcome::Unknown { why: "the writing broke off".into() })?;
        match brought {
            Ok(true) => return Ok(()),
            Ok(false) => tokio::time::sleep(LOCK_AGAIN).await,
            Err(error) => return Err(wait(format!("the directory: {error}"))),
        }
        turn = back;
    }
    Err(wait("the directory: another program has it locked".into()))
}

impl Manifest {
    fn of(files: &Files, name: fn(&str, &File) -> String) -> Self {
        let named = files.all().map(|(path, file)| (name(path, file), mark(file)));
        let statements = files.statements().map(str::to_owned).collect();
        Self { made_at: files.made_at().as_millisecond(), files: named.collect(), statements }
    }

    /// Whether what is there is to stay: it is newer, and what has to stand there does.
    fn stays(&self, files: &Files, statement: Option<&str>) -> bool {
        self.made_at > files.made_at().as_millisecond()
            && statement.is_none_or(|key| self.statements.contains(key))
    }
}

/// What tells the bytes of a file from others.
fn mark(file: &File) -> String {
    let mark: String = String::from_utf8_lossy(file.tag.as_bytes()).into_owned();
    mark.trim_matches('"').to_owned()
}
