//! `POST /incidents`: somebody says that something is wrong which no alert has said. The form stands on the page of incidents.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Both;
use super::me::Acts;
use crate::commit::{Command, Reply};
use crate::core::alert::one_line;
use crate::core::decide::By;
use crate::core::incident::Severity;
use crate::core::timeline::{Actor, Route};
use crate::http::problem::Problem;
use crate::store::tokens::Holder;

/// What somebody wrote.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    title: String,
    service: String,
    severity: String,
}

/// `POST /incidents`
pub(in super::super) async fn declare(State((desk, pages)): Both, sent: Acts) -> Response {
    let Form { title, service, severity } = sent.form();
    let title = one_line(&title);
    let actor = match &sent.me.holder {
        Holder::Person(name) => Actor::Person(name.clone()),
        Holder::Automation(name) => Actor::Automation(name.clone()),
    };
    let by = By { actor, route: Route::Page, occurred_at: None };
    let asked = match Severity::from_word(&severity) {
        _ if title.is_empty() => {
            Err(Problem::unprocessable("the title is empty; say in one line what is wrong"))
        }
        Some(severity) => Ok(Command::Declare { title, service, severity, by }),
        None => Err(Problem::unprocessable("say how bad it is")),
    };
    let does = async {
        let done = match asked {
            Ok(command) => desk.door.ask(command).await.map_err(Problem::from),
            Err(problem) => Err(problem),
        };
        match done {
            Ok(Reply::Decided(incident, reason)) => {
                Ok(format!("/incidents/{}?done={}", incident.id, reason.as_str()))
            }
            Ok(_) => Err(sent.again(&pages, &Problem::internal())),
            Err(problem) => Err(sent.again(&pages, &problem)),
        }
    };
    // Two taps on a slow network are one incident.
    desk.taps.once(sent.mark(), &desk.clock, does).await
}
