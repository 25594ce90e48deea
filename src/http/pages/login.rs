//! `/login`, `/login/{secret}` and `/logout`: in, and out again.
//!
//! Whoever is a person of the configuration asks for a link, which goes to their own address: the page says the same, as soon,
//! whoever asks and for whom, and however often ([`asks`]). The link only shows a button, for programs that look through mail open every link, and some press
//! what they find; what tells those from people is the same as on answer pages ([`nonce`]). A token of the API does as well, for
//! when mail does not.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};
use secrecy::SecretString;
use serde::Deserialize;

use super::me::{self, Sends, local, pairs};
use super::{Both, FORM_BYTES_MAX};
use crate::commit::{Command, DoorError, SignIn};
use crate::core::rules::Rules;
use crate::crypto;
use crate::http::answer::nonce::{Made, Not, Page};
use crate::http::body;
use crate::http::desk::{Desk, cannot_read};
use crate::http::html::Pages;
use crate::render::full_name;
use crate::store::sessions::{self, TooMany};
use crate::store::sight::Seen;
use crate::store::tokens;

mod asks;

pub use asks::Asks;

/// So long after somebody asked for a link the page says that it may be on its way: longer than it takes to find out whether
/// it is, so that by the time, too, nobody learns who there is.
const SAID_AFTER: Duration = Duration::from_millis(200);
/// Longest secret of a link, in bytes.
const SECRET_BYTES_MAX: usize = 64;
/// What the button says that people do not see.
const PROGRAM: &str = "program";

#[derive(Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    token: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    answer: String,
    out: Option<String>,
}

impl Form {
    async fn read(desk: &Desk, body: Body) -> Self {
        let bytes = body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await.unwrap_or_default();
        pairs(&bytes).unwrap_or_default()
    }

    fn asked(query: Option<String>) -> Self {
        query.and_then(|query| pairs(query.as_bytes())).unwrap_or_default()
    }

    /// Where they want to go.
    fn next(&self) -> &str {
        local(&self.next).unwrap_or("/")
    }
}

/// `GET /login`
pub(in super::super) async fn show(State((desk, pages)): Both, RawQuery(query): RawQuery) -> Response {
    let asked = Form::asked(query);
    let said = if asked.out.is_some() { "You are logged out." } else { "" };
    page(&desk, &pages, StatusCode::OK, said, asked.next())
}

/// `POST /login`: by name, or by token.
pub(in super::super) async fn ask(State((desk, pages)): Both, headers: HeaderMap, body: Body) -> Response {
    let form = Form::read(&desk, body).await;
    if form.token.trim().is_empty() && !form.who.trim().is_empty() {
        return mail(&desk, &pages, &form).await;
    }
    by_token(&desk, &pages, &headers, &form).await
}

/// Nobody waits for what becomes of it: it takes as long whoever is named.
async fn mail(desk: &Desk, pages: &Pages, form: &Form) -> Response {
    let mut said = pin!(tokio::time::sleep(SAID_AFTER));
    let house = desk.house.get();
    if house.mailer.is_none() {
        let said = "This house sends no mail. Log in with a token, or ask an administrator for a link.";
        return page(desk, pages, StatusCode::SERVICE_UNAVAILABLE, said, form.next());
    }
    if !desk.door.is_up() {
        let said = "No link can be sent at this moment: the store takes no writes. Please try again in a few seconds; a token of \
                    the API may do meanwhile.";
        return page(desk, pages, StatusCode::SERVICE_UNAVAILABLE, said, form.next());
    }
    let person = named(&house.rules, &form.who);
    if desk.asks.take(person.is_some(), desk.clock.now()) {
        // Of nobody there is as much to read.
        let name = person.clone().unwrap_or_default();
        let many = desk.sight.now(move |tx| sessions::too_many(tx, &name, true));
        let many = tokio::select! {
            many = many => many.ok().flatten(),
            // The door looks again, in the transaction that makes the link.
            () = &mut said => None,
        };
        if let Some(person) = person {
            begin(desk, person, many, form);
        }
    }
    if !said.is_elapsed() {
        said.await;
    }
    pages.page(StatusCode::OK, "sent.html", context! { minutes => sessions::LINK_LASTS.as_mins() })
}

/// Asks the door for a link by mail.
fn begin(desk: &Desk, person: String, many: Option<TooMany>, form: &Form) {
    if let Some(why) = many {
        tracing::warn!(person, ?why, "no login link goes out: there are too many already");
        return;
    }
    let next = local(&form.next).filter(|next| *next != "/").map(str::to_owned);
    let asked = SignIn::Ask { person: person.clone(), next };
    if let Err(error) = desk.door.begin(Command::SignIn(asked)) {
        tracing::warn!(person, %error, "no login link goes out");
    }
}

/// Whose name this is, or whose address.
fn named(rules: &Rules, who: &str) -> Option<String> {
    let who = who.trim().to_lowercase();
    let is_it =
        |(name, email): (&String, &str)| **name == who || (!email.is_empty() && email.to_lowercase() == who);
    // All are looked at, whoever it is.
    let mut found: Vec<&String> = Vec::new();
    for (name, person) in &rules.people {
        if is_it((name, &person.email)) {
            found.push(name);
        }
    }
    // An address that several have says nobody's name; a name does.
    let exact = found.iter().find(|name| ***name == who).copied();
    let only = match found[..] {
        [only] => Some(only),
        _ => None,
    };
    exact.or(only).cloned()
}

async fn by_token(desk: &Desk, pages: &Pages, headers: &HeaderMap, form: &Form) -> Response {
    let again = |status, said: &str| page(desk, pages, status, said, form.next());
    let unknown = || again(StatusCode::UNAUTHORIZED, "This token is unknown or revoked.");
    let away = "The store cannot be reached, and this node does not know this token. Please try again in a few seconds.";
    let token = sessions::hash(form.token.trim());
    let now = desk.clock.now();
    let known = desk.sight.or_last(move |tx| {
        let Some(known) = tokens::api_token(tx, &token)? else { return Ok(None) };
        // For when this is a copy.
        Ok(Some(sessions::sign_look(tx, &known.id, now)?))
    });
    match known.await {
        Ok(Seen { value: Some(look), as_of: Some(_) }) => me::lead(desk, &look, form.next()),
        Ok(Seen { value: Some(_), as_of: None }) => {
            let begin = |session, before| SignIn::Token { token, session, before };
            match enter(desk, pages, headers, form.next(), begin).await {
                Err(DoorError::NoLogin) => unknown(),
                Err(error) => again(StatusCode::SERVICE_UNAVAILABLE, &not_now(&error)),
                Ok(entered) => entered,
            }
        }
        Ok(Seen { value: None, as_of: None }) => unknown(),
        Ok(Seen { value: None, .. }) => again(StatusCode::SERVICE_UNAVAILABLE, away),
        Err(error) => {
            drop(cannot_read(&error));
            again(StatusCode::SERVICE_UNAVAILABLE, away)
        }
    }
}

/// Makes a session, and leads on with its secret.
async fn enter(
    desk: &Desk,
    pages: &Pages,
    headers: &HeaderMap,
    next: &str,
    begin: impl FnOnce([u8; 32], Option<[u8; 32]>) -> SignIn,
) -> Result<Response, DoorError> {
    let Ok(secret) = crypto::random_secret() else {
        tracing::error!("no random bytes");
        let text = "This machine cannot make a secret at this moment; the log has the cause.";
        return Ok(pages.message(StatusCode::INTERNAL_SERVER_ERROR, "Not logged in", text));
    };
    let asked = begin(sessions::hash(&secret), me::before(desk, headers));
    desk.door.ask(Command::SignIn(asked)).await?;
    Ok(me::lead(desk, &secret, next))
}

fn not_now(error: &DoorError) -> String {
    format!("You are not logged in: {error}. Please try again in a few seconds.")
}

fn page(desk: &Desk, pages: &Pages, status: StatusCode, said: &str, next: &str) -> Response {
    let by_mail = desk.house.get().mailer.is_some();
    let next = Some(next).filter(|next| *next != "/");
    pages.page(status, "login.html", context! { said, next, by_mail, failed => status != StatusCode::OK })
}

/// `GET /login/{secret}`: shows a button, and nothing else happens.
pub(in super::super) async fn link(
    State((desk, pages)): Both,
    Path(secret): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::asked(query);
    match Link::find(&desk, secret).await {
        Ok(Some(link)) => link.page(&desk, &pages, StatusCode::OK, Page::First, "", form.next()),
        Ok(None) => used(&pages),
        Err(response) => *response(&pages),
    }
}

/// `POST /login/{secret}`: the button was pressed.
pub(in super::super) async fn open(
    State((desk, pages)): Both,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = Form::read(&desk, body).await;
    let link = match Link::find(&desk, secret).await {
        Ok(Some(link)) => link,
        // Who pressed twice is in already.
        Ok(None) if me::who(&desk, &headers).await.is_some() => {
            return Redirect::to(form.next()).into_response();
        }
        Ok(None) => return used(&pages),
        Err(response) => return *response(&pages),
    };
    let again = |made, said: &str| link.page(&desk, &pages, StatusCode::CONFLICT, made, said, form.next());
    if form.answer == PROGRAM {
        return again(
            Page::First,
            "That button is for programs; people do not see it. Please press the other one.",
        );
    }
    let (now, after) = (desk.clock.now(), desk.limits.answer_after);
    match Made::read(&form.nonce, &link.key, &link.hash, now, after) {
        Ok(_) => {}
        Err(Not::Early(made)) => {
            let said = "Not yet. Please press once more in a moment: programs that look through mail press buttons, too, and are as \
                        quick as that.";
            return link.page_of(&pages, &desk, StatusCode::CONFLICT, made, said, form.next());
        }
        Err(Not::Unknown(_)) => {
            return again(Page::Again, "Please press once more: this page is not as it was sent.");
        }
    }
    let hash = link.hash;
    let begin = |session, before| SignIn::Open { link: hash, session, before };
    match enter(&desk, &pages, &headers, form.next(), begin).await {
        Ok(entered) => entered,
        Err(DoorError::NoLogin) => used(&pages),
        Err(error @ DoorError::Late) => {
            let text = format!(
                "It is not known whether you are logged in: {error}. If this link does not work any more, ask for another one."
            );
            pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", &text)
        }
        Err(error) => pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", &not_now(&error)),
    }
}

/// A link that works, and what its forms are signed with.
struct Link {
    hash: [u8; 32],
    person: String,
    key: SecretString,
}

/// What is said when that cannot be known.
type Unknown = fn(&Pages) -> Box<Response>;

impl Link {
    async fn find(desk: &Desk, secret: String) -> Result<Option<Self>, Unknown> {
        if secret.len() > SECRET_BYTES_MAX {
            return Ok(None);
        }
        let hash = sessions::hash(&secret);
        let read = desk.sight.now(move |tx| {
            let Some(person) = sessions::link_of(tx, &hash)? else { return Ok(None) };
            Ok(Some(Self { hash, person, key: tokens::answer_key(tx)? }))
        });
        let found = read.await.map_err(|error| {
            drop(cannot_read(&error));
            (|pages: &Pages| {
                let text = "The store cannot be reached at this moment, so nobody can be logged in by a link. Please open it again in a few \
                            seconds; a token of the API lets you look meanwhile.";
                Box::new(pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", text))
            }) as Unknown
        })?;
        Ok(found.filter(|link| desk.house.get().rules.people.contains_key(&link.person)))
    }

    fn page(
        &self,
        desk: &Desk,
        pages: &Pages,
        status: StatusCode,
        page: Page,
        said: &str,
        next: &str,
    ) -> Response {
        self.page_of(pages, desk, status, Made::now(page, desk.clock.now()), said, next)
    }

    fn page_of(
        &self,
        pages: &Pages,
        desk: &Desk,
        status: StatusCode,
        made: Made,
        said: &str,
        next: &str,
    ) -> Response {
        let name = full_name(&desk.house.get().rules, &self.person);
        let nonce = made.word(&self.key, &self.hash);
        let next = Some(next).filter(|next| *next != "/");
        pages.page(status, "enter.html", context! { said, name, nonce, next })
    }
}

fn used(pages: &Pages) -> Response {
    let text = "A link works once, and for a quarter of an hour: this one was used, or is too old, or never was one.";
    let values = context! { heading => "This link does not work any more", text, kept => Value::from(()), login => true };
    pages.page(StatusCode::GONE, "message.html", values)
}

/// `POST /logout`
pub(in super::super) async fn out(State((desk, pages)): Both, sent: Sends) -> Response {
    match desk.door.ask(Command::SignIn(SignIn::Out(sent.me.session))).await {
        Ok(_) => me::lead(&desk, "", "/login?out=1"),
        Err(error) => {
            let text = format!("You are still logged in: {error}. Please try again in a few seconds.");
            pages.message(StatusCode::SERVICE_UNAVAILABLE, "Not at this moment", &text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::channels::mail::Mailer;
    use crate::core::rules::Person;
    use crate::house::House;
    use crate::http::desk::tests::desk;

    #[tokio::test]
    async fn who_asks_in_a_loop_hears_the_same_and_takes_no_room_of_the_answers_to_pages() {
        let person = Person { email: "maya@example.net".into(), ..Person::default() };
        let rules = Rules { people: [("maya".to_owned(), person)].into(), ..Rules::default() };
        let relays = ["file:/nonexistent".to_owned()];
        let mailer = Mailer::new("pager@example.net", &relays, None, None).unwrap();
        let house = House { rules: Arc::new(rules), mailer: Some(Arc::new(mailer)), ..House::default() };
        // Nobody takes from the queue: what is asked stays in it.
        let (desk, _kept) = desk(house);
        let pages = Pages::new().unwrap();
        let form = |who: &str| Form { who: who.into(), ..Form::default() };
        let asked = (0..2500).map(|n| {
            let (desk, pages) = (&desk, &pages);
            let form = form(if n % 2 == 0 { "maya" } else { "nobody" });
            async move { mail(desk, pages, &form).await.status() }
        });
        let said = futures_util::future::join_all(asked).await;
        assert!(said.iter().all(|status| *status == StatusCode::OK), "{said:?}");
        let room = (0..2000).filter(|_| desk.door.begin(Command::Forget).is_ok()).count();
        assert_eq!(room, 2000, "the queue was filled");
    }

    #[test]
    fn people_are_known_by_name_and_by_an_address_that_is_theirs_alone() {
        let person =
            |name: &str, email: &str| (name.to_owned(), Person { email: email.into(), ..Person::default() });
        let people = [
            person("maya", "Maya@Example.net"),
            person("tom", "ops@example.net"),
            person("kim", "ops@example.net"),
            person("board", ""),
        ];
        let rules = Rules { people: people.into(), ..Rules::default() };
        let named = |who: &str| named(&rules, who);
        for who in ["maya", " Maya ", "maya@example.net", "MAYA@EXAMPLE.NET "] {
            assert_eq!(named(who).as_deref(), Some("maya"), "{who}");
        }
        assert_eq!(named("tom").as_deref(), Some("tom"));
        for nobody in ["ops@example.net", "", "nobody", "maya@", "maya, tom"] {
            assert_eq!(named(nobody), None, "{nobody}");
        }
    }
}
