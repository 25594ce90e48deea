//! `onscene replay`.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Failure};
use super::place::{PlaceFlags, Where, failed, store};
use super::progress::Progress;
use super::{Exit, fail, out, say};
use crate::clock::Clock;
use crate::commit::{self, Command, Reply, Wakes};
use crate::config::Config;
use crate::house::{Current, House};
use crate::http::api::view;
use crate::http::intake::again;
use crate::metrics::Metrics;
use crate::store::{Connection, StoreError, unreadable};

/// Rows read at a time.
const PAGE: u32 = 500;

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
    place: PlaceFlags,
}

/// What gives bodies to their adapters.
enum Reader {
    Here(Box<Here>),
    Daemon(Client),
}

/// The same door as the daemon's, in this process: whom it would wake reads the store by itself.
struct Here {
    reader: Connection,
    committer: commit::Committer,
    house: std::sync::Arc<House>,
    clock: Clock,
}

impl Replay {
    pub(super) fn run(self) -> Exit {
        let Self { ids, list, json, place } = self;
        let reader = place.open().and_then(|place| match place {
            Where::Daemon(client) => Ok(Reader::Daemon(client)),
            Where::Store(config, clock) => {
                Here::open(&config, clock).map(|here| Reader::Here(Box::new(here)))
            }
        });
        let done = reader.and_then(|mut reader| match list {
            true => reader.list(&ids, json),
            false => reader.replay(&ids, json),
        });
        done.unwrap_or_else(|exit| exit)
    }
}

impl Reader {
    fn list(&mut self, ids: &[i64], json: bool) -> Result<Exit, Exit> {
        self.each(ids, |_, one| {
            let plain = format!(
                "{} {} {} {}\n",
                one["id"],
                text(&one["received_at"]),
                text(&one["source"]),
                text(&one["error"])
            );
            out(&if json { format!("{one}\n") } else { plain });
            Ok(())
        })?;
        Ok(Exit::Done)
    }

    fn replay(&mut self, ids: &[i64], json: bool) -> Result<Exit, Exit> {
        let clock = Clock::system();
        let progress = Progress::new(&clock, "bodies read");
        let (mut read, mut still, mut in_part) = (0_u64, 0_u64, 0_u64);
        let done = self.each(ids, |reader, one| {
            let (id, source) = (one["id"].as_i64().unwrap_or_default(), text(&one["source"]));
            let mut shown = one.clone();
            let Read { results, still: why } = reader.again(id)?;
            let plain = match (&results, &why) {
                (results, None) => format!("{id} {source}: {}\n", results.as_deref().unwrap_or(NOTHING)),
                (None, Some(why)) => format!("{id} {source}: still unreadable: {why}\n"),
                (Some(taken), Some(why)) => format!("{id} {source}: {taken}; still unreadable: {why}\n"),
            };
            in_part += u64::from(results.is_some() && why.is_some());
            let count = if why.is_none() { &mut read } else { &mut still };
            *count += 1;
            shown["error"] = json!(why);
            if results.is_some() || why.is_none() {
                shown["result"] = json!(results.as_deref().unwrap_or(NOTHING));
            }
            out(&if json { format!("{shown}\n") } else { plain });
            progress.show(read + still);
            Ok(())
        });
        progress.end();
        let of_them = if in_part > 0 { format!(", {in_part} of them in part") } else { String::new() };
        say(&format!("{read} read, {still} still unreadable{of_them}"));
        done?;
        Ok(if still == 0 { Exit::Done } else { Exit::Failed })
    }

    /// Goes over what waits, oldest first, of which only `ids` when there are any.
    fn each(
        &mut self,
        ids: &[i64],
        mut with: impl FnMut(&mut Self, &Value) -> Result<(), Exit>,
    ) -> Result<(), Exit> {
        let (mut after, mut seen) = (Some(0), Vec::new());
        while let Some(from) = after {
            let (page, next) = self.page(from)?;
            for one in &page {
                let id = one["id"].as_i64().unwrap_or_default();
                if ids.is_empty() || ids.contains(&id) {
                    seen.push(id);
                    with(self, one)?;
                }
            }
            after = next;
        }
        match ids.iter().find(|id| !seen.contains(id)) {
            Some(missing) => Err(fail(&format!("no body that waits to be read has the number {missing}"))),
            None => Ok(()),
        }
    }

    /// What waits after a number, and the number after which the rest begins.
    fn page(&mut self, after: i64) -> Result<(Vec<Value>, Option<i64>), Exit> {
        match self {
            Self::Here(here) => {
                let read = here.reader.read(here.clock.now(), |tx| unreadable::waiting(tx, after, PAGE));
                let found = read.map_err(|error| failed(&error))?;
                Ok((found.iter().map(view::kept).collect(), found.last().map(|last| last.id)))
            }
            Self::Daemon(client) => {
                let mut answer = client.get(&format!("/api/v1/unreadable?after={after}"))?;
                let next = answer["next"].as_str().and_then(|next| next.parse().ok());
                let Value::Array(found) = answer["unreadable"].take() else { return Ok((Vec::new(), None)) };
                Ok((found, next))
            }
        }
    }

    fn again(&mut self, id: i64) -> Result<Read, Exit> {
        match self {
            Self::Here(here) => here.again(id),
            Self::Daemon(client) => match client.try_post(&format!("/api/v1/unreadable/{id}/replay"), "{}") {
                Ok(answer) => Ok(Read { results: told(&answer), still: None }),
                Err(Failure::Refused {
                    status: http::StatusCode::UNPROCESSABLE_ENTITY,
                    detail,
                    answer,
                    ..
                }) => Ok(Read { results: told(&answer), still: Some(detail) }),
                Err(Failure::Refused { status: http::StatusCode::NOT_FOUND, .. }) => Ok(Read::meanwhile()),
                Err(failure) => Err(failure.say()),
            },
        }
    }
}

impl Here {
    fn open(config: &Config, clock: Clock) -> Result<Self, Exit> {
        let house = House::without_ways(config).map_err(|error| {
            say(&format!("onscene: {error}"));
            Exit::Config
        })?;
        let opened = || -> Result<_, StoreError> {
            let place = store(config)?;
            let reader = Connection::reader(&place, &clock)?;
            Ok((reader, Connection::writer(&place, &clock)?, place))
        };
        let (reader, writer, place) = opened().map_err(|error| failed(&error))?;
        let metrics = Metrics::new(0.0).map_err(|error| fail(&error.to_string()))?;
        let current = std::sync::Arc::new(Current::new(house));
        let house = current.get();
        let room = commit::Room { queue_max: 1, spool: None };
        let (_door, committer) =
            commit::door(room, writer, place, clock.clone(), current, metrics.into(), Wakes::default());
        Ok(Self { reader, committer, house, clock })
    }

    fn again(&mut self, id: i64) -> Result<Read, Exit> {
        let kept = self.reader.read(self.clock.now(), |tx| unreadable::one(tx, id));
        let Some(kept) = kept.map_err(|error| failed(&error))? else { return Ok(Read::meanwhile()) };
        let command: Command = match again(&self.house, &kept) {
            Ok(command) => command,
            Err(why) => return Ok(Read { results: None, still: Some(why) }),
        };
        let still = match &command {
            Command::Unreadable(unread) => Some(unread.kept.error.clone()),
            _ => None,
        };
        let results = match self.committer.at_once(command) {
            Ok(Reply::Events(command, done)) => {
                results(command.events().iter().zip(done).map(|(event, one)| view::result(event, one)))
            }
            Ok(Reply::Mail(result)) => results(std::iter::once(view::mail_result(&result))),
            Ok(_) => return Ok(Read::meanwhile()),
            Err(error) => return Err(fail(&error.to_string())),
        };
        Ok(Read { results, still })
    }
}

/// What became of a body.
struct Read {
    /// Of its events; `None` when there are none.
    results: Option<String>,
    /// Why not all of it could be read this time either.
    still: Option<String>,
}

impl Read {
    fn meanwhile() -> Self {
        Self { results: Some("it was read meanwhile".into()), still: None }
    }
}

/// A body that was read and says nothing.
const NOTHING: &str = "nothing to say";

/// What a daemon answers of events.
fn told(answer: &Value) -> Option<String> {
    results(answer["results"].as_array().into_iter().flatten())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What became of events, in one line; `None` when there are none.
fn results(events: impl Iterator<Item = impl std::borrow::Borrow<Value>>) -> Option<String> {
    let shown: Vec<String> = events
        .map(|one| {
            let one = one.borrow();
            let (key, outcome) = (text(&one["key"]), text(&one["outcome"]));
            match one["incident"].as_i64() {
                Some(incident) => format!("{key} {outcome} INC-{incident}"),
                None => format!("{key} {outcome}"),
            }
        })
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
