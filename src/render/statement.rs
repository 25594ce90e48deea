//! Words of statements. No template has a part in it: what was approved goes out, to the letter, and nothing beside it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Words, escape};
use crate::core::audience::Audience;
use crate::core::incident::Incident;
use crate::core::voice::Wording;

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
        title: wording.title.clone(),
        text: wording.printed(written),
        components: wording.components.clone(),
        services,
        began: incident.opened_at,
        at,
        next_by: wording.next_by,
        mends,
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
