//! `onscene mail-in`: one message from a mail server to the daemon.
//!
//! It ends as mail servers expect (`sysexits.h`): 0 when the message is taken, also when it means nothing or was kept as
//! unreadable, for a bounce to its sender would help nobody; 75 when another try may help, so that the mail server
//! keeps it and tries again; 77 when the token is wrong; 65 when the message is too large; 64 and 78 when the
//! command or the configuration is.

use std::io::Read as _;

use clap::Args;
use http::StatusCode;
use serde_json::Value;

use super::client::{Client, Failure, ServerFlags};
use super::{Exit, out, say};
use crate::config::SecretsMode;
use crate::sources::mail::KIND;

/// Largest message taken, in bytes. A page quoted in an answer has a few thousand.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The type of problem that the daemon answers when it has kept a body.
const UNREADABLE: &str = "urn:onscene:problem:unreadable";

/// Take one message on standard input from a mail server: an answer to a page, or an alert by mail
#[derive(Debug, Args)]
pub(super) struct MailIn {
    /// A source of the kind `mail` [default: the only one of the configuration]
    source: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl MailIn {
    pub(super) fn run(self) -> Exit {
        let source = match self.source.clone().map_or_else(|| self.only_one(), Ok) {
            Ok(source) => source,
            Err(exit) => return for_mail(exit),
        };
        let client = match self.server.client_for_source(&source) {
            Ok(client) => client,
            Err(exit) => return for_mail(exit),
        };
        let mut message = Vec::new();
        let most = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        if let Err(error) = std::io::stdin().lock().take(most).read_to_end(&mut message) {
            say(&format!("onscene: the message cannot be read from standard input: {error}"));
            return Exit::Again;
        }
        if message.len() > MESSAGE_BYTES_MAX {
            say(&format!(
                "onscene: the message has more than {} KiB; it is not taken",
                MESSAGE_BYTES_MAX / 1024
            ));
            return Exit::BadData;
        }
        self.post(&client, &source, message)
    }

    fn post(&self, client: &Client, source: &str, message: Vec<u8>) -> Exit {
        let answer = client.try_post_as("message/rfc822", &format!("/in/{source}"), message);
        match answer
            .and_then(|answer| if Client::is_taken(&answer) { Ok(answer) } else { Err(client.no_onscene()) })
        {
            Ok(answer) => {
                out(&if self.json { format!("{answer}\n") } else { shown(&answer) });
                Exit::Done
            }
            Err(failure) => {
                say(&format!("onscene: {failure}"));
                match failure {
                    Failure::Unreachable { .. } | Failure::TooLong { .. } => Exit::Again,
                    Failure::Refused { status, problem, .. } => refused(status, &problem),
                }
            }
        }
    }

    /// The one source of the kind `mail` that the configuration has.
    fn only_one(&self) -> Result<String, Exit> {
        let config = super::serve::load(&self.server.config.path(), SecretsMode::Skip)?;
        let mut of_mail = config.sources.values().filter(|source| source.kind == KIND.name);
        match (of_mail.next(), of_mail.next()) {
            (Some(one), None) => Ok(one.name.clone()),
            (one, _) => {
                let there = if one.is_some() { "more than one source" } else { "no source" };
                let path = config.path.display();
                say(&format!(
                    "onscene: {path} has {there} of the kind mail; say which: onscene mail-in SOURCE"
                ));
                Err(Exit::Usage)
            }
        }
    }
}

/// What a refusal means for a mail server.
fn refused(status: StatusCode, problem: &str) -> Exit {
    match status {
        // The daemon keeps what it cannot understand, and tells the owner of the source. A proxy does not.
        StatusCode::BAD_REQUEST if problem == UNREADABLE => Exit::Done,
        StatusCode::PAYLOAD_TOO_LARGE => Exit::BadData,
        // Also a wrong token, or a source that is not configured: an operator mends that, and a mail that came back is lost.
        _ => Exit::Again,
    }
}

/// The way a command of ours ends, in the words of mail servers.
fn for_mail(exit: Exit) -> Exit {
    match exit {
        // A wrong configuration, a token that cannot be read: an operator mends that, and the mail waits.
        Exit::Usage | Exit::Config | Exit::Failed | Exit::Unreachable => Exit::Again,
        other => other,
    }
}

/// What became of a message, in one line.
fn shown(answer: &Value) -> String {
    let one = &answer["results"][0];
    let outcome = one["outcome"].as_str().unwrap_or("accepted");
    let incident = one["incident"].as_i64().map_or(String::new(), |id| format!(" INC-{id}"));
    let reason = one["reason"].as_str().map_or(String::new(), |reason| format!(" ({reason})"));
    format!("{outcome}{incident}{reason}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_try_may_mend_is_tried_again_and_what_is_kept_does_not_bounce() {
        for (status, exit) in [
            (StatusCode::BAD_REQUEST, Exit::Again),
            (StatusCode::UNAUTHORIZED, Exit::Again),
            (StatusCode::PAYLOAD_TOO_LARGE, Exit::BadData),
            (StatusCode::NOT_FOUND, Exit::Again),
            (StatusCode::SERVICE_UNAVAILABLE, Exit::Again),
            (StatusCode::INTERNAL_SERVER_ERROR, Exit::Again),
        ] {
            assert_eq!(refused(status, "about:blank"), exit, "{status}");
        }
        assert_eq!(refused(StatusCode::BAD_REQUEST, UNREADABLE), Exit::Done);
    }

    #[test]
    fn an_answer_is_one_line() {
        let answer = serde_json::json!({"results": [{"outcome": "ignored", "incident": 4, "reason": "so"}]});
        assert_eq!(shown(&answer), "ignored INC-4 (so)\n");
        assert_eq!(shown(&serde_json::json!({"accepted": 1, "results": []})), "accepted\n");
    }
}
