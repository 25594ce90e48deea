//! Answers to pages by other ways than their links: `POST /answers/...`, called by the services that carry them.
//!
//! A service proves itself before anything is believed: by a signature over the bytes as they came, or by a word that only
//! it knows, each compared in constant time. Where its secret is not in the configuration the address is none (404), and
//! nothing is read. What it says then is one act of one person, through the one door, as by the link of the page: the
//! page named has to have gone to the address that the answer comes from. A human has chosen in each: a word was written, a
//! key pressed, a button of a chat; mailboxes that answer the phone are left out.
//!
//! What became of an answer is said in the service's own form, with 200, where who answered is shown the words and nothing of
//! an error. Slack shows nothing of that: what became of a press is written to who pressed (`whisper`), and what was not
//! decided is 503 as well, which it shows as a failure, for those words may be lost.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::answer::told;
use super::desk::Desk;
use super::problem::{Problem, Reason};
use crate::commit::{Answering, Command, DoorError, Reply};
use crate::core::decide::{Act, Refusal};
use crate::crypto;
use crate::render::full_name;

pub(super) mod mattermost;
pub(super) mod slack;
pub(super) mod telegram;
pub(super) mod twilio;
pub(super) mod whisper;

/// Largest body, in bytes: the services send a few thousand.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Slack shows an error after 3 s, others after a few more.
const ANSWER_WAIT: Duration = Duration::from_millis(2_500);

/// Of so many incidents the codes are said: a text message is short.
const WHICH_MAX: usize = 6;

/// The secrets of a way; 404 where it is closed.
fn keys(secrets: &[SecretString]) -> Result<impl Iterator<Item = &[u8]> + Clone, Problem> {
    if secrets.is_empty() {
        return Err(Problem::not_found("nothing lives at this address"));
    }
    Ok(secrets.iter().map(|secret| secret.expose_secret().as_bytes()))
}

/// 401, counted, for a call that is not proven.
fn refused(desk: &Desk, way: &'static str, reason: Reason, why: &'static str) -> Problem {
    desk.refusals.count(&desk.metrics, desk.clock.mark(), way, reason, why);
    Problem { refused: Some(reason), ..Problem::unauthorized(why) }
}

/// The name under which an answer is remembered: the service's own word for it may be long, and is nobody else's.
fn once(way: &str, word: &str) -> Option<String> {
    (!word.is_empty()).then(|| crypto::hex(&crypto::sha256(format!("{way}\0{word}").as_bytes())))
}

/// What became of an answer, in words for who gave it.
struct Said {
    text: String,
    /// It is decided, whatever it changed.
    decided: bool,
}

/// Takes an answer through the door.
async fn take(desk: &Desk, answering: Answering) -> Said {
    let act = answering.act.clone();
    let asked = desk.door.ask(Command::Answer(answering));
    let answer = tokio::time::timeout(ANSWER_WAIT, asked).await.unwrap_or(Err(DoorError::Late));
    let name = |person: &str| full_name(&desk.house.get().rules, person);
    let undecided = |text: String| Said { text, decided: false };
    match answer {
        Ok(Reply::Decided(incident, reason)) => {
            let commander = incident.commander().map(|command| name(&command.person));
            let said = told(&act, reason, commander);
            let text = format!("INC-{} {}: {said}", incident.id, incident.service);
            Said { text, decided: true }
        }
        Ok(Reply::Done) => {
            Said { text: "Thank you. It is written down that this test has reached you.".into(), decided: true }
        }
        Ok(_) => undecided(not_written(&DoorError::Fault)),
        Err(DoorError::Refused(Refusal::Stale { commander, .. })) => {
            undecided(format!("Nothing was changed: {} has command.", name(&commander)))
        }
        Err(
            why @ (DoorError::Refused(_)
            | DoorError::NoPage
            | DoorError::OnlyTest
            | DoorError::NotYours
            | DoorError::OtherPage
            | DoorError::Which(_)),
        ) => undecided(format!("Nothing was changed: {why}.")),
        Err(DoorError::Code { wrong, pages }) => undecided(with_code(desk, &act, wrong, &pages)),
        Err(DoorError::Late) => undecided(
            "The store did not say whether your answer was written down. Look at the link of your page; until you know, \
             act as if you have command and tell the others yourself."
                .into(),
        ),
        Err(why) => undecided(not_written(&why)),
    }
}

fn not_written(why: &DoorError) -> String {
    format!(
        "Your answer could not be written down: {why}. Try again in a few seconds; if it goes on, act as if you have command \
         and tell the others yourself."
    )
}

/// How to answer by text message, so that it can be believed. It is said to the number that the pages went to, whoever asked.
fn with_code(desk: &Desk, act: &Act, wrong: bool, pages: &[(i64, String)]) -> String {
    let digit = match act {
        Act::Decline => 9,
        Act::Answer { help: true } => 2,
        _ => 1,
    };
    let house = desk.house.get();
    let coded: Vec<(i64, String)> = pages
        .iter()
        .filter_map(|(incident, letter)| Some((*incident, house.answers.code(letter)?)))
        .collect();
    let begins = if wrong { "Nothing was decided: that code is wrong." } else { "Nothing was decided." };
    match &coded[..] {
        [] => {
            "Nothing was decided: too many wrong codes came. Answer by the link in the message of your page."
                .into()
        }
        [(incident, code)] => format!(
            "{begins} INC-{incident}: reply 1 {code} to take command, 2 {code} to take command and call for help, 9 {code} if \
             you can't."
        ),
        several => {
            let all: Vec<String> = several
                .iter()
                .take(WHICH_MAX)
                .map(|(incident, code)| format!("{digit} {code} for INC-{incident}"))
                .collect();
            format!("{begins} Reply {}.", all.join(", "))
        }
    }
}

/// What a word for an answer means.
fn act_of(word: &str) -> Option<Act> {
    match word {
        "take" => Some(Act::Answer { help: false }),
        "help" => Some(Act::Answer { help: true }),
        "decline" => Some(Act::Decline),
        _ => None,
    }
}

/// Reads a form: names and values in their order. `None` when it is none, or has too many.
pub(super) fn form(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    const FIELDS_MAX: usize = 200;
    let text = std::str::from_utf8(bytes).ok()?;
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
    };
    let fields: Option<Vec<_>> = text
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect();
    fields.filter(|fields| fields.len() <= FIELDS_MAX)
}

/// The one value of a name; none when there is none, or several.
pub(super) fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = form.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it_and_what_is_said_twice_is_not_said() {
        let read = form(b"From=%2B4712345678&Body=can%27t+now&Empty=&Bare&Twice=1&Twice=2").unwrap();
        assert_eq!(field(&read, "From"), Some("+4712345678"));
        assert_eq!(field(&read, "Body"), Some("can't now"));
        assert_eq!((field(&read, "Empty"), field(&read, "Bare")), (Some(""), Some("")));
        assert_eq!((field(&read, "Twice"), field(&read, "None")), (None, None));
        assert_eq!(form(b"a=%ff"), None);
        assert_eq!(form(b"\xff"), None);
        assert_eq!(form("a=1&".repeat(201).as_bytes()), None);
        assert_eq!(form(b""), Some(Vec::new()));
    }
}
