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
//! With `body`, a template (`template.rs`), it says what the receiver understands, by the method and with the headers that it
//! wants. It is signed only where there is a secret; else nobody promises that a repeat is recognised, so a letter that nobody waits for
//! is not sent again when it may have arrived. `webhook-id` is there in any case.
//!
//! The address may be the credential, so it can be a secret (`url_file`).
//!
//! What the answers mean: 2xx it has it · 429, and 503 with `Retry-After`, not now · 503 without it may have a statement, and any other
//! letter is sent again · 408, 425, 504 and other 5xx it may have it · 410 never again · 401, 403, 404 the whole channel is wrong · 3xx is no
//! success and is not followed · everything else: this letter is refused.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::{Value, json};
use template::Template;

use super::api::{busy, of_letter};
use super::client::{Answer, Client, Failure, Reach};
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, Statement};
use crate::core::audience::Audience;
use crate::crypto;

mod template;

/// Webhooks: signed, or in the words of whoever hears them.
pub const KIND: Kind = Kind {
    name: "webhook",
    keys: &[
        Key { name: "url", secret: true, required: true },
        Key { name: "secret", secret: true, required: false },
        Key { name: "method", secret: false, required: false },
        Key { name: "headers", secret: false, required: false },
        Key { name: "secret_headers", secret: true, required: false },
        Key { name: "body", secret: false, required: false },
        Key { name: "body_file", secret: false, required: false },
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

/// What is read of an answer, of which the status is all that counts.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Most headers, and the longest file of a template, in bytes.
const HEADERS_MAX: usize = 32;
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Headers whose values nobody should read in a configuration.
const SECRETS: [&str; 5] = ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];
/// Headers that are ours, or the connection's.
const OURS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// A receiver of webhooks.
pub struct Webhook {
    client: Client,
    uri: Uri,
    reach: Reach,
    method: Method,
    headers: HeaderMap,
    secret: Option<SecretSlice<u8>>,
    template: Option<Template>,
}

impl Webhook {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let url = fields.secrets.remove("url").ok_or("`url` or `url_file` is missing")?;
        let uri: Uri = url.expose_secret().trim().parse().map_err(|_| "`url` is no address".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err("`url` begins with https:// or http:// and names a host".into());
        }
        if uri.authority().is_some_and(|at| at.as_str().contains('@')) {
            return Err("`url` holds no user and password: write the header `Authorization: Basic ...` into the file that \
                        `secret_headers_file` names"
                .into());
        }
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        let secret =
            fields.secrets.remove("secret").map(|secret| signing(secret.expose_secret())).transpose()?;
        let method = match fields.texts.remove("method").as_deref() {
            None | Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some("PATCH") => Method::PATCH,
            Some(_) => return Err("`method` is POST, PUT or PATCH".into()),
        };
        let headers = headers(&mut fields, reach == Reach::Public && uri.scheme_str() == Some("http"))?;
        let body = match (fields.texts.remove("body"), fields.texts.remove("body_file")) {
            (Some(_), Some(_)) => return Err("give `body` or `body_file`, not both".into()),
            (body, None) => body,
            (None, Some(file)) => Some(read_template(&file)?),
        };
        if body.is_none() && secret.is_none() {
            return Err("it needs `secret_file`, which it is signed with, or `body`, a template".into());
        }
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let template = body.map(|body| Template::new(body, &content_type)).transpose()?;
        let client = shared.client.clone();
        Ok(Channel::Webhook(Box::new(Self { client, uri, reach, method, headers, secret, template })))
    }

    /// Whether the receiver promises to recognise a repeat, as whoever checks signatures does.
    pub(super) fn recognises_repeats(&self) -> bool {
        self.secret.is_some()
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let body = match &self.template {
            None => body(parcel),
            Some(template) => match template.render(parcel) {
                Ok(body) => Bytes::from(body),
                Err(why) => return refused(&why, false),
            },
        };
        let headers = match self.headers(parcel, &body) {
            Ok(headers) => headers,
            Err(_) => return refused("the headers cannot be written", false),
        };
        let answer = self
            .client
            .ask(self.method.clone(), self.reach, &self.uri, headers, body, ANSWER_BYTES_MAX)
            .await;
        match answer {
            Ok(answer) => match of_letter(parcel, &answer, outcome(&answer)) {
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

    /// What the receiver is told of a statement: its words, or what the template makes of them.
    pub(super) fn shows(&self, parcel: &Parcel) -> Shown {
        let made = self.template.as_ref().and_then(|template| template.render(parcel).ok());
        Shown::whole(made.unwrap_or_else(|| format!("{}\n\n{}", parcel.subject, parcel.text)))
    }

    fn headers(&self, parcel: &Parcel, body: &[u8]) -> Result<HeaderMap, header::InvalidHeaderValue> {
        let mut headers = self.headers.clone();
        headers.insert("webhook-id", HeaderValue::from_str(&parcel.delivery)?);
        if let Some(secret) = &self.secret {
            let timestamp = parcel.now.as_second().to_string();
            let signed = [parcel.delivery.as_bytes(), b".", timestamp.as_bytes(), b".", body];
            let signature = crypto::hmac_sha256(secret.expose_secret(), &signed);
            headers.insert("webhook-timestamp", HeaderValue::from_str(&timestamp)?);
            headers.insert(
                "webhook-signature",
                HeaderValue::from_str(&format!("v1,{}", crypto::base64(&signature)))?,
            );
        }
        Ok(headers)
    }
}

/// What it is signed with.
fn signing(text: &str) -> Result<SecretSlice<u8>, String> {
    let bytes = match text.strip_prefix("whsec_") {
        Some(base64) => {
            crypto::from_base64(base64).ok_or("the secret begins with whsec_ and is no base64")?
        }
        None => text.as_bytes().to_vec(),
    };
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(format!("the secret is too short: at least {SECRET_BYTES_MIN} bytes"));
    }
    Ok(bytes.into())
}

/// The operator's own headers, of which those out of `secret_headers_file` are in no log.
fn headers(fields: &mut Fields, is_open: bool) -> Result<HeaderMap, String> {
    if fields.texts.contains_key("headers") {
        return Err("`headers` is a list, such as [\"X-Team: sre\"]".into());
    }
    let plain = fields.lists.remove("headers").unwrap_or_default();
    let secret = fields.secrets.remove("secret_headers");
    if is_open && secret.is_some() {
        return Err(
            "`secret_headers_file` needs an address with https:// (or `private_addresses = \"allow\"`)"
                .into(),
        );
    }
    let lines = plain.iter().map(|line| (line.as_str(), false));
    let hidden = secret.as_ref().map(|secret| secret.expose_secret()).unwrap_or_default();
    let hidden = hidden.lines().filter(|line| !line.trim().is_empty()).map(|line| (line, true));
    let mut headers = HeaderMap::new();
    for (line, is_secret) in lines.chain(hidden) {
        let key = if is_secret { "secret_headers_file" } else { "headers" };
        let wrong = || format!("a line of `{key}` is no header, such as \"X-Team: sre\"");
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(is_secret);
        if OURS.contains(&name.as_str()) {
            return Err(format!("`{key}` cannot have {name}: it is set for every letter"));
        }
        if !is_secret && SECRETS.contains(&name.as_str()) {
            return Err(format!(
                "{name} is a secret: write it into the file that `secret_headers_file` names"
            ));
        }
        headers.insert(name, value);
    }
    if headers.len() > HEADERS_MAX {
        return Err(format!("there are more than {HEADERS_MAX} headers"));
    }
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(headers)
}

fn read_template(file: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("the file of `body_file` cannot be read: {error}");
    let facts = std::fs::metadata(file).map_err(cannot)?;
    if facts.len() > FILE_BYTES_MAX {
        return Err(format!("the file of `body_file` has more than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(file).map_err(cannot)
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

fn outcome(answer: &Answer) -> Outcome {
    let why = format!("answered {}", answer.status.as_u16());
    match answer.status.as_u16() {
        200..=299 => Outcome::Accepted { remote_id: None },
        300..=399 => refused(&format!("{why}: redirects are not followed; write the final address"), true),
        429 => Outcome::Wait { after: answer.retry_after, why },
        503 => busy(answer, why),
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
    use super::super::stories::{UNIT, build, parcel, receiver, statement};
    use super::*;

    fn hook(url: &str) -> Channel {
        let secret = format!("whsec_{}", crypto::base64(b"0123456789abcdef0123456789abcdef"));
        build(&KIND, &[("private_addresses", "allow")], &[("url", url), ("secret", &secret)]).unwrap()
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
        let secrets = [("url", "https://board.example.net/"), ("secret", &text("secret"))];
        let Channel::Webhook(hook) = build(&KIND, &[], &secrets).unwrap() else {
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

    #[tokio::test]
    async fn a_receiver_gets_what_it_understands_by_its_own_method_and_headers() {
        let (url, requests) = receiver(vec!["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; 2]).await;
        let body = r#"{"msg": {{ text }}, "by": {{ statement.sort }}}"#;
        let headers = format!("X-Team: sre{UNIT}content-type: application/vnd.board+json");
        let texts = [
            ("method", "PUT"),
            ("headers", headers.as_str()),
            ("body", body),
            ("private_addresses", "allow"),
        ];
        let secrets = [
            ("url", url.as_str()),
            ("secret_headers", "Authorization: Bearer not-a-real-one\n\nX-Key: not-a-real-key\n"),
        ];
        let channel = build(&KIND, &texts, &secrets).unwrap();
        assert!(!channel.recognises_repeats(&statement(1)), "nobody promised so");
        let accepted = Outcome::Accepted { remote_id: Some(statement(1).delivery) };
        assert_eq!(channel.send(&statement(1)).await, accepted);
        assert_eq!(channel.send(&statement(2)).await, accepted);
        let requests = requests.await;
        assert!(requests[0].line.starts_with("PUT / "), "{}", requests[0].line);
        let text = statement(1).text;
        assert_eq!(requests[0].json(), serde_json::json!({"msg": text, "by": "update"}));
        assert_eq!(requests[0].body, requests[1].body);
        for (name, value) in [
            ("x-team", "sre"),
            ("x-key", "not-a-real-key"),
            ("authorization", "Bearer not-a-real-one"),
            ("content-type", "application/vnd.board+json"),
            ("webhook-id", "0123456789abcdef0123456789abcdef"),
            ("webhook-signature", ""),
        ] {
            assert_eq!(requests[0].header(name), value, "{name}");
        }
        let Outcome::Refused { why, whole_channel: false } = channel.send(&parcel(1)).await else {
            panic!("it is none")
        };
        assert!(why.contains("nothing in a letter of this sort"), "{why}");
    }

    #[tokio::test]
    async fn a_template_may_be_signed_and_a_repeat_is_recognised_then() {
        let (url, requests) = receiver(vec!["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await;
        let texts = [("body", r#"{"msg": {{ short }}}"#), ("private_addresses", "allow")];
        let channel = build(&KIND, &texts, &[("url", &url), ("secret", "0123456789abcdef")]).unwrap();
        assert!(channel.recognises_repeats(&statement(1)));
        channel.send(&parcel(1)).await;
        let seen = &requests.await[0];
        let signed = format!("{}.{}.{}", parcel(1).delivery, seen.header("webhook-timestamp"), seen.body);
        let expected = crypto::hmac_sha256(b"0123456789abcdef", &[signed.as_bytes()]);
        assert_eq!(seen.header("webhook-signature"), format!("v1,{}", crypto::base64(&expected)));
    }

    #[tokio::test]
    async fn a_statement_is_told_without_a_fact_of_its_incident() {
        let (url, requests) = receiver(vec!["HTTP/1.1 204 No Content\r\n\r\n"]).await;
        let mut said = statement(1);
        said.data = serde_json::json!({"incident": {"title": "db-1.internal is down"}});
        hook(&url).send(&said).await;
        let seen = requests.await[0].json();
        assert_eq!((&seen["type"], &seen["data"]["id"]), (&"statement".into(), &serde_json::Value::Null));
        let text = &said.statement.as_ref().unwrap().text;
        assert!(!seen.to_string().contains("internal") && seen["data"]["text"] == **text, "{seen}");
    }

    #[test]
    fn a_template_that_cannot_work_is_said_when_it_is_built() {
        let said = |texts: &[(&str, &str)], secrets: &[(&str, &str)]| {
            let secrets: Vec<_> = [("url", "http://b.example.net/")].iter().chain(secrets).copied().collect();
            build(&KIND, texts, &secrets).err().unwrap_or_default()
        };
        assert_eq!(said(&[("body", "{{ text }}")], &[]), "");
        assert!(said(&[], &[]).contains("`secret_file`"));
        assert!(said(&[("body", "{{ txt }}")], &[]).contains("`body` has"));
        assert!(said(&[("body", "x"), ("body_file", "y")], &[]).contains("not both"));
        assert!(said(&[("body_file", "/nonexistent")], &[]).contains("cannot be read"));
        assert!(said(&[("body", "{{ text }}"), ("method", "GET")], &[]).contains("`method`"));
        assert!(said(&[("body", "{{ text }}"), ("headers", "X: y")], &[]).contains("a list"));
        let header =
            |line: &str| said(&[("body", "{{ text }}"), ("headers", &format!("A: b{UNIT}{line}"))], &[]);
        assert!(header("no header").contains("is no header") && header("Host: x").contains("host"));
        let secret = header("Authorization: Bearer not-a-real-one");
        assert!(secret.contains("secret_headers_file") && !secret.contains("not-a-real"), "{secret}");
        let open = said(&[("body", "{{ text }}")], &[("secret_headers", "X-Key: not-a-real-key")]);
        assert!(open.contains("https://") && !open.contains("not-a-real"), "{open}");
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let wrong = |url: &str, texts: &[(&str, &str)], secret: &str| {
            build(&KIND, texts, &[("url", url), ("secret", secret)]).err().unwrap()
        };
        assert!(wrong("board.example.net", &[], "0123456789abcdef").contains("begins with"));
        assert!(wrong("https://b.example.net/", &[], "short").contains("too short"));
        let login = wrong("https://maya:not-a-real-one@b.example.net/", &[], "0123456789abcdef");
        assert!(login.contains("`secret_headers_file`") && !login.contains("maya"), "{login}");
        let private = [("private_addresses", "yes")];
        assert!(wrong("https://b.example.net/", &private, "0123456789abcdef").contains("allow"));
    }
}
