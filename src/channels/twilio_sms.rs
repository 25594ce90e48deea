//! SMS by Twilio: one line, the answer link, and where to meet.
//!
//! A page that could not be delivered in ten minutes is dropped (`ValidityPeriod`, which is ten hours unless it is said):
//! by then escalation has gone on, and a phone that is switched on in the morning must not ring for the night. Where
//! Twilio's calls to `/answers/twilio/sms` are believed, a page says that it can be answered by SMS. What the errors mean is said in `twilio.rs`.
//!
//! Who sends an SMS can say that it comes from any number, and Twilio signs what it was told. So an answer carries a code of
//! its letter, which only who reads that letter knows: a few digits made of the letter's id by the secret of `[answers]`, and
//! kept nowhere.

use secrecy::{ExposeSecret as _, SecretString};

use super::twilio::{Account, KEYS, address};
use super::{Channel, Fields, Kind, Meet, Outcome, Parcel, Shared, fit};
use crate::crypto;

/// SMS by Twilio, as a way to persons.
pub const KIND: Kind =
    Kind { name: "twilio-sms", keys: KEYS, build: TwilioSms::build, address: Some(address), status: false };

/// Three or four segments, where Twilio takes ten: what matters comes first.
const TEXT_CHARS_MAX: usize = 320;
/// So many characters are left to what is broken, at least.
const BROKEN_CHARS_MIN: usize = 60;
/// How long a page, and anything else, is of use, in seconds.
const WAKING_VALIDITY_S: &str = "600";
const TELLING_VALIDITY_S: &str = "3600";
/// Digits of a code. Few are typed at night, and a handful of tries finds one of ten thousand seldom enough.
pub const CODE_DIGITS: usize = 4;
const CODES: u64 = 10_u64.pow(4);

/// One number that sends.
pub struct TwilioSms {
    account: Account,
}

impl TwilioSms {
    fn build(fields: Fields, shared: &Shared) -> Result<Channel, String> {
        Ok(Channel::TwilioSms(Self { account: Account::new(fields, shared)? }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        let text = self.text(parcel);
        let service = self.account.from.starts_with("MG");
        let from = if service { "MessagingServiceSid" } else { "From" };
        let validity = if parcel.wakes { WAKING_VALIDITY_S } else { TELLING_VALIDITY_S };
        let form = vec![
            ("To", parcel.to.as_str()),
            (from, self.account.from.as_str()),
            ("Body", &text),
            ("ValidityPeriod", validity),
        ];
        self.account.make("Messages", parcel, form).await
    }

    fn text(&self, parcel: &Parcel) -> String {
        let begins = match parcel.incident {
            // A test begins with its word, and is of no incident.
            0 => parcel.short.clone(),
            incident => format!("INC-{incident} {}", parcel.short),
        };
        let link = parcel.answer.as_deref();
        let key = self.account.heard.as_ref().filter(|_| parcel.asks_for_command());
        let asks = key.map(|key| {
            let code = code(key, &parcel.delivery);
            format!("\nReply 1 {code}: take command, 2 {code}: and call for help, 9 {code}: I can't.")
        });
        let asks = asks.unwrap_or_default();
        let room = TEXT_CHARS_MAX - asks.len();
        let left = room.saturating_sub(link.map_or(0, |link| link.chars().count() + 1));
        let meet = parcel.meet.as_ref().map(|meet| meets(meet, left)).unwrap_or_default();
        let begins = fit::with_link(&begins, link, room - meet.chars().count(), fit::one);
        format!("{begins}{meet}{asks}")
    }
}

/// Where to meet, as the last line of what is broken, if that keeps the room it needs: an address that is cut leads nowhere.
fn meets(meet: &Meet, room: usize) -> String {
    let room = room.saturating_sub(BROKEN_CHARS_MIN);
    let line = format!("\nMeet: {}", meet.url);
    let whole = meet.left.as_ref().map(|left| format!("{line} (not at {left}, which may be down)"));
    whole.into_iter().chain([line]).find(|line| line.chars().count() <= room).unwrap_or_default()
}

/// The code of a letter, which an answer to it by SMS has to carry.
pub fn code(key: &SecretString, delivery: &str) -> String {
    let tag = crypto::hmac_sha256(
        key.expose_secret().as_bytes(),
        &[b"code of a text message\0", delivery.as_bytes()],
    );
    let number = tag.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) % CODES;
    format!("{number:0CODE_DIGITS$}")
}

#[cfg(test)]
mod tests {
    use super::super::stories::{UNHEARD, build, json_answer, parcel, receiver};
    use super::*;

    /// Of the letter of these tests, by their secret.
    const CODE: &str = "3748";

    fn phone(url: &str, from: &str, heard: bool) -> Channel {
        let texts = [
            ("account_sid", "AC0123456789abcdef0123456789abcdef"),
            ("key_sid", "SK0123456789abcdef0123456789abcdef"),
            ("from", from),
            ("api_url", url),
            ("private_addresses", "allow"),
        ];
        let texts: Vec<_> = texts.into_iter().chain((!heard).then_some(UNHEARD)).collect();
        build(&KIND, &texts, &[("key_secret", "not-a-real-secret")]).unwrap()
    }

    fn page() -> Parcel {
        Parcel { to: "+4712345678".into(), short: "SEV1 shop: für alle + down".into(), ..parcel(1) }
    }

    #[tokio::test]
    async fn a_page_is_one_line_its_link_and_what_to_reply() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued); 3]).await;
        let sid = Some("SM0123456789abcdef0123456789abcdef".to_owned());
        let sent = phone(&url, "+15005550006", true).send(&page()).await;
        assert_eq!(sent, Outcome::Accepted { remote_id: sid });
        phone(&url, "+15005550006", false).send(&page()).await;
        let notice = Parcel { wakes: false, answer: None, event_type: "notice.taken".into(), ..page() };
        phone(&url, "MG0123456789abcdef0123456789abcdef", true).send(&notice).await;
        let requests = requests.await;
        let path = "POST /2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json ";
        assert!(requests[0].line.starts_with(path), "{}", requests[0].line);
        let key = crate::crypto::base64(b"SK0123456789abcdef0123456789abcdef:not-a-real-secret");
        assert_eq!(requests[0].header("authorization"), format!("Basic {key}"));
        let form = requests[0].form();
        assert_eq!((form["To"].as_str(), form["From"].as_str()), ("+4712345678", "+15005550006"));
        assert_eq!(form["ValidityPeriod"], "600", "and not the next morning");
        let link = "https://onscene.example.net/r/TOKEN";
        assert_eq!(
            form["Body"],
            format!(
                "INC-42 SEV1 shop: für alle + down\n{link}\nReply 1 {CODE}: take command, 2 {CODE}: and call for help, 9 {CODE}: \
                 I can't."
            )
        );
        let status = "https://onscene.example.net/answers/twilio/status?delivery=0123456789abcdef0123456789abcdef&attempt=1";
        assert_eq!(form["StatusCallback"], status);
        assert!(form["Body"].chars().count() < 160);
        assert_eq!(requests[1].form()["Body"], format!("INC-42 SEV1 shop: für alle + down\n{link}"));
        assert!(!requests[1].form().contains_key("StatusCallback"), "nobody would believe it");
        let notice = requests[2].form();
        assert!(!notice.contains_key("StatusCallback"));
        assert_eq!(notice["MessagingServiceSid"], "MG0123456789abcdef0123456789abcdef");
        assert_eq!(notice["Body"], "INC-42 SEV1 shop: für alle + down");
    }

    #[tokio::test]
    async fn a_test_begins_with_its_word_and_names_no_incident() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued)]).await;
        let short = "TEST: nothing is wrong. Did this page reach you?";
        let test = Parcel { incident: 0, event_type: "test".into(), short: short.into(), ..page() };
        phone(&url, "+15005550006", true).send(&test).await;
        let link = "https://onscene.example.net/r/TOKEN";
        assert_eq!(requests.await[0].form()["Body"], format!("{short}\n{link}"));
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_neither_the_link_nor_the_way_to_answer_is() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued)]).await;
        phone(&url, "+15005550006", true).send(&Parcel { short: "down ".repeat(500), ..page() }).await;
        let text = requests.await[0].form()["Body"].clone();
        assert!(text.chars().count() <= TEXT_CHARS_MAX, "{}", text.chars().count());
        let end = format!(
            "…\nhttps://onscene.example.net/r/TOKEN\nReply 1 {CODE}: take command, 2 {CODE}: and call for help, 9 {CODE}: \
                           I can't."
        );
        assert!(text.ends_with(&end), "{text}");
    }

    #[tokio::test]
    async fn where_to_meet_stands_whole_below_the_link_or_not_at_all() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let meet = |url: &str, left: Option<&str>| {
            let said = "Meet at the usual place.".into();
            Some(Meet { url: url.into(), left: left.map(str::to_owned), said })
        };
        let short = "https://video.example.net/42-54b9089ef9d77c6c7d8ef837";
        let long = format!("https://video.example.net/{}", "x".repeat(200));
        let middle = format!("https://video.example.net/{}", "x".repeat(100));
        let (short_line, middle_line) = (format!("\nMeet: {short}"), format!("\nMeet: {middle}\n"));
        let (url, requests) = receiver(vec![json_answer("201 Created", queued); 5]).await;
        let broken = "SEV1 shop: down ".repeat(30);
        for (meet, heard) in [
            (meet(short, None), true),
            (meet(short, Some("chat")), true),
            (meet(&middle, Some("chat")), true),
            (meet(&long, None), true),
            (meet(short, Some("chat")), false),
        ] {
            let page = Parcel { meet, short: broken.clone(), ..page() };
            phone(&url, "+15005550006", heard).send(&page).await;
        }
        let sent: Vec<String> = requests.await.iter().map(|request| request.form()["Body"].clone()).collect();
        for text in &sent {
            assert!(text.chars().count() <= TEXT_CHARS_MAX, "{} {text}", text.chars().count());
            assert!(text.starts_with("INC-42 SEV1 shop: down") && text.contains("/r/TOKEN\n"), "{text}");
        }
        assert!(sent[..4].iter().all(|text| text.ends_with("I can't.")));
        let not_there = " (not at chat, which may be down)";
        assert!(sent[0].contains(&format!("/r/TOKEN{short_line}\nReply 1 ")), "{}", sent[0]);
        assert!(sent[1].contains(&format!("/r/TOKEN{short_line}{not_there}\nReply 1 ")), "{}", sent[1]);
        assert!(sent[2].contains(&middle_line) && !sent[2].contains("not at"), "{}", sent[2]);
        assert!(!sent[3].contains("Meet:") && !sent[3].contains("video"), "{}", sent[3]);
        assert!(sent[4].ends_with(&format!("{short_line}{not_there}")), "{}", sent[4]);
    }

    #[tokio::test]
    async fn the_operator_may_hear_elsewhere_what_became_of_it() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let (url, requests) = receiver(vec![json_answer("201 Created", queued)]).await;
        let elsewhere = ("status_callback", "https://hooks.example.net/twilio");
        let texts = [
            ("account_sid", "AC0123456789abcdef0123456789abcdef"),
            ("key_sid", "SK0123456789abcdef0123456789abcdef"),
            ("from", "+15005550006"),
            ("api_url", &url),
            ("private_addresses", "allow"),
            elsewhere,
        ];
        let channel = build(&KIND, &texts, &[("key_secret", "not-a-real-secret")]).unwrap();
        channel.send(&page()).await;
        assert_eq!(requests.await[0].form()["StatusCallback"], elsewhere.1);
    }

    #[tokio::test]
    async fn a_page_is_not_lost_to_an_address_that_twilio_cannot_call_back() {
        let queued = include_str!("../../tests/fixtures/channels/twilio-sms/queued.json");
        let refused = include_str!("../../tests/fixtures/channels/twilio-sms/refused.json");
        let refused = json_answer("400 Bad Request", refused.replace("21211", "21609").leak());
        let (url, requests) =
            receiver(vec![refused, json_answer("201 Created", queued), refused, refused]).await;
        let channel = phone(&url, "+15005550006", true);
        assert_eq!(channel.send(&page()).await.as_str(), "accepted");
        assert_eq!(channel.send(&page()).await.as_str(), "refused", "once more, and no more");
        let asked: Vec<bool> =
            requests.await.iter().map(|request| request.form().contains_key("StatusCallback")).collect();
        assert_eq!(asked, [true, false, true, false]);
    }

    #[test]
    fn a_code_is_of_one_letter_and_one_secret_and_has_four_digits() {
        let (key, other) = (SecretString::from("one"), SecretString::from("other"));
        let mut codes = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let delivery = format!("{number:032x}");
            let code = code(&key, &delivery);
            assert!(code.len() == CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            codes.insert(code);
        }
        assert!(codes.len() > 900, "spread over all there are: {}", codes.len());
        let letter = "0123456789abcdef0123456789abcdef";
        assert_eq!(code(&key, letter), code(&key, letter));
        assert_ne!(code(&key, letter), code(&other, letter));
    }

    #[tokio::test]
    async fn what_is_answered_is_about_this_person_or_about_the_account() {
        for (status, code, meant, whole) in [
            ("400 Bad Request", 21211, "refused", false),
            ("400 Bad Request", 21610, "refused", false),
            ("400 Bad Request", 21408, "refused", false),
            ("400 Bad Request", 21606, "refused", true),
            ("401 Unauthorized", 20003, "refused", true),
            ("404 Not Found", 20404, "refused", true),
            ("429 Too Many Requests", 20429, "wait", false),
            ("500 Oops", 20500, "unknown", false),
        ] {
            let body = include_str!("../../tests/fixtures/channels/twilio-sms/refused.json");
            let body = body.replace("21211", &code.to_string()).leak();
            let (url, _requests) = receiver(vec![json_answer(status, body)]).await;
            let outcome = phone(&url, "+15005550006", false).send(&page()).await;
            assert_eq!(outcome.as_str(), meant, "{code}");
            if let Outcome::Refused { why, whole_channel } = outcome {
                assert_eq!(whole_channel, whole, "{code}");
                assert!(why.contains(&code.to_string()) && !why.contains("+47"), "{why}");
            }
        }
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let right = [
            ("account_sid", "AC0123456789abcdef0123456789abcdef"),
            ("key_sid", "SK0123456789abcdef0123456789abcdef"),
            ("from", "+15005550006"),
        ];
        let secret = [("key_secret", "not-a-real-secret")];
        assert!(build(&KIND, &right, &secret).is_ok());
        for at in 0..right.len() {
            let mut wrong = right;
            wrong[at].1 = "";
            let said = build(&KIND, &wrong, &secret).err().unwrap();
            assert!(said.contains(&format!("`{}`", right[at].0)), "{said}");
        }
    }
}
