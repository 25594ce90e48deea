//! Datadog: monitors that notify a webhook.
//!
//! Wire facts, with their origin (docs.datadoghq.com, webhooks integration; keep's provider for the words
//! met):
//! - `POST`, no signature. **The body is the user's own template**, as JSON or, with "Encode as form", as a
//!   form with the same names. The template we ask for stands in the setup below.
//! - Every value is a text, ids and Unix milliseconds too; tags and the scope are lists with commas.
//! - A variable that does not apply stays empty, or says `Null` in the case of the transition. One that
//!   Datadog does not know stays as it was written, `$NAME` (the latter seen, not documented).
//! - `$ALERT_CYCLE_KEY` is the same from the trigger to the recovery, and every group of a multi-alert has
//!   its own. `$ID` names the event, so it is useless as a key.
//! - `$ALERT_TRANSITION` is Triggered, No Data, Warn, each also with `Re-`, Renotify, Recovered or Null. A
//!   renotification says again what is known.
//! - The default template has neither a transition nor the monitor: only `id` (of the event), `title`,
//!   `body`, `date`, `last_updated`, `event_type` and `org`. Then the brackets before the title are read, as
//!   in `[Triggered on {host:db-1}] Disk is full`, and title and scope are the key. Whoever renames a monitor
//!   while it fires loses its recovery, so such an alert has the label `confidence` = `low` and says so in
//!   its body.
//! - A monitor that is tried out puts `[TEST]` before the transition in the title (met, not documented). It is
//!   believed only there, since a monitor may be called so.
//! - Where the transition says nothing that is known, the brackets before the title count, then the type of
//!   the alert.
//! - 5xx is tried again, 4xx is not. The answer is awaited 15 seconds.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, KEY_BYTES_MAX, Status};
use crate::crypto::{hex, sha256};

/// Datadog.
pub const KIND: Kind = Kind::new(
    "datadog",
    "Datadog",
    "Integrations → Webhooks → New. Name: onscene, URL: ADDRESS, Payload: \
     `{\"alert_id\": \"$ALERT_ID\", \"alert_cycle_key\": \"$ALERT_CYCLE_KEY\", \
     \"aggreg_key\": \"$AGGREG_KEY\", \"alert_transition\": \"$ALERT_TRANSITION\", \
     \"alert_type\": \"$ALERT_TYPE\", \"alert_scope\": \"$ALERT_SCOPE\", \"alert_title\": \"$ALERT_TITLE\", \
     \"alert_status\": \"$ALERT_STATUS\", \"priority\": \"$ALERT_PRIORITY\", \"event_id\": \"$ID\", \
     \"event_title\": \"$EVENT_TITLE\", \"event_type\": \"$EVENT_TYPE\", \"date\": \"$DATE\", \
     \"last_updated\": \"$LAST_UPDATED\", \"tags\": \"$TAGS\", \"link\": \"$LINK\", \"host\": \"$HOSTNAME\", \
     \"text\": \"$TEXT_ONLY_MSG\"}`. Then write `@webhook-onscene` into the message of each monitor, outside \
     of any condition, so that recoveries are sent too.",
    read,
);

/// Labels made of tags. A host may have hundreds, and the facts of the alert need their place too.
const TAGS_MAX: usize = 40;

/// Labels, and the fields they come from.
const LABELS: &[(&str, &[&str])] = &[
    ("monitor_id", &["alert_id", "monitor_id"]),
    ("alert_scope", &["alert_scope", "scope"]),
    ("alert_type", &["alert_type"]),
    ("alert_metric", &["alert_metric"]),
    ("event_type", &["event_type"]),
    ("priority", &["priority", "alert_priority"]),
    ("host", &["host", "hostname"]),
];

/// What a notification says of its monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transition {
    Triggered,
    NoData,
    Warns,
    Recovered,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    let fields: Map<String, Value> = if body.contains('=') && !body.starts_with(['{', '[']) {
        wire::first_of_each(body)?
    } else {
        wire::object(&wire::json(body, "the body")?, "the body")?.clone()
    };
    Ok(vec![wire::bounded(event(&fields)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let heading = said(fields, &["alert_title", "event_title", "title"]).unwrap_or_default();
    let heading = Heading::of(&heading);
    let monitor = said(fields, &["alert_id", "monitor_id"]);
    let word = wire::text(fields, &["alert_transition", "transition"]).filter(|word| !is_variable(word));
    let cycle = said(fields, &["alert_cycle_key"]);
    let plain = word.as_deref().filter(|word| !word.eq_ignore_ascii_case("null"));
    let known = plain.and_then(transition);
    // An event that is of no monitor has a type too, which says nothing of a condition.
    let is_of_monitor = cycle.is_some() || monitor.is_some();
    let typed = said(fields, &["alert_type"]).filter(|_| is_of_monitor).and_then(|word| typed(&word));
    let transition = known.or(heading.transition).or(typed);
    if plain.is_some() && transition.is_none() {
        return Err(wire::unreadable(
            "`alert_transition` is a word that is not known, and neither the title nor `alert_type` says more",
        ));
    }
    let status = match transition {
        _ if heading.is_test => Status::Test,
        Some(Transition::Recovered) => Status::Resolved,
        Some(_) => Status::Firing,
        None => Status::Info,
    };
    let scope = said(fields, &["alert_scope", "scope"]).or_else(|| heading.scope.map(str::to_owned));
    let scope = scope.filter(|scope| scope != "*");

    let aggregate = said(fields, &["aggreg_key"]);
    let guessed = (known.is_none() && (transition.is_some() || word.is_none()))
        || (cycle.is_none() && monitor.is_none() && aggregate.is_none());
    let key = match (cycle, &monitor, &aggregate) {
        (Some(cycle), ..) => cycle,
        (None, Some(monitor), _) => scoped("monitor", monitor, scope.as_deref()),
        (None, None, Some(aggregate)) => scoped("aggregate", aggregate, scope.as_deref()),
        (None, None, None) if !heading.name.is_empty() => scoped("title", heading.name, scope.as_deref()),
        (None, None, None) => {
            return Err(wire::unreadable(
                "there is neither an `alert_cycle_key`, nor an `alert_id`, nor a title; \
                 is this really Datadog's webhook, with the payload of our page?",
            ));
        }
    };

    let name = match &monitor {
        Some(monitor) if heading.name.is_empty() => format!("Datadog monitor {monitor}"),
        _ if heading.name.is_empty() => "A Datadog monitor".to_owned(),
        _ => heading.name.to_owned(),
    };
    let mut event = Event::new(key, status, title(&name, status, transition, scope.as_deref()));
    event.severity =
        if status == Status::Test { None } else { severity(fields, transition, heading.priority) };
    event.body = body(fields);
    if guessed && matches!(status, Status::Firing | Status::Resolved) {
        let by_type = known.or(heading.transition).is_none();
        let from = if by_type { "the type of the alert" } else { "its title" };
        wire::line(
            &mut event.body,
            &format!("The payload of this webhook says too little: what it means is guessed from {from}."),
        );
    }
    event.occurred_at = wire::time(fields, &["date", "last_updated", "date_posix"]);
    event.group = aggregate;

    let tags = fields.get("tags").and_then(wire::flat).filter(|tags| !is_variable(tags));
    for all in [tags.as_deref(), scope.as_deref()].into_iter().flatten() {
        tag(all, &mut event);
    }
    for (label, names) in LABELS {
        event.labels.extend(said(fields, names).map(|value| ((*label).to_owned(), value)));
    }
    event.labels.extend(word.map(|word| ("transition".to_owned(), word)));
    if let Some(name) =
        fields.get("org").and_then(Value::as_object).and_then(|org| wire::text(org, &["name"]))
    {
        event.labels.insert("org".into(), name);
    }
    if guessed {
        event.labels.insert("confidence".into(), "low".into());
    }
    for name in ["link", "url", "snapshot"] {
        wire::link(&mut event.links, &said(fields, &[name]).unwrap_or_default());
    }
    Ok(event)
}

/// The first of these fields whose variable was filled in.
fn said(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .filter_map(|name| wire::text(fields, &[*name]))
        .find(|text| !is_variable(text) && !text.eq_ignore_ascii_case("null"))
}

/// Whether a text is still the name of a variable.
fn is_variable(text: &str) -> bool {
    let name = text.trim().strip_prefix('$').unwrap_or_default();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn transition(word: &str) -> Option<Transition> {
    let word = word.trim().to_ascii_lowercase();
    Some(match word.strip_prefix("re-").unwrap_or(&word) {
        "triggered" | "renotify" | "notify" | "alert" => Transition::Triggered,
        "no data" => Transition::NoData,
        "warn" | "warning" => Transition::Warns,
        "recovered" | "resolved" | "ok" => Transition::Recovered,
        _ => return None,
    })
}

/// What the type of an alert says of its monitor.
fn typed(word: &str) -> Option<Transition> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "error" => Transition::Triggered,
        "warning" => Transition::Warns,
        "success" => Transition::Recovered,
        _ => return None,
    })
}

/// A title, and what its brackets say: `[P1] [Triggered on {host:db-1}] Disk is full`.
struct Heading<'a> {
    name: &'a str,
    transition: Option<Transition>,
    scope: Option<&'a str>,
    priority: Option<AlertSeverity>,
    is_test: bool,
}

impl<'a> Heading<'a> {
    fn of(text: &'a str) -> Self {
        let mut heading =
            Self { name: text.trim(), transition: None, scope: None, priority: None, is_test: false };
        let mut test = None;
        // Whatever follows the transition is the monitor's own name, brackets and all.
        while heading.transition.is_none() {
            let inside = heading.name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let Some((inside, rest)) = inside else { break };
            let (word, scope) = inside.split_once(" on ").unwrap_or((inside, ""));
            let word = word.trim();
            if word.eq_ignore_ascii_case("test") {
                test = test.or(Some(heading.name));
            } else if let Some(said) = transition(word) {
                heading.transition = Some(said);
                let scope = scope.trim().trim_start_matches('{').trim_end_matches('}').trim();
                heading.scope = Some(scope).filter(|scope| !scope.is_empty());
            } else if let Some(said) = priority(word) {
                heading.priority = Some(said);
            } else {
                break;
            }
            heading.name = rest.trim();
        }
        match test {
            Some(_) if heading.transition.is_some() => heading.is_test = true,
            // No more than the name of a monitor.
            Some(name) => heading.name = name,
            None => {}
        }
        heading
    }
}

/// `P1` to `P5`. Other words, such as an event's `normal`, are no priorities of a monitor.
fn priority(word: &str) -> Option<AlertSeverity> {
    let digits = word.trim().strip_prefix(['P', 'p'])?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| AlertSeverity::from_word(word)).flatten()
}

/// A key from what a monitor is called and where it fires. Tags come in any order.
fn scoped(what: &str, name: &str, scope: Option<&str>) -> String {
    let mut tags: Vec<&str> = scope.unwrap_or_default().split(',').map(str::trim).collect();
    tags.sort_unstable();
    let key = format!("{what}:{name}:{}", tags.join(","));
    if key.len() > KEY_BYTES_MAX { format!("{what}:{}", hex(&sha256(key.as_bytes())[..16])) } else { key }
}

fn title(name: &str, status: Status, transition: Option<Transition>, scope: Option<&str>) -> String {
    let on = scope.map(|scope| format!(" on {scope}")).unwrap_or_default();
    match transition {
        _ if status == Status::Test => format!("{name}: a test"),
        Some(Transition::Triggered) => format!("{name}{on}"),
        Some(Transition::NoData) => format!("{name}: no data{on}"),
        Some(Transition::Warns) => format!("{name}: warning{on}"),
        Some(Transition::Recovered) => format!("{name} has recovered{on}"),
        None => name.to_owned(),
    }
}

/// The monitor's priority, else the kind of the alert. A warning is never worse than that.
fn severity(
    fields: &Map<String, Value>,
    transition: Option<Transition>,
    headed: Option<AlertSeverity>,
) -> Option<AlertSeverity> {
    let kind = || match said(fields, &["alert_type"])?.to_ascii_lowercase().as_str() {
        // What is over is not worth less than when it fired.
        "success" => None,
        kind => AlertSeverity::from_word(kind),
    };
    let given = said(fields, &["priority", "alert_priority"]).and_then(|word| priority(&word));
    let severity = given.or(headed).or_else(kind);
    match transition {
        Some(Transition::Warns) => {
            Some(severity.map_or(AlertSeverity::Warning, |given| given.max(AlertSeverity::Warning)))
        }
        _ => severity,
    }
}

fn body(fields: &Map<String, Value>) -> String {
    let mut body = String::new();
    let text = said(fields, &["text", "text_only_msg", "body", "event_msg"]).unwrap_or_default();
    // Only Datadog's own pages know what these marks are for.
    for text in text.lines().filter(|text| text.trim() != "%%%") {
        wire::line(&mut body, text);
    }
    if let Some(status) = said(fields, &["alert_status"]) {
        wire::line(&mut body, &format!("status: {status}"));
    }
    body
}

/// `team:db` becomes `team` = `db`, a plain word `eu` becomes `tag_eu` = `true`.
fn tag(all: &str, event: &mut Event) {
    let words = all.split(',').map(str::trim).filter(|word| !word.is_empty());
    for word in words.take(TAGS_MAX) {
        match word.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                event.labels.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                event.labels.insert(format!("tag_{word}"), "true".into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: &Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn firing_and_recovered_have_the_same_key_by_cycle_by_monitor_and_by_title() {
        for (fires, recovers) in [
            (
                json!({"alert_cycle_key": "88", "alert_transition": "Triggered"}),
                json!({"alert_cycle_key": 88, "alert_transition": "Recovered"}),
            ),
            (
                json!({"alert_id": "7", "alert_scope": "env:prod,host:a", "alert_transition": "No Data"}),
                json!({"alert_id": "7", "alert_scope": "host:a, env:prod", "alert_transition": "Recovered"}),
            ),
            (
                json!({"id": "1", "title": "[P1] [Triggered on {host:a}] Disk is full"}),
                json!({"id": "2", "title": "[P1] [Recovered on {host:a}] Disk is full"}),
            ),
        ] {
            let (fires, recovers) = (one(&fires), one(&recovers));
            assert_eq!((fires.status, recovers.status), (Status::Firing, Status::Resolved));
            assert_eq!(fires.key, recovers.key);
        }
    }

    #[test]
    fn groups_of_one_monitor_have_different_keys() {
        let key = |scope: &str| {
            one(&json!({"alert_id": "7", "alert_scope": scope, "alert_transition": "Triggered"})).key
        };
        assert_ne!(key("host:a"), key("host:b"));
        assert!(key(&"host:a,".repeat(1000)).len() <= KEY_BYTES_MAX);
    }

    #[test]
    fn every_transition_is_known_and_null_says_nothing_of_a_monitor() {
        let status = |word: &str| one(&json!({"alert_id": "7", "alert_transition": word})).status;
        for word in ["Triggered", "Re-Triggered", "No Data", "Re-No Data", "Warn", "Re-Warn", "Renotify"] {
            assert_eq!(status(word), Status::Firing, "{word}");
        }
        assert_eq!(status("Recovered"), Status::Resolved);
        assert_eq!(status("Null"), Status::Info);
        assert_eq!(status("$ALERT_TRANSITION"), Status::Info);
    }

    #[test]
    fn a_title_alone_is_believed_with_low_confidence() {
        let event =
            one(&json!({"id": "1", "title": "[Warn on {host:a}] Disk is full", "body": "%%%\n91 %\n%%%"}));
        assert_eq!(event.labels["confidence"], "low");
        assert_eq!(event.severity, Some(AlertSeverity::Warning));
        assert!(event.body.starts_with("91 %\nThe payload"), "{}", event.body);
        let full = one(&json!({"alert_cycle_key": "1", "alert_transition": "Triggered"}));
        assert!(!full.labels.contains_key("confidence"));
    }

    #[test]
    fn a_warning_is_never_worse_than_a_warning() {
        let severity = |transition: &str, priority: &str| {
            let body = json!({"alert_id": "7", "alert_transition": transition, "priority": priority,
                "alert_type": "error"});
            one(&body).severity
        };
        assert_eq!(severity("Warn", "P1"), Some(AlertSeverity::Warning));
        assert_eq!(severity("Warn", "P5"), Some(AlertSeverity::Info));
        assert_eq!(severity("Triggered", "P1"), Some(AlertSeverity::Critical));
        assert_eq!(severity("Triggered", "normal"), Some(AlertSeverity::Error));
    }

    #[test]
    fn only_a_test_before_the_transition_is_one() {
        let status = |title: &str| one(&json!({"title": title})).status;
        assert_eq!(status("[TEST] [Triggered] Disk is full"), Status::Test);
        assert_eq!(status("[Triggered] [TEST] Disk is full"), Status::Firing);
        assert_eq!(status("[Comment] Disk is full"), Status::Info);
        let named = json!({"alert_id": "7", "alert_transition": "Triggered", "alert_title": "[TEST] bench"});
        let named = one(&named);
        assert_eq!((named.status, named.title.as_str()), (Status::Firing, "[TEST] bench"));
    }

    #[test]
    fn a_transition_that_says_nothing_leaves_it_to_the_title_and_then_to_the_type() {
        let of = |transition: &str, title: &str, kind: &str| {
            one(&json!({"alert_id": "7", "alert_transition": transition, "alert_title": title,
                "alert_type": kind}))
        };
        let titled = of("Null", "[Triggered on {host:a}] Disk is full", "info");
        assert_eq!((titled.status, titled.labels["confidence"].as_str()), (Status::Firing, "low"));
        for transition in ["", "Null", "$ALERT_TRANSITION", "Smoulders"] {
            let status = |kind: &str| of(transition, "Disk is full", kind).status;
            assert_eq!(status("error"), Status::Firing, "{transition}");
            assert_eq!(status("warning"), Status::Firing, "{transition}");
            assert_eq!(status("success"), Status::Resolved, "{transition}");
        }
        let guessed = of("", "Disk is full", "error");
        assert_eq!(guessed.labels["confidence"], "low");
        assert!(guessed.body.contains("guessed from the type"), "{}", guessed.body);
        assert_eq!(one(&json!({"title": "Deploy", "alert_type": "error"})).status, Status::Info);
        let unknown = json!({"alert_id": "7", "alert_transition": "hunter2", "alert_type": "info"});
        let why = post(&KIND, unknown.to_string().as_bytes()).unwrap_err().0;
        assert!(why.contains("`alert_transition`") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn of_a_field_that_a_form_repeats_the_first_counts() {
        let form = b"alert_id=7&alert_transition=Triggered&text=boom&alert_transition=Recovered";
        assert_eq!(post(&KIND, form).unwrap()[0].status, Status::Firing);
    }

    #[test]
    fn a_form_means_what_the_same_json_means() {
        let form = b"alert_id=7&alert_transition=Triggered&alert_scope=host%3Aa&date=1767323045000";
        let json = json!({"alert_id": 7, "alert_transition": "Triggered", "alert_scope": "host:a",
            "date": "1767323045000"});
        assert_eq!(post(&KIND, form).unwrap(), [one(&json)]);
        assert!(post(&KIND, b"alert_transition=Triggered").unwrap_err().0.contains("nor a title"));
    }
}
