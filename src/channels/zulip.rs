//! Zulip: a message of a bot to a channel, with the incident's title for its topic, which is the thread.
//!
//! Zulip knows no idempotency: `local_id` and `queue_id`, which a message may bring along, are handed back to whoever listens to
//! that queue, and nothing is recognised by them. So what may have been written is not written again; the fallback says so. A
//! statement is looked for among what the bot wrote in the channel since it was made, by its words, and written only where it is not.
//! So the bot has to be able to read the channel: in a private one it is subscribed.
//!
//! A statement begins with its title, because topics are short; it is written whole or not at all. One that is taken back is deleted, which
//! the organization has to allow bots; whether one that cannot be was gone before, Zulip does not tell.
//!
//! `@**all**` and its like are broken, as are addresses behind other words; a line that would begin a block of code, which swallows
//! what follows, and a command (`/poll`) at the beginning are kept from it.
//!
//! Errors are `{"result": "error", "code": "STREAM_DOES_NOT_EXIST", "msg": ...}`, whatever the status is, 200 too; `code` decides, for `msg`
//! is in the language of the server. The bot, its key, its organization and the channel concern every letter, as do 401, 403
//! and 404. That the bot may not write there has no code of its own, and is told of each letter.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::api::{Api, bounded, encode, of_letter, refused, strange, usual, word};
use super::client::Answer;
use super::statement::Shown;
use super::tries::Tries;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit, statement};

/// Zulip, by a bot.
pub const KIND: Kind = Kind {
    name: "zulip",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "email", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "room", secret: false, required: true },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Zulip::build,
    address: None,
    status: true,
};

/// Ten thousand characters by now, and bytes in older words of the documentation. The server cuts what is longer.
const CONTENT_CHARS_MAX: usize = 10_000;
const CONTENT_BYTES_MAX: usize = 10_000;
/// So many messages of the bot are looked at.
const LOOK_MESSAGES_MAX: usize = 100;
/// Clocks may differ by so much.
const SKEW_S: i64 = 600;
/// What a server takes that says nothing else.
const TOPIC_CHARS_MAX: usize = 60;
/// Takes no room, and keeps what follows from being the beginning of a line.
const BREAK: char = '\u{200b}';
/// About every letter.
const WHOLE: [&str; 7] = [
    "INVALID_API_KEY",
    "UNAUTHENTICATED_USER",
    "UNAUTHORIZED_PRINCIPAL",
    "USER_DEACTIVATED",
    "REALM_DEACTIVATED",
    "STREAM_DOES_NOT_EXIST",
    "CHANNEL_DOES_NOT_EXIST",
];

/// One channel of an organization.
pub struct Zulip {
    api: Api,
    email: String,
    room: String,
    tries: Tries,
}

#[derive(Deserialize)]
struct Said {
    result: String,
    id: Option<u64>,
    code: Option<String>,
    #[serde(rename = "retry-after")]
    retry_after: Option<f64>,
}

#[derive(Deserialize)]
struct Read {
    result: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: u64,
    timestamp: i64,
    content: String,
}

impl Zulip {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "url", None)?;
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let email = fields.texts.remove("email").unwrap_or_default();
        if !email.contains('@') || email.contains(|one: char| one == ':' || one.is_whitespace()) {
            return Err("`email` is the address that Zulip shows for the bot, such as onscene-bot@example.zulipchat.com".into());
        }
        let room = fields.texts.remove("room").unwrap_or_default();
        if room.trim().is_empty() || room.starts_with('#') {
            return Err("`room` is the name of a channel, without #, or its number".into());
        }
        let api = api.basic(&email, &token)?;
        Ok(Channel::Zulip(Self { api, email, room, tries: Tries::default() }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if parcel.statement.is_none() {
            return self.write(parcel, &content(parcel)).await;
        }
        let shown = shows(parcel);
        if let Err(outcome) = shown.fitting() {
            return outcome;
        }
        let content = written(&shown.text);
        let remove = |id| self.remove(id);
        let write = statement::in_place(parcel, remove, self.write(parcel, &content));
        let look = statement::found_in_place(parcel, remove, self.look(parcel, &content));
        bounded(self.tries.once(parcel, look, write)).await
    }

    /// Finds a statement that is there already. The error: nobody knows.
    async fn look(&self, parcel: &Parcel, content: &str) -> Result<Option<Outcome>, Outcome> {
        let room = self.room.parse::<u64>().map_or_else(|_| json!(self.room), |number| json!(number));
        // A topic may have been given another name, or a check mark.
        let narrow =
            json!([{"operator": "stream", "operand": room}, {"operator": "sender", "operand": self.email}]);
        let path = format!(
            "/api/v1/messages?anchor=newest&num_before={LOOK_MESSAGES_MAX}&num_after=0&apply_markdown=false&narrow={}",
            encode(&narrow.to_string())
        );
        let answer = self.api.read(&path).await.map_err(statement::unseen)?;
        let read = serde_json::from_slice::<Read>(&answer.body).ok().filter(|read| read.result == "success");
        let Some(read) = read.filter(|_| answer.status.is_success()) else {
            return Err(statement::unseen(outcome(&answer)));
        };
        let since = parcel.created_at.as_second() - SKEW_S;
        let there = read.messages.iter().rfind(|one| one.timestamp >= since && one.content.trim() == content);
        if let Some(message) = there {
            return Ok(Some(Outcome::Accepted { remote_id: Some(message.id.to_string()) }));
        }
        let is_all = read.messages.len() < LOOK_MESSAGES_MAX
            || read.messages.iter().any(|message| message.timestamp < since);
        if is_all { Ok(None) } else { Err(statement::unseen_for("too much was written there since")) }
    }

    /// Deletes what an earlier letter wrote.
    async fn remove(&self, id: &str) -> Outcome {
        let answer = match self.api.delete(&format!("/api/v1/messages/{}", encode(id))).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let said = serde_json::from_slice::<Said>(&answer.body).ok();
        match said.is_some_and(|said| said.result == "success") && answer.status.is_success() {
            true => Outcome::Accepted { remote_id: None },
            false => outcome(&answer),
        }
    }

    async fn write(&self, parcel: &Parcel, content: &str) -> Outcome {
        let topic = topic(&parcel.subject);
        let form = [
            // The older word for a channel, which every server knows.
            ("type", "stream"),
            ("to", self.room.as_str()),
            ("topic", topic.as_str()),
            ("content", content),
        ];
        match self.api.post_form("/api/v1/messages", &form).await {
            Ok(answer) => of_letter(parcel, &answer, outcome(&answer)),
            Err(outcome) => outcome,
        }
    }
}

fn topic(subject: &str) -> String {
    let line: String = subject.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    fit::cut(line.trim(), TOPIC_CHARS_MAX, fit::one)
}

/// How a statement is shown.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = quiet(&statement::words(parcel));
    let text = text.trim_end().to_owned();
    let size = fit::length(&written(&text), fit::one);
    Shown { text, size, most: CONTENT_CHARS_MAX, unit: "characters" }
}

/// Words that are shown, as they are written. There is nothing to escape a mark with.
fn written(text: &str) -> String {
    statement::with_bold_title(text, "**", str::to_owned)
}

fn content(parcel: &Parcel) -> String {
    fit::with_rest(&quiet(parcel.text.trim_start()), parcel.rest(), CONTENT_BYTES_MAX, char::len_utf8)
}

/// A text that calls nobody, with no block of code and no command.
fn quiet(text: &str) -> String {
    let begins_block = |line: &str| ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence));
    let mut quiet = String::new();
    for line in fit::quiet(text).lines() {
        if begins_block(line) || quiet.is_empty() && line.starts_with('/') {
            quiet.push(BREAK);
        }
        quiet.push_str(line);
        quiet.push('\n');
    }
    quiet
}

fn outcome(answer: &Answer) -> Outcome {
    let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else {
        return if answer.status.is_success() {
            strange("Zulip")
        } else {
            usual(answer, &[401, 403, 404, 410], None)
        };
    };
    let code = said.code.as_deref().and_then(word);
    let patience = said.retry_after.and_then(|after| Duration::try_from_secs_f64(after.ceil()).ok());
    match (said.result.as_str(), said.id, code) {
        ("success", Some(id), _) if answer.status.is_success() => {
            Outcome::Accepted { remote_id: Some(id.to_string()) }
        }
        ("error", _, code) => {
            let status = answer.status.as_u16();
            let why = format!("answered {status} ({})", code.unwrap_or("an error without a code"));
            match (code, usual(answer, &[401, 403, 404, 410], code)) {
                (Some("RATE_LIMIT_HIT"), _) => Outcome::Wait { after: patience.or(answer.retry_after), why },
                (Some(code), _) if WHOLE.contains(&code) => refused(&why, true),
                (_, Outcome::Wait { after, why }) => Outcome::Wait { after: after.or(patience), why },
                _ if answer.status.is_success() => refused(&why, false),
                (_, other) => other,
            }
        }
        _ if answer.status.is_success() => strange("Zulip"),
        _ => usual(answer, &[401, 403, 404, 410], code),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, receiver, statement, status_letter as letter};
    use super::*;

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/zulip/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn bot(url: &str) -> Channel {
        let texts = [
            ("url", url),
            ("email", "onscene-bot@example.net"),
            ("room", "ops"),
            ("private_addresses", "allow"),
        ];
        build(&KIND, &texts, &[("token", "not-a-real-key")]).unwrap()
    }

    #[tokio::test]
    async fn every_letter_of_an_incident_goes_to_its_topic() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("sent")); 2]).await;
        let channel = bot(&url);
        assert_eq!(channel.send(&letter()).await, Outcome::Accepted { remote_id: Some("42117".into()) });
        let text = "/poll now\n```\nask @**all**, (@*ops*) [pay](https://evil.example)\n".to_owned();
        let subject = format!("[INC-42] {}", "a very long title ".repeat(9));
        channel.send(&Parcel { text, subject, ..letter() }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST /api/v1/messages "), "{}", requests[0].line);
        let login = format!("Basic {}", crate::crypto::base64(b"onscene-bot@example.net:not-a-real-key"));
        assert_eq!(requests[0].header("authorization"), login);
        let form = requests[0].form();
        assert_eq!((form["type"].as_str(), form["to"].as_str()), ("stream", "ops"));
        assert_eq!(form["topic"], letter().subject);
        assert!(form["content"].starts_with("SEV1 shop: checkout down\n"), "{}", form["content"]);
        let sly = requests[1].form();
        assert_eq!(sly["topic"].chars().count(), 60);
        let content = "\u{200b}/poll now\n\u{200b}```\nask @\u{200b}**all**, (@\u{200b}*ops*) [pay]\u{200b}(https://evil.example)";
        assert_eq!(sly["content"], content);
    }

    #[tokio::test]
    async fn the_code_decides_whatever_the_status_is() {
        let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
        let waits = |why: &str| Outcome::Wait { after: Some(Duration::from_secs(29)), why: why.into() };
        for (status, body, meant) in [
            ("400 Bad Request", "no_channel", refused("answered 400 (STREAM_DOES_NOT_EXIST)", true)),
            ("200 OK", "no_channel", refused("answered 200 (STREAM_DOES_NOT_EXIST)", true)),
            ("401 Unauthorized", "key", refused("answered 401 (INVALID_API_KEY)", true)),
            ("400 Bad Request", "rights", refused("answered 400 (BAD_REQUEST)", false)),
            ("200 OK", "rights", refused("answered 200 (BAD_REQUEST)", false)),
            ("429 Too Many Requests", "slow", waits("answered 429 (RATE_LIMIT_HIT)")),
            ("200 OK", "slow", waits("answered 200 (RATE_LIMIT_HIT)")),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, fixture(body))]).await;
            assert_eq!(bot(&url).send(&letter()).await, meant, "{status}");
        }
        let (url, _requests) = receiver(vec![json_answer("500 Oops", fixture("rights"))]).await;
        assert_eq!(bot(&url).send(&letter()).await.as_str(), "unknown");
    }

    #[tokio::test]
    async fn a_long_text_is_cut_and_says_where_the_rest_is() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("sent"))]).await;
        bot(&url).send(&Parcel { text: "für alle ".repeat(2000), ..letter() }).await;
        let content = requests.await[0].form()["content"].clone();
        assert!(content.len() <= 10_000 && content.len() > 9900, "{}", content.len());
        assert!(content.ends_with("…\nhttps://onscene.example.net/incidents/42"), "{content}");
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let said = |email: &str, room: &str| {
            let texts = [("url", "https://chat.example.net"), ("email", email), ("room", room)];
            build(&KIND, &texts, &[("token", "not-a-real-key")]).err().unwrap_or_default()
        };
        assert_eq!(said("onscene-bot@example.net", "ops"), "");
        assert!(said("onscene-bot", "ops").contains("`email`"));
        assert!(said("onscene-bot@example.net", "#ops").contains("without #"));
    }

    #[tokio::test]
    async fn a_statement_holds_its_title_whole_and_is_looked_for_whatever_its_topic_is_called_by_now() {
        let sent = json_answer("200 OK", fixture("sent"));
        let nothing = json_answer("200 OK", fixture("nothing"));
        let (url, requests) = receiver(vec![nothing, sent]).await;
        let subject =
            "Online shop: payments by card fail for customers of some banks in some countries".to_owned();
        assert_eq!(
            bot(&url).send(&Parcel { subject: subject.clone(), ..statement(2) }).await.as_str(),
            "accepted"
        );
        let requests = requests.await;
        let narrow = crate::channels::api::encode(
            r#"[{"operand":"ops","operator":"stream"},{"operand":"onscene-bot@example.net","operator":"sender"}]"#,
        );
        let line = format!(
            "GET /api/v1/messages?anchor=newest&num_before=100&num_after=0&apply_markdown=false&narrow={narrow} "
        );
        assert!(requests[0].line.starts_with(&line), "{}", requests[0].line);
        let form = requests[1].form();
        assert_eq!(form["topic"].chars().count(), 60);
        assert!(
            form["content"].starts_with(&format!("**{subject}**\n\nIdentified\n\n")),
            "{}",
            form["content"]
        );
    }

    #[tokio::test]
    async fn where_more_was_written_than_is_looked_at_nobody_knows() {
        let message =
            |at: usize| json!({"id": at, "timestamp": 1_795_400_000, "content": format!("words {at}")});
        let full: Vec<_> = (0..LOOK_MESSAGES_MAX).map(message).collect();
        let body = json!({"result": "success", "msg": "", "messages": full}).to_string();
        let (url, requests) = receiver(vec![json_answer("200 OK", &body)]).await;
        assert_eq!(bot(&url).send(&statement(2)).await.as_str(), "unknown");
        assert_eq!(requests.await.len(), 1);
    }
}
