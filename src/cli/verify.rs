//! `onscene verify`.

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::place::{PlaceFlags, Where, failed, store};
use super::progress::Progress;
use super::{Exit, out};
use crate::clock::Clock;
use crate::http::api::view;
use crate::store::Connection;
use crate::store::incidents::{self, Proof};

/// Incidents proved at a time.
const PAGE: u32 = 500;

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
    place: PlaceFlags,
}

/// What proves.
enum Prover {
    Here(Box<Connection>, Clock),
    Daemon(Client),
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        let prover = self.place.open().and_then(|place| match place {
            Where::Daemon(client) => Ok(Prover::Daemon(client)),
            Where::Store(config, clock) => {
                let opened = store(&config).and_then(|place| Connection::reader(&place, &clock));
                opened.map(|reader| Prover::Here(Box::new(reader), clock)).map_err(|error| failed(&error))
            }
        });
        match prover.and_then(|mut prover| prover.prove(&self.numbers)) {
            Ok(proof) => {
                out(&if self.json { format!("{}\n", view::proof(&proof)) } else { told(&proof) });
                if proof.broken.is_empty() { Exit::Done } else { Exit::Failed }
            }
            Err(exit) => exit,
        }
    }
}

impl Prover {
    fn prove(&mut self, numbers: &[i64]) -> Result<Proof, Exit> {
        let clock = Clock::system();
        let progress = Progress::new(&clock, "incidents proved");
        let mut proof = Proof::default();
        if numbers.is_empty() {
            let mut next = Some(0);
            while let Some(after) = next {
                next = self.page(&mut proof, after)?;
                progress.show(proof.incidents);
            }
        }
        for number in numbers {
            self.one(&mut proof, *number)?;
            progress.show(proof.incidents);
        }
        progress.end();
        Ok(proof)
    }

    fn one(&mut self, proof: &mut Proof, number: i64) -> Result<(), Exit> {
        match self {
            Self::Here(reader, clock) => {
                reader.read(clock.now(), |tx| proof.add(tx, number)).map_err(|error| failed(&error))
            }
            Self::Daemon(client) => {
                add(proof, &client.get(&format!("/api/v1/verify/{number}"))?);
                Ok(())
            }
        }
    }

    /// Proves some more; answers after which incident the rest begins.
    fn page(&mut self, proof: &mut Proof, after: i64) -> Result<Option<i64>, Exit> {
        match self {
            Self::Here(reader, clock) => {
                let numbers = reader.read(clock.now(), |tx| incidents::numbers(tx, after, PAGE));
                let numbers = numbers.map_err(|error| failed(&error))?;
                for number in &numbers {
                    let added = reader.read(clock.now(), |tx| proof.add_if_there(tx, *number));
                    added.map_err(|error| failed(&error))?;
                }
                Ok(numbers.last().copied())
            }
            Self::Daemon(client) => {
                let answer = client.get(&format!("/api/v1/verify?after={after}"))?;
                add(proof, &answer);
                Ok(answer["next"].as_str().and_then(|next| next.parse().ok()))
            }
        }
    }
}

fn add(proof: &mut Proof, answer: &Value) {
    proof.incidents += answer["incidents"].as_u64().unwrap_or_default();
    proof.entries += answer["entries"].as_u64().unwrap_or_default();
    for one in answer["broken"].as_array().into_iter().flatten() {
        let why = one["why"].as_str().unwrap_or_default().to_owned();
        proof.broken.push((one["incident"].as_i64().unwrap_or_default(), why));
    }
}

fn told(proof: &Proof) -> String {
    let mut lines: String = proof.broken.iter().map(|(id, why)| format!("INC-{id}: {why}\n")).collect();
    let verdict = if proof.broken.is_empty() { "whole" } else { "NOT whole" };
    let incidents = if proof.incidents == 1 { "incident" } else { "incidents" };
    let entries = if proof.entries == 1 { "entry" } else { "entries" };
    lines.push_str(&format!("{} {incidents}, {} {entries}: {verdict}\n", proof.incidents, proof.entries));
    lines
}
