//! onscene hears alerts, wakes people, puts one of them in command and keeps everybody informed.

pub mod clock;
pub mod core;
pub mod crypto;
pub mod sources;
