//! One table of answers over every kind that speaks HTTP: what a status means must not depend on who wrote the file.

use super::stories::{build, json_answer, parcel, receiver, statement};
use super::*;

/// A kind at an address of ours, with what it needs, and an address of a person.
fn at(name: &str, url: &str) -> (Channel, Parcel) {
    let kind = kind(name).unwrap();
    let sids = [
        ("account_sid", "AC0123456789abcdef0123456789abcdef"),
        ("key_sid", "SK0123456789abcdef0123456789abcdef"),
        ("from", "+15005550006"),
        ("email", "onscene-bot@example.net"),
        ("room", "C0123456789"),
        ("user", "onscene"),
    ];
    let place = if kind.keys.iter().any(|key| key.name == "url") { "url" } else { "api_url" };
    let known: BTreeMap<&str, &str> =
        sids.into_iter().chain([(place, url), ("private_addresses", "allow")]).collect();
    let texts: Vec<(&str, &str)> = kind
        .keys
        .iter()
        .filter(|key| !key.secret)
        .filter_map(|key| Some((key.name, *known.get(key.name)?)))
        .collect();
    // An address that is a secret.
    let hook = format!("{url}{}", HOOKS.iter().find(|(of, _)| *of == name).map_or("", |(_, path)| path));
    let secret = |key: &Key| match (name, key.name) {
        (_, "url") => hook.as_str(),
        ("ghost", _) => GHOST,
        _ => "not-a-real-secret-0123",
    };
    let secrets: Vec<(&str, &str)> =
        kind.keys.iter().filter(|key| is_needed(key)).map(|key| (key.name, secret(key))).collect();
    let to = PERSONS.iter().find(|(of, _)| *of == name).unwrap().1;
    let letter = if PUBLISHERS.contains(&name) { statement(1) } else { parcel(1) };
    (build(kind, &texts, &secrets).unwrap(), Parcel { to: to.into(), ..letter })
}

/// Whether a secret is given in the table.
fn is_needed(key: &Key) -> bool {
    key.secret && key.name != "secret_headers"
}

/// What stands behind the host in an address that is a secret.
const HOOKS: &[(&str, &str)] = &[
    ("discord", "/api/webhooks/123456789012345678/not-a-real-secret-0123"),
    ("google-chat", "/v1/spaces/AAAA/messages?key=not-a-real-secret-01&token=not-a-real-secret-0123"),
    ("teams", "/workflows/0a1b?api-version=2016-06-01&sig=not-a-real-secret-0123"),
];

/// A key of Ghost is an id and hexadecimal digits.
const GHOST: &str = "6b0bd616cd32ab4b66413218:000102030405060708090a0b0c0d0e0f";
/// Kinds that take statements, and nothing else.
const PUBLISHERS: &[&str] = &["ghost", "wordpress"];

/// A right address of every kind that reaches persons by HTTP; of one that writes to a room of its own, none.
const PERSONS: &[(&str, &str)] = &[
    ("discord", ""),
    ("ghost", ""),
    ("google-chat", ""),
    ("gotify", "maya"),
    ("matrix", "!aZ9:example.net"),
    ("mattermost", "channel:directdirectdirectdirect26"),
    ("ntfy", "maya-4Jk2"),
    ("pushover", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"),
    ("slack", "U0123456789"),
    ("teams", ""),
    ("telegram", "123456789"),
    ("twilio-sms", "+4712345678"),
    ("twilio-voice", "+4712345678"),
    ("webhook", "maya"),
    ("wordpress", ""),
    ("zulip", ""),
];

#[test]
fn every_kind_that_speaks_http_stands_in_the_table() {
    for kind in KINDS {
        let listed = PERSONS.iter().any(|(name, _)| *name == kind.name);
        assert_eq!(listed, !["mail", "command", "irc"].contains(&kind.name), "{}", kind.name);
        if let (Some(address), Some((_, to))) =
            (kind.address, PERSONS.iter().find(|(name, _)| *name == kind.name))
        {
            assert_eq!(address(to), Ok(()), "{}", kind.name);
        }
    }
}

#[tokio::test]
async fn every_status_means_the_same_whoever_answers_it() {
    for (name, _) in PERSONS {
        for (status, meant) in [
            ("301 Moved\r\nLocation: http://127.0.0.1:1/", "refused"),
            ("400 Bad Request", "refused"),
            ("401 Unauthorized", "refused"),
            ("403 Forbidden", "refused"),
            ("404 Not Found", "refused"),
            ("408 Timeout", "unknown"),
            ("413 Too Large", "refused"),
            ("429 Slow\r\nRetry-After: 7", "wait"),
            ("500 Oops", "unknown"),
            ("502 Bad Gateway", "unknown"),
            ("503 Busy", "wait"),
        ] {
            // Slack answers whatever it says with 200: its other statuses are a proxy's.
            if *name == "slack" && status.starts_with("408") {
                continue;
            }
            // Matrix asks once more whether it may come in.
            let (url, _requests) = receiver(vec![json_answer(status, ""); 2]).await;
            let (channel, parcel) = at(name, &url);
            let outcome = channel.send(&parcel).await;
            assert_eq!(outcome.as_str(), meant, "{name} {status} {outcome:?}");
            let whole = matches!(outcome, Outcome::Refused { whole_channel: true, .. });
            if status.starts_with("401") || status.starts_with("404") || status.starts_with("301") {
                assert!(whole, "{name} {status}: nothing in it says that it is about one person");
            }
            if let Outcome::Wait { after, .. } = outcome {
                assert_eq!(after, status.contains("Retry-After").then_some(Duration::from_secs(7)), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn who_publishes_statements_takes_no_other_letter() {
    for name in PUBLISHERS {
        let (channel, letter) = at(name, "http://127.0.0.1:1");
        let outcome = channel.send(&Parcel { statement: None, ..letter }).await;
        let Outcome::Refused { why, whole_channel: false } = outcome else { panic!("{name}: {outcome:?}") };
        assert!(why.contains("statements"), "{why}");
    }
}

#[tokio::test]
async fn a_lost_answer_and_a_server_that_is_not_there_are_two_things() {
    for (name, _) in PERSONS {
        let (url, _requests) = receiver(vec![""]).await;
        let (channel, parcel) = at(name, &url);
        let lost = channel.send(&parcel).await;
        assert_eq!(lost.as_str(), "unknown", "{name}: the connection was lost after the request");
        let (channel, parcel) = at(name, "http://127.0.0.1:1");
        assert_eq!(channel.send(&parcel).await.as_str(), "wait", "{name}: nobody listens there");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer() {
    for (name, _) in PERSONS.iter().filter(|(name, _)| *name != "webhook") {
        let (url, _requests) =
            receiver(vec![json_answer("200 OK", "<html>welcome to the hotel</html>")]).await;
        let (channel, parcel) = at(name, &url);
        assert_eq!(channel.send(&parcel).await.as_str(), "unknown", "{name}");
    }
}

#[tokio::test]
async fn no_secret_and_no_address_of_a_person_is_in_any_sentence() {
    for (name, to) in PERSONS {
        let echo = format!(r#"{{"error":"{to} not-a-real-secret-0123","message":"{to}","errors":["{to}"]}}"#);
        for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "500 Oops", "200 OK"] {
            // What Gotify and Slack call an error is a short word of their own, and is told.
            if ["gotify", "slack"].contains(name) {
                continue;
            }
            let (url, _requests) = receiver(vec![json_answer(status, &echo); 2]).await;
            let (channel, parcel) = at(name, &url);
            let said = format!("{:?}", channel.send(&parcel).await);
            assert!(!said.contains("not-a-real-secret"), "{said}");
            assert!(to.is_empty() || !said.contains(to), "{said}");
        }
        let (channel, parcel) = at(name, "http://127.0.0.1:1");
        let said = format!("{:?}", channel.send(&parcel).await);
        assert!(!said.contains("not-a-real-secret"), "{said}");
    }
}

#[test]
fn an_address_of_a_server_holds_no_user_and_password() {
    // These two have looked at it for themselves since before.
    for kind in KINDS.iter().filter(|kind| !["slack", "webhook"].contains(&kind.name)) {
        let Some(place) = kind.keys.iter().find(|key| ["url", "api_url"].contains(&key.name)) else {
            continue;
        };
        for wrong in ["maya:secret@example.net", "https://maya:secret@example.net", "ftp://example.net"] {
            let texts = [
                (place.name, wrong),
                ("account_sid", "AC0"),
                ("key_sid", "SK0"),
                ("from", "+15005550006"),
                ("user", "onscene"),
            ];
            let secret = |key: &Key| match (kind.name, key.name) {
                (_, "url") => wrong,
                ("ghost", _) => GHOST,
                _ => "not-a-real-secret-0123",
            };
            let secrets: Vec<(&str, &str)> =
                kind.keys.iter().filter(|key| is_needed(key)).map(|key| (key.name, secret(key))).collect();
            let said = build(kind, &texts, &secrets).err();
            assert!(
                said.is_some_and(|said| said.contains(place.name) && !said.contains("maya")),
                "{} {wrong}",
                kind.name
            );
        }
    }
}
