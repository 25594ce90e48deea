//! Answers to pages by other ways than their links: text messages, keys pressed during a call, buttons in chats.
//!
//! The edge has proven that the carrier said so (`http/answers`); here, in the transaction, is looked up which page it is
//! about, and whether it went to where the answer comes from: a page is one person's. Then it is an ordinary act of that
//! person, as by the link. An answer to a test confirms the way that it came by; one by text message
//! has no code, confirms nothing, and is told of the link.

use jiff::SignedDuration;

use super::acts::Work;
use super::{DoorError, Reply};
use crate::core::decide::{Act, By, Reason};
use crate::core::incident::ResponderStatus;
use crate::core::mail::Letter;
use crate::core::timeline::{Actor, Route};
use crate::store::{StoreError, carried, letters, unreadable};

/// Beside the ids of deliveries stands which answers were taken, under the name of a source that none can have.
const ANSWERED: &str = "onscene:answer";
/// A code is not that of a page that is older, and not that of one before so many others.
const PAGES_LAST: SignedDuration = SignedDuration::from_hours(7 * 24);
const PAGES_MAX: u32 = 100;
/// For so long a message without a page may be meant for a test.
const TESTS_LAST: SignedDuration = SignedDuration::from_hours(24);
/// After so many wrong codes a page takes no more answers by text message.
const WRONG_CODES_MAX: i64 = 5;

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
    /// The one that went to the address and has this code. Without one it is only said which there are.
    Coded(Option<String>),
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
        if letter.incident == 0 {
            return self.tested_by(&letter, &answering.act);
        }
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
            PageOf::Coded(code) => return self.coded(answering, code.as_deref()),
        };
        let Some(letter) = letters::by_id(self.tx, id)? else { return Ok(Err(DoorError::NoPage)) };
        let is_theirs =
            !letter.person.is_empty() && letters::address_of(self.tx, id)?.as_deref() == Some(from);
        Ok(if is_theirs { Ok(letter) } else { Err(DoorError::NotYours) })
    }

    /// The page at an address whose code was said. Without it, or with a wrong one, nothing is decided, and the error says which
    /// pages wait: the number that an answer comes from can be forged, and what is answered to it goes to its owner.
    fn coded(
        &mut self,
        answering: &Answering,
        said: Option<&str>,
    ) -> Result<Result<Letter, DoorError>, StoreError> {
        let since = self.tx.now.saturating_sub(PAGES_LAST).unwrap_or(self.tx.now);
        let mut pages = Vec::new();
        for id in letters::waking_at(self.tx, &answering.from, since, PAGES_MAX)? {
            // The telephone was called as well, perhaps: nobody has read a code there.
            let letter = letters::by_id(self.tx, &id)?;
            let Some(letter) =
                letter.filter(|letter| letter.commands && self.house.shows_code(&letter.channel))
            else {
                continue;
            };
            let home = self.home_of(letter.incident)?;
            let Some(saved) = self.memory.incident(self.tx, home)? else { continue };
            let is_answered =
                || saved.incident.responder(&letter.person).is_some_and(|known| has_spoken(known.status));
            let standing =
                if saved.incident.is_open() { Standing::of(is_answered()) } else { Standing::Over };
            let wrong = carried::wrong_codes(self.tx, &id)?;
            pages.push(Coded { home, letter, standing, wrong });
        }
        if !pages.iter().any(|page| page.standing != Standing::Over) {
            let since = self.tx.now.saturating_sub(TESTS_LAST).unwrap_or(self.tx.now);
            let tests = carried::tests_at(self.tx, &answering.from, since)?;
            let is_test = tests.iter().any(|way| self.house.shows_code(way));
            return Ok(Err(if is_test { DoorError::OnlyTest } else { DoorError::NoPage }));
        }
        if let Some(said) = said {
            let keys = &self.house.answers;
            // Every page is looked at, so that the time tells nothing.
            let mut meant: Vec<&Coded> =
                pages.iter().filter(|page| keys.is_code(&page.letter.id, said)).collect();
            // One that is over may have had the same code by chance.
            if meant.iter().any(|page| page.standing != Standing::Over) {
                meant.retain(|page| page.standing != Standing::Over);
            }
            if meant.first().is_some_and(|page| page.standing == Standing::Over) {
                return Ok(Err(DoorError::NoPage));
            }
            let is_right = !meant.is_empty();
            meant.retain(|page| page.wrong < WRONG_CODES_MAX);
            let mut homes: Vec<i64> = meant.iter().map(|page| page.home).collect();
            homes.sort_unstable();
            homes.dedup();
            match (meant.first(), homes.len()) {
                (Some(page), 1) => return Ok(Ok(page.letter.clone())),
                (Some(_), _) => return Ok(Err(DoorError::Which(homes))),
                // It was meant for no other page than this one, which takes none any more.
                (None, _) if is_right => return Ok(Err(DoorError::Code { wrong: true, pages: Vec::new() })),
                (None, _) => self.counts_wrong(answering, &mut pages)?,
            }
        }
        let takes = |page: &&Coded| page.wrong < WRONG_CODES_MAX;
        let of = |standing| pages.iter().filter(takes).filter(move |page| page.standing == standing);
        let waiting: Vec<&Coded> = match of(Standing::Waits).next() {
            Some(_) => of(Standing::Waits).collect(),
            None => of(Standing::Answered).collect(),
        };
        // The newest stands first.
        let mut shown: Vec<(i64, String)> = Vec::new();
        for page in waiting {
            if !shown.iter().any(|(home, _)| *home == page.home) {
                shown.push((page.home, page.letter.id.clone()));
            }
        }
        Ok(Err(DoorError::Code { wrong: said.is_some(), pages: shown }))
    }

    /// A wrong code counts for every page that it may have been meant for, each message once. One that had too many takes no
    /// more answers by text message, which its incident is told.
    fn counts_wrong(&mut self, answering: &Answering, pages: &mut [Coded]) -> Result<(), StoreError> {
        if let Some(once) = &answering.once
            && !unreadable::first_time(self.tx, ANSWERED, &format!("{once} wrong"))?
        {
            return Ok(());
        }
        for page in pages.iter_mut().filter(|page| page.standing != Standing::Over) {
            if page.wrong >= WRONG_CODES_MAX {
                continue;
            }
            page.wrong += 1;
            carried::counts_wrong_code(self.tx, &page.letter.id)?;
            if page.wrong == WRONG_CODES_MAX {
                let person = &page.letter.person;
                let text = format!(
                    "{WRONG_CODES_MAX} text messages that say to come from {person} had a wrong code: somebody else may have \
                     sent them. This page for {person} takes no more answers by text message; its link remains"
                );
                let _refused = self.act(page.home, Act::Note { text }, &By::dispatch())?;
            }
        }
        Ok(())
    }

    /// The person of a test says, by the way that it came by, that it has reached them.
    fn tested_by(&mut self, letter: &Letter, act: &Act) -> Result<Result<Reply, DoorError>, StoreError> {
        if !matches!(act, Act::Answer { .. }) {
            return Ok(Err(DoorError::OtherPage));
        }
        if let Some(number) = carried::number_of(self.tx, &letter.id)? {
            self.confirmed(letter.page, number)?;
        }
        Ok(Ok(Reply::Done))
    }
}

/// A page that a code may be of.
struct Coded {
    /// The incident that it is about now.
    home: i64,
    letter: Letter,
    standing: Standing,
    /// How many wrong codes came.
    wrong: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its person has not answered.
    Waits,
    Answered,
    /// Its incident is over.
    Over,
}

impl Standing {
    fn of(is_answered: bool) -> Self {
        if is_answered { Self::Answered } else { Self::Waits }
    }
}

fn has_spoken(status: ResponderStatus) -> bool {
    status.has_answered() || status == ResponderStatus::Declined
}
