//! `onscene check`: is the configuration good, who is woken when, and what do its sources understand.

use clap::Args;
use jiff::SignedDuration;

use super::{ConfigFlag, Exit, explain, feeds, kinds, out, say};
use crate::clock::Clock;
use crate::config::{SecretsMode, gaps, preview};
use crate::core::escalation::Staff;
use crate::public::Newest;

/// How far the preview looks: as far as gaps are looked for.
const PREVIEW: SignedDuration = gaps::AHEAD;

/// What this is not: what people say while the daemon runs is in the store.
const AS_WRITTEN: &str = "overrides and leave are not in the configuration: onscene oncall preview --service NAME asks the daemon\n";

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
            && let Err(error) = super::serve::prove(&config, Clock::system().now(), &Newest::default())
        {
            say(&error);
            return Exit::Config;
        }
        let clock = Clock::system();
        let from = clock.now();
        let until = from.saturating_add(PREVIEW).unwrap_or(from);
        let calendars = feeds::known(&config, &clock);
        let (told, ages) = feeds::shown(&config, &calendars, &clock);
        let roster = feeds::roster(&calendars);
        let missing = gaps::warnings(&config, &roster, from);
        let warnings: Vec<String> = config.warnings.iter().cloned().chain(told).chain(missing).collect();
        for warning in &warnings {
            say(&format!("warning: {warning}"));
        }
        let errors = gaps::errors(&config, from);
        if !errors.is_empty() {
            say(&errors.join("\n"));
            return Exit::Config;
        }
        let staff = Staff { rules: &config.rules, roster: &roster };
        if self.json {
            let all = serde_json::json!({
                "warnings": warnings,
                "services": preview::as_json(staff, from, until),
                "rotations": preview::rotations_as_json(staff, from, until),
                "maintenance": preview::maintenance_as_json(&config.rules.maintenance, from, until),
                "delivery_drill": preview::drill_as_json(&config.rules, &roster, from),
                "calendars": feeds::as_json(&calendars),
            });
            out(&format!("{all}\n"));
        } else if !self.quiet {
            out(&preview::render(staff, from, until));
            out(AS_WRITTEN);
            out(&preview::maintenance(&config.rules.maintenance, from, until));
            out(&preview::drill(&config.rules, &roster, from));
            out(&ages);
        }
        say(&format!("{}: good", path.display()));
        Exit::Done
    }
}
