//! What is said on time: the hours at which an update is due, who is called to speak when the PIO does not come, and what goes out by
//! itself.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::audience::Audience;
use super::super::command::Office;
use super::super::disclosure::Finding;
use super::super::escalation::Staff;
use super::super::incident::{Incident, Phase as InPhase};
use super::super::letter::{Letter, News};
use super::super::rules::{Holding, Rules};
use super::super::timeline::Fact;
use super::super::voice::{MISSED_MAX, Phase as Told, Right, Say, Sort, Stage, Statement, Wording};
use super::wording::{fill_in, starter};
use super::{Draft, Next, Reason, Refusal, TooLong, Work, words_or_none};

impl Work<'_> {
    /// Those outside are told by these hours that somebody has it, and what is wrong.
    pub(super) fn awaits_first_updates(&mut self) -> Result<(), Refusal> {
        for audience in Audience::ALL {
            let is_awaited = self.incident.voice.due.iter().any(|due| due.audience == audience);
            let by = self.first_update_by(audience).filter(|_| !is_awaited);
            if let Some(by) = by {
                self.dispatch(Fact::Voice(Say::Awaited { audience, by }))?;
            }
        }
        Ok(())
    }

    /// It is worse than it was: who has been told nothing yet is to be told sooner.
    pub(super) fn awaits_first_updates_sooner(&mut self) -> Result<(), Refusal> {
        if !matches!(self.incident.phase, InPhase::Acknowledged { .. }) {
            return Ok(());
        }
        for audience in Audience::ALL {
            let voice = &self.incident.voice;
            let known = voice.due.iter().find(|due| due.audience == audience).map(|due| due.by);
            let is_told = voice.published(audience).next().is_some();
            let by =
                self.first_update_by(audience).filter(|by| !is_told && known.is_none_or(|known| *by < known));
            if let Some(by) = by {
                self.dispatch(Fact::Voice(Say::Awaited { audience, by }))?;
            }
        }
        Ok(())
    }

    /// By when an audience that can be told is to be told first, from now on.
    fn first_update_by(&self, audience: Audience) -> Option<Timestamp> {
        let severity = self.incident.severity;
        let wait = self.rules.pio.first.get(&(audience, severity)).copied().unwrap_or_default();
        if wait.is_zero() || !self.rules.can_tell(audience) {
            return None;
        }
        // Of an update to its own people the house has an hour of its own: the one it promises.
        match audience {
            Audience::Internal => self.incident.next_update_by,
            _ => Some(self.later(wait)),
        }
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
    pub(super) fn calls_the_next_pio(&mut self) -> Result<Reason, Refusal> {
        let called: BTreeSet<&String> = self.incident.voice.called.iter().collect();
        let commander = self.incident.commander().map(|command| command.person.clone());
        let targets = self.rules.services.get(self.incident.leads()).map(|service| service.pio.as_slice());
        let targets = targets.unwrap_or_default();
        let [there, all] = [Staff::present, Staff::regardless].map(|who| who(self.staff, targets, self.now));
        let acts = self.by.actor.person();
        let next = there.iter().chain(&all).find(|person| {
            !called.contains(person) && Some(*person) != commander.as_ref() && Some(person.as_str()) != acts
        });
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
            let pio = self.incident.pio.clone();
            match pio {
                Some((pio, _)) => {
                    self.tell_who_speaks(News::ClosingDue);
                    self.tell(&pio, News::ClosingDue);
                }
                None => self.tell_all_who_can_speak(News::ClosingDue),
            }
        }
    }
}

impl Work<'_> {
    /// Words that were approved beforehand go out in a while, unless somebody says hold.
    pub(super) fn plans_holding(&mut self) -> Result<(), Refusal> {
        let Some(after) = holding(&self.incident, self.rules).map(|holding| holding.after) else {
            return Ok(());
        };
        if self.incident.voice.held || waiting_for_words(&self.incident, self.rules).is_empty() {
            return Ok(());
        }
        let at = self.later(after);
        self.dispatch(Fact::Voice(Say::HoldingPlanned { at }))
    }

    /// It is worse: what goes out by itself of one as bad as this does, when nothing is about to.
    pub(super) fn plans_holding_anew(&mut self) -> Result<(), Refusal> {
        let voice = &self.incident.voice;
        if voice.holding_at.is_some()
            || voice.withheld
            || matches!(self.incident.phase, InPhase::Mitigated { .. })
        {
            return Ok(());
        }
        self.plans_holding()
    }

    /// The hour of the holding statement has come.
    pub(super) fn sends_holding(&mut self, unsaid: &[Unsaid]) -> Result<Reason, Refusal> {
        let is_mitigated = matches!(self.incident.phase, InPhase::Mitigated { .. });
        let fires = (self.incident.firing > 0 || self.incident.declared) && !is_mitigated;
        let is_taken = self.incident.commander().is_some();
        if waiting_for_words(&self.incident, self.rules).is_empty() || !fires {
            let why = match (fires, is_mitigated) {
                (true, _) if holding(&self.incident, self.rules).is_none() => {
                    "no service that it reaches has one for this severity any more"
                }
                (true, _) => "they have heard already",
                (_, true) => "the harm has stopped",
                _ => "nothing fires any more",
            };
            self.dispatch(Fact::Voice(Say::HoldingStopped { why: why.to_owned(), withheld: false }))?;
            return Ok(Reason::Recorded);
        }
        let mut kept_back = Vec::new();
        for wording in holding_words(&self.incident, self.rules, self.now) {
            if let Some(unsaid) = unsaid.iter().find(|one| one.audience == wording.audience) {
                kept_back.push(unsaid.why());
                continue;
            }
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
        if !kept_back.is_empty() {
            self.dispatch(Fact::Voice(Say::HoldingStopped { why: kept_back.join("; "), withheld: true }))?;
            // Somebody has to write it now.
            self.tell_all_who_can_speak(News::Withheld);
            self.tell_commander(News::Withheld);
            return Ok(Reason::Recorded);
        }
        if self.incident.voice.holding_at.is_some() {
            let why = "there is no name for it that those outside know".to_owned();
            self.dispatch(Fact::Voice(Say::HoldingStopped { why, withheld: false }))?;
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
        self.say(Say::HoldingStopped { why, withheld: false })
    }
}

/// Words that were approved beforehand and must not go out this night: the incident's own alerts name what is in them, or a channel
/// does not take as much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaid {
    /// Whom they were for.
    pub audience: Audience,
    /// What was found that is heavier than a warning: nobody is there who could let it pass.
    pub found: Vec<Finding>,
    /// The channels that do not take as much.
    pub too_long: Vec<TooLong>,
}

impl Unsaid {
    /// Without the words themselves.
    fn why(&self) -> String {
        let rules: BTreeSet<&str> = self.found.iter().map(|one| one.rule.as_str()).collect();
        let channels = self.too_long.iter().map(|one| format!("too long for {}", one.channel));
        let all: Vec<String> = rules.into_iter().map(str::to_owned).chain(channels).collect();
        format!("its words must not go out to {} like this ({})", self.audience.as_str(), all.join(", "))
    }
}

/// The words that go out by themselves at this moment, one an audience, where the hour of the holding statement has come.
pub fn holding_words(incident: &Incident, rules: &Rules, now: Timestamp) -> Vec<Wording> {
    if incident.voice.holding_at.is_none_or(|at| at > now) {
        return Vec::new();
    }
    let phase = incident.commander().is_some().then_some(Told::Investigating);
    let words = |audience: Audience| {
        let draft = Draft {
            audience,
            sort: Some(Sort::Holding),
            phase: Some(Told::Investigating),
            impact: None,
            title: None,
            text: starter(incident, audience, phase, rules),
            // Nobody is there yet who could keep a promise.
            next: if phase.is_some() { Next::Usual } else { Next::Never },
            mends: None,
            channels: Vec::new(),
        };
        // Without a name for those outside there is nothing that could be said to them.
        fill_in(&draft, incident, rules, now).ok()
    };
    waiting_for_words(incident, rules).into_iter().filter_map(words).collect()
}

/// The holding statement for an incident as bad as this: of the service that leads, or else of the one that it was opened for, or of one
/// that it reaches.
fn holding<'a>(incident: &Incident, rules: &'a Rules) -> Option<&'a Holding> {
    let services =
        [incident.leads(), &incident.service].into_iter().chain(incident.also.iter().map(String::as_str));
    let mut all = services.filter_map(|service| rules.services.get(service)?.holding.as_ref());
    all.find(|holding| holding.severities.contains(&incident.severity))
}

/// Those who have read nothing yet but, maybe, that something was noticed.
fn waiting_for_words(incident: &Incident, rules: &Rules) -> Vec<Audience> {
    let is_taken = incident.commander().is_some();
    let waits = |audience: &&Audience| {
        let mut told = incident.voice.published(**audience);
        told.all(|one| is_taken && is_detected(one)) && rules.can_tell(**audience)
    };
    holding(incident, rules)
        .map(|holding| &holding.audiences)
        .into_iter()
        .flatten()
        .filter(waits)
        .copied()
        .collect()
}

/// Whether it says no more than that something was noticed.
fn is_detected(one: &Statement) -> bool {
    matches!(one.stage, Stage::Published { right: Right::Detected, .. })
}
