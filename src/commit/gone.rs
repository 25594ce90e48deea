//! What somebody was asked for and is asked no more: an office that was taken back or given to another, and command that is
//! not offered any more. Nobody is woken for it: what waits to ask them does not leave, and what sounds is ended.

use jiff::Timestamp;

use super::acts::Work;
use crate::core::command::{Office, Post};
use crate::core::incident::Incident;
use crate::core::letter::{News, Why};
use crate::render::Words;
use crate::store::carried::Sounding;
use crate::store::letters::{self, Kind};
use crate::store::{StoreError, gone};

/// Pages that nobody needs to answer any more.
#[derive(Default)]
pub(super) struct Gone {
    /// Numbers of pages that asked for an office.
    pages: Vec<i64>,
    /// Who was called as PIO.
    pios: Vec<String>,
}

impl Gone {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.pios.is_empty()
    }

    /// Whether what sounds asks for something that is gone.
    pub(super) fn has(&self, letter: &Sounding) -> bool {
        match letter.kind {
            Kind::Pio => self.pios.contains(&letter.person),
            _ => self.pages.contains(&letter.page),
        }
    }
}

impl Work<'_, '_> {
    /// Ends what waits to ask for what is gone. Of an incident that is over, or part of another, what waits ends with it.
    pub(super) fn end_what_is_gone(
        &mut self,
        before: &Incident,
        after: &Incident,
    ) -> Result<Gone, StoreError> {
        let mut ended = Gone::default();
        if !after.is_open() || before.offices == after.offices {
            return Ok(ended);
        }
        let id = after.id;
        if let Some(offer) = &before.offices.offer
            && after.offices.offer.as_ref().is_none_or(|other| (&other.to, other.at) != (&offer.to, offer.at))
        {
            self.end_notice(id, &offer.to, News::Offered, offer.at)?;
        }
        let is_asked = |post: &Post| {
            let mut posts = after.offices.posts.iter();
            posts.any(|other| other.office == post.office && other.person == post.person)
        };
        let asked = before.offices.posts.iter().filter(|post| !post.accepted && !is_asked(post));
        for post in asked {
            if post.office == Office::Pio {
                letters::answered(self.tx, id, &post.person, true)?;
                ended.pios.push(post.person.clone());
            } else {
                self.end_notice(id, &post.person, News::OfficeOffered, post.since)?;
                ended.pages.extend(self.end_pages(after, &post.person)?);
            }
        }
        Ok(ended)
    }

    /// Ends the pages that asked somebody to take an office, but those of an office that they are still asked to take. What was
    /// written at the same hour for another reason cannot be told from them, and leaves: when in doubt, somebody is woken.
    fn end_pages(&mut self, incident: &Incident, person: &str) -> Result<Vec<i64>, StoreError> {
        let paged = gone::paged(self.tx, incident.id, person)?;
        let is_for_an_office = |why: &str| why == Why::Office.as_str();
        let else_at = |at: Timestamp| paged.iter().any(|(other, why)| *other == at && !is_for_an_office(why));
        let still_at = |at: Timestamp| {
            let mut posts = incident.offices.posts.iter();
            posts.any(|post| post.person == person && post.since == at)
        };
        let mut ended = Vec::new();
        for (at, why) in &paged {
            if is_for_an_office(why) && !else_at(*at) && !still_at(*at) {
                ended.extend(gone::pages_at(self.tx, incident.id, person, *at)?);
            }
        }
        for page in &ended {
            gone::end_page(self.tx, *page)?;
        }
        Ok(ended)
    }

    /// Ends what waits to tell somebody a piece of news of an hour.
    fn end_notice(
        &mut self,
        incident: i64,
        person: &str,
        news: News,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let event_type = format!("notice.{}", news.as_str());
        for (letter, payload) in gone::notices_at(self.tx, incident, person, at)? {
            let words = serde_json::from_str::<Words>(&payload);
            if words.is_ok_and(|words| words.event_type == event_type) {
                gone::end_letter(self.tx, letter)?;
            }
        }
        Ok(())
    }
}
