//! What a form says before it is written down: sections of words, pairs, lists and tables.
//!
//! A writer (Markdown, HTML) escapes every word of it, whoever said it: titles come from senders, notes
//! from people.

use jiff::Timestamp;
use serde::Serialize;

/// The version of the form that programs read.
const VERSION: u32 = 1;

/// A form that is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// What it calls itself: `onscene ` and the word of its form.
    pub document: String,
    /// The version of how programs read it.
    pub version: u32,
    /// The number of its incident.
    pub incident: i64,
    /// Of a brief: the number of the newest entry that it depends on, which who takes command names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brief: Option<u32>,
    /// When it was filled.
    pub prepared_at: Timestamp,
    /// For whom.
    pub prepared_by: String,
    /// One line on top.
    pub title: String,
    /// What kind of paper it is, in one sentence.
    pub what: String,
    /// Its parts.
    pub sections: Vec<Section>,
}

impl Document {
    /// An empty one.
    pub fn new(form: &str, incident: i64, (at, by): (Timestamp, &str), title: String, what: &str) -> Self {
        Self {
            document: format!("onscene {form}"),
            version: VERSION,
            incident,
            brief: None,
            prepared_at: at,
            prepared_by: by.to_owned(),
            title,
            what: what.to_owned(),
            sections: Vec::new(),
        }
    }

    /// With one more section.
    pub fn with(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// For programs: the same, as JSON.
    ///
    /// # Errors
    /// None that is known.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// One section of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What it is about, with the number of its block where the form has one.
    pub heading: String,
    /// What stands in it.
    pub parts: Vec<Part>,
}

impl Section {
    /// An empty one.
    pub fn new(heading: &str) -> Self {
        Self { heading: heading.to_owned(), parts: Vec::new() }
    }

    /// With words.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.part(Part::Text(text.into()))
    }

    /// With words, or others where there are none.
    pub fn text_or(self, text: Option<String>, none: &str) -> Self {
        self.text(text.unwrap_or_else(|| none.to_owned()))
    }

    /// With pairs; those without a value are left out.
    pub fn facts(self, facts: Vec<(&str, Option<String>)>) -> Self {
        let known =
            facts.into_iter().filter_map(|(name, value)| Some(Fact { name: name.into(), value: value? }));
        self.part(Part::Facts(known.collect()))
    }

    /// With a list, or words where it is empty.
    pub fn list(self, list: Vec<String>, none: &str) -> Self {
        if list.is_empty() { self.text(none) } else { self.part(Part::List(list)) }
    }

    /// With a table, or words where it is empty.
    pub fn table(self, columns: &[&str], rows: Vec<Vec<String>>, none: &str) -> Self {
        if rows.is_empty() {
            return self.text(none);
        }
        self.part(Part::Table { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows })
    }

    /// With a place that people fill in: the program knows nothing of it, and says nothing.
    pub fn to_fill_in(self, what: &str) -> Self {
        self.part(Part::ToFillIn(what.to_owned()))
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

/// What stands in a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words, of one or more lines.
    Text(String),
    /// Pairs.
    Facts(Vec<Fact>),
    /// A list.
    List(Vec<String>),
    /// A table; each row has as many cells as there are columns.
    Table {
        /// What stands in them.
        columns: Vec<String>,
        /// Cells.
        rows: Vec<Vec<String>>,
    },
    /// A place that people fill in, and with what.
    ToFillIn(String),
}

/// A pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What is known.
    pub value: String,
}

/// An hour: UTC, to the second, in ISO's form.
pub fn hour(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// When something was recorded, and when it happened where that is another second.
pub fn hours(at: Timestamp, occurred_at: Timestamp) -> String {
    let (recorded, occurred) = (hour(at), hour(occurred_at));
    if recorded == occurred { recorded } else { format!("{recorded} (happened {occurred})") }
}

/// How long something took, in words.
pub fn lasting(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} min {rest} s"),
        _ => format!("{hours} h {minutes} min {rest} s"),
    }
}
