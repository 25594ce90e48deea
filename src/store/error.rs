//! What can go wrong in the store, and with whom the fault lies.

/// Classes of PostgreSQL's codes that lie with the store as a whole (its manual, appendix A): the way to it, who may
/// do what, turns that collide, and what it is short of.
const OF_THE_STORE: [&str; 9] = ["08", "25", "28", "3D", "40", "53", "55", "57", "58"];

/// Codes with which a server ends a session; one that waits for its standby may have committed before.
const ENDS: &str = "57P";

/// What can go wrong in the store. Every one of them is answered with 503: nothing was committed, except, perhaps, after
/// [`StoreError::Unknown`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine said no: disk full, read-only, locked, gone.
    #[error("the store cannot be used: {0}")]
    Engine(#[from] rusqlite::Error),
    /// The server said no, or the way to it is broken.
    #[error("the store cannot be used: {}", said(.0))]
    Server(#[from] tokio_postgres::Error),
    /// The server was not heard of in time.
    #[error("the store cannot be used: {0}")]
    Away(&'static str),
    /// A server was asked to commit, and did not say whether it has.
    #[error("it is not known whether the store has committed: {0}")]
    Unknown(Box<StoreError>),
    /// A row does not hold what this version writes.
    #[error("the store holds something this version does not understand: {0}")]
    Decode(&'static str),
    /// A JSON column does not hold what this version writes.
    #[error("the store holds something this version does not understand: {0}")]
    Json(#[from] serde_json::Error),
    /// The schema is newer, or was changed by hand.
    #[error("{0}")]
    Schema(String),
    /// The directory or file cannot be made, or is not there any more.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// What a server said, with its reason, which the library keeps apart.
fn said(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(why) => format!("{error}: {why}"),
        None => error.to_string(),
    }
}

impl StoreError {
    /// Whether somebody else has the store in hands: it is in order, and waiting helps.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Engine(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            Self::Server(error) => error.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE),
            _ => false,
        }
    }

    /// Whether a server could not be reached, or takes no writes now.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away(_) | Self::Unknown(_) => true,
            Self::Server(_) => self.is_of_the_store(),
            _ => false,
        }
    }

    /// What it means when it was met while the answer to a commit was waited for: a server that says no has undone
    /// everything, one that falls silent may have done it.
    pub(super) fn of_a_commit(self) -> Self {
        let says_no = match &self {
            Self::Server(error) => error.code().is_some_and(|code| !code.code().starts_with(ENDS)),
            Self::Away(_) => false,
            _ => true,
        };
        if says_no { self } else { Self::Unknown(Box::new(self)) }
    }

    /// Whether the fault lies with the store as a whole. Otherwise it lies with what one command wrote or read.
    pub fn is_of_the_store(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, ParameterOutOfRange, TooBig, TypeMismatch};
        match self {
            Self::Schema(_) | Self::File { .. } | Self::Away(_) | Self::Unknown(_) => true,
            Self::Decode(_) | Self::Json(_) => false,
            Self::Engine(error) => match error.sqlite_error_code() {
                Some(ConstraintViolation | ParameterOutOfRange | TooBig | TypeMismatch) => false,
                Some(_) => true,
                // Not the engine's: a value of another type than this version reads.
                None => false,
            },
            // Everything else lies with a statement, so that one command at fault never looks like a store away.
            Self::Server(error) => match error.code() {
                Some(code) if code.code() == "57014" => false,
                Some(code) => OF_THE_STORE.iter().any(|class| code.code().starts_with(class)),
                // Without a code it is the way, unless a value could not be read.
                None => {
                    !error.to_string().contains("deserializing") && !error.to_string().contains("serializing")
                }
            },
        }
    }
}
