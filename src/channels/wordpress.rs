//! WordPress: one post for each incident (`blog.rs`), by its REST API (`/wp-json/wp/v2/posts`) and an application password.
//!
//! The user needs to be an author and no more: one who may publish, and changes what is their own. WordPress looks through what such a
//! user sends, and would take away what is not usual in a post; each statement is a group of its editor (`wp:group`) with headings and
//! paragraphs, which stays as it is, also in the hands of people who edit the post. Shortcodes, smileys and embedded pages are made of
//! words only where marks stand as they are, and here they stand as numbers.
//!
//! Nothing here says whether a post was changed since it was read: after each write it is read once more. A slug that is taken is given
//! with `-2` behind it, without a word.
//!
//! Errors are `{"code": "rest_post_invalid_id", "message": ..., "data": {"status": 404}}`. 401 and 403 are the user's and so the whole
//! channel's; so is a 400 in whose details `rest_forbidden_status` stands, which is how a wrong password looks, and a 404 (`rest_no_route`, or none of WordPress: permalinks are "plain", or something before it keeps the API
//! shut), but for `rest_post_invalid_id`, which is a post that was deleted.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, bounded, encode, refused, strange, usual, word};
use super::blog::{self, Blog, Entry, Line, Post};
use super::client::Answer;
use super::statement::{Shown, Statement};
use super::{Channel, Fields, Key, Kind, Outcome, Parcel, Shared};

/// WordPress.
pub const KIND: Kind = Kind {
    name: "wordpress",
    keys: &[
        Key { name: "url", secret: false, required: true },
        Key { name: "user", secret: false, required: true },
        Key { name: "password", secret: true, required: true },
        Key { name: "categories", secret: false, required: false },
        Key { name: "tags", secret: false, required: false },
        Key { name: "private_addresses", secret: false, required: false },
    ],
    build: WordPress::build,
    address: None,
    status: true,
};

/// Where posts are.
const POSTS: &str = "/wp-json/wp/v2/posts";
/// Of a post, this is read, and nothing that grows with it twice.
const FIELDS: &str = "_fields=id,slug,status,modified_gmt,content.raw";
/// What a block begins and ends with.
const GROUP: &str = "<!-- wp:group";
const GROUP_END: &str = "<!-- /wp:group -->";
/// Most categories, and tags.
const TERMS_MAX: usize = 10;

/// One user on one blog.
pub struct WordPress {
    api: Api,
    secret: SecretString,
    /// `categories` and `tags`, each with the slugs that were written.
    terms: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Deserialize)]
struct Found {
    id: i64,
    slug: String,
    status: String,
    #[serde(default)]
    modified_gmt: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    raw: String,
}

#[derive(Deserialize)]
struct Made {
    id: i64,
    slug: String,
}

#[derive(Deserialize)]
struct Term {
    id: i64,
    slug: String,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
    #[serde(default)]
    data: Value,
}

impl WordPress {
    fn build(mut fields: Fields, shared: &Shared) -> Result<Channel, String> {
        let user = fields.texts.remove("user").unwrap_or_default();
        if user.is_empty() || user.contains(|letter: char| letter == ':' || letter.is_control()) {
            return Err("`user` is the name that the user of WordPress logs in with".into());
        }
        let secret = fields.secrets.remove("password").ok_or("`password_file` is missing")?;
        let mut terms = BTreeMap::new();
        for key in ["categories", "tags"] {
            if fields.texts.contains_key(key) {
                return Err(format!("`{key}` is a list, such as [\"status\"]"));
            }
            let slugs = fields.lists.remove(key).unwrap_or_default();
            let fits = |slug: &String| {
                !slug.is_empty() && !slug.contains(|letter: char| letter == ',' || letter.is_whitespace())
            };
            if slugs.len() > TERMS_MAX || !slugs.iter().all(fits) {
                return Err(format!(
                    "`{key}` has the slugs of {TERMS_MAX} {key} at most, as they stand in addresses"
                ));
            }
            terms.insert(key, slugs);
        }
        let api = Api::new(&mut fields, shared, "url", None)?;
        if !api.is_safe() {
            return Err("`url` begins with https:// (with `private_addresses = \"allow\"` also with http://): the password goes with \
                        every request"
                .into());
        }
        let api = api.basic(&user, &secret)?;
        Ok(Channel::WordPress(Self { api, secret, terms }))
    }

    /// Sends one letter.
    pub async fn send(&self, parcel: &Parcel) -> Outcome {
        bounded(blog::publish(self, parcel, self.secret.expose_secret().as_bytes())).await
    }

    /// How a statement is shown: there is room for any.
    pub(super) fn shows(&self, parcel: &Parcel) -> Shown {
        let Some(said) = &parcel.statement else { return Shown::whole(parcel.text.clone()) };
        Shown::whole(blog::plain(said))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Outcome> {
        self.api.exchange(method, path, body, &[]).await
    }

    /// The numbers of categories or tags.
    async fn numbers(&self, key: &'static str, slugs: &[String]) -> Result<Vec<i64>, Outcome> {
        let slugs_asked = slugs.iter().map(|slug| encode(slug)).collect::<Vec<_>>().join(",");
        let path = format!("/wp-json/wp/v2/{key}?slug={slugs_asked}&per_page=100&_fields=id,slug");
        let answer = self.ask(Method::GET, &path, None).await?;
        let found: Vec<Term> = read(&answer)?;
        let number = |slug: &String| found.iter().find(|term| term.slug == *slug).map(|term| term.id);
        slugs
            .iter()
            .map(|slug| {
                number(slug).ok_or_else(|| refused(&format!("it has no {slug} among its {key}"), true))
            })
            .collect()
    }
}

impl Blog for WordPress {
    async fn with_slugs(&self, slugs: &[&str]) -> Result<Vec<Post>, Outcome> {
        let slugs = slugs.iter().map(|slug| encode(slug)).collect::<Vec<_>>().join(",");
        let path = format!("{POSTS}?slug={slugs}&status=any&context=edit&{FIELDS}");
        let found: Vec<Found> = read(&self.ask(Method::GET, &path, None).await?)?;
        found.into_iter().map(Found::post).collect()
    }

    async fn with_id(&self, id: &str) -> Result<Option<Post>, Outcome> {
        let path = format!("{POSTS}/{}?context=edit&{FIELDS}", encode(id));
        let answer = self.ask(Method::GET, &path, None).await?;
        if is_no_post(&answer) {
            return Ok(None);
        }
        let found: Found = read(&answer)?;
        // In the trash it is as good as deleted, and has another slug.
        if found.status == "trash" { Ok(None) } else { found.post().map(Some) }
    }

    async fn create(&self, slug: &str, entry: &Entry<'_>) -> Result<(String, String), Outcome> {
        let mut body = json!({
            "status": "publish",
            "slug": slug,
            "title": blog::words(&blog::title(entry.said)),
            "content": block(entry),
        });
        for (key, slugs) in self.terms.iter().filter(|(_, slugs)| !slugs.is_empty()) {
            body[*key] = self.numbers(key, slugs).await?.into();
        }
        let answer = self.ask(Method::POST, &format!("{POSTS}?_fields=id,slug"), Some(&body)).await?;
        let made: Made = read(&answer)?;
        Ok((made.id.to_string(), made.slug))
    }

    async fn rewrite(&self, post: &Post, title: Option<&Statement>, content: &str) -> Result<bool, Outcome> {
        let mut body = json!({"content": content});
        if let Some(said) = title {
            body["title"] = blog::words(&blog::title(said)).into();
        }
        let path = format!("{POSTS}/{}?_fields=id,slug", encode(&post.id));
        let answer = self.ask(Method::POST, &path, Some(&body)).await?;
        if is_no_post(&answer) {
            return Ok(false);
        }
        read::<Made>(&answer).map(|_| true)
    }

    async fn remove(&self, id: &str) -> Result<(), Outcome> {
        // Into the trash, where people find it; some blogs have none.
        let path = format!("{POSTS}/{}?_fields=id", encode(id));
        let mut answer = self.ask(Method::DELETE, &path, None).await?;
        if answer.status == StatusCode::NOT_IMPLEMENTED {
            answer = self.ask(Method::DELETE, &format!("{path}&force=true"), None).await?;
        }
        if is_no_post(&answer) { Ok(()) } else { read::<Value>(&answer).map(|_| ()) }
    }

    fn put(&self, content: &str, entry: &Entry<'_>) -> Option<String> {
        let block = block(entry);
        Some(if content.trim().is_empty() { block } else { format!("{block}\n\n{content}") })
    }

    fn take(&self, content: &str, mark: &str) -> Option<String> {
        let at = content.find(&format!("id=\"{mark}\""))?;
        let begin = content.get(..at)?.rfind(GROUP)?;
        // Its own end, and not that of a group which somebody put into it.
        let (mut depth, mut end) = (0_u32, begin);
        loop {
            let rest = content.get(end..)?;
            let close = rest.find(GROUP_END)?;
            match rest.find(GROUP) {
                Some(open) if open < close => {
                    depth += 1;
                    end += open + GROUP.len();
                }
                _ => {
                    depth = depth.checked_sub(1)?;
                    end += close + GROUP_END.len();
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
        let (before, after) = (content.get(..begin)?, content.get(end..)?);
        let kept = [before.trim_end(), after.trim_start()].into_iter().filter(|part| !part.is_empty());
        let kept = kept.collect::<Vec<_>>().join("\n\n");
        (!blog::stands(&kept, mark) && end > at).then_some(kept)
    }
}

impl Found {
    fn post(self) -> Result<Post, Outcome> {
        // Without its words nothing can be put to them.
        let content = self.content.ok_or_else(|| strange("WordPress"))?.raw;
        Ok(Post {
            id: self.id.to_string(),
            slug: self.slug,
            is_public: self.status == "publish",
            changed: self.modified_gmt,
            content,
        })
    }
}

/// A statement, as the editor of WordPress keeps it.
fn block(entry: &Entry<'_>) -> String {
    let lines = entry.lines().into_iter().map(|line| match line {
        Line::Heading(words) => format!(
            "<!-- wp:heading {{\"level\":3}} -->\n<h3 class=\"wp-block-heading\">{words}</h3>\n<!-- /wp:heading -->"
        ),
        Line::Paragraph(words) => format!("<!-- wp:paragraph -->\n<p>{words}</p>\n<!-- /wp:paragraph -->"),
    });
    let lines = lines.collect::<Vec<_>>().join("\n\n");
    format!("{GROUP} -->\n<div id=\"{}\" class=\"wp-block-group\">{lines}</div>\n{GROUP_END}", entry.mark)
}

fn is_no_post(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE)
        && matches!(code(answer).as_deref(), Some("rest_post_invalid_id" | "rest_already_trashed"))
}

fn code(answer: &Answer) -> Option<String> {
    serde_json::from_slice::<Fault>(&answer.body).ok().map(|fault| fault.code)
}

/// What was answered, where that is what was asked for.
fn read<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<T, Outcome> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|_| strange("WordPress"));
    }
    let fault = serde_json::from_slice::<Fault>(&answer.body).ok();
    let details = fault.as_ref().and_then(|fault| fault.data.pointer("/details/status/code"));
    // Who is not believed is somebody who may not ask for drafts: that is all it says of a wrong password.
    if details.is_some_and(|code| code == "rest_forbidden_status") {
        return Err(refused("answered 400 (rest_forbidden_status): a wrong password, or no author", true));
    }
    let code = fault.as_ref().and_then(|fault| word(&fault.code));
    Err(usual(answer, &[401, 403, 404, 410], code))
}

#[cfg(test)]
mod tests {
    use super::super::stories::{UNIT, build, json_answer, receiver, statement};
    use super::*;

    fn fixture(name: &str) -> &'static str {
        let path = format!("{}/tests/fixtures/channels/wordpress/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().leak()
    }

    fn blog(url: &str) -> Channel {
        let texts = [("url", url), ("user", "onscene"), ("private_addresses", "allow")];
        build(&KIND, &texts, &[("password", "not a real one")]).unwrap()
    }

    #[tokio::test]
    async fn a_lost_answer_is_found_and_nothing_is_written_twice() {
        let (url, requests) = receiver(vec![json_answer("200 OK", "[]"), ""]).await;
        assert_eq!(blog(&url).send(&statement(1)).await.as_str(), "unknown");
        let requests = requests.await;
        assert!(
            requests[1].line.starts_with("POST /wp-json/wp/v2/posts?_fields=id,slug "),
            "{}",
            requests[1].line
        );
        let login = format!("Basic {}", crate::crypto::base64(b"onscene:not a real one"));
        assert_eq!(requests[1].header("authorization"), login);
        let made = requests[1].json();
        assert_eq!(
            (made["status"].as_str(), made["title"].as_str()),
            (Some("publish"), Some("Online shop&#058; payments fail"))
        );
        let slug = made["slug"].as_str().unwrap();
        // The other side has it, as it was sent.
        let there = json!([{"id": 17, "slug": slug, "status": "publish", "modified_gmt": "x", "content": {"raw": made["content"]}}]);
        let (url, requests) = receiver(vec![json_answer("200 OK", &there.to_string())]).await;
        let remote = format!("17 {slug} {}", statement(2).delivery);
        assert_eq!(blog(&url).send(&statement(2)).await, Outcome::Accepted { remote_id: Some(remote) });
        let requests = requests.await;
        let asked = format!(
            "GET /wp-json/wp/v2/posts?slug={slug},{slug}-2,{slug}-3,{slug}-4,{slug}-5&status=any&context=edit&_fields=id,slug,"
        );
        assert!(requests.len() == 1 && requests[0].line.starts_with(&asked), "{}", requests[0].line);
    }

    #[tokio::test]
    async fn what_is_written_over_meanwhile_is_written_again_and_not_for_ever() {
        let mut next = statement(1);
        next.delivery = "f".repeat(32);
        let made = json_answer("200 OK", r#"{"id": 4, "slug": "x"}"#);
        let found = json_answer("200 OK", fixture("found"));
        let one: Value = serde_json::from_str(fixture("found")).unwrap();
        let one = json_answer("200 OK", &one[0].to_string());
        // It is found, written, and then not there: four times.
        let (url, requests) = receiver([found, made, one].repeat(4)).await;
        let why = "somebody else writes the same post at the same time".to_owned();
        assert_eq!(blog(&url).send(&next).await, Outcome::Unknown { why });
        let requests = requests.await;
        let content = requests[1].json()["content"].as_str().unwrap().to_owned();
        assert!(
            content.ends_with("<!-- /wp:group -->") && content.matches("<!-- wp:group -->").count() == 2,
            "{content}"
        );
        assert_eq!(requests[1].body, requests[10].body);
    }

    #[tokio::test]
    async fn a_password_that_is_wrong_looks_like_a_parameter_that_is() {
        for (status, body, why) in [
            (
                "400 Bad Request",
                "password",
                "answered 400 (rest_forbidden_status): a wrong password, or no author",
            ),
            ("401 Unauthorized", "cannot_create", "answered 401 (rest_cannot_create)"),
            ("404 Not Found", "no_route", "answered 404 (rest_no_route)"),
        ] {
            let (url, _requests) = receiver(vec![json_answer(status, fixture(body))]).await;
            let refused = Outcome::Refused { why: why.into(), whole_channel: true };
            assert_eq!(blog(&url).send(&statement(1)).await, refused);
        }
    }

    #[tokio::test]
    async fn after_a_write_nothing_is_certainly_not_written() {
        let mut next = statement(1);
        next.delivery = "f".repeat(32);
        let made = json_answer("200 OK", r#"{"id": 4, "slug": "x"}"#);
        let shut = json_answer("403 Forbidden", "<html>too many requests</html>");
        let (url, _requests) = receiver(vec![json_answer("200 OK", fixture("found")), made, shut]).await;
        assert_eq!(blog(&url).send(&next).await, Outcome::Unknown { why: "answered 403".into() });
    }

    #[tokio::test]
    async fn a_category_that_is_not_there_holds_the_post_back() {
        let terms = format!("status{UNIT}nosuch");
        let build_with = |url: &str| {
            let texts = [
                ("url", url),
                ("user", "onscene"),
                ("categories", terms.as_str()),
                ("private_addresses", "allow"),
            ];
            build(&KIND, &texts, &[("password", "not a real one")]).unwrap()
        };
        let (url, requests) =
            receiver(vec![json_answer("200 OK", "[]"), json_answer("200 OK", fixture("terms"))]).await;
        let refused =
            Outcome::Refused { why: "it has no nosuch among its categories".into(), whole_channel: true };
        assert_eq!(build_with(&url).send(&statement(1)).await, refused);
        assert_eq!(requests.await.len(), 2);
    }

    #[test]
    fn what_cannot_work_is_said_when_it_is_built() {
        let said = |texts: &[(&str, &str)]| {
            build(&KIND, texts, &[("password", "not a real one")]).err().unwrap_or_default()
        };
        let (url, user) = (("url", "https://blog.example.net/"), ("user", "onscene"));
        assert_eq!(said(&[url, user]), "");
        assert!(said(&[("url", "http://blog.example.net"), user]).contains("https://"));
        assert!(said(&[url, ("user", "on:scene")]).contains("`user`"));
        assert!(said(&[url, user, ("tags", "status")]).contains("a list"));
        assert!(said(&[url, user, ("tags", &format!("a{UNIT}b c"))]).contains("slugs"));
    }
}
