//! A command that is watched: run as it would run without us, with the end of its output kept for people.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Caught, SignalKind, signal};

use crate::cli::client::runtime;
use crate::cli::{Exit, fail};

/// How much of the end of its output is kept, in bytes.
const TAIL_BYTES: usize = 4 * 1024;
/// Read at once, in bytes.
const CHUNK_BYTES: usize = 8 * 1024;
/// Who has ended may have left a child that holds the streams; the event does not wait longer for the rest.
const REST_WAIT: Duration = Duration::from_secs(1);
/// What a shell answers for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;
/// A command that a signal ended has this and the signal's number for its status.
const SIGNALLED: u8 = 128;

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// As a shell would say it.
    pub(super) status: u8,
    /// In words: "ended with status 3".
    pub(super) how: String,
    /// The end of what it wrote, of both streams as they came.
    pub(super) tail: String,
}

impl Ended {
    fn not_started(error: &io::Error) -> Self {
        let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
        Self { status, how: format!("cannot be started: {error}"), tail: String::new() }
    }

    fn new(status: ExitStatus, tail: String) -> Self {
        let low = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        match (status.code(), status.signal()) {
            (_, Some(number)) => Self {
                status: SIGNALLED.saturating_add(low(number)),
                how: format!("was ended by signal {number}"),
                tail,
            },
            (code, None) => {
                let code = low(code.unwrap_or_default());
                Self { status: code, how: format!("ended with status {code}"), tail }
            }
        }
    }
}

/// The end of a long text.
#[derive(Default)]
struct Tail(RefCell<VecDeque<u8>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.borrow_mut();
        kept.extend(bytes);
        let over = kept.len().saturating_sub(TAIL_BYTES);
        kept.drain(..over);
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.borrow().iter().copied().collect();
        // What was cut in the middle of a character begins with the rest of it.
        let rest = bytes.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
        String::from_utf8_lossy(bytes.get(rest..).unwrap_or_default()).into_owned()
    }
}

/// Signals that go on to the command.
struct Signals {
    term: Caught,
    int: Caught,
    hup: Caught,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::TERM,
            _ = self.int.recv() => Signal::INT,
            _ = self.hup.recv() => Signal::HUP,
        }
    }
}

/// Runs a command to its end, tells how it ended, and ends with its status. Like cron, it then waits until nobody holds
/// the streams any more: what the command left running must not lose them.
pub(super) fn run(command: &[OsString], tell: impl FnOnce(&Ended)) -> Exit {
    let Some((name, arguments)) = command.split_first() else { return Exit::Usage };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let inside = runtime.enter();
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut signals, out, err) =
        match Signals::new().and_then(|signals| Ok((signals, again(io::stdout())?, again(io::stderr())?))) {
            Ok(all) => all,
            Err(error) => {
                return fail(&format!(
                    "the command is not run, because its streams cannot be passed on: {error}"
                ));
            }
        };
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let ended = Ended::not_started(&error);
            fail(&format!("{} {}", name.display(), ended.how));
            tell(&ended);
            return Exit::Child(ended.status);
        }
    };
    let tail = Tail::default();
    let (from_out, from_err) = (child.stdout.take(), child.stderr.take());
    let mut streams = pin!(async {
        tokio::join!(copy(from_out, out, &tail), copy(from_err, err, &tail));
    });
    let (status, rest) = runtime.block_on(to_its_end(&mut child, streams.as_mut(), &mut signals));
    let ended = match status {
        Ok(status) => Ended::new(status, tail.text()),
        Err(error) => {
            Ended { status: NOT_RUN, how: format!("cannot be waited for: {error}"), tail: tail.text() }
        }
    };
    tell(&ended);
    if rest {
        runtime.block_on(async {
            tokio::select! {
                () = streams => {}
                _ = signals.next() => {}
            }
        });
    }
    drop(inside);
    // Whoever reads our streams may have stopped to.
    runtime.shutdown_background();
    Exit::Child(ended.status)
}

/// Waits for a command; answers how it ended, and whether somebody still holds its streams.
async fn to_its_end(
    child: &mut Child,
    mut streams: Pin<&mut impl Future<Output = ()>>,
    signals: &mut Signals,
) -> (io::Result<ExitStatus>, bool) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut copied = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut streams, if !copied => copied = true,
            signal = signals.next() => {
                // It may have ended a moment ago.
                let _gone = pid.map(|pid| kill_process(pid, signal));
            }
        }
    };
    let rest = !copied && tokio::time::timeout(REST_WAIT, streams).await.is_err();
    (status, rest)
}

/// One of our own streams, to be written to without holding up everything else.
fn again(stream: impl AsFd) -> io::Result<tokio::fs::File> {
    Ok(tokio::fs::File::from_std(File::from(stream.as_fd().try_clone_to_owned()?)))
}

/// Copies a stream while it comes. When nobody reads ours any more, the command is to notice as well.
async fn copy(from: Option<impl AsyncRead + Unpin>, mut to: tokio::fs::File, tail: &Tail) {
    let Some(mut from) = from else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let bytes = chunk.get(..count).unwrap_or_default();
        tail.push(bytes);
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_end_and_cuts_no_character() {
        let tail = Tail::default();
        tail.push("é".repeat(TAIL_BYTES).as_bytes());
        tail.push(b"x");
        let text = tail.text();
        assert!(text.len() <= TAIL_BYTES && text.starts_with('é') && text.ends_with("éx"), "{}", text.len());
        assert_eq!(Tail::default().text(), "");
    }

    #[test]
    fn statuses_are_those_of_a_shell() {
        let status = |raw: i32| Ended::new(ExitStatus::from_raw(raw), String::new());
        assert_eq!((status(3 << 8).status, status(0).status), (3, 0));
        assert_eq!(status(3 << 8).how, "ended with status 3");
        assert_eq!((status(9).status, status(9).how.as_str()), (137, "was ended by signal 9"));
        let missing = Ended::not_started(&io::Error::from(io::ErrorKind::NotFound));
        let forbidden = Ended::not_started(&io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!((missing.status, forbidden.status), (127, 126));
    }
}
