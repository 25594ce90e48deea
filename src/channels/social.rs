//! What the kinds share that publish to social networks: how a statement reads there, which of its words are links, and how
//! readers count.
//!
//! A post is the title, a line that says how far it is and at what hour, and the text; then an address, when the configuration
//! has one. The hour is what makes each post another one than the last, also where two statements say the same: networks refuse
//! a second post with the same words. Nothing is cut.

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation as _;

use super::api::refused;
use super::statement::Shown;
use super::{Fields, Outcome, Parcel, Statement, fit};
use crate::core::voice::Sort;

/// Longest name of a host, and longest part of one between two dots, by the rules of names.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
const REMOVAL_DEADLINE: Duration = Duration::from_secs(6);

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

/// What became of a letter that takes a post back: of its words, and of that post, which is gone where `removed` was accepted. Its words
/// are posted also where the post cannot be removed: whoever read it reads that it is withdrawn. But then it has not arrived: what
/// may yet be removed is tried again, for a repeat of the words changes nothing, and of what will not be people are told.
pub(super) fn withdrawn(told: Outcome, removed: Outcome) -> Outcome {
    let stands = "its words are posted, but the post that it takes back stands there still";
    match (&told, removed) {
        (Outcome::Accepted { .. }, Outcome::Wait { why, .. } | Outcome::Unknown { why }) => {
            Outcome::Unknown { why: format!("{stands}: {why}") }
        }
        (Outcome::Accepted { .. }, Outcome::Refused { why, whole_channel }) => {
            refused(&format!("{stands}, and has to be removed by hand: {why}"), whole_channel)
        }
        _ => told,
    }
}

/// Takes a post back in so much of an attempt that there is time left to say so.
pub(super) async fn removed(removal: impl Future<Output = Outcome>) -> Outcome {
    let late = Outcome::Unknown { why: "no answer in time".into() };
    tokio::time::timeout(REMOVAL_DEADLINE, removal).await.unwrap_or(late)
}

/// The id of the post that has to be gone before this one is written.
pub(super) fn taken_back(statement: &Statement) -> Option<&str> {
    let mends = statement.mends.as_ref().filter(|_| statement.sort == Sort::Retraction)?;
    mends.remote_id.as_deref()
}

/// The post that this one is an answer to: what it corrects, or else the first of the thread. What was taken back is none.
pub(super) fn answers(parcel: &Parcel) -> Option<&str> {
    let statement = parcel.statement.as_deref()?;
    let mends = statement.mends.as_ref().and_then(|mends| mends.remote_id.as_deref());
    match statement.sort {
        Sort::Correction => mends.or(parcel.thread_root.as_deref()),
        Sort::Retraction => parcel.thread_root.as_deref().filter(|root| Some(*root) != mends),
        _ => parcel.thread_root.as_deref(),
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
        assert_eq!((answers(&parcel), taken_back(parcel.statement.as_ref().unwrap())), (Some("1"), None));
        let at = parcel.statement.as_ref().unwrap().at;
        for (sort, mended, answered, gone) in [
            (Sort::Correction, Some("2"), Some("2"), None),
            (Sort::Correction, None, Some("1"), None),
            (Sort::Retraction, Some("2"), Some("1"), Some("2")),
            (Sort::Retraction, Some("1"), None, Some("1")),
            (Sort::Retraction, None, Some("1"), None),
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
        for (told, removed, word) in [
            (&yes, &yes, "accepted"),
            (&yes, &wait, "unknown"),
            (&yes, &lost, "unknown"),
            (&yes, &no, "refused"),
            (&wait, &yes, "wait"),
            (&lost, &no, "unknown"),
            (&no, &lost, "refused"),
        ] {
            let outcome = withdrawn(told.clone(), removed.clone());
            assert_eq!(outcome.as_str(), word, "{told:?} {removed:?}");
            assert!(told == &yes || outcome == *told, "what is said of the words goes before");
        }
        let Outcome::Refused { why, .. } = withdrawn(yes, no) else { panic!("it was refused") };
        assert!(why.contains("by hand: answered 403"), "{why}");
    }

    #[test]
    fn what_a_reader_takes_for_one_character_counts_as_one() {
        for (text, size) in [("für", 3), ("fu\u{308}r", 3), ("👨‍👩‍👧‍👦", 1), ("🇳🇴🇩🇪", 2), ("1\u{fe0f}\u{20e3}", 1)]
        {
            assert_eq!(characters(text), size, "{text}");
        }
    }
}
