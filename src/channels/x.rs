//! X: posts of one account, by OAuth 1.0a with the four secrets of an application and its user.
//!
//! X knows no idempotency, but refuses a post whose words stand there already (403, and a `detail` that says so): each post has
//! its hour in its words, so after an attempt before, that refusal says that it arrived. At the first attempt it says that
//! somebody else said the same, and nothing was written. Its id is not told then, so what arrived that way cannot be taken back
//! from here: whoever takes it back is told to remove it by hand. To look first would be another request that is paid for, and limited; the refusal costs nothing.
//!
//! Since February 2026 applications may answer only where the author of a post called them, and whether that holds for posts of
//! one's own is written nowhere: so each post stands by itself, unless `thread = "try"`, which tries to answer the first post of
//! the incident, and posts by itself where that is forbidden, or where that one was deleted: then those that follow answer this one.
//!
//! 280 units are taken: a letter of Latin, Greek, Cyrillic and their neighbours is one, others are two, an emoji of however many
//! parts is two, an address 23, all of it after NFC (twitter-text, configuration 3). An address without `https://` is one for X
//! where its ending is a domain, of which the list is long and grows: it counts as whichever is more, its letters or 23.
//!
//! 401, 403, 404, 410 concern every letter, as do an account without credit (402) and a cap that is used up. After 429 it says when
//! it takes more. A 404 when something is taken back says that it is gone.
//!
//! Shapes: xdevplatform/docs (manage-tweets, rate-limits, response-codes-and-errors, counting-characters, creating-a-signature); the
//! refusal of a duplicate as akrherz/iembot issue 163 shows it.

use std::sync::LazyLock;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use regex::Regex;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use super::api::{Api, bounded, encode, refused, strange, usual, word};
use super::client::Answer;
use super::social::{Posted, answers, beside_links, fits, link, links, post, posted_in, publish, stated};
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared};
use crate::crypto;

/// X, by an account.
pub const KIND: Kind = Kind {
    name: "x",
    keys: &[
        Key { name: "api_key", secret: true, required: true },
        Key { name: "api_key_secret", secret: true, required: true },
        Key { name: "access_token", secret: true, required: true },
        Key { name: "access_token_secret", secret: true, required: true },
        Key { name: "thread", secret: false, required: false },
        Key { name: "link", secret: false, required: false },
        Key { name: "api_url", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: X::build,
    address: None,
    status: true,
};

const API_URL: &str = "https://api.x.com";
const POSTS: &str = "/2/tweets";
/// What a post takes, in units.
const UNITS_MAX: usize = 280;
const LINK_UNITS: usize = 23;
/// What counts as one unit, by code point; all else is two.
const LIGHT: [(u32, u32); 4] = [(0, 4351), (8192, 8205), (8208, 8223), (8242, 8247)];
/// Endings that are domains beyond doubt. Of others, an address without `https://` counts as whichever is more.
const ENDINGS: [&str; 3] = ["com", "net", "org"];
/// What is said of a post that cannot be answered because it is not there any more.
const DELETED: &str = "deleted or not visible";
const WHOLE: &[u16] = &[401, 402, 403, 404, 410];

/// One account.
pub struct X {
    api: Api,
    keys: Keys,
    tries_threads: bool,
    link: Option<String>,
    posted: Posted,
}

/// What a request is signed with.
struct Keys {
    consumer: SecretString,
    consumer_secret: SecretString,
    token: SecretString,
    token_secret: SecretString,
}

#[derive(Deserialize)]
struct Said {
    data: Option<Post>,
    detail: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Post {
    id: Option<String>,
    deleted: Option<bool>,
}

impl X {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let api = Api::new(&mut fields, shared, "api_url", Some(API_URL))?;
        let mut secret = |name: &str| {
            let secret = fields.secrets.remove(name).ok_or(format!("`{name}_file` is missing"))?;
            Ok::<_, String>(SecretString::from(secret.expose_secret().trim().to_owned()))
        };
        let keys = Keys {
            consumer: secret("api_key")?,
            consumer_secret: secret("api_key_secret")?,
            token: secret("access_token")?,
            token_secret: secret("access_token_secret")?,
        };
        let tries_threads = match fields.texts.remove("thread").as_deref() {
            None | Some("off") => false,
            Some("try") => true,
            Some(_) => return Err("`thread` is \"off\" or \"try\"".into()),
        };
        let link = link(&mut fields)?;
        Ok(Channel::X(Box::new(Self { api, keys, tries_threads, link, posted: Posted::default() })))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    /// How a statement is posted, counted as X counts.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let text: String = post(parcel, self.link.as_deref()).nfc().collect();
        let text = beside_links(&text, without_cashtags);
        let size = units(&text);
        Shown { text, size, most: UNITS_MAX, unit: "units as X counts" }
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        stated(parcel)?;
        let shown = self.shows(parcel);
        fits(&shown)?;
        let post = self.publish(parcel, &shown.text);
        Ok(publish(parcel, &self.posted, |id| self.remove(parcel, id), post).await)
    }

    async fn publish(&self, parcel: &Parcel, text: &str) -> Result<Outcome, Outcome> {
        let root = parcel.thread_root.as_deref().filter(|_| self.tries_threads);
        let answered = answers(parcel);
        // What is taken back is no root any more.
        let mut is_gone = root.is_some() && answered.is_empty();
        // Each attempt is paid for, so there is one.
        if let Some(one) = answered.first().filter(|_| self.tries_threads) {
            let body = json!({"text": text, "reply": {"in_reply_to_tweet_id": one}});
            let answer = self.ask(parcel, Method::POST, POSTS, Some(&body)).await?;
            // Forbidden as an answer, or the answered one is gone: by itself it may be taken.
            let alone = matches!(answer.status.as_u16(), 400 | 403 | 404) && !is_duplicate(&answer);
            if !alone {
                return Ok(outcome(&answer, parcel));
            }
            let is_deleted = answer.status == StatusCode::NOT_FOUND || detail(&answer).contains(DELETED);
            is_gone = is_deleted && root == Some(*one);
        }
        let answer = self.ask(parcel, Method::POST, POSTS, Some(&json!({"text": text}))).await?;
        Ok(posted_in(parcel, outcome(&answer, parcel), !is_gone))
    }

    /// Takes a post back.
    async fn remove(&self, parcel: &Parcel, id: &str) -> Outcome {
        let path = format!("{POSTS}/{}", encode(id));
        let answer = match self.ask(parcel, Method::DELETE, &path, None).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let deleted = said(&answer).and_then(|said| said.data).and_then(|data| data.deleted);
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Accepted { remote_id: None },
            status if status.is_success() && deleted == Some(true) => Outcome::Accepted { remote_id: None },
            status if status.is_success() => strange("X"),
            // One post may be no longer ours, or closed to us; when all are, the next request says so.
            StatusCode::FORBIDDEN => refused("answered 403", false),
            _ => outcome(&answer, parcel),
        }
    }

    async fn ask(
        &self,
        parcel: &Parcel,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Outcome> {
        let no_nonce = |_| Outcome::Wait { after: None, why: "the system gives no random bytes".into() };
        let nonce = crypto::random_id().map_err(no_nonce)?;
        let url = format!("{}{path}", self.api.base());
        // JSON is no part of what is signed.
        let header = self.keys.header(method.as_str(), &url, &[], &nonce, parcel.now.as_second());
        self.api.call(method, path, body, &[("authorization", &header)]).await
    }
}

impl Keys {
    /// The header that signs a request (RFC 5849). `more`: parameters of its address and of a form.
    fn header(
        &self,
        method: &str,
        url: &str,
        more: &[(&str, &str)],
        nonce: &str,
        second: i64,
    ) -> SecretString {
        let second = second.to_string();
        let own = [
            ("oauth_consumer_key", self.consumer.expose_secret()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", second.as_str()),
            ("oauth_token", self.token.expose_secret()),
            ("oauth_version", "1.0"),
        ];
        let mut signed: Vec<(String, String)> =
            own.iter().chain(more).map(|(name, value)| (encode(name), encode(value))).collect();
        signed.sort();
        let signed: Vec<String> = signed.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let base = format!("{method}&{}&{}", encode(url), encode(&signed.join("&")));
        let secret = |secret: &SecretString| encode(secret.expose_secret());
        let key = format!("{}&{}", secret(&self.consumer_secret), secret(&self.token_secret));
        let signature = crypto::base64(&crypto::hmac_sha1(key.as_bytes(), &[base.as_bytes()]));
        let all = own.into_iter().chain([("oauth_signature", signature.as_str())]);
        let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
        SecretString::from(format!("OAuth {}", all.join(", ")))
    }
}

fn said(answer: &Answer) -> Option<Said> {
    serde_json::from_slice(&answer.body).ok()
}

/// What is said of a problem, in small letters.
fn detail(answer: &Answer) -> String {
    said(answer).and_then(|said| said.detail).unwrap_or_default().to_lowercase()
}

/// Whether the same words stand there already.
fn is_duplicate(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN && detail(answer).contains("duplicate content")
}

fn outcome(answer: &Answer, parcel: &Parcel) -> Outcome {
    let known = said(answer);
    if answer.status.is_success() {
        return match known.and_then(|said| said.data).and_then(|data| data.id) {
            Some(id) => Outcome::Accepted { remote_id: Some(id) },
            None => strange("X"),
        };
    }
    if is_duplicate(answer) {
        return match parcel.may_be_there() {
            false => {
                refused("answered 403: the same words stand there already, by somebody else's hand", false)
            }
            true => Outcome::Accepted { remote_id: None },
        };
    }
    let name = known.and_then(|said| said.kind);
    let name = name.as_deref().and_then(|kind| word(kind.rsplit('/').next().unwrap_or_default()));
    match usual(answer, WHOLE, name) {
        Outcome::Wait { why, .. } if name == Some("usage-capped") => refused(&why, true),
        Outcome::Wait { after, why } => {
            Outcome::Wait { after: after.or(until_reset(answer, parcel.now)), why }
        }
        other => other,
    }
}

/// How long until it takes more.
fn until_reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let reset = answer.headers.get("x-rate-limit-reset")?.to_str().ok()?.trim().parse::<i64>().ok()?;
    let seconds = reset.saturating_sub(now.as_second()).max(1);
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// A `$` before a letter names a share, and a post that names two is refused: here it names none.
fn without_cashtags(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut before = ' ';
    for letter in text.chars() {
        if before == '$' && letter.is_alphabetic() {
            whole.push('\u{200b}');
        }
        whole.push(letter);
        before = letter;
    }
    whole
}

/// How long X takes a text to be that is in NFC.
fn units(text: &str) -> usize {
    let (mut size, mut at) = (0, 0);
    for (range, sure) in addresses(text) {
        let letters = weight(text.get(range.clone()).unwrap_or_default());
        size += weight(text.get(at..range.start).unwrap_or_default());
        size += if sure { LINK_UNITS } else { LINK_UNITS.max(letters) };
        at = range.end;
    }
    size + weight(text.get(at..).unwrap_or_default())
}

/// What X turns into links; whether that is beyond doubt.
fn addresses(text: &str) -> Vec<(std::ops::Range<usize>, bool)> {
    static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(?:[a-z0-9_][a-z0-9_-]*\.)+([a-z]{2,})(?:[/?#][\w/?#%&=+.,;:~$!*@-]*[\w/#=&-]|[/?#])?",
        )
        .ok()
    });
    let whole = links(text);
    let mut found: Vec<_> = Vec::new();
    for bare in BARE.as_ref().into_iter().flat_map(|bare| bare.captures_iter(text)) {
        let (Some(all), Some(ending)) = (bare.get(0), bare.get(1)) else { continue };
        if whole.iter().any(|link| link.start < all.end() && all.start() < link.end) {
            continue;
        }
        let label_fits = all.as_str().split(['.', '/']).all(|label| label.len() <= 63);
        let sure = label_fits && ENDINGS.contains(&ending.as_str().to_lowercase().as_str());
        found.push((all.range(), sure));
    }
    // Of names in other scripts it depends on how long they are in Punycode.
    found.extend(whole.into_iter().map(|link| {
        let sure = text.get(link.clone()).is_some_and(str::is_ascii);
        (link, sure)
    }));
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// The same without addresses.
fn weight(text: &str) -> usize {
    static EMOJI: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let one = r"(?:[\p{Extended_Pictographic}--[©®]]|[©®]\x{FE0F})[\x{FE0F}\p{Emoji_Modifier}]?(?:[\x{E0020}-\x{E007E}]+\x{E007F})?";
        Regex::new(&format!(
            r"\p{{Regional_Indicator}}{{2}}|[0-9#*]\x{{FE0F}}?\x{{20E3}}|{one}(?:\x{{200D}}(?:{one}|[♀♂⚕⚖✈]\x{{FE0F}}?))*"
        ))
        .ok()
    });
    let letter = |letter: char| {
        let code = u32::from(letter);
        if LIGHT.iter().any(|(from, to)| (*from..=*to).contains(&code)) { 1 } else { 2 }
    };
    let letters = |text: &str| text.chars().map(letter).sum::<usize>();
    let (mut size, mut at) = (0, 0);
    for emoji in EMOJI.as_ref().into_iter().flat_map(|emoji| emoji.find_iter(text)) {
        size += letters(text.get(at..emoji.start()).unwrap_or_default()) + 2;
        at = emoji.end();
    }
    size + letters(text.get(at..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::{build, json_answer, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/x/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn account(url: &str, more: &[(&str, &str)]) -> Channel {
        let texts: Vec<_> = [("api_url", url), ("private_addresses", "allow")]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let secrets = [
            ("api_key", "not-a-real-key"),
            ("api_key_secret", "not-a-real-key-secret"),
            ("access_token", "1-not-a-real-token"),
            ("access_token_secret", "not-a-real-token-secret\n"),
        ];
        build(&KIND, &texts, &secrets).unwrap()
    }

    #[test]
    fn the_worked_example_of_the_vendor_comes_out() {
        let keys = Keys {
            consumer: "xvz1evFS4wEEPTGEFPHBog".into(),
            consumer_secret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw".into(),
            token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".into(),
            token_secret: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE".into(),
        };
        let more =
            [("include_entities", "true"), ("status", "Hello Ladies + Gentlemen, a signed OAuth request!")];
        let nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg";
        let url = "https://api.x.com/1.1/statuses/update.json";
        let header = keys.header("POST", url, &more, nonce, 1_318_622_958);
        let header = header.expose_secret();
        assert!(header.contains("oauth_signature=\"Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D\""), "{header}");
        assert!(
            header.starts_with("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", oauth_nonce="),
            "{header}"
        );
        assert!(!header.contains("include_entities"), "{header}");
    }

    /// Lengths that twitter-text gives for its own cases, with configuration 3.
    #[test]
    fn a_text_is_as_long_as_x_says() {
        let x = "xxxxxxxxxx-";
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        let label = format!("https://{}.com/foo", "somesuperlongurl".repeat(8));
        for (text, size) in [
            ("This is a test.".to_owned(), 15),
            ("Hi http://test.co".to_owned(), 26),
            ("http://test.co".to_owned(), 23),
            ("test.com".to_owned(), 23),
            ("Test https://test.com test https://test.com test.com test".to_owned(), 86),
            (format!("285 chars-{}", x.repeat(25)), 285),
            (format!("285 chars- http://www.twitter.com/jack {}", x.repeat(24)), 299 - 264 + 24 * 11),
            ("https://www.twitter.com/aloha ".repeat(10), 240),
            ("故人西辞黄鹤楼，烟花三月下扬州。".repeat(10), 320),
            ("😷".repeat(160), 320),
            ("the故人西辞黄鹤楼".to_owned(), 17),
            ("A\u{301}B".to_owned(), 2),
            (format!("H🐱☺{family}"), 7),
            (family.repeat(140), 280),
            ("😷👾😡🔥💩".to_owned(), 10),
            ("🙋🏽👨\u{200d}🎤".to_owned(), 4),
            ("1\u{20e3}".to_owned(), 2),
            (
                "Unicode 10.0 emoji: 🤪; 🧕; 🧕🏾; 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}"
                    .to_owned(),
                34,
            ),
            ("Unicode 9.0 emoji: 🤠; 💃; 💃🏾".to_owned(), 29),
            ("randomurlrandomurlrandomurlrandomurlrandomurlrandomurlrandomurls.com".to_owned(), 68),
            ("\u{2066}\u{202a}http://foobar.پاکستان/\u{202c}\u{2069}".to_owned(), 31),
            ("ABC\u{202a}\u{ffff}ABC\u{fffe}".to_owned(), 12),
            // Parts of a name that no name has make it no address.
            (label.clone(), label.len()),
            (format!("{label} https://validurl.com"), label.len() + 24),
            // Not among theirs: what ends a sentence is no part of an address; ©, ™ and digits are no emoji by themselves.
            ("See https://status.example.net/incidents/8fx.".to_owned(), 4 + 23 + 1),
            ("© ® 1 # 🇳🇴".to_owned(), 8 + 2),
            // A name without https:// that is none for sure counts as whichever is more.
            ("a.verylongnameofaservice.example".to_owned(), 32),
            ("Node.js".to_owned(), 23),
        ] {
            let text: String = text.nfc().collect();
            assert_eq!(units(&text), size, "{text}");
        }
        let spaces = "This is a tweet with general punctuation characters: \u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{200b} ‐ ‑ ‒ – — ― ‖  ‗ ‘ ’ ‚ ‛ “ ” „ ‟ ′ ″ ‴ ‵ ‶ ‷";
        // As they are, and not as NFC would leave them: two of these spaces have another form.
        assert_eq!(units(spaces), 110);
        // More than 63 bytes of Punycode make it no address, fewer do; both count as no address, which is never too short.
        let host = |many: usize| format!("http://{}.com", "あ".repeat(many));
        assert_eq!((units(&host(5)), units(&host(53))), (23, 11 + 2 * 53));
    }

    #[tokio::test]
    async fn a_post_is_signed_and_its_id_is_kept() {
        let (url, requests) = receiver(vec![json_answer("201 Created", fixture("created"))]).await;
        let account = account(&url, &[("link", "https://status.example.net")]);
        let id = Some("1346889436626259968".to_owned());
        assert_eq!(account.send(&statement(1)).await, Outcome::Accepted { remote_id: id });
        let requests = requests.await;
        assert!(requests[0].line.starts_with("POST /2/tweets "), "{}", requests[0].line);
        let header = requests[0].header("authorization");
        assert!(header.starts_with("OAuth oauth_consumer_key=\"not-a-real-key\""), "{header}");
        assert!(header.contains("oauth_timestamp=\"1795400010\""), "{header}");
        let body = requests[0].json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert_eq!(body["text"], account.shows(&statement(1)).text);
    }

    #[tokio::test]
    async fn the_same_words_are_a_repeat_only_after_an_attempt() {
        let no = fixture("duplicate");
        for (attempt, expected) in [(1, "refused"), (2, "accepted")] {
            let (url, _requests) = receiver(vec![json_answer("403 Forbidden", no)]).await;
            let outcome = account(&url, &[]).send(&statement(attempt)).await;
            assert_eq!(outcome.as_str(), expected, "{outcome:?}");
            assert!(!matches!(outcome, Outcome::Refused { whole_channel: true, .. }), "{outcome:?}");
        }
        let (url, _requests) = receiver(vec![json_answer("403 Forbidden", fixture("forbidden"))]).await;
        let outcome = account(&url, &[]).send(&statement(2)).await;
        assert_eq!(outcome, refused("answered 403 (client-forbidden)", true));
    }

    #[tokio::test]
    async fn an_answer_that_is_forbidden_is_posted_by_itself() {
        let reply = Parcel { thread_root: Some("1346889436626259968".into()), ..statement(1) };
        let answers = vec![
            json_answer("403 Forbidden", fixture("not_called")),
            json_answer("201 Created", fixture("created")),
        ];
        let (url, requests) = receiver(answers).await;
        assert_eq!(account(&url, &[("thread", "try")]).send(&reply).await.as_str(), "accepted");
        let requests = requests.await;
        let (one, two) = (requests[0].json(), requests[1].json());
        assert_eq!(one["reply"]["in_reply_to_tweet_id"], "1346889436626259968");
        assert_eq!((one["text"].clone(), two.get("reply")), (two["text"].clone(), None));
        // Without the key nothing is tried, and what is a repeat is none of an answer.
        let (url, requests) = receiver(vec![json_answer("201 Created", fixture("created"))]).await;
        account(&url, &[]).send(&reply).await;
        assert!(requests.await[0].json().get("reply").is_none());
        let (url, requests) = receiver(vec![json_answer("403 Forbidden", fixture("duplicate"))]).await;
        let again = account(&url, &[("thread", "try")]).send(&Parcel { attempt: 2, ..reply }).await;
        assert_eq!((again.as_str(), requests.await.len()), ("accepted", 1));
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_removed_before_it_is_told() {
        let mut parcel = statement(1);
        let said = parcel.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id: Some("77".into()) });
        let created = json_answer("201 Created", fixture("created"));
        for gone in
            [json_answer("200 OK", fixture("deleted")), json_answer("404 Not Found", fixture("not_found"))]
        {
            let (url, requests) = receiver(vec![gone, created]).await;
            assert_eq!(account(&url, &[]).send(&parcel).await.as_str(), "accepted");
            let requests = requests.await;
            assert!(requests[0].line.starts_with("DELETE /2/tweets/77 "), "{}", requests[0].line);
            assert!(requests[1].line.starts_with("POST /2/tweets "), "{}", requests[1].line);
        }
        // Its words are posted also where it cannot be removed; then somebody is told, or it is tried again.
        for (answer, expected) in [
            ("", "unknown"),
            (json_answer("500 Oops", ""), "unknown"),
            (json_answer("429 Slow", ""), "unknown"),
            (json_answer("403 Forbidden", fixture("forbidden")), "stands"),
        ] {
            let (url, requests) = receiver(vec![answer, created]).await;
            let outcome = account(&url, &[]).send(&parcel).await;
            assert_eq!((outcome.as_str(), requests.await.len()), (expected, 2), "{outcome:?}");
        }
        // What X never named cannot be removed, and nobody is told that it was.
        parcel.statement.as_mut().unwrap().mends.as_mut().unwrap().remote_id = None;
        let (url, requests) = receiver(vec![created]).await;
        let Outcome::Stands { remote_id, why } = account(&url, &[]).send(&parcel).await else {
            panic!("people have to look")
        };
        assert!(
            requests.await.len() == 1 && remote_id.is_some() && why.contains("may stand there still"),
            "{why}"
        );
    }

    #[tokio::test]
    async fn a_limit_says_when_more_is_taken_and_a_cap_is_the_whole_channel() {
        let slow = json_answer("429 Slow\r\nx-rate-limit-reset: 1795400310", fixture("slow"));
        let (url, _requests) = receiver(vec![slow]).await;
        let why = "answered 429".to_owned();
        let waits = Outcome::Wait { after: Some(Duration::from_secs(300)), why };
        assert_eq!(account(&url, &[]).send(&statement(1)).await, waits);
        let (url, _requests) = receiver(vec![json_answer("429 Slow", fixture("capped"))]).await;
        assert_eq!(
            account(&url, &[]).send(&statement(1)).await,
            refused("answered 429 (usage-capped)", true)
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_never_sent() {
        let mut parcel = statement(1);
        parcel.statement.as_mut().unwrap().text = "Überall ".repeat(40);
        let account = account("http://127.0.0.1:1", &[]);
        let shown = account.shows(&parcel);
        assert_eq!((shown.size, shown.most, shown.fits()), (26 + 1 + 21 + 2 + 319, 280, false));
        let outcome = account.send(&parcel).await;
        assert_eq!(outcome, refused("too long: it has 369 units as X counts, and 280 are taken", false));
        let other = Parcel { statement: None, ..statement(1) };
        assert_eq!(
            account.send(&other).await,
            refused("this channel publishes: it takes statements only", false)
        );
    }

    #[test]
    fn no_share_is_named() {
        assert_eq!(
            without_cashtags("$SHOP and $PAY cost $5, US$"),
            "$\u{200b}SHOP and $\u{200b}PAY cost $5, US$"
        );
    }

    #[test]
    fn a_thread_is_tried_or_off_and_a_link_is_an_address() {
        let secrets =
            KIND.keys.iter().filter(|key| key.secret).map(|key| (key.name, "x")).collect::<Vec<_>>();
        for (name, value, right) in [
            ("thread", "try", true),
            ("thread", "off", true),
            ("thread", "on", false),
            ("link", "", true),
            ("link", "status.example.net", false),
            ("link", "see https://status.example.net", false),
        ] {
            let built = build(&KIND, &[(name, value)], &secrets);
            assert_eq!(built.is_ok(), right, "{name} {value}");
            assert!(built.err().is_none_or(|said| said.contains(name)));
        }
    }
}
