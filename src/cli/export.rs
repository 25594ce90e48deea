//! `onscene export`: one incident, taken out for others to read and to keep.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;

use super::alert::pairs;
use super::client::{Client, ServerFlags};
use super::progress::Progress;
use super::{Exit, fail, say};
use crate::clock::Clock;
use crate::exports::{Form, Format};

/// Between two pieces of an answer.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// Take an incident out, for others to read and to keep
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Its number
    number: i64,
    /// In which form: ics-201 (the briefing before command passes), ics-209 (a status summary in that way), ics-214 (the activity
    /// log), postmortem (a draft), json (everything, so that `onscene verify FILE` can prove it)
    #[arg(long, value_parser = form)]
    form: Form,
    /// md, html (to be printed) or json [default: md; of the form json: json]
    #[arg(long, value_parser = format)]
    format: Option<Format>,
    /// The activity log of one person
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    server: ServerFlags,
}

fn form(word: &str) -> Result<Form, String> {
    Form::from_word(word).ok_or_else(|| format!("there are: {}", Form::words()))
}

fn format(word: &str) -> Result<Format, String> {
    Format::from_word(word).ok_or_else(|| format!("there are: {}", Format::words()))
}

impl Export {
    pub(super) fn run(self) -> Exit {
        let Self { number, form, format, person, server } = self;
        let format = format.unwrap_or_else(|| form.usual_format());
        if let Err(why) = form.takes(format, person.as_deref()) {
            say(&format!("onscene: {why}"));
            return Exit::Usage;
        }
        let client = match server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        print(&client, number, form, format, person)
    }
}

/// Prints what the daemon made of an incident, as it comes.
pub(super) fn print(
    client: &Client,
    number: i64,
    form: Form,
    format: Format,
    person: Option<String>,
) -> Exit {
    let words = [("format", &Some(format.as_str().to_owned())), ("person", &person)];
    let place = format!("/api/v1/incidents/{number}/export?form={}{}", form.as_str(), pairs(&words));
    let kind = format.content_type().split(';').next().unwrap_or_default();
    let (clock, mut failed, mut bytes_taken) = (Clock::system(), None, 0_usize);
    let progress = Progress::new(&clock, "KiB taken");
    // Where people read it as it comes, they see that it does.
    let is_read = std::io::stdout().is_terminal();
    let ended = client.stream(&place, kind, &[], QUIET_MAX, &mut |bytes| {
        let mut stdout = std::io::stdout().lock();
        failed = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
        bytes_taken = bytes_taken.saturating_add(bytes.len());
        if !is_read {
            progress.show(u64::try_from(bytes_taken / 1024).unwrap_or(u64::MAX));
        }
        failed.is_none()
    });
    progress.end();
    match (ended, failed) {
        (_, Some(error)) => fail(&format!("it cannot be written: {error}")),
        (Ok(()), None) => Exit::Done,
        (Err(failure), None) => {
            let exit = failure.say();
            say("onscene: what was printed, if anything, is not whole");
            exit
        }
    }
}
