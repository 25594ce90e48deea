//! `onscene check --kinds` and `--source`: what every source is set up like, and what an adapter makes of a body.

use std::io::Read as _;

use serde_json::{Value, json};

use super::{Exit, fail, out, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::alert::Event;
use crate::core::mail::{Ignored, Mail};
use crate::house::{House, Source};
use crate::http::intake::understand;
use crate::sources::{Delivery, KINDS, Options, Unreadable, mail};

/// Most bytes of a body that is tried.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Every kind of source and how it is set up, in Markdown; `docs/sources.md` is this text.
pub(super) fn kinds() -> String {
    let mut text = String::from(
        "# Sources\n\n\
         Every kind of `[[source]]`, and how it is set up in the words of its sender. ADDRESS stands for \
         `https://HOST/in/NAME/TOKEN`; the token may also be sent as `?token=`, as a bearer token or as the password of basic \
         authentication. This page is what `onscene check --kinds` prints. What an adapter makes of a body is shown by \
         `onscene check --source NAME < BODY`.\n\n\
         | kind | for | signed in | by GET |\n|---|---|---|---|\n",
    );
    let allowed = Options { allow_get: true, ..Options::default() };
    for kind in KINDS {
        let by_amazon = if kind.topics { "the body, by Amazon, with `topics`" } else { "" };
        let signs = kind.signs.map_or(by_amazon.to_owned(), |scheme| {
            scheme.headers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
        });
        let get = if (kind.get)(&allowed) { "with `allow_get`" } else { "" };
        text.push_str(&format!("| `{}` | {} | {signs} | {get} |\n", kind.name, kind.title));
    }
    for kind in KINDS {
        text.push_str(&format!("\n## {}\n\n`kind = \"{}\"`\n\n{}\n", kind.title, kind.name, kind.setup));
    }
    text
}

/// Every kind, for programs.
pub(super) fn kinds_as_json() -> Value {
    let allowed = Options { allow_get: true, ..Options::default() };
    let shown = KINDS.iter().map(|kind| {
        json!({"kind": kind.name, "title": kind.title, "setup": kind.setup, "get": (kind.get)(&allowed),
            "signed_in": kind.signs.map(|scheme| scheme.headers), "topics": kind.topics})
    });
    json!({"kinds": shown.collect::<Vec<_>>()})
}

/// What an adapter makes of a body.
type Understood = Result<Vec<Event>, Unreadable>;

/// What a source makes of the body on standard input, and what else is to be said of it when it is mail.
///
/// # Errors
/// The exit code, when that cannot be found out; it is said why.
pub(super) fn read(
    config: &Config,
    name: &str,
    headers: &[(String, String)],
) -> Result<(Understood, Option<String>), Exit> {
    let house = House::without_ways(config).map_err(|error| {
        say(&format!("onscene: {error}"));
        Exit::Config
    })?;
    let Some(source) = house.sources.get(name) else {
        let known: Vec<&str> = house.sources.keys().map(String::as_str).collect();
        say(&format!("onscene: no source is called {name}; there are {}", known.join(", ")));
        return Err(Exit::Usage);
    };
    let body = input()?;
    let content_type =
        headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let delivery = Delivery {
        method: "POST",
        query: "",
        content_type,
        headers,
        body: &body,
        received_at: Clock::system().now(),
        options: &source.options,
    };
    Ok((understand(source, &delivery), said_of_mail(&house, source, &delivery)))
}

/// What stands on standard input.
///
/// # Errors
/// The exit code, when it cannot be read; it is said why.
pub(super) fn input() -> Result<Vec<u8>, Exit> {
    let mut body = Vec::new();
    let read = std::io::stdin().lock().take(BODY_BYTES_MAX).read_to_end(&mut body);
    read.map_err(|error| fail(&format!("the body cannot be read from standard input: {error}")))?;
    Ok(body)
}

/// Shows what a source makes of the body on standard input. Nothing is kept or raised.
pub(super) fn try_out(config: &Config, name: &str, headers: &[(String, String)], as_json: bool) -> Exit {
    let (read, said) = match read(config, name, headers) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    match read {
        Ok(events) => {
            if as_json {
                let shown: Vec<Value> = events.iter().map(as_value).collect();
                out(&format!("{}\n", json!({"events": shown})));
            } else if let Some(said) = said {
                out(&said);
            } else if events.is_empty() {
                out("understood, with nothing to say\n");
            } else {
                out(&events.iter().map(shown).collect::<Vec<_>>().join("\n"));
            }
            Exit::Done
        }
        Err(Unreadable(why, rest)) => {
            if as_json && !rest.is_empty() {
                out(&format!("{}\n", json!({"events": rest.iter().map(as_value).collect::<Vec<_>>()})));
            } else {
                out(&rest.iter().map(shown).collect::<Vec<_>>().join("\n"));
            }
            fail(&format!("source {name} cannot read this body: {why}"))
        }
    }
}

/// What is said of mail that is no alert, as far as it is known without the daemon's store.
fn said_of_mail(house: &House, source: &Source, delivery: &Delivery<'_>) -> Option<String> {
    if source.kind.name != mail::KIND.name {
        return None;
    }
    let mail = mail::open(delivery).ok().filter(Mail::may_answer)?;
    if mail.is_nothing(&house.rules) {
        return Some(format!("nothing is raised: {}\n", Ignored::Stranger));
    }
    let may_be = mail.stranger || mail.in_thread || !mail.names.is_empty();
    may_be.then(|| "it may be an answer to a page; only the daemon's store can tell\n".to_owned())
}

fn as_value(event: &Event) -> Value {
    json!({"key": event.key, "status": event.status.as_str(),
        "severity": event.severity.map(|severity| severity.as_str()), "title": event.title, "body": event.body,
        "labels": event.labels, "links": event.links, "occurred_at": event.occurred_at,
        "delivery_id": event.delivery_id, "group": event.group})
}

fn shown(event: &Event) -> String {
    let mut text = format!("{} {}\n", event.status.as_str(), event.key);
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name}: {value}\n"));
    line("title", &event.title);
    if let Some(severity) = event.severity {
        line("severity", severity.as_str());
    }
    if let Some(at) = event.occurred_at {
        line("occurred at", &at.to_string());
    }
    for (name, value) in &event.labels {
        line("label", &format!("{name}={value}"));
    }
    for link in &event.links {
        line("link", link);
    }
    for said in event.body.lines() {
        line("|", said);
    }
    for (name, value) in [("delivery", &event.delivery_id), ("group", &event.group)] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    text
}

/// `NAME: VALUE`, as curl takes a header.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as NAME: VALUE")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}
