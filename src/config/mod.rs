//! What the operator wrote → what it means, or everything that is wrong with it.
//!
//! The file is read key by key (`read`), so that several faults are told at once, each with its line
//! and the nearest right word (`errors`). Kinds of sources and channels are handed in: the
//! configuration knows neither. Secrets come from files or the environment ([`secrets`]), which nothing
//! else in the program reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use toml::de::DeTable;

use crate::core::audience::Audience;
use crate::core::rules::{Rules, Target};

mod answers;
mod command;
mod delivery_drill;
mod disclosure;
mod edges;
mod errors;
mod feeds;
pub mod gaps;
mod heartbeats;
mod hide;
mod inhibit;
mod maintenance;
mod meeting;
mod names;
mod people;
mod pio;
mod policies;
pub mod preview;
mod public;
mod read;
mod rotations;
mod routes;
pub mod secrets;
mod services;
mod sources;
mod statements;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_command;
#[cfg(test)]
mod stories_disclosure;
#[cfg(test)]
mod stories_drill;
#[cfg(test)]
mod stories_feeds;
#[cfg(test)]
mod stories_maintenance;
#[cfg(test)]
mod stories_meeting;
#[cfg(test)]
mod stories_policies;
#[cfg(test)]
mod stories_rotations;
#[cfg(test)]
mod stories_secrets;
#[cfg(test)]
mod stories_statements;
#[cfg(test)]
mod stories_wrong;
mod ways;
pub mod words;

pub use answers::Answers;
pub use errors::Errors;
pub(crate) use errors::nearest;
pub use feeds::{FeedConfig, FeedPlace, address as feed_address};
pub use heartbeats::HeartbeatConfig;
pub use public::Public;
use read::{Reading, Table};

/// A length of time as people write it: `90s`, `1h 30m`, `30d`, `1 week`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn length(text: &str) -> Result<SignedDuration, String> {
    words::duration(text)
}

/// Largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the configuration means.
#[derive(Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// How the daemon is reached.
    pub server: Server,
    /// Where it keeps what it knows.
    pub store: Store,
    /// How it writes to people.
    pub mail: Option<Mail>,
    /// What decisions depend on.
    pub rules: Arc<Rules>,
    /// Where alerts come from, by name.
    pub sources: BTreeMap<String, Source>,
    /// Pings that have to come again and again, by name.
    pub heartbeats: BTreeMap<String, HeartbeatConfig>,
    /// Calendars that rotations follow, by the name of the rotation.
    pub feeds: BTreeMap<String, FeedConfig>,
    /// Ways out, in the order of the file.
    pub channels: Vec<ChannelConfig>,
    /// Ways to persons beside mail, in the order of the file.
    pub ways: Vec<ChannelConfig>,
    /// How the carriers of answers prove what they are.
    pub answers: Answers,
    /// The status page that anybody may read.
    pub public: Option<Public>,
    /// The operator's own templates.
    pub templates: Option<Templates>,
    /// Whom to tell when a shared store is away for long.
    pub emergency: Option<Emergency>,
    /// Where rotations and policies stand.
    pub places: Places,
    /// What is allowed and should be known.
    pub warnings: Vec<String>,
}

/// Where things stand of which something can be wrong that only shows at some hour, by their names.
#[derive(Debug, Default)]
pub struct Places {
    /// Each `[[rotation]]`.
    pub rotations: BTreeMap<String, Place>,
    /// Each `[[escalation]]`.
    pub policies: BTreeMap<String, Place>,
}

/// `[emergency]`
#[derive(Clone, Debug)]
pub struct Emergency {
    /// How long the store is away before anybody is told.
    pub after: SignedDuration,
    /// Who.
    pub page: Vec<Target>,
}

/// `[templates]`
#[derive(Debug)]
pub struct Templates {
    /// Where they are.
    pub directory: PathBuf,
    /// Where that stands.
    pub place: Place,
}

/// `[server]`
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub listen: Listen,
    /// Where the public page is handed out; nowhere, unless it is said.
    pub public_listen: Option<Listen>,
    /// How people reach it; without a slash at the end.
    pub external_url: String,
    /// Certificate and key.
    pub tls: Option<Tls>,
    /// Largest body, in bytes.
    pub body_max: usize,
    /// Most connections at the same time.
    pub connections_max: usize,
    /// The same, of the public listener: a crowd there takes none from those who respond.
    pub public_connections_max: usize,
    /// For the header of a request.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Most commands that wait for the disk.
    pub queue_max: usize,
    /// A button of an answer page that is pressed sooner than this is asked for once more.
    pub answer_after: Duration,
}

impl Config {
    /// Keys that differ from what a running daemon was started with, and that it cannot change without a
    /// restart. `server` and `store` are as they were at its start.
    pub fn waits_for_restart(&self, server: &Server, store: &Store) -> Vec<&'static str> {
        let (new, old) = (&self.server, server);
        let files = |server: &Server| {
            server.tls.as_ref().map(|tls| (tls.certificate.clone(), tls.key.clone())).unwrap_or_default()
        };
        let (new_files, old_files) = (files(new), files(old));
        let differs = [
            ("server.listen", new.listen != old.listen),
            ("server.public_listen", new.public_listen != old.public_listen),
            ("server.tls_certificate", new_files.0 != old_files.0),
            ("server.tls_key", new_files.1 != old_files.1),
            ("server.body_max", new.body_max != old.body_max),
            ("server.connections_max", new.connections_max != old.connections_max),
            ("server.public_connections_max", new.public_connections_max != old.public_connections_max),
            ("server.header_timeout", new.header_timeout != old.header_timeout),
            ("server.body_timeout", new.body_timeout != old.body_timeout),
            ("server.idle_timeout", new.idle_timeout != old.idle_timeout),
            ("server.queue_max", new.queue_max != old.queue_max),
            ("server.answer_after", new.answer_after != old.answer_after),
        ];
        let server = differs.into_iter().filter_map(|(key, differs)| differs.then_some(key));
        server.chain(self.store.database.differs(&store.database)).collect()
    }
}

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Certificate and key, both PEM.
#[derive(Debug)]
pub struct Tls {
    /// The chain, the server's own first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Where they stand.
    pub place: Place,
}

/// `[store]`
#[derive(Debug)]
pub struct Store {
    /// What keeps everything.
    pub database: Database,
    /// Incidents that ended longer ago are forgotten; `None` keeps them.
    pub retention: Option<SignedDuration>,
}

/// What keeps everything.
#[derive(Debug)]
pub enum Database {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server that several nodes share.
    Postgres {
        /// Its address, without a password.
        url: String,
        /// To log in.
        password: Option<SecretString>,
        /// Certificates to trust beside the system's.
        ca_file: Option<PathBuf>,
        /// Where deliveries are held while it is away, and how many bytes of them.
        spool: Option<(PathBuf, u64)>,
    },
}

impl Database {
    /// Keys of `[store]` that say something else in `other`.
    fn differs(&self, other: &Self) -> Vec<&'static str> {
        // Another password is taken by a reload.
        let (
            Self::Postgres { url: one, ca_file, spool, .. },
            Self::Postgres { url: two, ca_file: other_file, spool: other_spool, .. },
        ) = (self, other)
        else {
            let same = matches!((self, other), (Self::Sqlite(one), Self::Sqlite(two)) if one == two);
            return if same { Vec::new() } else { vec!["store.url"] };
        };
        let differs = [
            ("store.url", one != two),
            ("store.ca_file", ca_file != other_file),
            ("store.spool", spool != other_spool),
        ];
        differs.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }
}

/// `[mail]`
#[derive(Debug)]
pub struct Mail {
    /// Who pages come from.
    pub from: String,
    /// Where answers to them go, if not there.
    pub reply_to: Option<String>,
    /// Relays in order.
    pub relays: Vec<String>,
    /// Password for the relays that name a user.
    pub password: Option<SecretString>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Where it stands.
    pub place: Place,
}

/// One `[[source]]`.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: String,
    /// Its secrets; none when its senders sign, or Amazon does, and when secrets were not read.
    pub tokens: Vec<SecretString>,
    /// What its senders sign with.
    pub signing_secrets: Vec<SecretString>,
    /// What its alerts are about.
    pub service: String,
    /// Alerts by GET are taken, where the kind knows such a form.
    pub allow_get: bool,
    /// The label that carries the severity.
    pub severity_label: String,
    /// The topics of Amazon SNS that may send, each signed by Amazon.
    pub topics: Vec<String>,
    /// Whose mail may be an alert: addresses, or `@` and a domain, in lower case. Anybody's, where there is none.
    pub senders: Vec<String>,
    /// Whether what has no envelope of SNS is taken with the token.
    pub raw: bool,
    /// Its alerts are over when they are not said again for this long.
    pub age_out: Option<SignedDuration>,
    /// Expressions that read what its senders send.
    pub map: Option<Map>,
}

/// `[source.map]`
#[derive(Debug)]
pub struct Map {
    /// By what each gives.
    pub expressions: BTreeMap<String, String>,
    /// Headers that they may see, in lower case.
    pub headers: Vec<String>,
}

/// One `[[channel]]`, or one `[[way]]`.
#[derive(Debug)]
pub struct ChannelConfig {
    /// Its name.
    pub name: String,
    /// Who reads it; of a way, nobody but its person.
    pub audience: Audience,
    /// What it speaks.
    pub kind: String,
    /// The channel that takes over when this one fails.
    pub fallback: Option<String>,
    /// The kind's own keys that are texts.
    pub texts: BTreeMap<String, String>,
    /// The kind's own keys that are lists of texts.
    pub lists: BTreeMap<String, Vec<String>>,
    /// The kind's own keys that are secrets.
    pub secrets: BTreeMap<String, SecretString>,
    /// Where it stands.
    pub place: Place,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.file.display(), self.line)
    }
}

/// What a configuration may name, handed in.
pub struct Kinds {
    /// Kinds of sources.
    pub sources: Vec<SourceKind>,
    /// Kinds of channels.
    pub channels: Vec<ChannelKind>,
    /// Whether a relay can be used; else a sentence that says why not.
    pub relay: fn(&str) -> Result<(), String>,
    /// Whether a PostgreSQL server can be used; else a sentence that says why not.
    pub server: fn(&str) -> Result<(), String>,
    /// Whether this names a topic of Amazon SNS; else a sentence that says why not.
    pub topic: fn(&str) -> Result<(), String>,
    /// How sources are mapped.
    pub mapping: Mapping,
}

/// What `[source.map]` may hold.
pub struct Mapping {
    /// What an expression may give.
    pub fields: &'static [&'static str],
    /// Most headers that expressions may see.
    pub headers_max: usize,
    /// The name of a header that expressions may see, as it is kept; else a sentence that says why not.
    pub header: fn(&str) -> Result<String, String>,
    /// What is wrong with expressions.
    pub faults: fn(&BTreeMap<String, String>) -> Vec<MapFault>,
}

/// What is wrong with one expression: which, where in its text (in bytes), and a sentence.
pub type MapFault = (String, Range<usize>, String);

/// A kind of source, as far as the configuration needs to know it.
pub struct SourceKind {
    /// Its name.
    pub name: &'static str,
    /// Whether its senders can sign.
    pub signs: bool,
    /// Whether it comes by way of Amazon SNS, so that `topics` may be set.
    pub topics: bool,
    /// Whether its deliveries say who wrote them, so that `senders` may be set.
    pub senders: bool,
    /// Whether it takes `[source.map]`.
    pub maps: bool,
}

/// Says what is wrong with an address of a person.
pub type CheckAddress = fn(&str) -> Result<(), String>;

/// A kind of channel, as far as the configuration needs to know it.
pub struct ChannelKind {
    /// Its name.
    pub name: &'static str,
    /// Set when it reaches persons: says what is wrong with an address of one.
    pub address: Option<CheckAddress>,
    /// Whether it takes status.
    pub status: bool,
    /// Whether it takes statements only.
    pub publishes: bool,
    /// Its own keys.
    pub keys: Vec<ChannelKey>,
}

/// One key of a kind of channel.
pub struct ChannelKey {
    /// Its name.
    pub name: &'static str,
    /// Read from a file or the environment.
    pub secret: bool,
    /// The channel cannot be without it.
    pub required: bool,
}

/// Whether secrets are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsMode {
    /// As the daemon does.
    Read,
    /// Only the password of the store: for a command that works on it, and may not be allowed to see others.
    Store,
    /// Not, but the lists of what must not be said: for a command that looks at a text.
    Names,
    /// Not: for looking at a configuration without being allowed to see them.
    Skip,
}

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, kinds: &Kinds, mode: SecretsMode) -> Result<Config, Errors> {
    let whole = |what: String| {
        let mut errors = Errors::new(path, "");
        errors.add_whole(what);
        errors
    };
    match std::fs::metadata(path) {
        Err(error) => {
            return Err(whole(format!(
                "the configuration cannot be read: {error}. Give the file with --config FILE; config/onscene.toml \
                 shows every key"
            )));
        }
        Ok(facts) if facts.len() > FILE_BYTES_MAX => {
            return Err(whole(format!("it has more than {FILE_BYTES_MAX} bytes; that is no configuration")));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| whole(format!("it cannot be read: {error}")))?;
    parse(path, &text, kinds, mode)
}

/// Reads the text of a configuration file; `path` is what it is called, and where what it names is looked for.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(path: &Path, text: &str, kinds: &Kinds, mode: SecretsMode) -> Result<Config, Errors> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut reading = Reading {
        errors: Errors::new(path, text),
        warnings: Vec::new(),
        places: Places::default(),
        mode,
        directory,
        feeds: BTreeMap::new(),
    };
    let (table, problems) = DeTable::parse_recoverable(text);
    if !problems.is_empty() {
        return Err(not_toml(reading.errors, text, &problems));
    }
    hide::secrets(&mut reading.errors, text, table.get_ref());
    let mut root = Table::new("the configuration", table.get_ref(), 0..0);
    let server = edges::server(&mut root, &mut reading);
    let store = edges::store(&mut root, &mut reading, kinds);
    let mail = edges::mail(&mut root, &mut reading, kinds);
    let ways = ways::ways(&mut root, &mut reading, kinds);
    let mut rules = people::rules(&mut root, &mut reading, &ways, kinds);
    rules.delivery_drill = delivery_drill::plan(&mut root, &mut reading, &rules);
    let emergency = edges::emergency(&mut root, &mut reading, &rules);
    let sources = sources::sources(&mut root, &mut reading, kinds, &rules);
    let heartbeats = heartbeats::heartbeats(&mut root, &mut reading, &rules);
    rules.routes = routes::routes(&mut root, &mut reading, &rules, &heartbeats);
    rules.inhibit = inhibit::inhibit(&mut root, &mut reading);
    let public = public::public(&mut root, &mut reading, server.as_ref());
    let public_url = public.as_ref().and_then(|public| public.url.as_deref());
    rules.disclosure = disclosure::disclosure(&mut root, &mut reading, &rules, server.as_ref(), public_url);
    rules.maintenance = maintenance::windows(&mut root, &mut reading, &rules);
    rules.statements = statements::templates(&mut root, &mut reading, &rules.disclosure);
    statements::symptoms(&mut reading, &rules);
    rules.age_out = sources.values().filter_map(|one| Some((one.name.clone(), one.age_out?))).collect();
    let channels = ways::channels(&mut root, &mut reading, kinds, &ways, &rules);
    let pio = pio::pio(&mut root, &mut reading);
    public::is_there_for(&mut reading, public.as_ref(), server.as_ref(), &channels);
    let answers = answers::answers(&mut root, &mut reading);
    let templates = root.table(&mut reading, "templates").and_then(|mut table| {
        let directory = table.needed(&mut reading, "dir");
        table.end(&mut reading);
        let directory = directory?;
        let place = reading.errors.place(directory.span.start);
        Some(Templates { directory: reading.directory.join(directory.value), place })
    });
    root.later(&mut reading, &["silence", "drill", "lint", "override"]);
    root.end(&mut reading);
    rules.pio = pio;
    rules.public_page = public.is_some();
    rules.channels = channels.iter().map(|channel| (channel.name.clone(), channel.audience)).collect();
    rules.internal_channels = rules.channels_of(Audience::Internal).map(str::to_owned).collect();
    rules.fallbacks = channels
        .iter()
        .filter_map(|channel| Some((channel.name.clone(), channel.fallback.clone()?)))
        .collect();
    if sources.is_empty() && reading.errors.is_empty() {
        reading
            .warnings
            .push(format!("{}: no [[source]] is configured: no alert can come in", path.display()));
    }
    match (server, store) {
        (Some(server), Some(store)) if reading.errors.is_empty() => Ok(Config {
            path: path.into(),
            server,
            store,
            mail,
            rules: Arc::new(rules),
            sources,
            heartbeats,
            feeds: reading.feeds,
            channels,
            ways,
            answers,
            public,
            templates,
            emergency,
            places: reading.places,
            warnings: reading.warnings,
        }),
        _ => {
            if reading.errors.is_empty() {
                reading.errors.add_whole("it cannot be used");
            }
            Err(reading.errors)
        }
    }
}

/// Why a text is no TOML: each place once. Nobody knows what is a key in such a text, so little of it is shown.
fn not_toml(mut errors: Errors, text: &str, problems: &[toml::de::Error]) -> Errors {
    hide::all_values(&mut errors, text);
    let mut told = BTreeSet::new();
    for problem in problems {
        let span = problem.span().unwrap_or(0..0);
        // What follows on the same line is mostly a consequence of the first.
        if told.insert(errors.line(span.start)) {
            errors.add(span, format!("this is not TOML: {}", problem.message()));
        }
    }
    errors
}
