//! Calls by Twilio: a voice says what is wrong, twice, and a key that is pressed answers.
//!
//! What is said travels with the request (`Twiml`), so nothing is asked of us when the phone is lifted, and a call works
//! while the store is away. The pressed key goes to `/answers/twilio/voice?delivery=ID` at the address of the answer
//! link; that is said only where Twilio's calls are believed. No key: nobody took anything, and
//! `MachineDetection` keeps a mailbox from counting as a person; escalation goes on all the time. A call is for pages: anything
//! else is refused, because nobody is rung up to be told that all is well. What the errors mean is said in `twilio.rs`.

use super::api::refused;
use super::twilio::{Account, KEYS, address};
use super::{Channel, Fields, Kind, Outcome, Parcel, Shared, fit};

/// Calls by Twilio, as a way to persons.
pub const KIND: Kind = Kind {
    name: "twilio-voice",
    keys: KEYS,
    build: TwilioVoice::build,
    address: Some(address),
    status: false,
};

/// Most characters of what Twilio takes with the request.
const TWIML_CHARS_MAX: usize = 4000;
/// Most characters of what is said, escaped: half a minute. It is said twice.
const SAID_CHARS_MAX: usize = 500;
/// It rings for so long, in seconds: a mailbox takes over at thirty or so.
const RINGS_S: &str = "30";
/// Where keys go, under the address of our pages.
const ANSWERS: &str = "/answers/twilio/voice";
/// What the voice says of the keys.
const KEYS_ARE: &str = "Press 1 to take command, 2 to take command and call for help, 9 if you cannot.";
/// The same, of a test.
const TEST_KEY_IS: &str = "Press 1 to say that it did.";

const _: () = assert!(
    SAID_CHARS_MAX * 2 + 2000 < TWIML_CHARS_MAX,
    "what is said twice fits, with an address and the rest"
);

/// One number that calls.
pub struct TwilioVoice {
    account: Account,
}

impl TwilioVoice {
    fn build(fields: Fields, shared: &Shared) -> Result<Channel, String> {
        Ok(Channel::TwilioVoice(Self { account: Account::new(fields, shared)? }))
    }

    /// Makes one call.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if !parcel.wakes {
            return refused("nobody is called for what wakes nobody", false);
        }
        let twiml = self.twiml(parcel);
        if twiml.chars().count() > TWIML_CHARS_MAX {
            return refused("what is to be said is too long for a call", false);
        }
        let form = vec![
            ("To", parcel.to.as_str()),
            ("From", self.account.from.as_str()),
            ("Twiml", &twiml),
            ("Timeout", RINGS_S),
            ("MachineDetection", "Enable"),
        ];
        self.account.make("Calls", parcel, form).await
    }

    fn twiml(&self, parcel: &Parcel) -> String {
        let what = match parcel.is_test() {
            true => parcel.short.clone(),
            false => format!("Incident {}. {}", parcel.incident, parcel.short),
        };
        // Cut as it will stand there, so that no escape is cut in two. Where to meet is said whole, or not at all.
        let measure = |letter| escaped(letter).map_or(1, str::len);
        let meet = parcel.meet.as_ref().map(|meet| format!(". {}", escape(&meet.said)));
        let meet = meet.filter(|meet| meet.chars().count() <= SAID_CHARS_MAX / 2).unwrap_or_default();
        let what = escape(&fit::cut(&what, SAID_CHARS_MAX - meet.chars().count(), measure)) + &meet;
        let (keys, test) = if parcel.is_test() { (TEST_KEY_IS, "&test=1") } else { (KEYS_ARE, "") };
        let asks = self.account.heard.is_some() && (parcel.asks_for_command() || parcel.is_test());
        match parcel.origin().filter(|_| asks) {
            Some(origin) => {
                let says = format!("<Say>{what} {keys}</Say>");
                let action = escape(&format!("{origin}{ANSWERS}?delivery={}{test}", parcel.delivery));
                format!(
                    "<Response><Gather numDigits=\"1\" timeout=\"10\" method=\"POST\" action=\"{action}\">{says}\
                     <Pause length=\"2\"/>{says}</Gather><Say>No key was pressed. Goodbye.</Say></Response>"
                )
            }
            None => {
                let says = format!("<Say>{what} Please answer in onscene.</Say>");
                format!("<Response>{says}<Pause length=\"2\"/>{says}</Response>")
            }
        }
    }
}

fn escaped(letter: char) -> Option<&'static str> {
    match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&apos;"),
        // XML has no words for most of them.
        letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => Some(" "),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match escaped(letter) {
            Some(words) => written.push_str(words),
            None => written.push(letter),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::Meet;
    use super::super::stories::{UNHEARD, build, json_answer, parcel, receiver};
    use super::*;

    fn phone(url: &str, heard: bool) -> Channel {
        let texts = [
            ("account_sid", "AC0123456789abcdef0123456789abcdef"),
            ("key_sid", "SK0123456789abcdef0123456789abcdef"),
            ("from", "+15005550006"),
            ("api_url", url),
            ("private_addresses", "allow"),
        ];
        let texts: Vec<_> = texts.into_iter().chain((!heard).then_some(UNHEARD)).collect();
        build(&KIND, &texts, &[("key_secret", "not-a-real-secret")]).unwrap()
    }

    fn page() -> Parcel {
        Parcel {
            to: "+4712345678".into(),
            short: "SEV1 shop: <b>\"A & B\"</b> is 'down'\u{7}".into(),
            ..parcel(1)
        }
    }

    #[tokio::test]
    async fn a_call_says_it_twice_and_asks_for_a_key() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-voice/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued); 2]).await;
        let sid = Some("CA0123456789abcdef0123456789abcdef".to_owned());
        assert_eq!(phone(&url, true).send(&page()).await, Outcome::Accepted { remote_id: sid });
        phone(&url, false).send(&page()).await;
        let requests = requests.await;
        let path = "POST /2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Calls.json ";
        assert!(requests[0].line.starts_with(path), "{}", requests[0].line);
        let form = requests[0].form();
        assert_eq!((form["To"].as_str(), form["From"].as_str()), ("+4712345678", "+15005550006"));
        assert_eq!(form["MachineDetection"], "Enable");
        assert_eq!(
            form["StatusCallback"],
            "https://onscene.example.net/answers/twilio/status?delivery=0123456789abcdef0123456789abcdef&attempt=1"
        );
        let says =
            "<Say>Incident 42. SEV1 shop: &lt;b&gt;&quot;A &amp; B&quot;&lt;/b&gt; is &apos;down&apos;  ";
        let says = format!("{says}{KEYS_ARE}</Say>");
        assert_eq!(
            form["Twiml"],
            format!(
                "<Response><Gather numDigits=\"1\" timeout=\"10\" method=\"POST\" action=\"https://onscene.example.net/answers/\
                 twilio/voice?delivery=0123456789abcdef0123456789abcdef\">{says}<Pause length=\"2\"/>{says}</Gather><Say>No key \
                 was pressed. Goodbye.</Say></Response>"
            )
        );
        let unheard = &requests[1].form()["Twiml"];
        assert!(!unheard.contains("Gather") && !unheard.contains("Press 1"), "{unheard}");
        assert!(!requests[1].form().contains_key("StatusCallback"), "nobody would believe it");
    }

    #[tokio::test]
    async fn a_test_is_no_incident_and_asks_for_a_key_that_says_that_it_arrived() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-voice/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued)]).await;
        let short = "TEST: nothing is wrong. Did this page reach you?".into();
        let test = Parcel { incident: 0, event_type: "test".into(), short, ..page() };
        phone(&url, true).send(&test).await;
        let twiml = requests.await[0].form()["Twiml"].clone();
        let says = "<Say>TEST: nothing is wrong. Did this page reach you? Press 1 to say that it did.</Say>";
        assert_eq!(twiml.matches(says).count(), 2, "{twiml}");
        assert!(twiml.contains("voice?delivery=0123456789abcdef0123456789abcdef&amp;test=1\">"), "{twiml}");
    }

    #[tokio::test]
    async fn however_long_the_text_the_call_is_made() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-voice/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued)]).await;
        phone(&url, true).send(&Parcel { short: "\"&\"<'".repeat(2000), ..page() }).await;
        let twiml = requests.await[0].form()["Twiml"].clone();
        assert!(twiml.chars().count() <= TWIML_CHARS_MAX, "{}", twiml.chars().count());
        assert_eq!(twiml.matches(&format!("… {KEYS_ARE}</Say>")).count(), 2, "{twiml}");
        let whole = ["amp;", "lt;", "gt;", "quot;", "apos;"];
        for after in twiml.split('&').skip(1) {
            assert!(whole.iter().any(|word| after.starts_with(word)), "{twiml}");
        }
    }

    #[tokio::test]
    async fn the_voice_says_where_to_meet_before_it_asks_for_a_key() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-voice/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued); 3]).await;
        let meet = |said: &str| {
            Some(Meet { url: "https://video.example.net/42".into(), left: None, said: said.into() })
        };
        let usual = Parcel { short: "SEV1 shop: down".into(), meet: meet("Meet at <b>."), ..page() };
        phone(&url, true).send(&usual).await;
        phone(&url, true).send(&Parcel { short: "x".repeat(900), ..usual.clone() }).await;
        phone(&url, true).send(&Parcel { meet: meet(&"1 ".repeat(300)), ..usual }).await;
        let said: Vec<String> =
            requests.await.iter().map(|request| request.form()["Twiml"].clone()).collect();
        let says = format!("<Say>Incident 42. SEV1 shop: down. Meet at &lt;b&gt;. {KEYS_ARE}</Say>");
        assert_eq!(said[0].matches(&says).count(), 2, "{}", said[0]);
        assert_eq!(
            said[1].matches(&format!("x…. Meet at &lt;b&gt;. {KEYS_ARE}</Say>")).count(),
            2,
            "{}",
            said[1]
        );
        assert_eq!(said[2].matches(&format!("down {KEYS_ARE}</Say>")).count(), 2, "{}", said[2]);
        assert!(
            said.iter().all(|twiml| twiml.chars().count() <= TWIML_CHARS_MAX && !twiml.contains("video"))
        );
    }

    #[tokio::test]
    async fn nobody_is_called_to_be_told_that_all_is_well() {
        let channel = phone("http://127.0.0.1:1", true);
        let notice = Parcel { wakes: false, ..page() };
        assert_eq!(channel.send(&notice).await.as_str(), "refused");
    }
}
