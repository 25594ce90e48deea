//! Words of statements. No template has a part in it: what was approved goes out, to the letter, and nothing beside it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Words, escape};
use crate::core::audience::Audience;
use crate::core::incident::Incident;
use crate::core::voice::{Sort, Statement, Wording};

/// A statement, as it is kept in the outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Said {
    /// Its id: the incident's number and its own.
    pub id: String,
    /// Who reads it.
    pub audience: String,
    /// Of what sort it is.
    pub sort: String,
    /// How far the incident is.
    pub phase: String,
    /// How much readers notice.
    pub impact: String,
    /// How it is once this is out, where that is not what it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Now>,
    /// What the incident is called before this audience.
    pub title: String,
    /// The words, with the promise of the next update.
    pub text: String,
    /// What is affected, by the names that this audience knows.
    pub components: Vec<String>,
    /// The same by the names of the configuration.
    pub services: Vec<String>,
    /// Since when.
    pub began: Timestamp,
    /// When it went out.
    pub at: Timestamp,
    /// When the next one is promised for.
    #[serde(default)]
    pub next_by: Option<Timestamp>,
    /// The one that it corrects or takes back.
    #[serde(default)]
    pub mends: Option<Mended>,
    /// The words that it takes back, for a channel that has to look for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<String>,
}

/// How an incident is for the readers of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// How far the incident is.
    pub phase: String,
    /// How much readers notice.
    pub impact: String,
}

/// The one that another corrects or takes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mended {
    /// Its id.
    pub id: String,
    /// When it went out.
    pub at: Timestamp,
    /// The other side's id for it, in the channel of this letter.
    #[serde(default)]
    pub remote_id: Option<String>,
}

/// The id of a statement.
pub fn statement_id(incident: i64, number: u32) -> String {
    format!("{incident}-{number}")
}

/// A statement's words; `at`: when it goes out; `remote_id`: of the one that it corrects or takes back.
pub fn statement(
    incident: &Incident,
    number: u32,
    wording: &Wording,
    (written, at): (Timestamp, Timestamp),
    remote_id: Option<String>,
) -> Words {
    let mends = wording.mends.and_then(|number| {
        let at = incident.voice.statement(number)?.published_at()?;
        Some(Mended { id: statement_id(incident.id, number), at, remote_id })
    });
    let mut services = vec![incident.leads().to_owned()];
    for service in std::iter::once(&incident.service).chain(&incident.also) {
        if !services.contains(service) {
            services.push(service.clone());
        }
    }
    let said = Said {
        id: statement_id(incident.id, number),
        audience: wording.audience.as_str().to_owned(),
        sort: wording.sort.as_str().to_owned(),
        phase: wording.phase.as_str().to_owned(),
        impact: wording.impact.as_str().to_owned(),
        now: now(incident, number, wording),
        title: wording.title.clone(),
        text: wording.printed(written),
        components: wording.components.clone(),
        services,
        began: incident.opened_at,
        at,
        next_by: wording.next_by,
        mends,
        takes_back: taken_back(wording).and_then(|number| Some(incident.voice.statement(number)?.printed())),
    };
    let text = format!("{}\n\n{}", wording.phase.title(), said.text);
    Words {
        subject: said.title.clone(),
        html: html(&said.title, wording.phase.title(), &said.text),
        short: format!("{}: {}", wording.phase.title(), said.title),
        data: json!({"statement": {
            "id": said.id, "audience": said.audience, "sort": said.sort, "phase": said.phase, "impact": said.impact,
            "title": said.title, "text": said.text, "components": said.components, "began": said.began, "at": said.at,
            "next_by": said.next_by,
            "mends": said.mends.as_ref().map(|one| json!({"id": one.id, "at": one.at})),
        }}),
        text,
        event_type: "statement".to_owned(),
        incident_state: incident.state().to_owned(),
        page_attempt: 0,
        answer: None,
        meet: None,
        statement: Some(said),
    }
}

/// The number of what it takes back.
fn taken_back(wording: &Wording) -> Option<u32> {
    wording.mends.filter(|_| wording.sort == Sort::Retraction)
}

/// The number of what it corrects.
fn corrected(wording: &Wording) -> Option<u32> {
    wording.mends.filter(|_| wording.sort == Sort::Correction)
}

/// How it is for its readers once a statement is out, where that is not what it says itself: a correction has how bad it was then, and
/// a retraction what is taken back. What holds is the newest that stands, in the words of its own correction where it has one.
fn now(incident: &Incident, number: u32, wording: &Wording) -> Option<Now> {
    if !matches!(wording.sort, Sort::Correction | Sort::Retraction) {
        return None;
    }
    let (voice, gone) = (&incident.voice, taken_back(wording));
    let stands = |one: &Statement| {
        one.number != number && Some(one.number) != gone && !voice.is_taken_back(one.number)
    };
    // A correction of a correction is about what the first was about.
    let about = |one: u32, wording: &Wording| {
        let (mut one, mut mended) = (one, corrected(wording));
        for _ in 0..voice.statements.len() {
            let Some(known) = mended.and_then(|mended| voice.statement(mended)) else { break };
            (one, mended) = (known.number, corrected(&known.wording));
        }
        one
    };
    let is_news =
        |one: &&Statement| stands(one) && !matches!(one.wording.sort, Sort::Correction | Sort::Retraction);
    let newest = voice.published(wording.audience).rfind(is_news)?.number;
    if wording.sort == Sort::Correction && about(number, wording) == newest {
        return None;
    }
    let says = |one: &&Statement| {
        stands(one) && one.wording.sort != Sort::Retraction && about(one.number, &one.wording) == newest
    };
    let holds = &voice.published(wording.audience).rfind(says)?.wording;
    let now = Now { phase: holds.phase.as_str().to_owned(), impact: holds.impact.as_str().to_owned() };
    Some(now).filter(|_| (holds.phase, holds.impact) != (wording.phase, wording.impact))
}

/// What whoever asks in answer to a letter of a channel is told: that it was kept, and where and when the next is said. `page`: where
/// anybody reads statements.
pub fn to_a_question(incident: &Incident, audience: Audience, page: Option<&str>, now: Timestamp) -> Words {
    let said = incident.voice.statements.iter().rev();
    let newest = said.filter(|one| one.wording.audience == audience).find(|one| one.published_at().is_some());
    let title = newest.map_or("Your question", |one| one.wording.title.as_str());
    let next = newest.and_then(|one| one.wording.next_by).filter(|by| *by > now && incident.is_open());
    let mut text = "Thank you. Your question was kept for the person who speaks for us; those who work on the problem are not interrupted."
        .to_owned();
    match next {
        Some(by) => text.push_str(&format!(
            "\n\nThe next update comes by {} UTC, to where you got the last one.",
            by.strftime("%Y-%m-%d %H:%M")
        )),
        None => text.push_str("\n\nWhat we know comes to where you got the last update."),
    }
    if let Some(page) = page {
        text.push_str(&format!("\nWhat everybody is told stands at {page}/"));
    }
    text.push_str("\n\nThis answer was written by a program.\n");
    let heading = format!("Re: {title}");
    Words {
        html: html(&heading, "", &text),
        subject: heading,
        short: String::new(),
        data: json!({}),
        text,
        event_type: "answer".to_owned(),
        incident_state: String::new(),
        page_attempt: 0,
        answer: None,
        meet: None,
        statement: None,
    }
}

fn html(title: &str, phase: &str, text: &str) -> String {
    let paragraphs =
        text.split("\n\n").map(|one| format!("<p>{}</p>", escape(one.trim()).replace('\n', "<br>")));
    let paragraphs: String = paragraphs.collect();
    let title = escape(title);
    let phase = if phase.is_empty() { String::new() } else { format!("<p><b>{}</b></p>", escape(phase)) };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>{title}</h1>{phase}{paragraphs}</body></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::core::voice::{Impact, Phase, Right, Stage};

    fn wording(sort: Sort, mends: Option<u32>, phase: Phase, impact: Impact) -> Wording {
        Wording {
            audience: Audience::Public,
            sort,
            phase,
            impact,
            title: "Online shop".into(),
            text: format!("{sort:?} of {mends:?}"),
            components: Vec::new(),
            next_by: None,
            mends,
            channels: vec!["status".into()],
        }
    }

    fn publish(incident: &mut Incident, wording: Wording) -> u32 {
        let number = incident.voice.next_number();
        let at = incident.opened_at;
        incident.voice.statements.push(Statement {
            number,
            wording,
            by: "maya".into(),
            at,
            entry: number,
            found: Vec::new(),
            overrides: Vec::new(),
            stage: Stage::Published { at, by: "maya".into(), right: Right::Commander },
            reached: Vec::new(),
        });
        number
    }

    /// What a page would be told as the present, before the statement is out and after: both have to be the same.
    fn shown(incident: &Incident, wording: Wording) -> Option<(String, String)> {
        let before = now(incident, incident.voice.next_number(), &wording);
        let mut after = incident.clone();
        let number = publish(&mut after, wording.clone());
        assert_eq!(before, now(&after, number, &wording));
        before.map(|now| (now.phase, now.impact))
    }

    #[test]
    fn what_mends_an_older_statement_leaves_how_it_is_now() {
        let mut incident = samples::incidents().remove(0);
        let (critical, minor) = (Impact::Critical, Impact::Minor);
        let first = publish(&mut incident, wording(Sort::Update, None, Phase::Investigating, critical));
        let of = |sort, mended, phase, impact| wording(sort, Some(mended), phase, impact);
        let told = |phase: &str, impact: &str| Some((phase.to_owned(), impact.to_owned()));
        let correction = |mended| of(Sort::Correction, mended, Phase::Investigating, critical);
        assert_eq!(
            shown(&incident, correction(first)),
            None,
            "the newest says how it is, and so does its correction"
        );
        let second = publish(&mut incident, wording(Sort::Update, None, Phase::Identified, minor));
        assert_eq!(shown(&incident, correction(first)), told("identified", "minor"));
        // A correction of the newest counts as the newest; one of an older statement does not, though it came later.
        publish(&mut incident, of(Sort::Correction, second, Phase::Monitoring, minor));
        let typo = publish(&mut incident, correction(first));
        assert_eq!(shown(&incident, correction(typo)), told("monitoring", "minor"));
        let retraction = |mended| of(Sort::Retraction, mended, Phase::Monitoring, minor);
        assert_eq!(shown(&incident, retraction(second)), told("investigating", "critical"));
        assert_eq!(shown(&incident, retraction(first)), None, "it is as it says");
        let closing = publish(&mut incident, wording(Sort::Closing, None, Phase::Resolved, Impact::None));
        assert_eq!(shown(&incident, correction(first)), told("resolved", "none"));
        assert_eq!(
            shown(&incident, of(Sort::Retraction, closing, Phase::Resolved, Impact::None)),
            told("monitoring", "minor"),
            "what was closed too early is open again"
        );
    }

    #[test]
    fn what_is_taken_back_is_told_to_channels_that_look_for_it_and_to_no_reader() {
        let mut incident = samples::incidents().remove(0);
        let first = publish(&mut incident, wording(Sort::Update, None, Phase::Identified, Impact::Major));
        let retraction = wording(Sort::Retraction, Some(first), Phase::Identified, Impact::Major);
        let hours = (incident.opened_at, incident.opened_at);
        let words = statement(&incident, 2, &retraction, hours, None);
        assert_eq!(words.statement.as_ref().unwrap().takes_back.as_deref(), Some("Update of None"));
        let read = format!("{} {} {} {}", words.text, words.html, words.short, words.data);
        assert!(!read.contains("Update of None"), "{read}");
        let correction = Wording { sort: Sort::Correction, ..retraction };
        assert_eq!(statement(&incident, 2, &correction, hours, None).statement.unwrap().takes_back, None);
    }
}
