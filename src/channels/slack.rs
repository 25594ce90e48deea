//! Slack: `chat.postMessage` with a bot token (scope `chat:write`): to a room, with one thread for each incident, or to
//! a person, whose address is the id of a user (the direct message is opened by it) or of a direct message.
//!
//! Under a page to a person are buttons. Those that answer are there when Slack's calls to `/answers/slack` are believed (the
//! app's "interactivity" has to lead there), each with its word for `action_id` and the delivery for its value; and under
//! pages to a user only, because who presses one has to be whom the page went to. A person has one conversation with the
//! bot, so it is not divided into threads.
//!
//! Slack documents no idempotency, so what may have been written is not written again: the fallback
//! channel says so. (A page is, because an unwoken person is worse.) Errors come as HTTP 200 with `"ok": false`; the
//! tables below follow the published method reference. A 404 of the address itself is a wrong `api_url`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Answer, Client, Failure, Reach};
use super::webhook::reach;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit};

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

/// One room, or everybody in a workspace.
pub struct Slack {
    client: Client,
    uri: Uri,
    reach: Reach,
    token: SecretString,
    /// None: it reaches persons.
    room: Option<String>,
    /// Buttons are heard.
    is_heard: bool,
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
        let room = fields.texts.remove("room");
        if room.as_ref().is_some_and(String::is_empty) {
            return Err(NO_ROOM.into());
        }
        let is_heard = shared.heard.slack;
        let api = fields.texts.remove("api_url").unwrap_or_else(|| API_URL.into());
        let uri = format!("{}/chat.postMessage", api.trim_end_matches('/'));
        let uri: Uri = uri.parse().map_err(|_| "`api_url` is no address".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("`api_url` begins with https://".into());
        }
        let hooks = fields.texts.remove("hooks_url").unwrap_or_else(|| HOOKS_URL.into());
        let hooks: Uri = hooks.parse().map_err(|_| "`hooks_url` is no address".to_owned())?;
        let is_origin = hooks.path_and_query().is_none_or(|path| path.as_str() == "/");
        if !matches!(hooks.scheme_str(), Some("http" | "https")) || !is_origin {
            return Err("`hooks_url` is https:// and a host, and nothing behind it".into());
        }
        let reach = reach(fields.texts.get("private_addresses").map(String::as_str))?;
        Ok(Channel::Slack(Self { client: shared.client.clone(), uri, reach, token, room, is_heard }))
    }

    /// Whether status can go there.
    pub(super) fn takes_status(&self) -> Result<(), String> {
        self.room.as_ref().map(|_| ()).ok_or_else(|| NO_ROOM.into())
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
        let (body, to_person) = match &self.room {
            _ if !parcel.to.is_empty() => (self.direct(parcel), true),
            Some(room) => (body(parcel, room), false),
            None => return refused("there is neither a room nor a person", true),
        };
        match self.client.post(self.reach, &self.uri, headers, body).await {
            Ok(answer) => outcome(&answer, to_person),
            Err(Failure::NotSent(why)) => Outcome::Wait { after: None, why },
            Err(Failure::Maybe(why)) => Outcome::Unknown { why },
        }
    }

    /// What is said to a person.
    fn direct(&self, parcel: &Parcel) -> Bytes {
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
        Bytes::from(body.to_string())
    }
}

/// What is said in a room.
fn body(parcel: &Parcel, room: &str) -> Bytes {
    let whole = format!("*{}*\n{}", escape(&parcel.subject), escape(&parcel.text));
    let mut text: String = whole.chars().take(TEXT_CHARS_MAX).collect();
    if text.len() < whole.len() {
        text.push_str("\n(cut here; the rest stands on the incident's page)");
    }
    let mut body = said(parcel, room, &text);
    if let Some(root) = &parcel.thread_root {
        body["thread_ts"] = root.clone().into();
        // The first message of the thread stays in the room; its changes belong there too.
        body["reply_broadcast"] = true.into();
    }
    Bytes::from(body.to_string())
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
        let one = THIS_LETTER.contains(&error.as_str()) || to_person && THIS_PERSON.contains(&error.as_str());
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

fn refused(why: &str, whole_channel: bool) -> Outcome {
    Outcome::Refused { why: why.into(), whole_channel }
}

/// Slack's three special characters; without them nothing in an alert can mention a whole room.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::stories::{UNHEARD, build, parcel, receiver};
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
}
