//! The hours of an incident that a human has: a sign of life, reports, offers, and what people promised.
//!
//! One tick does one thing. Whatever else is due by then is due at once again.

use jiff::{SignedDuration, Timestamp};

use super::super::board::{Put, RequestState};
use super::super::command::{Call, Office, Pace};
use super::super::incident::{Phase, Severity};
use super::super::letter::News;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

impl Work<'_> {
    /// So long from now.
    pub(super) fn later(&self, wait: SignedDuration) -> Timestamp {
        self.now.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// When the Commander of an incident as bad as this is asked for reports.
    pub(super) fn pace(&self, severity: Severity) -> Option<Pace> {
        self.rules.command.pace.get(&severity).copied()
    }

    /// When the watch is over, of an incident of which the harm stopped.
    pub(super) fn watch_ends(&self) -> Option<Timestamp> {
        let since = self.incident.mitigated_at?;
        let watch = self.rules.command.watch.get(&self.incident.severity).copied().unwrap_or_default();
        since.checked_add(watch).ok()
    }

    /// The hour of an incident that a human has, has come.
    pub(super) fn looks_after_command(&mut self) -> Result<Reason, Refusal> {
        let now = self.now;
        let has_come = |hour: Option<Timestamp>| hour.is_some_and(|hour| hour <= now);
        let (sign, call) = match &self.incident.phase {
            Phase::Acknowledged { sign, calls, .. } => {
                (sign.as_ref().map(|sign| sign.due), calls.as_ref().and_then(|calls| calls.next()))
            }
            _ => (None, None),
        };
        if has_come(sign) {
            return self.looks_for_the_commander();
        }
        if has_come(self.incident.offices.offer.as_ref().map(|offer| offer.expires)) {
            return self.offer_expires();
        }
        if has_come(self.incident.board.next_hour()) {
            return self.overdue();
        }
        if let Some(reason) = self.looks_at_what_is_said()? {
            return Ok(reason);
        }
        match call {
            Some((call, hour)) if hour <= now => self.calls(call),
            _ => self.looks_at_the_tenure(),
        }
    }

    /// Asks the Commander for what is missing, by a letter that does not wake: who has command is awake, and silence is what the
    /// lease is for.
    pub(super) fn calls(&mut self, call: Call) -> Result<Reason, Refusal> {
        self.dispatch(Fact::Board(Put::Called { call }))?;
        self.tell_commander(match call {
            Call::CheckIn => News::CheckInDue,
            Call::SizeUp => News::SizeUpDue,
            Call::Progress => News::ProgressDue,
            Call::Relief => News::ReliefDue,
            Call::ReliefLate => News::ReliefLate,
            Call::Support => News::SupportCalled,
        });
        Ok(Reason::Called)
    }

    /// What somebody promised, or was asked for, has not come in its time: it is said once, to whom it concerns.
    fn overdue(&mut self) -> Result<Reason, Refusal> {
        let now = self.now;
        let has_come = |hour: Option<Timestamp>| hour.is_some_and(|hour| hour <= now);
        let board = &self.incident.board;
        let task = board.open_tasks().find(|task| has_come(task.awaited()));
        if let Some((number, person)) = task.map(|task| (task.number, task.person.clone())) {
            self.dispatch(Fact::Board(Put::TaskOverdue { number }))?;
            self.tell(&person, News::TaskOverdue);
            self.tell_commander(News::TaskOverdue);
            return Ok(Reason::Overdue);
        }
        let contact = board.contacts.iter().find(|contact| has_come(contact.awaited()));
        if let Some(number) = contact.map(|contact| contact.number) {
            self.dispatch(Fact::Board(Put::ContactOverdue { number }))?;
            let liaison = self.incident.offices.holder(Office::Liaison).map(str::to_owned);
            match liaison.filter(|liaison| self.rules.people.contains_key(liaison)) {
                Some(liaison) => self.tell(&liaison, News::ContactOverdue),
                None => self.tell_commander(News::ContactOverdue),
            }
            return Ok(Reason::Overdue);
        }
        let request = board.requests.iter().find(|request| has_come(request.answer_due()));
        if let Some(number) = request.map(|request| request.number) {
            self.dispatch(Fact::Board(Put::RequestMoved { number, to: RequestState::Unfilled }))?;
            self.tell_commander(News::RequestUnanswered);
            return Ok(Reason::Overdue);
        }
        Ok(Reason::NotDue)
    }
}
