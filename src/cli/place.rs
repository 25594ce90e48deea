//! Where `token`, `login-link`, `session`, `verify` and `replay` work: on a store itself, or at a running daemon.

use std::path::PathBuf;

use clap::Args;

use super::client::{Client, ServerFlags};
use super::{ConfigFlag, Exit, say};
use crate::clock::Clock;
use crate::config::{Config, SecretsMode};
use crate::house;
use crate::store::{self, StoreError};

/// The flags that say where.
#[derive(Debug, Args)]
pub(super) struct PlaceFlags {
    /// Work on the store of this configuration itself, on the daemon's own machine, daemon running or not
    /// [default: ask a running daemon]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the daemon: http://HOST:PORT, https://HOST or unix:PATH [default: of
    /// ~/.config/onscene/client.toml, else http://127.0.0.1:8087]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// File with the token [default: $ONSCENE_TOKEN, else of ~/.config/onscene/client.toml]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Where a command works.
pub(super) enum Where {
    /// On a store, as its configuration says.
    Store(Box<Config>, Clock),
    /// At a daemon.
    Daemon(Client),
}

impl PlaceFlags {
    /// Whether any of them was given.
    pub(super) fn is_given(&self) -> bool {
        self.config.is_some() || self.server.is_some() || self.token_file.is_some()
    }

    pub(super) fn open(self) -> Result<Where, Exit> {
        let Self { config, server, token_file } = self;
        let Some(config) = config else {
            let flags = ServerFlags { server, token_file, config: ConfigFlag { config: None } };
            return flags.client().map(Where::Daemon);
        };
        if server.is_some() || token_file.is_some() {
            say(
                "onscene: --config works on the store itself, --server and --token-file ask a running daemon: \
                 give one or the other",
            );
            return Err(Exit::Usage);
        }
        // Other secrets than the store's are not needed, and may be readable for the daemon only.
        let config = super::serve::load(&config, SecretsMode::Store)?;
        Ok(Where::Store(Box::new(config), Clock::system()))
    }
}

/// The store of a configuration.
pub(super) fn store(config: &Config) -> Result<store::Place, StoreError> {
    house::place(config).map_err(StoreError::Schema)
}

/// Says what the store said.
pub(super) fn failed(error: &StoreError) -> Exit {
    super::fail(&error.to_string())
}
