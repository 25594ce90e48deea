//! `onscene verify`: of a store, at a running daemon, or of a document that was exported, all in the same words.

use std::io::Read as _;

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::place::{PlaceFlags, Where, failed, store};
use super::progress::Progress;
use super::{Exit, fail, out, say};
use crate::clock::Clock;
use crate::exports::json::{self, Told};
use crate::http::api::view;
use crate::store::Connection;
use crate::store::incidents::{self, Proof};

/// Incidents proved at a time.
const PAGE: u32 = 500;

/// Largest document that is proved, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is not proved of a document.
const OF_FILES: &str = "Of a document the incident and its entries are proved. Its alerts are there to be read: nothing is proved of them.\n";

/// Prove timelines whole and command without a gap
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Only these incidents [default: all]; or files that `onscene export --form json` wrote, - for standard input
    #[arg(value_name = "N|FILE")]
    what: Vec<String>,
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
        let numbers: Vec<Option<i64>> = self.what.iter().map(|what| what.parse().ok()).collect();
        let proved = match numbers.iter().copied().collect::<Option<Vec<i64>>>() {
            Some(numbers) => Self::in_store(self.place, &numbers),
            None if numbers.iter().any(Option::is_some) => {
                say(
                    "onscene: numbers of incidents and files are not proved together (a file with such a name is ./42)",
                );
                Err(Exit::Usage)
            }
            None if self.place.is_given() => {
                say("onscene: a file is proved by itself, without --config, --server and --token-file");
                Err(Exit::Usage)
            }
            None => documents(&self.what),
        };
        match proved {
            Ok(proof) => {
                let of_files = numbers.iter().any(Option::is_none);
                if of_files && !self.json && proof.broken.is_empty() {
                    out(OF_FILES);
                }
                out(&if self.json { format!("{}\n", view::proof(&proof)) } else { told(&proof) });
                if proof.broken.is_empty() { Exit::Done } else { Exit::Failed }
            }
            Err(exit) => exit,
        }
    }

    fn in_store(place: PlaceFlags, numbers: &[i64]) -> Result<Proof, Exit> {
        let prover = place.open().and_then(|place| match place {
            Where::Daemon(client) => Ok(Prover::Daemon(client)),
            Where::Store(config, clock) => {
                let opened = store(&config).and_then(|place| Connection::reader(&place, &clock));
                opened.map(|reader| Prover::Here(Box::new(reader), clock)).map_err(|error| failed(&error))
            }
        });
        prover.and_then(|mut prover| prover.prove(numbers))
    }
}

/// Proves what was exported, without a store or a daemon.
fn documents(files: &[String]) -> Result<Proof, Exit> {
    let mut proof = Proof::default();
    for file in files {
        let named = if file == "-" { "standard input" } else { file };
        let text = read(file).map_err(|error| fail(&format!("{named} cannot be read: {error}")))?;
        let Told { id, proved, alerts_left_out } =
            json::prove(&text).map_err(|error| fail(&format!("{named}: {error}")))?;
        if alerts_left_out > 0 {
            let what =
                format!("{alerts_left_out} of its alerts are not in the document: there were too many");
            proof.notes.push((id, what));
        }
        proof.count(id, proved);
    }
    Ok(proof)
}

fn read(file: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let from: Box<dyn std::io::Read> =
        if file == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(file)?) };
    from.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > DOCUMENT_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 GiB"));
    }
    Ok(text)
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
    for (name, said) in [("broken", &mut proof.broken), ("notes", &mut proof.notes)] {
        for one in answer[name].as_array().into_iter().flatten() {
            let why = one["why"].as_str().unwrap_or_default().to_owned();
            said.push((one["incident"].as_i64().unwrap_or_default(), why));
        }
    }
}

fn told(proof: &Proof) -> String {
    let said = proof.broken.iter().chain(&proof.notes);
    let mut lines: String = said.map(|(id, why)| format!("INC-{id}: {why}\n")).collect();
    let verdict = if proof.broken.is_empty() { "whole" } else { "NOT whole" };
    let incidents = if proof.incidents == 1 { "incident" } else { "incidents" };
    let entries = if proof.entries == 1 { "entry" } else { "entries" };
    lines.push_str(&format!("{} {incidents}, {} {entries}: {verdict}\n", proof.incidents, proof.entries));
    lines
}
