//! The configuration made ready to use, swapped as a whole when it is read again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::SignedDuration;
use secrecy::SecretString;

pub mod parcel;

use crate::channels::client::{Client, Reach};
use crate::channels::mail::Mailer;
use crate::channels::{self, Channel, Fields, Heard, Shared, slack, twilio_sms};
pub use crate::channels::{HUSH, SEND_DEADLINE, SOUNDS_MAX, SUBSCRIPTION};
use crate::config::{
    self, ChannelConfig, Config, Database, Emergency, FeedConfig, HeartbeatConfig, Public, SourceKind,
};
use crate::core::heartbeat::Heartbeat;
use crate::core::rules::Rules;
use crate::crypto;
use crate::public::Newest;
use crate::render::Renderer;
use crate::sources::mapping::{Fault, Mapping};
use crate::sources::{self, Kind, Options};
use crate::store::Place;
use crate::store::postgres::Server;

/// Everything the configuration says, built.
#[derive(Default)]
pub struct House {
    /// What decisions depend on.
    pub rules: Arc<Rules>,
    /// Puts words to letters.
    pub renderer: Renderer,
    /// Channels that write one letter for each recipient, and these recipients.
    pub recipients: BTreeMap<String, Vec<String>>,
    /// The channel whose statements anybody may subscribe to by mail.
    pub list: Option<List>,
    /// Where alerts come from, by name.
    pub sources: BTreeMap<String, Source>,
    /// Pings that have to come again and again, by name.
    pub heartbeats: BTreeMap<String, HeartbeatHere>,
    /// Calendars that rotations follow, by the name of the rotation.
    pub feeds: BTreeMap<String, FeedConfig>,
    /// Ways out, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Ways to persons beside mail, by name.
    pub ways: BTreeMap<String, Channel>,
    /// The way to persons.
    pub mailer: Option<Arc<Mailer>>,
    /// What proves who brings an answer to a page.
    pub answers: AnswerKeys,
    /// Incidents that ended longer ago are forgotten; `None` keeps them.
    pub retention: Option<SignedDuration>,
    /// Whom to tell when a shared store is away for long.
    pub emergency: Option<Emergency>,
    /// What the public page is called and where it is; none without one.
    pub public: Option<Public>,
    /// Of what the configuration means to decisions and ways out, without what may differ between nodes and
    /// without secrets: 16 hexadecimal digits.
    pub config_hash: String,
}

/// The statements that anybody may subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The channel, which is the name of the list.
    pub channel: String,
    /// What readers call it.
    pub title: String,
    /// Where the public page is; without a slash at the end.
    pub url: String,
    /// Whether new subscribers are taken: there has to be a page where they ask.
    pub takes: bool,
}

impl List {
    /// The list of a channel, before it is known where its pages are.
    fn of(channel: &str) -> Self {
        Self { channel: channel.to_owned(), title: "our status".to_owned(), url: String::new(), takes: false }
    }

    /// The same, where readers find its pages.
    pub fn at(self, title: &str, url: &str, takes: bool) -> Self {
        Self { title: title.to_owned(), url: url.to_owned(), takes, ..self }
    }
}

impl House {
    /// Builds what the configuration says. `newest`: where the files of the public page come from.
    ///
    /// # Errors
    /// A sentence for the operator, with the place in the file where there is one.
    pub fn build(config: &Config, newest: &Newest) -> Result<Self, String> {
        Self::with(config, newest, |_| true)
    }

    /// Builds what is needed to decide, for a command that works on the store and may not know the secrets: ways
    /// out that need one are left out, and nothing can be sent.
    ///
    /// # Errors
    /// A sentence for the operator, with the place in the file where there is one.
    pub fn without_ways(config: &Config) -> Result<Self, String> {
        Self::with(config, &Newest::default(), |kind| !kind.keys.iter().any(|key| key.secret))
    }

    fn with(
        config: &Config,
        newest: &Newest,
        is_wanted: impl Fn(&channels::Kind) -> bool,
    ) -> Result<Self, String> {
        let file = config.path.display();
        let renderer = renderer(config)?;
        let ca_file = config.mail.as_ref().and_then(|mail| mail.ca_file.as_deref());
        let mailer = match &config.mail {
            Some(mail) => {
                let mailer = Mailer::new(&mail.from, &mail.relays, mail.password.clone(), ca_file)
                    .and_then(|mailer| mailer.answered_at(mail.reply_to.as_deref()));
                Some(Arc::new(mailer.map_err(|error| format!("{}: mail: {error}", mail.place))?))
            }
            None => None,
        };
        let client = Client::new(None).map_err(|error| format!("{file}: {error}"))?;
        let answers = AnswerKeys::of(config);
        let shared =
            Shared { client, mailer: mailer.clone(), heard: answers.heard(), newest: newest.clone() };
        let build = |channel: &ChannelConfig, what: &str| {
            let wrong = |why: String| format!("{}: {what} {}: {why}", channel.place, channel.name);
            let kind = channels::kind(&channel.kind).ok_or_else(|| wrong("its kind is unknown".into()))?;
            if !is_wanted(kind) {
                return Ok(None);
            }
            let fields = Fields {
                texts: channel.texts.clone(),
                lists: channel.lists.clone(),
                secrets: channel.secrets.clone(),
            };
            let built = match what {
                "way" => (kind.build)(fields, &shared),
                _ => kind.build_for_status(fields, &shared),
            };
            built.map_err(wrong).map(Some)
        };
        let mut ways = BTreeMap::new();
        for way in &config.ways {
            if let Some(built) = build(way, "way")? {
                ways.insert(way.name.clone(), built);
            }
        }
        let mut built = BTreeMap::new();
        let mut recipients = BTreeMap::new();
        let mut list = None;
        for channel in &config.channels {
            let Some(channel_built) = build(channel, "channel")? else { continue };
            if let Channel::Mail(mail) = &channel_built {
                recipients.insert(channel.name.clone(), mail.recipients().to_vec());
                if mail.has_subscribers() && list.replace(List::of(&channel.name)).is_some() {
                    let why = "another channel has subscribers already, and there is one list";
                    return Err(format!("{}: channel {}: {why}", channel.place, channel.name));
                }
            }
            built.insert(channel.name.clone(), channel_built);
        }
        let mut sources = BTreeMap::new();
        for source in config.sources.values() {
            let kind = sources::kind(&source.kind)
                .ok_or_else(|| format!("{file}: source {}: its kind is unknown", source.name))?;
            let options = options(source).map_err(|why| format!("{file}: source {}: {why}", source.name))?;
            let built = Source {
                name: source.name.clone(),
                kind,
                tokens: source.tokens.clone(),
                signing_secrets: source.signing_secrets.clone(),
                service: source.service.clone(),
                options,
            };
            sources.insert(source.name.clone(), built);
        }
        let asked_at =
            config.public.as_ref().and_then(|public| public.subscribed_at().map(|url| (public, url)));
        let list = match (list, asked_at) {
            (Some(list), Some((public, url))) => Some(list.at(&public.title, url, true)),
            (list, _) => list,
        };
        let rules = config.rules.clone();
        let retention = config.store.retention;
        Ok(Self {
            rules,
            renderer,
            recipients,
            list,
            sources,
            heartbeats: heartbeats(config),
            feeds: config.feeds.clone(),
            channels: built,
            ways,
            mailer,
            answers,
            retention,
            emergency: config.emergency.clone(),
            public: config.public.clone(),
            config_hash: hash(config),
        })
    }
}

impl House {
    /// Whether what wakes somebody by a way sounds on there until it is ended, as far as is known here.
    pub fn sounds_on(&self, way: &str) -> bool {
        self.ways.get(way).is_some_and(Channel::sounds_on)
    }

    /// Whether there is any such way.
    pub fn has_what_sounds_on(&self) -> bool {
        self.ways.values().any(Channel::sounds_on)
    }

    /// Whether what goes to an address of a channel goes to somebody who subscribed.
    pub fn is_of_a_subscriber(&self, channel: &str, address: &str) -> bool {
        let is_listed = self.list.as_ref().is_some_and(|list| list.channel == channel);
        is_listed && !self.is_named(channel, address)
    }

    /// Whether the configuration names an address as one that a channel goes to in any case.
    pub fn is_named(&self, channel: &str, address: &str) -> bool {
        let named = self.recipients.get(channel).into_iter().flatten();
        named.into_iter().any(|known| known.eq_ignore_ascii_case(address))
    }

    /// Whether letters by a way show a code that an answer has to carry, as far as is known here.
    pub fn shows_code(&self, way: &str) -> bool {
        self.ways.get(way).is_none_or(Channel::shows_codes)
    }
}

/// What else the operator set for a source.
fn options(source: &config::Source) -> Result<Options, String> {
    let mapping = source.map.as_ref().map(|map| Mapping::new(&map.expressions, &map.headers));
    let words = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.why).collect::<Vec<_>>().join("; ");
    Ok(Options {
        allow_get: source.allow_get,
        severity_label: source.severity_label.clone(),
        topics: source.topics.clone(),
        senders: source.senders.clone(),
        raw: source.raw,
        mapping: mapping.transpose().map_err(words)?.map(Arc::new),
    })
}

/// What two nodes must agree on, in 16 hexadecimal digits. Rules and names are kept in order, so the same
/// configuration has the same words.
fn hash<'a>(config: &'a Config) -> String {
    let said = |source: &'a config::Source| {
        let may_send = (&source.topics, source.raw, &source.senders);
        (&source.name, &source.kind, &source.service, may_send, &source.map)
    };
    let sources = config.sources.values().map(said);
    let heartbeats = config.heartbeats.iter().map(|(name, one)| (name, &one.beat));
    let said = |one: &'a ChannelConfig| (&one.name, &one.kind, &one.texts, &one.lists);
    let (channels, ways) = (config.channels.iter().map(said), config.ways.iter().map(said));
    let words = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        config.rules,
        sources.collect::<Vec<_>>(),
        heartbeats.collect::<Vec<_>>(),
        channels.collect::<Vec<_>>(),
        ways.collect::<Vec<_>>(),
        config.store.retention,
        config.emergency,
        config.public
    );
    // What must not be said shows nothing of itself. Each node has an address of its own, and must not say that either.
    let own = |word: &str| !word.is_empty() && config.server.external_url.contains(word);
    let unsaid = config.rules.disclosure.words().filter(|word| !own(word));
    let unsaid = unsaid.flat_map(|word| [word, "\n"]).collect::<String>();
    let all = [words, unsaid].join("\n");
    crypto::hex(&crypto::sha256(all.as_bytes())[..8])
}

/// Where the configuration says that everything is kept.
///
/// # Errors
/// A sentence for the operator.
pub fn place(config: &Config) -> Result<Place, String> {
    match &config.store.database {
        Database::Sqlite(path) => Ok(Place::Sqlite(path.clone())),
        Database::Postgres { url, password, ca_file, .. } => {
            let server = Server::read(url, password.as_ref(), ca_file.as_deref());
            let server = server.map_err(|why| format!("{}: store: {why}", config.path.display()))?;
            Ok(Place::Postgres(Arc::new(server)))
        }
    }
}

/// Puts words to letters, in the operator's own where there are some.
fn renderer(config: &Config) -> Result<Renderer, String> {
    let templates = config.templates.as_ref();
    if let Some(own) = templates {
        // Files may be missing in it, but not the directory: that would silently be the program's words.
        std::fs::read_dir(&own.directory).map_err(|error| {
            format!("{}: the templates in {} cannot be read: {error}", own.place, own.directory.display())
        })?;
    }
    let directory = templates.map(|own| own.directory.as_path());
    let renderer =
        Renderer::new(directory, &config.server.external_url).map_err(|error| match templates {
            Some(own) => format!("{}: {error}", own.place),
            None => format!("{}: {error}", config.path.display()),
        })?;
    let is_answered = config.mail.as_ref().is_some_and(|mail| mail.reply_to.is_some());
    Ok(renderer.answered_by_mail(is_answered))
}

/// What the configuration may name.
pub fn kinds() -> config::Kinds {
    config::Kinds {
        topic: sources::cloudwatch::envelope::check_topic,
        server: |url| Server::read(url, None, None).map(|_| ()),
        sources: sources::KINDS
            .iter()
            .map(|kind| SourceKind {
                name: kind.name,
                signs: kind.signs.is_some(),
                topics: kind.topics,
                senders: kind.senders,
                maps: kind.maps,
            })
            .collect(),
        channels: channels::KINDS
            .iter()
            .map(|kind| config::ChannelKind {
                name: kind.name,
                address: kind.address,
                status: kind.status,
                publishes: kind.publishes(),
                keys: kind
                    .keys
                    .iter()
                    .map(|key| config::ChannelKey {
                        name: key.name,
                        secret: key.secret,
                        required: key.required,
                    })
                    .collect(),
            })
            .collect(),
        relay: channels::mail::check_relay,
        mapping: mapping(),
    }
}

/// What the configuration needs to know of expressions.
fn mapping() -> config::Mapping {
    config::Mapping {
        fields: sources::mapping::FIELDS,
        headers_max: sources::mapping::HEADERS_MAX,
        header: sources::mapping::header,
        faults: |expressions| {
            let faults = Mapping::new(expressions, &[]).err().unwrap_or_default();
            faults.into_iter().map(|fault| (fault.field, fault.piece, fault.why)).collect()
        },
    }
}

/// What proves who brings an answer to a page. Any of several secrets will do; where there is none, that way is closed.
#[derive(Default)]
pub struct AnswerKeys {
    /// How we are reached from outside, which Twilio signs.
    pub external_url: String,
    /// The tokens that Twilio signs with.
    pub twilio: Vec<SecretString>,
    /// The accounts of the ways by Twilio: nothing else that it signs is for this house.
    pub twilio_accounts: Vec<String>,
    /// Where people who pressed a button in Slack may be answered: the beginnings of addresses, and which of them are our own
    /// network's.
    pub slack_hooks: Vec<(String, Reach)>,
    /// The secrets that Slack signs with.
    pub slack: Vec<SecretString>,
    /// The secrets that buttons in Mattermost are signed with.
    pub mattermost: Vec<SecretString>,
    /// The words that Telegram sends along.
    pub telegram: Vec<SecretString>,
}

impl AnswerKeys {
    fn of(config: &Config) -> Self {
        let config::Answers { twilio, slack, mattermost, telegram } = &config.answers;
        let by_twilio = config.ways.iter().filter(|way| way.kind.starts_with("twilio-"));
        let accounts = by_twilio.filter_map(|way| way.texts.get("account_sid").cloned());
        let by_slack = config.ways.iter().filter(|way| way.kind == "slack");
        let hooks = by_slack.map(|way| {
            let text = |name: &str| way.texts.get(name).map(String::as_str);
            let base = text("hooks_url").unwrap_or(slack::HOOKS_URL).trim_end_matches('/').to_owned();
            let is_private = text("private_addresses") == Some("allow");
            (base, if is_private { Reach::Private } else { Reach::Public })
        });
        Self {
            external_url: config.server.external_url.clone(),
            twilio: twilio.clone(),
            twilio_accounts: accounts.collect(),
            slack_hooks: hooks.collect(),
            slack: slack.clone(),
            mattermost: mattermost.clone(),
            telegram: telegram.clone(),
        }
    }

    /// The code that a text message shows and an answer to it carries; none where nobody hears answers.
    pub fn code(&self, delivery: &str) -> Option<String> {
        self.twilio.first().map(|key| twilio_sms::code(key, delivery))
    }

    /// Whether that is the code of a letter, also by a secret that is being replaced. The time tells nothing.
    pub fn is_code(&self, delivery: &str, said: &str) -> bool {
        let same = |key| crypto::same(twilio_sms::code(key, delivery).as_bytes(), said.as_bytes());
        self.twilio.iter().fold(false, |found, key| found | same(key))
    }

    /// Whose calls can be believed: only there a button or a key is offered.
    fn heard(&self) -> Heard {
        Heard {
            twilio: self.twilio.first().cloned(),
            slack: !self.slack.is_empty(),
            telegram: !self.telegram.is_empty(),
            mattermost: self.mattermost.first().cloned(),
        }
    }
}

/// One place alerts come from.
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static Kind,
    /// Its secrets; any of them will do.
    pub tokens: Vec<SecretString>,
    /// What its senders sign with; any of them will do. Empty when they do not sign.
    pub signing_secrets: Vec<SecretString>,
    /// What its alerts are about.
    pub service: String,
    /// What else the operator set.
    pub options: Options,
}

impl Source {
    /// Whether a header is read, by its name in lower case: by the adapter, or by expressions of the operator.
    pub fn reads(&self, name: &str) -> bool {
        self.kind.reads(name) || self.options.reads(name)
    }
}

/// One ping that has to come again and again.
pub struct HeartbeatHere {
    /// Its secrets; any of them will do.
    pub tokens: Vec<SecretString>,
    /// What is expected.
    pub beat: Heartbeat,
}

fn heartbeats(config: &Config) -> BTreeMap<String, HeartbeatHere> {
    let here = |one: &HeartbeatConfig| HeartbeatHere { tokens: one.tokens.clone(), beat: one.beat.clone() };
    config.heartbeats.iter().map(|(name, one)| (name.clone(), here(one))).collect()
}

/// The house as it is now.
pub struct Current(RwLock<Arc<House>>);

impl Current {
    /// Begins with a house.
    pub fn new(house: House) -> Self {
        Self(RwLock::new(Arc::new(house)))
    }

    /// The house as it is now; it stays as it is for who holds it.
    pub fn get(&self) -> Arc<House> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn swap(&self, house: House) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(house);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::SecretsMode;

    #[test]
    fn other_expressions_are_another_configuration() {
        let hash_with = |map: &str| {
            let scripts = "kind = \"generic\"\n";
            let text =
                include_str!("../config/quickstart.toml").replacen(scripts, &format!("{scripts}{map}\n"), 1);
            let config =
                config::parse(Path::new("onscene.toml"), &text, &kinds(), SecretsMode::Skip).unwrap();
            House::without_ways(&config).unwrap().config_hash
        };
        let hashes = [
            "",
            "map = { key = 'body.id' }",
            "map = { key = 'body.number' }",
            "map = { key = 'body.id', headers = ['x-event'] }",
        ]
        .map(hash_with);
        for (number, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..number].contains(hash), "{number}");
        }
    }

    #[test]
    fn another_customer_is_another_configuration_and_another_address_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let hash_with = |customers: &str, url: &str| {
            std::fs::write(directory.path().join("customers"), customers).unwrap();
            let text = include_str!("../config/quickstart.toml").replacen("http://127.0.0.1:8087", url, 1);
            assert!(text.contains(url));
            let text = format!("{text}\n[disclosure]\ncustomers_file = \"customers\"\n");
            let path = directory.path().join("onscene.toml");
            let config = config::parse(&path, &text, &kinds(), SecretsMode::Read).unwrap();
            House::without_ways(&config).unwrap().config_hash
        };
        let one = hash_with("Nordwind Bank", "https://one.example.net");
        assert_eq!(one, hash_with("# ours\nNordwind Bank", "https://two.example.net"));
        assert_ne!(one, hash_with("Kestrel Logistics", "https://one.example.net"));
    }
}
