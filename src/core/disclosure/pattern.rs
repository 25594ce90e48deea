//! How a rule that is an expression is written, and how a text is looked at.
//!
//! Expressions are of the kind whose work grows with the text and not beyond. In them a blank stands for what may
//! stand between two words (a blank, the break of a line, a hyphen, an underscore) unless it is in brackets, and `\b` for the bound of an ASCII
//! word. They do not mind case unless they say `cased`. Whatever needs to know what stands around a match asks that in
//! `keep`, which sees a bounded window.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::fold::Folded;
use super::known::{Found, Known, Ready};
use super::{
    Place, Rule, fault, hosts, inside, named, network, personal, phrases, public_spans, repair, secrets,
};

/// What may stand between two words of a phrase.
const GAP: &str = r"(?:[ \n_/+-]{1,2})";
/// So far a rule looks around a match, in bytes.
const WINDOW_BYTES: usize = 240;
/// Most memory of one expression, in bytes.
const REGEX_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most hits of one expression in one text: far more than findings are listed.
const HITS_MAX: usize = 2_000;
const MANY: &str = "There is more of the same than can be looked at: write less.";

/// A rule that is an expression.
pub(super) struct Pattern {
    pub(super) rule: Rule,
    pub(super) source: &'static str,
    pub(super) why: &'static str,
    pub(super) cased: bool,
    /// Whether it is looked for in a text without breaks of lines too, where words stand together by chance.
    pub(super) joined: bool,
    pub(super) keep: fn(&Look<'_>, &Range<usize>) -> bool,
}

impl Pattern {
    pub(super) const fn new(rule: Rule, source: &'static str, why: &'static str) -> Self {
        Self { rule, source, why, cased: false, joined: false, keep: |_, _| true }
    }

    pub(super) const fn cased(mut self) -> Self {
        self.cased = true;
        self
    }

    pub(super) const fn joined(mut self) -> Self {
        self.joined = true;
        self
    }

    pub(super) const fn when(mut self, keep: fn(&Look<'_>, &Range<usize>) -> bool) -> Self {
        self.keep = keep;
        self
    }
}

/// An expression that stands in the code. `None`: it is none, which a test rules out.
pub(super) fn expression(source: &str, cased: bool) -> Option<Regex> {
    let mut whole = String::with_capacity(source.len() * 2);
    let mut class = false;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('s') => whole.push_str(r"[ \n]"),
                Some('b') => whole.push_str(r"(?-u:\b)"),
                next => whole.extend(std::iter::once('\\').chain(next)),
            },
            ' ' if !class => whole.push_str(GAP),
            _ => {
                class = (class || c == '[') && c != ']';
                whole.push(c);
            }
        }
    }
    RegexBuilder::new(&whole).case_insensitive(!cased).size_limit(REGEX_BYTES_MAX).build().ok()
}

/// All rules that are expressions. `None`: one of them cannot be evaluated.
pub(super) fn all() -> Option<&'static [(&'static Pattern, Regex)]> {
    static ALL: LazyLock<Option<Vec<(&'static Pattern, Regex)>>> = LazyLock::new(|| {
        [
            secrets::PATTERNS,
            personal::PATTERNS,
            network::PATTERNS,
            hosts::PATTERNS,
            inside::PATTERNS,
            phrases::PATTERNS,
            repair::PATTERNS,
            fault::PATTERNS,
        ]
        .into_iter()
        .flatten()
        .map(|pattern| expression(pattern.source, pattern.cased).map(|regex| (pattern, regex)))
        .collect()
    });
    ALL.as_deref()
}

/// What a rule found in a folded text.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) rule: Rule,
    pub(super) span: Range<usize>,
    pub(super) why: &'static str,
}

/// One part of a statement, as it is looked at.
pub(super) struct Look<'a> {
    pub(super) place: Place,
    pub(super) original: &'a str,
    pub(super) folded: &'a Folded,
    pub(super) known: &'a Known,
    pub(super) ready: &'a Ready<'a>,
    /// The vendors whose own notice the statement links.
    pub(super) noticed: &'a BTreeSet<usize>,
    /// Whether the breaks of lines are gone.
    pub(super) gone: bool,
}

impl Look<'_> {
    /// All that the rules find, without what lies in a public name.
    pub(super) fn hits(&self, patterns: &[(&Pattern, Regex)]) -> Vec<Hit> {
        let text = self.text();
        let names: Vec<Found> = self.ready.find(text);
        let mut hits = Vec::new();
        for (pattern, regex) in patterns {
            if self.gone && !pattern.joined {
                continue;
            }
            let kept = hits.len();
            let found = regex.find_iter(text).map(|found| found.range());
            for span in found.filter(|span| (pattern.keep)(self, span)) {
                if hits.len() - kept == HITS_MAX {
                    // What is not looked at any more could be the one that matters.
                    hits.push(Hit { rule: Rule::Unreadable, span, why: MANY });
                    break;
                }
                hits.push(Hit { rule: pattern.rule, span, why: pattern.why });
            }
        }
        named::look(self, &names, &mut hits);
        if !self.gone {
            hosts::look(self, &mut hits);
        }
        secrets::look(self, &mut hits);
        let public = public_spans(&names);
        hits.retain(|hit| {
            let free = hit.rule != Rule::Secret
                && public.iter().any(|name| name.start <= hit.span.start && hit.span.end <= name.end);
            !free
        });
        hits
    }

    pub(super) fn text(&self) -> &str {
        &self.folded.text
    }

    /// Whether this part is the target of a link.
    pub(super) fn place_is_a_target(&self) -> bool {
        matches!(self.place, Place::Link(_))
    }

    /// The match itself.
    pub(super) fn of(&self, span: &Range<usize>) -> &str {
        self.text().get(span.clone()).unwrap_or_default()
    }

    /// What stands before it, and not more than a window.
    pub(super) fn before(&self, span: &Range<usize>) -> &str {
        let mut from = span.start.saturating_sub(WINDOW_BYTES);
        while !self.text().is_char_boundary(from) {
            from += 1;
        }
        self.text().get(from..span.start).unwrap_or_default()
    }

    /// What stands behind it, and not more than a window.
    pub(super) fn after(&self, span: &Range<usize>) -> &str {
        let mut to = (span.end + WINDOW_BYTES).min(self.text().len());
        while !self.text().is_char_boundary(to) {
            to -= 1;
        }
        self.text().get(span.end..to).unwrap_or_default()
    }

    /// The part of its sentence before it.
    pub(super) fn sentence_before(&self, span: &Range<usize>) -> &str {
        let before = self.before(span);
        let start = ends_of_sentences(before).rfind(|end| *end < before.len()).unwrap_or_default();
        before.get(start..).unwrap_or_default()
    }

    /// The part of its sentence behind it.
    pub(super) fn sentence_after(&self, span: &Range<usize>) -> &str {
        let after = self.after(span);
        let end = ends_of_sentences(after).next().unwrap_or(after.len());
        after.get(..end).unwrap_or_default()
    }
}

/// Where sentences end: behind a stop with a blank after it that is no abbreviation's, and between paragraphs.
fn ends_of_sentences(text: &str) -> impl DoubleEndedIterator<Item = usize> {
    const ABBREVIATED: &[&str] = &[
        "inc", "ltd", "co", "corp", "e.g", "i.e", "approx", "ca", "z.b", "bzw", "kl", "nr", "no", "st", "dr",
        "mr", "mrs", "ms", "vs", "etc", "est", "min", "a.m", "p.m", "s.a", "a.s", "usw",
    ];
    let is_end = move |(at, c): (usize, char)| {
        let behind = text.get(at + c.len_utf8()..)?;
        let stop = match c {
            '!' | '?' => behind.is_empty() || behind.starts_with(char::is_whitespace),
            '.' => {
                let blank = behind.is_empty() || behind.starts_with(char::is_whitespace);
                let word = text.get(..at)?.rsplit([' ', '\n', '(']).next().unwrap_or_default();
                // No abbreviation is long, so a long word is not put into small letters.
                let short = word.len() <= 6 && ABBREVIATED.contains(&word.to_lowercase().as_str());
                blank && !short
            }
            '\n' => behind.starts_with('\n'),
            _ => false,
        };
        stop.then_some(at + c.len_utf8())
    };
    text.char_indices().filter_map(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_can_be_evaluated() {
        for pattern in [
            secrets::PATTERNS,
            personal::PATTERNS,
            network::PATTERNS,
            hosts::PATTERNS,
            inside::PATTERNS,
            phrases::PATTERNS,
            repair::PATTERNS,
            fault::PATTERNS,
        ]
        .into_iter()
        .flatten()
        {
            assert!(expression(pattern.source, pattern.cased).is_some(), "{}", pattern.source);
            assert!(!pattern.why.is_empty());
        }
        assert!(all().is_some());
    }

    #[test]
    fn sentences_end_where_they_end() {
        let text = "Acme Inc. is slow. Wait! One\n\ntwo. v1.2 is out";
        let parts: Vec<usize> = ends_of_sentences(text).collect();
        let ends: Vec<&str> =
            parts.iter().map(|end| &text[..*end]).map(|part| &part[part.len() - 3..]).collect();
        assert_eq!(ends, ["ow.", "it!", "ne\n", "wo."]);
    }
}
