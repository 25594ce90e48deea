//! Telegram: `sendMessage` of a bot, with buttons under a page: those that answer it, and one that opens the answer page.
//! Plain text, without any mode of markup, so nothing in an alert is read as more than words.
//!
//! The token of the bot is a part of the address, which therefore stands in no error. A person has to write to the bot
//! once before it may write to them; their chat has a number, which is their address here.
//!
//! Buttons that answer are there when Telegram's calls to `/answers/telegram` are believed (`setWebhook` has to lead there),
//! with a letter and the delivery for their data; and in a chat with one person only, because who presses one has to be
//! whom the page went to.
//!
//! It knows no idempotency. Errors are `{"ok": false, "error_code": 403, "description": "..."}`. A group that became a
//! supergroup has another number, which the answer tells: the letter goes there at once, and a line in the log says that
//! the address has to be changed. 400 and 403 are about this person (no such chat, the bot was blocked). 401, and 404,
//! which is what a malformed token is answered: the whole way.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, strange, usual};
use super::client::Answer;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};

/// Telegram, as a way to persons.
pub const KIND: Kind = Kind {
    name: "telegram",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Telegram::build,
    address: Some(address),
    status: false,
};

const API_URL: &str = "https://api.telegram.org";
/// In UTF-16 units, as Telegram counts.
const TEXT_UNITS_MAX: usize = 4096;
/// What begins the data of the buttons, in the order of [`BUTTONS`]; the delivery follows.
const LETTERS: [&str; BUTTONS.len()] = ["a:", "h:", "d:"];
/// Most bytes of a button's data.
const DATA_BYTES_MAX: usize = 64;

const _: () = assert!(LETTERS[0].len() + 32 <= DATA_BYTES_MAX, "a delivery is 32 digits");

/// One bot.
pub struct Telegram {
    api: Api,
    token: SecretString,
    is_heard: bool,
}

#[derive(Deserialize)]
struct Said {
    ok: bool,
    description: Option<String>,
    result: Option<Message>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Telegram {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "api_url", Some(API_URL))?;
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let is_heard = shared.heard.telegram;
        Ok(Channel::Telegram(Self { api, token, is_heard }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(self.attempt(parcel)).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Outcome {
        let path = format!("/bot{}/sendMessage", encode(self.token.expose_secret()).replace("%3A", ":"));
        let Ok(chat) = parcel.to.parse::<i64>() else {
            return super::api::refused("the address of this person is no number of a chat", false);
        };
        let mut body = self.body(parcel, chat);
        let answer = match self.api.post(&path, &body).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let Some(moved) = said(&answer).and_then(|said| said.parameters?.migrate_to_chat_id) else {
            return outcome(&answer);
        };
        tracing::warn!(
            "a chat of Telegram has become another: write its new number as the address of its person"
        );
        body["chat_id"] = moved.into();
        match self.api.post(&path, &body).await {
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
    }

    fn body(&self, parcel: &Parcel, chat: i64) -> Value {
        let link = parcel.answer.as_deref();
        let text = format!("{}\n\n{}", parcel.subject, parcel.text);
        let mut body = json!({
            "chat_id": chat,
            "text": fit::with_meet(&fit::quiet(&text), link, parcel.place(), TEXT_UNITS_MAX, char::len_utf16),
            // Whatever fetches an answer link to show it beforehand is no reader.
            "link_preview_options": {"is_disabled": true},
            "disable_notification": !parcel.wakes,
        });
        let is_one = chat > 0;
        let letters = if self.is_heard && is_one && parcel.asks_for_command() { &LETTERS[..] } else { &[] };
        let answers = letters.iter().zip(BUTTONS).map(|(letter, (_, label))| {
            json!({"text": label, "callback_data": format!("{letter}{}", parcel.delivery)})
        });
        let open =
            link.filter(|link| is_outside(link)).map(|link| json!({"text": "Answer page", "url": link}));
        let buttons: Vec<Value> = answers.chain(open).map(|button| json!([button])).collect();
        if !buttons.is_empty() {
            body["reply_markup"] = json!({"inline_keyboard": buttons});
        }
        body
    }
}

/// A button with an address that has no name of the Internet makes Telegram refuse the whole message; the link stands in
/// the text in any case.
fn is_outside(link: &str) -> bool {
    let uri = link.parse::<http::Uri>().ok();
    uri.and_then(|uri| uri.host().map(|host| host.contains('.') && host.parse::<std::net::IpAddr>().is_err()))
        .unwrap_or_default()
}

fn said(answer: &Answer) -> Option<Said> {
    serde_json::from_slice(&answer.body).ok()
}

fn outcome(answer: &Answer) -> Outcome {
    match said(answer) {
        Some(Said { ok: true, result: Some(message), .. }) if answer.status.is_success() => {
            Outcome::Accepted { remote_id: Some(message.message_id.to_string()) }
        }
        _ if answer.status.is_success() => strange("Telegram"),
        said => {
            let description = said.as_ref().and_then(|said| said.description.as_deref());
            let patience = said.as_ref().and_then(|said| said.parameters.as_ref()?.retry_after);
            match usual(answer, &[401, 404], description) {
                Outcome::Wait { after, why } => {
                    Outcome::Wait { after: patience.map(Duration::from_secs).or(after), why }
                }
                other => other,
            }
        }
    }
}

fn address(chat: &str) -> Result<(), String> {
    match chat.parse::<i64>() {
        Ok(number) if number != 0 && number.to_string() == chat => Ok(()),
        _ => Err("the address of a person is the number of their chat with the bot, such as \"123456789\" (`getUpdates` of \
                  the bot shows it when they have written to it)"
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stories::{UNHEARD, build, json_answer, parcel, receiver};
    use super::*;

    const TOKEN: &str = "110201543:not-a-real-token";

    fn bot(url: &str, heard: bool) -> Channel {
        let texts = [("api_url", url), ("private_addresses", "allow"), UNHEARD];
        build(&KIND, if heard { &texts[..2] } else { &texts }, &[("token", TOKEN)]).unwrap()
    }

    fn page() -> Parcel {
        Parcel { to: "123456789".into(), ..parcel(1) }
    }

    #[tokio::test]
    async fn a_page_has_a_button_that_takes_command_and_one_that_opens_the_answer_page() {
        let ok = include_str!("../../tests/fixtures/channels/telegram/sent.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok); 4]).await;
        let sent = bot(&url, true).send(&page()).await;
        assert_eq!(sent, Outcome::Accepted { remote_id: Some("1365".into()) });
        bot(&url, true).send(&Parcel { wakes: false, event_type: "notice.taken".into(), ..page() }).await;
        bot(&url, false).send(&page()).await;
        let inside = Some("http://localhost:8087/r/TOKEN".to_owned());
        bot(&url, false).send(&Parcel { answer: inside, ..page() }).await;
        let requests = requests.await;
        assert!(
            requests[0].line.starts_with(&format!("POST /bot{TOKEN}/sendMessage ")),
            "{}",
            requests[0].line
        );
        let body = requests[0].json();
        assert_eq!(body["chat_id"], 123_456_789);
        assert!(body.get("parse_mode").is_none());
        assert_eq!(body["link_preview_options"]["is_disabled"], true);
        assert_eq!(body["disable_notification"], false);
        let buttons = &body["reply_markup"]["inline_keyboard"];
        assert_eq!(buttons[0][0]["callback_data"], "a:0123456789abcdef0123456789abcdef");
        assert_eq!(buttons[2][0]["callback_data"], "d:0123456789abcdef0123456789abcdef");
        assert_eq!(buttons[3][0]["url"], "https://onscene.example.net/r/TOKEN");
        let notice = requests[1].json();
        assert_eq!(notice["disable_notification"], true);
        assert_eq!(notice["reply_markup"]["inline_keyboard"].as_array().unwrap().len(), 1);
        let unheard = requests[2].json();
        assert_eq!(unheard["reply_markup"]["inline_keyboard"][0][0]["text"], "Answer page");
        let inside = requests[3].json();
        assert!(inside.get("reply_markup").is_none(), "Telegram would refuse all of it: {inside}");
        assert!(inside["text"].as_str().unwrap().ends_with("http://localhost:8087/r/TOKEN"), "{inside}");
    }

    #[tokio::test]
    async fn a_letter_follows_a_chat_that_became_another() {
        let moved = include_str!("../../tests/fixtures/channels/telegram/moved.json");
        let ok = include_str!("../../tests/fixtures/channels/telegram/sent.json");
        let answers = vec![json_answer("400 Bad Request", moved), json_answer("200 OK", ok)];
        let (url, requests) = receiver(answers).await;
        let sent = bot(&url, true).send(&Parcel { to: "-4012".into(), ..parcel(1) }).await;
        assert_eq!(sent.as_str(), "accepted");
        let requests = requests.await;
        let group = requests[0].json();
        assert_eq!(group["chat_id"], -4012);
        let buttons = group["reply_markup"]["inline_keyboard"].as_array().unwrap().len();
        assert_eq!(buttons, 1, "who presses in a group is not whom the page went to");
        assert_eq!(requests[1].json()["chat_id"], -1_001_234_567_890_i64);
    }

    #[tokio::test]
    async fn what_is_answered_is_about_this_person_or_about_the_bot() {
        let fixture = |name: &str| {
            let path = format!("{}/tests/fixtures/channels/telegram/{name}.json", env!("CARGO_MANIFEST_DIR"));
            &*std::fs::read_to_string(path).unwrap().leak()
        };
        let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
        for (status, body, meant) in [
            (
                "403 Forbidden",
                "blocked",
                refused("answered 403 (Forbidden: bot was blocked by the user)", false),
            ),
            ("400 Bad Request", "no_chat", refused("answered 400 (Bad Request: chat not found)", false)),
            ("401 Unauthorized", "token", refused("answered 401 (Unauthorized)", true)),
            (
                "429 Too Many Requests",
                "slow",
                Outcome::Wait {
                    after: Some(Duration::from_secs(8)),
                    why: "answered 429 (Too Many Requests: retry after 8)".into(),
                },
            ),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, fixture(body))]).await;
            assert_eq!(bot(&url, false).send(&page()).await, meant);
        }
    }

    #[tokio::test]
    async fn a_long_text_is_cut_as_telegram_counts_and_keeps_the_link() {
        let ok = include_str!("../../tests/fixtures/channels/telegram/sent.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok)]).await;
        bot(&url, false).send(&Parcel { text: "🔥 down ".repeat(2000), ..page() }).await;
        let text = requests.await[0].json()["text"].as_str().unwrap().to_owned();
        let units = text.encode_utf16().count();
        assert!(units <= 4096 && units > 4000, "{units}");
        assert!(text.ends_with("…\nhttps://onscene.example.net/r/TOKEN"), "{text}");
    }

    #[test]
    fn a_chat_is_a_number() {
        assert_eq!((address("123456789"), address("-1001234567890")), (Ok(()), Ok(())));
        for wrong in ["", "0", "@maya", "+47 123", "007"] {
            assert!(address(wrong).unwrap_err().contains("number"), "{wrong}");
        }
    }
}
