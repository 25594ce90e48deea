//! onscene hears alerts, wakes people, puts one of them in command and keeps everybody informed.
//!
//! Data goes one way:
//!
//! ```text
//! webhook ─ http ─ sources ─┐                               ┌─ mail
//! answer ── http ───────────┼─▶ commit ─▶ store ─▶ deliver ─┼─ slack
//! its hour ─ deadlines ─────┘   (decide)   outbox           └─ webhook
//! ```
//!
//! - [`core`] decides: pure rules, no I/O, no clock.
//! - [`commit`] is the one door: commands in, one transaction, answers out when it is on disk.
//! - [`store`] knows transactions, and the SQL of each noun.
//! - [`deliver`] and [`deadlines`] are the workers; they read the store and go through the door.
//! - [`mirror`] copies what people look at from a shared store, for when that is away; [`presence`] tells the other nodes of
//!   this one.
//! - [`sources`] turn bytes into events, [`channels`] turn letters into outcomes. Neither meets the store.
//! - [`http`] is what is seen from outside, [`cli`] the commands, [`config`] what the operator wrote.
//! - [`house`] is the configuration made ready to use; [`render`] puts words to letters.
//! - [`calendar`] reads and writes iCalendar; [`feeds`] fetches the calendars that rotations follow.
//! - [`watch`] looks into the store for everybody who follows a timeline; [`exports`] takes one out of it.
//! - [`public`] is the public status page, purely; [`publisher`] keeps its newest files, in memory and on disk.
//! - [`mailing`] has letters written to all subscribers, some at a time.
//! - [`json`] reads what others wrote, within bounds.
//! - [`app`] builds all of it, starts it and stops it. [`clock`] is the only reader of the hour.

pub mod app;
pub mod calendar;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod commit;
pub mod config;
pub mod core;
pub mod crypto;
pub mod deadlines;
pub mod deliver;
pub mod emergency;
pub mod exports;
pub mod feeds;
pub mod house;
pub mod http;
pub mod json;
pub mod mailing;
pub mod metrics;
pub mod mirror;
pub mod presence;
pub mod public;
pub mod publisher;
pub mod render;
pub mod sources;
pub mod store;
pub mod watch;
