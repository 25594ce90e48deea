//! The names of what was decided: logged, counted and shown.

use super::super::command::TWICE;

/// Why a decision came out as it did: logged, counted and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A new incident.
    Opened,
    /// An alert came to an open incident.
    Joined,
    /// An alert came back within the time an incident may be opened again.
    ReopenedByAlert,
    /// An alert fired again after mitigation.
    Relapsed,
    /// An alert recovered.
    Recovered,
    /// The last alert recovered and nobody has the incident.
    Quiet,
    /// Quiet long enough.
    SelfCleared,
    /// Acknowledged at the source.
    SourceAcknowledged,
    /// The next step was due.
    EscalatedOnTime,
    /// Nobody of the step can answer.
    EscalatedUnanswered,
    /// Who was paged in this step and has not answered was paged again.
    Reminded,
    /// Who commands gave no sign of life, and was asked for one.
    AskedCommander,
    /// Who commands gave none when they were asked, and more people were called.
    CommanderIsSilent,
    /// The policy names nobody.
    NobodyToPage,
    /// Its hour lay further ahead than any wait there is, and was set anew.
    Rescheduled,
    /// Its hour has not come.
    NotDue,
    /// Written down; changes nothing else.
    Recorded,
    /// The first human acknowledgement.
    TookCommand,
    /// Somebody else commands already; the answer is recorded.
    CommandIsTaken,
    /// The Commander answered again.
    AlreadyCommands,
    /// The Commander called for help, and everybody there is is on it.
    NobodyToCall,
    /// Somebody cannot.
    Declined,
    /// On scene.
    CheckedIn,
    /// The harm stopped.
    Mitigated,
    /// Over.
    Resolved,
    /// Opened again by a human.
    ReopenedByPerson,
    /// It became part of another.
    Merged,
    /// Another became part of it.
    TookIn,
    /// Some of its alerts are another's, or came from another.
    Split,
    /// It is worse than it was.
    Worsened,
    /// More incidents came than people can look at.
    StormBegan,
    /// Command, or an office, was offered.
    Offered,
    /// Somebody asks for command.
    Wished,
    /// An offer of command ended; who had command has it.
    OfferEnded,
    /// Command passed by an offer that was accepted.
    Transferred,
    /// The same, and it was the second change within a short time.
    TransferredTwice,
    /// Command passed to somebody who took it from who could not have it.
    Assumed,
    /// The same, and it was the second change within a short time.
    AssumedTwice,
    /// Somebody was asked to take an office.
    OfficeAssigned,
    /// Somebody took an office.
    OfficeTaken,
    /// Somebody did not take an office.
    OfficeDeclined,
    /// Somebody who was called as PIO does not come.
    PioDeclined,
    /// Somebody has an office no more.
    OfficeReleased,
    /// Somebody was asked for what is missing: a report, relief, or to say that they know who commands.
    Called,
    /// Support was called by rule, or there was nobody to call.
    SupportCalled,
    /// Something promised has not come.
    Overdue,
    /// Somebody is on the way.
    EnRoute,
    /// Somebody may go.
    Released,
    /// It is not as bad as it was thought to be.
    SeverityLowered,
    /// Somebody changes something.
    Acting,
    /// Nothing is to be changed.
    Stopped,
    /// Things may be changed again.
    StopLifted,
    /// Somebody was asked for.
    Requested,
    /// A statement was written.
    Drafted,
    /// A statement may go out.
    Approved,
    /// A statement goes out.
    Published,
}

impl Reason {
    /// The word used in logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Joined => "joined",
            Self::ReopenedByAlert => "reopened_by_alert",
            Self::Relapsed => "relapsed",
            Self::Recovered => "recovered",
            Self::Quiet => "quiet",
            Self::SelfCleared => "self_cleared",
            Self::SourceAcknowledged => "source_acknowledged",
            Self::EscalatedOnTime => "escalated_on_time",
            Self::EscalatedUnanswered => "escalated_unanswered",
            Self::Reminded => "reminded",
            Self::AskedCommander => "asked_commander",
            Self::CommanderIsSilent => "commander_is_silent",
            Self::NobodyToPage => "nobody_to_page",
            Self::Rescheduled => "rescheduled",
            Self::NotDue => "not_due",
            Self::Recorded => "recorded",
            Self::TookCommand => "took_command",
            Self::CommandIsTaken => "command_is_taken",
            Self::AlreadyCommands => "already_commands",
            Self::NobodyToCall => "nobody_to_call",
            Self::Declined => "declined",
            Self::CheckedIn => "checked_in",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::ReopenedByPerson => "reopened_by_person",
            Self::Merged => "merged",
            Self::TookIn => "took_in",
            Self::Split => "split",
            Self::Worsened => "worsened",
            Self::StormBegan => "storm_began",
            Self::Offered => "offered",
            Self::Wished => "wished",
            Self::OfferEnded => "offer_ended",
            Self::Transferred => "transferred",
            Self::TransferredTwice => "transferred_twice",
            Self::Assumed => "assumed",
            Self::AssumedTwice => "assumed_twice",
            Self::OfficeAssigned => "office_assigned",
            Self::OfficeTaken => "office_taken",
            Self::OfficeDeclined => "office_declined",
            Self::PioDeclined => "pio_declined",
            Self::OfficeReleased => "office_released",
            Self::Called => "called",
            Self::SupportCalled => "support_called",
            Self::Overdue => "overdue",
            Self::EnRoute => "en_route",
            Self::Released => "released",
            Self::SeverityLowered => "severity_lowered",
            Self::Acting => "acting",
            Self::Stopped => "stopped",
            Self::StopLifted => "stop_lifted",
            Self::Requested => "requested",
            Self::Drafted => "drafted",
            Self::Approved => "approved",
            Self::Published => "published",
        }
    }

    /// What whoever acts is warned of, although it was done.
    pub fn warning(self) -> Option<&'static str> {
        matches!(self, Self::TransferredTwice | Self::AssumedTwice).then_some(TWICE)
    }
}
