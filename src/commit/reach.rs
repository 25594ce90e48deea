//! Whether pages reach people: tests of their addresses, what became of each, and links that were followed.
//!
//! A test is a page of no incident: it goes by every way at once, whatever the hour, through the same outbox and the same
//! hands as any other, and each of its letters has a link of its own, so that whoever presses says which way it came.

use jiff::{SignedDuration, Timestamp};

use super::acts::Work;
use super::outbox::{To, no_randomness};
use super::{DoorError, Reply};
use crate::core::decide::{Act, By, Refusal};
use crate::core::mail::Letter;
use crate::core::reach::{MAIL, all_ways};
use crate::core::rules::Person;
use crate::crypto;
use crate::store::letters::Kind;
use crate::store::tokens::{self, Link, Purpose};
use crate::store::{StoreError, drills, reach};

/// Most tests of one person in an hour: somebody's telephone rings.
const TESTS_MAX: i64 = 10;
const TESTS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What is asked about ways to people.
#[derive(Debug)]
pub enum Asked {
    /// Somebody gets a test page by every way.
    Test {
        /// Who.
        person: String,
        /// Who asked for it.
        asked_by: String,
    },
    /// The person of a test says that it has arrived: the hash of the link whose button was pressed.
    Confirmed([u8; 32]),
    /// The link of a page was followed: its hash.
    Opened([u8; 32]),
}

impl Work<'_, '_> {
    pub(super) fn reach(&mut self, asked: &Asked) -> Result<Result<Reply, DoorError>, StoreError> {
        match asked {
            Asked::Test { person, asked_by } => return self.test(person, asked_by),
            Asked::Confirmed(link) => self.confirm(link)?,
            Asked::Opened(link) => self.opened(link)?,
        }
        Ok(Ok(Reply::Done))
    }

    /// Sends a test page to somebody by every way at once. Answers its number.
    fn test(&mut self, name: &str, asked_by: &str) -> Result<Result<Reply, DoorError>, StoreError> {
        let house = self.house;
        let Some(person) = house.rules.people.get(name) else {
            return Ok(Err(DoorError::Refused(Refusal::UnknownPerson(name.to_owned()))));
        };
        let since = self.tx.now.saturating_sub(TESTS_WITHIN).unwrap_or(Timestamp::MIN);
        if reach::tests_since(self.tx, name, since)? >= TESTS_MAX {
            let why =
                format!("{name} was tested {TESTS_MAX} times within an hour; leave them alone for a while");
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        }
        let Some(page) = self.try_ways(name, person, asked_by, None)? else {
            let why = format!("{name} has neither an `email` nor any of `ways`");
            return Ok(Err(DoorError::Refused(Refusal::NotThere(why))));
        };
        tracing::info!(page, by = asked_by, "a test page goes out");
        Ok(Ok(Reply::Tested(page)))
    }

    /// Writes a test page by every way of somebody, each with a link of its own; `until`: when its answer is awaited, in a
    /// drill. Answers its number; `None` when there is no way.
    pub(super) fn try_ways(
        &mut self,
        name: &str,
        person: &Person,
        asked_by: &str,
        until: Option<Timestamp>,
    ) -> Result<Option<i64>, StoreError> {
        let house = self.house;
        let mut page = None;
        for leg in all_ways(person).into_iter().filter(|leg| !leg.to.is_empty()) {
            let way = if leg.way.is_empty() { MAIL } else { &leg.way };
            let token = crypto::random_token().map_err(no_randomness)?;
            let words = match until {
                None => house.renderer.test_words(name, &house.rules, way, &token),
                Some(until) => house.renderer.drill_words(name, &house.rules, way, &token, until),
            };
            let to = To { person: name, channel: &leg.way, address: &leg.to };
            let letter = self.write(0, Kind::Page, &to, &words, (page, SignedDuration::ZERO))?;
            let page = *page.get_or_insert(letter);
            let link = Link { incident: 0, person: name.to_owned(), purpose: Purpose::Test };
            tokens::put_link_of(self.tx, &token, &link, Some(page), Some(letter))?;
            reach::begins(self.tx, name, way, &leg.to)?;
        }
        if let Some(page) = page {
            reach::put_test(self.tx, page, name, asked_by)?;
        }
        Ok(page)
    }

    /// A letter of a test has its outcome.
    pub(super) fn tested(
        &mut self,
        person: &str,
        channel: &str,
        address: &str,
        became: (&str, &str),
    ) -> Result<(), StoreError> {
        let way = if channel.is_empty() { MAIL } else { channel };
        reach::ends(self.tx, person, way, address, became)
    }

    /// A letter of a test came back, which only mail does. It was for the address that the letter has.
    pub(super) fn test_came_back(&mut self, letter: &Letter, why: &str) -> Result<(), StoreError> {
        for leg in crate::store::letters::legs(self.tx, letter.page)? {
            if leg.way.is_empty() {
                reach::ends(self.tx, &letter.person, MAIL, &leg.address, ("bounced", why))?;
            }
        }
        Ok(())
    }

    /// The link of a page was followed. That is a hint, for programs follow links too: it is written down once a page, and
    /// decides nothing.
    fn opened(&mut self, link: &[u8; 32]) -> Result<(), StoreError> {
        let Some(found) = reach::followed(self.tx, link)?.filter(|found| found.opened_at.is_none()) else {
            return Ok(());
        };
        reach::opens(self.tx, link)?;
        if found.incident == 0 {
            return Ok(());
        }
        let home = self.home_of(found.incident)?;
        let Some(saved) = self.memory.incident(self.tx, home)?.filter(|saved| saved.incident.is_open())
        else {
            return Ok(());
        };
        let act = Act::Deliver {
            what: "page".to_owned(),
            to: found.person,
            outcome: "opened".to_owned(),
            why: "its link was followed, perhaps by a program".to_owned(),
            statement: None,
        };
        self.must(&saved, act, &By::dispatch()).map(drop)
    }

    /// Somebody says that a test has reached them, by the way whose link they followed.
    fn confirm(&mut self, link: &[u8; 32]) -> Result<(), StoreError> {
        match reach::followed(self.tx, link)? {
            Some(reach::Followed { incident: 0, page: Some(page), letter: Some(letter), .. }) => {
                self.confirmed(page, letter)
            }
            _ => Ok(()),
        }
    }

    /// A letter of a test has reached its person, who says so by its link or as its way is answered. If it was the test of a
    /// drill, they have answered that too. By other ways it need not sound any more.
    pub(super) fn confirmed(&mut self, page: i64, letter: i64) -> Result<(), StoreError> {
        reach::confirms(self.tx, page, letter)?;
        self.hush_test(page)?;
        drills::answered(self.tx, page, letter)
    }
}
