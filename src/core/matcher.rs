//! Matchers of labels, as Alertmanager writes them: `a="b"`, `c!="d"`, `e=~"x.*"`, `f!~"y"`.
//!
//! Expressions are anchored at both ends, and a label that is not there is the empty text (Alertmanager,
//! configuration, "Matchers"). Source: prometheus/alertmanager `pkg/labels`, `docs/configuration.md`.

use regex::{Regex, RegexBuilder};

/// Longest name of a label in a matcher, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest value of a matcher, in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;
/// Most memory that one expression may take once it is built, in bytes.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

impl Op {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

/// One comparison of one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How.
    pub op: Op,
    /// With what: a text, or an expression.
    pub value: String,
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// A matcher that has been looked at.
    ///
    /// # Errors
    /// A sentence for people: the name is empty or too long, or the expression is none or too large.
    pub fn new(name: impl Into<String>, op: Op, value: impl Into<String>) -> Result<Self, String> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() {
            return Err("a matcher needs the name of a label".into());
        }
        if name.len() > NAME_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(format!(
                "a matcher is too long: names have at most {NAME_BYTES_MAX} bytes, values {VALUE_BYTES_MAX}"
            ));
        }
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Matches | Op::MatchesNot => Some(
                RegexBuilder::new(&format!("^(?:{value})$"))
                    .size_limit(REGEX_BYTES_MAX)
                    .dfa_size_limit(REGEX_BYTES_MAX)
                    .dot_matches_new_line(true)
                    .build()
                    .map_err(|_| {
                        format!("the expression of the matcher of {name} is not well-formed, or too large")
                    })?,
            ),
        };
        Ok(Self { name, op, value, regex })
    }

    /// Whether a label's value fits; a label that is not there has the empty one.
    pub fn fits(&self, value: &str) -> bool {
        let matches = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.op {
            Op::Equal => self.value == value,
            Op::NotEqual => self.value != value,
            Op::Matches => matches(),
            Op::MatchesNot => !matches(),
        }
    }

    /// Reads one matcher as people write it; quotes around the value may be left out.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut all = read_all(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err("there is not exactly one matcher".into()),
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(out, "{}{}\"{value}\"", self.name, self.op.as_str())
    }
}

/// Reads matchers with commas between them, in braces or without.
///
/// # Errors
/// A sentence for people, with the place in the text, counted in characters from 1.
pub fn read_all(text: &str) -> Result<Vec<Matcher>, String> {
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(trimmed);
    let mut reader = Reader { text: inner, rest: inner };
    let mut found = Vec::new();
    loop {
        reader.blank();
        if reader.rest.is_empty() {
            return Ok(found);
        }
        let name = reader.name()?;
        let op = reader.op()?;
        let value = reader.value()?;
        found.push(Matcher::new(name, op, value)?);
        reader.blank();
        if !reader.take(",") && !reader.rest.is_empty() {
            return Err(reader.wrong("a comma, or the end"));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, wanted: &str) -> String {
        let at = self.text.len() - self.rest.len();
        let place = self.text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        format!("expected {wanted} at character {place} of the matchers")
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest.strip_prefix(word);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn name(&mut self) -> Result<String, String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '-' | '/');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(self.wrong("the name of a label"));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn op(&mut self) -> Result<Op, String> {
        self.blank();
        // The longer ones first: `=~` begins with `=`.
        let all = [Op::Matches, Op::NotEqual, Op::MatchesNot, Op::Equal];
        let found = all.into_iter().find(|op| self.rest.starts_with(op.as_str()));
        let op = found.ok_or_else(|| self.wrong("=, !=, =~ or !~"))?;
        self.take(op.as_str());
        self.blank();
        Ok(op)
    }

    fn value(&mut self) -> Result<String, String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let (value, rest) = self.rest.split_at(self.rest.find(',').unwrap_or(self.rest.len()));
        if value.contains('"') {
            return Err(self.wrong("a value in quotes, or one without any"));
        }
        self.rest = rest;
        Ok(value.trim_end().to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut value = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = letters.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(value);
                }
                '\\' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => value.push(c),
                    // Anything else belongs to an expression, such as `\d`.
                    Some((_, c)) => value.extend(['\\', c]),
                    None => break,
                },
                c => value.push(c),
            }
        }
        Err(self.wrong("a quote that ends this value"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_four_ways_to_compare_are_alertmanagers() {
        for (matcher, fits, not) in [
            ("a=\"b\"", "b", "bb"),
            ("a!=\"b\"", "", "b"),
            ("a=~\"b.*|c\"", "bx", "xb"),
            ("a!~\"b.*\"", "xb", "bx"),
            ("a=b", "b", ""),
            ("a=~\"\"", "", "b"),
            ("a=~\"b\\d\"", "b1", "bd"),
            ("a=~\"x.y\"", "x\ny", "xy"),
        ] {
            let matcher = Matcher::read(matcher).unwrap();
            assert!(matcher.fits(fits) && !matcher.fits(not), "{matcher}");
        }
    }

    #[test]
    fn many_are_read_with_and_without_braces() {
        for text in ["{a=\"b\",c!~\"d, e\"}", " a = \"b\" , c!~\"d, e\" , ", "a=b,c!~\"d, e\""] {
            let all = read_all(text).unwrap();
            let told: Vec<String> = all.iter().map(ToString::to_string).collect();
            assert_eq!(told, ["a=\"b\"", "c!~\"d, e\""], "{text}");
        }
        assert_eq!(read_all("{}").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, what) in [
            ("a", "at character 2"),
            ("=\"b\"", "the name of a label at character 1"),
            ("a=\"b", "a quote that ends"),
            ("a=\"b\" c=\"d\"", "a comma, or the end at character 7"),
            ("a=~\"(\"", "not well-formed"),
            ("a=~\"\\w{500}{500}\"", "too large"),
            ("a=b\"c", "in quotes"),
        ] {
            let why = read_all(text).unwrap_err();
            assert!(why.contains(what), "{text}: {why}");
        }
        assert!(Matcher::read("a=b,c=d").is_err() && Matcher::read("").is_err());
        assert!(Matcher::new("a", Op::Equal, "v".repeat(VALUE_BYTES_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_matcher_reads_back_as_it_is_written(name in "[a-z_]{1,8}", value in "[ -~\\n]{0,12}") {
            let written = Matcher::new(name, Op::NotEqual, value).unwrap();
            prop_assert_eq!(Matcher::read(&written.to_string()), Ok(written));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _either = read_all(&text);
        }
    }
}
