//! Prometheus itself, and whatever else pushes alerts to Alertmanager: `POST /api/v2/alerts`.
//!
//! Wire facts, with their origin (prometheus/prometheus `notifier/`, `rules/manager.go`, `rules/alerting.go`;
//! prometheus/alertmanager `api/v2/openapi.yaml`, `api/v2/api.go`, `types/types.go`):
//! - `POST`, a JSON list, 256 alerts at most by default: `labels`, `annotations`, `startsAt`, `endsAt`,
//!   `generatorURL`. There is neither a status nor a fingerprint: an alert is the set of its labels, external ones
//!   included. Two Prometheus servers that watch the same things must drop the label that tells them apart.
//! - `endsAt` in the past: over since then, and said again for 15 minutes. In the future: it fires, and is over if it is not
//!   said again by then, because four times the interval of its rule has passed by then. Missing or the zero time, as
//!   from scripts and `amtool alert add`: it fires, and is over if not said again within `resolve_timeout`, five
//!   minutes.
//! - `startsAt` missing: that of `endsAt` if it is over, else now.
//! - Nothing is tried again: the next push, a minute later at most, says everything once more. A push that failed is
//!   no alert lost, but 15 minutes without any lose a recovery, and then the hour of `endsAt` tells it.
//!
//! Clocks: whether `endsAt` has passed is a comparison of the sender's clock with ours, as in Alertmanager. A sender that
//! lags by more than four intervals seems to say only what is over; keep both clocks by NTP. `commit/lagging.rs` tells its people.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, alertmanager, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Prometheus, without an Alertmanager.
pub const KIND: Kind = Kind::new(
    "prometheus",
    "Prometheus (as its Alertmanager)",
    "In prometheus.yml, under `alerting`: `alertmanagers: [{path_prefix: /in/SOURCE, authorization: {credentials_file: FILE}, \
     static_configs: [{targets: [HOST:PORT]}]}]`. `amtool --no-version-check --alertmanager.url=ADDRESS` adds and shows alerts and silences. \
     Keep its clock and this one by NTP, as for an Alertmanager: when its clock lags by minutes, what fires looks over, and you are told so.",
    read,
);

/// An alert that does not say when it ends is over when it is not said again for so long: Alertmanager's
/// `resolve_timeout`.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);
/// A push that would hold an alert open for longer than this is not believed: nobody waits a year for a recovery.
const HOLD_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let alerts = match wire::json(wire::utf8(delivery.body)?, "the body")? {
        Value::Array(alerts) => alerts,
        Value::Object(fields) if fields.contains_key("alerts") => {
            return Err(wire::unreadable(
                "the body is what Alertmanager sends to a webhook receiver: a source of kind `alertmanager` takes that, and \
                 this one the list that Prometheus pushes",
            ));
        }
        other => return Err(wire::unreadable(format!("the body is {}, not a list", wire::shape(&other)))),
    };
    wire::each(alerts, "alert", |alert| event(alert, delivery.received_at, &delivery.options.severity_label))
}

fn event(mut alert: Map<String, Value>, now: Timestamp, severity_label: &str) -> Result<Event, Unreadable> {
    let mut part = |name: &str| match alert.remove(name) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (labels, annotations) = (part("labels"), part("annotations"));
    let key = alertmanager::of_labels(&labels)
        .ok_or_else(|| wire::unreadable("it has no `labels`, and is told by nothing else"))?;
    let [starts_at, ends_at] = ["startsAt", "endsAt"].map(|name| wire::time(&alert, &[name]));
    for (name, read) in [("startsAt", starts_at), ("endsAt", ends_at)] {
        let said = wire::text(&alert, &[name]);
        if read.is_none() && said.is_some_and(|said| !said.starts_with("0001-01-01T")) {
            return Err(wire::unreadable(format!("`{name}` is no time of RFC 3339")));
        }
    }
    let is_over = ends_at.is_some_and(|at| at <= now);
    let status = if is_over { Status::Resolved } else { Status::Firing };
    let mut event = Event::new(key, status, alertmanager::title(&labels, &annotations));
    event.occurred_at = if is_over { ends_at } else { starts_at };
    event.keeps_start = !is_over;
    if !is_over {
        let latest = now.saturating_add(HOLD_MAX).unwrap_or(now);
        let usual = now.saturating_add(RESOLVE_TIMEOUT).unwrap_or(now);
        event.expires_at = Some(ends_at.unwrap_or(usual).min(latest));
    }
    event.severity = wire::word(&labels, &[severity_label]).and_then(|word| AlertSeverity::from_word(&word));
    event.labels = wire::labels(labels);
    event.body = alertmanager::body(&annotations);
    event.links = alertmanager::links(&alert, &annotations, None);
    Ok(event)
}

/// The fingerprint that Prometheus and Alertmanager give to a set of labels: FNV-1a over names and values in their
/// order (prometheus/common `model/fingerprinting.go`). For people who compare; it is no identity here.
pub fn fingerprint(labels: &std::collections::BTreeMap<String, String>) -> String {
    const BEGIN: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
    let hash = bytes.fold(BEGIN, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn one(alert: &Value) -> Event {
        post(&KIND, json!([alert]).to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: &Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn one_broken_alert_does_not_hold_back_the_others_of_its_push() {
        let mut alerts: Vec<Value> = (0..20).map(|n| json!({"labels": {"n": n.to_string()}})).collect();
        alerts[3] = json!({"labels": {}});
        let Unreadable(why, rest) = post(&KIND, json!(alerts).to_string().as_bytes()).unwrap_err();
        assert_eq!(
            (why.as_str(), rest.len()),
            ("alert[3]: it has no `labels`, and is told by nothing else", 19)
        );
        assert!(rest.iter().all(|event| event.labels["n"] != "3"));
    }

    #[test]
    fn the_end_says_whether_it_fires_and_until_when() {
        let now = delivery("POST", "", b"").received_at;
        let starts = (now - 10.minutes()).to_string();
        let of = |ends: Value| one(&json!({"labels": {"a": "b"}, "startsAt": starts, "endsAt": ends}));
        let later = of(json!((now + 4.minutes()).to_string()));
        assert_eq!((later.status, later.expires_at), (Status::Firing, Some(now + 4.minutes())));
        assert_eq!(later.occurred_at, Some(now - 10.minutes()));
        for never in
            [json!(null), json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00.000Z"), json!("")]
        {
            let event = of(never.clone());
            assert_eq!(
                (event.status, event.expires_at),
                (Status::Firing, Some(now + 5.minutes())),
                "{never}"
            );
        }
        let over = of(json!((now - 1.minutes()).to_string()));
        assert_eq!((over.status, over.expires_at), (Status::Resolved, None));
        assert_eq!((over.occurred_at, over.key == later.key), (Some(now - 1.minutes()), true));
        assert_eq!(of(json!(now.to_string())).status, Status::Resolved, "the last moment is over");
        let ages = of(json!("2099-01-01T00:00:00Z"));
        assert_eq!(ages.expires_at, Some(now.saturating_add(HOLD_MAX).unwrap()));
    }

    #[test]
    fn the_labels_alone_are_the_alert() {
        let one_way =
            one(&json!({"labels": {"alertname": "A", "instance": "x"}, "annotations": {"summary": "s"}}));
        let other =
            one(&json!({"labels": {"instance": "x", "alertname": "A"}, "generatorURL": "http://p/g"}));
        assert_eq!(one_way.key, other.key);
        assert_ne!(one_way.key, one(&json!({"labels": {"alertname": "A"}})).key);
        assert!(why(&json!([{"labels": {}}])).contains("no `labels`"));
        assert!(why(&json!([{"labels": {"a": ""}}])).contains("no `labels`"));
    }

    #[test]
    fn what_belongs_to_another_kind_is_told_so() {
        assert!(why(&json!({"version": "4", "alerts": []})).contains("`alertmanager`"));
        assert!(why(&json!("a")).contains("not a list"));
        assert_eq!(post(&KIND, b"[]"), Ok(vec![]));
    }

    #[test]
    fn an_end_that_is_no_time_is_not_taken_for_none() {
        assert!(why(&json!([{"labels": {"a": "b"}, "endsAt": "tomorrow"}])).contains("`endsAt`"));
    }

    #[test]
    fn fingerprints_are_those_of_prometheus() {
        // prometheus/common model/fingerprinting_test.go and signature_test.go have these.
        let of = |pairs: &[(&str, &str)]| {
            fingerprint(
                &pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            )
        };
        assert_eq!(of(&[]), format!("{:016x}", 14_695_981_039_346_656_037_u64));
        assert_eq!(
            of(&[("name", "garland, briggs"), ("fear", "love is not enough")]),
            format!("{:016x}", 5_799_056_148_416_392_346_u64)
        );
    }
}
