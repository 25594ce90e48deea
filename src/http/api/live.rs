//! A timeline that goes on: server-sent events, as the HTML standard has them.
//!
//! Each entry comes once and in order, with its number as the event's id, so that whoever was cut off goes on from there.
//! Nothing waits here for who is slow: what they have not seen is read from the store when they have room for it. A stream
//! ends when the daemon stops, when its token is revoked or its person has gone, and when the incident is forgotten.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::sleep;

use super::super::desk::{Desk, bearer, cannot_read};
use super::super::pages;
use super::super::problem::Problem;
use super::{not_there, view};
use crate::core::role::Deed;
use crate::store::sight::Seen;
use crate::store::timeline::{self, Kept};
use crate::store::{StoreError, Tx, incidents, sessions, tokens};
use crate::watch::{Follower, News};

/// A stream on which nothing happens says so often that it is there: sooner than proxies take a connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// It is looked this often whether who follows still may.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// Entries read at a time at most; fewer where they are long.
const PAGE_MAX: u32 = 64;
/// The same, at least.
const PAGE_MIN: u32 = 2;
/// So many bytes of entries are sent at a time, or one entry: who is slow has no more than that waiting.
const PIECE_BYTES: usize = 32 * 1024;
/// What could not be read is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// What browsers are told: so many milliseconds after a stream broke they come again.
const COME_AGAIN_MS: u32 = 2000;
/// What is told where there is no room, in seconds.
const FULL_S: u32 = 15;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx keeps answers together unless it is told not to.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether a request wants a stream.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = kinds.flat_map(|value| value.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/event-stream")
    })
}

/// Follows a timeline from an entry on; what the browser says that it saw last goes before what stands in the address.
pub(super) async fn follow(
    desk: Desk,
    headers: &HeaderMap,
    id: i64,
    after: Option<u32>,
) -> Result<Response, Problem> {
    let after = match headers.get(LAST_EVENT_ID) {
        None => after.unwrap_or(0),
        Some(last) => last.to_str().ok().and_then(|last| last.trim().parse().ok()).ok_or_else(|| {
            Problem::bad_request("Last-Event-ID is the number of the last entry that was seen")
        })?,
    };
    // Pages have a cookie.
    let token = bearer(headers).map(|token| Key::Token(token.to_owned()));
    let session = || pages::me::secret(&desk, headers).map(|secret| Key::Session(secret.to_owned()));
    let key = token.or_else(session).ok_or_else(|| {
        Problem::unauthorized(
            "send a token of the API as `Authorization: Bearer TOKEN`; `onscene token create` makes one",
        )
    })?;
    match may_follow(&desk, &key).await.map_err(|error| cannot_read(&error))? {
        Some(true) => {}
        Some(false) => {
            return Err(Problem::unauthorized(
                "this token or login is unknown or has ended, or its person has gone",
            ));
        }
        None => {
            let what = "this node does not know this token, and cannot reach its store at this moment";
            return Err(Problem::unavailable(what, 5));
        }
    }
    let read = desk.watch.sight().or_last(move |tx| incidents::newest_entries(tx, &[id])).await;
    let Seen { value: found, as_of } = read.map_err(|error| cannot_read(&error))?;
    if found.first().is_none_or(Option::is_none) {
        return Err(not_there(id, as_of));
    }
    let follower = match desk.watch.follow(id) {
        Some(follower) if !desk.watch.is_stopped() => follower,
        Some(_) => return Err(Problem::unavailable("the daemon is stopping", 5)),
        None => {
            return Err(Problem::unavailable(
                "too many follow timelines at this node; try again later",
                FULL_S,
            ));
        }
    };
    let checked = desk.clock.mark();
    let following =
        Following { desk, key, id, at: after, follower, checked, page: PAGE_MAX, behind: true, told: false };
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from(format!("retry: {COME_AGAIN_MS}\n\n")))]);
    let rest = stream::unfold(following, |following| async {
        let (bytes, following) = following.next().await?;
        Some((Ok(bytes), following))
    });
    let mut answer = Body::from_stream(stream::StreamExt::chain(first, rest)).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (BUFFERING, "no"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// Whether who has a token may follow; `None`: it is not known, because what was known last does not know everybody. That a
/// login is used so is written down.
async fn may_follow(desk: &Desk, key: &Key) -> Result<Option<bool>, StoreError> {
    let (find_by, now) = (key.clone(), desk.clock.now());
    let find = move |tx: &Tx<'_>| match &find_by {
        Key::Token(token) => Ok(tokens::api_holder(tx, token)?.map(|holder| (holder, None))),
        Key::Session(secret) => {
            let found = sessions::find(tx, secret, now)?;
            Ok(found.map(|session| (session.holder.clone(), Some(session))))
        }
    };
    let Seen { value, as_of } = desk.watch.sight().or_last(find).await?;
    let Some((holder, session)) = value else { return Ok(as_of.is_none().then_some(false)) };
    let may = desk.allows(&holder, Deed::Look).is_ok();
    // Who only watches is there, too.
    if let (true, None, Some(session), Key::Session(secret)) = (may, as_of, &session, key) {
        pages::me::noted(desk, session, sessions::hash(secret)).await;
    }
    Ok(Some(may))
}

/// By what it is known who follows.
#[derive(Clone)]
enum Key {
    Token(String),
    Session(String),
}

struct Following {
    desk: Desk,
    key: Key,
    id: i64,
    /// The number of the entry that was sent last.
    at: u32,
    follower: Follower,
    /// So many entries are read next.
    page: u32,
    /// There may be entries that were not sent.
    behind: bool,
    /// It was told that the store cannot be read.
    told: bool,
    /// When it was looked last whether it may go on.
    checked: Instant,
}

impl Following {
    /// Waits for what there is to send; `None` at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let mut quiet = pin!(sleep(HEARTBEAT));
        loop {
            if self.desk.watch.is_stopped() || !self.still_may().await {
                return None;
            }
            let news = self.follower.news();
            if news.gone {
                return None;
            }
            if news.away != self.told {
                self.told = news.away;
                return Some((Bytes::from_static(said_of_the_store(news.away)), self));
            }
            let mut again = false;
            if self.behind || news.seq > self.at {
                match self.more(&news).await {
                    Ok(bytes) if !bytes.is_empty() => return Some((bytes.into(), self)),
                    // There is more, and it was not found where it was looked for: that was no more than what was known last.
                    Ok(_) => again = news.seq > self.at,
                    Err(error) => {
                        tracing::debug!(%error, "a timeline cannot be followed at this moment");
                        again = true;
                    }
                }
                self.behind = again;
            }
            let watch = self.desk.watch.clone();
            tokio::select! {
                biased;
                () = watch.stopped() => return None,
                () = self.follower.changed() => {}
                () = sleep(RETRY), if again => {}
                () = &mut quiet => return Some((Bytes::from_static(b":\n\n"), self)),
            }
        }
    }

    /// The next entries as events; empty when there are none.
    async fn more(&mut self, news: &News) -> Result<String, StoreError> {
        let (id, at) = (self.id, self.at);
        let is_next = |first: &Kept| first.entry.seq <= at + 1;
        let mut events = String::new();
        if news.fresh.first().is_some_and(is_next) {
            self.write(&news.fresh, &mut events);
        }
        if events.is_empty() {
            let page = self.page;
            let read = self.desk.watch.sight().or_last(move |tx| timeline::list(tx, id, at, page)).await?;
            let took = self.write(&read.value, &mut events);
            // Reading what is not sent yet costs more than asking again.
            self.page = if took < page { took + 1 } else { page * 2 }.clamp(PAGE_MIN, PAGE_MAX);
        }
        Ok(events)
    }

    /// Writes entries as events, as many as are sent at a time; answers how many.
    fn write(&mut self, entries: &[Kept], events: &mut String) -> u32 {
        let (at, mut took) = (self.at, 0);
        for kept in entries.iter().filter(|kept| kept.entry.seq > at) {
            self.at = kept.entry.seq;
            took += 1;
            let _never = write!(events, "id: {}\nevent: entry\ndata: {}\n\n", self.at, view::entry(kept));
            if events.len() >= PIECE_BYTES {
                break;
            }
        }
        took
    }

    async fn still_may(&mut self) -> bool {
        if self.checked.elapsed() < CHECK_EVERY {
            return true;
        }
        self.checked = self.desk.clock.mark();
        // While nothing can be read, nothing new is shown either.
        !matches!(may_follow(&self.desk, &self.key).await, Ok(Some(false)))
    }
}

/// In a comment for people, and in an event for pages, which comments do not reach.
fn said_of_the_store(away: bool) -> &'static [u8] {
    if away {
        b": the store cannot be reached at this moment; what is new comes when it is back\nevent: store\ndata: away\n\n"
    } else {
        b": the store is back\nevent: store\ndata: back\n\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_wanted_where_it_is_among_the_kinds_that_are_taken() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            is_wanted(&headers)
        };
        assert!(wants("text/event-stream") && wants("application/json;q=0.5, Text/Event-Stream ; q=1"));
        assert!(!wants("*/*") && !wants("application/json") && !wants("text/event-streams"));
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
