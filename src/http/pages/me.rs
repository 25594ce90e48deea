//! Who is logged in, and the forms they send.
//!
//! A handler of a page has its reader from [`Looks`]; one that changes something has who sends it, and what was sent, from
//! [`Acts`], and from nothing else. So none can forget what has to be asked first: that the session lasts, that its holder may
//! do such a thing, and that the form is one of ours and of this session. The browser's cookie goes along only when somebody
//! follows a link from elsewhere (`SameSite=Lax`, so that a link in a mail or a chat arrives logged in), and no GET changes
//! anything; forms of other sites are refused by the router. The word in each form is the second lock on that door: another page
//! cannot know it, for it is signed over the session.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use jiff::Timestamp;
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use super::again::{self, Sent, Why};
use super::unreadable;
use crate::commit::{Command, SignIn};
use crate::core::role::{Deed, No};
use crate::core::rules::Rules;
use crate::crypto;
use crate::http::body;
use crate::http::desk::{Desk, cannot_read};
use crate::http::html::Pages;
use crate::http::problem::Problem;
use crate::http::room;
use crate::render::full_name;
use crate::store::sessions::{self, AGE_MAX, Session};
use crate::store::sight::Seen;
use crate::store::tokens::{self, Holder};
use crate::store::{StoreError, Tx};

/// The cookie with the secret of a session. Where pages come by HTTPS its name binds it to this host, and to that.
const COOKIE: &str = "onscene_session";
const COOKIE_SECURE: &str = "__Host-onscene_session";
/// Largest form, in bytes: what a text area takes, each byte of it in three.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Longest secret that is looked for.
const SECRET_BYTES_MAX: usize = 256;
/// How long a page waits until it is written down that its session is used.
const NOTED_WAIT: Duration = Duration::from_millis(300);
/// What else is signed with the same key says something else here.
const PURPOSE: &[u8] = b"onscene form 1\0";
/// Longest address that somebody is led on to, in bytes.
const NEXT_BYTES_MAX: usize = 512;

/// Somebody who is logged in.
pub(in crate::http) struct Me {
    /// Who.
    pub(in crate::http) holder: Holder,
    /// What is kept of the secret of their session.
    pub(super) session: [u8; 32],
    /// What a form of theirs carries.
    word: String,
    acts: bool,
}

impl Me {
    /// Whether they may change something.
    pub(in crate::http) fn may_act(&self) -> bool {
        self.acts
    }

    /// What pages know of who looks at them: `form` is what every form that is posted has to carry.
    pub(in crate::http) fn shown(&self, rules: &Rules) -> Value {
        let name = match &self.holder {
            Holder::Person(name) => full_name(rules, name),
            Holder::Automation(name) => name.clone(),
        };
        context! { name, form => self.word.as_str(), acts => self.acts }
    }
}

/// Who looks at a page. Who is not logged in is led to the login, and back.
pub(in crate::http) struct Looks(pub(in crate::http) Me);

impl FromRequestParts<(Desk, Pages)> for Looks {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, (desk, pages): &(Desk, Pages)) -> Result<Self, Response> {
        let elsewhere = || to_login(parts);
        let secret = secret(desk, &parts.headers).ok_or_else(elsewhere)?.to_owned();
        let hash = sessions::hash(&secret);
        let now = desk.clock.now();
        let read = desk.sight.or_last(move |tx| known(tx, &secret, now)).await;
        let Seen { value, as_of } = read.map_err(|error| unreadable(pages, &error))?;
        let (session, word) = value.ok_or_else(elsewhere)?;
        // Who has left the house is nobody.
        desk.allows(&session.holder, Deed::Look).map_err(|_| elsewhere())?;
        if as_of.is_none() {
            noted(desk, &session, hash).await;
        }
        let acts = desk.allows(&session.holder, Deed::Act).is_ok();
        Ok(Self(Me { holder: session.holder, session: hash, word, acts }))
    }
}

/// Who sends a form that changes something, and what they sent: of this session, and by somebody who may act.
pub(in crate::http) struct Acts {
    /// Who.
    pub(in crate::http) me: Me,
    path: String,
    fields: Vec<(String, String)>,
    bytes: Bytes,
}

/// The same for a form that everybody may send who is logged in.
pub(in crate::http) struct Sends {
    /// Who.
    pub(in crate::http) me: Me,
}

impl Acts {
    /// The fields of the form.
    pub(in crate::http) fn form<T: DeserializeOwned + Default>(&self) -> T {
        pairs(&self.bytes).unwrap_or_default()
    }

    /// The same for the same form of the same login, word by word.
    pub(super) fn mark(&self) -> [u8; 32] {
        crypto::hmac_sha256(&self.me.session, &[self.path.as_bytes(), b"\n", &self.bytes])
    }

    /// The form once more, with what was written, of what cannot be done so, or not at this moment.
    pub(super) fn again(&self, pages: &Pages, problem: &Problem) -> Response {
        let sent = Sent { path: &self.path, fields: &self.fields };
        sent.again(pages, &Why::Not { problem, word: &self.me.word })
    }
}

impl FromRequest<(Desk, Pages)> for Acts {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, both: &(Desk, Pages)) -> Result<Self, Response> {
        sent(request, both, Deed::Act).await
    }
}

impl FromRequest<(Desk, Pages)> for Sends {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, both: &(Desk, Pages)) -> Result<Self, Response> {
        let Acts { me, .. } = sent(request, both, Deed::Look).await?;
        Ok(Self { me })
    }
}

/// Who sends a form, as the store says now, and its fields. Whoever may not, or not now, has it back with what they wrote.
async fn sent(
    request: Request<Body>,
    (desk, pages): &(Desk, Pages),
    deed: Deed<'_>,
) -> Result<Acts, Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let known = brought(desk, &parts.headers).await;
    let read = match &known {
        Ok(Some(_)) => {
            body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await.map_err(Problem::from)
        }
        // Anybody can send this: it has room among what anybody sends.
        _ => room::read_unproven_to(desk, body, FORM_BYTES_MAX).await.map(|(bytes, _)| bytes),
    };
    let bytes = read.map_err(|problem| again::unread(pages, &problem))?;
    let fields = again::anchored(&form_urlencoded(&bytes), desk.clock.now());
    let said =
        fields.iter().find(|(name, _)| name == "form").map(|(_, word)| word.as_str()).unwrap_or_default();
    let back = |why: Why<'_>| Sent { path: &path, fields: &fields }.again(pages, &why);
    let (session, word, hash) = match known {
        Ok(Some(known)) => known,
        // There is nothing to be logged out of.
        Ok(None) if deed == Deed::Look => return Err(to_login(&parts)),
        Ok(None) => return Err(back(Why::LoggedOut)),
        Err(problem) => return Err(back(Why::Not { problem: &problem, word: said })),
    };
    desk.allows(&session.holder, deed).map_err(|no| match no {
        No::Gone(_) if deed == Deed::Look => to_login(&parts),
        no => back(Why::Never { status: StatusCode::FORBIDDEN, text: &format!("{no}.") }),
    })?;
    if !crypto::same(said.as_bytes(), word.as_bytes()) {
        // Who logged in anew since they opened the page may send it by one more press. Of what may come from elsewhere, nobody
        // makes a form of ours.
        let is_ours = again::is_of_ours(&parts.headers);
        return Err(if is_ours { back(Why::Earlier(&word)) } else { strange(pages, &fields) });
    }
    let acts = desk.allows(&session.holder, Deed::Act).is_ok();
    let me = Me { holder: session.holder, session: hash, word, acts };
    Ok(Acts { me, path, fields, bytes })
}

/// Whose session a browser brings, and the word for its forms; nobody's where it brings none that lasts.
async fn brought(desk: &Desk, headers: &HeaderMap) -> Result<Option<(Session, String, [u8; 32])>, Problem> {
    let Some(secret) = secret(desk, headers).map(str::to_owned) else { return Ok(None) };
    let hash = sessions::hash(&secret);
    let now = desk.clock.now();
    let found = desk.sight.now(move |tx| known(tx, &secret, now)).await.map_err(|error| {
        drop(cannot_read(&error));
        Problem::unavailable("the store cannot be reached at this moment", 5)
    })?;
    Ok(found.map(|(session, word)| (session, word, hash)))
}

/// A form without the word of this session, and without a sign that it stood on a page of ours.
fn strange(pages: &Pages, fields: &[(String, String)]) -> Response {
    let written: Vec<String> = fields
        .iter()
        .filter(|(name, value)| name != "form" && !value.trim().is_empty())
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let text = "This form is not one of your present login: the page was open since before you logged in again, or it is none of \
                ours. Go back, load that page again, and send it once more.";
    let kept = (!written.is_empty()).then(|| written.join("\n"));
    let heading = "Nothing was changed";
    pages.page(StatusCode::FORBIDDEN, "message.html", context! { heading, text, kept })
}

/// Whose session a secret is of, and the word for its forms.
fn known(tx: &Tx<'_>, secret: &str, now: Timestamp) -> Result<Option<(Session, String)>, StoreError> {
    let Some(session) = sessions::find(tx, secret, now)? else { return Ok(None) };
    let key = tokens::answer_key(tx)?;
    let parts = [PURPOSE, &sessions::hash(secret)[..]];
    Ok(Some((session, crypto::hex(&crypto::hmac_sha256(key.expose_secret().as_bytes(), &parts)))))
}

/// What was known of who sends this, if anything: for the login, which ends it.
pub(in crate::http) fn before(desk: &Desk, headers: &HeaderMap) -> Option<[u8; 32]> {
    secret(desk, headers).map(sessions::hash)
}

/// The login of a browser, as the store says now.
pub(in crate::http) async fn who(desk: &Desk, headers: &HeaderMap) -> Option<Session> {
    let (secret, now) = (secret(desk, headers)?.to_owned(), desk.clock.now());
    let found = desk.sight.now(move |tx| sessions::find(tx, &secret, now)).await.ok()??;
    desk.allows(&found.holder, Deed::Look).is_ok().then_some(found)
}

/// Writes down that a session is used, when it is time to. Whoever waits for what they asked for does not wait for it.
pub(in crate::http) async fn noted(desk: &Desk, session: &Session, hash: [u8; 32]) {
    if session.is_to_be_noted(desk.clock.now()) {
        let told = desk.door.ask(Command::SignIn(SignIn::Used(hash)));
        let _late = tokio::time::timeout(NOTED_WAIT, told).await;
    }
}

fn name(desk: &Desk) -> &'static str {
    if desk.house.get().renderer.is_https() { COOKIE_SECURE } else { COOKIE }
}

/// The secret that a browser brings.
pub(in crate::http) fn secret<'a>(desk: &Desk, headers: &'a HeaderMap) -> Option<&'a str> {
    cookie(headers, name(desk)).filter(|found| found.len() <= SECRET_BYTES_MAX)
}

/// What a browser brings under a name.
pub(in crate::http) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut each = cookies.flat_map(|cookies| cookies.split(';'));
    each.find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Leads on, with the secret of a session for the browser to keep; empty: to forget.
pub(super) fn lead(desk: &Desk, secret: &str, to: &str) -> Response {
    let mut answer = Redirect::to(to).into_response();
    keep(desk, secret, &mut answer);
    answer
}

/// Gives a browser the secret of a session to keep; empty: to forget.
pub(in crate::http) fn keep(desk: &Desk, secret: &str, answer: &mut Response) {
    let (lasts, secure) = match secret {
        "" => (0, desk.house.get().renderer.is_https()),
        _ => (AGE_MAX.as_secs(), desk.house.get().renderer.is_https()),
    };
    let secure = if secure { "; Secure" } else { "" };
    let name = name(desk);
    let cookie = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

/// Where somebody goes who is not logged in: to the login, which leads back to what they wanted to see.
fn to_login(parts: &Parts) -> Response {
    let asked = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    // Of a form, its page.
    let asked = if parts.method == Method::GET { asked } else { Some(again::page_of(parts.uri.path())) };
    let next = asked.and_then(local).filter(|next| *next != "/");
    let next = next.map(|next| format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)));
    Redirect::to(&format!("/login{}", next.unwrap_or_default())).into_response()
}

/// An address of this house that somebody may be led on to: a path, so that nobody is led elsewhere in our name.
pub(super) fn local(next: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'#');
    let is_ours = next.starts_with('/') && !next.starts_with("//");
    let leads_round = ["/login", "/logout"].iter().any(|path| {
        next.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    });
    let fits = is_ours && !leads_round && next.len() <= NEXT_BYTES_MAX && next.bytes().all(is_plain);
    fits.then_some(next)
}

/// The fields of a form, or of a query.
pub(in crate::http) fn pairs<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let query = std::str::from_utf8(bytes).ok()?;
    let uri = http::Uri::builder().path_and_query(format!("/?{query}")).build().ok()?;
    axum::extract::Query::<T>::try_from_uri(&uri).ok().map(|query| query.0)
}

fn form_urlencoded(bytes: &[u8]) -> Vec<(String, String)> {
    pairs(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_house() {
        for good in ["/", "/incidents/4", "/oncall?service=shop&day=2026-12-01", "/loginess"] {
            assert_eq!(local(good), Some(good));
        }
        let long = format!("/{}", "a".repeat(NEXT_BYTES_MAX));
        for bad in [
            "",
            "incidents",
            "//example.net",
            "///example.net",
            "/\\example.net",
            "/\t/example.net",
            "/\n/example.net",
            " /",
            "/a b",
            "https://example.net/",
            "javascript:alert(1)",
            "/login",
            "/login?next=/login",
            "/login/abc",
            "/logout",
            "/ä",
            "/a#b",
            long.as_str(),
        ] {
            assert_eq!(local(bad), None, "{bad:?}");
        }
    }
}
