//! The edges of the house: server, store and mail.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::core::rules::Rules;

use super::names;
use super::people::targets;
use super::read::{At, Reading, Table};
use super::{Database, Emergency, Kinds, Listen, Mail, SecretsMode, Server, Store, Tls};

const MIB: usize = 1024 * 1024;
/// Deliveries below this would be refused, whoever sends them.
const BODY_MIN: usize = 1024;
/// One body may take all the room there is for bodies, and no more.
const BODY_MAX: usize = 64 * MIB;
/// A spool that holds less is soon full; one that holds more takes long to be taken.
const SPOOL_MIN: usize = MIB;
const SPOOL_MAX: usize = 64 * 1024 * MIB;
/// Nobody reads an answer page and presses a button on it sooner; nobody would wait for longer.
const ANSWER_AFTER: Duration = Duration::from_secs(2);
const ANSWER_AFTER_MAX: Duration = Duration::from_secs(10);
/// How long a store may be away before anybody is told.
const EMERGENCY_MIN: SignedDuration = SignedDuration::from_secs(10);
const EMERGENCY_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Who looks after an incident on the next day finds it.
const RETENTION_MIN: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn server(root: &mut Table<'_>, reading: &mut Reading) -> Option<Server> {
    let Some(mut table) = root.table(reading, "server") else {
        reading.errors.add_whole("[server] is missing; it says where to listen");
        return None;
    };
    let listen = table.needed(reading, "listen");
    let listen = listen.and_then(|listen| listens(reading, "listen", listen));
    let public_listen = table.text(reading, "public_listen");
    let public_span = public_listen.as_ref().map(|public| public.span.clone());
    let public_listen = public_listen.and_then(|listen| listens(reading, "public_listen", listen));
    if let (Some(span), true) = (public_span, public_listen.is_some() && public_listen == listen) {
        reading.errors.add(
            span,
            "`public_listen` is another address than `listen`: what is public has a door of its own",
        );
    }
    let external_url = table.needed(reading, "external_url").and_then(|url| {
        let read = external(&url.value);
        read.map_err(|why| reading.errors.add(url.span, format!("`external_url` {why}"))).ok()
    });
    let certificate = table.text(reading, "tls_certificate");
    let key = table.text(reading, "tls_key");
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: reading.directory.join(&certificate.value),
            key: reading.directory.join(key.value),
            place: reading.errors.place(certificate.span.start),
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
        let what = format!(
            "server.listen {address} can be reached from outside and has no TLS: tokens and links cross the network \
             in clear, unless a proxy stands in front"
        );
        reading.warn(&table.place("listen"), what);
    }
    let body_max = table.size(reading, "body_max", BODY_MIN..BODY_MAX + 1).unwrap_or(MIB);
    let connections_max = table.number(reading, "connections_max", 16..1_000_001).unwrap_or(8192);
    let public_connections_max =
        table.number(reading, "public_connections_max", 16..1_000_001).unwrap_or(4096);
    let queue_max = table.number(reading, "queue_max", 1..1_000_001).unwrap_or(4096);
    let seconds = Duration::from_secs;
    let header_timeout = table.timeout(reading, "header_timeout").unwrap_or(seconds(10));
    let body_timeout = table.timeout(reading, "body_timeout").unwrap_or(seconds(20));
    let idle_timeout = table.timeout(reading, "idle_timeout").unwrap_or(seconds(75));
    let answer_after = answer_after(&mut table, reading);
    table.end(reading);
    Some(Server {
        listen: listen?,
        public_listen,
        external_url: external_url?,
        tls,
        body_max,
        connections_max: usize::try_from(connections_max).unwrap_or(usize::MAX),
        public_connections_max: usize::try_from(public_connections_max).unwrap_or(usize::MAX),
        header_timeout,
        body_timeout,
        idle_timeout,
        queue_max: usize::try_from(queue_max).unwrap_or(usize::MAX),
        answer_after,
    })
}

/// How long a page is looked at before a button on it is pressed.
fn answer_after(table: &mut Table<'_>, reading: &mut Reading) -> Duration {
    let Some(found) = table.duration(reading, "answer_after") else { return ANSWER_AFTER };
    match Duration::try_from(found.value) {
        Ok(value) if value <= ANSWER_AFTER_MAX => value,
        _ => {
            reading.errors.add(found.span, "`answer_after` lies between 0s and 10s");
            ANSWER_AFTER
        }
    }
}

fn listens(reading: &mut Reading, key: &str, listen: At<String>) -> Option<Listen> {
    let read = address(&listen.value);
    if read.is_none() {
        let what = format!(
            "`{key}` is an address with a port, such as 127.0.0.1:8087 or [::]:8087, or unix:/path/to/socket"
        );
        reading.errors.add(listen.span, what);
    }
    read
}

fn address(text: &str) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        return path.starts_with('/').then(|| Listen::Unix(PathBuf::from(path)));
    }
    text.parse::<SocketAddr>().ok().map(Listen::Tcp)
}

pub(super) fn store(root: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Option<Store> {
    let Some(mut table) = root.table(reading, "store") else {
        reading.errors.add_whole("[store] is missing; it says where to keep everything");
        return None;
    };
    let url = table.needed(reading, "url");
    let served = url.as_ref().is_some_and(|url| is_a_server(&url.value));
    let asked = reading.mode;
    if asked == SecretsMode::Store {
        reading.mode = SecretsMode::Read;
    }
    let password = table.secret(reading, "password");
    reading.mode = asked;
    let ca_file = table.text(reading, "ca_file");
    let spool = table.text(reading, "spool");
    let spool_max = table.size(reading, "spool_max", SPOOL_MIN..SPOOL_MAX + 1).unwrap_or(256 * MIB);
    for (key, span) in [
        ("spool", spool.as_ref().map(|spool| spool.span.clone())),
        ("password_file", password.as_ref().map(|password| password.span.clone())),
        ("ca_file", ca_file.as_ref().map(|file| file.span.clone())),
    ] {
        if let (Some(span), Some(_), false) = (span, &url, served) {
            reading.errors.add(span, format!("`{key}` is for a PostgreSQL server; a file needs none"));
        }
    }
    let database = url.and_then(|url| {
        let read = if served {
            (kinds.server)(&url.value).map(|()| Database::Postgres {
                url: url.value,
                password: password.and_then(|password| password.value),
                ca_file: ca_file.map(|file| reading.directory.join(file.value)),
                spool: spool
                    .map(|spool| (PathBuf::from(spool.value), u64::try_from(spool_max).unwrap_or(u64::MAX))),
            })
        } else {
            database(&url.value).map(Database::Sqlite).map_err(str::to_owned)
        };
        read.map_err(|why| reading.errors.add(url.span, why)).ok()
    });
    let retention = table.duration(reading, "retention");
    if let Some(retention) = &retention
        && retention.value < RETENTION_MIN
    {
        let what = "`retention` is at least 24h: who looks for an incident the day after must find it";
        reading.errors.add(retention.span.clone(), what);
    }
    let retention = retention.map(|retention| retention.value);
    table.end(reading);
    Some(Store { database: database?, retention })
}

/// How people reach the daemon. Links are put together from it, and they are mailed around.
pub(super) fn external(text: &str) -> Result<String, String> {
    let wrong = |why: &str| {
        Err(format!("{why}; it is how people reach the daemon, such as https://onscene.example.net"))
    };
    let text = text.trim_end_matches('/');
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return wrong("begins with https:// or http://");
    }
    if text.contains('#') {
        return wrong("has no fragment (what follows a #)");
    }
    let Ok(uri) = text.parse::<http::Uri>() else { return wrong("is no address") };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return wrong("names no user and no password: everybody would read them in the links");
    }
    if uri.query().is_some() {
        return wrong("has no query (what follows a ?)");
    }
    if uri.host().is_none_or(str::is_empty) {
        return wrong("names a host");
    }
    Ok(text.to_owned())
}

/// The file of the store. Forms that other programs know and that would make a file of an odd name are told apart.
/// Who is told, past the store, when it is away for long.
pub(super) fn emergency(root: &mut Table<'_>, reading: &mut Reading, rules: &Rules) -> Option<Emergency> {
    let mut table = root.table(reading, "emergency")?;
    let after = table.duration(reading, "after");
    if let Some(after) = &after
        && (after.value < EMERGENCY_MIN || after.value > EMERGENCY_MAX)
    {
        reading.errors.add(after.span.clone(), "`after` is from 10s to 24h");
    }
    let page = targets(&mut table, reading, rules, "page");
    if page.is_empty() {
        let what = "[emergency] names nobody: add `page`, such as page = [\"person:NAME\"]";
        reading.errors.add(table.span.clone(), what);
    }
    table.end(reading);
    Some(Emergency { after: after.map_or(SignedDuration::from_mins(5), |after| after.value), page })
}

fn is_a_server(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

fn database(url: &str) -> Result<PathBuf, &'static str> {
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Err("`url` says where the store is: sqlite:PATH, or postgres://USER@HOST/DATABASE");
    };
    if path.trim().is_empty() {
        return Err("`url` names no file: write sqlite:PATH, such as sqlite:/var/lib/onscene/onscene.db");
    }
    if path.starts_with("//") {
        return Err(
            "after sqlite: comes a path, without two slashes: sqlite:/var/lib/onscene/onscene.db, or \
                    sqlite:./onscene.db",
        );
    }
    if path.starts_with(":memory:") {
        return Err("a store in memory would forget every incident when the daemon stops; write sqlite:PATH");
    }
    if path.starts_with("file:") || path.contains('?') {
        return Err("addresses and parameters of SQLite are not taken; write the path alone, sqlite:PATH");
    }
    if path.ends_with('/') {
        return Err(
            "`url` names a directory; write the file in it too, such as sqlite:/var/lib/onscene/onscene.db",
        );
    }
    Ok(PathBuf::from(path))
}

pub(super) fn mail(root: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Option<Mail> {
    let mut table = root.table(reading, "mail")?;
    let place = reading.errors.place(table.span.start);
    let from = table.needed(reading, "from");
    if let Some(from) = &from
        && !names::mailbox(&from.value)
    {
        let what = "`from` is a mail address, such as onscene <pager@example.net>";
        reading.errors.add(from.span.clone(), what);
    }
    let reply_to = table.text(reading, "reply_to");
    if let Some(reply_to) = &reply_to
        && !names::mailbox(&reply_to.value)
    {
        let what = "`reply_to` is a mail address, such as onscene <answers@example.net>";
        reading.errors.add(reply_to.span.clone(), what);
    }
    let relays = relays(&mut table, reading, kinds);
    let faults = reading.errors.count();
    let password = table.secret(reading, "password");
    if password.is_none() && reading.errors.count() == faults {
        for relay in relays.iter().filter(|relay| names_a_user(&relay.value)) {
            let what = "this relay is to be logged in to and there is no password: add `password_file`, or leave out \
                        the user before the @";
            reading.errors.add(relay.span.clone(), what);
        }
    }
    let ca_file = table.text(reading, "ca_file").map(|file| reading.directory.join(file.value));
    table.end(reading);
    Some(Mail {
        from: from?.value,
        reply_to: reply_to.map(|reply_to| reply_to.value),
        relays: relays.into_iter().map(|relay| relay.value).collect(),
        password: password.and_then(|password| password.value),
        ca_file,
        place,
    })
}

fn relays(table: &mut Table<'_>, reading: &mut Reading, kinds: &Kinds) -> Vec<At<String>> {
    let faults = reading.errors.count();
    let relays = table.texts(reading, "relays").unwrap_or_default();
    if relays.is_empty() && reading.errors.count() == faults {
        let what = "[mail] needs `relays`: at least one, such as smtp://mx.example.net:587";
        reading.errors.add(table.span.clone(), what);
    }
    for relay in &relays {
        if let Err(why) = (kinds.relay)(&relay.value) {
            reading.errors.add(relay.span.clone(), why);
        }
    }
    relays
}

/// Whether a relay names a user to log in as. One with a password in it is refused anyway.
fn names_a_user(relay: &str) -> bool {
    let rest = relay.strip_prefix("smtps://").or_else(|| relay.strip_prefix("smtp://"));
    rest.and_then(|rest| rest.rsplit_once('@')).is_some_and(|(user, _)| !user.contains(':'))
}
