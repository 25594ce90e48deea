//! What is heard while a shared store is away: kept on this node's own disk, in order, until the store is back.
//!
//! Written by the thread that commits, before the 2xx: one record a delivery, each with its length and a checksum,
//! and one sync for all that came together. Read by the same thread when the store takes writes again. The file is
//! emptied when everything in it was taken; a crash in between takes some of it twice, which is harmless because
//! each event then carries the time it was received. It decides nothing.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Command, Delivered, Unread};
use crate::core::alert::{AlertSeverity, Event, Status};
use crate::crypto;
use crate::store::unreadable;

/// Bytes before a record: its length, and the beginning of its SHA-256.
const HEAD_BYTES: usize = 12;
/// At most so many events, and so many bytes of records, are given back at once: what one transaction can take.
const EVENTS_AT_ONCE_MAX: usize = 4096;
const BYTES_AT_ONCE_MAX: u64 = 16 * 1024 * 1024;
/// A spool with less room than this is as good as full.
const ROOM_BYTES: u64 = 64 * 1024;
/// A longer record is never written.
const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk says no.
    #[error("the spool {path} cannot be used: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// The file, and where reading of it stands.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    /// Bytes of whole records.
    length: u64,
    /// Where the next record to be taken begins.
    next: u64,
    /// Everything was taken, and the file could not be emptied yet.
    is_left_over: bool,
    bytes_max: u64,
    /// What is held, for whoever has to be told.
    held: Held,
    /// What went aside since it was asked, because it cannot be read: it may have been answered.
    aside: Vec<Aside>,
}

/// A record that went aside unread: whose it was, as far as that can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// The source.
    pub source: Option<String>,
    /// Its service.
    pub service: Option<String>,
}

/// What a spool holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Deliveries.
    pub deliveries: u64,
    /// Bytes.
    pub bytes: u64,
    /// Titles of the newest alerts that fire, at most [`TITLES_MAX`].
    pub firing: Vec<String>,
}

/// Most titles that are remembered.
pub const TITLES_MAX: usize = 20;

/// What stands at a place of the file.
enum Found {
    /// A record, and where it ends.
    Record(Box<Record>, u64),
    /// A whole record of another version of onscene, and where it ends.
    Foreign(Vec<u8>, u64),
    /// No whole record. What a crash leaves half written is too short, or ends the file; anything else was spoilt.
    Nothing {
        /// It was whole once.
        spoilt: bool,
    },
}

#[derive(Serialize, Deserialize)]
enum Record {
    Events {
        source: String,
        kind: String,
        service: String,
        received_at: i64,
        events: Vec<KeptEvent>,
    },
    Unreadable {
        service: String,
        source: String,
        kind: String,
        method: String,
        query: String,
        content_type: Option<String>,
        #[serde(default)]
        headers: Vec<(String, String)>,
        body: String,
        error: String,
        received_at: i64,
        #[serde(default)]
        events: Vec<KeptEvent>,
        #[serde(default)]
        once: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct KeptEvent {
    key: String,
    status: String,
    severity: Option<String>,
    title: String,
    body: String,
    labels: std::collections::BTreeMap<String, String>,
    links: Vec<String>,
    occurred_at: Option<i64>,
    keeps_start: bool,
    #[serde(default)]
    expires_at: Option<i64>,
    delivery_id: Option<String>,
    group: Option<String>,
}

impl Spool {
    /// Opens the spool in a directory, made when it is missing, and cuts off what a crash left half written.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(directory: &Path, bytes_max: u64) -> Result<Self, SpoolError> {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let path = directory.join("spool");
        let wrong = |error| SpoolError::File { path: path.display().to_string(), error };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(wrong)?;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(wrong)?;
        // A second daemon, started by mistake, would cut off what the first has just kept.
        file.try_lock().map_err(|error| wrong(error.into()))?;
        let mut spool = Self {
            path,
            file,
            length: 0,
            next: 0,
            is_left_over: false,
            bytes_max,
            held: Held::default(),
            aside: Vec::new(),
        };
        loop {
            let at = spool.length;
            match spool.record(at)? {
                Found::Record(record, end) => {
                    spool.note(&record);
                    spool.length = end;
                }
                // It goes aside when its turn comes.
                Found::Foreign(_, end) => spool.length = end,
                Found::Nothing { spoilt } => {
                    if spoilt {
                        spool.aside.push(Aside::default());
                    }
                    break;
                }
            }
        }
        spool.move_the_rest_aside(spool.length)?;
        let cut = spool.file.set_len(spool.length).and_then(|()| spool.file.sync_data());
        cut.map_err(|error| spool.wrong(error))?;
        Ok(spool)
    }

    /// What follows the last whole record was never answered, unless the disk spoilt it; so it is kept to look at.
    fn move_the_rest_aside(&mut self, from: u64) -> Result<(), SpoolError> {
        let mut rest = Vec::new();
        let read = self.file.seek(SeekFrom::Start(from)).and_then(|_| self.file.read_to_end(&mut rest));
        read.map_err(|error| self.wrong(error))?;
        if rest.is_empty() { Ok(()) } else { self.move_aside(&rest) }
    }

    fn move_aside(&self, what: &[u8]) -> Result<(), SpoolError> {
        let aside = self.path.with_extension("rest");
        let (bytes, file) = (what.len(), aside.display());
        tracing::error!(bytes, %file, "the spool holds what cannot be read; it is moved there");
        append(&aside, what).map_err(|error| self.wrong(error))
    }

    /// Puts deliveries aside that the store will never take: they are not in the way of the others, and not lost.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_aside(&self, commands: &[Command]) -> Result<PathBuf, SpoolError> {
        let aside = self.path.with_extension("refused");
        let mut lines = Vec::new();
        for record in commands.iter().filter_map(record_of) {
            serde_json::to_writer(&mut lines, &record).map_err(|error| self.wrong(error.into()))?;
            lines.push(b'\n');
        }
        append(&aside, &lines).map(|()| aside).map_err(|error| self.wrong(error))
    }

    /// Whether there is nothing to take, and nothing left of what was.
    pub fn is_empty(&self) -> bool {
        self.next >= self.length && !self.is_left_over
    }

    /// What went aside unread since this was asked.
    pub fn went_aside(&mut self) -> Vec<Aside> {
        std::mem::take(&mut self.aside)
    }

    /// What it holds.
    pub fn held(&self) -> Held {
        Held { bytes: self.length, ..self.held.clone() }
    }

    /// Keeps deliveries; they are on disk when this returns. Answers of each whether it was kept: what does not fit is
    /// left out, and what comes after it may be smaller.
    ///
    /// # Errors
    /// What the disk says; nothing was kept then.
    pub fn keep(&mut self, commands: &[&Command]) -> Result<Vec<bool>, SpoolError> {
        let (mut bytes, mut records, mut kept) = (Vec::new(), Vec::new(), Vec::with_capacity(commands.len()));
        for command in commands {
            let Some(record) = record_of(command) else {
                kept.push(false);
                continue;
            };
            let text = serde_json::to_vec(&record).map_err(|error| self.wrong(error.into()))?;
            let whole = bytes.len().saturating_add(HEAD_BYTES).saturating_add(text.len());
            let after = self.length.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
            let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= RECORD_BYTES_MAX);
            let Some(length) = length.filter(|_| after <= self.bytes_max) else {
                kept.push(false);
                continue;
            };
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&crypto::sha256(&text)[..8]);
            bytes.extend_from_slice(&text);
            records.push(record);
            kept.push(true);
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(&bytes))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is half written is written over, or cut off by the next start.
            let _cut = self.file.set_len(self.length);
            return Err(self.wrong(error));
        }
        self.length += u64::try_from(bytes.len()).unwrap_or_default();
        for record in &records {
            self.note(record);
        }
        Ok(kept)
    }

    /// The next deliveries, at most so many; they stay until [`Spool::taken`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn next(&mut self, most: usize) -> Result<(Vec<Command>, u64), SpoolError> {
        let mut commands: Vec<Command> = Vec::new();
        let mut events = 0;
        let mut at = self.next;
        while commands.len() < most
            && events < EVENTS_AT_ONCE_MAX
            && at.saturating_sub(self.next) < BYTES_AT_ONCE_MAX
            && at < self.length
        {
            let (record, end) = match self.record(at)? {
                Found::Record(record, end) => (record, end),
                // What came before it is taken first.
                _ if !commands.is_empty() => break,
                Found::Foreign(mut text, end) => {
                    self.aside.push(whose(&text));
                    text.push(b'\n');
                    self.move_aside(&text)?;
                    self.taken(end)?;
                    at = self.next;
                    continue;
                }
                Found::Nothing { .. } => {
                    // Nothing behind it can be found: it is kept to look at, and does not hold up what comes.
                    self.move_the_rest_aside(at)?;
                    self.aside.push(Aside::default());
                    self.length = at;
                    self.taken(at)?;
                    return Ok((Vec::new(), self.next));
                }
            };
            events += match &*record {
                Record::Events { events, .. } => events.len(),
                Record::Unreadable { events, .. } => events.len() + 1,
            };
            commands.push(command_of(*record));
            at = end;
        }
        Ok((commands, at))
    }

    /// Whether more can be kept.
    pub fn has_room(&self) -> bool {
        self.bytes_max.saturating_sub(self.length) > ROOM_BYTES
    }

    /// Everything before `to` was taken. When that is everything, the file is emptied.
    ///
    /// # Errors
    /// What the disk says; nothing is given again, and the file is not empty until this was asked again.
    pub fn taken(&mut self, to: u64) -> Result<(), SpoolError> {
        self.next = to;
        if to < self.length {
            return Ok(());
        }
        self.is_left_over = true;
        self.file.set_len(0).map_err(|error| self.wrong(error))?;
        // What comes is written where the file ends now, whatever becomes of the rest.
        self.length = 0;
        self.next = 0;
        self.file.sync_data().map_err(|error| self.wrong(error))?;
        self.is_left_over = false;
        self.held = Held::default();
        Ok(())
    }

    /// What begins at `at`.
    fn record(&mut self, at: u64) -> Result<Found, SpoolError> {
        let mut head = [0; HEAD_BYTES];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut head));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok(Found::Nothing { spoilt: false });
            }
            other => other.map_err(|error| self.wrong(error))?,
        }
        let mut length = [0; 4];
        length.copy_from_slice(&head[..4]);
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > RECORD_BYTES_MAX {
            return Ok(Found::Nothing { spoilt: true });
        }
        let mut text = Vec::new();
        let most = u64::try_from(length).unwrap_or(u64::MAX);
        let read = std::io::Read::take(&mut self.file, most).read_to_end(&mut text);
        read.map_err(|error| self.wrong(error))?;
        if text.len() < length {
            return Ok(Found::Nothing { spoilt: false });
        }
        let end = at + u64::try_from(HEAD_BYTES + length).unwrap_or(u64::MAX);
        if crypto::sha256(&text)[..8] != head[4..] {
            // The last one may have been on its way to disk when everything stopped.
            return Ok(Found::Nothing { spoilt: self.file_ends_after(end)? });
        }
        Ok(match serde_json::from_slice(&text) {
            Ok(record) => Found::Record(Box::new(record), end),
            Err(_) => Found::Foreign(text, end),
        })
    }

    fn file_ends_after(&self, end: u64) -> Result<bool, SpoolError> {
        self.file.metadata().map(|facts| facts.len() > end).map_err(|error| self.wrong(error))
    }

    fn note(&mut self, record: &Record) {
        self.held.deliveries += 1;
        let (Record::Events { events, .. } | Record::Unreadable { events, .. }) = record;
        let firing = events.iter().filter(|event| event.status == Status::Firing.as_str());
        self.held.firing.extend(firing.map(|event| event.title.clone()));
        let over = self.held.firing.len().saturating_sub(TITLES_MAX);
        self.held.firing.drain(..over);
    }

    fn wrong(&self, error: std::io::Error) -> SpoolError {
        SpoolError::File { path: self.path.display().to_string(), error }
    }
}

/// Whose a record of another version is: there is one name of a variant, and its fields.
fn whose(text: &[u8]) -> Aside {
    let record = crate::json::read(text).unwrap_or_default();
    let fields = record.as_object().and_then(|variant| variant.values().next());
    let word = |name: &str| fields?.get(name)?.as_str().map(str::to_owned);
    Aside { source: word("source"), service: word("service") }
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn record_of(command: &Command) -> Option<Record> {
    match command {
        Command::Events(Delivered { source, kind, service, events, received_at, replays: None, .. }) => {
            Some(Record::Events {
                source: source.clone(),
                kind: kind.clone(),
                service: service.clone(),
                received_at: received_at.as_microsecond(),
                events: events.iter().map(kept).collect(),
            })
        }
        Command::Unreadable(unread) if unread.rest.replays.is_none() => {
            let Unread { kept: body, rest, once, .. } = &**unread;
            Some(Record::Unreadable {
                service: rest.service.clone(),
                source: body.source.clone(),
                kind: body.kind.clone(),
                method: body.method.clone(),
                query: body.query.clone(),
                content_type: body.content_type.clone(),
                headers: body.headers.clone(),
                body: crypto::base64(&body.body),
                error: body.error.clone(),
                received_at: body.received_at.as_microsecond(),
                events: rest.events.iter().map(kept).collect(),
                // It may be given to the store more than once.
                once: once.clone().or_else(|| Some(held_once(body))),
            })
        }
        _ => None,
    }
}

/// By this word a body that was held is kept once.
fn held_once(body: &unreadable::Kept) -> String {
    let mut whole = format!("{}\0{}\0", body.source, body.received_at.as_microsecond()).into_bytes();
    whole.extend_from_slice(&body.body);
    format!("held:{}", crypto::hex(&crypto::sha256(&whole)))
}

fn kept(event: &Event) -> KeptEvent {
    KeptEvent {
        key: event.key.clone(),
        status: event.status.as_str().to_owned(),
        severity: event.severity.map(|severity| severity.as_str().to_owned()),
        title: event.title.clone(),
        body: event.body.clone(),
        labels: event.labels.clone(),
        links: event.links.clone(),
        occurred_at: event.occurred_at.map(Timestamp::as_microsecond),
        keeps_start: event.keeps_start,
        expires_at: event.expires_at.map(Timestamp::as_microsecond),
        delivery_id: event.delivery_id.clone(),
        group: event.group.clone(),
    }
}

/// The command of a record. An event without a time of its own gets the time it was received: other nodes may have
/// heard newer things of the same alert meanwhile.
fn command_of(record: Record) -> Command {
    let hour = |micros| Timestamp::from_microsecond(micros).unwrap_or_default();
    match record {
        Record::Events { source, kind, service, received_at, events } => {
            Command::Events(delivered(source, kind, service, hour(received_at), events))
        }
        Record::Unreadable {
            service,
            source,
            kind,
            method,
            query,
            content_type,
            headers,
            body,
            error,
            received_at,
            events,
            once,
        } => Command::Unreadable(Box::new(Unread {
            rest: delivered(source.clone(), kind.clone(), service, hour(received_at), events),
            kept: unreadable::Kept {
                id: 0,
                source,
                kind,
                method,
                query,
                content_type,
                headers,
                body: crypto::from_base64(&body).unwrap_or_default(),
                error,
                received_at: hour(received_at),
            },
            once,
            about: None,
        })),
    }
}

fn delivered(
    source: String,
    kind: String,
    service: String,
    received_at: Timestamp,
    events: Vec<KeptEvent>,
) -> Delivered {
    let events = events.into_iter().map(|event| given_back(event, received_at)).collect();
    Delivered { source, kind, service, events, received_at, replays: None, held: true }
}

fn given_back(event: KeptEvent, received_at: Timestamp) -> Event {
    let status = [Status::Firing, Status::Resolved, Status::Acknowledged, Status::Info, Status::Test]
        .into_iter()
        .find(|status| status.as_str() == event.status);
    Event {
        key: event.key,
        status: status.unwrap_or(Status::Info),
        severity: event.severity.as_deref().and_then(AlertSeverity::from_word),
        title: event.title,
        body: event.body,
        labels: event.labels,
        links: event.links,
        occurred_at: Some(
            event.occurred_at.and_then(|at| Timestamp::from_microsecond(at).ok()).unwrap_or(received_at),
        ),
        keeps_start: event.keeps_start,
        expires_at: event.expires_at.and_then(|at| Timestamp::from_microsecond(at).ok()),
        delivery_id: event.delivery_id,
        group: event.group,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Opens a spool in a test. Another test of this process may be starting a program, which holds our files for a
    /// moment.
    #[allow(clippy::disallowed_methods, reason = "a test that waits for another")]
    pub(in crate::commit) fn open(directory: &Path, bytes_max: u64) -> Spool {
        for _ in 0..5_000 {
            match Spool::open(directory, bytes_max) {
                Ok(spool) => return spool,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
        panic!("the spool is locked");
    }

    /// A disk that lets nobody write, until what this answers is given to [`mend`].
    pub(in crate::commit) fn spoil(spool: &mut Spool) -> File {
        let read_only = File::open(&spool.path).unwrap();
        std::mem::replace(&mut spool.file, read_only)
    }

    pub(in crate::commit) fn mend(spool: &mut Spool, file: File) {
        spool.file = file;
    }

    fn delivery(key: &str, status: Status) -> Command {
        let event = Event { labels: [("a".into(), "b".into())].into(), ..Event::new(key, status, key) };
        Command::Events(Delivered {
            source: "pingdom".into(),
            kind: "pingdom".into(),
            service: "shop".into(),
            events: vec![event],
            received_at: Timestamp::from_second(1_767_323_000).unwrap(),
            replays: None,
            held: false,
        })
    }

    fn keys(commands: &[Command]) -> Vec<String> {
        commands
            .iter()
            .map(|command| match command {
                Command::Events(delivered) => delivered.events[0].key.clone(),
                _ => "unreadable".into(),
            })
            .collect()
    }

    #[test]
    fn what_is_kept_is_given_back_in_order_also_after_a_new_start() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = open(directory.path(), 1 << 20);
        let kept = unreadable::Kept {
            id: 0,
            source: "pingdom".into(),
            kind: "pingdom".into(),
            method: "POST".into(),
            query: "a=b".into(),
            content_type: None,
            headers: vec![("x-event".into(), "ping".into())],
            body: b"\xff\x00".to_vec(),
            error: "not UTF-8".into(),
            received_at: Timestamp::UNIX_EPOCH,
        };
        let Command::Events(rest) = delivery("three", Status::Firing) else { panic!("another command") };
        let broken =
            Command::Unreadable(Box::new(Unread { kept, rest, once: Some("kept:1".into()), about: None }));
        spool.keep(&[&delivery("one", Status::Firing), &broken]).unwrap();
        spool.keep(&[&delivery("two", Status::Resolved)]).unwrap();
        assert_eq!(
            (spool.held().deliveries, spool.held().firing),
            (3, vec!["one".to_owned(), "three".into()])
        );
        drop(spool);
        let mut spool = open(directory.path(), 1 << 20);
        assert_eq!(
            (spool.held().deliveries, spool.held().firing),
            (3, vec!["one".to_owned(), "three".into()])
        );
        let (first, at) = spool.next(2).unwrap();
        assert_eq!(keys(&first), ["one", "unreadable"]);
        let Command::Events(delivered) = &first[0] else { panic!("another command") };
        assert_eq!(delivered.events[0].occurred_at, Some(delivered.received_at), "heard then, not now");
        let Command::Unreadable(unread) = &first[1] else { panic!("another command") };
        let Unread { kept, rest, once, .. } = &**unread;
        assert_eq!(
            (rest.events[0].key.as_str(), rest.held, once.as_deref()),
            ("three", true, Some("kept:1"))
        );
        assert_eq!(kept.body, b"\xff\x00");
        assert_eq!(kept.headers, [("x-event".to_owned(), "ping".to_owned())]);
        spool.taken(at).unwrap();
        let (rest, at) = spool.next(10).unwrap();
        assert_eq!(keys(&rest), ["two"]);
        spool.taken(at).unwrap();
        assert!(spool.is_empty());
        assert_eq!(std::fs::metadata(directory.path().join("spool")).unwrap().len(), 0);
    }

    #[test]
    fn what_a_crash_left_half_written_is_cut_off_wherever_it_was_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let mut spool = open(directory.path(), 1 << 20);
        spool.keep(&[&delivery("one", Status::Firing)]).unwrap();
        let whole = usize::try_from(spool.held().bytes).unwrap();
        spool.keep(&[&delivery("two", Status::Firing)]).unwrap();
        drop(spool);
        let bytes = std::fs::read(&path).unwrap();
        for cut in whole..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut spool = open(directory.path(), 1 << 20);
            assert_eq!(keys(&spool.next(10).unwrap().0), ["one"], "cut at {cut}");
            spool.keep(&[&delivery("three", Status::Firing)]).unwrap();
            assert_eq!(keys(&spool.next(10).unwrap().0), ["one", "three"]);
        }
        let mut spoilt = bytes.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &spoilt).unwrap();
        assert_eq!(keys(&open(directory.path(), 1 << 20).next(10).unwrap().0), ["one"]);
    }

    #[test]
    fn a_record_of_another_version_goes_aside_and_holds_up_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let foreign = br#"{"Heartbeat":{"source":"backup"}}"#;
        let mut record = u32::try_from(foreign.len()).unwrap().to_le_bytes().to_vec();
        record.extend_from_slice(&crypto::sha256(foreign)[..8]);
        record.extend_from_slice(foreign);
        // At the head, between two, and at the end.
        let mut whole = Vec::new();
        for key in ["one", "two", "three"] {
            let alone = tempfile::tempdir().unwrap();
            open(alone.path(), 1 << 20).keep(&[&delivery(key, Status::Firing)]).unwrap();
            whole.extend_from_slice(&record);
            whole.extend_from_slice(&std::fs::read(alone.path().join("spool")).unwrap());
        }
        whole.extend_from_slice(&record);
        std::fs::write(&path, &whole).unwrap();
        let mut spool = open(directory.path(), 1 << 20);
        assert_eq!(spool.held().deliveries, 3);
        let mut taken = Vec::new();
        for _ in 0..6 {
            let (commands, to) = spool.next(10).unwrap();
            taken.extend(keys(&commands));
            spool.taken(to).unwrap();
        }
        assert_eq!(taken, ["one", "two", "three"]);
        assert!(spool.is_empty());
        let aside = std::fs::read_to_string(directory.path().join("spool.rest")).unwrap();
        assert_eq!(aside.lines().collect::<Vec<_>>(), [r#"{"Heartbeat":{"source":"backup"}}"#; 4]);
        let backup = Aside { source: Some("backup".into()), service: None };
        assert_eq!(spool.went_aside(), vec![backup; 4]);
        assert_eq!(spool.went_aside(), []);
    }

    #[test]
    fn what_is_small_is_kept_although_something_large_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = open(directory.path(), 2000);
        let large = delivery(&"x".repeat(4000), Status::Firing);
        let (one, two) = (delivery("one", Status::Firing), delivery("two", Status::Firing));
        assert_eq!(spool.keep(&[&one, &large, &two]).unwrap(), [true, false, true]);
        assert_eq!(keys(&spool.next(10).unwrap().0), ["one", "two"]);
    }

    #[test]
    fn what_the_disk_spoilt_is_told_apart_from_what_a_crash_left_half_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let mut spool = open(directory.path(), 1 << 20);
        spool.keep(&[&delivery("one", Status::Firing), &delivery("two", Status::Firing)]).unwrap();
        drop(spool);
        let whole = std::fs::read(&path).unwrap();
        for (at, spoilt) in [(HEAD_BYTES + 3, 1), (whole.len() - 1, 0)] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(open(directory.path(), 1 << 20).went_aside().len(), spoilt, "{at}");
        }
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(open(directory.path(), 1 << 20).went_aside(), []);
    }

    #[test]
    fn what_could_not_be_emptied_is_not_empty_and_is_given_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let mut spool = open(directory.path(), 1 << 20);
        spool.keep(&[&delivery("one", Status::Firing)]).unwrap();
        let to = spool.next(10).unwrap().1;
        let file = spoil(&mut spool);
        assert!(spool.taken(to).is_err() && !spool.is_empty());
        let (none, to) = spool.next(10).unwrap();
        assert!(none.is_empty() && spool.taken(to).is_err() && spool.held().deliveries == 1);
        mend(&mut spool, file);
        // What comes meanwhile goes behind it, also for who starts again now.
        spool.keep(&[&delivery("two", Status::Firing)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let (two, to) = spool.next(10).unwrap();
        assert_eq!(keys(&two), ["two"]);
        spool.taken(to).unwrap();
        assert!(spool.is_empty() && spool.held() == Held::default());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        drop(spool);
        std::fs::write(&path, whole).unwrap();
        assert_eq!(keys(&open(directory.path(), 1 << 20).next(10).unwrap().0), ["one", "two"]);
    }

    #[test]
    fn a_full_spool_keeps_nothing_more() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = open(directory.path(), 1000);
        let mut kept = 0;
        while spool.keep(&[&delivery("one", Status::Firing)]).unwrap() == [true] {
            kept += 1;
            assert!(kept < 100);
        }
        assert!((1..10).contains(&kept), "{kept}");
        assert_eq!(spool.keep(&[&delivery("one", Status::Firing)]).unwrap(), [false]);
        assert_eq!(spool.next(100).unwrap().0.len(), kept);
    }
}
