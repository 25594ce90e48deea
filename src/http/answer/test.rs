//! The page of a test: it asks only whether the test has reached its person, by the way whose link was followed.

use axum::response::Response;
use http::StatusCode;
use minijinja::context;

use super::super::desk::Desk;
use super::super::html::Pages;
use super::nonce::{Made, Not, Page};
use super::{Form, Known, PROGRAM, not_yet, read_word, shortly};
use crate::commit::{Asked, Command};
use crate::render::full_name;

/// What the button says.
const REACHED: &str = "reached";

/// The page, with its button.
pub(super) fn page(desk: &Desk, pages: &Pages, known: &Known, made: Made, said: Option<&str>) -> Response {
    let status = if said.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let values = context! {
        name => full_name(&desk.house.get().rules, &known.link.person),
        nonce => made.word(&known.key, &known.hash),
        said,
        done => false,
    };
    pages.page(status, "test.html", values)
}

/// What was pressed on it.
pub(super) async fn pressed(desk: &Desk, pages: &Pages, known: &Known, form: Option<&Form>) -> Response {
    let now = desk.clock.now();
    if form.is_some_and(|form| form.answer == PROGRAM) {
        desk.presses.saw_robot(&known.hash, now);
        let said = "That button is for programs that look through mail; people do not see it. Nothing was written down.";
        return page(desk, pages, known, Made::now(Page::First, now), Some(said));
    }
    let Some(form) = form.filter(|form| form.answer == REACHED) else {
        let said = "That was no button of this page. Nothing was written down.";
        return page(desk, pages, known, Made::now(Page::Again, now), Some(said));
    };
    match read_word(desk, known, form) {
        Ok(made) if desk.presses.robot_at(&known.hash, now).is_none_or(|at| made.at > at) => {}
        Ok(_) => {
            let said = "Please press once more: since this page was opened, a program that looks through mail has pressed a \
                        button on it.";
            return page(desk, pages, known, Made::now(Page::Again, now), Some(said));
        }
        Err(Not::Early(made)) => {
            let said = format!("Please press once more, after {}.", shortly(desk));
            return page(desk, pages, known, made, Some(&said));
        }
        Err(Not::Unknown(made)) => {
            return page(desk, pages, known, made, Some("Please press once more."));
        }
    }
    match desk.door.ask(Command::Reach(Asked::Confirmed(known.hash))).await {
        Ok(_) => {
            let name = full_name(&desk.house.get().rules, &known.link.person);
            let values = context! { name, nonce => "", said => None::<&str>, done => true };
            pages.page(StatusCode::OK, "test.html", values)
        }
        Err(error) => not_yet(pages, &error.to_string(), None),
    }
}
