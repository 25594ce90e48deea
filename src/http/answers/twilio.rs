//! Twilio: a text message that answers a page, a key that was pressed during a call, and what became of either.
//!
//! It signs the address that it calls, as it is seen from outside, with every field of the form, sorted. Helpers of other
//! languages take the address with and without its port, because what stands in front of a server may add or drop it; so
//! do we. What it signs for an account that is none of this house is not believed either. Its answer is TwiML: a message back, or a
//! sentence that is spoken.
//!
//! That Twilio says so proves that a message came, and not from whom: numbers of senders are forged. So an answer by text
//! message carries the code of its page (`commit/answers.rs`), and what is said to one without goes to the number itself.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use jiff::SignedDuration;

use super::{ANSWER_WAIT, BODY_BYTES_MAX, Said, act_of, field, form, keys, once, refused, take};
use crate::channels::twilio_sms::CODE_DIGITS;
use crate::commit::{ARRIVED, Answering, Command, DoorError, Fate, PageOf, Report};
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
/// Longest word of Twilio's that is kept of what became of a letter, in characters.
const WORD_CHARS_MAX: usize = 20;

/// `POST /answers/twilio/sms`
pub(in crate::http) async fn sms(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match Call::heard(&desk, &uri, &headers, body, &["MessageSid", "From"]).await {
        Ok(call) => call,
        Err(problem) => return problem.into_response(),
    };
    let Some(text) = field(&call.fields, "Body") else {
        return Problem::bad_request("`Body` is missing").into_response();
    };
    // A stranger is told nothing of this house. Where the store is away, whoever it is hears that.
    let (from, now) = (call.of("From").to_owned(), desk.clock.now());
    let since = now.saturating_sub(PAGES_LAST).unwrap_or(now);
    let pages = desk.sight.now(move |tx| letters::waking_at(tx, &from, since, 1)).await;
    if pages.is_ok_and(|pages| pages.is_empty()) {
        return twiml("");
    }
    let (act, code) = match message(text) {
        Some(meant) => meant,
        // Without a code nothing is decided, and it is said how to answer.
        None if text.trim().chars().count() <= QUESTION_CHARS_MAX => (Act::Answer { help: false }, None),
        None => return twiml(""),
    };
    let page = PageOf::Coded(code);
    let Said { text, .. } = call.answers(&desk, page, "From", act, Route::Sms, call.of("MessageSid")).await;
    twiml(&format!("<Message>{}</Message>", escaped(&text)))
}

/// `POST /answers/twilio/voice?delivery=ID`
pub(in crate::http) async fn voice(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match Call::heard(&desk, &uri, &headers, body, &["CallSid", "From"]).await {
        Ok(call) => call,
        Err(problem) => return problem.into_response(),
    };
    // A mailbox may play a tone; nobody has chosen anything there.
    if call.is_by_a_machine() {
        return twiml("<Hangup/>");
    }
    let (Some(letter), Some(act)) = (call.letter(), by_digit(call.of("Digits"))) else {
        // The call goes on where it is, and the key comes to this address again.
        let keys = match field(&call.query, "test") {
            Some(_) => "Press 1 to say that this test has reached you.",
            None => {
                "Press 1 to take command. Press 2 to take command and call for help. Press 9 if you cannot."
            }
        };
        return twiml(&format!(
            "<Gather numDigits=\"1\" timeout=\"10\" method=\"POST\"><Say>{keys}</Say></Gather><Say>No key was pressed. \
             Nothing was decided.</Say>"
        ));
    };
    let word = format!("{} {}", call.of("CallSid"), call.of("Digits"));
    // Whom we called has to be whom the page was for.
    let Said { text, .. } =
        call.answers(&desk, PageOf::Letter(letter.to_owned()), "To", act, Route::Voice, &word).await;
    twiml(&format!("<Say>{}</Say>", escaped(&text)))
}

/// `POST /answers/twilio/status?delivery=ID&attempt=N`
pub(in crate::http) async fn status(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match Call::heard(&desk, &uri, &headers, body, &["To"]).await {
        Ok(call) => call,
        Err(problem) => return problem.into_response(),
    };
    let attempt = field(&call.query, "attempt").and_then(|attempt| attempt.parse().ok());
    let (Some(letter), Some(attempt)) = (call.letter(), attempt) else {
        return Problem::bad_request("`delivery` or `attempt` is missing").into_response();
    };
    let Some((word, fate)) = call.fate() else { return StatusCode::NO_CONTENT.into_response() };
    let report = Report { letter: letter.to_owned(), attempt, word, fate };
    let asked = desk.door.ask(Command::Report(report));
    match tokio::time::timeout(ANSWER_WAIT, asked).await.unwrap_or(Err(DoorError::Late)) {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// What Twilio says, and at which address of ours.
struct Call {
    fields: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Call {
    /// Hears a call that Twilio has signed for an account of this house, and that says all of these once.
    async fn heard(
        desk: &Desk,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
        names: &[&str],
    ) -> Result<Self, Problem> {
        let fields = proven(desk, uri, headers, body).await?;
        let query = uri.query().and_then(|query| form(query.as_bytes())).unwrap_or_default();
        match names.iter().find(|name| field(&fields, name).is_none_or(str::is_empty)) {
            Some(name) => Err(Problem::bad_request(format!("`{name}` is missing"))),
            None => Ok(Self { fields, query }),
        }
    }

    fn of(&self, name: &str) -> &str {
        field(&self.fields, name).unwrap_or_default()
    }

    /// The letter that the address names.
    fn letter(&self) -> Option<&str> {
        field(&self.query, "delivery").or(field(&self.query, "letter")).filter(|id| crypto::is_id(id))
    }

    fn is_by_a_machine(&self) -> bool {
        let by = self.of("AnsweredBy");
        by.starts_with("machine") || by == "fax"
    }

    /// Takes it as an answer to a page; `who`: the field with the number that the page has to have gone to.
    async fn answers(
        &self,
        desk: &Desk,
        page: PageOf,
        who: &str,
        act: Act,
        route: Route,
        word: &str,
    ) -> Said {
        let once = once(&format!("twilio/{}", route.as_str()), word);
        take(desk, Answering { page, from: self.of(who).to_owned(), act, route, once }).await
    }

    /// What became of a message or a call, by Twilio's word; `None` while it is only on its way to the carrier.
    fn fate(&self) -> Option<(String, Fate)> {
        let word = field(&self.fields, "MessageStatus").or(field(&self.fields, "CallStatus"))?;
        let why = || match self.of("ErrorCode") {
            "" => word.to_owned(),
            code => format!("{word} ({})", code.chars().take(WORD_CHARS_MAX).collect::<String>()),
        };
        let fate = match word {
            "sent" => Fate::Sent,
            "completed" if self.is_by_a_machine() => {
                return Some(("mailbox".into(), Fate::Refused("a mailbox took the call".into())));
            }
            word if ARRIVED.contains(&word) => Fate::Arrived,
            "undelivered" | "failed" | "canceled" => Fate::Bounced(why()),
            "busy" | "no-answer" => Fate::Refused(why()),
            _ => return None,
        };
        Some((word.to_owned(), fate))
    }
}

/// The fields of a call that Twilio has signed, for an account of this house.
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
    if !good {
        return Err(refused(desk, WAY, Reason::Signature, unsigned));
    }
    let account = field(&fields, "AccountSid").unwrap_or_default();
    if !house.answers.twilio_accounts.iter().any(|known| known == account) {
        let why = "this is about an account of Twilio that no way of this house has";
        return Err(refused(desk, WAY, Reason::Account, why));
    }
    Ok(fields)
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

/// What a message asks for: a number of ours or a word, and with it the code of a page.
fn message(text: &str) -> Option<(Act, Option<String>)> {
    let text = text.trim();
    if text.lines().count() > 1 {
        return None;
    }
    let parts = |c: char| c.is_whitespace() || ",;:./-".contains(c);
    if text.chars().all(|c| c.is_ascii_digit() || parts(c)) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let (first, code) = digits.split_at_checked(1)?;
        let code = match code.len() {
            0 => None,
            CODE_DIGITS => Some(code.to_owned()),
            _ => return None,
        };
        return Some((by_digit(first)?, code));
    }
    let is_code = |word: &str| word.len() == CODE_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
    let (words, code) = match text.rsplit_once(char::is_whitespace) {
        Some((words, last)) if is_code(last) => (words.trim(), Some(last.to_owned())),
        _ => (text, None),
    };
    let act = match answer_of(words.trim_end_matches('.'))? {
        Answer::Take => Act::Answer { help: false },
        Answer::Help => Act::Answer { help: true },
        Answer::Decline => Act::Decline,
    };
    Some((act, code))
}

fn by_digit(digit: &str) -> Option<Act> {
    match digit {
        "1" => act_of("take"),
        "2" => act_of("help"),
        "9" => act_of("decline"),
        _ => None,
    }
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
    fn a_message_is_a_number_or_a_word_and_the_code_of_a_page() {
        let (take, help) = (Act::Answer { help: false }, Act::Answer { help: true });
        for (text, meant) in [
            ("1", Some((take.clone(), None))),
            (" 1 4826 ", Some((take.clone(), Some("4826")))),
            ("14826", Some((take.clone(), Some("4826")))),
            ("1, 0026.", Some((take.clone(), Some("0026")))),
            ("1-4826", Some((take.clone(), Some("4826")))),
            ("Ack 4826", Some((take.clone(), Some("4826")))),
            ("I have it 4826", Some((take.clone(), Some("4826")))),
            ("take it.", Some((take, None))),
            ("2 4826", Some((help.clone(), Some("4826")))),
            ("help 4826", Some((help, Some("4826")))),
            ("9", Some((Act::Decline, None))),
            ("Can\u{2019}t", Some((Act::Decline, None))),
            ("can't 4826", Some((Act::Decline, Some("4826")))),
            ("", None),
            ("3", None),
            ("3 4826", None),
            ("4826", None),
            ("1 482", None),
            ("1 48261", None),
            ("ack 482", None),
            ("ok 4826", None),
            ("1?", None),
            ("1 or 2", None),
            ("I am driving and will answer later", None),
            ("1\n4826", None),
        ] {
            assert_eq!(message(text), meant.map(|(act, code)| (act, code.map(str::to_owned))), "{text:?}");
        }
    }

    #[test]
    fn what_became_of_a_letter_is_there_or_came_back_or_was_not_taken() {
        let fate = |fields: &str| {
            Call { fields: form(fields.as_bytes()).unwrap(), query: Vec::new() }.fate().map(|(_, fate)| fate)
        };
        for word in ["queued", "accepted", "sending", "scheduled", "receiving", "else"] {
            assert_eq!(fate(&format!("MessageStatus={word}")), None, "{word}");
        }
        assert_eq!(fate("MessageStatus=sent"), Some(Fate::Sent));
        assert_eq!(fate("MessageStatus=delivered"), Some(Fate::Arrived));
        assert_eq!(
            fate("MessageStatus=undelivered&ErrorCode=30003"),
            Some(Fate::Bounced("undelivered (30003)".into()))
        );
        assert_eq!(fate("MessageStatus=failed"), Some(Fate::Bounced("failed".into())));
        assert_eq!(fate("CallStatus=completed&AnsweredBy=human"), Some(Fate::Arrived));
        let mailbox = Some(Fate::Refused("a mailbox took the call".into()));
        assert_eq!(fate("CallStatus=completed&AnsweredBy=machine_start"), mailbox);
        assert_eq!(fate("CallStatus=busy"), Some(Fate::Refused("busy".into())));
        assert_eq!(fate("CallStatus=no-answer"), Some(Fate::Refused("no-answer".into())));
        assert_eq!(fate("CallStatus=canceled"), Some(Fate::Bounced("canceled".into())));
        assert_eq!(fate("CallStatus=in-progress"), None);
    }
}
