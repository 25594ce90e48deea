//! The clocks of a tenure: who commands is known, is relieved in time, and is not left alone because they do not dare to ask.
//!
//! Each asks once, and none moves command.

use super::super::board::{Put, Wanted};
use super::super::command::{Call, Office, Turn};
use super::super::escalation;
use super::super::incident::ResponderStatus;
use super::super::letter::{News, Why};
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work};

impl Work<'_> {
    /// The hour of a tenure has come, maybe.
    pub(super) fn looks_at_the_tenure(&mut self) -> Result<Reason, Refusal> {
        let now = self.now;
        if self.incident.receipts_due().is_some_and(|hour| hour <= now) {
            return self.tells_who_has_not_heard();
        }
        if self.incident.support_due().is_some_and(|hour| hour <= now) {
            return self.calls_support();
        }
        if self.incident.relief_due().is_some_and(|hour| hour <= now) {
            return self.asks_for_relief();
        }
        Ok(Reason::NotDue)
    }

    /// Who has not said that they know who commands is told once more: by a letter like the first one, which rings nobody.
    fn tells_who_has_not_heard(&mut self) -> Result<Reason, Refusal> {
        let people: Vec<String> = self.incident.unheard().map(str::to_owned).collect();
        let term = self.incident.term;
        self.dispatch(Fact::Command(Turn::Unheard { people: people.clone(), term }))?;
        people.iter().for_each(|person| self.tell(person, News::Unheard));
        Ok(Reason::Called)
    }

    /// Who has had command for long is asked who takes it over, and later their Deputy, too.
    fn asks_for_relief(&mut self) -> Result<Reason, Refusal> {
        let tenure = self.incident.offices.tenure.as_ref();
        let Some(call) = tenure.and_then(|tenure| tenure.prompt_at(self.now)) else {
            return Ok(Reason::NotDue);
        };
        let reason = self.calls(call)?;
        let deputy = self.incident.offices.holder(Office::Deputy).map(str::to_owned);
        if let Some(deputy) = deputy.filter(|_| call == Call::ReliefLate) {
            self.tell(&deputy, News::ReliefLate);
        }
        Ok(reason)
    }

    /// Who commands is alone on scene and has said nothing yet: somebody comes, without having been asked for.
    fn calls_support(&mut self) -> Result<Reason, Refusal> {
        let Some(command) = self.incident.commander().cloned() else { return Ok(Reason::NotDue) };
        let Some(person) = self.who_supports(&command.person) else {
            self.calls(Call::Support)?;
            return Ok(Reason::SupportCalled);
        };
        let known = self.rules.people.get(&command.person).map(|known| known.full_name.as_str());
        let name = known.filter(|name| !name.is_empty()).unwrap_or(&command.person);
        let why = format!("called by rule, not asked for by {name}");
        let number = u32::try_from(self.incident.board.requests.len()).unwrap_or(u32::MAX).saturating_add(1);
        let (wanted, people) = (Wanted::Person(person.clone()), vec![person.clone()]);
        self.dispatch(Fact::Board(Put::Requested { number, wanted, why, people }))?;
        self.page(person, Why::Support)?;
        self.tell_commander(News::SupportCalled);
        Ok(Reason::SupportCalled)
    }

    /// The next person of the policy who is not on it: who was not woken before, or else has not answered. Who said that they
    /// cannot, or may go, is left alone.
    fn who_supports(&self, commander: &str) -> Option<String> {
        let policy = self.policy()?;
        let steps = escalation::in_order(policy, self.staff, self.case(), self.now);
        let others = escalation::whoever(policy, self.staff, self.now);
        let people: Vec<String> = steps.into_iter().flatten().chain(others).collect();
        let may_come = |person: &&String| {
            let status = self.incident.responder(person).map(|known| known.status);
            *person != commander && matches!(status, None | Some(ResponderStatus::Paged))
        };
        let mut able = people.iter().filter(may_come);
        let first = able.clone().find(|person| !self.was_paged(person));
        first.or_else(|| able.next()).cloned()
    }
}
