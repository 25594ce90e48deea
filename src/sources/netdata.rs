//! Netdata Cloud: alert and reachability notifications by webhook.
//!
//! Wire facts, with their origin (netdata/netdata `integrations/cloud-notifications/integrations/webhook.md`
//! and its older versions; public receivers for the test message; keephq/keep `netdata_provider`):
//! - `POST`, JSON, by HTTPS only. Basic or bearer authentication by choice. Whatever is chosen, a client
//!   certificate of Netdata's own authority is offered (CN `app.netdata.cloud`); a proxy may ask for it.
//! - An alert: `message`, `alert`, `chart`, `context`, `space`, `Rooms` (with a capital R, names and
//!   addresses), `class`, `severity` = `warning`, `critical` or `clear`, `date`, `alert_url`. Older versions
//!   say `alarm`, `rooms` and `alarm_url`.
//! - **No field names the node.** It stands in `message` (`... on NODE ...`), and that form is documented
//!   nowhere; `host` and its like are taken first, should a version send them. What follows `on` may as well
//!   be a part of the chart, as a mount point; that is no node, and then none is known.
//! - Reachability: `message`, `url`, `host`, `severity` = `info` or `critical`, `status` = `{reachable,
//!   text}`.
//! - The test button sends `title`, `message` and `token`. The token is to be typed back into Netdata before
//!   the configuration can be saved, so it is shown.
//! - Neither an id of the delivery, nor retries, are documented.
//!
//! The key of an alert is its space, its name, its chart and its node; where no node can be found, two nodes
//! with the same alert share one key. The key of reachability is the host, within its space where one is said.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Netdata Cloud.
pub const KIND: Kind = Kind::new(
    "netdata",
    "Netdata Cloud",
    "Space settings → Alerts & Notifications → Add configuration → Webhook. Webhook URL: ADDRESS, all \
     alerts and reachability. Press Test, find the token in the test alert here, and type it into Token \
     under Verification.",
    read,
);

const ALERT: &[&str] = &["alert", "alarm"];
const NODE: &[&str] = &["host", "hostname", "node", "node_name"];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    let fields = wire::object(&body, "the body")?;
    let event = if let Some(alert) = wire::text(fields, ALERT) {
        alerted(fields, alert)?
    } else if let Some(token) = wire::text(fields, &["token"]) {
        tested(fields, &token)
    } else if let Some(host) = wire::text(fields, NODE) {
        reached(fields, host)?
    } else {
        return Err(wire::unreadable(
            "there is neither an `alert`, nor a `host`, nor the `token` of a test; \
             is this Netdata Cloud's webhook?",
        ));
    };
    Ok(vec![wire::bounded(event)?])
}

fn alerted(fields: &Map<String, Value>, alert: String) -> Result<Event, Unreadable> {
    let word = wire::word(fields, &["severity"])
        .ok_or_else(|| wire::unreadable("there is no `severity`, which says whether the alert is over"))?
        .to_ascii_lowercase();
    let (status, severity) = match word.as_str() {
        "critical" => (Status::Firing, Some(AlertSeverity::Critical)),
        "warning" => (Status::Firing, Some(AlertSeverity::Warning)),
        "clear" | "cleared" => (Status::Resolved, None),
        _ => return Err(wire::unreadable("`severity` is none of warning, critical and clear")),
    };
    let chart = wire::text(fields, &["chart"]);
    let message = wire::text(fields, &["message"]);
    let node = wire::text(fields, NODE)
        .or_else(|| node(message.as_deref()?, &alert, chart.as_deref().unwrap_or_default()));
    let space = wire::text(fields, &["space"]);
    let key = [space.as_ref(), Some(&alert), chart.as_ref(), node.as_ref()]
        .map(|part| part.map_or("-", String::as_str))
        .join(" ");
    let title = message.unwrap_or_else(|| match &node {
        Some(node) => format!("{alert} on {node}: {word}"),
        None => format!("{alert}: {word}"),
    });

    let mut event = Event::new(key, status, title);
    event.severity = severity;
    event.occurred_at = wire::time(fields, &["date"]);
    for (what, name) in [
        ("info", "info"),
        ("chart", "chart"),
        ("value", "value"),
        ("lasted", "duration"),
        ("other critical alerts on this node", "additional_active_critical_alerts"),
        ("other warnings on this node", "additional_active_warning_alerts"),
    ] {
        if let Some(said) = wire::word(fields, &[name]) {
            wire::line(&mut event.body, &format!("{what}: {said}"));
        }
    }
    for name in ["chart", "context", "space", "family", "class", "severity"] {
        event.labels.extend(wire::text(fields, &[name]).map(|value| (name.to_owned(), value)));
    }
    event.labels.insert("alert".into(), alert);
    event.labels.extend(node.map(|node| ("node".to_owned(), node)));
    if let Some(rooms) = rooms(fields) {
        event.labels.insert("rooms".into(), rooms);
    }
    for name in ["alert_url", "alarm_url", "url"] {
        wire::link(&mut event.links, &wire::word(fields, &[name]).unwrap_or_default());
    }
    Ok(event)
}

/// The word after the first `on` behind the names of the alert and the chart, which may hold one too: the
/// node, in the messages known.
fn node(message: &str, alert: &str, chart: &str) -> Option<String> {
    let mut rest = message;
    for known in [alert, chart, alert].into_iter().filter(|known| !known.is_empty()) {
        let bare = rest.trim_start_matches([' ', ',', ';', ':', '-', '=', '\'', '"', '`', '(', ')']);
        rest = bare.strip_prefix(known).unwrap_or(rest);
    }
    let (_, after) = rest.split_once(" on ")?;
    let word = after.split_whitespace().next()?.trim_matches([',', ';', ':', '\'', '"', '`', '(', ')', '!']);
    let word = word.trim_end_matches('.');
    (!word.is_empty() && !word.starts_with('/') && !stands_in(chart, word)).then(|| word.to_owned())
}

/// Whether a word is one of the parts of a chart's name, as `sda` in `disk.sda`.
fn stands_in(chart: &str, word: &str) -> bool {
    chart.match_indices(word).any(|(at, _)| {
        let before = chart[..at].chars().next_back();
        let after = chart[at + word.len()..].chars().next();
        [before, after].into_iter().flatten().all(|beside| !beside.is_alphanumeric())
    })
}

/// The names of the rooms: of an object they are its names, of a list the `name` of each.
fn rooms(fields: &Map<String, Value>) -> Option<String> {
    let names: Vec<Cow<'_, str>> = match fields.get("Rooms").or_else(|| fields.get("rooms"))? {
        Value::Object(rooms) => rooms.keys().map(|name| Cow::Borrowed(name.trim())).collect(),
        Value::Array(rooms) => {
            let name = |room: &Value| match room.as_object() {
                Some(room) => wire::text(room, &["name"]),
                None => wire::scalar(room).map(Cow::into_owned),
            };
            rooms.iter().filter_map(name).map(Cow::Owned).collect()
        }
        other => wire::scalar(other).into_iter().collect(),
    };
    (!names.is_empty()).then(|| names.join(","))
}

fn reached(fields: &Map<String, Value>, host: String) -> Result<Event, Unreadable> {
    let said = match fields.get("status") {
        Some(Value::Object(status)) => wire::text(status, &["reachable", "text"]),
        Some(other) => wire::scalar(other).map(Cow::into_owned),
        None => None,
    };
    let said = said.or_else(|| wire::text(fields, &["severity"])).map(|said| said.to_ascii_lowercase());
    let status = match said.as_deref() {
        Some("true" | "reachable" | "info" | "clear" | "up") => Status::Resolved,
        Some("false" | "unreachable" | "critical" | "warning" | "down") => Status::Firing,
        Some(_) => return Err(wire::unreadable("`status` says neither reachable nor unreachable")),
        None => return Err(wire::unreadable("there is neither a `status` nor a `severity` of this host")),
    };
    let title = wire::text(fields, &["message"]).unwrap_or_else(|| {
        format!("{host} is {}", if status == Status::Firing { "unreachable" } else { "reachable again" })
    });
    let space = wire::text(fields, &["space"]);
    let key = space
        .as_ref()
        .map_or_else(|| format!("reachability {host}"), |space| format!("reachability {space} {host}"));
    let mut event = Event::new(key, status, title);
    event.severity = (status == Status::Firing).then_some(AlertSeverity::Critical);
    event.occurred_at = wire::time(fields, &["date"]);
    event.labels.extend(space.map(|space| ("space".to_owned(), space)));
    event.labels.extend(rooms(fields).map(|rooms| ("rooms".to_owned(), rooms)));
    event.labels.insert("node".into(), host);
    event.labels.insert("class".into(), "reachability".into());
    wire::link(&mut event.links, &wire::word(fields, &["url"]).unwrap_or_default());
    Ok(event)
}

fn tested(fields: &Map<String, Value>, token: &str) -> Event {
    let title = wire::text(fields, &["title"]).unwrap_or_else(|| "Netdata Cloud: a test".to_owned());
    let mut event = Event::new("test", Status::Test, title);
    wire::line(&mut event.body, &wire::word(fields, &["message"]).unwrap_or_default());
    wire::line(&mut event.body, &format!("token to type into Netdata: {token}"));
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn critical_warning_and_clear_have_one_key() {
        let of = |severity: &str, end: &str| {
            one(&json!({"alert": "disk_space_usage", "chart": "disk_space./srv", "severity": severity,
                "message": format!("disk_space_usage on files-1 {end}")}))
        };
        let (critical, warning, clear) =
            (of("critical", "is critical"), of("warning", "is warning"), of("clear", "has recovered"));
        assert_eq!(critical.key, "- disk_space_usage disk_space./srv files-1");
        assert_eq!([&critical.key, &warning.key], [&clear.key, &clear.key]);
        assert_eq!((critical.status, clear.status), (Status::Firing, Status::Resolved));
        assert_eq!(warning.severity, Some(AlertSeverity::Warning));
    }

    #[test]
    fn two_nodes_with_the_same_alert_are_two_alerts() {
        let of = |node: &str| {
            one(&json!({"alert": "a", "chart": "c", "severity": "critical",
                "message": format!("a on {node}, critical")}))
        };
        assert_ne!(of("files-1").key, of("files-2").key);
    }

    #[test]
    fn a_part_of_the_chart_is_no_node() {
        let of = |alert: &str, chart: &str, message: &str| {
            let event = one(&json!({"alert": alert, "chart": chart, "severity": "critical",
                "message": message}));
            event.labels.get("node").cloned()
        };
        let found = Some("files-1".to_owned());
        assert_eq!(of("space on disk", "disk.sda", "space on disk on files-1 is critical"), found);
        assert_eq!(of("a", "used on /srv", "a, used on /srv on files-1 is critical"), found);
        assert_eq!(of("a", "disk_space./srv", "a = 97% on /srv of files-1"), None);
        assert_eq!(of("a", "disk_space./srv", "a is critical on /mnt"), None);
        assert_eq!(of("a", "disk.sda", "a is critical on sda"), None);
        assert_eq!(of("a", "disk.sda1", "a is critical on sda"), Some("sda".to_owned()));
    }

    #[test]
    fn the_same_node_of_another_space_is_another_alert() {
        let alert = |space: &str| {
            one(&json!({"alert": "a", "space": space, "severity": "critical", "message": "a on db-1"})).key
        };
        let host = |space: &str| one(&json!({"host": "db-1", "space": space, "severity": "critical"})).key;
        assert_eq!(alert("acme"), "acme a - db-1");
        assert_ne!(alert("acme"), alert("lab"));
        assert_ne!(host("acme"), host("lab"));
    }

    #[test]
    fn an_older_body_with_its_other_names_is_the_same_alert() {
        let new = one(&json!({"alert": "a", "chart": "c", "severity": "clear",
            "Rooms": {"all": "https://x.example.net"}}));
        let old = one(&json!({"alarm": "a", "chart": "c", "severity": "clear", "rooms": [{"name": "all"}]}));
        assert_eq!(new, old);
    }

    #[test]
    fn a_host_is_unreachable_and_reachable_under_one_key() {
        let down = one(&json!({"host": "db-1", "severity": "critical",
            "status": {"reachable": false, "text": "unreachable"}}));
        let up = one(&json!({"host": "db-1", "severity": "info", "status": {"text": "reachable"}}));
        let bare = one(&json!({"host": "db-1", "severity": "critical"}));
        assert_eq!((down.status, up.status, bare.status), (Status::Firing, Status::Resolved, Status::Firing));
        assert_eq!([&down.key, &bare.key], [&up.key, &up.key]);
    }

    #[test]
    fn the_token_of_a_test_is_shown_because_it_has_to_be_typed_back() {
        let event = one(&json!({"title": "Test Notification", "message": "A test", "token": "AB12"}));
        assert_eq!(event.status, Status::Test);
        assert!(event.body.ends_with("AB12"), "{}", event.body);
    }

    #[test]
    fn what_nobody_knows_is_refused_without_quoting_it() {
        assert_eq!(
            why(&json!({"alert": "a", "severity": "hunter2"})),
            "`severity` is none of warning, critical and clear"
        );
        assert!(why(&json!({"alert": "a"})).contains("no `severity`"));
        assert!(why(&json!({"host": "db-1"})).contains("neither a `status`"));
        assert!(why(&json!({"x": 1})).contains("neither an `alert`"));
    }
}
