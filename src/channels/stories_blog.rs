//! Stories of blogs whose answers are lost, before or after what was asked is done, and of people who write at the same time: a model
//! of a server, in which chance plays, under the code that speaks to the real ones.

use std::cell::RefCell;

use super::blog::{Blog, Entry, Post, publish, stands, title};
use super::stories::{build, statement};
use super::*;
use crate::core::voice::{Phase, Sort};

/// Seeds that are played; each is an incident.
const SEEDS: u64 = 4_000;
/// What is done in vain before somebody would be told.
const ATTEMPTS_MAX: u32 = 60;

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn is(&mut self, percent: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 100 < percent
    }
}

/// What the server has yet to do, although nobody waits for it any more.
enum Late {
    Create { slug: String, title: String, content: String },
    Rewrite { id: String, changed: String, title: Option<String>, content: String },
}

struct Kept {
    post: Post,
    title: String,
}

struct Server {
    posts: Vec<Kept>,
    made: u32,
    changes: u32,
    late: Vec<Late>,
    dice: Dice,
    /// No more comes late, and nobody else writes.
    is_calm: bool,
    /// Lines that people wrote into a post.
    by_hand: u32,
}

/// A server, in the form of one kind, and whether it says that a post was changed meanwhile.
struct Model<'a, B> {
    form: &'a B,
    collides: bool,
    server: RefCell<Server>,
}

fn lost<T>() -> Result<T, Outcome> {
    Err(Outcome::Unknown { why: "the connection was lost".into() })
}

impl Server {
    fn create(&mut self, slug: &str, title: String, content: String) -> (String, String) {
        let taken = |slug: &str| self.posts.iter().any(|kept| kept.post.slug == slug);
        let names = (2..).map(|number| format!("{slug}-{number}"));
        let slug = std::iter::once(slug.to_owned()).chain(names).find(|slug| !taken(slug)).unwrap();
        self.made += 1;
        self.changes += 1;
        let (id, changed) = (self.made.to_string(), self.changes.to_string());
        let post = Post { id: id.clone(), slug: slug.clone(), is_public: true, changed, content };
        self.posts.push(Kept { post, title });
        (id, slug)
    }

    fn rewrite(&mut self, id: &str, changed: Option<&str>, title: Option<String>, content: String) -> bool {
        let Some(kept) = self.posts.iter_mut().find(|kept| kept.post.id == id) else { return false };
        if changed.is_some_and(|changed| changed != kept.post.changed) {
            return false;
        }
        self.changes += 1;
        kept.post.changed = self.changes.to_string();
        kept.post.content = content;
        kept.title = title.unwrap_or_else(|| kept.title.clone());
        true
    }

    /// What comes late is done now.
    fn catch_up(&mut self, collides: bool) {
        for late in std::mem::take(&mut self.late) {
            match late {
                Late::Create { slug, title, content } => {
                    self.create(&slug, title, content);
                }
                Late::Rewrite { id, changed, title, content } => {
                    self.rewrite(&id, collides.then_some(changed.as_str()), title, content);
                }
            }
        }
    }
}

impl<B: Blog> Model<'_, B> {
    /// Whether an answer is lost, before what was asked is done or after it.
    fn chance(&self) -> (bool, bool) {
        let mut server = self.server.borrow_mut();
        let late = server.dice.is(30) && !server.is_calm;
        if late {
            server.catch_up(self.collides);
        }
        // Somebody adds a line by hand; where nothing says so, it can only be looked for that ours is there.
        if self.collides && !server.is_calm && server.dice.is(5) && !server.posts.is_empty() {
            let post = server.posts[0].post.clone();
            let content = by_hand(&post.content);
            server.by_hand += 1;
            server.rewrite(&post.id, None, None, content);
        }
        (server.dice.is(12), server.dice.is(12))
    }

    fn find(&self, is_wanted: impl Fn(&Post) -> bool) -> Result<Vec<Post>, Outcome> {
        let (before, after) = self.chance();
        if before || after {
            return lost();
        }
        let server = self.server.borrow();
        Ok(server.posts.iter().map(|kept| kept.post.clone()).filter(is_wanted).collect())
    }
}

fn by_hand(content: &str) -> String {
    let mut tree: serde_json::Value = serde_json::from_str(content).unwrap();
    let own = serde_json::json!({"type": "html", "version": 1, "html": "<p>By hand.</p>"});
    tree["root"]["children"].as_array_mut().unwrap().push(own);
    tree.to_string()
}

impl<B: Blog> Blog for Model<'_, B> {
    async fn with_slugs(&self, slugs: &[&str]) -> Result<Vec<Post>, Outcome> {
        self.find(|post| slugs.contains(&post.slug.as_str()))
    }

    async fn with_id(&self, id: &str) -> Result<Option<Post>, Outcome> {
        Ok(self.find(|post| post.id == id)?.pop())
    }

    async fn create(&self, slug: &str, entry: &Entry<'_>) -> Result<(String, String), Outcome> {
        let content = self.form.put(if self.collides { EMPTY_TREE } else { "" }, entry).unwrap_or_default();
        let (before, after) = self.chance();
        let mut server = self.server.borrow_mut();
        let title = title(entry.said);
        if before {
            if server.dice.is(50) && !server.is_calm {
                server.late.push(Late::Create { slug: slug.into(), title, content });
            }
            return lost();
        }
        let made = server.create(slug, title, content);
        if after { lost() } else { Ok(made) }
    }

    async fn rewrite(&self, post: &Post, said: Option<&Statement>, content: &str) -> Result<bool, Outcome> {
        let (before, after) = self.chance();
        let mut server = self.server.borrow_mut();
        let title = said.map(title);
        if before {
            // Where nothing says that a post was changed, one that is done late undoes what came later: that cannot be helped.
            if self.collides && server.dice.is(50) && !server.is_calm {
                let (id, changed) = (post.id.clone(), post.changed.clone());
                server.late.push(Late::Rewrite { id, changed, title, content: content.into() });
            }
            return lost();
        }
        let changed = self.collides.then_some(post.changed.as_str());
        let done = server.rewrite(&post.id, changed, title, content.into());
        if after { lost() } else { Ok(done) }
    }

    async fn remove(&self, id: &str) -> Result<(), Outcome> {
        let (before, after) = self.chance();
        if before {
            return lost();
        }
        self.server.borrow_mut().posts.retain(|kept| kept.post.id != id);
        if after { lost() } else { Ok(()) }
    }

    fn put(&self, content: &str, entry: &Entry<'_>) -> Option<String> {
        self.form.put(content, entry)
    }

    fn take(&self, content: &str, mark: &str) -> Option<String> {
        self.form.take(content, mark)
    }
}

/// What Ghost keeps of a post without a word; of WordPress it would be nothing at all.
const EMPTY_TREE: &str = r#"{"root":{"children":[],"type":"root","version":1}}"#;

/// The statements of an incident: one is corrected, the same or another is taken back, and it is over.
const TOLD: [Sort; 6] =
    [Sort::Holding, Sort::Update, Sort::Correction, Sort::Update, Sort::Retraction, Sort::Closing];

/// What the incident is called until it is taken back.
const WRONG: &str = "Acme's order 4711 fails";

async fn play<B: Blog>(form: &B, collides: bool, seed: u64) {
    let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let server =
        Server { posts: Vec::new(), made: 0, changes: 0, late: Vec::new(), dice, is_calm: false, by_hand: 0 };
    let model = Model { form, collides, server: RefCell::new(server) };
    let (mut root, mut sent) = (None::<String>, Vec::<(String, Option<String>)>::new());
    for (number, sort) in TOLD.into_iter().enumerate() {
        let mut parcel = statement(1);
        parcel.delivery = crate::crypto::hex(&crate::crypto::sha256(number.to_string().as_bytes())[..16]);
        parcel.thread_root = root.clone();
        let said = parcel.statement.as_mut().unwrap();
        said.sort = sort;
        said.phase = if sort == Sort::Closing { Phase::Resolved } else { Phase::Identified };
        said.text = format!("Statement number {number}.");
        if number < 4 {
            // It goes with the first statement that is taken back.
            WRONG.clone_into(&mut said.title);
        }
        if matches!(sort, Sort::Correction | Sort::Retraction) {
            let remote_id = sent[1].1.clone();
            said.mends = Some(statement::Mended { id: "42-2".into(), at: said.began, remote_id });
        }
        if sort == Sort::Closing {
            let mut server = model.server.borrow_mut();
            server.catch_up(collides);
            server.is_calm = true;
        }
        let mut remote = None;
        for attempt in 1..=ATTEMPTS_MAX {
            parcel.attempt = attempt;
            match publish(&model, &parcel, b"a secret").await {
                Outcome::Accepted { remote_id } => {
                    remote = remote_id;
                    break;
                }
                Outcome::Unknown { .. } => {}
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        assert!(remote.is_some(), "seed {seed}: it never arrived");
        root = root.or_else(|| remote.clone());
        sent.push((format!("update-{}", parcel.delivery), remote));
    }
    let server = model.server.into_inner();
    assert_eq!(server.posts.len(), 1, "seed {seed}: there are twins");
    let post = &server.posts[0];
    let content = &post.post.content;
    for (number, (mark, _)) in sent.iter().enumerate() {
        let taken_back = number == 1;
        assert_eq!(stands(content, mark), !taken_back, "seed {seed}: {number} in {content}");
        let times = content.matches(&format!("Statement number {number}&")).count()
            + content.matches(&format!("Statement number {number}.")).count();
        assert_eq!(times, usize::from(!taken_back), "seed {seed}: {number} in {content}");
    }
    assert_eq!(post.title, "Resolved: Online shop: payments fail", "seed {seed}");
    let slug = &post.post.slug;
    assert!(!slug.contains("acme") && slug.starts_with("2026-11-23-"), "seed {seed}: it stands in {slug}");
    assert_eq!(content.matches("By hand.").count(), server.by_hand as usize, "seed {seed}: {content}");
}

#[tokio::test]
async fn whatever_is_lost_each_statement_stands_once_and_what_is_taken_back_nowhere() {
    let texts = [("url", "https://blog.example.net"), ("user", "onscene")];
    let wordpress = build(&wordpress::KIND, &texts, &[("password", "not a real one")]).unwrap();
    let key = "6b0bd616cd32ab4b66413218:0f0f";
    let ghost = build(&ghost::KIND, &texts[..1], &[("token", key)]).unwrap();
    let (Channel::WordPress(wordpress), Channel::Ghost(ghost)) = (&wordpress, &ghost) else {
        panic!("two blogs")
    };
    let visit = ghost.visit(Timestamp::UNIX_EPOCH);
    for seed in 1..=SEEDS {
        play(wordpress, false, seed).await;
        play(&visit, true, seed).await;
    }
}
