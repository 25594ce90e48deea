//! The answer page `/r/{token}`: GET shows, POST answers.
//!
//! The token is the whole authority: one recipient, one incident, until it is over. Mail scanners and
//! previews follow links by GET, and a GET changes nothing; that is why a button has to be pressed.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use minijinja::context;
use serde::Deserialize;

use super::body;
use super::desk::{Desk, cannot_read};
use super::html::{Pages, about};
use crate::commit::DoorError;
use crate::core::decide::{Act, By, Reason, Refusal};
use crate::core::timeline::{Actor, Route};
use crate::render::full_name;
use crate::store::incidents::{self, Saved};
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{alerts, timeline};

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 32 * 1024;
/// A token has 22 characters; anything longer is none.
const TOKEN_BYTES_MAX: usize = 64;
/// Alerts and entries shown.
const ALERTS_MAX: u32 = 20;
const ENTRIES_SHOWN: u32 = 12;

/// `GET /r/{token}`
pub(super) async fn show(State((desk, pages)): State<(Desk, Pages)>, Path(token): Path<String>) -> Response {
    match find(&desk, token).await {
        Ok(link) => page(&desk, &pages, &link, StatusCode::OK, None).await,
        Err(trouble) => trouble.page(&pages),
    }
}

#[derive(Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    answer: String,
    #[serde(default)]
    text: String,
    term: Option<u32>,
}

/// `POST /r/{token}`
pub(super) async fn answer(
    State((desk, pages)): State<(Desk, Pages)>,
    Path(token): Path<String>,
    body: Body,
) -> Response {
    let link = match find(&desk, token).await {
        Ok(link) => link,
        Err(trouble) => return trouble.page(&pages),
    };
    let form = match body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await {
        Ok(bytes) => serde_urlencoded(&bytes),
        Err(_) => None,
    };
    let Some(act) = form.as_ref().and_then(|form| meant(form, &link)) else {
        let said =
            "That was no answer this page knows. Nothing was changed; please press one of the buttons.";
        return page(&desk, &pages, &link, StatusCode::BAD_REQUEST, Some(said.into())).await;
    };
    let by = By { actor: Actor::Person(link.person.clone()), route: Route::AnswerLink, occurred_at: None };
    let (status, said) = match desk.door.act(link.incident, act.clone(), by).await {
        Ok((incident, reason)) => {
            let rules = desk.house.get().rules.clone();
            let commander = incident.commander().map(|command| full_name(&rules, &command.person));
            (StatusCode::OK, told(&act, reason, commander))
        }
        Err(DoorError::Refused(Refusal::Stale { commander, .. })) => {
            let name = full_name(&desk.house.get().rules, &commander);
            (StatusCode::CONFLICT, format!("Nothing was changed: {name} has command."))
        }
        Err(DoorError::Refused(refusal)) => {
            (StatusCode::CONFLICT, format!("Nothing was changed: {refusal}."))
        }
        Err(error) => {
            let text = format!(
                "Your answer could not be written down: {error}. Please press the button again in a few seconds; if it \
                 goes on, act as if you have command and tell the others yourself."
            );
            return pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not yet", &text);
        }
    };
    page(&desk, &pages, &link, status, Some(said)).await
}

fn serde_urlencoded(bytes: &[u8]) -> Option<Form> {
    let query = std::str::from_utf8(bytes).ok()?;
    let uri = http::Uri::builder().path_and_query(format!("/?{query}")).build().ok()?;
    axum::extract::Query::<Form>::try_from_uri(&uri).ok().map(|query| query.0)
}

fn meant(form: &Form, link: &Link) -> Option<Act> {
    let text = form.text.trim().to_owned();
    if link.purpose == Purpose::Statement {
        return match form.answer.as_str() {
            "statement" => Some(Act::Draft { text }),
            "decline" => Some(Act::Decline),
            _ => None,
        };
    }
    Some(match form.answer.as_str() {
        "take" => Act::Answer { help: false },
        "help" => Act::Answer { help: true },
        "decline" => Act::Decline,
        "check-in" => Act::CheckIn,
        "note" => Act::Note { text },
        "mitigate" => Act::Mitigate { term: form.term?, cause: Some(text).filter(|text| !text.is_empty()) },
        "resolve" => Act::Resolve { term: form.term?, false_alarm: false },
        "false-alarm" => Act::Resolve { term: form.term?, false_alarm: true },
        _ => return None,
    })
}

fn told(act: &Act, reason: Reason, commander: Option<String>) -> String {
    let commander = commander.unwrap_or_else(|| "Nobody".into());
    match (act, reason) {
        (_, Reason::TookCommand) => "You have command. Everybody who was paged is told.".into(),
        (Act::Answer { help: true }, Reason::AlreadyCommands) => "More people are being called.".into(),
        (_, Reason::AlreadyCommands) => "You have command already.".into(),
        (_, Reason::CommandIsTaken) => {
            format!(
                "{commander} was faster and has command. Your answer is on the timeline; check in to help."
            )
        }
        (Act::Decline, _) => "Thank you for saying so. The next people are called.".into(),
        (Act::CheckIn, _) => format!("You are on scene. {commander} has command."),
        (Act::Note { .. }, _) => "It is on the timeline.".into(),
        (Act::Draft { .. }, _) => "The draft is on the timeline.".into(),
        (Act::Mitigate { .. }, _) => "Mitigated. The channels are told.".into(),
        (Act::Resolve { .. }, _) => "Resolved. The channels are told.".into(),
        _ => "Done.".into(),
    }
}

/// Why there is no page to show.
enum Trouble {
    Unknown,
    Store,
}

impl Trouble {
    fn page(&self, pages: &Pages) -> Response {
        match self {
            Self::Unknown => pages.message(
                StatusCode::NOT_FOUND,
                "This link leads nowhere",
                "It is not one of ours, or its incident was forgotten. If you were paged, open the newest page you have.",
            ),
            Self::Store => pages.message(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not at this moment",
                "The daemon cannot read its store. Please try again in a few seconds.",
            ),
        }
    }
}

async fn find(desk: &Desk, token: String) -> Result<Link, Trouble> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Trouble::Unknown);
    }
    match desk.readers.read(move |tx| tokens::link(tx, &token)).await {
        Ok(Some(link)) => Ok(link),
        Ok(None) => Err(Trouble::Unknown),
        Err(error) => {
            drop(cannot_read(&error));
            Err(Trouble::Store)
        }
    }
}

async fn page(desk: &Desk, pages: &Pages, link: &Link, status: StatusCode, said: Option<String>) -> Response {
    let id = link.incident;
    let read = desk.readers.read(move |tx| {
        let Some(saved) = incidents::load(tx, id)? else { return Ok(None) };
        let from = saved.incident.seq.saturating_sub(ENTRIES_SHOWN);
        let mut entries = timeline::list(tx, id, from, ENTRIES_SHOWN)?;
        entries.reverse();
        Ok(Some((saved, alerts::of_incident(tx, id, ALERTS_MAX)?, entries)))
    });
    let (Saved { incident, .. }, alerts, entries) = match read.await {
        Ok(Some(found)) => found,
        Ok(None) => return Trouble::Unknown.page(pages),
        Err(error) => {
            drop(cannot_read(&error));
            return Trouble::Store.page(pages);
        }
    };
    let rules = desk.house.get().rules.clone();
    let values = about(&incident, &alerts, &entries, &rules, Some(&link.person));
    let service = rules.services.get(&incident.service);
    let public = service.and_then(|service| service.public_name.clone()).unwrap_or(incident.service.clone());
    let more = context! {
        said,
        me => context! { name => full_name(&rules, &link.person) },
        statement => link.purpose == Purpose::Statement,
        draft => format!("We are investigating a problem with {public}. Our people are working on it."),
    };
    pages.page(status, "answer.html", context! { ..more, ..values })
}
