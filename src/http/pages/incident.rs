//! `/incidents/{n}`: everything about one incident on one page, and every act on it as a form; `/incidents/{n}/brief`: what
//! somebody reads before they accept command.
//!
//! A form is the same act as by the API or a command, by its own route. What was done leads back to the page; what was not
//! done shows it as it is now, with the reason on top and with what was written.

use axum::extract::{Path, Query, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use jiff::tz::TimeZone;
use minijinja::context;
use serde::Deserialize;

use super::me::{Acts, Looks, Me, pairs};
use super::{ALERTS_SHOWN, Both, ENTRIES_SHOWN, unreadable};
use crate::commit::{Command, DoorError, Reply};
use crate::core::decide::{By, Reason, Refusal};
use crate::core::timeline::{Actor, Route};
use crate::http::asked::asked;
use crate::http::desk::Desk;
use crate::http::html::{Found, Pages, about};
use crate::http::problem::Problem;
use crate::render::full_name;
use crate::store::beside::{self, Named};
use crate::store::sight::Seen;
use crate::store::tokens::Holder;
use crate::store::{StoreError, Tx, incidents, reach};

mod form;
mod view;

use form::Fields;
pub(super) use form::MINUTES_MAX;

/// Open incidents to choose from, and incidents that became part of one, at most.
const BESIDE_SHOWN: u32 = 100;

/// What the address says beside the incident.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    /// What somebody did a moment ago.
    done: Option<String>,
    /// The entry that they want to correct.
    correct: Option<u32>,
    /// An entry that is to be among those that are shown.
    entry: Option<u32>,
    /// Entries before this one are shown.
    before: Option<u32>,
    /// The part of the page that is open.
    part: Option<String>,
}

impl Asked {
    /// Before which entry those that are shown end, of an incident with so many; the newest are shown where nothing is said.
    fn ends(&self, seq: u32) -> Option<u32> {
        let is_old = |entry: &u32| *entry <= seq.saturating_sub(ENTRIES_SHOWN);
        let around = self.correct.or(self.entry).filter(is_old);
        let before = self.before.or(around.map(|entry| entry.saturating_add(ENTRIES_SHOWN / 2)));
        before.filter(|before| *before <= seq)
    }
}

/// What was not done, why, and what was written.
pub(super) struct Failed {
    status: StatusCode,
    why: String,
    verb: String,
    fields: Fields,
}

/// Which page of an incident.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Whole,
    Brief,
}

/// `GET /incidents/{n}`
pub(in super::super) async fn page(
    State((desk, pages)): Both,
    Looks(me): Looks,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked: Asked = query.and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
    show(&desk, &pages, &me, &id, Which::Whole, asked, None).await
}

/// `GET /incidents/{n}/brief`
pub(in super::super) async fn brief(
    State((desk, pages)): Both,
    Looks(me): Looks,
    Path(id): Path<String>,
) -> Response {
    show(&desk, &pages, &me, &id, Which::Brief, Asked::default(), None).await
}

/// `POST /incidents/{n}/{verb}`
pub(in super::super) async fn act(
    State((desk, pages)): Both,
    Path((id, verb)): Path<(String, String)>,
    sent: Acts,
) -> Response {
    let fields: Fields = sent.form();
    let Ok(number) = id.parse::<i64>() else { return nothing(&pages) };
    let actor = match &sent.me.holder {
        Holder::Person(name) => Actor::Person(name.clone()),
        Holder::Automation(name) => Actor::Automation(name.clone()),
    };
    let asks = form::said(&fields, desk.clock.now()).and_then(|said| {
        let by = By { actor, route: Route::Page, occurred_at: said.occurred_at };
        form::chosen(&verb, &said)?;
        asked(number, &verb, said, by)
    });
    desk.taps.once(sent.mark(), &desk.clock, does(&desk, &pages, &sent, &id, verb, fields, asks)).await
}

/// Does it: where to go, or the page that says why it was not done.
async fn does(
    desk: &Desk,
    pages: &Pages,
    sent: &Acts,
    id: &str,
    verb: String,
    fields: Fields,
    asks: Result<Command, Problem>,
) -> Result<String, Response> {
    let done = match asks {
        Ok(command) => desk.door.ask(command).await.map_err(|error| told(desk, error)),
        Err(problem) => Err(problem),
    };
    let problem = match done {
        Ok(Reply::Decided(incident, reason)) => {
            // Of what was taken out, that is the page; alerts open an incident of their own there.
            let reason = if verb == "split" { Reason::Split } else { reason };
            if is_of_statements(&fields) {
                return Ok(format!("/statements?incident={}&done={}", incident.id, reason.as_str()));
            }
            return Ok(format!("/incidents/{}?done={}", incident.id, reason.as_str()));
        }
        Ok(_) => Problem::internal(),
        Err(problem) => problem,
    };
    let status = problem.status;
    // While nothing can be written down, the page has no forms.
    if status == StatusCode::SERVICE_UNAVAILABLE || is_of_statements(&fields) {
        return Err(sent.again(pages, &problem));
    }
    // Whoever read a brief reads the new one.
    let is_of_brief = fields.iter().any(|(name, _)| name == "brief");
    let which = if is_of_brief && status == StatusCode::CONFLICT { Which::Brief } else { Which::Whole };
    let failed = Failed { status, why: problem.detail, verb, fields };
    Err(show(desk, pages, &sent.me, id, which, Asked::default(), Some(failed)).await)
}

/// Whether the form stands on the page of statements.
fn is_of_statements(fields: &Fields) -> bool {
    fields.iter().any(|(name, value)| name == "page" && value == "statements")
}

/// `GET /incidents/{n}/export?form=FORM&format=FORMAT&person=NAME`: what is taken out of it, for who is logged in.
pub(in super::super) async fn export(
    State((desk, pages)): Both,
    Path(id): Path<String>,
    query: Result<Query<super::super::api::export::Asked>, axum::extract::rejection::QueryRejection>,
    Looks(me): Looks,
) -> Response {
    let taken = match query {
        Ok(Query(asked)) => super::super::api::export::taken(desk, me.holder, &id, asked).await,
        Err(error) => Err(Problem::bad_request(error.body_text())),
    };
    taken.unwrap_or_else(|problem| pages.message(problem.status, "Nothing was taken out", &problem.detail))
}

/// Why something was not done, with names as people say them.
fn told(desk: &Desk, error: DoorError) -> Problem {
    let name = |person: &str| full_name(&desk.house.get().rules, person);
    let why = match &error {
        DoorError::Refused(Refusal::Stale { commander, term }) => Some(format!(
            "{} has command now (term {term}), and only who commands does that. This page is as it is now",
            name(commander)
        )),
        DoorError::Refused(Refusal::SituationMoved { .. }) => {
            Some("the situation has moved since you read the brief. This is the new one: read it, and accept again".to_owned())
        }
        DoorError::Refused(Refusal::Watched { until }) => Some(format!(
            "it is watched until {} UTC. Resolve it then, or say below why it is over before",
            until.strftime("%H:%M")
        )),
        _ => None,
    };
    let problem = Problem::from(error);
    match why {
        Some(detail) => Problem { detail, ..problem },
        None => problem,
    }
}

/// What is said to who takes command so soon after somebody else did.
const TWICE_SAID: &str = "You have command. Command has changed twice in 10 minutes; say aloud who has it. Everybody on the incident is told.";

/// What is said above the page after something was done: by the word of the reason, for it comes by the address.
fn done(word: &str) -> Option<&'static str> {
    let all = [
        (Reason::TookCommand, "You have command. Everybody who was paged is told."),
        (Reason::CommandIsTaken, "Somebody was faster and has command. Your answer is on the timeline."),
        (Reason::AlreadyCommands, "You have command. Everybody can see that you are here."),
        (
            Reason::NobodyToCall,
            "Nobody else is there to call: everybody whom the policy names is on it already.",
        ),
        (Reason::CheckedIn, "You are on scene."),
        (Reason::Declined, "Thank you for saying so. It is on the timeline."),
        (Reason::EscalatedUnanswered, "Thank you for saying so. The next people are called."),
        (Reason::Offered, "It is offered. Until they accept, command stays where it is."),
        (Reason::OfferEnded, "The offer has ended. Command stays where it is."),
        (Reason::Wished, "Who has command knows that you ask for it."),
        (Reason::Transferred, "You have command. Everybody on the incident is told."),
        (Reason::Assumed, "You have command. Everybody on the incident is told."),
        (Reason::TransferredTwice, TWICE_SAID),
        (Reason::AssumedTwice, TWICE_SAID),
        (Reason::OfficeAssigned, "They are asked. Until they say yes, the office is the Commander's."),
        (Reason::OfficeTaken, "The office is taken."),
        (Reason::Acting, "Everybody can see what you are changing. Say how it ended."),
        (Reason::Stopped, "STOP stands. Everybody on the incident is told."),
        (Reason::StopLifted, "The STOP is lifted. Everybody on the incident is told."),
        (Reason::Requested, "They are paged."),
        (Reason::Mitigated, "The harm has stopped. The channels are told; now watch."),
        (Reason::Resolved, "It is over. The channels are told."),
        (Reason::ReopenedByPerson, "It is open again, and you have command."),
        (Reason::EnRoute, "It is written down that you are on your way."),
        (Reason::Released, "It is written down. Thank you."),
        (Reason::Recorded, "It is on the timeline."),
        (Reason::Worsened, "The severity is changed. More people may be called."),
        (Reason::SeverityLowered, "The severity is changed."),
        (Reason::OfficeReleased, "The office is the Commander's until somebody else takes it."),
        (Reason::OfficeDeclined, "It is written down that you do not take it."),
        (Reason::Opened, "It is declared. People are paged as for an alert."),
        (Reason::Merged, "It is part of the other now. Everybody on it is told."),
        (Reason::Split, "This was taken out, and you have command of it."),
        (Reason::PioDeclined, "It is written down that you do not take it."),
    ];
    all.into_iter().find(|(reason, _)| reason.as_str() == word).map(|(_, said)| said)
}

fn nothing(pages: &Pages) -> Response {
    pages.message(StatusCode::NOT_FOUND, "No such incident", "There is no incident with this number.")
}

/// What belongs on the page.
struct Whole {
    found: Found,
    woken: Vec<reach::Page>,
    /// Other open incidents, and those that became part of this one.
    beside: Vec<Named>,
    parts: Vec<Named>,
}

fn find(
    desk: &Desk,
    id: i64,
    asked: &Asked,
    moves: bool,
) -> impl Fn(&Tx<'_>) -> Result<Option<Whole>, StoreError> + Send + Sync + 'static {
    let (rules, asked) = (desk.house.get().rules.clone(), asked.clone());
    move |tx| {
        let Some(saved) = incidents::load(tx, id)? else { return Ok(None) };
        let woken = reach::pages(tx, id)?;
        let open = saved.incident.is_open();
        let mut found = Found::read(tx, saved.incident, &rules, ALERTS_SHOWN, ENTRIES_SHOWN)?;
        if let Some(before) = asked.ends(found.incident.seq) {
            found.show_before(tx, before, ENTRIES_SHOWN)?;
        }
        let mut whole = Whole { found, woken, beside: Vec::new(), parts: Vec::new() };
        // For who may put incidents together, and take them apart.
        if moves {
            whole.beside = if open { beside::open_beside(tx, id, BESIDE_SHOWN)? } else { Vec::new() };
            whole.parts = beside::parts_of(tx, id, BESIDE_SHOWN)?;
        }
        Ok(Some(whole))
    }
}

async fn show(
    desk: &Desk,
    pages: &Pages,
    me: &Me,
    id: &str,
    which: Which,
    asked: Asked,
    failed: Option<Failed>,
) -> Response {
    let Ok(id) = id.parse::<i64>() else { return nothing(pages) };
    let moves = me.may_act() && which == Which::Whole;
    match desk.sight.or_last(find(desk, id, &asked, moves)).await {
        Ok(Seen { value: Some(Whole { found, woken, beside, parts }), as_of }) => {
            let (house, now) = (desk.house.get(), desk.clock.now());
            let rules = &house.rules;
            let status = failed.as_ref().map_or(StatusCode::OK, |failed| failed.status);
            let state = view::State { found: &found, rules, me, now };
            let said = asked.done.as_deref().and_then(done);
            let values = context! {
                reader => me.shown(rules), said, ..context! { ..state.values(failed.as_ref()), ..about(&found, rules, None, now) }
            };
            let (name, values) = match which {
                Which::Whole => {
                    let asked_for = asked.part.clone().or(asked.correct.map(|_| "note".to_owned()));
                    let part = asked_for.filter(|_| failed.is_none()).map(|part| context! { part });
                    let values = context! { ..part.unwrap_or_else(|| context! {}), ..values };
                    let more = context! { pages => super::paged(&woken, rules), correct => state.corrects(asked.correct) };
                    (
                        "incident.html",
                        context! { ..more, ..context! { ..state.moves(&beside, &parts), ..values } },
                    )
                }
                Which::Brief => ("brief.html", context! { brief => state.brief(), ..values }),
            };
            pages.page_of(status, name, values, desk.stale(as_of), &TimeZone::UTC)
        }
        Ok(Seen { value: None, as_of: None }) => nothing(pages),
        Ok(Seen { value: None, .. }) => {
            let text = "The store cannot be reached, and this node knows nothing of this incident: it is new, or has \
                        been over for long. Please try again in a few seconds.";
            pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", text)
        }
        Err(error) => unreadable(pages, &error),
    }
}
