//! Channels: a letter's rendered words → one of four outcomes.
//!
//! **New channel**: one file here, one line in [`KINDS`] and one in [`Channel`], one folder
//! `tests/fixtures/channels/<name>/`. What an answer of 404 means is said in that channel's own file.
//! A channel never meets the store and never decides anything; it sends the same bytes for the same
//! parcel, however often it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

pub use statement::Statement;

use crate::core::voice::Sort;
use crate::crypto;
use crate::public::Newest;

mod api;
mod blog;
pub mod bluesky;
mod board;
pub mod cachet;
pub mod client;
pub mod command;
pub mod discord;
mod fit;
pub mod ghost;
pub mod google_chat;
pub mod gotify;
mod hook;
pub mod instatus;
pub mod irc;
pub mod mail;
pub mod mastodon;
pub mod matrix;
pub mod mattermost;
pub mod ntfy;
mod pace;
pub mod pagerduty;
pub mod pushover;
pub mod site;
pub mod slack;
mod social;
pub mod statement;
pub mod statuspage;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_blog;
#[cfg(test)]
mod stories_board;
#[cfg(test)]
mod stories_http;
#[cfg(test)]
mod stories_social;
#[cfg(test)]
mod stories_statements;
pub mod teams;
pub mod telegram;
mod tries;
mod twilio;
pub mod twilio_sms;
pub mod twilio_voice;
pub mod webhook;
pub mod wordpress;
pub mod x;
pub mod zulip;

/// An id as the other side has it, of one that is kept with its room: what people are shown.
pub fn plain_id(kept: &str) -> &str {
    kept.split_once(OF_ROOM).map_or(kept, |(id, _)| id)
}

/// Every kind of channel there is.
pub const KINDS: &[Kind] = &[
    mail::KIND,
    slack::KIND,
    webhook::KIND,
    cachet::KIND,
    command::KIND,
    bluesky::KIND,
    discord::KIND,
    ghost::KIND,
    google_chat::KIND,
    gotify::KIND,
    instatus::KIND,
    irc::KIND,
    mastodon::KIND,
    matrix::KIND,
    mattermost::KIND,
    ntfy::KIND,
    pagerduty::KIND,
    pushover::KIND,
    site::KIND,
    statuspage::KIND,
    teams::KIND,
    telegram::KIND,
    twilio_sms::KIND,
    twilio_voice::KIND,
    wordpress::KIND,
    x::KIND,
    zulip::KIND,
];

/// Says what is wrong with an address of a person.
pub type CheckAddress = fn(&str) -> Result<(), String>;

/// One kind of channel.
pub struct Kind {
    /// The word used in `[[channel]] kind = "..."`, and the name of the fixture folder.
    pub name: &'static str,
    /// The keys it takes beside `name`, `kind`, `audience` and `fallback`.
    pub keys: &'static [Key],
    /// Builds the channel. The error is a sentence for the operator.
    pub build: fn(Fields, &Shared) -> Result<Channel, String>,
    /// Set when it reaches persons (`[[way]] kind = "..."`): says what is wrong with an address of one.
    pub address: Option<CheckAddress>,
    /// Whether it takes status (`[[channel]] kind = "..."`).
    pub status: bool,
}

/// One configuration key of a channel kind.
pub struct Key {
    /// As written in the file. A secret key `token` is written `token_file` (or `token_env`).
    pub name: &'static str,
    /// Whether it is a secret, which is read from a file or the environment.
    pub secret: bool,
    /// Whether the channel cannot be without it.
    pub required: bool,
}

/// What the operator wrote for one channel, with secrets already read.
#[derive(Debug, Default)]
pub struct Fields {
    /// Plain texts.
    pub texts: BTreeMap<String, String>,
    /// Lists of texts.
    pub lists: BTreeMap<String, Vec<String>>,
    /// Secrets, under the key without `_file`.
    pub secrets: BTreeMap<String, SecretString>,
}

/// What channels share.
#[derive(Clone)]
pub struct Shared {
    /// The one HTTP client.
    pub client: client::Client,
    /// The one mailer, when `[mail]` is configured.
    pub mailer: Option<Arc<mail::Mailer>>,
    /// Which answers are heard.
    pub heard: Heard,
    /// The newest files of the public page.
    pub newest: Newest,
}

/// Which of those that carry answers are known to us by a secret of `[answers]`. Of the others nothing is heard, so no button
/// and no key of theirs is offered.
#[derive(Clone, Default)]
pub struct Heard {
    /// `POST /answers/twilio/sms` and `/voice`: what the codes of text messages are made with.
    pub twilio: Option<SecretString>,
    /// `POST /answers/slack`.
    pub slack: bool,
    /// `POST /answers/telegram`.
    pub telegram: bool,
    /// `POST /answers/mattermost`: what its buttons are signed with.
    pub mattermost: Option<SecretString>,
}

/// The answers that a button gives, as on the answer page: the word that its call comes with, and what people read.
const BUTTONS: [(&str, &str); 3] =
    [("take", "Take command"), ("help", "Take command, call for help"), ("decline", "I can't")];

/// A built channel.
pub enum Channel {
    /// See [`mail`].
    Mail(mail::MailChannel),
    /// See [`slack`].
    Slack(slack::Slack),
    /// See [`webhook`].
    Webhook(Box<webhook::Webhook>),
    /// See [`cachet`].
    Cachet(cachet::Cachet),
    /// See [`command`].
    Command(command::Command),
    /// See [`bluesky`].
    Bluesky(Box<bluesky::Bluesky>),
    /// See [`discord`].
    Discord(discord::Discord),
    /// See [`ghost`].
    Ghost(ghost::Ghost),
    /// See [`google_chat`].
    GoogleChat(google_chat::GoogleChat),
    /// See [`gotify`].
    Gotify(gotify::Gotify),
    /// See [`instatus`].
    Instatus(instatus::Instatus),
    /// See [`irc`].
    Irc(Box<irc::Irc>),
    /// See [`mastodon`].
    Mastodon(Box<mastodon::Mastodon>),
    /// See [`matrix`].
    Matrix(matrix::Matrix),
    /// See [`mattermost`].
    Mattermost(mattermost::Mattermost),
    /// See [`ntfy`].
    Ntfy(ntfy::Ntfy),
    /// See [`pagerduty`].
    Pagerduty(pagerduty::Pagerduty),
    /// See [`pushover`].
    Pushover(pushover::Pushover),
    /// See [`site`].
    Site(site::Site),
    /// See [`statuspage`].
    Statuspage(statuspage::Statuspage),
    /// See [`teams`].
    Teams(teams::Teams),
    /// See [`telegram`].
    Telegram(telegram::Telegram),
    /// See [`twilio_sms`].
    TwilioSms(twilio_sms::TwilioSms),
    /// See [`twilio_voice`].
    TwilioVoice(twilio_voice::TwilioVoice),
    /// See [`wordpress`].
    WordPress(wordpress::WordPress),
    /// See [`x`].
    X(Box<x::X>),
    /// See [`zulip`].
    Zulip(zulip::Zulip),
}

/// Finds a kind by its name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// Whether it publishes to anybody, and so takes statements only: the status of an incident is refused there, letter by letter.
    pub fn publishes(&self) -> bool {
        matches!(
            self.name,
            "bluesky"
                | "cachet"
                | "ghost"
                | "instatus"
                | "mastodon"
                | "site"
                | "statuspage"
                | "wordpress"
                | "x"
        )
    }

    /// Builds a channel that takes status.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn build_for_status(&self, fields: Fields, shared: &Shared) -> Result<Channel, String> {
        if !self.status {
            return Err(format!(
                "a channel of the kind {} reaches persons: write it as a `[[way]]`",
                self.name
            ));
        }
        let channel = (self.build)(fields, shared)?;
        // These reach persons too, and know a room only where one is written.
        match &channel {
            Channel::Matrix(channel) => channel.takes_status()?,
            Channel::Mattermost(channel) => channel.takes_status()?,
            Channel::Slack(channel) => channel.takes_status()?,
            Channel::Telegram(channel) => channel.takes_status()?,
            _ => {}
        }
        Ok(channel)
    }
}

impl Channel {
    /// Sends one parcel. Every implementation ends within [`SEND_DEADLINE`].
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        match self {
            Self::Mail(channel) => channel.send(parcel).await,
            Self::Slack(channel) => channel.send(parcel).await,
            Self::Webhook(channel) => channel.send(parcel).await,
            Self::Cachet(channel) => channel.send(parcel).await,
            Self::Command(channel) => channel.send(parcel).await,
            Self::Bluesky(channel) => channel.send(parcel).await,
            Self::Discord(channel) => channel.send(parcel).await,
            Self::Ghost(channel) => channel.send(parcel).await,
            Self::GoogleChat(channel) => channel.send(parcel).await,
            Self::Gotify(channel) => channel.send(parcel).await,
            Self::Instatus(channel) => channel.send(parcel).await,
            Self::Irc(channel) => channel.send(parcel).await,
            Self::Mastodon(channel) => channel.send(parcel).await,
            Self::Matrix(channel) => channel.send(parcel).await,
            Self::Mattermost(channel) => channel.send(parcel).await,
            Self::Ntfy(channel) => channel.send(parcel).await,
            Self::Pagerduty(channel) => channel.send(parcel).await,
            Self::Pushover(channel) => channel.send(parcel).await,
            Self::Site(channel) => channel.send(parcel).await,
            Self::Statuspage(channel) => channel.send(parcel).await,
            Self::Teams(channel) => channel.send(parcel).await,
            Self::Telegram(channel) => channel.send(parcel).await,
            Self::TwilioSms(channel) => channel.send(parcel).await,
            Self::TwilioVoice(channel) => channel.send(parcel).await,
            Self::WordPress(channel) => channel.send(parcel).await,
            Self::X(channel) => channel.send(parcel).await,
            Self::Zulip(channel) => channel.send(parcel).await,
        }
    }

    /// Whether what wakes somebody sounds on until that is ended.
    pub fn sounds_on(&self) -> bool {
        matches!(self, Self::Pushover(_))
    }

    /// Whether its letters show a code that an answer has to carry.
    pub fn shows_codes(&self) -> bool {
        matches!(self, Self::TwilioSms(_))
    }

    /// Whether a statement that an attempt before may have written is looked for before it is written.
    pub fn looks_first(&self, parcel: &Parcel) -> bool {
        match self {
            Self::Slack(channel) => channel.can_look(),
            Self::Cachet(_)
            | Self::Ghost(_)
            | Self::Instatus(_)
            | Self::Matrix(_)
            | Self::Mattermost(_)
            | Self::Statuspage(_)
            | Self::WordPress(_)
            | Self::Zulip(_) => parcel.statement.is_some(),
            _ => false,
        }
    }

    /// Whether it takes away what a retraction takes back by what that is called there, and has to be told so.
    fn removes_by_id(&self) -> bool {
        matches!(
            self,
            Self::Discord(_)
                | Self::Ghost(_)
                | Self::Matrix(_)
                | Self::Mattermost(_)
                | Self::Slack(_)
                | Self::Telegram(_)
                | Self::WordPress(_)
                | Self::Zulip(_)
        )
    }

    /// What tells one room from another, for kinds whose ids are of one room and do not say of which.
    fn room(&self) -> Option<String> {
        let room = match self {
            Self::Discord(channel) => channel.webhook(),
            Self::Matrix(channel) => channel.room()?,
            Self::Slack(channel) => channel.room()?,
            _ => return None,
        };
        let hash = crypto::hex(&crypto::sha256(room.as_bytes()));
        hash.get(..ROOM_DIGITS).map(str::to_owned)
    }

    /// What became of a letter, with its id as it is kept: with the room that it is of.
    pub fn kept(&self, outcome: Outcome) -> Outcome {
        let Some(room) = self.room() else { return outcome };
        let kept = |id: String| format!("{id}{OF_ROOM}{room}");
        match outcome {
            Outcome::Accepted { remote_id } => Outcome::Accepted { remote_id: remote_id.map(kept) },
            Outcome::Stands { remote_id, why } => Outcome::Stands { remote_id: remote_id.map(kept), why },
            Outcome::Begun { root } => Outcome::Begun { root: kept(root) },
            other => other,
        }
    }

    /// Reads the ids that a parcel has, as [`Self::kept`] wrote them. What a letter takes back in a room that the channel led to before
    /// has no name here, and is told of; a thread that is not here begins anew. Ids of before are of this room.
    pub fn read_ids(&self, parcel: &mut Parcel) {
        let read = |id: &str| match id.split_once(OF_ROOM) {
            Some((id, room)) => (id.to_owned(), self.room().is_none_or(|own| own == room)),
            None => (id.to_owned(), true),
        };
        parcel.thread_root = parcel.thread_root.as_deref().map(|root| read(root).0);
        if let Some(mended) = parcel.statement.as_mut().and_then(|said| said.mends.as_mut()) {
            let id = mended.remote_id.as_deref().map(read);
            mended.remote_id = id.filter(|(_, is_here)| *is_here).map(|(id, _)| id);
        }
    }

    /// What became of a letter, with what is to be told of what it takes back: where nothing was ever named to us, it may stand.
    pub fn told(&self, parcel: &Parcel, outcome: Outcome) -> Outcome {
        let retracts = parcel.statement.as_ref().filter(|said| said.sort == Sort::Retraction);
        let mended = retracts.filter(|_| self.removes_by_id()).and_then(|said| said.mends.as_ref());
        let is_unnamed = mended.is_some_and(|mended| mended.remote_id.is_none()) && !parcel.mends_nothing;
        let why = "it was never named to us, or stands in a room that the channel led to before";
        if is_unnamed { statement::standing(outcome, why) } else { outcome }
    }

    /// Whether the other side, or whoever reads it, recognises a repeat of the same letter, or it is looked for before it is written
    /// again: then one that may have been written is sent again. A letter that wakes somebody is in any case; a statement must not
    /// stand anywhere twice. Asked after the attempt, for one may learn that it cannot look.
    pub fn recognises_repeats(&self, parcel: &Parcel) -> bool {
        let is_statement = parcel.statement.is_some();
        match self {
            Self::Bluesky(_) | Self::Mastodon(_) | Self::X(_) => true,
            Self::Pagerduty(_) => true,
            // Whoever tries again looks first.
            Self::Cachet(_) | Self::Instatus(_) | Self::Statuspage(_) => true,
            // The same files again are the same files.
            Self::Site(_) => true,
            Self::Webhook(webhook) => webhook.recognises_repeats(),
            Self::Matrix(_) | Self::Mattermost(_) | Self::Ntfy(_) => true,
            // A mail program may show a repeat as one; that a webhook of Google Chat does is written nowhere.
            Self::Mail(_) | Self::GoogleChat(_) => !is_statement,
            // They look whether it is there before they write.
            Self::Ghost(_) | Self::WordPress(_) => true,
            // A program is told the delivery.
            Self::Command(_) => true,
            Self::Slack(channel) => is_statement && channel.can_look(),
            Self::Zulip(_) => is_statement,
            Self::Discord(_)
            | Self::Gotify(_)
            | Self::Irc(_)
            | Self::Pushover(_)
            | Self::Teams(_)
            | Self::Telegram(_)
            | Self::TwilioSms(_)
            | Self::TwilioVoice(_) => false,
        }
    }
}

/// The type of a letter by which somebody subscribes to statements, who need not be of the house.
pub const SUBSCRIPTION: &str = "subscription";
/// The type of a letter that says nothing, and ends what sounds on: `data.ends` is the delivery that it was.
pub const HUSH: &str = "hush";
/// Between the id of a message and the room that it is of, as it is kept; and how much of the room's hash stands there.
const OF_ROOM: char = '\u{1f}';
const ROOM_DIGITS: usize = 12;
/// The longest that anything sounds on by itself.
pub const SOUNDS_MAX: SignedDuration = SignedDuration::from_secs(600);

/// The longest one attempt may take, whatever the other side does.
pub const SEND_DEADLINE: Duration = Duration::from_secs(20);

/// Which of an incident's threads a parcel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// Pages and notices to responders.
    Pages,
    /// Status updates.
    Status,
}

/// One letter, rendered, as it is handed to a channel. The same for every attempt but `attempt` and `thread_root`.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The delivery's own id (32 hex digits), chosen when the letter was written: the idempotency key
    /// and the left part of the Message-ID.
    pub delivery: String,
    /// The incident's number.
    pub incident: i64,
    /// State of the incident when the letter was written: `triggered`, `acknowledged`, ...
    pub incident_state: String,
    /// Which thread.
    pub thread: Thread,
    /// The address of a person, as the channel's kind has them; empty for channels that know their own recipients.
    pub to: String,
    /// For pages: how often this person was paged, from 1. Zero otherwise.
    pub page_attempt: u32,
    /// Constant during an incident.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML, for mail.
    pub html: String,
    /// What it says in one line, without the link: for ways that carry little.
    pub short: String,
    /// The answer link, when it carries one: whoever is woken answers there.
    pub answer: Option<String>,
    /// Where responders meet, for ways that carry little; the text says so by itself.
    pub meet: Option<Meet>,
    /// Whether it is meant to wake somebody.
    pub wakes: bool,
    /// Machine-readable facts, for webhooks: a JSON object.
    pub data: serde_json::Value,
    /// The type of the event for webhooks: `incident.acknowledged`, ...
    pub event_type: String,
    /// When the letter was written: the mail's Date.
    pub created_at: Timestamp,
    /// When this attempt begins (for signatures that carry the hour of the attempt).
    pub now: Timestamp,
    /// Remote id of the first message of this thread in this channel, once known.
    pub thread_root: Option<String>,
    /// While that is not known: statements of this incident that may be in this channel, though nobody was told so, by their
    /// deliveries, the newest first. Whoever makes one thing of an incident looks whether one of them made it.
    pub lost: Vec<String>,
    /// The same of letters with the very statement of this one: somebody had it sent once more.
    pub again: Vec<String>,
    /// Which attempt this is, from 1. Relays are tried in turn: attempt n begins with relay n. Above 1, what an earlier one wrote may
    /// be there: whoever can look, looks before it writes a statement.
    pub attempt: u32,
    /// What it corrects or takes back certainly never was in this channel.
    pub mends_nothing: bool,
    /// No attempt before can have written it: each is known to have ended with nothing written.
    pub unwritten: bool,
    /// It is not wanted any more, and an attempt before may have written it: it is looked for, and not written. Where it is not there,
    /// that is [`Outcome::Refused`]. Only channels that [`Channel::looks_first`] are asked.
    pub only_look: bool,
    /// The statement, when it is one.
    pub statement: Option<Box<Statement>>,
}

/// Where responders meet, in few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meet {
    /// The address.
    pub url: String,
    /// The usual place, when people are to meet elsewhere.
    pub left: Option<String>,
    /// What a voice says of it.
    pub said: String,
}

impl Parcel {
    /// Whether an attempt before may have written it.
    fn may_be_there(&self) -> bool {
        self.attempt > 1 && !self.unwritten
    }

    /// The address where responders meet.
    fn place(&self) -> Option<&str> {
        self.meet.as_ref().map(|meet| meet.url.as_str())
    }

    /// Where the rest stands of a letter that has to be cut: its answer page, or else the incident's.
    fn rest(&self) -> Option<&str> {
        let page = || self.data.get("incident")?.get("url")?.as_str();
        self.answer.as_deref().or_else(page)
    }

    /// Whether it asks its reader to take command: then a button or a key may do so.
    fn asks_for_command(&self) -> bool {
        self.answer.is_some() && self.event_type == "page"
    }

    /// Whether it is a test of how pages reach its reader.
    fn is_test(&self) -> bool {
        self.answer.is_some() && self.event_type == "test"
    }

    /// The address of our own pages, as the answer link has it, without a slash at its end: answers by other ways go
    /// there too.
    fn origin(&self) -> Option<&str> {
        self.answer.as_deref()?.rsplit_once("/r/").map(|(origin, _)| origin)
    }
}

/// What became of one attempt. Never a bool: "it may have happened" is an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has it.
    Accepted {
        /// The other side's id, when it gives one.
        remote_id: Option<String>,
    },
    /// The other side has it; but what it takes back may stand there still, and cannot be removed from here. It is not sent once more:
    /// people are told to look.
    Stands {
        /// The other side's id of what it has, when it gives one.
        remote_id: Option<String>,
        /// What is left to be done, in words, without secrets.
        why: String,
    },
    /// The other side has it, and what its thread began with before is not there any more, or cannot be answered: what follows
    /// answers this one.
    Begun {
        /// Its id there.
        root: String,
    },
    /// Certainly not written; may be tried again.
    Wait {
        /// Not before this long from now, when the other side said so.
        after: Option<Duration>,
        /// What was answered, in words, without secrets.
        why: String,
    },
    /// Certainly not written, and it never will be.
    Refused {
        /// What was answered, in words, without secrets.
        why: String,
        /// The fault is the channel's (credentials, closed room), not this letter's.
        whole_channel: bool,
    },
    /// It may have been written: the connection was lost after the words had left.
    Unknown {
        /// What is known, in words, without secrets.
        why: String,
    },
}

impl Outcome {
    /// What is there, by its id: in its thread, or as the first of another.
    fn there(id: String, begins: bool) -> Self {
        match begins {
            true => Self::Begun { root: id },
            false => Self::Accepted { remote_id: Some(id) },
        }
    }

    /// The word used in metrics, SQL and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } | Self::Begun { .. } => "accepted",
            Self::Stands { .. } => "stands",
            Self::Wait { .. } => "wait",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
        }
    }
}
