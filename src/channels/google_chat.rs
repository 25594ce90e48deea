//! Google Chat: a webhook of a space. The key and the token in its address are the credential.
//!
//! The key of the thread is the incident's, chosen here, so no id has to be known; without `messageReplyOption` the key would be
//! passed over. Spaces without threads show a message by itself.
//!
//! `requestId` is the delivery: as published, a repeat is answered with the message that is there. Whether that holds for webhooks
//! too is said nowhere; where it does not, a second message of status stands in the same thread of a room of the house, which is
//! better than none. A statement is not written again for such a hope. A webhook takes nothing away, so one that is taken back is
//! followed by the words that say so. The space takes one request a second from all its webhooks together.
//!
//! Chat has marks for bold and the like, and none to escape them with; `<users/all>` and `<address|words>` would do more than that,
//! and are broken. Errors are `{"error": {"code": 403, "status": "PERMISSION_DENIED", ...}}`. A wrong key is 400 with the reason
//! `API_KEY_INVALID`: the whole channel, as 401, 403 and 404.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{bounded, of_letter, refused, strange, usual, word};
use super::client::Answer;
use super::hook::{self, Hook};
use super::pace::Pace;
use super::statement::Shown;
use super::{Channel, Fields, Kind, Outcome, Parcel, Shared, fit, statement};

/// Google Chat, by a webhook of a space.
pub const KIND: Kind =
    Kind { name: "google-chat", keys: hook::KEYS, build: GoogleChat::build, address: None, status: true };

/// So much may a message have.
const MESSAGE_BYTES_MAX: usize = 32_000;
/// What is cut is cut well before.
const TEXT_BYTES_MAX: usize = 30_000;
/// A space takes one request in so long.
const EVERY: SignedDuration = SignedDuration::from_secs(1);
/// After more than it takes, when it does not say how long.
const REST: Duration = Duration::from_secs(5);

/// One space.
pub struct GoogleChat {
    hook: Hook,
    pace: Pace,
}

#[derive(Deserialize)]
struct Said {
    name: Option<String>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    status: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    reason: Option<String>,
}

impl GoogleChat {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let hook = Hook::new(&mut fields, shared)?;
        let parts: Vec<&str> = hook.path().trim_matches('/').split('/').collect();
        let is_space = matches!(parts[..], [.., "spaces", space, "messages"] if !space.is_empty());
        if !is_space || !hook.has("key") || !hook.has("token") {
            return Err("the address in `url_file` is not that of a webhook of a space, which has /spaces/ID/messages?key=...&token=... \
                        (an address with & has to be quoted)"
                .into());
        }
        if hook.has("threadKey") {
            return Err(
                "leave `threadKey` out of the address in `url_file`: each incident has a thread of its own"
                    .into(),
            );
        }
        Ok(Channel::GoogleChat(Self { hook, pace: Pace::new(EVERY) }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        if parcel.statement.is_some() {
            shows(parcel).fitting()?;
        }
        self.pace.turn().await?;
        let query = [
            ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"),
            ("requestId", parcel.delivery.as_str()),
        ];
        let answer = self.hook.post(&query, &body(parcel)).await?;
        let outcome = of_letter(parcel, &answer, outcome(&answer));
        if let Outcome::Wait { after, .. } = &outcome {
            self.pace.rest(after.unwrap_or(REST));
        }
        Ok(outcome)
    }
}

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = quiet(&statement::words(parcel));
    let size = written(&text).len();
    Shown { text, size, most: MESSAGE_BYTES_MAX, unit: "bytes" }
}

/// Words that are shown, as they are written. There is nothing to escape a mark with.
fn written(text: &str) -> String {
    statement::with_bold_title(text, "*", str::to_owned)
}

fn quiet(text: &str) -> String {
    fit::quiet(text).replace('<', "<\u{200b}")
}

fn body(parcel: &Parcel) -> Value {
    let mut body = match parcel.statement {
        Some(_) => json!({"text": written(&shows(parcel).text)}),
        None => {
            let text = quiet(&format!("*{}*\n{}", parcel.subject, parcel.text));
            json!({"text": fit::with_rest(&text, parcel.rest(), TEXT_BYTES_MAX, char::len_utf8)})
        }
    };
    // A test is of none.
    if parcel.incident != 0 {
        body["thread"] = json!({"threadKey": format!("inc-{}", parcel.incident)});
    }
    body
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if answer.status.is_success() {
        return match said.and_then(|said| said.name) {
            Some(name) => Outcome::Accepted { remote_id: Some(name) },
            None => strange("Google Chat"),
        };
    }
    let fault = said.and_then(|said| said.error);
    let name = fault.as_ref().and_then(|fault| word(fault.status.as_deref()?));
    let is_key = |detail: &Detail| detail.reason.as_deref() == Some("API_KEY_INVALID");
    match usual(answer, &[401, 403, 404, 410], name) {
        Outcome::Refused { why, .. } if fault.is_some_and(|fault| fault.details.iter().any(is_key)) => {
            refused(&why, true)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, receiver, status_letter as letter};
    use super::*;

    const PATH: &str = "/v1/spaces/AAAAbCdEfGh/messages?key=not-a-real-key&token=not-a-real-token%3D";

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/google-chat/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn room(url: &str) -> Channel {
        build(&KIND, &[("private_addresses", "allow")], &[("url", &format!("{url}{PATH}"))]).unwrap()
    }

    #[tokio::test]
    async fn every_letter_of_an_incident_goes_to_its_thread_and_is_named_by_its_delivery() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("message")); 2]).await;
        let sent = room(&url).send(&letter()).await;
        assert_eq!(sent, Outcome::Accepted { remote_id: Some("spaces/AAAAbCdEfGh/messages/x1.x1".into()) });
        let subject = "[INC-42] <users/all> <https://evil.example|pay> @all".into();
        room(&url).send(&Parcel { attempt: 2, subject, ..letter() }).await;
        let requests = requests.await;
        let line = format!(
            "POST {PATH}&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId={} HTTP/1.1",
            letter().delivery
        );
        assert_eq!((&requests[0].line, &requests[1].line), (&line, &line));
        let body = requests[0].json();
        assert_eq!(body["thread"]["threadKey"], "inc-42");
        assert!(body["text"].as_str().unwrap().starts_with("*[INC-42] shop"), "{body}");
        let sly = requests[1].json()["text"].as_str().unwrap().to_owned();
        assert!(
            sly.starts_with(
                "*[INC-42] <\u{200b}users/all> <\u{200b}https://evil.example|pay> @\u{200b}all*\n"
            ),
            "{sly}"
        );
    }

    #[tokio::test]
    async fn a_space_is_asked_once_a_second_and_rests_when_it_was_too_much() {
        let ok = json_answer("200 OK", fixture("message"));
        let slow = json_answer("429 Too Many Requests", fixture("slow"));
        let (url, requests) = receiver(vec![ok, slow]).await;
        let channel = room(&url);
        let after = |millis| Parcel { now: letter().now + SignedDuration::from_millis(millis), ..letter() };
        assert_eq!(channel.send(&letter()).await.as_str(), "accepted");
        let early = tokio::time::timeout(Duration::from_millis(100), channel.send(&after(800))).await;
        assert!(early.is_err(), "its turn comes in a second: {early:?}");
        assert_eq!(channel.send(&after(2000)).await.as_str(), "wait");
        let rests = channel.send(&after(2001)).await;
        assert_eq!(rests.as_str(), "wait");
        assert_eq!(requests.await.len(), 2, "nothing was asked meanwhile");
    }

    #[tokio::test]
    async fn what_is_answered_is_about_this_letter_or_the_whole_channel() {
        let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
        for (status, body, meant) in [
            ("400 Bad Request", "key", refused("answered 400 (INVALID_ARGUMENT)", true)),
            ("400 Bad Request", "invalid", refused("answered 400 (INVALID_ARGUMENT)", false)),
            ("403 Forbidden", "denied", refused("answered 403 (PERMISSION_DENIED)", true)),
            ("404 Not Found", "no_space", refused("answered 404 (NOT_FOUND)", true)),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, fixture(body))]).await;
            assert_eq!(room(&url).send(&letter()).await, meant);
        }
        let (url, _requests) = receiver(vec![json_answer("429 Too Many Requests", fixture("slow"))]).await;
        let channel = room(&url);
        let waits = Outcome::Wait { after: None, why: "answered 429 (RESOURCE_EXHAUSTED)".into() };
        assert_eq!(channel.send(&letter()).await, waits);
    }

    #[test]
    fn only_the_address_of_a_space_will_do() {
        let said = |url: &str| build(&KIND, &[], &[("url", url)]).err().unwrap_or_default();
        assert_eq!(said(&format!("https://chat.googleapis.com{PATH}")), "");
        for wrong in [
            "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k",
            "https://chat.googleapis.com/v1/spaces/AAAA?key=k&token=t",
            "https://chat.google.com/room/AAAA",
        ] {
            assert!(said(wrong).contains("/spaces/ID/messages"), "{wrong}");
        }
        assert!(said(&format!("https://chat.googleapis.com{PATH}&threadKey=x")).contains("threadKey"));
    }
}
