//! How command passes from one person to another, and who holds the other offices.
//!
//! Command is never empty and never with two: every change of it is one entry that names both. It moves by five ways and
//! no other: the first human answer (in `answer`), somebody on scene while the Commander is not, an offer that is accepted,
//! silence past the lease, and an order of an administrator that is accepted.

use jiff::{SignedDuration, Timestamp};

use super::super::command::{OFFER_WAIT, Offer, OfferEnd, Office, TWICE_WITHIN, Talked, Turn};
use super::super::incident::{CommandReason, Incident, Phase};
use super::super::letter::{Letter, News};
use super::super::rules::Rules;
use super::super::timeline::Fact;
use super::{Reason, Refusal, Work, words_or_none};

/// So long nothing is heard of a Commander whom nobody looks for before somebody on scene may take over.
const UNASKED_LEASE: SignedDuration = SignedDuration::from_mins(60);
const NOT_OFFERED: &str = "nothing that you were offered is open; it may have expired or been withdrawn";

impl Work<'_> {
    /// The Commander offers command to somebody who is on scene.
    pub(super) fn offer(&mut self, to: &str, term: u32, reason: &str) -> Result<Reason, Refusal> {
        self.commands(term)?;
        let by = self.person()?;
        let open = self.incident.offices.offer.clone();
        if !open.as_ref().is_some_and(|open| open.ordered) {
            self.may_take_it(to, &by)?;
        }
        if let Some(open) = open {
            if open.ordered {
                return Err(Refusal::NotThere(format!(
                    "{} ordered that {} takes command, and is waited for; nobody else can be asked meanwhile",
                    open.by, open.to
                )));
            }
            if open.to == to {
                return Err(Refusal::NotThere(format!("{to} has been asked, and has not answered yet")));
            }
            self.end_offer(OfferEnd::Replaced, String::new())?;
            self.tell(&open.to, News::OfferWithdrawn);
        }
        self.offers(to, false, words_or_none(reason, "the reason")?)
    }

    /// An administrator orders that somebody else takes command. It passes when they accept.
    pub(super) fn relieve(&mut self, to: &str, reason: &str) -> Result<Reason, Refusal> {
        let by = self.person()?;
        self.open_only()?;
        if !self.rules.people.get(&by).is_some_and(|person| person.administrator) {
            return Err(Refusal::NotAllowed(
                "only an administrator orders that command passes; offer it, or ask for it".to_owned(),
            ));
        }
        let commander = self.incident.commander().ok_or(Refusal::NobodyCommands)?.person.clone();
        let reason = super::words(reason, "the reason of an order")?;
        self.may_take_it(to, &commander)?;
        if let Some(open) = self.incident.offices.offer.clone() {
            self.end_offer(OfferEnd::Replaced, String::new())?;
            if open.to != to {
                self.tell(&open.to, News::OfferWithdrawn);
            }
        }
        self.offers(to, true, reason)
    }

    fn offers(&mut self, to: &str, ordered: bool, reason: String) -> Result<Reason, Refusal> {
        let expires = self.later(OFFER_WAIT);
        self.add(Fact::Command(Turn::Offered { to: to.to_owned(), ordered, reason, expires }))?;
        self.tell(to, News::Offered);
        if ordered {
            self.tell_commander(News::ReliefOrdered);
        }
        Ok(Reason::Offered)
    }

    /// Whether somebody can be given command: a person of the house, on scene, and another than who has it.
    /// Somebody of the house who is no viewer: a viewer could not say yes.
    pub(super) fn may_act(&self, person: &str) -> Result<(), Refusal> {
        match self.rules.people.get(person) {
            None => Err(Refusal::UnknownPerson(person.to_owned())),
            Some(known) if known.viewer => {
                Err(Refusal::NotAllowed(format!("{person} is a viewer, who looks and does nothing")))
            }
            Some(_) => Ok(()),
        }
    }

    fn may_take_it(&self, to: &str, commander: &str) -> Result<(), Refusal> {
        self.may_act(to)?;
        if to == commander {
            return Err(Refusal::NotThere(format!("{to} has command already")));
        }
        if self.incident.is_on_scene(to) {
            return Ok(());
        }
        Err(Refusal::NotThere(format!(
            "{to} is not on scene; command is given only to somebody who has checked in"
        )))
    }

    /// Somebody who is on scene is ready to take command, and asks for it.
    pub(super) fn wish(&mut self) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let commander = self.incident.commander().ok_or(Refusal::NobodyCommands)?.person.clone();
        self.may_take_it(&person, &commander)?;
        if self.incident.offices.wishes.contains(&person) {
            return Ok(Reason::Recorded);
        }
        self.add(Fact::Command(Turn::Wished { person }))?;
        self.tell_commander(News::Wished);
        Ok(Reason::Wished)
    }

    /// The Commander, or who ordered it, takes an offer back.
    pub(super) fn withdraw(&mut self) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let Some(offer) = self.incident.offices.offer.clone() else {
            return Err(Refusal::WrongState("no offer of command is open"));
        };
        let commander = self.incident.commander().map(|command| command.person.clone());
        let is_his = !offer.ordered && commander.as_ref() == Some(&person);
        let is_administrator = self.rules.people.get(&person).is_some_and(|known| known.administrator);
        let may = is_his || offer.ordered && is_administrator;
        if !may {
            return Err(Refusal::NotAllowed(match offer.ordered {
                true => format!("{} ordered it; only an administrator takes an order back", offer.by),
                false => "only the Commander takes an offer of command back".to_owned(),
            }));
        }
        self.end_offer(OfferEnd::Withdrawn, String::new())?;
        self.tell(&offer.to, News::OfferWithdrawn);
        if offer.ordered {
            self.tell_commander(News::OfferWithdrawn);
        }
        Ok(Reason::OfferEnded)
    }

    /// Nobody answered an offer in time.
    pub(super) fn offer_expires(&mut self) -> Result<Reason, Refusal> {
        let Some(offer) = self.incident.offices.offer.clone() else { return Ok(Reason::NotDue) };
        let ended = Turn::OfferEnded { to: offer.to.clone(), how: OfferEnd::Expired, why: String::new() };
        self.dispatch(Fact::Command(ended))?;
        self.tell_commander(News::OfferExpired);
        self.tell(&offer.to, News::OfferExpired);
        if offer.ordered {
            self.tell(&offer.by, News::OfferExpired);
        }
        Ok(Reason::OfferEnded)
    }

    fn end_offer(&mut self, how: OfferEnd, why: String) -> Result<(), Refusal> {
        let Some(offer) = &self.incident.offices.offer else { return Ok(()) };
        let to = offer.to.clone();
        self.add(Fact::Command(Turn::OfferEnded { to, how, why }))
    }

    /// Somebody says yes: to an offer of command, or to an office they were asked to take.
    pub(super) fn accept(
        &mut self,
        office: Option<Office>,
        term: Option<u32>,
        brief: Option<u32>,
        talked: Talked,
    ) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let offer = self.incident.offices.offer.clone().filter(|offer| offer.to == person);
        match (office, offer) {
            (None, Some(offer)) => self.accept_command(&person, &offer, (term, brief), talked),
            // Whoever names a term means command.
            (office, _) if office.is_some() || term.is_none() => {
                let asked = office.or_else(|| self.incident.offices.asked_of(&person));
                let Some(office) =
                    asked.filter(|office| self.incident.offices.asked(*office) == Some(&*person))
                else {
                    return Err(Refusal::NotThere(NOT_OFFERED.to_owned()));
                };
                self.add(Fact::Command(Turn::Accepted { office, person: person.clone() }))?;
                self.tell_commander(News::OfficeTaken);
                Ok(Reason::OfficeTaken)
            }
            _ => Err(Refusal::NotThere(match self.incident.commander() {
                Some(command) if command.person == person => "you have command already".to_owned(),
                _ => NOT_OFFERED.to_owned(),
            })),
        }
    }

    fn accept_command(
        &mut self,
        person: &str,
        offer: &Offer,
        (term, brief): (Option<u32>, Option<u32>),
        talked: Talked,
    ) -> Result<Reason, Refusal> {
        let read_back = words_or_none(&talked.read_back, "what is read back")?;
        if offer.expires <= self.now {
            return Err(Refusal::WrongState(
                "the offer has expired; who had command has it still, and can offer it again",
            ));
        }
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?.clone();
        if term.is_some_and(|term| term != command.term) {
            return Err(Refusal::Stale { commander: command.person, term: command.term });
        }
        if !self.incident.is_on_scene(person) {
            return Err(Refusal::WrongState("check in first: command is given only to somebody on scene"));
        }
        let brief = brief.unwrap_or(offer.brief);
        if brief != self.incident.moved {
            return Err(Refusal::SituationMoved { read: brief, now: self.incident.moved });
        }
        let reason = if offer.ordered { CommandReason::Relieved } else { CommandReason::Transferred };
        let talked = Talked { read_back, ..talked };
        let twice = self.transfer(person, reason, Some(brief), offer.reason.clone(), talked)?;
        Ok(if twice { Reason::TransferredTwice } else { Reason::Transferred })
    }

    /// Somebody says no: to an offer of command, or to an office. `None`: nothing of that is open.
    pub(super) fn decline_offer(
        &mut self,
        office: Option<Office>,
        why: &str,
    ) -> Result<Option<Reason>, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let is_offered = self.incident.offices.offer.as_ref().is_some_and(|offer| offer.to == person);
        if office.is_none() && is_offered {
            let why = words_or_none(why, "the reason")?;
            let ordered = self.incident.offices.offer.clone().filter(|offer| offer.ordered);
            self.end_offer(OfferEnd::Declined, why)?;
            self.tell_commander(News::OfferDeclined);
            if let Some(order) = ordered {
                self.tell(&order.by, News::OfferDeclined);
            }
            return Ok(Some(Reason::OfferEnded));
        }
        let asked = office.or_else(|| self.incident.offices.asked_of(&person));
        let Some(office) = asked.filter(|office| self.incident.offices.asked(*office) == Some(&*person))
        else {
            return match office {
                Some(office) => {
                    Err(Refusal::NotThere(format!("you were not asked to be {}", office.title())))
                }
                None => Ok(None),
            };
        };
        self.add(Fact::Command(Turn::Declined { office, person }))?;
        self.tell_commander(News::OfficeDeclined);
        Ok(Some(if office == Office::Pio { Reason::PioDeclined } else { Reason::OfficeDeclined }))
    }

    /// Somebody who is on scene takes command from who cannot have it now: who is not on scene, or has given no sign of life
    /// past the lease.
    pub(super) fn assume(&mut self, reason: &str) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?.clone();
        if command.person == person {
            return Err(Refusal::WrongState("you have command already"));
        }
        if !self.incident.is_on_scene(&person) {
            return Err(Refusal::WrongState("check in first: only somebody on scene takes command"));
        }
        let why = words_or_none(reason, "the reason")?;
        let is_deputy = self.incident.offices.holder(Office::Deputy) == Some(&*person);
        let reason = if !self.incident.is_on_scene(&command.person) {
            CommandReason::FirstOnScene
        } else if may_be_assumed(&self.incident, self.rules, is_deputy, self.now) {
            CommandReason::Assumed
        } else {
            return Err(Refusal::HasCommand { commander: command.person, term: command.term });
        };
        let twice = self.transfer(&person, reason, None, why, Talked::default())?;
        Ok(if twice { Reason::AssumedTwice } else { Reason::Assumed })
    }

    /// Whether it was the second change within a short time.
    fn transfer(
        &mut self,
        to: &str,
        reason: CommandReason,
        brief: Option<u32>,
        why: String,
        talked: Talked,
    ) -> Result<bool, Refusal> {
        let before = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
        let twice = before.has_passed() && self.now.duration_since(before.since) <= TWICE_WITHIN;
        let from = before.person.clone();
        let open = self.incident.offices.offer.clone().filter(|offer| offer.to != to);
        let term = self.incident.term + 1;
        let severity = self.incident.severity;
        let (sign_after, pace) = (self.sign_after(severity), self.pace(severity));
        let turn = Turn::Transferred {
            from: from.clone(),
            to: to.to_owned(),
            term,
            reason,
            brief,
            why,
            talked,
            sign_after,
            pace,
        };
        self.add(Fact::Command(turn))?;
        if let Some(offer) = open {
            self.tell(&offer.to, News::OfferWithdrawn);
        }
        self.announce(to);
        self.tell(&from, News::Passed);
        Ok(twice)
    }

    /// Everybody on the incident, the PIO and the channels hear who commands. Each delivery is an entry.
    fn announce(&mut self, commander: &str) {
        let others = self.incident.responders.iter();
        let others = others.filter(|known| known.has_heard() || known.status.has_answered());
        let others: Vec<String> =
            others.map(|known| known.person.clone()).filter(|person| person != commander).collect();
        for person in others {
            self.tell(&person, News::Passed);
        }
        self.tell_pio(News::Passed);
        self.status(News::Passed);
    }

    /// Somebody who heard of a change of command says that they know who commands.
    pub(super) fn heard(&mut self, term: u32) -> Result<Reason, Refusal> {
        let person = self.person()?;
        self.open_only()?;
        let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
        if command.term != term {
            return Err(Refusal::Stale { commander: command.person.clone(), term: command.term });
        }
        if self.incident.offices.unaware.contains(&person) {
            self.add(Fact::Command(Turn::Heard { person, term }))?;
        }
        Ok(Reason::Recorded)
    }

    /// The Commander asks somebody to take an office.
    pub(super) fn assign_office(
        &mut self,
        office: Office,
        person: &str,
        term: u32,
    ) -> Result<Reason, Refusal> {
        self.commands(term)?;
        let commander = self.person()?;
        self.may_act(person)?;
        if self.incident.offices.holder(office) == Some(person) {
            return Err(Refusal::NotThere(format!("{person} is {} already", office.title())));
        }
        if office == Office::Deputy && person == commander {
            return Err(Refusal::WrongState("nobody is their own Deputy"));
        }
        // Whoever was asked before them is asked no more.
        let before = self.incident.offices.asked(office).filter(|asked| *asked != person);
        if let Some(before) = before.map(str::to_owned) {
            self.tell(&before, News::OfficeReleased);
        }
        let name = person.to_owned();
        if person == commander {
            // Who says it of themselves has said yes.
            self.add(Fact::Command(Turn::Assigned { office, person: name.clone() }))?;
            self.add(Fact::Command(Turn::Accepted { office, person: name }))?;
            return Ok(Reason::OfficeTaken);
        }
        if office == Office::Pio {
            // A PIO may sleep, and is woken with the draft.
            // While somebody speaks nobody else is called because another does not come.
            let due = self.pio_answers_by().filter(|_| self.incident.offices.holder(office).is_none());
            self.add(Fact::PioCalled { person: name.clone(), due })?;
            self.letters.push(Letter::PioPage { person: name });
            return Ok(Reason::OfficeAssigned);
        }
        self.add(Fact::Command(Turn::Assigned { office, person: name.clone() }))?;
        if self.incident.responder(person).is_some_and(|known| known.status.has_answered()) {
            self.tell(person, News::OfficeOffered);
        } else {
            self.page(name, super::super::letter::Why::Office)?;
        }
        Ok(Reason::OfficeAssigned)
    }

    /// Somebody has an office no more: the Commander says so, or they do.
    pub(super) fn release_office(&mut self, office: Office, term: Option<u32>) -> Result<Reason, Refusal> {
        let by = self.person()?;
        self.open_only()?;
        let offices = &self.incident.offices;
        let Some(holder) = offices.holder(office).or(offices.asked(office)).map(str::to_owned) else {
            return Err(Refusal::NotThere(format!("nobody is {}", office.title())));
        };
        if holder != by {
            let command = self.incident.commander().ok_or(Refusal::NobodyCommands)?;
            self.commands(term.unwrap_or(command.term))?;
        }
        self.add(Fact::Command(Turn::Released { office, person: holder.clone() }))?;
        if holder == by {
            self.is_followed(office, &holder)?;
            self.tell_commander(News::OfficeReleased);
        } else {
            self.tell(&holder, News::OfficeReleased);
        }
        Ok(Reason::OfficeReleased)
    }

    /// Tells one person, unless it is they who act, or they are told something in this decision already.
    pub(super) fn tell(&mut self, person: &str, news: News) {
        let is_told =
            |letter: &Letter| matches!(letter, Letter::Notice { person: told, .. } if told == person);
        let acts = self.by.actor.person() == Some(person);
        if !acts && self.rules.people.contains_key(person) && !self.letters.iter().any(is_told) {
            self.letters.push(Letter::Notice { person: person.to_owned(), news });
        }
    }

    /// Tells who commands, unless it is they who act.
    pub(super) fn tell_commander(&mut self, news: News) {
        if let Some(person) = self.incident.commander().map(|command| command.person.clone()) {
            self.tell(&person, news);
        }
    }
}

/// Whether the Commander is past the lease: the Deputy may take over when they were asked in vain, anyone a while later. Where
/// nobody is looked for, because it can wait or the harm has stopped, when nothing was heard of them for long.
pub(in crate::core) fn may_be_assumed(
    incident: &Incident,
    rules: &Rules,
    is_deputy: bool,
    now: Timestamp,
) -> bool {
    let command = incident.commander();
    if command.is_some_and(|command| !rules.people.contains_key(&command.person)) {
        return true;
    }
    match &incident.phase {
        Phase::Acknowledged { sign: Some(sign), .. } => sign.asked > u32::from(!is_deputy),
        _ => {
            let last = incident.heard_at.max(command.map(|command| command.since));
            last.and_then(|last| last.checked_add(UNASKED_LEASE).ok()).is_some_and(|ends| ends <= now)
        }
    }
}
