//! What a statement must not say: the lint that every text passes before it can be approved.
//!
//! It looks at what one channel will show: the texts, every link target and every attachment name, each folded first
//! (`fold`), because a leak is a leak however it is spelled. It is a net and not a judge: a human still reads.
//! What it cannot evaluate, it blocks (`unreadable`): a text beyond the bounds, a promise of the next update that is
//! none, a name that cannot be looked for, more findings than anybody would read.
//!
//! A finding says where, which rule, how heavy and what to write instead. It never repeats what it found. Phrases are
//! known in English, and the commonest in German, Norwegian, French and Spanish; shapes and names in any language.

mod fault;
mod fold;
mod hosts;
mod house;
mod inside;
mod known;
mod lookalikes;
mod named;
mod network;
mod numbers;
mod pattern;
mod personal;
mod phrases;
mod repair;
mod secrets;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_corpus;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::audience::Audience;
use fold::{Breaks, Folded};
pub use house::Disclosure;
pub use known::{Known, NAME_BYTES_MAX, NAMES_MAX, SLOT_BYTES_MAX, Vendor};
use known::{Named, Ready};
pub use lookalikes::is_unseen;
use pattern::{Hit, Look};

/// Longest rendered statement, all its parts together, in bytes: some ten times what a long mail has.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Most parts of a rendered statement.
pub const PARTS_MAX: usize = 512;
/// Most findings of one statement. Where there are more, the last one says so, and blocks.
pub const FINDINGS_MAX: usize = 200;

/// What one channel will show of a statement. Its `Debug` says how much there is and nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, or the title.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Every further text that is shown: names and values of fields, footers, the words of links and buttons.
    pub fields: Vec<String>,
    /// Every target of a link, as it is written into the message.
    pub links: Vec<String>,
    /// The name of every attachment.
    pub attachments: Vec<String>,
}

impl Rendered {
    /// The parts, and where each stands.
    pub fn parts(&self) -> impl Iterator<Item = (Place, &str)> {
        [(Place::Subject, self.subject.as_str()), (Place::Body, self.body.as_str())]
            .into_iter()
            .chain(self.fields.iter().enumerate().map(|(number, text)| (Place::Field(number), text.as_str())))
            .chain(self.links.iter().enumerate().map(|(number, text)| (Place::Link(number), text.as_str())))
            .chain(
                self.attachments
                    .iter()
                    .enumerate()
                    .map(|(number, text)| (Place::Attachment(number), text.as_str())),
            )
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Rendered")
            .field("subject", &self.subject.len())
            .field("body", &self.body.len())
            .field("fields", &self.fields.len())
            .field("links", &self.links.len())
            .field("attachments", &self.attachments.len())
            .finish()
    }
}

/// Which part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The subject.
    Subject,
    /// The text.
    Body,
    /// The further text with this number, from 0.
    Field(usize),
    /// The link target with this number, from 0.
    Link(usize),
    /// The attachment with this number, from 0.
    Attachment(usize),
}

/// What must not be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Keys, tokens, passwords, meeting PINs, URLs that are credentials.
    Secret,
    /// Mail addresses, telephone numbers and ids of users and customers.
    Personal,
    /// Names and mail addresses of the people of the house.
    Colleague,
    /// Names of machines and services.
    Host,
    /// Addresses, ports, networks.
    Network,
    /// A URL that is not one of the public ones.
    Url,
    /// Paths, names of files of the machines, stack traces.
    Path,
    /// Ids of tickets, links into chat.
    Ticket,
    /// A customer by name.
    Customer,
    /// Blame of a vendor.
    Vendor,
    /// Words of security.
    Security,
    /// A cause that nobody has confirmed.
    Cause,
    /// When it will be over.
    Repair,
    /// Counts and shares that nobody has verified.
    Number,
    /// All, none, never.
    Absolute,
    /// A person or a team at fault.
    Fault,
    /// Words of exercises.
    Drill,
    /// Another incident.
    Other,
    /// What cannot be read or evaluated.
    Unreadable,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Secret,
        Self::Personal,
        Self::Colleague,
        Self::Host,
        Self::Network,
        Self::Url,
        Self::Path,
        Self::Ticket,
        Self::Customer,
        Self::Vendor,
        Self::Security,
        Self::Cause,
        Self::Repair,
        Self::Number,
        Self::Absolute,
        Self::Fault,
        Self::Drill,
        Self::Other,
        Self::Unreadable,
    ];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Personal => "personal",
            Self::Colleague => "colleague",
            Self::Host => "host",
            Self::Network => "network",
            Self::Url => "url",
            Self::Path => "path",
            Self::Ticket => "ticket",
            Self::Customer => "customer",
            Self::Vendor => "vendor",
            Self::Security => "security",
            Self::Cause => "cause",
            Self::Repair => "repair",
            Self::Number => "number",
            Self::Absolute => "absolute",
            Self::Fault => "fault",
            Self::Drill => "drill",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}

/// How heavy a finding is, the heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// It does not go out, whoever wants it to.
    Block,
    /// It does not go out unless a second person says so and why.
    Second,
    /// It is worth a second look.
    Warn,
}

impl Weight {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Second => "second",
            Self::Warn => "warn",
        }
    }
}

/// How heavy each rule is for each audience; `None`: it is free to say.
///
/// - **Public** is the doctrine as it stands. What can be written another way has no override: nobody needs a key, a
///   blamed colleague or a guessed hour in a statement. What may have to be named for once (a host in a notice to those
///   who run against it, a customer who agreed, an attack after the administrator said so) can be overridden by a second
///   person. Numbers and absolutes are often true, so they ask for a second look.
/// - **Stakeholder** texts are forwarded, and partners read them. So they may say nothing of persons and secrets either;
///   but heads and support have to decide, and for that a second person can let a cause, an hour or a vendor pass, and
///   the number of a ticket that support works with is only pointed at.
/// - **Internal** texts are read by everybody who works here, who know the machines, the colleagues and the tickets by
///   name: that is free. Secrets stay with who needs them, so do users' data. What makes people take an exercise for real,
///   or this incident for another, and what puts a colleague before everybody, needs a second person. A guess at the cause, an
///   hour, a customer or a word of security is repeated outside by somebody who means well, so it is pointed at.
pub fn weight(rule: Rule, audience: Audience) -> Option<Weight> {
    use Weight::{Block, Second, Warn};
    let (internal, stakeholder, public) = match rule {
        Rule::Secret => (Some(Block), Some(Block), Some(Block)),
        Rule::Personal => (Some(Second), Some(Block), Some(Block)),
        Rule::Colleague => (None, Some(Second), Some(Block)),
        Rule::Host | Rule::Network | Rule::Url | Rule::Path => (None, Some(Second), Some(Second)),
        Rule::Ticket => (None, Some(Warn), Some(Second)),
        Rule::Customer => (Some(Warn), Some(Second), Some(Second)),
        Rule::Vendor => (None, Some(Second), Some(Block)),
        Rule::Security => (Some(Warn), Some(Second), Some(Second)),
        Rule::Cause | Rule::Repair => (Some(Warn), Some(Second), Some(Block)),
        Rule::Number | Rule::Absolute => (None, Some(Warn), Some(Warn)),
        Rule::Fault => (Some(Second), Some(Block), Some(Block)),
        Rule::Drill => (Some(Second), Some(Block), Some(Block)),
        Rule::Other => (Some(Second), Some(Second), Some(Block)),
        Rule::Unreadable => (Some(Block), Some(Block), Some(Block)),
    };
    match audience {
        Audience::Internal => internal,
        Audience::Stakeholder => stakeholder,
        Audience::Public => public,
    }
}

/// One thing that must not be said, or should be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which part.
    pub place: Place,
    /// Where in the part as it was given, in bytes, on the bounds of characters.
    pub span: Range<usize>,
    /// By which rule.
    pub rule: Rule,
    /// How heavy.
    pub weight: Weight,
    /// What it is and what to write instead, for people.
    pub why: &'static str,
}

impl Finding {
    /// Which one it is of all that were found in a text: rule, part, and where.
    pub fn mark(&self) -> String {
        let place = match self.place {
            Place::Subject => "title".to_owned(),
            Place::Body => "text".to_owned(),
            Place::Field(number) => format!("part {}", number + 1),
            Place::Link(number) => format!("link {}", number + 1),
            Place::Attachment(number) => format!("attachment {}", number + 1),
        };
        format!("{} {place} {}-{}", self.rule.as_str(), self.span.start, self.span.end)
    }

    /// What is wrong, without the words themselves: those may be what must not be read.
    pub fn said(&self) -> String {
        let place = match self.place {
            Place::Subject => "in the title".to_owned(),
            Place::Body => "in the text".to_owned(),
            Place::Field(number) => format!("in part {}", number + 1),
            Place::Link(number) => format!("in link {}", number + 1),
            Place::Attachment(number) => format!("in the name of attachment {}", number + 1),
        };
        format!("{} ({place}, from byte {}): {}", self.rule.as_str(), self.span.start, self.why)
    }
}

/// All that this audience must not be told, in the order of the text.
///
/// Work grows with the text and with the number of names that are known, and not beyond.
pub fn lint(text: &Rendered, audience: Audience, known: &Known) -> Vec<Finding> {
    let unreadable = |place, span, why| {
        weight(Rule::Unreadable, audience)
            .map(|weight| Finding { place, span, rule: Rule::Unreadable, weight, why })
            .into_iter()
            .collect::<Vec<_>>()
    };
    let whole = |place, part: &str, why| unreadable(place, 0..part.len(), why);
    if text.parts().map(|(_, part)| part.len()).sum::<usize>() > TEXT_BYTES_MAX
        || text.parts().count() > PARTS_MAX
    {
        return whole(Place::Body, &text.body, "the statement is too long to be looked at: write less");
    }
    let ready = match Ready::of(known) {
        Ok(ready) => ready,
        Err(why) => return whole(Place::Body, &text.body, why),
    };
    let Some(patterns) = pattern::all() else {
        return whole(Place::Body, &text.body, "a rule of the lint cannot be evaluated");
    };
    if let Some(why) = known.slots.iter().find_map(|slot| wrong_slot(slot)) {
        return whole(Place::Body, &text.body, why);
    }
    let mut read = Vec::new();
    for (place, part) in text.parts() {
        match Folded::of(part) {
            Some(folded) => read.push((place, part, folded)),
            None => {
                return whole(place, part, "the text is written so that it cannot be read: write it plainly");
            }
        }
    }
    let noticed: BTreeSet<usize> =
        read.iter().flat_map(|(_, _, folded)| hosts::noticed(&folded.text, &ready)).collect();
    let mut found = Vec::new();
    for (place, original, folded) in &read {
        let slots = slots_in(original, &known.slots);
        for (folded, joints, gone) in views(*place, original, folded) {
            let (ready, noticed, folded) = (&ready, &noticed, &folded);
            let look = Look { place: *place, original, folded, known, ready, noticed, gone };
            let hits = look.hits(patterns).into_iter().filter(|hit| is_over(joints.as_deref(), &hit.span));
            found.extend(hits.filter_map(|hit| finding(&look, &hit, &slots, audience)));
        }
    }
    found.extend(over_the_joint(text, audience, known, &ready, &noticed, patterns));
    for (place, part, _) in &read {
        for (at, c) in part.char_indices().filter(|(_, c)| matches!(c, '\u{202d}' | '\u{202e}')) {
            found.extend(unreadable(*place, at..at + c.len_utf8(), TURNED));
        }
    }
    let mut found = merged(found);
    if found.len() > FINDINGS_MAX {
        found.truncate(FINDINGS_MAX);
        found.extend(whole(Place::Body, &text.body, "there is more to find than is listed: mend this first"));
    }
    found
}

const TURNED: &str =
    "This turns the direction of what follows, so that it is read otherwise than it is written: take it out.";
/// So much of the end of a title and of the beginning of a text is read as one, in characters.
const JOINT_CHARS: usize = 160;

/// Whether something lies over one of these places; over none of them it was found elsewhere.
fn is_over(joints: Option<&[usize]>, span: &Range<usize>) -> bool {
    let Some(joints) = joints else { return true };
    let next = joints.partition_point(|at| *at <= span.start);
    joints.get(next).is_some_and(|at| *at < span.end)
}

/// What begins at the end of the title and goes on in the text: it is pointed at in the title.
fn over_the_joint(
    text: &Rendered,
    audience: Audience,
    known: &Known,
    ready: &Ready<'_>,
    noticed: &BTreeSet<usize>,
    patterns: &[(&pattern::Pattern, regex::Regex)],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let (title, body) = (text.subject.trim_end(), text.body.trim_start());
    if title.is_empty() || body.is_empty() {
        return found;
    }
    let from = title.char_indices().rev().nth(JOINT_CHARS).map_or(0, |(at, _)| at);
    let until = body.char_indices().nth(JOINT_CHARS).map_or(body.len(), |(at, _)| at);
    let (tail, head) = (title.get(from..).unwrap_or_default(), body.get(..until).unwrap_or_default());
    let joined = format!("{tail}\n{head}");
    let Some(folded) = Folded::of(&joined) else { return found };
    for (folded, joints, gone) in views(Place::Subject, &joined, &folded) {
        let folded = &folded;
        let look = Look { place: Place::Subject, original: &joined, folded, known, ready, noticed, gone };
        let hits = look.hits(patterns).into_iter().filter(|hit| is_over(joints.as_deref(), &hit.span));
        let heavy = hits.filter(|hit| !matches!(hit.rule, Rule::Number | Rule::Absolute));
        let heavy = heavy.filter_map(|hit| finding(&look, &hit, &[], audience));
        let over = heavy.filter(|one| one.span.start < tail.len() && one.span.end > tail.len() + 1);
        found.extend(over.map(|one| Finding { span: from + one.span.start..title.len(), ..one }));
    }
    found
}

/// The ways in which a folded text is read, each with the joints that a finding has to lie over, and whether the breaks
/// of lines are gone.
fn views(place: Place, original: &str, folded: &Folded) -> Vec<(Folded, Option<Vec<usize>>, bool)> {
    let mut views = Vec::new();
    if let Some((spelled, places)) = folded.with_words(original) {
        views.push((spelled, Some(places), false));
    }
    let (plain, joints) = folded.with_breaks(Breaks::Hyphen);
    if !joints.is_empty() {
        let (joined, joints) = folded.with_breaks(Breaks::Joined);
        views.push((joined, Some(joints), false));
    }
    if folded.text.contains('\n') {
        let (gone, joints) = folded.with_breaks(Breaks::Gone);
        if !joints.is_empty() {
            views.push((gone, Some(joints), true));
        }
    }
    if matches!(place, Place::Link(_) | Place::Attachment(_)) && plain.text.contains('_') {
        views.push((plain.with_blanks(), None, false));
    }
    if let Some((digits, places)) = numbers::in_digits(&plain) {
        views.push((digits, Some(places), false));
    }
    views.push((plain, None, false));
    views
}

/// A hit as a finding: none where the audience may be told, and where the words are the house's own public ones.
fn finding(look: &Look<'_>, hit: &Hit, slots: &[Range<usize>], audience: Audience) -> Option<Finding> {
    let weight = weight(hit.rule, audience)?;
    let span = trimmed(look.original, look.folded.origin(&hit.span)?)?;
    let promised = |slot: &Range<usize>| slot.start <= span.start && span.end <= slot.end;
    if hit.rule == Rule::Repair && slots.iter().any(promised) {
        return None;
    }
    Some(Finding { place: look.place, span, rule: hit.rule, weight, why: hit.why })
}

/// Without what stands around it only because a rule has to see that nothing else does.
fn trimmed(original: &str, span: Range<usize>) -> Option<Range<usize>> {
    let text = original.get(span.clone())?;
    let front = text.trim_start_matches(|c: char| c.is_whitespace() || ",;\"'(=".contains(c));
    let start = span.end - front.len();
    let open = front.contains('(');
    let back =
        front.trim_end_matches(|c: char| c.is_whitespace() || ",;.!?\"'".contains(c) || (c == ')' && !open));
    Some(if back.is_empty() { span } else { start..start + back.len() })
}

/// Findings in order; those of one rule that overlap are one.
fn merged(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by(|a, b| {
        (a.place, a.rule, a.span.start, a.span.end).cmp(&(b.place, b.rule, b.span.start, b.span.end))
    });
    let mut all: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match all.last_mut() {
            Some(last)
                if last.place == finding.place
                    && last.rule == finding.rule
                    && finding.span.start < last.span.end =>
            {
                last.span.end = last.span.end.max(finding.span.end);
            }
            _ => all.push(finding),
        }
    }
    all.sort_by_key(|a| (a.place, a.span.start, a.rule));
    all
}

/// Why a sentence is no promise of the next update: it could let anything pass.
fn wrong_slot(slot: &str) -> Option<&'static str> {
    if slot.trim().is_empty() || slot.len() > SLOT_BYTES_MAX {
        return Some("the sentence of the next update is empty or too long");
    }
    if slot.trim() != slot || slot.contains(char::is_control) || slot.chars().any(lookalikes::is_unseen) {
        return Some("the sentence of the next update has something in it that is not seen");
    }
    if !hosts::says_an_hour(slot) {
        return Some("the sentence of the next update names no hour");
    }
    None
}

/// Where the promises of the next update stand, word for word.
fn slots_in(original: &str, slots: &[String]) -> Vec<Range<usize>> {
    let bound = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let mut found = Vec::new();
    for slot in slots {
        for (at, _) in original.match_indices(slot.as_str()) {
            let before = original.get(..at).and_then(|text| text.chars().next_back());
            let after = original.get(at + slot.len()..).and_then(|text| text.chars().next());
            if bound(before) && bound(after) {
                found.push(at..at + slot.len());
            }
        }
    }
    found
}

/// The spans of the names that the house shows to everybody.
fn public_spans(found: &[known::Found]) -> Vec<Range<usize>> {
    found.iter().filter(|found| found.named == Named::Public).map(|found| found.span.clone()).collect()
}
