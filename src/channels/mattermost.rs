//! Mattermost: a post of a bot in its direct chat with a person; a page is urgent and has buttons that answer it.
//!
//! The address is the id of a user; the chat with them is made when there is none, which changes nothing when there is
//! one. `channel:ID` writes into a channel that is there. Buttons are there when there is a secret for them: Mattermost does
//! not sign what it sends to `/answers/mattermost`, so what it sends back is signed beforehand; and under a page to a user
//! only, because who presses one has to be whom the page went to.
//!
//! The delivery is the post's `pending_post_id`: for half a minute a server answers a repeat with the post it made (or
//! with 500, while it makes it); later a repeat is a second post in a person's own chat, which is harmless. Where the server
//! does not allow urgent posts, the page goes without.
//!
//! Errors are `{"id": "api.post...", "status_code": 403}`. 401 is the token: the whole way; so are 403 and 404 that are not
//! Mattermost's own: a wrong address of the server. Any other 403 and 404 is about this person.

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::{Api, bounded, strange, usual};
use super::client::Answer;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};
use crate::crypto;

/// Mattermost, as a way to persons.
pub const KIND: Kind = Kind {
    name: "mattermost",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Mattermost::build,
    address: Some(address),
    status: false,
};

/// The server's own limit.
const TEXT_CHARS_MAX: usize = 16_383;
/// Ids have so many small letters and digits.
const ID_CHARS: usize = 26;
/// Before the id of a channel.
const CHANNEL: &str = "channel:";
/// Where buttons go, under the address of our pages.
const ANSWERS: &str = "/answers/mattermost";

/// One bot.
pub struct Mattermost {
    api: Api,
    /// What buttons are signed with.
    secret: Option<SecretString>,
    /// Its id, once it was asked for.
    own: OnceCell<String>,
}

#[derive(Deserialize)]
struct Said {
    id: String,
}

/// What proves that a button is one of ours: in hexadecimal digits, over the action, a dot and the delivery.
fn signature(secret: &SecretString, action: &str, delivery: &str) -> String {
    let signed = [action.as_bytes(), b".", delivery.as_bytes()];
    crypto::hex(&crypto::hmac_sha256(secret.expose_secret().as_bytes(), &signed))
}

impl Mattermost {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let api = Api::new(&mut fields, shared, "url", None)?.bearer(&token)?;
        let secret = shared.heard.mattermost.clone();
        Ok(Channel::Mattermost(Self { api, secret, own: OnceCell::new() }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let channel = self.channel(&parcel.to).await?;
        let mut body = self.body(parcel, &channel);
        let mut answer = self.api.post("/api/v4/posts", &body).await?;
        let is_too_urgent = matches!(answer.status.as_u16(), 400 | 403 | 501)
            && id(&answer).is_some_and(|id| id.contains("priority"));
        if is_too_urgent && body.get("metadata").is_some() {
            body["metadata"] = json!({});
            answer = self.api.post("/api/v4/posts", &body).await?;
        }
        Ok(outcome(&answer))
    }

    /// The chat with a person. Whatever fails here, nothing was written.
    async fn channel(&self, to: &str) -> Result<String, Outcome> {
        if let Some(channel) = to.strip_prefix(CHANNEL) {
            return Ok(channel.to_owned());
        }
        let own =
            self.own.get_or_try_init(|| async { there(&unwritten(self.api.get("/api/v4/users/me").await)?) });
        let pair = json!([own.await?, to]);
        there(&unwritten(self.api.post("/api/v4/channels/direct", &pair).await)?)
    }

    fn body(&self, parcel: &Parcel, channel: &str) -> Value {
        let text = fit::quiet(&format!("{}\n\n{}", parcel.subject, parcel.text));
        let mut body = json!({
            "channel_id": channel,
            "message": fit::with_meet(&text, parcel.answer.as_deref(), parcel.place(), TEXT_CHARS_MAX, fit::one),
            "pending_post_id": parcel.delivery,
        });
        if parcel.wakes {
            body["metadata"] = json!({"priority": {"priority": "urgent"}});
        }
        let is_one = !parcel.to.starts_with(CHANNEL);
        let asks = self.secret.as_ref().filter(|_| is_one && parcel.asks_for_command());
        if let (Some(secret), Some(origin)) = (asks, parcel.origin()) {
            let buttons = BUTTONS.map(|(word, label)| {
                let signature = signature(secret, word, &parcel.delivery);
                let context = json!({"action": word, "delivery": parcel.delivery, "signature": signature});
                json!({
                    "id": word,
                    "name": label,
                    "type": "button",
                    "integration": {"url": format!("{origin}{ANSWERS}"), "context": context},
                })
            });
            let fallback = "Answer on the answer page.";
            body["props"] = json!({"attachments": [{"fallback": fallback, "actions": buttons}]});
        }
        body
    }
}

/// Silence while nothing was to be written yet is no reason to fear that it was.
fn unwritten(answer: Result<Answer, Outcome>) -> Result<Answer, Outcome> {
    answer.map_err(|outcome| match outcome {
        Outcome::Unknown { why } => Outcome::Wait { after: None, why },
        other => other,
    })
}

/// The id of what was asked for, before anything is written.
fn there(answer: &Answer) -> Result<String, Outcome> {
    match outcome(answer) {
        Outcome::Accepted { remote_id: Some(id) } => Ok(id),
        Outcome::Unknown { why } => Err(Outcome::Wait { after: None, why }),
        other => Err(other),
    }
}

fn id(answer: &Answer) -> Option<String> {
    serde_json::from_slice::<Said>(&answer.body).ok().map(|said| said.id)
}

fn outcome(answer: &Answer) -> Outcome {
    let id = id(answer);
    match (answer.status.is_success(), id) {
        (true, Some(id)) => Outcome::Accepted { remote_id: Some(id) },
        (true, None) => strange("Mattermost"),
        (false, None) => usual(answer, &[401, 403, 404], None),
        (false, Some(id)) if answer.status == StatusCode::UNAUTHORIZED => usual(answer, &[401], Some(&id)),
        (false, Some(id)) => usual(answer, &[], Some(&id)),
    }
}

fn address(to: &str) -> Result<(), String> {
    let id = to.strip_prefix(CHANNEL).unwrap_or(to);
    if id.len() == ID_CHARS && id.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!(
        "the address of a person is the id of their user, {ID_CHARS} small letters and digits (their profile shows it to \
         administrators), or `{CHANNEL}` and the id of a channel"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::stories::{MATTERMOST, UNHEARD, build, json_answer, parcel, receiver};
    use super::*;

    const MAYA: &str = "mayamayamayamayamayamaya26";

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/mattermost/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn bot(url: &str, heard: bool) -> Channel {
        let texts = [("url", url), ("private_addresses", "allow"), UNHEARD];
        build(&KIND, if heard { &texts[..2] } else { &texts }, &[("token", "not-a-real-token")]).unwrap()
    }

    fn page() -> Parcel {
        Parcel { to: MAYA.into(), subject: "[INC-42] shop @all".into(), ..parcel(1) }
    }

    #[tokio::test]
    async fn a_page_goes_to_the_direct_chat_with_a_signed_button() {
        let made = |name| json_answer("201 Created", fixture(name));
        let answers = vec![
            json_answer("200 OK", fixture("me")),
            made("direct"),
            made("post"),
            made("direct"),
            made("post"),
        ];
        let (url, requests) = receiver(answers).await;
        let channel = bot(&url, true);
        let post = Some("postpostpostpostpostpost26".to_owned());
        assert_eq!(channel.send(&page()).await, Outcome::Accepted { remote_id: post });
        channel.send(&Parcel { attempt: 2, ..page() }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("GET /api/v4/users/me "), "{}", requests[0].line);
        assert!(requests[1].line.starts_with("POST /api/v4/channels/direct "), "{}", requests[1].line);
        assert_eq!(requests[1].json(), json!(["onsceneonsceneonscenebot26", MAYA]));
        assert!(requests[2].line.starts_with("POST /api/v4/posts "), "{}", requests[2].line);
        assert_eq!(requests[2].body, requests[4].body, "the same bytes on every attempt");
        let body = requests[2].json();
        assert_eq!(body["channel_id"], "directdirectdirectdirect26");
        assert_eq!(body["pending_post_id"], "0123456789abcdef0123456789abcdef");
        assert_eq!(body["metadata"]["priority"]["priority"], "urgent");
        assert!(body["message"].as_str().unwrap().starts_with("[INC-42] shop @\u{200b}all"), "{body}");
        let button = &body["props"]["attachments"][0]["actions"][0]["integration"];
        assert_eq!(button["url"], "https://onscene.example.net/answers/mattermost");
        let signed = b"take.0123456789abcdef0123456789abcdef";
        let expected = crypto::hex(&crypto::hmac_sha256(MATTERMOST.as_bytes(), &[signed]));
        assert_eq!(button["context"]["signature"], expected);
        let decline = &body["props"]["attachments"][0]["actions"][2]["integration"]["context"];
        assert_eq!(decline["action"], "decline");
        assert_ne!(decline["signature"], expected.as_str(), "one button's signature is no other's");
    }

    #[tokio::test]
    async fn a_channel_is_taken_as_it_is_and_there_and_without_a_secret_is_no_button() {
        let made = |name| json_answer("201 Created", fixture(name));
        let answers = vec![made("post"), json_answer("200 OK", fixture("me")), made("direct"), made("post")];
        let (url, requests) = receiver(answers).await;
        let to = "channel:directdirectdirectdirect26".to_owned();
        assert_eq!(bot(&url, true).send(&Parcel { to, ..page() }).await.as_str(), "accepted");
        assert_eq!(bot(&url, false).send(&page()).await.as_str(), "accepted");
        let requests = requests.await;
        for body in [requests[0].json(), requests[3].json()] {
            assert_eq!(body["channel_id"], "directdirectdirectdirect26");
            assert_eq!(body["props"], Value::Null);
        }
    }

    #[tokio::test]
    async fn a_page_that_may_not_be_urgent_goes_all_the_same() {
        let answers = vec![
            json_answer("403 Forbidden", fixture("no_priority")),
            json_answer("201 Created", fixture("post")),
        ];
        let (url, requests) = receiver(answers).await;
        let to = "channel:directdirectdirectdirect26".to_owned();
        assert_eq!(bot(&url, false).send(&Parcel { to, ..page() }).await.as_str(), "accepted");
        let requests = requests.await;
        assert_eq!(requests[1].json()["metadata"], json!({}));
    }

    #[tokio::test]
    async fn what_is_answered_is_about_this_person_or_about_the_bot() {
        let html = json_answer("404 Not Found", "<html>not here</html>");
        let (url, _requests) = receiver(vec![html]).await;
        let outcome = bot(&url, false).send(&page()).await;
        assert_eq!(outcome, Outcome::Refused { why: "answered 404".into(), whole_channel: true });
        let answers =
            vec![json_answer("200 OK", fixture("me")), json_answer("404 Not Found", fixture("no_user"))];
        let (url, _requests) = receiver(answers).await;
        let why = "answered 404 (app.user.missing_account.const)".to_owned();
        assert_eq!(bot(&url, false).send(&page()).await, Outcome::Refused { why, whole_channel: false });
        let (url, _requests) = receiver(vec![json_answer("401 Unauthorized", fixture("expired"))]).await;
        let why = "answered 401 (api.context.session_expired.app_error)".to_owned();
        assert_eq!(bot(&url, false).send(&page()).await, Outcome::Refused { why, whole_channel: true });
        let answers = vec![json_answer("200 OK", fixture("me")), json_answer("500 Oops", "{}")];
        let (url, _requests) = receiver(answers).await;
        assert_eq!(bot(&url, false).send(&page()).await.as_str(), "wait", "nothing was written yet");
    }

    #[test]
    fn an_id_has_twenty_six_letters_and_digits() {
        assert_eq!((address(MAYA), address(&format!("channel:{MAYA}"))), (Ok(()), Ok(())));
        for wrong in ["", "maya", "@maya", "channel:", "MAYAmayamayamayamayamaya26"] {
            assert!(address(wrong).unwrap_err().contains("id of their user"), "{wrong}");
        }
    }
}
