//! The words of statements: of what sort one is, how far the incident is, and how much the readers notice of it.

/// Of what sort a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// What is known now.
    Update,
    /// Words that were approved beforehand, with nothing but slots in them.
    Holding,
    /// What one that went out should have said.
    Correction,
    /// One that went out must not be out: channels that can take it back do, the others are told this.
    Retraction,
    /// It is over. It goes wherever anything was said.
    Closing,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Update, Self::Holding, Self::Correction, Self::Retraction, Self::Closing];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Holding => "holding",
            Self::Correction => "correction",
            Self::Retraction => "retraction",
            Self::Closing => "closing",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == word)
    }
}

/// How far an incident is, as its readers are told. It is said by people, and need not follow the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// What is wrong is looked for.
    Investigating,
    /// It is known, and being mended.
    Identified,
    /// It works again, and is watched.
    Monitoring,
    /// Over.
    Resolved,
}

impl Phase {
    /// All of them, in the order in which they usually come.
    pub const ALL: [Self; 4] = [Self::Investigating, Self::Identified, Self::Monitoring, Self::Resolved];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Investigating => "investigating",
            Self::Identified => "identified",
            Self::Monitoring => "monitoring",
            Self::Resolved => "resolved",
        }
    }

    /// The word as a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Investigating => "Investigating",
            Self::Identified => "Identified",
            Self::Monitoring => "Monitoring",
            Self::Resolved => "Resolved",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// How much readers notice of an incident, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// Nothing.
    None,
    /// It is slower, or part of it is.
    Minor,
    /// Part of it does not work.
    Major,
    /// It does not work.
    Critical,
}

impl Impact {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::None, Self::Minor, Self::Major, Self::Critical];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|impact| impact.as_str() == word)
    }
}

/// By what right a statement went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// The Commander approved what somebody else had written.
    Commander,
    /// The Commander approved what they had written themselves.
    Own,
    /// The Deputy approved, for the Commander had been silent.
    Deputy,
    /// An administrator approved, after it was over.
    Administrator,
    /// The Commander lets the PIO speak for a while.
    Standing,
    /// The house lets the PIO speak of incidents that are no worse than this.
    Alone,
    /// The words were approved beforehand, and nobody said hold.
    Template,
    /// The same, while nobody had the incident: they say no more than that something was noticed.
    Detected,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Commander,
        Self::Own,
        Self::Deputy,
        Self::Administrator,
        Self::Standing,
        Self::Alone,
        Self::Template,
        Self::Detected,
    ];

    /// The word used in SQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::Own => "own",
            Self::Deputy => "deputy",
            Self::Administrator => "administrator",
            Self::Standing => "standing",
            Self::Alone => "alone",
            Self::Template => "template",
            Self::Detected => "detected",
        }
    }

    /// What people read behind "approved".
    pub fn words(self) -> &'static str {
        match self {
            Self::Commander => "by the Commander",
            Self::Own => "by the Commander, who wrote it (self-approved)",
            Self::Deputy => "by the Deputy, for the Commander was silent",
            Self::Administrator => "by an administrator, after it was over",
            Self::Standing => "by standing delegation of the Commander",
            Self::Alone => "by the PIO alone, as the house lets them",
            Self::Template => "beforehand; nobody said hold",
            Self::Detected => "beforehand; nobody had it yet",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_was_written_for() {
        Sort::ALL.into_iter().for_each(|sort| assert_eq!(Sort::from_word(sort.as_str()), Some(sort)));
        Phase::ALL.into_iter().for_each(|phase| assert_eq!(Phase::from_word(phase.as_str()), Some(phase)));
        Right::ALL.into_iter().for_each(|one| assert_eq!(Right::from_word(one.as_str()), Some(one)));
        Impact::ALL.into_iter().for_each(|one| assert_eq!(Impact::from_word(one.as_str()), Some(one)));
        assert_eq!(
            (Sort::from_word("Update"), Phase::from_word(""), Impact::from_word("bad")),
            (None, None, None)
        );
    }
}
