//! What letters say about statements: to the PIO, to who approves, and to who was relied on.

use super::full_name;
use crate::core::incident::Incident;
use crate::core::letter::News;
use crate::core::rules::Rules;
use crate::core::timeline::Fact;
use crate::core::voice::{Due, Reached, Say, Stage, Statement, Voice};

/// The first sentence of a notice; `None` where it is not about statements.
/// `said`: what was said of statements just now, or became of one; where it is not known, the newest is meant.
pub(super) fn sentence(
    news: News,
    id: &str,
    incident: &Incident,
    rules: &Rules,
    said: Option<&Fact>,
) -> Option<String> {
    let voice = &incident.voice;
    let say = match said {
        Some(Fact::Voice(say)) => Some(say),
        _ => None,
    };
    let newest = |fits: fn(&Statement) -> bool| {
        let number = say.and_then(number_of);
        number.and_then(|number| voice.statement(number)).or(voice.statements.iter().rfind(|one| fits(one)))
    };
    Some(match news {
        News::UpdateDue => {
            format!(
                "{id}: the {} Write it on the page of statements; \"no change\" is news, too.",
                due(meant(say, voice).or(voice.due.iter().find(|due| due.warned && due.missed == 0)))
            )
        }
        News::Withheld => {
            format!(
                "{id}: the holding statement did not go out by itself: its words would tell readers something of this night that they must not be told, or are too long for a channel. The timeline says which rule. Write the first statement by hand."
            )
        }
        News::UpdateMissed => {
            let late = meant(say, voice).or(voice.due.iter().find(|due| due.missed > 0));
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
            format!("{id}: {} waits for your approval.", about(newest(Statement::is_open), rules))
        }
        News::Approved => {
            let approved = newest(|one| matches!(one.stage, Stage::Approved(_)));
            format!(
                "{id}: {} may go out. Publish it on the page of statements; the approval is void when the situation changes.",
                about(approved, rules)
            )
        }
        News::Returned => {
            let returned = newest(|one| matches!(one.stage, Stage::Returned { .. }));
            let why = match returned.map(|one| &one.stage) {
                Some(Stage::Returned { why, .. }) => why.as_str(),
                _ => "",
            };
            format!("{id}: {} does not go out as it is: {why}", about(returned, rules))
        }
        News::ClosingDue if incident.merged_into.is_some() => {
            let home = incident.merged_into.map(|home| format!("INC-{home}")).unwrap_or_default();
            format!(
                "{id} became part of {home}. Those outside who were told of {id} read of it there alone: a closing statement of its own is due for them, once it works again for them."
            )
        }
        News::ClosingDue => {
            format!(
                "{id} is over, and those outside who were told of it do not know yet. The closing statement is due."
            )
        }
        News::Undelivered => {
            let lost = voice.statements.iter().rev().find_map(|one| {
                let is_lost =
                    |one: &&Reached| matches!(one.outcome.as_str(), "refused" | "unknown" | "stands");
                let lost = one.reached.iter().find(is_lost)?;
                Some((one.number, lost.channel.as_str(), lost.outcome.as_str()))
            });
            let lost = match said {
                Some(Fact::Delivered { statement: Some(number), to, outcome, .. }) => {
                    Some((*number, to.as_str(), outcome.as_str()))
                }
                _ => lost,
            };
            match lost {
                Some((number, channel, "unknown")) => format!(
                    "{id}: it is not known whether statement {number} reached {channel}. Look there; it is not sent again by itself, so that nobody reads it twice."
                ),
                Some((number, channel, "partly")) => {
                    format!(
                        "{id}: statement {number} did not reach everybody on {channel}; the log says why."
                    )
                }
                Some((number, channel, "stands")) => format!(
                    "{id}: statement {number} is in {channel}, but what it takes back may stand there still. Look there, and remove it by hand."
                ),
                Some((number, channel, _)) => format!("{id}: statement {number} did not reach {channel}."),
                None => format!("{id}: a statement did not reach a channel."),
            }
        }
        _ => return None,
    })
}

/// The update that was just told of.
fn meant<'a>(say: Option<&Say>, voice: &'a Voice) -> Option<&'a Due> {
    let (Say::Warned { audience, .. } | Say::Missed { audience, .. }) = say? else { return None };
    voice.due.iter().find(|due| due.audience == *audience)
}

/// The statement that was just told of.
fn number_of(say: &Say) -> Option<u32> {
    match say {
        Say::Drafted { number, .. } | Say::Approved { number, .. } | Say::Returned { number, .. } => {
            Some(*number)
        }
        _ => None,
    }
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
