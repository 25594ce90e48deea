//! Twilio: a text message that answers a page, and a key that was pressed during a call.
//!
//! It signs the address that it calls, as it is seen from outside, with every field of the form, sorted. Helpers of other
//! languages take the address with and without its port, because what stands in front of a server may add or drop it; so
//! do we. Its answer is TwiML: a message back, or a sentence that is spoken.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri, header};
use jiff::SignedDuration;

use super::{BODY_BYTES_MAX, Said, act_of, field, form, keys, once, refused, take};
use crate::commit::{Answering, PageOf};
use crate::core::decide::Act;
use crate::core::mail::Answer;
use crate::core::timeline::Route;
use crate::crypto;
use crate::http::desk::Desk;
use crate::http::problem::{Problem, Reason};
use crate::http::room;
use crate::sources::mail::answer_of;
use crate::store::letters;

const SIGNATURE: &str = "x-twilio-signature";
/// What onscene calls this way, where it says what it refused.
const WAY: &str = "answers/twilio";
/// A message that is longer is a conversation, or a program's; it gets no answer, so that two programs do not talk for ever.
const QUESTION_CHARS_MAX: usize = 40;
/// To a number that had no page for so long nothing is said.
const PAGES_LAST: SignedDuration = SignedDuration::from_hours(7 * 24);
const HOW: &str =
    "Nothing was decided. Answer 1 to take command, 2 to take command and call for help, 9 if you can't.";

/// `POST /answers/twilio/sms`
pub(in crate::http) async fn sms(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let fields = match proven(&desk, &uri, &headers, body).await {
        Ok(fields) => fields,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = has_all(&fields, &["MessageSid", "From"]) {
        return problem.into_response();
    }
    let of = |name| field(&fields, name).unwrap_or_default();
    if field(&fields, "Body").is_none() {
        return Problem::bad_request("`Body` is missing").into_response();
    }
    // A stranger is told nothing of this house. Where the store is away, whoever it is hears that.
    let (from, now) = (of("From").to_owned(), desk.clock.now());
    let since = now.saturating_sub(PAGES_LAST).unwrap_or(now);
    let pages = desk.sight.now(move |tx| letters::waking_at(tx, &from, since, 1)).await;
    if pages.is_ok_and(|pages| pages.is_empty()) {
        return twiml("");
    }
    let said = match message(of("Body")) {
        Some((act, incident)) => {
            let answering = Answering {
                page: PageOf::Newest(incident),
                from: of("From").to_owned(),
                act,
                route: Route::Sms,
                once: once("twilio/sms", of("MessageSid")),
            };
            Some(take(&desk, answering).await.text)
        }
        None if of("Body").trim().chars().count() <= QUESTION_CHARS_MAX => Some(HOW.to_owned()),
        None => None,
    };
    let message = said.map(|text| format!("<Message>{}</Message>", escaped(&text)));
    twiml(&message.unwrap_or_default())
}

/// `POST /answers/twilio/voice?delivery=ID`
pub(in crate::http) async fn voice(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let fields = match proven(&desk, &uri, &headers, body).await {
        Ok(fields) => fields,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = has_all(&fields, &["CallSid", "From"]) {
        return problem.into_response();
    }
    let of = |name| field(&fields, name).unwrap_or_default();
    // A mailbox may play a tone; nobody has chosen anything there.
    let by = of("AnsweredBy");
    if by.starts_with("machine") || by == "fax" {
        return twiml("<Hangup/>");
    }
    let query = uri.query().and_then(|query| form(query.as_bytes())).unwrap_or_default();
    let letter = field(&query, "delivery").or(field(&query, "letter")).filter(|id| crypto::is_id(id));
    let act = match of("Digits") {
        "1" => act_of("take"),
        "2" => act_of("help"),
        "9" => act_of("decline"),
        _ => None,
    };
    let (Some(letter), Some(act)) = (letter, act) else {
        // The call goes on where it is, and the key comes to this address again.
        let keys =
            "Press 1 to take command. Press 2 to take command and call for help. Press 9 if you cannot.";
        return twiml(&format!(
            "<Gather numDigits=\"1\" timeout=\"10\" method=\"POST\"><Say>{keys}</Say></Gather><Say>No key was pressed. \
             Nothing was decided.</Say>"
        ));
    };
    // Whom we called has to be whom the page was for.
    let call = of("CallSid");
    let word = if call.is_empty() { String::new() } else { format!("{call} {}", of("Digits")) };
    let answering = Answering {
        page: PageOf::Letter(letter.to_owned()),
        from: of("To").to_owned(),
        act,
        route: Route::Voice,
        once: once("twilio/voice", &word),
    };
    let Said { text, .. } = take(&desk, answering).await;
    twiml(&format!("<Say>{}</Say>", escaped(&text)))
}

/// What every call of Twilio says once.
fn has_all(fields: &[(String, String)], names: &[&str]) -> Result<(), Problem> {
    match names.iter().find(|name| field(fields, name).is_none_or(str::is_empty)) {
        Some(name) => Err(Problem::bad_request(format!("`{name}` is missing"))),
        None => Ok(()),
    }
}

/// The fields of a call that Twilio has signed.
async fn proven(
    desk: &Desk,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<(String, String)>, Problem> {
    let house = desk.house.get();
    let keys = keys(&house.answers.twilio)?;
    let unsigned = "this is not signed by Twilio with a token of this house";
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let Some(signature) = signature else { return Err(refused(desk, WAY, Reason::Signature, unsigned)) };
    let (bytes, _room) = room::read_unproven_to(desk, body, BODY_BYTES_MAX).await?;
    let fields = form(&bytes).ok_or_else(|| Problem::bad_request("the body is no form"))?;
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let addresses = seen_from_outside(&house.answers.external_url, path);
    // Every secret and every form of the address is tried, so that the time tells nothing.
    let good = keys.fold(false, |found, key| {
        let tries = addresses.iter().map(|address| is_signed(key, address, &fields, signature));
        tries.fold(found, |found, one| found | one)
    });
    if good { Ok(fields) } else { Err(refused(desk, WAY, Reason::Signature, unsigned)) }
}

fn is_signed(key: &[u8], address: &str, fields: &[(String, String)], signature: &str) -> bool {
    let mut sorted: Vec<&(String, String)> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    let words = sorted.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let parts: Vec<&[u8]> = std::iter::once(address.as_bytes()).chain(words).collect();
    crypto::same(crypto::base64(&crypto::hmac_sha1(key, &parts)).as_bytes(), signature.as_bytes())
}

/// The address that was called, as it may have been signed: as it is configured, and with or without its port.
fn seen_from_outside(external_url: &str, path: &str) -> Vec<String> {
    let mut addresses = vec![format!("{external_url}{path}")];
    let Some((scheme, rest)) = external_url.split_once("://") else { return addresses };
    let (host, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    addresses.push(match port {
        Some((bare, _)) => format!("{scheme}://{bare}{prefix}{path}"),
        None => {
            let usual = if scheme == "https" { 443 } else { 80 };
            format!("{scheme}://{host}:{usual}{prefix}{path}")
        }
    });
    addresses
}

/// What a message asks for: a number of ours or a word, and perhaps an incident.
fn message(text: &str) -> Option<(Act, Option<i64>)> {
    let text = text.trim();
    if text.lines().count() > 1 {
        return None;
    }
    let (word, incident) = match text.rsplit_once(char::is_whitespace) {
        Some((word, last)) => match incident_of(last) {
            Some(id) => (word.trim(), Some(id)),
            None => (text, None),
        },
        None => (text, None),
    };
    let answer = match word.trim_end_matches('.') {
        "1" => Some(Answer::Take),
        "2" => Some(Answer::Help),
        "9" => Some(Answer::Decline),
        words => answer_of(words),
    }?;
    let act = match answer {
        Answer::Take => Act::Answer { help: false },
        Answer::Help => Act::Answer { help: true },
        Answer::Decline => Act::Decline,
    };
    Some((act, incident))
}

fn incident_of(word: &str) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    let digits = lower.strip_prefix("inc-").or(lower.strip_prefix('#')).unwrap_or(&lower);
    let plain = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn twiml(inner: &str) -> Response {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{inner}</Response>");
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text)
        .into_response()
}

/// Text of XML.
fn escaped(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => whole.push_str("&amp;"),
            '<' => whole.push_str("&lt;"),
            '>' => whole.push_str("&gt;"),
            c if c.is_control() => whole.push(' '),
            c => whole.push(c),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_it_says() {
        // The vector that Twilio's documents of security and its helpers for Elixir, Ruby and others carry.
        let fields = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+12349013030"),
            ("Digits", "1234"),
            ("From", "+12349013030"),
            ("To", "+18005551212"),
        ];
        let mut fields: Vec<_> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fields.reverse();
        let address = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signature = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";
        assert!(is_signed(b"12345", address, &fields, signature));
        fields[0].1.push('0');
        assert!(!is_signed(b"12345", address, &fields, signature));
    }

    #[test]
    fn an_address_is_signed_with_its_port_or_without() {
        let path = "/answers/twilio/sms?a=1";
        let seen = |url| seen_from_outside(url, path);
        assert_eq!(
            seen("https://o.example.net"),
            [format!("https://o.example.net{path}"), format!("https://o.example.net:443{path}")]
        );
        assert_eq!(
            seen("http://127.0.0.1:8087/x"),
            [format!("http://127.0.0.1:8087/x{path}"), format!("http://127.0.0.1/x{path}")]
        );
    }

    #[test]
    fn a_message_is_a_number_or_a_word_and_perhaps_an_incident() {
        let take = Act::Answer { help: false };
        for (text, meant) in [
            ("1", Some((take.clone(), None))),
            (" 1 42 ", Some((take.clone(), Some(42)))),
            ("Ack INC-7", Some((take.clone(), Some(7)))),
            ("I have it #7", Some((take.clone(), Some(7)))),
            ("take it.", Some((take, None))),
            ("2", Some((Act::Answer { help: true }, None))),
            ("help 3", Some((Act::Answer { help: true }, Some(3)))),
            ("9", Some((Act::Decline, None))),
            ("Can\u{2019}t", Some((Act::Decline, None))),
            ("can't 12", Some((Act::Decline, Some(12)))),
            ("", None),
            ("3", None),
            ("42", None),
            ("ok", None),
            ("1?", None),
            ("1 or 2", None),
            ("I am driving and will answer later", None),
            ("1\n2", None),
            ("ack 9999999999999999999999", None),
        ] {
            assert_eq!(message(text), meant, "{text:?}");
        }
    }
}
