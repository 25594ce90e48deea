//! Pushover: a form to `/1/messages.json`, with the token of an application and the key of the person.
//!
//! A page has the priority 2, "emergency": it sounds again every minute until it is acknowledged in the app, for ten
//! minutes at most, because by then other people are awake. Its answer carries a receipt, which becomes the letter's
//! remote id. When the person is told something of the incident after somebody took it, what sounds for it ends first,
//! by a tag of the incident and the person. To acknowledge in the app is not to take command: the answer page is one
//! touch away.
//!
//! It knows no idempotency. Errors are `{"status": 0, "user": "invalid", "errors": ["..."]}`: `user` says that the key
//! of this person is wrong, `token` that the application's is, which is the whole way, as is a 404. 429 is the quota of
//! the month.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::api::{Api, bounded, refused, strange, usual};
use super::client::Answer;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};
use crate::crypto;

/// Pushover, as a way to persons.
pub const KIND: Kind = Kind {
    name: "pushover",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Pushover::build,
    address: Some(address),
    status: false,
};

const API_URL: &str = "https://api.pushover.net";
const MESSAGE_CHARS_MAX: usize = 1024;
const TITLE_CHARS_MAX: usize = 250;
/// A longer address of an answer page stays in the message alone.
const URL_CHARS_MAX: usize = 512;
/// A page sounds so often (at least 30 s apart), and for so long (at most 10,800 s).
const RETRY_S: &str = "60";
const EXPIRE_S: &str = "600";
/// To end what sounds: less than an attempt has to spare.
const HUSH_DEADLINE: Duration = Duration::from_secs(2);
/// Keys of users and groups have so many letters and digits.
const KEY_CHARS: usize = 30;

/// One application.
pub struct Pushover {
    api: Api,
    token: SecretString,
}

#[derive(Deserialize)]
struct Said {
    status: i64,
    request: Option<String>,
    receipt: Option<String>,
    user: Option<String>,
    token: Option<String>,
}

impl Pushover {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "api_url", Some(API_URL))?;
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        Ok(Channel::Pushover(Self { api, token }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(self.attempt(parcel)).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Outcome {
        let title = fit::cut(&parcel.subject, TITLE_CHARS_MAX, fit::one);
        let link = parcel.answer.as_deref();
        let message = fit::with_link(&parcel.text, link, MESSAGE_CHARS_MAX, fit::one);
        let timestamp = parcel.created_at.as_second().to_string();
        let tag = tag(parcel);
        if !parcel.wakes && parcel.incident_state != "triggered" {
            self.hush(&tag).await;
        }
        let mut form = vec![
            ("token", self.token.expose_secret()),
            ("user", parcel.to.as_str()),
            ("title", &title),
            ("message", &message),
            ("timestamp", &timestamp),
        ];
        if parcel.wakes {
            form.extend([("priority", "2"), ("retry", RETRY_S), ("expire", EXPIRE_S), ("tags", &tag)]);
        }
        if let Some(link) = link.filter(|link| link.chars().count() <= URL_CHARS_MAX) {
            form.extend([("url", link), ("url_title", "Answer")]);
        }
        match self.api.post_form("/1/messages.json", &form).await {
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
    }

    /// Ends what sounds. Whether that succeeds or not, it ends by itself, and the letter goes its way.
    async fn hush(&self, tag: &str) {
        let path = format!("/1/receipts/cancel_by_tag/{tag}.json");
        let form = [("token", self.token.expose_secret())];
        let _ends_by_itself = tokio::time::timeout(HUSH_DEADLINE, self.api.post_form(&path, &form)).await;
    }
}

/// What a person is woken for, without saying who it is.
fn tag(parcel: &Parcel) -> String {
    let person = crypto::hex(&crypto::sha256(parcel.to.as_bytes())[..8]);
    format!("onscene-{}-{person}", parcel.incident)
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    match said {
        Some(said) if said.status == 1 && answer.status.is_success() => {
            Outcome::Accepted { remote_id: said.receipt.or(said.request) }
        }
        None if answer.status.is_success() => strange("Pushover"),
        Some(said) if answer.status.is_success() || answer.status == http::StatusCode::BAD_REQUEST => {
            // Its own words could hold the key.
            match (said.token, said.user) {
                (Some(_), _) => refused("answered that the application's token is wrong", true),
                (_, Some(_)) => refused("answered that the key of this person is wrong", false),
                _ => refused(&format!("answered {}", answer.status.as_u16()), false),
            }
        }
        _ => usual(answer, &[401, 403, 404], None),
    }
}

fn address(key: &str) -> Result<(), String> {
    if key.len() != KEY_CHARS || !key.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err(format!(
            "the address of a person is their user key, {KEY_CHARS} letters and digits, which pushover.net shows them"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, parcel, receiver};
    use super::*;

    const MAYA: &str = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG";

    fn phone(url: &str) -> Channel {
        let texts = [("api_url", url), ("private_addresses", "allow")];
        build(&KIND, &texts, &[("token", "not-a-real-token")]).unwrap()
    }

    #[tokio::test]
    async fn a_page_sounds_until_it_is_acknowledged_and_keeps_its_receipt() {
        let ok = include_str!("../../tests/fixtures/channels/pushover/emergency.json");
        let told = include_str!("../../tests/fixtures/channels/pushover/accepted.json");
        let hushed = include_str!("../../tests/fixtures/channels/pushover/canceled.json");
        let answers = [ok, told, hushed, told].map(|body| json_answer("200 OK", body));
        let (url, requests) = receiver(answers.to_vec()).await;
        let channel = phone(&url);
        let page = Parcel { to: MAYA.into(), text: "down & out\n".repeat(200), ..parcel(1) };
        let receipt = Some("rLqVuqTRh62UzxtmqiaLzQmVcPgiCy".to_owned());
        assert_eq!(channel.send(&page).await, Outcome::Accepted { remote_id: receipt });
        let notice = Parcel { wakes: false, answer: None, ..page };
        let request = Some("647d2300-702c-4b38-8b2f-d56326ae460b".to_owned());
        assert_eq!(channel.send(&notice).await, Outcome::Accepted { remote_id: request });
        channel.send(&Parcel { incident_state: "acknowledged".into(), ..notice }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST /1/messages.json "), "{}", requests[0].line);
        let form = requests[0].form();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        assert_eq!((field("token"), field("user")), ("not-a-real-token", MAYA));
        assert_eq!((field("priority"), field("retry"), field("expire")), ("2", "60", "600"));
        assert_eq!(field("url"), "https://onscene.example.net/r/TOKEN");
        assert!(field("message").chars().count() <= 1024);
        assert!(field("message").ends_with("…\nhttps://onscene.example.net/r/TOKEN"), "{}", field("message"));
        assert!(!requests[1].form().contains_key("priority"), "nobody has it yet: what sounds goes on");
        let hushes = format!("POST /1/receipts/cancel_by_tag/{}.json ", field("tags"));
        assert!(requests[2].line.starts_with(&hushes), "{}", requests[2].line);
        assert!(requests[3].line.starts_with("POST /1/messages.json "), "{}", requests[3].line);
    }

    #[tokio::test]
    async fn a_wrong_key_is_this_persons_and_a_wrong_token_everybodys() {
        for (body, whole) in [
            (include_str!("../../tests/fixtures/channels/pushover/user.json"), false),
            (include_str!("../../tests/fixtures/channels/pushover/token.json"), true),
        ] {
            let (url, _requests) = receiver(vec![json_answer("400 Bad Request", body)]).await;
            let outcome = phone(&url).send(&Parcel { to: MAYA.into(), ..parcel(1) }).await;
            let Outcome::Refused { why, whole_channel } = outcome else { panic!("{outcome:?}") };
            assert_eq!(whole_channel, whole, "{why}");
            assert!(!why.contains(MAYA), "{why}");
        }
    }

    #[test]
    fn a_key_has_thirty_letters_and_digits() {
        assert_eq!(address(MAYA), Ok(()));
        for wrong in ["", "maya@example.net", "uQiRzpo4DXghDmr9QzzfQu27cmVRs-", "short"] {
            assert!(address(wrong).unwrap_err().contains("user key"), "{wrong}");
        }
    }
}
