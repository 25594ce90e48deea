//! The answer page `/r/{token}`: GET shows, POST answers.
//!
//! The token is the whole authority: one recipient, one incident, until it is over. Mail scanners and
//! previews follow links by GET, and a GET changes nothing; that is why a button has to be pressed.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use minijinja::context;
use serde::Deserialize;

use super::body;
use super::desk::{Desk, cannot_read};
use super::html::{Found, Pages, about};
use crate::commit::{DoorError, followed};
use crate::core::decide::{Act, By, Reason, Refusal};
use crate::core::timeline::{Actor, Route};
use crate::render::{full_name, zone_of};
use crate::store::sight::Seen;
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{StoreError, Tx, incidents};

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 32 * 1024;
/// A token has 22 characters; anything longer is none.
const TOKEN_BYTES_MAX: usize = 64;
/// Alerts and entries shown.
const ALERTS_MAX: u32 = 20;
const ENTRIES_SHOWN: u32 = 12;

/// `GET /r/{token}`
pub(super) async fn show(State((desk, pages)): State<(Desk, Pages)>, Path(token): Path<String>) -> Response {
    if token.len() > TOKEN_BYTES_MAX {
        return Trouble::Unknown.page(&pages);
    }
    let read = desk.sight.or_last(move |tx| {
        let Some(link) = tokens::link(tx, &token)? else { return Ok(None) };
        Ok(look(tx, link.incident)?.map(|found| (link, found)))
    });
    match read.await {
        Ok(Seen { value: Some((link, found)), as_of }) => {
            page(&desk, &pages, &link, found, StatusCode::OK, None, as_of)
        }
        Ok(Seen { value: None, as_of: None }) => Trouble::Unknown.page(&pages),
        Ok(Seen { value: None, .. }) => Trouble::Store.page(&pages),
        Err(error) => {
            drop(cannot_read(&error));
            Trouble::Store.page(&pages)
        }
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
    if token.len() > TOKEN_BYTES_MAX {
        return Trouble::Unknown.page(&pages);
    }
    // Whoever changes something goes by the store alone.
    let link = match desk.sight.now(move |tx| tokens::link(tx, &token)).await {
        Ok(Some(link)) => link,
        Ok(None) => return Trouble::Unknown.page(&pages),
        Err(error) => {
            drop(cannot_read(&error));
            return not_yet(&pages, "the store cannot be reached");
        }
    };
    let form = match body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await {
        Ok(bytes) => serde_urlencoded(&bytes),
        Err(_) => None,
    };
    let Some(act) = form.as_ref().and_then(|form| meant(form, &link)) else {
        let said =
            "That was no answer this page knows. Nothing was changed; please press one of the buttons.";
        return page_now(&desk, &pages, &link, StatusCode::BAD_REQUEST, said.into()).await;
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
        Err(DoorError::Late) => {
            let text = "The store did not say whether your answer was written down: it may have been. Please open the \
                        link of your page again and look before you press a button once more. Until you know, act as \
                        if you have command and tell the others yourself.";
            return pages.message(StatusCode::SERVICE_UNAVAILABLE, "It is not known", text);
        }
        Err(error) => return not_yet(&pages, &error.to_string()),
    };
    page_now(&desk, &pages, &link, status, said).await
}

/// An answer that was not written down: what to do all the same.
fn not_yet(pages: &Pages, why: &str) -> Response {
    let text = format!(
        "Your answer could not be written down: {why}. Please press the button again in a few seconds; if it goes on, act \
         as if you have command and tell the others yourself. The link of your page shows what was known last."
    );
    pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not yet", &text)
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
    let has_command = commander.is_some();
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
        (Act::Decline, Reason::EscalatedUnanswered) => {
            "Thank you for saying so. The next people are called.".into()
        }
        (Act::Decline, _) if has_command => {
            format!("Thank you for saying so; it is on the timeline. {commander} has command.")
        }
        (Act::Decline, _) => "Thank you for saying so; it is on the timeline. Nobody has command yet. Nobody else is \
                              called at this moment: the next page goes out when the time of this one is over."
            .into(),
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
                "The store cannot be reached, and this node does not know this link. Please try again in a few seconds. If \
                 you were paged, act, and tell the others yourself.",
            ),
        }
    }
}

fn look(tx: &Tx<'_>, id: i64) -> Result<Option<Found>, StoreError> {
    let Some(saved) = incidents::load(tx, id)? else { return Ok(None) };
    let first = saved.incident;
    let incident = followed(first, |id| Ok(incidents::load(tx, id)?.map(|saved| saved.incident)))?;
    Found::read(tx, incident, ALERTS_MAX, ENTRIES_SHOWN).map(Some)
}

/// The page as it is after an answer, which the last known state would not show.
async fn page_now(desk: &Desk, pages: &Pages, link: &Link, status: StatusCode, said: String) -> Response {
    let id = link.incident;
    match desk.sight.now(move |tx| look(tx, id)).await {
        Ok(Some(found)) => page(desk, pages, link, found, status, Some(said), None),
        Ok(None) => Trouble::Unknown.page(pages),
        Err(error) => {
            drop(cannot_read(&error));
            pages.message(status, "The store cannot be reached any more", &said)
        }
    }
}

fn page(
    desk: &Desk,
    pages: &Pages,
    link: &Link,
    found: Found,
    status: StatusCode,
    said: Option<String>,
    as_of: Option<Timestamp>,
) -> Response {
    let rules = desk.house.get().rules.clone();
    let values = about(&found, &rules, Some(&link.person), desk.clock.now());
    let incident = &found.incident;
    let service = rules.services.get(incident.leads());
    let public = service.and_then(|service| service.public_name.clone()).unwrap_or(incident.service.clone());
    let more = context! {
        said,
        was => (link.incident != incident.id).then_some(link.incident),
        me => context! { name => full_name(&rules, &link.person) },
        statement => link.purpose == Purpose::Statement,
        draft => format!("We are investigating a problem with {public}. Our people are working on it."),
    };
    let zone = zone_of(&rules, &link.person);
    pages.page_of(status, "answer.html", context! { ..more, ..values }, desk.stale(as_of), &zone)
}
