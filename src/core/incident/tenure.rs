//! The clocks of a tenure: how the timeline winds them, and whether an hour of theirs counts at this moment.

use jiff::Timestamp;

use super::super::board::Put;
use super::super::command::{Pace, Tenure, Turn};
use super::super::timeline::{Entry, Fact};
use super::{Incident, Phase};

impl Incident {
    /// What an entry means for the clocks of the tenure.
    pub(super) fn keeps_time(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.fact {
            Fact::CommandTaken { pace, .. } => self.tenure_begins(*pace, at, false),
            Fact::Command(Turn::Transferred { pace, .. }) => self.tenure_begins(*pace, at, true),
            Fact::SeverityRaised { pace, .. }
            | Fact::SeverityLowered { pace, .. }
            | Fact::Relapsed { pace, .. } => self.tenure_goes_on(*pace, at),
            Fact::CheckedIn { .. } => self.is_alone_from(at),
            Fact::Rescheduled { due } => self.of_tenure(|tenure| tenure.nothing_later_than(*due, at)),
            Fact::Command(Turn::Unheard { .. }) => self.of_tenure(Tenure::told),
            Fact::Mitigated { .. } => self.of_tenure(Tenure::spoke),
            Fact::HelpCalled { paged, .. } if !paged.is_empty() => self.of_tenure(Tenure::spoke),
            Fact::Board(
                Put::SizedUp { .. } | Put::Reported { .. } | Put::ObjectiveSet { .. } | Put::Requested { .. },
            ) => self.of_tenure(Tenure::spoke),
            Fact::Board(Put::Called { call }) => self.of_tenure(|tenure| tenure.called(*call)),
            _ => {}
        }
        // Whoever does anything has seen who commands.
        if let Some(person) = entry.actor.person() {
            self.of_tenure(|tenure| tenure.unheard.retain(|other| other != person));
        }
    }

    /// Nothing that the daemon set itself lies later than this. `false`: it had set nothing.
    pub(super) fn hour_is_set_anew(&mut self, due: Timestamp) -> bool {
        if self.commander().is_some() {
            let waits = self.due_at().is_some();
            self.nothing_later_than(due);
            return waits;
        }
        match &mut self.phase {
            Phase::Triggered { quiet_until: Some(until), .. } => *until = due.min(*until),
            Phase::Triggered { held_until: Some(until), escalation, .. } => {
                *until = due.min(*until);
                if let Some(escalation) = escalation {
                    escalation.due = escalation.due.min(due);
                }
            }
            Phase::Triggered { escalation: Some(escalation), .. } => {
                if escalation.due > due {
                    escalation.due = due;
                    // They were hours of the same clock.
                    escalation.reminders.clear();
                }
            }
            _ => return false,
        }
        self.voice.nothing_later_than(due);
        true
    }

    fn of_tenure(&mut self, change: impl FnOnce(&mut Tenure)) {
        if let Some(tenure) = &mut self.offices.tenure {
            change(tenure);
        }
    }

    fn tenure_begins(&mut self, pace: Option<Pace>, at: Timestamp, passed: bool) {
        let unheard = if passed { self.offices.unaware.clone() } else { Vec::new() };
        self.offices.tenure = Tenure::begin(pace, at, &unheard);
        self.is_alone_from(at);
    }

    fn tenure_goes_on(&mut self, pace: Option<Pace>, at: Timestamp) {
        let Some(since) = self.commander().map(|command| command.since) else { return };
        match &mut self.offices.tenure {
            Some(tenure) => tenure.goes_on(pace.unwrap_or_default(), at),
            None => self.offices.tenure = Tenure::begin(pace, since, &[]),
        }
        self.is_alone_from(at);
    }

    /// From now on, if they are on scene and nobody has said or asked for anything yet.
    fn is_alone_from(&mut self, at: Timestamp) {
        let board = &self.board;
        let is_said = board.size_up.is_some()
            || board.report.is_some()
            || board.objective.is_some()
            || !board.requests.is_empty();
        let is_there = self.commander().is_some_and(|command| self.is_on_scene(&command.person));
        if is_there && !is_said {
            self.of_tenure(|tenure| tenure.arrived(at));
        }
    }

    /// The next hour that the daemon has set itself beside those of the phase: of an offer, of receipts, of support.
    pub(super) fn near_hour(&self) -> Option<Timestamp> {
        let offer = self.offices.offer.as_ref().map(|offer| offer.expires);
        [offer, self.receipts_due(), self.support_due(), self.voice.pio_due].into_iter().flatten().min()
    }

    /// The next hour that may lie further ahead than anything that is waited for: of a promise, or of relief.
    pub(super) fn far_hour(&self) -> Option<Timestamp> {
        self.board.next_hour().into_iter().chain(self.relief_due()).chain(self.voice.next_hour()).min()
    }

    /// Who was told of the change of command, is on it, and has neither said that they know nor done anything since.
    pub fn unheard(&self) -> impl Iterator<Item = &str> {
        let unheard = self.offices.tenure.iter().flat_map(|tenure| &tenure.unheard);
        let is_on_it = |person: &str| self.responder(person).is_some_and(|known| known.status.has_answered());
        unheard.map(String::as_str).filter(move |person| is_on_it(person))
    }

    /// When those are told once more, while there is anybody to tell.
    pub fn receipts_due(&self) -> Option<Timestamp> {
        self.commander()?;
        self.offices.tenure.as_ref()?.receipts_at.filter(|_| self.unheard().next().is_some())
    }

    /// When support is called by rule: while something fires, the Commander is alone on scene, and they are heard of. Of who is
    /// silent the lease takes care.
    pub fn support_due(&self) -> Option<Timestamp> {
        let Phase::Acknowledged { command, sign, .. } = &self.phase else { return None };
        let at = self.offices.tenure.as_ref()?.support_at?;
        let is_heard_of = sign.as_ref().is_none_or(|sign| sign.asked == 0);
        let fires = self.firing > 0 || self.alerts == 0;
        let others = self.responders.iter().filter(|known| known.person != command.person);
        let is_alone = others.clone().all(|known| !known.status.is_on_scene());
        (is_heard_of && fires && is_alone && self.is_on_scene(&command.person)).then_some(at)
    }

    /// When the Commander is asked who takes command over; not while somebody is offered it.
    pub fn relief_due(&self) -> Option<Timestamp> {
        self.commander().filter(|_| self.offices.offer.is_none())?;
        self.offices.tenure.as_ref()?.next_prompt().map(|(_, hour)| hour)
    }
}
