//! What can be asked of the door, and what it answers.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Answering, Asked, CalendarSaid, Change, Drilling, Part, Press, Report, SignIn, Subscribing};
use crate::core::alert::Event;
use crate::core::condition::Condition;
use crate::core::decide::{Act, By, Reason};
use crate::core::incident::{Incident, Severity};
use crate::core::mail::{Ignored, Mail};
use crate::core::silence::Silence;
use crate::store::letters::{self, Claim, Settlement};
use crate::store::{calendars, nodes, tokens, unreadable};

/// What can be asked of the door.
#[derive(Debug)]
pub enum Command {
    /// A delivery that was understood.
    Events(Delivered),
    /// A delivery that was not, or not all of it.
    Unreadable(Box<Unread>),
    /// A message that may be about a letter.
    Mail(Box<Posted>),
    /// Something is done to an incident.
    Act {
        /// Which.
        incident: i64,
        /// What.
        act: Act,
        /// By whom.
        by: By,
    },
    /// Somebody, or something, pressed a button of an answer page.
    Press(Press),
    /// Somebody answered a page by another way than its link.
    Answer(Answering),
    /// An incident becomes part of another.
    Merge {
        /// Which.
        incident: i64,
        /// Of which.
        into: i64,
        /// The term its Commander believes in, when it has one.
        term: Option<u32>,
        /// By whom.
        by: By,
    },
    /// Something is taken out of an incident.
    Split {
        /// Which.
        incident: i64,
        /// What.
        part: Part,
        /// The term its Commander believes in, when it has one.
        term: Option<u32>,
        /// By whom.
        by: By,
    },
    /// A human opens an incident without an alert.
    Declare {
        /// One line.
        title: String,
        /// What is affected.
        service: String,
        /// How bad.
        severity: Severity,
        /// By whom.
        by: By,
    },
    /// The hour of a heartbeat may have come.
    HeartbeatDue {
        /// Which.
        name: String,
        /// Since when pings could be heard.
        heard_since: Timestamp,
    },
    /// The hour of an alert may have come.
    AlertDue {
        /// Its number.
        alert: i64,
        /// From when until when its sender could be heard.
        hearing: nodes::Hearing,
    },
    /// A silence is made or changed.
    PutSilence {
        /// What is wanted; its id is empty, or that of the one to change.
        silence: Silence,
        /// The id of a new one.
        fresh: String,
    },
    /// A silence ends now.
    EndSilence {
        /// Its id.
        id: String,
        /// Whose it has to be: of one source, or of all.
        source: Option<String>,
    },
    /// Something is known for a while.
    AddCondition {
        /// What, with an id that is new.
        condition: Condition,
        /// By whom.
        by: By,
    },
    /// A known condition ends now.
    EndCondition {
        /// Its id.
        id: String,
        /// What people call who ends it.
        who: String,
        /// By whom.
        by: By,
    },
    /// Something is said of who is on call.
    Roster(Change),
    /// Alerts that fire are looked at by rules of inhibition that are new to this node.
    FillInhibitors {
        /// The source and key of the last that was.
        after: (String, String),
        /// What is kept by rules that this node does not have is left alone while others run with another configuration.
        patient: bool,
    },
    /// Who is on call is written down.
    NoteDuty,
    /// Whether pages reach people.
    Reach(Asked),
    /// Whether they do, tried with everybody.
    Drill(Drilling),
    /// The carrier of a letter tells what became of it.
    Report(Report),
    /// Letters are taken for delivery.
    Claim(letters::Wanted),
    /// An attempt has ended.
    Settle {
        /// The letter.
        claim: Arc<Claim>,
        /// How.
        settlement: Settlement,
        /// Only the letter's own row: what it means for its incident cannot be written.
        alone: bool,
    },
    /// A token of the API is made.
    MakeToken {
        /// The token itself, of which only the hash is kept.
        token: SecretString,
        /// Who it speaks for.
        holder: tokens::Holder,
    },
    /// A token of the API is revoked.
    RevokeToken {
        /// Its id.
        id: String,
    },
    /// Who is signed in to the pages.
    SignIn(SignIn),
    /// Who gets statements by mail.
    Subscribe(Subscribing),
    /// A calendar was asked for that a rotation follows.
    Calendar(Box<CalendarSaid>),
    /// A private address of a calendar is made.
    LinkCalendar {
        /// Its token, of which only the hash is kept.
        token: SecretString,
        /// Whose calendar.
        subject: calendars::Subject,
        /// Who makes it.
        by: String,
    },
    /// A private address of a calendar is revoked.
    UnlinkCalendar {
        /// Its id.
        id: String,
    },
    /// A node is there.
    Beat(Box<nodes::Present>),
    /// A node stops.
    Leave {
        /// The name of its process.
        node: String,
        /// Since when it has taken what was sent to it.
        heard_since: Timestamp,
    },
    /// Old things are forgotten.
    Forget,
}

impl Command {
    /// The events of a delivery, or those of it that could be read; of anything else there are none.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Events(delivered) => &delivered.events,
            Self::Mail(posted) => &posted.delivered.events,
            Self::Unreadable(unread) => &unread.rest.events,
            _ => &[],
        }
    }
}

/// Events of one delivery.
#[derive(Debug)]
pub struct Delivered {
    /// The source's name.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// Its service.
    pub service: String,
    /// What it says.
    pub events: Vec<Event>,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The number of the kept body, when it is given to the adapter again.
    pub replays: Option<i64>,
    /// It was held on a node's own disk, so that others may have heard newer things meanwhile.
    pub held: bool,
}

/// A message that may be about a letter.
#[derive(Debug)]
pub struct Posted {
    /// What it says.
    pub mail: Mail,
    /// The same as an alert, for when it is about none.
    pub delivered: Delivered,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailResult {
    /// The message's own id.
    pub key: String,
    /// `acknowledged`: something was written on a timeline; `repeated` or `ignored`: nothing was.
    pub outcome: &'static str,
    /// The incident it is about.
    pub incident: Option<i64>,
    /// Why it came out so: the word for a decision, or a sentence.
    pub reason: String,
    /// It would have been an alert, by somebody who may raise none.
    pub stranger: bool,
}

impl MailResult {
    /// Of a message that does nothing.
    pub fn ignored(mail: &Mail, why: Ignored) -> Self {
        let (key, reason) = (mail.id.clone(), why.to_string());
        Self { key, outcome: "ignored", incident: None, reason, stranger: why == Ignored::Stranger }
    }
}

/// A delivery that could not be understood, or not all of it.
#[derive(Debug)]
pub struct Unread {
    /// The body as it came.
    pub kept: unreadable::Kept,
    /// What of it could be understood. It is taken in the same transaction. When it replays a body that was kept before, only
    /// what was not taken then is.
    pub rest: Delivered,
    /// By this word such a body is kept once, however often it comes.
    pub once: Option<String>,
    /// It is mail by somebody who may raise no alerts, and is kept only when a letter that it names is known.
    pub about: Option<Box<Mail>>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventResult {
    /// `opened`, `joined`, `repeated`, `resolved`, `acknowledged`, `suppressed`, `stale`, `ignored` or `test`.
    pub outcome: &'static str,
    /// The incident it belongs to.
    pub incident: Option<i64>,
    /// Why it came out so, where that is not plain: a few words for people.
    pub reason: Option<Box<str>>,
}

/// An answer of the door: what was asked for is on disk.
#[derive(Debug)]
pub enum Reply {
    /// To [`Command::Events`], and to [`Command::Unreadable`] of a body that was kept before: what was delivered, and what became of each of its events, in their order. The
    /// events go back to the thread that made them, for which it costs least to free them.
    Events(Arc<Command>, Vec<EventResult>),
    /// To [`Command::Mail`], when it is about a letter; else it is heard as events are. To [`Command::Unreadable`], when it is
    /// mail by somebody who may raise no alerts, and about no letter.
    Mail(MailResult),
    /// To [`Command::Unreadable`]: the number under which the body is kept.
    Kept(i64),
    /// To [`Command::Unreadable`]: it came before, and was kept then.
    KeptBefore,
    /// To [`Command::Act`], [`Command::Press`], [`Command::Answer`] and [`Command::Declare`].
    Decided(Box<Incident>, Reason),
    /// To [`Command::AlertDue`] and [`Command::HeartbeatDue`]: whether its hour had come. To [`Command::NoteDuty`] and
    /// [`Drilling::Look`]: whether there was anything to write. To [`Command::Subscribe`]: whether there was anything to do.
    Looked(bool),
    /// To [`Command::PutSilence`]: the id under which it is kept.
    Silenced(String),
    /// To [`Command::FillInhibitors`].
    Inhibitors {
        /// The source and key of the last that was looked at, while there may be more.
        after: Option<(String, String)>,
        /// All were looked at; what other rules have left is forgotten when it is asked again later.
        waits: bool,
    },
    /// To [`Asked::Test`]: the number of the test.
    Tested(i64),
    /// To [`Drilling::Now`]: the number of the drill.
    Drilled(i64),
    /// To [`Command::Claim`].
    Claims(Vec<Claim>),
    /// To [`Command::MakeToken`] and [`Command::LinkCalendar`]: the id by which it is revoked.
    Made(String),
    /// To [`Command::Forget`].
    Forgotten {
        /// Whether there may be more to forget.
        more: bool,
    },
    /// To [`Command::Events`] and [`Command::Unreadable`] while a shared store is away: kept on this node's own disk.
    Spooled,
    /// To the others; to [`Command::Unreadable`] of a body that was kept before: it was read meanwhile.
    Done,
}
