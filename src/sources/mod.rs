//! Sources: bytes of a webhook → events. Pure: no store, no network, no clock.
//!
//! **New source**: one file here, one line in [`KINDS`], one folder `tests/fixtures/sources/<name>/`.
//! The wire facts of a sender, with their origin, stand at the head of its file. Adapters read
//! leniently (unknown fields ignored, numbers as strings accepted) and refuse clearly: whatever they
//! cannot understand is kept by the caller, answered with 400 and raised as an alert on the source.

use jiff::Timestamp;

use crate::core::alert::Event;

pub mod alertmanager;
pub mod generic;
pub mod pingdom;
mod wire;

/// Every kind of source there is.
pub const KINDS: &[Kind] = &[alertmanager::KIND, generic::KIND, pingdom::KIND];

/// One kind of source.
pub struct Kind {
    /// The word used in `[[source]] kind = "..."`, in metrics and as the name of the fixture folder.
    pub name: &'static str,
    /// Whether a GET may carry an alert. Link previews and crawlers fetch URLs, so only kinds whose
    /// senders really use GET declare it, and only when the source's options allow it.
    pub get: fn(&Options) -> bool,
    /// Reads one delivery. `Ok(vec![])` means understood, with nothing to say.
    pub read: fn(&Delivery<'_>) -> Result<Vec<Event>, Unreadable>,
}

/// Finds a kind by its name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What an operator may set for a source beyond its name, kind, secret and service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Accept alerts by GET where the kind knows such a form (`allow_get`).
    pub allow_get: bool,
    /// The label that carries the severity in Prometheus-like sources (`severity_label`).
    pub severity_label: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { allow_get: false, severity_label: "severity".into() }
    }
}

/// One request as it came, after its secret was checked.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// `GET`, `POST` or `PUT`.
    pub method: &'a str,
    /// The query string without the token, not yet percent-decoded; empty when there is none.
    pub query: &'a str,
    /// `Content-Type`, as a hint: several senders lie.
    pub content_type: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
    /// When the request arrived.
    pub received_at: Timestamp,
    /// What the operator set.
    pub options: &'a Options,
}

/// Why a body could not be understood, in a sentence for the operator of the sender.
/// Never quotes the body: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);
