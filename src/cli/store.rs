//! `onscene verify`, `replay` and `token`: on the store itself, on the daemon's own machine.

use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{ConfigFlag, Exit, fail, out, say};
use crate::clock::Clock;
use crate::commit::{self, Command, Delivered, Reply, Wakes};
use crate::config::{Config, SecretsMode};
use crate::house::{self, Current, House};
use crate::http::intake::understand;
use crate::metrics::Metrics;
use crate::sources::{Delivery, Unreadable};
use crate::store::tokens::{self, Holder};
use crate::store::{Connection, Place, StoreError, incidents, unreadable};

/// Rows read at a time.
const PAGE: u32 = 500;
/// Work that is done sooner shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

fn place(config: &Config) -> Result<Place, StoreError> {
    house::place(config).map_err(StoreError::Schema)
}

/// Prove timelines whole and command without a gap
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Only these incidents [default: all]
    #[arg(value_name = "N")]
    numbers: Vec<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        let (config, clock) = match open(&self.config) {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
        match self.prove(&config, &clock) {
            Ok(broken) if broken.is_empty() => Exit::Done,
            Ok(_) => Exit::Failed,
            Err(error) => fail(&error.to_string()),
        }
    }

    fn prove(&self, config: &Config, clock: &Clock) -> Result<Vec<(i64, String)>, StoreError> {
        let mut connection = Connection::reader(&place(config)?, clock)?;
        let progress = Progress::new(clock, "incidents proved");
        let (mut broken, mut proved, mut entries, mut after) = (Vec::new(), 0_u64, 0_u64, 0);
        loop {
            let page = match &self.numbers[..] {
                [] => connection.read(clock.now(), |tx| incidents::numbers(tx, after, PAGE))?,
                numbers => numbers.to_vec(),
            };
            for id in &page {
                match connection.read(clock.now(), |tx| incidents::verify(tx, *id))? {
                    None => broken.push((*id, "there is no such incident".to_owned())),
                    Some(Ok(count)) => entries += u64::from(count),
                    Some(Err(why)) => broken.push((*id, why.to_string())),
                }
                proved += 1;
                progress.show(proved);
            }
            match page.last() {
                Some(last) if self.numbers.is_empty() => after = *last,
                _ => break,
            }
        }
        progress.end();
        if self.json {
            let faults: Vec<_> = broken.iter().map(|(id, why)| json!({"incident": id, "why": why})).collect();
            out(&format!("{}\n", json!({"incidents": proved, "entries": entries, "broken": faults})));
        } else {
            for (id, why) in &broken {
                out(&format!("INC-{id}: {why}\n"));
            }
            let verdict = if broken.is_empty() { "whole" } else { "NOT whole" };
            let incidents = if proved == 1 { "incident" } else { "incidents" };
            let noun = if entries == 1 { "entry" } else { "entries" };
            out(&format!("{proved} {incidents}, {entries} {noun}: {verdict}\n"));
        }
        Ok(broken)
    }
}

/// Give kept unreadable bodies to the adapters again
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Only these [default: all that wait]
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// Only list what waits
    #[arg(long)]
    list: bool,
    /// Print JSON, one line for each body
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Replay {
    pub(super) fn run(self) -> Exit {
        let (config, clock) = match open(&self.config) {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
        let house = match House::without_ways(&config) {
            Ok(house) => house,
            Err(error) => {
                say(&format!("onscene: {error}"));
                return Exit::Config;
            }
        };
        match self.replay(&config, house, &clock) {
            Ok(0) => Exit::Done,
            Ok(_) => Exit::Failed,
            Err(error) => fail(&error),
        }
    }

    /// Answers how many could not be read this time either.
    fn replay(&self, config: &Config, house: House, clock: &Clock) -> Result<u64, String> {
        let words = |error: StoreError| error.to_string();
        let place = place(config).map_err(words)?;
        let mut reader = Connection::reader(&place, clock).map_err(words)?;
        let writer = Connection::writer(&place, clock).map_err(words)?;
        let metrics = Metrics::new(0.0).map_err(|error| error.to_string())?;
        let current = std::sync::Arc::new(Current::new(house));
        // The same door as the daemon's, in this process: whom it would wake reads the store by itself.
        let (_door, mut committer) = commit::door(
            commit::Room { queue_max: 1, spool: None },
            writer,
            place,
            clock.clone(),
            current.clone(),
            metrics.into(),
            Wakes::default(),
        );
        let house = current.get();
        let (mut after, mut still, mut read) = (0, 0, 0_u64);
        let progress = Progress::new(clock, "bodies read");
        loop {
            let page = reader.read(clock.now(), |tx| unreadable::waiting(tx, after, PAGE)).map_err(words)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for kept in page.iter().filter(|kept| self.ids.is_empty() || self.ids.contains(&kept.id)) {
                let line = |name: &str, said: &str| {
                    let at = kept.received_at;
                    json!({"id": kept.id, "source": kept.source, "received_at": at, name: said}).to_string()
                        + "\n"
                };
                if self.list {
                    let plain = format!("{} {} {} {}\n", kept.id, kept.received_at, kept.source, kept.error);
                    out(&if self.json { line("error", &kept.error) } else { plain });
                    continue;
                }
                match again(&house, kept) {
                    Ok(command) => {
                        let results = ask(&mut committer, command)?;
                        read += 1;
                        let plain = format!("{} {}: {results}\n", kept.id, kept.source);
                        out(&if self.json { line("result", &results) } else { plain });
                    }
                    Err(why) => {
                        still += 1;
                        let plain = format!("{} {}: still unreadable: {why}\n", kept.id, kept.source);
                        out(&if self.json { line("error", &why) } else { plain });
                    }
                }
                progress.show(read + still);
            }
        }
        progress.end();
        if !self.list {
            say(&format!("{read} read, {still} still unreadable"));
        }
        Ok(still)
    }
}

fn again(house: &House, kept: &unreadable::Kept) -> Result<Command, String> {
    let source = house.sources.get(&kept.source).ok_or("its source is not configured any more")?;
    let delivery = Delivery {
        method: &kept.method,
        query: &kept.query,
        content_type: kept.content_type.as_deref(),
        body: &kept.body,
        received_at: kept.received_at,
        options: &source.options,
    };
    let events = understand(source, &delivery).map_err(|Unreadable(why)| why)?;
    Ok(Command::Events(Delivered {
        source: source.name.clone(),
        kind: source.kind.name.into(),
        service: source.service.clone(),
        events,
        received_at: kept.received_at,
        replays: Some(kept.id),
        held: false,
    }))
}

/// Both sides of the door in one thread.
fn ask(committer: &mut commit::Committer, command: Command) -> Result<String, String> {
    match committer.at_once(command) {
        Ok(Reply::Events(command, results)) => {
            let shown: Vec<String> = command
                .events()
                .iter()
                .zip(results)
                .map(|(event, one)| match one.incident {
                    Some(incident) => format!("{} {} INC-{incident}", event.key, one.outcome),
                    None => format!("{} {}", event.key, one.outcome),
                })
                .collect();
            Ok(if shown.is_empty() { "nothing to say".into() } else { shown.join(", ") })
        }
        Ok(_) => Ok("done".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Make, list and revoke tokens of the API
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    config: ConfigFlag,
    #[command(subcommand)]
    what: TokenWhat,
}

#[derive(Debug, Subcommand)]
enum TokenWhat {
    /// Make a token; it is printed once, on standard output
    Create {
        /// For this person of the configuration
        #[arg(
            long,
            value_name = "NAME",
            required_unless_present = "automation",
            conflicts_with = "automation"
        )]
        person: Option<String>,
        /// For a program, which can never hold an office
        #[arg(long, value_name = "NAME")]
        automation: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List tokens, without the tokens themselves
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token at once
    Revoke {
        /// Its id, as `list` shows it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Token {
    pub(super) fn run(self) -> Exit {
        let (config, clock) = match open(&self.config) {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
        let opened = place(&config).and_then(|place| Connection::writer(&place, &clock));
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(error) => return fail(&error.to_string()),
        };
        let done = match &self.what {
            TokenWhat::Create { person, automation, json } => {
                let holder = match holder(&config, person.as_deref(), automation.as_deref()) {
                    Ok(holder) => holder,
                    Err(exit) => return exit,
                };
                return create(&mut connection, &clock, &holder, *json);
            }
            TokenWhat::List { json } => list(&mut connection, &clock, *json),
            TokenWhat::Revoke { id, json } => {
                match connection.write(clock.now(), |tx| tokens::revoke_api(tx, id)) {
                    Ok(true) => {
                        if *json {
                            out(&format!("{}\n", json!({"id": id, "revoked": true})));
                        }
                        Ok(())
                    }
                    Ok(false) => return fail(&format!("no token that works has the id {id}")),
                    Err(error) => Err(error),
                }
            }
        };
        match done {
            Ok(()) => Exit::Done,
            Err(error) => fail(&error.to_string()),
        }
    }
}

/// Who a new token is for.
fn holder(config: &Config, person: Option<&str>, automation: Option<&str>) -> Result<Holder, Exit> {
    match (person, automation) {
        (Some(name), _) if !config.rules.people.contains_key(name) => {
            let known: Vec<&str> = config.rules.people.keys().map(String::as_str).collect();
            Err(fail(&format!("{name} is no person of the configuration; there are {}", known.join(", "))))
        }
        (Some(name), _) => Ok(Holder::Person(name.to_owned())),
        (None, Some(name)) => Ok(Holder::Automation(name.to_owned())),
        (None, None) => Err(Exit::Usage),
    }
}

fn create(connection: &mut Connection, clock: &Clock, holder: &Holder, as_json: bool) -> Exit {
    let token = match crate::crypto::random_token() {
        Ok(token) => token,
        Err(error) => return fail(&error.to_string()),
    };
    match connection.write(clock.now(), |tx| tokens::put_api(tx, &token, holder)) {
        Ok(id) if as_json => {
            out(&format!("{}\n", json!({"id": id, "token": token})));
            Exit::Done
        }
        Ok(id) => {
            say(&format!("token {id}; it is shown only this once"));
            out(&format!("{token}\n"));
            Exit::Done
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn list(connection: &mut Connection, clock: &Clock, as_json: bool) -> Result<(), StoreError> {
    let found = connection.read(clock.now(), tokens::list_api)?;
    if as_json {
        let shown: Vec<_> = found
            .iter()
            .map(|one| {
                let (person, automation) = match &one.holder {
                    Holder::Person(name) => (Some(name), None),
                    Holder::Automation(name) => (None, Some(name)),
                };
                json!({"id": one.id, "person": person, "automation": automation,
                    "created_at": one.created_at, "revoked_at": one.revoked_at})
            })
            .collect();
        out(&format!("{}\n", json!({"tokens": shown})));
        return Ok(());
    }
    for one in found {
        let holder = match &one.holder {
            Holder::Person(name) => format!("person {name}"),
            Holder::Automation(name) => format!("automation {name}"),
        };
        let state = one.revoked_at.map_or_else(|| "works".to_owned(), |at| format!("revoked {at:.0}"));
        out(&format!("{}  {holder:<24}  made {:.0}  {state}\n", one.id, one.created_at));
    }
    Ok(())
}

/// The configuration, for a command that works on the store. Other secrets than the store's are not needed for that,
/// and may be readable for the daemon only.
fn open(flag: &ConfigFlag) -> Result<(Config, Clock), Exit> {
    let config = super::serve::load(&flag.path(), SecretsMode::Store)?;
    Ok((config, Clock::system()))
}

/// A line that moves, when standard error is a terminal and the work takes long.
pub(super) struct Progress<'a> {
    clock: &'a Clock,
    began: std::time::Instant,
    bar: ProgressBar,
}

impl<'a> Progress<'a> {
    pub(super) fn new(clock: &'a Clock, what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template = format!("{{spinner}} {{pos}} {what}, {{per_sec}}, {{elapsed}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { clock, began: clock.mark(), bar }
    }

    pub(super) fn show(&self, done: u64) {
        // indicatif shows nothing where standard error is no terminal.
        if self.bar.is_hidden() && self.clock.mark().duration_since(self.began) > PROGRESS_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
