//! `onscene oncall test`, `drill` and `ways`: whether people can be reached, over the API of a running daemon.

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
    /// The last delivery drill and the next: who answered, and what became of each test
    Drill {
        /// Try everybody now, and then show it (administrators)
        #[arg(long)]
        now: bool,
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
            Self::Drill { now } => drill(client, now, json),
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

/// Ends with 1 when somebody did not answer, so that a script may ask.
fn drill(client: &Client, now: bool, json: bool) -> Result<Exit, Exit> {
    let address = "/api/v1/oncall/drill";
    let answer = if now { client.post(address, &json!({}))? } else { client.get(address)? };
    let drill = &answer["drill"];
    let is_over = drill["state"] == "over";
    if json {
        out(&format!("{answer}\n"));
    } else {
        out(&drill_shown(&answer));
    }
    let missed = drill["missed"].as_u64().unwrap_or(0);
    if is_over && missed > 0 {
        return Ok(fail(&format!("{missed} did not answer")));
    }
    Ok(Exit::Done)
}

fn drill_shown(answer: &Value) -> String {
    let (drill, mut lines) = (&answer["drill"], Vec::new());
    if drill.is_object() {
        let by = drill["asked_by"].as_str().map(|_| format!(", {} asked for it", text(&drill["asked_by"])));
        let by = by.unwrap_or_default();
        let (number, began) = (text(&drill["number"]), second(&drill["began_at"]));
        lines.push(format!("drill {number}: {}, began {began}{by}", text(&drill["state"])));
    } else {
        lines.push("there has been no delivery drill".to_owned());
    }
    for one in drill["people"].as_array().into_iter().flatten() {
        let (person, state) = (text(&one["person"]), one["state"].as_str().unwrap_or_default());
        let stands = match (state, one["answered_at"].as_str()) {
            ("waits", _) => format!("is asked {}", second(&one["until"])),
            ("asked", _) => format!("has not answered, and may until {}", second(&one["until"])),
            ("answered", _) => format!("answered {} by {}", second(&one["answered_at"]), text(&one["way"])),
            ("missed", Some(_)) => format!("missed; answered too late, {}", second(&one["answered_at"])),
            ("missed", None) => "missed: no answer".to_owned(),
            ("away", _) => "on leave".to_owned(),
            ("late", _) => "not asked: no daemon was there at their hour".to_owned(),
            _ => "not known any more".to_owned(),
        };
        lines.push(format!("{person:<12} {stands}"));
        for leg in legs(one) {
            let pressed = leg["confirmed_at"].as_str().map_or("", |_| ", pressed");
            lines.push(format!("{:<12}   {}{pressed}", "", shown(leg)));
        }
    }
    let skipped = &answer["skipped"];
    if skipped.is_object() {
        lines.push(format!("none {}: {}", second(&skipped["at"]), text(&skipped["why"])));
    }
    match answer["next"]["at"].as_str() {
        Some(_) => lines.push(format!("next: {}", second(&answer["next"]["at"]))),
        None => lines.push(
            "next: none; the table [delivery_drill] of the configuration asks for one a week".to_owned(),
        ),
    }
    lines.join("\n") + "\n"
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
