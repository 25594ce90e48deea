//! Mastodon: statuses of one account, by a token with `write:statuses`, `read:statuses` and `read:accounts`.
//!
//! The `Idempotency-Key` of a status is its delivery, so a server that has it answers a repeat with the status it already made:
//! for an hour. Once it may have forgotten, the account's newest statuses are read first, as far back as the letter was written,
//! and one with the same words is this one. Where that cannot be read, nothing is written.
//!
//! The first status of an incident is public; those that follow answer it, and are unlisted: they stand in its thread and in the
//! timelines of those who follow, and not in that of the server. Where that one is gone the next stands by itself, in public, and those
//! that follow answer it.
//!
//! Length is counted as the server does, in what readers take for characters, an address as 23; how many it takes is asked of
//! `/api/v2/instance` before something is posted, and is 500 until then, and where that cannot be asked.
//!
//! Errors are `{"error": "..."}`, sentences in the language of the server, so only the status decides. 401, 403, 404 and 410 concern
//! every letter: the token, what it may do, and the address. A 404 of a status that answers, or is taken back, is about the other
//! one. 422 is about the letter. 429 says by an hour when it takes more.
//!
//! Shapes: mastodon/documentation (methods/statuses, methods/accounts, methods/instance, entities/Instance, api/rate-limits).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, bounded, encode, refused, strange, usual};
use super::client::Answer;
use super::social::{
    Posted, answers, characters, fits, language, link, links, post, posted_in, publish, stated,
};
use super::statement::Shown;
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared};

/// Mastodon, by an account.
pub const KIND: Kind = Kind {
    name: "mastodon",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "language", secret: false, required: false },
        Key { name: "link", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Mastodon::build,
    address: None,
    status: true,
};

const STATUSES: &str = "/api/v1/statuses";
/// A server keeps keys for up to an hour; the hours of two machines differ a little.
const KEY_LIFE: SignedDuration = SignedDuration::from_mins(55);
/// So much before the letter was written, by our clock, nothing of it can be there.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(15);
/// Statuses of one page, with all that is said of their account in each, stay below the largest answer that is read.
const PAGE: usize = 5;
const PAGES_MAX: usize = 12;
/// How long what the server said of its limits is believed.
const LIMITS_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// What it takes is worth no more of an attempt than this.
const LEARN_DEADLINE: Duration = Duration::from_secs(5);
const CHARACTERS_MAX: usize = 500;
const LINK_CHARACTERS: usize = 23;
const WHOLE: &[u16] = &[401, 403, 404, 410];

/// One account.
pub struct Mastodon {
    api: Api,
    language: Option<String>,
    link: Option<String>,
    limits: Mutex<Limits>,
    posted: Posted,
}

/// What the server takes.
#[derive(Clone, Copy)]
struct Limits {
    characters: usize,
    link: usize,
    asked: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Instance {
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    statuses: Statuses,
}

#[derive(Deserialize)]
struct Statuses {
    max_characters: usize,
    characters_reserved_per_url: usize,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    #[serde(default)]
    content: String,
    created_at: Option<Timestamp>,
    in_reply_to_id: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    id: String,
}

impl Mastodon {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let api = Api::new(&mut fields, shared, "url", None)?.bearer(&token)?;
        let (language, link) = (language(&mut fields)?, link(&mut fields)?);
        let limits = Limits { characters: CHARACTERS_MAX, link: LINK_CHARACTERS, asked: None };
        let (limits, posted) = (Mutex::new(limits), Posted::default());
        Ok(Channel::Mastodon(Box::new(Self { api, language, link, limits, posted })))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(async { self.attempt(parcel).await.unwrap_or_else(|outcome| outcome) }).await
    }

    /// How a statement is posted, counted as the server counts, as far as that is known by now.
    pub fn shows(&self, parcel: &Parcel) -> Shown {
        let limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let text = post(parcel, self.link.as_deref());
        let (mut size, mut at) = (0, 0);
        for link in links(&text) {
            size += characters(text.get(at..link.start).unwrap_or_default()) + limits.link;
            at = link.end;
        }
        size += characters(text.get(at..).unwrap_or_default());
        Shown { text, size, most: limits.characters, unit: "characters" }
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<Outcome, Outcome> {
        stated(parcel)?;
        self.learn(parcel.now).await;
        let shown = self.shows(parcel);
        fits(&shown)?;
        let post = self.publish(parcel, &shown.text);
        Ok(publish(parcel, &self.posted, |id| self.remove(parcel, id), post).await)
    }

    async fn publish(&self, parcel: &Parcel, text: &str) -> Result<Outcome, Outcome> {
        let is_forgotten = parcel.now.duration_since(parcel.created_at) >= KEY_LIFE;
        if parcel.may_be_there()
            && is_forgotten
            && let Some(found) = self.find(parcel, text).await?
        {
            return Ok(there(parcel, found));
        }
        for one in answers(parcel) {
            let answer = self.post(parcel, text, Some(one)).await?;
            // Where it is gone, the next.
            if answer.status != StatusCode::NOT_FOUND {
                return Ok(outcome(&answer, parcel));
            }
        }
        let answer = self.post(parcel, text, None).await?;
        match answer.status {
            // A server that knows the key says so where somebody has removed what it made.
            StatusCode::NOT_FOUND if parcel.may_be_there() => Err(refused("answered 404", false)),
            _ => Ok(outcome(&answer, parcel)),
        }
    }

    async fn post(&self, parcel: &Parcel, text: &str, answered: Option<&str>) -> Result<Answer, Outcome> {
        let visibility = if answered.is_some() { "unlisted" } else { "public" };
        let mut body = json!({"status": text, "visibility": visibility});
        if let Some(id) = answered {
            body["in_reply_to_id"] = id.into();
        }
        if let Some(language) = &self.language {
            body["language"] = language.as_str().into();
        }
        let key = SecretString::from(parcel.delivery.clone());
        self.api.call(Method::POST, STATUSES, Some(&body), &[("idempotency-key", &key)]).await
    }

    /// Asks what the server takes, once a day. Where that is not said, what was known stays.
    async fn learn(&self, now: Timestamp) {
        let asked = self.limits.lock().unwrap_or_else(PoisonError::into_inner).asked;
        if asked.is_some_and(|asked| now.duration_since(asked).abs() < LIMITS_LIFE) {
            return;
        }
        let asked = tokio::time::timeout(LEARN_DEADLINE, self.api.get("/api/v2/instance")).await;
        let Ok(Ok(answer)) = asked else { return };
        let said =
            serde_json::from_slice::<Instance>(&answer.body).ok().filter(|_| answer.status.is_success());
        if let Some(said) = said {
            let Statuses { max_characters, characters_reserved_per_url } = said.configuration.statuses;
            *self.limits.lock().unwrap_or_else(PoisonError::into_inner) =
                Limits { characters: max_characters, link: characters_reserved_per_url, asked: Some(now) };
        }
    }

    /// Takes a status back.
    async fn remove(&self, parcel: &Parcel, id: &str) -> Outcome {
        let path = format!("{STATUSES}/{}", encode(id));
        let answer = match self.api.call(Method::DELETE, &path, None, &[]).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Accepted { remote_id: None },
            // One status may be no longer ours; when all are closed to us, the next request says so.
            StatusCode::FORBIDDEN => refused("answered 403", false),
            _ => outcome(&answer, parcel),
        }
    }

    /// The status that an attempt before has written, if any. What cannot be found out is not known.
    async fn find(&self, parcel: &Parcel, text: &str) -> Result<Option<Status>, Outcome> {
        let answer = self.api.get("/api/v1/accounts/verify_credentials").await;
        let account: Account = read(answer, parcel)?;
        let (sought, since) = (bare(text), parcel.created_at - LOOK_BACK);
        let mut page = String::new();
        for _ in 0..PAGES_MAX {
            let id = encode(&account.id);
            let path = format!("/api/v1/accounts/{id}/statuses?limit={PAGE}&exclude_reblogs=true{page}");
            let found: Vec<Status> = read(self.api.get(&path).await, parcel)?;
            let young = |status: &Status| status.created_at.is_none_or(|at| at >= since);
            let same = |status: &Status| bare(&plain(&status.content)) == sought;
            let oldest = found.last().filter(|last| young(last)).map(|last| last.id.clone());
            if let Some(status) = found.into_iter().find(|status| young(status) && same(status)) {
                return Ok(Some(status));
            }
            let Some(oldest) = oldest else { return Ok(None) };
            page = format!("&max_id={}", encode(&oldest));
        }
        Err(unknown("more was posted since than is looked through"))
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown { why: format!("it is not known whether it is there: {why}") }
}

/// What was asked for to find out whether a status is there. Where there is none to be had, an attempt before may have written.
fn read<T: for<'a> Deserialize<'a>>(answer: Result<Answer, Outcome>, parcel: &Parcel) -> Result<T, Outcome> {
    let answer = answer.map_err(|outcome| match outcome {
        Outcome::Wait { why, .. } | Outcome::Unknown { why } => unknown(&why),
        other => other,
    })?;
    if !answer.status.is_success() {
        return Err(match outcome(&answer, parcel) {
            Outcome::Refused { why, .. } | Outcome::Unknown { why } => unknown(&why),
            other => other,
        });
    }
    serde_json::from_slice(&answer.body).map_err(|_| unknown("its answer is not that of Mastodon"))
}

/// A status that is there. A repeat is answered with the one that was made, so it tells itself whether it answers another.
fn there(parcel: &Parcel, status: Status) -> Outcome {
    posted_in(parcel, Outcome::Accepted { remote_id: Some(status.id) }, status.in_reply_to_id.is_some())
}

fn outcome(answer: &Answer, parcel: &Parcel) -> Outcome {
    if answer.status.is_success() {
        return match serde_json::from_slice::<Status>(&answer.body) {
            Ok(status) => there(parcel, status),
            Err(_) => strange("Mastodon"),
        };
    }
    match usual(answer, WHOLE, None) {
        Outcome::Wait { after, why } => {
            Outcome::Wait { after: after.or(until_reset(answer, parcel.now)), why }
        }
        other => other,
    }
}

/// How long until it takes more; it is said as an hour.
fn until_reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let reset: Timestamp = answer.headers.get("x-ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::try_from(reset.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1)))
}

/// The words of a status, out of the HTML that it is shown as.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    let words =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&nbsp;", " ")];
    let text = words.iter().fold(text, |text, (word, letter)| text.replace(word, letter));
    text.replace("&amp;", "&")
}

/// What is left to compare: lines and spaces are shown otherwise than they were sent.
fn bare(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace() && *letter != '\u{200b}').collect()
}

#[cfg(test)]
mod tests {
    use super::super::statement::Mended;
    use super::super::stories::{build, json_answer, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/mastodon/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn account(url: &str, more: &[(&str, &str)]) -> Channel {
        let texts: Vec<_> =
            [("url", url), ("private_addresses", "allow")].into_iter().chain(more.iter().copied()).collect();
        build(&KIND, &texts, &[("token", "not-a-real-token")]).unwrap()
    }

    fn instance() -> &'static str {
        json_answer("200 OK", fixture("instance"))
    }

    fn made() -> &'static str {
        json_answer("200 OK", fixture("status"))
    }

    #[tokio::test]
    async fn the_first_is_public_and_those_that_follow_are_unlisted_answers() {
        let (url, requests) = receiver(vec![instance(), made(), made(), made()]).await;
        let account = account(&url, &[("language", "en"), ("link", "https://status.example.net")]);
        let id = Some("103254962155278888".to_owned());
        assert_eq!(account.send(&statement(1)).await, Outcome::Accepted { remote_id: id.clone() });
        let next = Parcel { delivery: "f".repeat(32), thread_root: id, ..statement(1) };
        account.send(&next).await;
        account.send(&Parcel { attempt: 2, ..next }).await;
        let requests = requests.await;
        assert!(requests[0].line.starts_with("GET /api/v2/instance "), "{}", requests[0].line);
        assert!(requests[1].line.starts_with("POST /api/v1/statuses "), "{}", requests[1].line);
        assert_eq!(requests[1].header("idempotency-key"), "0123456789abcdef0123456789abcdef");
        assert_eq!(requests[1].header("authorization"), "Bearer not-a-real-token");
        let (one, two) = (requests[1].json(), requests[2].json());
        assert_eq!((one["visibility"].as_str(), one["language"].as_str()), (Some("public"), Some("en")));
        assert_eq!(one["status"], account.shows(&statement(1)).text);
        assert_eq!(one.get("in_reply_to_id"), None);
        assert_eq!(two["visibility"], "unlisted");
        assert_eq!(two["in_reply_to_id"], "103254962155278888");
        assert_eq!(
            (&requests[2].body, requests[2].header("idempotency-key")),
            (&requests[3].body, requests[3].header("idempotency-key")),
            "the same bytes and the same key"
        );
    }

    #[tokio::test]
    async fn what_answers_one_that_is_gone_stands_by_itself() {
        let gone = json_answer("404 Not Found", fixture("not_found"));
        let (url, requests) = receiver(vec![instance(), gone, made()]).await;
        let reply = Parcel { thread_root: Some("7".into()), ..statement(1) };
        let begun = Outcome::Begun { root: "103254962155278888".into() };
        assert_eq!(account(&url, &[]).send(&reply).await, begun, "and those that follow answer it");
        let requests = requests.await;
        assert_eq!(
            (requests[1].json()["in_reply_to_id"].as_str(), requests[2].json().get("in_reply_to_id")),
            (Some("7"), None)
        );
        assert_eq!(requests[2].json()["visibility"], "public");
        assert_eq!(requests[1].header("idempotency-key"), requests[2].header("idempotency-key"));
        let (url, _requests) = receiver(vec![instance(), gone]).await;
        let wrong = account(&url, &[]).send(&statement(1)).await;
        assert_eq!(wrong, refused("answered 404", true), "there is no such server");
    }

    #[tokio::test]
    async fn when_the_key_may_be_forgotten_it_is_looked_first() {
        let late = Parcel {
            attempt: 4,
            now: statement(1).created_at + SignedDuration::from_mins(70),
            ..statement(4)
        };
        let me = json_answer("200 OK", fixture("account"));
        let text = account("http://127.0.0.1:1", &[]).shows(&late).text;
        let html = text.replace('&', "&amp;").replace("\n\n", "</p><p>").replace('\n', "<br />");
        let status = |id: u32, content: &str, at: &str| json!({"id": id.to_string(), "content": content, "created_at": at});
        let (young, old) = ("2026-11-23T02:30:00.000Z", "2026-11-23T01:00:00.000Z");
        let others: Vec<_> = (0..5).map(|id| status(90 - id, "<p>other words</p>", young)).collect();
        let page = json_answer("200 OK", &json!(others).to_string());
        let here =
            json!([status(50, "<p>x</p>", young), status(49, &format!("<p>{html}</p>"), young)]).to_string();
        let (url, requests) = receiver(vec![instance(), me, page, json_answer("200 OK", &here)]).await;
        let found = account(&url, &[]).send(&late).await;
        assert_eq!(found, Outcome::Accepted { remote_id: Some("49".into()) });
        // Of a thread it is another's first where it answers none.
        for (answered, expected) in [
            (json!("7"), Outcome::Accepted { remote_id: Some("49".into()) }),
            (json!(null), Outcome::Begun { root: "49".into() }),
        ] {
            let mut there = status(49, &format!("<p>{html}</p>"), young);
            there["in_reply_to_id"] = answered;
            let there = json_answer("200 OK", &json!([there]).to_string());
            let (url, _requests) = receiver(vec![instance(), me, there]).await;
            let next = Parcel { thread_root: Some("7".into()), ..late.clone() };
            assert_eq!(account(&url, &[]).send(&next).await, expected);
        }
        let lines: Vec<_> = requests.await.into_iter().map(|seen| seen.line).collect();
        assert!(lines[1].starts_with("GET /api/v1/accounts/verify_credentials "), "{lines:?}");
        assert!(
            lines[2].starts_with("GET /api/v1/accounts/14715/statuses?limit=5&exclude_reblogs=true "),
            "{lines:?}"
        );
        assert!(lines[3].contains("&max_id=86 "), "{lines:?}");

        let old = json_answer("200 OK", &json!([status(3, "<p>x</p>", old)]).to_string());
        let (url, requests) = receiver(vec![instance(), me, old, made()]).await;
        assert_eq!(account(&url, &[]).send(&late).await.as_str(), "accepted");
        assert!(requests.await[3].line.starts_with("POST "), "it is not there, so it is written");

        // Where it cannot be looked, nothing is written.
        for no in ["401 Unauthorized", "403 Forbidden", "500 Oops", "200 OK"] {
            let (url, requests) = receiver(vec![instance(), json_answer(no, fixture("forbidden"))]).await;
            let outcome = account(&url, &[]).send(&late).await;
            assert_eq!((outcome.as_str(), requests.await.len()), ("unknown", 2), "{no} {outcome:?}");
        }
        // An early attempt has its key.
        let (url, requests) = receiver(vec![instance(), made()]).await;
        let early = Parcel { now: late.created_at + SignedDuration::from_mins(50), ..late };
        account(&url, &[]).send(&early).await;
        assert!(requests.await[1].line.starts_with("POST "));
    }

    #[tokio::test]
    async fn what_the_server_takes_is_learned_and_addresses_count_the_same() {
        let mut parcel = statement(1);
        let address = format!("https://status.example.net/{}", "x".repeat(200));
        parcel.statement.as_mut().unwrap().text = format!("{address} für {}", "🏴󠁧󠁢󠁥󠁮󠁧󠁿".repeat(10));
        let (url, _requests) = receiver(vec![json_answer("200 OK", fixture("large")), made()]).await;
        let account = account(&url, &[]);
        let before = account.shows(&parcel);
        assert_eq!((before.size, before.most), (26 + 1 + 21 + 2 + 23 + 5 + 10, 500));
        parcel.statement.as_mut().unwrap().text = "Überall. ".repeat(80);
        assert!(!account.shows(&parcel).fits());
        assert_eq!(account.send(&parcel).await.as_str(), "accepted", "this server takes 5,000");
        let after = account.shows(&parcel);
        assert_eq!((after.most, after.fits()), (5000, true));
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_removed_before_it_is_told() {
        let mut parcel = Parcel { thread_root: Some("77".into()), ..statement(1) };
        let said = parcel.statement.as_mut().unwrap();
        said.sort = Sort::Retraction;
        said.mends = Some(Mended { id: "42-2".into(), at: said.at, remote_id: Some("77".into()) });
        for gone in [made(), json_answer("404 Not Found", fixture("not_found"))] {
            let (url, requests) = receiver(vec![instance(), gone, made()]).await;
            assert_eq!(account(&url, &[]).send(&parcel).await.as_str(), "accepted");
            let requests = requests.await;
            assert!(requests[1].line.starts_with("DELETE /api/v1/statuses/77 "), "{}", requests[1].line);
            assert_eq!(requests[2].json().get("in_reply_to_id"), None, "nobody answers what is gone");
        }
        for (answer, expected) in [
            ("", "unknown"),
            (json_answer("500 Oops", ""), "unknown"),
            (json_answer("429 Slow", ""), "unknown"),
            (json_answer("403 Forbidden", fixture("forbidden")), "stands"),
        ] {
            let (url, requests) = receiver(vec![instance(), answer, made()]).await;
            let outcome = account(&url, &[]).send(&parcel).await;
            assert_eq!((outcome.as_str(), requests.await.len()), (expected, 3), "{outcome:?}");
        }
        parcel.statement.as_mut().unwrap().mends.as_mut().unwrap().remote_id = None;
        let (url, _requests) = receiver(vec![instance(), made()]).await;
        assert_eq!(account(&url, &[]).send(&parcel).await.as_str(), "stands", "people have to look");
    }

    #[tokio::test]
    async fn a_limit_ends_at_an_hour_and_a_letter_that_is_wrong_is_only_that() {
        let slow = json_answer("429 Slow\r\nX-RateLimit-Reset: 2026-11-23T02:18:30.123456Z", fixture("slow"));
        let (url, _requests) = receiver(vec![instance(), slow]).await;
        let Outcome::Wait { after: Some(after), .. } = account(&url, &[]).send(&statement(1)).await else {
            panic!("it says when")
        };
        assert_eq!(after.as_secs(), 300);
        let (url, _requests) = receiver(vec![instance(), json_answer("422 No", fixture("invalid"))]).await;
        assert_eq!(account(&url, &[]).send(&statement(1)).await, refused("answered 422", false));
        let no = Parcel { statement: None, ..statement(1) };
        assert_eq!(
            account(&url, &[]).send(&no).await,
            refused("this channel publishes: it takes statements only", false)
        );
    }

    #[test]
    fn words_are_read_out_of_what_a_server_shows() {
        let html = "<p>Shop &amp; &quot;pay&quot; &lt;b&gt;<br />für alle</p><p><a href=\"https://a.example/b\" rel=\"nofollow\"><span \
                    class=\"invisible\">https://</span><span class=\"\">a.example/b</span><span class=\"invisible\"></span></a> &#39;x&#39; &amp;lt;</p>";
        let text = "Shop & \"pay\" <b>\nfür alle\n\nhttps://a.example/b 'x' &lt;";
        assert_eq!(bare(&plain(html)), bare(text));
    }
}
