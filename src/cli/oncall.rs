//! `onscene oncall`: who is on call, over the API of a running daemon.

use clap::{Args, Subcommand};

use super::calendar::Calendar;
use super::client::ServerFlags;
use super::{Exit, out};

/// Who is on call
#[derive(Debug, Args)]
pub(super) struct Oncall {
    #[command(flatten)]
    server: ServerFlags,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Follow who is on call in a calendar program, by a private address
    Calendar(Calendar),
}

impl Oncall {
    pub(super) fn run(self) -> Exit {
        let client = match self.server.client() {
            Ok(client) => client,
            Err(exit) => return exit,
        };
        let What::Calendar(calendar) = self.what;
        match calendar.ask(&client) {
            Ok(answer) if self.json => out(&format!("{answer}\n")),
            Ok(answer) => out(&calendar.shown(&answer)),
            Err(exit) => return exit,
        }
        Exit::Done
    }
}
