//! What is wrong with a configuration: file, line, the line itself with a mark under the place, and the
//! nearest right word. As many faults as there are, not only the first.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Most faults told at once.
const TOLD_MAX: usize = 20;
/// How alike two words must be to be suggested: 1 is the same.
const ALIKE_MIN: f64 = 0.7;

/// Everything that is wrong with one file.
#[derive(Debug)]
pub struct Errors {
    file: PathBuf,
    text: String,
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    at: Option<usize>,
    length: usize,
    what: String,
}

impl Errors {
    /// None yet.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        Self { file: file.into(), text: text.into(), faults: Vec::new() }
    }

    /// Something is wrong at a place.
    pub(super) fn add(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.faults.push(Fault { at: Some(span.start), length: span.len(), what: what.into() });
    }

    /// Something is wrong with the file as a whole.
    pub(super) fn add_whole(&mut self, what: impl Into<String>) {
        self.faults.push(Fault { at: None, length: 0, what: what.into() });
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.faults.len()
    }

    /// Number of a line, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
    }

    fn write(&self, to: &mut String, fault: &Fault) -> fmt::Result {
        let file = self.file.display();
        let Some(at) = fault.at.filter(|at| self.text.is_char_boundary(*at)) else {
            return writeln!(to, "{file}: {}", fault.what);
        };
        let begin = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[begin..].lines().next().unwrap_or_default();
        let column = self.text[begin..at].chars().count();
        let number = self.line(at);
        writeln!(to, "{file}:{number}:{}: {}", column + 1, fault.what)?;
        // A line that may hold a secret is not shown.
        if ["token", "password", "secret"].iter().any(|word| line.contains(word)) {
            return Ok(());
        }
        let margin = " ".repeat(number.to_string().len());
        let rest = line.chars().count().saturating_sub(column).max(1);
        let mark = "^".repeat(fault.length.clamp(1, rest));
        let indent: String =
            self.text[begin..at].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(to, " {number} | {line}\n {margin} | {indent}{mark}")
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults: Vec<&Fault> = self.faults.iter().collect();
        faults.sort_by_key(|fault| fault.at);
        let mut text = String::new();
        for fault in faults.iter().take(TOLD_MAX) {
            self.write(&mut text, fault)?;
        }
        if faults.len() > TOLD_MAX {
            writeln!(text, "and {} more", faults.len() - TOLD_MAX)?;
        }
        to.write_str(text.trim_end())
    }
}

impl std::error::Error for Errors {}

/// The nearest right word, as the end of a sentence; empty when none is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let alike = |known: &str| strsim::jaro_winkler(word, known);
    let best = known.into_iter().map(|known| (alike(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, known)) if score >= ALIKE_MIN => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}
