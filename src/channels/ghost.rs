//! Ghost: one post for each incident ([`blog`](super::blog)), by its Admin API (`/ghost/api/admin/posts/`) and the key of a custom
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
struct Visit<'a> {
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
        if let Some(said) = &parcel.statement
            && !self.shows(said).fits()
        {
            let why = format!("its title has more than {TITLE_CHARS_MAX} characters");
            return super::api::refused(&why, false);
        }
        let visit = Visit { ghost: self, authorization: self.token(parcel.now).into() };
        bounded(blog::publish(&visit, parcel, self.secret.expose_secret())).await
    }

    /// How a statement is shown. Only its title has a limit: with what it begins with when it is over, for that is said as well.
    pub(super) fn shows(&self, said: &Statement) -> Shown {
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
    kind(answer).is_some_and(|kind| kind == name)
}

/// What Ghost calls its error.
fn kind(answer: &Answer) -> Option<String> {
    let faults = serde_json::from_slice::<Faults>(&answer.body).ok()?;
    faults.errors.into_iter().next().map(|fault| fault.kind)
}

/// The posts that were answered.
fn read(answer: &Answer) -> Result<Vec<Found>, Outcome> {
    if answer.status.is_success() {
        let answered = serde_json::from_slice::<Answered>(&answer.body);
        return answered.map(|answered| answered.posts).map_err(|_| strange("Ghost"));
    }
    let kind = kind(answer);
    Err(usual(answer, &[401, 403, 404, 410], kind.as_deref().and_then(word)))
}
