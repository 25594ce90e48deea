//! Sources: where alerts come from.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::names::{self, known};
use super::read::{At, Reading, Table};
use super::{Kinds, Map, Source, routes};
use crate::core::heartbeat::SOURCE;
use crate::core::rules::Rules;

/// A shorter secret could be guessed.
pub(super) const TOKEN_BYTES_MIN: usize = 16;

pub(super) fn sources(
    root: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    rules: &Rules,
) -> BTreeMap<String, Source> {
    let mut found: BTreeMap<String, Source> = BTreeMap::new();
    for mut table in root.tables(reading, "source") {
        let name = names::name(&mut table, reading);
        let kind = table.needed(reading, "kind");
        let service = table.needed(reading, "service");
        let signing = signing_secrets(&mut table, reading, kinds, kind.as_ref());
        let topics = topics(&mut table, reading, kinds, kind.as_ref());
        let tokens = tokens(&mut table, reading, &found, signing.is_some() || topics.is_some());
        let raw = raw(&mut table, reading, topics.as_ref(), &tokens);
        let senders = senders(&mut table, reading, kinds, kind.as_ref());
        let allow_get = table.boolean(reading, "allow_get").unwrap_or(false);
        let severity_label = table.text(reading, "severity_label").map(|label| label.value);
        let age_out = routes::age_out(&mut table, reading);
        let map = mapping(&mut table, reading, kinds, kind.as_ref());
        if let Some(kind) = &kind {
            known(reading, kind, "kind of source", kinds.sources.iter().map(|kind| kind.name));
        }
        if let Some(service) = &service {
            known(reading, service, "service", rules.services.keys().map(String::as_str));
        }
        table.end(reading);
        let (Some(name), Some(kind), Some(service)) = (name, kind, service) else { continue };
        if name.value == SOURCE {
            let what =
                "`heartbeat` is the source of alerts about missing [[heartbeat]]s; choose another name";
            reading.errors.add(name.span, what);
            continue;
        }
        if found.contains_key(&name.value) {
            reading.errors.add(name.span, format!("there are two sources called {}", name.value));
            continue;
        }
        let source = Source {
            name: name.value.clone(),
            kind: kind.value,
            tokens,
            signing_secrets: signing.unwrap_or_default(),
            service: service.value,
            allow_get,
            severity_label: severity_label.unwrap_or_else(|| "severity".into()),
            topics: topics.unwrap_or_default(),
            senders,
            map,
            raw,
            age_out,
        };
        found.insert(name.value, source);
    }
    found
}

/// What the senders of a source sign with; several while one is exchanged. `None` when they do not sign.
fn signing_secrets(
    table: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    kind: Option<&At<String>>,
) -> Option<Vec<SecretString>> {
    let At { value: secrets, span } = table.secrets(reading, "signing_secret")?;
    let signs = |name: &str| kinds.sources.iter().find(|kind| kind.name == name).map(|kind| kind.signs);
    if let Some(kind) = kind.filter(|kind| signs(&kind.value) == Some(false)) {
        let can: Vec<&str> = kinds.sources.iter().filter(|kind| kind.signs).map(|kind| kind.name).collect();
        let what = format!(
            "senders of the kind {} do not sign; those of {} can. Use `token_file` here",
            kind.value,
            can.join(", ")
        );
        reading.errors.add(span, what);
        return Some(Vec::new());
    }
    for secret in &secrets {
        if secret.expose_secret().trim().len() < TOKEN_BYTES_MIN {
            let what =
                format!("this secret is too short: at least {TOKEN_BYTES_MIN} bytes, or it could be guessed");
            reading.errors.add(span.clone(), what);
        }
    }
    Some(secrets)
}

/// The topics of Amazon SNS that may send. `None` when Amazon's signature is not asked for.
fn topics(
    table: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    kind: Option<&At<String>>,
) -> Option<Vec<String>> {
    let span = table.place("topics");
    let topics = table.texts(reading, "topics")?;
    let has = |name: &str| kinds.sources.iter().any(|kind| kind.name == name && kind.topics);
    if let Some(kind) = kind.filter(|kind| !has(&kind.value)) {
        let what = format!(
            "sources of the kind {} do not come by way of Amazon SNS; leave `topics` out",
            kind.value
        );
        reading.errors.add(span, what);
        return Some(Vec::new());
    }
    if topics.is_empty() {
        let what = "no topic may send; write arn:aws:sns:REGION:ACCOUNT:NAME, or leave `topics` out and set `token_file`";
        reading.errors.add(span, what);
    }
    for topic in &topics {
        if let Err(why) = (kinds.topic)(&topic.value) {
            reading.errors.add(topic.span.clone(), why);
        }
    }
    Some(topics.into_iter().map(|topic| topic.value).collect())
}

/// Whose mail may be an alert, in lower case. Where nobody is named, everybody's is, which is warned of.
fn senders(
    table: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    kind: Option<&At<String>>,
) -> Vec<String> {
    let takes = |name: &str| kinds.sources.iter().any(|kind| kind.name == name && kind.senders);
    let (span, is_there) = (table.place("senders"), table.has("senders"));
    let senders = table.texts(reading, "senders").unwrap_or_default();
    let Some(kind) = kind else { return Vec::new() };
    if !takes(&kind.value) {
        if is_there {
            let what = format!(
                "what a source of the kind {} is sent does not say who wrote it; leave `senders` out: its secret tells \
                 who may send",
                kind.value
            );
            reading.errors.add(span, what);
        }
        return Vec::new();
    }
    if !is_there {
        let what = "this source has no `senders`: anybody who can write to this address can raise and resolve alerts";
        reading.warn(&table.span, what);
    } else if senders.is_empty() {
        let what = "nobody's mail would be an alert; write \"monitor@example.net\", or \"@example.net\" for everybody there";
        reading.errors.add(span, what);
    }
    for sender in &senders {
        // A domain whole is right when somebody in it has an address.
        let one = if sender.value.starts_with('@') { &format!("a{}", sender.value) } else { &sender.value };
        if !names::address(one) {
            let what =
                "this is no mail address, such as monitor@example.net, and no domain, such as @example.net";
            reading.errors.add(sender.span.clone(), what);
        }
    }
    senders.into_iter().map(|sender| sender.value.to_ascii_lowercase()).collect()
}

/// The expressions that read what the senders of a source send. Each is tried, so that a typing error is found now and not at night.
fn mapping(
    table: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    kind: Option<&At<String>>,
) -> Option<Map> {
    let mut map = table.table(reading, "map")?;
    let maps = |name: &str| kinds.sources.iter().find(|kind| kind.name == name).map(|kind| kind.maps);
    if let Some(kind) = kind.filter(|kind| maps(&kind.value) == Some(false)) {
        let what = format!(
            "what a source of the kind {} is sent is known; `map` is for the kind generic",
            kind.value
        );
        reading.errors.add(map.span.clone(), what);
    }
    let mut written: BTreeMap<String, At<String>> = BTreeMap::new();
    for field in kinds.mapping.fields {
        let text = if *field == "key" { map.needed(reading, field) } else { map.text(reading, field) };
        written.extend(text.map(|text| ((*field).to_owned(), text)));
    }
    let headers = map.texts(reading, "headers").unwrap_or_default();
    if headers.len() > kinds.mapping.headers_max {
        let what = format!("expressions see at most {} headers", kinds.mapping.headers_max);
        reading.errors.add(map.place("headers"), what);
    }
    map.end(reading);
    let read = |At { value, span }: At<String>| {
        let name = (kinds.mapping.header)(&value);
        name.map_err(|why| reading.errors.add(span, why)).ok()
    };
    let headers = headers.into_iter().filter_map(read).collect();
    let expressions = written.iter().map(|(field, text)| (field.clone(), text.value.clone())).collect();
    for (field, piece, why) in (kinds.mapping.faults)(&expressions) {
        if let Some(text) = written.get(&field) {
            let place = reading.errors.within(&text.value, text.span.clone(), piece);
            reading.errors.add(place, why);
        }
    }
    Some(Map { expressions, headers })
}

/// Whether what SNS sends without its envelope is taken beside what it signs: with a token, which proves it.
fn raw(
    table: &mut Table<'_>,
    reading: &mut Reading,
    topics: Option<&Vec<String>>,
    tokens: &[SecretString],
) -> bool {
    let span = table.place("raw");
    let raw = table.boolean(reading, "raw").unwrap_or(false);
    if raw && (topics.is_none() || tokens.is_empty()) {
        let what = "`raw` takes messages of SNS that nobody has signed beside those that Amazon has: it needs `topics`, and \
                    `token_file`, which proves them. Without `topics` the token decides, and `raw` says nothing";
        reading.errors.add(span, what);
    }
    raw
}

/// The secrets of a source: any of them will do, so that senders move from an old one to a new one without a gap.
fn tokens(
    table: &mut Table<'_>,
    reading: &mut Reading,
    others: &BTreeMap<String, Source>,
    is_signed: bool,
) -> Vec<SecretString> {
    let faults = reading.errors.count();
    let Some(At { value: tokens, span }) = table.secrets(reading, "token") else {
        if reading.errors.count() == faults && !is_signed {
            let what = "[[source]] needs `token_file` (or `token_env`, or `signing_secret_file` where its senders sign): \
                        without a secret anybody could raise alerts";
            reading.errors.add(table.span.clone(), what);
        }
        return Vec::new();
    };
    for token in &tokens {
        if token.expose_secret().trim().len() < TOKEN_BYTES_MIN {
            let what =
                format!("this token is too short: at least {TOKEN_BYTES_MIN} bytes, or it could be guessed");
            reading.errors.add(span.clone(), what);
        }
        let same =
            |other: &&Source| other.tokens.iter().any(|known| known.expose_secret() == token.expose_secret());
        if let Some(other) = others.values().find(same) {
            let what = format!(
                "source {} has the same token: who knows one could speak for both; give each its own",
                other.name
            );
            reading.errors.add(span.clone(), what);
        }
    }
    tokens
}
