//! What people write on the board, and what that means for others.

use jiff::{SignedDuration, Timestamp};

use super::super::board::{LIST_MAX, Numbered, Put, RequestState, Wanted, next_number};
use super::super::command::{Office, Talked, Turn};
use super::super::escalation::Staff;
use super::super::incident::ResponderStatus;
use super::super::letter::{News, Why};
use super::super::rules::Target;
use super::super::timeline::{Actor, Fact};
use super::{Bid, Reason, Refusal, Work, Write, words, words_or_none};

/// What people promise lies no further ahead than this.
const PROMISE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most changes that a Commander allows at once.
const CHANGES_MAX: u32 = 20;

impl Work<'_> {
    pub(super) fn bids(&mut self, bid: Bid) -> Result<Reason, Refusal> {
        match bid {
            Bid::Offer { to, term, reason } => self.offer(&to, term, &reason),
            Bid::Wish => self.wish(),
            Bid::Withdraw => self.withdraw(),
            Bid::Accept { office, term, brief } => self.accept(office, term, brief, Talked::default()),
            Bid::TakeOver { term, brief, talked } => self.accept(None, Some(term), brief, talked),
            Bid::Refuse { office, why } => {
                match self.decline_offer(office, &why)? {
                    Some(Reason::PioDeclined) | None if office.is_none() => {
                        // Nothing was offered: they cannot, and say why.
                        let reason = self.decline()?;
                        if let Ok(text) = words(&why, "the reason") {
                            self.add(Fact::Note { text })?;
                        }
                        Ok(reason)
                    }
                    refused => refused.ok_or(Refusal::WrongState("nothing that you were offered is open")),
                }
            }
            Bid::Assume { reason } => self.assume(&reason),
            Bid::Relieve { to, reason } => self.relieve(&to, &reason),
            Bid::Heard { term } => self.heard(term),
            Bid::Assign { office, person, term } => self.assign_office(office, &person, term),
            Bid::Give { office, term } => self.release_office(office, term),
        }
    }

    pub(super) fn writes(&mut self, write: Write) -> Result<Reason, Refusal> {
        // What was wrong, and what was known, is often seen when it is over.
        let late = match write {
            Write::Correct { .. } => true,
            // Of what is part of another incident, people look there.
            Write::Find { .. } => self.incident.merged_into.is_none(),
            _ => false,
        };
        if !late {
            self.open_only()?;
        }
        match write {
            Write::SizeUp { text } => {
                self.person()?;
                self.put(Put::SizedUp { text: words(&text, "the size-up")? })
            }
            Write::Objective { text, term } => {
                self.commands(term)?;
                self.put(Put::ObjectiveSet { text: words(&text, "the objective")? })
            }
            Write::Plan { text, term } => {
                self.commands(term)?;
                self.put(Put::PlanSet { text: words(&text, "the plan")? })
            }
            Write::Report { trend, text } => {
                self.person()?;
                self.put(Put::Reported { trend, text: words_or_none(&text, "the report")? })
            }
            Write::Task { person, what, limit, term } => self.gives(person, &what, limit, term),
            Write::EndTask { number, how, text } => {
                let by = self.person()?;
                let tasks = &self.incident.board.tasks;
                let task =
                    tasks.iter().find(|task| task.number == number).ok_or_else(|| nothing("task", number))?;
                if task.ended.is_some() {
                    return Err(Refusal::NotThere(format!("task {number} is over")));
                }
                let commands = self.incident.commander().is_some_and(|command| command.person == by);
                if task.person != by
                    && !commands
                    && self.incident.offices.holder(Office::Deputy) != Some(&*by)
                {
                    return Err(Refusal::NotAllowed(format!(
                        "task {number} is {}'s; only they and the Commander end it",
                        task.person
                    )));
                }
                let reason =
                    self.put(Put::TaskEnded { number, how, text: words_or_none(&text, "the text")? })?;
                self.tell_commander(News::TaskEnded);
                Ok(reason)
            }
            Write::Action { what, place, undo } => self.acts(&what, &place, &undo),
            Write::EndAction { number, how, text } => {
                self.doer()?;
                let actions = &self.incident.board.actions;
                let action = actions
                    .iter()
                    .find(|one| one.number == number)
                    .ok_or_else(|| nothing("change", number))?;
                if action.ended.is_some() {
                    return Err(Refusal::NotThere(format!("change {number} is over")));
                }
                self.put(Put::ActionEnded { number, how, text: words_or_none(&text, "the text")? })
            }
            Write::Allow { most, term } => {
                self.commands(term)?;
                if !(1..=CHANGES_MAX).contains(&most) {
                    return Err(Refusal::BadWords(format!(
                        "between 1 and {CHANGES_MAX} changes are allowed at once"
                    )));
                }
                self.put(Put::ChangesAllowed { most })
            }
            Write::Stop { why } => self.stops(&why),
            Write::Lift { why } => self.lifts(&why),
            Write::Request { wanted, why } => self.requests(wanted, &why),
            Write::EndRequest { number } => {
                self.person()?;
                let requests = &self.incident.board.requests;
                let known = requests
                    .iter()
                    .find(|one| one.number == number)
                    .ok_or_else(|| nothing("request", number))?;
                if known.state == RequestState::Released {
                    return Err(Refusal::NotThere(format!("request {number} is over")));
                }
                self.put(Put::RequestMoved { number, to: RequestState::Released })
            }
            Write::Contact { body, contact, ticket, promised, text, closed } => {
                self.person()?;
                let body = words(&body, "the name of the outside body")?;
                let (contact, ticket) =
                    (words_or_none(&contact, "the contact")?, words_or_none(&ticket, "the ticket")?);
                let promised = self.ahead(promised)?;
                let contacts = &self.incident.board.contacts;
                // What is not said again stands as it was said before.
                let kept = |new: String, before: &str| if new.is_empty() { before.to_owned() } else { new };
                let (number, contact, ticket, promised) = match contacts
                    .iter()
                    .rev()
                    .find(|one| one.body == body)
                {
                    Some(known) => {
                        let promised = promised.or(known.promised.filter(|_| !closed));
                        (known.number, kept(contact, &known.contact), kept(ticket, &known.ticket), promised)
                    }
                    None => {
                        let number = next(contacts, "outside bodies", |one| one.closed)?;
                        (number, contact, ticket, promised)
                    }
                };
                self.put(Put::ContactLogged {
                    number,
                    body,
                    contact,
                    ticket,
                    promised,
                    text: words_or_none(&text, "the text")?,
                    closed,
                })
            }
            Write::Find { component, ok, text, known_at } => {
                self.doer()?;
                let component = words(&component, "the part")?;
                let findings = &self.incident.board.findings;
                if findings.len() >= LIST_MAX && !findings.iter().any(|known| known.component == component) {
                    return Err(full("findings"));
                }
                let known_at = known_at.or(self.by.occurred_at).unwrap_or(self.now);
                if known_at > self.now {
                    return Err(Refusal::BadWords(
                        "nothing is known since an hour that has not come".to_owned(),
                    ));
                }
                let text = words_or_none(&text, "the text")?;
                self.put(Put::Found { component, ok, text, known_at })
            }
            Write::Meet { place, why, term } => {
                self.commands(term)?;
                let place = place.map(|place| words(&place, "the place")).transpose()?;
                let reason = self.put(Put::MeetingSet { place, why: words_or_none(&why, "the reason")? })?;
                self.tell_all(News::Meeting);
                Ok(reason)
            }
            Write::Correct { entry, text } => {
                self.person()?;
                if entry == 0 || entry > self.incident.seq {
                    return Err(Refusal::NotThere(format!("there is no entry {entry}")));
                }
                self.put(Put::Corrected { entry, text: words(&text, "the correction")? })
            }
        }
    }

    fn put(&mut self, put: Put) -> Result<Reason, Refusal> {
        self.add(Fact::Board(put))?;
        Ok(Reason::Recorded)
    }

    /// Who acts: a person of the house, or a program, which may say what it does and what it found.
    fn doer(&self) -> Result<String, Refusal> {
        match &self.by.actor {
            Actor::Automation(name) => Ok(name.clone()),
            _ => self.person(),
        }
    }

    /// An hour that somebody promised.
    fn ahead(&self, hour: Option<Timestamp>) -> Result<Option<Timestamp>, Refusal> {
        match hour {
            Some(hour) if hour <= self.now => {
                Err(Refusal::BadWords("the hour by which it is to be done is over".to_owned()))
            }
            Some(hour) if hour > self.later(PROMISE_MAX) => Err(Refusal::BadWords(
                "the hour by which it is to be done lies more than a week ahead".to_owned(),
            )),
            hour => Ok(hour),
        }
    }

    fn gives(
        &mut self,
        person: String,
        what: &str,
        limit: Option<Timestamp>,
        term: u32,
    ) -> Result<Reason, Refusal> {
        self.leads(term)?;
        let what = words(what, "what is to be done")?;
        if !self.rules.people.contains_key(&person) {
            return Err(Refusal::UnknownPerson(person));
        }
        if !self.incident.is_on_scene(&person) {
            return Err(Refusal::NotThere(format!(
                "{person} is not on scene; ask for them by a request, and give them something to do when they have checked in"
            )));
        }
        if self.incident.responder(&person).is_some_and(|known| known.status == ResponderStatus::Resting) {
            return Err(Refusal::NotThere(format!(
                "{person} rests, and is given nothing to do until they check in again"
            )));
        }
        let limit = self.ahead(limit)?;
        let number = next(&self.incident.board.tasks, "tasks", |task| task.ended.is_some())?;
        self.put(Put::TaskGiven { number, person: person.clone(), what, limit })?;
        self.tell(&person, News::Task);
        Ok(Reason::Recorded)
    }

    /// Whether who acts gives out work: the Commander with the current term, or the Deputy.
    fn leads(&self, term: u32) -> Result<(), Refusal> {
        let person = self.person()?;
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
        if self.incident.offices.holder(Office::Deputy) == Some(&*person) && command.term == term {
            return Ok(());
        }
        self.commands(term)
    }

    /// Somebody is changing something now. Whoever it is: that it is said is worth more than who may.
    fn acts(&mut self, what: &str, place: &str, undo: &str) -> Result<Reason, Refusal> {
        let person = self.doer()?;
        let what = words(what, "what is changed")?;
        let (place, undo) = (words_or_none(place, "the place")?, words_or_none(undo, "how to undo it")?);
        let board = &self.incident.board;
        if let Some(stop) = &board.stop {
            return Err(Refusal::Stopped { by: stop.by.clone(), why: stop.text.clone() });
        }
        let in_flight: Vec<String> = board
            .in_flight()
            .map(|one| format!("{} since {:.0} ({}, change {})", one.person, one.at, one.what, one.number))
            .collect();
        if in_flight.len() >= board.changes_max() {
            let commander =
                self.incident.commander().map(|command| command.person.as_str()).unwrap_or("nobody yet");
            let most = board.changes_max();
            let at_once = if most == 1 {
                "one change at a time".to_owned()
            } else {
                format!("{most} changes at a time")
            };
            return Err(Refusal::Busy(format!(
                "{at_once}: {}; wait until that has ended (whoever knows how can say so), or ask who commands ({commander}) to allow more",
                in_flight.join("; ")
            )));
        }
        if in_flight.len() >= LIST_MAX {
            return Err(full("changes"));
        }
        let number = next_number(&board.actions);
        let assigned = self.has_work(&person);
        let is_program = matches!(self.by.actor, Actor::Automation(_));
        self.put(Put::ActionBegan { number, person, what, place, undo, assigned })?;
        if !assigned && !is_program {
            self.tell_commander(News::Freelance);
        }
        Ok(Reason::Acting)
    }

    /// Whether somebody has anything to do on this incident: command, an office or a task.
    fn has_work(&self, person: &str) -> bool {
        self.incident.commander().is_some_and(|command| command.person == person)
            || self.incident.offices.of(person).is_some()
            || self.incident.board.has_task(person)
    }

    fn stops(&mut self, why: &str) -> Result<Reason, Refusal> {
        self.is_safety("stops changes")?;
        let why = words(why, "the reason")?;
        if let Some(stop) = &self.incident.board.stop {
            return Err(Refusal::Stopped { by: stop.by.clone(), why: stop.text.clone() });
        }
        self.put(Put::Stopped { why })?;
        self.tell_all(News::Stopped);
        Ok(Reason::Stopped)
    }

    fn lifts(&mut self, why: &str) -> Result<Reason, Refusal> {
        self.is_safety("lifts a stop")?;
        let why = words(why, "the reason")?;
        if self.incident.board.stop.is_none() {
            return Err(Refusal::WrongState("nothing was stopped"));
        }
        self.put(Put::StopLifted { why })?;
        self.tell_all(News::StopLifted);
        Ok(Reason::StopLifted)
    }

    /// Whether who acts is the Safety Officer, or the Commander.
    fn is_safety(&self, what: &str) -> Result<(), Refusal> {
        let person = self.person()?;
        let commander = self.incident.commander().map(|command| command.person.clone());
        let safety = self.incident.offices.holder(Office::Safety);
        if safety == Some(&*person) || commander.as_deref() == Some(&*person) {
            return Ok(());
        }
        let whom = match (safety, commander) {
            (Some(safety), _) => format!("that is {safety}"),
            (None, Some(commander)) => format!("nobody is, so that is the Commander, {commander}"),
            (None, None) => "nobody is, and nobody has command".to_owned(),
        };
        Err(Refusal::NotAllowed(format!("the Safety Officer {what}; {whom}")))
    }

    /// Somebody is asked for, and paged.
    fn requests(&mut self, wanted: Wanted, why: &str) -> Result<Reason, Refusal> {
        let by = self.person()?;
        if self.incident.commander().is_none() {
            return Err(Refusal::NobodyCommands);
        }
        if !self.has_work(&by) && !self.incident.is_on_scene(&by) {
            return Err(Refusal::NotAllowed(
                "only who is on this incident asks for others; check in first".to_owned(),
            ));
        }
        let why = words_or_none(why, "the reason")?;
        let targets = match &wanted {
            Wanted::Person(name) => {
                self.may_act(name)?;
                vec![Target::Person(name.clone())]
            }
            Wanted::Rotation(name) if self.rules.rotations.contains_key(name) => {
                vec![Target::Rotation(name.clone())]
            }
            Wanted::Rotation(name) => return Err(Refusal::NotThere(format!("there is no rotation {name}"))),
            Wanted::Capability(name) => {
                let people = self.rules.people.iter();
                let able = people.filter(|(_, person)| person.capabilities.iter().any(|own| own == name));
                able.map(|(name, _)| Target::Person(name.clone())).collect()
            }
        };
        if let (Wanted::Capability(name), true) = (&wanted, targets.is_empty()) {
            return Err(Refusal::NotThere(format!(
                "nobody of the house has the capability {name}; there are {}",
                self.capabilities()
            )));
        }
        let there = Staff::present(self.staff, &targets, self.now);
        let mut people =
            if there.is_empty() { Staff::regardless(self.staff, &targets, self.now) } else { there };
        people.retain(|person| !self.incident.is_on_scene(person));
        let number = next(&self.incident.board.requests, "requests", |request| request.state.is_over())?;
        self.put(Put::Requested { number, wanted, why, people: people.clone() })?;
        if people.is_empty() {
            self.dispatch(Fact::Board(Put::RequestMoved { number, to: RequestState::Unfilled }))?;
            return Ok(Reason::NobodyToCall);
        }
        people.into_iter().try_for_each(|person| self.page(person, Why::Requested))?;
        Ok(Reason::Requested)
    }

    fn capabilities(&self) -> String {
        let all =
            self.rules.people.values().flat_map(|person| person.capabilities.iter().map(String::as_str));
        let all: std::collections::BTreeSet<&str> = all.collect();
        if all.is_empty() { "none".to_owned() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
    }

    /// Tells everybody who is on it, but who acts.
    pub(super) fn tell_all(&mut self, news: News) {
        let on_it = self.incident.responders.iter().filter(|known| known.status.has_answered());
        let on_it: Vec<String> = on_it.map(|known| known.person.clone()).collect();
        on_it.iter().for_each(|person| self.tell(person, news));
    }

    /// The PIO who writes has said yes to being it.
    pub(super) fn pio_writes(&mut self, person: &str) -> Result<(), Refusal> {
        let office = Office::Pio;
        if self.incident.offices.asked(office) == Some(person) {
            self.add(Fact::Command(Turn::Accepted { office, person: person.to_owned() }))?;
        }
        Ok(())
    }
}

fn nothing(what: &str, number: u32) -> Refusal {
    Refusal::NotThere(format!("there is no {what} {number}"))
}

fn full(what: &str) -> Refusal {
    Refusal::Busy(format!("there are {LIST_MAX} {what} on this incident, which is as many as there can be"))
}

/// The next number of its sort, where one of them can go for it or there is room.
fn next<T: Numbered>(all: &[T], what: &str, is_over: impl Fn(&T) -> bool) -> Result<u32, Refusal> {
    if all.len() >= LIST_MAX && !all.iter().any(is_over) {
        return Err(full(what));
    }
    Ok(next_number(all))
}
