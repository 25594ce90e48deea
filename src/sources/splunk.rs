//! Splunk Enterprise and Splunk Cloud: the built-in webhook alert action.
//!
//! Wire facts, with their origin (help.splunk.com "Use a webhook alert action"; docs.robusta.dev and Harness
//! for bodies met; keephq/keep `splunk_provider`):
//! - `POST`, JSON, always the same: `result`, `sid`, `results_link`, `search_name`, `owner`, `app`. No
//!   headers of one's own, no signature: the secret is in the address. Since 9.0 the address must be on the
//!   allow list of webhooks.
//! - `result` is the **first row only**, its values texts or lists of texts. With the trigger `For each
//!   result` every row comes in a delivery of its own, all with the same `sid`: so it is no id of the
//!   delivery.
//! - `sid` differs on every run. `search_name` is null for a search that was not saved; what stands before
//!   `_at_` in the `sid` of a scheduled search stays the same. A search run by hand has a `sid` that is a
//!   number, and is a test.
//! - **There is neither a severity, nor a recovery, nor a time.** The row can say the first, the address the
//!   second: see below.
//! - Splunk makes fields of every `name=value` that stands in an event, so **whoever writes into a log writes
//!   fields of the row**.
//! - No retries are documented.
//!
//! The key is `search_name` within its `app`. Fields that a search makes by `eval` say more: `severity`, and
//! `onscene_key`, which is the key in place of the search, so that rows become alerts of their own. A search
//! that does not make `onscene_key` itself takes it from whatever its events hold; so every one has to.
//!
//! The status is never read from the row, or a line in a log could end an alert. It stands in the address:
//! a second search with `?status=resolved` behind it says that it is over. Without that, people end it here.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Splunk.
pub const KIND: Kind = Kind::new(
    "splunk",
    "Splunk",
    "Settings → Server settings → Webhook allow list: add ^https://HOST/ with the host of this onscene, \
     without the rest of the address, which holds the token. Then in each alert: Add Actions → Webhook, \
     URL: ADDRESS. Let every search end in an eval of its own onscene_key, else a log line that holds \
     onscene_key=... says which alert is meant: `| eval onscene_key=\"NAME OF THE ALERT\"`, or, where rows are \
     alerts of their own, trigger For each result and `| eval onscene_key=host, severity=\"critical\"`. A second \
     alert that finds what is well again, with the same onscene_key and the URL ADDRESS?status=resolved, \
     ends it.",
    read,
);

const OWN_KEY: &str = "onscene_key";

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let addressed = addressed(delivery.query)?;
    Ok(vec![wire::bounded(event(wire::object(&body, "the body")?, addressed)?)?])
}

/// What the address says. Whoever set up the alert wrote it, and no log can.
fn addressed(query: &str) -> Result<Status, Unreadable> {
    match wire::parameters(query)?.iter().find(|(name, _)| name == "status") {
        Some((_, word)) => status(word.trim()).ok_or_else(|| {
            wire::unreadable(
                "`status` in the address is neither firing nor resolved, nor a usual word for one",
            )
        }),
        None => Ok(Status::Firing),
    }
}

fn event(fields: &Map<String, Value>, addressed: Status) -> Result<Event, Unreadable> {
    let nothing = Map::new();
    let row = fields.get("result").and_then(Value::as_object).unwrap_or(&nothing);
    let search = wire::text(fields, &["search_name"]);
    let sid = wire::text(fields, &["sid"]);
    let app = wire::text(fields, &["app"]);
    if search.is_none() && sid.is_none() {
        return Err(wire::unreadable(
            "there is neither a `search_name` nor a `sid`; is this Splunk's own webhook action?",
        ));
    }
    let by_hand = search.is_none() && sid.as_deref().is_some_and(is_by_hand);
    let status = if by_hand { Status::Test } else { addressed };
    let known = match (wire::text(row, &[OWN_KEY]), &search, &sid) {
        (Some(own), ..) => Some(own),
        (None, Some(search), _) => Some(match &app {
            Some(app) => format!("{app}/{search}"),
            None => search.clone(),
        }),
        (None, None, Some(sid)) if by_hand => Some(sid.clone()),
        (None, None, Some(sid)) => scheduled(sid).map(|search| format!("sid:{search}")),
        (None, None, None) => None,
    };
    let key = known.ok_or_else(|| {
        wire::unreadable(
            "`search_name` is null and the `sid` is not that of a scheduled search; \
             save the search as an alert",
        )
    })?;
    let name = search.unwrap_or_else(|| "A Splunk search without a name".to_owned());
    let title = match wire::word(row, &["message", "title"]) {
        Some(message) => format!("{name}: {message}"),
        None => wire::word(row, &["host"]).map_or_else(|| name.clone(), |host| format!("{name} on {host}")),
    };

    let mut event = Event::new(key, status, title);
    let word = wire::text(row, &["severity", "urgency"]);
    event.severity = word.as_deref().and_then(AlertSeverity::from_word);
    // `_time`, `__mv_host` and their like are Splunk's own; of them only the raw event is for people.
    for (field, value) in wire::pairs(row).filter(|(field, _)| !field.starts_with('_')) {
        wire::link(&mut event.links, &value);
        if field != OWN_KEY {
            wire::line(&mut event.body, &format!("{field}: {value}"));
            event.labels.insert(field.to_owned(), value.into_owned());
        }
    }
    wire::line(&mut event.body, &wire::word(row, &["_raw"]).unwrap_or_default());
    for field in ["search_name", "app", "owner"] {
        event.labels.extend(wire::text(fields, &[field]).map(|value| (field.to_owned(), value)));
    }
    let mut links = Vec::new();
    wire::link(&mut links, &wire::word(fields, &["results_link"]).unwrap_or_default());
    links.append(&mut event.links);
    event.links = links;
    Ok(event)
}

/// What stays the same in the `sid` of every run of a scheduled search.
fn scheduled(sid: &str) -> Option<&str> {
    let (search, _) = sid.rsplit_once("_at_")?;
    (!search.is_empty()).then_some(search)
}

/// `1767323040.12`, or the same with a server's name behind it.
fn is_by_hand(sid: &str) -> bool {
    sid.starts_with(|c: char| c.is_ascii_digit()) && scheduled(sid).is_none()
}

fn status(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "firing" | "trigger" | "triggered" | "open" | "problem" | "down" | "alert" => Status::Firing,
        "resolved" | "resolve" | "close" | "closed" | "ok" | "up" | "clear" | "recovered" => Status::Resolved,
        "info" => Status::Info,
        "test" => Status::Test,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn every_run_of_a_search_is_the_same_alert() {
        let of = |run: u32| {
            one(&json!({"search_name": "auth failures", "app": "search", "owner": "ops",
                "sid": format!("scheduler__ops__search__RMD5a_at_{run}_91"),
                "result": {"count": run.to_string()}}))
        };
        assert_eq!(of(1_767_323_040).key, of(1_767_323_100).key);
        assert_eq!((of(1).delivery_id, of(1).occurred_at), (None, None));
    }

    #[test]
    fn a_search_without_a_name_is_known_by_what_stays_of_its_sid() {
        let of = |run: u32| {
            one(&json!({"search_name": null, "sid": format!("scheduler__ops__search__RMD5a_at_{run}_91")}))
        };
        assert_eq!(of(1_767_323_040).key, "sid:scheduler__ops__search__RMD5a");
        assert_eq!(of(1_767_323_040).key, of(1_767_323_100).key);
        let named = |search: &str| {
            one(&json!({"sid": format!("scheduler__ops__search__look_at_{search}_at_1767323040_91")})).key
        };
        assert_eq!(named("disks"), "sid:scheduler__ops__search__look_at_disks");
        assert_ne!(named("disks"), named("users"));
    }

    #[test]
    fn two_searches_speak_of_one_alert_by_a_key_of_their_own() {
        let of = |search: &str, query: &str| {
            let body = json!({"search_name": search, "sid": "s", "result": {"onscene_key": "db-1"}});
            (KIND.read)(&delivery("POST", query, body.to_string().as_bytes()))
        };
        let (fires, over) = (of("down", "").unwrap(), of("up again", "status=resolved").unwrap());
        assert_eq!((fires[0].status, over[0].status), (Status::Firing, Status::Resolved));
        assert_eq!(fires[0].key, over[0].key);
        let why = of("down", "status=hunter2").unwrap_err().0;
        assert!(why.contains("`status` in the address") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn what_stands_in_a_log_ends_no_alert() {
        for name in ["onscene_status", "status", "state"] {
            let row = json!({"search_name": "s", "result": {name: "resolved"}});
            assert_eq!(one(&row).status, Status::Firing, "{name}");
        }
    }

    #[test]
    fn a_search_run_by_hand_is_a_test() {
        assert_eq!(
            one(&json!({"search_name": null, "sid": "1767323040.12", "result": {}})).status,
            Status::Test
        );
        assert!(why(&json!({"search_name": null, "sid": "custom"})).contains("save the search"));
    }

    #[test]
    fn a_row_cannot_pose_as_the_search_and_its_inner_fields_are_left_out() {
        let event = one(&json!({"search_name": "s", "app": "search", "sid": "x",
            "result": {"app": "shop", "_time": "1767323040", "__mv_host": "$a$", "_raw": "line"}}));
        assert_eq!(event.labels["app"], "search");
        assert!(!event.labels.keys().any(|name| name.starts_with('_')));
        assert!(event.body.ends_with("line"), "{}", event.body);
    }

    #[test]
    fn a_row_says_how_bad_it_is() {
        let of =
            |severity: &str| one(&json!({"search_name": "s", "result": {"severity": severity}})).severity;
        assert_eq!(of("high"), Some(AlertSeverity::Critical));
        assert_eq!(of("purple"), None);
    }
}
