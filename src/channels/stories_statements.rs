//! Statements over every kind that says them in a room: the words that were shown go out, whole or not at all, and once.

use percent_encoding::percent_decode_str;

use super::statement::Mended;
use super::stories::{SILENCE, Seen, build, json_answer, receiver, statement, status_letter};
use super::*;
use crate::core::audience::Audience;
use crate::core::voice::Sort;

/// What one kind needs, and what it is answered.
struct Room {
    name: &'static str,
    texts: &'static [(&'static str, &'static str)],
    /// Behind the host in an address that is a secret.
    hook: &'static str,
    /// The answer to a statement that was written, and its id.
    written: (&'static str, &'static str),
    id: Option<&'static str>,
    /// An answer that shows a letter which is there already, and one that shows none. None: nobody can look.
    looks: Option<(&'static str, &'static str)>,
    /// How a message is taken away: the first line of the request, a message's id, and the answers that it was and that it is not there.
    removal: Option<Removal>,
}

struct Removal {
    /// What is asked before it, and the answer.
    asked: Option<(&'static str, &'static str)>,
    line: &'static str,
    id: &'static str,
    done: &'static str,
    gone: (&'static str, &'static str),
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/channels/", $name))
    };
}

const ROOMS: &[Room] = &[
    Room {
        name: "discord",
        texts: &[],
        hook: "/api/webhooks/123456789012345678/not-a-real-secret-0123",
        written: ("200 OK", fixture!("discord/message.json")),
        id: Some("1199000000000000001"),
        looks: None,
        removal: Some(Removal {
            asked: None,
            line: "DELETE /api/webhooks/123456789012345678/not-a-real-secret-0123/messages/1199000000000000000 ",
            id: "1199000000000000000",
            done: "",
            gone: ("404 Not Found", fixture!("discord/gone.json")),
        }),
    },
    Room {
        name: "google-chat",
        texts: &[],
        hook: "/v1/spaces/AAAA/messages?key=not-a-real-secret-01&token=not-a-real-secret-0123",
        written: ("200 OK", fixture!("google-chat/message.json")),
        id: Some("spaces/AAAAbCdEfGh/messages/x1.x1"),
        looks: None,
        removal: None,
    },
    Room {
        name: "matrix",
        texts: &[("room", "!aZ/9:example.net")],
        hook: "",
        written: ("200 OK", fixture!("matrix/event.json")),
        id: Some("$YUwRidLecu:example.net"),
        looks: Some((fixture!("matrix/messages.json"), fixture!("matrix/nothing.json"))),
        removal: Some(Removal {
            asked: None,
            line: "PUT /_matrix/client/v3/rooms/%21aZ%2F9%3Aexample.net/redact/%24first%3Aexample.net/0123456789abcdef0123456789abcdef-redact ",
            id: "$first:example.net",
            done: r#"{"event_id":"$redacts:example.net"}"#,
            gone: ("404 Not Found", r#"{"errcode":"M_NOT_FOUND","error":"Could not find event"}"#),
        }),
    },
    Room {
        name: "mattermost",
        texts: &[("channel", "directdirectdirectdirect26")],
        hook: "",
        written: ("201 Created", fixture!("mattermost/post.json")),
        id: Some("postpostpostpostpostpost26"),
        looks: Some((fixture!("mattermost/posts.json"), fixture!("mattermost/nothing.json"))),
        removal: Some(Removal {
            asked: Some((
                "GET /api/v4/posts/firstfirstfirstfirstfirs26 ",
                r#"{"id":"firstfirstfirstfirstfirs26","root_id":"rootrootrootrootrootroot26"}"#,
            )),
            line: "DELETE /api/v4/posts/firstfirstfirstfirstfirs26 ",
            id: "firstfirstfirstfirstfirs26",
            done: fixture!("mattermost/deleted.json"),
            gone: ("404 Not Found", fixture!("mattermost/gone.json")),
        }),
    },
    Room {
        name: "slack",
        texts: &[("room", "C0123456789")],
        hook: "",
        written: ("200 OK", r#"{"ok":true,"channel":"C0123456789","ts":"1795400010.000200"}"#),
        id: Some("1795400010.000200"),
        looks: Some((fixture!("slack/history.json"), fixture!("slack/nothing.json"))),
        removal: Some(Removal {
            asked: None,
            line: "POST /chat.delete ",
            id: "1795390000.000100",
            done: r#"{"ok":true,"channel":"C0123456789","ts":"1795390000.000100"}"#,
            gone: ("200 OK", r#"{"ok":false,"error":"message_not_found"}"#),
        }),
    },
    Room {
        name: "teams",
        texts: &[],
        hook: "/workflows/0a1b?api-version=2016-06-01&sig=not-a-real-secret-0123",
        written: ("202 Accepted", ""),
        id: None,
        looks: None,
        removal: None,
    },
    Room {
        name: "telegram",
        texts: &[("chat", "-1001234567890")],
        hook: "",
        written: ("200 OK", fixture!("telegram/sent.json")),
        id: Some("-1001234567890/1365"),
        looks: None,
        removal: Some(Removal {
            asked: None,
            line: "POST /botnot-a-real-secret-0123/deleteMessage ",
            id: "1360",
            done: fixture!("telegram/deleted.json"),
            gone: ("400 Bad Request", fixture!("telegram/gone.json")),
        }),
    },
    Room {
        name: "zulip",
        texts: &[("email", "onscene-bot@example.net"), ("room", "ops")],
        hook: "",
        written: ("200 OK", r#"{"id": 42118, "msg": "", "result": "success"}"#),
        id: Some("42118"),
        looks: Some((fixture!("zulip/messages.json"), fixture!("zulip/nothing.json"))),
        removal: Some(Removal {
            asked: None,
            line: "DELETE /api/v1/messages/42100 ",
            id: "42100",
            done: fixture!("zulip/deleted.json"),
            gone: ("400 Bad Request", fixture!("zulip/not_deleted.json")),
        }),
    },
];

impl Room {
    fn at(&self, url: &str) -> Channel {
        let kind = kind(self.name).unwrap();
        let place = if kind.keys.iter().any(|key| key.name == "api_url") { "api_url" } else { "url" };
        let mut texts = vec![("private_addresses", "allow")];
        texts.extend(self.texts);
        if self.hook.is_empty() {
            texts.push((place, url));
        }
        let hook = format!("{url}{}", self.hook);
        let secret = |key: &Key| if key.name == "url" { hook.as_str() } else { "not-a-real-secret-0123" };
        let secrets: Vec<_> =
            kind.keys.iter().filter(|key| key.secret).map(|key| (key.name, secret(key))).collect();
        build(kind, &texts, &secrets).unwrap()
    }

    fn written(&self) -> &'static str {
        json_answer(self.written.0, self.written.1)
    }

    fn accepted(&self) -> Outcome {
        Outcome::Accepted { remote_id: self.id.map(str::to_owned) }
    }
}

/// Whether a request writes words, and is no question.
fn writes(seen: &Seen) -> bool {
    seen.body.contains("payments") && !seen.line.starts_with("GET ")
}

/// The letters and digits of a text, whatever stands between them.
fn bare(text: &str) -> String {
    let text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().replace("\\n", " ");
    let text = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn retraction(room: &Room, attempt: u32) -> Parcel {
    let mut parcel = statement(attempt);
    let said = parcel.statement.as_mut().unwrap();
    said.sort = Sort::Retraction;
    let remote_id = room.removal.as_ref().map(|removal| removal.id.to_owned());
    said.mends = Some(Mended { id: "42-1".into(), at: said.began, remote_id });
    parcel
}

/// What a server says that has no time.
const BUSY: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

#[test]
fn every_room_that_a_kind_reaches_beside_persons_stands_in_the_table() {
    for kind in KINDS.iter().filter(|kind| kind.status && kind.address.is_some()) {
        let listed = ROOMS.iter().any(|room| room.name == kind.name);
        assert_eq!(listed, kind.name != "webhook", "{}", kind.name);
    }
}

#[tokio::test]
async fn what_was_shown_is_what_is_written_and_nothing_of_the_incident() {
    for room in ROOMS {
        let (url, requests) = receiver(vec![room.written()]).await;
        let channel = room.at(&url);
        let mut sly = statement(1);
        sly.text = "Identified\n\nask @all or @**all**, <!channel> [pay](https://evil.example/a_b) {{{x}}}\n\n```\nend *of* it_".into();
        let mut shown = channel.shows(&sly);
        assert!(shown.fits(), "{} {shown:?}", room.name);
        // What a post of a forum is called stands beside it.
        if let Some(words) =
            shown.text.strip_prefix("(In a forum its post is called \"Online shop, 2026-11-23\".)\n\n")
        {
            shown.text = words.to_owned();
        }
        assert_eq!(channel.send(&sly).await, room.accepted(), "{}", room.name);
        let request = requests.await.pop().unwrap();
        let whole = bare(&request.body);
        let mut rest = whole.as_str();
        for line in shown.text.lines().map(bare) {
            let found = rest.split_once(&line);
            rest = found.unwrap_or_else(|| panic!("{} {line}: {} {shown:?}", room.name, request.body)).1;
        }
        let said = percent_decode_str(&request.body).decode_utf8_lossy().into_owned();
        // The key of a thread is shown to nobody.
        let said = said.replace(r#""threadKey":"inc-42""#, "");
        for inner in ["42-3", "INC-42", "inc-42", "incidents/42", "onscene.example.net", "acknowledged"] {
            assert!(!said.contains(inner) && !shown.text.contains(inner), "{} {inner}: {said}", room.name);
        }
        // Neutralised by a break that nobody sees, by an escape, or because the kind knows no mentions.
        let calls = ["@all", "@**all", "](https"].iter().any(|call| said.contains(call));
        assert!(!calls || room.name == "teams", "{}: {said}", room.name);
        assert!(!said.contains("<!channel>") || !["slack", "google-chat"].contains(&room.name), "{said}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_sent_and_never_cut() {
    for room in ROOMS {
        let channel = room.at("http://127.0.0.1:1");
        let of = |count: usize| Parcel { text: "x".repeat(count), ..statement(1) };
        let (mut fits, mut beyond) = (100, 100_000);
        while fits + 1 < beyond {
            let middle = usize::midpoint(fits, beyond);
            if channel.shows(&of(middle)).fits() { fits = middle } else { beyond = middle }
        }
        let (last, over) = (channel.shows(&of(fits)), channel.shows(&of(beyond)));
        assert_eq!((last.size, over.size), (last.most, last.most + 1), "{}", room.name);
        assert!(last.text.ends_with(&"x".repeat(fits)), "{}", room.name);
        // Nobody listens there, which is found out only by one that is sent.
        assert_eq!(channel.send(&of(fits)).await.as_str(), "wait", "{}", room.name);
        let refused = channel.send(&of(beyond)).await;
        let Outcome::Refused { why, whole_channel: false } = &refused else {
            panic!("{} {refused:?}", room.name)
        };
        assert_eq!(
            *why,
            format!("it has {} {}, and no more than {} are taken", over.size, over.unit, over.most)
        );
        // It is this one's fault, and the next goes out.
        let (url, _requests) = receiver(vec![room.written()]).await;
        assert_eq!(room.at(&url).send(&of(fits)).await, room.accepted(), "{}", room.name);
    }
}

#[tokio::test]
async fn a_statement_whose_answer_was_lost_is_not_written_twice() {
    for room in ROOMS {
        let Some((there, _)) = room.looks else {
            // Nobody can look, so nobody tries it again.
            let (url, requests) = receiver(vec![""]).await;
            let channel = room.at(&url);
            assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown", "{}", room.name);
            assert!(!channel.recognises_repeats(&statement(1)), "{}", room.name);
            assert_eq!(requests.await.iter().filter(|seen| writes(seen)).count(), 1, "{}", room.name);
            continue;
        };
        let (url, requests) = receiver(vec!["", json_answer("200 OK", there)]).await;
        let channel = room.at(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown", "{}", room.name);
        assert!(channel.recognises_repeats(&statement(1)), "{}", room.name);
        assert_eq!(channel.send(&statement(2)).await, room.accepted(), "{}", room.name);
        let requests = requests.await;
        assert_eq!(requests.iter().map(writes).collect::<Vec<_>>(), [true, false], "{}", room.name);
    }
}

#[tokio::test]
async fn one_that_a_proxy_may_have_handed_on_is_not_written_twice_and_status_is_tried_again() {
    const BARE: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    for room in ROOMS {
        let there = room.looks.map(|(there, _)| json_answer("200 OK", there));
        let (url, requests) = receiver([BARE].into_iter().chain(there).collect()).await;
        let channel = room.at(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown", "{}", room.name);
        assert_eq!(channel.recognises_repeats(&statement(1)), there.is_some(), "{}", room.name);
        if there.is_some() {
            assert_eq!(channel.send(&statement(2)).await, room.accepted(), "{}", room.name);
        }
        assert_eq!(requests.await.iter().filter(|seen| writes(seen)).count(), 1, "{}", room.name);
        let (url, _requests) = receiver(vec![BARE]).await;
        let channel = room.at(&url);
        let status = channel.send(&status_letter()).await;
        let is_tried_again = status.as_str() == "wait"
            || status.as_str() == "unknown" && channel.recognises_repeats(&status_letter());
        assert!(is_tried_again, "{}: {status:?}", room.name);
    }
    let (url, _requests) = receiver(vec![BARE; 2]).await;
    let texts = [("private_addresses", "allow"), ("body", "{{ text }}")];
    let unsigned = build(&webhook::KIND, &texts, &[("url", &url)]).unwrap();
    assert_eq!(unsigned.send(&statement(1)).await.as_str(), "unknown");
    assert_eq!(unsigned.send(&status_letter()).await.as_str(), "wait");
}

#[tokio::test]
async fn where_the_answer_to_status_was_503_it_is_looked_for_before_it_is_written_again() {
    for room in ROOMS.iter().filter(|room| ["matrix", "mattermost"].contains(&room.name)) {
        let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        let (url, requests) = receiver(vec![busy, json_answer("200 OK", room.looks.unwrap().0)]).await;
        let channel = room.at(&url);
        channel.send(&status_letter()).await;
        let again = Parcel { attempt: 2, ..status_letter() };
        assert_eq!(channel.send(&again).await, room.accepted(), "{}", room.name);
        assert!(requests.await[1].line.starts_with("GET "), "{}", room.name);
    }
}

#[tokio::test]
async fn what_is_not_there_is_written_and_the_same_bytes_again() {
    for room in ROOMS {
        let Some((_, nothing)) = room.looks else { continue };
        let (url, requests) = receiver(vec!["", json_answer("200 OK", nothing), room.written()]).await;
        let channel = room.at(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown", "{}", room.name);
        assert_eq!(channel.send(&statement(2)).await, room.accepted(), "{}", room.name);
        let requests = requests.await;
        assert_eq!((&requests[0].line, &requests[0].body), (&requests[2].line, &requests[2].body));
    }
}

#[tokio::test]
async fn where_a_look_fails_nothing_is_written() {
    for room in ROOMS.iter().filter(|room| room.looks.is_some()) {
        for (answer, meant) in [
            ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "unknown"),
            ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "unknown"),
            (json_answer("200 OK", "<html>welcome to the hotel</html>"), "unknown"),
            ("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "wait"),
            ("", "unknown"),
        ] {
            let (url, requests) = receiver(vec![answer]).await;
            let late = statement(2).created_at + SignedDuration::from_hours(1);
            let outcome = room.at(&url).send(&Parcel { now: late, ..statement(2) }).await;
            assert_eq!(outcome.as_str(), meant, "{} {answer} {outcome:?}", room.name);
            assert!(!requests.await.iter().any(writes), "{} {answer}", room.name);
        }
    }
}

#[tokio::test]
async fn one_that_certainly_was_not_written_is_sent_again_without_a_look() {
    for room in ROOMS {
        let slow = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
        let (url, requests) = receiver(vec![slow, room.written()]).await;
        let channel = room.at(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "wait", "{}", room.name);
        assert_eq!(channel.send(&statement(2)).await, room.accepted(), "{}", room.name);
        assert_eq!(requests.await.len(), 2, "{}", room.name);
    }
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the test's own time, which stands still")]
async fn one_that_is_taken_back_is_removed_before_its_readers_are_told() {
    for room in ROOMS {
        let Some(removal) = &room.removal else {
            let (url, requests) = receiver(vec![room.written()]).await;
            assert_eq!(room.at(&url).send(&retraction(room, 1)).await, room.accepted(), "{}", room.name);
            assert_eq!(requests.await.len(), 1, "{}: it is told, and that is all", room.name);
            continue;
        };
        let done = json_answer("200 OK", removal.done);
        let gone = json_answer(removal.gone.0, removal.gone.1);
        // Zulip does not tell one that is gone from one that may not be deleted.
        let refuses_gone = room.name == "zulip";
        let refused = json_answer("403 Forbidden", "");
        for (removed, is_refused) in [(done, false), (gone, refuses_gone), (refused, true)] {
            let asked = removal.asked.map(|(_, answer)| json_answer("200 OK", answer));
            let answers = asked.into_iter().chain([removed, room.written()]).collect();
            let (url, requests) = receiver(answers).await;
            let outcome = room.at(&url).send(&retraction(room, 1)).await;
            match outcome {
                Outcome::Stands { remote_id, why } if is_refused => {
                    assert!(remote_id.as_deref() == room.id && why.contains("still: answered 40"), "{why}");
                }
                other => assert_eq!(other, room.accepted(), "{}", room.name),
            }
            let requests = requests.await;
            let lines = removal.asked.iter().map(|(line, _)| *line).chain([removal.line]);
            for (line, request) in lines.zip(&requests) {
                assert!(request.line.starts_with(line), "{}: {}", room.name, request.line);
            }
            let before = requests.len() - 1;
            let written: Vec<_> = requests.iter().map(writes).collect();
            assert!(written[before] && !written[..before].contains(&true), "{}: {written:?}", room.name);
        }
        // Not yet, so nothing is said either: but not for ever.
        for not_yet in ["", BUSY] {
            let (url, requests) = receiver(vec![not_yet, not_yet, not_yet, room.written()]).await;
            let channel = room.at(&url);
            for attempt in 1..=2 {
                let outcome = channel.send(&retraction(room, attempt)).await;
                assert_eq!(outcome.as_str(), "wait", "{} {not_yet}", room.name);
            }
            // People are told that it stands there.
            assert_eq!(channel.send(&retraction(room, 3)).await.as_str(), "stands", "{}", room.name);
            let written: Vec<_> = requests.await.iter().map(writes).collect();
            assert_eq!(written, [false, false, false, true], "{}", room.name);
        }
        // Silence is the removal's own.
        let (url, requests) = receiver(vec![SILENCE]).await;
        let channel = room.at(&url);
        let (letter, soon) = (retraction(room, 1), std::time::Duration::from_millis(6_500));
        let outcome = tokio::time::timeout(soon, channel.send(&letter)).await;
        let outcome = outcome.expect("a removal does not take the whole attempt");
        assert_eq!(outcome.as_str(), "wait", "{} {outcome:?}", room.name);
        tokio::time::resume();
        assert_eq!(requests.await.len(), 1, "{}", room.name);
        // A correction leaves what it corrects where it is.
        let mut correction = retraction(room, 1);
        correction.statement.as_mut().unwrap().sort = Sort::Correction;
        let (url, requests) = receiver(vec![room.written()]).await;
        assert_eq!(room.at(&url).send(&correction).await, room.accepted(), "{}", room.name);
        assert_eq!(requests.await.iter().map(writes).collect::<Vec<_>>(), [true], "{}", room.name);
    }
}

#[tokio::test]
async fn a_letter_that_is_lost_is_said_by_no_sentence_with_a_secret_in_it() {
    for room in ROOMS {
        let echo = r#"{"error":"x","message":"not-a-real-secret-0123","msg":"not-a-real-secret-0123","id":"x y not-a-real-secret-0123"}"#;
        for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "500 Oops"] {
            // The removal, and what follows it; or the look.
            for parcel in [retraction(room, 1), statement(2)] {
                let (url, _requests) = receiver(vec![json_answer(status, echo); 3]).await;
                let said = format!("{:?}", room.at(&url).send(&parcel).await);
                assert!(!said.contains("not-a-real-secret"), "{} {status} {said}", room.name);
            }
        }
    }
}

#[tokio::test]
async fn status_still_goes_where_statements_go_and_what_closes_a_room_is_the_channels_fault() {
    for room in ROOMS {
        let (url, requests) = receiver(vec![room.written()]).await;
        assert_eq!(room.at(&url).send(&status_letter()).await, room.accepted(), "{}", room.name);
        let body = requests.await.pop().unwrap().body;
        assert!(bare(&body).contains("SEV1shopcheckoutdown"), "{}: {body}", room.name);
        for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"] {
            for parcel in [status_letter(), statement(1)] {
                let (url, _requests) = receiver(vec![json_answer(status, ""); 2]).await;
                let outcome = room.at(&url).send(&parcel).await;
                let whole = matches!(outcome, Outcome::Refused { whole_channel: true, .. });
                assert!(whole, "{} {status} {outcome:?}", room.name);
            }
        }
    }
}

#[test]
fn status_needs_a_room_where_a_kind_reaches_persons_too() {
    let mailer =
        mail::Mailer::new("onscene <pager@example.net>", &["file:/nonexistent".into()], None, None).unwrap();
    let shared = Shared {
        client: client::Client::new(None).unwrap(),
        mailer: Some(Arc::new(mailer)),
        heard: Heard::default(),
        newest: Default::default(),
    };
    let built = |name: &str, more: &[(&str, &str)]| {
        let texts = [("url", "https://chat.example.net")].iter().chain(more);
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let secrets = [("token".to_owned(), "not-a-real-secret-0123".into())].into();
        let fields = Fields { texts: texts.map(own).collect(), secrets, ..Fields::default() };
        kind(name).unwrap().build_for_status(fields, &shared).err().unwrap_or_default()
    };
    for (name, key, right, wrong) in [
        ("matrix", "room", "!aZ9:example.net", "#ops:example.net"),
        ("mattermost", "channel", "directdirectdirectdirect26", "ops"),
        ("slack", "room", "C0123456789", ""),
        ("telegram", "chat", "@example_status", "example_status"),
        ("telegram", "chat", "-1001234567890", "+12"),
    ] {
        let said = format!("`{key}`");
        assert!(built(name, &[]).contains(&said), "{name}: {}", built(name, &[]));
        assert!(built(name, &[(key, wrong)]).contains(&said), "{name}: {}", built(name, &[(key, wrong)]));
        assert_eq!(built(name, &[(key, right)]), "", "{name}");
    }
}

#[tokio::test]
async fn a_receiver_of_webhooks_is_told_the_statement_and_the_house_alone_its_id() {
    let ok = "HTTP/1.1 204 No Content\r\n\r\n";
    let (url, requests) = receiver(vec![ok; 4]).await;
    let secrets = [("url", url.as_str()), ("secret", "0123456789abcdef-not-a-real-secret")];
    let hook = build(&webhook::KIND, &[("private_addresses", "allow")], &secrets).unwrap();
    let own = Outcome::Accepted { remote_id: Some(statement(1).delivery) };
    assert_eq!(hook.send(&statement(1)).await, own, "those that follow name it by that");
    hook.send(&statement(2)).await;
    let mut internal = retraction(&ROOMS[0], 1);
    internal.thread_root = Some("f".repeat(32));
    let said = internal.statement.as_mut().unwrap();
    (said.audience, said.mends.as_mut().unwrap().remote_id) = (Audience::Internal, Some("e".repeat(32)));
    hook.send(&internal).await;
    assert_eq!(hook.send(&status_letter()).await, Outcome::Accepted { remote_id: None });
    let requests = requests.await;
    assert_eq!(requests[0].body, requests[1].body, "the same bytes on every attempt");
    let told: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/fixtures/channels/webhook/statement.json")).unwrap();
    assert_eq!(requests[0].json(), told, "{}", requests[0].body);
    let internal = &requests[2].json()["data"];
    assert_eq!((&internal["id"], &internal["thread"]), (&"42-3".into(), &"f".repeat(32).into()));
    assert_eq!(internal["mends"]["webhook_id"], "e".repeat(32));
    assert!(hook.recognises_repeats(&statement(1)));
    assert!(hook.shows(&statement(1)).text.contains("Identified\n\nSome payments by card fail."));
}

#[tokio::test]
async fn what_stands_in_a_room_that_the_channel_led_to_before_is_told_of() {
    let build = |kind: &str, key: &str, room: &str, secret: &str| {
        let texts = [("url", "http://127.0.0.1:1"), ("private_addresses", "allow"), (key, room)];
        let texts = texts.into_iter().filter(|(name, _)| kind != "slack" || *name != "url");
        build(super::kind(kind).unwrap(), &texts.collect::<Vec<_>>(), &[(secret, "not-a-real-token")])
            .unwrap()
    };
    for (kind, key, rooms) in [
        ("slack", "room", ["C0123456789", "C9876543210"]),
        ("matrix", "room", ["!a:example.net", "!b:example.net"]),
    ] {
        let [before, after] = rooms.map(|room| build(kind, key, room, "token"));
        let there = before.kept(Outcome::Accepted { remote_id: Some("7".into()) });
        let Outcome::Accepted { remote_id: Some(kept) } = there else { panic!("{kind}: {there:?}") };
        let back = |id: &str| {
            let mut back = Parcel { thread_root: Some(id.into()), ..statement(1) };
            let said = back.statement.as_mut().unwrap();
            said.sort = Sort::Retraction;
            said.mends = Some(Mended { id: "42-1".into(), at: said.at, remote_id: Some(id.into()) });
            back
        };
        let id =
            |parcel: &Parcel| parcel.statement.as_ref().unwrap().mends.as_ref().unwrap().remote_id.clone();
        assert_eq!((plain_id(&kept), plain_id("7")), ("7", "7"), "what people are shown");
        // In its own room, and as ids of before are read.
        for known in [kept.as_str(), "7"] {
            let mut parcel = back(known);
            before.read_ids(&mut parcel);
            assert_eq!(
                (id(&parcel).as_deref(), parcel.thread_root.as_deref()),
                (Some("7"), Some("7")),
                "{kind}"
            );
        }
        let mut parcel = back(&kept);
        after.read_ids(&mut parcel);
        assert_eq!((id(&parcel), parcel.thread_root.as_deref()), (None, Some("7")), "{kind}");
        let told = after.told(&parcel, Outcome::Accepted { remote_id: Some("8".into()) });
        let Outcome::Stands { why, .. } = told else { panic!("{kind}: {told:?}") };
        assert!(why.contains("in a room that the channel led to before"), "{why}");
    }
}
