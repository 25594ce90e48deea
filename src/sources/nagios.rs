//! Nagios, and everything that notifies as it does: Naemon, Checkmk's core, and by its own name Icinga.
//!
//! Facts, with their origin (NagiosEnterprises/nagioscore `base/notifications.c`, `include/macros.h`, the manual on macros;
//! Icinga/icinga2 `lib/icinga/notification.cpp` and its documentation):
//! - There is no webhook. A notification command is run; ours is `onscene send`, which makes a JSON object of what the
//!   command line says (`deploy/nagios`, `deploy/icinga2`).
//! - `NOTIFICATIONTYPE` is PROBLEM, RECOVERY, ACKNOWLEDGEMENT, FLAPPINGSTART, FLAPPINGSTOP (Icinga: FLAPPINGEND),
//!   FLAPPINGDISABLED, DOWNTIMESTART, DOWNTIMEEND, DOWNTIMECANCELLED (Icinga: DOWNTIMEREMOVED) or CUSTOM. A change between
//!   WARNING and CRITICAL is a PROBLEM again, and so is a reminder.
//! - What identifies a problem is the host with the service. The number of a problem (`SERVICEPROBLEMID`) is 0 when it is
//!   over, so it is no key. `!` can stand in no name, and Icinga joins them by it itself.
//! - **What recovers inside a downtime, or while it flaps, is never notified as RECOVERY.** The end of the downtime or of
//!   the flapping is, with the state of that moment; when that is well, it is over. A command that is not told of those
//!   (notification options `f` and `s`) leaves the alert open.
//! - A macro that the program does not know stays as it is, `$SERVICEDESC$`, and is no value.
//! - A command is run once; whether it worked is only logged. That is what the spool of `onscene send` is for.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Nagios.
pub const KIND: Kind = Kind::new(
    "nagios",
    "Nagios, Naemon",
    "By `onscene send`, on the machine of Nagios: deploy/nagios/onscene.cfg of onscene's sources has the two commands and a \
     contact; put the token of this source into the file it names, and add the contact to your contact groups. It is told of \
     problems, recoveries, acknowledgements, flapping and downtimes: leave none out, else what recovers in a downtime stays \
     open. Or POST {\"type\": \"$NOTIFICATIONTYPE$\", \"host\": \"$HOSTNAME$\", \"service\": \"$SERVICEDESC$\", \"state\": \
     \"$SERVICESTATE$\", \"output\": \"$SERVICEOUTPUT$\"} to ADDRESS, without `service` and with `$HOSTSTATE$` and \
     `$HOSTOUTPUT$` for a host.",
    read,
);

const TYPE: &[&str] = &["type", "notification_type", "notificationtype"];
const HOST: &[&str] = &["host", "host_name", "hostname"];
const SERVICE: &[&str] = &["service", "service_name", "service_description", "servicedesc"];
const STATE: &[&str] = &["state", "service_state", "servicestate", "host_state", "hoststate"];
const OUTPUT: &[&str] = &["output", "service_output", "serviceoutput", "host_output", "hostoutput"];
const TIME: &[&str] = &["occurred_at", "time", "timestamp", "timet"];

/// Labels, and the fields they come from.
const LABELS: &[(&str, &[&str])] = &[
    ("host", HOST),
    ("service", SERVICE),
    ("address", &["address", "host_address", "hostaddress"]),
    ("hostgroups", &["hostgroups", "host_groups", "hostgroupnames"]),
    ("servicegroups", &["servicegroups", "service_groups", "servicegroupnames"]),
    ("problem_id", &["problem_id", "problemid"]),
    ("author", AUTHOR),
];
const AUTHOR: &[&str] = &["author", "notification_author", "notificationauthor"];

/// How a host or a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    word: &'static str,
    is_well: bool,
    severity: Option<AlertSeverity>,
}

/// Reads a notification of Nagios or of Icinga.
pub(super) fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    Ok(vec![wire::bounded(event(&wire::fields(delivery)?)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let host = said(fields, HOST).ok_or_else(|| wire::unreadable("there is no `host`"))?;
    let service = said(fields, SERVICE);
    let state = match said(fields, STATE) {
        Some(word) => Some(state(&word, service.is_some()).ok_or_else(|| {
            wire::unreadable("`state` is none of OK, WARNING, CRITICAL, UNKNOWN, UP, DOWN and UNREACHABLE")
        })?),
        None => None,
    };
    let kind = said(fields, TYPE).map(|word| word.to_ascii_uppercase());
    let status = status(kind.as_deref(), state)?;
    let key = service.as_ref().map_or_else(|| host.clone(), |service| format!("{host}!{service}"));
    let what = service.as_ref().map_or_else(|| host.clone(), |service| format!("{service} on {host}"));

    let mut event = Event::new(key, status, title(&what, kind.as_deref(), status, state));
    event.severity = match said(fields, &["severity"]) {
        Some(word) => AlertSeverity::from_word(&word),
        None if status == Status::Firing => state.and_then(|state| state.severity),
        None => None,
    };
    for names in [OUTPUT, &["long_output", "longoutput", "long_service_output", "long_host_output"]] {
        wire::line(&mut event.body, &said(fields, names).unwrap_or_default().replace("\\n", "\n"));
    }
    if let Some(comment) = said(fields, &["comment", "notification_comment", "notificationcomment"]) {
        let by = said(fields, AUTHOR).map_or_else(String::new, |author| format!("{author}: "));
        wire::line(&mut event.body, &format!("{by}{comment}"));
    }
    for (label, names) in LABELS {
        event.labels.extend(said(fields, names).map(|value| ((*label).to_owned(), value)));
    }
    event.labels.extend(state.map(|state| ("state".to_owned(), state.word.to_owned())));
    for name in ["url", "notes_url", "action_url"] {
        wire::link(&mut event.links, &said(fields, &[name]).unwrap_or_default());
    }
    event.occurred_at = wire::time(fields, TIME);
    event.delivery_id = wire::text(fields, &["delivery_id"]);
    Ok(event)
}

/// A field whose macro was filled in.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let is_macro = |text: &str| {
        let name = text.strip_prefix('$').and_then(|text| text.strip_suffix('$')).unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte))
    };
    names.iter().filter_map(|name| wire::text(fields, &[*name])).find(|text| !is_macro(text))
}

/// A state as word or as number. The numbers of hosts and services mean different things.
fn state(word: &str, is_service: bool) -> Option<State> {
    use AlertSeverity::{Critical, Warning};
    let (word, is_well, severity) = match (word.to_ascii_uppercase().as_str(), is_service) {
        ("OK", _) | ("0", true) => ("OK", true, None),
        ("WARNING", _) | ("1", true) => ("WARNING", false, Some(Warning)),
        ("CRITICAL", _) | ("2", true) => ("CRITICAL", false, Some(Critical)),
        ("UNKNOWN", _) | ("3", true) => ("UNKNOWN", false, Some(Warning)),
        ("UP", _) | ("0", false) => ("UP", true, None),
        ("DOWN", _) | ("1", false) => ("DOWN", false, Some(Critical)),
        ("UNREACHABLE", _) | ("2", false) => ("UNREACHABLE", false, Some(Warning)),
        _ => return None,
    };
    Some(State { word, is_well, severity })
}

fn status(kind: Option<&str>, state: Option<State>) -> Result<Status, Unreadable> {
    let is_well = state.is_some_and(|state| state.is_well);
    Ok(match kind {
        Some("PROBLEM") => Status::Firing,
        Some("RECOVERY") => Status::Resolved,
        Some("ACKNOWLEDGEMENT") => Status::Acknowledged,
        // It may have recovered meanwhile, and nobody will say so any more.
        Some(
            "FLAPPINGSTOP" | "FLAPPINGEND" | "FLAPPINGDISABLED" | "DOWNTIMEEND" | "DOWNTIMECANCELLED"
            | "DOWNTIMEREMOVED",
        ) if is_well => Status::Resolved,
        Some(kind) if kind.starts_with("FLAPPING") || kind.starts_with("DOWNTIME") || kind == "CUSTOM" => {
            Status::Info
        }
        Some(_) => return Err(wire::unreadable("`type` is no type of a notification")),
        None if state.is_none() => return Err(wire::unreadable("there is neither a `type` nor a `state`")),
        None if is_well => Status::Resolved,
        None => Status::Firing,
    })
}

fn title(what: &str, kind: Option<&str>, status: Status, state: Option<State>) -> String {
    let is = state.map_or_else(|| "has a problem".to_owned(), |state| format!("is {}", state.word));
    match (status, kind) {
        (Status::Firing, _) => format!("{what} {is}"),
        (Status::Resolved, _) if state.is_none() => format!("{what} has recovered"),
        (Status::Resolved, _) => format!("{what} {is}"),
        (Status::Acknowledged, _) => format!("{what} {is}, acknowledged"),
        (_, kind) => format!("{what}: {}", in_words(kind.unwrap_or_default())),
    }
}

/// DOWNTIMESTART as people write it.
fn in_words(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let parted = ["downtime", "flapping"].iter().find_map(|first| Some((first, kind.strip_prefix(first)?)));
    parted.map_or_else(|| kind.clone(), |(first, rest)| format!("{first} {rest}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn of(kind: &str, state: &str) -> Event {
        one(json!({"type": kind, "host": "sw-9", "service": "uplink", "state": state}))
    }

    #[test]
    fn a_problem_that_gets_worse_and_recovers_keeps_its_key() {
        let (warns, fires, recovers) =
            (of("PROBLEM", "WARNING"), of("PROBLEM", "CRITICAL"), of("RECOVERY", "OK"));
        assert_eq!(
            [warns.status, fires.status, recovers.status],
            [Status::Firing, Status::Firing, Status::Resolved]
        );
        assert_eq!((&warns.key, &fires.key), (&recovers.key, &"sw-9!uplink".to_owned()));
        assert_eq!(
            (warns.severity, fires.severity),
            (Some(AlertSeverity::Warning), Some(AlertSeverity::Critical))
        );
    }

    #[test]
    fn a_host_and_its_service_are_two_alerts() {
        let host = one(json!({"type": "PROBLEM", "host": "sw-9", "state": "DOWN"}));
        assert_eq!((host.key.as_str(), host.title.as_str()), ("sw-9", "sw-9 is DOWN"));
        // As a command that serves both would be called for a host.
        let same =
            one(json!({"type": "PROBLEM", "host": "sw-9", "service": "$SERVICEDESC$", "state": "DOWN"}));
        assert_eq!((same.key, same.labels.contains_key("service")), (host.key, false));
    }

    #[test]
    fn what_recovered_in_a_downtime_or_while_flapping_is_over_when_that_ends() {
        for kind in ["DOWNTIMEEND", "DOWNTIMECANCELLED", "DOWNTIMEREMOVED", "FLAPPINGSTOP", "FLAPPINGEND"] {
            assert_eq!(of(kind, "OK").status, Status::Resolved, "{kind}");
            assert_eq!(of(kind, "CRITICAL").status, Status::Info, "{kind}");
        }
        for kind in ["DOWNTIMESTART", "FLAPPINGSTART", "CUSTOM"] {
            assert_eq!(of(kind, "OK").status, Status::Info, "{kind}");
        }
        assert_eq!(of("ACKNOWLEDGEMENT", "CRITICAL").status, Status::Acknowledged);
    }

    #[test]
    fn numbers_of_states_mean_what_they_mean_for_hosts_and_for_services() {
        assert_eq!(of("PROBLEM", "2").labels["state"], "CRITICAL");
        let host = |state: Value| one(json!({"type": "PROBLEM", "host": "sw-9", "state": state}));
        assert_eq!(
            (host(json!(1)).labels["state"].as_str(), host(json!("2")).labels["state"].as_str()),
            ("DOWN", "UNREACHABLE")
        );
        assert_eq!(one(json!({"host": "sw-9", "state": "Up"})).status, Status::Resolved);
    }

    #[test]
    fn words_nobody_knows_are_refused_without_quoting_them() {
        let why = |body: Value| post(&KIND, body.to_string().as_bytes()).unwrap_err().0;
        assert_eq!(why(json!({"type": "hunter2", "host": "h"})), "`type` is no type of a notification");
        assert!(why(json!({"host": "h", "state": "hunter2"})).starts_with("`state` is none of OK"));
        assert_eq!(why(json!({"type": "PROBLEM", "service": "s"})), "there is no `host`");
        assert_eq!(why(json!({"host": "h"})), "there is neither a `type` nor a `state`");
    }
}
