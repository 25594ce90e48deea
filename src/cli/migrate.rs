//! `onscene migrate`: a store into another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;
use serde_json::json;

use super::progress::Progress;
use super::{Exit, fail, out, say};
use crate::clock::Clock;
use crate::store::postgres::Server;
use crate::store::{Connection, Place, StoreError, copy, incidents};

/// Incidents proved at a time.
const PAGE: u32 = 500;

/// Copy a store into another, empty one, and prove the copy whole; stop the daemon first
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The store to read, as in `store.url`: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    from: String,
    /// The store to fill
    #[arg(long, value_name = "URL")]
    to: String,
    /// A file with the password of the PostgreSQL server
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) fn run(self) -> Exit {
        let clock = Clock::system();
        match self.copy(&clock) {
            Ok((rows, proved)) => {
                let noun = if proved == 1 { "incident" } else { "incidents" };
                if self.json {
                    out(&format!("{}\n", json!({"rows": rows, "incidents": proved})));
                } else {
                    out(&format!("{rows} rows copied; {proved} {noun} proved whole\n"));
                }
                say(
                    "Write the new address into `store.url`, and start the daemon. The old store was not changed.",
                );
                Exit::Done
            }
            Err(why) => fail(&why),
        }
    }

    fn copy(&self, clock: &Clock) -> Result<(u64, u64), String> {
        let words = |error: StoreError| error.to_string();
        let (from, to) = (self.place(&self.from, "--from")?, self.place(&self.to, "--to")?);
        if from.to_string() == to.to_string() {
            return Err("--from and --to are the same store".into());
        }
        if let Place::Sqlite(path) = &from
            && !path.exists()
        {
            return Err(format!("--from {}: there is no such file", path.display()));
        }
        let mut source = Connection::writer(&from, clock).map_err(words)?;
        let mut target = Connection::writer(&to, clock).map_err(words)?;
        let progress = Progress::new(clock, "rows copied");
        // As a writer: what a daemon that still runs would write meanwhile would be missing from the copy.
        let rows = source.write(clock.now(), |from| {
            target.write(clock.now(), |to| copy::everything(from, to, |rows| progress.show(rows)))
        });
        progress.end();
        let rows = rows.map_err(words)?;
        let proved = prove(&mut target, clock)?;
        Ok((rows, proved))
    }

    fn place(&self, url: &str, flag: &str) -> Result<Place, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Place::Sqlite(path.into()));
        }
        if !url.starts_with("postgres") {
            return Err(format!("{flag} is sqlite:PATH or postgres://USER@HOST/DATABASE"));
        }
        let password = self.password_file.as_deref().map(secret).transpose()?;
        let server = Server::read(url, password.as_ref(), self.ca_file.as_deref());
        server.map(|server| Place::Postgres(Arc::new(server))).map_err(|why| format!("{flag}: {why}"))
    }
}

fn secret(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the password in {} cannot be read: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}

fn prove(target: &mut Connection, clock: &Clock) -> Result<u64, String> {
    let words = |error: StoreError| error.to_string();
    let progress = Progress::new(clock, "incidents proved");
    let (mut proved, mut after) = (0, 0);
    loop {
        let page = target.read(clock.now(), |tx| incidents::numbers(tx, after, PAGE)).map_err(words)?;
        for id in &page {
            match target.read(clock.now(), |tx| incidents::verify(tx, *id)).map_err(words)? {
                Some(Ok(_)) => proved += 1,
                Some(Err(why)) => return Err(format!("INC-{id} of the copy is not whole: {why}")),
                None => return Err(format!("INC-{id} is missing from the copy")),
            }
            progress.show(proved);
        }
        match page.last() {
            Some(last) => after = *last,
            None => break,
        }
    }
    progress.end();
    Ok(proved)
}
