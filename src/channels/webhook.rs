//! Signed webhooks, by Standard Webhooks (specification of August 2026).
//!
//! `POST` of `{"type", "timestamp", "data"}` with `webhook-id` (the delivery's own id, the same on every
//! attempt: receivers recognise a repeat by it), `webhook-timestamp` (of this attempt) and
//! `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`). The secret is
//! `whsec_` and base64, or any other text of at least 16 bytes.
//!
//! The data of a statement are the statement, and nothing of the incident: nobody outside is told its number. The statements of one
//! incident have the same `thread`, which is the `webhook-id` of the first; one that corrects or takes back another names that one's
//! `webhook-id` as `mends.webhook_id`. Inside the house it has its `id` as well.
//!
//! What the answers mean: 2xx it has it · 429, 503 and 504 not now (`Retry-After` counts) · 408, 425 and
//! other 5xx it may have it · 410 never again · 401, 403, 404 the whole channel is wrong · 3xx is no
//! success and is not followed · everything else: this letter is refused.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::{Value, json};

use super::client::{Client, Failure, Reach};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::audience::Audience;
use crate::crypto;

/// Signed webhooks.
pub const KIND: Kind = Kind {
    name: "webhook",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "secret", secret: true, required: true },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Webhook::build,
    address: Some(address),
    status: true,
};

/// Longest word by which a receiver knows a person.
const ADDRESS_BYTES_MAX: usize = 200;

/// As a way, `to` of each body says whom it is for, in any word that the receiver knows them by.
fn address(to: &str) -> Result<(), String> {
    let fits = (1..=ADDRESS_BYTES_MAX).contains(&to.trim().len()) && !to.contains(char::is_control);
    if fits {
        Ok(())
    } else {
        Err("it is one line, of 200 bytes at most, by which the receiver knows this person".into())
    }
}

/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// A receiver of signed webhooks.
pub struct Webhook {
    client: Client,
    uri: Uri,
    reach: Reach,
    secret: SecretSlice<u8>,
}

impl Webhook {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let url = fields.texts.remove("url").unwrap_or_default();
        let uri: Uri = url.parse().map_err(|_| "`url` is no address".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err("`url` begins with https:// or http:// and names a host".into());
        }
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        let secret = fields.secrets.remove("secret").ok_or("`secret_file` is missing")?;
        let text = secret.expose_secret();
        let bytes = match text.strip_prefix("whsec_") {
            Some(base64) => {
                crypto::from_base64(base64).ok_or("the secret begins with whsec_ and is no base64")?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(format!("the secret is too short: at least {SECRET_BYTES_MIN} bytes"));
        }
        Ok(Channel::Webhook(Self { client: shared.client.clone(), uri, reach, secret: bytes.into() }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let body = body(parcel);
        let headers = match self.headers(parcel, &body) {
            Ok(headers) => headers,
            Err(_) => return refused("the headers cannot be written", false),
        };
        match self.client.post(self.reach, &self.uri, headers, body).await {
            Ok(answer) => match outcome(answer.status, answer.retry_after) {
                // By which those that follow name it.
                Outcome::Accepted { .. } if parcel.statement.is_some() => {
                    Outcome::Accepted { remote_id: Some(parcel.delivery.clone()) }
                }
                outcome => outcome,
            },
            Err(Failure::NotSent(why)) => Outcome::Wait { after: None, why },
            Err(Failure::Maybe(why)) => Outcome::Unknown { why },
        }
    }

    fn headers(&self, parcel: &Parcel, body: &[u8]) -> Result<HeaderMap, header::InvalidHeaderValue> {
        let timestamp = parcel.now.as_second().to_string();
        let signed = [parcel.delivery.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let signature = crypto::hmac_sha256(self.secret.expose_secret(), &signed);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("webhook-id", HeaderValue::from_str(&parcel.delivery)?);
        headers.insert("webhook-timestamp", HeaderValue::from_str(&timestamp)?);
        headers.insert(
            "webhook-signature",
            HeaderValue::from_str(&format!("v1,{}", crypto::base64(&signature)))?,
        );
        Ok(headers)
    }
}

/// The same bytes for every attempt.
fn body(parcel: &Parcel) -> Bytes {
    let data = match &parcel.statement {
        Some(statement) => stated(parcel, statement),
        None => told(parcel),
    };
    let body = json!({"type": parcel.event_type, "timestamp": parcel.created_at, "data": data});
    Bytes::from(body.to_string())
}

fn stated(parcel: &Parcel, statement: &Statement) -> Value {
    let mut data = json!({
        "audience": statement.audience.as_str(),
        "sort": statement.sort.as_str(),
        "phase": statement.phase.as_str(),
        "impact": statement.impact.as_str(),
        "title": statement.title,
        "text": statement.text,
        "components": statement.components,
        "began": statement.began,
        "at": statement.at,
        "next_by": statement.next_by,
        "thread": parcel.thread_root.as_ref().unwrap_or(&parcel.delivery),
        "mends": statement.mends.as_ref().map(|mended| json!({"at": mended.at, "webhook_id": mended.remote_id})),
    });
    if statement.audience == Audience::Internal {
        data["id"] = statement.id.clone().into();
    }
    data
}

fn told(parcel: &Parcel) -> Value {
    let mut data = parcel.data.clone();
    data["text"] = parcel.text.clone().into();
    if !parcel.to.is_empty() {
        data["to"] = parcel.to.clone().into();
        data["short"] = parcel.short.clone().into();
        data["answer"] = parcel.answer.clone().into();
    }
    data
}

fn outcome(status: StatusCode, retry_after: Option<std::time::Duration>) -> Outcome {
    let why = format!("answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Outcome::Accepted { remote_id: None },
        300..=399 => refused(&format!("{why}: redirects are not followed; write the final address"), true),
        429 | 503 | 504 => Outcome::Wait { after: retry_after, why },
        401 | 403 | 404 | 410 => refused(&why, true),
        408 | 425 | 500..=599 => Outcome::Unknown { why },
        _ => refused(&why, false),
    }
}

fn refused(why: &str, whole_channel: bool) -> Outcome {
    Outcome::Refused { why: why.into(), whole_channel }
}

/// Whether a channel may reach addresses inside the operator's own network.
pub(super) fn reach(word: Option<&str>) -> Result<Reach, String> {
    match word {
        None | Some("refuse") => Ok(Reach::Public),
        Some("allow") => Ok(Reach::Private),
        Some(other) => Err(format!("`private_addresses` is \"allow\" or \"refuse\", and not \"{other}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, parcel, receiver};
    use super::*;

    fn hook(url: &str) -> Channel {
        let secret = format!("whsec_{}", crypto::base64(b"0123456789abcdef0123456789abcdef"));
        build(&KIND, &[("url", url), ("private_addresses", "allow")], &[("secret", &secret)]).unwrap()
    }

    #[tokio::test]
    async fn a_receiver_can_check_the_signature_and_sees_the_same_body_on_every_attempt() {
        let (url, requests) = receiver(vec!["HTTP/1.1 204 No Content\r\n\r\n"; 2]).await;
        let channel = hook(&url);
        assert_eq!(channel.send(&parcel(1)).await, Outcome::Accepted { remote_id: None });
        assert_eq!(channel.send(&parcel(2)).await, Outcome::Accepted { remote_id: None });
        let requests = requests.await;
        let (first, second) = (&requests[0], &requests[1]);
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
        let signed =
            format!("{}.{}.{}", first.header("webhook-id"), first.header("webhook-timestamp"), first.body);
        let expected = crypto::hmac_sha256(b"0123456789abcdef0123456789abcdef", &[signed.as_bytes()]);
        assert_eq!(first.header("webhook-signature"), format!("v1,{}", crypto::base64(&expected)));
    }

    #[test]
    fn the_example_of_the_specification_comes_out() {
        // Standard Webhooks, "Signature scheme": the published example.
        let secret = crypto::from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = format!("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{body}");
        let signature = crypto::base64(&crypto::hmac_sha256(&secret, &[signed.as_bytes()]));
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_reference_implementation_signs_alike() {
        let signed: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/channels/webhook/signed.json")).unwrap();
        let text = |name: &str| signed[name].as_str().unwrap().to_owned();
        let fields = [("url", "https://board.example.net/")];
        let Channel::Webhook(hook) = build(&KIND, &fields, &[("secret", &text("secret"))]).unwrap() else {
            panic!("a webhook");
        };
        let mut parcel = parcel(1);
        parcel.delivery = text("id");
        parcel.now = jiff::Timestamp::from_second(text("timestamp").parse().unwrap()).unwrap();
        let headers = hook.headers(&parcel, text("body").as_bytes()).unwrap();
        assert_eq!(headers["webhook-id"], text("id").as_str());
        assert_eq!(headers["webhook-timestamp"], text("timestamp").as_str());
        assert_eq!(headers["webhook-signature"], text("signature").as_str());
    }

    #[tokio::test]
    async fn every_answer_means_something() {
        for (answer, meant) in [
            ("200 OK", "accepted"),
            ("301 Moved\r\nLocation: http://127.0.0.1:1/", "refused"),
            ("400 Bad", "refused"),
            ("404 Not Found", "refused"),
            ("410 Gone", "refused"),
            ("408 Timeout", "unknown"),
            ("429 Slow\r\nRetry-After: 7", "wait"),
            ("500 Oops", "unknown"),
            ("503 Busy", "wait"),
        ] {
            let answer: &str = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").leak();
            let (url, _requests) = receiver(vec![answer]).await;
            let outcome = hook(&url).send(&parcel(1)).await;
            assert_eq!(outcome.as_str(), meant, "{answer} {outcome:?}");
            if let Outcome::Wait { after, .. } = outcome {
                assert_eq!(after.is_some(), answer.contains("Retry-After"));
            }
        }
        let (url, _requests) = receiver(vec![""]).await;
        assert_eq!(
            hook(&url).send(&parcel(1)).await.as_str(),
            "unknown",
            "the connection was lost after the request"
        );
        assert_eq!(
            hook("http://127.0.0.1:1/").send(&parcel(1)).await.as_str(),
            "wait",
            "nobody listens there"
        );
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let wrong =
            |texts: &[(&str, &str)], secret: &str| build(&KIND, texts, &[("secret", secret)]).err().unwrap();
        assert!(wrong(&[("url", "board.example.net")], "0123456789abcdef").contains("begins with"));
        assert!(wrong(&[("url", "https://b.example.net/")], "short").contains("too short"));
        assert!(
            wrong(&[("url", "https://b.example.net/"), ("private_addresses", "yes")], "0123456789abcdef")
                .contains("allow")
        );
    }
}
