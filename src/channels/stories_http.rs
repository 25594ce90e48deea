//! One table of answers over every kind that speaks HTTP: what a status means must not depend on who wrote the file.

use super::stories::{build, json_answer, parcel, receiver, statement};
use super::*;

/// A kind at an address of ours, and an address of a person.
fn at(name: &str, url: &str) -> (Channel, Parcel) {
    let to = PERSONS.iter().find(|(of, _)| *of == name).unwrap().1;
    let letter = if kind(name).unwrap().publishes() { statement(1) } else { parcel(1) };
    (built(name, url, "allow").unwrap(), Parcel { to: to.into(), ..letter })
}

/// A kind at an address, with what it needs.
fn built(name: &str, url: &str, private_addresses: &str) -> Result<Channel, String> {
    let kind = kind(name).unwrap();
    let sids = [
        ("account_sid", "AC0123456789abcdef0123456789abcdef"),
        ("key_sid", "SK0123456789abcdef0123456789abcdef"),
        ("from", "+15005550006"),
        ("email", "onscene-bot@example.net"),
        ("room", "C0123456789"),
        ("handle", "onscene.example.net"),
        ("page", "abc123def456"),
        ("user", "onscene"),
    ];
    let place = if kind.keys.iter().any(|key| key.name == "url") { "url" } else { "api_url" };
    let known: BTreeMap<&str, &str> =
        sids.into_iter().chain([(place, url), ("private_addresses", private_addresses)]).collect();
    let texts: Vec<(&str, &str)> = kind
        .keys
        .iter()
        // Of Matrix it is persons here, and a room is another's.
        .filter(|key| !key.secret && (name != "matrix" || key.name != "room"))
        .filter_map(|key| Some((key.name, *known.get(key.name)?)))
        .collect();
    // An address that is a secret.
    let hook = format!("{url}{}", HOOKS.iter().find(|(of, _)| *of == name).map_or("", |(_, path)| path));
    let secret = |key: &Key| if key.name == "url" { hook.as_str() } else { secret_of(name) };
    let secrets: Vec<(&str, &str)> =
        kind.keys.iter().filter(|key| is_needed(key)).map(|key| (key.name, secret(key))).collect();
    build(kind, &texts, &secrets)
}

/// What a kind asks before it writes, answered well, and then this.
fn at_last(name: &str, answers: &[&'static str]) -> Vec<&'static str> {
    let first = match name {
        "bluesky" => include_str!("../../tests/fixtures/channels/bluesky/session.json"),
        "mastodon" => include_str!("../../tests/fixtures/channels/mastodon/instance.json"),
        _ => return answers.to_vec(),
    };
    [&[json_answer("200 OK", first)], answers].concat()
}

/// What looks like a secret of a kind.
fn secret_of(name: &str) -> &'static str {
    match name {
        "ghost" => GHOST,
        "pagerduty" => "0123456789notArealsecret01234567",
        _ => "not-a-real-secret-0123",
    }
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

/// A right address of every kind that reaches persons by HTTP; of one that writes to a room of its own, none.
const PERSONS: &[(&str, &str)] = &[
    ("bluesky", ""),
    ("cachet", ""),
    ("discord", ""),
    ("ghost", ""),
    ("google-chat", ""),
    ("gotify", "maya"),
    ("instatus", ""),
    ("mastodon", ""),
    ("matrix", "!aZ9:example.net"),
    ("mattermost", "channel:directdirectdirectdirect26"),
    ("ntfy", "maya-4Jk2"),
    ("pagerduty", ""),
    ("pushover", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"),
    ("slack", "U0123456789"),
    ("statuspage", ""),
    ("teams", ""),
    ("telegram", "123456789"),
    ("twilio-sms", "+4712345678"),
    ("twilio-voice", "+4712345678"),
    ("webhook", "maya"),
    ("x", ""),
    ("wordpress", ""),
    ("zulip", ""),
];

#[test]
fn every_kind_that_speaks_http_stands_in_the_table() {
    for kind in KINDS {
        let listed = PERSONS.iter().any(|(name, _)| *name == kind.name);
        assert_eq!(listed, !["mail", "command", "irc", "site"].contains(&kind.name), "{}", kind.name);
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
            ("503 Busy\r\nRetry-After: 7", "wait"),
            ("503 Busy", "bare"),
        ] {
            // A proxy may have handed it on before it said so, and nobody may read a statement twice. A page is worth a second copy; and
            // PagerDuty, which knows a repeat, is asked again in any case.
            let unsure = kind(name).unwrap().publishes() || *name == "pagerduty";
            let meant = if meant == "bare" { ["wait", "unknown"][usize::from(unsure)] } else { meant };
            // Slack answers whatever it says with 200: its other statuses are a proxy's.
            if *name == "slack" && status.starts_with("408") {
                continue;
            }
            // Matrix asks once more whether it may come in.
            let (url, _requests) = receiver(at_last(name, &[json_answer(status, ""); 2])).await;
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
async fn a_lost_answer_and_a_server_that_is_not_there_are_two_things() {
    for (name, _) in PERSONS {
        let (url, _requests) = receiver(at_last(name, &[""])).await;
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
            receiver(at_last(name, &[json_answer("200 OK", "<html>welcome to the hotel</html>")])).await;
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
            let (url, _requests) = receiver(at_last(name, &[json_answer(status, &echo); 2])).await;
            let (channel, parcel) = at(name, &url);
            let said = format!("{:?}", channel.send(&parcel).await);
            assert!(!said.contains("not-a-real-secret") && !said.contains(secret_of(name)), "{said}");
            assert!(to.is_empty() || !said.contains(to), "{said}");
        }
        let (channel, parcel) = at(name, "http://127.0.0.1:1");
        let said = format!("{:?}", channel.send(&parcel).await);
        assert!(!said.contains("not-a-real-secret") && !said.contains(secret_of(name)), "{said}");
    }
}

#[tokio::test]
async fn what_publishes_takes_statements_and_nothing_else() {
    for kind in KINDS.iter().filter(|kind| kind.publishes() && kind.name != "site") {
        let (channel, said) = at(kind.name, "http://127.0.0.1:1");
        let status = Parcel { statement: None, ..said.clone() };
        let outcome = channel.send(&status).await;
        assert!(
            matches!(outcome, Outcome::Refused { whole_channel: false, .. }),
            "{}: {outcome:?}",
            kind.name
        );
        assert_eq!(channel.send(&said).await.as_str(), "wait", "{}: nobody listens there", kind.name);
        assert!(
            kind.status && kind.address.is_none() && channel.recognises_repeats(&statement(1)),
            "{}",
            kind.name
        );
    }
}

#[test]
fn no_token_and_no_answer_link_goes_over_the_internet_in_clear() {
    // To a webhook anything may be told; what its secret is, is not.
    for (name, _) in PERSONS.iter().filter(|(name, _)| *name != "webhook") {
        let said = built(name, "http://chat.example.net", "refuse").err().unwrap_or_default();
        assert!(said.contains("https://") && said.contains("private_addresses"), "{name}: {said}");
        assert!(!said.contains("not-a-real"), "{said}");
        assert_eq!(built(name, "https://chat.example.net", "refuse").err(), None, "{name}");
        assert_eq!(built(name, "http://127.0.0.1:8080", "allow").err(), None, "{name}");
    }
}

#[test]
fn an_address_of_a_server_holds_no_user_and_password() {
    for kind in KINDS {
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
