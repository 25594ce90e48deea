//! What is wrong with a configuration: file, line, the line itself with a mark under the place, and the
//! nearest right word. As many faults as there are, not only the first.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Place;

/// Most faults told at once.
const TOLD_MAX: usize = 20;
/// How alike two words must be to be suggested: 1 is the same.
const ALIKE_MIN: f64 = 0.7;
/// Stands for what is not shown, however long that is.
const HIDDEN: &str = "***";

/// Everything that is wrong with one file.
#[derive(Debug)]
pub struct Errors {
    file: PathBuf,
    text: String,
    faults: Vec<Fault>,
    /// What must not be shown: places of secrets.
    hidden: Vec<Range<usize>>,
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
        Self { file: file.into(), text: text.into(), faults: Vec::new(), hidden: Vec::new() }
    }

    /// Something is wrong at a place.
    pub(super) fn add(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.faults.push(Fault { at: Some(span.start), length: span.len(), what: what.into() });
    }

    /// What stands here is never shown.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        if !span.is_empty() {
            self.hidden.push(span);
        }
    }

    /// A place as a person looks for it: file and line.
    pub(super) fn place(&self, at: usize) -> Place {
        Place { file: self.file.clone(), line: self.line(at) }
    }

    /// Where a piece of a text stands; the place of the whole text where it is written with escapes.
    pub(super) fn within(&self, text: &str, span: Range<usize>, piece: Range<usize>) -> Range<usize> {
        let written = self.text.get(span.clone()).unwrap_or_default();
        match written.find(text).filter(|_| !text.is_empty() && piece.start < text.len()) {
            Some(begin) => span.start + begin + piece.start..span.start + begin + piece.end,
            None => span,
        }
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
        let end = begin + line.len();
        let shown = self.shown(begin..end);
        let indent: String =
            self.shown(begin..at).chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let length = self.shown(at..(at + fault.length).min(end).max(at)).chars().count();
        // A place inside of what is hidden is marked at its begin.
        let inside = self.hidden.iter().any(|hidden| hidden.start < at && at < hidden.end);
        let indent = if inside { &indent[..indent.len().saturating_sub(HIDDEN.len())] } else { &indent };
        let margin = " ".repeat(number.to_string().len());
        let mark = "^".repeat(length.max(1));
        writeln!(to, " {number} | {shown}\n {margin} | {indent}{mark}")
    }

    /// A piece of the text without what is hidden.
    fn shown(&self, piece: Range<usize>) -> String {
        let mut shown = String::new();
        let mut at = piece.start;
        while at < piece.end {
            if let Some(hidden) = self.hidden.iter().find(|hidden| hidden.contains(&at)) {
                shown.push_str(HIDDEN);
                at = hidden.end;
                continue;
            }
            let next = self.hidden.iter().map(|hidden| hidden.start).filter(|start| *start > at).min();
            let until = next.map_or(piece.end, |next| next.min(piece.end));
            shown.push_str(self.text.get(at..until).unwrap_or_default());
            at = until;
        }
        shown
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
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let alike = |known: &str| strsim::jaro_winkler(word, known);
    let best = known.into_iter().map(|known| (alike(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, known)) if score >= ALIKE_MIN => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}
