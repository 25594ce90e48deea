//! Amazon CloudWatch, by way of Amazon SNS.
//!
//! Wire facts, with their origin (awsdocs/amazon-sns-developer-guide and amazon-cloudwatch-user-guide; aws-lambda-go's test
//! data; alerta `cloudwatch.py`; keep `cloudwatch_provider`):
//! - `POST`, JSON under `Content-Type: text/plain`. What CloudWatch says is **a text with JSON in it**, in `Message` of the
//!   envelope of SNS (`envelope.rs`). With raw delivery there is no envelope and no signature; then the topic and the id of
//!   the message are headers.
//! - An alarm has `AlarmName`, `NewStateValue` (`ALARM`, `OK`, `INSUFFICIENT_DATA`) and `StateChangeTime`, whose offset has
//!   no colon. `AlarmArn` is missing in old ones, `AlarmDescription` may be null. `Region` is a name for people, such as
//!   "EU (Ireland)": the code is in the ARNs.
//! - `Trigger` of a metric has `MetricName`, `Namespace` and `Dimensions`; of an expression `Metrics`, a list. A composite
//!   alarm has `AlarmRule` in its place.
//! - A rule of EventBridge can send the same to a topic as an event, `CloudWatch Alarm State Change`, with `detail`.
//! - Each of the three states has actions of its own, so `OK` is only sent where it was asked for.
//! - SNS sends with a user name and password only after a 401. Of other 4xx nothing is sent again; of 429 and 5xx it is, for
//!   at most an hour, with the same `MessageId`.
//! - Nothing is sent before the subscription is confirmed. With `topics` that is done in `http/sns.rs`, when the signature is
//!   known to be Amazon's. Without, nobody fetches addresses out of a body: the subscription that waits is an alert,
//!   resolved by the first message of its topic.
//!
//! `ALARM` fires, `OK` resolves. `INSUFFICIENT_DATA` is neither: it is said. Other messages of a topic, of other services or of
//! people, are said with their subject. A severity there is none.
//!
//! The key is `AlarmArn`, or else account, region and name.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, wire};
use crate::core::alert::{Event, Status};

pub mod envelope;

use envelope::{Envelope, Type};

/// Amazon CloudWatch.
pub const KIND: Kind = Kind {
    headers: &["x-amz-sns-message-id", "x-amz-sns-topic-arn", "x-amz-sns-rawdelivery"],
    topics: true,
    ..Kind::new(
        "cloudwatch",
        "Amazon CloudWatch (by SNS)",
        "Amazon SNS → Topics → Create subscription, protocol HTTPS, endpoint: ADDRESS, or `https://HOST/in/NAME` without a token when \
         `topics` is set. Write the ARN of the topic into `topics` first: then the subscription is confirmed by itself, and every \
         message has to be signed by Amazon. Leave raw message delivery off: it has no signature, and with `topics` it is taken only with a token and `raw = true`. In each alarm choose \
         the topic for \"In alarm\" and for \"OK\".",
        read,
    )
};

/// How events of EventBridge about alarms are called.
const EVENT: &str = "CloudWatch Alarm State Change";
/// The key of a raw message that names no topic.
const MESSAGE_KEY: &str = "message";

/// Facts of an alarm that become lines and labels: what they are called here, and where they stand.
const TRIGGER: &[(&str, &str)] = &[
    ("namespace", "Namespace"),
    ("metric", "MetricName"),
    ("statistic", "Statistic"),
    ("statistic", "ExtendedStatistic"),
];

/// Where a message came from, as far as it is known.
#[derive(Default)]
struct Way {
    topic: Option<String>,
    id: Option<String>,
    subject: Option<String>,
}

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let Some(envelope) = Envelope::read(delivery.body)? else { return raw(delivery) };
    let way = Way {
        topic: Some(envelope.topic.clone()),
        id: envelope.text("MessageId").map(str::to_owned),
        subject: envelope.text("Subject").map(str::to_owned),
    };
    let mut subscription = subscription(&envelope, &delivery.options.topics);
    subscription.delivery_id.clone_from(&way.id);
    let subscription = wire::bounded(subscription)?;
    if envelope.of != Type::Notification {
        return Ok(vec![subscription]);
    }
    let text = envelope.text("Message");
    let text = text.ok_or_else(|| wire::unreadable("there is no text `Message` in the message of SNS"))?;
    let mut message = message(text, &way)?;
    if message.occurred_at.is_none() {
        message.occurred_at = envelope.published_at();
    }
    Ok(vec![message, subscription])
}

/// A message without an envelope: an alarm, or, where SNS says that this is raw delivery, anything.
fn raw(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let text = wire::utf8(delivery.body)?;
    if text.starts_with('{') {
        wire::json(text, "the body")?;
    }
    let way = Way {
        topic: delivery.header("x-amz-sns-topic-arn").map(str::to_owned),
        id: delivery.header("x-amz-sns-message-id").map(str::to_owned),
        subject: None,
    };
    let says_raw =
        delivery.header("x-amz-sns-rawdelivery").is_some_and(|raw| raw.eq_ignore_ascii_case("true"));
    let said = message(text, &way)?;
    if said.status == Status::Info && !says_raw && !is_alarm(text) {
        return Err(wire::unreadable(
            "this is neither a message of SNS, with `Type` and `TopicArn`, nor an alarm of CloudWatch",
        ));
    }
    Ok(vec![said])
}

fn is_alarm(text: &str) -> bool {
    wire::json(text, "the body")
        .is_ok_and(|value| value.get("AlarmName").is_some() || value.get("detail").is_some())
}

/// What an envelope says of the subscription itself.
fn subscription(envelope: &Envelope, confirmed_here: &[String]) -> Event {
    let topic = &envelope.topic;
    let key = format!("subscription/{topic}");
    let mut event = match envelope.of {
        Type::Notification => Event::new(key, Status::Resolved, format!("SNS sends the messages of {topic}")),
        Type::Subscription if confirmed_here.contains(topic) => {
            Event::new(key, Status::Resolved, format!("SNS subscription of {topic} is confirmed"))
        }
        Type::Subscription => {
            let title = format!("SNS subscription of {topic} waits to be confirmed");
            let mut event = Event::new(key, Status::Firing, title);
            event.body = "Until then Amazon sends no alarm of this topic. Add the topic to `topics` of this source, reload, and \
                          choose \"Request confirmation\" at the subscription in the console of SNS. If you have not \
                          subscribed this address, somebody else has: give the source another token."
                .into();
            event
        }
        Type::Unsubscription => {
            let title = format!("Amazon will not send alarms of {topic} any more");
            let mut event = Event::new(key, Status::Firing, title);
            event.body = "The subscription of this address was ended at SNS. If that was not meant, subscribe it again.".into();
            event
        }
    };
    event.occurred_at = envelope.published_at();
    event.labels.insert("topic".into(), topic.clone());
    event
}

/// What was published: an alarm, or something to know.
fn message(text: &str, way: &Way) -> Result<Event, Unreadable> {
    let text = text.trim();
    let value = if text.starts_with('{') { wire::json(text, "the message").ok() } else { None };
    let mut event = match value.as_ref().and_then(Value::as_object) {
        Some(fields) if fields.contains_key("AlarmName") => alarm(fields, way)?,
        Some(fields) if wire::word(fields, &["detail-type"]).as_deref() == Some(EVENT) => {
            state_change(fields)?
        }
        _ => notice(text, way)?,
    };
    event.delivery_id.clone_from(&way.id);
    if let Some(topic) = &way.topic {
        event.labels.insert("topic".into(), topic.clone());
    }
    wire::bounded(event)
}

/// A message that is no alarm.
fn notice(text: &str, way: &Way) -> Result<Event, Unreadable> {
    // What is broken and speaks of an alarm may be the end of one.
    if text.contains("\"AlarmName\"") || text.contains(EVENT) {
        wire::json(text, "the message")?;
    }
    if text.is_empty() {
        return Err(wire::unreadable("the message is empty"));
    }
    let title = way.subject.as_deref().unwrap_or_else(|| text.lines().next().unwrap_or_default());
    let mut event = Event::new(way.topic.as_deref().unwrap_or(MESSAGE_KEY), Status::Info, title);
    event.body = text.to_owned();
    Ok(event)
}

/// An alarm as CloudWatch itself publishes it.
fn alarm(fields: &Map<String, Value>, way: &Way) -> Result<Event, Unreadable> {
    let name = wire::text(fields, &["AlarmName"]).ok_or_else(|| wire::unreadable("`AlarmName` is empty"))?;
    let state = wire::text(fields, &["NewStateValue"]);
    let status = status(state.as_deref(), "NewStateValue")?;
    let arn = wire::text(fields, &["AlarmArn"]);
    let topic = way.topic.as_deref().and_then(envelope::parts);
    let account = wire::text(fields, &["AWSAccountId"]);
    let account = account.or_else(|| topic.as_ref().map(|topic| topic.account.to_owned()));
    let region = arn.as_deref().and_then(region_of).or(topic.as_ref().map(|topic| topic.region));
    let mut event = Event::new(key(arn.as_deref(), account.as_deref(), region, &name), status, name.as_str());
    event.occurred_at = wire::time(fields, &["StateChangeTime"]);
    describe(&mut event, fields, &["AlarmDescription", "NewStateReason", "AlarmRule"]);
    let nothing = Map::new();
    let trigger = fields.get("Trigger").and_then(Value::as_object).unwrap_or(&nothing);
    for (label, name) in TRIGGER {
        event.labels.extend(wire::text(trigger, &[name]).map(|value| ((*label).to_owned(), value)));
    }
    dimensions(&mut event, trigger.get("Dimensions"));
    for metric in trigger.get("Metrics").and_then(Value::as_array).into_iter().flatten() {
        let metric = metric.pointer("/MetricStat/Metric");
        dimensions(&mut event, metric.and_then(|metric| metric.get("Dimensions")));
    }
    name_it(&mut event, &name, account, region, arn.as_deref());
    Ok(event)
}

/// An alarm as EventBridge tells of it.
fn state_change(fields: &Map<String, Value>) -> Result<Event, Unreadable> {
    let detail = fields.get("detail").and_then(Value::as_object);
    let detail = detail.ok_or_else(|| wire::unreadable("there is no `detail` in the event"))?;
    let name = wire::text(detail, &["alarmName"]);
    let name = name.ok_or_else(|| wire::unreadable("there is no `alarmName` in `detail`"))?;
    let nothing = Map::new();
    let part = |name: &str| detail.get(name).and_then(Value::as_object).unwrap_or(&nothing);
    let (state, configuration) = (part("state"), part("configuration"));
    let status = status(wire::text(state, &["value"]).as_deref(), "detail.state.value")?;
    let arn = fields.get("resources").and_then(|resources| resources.get(0)).and_then(Value::as_str);
    let arn = arn.filter(|arn| arn.contains(":alarm:"));
    let (account, region) = (wire::text(fields, &["account"]), wire::text(fields, &["region"]));
    let region = arn.and_then(region_of).or(region.as_deref());
    let mut event = Event::new(key(arn, account.as_deref(), region, &name), status, name.as_str());
    event.occurred_at = wire::time(state, &["timestamp"]).or_else(|| wire::time(fields, &["time"]));
    describe(&mut event, configuration, &["description"]);
    describe(&mut event, state, &["reason"]);
    describe(&mut event, configuration, &["alarmRule"]);
    let suppressed = wire::text(state, &["actionsSuppressedBy"]);
    event.labels.extend(suppressed.map(|by| ("actions_suppressed_by".to_owned(), by)));
    for metric in configuration.get("metrics").and_then(Value::as_array).into_iter().flatten() {
        let metric = metric.pointer("/metricStat/metric").and_then(Value::as_object).unwrap_or(&nothing);
        for (label, name) in [("namespace", "namespace"), ("metric", "name")] {
            if let Some(value) = wire::text(metric, &[name]) {
                event.labels.entry(label.to_owned()).or_insert(value);
            }
        }
        dimensions(&mut event, metric.get("dimensions"));
    }
    name_it(&mut event, &name, account, region, arn);
    Ok(event)
}

fn status(state: Option<&str>, name: &str) -> Result<Status, Unreadable> {
    match state {
        Some("ALARM") => Ok(Status::Firing),
        Some("OK") => Ok(Status::Resolved),
        Some("INSUFFICIENT_DATA") => Ok(Status::Info),
        Some(_) => Err(wire::unreadable(format!("`{name}` is none of ALARM, OK and INSUFFICIENT_DATA"))),
        None => Err(wire::unreadable(format!("there is no `{name}` in the alarm"))),
    }
}

fn key(arn: Option<&str>, account: Option<&str>, region: Option<&str>, name: &str) -> String {
    match arn {
        Some(arn) => arn.to_owned(),
        None => [account, region, Some(name)].into_iter().flatten().collect::<Vec<_>>().join("/"),
    }
}

/// `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`
fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

fn describe(event: &mut Event, fields: &Map<String, Value>, names: &[&str]) {
    for text in names.iter().filter_map(|name| wire::word(fields, &[name])) {
        wire::line(&mut event.body, &text);
    }
}

/// Dimensions are a list of names and values, or, from EventBridge, an object. The first metric's win.
fn dimensions(event: &mut Event, said: Option<&Value>) {
    let mut keep = |name: &str, value: String| {
        event.labels.entry(name.to_owned()).or_insert(value);
    };
    match said {
        Some(Value::Array(list)) => {
            for one in list.iter().filter_map(Value::as_object) {
                let (name, value) =
                    (wire::text(one, &["name", "Name"]), wire::text(one, &["value", "Value"]));
                if let (Some(name), Some(value)) = (name, value) {
                    keep(&name, value);
                }
            }
        }
        Some(Value::Object(fields)) => {
            for (name, value) in wire::pairs(fields) {
                keep(name, value.into_owned());
            }
        }
        _ => {}
    }
}

/// What every alarm has: its names, which no dimension replaces, and its page in the console.
fn name_it(event: &mut Event, name: &str, account: Option<String>, region: Option<&str>, arn: Option<&str>) {
    let said =
        [("alarm_name", Some(name.to_owned())), ("account", account), ("region", region.map(str::to_owned))];
    for (label, value) in said {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    if let (Some(region), true) = (region, arn.is_some_and(|arn| arn.starts_with("arn:aws:"))) {
        let (region, name) = (encoded(region), encoded(name));
        let link =
            format!("https://console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{name}");
        wire::link(&mut event.links, &link);
    }
}

fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::Options;
    use crate::sources::tests::{delivery, post, post_with};

    const TOPIC: &str = "arn:aws:sns:eu-north-1:111122223333:pager";

    fn wrapped(message: &str) -> Vec<u8> {
        let body = json!({"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Subject": "hello",
            "Message": message, "Timestamp": "2026-01-02T03:04:05.731Z"});
        body.to_string().into_bytes()
    }

    fn alarm(state: &str) -> Value {
        json!({"AlarmName": "age", "AlarmArn": "arn:aws:cloudwatch:eu-north-1:111122223333:alarm:age",
            "NewStateValue": state, "StateChangeTime": "2026-01-02T03:04:05.678+0000"})
    }

    fn raw_with(headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<Event>, Unreadable> {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        (KIND.read)(&Delivery { headers: &headers, ..delivery("POST", "", body) })
    }

    #[test]
    fn alarm_and_ok_have_one_key_with_and_without_the_envelope() {
        let fires = post(&KIND, &wrapped(&alarm("ALARM").to_string())).unwrap();
        let over = post(&KIND, alarm("OK").to_string().as_bytes()).unwrap();
        assert_eq!((fires[0].status, over[0].status), (Status::Firing, Status::Resolved));
        assert_eq!(fires[0].key, over[0].key);
        assert_eq!(fires[0].occurred_at, over[0].occurred_at);
        let unknown = post(&KIND, &wrapped(&alarm("INSUFFICIENT_DATA").to_string())).unwrap();
        assert_eq!(unknown[0].status, Status::Info);
    }

    #[test]
    fn an_old_alarm_without_its_arn_is_known_by_account_region_and_name() {
        let mut old = alarm("ALARM");
        old.as_object_mut().unwrap().remove("AlarmArn");
        assert_eq!(post(&KIND, &wrapped(&old.to_string())).unwrap()[0].key, "111122223333/eu-north-1/age");
    }

    #[test]
    fn an_alarm_that_is_cut_or_of_an_unknown_state_is_refused_and_not_taken_for_a_text() {
        let whole = alarm("ALARM").to_string();
        for broken in [&whole[..whole.len() - 9], &alarm("hunter2").to_string(), r#"{"AlarmName": "age"}"#] {
            let why = post(&KIND, &wrapped(broken)).unwrap_err().0;
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn any_text_is_something_to_know_in_an_envelope_and_raw_only_where_sns_says_so() {
        let said = post(&KIND, &wrapped("a budget is used up\n80 %")).unwrap();
        assert_eq!((said[0].status, said[0].title.as_str()), (Status::Info, "hello"));
        assert!(post(&KIND, b"a budget is used up").unwrap_err().0.contains("neither a message of SNS"));
        let raw = [
            ("x-amz-sns-rawdelivery", "true"),
            ("x-amz-sns-message-id", "m-2"),
            ("x-amz-sns-topic-arn", TOPIC),
        ];
        let said = raw_with(&raw, b"a budget is used up\n80 %").unwrap().remove(0);
        assert_eq!((said.title.as_str(), said.key.as_str()), ("a budget is used up", TOPIC));
        assert_eq!(said.delivery_id.as_deref(), Some("m-2"));
        assert!(raw_with(&raw, b" ").is_err());
    }

    #[test]
    fn a_subscription_waits_until_its_topic_is_known_or_sends() {
        let confirmation = json!({"Type": "SubscriptionConfirmation", "MessageId": "m", "TopicArn": TOPIC, "Token": "hunter2",
            "Message": "hunter2", "SubscribeURL": "https://sns.eu-north-1.amazonaws.com/?Token=hunter2"});
        let body = confirmation.to_string().into_bytes();
        let waits = post(&KIND, &body).unwrap();
        assert_eq!(waits[0].status, Status::Firing);
        assert!(!format!("{waits:?}").contains("hunter2"), "{waits:?}");
        let options = Options { topics: vec![TOPIC.into()], ..Options::default() };
        let confirmed = post_with(&KIND, &body, &options).unwrap();
        let sends = post(&KIND, &wrapped("hello")).unwrap();
        for resolved in [&confirmed[0], &sends[1]] {
            assert_eq!((resolved.status, &resolved.key), (Status::Resolved, &waits[0].key));
        }
        let mut end = confirmation;
        end["Type"] = json!("UnsubscribeConfirmation");
        let end = post_with(&KIND, end.to_string().as_bytes(), &options).unwrap();
        assert_eq!((end[0].status, &end[0].key), (Status::Firing, &waits[0].key));
    }

    #[test]
    fn no_dimension_takes_the_place_of_a_fact() {
        let mut alarm = alarm("ALARM");
        alarm["Trigger"] = json!({"Dimensions": [{"name": "alarm_name", "value": "x"}, {"name": "QueueName", "value": "orders"}]});
        let event = post(&KIND, alarm.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!(
            (event.labels["alarm_name"].as_str(), event.labels["QueueName"].as_str()),
            ("age", "orders")
        );
    }
}
