//! What is said on time: the hours at which an update is due, who is called to speak when the PIO does not come, and what goes out by
//! itself.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::audience::Audience;
use super::super::command::Office;
use super::super::escalation::Staff;
use super::super::incident::Phase as InPhase;
use super::super::letter::{Letter, News};
use super::super::rules::Holding;
use super::super::timeline::Fact;
use super::super::voice::{MISSED_MAX, Phase as Told, Right, Say, Sort, Stage, Statement};
use super::wording::{fill_in, starter};
use super::{Draft, Next, Reason, Refusal, Work, words_or_none};

impl Work<'_> {
    /// Those outside are told by these hours that somebody has it, and what is wrong.
    pub(super) fn awaits_first_updates(&mut self) -> Result<(), Refusal> {
        for audience in Audience::ALL {
            let severity = self.incident.severity;
            let wait = self.rules.pio.first.get(&(audience, severity)).copied().unwrap_or_default();
            let is_awaited = self.incident.voice.due.iter().any(|due| due.audience == audience);
            if wait.is_zero() || is_awaited || !self.rules.can_tell(audience) {
                continue;
            }
            // Of an update to its own people the house has an hour of its own: the one it promises.
            let by = match audience {
                Audience::Internal => self.incident.next_update_by,
                _ => Some(self.later(wait)),
            };
            if let Some(by) = by {
                self.dispatch(Fact::Voice(Say::Awaited { audience, by }))?;
            }
        }
        Ok(())
    }

    /// The hour of an update, or of who was called as PIO, has come.
    pub(super) fn looks_at_what_is_said(&mut self) -> Result<Option<Reason>, Refusal> {
        if self.incident.voice.pio_due.is_some_and(|due| due <= self.now) {
            return self.calls_the_next_pio().map(Some);
        }
        let Some(due) = self.incident.voice.next_due(self.now).cloned() else { return Ok(None) };
        let (audience, by) = (due.audience, due.by);
        if by > self.now {
            self.dispatch(Fact::Voice(Say::Warned { audience, by }))?;
            self.tell_all_who_can_speak(News::UpdateDue);
        } else {
            let times = due.missed.saturating_add(1).min(MISSED_MAX);
            self.dispatch(Fact::Voice(Say::Missed { audience, by, times }))?;
            self.tell_commander(News::UpdateMissed);
            self.tell_who_speaks(News::UpdateMissed);
        }
        Ok(Some(Reason::Overdue))
    }

    /// Who was called as PIO has not come.
    fn calls_the_next_pio(&mut self) -> Result<Reason, Refusal> {
        let called: BTreeSet<&String> = self.incident.voice.called.iter().collect();
        let commander = self.incident.commander().map(|command| command.person.clone());
        let targets = self.rules.services.get(self.incident.leads()).map(|service| service.pio.as_slice());
        let targets = targets.unwrap_or_default();
        let [there, all] = [Staff::present, Staff::regardless].map(|who| who(self.staff, targets, self.now));
        let next = there
            .iter()
            .chain(&all)
            .find(|person| !called.contains(person) && Some(*person) != commander.as_ref());
        let Some(person) = next.cloned() else {
            self.dispatch(Fact::Voice(Say::NoPio))?;
            self.tell_commander(News::NoPio);
            return Ok(Reason::Called);
        };
        let due = self.pio_answers_by();
        self.dispatch(Fact::PioCalled { person: person.clone(), due })?;
        self.letters.push(Letter::PioPage { person });
        Ok(Reason::Called)
    }

    /// When the next one is called, unless who is called as PIO comes.
    pub(super) fn pio_answers_by(&self) -> Option<Timestamp> {
        let wait = self.rules.pio.answer_after;
        (!wait.is_zero()).then(|| self.later(wait))
    }

    /// It is over: those who were told that something is wrong are to be told so.
    pub(super) fn asks_for_closings(&mut self) {
        if Audience::ALL.into_iter().any(|audience| self.incident.voice.owes_a_closing(audience)) {
            self.tell_who_speaks(News::ClosingDue);
            let pio = self.incident.pio.clone();
            if let Some((pio, _)) = pio {
                self.tell(&pio, News::ClosingDue);
            }
        }
    }
}

impl Work<'_> {
    /// The holding statement of the service that leads, where it has one for an incident as bad as this.
    fn holding(&self) -> Option<&Holding> {
        let holding = self.rules.services.get(self.incident.leads())?.holding.as_ref()?;
        holding.severities.contains(&self.incident.severity).then_some(holding)
    }

    /// Words that were approved beforehand go out in a while, unless somebody says hold.
    pub(super) fn plans_holding(&mut self) -> Result<(), Refusal> {
        let Some(after) = self.holding().map(|holding| holding.after) else { return Ok(()) };
        if self.incident.voice.held || self.waiting_for_words().is_empty() {
            return Ok(());
        }
        let at = self.later(after);
        self.dispatch(Fact::Voice(Say::HoldingPlanned { at }))
    }

    /// It is worse: what goes out by itself of one as bad as this does, when nothing is about to.
    pub(super) fn plans_holding_anew(&mut self) -> Result<(), Refusal> {
        if self.incident.voice.holding_at.is_some()
            || matches!(self.incident.phase, InPhase::Mitigated { .. })
        {
            return Ok(());
        }
        self.plans_holding()
    }

    /// Those who have read nothing yet but, maybe, that something was noticed.
    fn waiting_for_words(&self) -> Vec<Audience> {
        let Some(holding) = self.holding() else { return Vec::new() };
        let is_taken = self.incident.commander().is_some();
        let waits = |audience: &&Audience| {
            let mut told = self.incident.voice.published(**audience);
            told.all(|one| is_taken && is_detected(one)) && self.rules.can_tell(**audience)
        };
        holding.audiences.iter().filter(waits).copied().collect()
    }

    /// The hour of the holding statement has come.
    pub(super) fn sends_holding(&mut self) -> Result<Reason, Refusal> {
        let is_mitigated = matches!(self.incident.phase, InPhase::Mitigated { .. });
        let fires = (self.incident.firing > 0 || self.incident.declared) && !is_mitigated;
        let (waiting, is_taken) = (self.waiting_for_words(), self.incident.commander().is_some());
        if waiting.is_empty() || !fires {
            let why = match (fires, is_mitigated) {
                (true, _) => "they have heard already",
                (_, true) => "the harm has stopped",
                _ => "nothing fires any more",
            };
            self.dispatch(Fact::Voice(Say::HoldingStopped { why: why.to_owned() }))?;
            return Ok(Reason::Recorded);
        }
        for audience in waiting {
            let phase = is_taken.then_some(Told::Investigating);
            let text = starter(&self.incident, audience, phase, self.rules);
            let draft = Draft {
                audience,
                sort: Some(Sort::Holding),
                phase: Some(Told::Investigating),
                impact: None,
                title: None,
                text,
                next: Next::Usual,
                mends: None,
                channels: Vec::new(),
            };
            // Without a name for those outside there is nothing that could be said to them.
            let Ok(wording) = fill_in(&draft, &self.incident, self.rules, self.now) else { continue };
            let (number, channels) = (self.incident.voice.next_number(), wording.channels.clone());
            self.dispatch(Fact::Voice(Say::Drafted { number, wording, found: Vec::new() }))?;
            let published = Say::Published {
                number,
                wording: self.incident.seq,
                right: if is_taken { Right::Template } else { Right::Detected },
                channels: channels.clone(),
            };
            self.dispatch(Fact::Voice(published))?;
            self.letters.extend(channels.into_iter().map(|channel| Letter::Statement { channel, number }));
        }
        if self.incident.voice.holding_at.is_some() {
            let why = "there is no name for it that those outside know".to_owned();
            self.dispatch(Fact::Voice(Say::HoldingStopped { why }))?;
            return Ok(Reason::Recorded);
        }
        Ok(Reason::Published)
    }

    /// Somebody who answers for it says hold.
    pub(super) fn holds_back(&mut self, why: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        let leads = self.answers_for_it().is_some_and(|(commander, _)| commander == person);
        let deputy = self.incident.offices.holder(Office::Deputy) == Some(&*person);
        if !leads && !deputy && !self.is_pio(&person) && !self.is_administrator(&person) {
            return Err(Refusal::NotAllowed("the Commander, the Deputy or the PIO says hold".to_owned()));
        }
        if self.incident.voice.holding_at.is_none() {
            return Err(Refusal::WrongState("nothing is about to go out by itself"));
        }
        let why = words_or_none(why, "the reason")?;
        let why =
            if why.is_empty() { format!("{person} says hold") } else { format!("{person} says hold: {why}") };
        self.say(Say::HoldingStopped { why })
    }
}

/// Whether it says no more than that something was noticed.
fn is_detected(one: &Statement) -> bool {
    matches!(one.stage, Stage::Published { right: Right::Detected, .. })
}
