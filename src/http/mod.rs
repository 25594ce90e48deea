//! What is seen from outside, by machines and by people.
//!
//! The addresses and who answers at them:
//! - [`router`]: every address of the private listener;
//! - `intake`: alerts in; `profile`: senders that ask first; [`sns`]: what Amazon has signed; [`refused`]: what is not
//!   believed; `heartbeat`: pings;
//! - `compat`, `opsgenie`, `alertmanager_api`: alerts in, at the addresses of others;
//! - `answer`: the link in a page; `answers`: by text message, by a key during a call, by a button in a chat; `api`: what the commands speak; `pages`: for people who are logged in; `health`: alive,
//!   ready, figures;
//! - `scripts`: what pages may run, and can do without;
//! - [`desk`]: what every request may use; [`html`]: how pages are written; [`stale`]: how old what they show is.
//!
//! The transport, which knows nothing of incidents: sockets, deadlines and limits.
//!
//! - [`limits`]: how many, how large, how long; one struct, one default.
//! - [`listen`]: an address becomes a bound socket, or a sentence that says why not.
//! - [`accept`]: takes a slot, then a connection; backs off when the system is out of descriptors; drains at the end.
//! - `connection`: one connection from handshake to close: its service, its deadlines.
//! - `stream`: the socket under it: notices bytes, a peer that no longer reads, and closes without a reset.
//! - [`tls`]: certificate and key, exchanged on reload without losing a connection.
//! - [`body`]: reads a request's body within a size and a deadline; `room`: out of a purse.
//! - [`problem`]: every error answer (RFC 9457).
//!
//! What a client can hold is bounded: a slot by deadlines, a header by size, a body by size and time. Nothing
//! here logs a path, a query or a body, for tokens live there.

pub mod accept;
mod alertmanager_api;
mod answer;
mod answers;
pub mod api;
mod asked;
pub mod body;
mod calendar;
pub mod compat;
mod connection;
pub mod desk;
mod health;
mod heartbeat;
pub mod html;
pub mod intake;
pub mod limits;
pub mod listen;
mod opsgenie;
mod pages;
pub mod problem;
mod profile;
pub mod public;
pub mod refused;
mod room;
pub mod router;
mod scripts;
pub mod sns;
mod speech;
pub mod stale;
mod stream;
pub mod subscribe;
pub mod tls;
mod verbs;

#[cfg(test)]
mod stories;
