//! Bosun (bosun-monitor/bosun): `post` and `get` notifications.
//!
//! Wire facts, with their origin (`docs/notifications.md`, `cmd/bosun/conf/notify.go`, `actionNotify.go`,
//! `unknownNotify.go`, `models/incidents.go`):
//! - The body of a `post` is the rendered **subject as plain text** unless `bodyTemplate` names another; its
//!   type is whatever `contentType` says, often nothing. JSON is only what the operator's template makes.
//! - Alert notifications come when an alert triggers or gets worse. **Nothing is sent when it is normal
//!   again**: an incident ends by an action of a person, `Closed`, `ForceClosed`, `Forgotten` or `Purged`,
//!   when `runOnActions` lets it through. `Acknowledged` and `Note` are told the same way.
//! - The built-in text of an action is `USER ACTION Incident #ID (SUBJECT)`, or `USER ACTION N Alerts.` for
//!   several at once, which names none of them: set `groupActions = false`.
//! - The built-in texts of unknowns are `NAME: N unknown alerts` and `N unknown alert instances suppressed`.
//! - Statuses: `normal`, `warning`, `critical`, `unknown`, `none`. A status of 300 or more is a failure to
//!   Bosun, and is not tried again; redirects are followed first.
//! - A `get` carries what the operator puts into its address. Read only when GET is allowed here.
//!
//! Not confirmed: how `DelayedClosed` and `CancelClosed` are spelt in newer versions, so every form is taken.
//!
//! The key is `alert_key`, else the incident. A plain subject is its own key, without a leading status and
//! without white space: a subject with a value in it makes a new alert whenever the value changes, so use the
//! JSON of `setup`. Its texts are written by `json`, which Bosun's templates know; `printf "%q"` quotes as Go
//! does, which is not JSON where a text holds anything but plain letters.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Options, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// Bosun.
pub const KIND: Kind = Kind {
    get: |options: &Options| options.allow_get,
    ..Kind::new(
        "bosun",
        "Bosun",
        "notification onscene { post = ADDRESS, bodyTemplate = onscene, actionBody = onsceneAction, unknownBody = \
         onsceneUnknown, contentType = application/json, runOnActions = all, groupActions = false, unknownMinGroupSize \
         = 0, unknownThreshold = 0 }, each on a line. In the template: onscene = \
         `{\"alert_key\": {{json .AlertKey}}, \"incident\": {{.Id}}, \"status\": \"{{.CurrentStatus}}\", \
         \"subject\": {{json .Subject}}, \"link\": \"{{.Incident}}\"}`, onsceneAction = `{{$i := index .States 0}}\
         {\"alert_key\": {{json $i.AlertKey}}, \"incident\": {{$i.Id}}, \"action\": \"{{.ActionType}}\", \
         \"user\": {{json .User}}, \"message\": {{json .Message}}, \"subject\": {{json $i.Subject}}}` and \
         onsceneUnknown = `[{{range $n, $key := .Group}}{{if $n}}, {{end}}{\"alert_key\": {{json $key}}, \
         \"status\": \"unknown\"}{{end}}]`",
        read,
    )
};

const KEY: &[&str] = &["alert_key", "alertkey", "AlertKey", "ak", "key"];
const INCIDENT: &[&str] = &["incident", "incident_id", "IncidentId", "Id", "id"];
const STATUS: &[&str] = &["status", "CurrentStatus", "state"];
const ACTION: &[&str] = &["action", "action_type", "ActionType"];
const SUBJECT: &[&str] = &["subject", "Subject", "text", "title"];
const LINKS: &[&str] = &["link", "incident_link", "url", "runbook"];
/// What a plain subject may begin with to say how bad it is. A subject may well begin with `test` or `none`, too,
/// and mean what it is about.
const LEADING: &[&str] = &["normal", "ok", "warning", "critical", "unknown", "error"];
/// Words that show that a text with `=` in it is a form, and no alert key.
const FORM: &[&str] = &["alert_key", "incident", "subject", "status", "action"];

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    if delivery.method == "GET" {
        if !delivery.options.allow_get {
            return Err(wire::unreadable("alerts by GET are not allowed for this source (`allow_get`)"));
        }
        let fields = wire::first_of_each(delivery.query)?;
        return Ok(vec![wire::bounded(preset(&fields)?)?]);
    }
    let body = wire::utf8(delivery.body)?;
    if is_json(body) {
        return match wire::json(body, "the body")? {
            Value::Array(items) => wire::each(items, "item", |fields| preset(&fields)),
            Value::Object(fields) => Ok(vec![wire::bounded(preset(&fields)?)?]),
            other => Err(wire::unreadable(format!("the body is {}, not an object", wire::shape(&other)))),
        };
    }
    if body.contains('=')
        && let Ok(fields) = wire::first_of_each(body)
        && FORM.iter().any(|name| fields.contains_key(*name))
    {
        return Ok(vec![wire::bounded(preset(&fields)?)?]);
    }
    if body.is_empty() {
        return Err(wire::unreadable("the body is empty"));
    }
    if body.starts_with('<') {
        return Err(wire::unreadable(
            "the body is HTML, which has no key; send the subject, or the JSON that the setup of this kind shows",
        ));
    }
    if matches!(body, "null" | "true" | "false") || !body.contains(char::is_alphabetic) {
        return Err(wire::unreadable("the body is neither a subject nor JSON"));
    }
    Ok(vec![wire::bounded(subject(body))?])
}

/// Subjects may begin with `[critical]`, so a bracket alone does not make JSON.
fn is_json(body: &str) -> bool {
    let inner = body.strip_prefix('[').map(str::trim_start);
    body.starts_with('{') || inner.is_some_and(|rest| rest.starts_with(['{', '[', ']', '"']))
}

/// What the operator's template makes.
fn preset(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let alert = wire::text(fields, KEY);
    let incident = wire::text(fields, INCIDENT);
    let text = wire::text(fields, SUBJECT);
    // A body for a chat tool has only a text, which is read as the plain subject is.
    let plain = text.as_deref().map(subject);
    let action = wire::text(fields, ACTION);
    let said = wire::text(fields, STATUS);
    let status = match (&action, &said) {
        (Some(action), _) => acted(action).ok_or_else(|| {
            wire::unreadable(
                "`action` is none of Acknowledged, Closed, ForceClosed, Forgotten, Purged and Note",
            )
        })?,
        (None, Some(word)) => state(word)
            .ok_or_else(|| wire::unreadable("`status` is none of normal, warning, critical and unknown"))?,
        (None, None) => plain.as_ref().map_or(Status::Firing, |plain| plain.status),
    };
    let key = match (&alert, &incident, &plain) {
        (Some(alert), ..) => alert.clone(),
        (None, Some(incident), _) => format!("incident:{incident}"),
        (None, None, Some(plain)) => plain.key.clone(),
        (None, None, None) => {
            return Err(wire::unreadable(
                "there is neither an `alert_key`, nor an `incident`, nor a `subject`",
            ));
        }
    };
    let user = wire::text(fields, &["user", "User"]);
    let title = match (text, &action) {
        (Some(text), _) => text,
        (None, Some(action)) => format!("{key}: {action}"),
        (None, None) => said.as_ref().map_or(key.clone(), |said| format!("{said}: {key}")),
    };
    let mut event = Event::new(key, status, title);
    event.severity = said
        .as_deref()
        .and_then(severity)
        .or_else(|| plain.and_then(|plain| plain.severity))
        .filter(|_| action.is_none());
    for text in [wire::text(fields, &["body", "details"]), wire::text(fields, &["message", "Message"])] {
        wire::line(&mut event.body, &text.unwrap_or_default());
    }
    if let (Some(action), Some(user)) = (&action, &user) {
        wire::line(&mut event.body, &format!("{action} by {user} in Bosun"));
    }
    event.occurred_at = wire::time(fields, &["time", "timestamp"]);
    if let Some((name, tags)) = alert.as_deref().and_then(|alert| alert.strip_suffix('}')?.split_once('{')) {
        event.labels.extend(tags.split(',').filter_map(|tag| {
            let (name, value) = tag.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        }));
        event.labels.insert("alert".into(), name.trim().to_owned());
    }
    if let Some(Value::Object(tags)) = fields.get("tags") {
        event.labels.extend(wire::pairs(tags).map(|(name, value)| (name.to_owned(), value.into_owned())));
    }
    for (label, value) in
        [("alert_key", alert), ("incident", incident), ("status", said), ("action", action), ("user", user)]
    {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    for link in LINKS.iter().filter_map(|name| wire::text(fields, &[name])) {
        wire::link(&mut event.links, &link);
    }
    Ok(event)
}

/// What a person did to an incident.
fn acted(action: &str) -> Option<Status> {
    Some(match action.to_ascii_lowercase().as_str() {
        "ack" | "acknowledge" | "acknowledged" => Status::Acknowledged,
        "close" | "closed" | "forget" | "forgotten" | "forceclose" | "forceclosed" | "purge" | "purged" => {
            Status::Resolved
        }
        "note" | "delayedclose" | "delayedclosed" | "delayed close" | "cancelclose" | "cancelclosed"
        | "cancel close" | "none" => Status::Info,
        _ => return None,
    })
}

fn state(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "normal" | "ok" => Status::Resolved,
        "warning" | "warn" | "critical" | "crit" | "unknown" | "error" => Status::Firing,
        "none" => Status::Info,
        "test" => Status::Test,
        _ => return None,
    })
}

/// Unknown means that the data is missing, which is worth a look and no more.
fn severity(word: &str) -> Option<AlertSeverity> {
    if word.eq_ignore_ascii_case("unknown") {
        return Some(AlertSeverity::Warning);
    }
    AlertSeverity::from_word(word)
}

/// The subject as plain text, or the built-in text of an action or of unknowns.
fn subject(text: &str) -> Event {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(event) = action(&text) {
        return event;
    }
    if let Some((name, count)) =
        text.rsplit_once(": ").filter(|(_, count)| count.ends_with(" unknown alerts"))
    {
        let mut event = Event::new(key(&format!("unknown:{name}")), Status::Firing, &text);
        event.severity = Some(AlertSeverity::Warning);
        event.labels.insert("status".into(), "unknown".into());
        event.labels.extend(count.split_once(' ').map(|(count, _)| ("count".to_owned(), count.to_owned())));
        return event;
    }
    if text.ends_with(" unknown alert instances suppressed") {
        let mut event = Event::new("unknown alert instances suppressed", Status::Firing, &text);
        event.severity = Some(AlertSeverity::Warning);
        event.labels.insert("status".into(), "unknown".into());
        return event;
    }
    let (word, rest) = leading(&text);
    let status = word.and_then(state).unwrap_or(Status::Firing);
    let mut event = Event::new(key(rest), status, &text);
    event.severity = word.and_then(severity);
    event.labels.extend(word.map(|word| ("status".to_owned(), word.to_ascii_lowercase())));
    event
}

/// `USER ACTION Incident #ID (SUBJECT)`, or `USER ACTION N Alerts.`
fn action(text: &str) -> Option<Event> {
    let of = |words: &str| {
        let (user, action) = words.trim().rsplit_once(' ')?;
        Some((user.to_owned(), action.to_owned(), acted(action)?))
    };
    let (said, rest) = match text.split_once(" Incident #") {
        Some((words, rest)) => (of(words)?, Some(rest)),
        None => {
            let (words, count) = text.strip_suffix(" Alerts.")?.rsplit_once(' ')?;
            count.parse::<u64>().ok()?;
            (of(words)?, None)
        }
    };
    let (user, action, status) = said;
    let mut event = match rest {
        Some(rest) => {
            let (incident, rest) = rest.split_once(' ')?;
            let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
            let mut event = Event::new(key(leading(inner.trim()).1), status, text);
            event.labels.insert("incident".into(), incident.to_owned());
            event
        }
        // Which alerts were meant is not said, so nothing can be opened or ended.
        None => Event::new(key(text), Status::Info, text),
    };
    event.labels.insert("user".into(), user);
    event.labels.insert("action".into(), action);
    Some(event)
}

/// Splits `critical: subject` and `[critical] subject`, so that an alert that gets worse keeps its key.
fn leading(text: &str) -> (Option<&str>, &str) {
    let split = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']'),
        None => text.split_once(':'),
    };
    match split {
        Some((word, rest)) if is_leading(word.trim()) && !rest.trim().is_empty() => {
            (Some(word.trim()), rest.trim_start_matches(':').trim())
        }
        _ => (None, text),
    }
}

fn is_leading(word: &str) -> bool {
    LEADING.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// A text as a key; one too long to keep is hashed.
fn key(text: &str) -> String {
    if text.len() <= KEY_BYTES_MAX {
        text.to_owned()
    } else {
        format!("subject:{}", hex(&sha256(text.as_bytes())[..16]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{get, post};

    fn plain(text: &str) -> Event {
        post(&KIND, text.as_bytes()).unwrap().remove(0)
    }

    fn one(body: Value) -> Event {
        plain(&body.to_string())
    }

    #[test]
    fn a_plain_subject_that_gets_worse_and_is_closed_keeps_its_key() {
        let warning = plain("warning: cpu.high on ny-web01\n");
        let critical = plain("[critical] cpu.high  on ny-web01");
        let closed = plain("operator Closed Incident #991 (critical: cpu.high on ny-web01) ");
        assert_eq!((warning.status, critical.status), (Status::Firing, Status::Firing));
        assert_eq!(closed.status, Status::Resolved);
        assert_eq!((&warning.key, &closed.key), (&critical.key, &critical.key));
        assert_eq!(warning.severity, Some(AlertSeverity::Warning));
        assert_eq!((closed.labels["incident"].as_str(), closed.labels["user"].as_str()), ("991", "operator"));
    }

    #[test]
    fn the_preset_fires_is_acknowledged_and_closes_under_one_key() {
        let key = "cpu.high{host=ny-web01}";
        let fires = one(json!({"alert_key": key, "incident": 991, "status": "critical", "subject": "s"}));
        let acked = one(json!({"alert_key": key, "incident": "991", "action": "Acknowledged"}));
        let closed =
            one(json!({"alert_key": key, "incident": 991, "action": "Closed", "status": "critical"}));
        let read = [fires.status, acked.status, closed.status];
        assert_eq!(read, [Status::Firing, Status::Acknowledged, Status::Resolved]);
        assert_eq!((&fires.key, &acked.key), (&closed.key, &closed.key));
        assert_eq!((fires.labels["host"].as_str(), fires.labels["alert"].as_str()), ("ny-web01", "cpu.high"));
    }

    #[test]
    fn several_actions_at_once_name_no_alert_and_end_none() {
        assert_eq!(plain("operator Closed 3 Alerts. ").status, Status::Info);
    }

    #[test]
    fn a_subject_that_begins_with_test_or_none_fires() {
        for text in ["test: disk of the bench is full", "[none] no backup", "none: no backup"] {
            assert_eq!((plain(text).status, plain(text).key.as_str()), (Status::Firing, text));
        }
        assert_eq!(plain("normal: disk").status, Status::Resolved);
        assert_eq!(one(json!({"alert_key": "a{}", "status": "test"})).status, Status::Test);
    }

    #[test]
    fn unknowns_by_the_preset_fire_each_under_its_own_key() {
        let list = br#"[{"alert_key": "a{host=1}", "status": "unknown"}, {"alert_key": "a{host=2}", "status": "unknown"}]"#;
        let events = post(&KIND, list).unwrap();
        assert_eq!((events[0].status, events[0].key.as_str()), (Status::Firing, "a{host=1}"));
        assert_eq!(events[1].key, "a{host=2}");
        assert!(KIND.setup.contains("unknownBody = onsceneUnknown") && !KIND.setup.contains("%q"));
    }

    #[test]
    fn unknowns_fire_whatever_their_number_is() {
        let (two, five) = (plain("host=db-1: 2 unknown alerts"), plain("host=db-1: 5 unknown alerts"));
        assert_eq!((two.status, two.severity), (Status::Firing, Some(AlertSeverity::Warning)));
        assert_eq!(two.key, five.key);
    }

    #[test]
    fn an_alert_key_as_subject_is_no_form_and_a_form_is_none_the_less_read() {
        assert_eq!(plain("cpu.high{host=web01}").key, "cpu.high{host=web01}");
        let form = plain("alert_key=cpu.high%7Bhost%3Dweb01%7D&status=normal");
        assert_eq!((form.key.as_str(), form.status), ("cpu.high{host=web01}", Status::Resolved));
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        for body in ["null", "7", "<p>cpu</p>", "{\"text\": 7", "[]x", "{\"status\": \"critical\"}"] {
            assert!(post(&KIND, body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(post(&KIND, b"[]"), Ok(vec![]));
    }

    #[test]
    fn a_get_is_read_only_when_allowed() {
        assert_eq!(get(&KIND, "incident=7&status=critical", true).unwrap()[0].key, "incident:7");
        assert!(get(&KIND, "incident=7&status=critical", false).unwrap_err().0.contains("allow_get"));
    }
}
