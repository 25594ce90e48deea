//! A statement of the PIO, as channels are handed it, and how one shows it before it goes out.

use std::future::Future;

use jiff::Timestamp;

use super::api::{refused, removal};
use super::{
    Channel, Outcome, Parcel, discord, google_chat, matrix, mattermost, slack, teams, telegram, zulip,
};
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
    /// How it is once this is out, where that is not what it says itself.
    pub now: Option<Now>,
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
    /// The words that it takes back, for whoever has to look for them. They are never written.
    pub takes_back: Option<String>,
}

/// How an incident is for the readers of a statement. A correction and a retraction speak of what was before, and whoever shows the
/// present goes by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// How far the incident is.
    pub phase: Phase,
    /// How much readers notice.
    pub impact: Impact,
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

    /// The answer to one that does not fit: nothing of it is sent. It is about this statement, and not the channel.
    pub(super) fn fitting(&self) -> Result<(), Outcome> {
        if self.fits() {
            return Ok(());
        }
        let (size, most, unit) = (self.size, self.most, self.unit);
        Err(refused(&format!("it has {size} {unit}, and no more than {most} are taken"), false))
    }
}

/// What every channel says of a statement: its title, how far the incident is, and the words. It holds nothing of `parcel.data`.
pub(super) fn words(parcel: &Parcel) -> String {
    format!("{}\n\n{}", title(parcel), parcel.text.trim())
}

/// The title, on one line and whole.
pub(super) fn title(parcel: &Parcel) -> String {
    let words = parcel.subject.split(|one: char| one.is_whitespace() || one.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A text as it is written where two marks make words bold, and `escape` makes nothing of any other: its title, which is the first
/// line, in bold.
pub(super) fn with_bold_title(text: &str, mark: &str, escape: impl Fn(&str) -> String) -> String {
    match text.split_once('\n') {
        Some((title, rest)) => format!("{mark}{}{mark}\n{}", escape(title), escape(rest)),
        None => format!("{mark}{}{mark}", escape(text)),
    }
}

/// What it means that an earlier attempt cannot be looked for: unless there is just no turn now, it may have written it.
pub(super) fn unseen(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Wait { after: Some(after), why } => Outcome::Wait { after: Some(after), why },
        Outcome::Wait { why, .. } | Outcome::Refused { why, .. } | Outcome::Unknown { why } => {
            unseen_for(&why)
        }
        Outcome::Accepted { .. } | Outcome::Begun { .. } | Outcome::Stands { .. } => {
            unseen_for("its answer is not what was asked for")
        }
    }
}

/// The same, and why.
pub(super) fn unseen_for(why: &str) -> Outcome {
    Outcome::Unknown {
        why: format!("an attempt before may have written it, and it cannot be looked for: {why}"),
    }
}

/// The other side's id of the message that this one takes back, when it does.
fn taken_back(parcel: &Parcel) -> Option<&str> {
    let statement = parcel.statement.as_deref().filter(|statement| statement.sort == Sort::Retraction)?;
    statement.mends.as_ref()?.remote_id.as_deref()
}

/// After this many attempts to take a message away its readers are told all the same; and after so many where there is just no turn.
const REMOVALS_MAX: u32 = 3;
const LIMITED_MAX: u32 = 8;

/// Takes away what a letter takes back, and then says its words, or finds them: they are said also where the message cannot be taken
/// away, and people are told that it stands there still. To take it away twice is no more than once. Of what is only looked for,
/// nothing is taken away.
pub(super) fn in_place<'a, R: Future<Output = Outcome>>(
    parcel: &'a Parcel,
    remove: impl FnOnce(&'a str) -> R,
    say: impl Future<Output = Outcome>,
) -> impl Future<Output = Outcome> {
    let say = Box::pin(say);
    async move {
        let Some(id) = taken_back(parcel).filter(|_| !parcel.only_look) else { return say.await };
        match removed(parcel, Box::pin(removal(remove(id))).await) {
            Ok(None) => say.await,
            Ok(Some(why)) => standing(say.await, &why),
            Err(not_yet) => not_yet,
        }
    }
}

/// The same of words that an attempt before may have written, where they are found: it may not have taken anything away.
pub(super) async fn found_in_place<'a, R: Future<Output = Outcome>>(
    parcel: &'a Parcel,
    remove: impl FnOnce(&'a str) -> R,
    look: impl Future<Output = Result<Option<Outcome>, Outcome>>,
) -> Result<Option<Outcome>, Outcome> {
    let Some(there) = Box::pin(look).await? else { return Ok(None) };
    let is_there = matches!(there, Outcome::Accepted { .. } | Outcome::Begun { .. });
    Ok(Some(match in_place(parcel, remove, std::future::ready(there)).await {
        Outcome::Wait { why, .. } if is_there => {
            let why = format!("its words are there, and what they take back is not taken away yet: {why}");
            Outcome::Unknown { why }
        }
        told => told,
    }))
}

/// What the answer to taking a message away means for what is to be said after it: why it stands there still, if it does. The error:
/// not yet; nothing was said.
fn removed(parcel: &Parcel, outcome: Outcome) -> Result<Option<String>, Outcome> {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Begun { .. } => Ok(None),
        Outcome::Wait { after: None, why } | Outcome::Unknown { why } if parcel.attempt < REMOVALS_MAX => {
            Err(Outcome::Wait { after: None, why })
        }
        Outcome::Wait { after: Some(after), why } if parcel.attempt < LIMITED_MAX => {
            Err(Outcome::Wait { after: Some(after), why })
        }
        Outcome::Wait { why, .. }
        | Outcome::Unknown { why }
        | Outcome::Refused { why, .. }
        | Outcome::Stands { why, .. } => Ok(Some(why)),
    }
}

/// Of words that are there: what they take back stands there, too, or may. Where that was the first of the thread, the next letter
/// learns by itself whether it can be answered.
pub(super) fn standing(told: Outcome, why: &str) -> Outcome {
    let stands = format!("what they take back may stand there still: {why}");
    let words_are_there = || format!("its words are there, but {stands}");
    match told {
        Outcome::Accepted { remote_id } | Outcome::Stands { remote_id, .. } => {
            Outcome::Stands { remote_id, why: words_are_there() }
        }
        Outcome::Begun { root } => Outcome::Stands { remote_id: Some(root), why: words_are_there() },
        // Whoever is told of the words is told of the rest.
        Outcome::Unknown { why } => Outcome::Unknown { why: format!("{why}; and {stands}") },
        Outcome::Refused { why, whole_channel: false } => {
            Outcome::Refused { why: format!("{why}; and {stands}"), whole_channel: false }
        }
        // What is of the whole channel is told of every letter there.
        other @ (Outcome::Refused { .. } | Outcome::Wait { .. }) => other,
    }
}

impl Channel {
    /// How this channel will show a statement: the parcel as it will be sent, with the root of its thread when that is known.
    /// [`Channel::send`] writes these very words.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        match self {
            Self::Bluesky(channel) => channel.shows(parcel),
            Self::Cachet(channel) => channel.shows(parcel),
            Self::Discord(_) => discord::shows(parcel),
            Self::Ghost(channel) => channel.shows(parcel),
            Self::GoogleChat(_) => google_chat::shows(parcel),
            Self::Instatus(channel) => channel.shows(parcel),
            Self::Irc(channel) => channel.shows(parcel),
            Self::Mastodon(channel) => channel.shows(parcel),
            Self::Matrix(_) => matrix::shows(parcel),
            Self::Mattermost(_) => mattermost::shows(parcel),
            Self::Pagerduty(channel) => channel.shows(parcel),
            Self::Slack(_) => slack::shows(parcel),
            Self::Statuspage(channel) => channel.shows(parcel),
            Self::Teams(_) => teams::shows(parcel),
            Self::Telegram(_) => telegram::shows(parcel),
            Self::Webhook(channel) => channel.shows(parcel),
            Self::WordPress(channel) => channel.shows(parcel),
            Self::X(channel) => channel.shows(parcel),
            Self::Zulip(_) => zulip::shows(parcel),
            // A mail of any length is taken.
            Self::Mail(_) | Self::Site(_) => Shown::whole(words(parcel)),
            // These reach persons only.
            Self::Command(_)
            | Self::Gotify(_)
            | Self::Ntfy(_)
            | Self::Pushover(_)
            | Self::TwilioSms(_)
            | Self::TwilioVoice(_) => Shown::whole(words(parcel)),
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
