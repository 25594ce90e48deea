//! keepalived's fifo: one line an event, in order, until keepalived ends.
//!
//! keepalived writes without waiting for anybody, and what does not fit into the pipe is lost. So nothing here may
//! take long: while the daemon is away, lines are kept without asking it each time. What was kept is sent from here
//! too, because no other call may come for days. At its end, and when it reads its configuration again, keepalived first
//! sends SIGTERM, and then the last lines. A master says at each advert that it hears another one: what was said of the
//! same thing a moment ago is not sent again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};

use super::post::{Fate, Post, Said};
use crate::cli::client::runtime;
use crate::cli::{Exit, fail, say};

/// Longest line that is taken, in bytes; a longer one is passed over.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Read at once, in bytes.
const CHUNK_BYTES: usize = 4 * 1024;
/// While the daemon is away it is asked again after this long.
const AWAY_PAUSE: Duration = Duration::from_secs(10);
/// The same line about the same thing is passed over for this long.
const REPEAT_PAUSE: Duration = Duration::from_secs(30);
/// So many things are remembered; when there are more, all are forgotten, which costs a repeat of each.
const SUBJECTS_MAX: usize = 1024;
/// After SIGTERM the last lines are waited for this long.
const LAST_LINES_WAIT: Duration = Duration::from_secs(1);

/// Cuts what comes into lines.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    /// The line that comes is longer than any may be.
    too_long: bool,
}

impl Lines {
    /// Takes what was read; answers the lines that are whole.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => whole.extend(self.end()),
                _ if self.rest.len() >= LINE_BYTES_MAX => self.too_long = true,
                byte => self.rest.push(*byte),
            }
        }
        whole
    }

    /// What stands before a line's end, or before the end of all.
    fn end(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.rest);
        if std::mem::take(&mut self.too_long) {
            say(&format!("onscene: a line of more than {LINE_BYTES_MAX} bytes is passed over"));
            return None;
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        (!line.is_empty()).then_some(line)
    }
}

/// What happened to the fifo.
enum Heard {
    Bytes(usize),
    /// Nobody writes any more, or it cannot be read.
    End,
    /// Nothing came for a while.
    Quiet,
    /// keepalived is about to end.
    Ending,
}

/// Sends a fifo's lines until nobody writes any more.
pub(super) fn run(post: &mut Post, host: &str, path: &Path) -> Exit {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let _inside = runtime.enter();
    let opened = File::open(path).and_then(Receiver::from_file);
    let opened = opened.and_then(|fifo| Ok((fifo, signal(SignalKind::terminate())?)));
    let (mut fifo, mut term) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail(&format!("the fifo {} cannot be read: {error}", path.display())),
    };
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut sender = Sender { post, host, away_since: None, said: Repeats::default() };
    let mut wait = AWAY_PAUSE;
    loop {
        let heard = runtime.block_on(async {
            tokio::select! {
                biased;
                read = fifo.read(&mut chunk) => match read {
                    Ok(count @ 1..) => Heard::Bytes(count),
                    Ok(_) => Heard::End,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => Heard::Quiet,
                    Err(_) => Heard::End,
                },
                _ = term.recv() => Heard::Ending,
                () = tokio::time::sleep(wait) => Heard::Quiet,
            }
        });
        match heard {
            Heard::Bytes(count) => {
                for line in lines.push(chunk.get(..count).unwrap_or_default()) {
                    sender.line(&line);
                }
            }
            Heard::Quiet if wait == AWAY_PAUSE => sender.quiet(),
            Heard::Ending => wait = LAST_LINES_WAIT,
            Heard::Quiet | Heard::End => break,
        }
    }
    if let Some(line) = lines.end() {
        sender.line(&line);
    }
    Exit::Done
}

/// What was said last of each thing.
#[derive(Default)]
struct Repeats(BTreeMap<String, (String, Instant)>);

impl Repeats {
    /// Whether the same was said a moment ago, and nothing else about it since.
    fn is_one(&mut self, line: &str, now: Instant) -> bool {
        // Behind the name stand the state and the priority; a name may have spaces, and is in quotes then.
        let end = line.rfind('"').or_else(|| line.rfind(' ')).unwrap_or(line.len());
        let subject = line.get(..end).unwrap_or(line);
        if let Some((said, at)) = self.0.get(subject)
            && said == line
            && now.duration_since(*at) < REPEAT_PAUSE
        {
            return true;
        }
        if self.0.len() >= SUBJECTS_MAX {
            self.0.clear();
        }
        self.0.insert(subject.to_owned(), (line.to_owned(), now));
        false
    }
}

struct Sender<'a> {
    post: &'a mut Post,
    host: &'a str,
    said: Repeats,
    /// The daemon was away when it was asked last.
    away_since: Option<Instant>,
}

impl Sender<'_> {
    fn line(&mut self, line: &str) {
        if self.said.is_one(line, self.post.clock().mark()) {
            return;
        }
        let mut fields = Map::new();
        fields.insert("host".into(), json!(self.host));
        fields.insert("line".into(), json!(line));
        let Ok(said) = Said::new(fields, self.post.clock().now()) else { return };
        if self.is_away() {
            self.post.keep(&said, "the daemon was away a moment ago", true);
            return;
        }
        let away = matches!(self.post.deliver(&said), Fate::Spooled { away: true });
        self.away_since = away.then(|| self.post.clock().mark());
    }

    fn is_away(&self) -> bool {
        let now = self.post.clock().mark();
        self.away_since.is_some_and(|since| now.duration_since(since) < AWAY_PAUSE)
    }

    /// Sends what was kept, as soon as the daemon is back.
    fn quiet(&mut self) {
        if !self.is_away() && self.post.waits() {
            let stopped = self.post.some().is_none_or(|backlog| backlog.stopped.is_some());
            self.away_since = stopped.then(|| self.post.clock().mark());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_reads_end_and_a_long_one_is_passed_over() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"INSTANCE \"VI_1\" MAS"), Vec::<String>::new());
        assert_eq!(lines.push(b"TER 100\n\nRS a b UP\nVS"), ["INSTANCE \"VI_1\" MASTER 100", "RS a b UP"]);
        assert_eq!(lines.end().as_deref(), Some("VS"));
        let long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\nnext\n".to_vec()].concat();
        assert_eq!(lines.push(&long), ["next"]);
        assert_eq!(lines.end(), None);
        let fits = [vec![b'x'; LINE_BYTES_MAX], b"\n".to_vec()].concat();
        assert_eq!(lines.push(&fits)[0].len(), LINE_BYTES_MAX);
    }

    #[test]
    fn what_was_said_a_moment_ago_is_passed_over_until_something_else_was_said() {
        let began = crate::clock::Clock::system().mark();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut said = Repeats::default();
        let (two, over, other) =
            ("INSTANCE \"a b\" MASTER_RX_LOWER_PRI 150", "INSTANCE \"a b\" BACKUP 150", "RS x y UP");
        let heard =
            [(two, 0), (two, 1), (other, 2), (two, 3), (over, 4), (two, 5), (two, 6), (two, 40), (other, 41)];
        let passed: Vec<bool> = heard.iter().map(|(line, at)| said.is_one(line, after(*at))).collect();
        assert_eq!(passed, [false, true, false, true, false, false, true, false, false]);
    }
}
