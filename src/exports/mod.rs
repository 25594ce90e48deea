//! What is taken out of the store about one incident, for others to read and to keep.
//!
//! A form is one file here and one line in [`Form`].

pub mod json;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Everything, as it was written down, so that it can be proved: see [`json`].
    Json,
}

impl Form {
    /// All there are.
    pub const ALL: [Self; 1] = [Self::Json];

    /// The word of commands and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
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
}
