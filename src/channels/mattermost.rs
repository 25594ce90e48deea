//! Mattermost: a post of a bot: in its direct chat with a person, where a page is urgent and has buttons that answer it; or in one
//! `channel`, with a thread for each incident.
//!
//! The address is the id of a user; the chat with them is made when there is none, which changes nothing when there is
//! one. `channel:ID` writes into a channel that is there. Buttons are there when there is a secret for them: Mattermost does
//! not sign what it sends to `/answers/mattermost`, so what it sends back is signed beforehand; and under a page to a user
//! only, because who presses one has to be whom the page went to.
//!
//! The delivery is the post's `pending_post_id`: for half a minute a server answers a repeat with the post it made (or
//! with 500, while it makes it); later a repeat is a second post in a person's own chat, which is harmless. Where the server
//! does not allow urgent posts, the page goes without. In a `channel` each post has its delivery among its `props` as well, and is
//! looked for by that, among what was written there since, before it is written again.
//!
//! It finds `@names` in addresses as well, so that there `%40` stands for the sign.
//!
//! A statement is written whole or not at all. One that is taken back is deleted; but with the first post of a thread all of the
//! thread would go, so that one is given the words that take it back.
//!
//! Errors are `{"id": "api.post...", "status_code": 403}`. 401 is the token: the whole way; so are 403 and 404 that are not
//! Mattermost's own: a wrong address of the server. Any other 403 and 404 is about this person, or about every letter
//! where the channel is our own.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::{Api, again, bounded, encode, refused, strange, usual, word};
use super::client::Answer;
use super::statement::Shown;
use super::tries::Tries;
use super::{BUTTONS, Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit, statement};
use crate::crypto;

/// Mattermost, to persons, or to one channel.
pub const KIND: Kind = Kind {
    name: "mattermost",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "channel", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Mattermost::build,
    address: Some(address),
    status: true,
};

/// The server's own limit.
const TEXT_CHARS_MAX: usize = 16_383;
/// Ids have so many small letters and digits.
const ID_CHARS: usize = 26;
/// Before the id of a channel.
const CHANNEL: &str = "channel:";
/// Where buttons go, under the address of our pages.
const ANSWERS: &str = "/answers/mattermost";

/// Among the props of a post: which delivery it is.
const DELIVERY: &str = "onscene_delivery";
/// What its Markdown may read as more than itself, and takes behind a backslash.
const MARKS: &str = "\\*_~`|[]()";
/// Clocks may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(10);
/// A server tells no more posts than this, and not always the newest of them.
const LOOK_POSTS_MAX: usize = 1000;
/// The first post of the thread is not there any more.
const ROOT_GONE: &str = "root_id";
const NO_CHANNEL: &str =
    "`channel` is the id of a channel, 26 small letters and digits (channel → View Info)";

/// One bot.
pub struct Mattermost {
    api: Api,
    /// Where status goes. None: it reaches persons.
    room: Option<String>,
    tries: Tries,
    /// What buttons are signed with.
    secret: Option<SecretString>,
    /// Its id, once it was asked for.
    own: OnceCell<String>,
}

#[derive(Deserialize)]
struct Said {
    id: String,
}

/// Posts of a channel.
#[derive(Deserialize)]
struct Read {
    posts: BTreeMap<String, Post>,
}

#[derive(Deserialize)]
struct Post {
    #[serde(default)]
    root_id: String,
    #[serde(default)]
    props: Value,
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
        let room = fields.texts.remove("channel");
        if room.as_ref().is_some_and(|room| !is_id(room)) {
            return Err(NO_CHANNEL.into());
        }
        Ok(Channel::Mattermost(Self { api, room, tries: Tries::default(), secret, own: OnceCell::new() }))
    }

    /// Whether status can go there.
    pub(super) fn takes_status(&self) -> Result<(), String> {
        self.room.as_ref().map(|_| ()).ok_or_else(|| NO_CHANNEL.into())
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if !parcel.to.is_empty() {
            return bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await;
        }
        let Some(room) = &self.room else { return refused("there is neither a channel nor a person", true) };
        if parcel.statement.is_some()
            && let Err(outcome) = shows(parcel).fitting()
        {
            return outcome;
        }
        let remove = |post| self.remove(parcel, post);
        let say = async { self.say(parcel, room).await.unwrap_or_else(|outcome| outcome) };
        let write = statement::in_place(parcel, remove, say);
        let look = async { self.look(parcel, room).await.map_err(statement::unseen) };
        bounded(self.tries.once(parcel, statement::found_in_place(parcel, remove, look), write)).await
    }

    /// Says something in a channel of our own: what keeps it from that keeps every letter from it.
    async fn say(&self, parcel: &Parcel, room: &str) -> Result<Outcome, Outcome> {
        let mut body = said_in_channel(parcel, room);
        let mut answer = self.api.post("/api/v4/posts", &body).await?;
        let is_gone = parcel.thread_root.is_some()
            && answer.status == StatusCode::BAD_REQUEST
            && id(&answer).is_some_and(|id| id.contains(ROOT_GONE));
        if let Some(body_of) = body.as_object_mut().filter(|_| is_gone) {
            // It begins another.
            body_of.remove("root_id");
            answer = self.api.post("/api/v4/posts", &body).await?;
        }
        Ok(match outcome(&answer) {
            Outcome::Accepted { remote_id: Some(id) } => Outcome::there(id, is_gone),
            Outcome::Refused { why, .. } if matches!(answer.status.as_u16(), 403 | 404) => {
                refused(&why, true)
            }
            other => other,
        })
    }

    /// Finds a letter that is in the channel already.
    async fn look(&self, parcel: &Parcel, room: &str) -> Result<Option<Outcome>, Outcome> {
        let since = parcel.created_at.saturating_sub(SKEW).map_or(0, jiff::Timestamp::as_millisecond);
        let answer = self.api.read(&format!("/api/v4/channels/{room}/posts?since={since}")).await?;
        if !answer.status.is_success() {
            return Err(outcome(&answer));
        }
        let read = serde_json::from_slice::<Read>(&answer.body).map_err(|_| strange("Mattermost"))?;
        let is_all = read.posts.len() < LOOK_POSTS_MAX;
        match read.posts.into_iter().find(|(_, post)| post.props[DELIVERY] == parcel.delivery) {
            Some((id, post)) => {
                Ok(Some(Outcome::there(id, post.root_id.is_empty() && parcel.thread_root.is_some())))
            }
            None if is_all => Ok(None),
            None => Err(Outcome::Unknown { why: "too much was written there since".into() }),
        }
    }

    /// Takes away what an earlier letter wrote. What is gone is deleted. With the first post of a thread, of this one or of one before
    /// it, its answers would go: it is given other words.
    async fn remove(&self, parcel: &Parcel, post: &str) -> Outcome {
        let path = format!("/api/v4/posts/{}", encode(post));
        let remove = async {
            let stands = self.api.get(&path).await?;
            if !stands.status.is_success() {
                return Ok(stands);
            }
            let post = serde_json::from_slice::<Post>(&stands.body).map_err(|_| strange("Mattermost"))?;
            match post.root_id.is_empty() {
                true => {
                    let words = json!({"message": written(&shows(parcel).text)});
                    self.api.put(&format!("{path}/patch"), &words).await
                }
                false => self.api.delete(&path).await,
            }
        };
        match remove.await {
            Ok(answer) if answer.status.is_success() => Outcome::Accepted { remote_id: None },
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && id(&answer).is_some() => {
                Outcome::Accepted { remote_id: None }
            }
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
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
        Ok(again(&answer, outcome(&answer)))
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
        let text = fit::quiet_in_addresses(&format!("{}\n\n{}", parcel.subject, parcel.text));
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

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = fit::quiet_in_addresses(&statement::words(parcel));
    let size = fit::length(&written(&text), fit::one);
    Shown { text, size, most: TEXT_CHARS_MAX, unit: "characters" }
}

/// Words that are shown, as they are written.
fn written(text: &str) -> String {
    statement::with_bold_title(text, "**", |text| fit::literal(text, MARKS))
}

fn said_in_channel(parcel: &Parcel, channel: &str) -> Value {
    let message = match parcel.statement {
        Some(_) => written(&shows(parcel).text),
        None => {
            let text = fit::quiet_in_addresses(&format!("{}\n\n{}", parcel.subject, parcel.text));
            fit::with_rest(&text, parcel.rest(), TEXT_CHARS_MAX, fit::one)
        }
    };
    let mut body = json!({
        "channel_id": channel,
        "message": message,
        "pending_post_id": parcel.delivery,
        "props": {DELIVERY: parcel.delivery},
    });
    if let Some(root) = &parcel.thread_root {
        body["root_id"] = root.clone().into();
    }
    body
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
        (false, None) => usual(answer, &[401, 403, 404, 410], None),
        (false, Some(id)) if answer.status == StatusCode::UNAUTHORIZED => usual(answer, &[401], word(&id)),
        (false, Some(id)) => usual(answer, &[410], word(&id)),
    }
}

fn is_id(id: &str) -> bool {
    id.len() == ID_CHARS && id.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
}

fn address(to: &str) -> Result<(), String> {
    if is_id(to.strip_prefix(CHANNEL).unwrap_or(to)) {
        return Ok(());
    }
    Err(format!(
        "the address of a person is the id of their user, {ID_CHARS} small letters and digits (their profile shows it to \
         administrators), or `{CHANNEL}` and the id of a channel"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::{MATTERMOST, UNHEARD, build, json_answer, parcel, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

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

    fn channel(url: &str) -> Channel {
        let texts = [("url", url), ("private_addresses", "allow"), ("channel", "directdirectdirectdirect26")];
        build(&KIND, &texts, &[("token", "not-a-real-token")]).unwrap()
    }

    #[tokio::test]
    async fn statements_of_one_incident_are_a_thread_and_each_post_says_which_delivery_it_is() {
        let made = json_answer("201 Created", fixture("post"));
        let no_root = json_answer("400 Bad Request", fixture("no_root"));
        let (url, requests) = receiver(vec![made, made, no_root, made]).await;
        let room = channel(&url);
        assert_eq!(room.send(&statement(1)).await.as_str(), "accepted");
        let root = Some("postpostpostpostpostpost26".to_owned());
        let text = "Identified\n\n# it_is [over](https://evil.example) @all\n- see https://example.net/a_b"
            .to_owned();
        let next = Parcel { thread_root: root, text, ..statement(1) };
        assert_eq!(room.send(&next).await.as_str(), "accepted");
        let begun = Outcome::Begun { root: "postpostpostpostpostpost26".into() };
        assert_eq!(room.send(&next).await, begun, "its root was deleted: it begins another");
        let requests = requests.await;
        let first = requests[0].json();
        assert_eq!(first["props"], json!({"onscene_delivery": "0123456789abcdef0123456789abcdef"}));
        assert_eq!(
            (&first["channel_id"], first.get("root_id")),
            (&"directdirectdirectdirect26".into(), None)
        );
        assert_eq!((first.get("metadata"), &first["pending_post_id"]), (None, &statement(1).delivery.into()));
        let second = requests[1].json();
        assert_eq!(second["root_id"], "postpostpostpostpostpost26");
        let message = "**Online shop: payments fail**\n\nIdentified\n\n\\# it\\_is \\[over\\]\u{200b}\\(https://evil.example) @\u{200b}all\n\\- see https://example.net/a_b";
        assert_eq!(second["message"], message);
        assert_eq!((&requests[2].body, requests[3].json().get("root_id")), (&requests[1].body, None));
    }

    #[tokio::test]
    async fn the_first_post_of_a_thread_is_given_other_words_and_the_thread_stays() {
        let made = json_answer("201 Created", fixture("post"));
        let found = json_answer("200 OK", fixture("post"));
        // Of the thread that goes on, and of one that another took the place of.
        for root in ["postpostpostpostpostpost26", "otherotherotherotherother2"] {
            let (url, requests) = receiver(vec![found, found, made]).await;
            let mut retraction = statement(1);
            let said = retraction.statement.as_mut().unwrap();
            said.sort = Sort::Retraction;
            let remote_id = Some("postpostpostpostpostpost26".into());
            said.mends = Some(Mended { id: "42-1".into(), at: said.at, remote_id });
            retraction.thread_root = Some(root.into());
            assert_eq!(channel(&url).send(&retraction).await.as_str(), "accepted");
            let requests = requests.await;
            let line = "PUT /api/v4/posts/postpostpostpostpostpost26/patch ";
            assert!(requests[1].line.starts_with(line), "{}", requests[1].line);
            assert_eq!(requests[1].json(), json!({"message": requests[2].json()["message"]}));
        }
    }

    #[tokio::test]
    async fn what_closes_the_channel_is_about_every_letter() {
        let (url, _requests) = receiver(vec![json_answer("403 Forbidden", fixture("not_here"))]).await;
        let why = "answered 403 (api.context.permissions.app_error)".to_owned();
        let outcome = channel(&url).send(&statement(1)).await;
        assert_eq!(outcome, Outcome::Refused { why, whole_channel: true });
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("nothing")), ""]).await;
        assert_eq!(channel(&url).send(&statement(2)).await.as_str(), "unknown");
        let line = "GET /api/v4/channels/directdirectdirectdirect26/posts?since=1795399400000 ";
        assert!(requests.await[0].line.starts_with(line));
    }

    #[tokio::test]
    async fn a_list_that_may_have_been_cut_short_says_nothing_of_what_is_not_in_it() {
        let list = |count: usize, own: Value| {
            let post = |number: usize| (format!("{number:026}"), json!({"props": {}, "root_id": ""}));
            let mut posts: serde_json::Map<String, Value> = (0..count).map(post).collect();
            posts[&format!("{:026}", 7)] = own;
            json_answer("200 OK", &json!({"order": [], "posts": posts}).to_string())
        };
        let (other, ours) = (json!({"props": {}}), json!({"props": {DELIVERY: statement(1).delivery}}));
        let made = json_answer("201 Created", fixture("post"));
        let (url, requests) = receiver(vec![list(LOOK_POSTS_MAX, other.clone())]).await;
        let why = "an attempt before may have written it, and it cannot be looked for: too much was written there since";
        assert_eq!(channel(&url).send(&statement(2)).await, Outcome::Unknown { why: why.into() });
        assert_eq!(requests.await.len(), 1, "nothing was written");
        let (url, _requests) = receiver(vec![list(LOOK_POSTS_MAX, ours.clone())]).await;
        let there = format!("{:026}", 7);
        assert_eq!(
            channel(&url).send(&statement(2)).await,
            Outcome::Accepted { remote_id: Some(there.clone()) }
        );
        let (url, _requests) = receiver(vec![list(LOOK_POSTS_MAX - 1, other), made]).await;
        let written = Some("postpostpostpostpostpost26".to_owned());
        assert_eq!(channel(&url).send(&statement(2)).await, Outcome::Accepted { remote_id: written });
        // One that had to begin another thread is found as such.
        let (url, _requests) = receiver(vec![list(8, ours)]).await;
        let next = Parcel { thread_root: Some("firstfirstfirstfirstfirs26".into()), ..statement(2) };
        assert_eq!(channel(&url).send(&next).await, Outcome::Begun { root: there });
    }

    #[tokio::test]
    async fn an_address_calls_nobody_in_a_channel() {
        let made = json_answer("201 Created", fixture("post"));
        let (url, requests) = receiver(vec![made; 2]).await;
        let text = "Identified\n\nSee https://social.example/@maya".to_owned();
        channel(&url).send(&Parcel { text: text.clone(), ..statement(1) }).await;
        channel(&url).send(&Parcel { statement: None, text, ..statement(1) }).await;
        for request in requests.await {
            let message = request.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("https://social.example/%40maya"), "{message}");
        }
    }
}
