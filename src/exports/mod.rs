//! What is taken out of the store about one incident, for others to read and to keep.
//!
//! A form is one file here and one line in [`Form`]. Each is a pure function of what was [`taken`]: the same timeline gives the
//! same [`document`], word by word, and two writers put it down for people.

pub mod document;
mod html;
mod ics_201;
mod ics_209;
mod ics_214;
pub mod json;
pub mod later;
mod markdown;
mod postmortem;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_corrected;
#[cfg(test)]
mod stories_words;
pub mod taken;

use document::Document;
use taken::Taken;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The incident briefing: what is read before command passes.
    Ics201,
    /// A status summary in the way of ICS-209.
    Ics209,
    /// The activity log, of all or of one person.
    Ics214,
    /// The draft of a post-mortem.
    Postmortem,
    /// Everything, as it was written down, so that it can be proved: see [`json`].
    Json,
}

impl Form {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Ics201, Self::Ics209, Self::Ics214, Self::Postmortem, Self::Json];

    /// The word of commands and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ics201 => "ics-201",
            Self::Ics209 => "ics-209",
            Self::Ics214 => "ics-214",
            Self::Postmortem => "postmortem",
            Self::Json => "json",
        }
    }

    /// Reads what [`Form::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == word)
    }

    /// Their words, for who named another.
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// How it is written down where nobody says how.
    pub fn usual_format(self) -> Format {
        if self == Self::Json { Format::Json } else { Format::default() }
    }

    /// Whether it can be had so, and of one person.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn takes(self, format: Format, person: Option<&str>) -> Result<(), String> {
        if self == Self::Json && format != Format::Json {
            return Err(format!("the form json is JSON, and not {}", format.as_str()));
        }
        if person.is_some() && self != Self::Ics214 {
            return Err(format!("{} is of the whole incident; ics-214 can be of one person", self.as_str()));
        }
        Ok(())
    }

    /// Fills it. `person`: of whom, where it is of one; `None`: the timeline does not name them, or it is none that is filled.
    pub fn fill(self, taken: &Taken<'_>, person: Option<&str>) -> Option<Document> {
        match self {
            Self::Ics201 => Some(ics_201::fill(taken)),
            Self::Ics209 => Some(ics_209::fill(taken)),
            Self::Ics214 => ics_214::fill(taken, person),
            Self::Postmortem => Some(postmortem::fill(taken)),
            Self::Json => None,
        }
    }
}

/// How a form is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, as text.
    #[default]
    Markdown,
    /// For people, to be printed.
    Html,
    /// For programs.
    Json,
}

impl Format {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Markdown, Self::Html, Self::Json];

    /// The word of commands and addresses, and the end of a file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
        }
    }

    /// Reads what [`Format::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Their words, for who named another.
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// What a browser calls it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// Writes a form down.
    ///
    /// # Errors
    /// None that is known.
    pub fn write(self, document: &Document) -> Result<String, serde_json::Error> {
        match self {
            Self::Markdown => Ok(markdown::write(document)),
            Self::Html => Ok(html::write(document)),
            Self::Json => document.json(),
        }
    }
}
