//! Answers to pages by other ways than their links: text messages, keys pressed during a call, buttons in chats.
//!
//! The edge has proven that the carrier said so (`http/answers`); here, in the transaction, is looked up which page it is
//! about, and whether it went to where the answer comes from: a page is one person's. Then it is an ordinary act of that
//! person, as by the link.

use jiff::SignedDuration;

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::decide::{Act, By, Reason};
use crate::core::incident::ResponderStatus;
use crate::core::mail::Letter;
use crate::core::timeline::{Actor, Route};
use crate::store::{StoreError, letters, unreadable};

/// Beside the ids of deliveries stands which answers were taken, under the name of a source that none can have.
const ANSWERED: &str = "onscene:answer";
/// An answer that names no page is not about one that is older, and not about one before so many others.
const PAGES_LAST: SignedDuration = SignedDuration::from_hours(7 * 24);
const PAGES_MAX: u32 = 100;

/// An answer to a page.
#[derive(Debug)]
pub struct Answering {
    /// To which.
    pub page: PageOf,
    /// From which address. It has to be the one that the page went to.
    pub from: String,
    /// What is answered: [`Act::Answer`] or [`Act::Decline`].
    pub act: Act,
    /// By which way.
    pub route: Route,
    /// The word of its sender for this answer, which every copy of it has; none when there is no such word.
    pub once: Option<String>,
}

/// Which page is answered.
#[derive(Debug)]
pub enum PageOf {
    /// The letter with this id.
    Letter(String),
    /// The newest that went to the address: of this incident, or of the only one that waits for an answer.
    Newest(Option<i64>),
}

impl Work<'_, '_> {
    pub(super) fn take_answer(
        &mut self,
        answering: &Answering,
    ) -> Result<Result<Reply, DoorError>, StoreError> {
        let letter = match self.page_of(answering)? {
            Ok(letter) => letter,
            Err(why) => return Ok(Err(why)),
        };
        let commands = letter.commands || answering.act == Act::Decline;
        if !commands {
            return Ok(Err(DoorError::OtherPage));
        }
        let home = self.home_of(letter.incident)?;
        let Some(saved) = self.memory.incident(self.tx, home)? else { return Ok(Err(DoorError::NoPage)) };
        // Only what names a page is remembered, under a word that its sender has signed.
        if let Some(once) = &answering.once
            && unreadable::is_known(self.tx, ANSWERED, once)?
        {
            let reason = match (&answering.act, saved.incident.commander()) {
                (Act::Answer { .. }, Some(command)) if command.person == letter.person => {
                    Reason::AlreadyCommands
                }
                (Act::Answer { .. }, Some(_)) => Reason::CommandIsTaken,
                (Act::Decline, _) => Reason::Declined,
                _ => Reason::Recorded,
            };
            return Ok(Ok(Reply::Decided(Box::new(saved.incident), reason)));
        }
        let by = By { actor: Actor::Person(letter.person), route: answering.route, occurred_at: None };
        let done = self.act(home, answering.act.clone(), &by)?;
        // What was refused may be said again.
        if let (Some(once), Ok(_)) = (&answering.once, &done) {
            unreadable::first_time(self.tx, ANSWERED, once)?;
        }
        Ok(done)
    }

    /// The page that is answered, if it went to the address that the answer comes from.
    fn page_of(&mut self, answering: &Answering) -> Result<Result<Letter, DoorError>, StoreError> {
        let from = answering.from.as_str();
        let id = match &answering.page {
            _ if from.is_empty() => return Ok(Err(DoorError::NotYours)),
            PageOf::Letter(id) => id,
            PageOf::Newest(incident) => return self.newest_page(answering, *incident),
        };
        let Some(letter) = letters::by_id(self.tx, id)? else { return Ok(Err(DoorError::NoPage)) };
        let is_theirs =
            !letter.person.is_empty() && letters::address_of(self.tx, id)?.as_deref() == Some(from);
        Ok(if is_theirs { Ok(letter) } else { Err(DoorError::NotYours) })
    }

    /// The newest page to an address whose incident is open and has no answer of this person, or else has one. Where several
    /// incidents wait for one it has to be said which. An address at which several people are paged answers for none.
    fn newest_page(
        &mut self,
        answering: &Answering,
        incident: Option<i64>,
    ) -> Result<Result<Letter, DoorError>, StoreError> {
        let since = self.tx.now.saturating_sub(PAGES_LAST).unwrap_or(self.tx.now);
        let wanted = incident.map_or(Ok(None), |id| self.home_of(id).map(Some))?;
        let mut person: Option<String> = None;
        // Of each incident the newest page, by whether it is answered.
        let mut found: [Vec<(i64, Letter)>; 2] = Default::default();
        for id in letters::waking_at(self.tx, &answering.from, since, PAGES_MAX)? {
            let Some(letter) = letters::by_id(self.tx, &id)? else { continue };
            let home = self.home_of(letter.incident)?;
            let Some(saved) = self.memory.incident(self.tx, home)?.filter(|saved| saved.incident.is_open())
            else {
                continue;
            };
            if person.get_or_insert_with(|| letter.person.clone()) != &letter.person {
                return Ok(Err(DoorError::NotYours));
            }
            let fits = wanted.is_none_or(|wanted| wanted == home)
                && (letter.commands || answering.act == Act::Decline);
            let is_answered =
                saved.incident.responder(&letter.person).is_some_and(|known| has_spoken(known.status));
            let of_these = &mut found[usize::from(is_answered)];
            // The newest stands first; of another incident is only looked whom it was for.
            if fits && !of_these.iter().any(|(known, _)| *known == home) {
                of_these.push((home, letter));
            }
        }
        let Some(mut open) = found.into_iter().find(|pages| !pages.is_empty()) else {
            return Ok(Err(DoorError::NoPage));
        };
        if open.len() > 1 {
            let mut ids: Vec<i64> = open.iter().map(|(home, _)| *home).collect();
            ids.sort_unstable();
            return Ok(Err(DoorError::Which(ids)));
        }
        Ok(open.pop().map(|(_, letter)| letter).ok_or(DoorError::NoPage))
    }
}

fn has_spoken(status: ResponderStatus) -> bool {
    matches!(status, ResponderStatus::Acknowledged | ResponderStatus::OnScene | ResponderStatus::Declined)
}
