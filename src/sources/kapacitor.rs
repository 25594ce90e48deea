//! Kapacitor (InfluxData): the `post` event handler of alerts.
//!
//! Confirmed (influxdata/kapacitor `alert/types.go`, docs.influxdata.com; grafana/oncall `kapacitor.py`):
//! - `POST`, JSON: `id`, `message`, `details`, `time`, `duration` (nanoseconds), `level` and `previousLevel`
//!   (`OK`, `INFO`, `WARNING`, `CRITICAL`), `data` (`series` with `name`, `tags`, `columns`, `values`),
//!   `recoverable`.
//! - `level` = `OK` is the recovery. With `.noRecoveries()` none comes, and `recoverable` says false.
//! - An `alert-template` replaces the whole body, and the `httpPost` *node* sends rows (`series` alone)
//!   without any alert: neither can be read here.
//! - `id` is a template, by default `NAME:TAGS`. One with the level or a value in it breaks the recovery.
//! - Without `.stateChangesOnly()` every point says the state again.
//!
//! Not confirmed: retries and timeouts; what the test of a handler sends (grafana/oncall shows a body without
//! `level`, which is refused here). `details` is by default all data as JSON with HTML escapes, so it is
//! shown only when it is prose.
//!
//! `time` is shown and not believed: of a batch, `OK` carries the end, `CRITICAL` the first of its worst
//! points, and an aggregate the start of its range. By these times a new firing would be older than the
//! recovery before it. Levels below `OK` do not exist: `INFO` fires, as information.

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{AlertSeverity, Event, Status};

/// Kapacitor.
pub const KIND: Kind = Kind::new(
    "kapacitor",
    "Kapacitor",
    "In kapacitor.conf: [[httppost]] endpoint = \"onscene\", url = \"ADDRESS\". In the TICKscript, after |alert(): \
     .stateChangesOnly() .post().endpoint('onscene'). Leave alert-template unset.",
    read,
);

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::json(wire::utf8(delivery.body)?, "the body")?;
    Ok(vec![wire::bounded(event(wire::object(&body, "the body")?)?)?])
}

fn event(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let id = wire::text(fields, &["id"]).ok_or_else(|| {
        wire::unreadable(if fields.contains_key("series") {
            "these are rows of the httpPost node, not an alert; use .post() after |alert()"
        } else {
            "there is no `id`; is this really an alert of Kapacitor?"
        })
    })?;
    let level = wire::text(fields, &["level"]).ok_or_else(|| wire::unreadable("there is no `level`"))?;
    let (status, severity) = match level.to_ascii_uppercase().as_str() {
        // The severity of what is over now.
        "OK" => (
            Status::Resolved,
            wire::word(fields, &["previousLevel"]).and_then(|word| AlertSeverity::from_word(&word)),
        ),
        "INFO" => (Status::Firing, Some(AlertSeverity::Info)),
        "WARNING" => (Status::Firing, Some(AlertSeverity::Warning)),
        "CRITICAL" => (Status::Firing, Some(AlertSeverity::Critical)),
        _ => return Err(wire::unreadable("`level` is none of OK, INFO, WARNING and CRITICAL")),
    };
    let title = wire::text(fields, &["message"]).unwrap_or_else(|| match status {
        Status::Resolved => format!("{id} is OK"),
        _ => format!("{id} is {level}"),
    });
    let mut event = Event::new(id.clone(), status, title);
    event.severity = severity;
    measured(fields, &mut event);
    if let Some(time) = wire::word(fields, &["time"]) {
        wire::line(&mut event.body, &format!("time of the data: {time}"));
    }
    let seconds =
        wire::word(fields, &["duration"]).and_then(|word| word.parse::<f64>().ok()).map(|ns| ns / 1e9);
    if let Some(seconds) = seconds.filter(|seconds| *seconds >= 1.0) {
        wire::line(&mut event.body, &format!("lasting for: {seconds:.0} s"));
    }
    event.labels.insert("id".into(), id);
    event.labels.insert("level".into(), level);
    for (label, name) in [("previous_level", "previousLevel"), ("recoverable", "recoverable")] {
        event.labels.extend(wire::text(fields, &[name]).map(|value| (label.to_owned(), value)));
    }
    Ok(event)
}

/// The details, when they are prose, and what was measured: tags become labels, the newest row the body.
fn measured(fields: &Map<String, Value>, event: &mut Event) {
    let details =
        wire::text(fields, &["details"]).filter(|text| !text.starts_with('{') && *text != event.title);
    wire::line(&mut event.body, &details.unwrap_or_default());
    let series = fields.get("data").and_then(|data| data.get("series")).and_then(Value::as_array);
    let Some(Value::Object(series)) = series.and_then(|series| series.first()) else { return };
    if let Some(Value::Object(tags)) = series.get("tags") {
        event.labels.extend(wire::pairs(tags).map(|(name, value)| (name.to_owned(), value.into_owned())));
    }
    event.labels.extend(wire::text(series, &["name"]).map(|name| ("measurement".to_owned(), name)));
    let columns = series.get("columns").and_then(Value::as_array);
    let rows = series.get("values").and_then(Value::as_array);
    let (Some(columns), Some(Value::Array(row))) = (columns, rows.and_then(|rows| rows.last())) else {
        return;
    };
    for (column, value) in columns.iter().zip(row) {
        if let (Some(column), Some(value)) = (wire::scalar(column), wire::scalar(value))
            && column != "time"
        {
            wire::line(&mut event.body, &format!("{column}: {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::post;

    fn one(body: Value) -> Event {
        post(&KIND, body.to_string().as_bytes()).unwrap().remove(0)
    }

    fn why(body: Value) -> String {
        post(&KIND, body.to_string().as_bytes()).unwrap_err().0
    }

    #[test]
    fn an_alert_fires_and_recovers_under_one_key() {
        let fires = one(json!({"id": "cpu:host=a", "level": "CRITICAL", "previousLevel": "OK"}));
        let over = one(json!({"id": "cpu:host=a", "level": "OK", "previousLevel": "CRITICAL"}));
        assert_eq!((fires.status, over.status), (Status::Firing, Status::Resolved));
        assert_eq!((fires.key, fires.severity), (over.key, over.severity));
    }

    #[test]
    fn the_time_of_the_data_is_shown_and_makes_no_firing_old() {
        let of = |level: &str, time: &str| one(json!({"id": "cpu", "level": level, "time": time}));
        let over = of("OK", "2026-01-02T03:10:00Z");
        let again = of("CRITICAL", "2026-01-02T03:06:20Z");
        assert_eq!((over.occurred_at, again.occurred_at), (None, None));
        assert_eq!(again.body, "time of the data: 2026-01-02T03:06:20Z");
    }

    #[test]
    fn every_level_but_ok_fires_with_its_severity() {
        for (level, severity) in [("INFO", AlertSeverity::Info), ("warning", AlertSeverity::Warning)] {
            let event = one(json!({"id": "a", "level": level}));
            assert_eq!((event.status, event.severity), (Status::Firing, Some(severity)));
        }
    }

    #[test]
    fn tags_become_labels_and_the_newest_row_is_shown() {
        let event =
            one(json!({"id": "cpu", "level": "WARNING", "duration": 90_000_000_000_u64, "data": {"series": [
            {"name": "cpu", "tags": {"host": "a", "id": "posing"}, "columns": ["time", "usage"],
             "values": [["2026-01-02T03:04:05Z", 80], ["2026-01-02T03:05:05Z", 93.5]]}]}}));
        assert_eq!((event.labels["host"].as_str(), event.labels["id"].as_str()), ("a", "cpu"));
        assert_eq!(event.body, "usage: 93.5\nlasting for: 90 s");
    }

    #[test]
    fn details_that_are_data_are_not_shown() {
        assert_eq!(
            one(json!({"id": "a", "level": "INFO", "details": "{&#34;Name&#34;:1}", "data": "x"})).body,
            ""
        );
        assert_eq!(one(json!({"id": "a", "level": "INFO", "details": "<b>look</b>"})).body, "<b>look</b>");
    }

    #[test]
    fn rows_and_unknown_levels_are_refused_in_words() {
        assert!(why(json!({"series": []})).contains("httpPost node"));
        assert!(why(json!({"id": "a"})).contains("no `level`"));
        assert_eq!(
            why(json!({"id": "a", "level": "hunter2"})),
            "`level` is none of OK, INFO, WARNING and CRITICAL"
        );
    }
}
