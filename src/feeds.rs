//! Fetches the calendars that rotations follow, again and again.
//!
//! Reads: their addresses, or files. Writes: what they say, through the door, so that every node knows it and the last good
//! copy outlives whatever happens to the calendar: an answer that is no calendar, or says nothing of anybody, never takes its
//! place. Woken by its own hour, and when the configuration is read again. Every node asks for itself, with what it knows of
//! the last answer (`ETag`), and reads the whole calendar each time, because what repeats goes on with the hour.
//!
//! It keeps no secret in what it says: an address may be one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::calendar::read::BYTES_MAX;
use crate::calendar::turns::{self, Read};
use crate::channels::client::{Client, Fetched, Reach};
use crate::clock::Clock;
use crate::commit::{CalendarSaid, Command, Door};
use crate::config::{FeedConfig, FeedPlace, feed_address};
use crate::core::oncall::Turn;
use crate::core::rules::Rules;
use crate::crypto;
use crate::house::{Current, House};
use crate::store::calendars::Kept;

/// Looks so often whether a calendar is to be asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For one answer, whole.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// After a calendar could not be read, or not kept, it is asked for again so soon, and each time twice as late.
const AGAIN: Duration = Duration::from_secs(30);
/// Most redirects that are followed, to the same host.
const REDIRECTS_MAX: usize = 3;
/// A calendar that names nobody for so long is told.
const SILENT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Fetches calendars.
pub struct Feeds {
    /// Where what they say goes.
    pub door: Door,
    /// Which there are.
    pub house: Arc<Current>,
    /// The hour.
    pub clock: Clock,
    /// Asks for them.
    pub client: Client,
    /// What this process knows of them, for when the store is away.
    pub last: Arc<Last>,
    known: BTreeMap<String, Known>,
    of: Option<Arc<House>>,
}

/// What calendars said last, as far as this process knows.
#[derive(Debug, Default)]
pub struct Last(Mutex<BTreeMap<String, Arc<Vec<Turn>>>>);

impl Last {
    /// Who is on call by calendars, by the rotations that follow them.
    pub fn turns(&self) -> BTreeMap<String, Arc<Vec<Turn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, rotation: &str, turns: &[Turn]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(rotation.to_owned(), Arc::new(turns.to_vec()));
    }
}

/// What is known of one calendar.
struct Known {
    /// Of which: another address is another calendar.
    of: [u8; 32],
    due: Instant,
    /// What was answered last, and by what that is told from others.
    answer: Option<Answer>,
    /// How often in a row it went wrong.
    wrong: u32,
    /// How many times of events were left out, when that was said last.
    ignored: usize,
}

#[derive(Clone)]
struct Answer {
    text: Arc<str>,
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Feeds {
    /// Has asked for nothing yet.
    pub fn new(door: Door, house: Arc<Current>, clock: Clock, client: Client, last: Arc<Last>) -> Self {
        Self { door, house, clock, client, last, known: BTreeMap::new(), of: None }
    }

    /// Steps until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.step() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Asks for those whose hour has come: for all, when the configuration was read again.
    pub async fn step(&mut self) {
        let house = self.house.get();
        let now = self.clock.mark();
        if self.of.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &house)) {
            self.known
                .retain(|name, known| house.feeds.get(name).is_some_and(|feed| identity(feed) == known.of));
            for known in self.known.values_mut() {
                known.due = now;
            }
            self.of = Some(house.clone());
        }
        let is_due = |name: &str| self.known.get(name).is_none_or(|known| known.due <= now);
        let due: Vec<(&String, &FeedConfig)> = house.feeds.iter().filter(|(name, _)| is_due(name)).collect();
        let asker =
            Asker { client: self.client.clone(), clock: self.clock.clone(), rules: house.rules.clone() };
        let asked = due.into_iter().map(|(name, feed)| {
            let before = self.known.get(name).and_then(|known| known.answer.clone());
            let asker = &asker;
            async move { (name, feed, asker.ask(name, feed, before).await) }
        });
        // Each is kept as it comes: one that does not answer keeps no other waiting.
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some((name, feed, found)) = asked.next().await {
            self.take(name, feed, found).await;
        }
    }

    /// Keeps what came of asking for one, and says so when that is new.
    async fn take(&mut self, name: &str, feed: &FeedConfig, asked: Result<(Answer, Read), String>) {
        let now = self.clock.mark();
        let of = identity(feed);
        let fresh = || Known { of, due: now, answer: None, wrong: 0, ignored: 0 };
        let known = self.known.entry(name.to_owned()).or_insert_with(fresh);
        let found = match asked {
            Ok((answer, read)) => {
                if known.wrong > 0 {
                    tracing::info!(rotation = name, "the calendar of a rotation can be read again");
                }
                if read.ignored != known.ignored && read.ignored > 0 {
                    let times = read.ignored;
                    tracing::warn!(
                        rotation = name,
                        times,
                        "events of a calendar are nobody's turn; the pages say which"
                    );
                }
                (known.answer, known.wrong, known.ignored) = (Some(answer), 0, read.ignored);
                self.last.put(name, &read.turns);
                Ok((read.turns, read.warnings))
            }
            Err(why) => {
                if known.wrong == 0 {
                    let error = why.as_str();
                    tracing::error!(
                        rotation = name,
                        error,
                        "the calendar of a rotation cannot be read; what it said last stays"
                    );
                }
                known.wrong = known.wrong.saturating_add(1);
                Err(why)
            }
        };
        let again = AGAIN.saturating_mul(1 << known.wrong.saturating_sub(1).min(10)).min(feed.every);
        known.due = now + if found.is_ok() { feed.every } else { again };
        let asked = CalendarSaid { rotation: name.to_owned(), found };
        if let Err(error) = self.door.ask(Command::Calendar(Box::new(asked))).await {
            tracing::debug!(rotation = name, %error, "what a calendar says could not be kept; trying again");
            if let Some(known) = self.known.get_mut(name) {
                known.due = now + AGAIN.min(feed.every);
            }
        }
    }
}

/// Asks for calendars, and reads them.
struct Asker {
    client: Client,
    clock: Clock,
    rules: Arc<Rules>,
}

impl Asker {
    /// Asks for one, and reads it.
    async fn ask(
        &self,
        name: &str,
        feed: &FeedConfig,
        before: Option<Answer>,
    ) -> Result<(Answer, Read), String> {
        let answer = match &feed.at {
            FeedPlace::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || of_file(&path)).await;
                read.map_err(|_| "reading it was broken off".to_owned())??
            }
            FeedPlace::Web { .. } => self.of_web(feed, before).await?,
        };
        let (rules, text, now) = (self.rules.clone(), answer.text.clone(), self.clock.now());
        let name = name.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let zone = rules.rotations.get(&name).map(|rotation| rotation.time_zone.clone());
            turns::read(&text, &zone.unwrap_or(jiff::tz::TimeZone::UTC), &rules.people, now)
        });
        let read = read.await.map_err(|_| "reading it was broken off".to_owned())??;
        Ok((answer, read))
    }

    async fn of_web(&self, feed: &FeedConfig, before: Option<Answer>) -> Result<Answer, String> {
        let FeedPlace::Web { url: Some(url), user, password, token, private } = &feed.at else {
            return Err("its address is not known".into());
        };
        let mut uri = feed_address(url.expose_secret())?;
        let reach = if *private { Reach::Private } else { Reach::Public };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/calendar, */*;q=0.1"));
        let secret = match (user, password, token) {
            (Some(user), Some(password), _) => {
                let both = format!("{user}:{}", password.expose_secret());
                Some(format!("Basic {}", crypto::base64(both.as_bytes())))
            }
            (_, _, Some(token)) => Some(format!("Bearer {}", token.expose_secret())),
            _ => None,
        };
        if let Some(secret) = secret {
            let mut value = HeaderValue::try_from(secret)
                .map_err(|_| "its password or token cannot be sent in a header")?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        if let Some(before) = &before {
            let known =
                [(header::IF_NONE_MATCH, &before.etag), (header::IF_MODIFIED_SINCE, &before.modified)];
            headers.extend(known.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        }
        for _ in 0..=REDIRECTS_MAX {
            let fetched = self.client.fetch(reach, &uri, headers.clone(), BYTES_MAX, ANSWER_DEADLINE).await?;
            match fetched.status {
                StatusCode::OK => return of_answer(&fetched),
                StatusCode::NOT_MODIFIED => {
                    return before.ok_or_else(|| "it says that nothing is new".into());
                }
                status if status.is_redirection() => uri = redirected(&uri, &fetched.headers)?,
                status => return Err(format!("it is answered with {}", status.as_u16())),
            }
        }
        Err("it leads from one address to another and never to a calendar".into())
    }
}

/// By what one calendar is told from another.
fn identity(feed: &FeedConfig) -> [u8; 32] {
    let words = match &feed.at {
        FeedPlace::File(path) => format!("file {}", path.display()),
        FeedPlace::Web { url, user, password, token, private } => {
            let [url, password, token] = [url, password, token].map(|secret| {
                secret.as_ref().map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
            });
            format!("web {url}\n{user:?}\n{password}\n{token}\n{private}")
        }
    };
    crypto::sha256(words.as_bytes())
}

fn of_file(path: &std::path::Path) -> Result<Answer, String> {
    use std::io::Read as _;
    let wrong = |error: std::io::Error| format!("its file cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() > BYTES_MAX {
        return Err(format!("its file has more than {BYTES_MAX} bytes"));
    }
    Ok(Answer { text: text(&bytes)?, etag: None, modified: None })
}

fn of_answer(fetched: &Fetched) -> Result<Answer, String> {
    let value = |name| fetched.headers.get(name).cloned();
    Ok(Answer {
        text: text(&fetched.body)?,
        etag: value(header::ETAG),
        modified: value(header::LAST_MODIFIED),
    })
}

fn text(bytes: &[u8]) -> Result<Arc<str>, String> {
    std::str::from_utf8(bytes).map(Arc::from).map_err(|_| "it is not written in UTF-8".to_owned())
}

/// Where a redirect leads: to the same host, and never from https to http. Who follows one elsewhere sends a password there.
fn redirected(from: &Uri, headers: &HeaderMap) -> Result<Uri, String> {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or("it is said to be elsewhere, and not where")?;
    let to: Uri = location.parse().map_err(|_| "it is said to be at an address that is none")?;
    let Some(scheme) = to.scheme_str() else {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = to.into_parts().path_and_query.filter(|path| path.as_str().starts_with('/'));
        if parts.path_and_query.is_none() {
            return Err("it is said to be at an address that is none".into());
        }
        return Uri::from_parts(parts).map_err(|_| "it is said to be at an address that is none".into());
    };
    let same_port =
        scheme == "https" && from.scheme_str() == Some("http") || to.port_u16() == from.port_u16();
    let downgraded = from.scheme_str() == Some("https") && scheme != "https";
    if to.host() != from.host() || downgraded || !same_port || !matches!(scheme, "http" | "https") {
        return Err("it is said to be on another host: give its new address, if that is right".into());
    }
    Ok(to)
}

/// What people should know of the calendar of a rotation.
pub fn troubles(name: &str, feed: &FeedConfig, kept: Option<&Kept>, now: Timestamp) -> Vec<String> {
    let Some(kept) = kept else {
        return vec![format!("The calendar of rotation {name} was not read yet: nobody is on call by it.")];
    };
    let mut found = Vec::new();
    let why = kept.error.as_deref().unwrap_or("nobody has asked for it");
    match kept.fetched_at {
        None => found.push(format!(
            "The calendar of rotation {name} was never read, so that nobody is on call by it: {why}."
        )),
        Some(at) if now.duration_since(at) > feed.stale => {
            let hours = now.duration_since(at).as_hours();
            found.push(format!(
                "The calendar of rotation {name} was read last {hours} hours ago; who is on call is what it said then: {why}."
            ));
        }
        Some(_) => {
            let soon = now.saturating_add(SILENT).unwrap_or(Timestamp::MAX);
            if !kept.turns.iter().any(|turn| turn.until > now && turn.from < soon) {
                found.push(format!("The calendar of rotation {name} names nobody for the next 14 days."));
            }
        }
    }
    found.extend(kept.warnings.iter().map(|warning| format!("The calendar of rotation {name}: {warning}.")));
    found
}

/// The same, of all rotations that follow one.
pub fn all_troubles(house: &House, kept: &[Kept], now: Timestamp) -> Vec<String> {
    let of = |name: &str| kept.iter().find(|one| one.rotation == name);
    house.feeds.iter().flat_map(|(name, feed)| troubles(name, feed, of(name), now)).collect()
}

/// How old what is known of a calendar is, in seconds; since `began`, when it was never read.
pub fn age_s(kept: Option<&Kept>, began: Timestamp, now: Timestamp) -> f64 {
    let since = kept.and_then(|kept| kept.fetched_at).unwrap_or(began);
    now.duration_since(since).as_secs_f64().max(0.0)
}

/// Whether any rotation follows a calendar.
pub fn any(rules: &Rules) -> bool {
    rules.rotations.values().any(|rotation| rotation.follows_calendar())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(from: &str, to: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(to).unwrap());
        redirected(&from.parse().unwrap(), &headers).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn a_redirect_is_followed_on_the_same_host_and_never_to_less_safety() {
        let from = "https://example.net/a";
        assert_eq!(leads(from, "/b?c=d").unwrap(), "https://example.net/b?c=d");
        assert_eq!(leads(from, "https://example.net/b").unwrap(), "https://example.net/b");
        assert_eq!(leads("http://example.net/a", "https://example.net/b").unwrap(), "https://example.net/b");
        for wrong in [
            "http://example.net/b",
            "https://example.org/b",
            "https://example.net:8443/b",
            "ftp://example.net/",
        ] {
            assert_eq!(leads(from, wrong), None, "{wrong}");
        }
        assert_eq!(leads("http://example.net/a", "http://example.org/a"), None);
    }

    #[test]
    fn people_are_told_of_a_calendar_that_is_old_or_says_nothing() {
        let now: Timestamp = "2026-03-25T12:00:00Z".parse().unwrap();
        let before = |hours| now - SignedDuration::from_hours(hours);
        let feed = FeedConfig {
            at: FeedPlace::File("a".into()),
            every: Duration::from_secs(900),
            stale: SignedDuration::from_hours(24),
        };
        let turn =
            Turn { from: before(1), until: now + SignedDuration::from_hours(1), person: "maya".into() };
        let kept = |fetched_at: Option<Timestamp>, error: Option<&str>, turns: &[Turn]| Kept {
            rotation: "sre".into(),
            turns: Arc::new(turns.to_vec()),
            changed_at: now,
            fetched_at,
            error: error.map(str::to_owned),
            warnings: Vec::new(),
        };
        let told = |kept: Option<&Kept>| troubles("sre", &feed, kept, now).join(" ");
        assert!(told(None).contains("was not read yet"));
        assert!(
            told(Some(&kept(None, Some("it is answered with 404"), &[])))
                .contains("never read, so that nobody is on call by it: it is answered with 404.")
        );
        assert_eq!(
            told(Some(&kept(Some(before(23)), Some("it is answered with 404"), std::slice::from_ref(&turn)))),
            ""
        );
        assert!(
            told(Some(&kept(Some(before(25)), Some("it is answered with 404"), &[turn])))
                .contains("read last 25 hours ago")
        );
        assert!(told(Some(&kept(Some(now), None, &[]))).contains("names nobody for the next 14 days"));
    }
}
