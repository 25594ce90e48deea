//! Who reads a statement. Responders are not among them: what they read is the timeline itself.

/// Who reads a statement, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everybody who works here.
    Internal,
    /// Those who answer to others for it: heads, support, account managers, partners.
    Stakeholder,
    /// Anybody.
    Public,
}

impl Audience {
    /// All of them, the nearest first.
    pub const ALL: [Self; 3] = [Self::Internal, Self::Stakeholder, Self::Public];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Stakeholder => "stakeholder",
            Self::Public => "public",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|audience| audience.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_has_a_word_and_no_other_word_has_an_audience() {
        for audience in Audience::ALL {
            assert_eq!(Audience::from_word(audience.as_str()), Some(audience));
        }
        assert_eq!(Audience::from_word("responders"), None);
        assert_eq!(Audience::from_word("Public"), None);
    }
}
