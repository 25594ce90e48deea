//! Command as it passes from one to another, the hours at which who has it is asked for something, and what the board changes
//! about both.

use jiff::{SignedDuration, Timestamp};

use super::super::board::Put;
use super::super::command::{Calls, Office, Pace};
use super::{Command, CommandReason, Incident, Phase, Sign};

impl Command {
    /// Whether it passed to them from somebody who had it before.
    pub fn has_passed(&self) -> bool {
        !matches!(self.reason, CommandReason::FirstResponder | CommandReason::Reopened)
    }
}

impl Incident {
    /// The hours at which somebody who has command is asked for something, from now on.
    pub(super) fn calls_of(&self, person: &str, pace: Option<Pace>, at: Timestamp) -> Option<Calls> {
        let sized_up = self.board.size_up.is_some();
        pace.map(|pace| Calls::begin(pace, at, self.is_on_scene(person), sized_up))
    }

    /// Somebody else commands from now on; the state stays as it is.
    pub(super) fn passes(
        &mut self,
        (person, term, reason): (&str, u32, CommandReason),
        sign_after: Option<SignedDuration>,
        pace: Option<Pace>,
        at: Timestamp,
    ) {
        let next = Command { person: person.to_owned(), term, since: at, reason };
        let next_calls = self.calls_of(person, pace, at);
        self.term = term;
        match &mut self.phase {
            Phase::Acknowledged { command, sign, calls } => {
                *command = next;
                *sign = sign_after.map(|after| Sign::from(after, at));
                *calls = next_calls;
            }
            Phase::Mitigated { command, .. } => *command = next,
            Phase::Triggered { .. } | Phase::Resolved { .. } => {}
        }
    }

    /// Everybody who is on it hears who commands, and has not said yet that they know.
    pub(super) fn tell_who_commands(&mut self) {
        let commander = self.commander().map(|command| command.person.clone()).unwrap_or_default();
        let others = self.responders.iter().filter(|known| known.status.has_answered());
        let others = others.map(|known| known.person.clone()).filter(|person| *person != commander);
        self.offices.unaware = others.collect();
    }

    /// What the board means for people, clocks and who reads a brief.
    pub(super) fn is_put(&mut self, put: &Put, at: Timestamp, entry: u32) {
        let moves = match put {
            Put::Corrected { entry, .. } => self.board.corrections.move_with(*entry),
            put => put.moves_the_situation(),
        };
        if moves {
            self.moved = entry;
        }
        match put {
            Put::TaskGiven { person, .. } => self.has_to_do(&person.clone(), at),
            Put::TaskEnded { number, .. } => {
                let task = self.board.tasks.iter().find(|task| task.number == *number);
                if let Some(person) = task.map(|task| task.person.clone()) {
                    self.has_to_do(&person, at);
                }
            }
            _ => {}
        }
        let Phase::Acknowledged { calls: Some(calls), .. } = &mut self.phase else { return };
        match put {
            Put::SizedUp { .. } => {
                calls.size_up = None;
                calls.reported(at);
            }
            Put::Reported { .. } => calls.reported(at),
            Put::Called { call } => calls.called(*call, at),
            _ => {}
        }
    }

    /// Who commands did something.
    pub(super) fn gives_a_sign(&mut self, at: Timestamp) {
        self.heard_at = Some(at);
        if let Phase::Acknowledged { sign, calls, .. } = &mut self.phase {
            if let Some(sign) = sign {
                *sign = Sign::from(sign.after, at);
            }
            if let Some(calls) = calls {
                calls.heard(at);
            }
        }
    }

    /// Who was the PIO is it no more, or does not become it.
    pub(super) fn pio_left(&mut self, person: &str) {
        if self.pio.as_ref().is_some_and(|(known, _)| known == person) {
            let posts = self.offices.posts.iter().filter(|post| post.office == Office::Pio);
            self.pio = posts.map(|post| (post.person.clone(), post.since)).next();
        }
    }

    /// An hour lay further ahead than anything that is waited for.
    pub(super) fn nothing_later_than(&mut self, hour: Timestamp) {
        if let Phase::Acknowledged { sign, calls, .. } = &mut self.phase {
            if let Some(sign) = sign {
                sign.due = sign.due.min(hour);
            }
            if let Some(calls) = calls {
                calls.not_later_than(hour);
            }
        }
        if let Some(offer) = &mut self.offices.offer {
            offer.expires = offer.expires.min(hour);
        }
        self.voice.nothing_later_than(hour);
    }
}
