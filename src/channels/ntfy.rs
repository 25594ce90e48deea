//! ntfy: JSON to the root of a server, with the person's topic. A page has the highest priority and opens the answer page
//! when it is touched.
//!
//! The only action is `view`: one of ntfy's kind `http` would answer at a touch in a pocket, and needs an address that
//! acts without being looked at. Every attempt has the delivery for its sequence id: a server from 2.16 on puts the
//! repeat in the place of the first; an older one shows a second, which is harmless. A message of more than 4096 bytes
//! becomes a file nobody reads at night, so it is cut.
//!
//! Errors are `{"code": 42901, "http": 429, "error": "..."}`. 42908 is the day's quota, which ends at midnight: the way
//! waits, and what else reaches the person is on its way. 401 and 403 are about the token and the topic's rights, and a
//! 404 says that this is no ntfy server: the whole way. Topics need not exist, so nothing is wrong with a person alone.

use serde::Deserialize;
use serde_json::json;

use super::api::{Api, again, strange, usual};
use super::client::Answer;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};

/// ntfy, as a way to persons.
pub const KIND: Kind = Kind {
    name: "ntfy",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Ntfy::build,
    address: Some(address),
    status: false,
};

/// Beyond it the server makes a file of the message.
const MESSAGE_BYTES_MAX: usize = 4096;
const TITLE_CHARS_MAX: usize = 200;
/// Sounds until it is looked at, on phones that allow it; and as any other.
const WAKING: u8 = 5;
const TELLING: u8 = 3;
/// Longest topic.
const TOPIC_CHARS_MAX: usize = 64;

/// One server.
pub struct Ntfy {
    api: Api,
}

#[derive(Deserialize)]
struct Said {
    id: Option<String>,
    code: Option<u32>,
}

impl Ntfy {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "url", None)?;
        let api = match fields.secrets.remove("token") {
            Some(token) => api.bearer(&token)?,
            None => api,
        };
        Ok(Channel::Ntfy(Self { api }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let text = fit::quiet(&parcel.text);
        let link = parcel.answer.as_deref();
        let mut body = json!({
            "topic": parcel.to,
            "title": fit::cut(&parcel.subject, TITLE_CHARS_MAX, fit::one),
            "message": fit::with_meet(&text, link, parcel.place(), MESSAGE_BYTES_MAX, char::len_utf8),
            "priority": if parcel.wakes { WAKING } else { TELLING },
            "sequence_id": parcel.delivery,
        });
        // A test is of none.
        if parcel.incident != 0 {
            body["tags"] = json!([format!("INC-{}", parcel.incident)]);
        }
        if let Some(link) = link {
            body["click"] = link.into();
            body["actions"] = json!([{"action": "view", "label": "Answer", "url": link}]);
        }
        match self.api.post("/", &body).await {
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
    }
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if !answer.status.is_success() {
        let code = said.and_then(|said| said.code).map(|code| code.to_string());
        return again(answer, usual(answer, &[401, 403, 404], code.as_deref()));
    }
    match said.and_then(|said| said.id) {
        Some(id) => Outcome::Accepted { remote_id: Some(id) },
        None => strange("ntfy"),
    }
}

fn address(topic: &str) -> Result<(), String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if topic.is_empty() || topic.len() > TOPIC_CHARS_MAX || !topic.chars().all(fits) {
        return Err(format!(
            "the address of a person is their topic: up to {TOPIC_CHARS_MAX} letters, digits, - and _ (whoever knows it can \
             read along, so let it be hard to guess)"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, parcel, receiver};
    use super::*;

    fn phone(url: &str) -> Channel {
        build(&KIND, &[("url", url), ("private_addresses", "allow")], &[("token", "tk_not_a_real_token")])
            .unwrap()
    }

    #[tokio::test]
    async fn a_page_sounds_and_opens_the_answer_page() {
        let ok = include_str!("../../tests/fixtures/channels/ntfy/published.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok); 3]).await;
        let channel = phone(&url);
        let page = Parcel { to: "maya-4Jk2".into(), ..parcel(1) };
        assert_eq!(channel.send(&page).await, Outcome::Accepted { remote_id: Some("Wo2pIoMbxnIC".into()) });
        channel.send(&Parcel { to: "maya-4Jk2".into(), ..parcel(2) }).await;
        channel.send(&Parcel { wakes: false, answer: None, incident: 0, ..page }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST / "), "{}", requests[0].line);
        assert_eq!(requests[0].header("authorization"), "Bearer tk_not_a_real_token");
        assert_eq!(requests[0].body, requests[1].body, "the same bytes on every attempt");
        let body = requests[0].json();
        assert_eq!((body["topic"].as_str(), body["priority"].as_u64()), (Some("maya-4Jk2"), Some(5)));
        assert_eq!(body["click"], "https://onscene.example.net/r/TOKEN");
        assert_eq!((&body["actions"][0]["action"], &body["tags"]), (&"view".into(), &json!(["INC-42"])));
        assert_eq!(body["sequence_id"], "0123456789abcdef0123456789abcdef");
        let notice = requests[2].json();
        assert_eq!((&notice["priority"], &notice["actions"]), (&3.into(), &serde_json::Value::Null));
        assert_eq!(notice["tags"], serde_json::Value::Null, "it is of no incident");
    }

    #[tokio::test]
    async fn a_long_message_stays_a_message() {
        let ok = include_str!("../../tests/fixtures/channels/ntfy/published.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok)]).await;
        phone(&url).send(&Parcel { text: "für alle ".repeat(1000), ..parcel(1) }).await;
        let message = requests.await[0].json()["message"].as_str().unwrap().to_owned();
        assert!(message.len() <= 4096 && message.len() > 4000, "{}", message.len());
        assert!(message.ends_with("…\nhttps://onscene.example.net/r/TOKEN"), "{message}");
    }

    #[tokio::test]
    async fn what_the_server_calls_an_error_is_told() {
        let limit = include_str!("../../tests/fixtures/channels/ntfy/limit.json");
        let (url, _requests) = receiver(vec![json_answer("429 Too Many Requests", limit)]).await;
        let outcome = phone(&url).send(&parcel(1)).await;
        assert_eq!(outcome, Outcome::Wait { after: None, why: "answered 429 (42901)".into() });
        let (url, _requests) = receiver(vec![json_answer("200 OK", "<html>a proxy</html>")]).await;
        assert_eq!(phone(&url).send(&parcel(1)).await.as_str(), "unknown");
    }

    #[test]
    fn a_topic_is_a_word() {
        assert_eq!(address("maya-4Jk2_z"), Ok(()));
        for wrong in ["", "maya/4Jk2", "für", "https://ntfy.example.net/maya", &"x".repeat(65)] {
            assert!(address(wrong).unwrap_err().contains("topic"), "{wrong}");
        }
    }
}
