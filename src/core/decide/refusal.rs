//! Why an act is refused.

use jiff::Timestamp;

use super::super::disclosure::Finding;
use super::super::incident::FoldError;

/// Why an act was refused. The incident is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The act belongs to the Commander, and that is somebody else, or another term.
    #[error("{commander} has command (term {term}); this act needs the Commander's current term")]
    Stale {
        /// Who commands.
        commander: String,
        /// The current term.
        term: u32,
    },
    /// The act needs a Commander and there is none.
    #[error("nobody has command yet; acknowledge the incident first")]
    NobodyCommands,
    /// The incident is over.
    #[error("the incident is over ({0}); reopen it first")]
    Over(&'static str),
    /// The incident is not over.
    #[error("the incident is open; only one that is over can be reopened")]
    StillOpen,
    /// Only a human may do this.
    #[error("only a person may do this; a program can never hold an office")]
    NotAPerson,
    /// The person is not in the configuration.
    #[error("{0} is not a person of this house")]
    UnknownPerson(String),
    /// Who acts may not do this.
    #[error("{0}")]
    NotAllowed(String),
    /// Somebody has command, is there, and is heard of.
    #[error(
        "{commander} has command (term {term}), is on scene and is heard of; ask for command, or offer to help"
    )]
    HasCommand {
        /// Who commands.
        commander: String,
        /// The current term.
        term: u32,
    },
    /// The brief that was read is an old one.
    #[error(
        "the situation has moved since you read the brief (it was of entry {read}, and is of entry {now}); read it again"
    )]
    SituationMoved {
        /// Of which entry the brief was.
        read: u32,
        /// Of which one it is now.
        now: u32,
    },
    /// The watch is not over.
    #[error("it is watched until {until:.0}: resolve it then, or say why it is over before")]
    Watched {
        /// When the watch is over.
        until: Timestamp,
    },
    /// Nothing is to be changed.
    #[error("STOP: {by} stopped all changes ({why}); it has to be lifted first")]
    Stopped {
        /// Who stopped it.
        by: String,
        /// Why.
        why: String,
    },
    /// Too many changes are in flight.
    #[error("{0}")]
    Busy(String),
    /// The state does not allow it.
    #[error("{0}")]
    WrongState(&'static str),
    /// What is named cannot be taken so.
    #[error("{0}")]
    NotThere(String),
    /// The words are missing or too long.
    #[error("{0}")]
    BadWords(String),
    /// Something of the words must not be said.
    #[error("it does not go out like this: {}", found.iter().map(Finding::said).collect::<Vec<_>>().join("; "))]
    Disclosed {
        /// What.
        found: Vec<Finding>,
    },
    /// The approval was given for something else.
    #[error("the approval is void, for {0} since; ask for it again")]
    Void(String),
    /// A fault of ours: the entries did not follow from the state. Nothing is changed.
    #[error("internal fault: {0}")]
    Fault(FoldError),
}
