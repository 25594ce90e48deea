//! `onscene check`: is the configuration good, who is woken when, and what do its sources understand.

use clap::Args;
use jiff::SignedDuration;

use super::{ConfigFlag, Exit, explain, feeds, kinds, out, say};
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
    /// Print every kind of source and how it is set up, and nothing else; no configuration is needed
    #[arg(long, conflicts_with_all = ["source", "quiet", "no_secrets"])]
    kinds: bool,
    /// Show what this source makes of the body on standard input; nothing is raised
    #[arg(long, value_name = "NAME", conflicts_with = "quiet")]
    source: Option<String>,
    /// A header of that body, as NAME: VALUE; may be given more than once
    #[arg(long = "header", short = 'H', value_name = "HEADER", requires = "source", value_parser = kinds::header)]
    headers: Vec<(String, String)>,
    /// Show which route fits the event on standard input (JSON: source, title, severity, key, labels), and what follows. With
    /// --source, of each event in a body as that source sends it
    #[arg(long, conflicts_with_all = ["quiet", "kinds"])]
    explain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Exit {
        if self.kinds {
            out(&if self.json { format!("{}\n", kinds::kinds_as_json()) } else { kinds::kinds() });
            return Exit::Done;
        }
        if self.explain || self.source.is_some() {
            let config = match super::serve::load(&self.config.path(), SecretsMode::Skip) {
                Ok(config) => config,
                Err(exit) => return exit,
            };
            return match &self.source {
                Some(source) if self.explain => explain::body(&config, source, &self.headers, self.json),
                Some(source) => kinds::try_out(&config, source, &self.headers, self.json),
                None => explain::event(&config, self.json),
            };
        }
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
        let clock = Clock::system();
        let calendars = feeds::known(&config, &clock);
        let (told, ages) = feeds::shown(&config, &calendars, &clock);
        for warning in &told {
            say(&format!("warning: {warning}"));
        }
        let from = clock.now();
        let until = from.saturating_add(PREVIEW).unwrap_or(from);
        if self.json {
            let warnings: Vec<&String> = config.warnings.iter().chain(&told).collect();
            let woken = preview::as_json(&config.rules, from, until);
            let windows = preview::maintenance_as_json(&config.rules.maintenance, from, until);
            let all = serde_json::json!({"warnings": warnings, "services": woken, "maintenance": windows,
                "calendars": feeds::as_json(&calendars)});
            out(&format!("{all}\n"));
        } else if !self.quiet {
            out(&preview::render(&config.rules, from, until));
            out(&preview::maintenance(&config.rules.maintenance, from, until));
            out(&ages);
        }
        say(&format!("{}: good", path.display()));
        Exit::Done
    }
}
