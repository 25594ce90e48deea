//! The commands: flags → what they mean → run → exit code. One file per family.
//!
//! Commands speak the HTTP API of a running daemon. Given `--config`, `token`, `login-link`, `session`, `verify` and
//! `replay` work on the store itself, daemon running or not.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use serde_json::Value;

use crate::config::secrets;

mod alert;
mod calendar;
mod check;
mod client;
mod condition;
mod explain;
mod export;
mod feeds;
mod follow;
mod hour;
mod hours;
mod hyphen;
mod incident;
mod kinds;
mod logfmt;
mod login;
mod mail_in;
mod migrate;
mod oncall;
mod place;
mod progress;
mod reach;
mod replay;
mod report;
mod send;
mod serve;
mod silence;
mod statement;
mod subscriber;
mod token;
mod verify;

/// Hears alerts, wakes people, puts one of them in command, keeps everybody informed.
#[derive(Debug, Parser)]
#[command(name = "onscene", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::Serve),
    /// Validate the configuration; print who is woken when, for the next four weeks
    Check(check::Check),
    /// Raise, resolve or acknowledge an alert from a script (keepalived, Nagios, cron)
    Send(Box<send::Send>),
    /// Take one message on standard input from a mail server: an answer to a page, or an alert by mail
    MailIn(mail_in::MailIn),
    /// List, show and work on incidents
    Incident(incident::Incident),
    /// Find alerts, however long ago
    Alert(alert::Alert),
    /// Keep alerts from waking anybody for a while
    Silence(silence::Silence),
    /// Tell people who are woken what holds meanwhile
    Condition(condition::Condition),
    /// Who is on call, who would be woken, and who stands in
    Oncall(oncall::Oncall),
    /// Say something of an incident, and look what must not be said
    Statement(statement::Statement),
    /// Take an incident out, for others to read and to keep
    Export(export::Export),
    /// Prove timelines whole and command without a gap
    Verify(verify::Verify),
    /// Numbers about the past
    Report(report::Report),
    /// Give kept unreadable bodies to the adapters again
    Replay(replay::Replay),
    /// Copy a store into another, empty one, and prove the copy whole; stop the daemon first
    Migrate(migrate::Migrate),
    /// Make, list and revoke tokens of the API
    Token(token::Token),
    /// Make a link that logs somebody in to the pages, once, within a quarter of an hour
    LoginLink(login::LoginLink),
    /// List and end logins to the pages
    Session(login::Session),
    /// List and remove those who get statements by mail
    Subscriber(subscriber::Subscriber),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigFlag {
    /// Configuration file [default: $ONSCENE_CONFIG, else /etc/onscene/onscene.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFlag {
    fn path(&self) -> PathBuf {
        self.config
            .clone()
            .or_else(|| secrets::variable("ONSCENE_CONFIG").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("/etc/onscene/onscene.toml"))
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// `key=value`, one line an event
    Logfmt,
    /// One JSON object an event
    Json,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: refused or failed.
    Failed,
    /// 2: not used as it is meant to be.
    Usage,
    /// 64: bad configuration, before any port was bound.
    Config,
    /// 69: the server cannot be reached.
    Unreachable,
    /// The status of a command that was run.
    Child(u8),
    /// 64, to a mail server: not used as it is meant to be.
    MailUsage,
    /// 65: what was handed over cannot be taken.
    BadData,
    /// 75: another try may help.
    Again,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Config => 64,
            Exit::MailUsage => 64,
            Exit::BadData => 65,
            Exit::Unreachable => 69,
            Exit::Child(status) => status,
            Exit::Again => 75,
        })
    }
}

/// Runs the command that was asked for.
pub fn run() -> ExitCode {
    let cli = match hyphen::read(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows which stream it belongs to, and that --help is not a mistake.
            let _gone = error.print();
            // Mail servers know no 2.
            let of_mail = std::env::args_os().nth(1).is_some_and(|command| command == "mail-in");
            let usage = if of_mail { Exit::MailUsage } else { Exit::Usage };
            return if error.use_stderr() { usage } else { Exit::Done }.into();
        }
    };
    match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Send(send) => send.run(),
        Command::MailIn(mail) => mail.run(),
        Command::Incident(incident) => incident.run(),
        Command::Alert(alert) => alert.run(),
        Command::Silence(silence) => silence.run(),
        Command::Condition(condition) => condition.run(),
        Command::Oncall(oncall) => oncall.run(),
        Command::Statement(statement) => statement.run(),
        Command::Export(export) => export.run(),
        Command::Verify(verify) => verify.run(),
        Command::Report(report) => report.run(),
        Command::Replay(replay) => replay.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Token(token) => token.run(),
        Command::LoginLink(link) => link.run(),
        Command::Session(session) => session.run(),
        Command::Subscriber(subscriber) => subscriber.run(),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "onscene", &mut text);
            out(&String::from_utf8_lossy(&text));
            Exit::Done
        }
        Command::Man => {
            let mut text = Vec::new();
            match manual(&mut text) {
                Ok(()) => {
                    out(&String::from_utf8_lossy(&text));
                    Exit::Done
                }
                Err(error) => fail(&error.to_string()),
            }
        }
    }
    .into()
}

fn manual(text: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(text)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        clap_mangen::Man::new(sub.clone()).render_synopsis_section(text)?;
        clap_mangen::Man::new(sub.clone()).render_options_section(text)?;
    }
    Ok(())
}

/// Results. Whoever reads them may have closed the pipe, which is not a failure.
pub(crate) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// A message for the person at the terminal.
pub(crate) fn say(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says what went wrong.
pub(crate) fn fail(text: &str) -> Exit {
    say(&format!("onscene: {text}"));
    Exit::Failed
}

/// A value as people read it. Control characters could move the cursor of a terminal.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_manual_names_every_command() {
        let mut text = Vec::new();
        manual(&mut text).unwrap();
        // A hyphen is written so that nobody takes it for a minus.
        let text = String::from_utf8(text).unwrap().replace("\\-", "-");
        for sub in Cli::command().get_subcommands() {
            assert!(text.contains(sub.get_name()), "{}", sub.get_name());
        }
    }
}
