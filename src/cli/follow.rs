//! `onscene incident timeline N --follow`: what is there and what is still to come, each entry once and in order.
//!
//! A connection that breaks is made again, from the last entry on, for as long as it takes. What ends it is the reader:
//! Ctrl-C, or whoever reads what is printed.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Failure, pause};
use super::incident::entry_line;
use super::{Exit, say};
use crate::clock::Clock;

/// Between two tries at first, and at most.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_LAST: Duration = Duration::from_secs(10);
/// One that held for so long was a good one: the next try is soon again.
const HELD: Duration = Duration::from_secs(5);
/// The daemon says every 15 s that it is there.
const QUIET_MAX: Duration = Duration::from_secs(45);
/// Most bytes of an event, which is one entry.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a stream is.
const EVENTS: &str = "text/event-stream";

/// Follows the timeline of an incident for ever.
pub(super) fn follow(client: &Client, number: i64, json: bool) -> Exit {
    let clock = Clock::system();
    let place = format!("/api/v1/incidents/{number}/timeline");
    let (mut shown, mut wait) = (Shown { last: 0, json, closed: false }, WAIT_FIRST);
    let (mut ever, mut told) = (false, false);
    loop {
        let began = clock.mark();
        let mut events = Events::default();
        let last = shown.last.to_string();
        let mut headers = Vec::new();
        if shown.last > 0 {
            headers.push(("last-event-id", last.as_str()));
        }
        let ended = client.stream(&place, EVENTS, &headers, QUIET_MAX, &mut |bytes| {
            ever = true;
            if std::mem::take(&mut told) {
                say("onscene: following again");
            }
            events.take(bytes, &mut |event| shown.show(event))
        });
        if shown.closed {
            return Exit::Done;
        }
        let why = match ended {
            Ok(()) => "the daemon ended the stream".to_owned(),
            Err(failure @ Failure::Unreachable { .. }) if !ever => return failure.say(),
            Err(failure) if failure.passes() => failure.to_string(),
            Err(failure) => return failure.say(),
        };
        if !std::mem::replace(&mut told, true) {
            say(&format!("onscene: {why}; trying again"));
        }
        if began.elapsed() >= HELD {
            wait = WAIT_FIRST;
        }
        pause(wait);
        wait = (wait * 2).min(WAIT_LAST);
    }
}

/// What was printed.
struct Shown {
    /// The number of the last entry.
    last: u64,
    json: bool,
    /// Nobody reads what is printed any more.
    closed: bool,
}

impl Shown {
    /// Prints an event's entry; `false` when the stream is of no use any more.
    fn show(&mut self, event: &Event) -> bool {
        match event.name.as_str() {
            "entry" => {}
            "store" if event.data == "away" => {
                say("onscene: the daemon cannot reach its store; what is new comes when it is back");
                return true;
            }
            _ => return true,
        }
        // Names of labels are the senders'.
        let Some(entry) = crate::json::read(event.data.as_bytes()).ok() else { return false };
        match entry["seq"].as_u64() {
            Some(seq) if seq <= self.last => return true,
            Some(seq) if seq == self.last + 1 => self.last = seq,
            // Something is missing: it is asked for again.
            _ => return false,
        }
        self.closed = self.print(&entry).is_err();
        !self.closed
    }

    fn print(&self, entry: &Value) -> std::io::Result<()> {
        let line = if self.json { format!("{entry}\n") } else { entry_line(entry) };
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.flush()
    }
}

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Reads a stream of events as its bytes come. One that has no end was not sent.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    event: Event,
}

impl Events {
    /// Takes what came, and hands over each event that is whole; `false` when `each` says so, and when it is no such stream.
    fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(&Event) -> bool) -> bool {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() && !each(&event) {
                    return false;
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.event.name = value.to_owned(),
                "data" if self.event.data.is_empty() => self.event.data = value.to_owned(),
                "data" => {
                    self.event.data.push('\n');
                    self.event.data.push_str(value);
                }
                _ => {}
            }
        }
        self.line.len() + self.event.data.len() <= EVENT_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_their_bytes_come() {
        let stream = "retry: 2000\n\n: a comment\n\nid: 1\nevent: entry\ndata: {\"a\":1}\n\n:\n\nevent: store\r\ndata: away\r\n\r\nid: 2\nevent: entry\ndata: cut";
        let want = [("entry", "{\"a\":1}"), ("store", "away")];
        for size in [1, 2, 3, 7, 1000] {
            let (mut events, mut seen) = (Events::default(), Vec::new());
            for piece in stream.as_bytes().chunks(size) {
                assert!(events.take(piece, &mut |event| {
                    seen.push((event.name.clone(), event.data.clone()));
                    true
                }));
            }
            let seen: Vec<_> = seen.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
            assert_eq!(seen, want, "{size}");
        }
    }

    #[test]
    fn what_has_no_end_is_no_stream() {
        let mut events = Events::default();
        let endless = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert!(events.take(&endless, &mut |_| true) && events.take(&endless, &mut |_| true));
        assert!(!events.take(b"x", &mut |_| true));
    }

    #[test]
    fn an_entry_is_shown_once_and_a_gap_breaks_the_stream() {
        let mut shown = Shown { last: 4, json: true, closed: false };
        let entry = |seq: u64| Event { name: "entry".into(), data: format!("{{\"seq\":{seq}}}") };
        assert!(shown.show(&entry(4)) && shown.show(&entry(5)) && shown.last == 5);
        assert!(!shown.show(&entry(7)) && shown.last == 5);
        assert!(shown.show(&Event { name: "store".into(), data: "back".into() }));
    }
}
