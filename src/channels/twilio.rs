//! What SMS and calls by Twilio share: an account, who asks, and what its errors mean.
//!
//! Requests are forms, signed in with an API key. Twilio knows no idempotency for messages and calls, so after a lost
//! answer a page is sent again, which is harmless; anything else is not. Errors are `{"code": 21211, "status": 400, ...}`
//! (Twilio's own advice is not to build much upon codes): those that are known to be about the account or its own number
//! are the way's own fault, as are 401 and a 404, which is a wrong account or host; any other is about this person. A 429
//! was not processed.
//!
//! "Queued" is not "there": Twilio tells later what became of it (`StatusCallback`), to `/answers/twilio/status`, unless the
//! operator wants to hear it elsewhere.

use secrecy::SecretString;
use serde::Deserialize;

use super::api::{Api, again, bounded, encode, strange, usual};
use super::client::Answer;
use super::{Fields, Key, Outcome, Parcel, Shared, api};

/// Where the API is; other regions have hosts of their own.
const API_URL: &str = "https://api.twilio.com";
/// Codes that say that the account, the key or our own number is wrong: no login, a suspended account, and senders that
/// cannot send.
const OURS: &[u32] = &[20003, 20005, 20404, 21210, 21212, 21603, 21606, 21659, 21660, 21701, 21703];
/// An address that it was to call back is none that it can reach, such as one of a house that is not on the Internet.
const NO_CALLBACK: &[u32] = &[21205, 21609];
/// Too many requests: not processed.
const SLOW: u32 = 20429;

/// Where it is told what became of a letter, under the address of our pages.
const STATUS: &str = "/answers/twilio/status";

/// The keys of both kinds.
pub(super) const KEYS: &[Key] = &[
    Key { name: "account_sid", secret: false, required: true },
    Key { name: "key_sid", secret: false, required: true },
    Key { name: "key_secret", secret: true, required: true },
    Key { name: "from", secret: false, required: true },
    Key { name: "status_callback", secret: false, required: false },
    Key { name: "api_url", secret: false, required: false },
    Key { name: "private_addresses", secret: false, required: false },
];

/// An account and a number of it.
pub(super) struct Account {
    api: Api,
    sid: String,
    /// The number, or what else it sends from.
    pub(super) from: String,
    /// Where Twilio tells what becomes of it, when that is not for us.
    status_callback: Option<String>,
    /// Answers are heard, and codes of replies are made with this; else none is asked for.
    pub(super) heard: Option<SecretString>,
}

#[derive(Deserialize)]
struct Said {
    sid: Option<String>,
    code: Option<u32>,
}

impl Account {
    pub(super) fn new(mut fields: Fields, shared: &Shared) -> Result<Self, String> {
        let mut text = |name: &str, begins: &str| match fields.texts.remove(name) {
            Some(text) if text.starts_with(begins) && text.chars().all(|one| one.is_ascii_alphanumeric()) => {
                Ok(text)
            }
            _ => Err(format!("`{name}` begins with {begins}, followed by digits and letters")),
        };
        let (sid, key) = (text("account_sid", "AC")?, text("key_sid", "SK")?);
        let from = fields.texts.remove("from").unwrap_or_default();
        if from.is_empty() {
            return Err("`from` is a number such as +15005550006".into());
        }
        let status_callback = fields.texts.remove("status_callback");
        let secret = fields.secrets.remove("key_secret").ok_or("`key_secret_file` is missing")?;
        let api = Api::new(&mut fields, shared, "api_url", Some(API_URL))?.basic(&key, &secret)?;
        let heard = shared.heard.twilio.clone();
        Ok(Self { api, sid, from, status_callback, heard })
    }

    /// Makes a message or a call of a letter.
    pub(super) async fn make(&self, what: &str, parcel: &Parcel, mut form: Vec<(&str, &str)>) -> Outcome {
        let callback = self.callback(parcel);
        if let Some(callback) = &callback {
            form.push(("StatusCallback", callback));
        }
        let path = format!("/2010-04-01/Accounts/{}/{what}.json", encode(&self.sid));
        let told = async {
            let answer = self.api.post_form(&path, &form).await?;
            if callback.is_none() || !dislikes_callback(&answer) {
                return Ok(answer);
            }
            // Nothing was made of it. A page is not lost to an address that only is to hear of it.
            let form: Vec<_> = form.iter().filter(|(name, _)| *name != "StatusCallback").copied().collect();
            self.api.post_form(&path, &form).await
        };
        bounded(async { told.await.map_or_else(|outcome| outcome, |answer| outcome(&answer)) }).await
    }
}

impl Account {
    /// Where Twilio tells what becomes of a letter: to us, where its calls are believed and it matters, for the letter wakes
    /// somebody. A second message is made when nobody knows of the first: the attempt says of which is told.
    fn callback(&self, parcel: &Parcel) -> Option<String> {
        if self.status_callback.is_some() {
            return self.status_callback.clone();
        }
        let origin = parcel.origin().filter(|_| self.heard.is_some() && parcel.wakes)?;
        Some(format!("{origin}{STATUS}?delivery={}&attempt={}", parcel.delivery, parcel.attempt))
    }
}

/// Whether nothing was made because of where it was to be told what became of it.
fn dislikes_callback(answer: &Answer) -> bool {
    let code = serde_json::from_slice::<Said>(&answer.body).ok().and_then(|said| said.code);
    answer.status.is_client_error() && code.is_some_and(|code| NO_CALLBACK.contains(&code))
}

fn outcome(answer: &Answer) -> Outcome {
    let said = serde_json::from_slice::<Said>(&answer.body).ok();
    if answer.status.is_success() {
        return match said.and_then(|said| said.sid) {
            Some(sid) => Outcome::Accepted { remote_id: Some(sid) },
            None => strange("Twilio"),
        };
    }
    let code = said.and_then(|said| said.code);
    let name = code.map(|code| code.to_string());
    match code {
        Some(SLOW) => Outcome::Wait {
            after: answer.retry_after,
            why: format!("answered {} ({SLOW})", answer.status.as_u16()),
        },
        Some(code) if answer.status.is_client_error() && OURS.contains(&code) => {
            api::refused(&format!("answered {} ({code})", answer.status.as_u16()), true)
        }
        _ => again(answer, usual(answer, &[401, 404], name.as_deref())),
    }
}

/// A number as the world writes it (E.164).
pub(super) fn address(number: &str) -> Result<(), String> {
    let digits = number.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|one| one.is_ascii_digit());
    if !fits || digits.starts_with('0') {
        return Err("the address of a person is their number with + and the country, such as \"+4712345678\", without \
                    spaces"
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_world_writes_it() {
        assert_eq!(address("+4712345678"), Ok(()));
        for wrong in ["", "4712345678", "+47 123 45 678", "+012345678", "+4712", "+4712345678901234"] {
            assert!(address(wrong).unwrap_err().contains("country"), "{wrong}");
        }
    }
}
