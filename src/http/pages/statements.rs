//! `/statements`: one screen for who speaks. Per incident the audiences side by side, each with what waits, what the lint finds in
//! it, whether it may go out, and what went out; what is due; what was asked; and one button that sends.
//!
//! Whether a button is there is asked of the rules themselves: what they would refuse is not offered, and the page says why.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use minijinja::{Value, context};
use serde::Deserialize;

use super::me::{Acts, Looks, Me, pairs};
use super::{Both, unreadable};
use crate::commit::{Command, DoorError, Reply, statements as door};
use crate::core::audience::Audience;
use crate::core::decide::{By, Reason, Refusal, Speech};
use crate::core::disclosure::{Finding, Place};
use crate::core::incident::Incident;
use crate::core::oncall::Roster;
use crate::core::timeline::{Actor, Route};
use crate::core::voice::Statement;
use crate::house::House;
use crate::http::desk::Desk;
use crate::http::html::Pages;
use crate::http::problem::Problem;
use crate::http::speech::{parts, wish};
use crate::store::search::Filter;
use crate::store::sight::Seen;
use crate::store::tokens::Holder;
use crate::store::{StoreError, Tx, incidents, roster, statements};

mod form;
mod view;

/// Most incidents on the page.
const INCIDENTS_SHOWN: u32 = 20;
/// What is over stays on the page for so long while it owes a closing.
const OWES_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// And so long in any case.
const OVER_SHOWN: SignedDuration = SignedDuration::from_hours(24);
/// Longest excerpt of what a rule has found, in characters.
const EXCERPT_CHARS_MAX: usize = 60;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    incident: Option<i64>,
    done: Option<String>,
}

/// What stands on the page, and who is on call, which says who may speak.
struct Read {
    all: Vec<Told>,
    roster: Roster,
}

/// One incident, with what was found in each statement that waits.
struct Told {
    incident: Incident,
    found: Vec<(u32, Vec<Finding>)>,
}

/// `GET /statements`
pub(in super::super) async fn page(
    State((desk, pages)): Both,
    Looks(me): Looks,
    RawQuery(query): RawQuery,
) -> Response {
    let asked: Asked = query.and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
    show(&desk, &pages, &me, asked).await
}

/// `POST /statements`
pub(in super::super) async fn draft(State((desk, pages)): Both, sent: Acts) -> Response {
    let fields: form::Fields = sent.form();
    let asks = form::spoken(&fields, desk.clock.now()).and_then(|spoken| {
        let incident =
            spoken.incident.ok_or_else(|| Problem::unprocessable("say of which incident it is"))?;
        Ok((incident, Speech::of(wish("draft", incident, None, spoken)?)))
    });
    says(&desk, &pages, sent, asks).await
}

/// `POST /statements/{id}/{verb}`
pub(in super::super) async fn act(
    State((desk, pages)): Both,
    Path((id, verb)): Path<(String, String)>,
    sent: Acts,
) -> Response {
    let fields: form::Fields = sent.form();
    let asks = match (parts(&id), form::spoken(&fields, desk.clock.now())) {
        (Ok((incident, number)), Ok(spoken)) => known(&desk, incident, number)
            .await
            .and_then(|audience| wish(&verb, incident, Some((number, audience)), spoken))
            .map(|wish| (incident, Speech::of(wish))),
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    says(&desk, &pages, sent, asks).await
}

async fn known(desk: &Desk, incident: i64, number: u32) -> Result<Audience, Problem> {
    let found = crate::http::api::statements::audience_of(desk, incident, number).await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no statement {incident}-{number}")))
}

async fn says(
    desk: &Desk,
    pages: &Pages,
    sent: Acts,
    asks: Result<(i64, crate::core::decide::Act), Problem>,
) -> Response {
    let actor = match &sent.me.holder {
        Holder::Person(name) => Actor::Person(name.clone()),
        Holder::Automation(name) => Actor::Automation(name.clone()),
    };
    let work = async {
        let (incident, act) = asks.map_err(|problem| sent.again(pages, &problem))?;
        let by = By { actor, route: Route::Page, occurred_at: None };
        match desk.door.ask(Command::Act { incident, act, by }).await {
            Ok(Reply::Decided(incident, reason)) => {
                Ok(format!("/statements?incident={}&done={}", incident.id, reason.as_str()))
            }
            Ok(_) => Err(sent.again(pages, &Problem::internal())),
            Err(error) => {
                let fields: form::Fields = sent.form();
                let problem = told(error, &form::of(&fields, "title"), &form::of(&fields, "text"));
                Err(sent.again(pages, &problem))
            }
        }
    };
    desk.taps.once(sent.mark(), &desk.clock, work).await
}

/// Why it was not done, with the words that a rule has found: who reads this has written them.
fn told(error: DoorError, title: &str, text: &str) -> Problem {
    let said = match &error {
        DoorError::Refused(Refusal::Disclosed { found }) if !text.is_empty() => {
            let each = found.iter().map(|one| {
                let words = excerpt(one, title, text).map(|words| format!("“{words}”: ")).unwrap_or_default();
                format!("{words}{}", one.why)
            });
            Some(format!("it must not go out like this. {}", each.collect::<Vec<_>>().join(" ")))
        }
        _ => None,
    };
    let problem = Problem::from(error);
    match said {
        Some(detail) => Problem { detail, ..problem },
        None => problem,
    }
}

/// The words that were found.
fn excerpt(one: &Finding, title: &str, text: &str) -> Option<String> {
    let part = if one.place == Place::Subject { title } else { text };
    let found = part.get(one.span.clone())?;
    let unseen = |c: char| c.is_control() || crate::core::disclosure::is_unseen(c);
    let shown: String =
        found.chars().map(|c| if unseen(c) { '·' } else { c }).take(EXCERPT_CHARS_MAX).collect();
    Some(if found.chars().count() > EXCERPT_CHARS_MAX { shown + "…" } else { shown })
}

/// What is said above the page after something was done.
fn done(word: &str) -> Option<&'static str> {
    let all = [
        (Reason::Drafted, "It is written down. Nobody outside has read it yet."),
        (Reason::Approved, "It may go out while nothing changes."),
        (Reason::Published, "It is on its way. What becomes of it stands beside each channel."),
        (Reason::Recorded, "It is on the timeline."),
    ];
    all.into_iter().find(|(reason, _)| reason.as_str() == word).map(|(_, said)| said)
}

fn find(
    desk: &Desk,
    asked: Option<i64>,
) -> impl Fn(&Tx<'_>) -> Result<Read, StoreError> + Send + Sync + 'static {
    let house = desk.house.get();
    move |tx| {
        let mut all: Vec<Incident> = match asked {
            Some(id) => incidents::load(tx, id)?.map(|saved| saved.incident).into_iter().collect(),
            None => {
                let open = Filter { state: Some("open".into()), limit: INCIDENTS_SHOWN, ..Filter::default() };
                incidents::list(tx, &open)?
            }
        };
        if asked.is_none() {
            let since = tx.now.saturating_sub(OWES_FOR).unwrap_or(jiff::Timestamp::MIN);
            for audience in Audience::ALL {
                for incident in statements::told_since(tx, audience, since, INCIDENTS_SHOWN)? {
                    let is_there = all.iter().any(|known| known.id == incident.id);
                    let lately =
                        incident.resolution().is_some_and(|(_, at)| tx.now.duration_since(at) < OVER_SHOWN);
                    let owes = Audience::ALL.into_iter().any(|one| incident.voice.owes_a_closing(one));
                    if !is_there && (lately || owes) {
                        all.push(incident);
                    }
                }
            }
        }
        let owes = |incident: &Incident| {
            Audience::ALL.iter().any(|audience| incident.voice.owes_a_closing(*audience))
        };
        all.retain(|incident| incident.merged_into.is_none() || owes(incident));
        let roster = roster::said(tx, &house.rules, tx.now)?;
        let all = all.into_iter().map(|incident| read(tx, incident, &house)).collect::<Result<_, _>>()?;
        Ok(Read { all, roster })
    }
}

fn read(tx: &Tx<'_>, incident: Incident, house: &House) -> Result<Told, StoreError> {
    let mut found = Vec::new();
    for one in incident.voice.statements.iter().filter(|one: &&Statement| one.is_open()) {
        let words = (&one.wording, one.at);
        found.push((one.number, door::found(tx, &house.rules, &incident, words)?));
    }
    Ok(Told { incident, found })
}

async fn show(desk: &Desk, pages: &Pages, me: &Me, asked: Asked) -> Response {
    match desk.sight.or_last(find(desk, asked.incident)).await {
        Ok(Seen { value: Read { all, roster }, as_of }) => {
            let (house, now) = (desk.house.get(), desk.clock.now());
            let state = view::State { house: &house, me, now, roster: &roster };
            let all: Vec<Value> = all.iter().map(|one| state.incident(&one.incident, &one.found)).collect();
            let values = context! {
                reader => me.shown(&house.rules), said => asked.done.as_deref().and_then(done), all,
                one => asked.incident,
            };
            pages.page_of(StatusCode::OK, "statements.html", values, desk.stale(as_of), &TimeZone::UTC)
        }
        Err(error) => unreadable(pages, &error),
    }
}
