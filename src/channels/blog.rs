//! One post for each incident, on a blog that somebody else runs: the first statement makes it, each further one is put on top.
//!
//! The other side knows no key by which it would recognise a repeat, and a channel knows nothing but its parcel. So every attempt
//! looks first. The post of an incident is found by its slug, which every attempt makes alike, or by its id; and each statement
//! stands there in an element of its own, whose `id` is the delivery: readers do not see it, and editors keep it. What is there
//! is not written again. After a write the post is read once more: who wrote at the same time may have written over it.
//!
//! A create that was believed lost may be done late, beside the one that took its place. The other side then gives it the slug with
//! `-2` behind it; such a twin is removed as soon as it is seen, by whoever made it or by the next statement. It holds the one
//! statement that it was made of, which stands in the post as well, or was taken back since.
//!
//! A retraction takes the element of its statement away in the same write that adds its own text. Older versions that the other side
//! keeps for its editors are theirs to remove.

use super::api::refused;
use super::statement::{Statement, unseen};
use super::tries::unwanted;
use super::{Outcome, Parcel};
use crate::core::voice::{Phase, Sort};
use crate::crypto;

/// How often an attempt looks and writes when somebody else writes meanwhile.
const TRIES_MAX: u32 = 4;
/// Hexadecimal digits that make a slug unlike any other.
const SLUG_HASH_DIGITS: usize = 10;
/// What the other side puts behind a slug that is taken, and taken again.
const TWINS: [&str; 4] = ["-2", "-3", "-4", "-5"];
/// Stands before the delivery in the `id` of an element.
const MARK: &str = "update-";
/// How long a delivery's id is.
const DELIVERY_BYTES: usize = 32;
/// What the title of an incident that is over begins with.
pub(super) const OVER: &str = "Resolved: ";
/// What is said where readers cannot read the post any more.
const HIDDEN: &str = "somebody has taken the post of this incident from its readers";
/// What is said to a letter that is no statement.
const STATEMENTS_ONLY: &str = "this channel publishes statements, and nothing else";

/// A post as it is now.
#[derive(Clone, Debug)]
pub(super) struct Post {
    /// The other side's number for it.
    pub(super) id: String,
    /// The end of its address.
    pub(super) slug: String,
    /// Whether its readers can read it.
    pub(super) is_public: bool,
    /// When it was changed last, in the words of the other side.
    pub(super) changed: String,
    /// What stands in it, in the form in which the other side keeps it.
    pub(super) content: String,
}

/// A place that has posts.
pub(super) trait Blog {
    /// The posts that have one of these slugs.
    async fn with_slugs(&self, slugs: &[&str]) -> Result<Vec<Post>, Outcome>;
    /// The post with this id.
    async fn with_id(&self, id: &str) -> Result<Option<Post>, Outcome>;
    /// Makes a post of one entry; its id, and the slug that it was given.
    async fn create(&self, slug: &str, entry: &Entry<'_>) -> Result<(String, String), Outcome>;
    /// Writes a post anew; `false` when somebody else has done so meanwhile, or it is not there any more.
    async fn rewrite(&self, post: &Post, title: Option<&Statement>, content: &str) -> Result<bool, Outcome>;
    /// Removes a post, with everything that is in it.
    async fn remove(&self, id: &str) -> Result<(), Outcome>;
    /// The content with an entry on top; `None` when it has a form that we do not know.
    fn put(&self, content: &str, entry: &Entry<'_>) -> Option<String>;
    /// The content without the element that has this mark; `None` when it has a form that we do not know.
    fn take(&self, content: &str, mark: &str) -> Option<String>;
}

/// One statement as it stands in a post.
pub(super) struct Entry<'a> {
    /// The statement.
    pub(super) said: &'a Statement,
    /// The `id` of its element.
    pub(super) mark: String,
    /// The `id` of the element that it corrects, where that is in the same post.
    corrects: Option<String>,
}

/// A line of an entry.
pub(super) enum Line {
    /// What the entry is.
    Heading(String),
    /// Words, as HTML.
    Paragraph(String),
}

impl<'a> Entry<'a> {
    fn new(parcel: &Parcel, said: &'a Statement) -> Self {
        Self { said, mark: format!("{MARK}{}", parcel.delivery), corrects: None }
    }

    /// What stands in its element.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Heading(words(&heading(self.said)))];
        if let Some((verb, when)) = mends(self.said) {
            let when = words(&when);
            let when = match &self.corrects {
                Some(mark) => format!("<a href=\"#{mark}\">{when}</a>"),
                None => when,
            };
            lines.push(Line::Paragraph(format!("{}{when}", words(verb))));
        }
        if let Some(affected) = affected(self.said) {
            lines.push(Line::Paragraph(words(&affected)));
        }
        let paragraphs = paragraphs(&self.said.text).map(|lines| {
            let lines: Vec<String> = lines.iter().map(|line| words(line)).collect();
            Line::Paragraph(lines.join("<br>"))
        });
        lines.extend(paragraphs);
        lines
    }
}

/// The title of a post: readers of a list see that it is over.
pub(super) fn title(said: &Statement) -> String {
    let over = if is_over(said) { OVER } else { "" };
    format!("{over}{}", one_line(&said.title))
}

/// What readers see of a statement.
pub(super) fn plain(said: &Statement) -> String {
    let mends = mends(said).map(|(verb, when)| format!("{verb}{when}"));
    let blocks = [title(said), heading(said)].into_iter().chain(mends).chain(affected(said));
    let text = paragraphs(&said.text).map(|lines| lines.join("\n"));
    blocks.chain(text).collect::<Vec<_>>().join("\n\n")
}

fn is_over(said: &Statement) -> bool {
    said.sort == Sort::Closing || said.phase == Phase::Resolved
}

fn hour(at: jiff::Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

fn heading(said: &Statement) -> String {
    let what = match said.sort {
        Sort::Correction => "Correction",
        Sort::Retraction => "Retraction",
        _ if is_over(said) => Phase::Resolved.title(),
        _ => said.phase.title(),
    };
    format!("{what} – {}", hour(said.at))
}

fn mends(said: &Statement) -> Option<(&'static str, String)> {
    let verb = match said.sort {
        Sort::Correction => "Corrects: ",
        Sort::Retraction => "Takes back: ",
        _ => return None,
    };
    Some((verb, hour(said.mends.as_ref()?.at)))
}

fn affected(said: &Statement) -> Option<String> {
    let components: Vec<String> = said.components.iter().map(|one| one_line(one)).collect();
    (!components.is_empty()).then(|| format!("Affected: {}", components.join(", ")))
}

fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Its paragraphs, each with its lines.
fn paragraphs(text: &str) -> impl Iterator<Item = Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.lines().map(one_line) {
        match found.last_mut() {
            Some(last) if !line.is_empty() => last.push(line),
            Some(last) if last.is_empty() => {}
            _ => found.push(Vec::new()),
        }
    }
    found.into_iter().filter(|lines| !lines.is_empty())
}

/// Plain words as HTML in which nothing is more than a word. Marks of every kind are written by their numbers, and not only those that
/// HTML knows: blogs make curly quotes, smileys, short codes and embedded pages out of others.
pub(super) fn words(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let plain = match letter {
            '.' => before != '.' && next != '.',
            ',' => true,
            // 3x4 would become a product.
            'x' => !(before.is_ascii_digit() && next.is_ascii_digit()),
            letter => !letter.is_ascii_punctuation(),
        };
        match letter {
            letter if letter.is_control() => html.push(' '),
            letter if plain => html.push(letter),
            // Three digits, as WordPress writes them when it looks through what somebody sent.
            letter => html.push_str(&format!("&#{:03};", u32::from(letter))),
        }
        before = letter;
    }
    html
}

/// The end of the address of an incident's post: the day, and digits that nobody can make or read without the channel's secret. Nothing
/// in it tells the incident's number, and every statement of an incident makes the same one. No word stands in it, for an address is
/// what readers, feeds and search engines keep: a title that is taken back would stand there for good.
pub(super) fn slug(parcel: &Parcel, said: &Statement, secret: &[u8]) -> String {
    let day = said.began.strftime("%Y-%m-%d").to_string();
    let number = parcel.incident.to_string();
    let parts = ["onscene: slug of a post\n", &number, "\n", &day];
    let hash = crypto::hex(&crypto::hmac_sha256(secret, &parts.map(str::as_bytes)));
    let hash = hash.get(..SLUG_HASH_DIGITS).unwrap_or_default();
    format!("{day}-{hash}")
}

/// Where a statement stands: the id of a post, its slug, and the delivery.
struct Handle<'a> {
    id: &'a str,
    slug: &'a str,
    mark: String,
}

impl<'a> Handle<'a> {
    /// Reads what [`remote`] wrote.
    fn read(remote: &'a str) -> Option<Self> {
        let mut parts = remote.split(' ');
        let (id, slug, delivery) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && !id.is_empty() && crypto::is_id(delivery);
        whole.then(|| Self { id, slug, mark: format!("{MARK}{delivery}") })
    }
}

fn remote(id: &str, slug: &str, parcel: &Parcel) -> Outcome {
    Outcome::Accepted { remote_id: Some(format!("{id} {slug} {}", parcel.delivery)) }
}

/// Every mark in a content: what stands as the `id` of an element, also where the content is a text in JSON. A correction names the mark
/// of another in a link, and that is none.
fn marks(content: &str) -> impl Iterator<Item = &str> {
    content.split(MARK).zip(content.match_indices(MARK)).filter_map(|(before, (at, _))| {
        let is_id = before.ends_with("id=\"") || before.ends_with("id=\\\"");
        let mark = content.get(at..at + MARK.len() + DELIVERY_BYTES)?;
        (is_id && crypto::is_id(mark.get(MARK.len()..)?)).then_some(mark)
    })
}

/// Whether the element with a mark stands in a content.
pub(super) fn stands(content: &str, mark: &str) -> bool {
    marks(content).any(|one| one == mark)
}

/// Publishes a statement. `secret` is the channel's own.
pub(super) async fn publish(blog: &impl Blog, parcel: &Parcel, secret: &[u8]) -> Outcome {
    let Some(said) = &parcel.statement else { return refused(STATEMENTS_ONLY, false) };
    attempt(blog, parcel, said, secret).await.unwrap_or_else(|outcome| outcome)
}

/// `Err` is an outcome as well: what kept it from going on.
async fn attempt(
    blog: &impl Blog,
    parcel: &Parcel,
    said: &Statement,
    secret: &[u8],
) -> Result<Outcome, Outcome> {
    let mut entry = Entry::new(parcel, said);
    let mended = said.mends.as_ref().and_then(|mended| Handle::read(mended.remote_id.as_deref()?));
    let gone = mended.as_ref().filter(|_| said.sort == Sort::Retraction);
    if parcel.only_look {
        let found = find(blog, parcel, said, secret).await.map_err(unseen)?;
        let mut all = found.post.into_iter().chain(found.others);
        let there = all.find(|post| stands(&post.content, &entry.mark));
        return Ok(there.map_or_else(unwanted, |post| remote(&post.id, &post.slug, parcel)));
    }
    // What an attempt before may have written is there until it was looked for.
    let looked = |outcome| if parcel.may_be_there() { unseen(outcome) } else { outcome };
    let mut wrote = false;
    for _ in 0..TRIES_MAX {
        let done = |outcome| if wrote { unsure(outcome) } else { outcome };
        let found = find(blog, parcel, said, secret).await.map_err(|outcome| done(looked(outcome)))?;
        let Some(post) = found.post else {
            if let Some(gone) = gone {
                take_back(blog, gone, None).await.map_err(done)?;
            }
            match create(blog, &found.slug, &entry).await? {
                Some((id, slug)) => return Ok(remote(&id, &slug, parcel)),
                None => continue,
            }
        };
        if let Some(gone) = gone {
            take_back(blog, gone, Some(&post.id)).await.map_err(done)?;
        }
        if !post.is_public {
            return Err(done(refused(HIDDEN, false)));
        }
        entry.corrects =
            mended.as_ref().map(|mended| mended.mark.clone()).filter(|mark| stands(&post.content, mark));
        if let Some(content) = changed(blog, &post.content, &entry, gone)? {
            if !blog.rewrite(&post, Some(said), &content).await.map_err(done)? {
                continue;
            }
            wrote = true;
            let read = blog.with_id(&post.id).await.map_err(unsure)?;
            if !read.is_some_and(|read| is_done(&read.content, &entry, gone)) {
                continue;
            }
        }
        for twin in &found.others {
            remove_twin(blog, twin, said).await?;
        }
        return Ok(remote(&post.id, &post.slug, parcel));
    }
    Err(Outcome::Unknown { why: "somebody else writes the same post at the same time".into() })
}

/// The content with the entry and without what is taken back; `None` when it is like that already.
fn changed(
    blog: &impl Blog,
    content: &str,
    entry: &Entry<'_>,
    gone: Option<&Handle<'_>>,
) -> Result<Option<String>, Outcome> {
    if is_done(content, entry, gone) {
        return Ok(None);
    }
    let unknown = || refused("the post of this incident has a form that is not ours any more", false);
    let mut content = content.to_owned();
    if let Some(gone) = gone.filter(|gone| stands(&content, &gone.mark)) {
        content = blog.take(&content, &gone.mark).ok_or_else(unknown)?;
    }
    if !stands(&content, &entry.mark) {
        content = blog.put(&content, entry).ok_or_else(unknown)?;
    }
    Ok(Some(content))
}

fn is_done(content: &str, entry: &Entry<'_>, gone: Option<&Handle<'_>>) -> bool {
    stands(content, &entry.mark) && !gone.is_some_and(|gone| stands(content, &gone.mark))
}

/// What there is of an incident.
struct Found {
    /// Its slug, for a post that has yet to be made.
    slug: String,
    post: Option<Post>,
    /// Posts whose slug had to differ, and that hold one statement at most: nothing was put to them since they were made.
    others: Vec<Post>,
}

async fn find(blog: &impl Blog, parcel: &Parcel, said: &Statement, secret: &[u8]) -> Result<Found, Outcome> {
    let own = slug(parcel, said, secret);
    let root = parcel.thread_root.as_deref().and_then(Handle::read);
    let slug = root.as_ref().map_or(own.as_str(), |root| root.slug);
    let twins = TWINS.map(|end| format!("{slug}{end}"));
    let slugs: Vec<&str> = std::iter::once(slug).chain(twins.iter().map(String::as_str)).collect();
    let mut posts = blog.with_slugs(&slugs).await?;
    let is_root = |post: &Post| root.as_ref().is_some_and(|root| root.id == post.id);
    if let Some(root) = &root
        && !posts.iter().any(is_root)
    {
        // Somebody may have given it another address.
        posts.extend(blog.with_id(root.id).await?);
    }
    let held = |post: &Post| marks(&post.content).count();
    let rank = |post: &Post| (is_root(post), held(post), post.slug == slug);
    posts.sort_by_key(|post| std::cmp::Reverse(rank(post)));
    let mut posts = posts.into_iter();
    let post = posts.next();
    let others = posts.filter(|post| held(post) == 1).collect();
    Ok(Found { slug: slug.to_owned(), post, others })
}

/// Removes a post that should not have been made. Whoever may not do so has published all the same; but what is taken back must not
/// stand there either.
async fn remove_twin(blog: &impl Blog, twin: &Post, said: &Statement) -> Result<(), Outcome> {
    match blog.remove(&twin.id).await {
        Err(Outcome::Refused { .. }) if said.sort != Sort::Retraction => Ok(()),
        removed => removed.map_err(unsure),
    }
}

/// Makes the post of an incident; `None` when somebody was there first, who may have been an attempt of ours.
async fn create(
    blog: &impl Blog,
    slug: &str,
    entry: &Entry<'_>,
) -> Result<Option<(String, String)>, Outcome> {
    let (id, given) = blog.create(slug, entry).await?;
    if given != slug && blog.with_slugs(&[slug]).await.map_err(unsure)?.iter().any(|other| other.id != id) {
        blog.remove(&id).await.map_err(unsure)?;
        return Ok(None);
    }
    Ok(Some((id, given)))
}

/// What it means that something went wrong after a write.
fn unsure(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Wait { why, .. } | Outcome::Refused { why, .. } => Outcome::Unknown { why },
        other => other,
    }
}

/// Takes a statement out of a post that is not the incident's own any more.
async fn take_back(blog: &impl Blog, gone: &Handle<'_>, own: Option<&str>) -> Result<(), Outcome> {
    if own == Some(gone.id) {
        return Ok(());
    }
    for _ in 0..TRIES_MAX {
        let post = blog.with_id(gone.id).await?;
        let Some(post) = post.filter(|post| stands(&post.content, &gone.mark)) else { return Ok(()) };
        let content = blog.take(&post.content, &gone.mark).ok_or_else(|| {
            refused("the post that it stands in has a form that is not ours any more", false)
        })?;
        blog.rewrite(&post, None, &content).await?;
    }
    Err(Outcome::Unknown { why: "somebody else writes the same post at the same time".into() })
}
