//! A statement of the PIO, as channels are handed it, and how one shows it before it goes out.

use jiff::Timestamp;

use super::{Channel, Parcel};
use crate::core::audience::Audience;
use crate::core::voice::{Impact, Phase, Sort};

/// What a parcel carries that is a statement. Every word of it that a channel may write was approved for its audience: title, text,
/// the components and the hours. The parcel's own subject and text are made of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its id, which is never that of another: `42-3`. For keys; people outside are not shown it.
    pub id: String,
    /// Who reads it.
    pub audience: Audience,
    /// Of what sort it is.
    pub sort: Sort,
    /// How far the incident is.
    pub phase: Phase,
    /// How much readers notice.
    pub impact: Impact,
    /// What the incident is called before this audience, the same in all of its statements.
    pub title: String,
    /// The words, whole: with the sentence that promises the next update, when there is one.
    pub text: String,
    /// What is affected, by the names that this audience knows.
    pub components: Vec<String>,
    /// The same by the names of the configuration, to look up what a channel calls them. They are never written.
    pub services: Vec<String>,
    /// Since when readers have noticed it.
    pub began: Timestamp,
    /// When it was released to go out: the same in every attempt.
    pub at: Timestamp,
    /// When the next one is promised for.
    pub next_by: Option<Timestamp>,
    /// The one that it corrects or takes back.
    pub mends: Option<Mended>,
}

/// A statement that went out before, and is corrected or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// Its id.
    pub id: String,
    /// When it went out.
    pub at: Timestamp,
    /// The other side's id for it in this channel, when it gave one.
    pub remote_id: Option<String>,
}

/// A statement as a channel will show it, to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What readers see.
    pub text: String,
    /// How long that is as the other side counts.
    pub size: usize,
    /// How much it takes; [`usize::MAX`] where nobody comes near the limit.
    pub most: usize,
    /// What is counted, in the plural: `characters`, `bytes`.
    pub unit: &'static str,
}

impl Shown {
    /// Where nobody comes near the limit.
    pub fn whole(text: String) -> Self {
        let size = text.chars().count();
        Self { text, size, most: usize::MAX, unit: "characters" }
    }

    /// Whether it goes out as it is. What does not fit is refused before it is approved, and never cut.
    pub fn fits(&self) -> bool {
        self.size <= self.most
    }
}

impl Channel {
    /// How this channel will show a statement: the parcel as it will be sent, with the root of its thread when that is known.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        match (self, &parcel.statement) {
            (Self::Ghost(ghost), Some(said)) => ghost.shows(said),
            (Self::WordPress(wordpress), Some(said)) => wordpress.shows(said),
            _ => Shown::whole(format!("{}\n\n{}", parcel.subject, parcel.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind;
    use super::super::stories::{build, statement};

    #[test]
    fn what_is_shown_holds_every_approved_word_and_no_id() {
        let text = [("room", "C0123456789")];
        let slack = build(kind("slack").unwrap(), &text, &[("token", "not-a-real-token")]).unwrap();
        let shown = slack.shows(&statement(1));
        assert!(shown.fits());
        assert!(
            shown.text.contains("Payments by invoice work.\n\nNext update by 10:30 UTC."),
            "{}",
            shown.text
        );
        assert!(!shown.text.contains("42-3"), "{}", shown.text);
    }
}
