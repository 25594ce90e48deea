//! Whom to wake, and when.
