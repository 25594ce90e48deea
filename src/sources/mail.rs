//! Mail: answers to pages, what became of pages, and alerts of whatever can send mail.
//!
//! A body is one message as it arrived (RFC 5322), which `onscene mail-in` takes from a mail server. It is one of:
//!
//! - **a letter of our own** that came back, by its `X-Incident-Id`. It is never an alert: pages would page.
//! - **a report** (RFC 3464, RFC 8098, the older bounces of Exim and qmail): came back, waits, was shown. Never an alert.
//! - **an answer**, when `In-Reply-To` or `References` name an id of the form of ours. A letter's `Message-ID` is 128 random
//!   bits, so whoever names it has had the letter or an answer to it. Whether it is known, and whether the sender is the
//!   person it was for, is decided by the store's side; here nobody becomes anything.
//! - **an automatic answer**: the same, by its headers (RFC 3834, and those that were there before it) or its subject. Its
//!   words are not read: "ack" in a note about holidays takes no command.
//! - **an alert**: everything else. Programs that send alerts say `Auto-Submitted: auto-generated` and
//!   `Precedence: bulk`; so by these headers alone nothing is left out.
//!
//! An alert's title is its subject without `Re:` and `Fwd:`; tags in brackets stay, for they tell systems apart. Its
//! key is `X-Alert-Key` (or `X-Onscene-Key`), else the subject without words for the state, with the sender's address beside it.
//! Its status is `X-Alert-Status`, else those words, else firing; its severity `X-Alert-Severity`, else a word of
//! the subject, else `X-Priority` or `Importance`; its time `Date`, when that lies within the last week. A mail that comes
//! twice is known by its `Message-ID`.
//!
//! Where `senders` are named, a mail whose `From` is none of them is never an alert: it raises nothing and ends nothing,
//! whether it can be understood or not. What is said of letters is not asked for this; there each letter has its person. What
//! has no field of a mail at its beginning is no stranger's mail, but a fault on the way here: it is kept, and told.

use std::fmt::Write as _;

use super::wire::{self, unreadable};
use super::{Delivery, Kind, Unreadable};
use crate::core::alert::{Event, KEY_BYTES_MAX};
use crate::core::mail::{Mail, Named, Said, TEXT_BYTES_MAX, What};
use crate::crypto;

mod alert;
mod html;
mod parts;
mod report;
#[cfg(test)]
mod stories;
mod words;

pub use words::answer as answer_of;

use parts::Head;

/// Mail.
pub const KIND: Kind = Kind {
    senders: true,
    ..Kind::new(
        "mail",
        "Mail: alerts, and answers to pages",
        "Let the mail server give each message for one address to `onscene mail-in NAME` (Postfix, Exim: see \
     `deploy/mail-in/README.md`). An alert may carry `X-Alert-Key`, `X-Alert-Status` (`firing`, `resolved`, `test`) and \
     `X-Alert-Severity`; without them they are read from the subject: `PROBLEM ...` and `RECOVERY ...`, `[FIRING:1] ...` and \
     `[RESOLVED] ...`. To answer a page, reply with `ack`, `help` or `can't` in the first line; name the address in \
     `[mail] reply_to`. Anybody who can write to the address can raise alerts: name in `senders` who may, and let the mail \
     server prove who they are. By HTTP: POST the message as it came to ADDRESS.",
        read,
    )
};

/// Fields of which a message has one at least.
const USUAL: &[&str] =
    &["From", "Sender", "To", "Subject", "Date", "Message-ID", "Received", "Return-Path", "Delivered-To"];
/// Fields that only programs write.
const OF_PROGRAMS: &[&str] =
    &["X-Auto-Response-Suppress", "X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply"];
/// How subjects of automatic answers begin, where their headers do not say what they are.
const AUTOMATIC: &[&str] = &[
    "automatic reply:",
    "auto reply:",
    "autoreply:",
    "out of office",
    "automatische antwort:",
    "abwesenheit",
    "réponse automatique",
];
/// Characters of an answer link's token.
const TOKEN_CHARS: usize = 22;
/// Hexadecimal digits of a letter's id.
const ID_CHARS: usize = 32;
/// Most letters of ours that one message is taken to name.
const NAMES_MAX: usize = 16;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let mail = open(delivery)?;
    Ok(if mail.may_answer() { Vec::new() } else { mail.alert.into_iter().collect() })
}

/// Reads one message.
///
/// # Errors
/// When it is none, or larger in some way than what is taken. One by a sender whose alerts are not wanted is no reason to
/// wake anybody either, unless it may be about a letter: see [`of_a_stranger`].
pub fn open(delivery: &Delivery<'_>) -> Result<Mail, Unreadable> {
    opened(delivery).or_else(|why| match of_a_stranger(delivery) {
        Some(mail) if mail.names.is_empty() => Ok(mail),
        _ => Err(why),
    })
}

/// What one message tells, for who reads it as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who says to have written it.
    pub from: Option<String>,
    /// When it says to have been written.
    pub at: Option<jiff::Timestamp>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its text.
    pub text: String,
}

/// Reads one message as a record of what was said, whoever wrote it.
///
/// # Errors
/// When it is none, or larger in some way than what is taken.
pub fn told_by(body: &[u8]) -> Result<Told, Unreadable> {
    let parts = parts::of(body)?;
    let head = match parts.first() {
        Some(root) if is_mail(&root.head) => &root.head,
        _ => return Err(unreadable("this is no mail: it has no header such as From, Subject or Date")),
    };
    Ok(Told {
        from: head.address("From"),
        at: alert::date(head),
        subject: head.text("Subject").map(str::to_owned),
        text: without_links(&parts::text(&parts)),
    })
}

/// What is left of a message that cannot be understood, when its sender may raise no alerts: who wrote it and what it is about.
/// Only the store can tell whether the letters that it names are known; if none is, nobody is to hear of it.
pub fn of_a_stranger(delivery: &Delivery<'_>) -> Option<Mail> {
    let senders = &delivery.options.senders;
    if senders.is_empty() {
        return None;
    }
    let head = &Head::first(delivery.body);
    if !is_mail(head) || is_heard(senders, head) {
        return None;
    }
    let ids: Vec<&str> = ids_of(head).collect();
    let by_a_program = head.has("X-Incident-Id") || is_automatic(head);
    Some(Mail {
        id: own_id(head).unwrap_or_else(|| format!("sha256:{}", crypto::hex(&crypto::sha256(delivery.body)))),
        from: head.address("From"),
        names: names_of(&ids),
        direct: false,
        in_thread: ids.iter().any(|id| root(id).is_some()),
        incident: incident_of(head, &ids),
        what: if by_a_program { What::Automatic } else { What::Written },
        said: Said::default(),
        alert: None,
        stranger: true,
    })
}

fn is_mail(head: &Head) -> bool {
    USUAL.iter().any(|name| head.has(name))
}

/// Its own `Message-ID`, where that can be remembered.
fn own_id(head: &Head) -> Option<String> {
    let id = head.ids("Message-ID").first().map(|id| id.trim());
    id.filter(|id| !id.is_empty() && id.len() <= KEY_BYTES_MAX).map(|id| id.replace('\0', ""))
}

/// Letters that may be ours, in the order in which they are named.
fn names_of(ids: &[&str]) -> Vec<Named> {
    let mut names: Vec<Named> = Vec::new();
    for name in ids.iter().filter_map(|id| named(id)) {
        if names.len() < NAMES_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The incident that it speaks of: by the thread it stands in, else by `[INC-7]` in its subject.
fn incident_of(head: &Head, ids: &[&str]) -> Option<i64> {
    let by_thread = ids.iter().find_map(|id| root(id)).and_then(|number| number.parse().ok());
    by_thread.or_else(|| {
        let subject = head.text("Subject")?.to_ascii_lowercase();
        let (number, _) = subject.split_once("[inc-")?.1.split_once(']')?;
        number.parse().ok()
    })
}

/// Whether a mail with this head may be an alert.
fn is_heard(senders: &[String], head: &Head) -> bool {
    let is = |from: &str, known: &str| match known.strip_prefix('@') {
        Some(domain) => from.rsplit_once('@').is_some_and(|(_, of)| of == domain),
        None => known == from,
    };
    senders.is_empty()
        || head.address("From").is_some_and(|from| senders.iter().any(|known| is(&from, known)))
}

/// What it answers, the nearest first.
fn ids_of(head: &Head) -> impl Iterator<Item = &str> {
    head.ids("In-Reply-To").into_iter().chain(head.ids("References").into_iter().rev())
}

fn opened(delivery: &Delivery<'_>) -> Result<Mail, Unreadable> {
    let parts = parts::of(delivery.body)?;
    let head = match parts.first() {
        Some(root) if is_mail(&root.head) => &root.head,
        _ => return Err(unreadable("this is no mail: it has no header such as From, Subject or Date")),
    };
    let text = without_links(&parts::text(&parts));
    let own_id = own_id(head);
    let (mut what, mut ids) = (What::Written, Vec::new());
    let has_incident = head.has("X-Incident-Id");
    if has_incident && own_id.as_deref().is_some_and(|id| named(id).is_some()) {
        what = What::Own;
    } else if let Some((report, of)) = report::of(head, &parts, &text) {
        (what, ids) = (report, of);
    } else if has_incident || is_automatic(head) {
        what = What::Automatic;
    }
    // What it answers stands there, or, where a program leaves that out, last in its thread.
    let answered =
        head.ids("In-Reply-To").first().copied().or_else(|| head.ids("References").last().copied());
    let direct = answered.is_some_and(|id| named(id).is_some());
    ids.extend(ids_of(head).map(str::to_owned));
    let is_alert = matches!(what, What::Automatic | What::Written) && !answers_by_itself(head);
    let is_heard = is_heard(&delivery.options.senders, head);
    let alert =
        (is_alert && is_heard).then(|| alert::of(head, &text, own_id.as_deref(), delivery.received_at));
    let mut said = if what == What::Written { words::said(&text) } else { Said::default() };
    crate::core::alert::cut(&mut said.text, TEXT_BYTES_MAX);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let names = names_of(&ids);
    let is_answer = !names.is_empty();
    Ok(Mail {
        id: own_id.unwrap_or_else(|| made_id(head, &text)),
        from: head.address("From"),
        names,
        direct,
        in_thread: ids.iter().any(|id| root(id).is_some()),
        incident: incident_of(head, &ids),
        what,
        said,
        stranger: is_alert && !is_heard,
        alert: match alert.map(wire::bounded) {
            // A subject that is too long for an alert is none of an answer's business.
            Some(Err(_)) if is_answer => None,
            other => other.transpose()?,
        },
    })
}

/// A text without answer links: whoever could read one on a timeline would answer as the person it was for. Below a link that
/// is not marked as quoted stands the rest of a quoted page.
fn without_links(text: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let has_link = |line: &str| {
        line.match_indices("/r/").any(|(at, _)| {
            let token = line.get(at + 3..).unwrap_or_default();
            token.chars().take_while(|c| is_token(*c)).count() >= TOKEN_CHARS
        })
    };
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match (has_link(line), line.trim_start().starts_with('>')) {
            (false, _) => kept.push_str(line),
            (true, true) => {}
            (true, false) => break,
        }
    }
    kept
}

/// An id for a message that has none: of what does not change on its way.
fn made_id(head: &Head, text: &str) -> String {
    let mut whole = String::new();
    for name in ["From", "Date", "Subject", "In-Reply-To", "References"] {
        let _ = writeln!(whole, "{name}: {:?}", head.all(name));
    }
    whole.push_str(text);
    format!("sha256:{}", crypto::hex(&crypto::sha256(whole.as_bytes())))
}

/// A program answers whatever it is sent, and names no letter: taken for an alert it would be told of that, and answer again.
fn answers_by_itself(head: &Head) -> bool {
    let word = |name: &str| head.text(name).map(str::to_ascii_lowercase).unwrap_or_default();
    let subject = head.text("Subject").unwrap_or_default().to_lowercase();
    word("Auto-Submitted").starts_with("auto-replied")
        || word("Precedence") == "auto_reply"
        || ["X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply"]
            .iter()
            .any(|name| head.has(name))
        || AUTOMATIC.iter().any(|start| subject.starts_with(start))
        || (is_automatic(head) && subject.contains("[inc-"))
}

/// A program wrote it, and not a human.
fn is_automatic(head: &Head) -> bool {
    let word = |name: &str| head.text(name).map(str::to_ascii_lowercase).unwrap_or_default();
    let auto = word("Auto-Submitted");
    let precedence = word("Precedence");
    let subject = head.text("Subject").unwrap_or_default().to_lowercase();
    // Nobody is to be answered at the empty address.
    let no_way_back =
        head.has("Return-Path") && head.ids("Return-Path").iter().all(|id| id.trim().is_empty());
    !(auto.is_empty() || auto == "no" || auto.starts_with("no;") || auto.starts_with("no "))
        || matches!(precedence.as_str(), "bulk" | "junk" | "auto_reply")
        || OF_PROGRAMS.iter().any(|name| head.has(name))
        || no_way_back
        || AUTOMATIC.iter().any(|start| subject.starts_with(start))
}

/// `0123456789abcdef0123456789abcdef@example.net`
fn named(id: &str) -> Option<Named> {
    let (letter, domain) = id.trim().split_once('@')?;
    let is_hex =
        letter.len() == ID_CHARS && letter.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| Named { letter: letter.to_owned(), domain: domain.to_lowercase() })
}

/// The 42 of `incident-42-pages@example.net`, which every letter of an incident refers to.
fn root(id: &str) -> Option<&str> {
    let (id, _) = id.trim().strip_prefix("incident-")?.split_once('@')?;
    let number = id.strip_suffix("-pages").or_else(|| id.strip_suffix("-status"))?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}
