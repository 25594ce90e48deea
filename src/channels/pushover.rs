//! Pushover: a form to `/1/messages.json`, with the token of an application and the key of the person.
//!
//! A page has the priority 2, "emergency": it sounds again every minute until it is acknowledged in the app, for ten
//! minutes at most, because by then other people are awake. Its answer carries a receipt, which becomes the letter's
//! remote id. When nobody needs to be woken by it any more, a letter of its own (`hush`) ends what sounds, by a tag of the delivery:
//! that is known also where the receipt was lost. To acknowledge in the app is not to take command: the answer page is one
//! touch away.
//!
//! It knows no idempotency. Errors are `{"status": 0, "user": "invalid", "errors": ["..."]}`: `user` says that the key
//! of this person is wrong, `token` that the application's is, which is the whole way, as is a 404. 429 is the quota of
//! the month.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::api::{Api, again, bounded, refused, strange, usual};
use super::client::Answer;
use super::{Channel, Fields, HUSH, Key, Kind, Outcome, Parcel, SOUNDS_MAX, Shared, fit};

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
const _: () = assert!(SOUNDS_MAX.as_secs() == 600);
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
        if parcel.event_type == HUSH {
            return self.hush(parcel).await;
        }
        let title = fit::cut(&parcel.subject, TITLE_CHARS_MAX, fit::one);
        let link = parcel.answer.as_deref();
        let message = fit::with_meet(&parcel.text, link, parcel.place(), MESSAGE_CHARS_MAX, fit::one);
        let timestamp = parcel.created_at.as_second().to_string();
        let tag = tag(&parcel.delivery);
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

    /// Ends what sounds. A second time does no harm, and later than it would have sounded there is nothing to end.
    async fn hush(&self, parcel: &Parcel) -> Outcome {
        let Some(delivery) = parcel.data["ends"].as_str() else {
            return refused("it does not say what is to end", false);
        };
        if parcel.now.duration_since(parcel.created_at) >= SOUNDS_MAX {
            return Outcome::Accepted { remote_id: None };
        }
        let path = format!("/1/receipts/cancel_by_tag/{}.json", tag(delivery));
        match self.api.post_form(&path, &[("token", self.token.expose_secret())]).await {
            Ok(answer) if answer.status.is_success() => Outcome::Accepted { remote_id: None },
            Ok(answer) => match outcome(&answer) {
                Outcome::Unknown { why } => Outcome::Wait { after: None, why },
                other => other,
            },
            Err(Outcome::Unknown { why }) => Outcome::Wait { after: None, why },
            Err(outcome) => outcome,
        }
    }
}

/// What a letter is known by here.
fn tag(delivery: &str) -> String {
    format!("onscene-{delivery}")
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
        _ => again(answer, usual(answer, &[401, 403, 404], None)),
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
    async fn a_page_sounds_until_it_is_acknowledged_or_ended_and_keeps_its_receipt() {
        let ok = include_str!("../../tests/fixtures/channels/pushover/emergency.json");
        let told = include_str!("../../tests/fixtures/channels/pushover/accepted.json");
        let hushed = include_str!("../../tests/fixtures/channels/pushover/canceled.json");
        let mut answers: Vec<_> = [ok, told].map(|body| json_answer("200 OK", body)).into();
        answers.push(json_answer("500 Oops", "{}"));
        answers.push(json_answer("200 OK", hushed));
        let (url, requests) = receiver(answers).await;
        let channel = phone(&url);
        let page = Parcel { to: MAYA.into(), text: "down & out\n".repeat(200), ..parcel(1) };
        let receipt = Some("rLqVuqTRh62UzxtmqiaLzQmVcPgiCy".to_owned());
        assert_eq!(channel.send(&page).await, Outcome::Accepted { remote_id: receipt });
        let notice =
            Parcel { wakes: false, answer: None, incident_state: "acknowledged".into(), ..page.clone() };
        let request = Some("647d2300-702c-4b38-8b2f-d56326ae460b".to_owned());
        assert_eq!(channel.send(&notice).await, Outcome::Accepted { remote_id: request });
        let data = serde_json::json!({"ends": page.delivery});
        let delivery = "f".repeat(32);
        let hush =
            Parcel { wakes: false, answer: None, event_type: HUSH.into(), data, delivery, ..page.clone() };
        assert_eq!(channel.send(&hush).await.as_str(), "wait", "to be tried again, which does no harm");
        assert_eq!(channel.send(&hush).await, Outcome::Accepted { remote_id: None });
        // There is nothing to end any more: nothing is asked.
        let late = Parcel { now: page.created_at.saturating_add(SOUNDS_MAX).unwrap(), ..hush };
        assert_eq!(channel.send(&late).await, Outcome::Accepted { remote_id: None });
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST /1/messages.json "), "{}", requests[0].line);
        let form = requests[0].form();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        assert_eq!((field("token"), field("user")), ("not-a-real-token", MAYA));
        assert_eq!((field("priority"), field("retry"), field("expire")), ("2", "60", "600"));
        assert_eq!(field("url"), "https://onscene.example.net/r/TOKEN");
        assert!(field("message").chars().count() <= 1024);
        assert!(field("message").ends_with("…\nhttps://onscene.example.net/r/TOKEN"), "{}", field("message"));
        assert_eq!(field("tags"), "onscene-0123456789abcdef0123456789abcdef");
        assert!(!requests[1].form().contains_key("priority"));
        for request in &requests[2..] {
            let hushes = format!("POST /1/receipts/cancel_by_tag/{}.json ", field("tags"));
            assert!(request.line.starts_with(&hushes), "{}", request.line);
            assert_eq!(request.body, "token=not-a-real-token");
        }
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
