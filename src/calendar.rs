//! iCalendar (RFC 5545): calendars that others wrote, and those that tell others who is on call.
//!
//! Pure: text in, times out, and back. `read` knows how events repeat, `turns` which of them are turns of whom, `write` puts
//! spans into a calendar.

pub mod read;
pub mod turns;
pub mod write;
