//! onscene hears alerts, wakes people, puts one of them in command and keeps everybody informed.

pub mod clock;
pub mod commit;
pub mod core;
pub mod crypto;
pub mod house;
pub mod metrics;
pub mod render;
pub mod store;
