//! Channels: the ways out.

use std::collections::BTreeMap;

use super::errors::nearest;
use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::{ChannelConfig, ChannelKind, Kinds, SecretsMode};

pub(super) fn channels(root: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Vec<ChannelConfig> {
    let mut found: Vec<ChannelConfig> = Vec::new();
    let mut fallbacks: Vec<(String, At<String>)> = Vec::new();
    for mut table in root.tables(reading, "channel") {
        let name = names::name(&mut table, reading);
        let kind = table.needed(reading, "kind");
        let fallback = table.text(reading, "fallback");
        audience(&mut table, reading);
        if let Some(kind) = &kind {
            known(reading, kind, "kind of channel", kinds.channels.iter().map(|kind| kind.name));
        }
        let spec =
            kind.as_ref().and_then(|kind| kinds.channels.iter().find(|known| known.name == kind.value));
        let mut channel = ChannelConfig {
            name: String::new(),
            kind: String::new(),
            fallback: fallback.as_ref().map(|fallback| fallback.value.clone()),
            texts: BTreeMap::new(),
            lists: BTreeMap::new(),
            secrets: BTreeMap::new(),
            place: reading.errors.place(table.span.start),
        };
        match spec {
            Some(spec) => {
                own_keys(&mut table, reading, spec, &mut channel);
                table.end(reading);
            }
            // Without a known kind nobody can say which of its keys are right.
            None => drop(table),
        }
        let (Some(name), Some(kind)) = (name, kind) else { continue };
        if name.value == "mail" {
            let what = "`mail` is what metrics call the letters to persons; give the channel another name";
            reading.errors.add(name.span, what);
            continue;
        }
        if found.iter().any(|other| other.name == name.value) {
            reading.errors.add(name.span, format!("there are two channels called {}", name.value));
            continue;
        }
        if let Some(fallback) = fallback {
            fallbacks.push((name.value.clone(), fallback));
        }
        found.push(ChannelConfig { name: name.value, kind: kind.value, ..channel });
    }
    fall_back(reading, &found, &fallbacks);
    found
}

/// Who a channel is for.
fn audience(table: &mut Table<'_>, reading: &mut Reading) {
    match table.needed(reading, "audience") {
        Some(audience) if audience.value == "internal" => {}
        Some(audience) if ["stakeholder", "public"].contains(&audience.value.as_str()) => {
            let what = "only `audience = \"internal\"` is supported by this version yet";
            reading.errors.add(audience.span, what);
        }
        Some(audience) => {
            let near = nearest(&audience.value, ["internal", "stakeholder", "public"]);
            reading.errors.add(audience.span, format!("no audience is called `{}`{near}", audience.value));
        }
        None => {}
    }
}

/// Every fallback is there, and none leads back to where a letter came from.
fn fall_back(reading: &mut Reading, found: &[ChannelConfig], fallbacks: &[(String, At<String>)]) {
    for (name, fallback) in fallbacks {
        known(reading, fallback, "channel", found.iter().map(|channel| channel.name.as_str()));
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

fn own_keys(table: &mut Table<'_>, reading: &mut Reading, spec: &ChannelKind, channel: &mut ChannelConfig) {
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
        } else if let Some(list) = table.list(key.name) {
            let text = if list { None } else { table.text(reading, key.name) };
            let list = list.then(|| table.texts(reading, key.name)).flatten();
            if let Some(list) = list {
                if key.name == "recipients" {
                    recipients(reading, &list);
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
            let what = format!("a channel of the kind {} needs `{name}`", spec.name);
            reading.errors.add(table.span.clone(), what);
        }
    }
}

/// Addresses that are none would be found out at night.
fn recipients(reading: &mut Reading, list: &[At<String>]) {
    for one in list.iter().filter(|one| !names::address(&one.value)) {
        reading.errors.add(one.span.clone(), "this is no mail address, such as staff@example.net");
    }
}
