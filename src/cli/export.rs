//! `onscene export`: one incident, taken out for others to read and to keep.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;

use super::client::ServerFlags;
use super::{Exit, fail, say};
use crate::exports::Form;

/// Between two pieces of an answer.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// Take an incident out, for others to read and to keep
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Its number
    number: i64,
    /// In which form: json (everything, so that `onscene verify FILE` can prove it)
    #[arg(long, value_parser = form)]
    form: Form,
    #[command(flatten)]
    server: ServerFlags,
}

fn form(word: &str) -> Result<Form, String> {
    Form::from_word(word).ok_or_else(|| format!("there are: {}", Form::words()))
}

impl Export {
    pub(super) fn run(self) -> Exit {
        let Self { number, form, server } = self;
        let client = match server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        let kind = match form {
            Form::Json => "application/json",
        };
        let place = format!("/api/v1/incidents/{number}/export?form={}", form.as_str());
        let mut failed = None;
        let ended = client.stream(&place, kind, &[], QUIET_MAX, &mut |bytes| {
            let mut stdout = std::io::stdout().lock();
            failed = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
            failed.is_none()
        });
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
}
