//! `[[statement]]`: words of the house for statements; and what goes out by itself for a service (`holding`).
//!
//! What goes out by itself was read by nobody that night, so it is read when the configuration is: words that must not be said
//! refuse it.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::errors::nearest;
use super::read::{Reading, Table};
use super::{SecretsMode, policies};
use crate::core::audience::Audience;
use crate::core::disclosure::{Disclosure, Rendered, Weight, lint};
use crate::core::incident::Severity;
use crate::core::rules::{Holding, Rules, Template};
use crate::core::voice::Phase;

/// While nobody has the incident.
const DETECTED: &str = "detected";
/// What may stand in a text.
const SLOTS: [&str; 3] = ["{product}", "{symptom}", "{since}"];
/// Nothing goes out by itself sooner, or later, than this.
const SOONEST: SignedDuration = SignedDuration::from_mins(1);
const LATEST: SignedDuration = SignedDuration::from_mins(30);

/// Reads the words of the house.
pub(super) fn templates(
    root: &mut Table<'_>,
    reading: &mut Reading,
    disclosure: &Disclosure,
) -> Vec<Template> {
    let mut all = Vec::new();
    for mut table in root.tables(reading, "statement") {
        let audience = table.needed(reading, "audience");
        let phase = table.needed(reading, "phase");
        let text = table.needed(reading, "text");
        let severities = severities(&mut table, reading, "severities").unwrap_or_default();
        table.end(reading);
        let (Some(audience), Some(phase), Some(text)) = (audience, phase, text) else { continue };
        let Some(reads) = Audience::from_word(&audience.value) else {
            let near = nearest(&audience.value, Audience::ALL.map(Audience::as_str));
            reading.errors.add(audience.span, format!("no audience is called `{}`{near}", audience.value));
            continue;
        };
        let told = match phase.value.as_str() {
            DETECTED => None,
            word => match Phase::from_word(word) {
                Some(phase) => Some(phase),
                None => {
                    let all = [DETECTED].into_iter().chain(Phase::ALL.map(Phase::as_str));
                    let near = nearest(word, all);
                    reading.errors.add(phase.span, format!("no phase is called `{word}`{near}"));
                    continue;
                }
            },
        };
        // Where the lists are not read, whoever reads them says it.
        let lists = matches!(reading.mode, SecretsMode::Read | SecretsMode::Names).then_some(disclosure);
        if let Some(why) = wrong(&text.value, reads, lists) {
            reading.errors.add(text.span, why);
        }
        all.push(Template { audience: reads, phase: told, severities, text: text.value });
    }
    all
}

/// `holding`, `holding_audiences` and `holding_severities` of a service.
pub(super) fn holding(table: &mut Table<'_>, reading: &mut Reading) -> Option<Holding> {
    let after = table.duration(reading, "holding");
    let audiences = table.texts(reading, "holding_audiences");
    let severities = severities(table, reading, "holding_severities");
    let Some(after) = after else {
        if audiences.is_some() || severities.is_some() {
            let key = if audiences.is_some() { "holding_audiences" } else { "holding_severities" };
            let what = format!("`{key}` is about what goes out by itself: say with `holding` how soon");
            reading.errors.add(table.place(key), what);
        }
        return None;
    };
    if !(SOONEST..=LATEST).contains(&after.value) {
        reading.errors.add(after.span, format!("`holding` lies between {SOONEST:#} and {LATEST:#}"));
    }
    let audiences = match audiences {
        None => [Audience::Public].into(),
        Some(words) => {
            let mut found = BTreeSet::new();
            for word in words {
                match Audience::from_word(&word.value) {
                    Some(audience) => drop(found.insert(audience)),
                    None => {
                        let near = nearest(&word.value, Audience::ALL.map(Audience::as_str));
                        reading
                            .errors
                            .add(word.span, format!("no audience is called `{}`{near}", word.value));
                    }
                }
            }
            found
        }
    };
    let severities = severities.unwrap_or_else(|| [Severity::Sev1, Severity::Sev2].into());
    Some(Holding { after: after.value, audiences, severities })
}

fn severities(table: &mut Table<'_>, reading: &mut Reading, key: &str) -> Option<BTreeSet<Severity>> {
    let words = table.texts(reading, key)?;
    Some(words.iter().filter_map(|word| policies::severity(reading, &word.value, &word.span)).collect())
}

/// What services say of themselves in holding statements, which nobody reads before they go out.
pub(super) fn symptoms(reading: &mut Reading, rules: &Rules) {
    let lists = matches!(reading.mode, SecretsMode::Read | SecretsMode::Names).then_some(&rules.disclosure);
    for (name, service) in rules.services.iter().filter(|(_, service)| !service.symptom.is_empty()) {
        let audiences = service.holding.iter().flat_map(|holding| holding.audiences.iter().copied());
        let audiences: BTreeSet<Audience> = audiences.chain([Audience::Public]).collect();
        let stops = audiences.into_iter().find_map(|audience| wrong(&service.symptom, audience, lists));
        if let Some(why) = stops {
            reading.errors.add_whole(format!("`symptom` of the service {name}: {why}"));
        }
    }
}

/// Why a text cannot stand there: a slot that nothing fills, or words that must not be said.
pub(super) fn wrong(text: &str, audience: Audience, lists: Option<&Disclosure>) -> Option<String> {
    let mut plain = text.to_owned();
    for slot in SLOTS {
        plain = plain.replace(slot, "");
    }
    if plain.contains(['{', '}']) {
        return Some(format!("only {} can stand in braces", SLOTS.join(", ")));
    }
    if plain.trim().is_empty() {
        return Some("the text is empty".to_owned());
    }
    let known = lists?.known(BTreeSet::new(), Vec::new(), Vec::new(), false, false, 0);
    let found = lint(&Rendered { body: plain, ..Rendered::default() }, audience, &known);
    let stops = found.into_iter().find(|one| one.weight != Weight::Warn)?;
    Some(format!("it must not be said to this audience: {}: {}", stops.rule.as_str(), stops.why))
}
