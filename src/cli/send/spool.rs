//! What `onscene send` could not send: kept in a directory of this machine until the daemon answers again.
//!
//! One file an event, named by a number that grows, so that names sort in the order in which things were said. It is
//! written beside its name, synced, and only then given the name; so a file with a name is whole. Who sends holds the
//! lock of the directory; who keeps needs none: numbers of those who keep at the same moment may be equal, and a random
//! part tells them apart. What the daemon will never take, and what cannot be read, is moved into `refused`, from
//! where it can be moved back. A token is never written: the next call finds it as every call does.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::crypto;

/// Most events that wait.
pub(super) const RECORDS_MAX: usize = 10_000;
/// Most of all that waits, in MiB and in bytes.
const WAITING_MIB_MAX: u64 = 64;
const WAITING_BYTES_MAX: u64 = WAITING_MIB_MAX * 1024 * 1024;
/// Longest event that is kept, in bytes.
const RECORD_BYTES_MAX: u64 = 1024 * 1024;
/// Most events that were put aside, and most bytes of them: the oldest go.
const REFUSED_MAX: usize = 1_000;
const REFUSED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What was never given its name is left of a crash, and goes after this long.
const UNNAMED_AGE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Digits of the number a name begins with.
const NUMBER_DIGITS: usize = 16;
/// What others may not do to the directory: whoever can write there says what is sent, and with which token.
const MODE_OF_OTHERS: u32 = 0o022;

/// What names end with.
const ENDS: &str = ".json";
const UNNAMED_ENDS: &str = ".tmp";
const LOCK: &str = "lock";
const REFUSED: &str = "refused";

/// Why something could not be kept or looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// The disk says no.
    #[error("the spool {path} cannot be used: {error}")]
    File {
        /// Which directory.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It belongs to somebody else, or others can write there.
    #[error(
        "the spool {0} is not used: it must belong to the user who sends, and nobody else may write there"
    )]
    Foreign(String),
    /// There is no room.
    #[error(
        "the spool {0} is full ({RECORDS_MAX} events or {WAITING_MIB_MAX} MiB): nothing more is kept until the daemon takes \
         what waits"
    )]
    Full(String),
    /// One event is too long.
    #[error("the event has {0} bytes, and the spool keeps at most {RECORD_BYTES_MAX} of one")]
    Long(u64),
}

/// Where a call that was made with flags finds the daemon and the token. No token.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Via {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<PathBuf>,
}

/// One event as it will be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The source it is for.
    pub(super) source: String,
    /// Where it is posted.
    pub(super) path: String,
    /// The very bytes: a second sending says the same, with the same delivery id.
    pub(super) body: String,
    /// When it was said.
    pub(super) said_at: Timestamp,
    /// How the call that said it was to reach the daemon.
    #[serde(default)]
    pub(super) via: Via,
}

/// The directory.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
}

/// The right to send what waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

impl Spool {
    /// Opens the directory, made when it is missing.
    ///
    /// # Errors
    /// What the disk says, or that it is somebody else's.
    pub(super) fn open(directory: &Path) -> Result<Self, SpoolError> {
        let spool = Self { directory: directory.to_path_buf() };
        if !directory.exists() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.and_then(|()| directory.parent().map_or(Ok(()), sync))
                .map_err(|error| spool.wrong(error))?;
        }
        let facts = fs::metadata(directory).map_err(|error| spool.wrong(error))?;
        let own = facts.uid() == rustix::process::geteuid().as_raw();
        if !own || facts.mode() & MODE_OF_OTHERS != 0 {
            return Err(SpoolError::Foreign(spool.shown()));
        }
        Ok(spool)
    }

    /// Its place, for people.
    pub(super) fn shown(&self) -> String {
        self.directory.display().to_string()
    }

    /// The right to send, when nobody else has it.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn turn(&self) -> Result<Option<Turn>, SpoolError> {
        let path = self.directory.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|error| self.wrong(error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn { _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.wrong(error)),
        }
    }

    /// Keeps an event behind all that waits; it is on disk when this returns.
    ///
    /// # Errors
    /// What the disk says, or that there is no room.
    pub(super) fn put(&self, record: &Record) -> Result<(), SpoolError> {
        let (unnamed, id, bytes) = self.unnamed(record)?;
        self.name(&unnamed, &id, bytes).inspect_err(|_| {
            let _gone = fs::remove_file(&unnamed);
        })
    }

    /// Writes an event beside its name: the file, what its name will hold, its bytes.
    fn unnamed(&self, record: &Record) -> Result<(PathBuf, String, u64), SpoolError> {
        let text = serde_json::to_vec(record).map_err(|error| self.wrong(error.into()))?;
        let bytes = text.len() as u64;
        if bytes > RECORD_BYTES_MAX {
            return Err(SpoolError::Long(bytes));
        }
        let id = crypto::random_id().map_err(|error| self.wrong(io::Error::other(error.to_string())))?;
        let unnamed = self.directory.join(format!("{id}{UNNAMED_ENDS}"));
        self.write(&unnamed, &text).inspect_err(|_| {
            let _gone = fs::remove_file(&unnamed);
        })?;
        Ok((unnamed, id, bytes))
    }

    fn write(&self, path: &Path, text: &[u8]) -> Result<(), SpoolError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()));
        written.map_err(|error| self.wrong(error))
    }

    /// The number is looked for when the file is whole, so that as little as possible comes between.
    fn name(&self, unnamed: &Path, id: &str, bytes: u64) -> Result<(), SpoolError> {
        let waiting = self.list(&self.directory)?;
        let held: u64 = waiting.iter().map(|one| one.bytes).sum();
        if waiting.len() >= RECORDS_MAX || held.saturating_add(bytes) > WAITING_BYTES_MAX {
            return Err(SpoolError::Full(self.shown()));
        }
        let number = waiting.last().map_or(0, Waiting::number).saturating_add(1);
        let named = self.directory.join(format!("{number:0width$}-{id}{ENDS}", width = NUMBER_DIGITS));
        let renamed = fs::rename(unnamed, named).and_then(|()| sync(&self.directory));
        renamed.map_err(|error| self.wrong(error))
    }

    /// What waits, in its order.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>, SpoolError> {
        self.list(&self.directory)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Waiting>, SpoolError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).map_err(|error| self.wrong(error))? {
            let entry = entry.map_err(|error| self.wrong(error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Another process may have sent it a moment ago.
            let Ok(facts) = entry.metadata() else { continue };
            if name.ends_with(ENDS) && facts.is_file() {
                found.push(Waiting {
                    path: entry.path(),
                    name,
                    bytes: facts.len(),
                    written_at: facts.modified().ok(),
                });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// An event that waits; `None` when what stands there is none.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn read(&self, waiting: &Waiting) -> Result<Option<Record>, SpoolError> {
        let mut text = Vec::new();
        let file = File::open(&waiting.path);
        let read = file.and_then(|file| file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut text));
        read.map_err(|error| self.wrong(error))?;
        Ok(serde_json::from_slice(&text).ok())
    }

    /// An event was taken by the daemon. It is not synced: one that comes back after a crash is a repeat.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn sent(&self, waiting: &Waiting) -> Result<(), SpoolError> {
        fs::remove_file(&waiting.path).map_err(|error| self.wrong(error))
    }

    /// Moves an event aside, so that it holds up nothing. Answers where it is now.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn refuse(&self, waiting: &Waiting) -> Result<PathBuf, SpoolError> {
        self.aside(&waiting.path, &waiting.name, waiting.bytes)
    }

    /// Puts an event aside that never waited.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn put_aside(&self, record: &Record) -> Result<PathBuf, SpoolError> {
        let (unnamed, id, bytes) = self.unnamed(record)?;
        self.aside(&unnamed, &format!("{:0width$}-{id}{ENDS}", 0, width = NUMBER_DIGITS), bytes)
    }

    fn aside(&self, from: &Path, name: &str, bytes: u64) -> Result<PathBuf, SpoolError> {
        let aside = self.directory.join(REFUSED);
        if !aside.exists() {
            DirBuilder::new().mode(0o700).create(&aside).map_err(|error| self.wrong(error))?;
        }
        self.make_room(&aside, bytes)?;
        let path = aside.join(name);
        let moved = fs::rename(from, &path).and_then(|()| sync(&aside));
        moved.and_then(|()| sync(&self.directory)).map_err(|error| self.wrong(error))?;
        Ok(path)
    }

    fn make_room(&self, aside: &Path, bytes: u64) -> Result<(), SpoolError> {
        let mut refused = self.list(aside)?;
        // Numbers begin anew whenever nothing waits.
        refused.sort_by_key(|one| one.written_at);
        let mut held: u64 = refused.iter().map(|one| one.bytes).sum();
        let mut count = refused.len();
        for oldest in refused {
            if count < REFUSED_MAX && held.saturating_add(bytes) <= REFUSED_BYTES_MAX {
                break;
            }
            self.sent(&oldest)?;
            held = held.saturating_sub(oldest.bytes);
            count -= 1;
        }
        Ok(())
    }

    /// Removes what a crash left before it had a name: nobody was told that it is kept.
    pub(super) fn sweep(&self, now: Timestamp) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            let unnamed = entry.path().to_string_lossy().ends_with(UNNAMED_ENDS);
            let written = entry.metadata().and_then(|facts| facts.modified()).ok();
            let written = written.and_then(|at| Timestamp::try_from(at).ok());
            if unnamed && written.is_some_and(|at| now.duration_since(at) > UNNAMED_AGE_MAX) {
                let _gone = fs::remove_file(entry.path());
            }
        }
    }

    fn wrong(&self, error: io::Error) -> SpoolError {
        SpoolError::File { path: self.shown(), error }
    }
}

/// A file of the spool, by its name.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    path: PathBuf,
    name: String,
    bytes: u64,
    written_at: Option<SystemTime>,
}

impl Waiting {
    /// Zero for a name that people gave.
    fn number(&self) -> u64 {
        self.name.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }
}

/// Makes the names of a directory last.
fn sync(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn record(key: &str) -> Record {
        Record {
            source: "scripts".into(),
            path: "/in/scripts".into(),
            body: format!("{{\"key\":\"{key}\"}}"),
            said_at: Timestamp::from_second(1_767_330_000).unwrap(),
            via: Via { server: Some("http://127.0.0.1:8087".into()), ..Via::default() },
        }
    }

    fn bodies(spool: &Spool) -> Vec<String> {
        let waiting = spool.waiting().unwrap();
        waiting.iter().map(|one| spool.read(one).unwrap().map_or("broken".into(), |one| one.body)).collect()
    }

    fn spool() -> (tempfile::TempDir, Spool) {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::open(&home.path().join("state/spool")).unwrap();
        (home, spool)
    }

    #[test]
    fn what_is_kept_comes_back_in_order_and_nobody_else_may_read_it() {
        let (_home, spool) = spool();
        for key in ["a", "b", "c"] {
            spool.put(&record(key)).unwrap();
        }
        assert_eq!(bodies(&spool), ["{\"key\":\"a\"}", "{\"key\":\"b\"}", "{\"key\":\"c\"}"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let waiting = spool.waiting().unwrap();
        assert_eq!((mode(&spool.directory), mode(&waiting[0].path)), (0o700, 0o600));
        assert_eq!(spool.read(&waiting[0]).unwrap(), Some(record("a")));
        // What is taken from the front does not change where the next one goes.
        spool.sent(&waiting[0]).unwrap();
        spool.put(&record("d")).unwrap();
        assert_eq!(bodies(&spool).last().unwrap(), "{\"key\":\"d\"}");
    }

    #[test]
    fn what_a_crash_left_without_a_name_is_not_sent_and_goes_after_an_hour() {
        let (_home, spool) = spool();
        spool.put(&record("a")).unwrap();
        let left = spool.directory.join(format!("{}{UNNAMED_ENDS}", "0".repeat(32)));
        fs::write(&left, b"{\"source\":\"scr").unwrap();
        assert_eq!(bodies(&spool), ["{\"key\":\"a\"}"]);
        let now = Timestamp::try_from(fs::metadata(&left).unwrap().modified().unwrap()).unwrap();
        spool.sweep(now);
        assert!(left.exists(), "another process may be about to give it its name");
        spool.sweep(now.checked_add(SignedDuration::from_hours(2)).unwrap());
        assert!(!left.exists());
        assert_eq!(bodies(&spool).len(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_moved_aside_and_can_be_moved_back() {
        let (_home, spool) = spool();
        spool.put(&record("a")).unwrap();
        spool.put(&record("b")).unwrap();
        let waiting = spool.waiting().unwrap();
        fs::write(&waiting[0].path, b"{\"source\":\"scr").unwrap();
        assert_eq!(spool.read(&waiting[0]).unwrap(), None);
        let aside = spool.refuse(&waiting[0]).unwrap();
        assert!(aside.is_file() && bodies(&spool) == ["{\"key\":\"b\"}"]);
        fs::rename(&aside, spool.directory.join(aside.file_name().unwrap())).unwrap();
        assert_eq!(bodies(&spool), ["broken", "{\"key\":\"b\"}"]);
    }

    #[test]
    fn a_full_spool_says_so_and_keeps_what_it_has() {
        let (_home, spool) = spool();
        for number in 0..RECORDS_MAX {
            fs::write(spool.directory.join(format!("{number:016}-x.json")), b"{}").unwrap();
        }
        let error = spool.put(&record("a")).unwrap_err().to_string();
        assert!(error.contains("is full (10000 events or 64 MiB)"), "{error}");
        assert_eq!(fs::read_dir(&spool.directory).unwrap().count(), RECORDS_MAX);
        fs::remove_file(&spool.waiting().unwrap()[0].path).unwrap();
        spool.put(&record("a")).unwrap();

        let mut long = record("a");
        long.body = "x".repeat(2 * 1024 * 1024);
        assert!(spool.put(&long).unwrap_err().to_string().contains("at most 1048576"));
    }

    #[test]
    fn bytes_are_counted_too() {
        let (_home, spool) = spool();
        let big = File::create(spool.directory.join("0000000000000001-x.json")).unwrap();
        big.set_len(WAITING_BYTES_MAX - 10).unwrap();
        assert!(matches!(spool.put(&record("a")).unwrap_err(), SpoolError::Full(_)));
    }

    #[test]
    fn of_what_was_put_aside_the_oldest_goes() {
        let (_home, spool) = spool();
        let aside = spool.directory.join(REFUSED);
        fs::create_dir(&aside).unwrap();
        for number in 0..REFUSED_MAX {
            fs::write(aside.join(format!("{number:016}-x.json")), b"{}").unwrap();
        }
        spool.put(&record("a")).unwrap();
        spool.refuse(&spool.waiting().unwrap()[0]).unwrap();
        let left = spool.list(&aside).unwrap();
        assert_eq!(left.len(), REFUSED_MAX);
        assert!(!left.iter().any(|one| one.name == "0000000000000000-x.json"));
    }

    #[test]
    fn one_at_a_time_has_the_turn() {
        let (_home, spool) = spool();
        let turn = spool.turn().unwrap();
        assert!(turn.is_some() && spool.turn().unwrap().is_none());
        drop(turn);
        assert!(spool.turn().unwrap().is_some());
    }

    #[test]
    fn many_who_keep_at_once_lose_nothing_and_each_keeps_its_own_order() {
        let (_home, spool) = spool();
        std::thread::scope(|scope| {
            for who in 0..4 {
                let spool = &spool;
                scope.spawn(move || {
                    for number in 0..20 {
                        spool.put(&record(&format!("{who}-{number:02}"))).unwrap();
                    }
                });
            }
        });
        let bodies = bodies(&spool);
        assert_eq!(bodies.len(), 80);
        for who in 0..4 {
            let own: Vec<&String> =
                bodies.iter().filter(|body| body.contains(&format!("\"{who}-"))).collect();
            assert!(own.is_sorted(), "{own:?}");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Spool::open(&open).unwrap_err(), SpoolError::Foreign(_)));
    }
}
