//! Healthchecks (healthchecks.io, and hosted by oneself): cron jobs that did not report.
//!
//! Wire facts, with their origin (healthchecks/healthchecks `hc/integrations/webhook/transport.py` and
//! `forms.py`, `hc/api/transports.py`, `hc/front/views.py`):
//! - `GET` (which is preset), `POST` or `PUT`. Address, method, body and headers are the operator's own, once
//!   for "down" and once for "up". **An empty address for "up" means that no recovery is ever sent.** No
//!   signature.
//! - Words that begin with a dollar are exchanged: `$CODE` (the check's UUID), `$STATUS` (`down`, `up`),
//!   `$NOW`, `$NAME`, `$NAME_JSON`, `$SLUG`, `$TAGS`, `$EXITSTATUS` (`-1` when unknown), `$JSON` (the whole
//!   check), in bodies also `$BODY` and `$BODY_JSON`. In addresses they are percent-encoded. In a JSON body
//!   `$NAME` is not escaped, so a quote in the name of a check spoils the body; `$NAME_JSON` brings its own
//!   quotes.
//! - Only 200, 201, 202 and 204 are success to it; everything else is tried three times, without a pause.
//! - The test button speaks of a check that does not exist: named `TEST`, with an id made up on the spot,
//!   without a slug and without tags. A check that somebody made there and named like that has a slug. So it
//!   is taken as a test only when the body has a field `slug`, and it is blank.
//!
//! The body is written by the operator, so this is what is read (`check` may hold `$JSON`, and its fields
//! count where the others are missing; `$JSON` alone will do as well, but says no time):
//!
//! | field | also | write | missing |
//! |---|---|---|---|
//! | `id` | `code`, `uuid` | `"$CODE"` | refused |
//! | `status` | | `"$STATUS"` | refused |
//! | `now` | `time`, `timestamp` | `"$NOW"` | that of receipt |
//! | `name` | | `$NAME_JSON` | the slug, or the id |
//! | `slug`, `tags`, `exit_status` | | `"$SLUG"`, `"$TAGS"`, `"$EXITSTATUS"` | none |
//! | `body` | `output`, `message` | `$BODY_JSON` | empty |
//! | `link` | `url` | `"https://healthchecks.io/checks/$CODE/details/"` | none |
//!
//! `$JSON` holds `ping_url`, with which anybody could say that a job has run: it is never taken. A check that
//! is in `grace` there was late to be told of: it is up until that time is over.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Healthchecks.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "healthchecks",
        "Healthchecks",
        "Integrations → Add Webhook. For \"down\" and again for \"up\": POST, URL: ADDRESS, Request Body: \
         `{\"id\": \"$CODE\", \"status\": \"$STATUS\", \"now\": \"$NOW\", \"name\": $NAME_JSON, \
         \"slug\": \"$SLUG\", \"tags\": \"$TAGS\", \"exit_status\": \"$EXITSTATUS\"}`, \
         Request Headers: `Content-Type: application/json`. By GET, with `allow_get`, add \
         `id=$CODE&status=$STATUS&now=$NOW&name=$NAME&slug=$SLUG&tags=$TAGS` to the address after a `?`. A check called \
         TEST that has neither a slug nor tags is taken for the test button, and wakes no one: give such a check \
         another name.",
        read,
    )
};

/// The name the test button gives its check.
const TEST_NAME: &str = "TEST";

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let fields = fields(delivery)?;
    Ok(vec![wire::bounded(event(&fields, &delivery.options.severity_label)?)?])
}

fn fields(delivery: &Delivery<'_>) -> Result<Map<String, Value>, Unreadable> {
    if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        return form(delivery.query);
    }
    let body = wire::utf8(delivery.body)?;
    if !body.starts_with(['{', '[']) {
        return form(if body.is_empty() { delivery.query } else { body });
    }
    match wire::json(body, "the body").map_err(hint)? {
        Value::Object(fields) => Ok(fields),
        other => Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other)))),
    }
}

/// The names of checks spoil more bodies than anything else.
fn hint(Unreadable(why, _): Unreadable) -> Unreadable {
    wire::unreadable(if why.contains("not well-formed") {
        format!("{why}; if a name with a quote in it did that, write `$NAME_JSON` without quotes around it")
    } else {
        why
    })
}

fn form(encoded: &str) -> Result<Map<String, Value>, Unreadable> {
    if encoded.is_empty() {
        return Err(wire::unreadable(
            "there is neither a body nor a query; write the body that this source's setup shows",
        ));
    }
    wire::first_of_each(encoded)
}

fn event(fields: &Map<String, Value>, severity_label: &str) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let check = fields.get("check").and_then(Value::as_object).unwrap_or(&nothing);
    let said = |names: &[&str]| said(fields, names).or_else(|| said(check, names));

    let id = said(&["id", "code", "uuid"])
        .ok_or_else(|| wire::unreadable("there is no `id`; write \"$CODE\" for it in the body"))?;
    let name = said(&["name"]);
    let status = match said(&["status"]).map(|status| status.to_ascii_lowercase()).as_deref() {
        Some("down" | "up") if is_test(name.as_deref(), fields, check) => Status::Test,
        Some("down") => Status::Firing,
        Some("up" | "grace") => Status::Resolved,
        Some("test") => Status::Test,
        Some(_) => return Err(wire::unreadable("`status` is neither down nor up")),
        None => return Err(wire::unreadable("there is no `status`; write \"$STATUS\" for it in the body")),
    };
    let slug = said(&["slug"]);
    let name = name.or_else(|| slug.clone()).unwrap_or_else(|| format!("Healthchecks check {id}"));
    // -1 stands for unknown, and 0 is success.
    let exit = said(&["exit_status", "exitstatus"]).filter(|exit| exit != "-1");
    let title = match (status, exit.as_deref()) {
        (Status::Test, _) => format!("{name}: a test"),
        (Status::Firing, Some(exit)) if exit != "0" => format!("{name} is down: exit status {exit}"),
        (Status::Firing, _) => format!("{name} is down"),
        _ => format!("{name} is up"),
    };

    let mut event = Event::new(id.clone(), status, title);
    event.occurred_at = said(&["now", "time", "timestamp"]).as_deref().and_then(wire::moment);
    for names in [&["desc", "description"][..], &["body", "output", "message"]] {
        wire::line(&mut event.body, &said(names).unwrap_or_default());
    }
    for link in ["link", "url"] {
        wire::link(&mut event.links, &said(&[link]).unwrap_or_default());
    }
    let tags = |from: &Map<String, Value>| from.get("tags").and_then(wire::flat).map(Cow::into_owned);
    if let Some(all) = tags(fields).or_else(|| tags(check)).filter(|all| is_exchanged(all)) {
        tag(&all, &mut event);
    }
    event.severity = event.labels.get(severity_label).and_then(|word| AlertSeverity::from_word(word));
    for (label, value) in [("check_slug", slug), ("exit_status", exit)] {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    event.labels.insert("check_id".into(), id);
    event.labels.insert("check_name".into(), name);
    Ok(event)
}

/// The first of these fields that says something. A word that was not exchanged says nothing.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| wire::text(fields, &[*name]).filter(|text| is_exchanged(text)))
}

fn is_exchanged(text: &str) -> bool {
    let word = text.strip_prefix('$').unwrap_or_default();
    word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Whether this speaks of the check that the test button makes up.
fn is_test(name: Option<&str>, fields: &Map<String, Value>, check: &Map<String, Value>) -> bool {
    let blank = |name: &str| {
        let said = fields.get(name).or_else(|| check.get(name));
        said.map(|said| wire::scalar(said).is_none())
    };
    name == Some(TEST_NAME) && blank("slug") == Some(true) && blank("tags") != Some(false)
}

/// Tags stand between blanks. They become one label `tags`, and one label each, as with Pingdom.
fn tag(all: &str, event: &mut Event) {
    for word in all.split([' ', ',']).filter(|word| !word.is_empty()) {
        match word.split_once([':', '=']) {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                event.labels.insert(name.to_owned(), value.to_owned());
            }
            _ => {
                event.labels.insert(format!("tag_{word}"), "true".into());
            }
        }
    }
    event.labels.insert("tags".into(), all.trim().to_owned());
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
    fn down_by_body_and_up_by_query_have_one_key() {
        let down = one(&json!({"id": "7b8d", "status": "down", "now": "2026-01-02T03:04:05+00:00"}));
        let up = get(&KIND, "id=7b8d&status=up&now=2026-01-02T03%3A09%3A05%2B00%3A00", true).unwrap();
        assert_eq!((down.status, up[0].status), (Status::Firing, Status::Resolved));
        assert_eq!(down.key, up[0].key);
        assert_eq!(up[0].occurred_at.unwrap().to_string(), "2026-01-02T03:09:05Z");
        assert!(get(&KIND, "id=7b8d&status=up", false).unwrap_err().0.contains("allow_get"));
    }

    #[test]
    fn the_preset_that_is_shown_is_the_one_that_is_read() {
        let preset = KIND.setup.split('`').nth(1).unwrap();
        let body = preset
            .replace("$NAME_JSON", r#""nightly \"full\" backup""#)
            .replace("$CODE", "7b8d")
            .replace("$STATUS", "down")
            .replace("$NOW", "2026-01-02T03:04:05+00:00")
            .replace("$SLUG", "nightly")
            .replace("$TAGS", "prod severity=warning")
            .replace("$EXITSTATUS", "2");
        let event = post(&KIND, body.as_bytes()).unwrap().remove(0);
        assert_eq!(event.title, "nightly \"full\" backup is down: exit status 2");
        assert_eq!(
            (event.severity, event.labels["tag_prod"].as_str()),
            (Some(AlertSeverity::Warning), "true")
        );
        let query = KIND.setup.split('`').find(|text| text.starts_with("id=")).unwrap();
        let query = query.replace("$CODE", "7b8d").replace("$STATUS", "up").replace("$NAME", "a%20b");
        let event = get(&KIND, &query, true).unwrap().remove(0);
        assert_eq!(
            (event.key.as_str(), event.title.as_str(), event.occurred_at),
            ("7b8d", "a b is up", None)
        );
    }

    #[test]
    fn a_name_with_a_quote_that_spoils_the_body_is_explained() {
        let why = why(r#"{"id": "7b8d", "status": "down", "name": "the "hunter2" job"}"#);
        assert!(why.contains("$NAME_JSON") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn the_test_button_is_told_from_a_real_check_of_that_name() {
        let named = |slug: &str| {
            let test = json!({"id": "7b8d", "status": "down", "name": "TEST", "slug": slug, "tags": ""});
            one(&test).status
        };
        assert_eq!((named(""), named("test")), (Status::Test, Status::Firing));
        let without = json!({"id": "7b8d", "status": "down", "name": "TEST"});
        assert_eq!(one(&without).status, Status::Firing);
    }

    #[test]
    fn the_whole_check_is_read_and_its_ping_address_left_alone() {
        let check = json!({"name": "sync", "slug": "sync", "tags": "a b", "desc": "copies files",
            "status": "grace", "uuid": "7b8d", "ping_url": "https://hc.example.net/ping/hunter2"});
        let (alone, inside) = (one(&check), one(&json!({"status": "down", "check": check})));
        assert_eq!((alone.status, inside.status), (Status::Resolved, Status::Firing));
        assert_eq!(alone.key, inside.key);
        assert!(!format!("{alone:?} {inside:?}").contains("hunter2"));
        assert_eq!(inside.body, "copies files");
    }

    #[test]
    fn what_is_missing_is_named_with_the_word_to_write() {
        assert!(why("{}").contains("$CODE"));
        assert!(why(r#"{"id": "$CODE", "status": "down"}"#).contains("$CODE"));
        assert!(why(r#"{"id": "7b8d"}"#).contains("$STATUS"));
        assert_eq!(why(r#"{"id": "7b8d", "status": "hunter2"}"#), "`status` is neither down nor up");
    }

    #[test]
    fn a_form_and_a_put_without_a_body_are_read() {
        assert_eq!(post(&KIND, b"id=7b8d&status=down").unwrap()[0].status, Status::Firing);
        let put = delivery("PUT", "id=7b8d&status=up", b"");
        assert_eq!((KIND.read)(&put).unwrap()[0].status, Status::Resolved);
    }
}
