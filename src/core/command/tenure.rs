//! The clocks of one tenure of command: who has not said that they know of it, when who has it is asked who takes it over, and when
//! support is called for somebody who is alone and has said nothing yet.
//!
//! They belong to the tenure and not to the state of the incident: it goes on while the harm has stopped, and when it begins again.
//! Whether an hour counts at this moment (somebody else has come meanwhile, nothing fires) is asked of the incident. None of them
//! moves command.

use jiff::{SignedDuration, Timestamp};

use super::{Call, Pace};

/// What is timed of one tenure. What does not stand here, or is nothing, never comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Since when it is counted: when command was taken, unless that was by a clock that was ahead.
    pub since: Timestamp,
    /// So long after that the Commander is asked who takes it over; nothing: never.
    pub relief: SignedDuration,
    /// So long after that they are asked urgently.
    pub relief_late: SignedDuration,
    /// How that was asked last.
    pub prompted: Option<Call>,
    /// So long after being on scene, alone and without a word, support is called; nothing: never.
    pub support: SignedDuration,
    /// When that is; `None`: they are not there yet, have said something, or called somebody.
    pub support_at: Option<Timestamp>,
    /// There is nothing more to call support for in this tenure.
    pub supported: bool,
    /// When those are told once more who have not said that they know who commands.
    pub receipts_at: Option<Timestamp>,
    /// Who they are, of those who have done nothing since.
    pub unheard: Vec<String>,
}

impl Tenure {
    /// As it begins. `unheard`: who was told of it; nobody when nobody had command before.
    pub(in crate::core) fn begin(pace: Option<Pace>, at: Timestamp, unheard: &[String]) -> Option<Self> {
        let pace = pace?;
        let receipts_at = super::after(at, pace.receipts).filter(|_| !unheard.is_empty());
        let tenure = Self {
            since: at,
            relief: pace.relief,
            relief_late: pace.relief_late,
            prompted: None,
            support: pace.support,
            support_at: None,
            supported: false,
            receipts_at,
            unheard: if receipts_at.is_some() { unheard.to_vec() } else { Vec::new() },
        };
        (receipts_at.is_some() || tenure.is_timed()).then_some(tenure)
    }

    /// Whether anything is waited for that begins with the tenure itself.
    fn is_timed(&self) -> bool {
        [self.relief, self.relief_late, self.support].iter().any(|wait| !wait.is_zero())
    }

    /// It is as bad as something else from now on: other waits, of the same tenure. What was asked is not asked again.
    pub(in crate::core) fn goes_on(&mut self, pace: Pace, at: Timestamp) {
        (self.relief, self.relief_late, self.support) = (pace.relief, pace.relief_late, pace.support);
        let sooner = super::after(at, pace.support);
        self.support_at = self.support_at.and_then(|known| sooner.map(|sooner| known.min(sooner)));
    }

    /// The Commander is on scene and has said nothing yet.
    pub(in crate::core) fn arrived(&mut self, at: Timestamp) {
        if !self.supported && self.support_at.is_none() {
            self.support_at = super::after(at, self.support);
        }
    }

    /// Something was said, or somebody was called: there is nobody who needs to be called by rule.
    pub(in crate::core) fn spoke(&mut self) {
        self.supported = true;
        self.support_at = None;
    }

    /// The Commander was asked.
    pub(in crate::core) fn called(&mut self, call: Call) {
        match call {
            Call::Relief | Call::ReliefLate => self.prompted = Some(call),
            Call::Support => self.spoke(),
            Call::CheckIn | Call::SizeUp | Call::Progress => {}
        }
    }

    /// They are told once more; once is enough.
    pub(in crate::core) fn told(&mut self) {
        self.receipts_at = None;
        self.unheard.clear();
    }

    /// An hour lay further ahead than anything that is waited for: a clock was ahead.
    pub(in crate::core) fn nothing_later_than(&mut self, hour: Timestamp, at: Timestamp) {
        self.since = self.since.min(at);
        for known in [&mut self.support_at, &mut self.receipts_at] {
            *known = known.map(|known| known.min(hour));
        }
    }

    /// How, and when, the Commander is asked next who takes command over.
    pub fn next_prompt(&self) -> Option<(Call, Timestamp)> {
        let first = super::after(self.since, self.relief).filter(|_| self.prompted.is_none());
        let last = super::after(self.since, self.relief_late);
        let last = last.filter(|_| self.prompted != Some(Call::ReliefLate));
        let first = first.map(|hour| (Call::Relief, hour));
        let last = last.map(|hour| (Call::ReliefLate, hour));
        first.into_iter().chain(last).min_by_key(|(_, hour)| *hour)
    }

    /// As it is asked at this hour: after an outage once, and in the stronger words.
    pub(in crate::core) fn prompt_at(&self, now: Timestamp) -> Option<Call> {
        let (call, hour) = self.next_prompt().filter(|(_, hour)| *hour <= now)?;
        let late = super::after(self.since, self.relief_late);
        if late.is_some_and(|late| late.max(hour) <= now) { Some(Call::ReliefLate) } else { Some(call) }
    }
}
