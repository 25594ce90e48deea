//! Words of the outbox as a parcel, as channels take it.

use jiff::Timestamp;

use crate::channels::statement::{Mended, Now};
use crate::channels::{Meet, Parcel, Statement, Thread};
use crate::render::{Said, Words};

/// A parcel with these words, of no delivery yet. There is none where they are a statement in which something is that this version does
/// not know: as an ordinary letter it would be cut, repeated, and told with the incident's number.
pub fn of(words: Words, created_at: Timestamp) -> Option<Parcel> {
    let statement = match words.statement {
        Some(said) => Some(Box::new(statement(said)?)),
        None => None,
    };
    Some(Parcel {
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
        lost: Vec::new(),
        again: Vec::new(),
        attempt: 1,
        mends_nothing: false,
        unwritten: false,
        only_look: false,
        statement,
    })
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn words(statement: Value) -> Words {
        let words = json!({
            "subject": "Online shop: payments fail", "text": "Identified\n\nSome payments fail.", "html": "", "data": {},
            "event_type": "statement", "incident_state": "acknowledged", "page_attempt": 0, "statement": statement,
        });
        serde_json::from_value(words).unwrap()
    }

    #[test]
    fn a_statement_with_a_word_of_a_newer_version_is_no_letter_of_another_sort() {
        let at = Timestamp::UNIX_EPOCH;
        let known = json!({
            "id": "42-3", "audience": "public", "sort": "update", "phase": "identified", "impact": "major",
            "title": "Online shop: payments fail", "text": "Some payments fail.", "components": ["Online shop"],
            "services": ["shop"], "began": at, "at": at,
        });
        assert!(of(words(known.clone()), at).unwrap().statement.is_some());
        for word in ["audience", "sort", "phase", "impact"] {
            let mut newer = known.clone();
            newer[word] = "of-2031".into();
            assert!(of(words(newer), at).is_none(), "{word}");
        }
        assert!(of(words(Value::Null), at).unwrap().statement.is_none(), "it is none");
    }
}
