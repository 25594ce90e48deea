//! Channels and ways: what carries status out, and pages to persons beside mail.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Time;

use super::errors::nearest;
use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::{ChannelConfig, ChannelKind, Kinds, SecretsMode};
use crate::core::audience::Audience;
use crate::core::incident::Severity;
use crate::core::reach::{AFTER_MAX, MAIL, Quiet, Way};
use crate::core::rules::{Person, Rules};
/// The key of a channel that anybody may subscribe to.
const SUBSCRIBERS: &str = "subscribers";

pub(super) fn channels(
    root: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    ways: &[ChannelConfig],
    rules: &Rules,
) -> Vec<ChannelConfig> {
    let services: Vec<&str> = rules.services.keys().map(String::as_str).collect();
    let mut found: Vec<ChannelConfig> = Vec::new();
    let mut fallbacks: Vec<(String, At<String>)> = Vec::new();
    for mut table in root.tables(reading, "channel") {
        let name = names::name(&mut table, reading);
        let fallback = table.text(reading, "fallback");
        let audience = audience(&mut table, reading);
        let spec = kinds.channels.iter().filter(|kind| kind.status);
        let one = one(table, reading, "channel", spec, &services);
        let (Some(name), Some(mut channel)) = (name, one) else { continue };
        channel.audience = audience.unwrap_or(Audience::Internal);
        let publishes = kinds.channels.iter().any(|kind| kind.name == channel.kind && kind.publishes);
        if publishes && channel.audience == Audience::Internal {
            let what = format!(
                "a channel of the kind {} takes statements only, and what is internal is mostly none: give it the audience \
                 \"public\" or \"stakeholder\"",
                channel.kind
            );
            reading.errors.add(name.span.clone(), what);
        }
        if channel.kind == "site" && channel.audience == Audience::Stakeholder {
            let what =
                "a channel of the kind site is a copy of the public page: give it the audience \"public\"";
            reading.errors.add(name.span.clone(), what);
        }
        channel.fallback = fallback.as_ref().map(|fallback| fallback.value.clone());
        if !is_free(reading, &name, "channel", &[("channel", &found), ("way", ways)]) {
            continue;
        }
        if let Some(fallback) = fallback {
            fallbacks.push((name.value.clone(), fallback));
        }
        found.push(ChannelConfig { name: name.value, ..channel });
    }
    fall_back(reading, &found, &fallbacks);
    found
}

/// `[[way]]`: what carries pages to persons beside mail.
pub(super) fn ways(root: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Vec<ChannelConfig> {
    let mut found: Vec<ChannelConfig> = Vec::new();
    for mut table in root.tables(reading, "way") {
        let name = names::name(&mut table, reading);
        let spec = kinds.channels.iter().filter(|kind| kind.address.is_some());
        let one = one(table, reading, "way", spec, &[]);
        let (Some(name), Some(way)) = (name, one) else { continue };
        if is_free(reading, &name, "way", &[("way", &found)]) {
            found.push(ChannelConfig { name: name.value, ..way });
        }
    }
    found
}

/// Metrics and letters know channels and ways by their names, so each has one of its own.
fn is_free(reading: &mut Reading, name: &At<String>, what: &str, taken: &[(&str, &[ChannelConfig])]) -> bool {
    if name.value == "mail" {
        let what =
            format!("`mail` is what metrics call the letters to persons; give the {what} another name");
        reading.errors.add(name.span.clone(), what);
        return false;
    }
    for (of, others) in taken {
        if others.iter().any(|other| other.name == name.value) {
            let said = match *of == what {
                true => format!("there are two {what}s called {}", name.value),
                false => {
                    format!("there is a {of} called {} already; give the {what} another name", name.value)
                }
            };
            reading.errors.add(name.span.clone(), said);
            return false;
        }
    }
    true
}

/// The kind of a channel or a way, and the keys of that kind. It has no name yet.
fn one<'k>(
    mut table: Table<'_>,
    reading: &mut Reading,
    what: &str,
    kinds: impl Iterator<Item = &'k ChannelKind> + Clone,
    services: &[&str],
) -> Option<ChannelConfig> {
    let kind = table.needed(reading, "kind");
    if let Some(kind) = &kind {
        known(reading, kind, &format!("kind of {what}"), kinds.clone().map(|kind| kind.name));
    }
    let mut kinds = kinds;
    let spec = kind.as_ref().and_then(|kind| kinds.find(|known| known.name == kind.value));
    let mut found = ChannelConfig {
        name: String::new(),
        audience: Audience::Internal,
        kind: String::new(),
        fallback: None,
        texts: BTreeMap::new(),
        lists: BTreeMap::new(),
        secrets: BTreeMap::new(),
        place: reading.errors.place(table.span.start),
    };
    match spec {
        Some(spec) => {
            own_keys(&mut table, reading, spec, what, services, &mut found);
            table.end(reading);
        }
        // Without a known kind nobody can say which of its keys are right.
        None => drop(table),
    }
    Some(ChannelConfig { kind: kind?.value, ..found })
}

/// `ways` and `quiet` of a person.
pub(super) fn of_person(
    table: &mut Table<'_>,
    reading: &mut Reading,
    ways: &[ChannelConfig],
    kinds: &Kinds,
) -> (Vec<Way>, Option<Quiet>) {
    let mut found: Vec<Way> = Vec::new();
    for mut one in table.tables(reading, "ways") {
        let way = one.needed(reading, "way");
        let to = one.needed(reading, "to");
        let after = one.duration(reading, "after");
        let severities = severities(&mut one, reading);
        let notices = one.boolean(reading, "notices").unwrap_or(false);
        one.end(reading);
        if let Some(after) = &after
            && after.value > AFTER_MAX
        {
            reading.errors.add(after.span.clone(), "`after` is at most 1h: nobody is woken so late");
        }
        let (Some(way), Some(to)) = (way, to) else { continue };
        if way.value == MAIL {
            let what = "mail is always there, and at once: it goes to `email`; leave it out here";
            reading.errors.add(way.span, what);
            continue;
        }
        if !known(reading, &way, "way", ways.iter().map(|way| way.name.as_str())) {
            continue;
        }
        let kind = ways.iter().find(|known| known.name == way.value).map(|known| known.kind.as_str());
        let kind = kind.and_then(|kind| kinds.channels.iter().find(|known| known.name == kind));
        if let Some(Err(why)) = kind.and_then(|kind| kind.address).map(|address| address(&to.value)) {
            reading
                .errors
                .add(to.span.clone(), format!("this is no address of the way {}: {why}", way.value));
        }
        if found.iter().any(|other| other.name == way.value && other.to == to.value) {
            let what = format!("the way {} to this address is there twice", way.value);
            reading.errors.add(way.span, what);
            continue;
        }
        let after = after.map_or(SignedDuration::ZERO, |after| after.value);
        found.push(Way { name: way.value, to: to.value, after, severities, notices });
    }
    (found, quiet(table, reading))
}

/// What is sent to one token of Gotify is seen by the one user whose it is: who else names such a way is never woken by it.
pub(super) fn are_their_own(
    reading: &mut Reading,
    person: &At<String>,
    ways: &[Way],
    known: &[ChannelConfig],
    rules: &Rules,
) {
    let of_one =
        ways.iter().filter(|way| known.iter().any(|one| one.name == way.name && one.kind == "gotify"));
    for way in of_one {
        let has = |other: &Person| other.ways.iter().any(|theirs| theirs.name == way.name);
        let taken = rules.people.iter().find(|(name, other)| **name != person.value && has(other));
        if let Some((other, _)) = taken {
            let what = format!(
                "the way {} reaches one person, and {other} names it already; {} needs a [[way]] of their own",
                way.name, person.value
            );
            reading.errors.add(person.span.clone(), what);
        }
    }
}

fn quiet(table: &mut Table<'_>, reading: &mut Reading) -> Option<Quiet> {
    let mut table = table.table(reading, "quiet")?;
    let (faults, span) = (reading.errors.count(), table.span.clone());
    let mut hours = Vec::new();
    for one in table.texts(reading, "hours").unwrap_or_default() {
        match hours_of(&one.value) {
            Some(found) => hours.push(found),
            None => {
                let what = "these are no hours, such as \"22:00-07:00\"";
                reading.errors.add(one.span, what);
            }
        }
    }
    let severities = severities(&mut table, reading);
    table.end(reading);
    if reading.errors.count() == faults && (hours.is_empty() || severities.is_empty()) {
        let what = "`quiet` needs `hours` and `severities`, such as { hours = [\"22:00-07:00\"], severities = [\"SEV4\"] }";
        reading.errors.add(span, what);
    }
    Some(Quiet { hours, severities })
}

fn severities(table: &mut Table<'_>, reading: &mut Reading) -> Vec<Severity> {
    let all = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4];
    let mut found = Vec::new();
    for one in table.texts(reading, "severities").unwrap_or_default() {
        if known(reading, &one, "severity", all.map(Severity::as_str)) {
            found.extend(all.into_iter().find(|severity| severity.as_str() == one.value));
        }
    }
    found
}

/// `22:00-07:00`; `24:00` is the end of the day.
fn hours_of(text: &str) -> Option<(Time, Time)> {
    let time = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return None;
        }
        match (hours, minutes) {
            ("24", "00") => Some(Time::midnight()),
            _ => Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok(),
        }
    };
    let (from, until) = text.split_once('-')?;
    let (from, until) = (time(from)?, time(until)?);
    (from != until).then_some((from, until))
}

/// Who a channel is for.
fn audience(table: &mut Table<'_>, reading: &mut Reading) -> Option<Audience> {
    let word = table.needed(reading, "audience")?;
    let found = Audience::from_word(&word.value);
    if found.is_none() {
        let near = nearest(&word.value, Audience::ALL.map(Audience::as_str));
        reading.errors.add(word.span, format!("no audience is called `{}`{near}", word.value));
    }
    found
}

/// Every fallback is there, and none leads back to where a letter came from.
fn fall_back(reading: &mut Reading, found: &[ChannelConfig], fallbacks: &[(String, At<String>)]) {
    for (name, fallback) in fallbacks {
        known(reading, fallback, "channel", found.iter().map(|channel| channel.name.as_str()));
        let of =
            |name: &str| found.iter().find(|channel| channel.name == name).map(|channel| channel.audience);
        if let (Some(own), Some(other)) = (of(name), of(&fallback.value))
            && other > own
        {
            let (own, other) = (own.as_str(), other.as_str());
            let what = format!(
                "{name} is read by {own}, and its fallback by {other}: what is said to the one is not for the other"
            );
            reading.errors.add(fallback.span.clone(), what);
        }
        let mut at = Some(&fallback.value);
        for _ in 0..found.len() {
            if at == Some(name) {
                let what =
                    format!("the fallbacks of {name} lead back to it: a letter would go round for ever");
                reading.errors.add(fallback.span.clone(), what);
                break;
            }
            at = at.and_then(|at| fallbacks.iter().find(|(name, _)| name == at)).map(|(_, next)| &next.value);
        }
    }
}

fn own_keys(
    table: &mut Table<'_>,
    reading: &mut Reading,
    spec: &ChannelKind,
    kind_of: &str,
    services: &[&str],
    channel: &mut ChannelConfig,
) {
    for key in &spec.keys {
        let there = if key.secret {
            let faults = reading.errors.count();
            let secret = table.secret(reading, key.name);
            // One that cannot be read was told.
            let there = secret.is_some() || reading.errors.count() > faults;
            if let Some(secret) = secret.and_then(|secret| secret.value) {
                channel.secrets.insert(key.name.into(), secret);
            }
            there || reading.mode != SecretsMode::Read && !key.required
        } else if key.name == "notify" && table.has(key.name) {
            let flag = table.boolean(reading, key.name);
            channel.texts.extend(flag.map(|flag| (key.name.to_owned(), flag.to_string())));
            true
        } else if key.name == SUBSCRIBERS {
            if table.boolean(reading, SUBSCRIBERS) == Some(true) {
                let is_public = table.text(reading, "audience").is_some_and(|word| word.value == "public");
                if !is_public {
                    let what =
                        "`subscribers` are anybody: only a channel with `audience = \"public\"` has some";
                    reading.errors.add(table.place(SUBSCRIBERS), what);
                }
                channel.texts.insert(SUBSCRIBERS.into(), "true".into());
            }
            table.has(SUBSCRIBERS)
        } else if let Some(list) = table.list(key.name) {
            let text = if list { None } else { table.text(reading, key.name) };
            let list = list.then(|| table.texts(reading, key.name)).flatten();
            if let Some(list) = list {
                if key.name == "recipients" {
                    recipients(reading, &list);
                }
                if key.name == "components" {
                    components(reading, &list, services);
                }
                channel.lists.insert(key.name.into(), list.into_iter().map(|one| one.value).collect());
            }
            if let Some(text) = text {
                channel.texts.insert(key.name.into(), text.value);
            }
            true
        } else {
            false
        };
        if key.required && !there {
            let name = if key.secret { format!("{}_file", key.name) } else { key.name.to_owned() };
            let what = format!("a {kind_of} of the kind {} needs `{name}`", spec.name);
            reading.errors.add(table.span.clone(), what);
        }
    }
}

/// A component of a service that is none would never change.
fn components(reading: &mut Reading, list: &[At<String>], services: &[&str]) {
    for one in list {
        match one.value.split_once('=') {
            Some((service, id)) if !id.trim().is_empty() => {
                let service = At { value: service.trim().to_owned(), span: one.span.clone() };
                known(reading, &service, "service", services.iter().copied());
            }
            _ => {
                let what = "this names no service and no component of it, such as \"shop=abc123\"";
                reading.errors.add(one.span.clone(), what);
            }
        }
    }
}

/// Addresses that are none would be found out at night.
fn recipients(reading: &mut Reading, list: &[At<String>]) {
    for one in list.iter().filter(|one| !names::address(&one.value)) {
        reading.errors.add(one.span.clone(), "this is no mail address, such as staff@example.net");
    }
}
