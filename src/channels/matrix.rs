//! Matrix: `m.room.message` into the direct chat of a person with a user of ours, or into one `room`, with a thread for each incident.
//!
//! The transaction of a message is its delivery, so a server that has it answers a repeat with the event it already
//! made: as long as it remembers (Synapse for half an hour and more), and as long as the token is the same, because the
//! memory is a device's. So the token in `token_file` stays, and nothing is logged in here.
//!
//! The address of a person is the room of a direct chat, which people make once: the person invites our user to a chat
//! that is **not encrypted** (what is sent here can be read by the servers of the room), and writes down its id (room
//! settings → advanced). Where our user is not yet in the room, an invitation is accepted on the first letter. A page is
//! `m.text`, not the `m.notice` of bots, which many clients pass over, and mentions the room, which are these two.
//!
//! In a `room` each event holds its delivery, where no reader sees it. A repeat is looked for by that before it is written again, because a
//! server that was started afresh may have forgotten the transaction; where that is young, it is relied on when nobody can look. A room
//! that was made anew has nothing of a thread of the old one, and refuses what is to go there (400): the letter begins another. A
//! statement is written whole or not at all. One that is taken back is redacted: its words are taken out of the event.
//!
//! Errors are `{"errcode": "M_FORBIDDEN", ...}`. 401 is the token: the whole way; so is a 404 that names no such
//! method (`M_UNRECOGNIZED`), or is not from Matrix at all: a wrong address of the server. Any other 403 and 404 is
//! about this room: about one person, or about every letter where the room is the channel's own. 429 says in milliseconds, too, how long to wait.

use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, again, bounded, encode, refused, strange, usual, word};
use super::client::Answer;
use super::statement::Shown;
use super::tries::Tries;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared, fit, statement};

/// Matrix, to persons, or to one room.
pub const KIND: Kind = Kind {
    name: "matrix",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "room", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Matrix::build,
    address: Some(address),
    status: true,
};

/// An event has at most 65,536 bytes, with signatures, and text may take twice its room in JSON.
const TEXT_BYTES_MAX: usize = 24_000;
/// Longest id of a room, by the specification.
const ROOM_BYTES_MAX: usize = 255;

/// So much of a statement is taken, as it stands in the event.
const STATEMENT_BYTES_MAX: usize = 32_000;
/// In the content of an event: which delivery it is.
const DELIVERY: &str = "onscene.delivery";
/// In the content of an event: the thread that it is in.
const RELATION: &str = "m.relates_to";
/// A server remembers a transaction for longer than this.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(20);
/// Events that are asked for at once, and how often.
const LOOK_EVENTS: usize = 100;
const LOOK_PAGES_MAX: usize = 4;
/// Clocks may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(10);
const NO_ROOM: &str = "`room` is the id of a room, which begins with `!` (room settings → advanced)";

/// One user on one server.
pub struct Matrix {
    api: Api,
    /// Where status goes. None: it reaches persons.
    room: Option<String>,
    tries: Tries,
}

/// Events of a room, the newest first.
#[derive(Deserialize)]
struct Read {
    chunk: Vec<Event>,
    end: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    event_id: String,
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct Said {
    event_id: Option<String>,
    errcode: Option<String>,
    retry_after_ms: Option<u64>,
}

impl Matrix {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let api = Api::new(&mut fields, shared, "url", None)?.bearer(&token)?;
        let room = fields.texts.remove("room");
        if room.as_ref().is_some_and(|room| address(room).is_err()) {
            return Err(NO_ROOM.into());
        }
        Ok(Channel::Matrix(Self { api, room, tries: Tries::default() }))
    }

    /// Where status goes.
    pub(super) fn room(&self) -> Option<String> {
        self.room.clone()
    }

    /// Whether status can go there.
    pub(super) fn takes_status(&self) -> Result<(), String> {
        self.room.as_ref().map(|_| ()).ok_or_else(|| NO_ROOM.into())
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if !parcel.to.is_empty() {
            let page = async {
                let answer = self.put(&parcel.to, &parcel.delivery, &body(parcel)).await?;
                Ok(again(&answer, outcome(&answer)))
            };
            return bounded(async { page.await.unwrap_or_else(|outcome| outcome) }).await;
        }
        let Some(room) = &self.room else { return refused("there is neither a room nor a person", true) };
        if parcel.statement.is_some()
            && let Err(outcome) = shows(parcel).fitting()
        {
            return outcome;
        }
        let look = async {
            match self.look(parcel, room).await {
                // The transaction is what keeps it from standing there twice; that nothing was written is not known.
                Err(_) if !parcel.only_look && parcel.now.duration_since(parcel.created_at) < REMEMBERED => {
                    let said = self.say(parcel, room).await.unwrap_or_else(|outcome| outcome);
                    Ok(Some(match said {
                        Outcome::Wait { .. } | Outcome::Refused { .. } => statement::unseen(said),
                        said => said,
                    }))
                }
                Err(outcome) => Err(statement::unseen(outcome)),
                found => found,
            }
        };
        let redact = |event| self.redact(parcel, room, event);
        let say = async { self.say(parcel, room).await.unwrap_or_else(|outcome| outcome) };
        let write = statement::in_place(parcel, redact, say);
        bounded(self.tries.once(parcel, statement::found_in_place(parcel, redact, look), write)).await
    }

    /// Says something in a room of our own: what keeps it from that keeps every letter from it.
    async fn say(&self, parcel: &Parcel, room: &str) -> Result<Outcome, Outcome> {
        let mut body = said_in_room(parcel);
        let mut answer = self.put(room, &parcel.delivery, &body).await?;
        let begins = answer.status == StatusCode::BAD_REQUEST && parcel.thread_root.is_some();
        if let Some(body_of) = body.as_object_mut().filter(|_| begins) {
            // The room may not have what the thread began with: it was made anew, or is another. The letter begins a thread, by another
            // transaction, for a server may remember what it answered to the first.
            body_of.remove(RELATION);
            answer = self.put(room, &format!("{}-root", parcel.delivery), &body).await?;
        }
        Ok(match outcome(&answer) {
            Outcome::Accepted { remote_id: Some(event) } => Outcome::there(event, begins),
            Outcome::Refused { why, .. } if matches!(answer.status.as_u16(), 403 | 404) => {
                refused(&why, true)
            }
            other => other,
        })
    }

    /// Finds a letter that is in the room already.
    async fn look(&self, parcel: &Parcel, room: &str) -> Result<Option<Outcome>, Outcome> {
        let since = parcel.created_at.saturating_sub(SKEW).map_or(0, jiff::Timestamp::as_millisecond);
        let mut from = String::new();
        for _ in 0..LOOK_PAGES_MAX {
            let path = format!(
                "/_matrix/client/v3/rooms/{}/messages?dir=b&limit={LOOK_EVENTS}{from}&filter={}",
                encode(room),
                encode(r#"{"types":["m.room.message"]}"#)
            );
            let answer = self.api.read(&path).await?;
            if !answer.status.is_success() {
                return Err(outcome(&answer));
            }
            let read = serde_json::from_slice::<Read>(&answer.body).map_err(|_| strange("Matrix"))?;
            if let Some(event) = read.chunk.iter().find(|event| event.content[DELIVERY] == parcel.delivery) {
                let begins = event.content.get(RELATION).is_none() && parcel.thread_root.is_some();
                return Ok(Some(Outcome::there(event.event_id.clone(), begins)));
            }
            match read.end {
                Some(end) if read.chunk.iter().all(|event| event.origin_server_ts >= since) => {
                    from = format!("&from={}", encode(&end));
                }
                _ => return Ok(None),
            }
        }
        Err(Outcome::Unknown { why: "too much was written there since".into() })
    }

    /// Takes the words of an earlier letter out of the room. What is gone is redacted.
    async fn redact(&self, parcel: &Parcel, room: &str, event: &str) -> Outcome {
        let (room, event) = (encode(room), encode(event));
        // Another transaction than that of the words: for Synapse one of both would be a repeat of the other.
        let path =
            format!("/_matrix/client/v3/rooms/{room}/redact/{event}/{}-redact", encode(&parcel.delivery));
        match self.api.put(&path, &json!({})).await {
            Ok(answer) => match outcome(&answer) {
                Outcome::Refused { why, .. } if why == "answered 404 (M_NOT_FOUND)" => {
                    Outcome::Accepted { remote_id: None }
                }
                other => other,
            },
            Err(outcome) => outcome,
        }
    }

    async fn put(&self, room: &str, transaction: &str, body: &Value) -> Result<Answer, Outcome> {
        let room = encode(room);
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{}", encode(transaction));
        let answer = self.api.put(&path, body).await?;
        if answer.status != StatusCode::FORBIDDEN {
            return Ok(answer);
        }
        // Perhaps only invited so far. If the invitation cannot be accepted, the first answer stands.
        let joined = self.api.post(&format!("/_matrix/client/v3/join/{room}"), &json!({})).await;
        if !joined.is_ok_and(|joined| joined.status.is_success()) {
            return Ok(answer);
        }
        self.api.put(&path, body).await
    }
}

/// How a statement is shown. What stands in JSON behind a backslash is counted with it.
pub(super) fn shows(parcel: &Parcel) -> Shown {
    let text = fit::quiet(&statement::words(parcel));
    let size = json!(text).to_string().len();
    Shown { text, size, most: STATEMENT_BYTES_MAX, unit: "bytes" }
}

fn said_in_room(parcel: &Parcel) -> Value {
    let text = match parcel.statement {
        Some(_) => shows(parcel).text,
        None => {
            let text = fit::quiet(&format!("{}\n\n{}", parcel.subject, parcel.text));
            fit::with_rest(&text, parcel.rest(), TEXT_BYTES_MAX, char::len_utf8)
        }
    };
    let mut body = json!({"msgtype": "m.text", "body": text, "m.mentions": {}, DELIVERY: parcel.delivery});
    if let Some(root) = &parcel.thread_root {
        // Clients that know no threads show an answer to the first.
        body[RELATION] = json!({
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": true,
            "m.in_reply_to": {"event_id": root},
        });
    }
    body
}

fn body(parcel: &Parcel) -> Value {
    let text = fit::quiet(&format!("{}\n\n{}", parcel.subject, parcel.text));
    let mentions = if parcel.wakes { json!({"room": true}) } else { json!({}) };
    json!({
        "msgtype": "m.text",
        "body": fit::with_meet(&text, parcel.answer.as_deref(), parcel.place(), TEXT_BYTES_MAX, char::len_utf8),
        "m.mentions": mentions,
    })
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if answer.status.is_success() {
        return match said.and_then(|said| said.event_id) {
            Some(event) => Outcome::Accepted { remote_id: Some(event) },
            None => strange("Matrix"),
        };
    }
    let name = said.as_ref().and_then(|said| said.errcode.as_deref()).and_then(word);
    let whole: &[u16] = match name {
        None | Some("M_UNRECOGNIZED" | "M_USER_DEACTIVATED" | "M_USER_SUSPENDED") => &[401, 403, 404, 410],
        Some(_) => &[401],
    };
    match usual(answer, whole, name) {
        Outcome::Wait { after, why } => {
            let patience = said.and_then(|said| said.retry_after_ms).map(Duration::from_millis);
            Outcome::Wait { after: after.or(patience), why }
        }
        other => other,
    }
}

fn address(room: &str) -> Result<(), String> {
    let fits = room.len() > 1
        && room.len() <= ROOM_BYTES_MAX
        && !room.chars().any(|one| one.is_whitespace() || one.is_control());
    if room.starts_with('!') && fits {
        return Ok(());
    }
    Err("the address of a person is the id of the room of a direct chat with them, which begins with `!` (a user `@...` has \
         no room until one of the two makes it)"
        .into())
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, parcel, receiver, statement};
    use super::*;

    fn server(url: &str) -> Channel {
        build(&KIND, &[("url", url), ("private_addresses", "allow")], &[("token", "syt_not_a_real_token")])
            .unwrap()
    }

    fn page() -> Parcel {
        Parcel { to: "!aZ/9:example.net".into(), subject: "[INC-42] shop @room".into(), ..parcel(1) }
    }

    #[tokio::test]
    async fn a_letter_is_put_at_the_transaction_of_its_delivery() {
        let ok = include_str!("../../tests/fixtures/channels/matrix/event.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok); 3]).await;
        let channel = server(&url);
        let event = Some("$YUwRidLecu:example.net".to_owned());
        assert_eq!(channel.send(&page()).await, Outcome::Accepted { remote_id: event });
        channel.send(&Parcel { attempt: 2, ..page() }).await;
        channel.send(&Parcel { wakes: false, ..page() }).await;
        let requests = requests.await;
        let path = "PUT /_matrix/client/v3/rooms/%21aZ%2F9%3Aexample.net/send/m.room.message/0123456789abcdef0123456789abcdef ";
        assert!(requests[0].line.starts_with(path), "{}", requests[0].line);
        assert_eq!((&requests[0].line, &requests[0].body), (&requests[1].line, &requests[1].body));
        assert_eq!(requests[0].header("authorization"), "Bearer syt_not_a_real_token");
        let body = requests[0].json();
        assert_eq!((body["msgtype"].as_str(), &body["m.mentions"]["room"]), (Some("m.text"), &true.into()));
        assert!(body["body"].as_str().unwrap().contains("shop @\u{200b}room"), "{body}");
        assert_eq!(requests[2].json()["m.mentions"], json!({}));
    }

    #[tokio::test]
    async fn an_invitation_is_accepted_on_the_first_letter() {
        let no = include_str!("../../tests/fixtures/channels/matrix/forbidden.json");
        let ok = include_str!("../../tests/fixtures/channels/matrix/event.json");
        let joined = r#"{"room_id":"!aZ/9:example.net"}"#;
        let answers =
            vec![json_answer("403 Forbidden", no), json_answer("200 OK", joined), json_answer("200 OK", ok)];
        let (url, requests) = receiver(answers).await;
        assert_eq!(server(&url).send(&page()).await.as_str(), "accepted");
        let requests = requests.await;
        assert!(requests[1].line.starts_with("POST /_matrix/client/v3/join/%21aZ%2F9%3Aexample.net "));
        assert_eq!((&requests[0].line, &requests[0].body), (&requests[2].line, &requests[2].body));
        let (url, _requests) = receiver(vec![json_answer("403 Forbidden", no); 2]).await;
        let refused = Outcome::Refused { why: "answered 403 (M_FORBIDDEN)".into(), whole_channel: false };
        assert_eq!(server(&url).send(&page()).await, refused);
    }

    #[tokio::test]
    async fn a_404_is_about_the_room_or_about_the_server() {
        for (body, whole) in [
            (r#"{"errcode":"M_NOT_FOUND","error":"Unknown room"}"#, false),
            (r#"{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}"#, true),
            ("<html>not here</html>", true),
        ] {
            let (url, _requests) = receiver(vec![json_answer("404 Not Found", body)]).await;
            let outcome = server(&url).send(&page()).await;
            let Outcome::Refused { whole_channel, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(whole_channel, whole, "{body}");
        }
        let slow = include_str!("../../tests/fixtures/channels/matrix/slow.json");
        let (url, _requests) = receiver(vec![json_answer("429 Too Many Requests", slow)]).await;
        let why = "answered 429 (M_LIMIT_EXCEEDED)".to_owned();
        let waits = Outcome::Wait { after: Some(Duration::from_millis(2000)), why };
        assert_eq!(server(&url).send(&page()).await, waits);
    }

    #[test]
    fn the_address_is_a_room() {
        assert_eq!(
            (address("!aZ9:example.net"), address("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM")),
            (Ok(()), Ok(()))
        );
        for wrong in ["", "!", "@maya:example.net", "#room:example.net", "! x"] {
            assert!(address(wrong).unwrap_err().contains("direct chat"), "{wrong}");
        }
    }

    fn room(url: &str) -> Channel {
        let texts = [("url", url), ("private_addresses", "allow"), ("room", "!aZ/9:example.net")];
        build(&KIND, &texts, &[("token", "syt_not_a_real_token")]).unwrap()
    }

    #[tokio::test]
    async fn statements_of_one_incident_are_a_thread_that_old_clients_can_read() {
        let ok = include_str!("../../tests/fixtures/channels/matrix/event.json");
        let (url, requests) = receiver(vec![json_answer("200 OK", ok); 2]).await;
        let channel = room(&url);
        channel.send(&statement(1)).await;
        let root = Some("$YUwRidLecu:example.net".to_owned());
        channel
            .send(&Parcel {
                thread_root: root,
                text: "Resolved\n\n@room \"it\" is over.".into(),
                ..statement(1)
            })
            .await;
        let requests = requests.await;
        let (first, second) = (requests[0].json(), requests[1].json());
        assert_eq!((first.get("m.relates_to"), &first["m.mentions"]), (None, &json!({})));
        assert_eq!(first["onscene.delivery"], "0123456789abcdef0123456789abcdef");
        let event = "$YUwRidLecu:example.net";
        let relation = json!({"rel_type": "m.thread", "event_id": event, "is_falling_back": true, "m.in_reply_to": {"event_id": event}});
        assert_eq!(second["m.relates_to"], relation);
        assert_eq!(second["body"], "Online shop: payments fail\n\nResolved\n\n@\u{200b}room \"it\" is over.");
    }

    #[tokio::test]
    async fn a_young_transaction_is_relied_on_when_nobody_can_look_and_an_old_one_is_not() {
        let ok = include_str!("../../tests/fixtures/channels/matrix/event.json");
        let no =
            json_answer("403 Forbidden", include_str!("../../tests/fixtures/channels/matrix/forbidden.json"));
        let (url, requests) = receiver(vec![no, json_answer("200 OK", ok)]).await;
        assert_eq!(room(&url).send(&statement(2)).await.as_str(), "accepted");
        let filter = "%7B%22types%22%3A%5B%22m.room.message%22%5D%7D";
        let line = format!(
            "GET /_matrix/client/v3/rooms/%21aZ%2F9%3Aexample.net/messages?dir=b&limit=100&filter={filter} "
        );
        assert!(requests.await[0].line.starts_with(&line));
        // Sent so and put off, it is still not known to be there: it is looked for again.
        let slow = json_answer(
            "429 Too Many Requests",
            include_str!("../../tests/fixtures/channels/matrix/slow.json"),
        );
        let there = json_answer("200 OK", include_str!("../../tests/fixtures/channels/matrix/messages.json"));
        let (url, requests) = receiver(vec![no, slow, there]).await;
        let channel = room(&url);
        assert_eq!(channel.send(&statement(2)).await.as_str(), "wait");
        assert_eq!(channel.send(&statement(3)).await.as_str(), "accepted");
        assert!(requests.await[2].line.starts_with("GET "));
        let (url, requests) = receiver(vec![no]).await;
        let late = statement(2).created_at + REMEMBERED;
        assert_eq!(room(&url).send(&Parcel { now: late, ..statement(2) }).await.as_str(), "unknown");
        assert_eq!(requests.await.len(), 1);
    }

    #[tokio::test]
    async fn a_room_that_was_made_anew_gets_a_thread_of_its_own() {
        let ok = json_answer("200 OK", include_str!("../../tests/fixtures/channels/matrix/event.json"));
        let next = Parcel { thread_root: Some("$old:example.net".into()), ..statement(1) };
        let begun = Outcome::Begun { root: "$YUwRidLecu:example.net".into() };
        for fault in ["M_UNKNOWN", "M_INVALID_PARAM"] {
            let error = format!(r#"{{"errcode":"{fault}","error":"Can't send relation to unknown event"}}"#);
            let unknown = json_answer("400 Bad Request", &error);
            let (url, requests) = receiver(vec![unknown, ok]).await;
            assert_eq!(room(&url).send(&next).await, begun);
            let requests = requests.await;
            assert!(requests[0].line.contains("/0123456789abcdef0123456789abcdef "), "{}", requests[0].line);
            let line = "PUT /_matrix/client/v3/rooms/%21aZ%2F9%3Aexample.net/send/m.room.message/0123456789abcdef0123456789abcdef-root ";
            assert!(requests[1].line.starts_with(line), "{}", requests[1].line);
            let mut first = requests[0].json();
            assert!(first.as_object_mut().unwrap().remove("m.relates_to").is_some());
            assert_eq!(requests[1].json(), first, "the same words, and no thread");
            // What the words themselves are refused for is this letter's fault, and one that begins a thread is sent once.
            let (url, requests) = receiver(vec![unknown; 2]).await;
            let refused = Outcome::Refused { why: format!("answered 400 ({fault})"), whole_channel: false };
            assert_eq!(room(&url).send(&next).await, refused);
            assert_eq!(requests.await.len(), 2);
            let (url, requests) = receiver(vec![unknown]).await;
            assert_eq!(room(&url).send(&statement(1)).await, refused);
            assert_eq!(requests.await.len(), 1);
        }
        // Found later, it stands there without a thread: what follows belongs to it.
        let there = json_answer("200 OK", include_str!("../../tests/fixtures/channels/matrix/messages.json"));
        let (url, _requests) = receiver(vec![there]).await;
        assert_eq!(room(&url).send(&Parcel { attempt: 2, ..next }).await, begun);
    }
}
