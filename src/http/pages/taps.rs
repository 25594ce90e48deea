//! A form that is sent twice in one breath is one: on a slow network people tap again, and whoever calls the next people so must
//! not wake those after them. Forms carry the number of the newest entry that stood on their page, so the same one of a page that
//! is newer is another.
//!
//! The second press waits for the first, and is answered as that was. Where the first was not done, the second is tried: its
//! answer is what the browser shows, and has what was written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// The same form, word by word, within this long of what was done is the same press.
const APART_MIN: SignedDuration = SignedDuration::from_secs(10);
/// Forms that are remembered; of more than these, a second one is done.
const KEPT_MAX: usize = 4096;

/// Where who pressed is led, once it is done.
type Done = Arc<tokio::sync::Mutex<Option<String>>>;

/// What this node was sent in the last seconds, by the hash of who sent it, where to and of what.
#[derive(Debug, Default)]
pub struct Taps(Mutex<HashMap<[u8; 32], (Done, Timestamp)>>);

impl Taps {
    /// Does what a form asks for, if the same is not done already. `work` answers where to go, or why it was not done.
    pub(in crate::http) async fn once(
        &self,
        mark: [u8; 32],
        clock: &Clock,
        work: impl Future<Output = Result<String, Response>>,
    ) -> Response {
        let place = self.place(mark, clock.now());
        let mut done = place.lock().await;
        if let Some(to) = &*done {
            return Redirect::to(to).into_response();
        }
        match work.await {
            Ok(to) => {
                *done = Some(to.clone());
                self.place(mark, clock.now());
                Redirect::to(&to).into_response()
            }
            Err(answer) => answer,
        }
    }

    fn place(&self, mark: [u8; 32], now: Timestamp) -> Done {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waits for one, or does it, holds it.
        kept.retain(|_, (done, at)| Arc::strong_count(done) > 1 || now.duration_since(*at).abs() < APART_MIN);
        if let Some((done, at)) = kept.get_mut(&mark) {
            *at = now;
            return done.clone();
        }
        let done = Done::default();
        if kept.len() < KEPT_MAX {
            kept.insert(mark, (done.clone(), now));
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn to(answer: &Response) -> &str {
        answer.headers().get("location").unwrap().to_str().unwrap()
    }

    #[tokio::test]
    async fn the_same_form_in_one_breath_is_one_press_also_while_the_first_waits() {
        let clock = Clock::standing(Timestamp::from_second(1_000_000).unwrap());
        let (taps, done) = (Taps::default(), AtomicUsize::new(0));
        let does = async |mark: u8| {
            let work = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(format!("/done/{}", done.fetch_add(1, Ordering::Relaxed)))
            };
            taps.once([mark; 32], &clock, work).await
        };
        let (first, second) = tokio::join!(does(1), does(1));
        assert_eq!((to(&first), to(&second)), ("/done/0", "/done/0"));
        clock.forward(SignedDuration::from_secs(9));
        assert_eq!(to(&does(1).await), "/done/0");
        assert_eq!(to(&does(2).await), "/done/1");
        // A while later it is meant, and a clock that was set back holds nobody up.
        clock.forward(SignedDuration::from_secs(10));
        assert_eq!(to(&does(1).await), "/done/2");
        clock.forward(SignedDuration::from_mins(-5));
        assert_eq!(to(&does(1).await), "/done/3");
    }

    #[tokio::test]
    async fn what_was_not_done_or_left_in_the_middle_is_tried_again() {
        let clock = Clock::standing(Timestamp::from_second(1_000_000).unwrap());
        let taps = Taps::default();
        let refused = taps.once([1; 32], &clock, async { Err("no".into_response()) }).await;
        assert!(refused.headers().get("location").is_none());
        let never = taps.once([1; 32], &clock, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(20), never).await.is_err());
        assert_eq!(to(&taps.once([1; 32], &clock, async { Ok("/a".to_owned()) }).await), "/a");
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_there_is_room_for() {
        let clock = Clock::standing(Timestamp::from_second(1_000_000).unwrap());
        let taps = Taps::default();
        for number in 0..=u64::try_from(KEPT_MAX).unwrap() {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&number.to_be_bytes());
            taps.once(mark, &clock, async { Ok("/a".to_owned()) }).await;
        }
        assert_eq!(taps.0.lock().unwrap().len(), KEPT_MAX);
    }
}
