//! PagerDuty as a target, by its Events API v2: what the house knows of an incident is an alert there, for those who work in PagerDuty.
//!
//! Shapes, limits and what to try again are those of PagerDuty/developer-docs (docs/events-API-v2) and of PagerDuty/api-schema
//! (reference/events-v2/openapiv3.json). The host of the service region EU is the one that PagerDuty shows beside an integration's key.
//!
//! The key of deduplication is the incident's number, so a repeat joins the alert that is there, and nobody is woken twice. A trigger
//! for an alert that is open is a line in its log, which is how the words of a statement get there; an acknowledgement or a resolution has no
//! words of its own that are shown for certain. So:
//!
//! - what comes first opens the alert, and acknowledges it where somebody has the incident; nothing is opened of one that is over;
//! - a statement is a trigger and, where somebody has the incident, an acknowledgement, after which nobody there is notified; so are the
//!   words of one that another channel did not take and that come here instead, with a note about that;
//! - any other status acknowledges or resolves. When the incident is opened again, the alert is;
//! - what is over is resolved, and is not triggered: that would be a new alert, and wake somebody. So the words of a statement that
//!   comes then, the closing one among them, are refused, for nobody would see them. The alert is resolved all the same.
//!
//! A repeat of a trigger may be one more line in the log. What was resolved by hand there is opened by the next statement. Nothing can be
//! taken back there: a retraction is told.
//!
//! Statements for stakeholders or the public are refused. A summary has 1,024 characters at most; a status that is longer is cut, for its
//! details have it whole, and a statement's title is not.
//!
//! 400 is about this letter, and about the whole channel where it names the key; 401, 403, 404 and 410 are the channel's.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, refused, strange, usual};
use super::board;
use super::client::Answer;
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement, fit};
use crate::core::audience::Audience;
use crate::core::voice::Impact;

/// An integration of PagerDuty.
pub const KIND: Kind = Kind {
    name: "pagerduty",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Pagerduty::build,
    address: None,
    status: true,
};

/// Where it is, outside the service region EU.
const API_URL: &str = "https://events.pagerduty.com";
const SUMMARY_CHARS_MAX: usize = 1024;
/// The type of a letter that is a statement, or has the words of one as its fallback.
const STATEMENT: &str = "statement";
/// Keys of integrations have so many letters and digits.
const KEY_CHARS: usize = 32;

/// One integration.
pub struct Pagerduty {
    api: Api,
    key: SecretString,
}

#[derive(Deserialize)]
struct Said {
    status: String,
    #[serde(default)]
    errors: Vec<String>,
    message: Option<String>,
}

impl Pagerduty {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "url", Some(API_URL))?;
        let key = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let is_key =
            |text: &str| text.len() == KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_key(key.expose_secret()) {
            return Err(format!(
                "what `token_file` holds is no integration key of Events API v2, which has {KEY_CHARS} letters and digits"
            ));
        }
        Ok(Channel::Pagerduty(Self { api, key }))
    }

    /// How it is shown there: the title, and the rest among its details.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = parcel.statement.as_deref() else {
            return Shown::whole(format!("{}\n\n{}", summary(parcel), parcel.text));
        };
        let text = format!("{}\n\n{}\n{}", said.title, said.phase.title(), said.text);
        let size = said.title.chars().count();
        Shown { text, size, most: SUMMARY_CHARS_MAX, unit: "characters in its title" }
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let key = parcel.thread_root.clone().unwrap_or_else(|| format!("onscene-{}", parcel.incident));
        let is_over = parcel.incident_state == "resolved";
        for action in self.actions(parcel)? {
            let answer = self.api.post("/v2/enqueue", &self.event(parcel, action, &key)).await?;
            let outcome = outcome(&answer, &key);
            if !matches!(outcome, Outcome::Accepted { .. }) {
                return Ok(outcome);
            }
        }
        if is_over && has_words(parcel) {
            return Err(refused("the alert is resolved, and PagerDuty shows no words of one that is", false));
        }
        Ok(Outcome::Accepted { remote_id: Some(key) })
    }

    /// What is told of a letter, in this order.
    fn actions(&self, parcel: &Parcel) -> Result<&'static [&'static str], Outcome> {
        if let Some(said) = parcel.statement.as_deref() {
            if said.audience != Audience::Internal {
                return Err(refused(
                    "PagerDuty is for people of the house, and takes statements for them only",
                    false,
                ));
            }
            let shown = self.shows(parcel);
            if !shown.fits() {
                let why = format!("it has {} {}, and PagerDuty takes {}", shown.size, shown.unit, shown.most);
                return Err(refused(&why, false));
            }
        }
        let opens = parcel.thread_root.is_none() || parcel.event_type == "incident.reopened";
        Ok(match parcel.incident_state.as_str() {
            "resolved" => &["resolve"],
            "triggered" => &["trigger"],
            _ if opens || has_words(parcel) => &["trigger", "acknowledge"],
            _ => &["acknowledge"],
        })
    }

    fn event(&self, parcel: &Parcel, action: &str, key: &str) -> Value {
        let mut event = json!({
            "routing_key": self.key.expose_secret(),
            "event_action": action,
            "dedup_key": key,
            "client": "onscene",
            "payload": match parcel.statement.as_deref() {
                Some(said) => of_statement(said),
                None => of_status(parcel),
            },
        });
        // Where a statement's readers may look is said in its words.
        if let (None, Some(page)) = (&parcel.statement, parcel.rest()) {
            event["client_url"] = page.into();
        }
        event
    }
}

/// Whether its words are what it is about: a statement, or what another channel did not take of one.
fn has_words(parcel: &Parcel) -> bool {
    parcel.statement.is_some() || parcel.event_type == STATEMENT
}

fn of_statement(said: &Statement) -> Value {
    let severity = match said.impact {
        Impact::None => "info",
        Impact::Minor => "warning",
        Impact::Major => "error",
        Impact::Critical => "critical",
    };
    let details = json!({"phase": said.phase.title(), "text": said.text});
    payload(&said.title, severity, &said.components.join(", "), said.at, details)
}

fn of_status(parcel: &Parcel) -> Value {
    let known = |key: &str| parcel.data.get("incident")?.get(key)?.as_str();
    let severity = match known("severity") {
        Some("SEV1") => "critical",
        Some("SEV2") => "error",
        Some("SEV4") => "info",
        _ => "warning",
    };
    let details = json!({"state": parcel.incident_state, "text": parcel.text});
    payload(&summary(parcel), severity, known("service").unwrap_or_default(), parcel.created_at, details)
}

fn payload(summary: &str, severity: &str, source: &str, at: Timestamp, details: Value) -> Value {
    let source = if source.is_empty() { "onscene" } else { source };
    json!({"summary": summary, "severity": severity, "source": source, "timestamp": at.to_string(), "custom_details": details})
}

fn summary(parcel: &Parcel) -> String {
    fit::cut(&parcel.subject, SUMMARY_CHARS_MAX, fit::one)
}

fn outcome(answer: &Answer, key: &str) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if answer.status.is_success() {
        return match said {
            Some(said) if said.status == "success" => Outcome::Accepted { remote_id: Some(key.to_owned()) },
            _ => strange("PagerDuty"),
        };
    }
    let names_key = |text: &String| text.to_lowercase().replace('_', " ").contains("routing key");
    let is_key = said.is_some_and(|said| said.errors.iter().chain(&said.message).any(names_key));
    match usual(answer, board::WHOLE, None) {
        Outcome::Refused { why, .. } if is_key => {
            refused(&format!("{why}: its key is not known there"), true)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::super::stories::{build, json_answer, receiver, statement, status_letter};
    use super::super::stories_board::{Call, Dice, Fake, Served, serve, tell};
    use super::*;
    use crate::core::voice::Sort;

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";

    /// Keeps the alerts of one integration.
    #[derive(Default)]
    struct Alerts {
        open: BTreeMap<String, Alert>,
        resolved: Vec<(String, Alert)>,
        /// Events that met no open alert.
        dropped: u32,
    }

    #[derive(Default, Clone)]
    struct Alert {
        acknowledged: bool,
        log: Vec<Value>,
    }

    impl Fake for Alerts {
        const TOKEN: &'static str = "authorization";

        fn answer(&mut self, call: &Call) -> (u16, Value) {
            let wrong = |error: &str| {
                (
                    400,
                    json!({"status": "invalid event", "message": "Event object is invalid", "errors": [error]}),
                )
            };
            let body = &call.body;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if call.line() != "POST /v2/enqueue" {
                return (404, Value::Null);
            }
            if body["routing_key"] != KEY {
                return wrong("Length of 'routing_key' is incorrect (should be 32 characters)");
            }
            let (key, action) = (text(&body["dedup_key"]), text(&body["event_action"]));
            let payload = &body["payload"];
            let known =
                ["critical", "error", "warning", "info"].contains(&text(&payload["severity"]).as_str());
            let is_whole =
                known && ["summary", "source"].iter().all(|field| !text(&payload[*field]).is_empty());
            if action == "trigger" && !is_whole || text(&payload["summary"]).chars().count() > 1024 {
                return wrong("'payload' is not whole");
            }
            if key.is_empty() || key.chars().count() > 255 {
                return wrong("'dedup_key' is missing or too long");
            }
            match (action.as_str(), self.open.get_mut(&key)) {
                ("trigger", _) => self.open.entry(key.clone()).or_default().log.push(payload.clone()),
                ("acknowledge", Some(alert)) => alert.acknowledged = true,
                ("resolve", Some(_)) => {
                    let alert = self.open.remove(&key).unwrap();
                    self.resolved.push((key.clone(), alert));
                }
                ("acknowledge" | "resolve", None) => self.dropped += 1,
                _ => return wrong("'event_action' is not known"),
            }
            (202, json!({"status": "success", "message": "Event processed", "dedup_key": key}))
        }
    }

    fn at(url: &str, key: &str) -> Channel {
        build(&KIND, &[("url", url), ("private_addresses", "allow")], &[("token", key)]).unwrap()
    }

    async fn channel(seed: u64) -> (Channel, Arc<Mutex<Served<Alerts>>>) {
        let (url, served) = serve(Alerts::default(), seed).await;
        (at(&url, KEY), served)
    }

    fn letter(incident: i64, state: &str, root: Option<&str>) -> Parcel {
        let letter = Parcel { incident, incident_state: state.into(), ..status_letter() };
        Parcel { thread_root: root.map(str::to_owned), ..letter }
    }

    fn said(state: &str, root: Option<&str>, change: impl FnOnce(&mut Statement)) -> Parcel {
        let mut said = *statement(1).statement.unwrap();
        said.audience = Audience::Internal;
        change(&mut said);
        Parcel { statement: Some(Box::new(said)), ..letter(42, state, root) }
    }

    #[tokio::test]
    async fn an_incident_is_one_alert_from_its_first_letter_to_its_end() {
        let (channel, served) = channel(1).await;
        let root = tell(&channel, &letter(42, "acknowledged", None), None).await;
        assert_eq!(root, "onscene-42");
        assert!(served.lock().unwrap().fake.open["onscene-42"].acknowledged, "somebody has it");
        tell(&channel, &letter(42, "mitigated", Some(&root)), None).await;
        tell(&channel, &said("mitigated", Some(&root), |_| {}), None).await;
        tell(&channel, &letter(42, "resolved", Some(&root)), None).await;
        {
            let alerts = &served.lock().unwrap().fake;
            let log = &alerts.resolved[0].1.log;
            let summaries: Vec<&str> = log.iter().map(|one| one["summary"].as_str().unwrap()).collect();
            assert_eq!(
                summaries,
                ["[INC-42] shop: checkout down für alle <!channel>", "Online shop: payments fail"]
            );
            assert_eq!(
                (log[1]["severity"].as_str(), log[1]["source"].as_str()),
                (Some("error"), Some("Online shop"))
            );
            assert!(
                log[1]["custom_details"]["text"].as_str().unwrap().ends_with("Next update by 10:30 UTC.")
            );
            assert_eq!((alerts.open.len(), alerts.resolved.len(), alerts.dropped), (0, 1, 0));
        }
        let again =
            Parcel { event_type: "incident.reopened".into(), ..letter(42, "acknowledged", Some(&root)) };
        tell(&channel, &again, None).await;
        assert!(served.lock().unwrap().fake.open["onscene-42"].acknowledged);
    }

    #[tokio::test]
    async fn nothing_is_opened_of_what_is_over_and_nothing_is_said_where_nobody_sees_it() {
        let (channel, served) = channel(1).await;
        assert_eq!(channel.send(&letter(42, "resolved", None)).await.as_str(), "accepted");
        for sort in [Sort::Closing, Sort::Correction] {
            let late = channel.send(&said("resolved", Some("onscene-42"), |said| said.sort = sort)).await;
            let Outcome::Refused { why, whole_channel: false } = late else { panic!("{late:?}") };
            assert_eq!(why, "the alert is resolved, and PagerDuty shows no words of one that is");
        }
        for audience in [Audience::Stakeholder, Audience::Public] {
            let outcome = channel.send(&said("acknowledged", None, |said| said.audience = audience)).await;
            assert!(matches!(outcome, Outcome::Refused { whole_channel: false, .. }), "{outcome:?}");
        }
        let long = said("acknowledged", None, |said| said.title = "é".repeat(1025));
        assert!(!channel.shows(&long).fits());
        assert_eq!(channel.send(&long).await.as_str(), "refused");
        let served = served.lock().unwrap();
        assert_eq!((served.log.len(), served.fake.open.len()), (3, 0));
    }

    #[tokio::test]
    async fn what_another_channel_did_not_take_is_read_in_an_alert_that_somebody_has() {
        let (channel, served) = channel(1).await;
        let root = tell(&channel, &letter(42, "acknowledged", None), None).await;
        let note = "This could not be delivered to status: answered 401";
        let instead = |state: &str| {
            let text = format!("Identified\n\nSome payments fail.\n\n{note}\n");
            Parcel { event_type: "statement".into(), text, ..letter(42, state, Some(&root)) }
        };
        tell(&channel, &instead("acknowledged"), None).await;
        {
            let alert = &served.lock().unwrap().fake.open["onscene-42"];
            assert!(alert.log[1]["custom_details"]["text"].as_str().unwrap().contains(note));
            assert!(alert.acknowledged && alert.log.len() == 2);
        }
        assert_eq!(channel.send(&instead("resolved")).await.as_str(), "refused", "nobody would read it");
        let alerts = &served.lock().unwrap().fake;
        assert_eq!((alerts.open.len(), alerts.resolved.len()), (0, 1), "and it is over there, too");
    }

    #[tokio::test]
    async fn a_key_that_is_not_known_is_the_channels_and_a_wrong_event_is_this_letters() {
        let (url, _served) = serve(Alerts::default(), 1).await;
        let channel = at(&url, &"x".repeat(32));
        let outcome = channel.send(&letter(42, "triggered", None)).await;
        let why = "answered 400: its key is not known there".to_owned();
        assert_eq!(outcome, Outcome::Refused { why, whole_channel: true });
        let fixture = include_str!("../../tests/fixtures/channels/pagerduty/invalid.json");
        let (url, _requests) = receiver(vec![json_answer("400 Bad Request", fixture)]).await;
        let outcome = at(&url, KEY).send(&letter(42, "triggered", None)).await;
        assert_eq!(outcome, Outcome::Refused { why: "answered 400".into(), whole_channel: false });
        assert!(build(&KIND, &[], &[("token", "too short")]).err().unwrap().contains("32 letters"));
    }

    #[tokio::test]
    async fn a_lost_answer_sends_the_same_bytes_to_the_same_alert() {
        let ok = json_answer(
            "202 Accepted",
            include_str!("../../tests/fixtures/channels/pagerduty/accepted.json"),
        );
        let (url, requests) = receiver(vec!["", ok]).await;
        let channel = at(&url, KEY);
        assert_eq!(channel.send(&letter(42, "triggered", None)).await.as_str(), "unknown");
        let again = channel.send(&Parcel { attempt: 2, ..letter(42, "triggered", None) }).await;
        assert_eq!(again, Outcome::Accepted { remote_id: Some("onscene-42".into()) });
        let requests = requests.await;
        assert_eq!(requests[0].body, requests[1].body);
        let event = requests[0].json();
        assert_eq!(
            (event["event_action"].as_str(), event["dedup_key"].as_str()),
            (Some("trigger"), Some("onscene-42"))
        );
        assert_eq!(event["client_url"], "https://onscene.example.net/incidents/42");
        let (url, requests) = receiver(vec![ok, ok]).await;
        at(&url, KEY).send(&said("acknowledged", None, |_| {})).await;
        assert!(!requests.await[0].body.contains("/incidents/42"), "a statement has approved words only");
    }

    #[tokio::test]
    async fn whatever_is_lost_an_incident_is_one_alert_and_nobody_is_woken_twice() {
        let (channel, served) = channel(9).await;
        served.lock().unwrap().one_in = 3;
        let mut dice = Dice(2);
        let mut incident = 0;
        while served.lock().unwrap().lost < 1000 {
            incident += 1;
            let root = tell(&channel, &letter(incident, "triggered", None), Some(&mut dice)).await;
            for state in ["acknowledged", "acknowledged", "mitigated", "resolved"] {
                let mut parcel = said(state, Some(&root), |_| {});
                parcel.incident = incident;
                if state == "resolved" || dice.below(2) == 0 {
                    parcel.event_type = format!("incident.{state}");
                    parcel.statement = None;
                }
                tell(&channel, &parcel, Some(&mut dice)).await;
            }
            let alerts = &served.lock().unwrap().fake;
            let ended = alerts.resolved.iter().filter(|(key, _)| *key == root).count();
            assert_eq!((ended, alerts.open.len()), (1, 0), "{root}");
        }
        assert!(incident > 30, "{incident}");
    }
}
