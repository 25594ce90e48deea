//! Words of the outbox as a parcel, as channels take it.

use jiff::Timestamp;

use crate::channels::statement::{Mended, Now};
use crate::channels::{Meet, Parcel, Statement, Thread};
use crate::render::{Said, Words};

/// A parcel with these words, of no delivery yet.
pub fn of(words: Words, created_at: Timestamp) -> Parcel {
    Parcel {
        delivery: String::new(),
        incident: 0,
        incident_state: words.incident_state,
        thread: Thread::Status,
        to: String::new(),
        page_attempt: words.page_attempt,
        subject: words.subject,
        text: words.text,
        html: words.html,
        short: words.short,
        answer: words.answer,
        meet: words.meet.map(|meet| Meet { url: meet.url, left: meet.left, said: meet.said }),
        wakes: false,
        data: words.data,
        event_type: words.event_type,
        created_at,
        now: created_at,
        thread_root: None,
        attempt: 1,
        only_look: false,
        statement: words.statement.and_then(statement).map(Box::new),
    }
}

/// Nothing where a word in it is one that this version does not know.
fn statement(said: Said) -> Option<Statement> {
    use crate::core::audience::Audience;
    use crate::core::voice::{Impact, Phase, Sort};
    Some(Statement {
        audience: Audience::from_word(&said.audience)?,
        sort: Sort::from_word(&said.sort)?,
        phase: Phase::from_word(&said.phase)?,
        impact: Impact::from_word(&said.impact)?,
        now: said.now.and_then(|now| {
            Some(Now { phase: Phase::from_word(&now.phase)?, impact: Impact::from_word(&now.impact)? })
        }),
        id: said.id,
        title: said.title,
        text: said.text,
        components: said.components,
        services: said.services,
        began: said.began,
        at: said.at,
        next_by: said.next_by,
        mends: said.mends.map(|one| Mended { id: one.id, at: one.at, remote_id: one.remote_id }),
        takes_back: said.takes_back,
    })
}
