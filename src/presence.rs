//! This node, as it tells those that share its store: that it is there, with which configuration, and since when it has
//! taken what was sent to it.
//!
//! A process that was killed is waited for, unless another is known to have its place: that has come after it.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::commit::{Command, Door};
use crate::config::{self, Config};
use crate::crypto::{self, NoRandomness};
use crate::deadlines::HeardSince;
use crate::house::Current;
use crate::http::listen::Address;
use crate::metrics::Metrics;
use crate::store::nodes::{Node, Present};

/// Nodes that share a store say this often that they are there.
const EVERY: Duration = Duration::from_secs(10);
/// For telling the other nodes that this one stops.
const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// What tells this machine from others, also where the rest of `/proc/sys` is hidden, and the same after a new start of it.
const MACHINE_ID: &str = "/etc/machine-id";
/// The next best: a container may have no other.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Says that this node is there.
pub struct Presence {
    door: Door,
    house: Arc<Current>,
    clock: Clock,
    heard_since: Arc<HeardSince>,
    /// Host and address, for people.
    name: String,
    /// The same with a random word, made at the start: no other process has it.
    pub id: Arc<str>,
    /// A place that only one process can have at a time.
    place: Option<String>,
    /// Whether others share the store.
    shared: bool,
}

impl Presence {
    /// Of this process.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        config: &Config,
        address: &Address,
        door: Door,
        house: Arc<Current>,
        clock: Clock,
        heard_since: Arc<HeardSince>,
    ) -> Result<Self, NoRandomness> {
        let host = rustix::system::uname();
        let name = format!("{} {address}", host.nodename().to_string_lossy());
        let word = crypto::random_id()?;
        let id = format!("{name} {word}");
        let (shared, place) = match &config.store.database {
            config::Database::Postgres { spool: Some((directory, _)), .. } => {
                (true, spool_place(directory, &word))
            }
            config::Database::Postgres { spool: None, .. } => {
                (true, address_place(address, &[MACHINE_ID, BOOT_ID]))
            }
            config::Database::Sqlite(_) => (false, None),
        };
        if shared && place.is_none() {
            tracing::warn!(
                "nothing tells that the next process here comes after this one; if this one is killed, nobody's silence \
                 counts for some minutes"
            );
        }
        Ok(Self { door, house, clock, heard_since, name, id: id.into(), place, shared })
    }

    /// Says so again and again, and at the end that it stops.
    pub async fn run(self, metrics: Arc<Metrics>, stop: CancellationToken) {
        let mut comes = true;
        loop {
            let house = self.house.get();
            let config_hash = house.config_hash.clone();
            // 48 bits, which a float holds exactly.
            let number =
                u64::from_str_radix(config_hash.get(..12).unwrap_or_default(), 16).unwrap_or_default();
            #[allow(clippy::cast_precision_loss, reason = "48 bits fit")]
            metrics.config_hash.set(number as f64);
            if self.shared {
                let node =
                    Node { name: self.name.clone(), config_hash, version: env!("CARGO_PKG_VERSION").into() };
                let hearing = self.heard_since.hearing(&self.clock, &house, &self.door);
                let place = self.place.clone();
                let present = Present { id: self.id.to_string(), node, hearing, place, comes };
                match self.door.ask(Command::Beat(Box::new(present))).await {
                    Ok(_) => comes = false,
                    Err(error) => {
                        tracing::debug!(%error, "the other nodes cannot be told that this one is there");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        // Others need not wait for what it might hear, unless it still holds something.
        let holds = self.door.away().look().held.is_some_and(|held| held.deliveries > 0);
        if self.shared && self.door.is_up() && !holds {
            let heard_since = self.heard_since.hearing(&self.clock, &self.house.get(), &self.door).since;
            let left = self.door.ask(Command::Leave { node: self.id.to_string(), heard_since });
            if !matches!(tokio::time::timeout(LEAVE_WAIT, left).await, Ok(Ok(_))) {
                tracing::debug!("the other nodes could not be told that this one stops");
            }
        }
    }
}

/// The place of a process that holds deliveries: a word that stands in the directory of its spool, which is its alone.
fn spool_place(directory: &Path, fresh: &str) -> Option<String> {
    let file = directory.join("place");
    // What a crash or a hand left there may be anything.
    if let Some(known) = std::fs::read_to_string(&file).ok().filter(|word| crypto::is_id(word)) {
        return Some(known);
    }
    match keep(directory, &file, fresh) {
        Ok(()) => Some(fresh.to_owned()),
        Err(error) => {
            let file = file.display();
            tracing::warn!(%error, %file, "the place of this process cannot be kept");
            None
        }
    }
}

/// Whole, or not at all.
fn keep(directory: &Path, file: &Path, word: &str) -> std::io::Result<()> {
    let half = file.with_extension("new");
    let mut written = std::fs::File::create(&half)?;
    written.write_all(word.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&half, file)?;
    std::fs::File::open(directory)?.sync_all()
}

/// The place of any other: nobody else can listen at its address while it does, on this machine and in what the system
/// keeps apart there for containers. A service manager gives every process files of its own to see, but no network and no
/// numbers of processes of its own.
fn address_place(address: &Address, machine: &[&str]) -> Option<String> {
    let apart = match address {
        Address::Tcp(_) => "/proc/self/ns/net",
        Address::Unix(_) => "/proc/self/ns/pid",
    };
    let apart = std::fs::read_link(apart).ok()?;
    let machine = machine.iter().find_map(|file| {
        let word = std::fs::read_to_string(file).ok()?;
        // "uninitialized", or nothing, in an image.
        let word = word.trim().replace('-', "");
        crypto::is_id(&word).then_some(word)
    })?;
    let place = format!("{machine} {} {address}", apart.display());
    Some(crypto::hex(&crypto::sha256(place.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_spool_is_kept_whole_and_what_is_none_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("place");
        let words = [(); 3].map(|()| crypto::random_id().unwrap());
        assert_eq!(spool_place(directory.path(), &words[0]).as_ref(), Some(&words[0]));
        assert_eq!(spool_place(directory.path(), &words[1]).as_ref(), Some(&words[0]));
        let zeros = "\0".repeat(32);
        for spoilt in ["", &zeros, &words[0][..31], &format!("{}\n", words[0]), &words[0].to_uppercase()] {
            if spoilt == words[0] {
                continue;
            }
            std::fs::write(&file, spoilt).unwrap();
            assert_eq!(spool_place(directory.path(), &words[1]).as_ref(), Some(&words[1]), "{spoilt:?}");
            assert_eq!(spool_place(directory.path(), &words[2]).as_ref(), Some(&words[1]), "{spoilt:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        assert_eq!(spool_place(&directory.path().join("none"), &words[0]), None);
    }

    #[test]
    fn a_process_at_an_address_has_a_place_without_what_a_unit_hides() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("machine-id");
        let file = file.to_str().unwrap();
        let addresses =
            [Address::Tcp("127.0.0.1:80".parse().unwrap()), Address::Unix("/run/onscene/socket".into())];
        for none in ["", "uninitialized\n"] {
            std::fs::write(file, none).unwrap();
            assert_eq!(address_place(&addresses[0], &[file]), None);
            assert!(address_place(&addresses[0], &[file, BOOT_ID]).is_some());
        }
        std::fs::write(file, "7fffd0a6bff74a3f9d9b3a0a3a3bb9a2\n").unwrap();
        // Whatever is hidden of /proc/sys.
        let places = addresses.each_ref().map(|address| address_place(address, &[file, "/nowhere"]).unwrap());
        assert_ne!(places[0], places[1]);
        assert_eq!(address_place(&addresses[1], &[file]).as_ref(), Some(&places[1]));
        std::fs::write(file, "8fffd0a6bff74a3f9d9b3a0a3a3bb9a2\n").unwrap();
        assert_ne!(address_place(&addresses[1], &[file]).as_ref(), Some(&places[1]), "another machine");
    }
}
