//! What was said elsewhere, put on the timeline: chat lines, or a mail, each with its own time.
//!
//! A line is an hour and what was said: `2026-11-23T02:14:00Z tom: the balancers are both master`. One that begins with a blank goes on
//! the line before it. A mail is known by its head; of it, `Date`, `From`, `Subject` and the text are taken.
//!
//! Everything is read before anything is sent, and sent in its order. What is on the timeline already, as a note of the same hour in
//! the same words, is passed over: so the same file may be given again, also when the first time was cut off in the middle.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::whole_timeline;
use crate::cli::client::Client;
use crate::cli::progress::Progress;
use crate::cli::{Exit, fail, say};
use crate::clock::Clock;
use crate::core::decide::WORDS_BYTES_MAX;
use crate::sources::mail::{Told, told_by};

/// Largest file taken, in bytes, and most lines.
const FILE_BYTES_MAX: usize = 1024 * 1024;
const LINES_MAX: usize = 2_000;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Its number
    number: i64,
    /// Lines such as "2026-11-23T02:14:00Z tom: text", or one mail as it came; `-` for standard input. What is on the timeline
    /// already, at the same hour in the same words, is passed over
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    at: Timestamp,
    text: String,
}

impl Import {
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Exit> {
        let lines = lines(&self.read()?).map_err(|why| {
            say(&format!("onscene: {why}; nothing was sent"));
            Exit::BadData
        })?;
        let mut known = on_the_timeline(&whole_timeline(client, self.number)?);
        let clock = Clock::system();
        let progress = Progress::new(&clock, "lines");
        let place = format!("/api/v1/incidents/{}/note", self.number);
        let mut written = 0_usize;
        for (done, line) in (1..).zip(&lines) {
            if known.insert(line.clone()) {
                let note = json!({"text": line.text, "occurred_at": line.at});
                client.try_post(&place, &note.to_string()).map_err(|failure| {
                    progress.end();
                    let exit = failure.say();
                    say(&format!(
                        "onscene: {written} of {} lines were written; give the file again for the rest",
                        lines.len()
                    ));
                    exit
                })?;
                written += 1;
            }
            progress.show(done);
        }
        progress.end();
        Ok(json!({"written": written, "known": lines.len() - written}))
    }

    fn read(&self) -> Result<Vec<u8>, Exit> {
        let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let read = if self.file.as_os_str() == "-" {
            std::io::stdin().lock().take(most).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&self.file).and_then(|file| file.take(most).read_to_end(&mut bytes))
        };
        read.map_err(|error| fail(&format!("{} cannot be read: {error}", self.file.display())))?;
        if bytes.len() > FILE_BYTES_MAX {
            say(&format!("onscene: there are more than {} KiB; nothing was sent", FILE_BYTES_MAX / 1024));
            return Err(Exit::BadData);
        }
        Ok(bytes)
    }
}

/// How many were written, for people.
pub(super) fn told(answer: &Value) -> String {
    format!("{} written, {} known already\n", answer["written"], answer["known"])
}

fn on_the_timeline(timeline: &Value) -> BTreeSet<Line> {
    let notes = timeline["entries"].as_array().into_iter().flatten().filter(|entry| entry["kind"] == "note");
    let line = |entry: &Value| {
        let at = entry["occurred_at"].as_str()?.parse().ok()?;
        Some(Line { at, text: entry["text"].as_str()?.to_owned() })
    };
    notes.filter_map(line).collect()
}

/// Reads lines, or a mail.
fn lines(bytes: &[u8]) -> Result<Vec<Line>, String> {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let mail = first.filter(|line| is_field(line)).and_then(|_| told_by(bytes).ok());
    let mut lines = match mail {
        Some(mail) => vec![of_mail(mail)?],
        None => of_chat(std::str::from_utf8(bytes).map_err(|_| "this is no text in UTF-8".to_owned())?)?,
    };
    for line in &mut lines {
        line.at = as_kept(line.at);
    }
    if lines.is_empty() {
        return Err("there is nothing in it".into());
    }
    if lines.len() > LINES_MAX {
        return Err(format!("there are {} lines, and at most {LINES_MAX} are taken", lines.len()));
    }
    match lines.iter().find(|line| line.text.len() > WORDS_BYTES_MAX) {
        Some(line) => Err(format!("what was said at {} is longer than {WORDS_BYTES_MAX} bytes", line.at)),
        None => Ok(lines),
    }
}

/// An hour as a timeline keeps it: to the microsecond. One that is finer would not be known again.
fn as_kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Whether a line begins as those of a mail's head do, such as `From: tom`, and as no line of a chat does.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
    name.len() < line.len() && !name.is_empty() && name.iter().all(is_name)
}

fn of_mail(told: Told) -> Result<Line, String> {
    let at = told.at.ok_or("the mail does not say when it was written, by a field Date")?;
    let from = told.from.unwrap_or_else(|| "nobody who is named".into());
    let subject = told.subject.map(|subject| format!(", {subject}")).unwrap_or_default();
    Ok(Line { at, text: format!("mail of {from}{subject}: {}", told.text.trim()).trim().to_owned() })
}

fn of_chat(text: &str) -> Result<Vec<Line>, String> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let last =
                lines.last_mut().ok_or_else(|| format!("line {number} goes on a line that is not there"))?;
            last.text.push('\n');
            last.text.push_str(line.trim());
            continue;
        }
        let (at, said) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let at = at.parse::<Timestamp>().map_err(|_| {
            format!("line {number} does not begin with its hour, such as 2026-11-23T02:14:00Z")
        })?;
        if said.trim().is_empty() {
            return Err(format!("line {number} says nothing"));
        }
        lines.push(Line { at, text: said.trim().to_owned() });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_lines_keep_their_order_their_hours_and_what_goes_on() {
        let text =
            "2026-11-23T02:14:00Z tom: both are master\n  see lb1\n\n2026-11-23T03:13:00+01:00 kim: I look\n";
        let read = lines(text.as_bytes()).unwrap();
        let said: Vec<(String, &str)> =
            read.iter().map(|line| (line.at.to_string(), line.text.as_str())).collect();
        assert_eq!(
            said,
            [
                ("2026-11-23T02:14:00Z".to_owned(), "tom: both are master\nsee lb1"),
                ("2026-11-23T02:13:00Z".to_owned(), "kim: I look"),
            ]
        );
    }

    #[test]
    fn hours_are_those_that_a_timeline_keeps() {
        let read =
            lines(b"2026-11-23T02:14:00.123456789Z tom: x\n1960-11-23T02:14:00.123456789Z lee: y\n").unwrap();
        let known: Vec<Value> = read
            .iter()
            // What the store keeps of it.
            .map(|line| {
                json!({"kind": "note", "text": line.text,
                    "occurred_at": Timestamp::from_microsecond(line.at.as_microsecond()).unwrap()})
            })
            .collect();
        assert_eq!(read[0].at.to_string(), "2026-11-23T02:14:00.123456Z");
        assert_eq!(on_the_timeline(&json!({"entries": known})), read.into_iter().collect());
    }

    #[test]
    fn a_mail_is_one_line_with_its_own_hour() {
        let mail = "From: Tom Berg <tom@example.net>\r\nDate: Mon, 23 Nov 2026 03:14:00 +0100\r\nSubject: the balancers\r\n\r\nBoth are master.\r\n";
        let [line] = &lines(mail.as_bytes()).unwrap()[..] else { panic!("one line") };
        assert_eq!(line.at.to_string(), "2026-11-23T02:14:00Z");
        assert_eq!(line.text, "mail of tom@example.net, the balancers: Both are master.");
        let undated = lines(b"From: tom@example.net\r\nSubject: x\r\n\r\nx\r\n").unwrap_err();
        assert!(undated.contains("Date"), "{undated}");
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line_and_the_whole_has_an_end() {
        for (text, why) in [
            ("2026-11-23T02:14:00Z tom: x\nyesterday tom: y", "line 2 does not begin with its hour"),
            ("2026-11-23T02:14:00Z  ", "line 1 says nothing"),
            ("tom: both are master", "line 1 does not begin with its hour"),
            ("  tom: x", "line 1 goes on a line that is not there"),
            ("\n", "nothing in it"),
        ] {
            let said = lines(text.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        let many = "2026-11-23T02:14:00Z x\n".repeat(LINES_MAX + 1);
        assert!(lines(many.as_bytes()).unwrap_err().contains("at most"));
        let long = format!("2026-11-23T02:14:00Z {}", "x".repeat(WORDS_BYTES_MAX + 1));
        assert!(lines(long.as_bytes()).unwrap_err().contains("longer"));
    }
}
