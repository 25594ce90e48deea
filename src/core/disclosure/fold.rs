//! A text as a reader takes it, whatever it is spelled with: what is not seen is gone, look-alikes are what they look
//! like, and the usual ways to write an address without writing it are undone. Every byte remembers where it was.
//!
//! Letters keep their case: the rules compare without it where it does not matter, and the shapes of secrets need it.
//! Folding is done until nothing changes any more, so that what is hidden inside of a hiding comes out too; a text
//! that does not come to rest is not readable, and says so.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::lookalikes::{is_unseen, looks_like};

/// So many times a text is folded before it is called unreadable.
const ROUNDS_MAX: usize = 8;
/// Folded texts are never longer than this, in bytes: one character can become eighteen.
const FOLDED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest name of an entity, and longest tag, in bytes.
const NAME_BYTES_MAX: usize = 12;
const TAG_BYTES_MAX: usize = 160;
/// Hidings inside of each other, as `&amp;amp;#46;`.
const DEPTH_MAX: usize = 4;
/// Fewer letters with a sign between each are an abbreviation.
const SPACED_LETTERS_MIN: usize = 4;

/// A folded text, and where each of its bytes stood.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    /// The text.
    pub(super) text: String,
    starts: Vec<u32>,
    ends: Vec<u32>,
    length: u32,
}

impl Folded {
    /// Folds a text. `None`: it cannot be read.
    pub(super) fn of(original: &str) -> Option<Self> {
        let mut folded = Self::plain(original)?;
        for _ in 0..ROUNDS_MAX {
            let next = spaced_letters(&once(&folded)?);
            if next.text == folded.text {
                return Some(next);
            }
            folded = next;
        }
        None
    }

    fn plain(original: &str) -> Option<Self> {
        let mut plain = Self { length: u32::try_from(original.len()).ok()?, ..Self::default() };
        for (at, c) in original.char_indices() {
            plain.push(c, u32::try_from(at).ok()?, u32::try_from(at + c.len_utf8()).ok()?);
        }
        Some(plain)
    }

    fn push(&mut self, c: char, start: u32, end: u32) {
        self.text.push(c);
        for _ in 0..c.len_utf8() {
            self.starts.push(start);
            self.ends.push(end);
        }
    }

    /// Nothing yet of the same text.
    pub(super) fn emptied(&self) -> Self {
        Self { length: self.length, ..Self::default() }
    }

    /// Puts a character that stands in another reading of the same text.
    pub(super) fn copy(&mut self, from: &Self, at: usize, c: char) {
        self.push(c, from.start(at), from.end(at));
    }

    /// Puts a character that stands for a piece of another reading.
    pub(super) fn put(&mut self, from: &Self, piece: Range<usize>, c: char) {
        self.push(c, from.start(piece.start), from.end(piece.end.saturating_sub(1)));
    }

    /// What stood there before it was folded.
    pub(super) fn origin(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let start = *self.starts.get(span.start)?;
        let mut end = *self.ends.get(span.end.checked_sub(1)?)?;
        // What is not seen behind the last letter belongs to it.
        let next = self.starts.get(span.end).copied().unwrap_or(self.length);
        end = end.max(next);
        (start < end).then_some(start as usize..end as usize)
    }

    /// Whether this byte was written as something longer than itself, as a dot that is spelled out.
    pub(super) fn was_longer(&self, at: usize) -> bool {
        match (self.starts.get(at), self.ends.get(at)) {
            (Some(start), Some(end)) => end - start > 1,
            _ => false,
        }
    }

    /// The same with the words again that were read as the joint of a name, and their places: they may begin a name of their own. None
    /// where there are none.
    pub(super) fn with_words(&self, original: &str) -> Option<(Self, Vec<usize>)> {
        let mut made = self.emptied();
        let mut places = Vec::new();
        for (at, c) in self.text.char_indices() {
            let piece = original.get(self.start(at) as usize..self.end(at) as usize).unwrap_or_default();
            let is_word =
                |piece: &str| JOINTS.iter().any(|(word, _)| piece.trim().eq_ignore_ascii_case(word));
            if !matches!(c, '.' | '-' | '_') || !self.was_longer(at) || !is_word(piece) {
                made.copy(self, at, c);
                continue;
            }
            // Within the word, which may begin what is found.
            places.push(made.text.len() + 2);
            for c in [' '].into_iter().chain(piece.trim().chars()).chain([' ']) {
                made.copy(self, at, c);
            }
        }
        (!places.is_empty()).then_some((made, places))
    }

    /// The same with something else for each break of a line, and the places where one was.
    pub(super) fn with_breaks(&self, breaks: Breaks) -> (Self, Vec<usize>) {
        let mut made = Self { length: self.length, ..Self::default() };
        let mut joints = Vec::new();
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let before = made.text.chars().next_back();
            match c {
                '\n' if breaks == Breaks::Gone && joins(before, chars.peek()) => {
                    joints.push(made.text.len());
                    continue;
                }
                '-' if matches!(chars.peek(), Some((_, '\n')))
                    && before.is_some_and(char::is_alphanumeric) =>
                {
                    joints.push(made.text.len());
                    if breaks == Breaks::Hyphen {
                        made.push('-', self.start(at), self.end(at));
                    }
                    chars.next();
                    continue;
                }
                _ => made.push(c, self.start(at), self.end(at)),
            }
        }
        (made, joints)
    }

    /// The same with blanks for underscores: names of files are written so.
    pub(super) fn with_blanks(&self) -> Self {
        Self { text: self.text.replace('_', " "), ..self.clone() }
    }

    fn start(&self, at: usize) -> u32 {
        self.starts.get(at).copied().unwrap_or_default()
    }

    fn end(&self, at: usize) -> u32 {
        self.ends.get(at).copied().unwrap_or_default()
    }
}

/// What stands for the break of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    /// A hyphen before a break stays: `db-⏎1`.
    Hyphen,
    /// A hyphen before a break goes: `out-⏎age`.
    Joined,
    /// Every break inside of a paragraph goes: `out⏎age`.
    Gone,
}

fn joins(before: Option<char>, after: Option<&(usize, char)>) -> bool {
    before.is_some_and(|c| !c.is_whitespace()) && after.is_some_and(|(_, c)| !c.is_whitespace())
}

/// One reading from the left to the right.
fn once(from: &Folded) -> Option<Folded> {
    let mut to = Folded { length: from.length, ..Folded::default() };
    let mut at = 0;
    while let Some(rest) = from.text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if to.text.len() > FOLDED_BYTES_MAX {
            return None;
        }
        let (stands, bytes) =
            hidden(rest, to.text.chars().next_back()).unwrap_or((Stands::Itself(c), c.len_utf8()));
        let (start, end) = (from.start(at), from.end(at + bytes - 1));
        match stands {
            Stands::Nothing => {}
            Stands::Joint(c) => {
                // Blanks before a dot that was spelled out are no part of what is read.
                let mut start = start;
                while to.text.ends_with(' ') {
                    start = to.starts.last().copied().unwrap_or(start);
                    to.text.pop();
                    to.starts.pop();
                    to.ends.pop();
                }
                to.push(c, start, end);
            }
            Stands::Scheme => "://".chars().for_each(|c| to.push(c, start, end)),
            Stands::Blank(breaks) => blank(&mut to, breaks, start, end),
            Stands::Itself(c) => letter(&mut to, c, start, end),
        }
        at += bytes;
    }
    Some(to)
}

enum Stands {
    Nothing,
    Itself(char),
    /// A sign that joins what is left and right of it.
    Joint(char),
    /// `://`
    Scheme,
    /// A blank, with so many breaks of lines in it.
    Blank(usize),
}

fn blank(to: &mut Folded, breaks: usize, start: u32, end: u32) {
    match breaks {
        0 => to.push(' ', start, end),
        1 => to.push('\n', start, end),
        _ => {
            // The end of a paragraph, however many lines are empty.
            to.push('\n', start, end);
            to.push('\n', start, end);
        }
    }
}

fn letter(to: &mut Folded, c: char, start: u32, end: u32) {
    if c.is_ascii() {
        to.push(c, start, end);
        return;
    }
    if let Some(stands) = looks_like(c) {
        for c in stands.chars() {
            to.push(c, start, end);
        }
        return;
    }
    for part in std::iter::once(c).nfkd().filter(|part| !is_combining_mark(*part) && !is_unseen(*part)) {
        match looks_like(part) {
            Some(stands) => stands.chars().for_each(|c| to.push(c, start, end)),
            None => to.push(part, start, end),
        }
    }
}

/// What stands at the beginning of the rest for something else, and how long it is.
fn hidden(rest: &str, before: Option<char>) -> Option<(Stands, usize)> {
    let c = rest.chars().next()?;
    match c {
        '&' => entity(rest, 0).map(|(c, bytes)| (Stands::Itself(c), bytes)),
        '%' => percent(rest).map(|(c, bytes)| (Stands::Itself(c), bytes)),
        '\\' => escaped(rest),
        '<' => bracketed(rest, '>').or_else(|| tag(rest)),
        '[' => bracketed(rest, ']'),
        '(' => bracketed(rest, ')'),
        '{' => bracketed(rest, '}'),
        '*' | '`' => Some((Stands::Nothing, 1)),
        '~' if rest.starts_with("~~") => Some((Stands::Nothing, 2)),
        _ if is_unseen(c) || is_combining_mark(c) => Some((Stands::Nothing, c.len_utf8())),
        '@' if before == Some(' ') && rest.starts_with("@ ") => Some((Stands::Joint('@'), 2)),
        // The dot of a list, and what stands between names in a line, is none of an address.
        '·' | '•' | '∙' | '⋅' | '‧' | '・'
            if before.is_none_or(char::is_whitespace)
                || rest.get(c.len_utf8()..).is_some_and(|after| after.starts_with(char::is_whitespace)) =>
        {
            Some((Stands::Itself('-'), c.len_utf8()))
        }
        _ if c.is_whitespace() => Some(whitespace(rest, before)),
        _ => None,
    }
}

fn whitespace(rest: &str, before: Option<char>) -> (Stands, usize) {
    let after = rest.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c));
    let blank = rest.get(..rest.len() - after.len()).unwrap_or_default();
    let breaks = blank.matches(['\n', '\u{85}', '\u{2028}']).count() + 2 * blank.matches('\u{2029}').count();
    let bytes = blank.len();
    if before.is_some_and(char::is_alphanumeric) {
        for (word, joint) in JOINTS {
            let is_there = after.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
            let behind = after.get(word.len()..).filter(|_| is_there);
            if let Some((true, more)) = behind.map(blanks_and_name) {
                return (Stands::Joint(joint), bytes + word.len() + more);
            }
        }
        // "10 . 0 . 0 . 1", and not the ".NET" of a sentence.
        if let Some(behind) = after.strip_prefix('.') {
            let (name, more) = blanks_and_name(behind);
            let name = name && breaks == 0;
            let direct = behind.starts_with(char::is_alphanumeric)
                && !behind.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("net"));
            if name || direct {
                return (Stands::Joint('.'), bytes + 1 + if name { more } else { 0 });
            }
        }
    }
    (Stands::Blank(breaks), bytes)
}

/// What joins the parts of a name, as people say it.
const JOINTS: [(&str, char); 6] =
    [("dot", '.'), ("punkt", '.'), ("hyphen", '-'), ("dash", '-'), ("bindestrich", '-'), ("underscore", '_')];

/// Whether blanks and then a letter or digit begin the text, and how long the blanks are.
fn blanks_and_name(text: &str) -> (bool, usize) {
    let after = text.trim_start_matches([' ', '\t', '\u{a0}']);
    let blanks = text.len() - after.len();
    (blanks > 0 && blanks <= 4 && after.starts_with(char::is_alphanumeric), blanks)
}

/// `[.]`, `(dot)`, `{ at }`, `[://]`.
fn bracketed(rest: &str, close: char) -> Option<(Stands, usize)> {
    let inner: String = rest.chars().skip(1).take(NAME_BYTES_MAX).take_while(|c| *c != close).collect();
    let behind = rest.get(1 + inner.len()..)?;
    if !behind.starts_with(close) {
        return None;
    }
    let c = match inner.trim().to_lowercase().as_str() {
        "." | "dot" | "punkt" | "point" | "punto" | "d0t" => '.',
        "@" | "at" => '@',
        ":" | "colon" => ':',
        "/" | "slash" => '/',
        "-" | "dash" | "hyphen" | "minus" => '-',
        "_" | "underscore" => '_',
        "://" => return Some((Stands::Scheme, 2 + inner.len())),
        _ => return None,
    };
    // The blanks behind it go with it when something follows that it joins.
    let after = behind.get(1..)?;
    let (name, blanks) = blanks_and_name(after);
    let bytes = 2 + inner.len() + if name { blanks } else { 0 };
    Some((Stands::Joint(c), bytes))
}

/// Whether the facts of a tag say how it looks, and nothing that could be read.
fn only_looks(facts: &str) -> bool {
    const LOOKS: &[&str] =
        &["class", "style", "lang", "dir", "color", "size", "face", "align", "width", "height"];
    let mut rest = facts.trim_matches([' ', '\n', '/']);
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else { return false };
        if !LOOKS.contains(&name.trim().to_ascii_lowercase().as_str()) {
            return false;
        }
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => after.get(1..).and_then(|inner| inner.find(quote)).map(|end| end + 2),
            None => Some(after.find([' ', '\n']).unwrap_or(after.len())),
        };
        let Some(end) = end else { return false };
        rest = after.get(end..).unwrap_or_default().trim_start();
    }
    true
}

/// A tag that says nothing that could be read: it is not seen.
fn tag(rest: &str) -> Option<(Stands, usize)> {
    let name = rest.get(1..)?;
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.bytes().take(TAG_BYTES_MAX).position(|b| b == b'>')?;
    // A tag is not cut in a character.
    let word = name.get(..end)?;
    let (letters, facts) = word.split_once([' ', '\n']).unwrap_or((word, ""));
    let letters = letters.trim_end_matches('/');
    if letters.is_empty() || !letters.bytes().all(|b| b.is_ascii_alphanumeric()) || !only_looks(facts) {
        return None;
    }
    let bytes = rest.len() - name.len() + end + 1;
    match letters.to_ascii_lowercase().as_str() {
        "br" | "p" | "div" | "li" | "tr" | "h1" | "h2" | "h3" | "ul" | "ol" => {
            Some((Stands::Blank(1), bytes))
        }
        "b" | "i" | "u" | "s" | "em" | "strong" | "span" | "wbr" | "code" | "tt" | "small" | "big"
        | "sub" | "sup" | "font" | "mark" | "del" | "ins" | "kbd" | "q" | "a" | "bdo" | "bdi" => {
            Some((Stands::Nothing, bytes))
        }
        _ => None,
    }
}

const ENTITIES: [(&str, char); 34] = [
    ("amp", '&'),
    ("period", '.'),
    ("commat", '@'),
    ("colon", ':'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("minus", '-'),
    ("ndash", '-'),
    ("mdash", '-'),
    ("nbsp", ' '),
    ("ensp", ' '),
    ("emsp", ' '),
    ("thinsp", ' '),
    ("tab", ' '),
    ("newline", '\n'),
    ("shy", '\u{ad}'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
    ("zerowidthspace", '\u{200b}'),
    ("nobreak", '\u{2060}'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("num", '#'),
    ("equals", '='),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("lsqb", '['),
    ("rsqb", ']'),
];

fn entity(rest: &str, depth: usize) -> Option<(char, usize)> {
    let body = rest.strip_prefix('&')?;
    let end = body.bytes().take(NAME_BYTES_MAX + 4).position(|b| b == b';')?;
    let name = body.get(..end)?;
    let bytes = end + 2;
    let c = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        char::from_u32(code)?
    } else {
        ENTITIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, c)| *c)?
    };
    if c == '&' && depth < DEPTH_MAX {
        // "&amp;#46;": what the first one stands for begins another.
        let more = format!("&{}", rest.get(bytes..)?.chars().take(NAME_BYTES_MAX + 20).collect::<String>());
        if let Some((inner, longer)) = entity(&more, depth + 1) {
            return Some((inner, bytes + longer - 1));
        }
    }
    Some((c, bytes))
}

/// `%2e`, `%252e`, and the bytes of one character.
fn percent(rest: &str) -> Option<(char, usize)> {
    let mut at = 0;
    let first = escaped_byte(rest, &mut at)?;
    if first.is_ascii() {
        let c = char::from(first);
        return (c == ' ' || c.is_ascii_graphic() || c == '\n').then_some((c, at));
    }
    let more = match first {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return None,
    };
    let mut bytes = vec![first];
    for _ in 0..more {
        bytes.push(escaped_byte(rest, &mut at)?);
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    Some((text.chars().next()?, at))
}

fn escaped_byte(text: &str, at: &mut usize) -> Option<u8> {
    let mut behind = *at + text.get(*at..)?.starts_with('%').then_some(1)?;
    for _ in 0..DEPTH_MAX {
        let byte = u8::from_str_radix(text.get(behind..behind + 2).filter(|hex| hex.is_ascii())?, 16).ok()?;
        let again =
            text.get(behind + 2..behind + 4).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        behind += 2;
        if byte == b'%' && again {
            continue;
        }
        *at = behind;
        return Some(byte);
    }
    None
}

/// `\u002e`, `\x2e`, and the backslash that keeps a sign from being read as markup.
fn escaped(rest: &str) -> Option<(Stands, usize)> {
    let after = rest.get(1..)?;
    let c = after.chars().next()?;
    let digits = match c {
        'u' => 4,
        'x' => 2,
        '.' | '-' | '_' | '*' | '@' | ':' | '/' | '#' | '[' | ']' | '(' | ')' | '~' | '`' => {
            return Some((Stands::Nothing, 1));
        }
        _ => return None,
    };
    let hex = after.get(1..=digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
    Some((Stands::Itself(c), 2 + digits))
}

/// "b r e a c h", "b.r.e.a.c.h", "b-r-e-a-c-h".
fn spaced_letters(from: &Folded) -> Folded {
    let mut to = Folded { length: from.length, ..Folded::default() };
    let bytes = from.text.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let is_bound = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
    };
    let mut at = 0;
    while let Some(c) = from.text.get(at..).and_then(|rest| rest.chars().next()) {
        let between = bytes.get(at + 1).copied().filter(|b| b" .-_/|+,".contains(b));
        if let (true, true, Some(between)) = (is_letter(at), is_bound(at.checked_sub(1)), between) {
            let mut letters = 1;
            while bytes.get(at + 2 * letters - 1) == Some(&between) && is_letter(at + 2 * letters) {
                letters += 1;
            }
            // The last one may be the first letter of a word.
            if letters > 1 && !is_bound(Some(at + 2 * letters - 1)) {
                letters -= 1;
            }
            if letters >= SPACED_LETTERS_MIN {
                let places = || (0..letters).map(|number| at + 2 * number);
                let mut put = |here: usize| {
                    let c = bytes.get(here).copied().map_or(' ', char::from);
                    to.push(c, from.start(here), from.end(here));
                };
                // "a b r e a c h": the first letter may be a word of its own, so both are read.
                if between == b' ' && matches!(c, 'a' | 'A' | 'i' | 'I') {
                    put(at);
                    put(at + 1);
                    places().skip(1).for_each(&mut put);
                    put(at + 1);
                }
                places().for_each(&mut put);
                at += 2 * letters - 1;
                continue;
            }
        }
        to.push(c, from.start(at), from.end(at));
        at += c.len_utf8();
    }
    to
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fold(text: &str) -> String {
        Folded::of(text).unwrap().text
    }

    #[test]
    fn what_is_hidden_comes_out() {
        for (written, read) in [
            ("d\u{200b}b\u{ad}-\u{202e}1", "db-1"),
            ("ԁЬ-１", "db-1"),
            ("𝐝𝐛-𝟏 ⓓⓑ", "db-1 db"),
            ("Ｂｒéàch", "Breach"),
            ("10[.]0(dot)0 dot 1", "10.0.0.1"),
            ("10 . 0 . 0 . 1", "10.0.0.1"),
            ("db [dot] corp {.} example", "db.corp.example"),
            ("db hyphen 7 and web Dash 3", "db-7 and web-3"),
            ("maya [at] example (dot) com", "maya@example.com"),
            ("maya @ example.com", "maya@example.com"),
            ("db&#45;1&period;corp&amp;#46;local", "db-1.corp.local"),
            ("10%2e0%2E0%252e1", "10.0.0.1"),
            ("\\u0064b\\-1", "db-1"),
            ("**d**b-`1`", "db-1"),
            ("d<b>b</b>-<wbr>1", "db-1"),
            ("b r e a c h", "breach"),
            ("b.r.e.a.c.h of", "breach of"),
            ("a b r e a c h of", "a breach abreach of"),
            ("a b.r.e.a.c.h of", "a breach of"),
            ("hxxps[://]x", "hxxps://x"),
            ("a \t b\r\nc\n\n\nd", "a b\nc\n\nd"),
            ("the .NET app. And ... so", "the .NET app. And ... so"),
            ("Statuscloud™ 100%", "Statuscloud 100%"),
            ("5 % of", "5 % of"),
        ] {
            assert_eq!(fold(written), read, "{written:?}");
        }
    }

    #[test]
    fn what_was_found_is_shown_where_it_stands() {
        let text = "see ԁЬ\u{200b}-１, now";
        let folded = Folded::of(text).unwrap();
        let at = folded.text.find("db-1").unwrap();
        assert_eq!(text.get(folded.origin(&(at..at + 4)).unwrap()), Some("ԁЬ\u{200b}-１"));
        let text = "10 [.] 0.0.1";
        let folded = Folded::of(text).unwrap();
        assert_eq!(text.get(folded.origin(&(0..8)).unwrap()), Some(text));
        assert!(folded.was_longer(2) && !folded.was_longer(4));
    }

    #[test]
    fn breaks_of_lines_are_read_in_three_ways() {
        let folded = Folded::of("an out-\nage of web-\n1 of Con\ntoso").unwrap();
        let read = |breaks| folded.with_breaks(breaks).0.text;
        assert_eq!(read(Breaks::Hyphen), "an out-age of web-1 of Con\ntoso");
        assert_eq!(read(Breaks::Joined), "an outage of web1 of Con\ntoso");
        assert_eq!(read(Breaks::Gone), "an outage of web1 of Contoso");
    }

    #[test]
    fn a_hiding_without_end_is_not_readable() {
        let deep = format!("&{}#46;", "amp;".repeat(200));
        assert!(Folded::of(&deep).is_none());
    }

    proptest! {
        #[test]
        fn folding_comes_to_rest_and_knows_its_places(text in "\\PC{0,60}|[a-d0-9 .@&;#%<>\\[\\]()\\n\\\\u2e*-]{0,60}") {
            if let Some(folded) = Folded::of(&text) {
                prop_assert_eq!(&Folded::of(&folded.text).unwrap().text, &folded.text);
                for (at, c) in folded.text.char_indices() {
                    let span = folded.origin(&(at..at + c.len_utf8())).unwrap();
                    prop_assert!(text.get(span).is_some_and(|part| !part.is_empty()));
                }
            }
        }
    }
}
