//! `/subscribe`, `/confirm` and `/unsubscribe`, for anybody: statements by mail.
//!
//! Reads: nothing. Writes: through the door, and few: whoever may ask without being known is heard a few times a second, and what is
//! beyond that never comes to the door. Whoever asks for an address learns nothing of it: the page says the same, as soon,
//! whether it is new, known or refused. A GET only shows a button, for programs that look through mail open every link. No
//! cookie is set or read. A mail program that is asked to unsubscribe posts the link itself (RFC 8058).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use minijinja::context;
use serde::Deserialize;

use super::body;
use super::html::Pages;
use super::pages::login::Asks;
use super::pages::me::pairs;
use crate::clock::Clock;
use crate::commit::{Command, Door, DoorError, Reply, Subscribing};
use crate::house::Current;
use crate::store::readers::Readers;
use crate::store::subscribers::{self, Purpose};

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 4 * 1024;
/// Longest address of mail (RFC 5321, 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;
/// So long after somebody asked the page says so, whatever is known of the address.
const SAID_AFTER: Duration = Duration::from_millis(200);

/// What the pages for subscribers need. Cheap to clone.
#[derive(Clone)]
pub struct Subscriptions {
    /// Where what is asked goes.
    pub door: Door,
    /// Whether there is a list.
    pub house: Arc<Current>,
    /// Writes pages.
    pub pages: Pages,
    /// The hour.
    pub clock: Clock,
    /// Whether a link is ours is read.
    pub readers: Readers,
    /// For the body of a form.
    pub body_timeout: Duration,
    /// How many may ask.
    pub asks: Arc<Asks>,
}

/// The pages for subscribers, for the public listener.
pub fn routes(subscriptions: Subscriptions) -> Router {
    Router::new()
        .route("/subscribe", get(form).post(ask))
        .route("/confirm", get(show_confirm).post(confirm))
        .route("/unsubscribe", get(show_end).post(end))
        .with_state(subscriptions)
}

#[derive(Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    address: String,
    #[serde(default)]
    token: String,
}

impl Subscriptions {
    fn title(&self) -> Option<String> {
        self.house.get().list.as_ref().filter(|list| list.takes).map(|list| list.title.clone())
    }

    fn page(&self, status: StatusCode, heading: &str, text: &str, shows: Shows) -> Response {
        let (button, field) = match shows {
            Shows::Words => ("", ""),
            Shows::Button(button) => (button, ""),
            Shows::Field(button) => (button, "address"),
        };
        self.pages.page(status, "subscribe.html", context! { heading, text, button, field })
    }

    fn nothing(&self) -> Response {
        self.page(StatusCode::NOT_FOUND, "Nothing here", "Updates are not sent by mail here.", Shows::Words)
    }

    fn busy(&self) -> Response {
        let text = "This cannot be done at this moment. Please try again in a minute.";
        let mut response = self.page(StatusCode::SERVICE_UNAVAILABLE, "Not now", text, Shows::Words);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        response
    }

    async fn read(&self, body: Body) -> Form {
        let bytes = body::read(body, FORM_BYTES_MAX, self.body_timeout).await.unwrap_or_default();
        pairs(&bytes).unwrap_or_default()
    }

    /// Presses the button behind a link; `None`: it cannot be done now.
    async fn press(&self, asked: Subscribing) -> Option<bool> {
        let (Subscribing::Confirm { token } | Subscribing::End { token }) = &asked else { return None };
        // What is no link of ours takes nobody's turn.
        if !is_token(token) {
            return Some(false);
        }
        let purpose = match asked {
            Subscribing::End { .. } => Purpose::End,
            _ => Purpose::Confirm,
        };
        let its = token.clone();
        match self.readers.read(move |tx| subscribers::works(tx, &its, purpose)).await {
            Ok(true) => {}
            Ok(false) => return Some(false),
            Err(_) => return None,
        }
        // Each link ends once: a thousand readers who leave at once keep nobody else from it.
        let has_turn = purpose == Purpose::End || self.asks.take(false, self.clock.now());
        if !has_turn || !self.door.is_up() {
            return None;
        }
        match self.door.ask(Command::Subscribe(asked)).await {
            Ok(Reply::Looked(worked)) => Some(worked),
            Ok(_) => Some(false),
            Err(error) => {
                log(&error);
                None
            }
        }
    }
}

/// What stands on a page beside its words.
#[derive(Clone, Copy)]
enum Shows {
    Words,
    Button(&'static str),
    Field(&'static str),
}

fn is_token(text: &str) -> bool {
    let digits = |part: &str, least: usize| {
        (least..=64).contains(&part.len()) && part.chars().all(|c| c.is_ascii_hexdigit())
    };
    text.split_once('-').is_some_and(|(id, mac)| digits(id, 1) && digits(mac, 32))
}

fn log(error: &DoorError) {
    tracing::warn!(%error, "what a subscriber asked cannot be done");
}

fn token_of(query: Option<String>) -> String {
    query.and_then(|query| pairs::<Form>(query.as_bytes())).unwrap_or_default().token
}

/// `GET /subscribe`
async fn form(State(here): State<Subscriptions>) -> Response {
    let Some(title) = here.title() else { return here.nothing() };
    let text = format!(
        "Updates of {title} by mail. You get a letter with a link first; nothing comes before you have confirmed it there."
    );
    here.page(StatusCode::OK, "Updates by mail", &text, Shows::Field("Send me updates"))
}

/// `POST /subscribe`
async fn ask(State(here): State<Subscriptions>, body: Body) -> Response {
    if here.title().is_none() {
        return here.nothing();
    }
    let address = here.read(body).await.address.trim().to_owned();
    if !is_address(&address) {
        let text = "This is no mail address, such as name@example.net.";
        return here.page(StatusCode::BAD_REQUEST, "Updates by mail", text, Shows::Field("Send me updates"));
    }
    if !here.asks.take(true, here.clock.now()) || !here.door.is_up() {
        return here.busy();
    }
    // Nobody waits for what becomes of it: it takes as long whoever is named.
    let begun = here.door.begin(Command::Subscribe(Subscribing::Ask { address }));
    if let Err(error) = begun {
        log(&error);
        return here.busy();
    }
    tokio::time::sleep(SAID_AFTER).await;
    let text = "If updates can be sent to this address and are not yet, a letter with a link is on its way. Open the link and press \
                the button there. Nothing came? Look among unwanted mail, and ask again in an hour.";
    here.page(StatusCode::OK, "Look at your mail", text, Shows::Words)
}

fn is_address(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    // A domain of the world: neither a machine of ours by its bare name nor an address of the network.
    let is_worldly = |domain: &str| {
        domain.contains('.') && !domain.starts_with('[') && domain.parse::<std::net::IpAddr>().is_err()
    };
    text.len() <= ADDRESS_BYTES_MAX
        && text.chars().all(plain)
        && text.parse::<lettre::Address>().is_ok_and(|address| is_worldly(address.domain()))
}

/// `GET /confirm?token=`
async fn show_confirm(State(here): State<Subscriptions>) -> Response {
    let Some(title) = here.title() else { return here.nothing() };
    let text = format!("Press the button to get updates of {title} by mail.");
    here.page(StatusCode::OK, "Updates by mail", &text, Shows::Button("Confirm"))
}

/// `POST /confirm?token=`
async fn confirm(State(here): State<Subscriptions>, RawQuery(query): RawQuery) -> Response {
    match here.press(Subscribing::Confirm { token: token_of(query) }).await {
        Some(true) => {
            let text = "Updates will be sent to you. Each has a link by which you get no more of them.";
            here.page(StatusCode::OK, "Confirmed", text, Shows::Words)
        }
        Some(false) => {
            let text = "This link does not work, or not any more. Ask for updates again, and use the link of the newest letter.";
            here.page(StatusCode::NOT_FOUND, "This link does not work", text, Shows::Words)
        }
        None => here.busy(),
    }
}

/// `GET /unsubscribe?token=`
async fn show_end(State(here): State<Subscriptions>) -> Response {
    let text = "Press the button to get no more updates by mail. Your address is forgotten.";
    here.page(StatusCode::OK, "No more updates", text, Shows::Button("Unsubscribe"))
}

/// `POST /unsubscribe?token=`, by a person or by a mail program.
async fn end(State(here): State<Subscriptions>, RawQuery(query): RawQuery) -> Response {
    match here.press(Subscribing::End { token: token_of(query) }).await {
        Some(true) => {
            let text = "No more updates are sent to the address, and it is forgotten.";
            here.page(StatusCode::OK, "Done", text, Shows::Words).into_response()
        }
        // A mail program that did so already has what its reader wants, so it is no error (RFC 8058).
        Some(false) => {
            let text =
                "This link ends nothing any more. If updates still come, use the link in the newest of them.";
            here.page(StatusCode::OK, "Done", text, Shows::Words).into_response()
        }
        None => here.busy(),
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};
    use tower::ServiceExt as _;

    use super::*;
    use crate::house::{House, List};
    use crate::http::desk::Desk;
    use crate::http::desk::tests::desk;
    use crate::mailing::Mailing;

    fn listed() -> House {
        let list = List { channel: "readers".into(), title: String::new(), url: String::new(), takes: false };
        let list = list.at("Example status", "https://status.example.net", true);
        House { list: Some(list), ..House::default() }
    }

    fn site(desk: &Desk, directory: &std::path::Path) -> Router {
        let place = crate::store::Place::Sqlite(directory.join("onscene.db"));
        routes(Subscriptions {
            door: desk.door.clone(),
            house: desk.house.clone(),
            pages: Pages::new().unwrap(),
            clock: desk.clock.clone(),
            readers: Readers::new(place, desk.clock.clone()),
            body_timeout: Duration::from_secs(5),
            asks: Arc::new(Asks::default()),
        })
    }

    async fn ask(site: &Router, method: Method, path: &str, form: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        let response = site.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert!(response.headers().get(header::SET_COOKIE).is_none());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn somebody_subscribes_confirms_and_leaves() {
        let (desk, (mut committer, directory)) = desk(listed());
        let place = crate::store::Place::Sqlite(directory.path().join("onscene.db"));
        let readers = Readers::new(place, desk.clock.clone());
        let (site, mailing) =
            (site(&desk, directory.path()), Mailing { door: desk.door.clone(), readers: readers.clone() });
        let commits = tokio::task::spawn_blocking(move || while committer.step() {});
        let (status, page) = ask(&site, Method::GET, "/subscribe", "").await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("name=\"address\"") && !page.contains("<script"), "{page}");
        assert_eq!(
            ask(&site, Method::POST, "/subscribe", "address=reader%40example.org").await.0,
            StatusCode::OK
        );
        let read = |sql: &'static str| {
            let readers = readers.clone();
            async move { readers.read(move |tx| tx.query(sql, &[], |row| row.text(0))).await.unwrap() }
        };
        let mut letters = Vec::new();
        for _ in 0..100 {
            letters = read("select payload from letter").await;
            if !letters.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let token =
            letters[0].split("confirm?token=").nth(1).unwrap().split(['\\', '"', ' ']).next().unwrap();
        let link = format!("/confirm?token={token}");
        let (status, page) = ask(&site, Method::GET, &link, "").await;
        assert!(status == StatusCode::OK && page.contains("<form method=\"post\">"), "{page}");
        assert_eq!(read("select state from subscriber").await, ["asked"], "a GET does nothing");
        assert_eq!(ask(&site, Method::POST, "/confirm?token=1-00", "").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&site, Method::POST, &link, "").await.0, StatusCode::OK);
        assert_eq!(read("select state from subscriber").await, ["confirmed"]);
        assert!(!mailing.step().await, "nothing waits");
        let end = readers
            .read(|tx| {
                let key = crate::store::tokens::answer_key(tx)?;
                let all = crate::store::subscribers::confirmed(tx, "readers", tx.now, 0, 10)?;
                Ok(all[0].token(&key, crate::store::subscribers::Purpose::End))
            })
            .await
            .unwrap();
        let link = format!("/unsubscribe?token={end}");
        assert!(ask(&site, Method::GET, &link, "").await.1.contains("Unsubscribe"));
        assert_eq!(read("select state from subscriber").await.len(), 1, "a GET does nothing");
        // As a mail program does it.
        assert_eq!(ask(&site, Method::POST, &link, "List-Unsubscribe=One-Click").await.0, StatusCode::OK);
        assert!(read("select state from subscriber").await.is_empty());
        assert_eq!(ask(&site, Method::POST, &link, "List-Unsubscribe=One-Click").await.0, StatusCode::OK);
        drop((desk, site, mailing));
        commits.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_asks_reads_the_same_and_a_crowd_takes_no_room_at_the_door() {
        // Nobody takes from the queue: what is asked stays in it.
        let (desk, (_kept, directory)) = desk(listed());
        let site = site(&desk, directory.path());
        let mut pages = std::collections::BTreeSet::new();
        for address in ["a%40example.org", "b%40example.org", "a%40example.org"] {
            pages.insert(ask(&site, Method::POST, "/subscribe", &format!("address={address}")).await);
        }
        assert_eq!(pages.len(), 1, "{pages:?}");
        for wrong in
            ["address=nobody", "", "address=a%40b%0d%0aBcc:c%40d.example", "address=a%20b%40example.org"]
        {
            assert_eq!(
                ask(&site, Method::POST, "/subscribe", wrong).await.0,
                StatusCode::BAD_REQUEST,
                "{wrong}"
            );
        }
        let asked = (0..200).map(|number| {
            let site = &site;
            async move {
                ask(site, Method::POST, "/subscribe", &format!("address=r{number}%40example.org")).await.0
            }
        });
        let said = futures_util::future::join_all(asked).await;
        let heard = said.iter().filter(|status| **status == StatusCode::OK).count();
        assert!((5..40).contains(&heard), "{heard}");
        assert!(
            said.iter().all(|status| matches!(*status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE))
        );
    }

    #[tokio::test]
    async fn without_a_list_nobody_can_ask() {
        let (desk, (_kept, directory)) = desk(House::default());
        let site = site(&desk, directory.path());
        for method in [Method::GET, Method::POST] {
            assert_eq!(
                ask(&site, method, "/subscribe", "address=a%40example.org").await.0,
                StatusCode::NOT_FOUND
            );
        }
    }
}
