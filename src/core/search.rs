//! What alerts and incidents are found by: their labels, and the words of their titles.
//!
//! A term is a short text: `=name=value` for a label, `~word` for a word in small letters. The store keeps terms apart
//! from what they are of, so that a question is a look at an index, however much there is.

use std::collections::{BTreeMap, BTreeSet};

/// Stands between terms where several are kept as one text; no term holds it.
pub const BETWEEN: char = '\u{1f}';
/// Most labels and most words of one alert that it is found by.
const LABELS_MAX: usize = 64;
const WORDS_MAX: usize = 32;
/// Longest word, in letters: what comes after that is not looked at.
const WORD_MAX: usize = 32;
/// Longest term, in bytes. A longer label is told from others by a number made of all of it.
const TERM_BYTES_MAX: usize = 96;
/// Most labels, and most words, of a question.
pub const SOUGHT_MAX: usize = 8;

/// The terms of an alert.
pub fn terms(title: &str, labels: &BTreeMap<String, String>) -> BTreeSet<String> {
    let labels = labels.iter().take(LABELS_MAX).map(|(name, value)| of_label(name, value));
    labels.chain(of_title(title)).collect()
}

/// The terms of a title.
pub fn of_title(title: &str) -> BTreeSet<String> {
    words(title).take(WORDS_MAX).map(|word| format!("~{word}")).collect()
}

/// The term of a label.
pub fn of_label(name: &str, value: &str) -> String {
    let clean = |text: &str| text.replace(char::is_control, " ");
    let term = format!("={}={}", clean(name), clean(value));
    if term.len() <= TERM_BYTES_MAX {
        return term;
    }
    let mut end = TERM_BYTES_MAX - 17;
    while !term.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}#{:016x}", &term[..end], number_of(&term))
}

/// The name and the value of a label, where a term is of one. A long value is cut.
pub fn label(term: &str) -> Option<(&str, &str)> {
    term.strip_prefix('=')?.split_once('=')
}

/// Several terms as one text, with [`BETWEEN`] before each.
pub fn joined(terms: &BTreeSet<String>) -> String {
    let mut text = String::with_capacity(terms.iter().map(|term| term.len() + 1).sum());
    for term in terms {
        text.push(BETWEEN);
        text.push_str(term);
    }
    text
}

/// Reads what [`joined`] wrote.
pub fn split(text: &str) -> BTreeSet<String> {
    text.split(BETWEEN).filter(|term| !term.is_empty()).map(str::to_owned).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_MAX).flat_map(char::to_lowercase).collect())
}

/// FNV-1a: it has to be the same in every version, and nobody has to be kept from making two equal ones.
fn number_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a question names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sought {
    /// This term.
    Whole(String),
    /// A term that begins so.
    Begins(String),
}

/// Why a question cannot be asked so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A label without a value.
    #[error("{0:?} is no label; write NAME=VALUE")]
    Label(String),
    /// Text without a word.
    #[error("{0:?} holds no word to look for")]
    NoWord(String),
    /// Too much at once.
    #[error("at most {SOUGHT_MAX} labels and {SOUGHT_MAX} words can be looked for at once")]
    TooMany,
}

/// What to look for: labels (`NAME=VALUE`), and words, each of which must be the beginning of one.
///
/// # Errors
/// When that cannot be looked for.
pub fn sought(labels: &[String], text: Option<&str>) -> Result<BTreeSet<Sought>, Wrong> {
    let mut all = BTreeSet::new();
    for label in labels {
        let (name, value) = label.split_once('=').ok_or_else(|| Wrong::Label(label.clone()))?;
        all.insert(Sought::Whole(of_label(name, value)));
    }
    let text = text.unwrap_or_default();
    let words: BTreeSet<String> = words(text).take(SOUGHT_MAX + 1).collect();
    if words.is_empty() && !text.trim().is_empty() {
        return Err(Wrong::NoWord(text.to_owned()));
    }
    if labels.len() > SOUGHT_MAX || words.len() > SOUGHT_MAX {
        return Err(Wrong::TooMany);
    }
    all.extend(words.into_iter().map(|word| Sought::Begins(format!("~{word}"))));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_alert_is_found_by_its_labels_and_the_words_of_its_title() {
        let terms = terms("Disk FULL on db1.example (Größe: 93%)", &labels(&[("job", "Node"), ("a", "b=c")]));
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        assert_eq!(
            terms,
            ["=a=b=c", "=job=Node", "~93", "~db1", "~disk", "~example", "~full", "~größe", "~on"]
        );
        assert_eq!(split(&joined(&split("\u{1f}=a=b\u{1f}~c"))).len(), 2);
        assert_eq!(split(""), BTreeSet::new());
    }

    #[test]
    fn terms_are_short_and_long_labels_are_told_apart() {
        let long = |end: &str| of_label("url", &format!("{}{end}", "ü".repeat(500)));
        assert!(long("a").len() <= TERM_BYTES_MAX && long("a") != long("b"));
        assert_eq!(long("a"), long("a"));
        assert_eq!(of_label("a", "b\u{1f}c"), "=a=b c");
        let many: BTreeMap<_, _> = (0..500).map(|n| (format!("l{n}"), "v".to_owned())).collect();
        assert_eq!(terms(&"w ".repeat(9), &many).len(), LABELS_MAX + 1);
        assert!(of_title(&"word ".repeat(3000)).len() == 1);
        let words: String = (0..500).map(|n| format!("w{n} ")).collect();
        assert_eq!(of_title(&words).len(), WORDS_MAX);
    }

    #[test]
    fn a_question_is_read() {
        let sought = |labels: &[&str], text| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            sought(&labels, text)
        };
        assert_eq!(
            sought(&["job=a=b"], Some(" Full-disk ")).unwrap().into_iter().collect::<Vec<_>>(),
            [
                Sought::Whole("=job=a=b".into()),
                Sought::Begins("~disk".into()),
                Sought::Begins("~full".into())
            ]
        );
        assert!(sought(&[], Some("")).unwrap().is_empty());
        assert_eq!(sought(&["job"], None), Err(Wrong::Label("job".into())));
        assert_eq!(sought(&[], Some("-- ?")), Err(Wrong::NoWord("-- ?".into())));
        assert_eq!(sought(&[], Some("a b c d e f g h i")), Err(Wrong::TooMany));
        assert_eq!(sought(&["a=b"; 9], None), Err(Wrong::TooMany));
    }
}
