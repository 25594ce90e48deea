//! What is asked of an incident by the API and by the forms of pages: every verb there is, with the two that concern another
//! incident too.

use super::problem::Problem;
use super::verbs::{Said, meant};
use crate::commit::{Command, Part};
use crate::core::decide::By;

/// Most alerts that are split off at a time.
const SPLIT_MAX: usize = 1000;

/// What a verb with its words asks for.
///
/// # Errors
/// What is missing, or not understood.
pub(super) fn asked(incident: i64, verb: &str, said: Said, by: By) -> Result<Command, Problem> {
    Ok(match verb {
        "merge" => {
            let missing = || Problem::bad_request("say with \"into\" of which incident it becomes part");
            Command::Merge { incident, into: said.into.ok_or_else(missing)?, term: said.term, by }
        }
        "split" => Command::Split { incident, term: said.term, part: part(said)?, by },
        _ => Command::Act { incident, act: meant(verb, said)?, by },
    })
}

/// What is taken out of an incident.
fn part(said: Said) -> Result<Part, Problem> {
    match (said.incident, said.alerts) {
        (Some(incident), None) => Ok(Part::Incident(incident)),
        (None, Some(alerts)) if alerts.len() <= SPLIT_MAX => {
            Ok(Part::Alerts(alerts.into_iter().map(|alert| (alert.source, alert.key)).collect()))
        }
        (None, Some(_)) => {
            Err(Problem::unprocessable(format!("at most {SPLIT_MAX} alerts are split off at a time")))
        }
        _ => Err(Problem::unprocessable(
            "say what is split off: either \"incident\": the number of one that became part of this, or \"alerts\": \
             [{\"source\": \"...\", \"key\": \"...\"}]",
        )),
    }
}
