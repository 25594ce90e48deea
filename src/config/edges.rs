//! The edges of the house: server, store, mail, sources and channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::errors::nearest;
use super::read::{At, Reading, Table};
use super::{
    ChannelConfig, ChannelKind, Kinds, Listen, Mail, Place, SecretsMode, Server, Source, Store, Tls,
};
use crate::core::rules::Rules;

/// A shorter secret could be guessed.
const TOKEN_BYTES_MIN: usize = 16;
const MIB: usize = 1024 * 1024;

pub(super) fn server(root: &mut Table<'_>, reading: &mut Reading) -> Option<Server> {
    let Some(mut table) = root.table(reading, "server") else {
        reading.errors.add_whole("[server] is missing; it says where to listen");
        return None;
    };
    let listen = table.needed(reading, "listen").and_then(|listen| {
        let read = address(&listen.value);
        if read.is_none() {
            let what = "`listen` is an address with a port, such as 127.0.0.1:8087 or [::]:8087, or unix:/path/to/socket";
            reading.errors.add(listen.span, what);
        }
        read
    });
    let external_url = table.needed(reading, "external_url").and_then(|url| {
        let text = url.value.trim_end_matches('/');
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', ' '])) {
            return Some(text.to_owned());
        }
        let what = "`external_url` is how people reach the daemon, such as https://onscene.example.net";
        reading.errors.add(url.span, what);
        None
    });
    let certificate = table.text(reading, "tls_certificate");
    let key = table.text(reading, "tls_key");
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: reading.directory.join(certificate.value),
            key: reading.directory.join(key.value),
        }),
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            reading.errors.add(one.span, "`tls_certificate` and `tls_key` belong together; one is missing");
            None
        }
    };
    if let Some(Listen::Tcp(address)) = &listen
        && !address.ip().is_loopback()
        && tls.is_none()
    {
        reading.warnings.push(format!(
            "server.listen {address} can be reached from outside and has no TLS: tokens and links cross the network \
             in clear, unless a proxy stands in front"
        ));
    }
    let body_max = table.size(reading, "body_max").unwrap_or(MIB);
    let connections_max = table.number(reading, "connections_max", 16..1_000_001).unwrap_or(8192);
    let queue_max = table.number(reading, "queue_max", 1..1_000_001).unwrap_or(4096);
    let seconds = Duration::from_secs;
    let header_timeout = table.timeout(reading, "header_timeout").unwrap_or(seconds(10));
    let body_timeout = table.timeout(reading, "body_timeout").unwrap_or(seconds(20));
    let idle_timeout = table.timeout(reading, "idle_timeout").unwrap_or(seconds(75));
    table.later(reading, &["public_listen"]);
    table.end(reading);
    Some(Server {
        listen: listen?,
        external_url: external_url?,
        tls,
        body_max,
        connections_max: usize::try_from(connections_max).unwrap_or(usize::MAX),
        header_timeout,
        body_timeout,
        idle_timeout,
        queue_max: usize::try_from(queue_max).unwrap_or(usize::MAX),
    })
}

fn address(text: &str) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        return path.starts_with('/').then(|| Listen::Unix(PathBuf::from(path)));
    }
    text.parse::<SocketAddr>().ok().map(Listen::Tcp)
}

pub(super) fn store(root: &mut Table<'_>, reading: &mut Reading) -> Option<Store> {
    let Some(mut table) = root.table(reading, "store") else {
        reading.errors.add_whole("[store] is missing; it says where to keep everything");
        return None;
    };
    let path = table.needed(reading, "url").and_then(|url| {
        let what = match url.value.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => return Some(PathBuf::from(path)),
            None if url.value.starts_with("postgres") => {
                "PostgreSQL is not supported by this version yet; write sqlite:PATH"
            }
            _ => "`url` says where the store is: sqlite:PATH",
        };
        reading.errors.add(url.span, what);
        None
    });
    let retention = table.duration(reading, "retention").map(|retention| retention.value);
    table.end(reading);
    Some(Store { path: path?, retention })
}

pub(super) fn mail(root: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Option<Mail> {
    let mut table = root.table(reading, "mail")?;
    let from = table.needed(reading, "from");
    if let Some(from) = &from
        && !from.value.contains('@')
    {
        reading
            .errors
            .add(from.span.clone(), "`from` is a mail address, such as onscene <pager@example.net>");
    }
    let relays = table.texts(reading, "relays");
    if relays.as_ref().is_none_or(Vec::is_empty) {
        reading.errors.add(
            table.span.clone(),
            "[mail] needs `relays`: at least one, such as smtp://mx.example.net:587",
        );
    }
    let relays = relays.unwrap_or_default();
    for relay in &relays {
        if let Err(why) = (kinds.relay)(&relay.value) {
            reading.errors.add(relay.span.clone(), why);
        }
    }
    let password = table.secret(reading, "password");
    let ca_file = table.text(reading, "ca_file").map(|file| reading.directory.join(file.value));
    table.end(reading);
    Some(Mail {
        from: from?.value,
        relays: relays.into_iter().map(|relay| relay.value).collect(),
        password: password.and_then(|password| password.value),
        ca_file,
    })
}

pub(super) fn sources(
    root: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    rules: &Rules,
) -> BTreeMap<String, Source> {
    let mut found = BTreeMap::new();
    for mut table in root.tables(reading, "source") {
        let name = table.needed(reading, "name");
        let kind = table.needed(reading, "kind");
        let service = table.needed(reading, "service");
        let faults = reading.errors.count();
        let token = table.secret(reading, "token");
        let told = reading.errors.count() > faults;
        let allow_get = table.boolean(reading, "allow_get").unwrap_or(false);
        let severity_label = table.text(reading, "severity_label").map(|label| label.value);
        match &token {
            None if told => {}
            None => reading.errors.add(
                table.span.clone(),
                "[[source]] needs `token_file` (or `token_env`): without a secret anybody could raise alerts",
            ),
            Some(At { value: Some(secret), span }) if secret.expose_secret().len() < TOKEN_BYTES_MIN => {
                let what = format!(
                    "this token is too short: at least {TOKEN_BYTES_MIN} bytes, or it could be guessed"
                );
                reading.errors.add(span.clone(), what);
            }
            Some(_) => {}
        }
        if let Some(kind) = &kind {
            known(reading, kind, "kind of source", kinds.sources.iter().copied());
        }
        if let Some(service) = &service {
            known(reading, service, "service", rules.services.keys().map(String::as_str));
        }
        table.end(reading);
        let (Some(name), Some(kind), Some(service)) = (name, kind, service) else { continue };
        if !plain(&name.value) {
            let what = "a source's name stands in its address: small letters, digits, - and _ only";
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
            tokens: token.and_then(|token| token.value).into_iter().collect(),
            service: service.value,
            allow_get,
            severity_label: severity_label.unwrap_or_else(|| "severity".into()),
        };
        found.insert(name.value, source);
    }
    found
}

pub(super) fn channels(
    root: &mut Table<'_>,
    reading: &mut Reading,
    kinds: &Kinds,
    path: &Path,
) -> Vec<ChannelConfig> {
    let mut found: Vec<ChannelConfig> = Vec::new();
    let mut fallbacks: Vec<(String, At<String>)> = Vec::new();
    for mut table in root.tables(reading, "channel") {
        let name = table.needed(reading, "name");
        let kind = table.needed(reading, "kind");
        let fallback = table.text(reading, "fallback");
        match table.needed(reading, "audience") {
            Some(audience) if audience.value == "internal" => {}
            Some(audience) if ["stakeholder", "public"].contains(&audience.value.as_str()) => {
                let what = "only `audience = \"internal\"` is supported by this version yet";
                reading.errors.add(audience.span, what);
            }
            Some(audience) => {
                let near = nearest(&audience.value, ["internal", "stakeholder", "public"]);
                reading
                    .errors
                    .add(audience.span, format!("no audience is called `{}`{near}", audience.value));
            }
            None => {}
        }
        if let Some(kind) = &kind {
            known(reading, kind, "kind of channel", kinds.channels.iter().map(|kind| kind.name));
        }
        let spec =
            kind.as_ref().and_then(|kind| kinds.channels.iter().find(|known| known.name == kind.value));
        let line = reading.errors.line(table.span.start);
        let mut channel = ChannelConfig {
            name: String::new(),
            kind: String::new(),
            fallback: fallback.as_ref().map(|fallback| fallback.value.clone()),
            texts: BTreeMap::new(),
            lists: BTreeMap::new(),
            secrets: BTreeMap::new(),
            place: Place { file: path.into(), line },
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
        if found.iter().any(|other| other.name == name.value) {
            reading.errors.add(name.span, format!("there are two channels called {}", name.value));
            continue;
        }
        if let Some(fallback) = fallback {
            fallbacks.push((name.value.clone(), fallback));
        }
        found.push(ChannelConfig { name: name.value, kind: kind.value, ..channel });
    }
    for (name, fallback) in &fallbacks {
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
    found
}

fn own_keys(table: &mut Table<'_>, reading: &mut Reading, spec: &ChannelKind, channel: &mut ChannelConfig) {
    for key in &spec.keys {
        let there = if key.secret {
            let secret = table.secret(reading, key.name);
            let there = secret.is_some();
            if let Some(secret) = secret.and_then(|secret| secret.value) {
                channel.secrets.insert(key.name.into(), secret);
            }
            there || reading.mode == SecretsMode::Skip && !key.required
        } else if let Some(list) = table.list(key.name) {
            let list = list.then(|| table.texts(reading, key.name)).flatten();
            let text = if list.is_none() { table.text(reading, key.name) } else { None };
            if let Some(list) = list {
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

/// Complains about a name that is not there.
pub(super) fn known<'a>(
    reading: &mut Reading,
    name: &At<String>,
    what: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> bool {
    let known: Vec<&str> = known.into_iter().collect();
    if known.contains(&name.value.as_str()) {
        return true;
    }
    let near = nearest(&name.value, known.iter().copied());
    let there = match known.len() {
        0 => "; there is none".to_owned(),
        1..=8 if near.is_empty() => format!("; there are {}", known.join(", ")),
        _ => near,
    };
    reading.errors.add(name.span.clone(), format!("no {what} is called `{}`{there}", name.value));
    false
}

/// Whether a name can stand in an address.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}
