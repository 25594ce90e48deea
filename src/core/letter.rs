//! What has to be told to whom because of a decision.
//!
//! A letter says *that* something must leave and to whom; the words are put in by the templates when
//! the letter is written to the outbox, in the same transaction as the decision.

use jiff::Timestamp;

/// One thing to tell one person or one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Wakes one person and carries an answer link.
    Page {
        /// Who is woken.
        person: String,
        /// How often this person was paged for this incident, from 1.
        attempt: u32,
        /// Why this person.
        why: Why,
    },
    /// Tells the PIO that an incident was taken, with a link to write the first statement.
    PioPage {
        /// The PIO or an alternate.
        person: String,
    },
    /// Tells one person something that needs no answer.
    Notice {
        /// Who is told.
        person: String,
        /// What.
        news: News,
    },
    /// Tells one person that a reply of theirs did not do what they may believe.
    Misread {
        /// Whom the answered letter was for, or who wrote the reply.
        person: String,
        /// What is wrong with the reply.
        why: Misread,
        /// When the next people are woken, if anybody waits for that hour.
        next_at: Option<Timestamp>,
    },
    /// A statement to one channel of its audience.
    Statement {
        /// The channel's name.
        channel: String,
        /// The number of the statement.
        number: u32,
    },
    /// An internal status update to one channel.
    Status {
        /// The channel's name.
        channel: String,
        /// What happened.
        news: News,
    },
}

impl Letter {
    /// Whether it says what is known that concerns the incident. That is for people of the house: never for a channel.
    pub fn tells_what_is_known(&self) -> bool {
        match self {
            Self::Page { .. } | Self::PioPage { .. } | Self::Notice { .. } => true,
            Self::Misread { .. } | Self::Status { .. } | Self::Statement { .. } => false,
        }
    }

    /// Whether it says where responders meet. Channels of the house may, and are told neither a telephone's pin nor other places.
    pub fn tells_where_to_meet(&self) -> bool {
        match self {
            Self::Page { .. } | Self::PioPage { .. } | Self::Notice { .. } | Self::Status { .. } => true,
            Self::Misread { .. } | Self::Statement { .. } => false,
        }
    }
}

/// Why a reply by mail did nothing, or less than its writer may believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misread {
    /// It asked for nothing that is known, and was kept as a note.
    Unclear,
    /// There was no word in it.
    Empty,
    /// Who commands wrote that they cannot.
    Commands,
    /// It came from another address than the person's: which one, where that can be shown.
    Elsewhere(Option<String>),
    /// It names an incident, and none of its letters.
    Unnamed,
}

/// Why somebody is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A step of the policy names them.
    OnCall,
    /// The policy ran out and this is its last resort.
    LastResort,
    /// The Commander called for help.
    Help,
    /// They commanded this incident before it came back.
    CommandedBefore,
    /// Their service is part of a storm.
    Storm,
    /// It got so much worse that other people are to know.
    Worse,
    /// They were paged before in this step, and have not answered.
    Reminder,
    /// They watch: they are told, and need not answer.
    Watching,
    /// They command, and have given no sign of life for long.
    SilentCommander,
    /// Who commands gives no sign of life.
    SilenceHelp,
    /// They command, and a program may have pressed the button for them.
    Doubted,
    /// Who commands may not know of it.
    DoubtHelp,
    /// Somebody on the incident asks for them.
    Requested,
    /// They are asked to take an office.
    Office,
    /// Who commands is alone on scene and has said nothing yet: support is called by rule.
    Support,
}

/// What happened, for people who need to know and not to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody has command.
    Acknowledged,
    /// The harm stopped; being watched.
    Mitigated,
    /// Over.
    Resolved,
    /// Recovered before anybody took it.
    SelfCleared,
    /// Open again.
    Reopened,
    /// Every alert of a taken incident recovered: evidence for the Commander.
    Recovered,
    /// It is worse than it was.
    Worse,
    /// The service at fault was found.
    Cause,
    /// Alerts of another service belong to it now.
    Spread,
    /// More alerts belong to it than there were: twice as many as when that was told last.
    More,
    /// It became part of another.
    Merged,
    /// Another became part of it.
    TookIn,
    /// Some of its alerts belong to another.
    Split,
    /// More incidents came than people can look at, and became this one.
    Storm,
    /// Somebody they go along with was woken.
    Shadowing,
    /// Command passed from one to another.
    Passed,
    /// They are offered command.
    Offered,
    /// The offer of command was taken back, or is void.
    OfferWithdrawn,
    /// The offer of command was not answered in time.
    OfferExpired,
    /// Who was offered command does not take it.
    OfferDeclined,
    /// An administrator ordered that command passes.
    ReliefOrdered,
    /// Somebody is ready to take command, and asks for it.
    Wished,
    /// They are asked to take an office.
    OfficeOffered,
    /// Somebody took the office they were asked to take.
    OfficeTaken,
    /// Somebody does not take the office they were asked to take.
    OfficeDeclined,
    /// Somebody has an office no more.
    OfficeReleased,
    /// Whether they are on scene is not known.
    CheckInDue,
    /// There is no size-up.
    SizeUpDue,
    /// There is no newer progress report.
    ProgressDue,
    /// Command passed a while ago, and they have not said that they know.
    Unheard,
    /// Who commands has had command for long.
    ReliefDue,
    /// Who commands has had command for very long.
    ReliefLate,
    /// Support was called by rule, without being asked for.
    SupportCalled,
    /// They were given something to do.
    Task,
    /// Something is done that was to be done.
    TaskEnded,
    /// Something is not done in its time.
    TaskOverdue,
    /// What an outside body promised has not come.
    ContactOverdue,
    /// Nobody answered a request.
    RequestUnanswered,
    /// Somebody who was given nothing to do changes something.
    Freelance,
    /// Nothing is to be changed.
    Stopped,
    /// Things may be changed again.
    StopLifted,
    /// People meet elsewhere.
    Meeting,
    /// They are to rest.
    Rest,
    /// They may go.
    Released,
    /// More people are on scene than one can lead.
    Span,
    /// It is not as bad as it was thought to be.
    SeverityLowered,
    /// An update is due soon.
    UpdateDue,
    /// What was to go out by itself did not.
    Withheld,
    /// An update has not come in its time.
    UpdateMissed,
    /// Somebody outside wants to know how it goes.
    Question,
    /// Nobody who was called as PIO has come.
    NoPio,
    /// A statement waits for their approval.
    ToApprove,
    /// A statement of theirs may go out.
    Approved,
    /// A statement of theirs does not go out as it is.
    Returned,
    /// It is over, and those who were told of it do not know yet.
    ClosingDue,
    /// A statement did not reach a channel.
    Undelivered,
}

impl News {
    /// What is told of command, offices, the board and statements.
    pub const COMMAND: [Self; 41] = [
        Self::Passed,
        Self::Offered,
        Self::OfferWithdrawn,
        Self::OfferExpired,
        Self::OfferDeclined,
        Self::ReliefOrdered,
        Self::Wished,
        Self::OfficeOffered,
        Self::OfficeTaken,
        Self::OfficeDeclined,
        Self::OfficeReleased,
        Self::CheckInDue,
        Self::SizeUpDue,
        Self::ProgressDue,
        Self::Unheard,
        Self::ReliefDue,
        Self::ReliefLate,
        Self::SupportCalled,
        Self::Task,
        Self::TaskEnded,
        Self::TaskOverdue,
        Self::ContactOverdue,
        Self::RequestUnanswered,
        Self::Freelance,
        Self::Stopped,
        Self::StopLifted,
        Self::Meeting,
        Self::Rest,
        Self::Released,
        Self::Span,
        Self::SeverityLowered,
        Self::UpdateDue,
        Self::Withheld,
        Self::UpdateMissed,
        Self::Question,
        Self::NoPio,
        Self::ToApprove,
        Self::Approved,
        Self::Returned,
        Self::ClosingDue,
        Self::Undelivered,
    ];

    /// The word used in SQL, JSON, templates and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::SelfCleared => "self-cleared",
            Self::Reopened => "reopened",
            Self::Recovered => "recovered",
            Self::Worse => "worse",
            Self::Cause => "cause",
            Self::Spread => "spread",
            Self::More => "more",
            Self::Merged => "merged",
            Self::TookIn => "took-in",
            Self::Split => "split",
            Self::Storm => "storm",
            Self::Shadowing => "shadowing",
            Self::Passed => "passed",
            Self::Offered => "offered",
            Self::OfferWithdrawn => "offer-withdrawn",
            Self::OfferExpired => "offer-expired",
            Self::OfferDeclined => "offer-declined",
            Self::ReliefOrdered => "relief-ordered",
            Self::Wished => "wished",
            Self::OfficeOffered => "office-offered",
            Self::OfficeTaken => "office-taken",
            Self::OfficeDeclined => "office-declined",
            Self::OfficeReleased => "office-released",
            Self::CheckInDue => "check-in-due",
            Self::SizeUpDue => "size-up-due",
            Self::ProgressDue => "progress-due",
            Self::Unheard => "unheard",
            Self::ReliefDue => "relief-due",
            Self::ReliefLate => "relief-late",
            Self::SupportCalled => "support-called",
            Self::Task => "task",
            Self::TaskEnded => "task-ended",
            Self::TaskOverdue => "task-overdue",
            Self::ContactOverdue => "contact-overdue",
            Self::RequestUnanswered => "request-unanswered",
            Self::Freelance => "freelance",
            Self::Stopped => "stopped",
            Self::StopLifted => "stop-lifted",
            Self::Meeting => "meeting",
            Self::Rest => "rest",
            Self::Released => "released",
            Self::Span => "span",
            Self::SeverityLowered => "severity-lowered",
            Self::UpdateDue => "update-due",
            Self::Withheld => "withheld",
            Self::UpdateMissed => "update-missed",
            Self::Question => "question",
            Self::NoPio => "no-pio",
            Self::ToApprove => "to-approve",
            Self::Approved => "approved",
            Self::Returned => "returned",
            Self::ClosingDue => "closing-due",
            Self::Undelivered => "undelivered",
        }
    }
}

impl Misread {
    /// The word used in templates and webhooks.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unclear => "unclear",
            Self::Empty => "empty",
            Self::Commands => "commands",
            Self::Elsewhere(_) => "elsewhere",
            Self::Unnamed => "unnamed",
        }
    }
}

impl Why {
    /// The word used in SQL, JSON, templates and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnCall => "on_call",
            Self::LastResort => "last_resort",
            Self::Help => "help",
            Self::CommandedBefore => "commanded_before",
            Self::Storm => "storm",
            Self::Worse => "worse",
            Self::Reminder => "reminder",
            Self::Watching => "watching",
            Self::SilentCommander => "silent_commander",
            Self::SilenceHelp => "silence_help",
            Self::Doubted => "doubted",
            Self::DoubtHelp => "doubt_help",
            Self::Requested => "requested",
            Self::Support => "support",
            Self::Office => "office",
        }
    }
}
