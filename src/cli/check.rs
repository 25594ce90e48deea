//! `onscene check`: is the configuration good, and who is woken when.

use clap::Args;
use jiff::SignedDuration;

use super::{ConfigFlag, Exit, out, say};
use crate::clock::Clock;
use crate::config::{SecretsMode, preview};

/// How far the preview looks.
const PREVIEW: SignedDuration = SignedDuration::from_hours(4 * 7 * 24);

/// Validate the configuration; print who is woken when, for the next four weeks
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFlag,
    /// Do not read files and variables that hold secrets
    #[arg(long)]
    no_secrets: bool,
    /// Say only whether it is good
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Exit {
        let mode = if self.no_secrets { SecretsMode::Skip } else { SecretsMode::Read };
        let path = self.config.path();
        let config = match super::serve::load(&path, mode) {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        if !self.no_secrets
            && let Err(error) = super::serve::prove(&config, Clock::system().now())
        {
            say(&error);
            return Exit::Config;
        }
        for warning in &config.warnings {
            say(&format!("warning: {warning}"));
        }
        let from = Clock::system().now();
        let until = from.saturating_add(PREVIEW).unwrap_or(from);
        if self.json {
            let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
            let woken = preview::as_json(&config.rules, from, until);
            out(&format!("{}\n", serde_json::json!({"warnings": warnings, "services": woken})));
        } else if !self.quiet {
            out(&preview::render(&config.rules, from, until));
        }
        say(&format!("{}: good", path.display()));
        Exit::Done
    }
}
