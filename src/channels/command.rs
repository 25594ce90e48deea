//! A program of the operator's: the letter as JSON on its standard input, and its exit code is the outcome.
//!
//! It is started as it is written, without a shell, with nothing in its environment but `PATH` and `HOME`, in a process
//! group of its own. It has fifteen seconds; then it is ended with everything that it started. What it leaves running
//! when it ends by itself in time is left alone. 0: taken. 75 (`EX_TEMPFAIL`): not now, certainly not done, try again.
//! Any other code: refused. Ended by a signal, or for want of time: it may have been done. It is told the delivery, the
//! same on every attempt, and so are all bytes: who cannot bear a repeat looks at it.
//!
//! The last line that it writes to standard error says why, on the timeline and in the log, so it should hold no
//! secret. What it writes to standard output is not read. There is no 404: a program that is not there, or may not be
//! run, is the whole way's fault.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin};

use super::api::{plain, refused};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, SEND_DEADLINE, Shared};
use crate::config::secrets::variable;

/// A program, as a way to persons.
pub const KIND: Kind = Kind {
    name: "command",
    keys: &[Key { name: "command", secret: false, required: true }],
    build: Command::build,
    address: Some(address),
    status: false,
};

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// Who has ended may have left a child that holds the streams; the rest of its words is not waited for longer.
const REST_WAIT: Duration = Duration::from_millis(500);
/// How much of the end of what it writes is kept, in bytes.
const TAIL_BYTES: usize = 4096;
/// Read at once, in bytes.
const CHUNK_BYTES: usize = 4096;
/// Try again later (sysexits.h).
const EX_TEMPFAIL: i32 = 75;
/// Longest address, which is the program's own.
const ADDRESS_CHARS_MAX: usize = 256;
/// What of our environment it is given.
const HANDED_ON: [&str; 2] = ["PATH", "HOME"];

const _: () = assert!(DEADLINE.as_secs() + 1 < SEND_DEADLINE.as_secs());

/// One program and its arguments.
pub struct Command {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Command {
    fn build(mut fields: Fields, _: &Shared) -> Result<Channel, String> {
        let mut words = fields.lists.remove("command").unwrap_or_default().into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program =
            program.ok_or("`command` is a list of a program and its arguments, such as [\"/usr/local/bin/page\", \"--now\"]")?;
        let environment = HANDED_ON.iter().filter_map(|name| Some((*name, variable(name)?))).collect();
        Ok(Channel::Command(Self { program, arguments: words.collect(), environment }))
    }

    /// Runs it for one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return not_started(&error),
        };
        let mut group = Group::of(&child);
        let mut tail = VecDeque::new();
        let run = to_its_end(&mut child, &mut group, page(parcel), &mut tail);
        match tokio::time::timeout(DEADLINE, run).await {
            Ok(Ok(status)) => outcome(status, &last_line(&tail)),
            Ok(Err(error)) => Outcome::Unknown { why: format!("it cannot be waited for: {}", error.kind()) },
            Err(_) => {
                group.end();
                Outcome::Unknown {
                    why: format!("it had not ended after {} s, and was ended", DEADLINE.as_secs()),
                }
            }
        }
    }
}

/// What the program reads. The same bytes for every attempt.
fn page(parcel: &Parcel) -> String {
    let page = json!({
        "delivery": parcel.delivery,
        "type": parcel.event_type,
        "to": parcel.to,
        "incident": parcel.incident,
        "incident_state": parcel.incident_state,
        "wakes": parcel.wakes,
        "page_attempt": parcel.page_attempt,
        "subject": parcel.subject,
        "short": parcel.short,
        "text": parcel.text,
        "answer": parcel.answer,
        "created_at": parcel.created_at,
        "data": parcel.data,
    });
    format!("{page}\n")
}

fn not_started(error: &std::io::Error) -> Outcome {
    use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    let why = format!("it cannot be started: {}", error.kind());
    match error.kind() {
        NotFound | PermissionDenied | IsADirectory => refused(&why, true),
        _ => Outcome::Wait { after: None, why },
    }
}

fn outcome(status: ExitStatus, said: &str) -> Outcome {
    let with = |how: String| if said.is_empty() { how } else { format!("{how}: {said}") };
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Accepted { remote_id: None },
        (Some(EX_TEMPFAIL), _) => Outcome::Wait { after: None, why: with("it said not now".into()) },
        (Some(code), _) => refused(&with(format!("it ended with status {code}")), false),
        (None, signal) => {
            Outcome::Unknown { why: with(format!("it was ended by signal {}", signal.unwrap_or_default())) }
        }
    }
}

/// Everything that the program started, as long as nobody knows that it has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn end(&mut self) {
        if let Some(group) = self.0.take() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

async fn to_its_end(
    child: &mut Child,
    group: &mut Group,
    page: String,
    tail: &mut VecDeque<u8>,
) -> std::io::Result<ExitStatus> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let mut talk = pin!(async {
        tokio::join!(write(stdin, page), read(stderr, tail));
    });
    let mut talked = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut talk, if !talked => talked = true,
        }
    };
    // Its number may be another's from here on.
    group.0 = None;
    if !talked {
        let _the_rest_is_somebody_elses = tokio::time::timeout(REST_WAIT, talk).await;
    }
    status
}

/// Who does not read it has not asked for it.
async fn write(stdin: Option<ChildStdin>, page: String) {
    if let Some(mut stdin) = stdin {
        let _unread = stdin.write_all(page.as_bytes()).await;
    }
}

async fn read(stderr: Option<ChildStderr>, tail: &mut VecDeque<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut chunk = [0; CHUNK_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        tail.extend(chunk.iter().take(count));
        let over = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..over);
    }
}

fn last_line(tail: &VecDeque<u8>) -> String {
    let bytes: Vec<u8> = tail.iter().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    plain(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default())
}

fn address(to: &str) -> Result<(), String> {
    if to.is_empty() || to.chars().count() > ADDRESS_CHARS_MAX || to.chars().any(char::is_control) {
        return Err(format!(
            "the address of a person is what the program knows them by: one line of at most {ADDRESS_CHARS_MAX} characters"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::stories::{UNIT, build, parcel};
    use super::*;

    fn program(words: &[&str]) -> Channel {
        // A list of one would be taken for a text.
        let words = format!("{}{UNIT}", words.join(&UNIT.to_string()));
        let Channel::Command(mut command) = build(&KIND, &[("command", &words)], &[]).unwrap() else {
            panic!()
        };
        assert_eq!(command.arguments.pop().as_deref(), Some(""));
        Channel::Command(command)
    }

    fn shell(script: &str) -> Channel {
        program(&["sh", "-c", script])
    }

    #[tokio::test]
    async fn a_program_reads_the_letter_and_its_exit_code_is_the_outcome() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("read");
        let keep = format!("cat > {}", file.display());
        assert_eq!(shell(&keep).send(&parcel(1)).await, Outcome::Accepted { remote_id: None });
        let first = std::fs::read_to_string(&file).unwrap();
        shell(&keep).send(&parcel(2)).await;
        assert_eq!(first, std::fs::read_to_string(&file).unwrap(), "the same bytes on every attempt");
        let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/channels/command/page.json");
        let shown = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&first).unwrap())
            .unwrap();
        assert_eq!(shown, std::fs::read_to_string(written).unwrap().trim_end());

        let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
        for (script, meant) in [
            ("exit 0", Outcome::Accepted { remote_id: None }),
            (
                "echo no gateway >&2; exit 75",
                Outcome::Wait { after: None, why: "it said not now: no gateway".into() },
            ),
            (
                "printf 'trace\\nno such person\\n\\n' >&2; exit 1",
                refused("it ended with status 1: no such person", false),
            ),
            ("exit 3", refused("it ended with status 3", false)),
            ("kill -SEGV $$", Outcome::Unknown { why: "it was ended by signal 11".into() }),
        ] {
            assert_eq!(shell(script).send(&parcel(1)).await, meant, "{script}");
        }
        for path in ["/nonexistent/page", "/"] {
            let outcome = program(&[path]).send(&parcel(1)).await;
            assert!(matches!(outcome, Outcome::Refused { whole_channel: true, .. }), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_program_in_another_language_understands_the_letter() {
        let script = "import json, sys\n\
                      page = json.load(sys.stdin)\n\
                      sys.exit(0 if page['to'] == 'maya@example.net' and 'für' in page['subject'] else 9)";
        assert_eq!(program(&["python3", "-c", script]).send(&parcel(1)).await.as_str(), "accepted");
    }

    #[tokio::test]
    async fn nothing_of_our_environment_is_handed_on_but_path_and_home() {
        let script = "left=$(env | cut -d= -f1 | grep -vxE 'PATH|HOME|PWD|OLDPWD|SHLVL|_'); echo $left >&2; test -z \"$left\"";
        assert_eq!(shell(script).send(&parcel(1)).await, Outcome::Accepted { remote_id: None });
        let words =
            shell("test \"$0\" = sh && test $# = 0 && echo '$HOME; rm' >&2; exit 1").send(&parcel(1)).await;
        let Outcome::Refused { why, .. } = words else { panic!("{words:?}") };
        assert!(why.ends_with("$HOME; rm"), "{why}");
    }

    #[tokio::test]
    async fn however_much_it_writes_the_last_line_is_what_is_told() {
        let script = "cat >/dev/null; i=0; while [ $i -lt 3000 ]; do echo \"line $i für alle\"; i=$((i+1)); done >&2; exit 2";
        let outcome = shell(script).send(&parcel(1)).await;
        assert_eq!(outcome, refused("it ended with status 2: line 2999 für alle", false));
        let outcome = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 2").send(&parcel(1)).await;
        let Outcome::Refused { why, .. } = outcome else { panic!("{outcome:?}") };
        assert!(why.ends_with('…') && why.chars().count() < 140, "{why}");
    }

    #[tokio::test]
    async fn who_does_not_read_and_who_leaves_something_running_holds_up_nothing() {
        let long = Parcel { text: "x".repeat(1_000_000), ..parcel(1) };
        assert_eq!(shell("exit 0").send(&long).await.as_str(), "accepted");
        // What it left holds its standard error, and goes on.
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("played");
        let script = format!("(sleep 1; echo played > {}) & exit 0", file.display());
        assert_eq!(shell(&script).send(&parcel(1)).await.as_str(), "accepted");
        assert!(!file.exists(), "it was waited for");
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if file.exists() {
                return;
            }
        }
        panic!("what was left running was ended");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let script = format!("sleep 300 & echo $$ $! > {}; trap '' TERM; wait; sleep 300", file.display());
        let outcome = shell(&script).send(&parcel(1)).await;
        assert_eq!(outcome, Outcome::Unknown { why: "it had not ended after 15 s, and was ended".into() });
        let pids = std::fs::read_to_string(&file).unwrap();
        for pid in pids.split_whitespace() {
            for tries in 0.. {
                // What has ended and is not yet waited for has no command line.
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                if line.is_empty() {
                    break;
                }
                assert!(tries < 100, "{pid} goes on");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    #[tokio::test]
    async fn an_attempt_that_is_broken_off_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("done");
        let channel = shell(&format!("(sleep 1; echo done > {}) & wait", file.display()));
        let broken = tokio::time::timeout(Duration::from_millis(300), channel.send(&parcel(1))).await;
        assert!(broken.is_err());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!file.exists());
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        assert!(
            build(&KIND, &[("command", "/usr/local/bin/page --now")], &[]).err().unwrap().contains("a list")
        );
        assert!(build(&KIND, &[("command", &UNIT.to_string())], &[]).err().unwrap().contains("a list"));
        assert_eq!(address("maya"), Ok(()));
        assert!(address("").is_err() && address("a\nb").is_err());
    }
}
