//! Telegram: `sendMessage` of a bot: to a person, with buttons under a page, those that answer it, and one that opens the answer page;
//! or to a group or a channel (`chat`), where each letter of an incident answers its first. Plain text, without any mode of markup, so nothing in an alert is read as more than words.
//!
//! The token of the bot is a part of the address, which therefore stands in no error. A person has to write to the bot
//! once before it may write to them; their chat has a number, which is their address here.
//!
//! Buttons that answer are there when Telegram's calls to `/answers/telegram` are believed (`setWebhook` has to lead there),
//! with a letter and the delivery for their data; and in a chat with one person only, because who presses one has to be
//! whom the page went to.
//!
//! It knows no idempotency, and shows a bot nothing of what it wrote: a statement that may have been written is not written again. It is
//! written whole or not at all. One that is taken back is deleted, which a bot may do for 48 hours. Each chat counts its messages for itself,
//! so a remote id holds the chat as well as the message, and what stands in another chat is deleted there and not answered here.
//!
//! Errors are `{"ok": false, "error_code": 403, "description": "..."}`. A group that became a
//! supergroup has another number, which the answer tells: the letter goes there at once, and a line in the log says that
//! the address has to be changed. 400 and 403 are about this person (no such chat, the bot was blocked), and in a `chat` about all of
//! it, if not about the text. 401, and 404, which is what a malformed token is answered: the whole way.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, again, bounded, encode, of_letter, refused, strange, usual};
use super::client::Answer;
use super::statement::Shown;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit, statement};

/// Telegram, to persons, or to one group or channel.
pub const KIND: Kind = Kind {
    name: "telegram",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "chat", secret: false, required: false },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Telegram::build,
    address: Some(address),
    status: true,
};

const API_URL: &str = "https://api.telegram.org";
/// In UTF-16 units, as Telegram counts.
const TEXT_UNITS_MAX: usize = 4096;
/// What begins the data of the buttons, in the order of [`BUTTONS`]; the delivery follows.
const LETTERS: [&str; BUTTONS.len()] = ["a:", "h:", "d:"];
/// Most bytes of a button's data.
const DATA_BYTES_MAX: usize = 64;

/// Answers of 400 that are about the chat, and not about what was to be said in it.
const CHAT: [&str; 3] = ["chat not found", "have no rights to send", "not enough rights to send"];
/// Between a chat and the number of a message in it.
const IN_CHAT: char = '/';
/// In a letter: what it answers.
const ANSWERED: &str = "reply_parameters";
/// What is not there any more cannot be deleted.
const MESSAGE_GONE: &str = "message to delete not found";
const NO_CHAT: &str = "`chat` is the number of a group or a channel, such as \"-1001234567890\", or the name of a public one, such as \
                       \"@example_status\"";

const _: () = assert!(LETTERS[0].len() + 32 <= DATA_BYTES_MAX, "a delivery is 32 digits");

/// One bot.
pub struct Telegram {
    api: Api,
    token: SecretString,
    is_heard: bool,
    /// Where status goes. None: it reaches persons.
    chat: Option<Value>,
}

/// A message, of which the number alone is not enough: each chat counts its own.
struct Message {
    chat: Value,
    number: i64,
}

#[derive(Deserialize)]
struct Said {
    ok: bool,
    description: Option<String>,
    #[serde(default)]
    result: Value,
    parameters: Option<Parameters>,
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
        let chat = fields.texts.remove("chat").map(|text| chat(&text)).transpose()?;
        Ok(Channel::Telegram(Self { api, token, is_heard, chat }))
    }

    /// Whether status can go there.
    pub(super) fn takes_status(&self) -> Result<(), String> {
        self.chat.as_ref().map(|_| ()).ok_or_else(|| NO_CHAT.into())
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if !parcel.to.is_empty() {
            let Ok(chat) = parcel.to.parse::<i64>() else {
                return refused("the address of this person is no number of a chat", false);
            };
            let page = async {
                let (answer, _) = self.post(self.body(parcel, chat), |_| None).await?;
                Ok(again(&answer, outcome(&answer)))
            };
            return bounded(async { page.await.unwrap_or_else(|outcome| outcome) }).await;
        }
        let Some(chat) = &self.chat else { return refused("there is neither a chat nor a person", true) };
        if parcel.statement.is_some()
            && let Err(outcome) = shows(parcel).fitting()
        {
            return outcome;
        }
        bounded(statement::in_place(parcel, |id| self.remove(chat, id), self.say(parcel, chat))).await
    }

    fn path(&self, method: &str) -> String {
        format!("/bot{}/{method}", encode(self.token.expose_secret()).replace("%3A", ":"))
    }

    /// Says something in a chat of its own: what keeps it from that keeps every letter from it.
    async fn say(&self, parcel: &Parcel, chat: &Value) -> Outcome {
        let root = parcel.thread_root.as_deref().and_then(|root| Message::read(root, chat));
        let root_in = |chat: &Value| root.as_ref().filter(|root| root.chat == *chat).map(|root| root.number);
        let (answer, chat) = match self.post(said_in_chat(parcel, chat, root_in(chat)), root_in).await {
            Ok(answered) => answered,
            Err(outcome) => return outcome,
        };
        match of_letter(parcel, &answer, outcome(&answer)) {
            Outcome::Accepted { remote_id: Some(number) } => {
                // What it was to answer is in another chat, or was deleted: the answer shows what it does answer.
                let begins = parcel.thread_root.is_some()
                    && answered(&answer).is_none_or(|one| Some(one) != root_in(&chat));
                Outcome::there(format!("{}{IN_CHAT}{number}", written(&chat)), begins)
            }
            Outcome::Refused { why, whole_channel } => {
                let is_about_chat =
                    why.starts_with("answered 403") || CHAT.iter().any(|one| why.contains(one));
                Outcome::Refused { whole_channel: whole_channel || is_about_chat, why }
            }
            other => other,
        }
    }

    /// Deletes what an earlier letter wrote, in the chat where it stands. What is gone is deleted.
    async fn remove(&self, chat: &Value, id: &str) -> Outcome {
        let Some(message) = Message::read(id, chat) else {
            return refused("its id is none of Telegram", false);
        };
        let body = json!({"chat_id": message.chat, "message_id": message.number});
        let answer = match self.api.post(&self.path("deleteMessage"), &body).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let (is_ok, description) =
            said(&answer).map(|said| (said.ok, said.description.unwrap_or_default())).unwrap_or_default();
        match is_ok && answer.status.is_success() || description.contains(MESSAGE_GONE) {
            true => Outcome::Accepted { remote_id: None },
            false => outcome(&answer),
        }
    }

    /// Says something, and follows a chat that has become another: the answer, and the chat that it is of. `root_in`: the message that it
    /// answers in a chat, for the number of one names another's in the next.
    async fn post(
        &self,
        mut body: Value,
        root_in: impl Fn(&Value) -> Option<i64>,
    ) -> Result<(Answer, Value), Outcome> {
        let path = self.path("sendMessage");
        let answer = self.api.post(&path, &body).await?;
        let Some(moved) = said(&answer).and_then(|said| said.parameters?.migrate_to_chat_id) else {
            return Ok((answer, body["chat_id"].take()));
        };
        tracing::warn!(
            "a chat of Telegram has become another: write its new number as the address of its person, or as `chat`"
        );
        body["chat_id"] = moved.into();
        answers(&mut body, root_in(&moved.into()));
        let answer = self.api.post(&path, &body).await?;
        Ok((answer, moved.into()))
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

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = fit::quiet(&statement::words(parcel));
    let size = fit::length(&text, char::len_utf16);
    Shown { text, size, most: TEXT_UNITS_MAX, unit: "characters" }
}

/// A chat, as a remote id has it.
fn written(chat: &Value) -> String {
    chat.as_str().map_or_else(|| chat.to_string(), str::to_owned)
}

impl Message {
    /// Reads a remote id. Older ones are numbers alone: of the chat that is written in the configuration, `usual`.
    fn read(id: &str, usual: &Value) -> Option<Self> {
        let (chat, number) = match id.split_once(IN_CHAT) {
            Some((of, number)) => (chat(of).ok()?, number),
            None => (usual.clone(), id),
        };
        Some(Self { chat, number: number.parse().ok()? })
    }
}

/// What a letter answers, which may have been deleted; or nothing.
fn answers(body: &mut Value, root: Option<i64>) {
    let Some(body) = body.as_object_mut() else { return };
    match root {
        Some(root) => {
            let answered = json!({"message_id": root, "allow_sending_without_reply": true});
            body.insert(ANSWERED.into(), answered)
        }
        None => body.remove(ANSWERED),
    };
}

fn said_in_chat(parcel: &Parcel, chat: &Value, root: Option<i64>) -> Value {
    let text = match parcel.statement {
        Some(_) => shows(parcel).text,
        None => {
            let text = fit::quiet(&format!("{}\n\n{}", parcel.subject, parcel.text));
            fit::with_rest(&text, parcel.rest(), TEXT_UNITS_MAX, char::len_utf16)
        }
    };
    let mut body = json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}});
    answers(&mut body, root);
    body
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

/// The number of the message that what was written answers.
fn answered(answer: &Answer) -> Option<i64> {
    said(answer)?.result["reply_to_message"]["message_id"].as_i64()
}

fn outcome(answer: &Answer) -> Outcome {
    match said(answer) {
        Some(Said { ok: true, result, .. }) if answer.status.is_success() => {
            match result["message_id"].as_i64() {
                Some(id) => Outcome::Accepted { remote_id: Some(id.to_string()) },
                None => strange("Telegram"),
            }
        }
        _ if answer.status.is_success() => strange("Telegram"),
        said => {
            let description = said.as_ref().and_then(|said| said.description.as_deref());
            let patience = said.as_ref().and_then(|said| said.parameters.as_ref()?.retry_after);
            match usual(answer, &[401, 404, 410], description) {
                Outcome::Wait { after, why } => {
                    Outcome::Wait { after: patience.map(Duration::from_secs).or(after), why }
                }
                other => other,
            }
        }
    }
}

/// A group or a channel, as the API takes it.
fn chat(text: &str) -> Result<Value, String> {
    let is_name = |name: &str| {
        name.starts_with(|one: char| one.is_ascii_alphabetic())
            && name.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_')
    };
    match (text.strip_prefix('@'), text.parse::<i64>()) {
        (Some(name), _) if is_name(name) => Ok(text.into()),
        (None, Ok(number)) if number != 0 && number.to_string() == text => Ok(number.into()),
        _ => Err(NO_CHAT.into()),
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
    use super::super::statement::Mended;
    use super::super::stories::{UNHEARD, build, json_answer, parcel, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

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

    fn group(url: &str, chat: &str) -> Channel {
        let texts = [("api_url", url), ("private_addresses", "allow"), ("chat", chat)];
        build(&KIND, &texts, &[("token", TOKEN)]).unwrap()
    }

    /// As Telegram shows a message that answers another.
    fn replied(number: i64) -> String {
        let sent = include_str!("../../tests/fixtures/channels/telegram/sent.json");
        let mut sent: Value = serde_json::from_str(sent).unwrap();
        sent["result"]["reply_to_message"] =
            json!({"message_id": number, "text": "Online shop: payments fail"});
        sent.to_string()
    }

    #[tokio::test]
    async fn each_letter_answers_the_first_of_its_incident_in_a_group_or_a_channel() {
        let ok = include_str!("../../tests/fixtures/channels/telegram/sent.json");
        let answers = [ok, &replied(7), &replied(1360), ok].map(|answer| json_answer("200 OK", answer));
        let (url, requests) = receiver(answers.to_vec()).await;
        group(&url, "@example_status").send(&statement(1)).await;
        let next = |root: &str| Parcel { thread_root: Some(root.into()), ..statement(1) };
        let here = Outcome::Accepted { remote_id: Some("-1001234567890/1365".into()) };
        assert_eq!(group(&url, "-1001234567890").send(&next("-1001234567890/7")).await, here);
        // Older ids are of the chat that is written in the configuration.
        assert_eq!(group(&url, "-1001234567890").send(&next("1360")).await, here);
        // It was deleted, so the message answers none.
        let begun = Outcome::Begun { root: "-1001234567890/1365".into() };
        assert_eq!(group(&url, "-1001234567890").send(&next("-1001234567890/7")).await, begun);
        let requests = requests.await;
        let (first, second) = (requests[0].json(), requests[1].json());
        let text = "Online shop: payments fail\n\nIdentified\n\nSome payments by card fail. Payments by invoice work.\n\nNext update by 10:30 UTC.";
        let expected = json!({"chat_id": "@example_status", "text": text, "link_preview_options": {"is_disabled": true}});
        assert_eq!(first, expected);
        assert_eq!(second["chat_id"], -1_001_234_567_890_i64);
        assert_eq!(second["reply_parameters"], json!({"message_id": 7, "allow_sending_without_reply": true}));
        assert_eq!(requests[2].json()["reply_parameters"]["message_id"], 1360);
    }

    #[tokio::test]
    async fn what_stands_in_another_chat_is_not_answered_and_a_group_is_followed_where_it_went() {
        let ok = json_answer("200 OK", include_str!("../../tests/fixtures/channels/telegram/sent.json"));
        let there_1365 = json_answer("200 OK", &replied(1365));
        let moved =
            json_answer("400 Bad Request", include_str!("../../tests/fixtures/channels/telegram/moved.json"));
        let (url, requests) = receiver(vec![moved, ok, moved, there_1365, ok]).await;
        let next = |root: &str| Parcel { thread_root: Some(root.into()), ..statement(1) };
        let begun = Outcome::Begun { root: "-1001234567890/1365".into() };
        assert_eq!(
            group(&url, "-4012").send(&next("-4012/7")).await,
            begun,
            "the new group has no 7 of ours"
        );
        let there = Outcome::Accepted { remote_id: Some("-1001234567890/1365".into()) };
        assert_eq!(group(&url, "-4012").send(&next("-1001234567890/1365")).await, there);
        // The operator has written another chat.
        let other = Outcome::Begun { root: "@example_status/1365".into() };
        assert_eq!(group(&url, "@example_status").send(&next("-4012/7")).await, other);
        let requests = requests.await;
        let said: Vec<_> = requests
            .iter()
            .map(|seen| seen.json())
            .map(|body| (body["chat_id"].clone(), body["reply_parameters"]["message_id"].as_i64()))
            .collect();
        let (old, new) = (json!(-4012), json!(-1_001_234_567_890_i64));
        assert_eq!(
            said,
            [
                (old.clone(), Some(7)),
                (new.clone(), None),
                (old, None),
                (new, Some(1365)),
                (json!("@example_status"), None)
            ]
        );
    }

    #[tokio::test]
    async fn what_is_taken_back_is_deleted_in_the_chat_where_it_stands() {
        let ok = json_answer("200 OK", include_str!("../../tests/fixtures/channels/telegram/sent.json"));
        let deleted =
            json_answer("200 OK", include_str!("../../tests/fixtures/channels/telegram/deleted.json"));
        for (id, chat, number) in [
            ("-1009/55", json!(-1009), 55),
            ("@example_status/56", json!("@example_status"), 56),
            ("57", json!(-4012), 57),
        ] {
            let mut parcel = statement(1);
            let said = parcel.statement.as_mut().unwrap();
            said.sort = Sort::Retraction;
            said.mends = Some(Mended { id: "42-1".into(), at: said.at, remote_id: Some(id.into()) });
            let (url, requests) = receiver(vec![deleted, ok]).await;
            assert_eq!(group(&url, "-4012").send(&parcel).await.as_str(), "accepted");
            let requests = requests.await;
            assert_eq!(requests[0].json(), json!({"chat_id": chat, "message_id": number}));
            assert_eq!(requests[1].json()["chat_id"], -4012);
        }
    }

    #[tokio::test]
    async fn what_closes_the_chat_is_about_every_letter_and_what_is_wrong_with_one_is_not() {
        let kicked = include_str!("../../tests/fixtures/channels/telegram/kicked.json");
        let no_chat = include_str!("../../tests/fixtures/channels/telegram/no_chat.json");
        let rights = r#"{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}"#;
        let long = r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#;
        for (status, body, whole) in [
            ("403 Forbidden", kicked, true),
            ("400 Bad Request", no_chat, true),
            ("400 Bad Request", rights, true),
            ("400 Bad Request", long, false),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, body)]).await;
            let outcome = group(&url, "-4012").send(&statement(1)).await;
            assert!(
                matches!(outcome, Outcome::Refused { whole_channel, .. } if whole_channel == whole),
                "{outcome:?}"
            );
        }
    }
}
