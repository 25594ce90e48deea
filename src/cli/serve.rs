//! `onscene serve`: run the daemon.

use std::io::IsTerminal as _;
use std::path::Path;

use clap::Args;
use secrecy::ExposeSecret as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{ConfigFlag, Exit, LogFormat, fail, say};
use crate::app::{self, Parts};
use crate::clock::Clock;
use crate::config::{self, Config, SecretsMode, gaps, secrets};
use crate::house::{self, House};
use crate::http::listen::{self, Address};
use crate::http::tls::Tls;
use crate::public::Newest;

/// Run the daemon
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigFlag,
    /// How logs are written on standard error [default: logfmt, or the journal's own fields under systemd]
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Which log lines are written, such as `info` or `warn,onscene=debug`
    #[arg(long, default_value = "info", value_parser = log_filter)]
    log: String,
}

impl Serve {
    pub(super) fn run(self) -> Exit {
        // Before any thread is started: it takes the sockets out of the environment.
        let sockets = match listen::handed_over() {
            Ok(sockets) => sockets,
            Err(error) => return fail(&error.to_string()),
        };
        let path = self.config.path();
        let config = match load(&path, SecretsMode::Read) {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let clock = Clock::system();
        let newest = Newest::default();
        let house = match prove(&config, clock.now(), &newest) {
            Ok(house) => house,
            Err(error) => {
                say(&error);
                return Exit::Config;
            }
        };
        if let Err(why) = self.log_to() {
            return fail(&why);
        }
        // What does not start wakes nobody at all: a gap may be weeks off, or of one service of many.
        for gap in gaps::errors(&config, clock.now()) {
            tracing::error!("{gap}");
        }
        // What a panic says may quote a body; where it happened does not.
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(panic.at = at, "a fault of onscene: a panic");
        }));
        let (again, files) = (path.clone(), newest.clone());
        let parts = Parts {
            ready: greeting(&config),
            config,
            house,
            sockets,
            newest,
            reload: Box::new(move || {
                let config = config::load(&again, &house::kinds(), SecretsMode::Read)
                    .map_err(|error| error.to_string())?;
                House::build(&config, &files).map(|house| (config, house))
            }),
        };
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&format!("cannot start: {error}")),
        };
        match runtime.block_on(app::run(parts, clock)) {
            Ok(()) => Exit::Done,
            Err(error) => {
                tracing::error!(%error, "the daemon ends");
                Exit::Failed
            }
        }
    }

    fn log_to(&self) -> Result<(), String> {
        let filter = EnvFilter::try_new(&self.log).map_err(|error| format!("--log {}: {error}", self.log))?;
        let registry = tracing_subscriber::registry().with(filter);
        // systemd sets this when standard error goes to its journal, which keeps fields as fields.
        let journal = secrets::variable("JOURNAL_STREAM").is_some() && self.log_format.is_none();
        if journal && let Ok(layer) = tracing_journald::layer() {
            registry.with(layer).init();
            return Ok(());
        }
        let colour = std::io::stderr().is_terminal() && secrets::variable("NO_COLOR").is_none();
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
        match self.log_format {
            Some(LogFormat::Json) => registry.with(layer.json().flatten_event(true)).init(),
            Some(LogFormat::Logfmt) | None => registry.with(layer.event_format(super::logfmt::Logfmt)).init(),
        }
        Ok(())
    }
}

/// Reads what `--log` says. The library takes any word for the name of a module, so that a level with a slip
/// in it would silence everything: here a word alone is a level, or a part of onscene.
fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let bare = |word: &&str| !word.contains(['=', '[']) && !level(word) && !word.starts_with("onscene");
    match text.split(',').map(str::trim).find(bare) {
        None => Ok(text.to_owned()),
        Some(word) => Err(format!("`{word}` is no level; the levels are {}", LEVELS.join(", "))),
    }
}

/// Reads the configuration; what is wrong with it is told.
pub(super) fn load(path: &Path, secrets: SecretsMode) -> Result<Config, Exit> {
    config::load(path, &house::kinds(), secrets).map_err(|errors| {
        say(&errors.to_string());
        Exit::Config
    })
}

/// Builds what the configuration says and looks at every file it names, so that nothing of it fails later.
///
/// # Errors
/// A sentence for the operator, with the place in the file.
pub(super) fn prove(config: &Config, now: jiff::Timestamp, newest: &Newest) -> Result<House, String> {
    if let Some(tls) = &config.server.tls {
        Tls::load(&tls.certificate, &tls.key, now).map_err(|error| format!("{}: {error}", tls.place))?;
    }
    House::build(config, newest)
}

/// The first lines on the terminal: how to raise an alert and where to look, for who tries it out. Only
/// the tokens of the quick start are ever printed: everybody knows them.
fn greeting(config: &Config) -> Box<dyn FnOnce(&Address) + Send> {
    let url = config.server.external_url.clone();
    let config_file = config.path.display().to_string();
    let relay = config.mail.as_ref().and_then(|mail| mail.relays.first().cloned()).unwrap_or_default();
    let tried = config.sources.values().find_map(|source| {
        let token = source.tokens.first()?.expose_secret().to_owned();
        (source.kind == "pingdom" && token.starts_with("quickstart-")).then(|| (source.name.clone(), token))
    });
    let public = config
        .public
        .as_ref()
        .filter(|_| config.server.public_listen.is_some())
        .and_then(|page| page.url.clone());
    let warnings = config.warnings.clone();
    Box::new(move |address| {
        if let Some((source, token)) = tried {
            greet(address, &source, &token, &relay, &url, &config_file);
            if let Some(public) = public {
                say(&format!("The page that anybody may read: {public}/"));
            }
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    })
}

fn greet(address: &Address, source: &str, token: &str, relay: &str, url: &str, config_file: &str) {
    let at = match address {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(_) => return,
    };
    let mail = relay.strip_prefix("file:").map(|directory| {
        format!("\nThe page is a mail file in {directory}; open the link in it and take command.\n")
    });
    let body = r#"{"check_id":1,"check_name":"Online shop","check_type":"HTTP","previous_state":"UP","current_state":"DOWN","importance_level":"HIGH","long_description":"HTTP Server Error 503"}"#;
    say(&format!(
        "\nRaise an alert, as Pingdom does:\n\n  curl -sS {at}/in/{source}/{token} -H 'Content-Type: application/json' \\\n    -d '{body}'\n{}\n\
             Pages for people: {url}/ (log in with: onscene token create --config {config_file} --person NAME)\n",
        mail.unwrap_or_default()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said when the quick start names one more file.
    fn said(header: &str, more: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let text = include_str!("../../config/quickstart.toml");
        let text = text.replacen(header, more, 1);
        let path = directory.path().join("onscene.toml");
        std::fs::write(&path, text).unwrap();
        let config = load(&path, SecretsMode::Read).unwrap();
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let said = prove(&config, now, &Newest::default()).err().unwrap_or_default();
        said.replace(&directory.path().display().to_string(), "DIR")
    }

    #[test]
    fn a_slip_in_a_level_is_said_and_does_not_silence_everything() {
        for good in ["info", "WARN", "warn,onscene=debug", "off,onscene::commit=trace", "onscene"] {
            assert_eq!(log_filter(good).as_deref(), Ok(good));
        }
        assert!(log_filter("inof").unwrap_err().starts_with("`inof` is no level; the levels are off, error"));
        assert!(log_filter("warn,debgu").unwrap_err().contains("`debgu`"));
        assert!(log_filter("").is_err() && log_filter("onscene=loud").is_err());
    }

    #[test]
    fn files_that_are_missing_are_found_before_a_port_is_bound() {
        assert_eq!(said("[mail]", "[mail]"), "");
        assert!(
            said("[mail]", "[mail]\nca_file = \"no.pem\"")
                .starts_with("DIR/onscene.toml:15: mail: the certificates in DIR/no.pem")
        );
        let tls = said("[server]", "[server]\ntls_certificate = \"no.pem\"\ntls_key = \"no.key\"");
        assert!(tls.starts_with("DIR/onscene.toml:9: cannot read DIR/no."), "{tls}");
        let templates = said("[mail]", "[templates]\ndir = \"none\"\n[mail]");
        assert!(
            templates.starts_with("DIR/onscene.toml:16: the templates in DIR/none cannot be read"),
            "{templates}"
        );
    }
}
