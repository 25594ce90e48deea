//! One voice: the statements of an incident, as the fold of what was drafted, approved and published.
//!
//! A statement is numbered within its incident. An approval names the entry of the words that were read, so that the
//! chain of hashes binds text, audience, channels and hours; and it holds only while term, state and severity are what
//! they were. The rules are in `decide`; what must not be said is in [`super::disclosure`].

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::audience::Audience;
use super::disclosure::Finding;
use super::incident::{Incident, Severity};
use super::timeline::Actor;

mod say;
mod words;

pub use say::Say;
pub use words::{Impact, Phase, Right, Sort};

/// Most statements of one incident.
pub const STATEMENTS_MAX: usize = 200;
/// Most questions that wait for an answer.
pub const QUESTIONS_MAX: usize = 100;
/// So long before an update is due, the PIO is told.
pub const WARN_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// An update that has not come is called once more after this.
pub const MISSED_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// And so often in all.
pub const MISSED_MAX: u32 = 3;

/// The words of a statement, with all that an approval covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Who reads it.
    pub audience: Audience,
    /// Of what sort it is.
    pub sort: Sort,
    /// How far the incident is.
    pub phase: Phase,
    /// How much readers notice.
    pub impact: Impact,
    /// What the incident is called before this audience: the same in all of its statements once one went out.
    pub title: String,
    /// In words, without the sentence that promises the next one.
    pub text: String,
    /// What is affected, by the names that this audience knows.
    pub components: Vec<String>,
    /// When the next one is promised for. The printed hour is the timer.
    pub next_by: Option<Timestamp>,
    /// The one that it corrects or takes back.
    pub mends: Option<u32>,
    /// Where it goes.
    pub channels: Vec<String>,
}

impl Wording {
    /// The sentence that promises the next update, as it is printed; `written`: the hour of the words, which says whether the
    /// date has to be told.
    pub fn promise(&self, written: Timestamp) -> Option<String> {
        let [by, written] = [self.next_by?, written].map(|hour| hour.to_zoned(TimeZone::UTC));
        let format = if by.date() == written.date() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
        Some(format!("Next update by {}.", by.strftime(format)))
    }

    /// All words that readers are given.
    pub fn printed(&self, written: Timestamp) -> String {
        match self.promise(written) {
            Some(promise) => format!("{}\n\n{promise}", self.text),
            None => self.text.clone(),
        }
    }
}

/// What an approval was given for, beside the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The term of command.
    pub term: u32,
    /// The state of the incident.
    pub state: String,
    /// How bad it is.
    pub severity: Severity,
}

impl Situation {
    /// As it is now.
    pub fn of(incident: &Incident) -> Self {
        Self { term: incident.term, state: incident.state().to_owned(), severity: incident.severity }
    }
}

/// Somebody read the words and lets them go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// By what right.
    pub right: Right,
    /// In which situation. In another one it is void.
    pub situation: Situation,
    /// The situation has changed since. It may be the same again: what was read was read before.
    pub moved: bool,
}

/// How far a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Written, and waits to be read.
    Draft,
    /// It does not go out like this.
    Returned {
        /// Who says so.
        by: String,
        /// Why.
        why: String,
    },
    /// It may go out while nothing changes.
    Approved(Approval),
    /// It went out.
    Published {
        /// When.
        at: Timestamp,
        /// Who sent it.
        by: String,
        /// By what right.
        right: Right,
    },
    /// It is not wanted any more.
    Dropped,
}

impl Stage {
    /// The word used in JSON and pages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Returned { .. } => "returned",
            Self::Approved(_) => "approved",
            Self::Published { .. } => "published",
            Self::Dropped => "dropped",
        }
    }
}

/// A second person lets pass what rules had found in these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Who.
    pub by: String,
    /// Which rules, by their words.
    pub rules: Vec<String>,
    /// What of it they read, as [`Finding::mark`] says; what is found later is not let pass. Empty where a version before this
    /// one wrote it: all that those rules find.
    pub marks: Vec<String>,
    /// Why.
    pub why: String,
}

/// What became of a statement in one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub channel: String,
    /// `accepted`, `partly` (some have given it up), `stands` (and what it takes back may, too), `refused`, `unknown` or `superseded`; empty while it is on its way.
    pub outcome: String,
    /// Since when.
    pub at: Timestamp,
    /// Some of those who read there have it, or may, whatever became of it for others.
    pub some: bool,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its number within the incident, from 1.
    pub number: u32,
    /// Its newest words.
    pub wording: Wording,
    /// Who wrote them.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The number of their entry.
    pub entry: u32,
    /// By which rules something was found that is to be looked at.
    pub found: Vec<String>,
    /// What a second person lets pass in these words.
    pub overrides: Vec<Override>,
    /// How far it is.
    pub stage: Stage,
    /// What became of it where it went; filled once it is published.
    pub reached: Vec<Reached>,
}

impl Statement {
    /// When it went out.
    pub fn published_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Published { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Whether it can still be written anew.
    pub fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Published { .. } | Stage::Dropped)
    }

    /// Its approval, while that holds.
    pub fn approval(&self, incident: &Incident) -> Option<&Approval> {
        match &self.stage {
            Stage::Approved(approval) if !approval.moved && approval.situation == Situation::of(incident) => {
                Some(approval)
            }
            _ => None,
        }
    }

    /// Whether a second person lets pass what was found in these words.
    pub fn is_overridden(&self, found: &Finding) -> bool {
        let (rule, mark) = (found.rule.as_str(), found.mark());
        let passes = |one: &Override| match one.marks.as_slice() {
            [] => one.rules.iter().any(|known| known == rule),
            marks => marks.contains(&mark),
        };
        self.overrides.iter().any(passes)
    }

    /// Where its words are, or may be: it was accepted there, also by way of a fallback, or is on its way, or nobody knows.
    pub fn may_stand_in(&self) -> Vec<String> {
        let may = |one: &&Reached| one.some || !matches!(one.outcome.as_str(), "refused" | "superseded");
        self.reached.iter().filter(may).map(|one| one.channel.clone()).collect()
    }

    /// The words that readers are given.
    pub fn printed(&self) -> String {
        self.wording.printed(self.at)
    }
}

/// An update that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Who waits.
    pub audience: Audience,
    /// By when.
    pub by: Timestamp,
    /// The hour was printed in a statement.
    pub printed: bool,
    /// The PIO was told that it is due.
    pub warned: bool,
    /// How often it was said that it has not come.
    pub missed: u32,
    /// When that was said last.
    pub said_at: Option<Timestamp>,
}

impl Due {
    /// When something is to be said of it.
    fn hour(&self) -> Option<Timestamp> {
        match (self.warned, self.missed) {
            (_, MISSED_MAX..) => None,
            (false, 0) => Some(self.by.saturating_sub(WARN_BEFORE).unwrap_or(self.by)),
            (_, 0) => Some(self.by),
            // Counted from when it was said, for that may have been late: people are not told three times at once.
            (_, missed) => {
                let wait = MISSED_AGAIN * i32::try_from(missed).unwrap_or(i32::MAX);
                let from_then = self.said_at.map(|at| at.saturating_add(MISSED_AGAIN));
                Some(from_then.unwrap_or(self.by.saturating_add(wait)).unwrap_or(Timestamp::MAX))
            }
        }
    }
}

/// Somebody outside wants to know how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number within the incident.
    pub number: u32,
    /// Who asks, as they say.
    pub from: String,
    /// What.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// Who answered, when, and what.
    pub answer: Option<(String, Timestamp, String)>,
}

/// The Commander lets the PIO speak for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Until when.
    pub until: Timestamp,
    /// In which term.
    pub term: u32,
    /// Of an incident that is no worse than this.
    pub severity: Severity,
}

/// All that is said of an incident, and to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// Statements, in the order of their numbers.
    pub statements: Vec<Statement>,
    /// Updates that somebody waits for, one an audience.
    pub due: Vec<Due>,
    /// How often an update did not come in its time.
    pub missed: u32,
    /// Questions, in the order of their numbers.
    pub questions: Vec<Question>,
    /// What the PIO may do without asking.
    pub delegation: Option<Delegation>,
    /// The cause, since the Commander called it confirmed.
    pub cause: Option<String>,
    /// When the next one is called who can be the PIO, unless who was called comes.
    pub pio_due: Option<Timestamp>,
    /// Who was called as PIO since it is open.
    pub called: Vec<String>,
    /// When words that were approved beforehand go out, unless somebody says hold.
    pub holding_at: Option<Timestamp>,
    /// Somebody said hold: nothing goes out by itself.
    pub held: bool,
    /// What was to go out by itself was kept back for its words: that is not planned again, and nobody is told again.
    pub withheld: bool,
}

impl Voice {
    /// One statement.
    pub fn statement(&self, number: u32) -> Option<&Statement> {
        self.statements.iter().find(|known| known.number == number)
    }

    /// The number of whatever is written next.
    pub fn next_number(&self) -> u32 {
        self.statements.last().map_or(0, |last| last.number).saturating_add(1)
    }

    /// Those that went out to an audience, the oldest first.
    pub fn published(&self, audience: Audience) -> impl DoubleEndedIterator<Item = &Statement> {
        let is_out = move |one: &&Statement| one.wording.audience == audience && one.published_at().is_some();
        self.statements.iter().filter(is_out)
    }

    /// Whether what went out was taken back.
    pub fn is_taken_back(&self, number: u32) -> bool {
        let takes_back = |one: &Statement| {
            one.wording.sort == Sort::Retraction
                && one.wording.mends == Some(number)
                && one.published_at().is_some()
        };
        self.statements.iter().any(takes_back)
    }

    /// What the incident is called before an audience, once it was called anything that stands. `without`: as if that statement
    /// had never been. Who brought a title up takes it with them, whoever said it after them.
    pub fn title(&self, audience: Audience, without: Option<u32>) -> Option<&str> {
        let stands = |one: &&Statement| {
            one.wording.sort != Sort::Retraction
                && Some(one.number) != without
                && !self.is_taken_back(one.number)
                && !self.is_title_gone(audience, one, without)
        };
        self.published(audience).find(stands).map(|first| first.wording.title.as_str())
    }

    /// Whether the statement that brought a title up was taken back at that hour or later.
    pub fn is_title_gone_since(&self, audience: Audience, title: &str, hour: Timestamp) -> bool {
        let first = self.published(audience).find(|one| one.wording.title == title).map(|first| first.number);
        let takes_back = |one: &Statement| {
            one.wording.sort == Sort::Retraction
                && one.wording.mends == first
                && one.published_at().is_some_and(|at| at >= hour)
        };
        first.is_some() && self.statements.iter().any(takes_back)
    }

    /// Whether what takes a statement back was not taken everywhere, so that it is said anew, in other words.
    pub fn is_half_taken_back(&self, number: u32) -> bool {
        let lost = |one: &Reached| matches!(one.outcome.as_str(), "refused" | "unknown");
        let takes_back =
            |one: &&Statement| one.wording.sort == Sort::Retraction && one.wording.mends == Some(number);
        let mut all = self.statements.iter().filter(takes_back).filter(|one| one.published_at().is_some());
        all.any(|one| one.reached.iter().any(lost))
    }

    /// Whether the title of a statement went with the one that brought it up, which is `without`, or was taken back since that statement
    /// was written: who uses a title again after that brings it up anew.
    fn is_title_gone(&self, audience: Audience, one: &Statement, without: Option<u32>) -> bool {
        let title = one.wording.title.as_str();
        let first = self.published(audience).find(|first| first.wording.title == title);
        first.is_some_and(|first| Some(first.number) == without)
            || self.is_title_gone_since(audience, title, one.at)
    }

    /// What says last how it is: neither a retraction, nor what was taken back.
    pub fn newest(&self, audience: Audience) -> Option<&Statement> {
        let says = |one: &&Statement| one.wording.sort != Sort::Retraction && !self.is_taken_back(one.number);
        self.published(audience).rfind(says)
    }

    /// What says last how it is, as if one statement had been taken back.
    pub fn stands_without(&self, audience: Audience, number: u32) -> Option<&Statement> {
        let says = |one: &&Statement| {
            one.number != number && one.wording.sort != Sort::Retraction && !self.is_taken_back(one.number)
        };
        self.published(audience).rfind(says)
    }

    /// Every channel in which anything was said to an audience, in the order in which it was.
    pub fn spoken_in(&self, audience: Audience) -> Vec<String> {
        let mut channels: Vec<String> = Vec::new();
        for channel in self.published(audience).flat_map(Statement::may_stand_in) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    /// Whether an audience was told anything, and not yet that it is over.
    pub fn owes_a_closing(&self, audience: Audience) -> bool {
        self.published(audience).next().is_some() && !self.is_closed(audience)
    }

    /// Whether an audience was told that it is over, and that stands.
    pub fn is_closed(&self, audience: Audience) -> bool {
        // The first of all that a correction is about.
        let root = |one: &Statement| {
            let mut root = one.number;
            // A correction may be corrected.
            for _ in 0..STATEMENTS_MAX {
                match self.statement(root).and_then(|one| one.wording.mends) {
                    Some(other) => root = other,
                    None => break,
                }
            }
            root
        };
        let stands = |one: &&Statement| !self.is_taken_back(one.number);
        let is_word = |one: &&Statement| !matches!(one.wording.sort, Sort::Retraction | Sort::Correction);
        // What corrects the last word says whether it is over; what corrects an older one does not.
        let Some(last) = self.published(audience).filter(stands).rfind(is_word) else { return false };
        let corrects = |one: &&Statement| one.wording.sort == Sort::Correction && root(one) == last.number;
        let holds = self.published(audience).filter(stands).rfind(corrects).unwrap_or(last);
        last.wording.sort == Sort::Closing && holds.wording.phase == Phase::Resolved
    }

    /// The next hour at which something is to be said of an update.
    pub fn next_hour(&self) -> Option<Timestamp> {
        self.due.iter().filter_map(Due::hour).min()
    }

    /// The update of which something is to be said first.
    pub fn next_due(&self, now: Timestamp) -> Option<&Due> {
        self.due.iter().filter(|due| due.hour().is_some_and(|hour| hour <= now)).min_by_key(|due| due.hour())
    }

    /// Applies what was said. `by`: who did it; `term` and `severity` are the incident's.
    ///
    /// # Errors
    /// When it does not follow from what came before.
    pub(super) fn apply(
        &mut self,
        say: &Say,
        by: &str,
        at: Timestamp,
        (entry, term, severity): (u32, u32, Severity),
    ) -> Result<(), &'static str> {
        match say {
            Say::Drafted { number, wording, found } => {
                let written = Statement {
                    number: *number,
                    wording: wording.clone(),
                    by: by.to_owned(),
                    at,
                    entry,
                    found: found.clone(),
                    overrides: Vec::new(),
                    stage: Stage::Draft,
                    reached: Vec::new(),
                };
                let next = self.next_number();
                match self.statements.iter_mut().find(|known| known.number == *number) {
                    Some(known) if known.is_open() => *known = written,
                    Some(_) => return Err("a statement was written anew that was out, or not wanted"),
                    None if *number == next => self.statements.push(written),
                    None => return Err("the number of a statement was left out"),
                }
            }
            Say::Returned { number, why } => {
                self.open(*number)?.stage = Stage::Returned { by: by.to_owned(), why: why.clone() };
            }
            Say::Overridden { number, wording, rules, marks, why } => {
                let known = self.open(*number)?;
                if known.entry != *wording {
                    return Err("other words were let pass than those that there are");
                }
                let (by, rules, why) = (by.to_owned(), rules.clone(), why.clone());
                known.overrides.push(Override { by, rules, marks: marks.clone(), why });
            }
            Say::Approved { number, wording, right, state, severity } => {
                let known = self.open(*number)?;
                if known.entry != *wording {
                    return Err("other words were approved than those that there are");
                }
                let situation = Situation { term, state: state.clone(), severity: *severity };
                known.stage = Stage::Approved(Approval {
                    by: by.to_owned(),
                    at,
                    right: *right,
                    situation,
                    moved: false,
                });
            }
            Say::Published { number, wording, right, channels } => {
                let known = self.open(*number)?;
                if known.entry != *wording {
                    return Err("other words went out than those that there are");
                }
                known.stage = Stage::Published { at, by: by.to_owned(), right: *right };
                known.wording.channels.clone_from(channels);
                let on_its_way = |channel: &String| Reached {
                    channel: channel.clone(),
                    outcome: String::new(),
                    at,
                    some: false,
                };
                known.reached = channels.iter().map(on_its_way).collect();
                let (audience, next_by, sort) =
                    (known.wording.audience, known.wording.next_by, known.wording.sort);
                let mends = matches!(sort, Sort::Correction | Sort::Retraction);
                if sort == Sort::Holding {
                    self.holding_at = None;
                }
                // A correction that promises nothing leaves what was promised.
                if !(mends && next_by.is_none()) {
                    self.awaits(audience, next_by, true);
                }
            }
            Say::Resent { number, channels } => {
                let known = self.statements.iter_mut().find(|known| known.number == *number);
                let known = known.ok_or("a statement went out once more that is not there")?;
                for one in known.reached.iter_mut().filter(|one| channels.contains(&one.channel)) {
                    (one.outcome, one.at) = (String::new(), at);
                }
            }
            Say::Dropped { number, .. } => self.open(*number)?.stage = Stage::Dropped,
            Say::Delegated { until } => {
                self.delegation = Some(Delegation { until: *until, term, severity });
            }
            Say::DelegationEnded => self.delegation = None,
            Say::CauseConfirmed { cause } => self.cause = Some(cause.clone()),
            Say::Awaited { audience, by } => self.awaits(*audience, Some(*by), false),
            Say::Warned { audience, .. } => {
                if let Some(due) = self.due.iter_mut().find(|due| due.audience == *audience) {
                    due.warned = true;
                }
            }
            Say::Missed { audience, times, .. } => {
                if *times == 1 {
                    self.missed += 1;
                }
                if let Some(due) = self.due.iter_mut().find(|due| due.audience == *audience) {
                    (due.warned, due.missed, due.said_at) = (true, *times, Some(at));
                }
            }
            Say::Asked { number, from, text } => {
                if self.questions.len() >= QUESTIONS_MAX {
                    let over = self.questions.iter().position(|known| known.answer.is_some()).unwrap_or(0);
                    self.questions.remove(over);
                }
                let (from, text) = (from.clone(), text.clone());
                self.questions.push(Question { number: *number, from, text, at, answer: None });
            }
            Say::Answered { number, text } => {
                let known = self.questions.iter_mut().find(|known| known.number == *number);
                let known = known.ok_or("a question was answered that was not asked")?;
                known.answer = Some((by.to_owned(), at, text.clone()));
            }
            Say::NoPio => self.pio_due = None,
            Say::HoldingPlanned { at } => self.holding_at = Some(*at),
            Say::HoldingStopped { withheld, .. } => {
                self.holding_at = None;
                self.withheld |= *withheld;
                // What stops by itself may begin again.
                self.held |= by != Actor::Dispatch.name();
            }
        }
        Ok(())
    }

    fn open(&mut self, number: u32) -> Result<&mut Statement, &'static str> {
        let known = self.statements.iter_mut().find(|known| known.number == number);
        known.filter(|known| known.is_open()).ok_or("a statement that is not there, or is out")
    }

    fn awaits(&mut self, audience: Audience, by: Option<Timestamp>, printed: bool) {
        self.due.retain(|due| due.audience != audience);
        if let Some(by) = by {
            self.due.push(Due { audience, by, printed, warned: false, missed: 0, said_at: None });
        }
    }

    /// A channel's part of a statement came to its end.
    pub(super) fn reached(&mut self, number: u32, channel: &str, outcome: &str, at: Timestamp) {
        let Some(known) = self.statements.iter_mut().find(|known| known.number == number) else { return };
        let may_be_there = !matches!(outcome, "refused" | "superseded");
        match known.reached.iter_mut().find(|one| one.channel == channel) {
            Some(one) => {
                one.some |= may_be_there;
                // A list has many readers: one that was not reached is what people have to see.
                if matches!(one.outcome.as_str(), "" | "accepted") {
                    (one.outcome, one.at) = (outcome.to_owned(), at);
                }
            }
            // Its fallback took it.
            None => {
                let (channel, outcome) = (channel.to_owned(), outcome.to_owned());
                known.reached.push(Reached { channel, outcome, at, some: may_be_there });
            }
        }
    }

    /// What was approved, or may go out without asking, in another situation than this holds no more, whatever comes.
    pub(super) fn moves_on(&mut self, term: u32, state: &str, severity: Severity) {
        self.delegation = self.delegation.take().filter(|one| one.term == term && severity >= one.severity);
        for known in &mut self.statements {
            if let Stage::Approved(approval) = &mut known.stage {
                let then = &approval.situation;
                approval.moved |= (then.term, then.state.as_str(), then.severity) != (term, state, severity);
            }
        }
    }

    /// It is over: nothing is waited for.
    pub(super) fn end(&mut self) {
        self.due.clear();
        self.delegation = None;
        self.pio_due = None;
        self.holding_at = None;
    }

    /// It is open again: nothing that was let pass or confirmed counts.
    pub(super) fn begin_anew(&mut self) {
        self.cause = None;
        self.held = false;
        self.withheld = false;
        self.called.clear();
    }

    /// No hour that the daemon set lies later than this one.
    pub(super) fn nothing_later_than(&mut self, hour: Timestamp) {
        self.pio_due = self.pio_due.map(|due| due.min(hour));
        self.holding_at = self.holding_at.map(|at| at.min(hour));
        self.due.iter_mut().for_each(|due| due.said_at = due.said_at.map(|at| at.min(hour)));
    }
}
