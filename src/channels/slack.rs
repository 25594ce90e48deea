//! Slack: `chat.postMessage` with a bot token (scope `chat:write`): to a room, with one thread for each incident, or to
//! a person, whose address is the id of a user (the direct message is opened by it) or of a direct message.
//!
//! Under a page to a person are buttons. Those that answer are there when Slack's calls to `/answers/slack` are believed (the
//! app's "interactivity" has to lead there), each with its word for `action_id` and the delivery for its value; and under
//! pages to a user only, because who presses one has to be whom the page went to. A person has one conversation with the
//! bot, so it is not divided into threads.
//!
//! Slack documents no idempotency, so what may have been written is not written again: the fallback
//! channel says so. (A page is, because an unwoken person is worse.) A statement is looked for first, by the delivery in its metadata,
//! among what was written in its thread, or in the room, since it was made (scopes `channels:history` and its like). Where the
//! token may not read there, nobody knows, and it is not written again either.
//!
//! A statement is plain text, without any mark, whole or not at all. One that is taken back is deleted. Errors come as HTTP 200 with `"ok": false`; the
//! tables below follow the published method reference. A 404 of the address itself is a wrong `api_url`.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{StatusCode, Uri};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, busy, encode, of_letter, refused, strange, word};
use super::client::Answer;
use super::statement::Shown;
use super::tries::Tries;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit, statement};

/// Slack by bot token.
pub const KIND: Kind = Kind {
    name: "slack",
    keys: &[
        Key { name: "token", secret: true, required: true },
        Key { name: "room", secret: false, required: false },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "hooks_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Slack::build,
    address: Some(address),
    status: true,
};

/// Where whoever pressed a button is answered (`hooks_url`): Slack names an address there with each press, and no other is
/// written to.
pub const HOOKS_URL: &str = "https://hooks.slack.com";
/// Where the method is. GovSlack and test servers live elsewhere (`api_url`).
const API_URL: &str = "https://slack.com/api";
/// Beyond about this many characters Slack splits a message into several.
const TEXT_CHARS_MAX: usize = 3900;
/// So much of a statement is one message, with its escapes.
const STATEMENT_CHARS_MAX: usize = 4000;
/// A section of a message with buttons takes so much, and so does what the notification shows.
const SECTION_CHARS_MAX: usize = 3000;

const NO_ROOM: &str = "`room` is the id of a channel, such as C0123456789";
/// Ids of users begin so.
const USERS: [char; 2] = ['U', 'W'];
/// An id of Slack is longer than this and its first letter.
const ID_CHARS_MIN: usize = 6;
/// Not now.
const LATER: &[&str] =
    &["ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"];
/// It may have been written.
const PERHAPS: &[&str] = &["fatal_error", "internal_error"];
/// This letter only; the next one may be taken.
const THIS_LETTER: &[&str] =
    &["msg_too_long", "no_text", "invalid_blocks", "invalid_arguments", "too_many_attachments"];

/// About this person only: a user or a direct message that is not there, or cannot be written to.
const THIS_PERSON: &[&str] = &[
    "channel_not_found",
    "user_not_found",
    "users_not_found",
    "user_disabled",
    "user_not_in_channel",
    "not_in_channel",
    "is_archived",
    "cannot_dm_bot",
    "message_limit_exceeded",
    "restricted_action",
];

/// The thread cannot be written to: its first message was deleted, or takes no answers.
const THREAD_GONE: &[&str] =
    &["thread_not_found", "message_not_found", "cannot_reply_to_message", "restricted_action_thread_locked"];
/// The token, or the app's place in the room, does not let it read there, and will not at the next attempt.
const UNREADABLE: &[&str] =
    &["missing_scope", "not_in_channel", "channel_not_found", "not_allowed_token_type", "no_permission"];
/// Messages that are asked for at once, and how often.
const LOOK_MESSAGES: usize = 200;
const LOOK_PAGES_MAX: usize = 4;
/// Clocks may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// One room, or everybody in a workspace.
pub struct Slack {
    api: Api,
    /// None: it reaches persons.
    room: Option<String>,
    /// Buttons are heard.
    is_heard: bool,
    tries: Tries,
    /// It was told that it may not read.
    is_blind: AtomicBool,
}

#[derive(Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    ts: Option<String>,
}

/// A page of what was written in a room, or in a thread.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    response_metadata: Next,
}

#[derive(Deserialize, Default)]
struct Next {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
struct Message {
    ts: String,
    thread_ts: Option<String>,
    #[serde(default)]
    metadata: Value,
}

impl Slack {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let room = fields.texts.remove("room");
        if room.as_ref().is_some_and(String::is_empty) {
            return Err(NO_ROOM.into());
        }
        let is_heard = shared.heard.slack;
        let api = Api::new(&mut fields, shared, "api_url", Some(API_URL))?.bearer(&token)?;
        let hooks = fields.texts.remove("hooks_url").unwrap_or_else(|| HOOKS_URL.into());
        let hooks: Uri = hooks.parse().map_err(|_| "`hooks_url` is no address".to_owned())?;
        let is_origin = hooks.path_and_query().is_none_or(|path| path.as_str() == "/");
        if !matches!(hooks.scheme_str(), Some("http" | "https")) || !is_origin {
            return Err("`hooks_url` is https:// and a host, and nothing behind it".into());
        }
        let (tries, is_blind) = (Tries::default(), AtomicBool::new(false));
        Ok(Channel::Slack(Self { api, room, is_heard, tries, is_blind }))
    }

    /// Where status goes.
    pub(super) fn room(&self) -> Option<String> {
        self.room.clone()
    }

    /// Whether status can go there.
    pub(super) fn takes_status(&self) -> Result<(), String> {
        self.room.as_ref().map(|_| ()).ok_or_else(|| NO_ROOM.into())
    }

    /// Whether a statement can be looked for, as far as is known.
    pub(super) fn can_look(&self) -> bool {
        !self.is_blind.load(Ordering::Acquire)
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        match &self.room {
            _ if !parcel.to.is_empty() => self.post(parcel, &self.direct(parcel)).await,
            Some(room) if parcel.statement.is_some() => bounded(self.state(parcel, room)).await,
            Some(room) => bounded(self.say(parcel, body(parcel, room))).await,
            None => refused("there is neither a room nor a person", true),
        }
    }

    /// Says something in the room: in its thread, or where that is gone as the first of another.
    async fn say(&self, parcel: &Parcel, mut body: Value) -> Outcome {
        let outcome = self.post(parcel, &body).await;
        let is_gone = matches!(&outcome, Outcome::Refused { why, .. } if THREAD_GONE.contains(&why.as_str()));
        if !is_gone || parcel.thread_root.is_none() {
            return outcome;
        }
        if let Some(body) = body.as_object_mut() {
            body.retain(|key, _| !matches!(key.as_str(), "thread_ts" | "reply_broadcast"));
        }
        match self.post(parcel, &body).await {
            Outcome::Accepted { remote_id: Some(ts) } => Outcome::Begun { root: ts },
            other => other,
        }
    }

    async fn post(&self, parcel: &Parcel, body: &Value) -> Outcome {
        match self.api.post("/chat.postMessage", body).await {
            Ok(answer) => of_letter(parcel, &answer, outcome(&answer, !parcel.to.is_empty())),
            Err(outcome) => outcome,
        }
    }

    /// Says a statement in the room.
    async fn state(&self, parcel: &Parcel, room: &str) -> Outcome {
        if let Err(outcome) = shows(parcel).fitting() {
            return outcome;
        }
        let remove = |ts| self.remove(room, ts);
        let write = statement::in_place(parcel, remove, self.say(parcel, stated(parcel, room)));
        let look = async { self.look(parcel, room).await.map_err(|outcome| self.unseen(outcome)) };
        self.tries.once(parcel, statement::found_in_place(parcel, remove, look), write).await
    }

    fn unseen(&self, outcome: Outcome) -> Outcome {
        if matches!(&outcome, Outcome::Refused { why, .. } if UNREADABLE.contains(&why.as_str())) {
            self.is_blind.store(true, Ordering::Release);
        }
        statement::unseen(outcome)
    }

    /// Finds a statement that is there already, in its thread or in the room.
    async fn look(&self, parcel: &Parcel, room: &str) -> Result<Option<Outcome>, Outcome> {
        if let Some(root) = &parcel.thread_root {
            let found =
                self.read(parcel, &format!("/conversations.replies?ts={}&", encode(root)), room).await;
            let is_gone = matches!(&found, Err(Outcome::Refused { why, .. }) if why == "thread_not_found");
            if !is_gone && !matches!(found, Ok(None)) {
                return found;
            }
        }
        // One that had to begin another thread stands in the room.
        self.read(parcel, "/conversations.history?", room).await
    }

    async fn read(&self, parcel: &Parcel, method: &str, room: &str) -> Result<Option<Outcome>, Outcome> {
        let since = parcel.created_at.saturating_sub(SKEW).map_or(0, jiff::Timestamp::as_second);
        let mut cursor = String::new();
        for _ in 0..LOOK_PAGES_MAX {
            let path = format!(
                "{method}channel={}&oldest={since}&limit={LOOK_MESSAGES}&include_all_metadata=true&cursor={}",
                encode(room),
                encode(&cursor)
            );
            let answer = self.api.read(&path).await?;
            match outcome(&answer, false) {
                Outcome::Accepted { .. } => {}
                other => return Err(other),
            }
            let Ok(read) = serde_json::from_slice::<Read>(&answer.body) else { return Err(strange("Slack")) };
            let is_it = |message: &&Message| message.metadata["event_payload"]["delivery"] == parcel.delivery;
            if let Some(message) = read.messages.iter().find(is_it) {
                let is_first = message.thread_ts.as_ref().is_none_or(|root| *root == message.ts);
                return Ok(Some(Outcome::there(
                    message.ts.clone(),
                    is_first && parcel.thread_root.is_some(),
                )));
            }
            cursor = read.response_metadata.next_cursor;
            if cursor.is_empty() {
                return Ok(None);
            }
        }
        Err(Outcome::Unknown { why: "too much was written there since".into() })
    }

    /// Deletes what an earlier letter wrote. What is gone is deleted.
    async fn remove(&self, room: &str, ts: &str) -> Outcome {
        match self.api.post("/chat.delete", &json!({"channel": room, "ts": ts})).await {
            Ok(answer) => match outcome(&answer, false) {
                Outcome::Refused { why, .. } if why == "message_not_found" => {
                    Outcome::Accepted { remote_id: None }
                }
                other => other,
            },
            Err(outcome) => outcome,
        }
    }

    /// What is said to a person.
    fn direct(&self, parcel: &Parcel) -> Value {
        let link = parcel.answer.as_deref();
        let whole = format!("*{}*\n{}", escape(&parcel.subject), escape(&parcel.text));
        // The link stands in the button; where a text is cut, an escape is not.
        let place = parcel.place().map(escape);
        let text = uncut(&fit::with_meet(&whole, link, place.as_deref(), SECTION_CHARS_MAX, fit::one));
        let mut blocks = vec![json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})];
        let button = |id: &str, label: &str| json!({"type": "button", "action_id": id, "text": {"type": "plain_text", "text": label}});
        let mut buttons = Vec::new();
        if self.is_heard && parcel.asks_for_command() && parcel.to.starts_with(USERS) {
            for (id, label) in BUTTONS {
                let mut button = button(id, label);
                button["value"] = parcel.delivery.clone().into();
                buttons.push(button);
            }
            buttons[0]["style"] = "primary".into();
        }
        if let Some(link) = link {
            let mut button = button("open", "Answer page");
            button["url"] = link.into();
            buttons.push(button);
        }
        if !buttons.is_empty() {
            blocks.push(json!({"type": "actions", "elements": buttons}));
        }
        let mut body = said(parcel, &parcel.to, &text);
        body["blocks"] = blocks.into();
        body
    }
}

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = fit::quiet(&statement::words(parcel));
    let size = fit::length(&escape(&text), fit::one);
    Shown { text, size, most: STATEMENT_CHARS_MAX, unit: "characters" }
}

/// A statement, as it is said in a room: without marks nothing in it is more than words.
fn stated(parcel: &Parcel, room: &str) -> Value {
    let mut body = said(parcel, room, &escape(&shows(parcel).text));
    body["mrkdwn"] = false.into();
    in_thread(body, parcel)
}

/// What is said in a room.
fn body(parcel: &Parcel, room: &str) -> Value {
    let whole = format!("*{}*\n{}", escape(&parcel.subject), escape(&parcel.text));
    let mut text: String = whole.chars().take(TEXT_CHARS_MAX).collect();
    if text.len() < whole.len() {
        text.push_str("\n(cut here; the rest stands on the incident's page)");
    }
    in_thread(said(parcel, room, &text), parcel)
}

fn in_thread(mut body: Value, parcel: &Parcel) -> Value {
    if let Some(root) = &parcel.thread_root {
        body["thread_ts"] = root.clone().into();
        // The first message of the thread stays in the room; its changes belong there too.
        body["reply_broadcast"] = true.into();
    }
    body
}

fn said(parcel: &Parcel, channel: &str, text: &str) -> Value {
    json!({
        "channel": channel,
        "text": text,
        "unfurl_links": false,
        "unfurl_media": false,
        // Says which delivery this was, should somebody have to look for it.
        "metadata": {"event_type": "onscene_delivery", "event_payload": {"delivery": parcel.delivery}},
    })
}

/// Takes the beginning of an escape away that was cut in two.
fn uncut(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('&').filter(|(_, after)| after.contains('…')) else {
        return text.to_owned();
    };
    match after.split_once('…') {
        Some((cut, rest)) if !cut.contains(';') && cut.len() < "amp;".len() => format!("{before}…{rest}"),
        _ => text.to_owned(),
    }
}

fn outcome(answer: &Answer, to_person: bool) -> Outcome {
    let why = format!("answered {}", answer.status.as_u16());
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => return Outcome::Wait { after: answer.retry_after, why },
        StatusCode::SERVICE_UNAVAILABLE => return busy(answer, why),
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
    let error = said.error.as_deref().and_then(word).unwrap_or("an error without a name").to_owned();
    if LATER.contains(&error.as_str()) {
        Outcome::Wait { after: answer.retry_after, why: error }
    } else if PERHAPS.contains(&error.as_str()) {
        Outcome::Unknown { why: error }
    } else {
        // Login, room and rights concern the whole channel; so does what is not known here.
        let is_one = |errors: &[&str]| errors.contains(&error.as_str());
        let one = is_one(THIS_LETTER) || is_one(THREAD_GONE) || to_person && is_one(THIS_PERSON);
        refused(&error, !one)
    }
}

fn address(id: &str) -> Result<(), String> {
    let rest = id.get(1..).unwrap_or_default();
    let fits = rest.len() >= ID_CHARS_MIN
        && rest.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit());
    if fits && (id.starts_with(USERS) || id.starts_with('D')) {
        return Ok(());
    }
    Err("the address of a person is the id of their user, such as U0123456789 (profile → more → copy member ID), or of a \
         direct message, which begins with D"
        .into())
}

/// Slack's three special characters; without them nothing in an alert can mention a whole room.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::stories::{UNHEARD, build, parcel, receiver, statement};
    use super::*;

    fn room(url: &str) -> Channel {
        let texts = [("room", "C0123"), ("api_url", url), ("private_addresses", "allow")];
        build(&KIND, &texts, &[("token", "xoxb-not-a-real-token")]).unwrap()
    }

    fn letter(attempt: u32) -> Parcel {
        Parcel { to: String::new(), ..parcel(attempt) }
    }

    fn person(url: &str, heard: bool) -> Channel {
        let texts = [("api_url", url), ("private_addresses", "allow"), UNHEARD];
        let texts = if heard { &texts[..2] } else { &texts[..] };
        build(&KIND, texts, &[("token", "xoxb-not-a-real-token")]).unwrap()
    }

    fn page() -> Parcel {
        Parcel { to: "U0123456789".into(), thread_root: Some("1.2".into()), ..parcel(1) }
    }

    #[tokio::test]
    async fn a_page_to_a_person_has_buttons_that_answer_and_one_that_opens_the_answer_page() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let (url, requests) = receiver(vec![said(ok); 4]).await;
        person(&url, true).send(&page()).await;
        person(&url, false).send(&page()).await;
        person(&url, true).send(&Parcel { event_type: "notice.taken".into(), answer: None, ..page() }).await;
        person(&url, true).send(&Parcel { to: "D0123ABCD".into(), ..page() }).await;
        let requests = requests.await;
        let body = requests[0].json();
        assert_eq!((&body["channel"], &body["thread_ts"]), (&"U0123456789".into(), &Value::Null));
        let text = body["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt;"), "{text}");
        let buttons = body["blocks"][1]["elements"].as_array().unwrap();
        let ids: Vec<_> = buttons.iter().map(|button| button["action_id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["take", "help", "decline", "open"]);
        assert_eq!(buttons[0]["value"], "0123456789abcdef0123456789abcdef");
        assert_eq!(buttons[2]["value"], "0123456789abcdef0123456789abcdef");
        assert_eq!(buttons[3]["url"], "https://onscene.example.net/r/TOKEN");
        let unheard = requests[1].json();
        assert_eq!(unheard["blocks"][1]["elements"].as_array().unwrap().len(), 1, "{unheard}");
        assert_eq!(requests[2].json()["blocks"].as_array().unwrap().len(), 1);
        let direct = requests[3].json();
        assert_eq!(
            direct["blocks"][1]["elements"].as_array().unwrap().len(),
            1,
            "who presses would not be known: {direct}"
        );
    }

    #[tokio::test]
    async fn a_long_page_keeps_its_link_and_no_half_of_an_escape() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let (url, requests) = receiver(vec![said(ok); 5]).await;
        let channel = person(&url, true);
        for more in 0..5 {
            channel
                .send(&Parcel { text: format!("{}{}", "x".repeat(more), "&".repeat(9000)), ..page() })
                .await;
        }
        for request in requests.await {
            let text = request.json()["blocks"][0]["text"]["text"].as_str().unwrap().to_owned();
            assert!(text.chars().count() <= SECTION_CHARS_MAX, "{}", text.chars().count());
            assert!(text.ends_with("&amp;…\nhttps://onscene.example.net/r/TOKEN"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_person_who_is_not_there_is_not_the_ways_fault() {
        for (error, whole) in
            [("channel_not_found", false), ("invalid_auth", true), ("messages_tab_disabled", true)]
        {
            let answer = said(&format!(r#"{{"ok":false,"error":"{error}"}}"#));
            let (url, _requests) = receiver(vec![answer]).await;
            let outcome = person(&url, true).send(&page()).await;
            assert_eq!(outcome, Outcome::Refused { why: error.into(), whole_channel: whole });
        }
    }

    #[test]
    fn a_person_has_an_id_and_status_needs_a_room() {
        assert_eq!(
            (address("U0123456789"), address("W012A3CDE"), address("D0123ABCD")),
            (Ok(()), Ok(()), Ok(()))
        );
        for wrong in ["", "@maya", "C0123456789", "U12", "u0123456789"] {
            assert!(address(wrong).unwrap_err().contains("id of their user"), "{wrong}");
        }
        let Channel::Slack(slack) = person("http://127.0.0.1:1", true) else { panic!("Slack") };
        assert!(slack.takes_status().unwrap_err().contains("`room`"));
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
        let first = channel.send(&letter(1)).await;
        assert_eq!(first, Outcome::Accepted { remote_id: Some("1503435956.000247".into()) });
        let reply = Parcel { thread_root: Some("1503435956.000247".into()), ..letter(1) };
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
            let outcome = room(&url).send(&letter(1)).await;
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
            assert_eq!(room(&url).send(&letter(1)).await.as_str(), meant, "{status}");
        }
    }

    #[tokio::test]
    async fn a_long_text_is_cut_and_says_so() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let (url, requests) = receiver(vec![said(ok)]).await;
        let long = Parcel { text: "x".repeat(10_000), ..letter(1) };
        room(&url).send(&long).await;
        let body: serde_json::Value = serde_json::from_str(&requests.await[0].body).unwrap();
        let text = body["text"].as_str().unwrap();
        assert!(text.len() < 4000 && text.contains("cut here"), "{}", text.len());
    }

    fn again() -> Parcel {
        Parcel { thread_root: Some("1795390000.000100".into()), ..statement(2) }
    }

    #[tokio::test]
    async fn a_statement_is_looked_for_in_its_thread_first_and_page_by_page() {
        let more = include_str!("../../tests/fixtures/channels/slack/more.json");
        let nothing = include_str!("../../tests/fixtures/channels/slack/nothing.json");
        let there = include_str!("../../tests/fixtures/channels/slack/history.json");
        let (url, requests) = receiver(vec![said(more), said(nothing), said(there)]).await;
        let channel = room(&url);
        let found = Outcome::Begun { root: "1795400010.000200".into() };
        assert_eq!(channel.send(&again()).await, found, "it stands there by itself, so it began another");
        let requests = requests.await;
        let lines: Vec<_> = requests.iter().map(|seen| seen.line.as_str()).collect();
        let rest = "channel=C0123&oldest=1795399400&limit=200&include_all_metadata=true&cursor=";
        assert_eq!(
            lines,
            [
                format!("GET /conversations.replies?ts=1795390000.000100&{rest} HTTP/1.1"),
                format!(
                    "GET /conversations.replies?ts=1795390000.000100&{rest}bmV4dF90czoxNzk1NDAwMDIwMDAwMTAw HTTP/1.1"
                ),
                format!("GET /conversations.history?{rest} HTTP/1.1"),
            ]
        );
        let (url, requests) = receiver(vec![said(more); LOOK_PAGES_MAX]).await;
        assert_eq!(room(&url).send(&statement(2)).await.as_str(), "unknown", "it may be further back");
        assert_eq!(requests.await.len(), LOOK_PAGES_MAX);
    }

    #[tokio::test]
    async fn a_token_that_may_not_read_writes_once_and_says_why() {
        let no_scope = include_str!("../../tests/fixtures/channels/slack/no_scope.json");
        let (url, requests) = receiver(vec!["", said(no_scope)]).await;
        let channel = room(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown");
        assert!(channel.recognises_repeats(&statement(1)) && !channel.recognises_repeats(&letter(1)));
        let held = channel.send(&statement(2)).await;
        let why = "an attempt before may have written it, and it cannot be looked for: missing_scope".into();
        assert_eq!(held, Outcome::Unknown { why });
        assert!(!channel.recognises_repeats(&statement(2)), "it is not asked for again");
        assert_eq!(requests.await.len(), 2);
    }

    #[tokio::test]
    async fn a_statement_is_plain_words_in_its_thread_and_begins_another_when_that_is_gone() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        let gone = r#"{"ok":false,"error":"thread_not_found"}"#;
        let (url, requests) = receiver(vec![said(gone), said(ok)]).await;
        let sent = room(&url).send(&Parcel { attempt: 1, ..again() }).await;
        assert_eq!(sent, Outcome::Begun { root: "1503435956.000247".into() });
        let requests = requests.await;
        let (first, second) = (requests[0].json(), requests[1].json());
        assert_eq!(
            (&first["thread_ts"], &first["reply_broadcast"]),
            (&"1795390000.000100".into(), &true.into())
        );
        assert_eq!((second.get("thread_ts"), second.get("reply_broadcast")), (None, None));
        let text = "Online shop: payments fail\n\nIdentified\n\nSome payments by card fail. Payments by invoice work.\n\nNext update by 10:30 UTC.";
        assert_eq!((&second["text"], &second["mrkdwn"]), (&text.into(), &false.into()));
        assert_eq!(second["metadata"]["event_payload"]["delivery"], "0123456789abcdef0123456789abcdef");
    }

    #[tokio::test]
    async fn a_thread_that_is_gone_is_about_no_other_letter_and_status_begins_another() {
        let ok = include_str!("../../tests/fixtures/channels/slack/ok.json");
        for error in THREAD_GONE {
            let gone = said(&format!(r#"{{"ok":false,"error":"{error}"}}"#));
            let (url, requests) = receiver(vec![gone, said(ok)]).await;
            let next = Parcel { thread_root: Some("1795390000.000100".into()), ..letter(1) };
            let sent = room(&url).send(&next).await;
            assert_eq!(sent, Outcome::Begun { root: "1503435956.000247".into() }, "{error}");
            let second = requests.await[1].json();
            assert_eq!((second.get("thread_ts"), second.get("reply_broadcast")), (None, None));
            let (url, _requests) = receiver(vec![gone; 2]).await;
            let refused = Outcome::Refused { why: (*error).to_owned(), whole_channel: false };
            assert_eq!(room(&url).send(&next).await, refused);
        }
    }
}
