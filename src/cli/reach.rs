//! `onscene oncall test` and `onscene oncall ways`: whether people can be reached, over the API of a running daemon.

use std::time::Duration;

use clap::Subcommand;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Client, pause};
use super::hours::second;
use super::{Exit, fail, out, say, text};

/// Between two looks at a test.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked at: for a minute. What is tried again for longer has not arrived.
const LOOKS_MAX: u32 = 120;

/// What is asked about people and their ways.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Send somebody a marked test page by every way at once, and watch what becomes of it
    Test {
        /// Whom
        person: String,
    },
    /// By which ways people are reached, and what is known of each
    Ways {
        /// Of one person [default: of all]
        person: Option<String>,
    },
}

impl What {
    pub(super) fn run(self, client: &Client, json: bool) -> Exit {
        let done = match self {
            Self::Test { person } => test(client, &person, json),
            Self::Ways { person } => ways(client, person.as_deref(), json),
        };
        done.unwrap_or_else(|exit| exit)
    }
}

fn test(client: &Client, person: &str, json: bool) -> Result<Exit, Exit> {
    let name = utf8_percent_encode(person, NON_ALPHANUMERIC);
    let mut test = client.post(&format!("/api/v1/people/{name}/test"), &json!({}))?;
    let number = text(&test["test"]);
    let mut told: Vec<String> = Vec::new();
    let is_pending =
        |leg: &Value| ["pending", "sending"].contains(&leg["state"].as_str().unwrap_or_default());
    for _ in 0..LOOKS_MAX {
        for leg in legs(&test).iter().filter(|leg| !is_pending(leg)) {
            let line = shown(leg);
            if !told.contains(&line) && !json {
                out(&format!("{line}\n"));
                told.push(line);
            }
        }
        if !legs(&test).iter().any(is_pending) {
            break;
        }
        pause(LOOK_EVERY);
        test = client.get(&format!("/api/v1/tests/{number}"))?;
    }
    if json {
        out(&format!("{test}\n"));
    }
    for leg in legs(&test).iter().filter(|leg| is_pending(leg)) {
        say(&format!("{}: not taken yet, and tried again: {}", text(&leg["way"]), text(&leg["why"])));
    }
    if legs(&test).iter().all(|leg| leg["state"] == "accepted") {
        say(&format!("{person} is to press \"It reached me\" in each; `onscene oncall ways` shows who did"));
        return Ok(Exit::Done);
    }
    Ok(fail(&format!("not every way took the test for {person}")))
}

fn ways(client: &Client, person: Option<&str>, json: bool) -> Result<Exit, Exit> {
    let mut answer = client.get("/api/v1/people")?;
    if let (Some(person), Some(people)) = (person, answer["people"].as_array_mut()) {
        people.retain(|one| one["person"] == person);
        if people.is_empty() {
            return Err(fail(&format!("{person} is not a person of this house")));
        }
    }
    if json {
        out(&format!("{answer}\n"));
        return Ok(Exit::Done);
    }
    for one in answer["people"].as_array().into_iter().flatten() {
        for leg in legs(one) {
            let tested = match leg["tested_at"].as_str() {
                Some(_) => format!("{} at {}", text(&leg["outcome"]), second(&leg["tested_at"])),
                None => "never tested".to_owned(),
            };
            let confirmed = match leg["confirmed_at"].as_str() {
                Some(_) => format!("confirmed {}", second(&leg["confirmed_at"])),
                None => "not confirmed".to_owned(),
            };
            let (person, way, to) = (text(&one["person"]), text(&leg["way"]), text(&leg["to"]));
            out(&format!("{person:<12} {way:<12} {to}  {tested}, {confirmed}\n"));
        }
    }
    Ok(Exit::Done)
}

fn legs(of: &Value) -> &[Value] {
    of["ways"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn shown(leg: &Value) -> String {
    let why = leg["why"].as_str().map(|_| format!(": {}", text(&leg["why"]))).unwrap_or_default();
    let reported = leg["reported"].as_str().map(|_| format!(" ({})", text(&leg["reported"])));
    format!("{}: {}{}{why}", text(&leg["way"]), text(&leg["state"]), reported.unwrap_or_default())
}
