//! What letters say about statements: to the PIO, to who approves, and to who was relied on.

use super::full_name;
use crate::core::incident::Incident;
use crate::core::letter::News;
use crate::core::rules::Rules;
use crate::core::voice::{Due, Stage, Statement};

/// The first sentence of a notice; `None` where it is not about statements.
pub(super) fn sentence(news: News, id: &str, incident: &Incident, rules: &Rules) -> Option<String> {
    let voice = &incident.voice;
    Some(match news {
        News::UpdateDue => {
            format!(
                "{id}: the {} Write it on the page of statements; \"no change\" is news, too.",
                due(voice.due.iter().find(|due| due.warned && due.missed == 0))
            )
        }
        News::UpdateMissed => {
            let late = voice.due.iter().find(|due| due.missed > 0);
            format!(
                "{id}: the {} It has not come. Whoever speaks for the house should say something now, and by when the next one comes.",
                due(late)
            )
        }
        News::Question => {
            let last = voice.questions.last();
            let who = last.map(|asked| asked.from.as_str()).unwrap_or("Somebody");
            format!(
                "{id}: {who} asks how it goes. They were told where statements appear; answer on the page of statements if that does not do."
            )
        }
        News::NoPio => {
            format!(
                "{id}: everybody who can be the PIO was called, and nobody has come. Until somebody does, speaking is yours: assign the office, or write the statement."
            )
        }
        News::ToApprove => {
            let waits = voice.statements.iter().rfind(|one| one.is_open());
            format!("{id}: {} waits for your approval.", about(waits, rules))
        }
        News::Approved => {
            let approved = voice.statements.iter().rfind(|one| matches!(one.stage, Stage::Approved(_)));
            format!(
                "{id}: {} may go out. Publish it on the page of statements; the approval is void when the situation changes.",
                about(approved, rules)
            )
        }
        News::Returned => {
            let returned = voice.statements.iter().rfind(|one| matches!(one.stage, Stage::Returned { .. }));
            let why = match returned.map(|one| &one.stage) {
                Some(Stage::Returned { why, .. }) => why.as_str(),
                _ => "",
            };
            format!("{id}: {} does not go out as it is: {why}", about(returned, rules))
        }
        News::ClosingDue => {
            format!(
                "{id} is over, and those outside who were told of it do not know yet. The closing statement is due."
            )
        }
        News::Undelivered => {
            let lost = voice.statements.iter().rev().find_map(|one| {
                let lost = one.reached.iter().find(|one| !matches!(one.outcome.as_str(), "" | "accepted"))?;
                Some((one.number, lost))
            });
            match lost {
                Some((number, lost)) if lost.outcome == "unknown" => format!(
                    "{id}: it is not known whether statement {number} reached {}. Look there; it is not sent again by itself, so that nobody reads it twice.",
                    lost.channel
                ),
                Some((number, lost)) if lost.outcome == "stands" => format!(
                    "{id}: statement {number} is in {}, but what it takes back may stand there still. Look there, and remove it by hand.",
                    lost.channel
                ),
                Some((number, lost)) => format!("{id}: statement {number} did not reach {}.", lost.channel),
                None => format!("{id}: a statement did not reach a channel."),
            }
        }
        _ => return None,
    })
}

fn due(due: Option<&Due>) -> String {
    match due {
        Some(due) => format!("{} update is due by {}.", due.audience.as_str(), due.by.strftime("%H:%M UTC")),
        None => "update is due.".to_owned(),
    }
}

fn about(known: Option<&Statement>, rules: &Rules) -> String {
    match known {
        Some(one) => format!(
            "statement {} for the {} audience, by {},",
            one.number,
            one.wording.audience.as_str(),
            full_name(rules, &one.by)
        ),
        None => "a statement".to_owned(),
    }
}
