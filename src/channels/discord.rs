//! Discord: a webhook of a channel, `?wait=true`, because without it a message that was not kept is answered like one that was.
//!
//! A webhook can write into a thread, and can begin one in a forum only. Whether its channel is one, the first answer says (400
//! with the code 220001): then the first letter of an incident begins a post, whose id is the remote id, and those that follow go
//! there. A post has its name for ever, so that of a statement is what is affected and the day, and no word that may have to be taken
//! back. In a text channel each letter stands by itself, also where the webhook was moved there from a forum (220003). An address with a `thread_id` of its own keeps to that thread.
//!
//! Mentions are allowed to nobody (`allowed_mentions`), whatever the words are; the words are escaped, so that nothing of an alert is
//! read as Markdown, but for addresses, which stay as they are. Links are not shown beforehand: who fetches them is no reader.
//!
//! A statement is written whole or not at all. One that is taken back is deleted, which a webhook may do with what it wrote; one that is
//! gone already (10008) is gone. So a remote id holds the thread as well as the message, where there is one.
//!
//! Webhooks know no idempotency (`nonce` is of bots), and read nothing back: a statement that may have been written is not written
//! again. Of the limits only headers are believed: when they say that nothing is left,
//! the next letter waits. 10,000 answers of 401, 403 or 429 in ten minutes shut out the whole address of the network, so a channel
//! that answers so is refused as a whole; and 404 (10015: no such webhook) too. A 404 for a thread that we began (10003) is
//! a post that somebody deleted: the letter begins another, and what follows goes there.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{bounded, encode, of_letter, strange, usual};
use super::client::Answer;
use super::hook::{self, Hook};
use super::pace::Pace;
use super::statement::Shown;
use super::{Channel, Fields, Kind, Outcome, Parcel, Shared, fit, statement};

/// Discord, by a webhook of a channel.
pub const KIND: Kind =
    Kind { name: "discord", keys: hook::KEYS, build: Discord::build, address: None, status: true };

/// In UTF-16 units, which are never fewer than what is counted there.
const CONTENT_UNITS_MAX: usize = 2000;
/// Of the name of a forum's post.
const TITLE_UNITS_MAX: usize = 100;
/// Before that of a statement, where it is shown beforehand.
const IN_A_FORUM: &str = "(In a forum its post is called ";
/// Among `flags`: links are not shown beforehand.
const SUPPRESS_EMBEDS: u32 = 1 << 2;
/// Before the id of a thread that a letter began, as its remote id. The message that begins a post of a forum has the same id.
const THREAD: &str = "thread:";
/// Between the ids of a thread and of a message in it.
const IN_THREAD: char = '/';
/// What Markdown may read as more than itself.
const MARKS: &str = "\\*_~`|<>[]()";
/// In a forum a letter needs a thread, or a title for one.
const NEEDS_THREAD: i64 = 220_001;
/// A thread can be begun in a forum only.
const NO_FORUM: i64 = 220_003;
/// No such channel, which a thread is, and one that was locked.
const THREAD_GONE: [i64; 2] = [10_003, 160_005];
/// No such message, or no thread that it could stand in.
const MESSAGE_GONE: [i64; 2] = [10_008, 10_003];

/// One webhook.
pub struct Discord {
    hook: Hook,
    pace: Pace,
}

#[derive(Deserialize)]
struct Said {
    id: Option<String>,
    channel_id: Option<String>,
    code: Option<i64>,
    retry_after: Option<f64>,
}

/// Where a letter goes.
#[derive(Clone, Copy)]
enum Place<'a> {
    Channel,
    Thread(&'a str),
    NewThread,
}

impl Discord {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let hook = Hook::new(&mut fields, shared)?;
        let mut parts = hook.path().split('/').skip_while(|part| *part != "webhooks").skip(1);
        let id = parts.next().unwrap_or_default();
        let is_id = !id.is_empty() && id.bytes().all(|one| one.is_ascii_digit());
        let has_token = parts.next().is_some_and(|token| !token.is_empty());
        if !is_id || !has_token || parts.next().is_some_and(|more| !more.is_empty()) {
            return Err("the address in `url_file` is not that of a webhook of Discord, which ends in /api/webhooks/ID/TOKEN (copy \
                        it as it is, without /slack or /github)"
                .into());
        }
        Ok(Channel::Discord(Self { hook, pace: Pace::new(SignedDuration::ZERO) }))
    }

    /// Which webhook: its id, and no part of what it is called by.
    pub(super) fn webhook(&self) -> String {
        let mut parts = self.hook.path().split('/').skip_while(|part| *part != "webhooks").skip(1);
        parts.next().unwrap_or_default().to_owned()
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        if parcel.statement.is_some() {
            shows(parcel).fitting()?;
        }
        self.pace.turn().await?;
        let say = async { self.say(parcel).await.unwrap_or_else(|outcome| outcome) };
        Ok(statement::in_place(parcel, |id| self.remove(parcel, id), say).await)
    }

    async fn say(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        let root = parcel.thread_root.as_deref().and_then(|root| root.strip_prefix(THREAD));
        let place = match root {
            Some(thread) if !self.hook.has("thread_id") => Place::Thread(thread),
            _ => Place::Channel,
        };
        let answer = self.post(parcel, place).await?;
        let code = said(&answer).and_then(|said| said.code);
        let begins = match place {
            Place::Thread(_) => code.is_some_and(|code| THREAD_GONE.contains(&code)),
            _ => code == Some(NEEDS_THREAD) && !self.hook.has("thread_id"),
        };
        if !begins {
            return Ok(match (of_letter(parcel, &answer, outcome(&answer)), place) {
                (Outcome::Accepted { remote_id: Some(id) }, Place::Thread(thread)) => {
                    Outcome::Accepted { remote_id: Some(format!("{thread}{IN_THREAD}{id}")) }
                }
                (outcome, _) => outcome,
            });
        }
        let mut answer = self.post(parcel, Place::NewThread).await?;
        let is_no_forum = said(&answer).and_then(|said| said.code) == Some(NO_FORUM);
        if is_no_forum {
            // The webhook was moved to a text channel, where each letter stands by itself.
            answer = self.post(parcel, Place::Channel).await?;
        }
        let thread = said(&answer).and_then(|said| said.channel_id).filter(|_| !is_no_forum);
        Ok(match (of_letter(parcel, &answer, outcome(&answer)), thread) {
            (Outcome::Accepted { remote_id: Some(id) }, thread) => {
                let id = thread.map_or(id, |thread| format!("{THREAD}{thread}"));
                Outcome::there(id, parcel.thread_root.is_some())
            }
            (outcome, _) => outcome,
        })
    }

    /// Deletes what an earlier letter wrote. What is gone is deleted.
    async fn remove(&self, parcel: &Parcel, id: &str) -> Outcome {
        let root = parcel.thread_root.as_deref().and_then(|root| root.strip_prefix(THREAD));
        let (thread, message) = match (id.strip_prefix(THREAD), id.split_once(IN_THREAD)) {
            (Some(thread), _) => (Some(thread), thread),
            (None, Some((thread, message))) => (Some(thread), message),
            (None, None) => (root, id),
        };
        let thread = thread.filter(|_| !self.hook.has("thread_id"));
        let query: Vec<_> = thread.iter().map(|thread| ("thread_id", *thread)).collect();
        let answer = match self.hook.delete(&format!("messages/{}", encode(message)), &query).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        if let Some(wait) = rest(&answer) {
            self.pace.rest(wait);
        }
        let is_gone =
            said(&answer).and_then(|said| said.code).is_some_and(|code| MESSAGE_GONE.contains(&code));
        match answer.status.is_success() || is_gone {
            true => Outcome::Accepted { remote_id: None },
            false => outcome(&answer),
        }
    }

    async fn post(&self, parcel: &Parcel, place: Place<'_>) -> Result<Answer, Outcome> {
        let mut body = body(parcel);
        let mut query = vec![("wait", "true")];
        match place {
            Place::Channel => {}
            Place::Thread(id) => query.push(("thread_id", id)),
            Place::NewThread => {
                body["thread_name"] = name(parcel).into();
            }
        }
        let answer = self.hook.post(&query, &body).await?;
        if let Some(wait) = rest(&answer) {
            self.pace.rest(wait);
        }
        Ok(answer)
    }
}

/// How a statement is shown: before the words, what its post is called where it begins one. That is not counted with them.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let words = words(parcel);
    let size = fit::length(&written(&words), char::len_utf16);
    let text = match parcel.thread_root {
        Some(_) => words,
        None => format!("{IN_A_FORUM}\"{}\".)\n\n{words}", name(parcel)),
    };
    Shown { text, size, most: CONTENT_UNITS_MAX, unit: "characters" }
}

fn words(parcel: &Parcel) -> String {
    fit::quiet(&statement::words(parcel))
}

/// What a post in a forum is called. A webhook cannot give it another name, so of a statement nothing is in it that may be taken back:
/// what is affected, and the day.
fn name(parcel: &Parcel) -> String {
    let Some(said) = &parcel.statement else {
        return fit::cut(&parcel.subject, TITLE_UNITS_MAX, char::len_utf16);
    };
    let day = said.began.strftime(", %Y-%m-%d").to_string();
    let what = match said.components.is_empty() {
        true => "Status".to_owned(),
        false => said.components.join(", "),
    };
    fit::cut(&what, TITLE_UNITS_MAX - day.len(), char::len_utf16) + &day
}

/// Words that are shown, as they are written.
fn written(text: &str) -> String {
    statement::with_bold_title(text, "**", |text| fit::literal(text, MARKS))
}

fn body(parcel: &Parcel) -> Value {
    let content = match parcel.statement {
        Some(_) => written(&words(parcel)),
        None => {
            let literal = |text| fit::literal(&fit::quiet(text), MARKS);
            let (subject, text) = (literal(&parcel.subject), literal(&parcel.text));
            let text = format!("**{subject}**\n{text}");
            uncut(&fit::with_rest(&text, parcel.rest(), CONTENT_UNITS_MAX, char::len_utf16))
        }
    };
    json!({
        "content": content,
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    })
}

/// Takes away the backslash of an escape that was cut in two.
fn uncut(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('…') else { return text.to_owned() };
    let slashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
    match slashes % 2 {
        1 => format!("{}…{after}", &before[..before.len() - 1]),
        _ => text.to_owned(),
    }
}

fn said(answer: &Answer) -> Option<Said> {
    serde_json::from_slice(&answer.body).ok()
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.ceil()).ok()
}

/// How long the next letter has to wait, if it has to.
fn rest(answer: &Answer) -> Option<Duration> {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    if answer.status == http::StatusCode::TOO_MANY_REQUESTS {
        let told = said(answer).and_then(|said| said.retry_after);
        return [told, number("retry-after")].into_iter().flatten().filter_map(seconds).max();
    }
    if number("x-ratelimit-remaining")? >= 1.0 {
        return None;
    }
    seconds(number("x-ratelimit-reset-after")?)
}

fn outcome(answer: &Answer) -> Outcome {
    let said = said(answer);
    if answer.status.is_success() {
        return match said.and_then(|said| said.id) {
            Some(id) => Outcome::Accepted { remote_id: Some(id) },
            None => strange("Discord"),
        };
    }
    let code = said.and_then(|said| said.code).filter(|code| *code != 0).map(|code| code.to_string());
    match usual(answer, &[401, 403, 404, 410], code.as_deref()) {
        Outcome::Wait { after, why } => Outcome::Wait { after: rest(answer).or(after), why },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::{build, json_answer, receiver, statement, status_letter as letter};
    use super::*;
    use crate::core::voice::Sort;

    const PATH: &str = "/api/webhooks/123456789012345678/not-a-real-token";

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/discord/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn room(url: &str) -> Channel {
        build(&KIND, &[("private_addresses", "allow")], &[("url", &format!("{url}{PATH}"))]).unwrap()
    }

    fn headed(headers: &str, status: &str, body: &str) -> &'static str {
        format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
    }

    #[tokio::test]
    async fn a_letter_stands_in_a_text_channel_and_calls_nobody() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("message")); 3]).await;
        let channel = room(&url);
        let sent = channel.send(&letter()).await;
        assert_eq!(sent, Outcome::Accepted { remote_id: Some("1199000000000000001".into()) });
        let next = Parcel { thread_root: Some("1199000000000000001".into()), ..letter() };
        channel.send(&next).await;
        channel
            .send(&Parcel {
                subject: "[INC-42] @everyone [pay](https://evil.example/a_b) <@&7>".into(),
                ..letter()
            })
            .await;
        let requests = requests.await;
        assert_eq!(requests[0].line, format!("POST {PATH}?wait=true HTTP/1.1"));
        assert_eq!((&requests[0].line, &requests[0].body), (&requests[1].line, &requests[1].body));
        let body = requests[0].json();
        assert_eq!((&body["allowed_mentions"], &body["flags"]), (&json!({"parse": []}), &json!(4)));
        assert_eq!(body.get("thread_name"), None);
        let text = body["content"].as_str().unwrap();
        assert!(
            text.starts_with("**\\[INC-42\\] shop: checkout down für alle \\<!channel\\>**\nSEV1 shop"),
            "{text}"
        );
        let sly = requests[2].json()["content"].as_str().unwrap().to_owned();
        let shown = "@\u{200b}everyone \\[pay\\]\u{200b}\\(https://evil.example/a_b) \\<@\u{200b}&7\\>**";
        assert!(sly.contains(shown), "{sly}");
    }

    #[tokio::test]
    async fn in_a_forum_the_first_letter_begins_a_post_and_the_next_goes_there() {
        let answers = vec![
            json_answer("400 Bad Request", fixture("forum")),
            json_answer("200 OK", fixture("post")),
            json_answer("200 OK", fixture("post")),
        ];
        let (url, requests) = receiver(answers).await;
        let channel = room(&url);
        let root = Some("thread:1199000000000000009".to_owned());
        assert_eq!(channel.send(&letter()).await, Outcome::Accepted { remote_id: root.clone() });
        assert_eq!(channel.send(&Parcel { thread_root: root, ..letter() }).await.as_str(), "accepted");
        let requests = requests.await;
        assert_eq!(requests[1].line, format!("POST {PATH}?wait=true HTTP/1.1"));
        assert_eq!(requests[1].json()["thread_name"], letter().subject);
        assert_eq!(requests[2].line, format!("POST {PATH}?wait=true&thread_id=1199000000000000009 HTTP/1.1"));
        assert_eq!(requests[2].json().get("thread_name"), None);
    }

    #[tokio::test]
    async fn a_post_that_was_deleted_is_begun_again_and_a_thread_of_the_operators_is_not() {
        let gone = json_answer("404 Not Found", fixture("unknown_channel"));
        let (url, requests) = receiver(vec![gone, json_answer("200 OK", fixture("post"))]).await;
        let deleted = Parcel { thread_root: Some("thread:7".into()), ..letter() };
        let begun = Outcome::Begun { root: "thread:1199000000000000009".into() };
        assert_eq!(room(&url).send(&deleted).await, begun);
        assert_eq!(requests.await[1].json()["thread_name"], letter().subject);
        let no_forum = r#"{"message": "Webhooks can only create threads in forum channels", "code": 220003}"#;
        let (no_forum, message) =
            (json_answer("400 Bad Request", no_forum), json_answer("200 OK", fixture("message")));
        let (url, requests) = receiver(vec![gone, no_forum, message]).await;
        let begun = Outcome::Begun { root: "1199000000000000001".into() };
        assert_eq!(room(&url).send(&deleted).await, begun, "it was moved to a text channel");
        assert_eq!(requests.await[2].json().get("thread_name"), None);
        let (url, requests) = receiver(vec![gone]).await;
        let secret = format!("{url}{PATH}?thread_id=5");
        let fixed = build(&KIND, &[("private_addresses", "allow")], &[("url", &secret)]).unwrap();
        let refused = Outcome::Refused { why: "answered 404 (10003)".into(), whole_channel: true };
        assert_eq!(fixed.send(&deleted).await, refused);
        assert_eq!(requests.await[0].line, format!("POST {PATH}?thread_id=5&wait=true HTTP/1.1"));
    }

    #[tokio::test]
    async fn what_the_headers_say_is_left_is_kept_to() {
        let left = |left: u32| {
            let headers = format!("X-RateLimit-Remaining: {left}\r\nX-RateLimit-Reset-After: 59.3");
            headed(&headers, "200 OK", fixture("message"))
        };
        let (url, requests) = receiver(vec![left(4), left(0)]).await;
        let channel = room(&url);
        assert_eq!(channel.send(&letter()).await.as_str(), "accepted");
        assert_eq!(channel.send(&letter()).await.as_str(), "accepted");
        let why = "no more is taken there for the moment".to_owned();
        let waits = Outcome::Wait { after: Some(Duration::from_secs(60)), why: why.clone() };
        assert_eq!(channel.send(&letter()).await, waits);
        assert_eq!(requests.await.len(), 2, "the third was not asked for");
        let slow = headed("Retry-After: 60", "429 Too Many Requests", fixture("slow"));
        let (url, _requests) = receiver(vec![slow]).await;
        let channel = room(&url);
        let after = Some(Duration::from_secs(65));
        assert_eq!(channel.send(&letter()).await, Outcome::Wait { after, why: "answered 429".into() });
        assert_eq!(channel.send(&letter()).await, Outcome::Wait { after, why });
    }

    #[tokio::test]
    async fn a_long_text_is_cut_as_discord_counts_and_says_where_the_rest_is() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("message")); 3]).await;
        let channel = room(&url);
        for more in ["", "x", "xy"] {
            channel.send(&Parcel { text: format!("{more}{}", "🔥*_".repeat(900)), ..letter() }).await;
        }
        for request in requests.await {
            let text = request.json()["content"].as_str().unwrap().to_owned();
            let units = text.encode_utf16().count();
            assert!(units <= 2000 && units > 1980, "{units}");
            let (before, after) = text.rsplit_once('…').unwrap();
            assert_eq!(after, "\nhttps://onscene.example.net/incidents/42");
            assert!(!before.ends_with('\\'), "half an escape: {before}");
        }
    }

    #[tokio::test]
    async fn what_is_answered_is_about_this_letter_or_the_whole_channel() {
        for (status, body, why, whole_channel) in [
            ("404 Not Found", "unknown_webhook", "answered 404 (10015)", true),
            ("401 Unauthorized", "token", "answered 401 (50027)", true),
            ("400 Bad Request", "too_long", "answered 400 (50035)", false),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, fixture(body))]).await;
            assert_eq!(room(&url).send(&letter()).await, Outcome::Refused { why: why.into(), whole_channel });
        }
    }

    #[test]
    fn only_the_address_of_a_webhook_will_do() {
        let wrong = |url: &str| build(&KIND, &[], &[("url", url)]).err().unwrap_or_default();
        assert_eq!(wrong("https://discord.com/api/webhooks/123/abc-DEF_7"), "");
        assert_eq!(wrong("https://discord.com/api/v10/webhooks/123/abc?thread_id=5\n"), "");
        for url in [
            "https://discord.com/api/webhooks/123/abc/slack",
            "https://discord.com/api/webhooks/123",
            "https://discord.com/channels/123/456",
            "https://discord.com/api/webhooks/me/abc",
        ] {
            assert!(wrong(url).contains("/api/webhooks/ID/TOKEN"), "{url}");
        }
        assert!(wrong("http://discord.com/api/webhooks/123/abc").contains("https://"));
    }

    fn taking_back(id: &str) -> Parcel {
        let mut parcel = statement(1);
        let said = parcel.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-1".into(), at: said.at, remote_id: Some(id.into()) });
        Parcel { thread_root: Some("thread:1199000000000000009".into()), ..parcel }
    }

    #[tokio::test]
    async fn what_stands_in_a_post_of_a_forum_is_found_there_when_it_is_taken_back() {
        let message = json_answer("200 OK", fixture("message"));
        let none = "HTTP/1.1 204 No Content\r\n\r\n";
        let (url, requests) = receiver(vec![none, message, none, message, none, message]).await;
        let channel = room(&url);
        let in_thread = Some("1199000000000000009/1199000000000000001".to_owned());
        // As they were written before remote ids held the thread, as they are now, and the one that began the post.
        for id in
            ["1199000000000000005", "1199000000000000009/1199000000000000005", "thread:1199000000000000009"]
        {
            let sent = channel.send(&taking_back(id)).await;
            assert_eq!(sent, Outcome::Accepted { remote_id: in_thread.clone() }, "{id}");
        }
        let lines: Vec<_> = requests.await.into_iter().map(|seen| seen.line).collect();
        for (at, message) in
            [(0, "1199000000000000005"), (2, "1199000000000000005"), (4, "1199000000000000009")]
        {
            let line = format!("DELETE {PATH}/messages/{message}?thread_id=1199000000000000009 HTTP/1.1");
            assert_eq!(lines[at], line);
            assert_eq!(
                lines[at + 1],
                format!("POST {PATH}?wait=true&thread_id=1199000000000000009 HTTP/1.1")
            );
        }
        // An address with a thread of its own keeps to it.
        let (url, requests) = receiver(vec![none, message]).await;
        let address = format!("{url}{PATH}?thread_id=5");
        let own = build(&KIND, &[("private_addresses", "allow")], &[("url", &address)]).unwrap();
        own.send(&taking_back("1199000000000000005")).await;
        let requests = requests.await;
        assert_eq!(
            requests[0].line,
            format!("DELETE {PATH}/messages/1199000000000000005?thread_id=5 HTTP/1.1")
        );
    }

    #[tokio::test]
    async fn a_statement_is_whole_where_a_letter_would_be_cut() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("message"))]).await;
        // Behind a backslash each of these takes two.
        let text = "*".repeat(980);
        assert_eq!(room(&url).send(&Parcel { text, ..statement(1) }).await.as_str(), "accepted");
        let content = requests.await[0].json()["content"].as_str().unwrap().to_owned();
        assert!(content.ends_with(&"\\*".repeat(980)) && content.len() <= 2000, "{}", content.len());
    }

    #[tokio::test]
    async fn a_post_has_no_word_in_its_name_that_may_be_taken_back() {
        let forum = json_answer("400 Bad Request", fixture("forum"));
        let post = json_answer("200 OK", fixture("post"));
        let (url, requests) = receiver(vec![forum, post]).await;
        let begun = Some("thread:1199000000000000009".to_owned());
        let channel = room(&url);
        assert_eq!(channel.send(&statement(1)).await, Outcome::Accepted { remote_id: begun });
        let body = requests.await[1].json();
        assert_eq!(body["thread_name"], "Online shop, 2026-11-23");
        assert!(body["content"].as_str().unwrap().starts_with("**Online shop: payments fail**"), "{body}");
        let shown = channel.shows(&statement(1));
        assert!(
            shown.text.starts_with(
                "(In a forum its post is called \"Online shop, 2026-11-23\".)\n\nOnline shop: payments fail\n"
            ),
            "{}",
            shown.text
        );
        let next = Parcel { thread_root: Some("thread:7".into()), ..statement(1) };
        assert!(channel.shows(&next).text.starts_with("Online shop: payments fail\n"), "it begins none");
        let mut many = statement(1);
        many.statement.as_mut().unwrap().components = vec!["Zahlungen für Händler".into(); 9];
        let long = name(&many);
        assert!(long.ends_with("…, 2026-11-23") && fit::length(&long, char::len_utf16) <= 100, "{long}");
        many.statement.as_mut().unwrap().components.clear();
        assert_eq!(name(&many), "Status, 2026-11-23");
    }

    #[tokio::test]
    async fn a_text_channel_that_became_a_forum_gets_one_post_for_what_follows() {
        let forum = json_answer("400 Bad Request", fixture("forum"));
        let (url, _requests) = receiver(vec![forum, json_answer("200 OK", fixture("post"))]).await;
        let next = Parcel { thread_root: Some("1199000000000000001".into()), ..letter() };
        let begun = Outcome::Begun { root: "thread:1199000000000000009".into() };
        assert_eq!(room(&url).send(&next).await, begun);
    }
}
