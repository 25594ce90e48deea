//! Sources: bytes of a webhook → events. Pure: no store, no network, no clock.
//!
//! **New source**: one file here, one line in [`KINDS`], one folder `tests/fixtures/sources/<name>/`.
//! The wire facts of a sender, with their origin, stand at the head of its file. Adapters read
//! leniently (unknown fields ignored, numbers as strings accepted) and refuse clearly: whatever they
//! cannot understand is kept by the caller, answered with 400 and raised as an alert on the source.

use std::sync::Arc;

use jiff::Timestamp;

use crate::core::alert::Event;

pub mod alertmanager;
pub mod azure;
pub mod better_stack;
pub mod bosun;
pub mod checkly;
pub mod cloudevents;
pub mod cloudflare;
pub mod cloudwatch;
pub mod cronitor;
pub mod datadog;
pub mod dynatrace;
mod expression;
mod fields;
pub mod gatus;
pub mod generic;
pub mod github;
pub mod google_cloud;
pub mod grafana;
pub mod graylog;
pub mod healthchecks;
pub mod icinga;
pub mod kapacitor;
pub mod keepalived;
pub mod kibana;
pub mod librenms;
pub mod mail;
pub mod mapping;
pub mod nagios;
pub mod netdata;
pub mod new_relic;
pub mod opsgenie;
pub mod pagerduty_events;
pub mod pagerduty_webhooks;
pub mod pingdom;
pub mod prometheus;
pub mod sentry;
pub mod sign;
pub mod site24x7;
pub mod splunk;
pub mod statuscake;
#[cfg(test)]
mod stories_mutated;
pub mod uptime_kuma;
pub mod uptimerobot;
mod wire;
pub mod zabbix;

use sign::Scheme;

/// Every kind of source there is.
pub const KINDS: &[Kind] = &[
    alertmanager::KIND,
    azure::KIND,
    better_stack::KIND,
    bosun::KIND,
    checkly::KIND,
    cloudevents::KIND,
    cloudflare::KIND,
    cloudwatch::KIND,
    cronitor::KIND,
    datadog::KIND,
    dynatrace::KIND,
    gatus::KIND,
    generic::KIND,
    github::KIND,
    google_cloud::KIND,
    grafana::KIND,
    graylog::KIND,
    healthchecks::KIND,
    icinga::KIND,
    kapacitor::KIND,
    keepalived::KIND,
    kibana::KIND,
    librenms::KIND,
    mail::KIND,
    nagios::KIND,
    netdata::KIND,
    new_relic::KIND,
    opsgenie::KIND,
    pagerduty_events::KIND,
    pagerduty_webhooks::KIND,
    pingdom::KIND,
    prometheus::KIND,
    sentry::KIND,
    site24x7::KIND,
    splunk::KIND,
    statuscake::KIND,
    uptime_kuma::KIND,
    uptimerobot::KIND,
    zabbix::KIND,
];

/// One kind of source.
pub struct Kind {
    /// The word used in `[[source]] kind = "..."`, in metrics and as the name of the fixture folder.
    pub name: &'static str,
    /// What people call the sender.
    pub title: &'static str,
    /// How it is set up there, in the sender's own words. `ADDRESS` stands for the address with the token in it.
    pub setup: &'static str,
    /// Whether a GET may carry an alert. Link previews and crawlers fetch URLs, so only kinds whose
    /// senders really use GET declare it, and only when the source's options allow it.
    pub get: fn(&Options) -> bool,
    /// Headers that say what the body is, in lower case; one that ends with `-` stands for all that begin with it. No
    /// others are read by the adapter, or kept with a body that cannot be understood.
    pub headers: &'static [&'static str],
    /// How its senders sign, when they can.
    pub signs: Option<Scheme>,
    /// Whether its senders ask by OPTIONS whether they may send, and put the token into `access_token`: the webhook
    /// profile of CloudEvents.
    pub webhook_profile: bool,
    /// Whether it comes by way of Amazon SNS, which signs what it sends: `topics` may be set.
    pub topics: bool,
    /// Whether a delivery says itself who wrote it, beside the secret that everybody shares: `senders` may be set.
    pub senders: bool,
    /// Whether the operator may give it expressions ([`mapping`]).
    pub maps: bool,
    /// Reads one delivery. `Ok(vec![])` means understood, with nothing to say.
    pub read: fn(&Delivery<'_>) -> Result<Vec<Event>, Unreadable>,
}

impl Kind {
    /// A kind that has nothing beyond its name and its adapter.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        setup: &'static str,
        read: fn(&Delivery<'_>) -> Result<Vec<Event>, Unreadable>,
    ) -> Self {
        Self {
            name,
            title,
            setup,
            get: |_| false,
            headers: &[],
            signs: None,
            webhook_profile: false,
            topics: false,
            senders: false,
            maps: false,
            read,
        }
    }

    /// Whether its adapter reads a header, by its name in lower case.
    pub fn reads(&self, name: &str) -> bool {
        self.headers.iter().any(|known| match known.strip_suffix('-') {
            Some(_) => name.starts_with(known),
            None => name == *known,
        })
    }
}

/// Finds a kind by its name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What an operator may set for a source beyond its name, kind, secret and service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Accept alerts by GET where the kind knows such a form (`allow_get`).
    pub allow_get: bool,
    /// The label that carries the severity in Prometheus-like sources (`severity_label`).
    pub severity_label: String,
    /// The topics of Amazon SNS that may send, each signed by Amazon (`topics`).
    pub topics: Vec<String>,
    /// Whose mail may be an alert (`senders`): addresses, or `@` and a domain, in lower case. Anybody's, where there is none.
    pub senders: Vec<String>,
    /// Take what has no envelope of SNS, and so no signature, with the token alone (`raw`).
    pub raw: bool,
    /// Expressions that read bodies of the sender's own (`[source.map]`).
    pub mapping: Option<Arc<mapping::Mapping>>,
}

impl Options {
    /// Whether the expressions of the operator see a header, by its name in lower case.
    pub fn reads(&self, name: &str) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| mapping.reads(name))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_get: false,
            severity_label: "severity".into(),
            topics: Vec::new(),
            senders: Vec::new(),
            raw: false,
            mapping: None,
        }
    }
}

/// One request as it came, after its secret was checked.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// `GET`, `POST` or `PUT`.
    pub method: &'a str,
    /// The query string without the token, not yet percent-decoded; empty when there is none.
    pub query: &'a str,
    /// `Content-Type`, as a hint: several senders lie.
    pub content_type: Option<&'a str>,
    /// The headers that the kind or the operator's expressions read, by their names in lower case.
    pub headers: &'a [(String, String)],
    /// The raw body.
    pub body: &'a [u8],
    /// When the request arrived.
    pub received_at: Timestamp,
    /// What the operator set.
    pub options: &'a Options,
}

impl Delivery<'_> {
    /// A header that the kind reads, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Why a body, or a part of it, could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(
    /// A sentence for the operator of the sender. Never quotes the body: it may hold secrets.
    pub String,
    /// What the rest of the body says, where its items are alerts that have nothing to do with each other: one that is odd
    /// must not hold back the others.
    pub Vec<Event>,
);

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::core::alert::Status;
    use crate::json::tests::{DOORS, behind};

    /// How many payloads a kind's folder holds at least.
    const PAYLOADS_MIN: usize = 10;

    static DEFAULTS: std::sync::LazyLock<Options> = std::sync::LazyLock::new(Options::default);

    pub(super) fn delivery<'a>(method: &'a str, query: &'a str, body: &'a [u8]) -> Delivery<'a> {
        let received_at = Timestamp::from_second(1_767_330_000).unwrap();
        Delivery { method, query, content_type: None, headers: &[], body, received_at, options: &DEFAULTS }
    }

    pub(super) fn post(kind: &Kind, body: &[u8]) -> Result<Vec<Event>, Unreadable> {
        (kind.read)(&delivery("POST", "", body))
    }

    pub(super) fn post_with(kind: &Kind, body: &[u8], options: &Options) -> Result<Vec<Event>, Unreadable> {
        (kind.read)(&Delivery { options, ..delivery("POST", "", body) })
    }

    pub(super) fn get(kind: &Kind, query: &str, allow_get: bool) -> Result<Vec<Event>, Unreadable> {
        let options = Options { allow_get, ..Options::default() };
        (kind.read)(&Delivery { options: &options, ..delivery("GET", query, b"") })
    }

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources")
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // What a failed run of this very test leaves beside a snapshot is no payload.
            .filter(|name| !name.ends_with(".snap.new"))
            .collect();
        names.sort();
        names
    }

    /// What a payload was read as, for people to check.
    fn told(outcome: Result<Vec<Event>, Unreadable>) -> String {
        let (events, mut told) = match outcome {
            Err(Unreadable(why, rest)) if rest.is_empty() => return format!("unreadable: {why}"),
            Err(Unreadable(why, rest)) => (rest, format!("unreadable in part: {why}\n")),
            Ok(events) if events.is_empty() => return "understood, with nothing to say".into(),
            Ok(events) => (events, String::new()),
        };
        for event in events {
            let severity = event.severity.map_or("-", |severity| severity.as_str());
            let at = event.occurred_at.map_or("-".into(), |at| at.to_string());
            writeln!(told, "{} [{severity}] key={} at={at}", event.status.as_str(), event.key).unwrap();
            writeln!(told, "  title: {}", event.title).unwrap();
            for line in event.body.lines() {
                writeln!(told, "  | {line}").unwrap();
            }
            for (name, value) in &event.labels {
                writeln!(told, "  label {name} = {value}").unwrap();
            }
            for link in &event.links {
                writeln!(told, "  link {link}").unwrap();
            }
            if let Some(at) = event.expires_at {
                writeln!(told, "  over unless said again by {at}").unwrap();
            }
            for (what, said) in [("delivery", &event.delivery_id), ("group", &event.group)] {
                if let Some(said) = said {
                    writeln!(told, "  {what}: {said}").unwrap();
                }
            }
        }
        told
    }

    /// The ending says how a payload travels: `.query` by GET where that is allowed, `.form` as a form, `.http` after its
    /// headers and a blank line, everything else (`.json`, `.txt`, `.bin`) as the body of a POST.
    fn read_file(kind: &Kind, path: &Path) -> Result<Vec<Event>, Unreadable> {
        read_as(kind, path, &fs::read(path).unwrap(), &DEFAULTS)
    }

    /// Reads bytes that travel as the payload of this name does.
    pub(super) fn read_as(
        kind: &Kind,
        path: &Path,
        bytes: &[u8],
        options: &Options,
    ) -> Result<Vec<Event>, Unreadable> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("query") => {
                let options = Options { allow_get: true, ..options.clone() };
                let query = String::from_utf8_lossy(bytes);
                (kind.read)(&Delivery { options: &options, ..delivery("GET", query.trim(), b"") })
            }
            Some("form") => (kind.read)(&Delivery {
                content_type: Some("application/x-www-form-urlencoded"),
                options,
                ..delivery("POST", "", bytes)
            }),
            Some("http") => {
                let text = String::from_utf8_lossy(bytes);
                let (head, body) = text.split_once("\n\n").unwrap_or(("", &text));
                let said = head.lines().filter_map(|line| line.split_once(':'));
                let said = said.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
                let (headers, others): (Vec<_>, Vec<_>) = said.partition(|(name, _)| kind.reads(name));
                let content_type = header(&others, "content-type");
                (kind.read)(&Delivery {
                    content_type,
                    headers: &headers,
                    options,
                    ..delivery("POST", "", body.as_bytes())
                })
            }
            _ => post_with(kind, bytes, options),
        }
    }

    /// Every payload of a kind, by the name of its file.
    pub(super) fn payloads(kind: &Kind) -> Vec<(String, PathBuf)> {
        let folder = fixtures().join(kind.name);
        let names = names(&folder).into_iter().filter(|name| !name.ends_with(".snap"));
        names.map(|name| (name.clone(), folder.join(name))).collect()
    }

    /// What the payloads of a kind say, without those that cannot be read.
    pub(crate) fn readable(kind: &Kind) -> Vec<(String, Vec<Event>)> {
        let read = |(name, path): (String, PathBuf)| Some((name, read_file(kind, &path).ok()?));
        payloads(kind).into_iter().filter_map(read).collect()
    }

    #[test]
    fn what_is_over_unless_it_is_said_again_comes_with_a_token() {
        // Nobody takes note of it when what is not proven yet finds no room (`http/room.rs`), nor need he.
        let comes_without =
            |kind: &&Kind| kind.signs.is_some() || kind.topics || kind.name == pagerduty_events::KIND.name;
        for kind in KINDS.iter().filter(comes_without) {
            let folder = fixtures().join(kind.name);
            for name in names(&folder).into_iter().filter(|name| name.ends_with(".snap")) {
                let told = fs::read_to_string(folder.join(&name)).unwrap();
                assert!(!told.contains("over unless said again by"), "{} {name}", kind.name);
            }
        }
    }

    #[test]
    fn every_payload_is_read_as_its_snapshot_says() {
        for kind in KINDS {
            for (name, path) in payloads(kind) {
                let told = told(read_file(kind, &path));
                insta::with_settings!({
                    snapshot_path => format!("../../tests/fixtures/sources/{}", kind.name),
                    prepend_module_to_snapshot => false,
                    omit_expression => true,
                }, {
                    insta::assert_snapshot!(name.as_str(), told);
                });
            }
        }
    }

    #[test]
    fn every_kind_has_its_folder_with_enough_payloads_and_every_folder_its_kind() {
        let kinds: BTreeSet<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        assert_eq!(kinds.len(), KINDS.len(), "two kinds have one name");
        assert_eq!(kinds, names(&fixtures()).into_iter().collect());
        for kind in &kinds {
            let files = names(&fixtures().join(kind));
            let (snaps, payloads): (Vec<&String>, Vec<&String>) =
                files.iter().partition(|name| name.ends_with(".snap"));
            assert!(payloads.len() >= PAYLOADS_MIN, "{kind} has {} payloads", payloads.len());
            for snap in snaps {
                assert!(
                    payloads.iter().any(|payload| format!("{payload}.snap") == *snap),
                    "{kind}/{snap} belongs to no payload"
                );
            }
        }
    }

    #[test]
    fn a_thousand_levels_and_an_empty_body_are_refused_by_every_kind() {
        let deep = "{\"a\":".repeat(1000) + "1" + &"}".repeat(1000);
        for kind in KINDS {
            // Mail is no JSON, so to its adapter that is a text without any header of a mail.
            let why = if kind.name == mail::KIND.name { "this is no mail" } else { "128 levels" };
            assert!(post(kind, deep.as_bytes()).unwrap_err().0.contains(why), "{}", kind.name);
            for empty in [&b""[..], b" \n", b"{}", b"null", b"\xef\xbb\xbf"] {
                assert!(post(kind, empty).is_err(), "{}", kind.name);
            }
        }
    }

    /// `serde_json` would read the text in such an object anew, with a new count of levels.
    #[test]
    fn an_object_whose_first_name_is_a_word_of_a_library_is_like_any_other_for_every_kind() {
        for kind in KINDS {
            for door in DOORS {
                let (body, other) = (behind(door, 3), behind(&"x".repeat(door.len()), 3));
                for (body, other) in [
                    (body.clone(), other.clone()),
                    (format!("[{body}]"), format!("[{other}]")),
                    (format!("{{\"alerts\": [{body}]}}"), format!("{{\"alerts\": [{other}]}}")),
                    (format!("{{\"data\": {body}}}"), format!("{{\"data\": {other}}}")),
                ] {
                    let outcome = post(kind, body.as_bytes());
                    assert!(outcome.is_err(), "{}: {outcome:?}", kind.name);
                    assert_eq!(outcome, post(kind, other.as_bytes()), "{}", kind.name);
                }
            }
        }
    }

    /// JSON with the names the adapters look for, so that more than the first line of each is reached.
    pub(super) fn some_json() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "check_id",
            "check_params",
            "current_state",
            "tags",
            "first_probe",
            "state_changed_timestamp",
            "alerts",
            "status",
            "labels",
            "annotations",
            "endsAt",
            "startsAt",
            "fingerprint",
            "truncatedAlerts",
            "key",
            "meta",
            "links",
            "occurred_at",
            "severity",
            "title",
            "body",
            "AlarmName",
            "NewStateValue",
            "Trigger",
            "Dimensions",
            "detail",
            "data",
            "x",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            prop::sample::select(vec![
                "DOWN", "UP", "firing", "resolved", "ALARM", "7", "(u'x',)", "http://a", "a=b"
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name.clone().prop_map(String::from), inner, 0..8)
                    .prop_map(|fields| json!(fields)),
            ]
        })
    }

    fn all_bounded(outcome: Result<Vec<Event>, Unreadable>) -> Result<(), TestCaseError> {
        for event in outcome.unwrap_or_else(|Unreadable(_, rest)| rest) {
            prop_assert_eq!(event.clone().bounded(), Ok(event));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for kind in KINDS {
                all_bounded(post(kind, &bytes))?;
                all_bounded(get(kind, &String::from_utf8_lossy(&bytes), true))?;
            }
        }

        #[test]
        fn whatever_json_is_read_is_within_the_limits(body in some_json()) {
            let text = body.to_string();
            for kind in KINDS {
                all_bounded(post(kind, text.as_bytes()))?;
                all_bounded(get(kind, &format!("message={text}"), true))?;
            }
            // These are read inside something else.
            let topic = "arn:aws:sns:eu-north-1:111122223333:pager";
            let inside = [
                (&cloudwatch::KIND, json!({"Type": "Notification", "TopicArn": topic, "Message": text})),
                (&cloudevents::KIND, json!({"specversion": "1.0", "id": "1", "source": "s", "type": "x.firing", "data": body})),
            ];
            for (kind, outside) in inside {
                all_bounded(post(kind, outside.to_string().as_bytes()))?;
            }
        }

        #[test]
        fn firing_and_resolved_of_the_same_thing_have_the_same_key(
            id in "[a-z0-9:/._-]{1,40}",
            numbered in any::<bool>(),
        ) {
            let version = if numbered { "3" } else { "4" };
            let alert = |status: &str| json!({"status": status, "labels": {"alertname": id}});
            let pairs = [
                (
                    "pingdom",
                    json!({"check_id": id, "current_state": "DOWN"}),
                    json!({"check_id": id, "current_state": "UP"}),
                ),
                (
                    "alertmanager",
                    json!({"version": "4", "alerts": [alert("firing")]}),
                    json!({"version": version, "groupKey": 7, "alerts": [alert("resolved")]}),
                ),
                ("generic", json!({"key": id}), json!({"dedup": id, "action": "close"})),
            ];
            for (name, firing, resolved) in pairs {
                let kind = kind(name).unwrap();
                let of = |body: &Value| post(kind, body.to_string().as_bytes()).unwrap().remove(0);
                let (firing, resolved) = (of(&firing), of(&resolved));
                prop_assert_eq!((firing.status, resolved.status), (Status::Firing, Status::Resolved));
                prop_assert_eq!(firing.key, resolved.key);
            }
        }
    }
}
