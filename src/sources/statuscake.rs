//! StatusCake: uptime checks.
//!
//! Wire facts, with their origin (statuscake.com, knowledge base on web hooks; keep's `statuscake_provider`;
//! the guide of ITOC360):
//! - `POST` of a form, or `GET` or `POST` to an address with placeholders between bars (`|STATUS|`, `|NAME|`,
//!   `|URL|`, `|CODE|`, `|TAGS|`, `|CHECKRATE|`). One without a value may stay as it is, and says nothing
//!   here.
//! - `Status` is `Up` or `Down`, of which another receiver says that it comes in capitals. `StatusCode` is 0
//!   after a timeout. Names of fields are met in several spellings (`CheckRate`, `Checkrate`), so their case
//!   does not count.
//! - `Token` is a hash of the account's name and its API key, and the same in every delivery: it proves
//!   nothing that the secret in the address does not, and it is neither checked nor kept.
//! - `TestID` is met, but not documented. Without it the name and the address are the key, and a check that
//!   is renamed while it is down is never seen to recover.
//! - No time is sent. A contact group that repeats its alerts says the same again, which wakes no one.
//! - Whether a failed delivery is tried again is documented nowhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// StatusCake.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "statuscake",
        "StatusCake",
        "Alerting → Contact Groups → New Contact Group, Webhook URL: ADDRESS, Webhook Request Method: POST. \
         Then choose the group under Who to Alert of each test.",
        read,
    )
};

/// What was said, by names in lower case without underscores.
type Facts = BTreeMap<String, String>;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let facts = facts(&wire::fields(delivery)?);
    Ok(vec![wire::bounded(event(&facts, &delivery.options.severity_label)?)?])
}

/// However the names are spelled, and without placeholders that were left as they are.
fn facts(fields: &Map<String, Value>) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in fields {
        let name: String =
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        if let Some(value) = wire::flat(value).filter(|value| !is_placeholder(value)) {
            facts.entry(name).or_insert_with(|| value.into_owned());
        }
    }
    facts
}

fn is_placeholder(value: &str) -> bool {
    let between = value.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
    between.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn event(facts: &Facts, severity_label: &str) -> Result<Event, Unreadable> {
    let fact = |name: &str| facts.get(name).map(String::as_str);
    let word = fact("status").ok_or_else(|| {
        wire::unreadable("there is no `Status`; is this really the webhook of a StatusCake contact group?")
    })?;
    let status = match word.to_ascii_lowercase().as_str() {
        "down" => Status::Firing,
        "up" => Status::Resolved,
        "test" => Status::Test,
        _ => return Err(wire::unreadable("`Status` is neither Up nor Down")),
    };
    let (id, named) = (fact("testid"), fact("name"));
    let url = fact("url").map(bare);
    let name = named.or(url.as_deref()).or(id).ok_or_else(|| {
        wire::unreadable("there is neither a `TestID`, nor a `Name`, nor a `URL` to tell the test by")
    })?;
    // A code says something only where an answer came: 0 stands for a timeout.
    let code = fact("statuscode").or_else(|| fact("code"));
    let title = match (status, code) {
        (Status::Test, _) => format!("{name}: a test"),
        (Status::Firing, Some("0")) => format!("{name} is down: no answer"),
        (Status::Firing, Some(code)) => format!("{name} is down: status {code}"),
        (Status::Firing, None) => format!("{name} is down"),
        _ => format!("{name} is up"),
    };

    let mut event = Event::new(key(id, named, url.as_deref()), status, title);
    let rate = fact("checkrate").map(|rate| format!("{rate} seconds")).unwrap_or_default();
    for (what, value) in [
        ("address", url.as_deref().unwrap_or_default()),
        ("IP", fact("ip").unwrap_or_default()),
        ("checked every", rate.as_str()),
    ] {
        if !value.is_empty() {
            wire::line(&mut event.body, &format!("{what}: {value}"));
        }
    }
    if let Some(all) = fact("tags") {
        tag(all, &mut event);
    }
    event.severity = event.labels.get(severity_label).and_then(|word| AlertSeverity::from_word(word));
    for (label, value) in [
        ("test_id", id),
        ("test_name", named),
        ("url", url.as_deref()),
        ("ip", fact("ip")),
        ("status_code", code),
        ("method", fact("method")),
    ] {
        event.labels.extend(value.map(|value| (label.to_owned(), value.to_owned())));
    }
    wire::link(&mut event.links, url.as_deref().unwrap_or_default());
    Ok(event)
}

/// The id, else the name and the address.
fn key(id: Option<&str>, name: Option<&str>, url: Option<&str>) -> String {
    if let Some(id) = id {
        return id.to_owned();
    }
    let parts: Vec<&str> = [name, url].into_iter().flatten().collect();
    let joined = parts.join(" ");
    if joined.len() > KEY_BYTES_MAX { format!("test:{}", hex(&sha256(joined.as_bytes()))) } else { joined }
}

/// Tags become one label `tags`, and one label each, as with Pingdom.
fn tag(all: &str, event: &mut Event) {
    for word in all.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.split_once([':', '=']) {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                event.labels.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                event.labels.insert(format!("tag_{word}"), "true".into());
            }
        }
    }
    event.labels.insert("tags".into(), all.to_owned());
}

/// An address without user name and password, for the key and the labels.
fn bare(url: &str) -> String {
    let mut links = Vec::new();
    wire::link(&mut links, url);
    links.pop().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: &str) -> Event {
        post(&KIND, body.as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn down_and_up_have_one_key_with_and_without_an_id() {
        for test in ["TestID=661902&Name=mail", "Name=mail%20relay&URL=smtp%3A%2F%2Fmx.example.net"] {
            let down = one(&format!("Status=Down&StatusCode=0&{test}"));
            let up = one(&format!("{test}&Status=UP&StatusCode=220"));
            assert_eq!((down.status, up.status), (Status::Firing, Status::Resolved));
            assert_eq!(down.key, up.key);
        }
    }

    #[test]
    fn two_tests_of_one_name_are_told_apart_by_their_addresses() {
        let a = one("Status=Down&Name=mail&URL=https://a.example.net");
        assert_ne!(a.key, one("Status=Down&Name=mail&URL=https://b.example.net").key);
        let long = one(&format!("Status=Down&Name=mail&URL=https://a.example.net/{}", "x".repeat(2000)));
        assert!(long.key.starts_with("test:"));
    }

    #[test]
    fn the_token_of_the_account_and_a_password_in_the_address_are_not_kept() {
        let event = one("Status=Down&Name=a&Token=hunter2&URL=https://kim:hunter2@a.example.net/");
        assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");
    }

    #[test]
    fn the_case_of_names_does_not_count_and_placeholders_say_nothing() {
        let event = one("STATUS=down&name=a&statuscode=503&Checkrate=60&ip=|IP|&tags=team:db, eu");
        assert_eq!(event.title, "a is down: status 503");
        assert_eq!(event.body, "checked every: 60 seconds");
        assert_eq!((event.labels["team"].as_str(), event.labels["tag_eu"].as_str()), ("db", "true"));
        assert!(!event.labels.contains_key("ip"));
    }

    #[test]
    fn a_query_is_read_by_get_only_when_allowed_and_by_an_empty_post_always() {
        assert_eq!(get(&KIND, "status=Up&name=a", true).unwrap()[0].status, Status::Resolved);
        assert!(get(&KIND, "status=Up&name=a", false).unwrap_err().0.contains("allow_get"));
        let post = delivery("POST", "status=Down&name=a", b"");
        assert_eq!((KIND.read)(&post).unwrap()[0].status, Status::Firing);
    }

    #[test]
    fn another_status_and_none_are_refused_without_quoting() {
        assert_eq!(why("Status=hunter2&Name=a"), "`Status` is neither Up nor Down");
        assert!(why("Status=|STATUS|&Name=a").starts_with("there is no `Status`"));
        assert!(why("Status=Down").starts_with("there is neither a `TestID`"));
    }
}
