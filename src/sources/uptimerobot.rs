//! UptimeRobot: uptime checks.
//!
//! Wire facts, with their origin (help.uptimerobot.com, article on webhooks; zulip's fixtures and guide; the
//! guides of Grafana OnCall, Spike and skyhook):
//! - The operator's choice of `GET` with a query, `POST` of a form, or `POST` of JSON. No signature.
//! - The values come from placeholders between asterisks. **One without a value stays as it is**: a monitor
//!   that is down says `"alertDuration": "*alertDuration*"`. One guide leaves the asterisks out.
//!   Either says nothing here.
//! - JSON bodies are written by hand, so names come in camel case and with underscores
//!   (`monitor_friendly_name`). Both are read, in any case. Every value is a text.
//! - `alertType` is 1 down, 2 up, 3 a certificate or a domain about to expire, which has no recovery.
//!   Templates without it have `alertTypeFriendlyName`.
//! - Many templates leave `monitorID` out. Then the address and the name are the key, and a monitor that is
//!   renamed while it is down is never seen to recover.
//! - The unit of `alertDuration` is documented nowhere; it is shown as it comes.
//! - What the test button sends, and whether anything is sent again, is documented nowhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// UptimeRobot.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "uptimerobot",
        "UptimeRobot",
        "Integrations → Add → Webhook, URL to notify: ADDRESS, tick Send as JSON, POST value: \
         `{\"monitorID\": \"*monitorID*\", \"monitorURL\": \"*monitorURL*\", \
         \"monitorFriendlyName\": \"*monitorFriendlyName*\", \"alertType\": \"*alertType*\", \
         \"alertTypeFriendlyName\": \"*alertTypeFriendlyName*\", \"alertDetails\": \"*alertDetails*\", \
         \"alertFriendlyDuration\": \"*alertFriendlyDuration*\", \"alertDateTime\": \"*alertDateTime*\", \
         \"sslExpiryDate\": \"*sslExpiryDate*\", \"sslExpiryDaysLeft\": \"*sslExpiryDaysLeft*\"}`. \
         Then switch it on for each monitor.",
        read,
    )
};

/// Ends the key of a notice that something will expire, which is no outage of the same monitor.
const EXPIRY: &str = ":expiry";

/// Placeholders as the guide has them that left the asterisks out.
const PLACEHOLDERS: &[&str] = &[
    "monitorID",
    "monitorURL",
    "monitorFriendlyName",
    "alertType",
    "alertTypeFriendlyName",
    "alertDetails",
    "alertDuration",
    "alertFriendlyDuration",
    "alertDateTime",
    "sslExpiryDate",
    "sslExpiryDaysLeft",
];

/// What was said, by names in lower case without underscores.
type Facts = BTreeMap<String, String>;

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    Ok(vec![wire::bounded(event(&facts(&wire::fields(delivery)?))?)?])
}

/// However the template spells the names, and without placeholders that were left as they are.
fn facts(fields: &Map<String, Value>) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in fields {
        if let Some(value) = wire::scalar(value).filter(|value| !is_placeholder(value)) {
            facts.entry(plain(name)).or_insert_with(|| value.into_owned());
        }
    }
    facts
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_placeholder(value: &str) -> bool {
    match value.strip_prefix('*').and_then(|rest| rest.strip_suffix('*')) {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        None => PLACEHOLDERS.contains(&value),
    }
}

fn event(facts: &Facts) -> Result<Event, Unreadable> {
    let fact = |name: &str| facts.get(name).map(String::as_str);
    let url = fact("monitorurl").map(bare);
    let (id, friendly) = (fact("monitorid"), fact("monitorfriendlyname"));
    let name = friendly.or(url.as_deref()).or(id).ok_or_else(|| {
        wire::unreadable(
            "there is neither a `monitorID`, nor a `monitorURL`, nor a `monitorFriendlyName`; \
             write the body that this source's setup shows",
        )
    })?;
    let (kind, said) = (fact("alerttype"), fact("alerttypefriendlyname"));
    if kind.is_none() && said.is_none() {
        return Err(wire::unreadable("there is neither an `alertType` nor an `alertTypeFriendlyName`"));
    }
    let status = status(kind, said).ok_or_else(|| wire::unreadable("`alertType` is none of 1, 2 and 3"))?;

    let details = fact("alertdetails");
    let title = match (status, details) {
        (Status::Test, _) => format!("{name}: a test"),
        (Status::Firing, Some(details)) => format!("{name} is down: {details}"),
        (Status::Firing, None) => format!("{name} is down"),
        (Status::Resolved, _) => format!("{name} is up"),
        (_, Some(details)) => format!("{name}: {details}"),
        (_, None) => format!("{name}: {}", said.unwrap_or("something is about to expire")),
    };
    let mut event = Event::new(key(id, url.as_deref(), friendly, status), status, title);
    event.severity = (status == Status::Info).then_some(AlertSeverity::Warning);
    event.body = body(facts, status);
    event.occurred_at = fact("alertdatetime").and_then(wire::moment);
    for (label, value) in [
        ("monitor_id", id),
        ("monitor_name", friendly),
        ("url", url.as_deref()),
        ("alert_type", said.or(kind)),
    ] {
        event.labels.extend(value.map(|value| (label.to_owned(), value.to_owned())));
    }
    for link in [url.as_deref(), fact("dashboardurl")].into_iter().flatten() {
        wire::link(&mut event.links, link);
    }
    Ok(event)
}

/// The number counts; the word only where it is missing, or not one of those known.
fn status(kind: Option<&str>, said: Option<&str>) -> Option<Status> {
    match kind {
        Some("1") => return Some(Status::Firing),
        Some("2") => return Some(Status::Resolved),
        Some("3") => return Some(Status::Info),
        _ => {}
    }
    [said, kind].into_iter().flatten().find_map(|word| {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "down" => Some(Status::Firing),
            "up" => Some(Status::Resolved),
            "test" => Some(Status::Test),
            _ => {
                let expires = ["expir", "ssl", "certificate", "domain"].iter().any(|it| word.contains(it));
                expires.then_some(Status::Info)
            }
        }
    })
}

/// The id, else the address and the name, of which templates leave out one or the other.
fn key(id: Option<&str>, url: Option<&str>, name: Option<&str>, status: Status) -> String {
    let mut key = match id {
        Some(id) => id.to_owned(),
        None => {
            let parts: Vec<&str> = [url, name].into_iter().flatten().collect();
            let joined = parts.join(" ");
            if joined.len() + EXPIRY.len() > KEY_BYTES_MAX {
                format!("monitor:{}", hex(&sha256(joined.as_bytes())))
            } else {
                joined
            }
        }
    };
    if status == Status::Info {
        key.push_str(EXPIRY);
    }
    key
}

fn body(facts: &Facts, status: Status) -> String {
    let mut body = String::new();
    let over = status == Status::Resolved;
    for (name, label, shown) in [
        ("alertdetails", "details", true),
        ("alertfriendlyduration", "duration", over),
        // Seconds, most likely; said only where nothing better is.
        ("alertduration", "duration", over && !facts.contains_key("alertfriendlyduration")),
        ("sslexpirydate", "certificate expires", status == Status::Info),
        ("sslexpirydaysleft", "days left", status == Status::Info),
        ("domainexpiredate", "domain expires", status == Status::Info),
    ] {
        if let Some(value) = facts.get(name).filter(|_| shown) {
            wire::line(&mut body, &format!("{label}: {value}"));
        }
    }
    body
}

/// An address without user name and password, for the key and the labels.
fn bare(url: &str) -> String {
    let mut links = Vec::new();
    wire::link(&mut links, url);
    links.pop().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, get, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &str) -> String {
        post(&KIND, body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn down_by_json_and_up_by_form_and_query_have_one_key() {
        let down = one(&json!({"monitorID": 79, "alertType": 1, "alertDateTime": "1767323045"}));
        let up = b"monitorID=79&alertType=2&alertDateTime=1767323345";
        let (form, query) =
            (post(&KIND, up).unwrap(), get(&KIND, &String::from_utf8_lossy(up), true).unwrap());
        assert_eq!((down.status, form[0].status), (Status::Firing, Status::Resolved));
        assert_eq!((&down.key, &down.key), (&form[0].key, &query[0].key));
        assert!(form[0].occurred_at > down.occurred_at);
        assert!(get(&KIND, "monitorID=79&alertType=2", false).unwrap_err().0.contains("allow_get"));
    }

    #[test]
    fn a_placeholder_that_was_left_as_it_is_says_nothing() {
        let event = one(&json!({"monitorID": "*monitorID*", "monitorFriendlyName": "shop", "alertType": "2",
            "alertDuration": "alertDuration", "alertFriendlyDuration": "*alertFriendlyDuration*",
            "alertDateTime": "*alertDateTime*", "monitorURL": "https://shop.example.net"}));
        assert_eq!(event.key, "https://shop.example.net shop");
        assert_eq!((event.body.as_str(), event.occurred_at), ("", None));
        for real in ["**", "*", "*a b*", "alertmanager", "monitorApi", "alertType 1"] {
            assert!(!is_placeholder(real), "{real}");
        }
    }

    #[test]
    fn names_with_underscores_are_the_same_names() {
        let event = one(&json!({"monitor_url": "https://a.example.net", "monitor_friendly_name": "a",
            "alert_type": "1", "alert_type_friendly_name": "Down", "alert_details": "HTTP 503"}));
        assert_eq!(event.title, "a is down: HTTP 503");
    }

    #[test]
    fn the_word_counts_only_where_the_number_is_missing() {
        let status = |kind: Value, word: &str| {
            one(&json!({"monitorID": 7, "alertType": kind, "alertTypeFriendlyName": word})).status
        };
        assert_eq!(status(json!("*alertType*"), "DOWN"), Status::Firing);
        assert_eq!(status(json!(1), "Up"), Status::Firing);
        assert_eq!(status(json!(9), "Domain expiration"), Status::Info);
        assert_eq!(why(r#"{"monitorID": 7, "alertType": "hunter2"}"#), "`alertType` is none of 1, 2 and 3");
    }

    #[test]
    fn an_expiry_is_no_outage_of_the_same_monitor() {
        let expiry = one(&json!({"monitorID": 7, "alertType": 3, "sslExpiryDaysLeft": "7"}));
        assert_eq!((expiry.status, expiry.severity), (Status::Info, Some(AlertSeverity::Warning)));
        assert_ne!(expiry.key, one(&json!({"monitorID": 7, "alertType": 1})).key);
        assert_eq!(expiry.body, "days left: 7");
    }

    #[test]
    fn a_password_in_the_address_is_not_kept() {
        let event = one(&json!({"monitorURL": "https://kim:hunter2@a.example.net/", "alertType": 1}));
        assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");
        assert_eq!(event.key, "https://a.example.net/");
    }

    #[test]
    fn a_post_without_a_body_is_read_from_its_query_and_a_plain_text_is_refused() {
        let post = delivery("POST", "monitorID=7&alertType=1", b"");
        assert_eq!((KIND.read)(&post).unwrap()[0].key, "7");
        assert!(why("the shop is down").starts_with("there is neither a `monitorID`"));
        assert!(why(r#"{"monitorID": 7}"#).starts_with("there is neither an `alertType`"));
    }
}
