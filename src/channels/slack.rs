//! Slack: `chat.postMessage` with a bot token (scope `chat:write`), one thread for each incident.
//!
//! Slack documents no idempotency, so what may have been written is not written again: the fallback
//! channel says so. Errors come as HTTP 200 with `"ok": false`; the tables below follow the published
//! method reference. A 404 of the address itself is a wrong `api_url`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::client::{Answer, Client, Failure, Reach};
use super::webhook::reach;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared};

/// Slack by bot token.
pub const KIND: Kind = Kind {
    name: "slack",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "room", secret: false, required: true },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Slack::build,
    address: None,
    status: true,
};

/// Where the method is. GovSlack and test servers live elsewhere (`api_url`).
const API_URL: &str = "https://slack.com/api";
/// Beyond about this many characters Slack splits a message into several.
const TEXT_CHARS_MAX: usize = 3900;

/// Not now.
const LATER: &[&str] =
    &["ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"];
/// It may have been written.
const PERHAPS: &[&str] = &["fatal_error", "internal_error"];
/// This letter only; the next one may be taken.
const THIS_LETTER: &[&str] =
    &["msg_too_long", "no_text", "invalid_blocks", "invalid_arguments", "too_many_attachments"];

/// One room.
pub struct Slack {
    client: Client,
    uri: Uri,
    reach: Reach,
    token: SecretString,
    room: String,
}

#[derive(Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    ts: Option<String>,
}

impl Slack {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let room = fields.texts.remove("room").unwrap_or_default();
        if room.is_empty() {
            return Err("`room` is the id of a channel, such as C0123456789".into());
        }
        let api = fields.texts.remove("api_url").unwrap_or_else(|| API_URL.into());
        let uri = format!("{}/chat.postMessage", api.trim_end_matches('/'));
        let uri: Uri = uri.parse().map_err(|_| "`api_url` is no address".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("`api_url` begins with https://".into());
        }
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        Ok(Channel::Slack(Self { client: shared.client.clone(), uri, reach, token, room }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        let Ok(mut token) = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret())) else {
            return refused("the token holds characters no token has", true);
        };
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
        match self.client.post(self.reach, &self.uri, headers, self.body(parcel)).await {
            Ok(answer) => outcome(&answer),
            Err(Failure::NotSent(why)) => Outcome::Wait { after: None, why },
            Err(Failure::Maybe(why)) => Outcome::Unknown { why },
        }
    }

    fn body(&self, parcel: &Parcel) -> Bytes {
        let whole = format!("*{}*\n{}", escape(&parcel.subject), escape(&parcel.text));
        let mut text: String = whole.chars().take(TEXT_CHARS_MAX).collect();
        if text.len() < whole.len() {
            text.push_str("\n(cut here; the rest stands on the incident's page)");
        }
        let mut body = serde_json::json!({
            "channel": self.room,
            "text": text,
            "unfurl_links": false,
            "unfurl_media": false,
            // Says which delivery this was, should somebody have to look for it.
            "metadata": {"event_type": "onscene_delivery", "event_payload": {"delivery": parcel.delivery}},
        });
        if let Some(root) = &parcel.thread_root {
            body["thread_ts"] = root.clone().into();
            // The first message of the thread stays in the room; its changes belong there too.
            body["reply_broadcast"] = true.into();
        }
        Bytes::from(body.to_string())
    }
}

fn outcome(answer: &Answer) -> Outcome {
    let why = format!("answered {}", answer.status.as_u16());
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            return Outcome::Wait { after: answer.retry_after, why };
        }
        status if status.is_server_error() => return Outcome::Unknown { why },
        status if !status.is_success() => return refused(&why, true),
        _ => {}
    }
    let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else {
        return Outcome::Unknown { why: "its answer is not that of Slack".into() };
    };
    if said.ok {
        return Outcome::Accepted { remote_id: said.ts };
    }
    let error = said.error.unwrap_or_else(|| "an error without a name".into());
    if LATER.contains(&error.as_str()) {
        Outcome::Wait { after: answer.retry_after, why: error }
    } else if PERHAPS.contains(&error.as_str()) {
        Outcome::Unknown { why: error }
    } else {
        // Login, room and rights concern the whole channel; so does what is not known here.
        refused(&error, !THIS_LETTER.contains(&error.as_str()))
    }
}

fn refused(why: &str, whole_channel: bool) -> Outcome {
    Outcome::Refused { why: why.into(), whole_channel }
}

/// Slack's three special characters; without them nothing in an alert can mention a whole room.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, parcel, receiver};
    use super::*;

    fn room(url: &str) -> Channel {
        let texts = [("room", "C0123"), ("api_url", url), ("private_addresses", "allow")];
        build(&KIND, &texts, &[("token", "xoxb-not-a-real-token")]).unwrap()
    }

    fn said(json: &str) -> &'static str {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        )
        .leak()
    }

    #[tokio::test]
    async fn the_first_message_begins_the_thread_and_the_next_joins_it() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let (url, requests) = receiver(vec![said(ok), said(ok)]).await;
        let channel = room(&url);
        let first = channel.send(&parcel(1)).await;
        assert_eq!(first, Outcome::Accepted { remote_id: Some("1503435956.000247".into()) });
        let reply = Parcel { thread_root: Some("1503435956.000247".into()), ..parcel(1) };
        channel.send(&reply).await;
        let requests = requests.await;
        let body = |at: usize| serde_json::from_str::<serde_json::Value>(&requests[at].body).unwrap();
        assert_eq!(requests[0].header("authorization"), "Bearer xoxb-not-a-real-token");
        assert!(requests[0].line.starts_with("POST /chat.postMessage "), "{}", requests[0].line);
        assert_eq!(body(0)["channel"], "C0123");
        assert_eq!(body(0)["thread_ts"], serde_json::Value::Null);
        assert_eq!(body(1)["thread_ts"], "1503435956.000247");
        assert!(body(0)["text"].as_str().unwrap().contains("&lt;!channel&gt;"), "{}", body(0)["text"]);
    }

    #[tokio::test]
    async fn every_answer_means_something() {
        for (answer, meant, whole) in [
            (r#"{"ok":false,"error":"ratelimited"}"#, "wait", false),
            (r#"{"ok":false,"error":"channel_not_found"}"#, "refused", true),
            (r#"{"ok":false,"error":"invalid_auth"}"#, "refused", true),
            (r#"{"ok":false,"error":"is_archived"}"#, "refused", true),
            (r#"{"ok":false,"error":"msg_too_long"}"#, "refused", false),
            (r#"{"ok":false,"error":"fatal_error"}"#, "unknown", false),
            (r#"{"ok":false,"error":"something_new"}"#, "refused", true),
            ("<html>a proxy's page</html>", "unknown", false),
        ] {
            let (url, _requests) = receiver(vec![said(answer)]).await;
            let outcome = room(&url).send(&parcel(1)).await;
            assert_eq!(outcome.as_str(), meant, "{answer}");
            if let Outcome::Refused { whole_channel, .. } = outcome {
                assert_eq!(whole_channel, whole, "{answer}");
            }
        }
        for (status, meant) in [
            ("429 Slow\r\nRetry-After: 30", "wait"),
            ("500 Oops", "unknown"),
            ("404 Gone", "refused"),
            ("302 Found", "refused"),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let (url, _requests) = receiver(vec![answer.leak()]).await;
            assert_eq!(room(&url).send(&parcel(1)).await.as_str(), meant, "{status}");
        }
    }

    #[tokio::test]
    async fn a_long_text_is_cut_and_says_so() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let (url, requests) = receiver(vec![said(ok)]).await;
        let long = Parcel { text: "x".repeat(10_000), ..parcel(1) };
        room(&url).send(&long).await;
        let body: serde_json::Value = serde_json::from_str(&requests.await[0].body).unwrap();
        let text = body["text"].as_str().unwrap();
        assert!(text.len() < 4000 && text.contains("cut here"), "{}", text.len());
    }
}
