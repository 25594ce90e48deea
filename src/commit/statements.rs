//! Statements inside the transaction: what must not be said is looked for in the words as they will be printed, and each
//! channel is asked whether it takes as much.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::acts::{Sent, Work};
use crate::channels::{Channel, Parcel};
use crate::core::audience::Audience;
use crate::core::decide::{
    Act, Decision, Draft, Next, Speech, TooLong, Unsaid, Wish, holding_words, may_carry, public_names,
};
use crate::core::disclosure::{self, Finding, Place, Rendered, Rule, Weight};
use crate::core::incident::Incident;
use crate::core::rules::Rules;
use crate::core::search;
use crate::core::timeline::Fact;
use crate::core::voice::{Say, Sort, Statement, Wording};
use crate::house::parcel;
use crate::render;
use crate::store::letters::Claim;
use crate::store::{StoreError, Tx, alerts, history, statements};

/// An update that waited for so long is no news any more once there is a newer one.
const OUTDATED_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Most alerts of an incident whose words are looked for. Where there are more, a second person reads.
const ALERTS_SEEN_MAX: u32 = 5000;
/// So many of the labels by which an incident is found, beside those of its alerts; and so many words in all.
const TERMS_SEEN_MAX: u32 = 20_000;
const WORDS_SEEN_MAX: usize = 50_000;
/// Labels whose values are names of machines, whatever they look like.
const HOST_LABELS: [&str; 8] =
    ["host", "hostname", "instance", "node", "server", "pod", "container", "device"];

impl Work<'_, '_> {
    /// What somebody says, with what was seen of its words.
    pub(super) fn read_over(&mut self, incident: &Incident, speech: Speech) -> Result<Speech, StoreError> {
        let rules = &self.house.rules;
        // Where there can be no such words, the decision says why.
        let Ok(Some((wording, written))) = speech.wish.wording(incident, rules, self.tx.now) else {
            return Ok(Speech { found: Vec::new(), too_long: Vec::new(), there: Vec::new(), ..speech });
        };
        let found = found(self.tx, rules, incident, (&wording, written))?;
        let number = speech.wish.number().unwrap_or_else(|| incident.voice.next_number());
        let there = match speech.wish {
            Wish::Publish { .. } => self.letters_of_what_it_follows(incident, &wording)?,
            _ => Vec::new(),
        };
        let reads = |name: &String| may_carry(rules, name, wording.audience, wording.sort);
        let there: Vec<String> = there.into_iter().filter(reads).collect();
        let more = there.iter().filter(|name| !wording.channels.contains(name)).cloned();
        let channels = wording.channels.iter().cloned().chain(more).collect();
        let too_long = self.too_long(incident, number, &Wording { channels, ..wording }, written);
        Ok(Speech { found, too_long, there, ..speech })
    }

    /// The channels to which letters went, or are going, with what is corrected, taken back or closed by these words: of a list the first
    /// that comes to its end says nothing of the others.
    fn letters_of_what_it_follows(
        &self,
        incident: &Incident,
        wording: &Wording,
    ) -> Result<Vec<String>, StoreError> {
        let numbers: Vec<u32> = match (wording.mends, wording.sort) {
            (Some(number), _) => vec![number],
            (None, Sort::Closing) => {
                incident.voice.published(wording.audience).map(|one| one.number).collect()
            }
            (None, _) => return Ok(Vec::new()),
        };
        let all = statements::may_be_in(self.tx, incident.id)?;
        let mut channels: Vec<String> = Vec::new();
        for (number, channel) in all {
            if numbers.contains(&number) && !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        Ok(channels)
    }

    /// What would go out by itself now, and must not: the night's alerts are not known to who wrote the configuration.
    pub(super) fn unsaid_of(&self, incident: &Incident) -> Result<Vec<Unsaid>, StoreError> {
        let (rules, now) = (&self.house.rules, self.tx.now);
        let mut unsaid = Vec::new();
        for wording in holding_words(incident, rules, now) {
            let mut found = found(self.tx, rules, incident, (&wording, now))?;
            found.retain(|one| one.weight != Weight::Warn);
            let too_long = self.too_long(incident, incident.voice.next_number(), &wording, now);
            if !found.is_empty() || !too_long.is_empty() {
                unsaid.push(Unsaid { audience: wording.audience, found, too_long });
            }
        }
        Ok(unsaid)
    }

    /// What the PIO writes by the link of their call is a draft for the widest audience that can be told anything; where nobody can,
    /// it stands on the timeline alone.
    pub(super) fn first_draft(&mut self, incident: &Incident, text: String) -> Result<Act, StoreError> {
        let rules = &self.house.rules;
        let named = !public_names(incident, rules).is_empty();
        let can_read =
            |audience: &Audience| rules.can_tell(*audience) && (named || *audience == Audience::Internal);
        let Some(audience) = Audience::ALL.into_iter().rev().find(can_read) else {
            return Ok(Act::Draft { text });
        };
        let draft = Draft {
            audience,
            sort: None,
            phase: None,
            impact: None,
            title: None,
            text,
            next: Next::Usual,
            mends: None,
            channels: Vec::new(),
        };
        let wish = Wish::Draft { number: None, draft };
        let speech = Speech { wish, found: Vec::new(), too_long: Vec::new(), there: Vec::new() };
        Ok(Act::Speak(Box::new(self.read_over(incident, speech)?)))
    }

    /// The channels that do not take as much.
    fn too_long(
        &self,
        incident: &Incident,
        number: u32,
        wording: &Wording,
        written: Timestamp,
    ) -> Vec<TooLong> {
        let sample = Sample { incident, number, wording, written };
        let shown = wording.channels.iter().filter_map(|name| {
            let shown = self.house.channels.get(name)?.shows(&sample.parcel()?);
            let (channel, size, most, unit) = (name.clone(), shown.size, shown.most, shown.unit);
            (!shown.fits()).then_some(TooLong { channel, size, most, unit })
        });
        shown.collect()
    }

    /// Of updates that waited long for a channel only the newest goes there: those before it are no news any more, and would keep it
    /// from coming. What corrects, takes back or closes is never left out, nor is what is corrected. What was taken back before it left
    /// goes nowhere.
    pub(super) fn without_outdated(&mut self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        let mut kept = Vec::with_capacity(claims.len());
        for mut claim in claims {
            let waited = self.tx.now.duration_since(claim.created_at) >= OUTDATED_AFTER;
            let is_taken_back = self.is_taken_back(&claim)?;
            // What an attempt before may have written is looked for first: what takes it back has to know of it, and what follows it,
            // where it stands.
            claim.only_look = is_taken_back && claim.unsure;
            let may_be_news = claim.statement.is_none() || claim.unsure;
            let is_unwanted = !may_be_news && (is_taken_back || waited && self.is_no_news(&claim)?);
            if !is_unwanted {
                kept.push(self.knowing_what_it_mends(claim)?);
                continue;
            }
            if statements::supersede(self.tx, &claim)? {
                // Others may be claimed at once.
                self.effects.wrote();
                if !self.is_to_a_subscriber(&claim) {
                    self.conclude(&Sent::from(&claim), "superseded", "")?;
                }
            }
        }
        Ok(kept)
    }

    /// What corrects or takes back may have been written before the first was there: by now the channel has given it an id, or never will.
    fn knowing_what_it_mends(&mut self, mut claim: Claim) -> Result<Claim, StoreError> {
        let Some(number) = claim.statement else { return Ok(claim) };
        let saved = self.memory.incident(self.tx, claim.incident)?;
        let known = saved.as_ref().and_then(|saved| saved.incident.voice.statement(number));
        let Some(mended) = known.and_then(|known| known.wording.mends) else { return Ok(claim) };
        claim.mends_nothing = statements::was_nowhere(self.tx, claim.incident, &claim.channel, mended)?;
        let Ok(mut words) = serde_json::from_str::<render::Words>(&claim.payload) else { return Ok(claim) };
        if let Some(mends) = words.statement.as_mut().and_then(|said| said.mends.as_mut())
            && mends.remote_id.is_none()
        {
            mends.remote_id = statements::remote_of(self.tx, claim.incident, &claim.channel, mended)?;
            claim.payload = serde_json::to_string(&words)?;
        }
        Ok(claim)
    }

    fn is_taken_back(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        let Some(number) = claim.statement else { return Ok(false) };
        let saved = self.memory.incident(self.tx, claim.incident)?;
        Ok(saved.is_some_and(|saved| saved.incident.voice.is_taken_back(number)))
    }

    fn is_no_news(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        let Some(saved) = self.memory.incident(self.tx, claim.incident)? else { return Ok(false) };
        let voice = &saved.incident.voice;
        let (Some(number), newer) = (claim.statement, statements::behind(self.tx, claim)?) else {
            return Ok(false);
        };
        let is_news = |number: u32, sorts: &[Sort]| {
            voice.statement(number).is_some_and(|one| sorts.contains(&one.wording.sort))
        };
        let is_mended = voice.statements.iter().any(|one| one.wording.mends == Some(number));
        let news = [Sort::Update, Sort::Holding, Sort::Closing];
        Ok(!is_mended && is_news(number, &news[..2]) && newer.iter().any(|newer| is_news(*newer, &news)))
    }

    /// That statements went out is written down where a status page looks for it.
    pub(super) fn notes_statements(&mut self, decision: &Decision) -> Result<(), StoreError> {
        for entry in &decision.entries {
            let Fact::Voice(Say::Published { number, .. }) = &entry.fact else { continue };
            if let Some(known) = decision.incident.voice.statement(*number) {
                let audience = known.wording.audience;
                statements::published(self.tx, decision.incident.id, *number, audience, entry.at)?;
            }
        }
        Ok(())
    }
}

/// What of the words of a statement, written at that hour, must not be said to its audience or is to be looked at again.
///
/// # Errors
/// What the engine says.
pub fn found(
    tx: &Tx<'_>,
    rules: &Rules,
    incident: &Incident,
    (wording, written): (&Wording, Timestamp),
) -> Result<Vec<Finding>, StoreError> {
    let text = Rendered {
        subject: wording.title.clone(),
        body: wording.printed(written),
        fields: Vec::new(),
        links: Vec::new(),
        attachments: Vec::new(),
    };
    let (seen, hosts, is_all) = seen_in(tx, incident)?;
    let unread = !is_all || alerts::count_of_incident(tx, incident.id)? > u64::from(ALERTS_SEEN_MAX);
    let slots = wording.promise(written).into_iter().collect();
    let confirmed = incident.voice.cause.is_some();
    let number = u64::try_from(incident.id).unwrap_or_default();
    let known = rules.disclosure.known(seen, hosts, slots, confirmed, false, number);
    let mut found = disclosure::lint(&text, wording.audience, &known);
    if let Some(weight) = disclosure::weight(Rule::Host, wording.audience).filter(|_| unread) {
        let (place, span) = (Place::Body, 0..text.body.len());
        let why = "there are more alerts than were looked through: a second person reads whether it names a machine";
        found.push(Finding { place, span, rule: Rule::Host, weight, why });
    }
    Ok(found)
}

/// The words of an incident's own alerts, also of those that have become another's, and the names of machines among them; and whether
/// these are all.
fn seen_in(tx: &Tx<'_>, incident: &Incident) -> Result<(BTreeSet<String>, Vec<String>, bool), StoreError> {
    let (mut seen, mut hosts) = (BTreeSet::new(), Vec::new());
    // Labels of what was split off, or fires for another now, are among what the incident is found by.
    let terms = history::labels_of(tx, incident.id, TERMS_SEEN_MAX)?;
    for (name, value) in terms.iter().filter_map(|term| search::label(term)) {
        seen.extend(words_of(value));
        if HOST_LABELS.contains(&name.to_ascii_lowercase().as_str()) {
            hosts.push(host_of(value).to_owned());
        }
    }
    let mut each = |alert: &alerts::Shown| {
        for text in [&alert.title, &alert.body, &alert.key, &alert.source] {
            if seen.len() < WORDS_SEEN_MAX {
                seen.extend(words_of(text));
            }
        }
        for (name, value) in &alert.labels {
            seen.extend(words_of(value));
            if HOST_LABELS.contains(&name.to_ascii_lowercase().as_str()) {
                hosts.push(host_of(value).to_owned());
            }
        }
    };
    alerts::each_of_incident(tx, incident.id, ALERTS_SEEN_MAX, &mut each)?;
    alerts::each_moved_from(tx, incident.id, ALERTS_SEEN_MAX, &mut each)?;
    hosts.retain(|host| !host.is_empty());
    hosts.sort_unstable();
    hosts.dedup();
    let is_all = seen.len() < WORDS_SEEN_MAX;
    Ok((seen, hosts, is_all))
}

/// A statement as a channel would be handed it, before it is sent.
pub struct Sample<'a> {
    /// Its incident.
    pub incident: &'a Incident,
    /// Its number.
    pub number: u32,
    /// Its words.
    pub wording: &'a Wording,
    /// When they were written.
    pub written: Timestamp,
}

impl Sample<'_> {
    /// As [`Channel::shows`] takes it. There is always one: its words are of this version.
    pub fn parcel(&self) -> Option<Parcel> {
        let hours = (self.written, self.written);
        parcel::of(render::statement(self.incident, self.number, self.wording, hours, None), self.written)
    }
}

/// How a statement is shown in each of its channels, by their names.
pub fn previews<'a>(
    incident: &'a Incident,
    known: &'a Statement,
    house: &'a crate::house::House,
) -> impl Iterator<Item = (&'a str, crate::channels::statement::Shown)> + 'a {
    let sample = Sample { incident, number: known.number, wording: &known.wording, written: known.at };
    known.wording.channels.iter().filter_map(move |name| {
        let channel: &Channel = house.channels.get(name)?;
        Some((name.as_str(), channel.shows(&sample.parcel()?)))
    })
}

/// The words of a text by which a machine might be called.
fn words_of(text: &str) -> impl Iterator<Item = String> + '_ {
    let ends = |c: char| c.is_whitespace() || ",;()[]{}<>\"'=|".contains(c);
    text.split(ends)
        .map(|word| word.trim_matches(|c: char| ".:!?/".contains(c)))
        .filter(|word| word.len() > 1)
        .map(str::to_owned)
}

/// Without a port behind it.
fn host_of(value: &str) -> &str {
    match value.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|one| one.is_ascii_digit()) => host,
        _ => value,
    }
}

impl Wish {
    /// Whether it is about words that have to be looked at.
    pub(super) fn has_words(&self) -> bool {
        matches!(
            self,
            Self::Draft { .. }
                | Self::Override { .. }
                | Self::Approve { .. }
                | Self::Publish { .. }
                | Self::Resend { .. }
        )
    }
}
