//! Ghost: one post for each incident (`blog.rs`), by its Admin API (`/ghost/api/admin/posts/`) and the key of a custom
//! integration, which is an id, a colon, and 64 hexadecimal digits: what each request's own token (JSON Web Token, HS256) is signed with.
//!
//! A post is kept as Lexical, a tree of cards. Each statement is a card of HTML, which Ghost keeps to the letter, with an element whose
//! `id` is the delivery; cards that people put into the post stay as they are. A post that was written in the editor of before
//! (Mobiledoc) is none of ours.
//!
//! An update carries the hour at which the post was changed last (`updated_at`), and is refused with 409 and `UpdateCollisionError`
//! when that is not true any more: then the post is read again. The hour has seconds and no parts of them, so a post is read once more
//! after each write as well. A slug that is taken is given with `-2` behind it. Posts are looked for by a filter: a 404 is then a wrong
//! address, and never a post that is not there. Published by the API, a post is mailed to nobody.

use http::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, strange, usual, word};
use super::blog::{self, Blog, Entry, Line, Post};
use super::client::Answer;
use super::statement::{Shown, Statement};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared};
use crate::crypto;

/// Ghost.
pub const KIND: Kind = Kind {
    name: "ghost",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "token", secret: true, required: true },
        Key { name: "tags", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: Ghost::build,
    address: None,
    status: true,
};

/// Where posts are.
const POSTS: &str = "/ghost/api/admin/posts/";
/// Of a post, this is read.
const FIELDS: &str = "formats=lexical&fields=id,slug,status,updated_at,lexical";
/// What we speak.
const VERSION: &str = "v5.0";
/// A token is believed for so long, and no longer than five minutes.
const TOKEN_LASTS_S: i64 = 240;
/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 255;
/// Longest tag, in characters, and most of them.
const TAG_CHARS_MAX: usize = 191;
const TAGS_MAX: usize = 10;

/// One integration with one blog.
pub struct Ghost {
    api: Api,
    key: String,
    secret: SecretSlice<u8>,
    tags: Vec<String>,
}

/// One attempt: its requests carry the same token.
pub(super) struct Visit<'a> {
    ghost: &'a Ghost,
    authorization: SecretString,
}

#[derive(Deserialize)]
struct Answered {
    posts: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    slug: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    updated_at: String,
    lexical: Option<String>,
}

#[derive(Deserialize)]
struct Faults {
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
}

impl Ghost {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let token = fields.secrets.remove("token").ok_or("`token_file` is missing")?;
        let wrong = "the secret is no Admin API key of a custom integration, which is an id, a colon and hexadecimal digits";
        let (key, secret) = token.expose_secret().trim().split_once(':').ok_or(wrong)?;
        let is_id = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let secret = crypto::from_hex(secret).filter(|secret| is_id && !secret.is_empty()).ok_or(wrong)?;
        if fields.texts.contains_key("tags") {
            return Err("`tags` is a list, such as [\"Status\"]".into());
        }
        let tags = fields.lists.remove("tags").unwrap_or_default();
        let fits = |tag: &String| !tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX;
        if tags.len() > TAGS_MAX || !tags.iter().all(fits) {
            return Err(format!(
                "`tags` has the names of {TAGS_MAX} tags at most, each of {TAG_CHARS_MAX} characters at most"
            ));
        }
        let api = Api::new(&mut fields, shared, "url", None)?;
        if !api.is_safe() {
            return Err(
                "`url` begins with https:// (with `private_addresses = \"allow\"` also with http://)".into(),
            );
        }
        Ok(Channel::Ghost(Self { api, key: key.to_owned(), secret: secret.into(), tags }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        if parcel.statement.is_some() && !self.shows(parcel).fits() {
            let why = format!("its title has more than {TITLE_CHARS_MAX} characters");
            return super::api::refused(&why, false);
        }
        bounded(blog::publish(&self.visit(parcel.now), parcel, self.secret.expose_secret())).await
    }

    /// What speaks to it during an attempt that begins now.
    pub(super) fn visit(&self, now: jiff::Timestamp) -> Visit<'_> {
        Visit { ghost: self, authorization: self.token(now).into() }
    }

    /// How a statement is shown. Only its title has a limit: with what it begins with when it is over, for that is said as well.
    pub(super) fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = &parcel.statement else { return Shown::whole(parcel.text.clone()) };
        let text = blog::plain(said);
        let title = blog::title(said);
        let bare = title.strip_prefix(blog::OVER).unwrap_or(&title);
        let size = blog::OVER.len() + bare.chars().count();
        Shown { text, size, most: TITLE_CHARS_MAX, unit: "characters of its title" }
    }

    fn token(&self, now: jiff::Timestamp) -> String {
        let (from, until) = (now.as_second(), now.as_second() + TOKEN_LASTS_S);
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": self.key});
        let claims = json!({"iat": from, "exp": until, "aud": "/admin/"});
        let token = crypto::jwt_hs256(self.secret.expose_secret(), &header.to_string(), &claims.to_string());
        format!("Ghost {token}")
    }
}

impl Visit<'_> {
    async fn ask(&self, method: Method, path: &str, post: Option<Value>) -> Result<Answer, Outcome> {
        let body = post.map(|post| json!({"posts": [post]}));
        let version = SecretString::from(VERSION);
        let headers = [("authorization", &self.authorization), ("accept-version", &version)];
        self.ghost.api.exchange(method, path, body.as_ref(), &headers).await
    }

    async fn browse(&self, filter: &str) -> Result<Vec<Post>, Outcome> {
        // Without the word for the status, only what is published is found.
        let filter = format!("{filter}+status:[published,draft,scheduled,sent]");
        let path = format!("{POSTS}?filter={}&limit=10&{FIELDS}", encode(&filter));
        let found = read(&self.ask(Method::GET, &path, None).await?)?;
        Ok(found.into_iter().map(Found::post).collect())
    }
}

impl Blog for Visit<'_> {
    async fn with_slugs(&self, slugs: &[&str]) -> Result<Vec<Post>, Outcome> {
        let slugs = slugs.iter().map(|slug| quoted(slug)).collect::<Vec<_>>().join(",");
        self.browse(&format!("slug:[{slugs}]")).await
    }

    async fn with_id(&self, id: &str) -> Result<Option<Post>, Outcome> {
        Ok(self.browse(&format!("id:{}", quoted(id))).await?.pop())
    }

    async fn create(&self, slug: &str, entry: &Entry<'_>) -> Result<(String, String), Outcome> {
        let lexical = json!({"root": {"children": [card(entry)], "direction": null, "format": "", "indent": 0, "type": "root",
            "version": 1}});
        let post = json!({
            "status": "published",
            "slug": slug,
            "title": blog::title(entry.said),
            "lexical": lexical.to_string(),
            "tags": self.ghost.tags,
        });
        let made = read(&self.ask(Method::POST, POSTS, Some(post)).await?)?.pop();
        made.map(|made| (made.id, made.slug)).ok_or_else(|| strange("Ghost"))
    }

    async fn rewrite(&self, post: &Post, title: Option<&Statement>, content: &str) -> Result<bool, Outcome> {
        let path = format!("{POSTS}{}/", encode(&post.id));
        let mut body = json!({"updated_at": post.changed, "lexical": content});
        if let Some(said) = title {
            body["title"] = blog::title(said).into();
        }
        let answer = self.ask(Method::PUT, &path, Some(body)).await?;
        let gone = answer.status == StatusCode::NOT_FOUND && is(&answer, "NotFoundError");
        if gone || answer.status == StatusCode::CONFLICT && is(&answer, "UpdateCollisionError") {
            return Ok(false);
        }
        read(&answer).map(|_| true)
    }

    async fn remove(&self, id: &str) -> Result<(), Outcome> {
        let answer = self.ask(Method::DELETE, &format!("{POSTS}{}/", encode(id)), None).await?;
        let gone = answer.status == StatusCode::NOT_FOUND && is(&answer, "NotFoundError");
        if gone || answer.status == StatusCode::NO_CONTENT { Ok(()) } else { read(&answer).map(|_| ()) }
    }

    fn put(&self, content: &str, entry: &Entry<'_>) -> Option<String> {
        let mut tree: Value = serde_json::from_str(content).ok()?;
        cards(&mut tree)?.insert(0, card(entry));
        Some(tree.to_string())
    }

    fn take(&self, content: &str, mark: &str) -> Option<String> {
        let mut tree: Value = serde_json::from_str(content).ok()?;
        let is_own = |card: &Value| {
            card["type"] == "html" && card["html"].as_str().is_some_and(|html| blog::stands(html, mark))
        };
        cards(&mut tree)?.retain(|card| !is_own(card));
        let kept = tree.to_string();
        (!blog::stands(&kept, mark)).then_some(kept)
    }
}

impl Found {
    fn post(self) -> Post {
        Post {
            id: self.id,
            slug: self.slug,
            is_public: self.status == "published",
            changed: self.updated_at,
            // One of the editor of before has none: it has a form that is not ours.
            content: self.lexical.unwrap_or_default(),
        }
    }
}

fn cards(tree: &mut Value) -> Option<&mut Vec<Value>> {
    tree.get_mut("root")?.get_mut("children")?.as_array_mut()
}

/// A statement as a card of HTML.
fn card(entry: &Entry<'_>) -> Value {
    let lines = entry.lines().into_iter().map(|line| match line {
        Line::Heading(words) => format!("<h3>{words}</h3>\n"),
        Line::Paragraph(words) => format!("<p>{words}</p>\n"),
    });
    let html = format!("<div id=\"{}\">\n{}</div>", entry.mark, lines.collect::<String>());
    json!({"type": "html", "version": 1, "html": html})
}

/// A text as it stands in a filter.
fn quoted(text: &str) -> String {
    let text: String =
        text.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    format!("'{text}'")
}

fn is(answer: &Answer, name: &str) -> bool {
    fault(answer).is_some_and(|fault| fault.kind == name)
}

fn fault(answer: &Answer) -> Option<Fault> {
    let faults = serde_json::from_slice::<Faults>(&answer.body).ok()?;
    faults.errors.into_iter().next()
}

/// The posts that were answered.
fn read(answer: &Answer) -> Result<Vec<Found>, Outcome> {
    if answer.status.is_success() {
        let answered = serde_json::from_slice::<Answered>(&answer.body);
        return answered.map(|answered| answered.posts).map_err(|_| strange("Ghost"));
    }
    let fault = fault(answer);
    let name = fault.as_ref().map(|fault| fault.code.as_deref().unwrap_or(&fault.kind));
    // 406 says that there is nothing at this address for who speaks as we do.
    Err(usual(answer, &[401, 403, 404, 406, 410], name.and_then(word)))
}

#[cfg(test)]
mod tests {
    use super::super::stories::{build, json_answer, receiver, statement};
    use super::*;
    use crate::core::voice::Sort;

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/ghost/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn blog(url: &str) -> Channel {
        let texts = [("url", url), ("private_addresses", "allow")];
        let key = format!("6b0bd616cd32ab4b66413218:{}", "0f".repeat(32));
        build(&KIND, &texts, &[("token", &key)]).unwrap()
    }

    #[tokio::test]
    async fn a_lost_answer_is_found_and_nothing_is_written_twice() {
        let (url, requests) = receiver(vec![json_answer("200 OK", fixture("none")), ""]).await;
        let channel = blog(&url);
        assert_eq!(channel.send(&statement(1)).await.as_str(), "unknown");
        let requests = requests.await;
        assert!(requests[1].line.starts_with("POST /ghost/api/admin/posts/ "), "{}", requests[1].line);
        let made = &requests[1].json()["posts"][0];
        assert_eq!(
            (made["status"].as_str(), made["title"].as_str()),
            (Some("published"), Some("Online shop: payments fail"))
        );
        let slug = made["slug"].as_str().unwrap();
        let digits = slug.strip_prefix("2026-11-23-").unwrap_or_else(|| panic!("{slug}"));
        assert!(
            digits.len() == 10 && digits.bytes().all(|one| one.is_ascii_hexdigit()),
            "no word of it: {slug}"
        );
        // The other side has it, as it was sent.
        let there = json!({"posts": [{"id": "6b0b", "slug": slug, "status": "published", "updated_at": "2026-11-23T02:13:20.000Z",
            "lexical": made["lexical"]}]});
        let (url, requests) = receiver(vec![json_answer("200 OK", &there.to_string())]).await;
        let remote = format!("6b0b {slug} {}", statement(2).delivery);
        assert_eq!(blog(&url).send(&statement(2)).await, Outcome::Accepted { remote_id: Some(remote) });
        let requests = requests.await;
        assert_eq!(requests.len(), 1);
        let asked =
            percent_encoding::percent_decode_str(&requests[0].line).decode_utf8().unwrap().into_owned();
        let filter = format!(
            "filter=slug:['{slug}','{slug}-2','{slug}-3','{slug}-4','{slug}-5']+status:[published,draft,scheduled,sent]&"
        );
        assert!(asked.starts_with("GET ") && asked.contains(&filter), "{asked}");
    }

    #[tokio::test]
    async fn each_attempt_shows_a_token_of_its_own_hour_and_never_the_key() {
        let (url, requests) = receiver(vec![json_answer("401 Unauthorized", fixture("key"))]).await;
        let outcome = blog(&url).send(&statement(1)).await;
        assert_eq!(
            outcome,
            Outcome::Refused { why: "answered 401 (INVALID_JWT)".into(), whole_channel: true }
        );
        let request = &requests.await[0];
        let shown = request.header("authorization");
        let token = shown.strip_prefix("Ghost ").unwrap();
        let (signed, _) = token.rsplit_once('.').unwrap();
        let now = statement(1).now.as_second();
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "6b0bd616cd32ab4b66413218"});
        let claims = json!({"iat": now, "exp": now + 240, "aud": "/admin/"});
        let whole = crypto::jwt_hs256(&[15; 32], &header.to_string(), &claims.to_string());
        assert!(whole.starts_with(signed) && whole == token, "{token}");
        assert_eq!(request.header("accept-version"), "v5.0");
    }

    #[tokio::test]
    async fn a_post_that_was_changed_meanwhile_is_read_again() {
        let found = fixture("found");
        let mut root = statement(1);
        let slug = "2026-11-23-online-shop-payments-fail-0123456789";
        root.thread_root = Some(format!("6b0bd616cd32ab4b66413219 {slug} {}", root.delivery));
        root.delivery = "f".repeat(32);
        let answers = vec![
            json_answer("200 OK", found),
            json_answer("409 Conflict", fixture("collision")),
            json_answer("200 OK", found),
            json_answer("409 Conflict", fixture("collision")),
            json_answer("200 OK", found),
            json_answer("404 Not Found", fixture("no_post")),
            json_answer("200 OK", fixture("none")),
            json_answer("200 OK", fixture("none")),
            json_answer("201 Created", fixture("created")),
        ];
        let (url, requests) = receiver(answers).await;
        let sent = blog(&url).send(&root).await;
        assert_eq!(sent.as_str(), "accepted", "{sent:?}");
        let requests = requests.await;
        let put = requests[1].json();
        assert_eq!(put["posts"][0]["updated_at"], "2026-11-29T07:36:54.000Z");
        let tree: Value = serde_json::from_str(put["posts"][0]["lexical"].as_str().unwrap()).unwrap();
        assert_eq!(tree["root"]["children"].as_array().unwrap().len(), 2);
        assert_eq!(requests[8].json()["posts"][0]["slug"], slug, "deleted meanwhile, it is begun again");
    }

    #[tokio::test]
    async fn a_post_of_another_form_and_one_that_is_hidden_stay_as_they_are() {
        let (url, _requests) =
            receiver(vec![json_answer("200 OK", &fixture("found").replace("published", "draft"))]).await;
        let mut next = statement(1);
        next.delivery = "f".repeat(32);
        let why = "somebody has taken the post of this incident from its readers".to_owned();
        assert_eq!(blog(&url).send(&next).await, Outcome::Refused { why, whole_channel: false });
        let old = json!({"posts": [{"id": "6b0b", "slug": "x", "status": "published", "updated_at": "x", "lexical": null}]});
        let (url, _requests) = receiver(vec![json_answer("200 OK", &old.to_string())]).await;
        let why = "the post of this incident has a form that is not ours any more".to_owned();
        assert_eq!(blog(&url).send(&next).await, Outcome::Refused { why, whole_channel: false });
    }

    #[tokio::test]
    async fn a_title_that_has_no_room_is_refused_before_anything_is_sent() {
        let mut long = statement(1);
        let said = long.statement.as_mut().unwrap();
        said.title = "é".repeat(246);
        let channel = blog("http://127.0.0.1:1");
        let shown = channel.shows(&long);
        assert_eq!((shown.size, shown.most, shown.fits()), (256, 255, false));
        let why = "its title has more than 255 characters".to_owned();
        assert_eq!(channel.send(&long).await, Outcome::Refused { why, whole_channel: false });
        let said = long.statement.as_mut().unwrap();
        said.title.pop();
        said.sort = Sort::Closing;
        assert_eq!(channel.shows(&long).size, 255, "what is over has no longer title than before");
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let said =
            |url: &str, key: &str| build(&KIND, &[("url", url)], &[("token", key)]).err().unwrap_or_default();
        let key = "6b0bd616cd32ab4b66413218:0f0f";
        assert_eq!(said("https://blog.example.net/", key), "");
        assert!(said("http://blog.example.net/", key).contains("https://"));
        for wrong in ["0f0f", "6b0b:", "6b0b:xyz", "6b0b:0", ":0f"] {
            let said = said("https://blog.example.net", wrong);
            assert!(said.contains("Admin API key") && !said.contains("0f0f"), "{wrong}: {said}");
        }
        let tags = [("url", "https://blog.example.net"), ("tags", "Status")];
        assert!(build(&KIND, &tags, &[("token", key)]).err().unwrap().contains("a list"));
    }
}
