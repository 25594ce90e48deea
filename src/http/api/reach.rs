//! `/api/v1/people` and `/api/v1/tests`: by which ways people are reached, and whether they are; and what became of the pages of
//! an incident.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::super::desk::{Desk, cannot_read};
use super::super::problem::Problem;
use super::lasting::author;
use super::{acting, not_there, number};
use crate::commit::{Asked, Command, Reply};
use crate::core::reach::{MAIL, Way, without_addresses};
use crate::core::role::Deed;
use crate::core::rules::{Person, Rules};
use crate::store::letters::Leg;
use crate::store::reach::{Known, Page, Test};
use crate::store::tokens::Holder;
use crate::store::{incidents, reach};

/// So many characters of the address of somebody else are shown, its last ones.
const SHOWN_CHARS: usize = 4;

/// `GET /api/v1/people`
pub(in super::super) async fn people(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    // What is known of addresses is not in the copy that is shown while the store is away.
    let known = desk.sight.now(reach::all).await.map_err(|error| cannot_read(&error))?;
    let house = desk.house.get();
    let people = &house.rules.people;
    let whole = |name: &str| sees(&house.rules, &holder, name);
    let people = people.iter().map(|(name, person)| person_of(name, person, &known, whole(name)));
    Ok(Json(json!({"people": people.collect::<Vec<_>>()})).into_response())
}

/// Whether the holder of a token sees addresses of somebody whole: they are nobody's business but their owner's, and of those who
/// look after the ways.
pub(super) fn sees(rules: &Rules, holder: &Holder, of: &str) -> bool {
    match holder {
        Holder::Person(who) => who == of || rules.people.get(who).is_some_and(|known| known.administrator),
        Holder::Automation(_) => false,
    }
}

/// What the other side said of a letter, which may hold the address.
pub(super) fn said(why: Option<&str>, whole: bool) -> Option<String> {
    why.map(|why| if whole { why.to_owned() } else { without_addresses(why) })
}

/// As much of an address as its owner needs to tell it from another one.
fn masked(address: &str) -> String {
    let count = address.chars().count();
    let shown = if count > 2 * SHOWN_CHARS { SHOWN_CHARS } else { 0 };
    format!("…{}", address.chars().skip(count - shown).collect::<String>())
}

fn person_of(name: &str, person: &Person, known: &[Known], whole: bool) -> Value {
    let way = |way: &str, address: &str, of: Option<&Way>| {
        let known = known.iter().find(|one| one.person == name && one.way == way && one.address == address);
        json!({
            "way": way,
            "to": if whole { address.to_owned() } else { masked(address) },
            "after_s": of.map_or(0, |way| way.after.as_secs()),
            "severities": of.map(|way| way.severities.iter().map(|one| one.as_str()).collect::<Vec<_>>()),
            "tested_at": known.map(|known| known.tested_at),
            "outcome": known.map(|known| known.outcome.as_str()),
            "why": said(known.and_then(|known| known.why.as_deref()), whole),
            "confirmed_at": known.and_then(|known| known.confirmed_at),
        })
    };
    let mail = (!person.email.is_empty()).then(|| way(MAIL, &person.email, None));
    let others = person.ways.iter().map(|one| way(&one.name, &one.to, Some(one)));
    json!({
        "person": name,
        "full_name": person.full_name,
        "role": person.role().as_str(),
        "time_zone": person.time_zone.iana_name(),
        "ways": mail.into_iter().chain(others).collect::<Vec<_>>(),
    })
}

/// `POST /api/v1/people/{name}/test`
pub(in super::super) async fn test(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let by = acting(&desk, &headers, None).await?;
    let holder = desk.holder(&headers, Deed::Act).await?;
    let command = Command::Reach(Asked::Test { person: name, asked_by: author(&by.actor) });
    let Reply::Tested(page) = desk.door.ask(command).await? else { return Err(Problem::internal()) };
    let found = desk.sight.now(move |tx| reach::test(tx, page)).await.map_err(|error| {
        drop(cannot_read(&error));
        Problem::unavailable("the test goes out; it cannot be shown at this moment", 5)
    })?;
    let test = found.ok_or_else(Problem::internal)?;
    let whole = sees(&desk.house.get().rules, &holder, &test.person);
    Ok((StatusCode::CREATED, Json(test_of(page, &test, whole))).into_response())
}

/// `GET /api/v1/tests/{n}`
pub(in super::super) async fn show_test(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(page): Path<String>,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    let nothing = || Problem::not_found("there is no test with this number");
    let page: i64 = page.parse().map_err(|_| nothing())?;
    let found = desk.sight.now(move |tx| reach::test(tx, page)).await.map_err(|error| cannot_read(&error))?;
    let test = found.ok_or_else(nothing)?;
    let whole = sees(&desk.house.get().rules, &holder, &test.person);
    Ok(Json(test_of(page, &test, whole)).into_response())
}

fn test_of(page: i64, test: &Test, whole: bool) -> Value {
    json!({
        "test": page,
        "person": test.person,
        "asked_by": test.asked_by,
        "at": test.at,
        "ways": test.legs.iter().map(|one| leg(one, whole)).collect::<Vec<_>>(),
        "answered_at": test.answered_at,
    })
}

fn leg(leg: &Leg, whole: bool) -> Value {
    json!({
        "way": leg.name(),
        "state": leg.state,
        "at": leg.at,
        "why": said(leg.why.as_deref(), whole),
        "reported": leg.reported.as_ref().map(|(word, _)| word),
        "reported_at": leg.reported.as_ref().map(|(_, at)| at),
    })
}

/// `GET /api/v1/incidents/{n}/pages`
pub(in super::super) async fn pages(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let holder = desk.holder(&headers, Deed::Look).await?;
    let id = number(&id)?;
    let read = desk.sight.now(move |tx| {
        let Some(_) = incidents::load(tx, id)? else { return Ok(None) };
        reach::pages(tx, id).map(Some)
    });
    let found = read.await.map_err(|error| cannot_read(&error))?.ok_or_else(|| not_there(id, None))?;
    let house = desk.house.get();
    let pages: Vec<Value> =
        found.iter().map(|one| page(one, sees(&house.rules, &holder, &one.person))).collect();
    Ok(Json(json!({"pages": pages})).into_response())
}

fn page(page: &Page, whole: bool) -> Value {
    json!({
        "person": page.person,
        "kind": page.kind,
        "at": page.at,
        "ways": page.legs.iter().map(|one| leg(one, whole)).collect::<Vec<_>>(),
        "opened_at": page.opened_at,
        "answered_at": page.answered.as_ref().map(|(at, _)| at),
        "answered_by": page.answered.as_ref().map(|(_, route)| route),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_address_of_somebody_else_the_end_is_shown_and_of_a_short_one_nothing() {
        let shown = ["+4791234567", "maya@example.net", "12345678", "maya", ""].map(masked);
        assert_eq!(shown, ["…4567", "….net", "…", "…", "…"]);
        let why = Some("550 5.1.1 <maya@example.net>: no such user");
        assert_eq!(said(why, false).as_deref(), Some("550 5.1.1 no such user"));
        assert_eq!((said(why, true).as_deref(), said(None, false)), (why, None));
        let mut rules = Rules::default();
        for (name, administrator) in [("maya", true), ("tom", false), ("kim", false)] {
            rules.people.insert(name.into(), Person { administrator, ..Person::default() });
        }
        let of_tom = |holder| sees(&rules, &holder, "tom");
        let person = |name: &str| Holder::Person(name.into());
        assert!(of_tom(person("tom")) && of_tom(person("maya")));
        assert!(!of_tom(person("kim")) && !of_tom(Holder::automation("backup").unwrap()));
        let person = Person { email: "maya@example.net".into(), ..Person::default() };
        let to = |whole| person_of("maya", &person, &[], whole)["ways"][0]["to"].clone();
        assert_eq!((to(true), to(false)), (json!("maya@example.net"), json!("….net")));
    }
}
