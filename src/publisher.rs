//! Keeps the newest files of the public page: in memory for who hands them out, and on this node's disk for the next start.
//!
//! Reads: what it is given to publish, and at a start what was kept. Writes: [`Newest`], and `public/page.json` beside the store
//! (or the spool). Woken by: its hour. What was told is read by `told`; when that cannot be read any more, the page says that it
//! may be old.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::channels::{Channel, site::Site};
use crate::clock::Clock;
use crate::house::Current;
use crate::public::{Files, Newest, Shown, WriteError, write};
use crate::store::readers::Readers;
use crate::store::statements;

mod told;

/// What has not changed is written anew after so long, so that its hour says that somebody looks.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// What the page shows is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A copy that could not be made is tried again after this long.
const COPY_AGAIN: Duration = Duration::from_secs(30);
/// Largest page that is taken up again at a start, in bytes.
const KEPT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The name of what is kept.
const KEPT: &str = "page.json";

/// Why something was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It is shown, and could not be kept for the next start.
    #[error("the public page is shown, but cannot be kept in {}: {error}", path.display())]
    Keep {
        /// Where.
        path: PathBuf,
        /// What the disk says.
        error: std::io::Error,
    },
}

/// Makes files of what is to be shown. Clones publish the same page.
#[derive(Clone)]
pub struct Publisher {
    newest: Newest,
    directory: Option<PathBuf>,
    last: Arc<Mutex<Option<Last>>>,
}

/// What was published last.
struct Last {
    shown: Shown,
    files: Arc<Files>,
    /// The files of it say that they may be old.
    is_old: bool,
}

impl Publisher {
    /// One that keeps what it published in a directory, which is made when it is missing.
    pub fn new(newest: Newest, directory: Option<PathBuf>) -> Self {
        Self { newest, directory, last: Arc::default() }
    }

    /// Shows what was kept before this start, which says of itself how old it is. What cannot be read is as good as none.
    pub fn take_up(&self) {
        let Some(directory) = &self.directory else { return };
        let path = directory.join(KEPT);
        match read(&path) {
            Ok(Some(files)) => {
                tracing::info!(made_at = %files.made_at(), "the public page of before is shown, until there is a newer one");
                self.newest.swap(Arc::new(files));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the public page of before cannot be read");
            }
        }
    }

    /// From now on this is shown. Whatever does not change anything costs nothing. It waits for the disk: not to be called where
    /// others wait.
    ///
    /// # Errors
    /// When it is not shown; or when it is, and was not kept.
    pub fn publish(&self, shown: Shown) -> Result<(), PublishError> {
        let mut last = lock(&self.last);
        if last.as_ref().is_some_and(|last| !last.is_old && !is_news(&shown, &last.shown)) {
            return Ok(());
        }
        let before = last.as_ref().map(|last| last.files.as_ref());
        let files = Arc::new(write(&shown, false, before)?);
        self.newest.swap(files.clone());
        // What is taken up again is old by then, and has to say so.
        let kept = write(&shown, true, None);
        *last = Some(Last { shown, files, is_old: false });
        drop(last);
        match (&self.directory, kept) {
            (Some(directory), Ok(files)) => {
                keep(directory, &files).map_err(|error| PublishError::Keep { path: directory.clone(), error })
            }
            (_, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Ok(()),
        }
    }

    /// What is shown may have changed since, and nobody here can tell: the page says so, until something is published again.
    ///
    /// # Errors
    /// When it could not be written; what was shown is shown still.
    pub fn lost(&self) -> Result<(), PublishError> {
        let mut last = lock(&self.last);
        let Some(last) = last.as_mut().filter(|last| !last.is_old) else { return Ok(()) };
        let files = Arc::new(write(&last.shown, true, Some(&last.files))?);
        self.newest.swap(files.clone());
        (last.files, last.is_old) = (files, true);
        Ok(())
    }

    /// Publishes, for as long as the daemon runs.
    pub async fn run(self, readers: Readers, house: Arc<Current>, stop: CancellationToken) {
        let mut seen = None;
        loop {
            let house = house.get();
            let last = seen.clone();
            // What is shown is read anew when there is anything new: another statement, another configuration, another hour.
            let read = readers.read(move |tx| {
                let mark = (
                    statements::mark(tx)?,
                    house.config_hash.clone(),
                    tx.now.as_second() / REFRESH.as_secs(),
                );
                if last.as_ref() == Some(&mark) {
                    return Ok(None);
                }
                Ok(told::shown(tx, &house)?.map(|shown| (mark, shown)))
            });
            let publisher = self.clone();
            let published = match read.await {
                Ok(Some((mark, shown))) => {
                    seen = Some(mark);
                    tokio::task::spawn_blocking(move || publisher.publish(shown)).await
                }
                Ok(None) => Ok(Ok(())),
                Err(error) => {
                    seen = None;
                    tracing::warn!(%error, "what was told to the public cannot be read; the page says that it may be old");
                    tokio::task::spawn_blocking(move || publisher.lost()).await
                }
            };
            if let Ok(Err(error)) = published {
                tracing::error!(%error, "the public page");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Whether readers would see anything else than before.
fn is_news(shown: &Shown, last: &Shown) -> bool {
    let (now, then) = (shown.made_at, last.made_at);
    let day = |at: Timestamp| at.as_second().div_euclid(86_400);
    // Planned work begins and ends by itself.
    let passed = |hour: Timestamp| then < hour && hour <= now;
    let turns = shown.maintenance.iter().any(|one| passed(one.from) || passed(one.to));
    let same = Shown { made_at: now, ..last.clone() } == *shown;
    !same || turns || day(now) != day(then) || now < then || now.duration_since(then) >= REFRESH
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(path: &Path) -> std::io::Result<Option<Files>> {
    let packed = match fs::metadata(path) {
        Ok(facts) if facts.len() <= KEPT_BYTES_MAX => fs::read(path)?,
        Ok(_) => return Err(std::io::Error::other("it is too large to be ours")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Files::unpack(&packed)
        .map(Some)
        .ok_or_else(|| std::io::Error::other("it is not whole, or another version's"))
}

/// Written beside and then put in place, so that at every moment there is a whole one.
fn keep(directory: &Path, files: &Files) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let packed = files.pack()?;
    let (beside, path) = (directory.join(format!(".{KEPT}.new")), directory.join(KEPT));
    let mut file = File::create(&beside)?;
    file.write_all(&packed)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, &path)?;
    File::open(directory)?.sync_all()
}

/// Brings every change to the copies of the page that channels of the kind `site` keep elsewhere: bars go on by a day, and planned
/// work begins, also where nobody says anything.
pub async fn copy(newest: Newest, house: Arc<Current>, clock: Clock, stop: CancellationToken) {
    let mut watched = newest.watch();
    let mut wait = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = watched.changed() => if changed.is_err() { return },
            () = sleep_for(wait), if wait.is_some() => {}
        }
        let files = watched.borrow_and_update().clone();
        if files.is_empty() {
            continue;
        }
        let house = house.get();
        let sites = house.channels.iter().filter_map(site);
        // One that hangs does not keep the daemon from stopping.
        let all = tokio::select! {
            () = stop.cancelled() => return,
            all = bring_each(sites, &files, clock.now()) => all,
        };
        wait = (!all).then_some(COPY_AGAIN);
    }
}

/// Brings files to every site at the same time: one that hangs holds up no other. Answers whether all have them.
async fn bring_each<'a>(
    sites: impl Iterator<Item = (&'a String, &'a Site)>,
    files: &Arc<Files>,
    now: Timestamp,
) -> bool {
    let bring = |(channel, site): (&'a String, &'a Site)| async move {
        let brought = site.bring(files, now).await;
        if let Err(why) = &brought {
            tracing::warn!(channel, %why, "the copy of the public page could not be made; it is tried again");
        }
        brought.is_ok()
    };
    join_all(sites.map(bring)).await.into_iter().all(|brought| brought)
}

async fn sleep_for(wait: Option<Duration>) {
    tokio::time::sleep(wait.unwrap_or(COPY_AGAIN)).await;
}

fn site<'a>((name, channel): (&'a String, &'a Channel)) -> Option<(&'a String, &'a Site)> {
    match channel {
        Channel::Site(site) => Some((name, site)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public::Component;

    fn shown(second: i64) -> Shown {
        let made_at = Timestamp::from_second(1_795_400_000 + second).unwrap();
        let components = vec![Component { name: "Online shop".into(), since: Timestamp::UNIX_EPOCH }];
        Shown {
            title: "Status".into(),
            url: None,
            contact: None,
            subscribe: None,
            made_at,
            components,
            incidents: Vec::new(),
            maintenance: Vec::new(),
        }
    }

    fn page(newest: &Newest) -> String {
        String::from_utf8(newest.get().get("/").unwrap().bytes.to_vec()).unwrap()
    }

    fn site_in(directory: &Path) -> Channel {
        let fields = crate::channels::Fields {
            texts: [("directory".to_owned(), directory.to_str().unwrap().to_owned())].into(),
            ..Default::default()
        };
        let shared = crate::channels::Shared {
            client: crate::channels::client::Client::new(None).unwrap(),
            mailer: None,
            heard: Default::default(),
            newest: Newest::default(),
        };
        (crate::channels::site::KIND.build)(fields, &shared).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_that_hangs_holds_up_no_other_and_is_tried_again() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // Somebody else has it, for ever.
        let lock = File::create(first.path().join(".onscene.lock")).unwrap();
        lock.lock().unwrap();
        let channels = [("a".to_owned(), site_in(first.path())), ("b".to_owned(), site_in(second.path()))];
        let sites = || channels.iter().filter_map(|(name, channel)| site((name, channel)));
        let files = Arc::new(write(&shown(0), false, None).unwrap());
        let now = shown(0).made_at;
        let soon = tokio::time::timeout(Duration::from_secs(1), bring_each(sites(), &files, now)).await;
        assert!(soon.is_err() && second.path().join("index.html").exists(), "the other one is there by then");
        assert!(!bring_each(sites(), &files, now).await, "it ends, and says that one is missing");
        assert!(!first.path().join("index.html").exists());
        drop(lock);
        assert!(bring_each(sites(), &files, now).await);
        assert!(first.path().join("index.html").exists());
    }

    #[test]
    fn what_says_the_same_is_not_written_again_until_its_hour_is_old() {
        let newest = Newest::default();
        let publisher = Publisher::new(newest.clone(), None);
        publisher.publish(shown(0)).unwrap();
        let first = newest.get();
        publisher.publish(shown(299)).unwrap();
        assert!(Arc::ptr_eq(&first, &newest.get()));
        publisher.publish(shown(300)).unwrap();
        let second = newest.get();
        assert_ne!(first.get("/").unwrap().tag, second.get("/").unwrap().tag);
        let (one, other) = (first.get("/history").unwrap(), second.get("/history").unwrap());
        assert_eq!((&one.tag, &one.modified), (&other.tag, &other.modified), "nothing of it changed");
        let mut other = shown(301);
        other.components.push(Component { name: "Payments".into(), since: other.made_at });
        publisher.publish(other).unwrap();
        assert!(page(&newest).contains("Payments"));
    }

    #[test]
    fn a_restart_shows_the_last_page_and_says_how_old_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let own = Some(directory.path().join("public"));
        let newest = Newest::default();
        let publisher = Publisher::new(newest.clone(), own.clone());
        publisher.take_up();
        assert!(newest.get().is_empty(), "nothing was kept yet");
        publisher.publish(shown(0)).unwrap();
        assert!(!page(&newest).contains("This is what was known"));
        let again = Newest::default();
        let publisher = Publisher::new(again.clone(), own.clone());
        publisher.take_up();
        assert!(
            page(&again).contains("This is what was known at <time datetime=\"2026-11-"),
            "{}",
            page(&again)
        );
        assert_eq!(again.get().made_at(), shown(0).made_at);
        publisher.publish(shown(1)).unwrap();
        assert!(!page(&again).contains("This is what was known"));
        // What is broken is as good as none.
        fs::write(own.clone().unwrap().join(KEPT), "{").unwrap();
        let broken = Newest::default();
        Publisher::new(broken.clone(), own).take_up();
        assert!(broken.get().is_empty());
    }

    #[test]
    fn who_cannot_look_any_more_says_so_once_and_takes_it_back() {
        let newest = Newest::default();
        let publisher = Publisher::new(newest.clone(), None);
        publisher.lost().unwrap();
        assert!(newest.get().is_empty());
        publisher.publish(shown(0)).unwrap();
        publisher.lost().unwrap();
        assert!(page(&newest).contains("This is what was known"));
        let old = newest.get();
        publisher.lost().unwrap();
        assert!(Arc::ptr_eq(&old, &newest.get()));
        publisher.publish(shown(1)).unwrap();
        assert!(!page(&newest).contains("This is what was known"));
    }
}
