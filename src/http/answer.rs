//! The answer page `/r/{token}`: GET shows, POST answers.
//!
//! The token is the whole authority: one recipient, one incident, until it is over. Mail scanners and
//! previews follow links by GET, and a GET changes nothing; that is why a button has to be pressed. Some scanners press
//! buttons, too. They give themselves away by what they do and by nothing that they say of themselves: they press sooner
//! than anybody reads ([`nonce`]), or they press the first button that there is, which people do not see. A human whose
//! press is not taken has the page before them again, with all that they wrote, and is one press away.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use minijinja::context;
use secrecy::SecretString;

use super::answers;
use super::body::{self, BodyProblem};
use super::desk::{Desk, cannot_read};
use super::html::{Found, Pages, about};
use super::pages::me;
use crate::commit::{Asked, Command, DoorError, Press, Reply, followed};
use crate::core::decide::{Act, Reason, Refusal};
use crate::core::rules::Rules;
use crate::crypto;
use crate::render::{full_name, zone_of};
use crate::store::sight::Seen;
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{StoreError, Tx, incidents, reach};

mod here;
pub(super) mod nonce;
mod seen;
mod test;

pub use seen::Presses;

use here::{Here, Login};
use nonce::{Made, Not, Page};

/// Largest form, in bytes: what a text area takes, each byte of it in three.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// A token has 22 characters; anything longer is none.
const TOKEN_BYTES_MAX: usize = 64;
/// Alerts and entries shown.
const ALERTS_MAX: u32 = 20;
const ENTRIES_SHOWN: u32 = 12;
/// How long somebody waits for it to be written down that they followed a link.
const OPENED_WAIT: Duration = Duration::from_millis(300);
/// What the button says that people do not see.
const PROGRAM: &str = "program";

/// A link that was found, and what its forms are signed with.
struct Known {
    hash: [u8; 32],
    link: Link,
    key: SecretString,
}

impl Known {
    fn find(tx: &Tx<'_>, token: &str) -> Result<Option<Self>, StoreError> {
        let Some(link) = tokens::link(tx, token)? else { return Ok(None) };
        Ok(Some(Self { hash: tokens::link_hash(token), link, key: tokens::answer_key(tx)? }))
    }
}

/// `GET /r/{token}`
pub(super) async fn show(
    State((desk, pages)): State<(Desk, Pages)>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    if token.len() > TOKEN_BYTES_MAX {
        return Trouble::Unknown.page(&pages);
    }
    let rules = desk.house.get().rules.clone();
    let read = desk.sight.or_last(move |tx| {
        let Some(known) = Known::find(tx, &token)? else { return Ok(None) };
        let seen = reach::followed(tx, &known.hash)?.is_none_or(|found| found.opened_at.is_some());
        match known.link.purpose {
            Purpose::Test => Ok(Some((known, None, seen))),
            _ => Ok(look(tx, known.link.incident, &rules)?.map(|found| (known, Some(found), seen))),
        }
    });
    match read.await {
        Ok(Seen { value: Some((known, found, seen)), as_of }) => {
            if !seen && as_of.is_none() && method == Method::GET && !is_ahead(&headers) {
                // A hint for who reads the timeline. Whoever waits for the page does not wait for it.
                let told = desk.door.ask(Command::Reach(Asked::Opened(known.hash)));
                let _late = tokio::time::timeout(OPENED_WAIT, told).await;
            }
            let Some(found) = found else {
                return test::page(&desk, &pages, &known, Made::now(Page::First, desk.clock.now()), None);
            };
            let here = if as_of.is_none() { Here::of(&desk, &headers).await } else { None };
            let shown = Shown::of(Made::now(Page::First, desk.clock.now()));
            let mut answer = page(&desk, &pages, &known, found, &Shown { as_of, here, ..shown });
            here::mark(&desk, &known, &headers, &mut answer);
            answer
        }
        Ok(Seen { value: None, as_of: None }) => Trouble::Unknown.page(&pages),
        Ok(Seen { value: None, .. }) => Trouble::Store.page(&pages),
        Err(error) => {
            drop(cannot_read(&error));
            Trouble::Store.page(&pages)
        }
    }
}

/// Whether a program says of itself that it fetches what somebody may look at later.
fn is_ahead(headers: &HeaderMap) -> bool {
    let names = ["purpose", "sec-purpose", "x-purpose", "x-moz"];
    let said = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    said.into_iter().any(|said| said.contains("prefetch") || said.contains("preview"))
}

#[derive(Clone, Debug, Default)]
struct Form {
    answer: String,
    text: String,
    term: Option<u32>,
    nonce: String,
}

/// `POST /r/{token}`
pub(super) async fn answer(
    State((desk, pages)): State<(Desk, Pages)>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if token.len() > TOKEN_BYTES_MAX {
        return Trouble::Unknown.page(&pages);
    }
    // Whoever changes something goes by the store alone.
    let known = match desk.sight.now(move |tx| Known::find(tx, &token)).await {
        Ok(Some(known)) => known,
        Ok(None) => return Trouble::Unknown.page(&pages),
        Err(error) => {
            drop(cannot_read(&error));
            let read = body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await;
            let form = read.ok().and_then(|bytes| form_of(&bytes));
            return not_yet(&pages, "the store cannot be reached", form.as_ref());
        }
    };
    let form = match body::read(body, FORM_BYTES_MAX, desk.limits.body_timeout).await {
        Ok(bytes) => form_of(&bytes),
        Err(problem @ (BodyProblem::TooLarge { .. } | BodyProblem::TooSlow { .. })) => {
            return not_read(&pages, problem);
        }
        Err(_) => None,
    };
    if known.link.purpose == Purpose::Test {
        return test::pressed(&desk, &pages, &known, form.as_ref()).await;
    }
    if let Some(form) = &form
        && let Some((shown, login)) = here::pressed(&desk, &known, &headers, form).await
    {
        return answered(&desk, &pages, &known, shown, login).await;
    }
    let shown = match form {
        Some(form) => match taken(&desk, &known, &form).await {
            Ok((act, pressed)) => match decided(&desk, &pages, &act, pressed, form) {
                Ok(shown) => shown,
                Err(response) => return *response,
            },
            Err(said) => Shown { form, ..said },
        },
        None => not_an_answer(&desk),
    };
    let login = match shown.decided {
        true => here::enters(&desk, &known, &headers).await,
        false => Login { here: Here::of(&desk, &headers).await, ..Login::default() },
    };
    answered(&desk, &pages, &known, shown, login).await
}

/// The page after a press, and what the browser is to keep.
async fn answered(desk: &Desk, pages: &Pages, known: &Known, shown: Shown, login: Login) -> Response {
    let Login { here, secret } = login;
    let mut answer = page_now(desk, pages, known, &Shown { here, ..shown }).await;
    if let Some(secret) = secret {
        me::keep(desk, &secret, &mut answer);
    }
    answer
}

/// Reads the word of a form. After a press that came too soon the whole time is waited, whichever page is pressed on.
fn read_word(desk: &Desk, known: &Known, form: &Form) -> Result<Made, Not> {
    let (hash, now, after) = (&known.hash, desk.clock.now(), desk.limits.answer_after);
    let made = Made::read(&form.nonce, &known.key, hash, now, after);
    let waits = |at: Timestamp| now.duration_since(at) < Page::First.least(after);
    let made = match (made, desk.presses.early_at(hash, now)) {
        (Ok(made), Some(at)) if made.page != Page::Known && waits(at) => {
            Err(Not::Early(Made::now(Page::Again, now)))
        }
        (made, _) => made,
    };
    if let Err(Not::Early(_)) = made {
        desk.presses.saw_early(hash, now);
    }
    made
}

/// How long is waited before a button is pressed once more, in words.
fn shortly(desk: &Desk) -> String {
    match desk.limits.answer_after.as_secs_f64().ceil() {
        seconds if seconds <= 1.0 => "a second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

/// Gives a press to the door, when a human may have made it; else what the page says to that.
async fn taken(desk: &Desk, known: &Known, form: &Form) -> Result<(Act, Result<Reply, DoorError>), Shown> {
    let Known { hash, link, .. } = known;
    let now = desk.clock.now();
    let press = |made_at, act| {
        let (incident, person) = (link.incident, link.person.clone());
        let once = once(hash, form);
        desk.door.ask(Command::Press(Press { link: *hash, made_at, incident, person, act, once }))
    };
    if form.answer == PROGRAM {
        // At once in this node's memory, so that it counts while the door is slow, or full.
        desk.presses.saw_robot(hash, now);
        let _remembered = press(now, None).await;
        let said = "That button is for programs that look through mail; people do not see it. Nothing was decided. If you \
                    are a person, please press one of the other buttons.";
        return Err(Shown::once_more(Made::now(Page::First, desk.clock.now()), StatusCode::CONFLICT, said));
    }
    let made = match read_word(desk, known, form) {
        Ok(made) => made,
        Err(Not::Early(made)) => {
            let said = format!(
                "Nothing was decided yet. Please press once more, after {}: programs that look through mail press buttons, \
                 too, and are as quick as that.",
                shortly(desk)
            );
            return Err(Shown::once_more(made, StatusCode::CONFLICT, &said));
        }
        Err(Not::Unknown(made)) => {
            let said = "Nothing was decided yet. Please press once more: this page was opened long ago, or is not as it was \
                        sent.";
            return Err(Shown::once_more(made, StatusCode::CONFLICT, said));
        }
    };
    let act = meant(form, link).ok_or_else(|| not_an_answer(desk))?;
    let robot_at = desk.presses.robot_at(hash, now);
    let pressed = match robot_at.is_some_and(|at| made.at <= at) {
        true => Err(DoorError::Robot),
        false => press(made.at, Some(act.clone())).await,
    };
    match pressed {
        Err(DoorError::Robot) => {
            let said = "Nothing was decided yet. Please press once more: since this page was opened, a program that looks \
                        through mail has pressed a button on it.";
            let made = Made::now(Page::Again, desk.clock.now());
            Err(Shown::once_more(made, StatusCode::CONFLICT, said))
        }
        answer => Ok((act, answer)),
    }
}

/// The word for a press of which a second one would do more: a page that is loaded again sends its form again.
fn once(link: &[u8; 32], form: &Form) -> Option<String> {
    let Form { answer, text, nonce, .. } = form;
    let doubles = matches!(answer.as_str(), "help" | "note" | "statement");
    let whole = [&link[..], format!("{nonce}\0{answer}\0{text}").as_bytes()].concat();
    doubles.then(|| crypto::hex(&crypto::sha256(&whole)))
}

/// What the page says to what the door said; or all there is to say.
fn decided(
    desk: &Desk,
    pages: &Pages,
    act: &Act,
    pressed: Result<Reply, DoorError>,
    form: Form,
) -> Result<Shown, Box<Response>> {
    let name = |person: &str| full_name(&desk.house.get().rules, person);
    let mut unsaid = form;
    let (status, said) = match pressed {
        Ok(Reply::Decided(incident, reason)) => {
            let commander = incident.commander().map(|command| name(&command.person));
            unsaid = Form::default();
            (StatusCode::OK, told(act, reason, commander))
        }
        Ok(_) => return Err(Box::new(not_yet(pages, &DoorError::Fault.to_string(), Some(&unsaid)))),
        Err(DoorError::Refused(Refusal::Stale { commander, .. })) => {
            (StatusCode::CONFLICT, format!("Nothing was changed: {} has command.", name(&commander)))
        }
        Err(DoorError::Refused(refusal)) => {
            (StatusCode::CONFLICT, format!("Nothing was changed: {refusal}."))
        }
        Err(DoorError::Late) => {
            let text = "The store did not say whether your answer was written down: it may have been. Please open the \
                        link of your page again and look before you press a button once more. Until you know, act as \
                        if you have command and tell the others yourself.";
            return Err(Box::new(kept(pages, "It is not known", text, Some(&unsaid))));
        }
        Err(error) => return Err(Box::new(not_yet(pages, &error.to_string(), Some(&unsaid)))),
    };
    let made = Made::now(Page::Known, desk.clock.now());
    let decided = status == StatusCode::OK;
    Ok(Shown { status, said: Some(said), form: unsaid, decided, ..Shown::of(made) })
}

fn not_an_answer(desk: &Desk) -> Shown {
    let said = "That was no answer this page knows. Nothing was changed; please press one of the buttons.";
    Shown::once_more(Made::now(Page::Again, desk.clock.now()), StatusCode::BAD_REQUEST, said)
}

/// How the page is shown.
struct Shown {
    status: StatusCode,
    /// Above everything else.
    said: Option<String>,
    /// That is why a press was not taken.
    again: bool,
    made: Made,
    /// What was written in a form that was not taken: it is not lost.
    form: Form,
    /// Of an hour that is past.
    as_of: Option<Timestamp>,
    /// A human's press was an act.
    decided: bool,
    /// Who is logged in in the browser that shows it.
    here: Option<Here>,
}

impl Shown {
    fn of(made: Made) -> Self {
        let status = StatusCode::OK;
        let form = Form::default();
        Self { status, said: None, again: false, made, form, as_of: None, decided: false, here: None }
    }

    fn once_more(made: Made, status: StatusCode, said: &str) -> Self {
        Self { status, said: Some(said.to_owned()), again: true, ..Self::of(made) }
    }

    /// What was written, where it belongs.
    fn unsaid(&self) -> minijinja::Value {
        let text = |answer: &str| (self.form.answer == answer).then_some(self.form.text.as_str());
        let (note, cause, draft) = (text("note"), text("mitigate"), text("statement"));
        context! { note, cause, draft, early => text("resolve") }
    }
}

/// An answer that was not written down: what to do all the same.
fn not_yet(pages: &Pages, why: &str, form: Option<&Form>) -> Response {
    let text = format!(
        "Your answer could not be written down: {why}. Please press the button again in a few seconds; if it goes on, act \
         as if you have command and tell the others yourself. The link of your page shows what was known last."
    );
    kept(pages, "Not yet", &text, form)
}

/// A page that says why, and gives back what was written.
fn kept(pages: &Pages, heading: &str, text: &str, form: Option<&Form>) -> Response {
    let kept = form.map(|form| form.text.as_str()).filter(|text| !text.trim().is_empty());
    pages.page(StatusCode::SERVICE_UNAVAILABLE, "message.html", context! { heading, text, kept })
}

/// What was sent was not read to its end.
fn not_read(pages: &Pages, problem: BodyProblem) -> Response {
    let (status, heading, why) = match problem {
        BodyProblem::TooLarge { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "Too long", "What you wrote is too long to be taken.")
        }
        _ => (StatusCode::REQUEST_TIMEOUT, "Too slow", "What you sent did not come in time."),
    };
    let text = format!("{why} Nothing was changed. Please go back, and press the button again.");
    pages.message(status, heading, &text)
}

/// Reads a form; `None` when it is none, or says something twice.
fn form_of(bytes: &[u8]) -> Option<Form> {
    let fields = answers::form(bytes)?;
    let of = |name| match fields.iter().filter(|(known, _)| known == name).count() {
        0 => Some(""),
        _ => answers::field(&fields, name),
    };
    let term = Some(of("term")?).filter(|term| !term.is_empty());
    let term = term.map(str::parse).transpose().ok()?;
    Some(Form { answer: of("answer")?.into(), text: of("text")?.into(), term, nonce: of("nonce")?.into() })
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
        // Whoever says why says it because the watch is not over.
        "resolve" if !text.is_empty() => Act::ResolveEarly { term: form.term?, why: text },
        "resolve" => Act::Resolve { term: form.term?, false_alarm: false },
        "false-alarm" => Act::Resolve { term: form.term?, false_alarm: true },
        _ => return None,
    })
}

pub(super) fn told(act: &Act, reason: Reason, commander: Option<String>) -> String {
    let has_command = commander.is_some();
    let commander = commander.unwrap_or_else(|| "Nobody".into());
    match (act, reason) {
        (_, Reason::TookCommand) => "You have command. Everybody who was paged is told.".into(),
        (Act::Answer { help: true }, Reason::AlreadyCommands) => "More people are being called.".into(),
        (_, Reason::NobodyToCall) => {
            "Nobody else is there to call: everybody whom the policy names is on it already.".into()
        }
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
        (Act::Draft { .. }, _) => "The draft is written down, and has gone out to nobody yet. It goes on from the page of statements.".into(),
        (Act::Mitigate { .. }, _) => "Mitigated. The channels are told.".into(),
        (Act::Resolve { .. } | Act::ResolveEarly { .. }, _) => "Resolved. The channels are told.".into(),
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

fn look(tx: &Tx<'_>, id: i64, rules: &Rules) -> Result<Option<Found>, StoreError> {
    let Some(saved) = incidents::load(tx, id)? else { return Ok(None) };
    let first = saved.incident;
    let incident = followed(first, |id| Ok(incidents::load(tx, id)?.map(|saved| saved.incident)))?;
    Found::read(tx, incident, rules, ALERTS_MAX, ENTRIES_SHOWN).map(Some)
}

/// The page as it is after an answer, which the last known state would not show.
async fn page_now(desk: &Desk, pages: &Pages, known: &Known, shown: &Shown) -> Response {
    let (id, rules) = (known.link.incident, desk.house.get().rules.clone());
    match desk.sight.now(move |tx| look(tx, id, &rules)).await {
        Ok(Some(found)) => page(desk, pages, known, found, shown),
        Ok(None) => Trouble::Unknown.page(pages),
        Err(error) => {
            drop(cannot_read(&error));
            let said = shown.said.as_deref().unwrap_or_default();
            pages.message(shown.status, "The store cannot be reached any more", said)
        }
    }
}

fn page(desk: &Desk, pages: &Pages, known: &Known, found: Found, shown: &Shown) -> Response {
    let rules = desk.house.get().rules.clone();
    let link = &known.link;
    let values = about(&found, &rules, Some(&link.person), desk.clock.now());
    let incident = &found.incident;
    let service = rules.services.get(incident.leads());
    let public = service.and_then(|service| service.public_name.clone()).unwrap_or(incident.service.clone());
    // There is nothing to press once more.
    let over = shown.again && !incident.is_open();
    let said = if over { Some("Nothing was changed: the incident is over.") } else { shown.said.as_deref() };
    let more = context! {
        said,
        nonce => shown.made.word(&known.key, &known.hash),
        unsaid => shown.unsaid(),
        was => (link.incident != incident.id).then_some(link.incident),
        me => context! { name => full_name(&rules, &link.person) },
        statement => link.purpose == Purpose::Statement,
        here => shown.here.as_ref().map(|here| here.shown(desk, known)),
        decided => shown.decided,
        // Who has answered as humans do.
        may_enter => shown.made.page == Page::Known,
        draft => format!("We are investigating a problem with {public}. Our people are working on it."),
    };
    let zone = zone_of(&rules, &link.person);
    let away = desk.stale(shown.as_of);
    pages.page_of(shown.status, "answer.html", context! { ..more, ..values }, away, &zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_form_lets_people_write_is_taken() {
        // Browsers count as UTF-16 does: three bytes a unit at most. A new line counts as one, and is sent as two.
        let template = include_str!("templates/answer.html");
        let longest = template.split("maxlength=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let longest = longest.map(|length| length.parse::<usize>().unwrap()).max().unwrap();
        assert_eq!(longest * 3, crate::core::decide::WORDS_BYTES_MAX);
    }

    #[test]
    fn the_longest_text_that_a_page_takes_is_read_and_what_is_said_twice_is_not() {
        let text = "\u{6f22}".repeat(4000);
        let body = format!(
            "nonce=n&answer=note&text={}",
            percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC)
        );
        assert!(body.len() < FORM_BYTES_MAX);
        let form = form_of(body.as_bytes()).unwrap();
        assert_eq!((form.text, form.answer, form.nonce, form.term), (text, "note".into(), "n".into(), None));
        assert_eq!(form_of(b"term=3&answer=resolve").unwrap().term, Some(3));
        for wrong in [&b"answer=a&answer=a"[..], b"term=x", b"nonce=a&nonce=b", b"text=%ff"] {
            assert!(form_of(wrong).is_none());
        }
    }
}
