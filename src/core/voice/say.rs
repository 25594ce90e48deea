//! The facts of statements, and what each says in one sentence.

use jiff::Timestamp;

use super::super::audience::Audience;
use super::super::incident::Severity;
use super::Wording;
use super::words::{Right, Sort};

/// What happened to a statement, or to what statements are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// One was written, or written anew: whatever was said of its words before counts no more.
    Drafted {
        /// Its number.
        number: u32,
        /// Its words.
        wording: Wording,
        /// By which rules something of it was found that has a second look, or a second person: their words.
        found: Vec<String>,
    },
    /// It does not go out like this.
    Returned {
        /// Its number.
        number: u32,
        /// Why.
        why: String,
    },
    /// A second person lets pass what rules had found.
    Overridden {
        /// Its number.
        number: u32,
        /// The entry of the words that were read.
        wording: u32,
        /// Which rules.
        rules: Vec<String>,
        /// What of it they read, as [`super::super::disclosure::Finding::mark`] says.
        marks: Vec<String>,
        /// Why, and who agreed.
        why: String,
    },
    /// It may go out.
    Approved {
        /// Its number.
        number: u32,
        /// The entry of the words that were read.
        wording: u32,
        /// By what right.
        right: Right,
        /// The state of the incident.
        state: String,
        /// How bad the incident was.
        severity: Severity,
    },
    /// It goes out.
    Published {
        /// Its number.
        number: u32,
        /// The entry of its words.
        wording: u32,
        /// By what right.
        right: Right,
        /// Where to.
        channels: Vec<String>,
    },
    /// It goes out once more where it may not have arrived.
    Resent {
        /// Its number.
        number: u32,
        /// Where to.
        channels: Vec<String>,
    },
    /// It is not wanted any more.
    Dropped {
        /// Its number.
        number: u32,
        /// Why; may be empty.
        why: String,
    },
    /// The Commander lets the PIO speak alone for a while.
    Delegated {
        /// Until when.
        until: Timestamp,
    },
    /// They do so no more.
    DelegationEnded,
    /// The Commander says that the cause is known.
    CauseConfirmed {
        /// What it is, for responders.
        cause: String,
    },
    /// An audience is to be told something by an hour that nobody printed: the first time.
    Awaited {
        /// Which.
        audience: Audience,
        /// By when.
        by: Timestamp,
    },
    /// The PIO was told that an update is due soon.
    Warned {
        /// For whom.
        audience: Audience,
        /// By when.
        by: Timestamp,
    },
    /// An update did not come in its time.
    Missed {
        /// For whom.
        audience: Audience,
        /// By when it was promised.
        by: Timestamp,
        /// How often this was said, from 1.
        times: u32,
    },
    /// Somebody asks how it goes.
    Asked {
        /// Its number.
        number: u32,
        /// Who, as they say.
        from: String,
        /// What.
        text: String,
    },
    /// A question has its answer, or needs none.
    Answered {
        /// Its number.
        number: u32,
        /// The answer; may be empty.
        text: String,
    },
    /// Everybody who can be the PIO was called, and nobody came.
    NoPio,
    /// Words that were approved beforehand go out at this hour, unless somebody says hold.
    HoldingPlanned {
        /// When.
        at: Timestamp,
    },
    /// They do not go out by themselves.
    HoldingStopped {
        /// Why.
        why: String,
        /// It is for its words.
        withheld: bool,
    },
}

impl Say {
    /// All words of [`Say::kind`].
    pub const KINDS: [&'static str; 18] = [
        "statement",
        "statement_returned",
        "statement_overridden",
        "statement_approved",
        "statement_published",
        "statement_resent",
        "statement_dropped",
        "delegated",
        "delegation_ended",
        "cause_confirmed",
        "update_awaited",
        "update_due",
        "update_missed",
        "question",
        "question_answered",
        "no_pio",
        "holding_planned",
        "holding_stopped",
    ];

    /// The word for the kind of entry, used in SQL and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Drafted { .. } => "statement",
            Self::Returned { .. } => "statement_returned",
            Self::Overridden { .. } => "statement_overridden",
            Self::Approved { .. } => "statement_approved",
            Self::Published { .. } => "statement_published",
            Self::Resent { .. } => "statement_resent",
            Self::Dropped { .. } => "statement_dropped",
            Self::Delegated { .. } => "delegated",
            Self::DelegationEnded => "delegation_ended",
            Self::CauseConfirmed { .. } => "cause_confirmed",
            Self::Awaited { .. } => "update_awaited",
            Self::Warned { .. } => "update_due",
            Self::Missed { .. } => "update_missed",
            Self::Asked { .. } => "question",
            Self::Answered { .. } => "question_answered",
            Self::NoPio => "no_pio",
            Self::HoldingPlanned { .. } => "holding_planned",
            Self::HoldingStopped { .. } => "holding_stopped",
        }
    }

    /// One sentence for people.
    pub fn text(&self) -> String {
        let with = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
        match self {
            Self::Drafted { number, wording, found } => {
                let found = match found.as_slice() {
                    [] => String::new(),
                    found => format!(" (to be looked at again: {})", found.join(", ")),
                };
                let what = match (wording.sort, wording.mends) {
                    (Sort::Correction, Some(of)) => format!(", correction of {of}"),
                    (Sort::Retraction, Some(of)) => format!(", retraction of {of}"),
                    (Sort::Update, _) => String::new(),
                    (sort, _) => format!(", {}", sort.as_str()),
                };
                let next = wording.next_by.map(|by| format!(" [next update by {by:.0}]")).unwrap_or_default();
                format!(
                    "statement {number}, {}, {}{what}{found}: {}: {}{next}",
                    wording.audience.as_str(),
                    wording.phase.as_str(),
                    wording.title,
                    wording.text
                )
            }
            Self::Returned { number, why } => format!("statement {number} is returned{}", with(why)),
            Self::Overridden { number, rules, why, .. } => {
                format!("statement {number}: {} may pass{}", rules.join(", "), with(why))
            }
            Self::Approved { number, right, .. } => {
                format!("statement {number} is approved {}", right.words())
            }
            Self::Published { number, right, channels, .. } => {
                let channels =
                    if channels.is_empty() { "the status page".to_owned() } else { channels.join(", ") };
                format!("statement {number} goes out to {channels}, approved {}", right.words())
            }
            Self::Resent { number, channels } => {
                format!("statement {number} goes out once more to {}", channels.join(", "))
            }
            Self::Dropped { number, why } => format!("statement {number} is dropped{}", with(why)),
            Self::Delegated { until } => {
                format!("the PIO may send updates without asking until {until:.0}")
            }
            Self::DelegationEnded => "the PIO asks before each update again".into(),
            Self::CauseConfirmed { cause } => format!("the cause is confirmed{}", with(cause)),
            Self::Awaited { audience, by } => {
                format!("first {} update is due by {by:.0}", audience.as_str())
            }
            Self::Warned { audience, by } => format!("{} update is due by {by:.0}", audience.as_str()),
            Self::Missed { audience, by, .. } => {
                format!("{} update was due by {by:.0} and has not come", audience.as_str())
            }
            Self::Asked { number, from, text } => format!("question {number} of {from}{}", with(text)),
            Self::Answered { number, text } => format!("question {number} is answered{}", with(text)),
            Self::HoldingPlanned { at } => {
                format!("a holding statement goes out at {at:.0}, unless somebody says hold")
            }
            Self::HoldingStopped { why, .. } => format!("no holding statement goes out{}", with(why)),
            Self::NoPio => "everybody who can be the PIO was called, and nobody has come".into(),
        }
    }
}
