//! The only place where an incident changes.
