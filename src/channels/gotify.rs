//! Gotify: `POST /message` with the token of an application.
//!
//! An application belongs to one user of the server, and its messages reach that user and nobody else. So a way of this
//! kind is one person's: `token_file` decides who is reached, and the address of the person is a name for people who
//! read the file, which is not sent. Two persons need two ways.
//!
//! It knows no idempotency, no limits and no update. Errors are `{"error": "Unauthorized", "errorCode": 401,
//! "errorDescription": "..."}`; 401 and 403 are about the token, and a 404 says that this is no Gotify server: the whole
//! way. 400 is about this message.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, again, strange, usual};
use super::client::Answer;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};

/// Gotify, as a way to one person.
pub const KIND: Kind = Kind {
    name: "gotify",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Gotify::build,
    address: Some(address),
    status: false,
};

/// Documented nowhere; a phone shows no more.
const MESSAGE_CHARS_MAX: usize = 8000;
const TITLE_CHARS_MAX: usize = 200;
/// The app sounds from 8 on, and shows from 4 on.
const WAKING: u8 = 10;
const TELLING: u8 = 5;
/// Longest name of a user that is not sent anywhere.
const NAME_CHARS_MAX: usize = 100;

/// One application on one server.
pub struct Gotify {
    api: Api,
    token: SecretString,
}

#[derive(Deserialize)]
struct Said {
    id: Option<u64>,
    error: Option<String>,
}

impl Gotify {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "url", None)?;
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        Ok(Channel::Gotify(Self { api, token }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let text = fit::quiet(&parcel.text);
        let link = parcel.answer.as_deref();
        let mut body = json!({
            "title": fit::cut(&parcel.subject, TITLE_CHARS_MAX, fit::one),
            "message": fit::with_meet(&text, link, parcel.place(), MESSAGE_CHARS_MAX, fit::one),
            "priority": if parcel.wakes { WAKING } else { TELLING },
        });
        if let Some(link) = link {
            body["extras"] = json!({"client::notification": {"click": {"url": link}}});
        }
        match self.api.post_with("/message", &body, ("x-gotify-key", &self.token)).await {
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
    }
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if !answer.status.is_success() {
        let name = said.and_then(|said| said.error);
        return again(answer, usual(answer, &[401, 403, 404], name.as_deref()));
    }
    match said.and_then(|said| said.id) {
        Some(id) => Outcome::Accepted { remote_id: Some(id.to_string()) },
        None => strange("Gotify"),
    }
}

fn address(name: &str) -> Result<(), String> {
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err("the address of a person is the name of their user on the server, for people who read this file; the \
                    token decides who is reached"
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, parcel, receiver};
    use super::*;

    #[tokio::test]
    async fn a_page_has_the_highest_priority_and_opens_the_answer_page() {
        let ok = include_str!("../../tests/fixtures/channels/gotify/message.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok); 2]).await;
        let url = format!("{url}/push/");
        let texts = [("url", url.as_str()), ("private_addresses", "allow")];
        let channel = build(&KIND, &texts, &[("token", "not-a-real-token")]).unwrap();
        assert_eq!(channel.send(&parcel(1)).await, Outcome::Accepted { remote_id: Some("25".into()) });
        channel.send(&Parcel { wakes: false, ..parcel(2) }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST /push/message "), "{}", requests[0].line);
        assert_eq!(requests[0].header("x-gotify-key"), "not-a-real-token");
        let body = requests[0].json();
        assert_eq!(body["priority"], 10);
        let click = &body["extras"]["client::notification"]["click"]["url"];
        assert_eq!(click, "https://onscene.example.net/r/TOKEN");
        assert_eq!(requests[1].json()["priority"], 5);
    }

    #[tokio::test]
    async fn a_wrong_token_is_the_ways_own_fault() {
        let no = include_str!("../../tests/fixtures/channels/gotify/unauthorized.json");
        let (url, _requests) = receiver(vec![json_answer("401 Unauthorized", no)]).await;
        let texts = [("url", url.as_str()), ("private_addresses", "allow")];
        let channel = build(&KIND, &texts, &[("token", "not-a-real-token")]).unwrap();
        let refused = Outcome::Refused { why: "answered 401 (Unauthorized)".into(), whole_channel: true };
        assert_eq!(channel.send(&parcel(1)).await, refused);
    }

    #[test]
    fn the_address_is_a_name_for_people() {
        assert_eq!((address(""), address("maya")), (Ok(()), Ok(())));
        assert!(address("maya\n").is_err());
    }
}
