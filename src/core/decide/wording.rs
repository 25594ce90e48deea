//! The words of a statement: what somebody said of them, and all that follows from the incident and the house.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::audience::Audience;
use super::super::incident::{Incident, Phase, Severity};
use super::super::rules::{Rules, Template};
use super::super::voice::{Impact, Phase as Told, Sort, Statement, Wording};
use super::{Draft, Next, Refusal, Wish, words};

/// An update is promised for no later than this.
const NEXT_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Longest title, in characters: it is a subject of mails, and the heading of a page.
pub const TITLE_CHARS_MAX: usize = 120;
/// What an incident is called where nothing better is known.
const NEUTRAL_TITLE: &str = "Service disruption";

impl Wish {
    /// The words that it is about, as they would stand: of a draft with all that follows from the incident and the house, of
    /// what is to be approved or to go out those that there are; and the hour at which they were written. Nothing where no words
    /// are to be looked at.
    ///
    /// # Errors
    /// Why there can be no such words.
    pub fn wording(
        &self,
        incident: &Incident,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Option<(Wording, Timestamp)>, Refusal> {
        match self {
            Self::Draft { draft, .. } => Ok(Some((fill_in(draft, incident, rules, now)?, now))),
            Self::Override { number, .. }
            | Self::Approve { number, .. }
            | Self::Publish { number, .. }
            | Self::Resend { number, .. } => {
                Ok(incident.voice.statement(*number).map(|known| (known.wording.clone(), known.at)))
            }
            _ => Ok(None),
        }
    }
}

/// The names by which those outside know what is affected.
pub fn public_names(incident: &Incident, rules: &Rules) -> Vec<String> {
    let services =
        [incident.leads(), &incident.service].into_iter().chain(incident.also.iter().map(String::as_str));
    let mut names: Vec<String> = Vec::new();
    for service in services {
        let name = rules.services.get(service).and_then(|service| service.public_name.clone());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

pub(super) fn fill_in(
    draft: &Draft,
    incident: &Incident,
    rules: &Rules,
    now: Timestamp,
) -> Result<Wording, Refusal> {
    let voice = &incident.voice;
    let audience = draft.audience;
    let sort = draft.sort.unwrap_or(if incident.is_open() { Sort::Update } else { Sort::Closing });
    if sort == Sort::Closing && incident.is_open() {
        return Err(Refusal::WrongState(
            "the closing statement comes after the Commander has said that it is over",
        ));
    }
    let last = voice.published(audience).next_back();
    let phase = match (sort, draft.phase) {
        (Sort::Closing, None | Some(Told::Resolved)) => Told::Resolved,
        (Sort::Closing, Some(_)) => return Err(bad("a closing statement says that it is resolved")),
        (_, Some(Told::Resolved)) if incident.is_open() => {
            return Err(bad(
                "readers are told that it is resolved by the closing statement, after the Commander has said so",
            ));
        }
        (_, Some(phase)) => phase,
        (_, None) => usual_phase(incident, last),
    };
    let mends = match (sort, draft.mends) {
        (Sort::Correction | Sort::Retraction, None) => {
            return Err(bad("say which statement it corrects or takes back"));
        }
        (Sort::Correction | Sort::Retraction, Some(number)) => {
            let known = voice.statement(number).filter(|known| known.published_at().is_some());
            let known = known.ok_or_else(|| there_is_none(number, "that went out"))?;
            if known.wording.audience != audience {
                return Err(bad(&format!("statement {number} is for {}", known.wording.audience.as_str())));
            }
            let again = sort == Sort::Retraction && voice.is_half_taken_back(number);
            if voice.is_taken_back(number) && !again {
                return Err(Refusal::WrongState("it was taken back already"));
            }
            if sort == Sort::Retraction && known.wording.sort == Sort::Retraction {
                return Err(Refusal::WrongState(
                    "it takes another statement back, and stays: correct it, if a word of it is wrong",
                ));
            }
            Some(known)
        }
        (_, Some(_)) => return Err(bad("only a correction or a retraction is about another statement")),
        (_, None) => None,
    };
    // What is taken back says nothing of how it is.
    let last = match mends.filter(|_| sort == Sort::Retraction) {
        Some(mended) => voice.stands_without(audience, mended.number),
        None => last,
    };
    let phase = match (sort, draft.phase) {
        (Sort::Retraction, None) => usual_phase(incident, last),
        _ => phase,
    };
    let impact = match (sort, draft.impact, mends) {
        (Sort::Closing, None, _) => Impact::None,
        (_, Some(impact), _) => impact,
        // A word that is mended leaves what was felt as it was.
        (Sort::Correction, None, Some(mended)) => mended.wording.impact,
        (_, None, _) => last.map_or(usual_impact(incident.severity), |last| last.wording.impact),
    };
    let next_by = match draft.next {
        Next::By(by) => Some(promised(by, now)?),
        Next::Usual if incident.is_open() && matches!(sort, Sort::Update | Sort::Holding) => {
            let wait = rules.pio.next(audience, incident.severity, phase);
            wait.and_then(|wait| minute(now.saturating_add(wait).ok()?, true))
        }
        Next::Usual | Next::Never => None,
    };
    if !incident.is_open() && next_by.is_some() {
        return Err(bad(
            "it is over: no further update is promised; say in the text whether a fuller account follows",
        ));
    }
    let mut channels = draft.channels.clone();
    for name in &channels {
        match rules.channels.iter().find(|(known, _)| known == name) {
            Some(_) if may_carry(rules, name, audience, sort) => {}
            Some((_, of)) => {
                return Err(bad(&format!(
                    "the channel {name} is read by {}, and not by {}",
                    of.as_str(),
                    audience.as_str()
                )));
            }
            None => return Err(bad(&format!("there is no channel {name}"))),
        }
    }
    let is_there = |name: &String| may_carry(rules, name, audience, sort);
    // Whoever was told that something is wrong is told that it is over, and what was not so: wherever it may stand.
    let spoken = match (mends, sort) {
        (Some(mended), _) => stands_in(mended, rules),
        (None, Sort::Closing) => heard_in(incident, audience, rules),
        (None, _) => Vec::new(),
    };
    let spoken: Vec<String> = spoken.into_iter().filter(is_there).collect();
    if sort == Sort::Retraction
        && !channels.is_empty()
        && let Some(left) = spoken.iter().find(|name| !channels.contains(name))
    {
        return Err(bad(&format!(
            "it stands in {left} as well: what is taken back is taken back everywhere"
        )));
    }
    let all = || rules.channels_of(audience).map(str::to_owned).collect();
    let more = match (channels.is_empty(), spoken.is_empty(), mends) {
        (true, true, Some(mended)) => {
            mended.wording.channels.iter().filter(|name| is_there(name)).cloned().collect()
        }
        (true, true, None) => all(),
        (true, false, _) => spoken,
        // What was read before it was approved is where it goes.
        (false, ..) if matches!(sort, Sort::Closing | Sort::Correction) => spoken,
        (false, ..) => Vec::new(),
    };
    channels.extend(more.into_iter().filter(|name: &String| !draft.channels.contains(name)));
    if channels.is_empty() && !(audience == Audience::Public && rules.public_page) {
        return Err(bad(&format!(
            "nothing reaches this audience: no [[channel]] has `audience = \"{}\"`",
            audience.as_str()
        )));
    }
    let title = match (
        // The title of what is taken back is taken back with it.
        voice.title(audience, mends.filter(|_| sort == Sort::Retraction).map(|mended| mended.number)),
        draft.title.as_deref().map(str::trim).filter(|title| !title.is_empty()),
    ) {
        (Some(known), _) => known.to_owned(),
        (None, Some(title)) => one_line(title, TITLE_CHARS_MAX, "the title")?,
        (None, None) => match usual_title(audience, incident, rules) {
            // Nobody is kept from taking words back by not knowing what to call it.
            Err(_) if sort == Sort::Retraction => NEUTRAL_TITLE.to_owned(),
            title => title?,
        },
    };
    let text = words(&draft.text, "the statement")?.replace("\r\n", "\n").replace('\r', "\n");
    let text = match (sort, mends.and_then(Statement::published_at)) {
        (Sort::Correction, Some(at)) => begun(&text, "Correction to our", at),
        (Sort::Retraction, Some(at)) => begun(&text, "We take back our", at),
        _ => text,
    };
    let mends = mends.map(|known| known.number);
    let mut components = public_names(incident, rules);
    if components.is_empty() && audience == Audience::Internal {
        components.push(incident.leads().to_owned());
    }
    Ok(Wording { audience, sort, phase, impact, title, text, components, next_by, mends, channels })
}

/// Where anything that was said to an audience is or may be, in the order in which it was.
pub(super) fn heard_in(incident: &Incident, audience: Audience, rules: &Rules) -> Vec<String> {
    let mut channels: Vec<String> = Vec::new();
    for channel in incident.voice.published(audience).flat_map(|one| stands_in(one, rules)) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

/// Where the words of a statement are or may be: also by way of a fallback whose letter is on its way.
pub(super) fn stands_in(known: &Statement, rules: &Rules) -> Vec<String> {
    let mut channels = known.may_stand_in();
    for lost in known.reached.iter().filter(|one| matches!(one.outcome.as_str(), "refused" | "unknown")) {
        let mut at = &lost.channel;
        // The configuration has no circles; a bound is for what was reloaded.
        for _ in 0..rules.channels.len() {
            let Some(fallback) = rules.fallbacks.get(at) else { break };
            let end = known.reached.iter().find(|one| one.channel == *fallback);
            if !end.is_some_and(|end| end.outcome == "refused" && !end.some) {
                if !channels.contains(fallback) {
                    channels.push(fallback.clone());
                }
                break;
            }
            at = fallback;
        }
    }
    channels
}

/// Whether a channel may carry such words. What mends or closes goes wherever the words are, which a fallback may have brought to readers
/// who are nearer; those of the house had them with a note, as a message like others.
pub fn may_carry(rules: &Rules, channel: &str, audience: Audience, sort: Sort) -> bool {
    let follows = matches!(sort, Sort::Correction | Sort::Retraction | Sort::Closing);
    let reads = |of: Audience| of == audience || follows && of < audience && of != Audience::Internal;
    rules.channels.iter().any(|(known, of)| known == channel && reads(*of))
}

/// Readers are told which one is meant, by its hour.
fn begun(text: &str, words: &str, at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let beginning = format!("{words} {} UTC update", at.strftime("%Y-%m-%d %H:%M"));
    if text.starts_with(&beginning) { text.to_owned() } else { format!("{beginning}: {text}") }
}

fn usual_phase(incident: &Incident, last: Option<&Statement>) -> Told {
    match (&incident.phase, last.map(|last| last.wording.phase)) {
        (Phase::Resolved { .. }, _) => Told::Resolved,
        (Phase::Mitigated { .. }, _) => Told::Monitoring,
        (_, Some(Told::Identified)) => Told::Identified,
        _ => Told::Investigating,
    }
}

fn usual_impact(severity: Severity) -> Impact {
    match severity {
        Severity::Sev1 => Impact::Critical,
        Severity::Sev2 => Impact::Major,
        Severity::Sev3 => Impact::Minor,
        Severity::Sev4 => Impact::None,
    }
}

pub(super) fn usual_title(audience: Audience, incident: &Incident, rules: &Rules) -> Result<String, Refusal> {
    if audience == Audience::Internal {
        return Ok(incident.title.chars().take(TITLE_CHARS_MAX).collect());
    }
    let names = public_names(incident, rules);
    if names.is_empty() {
        return Err(bad(&format!(
            "say what it is called before those outside (\"title\"): the service {} has no `public_name`",
            incident.leads()
        )));
    }
    let title = format!("{}: service disruption", names.join(", "));
    Ok(if title.chars().count() > TITLE_CHARS_MAX { NEUTRAL_TITLE.to_owned() } else { title })
}

fn promised(by: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    let printed = minute(by, false).filter(|by| *by > now);
    let printed =
        printed.ok_or_else(|| bad("the hour of the next update is over, or less than a minute ahead"))?;
    match now.checked_add(NEXT_MAX) {
        Ok(most) if printed <= most => Ok(printed),
        _ => Err(bad("the hour of the next update lies more than a week ahead")),
    }
}

/// The hour as it is printed: the minute, or the next one.
fn minute(at: Timestamp, up: bool) -> Option<Timestamp> {
    let second = at.as_second();
    let down = second - second.rem_euclid(60);
    Timestamp::from_second(if up && down < second { down + 60 } else { down }).ok()
}

pub(super) fn one_line(text: &str, most: usize, what: &str) -> Result<String, Refusal> {
    let text = words(&super::super::alert::one_line(text), what)?;
    let long = text.chars().count();
    if long > most {
        return Err(bad(&format!("{what} has {long} characters, and at most {most} are taken")));
    }
    Ok(text)
}

pub(super) fn bad(why: &str) -> Refusal {
    Refusal::BadWords(why.to_owned())
}

pub(super) fn there_is_none(number: u32, which: &str) -> Refusal {
    Refusal::NotThere(format!("there is no statement {number} {which}"))
}

/// Words of the house for a statement: the first template that fits, else what every house says. `phase`: `None` while nobody has
/// the incident yet.
pub fn starter(incident: &Incident, audience: Audience, phase: Option<Told>, rules: &Rules) -> String {
    let names = public_names(incident, rules);
    let product = if names.is_empty() { "one of our services".to_owned() } else { names.join(" and ") };
    let symptom = rules.services.get(incident.leads()).map_or("", |service| service.symptom.as_str());
    let fits = |one: &&Template| {
        let for_all = one.severities.is_empty();
        one.audience == audience
            && one.phase == phase
            && (for_all || one.severities.contains(&incident.severity))
    };
    let own = rules.statements.iter().find(fits).map(|one| one.text.as_str());
    let text = own.unwrap_or(match phase {
        None => "Our monitoring reports a problem with {product}. Our staff are being called. {symptom}",
        Some(Told::Investigating) => "We are looking into a problem with {product}. {symptom}",
        Some(Told::Identified) => {
            "We have found what is wrong with {product}, and are working on it. {symptom}"
        }
        Some(Told::Monitoring) => "{product} works again. We keep watching it.",
        Some(Told::Resolved) => "{product} works again. We are sorry for the trouble.",
    });
    let since = incident.opened_at.to_zoned(TimeZone::UTC).strftime("%H:%M UTC").to_string();
    let text = text.replace("{product}", &product).replace("{symptom}", symptom).replace("{since}", &since);
    text.trim().to_owned()
}
