//! Who is logged in in the browser that shows an answer page, and how whoever has answered comes to be.
//!
//! A link is authority over its own answer, and over nobody's browser: another site may let a browser send a form to a link that
//! is that site's own, and would so log somebody in as somebody else, who reads what they write from then on. So a session is
//! made only where the browser says that the form stood on a page of ours (`Sec-Fetch-Site`). Browsers that say nothing, as all
//! do where pages come without TLS, have to bring the cookie that they were given with the page of this link, and that they do
//! not send with the forms of other sites (`SameSite`). By the origin nothing can be told: these pages send none, because their address is
//! a secret. An answer counts without any of that.
//!
//! Whoever is logged in here may be somebody else, at whose machine the page was answered. The page says who, and changes it
//! only when it is asked to.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use minijinja::{Value, context};
use secrecy::ExposeSecret as _;

use super::nonce::{LASTS, Made, Not, Page};
use super::{Form, Known, Shown, read_word};
use crate::commit::{Command, DoorError, SignIn};
use crate::crypto;
use crate::http::desk::Desk;
use crate::http::pages::me;
use crate::render::full_name;
use crate::store::sessions::{self, MadeOf, Session};
use crate::store::tokens::Holder;

/// How long somebody who has answered waits to be logged in as well.
const ENTERED_WAIT: Duration = Duration::from_secs(2);
/// What the buttons say that are about the login of this browser.
const ENTER: &str = "enter";
const OUT: &str = "out";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The cookie that a browser has been given with pages. Where they come by HTTPS its name binds it to this host, and to that.
const COOKIE: &str = "onscene_answer";
const COOKIE_SECURE: &str = "__Host-onscene_answer";
/// What else is signed with the same key says something else here.
const PURPOSE: &[u8] = b"onscene answer page in a browser 1\0";
/// Hexadecimal digits of what stands in it for one page: 128 bits.
const TAG_DIGITS: usize = 32;
/// So many pages, those first that were opened last.
const PAGES_MAX: usize = 8;

/// Who is logged in in this browser, and since this press.
pub(super) struct Here {
    holder: Holder,
    now: bool,
}

impl Here {
    /// Who is logged in here, as far as the store says now.
    pub(super) async fn of(desk: &Desk, headers: &HeaderMap) -> Option<Self> {
        me::who(desk, headers).await.map(Self::stays)
    }

    fn stays(session: Session) -> Self {
        Self { holder: session.holder, now: false }
    }

    /// What the page says of it.
    pub(super) fn shown(&self, desk: &Desk, known: &Known) -> Value {
        let name = match &self.holder {
            Holder::Person(name) => full_name(&desk.house.get().rules, name),
            Holder::Automation(name) => name.clone(),
        };
        context! { name, theirs => is_theirs(&self.holder, known), now => self.now }
    }
}

fn is_theirs(holder: &Holder, known: &Known) -> bool {
    holder.person() == Some(known.link.person.as_str())
}

/// What became of the login of a browser.
#[derive(Default)]
pub(super) struct Login {
    /// Who is logged in here.
    pub(super) here: Option<Here>,
    /// The secret of a session for the browser to keep; empty: to forget.
    pub(super) secret: Option<String>,
}

/// Whoever has answered a page as humans do goes on to the page of the incident, logged in as its person. A browser that is
/// logged in stays so, as whoever it is; only a login that ends with another incident is made anew.
pub(super) async fn enters(desk: &Desk, known: &Known, headers: &HeaderMap) -> Login {
    let there = me::who(desk, headers).await;
    let ends_before = there.as_ref().is_some_and(|session| {
        is_theirs(&session.holder, known)
            && matches!(session.made_of, MadeOf::AnswerLink(incident) if incident != known.link.incident)
    });
    let stays = there.map(Here::stays);
    if stays.is_some() && !ends_before || !is_of_our_page(desk, known, headers) {
        return Login { here: stays, secret: None };
    }
    // They have answered, which is what counts; the page says who is logged in.
    begin(desk, known, headers).await.unwrap_or(Login { here: stays, secret: None })
}

/// Makes a session of the link's person, in the place of the one that this browser had.
async fn begin(desk: &Desk, known: &Known, headers: &HeaderMap) -> Option<Login> {
    let secret = crypto::random_secret().ok()?;
    let (session, before) = (sessions::hash(&secret), me::before(desk, headers));
    let asked = desk.door.ask(Command::SignIn(SignIn::Answered { link: known.hash, session, before }));
    match tokio::time::timeout(ENTERED_WAIT, asked).await {
        Ok(Ok(_)) => {
            let holder = Holder::Person(known.link.person.clone());
            Some(Login { here: Some(Here { holder, now: true }), secret: Some(secret) })
        }
        _ => None,
    }
}

/// A press of a button that is about the login of this browser, and about no incident; `None`: it is another button.
pub(super) async fn pressed(
    desk: &Desk,
    known: &Known,
    headers: &HeaderMap,
    form: &Form,
) -> Option<(Shown, Login)> {
    if form.answer != ENTER && form.answer != OUT {
        return None;
    }
    let stays = async || Login { here: Here::of(desk, headers).await, secret: None };
    let refused = |made, said: &str| Shown::once_more(made, StatusCode::CONFLICT, said);
    let now = desk.clock.now();
    let made = match read_word(desk, known, form) {
        // Who has not answered as humans do is logged in by nothing.
        Ok(made) if form.answer == OUT || made.page == Page::Known => made,
        Ok(_) => {
            let said = "Nothing was changed. Please answer the page first.";
            return Some((refused(Made::now(Page::Again, now), said), stays().await));
        }
        Err(Not::Early(made) | Not::Unknown(made)) => {
            let said = "Nothing was changed. Please press once more.";
            return Some((refused(made, said), stays().await));
        }
    };
    let made = Made { at: Made::now(made.page, now).at, ..made };
    if !is_of_our_page(desk, known, headers) {
        let said = "Nothing was changed: your browser does not say that this button stood on a page of ours.";
        return Some((refused(made, said), stays().await));
    }
    let said = |said: String| Shown { said: Some(said), ..Shown::of(made) };
    if form.answer == ENTER {
        return Some(match begin(desk, known, headers).await {
            Some(login) => (Shown::of(made), login),
            None => {
                let words =
                    "You could not be logged in by this page at this moment, or it logs nobody in any more.";
                (said(words.to_owned()), stays().await)
            }
        });
    }
    let Some(session) = me::before(desk, headers) else {
        return Some((said("Nobody is logged in here.".to_owned()), Login::default()));
    };
    Some(match desk.door.ask(Command::SignIn(SignIn::Out(session))).await {
        Ok(_) => {
            let words = "This browser is logged out. Your page answers as before.";
            (said(words.to_owned()), Login { here: None, secret: Some(String::new()) })
        }
        Err(error) => (said(still_in(&error)), stays().await),
    })
}

fn still_in(error: &DoorError) -> String {
    format!("This browser is still logged in: {error}. Please try again in a few seconds.")
}

/// Whether a press came from the page of this link in this browser.
fn is_of_our_page(desk: &Desk, known: &Known, headers: &HeaderMap) -> bool {
    match headers.get(FETCH_SITE) {
        Some(site) => site.as_bytes() == b"same-origin",
        None => {
            let tag = tag(known);
            tags(desk, headers).any(|brought| crypto::same(brought.as_bytes(), tag.as_bytes()))
        }
    }
}

/// Gives the browser that shows a page what it will be known by when a button on it is pressed.
pub(super) fn mark(desk: &Desk, known: &Known, headers: &HeaderMap, answer: &mut Response) {
    let own = tag(known);
    let others = tags(desk, headers).filter(|other| *other != own).take(PAGES_MAX - 1);
    let all: Vec<&str> = std::iter::once(own.as_str()).chain(others).collect();
    let secure = if desk.house.get().renderer.is_https() { "; Secure" } else { "" };
    let (name, lasts) = (name(desk), LASTS.as_secs());
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{secure}", all.join("."));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn name(desk: &Desk) -> &'static str {
    if desk.house.get().renderer.is_https() { COOKIE_SECURE } else { COOKIE }
}

/// What a browser brings of the pages that it was given.
fn tags<'a>(desk: &Desk, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
    let is_one = |tag: &&str| tag.len() == TAG_DIGITS && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let brought = me::cookie(headers, name(desk)).unwrap_or_default();
    brought.split('.').take(PAGES_MAX).filter(is_one)
}

fn tag(known: &Known) -> String {
    let key = known.key.expose_secret().as_bytes();
    let mut tag = crypto::hex(&crypto::hmac_sha256(key, &[PURPOSE, &known.hash[..]]));
    tag.truncate(TAG_DIGITS);
    tag
}
