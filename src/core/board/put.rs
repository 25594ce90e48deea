//! The facts of the board, and what each says in one sentence.

use jiff::Timestamp;

use super::super::command::Call;
use super::{End, RequestState, Trend, Wanted};

/// What was put on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The size-up.
    SizedUp {
        /// Its words.
        text: String,
    },
    /// The objective.
    ObjectiveSet {
        /// Its words.
        text: String,
    },
    /// The plan.
    PlanSet {
        /// Its words.
        text: String,
    },
    /// A progress report.
    Reported {
        /// How it goes.
        trend: Trend,
        /// Its words; may be empty.
        text: String,
    },
    /// The Commander is asked for something.
    Called {
        /// For what.
        call: Call,
    },
    /// Somebody was asked to do something.
    TaskGiven {
        /// Its number.
        number: u32,
        /// Who.
        person: String,
        /// What.
        what: String,
        /// By when.
        limit: Option<Timestamp>,
    },
    /// A task ended.
    TaskEnded {
        /// Its number.
        number: u32,
        /// How.
        how: End,
        /// In words; may be empty.
        text: String,
    },
    /// A change is announced, and begins.
    ActionBegan {
        /// Its number.
        number: u32,
        /// Who makes it.
        person: String,
        /// What.
        what: String,
        /// Where; may be empty.
        place: String,
        /// How to undo it; may be empty.
        undo: String,
        /// They had something to do on this incident.
        assigned: bool,
    },
    /// A change ended.
    ActionEnded {
        /// Its number.
        number: u32,
        /// How.
        how: End,
        /// In words; may be empty.
        text: String,
    },
    /// So many changes may be in flight at once.
    ChangesAllowed {
        /// How many.
        most: u32,
    },
    /// Nothing is to be changed.
    Stopped {
        /// Why.
        why: String,
    },
    /// Things may be changed again.
    StopLifted {
        /// Why.
        why: String,
    },
    /// Somebody is asked for.
    Requested {
        /// Its number.
        number: u32,
        /// Whom.
        wanted: Wanted,
        /// What for.
        why: String,
        /// Who is paged for it.
        people: Vec<String>,
    },
    /// A request is further than it was.
    RequestMoved {
        /// Its number.
        number: u32,
        /// How far.
        to: RequestState,
    },
    /// An outside body was spoken with.
    ContactLogged {
        /// Its number: that of an earlier one of the same body goes on.
        number: u32,
        /// The body.
        body: String,
        /// With whom; may be empty.
        contact: String,
        /// Their number; may be empty.
        ticket: String,
        /// When they promised something for.
        promised: Option<Timestamp>,
        /// What was said; may be empty.
        text: String,
        /// Nothing more is waited for.
        closed: bool,
    },
    /// What an outside body promised has not come.
    ContactOverdue {
        /// Its number.
        number: u32,
    },
    /// A task is not done in its time.
    TaskOverdue {
        /// Its number.
        number: u32,
    },
    /// Something was found of one part.
    Found {
        /// The part.
        component: String,
        /// It works.
        ok: bool,
        /// What was seen; may be empty.
        text: String,
        /// Since when it is known.
        known_at: Timestamp,
    },
    /// People meet elsewhere; `None`: at the usual place again.
    MeetingSet {
        /// Where.
        place: Option<String>,
        /// Why; may be empty.
        why: String,
    },
    /// What an entry says is not right.
    Corrected {
        /// Its number.
        entry: u32,
        /// What is right.
        text: String,
    },
}

impl Put {
    /// All words of [`Put::kind`].
    pub const KINDS: [&'static str; 20] = [
        "size_up",
        "objective",
        "plan",
        "report",
        "called",
        "task_given",
        "task_ended",
        "action_began",
        "action_ended",
        "changes_allowed",
        "stopped",
        "stop_lifted",
        "requested",
        "request_moved",
        "contact",
        "contact_overdue",
        "task_overdue",
        "found",
        "meeting",
        "corrected",
    ];

    /// The word for the kind of entry, used in SQL and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SizedUp { .. } => "size_up",
            Self::ObjectiveSet { .. } => "objective",
            Self::PlanSet { .. } => "plan",
            Self::Reported { .. } => "report",
            Self::Called { .. } => "called",
            Self::TaskGiven { .. } => "task_given",
            Self::TaskEnded { .. } => "task_ended",
            Self::ActionBegan { .. } => "action_began",
            Self::ActionEnded { .. } => "action_ended",
            Self::ChangesAllowed { .. } => "changes_allowed",
            Self::Stopped { .. } => "stopped",
            Self::StopLifted { .. } => "stop_lifted",
            Self::Requested { .. } => "requested",
            Self::RequestMoved { .. } => "request_moved",
            Self::ContactLogged { .. } => "contact",
            Self::ContactOverdue { .. } => "contact_overdue",
            Self::TaskOverdue { .. } => "task_overdue",
            Self::Found { .. } => "found",
            Self::MeetingSet { .. } => "meeting",
            Self::Corrected { .. } => "corrected",
        }
    }

    /// Whether who takes over has to know it: a brief that was read before is an old one. A correction moves the situation with
    /// what it corrects: see [`super::Corrections::move_with`].
    pub fn moves_the_situation(&self) -> bool {
        matches!(
            self,
            Self::SizedUp { .. }
                | Self::ObjectiveSet { .. }
                | Self::PlanSet { .. }
                | Self::ActionBegan { .. }
                | Self::ActionEnded { .. }
                | Self::Stopped { .. }
                | Self::StopLifted { .. }
                | Self::MeetingSet { .. }
        )
    }

    /// One sentence for people.
    pub fn text(&self) -> String {
        let with = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
        match self {
            Self::SizedUp { text } => format!("size-up: {text}"),
            Self::ObjectiveSet { text } => format!("objective: {text}"),
            Self::PlanSet { text } => format!("plan: {text}"),
            Self::Reported { trend, text } => format!("progress report, {}{}", trend.as_str(), with(text)),
            Self::Called { call: Call::CheckIn } => {
                "who has command is asked whether they are on scene".into()
            }
            Self::Called { call: Call::SizeUp } => "who has command is asked for a size-up".into(),
            Self::Called { call: Call::Progress } => {
                "who has command is asked for a progress report: conditions, actions, needs".into()
            }
            Self::Called { call: Call::Relief } => {
                "who has command has had it for long, and is asked who takes it over".into()
            }
            Self::Called { call: Call::ReliefLate } => {
                "who has command has had it for very long; they and their Deputy are asked who takes it over"
                    .into()
            }
            Self::Called { call: Call::Support } => {
                "support is called by rule, not asked for by who has command; there is nobody left to call"
                    .into()
            }
            Self::TaskGiven { number, person, what, limit } => {
                let limit = limit.map(|limit| format!(", by {limit:.0}")).unwrap_or_default();
                format!("task {number} for {person}{limit}: {what}")
            }
            Self::TaskEnded { number, how, text } => format!("task {number} {}{}", how.words(), with(text)),
            Self::ActionBegan { number, person, what, place, undo, assigned } => {
                let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
                let undo = match undo.as_str() {
                    "" => "; no way to undo it was named".to_owned(),
                    undo => format!("; to undo it: {undo}"),
                };
                let who = if *assigned { "" } else { " (who was given nothing to do here)" };
                format!("{person}{who} is acting now, change {number}: {what}{place}{undo}")
            }
            Self::ActionEnded { number, how, text } => {
                format!("change {number} {}{}", how.words(), with(text))
            }
            Self::ChangesAllowed { most: 1 } => "one change at a time from now on".into(),
            Self::ChangesAllowed { most } => format!("up to {most} changes at a time are allowed"),
            Self::Stopped { why } => format!("STOP, nothing is to be changed: {why}"),
            Self::StopLifted { why } => format!("the stop is lifted: {why}"),
            Self::Requested { number, wanted, why, people } => {
                let people = if people.is_empty() { "nobody".to_owned() } else { people.join(", ") };
                format!("request {number}: {wanted}{}; paged: {people}", with(why))
            }
            Self::RequestMoved { number, to } => {
                format!("request {number}: {}", to.words())
            }
            Self::ContactLogged { body, contact, ticket, promised, text, closed, .. } => {
                let contact = if contact.is_empty() { String::new() } else { format!(" ({contact})") };
                let ticket = if ticket.is_empty() { String::new() } else { format!(", ticket {ticket}") };
                let promised = promised
                    .map(|hour| format!(", who promised to be back by {hour:.0}"))
                    .unwrap_or_default();
                let closed = if *closed { "; nothing more is waited for" } else { "" };
                format!("{body}{contact}{ticket}{promised}{}{closed}", with(text))
            }
            Self::ContactOverdue { number } => {
                format!("what was promised by outside body {number} has not come")
            }
            Self::TaskOverdue { number } => format!("task {number} is not done in its time"),
            Self::Found { component, ok: true, text, .. } => {
                format!("ruled out: {component} works{}", with(text))
            }
            Self::Found { component, ok: false, text, .. } => {
                format!("found: {component} is bad{}", with(text))
            }
            Self::MeetingSet { place: Some(place), why } => format!("people meet at {place}{}", with(why)),
            Self::MeetingSet { place: None, why } => {
                format!("people meet at the usual place again{}", with(why))
            }
            Self::Corrected { entry, text } => format!("correction of entry {entry}: {text}"),
        }
    }
}
