//! What the kinds share that publish to social networks: how a statement reads there, which of its words are links, and how
//! readers count.
//!
//! A post is the title, a line that says how far it is and at what hour, and the text; then an address, when the configuration
//! has one. The hour is what makes each post another one than the last, also where two statements say the same: networks refuse
//! a second post with the same words. Nothing is cut.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation as _;

use super::api::refused;
use super::statement::{Shown, standing};
use super::{Fields, Outcome, Parcel, Statement, fit};
use crate::core::voice::Sort;

/// Longest name of a host, and longest part of one between two dots, by the rules of names.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
const REMOVAL_DEADLINE: Duration = Duration::from_secs(6);
/// After this many attempts to remove a post people are told to do it: it takes some minutes, and what was wrong in it is read meanwhile.
const REMOVALS_MAX: u32 = 5;
/// So many letters are remembered, the newest.
const POSTED_MAX: usize = 64;

/// The statement that a parcel carries. These kinds publish, and say nothing else.
pub(super) fn stated(parcel: &Parcel) -> Result<&Statement, Outcome> {
    parcel
        .statement
        .as_deref()
        .ok_or_else(|| refused("this channel publishes: it takes statements only", false))
}

/// What is longer than the other side takes is refused before anything is sent, for half of it would be another statement.
pub(super) fn fits(shown: &Shown) -> Result<(), Outcome> {
    if shown.fits() {
        return Ok(());
    }
    let Shown { size, most, unit, .. } = shown;
    Err(refused(&format!("too long: it has {size} {unit}, and {most} are taken"), false))
}

/// Publishes a statement. What it takes back is removed first, but its words are posted also where that cannot be done: whoever read
/// the one reads that it is withdrawn. What may yet be removed is tried again. Of what will not be, and of a post whose id is not known
/// here, people are told that it may stand there still: the words stand, so they are not sent once more for that.
pub(super) async fn publish<'a, R: Future<Output = Outcome>>(
    parcel: &'a Parcel,
    posted: &Posted,
    remove: impl FnOnce(&'a str) -> R,
    post: impl Future<Output = Result<Outcome, Outcome>>,
) -> Outcome {
    let gone = parcel.statement.as_deref().and_then(taken_back);
    let Some(gone) = gone.filter(|gone| *gone != Gone::Unnamed || !parcel.mends_nothing) else {
        return post.await.unwrap_or_else(|outcome| outcome);
    };
    let removed = match gone {
        Gone::Post(id) => removed(remove(id)).await,
        Gone::Unnamed => refused("its id is not known here", false),
    };
    let told = match posted.before(parcel) {
        Some(told) => told,
        None => post.await.unwrap_or_else(|outcome| outcome),
    };
    withdrawn(parcel, posted, told, removed)
}

/// What became of a letter that takes a post back: of its words, and of that post, which is gone where `removed` was accepted.
fn withdrawn(parcel: &Parcel, posted: &Posted, told: Outcome, removed: Outcome) -> Outcome {
    if !matches!(told, Outcome::Accepted { .. } | Outcome::Begun { .. }) {
        return told;
    }
    match removed {
        Outcome::Accepted { .. } | Outcome::Begun { .. } => told,
        Outcome::Wait { why, .. } | Outcome::Unknown { why } if parcel.attempt < REMOVALS_MAX => {
            posted.keep(parcel, told);
            Outcome::Unknown {
                why: format!("its words are posted, and what they take back is not removed yet: {why}"),
            }
        }
        Outcome::Wait { why, .. }
        | Outcome::Unknown { why }
        | Outcome::Refused { why, .. }
        | Outcome::Stands { why, .. } => standing(told, &why),
    }
}

/// The words that this process has posted, of letters that are tried again because of what they take back. They are not posted once
/// more, and what was answered for them is kept. Of one that is forgotten a repeat is recognised, as that of any other.
#[derive(Default)]
pub(super) struct Posted(Mutex<VecDeque<(String, Outcome)>>);

impl Posted {
    fn before(&self, parcel: &Parcel) -> Option<Outcome> {
        let posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, told) = posted.iter().find(|(delivery, _)| *delivery == parcel.delivery)?;
        Some(told.clone())
    }

    fn keep(&self, parcel: &Parcel, told: Outcome) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posted.retain(|(delivery, _)| *delivery != parcel.delivery);
        if posted.len() == POSTED_MAX {
            posted.pop_front();
        }
        posted.push_back((parcel.delivery.clone(), told));
    }
}

/// Takes a post back in so much of an attempt that there is time left to say so.
async fn removed(removal: impl Future<Output = Outcome>) -> Outcome {
    let late = Outcome::Unknown { why: "no answer in time".into() };
    tokio::time::timeout(REMOVAL_DEADLINE, removal).await.unwrap_or(late)
}

/// The post that has to be gone before a statement is written.
#[derive(Debug, PartialEq, Eq)]
enum Gone<'a> {
    /// The one with this id.
    Post(&'a str),
    /// One that was never named to us: its answer was lost, or it is not there.
    Unnamed,
}

fn taken_back(statement: &Statement) -> Option<Gone<'_>> {
    let id = || statement.mends.as_ref()?.remote_id.as_deref();
    (statement.sort == Sort::Retraction).then(|| id().map_or(Gone::Unnamed, Gone::Post))
}

/// The posts that this one may answer, the first that stands of them: what it corrects, and the first of the thread. What was taken back
/// is none.
pub(super) fn answers(parcel: &Parcel) -> Vec<&str> {
    let Some(statement) = parcel.statement.as_deref() else { return Vec::new() };
    let mends = statement.mends.as_ref().and_then(|mends| mends.remote_id.as_deref());
    let corrects = mends.filter(|_| statement.sort == Sort::Correction);
    let takes_back = mends.filter(|_| statement.sort == Sort::Retraction);
    let root =
        parcel.thread_root.as_deref().filter(|root| takes_back != Some(*root) && corrects != Some(*root));
    corrects.into_iter().chain(root).collect()
}

/// A post that is there: as one of its thread, or where it answers none as the first of another, for what that began with before is
/// not there any more.
pub(super) fn posted_in(parcel: &Parcel, outcome: Outcome, is_answer: bool) -> Outcome {
    match outcome {
        Outcome::Accepted { remote_id: Some(id) } => {
            Outcome::there(id, !is_answer && parcel.thread_root.is_some())
        }
        other => other,
    }
}

/// The address that ends every post: an empty one is none.
pub(super) fn link(fields: &mut Fields) -> Result<Option<String>, String> {
    let link = fields.texts.remove("link").filter(|link| !link.is_empty());
    match link {
        Some(link) if !matches!(links(&link).as_slice(), [only] if *only == (0..link.len())) => {
            Err("`link` is a whole address, such as https://status.example.net, or empty".into())
        }
        link => Ok(link),
    }
}

/// The language of the posts, when the configuration names one.
pub(super) fn language(fields: &mut Fields) -> Result<Option<String>, String> {
    let language = fields.texts.remove("language").filter(|language| !language.is_empty());
    match language {
        Some(word) if !(2..=3).contains(&word.len()) || !word.bytes().all(|one| one.is_ascii_lowercase()) => {
            Err("`language` is its short code, such as \"en\"".into())
        }
        language => Ok(language),
    }
}

/// A statement as it is posted.
pub(super) fn post(parcel: &Parcel, link: Option<&str>) -> String {
    // A letter that is none is refused.
    let Some(statement) = parcel.statement.as_deref() else { return String::new() };
    let mut text = format!("{}\n{}\n\n{}", statement.title.trim(), heading(statement), statement.text.trim());
    if let Some(link) = link {
        text.push_str("\n\n");
        text.push_str(link);
    }
    beside_links(&text, fit::quiet)
}

/// A text of which all but the addresses is written otherwise.
pub(super) fn beside_links(text: &str, otherwise: impl Fn(&str) -> String) -> String {
    let (mut whole, mut at) = (String::with_capacity(text.len()), 0);
    for link in links(text) {
        whole.push_str(&otherwise(text.get(at..link.start).unwrap_or_default()));
        whole.push_str(text.get(link.clone()).unwrap_or_default());
        at = link.end;
    }
    whole + &otherwise(text.get(at..).unwrap_or_default())
}

fn heading(statement: &Statement) -> String {
    let hour = |at: Timestamp, day: bool| {
        let form = if day { "%-d %b %H:%M UTC" } else { "%H:%M UTC" };
        at.to_zoned(TimeZone::UTC).strftime(form).to_string()
    };
    let at = hour(statement.at, false);
    let what = match statement.sort {
        Sort::Correction => "Correction",
        Sort::Retraction => "Withdrawn",
        Sort::Update | Sort::Holding | Sort::Closing => return format!("{}, {at}", statement.phase.title()),
    };
    let Some(mends) = &statement.mends else { return format!("{what}, {at}") };
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    format!("{what}, {at} (our post of {})", hour(mends.at, day(mends.at) != day(statement.at)))
}

/// How many characters a reader sees.
pub(super) fn characters(text: &str) -> usize {
    text.graphemes(true).count()
}

/// Where the addresses are in a text that begin with `http://` or `https://` and name a host, in bytes. What ends a sentence is no
/// part of one, nor is a bracket that was opened before it.
pub(super) fn links(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, _) in text.char_indices().filter(|(_, letter)| matches!(letter, 'h' | 'H')) {
        if found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| rest.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
        let before = text.get(..start).unwrap_or_default().chars().next_back();
        let Some(scheme) = scheme.filter(|_| !before.is_some_and(char::is_alphanumeric)) else { continue };
        let length = scheme.len() + reach(rest.get(scheme.len()..).unwrap_or_default());
        let length = trimmed(rest.get(..length).unwrap_or_default()).len();
        let named = rest.get(scheme.len()..length).unwrap_or_default();
        if names_a_host(named) {
            found.push(start..start + length);
        }
    }
    found
}

/// How far an address goes at most, from its host on: a name may be of any script, what follows it of those from Latin to Cyrillic.
fn reach(address: &str) -> usize {
    let mut is_host = true;
    let ends = |one: char| {
        is_host &= !matches!(one, '/' | '?' | '#');
        let held = match one {
            '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '}' | '|' => false,
            _ if one.is_ascii() => one.is_ascii_graphic(),
            _ => one.is_alphanumeric() && (is_host || one < '\u{530}'),
        };
        !held
    };
    address.find(ends).unwrap_or(address.len())
}

fn trimmed(address: &str) -> &str {
    let mut rest = address;
    loop {
        let Some(last) = rest.chars().next_back() else { return rest };
        let opened = |open: char| rest.matches(open).count() >= rest.matches(last).count();
        let kept = match last {
            ')' => opened('('),
            ']' => opened('['),
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '~' => false,
            _ => true,
        };
        if kept {
            return rest;
        }
        rest = rest.strip_suffix(last).unwrap_or_default();
    }
}

/// Whether what stands behind `://` begins with a name that a host can have.
fn names_a_host(address: &str) -> bool {
    let host = address.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|one| one.is_ascii_digit()) => host,
        _ => host,
    };
    let labels: Vec<&str> = host.split('.').collect();
    let right = |label: &&str| {
        let inside = |one: char| one.is_alphanumeric() || matches!(one, '-' | '_');
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.chars().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = labels.last().copied().unwrap_or_default();
    let named = last.chars().count() >= 2 && last.chars().any(char::is_alphabetic);
    host.len() <= HOST_BYTES_MAX && labels.len() >= 2 && named && labels.iter().all(right)
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::statement;
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        links(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn an_address_ends_where_a_reader_ends_it() {
        for (text, expected) in [
            ("See https://status.example.net.", vec!["https://status.example.net"]),
            (
                "(https://example.net/a_(b)) or http://example.net:8443/x?y=1#z, now",
                vec!["https://example.net/a_(b)", "http://example.net:8443/x?y=1#z"],
            ),
            ("für alle: HTTPS://Status.Example.NET/störung…", vec!["HTTPS://Status.Example.NET/störung"]),
            ("https://example.net\nhttps://example.org", vec!["https://example.net", "https://example.org"]),
            ("https://a.example https://b.example", vec!["https://a.example", "https://b.example"]),
            (
                "https://example.net/aをみて https://例え.example/b",
                vec!["https://example.net/a", "https://例え.example/b"],
            ),
            ("xhttps://example.net https:// https://localhost http://-a.example http://256.1.2.3", vec![]),
            ("ftp://example.net, example.net and mailto:maya@example.net", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let long = format!("https://{}.example.net", "a".repeat(LABEL_BYTES_MAX + 1));
        assert!(found(&long).is_empty());
    }

    #[test]
    fn a_post_says_what_it_is_and_at_what_hour() {
        let parcel = statement(1);
        let text = post(&parcel, Some("https://status.example.net"));
        let expected = "Online shop: payments fail\nIdentified, 02:13 UTC\n\nSome payments by card fail. Payments by invoice work.\n\n\
                        Next update by 10:30 UTC.\n\nhttps://status.example.net";
        assert_eq!(text, expected);
        assert!(!text.contains("42"), "no number of ours");
        let mut other = parcel.clone();
        let said = other.statement.as_mut().unwrap();
        said.sort = Sort::Correction;
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id: None });
        assert!(post(&other, None).contains("\nCorrection, 02:13 UTC (our post of 02:13 UTC)\n"));
        let said = other.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.text = "See https://example.net/@status or ask @support".into();
        said.mends.as_mut().unwrap().at = said.at - jiff::SignedDuration::from_hours(4);
        let text = post(&other, None);
        assert!(text.contains("\nWithdrawn, 02:13 UTC (our post of 22 Nov 22:13 UTC)\n"), "{text}");
        assert!(
            text.ends_with("See https://example.net/@status or ask @\u{200b}support"),
            "nobody is called: {text}"
        );
    }

    #[test]
    fn a_correction_answers_what_it_corrects_and_a_withdrawal_never_what_is_gone() {
        let mut parcel = Parcel { thread_root: Some("1".into()), ..statement(1) };
        assert!(answers(&parcel) == ["1"] && taken_back(parcel.statement.as_ref().unwrap()).is_none());
        let at = parcel.statement.as_ref().unwrap().at;
        for (sort, mended, answered, gone) in [
            (Sort::Correction, Some("2"), vec!["2", "1"], None),
            (Sort::Correction, Some("1"), vec!["1"], None),
            (Sort::Correction, None, vec!["1"], None),
            (Sort::Retraction, Some("2"), vec!["1"], Some(Gone::Post("2"))),
            (Sort::Retraction, Some("1"), vec![], Some(Gone::Post("1"))),
            (Sort::Retraction, None, vec!["1"], Some(Gone::Unnamed)),
        ] {
            let said = parcel.statement.as_mut().unwrap();
            said.sort = sort;
            said.mends = Some(Mended { id: "42-2".into(), at, remote_id: mended.map(str::to_owned) });
            let gone_here = taken_back(parcel.statement.as_ref().unwrap());
            assert_eq!((answers(&parcel), gone_here), (answered, gone), "{sort:?} {mended:?}");
        }
    }

    #[test]
    fn a_withdrawal_has_arrived_when_its_words_stand_and_the_post_does_not() {
        let (yes, no) = (Outcome::Accepted { remote_id: Some("2".into()) }, refused("answered 403", false));
        let (wait, lost) =
            (Outcome::Wait { after: None, why: "busy".into() }, Outcome::Unknown { why: "lost".into() });
        for (attempt, told, removed, word) in [
            (1, &yes, &yes, "accepted"),
            (1, &yes, &wait, "unknown"),
            (1, &yes, &lost, "unknown"),
            (1, &yes, &no, "stands"),
            (REMOVALS_MAX, &yes, &wait, "stands"),
            (REMOVALS_MAX, &yes, &lost, "stands"),
            (REMOVALS_MAX + 1, &yes, &yes, "accepted"),
            (1, &wait, &yes, "wait"),
            (REMOVALS_MAX, &lost, &no, "unknown"),
            (1, &no, &lost, "refused"),
        ] {
            let outcome = withdrawn(&statement(attempt), &Posted::default(), told.clone(), removed.clone());
            assert_eq!(outcome.as_str(), word, "{told:?} {removed:?}");
            assert!(told == &yes || outcome == *told, "what is said of the words goes before");
        }
        let Outcome::Stands { why, remote_id } = withdrawn(&statement(1), &Posted::default(), yes, no) else {
            panic!("people are told")
        };
        assert!(
            why.ends_with("may stand there still: answered 403") && remote_id.as_deref() == Some("2"),
            "{why}"
        );
    }

    #[tokio::test]
    async fn words_that_stand_are_not_posted_again_while_what_they_take_back_is_removed() {
        let mut parcel = statement(1);
        let said = parcel.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id: Some("1".into()) });
        let (posted, yes) = (Posted::default(), Outcome::Accepted { remote_id: Some("2".into()) });
        let first = publish(
            &parcel,
            &posted,
            |_| async { Outcome::Wait { after: None, why: "busy".into() } },
            async { Ok(yes.clone()) },
        );
        assert_eq!(first.await.as_str(), "unknown");
        parcel.attempt = 2;
        let again = publish(
            &parcel,
            &posted,
            |id| async move {
                assert_eq!(id, "1");
                Outcome::Accepted { remote_id: None }
            },
            async { panic!("they stand there already") },
        );
        assert_eq!(again.await, yes, "and what was answered for them is known still");
        let other = Parcel { delivery: "f".repeat(32), ..parcel };
        let said = publish(&other, &posted, |_| async { yes.clone() }, async { Ok(yes.clone()) }).await;
        assert_eq!(said, yes, "another one is posted");
    }

    #[test]
    fn what_a_reader_takes_for_one_character_counts_as_one() {
        for (text, size) in [("für", 3), ("fu\u{308}r", 3), ("👨‍👩‍👧‍👦", 1), ("🇳🇴🇩🇪", 2), ("1\u{fe0f}\u{20e3}", 1)]
        {
            assert_eq!(characters(text), size, "{text}");
        }
    }
}
