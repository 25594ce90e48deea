//! What responders say of themselves, and what the Commander says of them.

use jiff::{SignedDuration, Timestamp};

use super::super::board::{End, Put, RequestState};
use super::super::command::{Office, Turn};
use super::super::incident::{CommandReason, ResponderStatus, Severity};
use super::super::letter::News;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work, words};

/// Nobody says that they are there later than this.
const ETA_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A supervisor of more people than this is told so.
const SPAN_MAX: usize = 7;

impl Work<'_> {
    /// A human who was paged cannot.
    pub(super) fn decline(&mut self) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        if self.incident.commander().is_some_and(|command| command.person == person) {
            return Err(Refusal::WrongState("you have command; hand it over instead of declining"));
        }
        let held = self.incident.offices.posts.iter().filter(|post| post.person == person);
        let held: Vec<_> = held.map(|post| post.office).collect();
        for office in held {
            // Who goes leaves nothing behind that looks as if somebody had it.
            self.add(Fact::Command(Turn::Released { office, person: person.clone() }))?;
            self.is_followed(office, &person)?;
            self.tell_commander(News::OfficeReleased);
        }
        let tasks = self.incident.board.open_tasks().filter(|task| task.person == person);
        let tasks: Vec<u32> = tasks.map(|task| task.number).collect();
        for number in tasks {
            let text = format!("{person} cannot");
            self.add(Fact::Board(Put::TaskEnded { number, how: End::Dropped, text }))?;
            self.tell_commander(News::TaskEnded);
        }
        self.add(Fact::Declined { person })?;
        match self.escalate_if_nobody_is_left()? {
            Reason::EscalatedUnanswered => Ok(Reason::EscalatedUnanswered),
            _ => Ok(Reason::Declined),
        }
    }

    /// A page did not reach somebody. Who is at a keyboard is there all the same.
    pub(super) fn is_out_of_reach(&self, person: &str, why: String) -> Fact {
        let person = person.to_owned();
        if self.incident.commander().is_some() && self.incident.is_on_scene(&person) {
            return Fact::Delivered {
                what: "page".to_owned(),
                to: person,
                outcome: "unreached".to_owned(),
                why,
                statement: None,
            };
        }
        Fact::Unreachable { person, why }
    }

    /// A human is at a keyboard, and hears who commands. Where nobody does, they do.
    pub(super) fn check_in(&mut self) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        if self.incident.commander().is_none() {
            self.take_command(&person, CommandReason::FirstResponder)?;
        }
        self.add(Fact::CheckedIn { person: person.clone() })?;
        self.comes_on_request(&person, RequestState::OnScene)?;
        self.watches_the_span();
        Ok(Reason::CheckedIn)
    }

    /// More people are on scene than one person can lead: the Commander hears it once, when it begins.
    fn watches_the_span(&mut self) {
        let commander = self.incident.commander().map(|command| command.person.clone());
        let others = self.incident.responders.iter();
        let others =
            others.filter(|known| known.status.is_on_scene() && Some(&known.person) != commander.as_ref());
        if others.count() == SPAN_MAX + 1 {
            self.tell_commander(News::Span);
        }
    }

    /// Whether a request waits for somebody to answer.
    pub(super) fn was_asked_for(&self, person: &str) -> bool {
        let waits = |state| matches!(state, RequestState::Requested | RequestState::Unfilled);
        let mut requests = self.incident.board.requests.iter();
        requests.any(|one| waits(one.state) && one.people.iter().any(|one| one == person))
    }

    /// Who was asked for has answered, or is there.
    pub(super) fn comes_on_request(&mut self, person: &str, to: RequestState) -> Result<(), Refusal> {
        let waits = |state: RequestState| match to {
            RequestState::Acknowledged => {
                matches!(state, RequestState::Requested | RequestState::Unfilled)
            }
            _ => {
                matches!(state, RequestState::Requested | RequestState::Unfilled | RequestState::Acknowledged)
            }
        };
        let requests = self.incident.board.requests.iter();
        let requests = requests.filter(|one| waits(one.state) && one.people.iter().any(|one| one == person));
        let numbers: Vec<u32> = requests.map(|request| request.number).collect();
        numbers
            .into_iter()
            .try_for_each(|number| self.dispatch(Fact::Board(Put::RequestMoved { number, to })))
    }

    /// A human is on the way to a keyboard: that is an answer, too.
    pub(super) fn en_route(&mut self, eta: Option<Timestamp>) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        if eta.is_some_and(|eta| eta > self.later(ETA_MAX)) {
            return Err(Refusal::BadWords("the hour of arrival lies more than a day ahead".to_owned()));
        }
        if self.incident.is_on_scene(&person) {
            return Err(Refusal::WrongState("you are on scene already"));
        }
        let reason = match self.incident.commander() {
            None => {
                self.take_command(&person, CommandReason::FirstResponder)?;
                Reason::TookCommand
            }
            Some(_) => Reason::EnRoute,
        };
        self.add(Fact::EnRoute { person: person.clone(), eta })?;
        self.comes_on_request(&person, RequestState::Acknowledged)?;
        Ok(reason)
    }

    /// A responder has to rest: they are given nothing to do until they check in again.
    pub(super) fn rests(&mut self, person: Option<String>, term: Option<u32>) -> Result<Reason, Refusal> {
        let person = self.of_whom(person, term)?;
        if self.incident.commander().is_some_and(|command| command.person == person) {
            return Err(Refusal::WrongState("who has command hands it over before they rest"));
        }
        if !self.incident.is_on_scene(&person) {
            return Err(Refusal::NotThere(format!("{person} is not on scene")));
        }
        self.add(Fact::Resting { person: person.clone() })?;
        self.tell(&person, News::Rest);
        Ok(Reason::Recorded)
    }

    /// A PIO who goes, and is not sent, is followed by the next who can be it: somebody has to speak.
    pub(super) fn is_followed(&mut self, office: Office, person: &str) -> Result<(), Refusal> {
        let goes = self.by.actor.person() == Some(person);
        let offices = &self.incident.offices;
        let has_one = offices.holder(office).or(offices.asked(office)).is_some();
        let is_led = self.incident.is_open() && self.incident.commander().is_some();
        if office == Office::Pio && goes && is_led && !has_one {
            self.calls_the_next_pio()?;
        }
        Ok(())
    }

    /// A responder may go. Their offices and tasks are somebody else's first.
    pub(super) fn release(&mut self, person: Option<String>, term: Option<u32>) -> Result<Reason, Refusal> {
        let person = self.of_whom(person, term)?;
        if self.incident.commander().is_some_and(|command| command.person == person) {
            return Err(Refusal::WrongState("who has command hands it over before they go"));
        }
        let known = self.incident.responder(&person).map(|known| known.status);
        if !known.is_some_and(ResponderStatus::has_answered) {
            return Err(Refusal::NotThere(format!("{person} is not on this incident")));
        }
        if self.incident.offices.offer.as_ref().is_some_and(|offer| offer.to == person) {
            return Err(Refusal::NotThere(format!(
                "{person} was offered command; that is answered or withdrawn first"
            )));
        }
        let board = &self.incident.board;
        let tasks = board.open_tasks().filter(|task| task.person == person);
        let tasks: Vec<String> = tasks.map(|task| task.number.to_string()).collect();
        if !tasks.is_empty() {
            let tasks = tasks.join(", ");
            return Err(Refusal::NotThere(format!(
                "{person} has task {tasks}; end it or give it to another first"
            )));
        }
        let changes = board.in_flight().filter(|change| change.person == person);
        let changes: Vec<String> = changes.map(|change| change.number.to_string()).collect();
        if !changes.is_empty() {
            let changes = changes.join(", ");
            return Err(Refusal::NotThere(format!(
                "change {changes} of {person} is in flight; say first how it ended"
            )));
        }
        let held = self.incident.offices.posts.iter().filter(|post| post.person == person);
        let held: Vec<_> = held.map(|post| post.office).collect();
        for office in held {
            self.add(Fact::Command(Turn::Released { office, person: person.clone() }))?;
            self.is_followed(office, &person)?;
            self.tell_commander(News::OfficeReleased);
        }
        self.add(Fact::Released { person: person.clone() })?;
        let requests = self.incident.board.requests.iter();
        let over: Vec<u32> = requests
            .filter(|one| one.state == RequestState::OnScene && one.people.contains(&person))
            .filter(|one| !one.people.iter().any(|other| self.incident.is_on_scene(other)))
            .map(|one| one.number)
            .collect();
        for number in over {
            self.dispatch(Fact::Board(Put::RequestMoved { number, to: RequestState::Released }))?;
        }
        self.tell(&person, News::Released);
        Ok(Reason::Released)
    }

    /// Whom an act is about: who acts, or somebody else, when the Commander says so.
    fn of_whom(&self, person: Option<String>, term: Option<u32>) -> Result<String, Refusal> {
        let by = self.person()?;
        self.open_only()?;
        match person.filter(|person| *person != by) {
            None => Ok(by),
            Some(person) => {
                let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
                self.commands(term.unwrap_or(command.term))?;
                Ok(person)
            }
        }
    }

    /// Somebody says how bad it is. Anybody of the house may say that it is worse; that it is not as bad is the Commander's.
    pub(super) fn set_severity(
        &mut self,
        severity: Severity,
        reason: &str,
        term: Option<u32>,
    ) -> Result<Reason, Refusal> {
        self.person()?;
        self.open_only()?;
        let why = words(reason, "the reason")?;
        let from = self.incident.severity;
        if severity == from {
            return Err(Refusal::NotThere(format!("it is {} already", from.as_str())));
        }
        if severity < from {
            return self.worsens_because(severity, why);
        }
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
        self.commands(term.unwrap_or(command.term))?;
        let (sign_after, pace) = (self.sign_after(severity), self.pace(severity));
        self.add(Fact::SeverityLowered { from, to: severity, why, sign_after, pace })?;
        self.promise()?;
        self.status(News::SeverityLowered);
        self.tell_all(News::SeverityLowered);
        self.tell_pio(News::SeverityLowered);
        Ok(Reason::SeverityLowered)
    }
}
